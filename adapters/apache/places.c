/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * places.c - where it is written what a virtual host is to serve
 *
 * In the host's own lines where they stand, and in new ones behind them; behind lines that others read too
 * when these must stay as they are.
 */
#include "edit.h"

#include <string.h>

static int add_line(struct apache_target *target, enum apache_kind kind, const char *value)
{
	return apache_add_line(target->plan, &target->lines, kind, value, target->work);
}

/* Certificates and keys for the positions from these on, up to the last that is not as it was. */
static int add_positions(struct apache_target *target, size_t certificate, size_t key)
{
	size_t end = target->count;
	int result = 0;

	while (end > 0 && target->pairs[end - 1].fate == APACHE_KEEP)
		end--;
	for (size_t i = certificate < key ? certificate : key; result == 0 && i < end; i++) {
		if (apache_is_deleted(target, i))
			continue;
		if (i >= certificate)
			result = add_line(target, APACHE_CERTIFICATE, apache_new_certificate(target, i));
		if (result == 0 && i >= key)
			result = add_line(target, APACHE_KEY, apache_new_key(target, i));
	}
	return result;
}

static bool is_pair_ref(const struct apache_ref *ref)
{
	return ref->kind != APACHE_CHAIN;
}

/* ---- the host's own lines, changed where they stand ---- */

static const struct apache_ref *own_ref(const struct apache_host *host, enum apache_kind kind,
					size_t position)
{
	for (const struct apache_ref *ref = host->refs; ref != NULL; ref = ref->next)
		if (ref->kind == kind && position-- == 0)
			return ref;
	return NULL;
}

static int set_ref(struct apache_target *target, const struct apache_ref *ref, const char *value)
{
	return apache_replace(target->plan, ref, value);
}

static int change_position(struct apache_target *target, size_t position)
{
	const struct apache_host *host = target->host;
	const struct apache_position *pair = &target->pairs[position];
	const struct apache_ref *certificate = own_ref(host, APACHE_CERTIFICATE, position);
	const struct apache_ref *key = own_ref(host, APACHE_KEY, position);
	int result = 0;

	if (pair->fate == APACHE_KEEP)
		return 0;
	if (apache_is_deleted(target, position)) {
		result = apache_delete(target->plan, certificate);
		return result != 0 || key == NULL ? result : apache_delete(target->plan, key);
	}
	if (certificate != NULL)
		result = set_ref(target, certificate, apache_new_certificate(target, position));
	if (result == 0 && key != NULL)
		result = set_ref(target, key, apache_new_key(target, position));
	return result;
}

/* The host's own lines where they stand, and new ones for what it has not. */
static int change_positions(struct apache_target *target)
{
	size_t own = target->host->counts[APACHE_CERTIFICATE], keys = target->host->counts[APACHE_KEY];
	size_t end = own > keys ? own : keys;
	int result = 0;

	for (size_t i = 0; result == 0 && i < end && i < target->count; i++)
		result = change_position(target, i);
	return result != 0 ? result : add_positions(target, own, keys);
}

static int change_chain(struct apache_target *target)
{
	int result = 0;

	if (target->drop_chain) {
		for (const struct apache_ref *ref = target->host->refs; result == 0 && ref != NULL;
		     ref = ref->next)
			if (ref->kind == APACHE_CHAIN)
				result = apache_delete(target->plan, ref);
		return result;
	}
	if (target->chain_value == NULL)
		return 0;
	if (target->chain_own)
		return set_ref(target, target->chain, target->chain_value);
	if (target->chain != NULL && strcmp(target->chain->value, target->chain_value) == 0)
		return 0;
	return add_line(target, APACHE_CHAIN, target->chain_value);
}

/* Where new lines of the host go when none of its own says so. */
static int insert_at_top(struct apache_target *target)
{
	const struct apache_host *host = target->host;
	const struct apache_host *other = apache_sharer(target->plan, target->work, NULL);
	bool engine = host->engine_line.end != 0;

	if (target->lines.count == 0)
		return 0;
	if (host == &target->plan->model->main && !engine)
		return certdeploy_refuse(
			target->plan->reading, "config-not-understood", host->file->path, host->line,
			_("the main server has no line after which its certificate could stand"));
	if (other != NULL)
		return apache_refuse_shared(target->plan, target->work, NULL, other);
	return apache_insert(target->plan, host->file, engine ? &host->engine_line : &host->opening,
			     !engine, &target->lines);
}

