/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan.c - everything that would be done, worked out by reading only */
#include "plan.h"

#include "base/text.h"
#include "certificate/deployment.h"
#include "change/diff.h"
#include "host/rehearsal.h"
#include "proof/running.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the orders ---- */

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

static int recall_all(struct cd_plan *plan)
{
	const char *const *names = NULL;
	int result = cd_deployment_names(&names, &plan->inventory.host, plan->cd->settings.state);

	if (result == 0 && names[0] == NULL)
		result = cd_fail(plan->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
				 _("no certificate was given (--cert, --key, --chain, or --name), and none is "
				   "remembered"));
	for (; result == 0 && *names != NULL; names++)
		result = recall(plan, *names);
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
	if (result == 0)
		planned->target = planned->recalled;
	return result == CERTDEPLOY_ENOTFOUND ? 0 : result;
}

static bool has_target(const struct cd_order *order)
{
	struct cd_target target;

	cd_target_of_order(&target, order);
	return !cd_target_is_empty(&target);
}

static int collect_orders(struct cd_plan *plan)
{
	const struct cd_vector *orders = plan->request == NULL ? NULL : &plan->request->orders;
	int result = orders == NULL ? recall_all(plan) : 0;

	for (size_t i = 0; result == 0 && orders != NULL && i < orders->count; i++) {
		const struct cd_order *order = orders->items[i];
		const char *name = cd_order_value(order, CERTDEPLOY_NAME);
		struct cd_planned_order *planned;

		if (order->pieces.count == 0 && name == NULL) {
			result = orders->count == 1 ? recall_all(plan)
						    : cd_fail(plan->problems, CERTDEPLOY_EUSAGE, "usage", NULL,
							      0, _("an order has neither certificate nor name"));
			continue;
		}
		if (order->pieces.count == 0 && !has_target(order) && cd_store_name_is_valid(name)) {
			result = recall(plan, name);
			if (result != CERTDEPLOY_ENOTFOUND)
				continue;
		}
		planned = add_order(plan, order);
		if (planned == NULL)
			result = cd_fail_memory(plan->problems);
		else if (name != NULL && !has_target(order) && cd_store_name_is_valid(name))
			result = recall_target(plan, planned, name);
		else
			result = 0;
	}
	return result;
}

/* ---- the certificate ---- */

static int load_pieces(struct cd_plan *plan, struct cd_planned_order *planned, struct cd_load *load)
{
	const struct cd_vector *given = &planned->order->pieces;
	const char *name = cd_order_value(planned->order, CERTDEPLOY_NAME);
	struct cd_piece *pieces = cd_arena_array(&plan->arena, given->count, sizeof(*pieces));
	int result = 0;

	if (pieces == NULL)
		return cd_fail_memory(plan->problems);
	for (size_t i = 0; i < given->count; i++)
		pieces[i] = *(const struct cd_piece *)given->items[i];
	load->pieces = pieces;
	load->count = given->count;
	/* The certificate of a request finds the key that was made for it. */
	if (name != NULL && cd_store_name_is_valid(name))
		result = cd_store_keys(&load->spare_keys, &load->spare_count, &plan->inventory.host,
				       plan->cd->settings.store, name);
	if (result == 0)
		result = cd_certificates_load(&planned->certificates, plan->problems, load);
	cd_store_free_keys(load->spare_keys, load->spare_count);
	load->spare_keys = NULL;
	load->spare_count = 0;
	return result;
}

