/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recover.c - finish or undo what was interrupted */
#include "tool.h"

const struct command command_recover = {
	.name = "recover",
	.id = COMMAND_RECOVER,
	.operand = NULL,
	.summary = N_("finish or undo what an interrupted run left"),
	.run = certdeploy_recover,
	.print = print_outcome,
	.without_settings = true,
};
