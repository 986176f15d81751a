/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file.c - reading files below a root directory, and finding the place where to write safely */
#include "base/file.h"

#include "base/buffer.h"
#include "base/openat2.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_LINKS 40

int cd_root_open(struct cd_root *root, struct cd_problems *problems, const char *path)
{
	char *real = NULL;

	*root = (struct cd_root){.fd = -1, .path = ""};
	if (path != NULL) {
		real = realpath(path, NULL);
		if (real == NULL)
			return cd_fail_errno(problems, errno, path, _("cannot open the root directory"));
		if (strcmp(real, "/") != 0)
			root->path = cd_arena_string(&problems->arena, real);
	}
	root->live = real == NULL || strcmp(real, "/") == 0;
	root->fd = cd_above_standard(open(real == NULL ? "/" : real, O_PATH | O_DIRECTORY | O_CLOEXEC));
	free(real);
	if (root->path == NULL)
		return cd_fail_memory(problems);
	if (root->fd == -1)
		return cd_fail_errno(problems, errno, path, _("cannot open the root directory"));
	return 0;
}

void cd_root_close(struct cd_root *root)
{
	if (root->fd != -1)
		(void)close(root->fd);
	root->fd = -1;
}

void cd_identity_of(struct cd_identity *identity, const struct stat *status)
{
	*identity = (struct cd_identity){
		.exists = true,
		.device = status->st_dev,
		.inode = status->st_ino,
		.size = status->st_size,
		.modified = status->st_mtim,
		.changed = status->st_ctim,
		.mode = status->st_mode,
		.owner = status->st_uid,
		.group = status->st_gid,
		.links = status->st_nlink,
	};
}

static bool same_time(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

bool cd_identity_same(const struct cd_identity *one, const struct cd_identity *other)
{
	if (!one->exists || !other->exists)
		return one->exists == other->exists;
	return one->device == other->device && one->inode == other->inode && one->size == other->size &&
	       same_time(&one->modified, &other->modified) && same_time(&one->changed, &other->changed);
}

static int walk_open(const struct cd_root *root, const char *path, int flags)
{
	struct cd_problems ignored = {0};
	struct cd_place place;
	int result = cd_place_find(&place, &ignored, root, path, CD_TRUST_ANY);
	int fd = result == 0 ? openat(place.directory, place.name, flags | O_NOFOLLOW) : -1;
	int error = result == 0 ? errno : result == CERTDEPLOY_ENOMEM ? ENOMEM : place.error;

	cd_place_close(&place);
	cd_problems_free(&ignored);
	errno = error;
	return fd;
}

/* Links on the way are followed; the last name is meant itself, also where it is one. */
static int walk_open_itself(const struct cd_root *root, const char *path, const char *slash, int flags)
{
	char *parent = strndup(path, (size_t)(slash - path));
	int directory = parent == NULL  ? -1
			: slash == path ? root->fd
					: walk_open(root, parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = directory == -1 ? -1 : openat(directory, slash + 1, flags);
	int error = errno;

	if (directory != -1 && directory != root->fd)
		(void)close(directory);
	free(parent);
	errno = error;
	return fd;
}

/* Where openat2() is missing (before Linux 5.6, or filtered) or gives up: by our own walk. */
static int open_by_walk(const struct cd_root *root, const char *path, int flags)
{
	const char *slash = strrchr(path, '/');

	return (flags & O_NOFOLLOW) != 0 && slash != NULL ? walk_open_itself(root, path, slash, flags)
							  : walk_open(root, path, flags);
}

int cd_open(const struct cd_root *root, const char *path, int flags)
{
	struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC)};
	unsigned tries = 0;
	long fd;

	if (root->live)
		return cd_above_standard(open(path, flags | O_CLOEXEC));
	how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
	/* EAGAIN: something was renamed anywhere on the system while ".." was being followed. */
	do {
		fd = syscall(SYS_openat2, root->fd, path, &how, sizeof(how));
	} while (fd == -1 && errno == EAGAIN && ++tries < 16);
	if (fd == -1 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN))
		fd = open_by_walk(root, path, flags | O_CLOEXEC);
	return cd_above_standard((int)fd);
}

