/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-disk.c - what lies below a transaction, with answers that a sound host never gives */
#include "short.h"

#include "change/attributes.h"
#include "change/disk.h"
#include "change/state.h"
#include "change/syslog.h"
#include "change/work.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

struct work {
	char path[64];
	int directory;
	struct cd_root root;
	struct cd_arena arena;
};

static int set_up(void **state)
{
	struct work *work = calloc(1, sizeof(*work));

	assert_non_null(work);
	(void)snprintf(work->path, sizeof(work->path), "/tmp/certdeploy-disk.XXXXXX");
	assert_non_null(mkdtemp(work->path));
	work->directory = open(work->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_not_equal(work->directory, -1);
	work->root = (struct cd_root){.fd = work->directory, .path = work->path};
	*state = work;
	return 0;
}

static int tear_down(void **state)
{
	struct work *work = *state;
	char command[128];

	(void)short_met();
	cd_arena_free(&work->arena);
	(void)close(work->directory);
	(void)snprintf(command, sizeof(command), "rm -rf %s", work->path);
	assert_int_equal(system(command), 0);
	free(work);
	return 0;
}

/* A new file, flushed. */
static int put(const struct work *work, const char *name, const char *text)
{
	struct cd_flush flush;
	int error, late;

	cd_flush_begin(&flush, 1);
	error = cd_disk_put(work->directory, name, text, strlen(text), &flush);
	late = cd_flush_barrier(&flush);
	return error != 0 ? error : late;
}

/* A new file, open. */
static int make(const struct work *work, const char *name, const char *text)
{
	assert_int_equal(cd_disk_put(work->directory, name, text, strlen(text), NULL), 0);
	return cd_disk_open(work->directory, name, O_RDWR, 0);
}

static void assert_holds(const struct work *work, const char *name, const char *text)
{
	char bytes[64] = "";
	int fd = cd_disk_open(work->directory, name, O_RDONLY, 0);

	assert_int_not_equal(fd, -1);
	assert_int_equal(read(fd, bytes, sizeof(bytes) - 1), strlen(text));
	assert_string_equal(bytes, text);
	(void)close(fd);
}

static bool stands(const struct work *work, const char *name)
{
	return faccessat(work->directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- attributes ---- */

static int with_attributes(const struct work *work)
{
	int fd = make(work, "attributes", "text");

	if (fsetxattr(fd, "user.a", "one", 3, 0) != 0 || fsetxattr(fd, "user.b", "", 0, 0) != 0) {
		(void)close(fd);
		skip(); /* no such attributes on this file system */
	}
	return fd;
}

/* Listed and gone, or not for us: the others count. Anything else is an error. */
static void test_attributes_that_cannot_be_read(void **state)
{
	static const struct {
		const char *call;
		long at;
		int fault, result;
		size_t count;
	} cases[] = {
		{"flistxattr", 1, ENOTSUP, 0, 0}, {"flistxattr", 1, EIO, EIO, 0},
		{"flistxattr", 2, EIO, EIO, 0},   {"fgetxattr", 1, ENODATA, 0, 1},
		{"fgetxattr", 2, ENODATA, 0, 1},  {"fgetxattr", 1, ENOTSUP, 0, 1},
		{"fgetxattr", 4, ENOTSUP, 0, 1},  {"fgetxattr", 1, EIO, EIO, 0},
		{"fgetxattr", 4, EIO, EIO, 1},    {"fstat", 1, EIO, EIO, 0},
		{"calloc", 1, ENOMEM, ENOMEM, 0},
	};
	struct work *work = *state;
	struct cd_attributes read;
	int fd = with_attributes(work);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		read = (struct cd_attributes){0};
		short_of(cases[i].call, cases[i].at, 1, cases[i].fault);
		assert_int_equal(cd_attributes_read(&read, &work->arena, fd), cases[i].result);
		assert_true(short_met());
		assert_int_equal(read.xattr_count, cases[i].count);
	}
	assert_int_equal(cd_attributes_read(&read, &work->arena, fd), 0);
	assert_int_equal(read.xattr_count, 2);
	(void)close(fd);
}

/* What the kernel keeps over the file itself belongs to no copy. */
static void test_sums_of_the_kernel_are_not_copied(void **state)
{
	struct work *work = *state;
	struct cd_attributes read = {0};
	int fd = with_attributes(work);

	int set = fsetxattr(fd, "security.evm", "\2x", 2, 0) == 0 ? 1 : 0;

	set += fsetxattr(fd, "security.ima", "\1x", 2, 0) == 0 ? 1 : 0;
	if (set == 0) {
		(void)close(fd);
		skip();
	}
	assert_int_equal(cd_attributes_read(&read, &work->arena, fd), 0);
	assert_int_equal(read.xattr_count, 2);
	(void)close(fd);
}

/* Of the owner, a user, the group, the mask, others; as the kernel takes it. */
static const char acl[] = "\2\0\0\0"
			  "\1\0\6\0\377\377\377\377"
			  "\2\0\4\0\1\0\0\0"
			  "\4\0\4\0\377\377\377\377"
			  "\20\0\4\0\377\377\377\377"
			  "\40\0\0\0\377\377\377\377";

static void test_access_control_lists(void **state)
{
	static const int faults[] = {ENODATA, ENOTSUP, EIO};
	struct work *work = *state;
	struct cd_attributes plain = {0};
	const struct cd_xattr *list;
	int fd = make(work, "acl", "text");

	assert_int_equal(cd_attributes_acl(&list, &work->arena, fd), 0);
	assert_null(list);
	assert_int_equal(cd_attributes_read(&plain, &work->arena, fd), 0);
	if (fsetxattr(fd, "system.posix_acl_access", acl, sizeof(acl) - 1, 0) != 0) {
		(void)close(fd);
		skip();
	}
	assert_int_equal(cd_attributes_acl(&list, &work->arena, fd), 0);
	assert_string_equal(list->name, "system.posix_acl_access");
	assert_int_equal(list->length, sizeof(acl) - 1);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		short_of("fgetxattr", 1, 1, faults[i]);
		assert_int_equal(cd_attributes_acl(&list, &work->arena, fd), faults[i] == EIO ? EIO : 0);
		assert_true(short_met());
		assert_null(list);
	}
	/* One that a directory's default has given to a file that shall have none goes; or it is said. */
	short_of("fremovexattr", 1, 1, EIO);
	assert_int_equal(cd_attributes_apply(fd, &plain, false), EIO);
	assert_int_equal(fgetxattr(fd, "system.posix_acl_access", NULL, 0), sizeof(acl) - 1);
	assert_int_equal(cd_attributes_apply(fd, &plain, false), 0);
	assert_int_equal(fgetxattr(fd, "system.posix_acl_access", NULL, 0), -1);
	for (size_t i = 0; i < 2; i++) {
		short_of("fremovexattr", 1, 1, faults[i]);
		assert_int_equal(cd_attributes_apply(fd, &plain, false), 0);
		assert_true(short_met());
	}
	(void)close(fd);
}

static void assert_attribute(int fd, const char *name, const char *wanted)
{
	char value[16] = "";

	assert_int_equal(fgetxattr(fd, name, value, sizeof(value) - 1), strlen(wanted));
	assert_string_equal(value, wanted);
}

/* Setting a label that the kernel has given already may be forbidden: it is not done again. */
static void test_attributes_that_are_there_already(void **state)
{
	struct work *work = *state;
	struct cd_attributes wanted = {0};
	int fd = with_attributes(work), other = make(work, "other", "text");

	(void)fsetxattr(fd, "system.posix_acl_access", acl, sizeof(acl) - 1, 0);
	assert_int_equal(cd_attributes_read(&wanted, &work->arena, fd), 0);
	short_of("fsetxattr", 1, 1, EPERM);
	assert_int_equal(cd_attributes_apply(other, &wanted, true), EPERM);
	assert_int_equal(cd_attributes_apply(other, &wanted, true), 0);
	assert_attribute(other, "user.a", "one");
	assert_attribute(other, "user.b", "");
	short_of("fsetxattr", 1, 100, EPERM);
	assert_int_equal(cd_attributes_apply(other, &wanted, true), 0);
	assert_false(short_met());
	/* Of the same length, and of another. */
	assert_int_equal(fsetxattr(other, "user.a", "two", 3, 0), 0);
	assert_int_equal(fsetxattr(other, "user.b", "more", 4, 0), 0);
	assert_int_equal(cd_attributes_apply(other, &wanted, true), 0);
	assert_attribute(other, "user.a", "one");
	assert_attribute(other, "user.b", "");
	(void)close(fd);
	(void)close(other);
}

/* A link is its owner's as what it stands for was. */
static void test_owners_of_links(void **state)
{
	static const uid_t ids[][2] = {{54321, 0}, {0, 54321}, {54321, 54321}};
	struct work *work = *state;
	struct stat status;

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		const struct cd_attributes wanted = {.owner = ids[i][0], .group = ids[i][1]};

		assert_int_equal(cd_stage_link(work->directory, "link", "target", &wanted, true), 0);
		assert_int_equal(fstatat(work->directory, "link", &status, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(status.st_uid, ids[i][0]);
		assert_int_equal(status.st_gid, ids[i][1]);
		assert_int_equal(status.st_mtime, 0);
		assert_int_equal(unlinkat(work->directory, "link", 0), 0);
		short_of("fchownat", 1, 1, EPERM);
		assert_int_equal(cd_stage_link(work->directory, "link", "target", &wanted, true), EPERM);
		assert_true(short_met());
		assert_int_equal(unlinkat(work->directory, "link", 0), 0);
	}
}

static void test_owners(void **state)
{
	static const struct {
		const char *call;
		long at;
	} cases[] = {{"fchown", 1}, {"fstat", 1}, {"fstat", 2}, {"fchmod", 1}, {"futimens", 1}};
	struct work *work = *state;
	struct cd_attributes wanted = {0};
	struct stat status;
	int fd = make(work, "owned", "text");

	assert_int_equal(fstat(fd, &status), 0);
	for (int i = 0; i < 2; i++) {
		cd_attributes_of(&wanted, &status);
		wanted.mode = 0640;
		wanted.owner += i == 0 ? 1 : 0;
		wanted.group += i == 1 ? 1 : 0;
		for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
			/* Only root comes as far as what follows. */
			if (k > 1 && geteuid() != 0)
				continue;
			assert_int_equal(fchmod(fd, 0600), 0);
			if (geteuid() == 0)
				assert_int_equal(fchown(fd, status.st_uid, status.st_gid), 0);
			short_of(cases[k].call, cases[k].at, 1, EROFS);
			assert_int_equal(cd_attributes_apply(fd, &wanted, true), EROFS);
			assert_true(short_met());
		}
		if (geteuid() != 0)
			continue;
		assert_int_equal(cd_attributes_apply(fd, &wanted, true), 0);
		assert_int_equal(fstat(fd, &status), 0);
		assert_int_equal(status.st_uid, wanted.owner);
		assert_int_equal(status.st_gid, wanted.group);
		assert_int_equal(status.st_mode & 07777, 0640);
	}
	(void)close(fd);
}

/* ---- directories ---- */

static void assert_errno(int result, int number)
{
	int error = errno;

	assert_int_equal(result, -1);
	assert_int_equal(error, number);
}

/* A kernel, or a filter of calls, without openat2(): component by component. */
static void test_without_openat2(void **state)
{
	static const int faults[] = {ENOSYS, EPERM};
	struct work *work = *state;
	char name[NAME_MAX + 4];
	int fd;

	(void)snprintf(name, sizeof(name), "/%0*d", NAME_MAX + 1, 0);
	assert_int_equal(mkdirat(work->directory, "a", 0755), 0);
	assert_int_equal(mkdirat(work->directory, "a/b", 0755), 0);
	assert_int_equal(symlinkat("a", work->directory, "link"), 0);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		short_of("syscall", 1, 100, faults[i]);
		fd = cd_disk_directory(&work->root, "/a//b/");
		assert_int_not_equal(fd, -1);
		(void)close(fd);
		fd = cd_disk_directory(&work->root, "/");
		assert_int_not_equal(fd, -1);
		(void)close(fd);
		assert_errno(cd_disk_directory(&work->root, "/a/c"), ENOENT);
		assert_int_equal(cd_disk_directory(&work->root, "/link"), -1);
		assert_errno(cd_disk_directory(&work->root, name), ENAMETOOLONG);
		assert_true(short_met());
	}
	short_of("syscall", 1, 1, EIO);
	assert_errno(cd_disk_directory(&work->root, "/a"), EIO);
}

