/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stage.c - new content beside its target, then in its place
 *
 * A file waits as `.NAME.certdeploy-ID` in the directory of its target, so that it goes live by a
 * rename. Where a server would read such a name as configuration, it waits in a directory of ours
 * further up. A new directory waits with all that will be in it, and goes live as a whole.
 */
#include "change/work.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool cd_work_is_read(const struct cd_work *work, const char *path)
{
	return work->asked->is_read != NULL && work->asked->is_read(work->asked->user, path);
}

static bool same_mount(const struct cd_work *work, const char *one, const char *other)
{
	int fds[2] = {cd_disk_directory(work->root, one), cd_disk_directory(work->root, other)};
	bool same = fds[0] != -1 && fds[1] != -1 && cd_disk_same_mount(fds[0], fds[1]);

	for (int i = 0; i < 2; i++)
		if (fds[i] != -1)
			(void)close(fds[i]);
	return same;
}

/* ---- places ---- */

/* A directory of ours in the nearest one above that no server reads. NULL: none, recorded. */
static const char *find_holder(struct cd_work *work, const struct cd_entry *entry)
{
	struct cd_arena *arena = &work->journal.arena;
	char *at = cd_arena_string(arena, entry->path), *slash;
	const char *parent;

	if (at == NULL) {
		(void)cd_fail_memory(work->problems);
		return NULL;
	}
	slash = strrchr(at, '/');
	*slash = '\0';
	parent = cd_arena_string(arena, at);
	while (parent != NULL && (slash = strrchr(at, '/')) != NULL) {
		const char *holder, *inside;

		*slash = '\0';
		holder = cd_arena_format(arena, "%s/.certdeploy-%s", at, work->journal.id);
		inside = holder == NULL ? NULL : cd_arena_format(arena, "%s/0", holder);
		if (inside == NULL)
			break;
		if (!same_mount(work, parent, at))
			goto none;
		if (!cd_work_is_read(work, holder) && !cd_work_is_read(work, inside))
			return holder;
	}
	if (slash != NULL) {
		(void)cd_fail_memory(work->problems);
		return NULL;
	}
none:
	(void)cd_fail(work->problems, CERTDEPLOY_EREFUSED, "no-staging-place", entry->path, 0,
		      _("a server reads everything in every directory from which this file could be put "
			"in place"));
	return NULL;
}

static int use_holder(struct cd_work *work, const char **used, const char *holder)
{
	struct cd_place place;
	int result;

	for (size_t i = 0; i < work->journal.holders.count; i++)
		if (strcmp(work->journal.holders.items[i], holder) == 0) {
			*used = work->journal.holders.items[i];
			return 0;
		}
	result = cd_place_find(&place, work->problems, work->root, holder, CD_TRUST_CHECK);
	if (result != 0)
		return result;
	cd_place_close(&place);
	*used = holder;
	return cd_vector_add(&work->journal.holders, holder) == 0 ? 0 : cd_fail_memory(work->problems);
}

static int choose_place(struct cd_work *work, struct cd_entry *entry, size_t number)
{
	struct cd_arena *arena = &work->journal.arena;
	const char *name = strrchr(entry->path, '/') + 1, *holder;
	int directory = (int)(name - entry->path), result;

	if (strlen(name) + strlen(work->journal.id) + 16 <= NAME_MAX)
		entry->staged = cd_arena_format(arena, "%.*s.%s.certdeploy-%s", directory, entry->path,
						name, work->journal.id);
	else
		entry->staged = cd_arena_format(arena, "%.*s.certdeploy-%s-%zu", directory, entry->path,
						work->journal.id, number);
	if (entry->staged == NULL)
		return cd_fail_memory(work->problems);
	if (strlen(entry->staged) >= PATH_MAX)
		return cd_fail_errno(work->problems, ENAMETOOLONG, entry->path, _("cannot stage the file"));
	if (!cd_work_is_read(work, entry->staged))
		return 0;
	holder = find_holder(work, entry);
	if (holder == NULL)
		return work->problems->out_of_memory ? CERTDEPLOY_ENOMEM : CERTDEPLOY_EREFUSED;
	result = use_holder(work, &holder, holder);
	if (result != 0)
		return result;
	entry->staged = cd_arena_format(arena, "%s/%zu", holder, number);
	return entry->staged == NULL ? cd_fail_memory(work->problems) : 0;
}