/* From the order, or from the store when only its name is given. */
static int load_certificates(struct cd_plan *plan, struct cd_planned_order *planned)
{
	struct cd_load load = {
		.passphrase = plan->cd->passphrase,
		.user = plan->cd->user,
		.accepted = plan->inventory.host.accepted,
		.need_key = true,
		.now = (int64_t)time(NULL),
		.chain_directory = plan->cd->settings.chain_directory,
	};
	size_t from = plan->problems->list.count;
	int result = CERTDEPLOY_ENOTFOUND;

	if (planned->order->pieces.count != 0)
		result = load_pieces(plan, planned, &load);
	if (result == CERTDEPLOY_ENOMEM || (result != 0 && planned->order != planned->recalled &&
					    planned->order->pieces.count != 0))
		return result;
	if (result != 0) {
		/* The issuer's files are gone or unusable: what was deployed last still stands. */
		cd_problems_soften(plan->problems, from);
		cd_certificates_free(&planned->certificates);
		planned->certificates = (struct cd_certificates){0};
		result = cd_store_load(&planned->certificates, &plan->inventory.host, plan->cd->settings.store,
				       cd_order_value(planned->order, CERTDEPLOY_NAME), &load);
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

static int plan_store(struct cd_plan *plan, struct cd_planned_order *planned)
{
	struct cd_store_request store = {
		.directory = plan->cd->settings.store,
		.certificates = &planned->certificates,
		.now = (int64_t)time(NULL),
		.keep = plan->cd->settings.keep,
		.accepted = plan->inventory.host.accepted,
		.drop_other_types = cd_request_flag(plan->request, CERTDEPLOY_DROP_OTHER_TYPES, 0) != 0,
	};
	bool remember = cd_request_flag(plan->request, CERTDEPLOY_NO_REMEMBER, 0) == 0;
	struct certdeploy_paths chosen;
	int result;

	store.name = cd_order_value(planned->order, CERTDEPLOY_NAME);
	if (chosen_paths(&chosen, planned->order)) {
		store.chosen = &chosen;
		store.name = NULL;
	} else if (store.name == NULL) {
		store.name = cd_certificate_store_name(&plan->arena, planned->certificates.list.items[0]);
		if (store.name == NULL)
			return cd_fail(plan->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
				       _("the certificate has no name to be stored by; give one with --name"));
	} else if (!cd_store_name_is_valid(store.name)) {
		return cd_fail(plan->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("\"%s\" cannot be a name in the store"),
			       cd_safe(&plan->problems->arena, store.name));
	}
	planned->name = store.name;
	result = cd_store_plan(&planned->materials, &plan->changes, &plan->overlay, &plan->inventory.host,
			       &store);
	if (result == 0 && remember && store.name != NULL)
		result = cd_deployment_keep(&plan->changes, &plan->inventory.host, plan->cd->settings.state,
					    store.name, planned->target, &planned->order->pieces);
	return result;
}

static int plan_order(struct cd_plan *plan, struct cd_planned_order *planned, bool install_only)
{
	struct cd_target target;
	int result = load_certificates(plan, planned);

	if (result == 0) {
		planned->names = certificate_names(plan, planned);
		result = planned->names == NULL ? cd_fail_memory(plan->problems) : 0;
	}
	cd_target_of_order(&target, planned->target);
	target.names = planned->names;
	if (result == 0 && !install_only)
		result = cd_target_select(&planned->selection, &plan->inventory, &target);
	return result == 0 ? plan_store(plan, planned) : result;
}

/* One bad certificate among many is left out, unless all or none are wanted. */
static int plan_orders(struct cd_plan *plan, bool install_only)
{
	bool strict = plan->orders.count == 1 ||
		      cd_request_flag(plan->request, CERTDEPLOY_ALL_OR_NOTHING, 0) != 0;
	size_t good = 0;
	int result = 0;

	for (size_t i = 0; result == 0 && i < plan->orders.count; i++) {
		struct cd_planned_order *planned = plan->orders.items[i];

		planned->result = plan_order(plan, planned, install_only);
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

/* ---- the edits ---- */

static const struct cd_chosen *chosen_at(const struct cd_planned_order *order, size_t service)
{
	return service < order->selection.services.count ? order->selection.services.items[service] : NULL;
}

/* All assignments of one service. An endpoint that two orders want goes to the first. */
static int plan_service(struct cd_plan *plan, size_t service)
{
	struct cd_seen *seen = plan->inventory.services.items[service];
	bool drop = cd_request_flag(plan->request, CERTDEPLOY_DROP_OTHER_TYPES, 0) != 0;
	struct certdeploy_assignment *assignments;
	struct cd_table taken = {0};
	size_t count = 0, room = 0;
	int result = 0;

	for (size_t i = 0; i < plan->orders.count; i++) {
		const struct cd_chosen *chosen = chosen_at(plan->orders.items[i], service);

		room += chosen == NULL ? 0 : chosen->endpoints.count;
	}
	assignments = cd_arena_array(&plan->arena, room + 1, sizeof(*assignments));
	if (assignments == NULL)
		return cd_fail_memory(plan->problems);
	for (size_t i = 0; result == 0 && i < plan->orders.count; i++) {
		const struct cd_planned_order *order = plan->orders.items[i];
		const struct cd_chosen *chosen = chosen_at(order, service);

		for (size_t j = 0; order->result == 0 && chosen != NULL && j < chosen->endpoints.count; j++) {
			const struct certdeploy_endpoint *endpoint = chosen->endpoints.items[j];

			if (cd_table_get_bytes(&taken, &endpoint, sizeof(endpoint)) != NULL)
				continue;
			if (cd_table_put_bytes(&taken, &endpoint, sizeof(endpoint), order) != 0)
				result = cd_fail_memory(plan->problems);
			assignments[count++] = (struct certdeploy_assignment){
				.endpoint = endpoint,
				.materials = order->materials,
				.drop_other_types = drop,
			};
		}
	}
	cd_table_free(&taken);
	if (result != 0 || count == 0)
		return result;
	return seen->service.adapter->plan(&seen->reading, assignments, count, &plan->edits);
}

static int plan_edits(struct cd_plan *plan)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < plan->inventory.services.count; i++) {
		const struct cd_seen *seen = plan->inventory.services.items[i];

		plan->problems->service = cd_arena_string(&plan->problems->arena, seen->service.name);
		result = plan_service(plan, i);
		plan->problems->service = NULL;
	}
	if (result == 0)
		result = cd_edits_render(&plan->edits);
	if (result == 0)
		result = cd_overlay_edits(&plan->overlay, plan->problems, &plan->edits);
	return result;
}

/* A diff names the file itself, not a link to it: patch(1) follows none. */
static int find_real(struct cd_plan *plan, struct cd_file_edit *edit)
{
	struct cd_place place;
	int result = cd_place_find(&place, plan->problems, &plan->inventory.host.root, edit->path, CD_TRUST_ANY);

	if (result != 0)
		return result;
	edit->real = cd_arena_string(&plan->arena, place.path);
	cd_place_close(&place);
	return edit->real == NULL ? cd_fail_memory(plan->problems) : 0;
}

static int take_edit(struct cd_plan *plan, struct cd_file_edit *edit)
{
	struct cd_change change = {
		.kind = CD_CHANGE_FILE,
		.path = edit->path,
		.bytes = edit->bytes,
		.length = edit->length,
		.compare = true,
		.mode = edit->secret ? 0600 : 0644,
		.owner = (uid_t)-1,
		.group = (gid_t)-1,
		.secret = edit->secret,
		.service = edit->service,
	};
	struct cd_buffer diff = {0};
	int result = edit->document == NULL ? 0 : find_real(plan, edit);

	if (result != 0)
		return result;
	if (edit->document != NULL)
		change.before = edit->document->identity;
	cd_diff_add(&diff, edit);
	change.diff = cd_buffer_text(&diff);
	cd_buffer_add(&plan->diff, cd_buffer_text(&diff), diff.length);
	result = diff.failed || plan->diff.failed ? cd_fail_memory(plan->problems)
						  : cd_changes_add(&plan->changes, plan->problems, &change);
	cd_buffer_free(&diff);
	return result;
}

static const struct cd_seen *seen_of(const struct cd_plan *plan, const char *service)
{
	for (size_t i = 0; i < plan->inventory.services.count; i++) {
		const struct cd_seen *seen = plan->inventory.services.items[i];

		if (strcmp(seen->service.name, service) == 0)
			return seen;
	}
	return NULL;
}

static int take_build(struct cd_plan *plan, const struct cd_build *build)
{
	const struct certdeploy_build *wish = &build->build;
	const struct cd_seen *seen = seen_of(plan, build->service);
	struct cd_change_build change = {
		.source = wish->source,
		.input = wish->input,
		.input_length = wish->input_length,
		.argv = wish->argv,
		.environment = seen == NULL ? NULL : seen->reading.environment,
		.suffix = wish->suffix,
		.secret = wish->secret,
		.service = build->service,
	};

	if (!plan->inventory.host.root.live) {
		cd_problem(plan->problems, CERTDEPLOY_WARNING, "not-built", wish->source, 0,
			   _("%s%s is to be made anew on the host itself: no program runs on a tree"),
			   wish->source, wish->suffix);
		return 0;
	}
	change.product = cd_arena_format(&plan->arena, "%s%s", wish->source, wish->suffix);
	if (change.product == NULL)
		return cd_fail_memory(plan->problems);
	return cd_changes_add_build(&plan->changes, plan->problems, &change);
}

static int take_edits(struct cd_plan *plan)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < plan->edits.files.count; i++)
		result = take_edit(plan, plan->edits.files.items[i]);
	for (size_t i = 0; result == 0 && i < plan->edits.builds.count; i++)
		result = take_build(plan, plan->edits.builds.items[i]);
	return result;
}

