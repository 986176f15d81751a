/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* help.c - the help and the completion, made from the tables: each fits a screen of 80 by 24 */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define WIDEST_OPTIONS 38
#define LINE_ROOM 256

/* "--cert, --key, --chain F": the options from row on that share one line; *next is the row after them. */
static void option_line(char line[LINE_ROOM], const struct option_row **next, const struct command *command,
			const struct option_row *row)
{
	size_t used = 0;

	for (;; row++) {
		if (row->name == NULL)
			break;
		if ((row->commands & 1U << command->id) == 0)
			continue;
		used += (size_t)snprintf(line + used, LINE_ROOM - used, "%s", used == 0 ? "" : ", ");
		if (row->letter != 0)
			used += (size_t)snprintf(line + used, LINE_ROOM - used, "-%c, ", row->letter);
		used += (size_t)snprintf(line + used, LINE_ROOM - used, "--%s%s%s", row->name,
					 row->argument == NULL ? "" : " ",
					 row->argument == NULL ? "" : row->argument);
		if (row->help != NULL)
			break;
	}
	*next = row;
}

static bool is_shown(const struct command *command, const struct option_row *row)
{
	bool ours = command == NULL ? row->commands == 0 : (row->commands & 1U << command->id) != 0;

	/* plan takes what deploy takes, but has nothing to say of a dry run. */
	if (command == &command_plan && row->effect == EFFECT_TOOL && row->value == TOOL_DRY_RUN)
		return false;
	return ours && strcmp(row->name, "transaction") != 0;
}

static void print_options(const struct command *command)
{
	const struct option_row *last;
	char line[LINE_ROOM];
	size_t width = 0, length;

	for (const struct option_row *row = option_table; row->name != NULL; row++) {
		if (!is_shown(command, row))
			continue;
		option_line(line, &last, command, row);
		if (last->name == NULL)
			break;
		length = strlen(line);
		if (length > width && length <= WIDEST_OPTIONS)
			width = length;
		row = last;
	}
	for (const struct option_row *row = option_table; row->name != NULL; row++) {
		if (!is_shown(command, row))
			continue;
		option_line(line, &last, command, row);
		if (last->name == NULL)
			break;
		row = last;
		if (row->help == NULL || row->help[0] == '\0')
			(void)printf("  %s\n", line);
		else
			(void)printf("  %-*s  %s\n", (int)width, line, _(row->help));
	}
}

/* "rename NAME NEW-NAME" */
static int action_line(char line[LINE_ROOM], const struct command *action)
{
	return snprintf(line, LINE_ROOM, "%s%s%s", action->action, action->operand == NULL ? "" : " ",
			action->operand == NULL ? "" : action->operand);
}

static void print_actions(void)
{
	const struct command *action;
	char line[LINE_ROOM];
	int width = 0, length;

	for (size_t i = 0; (action = store_action(i)) != NULL; i++) {
		length = action_line(line, action);
		width = length > width ? length : width;
	}
	for (size_t i = 0; (action = store_action(i)) != NULL; i++) {
		(void)action_line(line, action);
		(void)printf("  %-*s  %s\n", width, line, _(action->summary));
	}
	(void)printf("%s\n", _("Their options: certdeploy help store ACTION"));
}

void print_help(const struct command *command)
{
	if (command != NULL) {
		(void)printf(_("Usage: certdeploy %s%s%s [OPTION...]%s%s\n"), command->name,
			     command->action == NULL ? "" : " ",
			     command->action == NULL ? "" : command->action,
			     command->operand == NULL ? "" : " ",
			     command->operand == NULL ? "" : command->operand);
		(void)printf("%s\n", _(command->summary));
		if (command == &command_store)
			print_actions();
		else
			print_options(command);
		return;
	}
	(void)printf("%s\n", _("Usage: certdeploy [GLOBAL OPTION...] [help] COMMAND [OPTION...]"));
	for (const struct command *const *row = command_table; *row != NULL; row++)
		(void)printf("  %-10s %s\n", (*row)->name, _((*row)->summary));
	(void)printf("%s\n",
		     _("Global: -c FILE, --root DIR, --json, --color WHEN, --lang L, -q, -v, --version"));
}
