/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.c - JSON of our own: written from values of jansson, read without them */
#include "base/json.h"

#include "base/text.h"

#include <ctype.h>
#include <openssl/asn1.h>
#include <string.h>

#define DEPTH_LIMIT 64

static int add(const char *bytes, size_t length, void *user)
{
	struct cd_buffer *out = user;

	cd_buffer_add(out, bytes, length);
	return out->failed ? -1 : 0;
}

char *cd_json_text(const json_t *json, size_t flags)
{
	struct cd_buffer out = {0};

	if (json == NULL || json_dump_callback(json, add, &out, flags) != 0 || out.length == 0) {
		cd_buffer_free(&out);
		return NULL;
	}
	return cd_buffer_take(&out);
}

/* ---- reading ---- */

void cd_json_begin(struct cd_json *json, struct cd_arena *arena, const char *bytes, size_t length)
{
	*json = (struct cd_json){.arena = arena, .begin = bytes, .at = bytes, .end = bytes + length};
}

void cd_json_refuse(struct cd_json *json)
{
	json->wrong = true;
	json->end = json->at;
}

void cd_json_lack_memory(struct cd_json *json)
{
	json->out_of_memory = true;
	json->end = json->at;
}

/* The next byte that is no blank; NUL: there is none. */
static char peek(struct cd_json *json)
{
	while (json->at < json->end && strchr(" \t\r\n", *json->at) != NULL && *json->at != '\0')
		json->at++;
	return json->at < json->end ? *json->at : '\0';
}

static bool take(struct cd_json *json, char wanted)
{
	bool found = peek(json) == wanted && json->at < json->end;

	json->at += found ? 1 : 0;
	return found;
}

static void expect(struct cd_json *json, char wanted)
{
	if (!take(json, wanted))
		cd_json_refuse(json);
}

bool cd_json_end(struct cd_json *json)
{
	(void)peek(json);
	if (json->at != json->end)
		cd_json_refuse(json);
	cd_buffer_free(&json->text);
	return !json->wrong && !json->out_of_memory;
}

size_t cd_json_line(const struct cd_json *json)
{
	size_t line = 1;

	for (const char *at = json->begin; at < json->at; at++)
		line += *at == '\n' ? 1 : 0;
	return line;
}

/* ---- strings ---- */

static unsigned long four_digits(struct cd_json *json)
{
	unsigned long code = 0;

	for (int i = 0; i < 4; i++, json->at++) {
		static const char digits[] = "0123456789abcdef";
		const char *digit = json->at == json->end || *json->at == '\0'
					    ? NULL
					    : strchr(digits, tolower((unsigned char)*json->at));

		if (digit == NULL) {
			cd_json_refuse(json);
			return 0;
		}
		code = code << 4 | (unsigned long)(digit - digits);
	}
	return code;
}

/* The character of \uXXXX, after the u; of two of them beyond the basic plane. */
static void add_code(struct cd_json *json)
{
	unsigned long code = four_digits(json), low;
	unsigned char bytes[4];
	int length;

	if (code >= 0xd800 && code < 0xdc00 && json->end - json->at > 2 &&
	    memcmp(json->at, "\\u", 2) == 0) {
		json->at += 2;
		low = four_digits(json);
		code = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
						     : 0;
	}
	length = code == 0 || (code >= 0xd800 && code < 0xe000) ? 0 : UTF8_putc(bytes, sizeof(bytes), code);
	if (length <= 0)
		cd_json_refuse(json);
	else
		cd_buffer_add(&json->text, bytes, (size_t)length);
}

/* What a backslash begins. */
static void add_escape(struct cd_json *json)
{
	static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	char name = json->at < json->end ? *json->at++ : '\0';
	const char *found = name == '\0' ? NULL : strchr(names, name);

	if (found != NULL)
		cd_buffer_add(&json->text, bytes + (found - names), 1);
	else if (name == 'u')
		add_code(json);
	else
		cd_json_refuse(json);
}

/* The bytes that stand for themselves here; 0: something else does. */
static size_t plain_length(const struct cd_json *json)
{
	const unsigned char *bytes = (const unsigned char *)json->at;
	size_t most = (size_t)(json->end - json->at), length = 0, size;
	uint32_t code;

	while (length < most && bytes[length] >= 0x20 && bytes[length] != '"' && bytes[length] != '\\') {
		size = bytes[length] < 0x80 ? 1 : cd_utf8_decode(bytes + length, most - length, &code);
		if (size == 0)
			break;
		length += size;
	}
	return length;
}

const char *cd_json_string(struct cd_json *json)
{
	json->text.length = 0;
	expect(json, '"');
	while (json->at < json->end && *json->at != '"') {
		size_t length = plain_length(json);

		cd_buffer_add(&json->text, json->at, length);
		json->at += length;
		if (length == 0 && *json->at == '\\') {
			json->at++;
			add_escape(json);
		} else if (length == 0) {
			cd_json_refuse(json);
		}
	}
	if (json->at == json->end)
		cd_json_refuse(json);
	else
		json->at++;
	cd_buffer_add(&json->text, "", 0);
	if (json->text.failed)
		cd_json_lack_memory(json);
	return cd_buffer_text(&json->text);
}

