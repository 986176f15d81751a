/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backup.c - the originals: under their full paths in the transaction, and beside themselves */
#include "change/work.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The directory that the last original went to, open: the next one's is the same as a rule. */
struct way {
	int files; /* below which all is */
	int directory;
	const char *path; /* of the file that it was opened for; NULL: none */
};

static void close_way(struct way *way)
{
	if (way->path != NULL)
		(void)close(way->directory);
	way->path = NULL;
}

static bool leads_there(const struct way *way, const char *path, size_t length)
{
	return way->path != NULL && strncmp(way->path, path, length) == 0 &&
	       strchr(way->path + length, '/') == NULL;
}

/* Open the directory below `at` in which path's file goes, making it. -1: errno. */
static int make_way(int at, const char *path)
{
	int directory = fcntl(at, F_DUPFD_CLOEXEC, 3);

	path += strspn(path, "/");
	while (directory != -1 && path[strcspn(path, "/")] != '\0') {
		char component[NAME_MAX + 1];
		size_t length = strcspn(path, "/");
		int next, error;

		/* The original lies there: no component of its path is too long. */
		(void)snprintf(component, sizeof(component), "%.*s", (int)length, path);
		next = cd_disk_make_directory(directory, component, 0700);
		error = errno;
		(void)close(directory);
		errno = error;
		directory = next;
		path += length;
		path += strspn(path, "/");
	}
	return directory;
}

/* The directory stays open for the next. 0 or an errno. */
static int take_way(struct way *way, const char *path, const char **name)
{
	*name = strrchr(path, '/') + 1;
	if (leads_there(way, path, (size_t)(*name - path)))
		return 0;
	close_way(way);
	way->directory = make_way(way->files, path);
	if (way->directory == -1)
		return errno;
	way->path = path;
	return 0;
}

static int copy_file(int from, int directory, const char *name, char digest[CD_SHA256_TEXT],
		     struct cd_flush *flush)
{
	int to = cd_disk_open(directory, name, O_WRONLY | O_CREAT | O_EXCL, 0600), error;

	if (to == -1)
		return errno;
	error = cd_disk_copy(to, from, digest, NULL);
	if (error == 0)
		error = cd_flush_add(flush, to, NULL);
	return cd_disk_close(to, error);
}

/* Copy one original; it must still be what was read. */
static int copy_original(struct cd_work *work, const struct cd_entry *entry, struct way *way,
			 struct cd_flush *flush)
{
	char digest[CD_SHA256_TEXT];
	const char *source_name, *name;
	int source = cd_disk_parent(&source_name, work->root, entry->path), from = -1;
	int error = source == -1 ? errno : 0, result;

	if (error == 0) {
		from = cd_disk_open(source, source_name, O_RDONLY | O_NONBLOCK, 0);
		error = from == -1 ? errno : 0;
	}
	if (error == 0)
		error = take_way(way, entry->path, &name);
	if (error == 0)
		error = copy_file(from, way->directory, name, digest, flush);
	if (error != 0)
		result = cd_fail_errno(work->problems, error, entry->path, _("cannot back up the file"));
	else if (strcmp(digest, entry->before.digest) != 0)
		result = cd_fail(work->problems, CERTDEPLOY_EREFUSED, "changed-since", entry->path, 0,
				 _("somebody has changed this since it was read"));
	else
		result = 0;
	if (from != -1)
		(void)close(from);
	if (source != -1)
		(void)close(source);
	return result;
}

/* Flush a tree of directories; its files have been. */
static int flush_tree(int directory, struct cd_flush *flush)
{
	struct cd_arena arena = {0};
	struct cd_vector names = {0};
	int error = cd_disk_list(&names, &arena, directory);

	for (size_t i = 0; error == 0 && i < names.count; i++) {
		int below = cd_disk_open(directory, names.items[i], O_RDONLY | O_DIRECTORY, 0);

		if (below == -1) {
			error = errno == ENOTDIR ? 0 : errno;
			continue;
		}
		error = flush_tree(below, flush);
		(void)close(below);
	}
	if (error == 0)
		error = cd_flush_add(flush, directory, NULL);
	cd_vector_free(&names);
	cd_arena_free(&arena);
	return error;
}

