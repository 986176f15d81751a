/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* loading.h - material on its way in: with all that handle, settings and request say of it */
#ifndef CD_LOADING_H
#define CD_LOADING_H

#include "certificate/certificate.h"
#include "handle.h"
#include "host/host.h"

/** One load. It lives as long as what it was begun with, and is not moved. */
struct cd_loading {
	struct cd_load load; /**< the caller may still set need_key, loads and accepted */
	const struct certdeploy *cd;
	struct cd_host *host;
	const char *const *names; /**< of the store; NULL until asked for */
	unsigned fetched;
};

/**
 * Begin a load: passphrases, what is accepted, the time, and where an issuer that was not given may be
 * found: the directory of intermediates, the store, and, only when the request says so, the CA's own
 * address.
 */
void cd_loading_begin(struct cd_loading *loading, const struct certdeploy *cd, struct cd_host *host,
		      const struct certdeploy_request *request);
/** Give it pieces (of struct cd_piece *), all but requests. 0 or CERTDEPLOY_ENOMEM, recorded. */
int cd_loading_give(struct cd_loading *loading, const struct cd_vector *pieces);
/** Load them. name: in the store, where a key that was not given may be; NULL: under any name. */
int cd_loading_read(struct cd_certificates *out, const struct cd_loading *loading, const char *name);

#endif
