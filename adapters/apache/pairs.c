/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pairs.c - what a virtual host is to serve, position by position
 *
 * httpd takes the nth SSLCertificateFile with the nth SSLCertificateKeyFile, own lines before those
 * inherited at the same position; of two pairs of one key type the last is served. A chain file in
 * force makes it take only the leaf of each certificate file.
 */
#include "edit.h"

#include <string.h>
#include <time.h>

static bool same_path(const char *one, const char *other)
{
	return one != NULL && other != NULL && strcmp(one, other) == 0;
}

/* Whether it stands there already, under any of its paths. */
static bool is_of(const struct certdeploy_material *material, const char *path)
{
	return same_path(path, material->paths.fullchain) || same_path(path, material->paths.certificate) ||
	       same_path(path, material->paths.combined);
}

/* ---- which certificate goes where ---- */

const char *apache_type_of(const struct apache_target *target, const char *path)
{
	const struct certdeploy_leaf *leaf;

	for (size_t i = 0; target->work->assignment->materials[i] != NULL; i++)
		if (is_of(target->work->assignment->materials[i], path))
			return target->work->assignment->materials[i]->key_type;
	return certdeploy_leaf(&leaf, target->plan->reading, path) == 0 ? leaf->key_type : NULL;
}

static bool name_covers(const char *pattern, const char *name)
{
	const char *dot = strchr(name, '.');

	if (pattern[0] == '*' && pattern[1] == '.')
		return dot != NULL && dot != name && apache_same_caseless(pattern + 1, dot);
	return apache_same_caseless(pattern, name);
}

bool apache_covers(const char *const *names, const char *name)
{
	for (; names != NULL && *names != NULL; names++)
		if (name_covers(*names, name) || apache_same_caseless(*names, name))
			return true;
	return false;
}

/* Names of the host that the new certificate has; of it all where the host has none of them. */
static bool still_good(const struct apache_target *target, const struct certdeploy_leaf *leaf)
{
	const struct apache_host *host = target->host;
	const char *const *given = target->work->assignment->materials[0]->names;
	const struct apache_name *name = host->server_name, *next = host->aliases;
	bool any = false;

	if (leaf->not_after <= (int64_t)time(NULL))
		return false;
	while (name != NULL || next != NULL) {
		if (name != NULL && apache_covers(given, name->text)) {
			any = true;
			if (!apache_covers(leaf->names, name->text))
				return false;
		}
		name = next;
		next = next == NULL ? NULL : next->next;
	}
	for (; !any && given != NULL && *given != NULL; given++)
		if (!apache_covers(leaf->names, *given))
			return false;
	return true;
}

static int judge_other(struct apache_target *target, struct apache_position *pair)
{
	const struct apache_ref *ref = pair->certificate;
	const char *file = ref->file != NULL ? ref->file->path : ref->use->file;
	struct certdeploy_reading *reading = target->plan->reading;
	const struct certdeploy_leaf *leaf;

	if (target->work->assignment->drop_other_types) {
		pair->fate = APACHE_DROP;
		return 0;
	}
	if (certdeploy_leaf(&leaf, reading, ref->value) != 0)
		return certdeploy_refuse(reading, "config-not-understood", file, ref->number,
					 _("cannot read this certificate, whose key type must be known"));
	if (!still_good(target, leaf))
		return certdeploy_refuse(reading, "other-key-type", file, ref->number,
					 _("the %s certificate here would stay, but has expired or lacks "
					   "names of the new one"),
					 leaf->key_type);
	certdeploy_report(reading, CERTDEPLOY_NOTICE, "other-key-type", file, ref->number,
			  _("the %s certificate here stays: it is still good for the same names"),
			  leaf->key_type);
	target->kept = true;
	return 0;
}

bool apache_is_shared(const struct apache_target *target, const struct apache_ref *ref)
{
	return apache_sharer(target->plan, target->work, ref) != NULL;
}

static bool is_given(const struct apache_target *target, const struct certdeploy_material *material)
{
	for (size_t i = 0; i < target->count; i++)
		if (target->pairs[i].fate == APACHE_GIVE && target->pairs[i].material == material)
			return true;
	return false;
}

static void give(struct apache_position *pair, const struct certdeploy_material *material)
{
	pair->fate = APACHE_GIVE;
	pair->material = material;
}

