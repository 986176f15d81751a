/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* move.c - certificates with their keys out of the store and into it */
#include "keeping.h"

#include "base/text.h"
#include "certificate/archive.h"
#include "certificate/pkcs12.h"
#include "certificate/waiting.h"
#include "report.h"

#include <openssl/crypto.h>
#include <string.h>

#define PASSPHRASE_LIMIT 1024

/* ---- export ---- */

/* passphrase: room for PASSPHRASE_LIMIT bytes and a NUL. */
static int ask_passphrase(char *passphrase, struct certdeploy_result *result)
{
	const struct certdeploy *cd = result->cd;
	int length =
		cd->passphrase == NULL
			? -1
			: cd->passphrase(cd->user, cd_catalogue_text(cd->catalogue, _("the exported key")),
					 passphrase, PASSPHRASE_LIMIT);

	if (length < 1 || length > PASSPHRASE_LIMIT) {
		/* Half of one may have been written. */
		OPENSSL_cleanse(passphrase, PASSPHRASE_LIMIT);
		return cd_fail(&result->problems, CERTDEPLOY_EREFUSED, "key-encrypted", NULL, 0,
			       _("a PKCS#12 is encrypted, and no passphrase was given"));
	}
	passphrase[length] = '\0';
	/* PKCS#12 would take what stands before it, which may be one letter of UTF-16. */
	if (strlen(passphrase) != (size_t)length) {
		OPENSSL_cleanse(passphrase, PASSPHRASE_LIMIT);
		return cd_fail(&result->problems, CERTDEPLOY_EREFUSED, "wrong-passphrase", NULL, 0,
			       _("the passphrase of a PKCS#12 cannot hold a NUL"));
	}
	return 0;
}

static int put_pkcs12(struct cd_keeping *keeping, const struct cd_vector *certificates, bool legacy)
{
	struct certdeploy_result *result = keeping->result;
	const char *name = cd_request_value(keeping->request, CERTDEPLOY_NAME);
	char passphrase[PASSPHRASE_LIMIT + 1] = "";
	struct cd_buffer der = {.secret = true};
	int code = ask_passphrase(passphrase, result);

	if (code != 0)
		return code;
	code = cd_pkcs12_write(&der, certificates, name, passphrase, legacy);
	if (code == CERTDEPLOY_EREFUSED)
		code = cd_fail(&result->problems, CERTDEPLOY_EREFUSED, "not-understood", NULL, 0,
			       _("this OpenSSL does not have the old ciphers"));
	if (code == 0)
		code = cd_keeping_put(keeping, "pkcs12", der.bytes, der.length, true, false);
	OPENSSL_cleanse(passphrase, sizeof(passphrase));
	cd_buffer_free(&der);
	return code == CERTDEPLOY_ENOMEM ? cd_fail_memory(&result->problems) : code;
}

/** What of each certificate is handed out as text. */
struct parts {
	const char *format;
	bool key, leaf, chain;
};

static int put_parts(struct cd_keeping *keeping, const struct cd_vector *certificates,
		     const struct parts *parts)
{
	struct cd_buffer text = {.secret = true};
	int code;

	for (size_t i = 0; i < certificates->count; i++) {
		const struct cd_certificate *certificate = certificates->items[i];

		if (parts->key)
			cd_buffer_add(&text, certificate->key_pem, certificate->key_pem_length);
		if (parts->leaf)
			cd_buffer_string(&text, certificate->leaf_pem);
		if (parts->chain)
			cd_buffer_string(&text, certificate->chain_pem);
	}
	code = text.failed ? cd_fail_memory(&keeping->result->problems)
			   : cd_keeping_put(keeping, parts->format, cd_buffer_text(&text), text.length,
					    parts->key, true);
	cd_buffer_free(&text);
	return code;
}

/* One output, whatever key types there are: it goes into one file. */
static int put_certificates(struct cd_keeping *keeping, const struct cd_vector *certificates)
{
	static const struct parts parts[] = {{"pem", true, true, true},
					     {"cert", false, true, false},
					     {"chain", false, false, true},
					     {"fullchain", false, true, true},
					     {"key", true, false, false}};
	const char *format = cd_request_value(keeping->request, CERTDEPLOY_FORMAT);

	if (format == NULL || strcmp(format, "pkcs12") == 0)
		return put_pkcs12(keeping, certificates, false);
	if (strcmp(format, "pkcs12-legacy") == 0)
		return put_pkcs12(keeping, certificates, true);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (strcmp(parts[i].format, format) == 0)
			return put_parts(keeping, certificates, &parts[i]);
	return cd_fail(
		&keeping->result->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
		_("there is no format \"%s\"; there are pkcs12, pkcs12-legacy, pem, cert, chain, fullchain "
		  "and key"),
		cd_safe(&keeping->result->problems.arena, format));
}

