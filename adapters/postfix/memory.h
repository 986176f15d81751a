/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.h - growing arrays, texts and tables in a reading's memory */
#ifndef POSTFIX_MEMORY_H
#define POSTFIX_MEMORY_H

#include <certdeploy-adapter.h>
#include <string.h>

/**
 * Make room for one more item in an array that has count of them. The room doubles each time count
 * reaches a power of two, so there is nothing to keep but the count.
 *
 * @return the array, perhaps moved, or NULL: out of memory
 */
void *postfix_grow(struct certdeploy_reading *reading, void *items, size_t count, size_t size);

/** A text that grows; all zero is empty. */
struct postfix_text {
	char *bytes; /**< NUL-terminated; NULL while empty */
	size_t length;
	size_t room;
	bool failed; /**< out of memory */
};

void postfix_text_add(struct postfix_text *text, struct certdeploy_reading *reading, const char *bytes,
		      size_t length);
void postfix_text_string(struct postfix_text *text, struct certdeploy_reading *reading, const char *string);

struct postfix_table_entry;

/** Values by name; all zero is empty. Names and values are borrowed. */
struct postfix_table {
	struct postfix_table_entry *entries;
};

/** Set or replace. Returns 0 or CERTDEPLOY_ENOMEM. */
int postfix_table_put(struct postfix_table *table, struct certdeploy_reading *reading, const char *name,
		      const void *value);
void *postfix_table_get(const struct postfix_table *table, const char *name);

#endif
