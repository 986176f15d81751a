/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attributes.h - what a file has beside its bytes: owner, mode, ACL, labels, time */
#ifndef CD_ATTRIBUTES_H
#define CD_ATTRIBUTES_H

#include "base/file.h"

struct cd_xattr {
	const char *name;
	const char *value;
	size_t length;
};

struct cd_attributes {
	mode_t mode; /**< permission bits */
	uid_t owner;
	gid_t group;
	struct timespec modified;
	const struct cd_xattr *xattrs; /**< ACLs and security labels among them */
	size_t xattr_count;
};

/** Read everything but the extended attributes. */
void cd_attributes_of(struct cd_attributes *out, const struct stat *status);
/** Read all of an open file. Returns 0 or an errno. */
int cd_attributes_read(struct cd_attributes *out, struct cd_arena *arena, int fd);

/** Of an open file the access control list alone; *out NULL: it has none. Returns 0 or an errno. */
int cd_attributes_acl(const struct cd_xattr **out, struct cd_arena *arena, int fd);

/**
 * Give them to a file of mode 0600: owner first, mode last, so that nobody reads who may not in the
 * end. with_time: the modification time too. Returns 0 or an errno.
 */
int cd_attributes_apply(int fd, const struct cd_attributes *attributes, bool with_time);

#endif
