/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* entries.c - from the changes asked for to the paths concerned, with what stands there now */
#include "change/work.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REMEMBERED "/deployments" /* in the state directory */

static struct cd_arena *arena_of(struct cd_work *work)
{
	return &work->journal.arena;
}

static int changed_since(struct cd_work *work, const char *path)
{
	return cd_fail(work->problems, CERTDEPLOY_EREFUSED, "changed-since", cd_safe(arena_of(work), path),
		       0, _("somebody has changed this since it was read"));
}

/* ---- where a path really is ---- */

/* Collapse "//" and "/./"; a slash at the end goes. */
static char *plain_path(struct cd_work *work, const char *path)
{
	char *out = cd_arena_alloc(arena_of(work), strlen(path) + 2), *at = out;

	while (out != NULL && *path != '\0') {
		size_t length;

		path += strspn(path, "/");
		length = strcspn(path, "/");
		if (length != 0 && !(length == 1 && path[0] == '.')) {
			*at++ = '/';
			memcpy(at, path, length);
			at += length;
		}
		path += length;
	}
	return out;
}

static const char *join(struct cd_work *work, const char *directory, const char *name)
{
	return cd_arena_format(arena_of(work), "%s/%s", directory, name);
}

static int walk_to_directory(const char **real, struct cd_work *work, const char *path)
{
	struct cd_place place;
	int result = cd_place_find(&place, work->problems, work->root, path, CD_TRUST_CHECK);

	if (result != 0)
		return result;
	*real = cd_arena_string(arena_of(work), place.path);
	if (!place.identity.exists)
		result = cd_fail(work->problems, CERTDEPLOY_ENOTFOUND, "not-found", path, 0,
				 _("no such directory"));
	cd_place_close(&place);
	return *real == NULL ? cd_fail_memory(work->problems) : result;
}

/* The real path of an existing directory, trusted; walked to once, for more than one thing changes in most.
 */
static int real_directory(const char **real, struct cd_work *work, const char *path)
{
	int result;

	*real = *path == '\0' ? "" : cd_table_get(&work->parents, path);
	if (*real != NULL)
		return 0;
	result = walk_to_directory(real, work, path);
	if (result == 0 && cd_table_lend(&work->parents, path, *real) != 0)
		result = cd_fail_memory(work->problems);
	return result;
}

/* As a rule it is where it was asked for. */
static int set_path(struct cd_work *work, struct cd_entry *entry, const char *directory, const char *name)
{
	size_t length = strlen(directory);
	bool same = strncmp(entry->asked, directory, length) == 0 && entry->asked[length] == '/' &&
		    strcmp(entry->asked + length + 1, name) == 0;

	entry->path = same ? entry->asked : join(work, directory, name);
	return entry->path == NULL ? cd_fail_memory(work->problems) : 0;
}

/*
 * Where a change really takes place. Links on the way are followed; one at the end only for what is
 * content (follow): a link to be replaced, or a thing to be removed, is meant itself.
 */
static int find_real(struct cd_entry *entry, struct cd_work *work, bool follow)
{
	const char *name = strrchr(entry->asked, '/'), *real = NULL, *parent;
	const struct cd_entry *above;
	struct cd_place place;
	int result;

	if (name == NULL)
		return cd_fail(work->problems, CERTDEPLOY_EREFUSED, "unsafe-path", entry->asked, 0,
			       _("this is not the path of a file"));
	parent = cd_arena_copy(arena_of(work), entry->asked, (size_t)(name - entry->asked));
	if (parent == NULL)
		return cd_fail_memory(work->problems);
	above = cd_table_get(&work->directories, parent);
	if (above != NULL) {
		entry->inside = true;
		entry->top = above->inside ? above->top : above;
		return set_path(work, entry, above->path, name + 1);
	}
	if (!follow) {
		result = real_directory(&real, work, parent);
		return result == 0 ? set_path(work, entry, real, name + 1) : result;
	}
	result = cd_place_find(&place, work->problems, work->root, entry->asked, CD_TRUST_CHECK);
	if (result != 0)
		return result;
	*strrchr(place.path, '/') = '\0';
	result = set_path(work, entry, place.path, place.name);
	cd_place_close(&place);
	/* Where no link led elsewhere its directory is known as well. */
	if (result == 0 && entry->path == entry->asked &&
	    cd_table_lend(&work->parents, parent, parent) != 0)
		result = cd_fail_memory(work->problems);
	return result;
}

/* ---- what stands there ---- */

