/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* account.h - the account that a server's main process runs as, and what that may read */
#ifndef CD_ACCOUNT_H
#define CD_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#define CD_ACCOUNT_GROUPS 64

struct cd_account {
	bool limited; /**< it is known, and may not read everything; else the rest says nothing */
	uid_t user;
	gid_t groups[CD_ACCOUNT_GROUPS];
	size_t group_count;
};

/** Out of /proc/PID/status. What cannot be told, or has too many groups, is not limited. */
void cd_account_parse(struct cd_account *account, const char *status);

/** By owner, group and mode; an access control list may say otherwise. */
bool cd_account_may_read(const struct cd_account *account, uid_t owner, gid_t group, mode_t mode);
/** The same for a directory on the way to a file. */
bool cd_account_may_enter(const struct cd_account *account, uid_t owner, gid_t group, mode_t mode);

#endif
