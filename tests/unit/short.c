/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* short.c - the linker puts these before the library's allocations and system calls */
#include "short.h"

#include "base/process.h"
#include "certdeploy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static long left;        /* calls until one fails; 0: none will */
static long failures;    /* how many do then */
static int number;       /* how they fail; ENOMEM: only allocations do */
static const char *only; /* the calls that fail, by their names; NULL: any of them */
static bool met;
static const char *instead_of, *instead; /* what is opened for another */

static bool is_named(const char *name)
{
	size_t length = strlen(name);

	for (const char *at = only; *at != '\0'; at += strspn(at, " ")) {
		size_t word = strcspn(at, " ");

		if (word == length && strncmp(at, name, word) == 0)
			return true;
		at += word;
	}
	return false;
}

static bool fails(const char *name, bool allocates)
{
	if (left == 0 || !(only == NULL ? allocates == (number == ENOMEM) : is_named(name)) || --left != 0)
		return false;
	left = --failures > 0 ? 1 : 0;
	met = true;
	errno = number;
	return true;
}

#define WRAP(type, name, parameters, arguments, allocates, failure)                                        \
	type __real_##name parameters;                                                                     \
	type __wrap_##name parameters;                                                                     \
	type __wrap_##name parameters                                                                      \
	{                                                                                                  \
		return fails(#name, allocates) ? failure : __real_##name arguments;                        \
	}

WRAP(void *, malloc, (size_t size), (size), true, NULL)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), true, NULL)
WRAP(void *, realloc, (void *old, size_t size), (old, size), true, NULL)
WRAP(char *, strdup, (const char *text), (text), true, NULL)
WRAP(char *, strndup, (const char *text, size_t size), (text, size), true, NULL)
/* Where it fails with nothing, it writes nothing. */
WRAP(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size), false,
     number == 0 ? 0 : -1)
WRAP(int, fstat, (int fd, struct stat *status), (fd, status), false, -1)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), false, -1)
WRAP(char *, mkdtemp, (char *path), (path), false, NULL)
WRAP(int, futimens, (int fd, const struct timespec *times), (fd, times), false, -1)
WRAP(int, fstatat, (int fd, const char *name, struct stat *status, int flags), (fd, name, status, flags),
     false, -1)
WRAP(int, mkdirat, (int fd, const char *name, mode_t mode), (fd, name, mode), false, -1)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), false, -1)
WRAP(int, fchown, (int fd, uid_t user, gid_t group), (fd, user, group), false, -1)
WRAP(int, fsync, (int fd), (fd), false, -1)
WRAP(int, syncfs, (int fd), (fd), false, -1)
WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), false, -1)
WRAP(ssize_t, flistxattr, (int fd, char *names, size_t size), (fd, names, size), false, -1)
WRAP(ssize_t, fgetxattr, (int fd, const char *name, void *value, size_t size), (fd, name, value, size),
     false, -1)
WRAP(int, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags),
     (fd, name, value, size, flags), false, -1)
WRAP(int, fremovexattr, (int fd, const char *name), (fd, name), false, -1)
/* OpenSSL's fail where memory is short. */
WRAP(EVP_MD_CTX *, EVP_MD_CTX_new, (void), (), true, NULL)
WRAP(int, EVP_DigestInit_ex, (EVP_MD_CTX * sum, const EVP_MD *type, ENGINE *engine), (sum, type, engine),
     true, 0)
WRAP(int, EVP_DigestUpdate, (EVP_MD_CTX * sum, const void *bytes, size_t size), (sum, bytes, size), true, 0)
WRAP(int, EVP_DigestFinal_ex, (EVP_MD_CTX * sum, unsigned char *out, unsigned *size), (sum, out, size),
     true, 0)
WRAP(int, EVP_Digest,
     (const void *bytes, size_t size, unsigned char *out, unsigned *length, const EVP_MD *type,
      ENGINE *engine),
     (bytes, size, out, length, type, engine), true, 0)
WRAP(int, renameat, (int from, const char *old, int to, const char *new), (from, old, to, new), false, -1)
WRAP(int, symlinkat, (const char *target, int fd, const char *name), (target, fd, name), false, -1)
WRAP(int, fchownat, (int fd, const char *name, uid_t user, gid_t group, int flags),
     (fd, name, user, group, flags), false, -1)
WRAP(int, utimensat, (int fd, const char *name, const struct timespec *times, int flags),
     (fd, name, times, flags), false, -1)
