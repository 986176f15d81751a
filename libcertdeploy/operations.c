/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* operations.c - discover, list, history and the way back; deploy.c has the flow itself */
#include "change/history.h"
#include "change/state.h"
#include "change/transaction.h"
#include "operation.h"
#include "proof/running.h"
#include "proof/standing.h"
#include "proof/survey.h"
#include "proof/survival.h"
#include "report.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_WAIT 30
#define PROOF_SECONDS 30

int cd_broken(struct certdeploy_result *result)
{
	const struct certdeploy *cd = result->cd;

	for (size_t i = 0; i < cd->problems.list.count; i++) {
		const struct certdeploy_problem *problem = cd->problems.list.items[i];

		cd_problem(&result->problems, problem->severity, problem->code, problem->file,
			   problem->line, "%s", problem->message);
	}
	return cd->broken;
}

/* ---- a run with an inventory ---- */

int cd_with_inventory(struct certdeploy_result **out, struct certdeploy *cd,
		      const struct certdeploy_request *request, cd_operation_fn *work)
{
	struct certdeploy_result *result;
	struct cd_inventory inventory;
	int code = cd_result_begin(&result, out, cd);

	if (code != 0)
		return code;
	if (cd->broken != 0)
		return cd_result_end(out, result, cd_broken(result));
	code = cd_inventory_open(&inventory, cd, &result->problems, request, true);
	if (code == 0)
		code = cd_running_settle(&inventory);
	if (code == 0)
		code = work(result, &inventory, request);
	if (code == 0)
		code = cd_inventory_result(&inventory);
	cd_inventory_close(&inventory);
	return cd_result_end(out, result, code);
}

static int discover(struct certdeploy_result *result, struct cd_inventory *inventory,
		    const struct certdeploy_request *request)
{
	(void)request;
	for (size_t i = 0; i < inventory->services.count; i++) {
		const struct cd_seen *seen = inventory->services.items[i];
		struct certdeploy_service_report *service = cd_report_service(result, seen);

		if (service == NULL)
			return CERTDEPLOY_ENOMEM;
		if (seen->result != 0)
			service->state = "failed";
	}
	return 0;
}

int certdeploy_discover(struct certdeploy_result **out, struct certdeploy *cd,
			const struct certdeploy_request *request)
{
	return cd_with_inventory(out, cd, request, discover);
}

/* ---- list ---- */

static int list(struct certdeploy_result *result, struct cd_inventory *inventory,
		const struct certdeploy_request *request)
{
	struct cd_survey survey;
	int code =
		cd_survey_make(&survey, result, inventory, cd_request_list(request, CERTDEPLOY_HOSTNAME));

	if (code == 0 && cd_request_flag(request, CERTDEPLOY_LIVE, 0) != 0)
		code = cd_survey_look(&survey, 0);
	cd_survey_close(&survey);
	return code;
}

int certdeploy_list(struct certdeploy_result **out, struct certdeploy *cd,
		    const struct certdeploy_request *request)
{
	return cd_with_inventory(out, cd, request, list);
}

/* ---- a run with the host's root only ---- */

/* The way back needs no more of the settings than where the state is. */
enum cd_settings_need { NEEDS_SETTINGS, NEEDS_STATE };

typedef int root_fn(struct certdeploy_result *result, const struct cd_root *root,
		    const struct certdeploy_request *request);

/* Why the settings cannot be used, where the work goes on without them. */
static void tell_broken(struct certdeploy_result *result)
{
	const struct cd_problems *problems = &result->cd->problems;

	for (size_t i = 0; i < problems->list.count; i++) {
		const struct certdeploy_problem *problem = problems->list.items[i];

		cd_problem(&result->problems, CERTDEPLOY_WARNING, problem->code, problem->file,
			   problem->line, "%s", problem->message);
	}
}

static int with_root(struct certdeploy_result **out, struct certdeploy *cd,
		     const struct certdeploy_request *request, root_fn *work, enum cd_settings_need need)
{
	struct certdeploy_result *result;
	struct cd_root root;
	int code = cd_result_begin(&result, out, cd);

	if (code != 0)
		return code;
	if (cd->broken != 0 && need == NEEDS_SETTINGS)
		return cd_result_end(out, result, cd_broken(result));
	if (cd->broken != 0)
		tell_broken(result);
	code = cd_root_open(&root, &result->problems, cd->root);
	if (code == 0)
		code = work(result, &root, request);
	cd_root_close(&root);
	return cd_result_end(out, result, code);
}