/* The line in the host's own file behind which its own must stand. */
static int place_behind(const struct apache_target *target, const struct apache_ref *shared,
			const struct apache_host *other, struct apache_place *place)
{
	const struct apache_host *host = target->host;

	*place = (struct apache_place){0};
	for (const struct apache_ref *ref = host->refs; ref != NULL; ref = ref->next) {
		if (ref->use != NULL)
			return certdeploy_refuse(target->plan->reading, "config-not-understood",
						 ref->use->file, ref->use->line,
						 _("the certificate is configured by the macro used here"));
		if (ref->include.end != 0)
			*place = ref->include;
		else if (ref->file == host->file)
			*place = ref->line;
		else
			return apache_refuse_shared(target->plan, target->work, shared, other);
	}
	return 0;
}

/*
 * After the last of the host's lines that name a certificate or a key: key follows key by position. Where
 * others read that one too, after its Include.
 */
static int insert_after_own(struct apache_target *target)
{
	const struct apache_host *host = target->host, *other;
	const struct apache_ref *last = NULL;
	struct apache_place place;
	int result;

	if (target->lines.count == 0)
		return 0;
	for (const struct apache_ref *ref = host->refs; ref != NULL; ref = ref->next)
		if (is_pair_ref(ref))
			last = ref;
	if (last == NULL)
		return insert_at_top(target);
	other = apache_sharer(target->plan, target->work, last);
	if (other != NULL) {
		result = place_behind(target, last, other, &place);
		return result != 0 ? result
				   : apache_insert(target->plan, host->file, &place, false, &target->lines);
	}
	if (last->use != NULL)
		return certdeploy_refuse(target->plan->reading, "config-not-understood", last->use->file,
					 last->use->line,
					 _("the certificate is configured by the macro used here"));
	return apache_insert(target->plan, last->file, &last->line, false, &target->lines);
}

static int change_in_place(struct apache_target *target)
{
	int result = change_positions(target);

	if (result == 0)
		result = change_chain(target);
	return result != 0 ? result : insert_after_own(target);
}

/* ---- lines shared with others: the host gets its own behind them ---- */

static int write_behind(struct apache_target *target, const struct apache_ref *shared,
			const struct apache_host *other)
{
	const struct apache_host *host = target->host;
	const struct apache_host *twin = apache_sharer(target->plan, target->work, NULL);
	size_t own = host->counts[APACHE_CERTIFICATE], keys = host->counts[APACHE_KEY];
	struct apache_place place;
	int result = place_behind(target, shared, other, &place);

	if (result != 0)
		return result;
	/* The shared certificate stays behind ours; that hides it only if it has the same key type. */
	if (host == &target->plan->model->main || twin != NULL || own != target->before || keys > own)
		return apache_refuse_shared(target->plan, target->work, shared, other);
	for (size_t i = 0; i < target->before; i++) {
		const struct apache_position *pair = &target->pairs[i];
		const char *type =
			pair->fate == APACHE_GIVE ? apache_type_of(target, pair->certificate->value) : NULL;

		if (pair->fate == APACHE_DROP ||
		    (pair->fate == APACHE_GIVE &&
		     (type == NULL || strcmp(type, pair->material->key_type) != 0)))
			return apache_refuse_shared(target->plan, target->work, shared, other);
	}
	for (size_t i = keys; result == 0 && i < own; i++)
		result = add_line(target, APACHE_KEY, target->pairs[i].certificate->value);
	for (size_t i = 0; result == 0 && target->work->assignment->materials[i] != NULL; i++) {
		const struct apache_position pair = {APACHE_GIVE, target->work->assignment->materials[i],
						     NULL, NULL};

		/* A later run must be able to read them all. */
		if (own + i >= APACHE_PAIRS_MAX)
			return apache_refuse_number(target);
		result = add_line(target, APACHE_CERTIFICATE, apache_certificate_value(target, &pair));
		if (result == 0)
			result = add_line(target, APACHE_KEY, pair.material->paths.key);
	}
	if (result == 0 && target->drop_chain)
		return apache_refuse_shared(target->plan, target->work, shared, other);
	if (result == 0 && target->chain_value != NULL)
		result = add_line(target, APACHE_CHAIN, target->chain_value);
	return result != 0 ? result
			   : apache_insert(target->plan, host->file, &place, false, &target->lines);
}

