/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * table.c - values by key
 *
 * Open addressing: a search looks at slots that stand side by side, and at an entry only where its hash
 * is the one that is searched for. On a host with thousands of files it is the reads from cold memory
 * that a search costs.
 */
#include "base/table.h"

#include <certdeploy.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM ((size_t)8)

struct cd_table_entry {
	void *value;
	const char *key; /* own, or lent */
	size_t length;
	char own[];
};

struct cd_table_slot {
	struct cd_table_entry *entry; /* NULL: free */
	uint32_t hash;
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static uint32_t hash_of(const char *key, size_t length)
{
	uint64_t hash = length, word;

	for (; length >= sizeof(word); key += sizeof(word), length -= sizeof(word)) {
		memcpy(&word, key, sizeof(word));
		hash = mix(hash, word);
	}
	word = 0;
	if (length != 0)
		memcpy(&word, key, length);
	return (uint32_t)(mix(hash, word) >> 32);
}

/* The slot of the key, or the free one where it belongs. One is always free. */
static struct cd_table_slot *find(const struct cd_table *table, const char *key, size_t length,
				  uint32_t hash)
{
	size_t at = hash & (table->room - 1);
	const struct cd_table_entry *entry;

	for (; (entry = table->slots[at].entry) != NULL; at = (at + 1) & (table->room - 1))
		if (table->slots[at].hash == hash && entry->length == length &&
		    (length == 0 || memcmp(entry->key, key, length) == 0))
			break;
	return &table->slots[at];
}

static bool grow(struct cd_table *table)
{
	size_t room = table->room == 0 ? FIRST_ROOM : table->room * 2;
	struct cd_table_slot *slots = calloc(room, sizeof(*slots));

	if (slots == NULL)
		return false;
	for (size_t i = 0; i < table->room; i++) {
		size_t at = table->slots[i].hash & (room - 1);

		if (table->slots[i].entry == NULL)
			continue;
		while (slots[at].entry != NULL)
			at = (at + 1) & (room - 1);
		slots[at] = table->slots[i];
	}
	free(table->slots);
	table->slots = slots;
	table->room = room;
	return true;
}

static struct cd_table_entry *new_entry(struct cd_table *table, const char *key, size_t length, bool lent)
{
	struct cd_table_entry *entry =
		cd_arena_alloc(&table->arena, sizeof(*entry) + (lent ? 0 : length + 1));

	if (entry == NULL)
		return NULL;
	if (!lent && length != 0)
		memcpy(entry->own, key, length);
	entry->key = lent ? key : entry->own;
	entry->length = length;
	return entry;
}

static void **find_place(struct cd_table *table, const char *key, size_t length, bool lent)
{
	uint32_t hash = hash_of(key, length);
	struct cd_table_slot *slot;

	/* A quarter stays free, so that searches are short. */
	if (table->count >= table->room / 4 * 3 && !grow(table))
		return NULL;
	slot = find(table, key, length, hash);
	if (slot->entry == NULL) {
		*slot = (struct cd_table_slot){new_entry(table, key, length, lent), hash};
		if (slot->entry == NULL)
			return NULL;
		table->count++;
	}
	return &slot->entry->value;
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
	const struct cd_table_entry *entry =
		table->count == 0 ? NULL : find(table, key, length, hash_of(key, length))->entry;

	return entry == NULL ? NULL : entry->value;
}

void cd_table_free(struct cd_table *table)
{
	free(table->slots);
	cd_arena_free(&table->arena);
	*table = (struct cd_table){0};
}

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