static void test_the_directory_of_a_path(void **state)
{
	struct work *work = *state;
	char path[PATH_MAX + 8] = "/";
	const char *name;
	int fd = cd_disk_parent(&name, &work->root, "alone");

	assert_int_not_equal(fd, -1);
	assert_string_equal(name, "alone");
	(void)close(fd);
	memset(path + 1, 'x', PATH_MAX);
	path[PATH_MAX + 1] = '/';
	assert_errno(cd_disk_parent(&name, &work->root, path), ENAMETOOLONG);
}

static void test_directories_that_cannot_be_made(void **state)
{
	struct work *work = *state;
	struct stat status;
	mode_t mask = umask(0077);
	int fd = cd_disk_make_directory(work->directory, "open", 0755);

	assert_int_not_equal(fd, -1);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0755);
	(void)close(fd);
	short_of("fchmod", 1, 1, EROFS);
	assert_errno(cd_disk_make_directory(work->directory, "a", 0755), EROFS);
	(void)umask(mask);
	short_of("fstat", 1, 1, EIO);
	assert_errno(cd_disk_make_directory(work->directory, "b", 0700), EIO);
	short_of("mkdirat", 1, 1, EROFS);
	assert_errno(cd_disk_make_directory(work->directory, "c", 0700), EROFS);
	/* Somebody was faster, and has removed it since; or it cannot be opened. */
	short_of("mkdirat", 1, 1, EEXIST);
	assert_errno(cd_disk_make_directory(work->directory, "c", 0700), ENOENT);
	short_of("openat", 1, 1, EACCES);
	assert_errno(cd_disk_make_directory(work->directory, "c", 0700), EACCES);
	assert_false(stands(work, "c"));
}