/* Whether no line of the pairs is read by others. */
static bool shares_chain_alone(const struct apache_target *target, const struct apache_ref *shared)
{
	for (const struct apache_ref *ref = target->host->refs; ref != NULL; ref = ref->next)
		if (is_pair_ref(ref) && apache_is_shared(target, ref))
			return false;
	return shared->kind == APACHE_CHAIN && !target->drop_chain &&
	       target->host != &target->plan->model->main;
}

/* The pairs are the host's own; a chain file of its own follows the shared one. */
static int write_chain_behind(struct apache_target *target, const struct apache_ref *shared,
			      const struct apache_host *other)
{
	const struct apache_host *twin = apache_sharer(target->plan, target->work, NULL);
	struct apache_place place;
	int result = twin != NULL ? apache_refuse_shared(target->plan, target->work, NULL, twin)
				  : place_behind(target, shared, other, &place);

	if (result == 0)
		result = change_positions(target);
	if (result == 0)
		result = add_line(target, APACHE_CHAIN, target->chain_value);
	return result != 0 ? result
			   : apache_insert(target->plan, target->host->file, &place, false, &target->lines);
}

/* A line that would be changed although others read it too. */
static const struct apache_ref *shared_line(const struct apache_target *target,
					    const struct apache_host **other)
{
	bool chain = target->drop_chain || (target->chain_own && target->chain_value != NULL &&
					    strcmp(target->chain->value, target->chain_value) != 0);
	size_t counts[3] = {0};

	for (const struct apache_ref *ref = target->host->refs; ref != NULL; ref = ref->next) {
		size_t position = counts[ref->kind]++;
		bool changes = chain;

		if (ref->kind != APACHE_CHAIN && position >= target->count)
			continue;
		if (ref->kind != APACHE_CHAIN && target->pairs[position].fate == APACHE_KEEP)
			continue;
		if (ref->kind == APACHE_CERTIFICATE)
			changes = strcmp(ref->value, apache_new_certificate(target, position)) != 0;
		else if (ref->kind == APACHE_KEY)
			changes = strcmp(ref->value, apache_new_key(target, position)) != 0;
		if (changes && (*other = apache_sharer(target->plan, target->work, ref)) != NULL)
			return ref;
	}
	return NULL;
}

/*
 * Whether what is in force is what is wanted: an earlier run may have written behind shared lines, or to
 * the main server.
 */
static bool is_served(const struct apache_target *target)
{
	const struct apache_model *model = target->plan->model;
	size_t count = apache_merged_count(model, target->host, APACHE_CERTIFICATE);

	if (target->drop_chain ||
	    (target->chain_value != NULL &&
	     (target->chain == NULL || strcmp(target->chain->value, target->chain_value) != 0)))
		return false;
	for (size_t i = 0; target->work->assignment->materials[i] != NULL; i++) {
		const struct apache_position wanted = {APACHE_GIVE, target->work->assignment->materials[i],
						       NULL, NULL};
		bool found = false;

		for (size_t j = count; j-- > 0 && !found;) {
			const struct apache_ref *key =
				apache_merged_ref(model, target->host, APACHE_KEY, j);
			const struct apache_ref *certificate =
				apache_merged_ref(model, target->host, APACHE_CERTIFICATE, j);
			const char *type = apache_type_of(target, certificate->value);

			if (strcmp(certificate->value, apache_certificate_value(target, &wanted)) == 0 &&
			    key != NULL && strcmp(key->value, wanted.material->paths.key) == 0)
				found = true;
			else if (type == NULL || strcmp(type, wanted.material->key_type) == 0)
				return false;
		}
		if (!found)
			return false;
	}
	for (size_t i = 0; i < target->before; i++)
		if (target->pairs[i].fate == APACHE_DROP)
			return false;
	return true;
}

int apache_plan_host(struct apache_plan *plan, const struct apache_work *work)
{
	struct apache_target target = {.plan = plan, .work = work, .host = work->host};
	const struct apache_host *other = NULL;
	const struct apache_ref *shared;
	int result = apache_make_target(&target);

	if (result == 0)
		result = apache_choose_chain(&target);
	if (result != 0 || is_served(&target))
		return result;
	shared = shared_line(&target, &other);
	if (shared == NULL)
		return change_in_place(&target);
	return shares_chain_alone(&target, shared) ? write_chain_behind(&target, shared, other)
						   : write_behind(&target, shared, other);
}
