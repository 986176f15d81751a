/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vector.c - a growing array of pointers, NULL-terminated at any time */
#include "base/vector.h"

#include <certdeploy.h>
#include <stdint.h>
#include <stdlib.h>

#ifdef CD_EACH_ALLOCATES /* for tests: each item is an allocation that can fail */
#define MORE(room) ((room) == 0 ? (size_t)2 : (room) + 1)
#else
#define MORE(room) ((room) == 0 ? (size_t)8 : (room)*2)
#endif

int cd_vector_add(struct cd_vector *vector, const void *item)
{
	if (vector->count + 1 >= vector->room) {
		size_t room = MORE(vector->room);
		void **items;

		if (room > SIZE_MAX / sizeof(*items))
			return CERTDEPLOY_ENOMEM;
		items = realloc(vector->items, room * sizeof(*items));
		if (items == NULL)
			return CERTDEPLOY_ENOMEM;
		vector->items = items;
		vector->room = room;
	}
	/* The vector only lends what it was given: whoever put it in knows whether it is const. */
	vector->items[vector->count++] = (void *)(uintptr_t)item;
	vector->items[vector->count] = NULL;
	return 0;
}

void cd_vector_free(struct cd_vector *vector)
{
	free(vector->items);
	*vector = (struct cd_vector){0};
}
