/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pending.c - weak places for parts that are still to come; refuses whatever is asked */
#include "certificate/store.h"

#define PENDING __attribute__((weak))
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

PENDING int certdeploy_verify(struct certdeploy_result **out, struct certdeploy *cd,
			      const struct certdeploy_request *r)
{
	*out = NULL;
	return CERTDEPLOY_EFAILED;
}