static int refuse_kind(struct cd_work *work, const struct cd_entry *entry)
{
	return cd_fail(work->problems, CERTDEPLOY_EREFUSED, "unsafe-path", entry->path, 0,
		       _("something else stands where this is to be written"));
}

/* The lock and the records of runs, which nothing else takes the place of: what the store remembers may. */
static int check_not_ours(struct cd_work *work, const struct cd_entry *entry)
{
	const char *state = work->state.path;
	size_t length = state == NULL ? 0 : strlen(state);
	const char *below = entry->path + length;

	if (state == NULL || strncmp(entry->path, state, length) != 0 || *below != '/' ||
	    strcmp(below, REMEMBERED) == 0 || strncmp(below, REMEMBERED "/", sizeof(REMEMBERED)) == 0)
		return 0;
	return cd_fail(work->problems, CERTDEPLOY_EREFUSED, "unsafe-path", entry->path, 0,
		       _("the records of runs lie here; nothing else is put among them"));
}

static int check_names(struct cd_work *work, const struct cd_entry *entry, const struct stat *status)
{
	if (status->st_nlink < 2)
		return 0;
	return cd_fail(work->problems, CERTDEPLOY_EREFUSED, "hard-link", entry->path, 0,
		       _("the file has %lu names; replacing one would split them"),
		       (unsigned long)status->st_nlink);
}

static int refuse_mounted(struct cd_work *work, const struct cd_entry *entry)
{
	return cd_fail(work->problems, CERTDEPLOY_EREFUSED, "mounted", entry->path, 0,
		       _("the file is mounted by itself and cannot be replaced"));
}

static int refuse_pinned(struct cd_work *work, const struct cd_entry *entry)
{
	return cd_fail(work->problems, CERTDEPLOY_EREFUSED, "pinned", entry->path, 0,
		       _("the file or its directory is marked so that it cannot be replaced"));
}

static int keep_identity(struct cd_work *work, struct cd_entry *entry, const struct stat *status)
{
	struct cd_identity *identity = cd_arena_alloc(arena_of(work), sizeof(*identity));

	if (identity == NULL)
		return cd_fail_memory(work->problems);
	cd_identity_of(identity, status);
	entry->identity = identity;
	return 0;
}

static const struct cd_identity *identity_of(const struct cd_entry *entry)
{
	static const struct cd_identity nothing = {.exists = false};

	return entry->identity == NULL ? &nothing : entry->identity;
}

static int read_file(struct cd_work *work, struct cd_entry *entry, int directory, const char *name)
{
	int fd = cd_disk_open(directory, name, O_RDONLY | O_NONBLOCK, 0);
	int error, result = 0;
	struct stat status;

	if (fd == -1)
		return cd_fail_errno(work->problems, errno, entry->path, _("cannot read the file"));
	error = fstat(fd, &status) == -1 ? errno : 0;
	if (error == 0)
		error = cd_attributes_read(&entry->before.attributes, arena_of(work), fd);
	if (error == 0)
		error = cd_disk_copy(-1, fd, entry->before.digest, NULL);
	if (error != 0)
		result = cd_fail_errno(work->problems, error, entry->path, _("cannot read the file"));
	else
		result = check_names(work, entry, &status);
	if (error == 0 && result == 0)
		result = keep_identity(work, entry, &status);
	(void)close(fd);
	return result;
}

/* Read what stands at the entry's path into `before` and `identity`. */
static int read_before(struct cd_work *work, struct cd_entry *entry)
{
	const char *name;
	struct stat status;
	char *target = NULL;
	int directory, error, result = 0;

	if (entry->inside)
		return 0;
	directory = cd_disk_parent(&name, work->root, entry->path);
	if (directory == -1)
		return cd_fail_errno(work->problems, errno, entry->path, _("cannot open its directory"));
	error = fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == -1 ? errno : 0;
	entry->pinned =
		cd_disk_is_pinned(directory, "") || (error == 0 && cd_disk_is_pinned(directory, name));
	if (error != 0 && error != ENOENT) {
		result = cd_fail_errno(work->problems, error, entry->path, _("cannot look at the file"));
	} else if (error == 0) {
		result = keep_identity(work, entry, &status);
		cd_attributes_of(&entry->before.attributes, &status);
		if (result == 0 && S_ISREG(status.st_mode)) {
			entry->before.kind = CD_SIDE_FILE;
			result = cd_disk_is_mounted(directory, name) ? refuse_mounted(work, entry)
				 : work->only_look                   ? check_names(work, entry, &status)
						   : read_file(work, entry, directory, name);
		} else if (S_ISDIR(status.st_mode)) {
			entry->before.kind = CD_SIDE_DIRECTORY;
		} else if (S_ISLNK(status.st_mode)) {
			entry->before.kind = CD_SIDE_LINK;
			error = cd_disk_readlink(&target, directory, name);
			entry->before.target = cd_arena_string(arena_of(work), target);
			free(target);
			if (error != 0)
				result = cd_fail_errno(work->problems, error, entry->path,
						       _("cannot read the link"));
			else if (entry->before.target == NULL)
				result = cd_fail_memory(work->problems);
		} else if (result == 0) {
			result = refuse_kind(work, entry);
		}
	}
	(void)close(directory);
	return result;
}

