/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-edits.c - what a plan changes: edits, builds, diffs, private copies; and what fails on the way */
#include "short.h"

#include "change/changes.h"
#include "change/diff.h"
#include "change/edits.h"
#include "change/scratch.h"
#include "host/reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_PATH "/etc/main.conf"
#define SECRET_PATH "/etc/secret.map"
#define TEXT "# made by hand\none\ntwo\nthree\n"

struct work {
	char path[64];
	struct cd_problems problems;
	struct cd_host host;
	struct cd_service service;
	struct certdeploy_reading reading;
	struct certdeploy_edits edits;
	const struct certdeploy_document *document;
};

static int set_up(void **state)
{
	struct work *work = calloc(1, sizeof(*work));
	char path[128];
	FILE *file;

	(void)snprintf(work->path, sizeof(work->path), "/tmp/certdeploy-edits.XXXXXX");
	assert_non_null(mkdtemp(work->path));
	(void)snprintf(path, sizeof(path), "%s/etc", work->path);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s" FILE_PATH, work->path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(TEXT, file) >= 0);
	assert_int_equal(fclose(file), 0);
	*state = work;
	return 0;
}

static int tear_down(void **state)
{
	struct work *work = *state;
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", work->path);
	assert_int_equal(system(command), 0);
	free(work);
	return 0;
}

static int open_work(struct work *work, const char *path)
{
	static const struct cd_service service = {.name = "server"};
	int result;

	*work = (struct work){.edits.problems = &work->problems, .service = service};
	result = cd_host_open(&work->host, &work->problems, path);
	cd_reading_open(&work->reading, &work->host, &work->service, NULL);
	if (result == 0)
		result = certdeploy_read(&work->document, &work->reading, FILE_PATH);
	return result;
}

static void close_work(struct work *work)
{
	cd_edits_free(&work->edits);
	cd_reading_close(&work->reading);
	cd_host_close(&work->host);
	cd_problems_free(&work->problems);
}

static const char *error_of(const struct work *work)
{
	const struct certdeploy_problem *problem = cd_problems_error(&work->problems, 0);

	return problem == NULL ? "" : problem->code;
}

static int splice(struct work *work, size_t offset, size_t length, const char *text)
{
	return certdeploy_splice(&work->edits, &work->reading, work->document, offset, length, text,
				 strlen(text));
}

static int build(struct work *work)
{
	static const char *const argv[] = {"postmap", "hash:%s", NULL};
	const struct certdeploy_build wanted = {.source = SECRET_PATH,
						.argv = argv,
						.input = "names",
						.input_length = 5,
						.suffix = ".db",
						.secret = true};
	struct certdeploy_build plain = wanted;
	int result = certdeploy_build(&work->edits, &work->reading, &wanted);

	plain.source = FILE_PATH;
	plain.input = NULL;
	return result != 0 ? result : certdeploy_build(&work->edits, &work->reading, &plain);
}

/* A plan like an adapter's, with more splices in one file than there is room for at first. */
static int plan_once(void *data)
{
	const struct work *host = data;
	struct cd_buffer diff = {0};
	struct work work;
	int result = open_work(&work, host->path);

	if (result == 0) /* nothing is changed after all */
		certdeploy_release(work.document);
	for (size_t i = 0; result == 0 && i < 10; i++)
		result = splice(&work, strlen("# made by hand\n"), 0, "more\n");
	if (result == 0)
		result = certdeploy_create(&work.edits, &work.reading, SECRET_PATH, "key", 3, true);
	if (result == 0)
		result = certdeploy_create(&work.edits, &work.reading, "/etc/empty", "", 0, false);
	if (result == 0)
		result = certdeploy_create(&work.edits, &work.reading, "/etc/new", "line\n", 5, false);
	if (result == 0)
		result = build(&work);
	if (result == 0)
		result = cd_edits_render(&work.edits);
	for (size_t i = 0; result == 0 && i < work.edits.files.count; i++)
		cd_diff_add(&diff, work.edits.files.items[i]);
	if (result == 0 && diff.failed)
		result = CERTDEPLOY_ENOMEM;
	if (result == 0) {
		assert_non_null(strstr(cd_buffer_text(&diff), "+more\n"));
		assert_non_null(strstr(cd_buffer_text(&diff), "--- /dev/null\n+++ b/etc/new\n"));
		assert_non_null(strstr(cd_buffer_text(&diff), "shown: " SECRET_PATH " is created"));
		assert_null(strstr(cd_buffer_text(&diff), "key"));
	}
	cd_buffer_free(&diff);
	close_work(&work);
	return result;
}

static void test_whatever_fails_in_a_plan(void **state)
{
	struct work *work = *state;

	assert_int_equal(plan_once(work), 0);
	short_of_everything(plan_once, work);
}

