/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.c - lists, texts and tables that live as long as the reading */
#include "memory.h"

#include <string.h>

#define TABLE_ROOM 64
#define FIRST_ROOM 2 /* of the thousands of lists most hold one item */

struct dovecot_table_entry {
	const char *key;
	size_t length;
	uint64_t hash;
	void *value; /* NULL: free */
};

int dovecot_vector_add(struct dovecot_vector *vector, struct certdeploy_reading *reading, void *item)
{
	if (vector->count == vector->room) {
		size_t room = vector->room == 0 ? FIRST_ROOM : 2 * vector->room;
		void **items = certdeploy_alloc(reading, room * sizeof(*items));

		if (items == NULL)
			return CERTDEPLOY_ENOMEM;
		if (vector->count != 0)
			memcpy(items, vector->items, vector->count * sizeof(*items));
		vector->items = items;
		vector->room = room;
	}
	vector->items[vector->count++] = item;
	return 0;
}

int dovecot_text_add(struct dovecot_text *text, struct certdeploy_reading *reading, const char *bytes,
		     size_t length)
{
	if (text->room - text->length <= length) {
		size_t room = 2 * (text->length + length + 32);
		char *grown = certdeploy_alloc(reading, room);

		if (grown == NULL)
			return CERTDEPLOY_ENOMEM;
		if (text->length != 0)
			memcpy(grown, text->bytes, text->length);
		text->bytes = grown;
		text->room = room;
	}
	if (length != 0)
		memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = '\0';
	return 0;
}

int dovecot_text_string(struct dovecot_text *text, struct certdeploy_reading *reading, const char *string)
{
	return dovecot_text_add(text, reading, string, strlen(string));
}

char *dovecot_joined(struct certdeploy_reading *reading, const char *first, ...)
{
	size_t length = 0;
	char *whole, *end;
	va_list texts;

	va_start(texts, first);
	for (const char *text = first; text != NULL; text = va_arg(texts, const char *))
		length += strlen(text);
	va_end(texts);
	whole = end = certdeploy_alloc(reading, length + 1);
	va_start(texts, first);
	for (const char *text = first; text != NULL && whole != NULL; text = va_arg(texts, const char *)) {
		length = strlen(text);
		memcpy(end, text, length);
		end += length;
	}
	va_end(texts);
	return whole;
}

const char *dovecot_digits(char out[DOVECOT_DIGITS], uintptr_t number)
{
	char *at = out + DOVECOT_DIGITS - 1;

	*at = '\0';
	do
		*--at = "0123456789abcdef"[number % 16];
	while ((number /= 16) != 0);
	return at;
}

/* FNV-1a, and a last mix so that the low bits are good. */
static uint64_t hash_of(const char *key, size_t length)
{
	uint64_t hash = 14695981039346656037U;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)key[i]) * 1099511628211U;
	return hash ^ (hash >> 29);
}

/* The entry of a key, or the free one where it belongs. */
static struct dovecot_table_entry *entry_of(const struct dovecot_table *table, const char *key,
					    size_t length, uint64_t hash)
{
	size_t at = (size_t)hash & (table->room - 1);

	while (table->entries[at].value != NULL &&
	       (table->entries[at].hash != hash || table->entries[at].length != length ||
		memcmp(table->entries[at].key, key, length) != 0))
		at = (at + 1) & (table->room - 1);
	return &table->entries[at];
}

static int grow(struct dovecot_table *table, struct certdeploy_reading *reading)
{
	struct dovecot_table old = *table;

	table->room = old.room == 0 ? TABLE_ROOM : 2 * old.room;
	table->entries = certdeploy_alloc(reading, table->room * sizeof(*table->entries));
	if (table->entries == NULL) {
		*table = old;
		return CERTDEPLOY_ENOMEM;
	}
	for (size_t i = 0; i < old.room; i++) {
		const struct dovecot_table_entry *entry = &old.entries[i];

		if (entry->value != NULL)
			*entry_of(table, entry->key, entry->length, entry->hash) = *entry;
	}
	return 0;
}

int dovecot_table_put(struct dovecot_table *table, struct certdeploy_reading *reading, const char *key,
		      size_t length, void *value)
{
	struct dovecot_table_entry *entry;
	uint64_t hash = hash_of(key, length);

	if (2 * table->count >= table->room && grow(table, reading) != 0)
		return CERTDEPLOY_ENOMEM;
	entry = entry_of(table, key, length, hash);
	if (entry->value == NULL)
		table->count++;
	*entry = (struct dovecot_table_entry){key, length, hash, value};
	return 0;
}

void *dovecot_table_get(const struct dovecot_table *table, const char *key, size_t length)
{
	if (table->room == 0)
		return NULL;
	return entry_of(table, key, length, hash_of(key, length))->value;
}
