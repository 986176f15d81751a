/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.h - JSON as text of our own */
#ifndef CD_JSON_H
#define CD_JSON_H

#include <jansson.h>
#include <stdbool.h>

/**
 * The text of a value, for free(); NULL when memory is short or json is NULL. What json_dumps() returns
 * belongs to the allocator that the process has set for jansson, which free() must not be given.
 */
char *cd_json_text(const json_t *json, size_t flags);

/**
 * json_loadb(), which refuses a key that stands twice. *out_of_memory: NULL comes of that. Jansson itself
 * goes on where it finds no memory for a long text, without a byte of it.
 */
json_t *cd_json_load(const char *bytes, size_t length, size_t flags, json_error_t *error,
		     bool *out_of_memory);

#endif
