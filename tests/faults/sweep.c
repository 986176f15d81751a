/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sweep.c - kill or fail a deployment, a rollback and a recovery at every system call and allocation
 *
 * The linker puts the wrappers below before the library's system calls (see sources.mk). Each case runs
 * in a child of its own on a fresh host: the k-th call is not made and the process is killed, or the
 * call fails, once or from then on; or it fails and the process is killed while it puts things back; or
 * the recovery is hit too. Afterwards the host is recovered and judged: wholly old or wholly
 * new, servers running with it, nothing left over, no key ever readable by others.
 *
 *	sweep [--stride N] [--nested-stride N] [--verbose] [--keep] [--defect]
 *
 * All of it when CERTDEPLOY_SWEEP is "all". With --defect recovery is given one that the sweep must find.
 */
#include "scene.h"

#include "base/process.h"
#include "base/text.h"

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
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define WORKERS 3

enum { MUTATING = 1, READING = 2, LOCKING = 4, CLOSING = 8, ALLOCATING = 16, RUNNING = 32 };

struct fault {
	const char *name;
	int number;  /* errno; 0: kill */
	bool torn;   /* half of a write is made before */
	bool sticky; /* from then on */
};

/* What the child is to do; shared with the parent so that it learns how far it came. */
static struct arming {
	int classes; /* 0: not armed */
	long at;
	long then; /* calls after the failing one the process is killed; 0: it is not */
	long count;
	bool fired;
	bool killed; /* after it had failed */
	bool defect;
	struct fault fault;
	char where[64];
} * arming;

static bool verbose, defect;
static long kill_later;

/* ---- the wrappers ---- */

/* 0: go on; else the call fails with errno set. */
static int meet(int class, const char *name)
{
	if (arming == NULL || (arming->classes & class) == 0)
		return 0;
	arming->count++;
	if (arming->then != 0 && arming->count == arming->at + arming->then) {
		arming->killed = true;
		(void)kill(getpid(), SIGKILL);
	}
	if (arming->count != arming->at && !(arming->fired && arming->fault.sticky))
		return 0;
	/* Only a write can be short. */
	if (arming->fault.torn && arming->fault.number != 0 && strcmp(name, "write") != 0)
		return 0;
	if (!arming->fired)
		(void)snprintf(arming->where, sizeof(arming->where), "%s", name);
	arming->fired = true;
	if (arming->fault.number == 0 && !(arming->fault.torn && strcmp(name, "write") == 0))
		(void)kill(getpid(), SIGKILL);
	errno = arming->fault.number;
	return -1;
}

#define WRAP(type, class, name, parameters, arguments)                                                     \
	type __real_##name parameters;                                                                     \
	type __wrap_##name parameters;                                                                     \
	type __wrap_##name parameters                                                                      \
	{                                                                                                  \
		if (meet(class, #name) != 0)                                                               \
			return (type)-1;                                                                   \
		return __real_##name arguments;                                                            \
	}

WRAP(int, MUTATING, mkdirat, (int fd, const char *name, mode_t mode), (fd, name, mode))
WRAP(int, MUTATING, symlinkat, (const char *target, int fd, const char *name), (target, fd, name))
WRAP(int, MUTATING, unlinkat, (int fd, const char *name, int flags), (fd, name, flags))
WRAP(int, MUTATING, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, MUTATING, fchown, (int fd, uid_t user, gid_t group), (fd, user, group))
WRAP(int, MUTATING, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags),
     (fd, name, value, size, flags))
WRAP(int, MUTATING, fremovexattr, (int fd, const char *name), (fd, name))
WRAP(int, MUTATING, futimens, (int fd, const struct timespec *times), (fd, times))
WRAP(int, MUTATING, utimensat, (int fd, const char *name, const struct timespec *times, int flags),
     (fd, name, times, flags))
WRAP(int, MUTATING, fsync, (int fd), (fd))
WRAP(int, MUTATING, syncfs, (int fd), (fd))
WRAP(ssize_t, READING, read, (int fd, void *buffer, size_t size), (fd, buffer, size))
WRAP(ssize_t, READING, pread, (int fd, void *buffer, size_t size, off_t at), (fd, buffer, size, at))
WRAP(ssize_t, READING, readlinkat, (int fd, const char *name, char *buffer, size_t size),
     (fd, name, buffer, size))
WRAP(ssize_t, READING, flistxattr, (int fd, char *buffer, size_t size), (fd, buffer, size))
WRAP(ssize_t, READING, fgetxattr, (int fd, const char *name, void *buffer, size_t size),
     (fd, name, buffer, size))
WRAP(int, READING, fstat, (int fd, struct stat *status), (fd, status))
WRAP(int, READING, fstatat, (int fd, const char *name, struct stat *status, int flags),
     (fd, name, status, flags))
WRAP(off_t, READING, lseek, (int fd, off_t at, int from), (fd, at, from))

int __real_renameat(int from, const char *name, int to, const char *new);
int __wrap_renameat(int from, const char *name, int to, const char *new);
int __wrap_renameat(int from, const char *name, int to, const char *new)
{
	/* The defect that must be found: recovery forgets one file. */
	if (arming != NULL && arming->defect && strcmp(new, "main.cf") == 0)
		return unlinkat(from, name, 0);
	return meet(MUTATING, "renameat") != 0 ? -1 : __real_renameat(from, name, to, new);
}

/* The kernel has closed it all the same. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	int failed = meet(CLOSING, "close"), error = errno, result = __real_close(fd);

	if (failed != 0)
		errno = error;
	return failed != 0 ? -1 : result;
}

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
	bool was = arming != NULL && arming->fired;

	if (meet(MUTATING, "write") == 0)
		return __real_write(fd, bytes, size);
	if (!was && arming->fault.torn) {
		/* Torn: the half that reached the disk. Without a kill: a short write, which is no error.
		 */
		ssize_t done = __real_write(fd, bytes, size > 1 ? size / 2 : size);

		if (arming->fault.number == 0)
			(void)kill(getpid(), SIGKILL);
		return done;
	}
	return -1;
}

