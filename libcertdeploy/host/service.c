/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service.c - a server program under control: does it run, test, reload, restart, start
 *
 * The exit status of a reload tells nothing good: every server here returns 0 and dies of its new
 * configuration a moment later. So each command is followed by a look at the process.
 */
#include "host/service.h"

#include "base/process.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_SECONDS 60
#define SETTLE_MS 2000 /* a restarting server is without its process for a moment */
#define END_MS 10000   /* one that is started again by somebody else never seems to end */
#define STEP_MS 20
#define OUTPUT_LIMIT ((size_t)65536)
#define STATUS_ROOM 4096 /* of /proc/PID/status, which has some 1,500 bytes */

static void rest(void)
{
	const struct timespec step = {0, STEP_MS * 1000000L};

	(void)nanosleep(&step, NULL);
}

unsigned cd_control_seconds(const struct cd_control *control)
{
	return control->timeout == 0 ? DEFAULT_SECONDS : control->timeout;
}

/* ---- does it run ---- */

/* The number in the pid file; 0: there is none; -1: cannot be read. */
static long read_pid(const struct cd_root *root, const char *path)
{
	char *bytes, *end;
	size_t length;
	int error = cd_read_file(&bytes, &length, NULL, root, path, 4096);
	long pid;

	if (error == ENOENT || error == ENOTDIR)
		return 0;
	if (error != 0)
		return -1;
	errno = 0;
	pid = strtol(bytes, &end, 10);
	if (errno != 0 || end == bytes || pid <= 0 || pid > INT_MAX)
		pid = 0;
	free(bytes);
	return pid;
}

/* State and name out of "PID (NAME) STATE …"; the name may hold anything. */
static bool parse_stat(char *text, const char **name, char *state)
{
	char *open = strchr(text, '('), *close = strrchr(text, ')');

	if (open == NULL || close == NULL || close < open || close[1] != ' ' || close[2] == '\0')
		return false;
	*close = '\0';
	*name = open + 1;
	*state = close[2];
	return true;
}

/* One of these names; the kernel keeps 15 bytes of some. */
static bool is_one_of(const char *const *programs, const char *name, size_t kept)
{
	for (size_t i = 0; programs != NULL && programs[i] != NULL; i++)
		if (strncmp(programs[i], name, kept) == 0)
			return true;
	return false;
}

static ssize_t read_of_process(long pid, const char *what, char *text, size_t size)
{
	char path[64];
	ssize_t length;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%ld/%s", pid, what);
	fd = cd_above_standard(open(path, O_RDONLY | O_CLOEXEC));
	length = fd == -1 ? -1 : read(fd, text, size - 1);
	if (fd != -1)
		(void)close(fd);
	text[length < 0 ? 0 : length] = '\0';
	return length;
}

/*
 * A process may call itself as it likes (mod_perl makes httpd's name its path): then its program counts,
 * and where that is not ours to see, its first argument.
 */
static bool runs_one_of(const char *const *programs, long pid)
{
	static const char deleted[] = " (deleted)"; /* what the kernel says of an upgraded program */
	char link[64], path[PATH_MAX];
	ssize_t length;
	const char *slash;

	(void)snprintf(link, sizeof(link), "/proc/%ld/exe", pid);
	length = readlink(link, path, sizeof(path) - 1);
	if (length > 0)
		path[length] = '\0';
	else
		length = read_of_process(pid, "cmdline", path, sizeof(path));
	if (length <= 0)
		return false;
	length = (ssize_t)strlen(path);
	if ((size_t)length > sizeof(deleted) &&
	    strcmp(path + (size_t)length - (sizeof(deleted) - 1), deleted) == 0)
		path[(size_t)length - (sizeof(deleted) - 1)] = '\0';
	slash = strrchr(path, '/');
	return is_one_of(programs, slash == NULL ? path : slash + 1, sizeof(path));
}

static int look_at_process(long pid, const char *const *programs)
{
	char text[512], state;
	const char *name;

	if (read_of_process(pid, "stat", text, sizeof(text)) <= 0) /* /proc may hide it from us */
		return kill((pid_t)pid, 0) == 0 || errno == EPERM ? -1 : 0;
	if (!parse_stat(text, &name, &state))
		return -1;
	if (state == 'Z' || state == 'X' || state == 'x')
		return 0;
	return programs == NULL || programs[0] == NULL || is_one_of(programs, name, 15) ||
	       runs_one_of(programs, pid);
}

static int run(struct cd_run *out, const struct cd_control *control, const char *const *argv)
{
	*out = (struct cd_run){
		.argv = argv,
		.environment = control->environment,
		.seconds = cd_control_seconds(control),
		.output_limit = OUTPUT_LIMIT,
	};
	return cd_run(out);
}

int cd_control_running(const struct cd_control *control, const struct cd_root *root)
{
	struct cd_run status;
	int answer = -1;
	long pid;

	if (control->status != NULL && root->live) {
		if (run(&status, control, control->status) == 0 && !status.timed_out && status.status >= 0)
			answer = status.status == 0 ? 1 : 0;
		cd_run_free(&status);
		return answer;
	}
	if (control->pid_file == NULL || !root->live)
		return -1;
	pid = read_pid(root, control->pid_file);
	return pid <= 0 ? (int)pid : look_at_process(pid, control->programs);
}

void cd_control_account(struct cd_account *account, const struct cd_control *control,
			const struct cd_root *root)
{
	long pid = control->pid_file == NULL || !root->live ? 0 : read_pid(root, control->pid_file);
	char status[STATUS_ROOM];

	if (pid <= 0 || read_of_process(pid, "status", status, sizeof(status)) <= 0)
		status[0] = '\0';
	cd_account_parse(account, status);
}

