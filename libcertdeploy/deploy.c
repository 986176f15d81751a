/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* deploy.c - the flow: certificate, inventory, plan, transaction, proof, verdict */
#include "change/transaction.h"
#include "plan.h"
#include "proof/proof.h"
#include "proof/survival.h"
#include "report.h"

#include "base/process.h"
#include "base/text.h"

#include <string.h>

#define DEFAULT_WAIT 30
#define KEYS_REPORTED 100 /* certificates of one plan */

/* ---- reports ---- */

static int report_certificates(struct certdeploy_result *result, const struct cd_plan *plan)
{
	int code = 0;

	for (size_t i = 0; i < plan->orders.count; i++) {
		const struct cd_planned_order *order = plan->orders.items[i];

		for (size_t j = 0; code == 0 && j < order->certificates.list.count; j++) {
			const struct cd_certificate *certificate = order->certificates.list.items[j];

			if (certificate->report != NULL)
				code = cd_report_certificate(result, certificate->report, order->name);
		}
	}
	return code;
}

static void report_served(struct certdeploy_result *result, struct certdeploy_endpoint_report *report,
			  const struct cd_planned_endpoint *endpoint, const struct cd_proof *proof)
{
	size_t verified = 0;

	for (size_t i = 0; i < endpoint->looks; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what it counts has been put there */
		const struct cd_proof_item *item = proof->items.items[endpoint->first_look + i];

		verified += item->verified ? 1 : 0;
		if (item->after[0] == '\0')
			continue;
		report->served_sha256 = cd_arena_string(&result->problems.arena, item->after);
		report->served_not_after = item->after_until;
	}
	report->verified = endpoint->looks != 0 && verified == endpoint->looks;
}

/* The targeted endpoints of one service, as the plan makes them. */
static int report_endpoints(struct certdeploy_result *result, struct certdeploy_service_report *service,
			    struct cd_planned *planned, const struct cd_proof *proof)
{
	struct cd_vector list = {0};
	int code = 0;

	for (size_t i = 0; code == 0 && i < planned->endpoint_count; i++) {
		const struct cd_planned_endpoint *endpoint = &planned->endpoints[i];
		struct certdeploy_endpoint_report *report;

		if (!endpoint->targeted)
			continue;
		report = cd_report_endpoint(result, endpoint->after, &planned->after);
		if (report == NULL || cd_vector_add(&list, report) != 0) {
			code = cd_fail_memory(&result->problems);
			break;
		}
		report->targeted = true;
		report_served(result, report, endpoint, proof);
	}
	if (code == 0)
		code = cd_report_set_endpoints(result, service, &list);
	cd_vector_free(&list);
	return code;
}

static int report_services(struct certdeploy_result *result, struct cd_plan *plan,
			   const struct cd_proof *proof, const struct cd_transaction *transaction)
{
	bool restart = cd_request_flag(plan->request, CERTDEPLOY_RESTART, 0) != 0;
	size_t at = 0;
	int code = 0;

	for (size_t i = 0; code == 0 && i < plan->services.count; i++) {
		struct cd_planned *planned = plan->services.items[i];
		struct certdeploy_service_report *service = cd_report_service(result, planned->seen);

		if (service == NULL)
			return CERTDEPLOY_ENOMEM;
		code = report_endpoints(result, service, planned, proof);
		if (!planned->touched)
			continue;
		if (transaction == NULL) {
			service->state = "planned";
			service->action = planned->seen->running != 1 ? "none"
					  : restart                   ? "restart"
								      : "reload";
			continue;
		}
		service->state = transaction->services[at].state;
		service->action = transaction->services[at].action;
		service->transaction = result->transaction;
		at++;
	}
	return code;
}

/* As its diff, and what carries it out, names it: a file is edited where it lies, not at a link to it. */
static const char *path_of(const struct cd_plan *plan, const struct cd_change *change)
{
	const struct cd_file_edit *edit = cd_table_get(&plan->edits.by_path, change->path);

	return edit == NULL || edit->real == NULL ? change->path : edit->real;
}

/* As the deployment reports them, which says nothing of directories that it makes. */
static int report_planned_files(struct certdeploy_result *result, const struct cd_plan *plan)
{
	static const char *const words[] = {"edited", "replaced", "created", "removed"};
	int code = 0;

	for (size_t i = 0; code == 0 && i < plan->changes.list.count; i++) {
		const struct cd_change *change = plan->changes.list.items[i];
		size_t word = change->kind == CD_CHANGE_REMOVE ? 3
			      : change->kind == CD_CHANGE_LINK ? (change->before.exists ? 1 : 2)
			      : change->service == NULL        ? (change->before.exists ? 1 : 2)
			      : change->before.exists          ? 0
							       : 2;

		if (change->kind != CD_CHANGE_DIRECTORY)
			code = cd_report_file(result, path_of(plan, change), words[word], NULL,
					      change->service);
	}
	return code;
}

