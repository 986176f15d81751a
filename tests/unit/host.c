/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host.c - a small host in a temporary directory, with fake servers, for tests of what writes */
#include "host.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[HOST_SERVICES] = {"one", "two"};

/* A server that is a sleeping process; what it serves is what it read at its last reload. */
static const char control[] =
	"#!/bin/sh\n"
	"cd \"${0%/*}/..\" || exit 9\n"
	"pid=run/$1.pid\n"
	/* Until it is what its name says, it is the shell's copy of itself, and so another program. */
	"begin() { sleep 300 >/dev/null 2>&1 & echo $! >$pid\n"
	"	while kill -0 $! 2>/dev/null && ! grep -q sleep /proc/$!/comm; do :; done\n"
	"	cp etc/$1.conf run/$1.served; }\n"
	"end() { [ -s $pid ] && kill \"$(cat $pid)\" 2>/dev/null; rm -f $pid; }\n"
	"echo \"$2\" >>run/$1.log\n"
	"case $2 in\n"
	"test) ! grep -q SYNTAX etc/$1.conf || { echo \"etc/$1.conf: SYNTAX\" >&2; exit 1; } ;;\n"
	"reload) if [ -e run/hang ]; then sleep 60; fi\n"
	"	if grep -q DIE etc/$1.conf; then kill \"$(cat $pid)\"\n"
	"	elif grep -q LATER etc/$1.conf; then cp etc/$1.conf run/$1.served\n"
	"		{ sleep 0.3; kill \"$(cat $pid)\"; } >/dev/null 2>&1 &\n"
	"	elif grep -q REFUSE etc/$1.conf; then exit 3\n"
	"	elif grep -q HANG etc/$1.conf; then sleep 60\n"
	"	else cp etc/$1.conf run/$1.served; fi ;;\n"
	"restart) end $1; grep -q DIE etc/$1.conf || begin $1 ;;\n"
	"start) grep -q DIE etc/$1.conf || begin $1 ;;\n"
	"stop) end $1 ;;\n"
	"esac\n";

static void fail(const char *what)
{
	perror(what);
	abort();
}

const char *host_path(struct host *host, const char *format, ...)
{
	va_list arguments;
	const char *below, *out;

	va_start(arguments, format);
	below = cd_arena_vformat(&host->texts, format, arguments);
	va_end(arguments);
	out = below == NULL ? NULL : cd_arena_format(&host->texts, "%s/%s", host->path, below);
	if (out == NULL)
		fail("memory");
	return out;
}

static void make_directory(struct host *host, const char *name, mode_t mode)
{
	const char *path = host_path(host, "%s", name);

	if (mkdir(path, mode) != 0 || chmod(path, mode) != 0)
		fail(path);
}

void host_put(struct host *host, const char *name, const char *text)
{
	const char *path = host_path(host, "%s", name);
	FILE *file = fopen(path, "w");

	if (file == NULL || fputs(text, file) == EOF || fclose(file) != 0)
		fail(path);
}

char *host_get(struct host *host, const char *name)
{
	char *bytes;
	size_t length;

	return cd_read_file(&bytes, &length, NULL, &host->root, host_path(host, "%s", name), 1 << 20) == 0
		       ? bytes
		       : NULL;
}

bool host_has(struct host *host, const char *name, const char *text)
{
	char *bytes = host_get(host, name);
	bool same = text == NULL ? bytes == NULL : bytes != NULL && strcmp(bytes, text) == 0;

	free(bytes);
	return same;
}

struct host *host_new(void)
{
	struct host *host = calloc(1, sizeof(*host));

	if (host == NULL)
		fail("memory");
	(void)snprintf(host->path, sizeof(host->path), "/tmp/certdeploy-host.XXXXXX");
	if (mkdtemp(host->path) == NULL || cd_root_open(&host->root, &host->problems, NULL) != 0)
		fail(host->path);
	make_directory(host, "etc", 0755);
	make_directory(host, "run", 0755);
	host_put(host, "run/control", control);
	if (chmod(host_path(host, "run/control"), 0755) != 0)
		fail("chmod");
	return host;
}

static void end_server(struct host *host, unsigned i)
{
	char *pid = host_get(host, i == 0 ? "run/one.pid" : "run/two.pid");

	if (pid != NULL && atoi(pid) > 1)
		(void)kill(atoi(pid), SIGKILL);
	free(pid);
}

void host_free(struct host *host)
{
	char command[128];

	for (unsigned i = 0; i < HOST_SERVICES; i++)
		end_server(host, i);
	(void)snprintf(command, sizeof(command), "rm -rf %s", host->path);
	if (system(command) != 0)
		fail(command);
	cd_changes_free(&host->changes);
	cd_transaction_free(&host->transaction);
	cd_problems_free(&host->problems);
	cd_root_close(&host->root);
	cd_arena_free(&host->texts);
	free(host);
}