/* What was read may be a key. */
static void discard(char *text, size_t length)
{
	OPENSSL_cleanse(text, length);
	free(text);
}

/* Not realloc(): it would leave a copy of a key behind. */
static char *move(char *text, size_t used, size_t room)
{
	char *larger = malloc(room);

	if (larger != NULL)
		memcpy(larger, text, used);
	discard(text, used);
	return larger;
}

/* To the file's end: then there is room for one byte more. Returns 0, or an errno with *text freed. */
static int read_on(char **text, size_t *used, size_t room, int fd, size_t expected, size_t limit)
{
	while (*text != NULL) {
		ssize_t got = read(fd, *text + *used, room - *used);
		int error = got == -1 ? errno : 0;

		if (error == EINTR)
			continue;
		*used += got > 0 ? (size_t)got : 0;
		if (error != 0 || *used > limit) {
			discard(*text, *used);
			*text = NULL;
			return error != 0 ? error : EFBIG;
		}
		/* It had this size a moment ago; one that changes is found out before it is edited. */
		if (got == 0 || *used == expected)
			return 0;
		if (*used == room) {
			room *= 2;
			*text = move(*text, *used, room);
		}
	}
	return ENOMEM;
}

int cd_read_fd(char **bytes, size_t *length, struct cd_identity *identity, int fd, size_t limit)
{
	struct stat status;
	size_t room, used = 0;
	char *text;
	int error;

	*bytes = NULL;
	*length = 0;
	if (fstat(fd, &status) == -1)
		return errno;
	if (!S_ISREG(status.st_mode))
		return S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
	if (status.st_size < 0 || (size_t)status.st_size > limit)
		return EFBIG;
	/* One byte of room is left for the NUL; a file that grows meanwhile is followed. */
	room = (size_t)status.st_size + 1;
	text = malloc(room);
	error = read_on(&text, &used, room, fd, (size_t)status.st_size, limit);
	if (error != 0)
		return error;
	text[used] = '\0';
	if (identity != NULL)
		cd_identity_of(identity, &status);
	*bytes = text;
	*length = used;
	return 0;
}

int cd_read_file(char **bytes, size_t *length, struct cd_identity *identity, const struct cd_root *root,
		 const char *path, size_t limit)
{
	int fd = cd_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	int error;

	*bytes = NULL;
	*length = 0;
	if (fd == -1)
		return errno;
	error = cd_read_fd(bytes, length, identity, fd, limit);
	(void)close(fd);
	return error;
}

bool cd_is_trusted(const struct cd_identity *identity)
{
	if (identity->owner != 0 && identity->owner != geteuid())
		return false;
	if ((identity->mode & S_IWGRP) != 0 && identity->group != 0 && identity->group != getegid())
		return false;
	return (identity->mode & S_IWOTH) == 0;
}

/* A sticky directory of root's (/tmp) protects what others own in it: only the owner renames it. */
static bool is_trusted_directory(const struct cd_identity *identity)
{
	struct cd_identity plain = *identity;

	if ((plain.mode & S_ISVTX) != 0)
		plain.mode &= (mode_t) ~(S_IWGRP | S_IWOTH);
	return cd_is_trusted(&plain);
}

int cd_check_path(struct cd_problems *problems, const char *path)
{
	size_t length = strlen(path);
	const char *why = NULL;

	if (path[0] != '/')
		why = _("the path is not absolute");
	else if (length >= PATH_MAX)
		why = _("the path is too long");
	else if (strstr(path, "/../") != NULL || cd_ends_with(path, "/.."))
		why = _("the path holds \"..\"");
	for (size_t i = 0; i < length && why == NULL; i++)
		if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
			why = _("the path holds a control character");
	if (why == NULL)
		return 0;
	return cd_fail(problems, CERTDEPLOY_EREFUSED, "unsafe-path", cd_safe(&problems->arena, path), 0,
		       "%s", why);
}

