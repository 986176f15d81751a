/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-file.c - finding the place where to write: links, roots, and whom to trust */
#include "unit.h"

#include "base/file.h"
#include "base/openat2.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct tree {
	char path[64];
	struct cd_problems problems;
	struct cd_root root;
};

static void put(const struct tree *tree, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", tree->path, name);
	file = fopen(path, "w");
	assert_non_null(file);
	(void)fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	char path[256];

	(void)strcpy(tree->path, "/tmp/certdeploy-file.XXXXXX");
	assert_non_null(mkdtemp(tree->path));
	(void)snprintf(path, sizeof(path), "%s/etc", tree->path);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/open", tree->path);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(chmod(path, 0777), 0);
	put(tree, "etc/real", "text");
	put(tree, "open/file", "text");
	(void)snprintf(path, sizeof(path), "%s/etc/link", tree->path);
	assert_int_equal(symlink("/etc/real", path), 0);
	(void)snprintf(path, sizeof(path), "%s/etc/loop", tree->path);
	assert_int_equal(symlink("loop", path), 0);
	(void)snprintf(path, sizeof(path), "%s/etc/up", tree->path);
	assert_int_equal(symlink("../../../etc/real", path), 0);
	assert_int_equal(cd_root_open(&tree->root, &tree->problems, tree->path), 0);
	*state = tree;
	return 0;
}

static int tear_down(void **state)
{
	struct tree *tree = *state;
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", tree->path);
	assert_int_equal(system(command), 0);
	cd_root_close(&tree->root);
	cd_problems_free(&tree->problems);
	free(tree);
	return 0;
}

static void finds(struct tree *tree, const char *path, const char *real)
{
	struct cd_place place;

	assert_int_equal(cd_place_find(&place, &tree->problems, &tree->root, path, CD_TRUST_CHECK), 0);
	assert_string_equal(place.path, real);
	cd_place_close(&place);
}

static void test_links_stay_inside_the_root(void **state)
{
	struct tree *tree = *state;

	finds(tree, "/etc/real", "/etc/real");
	finds(tree, "/etc/link", "/etc/real");
	finds(tree, "/etc/up", "/etc/real");
	finds(tree, "//etc/./../etc//real", "/etc/real");
	finds(tree, "/etc/none", "/etc/none");
}

/* Notes the directories, and goes no further than one of this name. */
struct visited {
	char paths[128];
	const char *end;
};

static bool visit(void *context, int directory, const char *path)
{
	struct visited *visited = context;
	struct stat status;
	size_t length = strlen(visited->paths);

	assert_int_equal(fstat(directory, &status), 0);
	assert_true(S_ISDIR(status.st_mode));
	(void)snprintf(visited->paths + length, sizeof(visited->paths) - length, "%s ", path);
	return visited->end == NULL || strcmp(visited->end, path) != 0;
}

static void visits(const struct tree *tree, const char *path, const char *end, const char *paths)
{
	struct visited visited = {.end = end};

	assert_int_equal(cd_visit_directories(&tree->root, path, visit, &visited), 0);
	assert_string_equal(visited.paths, paths);
}

static void test_directories_on_the_way(void **state)
{
	const struct tree *tree = *state;
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/etc/away", tree->path);
	assert_int_equal(symlink("../open/file", path), 0);
	visits(tree, "/etc/real", NULL, "/ /etc ");
	visits(tree, "/etc/away", NULL, "/ /etc /open ");
	visits(tree, "/etc/away", "/", "/ ");
	visits(tree, "/etc/away", "/etc", "/ /etc ");
	visits(tree, "/etc/away", "/open", "/ /etc /open ");
	visits(tree, "/open/none/file", NULL, "/ /open ");
	visits(tree, "/etc/loop", NULL, "/ /etc ");
}

static void test_refusals(void **state)
{
	struct tree *tree = *state;
	struct cd_place place;

	assert_int_equal(cd_place_find(&place, &tree->problems, &tree->root, "/etc/loop", CD_TRUST_CHECK),
			 CERTDEPLOY_EFAILED);
	assert_int_equal(cd_place_find(&place, &tree->problems, &tree->root, "/none/x", CD_TRUST_CHECK),
			 CERTDEPLOY_ENOTFOUND);
	assert_int_equal(cd_place_find(&place, &tree->problems, &tree->root, "/open/file", CD_TRUST_CHECK),
			 CERTDEPLOY_EREFUSED);
	assert_string_equal(cd_problems_error(&tree->problems, 2)->code, "unsafe-path");
	assert_int_equal(cd_place_find(&place, &tree->problems, &tree->root, "/open/file", CD_TRUST_ANY),
			 0);
	cd_place_close(&place);
}

