/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* adopt.c - a certificate that a server uses today becomes one of the store; no configuration changes */
#include "keeping.h"
#include "report.h"

#include "base/hostname.h"
#include "base/text.h"
#include "certificate/leaf.h"
#include "host/inventory.h"
#include "host/target.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT ((size_t)256 << 10)
#define PIECES_LIMIT 24 /* files of one endpoint */

struct adoption {
	struct cd_keeping *keeping;
	struct cd_inventory *inventory;
	struct cd_table known; /* the files of an endpoint, joined -> something */
	struct cd_table names; /* that this run gives -> something */
	size_t meant;
};

static struct cd_problems *problems_of(const struct adoption *adoption)
{
	return &adoption->keeping->result->problems;
}

/* ---- which endpoints ---- */

/* *meant: one of the hosts, names or patterns, is the endpoint's own. */
static int is_named(bool *meant, const struct adoption *adoption, struct cd_patterns *patterns,
		    const struct certdeploy_endpoint *endpoint)
{
	const char *const *hosts = cd_request_list(adoption->keeping->request, CERTDEPLOY_HOSTNAME);
	const char *name = endpoint->name != NULL ? endpoint->name : endpoint->server_name;

	*meant = false;
	for (; !*meant && hosts != NULL && *hosts != NULL && name != NULL; hosts++)
		if ((*hosts)[0] != '~') {
			*meant = cd_name_covers(name, *hosts);
		} else {
			int found = cd_pattern_found(patterns, *hosts + 1, name);

			if (found < 0)
				return cd_pattern_refused(problems_of(adoption), *hosts + 1);
			*meant = found == 1;
		}
	return 0;
}

static int is_meant(bool *meant, const struct adoption *adoption, struct cd_patterns *patterns,
		    const struct certdeploy_endpoint *endpoint)
{
	const struct certdeploy_request *request = adoption->keeping->request;
	const char *const *listeners = cd_request_list(request, CERTDEPLOY_LISTENER);

	*meant = true;
	if (cd_request_flag(request, CERTDEPLOY_ALL, 0) != 0 ||
	    (endpoint->is_default && cd_request_flag(request, CERTDEPLOY_DEFAULT, 0) != 0) ||
	    (listeners != NULL && cd_in_list(listeners, endpoint->listen)))
		return 0;
	return is_named(meant, adoption, patterns, endpoint);
}

/* ---- its files ---- */

struct files {
	struct cd_piece pieces[PIECES_LIMIT];
	size_t count;
};

static void free_files(struct files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		char *bytes = (char *)(uintptr_t)files->pieces[i].bytes;

		OPENSSL_cleanse(bytes, files->pieces[i].length);
		free(bytes);
	}
	files->count = 0;
}

static int add_file(struct files *files, struct adoption *adoption, enum certdeploy_material_kind kind,
		    const char *path)
{
	struct cd_host *host = &adoption->keeping->host;
	struct cd_piece *piece = &files->pieces[files->count];
	char *bytes = NULL;
	int error;

	for (size_t i = 0; path != NULL && i < files->count; i++)
		if (strcmp(files->pieces[i].origin, path) == 0)
			return 0;
	if (path == NULL || files->count == PIECES_LIMIT)
		return 0;
	error = cd_read_file(&bytes, &piece->length, NULL, &host->root, path, FILE_LIMIT);
	if (error != 0)
		return cd_fail_errno(host->problems, error, path, _("cannot read the file"));
	piece->kind = kind;
	piece->bytes = bytes;
	piece->origin = path;
	piece->file = NULL;
	files->count++;
	return 0;
}

static int read_files(struct files *files, struct adoption *adoption,
		      const struct certdeploy_endpoint *endpoint)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < endpoint->pair_count; i++) {
		const struct certdeploy_pair *pair = &endpoint->pairs[i];

		code = add_file(files, adoption, CERTDEPLOY_MATERIAL_ANY, pair->certificate);
		if (code == 0)
			code = add_file(files, adoption, CERTDEPLOY_MATERIAL_KEY, pair->key);
		if (code == 0)
			code = add_file(files, adoption, CERTDEPLOY_MATERIAL_CHAIN, pair->chain);
	}
	return code;
}

/* ---- into the store ---- */

/* Under one name there is one certificate: a second one of this run is left out, and told. */
static int place(struct adoption *adoption, const struct cd_certificates *certificates)
{
	struct cd_problems *problems = problems_of(adoption);
	const char *given = cd_request_value(adoption->keeping->request, CERTDEPLOY_NAME), *name = given;
	const char *stored = NULL;
	int code;

	if (given != NULL && cd_table_get(&adoption->names, given) != NULL)
		return cd_fail(problems, CERTDEPLOY_EREFUSED, "name-taken", NULL, 0,
			       _("more than one certificate is used there; one name is for one of them"));
	if (name == NULL)
		name = cd_certificate_store_name(&problems->arena, certificates->list.items[0]);
	if (name != NULL && cd_table_get(&adoption->names, name) != NULL) {
		cd_problem(
			problems, CERTDEPLOY_WARNING, "name-taken", NULL, 0,
			_("another certificate of this host has the name %s as well; adopt it alone, with "
			  "a --name of its own"),
			name);
		return 0;
	}
	code = cd_keeping_place(&stored, adoption->keeping, certificates, name);
	if (code == 0 && cd_table_put(&adoption->names, stored, stored) != 0)
		code = cd_fail_memory(problems);
	return code;
}

