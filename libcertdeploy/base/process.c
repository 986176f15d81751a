/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process.c - the only place that starts programs */
#include "base/process.h"

#include "base/text.h"
#include "base/vector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS 2000
#define FIRST_FREE 3
#define SHOWN ((size_t)1024)
#define PIPE_MOST ((size_t)1 << 20) /* bytes: /proc/sys/fs/pipe-max-size */

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

const char *cd_run_said(struct cd_arena *arena, const struct cd_run *run)
{
	const struct cd_buffer *said = run->errors.length != 0 ? &run->errors : &run->output;
	const char *bytes = cd_buffer_text(said);
	size_t length = said->length, start, lines = 0;

	while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
		length--;
	for (start = length; start > 0 && length - start < SHOWN; start--)
		if (bytes[start - 1] == '\n' && ++lines == 5)
			break;
	return cd_printable(arena, bytes + start, length - start, SHOWN);
}

int64_t cd_now_ms(void)
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

/* Pipes whose ends are clear of the first numbers, so that dup2() in the children cannot collide. */
static int make_pipe(int ends[2])
{
	int raw[2];

	if (pipe2(raw, O_CLOEXEC) == -1)
		return -1;
	for (int i = 0; i < 2; i++) {
		ends[i] = raw[i] > FIRST_FREE ? raw[i] : fcntl(raw[i], F_DUPFD_CLOEXEC, FIRST_FREE + 1);
		if (raw[i] <= FIRST_FREE)
			(void)close(raw[i]);
	}
	if (ends[0] != -1 && ends[1] != -1)
		return 0;
	if (ends[0] != -1)
		(void)close(ends[0]);
	if (ends[1] != -1)
		(void)close(ends[1]);
	ends[0] = ends[1] = -1;
	return -1;
}

/* ---- the two processes ---- */

/*
 * A guardian stands between us and the program. It has no other work than to wait for the program and
 * to tell through a pipe how it ended, so it does not matter whether the process that we live in
 * ignores SIGCHLD or has a loop that reaps every child; and as it ends without a signal, nobody there
 * notices it. It keeps the program's process id from being used again until we let go.
 *
 * Both are made by clone() alone, without the handlers of pthread_atfork(), and make nothing but
 * system calls: other threads may hold any lock.
 */

enum message_kind { STARTED, ENDED, NOT_STARTED };

struct message {
	enum message_kind kind;
	int value; /* process id; status as in struct cd_run; errno */
};

struct spawning {
	const char *program;
	char *const *argv;
	char *const *environment;
	int output;
	int errors;
	int tell[2];  /* from the guardian to us */
	int leave[2]; /* closed by us: the guardian may go */
};

static pid_t split(unsigned long signal)
{
#ifdef __s390__
	return (pid_t)syscall(SYS_clone, 0UL, signal, 0UL, 0UL, 0UL);
#else
	return (pid_t)syscall(SYS_clone, signal, 0UL, 0UL, 0UL, 0UL);
#endif
}

/* Not exit(): what the host has registered is none of the child's business. */
static __attribute__((noreturn)) void leave(int status)
{
	for (;;)
		(void)syscall(SYS_exit_group, status);
}

static void tell(int fd, enum message_kind kind, int value)
{
	struct message message = {kind, value};

	while (write(fd, &message, sizeof(message)) == -1 && errno == EINTR)
		;
}

static long wait_id(pid_t program, siginfo_t *info, int options)
{
	return syscall(SYS_waitid, P_PID, program, info, options, NULL);
}

/* Back to the default: an all-zero structure says so on every architecture. */
static void reset_signal(int number)
{
	static const unsigned char zero[64];

	(void)syscall(SYS_rt_sigaction, number, zero, NULL, (size_t)(_NSIG / 8));
}

static void close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0)
		return;
#endif
	for (int fd = first; fd < 65536; fd++)
		(void)close(fd);
}

/* Move a descriptor to a number of which all below are settled. */
static int settle(int fd, int number)
{
	return fd == number ? 0 : dup2(fd, number) == -1 ? -1 : 0;
}