int cd_backup_originals(struct cd_work *work, struct cd_flush *flush)
{
	int files = cd_disk_make_directory(work->directory, CD_FILES, 0700), result = 0, error;
	struct way way = {.files = files};

	if (files == -1)
		return cd_fail_errno(work->problems, errno, work->state.path, _("cannot make the backup"));
	for (size_t i = 0; result == 0 && i < work->journal.entries.count; i++) {
		const struct cd_entry *entry = work->journal.entries.items[i];

		if (entry->before.kind == CD_SIDE_FILE)
			result = copy_original(work, entry, &way, flush);
	}
	close_way(&way);
	error = result == 0 ? flush_tree(files, flush) : 0;
	(void)close(files);
	if (error != 0)
		result =
			cd_fail_errno(work->problems, error, work->state.path, _("cannot make the backup"));
	return result;
}

int cd_backup_open(int directory, const struct cd_entry *entry)
{
	struct cd_root files = {.path = ""};
	const char *name, *path = entry->backup_of != NULL ? entry->backup_of : entry->path;
	int parent, fd, error;

	files.fd = cd_disk_open(directory, CD_FILES, O_RDONLY | O_DIRECTORY, 0);
	if (files.fd == -1)
		return -1;
	parent = cd_disk_parent(&name, &files, path);
	error = errno;
	(void)close(files.fd);
	errno = error;
	if (parent == -1)
		return -1;
	fd = cd_disk_open(parent, name, O_RDONLY | O_NONBLOCK, 0);
	error = errno;
	(void)close(parent);
	errno = error;
	return fd;
}

/* ---- beside ---- */

static int add_beside(struct cd_work *work, const struct cd_entry *original, const char *stamp)
{
	struct cd_arena *arena = &work->journal.arena;
	const char *path = cd_arena_format(arena, "%s.%s.bak", original->path, stamp), *name;
	struct cd_entry *entry = cd_arena_alloc(arena, sizeof(*entry));
	struct stat status;
	int directory;

	if (path == NULL || entry == NULL)
		return cd_fail_memory(work->problems);
	if (cd_work_is_read(work, path)) {
		cd_problem(
			work->problems, CERTDEPLOY_NOTICE, "backup-beside", path, 0,
			_("the server would read a backup here; it is kept in the state directory only"));
		return 0;
	}
	directory = cd_disk_parent(&name, work->root, path);
	if (directory == -1)
		return cd_fail_errno(work->problems, errno, path, _("cannot open its directory"));
	if (strlen(name) > NAME_MAX || fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
		(void)close(directory);
		cd_problem(work->problems, CERTDEPLOY_NOTICE, "backup-beside", path, 0,
			   _("no backup can be made here; it is kept in the state directory only"));
		return 0;
	}
	(void)close(directory);
	entry->path = entry->asked = path;
	entry->secret = original->secret;
	entry->service = original->service;
	entry->backup_of = original->path;
	entry->after = original->before;
	if (cd_table_put(&work->by_path, path, entry) != 0 ||
	    cd_vector_add(&work->journal.entries, entry) != 0)
		return cd_fail_memory(work->problems);
	return 0;
}

int cd_backup_beside(struct cd_work *work)
{
	size_t count = work->journal.entries.count;
	char stamp[17];
	int result = 0;

	cd_utc_compact(stamp, work->journal.time);
	for (size_t i = 0; result == 0 && i < count; i++) {
		const struct cd_entry *entry = work->journal.entries.items[i];

		/* The store keeps its own generations. */
		if (entry->before.kind == CD_SIDE_FILE && entry->after.kind == CD_SIDE_FILE)
			result = add_beside(work, entry, stamp);
	}
	return result;
}
