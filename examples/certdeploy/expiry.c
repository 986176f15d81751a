/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* expiry.c - what runs out when */
#include "tool.h"

#include <string.h>
#include <time.h>

#define COLUMNS 6

static void add_row(struct table *table, const struct tool *tool,
		    const struct certdeploy_service_report *service,
		    const struct certdeploy_endpoint_report *endpoint)
{
	char until[32], left[64];

	(void)tool;
	table_add(table, "%s", service->name);
	table_add(table, "%s %s", endpoint->protocol == NULL ? "-" : endpoint->protocol,
		  endpoint->listen == NULL ? "-" : endpoint->listen);
	table_add(table, "%s", endpoint->name == NULL ? _("(default)") : endpoint->name);
	table_add(table, "%s", show_time(until, endpoint->not_after));
	table_add(table, "%s", endpoint->not_after == 0 ? "-" : show_days(left, endpoint->not_after));
	table_add(table, "%s", localized_word(endpoint->expiry));
}

static void print_text(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_service_report *service;
	struct table table;

	if (certdeploy_result_service(result, 0) == NULL)
		return;
	table_begin(&table, COLUMNS);
	table.headed = true;
	table_add(&table, "%s", _("SERVICE"));
	table_add(&table, "%s", _("LISTENER"));
	table_add(&table, "%s", _("NAME"));
	table_add(&table, "%s", _("VALID UNTIL"));
	table_add(&table, "%s", _("TIME LEFT"));
	table_add(&table, "%s", _("STATE"));
	for (size_t i = 0; (service = certdeploy_result_service(result, i)) != NULL; i++)
		for (size_t j = 0; service->endpoints[j] != NULL; j++)
			for (const struct certdeploy_endpoint_report *one = service->endpoints[j];
			     one != NULL && one->tls; one = one->also)
				add_row(&table, tool, service, one);
	table_print(&table, tool);
	table_free(&table);
}

static void print(const struct tool *tool, const struct certdeploy_result *result)
{
	switch (tool->format) {
	case FORMAT_PROMETHEUS:
		print_prometheus(result);
		break;
	case FORMAT_HTML:
		print_html(tool, result);
		break;
	default:
		print_text(tool, result);
	}
}

/* Of one certificate: the earlier of what is configured and what is served; 0: not known. */
static int64_t good_until(const struct certdeploy_endpoint_report *endpoint)
{
	int64_t until = endpoint->not_after, served = endpoint->served_not_after;

	return served != 0 && (until == 0 || served < until) ? served : until;
}

/* Until when everything is good. */
static int64_t earliest(const struct certdeploy_result *result, const char **name, size_t *count,
			int *state)
{
	const struct certdeploy_service_report *service;
	const struct certdeploy_endpoint_report *one;
	int64_t first = 0;

	for (size_t i = 0; (service = certdeploy_result_service(result, i)) != NULL; i++)
		for (size_t j = 0; service->endpoints[j] != NULL; j++) {
			*count += service->endpoints[j]->tls ? 1 : 0;
			for (one = service->endpoints[j]; one != NULL && one->tls; one = one->also) {
				int64_t until = good_until(one);

				if (one->expiry != NULL && strcmp(one->expiry, "unknown") == 0)
					*state = *state == NAGIOS_OK ? NAGIOS_UNKNOWN : *state;
				if (until == 0 || (first != 0 && until >= first))
					continue;
				first = until;
				*name = one->name == NULL ? one->listen : one->name;
			}
		}
	return first;
}

/* Is the worst that there is to tell that something runs out? */
static bool runs_out(const struct certdeploy_result *result, int state)
{
	const struct certdeploy_problem *problem;
	enum certdeploy_severity severity =
		state == NAGIOS_CRITICAL ? CERTDEPLOY_ERROR : CERTDEPLOY_WARNING;

	for (size_t i = 0; (problem = certdeploy_result_problem(result, i)) != NULL; i++)
		if (problem->severity == severity &&
		    (strcmp(problem->code, "expires-soon") == 0 || strcmp(problem->code, "expired") == 0))
			return true;
	return false;
}

static int status(const struct tool *tool, const struct certdeploy_result *result,
		  const struct certdeploy_problem *problem, int status_of_library)
{
	char sentence[512], data[64], left[64];
	const char *name = NULL;
	int state = result == NULL || status_of_library != 0 ? NAGIOS_UNKNOWN : nagios_state(result);
	size_t count = 0;
	int64_t first = 0;

	(void)tool;
	if (state != NAGIOS_UNKNOWN)
		first = earliest(result, &name, &count, &state);
	/* Where no server was found, nobody may take it that all is well. */
	if (count == 0 && state == NAGIOS_OK)
		state = NAGIOS_UNKNOWN;
	if (state == NAGIOS_UNKNOWN) {
		print_nagios(state, nagios_reason(result, problem), NULL);
		return state;
	}
	(void)snprintf(sentence, sizeof(sentence), _("%zu endpoints, the first expires %s (%.200s)"), count,
		       first == 0 ? "-" : show_days(left, first), name == NULL ? "-" : name);
	(void)snprintf(data, sizeof(data), "'days'=%lld;;;0 'endpoints'=%zu;;;0",
		       first == 0 ? 0 : (long long)(first - (int64_t)time(NULL)) / 86400, count);
	print_nagios(state,
		     (state == NAGIOS_WARNING || state == NAGIOS_CRITICAL) && !runs_out(result, state)
			     ? nagios_reason(result, problem)
			     : sentence,
		     data);
	return state;
}

const struct command command_expiry = {
	.name = "expiry",
	.id = COMMAND_EXPIRY,
	.operand = NULL,
	.summary = N_("show what runs out when"),
	.run = certdeploy_expiry,
	.print = print,
	.status = status,
};
