/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* prune.c - remove old backups */
#include "tool.h"

static void print(const struct tool *tool, const struct certdeploy_result *result)
{
	if (certdeploy_result_history(result, 0) != NULL)
		print_history(tool, result);
	else if (certdeploy_result_code(result) == 0)
		put_line(stdout, "%s\n",
			 certdeploy_result_changed(result) ? _("Old backups were removed.")
							   : _("Nothing to do."));
}

const struct command command_prune = {
	.name = "prune",
	.id = COMMAND_PRUNE,
	.operand = NULL,
	.summary = N_("remove old backups"),
	.run = certdeploy_prune,
	.print = print,
};
