/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-changes.c - the list of changes: what is kept, what is one and the same, what conflicts */
#include "unit.h"

#include "change/changes.h"

#include <stdio.h>
#include <string.h>

struct work {
	struct cd_problems problems;
	struct cd_changes changes;
};

static int set_up(void **state)
{
	static struct work work;

	work = (struct work){0};
	*state = &work;
	return 0;
}

static int tear_down(void **state)
{
	struct work *work = *state;

	cd_changes_free(&work->changes);
	cd_problems_free(&work->problems);
	return 0;
}

static int add_file(struct work *work, const char *path, const char *bytes, bool secret)
{
	const struct cd_change change = {.kind = CD_CHANGE_FILE,
					 .path = path,
					 .bytes = bytes,
					 .length = bytes == NULL ? 0 : strlen(bytes),
					 .mode = 0644,
					 .owner = (uid_t)-1,
					 .group = (gid_t)-1,
					 .secret = secret};

	return cd_changes_add(&work->changes, &work->problems, &change);
}

static void refused(const struct work *work, const char *code)
{
	const struct certdeploy_problem *problem = cd_problems_error(&work->problems, 0);

	assert_non_null(problem);
	assert_string_equal(problem->code, code);
}

static void test_strings_are_copied_bytes_are_not(void **state)
{
	struct work *work = *state;
	char path[] = "/etc/one", target[] = "two", bytes[] = "text";
	struct cd_change file = {.kind = CD_CHANGE_FILE, .path = path, .bytes = bytes, .length = 4};
	struct cd_change link = {.kind = CD_CHANGE_LINK, .path = "/etc/link", .target = target};
	const struct cd_change *kept;

	assert_int_equal(cd_changes_add(&work->changes, &work->problems, &file), 0);
	assert_int_equal(cd_changes_add(&work->changes, &work->problems, &link), 0);
	path[5] = target[0] = 'X';
	assert_int_equal(work->changes.list.count, 2);
	kept = work->changes.list.items[0];
	assert_string_equal(kept->path, "/etc/one");
	assert_ptr_equal(kept->bytes, bytes);
	assert_ptr_equal(cd_table_get(&work->changes.by_path, "/etc/one"), kept);
	kept = work->changes.list.items[1];
	assert_string_equal(kept->target, "two");
}

static void test_the_same_again_is_one(void **state)
{
	struct work *work = *state;
	const struct cd_change directory = {.kind = CD_CHANGE_DIRECTORY, .path = "/d", .mode = 0755};
	const struct cd_change *kept;
	char twin[] = "text";

	assert_int_equal(add_file(work, "/etc/one", "text", false), 0);
	assert_int_equal(add_file(work, "/etc/one", twin, true), 0);
	assert_int_equal(add_file(work, "/etc/built", NULL, false), 0);
	assert_int_equal(add_file(work, "/etc/built", NULL, false), 0);
	assert_int_equal(cd_changes_add(&work->changes, &work->problems, &directory), 0);
	assert_int_equal(cd_changes_add(&work->changes, &work->problems, &directory), 0);
	assert_int_equal(work->changes.list.count, 3);
	/* The stricter of both. */
	kept = work->changes.list.items[0];
	assert_true(kept->secret);
}

static void test_another_content_is_refused(void **state)
{
	struct work *work = *state;

	assert_int_equal(add_file(work, "/etc/one", "text", false), 0);
	assert_int_equal(add_file(work, "/etc/one", "texT", false), CERTDEPLOY_EREFUSED);
	refused(work, "conflicting-edits");
	assert_int_equal(add_file(work, "/etc/one", "texts", false), CERTDEPLOY_EREFUSED);
	assert_int_equal(add_file(work, "/etc/one", NULL, false), CERTDEPLOY_EREFUSED);
	assert_int_equal(work->changes.list.count, 1);
}