/* ---- the transaction ---- */

struct carrying {
	struct cd_plan *plan;
	struct cd_proof proof;
	struct cd_transaction transaction;
	const char *const *names;
};

static bool is_read(void *user, const char *path)
{
	const struct carrying *carrying = user;

	return cd_inventory_reads(&carrying->plan->inventory, path);
}

/* What says nothing new after the reload may be paused, may have lost its ports, or not have been told. */
static void ask_for_restarts(struct carrying *carrying)
{
	struct cd_plan *plan = carrying->plan;
	struct cd_touched *touched = carrying->transaction.services;

	for (size_t i = 0; i < plan->services.count; i++) {
		const struct cd_planned *planned = plan->services.items[i];

		if (planned->touched)
			touched++->restart = planned->seen->daemon.pauses_when_broken &&
					     cd_proof_is_stuck(&carrying->proof, planned);
	}
}

static int prove(void *user)
{
	struct carrying *carrying = user;
	int result = cd_proof_after(&carrying->proof);

	if (result == CERTDEPLOY_EFAILED)
		ask_for_restarts(carrying);
	return result;
}

static int prove_old(void *user)
{
	struct carrying *carrying = user;

	return cd_proof_restored(&carrying->proof);
}

static int step(void *user, const char *what, size_t done, size_t total)
{
	const struct carrying *carrying = user;

	return cd_progress(carrying->plan->cd, carrying->plan->problems, what, done, total);
}

static int collect_touched(struct carrying *carrying)
{
	struct cd_plan *plan = carrying->plan;
	struct cd_transaction *transaction = &carrying->transaction;

	transaction->services =
		cd_arena_array(&plan->arena, plan->services.count + 1, sizeof(*transaction->services));
	if (transaction->services == NULL)
		return cd_fail_memory(plan->problems);
	for (size_t i = 0; i < plan->services.count; i++) {
		const struct cd_planned *planned = plan->services.items[i];
		struct cd_touched *touched = &transaction->services[transaction->service_count];

		if (!planned->touched)
			continue;
		*touched = (struct cd_touched){.control = planned->seen->control,
					       .restart = planned->seen->daemon.pauses_when_broken &&
							  cd_proof_is_silent(&carrying->proof, planned),
					       .action = "none",
					       .state = "unchanged"};
		transaction->service_count++;
	}
	return 0;
}

static int prepare(struct carrying *carrying, const struct certdeploy_request *request)
{
	struct cd_plan *plan = carrying->plan;
	bool live = plan->inventory.host.root.live;
	bool reload = live && cd_request_flag(request, CERTDEPLOY_NO_RELOAD, 0) == 0;
	bool verify = reload && cd_request_flag(request, CERTDEPLOY_NO_VERIFY, 0) == 0;
	const char **names = cd_arena_array(&plan->arena, plan->orders.count + 1, sizeof(*names));
	size_t count = 0;

	if (names == NULL)
		return cd_fail_memory(plan->problems);
	for (size_t i = 0; i < plan->orders.count; i++) {
		const struct cd_planned_order *order = plan->orders.items[i];

		if (order->head == NULL && order->materials != NULL && order->name != NULL)
			names[count++] = order->name;
	}
	carrying->names = (const char *const *)names;
	carrying->transaction = (struct cd_transaction){
		.root = &plan->inventory.host.root,
		.problems = plan->problems,
		.state_directory = plan->cd->settings.state,
		.changes = &plan->changes,
		.command = "deploy",
		.certificates = carrying->names,
		.test = live && cd_request_flag(request, CERTDEPLOY_NO_TEST, 0) == 0,
		.reload = reload,
		.restart = cd_request_flag(request, CERTDEPLOY_RESTART, 0) != 0,
		.backup_beside = plan->cd->settings.backup_beside,
		.syslog = plan->cd->settings.syslog ? CD_SYSLOG : NULL,
		.keep = plan->cd->settings.keep,
		.watch = plan->cd->settings.watch,
		.wait = (unsigned)cd_request_flag(request, CERTDEPLOY_WAIT, DEFAULT_WAIT),
		.is_read = is_read,
		.prove = verify ? prove : NULL,
		.prove_old = verify ? prove_old : NULL,
		.progress = step,
		.user = carrying,
	};
	/* Where nothing changes, a server may still serve what was there before. */
	return verify ? cd_proof_prepare(&carrying->proof, plan, true) : 0;
}

