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

/*
 * A lock of the open file, not of the process: threads exclude each other too, and closing another
 * descriptor of the file does not lose it. The kernel releases it with the process; the file stays.
 */
int cd_state_lock(struct cd_state *state, unsigned wait,
		  int (*progress)(void *user, const char *what, size_t done, size_t total), void *user)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int64_t end = cd_now_ms() + (int64_t)wait * 1000;
	int fd = cd_disk_open_own(state->directory, LOCK, 0);
	int error;

	if (fd == -1)
		return cd_fail_errno(state->problems, errno, state->path, _("cannot open the lock"));
	while (fcntl(fd, F_OFD_SETLK, &whole) == -1) {
		error = errno;
		if ((error == EAGAIN || error == EACCES) && cd_now_ms() < end) {
			rest();
			if (progress == NULL || progress(user, _("waiting for another run"), 0, 0) == 0)
				continue;
			(void)close(fd);
			return cd_fail(state->problems, CERTDEPLOY_ECANCELLED, "cancelled", NULL, 0,
				       _("cancelled while waiting for another run"));
		}
		(void)close(fd);
		if (error != EAGAIN && error != EACCES)
			return cd_fail_errno(state->problems, error, state->path,
					     _("cannot take the lock"));
		return cd_fail(state->problems, CERTDEPLOY_ELOCKED, "locked", state->path, 0,
			       _("another run is at work and did not end within %u seconds"), wait);
	}
	state->lock = fd;
	return 0;
}

bool cd_state_is_locked(const struct cd_state *state)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = cd_disk_open(state->directory, LOCK, O_RDONLY, 0);
	bool locked = false;

	if (fd == -1)
		return false;
	if (fcntl(fd, F_OFD_GETLK, &whole) == 0)
		locked = whole.l_type != F_UNLCK;
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
