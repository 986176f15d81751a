/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verify.c - store, configuration and ports compared */
#include "tool.h"

const struct command command_verify = {
	.name = "verify",
	.id = COMMAND_VERIFY,
	.operand = NULL,
	.summary = N_("compare what is stored, configured and served"),
	.run = certdeploy_verify,
	.print = print_endpoint_table,
};