/* ---- one change ---- */

static int keep_entry(struct cd_work *work, struct cd_entry *entry)
{
	if (entry->pinned)
		return refuse_pinned(work, entry);
	if (cd_table_lend(&work->by_path, entry->path, entry) != 0 ||
	    cd_vector_add(&work->journal.entries, entry) != 0)
		return cd_fail_memory(work->problems);
	return 0;
}

static mode_t mode_for_new(const struct cd_change *change)
{
	mode_t mode = change->mode & 07777;

	if (change->kind == CD_CHANGE_DIRECTORY)
		return mode == 0 ? 0755 : mode;
	if (change->secret)
		return mode == 0 ? 0600 : mode & 0640;
	return mode == 0 ? 0644 : mode;
}

static void fill_attributes(struct cd_entry *entry, const struct cd_change *change)
{
	struct cd_attributes *after = &entry->after.attributes;

	if (change->attributes != NULL) {
		*after = *change->attributes;
		entry->keep_time = true;
		after->mode &= entry->secret ? 0640 : 07777;
		return;
	}
	if (entry->before.kind == entry->after.kind)
		*after = entry->before.attributes;
	if (entry->before.kind != entry->after.kind || change->forced) {
		after->mode = mode_for_new(change);
		after->owner = change->owner == (uid_t)-1 ? geteuid() : change->owner;
		after->group = change->group == (gid_t)-1 ? getegid() : change->group;
	}
	if (entry->before.kind == CD_SIDE_NOTHING && change->acl != NULL) {
		after->xattrs = change->acl;
		after->xattr_count = 1;
	}
	if (entry->secret)
		after->mode &= 0640;
}

static bool same_permissions(const struct cd_attributes *one, const struct cd_attributes *other)
{
	return one->mode == other->mode && one->owner == other->owner && one->group == other->group;
}

static bool is_unchanged(const struct cd_entry *entry, const struct cd_change *change)
{
	if (entry->before.kind != entry->after.kind ||
	    (change->forced && !same_permissions(&entry->before.attributes, &entry->after.attributes)))
		return false;
	switch (entry->after.kind) {
	case CD_SIDE_FILE:
		return strcmp(entry->before.digest, entry->after.digest) == 0;
	case CD_SIDE_LINK:
		return strcmp(entry->before.target, entry->after.target) == 0;
	default:
		return true;
	}
}

/* Two changes of one file, by different paths: equal ones are one. */
static int settle_twice(struct cd_work *work, const struct cd_entry *known, const struct cd_entry *entry)
{
	if (known->after.kind == entry->after.kind &&
	    (entry->after.kind != CD_SIDE_FILE || strcmp(known->after.digest, entry->after.digest) == 0) &&
	    (entry->after.kind != CD_SIDE_LINK || strcmp(known->after.target, entry->after.target) == 0))
		return 0;
	return cd_fail(work->problems, CERTDEPLOY_EREFUSED, "conflicting-edits", entry->path, 0,
		       _("two changes want this path to be different things"));
}

static int report_unchanged(struct cd_work *work, const struct cd_entry *entry)
{
	struct certdeploy_file_report *report;

	if (entry->after.kind != CD_SIDE_FILE && entry->after.kind != CD_SIDE_LINK)
		return 0;
	report = cd_arena_alloc(&work->problems->arena, sizeof(*report));
	if (report == NULL)
		return cd_fail_memory(work->problems);
	report->path = cd_arena_string(&work->problems->arena, entry->path);
	report->change = "unchanged";
	report->service = cd_arena_string(&work->problems->arena, entry->service);
	if (report->path == NULL || cd_vector_add(&work->asked->files, report) != 0)
		return cd_fail_memory(work->problems);
	return 0;
}