WRAP(off_t, lseek, (int fd, off_t offset, int whence), (fd, offset, whence), false, -1)
WRAP(ssize_t, pread, (int fd, void *bytes, size_t size, off_t at), (fd, bytes, size, at), false, -1)
WRAP(DIR *, fdopendir, (int fd), (fd), false, NULL)
WRAP(struct dirent *, readdir, (DIR * stream), (stream), false, NULL)

/* Where it fails with nothing, other bytes are read than were written. */
ssize_t __real_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
	bool bad = fails("read", false);
	ssize_t got = bad && number != 0 ? -1 : __real_read(fd, bytes, size);

	if (bad && got > 0)
		*(char *)bytes ^= 1;
	return got;
}

/* Where it is not there any more, somebody else has removed it just now. */
int __real_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags)
{
	bool bad = fails("unlinkat", false);
	int result = bad && number != ENOENT ? -1 : __real_unlinkat(fd, name, flags);

	if (bad)
		errno = number;
	return bad ? -1 : result;
}

/* Where it fails with nothing, the file has every attribute, as one that is mounted or cannot be changed.
 */
int __real_statx(int fd, const char *name, int flags, unsigned mask, struct statx *status);
int __wrap_statx(int fd, const char *name, int flags, unsigned mask, struct statx *status);
int __wrap_statx(int fd, const char *name, int flags, unsigned mask, struct statx *status)
{
	bool bad = fails("statx", false);
	int result = bad && number != 0 ? -1 : __real_statx(fd, name, flags, mask, status);

	if (bad && result == 0)
		status->stx_attributes = UINT64_MAX;
	return result;
}

int __real_openat(int fd, const char *name, int flags, ...);
int __wrap_openat(int fd, const char *name, int flags, ...);
int __wrap_openat(int fd, const char *name, int flags, ...)
{
	/* Of the library's own none is made with it here. */
	return fails("openat", false) ? -1 : __real_openat(fd, name, flags, 0600);
}

int __real_open(const char *name, int flags, ...);
int __wrap_open(const char *name, int flags, ...);
int __wrap_open(const char *name, int flags, ...)
{
	if (fails("open", false))
		return -1;
	return __real_open(instead_of != NULL && strcmp(name, instead_of) == 0 ? instead : name, flags,
			   0600);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return fails("fcntl", false) ? -1 : __real_fcntl(fd, command, argument);
}

long __real_syscall(long call, ...);
long __wrap_syscall(long call, ...);
long __wrap_syscall(long call, ...)
{
	va_list arguments;
	long word[5]; /* none of the library's has more */

	va_start(arguments, call);
	for (int i = 0; i < 5; i++)
		word[i] = va_arg(arguments, long);
	va_end(arguments);
	return fails("syscall", false) ? -1
				       : __real_syscall(call, word[0], word[1], word[2], word[3], word[4]);
}

/* It is closed all the same. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	bool bad = fails("close", false);
	int result = __real_close(fd);

	if (bad)
		errno = number;
	return bad ? -1 : result;
}

void short_of(const char *names, long at, long count, int fault)
{
	only = names;
	left = at;
	failures = count;
	number = fault;
	met = false;
}

void short_instead(const char *of, const char *path)
{
	instead_of = of;
	instead = path;
}

bool short_met(void)
{
	left = 0;
	return met;
}

/* A program may find no memory to start with; its processes have a test of their own. */
int __real_cd_run(struct cd_run *run);
int __wrap_cd_run(struct cd_run *run);
int __wrap_cd_run(struct cd_run *run)
{
	bool fault = fails("cd_run", true);
	long kept = left;
	int result = CERTDEPLOY_ENOMEM;

	if (!fault) {
		left = 0;
		result = __real_cd_run(run);
		left = kept;
	}
	return result;
}

static int call(int (*operate)(void *data), void *data, long at, int fault)
{
	int result;

	short_of(NULL, at, 1, fault);
	result = operate(data);
	left = 0;
	return result;
}

void short_of_everything(int (*operate)(void *data), void *data)
{
	static const int faults[] = {ENOMEM, EIO, EACCES};
	int expected = call(operate, data, 0, ENOMEM);
	unsigned hits = 0;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		met = true;
		for (long at = 1; met; at++) {
			int result = call(operate, data, at, faults[i]);

			hits += met ? 1 : 0;
			if (result != expected && faults[i] == ENOMEM)
				assert_int_equal(result, CERTDEPLOY_ENOMEM);
			assert_true(result <= 0);
		}
	}
	assert_true(hits > 0);
	assert_int_equal(call(operate, data, 0, ENOMEM), expected);
}