/* ---- the prediction ---- */

struct comparing {
	struct cd_plan *plan;
	struct cd_planned *planned;
	struct cd_table before;   /* key -> endpoint */
	struct cd_table deciders; /* touched, by address -> order */
	struct cd_table named;    /* key of a chosen endpoint -> order */
	size_t named_count;
	const struct cd_table *written; /* path that the store changes -> itself */
};

static void add_part(struct cd_buffer *key, const char *part)
{
	if (part != NULL)
		cd_buffer_add(key, part, strlen(part));
	cd_buffer_add(key, "\n", 1);
}

/* Which endpoint is which in two readings. */
static int key_of(struct cd_buffer *key, const struct certdeploy_endpoint *endpoint)
{
	key->length = 0;
	add_part(key, endpoint->listen);
	add_part(key, endpoint->protocol);
	add_part(key, endpoint->name);
	add_part(key, endpoint->address);
	/* There is a key for each endpoint: printf would be most of the work. */
	for (unsigned port = endpoint->port, i = 0; i < 4; port /= 16, i++)
		cd_buffer_add(key, &"0123456789abcdef"[port % 16], 1);
	return key->failed ? CERTDEPLOY_ENOMEM : 0;
}

static bool same_text(const char *one, const char *other)
{
	return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

static bool same_pairs(const struct certdeploy_endpoint *one, const struct certdeploy_endpoint *other)
{
	if (one->pair_count != other->pair_count || one->tls != other->tls)
		return false;
	for (size_t i = 0; i < one->pair_count; i++)
		if (!same_text(one->pairs[i].certificate, other->pairs[i].certificate) ||
		    !same_text(one->pairs[i].key, other->pairs[i].key) ||
		    !same_text(one->pairs[i].chain, other->pairs[i].chain))
			return false;
	return true;
}

static bool has_material(const struct certdeploy_endpoint *endpoint,
			 const struct certdeploy_material *material)
{
	const struct certdeploy_paths *paths = &material->paths;

	for (size_t i = 0; i < endpoint->pair_count; i++) {
		const struct certdeploy_pair *pair = &endpoint->pairs[i];
		bool certificate = same_text(pair->certificate, paths->fullchain) ||
				   same_text(pair->certificate, paths->certificate) ||
				   same_text(pair->certificate, paths->combined);

		if (certificate && (same_text(pair->key, paths->key) || same_text(pair->key, paths->combined)))
			return true;
	}
	return false;
}

/* Its files keep their paths but get another content. */
static bool rewritten(const struct comparing *comparing, const struct certdeploy_endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->pair_count; i++)
		if (endpoint->pairs[i].certificate != NULL &&
		    cd_table_get(comparing->written, endpoint->pairs[i].certificate) != NULL)
			return true;
	return false;
}

