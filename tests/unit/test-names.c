/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-names.c - endpoints found by name: what answers for a host name, what a certificate covers */
#include "unit.h"

#include "host/names.h"
#include "host/reading.h"

#include <string.h>

struct indexed {
	struct cd_problems problems;
	struct cd_host host;
	struct certdeploy_reading reading;
	struct cd_names names;
};

static int set_up(void **state)
{
	static const char *const names[] = {"a.example", "b.example", "*.b.example", "www.b.example", NULL};
	static struct indexed indexed;

	memset(&indexed, 0, sizeof(indexed));
	assert_int_equal(cd_host_open(&indexed.host, &indexed.problems, NULL), 0);
	cd_reading_open(&indexed.reading, &indexed.host, NULL, NULL);
	for (size_t i = 0; i < 5; i++) {
		struct certdeploy_endpoint endpoint = {.name = names[i],
						       .listen = "*:443",
						       .protocol = "https",
						       .decider = names,
						       .tls = true};

		assert_int_equal(certdeploy_add_endpoint(&indexed.reading, &endpoint), 0);
	}
	assert_int_equal(cd_names_make(&indexed.names, &indexed.reading), 0);
	*state = &indexed;
	return 0;
}

static int tear_down(void **state)
{
	struct indexed *indexed = *state;

	cd_names_free(&indexed->names);
	cd_reading_close(&indexed->reading);
	cd_host_close(&indexed->host);
	cd_problems_free(&indexed->problems);
	return 0;
}

static size_t answering(const struct indexed *indexed, const char *hostname)
{
	const struct cd_vector *lists[2];

	cd_names_answering(&indexed->names, hostname, lists);
	return (lists[0] == NULL ? 0 : lists[0]->count) + (lists[1] == NULL ? 0 : lists[1]->count);
}

static size_t covered(const struct indexed *indexed, const char *pattern)
{
	const struct cd_vector *list = cd_names_covered(&indexed->names, pattern);

	return list == NULL ? 0 : list->count;
}

static void test_answering(void **state)
{
	assert_int_equal(answering(*state, "A.Example"), 1);
	assert_int_equal(answering(*state, "www.b.example"), 2); /* its own and the wildcard */
	assert_int_equal(answering(*state, "x.b.example"), 1);
	assert_int_equal(answering(*state, "x.y.b.example"), 0);
	assert_int_equal(answering(*state, "none.example"), 0);
	assert_int_equal(answering(*state, "*.b.example"), 1);
}

static void test_covered(void **state)
{
	assert_int_equal(covered(*state, "b.example"), 1);
	assert_int_equal(covered(*state, "*.b.example"), 2);
	/* below a top-level domain it covers nothing, as X509_check_host(3) has it */
	assert_int_equal(covered(*state, "*.example"), 0);
	assert_int_equal(covered(*state, "*.other"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answering, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_covered, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
