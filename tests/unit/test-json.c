/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-json.c - text of JSON in a process that gives jansson an allocator of its own */
#include "short.h"
#include "unit.h"

#include "base/json.h"

#include <stddef.h>
#include <stdio.h>
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

struct thing {
	const char *name;
	int64_t number;
	bool flag;
	const char *const *list;
	struct cd_vector pairs; /* of const char *: key, value, … */
};

static void read_pair(struct cd_json *json, const char *key, void *out)
{
	const char *value;

	cd_json_add(json, out, cd_arena_string(json->arena, key));
	cd_json_read_string(json, &value);
	cd_json_add(json, out, value);
}

static void read_pairs(struct cd_json *json, void *field)
{
	cd_json_members(json, read_pair, field);
}

/* What became of it: 0, CERTDEPLOY_EREFUSED or CERTDEPLOY_ENOMEM. */
static int read_thing(struct thing *thing, struct cd_arena *arena, const char *bytes, size_t length,
		      size_t *line)
{
	static const struct cd_json_field fields[] = {
		{"name", cd_json_read_string, offsetof(struct thing, name), true},
		{"number", cd_json_read_number, offsetof(struct thing, number), false},
		{"flag", cd_json_read_bool, offsetof(struct thing, flag), false},
		{"list", cd_json_read_strings, offsetof(struct thing, list), false},
		{"pairs", read_pairs, offsetof(struct thing, pairs), false},
	};
	struct cd_json json;

	*thing = (struct thing){.name = NULL};
	cd_json_begin(&json, arena, bytes, length);
	CD_JSON_OBJECT(&json, fields, thing);
	*line = cd_json_line(&json);
	if (cd_json_end(&json))
		return 0;
	return json.out_of_memory ? CERTDEPLOY_ENOMEM : CERTDEPLOY_EREFUSED;
}

static void a_thing_is_read(void **state)
{
	static const char text[] = "\t{ \"list\" : [\"a\",\"\", \"\xc3\xa9\"],\r\n\"flag\":true, \"more\": "
				   "[{\"a\": null, \"b\": [1.5e-3, -0.1, false, {}]}, []],"
				   "\"pairs\": {\"k\": \"v\", \"\\u0041\": \"\"},\n"
				   "\"number\": -17, \"name\": \"x\"} \n";
	struct cd_arena arena = {0};
	struct thing thing;
	size_t line;

	(void)state;
	assert_int_equal(read_thing(&thing, &arena, text, strlen(text), &line), 0);
	assert_string_equal(thing.name, "x");
	assert_true(thing.number == -17 && thing.flag);
	assert_string_equal(thing.list[0], "a");
	assert_string_equal(thing.list[1], "");
	assert_string_equal(thing.list[2], "\xc3\xa9");
	assert_null(thing.list[3]);
	assert_int_equal(thing.pairs.count, 4);
	assert_string_equal(thing.pairs.items[2], "A");
	assert_string_equal(thing.pairs.items[3], "");
	cd_vector_free(&thing.pairs);
	cd_arena_free(&arena);
}

static void strings_are_as_jansson_reads_them(void **state)
{
	static const char *const strings[] = {
		"",
		"/etc/ssl/private/\xe6\x97\xa5\xe6\x9c\xac.pem",
		"\\\"\\\\\\/\\b\\f\\n\\r\\t",
		"\\u0041\\u00e9\\u65E5\\ud83d\\ude00\\\\u00e9",
		"\\uD7FF\\uE000\\uffff",
		"\x7f \xf4\x8f\xbf\xbf",
		/* none of these is one */
		"\\",
		"\\x41",
		"\\u",
		"\\u004",
		"\\u00g1",
		"\\u0000",
		"\\ud83d",
		"\\ud83d\\u0041",
		"\\ud83dx",
		"\\ude00",
		"\x1f",
		"\n",
		"\xff",
		"\xc3",
		"\xed\xa0\x80",
		"\xc0\x80",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		struct cd_arena arena = {0};
		struct thing thing;
		char text[200];
		size_t line;
		json_t *expected;
		int code;

		(void)snprintf(text, sizeof(text), "{\"name\": \"%s\"}", strings[i]);
		expected = json_loads(text, 0, NULL);
		code = read_thing(&thing, &arena, text, strlen(text), &line);
		if ((expected == NULL) != (code == CERTDEPLOY_EREFUSED))
			fail_msg("%s: %d", text, code);
		if (expected != NULL)
			assert_string_equal(thing.name,
					    json_string_value(json_object_get(expected, "name")));
		json_decref(expected);
		cd_arena_free(&arena);
	}
}