/* ---- files ---- */

static void test_writes_that_fail(void **state)
{
	static const struct {
		const char *call;
		int fault, result;
	} cases[] = {{"write", EIO, EIO},       {"write", ENOSPC, ENOSPC},
		     {"write", 0, EIO}, /* writes nothing, for ever */
		     {"write close", EIO, EIO}, {"fsync", EIO, EIO},
		     {"close", EDQUOT, EDQUOT}, {"openat", EROFS, EROFS}};
	struct work *work = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		short_of(cases[i].call, 1, 2, cases[i].fault);
		assert_int_equal(put(work, "file", "text"), cases[i].result);
		assert_true(short_met());
		(void)unlinkat(work->directory, "file", 0);
	}
	short_of("write", 1, 1, EINTR);
	assert_int_equal(cd_disk_put(work->directory, "file", "text", 4, NULL), 0);
	assert_true(short_met());
	assert_holds(work, "file", "text");
	assert_int_equal(cd_disk_put(work->directory, "file", "more", 4, NULL), EEXIST);
	assert_holds(work, "file", "text");
}

/* The first failure is told. */
static void test_closing(void **state)
{
	struct work *work = *state;

	assert_int_equal(cd_disk_close(-1, 0), 0);
	assert_int_equal(cd_disk_close(-1, EIO), EIO);
	assert_int_equal(cd_disk_close(make(work, "one", "text"), 0), 0);
	short_of("close", 1, 1, EDQUOT);
	assert_int_equal(cd_disk_close(openat(work->directory, "one", O_RDONLY), 0), EDQUOT);
	short_of("close", 1, 1, EDQUOT);
	assert_int_equal(cd_disk_close(openat(work->directory, "one", O_RDONLY), ENOSPC), ENOSPC);
	assert_true(short_met());
}

