/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* issuers.h - where an issuer that was not given may be found: the store, and the CA's own address */
#ifndef CD_ISSUERS_H
#define CD_ISSUERS_H

#include "certificate/certificate.h"
#include "handle.h"
#include "host/host.h"

struct cd_issuers {
	const struct certdeploy *cd;
	struct cd_host *host;
	struct cd_problems *problems;
	const char *const *names; /**< of the store; NULL until asked for */
	unsigned fetched;
};

/** Let a load look there; issuers and host live as long as it. Fetching only when the request says so. */
void cd_issuers_offer(struct cd_issuers *issuers, struct cd_load *load, const struct certdeploy *cd,
		      struct cd_host *host, const struct certdeploy_request *request);

#endif
