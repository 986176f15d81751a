/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* prediction.c - what each endpoint would be served after the edits, compared with before */
#include "plan-steps.h"

#include "base/hostname.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

struct comparing {
	struct cd_plan *plan;
	struct cd_planned *planned;
	struct cd_table before;   /* key -> endpoint, of those that are not the same object after */
	struct cd_table chosen;   /* address of an endpoint -> order */
	struct cd_table deciders; /* touched, by address -> order */
	struct cd_table named;    /* key of a chosen endpoint -> order */
	size_t named_count;
	const struct certdeploy_endpoint *last; /* asked about last by rewritten() … */
	bool last_rewritten;                    /* … and the answer */
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
	/* There is a key for each endpoint: printf would be most of the work. */
	const char *digits = "0123456789abcdef";
	unsigned port = endpoint->port;
	const char number[4] = {digits[port % 16], digits[port / 16 % 16], digits[port / 256 % 16],
				digits[port / 4096 % 16]};

	key->length = 0;
	add_part(key, endpoint->listen);
	add_part(key, endpoint->protocol);
	add_part(key, endpoint->name);
	add_part(key, endpoint->address);
	cd_buffer_add(key, number, sizeof(number));
	return key->failed ? CERTDEPLOY_ENOMEM : 0;
}

static bool same_text(const char *one, const char *other)
{
	return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

static bool same_pairs(const struct certdeploy_endpoint *one, const struct certdeploy_endpoint *other)
{
	if (one == other)
		return true;
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

		if (certificate &&
		    (same_text(pair->key, paths->key) || same_text(pair->key, paths->combined)))
			return true;
	}
	return false;
}

/* Its files keep their paths but get another content. */
static bool rewritten(struct comparing *comparing, const struct certdeploy_endpoint *endpoint)
{
	const struct certdeploy_endpoint *last = comparing->last;

	comparing->last = endpoint;
	/* The names of one virtual host share them, and stand together. */
	if (last != NULL && last->pairs == endpoint->pairs && last->pair_count == endpoint->pair_count)
		return comparing->last_rewritten;
	comparing->last_rewritten = false;
	for (size_t i = 0; !comparing->last_rewritten && i < endpoint->pair_count; i++)
		comparing->last_rewritten =
			endpoint->pairs[i].certificate != NULL &&
			cd_overlay_has(&comparing->plan->overlay, endpoint->pairs[i].certificate);
	return comparing->last_rewritten;
}

static int check_target(const struct comparing *comparing, const struct cd_planned_endpoint *planned)
{
	const struct certdeploy_endpoint *after = planned->after;
	struct cd_plan *plan = comparing->plan;

	for (size_t i = 0; planned->order->materials[i] != NULL; i++)
		if (!has_material(after, planned->order->materials[i]))
			return cd_fail(plan->problems, CERTDEPLOY_EREFUSED, "config-not-understood",
				       after->file, after->line,
				       _("the edit would not give %s (%s) the new certificate"),
				       after->name == NULL ? _("the default") : after->name, after->listen);
	if (!planned->named && after->name != NULL && !cd_names_cover(planned->order->names, after->name))
		cd_problem(
			plan->problems, CERTDEPLOY_WARNING, "name-mismatch", after->file, after->line,
			_("%s shares these lines and will be served a certificate that does not cover it"),
			cd_hostname_shown(&plan->problems->arena, after->name));
	return 0;
}

static int check_other(struct comparing *comparing, struct cd_planned_endpoint *planned)
{
	const struct certdeploy_endpoint *before = planned->before, *after = planned->after;
	bool allowed = cd_request_flag(comparing->plan->request, CERTDEPLOY_ALSO_CHANGES, 0) != 0;
	bool serves = after->tls || (before != NULL && before->tls);
	bool changes =
		serves && (before == NULL || !same_pairs(before, after) || rewritten(comparing, after));

	if (!changes)
		return 0;
	cd_problem(comparing->plan->problems, allowed ? CERTDEPLOY_WARNING : CERTDEPLOY_ERROR,
		   "other-changes", after->file, after->line,
		   _("%s (%s) is not in the target but would be served another certificate"),
		   after->name == NULL ? _("the default") : after->name, after->listen);
	planned->also_changes = true;
	return allowed ? 0 : CERTDEPLOY_EREFUSED;
}

/* What can be served now must not be what its server cannot serve afterwards. */
static int check_usable(const struct comparing *comparing, const struct certdeploy_endpoint *before,
			const struct certdeploy_endpoint *after)
{
	if (after->untouchable == NULL || after->note == NULL ||
	    (before != NULL && before->untouchable != NULL))
		return 0;
	return cd_fail(comparing->plan->problems, CERTDEPLOY_EREFUSED, after->untouchable, after->file,
		       after->line, _("%s after the edit: %s"), after->listen, after->note);
}

/* What it was, and the order that it was chosen for. kept: the adapter says that nothing has changed. */
static int match(const struct comparing *comparing, struct cd_planned_endpoint *planned,
		 struct cd_buffer *key, bool kept)
{
	const struct certdeploy_endpoint *after = planned->after, *before = after;

