/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process.c - the only place that starts programs */
#include "base/process.h"

#include "base/vector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS 10
#define GRACE_MS 2000

static const char *const search_path[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin",
					  "/sbin",           "/bin",           NULL};

static const char *const constant_environment[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"LANG=C",
	"LC_ALL=C",
	"HOME=/",
	"TERM=dumb",
	NULL,
};

void cd_run_free(struct cd_run *run)
{
	cd_buffer_free(&run->output);
	cd_buffer_free(&run->errors);
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The program's path; NULL when there is none. out has room for size bytes. */
static const char *find_program(const char *name, char *out, size_t size)
{
	if (strchr(name, '/') != NULL)
		return access(name, X_OK) == 0 ? name : NULL;
	for (size_t i = 0; search_path[i] != NULL; i++) {
		int length = snprintf(out, size, "%s/%s", search_path[i], name);

		if (length > 0 && (size_t)length < size && access(out, X_OK) == 0)
			return out;
	}
	return NULL;
}

static int collect_environment(struct cd_vector *all, const char *const *more)
{
	for (size_t i = 0; constant_environment[i] != NULL; i++)
		if (cd_vector_add(all, constant_environment[i]) != 0)
			return CERTDEPLOY_ENOMEM;
	for (; more != NULL && *more != NULL; more++)
		if (cd_vector_add(all, *more) != 0)
			return CERTDEPLOY_ENOMEM;
	return 0;
}

/* Pipes whose ends are never one of the standard descriptors, so that dup2() cannot collide. */
static int make_pipe(int ends[2])
{
	int raw[2];

	if (pipe2(raw, O_CLOEXEC) == -1)
		return -1;
	for (int i = 0; i < 2; i++) {
		ends[i] = raw[i] > 2 ? raw[i] : fcntl(raw[i], F_DUPFD_CLOEXEC, 3);
		if (raw[i] <= 2)
			(void)close(raw[i]);
	}
	if (ends[0] != -1 && ends[1] != -1)
		return 0;
	if (ends[0] != -1)
		(void)close(ends[0]);
	if (ends[1] != -1)
		(void)close(ends[1]);
	return -1;
}

static int spawn(pid_t *pid, const char *program, const struct cd_run *run, int output, int errors)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	struct cd_vector environment = {0};
	sigset_t all, none;
	int error = collect_environment(&environment, run->environment) == 0 ? 0 : ENOMEM;

	if (error != 0)
		goto out;
	error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		goto out;
	error = posix_spawnattr_init(&attributes);
	if (error != 0)
		goto no_attributes;
	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
							      POSIX_SPAWN_SETSIGMASK);
	if (error == 0)
		error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, output, 1);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, errors, 2);
#ifdef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCLOSEFROM_NP
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
#endif
	if (error == 0)
		error = posix_spawn_file_actions_addchdir_np(&actions, "/");
	if (error == 0)
		error = posix_spawn(pid, program, &actions, &attributes, (char *const *)(uintptr_t)run->argv,
				    (char *const *)environment.items);
	(void)posix_spawnattr_destroy(&attributes);
no_attributes:
	(void)posix_spawn_file_actions_destroy(&actions);
out:
	cd_vector_free(&environment);
	return error;
}

/* Take what is there. Returns false at the end of the stream. */
static bool drain(int fd, struct cd_buffer *buffer, size_t limit)
{
	char bytes[4096];

	for (;;) {
		ssize_t got = read(fd, bytes, sizeof(bytes));
		size_t room = buffer->length < limit ? limit - buffer->length : 0;

		if (got == -1)
			return errno == EAGAIN || errno == EINTR;
		if (got == 0)
			return false;
		cd_buffer_add(buffer, bytes, (size_t)got < room ? (size_t)got : room);
	}
}

static bool is_over(struct cd_run *run, pid_t pid)
{
	int status;
	pid_t ended = waitpid(pid, &status, WNOHANG);

	if (ended == 0 || (ended == -1 && errno == EINTR))
		return false;
	/* Somebody else in this process took the status: it counts as a failure. */
	run->status = ended != pid ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return true;
}

static void wait_for(struct cd_run *run, pid_t pid, int output, int errors)
{
	struct pollfd streams[2] = {{output, POLLIN, 0}, {errors, POLLIN, 0}};
	int64_t end = now_ms() + (int64_t)run->seconds * 1000;
	bool ended = false, terminated = false;

	while (!ended) {
		(void)poll(streams, 2, STEP_MS);
		ended = is_over(run, pid);
		if (streams[0].fd != -1 && !drain(output, &run->output, run->output_limit))
			streams[0].fd = -1;
		if (streams[1].fd != -1 && !drain(errors, &run->errors, run->output_limit))
			streams[1].fd = -1;
		if (ended || now_ms() < end)
			continue;
		run->timed_out = true;
		(void)kill(-pid, terminated ? SIGKILL : SIGTERM);
		end = now_ms() + GRACE_MS;
		terminated = true;
	}
	if (run->timed_out) {
		/* Children that outlived their parent. */
		(void)kill(-pid, SIGKILL);
		run->status = -1;
	}
}

int cd_run(struct cd_run *run)
{
	char found[4096];
	const char *program = find_program(run->argv[0], found, sizeof(found));
	int output[2], errors[2], error;
	pid_t pid = -1;

	run->status = -1;
	if (program == NULL)
		return CERTDEPLOY_ENOTFOUND;
	if (make_pipe(output) == -1)
		return CERTDEPLOY_EFAILED;
	if (make_pipe(errors) == -1) {
		(void)close(output[0]);
		(void)close(output[1]);
		return CERTDEPLOY_EFAILED;
	}
	error = spawn(&pid, program, run, output[1], errors[1]);
	(void)close(output[1]);
	(void)close(errors[1]);
	if (error == 0) {
		(void)fcntl(output[0], F_SETFL, O_NONBLOCK);
		(void)fcntl(errors[0], F_SETFL, O_NONBLOCK);
		wait_for(run, pid, output[0], errors[0]);
	}
	(void)close(output[0]);
	(void)close(errors[0]);
	if (error == ENOMEM || run->output.failed || run->errors.failed)
		return CERTDEPLOY_ENOMEM;
	return error == 0 ? 0 : CERTDEPLOY_EFAILED;
}

const char *const *cd_argv_with(struct cd_arena *arena, const char *const *argv, const char *text)
{
	size_t count = 0;
	const char **copy;

	while (argv[count] != NULL)
		count++;
	copy = cd_arena_array(arena, count + 1, sizeof(*copy));
	for (size_t i = 0; copy != NULL && i < count; i++) {
		const char *mark = strstr(argv[i], "%s");

		if (mark == NULL)
			copy[i] = cd_arena_string(arena, argv[i]);
		else
			copy[i] = cd_arena_format(arena, "%.*s%s%s", (int)(mark - argv[i]), argv[i], text, mark + 2);
		if (copy[i] == NULL)
			return NULL;
	}
	return copy;
}
