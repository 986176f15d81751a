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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
