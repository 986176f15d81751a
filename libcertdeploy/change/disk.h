/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk.h - the few system calls with which the transaction touches the disk */
#ifndef CD_DISK_H
#define CD_DISK_H

#include "base/file.h"
#include "base/text.h"
#include "base/vector.h"

/*
 * Names are single components below an open directory. No link is ever followed, every descriptor is
 * above 2 and close-on-exec. Functions return 0 or an errno, unless said otherwise.
 */

/** Open a directory by its real path as seen from inside the root; no link on the way. -1: errno. */
int cd_disk_directory(const struct cd_root *root, const char *path);
/** The same for the directory that holds path; *name is path's last component. */
int cd_disk_parent(const char **name, const struct cd_root *root, const char *path);
/** openat() with O_NOFOLLOW. -1: errno. */
int cd_disk_open(int directory, const char *name, int flags, mode_t mode);

/** Make a directory of exactly this mode whatever the umask, or take one that is there. -1: errno. */
int cd_disk_make_directory(int directory, const char *name, mode_t mode);

int cd_disk_write(int fd, const void *bytes, size_t length);
/** Open a file of our own that stays, for reading and writing; make it, 0600, when it is not there. */
int cd_disk_open_own(int directory, const char *name, int flags);
/**
 * Flushes that wait for the barrier: what is flushed together costs the file system one commit of its
 * own journal, not one each. When there are many, each file system is flushed as a whole.
 */
struct cd_flush {
	bool shared;
	size_t count;
	struct {
		dev_t device; /**< when shared: one descriptor each */
		int fd;
		const char *path;
	} waiting[32];
	const char *failed; /**< a path of what could not be flushed, or in its file system */
};

/** Close a file that was written, where it is open. Returns the error before it, else its own. */
int cd_disk_close(int fd, int error);
/** A new file of mode 0600, which flush is to flush; NULL: nobody. */
int cd_disk_put(int directory, const char *name, const void *bytes, size_t length, struct cd_flush *flush);
/** Copy all that is left of one file to another; to -1: only read. SHA-256 to digest unless NULL. */
int cd_disk_copy(int to, int from, char digest[CD_SHA256_TEXT], off_t *size);
/** SHA-256 of a regular file. */
int cd_disk_digest(char digest[CD_SHA256_TEXT], int directory, const char *name);
/** Of opening a path: something else stands there, or on the way to it, or nothing. */
bool cd_disk_is_gone(int error);
/** Something is mounted at this name; false where the kernel does not say. */
bool cd_disk_is_mounted(int directory, const char *name);
/** A mark (chattr +i, +a) keeps it, or what is in it, from being replaced. name "": the directory. */
bool cd_disk_is_pinned(int directory, const char *name);
/** Where a symbolic link leads, in memory of the caller (free()). */
int cd_disk_readlink(char **target, int directory, const char *name);

/** Of two open directories: a rename can lead from one to the other. */
bool cd_disk_same_mount(int one, int other);
/** Rename; never over something that stands there. */
int cd_disk_rename_new(int from, const char *old_name, int to, const char *new_name);
/** Remove a file, link or directory with all that is in it; nothing there is no error. */
int cd_disk_remove(int directory, const char *name);
/** Names in a directory, without "." and "..", sorted, in an arena. */
int cd_disk_list(struct cd_vector *names, struct cd_arena *arena, int directory);

/** About so many files and directories are going to be flushed. */
void cd_flush_begin(struct cd_flush *flush, size_t expected);
/**
 * Flush a file or directory, at the latest with the barrier. A failure is final: never flush it again.
 * path: what is told of it then, which lives as long; may be NULL.
 */
int cd_flush_add(struct cd_flush *flush, int fd, const char *path);
/** Everything added is on the disk when this returns 0. Also ends the use of flush. */
int cd_flush_barrier(struct cd_flush *flush);

#endif
