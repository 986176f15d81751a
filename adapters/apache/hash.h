/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash.h - uthash in the reading's memory
 *
 * Every function that adds to a table has a variable named `reading`. Nothing is freed before the
 * reading ends. An entry that was added and has no hh.tbl was not: memory is short.
 */
#ifndef CD_APACHE_HASH_H
#define CD_APACHE_HASH_H

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) certdeploy_alloc(reading, size)
#define uthash_free(memory, size) ((void)(memory))
#define uthash_nonfatal_oom(element) ((void)(element))

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <uthash.h>
#pragma GCC diagnostic pop

/* The macros convert freely where they are used, too. */
#define HASH_FUNCTION_BEGIN                                                                                \
	_Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wconversion\"")                  \
		_Pragma("GCC diagnostic ignored \"-Wsign-conversion\"")
#define HASH_FUNCTION_END _Pragma("GCC diagnostic pop")

#endif
