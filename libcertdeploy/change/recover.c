/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover.c - the way back: after a failure, and after a run that was killed
 *
 * Both do the same from the manifest alone. Each path is looked at: what is as before stays; what is
 * as the transaction made it is put back; anything else was made by somebody since, stays, and is
 * told. So it may be interrupted and repeated at will.
 */
#include "change/work.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TRIES 3 /* a short of memory may pass */

/* Make what was there, which is something, under the staged name. Returns 0 or an errno. */
static int make_old(struct cd_work *work, const struct cd_entry *entry, int directory, const char *name,
		    struct cd_flush *flush)
{
	const struct cd_side *before = &entry->before;
	int fd, error;

	switch (before->kind) {
	case CD_SIDE_FILE:
		fd = cd_backup_open(work->directory, entry);
		if (fd == -1)
			return errno;
		error = cd_stage_file(directory, name, fd, entry, &before->attributes, true, flush);
		(void)close(fd);
		return error;
	case CD_SIDE_LINK:
		return cd_stage_link(directory, name, before->target, &before->attributes, true);
	default:
		fd = cd_disk_make_directory(directory, name, 0700);
		if (fd == -1)
			return errno;
		error = cd_attributes_apply(fd, &before->attributes, false);
		if (error == 0)
			error = cd_flush_add(flush, fd, NULL);
		(void)close(fd);
		return error;
	}
}

static int make_holders_again(struct cd_work *work)
{
	for (size_t i = 0; i < work->journal.holders.count; i++) {
		const char *name;
		int directory = cd_disk_parent(&name, work->root, work->journal.holders.items[i]);

		if (directory == -1)
			return errno;
		if (mkdirat(directory, name, 0700) == -1 && errno != EEXIST) {
			(void)close(directory);
			return errno;
		}
		(void)close(directory);
	}
	return 0;
}

/* The directory in which the old file waits; those of ours come back when they are needed. -1: errno. */
static int open_waiting(const char **name, struct cd_work *work, const struct cd_entry *entry)
{
	int fd = cd_disk_parent(name, work->root, entry->staged);

	if (fd != -1 || errno != ENOENT)
		return fd;
	errno = make_holders_again(work);
	return errno != 0 ? -1 : cd_disk_parent(name, work->root, entry->staged);
}

/* Staged names are free again. */
static int put_old(struct cd_work *work, const struct cd_entry *entry, int directory, const char *name)
{
	const char *staged_name;
	struct cd_flush flush;
	int from, error, late;

	if (entry->before.kind == CD_SIDE_NOTHING) {
		int flag = entry->after.kind == CD_SIDE_DIRECTORY ? AT_REMOVEDIR : 0;

		return unlinkat(directory, name, flag) == -1 && errno != ENOENT ? errno : 0;
	}
	from = open_waiting(&staged_name, work, entry);
	if (from == -1)
		return errno;
	cd_flush_begin(&flush, 0);
	error = make_old(work, entry, from, staged_name, &flush);
	late = cd_flush_barrier(&flush);
	error = error != 0 ? error : late;
	if (error == 0)
		error = renameat(from, staged_name, directory, name) == -1 ? errno : 0;
	if (error != 0)
		(void)cd_disk_remove(from, staged_name);
	(void)close(from);
	return error;
}

/* What is as the run made it goes back; anything else stays. */
static int undo_there(struct cd_work *work, const struct cd_entry *entry, struct cd_foreign *foreign,
		      int directory, const char *name)
{
	struct cd_identity identity;
	struct cd_side now;
	char *target = NULL;
	bool keeps = false;
	int error = cd_side_look(&now, &target, &identity, directory, name);
	bool ours = error == 0 && (work->force || cd_side_same(&now, target, &entry->after));

	if (error == 0 && !cd_side_same(&now, target, &entry->before)) {
		if (ours)
			error = cd_foreign_keeps(&keeps, foreign, work, entry);
		if (ours && error == 0 && !keeps)
			error = put_old(work, entry, directory, name);
		if (!ours || error == ENOTEMPTY)
			error = cd_foreign_add(foreign, work, entry, directory, name, now.kind);
	}
	free(target);
	return error;
}

