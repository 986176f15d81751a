/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* outputs.c - keys, requests and bundles that an operation hands out */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Never over something, never through a link, never readable by others when it is a key. */
static int write_file(const char *file, const struct certdeploy_output *output)
{
	const char *bytes = output->bytes;
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		      output->secret ? 0600 : 0644);
	int error = 0;

	if (fd == -1)
		return errno;
	for (size_t done = 0; error == 0 && done < output->length;) {
		ssize_t written = write(fd, bytes + done, output->length - done);

		if (written >= 0)
			done += (size_t)written;
		else if (errno != EINTR)
			error = errno;
	}
	if (error == 0 && fsync(fd) == -1)
		error = errno;
	if (close(fd) == -1 && error == 0)
		error = errno;
	if (error != 0)
		(void)unlink(file);
	return error;
}

int write_outputs(struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_output *output;

	for (size_t i = 0; (output = certdeploy_result_output(result, i)) != NULL; i++) {
		const char *file = output_file(tool, output);
		int error = file == NULL ? 0 : write_file(file, output);

		if (error != 0)
			return file_problem(tool, file, error);
	}
	return 0;
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
