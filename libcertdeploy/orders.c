/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* orders.c - which certificates are to go where: asked for or remembered, loaded, checked, stored */
#include "plan-steps.h"

#include "base/text.h"
#include "certificate/deployment.h"
#include "loading.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct cd_planned_order *add_order(struct cd_plan *plan, const struct cd_order *order)
{
	struct cd_planned_order *planned = cd_arena_alloc(&plan->arena, sizeof(*planned));

	if (planned == NULL || cd_vector_add(&plan->orders, planned) != 0)
		return NULL;
	planned->order = planned->target = order;
	return planned;
}

/* A remembered deployment instead of an order, or into the target of one that names it. */
static int recall(struct cd_plan *plan, const char *name)
{
	struct cd_planned_order *planned = add_order(plan, NULL);
	int result;

	if (planned == NULL)
		return cd_fail_memory(plan->problems);
	planned->recalled = calloc(1, sizeof(*planned->recalled));
	if (planned->recalled == NULL)
		return cd_fail_memory(plan->problems);
	planned->order = planned->target = planned->recalled;
	result = cd_deployment_recall(planned->recalled, &plan->arena, &plan->inventory.host,
				      plan->cd->settings.state, name);
	if (result == 0)
		return 0;
	plan->orders.count--;
	cd_order_free(planned->recalled);
	return result;
}

static struct cd_planned_order *last_order(const struct cd_plan *plan)
{
	return plan->orders.items[plan->orders.count - 1];
}

static int recall_all(struct cd_plan *plan)
{
	const char *const *names = NULL;
	int result = cd_deployment_names(&names, &plan->inventory.host, plan->cd->settings.state);

	for (; result == 0 && *names != NULL; names++) {
		result = recall(plan, *names);
		if (result == 0)
			last_order(plan)->yields = true;
		else if (result == CERTDEPLOY_ENOTFOUND)
			result = 0; /* taken away since its name was read */
	}
	if (result == 0 && plan->orders.count == 0)
		result = cd_fail(
			plan->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			_("no certificate was given (--cert, --key, --chain, or --name), and none is "
			  "remembered"));
	return result;
}

/* New material for a name that is remembered, without a target of its own: it goes where the last went. */
static int recall_target(struct cd_plan *plan, struct cd_planned_order *planned, const char *name)
{
	int result;

	planned->recalled = calloc(1, sizeof(*planned->recalled));
	if (planned->recalled == NULL)
		return cd_fail_memory(plan->problems);
	result = cd_deployment_recall(planned->recalled, &plan->arena, &plan->inventory.host,
				      plan->cd->settings.state, name);
	if (result == 0) {
		planned->target = planned->recalled;
		planned->yields = true;
	} else if (result == CERTDEPLOY_ENOTFOUND) {
		cd_order_free(planned->recalled);
		planned->recalled = NULL;
		result = 0;
	}
	return result;
}

bool cd_order_has_target(const struct cd_order *order)
{
	struct cd_target target;

	cd_target_of_order(&target, order);
	return !cd_target_is_empty(&target);
}

/* An order of the request. */
static struct cd_planned_order *add_asked(struct cd_plan *plan, size_t i)
{
	const struct cd_vector *orders = &plan->request->orders;
	struct cd_planned_order *planned = add_order(plan, orders->items[i]);

	if (planned != NULL)
		planned->position = orders->count > 1 ? i + 1 : 0;
	else
		(void)cd_fail_memory(plan->problems);
	return planned;
}

/* Of what is remembered each has a target and paths of its own: others are not left aside in silence. */
static int recall_for(struct cd_plan *plan, const struct cd_order *order)
{
	static const enum certdeploy_list_option places[] = {
		CERTDEPLOY_INSTALL_CERT, CERTDEPLOY_INSTALL_KEY, CERTDEPLOY_INSTALL_CHAIN,
		CERTDEPLOY_INSTALL_FULLCHAIN, CERTDEPLOY_PERMISSIONS};
	bool placed = cd_order_has_target(order);

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		placed = placed || cd_order_value(order, places[i]) != NULL;
	if (plan->request->orders.count > 1)
		return cd_fail(plan->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("one of the certificates is neither given nor named"));
	if (placed)
		return cd_fail(plan->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("a place was named, but no certificate to go there (--cert, --key, "
				 "--chain, or --name)"));
	return recall_all(plan);
}

