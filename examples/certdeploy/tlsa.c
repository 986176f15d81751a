/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tlsa.c - the DANE records of a certificate */
#include "tool.h"

static void print(const struct tool *tool, const struct certdeploy_result *result)
{
	print_outputs(tool, result, false);
}

const struct command command_tlsa = {
	.name = "tlsa",
	.id = COMMAND_TLSA,
	.operand = "[NAME]",
	.summary = N_("print the DANE records (TLSA) of a certificate"),
	.run = certdeploy_tlsa,
	.print = print,
};