static int prove(void *user)
{
	struct host *host = user;

	host->proved++;
	return host->prove_result == 0 ? 0
				       : cd_fail(&host->problems, host->prove_result, "served-other", NULL,
						 0, "not proven");
}

static int prove_old(void *user)
{
	struct host *host = user;

	host->proved_old++;
	return host->prove_old_result;
}

static bool is_read(void *user, const char *path)
{
	const struct host *host = user;

	return host->read_below != NULL && strncmp(path, host->read_below, strlen(host->read_below)) == 0;
}

void host_begin(struct host *host, const char *command)
{
	unsigned services = (unsigned)host->transaction.service_count;

	cd_changes_free(&host->changes);
	host->changes = (struct cd_changes){0};
	cd_transaction_free(&host->transaction);
	cd_problems_free(&host->problems);
	host->problems = (struct cd_problems){0};
	host->transaction = (struct cd_transaction){
		.root = &host->root,
		.problems = &host->problems,
		.state_directory = host_path(host, "var/state"),
		.changes = &host->changes,
		.services = host->services,
		.service_count = services,
		.command = command,
		.test = true,
		.reload = true,
		.keep = 10,
		.wait = 1,
		.watch = 200,
		.is_read = is_read,
		.prove = prove,
		.prove_old = prove_old,
		.user = host,
	};
}

void host_change(struct host *host, enum cd_change_kind kind, const char *name, const char *text,
		 const char *service, bool secret)
{
	struct cd_change change = {.kind = kind,
				   .path = host_path(host, "%s", name),
				   .owner = (uid_t)-1,
				   .group = (gid_t)-1,
				   .secret = secret,
				   .service = service};

	if (kind == CD_CHANGE_FILE) {
		change.bytes = text;
		change.length = strlen(text);
	} else {
		change.target = text;
	}
	if (cd_changes_add(&host->changes, &host->problems, &change) != 0)
		fail("cd_changes_add");
}

void host_file(struct host *host, const char *name, const char *text, const char *service)
{
	host_change(host, CD_CHANGE_FILE, name, text, service, false);
}

int host_run(struct host *host)
{
	return cd_transaction_run(&host->transaction);
}

void host_service(struct host *host, unsigned i)
{
	static const char *const verbs[] = {"test", "reload", "restart", "start", "stop"};
	static const char *const programs[] = {"sleep", NULL};
	struct cd_control *to = &host->services[i].control;
	const char *program = host_path(host, "run/control");

	for (size_t verb = 0; verb < 5; verb++) {
		const char **argv = host->argv[i][verb];

		argv[0] = program;
		argv[1] = names[i];
		argv[2] = verbs[verb];
		argv[3] = NULL;
	}
	*to = (struct cd_control){
		.name = names[i],
		.adapter = "fake",
		.test = host->argv[i][0],
		.reload = host->argv[i][1],
		.restart = host->argv[i][2],
		.start = host->argv[i][3],
		.stop = host->argv[i][4],
		.pid_file = host_path(host, "run/%s.pid", names[i]),
		.programs = programs,
		.timeout = 5,
	};
	if (host->transaction.service_count < i + 1)
		host->transaction.service_count = i + 1;
}

void host_start(struct host *host, unsigned i)
{
	char command[256];

	(void)snprintf(command, sizeof(command), "%s/run/control %s start", host->path, names[i]);
	if (system(command) != 0)
		fail(command);
}

bool host_runs(struct host *host, unsigned i)
{
	return cd_control_running(&host->services[i].control, &host->root) == 1;
}

bool host_serves(struct host *host, unsigned i, const char *text)
{
	return host_has(host, i == 0 ? "run/one.served" : "run/two.served", text);
}

const char *host_error(const struct host *host)
{
	const char *code = "";

	for (size_t i = 0; i < host->problems.list.count; i++) {
		const struct certdeploy_problem *problem = host->problems.list.items[i];

		if (problem->severity == CERTDEPLOY_ERROR)
			code = problem->code;
	}
	return code;
}

size_t host_history(struct host *host)
{
	struct cd_vector list = {0};
	size_t count;

	if (cd_history_list(&list, &host->problems, &host->root, host_path(host, "var/state")) != 0)
		fail("history");
	count = list.count;
	cd_vector_free(&list);
	return count;
}

struct host *host_ready(unsigned services, unsigned running)
{
	struct host *host = host_new();

	host_put(host, "etc/one.conf", "old one\n");
	host_put(host, "etc/two.conf", "old two\n");
	for (unsigned i = 0; i < services; i++)
		host_service(host, i);
	for (unsigned i = 0; i < running; i++)
		host_start(host, i);
	host_begin(host, "deploy");
	return host;
}

int host_tear_down(void **state)
{
	host_free(*state);
	return 0;
}