int cd_plan_collect(struct cd_plan *plan)
{
	const struct cd_vector *orders = plan->request == NULL ? NULL : &plan->request->orders;
	int result = orders == NULL ? recall_all(plan) : 0;

	for (size_t i = 0; result == 0 && orders != NULL && i < orders->count; i++) {
		const struct cd_order *order = orders->items[i];
		const char *name = cd_order_value(order, CERTDEPLOY_NAME);
		struct cd_planned_order *planned;

		if (order->failure != NULL) {
			result = add_asked(plan, i) == NULL ? CERTDEPLOY_ENOMEM : 0;
			continue;
		}
		if (order->pieces.count == 0 && name == NULL) {
			result = recall_for(plan, order);
			continue;
		}
		if (order->pieces.count == 0 && !cd_order_has_target(order) &&
		    cd_store_name_is_valid(name)) {
			result = recall(plan, name);
			if (result != CERTDEPLOY_ENOTFOUND)
				continue;
		}
		planned = add_asked(plan, i);
		if (planned == NULL)
			result = CERTDEPLOY_ENOMEM;
		else if (name != NULL && !cd_order_has_target(order) && cd_store_name_is_valid(name))
			result = recall_target(plan, planned, name);
		else
			result = 0;
	}
	return result == 0 ? cd_plan_join(plan) : result;
}

/* ---- the certificate ---- */

/* From the order, or from the store when only its name is given. */
static int load_certificates(struct cd_plan *plan, struct cd_planned_order *planned)
{
	const char *name = cd_order_value(planned->order, CERTDEPLOY_NAME);
	size_t from = plan->problems->list.count;
	struct cd_loading loading;
	int result = CERTDEPLOY_ENOTFOUND;

	cd_loading_begin(&loading, plan->cd, &plan->inventory.host, plan->request);
	loading.load.need_key = true;
	loading.load.loads = &plan->loads;
	if (planned->order->pieces.count != 0) {
		result = cd_loading_give(&loading, &planned->order->pieces);
		if (result == 0)
			result = cd_loading_read(&planned->certificates, &loading, name);
	}
	if (result == CERTDEPLOY_ENOMEM ||
	    (result != 0 && planned->order != planned->recalled && planned->order->pieces.count != 0))
		return result;
	if (result != 0) {
		/* The issuer's files are gone or unusable: what was deployed last still stands. */
		cd_problems_soften(plan->problems, from);
		cd_certificates_free(&planned->certificates);
		planned->certificates = (struct cd_certificates){0};
		result = cd_store_load(&planned->certificates, &plan->inventory.host,
				       plan->cd->settings.store, name, &loading.load);
	}
	return result;
}

static const char *const *certificate_names(struct cd_plan *plan, const struct cd_planned_order *planned)
{
	struct cd_vector names = {0};
	const char *const *list = NULL;
	int result = 0;

	for (size_t i = 0; result == 0 && i < planned->certificates.list.count; i++) {
		const struct cd_certificate *certificate = planned->certificates.list.items[i];

		for (size_t j = 0; result == 0 && certificate->names[j] != NULL; j++)
			result = cd_vector_add(&names, certificate->names[j]);
	}
	if (result == 0)
		list = cd_arena_list(&plan->arena, names.count == 0 ? (const char *const[]){NULL}
								    : (const char *const *)names.items);
	cd_vector_free(&names);
	return list;
}

/* ---- where it goes ---- */

/* Whether the caller chose paths: then it has no place in the store. */
static bool chosen_paths(struct certdeploy_paths *paths, const struct cd_order *order)
{
	*paths = (struct certdeploy_paths){
		.certificate = cd_order_value(order, CERTDEPLOY_INSTALL_CERT),
		.key = cd_order_value(order, CERTDEPLOY_INSTALL_KEY),
		.chain = cd_order_value(order, CERTDEPLOY_INSTALL_CHAIN),
		.fullchain = cd_order_value(order, CERTDEPLOY_INSTALL_FULLCHAIN),
	};
	return paths->certificate != NULL || paths->key != NULL || paths->chain != NULL ||
	       paths->fullchain != NULL;
}

