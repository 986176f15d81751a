/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * prune.c - old backups go, all of them or none
 *
 * Their names are written to a list. From the rename that gives the list its name they go, and the next
 * run after a kill goes on with it; before, all of them stay. Each leaves the history by one rename, or
 * piece by piece where there can be none.
 */
#include "change/history.h"
#include "change/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIST_LIMIT ((size_t)16 << 20)

/*
 * A copy beside its original goes where it is still ours. The backup, which knows of it, goes when the copy
 * has gone for good.
 */
static int remove_copy(const struct cd_state *state, const struct cd_entry *entry)
{
	char digest[CD_SHA256_TEXT];
	const char *name;
	int directory = cd_disk_parent(&name, state->root, entry->path), error;

	if (directory == -1)
		return cd_disk_is_gone(errno) ? 0 : errno;
	error = cd_disk_digest(digest, directory, name);
	if (error == 0 && strcmp(digest, entry->after.digest) == 0 && unlinkat(directory, name, 0) == -1)
		error = errno;
	error = cd_disk_is_gone(error) ? 0 : error;
	if (error == 0 && fsync(directory) == -1)
		error = errno;
	(void)close(directory);
	return error;
}

/* Copies beside the originals go with the backup. One that nobody can read has none that we know of. */
static int remove_copies(const struct cd_state *state, int backup)
{
	struct cd_problems ignored = {0};
	struct cd_journal journal;
	int result = cd_journal_read(&journal, &ignored, backup, NULL, true), error = 0;

	for (size_t i = 0; result == 0 && error == 0 && i < journal.entries.count; i++) {
		const struct cd_entry *entry = journal.entries.items[i];

		if (entry->backup_of != NULL)
			error = remove_copy(state, entry);
	}
	cd_journal_free(&journal);
	cd_problems_free(&ignored);
	if (result != 0 && result != CERTDEPLOY_EREFUSED && result != CERTDEPLOY_ENOTFOUND)
		error = result == CERTDEPLOY_ENOMEM ? ENOMEM : EIO;
	return error;
}

/* Out of the history at once, whatever becomes of its content. */
static int take_out(const struct cd_state *state, int backups, int pruned, const char *name)
{
	int backup = cd_disk_open(backups, name, O_RDONLY | O_DIRECTORY, 0);
	int error = backup == -1 ? errno : remove_copies(state, backup);

	if (backup != -1)
		(void)close(backup);
	if (error == 0) {
		error = cd_disk_rename_new(backups, name, pruned, name);
		/* So it is of what comes from the lower layer of an overlay. */
		if (error == EXDEV)
			error = cd_disk_remove(backups, name);
	}
	return error;
}

/* ---- the list of those that go: once it stands, they go ---- */

static int add_name(struct cd_buffer *list, const char *name)
{
	cd_buffer_string(list, name);
	cd_buffer_string(list, "\n");
	return list->failed ? ENOMEM : 0;
}

static bool is_listed(const char *list, const char *name)
{
	size_t length = strlen(name), line;

	for (; *list != '\0'; list += line + (list[line] == '\0' ? 0 : 1)) {
		line = strcspn(list, "\n");
		if (line == length && memcmp(list, name, length) == 0)
			return true;
	}
	return false;
}

/* The rename decides. When its flush fails it is taken back, for it may not last. */
static int begin(const struct cd_state *state, const struct cd_buffer *list)
{
	struct cd_flush flush;
	int error, late;

	cd_flush_begin(&flush, 1);
	/* What an earlier run left of it went when that was finished. */
	error = cd_disk_put(state->directory, CD_PRUNE_NEW, cd_buffer_text(list), list->length, &flush);
	late = cd_flush_barrier(&flush);
	error = error != 0 ? error : late;
	if (error == 0)
		error = cd_disk_rename_new(state->directory, CD_PRUNE_NEW, state->directory, CD_PRUNE);
	else
		(void)cd_disk_remove(state->directory, CD_PRUNE_NEW);
	if (error == 0 && fsync(state->directory) == -1) {
		error = errno;
		(void)cd_disk_remove(state->directory, CD_PRUNE);
	}
	return error;
}

static int read_list(char **list, const struct cd_state *state)
{
	int fd = cd_disk_open(state->directory, CD_PRUNE, O_RDONLY | O_NONBLOCK, 0), error;
	size_t length;

	*list = NULL;
	error = fd == -1 ? errno : cd_read_fd(list, &length, NULL, fd, LIST_LIMIT);
	if (fd != -1)
		(void)close(fd);
	return error;
}

