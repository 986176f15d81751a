/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* newrequest.c - make a key and a certificate signing request */
#include "tool.h"

static void print(const struct tool *tool, const struct certdeploy_result *result)
{
	/* The key is in the store, or in the file asked for. */
	print_outputs(tool, result, false);
}

const struct command command_request = {
	.name = "request",
	.id = COMMAND_REQUEST,
	.operand = NULL,
	.summary = N_("make a private key and a certificate request"),
	.run = certdeploy_csr,
	.print = print,
};
