/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permissions.h - whom an installed file belongs to, and who may read it
 *
 *	[NAME/]PART=[OWNER]:[GROUP][:MODE]	key=root:ssl-cert:0640
 *
 * A part that no rule speaks of keeps what it had in the generation before, else is root's: keys 0600,
 * certificates 0644.
 */
#ifndef CD_PERMISSIONS_H
#define CD_PERMISSIONS_H

#include "certificate/stored.h"

/** What the rules say of one part; -1 where they say nothing. */
struct cd_permission {
	uid_t owner;
	gid_t group;
	mode_t mode;
};

struct cd_permissions {
	struct cd_permission parts[CD_STORED_PARTS];
};

/**
 * What the rules say of a certificate's files. Later ones override earlier ones, those of the second list
 * those of the first; both may be NULL. Users and groups are this host's, or those of the tree.
 *
 * @param name  in the store; NULL: with paths that were chosen, where no rule for a name holds
 * @return 0; CERTDEPLOY_EUSAGE: not a rule; CERTDEPLOY_EREFUSED: "unknown-account", or "key-exposed", when
 *         a key would be readable by everybody; CERTDEPLOY_ENOMEM
 */
int cd_permissions_read(struct cd_permissions *permissions, struct cd_host *host, const char *name,
			const char *const *settings, const char *const *asked);

/** Do the rules give the part a mode? */
bool cd_permissions_say_mode(const struct cd_permissions *permissions, enum cd_stored_part part);

/** The rule of a part where there is one, else what stood there before, else the default. */
void cd_permissions_apply(struct cd_change *change, const struct cd_permissions *permissions,
			  enum cd_stored_part part, const struct cd_stored_file *before);

/** Has the file, as it lies there, what the rules say? */
bool cd_permissions_hold(const struct cd_permissions *permissions, enum cd_stored_part part,
			 const struct cd_stored_file *file);

#endif
