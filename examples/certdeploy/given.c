/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* given.c - files, pipes and descriptors that were named, read with patience and within limits */
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE 60000 /* milliseconds of silence */

int open_given(const char *path)
{
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

/* A person takes time, and may end standard input; from elsewhere nothing may ever come. */
static int await(int fd)
{
	struct pollfd waited = {.fd = fd, .events = POLLIN};
	int patience = fd == STDIN_FILENO || isatty(fd) ? -1 : PATIENCE, ready;
	struct stat status;

	/* A file has it, or says that it has not; what is open for writing only says so, too. */
	if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY ||
	    (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)))
		return 0;
	do
		ready = poll(&waited, 1, patience);
	while (ready == -1 && errno == EINTR);
	return ready == -1 ? errno : ready == 0 ? ETIMEDOUT : 0;
}

/* As read(), in the end. */
static ssize_t read_some(int fd, char *bytes, size_t room)
{
	ssize_t count;

	do {
		int error = await(fd);

		if (error != 0) {
			errno = error;
			return -1;
		}
		count = read(fd, bytes, room);
	} while (count == -1 && errno == EINTR);
	return count;
}

int read_all(char **out, size_t *length, int fd, size_t limit)
{
	size_t room = (size_t)16 << 10, used = 0;
	char *bytes = malloc(room);
	ssize_t count = 1;

	*out = NULL;
	*length = 0;
	while (bytes != NULL && (count = read_some(fd, bytes + used, room - used)) != 0) {
		char *grown;

		if (count == -1 || used + (size_t)count > limit)
			break;
		used += (size_t)count;
		if (used < room)
			continue;
		grown = malloc(room * 2);
		if (grown != NULL)
			memcpy(grown, bytes, used);
		explicit_bzero(bytes, used);
		free(bytes);
		bytes = grown;
		room *= 2;
	}
	if (bytes == NULL)
		return ENOMEM;
	if (count != 0) {
		int error = count == -1 ? errno : 0;

		explicit_bzero(bytes, used);
		free(bytes);
		return error != 0 ? error : EFBIG;
	}
	*out = bytes;
	*length = used;
	return 0;
}

/* Whoever gives the line may keep the other end open: no more than it is read. */
int read_line(char **out, size_t *length, int fd, size_t limit)
{
	char *line = malloc(limit + 1);
	size_t used = 0;
	ssize_t count = 1;
	int error = line == NULL ? ENOMEM : 0;

	while (error == 0 && count == 1 && (used == 0 || line[used - 1] != '\n')) {
		count = read_some(fd, line + used, 1);
		if (count == -1)
			error = errno;
		else if (count == 1 && ++used > limit)
			error = EFBIG;
	}
	if (error != 0 && line != NULL) {
		explicit_bzero(line, used);
		free(line);
		line = NULL;
	}
	*out = line;
	*length = used;
	return error;
}

int lone_failure(struct tool *tool, int error, const char *file)
{
	bool denied = error == EACCES || error == EPERM;

	if (error == ENOMEM)
		return CERTDEPLOY_ENOMEM;
	if (error == ETIMEDOUT)
		(void)snprintf(tool->message, sizeof(tool->message),
			       _("cannot be read: nothing came for a minute"));
	else
		(void)snprintf(tool->message, sizeof(tool->message), _("cannot be read: %s"),
			       tool_text(strerror(error)));
	tool->problem = (struct certdeploy_problem){.severity = CERTDEPLOY_ERROR,
						    .code = denied            ? "not-permitted"
							    : error == ENOENT ? "not-found"
							    : error == EFBIG  ? "too-large"
									      : "io-error",
						    .message = tool->message,
						    .fix = error == ENOENT ? _("Check the path.") : NULL,
						    .file = file};
	return denied ? CERTDEPLOY_EPERMISSION : error == EFBIG ? CERTDEPLOY_EREFUSED : CERTDEPLOY_EFAILED;
}
