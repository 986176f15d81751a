/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan.c - what deploy would do */
#include "tool.h"

static void print(const struct tool *tool, const struct certdeploy_result *result)
{
	print_diff(tool, certdeploy_result_diff(result));
	print_outcome(tool, result);
}

const struct command command_plan = {
	.name = "plan",
	.id = COMMAND_PLAN,
	.operand = NULL,
	.summary = N_("show the changes that deploy would make, as a diff; make none"),
	.run = certdeploy_plan,
	.print = print,
};