static void numbers_are_whole(void **state)
{
	static const struct {
		const char *text;
		bool right;
		int64_t value;
	} cases[] = {
		{"0", true, 0},
		{"-0", true, 0},
		{"9223372036854775807", true, INT64_MAX},
		{"-9223372036854775808", true, INT64_MIN},
		{"9223372036854775808", false, 0},
		{"-9223372036854775809", false, 0},
		{"99999999999999999999", false, 0},
		{"01", false, 0},
		{"+1", false, 0},
		{"-", false, 0},
		{"1.0", false, 0},
		{"1e3", false, 0},
		{"\"1\"", false, 0},
		{"true", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cd_arena arena = {0};
		struct thing thing;
		char text[100];
		size_t line;
		int code;

		(void)snprintf(text, sizeof(text), "{\"name\": \"\", \"number\": %s}", cases[i].text);
		code = read_thing(&thing, &arena, text, strlen(text), &line);
		if (code != (cases[i].right ? 0 : CERTDEPLOY_EREFUSED))
			fail_msg("%s: %d", cases[i].text, code);
		if (cases[i].right)
			assert_true(thing.number == cases[i].value);
		cd_arena_free(&arena);
	}
}

static void what_is_wrong_is_not_read(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"[]",
		"{",
		"{}", /* the name is needed */
		"{\"name\"}",
		"{\"name\": }",
		"{\"name\": \"x\"",
		"{\"name\": \"x",
		"{\"name\": \"x\",}",
		"{\"name\": \"x\" \"flag\": true}",
		"{\"name\": \"x\"} x",
		"{\"name\": \"x\"}}",
		"{\"name\": \"x\", \"name\": \"y\"}",
		"{\"name\": 1}",
		"{\"name\": null}",
		"{name: \"x\"}",
		"{\"name\": \"x\", \"flag\": 1}",
		"{\"name\": \"x\", \"flag\": truely}",
		"{\"name\": \"x\", \"list\": \"y\"}",
		"{\"name\": \"x\", \"list\": [\"y\", 1]}",
		"{\"name\": \"x\", \"list\": [\"y\",]}",
		"{\"name\": \"x\", \"list\": [\"y\"",
		"{\"name\": \"x\", \"more\": [1, 2}",
		"{\"name\": \"x\", \"more\": ?}",
		"{\"name\": \"x\", \"pairs\": {\"k\": 1}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct cd_arena arena = {0};
		struct thing thing;
		size_t line;

		if (read_thing(&thing, &arena, texts[i], strlen(texts[i]), &line) != CERTDEPLOY_EREFUSED)
			fail_msg("%s", texts[i]);
		cd_vector_free(&thing.pairs);
		cd_arena_free(&arena);
	}
}

static void a_mistake_has_a_line(void **state)
{
	static const char text[] = "{\n\"name\": \"x\",\n\"flag\": 3,\n\"number\": 1\n}\n";
	struct cd_arena arena = {0};
	struct thing thing;
	size_t line;

	(void)state;
	assert_int_equal(read_thing(&thing, &arena, text, strlen(text), &line), CERTDEPLOY_EREFUSED);
	assert_int_equal(line, 3);
	assert_true(thing.number == 0);
	cd_arena_free(&arena);
}

/* Deeper than anything of ours, and than a stack might bear. */
static void depth_has_an_end(void **state)
{
	static char text[400000] = "{\"more\": ";
	struct cd_arena arena = {0};
	struct thing thing;
	size_t line;

	(void)state;
	memset(text + 9, '[', sizeof(text) - 10);
	assert_int_equal(read_thing(&thing, &arena, text, strlen(text), &line), CERTDEPLOY_EREFUSED);
	cd_arena_free(&arena);
}

/* Of a long path jansson lost a byte, and called it read. */
static int read_all(void *data)
{
	static const char text[] = "{\"list\": [\"/etc/dovecot/conf.d/99-certdeploy.conf\", \"\\u65e5\"],"
				   "\"pairs\": {\"k\": \"v\"}, \"number\": 420, \"name\": \"x\"}";
	struct cd_arena arena = {0};
	struct thing thing;
	size_t line;
	int code = read_thing(&thing, &arena, text, strlen(text), &line);

	(void)data;
	if (code == 0) {
		assert_string_equal(thing.name, "x");
		assert_string_equal(thing.list[0], "/etc/dovecot/conf.d/99-certdeploy.conf");
		assert_int_equal(thing.pairs.count, 2);
	}
	cd_vector_free(&thing.pairs);
	cd_arena_free(&arena);
	return code;
}

static void no_byte_is_lost_when_memory_is_short(void **state)
{
	(void)state;
	short_of_everything(read_all, NULL);
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
		cmocka_unit_test(a_thing_is_read),
		cmocka_unit_test(strings_are_as_jansson_reads_them),
		cmocka_unit_test(numbers_are_whole),
		cmocka_unit_test(what_is_wrong_is_not_read),
		cmocka_unit_test(a_mistake_has_a_line),
		cmocka_unit_test(depth_has_an_end),
		cmocka_unit_test(no_byte_is_lost_when_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
