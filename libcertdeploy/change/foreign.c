/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * foreign.c - what somebody has changed since: told on the way back, and what it names stays
 *
 * A configuration that a person wrote to meanwhile keeps our edit, too. Were the certificate that it names
 * removed with the rest, the next reload would end its server.
 */
#include "change/document.h"
#include "change/work.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cd_foreign_free(struct cd_foreign *foreign)
{
	cd_buffer_free(&foreign->texts);
	cd_vector_free(&foreign->kept);
}

/* What cannot be read may name whatever it likes. */
static int read_text(struct cd_foreign *foreign, int directory, const char *name)
{
	int fd = cd_disk_open(directory, name, O_RDONLY | O_NONBLOCK, 0);
	char *bytes = NULL;
	size_t length = 0;
	int error = fd == -1 ? errno : cd_read_fd(&bytes, &length, NULL, fd, CD_DOCUMENT_LIMIT);

	if (fd != -1)
		(void)close(fd);
	/* With its NUL: the end of one and the beginning of the next make no word. */
	if (error == 0)
		cd_buffer_add(&foreign->texts, bytes, length + 1);
	else if (error != ENOMEM)
		foreign->unread = true;
	if (bytes != NULL)
		explicit_bzero(bytes, length);
	free(bytes);
	return foreign->texts.failed || error == ENOMEM ? ENOMEM : 0;
}

int cd_foreign_add(struct cd_foreign *foreign, struct cd_work *work, const struct cd_entry *entry,
		   int directory, const char *name, enum cd_side_kind kind)
{
	foreign->count++;
	cd_problem(work->problems, CERTDEPLOY_WARNING, "changed-since",
		   cd_safe(&work->problems->arena, entry->path), 0,
		   _("somebody has changed this since; it was left as it is"));
	foreign->texts.secret = true;
	return kind == CD_SIDE_FILE || kind == CD_SIDE_LINK ? read_text(foreign, directory, name) : 0;
}

/* Whether the path stands there, or one below it. */
static bool is_named(const struct cd_foreign *foreign, const char *path)
{
	const char *at = cd_buffer_text(&foreign->texts), *end = at + foreign->texts.length;
	size_t length = strlen(path);

	if (foreign->unread)
		return true;
	while ((at = memmem(at, (size_t)(end - at), path, length)) != NULL) {
		at += length;
		if (*at == '\0' || (!isalnum((unsigned char)*at) && strchr("._-", *at) == NULL))
			return true;
	}
	return false;
}

static bool is_within(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* What came by itself and is named, with all that came in it. */
static int look_for_named(struct cd_foreign *foreign, const struct cd_work *work)
{
	foreign->looked = foreign->count;
	for (size_t i = 0; i < work->journal.entries.count; i++) {
		const struct cd_entry *entry = work->journal.entries.items[i];

		if (entry->inside || entry->before.kind != CD_SIDE_NOTHING ||
		    (!is_named(foreign, entry->path) && !is_named(foreign, entry->asked)))
			continue;
		if (cd_vector_add(&foreign->kept, entry) != 0)
			return ENOMEM;
	}
	return 0;
}

int cd_foreign_keeps(bool *keeps, struct cd_foreign *foreign, struct cd_work *work,
		     const struct cd_entry *entry)
{
	int error = 0;

	*keeps = false;
	if (foreign->count == 0 || entry->before.kind != CD_SIDE_NOTHING)
		return 0;
	if (foreign->looked != foreign->count)
		error = look_for_named(foreign, work);
	for (size_t i = 0; error == 0 && !*keeps && i < foreign->kept.count; i++)
		*keeps = is_within(entry->path, ((const struct cd_entry *)foreign->kept.items[i])->path);
	if (*keeps && !entry->inside)
		cd_problem(work->problems, CERTDEPLOY_WARNING, "changed-since",
			   cd_safe(&work->problems->arena, entry->path), 0,
			   _("it stays, for what somebody has changed since names it"));
	return error;
}
