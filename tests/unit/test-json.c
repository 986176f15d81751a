/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-json.c - text of JSON in a process that gives jansson an allocator of its own */
#include "unit.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#define SHIFT 16

static size_t given;

static void *shifted_malloc(size_t size)
{
	char *memory = malloc(size + SHIFT);

	given += memory == NULL ? 0 : 1;
	return memory == NULL ? NULL : memory + SHIFT;
}

static void shifted_free(void *memory)
{
	if (memory == NULL)
		return;
	given--;
	free((char *)memory - SHIFT);
}

static void text_is_for_free(void **state)
{
	json_t *object;
	char *text;

	(void)state;
	json_set_alloc_funcs(shifted_malloc, shifted_free);
	object = json_pack("{s:s, s:[i]}", "b", "\xc3\xa9", "a", 1);
	text = cd_json_text(object, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, "{\"a\":[1],\"b\":\"\xc3\xa9\"}");
	free(text);
	json_decref(object);
	assert_int_equal(given, 0);
	json_set_alloc_funcs(malloc, free);
}

/* ---- reading ---- */

static json_t *load(const char *text, size_t flags, bool *out_of_memory)
{
	json_error_t error;

	return cd_json_load(text, strlen(text), flags, &error, out_of_memory);
}

static void all_is_read(void **state)
{
	static const char *const texts[] = {
		"{}",
		" [ ] ",
		"[1, 0, -0, -17, 9223372036854775807, -9223372036854775808, 1.5, -1e3, 2E-2, 10.25e+1]",
		"[true, false, null, \"\", \"1\", \"-2.5\"]",
		"{\"a\": {\"b\": [\"\xc3\xa9\", {\"a\": \"\xe6\x97\xa5\"}]}, \"\xc3\xa9\": 3}",
		"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"\\u0041\\u00e9\\u65E5\\ud83d\\ude00\\\\u00e9\"]",
		"{\"\\u0041\\\"\": \"x\", \"\\u00e9\": \"\\\\\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *expected = json_loads(texts[i], 0, NULL);
		bool out_of_memory = true;
		json_t *json = load(texts[i], 0, &out_of_memory);

		assert_non_null(expected);
		assert_true(json_equal(json, expected));
		assert_false(out_of_memory);
		json_decref(json);
		json_decref(expected);
	}
}

static void what_follows_is_left(void **state)
{
	bool out_of_memory = true;
	json_t *json = load("{\"a\": 1}, {\"b\": 22}", JSON_DISABLE_EOF_CHECK, &out_of_memory);

	(void)state;
	assert_non_null(json);
	assert_false(out_of_memory);
	json_decref(json);
}

static void what_is_wrong_is_not_read(void **state)
{
	static const char *const texts[] = {"",     "{", "[\"", "[\"\\u00", "[1}", "{\"a\": 1, \"a\": 2}",
					    "[\"\\"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		bool out_of_memory = true;

		assert_null(load(texts[i], 0, &out_of_memory));
		assert_false(out_of_memory);
	}
}

static long until_short; /* allocations until one fails */

static void *short_malloc(size_t size)
{
	return --until_short == 0 ? NULL : malloc(size);
}

/* Of a path that is longer than what Jansson has room for at first, it lost a byte, and called it read. */
static void no_byte_is_lost_when_memory_is_short(void **state)
{
	static const char text[] = "{\"a\": [\"/etc/dovecot/conf.d/99-certdeploy.conf\"], \"mode\": 420}";
	json_t *expected = json_loads(text, 0, NULL);
	unsigned lost = 0;
	bool whole = false;

	(void)state;
	for (long at = 1; !whole; at++) {
		bool out_of_memory;
		json_t *json;

		json_set_alloc_funcs(short_malloc, free);
		until_short = at;
		json = load(text, 0, &out_of_memory);
		whole = until_short > 0;
		json_set_alloc_funcs(malloc, free);
		assert_true(json == NULL || json_equal(json, expected));
		assert_true(json != NULL || !whole);
		lost += out_of_memory ? 1 : 0;
		json_decref(json);
	}
	assert_true(lost >= 2);
	json_decref(expected);
}

static void nothing_gives_nothing(void **state)
{
	(void)state;
	assert_null(cd_json_text(NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_for_free),
		cmocka_unit_test(nothing_gives_nothing),
		cmocka_unit_test(all_is_read),
		cmocka_unit_test(what_follows_is_left),
		cmocka_unit_test(what_is_wrong_is_not_read),
		cmocka_unit_test(no_byte_is_lost_when_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
