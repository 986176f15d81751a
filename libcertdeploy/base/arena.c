/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arena.c - memory that is freed as a whole */
#include "base/arena.h"

#include <openssl/crypto.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef CD_EACH_ALLOCATES
/* For tests: each piece is an allocation of its own, which can fail. */
#define FIRST_CHUNK ((size_t)1)
#define LAST_CHUNK ((size_t)1)
#else
/* Chunks double from the first size to the last: thousands of arenas hold little, a few hold much. */
#define FIRST_CHUNK ((size_t)1024)
#define LAST_CHUNK ((size_t)16384)
#endif

/* What arenas hold is made of these: the largest alignment of all would waste 8 bytes of most pieces. */
union piece {
	void *pointer;
	int64_t integer;
	double number;
};

struct cd_chunk {
	struct cd_chunk *next;
	size_t used;
	size_t size;
	union piece bytes[];
};

void cd_arena_free(struct cd_arena *arena)
{
	while (arena->chunks != NULL) {
		struct cd_chunk *next = arena->chunks->next;

		if (arena->secret)
			OPENSSL_cleanse(arena->chunks->bytes, arena->chunks->size);
		free(arena->chunks);
		arena->chunks = next;
	}
}

void cd_arena_adopt(struct cd_arena *arena, struct cd_arena *other)
{
	struct cd_chunk **end = &arena->chunks;

	while (*end != NULL)
		end = &(*end)->next;
	*end = other->chunks;
	other->chunks = NULL;
}

static size_t next_size(const struct cd_arena *arena, size_t size)
{
	size_t usual = arena->chunks == NULL ? FIRST_CHUNK : arena->chunks->size * 2;

	usual = usual < LAST_CHUNK ? usual : LAST_CHUNK;
	return size < usual ? usual : size;
}

static struct cd_chunk *add_chunk(struct cd_arena *arena, size_t size)
{
	/* A large piece must not end the use of a chunk that still has room. */
	bool alone = size > LAST_CHUNK / 4 && arena->chunks != NULL;
	size_t room = alone ? size : next_size(arena, size);
	struct cd_chunk *chunk;

	if (room > SIZE_MAX - sizeof(*chunk))
		return NULL;
	chunk = calloc(1, sizeof(*chunk) + room);
	if (chunk == NULL)
		return NULL;
	chunk->size = room;
	if (alone) {
		chunk->next = arena->chunks->next;
		arena->chunks->next = chunk;
	} else {
		chunk->next = arena->chunks;
		arena->chunks = chunk;
	}
	return chunk;
}

/* Text stands wherever there is room, without a gap before it. */
static void *take(struct cd_arena *arena, size_t size, size_t alignment)
{
	struct cd_chunk *chunk = arena->chunks;
	size_t start = chunk == NULL ? 0 : (chunk->used + alignment - 1) / alignment * alignment;

	size = size == 0 ? 1 : size;
	if (chunk == NULL || start > chunk->size || chunk->size - start < size) {
		chunk = add_chunk(arena, size);
		start = chunk == NULL ? 0 : chunk->used;
	}
	if (chunk == NULL)
		return NULL;
	chunk->used = start + size;
	return (char *)chunk->bytes + start;
}

void *cd_arena_alloc(struct cd_arena *arena, size_t size)
{
	return take(arena, size, _Alignof(union piece));
}

void *cd_arena_array(struct cd_arena *arena, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	return cd_arena_alloc(arena, count * size);
}

char *cd_arena_copy(struct cd_arena *arena, const char *bytes, size_t length)
{
	char *copy;

	if (length == SIZE_MAX)
		return NULL;
	copy = take(arena, length + 1, 1);
	if (copy != NULL && length != 0)
		memcpy(copy, bytes, length);
	return copy;
}

char *cd_arena_string(struct cd_arena *arena, const char *string)
{
	return string == NULL ? NULL : cd_arena_copy(arena, string, strlen(string));
}

char *cd_arena_vformat(struct cd_arena *arena, const char *format, va_list arguments)
{
	va_list again;
	char *text = NULL;
	int length;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length >= 0)
		text = take(arena, (size_t)length + 1, 1);
	if (text != NULL)
		(void)vsnprintf(text, (size_t)length + 1, format, arguments);
	return text;
}

char *cd_arena_format(struct cd_arena *arena, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = cd_arena_vformat(arena, format, arguments);
	va_end(arguments);
	return text;
}

const char *const *cd_arena_list(struct cd_arena *arena, const char *const *list)
{
	size_t count = 0;
	const char **copy;

	if (list == NULL)
		return NULL;
	while (list[count] != NULL)
		count++;
	copy = cd_arena_array(arena, count + 1, sizeof(*copy));
	for (size_t i = 0; copy != NULL && i < count; i++) {
		copy[i] = cd_arena_string(arena, list[i]);
		if (copy[i] == NULL)
			return NULL;
	}
	return copy;
}
