/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* short.h - memory runs short, or a system call fails, at each place in turn */
#ifndef CD_TEST_SHORT_H
#define CD_TEST_SHORT_H

#include "unit.h"

#include <stdbool.h>

/**
 * Call operate(data) with the first, second, … allocation of the library failing, then with each of its
 * system calls failing. When memory is short it says so, or does its work all the same; no other failure is
 * taken for a success that it is not.
 */
void short_of_everything(int (*operate)(void *data), void *data);

/**
 * Of the calls with these names, divided by blanks, so many fail with this errno, from the at-th on; 0, of
 * write(): it writes nothing; of read(): other bytes come; of statx(): the file has every attribute.
 * ENOENT, of unlinkat(): somebody else has removed it just before.
 */
void short_of(const char *names, long at, long count, int fault);
/** open() of the first path opens the second; NULL: no more. */
void short_instead(const char *of, const char *path);
/** Whether one has failed; from here on none does. */
bool short_met(void);

#endif
