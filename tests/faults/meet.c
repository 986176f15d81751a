/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* meet.c - the wrappers before the library's system calls, and its allocations */
#include "meet.h"

#include "scene.h"

#include "base/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

struct meeting *meeting;

static bool dying;    /* the call under way is the last one */
static int64_t slept; /* nanoseconds, which pass at once */

void meet_open(void)
{
	meeting = mmap(NULL, sizeof(*meeting), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (meeting == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
}

/* ---- what a call can meet ---- */

enum { WRITES = 1, OPENS = 2 };

static unsigned char kind_of(const char *name)
{
	static const char *const opening[] = {"open", "openat", "openat2", "fdopendir", "fcntl", "cd_run"};
	unsigned char kind = strcmp(name, "write") == 0 ? WRITES : 0;

	for (size_t i = 0; i < sizeof(opening) / sizeof(opening[0]); i++)
		if (strcmp(name, opening[i]) == 0)
			kind |= OPENS;
	return kind;
}

static bool can(unsigned char kind, const struct meet_fault *fault)
{
	if (fault->torn)
		return (kind & WRITES) != 0;
	return fault->number != EMFILE || (kind & OPENS) != 0;
}

bool meet_can(long number, const struct meet_fault *fault)
{
	return number > MEET_KINDS || can(meeting->kinds[number - 1], fault);
}

/* ---- the meeting ---- */

static void die(void)
{
	(void)kill(getpid(), SIGKILL);
}

/* 0: go on; else the call fails with errno set. */
static int meet(int class, const char *name)
{
	const struct meet_fault *fault;

	if (meeting == NULL || (meeting->classes & class) == 0)
		return 0;
	fault = &meeting->fault;
	meeting->count++;
	if ((class & (MEET_ALLOCATING | MEET_OWN)) == 0 && meeting->count <= MEET_KINDS)
		meeting->kinds[meeting->count - 1] = kind_of(name);
	if (meeting->then != 0 && meeting->count == meeting->at + meeting->then) {
		meeting->killed = true;
		die();
	}
	if (meeting->count != meeting->at && !(meeting->fired && fault->sticky))
		return 0;
	if (!can(kind_of(name), fault))
		return 0;
	if (!meeting->fired)
		(void)snprintf(meeting->where, sizeof(meeting->where), "%s", name);
	meeting->fired = true;
	if (fault->after) {
		dying = true;
		return 0;
	}
	if (fault->number == 0 && !fault->torn)
		die();
	errno = fault->number;
	return -1;
}

/* The call has been made. */
static void made(void)
{
	if (dying)
		die();
}

#define WRAP(type, class, name, parameters, arguments)                                                     \
	type __real_##name parameters;                                                                     \
	type __wrap_##name parameters;                                                                     \
	type __wrap_##name parameters                                                                      \
	{                                                                                                  \
		type result = (type)-1;                                                                    \
                                                                                                           \
		if (meet(class, #name) == 0)                                                               \
			result = __real_##name arguments;                                                  \
		made();                                                                                    \
		return result;                                                                             \
	}

WRAP(int, MEET_MUTATING, mkdirat, (int fd, const char *name, mode_t mode), (fd, name, mode))
WRAP(int, MEET_MUTATING, symlinkat, (const char *target, int fd, const char *name), (target, fd, name))
WRAP(int, MEET_MUTATING, unlinkat, (int fd, const char *name, int flags), (fd, name, flags))
WRAP(int, MEET_MUTATING, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, MEET_MUTATING, fchown, (int fd, uid_t user, gid_t group), (fd, user, group))
WRAP(int, MEET_MUTATING, fchownat, (int fd, const char *name, uid_t user, gid_t group, int flags),
     (fd, name, user, group, flags))
WRAP(int, MEET_MUTATING, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags),
     (fd, name, value, size, flags))
WRAP(int, MEET_MUTATING, fremovexattr, (int fd, const char *name), (fd, name))
WRAP(int, MEET_MUTATING, futimens, (int fd, const struct timespec *times), (fd, times))
WRAP(int, MEET_MUTATING, utimensat, (int fd, const char *name, const struct timespec *times, int flags),
     (fd, name, times, flags))
WRAP(int, MEET_MUTATING, fsync, (int fd), (fd))
WRAP(int, MEET_MUTATING, syncfs, (int fd), (fd))
WRAP(ssize_t, MEET_READING, read, (int fd, void *buffer, size_t size), (fd, buffer, size))
WRAP(ssize_t, MEET_READING, pread, (int fd, void *buffer, size_t size, off_t at), (fd, buffer, size, at))
WRAP(ssize_t, MEET_READING, readlinkat, (int fd, const char *name, char *buffer, size_t size),
     (fd, name, buffer, size))
WRAP(ssize_t, MEET_READING, flistxattr, (int fd, char *buffer, size_t size), (fd, buffer, size))
WRAP(ssize_t, MEET_READING, fgetxattr, (int fd, const char *name, void *buffer, size_t size),
     (fd, name, buffer, size))
WRAP(int, MEET_READING, fstat, (int fd, struct stat *status), (fd, status))
WRAP(int, MEET_READING, fstatat, (int fd, const char *name, struct stat *status, int flags),
     (fd, name, status, flags))
WRAP(int, MEET_READING, statx, (int fd, const char *name, int flags, unsigned mask, struct statx *status),
     (fd, name, flags, mask, status))
WRAP(off_t, MEET_READING, lseek, (int fd, off_t at, int from), (fd, at, from))

int __real_renameat(int from, const char *name, int to, const char *new);
int __wrap_renameat(int from, const char *name, int to, const char *new);
int __wrap_renameat(int from, const char *name, int to, const char *new)
{
	int result = -1;

	if (meeting != NULL && meeting->defect == MEET_FORGETFUL && strcmp(new, "main.cf") == 0)
		return unlinkat(from, name, 0);
	if (meet(MEET_MUTATING, "renameat") == 0)
		result = __real_renameat(from, name, to, new);
	made();
	return result;
}

/* The kernel has closed it all the same. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	int failed = meet(MEET_CLOSING, "close"), error = errno, result = __real_close(fd);

	if (failed != 0)
		errno = error;
	return failed != 0 ? -1 : result;
}

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
	bool was = meeting != NULL && meeting->fired;
	ssize_t result = -1;

	if (meet(MEET_MUTATING, "write") == 0) {
		result = __real_write(fd, bytes, size);
	} else if (!was && meeting->fault.torn) {
		/* The half that reached the disk. Without a kill: a short write, which is no error. */
		result = __real_write(fd, bytes, size > 1 ? size / 2 : size);
		if (meeting->fault.number == 0)
			die();
	}
	made();
	return result;
}

static int class_of(int flags)
{
	return (flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR)) != 0 ? MEET_MUTATING : MEET_READING;
}

