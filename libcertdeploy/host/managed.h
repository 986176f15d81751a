/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* managed.h - configurations and certificates that another tool makes, and would make anew */
#ifndef CD_MANAGED_H
#define CD_MANAGED_H

#include "host/reading.h"

/**
 * The sentence that names the tool which generates a configuration file, by the comment at its head or
 * by its place; NULL: nobody does. It lives as long as the reading.
 */
const char *cd_managed_file(struct certdeploy_reading *reading,
			    const struct certdeploy_document *document);

/** The same of a certificate's path: a directory that an issuer's tool keeps up to date. */
const char *cd_managed_path(struct certdeploy_reading *reading, const char *path);

/**
 * Of the files that decide an endpoint's certificate, and of the certificates it has.
 *
 * @param from_certbot  what it is to get is certbot's, too: then its directory is no hindrance
 */
const char *cd_managed_endpoint(struct certdeploy_reading *reading,
				const struct certdeploy_endpoint *endpoint, bool from_certbot);

#endif