static __attribute__((noreturn)) void become_program(const struct spawning *spawning, int teller)
{
	int null = openat(AT_FDCWD, "/dev/null", O_RDONLY),
	    top = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
	sigset_t none;

	(void)setsid();
	for (int number = 1; number < _NSIG; number++)
		reset_signal(number);
	(void)syscall(SYS_umask, 022);
	if (null == -1 || top == -1 || syscall(SYS_fchdir, top) == -1 || settle(null, 0) == -1 ||
	    settle(spawning->output, 1) == -1 || settle(spawning->errors, 2) == -1 ||
	    settle(teller, 3) == -1 || fcntl(3, F_SETFD, FD_CLOEXEC) == -1) {
		tell(teller, NOT_STARTED, errno);
		leave(127);
	}
	close_from(4);
	(void)sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
	(void)execve(spawning->program, spawning->argv, spawning->environment);
	tell(3, NOT_STARTED, errno);
	leave(127);
}

static int status_of(const siginfo_t *info)
{
	return info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
}

/* All signals are blocked here, as they were when it was made. */
static __attribute__((noreturn)) void guard(const struct spawning *spawning)
{
	siginfo_t info;
	pid_t program;
	long waited;
	char byte;

	(void)setsid();
	reset_signal(SIGCHLD);
	program = split(SIGCHLD);
	if (program == 0)
		become_program(spawning, spawning->tell[1]);
	if (program == -1) {
		tell(spawning->tell[1], NOT_STARTED, errno);
		leave(1);
	}
	/* No lock, socket or pipe of the host may live on through us. */
	(void)settle(spawning->tell[1], 0);
	(void)settle(spawning->leave[0], 1);
	close_from(2);
	tell(0, STARTED, program);
	do
		waited = wait_id(program, &info, WEXITED | WNOWAIT);
	while (waited == -1 && errno == EINTR);
	if (waited == 0)
		tell(0, ENDED, status_of(&info));
	else
		(void)close(0);
	while (read(1, &byte, 1) == -1 && errno == EINTR)
		;
	(void)wait_id(program, &info, WEXITED);
	leave(0);
}

static pid_t start_guardian(const struct spawning *spawning)
{
	sigset_t all, before;
	pid_t guardian;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	guardian = split(0);
	if (guardian == 0)
		guard(spawning);
	error = errno;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return guardian;
}

/* ---- our side ---- */

/*
 * Take what is there, but no more than a pipe holds: a program that writes without end is asked about its
 * time in between. Returns false at the end of the stream.
 */
static bool drain(int fd, struct cd_buffer *buffer, size_t limit)
{
	char bytes[4096];

	for (size_t taken = 0; taken < PIPE_MOST; taken += sizeof(bytes)) {
		ssize_t got = read(fd, bytes, sizeof(bytes));
		size_t room = buffer->length < limit ? limit - buffer->length : 0;

		if (got == -1)
			return errno == EAGAIN || errno == EINTR;
		if (got == 0)
			return false;
		cd_buffer_add(buffer, bytes, (size_t)got < room ? (size_t)got : room);
	}
	return true;
}

/* The next message; false: there is none yet, or never will be (*lost). */
static bool hear(int fd, struct message *message, bool *lost)
{
	ssize_t got = read(fd, message, sizeof(*message));

	*lost = got == 0 || (got == -1 && errno != EAGAIN && errno != EINTR);
	return got == (ssize_t)sizeof(*message);
}

struct watch {
	struct cd_run *run;
	struct pollfd streams[3]; /* messages, output, errors */
	pid_t program;            /* 0: not known */
	int error;                /* why it was not started */
	bool ended;
};

static void listen_to(struct watch *watch)
{
	struct message message;
	bool lost = false;

	while (!watch->ended && hear(watch->streams[0].fd, &message, &lost)) {
		if (message.kind == STARTED) {
			watch->program = message.value;
			continue;
		}
		watch->ended = message.kind == ENDED || watch->error != 0;
		if (message.kind == NOT_STARTED) {
			/* The program's process tells before it ends; the guardian does not follow. */
			watch->error = message.value == 0 ? EIO : message.value;
			watch->ended = true;
		} else if (watch->error == 0) {
			watch->run->status = message.value;
		}
	}
	/* A guardian that was killed tells nothing: a lost status counts as a failure. */
	watch->ended = watch->ended || lost;
}