static int class_of(int flags)
{
	return (flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR)) != 0 ? MUTATING : READING;
}

int __real_openat(int fd, const char *name, int flags, ...);
int __wrap_openat(int fd, const char *name, int flags, ...);
int __wrap_openat(int fd, const char *name, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	return meet(class_of(flags), "openat") != 0 ? -1 : __real_openat(fd, name, flags, mode);
}
WRAP(int, READING, __openat_2, (int fd, const char *name, int flags), (fd, name, flags))

int __real_open(const char *name, int flags, ...);
int __wrap_open(const char *name, int flags, ...);
int __wrap_open(const char *name, int flags, ...)
{
	return meet(READING, "open") != 0 ? -1 : __real_open(name, flags);
}
WRAP(int, READING, __open_2, (const char *name, int flags), (name, flags))

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	int class = command == F_DUPFD_CLOEXEC ? READING : LOCKING;
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
	long word[6];

	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		word[i] = va_arg(arguments, long);
	va_end(arguments);
	if (meet(renames ? MUTATING : READING, renames ? "renameat2" : "openat2") != 0)
		return -1;
	return __real_syscall(number, word[0], word[1], word[2], word[3], word[4], word[5]);
}

DIR *__real_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd)
{
	return meet(READING, "fdopendir") != 0 ? NULL : __real_fdopendir(fd);
}

struct dirent *__real_readdir(DIR *stream);
struct dirent *__wrap_readdir(DIR *stream);
struct dirent *__wrap_readdir(DIR *stream)
{
	return meet(READING, "readdir") != 0 ? NULL : __real_readdir(stream);
}

/* Memory, of the whole process: OpenSSL's and Jansson's too. */
#ifndef __SANITIZE_ADDRESS__
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

#define FOR_ALL __attribute__((visibility("default")))

FOR_ALL void *malloc(size_t size)
{
	errno = ENOMEM;
	return meet(ALLOCATING, "malloc") != 0 ? NULL : __libc_malloc(size);
}

FOR_ALL void *calloc(size_t count, size_t size)
{
	errno = ENOMEM;
	return meet(ALLOCATING, "calloc") != 0 ? NULL : __libc_calloc(count, size);
}

FOR_ALL void *realloc(void *old, size_t size)
{
	errno = ENOMEM;
	return meet(ALLOCATING, "realloc") != 0 ? NULL : __libc_realloc(old, size);
}
#endif

/* Programs are played within the process, and can fail to start. */
int __real_cd_run(struct cd_run *run);
int __wrap_cd_run(struct cd_run *run);
int __wrap_cd_run(struct cd_run *run)
{
	struct arming *armed = arming;

	run->status = -1;
	if (meet(RUNNING, "cd_run") != 0)
		return errno == ENOMEM ? CERTDEPLOY_ENOMEM : CERTDEPLOY_EFAILED;
	arming = NULL;
	run->status = scene_command(run->argv);
	arming = armed;
	return 0;
}

/* ---- one case ---- */

typedef int operation(struct scene *scene, const char *program);

