/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process.h - the only place that starts programs */
#ifndef CD_PROCESS_H
#define CD_PROCESS_H

#include "base/arena.h"
#include "base/buffer.h"

/**
 * A program run without a shell, in a session of its own, with standard input from /dev/null, a
 * constant environment and no descriptor of ours.
 */
struct cd_run {
	const char *const *argv; /**< argv[0] without a slash is searched in the constant PATH */
	const char *const *environment; /**< NAME=VALUE added to the constant ones, or NULL */
	unsigned seconds;               /**< time limit; then the whole process group is killed */
	size_t output_limit;            /**< bytes kept of each stream; the rest is read and dropped */
	/* results */
	int status;     /**< exit status; 128 + number after a signal; -1: ended by the time limit, or lost */
	bool timed_out;
	struct cd_buffer output; /**< standard output */
	struct cd_buffer errors; /**< standard error */
};

/**
 * Run a program to its end. Does not wait for children that it leaves behind (daemons).
 * Returns 0 when it ran, whatever its status; CERTDEPLOY_ENOTFOUND: no such program;
 * CERTDEPLOY_EFAILED: could not be started; CERTDEPLOY_ENOMEM.
 */
int cd_run(struct cd_run *run);
void cd_run_free(struct cd_run *run);

/** The last lines of what it said, for people, without an end of line; NULL when memory is short. */
const char *cd_run_said(struct cd_arena *arena, const struct cd_run *run);

/** A copy of argv where "%s" within an argument is replaced by text; NULL when memory is short. */
const char *const *cd_argv_with(struct cd_arena *arena, const char *const *argv, const char *text);

/** Milliseconds of the clock that nobody sets. */
int64_t cd_now_ms(void);

#endif
