/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * slots.c - what is left of several certificates when httpd has handed them to OpenSSL one by one
 *
 * OpenSSL has a slot for each key type. A certificate goes into that of its own type, and a key that is
 * not its own leaves it. A key goes into the slot of the key's type, whatever certificate it was named
 * with, and httpd is content when it belongs to the one that is there. So a key that belongs to a
 * certificate before makes httpd start as well, and may leave the one that it is named with without any:
 * that is never served. A key that belongs to nothing makes httpd fail, unless the certificate that it
 * stands with has its key from before: then it is as if the key were not there.
 */
#include "adapter.h"

#include <string.h>

#define PAIRS_COMPARED 16 /* each with all before it */

struct slot {
	const struct certdeploy_leaf *leaf;
	const struct certdeploy_pair *certificate;
	const char *key; /* NULL: none */
};

struct slots {
	struct slot *slots; /* as many as pairs: each may be of a type of its own */
	size_t used;
	bool crossed;
};

static struct slot *find_slot(struct slots *slots, const char *type)
{
	for (size_t i = 0; i < slots->used; i++)
		if (strcmp(slots->slots[i].leaf->key_type, type) == 0)
			return &slots->slots[i];
	return NULL;
}

static struct slot *use_certificate(struct slots *slots, const struct certdeploy_leaf *leaf,
				    const struct certdeploy_pair *pair)
{
	struct slot *slot = find_slot(slots, leaf->key_type);

	if (slot == NULL)
		slot = &slots->slots[slots->used++];
	else if (strcmp(slot->leaf->sha256, leaf->sha256) != 0)
		slot->key = NULL;
	slot->leaf = leaf;
	slot->certificate = pair;
	return slot;
}

/* Where a key goes: to the certificate of its own type that is there, when it belongs to that. */
static int use_key(struct certdeploy_reading *reading, struct slots *slots, struct slot *own,
		   const char *key)
{
	struct slot *slot = NULL;
	const char *type;
	bool fits = true;
	int result = certdeploy_key_type(&type, reading, key);

	if (result == 0)
		slot = find_slot(slots, type);
	if (slot != NULL && slot != own)
		result = certdeploy_key_fits(&fits, reading, key, slot->certificate->certificate);
	if (result == CERTDEPLOY_ENOMEM)
		return result;
	/* One that belongs to nothing changes nothing: httpd fails, unless the certificate has its key. */
	if (!fits && own->key != NULL)
		return 0;
	if (slot == NULL || !fits)
		slot = own;
	slot->key = key;
	slots->crossed = slots->crossed || slot != own;
	return 0;
}

static int fill(struct slots *slots, struct certdeploy_reading *reading, const struct apache_host *host)
{
	int result = 0;

	slots->slots = certdeploy_alloc(reading, host->pair_count * sizeof(*slots->slots));
	if (slots->slots == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; result == 0 && i < host->pair_count; i++) {
		const struct certdeploy_pair *pair = &host->pairs[i];
		const struct certdeploy_leaf *leaf;

		result = certdeploy_leaf(&leaf, reading, pair->certificate);
		if (result == 0)
			result = use_key(reading, slots, use_certificate(slots, leaf, pair), pair->key);
	}
	return result;
}

/*
 * Where no two keys are of one type each is with its own certificate: the first has nowhere else to go, and
 * so has each that follows. Thousands of sites may have two pairs, and certificates take longer to look
 * into.
 */
static int has_types_twice(bool *twice, struct certdeploy_reading *reading, const struct apache_host *host)
{
	const char *types[PAIRS_COMPARED];
	size_t known = 0;

	*twice = host->pair_count > PAIRS_COMPARED;
	for (size_t i = 0; !*twice && i < host->pair_count; i++) {
		int result = certdeploy_key_type(&types[known], reading, host->pairs[i].key);

		if (result == CERTDEPLOY_ENOMEM)
			return result;
		if (result != 0)
			continue;
		for (size_t j = 0; j < known; j++)
			*twice = *twice || strcmp(types[j], types[known]) == 0;
		known++;
	}
	return 0;
}

int apache_sort_keys(struct apache_model *model, struct apache_host *host)
{
	struct certdeploy_pair *served;
	struct slots slots = {.used = 0};
	uint16_t count = 0;
	bool twice;
	int result = has_types_twice(&twice, model->reading, host);

	if (result == 0 && twice)
		result = fill(&slots, model->reading, host);
	if (result != 0)
		return result == CERTDEPLOY_ENOMEM ? result : 0;
	if (!slots.crossed)
		return 0;
	served = certdeploy_alloc(model->reading, slots.used * sizeof(*served));
	if (served == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < slots.used; i++) {
		const struct slot *slot = &slots.slots[i];

		if (slot->key == NULL)
			continue;
		served[count] = *slot->certificate;
		served[count++].key = slot->key;
	}
	host->crossed = true;
	host->pairs = served;
	host->pair_count = count;
	return 0;
}
