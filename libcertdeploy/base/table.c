/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* table.c - values by key, on uthash */
#include "base/table.h"

#include <certdeploy.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* uthash would end the process when memory is short. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((void)(element))

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"

#include <uthash.h>

struct cd_table_entry {
	void *value;
	UT_hash_handle hh;
	char key[];
};

static void **find_place(struct cd_table *table, const void *key, size_t length, bool lent)
{
	size_t room = lent ? 0 : length + 1;
	struct cd_table_entry *entry;
	unsigned hash;

	HASH_VALUE(key, length, hash);
	HASH_FIND_BYHASHVALUE(hh, table->entries, key, length, hash, entry);
	if (entry != NULL)
		return &entry->value;
	entry = calloc(1, sizeof(*entry) + room);
	if (entry == NULL)
		return NULL;
	if (!lent && length != 0)
		memcpy(entry->key, key, length);
	if (!lent)
		key = entry->key;
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, table->entries, key, length, hash, entry);
	/* So uthash says that memory was short. */
	if (entry->hh.tbl == NULL) {
		free(entry);
		return NULL;
	}
	return &entry->value;
}

void **cd_table_place(struct cd_table *table, const void *key, size_t length)
{
	return find_place(table, key, length, false);
}

int cd_table_lend(struct cd_table *table, const char *key, const void *value)
{
	void **place = find_place(table, key, strlen(key), true);

	if (place == NULL)
		return CERTDEPLOY_ENOMEM;
	*place = (void *)(uintptr_t)value;
	return 0;
}

const char *cd_table_key(void *const *place)
{
	/* The value is the first member. */
	return ((const struct cd_table_entry *)(const void *)place)->key;
}

void *cd_table_get_bytes(const struct cd_table *table, const void *key, size_t length)
{
	struct cd_table_entry *entry;

	HASH_FIND(hh, table->entries, key, length, entry);
	return entry == NULL ? NULL : entry->value;
}

void cd_table_free(struct cd_table *table)
{
	struct cd_table_entry *entry = table->entries, *next;

	/* Taken out as a whole; the entries still lead to each other. */
	HASH_CLEAR(hh, table->entries);
	for (; entry != NULL; entry = next) {
		next = entry->hh.next;
		free(entry);
	}
}

#pragma GCC diagnostic pop

int cd_table_put_bytes(struct cd_table *table, const void *key, size_t length, const void *value)
{
	void **place = cd_table_place(table, key, length);

	if (place == NULL)
		return CERTDEPLOY_ENOMEM;
	*place = (void *)(uintptr_t)value;
	return 0;
}

int cd_table_put(struct cd_table *table, const char *key, const void *value)
{
	return cd_table_put_bytes(table, key, strlen(key), value);
}

void *cd_table_get(const struct cd_table *table, const char *key)
{
	return cd_table_get_bytes(table, key, strlen(key));
}
