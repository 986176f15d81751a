/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.h - JSON of our own: written from values of jansson, read without them
 *
 * Jansson goes on where it finds no memory for a long text, without a byte of it; what is read here decides
 * what recovery does. And no tree of values is made: ten thousand certificates make a hundred thousand
 * paths.
 */
#ifndef CD_JSON_H
#define CD_JSON_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/vector.h"

#include <jansson.h>

/**
 * The text of a value, for free(); NULL when memory is short or json is NULL. What json_dumps() returns
 * belongs to the allocator that the process has set for jansson, which free() must not be given.
 */
char *cd_json_text(const json_t *json, size_t flags);

/* ---- reading ---- */

/**
 * A text of JSON (RFC 8259), read value by value. A failure is remembered, and nothing follows it, so a
 * caller reads everything and looks at `wrong` and `out_of_memory` once.
 */
struct cd_json {
	struct cd_arena *arena; /**< for the strings that stay */
	const char *begin;
	const char *at;
	const char *end;
	struct cd_buffer text; /**< the last string */
	unsigned depth;
	bool wrong; /**< it is no JSON, or not what was asked for */
	bool out_of_memory;
};

/** Reads a value into what is at field. */
typedef void cd_json_reader(struct cd_json *json, void *field);

/** A member of an object, and where its value goes. */
struct cd_json_field {
	const char *key;
	cd_json_reader *read;
	size_t offset; /**< of the field in what the object is read into */
	bool needed;
};

void cd_json_begin(struct cd_json *json, struct cd_arena *arena, const char *bytes, size_t length);
/** Nothing but blanks may follow. Frees what it used. Returns whether all was right. */
bool cd_json_end(struct cd_json *json);
/** The line that it came to, from 1: of the first mistake. */
size_t cd_json_line(const struct cd_json *json);
/** What was read is not what it must be. */
void cd_json_refuse(struct cd_json *json);
/** There is no memory for what was read. */
void cd_json_lack_memory(struct cd_json *json);

/** A string without NUL, never NULL; until the next is read. */
const char *cd_json_string(struct cd_json *json);
/** const char *: a string, in the arena. */
void cd_json_read_string(struct cd_json *json, void *field);
/** const char *const *: an array of strings, in the arena, NULL-terminated. */
void cd_json_read_strings(struct cd_json *json, void *field);
/** int64_t: a whole number. */
void cd_json_read_number(struct cd_json *json, void *field);
/** bool */
void cd_json_read_bool(struct cd_json *json, void *field);

/** An array: read is called for each value, with out. */
void cd_json_array(struct cd_json *json, cd_json_reader *read, void *out);
/** An object of any members: read is called before each value, and has to read it. */
void cd_json_members(struct cd_json *json, void (*read)(struct cd_json *json, const char *key, void *out),
		     void *out);
/** Add what was read to a vector; NULL: there was no memory for it. */
void cd_json_add(struct cd_json *json, struct cd_vector *vector, const void *item);
/** The vector of strings as a list in the arena; empties it. NULL when memory is short. */
const char *const *cd_json_list(struct cd_json *json, struct cd_vector *strings);
/**
 * An object of these members, at most 32 of them, in any order, each once. Others are passed over. What
 * is missing leaves its field as it is.
 */
void cd_json_object(struct cd_json *json, const struct cd_json_field *fields, size_t count, void *out);
#define CD_JSON_OBJECT(json, fields, out)                                                                  \
	cd_json_object(json, fields, sizeof(fields) / sizeof((fields)[0]), out)

#endif