static void test_reading(void **state)
{
	struct tree *tree = *state;
	struct cd_identity identity;
	char *bytes;
	size_t length;

	assert_int_equal(cd_read_file(&bytes, &length, &identity, &tree->root, "/etc/up", 100), 0);
	assert_string_equal(bytes, "text");
	assert_int_equal(identity.size, 4);
	free(bytes);
	assert_int_equal(cd_read_file(&bytes, &length, NULL, &tree->root, "/etc/real", 3), EFBIG);
	assert_int_equal(cd_read_file(&bytes, &length, NULL, &tree->root, "/etc", 100), EISDIR);
	assert_int_equal(cd_read_file(&bytes, &length, NULL, &tree->root, "/etc/none", 100), ENOENT);
}

/* openat2() is missing from here on, as before Linux 5.6 and in many a container. */
static void become_old(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
		_exit(77);
}

/* What stands at the path: of a link that is meant itself, the link. */
static mode_t kind_of(const struct tree *tree, const char *path, int flags)
{
	int fd = cd_open(&tree->root, path, O_PATH | flags);
	struct stat status = {0};

	if (fd != -1 && fstat(fd, &status) == 0)
		(void)close(fd);
	return status.st_mode & S_IFMT;
}

static bool opens_what_is_meant(const struct tree *tree)
{
	return kind_of(tree, "/etc/link", 0) == S_IFREG && kind_of(tree, "/etc/up", 0) == S_IFREG &&
	       kind_of(tree, "/etc/link", O_NOFOLLOW) == S_IFLNK &&
	       kind_of(tree, "/etc/loop", O_NOFOLLOW) == S_IFLNK &&
	       kind_of(tree, "/way/link", O_NOFOLLOW) == S_IFLNK &&
	       kind_of(tree, "/way", O_NOFOLLOW) == S_IFLNK &&
	       kind_of(tree, "/way/real", O_NOFOLLOW) == S_IFREG &&
	       kind_of(tree, "/none/real", O_NOFOLLOW) == 0;
}

static int error_of(const struct tree *tree, const char *path)
{
	int fd = cd_open(&tree->root, path, O_RDONLY);

	if (fd == -1)
		return errno;
	(void)close(fd);
	return 0;
}

/* What is not there is told from what cannot be looked at. */
static bool says_why_not(const struct tree *tree)
{
	char longest[400] = "/";

	memset(longest + 1, 'x', 300);
	return error_of(tree, "/etc/real") == 0 && error_of(tree, "/etc/none") == ENOENT &&
	       error_of(tree, "/none/real") == ENOENT && error_of(tree, "/etc/real/x") == ENOTDIR &&
	       error_of(tree, "/etc/loop") == ELOOP && error_of(tree, longest) == ENAMETOOLONG;
}

static void on_every_kernel(bool (*holds)(const struct tree *tree), const struct tree *tree)
{
	int status;
	pid_t child;

	assert_true(holds(tree));
	child = fork();
	if (child == 0) {
		become_old();
		_exit(holds(tree) ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_a_link_is_opened_itself_on_every_kernel(void **state)
{
	struct tree *tree = *state;
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/way", tree->path);
	assert_int_equal(symlink("/etc", path), 0);
	on_every_kernel(opens_what_is_meant, tree);
}

static void test_why_nothing_is_opened_on_every_kernel(void **state)
{
	on_every_kernel(says_why_not, *state);
}

static void test_paths_worth_writing(void **state)
{
	struct tree *tree = *state;

	assert_int_equal(cd_check_path(&tree->problems, "/etc/a b"), 0);
	assert_int_equal(cd_check_path(&tree->problems, "etc"), CERTDEPLOY_EREFUSED);
	assert_int_equal(cd_check_path(&tree->problems, "/etc/../x"), CERTDEPLOY_EREFUSED);
	assert_int_equal(cd_check_path(&tree->problems, "/etc/.."), CERTDEPLOY_EREFUSED);
	assert_int_equal(cd_check_path(&tree->problems, "/etc/a\nb"), CERTDEPLOY_EREFUSED);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* Of a size that is not told beforehand, as in /proc; what is larger than allowed is given up. */
static void test_a_file_that_grows(void **state)
{
	const struct cd_root here = {.fd = AT_FDCWD, .path = "", .live = true};
	char *bytes = NULL;
	size_t length = 0;

	(void)state;
	assert_int_equal(cd_read_file(&bytes, &length, NULL, &here, "/proc/self/status", 1 << 20), 0);
	assert_true(length > 100);
	assert_int_equal(strlen(bytes), length);
	free(bytes);
	assert_int_equal(cd_read_file(&bytes, &length, NULL, &here, "/proc/self/status", 100), EFBIG);
	assert_null(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_that_grows),
		TEST(test_links_stay_inside_the_root),
		TEST(test_directories_on_the_way),
		TEST(test_refusals),
		TEST(test_reading),
		TEST(test_a_link_is_opened_itself_on_every_kernel),
		TEST(test_why_nothing_is_opened_on_every_kernel),
		TEST(test_paths_worth_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