/* Its name in the store. */
static int choose_name(struct cd_plan *plan, struct cd_planned_order *planned)
{
	const char *name = cd_order_value(planned->order, CERTDEPLOY_NAME);
	struct certdeploy_paths chosen;

	if (chosen_paths(&chosen, planned->order))
		return 0;
	if (name == NULL) {
		name = cd_certificate_store_name(&plan->arena, planned->certificates.list.items[0]);
		if (name == NULL)
			return cd_fail(
				plan->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
				_("the certificate has no name to be stored by; give one with --name"));
	} else if (!cd_store_name_is_valid(name)) {
		return cd_fail(plan->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("\"%s\" cannot be a name in the store"),
			       cd_safe(&plan->problems->arena, name));
	}
	planned->name = name;
	return 0;
}

/* Two certificates of one name would be in each other's place. */
static int take_name(struct cd_plan *plan, const struct cd_planned_order *planned)
{
	void **place = NULL;

	if (planned->name == NULL || plan->orders.count == 1)
		return 0;
	place = cd_table_place(&plan->names, planned->name, strlen(planned->name));
	if (place == NULL)
		return cd_fail_memory(plan->problems);
	/* Its own: another order of it was refused by the store. */
	if (*place != NULL && *place != planned)
		return cd_fail(plan->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("\"%s\" is the name of another certificate of this run; give one of them "
				 "another with --name"),
			       cd_safe(&plan->problems->arena, planned->name));
	*place = (void *)(uintptr_t)planned;
	return 0;
}

/* What a server would read as configuration ends its test, or worse. */
static int check_chosen(const struct cd_plan *plan, const struct certdeploy_paths *chosen)
{
	const char *const paths[] = {chosen->certificate, chosen->key, chosen->chain, chosen->fullchain};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (paths[i] != NULL && cd_inventory_reads(&plan->inventory, paths[i]))
			return cd_fail(plan->problems, CERTDEPLOY_EREFUSED, "unsafe-path",
				       cd_safe(&plan->problems->arena, paths[i]), 0,
				       _("a server would read this file as its configuration"));
	return 0;
}

static int plan_store(struct cd_plan *plan, struct cd_planned_order *planned)
{
	struct cd_store_request store = {
		.directory = plan->cd->settings.store,
		.name = planned->name,
		.certificates = &planned->certificates,
		.now = (int64_t)time(NULL),
		.keep = plan->cd->settings.keep,
		.accepted = plan->inventory.host.accepted,
		.permissions = plan->cd->settings.permissions,
		.asked = cd_order_list(planned->order, CERTDEPLOY_PERMISSIONS),
		.drop_other_types = cd_request_flag(plan->request, CERTDEPLOY_DROP_OTHER_TYPES, 0) != 0,
	};
	struct certdeploy_paths chosen;
	int result = take_name(plan, planned);

	if (chosen_paths(&chosen, planned->order)) {
		store.chosen = &chosen;
		if (result == 0)
			result = check_chosen(plan, &chosen);
	}
	if (result == 0)
		result = cd_store_plan(&planned->materials, &plan->changes, &plan->overlay,
				       &plan->inventory.host, &store);
	return result;
}

/* The services asked for hold for every order of the request. */
static const char *const *services_of(const struct cd_plan *plan, const struct cd_planned_order *planned)
{
	return planned->target == planned->recalled ? cd_order_list(planned->target, CERTDEPLOY_SERVICE)
						    : cd_request_list(plan->request, CERTDEPLOY_SERVICE);
}

/* What was found of an order: the last of those with the same certificate has them all remembered. */
static int remember(struct cd_plan *plan, struct cd_planned_order *head,
		    const struct cd_planned_order *planned, bool found)
{
	const struct cd_order *target = planned->target;
	int result = 0;

	if (head->name == NULL || cd_request_flag(plan->request, CERTDEPLOY_NO_REMEMBER, 0) != 0)
		return 0;
	if (head != planned || head->waiting != 0) {
		if (found && cd_plan_add_target(head, target) != 0)
			result = cd_fail_memory(plan->problems);
		target = head->whole;
		found = target != NULL;
	}
	if (result != 0 || !found || head->waiting != 0)
		return result;
	return cd_deployment_keep(&plan->changes, &plan->inventory.host, plan->cd->settings.state,
				  head->name, target, services_of(plan, planned), &head->order->pieces);
}

