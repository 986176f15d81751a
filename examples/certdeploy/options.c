/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.c - the command line into settings */
#include "tool.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LONG_BASE 256 /* getopt's value of a long option: this and its place in the table */
#define SHORT_ROOM 64

int usage_error(struct tool *tool, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(tool->message, sizeof(tool->message), format, arguments);
	va_end(arguments);
	/* It may quote what was given: programs show messages as they are. */
	for (char *at = tool->message; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
	(void)snprintf(tool->fix, sizeof(tool->fix), _("See: certdeploy %s%s"),
		       tool->command == NULL ? "--help" : "help ",
		       tool->command == NULL ? "" : tool->command->name);
	tool->problem = (struct certdeploy_problem){
		.severity = CERTDEPLOY_ERROR, .code = "usage", .message = tool->message, .fix = tool->fix};
	return CERTDEPLOY_EUSAGE;
}

int add_setting(struct tool *tool, const struct option_row *option, const char *value, size_t length)
{
	char *copy = NULL;

	if (tool->setting_count == tool->setting_room) {
		size_t room = tool->setting_room == 0 ? 16 : tool->setting_room * 2;
		struct setting *grown = realloc(tool->settings, room * sizeof(*grown));

		if (grown == NULL)
			return CERTDEPLOY_ENOMEM;
		tool->settings = grown;
		tool->setting_room = room;
	}
	if (value != NULL) {
		copy = malloc(length + 1);
		if (copy == NULL)
			return CERTDEPLOY_ENOMEM;
		memcpy(copy, value, length);
		copy[length] = '\0';
	}
	tool->settings[tool->setting_count++] =
		(struct setting){.option = option, .value = copy, .length = length};
	return 0;
}

void free_settings(struct tool *tool)
{
	for (size_t i = 0; i < tool->setting_count; i++) {
		struct setting *setting = &tool->settings[i];

		/* It may be a key. */
		if (setting->value != NULL)
			explicit_bzero(setting->value, setting->length);
		free(setting->value);
	}
	free(tool->settings);
	tool->settings = NULL;
	tool->setting_count = 0;
	if (tool->passphrase != NULL)
		explicit_bzero(tool->passphrase, tool->passphrase_length);
	free(tool->passphrase);
	tool->passphrase = NULL;
}

static int set_color(struct tool *tool, const char *value)
{
	if (strcmp(value, "auto") != 0 && strcmp(value, "always") != 0 && strcmp(value, "never") != 0)
		return usage_error(tool, _("--color takes auto, always or never"));
	prepare_terminal(tool, value);
	return 0;
}

static int set_descriptor(struct tool *tool, const char *value)
{
	char *end = NULL;
	long number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (errno != 0 || !isdigit((unsigned char)*value) || *end != '\0' || number > 65535)
		return usage_error(tool, _("--passphrase-fd takes the number of an open descriptor"));
	tool->passphrase_fd = (int)number;
	return 0;
}

static int once(struct tool *tool, const char **place, const char *name, const char *value)
{
	if (*place != NULL)
		return usage_error(tool, _("--%s is given twice"), name);
	if (value[0] == '\0')
		return usage_error(tool, _("the value of --%s is empty"), name);
	*place = value;
	return 0;
}

static int new_file(struct tool *tool, const char **place, const char *name, const char *value)
{
	if (strcmp(value, "-") == 0)
		return usage_error(tool, _("--%s takes the name of a new file"), name);
	return once(tool, place, name, value);
}

static int set_format(struct tool *tool, const char *value)
{
	static const char *const formats[] = {"text", "nagios", "prometheus", "html"};

	tool->json = tool->json || strcmp(value, "json") == 0;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if ((i <= FORMAT_NAGIOS || tool->command->id == COMMAND_EXPIRY) &&
		    strcmp(value, formats[i]) == 0) {
			tool->format = (enum format)i;
			return 0;
		}
	if (strcmp(value, "json") == 0)
		return 0;
	return usage_error(tool, tool->command->id == COMMAND_EXPIRY
					 ? _("--format takes text, json, nagios, prometheus or html")
					 : _("--format takes text, json or nagios"));
}

int set_tool_option(struct tool *tool, const struct option_row *row, const char *value)
{
	switch ((enum tool_option)row->value) {
	case TOOL_CONFIG:
		return once(tool, &tool->config_file, row->name, value);
	case TOOL_ROOT:
		return once(tool, &tool->root, row->name, value);
	case TOOL_PASSPHRASE_FILE:
		return once(tool, &tool->passphrase_file, row->name, value);
	case TOOL_PASSPHRASE_FD:
		return set_descriptor(tool, value);
	case TOOL_BATCH:
		return once(tool, &tool->batch_file, row->name, value);
	case TOOL_BATCH_DIR:
		return once(tool, &tool->batch_directory, row->name, value);
	case TOOL_COLOR:
		return set_color(tool, value);
	case TOOL_LANG:
		set_language(value);
		return 0;
	case TOOL_JSON:
		tool->json = true;
		return 0;
	case TOOL_QUIET:
		tool->verbosity = -1;
		return 0;
	case TOOL_VERBOSE:
		tool->verbosity = tool->verbosity < 0 ? 1 : tool->verbosity + 1;
		return 0;
	case TOOL_VERSION:
		tool->show = SHOW_VERSION;
		return 0;
	case TOOL_HELP:
		tool->show = SHOW_HELP;
		return 0;
	case TOOL_DRY_RUN:
		tool->dry_run = true;
		return 0;
	case TOOL_OUT:
		/* - is standard output, where it goes anyway */
		return strcmp(value, "-") == 0 ? 0 : once(tool, &tool->out, row->name, value);
	case TOOL_OUT_KEY:
		return new_file(tool, &tool->out_key, row->name, value);
	case TOOL_OUT_CSR:
		return new_file(tool, &tool->out_csr, row->name, value);
	case TOOL_FORMAT:
		return set_format(tool, value);
	case TOOL_EXIT_CODE:
		tool->exit_code = true;
		return 0;
	}
	return 0;
}

/* The options of one command (NULL: the global ones) as getopt wants them. */
static struct option *long_options(const struct command *command, char letters[SHORT_ROOM])
{
	struct option *options;
	size_t rows = 0, count = 0, at = strlen(letters);

	while (option_table[rows].name != NULL)
		rows++;
	options = calloc(rows + 1, sizeof(*options));
	for (size_t i = 0; options != NULL && i < rows; i++) {
		const struct option_row *row = &option_table[i];

		if (!takes_option(command, row))
			continue;
		options[count++] =
			(struct option){.name = row->name,
					.has_arg = takes_value(row) ? required_argument : no_argument,
					.val = LONG_BASE + (int)i};
		if (row->letter != 0 && at + 3 < SHORT_ROOM) {
			letters[at++] = row->letter;
			if (takes_value(row))
				letters[at++] = ':';
			letters[at] = '\0';
		}
	}
	return options;
}

static const struct option_row *row_of(int found)
{
	const struct option_row *row = option_table;

	if (found >= LONG_BASE)
		return &option_table[found - LONG_BASE];
	while (row->name != NULL && row->letter != found)
		row++;
	return row;
}

static bool known_elsewhere(const char *name, size_t length)
{
	for (const struct option_row *row = option_table; row->name != NULL; row++)
		if (strlen(row->name) == length && strncmp(row->name, name, length) == 0)
			return true;
	return false;
}

static size_t count_beginning(const struct command *command, const char *name, size_t length)
{
	size_t count = 0;

	for (const struct option_row *row = option_table; row->name != NULL; row++)
		if (takes_option(command, row) && strncmp(row->name, name, length) == 0)
			count++;
	return count;
}

/* word is what stood on the command line. */
static int refuse_option(struct tool *tool, const char *word)
{
	char name[64];
	const char *near;
	size_t length;

	if (optopt != 0 && optopt < LONG_BASE)
		return usage_error(tool, _("there is no option -%c"),
				   optopt > ' ' && optopt < 0x7f ? optopt : '?');
	word += strncmp(word, "--", 2) == 0 ? 2 : 0;
	length = strcspn(word, "=");
	if (optopt >= LONG_BASE)
		return usage_error(tool, _("--%s takes no value"), option_table[optopt - LONG_BASE].name);
	(void)snprintf(name, sizeof(name), "%.*s", (int)(length < 60 ? length : 60), word);
	if (count_beginning(tool->command, word, length) > 1)
		return usage_error(tool, _("--%s is the beginning of more than one option"), name);
	if (known_elsewhere(word, length))
		return tool->command == NULL
			       ? usage_error(tool, _("--%s stands after the command"), name)
			       : usage_error(tool, _("%s has no option --%s"), tool->command->name, name);
	near = nearest_option(tool->command, name);
	if (near != NULL)
		return usage_error(tool, _("there is no option --%s; did you mean --%s?"), name, near);
	return usage_error(tool, _("there is no option --%s"), name);
}

static int take_option(struct tool *tool, const struct option_row *row, const char *value)
{
	if (row->effect == EFFECT_TOOL)
		return set_tool_option(tool, row, value);
	return add_setting(tool, row, value, value == NULL ? 0 : strlen(value));
}

/* Read options from argv[1] on; leaves optind at the first word that is none. */
static int read_options(struct tool *tool, int argc, char **argv, bool stop_at_words)
{
	char letters[SHORT_ROOM] = ":";
	struct option *options;
	int found, result = 0;

	if (stop_at_words)
		(void)snprintf(letters, sizeof(letters), "+:");
	options = long_options(tool->command, letters);
	if (options == NULL)
		return CERTDEPLOY_ENOMEM;
	opterr = 0;
	optind = 0;
	while (result == 0) {
		found = getopt_long(argc, argv, letters, options, NULL);
		if (found == -1)
			break;
		if (found == '?')
			result = refuse_option(tool, argv[optind - 1]);
		else if (found == ':')
			result = usage_error(tool, _("%s needs a value"), argv[optind - 1]);
		else
			result = take_option(tool, row_of(found), optarg);
	}
	free(options);
	return result;
}

/* One for each word of its description. */
static size_t most_operands(const struct command *command)
{
	size_t count = command->operand == NULL ? 0 : 1;

	for (const char *at = command->operand; at != NULL && *at != '\0'; at++)
		count += *at == ' ' ? 1 : 0;
	return count;
}

/* The option that an operand stands for. */
static const char *operand_option(const struct command *command, size_t position)
{
	switch (command->id) {
	case COMMAND_DOCTOR:
		return "hostname";
	case COMMAND_EXPORT:
	case COMMAND_TLSA:
	case COMMAND_STORE_REMOVE:
		return "name";
	case COMMAND_STORE_RENAME:
		return position == 0 ? "name" : "new-name";
	default:
		return "transaction";
	}
}

static int take_operands(struct tool *tool, char *const *words, size_t count)
{
	int result = 0;

	if (tool->json && count == 1 && strcmp(words[0], "-") == 0) {
		if (tool->setting_count != 0 || tool->passphrase_file != NULL ||
		    tool->passphrase_fd != -1 || tool->batch_file != NULL ||
		    tool->batch_directory != NULL || tool->dry_run || tool->exit_code)
			return usage_error(tool, _("with -, everything stands in the JSON object"));
		tool->from_stdin = true;
		return 0;
	}
	if (tool->command == &command_store)
		return missing_action(tool);
	if (count != 0 && strcmp(words[0], "-") == 0)
		return usage_error(tool, _("- (the request on standard input) goes with --json"));
	if (count > most_operands(tool->command))
		return usage_error(tool, _("%s does not take the word \"%s\""), tool->command->name,
				   words[most_operands(tool->command)]);
	for (size_t i = 0; result == 0 && i < count; i++) {
		const char *name = operand_option(tool->command, i);

		result = add_setting(tool, find_option(tool->command, name, strlen(name)), words[i],
				     strlen(words[i]));
	}
	return result;
}

/* Behind the issuer's name stand its own words, and a token among them may begin with a dash. */
static int read_hook(struct tool *tool, int argc, char **argv)
{
	int result = read_options(tool, argc, argv, true);
	const char *issuer = optind < argc ? argv[optind] : "";

	if (result == 0 && optind < argc) {
		argc -= optind;
		argv += optind;
		result = read_options(tool, argc, argv, true);
	}
	if (result == 0 && tool->show == SHOW_NOTHING)
		result = take_hook(tool, issuer, argv + optind, (size_t)(argc - optind));
	return result;
}

static int unknown_command(struct tool *tool, const char *word)
{
	const char *near = nearest_command(word);

	if (near != NULL)
		return usage_error(tool, _("there is no command \"%s\"; did you mean %s?"), word, near);
	return usage_error(tool, _("there is no command \"%s\""), word);
}

static int take_help(struct tool *tool, char *const *words, size_t count)
{
	tool->show = SHOW_HELP;
	if (count == 0 || strcmp(words[0], "help") == 0)
		return 0;
	tool->command = find_command(words[0]);
	if (tool->command == &command_store && count > 1 && find_action(words[1]) != NULL)
		tool->command = find_action(words[1]);
	return tool->command == NULL ? unknown_command(tool, words[0]) : 0;
}

/* A mistake in the options must not hide how the answer is wanted: by a program, or a monitoring system. */
static void look_for_format(struct tool *tool, int argc, char **argv)
{
	static const char option[] = "--format";

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *format = strcmp(argv[i], option) == 0 && i + 1 < argc ? argv[i + 1] : "";

		if (strncmp(argv[i], option, strlen(option)) == 0 && argv[i][strlen(option)] == '=')
			format = argv[i] + sizeof(option);
		if (strcmp(argv[i], "--json") == 0 || strcmp(format, "json") == 0)
			tool->json = true;
		else if (strcmp(format, "nagios") == 0)
			tool->format = FORMAT_NAGIOS;
	}
}

