/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* running.h - whether a server runs, where nothing but its ports can tell */
#ifndef CD_RUNNING_H
#define CD_RUNNING_H

#include "host/inventory.h"

/**
 * Settle cd_seen.running where it is not known (no process id file, no status command): a server runs
 * when one of its ports answers. On a tree it stays unknown. Returns 0 or CERTDEPLOY_ENOMEM.
 */
int cd_running_settle(struct cd_inventory *inventory);

#endif
