/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* keeping.c - what operations on the store alone have in common */
#include "keeping.h"

#include "base/process.h"
#include "base/text.h"
#include "loading.h"
#include "report.h"

#include <time.h>

#define DEFAULT_WAIT 30

int cd_keeping_open(struct cd_keeping *keeping, struct certdeploy_result *result,
		    const struct certdeploy_request *request, bool changing)
{
	int code = 0;

	*keeping = (struct cd_keeping){.result = result, .request = request, .host.root.fd = -1};
	/* A key that is handed out, or stands in a change, is wiped with the result. */
	result->problems.arena.secret = true;
	cd_request_look(request, &result->problems);
	if (changing)
		code = cd_recover_first(result->cd, &result->problems, request);
	if (code == 0)
		code = cd_host_open(&keeping->host, &result->problems, result->cd->root);
	keeping->host.accepted = cd_request_list(request, CERTDEPLOY_ACCEPT);
	return code;
}

void cd_keeping_close(struct cd_keeping *keeping)
{
	cd_overlay_free(&keeping->overlay);
	cd_changes_free(&keeping->changes);
	cd_host_close(&keeping->host);
}

static int step(void *user, const char *what, size_t done, size_t total)
{
	struct certdeploy_result *result = user;

	return cd_progress(result->cd, &result->problems, what, done, total);
}

int cd_keeping_run(struct cd_keeping *keeping, const char *command, const char *name)
{
	struct certdeploy_result *result = keeping->result;
	const char *const names[] = {name, NULL};
	struct cd_transaction transaction = {
		.root = &keeping->host.root,
		.problems = &result->problems,
		.state_directory = result->cd->settings.state,
		.changes = &keeping->changes,
		.command = command,
		.certificates = names,
		.syslog = result->cd->settings.syslog ? CD_SYSLOG : NULL,
		.keep = result->cd->settings.keep,
		.wait = (unsigned)cd_request_flag(keeping->request, CERTDEPLOY_WAIT, DEFAULT_WAIT),
		.progress = step,
		.user = result,
	};
	int code;

	if (keeping->changes.list.count == 0)
		return 0;
	code = cd_transaction_run(&transaction);
	keeping->stale = transaction.stale;
	result->transaction =
		transaction.id[0] == '\0' ? NULL : cd_arena_string(&result->problems.arena, transaction.id);
	result->changed = code == 0 || code == CERTDEPLOY_EBROKEN;
	for (size_t i = 0; i < transaction.files.count; i++)
		if (cd_vector_add(&result->files, transaction.files.items[i]) != 0)
			code = cd_fail_memory(&result->problems);
	cd_transaction_free(&transaction);
	return code;
}

static int report_certificates(struct certdeploy_result *result, const struct cd_certificates *certificates,
			       const char *name)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < certificates->list.count; i++)
		code = cd_report_certificate(
			result, ((struct cd_certificate *)certificates->list.items[i])->report, name);
	return code;
}

/* The changes borrow the certificates' bytes. */
static int keep_bytes(struct cd_keeping *keeping, size_t from)
{
	for (size_t i = from; i < keeping->changes.list.count; i++) {
		struct cd_change *change = keeping->changes.list.items[i];

		if (change->bytes != NULL)
			change->bytes =
				cd_arena_copy(&keeping->changes.arena, change->bytes, change->length);
		if (change->kind == CD_CHANGE_FILE && change->bytes == NULL)
			return cd_fail_memory(&keeping->result->problems);
	}
	return 0;
}