/* Formats without a key do not need it to be readable. */
static bool needs_key(const struct certdeploy_request *request)
{
	static const char *const public_formats[] = {"cert", "chain", "fullchain", NULL};
	const char *format = cd_request_value(request, CERTDEPLOY_FORMAT);

	return format == NULL || !cd_in_list(public_formats, format);
}

static int export_one(struct cd_keeping *keeping)
{
	struct cd_certificates certificates = {0};
	int code =
		cd_keeping_load(&certificates, keeping, cd_request_value(keeping->request, CERTDEPLOY_NAME),
				needs_key(keeping->request));

	if (code == 0)
		code = put_certificates(keeping, &certificates.list);
	cd_certificates_free(&certificates);
	return code;
}

/* ---- the whole store ---- */

/** All that the store has, while it is on its way out. */
struct load {
	struct cd_arena arena;    /* wipes */
	struct cd_vector names;   /* of struct cd_certificates * */
	struct cd_vector entries; /* of struct cd_archive_entry * */
};

static void unload(struct load *load)
{
	for (size_t i = 0; i < load->names.count; i++)
		cd_certificates_free(load->names.items[i]);
	cd_vector_free(&load->names);
	cd_vector_free(&load->entries);
	cd_arena_free(&load->arena);
}

static int add_entry(struct load *load, struct cd_keeping *keeping, const struct cd_archive_entry *like)
{
	struct cd_archive_entry *entry = cd_arena_alloc(&load->arena, sizeof(*entry));

	if (entry == NULL || cd_vector_add(&load->entries, entry) != 0)
		return cd_fail_memory(&keeping->result->problems);
	*entry = *like;
	return 0;
}

static int load_name(struct load *load, struct cd_keeping *keeping, const char *name)
{
	struct cd_arena *arena = &keeping->host.arena;
	struct cd_certificates *certificates = cd_arena_alloc(arena, sizeof(*certificates));
	int code;

	if (certificates == NULL || cd_vector_add(&load->names, certificates) != 0)
		return cd_fail_memory(&keeping->result->problems);
	code = cd_keeping_load(certificates, keeping, name, true);
	for (size_t i = 0; code == 0 && i < certificates->list.count; i++)
		code = add_entry(load, keeping,
				 &(struct cd_archive_entry){name, certificates->list.items[i], NULL});
	return code;
}

static int load_waiting(struct load *load, struct cd_keeping *keeping, const char *name)
{
	struct cd_vector waiting = {0};
	int code = cd_waiting_read(&waiting, &load->arena, &keeping->host,
				   keeping->result->cd->settings.store, name);

	for (size_t i = 0; code == 0 && i < waiting.count; i++)
		code = add_entry(load, keeping, &(struct cd_archive_entry){name, NULL, waiting.items[i]});
	cd_vector_free(&waiting);
	return code;
}

/* A name may have requests alone. */
static bool has_certificate(struct cd_keeping *keeping, const char *name)
{
	const char *path = cd_arena_format(&keeping->host.arena, "%s/%s/current",
					   keeping->result->cd->settings.store, name);

	return path != NULL && cd_host_file_type(&keeping->host, path) == CERTDEPLOY_FILE_DIRECTORY;
}

static int load_all(struct load *load, struct cd_keeping *keeping)
{
	const char *store = keeping->result->cd->settings.store;
	const char *const *names = NULL;
	int code = cd_host_directory(&names, &keeping->host, store);

	if (code == CERTDEPLOY_ENOTFOUND)
		code = 0;
	for (; code == 0 && names != NULL && *names != NULL; names++) {
		if (!cd_store_name_is_valid(*names))
			continue;
		if (has_certificate(keeping, *names))
			code = load_name(load, keeping, *names);
		if (code == 0)
			code = load_waiting(load, keeping, *names);
	}
	if (code == 0 && load->entries.count == 0)
		code = cd_fail(&keeping->result->problems, CERTDEPLOY_EREFUSED, "unknown-name", store, 0,
			       _("the store is empty"));
	return code;
}

static int put_archive(struct cd_keeping *keeping, const struct load *load)
{
	char passphrase[PASSPHRASE_LIMIT + 1] = "";
	struct cd_buffer der = {.secret = true};
	int code = ask_passphrase(passphrase, keeping->result);

	if (code == 0 && cd_archive_write(&der, &load->entries, passphrase) != 0)
		code = cd_fail_memory(&keeping->result->problems);
	if (code == 0)
		code = cd_keeping_put(keeping, "archive", der.bytes, der.length, true, false);
	OPENSSL_cleanse(passphrase, sizeof(passphrase));
	cd_buffer_free(&der);
	return code;
}

static int export_all(struct cd_keeping *keeping)
{
	const char *format = cd_request_value(keeping->request, CERTDEPLOY_FORMAT);
	struct load load = {.arena.secret = true};
	int code;

	if (cd_request_value(keeping->request, CERTDEPLOY_NAME) != NULL ||
	    (format != NULL && strcmp(format, "pkcs12") != 0))
		return cd_fail(&keeping->result->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("a whole store has no name and one format, pkcs12"));
	code = load_all(&load, keeping);
	if (code == 0)
		code = put_archive(keeping, &load);
	unload(&load);
	return code;
}