static bool comes_up(const struct cd_control *control, const struct cd_root *root, int64_t milliseconds)
{
	int running = cd_control_running(control, root);

	for (int64_t waited = 0; running == 0 && waited < milliseconds; waited += STEP_MS) {
		rest();
		running = cd_control_running(control, root);
	}
	return running != 0;
}

/* ---- commands ---- */

/* A program without a terminal may speak to its log alone, as postfix does. */
static int ended_badly(const struct cd_run *done, struct cd_problems *problems, const char *program,
		       const char *code)
{
	const char *said = cd_run_said(&problems->arena, done);

	if (done->status == -1)
		return cd_fail(problems, CERTDEPLOY_EFAILED, code, NULL, 0,
			       _("the exit status of %s was lost: %s"), program, said == NULL ? "" : said);
	if (said == NULL || *said == '\0')
		return cd_fail(problems, CERTDEPLOY_EFAILED, code, NULL, 0,
			       _("%s ended with status %d and said nothing; look into the server's log"),
			       program, done->status);
	return cd_fail(problems, CERTDEPLOY_EFAILED, code, NULL, 0, _("%s ended with status %d: %s"),
		       program, done->status, said);
}

/* Run one command for its effect; what failed becomes a problem of this code. */
static int command(const struct cd_control *control, struct cd_problems *problems, const char *const *argv,
		   const char *code)
{
	const char *before = problems->service;
	struct cd_run done;
	int result = run(&done, control, argv);

	problems->service = cd_arena_string(&problems->arena, control->name);
	if (result == CERTDEPLOY_ENOMEM)
		result = cd_fail_memory(problems);
	else if (result != 0)
		result = cd_fail(problems, CERTDEPLOY_EFAILED, code, NULL, 0, _("cannot run %s"), argv[0]);
	else if (done.timed_out)
		result = cd_fail(problems, CERTDEPLOY_EFAILED, code, NULL, 0,
				 _("%s did not end within %u seconds and was ended"), argv[0],
				 cd_control_seconds(control));
	else if (done.status != 0)
		result = ended_badly(&done, problems, argv[0], code);
	cd_run_free(&done);
	problems->service = before;
	return result;
}

static int died(const struct cd_control *control, struct cd_problems *problems, const char *after)
{
	const char *before = problems->service;
	int result;

	problems->service = cd_arena_string(&problems->arena, control->name);
	result = cd_fail(problems, CERTDEPLOY_EFAILED, "reload-failed", NULL, 0,
			 _("the server does not run after its %s"), after);
	problems->service = before;
	return result;
}

int cd_control_test(const struct cd_control *control, struct cd_problems *problems)
{
	return control->test == NULL ? 0 : command(control, problems, control->test, "test-failed");
}

int cd_control_activate(const struct cd_control *control, struct cd_problems *problems,
			const struct cd_root *root, bool restart)
{
	const char *const *argv = restart || control->reload == NULL ? control->restart : control->reload;
	int result;

	if (argv == NULL)
		return restart ? cd_control_cycle(control, problems, root) : 0;
	result = command(control, problems, argv, "reload-failed");
	if (result == 0 && !comes_up(control, root, SETTLE_MS))
		result = died(control, problems, argv == control->restart ? _("restart") : _("reload"));
	return result;
}

static int start(const struct cd_control *control, struct cd_problems *problems, const struct cd_root *root)
{
	const char *const *argv = control->start != NULL     ? control->start
				  : control->restart != NULL ? control->restart
							     : control->reload;
	int result = argv == NULL ? 0 : command(control, problems, argv, "reload-failed");

	/* A server that says it failed may run all the same ("already running"). */
	if (comes_up(control, root,
		     result == 0 ? (int64_t)cd_control_seconds(control) * 1000 : SETTLE_MS) &&
	    (result == 0 || cd_control_running(control, root) == 1))
		return 0;
	return result != 0 ? result : died(control, problems, _("start"));
}

/* Dovecot's command to stop returns before the server has ended, and a start would find it running. */
static void await_end(const struct cd_control *control, const struct cd_root *root)
{
	int64_t end = cd_now_ms() + END_MS;

	while (cd_control_running(control, root) == 1 && cd_now_ms() < end)
		rest();
}

int cd_control_cycle(const struct cd_control *control, struct cd_problems *problems,
		     const struct cd_root *root)
{
	struct cd_problems ignored = {0};
	struct cd_run stop = {0};
	int result = CERTDEPLOY_EFAILED;

	/* A start alone would leave a running server with what it has read. */
	if (control->stop == NULL && control->restart != NULL && cd_control_running(control, root) != 0)
		result = command(control, &ignored, control->restart, "reload-failed");
	cd_problems_free(&ignored);
	if (result == 0 && comes_up(control, root, (int64_t)cd_control_seconds(control) * 1000))
		return 0;
	/* Whether there was something to stop shows when it starts. */
	if (control->stop != NULL) {
		(void)run(&stop, control, control->stop);
		await_end(control, root);
	}
	cd_run_free(&stop);
	return start(control, problems, root);
}

int cd_control_revive(const struct cd_control *control, struct cd_problems *problems,
		      const struct cd_root *root)
{
	struct cd_problems ignored = {0};
	int result = CERTDEPLOY_EFAILED;

	if (cd_control_running(control, root) != 0)
		result = cd_control_activate(control, &ignored, root, false);
	cd_problems_free(&ignored);
	return result == 0 ? 0 : cd_control_cycle(control, problems, root);
}