int __real_openat(int fd, const char *name, int flags, ...);
int __wrap_openat(int fd, const char *name, int flags, ...);
int __wrap_openat(int fd, const char *name, int flags, ...)
{
	va_list arguments;
	mode_t mode;
	int result = -1;

	va_start(arguments, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	if (meeting != NULL && meeting->defect == MEET_CARELESS)
		mode |= 0044;
	if (meet(class_of(flags), "openat") == 0)
		result = __real_openat(fd, name, flags, mode);
	made();
	return result;
}
WRAP(int, MEET_READING, __openat_2, (int fd, const char *name, int flags), (fd, name, flags))

int __real_open(const char *name, int flags, ...);
int __wrap_open(const char *name, int flags, ...);
int __wrap_open(const char *name, int flags, ...)
{
	return meet(MEET_READING, "open") != 0 ? -1 : __real_open(name, flags);
}
WRAP(int, MEET_READING, __open_2, (const char *name, int flags), (name, flags))

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	int class = command == F_DUPFD_CLOEXEC ? MEET_READING : MEET_LOCKING;
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return meet(class, "fcntl") != 0 ? -1 : __real_fcntl(fd, command, argument);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	bool renames = number == SYS_renameat2;
	va_list arguments;
	long word[5], result = -1; /* none of ours has more */

	va_start(arguments, number);
	for (int i = 0; i < 5; i++)
		word[i] = va_arg(arguments, long);
	va_end(arguments);
	if (meeting != NULL && meeting->old_kernel) {
		errno = ENOSYS;
		return -1;
	}
	if (meet(renames ? MEET_MUTATING : MEET_READING, renames ? "renameat2" : "openat2") == 0)
		result = __real_syscall(number, word[0], word[1], word[2], word[3], word[4]);
	made();
	return result;
}

