/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* survival.h - whether a server lives through the reload that a plan needs */
#ifndef CD_SURVIVAL_H
#define CD_SURVIVAL_H

#include "plan.h"

/**
 * A reload also loads what the plan does not concern. Where one bad pair of files ends the server, and a
 * pair has changed since it was loaded, it is judged here. Returns 0; CERTDEPLOY_EREFUSED
 * "reload-would-end"; CERTDEPLOY_ENOMEM.
 */
int cd_check_survival(struct cd_plan *plan, const struct cd_planned *planned);
/** The same for a way back: over what these changes put back. */
int cd_check_survival_back(struct cd_problems *problems, struct cd_inventory *inventory,
			   const struct cd_seen *seen, const struct cd_changes *changes);

#endif