static int recover_again(struct scene *scene, const char *program)
{
	(void)program;
	return scene_recover(scene);
}

/* What a child makes of the host: its result, or 1000 + signal. */
static int run(const char *path, operation *operate, int classes, long at, const struct fault *fault)
{
	int status;
	pid_t child;

	*arming =
		(struct arming){.at = at, .then = kill_later, .defect = defect && operate == recover_again};
	if (fault != NULL)
		arming->fault = *fault;
	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		struct scene scene;
		int result;

		scene_open(&scene, path);
		arming->classes = classes;
		result = operate(&scene, path);
		arming->classes = 0;
		if (verbose && result != 0)
			for (size_t i = 0; i < scene.problems.list.count; i++)
				printf("    %s: %s\n",
				       ((struct certdeploy_problem *)scene.problems.list.items[i])->code,
				       ((struct certdeploy_problem *)scene.problems.list.items[i])
					       ->message);
		scene_close(&scene);
		(void)fflush(stdout);
		_exit(-result & 0xff);
	}
	if (child == -1 || waitpid(child, &status, 0) != child) {
		perror("fork");
		exit(2);
	}
	arming->classes = 0;
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : -WEXITSTATUS(status);
}

static char base[256], old_host[300], new_host[300];
static char *old_picture, *new_picture, *old_times;

struct tally {
	unsigned long calls, kills, faults, old, new, neither, open_keys, failed;
};
static struct tally tally;

static void wrong(const char *path, const char *what, const char *why)
{
	tally.failed++;
	if (tally.failed < 40)
		printf("FAIL %s: %s (%s, %s)\n", what, why, arming->where, path);
}

/* 0 old, to the time; 1 new; -1 neither */
static int judge(const char *path)
{
	char *picture = scene_picture(path), *times = scene_times(path);
	int verdict = picture == NULL                                                      ? -1
		      : strcmp(picture, new_picture) == 0                                  ? 1
		      : strcmp(picture, old_picture) == 0 && strcmp(times, old_times) == 0 ? 0
											   : -1;

	if (verdict == -1 && verbose)
		printf("%s", picture);
	free(picture);
	free(times);
	return verdict;
}

/* At no instant is there a path that is neither as before nor as after, nor a name of ours. */
static const char *find_window(const char *path)
{
	static char line[1024];
	char *picture = scene_picture(path), *at = picture, *rest = NULL;
	bool found = false;

	while (!found && (at = strtok_r(at, "\n", &rest)) != NULL) {
		(void)snprintf(line, sizeof(line), "%s\n", at);
		found = strstr(old_picture, line) == NULL && strstr(new_picture, line) == NULL &&
			strstr(line, ".certdeploy-2") == NULL;
		at = NULL;
	}
	free(picture);
	return found ? line : NULL;
}

/* Recover, and see what there is. */
static void settle(const char *path, const char *what)
{
	const char *why;
	int verdict, result;

	tally.open_keys += scene_open_keys(path);
	why = find_window(path);
	if (why != NULL)
		wrong(path, what, why);
	result = run(path, recover_again, 0, 0, NULL);
	if (result != 0)
		wrong(path, what, "recovery fails");
	verdict = judge(path);
	tally.old += verdict == 0 ? 1 : 0;
	tally.new += verdict == 1 ? 1 : 0;
	tally.neither += verdict == -1 ? 1 : 0;
	if (verdict == -1)
		wrong(path, what, "neither old nor new");
	why = scene_servers_wrong(path);
	if (why != NULL)
		wrong(path, what, why);
	why = scene_litter(path);
	if (why != NULL)
		wrong(path, what, why);
	tally.open_keys += scene_open_keys(path);
}

/* One fault in one call. Returns false when there are no more calls. */
static bool one_case(operation *operate, const char *name, int classes, long at, const struct fault *fault)
{
	char path[300], what[200];
	int result, verdict;

	(void)snprintf(path, sizeof(path), "%s/host", base);
	(void)snprintf(what, sizeof(what), "%s: %s at call %ld", name, fault->name, at);
	scene_copy(operate == scene_rollback ? new_host : old_host, path);
	result = run(path, operate, classes, at, fault);
	if (!arming->fired)
		return false;
	if (fault->number == 0)
		tally.kills++;
	else
		tally.faults++;
	if (fault->number != 0) {
		verdict = judge(path);
		if (result > 1000)
			wrong(path, what, "died of a signal");
		else if (result == 0 && verdict != (operate == scene_rollback ? 0 : 1))
			wrong(path, what, "says it is done, and it is not");
		else if (result != 0 && result != CERTDEPLOY_EBROKEN &&
			 verdict != (operate == scene_rollback ? 1 : 0))
			wrong(path, what, "says nothing changed, and it did");
	}
	settle(path, what);
	return true;
}

