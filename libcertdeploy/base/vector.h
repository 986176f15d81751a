/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vector.h - a growing array of pointers, NULL-terminated at any time */
#ifndef CD_VECTOR_H
#define CD_VECTOR_H

#include <stddef.h>

/** All zero is an empty vector. The items are borrowed. */
struct cd_vector {
	void **items; /**< NULL while empty */
	size_t count;
	size_t room;
};

/** Returns 0 or CERTDEPLOY_ENOMEM. */
int cd_vector_add(struct cd_vector *vector, const void *item);
void cd_vector_free(struct cd_vector *vector);

#endif
