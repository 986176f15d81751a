/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - certdeploy from the command line: understand, run one operation, report */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

static int exit_status(int code)
{
	switch (code) {
	case CERTDEPLOY_ECANCELLED:
		return EXIT_INTERRUPTED;
	case CERTDEPLOY_ENOMEM:
	case CERTDEPLOY_ENOTFOUND:
		return -CERTDEPLOY_EFAILED;
	default:
		return -code;
	}
}

/* plan --exit-code: is there anything that deploy would do? */
static bool has_work(const struct certdeploy_result *result)
{
	const struct certdeploy_service_report *service;
	const struct certdeploy_file_report *file;

	for (size_t i = 0; (file = certdeploy_result_file(result, i)) != NULL; i++)
		if (file->change != NULL && strcmp(file->change, "unchanged") != 0)
			return true;
	for (size_t i = 0; (service = certdeploy_result_service(result, i)) != NULL; i++)
		if (service->state != NULL && strcmp(service->state, "planned") == 0)
			return true;
	return false;
}

/* Everything that needs the library: a handle, a request, one operation. */
static int run_operation(struct certdeploy_result **result, struct certdeploy **cd, struct tool *tool)
{
	struct certdeploy_options options = CERTDEPLOY_OPTIONS_INIT;
	struct certdeploy_request *request = NULL;
	int code;

	options.config_file = tool->config_file;
	options.language = spoken_language();
	options.root = tool->root;
	options.progress = show_progress;
	options.log = show_log;
	options.passphrase = give_passphrase;
	options.user = tool;
	code = certdeploy_new(cd, &options);
	/* The way back is open also where the configuration cannot be used. */
	if (code != 0 && *cd != NULL && tool->command->without_settings)
		code = 0;
	if (code == 0)
		code = certdeploy_request_new(&request, *cd);
	if (code == 0)
		code = apply_settings(tool, request);
	if (code == 0 && tool->out_key != NULL)
		code = certdeploy_request_set(request, CERTDEPLOY_NOT_STORED, 1);
	if (code == 0)
		code = check_outputs(tool);
	if (code == 0) {
		catch_interrupts();
		code = tool->command->run(result, *cd, request);
	}
	if (code == 0 && *result != NULL)
		code = write_outputs(tool, *result);
	certdeploy_request_free(request);
	clear_progress();
	return code;
}

static bool tells_error(const struct certdeploy_result *result)
{
	const struct certdeploy_problem *problem;

	for (size_t i = 0; result != NULL && (problem = certdeploy_result_problem(result, i)) != NULL; i++)
		if (problem->severity == CERTDEPLOY_ERROR)
			return true;
	return false;
}

/* The error to show besides the result's own problems, or NULL. */
static const struct certdeploy_problem *lone_problem(struct tool *tool, struct certdeploy *cd,
						     const struct certdeploy_result *result, int code)
{
	const struct certdeploy_problem *problem = NULL;

	if (code == 0 || tells_error(result))
		return NULL;
	if (tool->problem.code != NULL)
		return &tool->problem;
	if (cd != NULL)
		problem = certdeploy_error(cd);
	if (problem == NULL && code == CERTDEPLOY_ENOMEM) {
		tool->problem = (struct certdeploy_problem){.severity = CERTDEPLOY_ERROR,
							    .code = "out-of-memory",
							    .message = _("memory is short")};
		problem = &tool->problem;
	}
	return problem;
}

/* What was asked to be handed out is no message, which -q would leave away. */
static bool hands_out(const struct tool *tool)
{
	return tool->format != FORMAT_TEXT || tool->command->id == COMMAND_EXPORT ||
	       tool->command->id == COMMAND_TLSA || tool->command->id == COMMAND_REQUEST;
}

/* A plan says what would be changed. */
static bool has_changed(const struct tool *tool, const struct certdeploy_result *result)
{
	return result != NULL && certdeploy_result_changed(result) &&
	       (tool->command == NULL || tool->command->id != COMMAND_PLAN);
}

static int report(struct tool *tool, struct certdeploy *cd, const struct certdeploy_result *result,
		  int code)
{
	const struct certdeploy_problem *problem = lone_problem(tool, cd, result, code);
	int status = exit_status(code);

	if (tool->command != NULL && tool->command->status != NULL && tool->format == FORMAT_NAGIOS &&
	    !tool->json)
		return tool->command->status(tool, result, problem, status);
	if (status == 0 && tool->exit_code && result != NULL && has_work(result))
		status = EXIT_TO_DO;
	if (tool->json) {
		(void)print_json(tool, result, problem, status);
	} else {
		if (result != NULL && tool->command != NULL && (tool->verbosity >= 0 || hands_out(tool)))
			tool->command->print(tool, result);
		if (fflush(stdout) == 0 && result != NULL)
			print_problems(tool, result);
		if (problem != NULL)
			print_problem(tool, problem);
	}
	/* The work is done and cannot be told: only where nothing was changed is that a failure. */
	if ((fflush(stdout) != 0 || ferror(stdout) != 0) && status == 0) {
		put_line(stderr, _("certdeploy: cannot write the output\n"));
		if (!has_changed(tool, result))
			status = -CERTDEPLOY_EFAILED;
	}
	return status;
}

static int run_command(struct certdeploy_result **result, struct certdeploy **cd, struct tool *tool)
{
	int code = tool->from_stdin ? read_json_request(tool) : 0;

	if (code == 0 && (tool->batch_file != NULL || tool->batch_directory != NULL))
		code = read_batch(tool);
	if (code == 0 && tool->dry_run)
		tool->command = &command_plan;
	return code == 0 ? run_operation(result, cd, tool) : code;
}

static void show(struct tool *tool)
{
	switch (tool->show) {
	case SHOW_VERSION:
		(void)printf("certdeploy %s\n", certdeploy_version());
		break;
	case SHOW_HELP:
		print_help(tool->command);
		break;
	case SHOW_COMPLETION:
		complete_words(tool, tool->words, tool->word_count);
		break;
	case SHOW_NOTHING:
		break;
	}
}

int main(int argc, char **argv)
{
	struct certdeploy_result *result = NULL;
	struct certdeploy *cd = NULL;
	struct tool tool;
	int code, status;

	prepare_process(&tool);
	code = parse_options(&tool, argc, argv);
	if (code == 0 && tool.show == SHOW_NOTHING)
		code = run_command(&result, &cd, &tool);
	else if (code == 0 && !tool.json)
		show(&tool);
	status = report(&tool, cd, result, code);
	certdeploy_result_free(result);
	certdeploy_free(cd);
	free_settings(&tool);
	return status;
}