/* ---- the walk ---- */

struct walk {
	struct cd_problems *problems;
	const struct cd_root *root;
	const char *asked; /* the path asked for */
	enum cd_trust trust;
	cd_visit *visit; /* or NULL */
	void *context;
	int directory;         /* where we stand; owned, except when it is the root's */
	struct cd_buffer path; /* the real path so far, "" for the root */
	char *rest;            /* what is still to follow; owned */
	unsigned links;
	int error; /* why it goes no further */
};

static void walk_to(struct walk *walk, int directory)
{
	if (walk->directory != walk->root->fd)
		(void)close(walk->directory);
	walk->directory = directory;
}

static int walk_fail(struct walk *walk, int error)
{
	walk->error = error;
	if (error == ENOENT || error == ENOTDIR)
		return cd_fail(walk->problems, CERTDEPLOY_ENOTFOUND, "not-found", walk->asked, 0,
			       _("no such file or directory"));
	return cd_fail_errno(walk->problems, error, walk->asked, _("cannot follow the path"));
}

static int check_directory(struct walk *walk)
{
	const char *path = walk->path.length == 0 ? "/" : cd_buffer_text(&walk->path);
	struct cd_identity identity;
	struct stat status;

	if (walk->visit != NULL && !walk->visit(walk->context, walk->directory, path))
		return CERTDEPLOY_EREFUSED;
	if (walk->trust == CD_TRUST_ANY)
		return 0;
	if (fstat(walk->directory, &status) == -1)
		return walk_fail(walk, errno);
	cd_identity_of(&identity, &status);
	if (is_trusted_directory(&identity))
		return 0;
	return cd_fail(walk->problems, CERTDEPLOY_EREFUSED, "unsafe-path", walk->asked, 0,
		       _("the directory %s can be changed by others than root"), path);
}

