/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history.c - past transactions */
#include "tool.h"

static void add_list(struct table *table, const char *const *words)
{
	char joined[512] = "";
	size_t used = 0;

	for (size_t i = 0; words != NULL && words[i] != NULL && used < sizeof(joined); i++)
		used += (size_t)snprintf(joined + used, sizeof(joined) - used, "%s%s", i == 0 ? "" : ", ",
					 words[i]);
	table_add(table, "%s", joined[0] == '\0' ? "-" : joined);
}

void print_history(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_transaction_report *past;
	struct table table;
	char when[32];

	if (certdeploy_result_history(result, 0) == NULL) {
		if (certdeploy_result_code(result) == 0)
			put_line(stdout, "%s\n", _("No transactions."));
		return;
	}
	table_begin(&table, 7);
	table.headed = true;
	table_add(&table, "%s", _("TRANSACTION"));
	table_add(&table, "%s", _("TIME"));
	table_add(&table, "%s", _("COMMAND"));
	table_add(&table, "%s", _("RESULT"));
	table_add(&table, "%s", _("SERVICES"));
	table_add(&table, "%s", _("BY"));
	table_add(&table, "%s", _("CERTIFICATES"));
	for (size_t i = 0; (past = certdeploy_result_history(result, i)) != NULL; i++) {
		table_add(&table, "%s", past->id);
		table_add(&table, "%s", show_time(when, past->time));
		table_add(&table, "%s", past->command == NULL ? "-" : past->command);
		table_add(&table, "%s", localized_word(past->result));
		add_list(&table, past->services);
		table_add(&table, "%s", past->who == NULL ? "-" : past->who);
		add_list(&table, past->certificates);
	}
	table_print(&table, tool);
	table_free(&table);
}

const struct command command_history = {
	.name = "history",
	.id = COMMAND_HISTORY,
	.operand = NULL,
	.summary = N_("list past transactions, the newest first"),
	.run = certdeploy_history,
	.print = print_history,
	.without_settings = true,
};
