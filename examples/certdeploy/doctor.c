/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doctor.c - why a certificate is not served, and what to do */
#include "tool.h"

static void print(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_problem *problem;

	(void)tool;
	for (size_t i = 0; (problem = certdeploy_result_problem(result, i)) != NULL; i++)
		if (problem->severity != CERTDEPLOY_NOTICE)
			return;
	put_line(stdout, "%s\n", _("Nothing is wrong."));
}

static int status(const struct tool *tool, const struct certdeploy_result *result,
		  const struct certdeploy_problem *problem, int status_of_library)
{
	int state = result == NULL ? NAGIOS_UNKNOWN : nagios_state(result);

	(void)tool;
	if (state == NAGIOS_OK && status_of_library != 0)
		state = NAGIOS_UNKNOWN;
	print_nagios(state, state == NAGIOS_OK ? _("Nothing is wrong.") : nagios_reason(result, problem),
		     NULL);
	return state;
}

const struct command command_doctor = {
	.name = "doctor",
	.id = COMMAND_DOCTOR,
	.operand = "[HOST]",
	.summary = N_("find out why a certificate is not served"),
	.run = certdeploy_doctor,
	.print = print,
	.status = status,
};
