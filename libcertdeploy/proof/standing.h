/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* standing.h - do services serve what stands in their configuration, whatever put it there? */
#ifndef CD_STANDING_H
#define CD_STANDING_H

#include "change/transaction.h"
#include "handle.h"

/** What the ports did before a change. All zero: not known, each is expected to serve. */
struct cd_standing {
	struct cd_arena arena;
	struct cd_table silent; /**< ports and names where no handshake took place */
};

/**
 * Look once at the ports of these services, as their configurations now stand; what cannot be read is not
 * known. Returns 0 or CERTDEPLOY_ENOMEM, recorded. The standing is to be closed in any case.
 */
int cd_standing_before(struct cd_standing *standing, struct certdeploy *cd, struct cd_problems *problems,
		       const struct cd_touched *services, size_t count);
void cd_standing_close(struct cd_standing *standing);

/**
 * Read the configurations anew and wait until every port of the services serves the certificate that
 * is configured for it. One that served nothing before is not waited for, and is only told. A configuration
 * that cannot be read is a warning: nothing can be compared then.
 * Returns 0; CERTDEPLOY_EFAILED: a port does not, recorded; CERTDEPLOY_ENOMEM.
 */
int cd_standing_prove(const struct cd_standing *standing, struct certdeploy *cd,
		      struct cd_problems *problems, const struct cd_touched *services, size_t count,
		      unsigned seconds);

#endif
