/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check.c - certificates and requests described, judged, and compared with what is installed */
#include "comparison.h"
#include "keeping.h"
#include "loading.h"
#include "report.h"

#include "base/hostname.h"
#include "base/text.h"

#include <string.h>

static int check_names(struct cd_keeping *keeping, const struct cd_certificates *certificates)
{
	const char *const *hostnames = cd_request_list(keeping->request, CERTDEPLOY_HOSTNAME);
	bool accepted = cd_in_list(cd_request_list(keeping->request, CERTDEPLOY_ACCEPT), "name-mismatch");
	struct cd_problems *problems = &keeping->result->problems;
	int code = 0;

	for (; hostnames != NULL && *hostnames != NULL; hostnames++)
		for (size_t i = 0; i < certificates->list.count; i++) {
			const struct cd_certificate *certificate = certificates->list.items[i];

			if (cd_names_cover(certificate->names, *hostnames))
				continue;
			cd_problem(problems, accepted ? CERTDEPLOY_WARNING : CERTDEPLOY_ERROR,
				   "name-mismatch", NULL, 0, _("the certificate does not cover %s"),
				   cd_hostname_shown(&problems->arena, *hostnames));
			code = accepted ? code : CERTDEPLOY_EREFUSED;
		}
	return code;
}

/* With the one of its key type, or the first. */
static int compare(struct cd_keeping *keeping, const struct cd_certificates *certificates, const char *name)
{
	const char *store = keeping->result->cd->settings.store;
	struct cd_vector installed = {0};
	int code = 0;

	if (cd_store_name_is_valid(name))
		code = cd_store_describe(&installed, &keeping->host, store, name);
	for (size_t i = 0; code == 0 && installed.count != 0 && i < certificates->list.count; i++) {
		const struct cd_certificate *fresh = certificates->list.items[i];
		const struct certdeploy_certificate_report *old = installed.items[0];

		for (size_t k = 0; k < installed.count; k++) {
			const struct certdeploy_certificate_report *one = installed.items[k];

			if (strcmp(one->key_type, fresh->key_type) == 0)
				old = one;
		}
		code = cd_compare(&keeping->result->problems, name, old, fresh->report);
	}
	if (code == 0 && installed.count == 0)
		cd_problem(&keeping->result->problems, CERTDEPLOY_NOTICE, "unknown-name", store, 0,
			   _("the store has no certificate named %s"),
			   cd_safe(&keeping->result->problems.arena, name));
	cd_vector_free(&installed);
	return code;
}

static int check_csr(struct cd_keeping *keeping, const struct cd_piece *piece)
{
	struct certdeploy_result *result = keeping->result;
	const struct certdeploy_certificate_report *report = NULL;
	struct certdeploy_certificate_report whole;
	struct cd_loads loads = {0};
	int code = cd_request_describe(&report, &result->problems.arena, &result->problems, piece);

	if (code != 0)
		return code;
	whole = *report;
	code = cd_store_find_key(&whole.stored_as, &keeping->host, result->cd->settings.store,
				 report->public_key_sha256, &loads);
	cd_loads_free(&loads);
	return code == 0 ? cd_report_certificate(result, &whole, NULL) : code;
}

static int check_material(struct cd_keeping *keeping)
{
	struct certdeploy_result *result = keeping->result;
	const char *name = cd_request_value(keeping->request, CERTDEPLOY_NAME);
	struct cd_certificates certificates = {0};
	struct cd_loading loading;
	int code;

	cd_loading_begin(&loading, result->cd, &keeping->host, keeping->request);
	code = cd_loading_give(&loading, cd_request_pieces(keeping->request));
	if (code != 0 || loading.load.count == 0)
		return code;
	code = cd_loading_read(&certificates, &loading, name);
	for (size_t i = 0; i < certificates.list.count; i++) {
		const struct cd_certificate *certificate = certificates.list.items[i];

		if (certificate->report != NULL &&
		    cd_report_certificate(result, certificate->report, NULL) != 0)
			code = CERTDEPLOY_ENOMEM;
	}
	if (code == 0)
		code = check_names(keeping, &certificates);
	if (name != NULL && code != CERTDEPLOY_ENOMEM && compare(keeping, &certificates, name) != 0)
		code = CERTDEPLOY_ENOMEM;
	cd_certificates_free(&certificates);
	return code;
}

/* Nothing given but a name: what is installed. */
static int check_installed(struct cd_keeping *keeping)
{
	const char *name = cd_request_value(keeping->request, CERTDEPLOY_NAME);
	struct cd_certificates certificates = {0};
	int code;

	if (name == NULL)
		return cd_fail(&keeping->result->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("no certificate was given"));
	code = cd_keeping_load(&certificates, keeping, name, false);
	if (code == 0)
		code = check_names(keeping, &certificates);
	cd_certificates_free(&certificates);
	return code;
}

static int check(struct cd_keeping *keeping)
{
	const struct cd_vector *given = cd_request_pieces(keeping->request);
	int code = cd_hostnames_check(&keeping->result->problems,
				      cd_request_list(keeping->request, CERTDEPLOY_HOSTNAME), false);

	if (code == 0 && (given == NULL || given->count == 0))
		return check_installed(keeping);
	for (size_t i = 0; code == 0 && i < given->count; i++) {
		const struct cd_piece *piece = given->items[i];

		if (piece->kind == CERTDEPLOY_MATERIAL_CSR)
			code = check_csr(keeping, piece);
	}
	return code == 0 ? check_material(keeping) : code;
}

int certdeploy_check(struct certdeploy_result **out, struct certdeploy *cd,
		     const struct certdeploy_request *request)
{
	return cd_with_store(out, cd, request, false, check);
}
