/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* operation.h - what operations that read the host have in common */
#ifndef CD_OPERATION_H
#define CD_OPERATION_H

#include "host/inventory.h"

typedef int cd_operation_fn(struct certdeploy_result *result, struct cd_inventory *inventory,
			    const struct certdeploy_request *request);

/**
 * Make a result, read the services that the request means, settle whether they run, do the work, and end
 * the result. A service that could not be read fails the operation, after the work on the others.
 */
int cd_with_inventory(struct certdeploy_result **out, struct certdeploy *cd,
		      const struct certdeploy_request *request, cd_operation_fn *work);

#endif
