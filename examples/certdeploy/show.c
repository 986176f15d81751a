/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* show.c - one past transaction */
#include "tool.h"

static void print(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_transaction_report *past = certdeploy_result_history(result, 0);

	if (past == NULL)
		return;
	print_history(tool, result);
	if (certdeploy_result_file(result, 0) != NULL) {
		print_changed_files(tool, result);
		return;
	}
	for (size_t i = 0; past->files != NULL && past->files[i] != NULL; i++)
		put_line(stdout, "  %s\n", past->files[i]);
}

const struct command command_show = {
	.name = "show",
	.id = COMMAND_SHOW,
	.operand = "[ID]",
	.summary = N_("show one past transaction: its files and backups"),
	.run = certdeploy_show,
	.print = print,
	.without_settings = true,
};