/* Between looking and making somebody else makes it. */
static void test_a_file_of_our_own(void **state)
{
	struct work *work = *state;
	int fd;

	short_of("openat", 1, 1, EACCES);
	assert_errno(cd_disk_open_own(work->directory, "own", 0), EACCES);
	short_of("openat", 2, 1, EEXIST);
	assert_errno(cd_disk_open_own(work->directory, "own", 0), ENOENT);
	short_of("openat", 2, 1, EROFS);
	assert_errno(cd_disk_open_own(work->directory, "own", 0), EROFS);
	assert_false(stands(work, "own"));
	fd = make(work, "own", "text");
	(void)close(fd);
	short_of("openat", 1, 2, ENOENT);
	assert_errno(cd_disk_open_own(work->directory, "own", 0), ENOENT);
	fd = cd_disk_open_own(work->directory, "own", 0);
	assert_int_not_equal(fd, -1);
	(void)close(fd);
	assert_holds(work, "own", "text");
}

static void test_sums_that_cannot_be_made(void **state)
{
	static const struct {
		const char *call;
		int fault, result;
	} cases[] = {{"EVP_MD_CTX_new", ENOMEM, ENOMEM},
		     {"EVP_DigestInit_ex", ENOMEM, ENOMEM},
		     {"EVP_DigestUpdate", ENOMEM, ENOMEM},
		     {"EVP_DigestFinal_ex", ENOMEM, ENOMEM},
		     {"openat", EACCES, EACCES}};
	struct work *work = *state;
	char digest[CD_SHA256_TEXT];
	off_t size = 0;
	int from = make(work, "from", "text"), to = make(work, "to", "");

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		short_of(cases[i].call, 1, 1, cases[i].fault);
		assert_int_equal(cd_disk_digest(digest, work->directory, "from"), cases[i].result);
		assert_true(short_met());
	}
	/* What was not summed up is not written either. */
	short_of("EVP_DigestUpdate", 1, 1, ENOMEM);
	assert_int_equal(cd_disk_copy(to, from, digest, NULL), ENOMEM);
	assert_holds(work, "to", "");
	assert_int_equal(lseek(from, 0, SEEK_SET), 0);
	assert_int_equal(cd_disk_copy(to, from, NULL, &size), 0);
	assert_int_equal(size, 4);
	assert_holds(work, "to", "text");
	(void)close(from);
	(void)close(to);
}

