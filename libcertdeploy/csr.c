/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * csr.c - a private key and a certificate signing request, kept until the certificate arrives; or a
 * self-signed certificate, which becomes a generation
 */
#include "keeping.h"

#include "base/text.h"
#include "certificate/issue.h"
#include "certificate/waiting.h"
#include "report.h"

#include <openssl/crypto.h>
#include <string.h>
#include <time.h>

#define PASSPHRASE_LIMIT 1024

static void fill(struct cd_wish *wish, const struct certdeploy_request *request)
{
	long days = cd_request_flag(request, CERTDEPLOY_DAYS, CD_DEFAULT_DAYS);

	*wish = (struct cd_wish){
		.common_name = cd_request_value(request, CERTDEPLOY_COMMON_NAME),
		.names = cd_request_list(request, CERTDEPLOY_SAN),
		.organization = cd_request_value(request, CERTDEPLOY_ORGANIZATION),
		.units = cd_request_list(request, CERTDEPLOY_UNIT),
		.locality = cd_request_value(request, CERTDEPLOY_LOCALITY),
		.state = cd_request_value(request, CERTDEPLOY_STATE),
		.country = cd_request_value(request, CERTDEPLOY_COUNTRY),
		.email = cd_request_value(request, CERTDEPLOY_EMAIL),
		.key_type = cd_request_value(request, CERTDEPLOY_KEY_TYPE),
		.self_signed = cd_request_flag(request, CERTDEPLOY_SELF_SIGNED, 0) != 0,
		.days = days == 0 ? -1 : days, /* no life at all is not what a wish takes 0 for */
		.now = (int64_t)time(NULL),
	};
}

/* The rules: of the built-in profiles or one in the settings. */
static int choose_profile(struct cd_wish *wish, struct certdeploy_result *result,
			  const struct certdeploy_request *request)
{
	const struct cd_settings *settings = &result->cd->settings;
	const char *name = cd_request_value(request, CERTDEPLOY_PROFILE);

	if (name == NULL)
		name = settings->profile == NULL ? "lenient" : settings->profile;
	for (size_t i = 0; i < settings->profiles.count; i++) {
		const struct cd_profile *profile = settings->profiles.items[i];

		if (strcmp(profile->name, name) != 0)
			continue;
		wish->strict = profile->strict;
		wish->no_addresses = !profile->addresses;
		wish->required = profile->required;
		return 0;
	}
	wish->strict = wish->no_addresses = strcmp(name, "strict") == 0;
	if (wish->strict || strcmp(name, "lenient") == 0)
		return 0;
	return cd_fail(
		&result->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
		_("there is no profile \"%s\": there are lenient, strict and those of certdeploy.conf"),
		cd_safe(&result->problems.arena, name));
}

/* The key that the name has now; current owns it. */
static int reuse_key(struct cd_wish *wish, struct cd_certificates *current, struct cd_keeping *keeping)
{
	static const char *const accepted[] = {"expired", "not-yet-valid", "chain-expired", NULL};
	struct certdeploy_result *result = keeping->result;
	const char *name = cd_request_value(keeping->request, CERTDEPLOY_NAME);
	const struct cd_load load = {.need_key = true, .now = wish->now, .accepted = accepted};
	int code;

	if (name == NULL || wish->key_type != NULL)
		return cd_fail(&result->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("to use the key again, its name in the store is needed and no key type"));
	code = cd_store_load(current, &keeping->host, result->cd->settings.store, name, &load);
	if (code == 0)
		wish->key = ((const struct cd_certificate *)current->list.items[0])->key;
	return code;
}

static int ask_passphrase(struct cd_wish *wish, struct certdeploy_result *result, char *buffer)
{
	const struct certdeploy *cd = result->cd;
	int length = cd->passphrase == NULL
			     ? -1
			     : cd->passphrase(cd->user, cd_catalogue_text(cd->catalogue, _("the new key")),
					      buffer, PASSPHRASE_LIMIT);

	if (length < 1 || length > PASSPHRASE_LIMIT)
		return cd_fail(&result->problems, CERTDEPLOY_EREFUSED, "key-encrypted", NULL, 0,
			       _("the new key is to be encrypted, and no passphrase was given"));
	wish->passphrase = buffer;
	wish->passphrase_length = (size_t)length;
	return 0;
}

static int keep_request(struct cd_keeping *keeping, const struct cd_issue *issue, const char *name,
			const char *public_key_sha256)
{
	const struct cd_waiting waiting = {
		.id = cd_waiting_id(&keeping->host.arena, (int64_t)time(NULL), public_key_sha256),
		.key = issue->key_pem,
		.request = issue->csr_pem,
	};

	if (waiting.id == NULL)
		return cd_fail_memory(&keeping->result->problems);
	return cd_waiting_plan(&keeping->changes, &keeping->host, keeping->result->cd->settings.store, name,
			       &waiting);
}