int cd_keeping_place(const char **stored, struct cd_keeping *keeping,
		     const struct cd_certificates *certificates, const char *name)
{
	struct certdeploy_result *result = keeping->result;
	const struct cd_settings *settings = &result->cd->settings;
	struct cd_store_request request = {
		.directory = settings->store,
		.name = name,
		.certificates = certificates,
		.now = (int64_t)time(NULL),
		.keep = settings->keep,
		.accepted = keeping->host.accepted,
		.permissions = settings->permissions,
		.asked = cd_request_list(keeping->request, CERTDEPLOY_PERMISSIONS),
		.drop_other_types = cd_request_flag(keeping->request, CERTDEPLOY_DROP_OTHER_TYPES, 0) != 0,
		.fresh = keeping->fresh,
	};
	const struct certdeploy_material *const *materials = NULL;
	size_t from = keeping->changes.list.count;
	int code;

	if (name == NULL)
		request.name =
			cd_certificate_store_name(&result->problems.arena, certificates->list.items[0]);
	if (request.name == NULL)
		return cd_fail(&result->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("the certificate has no name to be stored by; give one with --name"));
	*stored = request.name;
	code = report_certificates(result, certificates, request.name);
	if (code == 0)
		code = cd_store_plan(&materials, &keeping->changes, &keeping->overlay, &keeping->host,
				     &request);
	return code == 0 ? keep_bytes(keeping, from) : code;
}

int cd_keeping_store(const char **stored, struct cd_keeping *keeping, const struct cd_loading *loading,
		     const char *name)
{
	struct cd_certificates certificates = {0};
	int code = cd_loading_read(&certificates, loading, name);

	if (code == 0)
		code = cd_keeping_place(stored, keeping, &certificates, name);
	else if (code != CERTDEPLOY_ENOMEM &&
		 report_certificates(keeping->result, &certificates, name) != 0)
		code = CERTDEPLOY_ENOMEM;
	cd_certificates_free(&certificates);
	return code;
}

const char *const cd_keeping_dates[] = {"expired", "not-yet-valid", "chain-expired", NULL};

int cd_keeping_load(struct cd_certificates *certificates, struct cd_keeping *keeping, const char *name,
		    bool need_key)
{
	const struct cd_load load = {.need_key = need_key,
				     .in_order = true,
				     .now = (int64_t)time(NULL),
				     .accepted = cd_keeping_dates};
	struct certdeploy_result *result = keeping->result;
	int code;

	*certificates = (struct cd_certificates){0};
	if (name == NULL)
		return cd_fail(&result->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("a name in the store is needed"));
	code = cd_store_load(certificates, &keeping->host, result->cd->settings.store, name, &load);
	return code == 0 ? report_certificates(result, certificates, name) : code;
}

int cd_keeping_put(struct cd_keeping *keeping, const char *name, const void *bytes, size_t length,
		   bool secret, bool text)
{
	struct cd_arena *arena = &keeping->result->problems.arena;
	struct certdeploy_output *output = cd_arena_alloc(arena, sizeof(*output));
	char *copy = cd_arena_copy(arena, bytes, length);

	if (output == NULL || copy == NULL || cd_vector_add(&keeping->result->outputs, output) != 0)
		return cd_fail_memory(&keeping->result->problems);
	*output = (struct certdeploy_output){
		.name = name, .bytes = copy, .length = length, .secret = secret, .text = text};
	return 0;
}

/* What an attempt has told, before another one. problems: those from before it. */
static void forget(struct certdeploy_result *result, size_t problems)
{
	result->problems.list.count = problems;
	result->certificates.count = 0;
	result->services.count = 0;
	result->files.count = 0;
	result->outputs.count = 0;
	result->diff = NULL;
}

int cd_with_store(struct certdeploy_result **out, struct certdeploy *cd,
		  const struct certdeploy_request *request, bool changing, cd_store_fn *work)
{
	struct certdeploy_result *result;
	int64_t end = cd_now_ms() + 1000 * cd_request_flag(request, CERTDEPLOY_WAIT, DEFAULT_WAIT);
	struct cd_keeping keeping;
	size_t problems;
	bool again;
	int code = cd_result_begin(&result, out, cd);

	if (code != 0)
		return code;
	if (cd->broken != 0)
		return cd_result_end(out, result, cd_broken(result));
	problems = result->problems.list.count;
	do {
		code = cd_keeping_open(&keeping, result, request, changing);
		if (code == 0)
			code = work(&keeping);
		/* Another run had its turn first: start over, for as long as it would have waited. */
		again = keeping.stale && cd_now_ms() < end;
		cd_keeping_close(&keeping);
		if (again)
			forget(result, problems);
	} while (again);
	return cd_result_end(out, result, code);
}