static bool mark_stale(const struct cd_proof *proof, const struct cd_plan *plan)
{
	bool any = false;

	for (size_t i = 0; i < plan->services.count; i++) {
		struct cd_planned *planned = plan->services.items[i];

		if (!planned->touched && cd_proof_is_stale(proof, planned))
			planned->touched = true;
		any = any || planned->touched;
	}
	return any;
}

/* A configuration that is broken before anything is changed must not be found out by changing it. */
static int test_first(const struct carrying *carrying)
{
	const struct cd_plan *plan = carrying->plan;
	int result = 0;

	for (size_t i = 0; result == 0 && carrying->transaction.test && i < plan->services.count; i++) {
		const struct cd_planned *planned = plan->services.items[i];
		struct cd_problems said = {.catalogue = plan->problems->catalogue};

		/* What was rehearsed has been judged as it stands. */
		if (!planned->touched ||
		    (planned->seen->service.adapter->rehearse != NULL && plan->edits.files.count != 0))
			continue;
		result = cd_control_test(&planned->seen->control, &said);
		plan->problems->service =
			cd_arena_string(&plan->problems->arena, planned->seen->service.name);
		if (result == CERTDEPLOY_ENOMEM)
			result = cd_fail_memory(plan->problems);
		else if (result != 0)
			result = cd_fail(plan->problems, CERTDEPLOY_EREFUSED, "config-syntax",
					 cd_service_get(&planned->seen->service, "config"), 0,
					 _("%s refuses the configuration as it stands: %s"),
					 planned->seen->control.test[0],
					 cd_problems_error(&said, 0)->message);
		plan->problems->service = NULL;
		cd_problems_free(&said);
	}
	return result;
}

static int check_survival(const struct carrying *carrying)
{
	struct cd_plan *plan = carrying->plan;
	int result = 0;

	for (size_t i = 0; result == 0 && carrying->transaction.reload && i < plan->services.count; i++) {
		const struct cd_planned *planned = plan->services.items[i];

		plan->problems->service =
			cd_arena_string(&plan->problems->arena, planned->seen->service.name);
		if (planned->touched)
			result = cd_check_survival(plan, planned);
		plan->problems->service = NULL;
	}
	return result;
}

/* Looks at the ports, decides whether there is anything to do, and does it. */
static int carry_out(struct carrying *carrying, bool *done)
{
	struct cd_transaction *transaction = &carrying->transaction;
	int result = transaction->prove == NULL ? 0 : cd_proof_before(&carrying->proof);

	*done = false;
	if (result != 0)
		return result;
	if (!mark_stale(&carrying->proof, carrying->plan) && cd_plan_is_empty(carrying->plan))
		return 0;
	result = test_first(carrying);
	if (result == 0)
		result = check_survival(carrying);
	if (result == 0)
		result = collect_touched(carrying);
	if (result != 0)
		return result;
	*done = true;
	return cd_transaction_run(transaction);
}

static int report_deployed(struct certdeploy_result *result, struct carrying *carrying, int code)
{
	struct cd_transaction *transaction = &carrying->transaction;
	int reported = 0;

	result->transaction = cd_arena_string(&result->problems.arena,
					      transaction->id[0] == '\0' ? NULL : transaction->id);
	result->changed = code == 0 || code == CERTDEPLOY_EBROKEN;
	for (size_t i = 0; reported == 0 && i < transaction->files.count; i++)
		reported = cd_vector_add(&result->files, transaction->files.items[i]);
	return reported;
}

/* ---- the operations ---- */

/* After the diffs of services that were deployed before, where each stands alone. */
static int copy_diff(struct certdeploy_result *result, const struct cd_plan *plan)
{
	const char *before = result->diff == NULL ? "" : result->diff;

	result->diff =
		cd_arena_format(&result->problems.arena, "%s%s", before, cd_buffer_text(&plan->diff));
	return result->diff == NULL ? cd_fail_memory(&result->problems) : 0;
}

/* What can be told of a plan, even of one that was refused half-way. */
static int report_plan(struct certdeploy_result *result, struct cd_plan *plan, int code)
{
	int reported = report_certificates(result, plan);

	if (reported == 0)
		reported = copy_diff(result, plan);
	return code == 0 ? reported : code;
}