static int walk_up(struct walk *walk)
{
	char *slash = walk->path.length == 0 ? NULL : strrchr(walk->path.bytes, '/');
	int parent;

	if (slash == NULL)
		return 0; /* ".." of the root is the root */
	*slash = '\0';
	walk->path.length = (size_t)(slash - walk->path.bytes);
	if (walk->path.length == 0) {
		walk_to(walk, walk->root->fd);
		return 0;
	}
	parent = cd_above_standard(openat(walk->directory, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (parent == -1)
		return walk_fail(walk, errno);
	walk_to(walk, parent);
	return 0;
}

static int walk_link(struct walk *walk, const char *name, const char *rest)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(walk->directory, name, target, sizeof(target) - 1);
	struct cd_buffer longer = {0};

	if (length == -1)
		return walk_fail(walk, errno);
	if (++walk->links > MAX_LINKS || (size_t)length >= sizeof(target) - 1)
		return walk_fail(walk, ELOOP);
	target[length] = '\0';
	if (target[0] == '/') {
		walk_to(walk, walk->root->fd);
		walk->path.length = 0;
	}
	cd_buffer_string(&longer, target);
	cd_buffer_string(&longer, "/");
	cd_buffer_string(&longer, rest);
	free(walk->rest);
	walk->rest = cd_buffer_take(&longer);
	return walk->rest == NULL ? cd_fail_memory(walk->problems) : 0;
}

static int walk_down(struct walk *walk, const char *name)
{
	int next = cd_above_standard(
		openat(walk->directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));

	if (next == -1)
		return walk_fail(walk, errno);
	walk_to(walk, next);
	cd_buffer_string(&walk->path, "/");
	cd_buffer_string(&walk->path, name);
	return walk->path.failed ? cd_fail_memory(walk->problems) : check_directory(walk);
}

static int walk_end(struct walk *walk, struct cd_place *place, const char *name, const struct stat *status)
{
	struct cd_buffer path = {0};

	cd_buffer_add(&path, cd_buffer_text(&walk->path), walk->path.length);
	cd_buffer_string(&path, "/");
	cd_buffer_string(&path, name);
	place->path = cd_buffer_take(&path);
	place->name = strdup(name);
	if (place->path == NULL || place->name == NULL)
		return cd_fail_memory(walk->problems);
	if (status != NULL)
		cd_identity_of(&place->identity, status);
	if (walk->trust == CD_TRUST_CHECK && status != NULL &&
	    !(S_ISDIR(status->st_mode) ? is_trusted_directory(&place->identity)
				       : cd_is_trusted(&place->identity)))
		return cd_fail(walk->problems, CERTDEPLOY_EREFUSED, "unsafe-path", place->path, 0,
			       _("the file can be changed by others than root"));
	place->directory = walk->directory == walk->root->fd
				   ? cd_above_standard(fcntl(walk->root->fd, F_DUPFD_CLOEXEC, 3))
				   : walk->directory;
	if (place->directory == -1)
		return walk_fail(walk, errno);
	walk->directory = walk->root->fd; /* what it was is handed over */
	return 0;
}

/* Take one component off the rest. Sets *done when the place is found. */
static int walk_step(struct walk *walk, struct cd_place *place, bool *done)
{
	char *name = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(name, "/");
	char *rest = name + length + strspn(name + length, "/");
	struct stat status;
	bool there;
	int result;

	if (length == 0)
		return walk_fail(walk, EISDIR);
	name[length] = '\0';
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		result = name[1] == '\0' ? 0 : walk_up(walk);
		memmove(walk->rest, rest, strlen(rest) + 1);
		return result;
	}
	there = fstatat(walk->directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
	if (!there && errno != ENOENT)
		return walk_fail(walk, errno);
	if (there && S_ISLNK(status.st_mode)) {
		if (walk->trust == CD_TRUST_CHECK && status.st_uid != 0 && status.st_uid != geteuid())
			return cd_fail(walk->problems, CERTDEPLOY_EREFUSED, "unsafe-path", walk->asked, 0,
				       _("the symbolic link %s belongs to somebody else"), name);
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cd_place_find() frees what is left to walk */
		return walk_link(walk, name, rest);
	}
	if (*rest == '\0') {
		*done = true;
		return walk_end(walk, place, name, there ? &status : NULL);
	}
	if (!there)
		return walk_fail(walk, ENOENT);
	result = walk_down(walk, name);
	memmove(walk->rest, rest, strlen(rest) + 1);
	return result;
}

static int walk_all(struct walk *walk, struct cd_place *place)
{
	bool done = false;
	int result;

	*place = (struct cd_place){.directory = -1};
	walk->directory = walk->root->fd;
	walk->rest = strdup(walk->asked);
	result = walk->rest == NULL ? cd_fail_memory(walk->problems) : check_directory(walk);
	while (result == 0 && !done)
		result = walk_step(walk, place, &done);
	if (result != 0)
		cd_place_close(place);
	place->error = walk->error;
	walk_to(walk, walk->root->fd);
	cd_buffer_free(&walk->path);
	free(walk->rest);
	return result;
}

int cd_place_find(struct cd_place *place, struct cd_problems *problems, const struct cd_root *root,
		  const char *path, enum cd_trust trust)
{
	struct walk walk = {.problems = problems, .root = root, .asked = path, .trust = trust};

	return walk_all(&walk, place);
}

int cd_visit_directories(const struct cd_root *root, const char *path, cd_visit *visit, void *context)
{
	struct cd_problems ignored = {0};
	struct walk walk = {.problems = &ignored,
			    .root = root,
			    .asked = path,
			    .trust = CD_TRUST_ANY,
			    .visit = visit,
			    .context = context};
	struct cd_place place;
	int result = walk_all(&walk, &place);

	cd_place_close(&place);
	cd_problems_free(&ignored);
	return result == CERTDEPLOY_ENOMEM ? result : 0;
}

void cd_place_close(struct cd_place *place)
{
	if (place->directory != -1)
		(void)close(place->directory);
	free(place->name);
	free(place->path);
	*place = (struct cd_place){.directory = -1};
}