int cd_stage_places(struct cd_work *work)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < work->journal.entries.count; i++) {
		struct cd_entry *entry = work->journal.entries.items[i];

		if (!entry->inside)
			result = choose_place(work, entry, i);
	}
	return result;
}

/* ---- making ---- */

int cd_stage_file(int directory, const char *name, int from, const struct cd_entry *entry,
		  const struct cd_attributes *attributes, bool with_time, struct cd_flush *flush)
{
	const char *wanted =
		from == -1 || entry->backup_of != NULL ? entry->after.digest : entry->before.digest;
	int fd = cd_disk_open(directory, name, O_RDWR | O_CREAT | O_EXCL, 0600), error;
	char digest[CD_SHA256_TEXT];

	if (fd == -1)
		return errno;
	error = from == -1 ? cd_disk_write(fd, entry->bytes, entry->length)
			   : cd_disk_copy(fd, from, NULL, NULL);
	/* What has really been written decides. */
	if (error == 0 && lseek(fd, 0, SEEK_SET) == -1)
		error = errno;
	if (error == 0)
		error = cd_disk_copy(-1, fd, digest, NULL);
	if (error == 0 && strcmp(digest, wanted) != 0)
		error = EIO;
	if (error == 0)
		error = cd_attributes_apply(fd, attributes, with_time);
	if (error == 0)
		error = cd_flush_add(flush, fd, entry->path);
	return cd_disk_close(fd, error);
}

int cd_stage_link(int directory, const char *name, const char *target,
		  const struct cd_attributes *attributes, bool with_time)
{
	const struct timespec times[2] = {{0, UTIME_OMIT}, attributes->modified};
	struct stat status;

	if (symlinkat(target, directory, name) == -1 ||
	    fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == -1)
		return errno;
	if ((status.st_uid != attributes->owner || status.st_gid != attributes->group) &&
	    fchownat(directory, name, attributes->owner, attributes->group, AT_SYMLINK_NOFOLLOW) == -1)
		return errno;
	if (with_time && utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW) == -1)
		return errno;
	return 0;
}

/* The path at which an entry waits; inside a new directory, below the name that that one has. */
static int staged_path(char out[PATH_MAX], const struct cd_entry *entry)
{
	int length = entry->inside ? snprintf(out, PATH_MAX, "%s%s", entry->top->staged,
					      entry->path + strlen(entry->top->path))
				   : snprintf(out, PATH_MAX, "%s", entry->staged);

	return length < PATH_MAX ? 0 : ENAMETOOLONG;
}

static int stage_content(struct cd_work *work, const struct cd_entry *entry, int directory,
			 const char *name, struct cd_flush *flush)
{
	int from = -1, error;

	switch (entry->after.kind) {
	case CD_SIDE_FILE:
		if (entry->backup_of != NULL)
			from = cd_backup_open(work->directory, entry);
		if (entry->backup_of != NULL && from == -1)
			return errno;
		error = cd_stage_file(directory, name, from, entry, &entry->after.attributes,
				      entry->backup_of != NULL || entry->keep_time, flush);
		if (from != -1)
			(void)close(from);
		return error;
	case CD_SIDE_LINK:
		return cd_stage_link(directory, name, entry->after.target, &entry->after.attributes,
				     entry->keep_time);
	case CD_SIDE_DIRECTORY:
		return mkdirat(directory, name, 0700) == -1 ? errno : 0;
	default:
		return 0;
	}
}

static int stage_one(struct cd_work *work, const struct cd_entry *entry, struct cd_flush *flush)
{
	char path[PATH_MAX];
	const char *name;
	int error = staged_path(path, entry), directory;

	if (error == 0) {
		directory = cd_disk_parent(&name, work->root, path);
		error = directory == -1 ? errno : stage_content(work, entry, directory, name, flush);
		if (directory != -1)
			(void)close(directory);
	}
	if (error == 0)
		return 0;
	return cd_fail_errno(work->problems, error, entry->path, _("cannot stage the file"));
}

