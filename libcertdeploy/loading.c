/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* loading.c - material on its way in: with all that handle, settings and request say of it */
#include "loading.h"

#include "base/text.h"
#include "certificate/store.h"
#include "proof/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHAIN_BYTES ((size_t)256 << 10)
#define FETCHES 4 /* of one run: a chain has not more issuers */

static int stored_issuers(void *user, size_t position, char **bytes, size_t *length, const char **origin)
{
	struct cd_loading *loading = user;
	const char *store = loading->cd->settings.store;
	const char *path;
	int result = 0;

	*bytes = NULL;
	if (loading->names == NULL)
		result = cd_host_directory(&loading->names, loading->host, store);
	if (result != 0)
		return result == CERTDEPLOY_ENOMEM ? result : CERTDEPLOY_ENOTFOUND;
	if (loading->names[position] == NULL)
		return CERTDEPLOY_ENOTFOUND;
	path = cd_arena_format(&loading->host->arena, "%s/%s/current/chain.pem", store,
			       loading->names[position]);
	*origin = path;
	if (path == NULL)
		return CERTDEPLOY_ENOMEM;
	if (cd_read_file(bytes, length, NULL, &loading->host->root, path, CHAIN_BYTES) == ENOMEM)
		result = CERTDEPLOY_ENOMEM;
	return result;
}

static int fetch_issuer(void *user, const char *url, char **bytes, size_t *length)
{
	struct cd_loading *loading = user;
	struct cd_fetch fetch = {.private_addresses = loading->cd->settings.fetch_private};
	int result;

	if (loading->fetched++ >= FETCHES)
		return CERTDEPLOY_ENOTFOUND;
	result = cd_fetch(&fetch, url);
	*length = fetch.body.length;
	*bytes = result == 0 ? cd_buffer_take(&fetch.body) : NULL;
	cd_buffer_free(&fetch.body);
	if (*bytes != NULL)
		return 0;
	if (result == CERTDEPLOY_ENOMEM)
		return cd_fail_memory(loading->host->problems);
	cd_problem(loading->host->problems, CERTDEPLOY_WARNING, "fetch-failed", url, 0,
		   _("the issuer could not be fetched: %s"), fetch.why == NULL ? "?" : fetch.why);
	return CERTDEPLOY_ENOTFOUND;
}

void cd_loading_begin(struct cd_loading *loading, const struct certdeploy *cd, struct cd_host *host,
		      const struct certdeploy_request *request)
{
	*loading = (struct cd_loading){.cd = cd, .host = host};
	loading->load = (struct cd_load){
		.passphrase = cd->passphrase,
		.user = cd->user,
		.accepted = cd_request_list(request, CERTDEPLOY_ACCEPT),
		.now = (int64_t)time(NULL),
		.root = &host->root,
		.chain_directory = cd->settings.chain_directory,
		.stored_issuers = stored_issuers,
		.issuers = loading,
	};
	if (cd_request_flag(request, CERTDEPLOY_FETCH_ISSUER, 0) != 0)
		loading->load.fetch_issuer = fetch_issuer;
}

int cd_loading_give(struct cd_loading *loading, const struct cd_vector *pieces)
{
	struct cd_piece *array = cd_arena_array(&loading->host->arena, pieces->count + 1, sizeof(*array));

	if (array == NULL)
		return cd_fail_memory(loading->host->problems);
	for (size_t i = 0; i < pieces->count; i++) {
		const struct cd_piece *piece = pieces->items[i];

		if (piece->kind != CERTDEPLOY_MATERIAL_CSR)
			array[loading->load.count++] = *piece;
	}
	loading->load.pieces = array;
	return 0;
}

static bool has_key(const struct cd_load *load)
{
	static const char words[] = "PRIVATE KEY-----";

	for (size_t i = 0; i < load->count; i++) {
		const struct cd_piece *piece = &load->pieces[i];

		if (piece->kind == CERTDEPLOY_MATERIAL_KEY || piece->kind == CERTDEPLOY_MATERIAL_PKCS12 ||
		    memmem(piece->bytes, piece->length, words, sizeof(words) - 1) != NULL)
			return true;
	}
	return false;
}

/* The name whose request, or installed certificate, has the key of one that came without; NULL: none. */
static int find_key(const char **name, const struct cd_loading *loading)
{
	struct cd_problems ignored = {0};
	struct cd_certificates certificates = {0};
	struct cd_load load = loading->load;
	struct cd_loads own = {0}; /* when none are shared */
	int result = 0;

	load.need_key = false;
	load.issuers = NULL;
	load.stored_issuers = NULL;
	load.fetch_issuer = NULL;
	if (cd_certificates_load(&certificates, &ignored, &load) == CERTDEPLOY_ENOMEM)
		result = cd_fail_memory(loading->host->problems);
	for (size_t i = 0; result == 0 && *name == NULL && i < certificates.list.count; i++) {
		const struct cd_certificate *certificate = certificates.list.items[i];

		if (certificate->key_pem == NULL)
			result = cd_store_find_key(name, loading->host, loading->cd->settings.store,
						   certificate->report->public_key_sha256,
						   load.loads == NULL ? &own : load.loads);
	}
	cd_loads_free(&own);
	cd_certificates_free(&certificates);
	cd_problems_free(&ignored);
	return result;
}

int cd_loading_read(struct cd_certificates *out, const struct cd_loading *loading, const char *name)
{
	int result = 0;

	*out = (struct cd_certificates){0};
	if (name == NULL && loading->load.need_key && !has_key(&loading->load))
		result = find_key(&name, loading);
	if (result != 0)
		return result;
	return cd_store_load_given(out, loading->host, loading->cd->settings.store, name, &loading->load);
}
