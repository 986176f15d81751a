/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* issuers.c - where an issuer that was not given may be found: the store, and the CA's own address */
#include "issuers.h"

#include "base/text.h"
#include "proof/fetch.h"

#include <stdlib.h>

#define CHAIN_BYTES ((size_t)256 << 10)
#define FETCHES 4 /* of one run: a chain has not more issuers */

static int stored_issuers(void *user, size_t position, char **bytes, size_t *length, const char **origin)
{
	struct cd_issuers *issuers = user;
	const char *store = issuers->cd->settings.store;
	const char *path;

	*bytes = NULL;
	if (issuers->names == NULL && cd_host_directory(&issuers->names, issuers->host, store) != 0)
		return CERTDEPLOY_ENOTFOUND;
	if (issuers->names[position] == NULL)
		return CERTDEPLOY_ENOTFOUND;
	path = cd_arena_format(&issuers->host->arena, "%s/%s/current/chain.pem", store,
			       issuers->names[position]);
	*origin = path;
	if (path == NULL)
		return CERTDEPLOY_ENOTFOUND;
	if (cd_read_file(bytes, length, NULL, &issuers->host->root, path, CHAIN_BYTES) != 0)
		*bytes = NULL;
	return 0;
}

static int fetch_issuer(void *user, const char *url, char **bytes, size_t *length)
{
	struct cd_issuers *issuers = user;
	struct cd_fetch fetch = {.private_addresses = issuers->cd->settings.fetch_private};
	int result;

	if (issuers->fetched++ >= FETCHES)
		return CERTDEPLOY_ENOTFOUND;
	result = cd_fetch(&fetch, url);
	*length = fetch.body.length;
	*bytes = result == 0 ? cd_buffer_take(&fetch.body) : NULL;
	cd_buffer_free(&fetch.body);
	if (*bytes != NULL)
		return 0;
	if (result == CERTDEPLOY_ENOMEM)
		return cd_fail_memory(issuers->problems);
	cd_problem(issuers->problems, CERTDEPLOY_WARNING, "fetch-failed", url, 0,
		   _("the issuer could not be fetched: %s"), fetch.why == NULL ? "?" : fetch.why);
	return CERTDEPLOY_ENOTFOUND;
}

void cd_issuers_offer(struct cd_issuers *issuers, struct cd_load *load, const struct certdeploy *cd,
		      struct cd_host *host, const struct certdeploy_request *request)
{
	*issuers = (struct cd_issuers){.cd = cd, .host = host, .problems = host->problems};
	load->issuers = issuers;
	load->stored_issuers = stored_issuers;
	load->fetch_issuer =
		cd_request_flag(request, CERTDEPLOY_FETCH_ISSUER, 0) != 0 ? fetch_issuer : NULL;
}