static struct cd_entry *new_entry(struct cd_work *work, const char *path, const char *service, bool secret)
{
	struct cd_entry *entry = cd_arena_alloc(arena_of(work), sizeof(*entry));

	if (entry == NULL)
		return NULL;
	entry->asked = plain_path(work, path);
	entry->service = cd_arena_string(arena_of(work), service);
	entry->secret = secret;
	return entry->asked == NULL || (service != NULL && entry->service == NULL) ? NULL : entry;
}

static int remember_directory(struct cd_work *work, struct cd_entry *entry)
{
	if (cd_table_lend(&work->directories, entry->asked, entry) != 0 ||
	    cd_table_lend(&work->directories, entry->path, entry) != 0)
		return cd_fail_memory(work->problems);
	return 0;
}

/* A removal concerns everything below: what is inside goes first. */
static int add_content(struct cd_work *work, const struct cd_entry *directory_entry);

static int add_removal(struct cd_work *work, struct cd_entry *entry)
{
	int result = 0;

	if (entry->before.kind == CD_SIDE_NOTHING)
		return 0;
	if (entry->before.kind == CD_SIDE_DIRECTORY)
		result = add_content(work, entry);
	return result == 0 ? keep_entry(work, entry) : result;
}

static int add_content(struct cd_work *work, const struct cd_entry *directory_entry)
{
	int directory = cd_disk_directory(work->root, directory_entry->path);
	struct cd_vector names = {0};
	int result = 0, error;

	if (directory == -1)
		return cd_fail_errno(work->problems, errno, directory_entry->path,
				     _("cannot open the directory"));
	error = cd_disk_list(&names, arena_of(work), directory);
	(void)close(directory);
	if (error != 0)
		result = cd_fail_errno(work->problems, error, directory_entry->path,
				       _("cannot list the directory"));
	for (size_t i = 0; result == 0 && i < names.count; i++) {
		const char *path = join(work, directory_entry->path, names.items[i]);
		struct cd_entry *entry;

		/* What goes by a change of its own goes before. */
		if (path != NULL && cd_table_get(&work->by_path, path) != NULL)
			continue;
		entry = path == NULL
				? NULL
				: new_entry(work, path, directory_entry->service, directory_entry->secret);

		if (entry == NULL) {
			result = cd_fail_memory(work->problems);
			break;
		}
		entry->path = path;
		result = read_before(work, entry);
		if (result == 0)
			result = add_removal(work, entry);
	}
	cd_vector_free(&names);
	return result;
}

static int set_after(struct cd_work *work, struct cd_entry *entry, const struct cd_change *change)
{
	switch (change->kind) {
	case CD_CHANGE_FILE:
		entry->after.kind = CD_SIDE_FILE;
		entry->bytes = change->bytes;
		entry->length = change->length;
		if (cd_sha256(entry->after.digest, change->bytes, change->length) != 0)
			return cd_fail_memory(work->problems);
		break;
	case CD_CHANGE_LINK:
		entry->after.kind = CD_SIDE_LINK;
		entry->after.target = cd_arena_string(arena_of(work), change->target);
		if (entry->after.target == NULL)
			return cd_fail_memory(work->problems);
		break;
	case CD_CHANGE_DIRECTORY:
		entry->after.kind = CD_SIDE_DIRECTORY;
		break;
	default: /* what is removed is nothing afterwards */
		break;
	}
	fill_attributes(entry, change);
	return 0;
}

static int check_change(struct cd_work *work, const struct cd_entry *entry, const struct cd_change *change)
{
	enum cd_side_kind stands = entry->before.kind, comes = entry->after.kind;

	if (change->compare && !cd_identity_same(&change->before, identity_of(entry)))
		return changed_since(work, entry->path);
	if (comes != CD_SIDE_NOTHING && stands != CD_SIDE_NOTHING && stands != comes)
		return refuse_kind(work, entry);
	return 0;
}

static bool is_absent(struct cd_work *work, const char *path)
{
	int fd = cd_open(work->root, path, O_PATH | O_NOFOLLOW);

	if (fd == -1)
		return errno == ENOENT || errno == ENOTDIR;
	(void)close(fd);
	return false;
}

