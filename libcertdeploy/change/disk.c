/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk.c - the few system calls with which the transaction touches the disk */
#include "change/disk.h"

#include "base/openat2.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COPY_SIZE 16384
#define SHARED_FROM 32 /* flushes; from here on one for the file system is cheaper */

int cd_disk_open(int directory, const char *name, int flags, mode_t mode)
{
	return cd_above_standard(openat(directory, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, mode));
}

/* Component by component, for kernels without openat2(). */
static int walk_down(int root, const char *path)
{
	int at = cd_above_standard(openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	while (at != -1 && *path != '\0') {
		char name[NAME_MAX + 1];
		size_t length = strcspn(path, "/");
		int next, error;

		if (length > NAME_MAX) {
			(void)close(at);
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, path, length);
		name[length] = '\0';
		next = cd_disk_open(at, name, O_RDONLY | O_DIRECTORY, 0);
		error = errno;
		(void)close(at);
		errno = error;
		at = next;
		path += length;
		path += strspn(path, "/");
	}
	return at;
}

int cd_disk_directory(const struct cd_root *root, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW};
	const char *below = path + strspn(path, "/");
	long fd;

	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	fd = syscall(SYS_openat2, root->fd, *below == '\0' ? "." : below, &how, sizeof(how));
	if (fd == -1 && (errno == ENOSYS || errno == EPERM))
		return walk_down(root->fd, below);
	return cd_above_standard((int)fd);
}

int cd_disk_parent(const char **name, const struct cd_root *root, const char *path)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	size_t length = slash == NULL ? 0 : (size_t)(slash - path);

	if (length >= sizeof(parent)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(parent, path, length);
	parent[length] = '\0';
	*name = slash == NULL ? path : slash + 1;
	return cd_disk_directory(root, parent);
}

int cd_disk_make_directory(int directory, const char *name, mode_t mode)
{
	int fd = cd_disk_open(directory, name, O_RDONLY | O_DIRECTORY, 0);
	struct stat status;

	if (fd != -1 || errno != ENOENT)
		return fd;
	if (mkdirat(directory, name, mode) == -1 && errno != EEXIST)
		return -1;
	fd = cd_disk_open(directory, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return -1;
	/* The umask may have taken bits away. */
	if (fstat(fd, &status) == 0 && ((status.st_mode & 0777) == mode || fchmod(fd, mode) == 0))
		return fd;
	(void)close(fd);
	return -1;
}

int cd_disk_write(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0) {
		ssize_t done = write(fd, at, length);

		if (done == -1 && errno == EINTR)
			continue;
		if (done == -1)
			return errno;
		if (done == 0)
			return EIO;
		at += done;
		length -= (size_t)done;
	}
	return 0;
}

