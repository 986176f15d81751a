/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state.h - the state directory: open it safely, hold its lock, know who asks */
#ifndef CD_STATE_H
#define CD_STATE_H

#include "base/file.h"

struct cd_state {
	const struct cd_root *root;
	struct cd_problems *problems;
	const char *path; /**< real path as seen from inside the root, in problems->arena */
	int directory;    /**< -1: not open */
	int lock;         /**< -1: not held */
};

/**
 * Open the state directory; with create, make it (0700, parents 0755). Refused when others can change
 * it. Without create CERTDEPLOY_ENOTFOUND, nothing recorded, when there is none.
 */
int cd_state_open(struct cd_state *state, struct cd_problems *problems, const struct cd_root *root,
		  const char *path, bool create);
/** Also releases the lock. */
void cd_state_close(struct cd_state *state);

/** Take the lock of all runs; wait at most so many seconds. CERTDEPLOY_ELOCKED "locked". */
int cd_state_lock(struct cd_state *state, unsigned wait,
		  int (*progress)(void *user, const char *what, size_t done, size_t total), void *user);
/** Wait as long until no other run holds it, without taking it. */
int cd_state_await(struct cd_state *state, unsigned wait,
		   int (*progress)(void *user, const char *what, size_t done, size_t total), void *user);
/** Whether another run holds the lock. */
bool cd_state_is_locked(const struct cd_state *state);

/** Whether there is something of this name in it. */
bool cd_state_has(const struct cd_state *state, const char *name);

/**
 * Wait until no live process claims a file by a lock file of Webmin's kind: FILE.lock holding its
 * process id. CERTDEPLOY_ELOCKED "locked" after so many seconds.
 */
int cd_wait_for_others(struct cd_problems *problems, int directory, const char *name, const char *path,
		       unsigned wait);

/** Who asks: "root (sudo: hanako)". In the arena; NULL when memory is short. */
const char *cd_who(struct cd_arena *arena);

#endif
