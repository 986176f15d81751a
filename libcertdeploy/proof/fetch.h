/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fetch.h - get a few kilobytes by plain HTTP, for the issuers that certificates name (RFC 5280, 4.2.2.1)
 *
 * What comes is trusted by nobody: the caller verifies signatures. Everything is bounded, since whoever
 * made the certificate chose the address: bytes, seconds, redirects; and only public addresses are
 * connected to, unless the administrator allows others.
 */
#ifndef CD_FETCH_H
#define CD_FETCH_H

#include "base/buffer.h"

struct cd_fetch {
	bool private_addresses; /**< loopback, link-local and private ones may be connected to */
	unsigned seconds;       /**< for everything but the look-up of the name, which the resolver
				 * bounds; 0: 10 */
	struct cd_buffer body;  /**< what came; the caller frees it */
	const char *why;        /**< in words, after a failure */
};

/** Returns 0, CERTDEPLOY_EFAILED (why says it) or CERTDEPLOY_ENOMEM. */
int cd_fetch(struct cd_fetch *fetch, const char *url);

#endif
