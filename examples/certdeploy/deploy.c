/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* deploy.c - put a certificate into service */
#include "tool.h"

const struct command command_deploy = {
	.name = "deploy",
	.id = COMMAND_DEPLOY,
	.operand = NULL,
	.summary = N_("put a certificate into service, proven, or change nothing"),
	.run = certdeploy_deploy,
	.print = print_outcome,
};
