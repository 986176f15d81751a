/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host.h - a small host in a temporary directory, with fake servers, for tests of what writes */
#ifndef CD_TEST_HOST_H
#define CD_TEST_HOST_H

#include "change/history.h"
#include "change/transaction.h"

#define HOST_SERVICES 2

struct host {
	char path[64]; /* the directory; everything lies below it */
	struct cd_problems problems;
	struct cd_root root;
	struct cd_changes changes;
	struct cd_transaction transaction;
	struct cd_touched services[HOST_SERVICES];
	struct cd_arena texts; /* paths handed out */
	const char *argv[HOST_SERVICES][8][4];
	/* what the callbacks do */
	int prove_result;
	int prove_old_result;
	unsigned proved;
	unsigned proved_old;
	const char *read_below; /* a server reads everything below this path */
};

/** A path below the host's directory; lives as long as the host. */
const char *host_path(struct host *host, const char *format, ...) CERTDEPLOY_PRINTF(2, 3);

struct host *host_new(void);
/**
 * With etc/one.conf and etc/two.conf, "old one\n" and "old two\n", and so many services, of which so many
 * run; about to deploy.
 */
struct host *host_ready(unsigned services, unsigned running);
/** Ends the fake servers and removes the directory. */
void host_free(struct host *host);
/** The same as cmocka calls it. */
int host_tear_down(void **state);

void host_put(struct host *host, const char *name, const char *text);
/** The content, to be freed; NULL: no such file. */
char *host_get(struct host *host, const char *name);
bool host_has(struct host *host, const char *name, const char *text);

/** Begin a new transaction on the host: no changes yet. */
void host_begin(struct host *host, const char *command);
void host_file(struct host *host, const char *name, const char *text, const char *service);
void host_change(struct host *host, enum cd_change_kind kind, const char *name, const char *text,
		 const char *service, bool secret);
int host_run(struct host *host);
/** How many runs the history knows. */
size_t host_history(struct host *host);

/**
 * Make service number i, called "one" or "two", with the configuration etc/one.conf. Its server reads
 * it to run/one.served at each reload, dies of the word DIE, of LATER a third of a second later, and its
 * test refuses the word SYNTAX.
 */
void host_service(struct host *host, unsigned i);
void host_start(struct host *host, unsigned i);
bool host_runs(struct host *host, unsigned i);
/** What the server goes by. */
bool host_serves(struct host *host, unsigned i, const char *text);

/** The code of the last error, or "". */
const char *host_error(const struct host *host);

#endif