/* A staged directory gets its owner and mode when all that belongs in it is there. */
static int finish_directory(struct cd_work *work, const struct cd_entry *entry, struct cd_flush *flush)
{
	char path[PATH_MAX];
	int fd, error;

	/* It has been made there. */
	(void)staged_path(path, entry);
	fd = cd_disk_directory(work->root, path);
	error = fd == -1 ? errno : 0;
	if (error == 0)
		error = cd_attributes_apply(fd, &entry->after.attributes, false);
	if (error == 0)
		error = cd_flush_add(flush, fd, entry->path);
	if (fd != -1)
		(void)close(fd);
	if (error == 0)
		return 0;
	return cd_fail_errno(work->problems, error, entry->path, _("cannot stage the directory"));
}

static int make_holders(struct cd_work *work)
{
	for (size_t i = 0; i < work->journal.holders.count; i++) {
		const char *path = work->journal.holders.items[i], *name;
		int directory = cd_disk_parent(&name, work->root, path), error = 0;

		if (directory == -1 || mkdirat(directory, name, 0700) == -1)
			error = errno;
		if (directory != -1)
			(void)close(directory);
		if (error != 0)
			return cd_fail_errno(work->problems, error, path, _("cannot make a directory"));
	}
	return 0;
}

static int may_go_on(struct cd_work *work, const char *what, size_t done, size_t total)
{
	struct cd_transaction *asked = work->asked;

	if (asked->progress == NULL || asked->progress(asked->user, what, done, total) == 0)
		return 0;
	return cd_fail(work->problems, CERTDEPLOY_ECANCELLED, "cancelled", NULL, 0,
		       _("cancelled by the caller"));
}

int cd_stage_all(struct cd_work *work)
{
	const struct cd_vector *entries = &work->journal.entries;
	struct cd_flush flush;
	int result = make_holders(work), error;

	cd_flush_begin(&flush, entries->count);
	for (size_t i = 0; result == 0 && i < entries->count; i++) {
		result = may_go_on(work, _("writing"), i, entries->count);
		if (result == 0)
			result = stage_one(work, entries->items[i], &flush);
	}
	for (size_t i = entries->count; result == 0 && i > 0; i--) {
		const struct cd_entry *entry = entries->items[i - 1];

		if (entry->after.kind == CD_SIDE_DIRECTORY)
			result = finish_directory(work, entry, &flush);
	}
	error = cd_flush_barrier(&flush);
	if (result == 0 && error != 0)
		result = cd_fail_errno(work->problems, error, flush.failed,
				       _("cannot flush what was written"));
	return result;
}

/* ---- switching ---- */

/* What was removed in it is on the disk before the directory itself goes; with many, soon after. */
static int remove_directory(struct cd_work *work, int parent, const char *name)
{
	struct cd_flush flush;
	int fd = cd_disk_open(parent, name, O_RDONLY | O_DIRECTORY, 0), error;

	if (fd == -1)
		return errno;
	cd_flush_begin(&flush, work->journal.entries.count);
	error = !flush.shared && fsync(fd) == -1 ? errno : 0;
	(void)close(fd);
	if (error != 0)
		return error;
	return unlinkat(parent, name, AT_REMOVEDIR) == -1 ? errno : 0;
}

