/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tlsa.c - what DNS is to say of a certificate (RFC 6698), of the installed and of the next one */
#include "keeping.h"
#include "loading.h"
#include "report.h"

#include "base/buffer.h"
#include "base/hostname.h"
#include "base/text.h"
#include "certificate/waiting.h"

#include <string.h>

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
	int code = cd_waiting_keys(&keys, &keeping->host, keeping->result->cd->settings.store, name);

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
	struct cd_loading loading;
	int code;

	cd_loading_begin(&loading, result->cd, &keeping->host, keeping->request);
	code = cd_loading_give(&loading, cd_request_pieces(keeping->request));
	if (code == 0)
		code = cd_loading_read(certificates, &loading, NULL);
	for (size_t i = 0; code == 0 && i < certificates->list.count; i++)
		code = cd_report_certificate(
			result, ((struct cd_certificate *)certificates->list.items[i])->report, NULL);
	return code;
}

static int make(struct cd_keeping *keeping)
{
	const char *name = cd_request_value(keeping->request, CERTDEPLOY_NAME);
	const struct cd_vector *pieces = cd_request_pieces(keeping->request);
	bool given = pieces != NULL && pieces->count != 0;
	struct cd_certificates installed = {0}, next = {0};
	struct cd_buffer text = {0};
	int code = cd_hostnames_check(&keeping->result->problems,
				      cd_request_list(keeping->request, CERTDEPLOY_HOSTNAME), false);

	if (code == 0 && (name != NULL || !given))
		code = cd_keeping_load(&installed, keeping, name, false);
	if (code == 0)
		add_certificates(&text, keeping, &installed);
	if (code == 0 && given)
		code = load_given(&next, keeping);
	if (code == 0)
		add_certificates(&text, keeping, &next);
	if (code == 0 && name != NULL)
		code = add_waiting(&text, keeping, &installed, name);
	if (code == 0 && text.failed)
		code = cd_fail_memory(&keeping->result->problems);
	if (code == 0)
		code = cd_keeping_put(keeping, "tlsa", cd_buffer_text(&text), text.length, false, true);
	cd_certificates_free(&installed);
	cd_certificates_free(&next);
	cd_buffer_free(&text);
	return code;
}

int certdeploy_tlsa(struct certdeploy_result **out, struct certdeploy *cd,
		    const struct certdeploy_request *request)
{
	return cd_with_store(out, cd, request, false, make);
}
