/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* prune.c - old backups go */
#include "change/history.h"
#include "change/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Copies beside the originals go with the backup, where they are still ours. */
static void remove_beside(struct cd_state *state, int backup)
{
	struct cd_problems ignored = {0};
	struct cd_journal journal;

	if (cd_journal_read(&journal, &ignored, backup, NULL) == 0)
		for (size_t i = 0; i < journal.entries.count; i++) {
			const struct cd_entry *entry = journal.entries.items[i];
			char digest[CD_SHA256_TEXT];
			const char *name;
			int directory = entry->backup_of == NULL
						? -1
						: cd_disk_parent(&name, state->root, entry->path);

			if (directory == -1)
				continue;
			if (cd_disk_digest(digest, directory, name) == 0 &&
			    strcmp(digest, entry->after.digest) == 0)
				(void)unlinkat(directory, name, 0);
			(void)close(directory);
		}
	cd_journal_free(&journal);
	cd_problems_free(&ignored);
}

static int remove_backup(struct cd_state *state, int backups, const char *name)
{
	int backup = cd_disk_open(backups, name, O_RDONLY | O_DIRECTORY, 0);

	if (backup != -1) {
		remove_beside(state, backup);
		(void)close(backup);
	}
	return cd_disk_remove(backups, name);
}

static int prune(struct cd_state *state, unsigned keep, int64_t before)
{
	int backups = cd_disk_open(state->directory, CD_BACKUPS, O_RDONLY | O_DIRECTORY, 0), error;
	unsigned kept[2] = {0, 0}; /* those that were done, and those that were put back */
	struct cd_arena arena = {0};
	struct cd_vector list = {0};

	if (backups == -1)
		return errno == ENOENT ? 0 : errno;
	error = cd_backups_list(&list, &arena, backups);
	for (size_t i = 0; error == 0 && i < list.count; i++) {
		const struct cd_backup *backup = list.items[i];
		unsigned *count = &kept[strcmp(backup->result, "committed") == 0 ? 0 : 1];

		if (*count < keep || backup->time >= before)
			(*count)++;
		else
			error = remove_backup(state, backups, backup->name);
	}
	cd_vector_free(&list);
	cd_arena_free(&arena);
	(void)close(backups);
	return error;
}

void cd_prune_backups(struct cd_state *state, unsigned keep, int64_t before)
{
	/* What stays is removed by the next run. */
	(void)prune(state, keep, before);
}

int cd_history_prune(struct cd_problems *problems, const struct cd_root *root, const char *state_directory,
		     unsigned keep, long older, unsigned wait)
{
	struct cd_state state;
	int result = cd_state_open(&state, problems, root, state_directory, false), error;

	if (result == CERTDEPLOY_ENOTFOUND)
		return 0;
	if (result == 0)
		result = cd_state_lock(&state, wait, NULL, NULL);
	if (result == 0) {
		error = prune(&state, keep, older <= 0 ? INT64_MAX : (int64_t)time(NULL) - older);
		if (error != 0)
			result = cd_fail_errno(problems, error, state.path, _("cannot remove a backup"));
	}
	cd_state_close(&state);
	return result;
}
