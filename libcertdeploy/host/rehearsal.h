/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rehearsal.h - a server's own tool judges a private copy of the edited configuration */
#ifndef CD_REHEARSAL_H
#define CD_REHEARSAL_H

#include "host/inventory.h"

/**
 * Write the adapter's copy of the configuration, as it is and as it will be, into private directories
 * and run the adapter's commands over both. Refused ("test-failed") when one fails over the new copy, or
 * prints a line to standard error that it did not print over the old one. The copies are removed.
 * Returns 0 also where the adapter has nothing to rehearse or the commands are not there.
 */
int cd_rehearse(struct cd_seen *seen, struct certdeploy_reading *after, struct cd_problems *problems);

#endif
