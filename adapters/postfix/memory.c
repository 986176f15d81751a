/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.c - growing arrays, texts and tables in a reading's memory */
#include "memory.h"

#include <stdint.h>

void *postfix_grow(struct certdeploy_reading *reading, void *items, size_t count, size_t size)
{
	void *larger;

	if (items != NULL && (count < 8 || (count & (count - 1)) != 0))
		return items;
	if (count > SIZE_MAX / size / 2)
		return NULL;
	larger = certdeploy_alloc(reading, (count < 8 ? 8 : count * 2) * size);
	if (larger != NULL && items != NULL)
		memcpy(larger, items, count * size);
	return larger;
}

void postfix_text_add(struct postfix_text *text, struct certdeploy_reading *reading, const char *bytes,
		      size_t length)
{
	if (text->failed)
		return;
	if (text->bytes == NULL || length >= text->room - text->length) {
		size_t room = (text->length + length + 1) * 2;
		char *larger = certdeploy_alloc(reading, room < 64 ? 64 : room);

		text->failed = larger == NULL;
		if (text->failed)
			return;
		if (text->bytes != NULL)
			memcpy(larger, text->bytes, text->length);
		text->bytes = larger;
		text->room = room < 64 ? 64 : room;
	}
	if (length != 0)
		memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = '\0';
}

void postfix_text_string(struct postfix_text *text, struct certdeploy_reading *reading, const char *string)
{
	postfix_text_add(text, reading, string, strlen(string));
}

/* The tables lie in the reading's memory too, so nothing is freed singly. */
#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) certdeploy_alloc(reading, size)
#define uthash_free(pointer, size) ((void)(pointer))
#define uthash_nonfatal_oom(element) ((void)(element))

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"

#include <uthash.h>

struct postfix_table_entry {
	const char *name;
	void *value;
	UT_hash_handle hh;
};

int postfix_table_put(struct postfix_table *table, struct certdeploy_reading *reading, const char *name,
		      const void *value)
{
	struct postfix_table_entry *entry, *added;
	unsigned length = (unsigned)strlen(name), hash;

	HASH_VALUE(name, length, hash);
	HASH_FIND_BYHASHVALUE(hh, table->entries, name, length, hash, entry);
	if (entry == NULL) {
		entry = certdeploy_alloc(reading, sizeof(*entry));
		if (entry == NULL)
			return CERTDEPLOY_ENOMEM;
		entry->name = name;
		HASH_ADD_KEYPTR_BYHASHVALUE(hh, table->entries, entry->name, length, hash, entry);
		HASH_FIND_BYHASHVALUE(hh, table->entries, name, length, hash, added);
		if (added == NULL)
			return CERTDEPLOY_ENOMEM;
	}
	entry->value = (void *)(uintptr_t)value;
	return 0;
}

void *postfix_table_get(const struct postfix_table *table, const char *name)
{
	struct postfix_table_entry *entry;

	HASH_FIND_STR(table->entries, name, entry);
	return entry == NULL ? NULL : entry->value;
}

#pragma GCC diagnostic pop
