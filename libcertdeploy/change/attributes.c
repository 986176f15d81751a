/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attributes.c - what a file has beside its bytes: owner, mode, ACL, labels, time */
#include "change/attributes.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ACCESS_ACL "system.posix_acl_access"

void cd_attributes_of(struct cd_attributes *out, const struct stat *status)
{
	*out = (struct cd_attributes){
		.mode = status->st_mode & 07777,
		.owner = status->st_uid,
		.group = status->st_gid,
		.modified = status->st_mtim,
	};
}

/* Sums that the kernel keeps over the file itself: a copy of them would be wrong. */
static bool is_of_the_kernel(const char *name)
{
	static const char *const names[] = {"security.ima", "security.evm", NULL};

	return cd_in_list(names, name);
}

static int read_one(struct cd_xattr *out, struct cd_arena *arena, int fd, const char *name)
{
	ssize_t size = fgetxattr(fd, name, NULL, 0);
	char *value;

	if (size == -1)
		return errno;
	value = cd_arena_alloc(arena, (size_t)size + 1);
	out->name = cd_arena_string(arena, name);
	if (value == NULL || out->name == NULL)
		return ENOMEM;
	size = fgetxattr(fd, name, value, (size_t)size);
	if (size == -1)
		return errno;
	out->value = value;
	out->length = (size_t)size;
	return 0;
}

static int read_all(struct cd_attributes *out, struct cd_arena *arena, int fd, const char *names,
		    size_t length)
{
	struct cd_xattr *list;
	size_t count = 0;

	for (size_t i = 0; i < length; i += strlen(names + i) + 1)
		count++;
	list = cd_arena_array(arena, count, sizeof(*list));
	if (list == NULL)
		return ENOMEM;
	out->xattrs = list;
	for (size_t i = 0; i < length; i += strlen(names + i) + 1) {
		int error = is_of_the_kernel(names + i)
				    ? ENODATA
				    : read_one(&list[out->xattr_count], arena, fd, names + i);

		/* Listed, but gone meanwhile or not for us. */
		if (error != 0 && error != ENODATA && error != ENOTSUP)
			return error;
		out->xattr_count += error == 0 ? 1 : 0;
	}
	return 0;
}

int cd_attributes_read(struct cd_attributes *out, struct cd_arena *arena, int fd)
{
	struct stat status;
	ssize_t size;
	char *names;
	int error = 0;

	if (fstat(fd, &status) == -1)
		return errno;
	cd_attributes_of(out, &status);
	size = flistxattr(fd, NULL, 0);
	if (size == -1)
		return errno == ENOTSUP ? 0 : errno;
	if (size == 0)
		return 0;
	/* Each name ends with a NUL. */
	names = calloc(1, (size_t)size + 1);
	if (names == NULL)
		return ENOMEM;
	size = flistxattr(fd, names, (size_t)size);
	if (size < 0)
		error = errno;
	else
		error = read_all(out, arena, fd, names, (size_t)size);
	free(names);
	return error;
}

int cd_attributes_acl(const struct cd_xattr **out, struct cd_arena *arena, int fd)
{
	struct cd_xattr *acl = cd_arena_alloc(arena, sizeof(*acl));
	int error = acl == NULL ? ENOMEM : read_one(acl, arena, fd, ACCESS_ACL);

	*out = error == 0 ? acl : NULL;
	return error == ENODATA || error == ENOTSUP ? 0 : error;
}

static bool has_it_already(int fd, const struct cd_xattr *xattr)
{
	char value[1024];
	ssize_t size = fgetxattr(fd, xattr->name, value, sizeof(value));

	return size >= 0 && (size_t)size == xattr->length &&
	       (size == 0 || memcmp(value, xattr->value, (size_t)size) == 0);
}

static int apply_xattrs(int fd, const struct cd_attributes *attributes)
{
	bool has_acl = false;

	for (size_t i = 0; i < attributes->xattr_count; i++) {
		const struct cd_xattr *xattr = &attributes->xattrs[i];

		has_acl = has_acl || strcmp(xattr->name, ACCESS_ACL) == 0;
		if (has_it_already(fd, xattr))
			continue;
		if (fsetxattr(fd, xattr->name, xattr->value, xattr->length, 0) == -1)
			return errno;
	}
	/* What the directory's default ACL has given to the new file. */
	if (!has_acl && fremovexattr(fd, ACCESS_ACL) == -1 && errno != ENODATA && errno != ENOTSUP)
		return errno;
	return 0;
}

int cd_attributes_apply(int fd, const struct cd_attributes *attributes, bool with_time)
{
	struct timespec times[2] = {{0, UTIME_OMIT}, attributes->modified};
	struct stat status;
	int error;

	if (fstat(fd, &status) == -1)
		return errno;
	if ((status.st_uid != attributes->owner || status.st_gid != attributes->group) &&
	    fchown(fd, attributes->owner, attributes->group) == -1)
		return errno;
	error = apply_xattrs(fd, attributes);
	if (error != 0)
		return error;
	if (fstat(fd, &status) == -1)
		return errno;
	if ((status.st_mode & 07777) != attributes->mode && fchmod(fd, attributes->mode) == -1)
		return errno;
	if (with_time && futimens(fd, times) == -1)
		return errno;
	return 0;
}