DIR *__real_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd)
{
	return meet(MEET_READING, "fdopendir") != 0 ? NULL : __real_fdopendir(fd);
}

struct dirent *__real_readdir(DIR *stream);
struct dirent *__wrap_readdir(DIR *stream);
struct dirent *__wrap_readdir(DIR *stream)
{
	return meet(MEET_READING, "readdir") != 0 ? NULL : __real_readdir(stream);
}

/* ---- memory, of the whole process: OpenSSL's and Jansson's too ---- */

#ifndef __SANITIZE_ADDRESS__
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

#define FOR_ALL __attribute__((visibility("default")))

FOR_ALL void *malloc(size_t size)
{
	errno = ENOMEM;
	return meet(MEET_ALLOCATING, "malloc") != 0 ? NULL : __libc_malloc(size);
}

FOR_ALL void *calloc(size_t count, size_t size)
{
	errno = ENOMEM;
	return meet(MEET_ALLOCATING, "calloc") != 0 ? NULL : __libc_calloc(count, size);
}

FOR_ALL void *realloc(void *old, size_t size)
{
	errno = ENOMEM;
	return meet(MEET_ALLOCATING, "realloc") != 0 ? NULL : __libc_realloc(old, size);
}
#endif

/* ---- the same of the library alone ---- */

#define WRAP_OWN(type, name, parameters, arguments)                                                        \
	type __real_##name parameters;                                                                     \
	type __wrap_##name parameters;                                                                     \
	type __wrap_##name parameters                                                                      \
	{                                                                                                  \
		return meet(MEET_OWN, #name) != 0 ? NULL : __real_##name arguments;                        \
	}

WRAP_OWN(void *, malloc, (size_t size), (size))
WRAP_OWN(void *, calloc, (size_t count, size_t size), (count, size))
WRAP_OWN(void *, realloc, (void *old, size_t size), (old, size))
WRAP_OWN(char *, strdup, (const char *text), (text))
WRAP_OWN(char *, strndup, (const char *text, size_t size), (text, size))

/* ---- the clock: it stands still but for what is slept ---- */

time_t __wrap_time(time_t *out);
time_t __wrap_time(time_t *out)
{
	time_t now = meeting == NULL ? 0 : meeting->time;

	if (out != NULL)
		*out = now;
	return now;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	*now = (struct timespec){.tv_sec = 1000 + slept / 1000000000, .tv_nsec = slept % 1000000000};
	return 0;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *rest);
int __wrap_nanosleep(const struct timespec *time, struct timespec *rest)
{
	(void)rest;
	slept += (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
	return 0;
}

/* ---- programs are played within the process, and can fail to start ---- */

int __real_cd_run(struct cd_run *run);
int __wrap_cd_run(struct cd_run *run);
int __wrap_cd_run(struct cd_run *run)
{
	struct meeting *armed = meeting;

	run->status = -1;
	if (meet(MEET_RUNNING, "cd_run") != 0)
		return errno == ENOMEM ? CERTDEPLOY_ENOMEM : CERTDEPLOY_EFAILED;
	meeting = NULL;
	run->status = scene_command(run->argv);
	meeting = armed;
	return 0;
}