/* What a server uses may be kept whatever it is, but for a key that does not fit. */
static int adopt_files(struct adoption *adoption, const struct files *files)
{
	static const char *const accepted[] = {"ca-certificate",
					       "chain-expired",
					       "chain-incomplete",
					       "chain-invalid",
					       "expired",
					       "malformed",
					       "no-names",
					       "not-yet-valid",
					       "self-signed",
					       "wrong-usage",
					       NULL};
	struct cd_keeping *keeping = adoption->keeping;
	struct cd_certificates certificates = {0};
	struct cd_loading loading;
	int code;

	cd_loading_begin(&loading, keeping->result->cd, &keeping->host, keeping->request);
	loading.load.accepted = accepted;
	loading.load.need_key = true;
	loading.load.pieces = files->pieces;
	loading.load.count = files->count;
	code = cd_loading_read(&certificates, &loading, NULL);
	if (code == 0)
		code = place(adoption, &certificates);
	cd_certificates_free(&certificates);
	return code;
}

/* The files of an endpoint as one text; NULL: it has none, or memory is short. */
static char *joined(struct adoption *adoption, const struct certdeploy_endpoint *endpoint)
{
	char *text = NULL;

	for (size_t i = 0; i < endpoint->pair_count; i++) {
		const struct certdeploy_pair *pair = &endpoint->pairs[i];

		text = cd_arena_format(&adoption->keeping->host.arena, "%s%s\n%s\n%s\n",
				       text == NULL ? "" : text, pair->certificate,
				       pair->key == NULL ? "" : pair->key,
				       pair->chain == NULL ? "" : pair->chain);
		if (text == NULL)
			break;
	}
	return text;
}

static bool is_in_store(const struct adoption *adoption, const struct certdeploy_endpoint *endpoint)
{
	const char *store = adoption->keeping->result->cd->settings.store;
	size_t length = strlen(store);
	const char *path = endpoint->pairs[0].certificate;

	return path != NULL && strncmp(path, store, length) == 0 && path[length] == '/';
}

static int adopt_endpoint(struct adoption *adoption, const struct certdeploy_endpoint *endpoint)
{
	struct files files = {.count = 0};
	char *text;
	int code;

	if (endpoint->pair_count == 0 || !endpoint->tls)
		return 0;
	adoption->meant++;
	text = joined(adoption, endpoint);
	if (text == NULL)
		return cd_fail_memory(problems_of(adoption));
	if (is_in_store(adoption, endpoint) || cd_table_get(&adoption->known, text) != NULL)
		return 0;
	code = cd_table_put(&adoption->known, text, text) == 0 ? 0 : cd_fail_memory(problems_of(adoption));
	if (code == 0)
		code = read_files(&files, adoption, endpoint);
	if (code == 0)
		code = adopt_files(adoption, &files);
	free_files(&files);
	return code;
}

static int adopt_of(struct adoption *adoption, struct cd_seen *seen)
{
	const struct cd_vector *endpoints = &seen->reading.endpoints;
	bool meant = false;
	int code = 0;

	for (size_t i = 0; code == 0 && i < endpoints->count; i++) {
		code = is_meant(&meant, adoption, &seen->reading.patterns, endpoints->items[i]);
		if (code == 0 && meant)
			code = adopt_endpoint(adoption, endpoints->items[i]);
	}
	return code;
}

static int adopt_all(struct adoption *adoption)
{
	const struct cd_vector *services = &adoption->inventory->services;
	int code = cd_inventory_result(adoption->inventory);

	if (code == 0)
		code = cd_hostnames_check(problems_of(adoption),
					  cd_request_list(adoption->keeping->request, CERTDEPLOY_HOSTNAME),
					  true);
	for (size_t i = 0; code == 0 && i < services->count; i++)
		code = adopt_of(adoption, services->items[i]);
	if (code == 0 && adoption->meant == 0)
		code = cd_fail(
			problems_of(adoption), CERTDEPLOY_EREFUSED, "no-endpoint", NULL, 0,
			_("no server of this host serves a certificate there; name one with --hostname, "
			  "--listener, --default or --all"));
	return code;
}

static int adopt(struct cd_keeping *keeping)
{
	struct cd_inventory inventory;
	struct adoption adoption = {.keeping = keeping, .inventory = &inventory};
	struct certdeploy_result *result = keeping->result;
	int code = cd_inventory_open(&inventory, result->cd, &result->problems, keeping->request, true);

	keeping->fresh = true;
	if (code == 0)
		code = adopt_all(&adoption);
	if (code == 0)
		code = cd_keeping_run(keeping, "store-adopt",
				      cd_request_value(keeping->request, CERTDEPLOY_NAME));
	cd_table_free(&adoption.known);
	cd_table_free(&adoption.names);
	cd_inventory_close(&inventory);
	return code;
}

int certdeploy_store_adopt(struct certdeploy_result **out, struct certdeploy *cd,
			   const struct certdeploy_request *request)
{
	return cd_with_store(out, cd, request, true, adopt);
}