/* To each position that is there its certificate, by key type. */
static int match_types(struct apache_target *target)
{
	const struct certdeploy_material *const *materials = target->work->assignment->materials;
	const char *types[APACHE_PAIRS_MAX] = {NULL};
	int result = 0;

	/* One for one: whatever its type. */
	if (target->count == 1 && materials[1] == NULL) {
		give(&target->pairs[0], materials[0]);
		return 0;
	}
	for (size_t i = 0; i < target->count; i++) {
		types[i] = apache_type_of(target, target->pairs[i].certificate->value);
		for (size_t j = 0; types[i] != NULL && materials[j] != NULL; j++)
			if (strcmp(types[i], materials[j]->key_type) == 0)
				give(&target->pairs[i], materials[j]);
	}
	/* What cannot be read takes what nothing else has taken. */
	for (size_t i = 0; i < target->count; i++)
		for (size_t j = 0;
		     types[i] == NULL && target->pairs[i].fate == APACHE_KEEP && materials[j] != NULL; j++)
			if (materials[1] != NULL && !is_given(target, materials[j]))
				give(&target->pairs[i], materials[j]);
	/* A single pair goes, also of a third type, when several are given. */
	if (target->count == 1 && target->pairs[0].fate == APACHE_KEEP)
		give(&target->pairs[0], materials[0]);
	for (size_t i = 0; result == 0 && i < target->count; i++)
		if (target->pairs[i].fate == APACHE_KEEP)
			result = judge_other(target, &target->pairs[i]);
	return result;
}

/*
 * A pair in lines that others read too may stay as it is where a later pair of the host's own, of the same
 * key type, hides it.
 */
static void keep_hidden(struct apache_target *target)
{
	const uint16_t own = target->host->counts[APACHE_CERTIFICATE];

	for (size_t i = 0; i + 1 < own && i + 1 < target->before; i++) {
		struct apache_position *pair = &target->pairs[i];
		const struct apache_position *later = &target->pairs[i + 1];
		const char *type;

		while (later < &target->pairs[target->before] &&
		       (later->fate != APACHE_GIVE || later->material != pair->material ||
			apache_is_shared(target, later->certificate)))
			later++;
		if (pair->fate != APACHE_GIVE || later == &target->pairs[target->before] ||
		    !apache_is_shared(target, pair->certificate))
			continue;
		type = apache_type_of(target, pair->certificate->value);
		if (type != NULL && strcmp(type, pair->material->key_type) == 0)
			pair->fate = APACHE_KEEP;
	}
}

/* What is inherited behind the third certificate no line of the host's own can hide. */
static bool drops_what_stays(const struct apache_target *target)
{
	const struct apache_host *base = &target->plan->model->main;

	for (size_t i = APACHE_OWN_FIRST; target->host != base && i < base->counts[APACHE_CERTIFICATE]; i++)
		if (target->pairs[i].fate == APACHE_DROP)
			return true;
	return false;
}

/*
 * Own lines come before what is inherited behind the third, certificates and keys each by themselves: where
 * there are fewer keys, a new one would go with an old certificate, and httpd would end.
 */
static bool shifts_keys(const struct apache_target *target)
{
	const struct apache_host *base = &target->plan->model->main;

	return target->host != base && base->counts[APACHE_CERTIFICATE] > APACHE_OWN_FIRST &&
	       base->counts[APACHE_KEY] < base->counts[APACHE_CERTIFICATE];
}

int apache_refuse_number(const struct apache_target *target)
{
	const struct apache_host *host = target->host;

	return certdeploy_refuse(target->plan->reading, "config-not-understood", host->file->path,
				 host->line, _("there are too many certificates"));
}

int apache_make_target(struct apache_target *target)
{
	const struct apache_model *model = target->plan->model;
	const struct apache_host *host = target->host;
	size_t count = apache_merged_count(model, host, APACHE_CERTIFICATE);
	int result;

	if (count > APACHE_PAIRS_MAX)
		return apache_refuse_number(target);
	for (size_t i = 0; i < count; i++) {
		target->pairs[i].certificate = apache_merged_ref(model, host, APACHE_CERTIFICATE, i);
		target->pairs[i].key = apache_merged_ref(model, host, APACHE_KEY, i);
	}
	target->count = target->before = count;
	result = match_types(target);
	if (result == 0 && (drops_what_stays(target) || shifts_keys(target)))
		return apache_refuse_number(target);
	for (size_t i = 0; result == 0 && target->work->assignment->materials[i] != NULL; i++) {
		const struct certdeploy_material *material = target->work->assignment->materials[i];

		if (is_given(target, material))
			continue;
		if (target->count == APACHE_PAIRS_MAX)
			return apache_refuse_number(target);
		give(&target->pairs[target->count++], material);
	}
	if (result == 0)
		keep_hidden(target);
	return result;
}

/* ---- the chain ---- */

