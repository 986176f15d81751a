/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* use.h - what on this host still names a certificate of the store */
#ifndef CD_USE_H
#define CD_USE_H

#include "handle.h"

/**
 * Refuse where a service's configuration leads to the files of a name, or mentions them in a part that
 * is not in force. Each place is told. Returns 0; CERTDEPLOY_EREFUSED "in-use", or why a configuration,
 * which may name it as well, could not be read; CERTDEPLOY_ENOMEM.
 */
int cd_refuse_use(struct certdeploy_result *result, const struct certdeploy_request *request,
		  const char *name);

#endif