/* Where configurations name what is deployed: a directory of the store, or paths that were chosen. */
static int settle_place(struct cd_plan *plan, const struct cd_planned_order *planned,
			struct cd_target *target)
{
	(void)chosen_paths(&target->chosen, planned->order);
	if (planned->name == NULL)
		return 0;
	target->home =
		cd_arena_format(&plan->arena, "%s/%s/current/", plan->cd->settings.store, planned->name);
	return target->home == NULL ? cd_fail_memory(plan->problems) : 0;
}

static bool is_from_certbot(const struct cd_order *order)
{
	for (size_t i = 0; i < order->pieces.count; i++) {
		const struct cd_piece *piece = order->pieces.items[i];

		if (piece->file != NULL && strstr(piece->file, "/letsencrypt/live/") != NULL)
			return true;
	}
	return false;
}

static int load_order(struct cd_plan *plan, struct cd_planned_order *planned)
{
	const struct cd_order *order = planned->order;
	int result = order->failure != NULL ? order->result : load_certificates(plan, planned);

	if (order->failure != NULL)
		cd_problems_repeat(plan->problems, order->failure);
	if (result != 0)
		return result;
	planned->names = certificate_names(plan, planned);
	return planned->names == NULL ? cd_fail_memory(plan->problems) : choose_name(plan, planned);
}

/* The certificate in common. */
static int take_loaded(struct cd_plan *plan, struct cd_planned_order *head,
		       struct cd_planned_order *planned)
{
	if (head == planned)
		head->loaded = load_order(plan, head);
	else
		head->waiting--;
	planned->names = head->names;
	planned->name = head->name;
	return head->loaded;
}

/* A deployment that was replaced everywhere is no fault, but its certificate may go. */
static void tell_replaced(const struct cd_plan *plan, const struct cd_planned_order *planned)
{
	const struct cd_selection *selection = &planned->selection;

	if (selection->left_to != NULL && selection->count == 0)
		cd_problem(plan->problems, CERTDEPLOY_NOTICE, "keeps-own", NULL, 0,
			   _("what %s was deployed to has had the certificate of %s since, and keeps it"),
			   planned->name, selection->left_to);
}

static int plan_order(struct cd_plan *plan, struct cd_planned_order *planned, bool install_only)
{
	struct cd_planned_order *head = planned->head == NULL ? planned : planned->head;
	struct cd_target target;
	int result = take_loaded(plan, head, planned), kept;

	cd_target_of_order(&target, planned->target);
	target.services = services_of(plan, planned);
	target.names = planned->names;
	target.from_certbot = is_from_certbot(planned->order);
	target.yields = planned->yields;
	if (result == 0)
		result = settle_place(plan, planned, &target);
	if (result == 0 && !install_only)
		result = cd_target_select(&planned->selection, &plan->inventory, &target);
	if (result == 0)
		tell_replaced(plan, planned);
	if (result == 0 && head->materials == NULL)
		result = plan_store(plan, head);
	if (result == 0)
		planned->materials = head->materials;
	kept = remember(plan, head, planned, result == 0);
	if (head->waiting == 0)
		cd_certificates_let_go(&head->certificates);
	return result == 0 || kept == CERTDEPLOY_ENOMEM ? kept : result;
}

/* One bad certificate among many is left out, unless all or none are wanted. */
int cd_plan_orders(struct cd_plan *plan, bool install_only)
{
	bool strict = plan->orders.count == 1 ||
		      cd_request_flag(plan->request, CERTDEPLOY_ALL_OR_NOTHING, 0) != 0;
	size_t good = 0;
	int result = 0;

	for (size_t i = 0; result == 0 && i < plan->orders.count; i++) {
		struct cd_planned_order *planned = plan->orders.items[i];

		plan->problems->order = planned->position;
		planned->result = plan_order(plan, planned, install_only);
		plan->problems->order = 0;
		if (planned->result == CERTDEPLOY_ENOMEM || (strict && planned->result != 0))
			return planned->result;
		if (planned->result == 0)
			good++;
		else if (plan->left_out == 0)
			plan->left_out = planned->result;
		result = cd_progress(plan->cd, plan->problems, "plan", i + 1, plan->orders.count);
	}
	return result == 0 && good == 0 ? plan->left_out : result;
}

const struct cd_chosen *cd_planned_chosen(const struct cd_planned_order *order, size_t service)
{
	return service < order->selection.services.count ? order->selection.services.items[service] : NULL;
}