/* One that says nothing of secrets does not open what is secret. */
static void test_a_secret_stays_one(void **state)
{
	static const char *const argv[] = {"/usr/sbin/postmap", "%s", NULL}, *const longer[] = {
										     "/usr/sbin/postmap",
										     "%s", "-v", NULL};
	struct work *work = *state;
	struct cd_change_build build = {
		.source = "/etc/map", .argv = argv, .product = "/etc/map.db", .suffix = ".db"};

	assert_int_equal(add_file(work, "/etc/key", "", true), 0);
	assert_int_equal(add_file(work, "/etc/key", "", false), 0);
	assert_true(((struct cd_change *)work->changes.list.items[0])->secret);
	for (int i = 0; i < 3; i++) {
		build.secret = i == 1;
		assert_int_equal(cd_changes_add_build(&work->changes, &work->problems, &build), 0);
		assert_int_equal(((struct cd_change_build *)work->changes.builds.items[0])->secret, i > 0);
	}
	build.argv = longer;
	assert_int_equal(cd_changes_add_build(&work->changes, &work->problems, &build),
			 CERTDEPLOY_EREFUSED);
}

static void test_another_kind_is_refused(void **state)
{
	struct work *work = *state;
	const struct cd_change removal = {.kind = CD_CHANGE_REMOVE, .path = "/etc/one"};

	assert_int_equal(add_file(work, "/etc/one", "text", false), 0);
	assert_int_equal(cd_changes_add(&work->changes, &work->problems, &removal), CERTDEPLOY_EREFUSED);
	refused(work, "conflicting-edits");
}

static void test_links_compare_by_target(void **state)
{
	struct work *work = *state;
	struct cd_change link = {.kind = CD_CHANGE_LINK, .path = "/l", .target = "a"};

	assert_int_equal(cd_changes_add(&work->changes, &work->problems, &link), 0);
	assert_int_equal(cd_changes_add(&work->changes, &work->problems, &link), 0);
	link.target = "b";
	assert_int_equal(cd_changes_add(&work->changes, &work->problems, &link), CERTDEPLOY_EREFUSED);
	refused(work, "conflicting-edits");
}

static void test_paths_that_are_not_written_to(void **state)
{
	struct work *work = *state;

	assert_int_equal(add_file(work, "relative", "", false), CERTDEPLOY_EREFUSED);
	assert_int_equal(add_file(work, "/etc/../x", "", false), CERTDEPLOY_EREFUSED);
	assert_int_equal(add_file(work, "/etc/a\nb", "", false), CERTDEPLOY_EREFUSED);
	refused(work, "unsafe-path");
	assert_int_equal(work->changes.list.count, 0);
}

static void test_builds(void **state)
{
	struct work *work = *state;
	char option[] = "-F";
	const char *const argv[] = {"/usr/sbin/postmap", option, "hash:%s", NULL};
	const char *const other[] = {"/usr/sbin/postmap", "hash:%s", NULL};
	struct cd_change_build build = {.source = "/etc/postfix/sni",
					.argv = argv,
					.product = "/etc/postfix/sni.db",
					.suffix = ".db"};
	const struct cd_change_build *kept;

	assert_int_equal(cd_changes_add_build(&work->changes, &work->problems, &build), 0);
	assert_int_equal(cd_changes_add_build(&work->changes, &work->problems, &build), 0);
	assert_int_equal(work->changes.builds.count, 1);
	option[1] = 'x';
	kept = work->changes.builds.items[0];
	assert_string_equal(kept->argv[1], "-F");
	assert_null(kept->argv[3]);
	build.argv = other;
	assert_int_equal(cd_changes_add_build(&work->changes, &work->problems, &build),
			 CERTDEPLOY_EREFUSED);
	refused(work, "conflicting-edits");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_strings_are_copied_bytes_are_not), TEST(test_the_same_again_is_one),
		TEST(test_another_content_is_refused),       TEST(test_a_secret_stays_one),
		TEST(test_another_kind_is_refused),          TEST(test_links_compare_by_target),
		TEST(test_paths_that_are_not_written_to),    TEST(test_builds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