static void take_output(struct watch *watch)
{
	struct cd_run *run = watch->run;

	if (watch->streams[1].fd != -1 && !drain(watch->streams[1].fd, &run->output, run->output_limit))
		watch->streams[1].fd = -1;
	if (watch->streams[2].fd != -1 && !drain(watch->streams[2].fd, &run->errors, run->output_limit))
		watch->streams[2].fd = -1;
}

static void wait_for(struct watch *watch)
{
	struct cd_run *run = watch->run;
	int64_t end = cd_now_ms() + (int64_t)run->seconds * 1000;
	int signal = SIGTERM;

	while (!watch->ended) {
		int64_t left = end - cd_now_ms();

		(void)poll(watch->streams, 3, left < 0 ? 0 : left > 60000 ? 60000 : (int)left);
		listen_to(watch);
		take_output(watch);
		if (watch->ended || cd_now_ms() < end)
			continue;
		run->timed_out = true;
		if (watch->program > 0)
			(void)kill(-watch->program, signal);
		/* What does not end even then is left to itself. */
		watch->ended = signal == 0;
		signal = signal == SIGTERM ? SIGKILL : 0;
		end = cd_now_ms() + GRACE_MS;
	}
	if (run->timed_out) {
		/* Children that outlived their parent; its id is still held for us. */
		if (watch->program > 0)
			(void)kill(-watch->program, SIGKILL);
		run->status = -1;
	}
}

static void reap(pid_t guardian)
{
	while (waitpid(guardian, NULL, __WALL) == -1 && errno == EINTR)
		;
}

/* A read that waits would know no time limit. */
static int never_wait(const struct watch *watch)
{
	for (int i = 0; i < 3; i++)
		if (fcntl(watch->streams[i].fd, F_SETFL, O_NONBLOCK) == -1)
			return errno;
	return 0;
}

static int run_guarded(struct cd_run *run, struct spawning *spawning, const int output[2],
		       const int errors[2])
{
	struct watch watch = {
		.run = run,
		.streams = {{spawning->tell[0], POLLIN, 0}, {output[0], POLLIN, 0}, {errors[0], POLLIN, 0}},
	};
	int error = never_wait(&watch);
	pid_t guardian = error == 0 ? start_guardian(spawning) : -1;

	if (error == 0 && guardian == -1)
		error = errno;
	(void)close(spawning->tell[1]);
	(void)close(spawning->leave[0]);
	spawning->tell[1] = spawning->leave[0] = -1;
	if (error != 0)
		return error;
	wait_for(&watch);
	(void)close(spawning->leave[1]);
	spawning->leave[1] = -1;
	if (watch.error != 0)
		run->status = -1;
	reap(guardian);
	return watch.error;
}

static void close_pipe(int ends[2])
{
	for (int i = 0; i < 2; i++)
		if (ends[i] != -1)
			(void)close(ends[i]);
}

int cd_run(struct cd_run *run)
{
	int output[2] = {-1, -1}, errors[2] = {-1, -1}, error = EMFILE;
	struct cd_vector environment = {0};
	struct spawning spawning = {.tell = {-1, -1}, .leave = {-1, -1}};
	char found[4096];

	run->status = -1;
	spawning.program = find_program(run->argv[0], found, sizeof(found));
	if (spawning.program == NULL)
		return CERTDEPLOY_ENOTFOUND;
	if (collect_environment(&environment, run->environment) != 0) {
		error = ENOMEM;
		goto out;
	}
	if (make_pipe(output) == -1 || make_pipe(errors) == -1 || make_pipe(spawning.tell) == -1 ||
	    make_pipe(spawning.leave) == -1)
		goto out;
	spawning.argv = (char *const *)(uintptr_t)run->argv;
	spawning.environment = (char *const *)environment.items;
	spawning.output = output[1];
	spawning.errors = errors[1];
	error = run_guarded(run, &spawning, output, errors);
out:
	close_pipe(output);
	close_pipe(errors);
	close_pipe(spawning.tell);
	close_pipe(spawning.leave);
	cd_vector_free(&environment);
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
			copy[i] = cd_arena_format(arena, "%.*s%s%s", (int)(mark - argv[i]), argv[i], text,
						  mark + 2);
		if (copy[i] == NULL)
			return NULL;
	}
	return copy;
}
