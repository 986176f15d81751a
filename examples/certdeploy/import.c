/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* import.c - put a certificate with its key into the store */
#include "tool.h"

static void print(const struct tool *tool, const struct certdeploy_result *result)
{
	print_changed_files(tool, result);
}

const struct command command_import = {
	.name = "import",
	.id = COMMAND_IMPORT,
	.operand = NULL,
	.summary = N_("put a certificate with its key into the store"),
	.run = certdeploy_import,
	.print = print,
};