/*
 * Say of a renewed certificate whether its key is a new one. Only in a plan, where there is time to
 * publish a TLSA record, and not for thousands, of whom nobody reads it.
 */
static int report_keys(struct certdeploy_result *result, struct cd_plan *plan)
{
	int code = 0;

	for (size_t i = 0; code == 0 && plan->orders.count <= KEYS_REPORTED && i < plan->orders.count;
	     i++) {
		const struct cd_planned_order *order = plan->orders.items[i];
		struct cd_vector installed = {0};

		if (order->result == 0 && order->name != NULL)
			code = cd_store_describe(&installed, &plan->inventory.host,
						 plan->cd->settings.store, order->name);
		for (size_t j = 0; code == 0 && j < order->certificates.list.count; j++) {
			const struct cd_certificate *fresh = order->certificates.list.items[j];

			for (size_t k = 0; k < installed.count; k++) {
				const struct certdeploy_certificate_report *old = installed.items[k];

				if (strcmp(old->key_type, fresh->key_type) == 0 &&
				    strcmp(old->public_key_sha256, fresh->report->public_key_sha256) != 0)
					cd_problem(&result->problems, CERTDEPLOY_NOTICE, "key-changed",
						   NULL, 0,
						   _("the new certificate of %s has another key than the "
						     "installed one"),
						   order->name);
			}
		}
		cd_vector_free(&installed);
	}
	return code;
}

static bool plan_reads(void *user, const char *path)
{
	const struct cd_plan *plan = user;

	return cd_inventory_reads(&plan->inventory, path);
}

/* What the transaction would refuse is refused by the plan; what its user may not see is not judged. */
static int look_at_places(struct cd_plan *plan)
{
	struct cd_transaction transaction = {
		.root = &plan->inventory.host.root,
		.problems = plan->problems,
		.state_directory = plan->cd->settings.state,
		.changes = &plan->changes,
		.is_read = plan_reads,
		.user = plan,
	};
	size_t before = plan->problems->list.count;
	int result = cd_transaction_look(&transaction);

	cd_transaction_free(&transaction);
	if (result == CERTDEPLOY_EPERMISSION) {
		cd_problems_soften(plan->problems, before);
		result = 0;
	}
	return result;
}

int certdeploy_plan(struct certdeploy_result **out, struct certdeploy *cd,
		    const struct certdeploy_request *request)
{
	struct certdeploy_result *result;
	struct cd_proof nothing = {0};
	struct cd_plan plan;
	int code = cd_result_begin(&result, out, cd);

	if (code != 0)
		return code;
	if (cd->broken != 0)
		return cd_result_end(out, result, cd_broken(result));
	cd_request_look(request, &result->problems);
	code = cd_plan_make(&plan, cd, &result->problems, request);
	if (code == 0)
		code = look_at_places(&plan);
	code = report_plan(result, &plan, code);
	if (code == 0)
		code = report_keys(result, &plan);
	if (code == 0)
		code = report_services(result, &plan, &nothing, NULL);
	if (code == 0)
		code = report_planned_files(result, &plan);
	result->changed = code == 0 && !cd_plan_is_empty(&plan);
	if (code == 0 && plan.left_out != 0)
		code = CERTDEPLOY_EPARTIAL;
	cd_plan_close(&plan);
	return cd_result_end(out, result, code);
}

static int64_t last_run(const struct certdeploy *cd)
{
	struct cd_problems ignored = {0};
	struct cd_root root;
	int64_t moment = cd_root_open(&root, &ignored, cd->root) == 0
				 ? cd_transaction_moment(&root, cd->settings.state)
				 : 0;

	cd_root_close(&root);
	cd_problems_free(&ignored);
	return moment;
}

/* One plan, one transaction. *again: it came too late, and nothing was done or reported. */
static int deploy_once(struct certdeploy_result *result, const struct certdeploy_request *request,
		       const char *const *only, bool *again)
{
	int64_t begun = last_run(result->cd);
	struct carrying carrying = {0};
	struct cd_plan plan;
	bool done = false;
	int code = cd_plan_make_for(&plan, result->cd, &result->problems, request, only);

	carrying.plan = &plan;
	if (code == 0)
		code = prepare(&carrying, request);
	if (code == 0)
		code = carry_out(&carrying, &done);
	/* That nothing was to be done may be true only of what another run was about to put back. */
	if (code == 0 && !done)
		*again = begun == -1 || last_run(result->cd) != begun;
	else
		*again = *again && done && carrying.transaction.stale;
	if (*again)
		goto out;
	code = report_plan(result, &plan, code);
	if (done)
		code = report_deployed(result, &carrying, code) == 0 ? code : CERTDEPLOY_ENOMEM;
	if (report_services(result, &plan, &carrying.proof, done ? &carrying.transaction : NULL) != 0)
		code = code == 0 ? CERTDEPLOY_ENOMEM : code;
	if (code == 0 && plan.left_out != 0)
		code = CERTDEPLOY_EPARTIAL;
out:
	cd_proof_free(&carrying.proof);
	cd_transaction_free(&carrying.transaction);
	cd_plan_close(&plan);
	return code;
}

