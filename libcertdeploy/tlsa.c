/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tlsa.c - what DNS is to say of a certificate (RFC 6698), of the installed and of the next one */
#include "issuers.h"
#include "keeping.h"
#include "report.h"

#include "base/buffer.h"
#include "base/text.h"

#include <string.h>
#include <time.h>

#define HOST_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*_"

static const char *const ports[] = {"_443._tcp", "_25._tcp",  "_465._tcp", "_587._tcp", "_110._tcp",
				    "_143._tcp", "_993._tcp", "_995._tcp", NULL};

static bool has_records(const char *host)
{
	/* An address has none. */
	return host[strspn(host, "0123456789.")] != '\0' && strspn(host, HOST_LETTERS) == strlen(host);
}

/* One record of each host and port; not one that is there already. */
static void add_records(struct cd_buffer *text, const char *const *hosts, const char *kind,
			const char *sha256)
{
	for (; hosts != NULL && *hosts != NULL; hosts++)
		for (size_t i = 0; has_records(*hosts) && ports[i] != NULL; i++) {
			size_t start = text->length;

			cd_buffer_format(text, "%s.%s. IN TLSA %s %s\n", ports[i], *hosts, kind, sha256);
			if (!text->failed &&
			    memmem(text->bytes, start, text->bytes + start, text->length - start) != NULL)
				text->bytes[text->length = start] = '\0';
		}
}

static void add_certificates(struct cd_buffer *text, struct cd_keeping *keeping,
			     const struct cd_certificates *certificates)
{
	const char *const *chosen = cd_request_list(keeping->request, CERTDEPLOY_HOSTNAME);

	for (size_t i = 0; i < certificates->list.count; i++) {
		const struct cd_certificate *certificate = certificates->list.items[i];
		const char *const *hosts = chosen == NULL ? certificate->names : chosen;

		add_records(text, hosts, "3 1 1", certificate->report->public_key_sha256);
		add_records(text, hosts, "3 0 1", certificate->sha256);
	}
}

/* Keys that a CA is to certify: their records can be published before the certificate comes. */
static int add_waiting(struct cd_buffer *text, struct cd_keeping *keeping,
		       const struct cd_certificates *installed, const char *name)
{
	const char *const *hosts = cd_request_list(keeping->request, CERTDEPLOY_HOSTNAME);
	struct cd_vector keys = {0};
	int code = cd_store_waiting_keys(&keys, &keeping->host, keeping->result->cd->settings.store, name);

	if (hosts == NULL && installed->list.count != 0)
		hosts = ((const struct cd_certificate *)installed->list.items[0])->names;
	for (size_t i = 0; code == 0 && i < keys.count; i++)
		add_records(text, hosts, "3 1 1", keys.items[i]);
	cd_vector_free(&keys);
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
	struct cd_issuers issuers;
	struct cd_piece *pieces = NULL;
	int code = cd_keeping_pieces(&pieces, &load.count, keeping);

	load.pieces = pieces;
	cd_issuers_offer(&issuers, &load, result->cd, &keeping->host, keeping->request);
	if (code == 0)
		code = cd_certificates_load(certificates, &result->problems, &load);
	for (size_t i = 0; code == 0 && i < certificates->list.count; i++)
		code = cd_report_certificate(
			result, ((struct cd_certificate *)certificates->list.items[i])->report, NULL);
	return code;
}

static int make(struct cd_buffer *text, struct cd_keeping *keeping)
{
	const char *name = cd_request_value(keeping->request, CERTDEPLOY_NAME);
	bool given = cd_request_pieces(keeping->request)->count != 0;
	struct cd_certificates installed = {0}, next = {0};
	int code = name != NULL || !given ? cd_keeping_load(&installed, keeping, false) : 0;

	if (code == 0)
		add_certificates(text, keeping, &installed);
	if (code == 0 && given)
		code = load_given(&next, keeping);
	if (code == 0)
		add_certificates(text, keeping, &next);
	if (code == 0 && name != NULL)
		code = add_waiting(text, keeping, &installed, name);
	cd_certificates_free(&installed);
	cd_certificates_free(&next);
	return code == 0 && text->failed ? cd_fail_memory(&keeping->result->problems) : code;
}

int certdeploy_tlsa(struct certdeploy_result **out, struct certdeploy *cd,
		    const struct certdeploy_request *request)
{
	struct certdeploy_result *result = cd_result_begin(cd);
	struct cd_buffer text = {0};
	struct cd_keeping keeping;
	int code;

	*out = NULL;
	if (result == NULL)
		return CERTDEPLOY_ENOMEM;
	if (cd->broken != 0)
		return cd_result_end(out, result, cd_broken(result));
	if (request == NULL)
		return cd_result_end(out, result,
				     cd_fail(&result->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
					     _("a name in the store is needed")));
	code = cd_keeping_open(&keeping, result, request, false);
	if (code == 0)
		code = make(&text, &keeping);
	if (code == 0)
		code = cd_keeping_put(&keeping, "tlsa", cd_buffer_text(&text), text.length, false, true);
	cd_buffer_free(&text);
	cd_keeping_close(&keeping);
	return cd_result_end(out, result, code);
}