static void test_links_that_are_too_long(void **state)
{
	struct work *work = *state;
	char longest[PATH_MAX], *target;

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	if (symlinkat(longest, work->directory, "link") != 0)
		skip();
	assert_int_equal(cd_disk_readlink(&target, work->directory, "link"), ENAMETOOLONG);
	assert_null(target);
	assert_int_equal(cd_disk_readlink(&target, work->directory, "none"), ENOENT);
	assert_int_equal(symlinkat("there", work->directory, "short"), 0);
	short_of("strdup", 1, 1, ENOMEM);
	assert_int_equal(cd_disk_readlink(&target, work->directory, "short"), ENOMEM);
	assert_int_equal(cd_disk_readlink(&target, work->directory, "short"), 0);
	assert_string_equal(target, "there");
	free(target);
}

/* A rename must never go over something, also where the kernel or the file system has no such rename. */
static void test_renames_without_the_flag(void **state)
{
	static const int faults[] = {EINVAL, ENOSYS};
	struct work *work = *state;
	int at = work->directory;

	(void)close(make(work, "stands", "theirs"));
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		(void)close(make(work, "new", "ours"));
		short_of("syscall", 1, 1, faults[i]);
		assert_int_equal(cd_disk_rename_new(at, "new", at, "stands"), EEXIST);
		assert_holds(work, "stands", "theirs");
		short_of("syscall", 1, 1, faults[i]);
		assert_int_equal(cd_disk_rename_new(at, "new", at, "free"), 0);
		assert_holds(work, "free", "ours");
		assert_int_equal(unlinkat(at, "free", 0), 0);
		short_of("syscall", 1, 1, faults[i]);
		assert_int_equal(cd_disk_rename_new(at, "none", at, "free"), ENOENT);
	}
	short_of("syscall fstatat", 1, 2, EINVAL);
	assert_int_equal(cd_disk_rename_new(at, "stands", at, "free"), EINVAL);
	short_of("syscall", 1, 1, EROFS);
	assert_int_equal(cd_disk_rename_new(at, "stands", at, "free"), EROFS);
	assert_int_equal(cd_disk_rename_new(at, "stands", at, "stands"), EEXIST);
	assert_holds(work, "stands", "theirs");
	assert_false(stands(work, "free"));
}

