/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-file.c - finding the place where to write: links, roots, and whom to trust */
#include "unit.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	assert_int_equal(cd_place_find(&place, &tree->problems, &tree->root, "/open/file", CD_TRUST_ANY), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_links_stay_inside_the_root),
		TEST(test_refusals),
		TEST(test_reading),
		TEST(test_paths_worth_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
