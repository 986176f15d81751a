/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* short.c - the linker puts these before the library's allocations and system calls */
#include "short.h"

#include "certdeploy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static long left;  /* calls until one fails; 0: none will */
static int number; /* how it fails; ENOMEM: only allocations do */
static bool met;

static bool fails(bool allocates)
{
	if (left == 0 || allocates != (number == ENOMEM) || --left != 0)
		return false;
	met = true;
	errno = number;
	return true;
}

#define WRAP(type, name, parameters, arguments, allocates, failure)                                        \
	type __real_##name parameters;                                                                     \
	type __wrap_##name parameters;                                                                     \
	type __wrap_##name parameters                                                                      \
	{                                                                                                  \
		return fails(allocates) ? failure : __real_##name arguments;                               \
	}

WRAP(void *, malloc, (size_t size), (size), true, NULL)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), true, NULL)
WRAP(void *, realloc, (void *old, size_t size), (old, size), true, NULL)
WRAP(char *, strdup, (const char *text), (text), true, NULL)
WRAP(char *, strndup, (const char *text, size_t size), (text, size), true, NULL)
WRAP(ssize_t, read, (int fd, void *bytes, size_t size), (fd, bytes, size), false, -1)
WRAP(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size), false, -1)
WRAP(int, fstat, (int fd, struct stat *status), (fd, status), false, -1)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), false, -1)
WRAP(char *, mkdtemp, (char *path), (path), false, NULL)
WRAP(int, futimens, (int fd, const struct timespec *times), (fd, times), false, -1)
WRAP(DIR *, fdopendir, (int fd), (fd), false, NULL)
WRAP(struct dirent *, readdir, (DIR * stream), (stream), false, NULL)

int __real_openat(int fd, const char *name, int flags, ...);
int __wrap_openat(int fd, const char *name, int flags, ...);
int __wrap_openat(int fd, const char *name, int flags, ...)
{
	/* Of the library's own none is made with it here. */
	return fails(false) ? -1 : __real_openat(fd, name, flags, 0600);
}

int __real_open(const char *name, int flags, ...);
int __wrap_open(const char *name, int flags, ...);
int __wrap_open(const char *name, int flags, ...)
{
	return fails(false) ? -1 : __real_open(name, flags, 0600);
}

/* It is closed all the same. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	bool bad = fails(false);
	int result = __real_close(fd);

	if (bad)
		errno = number;
	return bad ? -1 : result;
}

static int call(int (*operate)(void *data), void *data, long at, int fault)
{
	int result;

	left = at;
	number = fault;
	met = false;
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
