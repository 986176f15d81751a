/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* meet.h - what a process under test meets: one of its system calls or allocations fails, or kills it */
#ifndef CD_MEET_H
#define CD_MEET_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/*
 * The linker puts the wrappers of meet.c before the library's system calls (see sources.mk). The process
 * under test is a child; what it meets lies in memory that its parent sees too.
 */

/** Classes of calls; they are counted together as far as they are armed. */
enum {
	MEET_MUTATING = 1,
	MEET_READING = 2,
	MEET_LOCKING = 4,
	MEET_CLOSING = 8,
	MEET_ALLOCATING = 16,
	MEET_RUNNING = 32,
	MEET_OWN = 64, /**< allocations that the library makes itself */
};

struct meet_fault {
	const char *name;
	int number;  /**< errno; 0: kill */
	bool after;  /**< the call is made, then comes the kill */
	bool torn;   /**< half of a write is made before; without a kill it is a short write */
	bool sticky; /**< every call fails from then on */
};

enum meet_defect {
	MEET_SOUND,
	MEET_FORGETFUL, /**< one rename is not made */
	MEET_CARELESS,  /**< new files can be read by all */
};

#define MEET_KINDS 32768

struct meeting {
	int classes; /**< armed; 0: none */
	long at;     /**< the call that is hit, counted from 1 */
	long then;   /**< calls after the failing one the process is killed; 0: it is not */
	struct meet_fault fault;
	enum meet_defect defect; /**< planted: the sweep must find it */
	bool old_kernel;         /**< without openat2() and renameat2() */
	time_t time;             /**< what time() says: two runs of one operation make the same names */
	/* what came of it */
	long count; /**< calls seen */
	bool fired;
	bool killed; /**< after it had failed */
	char where[32];
	unsigned char kinds[MEET_KINDS]; /**< of the calls seen: what they can meet */
};

/** NULL: nothing is armed. */
extern struct meeting *meeting;

/** Make the shared memory. */
void meet_open(void);

/** Whether this fault can happen in the call of this number, as the last run had it. */
bool meet_can(long number, const struct meet_fault *fault);

#endif