static void prepare(struct cd_transaction *transaction, struct certdeploy *cd, struct cd_problems *problems,
		    const struct cd_root *root, const struct certdeploy_request *request,
		    const char *command)
{
	*transaction = (struct cd_transaction){
		.root = root,
		.problems = problems,
		.state_directory = cd->settings.state,
		.command = command,
		.test = root->live && cd_request_flag(request, CERTDEPLOY_NO_TEST, 0) == 0,
		.reload = root->live && cd_request_flag(request, CERTDEPLOY_NO_RELOAD, 0) == 0,
		.restart = cd_request_flag(request, CERTDEPLOY_RESTART, 0) != 0,
		.backup_beside = cd->settings.backup_beside,
		.syslog = cd->settings.syslog ? CD_SYSLOG : NULL,
		.keep = cd->settings.keep,
		.watch = cd->settings.watch,
		.wait = (unsigned)cd_request_flag(request, CERTDEPLOY_WAIT, DEFAULT_WAIT),
	};
}

/* Whoever waits for another run. */
struct waiting {
	struct certdeploy *cd;
	struct cd_problems *problems;
};

static int step(void *user, const char *what, size_t done, size_t total)
{
	struct waiting *waiting = user;

	return cd_progress(waiting->cd, waiting->problems, what, done, total);
}

/* said: the request is about the recovery itself, not about what comes after it. */
static int recover_at(int *recovered, struct certdeploy *cd, struct cd_problems *problems,
		      const struct cd_root *root, const struct certdeploy_request *request, bool said)
{
	struct waiting waiting = {cd, problems};
	struct cd_transaction transaction;
	int code;

	*recovered = 0;
	prepare(&transaction, cd, problems, root, request, "recover");
	transaction.progress = step;
	transaction.user = &waiting;
	code = cd_transaction_await(&transaction);
	transaction.progress = NULL;
	if (code != 0 || !cd_transaction_is_interrupted(root, cd->settings.state))
		return code;
	transaction.reload = said ? transaction.reload : root->live;
	code = cd_transaction_recover(recovered, &transaction,
				      cd_request_flag(request, CERTDEPLOY_FORCE, 0) != 0);
	if (*recovered == 1)
		cd_problem(problems, CERTDEPLOY_NOTICE, "interrupted", NULL, 0,
			   _("an earlier run was interrupted; everything is as it was before that run"));
	else if (*recovered == 3)
		cd_problem(problems, CERTDEPLOY_NOTICE, "interrupted", NULL, 0,
			   _("an earlier run was interrupted; everything else is as it was before that "
			     "run"));
	else if (*recovered == 2)
		cd_problem(problems, CERTDEPLOY_NOTICE, "interrupted", NULL, 0,
			   _("an earlier run was interrupted when all its work was done; it is complete"));
	cd_transaction_free(&transaction);
	return code;
}

int cd_recover_first(struct certdeploy *cd, struct cd_problems *problems,
		     const struct certdeploy_request *request)
{
	struct cd_root root;
	int recovered, code = cd_root_open(&root, problems, cd->root);

	if (code == 0)
		code = recover_at(&recovered, cd, problems, &root, request, false);
	cd_root_close(&root);
	return code;
}

/* Whoever may not look cannot say that there is nothing to recover. */
static int may_look(struct certdeploy_result *result, const struct cd_root *root)
{
	struct cd_state state;
	int code = cd_state_open(&state, &result->problems, root, result->cd->settings.state, false);

	if (code == 0)
		cd_state_close(&state);
	return code == CERTDEPLOY_ENOTFOUND ? 0 : code;
}

static int recover(struct certdeploy_result *result, const struct cd_root *root,
		   const struct certdeploy_request *request)
{
	int recovered = 0;
	int code = recover_at(&recovered, result->cd, &result->problems, root, request, true);

	result->changed = recovered != 0;
	if (code == 0 && recovered == 3)
		return cd_fail(
			&result->problems, CERTDEPLOY_EBROKEN, "changed-since", NULL, 0,
			_("files that somebody has changed since need a look: they were not put back"));
	/* That there is nothing to recover cannot be said of a state that may lie elsewhere. */
	if (code == 0 && recovered == 0 && result->cd->broken != 0)
		return cd_broken(result);
	return code == 0 && recovered == 0 ? may_look(result, root) : code;
}

int certdeploy_recover(struct certdeploy_result **out, struct certdeploy *cd,
		       const struct certdeploy_request *request)
{
	return with_root(out, cd, request, recover, NEEDS_STATE);
}

/* ---- history ---- */

static int history(struct certdeploy_result *result, const struct cd_root *root,
		   const struct certdeploy_request *request)
{
	(void)request;
	return cd_history_list(&result->history, &result->problems, root, result->cd->settings.state);
}

int certdeploy_history(struct certdeploy_result **out, struct certdeploy *cd,
		       const struct certdeploy_request *request)
{
	return with_root(out, cd, request, history, NEEDS_STATE);
}

