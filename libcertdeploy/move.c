/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* move.c - certificates with their keys out of the store and into it; what DNS is to say of them */
#include "keeping.h"

#include "base/text.h"
#include "certificate/pkcs12.h"
#include "report.h"

#include <openssl/crypto.h>
#include <string.h>
#include <time.h>

#define PASSPHRASE_LIMIT 1024

/* ---- export ---- */

static int load_stored(struct cd_certificates *certificates, struct cd_keeping *keeping, bool need_key)
{
	/* What is installed may be looked at whatever it is. */
	static const char *const accepted[] = {"expired", "not-yet-valid", "chain-expired", NULL};
	const struct cd_load load = {
		.need_key = need_key, .now = (int64_t)time(NULL), .accepted = accepted};
	struct certdeploy_result *result = keeping->result;
	const char *name = cd_request_value(keeping->request, CERTDEPLOY_NAME);
	int code;

	*certificates = (struct cd_certificates){0};
	if (name == NULL)
		return cd_fail(&result->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("a name in the store is needed"));
	code = cd_store_load(certificates, &keeping->host, result->cd->settings.store, name, &load);
	for (size_t i = 0; code == 0 && i < certificates->list.count; i++)
		code = cd_report_certificate(
			result, ((struct cd_certificate *)certificates->list.items[i])->report, name);
	return code;
}

static int put_pkcs12(struct cd_keeping *keeping, const struct cd_certificate *certificate,
		      const char *name, bool legacy)
{
	struct certdeploy_result *result = keeping->result;
	const struct certdeploy *cd = result->cd;
	char passphrase[PASSPHRASE_LIMIT + 1] = "";
	struct cd_buffer der = {.secret = true};
	int length =
		cd->passphrase == NULL
			? -1
			: cd->passphrase(cd->user, cd_catalogue_text(cd->catalogue, _("the exported key")),
					 passphrase, PASSPHRASE_LIMIT);
	int code;

	if (length < 1 || length > PASSPHRASE_LIMIT)
		return cd_fail(&result->problems, CERTDEPLOY_EREFUSED, "key-encrypted", NULL, 0,
			       _("a PKCS#12 is encrypted, and no passphrase was given"));
	passphrase[length] = '\0';
	code = cd_pkcs12_write(&der, certificate, name, passphrase, legacy);
	if (code == CERTDEPLOY_EREFUSED)
		code = cd_fail(&result->problems, CERTDEPLOY_EREFUSED, "not-understood", NULL, 0,
			       _("this OpenSSL does not have the old ciphers"));
	if (code == 0)
		code = cd_keeping_put(keeping, "pkcs12", der.bytes, der.length, true, false);
	OPENSSL_cleanse(passphrase, sizeof(passphrase));
	cd_buffer_free(&der);
	return code == CERTDEPLOY_ENOMEM ? cd_fail_memory(&result->problems) : code;
}

static int put_parts(struct cd_keeping *keeping, const struct cd_certificate *certificate,
		     const char *format)
{
	static const struct {
		const char *format;
		bool key, leaf, chain;
	} formats[] = {{"pem", true, true, true},
		       {"cert", false, true, false},
		       {"chain", false, false, true},
		       {"fullchain", false, true, true},
		       {"key", true, false, false}};
	struct cd_buffer text = {.secret = true};
	int code;

	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		if (strcmp(formats[i].format, format) != 0)
			continue;
		if (formats[i].key)
			cd_buffer_add(&text, certificate->key_pem, certificate->key_pem_length);
		if (formats[i].leaf)
			cd_buffer_string(&text, certificate->leaf_pem);
		if (formats[i].chain)
			cd_buffer_string(&text, certificate->chain_pem);
		code = text.failed ? cd_fail_memory(&keeping->result->problems)
				   : cd_keeping_put(keeping, formats[i].format, cd_buffer_text(&text),
						    text.length, formats[i].key, true);
		cd_buffer_free(&text);
		return code;
	}
	return cd_fail(
		&keeping->result->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
		_("there is no format \"%s\"; there are pkcs12, pkcs12-legacy, pem, cert, chain, fullchain "
		  "and key"),
		cd_safe(&keeping->result->problems.arena, format));
}

static int put_certificate(struct cd_keeping *keeping, const struct cd_certificate *certificate)
{
	const char *format = cd_request_value(keeping->request, CERTDEPLOY_FORMAT);
	const char *name = cd_request_value(keeping->request, CERTDEPLOY_NAME);

	if (format == NULL || strcmp(format, "pkcs12") == 0)
		return put_pkcs12(keeping, certificate, name, false);
	if (strcmp(format, "pkcs12-legacy") == 0)
		return put_pkcs12(keeping, certificate, name, true);
	return put_parts(keeping, certificate, format);
}

/* Formats without a key do not need it to be readable. */
static bool needs_key(const struct certdeploy_request *request)
{
	static const char *const public_formats[] = {"cert", "chain", "fullchain", NULL};
	const char *format = cd_request_value(request, CERTDEPLOY_FORMAT);

	return format == NULL || !cd_in_list(public_formats, format);
}

int certdeploy_export(struct certdeploy_result **out, struct certdeploy *cd,
		      const struct certdeploy_request *request)
{
	struct certdeploy_result *result = cd_result_begin(cd);
	struct cd_certificates certificates = {0};
	struct cd_keeping keeping;
	int code;

	*out = NULL;
	if (result == NULL)
		return CERTDEPLOY_ENOMEM;
	if (cd->broken != 0)
		return cd_result_end(out, result, cd_broken(result));
	code = cd_keeping_open(&keeping, result, request, false);
	if (code == 0)
		code = load_stored(&certificates, &keeping, needs_key(request));
	for (size_t i = 0; code == 0 && i < certificates.list.count; i++)
		code = put_certificate(&keeping, certificates.list.items[i]);
	cd_certificates_free(&certificates);
	cd_keeping_close(&keeping);
	return cd_result_end(out, result, code);
}

