/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.c - JSON as text of our own */
#include "base/json.h"

#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

#define DIGITS "0123456789"

/* The bytes that an escape stands for; half of a pair of them stands for half of four. */
static size_t size_of_escape(const char *digits)
{
	char text[5] = "";
	unsigned long code;

	memcpy(text, digits, 4);
	code = strtoul(text, NULL, 16);
	if (code >= 0xD800 && code <= 0xDFFF)
		return 2;
	return code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
}

/* The bytes of the text that begins after this quotation mark; *at goes to the mark that ends it. */
static size_t size_of_text(const char **at, const char *end)
{
	size_t size = 0;

	for (++*at; *at < end && **at != '"'; ++*at) {
		bool escapes = **at == '\\' && end - *at > 1;

		*at += escapes ? 1 : 0;
		if (escapes && **at == 'u' && end - *at > 4) {
			size += size_of_escape(*at + 1);
			*at += 4;
		} else {
			size++;
		}
	}
	return size;
}

/* The digits of a whole number, 0 of any other; *at goes to its last byte. */
static size_t size_of_number(const char **at, const char *end)
{
	size_t digits = 0, length = 0;

	while (*at + length < end && strchr(DIGITS "+-.eE", (*at)[length]) != NULL && (*at)[length] != '\0')
		digits += strchr(DIGITS, (*at)[length++]) != NULL ? 1 : 0;
	*at += length - 1;
	return digits == length ? digits : 0;
}

/* The bytes of all keys and texts, and the digits of whole numbers: as they stand in the JSON. */
static size_t size_of_source(const char *bytes, size_t length)
{
	const char *end = bytes + length;
	size_t size = 0;

	for (const char *at = bytes; at < end; at++)
		if (*at == '"')
			size += size_of_text(&at, end);
		else if (*at >= '0' && *at <= '9')
			size += size_of_number(&at, end);
	return size;
}

static size_t size_of_integer(json_int_t value)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, value);

	return (size_t)length - (value < 0 ? 1 : 0);
}

/* The same of the value that was made of it; no deeper than jansson reads. */
static size_t size_of_value(json_t *value)
{
	size_t size = json_string_length(value), i;
	const char *key;
	json_t *part;

	if (json_is_integer(value))
		size = size_of_integer(json_integer_value(value));
	json_object_foreach(value, key, part) size += strlen(key) + size_of_value(part);
	json_array_foreach(value, i, part) size += size_of_value(part);
	return size;
}

json_t *cd_json_load(const char *bytes, size_t length, size_t flags, json_error_t *error,
		     bool *out_of_memory)
{
	json_t *json = json_loadb(bytes, length, flags | JSON_REJECT_DUPLICATES, error);

	*out_of_memory = json == NULL && json_error_code(error) == json_error_out_of_memory;
	if (json != NULL && size_of_value(json) != size_of_source(bytes, (size_t)error->position)) {
		*out_of_memory = true;
		json_decref(json);
		json = NULL;
	}
	return json;
}
