/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* transaction.h - carry changes out as a whole, or put everything back */
#ifndef CD_TRANSACTION_H
#define CD_TRANSACTION_H

#include "change/changes.h"
#include "host/service.h"

#define CD_SYSLOG "/dev/log" /* the socket of the system's log */

/** One service in a transaction. */
struct cd_touched {
	struct cd_control control;
	bool restart;       /**< a reload would not, or did not, bring it back */
	int was_running;    /**< set by the transaction before anything changes */
	bool hung;          /**< set: its reload did not end in time */
	const char *action; /**< set: "none", "reload", "restart" */
	const char *state;  /**< set: "changed", "reloaded", "verified", "rolled-back", "failed" */
};

struct cd_transaction {
	/* what is to be done */
	const struct cd_root *root;
	struct cd_problems *problems;
	const char *state_directory; /**< "/var/lib/certdeploy"; inside the root */
	const struct cd_changes *changes;
	struct cd_touched *services;
	size_t service_count;
	const char *command;             /**< "deploy", "rollback", … for the history */
	const char *const *certificates; /**< names, for the history; NULL-terminated or NULL */
	bool test;
	bool reload;
	bool restart;
	bool backup_beside; /**< backup_style = "beside" */
	const char *syslog; /**< socket of the system's log; NULL: nothing is sent there */
	unsigned keep;      /**< backups to keep */
	unsigned wait;      /**< seconds to wait for the lock */
	unsigned watch; /**< milliseconds after the last reload in which no server may die; 0: look once */
	/** Would a server read a file at this path as configuration? Staged files stay away from there. */
	bool (*is_read)(void *user, const char *path);
	/**
	 * Look at the ports after the reload: 0, or an error that leads back. It may set `restart` of a
	 * service that was reloaded: that is restarted, and the ports are looked at once more. NULL: do not
	 * look.
	 */
	int (*prove)(void *user);
	/** Look again after everything was put back: the old state must be served. NULL: do not look. */
	int (*prove_old)(void *user);
	/** Called between steps; other than 0 cancels (while it still can). NULL: none. */
	int (*progress)(void *user, const char *what, size_t done, size_t total);
	void *user;
	/* what was done */
	char id[40];            /**< "20261121T201136Z-1"; empty: the history has nothing of it */
	bool stale;             /**< nothing was done, as what was read has changed: plan again */
	struct cd_vector files; /**< of struct certdeploy_file_report, in problems->arena */
};

void cd_transaction_free(struct cd_transaction *transaction);

/**
 * Whether the changes would be refused for their places, or for the state directory: a path that others can
 * change, a file of several names, something else that stands there, nowhere to stage it. Reads no file and
 * changes nothing.
 */
int cd_transaction_look(struct cd_transaction *transaction);

/**
 * Lock, recover what an earlier run left, carry the changes out, test, reload, prove, commit.
 * Returns 0 committed; CERTDEPLOY_EFAILED, _EREFUSED, _EPERMISSION, _ELOCKED, _ENOMEM, _ECANCELLED:
 * nothing changed; CERTDEPLOY_EROLLEDBACK: put back; CERTDEPLOY_EBROKEN: putting back failed.
 */
int cd_transaction_run(struct cd_transaction *transaction);

/**
 * Wait until no other run is at work, as long as for the lock: what it has made so far may be put back.
 * CERTDEPLOY_ELOCKED, _ECANCELLED.
 */
int cd_transaction_await(struct cd_transaction *transaction);
/** When the last run ended, to be compared; -1: one is at work. */
int64_t cd_transaction_moment(const struct cd_root *root, const char *state_directory);

/** Whether an interrupted run waits for recovery. Takes no lock and changes nothing. */
bool cd_transaction_is_interrupted(const struct cd_root *root, const char *state_directory);

/**
 * Finish or undo what an interrupted run left: files, then the services noted in the journal.
 * *recovered: 0 nothing was there, 1 put back, 2 was committed and is now finished, 3 put back but for
 * what others have changed since, which was left and is told, 4 only old backups had still to go.
 */
int cd_transaction_recover(int *recovered, struct cd_transaction *transaction, bool force);

#endif
