/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* discover.c - the servers on this host */
#include "tool.h"

static const char *running_text(int running)
{
	return running < 0 ? "-" : running == 0 ? _("no") : _("yes");
}

static void print(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_service_report *service;
	struct table table;

	if (certdeploy_result_service(result, 0) == NULL) {
		if (certdeploy_result_code(result) == 0)
			put_line(stdout, "%s\n", _("No server was found."));
		return;
	}
	table_begin(&table, 5);
	table.headed = true;
	table_add(&table, "%s", _("SERVICE"));
	table_add(&table, "%s", _("ADAPTER"));
	table_add(&table, "%s", _("VERSION"));
	table_add(&table, "%s", _("RUNNING"));
	table_add(&table, "%s", _("CONFIGURATION"));
	for (size_t i = 0; (service = certdeploy_result_service(result, i)) != NULL; i++) {
		table_add(&table, "%s", service->name);
		table_add(&table, "%s", service->adapter == NULL ? "-" : service->adapter);
		table_add(&table, "%s", service->version == NULL ? "-" : service->version);
		table_add(&table, "%s", running_text(service->running));
		table_add(&table, "%s", service->config == NULL ? "-" : service->config);
	}
	table_print(&table, tool);
	table_free(&table);
}

const struct command command_discover = {
	.name = "discover",
	.id = COMMAND_DISCOVER,
	.operand = NULL,
	.summary = N_("show the servers found on this host"),
	.run = certdeploy_discover,
	.print = print,
};