int parse_options(struct tool *tool, int argc, char **argv)
{
	int result, at;

	prepare_terminal(tool, NULL);
	look_for_format(tool, argc, argv);
	result = read_options(tool, argc, argv, true);
	at = optind;
	if (result != 0 || tool->show == SHOW_VERSION)
		return result;
	if (at < argc && strcmp(argv[at], "complete") == 0) {
		tool->show = SHOW_COMPLETION;
		tool->words = argv + at + 1;
		tool->word_count = (size_t)(argc - at - 1);
		return 0;
	}
	if (tool->show == SHOW_HELP || (at < argc && strcmp(argv[at], "help") == 0)) {
		at += at < argc && strcmp(argv[at], "help") == 0 ? 1 : 0;
		return take_help(tool, argv + at, (size_t)(argc - at));
	}
	if (at == argc)
		return usage_error(tool, _("a command is missing"));
	if (tool->json && at + 1 == argc && strcmp(argv[at], "-") == 0) {
		tool->from_stdin = true;
		return 0;
	}
	tool->command = find_command(argv[at]);
	if (tool->command == NULL)
		return unknown_command(tool, argv[at]);
	if (tool->command == &command_store && at + 1 < argc && find_action(argv[at + 1]) != NULL)
		tool->command = find_action(argv[++at]);
	argc -= at;
	argv += at;
	if (tool->command->id == COMMAND_HOOK)
		return read_hook(tool, argc, argv);
	result = read_options(tool, argc, argv, false);
	if (result == 0 && tool->show == SHOW_NOTHING)
		result = take_operands(tool, argv + optind, (size_t)(argc - optind));
	return result;
}
