/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan.c - everything that would be done, worked out by reading only */
#include "plan.h"

#include "base/text.h"
#include "change/diff.h"
#include "host/rehearsal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the certificate ---- */

static void prepare_load(struct cd_load *load, const struct cd_plan *plan)
{
	*load = (struct cd_load){
		.passphrase = plan->cd->passphrase,
		.user = plan->cd->user,
		.accepted = plan->inventory.host.accepted,
		.need_key = true,
		.now = (int64_t)time(NULL),
		.chain_directory = plan->cd->settings.chain_directory,
	};
}

/* From the request, or from the store when only its name is given. */
static int load_certificates(struct cd_plan *plan)
{
	const struct cd_vector *given = &plan->request->pieces;
	const char *name = cd_request_value(plan->request, CERTDEPLOY_NAME);
	struct cd_piece *pieces;
	struct cd_load load;
	int result;

	prepare_load(&load, plan);
	if (given->count == 0 && name == NULL)
		return cd_fail(plan->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("no certificate was given (--cert, --key, --chain, or --name)"));
	if (given->count == 0)
		return cd_store_load(&plan->certificates, &plan->inventory.host, plan->cd->settings.store, name,
				     &load);
	pieces = cd_arena_array(&plan->arena, given->count, sizeof(*pieces));
	if (pieces == NULL)
		return cd_fail_memory(plan->problems);
	for (size_t i = 0; i < given->count; i++)
		pieces[i] = *(const struct cd_piece *)given->items[i];
	load.pieces = pieces;
	load.count = given->count;
	result = cd_certificates_load(&plan->certificates, plan->problems, &load);
	return result;
}

static const char *const *certificate_names(struct cd_plan *plan)
{
	struct cd_vector names = {0};
	const char *const *list = NULL;
	int result = 0;

	for (size_t i = 0; result == 0 && i < plan->certificates.list.count; i++) {
		const struct cd_certificate *certificate = plan->certificates.list.items[i];

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

static bool chosen_paths(struct certdeploy_paths *paths, const struct certdeploy_request *request)
{
	*paths = (struct certdeploy_paths){
		.certificate = cd_request_value(request, CERTDEPLOY_INSTALL_CERT),
		.key = cd_request_value(request, CERTDEPLOY_INSTALL_KEY),
		.chain = cd_request_value(request, CERTDEPLOY_INSTALL_CHAIN),
		.fullchain = cd_request_value(request, CERTDEPLOY_INSTALL_FULLCHAIN),
	};
	return paths->certificate != NULL || paths->key != NULL || paths->chain != NULL ||
	       paths->fullchain != NULL;
}

static int plan_store(struct cd_plan *plan)
{
	struct cd_store_request store = {
		.directory = plan->cd->settings.store,
		.certificates = &plan->certificates,
		.now = (int64_t)time(NULL),
		.keep = plan->cd->settings.keep,
		.accepted = plan->inventory.host.accepted,
	};
	struct certdeploy_paths chosen;

	store.name = cd_request_value(plan->request, CERTDEPLOY_NAME);
	if (chosen_paths(&chosen, plan->request)) {
		store.chosen = &chosen;
	} else if (store.name == NULL) {
		store.name = cd_certificate_store_name(&plan->arena, plan->certificates.list.items[0]);
		if (store.name == NULL)
			return cd_fail(plan->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
				       _("the certificate has no name to be stored by; give one with --name"));
	} else if (!cd_store_name_is_valid(store.name)) {
		return cd_fail(plan->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("\"%s\" cannot be a name in the store"),
			       cd_safe(&plan->problems->arena, store.name));
	}
	plan->name = store.name;
	return cd_store_plan(&plan->materials, &plan->changes, &plan->overlay, &plan->inventory.host, &store);
}

/* ---- the edits ---- */

static int plan_service(struct cd_plan *plan, const struct cd_chosen *chosen)
{
	size_t count = chosen->endpoints.count;
	struct certdeploy_assignment *assignments =
		cd_arena_array(&plan->arena, count + 1, sizeof(*assignments));
	bool drop = cd_request_flag(plan->request, CERTDEPLOY_DROP_OTHER_TYPES, 0) != 0;

	if (assignments == NULL)
		return cd_fail_memory(plan->problems);
	for (size_t i = 0; i < count; i++)
		assignments[i] = (struct certdeploy_assignment){
			.endpoint = chosen->endpoints.items[i],
			.materials = plan->materials,
			.drop_other_types = drop,
		};
	return count == 0 ? 0
			  : chosen->seen->service.adapter->plan(&chosen->seen->reading, assignments, count,
								&plan->edits);
}

static int plan_edits(struct cd_plan *plan)
{
	int result = 0;

	plan->edits.problems = plan->problems;
	for (size_t i = 0; result == 0 && i < plan->selection.services.count; i++) {
		const struct cd_chosen *chosen = plan->selection.services.items[i];

		plan->problems->service =
			cd_arena_string(&plan->problems->arena, chosen->seen->service.name);
		result = plan_service(plan, chosen);
		plan->problems->service = NULL;
	}
	if (result == 0)
		result = cd_edits_render(&plan->edits);
	if (result == 0)
		result = cd_overlay_edits(&plan->overlay, plan->problems, &plan->edits);
	return result;
}

static int take_edit(struct cd_plan *plan, const struct cd_file_edit *edit)
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
	int result;

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
	struct cd_table deciders; /* touched, by address */
	struct cd_table named;    /* key -> chosen endpoint */
	struct cd_table written;  /* path that the store changes -> itself */
	const char *const *names;
};

/* Which endpoint is which in two readings. */
static int key_of(struct cd_buffer *key, const struct certdeploy_endpoint *endpoint)
{
	key->length = 0;
	cd_buffer_format(key, "%s\n%s\n%s\n%s\n%u", endpoint->listen, endpoint->protocol,
			 endpoint->name == NULL ? "" : endpoint->name,
			 endpoint->address == NULL ? "" : endpoint->address, (unsigned)endpoint->port);
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
		    cd_table_get(&comparing->written, endpoint->pairs[i].certificate) != NULL)
			return true;
	return false;
}