static void test_removals_that_fail(void **state)
{
	static const struct {
		const char *name, *call;
		long at;
		int fault, result;
	} cases[] = {
		{"file", "unlinkat", 1, EACCES, EACCES},  {"file", "unlinkat", 1, EPERM, EPERM},
		{"file", "unlinkat", 1, EROFS, EROFS},    {"tree", "openat", 1, EMFILE, EMFILE},
		{"tree", "fdopendir", 1, EMFILE, EMFILE}, {"tree", "readdir", 1, EIO, EIO},
		{"tree", "unlinkat", 2, EROFS, EROFS},    {"file", "unlinkat fstatat", 1, EROFS, EROFS},
		{"empty", "unlinkat", 2, EBUSY, EBUSY},
	};
	struct work *work = *state;

	(void)close(make(work, "file", "text"));
	assert_int_equal(mkdirat(work->directory, "empty", 0700), 0);
	assert_int_equal(mkdirat(work->directory, "tree", 0700), 0);
	assert_int_equal(symlinkat("../file", work->directory, "tree/link"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		short_of(cases[i].call, cases[i].at, 2, cases[i].fault);
		assert_int_equal(cd_disk_remove(work->directory, cases[i].name), cases[i].result);
		assert_true(short_met());
		assert_true(stands(work, cases[i].name));
	}
	/* A file system that may only be read refuses also what is not there. */
	short_of("unlinkat", 1, 1, EROFS);
	assert_int_equal(cd_disk_remove(work->directory, "none"), 0);
	/* Somebody else was faster. */
	short_of("unlinkat", 2, 1, ENOENT);
	assert_int_equal(cd_disk_remove(work->directory, "empty"), 0);
	assert_int_equal(cd_disk_remove(work->directory, "tree"), 0);
	assert_false(stands(work, "tree"));
	assert_true(stands(work, "file"));
}

static void test_lists_that_fail(void **state)
{
	static const struct {
		const char *call;
		int fault;
	} cases[] = {{"openat", EMFILE}, {"fdopendir", EMFILE}, {"readdir", EIO}};
	struct work *work = *state;
	struct cd_vector names = {0};

	(void)close(make(work, "b", ""));
	(void)close(make(work, "a", ""));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		short_of(cases[i].call, 1, 1, cases[i].fault);
		assert_int_equal(cd_disk_list(&names, &work->arena, work->directory), cases[i].fault);
		assert_true(short_met());
		assert_int_equal(names.count, 0);
	}
	assert_int_equal(cd_disk_list(&names, &work->arena, work->directory), 0);
	assert_int_equal(names.count, 2);
	assert_string_equal(names.items[0], "a");
	cd_vector_free(&names);
}

/* ---- flushing ---- */

static void test_shared_flushes(void **state)
{
	struct work *work = *state;
	struct cd_flush flush;
	int other = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cd_flush_begin(&flush, 1000);
	short_of("fstat", 1, 1, EIO);
	assert_int_equal(cd_flush_add(&flush, work->directory, NULL), EIO);
	short_of("fcntl", 1, 1, EMFILE);
	assert_int_equal(cd_flush_add(&flush, work->directory, NULL), EMFILE);
	assert_int_equal(flush.count, 0);
	assert_int_equal(cd_flush_add(&flush, work->directory, NULL), 0);
	assert_int_equal(cd_flush_add(&flush, work->directory, NULL), 0);
	assert_int_equal(flush.count, 1);
	if (other != -1)
		assert_int_equal(cd_flush_add(&flush, other, NULL), 0);
	/* The first failure is told, and is no reason to leave out the others. */
	short_of("syncfs", 1, 1, EIO);
	assert_int_equal(cd_flush_barrier(&flush), EIO);
	assert_true(short_met());
	assert_int_equal(flush.count, 0);
	if (other != -1)
		(void)close(other);
}

/* Each by itself, but together; more than can wait are not kept waiting. */
static void test_few_flushes(void **state)
{
	struct work *work = *state;
	struct cd_flush flush;
	size_t room = sizeof(flush.waiting) / sizeof(flush.waiting[0]);

	cd_flush_begin(&flush, 3);
	short_of("fcntl", 1, 1, EMFILE);
	assert_int_equal(cd_flush_add(&flush, work->directory, NULL), EMFILE);
	assert_int_equal(flush.count, 0);
	short_of("fsync", 1, 1, EIO);
	for (size_t i = 0; i < room; i++)
		assert_int_equal(cd_flush_add(&flush, work->directory, i == 0 ? "/first" : "/other"), 0);
	assert_int_equal(flush.count, room);
	assert_int_equal(cd_flush_add(&flush, work->directory, "/last"), EIO);
	assert_true(short_met());
	assert_string_equal(flush.failed, "/first");
	assert_int_equal(flush.count, 0);
	assert_int_equal(cd_flush_add(&flush, work->directory, NULL), 0);
	assert_int_equal(flush.count, 1);
	assert_int_equal(cd_flush_barrier(&flush), 0);
	assert_int_equal(flush.count, 0);
}

