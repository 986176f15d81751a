/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list.c - every endpoint, its certificate and the line that decides it */
#include "tool.h"

#define LIVE_COLUMNS 7

static const char *served(const struct certdeploy_endpoint_report *endpoint)
{
	if (endpoint->served_sha256 == NULL)
		return "-";
	/* A file may hold certificates of several types, of which the report has the first. */
	return endpoint->verified ? _("same") : _("other");
}

static void add_row(struct table *table, const struct certdeploy_service_report *service,
		    const struct certdeploy_endpoint_report *endpoint)
{
	char until[32];

	table_add(table, "%s", service->name);
	table_add(table, "%s", endpoint->protocol == NULL ? "-" : endpoint->protocol);
	table_add(table, "%s", endpoint->listen == NULL ? "-" : endpoint->listen);
	table_add(table, "%s%s", endpoint->name == NULL ? _("(default)") : endpoint->name,
		  endpoint->name != NULL && endpoint->is_default ? " *" : "");
	table_add(table, "%s", endpoint->tls ? show_time(until, endpoint->not_after) : _("no TLS"));
	if (table->columns == LIVE_COLUMNS)
		table_add(table, "%s", served(endpoint));
	if (endpoint->file == NULL)
		table_add(table, "%s", endpoint->note == NULL ? "" : endpoint->note);
	else if (endpoint->note == NULL)
		table_add(table, "%s:%zu", endpoint->file, endpoint->line);
	else
		table_add(table, "%s:%zu (%s)", endpoint->file, endpoint->line, endpoint->note);
}

static bool was_looked_at(const struct certdeploy_result *result)
{
	const struct certdeploy_service_report *service;

	for (size_t i = 0; (service = certdeploy_result_service(result, i)) != NULL; i++)
		for (size_t j = 0; service->endpoints != NULL && service->endpoints[j] != NULL; j++)
			if (service->endpoints[j]->served_sha256 != NULL)
				return true;
	return false;
}

void print_endpoint_table(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_service_report *service;
	struct table table;

	if (certdeploy_result_service(result, 0) == NULL) {
		if (certdeploy_result_code(result) == 0)
			put_line(stdout, "%s\n", _("No server was found."));
		return;
	}
	table_begin(&table, was_looked_at(result) ? LIVE_COLUMNS : LIVE_COLUMNS - 1);
	table.headed = true;
	table_add(&table, "%s", _("SERVICE"));
	table_add(&table, "%s", _("PROTOCOL"));
	table_add(&table, "%s", _("LISTENER"));
	table_add(&table, "%s", _("NAME"));
	table_add(&table, "%s", _("VALID UNTIL"));
	if (table.columns == LIVE_COLUMNS)
		table_add(&table, "%s", _("SERVED"));
	table_add(&table, "%s", _("CONFIGURED IN"));
	for (size_t i = 0; (service = certdeploy_result_service(result, i)) != NULL; i++)
		for (size_t j = 0; service->endpoints != NULL && service->endpoints[j] != NULL; j++)
			for (const struct certdeploy_endpoint_report *one = service->endpoints[j];
			     one != NULL; one = one->also)
				add_row(&table, service, one);
	table_print(&table, tool);
	table_free(&table);
}

const struct command command_list = {
	.name = "list",
	.id = COMMAND_LIST,
	.operand = NULL,
	.summary = N_("show every endpoint and its certificate"),
	.run = certdeploy_list,
	.print = print_endpoint_table,
};
