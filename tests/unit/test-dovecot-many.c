/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-dovecot-many.c - configurations of thousands of names and addresses cost what their size is */
#include "dovecot.h"

#include <time.h>

#define HEAD "protocols = imap\nssl_cert = </d\nssl_key = </dk\n"
#define FEW 1500
#define MANY (8 * FEW)

/* What is repeated, each time with another address in it, between a beginning and an end. */
struct shape {
	const char *begin, *before, *after, *end;
	int endpoints; /* of each, beyond those of the beginning */
};

static char *text_of(const struct shape *shape, int count)
{
	size_t room = (size_t)count * 96 + 256, length;
	char *text = malloc(room);

	assert_non_null(text);
	length = (size_t)snprintf(text, room, "%s", shape->begin);
	for (int i = 0; i < count; i++)
		length += (size_t)snprintf(text + length, room - length, "%s10.1.%d.%d%s", shape->before,
					   i / 256, i % 256, shape->after);
	assert_true(length + strlen(shape->end) < room);
	(void)snprintf(text + length, room - length, "%s", shape->end);
	return text;
}

/* CPU of reading so many. */
static clock_t cost_of(const struct shape *shape, int count)
{
	struct fixture fixture;
	char *text = text_of(shape, count);
	clock_t start = clock();
	size_t found;

	assert_int_equal(read_conf(&fixture, text), 0);
	start = clock() - start;
	(void)certdeploy_endpoints(&fixture.reading, &found);
	assert_in_range(found, (size_t)(shape->endpoints * count), (size_t)(shape->endpoints * count) + 2);
	fixture_close(&fixture);
	free(text);
	return start;
}

/* Eight times as many: eight times the cost is the line, 64 times the square. */
static void check_linear(const struct shape *shape)
{
	clock_t few = cost_of(shape, FEW), many = cost_of(shape, MANY);

	assert_in_range(many, 0, 20 * few + CLOCKS_PER_SEC / 50);
}

static void test_names_of_one_block(void **state)
{
	static const struct shape shape = {HEAD "local_name \"", "", ".example.jp ",
					   "\" {\n  ssl_cert = </a\n  ssl_key = </ak\n}\n", 2};

	(void)state;
	check_linear(&shape);
}

static void test_addresses_with_blocks(void **state)
{
	static const struct shape shape = {HEAD, "local ", " {\n  ssl_cert = </a\n  ssl_key = </ak\n}\n",
					   "", 2};

	(void)state;
	check_linear(&shape);
}

static void test_addresses_that_are_listened_on(void **state)
{
	static const struct shape shape = {HEAD "listen =", " ", "", "\n", 2};

	(void)state;
	check_linear(&shape);
}

/* Settings may come from any of the groups. */
static void test_groups(void **state)
{
	static const struct shape shape = {"dovecot_config_version = 2.4.1\nprotocols = imap\n",
					   "group @mail ", " {\n}\n@mail = other\n", "", 0};

	(void)state;
	check_linear(&shape);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_one_block),
		cmocka_unit_test(test_addresses_with_blocks),
		cmocka_unit_test(test_addresses_that_are_listened_on),
		cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
