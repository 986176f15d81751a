/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* comparison.h - what a new certificate changes against the installed one */
#ifndef CD_COMPARISON_H
#define CD_COMPARISON_H

#include "base/problem.h"

#include <certdeploy.h>

/**
 * Record as problems what differs: names, key, key type, issuer, end of validity. name: in the store.
 * Nothing here refuses. Returns 0 or CERTDEPLOY_ENOMEM.
 */
int cd_compare(struct cd_problems *problems, const char *name,
	       const struct certdeploy_certificate_report *installed,
	       const struct certdeploy_certificate_report *fresh);

#endif