/* ---- the lock ---- */

static void test_locks(void **state)
{
	struct work *work = *state;
	struct cd_problems problems = {0};
	struct cd_state one = {.problems = &problems, .root = &work->root, .path = "", .lock = -1}, other;

	one.directory = work->directory;
	other = one;
	assert_false(cd_state_is_locked(&one));
	short_of("fcntl", 1, 1, EIO);
	assert_int_equal(cd_state_lock(&one, 0, NULL, NULL), CERTDEPLOY_EFAILED);
	assert_true(short_met());
	assert_int_equal(one.lock, -1);
	/* Some file systems say so of a lock that is taken. */
	short_of("fcntl", 1, 1, EACCES);
	assert_int_equal(cd_state_lock(&one, 0, NULL, NULL), CERTDEPLOY_ELOCKED);
	assert_true(short_met());
	assert_int_equal(cd_state_lock(&one, 0, NULL, NULL), 0);
	assert_true(cd_state_is_locked(&other));
	assert_int_equal(cd_state_lock(&other, 0, NULL, NULL), CERTDEPLOY_ELOCKED);
	short_of("fcntl", 1, 1, EIO);
	assert_false(cd_state_is_locked(&other));
	assert_true(short_met());
	(void)close(one.lock);
	assert_false(cd_state_is_locked(&other));
	cd_problems_free(&problems);
}

/* ---- the state directory ---- */

static void test_a_state_directory_that_cannot_be_made(void **state)
{
	static const char *const calls[] = {"mkdirat", "openat", "syscall",
					    "fstat",   "fsync",  "strdup malloc"};
	struct work *work = *state;
	struct cd_state opened;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		bool met = true;

		for (long at = 1; met; at++) {
			struct cd_problems problems = {0};
			int result;

			(void)cd_disk_remove(work->directory, "var");
			short_of(calls[i], at, 1, i == 5 ? ENOMEM : EIO);
			result = cd_state_open(&opened, &problems, &work->root, "/var/lib/state", true);
			met = short_met();
			assert_true(met || result == 0);
			assert_int_equal(opened.directory != -1, result == 0);
			cd_state_close(&opened);
			assert_int_equal(
				cd_state_open(&opened, &problems, &work->root, "/var/lib/state", true), 0);
			cd_state_close(&opened);
			cd_problems_free(&problems);
		}
	}
}

/* A rename leads nowhere else; nor where that cannot be known. */
static void test_where_a_rename_leads(void **state)
{
	struct work *work = *state;
	int other = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_not_equal(other, -1);
	assert_true(cd_disk_same_mount(work->directory, work->directory));
	assert_false(cd_disk_same_mount(work->directory, other));
	for (long at = 1; at <= 2; at++) {
		short_of("fstat", at, 1, EIO);
		assert_false(cd_disk_same_mount(work->directory, work->directory));
		assert_true(short_met());
	}
	(void)close(other);
}

static void test_who_asks(void **state)
{
	struct work *work = *state;
	const char *plain, *who;

	assert_int_equal(unsetenv("SUDO_USER"), 0);
	plain = cd_who(&work->arena);
	assert_int_equal(setenv("SUDO_USER", "", 1), 0);
	who = cd_who(&work->arena);
	assert_string_equal(who, plain);
	assert_int_equal(setenv("SUDO_USER", "ta\nro", 1), 0);
	who = cd_who(&work->arena);
	assert_non_null(strstr(who, " (sudo: ta"));
	assert_null(strchr(who, '\n'));
	assert_int_equal(unsetenv("SUDO_USER"), 0);
	/* Of a user whom the file does not know, or where it cannot be read, the number is enough. */
	short_of("open", 1, 1, EACCES);
	who = cd_who(&work->arena);
	assert_true(short_met());
	assert_in_range(who[0], '0', '9');
	if (geteuid() != 0)
		return;
	assert_int_equal(seteuid(54321), 0);
	who = cd_who(&work->arena);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(strncmp(who, "54321", 5), 0);
}

/* One file for another: who_with("/etc/passwd", "root:x:0:...") */
static const char *who_with(struct work *work, const char *instead_of, const char *text)
{
	char path[128];
	const char *who;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/instead", work->path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) != EOF);
	assert_int_equal(fclose(file), 0);
	short_instead(instead_of, path);
	who = cd_who(&work->arena);
	short_instead(NULL, NULL);
	return who;
}

