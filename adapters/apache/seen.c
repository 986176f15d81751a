/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seen.c - which names and files came before
 *
 * For the two sets that grow with the host: hashes stand side by side, where uthash follows chains of
 * up to ten entries through memory that is cold by then.
 */
#include "adapter.h"

#include <string.h>

#define FIRST_ROOM 8

struct apache_seen_slot {
	const void *key; /* NULL: free */
	uint32_t length;
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
static struct apache_seen_slot *slot_of(const struct apache_seen *seen, const void *key, size_t length,
					uint32_t hash)
{
	size_t at = hash & (seen->room - 1);

	for (; seen->slots[at].key != NULL; at = (at + 1) & (seen->room - 1))
		if (seen->slots[at].hash == hash && seen->slots[at].length == length &&
		    (key == seen->slots[at].key || memcmp(seen->slots[at].key, key, length) == 0))
			break;
	return &seen->slots[at];
}

/* Different keys: a slot is free where its key is NULL. */
static int make_room(struct certdeploy_reading *reading, struct apache_seen *seen, size_t room)
{
	struct apache_seen larger = {certdeploy_alloc(reading, room * sizeof(*larger.slots)), room,
				     seen->count};

	if (larger.slots == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < seen->room; i++) {
		const struct apache_seen_slot *slot = &seen->slots[i];

		if (slot->key != NULL)
			*slot_of(&larger, slot->key, slot->length, slot->hash) = *slot;
	}
	*seen = larger;
	return 0;
}

int apache_seen_expect(struct certdeploy_reading *reading, struct apache_seen *seen, size_t count)
{
	size_t room = FIRST_ROOM;

	while (room / 4 * 3 < count)
		room *= 2;
	return room <= seen->room ? 0 : make_room(reading, seen, room);
}

void *apache_seen_find(const struct apache_seen *seen, const void *key, size_t length)
{
	if (seen->count == 0)
		return NULL;
	return (void *)(uintptr_t)slot_of(seen, key, length, hash_of(key, length))->key;
}

int apache_seen_add(struct certdeploy_reading *reading, struct apache_seen *seen, const void *key,
		    size_t length)
{
	int result = apache_seen_expect(reading, seen, seen->count + 1);
	uint32_t hash = hash_of(key, length);

	if (result != 0)
		return result;
	*slot_of(seen, key, length, hash) = (struct apache_seen_slot){key, (uint32_t)length, hash};
	seen->count++;
	return 0;
}