int cd_disk_open_own(int directory, const char *name, int flags)
{
	int fd = cd_disk_open(directory, name, O_RDWR | flags, 0);

	if (fd == -1 && errno == ENOENT) {
		fd = cd_disk_open(directory, name, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
		if (fd == -1 && errno == EEXIST)
			fd = cd_disk_open(directory, name, O_RDWR | flags, 0);
	}
	return fd;
}

int cd_disk_close(int fd, int error)
{
	int own = fd != -1 && close(fd) == -1 ? errno : 0;

	return error != 0 ? error : own;
}

int cd_disk_put(int directory, const char *name, const void *bytes, size_t length, struct cd_flush *flush)
{
	int fd = cd_disk_open(directory, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	int error;

	if (fd == -1)
		return errno;
	error = cd_disk_write(fd, bytes, length);
	if (error == 0 && flush != NULL)
		error = cd_flush_add(flush, fd, NULL);
	return cd_disk_close(fd, error);
}

static int copy_on(int to, int from, EVP_MD_CTX *sum, off_t *size)
{
	unsigned char bytes[COPY_SIZE];
	ssize_t got, most = 0;
	int error = 0;

	*size = 0;
	do {
		got = read(from, bytes, sizeof(bytes));
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			error = errno;
		if (got > 0 && sum != NULL && EVP_DigestUpdate(sum, bytes, (size_t)got) != 1)
			error = ENOMEM;
		if (got > 0 && to != -1 && error == 0)
			error = cd_disk_write(to, bytes, (size_t)got);
		*size += got > 0 ? got : 0;
		most = got > most ? got : most;
	} while (error == 0 && got != 0);
	OPENSSL_cleanse(bytes, (size_t)most);
	return error;
}

int cd_disk_copy(int to, int from, char digest[CD_SHA256_TEXT], off_t *size)
{
	unsigned char result[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *sum = NULL;
	unsigned length = 0;
	off_t copied = 0;
	int error;

	if (digest != NULL) {
		sum = EVP_MD_CTX_new();
		if (sum == NULL || EVP_DigestInit_ex(sum, EVP_sha256(), NULL) != 1) {
			EVP_MD_CTX_free(sum);
			return ENOMEM;
		}
	}
	error = copy_on(to, from, sum, &copied);
	if (error == 0 && sum != NULL && EVP_DigestFinal_ex(sum, result, &length) != 1)
		error = ENOMEM;
	if (error == 0 && sum != NULL)
		cd_hex(digest, result, length);
	if (size != NULL)
		*size = copied;
	EVP_MD_CTX_free(sum);
	return error;
}

int cd_disk_digest(char digest[CD_SHA256_TEXT], int directory, const char *name)
{
	int fd = cd_disk_open(directory, name, O_RDONLY | O_NONBLOCK, 0);
	int error;

	if (fd == -1)
		return errno;
	error = cd_disk_copy(-1, fd, digest, NULL);
	(void)close(fd);
	return error;
}

bool cd_disk_is_gone(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EISDIR;
}

bool cd_disk_is_mounted(int directory, const char *name)
{
#ifdef STATX_ATTR_MOUNT_ROOT
	struct statx status;

	return statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &status) == 0 &&
	       (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
#else
	(void)directory;
	(void)name;
	return false;
#endif
}

/* The mounted file system behind an open directory. 0: not known. */
static uint64_t mount_of(int fd)
{
#ifdef STATX_MNT_ID
	struct statx status;

	/* A kernel that does not know it leaves it zero. */
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) == 0)
		return status.stx_mnt_id;
#else
	(void)fd;
#endif
	return 0;
}

bool cd_disk_same_mount(int one, int other)
{
	struct stat status[2];

	return fstat(one, &status[0]) == 0 && fstat(other, &status[1]) == 0 &&
	       status[0].st_dev == status[1].st_dev && mount_of(one) == mount_of(other);
}

bool cd_disk_is_pinned(int directory, const char *name)
{
	int flags = AT_SYMLINK_NOFOLLOW | (*name == '\0' ? AT_EMPTY_PATH : 0);
	struct statx status;

	return statx(directory, name, flags, STATX_TYPE, &status) == 0 &&
	       (status.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) != 0;
}

int cd_disk_readlink(char **target, int directory, const char *name)
{
	char buffer[PATH_MAX];
	ssize_t length = readlinkat(directory, name, buffer, sizeof(buffer) - 1);

	*target = NULL;
	if (length == -1)
		return errno;
	if ((size_t)length >= sizeof(buffer) - 1)
		return ENAMETOOLONG;
	buffer[length] = '\0';
	*target = strdup(buffer);
	return *target == NULL ? ENOMEM : 0;
}

int cd_disk_rename_new(int from, const char *old_name, int to, const char *new_name)
{
	struct stat status;

	if (syscall(SYS_renameat2, from, old_name, to, new_name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return errno;
	/* The file system does not know the flag: look first. */
	if (fstatat(to, new_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
		return EEXIST;
	if (errno != ENOENT)
		return errno;
	return renameat(from, old_name, to, new_name) == -1 ? errno : 0;
}

static int remove_content(int directory)
{
	DIR *stream = fdopendir(directory); /* takes the descriptor over */
	struct dirent *entry;
	int error = 0;

	if (stream == NULL) {
		error = errno;
		(void)close(directory);
		return error;
	}
	while (error == 0 && (errno = 0, entry = readdir(stream)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			error = cd_disk_remove(dirfd(stream), entry->d_name);
	if (error == 0)
		error = errno;
	(void)closedir(stream);
	return error;
}

/* A file system that may only be read refuses before it looks. */
static bool is_nothing(int error, int directory, const char *name)
{
	struct stat status;

	return error == ENOENT ||
	       (error == EROFS && fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == -1 &&
		errno == ENOENT);
}

int cd_disk_remove(int directory, const char *name)
{
	int fd, error;

	if (unlinkat(directory, name, 0) == 0)
		return 0;
	error = errno;
	if (is_nothing(error, directory, name))
		return 0;
	if (error != EISDIR && error != EPERM)
		return error;
	fd = cd_disk_open(directory, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return errno == ENOTDIR ? error : errno;
	error = remove_content(fd);
	if (error != 0)
		return error;
	return unlinkat(directory, name, AT_REMOVEDIR) == -1 && errno != ENOENT ? errno : 0;
}

static int compare_names(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

int cd_disk_list(struct cd_vector *names, struct cd_arena *arena, int directory)
{
	int fd = cd_above_standard(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	DIR *stream = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int error = 0;

	if (stream == NULL) {
		error = errno;
		if (fd != -1)
			(void)close(fd);
		return error;
	}
	while (error == 0 && (errno = 0, entry = readdir(stream)) != NULL) {
		char *name;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		name = cd_arena_string(arena, entry->d_name);
		if (name == NULL || cd_vector_add(names, name) != 0)
			error = ENOMEM;
	}
	if (error == 0)
		error = errno;
	(void)closedir(stream);
	if (error == 0 && names->count > 1)
		qsort(names->items, names->count, sizeof(*names->items), compare_names);
	return error;
}

/* ---- flushing ---- */

void cd_flush_begin(struct cd_flush *flush, size_t expected)
{
	*flush = (struct cd_flush){.shared = expected >= SHARED_FROM};
}

/* Its file system is flushed already. */
static bool is_waiting(const struct cd_flush *flush, dev_t device)
{
	for (size_t i = 0; i < flush->count; i++)
		if (flush->waiting[i].device == device)
			return true;
	return false;
}

/* No more descriptors than these are held. */
static int make_room(struct cd_flush *flush)
{
	return flush->count < sizeof(flush->waiting) / sizeof(flush->waiting[0]) ? 0
										 : cd_flush_barrier(flush);
}

int cd_flush_add(struct cd_flush *flush, int fd, const char *path)
{
	struct stat status = {0};
	int copy, error;

	if (flush->shared && fstat(fd, &status) == -1)
		return errno;
	if (flush->shared && is_waiting(flush, status.st_dev))
		return 0;
	error = make_room(flush);
	if (error != 0)
		return error;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy == -1)
		return errno;
	/* A hint: what is on its way before the first fsync() is not written by a commit of its own. */
	if (!flush->shared)
		(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	flush->waiting[flush->count].device = status.st_dev;
	flush->waiting[flush->count].path = path;
	flush->waiting[flush->count++].fd = copy;
	return 0;
}

int cd_flush_barrier(struct cd_flush *flush)
{
	int error = 0;

	for (size_t i = 0; i < flush->count; i++) {
		int fd = flush->waiting[i].fd;

		if (error == 0 && (flush->shared ? syncfs(fd) : fsync(fd)) == -1) {
			error = errno;
			flush->failed = flush->waiting[i].path;
		}
		(void)close(fd);
	}
	flush->count = 0;
	return error;
}