/* The name in the store: as given, or made of the first name. */
static const char *name_in_store(struct cd_keeping *keeping, const struct cd_issue *issue)
{
	const char *name = cd_request_value(keeping->request, CERTDEPLOY_NAME);
	const char *const names[] = {issue->name, NULL};
	const struct cd_certificate like = {.names = names};

	if (name == NULL)
		name = cd_certificate_store_name(&keeping->result->problems.arena, &like);
	return name != NULL && cd_store_name_is_valid(name) ? name : NULL;
}

static int keep_self_signed(struct cd_keeping *keeping, const struct cd_issue *issue, const char *name)
{
	static const char *const accepted[] = {"self-signed", NULL};
	const struct cd_piece pieces[] = {
		{.kind = CERTDEPLOY_MATERIAL_CERT,
		 .bytes = issue->certificate_pem,
		 .length = strlen(issue->certificate_pem),
		 .origin = _("the new certificate")},
		{.kind = CERTDEPLOY_MATERIAL_KEY,
		 .bytes = issue->key_pem,
		 .length = strlen(issue->key_pem),
		 .origin = _("the new key")},
	};
	struct cd_loading loading;

	cd_loading_begin(&loading, keeping->result->cd, &keeping->host, keeping->request);
	loading.load.need_key = true;
	loading.load.accepted = accepted;
	loading.load.pieces = pieces;
	loading.load.count = sizeof(pieces) / sizeof(*pieces);
	return cd_keeping_store(&name, keeping, &loading, name);
}

static int keep(struct cd_keeping *keeping, const struct cd_issue *issue, const char *public_key_sha256)
{
	const char *name = name_in_store(keeping, issue);
	int code;

	if (name == NULL)
		return cd_fail(&keeping->result->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("this cannot be a name in the store; give one with --name"));
	code = issue->csr_pem == NULL ? keep_self_signed(keeping, issue, name)
				      : keep_request(keeping, issue, name, public_key_sha256);
	return code == 0 ? cd_keeping_run(keeping, "request", name) : code;
}

static int describe(const char **public_key_sha256, struct certdeploy_result *result,
		    const struct cd_issue *issue)
{
	const struct certdeploy_certificate_report *report = NULL;
	const struct cd_piece piece = {
		.kind = CERTDEPLOY_MATERIAL_CSR, .bytes = issue->csr_pem, .length = strlen(issue->csr_pem)};
	int code = cd_request_describe(&report, &result->problems.arena, &result->problems, &piece);

	if (code != 0)
		return code;
	*public_key_sha256 = report->public_key_sha256;
	return cd_report_certificate(result, report, NULL);
}

static int put_out(struct cd_keeping *keeping, const struct cd_issue *issue)
{
	int code = cd_keeping_put(keeping, "key", issue->key_pem, strlen(issue->key_pem), true, true);

	if (code == 0 && issue->csr_pem != NULL)
		code = cd_keeping_put(keeping, "csr", issue->csr_pem, strlen(issue->csr_pem), false, true);
	if (code == 0 && issue->certificate_pem != NULL)
		code = cd_keeping_put(keeping, "certificate", issue->certificate_pem,
				      strlen(issue->certificate_pem), false, true);
	return code;
}

int certdeploy_csr(struct certdeploy_result **out, struct certdeploy *cd,
		   const struct certdeploy_request *request)
{
	struct certdeploy_result *result;
	bool stored = cd_request_flag(request, CERTDEPLOY_NOT_STORED, 0) == 0;
	char passphrase[PASSPHRASE_LIMIT + 1] = "";
	const char *public_key_sha256 = "";
	struct cd_keeping keeping;
	struct cd_certificates current = {0};
	struct cd_issue issue = {0};
	struct cd_wish wish;
	int code = cd_result_begin(&result, out, cd);

	if (code != 0)
		return code;
	if (cd->broken != 0)
		return cd_result_end(out, result, cd_broken(result));
	fill(&wish, request);
	code = cd_keeping_open(&keeping, result, request, stored);
	if (code == 0)
		code = choose_profile(&wish, result, request);
	if (code == 0 && cd_request_flag(request, CERTDEPLOY_REUSE_KEY, 0) != 0)
		code = reuse_key(&wish, &current, &keeping);
	if (code == 0 && cd_request_flag(request, CERTDEPLOY_ENCRYPT_KEY, 0) != 0)
		code = ask_passphrase(&wish, result, passphrase);
	if (code == 0)
		code = cd_issue(&issue, &result->problems, &wish);
	if (code == 0 && issue.csr_pem != NULL)
		code = describe(&public_key_sha256, result, &issue);
	if (code == 0 && stored)
		code = keep(&keeping, &issue, public_key_sha256);
	if (code == 0)
		code = put_out(&keeping, &issue);
	OPENSSL_cleanse(passphrase, sizeof(passphrase));
	cd_issue_free(&issue);
	cd_certificates_free(&current);
	cd_keeping_close(&keeping);
	return cd_result_end(out, result, code);
}