static int switch_one(struct cd_work *work, struct cd_entry *entry)
{
	const char *name, *staged_name;
	int directory = cd_disk_parent(&name, work->root, entry->path), from = -1, error = 0;
	int result = directory == -1 ? cd_fail_errno(work->problems, errno, entry->path,
						     _("cannot open its directory"))
				     : cd_entry_compare(work, entry, directory, name);

	if (result != 0)
		goto out;
	work->switched = true;
	entry->waiting = false;
	if (entry->after.kind == CD_SIDE_NOTHING) {
		if (entry->before.kind == CD_SIDE_DIRECTORY)
			error = remove_directory(work, directory, name);
		else
			error = unlinkat(directory, name, 0) == -1 ? errno : 0;
	} else {
		from = cd_disk_parent(&staged_name, work->root, entry->staged);
		if (from == -1)
			error = errno;
		else if (entry->before.kind == CD_SIDE_NOTHING)
			error = cd_disk_rename_new(from, staged_name, directory, name);
		else
			error = renameat(from, staged_name, directory, name) == -1 ? errno : 0;
	}
	if (error == EEXIST || error == ENOTEMPTY)
		result = cd_fail(work->problems, CERTDEPLOY_EREFUSED, "changed-since", entry->path, 0,
				 _("somebody has put something here meanwhile"));
	else if (error != 0)
		result = cd_fail_errno(work->problems, error, entry->path,
				       _("cannot put the file in place"));
out:
	if (from != -1)
		(void)close(from);
	if (directory != -1)
		(void)close(directory);
	return result;
}

int cd_switch_all(struct cd_work *work)
{
	const char *where = NULL;
	int result = 0, error;

	for (size_t i = 0; result == 0 && i < work->journal.entries.count; i++) {
		struct cd_entry *entry = work->journal.entries.items[i];

		if (!entry->inside)
			result = switch_one(work, entry);
	}
	if (result != 0)
		return result;
	error = cd_flush_directories(work, &where);
	if (error != 0)
		return cd_fail_errno(work->problems, error, where, _("cannot flush a directory"));
	return 0;
}

/* ---- flushing and cleaning ---- */

static int flush_parent(struct cd_work *work, const char *path, struct cd_table *seen,
			struct cd_flush *flush)
{
	size_t length = (size_t)(strrchr(path, '/') - path);
	void **place = cd_table_place(seen, path, length);
	const char *name;
	int fd, error;

	if (place == NULL)
		return ENOMEM;
	if (*place != NULL)
		return 0;
	*place = work;
	fd = cd_disk_parent(&name, work->root, path);
	/* What has gone needs no flush; its own parent is among the others. */
	if (fd == -1)
		return cd_disk_is_gone(errno) ? 0 : errno;
	error = cd_flush_add(flush, fd, path);
	(void)close(fd);
	return error;
}

int cd_flush_directories(struct cd_work *work, const char **where)
{
	struct cd_table seen = {0};
	struct cd_flush flush;
	int error = 0, late;

	cd_flush_begin(&flush, work->journal.entries.count);
	for (size_t i = 0; error == 0 && i < work->journal.entries.count; i++) {
		const struct cd_entry *entry = work->journal.entries.items[i];

		if (!entry->inside)
			error = flush_parent(work, entry->path, &seen, &flush);
		if (error == 0 && !entry->inside)
			error = flush_parent(work, entry->staged, &seen, &flush);
	}
	for (size_t i = 0; error == 0 && i < work->journal.holders.count; i++)
		error = flush_parent(work, work->journal.holders.items[i], &seen, &flush);
	late = cd_flush_barrier(&flush);
	cd_table_free(&seen);
	*where = flush.failed;
	return error != 0 ? error : late;
}

/* What goes for good is gone when the record of it is filed. */
static int clean_one(struct cd_work *work, const char *path, bool for_good)
{
	const char *name;
	int directory = cd_disk_parent(&name, work->root, path), error;

	if (directory == -1)
		return cd_disk_is_gone(errno) ? 0 : errno;
	error = cd_disk_remove(directory, name);
	if (error == 0 && for_good && fsync(directory) == -1)
		error = errno;
	(void)close(directory);
	return error;
}

int cd_stage_clean_holders(struct cd_work *work)
{
	int last = 0;

	for (size_t i = 0; i < work->journal.holders.count; i++) {
		int error = clean_one(work, work->journal.holders.items[i], true);

		if (error != 0)
			last = error;
	}
	return last;
}

int cd_stage_clean(struct cd_work *work)
{
	int first = 0, error;

	for (size_t i = 0; i < work->journal.entries.count; i++) {
		const struct cd_entry *entry = work->journal.entries.items[i];

		error = entry->inside ? 0 : clean_one(work, entry->staged, false);
		first = first != 0 ? first : error;
	}
	error = cd_stage_clean_holders(work);
	return first != 0 ? first : error;
}
