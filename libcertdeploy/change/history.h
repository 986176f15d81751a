/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history.h - past transactions and their backups: list, show, diff, roll back, prune */
#ifndef CD_HISTORY_H
#define CD_HISTORY_H

#include "change/transaction.h"

/** All past transactions, newest first: struct certdeploy_transaction_report in problems->arena. */
int cd_history_list(struct cd_vector *out, struct cd_problems *problems, const struct cd_root *root,
		    const char *state_directory);

/**
 * One transaction (id NULL: the newest that is committed): its report and its files (struct
 * certdeploy_file_report). CERTDEPLOY_ENOTFOUND "no-transaction".
 */
int cd_history_show(const struct certdeploy_transaction_report **out, struct cd_vector *files,
		    struct cd_problems *problems, const struct cd_root *root, const char *state_directory,
		    const char *id);

/** Its unified diff, as kept when it was made; in problems->arena. */
int cd_history_diff(const char **out, struct cd_problems *problems, const struct cd_root *root,
		    const char *state_directory, const char *id);

/**
 * The changes that put back what a transaction changed, and the services concerned: a new transaction
 * that is carried out like any other. id NULL: the newest that is committed and changed a file. Concerned
 * are also the services of those that came right after it and changed none. A file that is not any more
 * what the transaction made of it is "changed-since" (CERTDEPLOY_EREFUSED) unless force. service, file:
 * only these (NULL-terminated lists, or NULL). The bytes live in changes->arena; *id names the transaction.
 */
int cd_history_undo(struct cd_changes *changes, struct cd_touched **services, size_t *service_count,
		    const char **id, struct cd_problems *problems, const struct cd_root *root,
		    const char *state_directory, const char *const *service, const char *const *file,
		    bool force);

/**
 * Remove backups beyond keep that are older than `older` seconds. Takes the lock. *removed: there were
 * such, also where not all of them could be removed.
 */
int cd_history_prune(bool *removed, struct cd_problems *problems, const struct cd_root *root,
		     const char *state_directory, unsigned keep, long older, unsigned wait);

#endif
