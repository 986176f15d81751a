/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rollback.c - put back what a transaction changed */
#include "tool.h"

const struct command command_rollback = {
	.name = "rollback",
	.id = COMMAND_ROLLBACK,
	.operand = "[ID]",
	.summary = N_("put back what a transaction (default: the last) changed"),
	.run = certdeploy_rollback,
	.print = print_outcome,
	.without_settings = true,
};