static int undo_one(struct cd_work *work, const struct cd_entry *entry, struct cd_foreign *foreign)
{
	const char *name;
	int directory = cd_disk_parent(&name, work->root, entry->path), error;

	if (directory == -1 && !cd_disk_is_gone(errno))
		return errno;
	/* Its directory never came, or somebody has taken it away. */
	if (directory == -1)
		return entry->before.kind == CD_SIDE_NOTHING
			       ? 0
			       : cd_foreign_add(foreign, work, entry, -1, NULL, CD_SIDE_NOTHING);
	error = undo_there(work, entry, foreign, directory, name);
	(void)close(directory);
	return error;
}

/* It never came in place: whatever stands there now is no concern of this run. */
static bool is_waiting(const struct cd_entry *entry)
{
	return entry->waiting || (entry->inside && entry->top != NULL && entry->top->waiting);
}

/* Of the new things, or of the others; a directory after what is in it. The first error. */
static int undo_those(struct cd_work *work, bool new, struct cd_foreign *foreign, const char **where)
{
	int first = 0, error;

	for (size_t i = work->journal.entries.count; i > 0; i--) {
		const struct cd_entry *entry = work->journal.entries.items[i - 1];

		if (is_waiting(entry) || (entry->before.kind == CD_SIDE_NOTHING) != new)
			continue;
		error = undo_one(work, entry, foreign);
		if (error != 0 && first == 0) {
			first = error;
			*where = entry->path;
		}
	}
	return first;
}

/* New things go last, and only when the rest is as before: what still names them would find nothing. */
static int undo_all(struct cd_work *work, size_t *count, const char **where)
{
	struct cd_foreign foreign = {0};
	int cleaned = cd_stage_clean(work), first, error;
	const char *path;

	*where = NULL;
	first = undo_those(work, false, &foreign, where);
	if (first == 0)
		first = undo_those(work, true, &foreign, where);
	first = first != 0 ? first : cleaned;
	*count = foreign.count;
	cd_foreign_free(&foreign);
	error = cd_stage_clean(work);
	first = first != 0 ? first : error;
	error = cd_flush_directories(work, &path);
	if (first == 0)
		*where = path;
	return first != 0 ? first : error;
}

int cd_undo(struct cd_work *work, size_t *foreign)
{
	const char *where = NULL;
	int error = ENOMEM;

	for (int i = 0; error == ENOMEM && i < TRIES; i++)
		error = undo_all(work, foreign, &where);
	if (error == 0)
		return 0;
	(void)cd_fail_errno(work->problems, error, where, _("cannot put back what was there"));
	(void)cd_fail(
		work->problems, CERTDEPLOY_EBROKEN, "rollback-failed", where, 0,
		_("putting the old state back failed; files may still be the new ones until the next run, "
		  "or certdeploy recover, puts them back"));
	/* Also where memory is too short to say so. */
	return CERTDEPLOY_EBROKEN;
}

/* ---- filing ---- */

int cd_move_on(struct cd_work *work, const char *where)
{
	int state = work->state.directory, error = cd_disk_rename_new(state, work->where, state, where);

	if (error != 0)
		return error;
	work->where = where;
	return fsync(state) == -1 ? errno : 0;
}

int cd_file_away(struct cd_work *work, const char *result)
{
	int state = work->state.directory, error;
	int backups = cd_disk_make_directory(state, CD_BACKUPS, 0700);
	char name[128];

	if (backups == -1)
		return errno;
	(void)snprintf(name, sizeof(name), "%s%s%s", work->journal.id, result == NULL ? "" : ".",
		       result == NULL ? "" : result);
	error = cd_disk_rename_new(state, work->where, backups, name);
	if (error == 0 && (fsync(backups) == -1 || fsync(state) == -1))
		error = errno;
	(void)close(backups);
	if (error == 0)
		work->where = NULL;
	return error;
}

/* ---- what an earlier run left ---- */

static int cannot_file(struct cd_work *work, int error)
{
	return cd_fail_errno(work->problems, error, work->state.path,
			     _("cannot file the record of an earlier run"));
}

static int open_leftover(struct cd_work *work, const char *where)
{
	const char *path = cd_arena_format(&work->problems->arena, "%s/%s", work->state.path, where);

	work->where = where;
	work->directory = cd_disk_open(work->state.directory, where, O_RDONLY | O_DIRECTORY, 0);
	if (work->directory == -1 && errno == ENOTDIR) /* so it is of a link, too */
		return cd_fail(work->problems, CERTDEPLOY_EREFUSED, "journal-damaged", path, 0,
			       _("something else stands where the record of an interrupted run would be"));
	if (work->directory == -1)
		return cannot_file(work, errno);
	return cd_journal_read(&work->journal, work->problems, work->directory, path, false);
}

