/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* readings.h - do two readings tell the same of a configuration? For a whole one and an amended one. */
#ifndef CD_TESTS_READINGS_H
#define CD_TESTS_READINGS_H

#include "host/reading.h"

#include <string.h>

static inline bool same_words(const char *one, const char *other)
{
	return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

static inline bool same_files(const struct certdeploy_endpoint *one,
			      const struct certdeploy_endpoint *other)
{
	if (one->pair_count != other->pair_count)
		return false;
	for (size_t i = 0; i < one->pair_count; i++)
		if (!same_words(one->pairs[i].certificate, other->pairs[i].certificate) ||
		    !same_words(one->pairs[i].key, other->pairs[i].key) ||
		    !same_words(one->pairs[i].file, other->pairs[i].file) ||
		    one->pairs[i].line != other->pairs[i].line)
			return false;
	return true;
}

static inline bool same_endpoint(const struct certdeploy_endpoint *one,
				 const struct certdeploy_endpoint *other)
{
	return same_words(one->name, other->name) && same_words(one->listen, other->listen) &&
	       same_words(one->address, other->address) && one->port == other->port &&
	       same_words(one->protocol, other->protocol) && one->start == other->start &&
	       same_words(one->server_name, other->server_name) && same_files(one, other) &&
	       same_words(one->file, other->file) && one->line == other->line &&
	       one->proxied == other->proxied && one->is_default == other->is_default &&
	       one->tls == other->tls && one->inherited == other->inherited &&
	       one->absent == other->absent && same_words(one->untouchable, other->untouchable) &&
	       same_words(one->note, other->note) && one->unseen == other->unseen &&
	       one->hidden == other->hidden;
}

/** The same endpoints in the same order, and what decides one of them decides the same ones. */
static inline bool same_readings(const struct certdeploy_reading *one,
				 const struct certdeploy_reading *other)
{
	size_t count, others;
	const struct certdeploy_endpoint *const *first = certdeploy_endpoints(one, &count);
	const struct certdeploy_endpoint *const *second = certdeploy_endpoints(other, &others);

	if (count != others)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!same_endpoint(first[i], second[i]) ||
		    (i > 0 && (first[i]->decider == first[i - 1]->decider) !=
				      (second[i]->decider == second[i - 1]->decider)))
			return false;
	return true;
}

#endif
