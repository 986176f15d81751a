/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* service.h - a server program under control: does it run, test, reload, restart, start */
#ifndef CD_SERVICE_H
#define CD_SERVICE_H

#include "base/file.h"
#include "host/account.h"

#include <certdeploy-adapter.h>

/**
 * What is needed to control one server, as plain strings: the journal keeps it, so that recovery
 * needs neither a configuration that parses nor an adapter.
 */
struct cd_control {
	const char *name;
	const char *adapter;
	const char *const *test; /**< argument vectors; NULL: there is none */
	const char *const *reload;
	const char *const *restart;
	const char *const *start;
	const char *const *stop;
	const char *const *status;      /**< exit status 0: runs; NULL: by the pid file */
	const char *const *environment; /**< NAME=VALUE for all of them, or NULL */
	const char *pid_file;
	const char *const *programs; /**< what the process may be called; NULL: anything */
	unsigned timeout;            /**< seconds for each command */
};

/** 1 it runs, 0 it does not, -1 cannot be told. A zombie does not run. */
int cd_control_running(const struct cd_control *control, const struct cd_root *root);

/** The account of the process that the pid file names; not limited where that cannot be told. */
void cd_control_account(struct cd_account *account, const struct cd_control *control,
			const struct cd_root *root);

/** Seconds that each of its commands may take. */
unsigned cd_control_seconds(const struct cd_control *control);

/** Run the server's own test. Problem "test-failed" with the last lines of its output. */
int cd_control_test(const struct cd_control *control, struct cd_problems *problems);

/**
 * Make a running server read its configuration: reload, or restart. Problem "reload-failed" when the
 * command fails, hangs, or the server does not run afterwards.
 */
int cd_control_activate(const struct cd_control *control, struct cd_problems *problems,
			const struct cd_root *root, bool restart);

/**
 * After files were put back: make a server that ran before run again with them, by a reload, or where
 * it died or does not take the reload, by stop and start. Returns 0 when it runs.
 */
int cd_control_revive(const struct cd_control *control, struct cd_problems *problems,
		      const struct cd_root *root);

/** Stop it and start it again. Returns 0 when it runs. */
int cd_control_cycle(const struct cd_control *control, struct cd_problems *problems,
		     const struct cd_root *root);

#endif