static int check_target(const struct comparing *comparing, const struct cd_planned_endpoint *planned)
{
	const struct certdeploy_endpoint *after = planned->after;
	struct cd_plan *plan = comparing->plan;

	for (size_t i = 0; plan->materials[i] != NULL; i++)
		if (!has_material(after, plan->materials[i]))
			return cd_fail(plan->problems, CERTDEPLOY_EREFUSED, "config-not-understood", after->file,
				       after->line, _("the edit would not give %s (%s) the new certificate"),
				       after->name == NULL ? _("the default") : after->name, after->listen);
	if (!planned->named && after->name != NULL && !cd_names_cover(comparing->names, after->name))
		cd_problem(plan->problems, CERTDEPLOY_WARNING, "name-mismatch", after->file, after->line,
			   _("%s shares these lines and will be served a certificate that does not cover it"),
			   after->name);
	return 0;
}

static int check_other(const struct comparing *comparing, const struct certdeploy_endpoint *before,
		       const struct certdeploy_endpoint *after)
{
	bool allowed = cd_request_flag(comparing->plan->request, CERTDEPLOY_ALSO_CHANGES, 0) != 0;
	bool changes = before == NULL || !same_pairs(before, after) || rewritten(comparing, after);

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
	planned->named = cd_table_get(&comparing->named, key->bytes) != NULL;
	planned->targeted =
		planned->named ||
		(before != NULL && cd_table_get_bytes(&comparing->deciders, &before->decider,
						      sizeof(before->decider)) != NULL &&
		 before->tls);
	if (cd_vector_add(&comparing->planned->endpoints, planned) != 0)
		return cd_fail_memory(plan->problems);
	result = planned->targeted ? check_target(comparing, planned) : check_other(comparing, before, after);
	if (planned->targeted && (before == NULL || !same_pairs(before, after) || rewritten(comparing, after)))
		comparing->planned->touched = true;
	return result;
}

