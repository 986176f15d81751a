/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* export.c - hand out a certificate with its key */
#include "tool.h"

static void print(const struct tool *tool, const struct certdeploy_result *result)
{
	print_outputs(tool, result, true);
}

const struct command command_export = {
	.name = "export",
	.id = COMMAND_EXPORT,
	.operand = "NAME",
	.summary = N_("hand out a certificate with its key"),
	.run = certdeploy_export,
	.print = print,
};