void cd_json_read_string(struct cd_json *json, void *field)
{
	const char **out = field;

	(void)cd_json_string(json);
	*out = cd_arena_copy(json->arena, cd_buffer_text(&json->text), json->text.length);
	if (*out == NULL)
		cd_json_lack_memory(json);
}

/* ---- numbers and words ---- */

void cd_json_read_number(struct cd_json *json, void *field)
{
	bool negative = take(json, '-');
	uint64_t value = 0, limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
	const char *first = json->at;

	while (json->at < json->end && isdigit((unsigned char)*json->at)) {
		uint64_t digit = (uint64_t)(*json->at++ - '0');

		if (value > (limit - digit) / 10) {
			cd_json_refuse(json);
			return;
		}
		value = value * 10 + digit;
	}
	if (json->at == first || (*first == '0' && json->at - first > 1) ||
	    (json->at < json->end && strchr(".eE", *json->at) != NULL))
		cd_json_refuse(json);
	else
		*(int64_t *)field = negative && value != 0 ? -(int64_t)(value - 1) - 1 : (int64_t)value;
}

/* A run of what numbers, true, false and null are made of. */
static size_t word_length(struct cd_json *json)
{
	size_t length = 0;

	(void)peek(json);
	while (json->at + length < json->end &&
	       (isalnum((unsigned char)json->at[length]) || strchr("+-.", json->at[length]) != NULL))
		length++;
	return length;
}

void cd_json_read_bool(struct cd_json *json, void *field)
{
	size_t length = word_length(json);
	bool yes = length == 4 && memcmp(json->at, "true", 4) == 0;

	if (yes || (length == 5 && memcmp(json->at, "false", 5) == 0)) {
		*(bool *)field = yes;
		json->at += length;
	} else {
		cd_json_refuse(json);
	}
}

/* ---- arrays and objects ---- */

static void step_in(struct cd_json *json, char bracket)
{
	expect(json, bracket);
	if (++json->depth > DEPTH_LIMIT)
		cd_json_refuse(json);
}

/* Whether another follows, from its first byte; else the bracket is closed. */
static bool goes_on(struct cd_json *json, char bracket, bool first)
{
	if (take(json, bracket)) {
		json->depth--;
		return false;
	}
	if (!first)
		expect(json, ',');
	if (json->at == json->end)
		cd_json_refuse(json);
	return !json->wrong && !json->out_of_memory;
}

void cd_json_array(struct cd_json *json, cd_json_reader *read, void *out)
{
	step_in(json, '[');
	for (bool first = true; goes_on(json, ']', first); first = false)
		read(json, out);
}

void cd_json_members(struct cd_json *json, void (*read)(struct cd_json *json, const char *key, void *out),
		     void *out)
{
	step_in(json, '{');
	for (bool first = true; goes_on(json, '}', first); first = false) {
		const char *key = cd_json_string(json);

		expect(json, ':');
		read(json, key, out);
	}
}

void cd_json_add(struct cd_json *json, struct cd_vector *vector, const void *item)
{
	if (item == NULL || cd_vector_add(vector, item) != 0)
		cd_json_lack_memory(json);
}

const char *const *cd_json_list(struct cd_json *json, struct cd_vector *strings)
{
	static const char *const none[] = {NULL};
	const char *const *list = cd_arena_list(
		json->arena, strings->count == 0 ? none : (const char *const *)strings->items);

	if (list == NULL)
		cd_json_lack_memory(json);
	cd_vector_free(strings);
	return list;
}

static void add_string(struct cd_json *json, void *out)
{
	const char *string;

	cd_json_read_string(json, &string);
	cd_json_add(json, out, string);
}

void cd_json_read_strings(struct cd_json *json, void *field)
{
	struct cd_vector strings = {0};

	cd_json_array(json, add_string, &strings);
	*(const char *const **)field = cd_json_list(json, &strings);
}

static void skip(struct cd_json *json, void *unused)
{
	size_t length;

	switch (peek(json)) {
	case '"':
		(void)cd_json_string(json);
		break;
	case '[':
		cd_json_array(json, skip, unused);
		break;
	case '{':
		cd_json_object(json, NULL, 0, NULL);
		break;
	default:
		length = word_length(json);
		json->at += length;
		if (length == 0)
			cd_json_refuse(json);
	}
}

struct object {
	const struct cd_json_field *fields;
	size_t count;
	char *out;
	uint32_t seen;
};

static void read_field(struct cd_json *json, const char *key, void *out)
{
	struct object *object = out;
	size_t i = 0;

	while (i < object->count && strcmp(object->fields[i].key, key) != 0)
		i++;
	if (i == object->count) {
		skip(json, NULL);
	} else if ((object->seen >> i & 1) != 0) {
		cd_json_refuse(json);
	} else {
		object->seen |= UINT32_C(1) << i;
		object->fields[i].read(json, object->out + object->fields[i].offset);
	}
}

void cd_json_object(struct cd_json *json, const struct cd_json_field *fields, size_t count, void *out)
{
	struct object object = {.fields = fields, .count = count, .out = out};

	cd_json_members(json, read_field, &object);
	for (size_t i = 0; i < count; i++)
		if (fields[i].needed && (object.seen >> i & 1) == 0)
			cd_json_refuse(json);
}