static int check_target(const struct comparing *comparing, const struct cd_planned_endpoint *planned)
{
	const struct certdeploy_endpoint *after = planned->after;
	struct cd_plan *plan = comparing->plan;

	for (size_t i = 0; planned->order->materials[i] != NULL; i++)
		if (!has_material(after, planned->order->materials[i]))
			return cd_fail(plan->problems, CERTDEPLOY_EREFUSED, "config-not-understood", after->file,
				       after->line, _("the edit would not give %s (%s) the new certificate"),
				       after->name == NULL ? _("the default") : after->name, after->listen);
	if (!planned->named && after->name != NULL && !cd_names_cover(planned->order->names, after->name))
		cd_problem(plan->problems, CERTDEPLOY_WARNING, "name-mismatch", after->file, after->line,
			   _("%s shares these lines and will be served a certificate that does not cover it"),
			   after->name);
	return 0;
}

static int check_other(const struct comparing *comparing, const struct certdeploy_endpoint *before,
		       const struct certdeploy_endpoint *after)
{
	bool allowed = cd_request_flag(comparing->plan->request, CERTDEPLOY_ALSO_CHANGES, 0) != 0;
	bool serves = after->tls || (before != NULL && before->tls);
	bool changes =
		serves && (before == NULL || !same_pairs(before, after) || rewritten(comparing, after));

	if (!changes)
		return 0;
	cd_problem(comparing->plan->problems, allowed ? CERTDEPLOY_WARNING : CERTDEPLOY_ERROR, "other-changes",
		   after->file, after->line, _("%s (%s) is not in the target but would be served another certificate"),
		   after->name == NULL ? _("the default") : after->name, after->listen);
	return allowed ? 0 : CERTDEPLOY_EREFUSED;
}

