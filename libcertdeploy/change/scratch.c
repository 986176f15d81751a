/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scratch.c - a private directory for files that only a program of ours is to read */
#include "change/scratch.h"

#include "change/disk.h"

#include "base/buffer.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int cd_scratch_open(struct cd_scratch *scratch, struct cd_problems *problems)
{
	static const char template[] = "/tmp/certdeploy.XXXXXX";

	*scratch = (struct cd_scratch){0};
	memcpy(scratch->path, template, sizeof(template));
	/* Made with mode 0700 under a name that nobody can foresee. */
	if (mkdtemp(scratch->path) == NULL) {
		int error = errno;

		scratch->path[0] = '\0';
		return cd_fail_errno(problems, error, "/tmp", _("cannot make a private directory"));
	}
	return 0;
}

static char *path_in(const struct cd_scratch *scratch, const char *name, size_t length)
{
	struct cd_buffer path = {0};

	cd_buffer_string(&path, scratch->path);
	cd_buffer_string(&path, "/");
	cd_buffer_add(&path, name, length);
	return cd_buffer_take(&path);
}

static int remember(struct cd_scratch *scratch, struct cd_problems *problems, char *path)
{
	if (path != NULL && cd_vector_add(&scratch->made, path) == 0)
		return 0;
	free(path);
	return cd_fail_memory(problems);
}

static int make_directories(struct cd_scratch *scratch, struct cd_problems *problems, const char *name)
{
	int result = 0;

	for (const char *slash = strchr(name, '/'); result == 0 && slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		char *path = path_in(scratch, name, (size_t)(slash - name));

		if (path == NULL)
			return cd_fail_memory(problems);
		if (mkdir(path, 0700) == 0) {
			result = remember(scratch, problems, path);
			continue;
		}
		if (errno != EEXIST)
			result = cd_fail_errno(problems, errno, path, _("cannot make a private directory"));
		free(path);
	}
	return result;
}

int cd_scratch_write(struct cd_scratch *scratch, struct cd_problems *problems, const char *name,
		     const char *bytes, size_t length)
{
	int result, fd, error;
	char *path;

	if (name[0] == '/' || strstr(name, "..") != NULL)
		return cd_fail(problems, CERTDEPLOY_EREFUSED, "unsafe-path", name, 0,
			       _("not a name for a private copy"));
	result = make_directories(scratch, problems, name);
	if (result != 0)
		return result;
	path = path_in(scratch, name, strlen(name));
	result = remember(scratch, problems, path);
	if (result != 0)
		return result;
	fd = cd_disk_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	error = fd == -1 ? errno : cd_disk_write(fd, bytes, length);
	/* Postfix waits up to three seconds for a file that was written just now to be complete. */
	if (error == 0 && futimens(fd, (const struct timespec[2]){{1, 0}, {1, 0}}) == -1)
		error = errno;
	error = cd_disk_close(fd, error);
	return error == 0 ? 0 : cd_fail_errno(problems, error, path, _("cannot write a private copy"));
}

void cd_scratch_clear(struct cd_scratch *scratch)
{
	while (scratch->made.count > 0) {
		char *path = scratch->made.items[--scratch->made.count];

		if (unlink(path) == -1)
			(void)rmdir(path);
		free(path);
	}
}

void cd_scratch_close(struct cd_scratch *scratch)
{
	cd_scratch_clear(scratch);
	cd_vector_free(&scratch->made);
	if (scratch->path[0] != '\0')
		(void)rmdir(scratch->path);
	scratch->path[0] = '\0';
}