static void close_leftover(struct cd_work *work)
{
	if (work->directory != -1)
		(void)close(work->directory);
	work->directory = -1;
	work->where = NULL;
	cd_journal_free(&work->journal);
	work->journal = (struct cd_journal){0};
}

/* A record that nobody can read is kept for a person, out of the way. */
static int set_aside(struct cd_work *work)
{
	char stamp[17], id[40];

	cd_utc_compact(stamp, (int64_t)time(NULL));
	(void)snprintf(id, sizeof(id), "%s-damaged", stamp);
	work->journal.id = id;
	return cd_file_away(work, "broken");
}

static int finish_committed(struct cd_work *work)
{
	int error = cd_stage_clean(work);

	if (error == 0)
		error = cd_file_away(work, NULL);
	if (error != 0)
		return cannot_file(work, error);
	cd_problem(work->problems, CERTDEPLOY_NOTICE, "interrupted", NULL, 0,
		   _("the run %s was interrupted after it was done; its changes stay"),
		   cd_safe(&work->problems->arena, work->journal.id));
	return 0;
}

static int undo_interrupted(struct cd_work *work, bool prove, int *recovered)
{
	size_t foreign = 0;
	int result = cd_undo(work, &foreign), error;

	if (result != 0)
		return result;
	result = cd_services_revive(work, prove);
	if (foreign == 0)
		(void)cd_disk_remove(work->directory, CD_FILES);
	error = cd_file_away(work, foreign == 0 ? "interrupted" : "broken");
	if (error != 0)
		return cannot_file(work, error);
	cd_problem(work->problems, CERTDEPLOY_NOTICE, "interrupted", NULL, 0,
		   _("the run %s had been interrupted; its changes were put back"),
		   cd_safe(&work->problems->arena, work->journal.id));
	cd_audit(work, "interrupted");
	*recovered = foreign == 0 ? 1 : 3;
	if (result != 0)
		return CERTDEPLOY_EBROKEN;
	return 0;
}

static int recover_one(struct cd_work *work, const char *where, bool force, bool prove, int *recovered)
{
	int result = open_leftover(work, where);

	if (result == 0)
		result = strcmp(where, CD_COMMITTED) == 0 ? finish_committed(work)
							  : undo_interrupted(work, prove, recovered);
	else if (force && (result == CERTDEPLOY_EREFUSED || result == CERTDEPLOY_ENOTFOUND))
		result = set_aside(work) == 0 ? 0 : CERTDEPLOY_EFAILED;
	else if (result == CERTDEPLOY_ENOTFOUND)
		result = CERTDEPLOY_EREFUSED;
	close_leftover(work);
	return result;
}

/* Old backups that stay are in nobody's way: no run fails of them. */
static void finish_pruning(struct cd_work *work, int *recovered)
{
	bool begun;
	int error = cd_prune_finish(&work->state, &begun);

	if (error != 0) {
		cd_problem(work->problems, CERTDEPLOY_WARNING, "io-error", work->state.path, 0,
			   _("old backups could not be removed; the next run will try it again"));
	} else if (begun) {
		cd_problem(
			work->problems, CERTDEPLOY_NOTICE, "interrupted", NULL, 0,
			_("the removal of old backups had been interrupted; now all of them are removed"));
		*recovered = *recovered == 0 ? 4 : *recovered;
	}
}

int cd_recover_leftovers(struct cd_work *work, int *recovered, bool force, bool prove)
{
	int result = 0, error;

	*recovered = 0;
	work->force = force;
	if (cd_state_has(&work->state, CD_COMMITTED)) {
		result = recover_one(work, CD_COMMITTED, force, prove, recovered);
		*recovered = result == 0 ? 2 : 0;
	}
	if (result == 0 && cd_state_has(&work->state, CD_JOURNAL)) {
		*recovered = 1;
		result = recover_one(work, CD_JOURNAL, force, prove, recovered);
		*recovered = result == 0 ? *recovered : 0;
	}
	work->force = false;
	if (result == 0) {
		error = cd_disk_remove(work->state.directory, CD_BUILD);
		if (error == 0)
			error = cd_disk_remove(work->state.directory, CD_STAGE);
		if (error != 0)
			result = cannot_file(work, error);
	}
	if (result == 0)
		finish_pruning(work, recovered);
	return result;
}