static int compare_endpoint(struct comparing *comparing, struct cd_buffer *key,
			    const struct certdeploy_endpoint *after)
{
	struct cd_plan *plan = comparing->plan;
	struct cd_planned_endpoint *planned = cd_arena_alloc(&plan->arena, sizeof(*planned));
	const struct certdeploy_endpoint *before;
	int result;

	if (planned == NULL || key_of(key, after) != 0)
		return cd_fail_memory(plan->problems);
	before = cd_table_get(&comparing->before, key->bytes);
	planned->before = before;
	planned->after = after;
	planned->order = cd_table_get(&comparing->named, key->bytes);
	planned->named = planned->order != NULL;
	if (!planned->named && before != NULL && before->tls)
		planned->order = cd_table_get_bytes(&comparing->deciders, &before->decider,
						    sizeof(before->decider));
	planned->targeted = planned->order != NULL;
	if (cd_vector_add(&comparing->planned->endpoints, planned) != 0)
		return cd_fail_memory(plan->problems);
	result = planned->targeted ? check_target(comparing, planned) : check_other(comparing, before, after);
	if (planned->targeted && (before == NULL || !same_pairs(before, after) || rewritten(comparing, after)))
		comparing->planned->touched = true;
	return result;
}

static int index_endpoints(struct comparing *comparing, const struct cd_seen *seen, struct cd_buffer *key)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(&seen->reading, &count);

	for (size_t i = 0; i < count; i++)
		if (key_of(key, all[i]) != 0 || cd_table_put(&comparing->before, key->bytes, all[i]) != 0)
			return CERTDEPLOY_ENOMEM;
	return 0;
}

static int index_chosen(struct comparing *comparing, const struct cd_planned_order *order, size_t service,
			struct cd_buffer *key)
{
	const struct cd_chosen *chosen = chosen_at(order, service);

