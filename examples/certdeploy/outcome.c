/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* outcome.c - what plan, deploy, rollback and recover would do, or did, for people */
#include "tool.h"

#include <string.h>

/* Words of the library that a person reads; in JSON they stay as they are. */
static const char *const words[] = {
	N_("none"),     N_("reload"),    N_("restart"),     N_("start"),    N_("unchanged"),
	N_("planned"),  N_("changed"),   N_("reloaded"),    N_("verified"), N_("rolled-back"),
	N_("failed"),   N_("edited"),    N_("created"),     N_("replaced"), N_("removed"),
	N_("restored"), N_("committed"), N_("interrupted"), N_("broken"),   N_("good"),
	N_("warning"),  N_("critical"),  N_("expired"),     N_("unknown"),
};

const char *localized_word(const char *word)
{
	if (word == NULL)
		return "-";
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i], word) == 0)
			return _(words[i]);
	return word;
}

static enum style state_style(const char *state)
{
	if (state == NULL)
		return STYLE_PLAIN;
	if (strcmp(state, "verified") == 0 || strcmp(state, "reloaded") == 0)
		return STYLE_GOOD;
	if (strcmp(state, "failed") == 0 || strcmp(state, "rolled-back") == 0)
		return STYLE_BAD;
	return STYLE_PLAIN;
}

static void print_endpoints(const struct tool *tool, const struct certdeploy_service_report *service)
{
	struct table table;
	bool any = false;

	table_begin(&table, 4);
	for (size_t i = 0; service->endpoints != NULL && service->endpoints[i] != NULL; i++) {
		const struct certdeploy_endpoint_report *endpoint = service->endpoints[i];

		if (!endpoint->targeted)
			continue;
		any = true;
		table_add(&table, "  %s", endpoint->protocol == NULL ? "-" : endpoint->protocol);
		table_add(&table, "%s", endpoint->listen == NULL ? "-" : endpoint->listen);
		table_add(&table, "%s", endpoint->name == NULL ? _("(default)") : endpoint->name);
		table_add(&table, "%s", endpoint->verified ? _("verified") : "");
	}
	if (any)
		table_print(&table, tool);
	table_free(&table);
}

static void print_services(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_service_report *service;

	for (size_t i = 0; (service = certdeploy_result_service(result, i)) != NULL; i++) {
		bool acts = service->action != NULL && strcmp(service->action, "none") != 0;

		(void)fputs(styled(tool->color_out, STYLE_BOLD), stdout);
		put_safe(stdout, service->name);
		(void)fputs(styled(tool->color_out, STYLE_PLAIN), stdout);
		(void)fprintf(stdout, ": %s%s%s", styled(tool->color_out, state_style(service->state)),
			      localized_word(service->state),
			      state_style(service->state) == STYLE_PLAIN
				      ? ""
				      : styled(tool->color_out, STYLE_PLAIN));
		if (acts)
			put_line(stdout, " (%s)", localized_word(service->action));
		if (service->running == 0)
			put_line(stdout, ", %s", _("not running"));
		(void)fputc('\n', stdout);
		print_endpoints(tool, service);
	}
}

void print_changed_files(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_file_report *file;
	struct table table;
	bool any = false;

	table_begin(&table, 2);
	for (size_t i = 0; (file = certdeploy_result_file(result, i)) != NULL; i++) {
		if (file->change == NULL || strcmp(file->change, "unchanged") == 0)
			continue;
		any = true;
		table_add(&table, "  %s", localized_word(file->change));
		table_add(&table, "%s", file->path);
		if (file->backup != NULL) {
			table_add(&table, "    %s", _("backup"));
			table_add(&table, "%s", file->backup);
		}
	}
	if (any) {
		put_line(stdout, "%s\n", _("Files:"));
		table_print(&table, tool);
	}
	table_free(&table);
}

static bool is_put_back(const struct certdeploy_service_report *service)
{
	return service->state != NULL &&
	       (strcmp(service->state, "rolled-back") == 0 || strcmp(service->state, "failed") == 0);
}

static void print_transaction(const char *id, bool stands)
{
	if (stands)
		put_line(stdout, _("Transaction %s. To undo it: certdeploy rollback %s\n"), id, id);
	else
		put_line(stdout, _("Transaction %s\n"), id);
}

/* One for all, or with --keep-going one a service: each is undone by its own id. */
static void print_transactions(const struct certdeploy_result *result)
{
	const char *last = certdeploy_result_transaction(result);
	const struct certdeploy_service_report *service;

	for (size_t i = 0; (service = certdeploy_result_service(result, i)) != NULL; i++) {
		if (service->transaction == NULL || last == NULL || strcmp(service->transaction, last) == 0)
			continue;
		print_transaction(service->transaction, !is_put_back(service));
	}
	if (last != NULL)
		print_transaction(last, certdeploy_result_changed(result));
}

void print_outcome(const struct tool *tool, const struct certdeploy_result *result)
{
	print_changed_files(tool, result);
	print_services(tool, result);
	print_transactions(result);
	if (certdeploy_result_transaction(result) == NULL && certdeploy_result_code(result) == 0 &&
	    certdeploy_result_file(result, 0) == NULL)
		put_line(stdout, "%s\n", _("Nothing to do."));
}