static int take_out_listed(const struct cd_state *state, const char *names, int backups, int pruned)
{
	struct cd_arena arena = {0};
	struct cd_vector list = {0};
	int error = cd_backups_list(&list, &arena, backups);

	for (size_t i = 0; error == 0 && i < list.count; i++) {
		const struct cd_backup *backup = list.items[i];

		if (is_listed(names, backup->name))
			error = take_out(state, backups, pruned, backup->name);
	}
	/* The list goes when what it names has gone for good. */
	if (error == 0 && fsync(backups) == -1)
		error = errno;
	cd_vector_free(&list);
	cd_arena_free(&arena);
	return error;
}

int cd_prune_finish(struct cd_state *state, bool *begun)
{
	int backups = -1, pruned = -1, error;
	char *names;

	error = read_list(&names, state);
	*begun = error != ENOENT;
	if (names != NULL) {
		backups = cd_disk_make_directory(state->directory, CD_BACKUPS, 0700);
		pruned = backups == -1 ? -1 : cd_disk_make_directory(state->directory, CD_PRUNED, 0700);
		error = pruned == -1 ? errno : take_out_listed(state, names, backups, pruned);
	}
	if (error == 0)
		error = cd_disk_remove(state->directory, CD_PRUNE);
	if (error == 0 || error == ENOENT)
		error = cd_disk_remove(state->directory, CD_PRUNED);
	if (error == 0)
		error = cd_disk_remove(state->directory, CD_PRUNE_NEW);
	if (backups != -1)
		(void)close(backups);
	if (pruned != -1)
		(void)close(pruned);
	free(names);
	return error;
}

/* ---- which go ---- */

static int choose(struct cd_buffer *going, int backups, unsigned keep, int64_t before)
{
	unsigned kept[2] = {0, 0}; /* those that were done, and those that were put back */
	struct cd_arena arena = {0};
	struct cd_vector list = {0};
	int error = cd_backups_list(&list, &arena, backups);

	for (size_t i = 0; error == 0 && i < list.count; i++) {
		const struct cd_backup *backup = list.items[i];
		unsigned *count = &kept[strcmp(backup->result, "committed") == 0 ? 0 : 1];

		if (*count < keep || backup->time >= before)
			(*count)++;
		else
			error = add_name(going, backup->name);
	}
	cd_vector_free(&list);
	cd_arena_free(&arena);
	return error;
}

/* *begun: the names of those that go stand in the list, and what went wrong is not the end of it. */
static int prune(bool *begun, struct cd_state *state, unsigned keep, int64_t before)
{
	struct cd_buffer going = {0};
	int error = cd_prune_finish(state, begun), backups = -1;

	if (error == 0) {
		backups = cd_disk_open(state->directory, CD_BACKUPS, O_RDONLY | O_DIRECTORY, 0);
		error = backups == -1 ? errno : choose(&going, backups, keep, before);
	}
	if (backups != -1)
		(void)close(backups);
	if (error == 0 && going.length != 0)
		error = begin(state, &going);
	if (error == 0 && going.length != 0)
		error = cd_prune_finish(state, begun);
	cd_buffer_free(&going);
	return backups == -1 && error == ENOENT ? 0 : error;
}

void cd_prune_backups(struct cd_state *state, unsigned keep, int64_t before)
{
	bool begun;

	/* What stays is removed by the next run. */
	(void)prune(&begun, state, keep, before);
}

int cd_history_prune(bool *removed, struct cd_problems *problems, const struct cd_root *root,
		     const char *state_directory, unsigned keep, long older, unsigned wait)
{
	struct cd_state state;
	int result = cd_state_open(&state, problems, root, state_directory, false), error;

	*removed = false;
	if (result == CERTDEPLOY_ENOTFOUND)
		return 0;
	if (result == 0)
		result = cd_state_lock(&state, wait, NULL, NULL);
	if (result == 0) {
		error = prune(removed, &state, keep, older <= 0 ? INT64_MAX : (int64_t)time(NULL) - older);
		if (error != 0)
			result =
				cd_fail_errno(problems, error, state.path,
					      *removed ? _("not all old backups could be removed; the next "
							   "run goes on with it")
						       : _("cannot remove old backups"));
	}
	cd_state_close(&state);
	return result;
}
