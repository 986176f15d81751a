/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.h - lists, texts and tables that live as long as the reading
 *
 * An adapter has no place to free what it made: everything lies in the reading's own memory. All zero
 * is empty. Functions that return int return 0 or CERTDEPLOY_ENOMEM, already recorded.
 */
#ifndef DOVECOT_MEMORY_H
#define DOVECOT_MEMORY_H

#include <certdeploy-adapter.h>

#include <libintl.h>

#define _(text) dgettext("certdeploy", text)

struct dovecot_vector {
	void **items;
	size_t count;
	size_t room;
};

int dovecot_vector_add(struct dovecot_vector *vector, struct certdeploy_reading *reading, void *item);

struct dovecot_text {
	char *bytes; /**< followed by a NUL once something was added */
	size_t length;
	size_t room;
};

int dovecot_text_add(struct dovecot_text *text, struct certdeploy_reading *reading, const char *bytes,
		     size_t length);
int dovecot_text_string(struct dovecot_text *text, struct certdeploy_reading *reading, const char *string);

/** Texts one after the other, the last argument NULL: for what is made a thousand times. */
char *dovecot_joined(struct certdeploy_reading *reading, const char *first, ...) __attribute__((sentinel));

/** A number as text, for keys. */
#define DOVECOT_DIGITS 17
const char *dovecot_digits(char out[DOVECOT_DIGITS], uintptr_t number);

struct dovecot_table_entry;

struct dovecot_table {
	struct dovecot_table_entry *entries;
	size_t count;
	size_t room;
};

/** Set or replace. The key is borrowed, value is not NULL. */
int dovecot_table_put(struct dovecot_table *table, struct certdeploy_reading *reading, const char *key,
		      size_t length, void *value);
void *dovecot_table_get(const struct dovecot_table *table, const char *key, size_t length);

#endif