static int export(struct cd_keeping *keeping)
{
	return cd_request_flag(keeping->request, CERTDEPLOY_ALL, 0) != 0 ? export_all(keeping)
									 : export_one(keeping);
}

int certdeploy_export(struct certdeploy_result **out, struct certdeploy *cd,
		      const struct certdeploy_request *request)
{
	return cd_with_store(out, cd, request, false, export);
}

/* ---- import ---- */

/* One name of an archive: certificate, key and chain as if they had been given by themselves. */
static int import_certificate(struct cd_keeping *keeping, struct cd_loads *loads,
			      const struct cd_archived *archived)
{
	struct cd_piece piece = {.kind = CERTDEPLOY_MATERIAL_ANY,
				 .bytes = archived->pem.bytes,
				 .length = archived->pem.length,
				 .origin = archived->name};
	struct cd_loading loading;
	const char *name;

	cd_loading_begin(&loading, keeping->result->cd, &keeping->host, keeping->request);
	loading.load.need_key = true;
	loading.load.in_order = true;
	loading.load.settled = cd_settled;
	loading.load.accepted = cd_keeping_dates;
	loading.load.loads = loads;
	loading.load.pieces = &piece;
	loading.load.count = 1;
	return cd_keeping_store(&name, keeping, &loading, archived->name);
}

static int import_waiting(struct cd_keeping *keeping, const struct cd_archived *archived)
{
	struct certdeploy_result *result = keeping->result;
	const struct certdeploy_certificate_report *report = NULL;
	int code = 0;

	for (size_t i = 0; code == 0 && i < archived->waiting.count; i++) {
		const struct cd_waiting *waiting = archived->waiting.items[i];

		code = cd_waiting_check(&report, &result->problems, waiting, archived->name);
		if (code == 0)
			code = cd_report_certificate(result, report, archived->name);
		if (code == 0)
			code = cd_waiting_plan(&keeping->changes, &keeping->host,
					       result->cd->settings.store, archived->name, waiting);
	}
	return code;
}

static int import_archived(struct cd_keeping *keeping, struct cd_loads *loads,
			   const struct cd_archived *archived)
{
	int code = archived->pem.length == 0 ? 0 : import_certificate(keeping, loads, archived);

	return code == 0 ? import_waiting(keeping, archived) : code;
}

static int import_archive(struct cd_keeping *keeping, const struct cd_piece *piece)
{
	struct cd_archive archive;
	struct cd_loads loads = {0};
	struct cd_loading loading;
	int code;

	cd_loading_begin(&loading, keeping->result->cd, &keeping->host, keeping->request);
	code = cd_archive_read(&archive, &keeping->result->problems, piece, &loading.load);
	for (size_t i = 0; code == 0 && i < archive.list.count; i++)
		code = import_archived(keeping, &loads, archive.list.items[i]);
	if (code == 0)
		code = cd_keeping_run(keeping, "import", NULL);
	cd_loads_free(&loads);
	cd_archive_free(&archive);
	return code;
}

static const struct cd_piece *archive_among(const struct cd_vector *pieces)
{
	for (size_t i = 0; pieces != NULL && i < pieces->count; i++)
		if (((const struct cd_piece *)pieces->items[i])->kind == CERTDEPLOY_MATERIAL_ARCHIVE)
			return pieces->items[i];
	return NULL;
}

static int import_one(struct cd_keeping *keeping)
{
	const struct cd_vector *pieces = cd_request_pieces(keeping->request);
	struct cd_loading loading;
	const char *name = NULL;
	int code;

	if (pieces == NULL || pieces->count == 0)
		return cd_fail(&keeping->result->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("no certificate was given"));
	cd_loading_begin(&loading, keeping->result->cd, &keeping->host, keeping->request);
	loading.load.need_key = true;
	code = cd_loading_give(&loading, pieces);
	if (code == 0)
		code = cd_keeping_store(&name, keeping, &loading,
					cd_request_value(keeping->request, CERTDEPLOY_NAME));
	return code == 0 ? cd_keeping_run(keeping, "import", name) : code;
}

static int import(struct cd_keeping *keeping)
{
	const struct cd_vector *pieces = cd_request_pieces(keeping->request);
	const struct cd_piece *archive = archive_among(pieces);

	if (archive == NULL)
		return import_one(keeping);
	if (pieces->count != 1 || cd_request_value(keeping->request, CERTDEPLOY_NAME) != NULL)
		return cd_fail(&keeping->result->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("an archive goes alone, and has its own names"));
	return import_archive(keeping, archive);
}

int certdeploy_import(struct certdeploy_result **out, struct certdeploy *cd,
		      const struct certdeploy_request *request)
{
	return cd_with_store(out, cd, request, true, import);
}
