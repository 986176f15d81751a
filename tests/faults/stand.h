/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stand.h - how a host stands after a fault: as before the operation, as after it, or neither */
#ifndef CD_STAND_H
#define CD_STAND_H

#include "scene.h"

enum stand_as { STAND_OLD, STAND_NEW, STAND_NEITHER };

struct stand {
	enum stand_as now;   /**< as it was found */
	enum stand_as after; /**< after recovery */
	unsigned open_keys;  /**< keys that others could read, before recovery and after */
	const char *wrong;   /**< what is wrong with it after recovery; NULL: nothing */
};

/** Forget what was judged. history: the kept backups belong to what must be whole. */
void stand_begin(const char *path, bool history);
/** This is how the host stood before the operation. */
void stand_keep_old(void);
/** This is how it stands after one without a fault. */
void stand_keep_new(void);
void stand_end(void);

/**
 * Judge the host, have it recovered, and judge again. Hosts that stand alike recover alike: each state is
 * recovered once, and a state that is known already is left as it is. recover returns 0 when it went well.
 */
const struct stand *stand_judge(int (*recover)(void));

/** States that were judged since the beginning. */
unsigned long stand_count(void);

#endif