/*
 * Another run, or a person, may change the files between the plan and its turn: then it starts over, for as
 * long as it would have waited. only: these services (NULL: all).
 */
static int deploy(struct certdeploy_result *result, const struct certdeploy_request *request,
		  const char *const *only)
{
	int64_t end = cd_now_ms() + 1000 * cd_request_flag(request, CERTDEPLOY_WAIT, DEFAULT_WAIT);
	size_t problems = result->problems.list.count;
	bool again = false;
	int code;

	do {
		result->problems.list.count = problems;
		code = again ? cd_recover_first(result->cd, &result->problems, request) : 0;
		again = code == 0 && cd_now_ms() < end;
		if (code == 0)
			code = deploy_once(result, request, only, &again);
	} while (again);
	return code;
}

/* A service without the target has nothing to fail at, while another has it. */
static bool has_no_endpoint(const struct cd_problems *problems, size_t from)
{
	const struct certdeploy_problem *error = cd_problems_error(problems, from);

	return error != NULL && strcmp(error->code, "no-endpoint") == 0;
}

struct tally {
	size_t done;
	int failed; /* the first service's code that is not 0 */
};

static int deploy_alone(struct certdeploy_result *result, const struct certdeploy_request *request,
			const char *service, struct tally *tally)
{
	const char *const only[] = {service, NULL};
	size_t from = result->problems.list.count;
	int code = deploy(result, request, only);

	if (code == CERTDEPLOY_EREFUSED && has_no_endpoint(&result->problems, from))
		cd_problems_soften(&result->problems, from);
	else if (code == 0 || code == CERTDEPLOY_EPARTIAL)
		tally->done++;
	if (code != 0 && cd_problems_failed(&result->problems, from) && tally->failed == 0)
		tally->failed = code;
	return code == CERTDEPLOY_ENOMEM || code == CERTDEPLOY_ECANCELLED || code == CERTDEPLOY_ELOCKED
		       ? code
		       : 0;
}

/* --keep-going: each service is a transaction of its own. */
static int deploy_each(struct certdeploy_result *result, const struct certdeploy_request *request)
{
	struct cd_inventory inventory;
	struct tally tally = {0};
	const char *transaction = NULL; /* the last that changed something */
	int code = cd_inventory_open(&inventory, result->cd, &result->problems, request, false);

	if (code == 0 && inventory.services.count == 0)
		code = cd_fail(&result->problems, CERTDEPLOY_EREFUSED, "no-service", NULL, 0,
			       _("no server that certdeploy knows was found on this host"));
	for (size_t i = 0; code == 0 && i < inventory.services.count; i++) {
		const struct cd_seen *seen = inventory.services.items[i];

		result->changed = false;
		code = deploy_alone(result, request, seen->service.name, &tally);
		transaction = result->changed ? result->transaction : transaction;
	}
	cd_inventory_close(&inventory);
	result->changed = transaction != NULL;
	if (result->changed)
		result->transaction = transaction;
	if (code != 0)
		return code;
	if (tally.done == 0)
		return tally.failed != 0 ? tally.failed : CERTDEPLOY_EREFUSED;
	return tally.failed == 0 ? 0 : CERTDEPLOY_EPARTIAL;
}

int certdeploy_deploy(struct certdeploy_result **out, struct certdeploy *cd,
		      const struct certdeploy_request *request)
{
	struct certdeploy_result *result;
	bool alone = cd_request_flag(request, CERTDEPLOY_KEEP_GOING, 0) != 0;
	int code = cd_result_begin(&result, out, cd);

	if (code != 0)
		return code;
	if (cd->broken != 0)
		return cd_result_end(out, result, cd_broken(result));
	cd_request_look(request, &result->problems);
	code = cd_recover_first(cd, &result->problems, request);
	if (code == 0)
		code = alone ? deploy_each(result, request)
			     : deploy(result, request, cd_request_list(request, CERTDEPLOY_SERVICE));
	return cd_result_end(out, result, code);
}