	if (!kept && key_of(key, after) != 0)
		return CERTDEPLOY_ENOMEM;
	if (kept) {
		planned->order = cd_table_get_bytes(&comparing->chosen, &after, sizeof(after));
	} else {
		before = cd_table_get(&comparing->before, key->bytes);
		planned->order = cd_table_get(&comparing->named, key->bytes);
	}
	planned->before = before;
	planned->named = planned->order != NULL;
	if (!planned->named && before != NULL && before->tls)
		planned->order =
			cd_table_get_bytes(&comparing->deciders, &before->decider, sizeof(before->decider));
	planned->targeted = planned->order != NULL;
	return 0;
}

static int compare_endpoint(struct comparing *comparing, struct cd_buffer *key,
			    struct cd_planned_endpoint *planned, bool kept)
{
	const struct certdeploy_endpoint *after = planned->after, *before;
	int result;

	if (match(comparing, planned, key, kept) != 0)
		return cd_fail_memory(comparing->plan->problems);
	before = planned->before;
	result = check_usable(comparing, before, after);
	if (result == 0)
		result = planned->targeted ? check_target(comparing, planned)
					   : check_other(comparing, planned);
	if (planned->targeted &&
	    (before == NULL || !same_pairs(before, after) || rewritten(comparing, after)))
		comparing->planned->touched = true;
	return result;
}

/* Both readings tell of the same endpoint at this position. */
static bool is_kept(const struct cd_planned *planned, size_t position)
{
	const struct cd_vector *before = &planned->seen->reading.endpoints;
	const struct cd_vector *after = &planned->after.endpoints;

	return position < before->count && position < after->count &&
	       before->items[position] == after->items[position];
}

static int index_endpoints(struct comparing *comparing, const struct cd_seen *seen, struct cd_buffer *key)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(&seen->reading, &count);

	for (size_t i = 0; i < count; i++)
		if (!is_kept(comparing->planned, i) &&
		    (key_of(key, all[i]) != 0 || cd_table_put(&comparing->before, key->bytes, all[i]) != 0))
			return CERTDEPLOY_ENOMEM;
	return 0;
}

static int index_chosen(struct comparing *comparing, const struct cd_planned_order *order, size_t service,
			struct cd_buffer *key)
{
	const struct cd_chosen *chosen = cd_planned_chosen(order, service);

	for (size_t i = 0; order->result == 0 && chosen != NULL && i < chosen->endpoints.count; i++) {
		const struct certdeploy_endpoint *endpoint = chosen->endpoints.items[i];
		const struct cd_planned_order *first;

		if (key_of(key, endpoint) != 0)
			return CERTDEPLOY_ENOMEM;
		first = cd_table_get(&comparing->named, key->bytes);
		if (cd_table_put_bytes(&comparing->chosen, &endpoint, sizeof(endpoint),
				       first != NULL ? first : order) != 0)
			return CERTDEPLOY_ENOMEM;
		if (first != NULL)
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

/* Every chosen endpoint must be there afterwards. */
static int check_all_there(const struct comparing *comparing)
{
	const struct cd_planned *planned = comparing->planned;
	size_t named = 0;

	for (size_t i = 0; i < planned->endpoint_count; i++)
		named += planned->endpoints[i].named ? 1 : 0;
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
	all = certdeploy_endpoints(&planned->after, &count);
	planned->endpoints = cd_arena_array(&comparing->plan->arena, count, sizeof(*planned->endpoints));
	if (planned->endpoints == NULL ||
	    (result == 0 && index_before(comparing, planned->seen, service, &key) != 0))
		result = cd_fail_memory(comparing->plan->problems);
	/* All are looked at, so that every name that would change is told at once. */
	for (size_t i = 0; i < count && result != CERTDEPLOY_ENOMEM; i++) {
		struct cd_planned_endpoint *endpoint = &planned->endpoints[planned->endpoint_count++];
		int one;

		endpoint->after = all[i];
		one = compare_endpoint(comparing, &key, endpoint, is_kept(planned, i));
		result = result == 0 || one == CERTDEPLOY_ENOMEM ? one : result;
	}
	if (result == 0)
		result = check_all_there(comparing);
	cd_buffer_free(&key);
	return result;
}

int cd_plan_predict(struct cd_plan *plan)
{
	size_t from = plan->problems->list.count;
	int result = 0;

	for (size_t i = 0; result == 0 && i < plan->inventory.services.count; i++) {
		struct comparing comparing = {.plan = plan};

		comparing.planned = cd_arena_alloc(&plan->arena, sizeof(*comparing.planned));
		if (comparing.planned == NULL || cd_vector_add(&plan->services, comparing.planned) != 0) {
			result = cd_fail_memory(plan->problems);
			break;
		}
		comparing.planned->seen = plan->inventory.services.items[i];
		plan->problems->service =
			cd_arena_string(&plan->problems->arena, comparing.planned->seen->service.name);
		result = compare_service(&comparing, i);
		plan->problems->service = NULL;
		cd_table_free(&comparing.before);
		cd_table_free(&comparing.chosen);
		cd_table_free(&comparing.deciders);
		cd_table_free(&comparing.named);
	}
	/* What is noteworthy in a configuration was told when it was read first. */
	cd_problems_drop_repeated(plan->problems, from);
	return result;
}
