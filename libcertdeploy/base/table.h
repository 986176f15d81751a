/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* table.h - values by key */
#ifndef CD_TABLE_H
#define CD_TABLE_H

#include "base/arena.h"

struct cd_table_slot;

/** All zero is an empty table. Keys are copied, values borrowed. */
struct cd_table {
	struct cd_table_slot *slots;
	size_t room;  /**< slots; a power of two, or 0 */
	size_t count; /**< of them with an entry */
	struct cd_arena arena;
};

/** Set or replace. value is not NULL. Returns 0 or CERTDEPLOY_ENOMEM. */
int cd_table_put(struct cd_table *table, const char *key, const void *value);
/** The same with a key of any bytes. */
int cd_table_put_bytes(struct cd_table *table, const void *key, size_t length, const void *value);
/**
 * Where the value of a key stands, to be looked at and set with one search: NULL stands there when the key
 * is new, which is then as absent. NULL: memory is short.
 */
void **cd_table_place(struct cd_table *table, const void *key, size_t length);
/** Put a value under a key that is not copied: it outlives the table. Returns 0 or CERTDEPLOY_ENOMEM. */
int cd_table_lend(struct cd_table *table, const char *key, const void *value);
/** The table's own copy of the key that belongs to a place, with a NUL behind it. */
const char *cd_table_key(void *const *place);
void *cd_table_get(const struct cd_table *table, const char *key);
void *cd_table_get_bytes(const struct cd_table *table, const void *key, size_t length);
void cd_table_free(struct cd_table *table);

#endif