/* Names come from the file of users alone, whatever stands in it; no password makes no other number. */
static void test_names_of_users(void **state)
{
	static const char *const unknown[] = {"",
					      "\n\n",
					      "alone\n",
					      "short:x\n",
					      "bare:x:%u\n",
					      "odd:x:%ux:0\n",
					      "no:x::0\n",
					      "other:x:54399:%u\n",
					      "moved:%u::0\n"};
	struct work *work = *state;
	char text[64], number[16];

	assert_int_equal(unsetenv("SUDO_USER"), 0);
	(void)snprintf(number, sizeof(number), "%u", (unsigned)geteuid());
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		const char *percent = strstr(unknown[i], "%u");
		int before = percent == NULL ? (int)strlen(unknown[i]) : (int)(percent - unknown[i]);

		(void)snprintf(text, sizeof(text), "%.*s%s%s", before, unknown[i],
			       percent == NULL ? "" : number, percent == NULL ? "" : percent + 2);
		assert_int_equal(strncmp(who_with(work, "/etc/passwd", text), number, strlen(number)), 0);
	}
	(void)snprintf(text, sizeof(text), "x:x:54399:0:\ntaro::%s:0:\n", number);
	assert_int_equal(strncmp(who_with(work, "/etc/passwd", text), "taro", 4), 0);
}

/* Who logged in and became another is told beside whom he became. */
static void test_who_logged_in(void **state)
{
	static const char place[] = "/proc/self/loginuid";
	struct work *work = *state;
	const char *plain, *who;
	char own[16];

	assert_int_equal(unsetenv("SUDO_USER"), 0);
	plain = who_with(work, place, "4294967295");
	assert_null(strstr(plain, "login"));
	assert_string_equal(who_with(work, place, ""), plain);
	(void)snprintf(own, sizeof(own), "%u", (unsigned)geteuid());
	assert_string_equal(who_with(work, place, own), plain);
	who = who_with(work, place, "54399\n");
	assert_non_null(strstr(who, " (login: 54399)"));
}

/* ---- the system's log ---- */

#define LONGEST 8192

static void test_lines_of_the_log(void **state)
{
	struct work *work = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char line[2 * LONGEST], got[2 * LONGEST], path[sizeof(address.sun_path) + 1];

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/log", work->path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	cd_syslog(address.sun_path, false, line);
	assert_int_equal(recv(fd, got, sizeof(got), 0), LONGEST);
	assert_memory_equal(got, "<29>", 4);
	assert_int_equal(got[LONGEST - 1], 'x');
	/* Nobody hears, or nothing can be said: no line, and no harm. */
	short_of("socket", 1, 1, EMFILE);
	cd_syslog(address.sun_path, true, "one");
	assert_true(short_met());
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	cd_syslog(path, true, "two");
	assert_errno((int)recv(fd, got, sizeof(got), 0), EAGAIN);
	cd_syslog(address.sun_path, true, "three");
	assert_in_range(recv(fd, got, sizeof(got), 0), 30, 80);
	assert_memory_equal(got, "<28>", 4);
	(void)close(fd);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_attributes_that_cannot_be_read),
		TEST(test_sums_of_the_kernel_are_not_copied),
		TEST(test_access_control_lists),
		TEST(test_attributes_that_are_there_already),
		TEST(test_owners),
		TEST(test_owners_of_links),
		TEST(test_without_openat2),
		TEST(test_the_directory_of_a_path),
		TEST(test_directories_that_cannot_be_made),
		TEST(test_writes_that_fail),
		TEST(test_closing),
		TEST(test_a_file_of_our_own),
		TEST(test_sums_that_cannot_be_made),
		TEST(test_links_that_are_too_long),
		TEST(test_renames_without_the_flag),
		TEST(test_removals_that_fail),
		TEST(test_lists_that_fail),
		TEST(test_shared_flushes),
		TEST(test_few_flushes),
		TEST(test_locks),
		TEST(test_a_state_directory_that_cannot_be_made),
		TEST(test_where_a_rename_leads),
		TEST(test_who_asks),
		TEST(test_names_of_users),
		TEST(test_who_logged_in),
		TEST(test_lines_of_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
