/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* outputs.c - keys, requests and bundles that an operation hands out */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUTPUTS 4 /* of one operation */
#define PROCESS_FILES "/proc/self/fd"

const char *output_file(const struct tool *tool, const struct certdeploy_output *output)
{
	if (strcmp(output->name, "csr") == 0 || strcmp(output->name, "certificate") == 0)
		return tool->out_csr;
	if (tool->command->id == COMMAND_REQUEST)
		return tool->out_key;
	return tool->out;
}

static int file_problem(struct tool *tool, const char *file, int error)
{
	const char *reason = error == EEXIST
				     ? _("a file of this name is there already; none is overwritten")
			     : error == ENOSPC ? _("the disk is full")
			     : error == EACCES ? _("the file may not be written")
					       : _("the file cannot be written");

	(void)snprintf(tool->message, sizeof(tool->message), "%s", reason);
	tool->problem = (struct certdeploy_problem){.severity = CERTDEPLOY_ERROR,
						    .code = error == EACCES ? "not-permitted" : "io-error",
						    .message = tool->message,
						    .file = file};
	return error == EACCES ? CERTDEPLOY_EPERMISSION : CERTDEPLOY_EFAILED;
}

int check_outputs(struct tool *tool)
{
	const char *const files[] = {tool->out_key, tool->out_csr, tool->out};
	struct stat status;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (files[i] != NULL && lstat(files[i], &status) == 0)
			return file_problem(tool, files[i], EEXIST);
	return 0;
}

/* A file being handed out: it has no name until all are whole, so that a kill leaves no half of one. */
struct handed {
	const char *file;
	const char *name; /* the last part of file */
	int directory;    /* in which it goes; -1: not open */
	int fd;           /* -1: not open */
	bool named;
};

static int open_directory(struct handed *handed)
{
	size_t length = (size_t)(handed->name - handed->file);
	char *path = length == 0 ? strdup(".") : strndup(handed->file, length);

	if (path == NULL)
		return ENOMEM;
	handed->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	return handed->directory == -1 ? errno : 0;
}

/* Never over something, never through a link, never readable by others when it is a key. */
static int make_file(struct handed *handed, mode_t mode)
{
	if (access(PROCESS_FILES, X_OK) == 0)
		handed->fd = openat(handed->directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
	/* Not every file system has files without a name. */
	if (handed->fd == -1) {
		handed->fd = openat(handed->directory, handed->name,
				    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		handed->named = handed->fd != -1;
	}
	return handed->fd == -1 ? errno : 0;
}

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, bytes, length);

		if (written == -1 && errno != EINTR)
			return errno;
		bytes += written > 0 ? written : 0;
		length -= written > 0 ? (size_t)written : 0;
	}
	return fsync(fd) == -1 ? errno : 0;
}

static int prepare(struct handed *handed, const char *file, const struct certdeploy_output *output)
{
	const char *slash = strrchr(file, '/');
	int error;

	*handed = (struct handed){
		.file = file, .name = slash == NULL ? file : slash + 1, .directory = -1, .fd = -1};
	error = open_directory(handed);
	if (error == 0)
		error = make_file(handed, output->secret ? 0600 : 0644);
	if (error == 0)
		error = write_all(handed->fd, output->bytes, output->length);
	return error;
}

static int give_name(struct handed *handed)
{
	char path[64];

	if (!handed->named) {
		(void)snprintf(path, sizeof(path), PROCESS_FILES "/%d", handed->fd);
		if (linkat(AT_FDCWD, path, handed->directory, handed->name, AT_SYMLINK_FOLLOW) == -1)
			return errno;
		handed->named = true;
	}
	return fsync(handed->directory) == -1 ? errno : 0;
}

static void end(struct handed *handed, bool keep)
{
	if (handed->named && !keep)
		(void)unlinkat(handed->directory, handed->name, 0);
	if (handed->fd != -1)
		(void)close(handed->fd);
	if (handed->directory != -1)
		(void)close(handed->directory);
}

/* What was asked for would be had nowhere: JSON has no keys in it, and no bytes that are no text. */
static bool is_lost(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_output *output;

	for (size_t i = 0; (output = certdeploy_result_output(result, i)) != NULL; i++)
		if (output_file(tool, output) == NULL && (output->secret || !output->text))
			return true;
	return false;
}

/* All of the files or none. */
int write_outputs(struct tool *tool, const struct certdeploy_result *result)
{
	struct handed handed[OUTPUTS];
	const struct certdeploy_output *output;
	const char *wrong = NULL;
	size_t count = 0;
	int error = 0;

	if (tool->json && tool->command->id == COMMAND_EXPORT && is_lost(tool, result))
		return usage_error(tool, _("JSON has no keys in it: give a file with --out"));
	for (size_t i = 0; error == 0 && (output = certdeploy_result_output(result, i)) != NULL; i++) {
		const char *file = output_file(tool, output);

		if (file == NULL)
			continue;
		wrong = file;
		error = count == OUTPUTS ? E2BIG : prepare(&handed[count++], file, output);
	}
	/* The key comes first: after a kill it may be left alone, a request never. */
	for (size_t i = 0; error == 0 && i < count; i++) {
		wrong = handed[i].file;
		error = give_name(&handed[i]);
	}
	for (size_t i = 0; i < count; i++)
		end(&handed[i], error == 0);
	return error == 0 ? 0 : file_problem(tool, wrong, error);
}

void print_outputs(const struct tool *tool, const struct certdeploy_result *result, bool secrets)
{
	const struct certdeploy_output *output;

	for (size_t i = 0; (output = certdeploy_result_output(result, i)) != NULL; i++) {
		if (output_file(tool, output) != NULL || (output->secret && !secrets))
			continue;
		if (!output->text && isatty(STDOUT_FILENO))
			put_line(stderr, _("certdeploy: this is no text: give a file with --out\n"));
		else
			(void)fwrite(output->bytes, 1, output->length, stdout);
	}
}