static int index_before(struct comparing *comparing, const struct cd_chosen *chosen, struct cd_buffer *key)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(&chosen->seen->reading, &count);

	for (size_t i = 0; i < count; i++)
		if (key_of(key, all[i]) != 0 || cd_table_put(&comparing->before, key->bytes, all[i]) != 0)
			return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < chosen->endpoints.count; i++) {
		const struct certdeploy_endpoint *endpoint = chosen->endpoints.items[i];

		if (key_of(key, endpoint) != 0 || cd_table_put(&comparing->named, key->bytes, endpoint) != 0 ||
		    cd_table_put_bytes(&comparing->deciders, &endpoint->decider, sizeof(endpoint->decider),
				       endpoint) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

static int index_written(struct comparing *comparing)
{
	const struct cd_overlay *overlay = &comparing->plan->overlay;

	for (size_t i = 0; i < overlay->owned.count; i++) {
		const struct certdeploy_document *document = overlay->owned.items[i];

		if (cd_table_put(&comparing->written, document->path, document) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

/* Every chosen endpoint must be there afterwards. */
static int check_all_there(const struct comparing *comparing, const struct cd_chosen *chosen)
{
	size_t named = 0;

	for (size_t i = 0; i < comparing->planned->endpoints.count; i++) {
		const struct cd_planned_endpoint *planned = comparing->planned->endpoints.items[i];

		named += planned->named ? 1 : 0;
	}
	if (named >= chosen->endpoints.count)
		return 0;
	return cd_fail(comparing->plan->problems, CERTDEPLOY_EREFUSED, "config-not-understood",
		       cd_service_get(&chosen->seen->service, "config"), 0,
		       _("after the edit an endpoint of the target would be missing"));
}

static int compare_service(struct comparing *comparing, const struct cd_chosen *chosen)
{
	struct cd_planned *planned = comparing->planned;
	struct cd_buffer key = {0};
	size_t count = 0;
	const struct certdeploy_endpoint *const *all;
	int result;

	planned->read_again = true;
	result = cd_inventory_reread(&planned->after, &comparing->plan->inventory, chosen->seen,
				     &comparing->plan->overlay);
	if (result == 0 && (index_before(comparing, chosen, &key) != 0 || index_written(comparing) != 0))
		result = cd_fail_memory(comparing->plan->problems);
	all = certdeploy_endpoints(&planned->after, &count);
	/* All are looked at, so that every name that would change is told at once. */
	for (size_t i = 0; i < count && result != CERTDEPLOY_ENOMEM; i++) {
		int one = compare_endpoint(comparing, &key, all[i]);

		result = result == 0 || one == CERTDEPLOY_ENOMEM ? one : result;
	}
	if (result == 0)
		result = check_all_there(comparing, chosen);
	cd_buffer_free(&key);
	return result;
}

static int predict(struct cd_plan *plan, const char *const *names)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < plan->selection.services.count; i++) {
		const struct cd_chosen *chosen = plan->selection.services.items[i];
		struct comparing comparing = {.plan = plan, .names = names};

		comparing.planned = cd_arena_alloc(&plan->arena, sizeof(*comparing.planned));
		if (comparing.planned == NULL || cd_vector_add(&plan->services, comparing.planned) != 0)
			return cd_fail_memory(plan->problems);
		comparing.planned->seen = chosen->seen;
		plan->problems->service =
			cd_arena_string(&plan->problems->arena, chosen->seen->service.name);
		result = compare_service(&comparing, chosen);
		plan->problems->service = NULL;
		cd_table_free(&comparing.before);
		cd_table_free(&comparing.deciders);
		cd_table_free(&comparing.named);
		cd_table_free(&comparing.written);
	}
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

int cd_plan_make(struct cd_plan *plan, struct certdeploy *cd, struct cd_problems *problems,
		 const struct certdeploy_request *request)
{
	bool install_only = cd_request_flag(request, CERTDEPLOY_INSTALL_ONLY, 0) != 0;
	const char *const *names = NULL;
	struct cd_target target;
	int result;

	*plan = (struct cd_plan){.cd = cd, .problems = problems, .request = request};
	result = cd_inventory_open(&plan->inventory, cd, problems, request, !install_only);
	if (result == 0)
		result = load_certificates(plan);
	if (result == 0 && !install_only)
		result = cd_inventory_result(&plan->inventory);
	if (result == 0 && !install_only && plan->inventory.services.count == 0)
		result = cd_fail(problems, CERTDEPLOY_EFAILED, "no-service", NULL, 0,
				 _("no server that certdeploy knows was found on this host"));
	if (result == 0) {
		names = certificate_names(plan);
		result = names == NULL ? cd_fail_memory(problems) : 0;
	}
	cd_target_of_request(&target, request);
	target.names = names;
	if (result == 0 && !install_only)
		result = cd_target_select(&plan->selection, &plan->inventory, &target);
	if (result == 0)
		result = plan_store(plan);
	if (result == 0 && !install_only)
		result = plan_edits(plan);
	if (result == 0)
		result = take_edits(plan);
	if (result == 0)
		result = predict(plan, names);
	if (result == 0) {
		mark_edited(plan);
		result = rehearse(plan);
	}
	return problems->out_of_memory ? CERTDEPLOY_ENOMEM : result;
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
	cd_buffer_free(&plan->diff);
	cd_overlay_free(&plan->overlay);
	cd_edits_free(&plan->edits);
	cd_changes_free(&plan->changes);
	cd_selection_free(&plan->selection);
	cd_certificates_free(&plan->certificates);
	cd_inventory_close(&plan->inventory);
	cd_arena_free(&plan->arena);
}

bool cd_plan_is_empty(const struct cd_plan *plan)
{
	return plan->changes.list.count == 0 && plan->changes.builds.count == 0;
}

const struct certdeploy_material *cd_plan_material(const struct cd_plan *plan, const char *key_type)
{
	for (size_t i = 0; plan->materials != NULL && plan->materials[i] != NULL; i++)
		if (strcmp(plan->materials[i]->key_type, key_type) == 0)
			return plan->materials[i];
	return NULL;
}
