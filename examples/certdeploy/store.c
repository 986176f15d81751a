/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* store.c - the names of the store: one command with an action for each thing that is done to them */
#include "tool.h"

#include <string.h>

static void add_row(struct table *table, const struct certdeploy_certificate_report *report)
{
	bool alone = report->sha256 == NULL;
	char until[32];

	table_add(table, "%s", report->name == NULL ? "-" : report->name);
	table_add(table, "%s", alone || report->key_type == NULL ? "-" : report->key_type);
	table_add(table, "%s", alone ? "-" : show_time(until, report->not_after));
	table_add(table, "%u", report->generations);
	table_add(table, "%u", report->waiting);
	table_add(table, "%s", report->subject == NULL ? "-" : report->subject);
}

static void print_names(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_certificate_report *report;
	struct table table;

	if (certdeploy_result_certificate(result, 0) == NULL) {
		if (certdeploy_result_code(result) == 0)
			put_line(stdout, "%s\n", _("The store is empty."));
		return;
	}
	table_begin(&table, 6);
	table.headed = true;
	table_add(&table, "%s", _("NAME"));
	table_add(&table, "%s", _("KEY"));
	table_add(&table, "%s", _("VALID UNTIL"));
	table_add(&table, "%s", _("KEPT"));
	table_add(&table, "%s", _("WAITING"));
	table_add(&table, "%s", _("SUBJECT"));
	for (size_t i = 0; (report = certdeploy_result_certificate(result, i)) != NULL; i++)
		add_row(&table, report);
	table_print(&table, tool);
	table_free(&table);
}

static void print_change(const struct tool *tool, const struct certdeploy_result *result)
{
	print_changed_files(tool, result);
}

static const struct command actions[] = {
	{
		.name = "store",
		.action = "list",
		.id = COMMAND_STORE_LIST,
		.summary = N_("show every name, its certificate and its requests"),
		.run = certdeploy_store_list,
		.print = print_names,
	},
	{
		.name = "store",
		.action = "rename",
		.id = COMMAND_STORE_RENAME,
		.operand = "NAME NEW-NAME",
		.summary = N_("give a certificate another name"),
		.run = certdeploy_store_rename,
		.print = print_change,
	},
	{
		.name = "store",
		.action = "remove",
		.id = COMMAND_STORE_REMOVE,
		.operand = "NAME",
		.summary = N_("take an unused certificate out of the store"),
		.run = certdeploy_store_remove,
		.print = print_change,
	},
	{
		.name = "store",
		.action = "adopt",
		.id = COMMAND_STORE_ADOPT,
		.summary = N_("take what servers use today into the store"),
		.run = certdeploy_store_adopt,
		.print = print_change,
	},
};
#define ACTION_COUNT (sizeof(actions) / sizeof(*actions))

const struct command *store_action(size_t position)
{
	return position < ACTION_COUNT ? &actions[position] : NULL;
}

const struct command *find_action(const char *name)
{
	for (size_t i = 0; i < ACTION_COUNT; i++)
		if (strcmp(actions[i].action, name) == 0)
			return &actions[i];
	return NULL;
}

int missing_action(struct tool *tool)
{
	return usage_error(tool, _("store needs one of list, rename, remove and adopt"));
}

const struct command command_store = {
	.name = "store",
	.id = COMMAND_STORE,
	.operand = "ACTION",
	.summary = N_("the names of the store: list, rename, remove, adopt"),
	.run = certdeploy_store_list,
	.print = print_names,
};
