/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arena.h - memory that is freed as a whole */
#ifndef CD_ARENA_H
#define CD_ARENA_H

#include <certdeploy.h>
#include <stdarg.h>

struct cd_chunk;

/** All zero is an empty arena. */
struct cd_arena {
	struct cd_chunk *chunks;
	bool secret; /**< wipe when it ends */
};

void cd_arena_free(struct cd_arena *arena);

/** Take over all that another holds; it is empty then. */
void cd_arena_adopt(struct cd_arena *arena, struct cd_arena *other);

/** Zeroed and aligned for pointers and numbers of 64 bits; NULL when memory is short. */
void *cd_arena_alloc(struct cd_arena *arena, size_t size);
/** The same for count elements of size bytes; NULL also when the product overflows. */
void *cd_arena_array(struct cd_arena *arena, size_t count, size_t size);
/** A copy with a NUL after it. */
char *cd_arena_copy(struct cd_arena *arena, const char *bytes, size_t length);
/** A copy of a string; NULL for NULL. */
char *cd_arena_string(struct cd_arena *arena, const char *string);
char *cd_arena_format(struct cd_arena *arena, const char *format, ...) CERTDEPLOY_PRINTF(2, 3);
char *cd_arena_vformat(struct cd_arena *arena, const char *format, va_list arguments)
	CERTDEPLOY_PRINTF(2, 0);
/** A copy of a NULL-terminated list of strings; NULL for NULL. */
const char *const *cd_arena_list(struct cd_arena *arena, const char *const *list);

#endif