int cd_work_add(struct cd_work *work, const struct cd_change *change)
{
	struct cd_entry *entry = new_entry(work, change->path, change->service, change->secret), *known;
	bool follow = change->kind == CD_CHANGE_FILE || change->kind == CD_CHANGE_DIRECTORY;
	int result;

	if (entry == NULL)
		return cd_fail_memory(work->problems);
	if (change->kind == CD_CHANGE_REMOVE && is_absent(work, entry->asked))
		return 0;
	entry->diff = change->diff;
	result = find_real(entry, work, follow);
	if (result == 0)
		result = check_not_ours(work, entry);
	if (result == 0)
		result = read_before(work, entry);
	if (result == 0)
		result = set_after(work, entry, change);
	if (result == 0)
		result = check_change(work, entry, change);
	if (result != 0)
		return result;
	known = cd_table_get(&work->by_path, entry->path);
	if (known != NULL)
		return settle_twice(work, known, entry);
	if (is_unchanged(entry, change))
		return report_unchanged(work, entry);
	if (change->kind == CD_CHANGE_REMOVE)
		return add_removal(work, entry);
	result = keep_entry(work, entry);
	if (result == 0 && change->kind == CD_CHANGE_DIRECTORY)
		result = remember_directory(work, entry);
	return result;
}

/* A run would have made the state directory, and what comes into it stands in no danger. */
static bool waits_for_state(const struct cd_work *work, const char *path)
{
	size_t length = strlen(work->asked->state_directory);

	return work->only_look && work->state.directory == -1 &&
	       strncmp(path, work->asked->state_directory, length) == 0 && path[length] == '/';
}

int cd_work_collect(struct cd_work *work)
{
	const struct cd_changes *changes = work->asked->changes;
	int result = 0;

	for (size_t i = 0; changes != NULL && result == 0 && i < changes->list.count; i++) {
		const struct cd_change *change = changes->list.items[i];

		if (!waits_for_state(work, change->path))
			result = cd_work_add(work, change);
	}
	return result;
}

/* Products go where they go whatever will be in them. */
static int look_at_products(struct cd_work *work, const struct cd_vector *builds)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < builds->count; i++) {
		const struct cd_change_build *build = builds->items[i];
		struct cd_change change = {.kind = CD_CHANGE_FILE,
					   .path = build->product,
					   .bytes = "",
					   .owner = (uid_t)-1,
					   .group = (gid_t)-1,
					   .secret = build->secret,
					   .service = build->service};

		result = cd_work_add(work, &change);
	}
	return result;
}

int cd_work_look(struct cd_work *work)
{
	int result;

	work->only_look = true;
	work->journal.id = "plan";
	result = cd_work_collect(work);
	if (result == 0 && work->asked->changes != NULL)
		result = look_at_products(work, &work->asked->changes->builds);
	return result == 0 ? cd_stage_places(work) : result;
}

/* ---- looking again ---- */

int cd_entry_compare(struct cd_work *work, const struct cd_entry *entry, int directory, const char *name)
{
	struct cd_identity now = {0};
	struct stat status;

	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
		cd_identity_of(&now, &status);
	else if (errno != ENOENT)
		return cd_fail_errno(work->problems, errno, entry->path, _("cannot look at the file"));
	/* A directory that is to be removed changes as its content goes. */
	if (entry->before.kind == CD_SIDE_DIRECTORY && S_ISDIR(now.mode) &&
	    now.inode == identity_of(entry)->inode)
		return 0;
	return cd_identity_same(identity_of(entry), &now) ? 0 : changed_since(work, entry->path);
}

/* Times have a grain: within it a change shows in the bytes alone. */
static int compare_bytes(struct cd_work *work, const struct cd_entry *entry, int directory,
			 const char *name)
{
	char digest[CD_SHA256_TEXT];
	int error;

	if (entry->before.kind != CD_SIDE_FILE)
		return 0;
	error = cd_disk_digest(digest, directory, name);
	if (error != 0)
		return cd_fail_errno(work->problems, error, entry->path, _("cannot read the file"));
	return strcmp(digest, entry->before.digest) == 0 ? 0 : changed_since(work, entry->path);
}

int cd_work_compare(struct cd_work *work)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < work->journal.entries.count; i++) {
		const struct cd_entry *entry = work->journal.entries.items[i];
		const char *name;
		int directory;

		if (entry->inside)
			continue;
		directory = cd_disk_parent(&name, work->root, entry->path);
		if (directory == -1)
			return cd_fail_errno(work->problems, errno, entry->path,
					     _("cannot open its directory"));
		result =
			cd_wait_for_others(work->problems, directory, name, entry->path, work->asked->wait);
		if (result == 0)
			result = cd_entry_compare(work, entry, directory, name);
		if (result == 0)
			result = compare_bytes(work, entry, directory, name);
		(void)close(directory);
	}
	return result;
}
