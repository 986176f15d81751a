/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* side.c - what stands at a path, and how to call what happened there */
#include "change/work.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int cd_side_look(struct cd_side *side, char **target, struct cd_identity *identity, int directory,
		 const char *name)
{
	struct stat status;

	*side = (struct cd_side){.kind = CD_SIDE_NOTHING};
	*target = NULL;
	*identity = (struct cd_identity){.exists = false};
	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : errno;
	cd_identity_of(identity, &status);
	if (S_ISREG(status.st_mode)) {
		side->kind = CD_SIDE_FILE;
		return cd_disk_digest(side->digest, directory, name);
	}
	if (S_ISLNK(status.st_mode)) {
		side->kind = CD_SIDE_LINK;
		return cd_disk_readlink(target, directory, name);
	}
	/* A device or pipe is a file that nobody here has written. */
	side->kind = S_ISDIR(status.st_mode) ? CD_SIDE_DIRECTORY : CD_SIDE_FILE;
	return 0;
}

bool cd_side_same(const struct cd_side *now, const char *target, const struct cd_side *side)
{
	if (now->kind != side->kind)
		return false;
	if (now->kind == CD_SIDE_FILE)
		return strcmp(now->digest, side->digest) == 0;
	return now->kind != CD_SIDE_LINK || strcmp(target, side->target) == 0;
}

bool cd_entry_is_directory(const struct cd_entry *entry)
{
	return entry->before.kind == CD_SIDE_DIRECTORY || entry->after.kind == CD_SIDE_DIRECTORY;
}

const char *cd_entry_change(const struct cd_journal *journal, const struct cd_entry *entry)
{
	if (entry->after.kind == CD_SIDE_NOTHING)
		return "removed";
	if (strcmp(journal->command, "rollback") == 0)
		return "restored";
	if (entry->before.kind == CD_SIDE_NOTHING)
		return "created";
	/* A configuration is edited; a certificate, key or link becomes another. */
	return entry->service != NULL && !entry->secret && entry->after.kind == CD_SIDE_FILE ? "edited"
											     : "replaced";
}

int cd_entries_beside(struct cd_table *beside, const struct cd_journal *journal)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < journal->entries.count; i++) {
		const struct cd_entry *entry = journal->entries.items[i];

		if (entry->backup_of != NULL)
			result = cd_table_lend(beside, entry->backup_of, entry);
	}
	return result;
}

const char *cd_entry_backup(struct cd_arena *arena, const struct cd_table *beside,
			    const struct cd_entry *entry, const char *state, const char *backup)
{
	const struct cd_entry *copy = cd_table_get(beside, entry->path);

	if (entry->before.kind != CD_SIDE_FILE)
		return NULL;
	if (copy != NULL)
		return cd_arena_string(arena, copy->path);
	return cd_arena_format(arena, "%s/" CD_BACKUPS "/%s/" CD_FILES "%s", state, backup, entry->path);
}
