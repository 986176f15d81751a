/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* diff.c - what a past transaction changed */
#include "tool.h"

static void print(const struct tool *tool, const struct certdeploy_result *result)
{
	print_diff(tool, certdeploy_result_diff(result));
}

const struct command command_diff = {
	.name = "diff",
	.id = COMMAND_DIFF,
	.operand = "[ID]",
	.summary = N_("show what a past transaction changed, as a diff"),
	.run = certdeploy_diff,
	.print = print,
	.without_settings = true,
};
