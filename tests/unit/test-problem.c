/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-problem.c - problems: sentence, remedy, parameters; every code of the table is well formed */
#include "unit.h"

#include "base/problem.h"

#include <errno.h>
#include <string.h>

static const struct certdeploy_problem *last(const struct cd_problems *problems)
{
	return problems->list.items[problems->list.count - 1];
}

static void test_parameters(void **state)
{
	struct cd_problems problems = {0};
	const struct certdeploy_problem *problem;

	(void)state;
	cd_problem(&problems, CERTDEPLOY_WARNING, "expired", "/x", 3, "%s of %zu, %d %% %s", "a\033b",
		   (size_t)7, -2, "z");
	problem = last(&problems);
	assert_string_equal(problem->message, "a\\x1bb of 7, -2 % z");
	assert_string_equal(problem->parameters[0], "a\\x1bb");
	assert_string_equal(problem->parameters[1], "7");
	assert_string_equal(problem->parameters[2], "-2");
	assert_string_equal(problem->parameters[3], "z");
	assert_null(problem->parameters[4]);
	assert_non_null(problem->fix);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat"
	/* A translation may turn the arguments round: they stay in their order. */
	cd_problem(&problems, CERTDEPLOY_NOTICE, "usage", NULL, 0, "%2$s before %1$s", "one", "two");
#pragma GCC diagnostic pop
	assert_string_equal(last(&problems)->message, "two before one");
	assert_string_equal(last(&problems)->parameters[0], "one");
	assert_string_equal(last(&problems)->parameters[1], "two");
	assert_null(last(&problems)->fix);

	cd_problem(&problems, CERTDEPLOY_NOTICE, "usage", NULL, 0, "%.*s", 2, "cut here");
	assert_string_equal(last(&problems)->message, "cu");
	assert_null(last(&problems)->parameters[0]);
	cd_problem(&problems, CERTDEPLOY_NOTICE, "usage", NULL, 0, "nothing");
	assert_null(last(&problems)->parameters[0]);
	cd_problems_free(&problems);
}

static void test_errors(void **state)
{
	struct cd_problems problems = {0};

	(void)state;
	assert_int_equal(cd_fail_errno(&problems, EACCES, "/x", "cannot read %s", "it"),
			 CERTDEPLOY_EPERMISSION);
	assert_string_equal(last(&problems)->code, "not-permitted");
	assert_int_equal(cd_fail_errno(&problems, ENOENT, "/x", "cannot read"), CERTDEPLOY_EFAILED);
	assert_string_equal(last(&problems)->code, "not-found");
	assert_int_equal(cd_fail_errno(&problems, ENOSPC, "/x", "cannot write"), CERTDEPLOY_EFAILED);
	assert_string_equal(last(&problems)->code, "no-space");
	assert_int_equal(cd_fail_errno(&problems, EROFS, "/x", "cannot write"), CERTDEPLOY_EFAILED);
	assert_string_equal(last(&problems)->code, "read-only");
	assert_true(cd_problems_failed(&problems, 0));
	assert_false(cd_problems_failed(&problems, problems.list.count));
	assert_int_equal(cd_fail_errno(&problems, ENOMEM, "/x", "cannot"), CERTDEPLOY_ENOMEM);
	assert_true(cd_problems_failed(&problems, problems.list.count));
	cd_problems_free(&problems);
}

/* What a problem says outlives what it was told. */
static void test_own_copies(void **state)
{
	struct cd_problems problems = {0};
	char service[] = "apache", file[] = "/etc/x", message[] = "why";

	(void)state;
	problems.service = service;
	cd_problem(&problems, CERTDEPLOY_NOTICE, "usage", file, 1, "%s", message);
	service[0] = file[0] = message[0] = '!';
	assert_string_equal(last(&problems)->service, "apache");
	assert_string_equal(last(&problems)->file, "/etc/x");
	assert_string_equal(last(&problems)->message, "why");
	assert_string_equal(last(&problems)->parameters[0], "why");
	problems.service = NULL;
	cd_problem(&problems, CERTDEPLOY_NOTICE, "usage", NULL, 0, "nothing");
	assert_null(last(&problems)->service);
	cd_problems_free(&problems);
}

/* A host is warned of once, however many ports it and its neighbours have; an error counts each time. */
static void test_what_was_said(void **state)
{
	struct cd_problems problems = {0};

	(void)state;
	for (int i = 0; i < 2; i++)
		cd_problem(&problems, CERTDEPLOY_WARNING, "name-mismatch", "/etc/x", 3, "%s", "www");
	assert_int_equal(problems.list.count, 1);
	cd_problem(&problems, CERTDEPLOY_WARNING, "name-mismatch", "/etc/x", 3, "%s", "mail");
	cd_problem(&problems, CERTDEPLOY_WARNING, "name-mismatch", "/etc/x", 4, "%s", "mail");
	cd_problem(&problems, CERTDEPLOY_WARNING, "name-mismatch", NULL, 4, "%s", "mail");
	cd_problem(&problems, CERTDEPLOY_NOTICE, "name-mismatch", NULL, 4, "%s", "mail");
	problems.service = "apache";
	cd_problem(&problems, CERTDEPLOY_NOTICE, "name-mismatch", NULL, 4, "%s", "mail");
	problems.order = 2;
	cd_problem(&problems, CERTDEPLOY_NOTICE, "name-mismatch", NULL, 4, "%s", "mail");
	assert_int_equal(problems.list.count, 7);
	for (int i = 0; i < 2; i++)
		cd_problem(&problems, CERTDEPLOY_ERROR, "name-mismatch", "/etc/x", 3, "%s", "www");
	assert_int_equal(problems.list.count, 9);
	for (int i = 0; i < 100; i++)
		cd_problem(&problems, CERTDEPLOY_WARNING, "name-mismatch", "/etc/x", 3, "%d", i % 50);
	assert_int_equal(problems.list.count, 59);
	cd_problems_free(&problems);
}

static void test_codes(void **state)
{
	const struct cd_problem_code *rows = cd_problem_codes();

	(void)state;
	for (size_t i = 0; rows[i].code != NULL; i++) {
		assert_true(strspn(rows[i].code, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
			    strlen(rows[i].code));
		assert_true(rows[i].cause[0] != '\0');
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(rows[i].code, rows[j].code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parameters), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_own_copies), cmocka_unit_test(test_what_was_said),
		cmocka_unit_test(test_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
