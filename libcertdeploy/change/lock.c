/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.c - one run at a time, and respect for the locks of panels */
#include "base/process.h"
#include "change/disk.h"
#include "change/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOCK "lock"
#define STEP_MS 50

static void rest(void)
{
	const struct timespec step = {0, STEP_MS * 1000000L};

	(void)nanosleep(&step, NULL);
}

/* Take the lock, or only look whether it is free. Returns 0 or an errno. */
static int try_lock(int fd, bool look)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, look ? F_OFD_GETLK : F_OFD_SETLK, &whole) == -1)
		return errno;
	return look && whole.l_type != F_UNLCK ? EAGAIN : 0;
}

static int wait_for_turn(struct cd_state *state, int fd, bool look, unsigned wait,
			 int (*progress)(void *user, const char *what, size_t done, size_t total),
			 void *user)
{
	int64_t end = cd_now_ms() + (int64_t)wait * 1000;
	int error;

	while ((error = try_lock(fd, look)) != 0) {
		if (error != EAGAIN && error != EACCES)
			return cd_fail_errno(state->problems, error, state->path,
					     _("cannot take the lock"));
		if (cd_now_ms() >= end)
			return cd_fail(state->problems, CERTDEPLOY_ELOCKED, "locked", state->path, 0,
				       _("another run is at work and did not end within %u seconds"), wait);
		rest();
		if (progress != NULL && progress(user, _("waiting for another run"), 0, 0) != 0)
			return cd_fail(state->problems, CERTDEPLOY_ECANCELLED, "cancelled", NULL, 0,
				       _("cancelled while waiting for another run"));
	}
	return 0;
}

/*
 * A lock of the open file, not of the process: threads exclude each other too, and closing another
 * descriptor of the file does not lose it. The kernel releases it with the process; the file stays.
 */
int cd_state_lock(struct cd_state *state, unsigned wait,
		  int (*progress)(void *user, const char *what, size_t done, size_t total), void *user)
{
	int fd = cd_disk_open_own(state->directory, LOCK, 0);
	int result;

	if (fd == -1)
		return cd_fail_errno(state->problems, errno, state->path, _("cannot open the lock"));
	result = wait_for_turn(state, fd, false, wait, progress, user);
	if (result != 0)
		(void)close(fd);
	else
		state->lock = fd;
	return result;
}

int cd_state_await(struct cd_state *state, unsigned wait,
		   int (*progress)(void *user, const char *what, size_t done, size_t total), void *user)
{
	int fd = cd_disk_open(state->directory, LOCK, O_RDONLY | O_NONBLOCK, 0);
	int result = fd == -1 ? 0 : wait_for_turn(state, fd, true, wait, progress, user);

	if (fd != -1)
		(void)close(fd);
	return result;
}

bool cd_state_is_locked(const struct cd_state *state)
{
	int fd = cd_disk_open(state->directory, LOCK, O_RDONLY | O_NONBLOCK, 0);
	bool locked = fd != -1 && try_lock(fd, true) == EAGAIN;

	if (fd != -1)
		(void)close(fd);
	return locked;
}

/* The process that claims the file; 0: nobody who lives. */
static pid_t claimed_by(int directory, const char *lock)
{
	int fd = cd_disk_open(directory, lock, O_RDONLY | O_NONBLOCK, 0);
	char digits[32];
	struct stat status;
	ssize_t length;
	long pid;

	if (fd == -1)
		return 0;
	length = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? read(fd, digits, sizeof(digits) - 1)
								    : -1;
	(void)close(fd);
	if (length <= 0)
		return 0;
	digits[length] = '\0';
	pid = strtol(digits, NULL, 10);
	if (pid <= 0 || pid > INT_MAX || pid == getpid())
		return 0;
	return kill((pid_t)pid, 0) == 0 || errno == EPERM ? (pid_t)pid : 0;
}

int cd_wait_for_others(struct cd_problems *problems, int directory, const char *name, const char *path,
		       unsigned wait)
{
	int64_t end = cd_now_ms() + (int64_t)wait * 1000;
	char lock[NAME_MAX + 1];
	int length = snprintf(lock, sizeof(lock), "%s.lock", name);
	pid_t pid;

	if ((size_t)length >= sizeof(lock))
		return 0;
	while ((pid = claimed_by(directory, lock)) != 0 && cd_now_ms() < end)
		rest();
	if (pid == 0)
		return 0;
	return cd_fail(problems, CERTDEPLOY_ELOCKED, "locked", path, 0,
		       _("process %ld holds the file by its lock file %s"), (long)pid, lock);
}