/* Whether each file that stays brings its chain itself. */
static bool kept_have_chains(const struct apache_target *target)
{
	const struct certdeploy_leaf *leaf;

	for (size_t i = 0; i < target->before; i++)
		if (target->pairs[i].fate == APACHE_KEEP &&
		    (certdeploy_leaf(&leaf, target->plan->reading, target->pairs[i].certificate->value) !=
			     0 ||
		     leaf->certificates < 2))
			return false;
	return true;
}

/* Whether a file that is read more than once has a line of it: others may want the chain there. */
static bool is_in_snippet(const struct apache_host *host)
{
	for (const struct apache_ref *ref = host->refs; ref != NULL; ref = ref->next)
		if (ref->kind != APACHE_CHAIN && ref->file != NULL && ref->file->reads > 1)
			return true;
	return false;
}

static bool is_chain_shared(const struct apache_target *target)
{
	for (const struct apache_ref *ref = target->host->refs; ref != NULL; ref = ref->next)
		if (ref->kind == APACHE_CHAIN && apache_is_shared(target, ref))
			return true;
	return false;
}

/* Whether all that is given has one chain, which one file may hold. */
static bool share_a_chain(const struct certdeploy_material *const *materials)
{
	const char *first = materials[0]->chain_sha256;

	for (; first != NULL && *materials != NULL; materials++)
		if ((*materials)->chain_sha256 == NULL || strcmp((*materials)->chain_sha256, first) != 0)
			return false;
	return first != NULL;
}

int apache_choose_chain(struct apache_target *target)
{
	const struct apache_model *model = target->plan->model;
	const struct apache_host *host = target->host;
	const struct certdeploy_material *first = target->work->assignment->materials[0];
	bool several = target->kept || target->work->assignment->materials[1] != NULL;
	bool old = apache_version_compare(&model->version, 2, 4, 8) < 0;
	bool base_chain = host != &model->main && apache_chain_ref(model, &model->main) != NULL;

	target->chain = apache_chain_ref(model, host);
	target->chain_own = host->counts[APACHE_CHAIN] != 0;
	if (target->chain == NULL && (!old || !first->has_chain || first->paths.chain == NULL))
		return 0;
	if (several && target->chain != NULL) {
		if (target->chain_own && !base_chain && !old && kept_have_chains(target)) {
			target->drop_chain = true;
			return 0;
		}
		if (target->kept || !share_a_chain(target->work->assignment->materials))
			return certdeploy_refuse(target->plan->reading,
						 target->kept ? "other-key-type" : "config-not-understood",
						 target->chain->file != NULL ? target->chain->file->path
									     : target->chain->use->file,
						 target->chain->number,
						 _("certificates of two key types share this chain file"));
	}
	if (first->has_chain && first->paths.chain != NULL) {
		target->chain_value = first->paths.chain;
	} else if (target->chain_own && !base_chain && !is_chain_shared(target)) {
		target->drop_chain = true;
	} else {
		/* A chain file that is the certificate file itself adds nothing to it. */
		target->chain_value = first->paths.certificate;
	}
	target->leaf_only = target->chain_value != NULL && !is_in_snippet(host);
	return 0;
}

const char *apache_certificate_value(const struct apache_target *target, const struct apache_position *pair)
{
	const struct certdeploy_paths *paths = &pair->material->paths;

	if (target->leaf_only || paths->fullchain == NULL)
		return paths->certificate;
	return paths->fullchain;
}

/* ---- what each position names ---- */

/* The certificate that a new line at this position names. */
const char *apache_new_certificate(const struct apache_target *target, size_t position)
{
	const struct apache_position *pair = &target->pairs[position];

	if (pair->fate == APACHE_GIVE)
		return apache_certificate_value(target, pair);
	/* A dropped one is hidden behind the one that takes its place. */
	if (pair->fate == APACHE_DROP)
		return apache_certificate_value(
			target,
			&(struct apache_position){.material = target->work->assignment->materials[0]});
	return pair->certificate->value;
}

const char *apache_new_key(const struct apache_target *target, size_t position)
{
	const struct apache_position *pair = &target->pairs[position];

	if (pair->fate == APACHE_GIVE)
		return pair->material->paths.key;
	if (pair->fate == APACHE_DROP)
		return target->work->assignment->materials[0]->paths.key;
	return pair->key == NULL ? pair->certificate->value : pair->key->value;
}

/* A dropped one makes way, so that those behind it move up; over inherited ones its position must stay. */
bool apache_is_deleted(const struct apache_target *target, size_t position)
{
	const struct apache_host *base = &target->plan->model->main;

	return target->pairs[position].fate == APACHE_DROP &&
	       (target->host == base || base->counts[APACHE_CERTIFICATE] == 0);
}
