/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* move.c - certificates with their keys out of the store and into it */
#include "keeping.h"

#include "base/text.h"
#include "certificate/pkcs12.h"
#include "report.h"

#include <openssl/crypto.h>
#include <string.h>

#define PASSPHRASE_LIMIT 1024

/* ---- export ---- */

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

static int export(struct cd_keeping *keeping)
{
	struct cd_certificates certificates = {0};
	int code = cd_keeping_load(&certificates, keeping, needs_key(keeping->request));

	for (size_t i = 0; code == 0 && i < certificates.list.count; i++)
		code = put_certificate(keeping, certificates.list.items[i]);
	cd_certificates_free(&certificates);
	return code;
}

int certdeploy_export(struct certdeploy_result **out, struct certdeploy *cd,
		      const struct certdeploy_request *request)
{
	return cd_with_store(out, cd, request, false, export);
}

/* ---- import ---- */

static int import(struct cd_keeping *keeping)
{
	const struct cd_vector *pieces = cd_request_pieces(keeping->request);
	struct cd_loading loading;
	const char *name = NULL;
	int code = 0;

	cd_loading_begin(&loading, keeping->result->cd, &keeping->host, keeping->request);
	loading.load.need_key = true;
	if (pieces != NULL)
		code = cd_loading_give(&loading, pieces);
	if (code == 0)
		code = cd_keeping_store(&name, keeping, &loading,
					cd_request_value(keeping->request, CERTDEPLOY_NAME));
	return code == 0 ? cd_keeping_run(keeping, "import", name) : code;
}

int certdeploy_import(struct certdeploy_result **out, struct certdeploy *cd,
		      const struct certdeploy_request *request)
{
	return cd_with_store(out, cd, request, true, import);
}
