/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* standing.h - do services serve what stands in their configuration, whatever put it there? */
#ifndef CD_STANDING_H
#define CD_STANDING_H

#include "change/transaction.h"
#include "handle.h"

/**
 * Read the configurations anew and wait until every port of the services serves the certificate that
 * is configured for it. A configuration that cannot be read is a warning: nothing can be compared then.
 * Returns 0; CERTDEPLOY_EFAILED: a port does not, recorded; CERTDEPLOY_ENOMEM.
 */
int cd_standing_prove(struct certdeploy *cd, struct cd_problems *problems,
		      const struct cd_touched *services, size_t count, unsigned seconds);

#endif