	for (size_t i = 0; order->result == 0 && chosen != NULL && i < chosen->endpoints.count; i++) {
		const struct certdeploy_endpoint *endpoint = chosen->endpoints.items[i];

		if (key_of(key, endpoint) != 0)
			return CERTDEPLOY_ENOMEM;
		if (cd_table_get(&comparing->named, key->bytes) != NULL)
			continue;
		comparing->named_count++;
		if (cd_table_put(&comparing->named, key->bytes, order) != 0 ||
		    cd_table_put_bytes(&comparing->deciders, &endpoint->decider, sizeof(endpoint->decider),
				       order) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

static int index_before(struct comparing *comparing, const struct cd_seen *seen, size_t service,
			struct cd_buffer *key)
{
	const struct cd_plan *plan = comparing->plan;
	int result = index_endpoints(comparing, seen, key);

	for (size_t i = 0; result == 0 && i < plan->orders.count; i++)
		result = index_chosen(comparing, plan->orders.items[i], service, key);
	return result;
}

/* Paths whose content the store changes: what names them changes without an edit. */
static int index_written(struct cd_table *written, const struct cd_overlay *overlay)
{
	for (size_t i = 0; i < overlay->owned.count; i++) {
		const struct certdeploy_document *document = overlay->owned.items[i];

		if (cd_table_put(written, document->path, document) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

/* Every chosen endpoint must be there afterwards. */
static int check_all_there(const struct comparing *comparing)
{
	const struct cd_planned *planned = comparing->planned;
	size_t named = 0;

	for (size_t i = 0; i < planned->endpoints.count; i++)
		named += ((const struct cd_planned_endpoint *)planned->endpoints.items[i])->named ? 1 : 0;
	if (named >= comparing->named_count)
		return 0;
	return cd_fail(comparing->plan->problems, CERTDEPLOY_EREFUSED, "config-not-understood",
		       cd_service_get(&planned->seen->service, "config"), 0,
		       _("after the edit an endpoint of the target would be missing"));
}

static int compare_service(struct comparing *comparing, size_t service)
{
	struct cd_planned *planned = comparing->planned;
	struct cd_buffer key = {0};
	size_t count = 0;
	const struct certdeploy_endpoint *const *all;
	int result;

	planned->read_again = true;
	result = cd_inventory_reread(&planned->after, &comparing->plan->inventory, planned->seen,
				     &comparing->plan->overlay);
	if (result == 0 && index_before(comparing, planned->seen, service, &key) != 0)
		result = cd_fail_memory(comparing->plan->problems);
	all = certdeploy_endpoints(&planned->after, &count);
	/* All are looked at, so that every name that would change is told at once. */
	for (size_t i = 0; i < count && result != CERTDEPLOY_ENOMEM; i++) {
		int one = compare_endpoint(comparing, &key, all[i]);

		result = result == 0 || one == CERTDEPLOY_ENOMEM ? one : result;
	}
	if (result == 0)
		result = check_all_there(comparing);
	cd_buffer_free(&key);
	return result;
}

static int predict(struct cd_plan *plan)
{
	struct cd_table written = {0};
	int result = index_written(&written, &plan->overlay) == 0 ? 0 : cd_fail_memory(plan->problems);

	for (size_t i = 0; result == 0 && i < plan->inventory.services.count; i++) {
		struct comparing comparing = {.plan = plan, .written = &written};

		comparing.planned = cd_arena_alloc(&plan->arena, sizeof(*comparing.planned));
		if (comparing.planned == NULL || cd_vector_add(&plan->services, comparing.planned) != 0) {
			result = cd_fail_memory(plan->problems);
			break;
		}
		comparing.planned->seen = plan->inventory.services.items[i];
		plan->problems->service = cd_arena_string(&plan->problems->arena,
							  comparing.planned->seen->service.name);
		result = compare_service(&comparing, i);
		plan->problems->service = NULL;
		cd_table_free(&comparing.before);
		cd_table_free(&comparing.deciders);
		cd_table_free(&comparing.named);
	}
	cd_table_free(&written);
	return result;
}

/* Files that changed without an endpoint that shows it (an index made anew). */
static void mark_edited(struct cd_plan *plan)
{
	for (size_t i = 0; i < plan->services.count; i++) {
		struct cd_planned *planned = plan->services.items[i];
		const char *name = planned->seen->service.name;

		for (size_t j = 0; j < plan->edits.files.count; j++) {
			const struct cd_file_edit *edit = plan->edits.files.items[j];

			planned->touched = planned->touched || same_text(edit->service, name);
		}
		for (size_t j = 0; j < plan->changes.builds.count; j++) {
			const struct cd_change_build *build = plan->changes.builds.items[j];

			planned->touched = planned->touched || same_text(build->service, name);
		}
	}
}

static int rehearse(struct cd_plan *plan)
{
	int result = 0;

	if (!plan->inventory.host.root.live || cd_request_flag(plan->request, CERTDEPLOY_NO_TEST, 0) != 0)
		return 0;
	for (size_t i = 0; result == 0 && i < plan->services.count; i++) {
		struct cd_planned *planned = plan->services.items[i];

		if (!planned->touched || plan->edits.files.count == 0)
			continue;
		plan->problems->service =
			cd_arena_string(&plan->problems->arena, planned->seen->service.name);
		result = cd_rehearse(planned->seen, &planned->after, plan->problems);
		plan->problems->service = NULL;
	}
	return result;
}

int cd_plan_make_for(struct cd_plan *plan, struct certdeploy *cd, struct cd_problems *problems,
		     const struct certdeploy_request *request, const char *const *only)
{
	bool install_only = cd_request_flag(request, CERTDEPLOY_INSTALL_ONLY, 0) != 0;
	int result;

	*plan = (struct cd_plan){.cd = cd, .problems = problems, .request = request};
	plan->edits.problems = problems;
	result = cd_inventory_open_only(&plan->inventory, cd, problems, request, only, !install_only);
	if (result == 0)
		result = cd_running_settle(&plan->inventory);
	if (result == 0)
		result = collect_orders(plan);
	if (result == 0 && !install_only)
		result = cd_inventory_result(&plan->inventory);
	if (result == 0 && !install_only && plan->inventory.services.count == 0)
		result = cd_fail(problems, CERTDEPLOY_EREFUSED, "no-service", NULL, 0,
				 _("no server that certdeploy knows was found on this host"));
	if (result == 0)
		result = plan_orders(plan, install_only);
	if (result == 0 && !install_only)
		result = plan_edits(plan);
	if (result == 0)
		result = take_edits(plan);
	if (result == 0 && !install_only)
		result = predict(plan);
	if (result == 0) {
		mark_edited(plan);
		result = rehearse(plan);
	}
	return problems->out_of_memory ? CERTDEPLOY_ENOMEM : result;
}

int cd_plan_make(struct cd_plan *plan, struct certdeploy *cd, struct cd_problems *problems,
		 const struct certdeploy_request *request)
{
	return cd_plan_make_for(plan, cd, problems, request, cd_request_list(request, CERTDEPLOY_SERVICE));
}

static void close_order(struct cd_planned_order *planned)
{
	cd_selection_free(&planned->selection);
	cd_certificates_free(&planned->certificates);
	if (planned->recalled != NULL)
		cd_order_free(planned->recalled);
}

void cd_plan_close(struct cd_plan *plan)
{
	for (size_t i = 0; i < plan->services.count; i++) {
		struct cd_planned *planned = plan->services.items[i];

		if (planned->read_again)
			cd_reading_close(&planned->after);
		cd_vector_free(&planned->endpoints);
	}
	cd_vector_free(&plan->services);
	for (size_t i = 0; i < plan->orders.count; i++)
		close_order(plan->orders.items[i]);
	cd_vector_free(&plan->orders);
	cd_buffer_free(&plan->diff);
	cd_overlay_free(&plan->overlay);
	cd_edits_free(&plan->edits);
	cd_changes_free(&plan->changes);
	cd_inventory_close(&plan->inventory);
	cd_arena_free(&plan->arena);
}

bool cd_plan_is_empty(const struct cd_plan *plan)
{
	return plan->changes.list.count == 0 && plan->changes.builds.count == 0;
}
