/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* adapters.c - which servers are understood */
#include "tool.h"

static void print(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_adapter_report *adapter;
	struct table table;

	table_begin(&table, 3);
	table.headed = true;
	table_add(&table, "%s", _("ADAPTER"));
	table_add(&table, "%s", _("LOADED FROM"));
	table_add(&table, "%s", _("SUMMARY"));
	for (size_t i = 0; (adapter = certdeploy_result_adapter(result, i)) != NULL; i++) {
		table_add(&table, "%s", adapter->name);
		table_add(&table, "%s", adapter->file == NULL ? _("built in") : adapter->file);
		table_add(&table, "%s", adapter->summary == NULL ? "-" : adapter->summary);
	}
	table_print(&table, tool);
	table_free(&table);
}

const struct command command_adapters = {
	.name = "adapters",
	.id = COMMAND_ADAPTERS,
	.operand = NULL,
	.summary = N_("list the adapters, built in and loaded"),
	.run = certdeploy_adapters,
	.print = print,
};