static int show(struct certdeploy_result *result, const struct cd_root *root,
		const struct certdeploy_request *request)
{
	const struct certdeploy_transaction_report *report = NULL;
	int code = cd_history_show(&report, &result->files, &result->problems, root,
				   result->cd->settings.state,
				   cd_request_value(request, CERTDEPLOY_TRANSACTION));

	if (code != 0)
		return code;
	result->transaction = report->id;
	return cd_vector_add(&result->history, report) == 0 ? 0 : cd_fail_memory(&result->problems);
}

int certdeploy_show(struct certdeploy_result **out, struct certdeploy *cd,
		    const struct certdeploy_request *request)
{
	return with_root(out, cd, request, show, NEEDS_STATE);
}

static int diff(struct certdeploy_result *result, const struct cd_root *root,
		const struct certdeploy_request *request)
{
	int code = show(result, root, request);

	if (code == 0)
		code = cd_history_diff(&result->diff, &result->problems, root, result->cd->settings.state,
				       result->transaction);
	return code;
}

int certdeploy_diff(struct certdeploy_result **out, struct certdeploy *cd,
		    const struct certdeploy_request *request)
{
	return with_root(out, cd, request, diff, NEEDS_STATE);
}

static int prune(struct certdeploy_result *result, const struct cd_root *root,
		 const struct certdeploy_request *request)
{
	const struct cd_settings *settings = &result->cd->settings;

	return cd_history_prune(&result->changed, &result->problems, root, settings->state,
				(unsigned)cd_request_flag(request, CERTDEPLOY_KEEP, (long)settings->keep),
				cd_request_flag(request, CERTDEPLOY_OLDER, 0),
				(unsigned)cd_request_flag(request, CERTDEPLOY_WAIT, DEFAULT_WAIT));
}

int certdeploy_prune(struct certdeploy_result **out, struct certdeploy *cd,
		     const struct certdeploy_request *request)
{
	return with_root(out, cd, request, prune, NEEDS_SETTINGS);
}

/* ---- the way back ---- */

static int report_touched(struct certdeploy_result *result, const struct cd_transaction *transaction)
{
	static const struct certdeploy_endpoint_report *const none[] = {NULL};
	struct cd_arena *arena = &result->problems.arena;

	for (size_t i = 0; i < transaction->service_count; i++) {
		const struct cd_touched *touched = &transaction->services[i];
		struct certdeploy_service_report *report = cd_arena_alloc(arena, sizeof(*report));

		if (report == NULL || cd_vector_add(&result->services, report) != 0)
			return cd_fail_memory(&result->problems);
		report->name = cd_arena_string(arena, touched->control.name);
		report->adapter = cd_arena_string(arena, touched->control.adapter);
		report->action = touched->action == NULL ? "none" : touched->action;
		report->state = touched->state == NULL ? "unchanged" : touched->state;
		report->running = touched->was_running;
		report->endpoints = none;
		report->transaction = transaction->id[0] == '\0' ? NULL : result->transaction;
	}
	return 0;
}

/* What a rollback needs to know of the host, as far as its configurations can be read at all. */
struct going_back {
	struct certdeploy *cd;
	struct cd_problems ignored;
	struct cd_inventory inventory;
	struct cd_transaction transaction;
	struct cd_standing standing;
	unsigned seconds;
};

static bool is_read(void *user, const char *path)
{
	const struct going_back *back = user;

	return cd_inventory_reads(&back->inventory, path);
}

static int prove(void *user)
{
	struct going_back *back = user;

	return cd_standing_prove(&back->standing, back->cd, back->transaction.problems,
				 back->transaction.services, back->transaction.service_count,
				 back->seconds);
}

/* A port that serves nothing before the way back is not asked to do so after it. */
static int look_before(struct going_back *back)
{
	struct cd_transaction *transaction = &back->transaction;

	if (transaction->prove == NULL || !transaction->reload)
		return 0;
	for (size_t i = 0; i < transaction->service_count; i++)
		transaction->services[i].was_running =
			cd_control_running(&transaction->services[i].control, transaction->root);
	return cd_standing_before(&back->standing, back->cd, transaction->problems, transaction->services,
				  transaction->service_count);
}

/* Each server that is reloaded must live through it with what is put back. */
static int check_survival(struct going_back *back)
{
	const struct cd_transaction *transaction = &back->transaction;
	int result = 0;

	for (size_t i = 0; transaction->reload && result == 0 && i < transaction->service_count; i++) {
		const char *name = transaction->services[i].control.name;

		for (size_t j = 0; result == 0 && j < back->inventory.services.count; j++) {
			struct cd_seen *seen = back->inventory.services.items[j];

			if (strcmp(seen->service.name, name) == 0 && seen->read && seen->result == 0)
				result = cd_check_survival_back(transaction->problems, &back->inventory,
								seen, transaction->changes);
		}
	}
	return result;
}

