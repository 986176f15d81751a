/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file.h - reading files below a root directory, and finding the place where to write safely */
#ifndef CD_FILE_H
#define CD_FILE_H

#include "base/descriptor.h"
#include "base/problem.h"

#include <sys/stat.h>

/** The directory that stands for "/". */
struct cd_root {
	int fd;           /**< opened with O_PATH */
	const char *path; /**< "" for the host itself, else without a slash at its end */
	bool live;        /**< the host itself */
};

/**
 * Open what stands for "/". path NULL or "/": the host itself.
 * Returns 0, or CERTDEPLOY_ENOTFOUND and others, recorded.
 */
int cd_root_open(struct cd_root *root, struct cd_problems *problems, const char *path);
void cd_root_close(struct cd_root *root);

/** What tells whether a file is still the one that was read. */
struct cd_identity {
	bool exists;
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
	mode_t mode;
	uid_t owner;
	gid_t group;
	nlink_t links;
};

void cd_identity_of(struct cd_identity *identity, const struct stat *status);
/** Same file, same size, same times. */
bool cd_identity_same(const struct cd_identity *one, const struct cd_identity *other);

/**
 * Open a path as seen from inside the root, following links inside it. Returns a descriptor above 2,
 * close-on-exec, or -1 with errno.
 */
int cd_open(const struct cd_root *root, const char *path, int flags);

/**
 * Read a whole regular file of at most limit bytes, with a NUL after them. Never blocks on a device.
 * Returns 0 (the caller frees *bytes), or an errno: EFBIG too large, EINVAL not a regular file.
 */
int cd_read_file(char **bytes, size_t *length, struct cd_identity *identity, const struct cd_root *root,
		 const char *path, size_t limit);
/** The same from an open descriptor, which stays open. */
int cd_read_fd(char **bytes, size_t *length, struct cd_identity *identity, int fd, size_t limit);

/** Where a path really leads: the directory, opened, and the name in it. */
struct cd_place {
	int directory; /**< O_PATH | O_DIRECTORY; -1 when not open */
	char *name;    /**< one component; belongs to the place */
	char *path;    /**< the whole real path as seen from inside the root; belongs to the place */
	struct cd_identity identity; /**< of what stands there, not followed; exists false: nothing */
	int error;                   /**< the errno of what could not be followed */
};

enum cd_trust {
	CD_TRUST_ANY,   /**< only find it */
	CD_TRUST_CHECK, /**< every directory on the way, and the file, is changed by root or us alone */
};

/**
 * Follow a path component by component, also through links (40 at most), without ever letting the
 * kernel follow one. The last component need not exist; all before it must.
 * Returns 0, CERTDEPLOY_ENOTFOUND (recorded), CERTDEPLOY_EREFUSED "unsafe-path" and others.
 */
int cd_place_find(struct cd_place *place, struct cd_problems *problems, const struct cd_root *root,
		  const char *path, enum cd_trust trust);
void cd_place_close(struct cd_place *place);

/** Called for each directory on the way, opened with O_PATH; false: no further. */
typedef bool cd_visit(void *context, int directory, const char *path);
/**
 * Follow a path in the same way and call visit() for every directory that is gone through, from the root
 * on, as far as there is any. Returns 0, also where visit() ended it, or CERTDEPLOY_ENOMEM.
 */
int cd_visit_directories(const struct cd_root *root, const char *path, cd_visit *visit, void *context);

/** Whether only root or ourselves (and, with a group right, our own group or root's) can write it. */
bool cd_is_trusted(const struct cd_identity *identity);

/** A path worth writing to: absolute, at most 4095 bytes, no control characters, no ".." in it. */
int cd_check_path(struct cd_problems *problems, const char *path);

#endif