static void test_edits_that_cannot_be(void **state)
{
	struct work *host = *state, work;

	assert_int_equal(open_work(&work, host->path), 0);
	assert_int_equal(splice(&work, strlen(TEXT) + 1, 0, "x"), CERTDEPLOY_EREFUSED);
	assert_int_equal(splice(&work, 3, strlen(TEXT), "x"), CERTDEPLOY_EREFUSED);
	assert_string_equal(error_of(&work), "conflicting-edits");
	assert_int_equal(certdeploy_create(&work.edits, &work.reading, FILE_PATH, "x", 1, false),
			 CERTDEPLOY_EREFUSED);
	assert_int_equal(certdeploy_create(&work.edits, &work.reading, "etc/x", "x", 1, false),
			 CERTDEPLOY_EREFUSED);
	assert_int_equal(certdeploy_create(&work.edits, &work.reading, "/etc/x", "x", 1, false), 0);
	assert_int_equal(certdeploy_create(&work.edits, &work.reading, "/etc/x", "x", 1, false),
			 CERTDEPLOY_EREFUSED);
	assert_int_equal(splice(&work, 0, 5, "a"), 0);
	assert_int_equal(splice(&work, 3, 5, "b"), 0);
	assert_int_equal(cd_edits_render(&work.edits), CERTDEPLOY_EREFUSED);
	close_work(&work);
}

/* What is put back as it was is no change, and has no diff. */
static void test_an_edit_that_changes_nothing(void **state)
{
	struct work *host = *state, work;
	struct cd_buffer diff = {0};

	assert_int_equal(open_work(&work, host->path), 0);
	assert_int_equal(splice(&work, strlen("# made by hand\n"), 3, "one"), 0);
	assert_int_equal(cd_edits_render(&work.edits), 0);
	assert_int_equal(work.edits.files.count, 0);
	close_work(&work);

	assert_int_equal(open_work(&work, host->path), 0);
	assert_int_equal(splice(&work, strlen("# made by hand\n"), 3, "one"), 0);
	cd_diff_add(&diff, work.edits.files.items[0]);
	assert_int_equal(diff.length, 0);
	close_work(&work);
	cd_buffer_free(&diff);

	/* As long as before is not as before. */
	assert_int_equal(open_work(&work, host->path), 0);
	assert_int_equal(splice(&work, strlen("# made by hand\n"), 3, "ten"), 0);
	assert_int_equal(cd_edits_render(&work.edits), 0);
	assert_int_equal(work.edits.files.count, 1);
	close_work(&work);
}

static void test_the_same_materials(void **state)
{
	const struct certdeploy_material a = {.name = "a"}, b = {.name = "b"};
	const struct certdeploy_material *const lists[][3] = {
		{NULL}, {&a, NULL}, {&b, NULL}, {&a, &b, NULL}, {&b, &a, NULL}};

	(void)state;
	for (size_t i = 0; i < 5; i++)
		for (size_t k = 0; k < 5; k++) {
			const struct certdeploy_assignment one = {.materials = lists[i]},
							   other = {.materials = lists[k]};
			const struct certdeploy_assignment dropping = {.materials = lists[k],
								       .drop_other_types = true};

			assert_int_equal(certdeploy_same_materials(&one, &other), i == k);
			assert_false(certdeploy_same_materials(&one, &dropping));
		}
}

/* ---- private copies ---- */

static int copy_once(void *data)
{
	struct cd_problems problems = {0};
	struct cd_scratch scratch;
	int result = cd_scratch_open(&scratch, &problems);

	(void)data;
	if (result == 0)
		result = cd_scratch_write(&scratch, &problems, "conf.d/sub/one", "text", 4);
	if (result == 0)
		result = cd_scratch_write(&scratch, &problems, "conf.d/two", "text", 4);
	if (result == 0)
		cd_scratch_clear(&scratch);
	if (result == 0)
		result = cd_scratch_write(&scratch, &problems, "conf.d/two", "again", 5);
	cd_scratch_close(&scratch);
	if (scratch.path[0] != '\0')
		result = 1;
	cd_problems_free(&problems);
	return result;
}

static void test_whatever_fails_with_a_private_copy(void **state)
{
	(void)state;
	assert_int_equal(copy_once(NULL), 0);
	short_of_everything(copy_once, NULL);
}

static void test_names_that_no_private_copy_has(void **state)
{
	struct cd_problems problems = {0};
	struct cd_scratch scratch;

	(void)state;
	assert_int_equal(cd_scratch_open(&scratch, &problems), 0);
	assert_int_equal(cd_scratch_write(&scratch, &problems, "/etc/x", "", 0), CERTDEPLOY_EREFUSED);
	assert_int_equal(cd_scratch_write(&scratch, &problems, "a/../../x", "", 0), CERTDEPLOY_EREFUSED);
	assert_int_equal(cd_scratch_write(&scratch, &problems, "a", "", 0), 0);
	assert_int_equal(cd_scratch_write(&scratch, &problems, "a", "", 0), CERTDEPLOY_EFAILED);
	cd_scratch_close(&scratch);
	cd_problems_free(&problems);
}