static int undo(struct certdeploy_result *result, struct going_back *back,
		const struct certdeploy_request *request)
{
	struct cd_transaction *transaction = &back->transaction;
	struct cd_changes changes = {0};
	const char *id = cd_request_value(request, CERTDEPLOY_TRANSACTION);
	int code = cd_history_undo(&changes, &transaction->services, &transaction->service_count, &id,
				   &result->problems, transaction->root, transaction->state_directory,
				   cd_request_list(request, CERTDEPLOY_SERVICE),
				   cd_request_list(request, CERTDEPLOY_FILE),
				   cd_request_flag(request, CERTDEPLOY_FORCE, 0) != 0);

	/* cppcheck-suppress autoVariables ; until the end of this function */
	transaction->changes = &changes;
	if (code == 0 && result->cd->broken == 0)
		code = check_survival(back);
	if (code == 0)
		code = look_before(back);
	if (code == 0)
		code = cd_transaction_run(transaction);
	if (transaction->id[0] != '\0')
		result->transaction = cd_arena_string(&result->problems.arena, transaction->id);
	for (size_t i = 0; i < transaction->files.count; i++)
		if (cd_vector_add(&result->files, transaction->files.items[i]) != 0)
			code = CERTDEPLOY_ENOMEM;
	result->changed = code == 0 || code == CERTDEPLOY_EBROKEN;
	if (report_touched(result, transaction) != 0)
		code = CERTDEPLOY_ENOMEM;
	transaction->changes = NULL;
	cd_changes_free(&changes);
	return code;
}

static int carry_back(struct certdeploy_result *result, const struct cd_root *root,
		      const struct certdeploy_request *request)
{
	struct going_back back = {.cd = result->cd};
	bool verify = cd_request_flag(request, CERTDEPLOY_NO_VERIFY, 0) == 0;
	int code;

	back.seconds = (unsigned)cd_request_flag(request, CERTDEPLOY_VERIFY_TIMEOUT, PROOF_SECONDS);
	prepare(&back.transaction, result->cd, &result->problems, root, request, "rollback");
	/* The journal knows the servers; only their endpoints are not known without settings. */
	if (result->cd->broken == 0) {
		(void)cd_inventory_open_only(&back.inventory, result->cd, &back.ignored, request, NULL,
					     true);
		back.transaction.is_read = is_read;
		back.transaction.prove = verify ? prove : NULL;
	}
	back.transaction.user = &back;
	code = undo(result, &back, request);
	cd_transaction_free(&back.transaction);
	cd_standing_close(&back.standing);
	if (result->cd->broken == 0)
		cd_inventory_close(&back.inventory);
	cd_problems_free(&back.ignored);
	return code;
}

static int rollback(struct certdeploy_result *result, const struct cd_root *root,
		    const struct certdeploy_request *request)
{
	int recovered, code;

	code = recover_at(&recovered, result->cd, &result->problems, root, request, true);
	/* Putting back an interrupted run is what was asked for, unless one was named. */
	if (code != 0 || ((recovered == 1 || recovered == 3) &&
			  cd_request_value(request, CERTDEPLOY_TRANSACTION) == NULL)) {
		result->changed = recovered == 1 || recovered == 3;
		return code;
	}
	return carry_back(result, root, request);
}

int certdeploy_rollback(struct certdeploy_result **out, struct certdeploy *cd,
			const struct certdeploy_request *request)
{
	return with_root(out, cd, request, rollback, NEEDS_STATE);
}

/* ---- adapters ---- */

int certdeploy_adapters(struct certdeploy_result **out, struct certdeploy *cd,
			const struct certdeploy_request *request)
{
	struct certdeploy_result *result;
	struct cd_adapters adapters;
	int code = cd_result_begin(&result, out, cd);

	(void)request;
	if (code != 0)
		return code;
	code = cd_adapters_open(&adapters, &result->problems);
	for (size_t i = 0; code == 0 && i < adapters.list.count; i++) {
		const struct cd_adapter_entry *entry = adapters.list.items[i];
		struct certdeploy_adapter_report *report =
			cd_arena_alloc(&result->problems.arena, sizeof(*report));

		if (report == NULL || cd_vector_add(&result->adapters, report) != 0) {
			code = cd_fail_memory(&result->problems);
			break;
		}
		report->name = cd_arena_string(&result->problems.arena, entry->adapter->name);
		report->summary = cd_arena_string(&result->problems.arena, entry->adapter->summary);
		report->file = cd_arena_string(&result->problems.arena, entry->file);
	}
	cd_adapters_close(&adapters);
	return cd_result_end(out, result, code);
}