/* ---- import ---- */

static int copy_pieces(struct cd_piece **pieces, size_t *count, struct cd_keeping *keeping)
{
	const struct cd_vector *given = cd_request_pieces(keeping->request);

	*count = given == NULL ? 0 : given->count;
	*pieces = cd_arena_array(&keeping->result->problems.arena, *count + 1, sizeof(**pieces));
	if (*pieces == NULL)
		return cd_fail_memory(&keeping->result->problems);
	for (size_t i = 0; i < *count; i++)
		(*pieces)[i] = *(const struct cd_piece *)given->items[i];
	return 0;
}

int certdeploy_import(struct certdeploy_result **out, struct certdeploy *cd,
		      const struct certdeploy_request *request)
{
	struct certdeploy_result *result = cd_result_begin(cd);
	struct cd_piece *pieces = NULL;
	struct cd_keeping keeping;
	const char *name = NULL;
	size_t count = 0;
	int code;

	*out = NULL;
	if (result == NULL)
		return CERTDEPLOY_ENOMEM;
	if (cd->broken != 0)
		return cd_result_end(out, result, cd_broken(result));
	code = cd_keeping_open(&keeping, result, request, true);
	if (code == 0)
		code = copy_pieces(&pieces, &count, &keeping);
	if (code == 0)
		code = cd_keeping_store(&name, &keeping, pieces, count,
					cd_request_value(request, CERTDEPLOY_NAME),
					cd_request_list(request, CERTDEPLOY_ACCEPT));
	if (code == 0)
		code = cd_keeping_run(&keeping, "import", name);
	cd_keeping_close(&keeping);
	return cd_result_end(out, result, code);
}

/* ---- TLSA ---- */

static void add_records(struct cd_buffer *text, const struct cd_certificate *certificate, const char *host)
{
	static const char *const ports[] = {"_443._tcp", "_25._tcp",  "_465._tcp", "_587._tcp",
					    "_110._tcp", "_143._tcp", "_993._tcp", "_995._tcp"};

	if (strchr(host, ':') != NULL || host[strspn(host, "0123456789.")] == '\0')
		return; /* an address has no such record */
	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		cd_buffer_format(text, "%s.%s. IN TLSA 3 1 1 %s\n", ports[i], host,
				 certificate->report->public_key_sha256);
		cd_buffer_format(text, "%s.%s. IN TLSA 3 0 1 %s\n", ports[i], host, certificate->sha256);
	}
}

static int put_records(struct cd_keeping *keeping, const struct cd_certificates *certificates)
{
	const char *const *chosen = cd_request_list(keeping->request, CERTDEPLOY_HOSTNAME);
	struct cd_buffer text = {0};
	int code;

	for (size_t i = 0; i < certificates->list.count; i++) {
		const struct cd_certificate *certificate = certificates->list.items[i];
		const char *const *host = chosen == NULL ? certificate->names : chosen;

		for (; *host != NULL; host++)
			if (strspn(*host,
				   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*_:") ==
			    strlen(*host))
				add_records(&text, certificate, *host);
	}
	code = text.failed
		       ? cd_fail_memory(&keeping->result->problems)
		       : cd_keeping_put(keeping, "tlsa", cd_buffer_text(&text), text.length, false, true);
	cd_buffer_free(&text);
	return code;
}

static int load_given(struct cd_certificates *certificates, struct cd_keeping *keeping)
{
	struct certdeploy_result *result = keeping->result;
	struct cd_load load = {
		.passphrase = result->cd->passphrase,
		.user = result->cd->user,
		.accepted = cd_request_list(keeping->request, CERTDEPLOY_ACCEPT),
		.now = (int64_t)time(NULL),
		.chain_directory = result->cd->settings.chain_directory,
	};
	struct cd_piece *pieces = NULL;
	int code = copy_pieces(&pieces, &load.count, keeping);

	load.pieces = pieces;
	if (code == 0)
		code = cd_certificates_load(certificates, &result->problems, &load);
	for (size_t i = 0; code == 0 && i < certificates->list.count; i++)
		code = cd_report_certificate(
			result, ((struct cd_certificate *)certificates->list.items[i])->report, NULL);
	return code;
}

int certdeploy_tlsa(struct certdeploy_result **out, struct certdeploy *cd,
		    const struct certdeploy_request *request)
{
	struct certdeploy_result *result = cd_result_begin(cd);
	const struct cd_vector *given = cd_request_pieces(request);
	struct cd_certificates certificates = {0};
	struct cd_keeping keeping;
	int code;

	*out = NULL;
	if (result == NULL)
		return CERTDEPLOY_ENOMEM;
	if (cd->broken != 0)
		return cd_result_end(out, result, cd_broken(result));
	code = cd_keeping_open(&keeping, result, request, false);
	if (code == 0)
		code = given != NULL && given->count != 0 ? load_given(&certificates, &keeping)
							  : load_stored(&certificates, &keeping, false);
	if (code == 0)
		code = put_records(&keeping, &certificates);
	cd_certificates_free(&certificates);
	cd_keeping_close(&keeping);
	return cd_result_end(out, result, code);
}
