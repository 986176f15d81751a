/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scratch.h - a private directory for files that only a program of ours is to read */
#ifndef CD_SCRATCH_H
#define CD_SCRATCH_H

#include "base/problem.h"

struct cd_scratch {
	char path[64];         /**< absolute; mode 0700; "" when not open */
	struct cd_vector made; /**< of char *: what is in it, in the order it was made */
};

int cd_scratch_open(struct cd_scratch *scratch, struct cd_problems *problems);
/** Write a file, mode 0600. name may hold "/": the directories are made. No "..", not absolute. */
int cd_scratch_write(struct cd_scratch *scratch, struct cd_problems *problems, const char *name,
		     const char *bytes, size_t length);
/** Remove what was written; programs must not have left anything. */
void cd_scratch_clear(struct cd_scratch *scratch);
void cd_scratch_close(struct cd_scratch *scratch);

#endif
