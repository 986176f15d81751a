/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* account.c - the account that a server's main process runs as, and what that may read */
#include "host/account.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of Linux: no mode keeps the process from reading. */
#define READS_ALL (1ULL << 1 | 1ULL << 2)

/* What stands behind "NAME:" at the beginning of a line; NULL: there is none. */
static const char *field_of(const char *status, const char *name)
{
	size_t length = strlen(name);

	while (strncmp(status, name, length) != 0 || status[length] != ':') {
		status = strchr(status, '\n');
		if (status == NULL)
			return NULL;
		status++;
	}
	return status + length + 1;
}

/* The next number of the line; false at its end. */
static bool next_number(const char **at, unsigned long *number)
{
	char *end;

	*at += strspn(*at, " \t");
	if (**at < '0' || **at > '9')
		return false;
	*number = strtoul(*at, &end, 10);
	*at = end;
	return true;
}

/* The second number of the four: the one that is in effect. */
static bool effective(const char *field, unsigned long *number)
{
	return field != NULL && next_number(&field, number) && next_number(&field, number);
}

void cd_account_parse(struct cd_account *account, const char *status)
{
	const char *groups = field_of(status, "Groups"), *powers = field_of(status, "CapEff");
	unsigned long user, group;

	*account = (struct cd_account){.limited = false};
	if (groups == NULL || powers == NULL || (strtoull(powers, NULL, 16) & READS_ALL) != 0 ||
	    !effective(field_of(status, "Uid"), &user) || !effective(field_of(status, "Gid"), &group))
		return;
	account->user = (uid_t)user;
	do {
		if (account->group_count == CD_ACCOUNT_GROUPS)
			return;
		account->groups[account->group_count++] = (gid_t)group;
	} while (next_number(&groups, &group));
	account->limited = true;
}

/* bits: as they stand for all others. */
static bool may(const struct cd_account *account, uid_t owner, gid_t group, mode_t mode, mode_t bits)
{
	if (!account->limited)
		return true;
	if (account->user == owner)
		return (mode & bits << 6) != 0;
	for (size_t i = 0; i < account->group_count; i++)
		if (account->groups[i] == group)
			return (mode & bits << 3) != 0;
	return (mode & bits) != 0;
}

bool cd_account_may_read(const struct cd_account *account, uid_t owner, gid_t group, mode_t mode)
{
	return may(account, owner, group, mode, S_IROTH);
}

bool cd_account_may_enter(const struct cd_account *account, uid_t owner, gid_t group, mode_t mode)
{
	return may(account, owner, group, mode, S_IXOTH);
}