/* What the host prints must not land in the copy: without a descriptor above standard error there is none.
 */
static void test_a_private_copy_is_no_standard_stream(void **state)
{
	const struct rlimit standard = {3, 3};
	struct cd_problems problems = {0};
	struct cd_scratch scratch;
	int status;
	pid_t child;

	(void)state;
	assert_int_equal(cd_scratch_open(&scratch, &problems), 0);
	child = fork();
	assert_true(child != -1);
	if (child == 0) {
		(void)close(STDERR_FILENO);
		_exit(setrlimit(RLIMIT_NOFILE, &standard) == 0 &&
				      cd_scratch_write(&scratch, &problems, "a", "text", 4) ==
					      CERTDEPLOY_EFAILED
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(cd_scratch_write(&scratch, &problems, "b", "text", 4), 0);
	cd_scratch_close(&scratch);
	cd_problems_free(&problems);
}

/* ---- the list of changes ---- */

static int list_once(void *data)
{
	static const char *const argv[] = {"postmap", "hash:%s", NULL}, *const environment[] = {"A=b",
												NULL};
	struct cd_change change = {.kind = CD_CHANGE_FILE,
				   .path = "/etc/a",
				   .bytes = "text",
				   .length = 4,
				   .service = "server",
				   .diff = "diff"},
			 link = {.kind = CD_CHANGE_LINK, .path = "/etc/link", .target = "a"};
	struct cd_change_build wanted = {.source = "/etc/map",
					 .argv = argv,
					 .environment = environment,
					 .product = "/etc/map.db",
					 .suffix = ".db",
					 .service = "server",
					 .input = "x",
					 .input_length = 1};
	struct cd_problems problems = {0};
	struct cd_changes changes = {0};
	int result = cd_changes_add(&changes, &problems, &change);

	(void)data;
	if (result == 0)
		result = cd_changes_add(&changes, &problems, &link);
	if (result == 0)
		result = cd_changes_add_build(&changes, &problems, &wanted);
	cd_changes_free(&changes);
	cd_problems_free(&problems);
	return result;
}

static void test_whatever_fails_while_changes_are_listed(void **state)
{
	(void)state;
	assert_int_equal(list_once(NULL), 0);
	short_of_everything(list_once, NULL);
}

/* Neither what a program reads nor what it makes may be a place that is none. */
static void test_builds_without_a_place(void **state)
{
	static const char *const argv[] = {"postmap", "hash:%s", NULL};
	struct cd_change_build wanted = {.source = "map", .argv = argv, .product = "/etc/map.db"};
	struct cd_problems problems = {0};
	struct cd_changes changes = {0};

	(void)state;
	assert_int_not_equal(cd_changes_add_build(&changes, &problems, &wanted), 0);
	wanted.source = "/etc/map";
	wanted.product = "map.db";
	assert_int_not_equal(cd_changes_add_build(&changes, &problems, &wanted), 0);
	assert_int_equal(changes.builds.count, 0);
	cd_changes_free(&changes);
	cd_problems_free(&problems);
}

/* Two builds of one file that are not the same. */
static void test_builds_that_conflict(void **state)
{
	static const char *const argv[] = {"postmap", "hash:%s", NULL}, *const fewer[] = {"postmap", NULL};
	const struct cd_change_build wanted = {.source = "/etc/map",
					       .argv = argv,
					       .product = "/etc/map.db",
					       .suffix = ".db",
					       .input = "x",
					       .input_length = 1};
	struct cd_change_build others[] = {wanted, wanted, wanted, wanted, wanted, wanted};
	struct cd_problems problems = {0};
	struct cd_changes changes = {0};

	(void)state;
	others[0].argv = fewer;
	others[1].input = "y";
	others[2].input = NULL;
	others[3].input_length = 0;
	others[4].source = "/etc/another";
	others[5].product = "map.db";
	assert_int_equal(cd_changes_add_build(&changes, &problems, &wanted), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(cd_changes_add_build(&changes, &problems, &others[i]),
				 CERTDEPLOY_EREFUSED);
	assert_int_equal(cd_changes_add_build(&changes, &problems, &wanted), 0);
	assert_int_equal(changes.builds.count, 1);
	cd_changes_free(&changes);
	cd_problems_free(&problems);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whatever_fails_in_a_plan),
		TEST(test_edits_that_cannot_be),
		TEST(test_an_edit_that_changes_nothing),
		TEST(test_the_same_materials),
		cmocka_unit_test(test_whatever_fails_with_a_private_copy),
		cmocka_unit_test(test_names_that_no_private_copy_has),
		cmocka_unit_test(test_a_private_copy_is_no_standard_stream),
		cmocka_unit_test(test_whatever_fails_while_changes_are_listed),
		cmocka_unit_test(test_builds_without_a_place),
		cmocka_unit_test(test_builds_that_conflict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
