/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-survival.c - of which files a server would end at its reload; in a short memory of none */
#include "issue.h"

#include "proof/survival.h"
#include "scarce.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

static char place[TREE_PATH];
static struct issued *leaf, *other;

static int set_up(void **state)
{
	(void)state;
	leaf = issue(&(struct wish){.name = "www.example.jp", .type = "ec:P-256"});
	other = issue(&(struct wish){.name = "www.example.jp", .type = "ec:P-256"});
	tree_make(place, "survival");
	tree_put(place, "/pid", "1\n", 2);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_remove(place);
	issue_end();
	return 0;
}

/* The certificate and key in the tree are what a running server loads; the pid file tells since when it
 * runs. */
static int survives(bool *said, bool told)
{
	char store[] = "/store";
	struct certdeploy cd = {.settings.store = store};
	struct cd_problems problems = {0};
	const struct certdeploy_pair pair = {.certificate = "/pair/certificate", .key = "/pair/key"};
	struct cd_seen seen = {.daemon = {.ends_on_bad_pair = true, .loaded = &pair, .loaded_count = 1},
			       .control.pid_file = told ? "/pid" : NULL,
			       .running = 1};
	const struct cd_planned planned = {.seen = &seen};
	struct cd_plan plan = {.cd = &cd, .problems = &problems};
	int result;

	assert_int_equal(cd_root_open(&plan.inventory.host.root, &problems, place), 0);
	result = cd_check_survival(&plan, &planned);
	*said = cd_problems_error(&problems, 0) != NULL &&
		strcmp(cd_problems_error(&problems, 0)->code, "reload-would-end") == 0;
	cd_root_close(&plan.inventory.host.root);
	cd_problems_free(&problems);
	return result;
}

static void put_pair(const char *certificate, const char *key)
{
	tree_put(place, "/pair/certificate", certificate, strlen(certificate));
	tree_put(place, "/pair/key", key, strlen(key));
}

static void test_what_ends_it(void **state)
{
	const struct {
		const char *certificate;
		const char *key;
		bool ends;
	} cases[] = {
		{pem_certificate(leaf), pem_key(leaf), false},
		{pem_certificate(leaf), pem_key(other), true},
		{pem_key(leaf), pem_key(leaf), true},
		{"", pem_key(leaf), true},
		{pem_certificate(leaf), "", true},
		{pem_certificate(leaf), pem_certificate(leaf), true},
		{pem_certificate(other), pem_key(other), false},
	};
	bool said;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_pair(cases[i].certificate, cases[i].key);
		assert_int_equal(survives(&said, true), cases[i].ends ? CERTDEPLOY_EREFUSED : 0);
		assert_int_equal(said, cases[i].ends);
		/* Since when it runs nobody knows. */
		assert_int_equal(survives(&said, false), 0);
	}
}

/* What the server has loaded it has judged itself. */
static void test_what_it_has_loaded(void **state)
{
	bool said;

	(void)state;
	put_pair(pem_certificate(leaf), pem_key(other));
	tree_put(place, "/pid", "1\n", 2);
	assert_int_equal(survives(&said, true), 0);
}

/* Good files are not called bad, also where OpenSSL does not say why it failed. */
static void test_each_allocation_fails(void **state)
{
	unsigned long k = 0;
	bool met = true;

	(void)state;
	put_pair(pem_certificate(leaf), pem_key(leaf));
	while (met) {
		int result;
		bool said;

		scarce(++k);
		result = survives(&said, true);
		met = scarce_met();
		if (result != CERTDEPLOY_ENOMEM)
			assert_int_equal(result, 0);
	}
	assert_in_range(k, 100, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_ends_it),
		cmocka_unit_test(test_each_allocation_fails),
		cmocka_unit_test(test_what_it_has_loaded),
	};

	if (!scarce_begin())
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