/* A kill, then a fault in the recovery, then a recovery. 0: no such call in the run, 1: in the recovery. */
static int nested_case(operation *operate, const char *name, long at, long then, const struct fault *fault)
{
	static const struct fault killed = {.name = "kill"};
	char path[300], what[200];

	(void)snprintf(path, sizeof(path), "%s/host", base);
	(void)snprintf(what, sizeof(what), "%s: kill at call %ld, recovery: %s at call %ld", name, at,
		       fault->name, then);
	scene_copy(operate == scene_rollback ? new_host : old_host, path);
	(void)run(path, operate, MUTATING, at, &killed);
	if (!arming->fired)
		return 0;
	(void)run(path, recover_again, MUTATING, then, fault);
	if (!arming->fired)
		return 1;
	tally.kills++;
	tally.faults++;
	settle(path, what);
	return 2;
}

/* A call fails, and the process is killed while it puts things back. */
static bool double_case(operation *operate, const char *name, long at, long then, const struct fault *fault)
{
	char path[300], what[200];

	(void)snprintf(path, sizeof(path), "%s/host", base);
	(void)snprintf(what, sizeof(what), "%s: %s at call %ld, killed %ld calls later", name, fault->name,
		       at, then);
	scene_copy(operate == scene_rollback ? new_host : old_host, path);
	kill_later = then;
	(void)run(path, operate, MUTATING, at, fault);
	kill_later = 0;
	if (!arming->fired || !arming->killed)
		return false;
	tally.kills++;
	tally.faults++;
	settle(path, what);
	return true;
}

/* ---- all of them ---- */

static const struct fault faults[] = {
	{"kill", 0, false, false},        {"torn", 0, true, false},
	{"short", EIO, true, false},      {"EIO", EIO, false, false},
	{"ENOSPC", ENOSPC, false, false}, {"EACCES", EACCES, false, false},
	{"EROFS", EROFS, false, false},   {"EMFILE", EMFILE, false, false},
	{"EINTR", EINTR, false, false},   {"ENOSPC+", ENOSPC, false, true},
	{"EROFS+", EROFS, false, true},   {"EIO+", EIO, false, true},
};
static const struct fault reading[] = {
	{"EIO", EIO, false, false}, {"EMFILE", EMFILE, false, false}, {"EMFILE+", EMFILE, false, true}};
static const struct fault memory[] = {{"ENOMEM", ENOMEM, false, false}, {"ENOMEM+", ENOMEM, false, true}};

static void sweep(operation *operate, const char *name, int classes, const struct fault *list, size_t count,
		  long stride)
{
	for (size_t i = 0; i < count; i++) {
		long at = 1;

		while (one_case(operate, name, classes, at, &list[i]))
			at += stride;
		tally.calls += i == 0 ? (unsigned long)arming->count : 0;
	}
}

static void sweep_nested(operation *operate, const char *name, long stride)
{
	static const size_t chosen[] = {0, 3, 9}; /* kill, EIO, ENOSPC+ */
	long offset = 0;

	for (long at = 1;; at++)
		for (size_t i = 0; i < sizeof(chosen) / sizeof(chosen[0]); i++) {
			long then = 1 + offset++ % stride;
			int how;

			while ((how = nested_case(operate, name, at, then, &faults[chosen[i]])) == 2)
				then += stride;
			if (how == 0)
				return;
		}
}

static void sweep_double(operation *operate, const char *name, long stride)
{
	static const struct fault failing = {"ENOSPC", ENOSPC, false, false};
	long offset = 0;

	for (long at = 1;; at++) {
		long then = 1 + offset++ % stride;

		while (double_case(operate, name, at, then, &failing))
			then += stride;
		if (!arming->fired)
			return;
	}
}

