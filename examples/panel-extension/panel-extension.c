/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * panel-extension.c - a hosting panel's "SSL certificates" page, on libcertdeploy alone
 *
 *	panel-extension ROOT show                       certificates of this host, and where they stand
 *	panel-extension ROOT preview HOST < upload.pem  the diff that an uploaded certificate would make
 *	panel-extension ROOT deploy HOST < upload.pem   put it into service
 *	panel-extension ROOT undo                       the way back
 *
 * ROOT is "/" for the host itself. The upload holds certificate, key and chain in any order. Build it
 * with: cc panel-extension.c $(pkg-config --cflags --libs certdeploy)
 */
#define _POSIX_C_SOURCE 200809L
#include <certdeploy.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define UPLOAD_LIMIT 65536

typedef int operation_fn(struct certdeploy_result **out, struct certdeploy *cd,
			 const struct certdeploy_request *request);

/* Called between the steps; a panel would move its progress bar, and return 1 to cancel. */
static int on_progress(void *user, const char *what, size_t done, size_t total)
{
	(void)user;
	(void)fprintf(stderr, "%s %zu/%zu\n", what, done, total);
	return 0;
}

/* "2027-02-01", or "-" where it is not known. */
static const char *day(char room[16], int64_t seconds)
{
	time_t time = (time_t)seconds;
	struct tm parts;

	if (seconds == 0 || gmtime_r(&time, &parts) == NULL || strftime(room, 16, "%F", &parts) == 0)
		return "-";
	return room;
}

static void show_services(const struct certdeploy_result *result)
{
	const struct certdeploy_service_report *service;
	char until[16];

	for (size_t i = 0; (service = certdeploy_result_service(result, i)) != NULL; i++) {
		(void)printf("%s: %s\n", service->name, service->state);
		for (size_t j = 0; service->endpoints[j] != NULL; j++) {
			const struct certdeploy_endpoint_report *endpoint = service->endpoints[j];

			(void)printf("  %s %s until %s %s:%zu %s\n", endpoint->listen,
				     endpoint->name == NULL ? "(default)" : endpoint->name,
				     day(until, endpoint->not_after),
				     endpoint->file == NULL ? "-" : endpoint->file, endpoint->line,
				     endpoint->verified ? "verified" : "");
		}
	}
}

static void show_problems(const struct certdeploy_result *result)
{
	const struct certdeploy_problem *problem;

	for (size_t i = 0; (problem = certdeploy_result_problem(result, i)) != NULL; i++) {
		(void)fprintf(stderr, "[%s] %s\n", problem->code, problem->message);
		if (problem->fix != NULL)
			(void)fprintf(stderr, "  %s\n", problem->fix);
	}
}

/* One click on the page. Returns the operation's code. */
static int act(struct certdeploy *cd, operation_fn *operation, const char *host)
{
	static char upload[UPLOAD_LIMIT];
	struct certdeploy_request *request = NULL;
	struct certdeploy_result *result = NULL;
	int code = certdeploy_request_new(&request, cd);

	if (code == 0 && host != NULL) {
		size_t length = fread(upload, 1, sizeof(upload), stdin);

		code = certdeploy_request_add_memory(request, CERTDEPLOY_MATERIAL_ANY, upload, length,
						     "the upload");
		memset(upload, 0, sizeof(upload));
		if (code == 0)
			code = certdeploy_request_add(request, CERTDEPLOY_HOSTNAME, host);
	}
	if (code == 0)
		code = operation(&result, cd, request);
	if (result != NULL) {
		(void)fputs(certdeploy_result_diff(result), stdout);
		show_services(result);
		show_problems(result);
	}
	certdeploy_result_free(result);
	certdeploy_request_free(request);
	return code;
}

int main(int argc, char **argv)
{
	struct certdeploy_options options = CERTDEPLOY_OPTIONS_INIT;
	struct certdeploy *cd = NULL;
	const char *what = argc > 2 ? argv[2] : "";
	int code = CERTDEPLOY_EUSAGE;

	options.root = argc > 1 && strcmp(argv[1], "/") != 0 ? argv[1] : NULL;
	options.progress = on_progress;
	if (certdeploy_new(&cd, &options) != 0)
		(void)fprintf(stderr, "%s\n", cd == NULL ? "out of memory" : certdeploy_error(cd)->message);
	else if (argc == 3 && strcmp(what, "show") == 0)
		code = act(cd, certdeploy_list, NULL);
	else if (argc == 4 && strcmp(what, "preview") == 0)
		code = act(cd, certdeploy_plan, argv[3]);
	else if (argc == 4 && strcmp(what, "deploy") == 0)
		code = act(cd, certdeploy_deploy, argv[3]);
	else if (argc == 3 && strcmp(what, "undo") == 0)
		code = act(cd, certdeploy_rollback, NULL);
	else
		(void)fputs("usage: panel-extension ROOT show|preview HOST|deploy HOST|undo\n", stderr);
	certdeploy_free(cd);
	return code == 0 ? 0 : 1;
}