static void set_up(operation *operate)
{
	const char *directory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	char digest[CD_SHA256_TEXT];

	/* OpenSSL 3.0 dies when memory is short while it loads its own parts: not ours to judge. */
	(void)cd_sha256(digest, "", 0);

	arming = mmap(NULL, sizeof(*arming), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	(void)snprintf(base, sizeof(base), "%s/certdeploy-sweep.XXXXXX", directory);
	if (arming == MAP_FAILED || mkdtemp(base) == NULL) {
		perror(base);
		exit(2);
	}
	(void)snprintf(old_host, sizeof(old_host), "%s/old", base);
	(void)snprintf(new_host, sizeof(new_host), "%s/host", base);
	if (mkdir(old_host, 0755) == -1)
		exit(2);
	scene_build(old_host);
	old_picture = scene_picture(old_host);
	old_times = scene_times(old_host);
	scene_copy(old_host, new_host);
	if (run(new_host, operate == scene_rollback ? scene_deploy : operate, 0, 0, NULL) != 0) {
		printf("FAIL: the deployment fails without any fault\n");
		exit(1);
	}
	new_picture = scene_picture(new_host);
	/* The history knows the servers by their paths: it stays under this name. */
	(void)snprintf(new_host, sizeof(new_host), "%s/new", base);
	{
		char path[300];

		(void)snprintf(path, sizeof(path), "%s/host", base);
		scene_copy(path, new_host);
	}
}

static void work(operation *operate, const char *name, long stride, long nested, bool keep)
{
	set_up(operate);
	sweep(operate, name, MUTATING, faults, sizeof(faults) / sizeof(faults[0]), stride);
	sweep(operate, name, READING | LOCKING | CLOSING | RUNNING, reading,
	      sizeof(reading) / sizeof(reading[0]), stride);
#ifndef __SANITIZE_ADDRESS__
	sweep(operate, name, ALLOCATING, memory, sizeof(memory) / sizeof(memory[0]), stride);
#endif
	sweep_nested(operate, name, nested);
	sweep_double(operate, name, nested);
	if (!keep)
		scene_clear(base);
}

/* Hundreds of files, whose flushes are shared. */
static void work_on_many(long stride, bool keep)
{
	static const struct fault chosen[] = {
		{"kill", 0, false, false}, {"EIO", EIO, false, false}, {"ENOSPC+", ENOSPC, false, true}};

	set_up(scene_deploy_many);
	sweep(scene_deploy_many, "deploy of 100", MUTATING, chosen, sizeof(chosen) / sizeof(chosen[0]),
	      stride);
	if (!keep)
		scene_clear(base);
}

static void add_up(struct tally *all, const struct tally *one)
{
	all->calls += one->calls;
	all->kills += one->kills;
	all->faults += one->faults;
	all->old += one->old;
	all->new += one->new;
	all->neither += one->neither;
	all->open_keys += one->open_keys;
	all->failed += one->failed;
}

/* Every call when asked for (CERTDEPLOY_SWEEP=all), a part of them in the hurry of daily work. */
static long default_stride(void)
{
#ifdef __SANITIZE_ADDRESS__
	const char *much = NULL;
#else
	const char *much = getenv("CERTDEPLOY_SWEEP");
#endif
	const char *preloaded = getenv("LD_PRELOAD");

	if (preloaded != NULL && strstr(preloaded, "vgpreload") != NULL)
		return 200;
	return much != NULL && strcmp(much, "all") == 0 ? 1 : 13;
}

int main(int argc, char **argv)
{
	struct tally all = {0}, *shared;
	long stride = default_stride(), nested = stride * 29;
	pid_t workers[WORKERS];
	bool keep = false;
	int status, ended = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--stride") == 0 && i + 1 < argc)
			stride = atol(argv[++i]);
		else if (strcmp(argv[i], "--nested-stride") == 0 && i + 1 < argc)
			nested = atol(argv[++i]);
		else if (strcmp(argv[i], "--verbose") == 0)
			verbose = true;
		else if (strcmp(argv[i], "--keep") == 0)
			keep = true;
		else if (strcmp(argv[i], "--defect") == 0)
			defect = true;
	}
	shared = mmap(NULL, WORKERS * sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < WORKERS; i++) {
		workers[i] = fork();
		if (workers[i] == 0) {
			if (i == 0)
				work(scene_deploy, "deploy", stride, nested, keep);
			else if (i == 1)
				work(scene_rollback, "rollback", stride, nested, keep);
			else
				work_on_many(stride * 97, keep);
			shared[i] = tally;
			_exit(0);
		}
	}
	for (int i = 0; i < WORKERS; i++) {
		if (waitpid(workers[i], &status, 0) == workers[i] && WIFEXITED(status) &&
		    WEXITSTATUS(status) == 0)
			ended++;
		add_up(&all, &shared[i]);
	}
	printf("calls %lu, kills %lu, faults %lu, old %lu, new %lu, neither %lu, keys seen readable %lu, "
	       "other failures %lu\n",
	       all.calls, all.kills, all.faults, all.old, all.new, all.neither, all.open_keys,
	       all.failed - all.neither);
	return ended == WORKERS && all.failed == 0 && all.open_keys == 0 && all.kills != 0 ? 0 : 1;
}
