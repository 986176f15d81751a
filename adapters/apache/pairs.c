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

/* Positions; more than this nobody has. */
#define PAIRS_MAX 16

enum fate {
	KEEP,
	GIVE, /* another certificate */
	DROP,
};

struct pair {
	enum fate fate;
	const struct certdeploy_material *material;
	const struct apache_ref *certificate; /* what is in force now; NULL: a new one */
	const struct apache_ref *key;
};

struct target {
	struct apache_plan *plan;
	const struct apache_work *work;
	const struct apache_host *host;
	struct pair pairs[PAIRS_MAX];
	size_t count;  /* pairs that will be there */
	size_t before; /* of these, now */
	bool kept;     /* one of another type stays */
	/* the chain */
	const struct apache_ref *chain; /* in force now */
	bool chain_own;
	bool leaf_only;          /* write the leaf alone, beside a chain file */
	bool drop_chain;         /* take the own chain lines away */
	const char *chain_value; /* the chain file wanted, or NULL */
	struct apache_lines_to_add lines;
};

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

static const char *type_of(const struct target *target, const char *path)
{
	const struct certdeploy_leaf *leaf;

	for (size_t i = 0; target->work->materials[i] != NULL; i++)
		if (is_of(target->work->materials[i], path))
			return target->work->materials[i]->key_type;
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
static bool still_good(const struct target *target, const struct certdeploy_leaf *leaf)
{
	const struct apache_host *host = target->host;
	const char *const *given = target->work->materials[0]->names;
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

static int judge_other(struct target *target, struct pair *pair)
{
	const struct apache_ref *ref = pair->certificate;
	const char *file = ref->file != NULL ? ref->file->path : ref->use->file;
	struct certdeploy_reading *reading = target->plan->reading;
	const struct certdeploy_leaf *leaf;

	if (target->work->drop) {
		pair->fate = DROP;
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

static bool is_shared(const struct target *target, const struct apache_ref *ref)
{
	return apache_sharer(target->plan, target->work, ref) != NULL;
}

static bool is_given(const struct target *target, const struct certdeploy_material *material)
{
	for (size_t i = 0; i < target->count; i++)
		if (target->pairs[i].fate == GIVE && target->pairs[i].material == material)
			return true;
	return false;
}

static void give(struct pair *pair, const struct certdeploy_material *material)
{
	pair->fate = GIVE;
	pair->material = material;
}

/* To each position that is there its certificate, by key type. */
static int match_types(struct target *target)
{
	const struct certdeploy_material *const *materials = target->work->materials;
	const char *types[PAIRS_MAX] = {NULL};
	int result = 0;

	/* One for one: whatever its type. */
	if (target->count == 1 && materials[1] == NULL) {
		give(&target->pairs[0], materials[0]);
		return 0;
	}
	for (size_t i = 0; i < target->count; i++) {
		types[i] = type_of(target, target->pairs[i].certificate->value);
		for (size_t j = 0; types[i] != NULL && materials[j] != NULL; j++)
			if (strcmp(types[i], materials[j]->key_type) == 0)
				give(&target->pairs[i], materials[j]);
	}
	/* What cannot be read takes what nothing else has taken. */
	for (size_t i = 0; i < target->count; i++)
		for (size_t j = 0;
		     types[i] == NULL && target->pairs[i].fate == KEEP && materials[j] != NULL; j++)
			if (materials[1] != NULL && !is_given(target, materials[j]))
				give(&target->pairs[i], materials[j]);
	/* A single pair goes, also of a third type, when several are given. */
	if (target->count == 1 && target->pairs[0].fate == KEEP)
		give(&target->pairs[0], materials[0]);
	for (size_t i = 0; result == 0 && i < target->count; i++)
		if (target->pairs[i].fate == KEEP)
			result = judge_other(target, &target->pairs[i]);
	return result;
}

/*
 * A pair in lines that others read too may stay as it is where a later pair of the host's own, of the same
 * key type, hides it.
 */
static void keep_hidden(struct target *target)
{
	const uint16_t own = target->host->counts[APACHE_CERTIFICATE];

	for (size_t i = 0; i + 1 < own && i + 1 < target->before; i++) {
		struct pair *pair = &target->pairs[i];
		const struct pair *later = &target->pairs[i + 1];
		const char *type;

		while (later < &target->pairs[target->before] &&
		       (later->fate != GIVE || later->material != pair->material ||
			is_shared(target, later->certificate)))
			later++;
		if (pair->fate != GIVE || later == &target->pairs[target->before] ||
		    !is_shared(target, pair->certificate))
			continue;
		type = type_of(target, pair->certificate->value);
		if (type != NULL && strcmp(type, pair->material->key_type) == 0)
			pair->fate = KEEP;
	}
}

/* What is inherited behind the third certificate no line of the host's own can hide. */
static bool drops_what_stays(const struct target *target)
{
	const struct apache_host *base = &target->plan->model->main;

	for (size_t i = APACHE_OWN_FIRST; target->host != base && i < base->counts[APACHE_CERTIFICATE]; i++)
		if (target->pairs[i].fate == DROP)
			return true;
	return false;
}

/*
 * Own lines come before what is inherited behind the third, certificates and keys each by themselves: where
 * there are fewer keys, a new one would go with an old certificate, and httpd would end.
 */
static bool shifts_keys(const struct target *target)
{
	const struct apache_host *base = &target->plan->model->main;

	return target->host != base && base->counts[APACHE_CERTIFICATE] > APACHE_OWN_FIRST &&
	       base->counts[APACHE_KEY] < base->counts[APACHE_CERTIFICATE];
}

static int refuse_number(const struct target *target)
{
	const struct apache_host *host = target->host;

	return certdeploy_refuse(target->plan->reading, "config-not-understood", host->file->path,
				 host->line, _("there are too many certificates"));
}

static int make_target(struct target *target)
{
	const struct apache_model *model = target->plan->model;
	const struct apache_host *host = target->host;
	size_t count = apache_merged_count(model, host, APACHE_CERTIFICATE);
	int result;

	if (count > PAIRS_MAX)
		return refuse_number(target);
	for (size_t i = 0; i < count; i++) {
		target->pairs[i].certificate = apache_merged_ref(model, host, APACHE_CERTIFICATE, i);
		target->pairs[i].key = apache_merged_ref(model, host, APACHE_KEY, i);
	}
	target->count = target->before = count;
	result = match_types(target);
	if (result == 0 && (drops_what_stays(target) || shifts_keys(target)))
		return refuse_number(target);
	for (size_t i = 0; result == 0 && target->work->materials[i] != NULL; i++) {
		const struct certdeploy_material *material = target->work->materials[i];

		if (is_given(target, material))
			continue;
		if (target->count == PAIRS_MAX)
			return refuse_number(target);
		give(&target->pairs[target->count++], material);
	}
	if (result == 0)
		keep_hidden(target);
	return result;
}

/* ---- the chain ---- */

/* Whether each file that stays brings its chain itself. */
static bool kept_have_chains(const struct target *target)
{
	const struct certdeploy_leaf *leaf;

	for (size_t i = 0; i < target->before; i++)
		if (target->pairs[i].fate == KEEP &&
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

static bool is_chain_shared(const struct target *target)
{
	for (const struct apache_ref *ref = target->host->refs; ref != NULL; ref = ref->next)
		if (ref->kind == APACHE_CHAIN && is_shared(target, ref))
			return true;
	return false;
}

static int choose_chain(struct target *target)
{
	const struct apache_model *model = target->plan->model;
	const struct apache_host *host = target->host;
	const struct certdeploy_material *first = target->work->materials[0];
	bool several = target->kept || target->work->materials[1] != NULL;
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
		return certdeploy_refuse(
			target->plan->reading, target->kept ? "other-key-type" : "config-not-understood",
			target->chain->file != NULL ? target->chain->file->path : target->chain->use->file,
			target->chain->number, _("certificates of two key types share this chain file"));
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

static const char *certificate_value(const struct target *target, const struct pair *pair)
{
	const struct certdeploy_paths *paths = &pair->material->paths;

	if (target->leaf_only || paths->fullchain == NULL)
		return paths->certificate;
	return paths->fullchain;
}

/* ---- lines to add ---- */

static int add_line(struct target *target, enum apache_kind kind, const char *value)
{
	return apache_add_line(target->plan, &target->lines, kind, value, target->work);
}

/* The certificate that a new line at this position names. */
static const char *new_certificate(const struct target *target, size_t position)
{
	const struct pair *pair = &target->pairs[position];

	if (pair->fate == GIVE)
		return certificate_value(target, pair);
	/* A dropped one is hidden behind the one that takes its place. */
	if (pair->fate == DROP)
		return certificate_value(target, &(struct pair){.material = target->work->materials[0]});
	return pair->certificate->value;
}

static const char *new_key(const struct target *target, size_t position)
{
	const struct pair *pair = &target->pairs[position];

	if (pair->fate == GIVE)
		return pair->material->paths.key;
	if (pair->fate == DROP)
		return target->work->materials[0]->paths.key;
	return pair->key == NULL ? pair->certificate->value : pair->key->value;
}

/* A dropped one makes way, so that those behind it move up; over inherited ones its position must stay. */
static bool is_deleted(const struct target *target, size_t position)
{
	const struct apache_host *base = &target->plan->model->main;

	return target->pairs[position].fate == DROP &&
	       (target->host == base || base->counts[APACHE_CERTIFICATE] == 0);
}

/* Certificates and keys for the positions from these on, up to the last that is not as it was. */
static int add_positions(struct target *target, size_t certificate, size_t key)
{
	size_t end = target->count;
	int result = 0;

	while (end > 0 && target->pairs[end - 1].fate == KEEP)
		end--;
	for (size_t i = certificate < key ? certificate : key; result == 0 && i < end; i++) {
		if (is_deleted(target, i))
			continue;
		if (i >= certificate)
			result = add_line(target, APACHE_CERTIFICATE, new_certificate(target, i));
		if (result == 0 && i >= key)
			result = add_line(target, APACHE_KEY, new_key(target, i));
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

static int set_ref(struct target *target, const struct apache_ref *ref, const char *value)
{
	return apache_replace(target->plan, ref, value);
}

static int change_position(struct target *target, size_t position)
{
	const struct apache_host *host = target->host;
	const struct pair *pair = &target->pairs[position];
	const struct apache_ref *certificate = own_ref(host, APACHE_CERTIFICATE, position);
	const struct apache_ref *key = own_ref(host, APACHE_KEY, position);
	int result = 0;

	if (pair->fate == KEEP)
		return 0;
	if (is_deleted(target, position)) {
		result = apache_delete(target->plan, certificate);
		return result != 0 || key == NULL ? result : apache_delete(target->plan, key);
	}
	if (certificate != NULL)
		result = set_ref(target, certificate, new_certificate(target, position));
	if (result == 0 && key != NULL)
		result = set_ref(target, key, new_key(target, position));
	return result;
}

/* The host's own lines where they stand, and new ones for what it has not. */
static int change_positions(struct target *target)
{
	size_t own = target->host->counts[APACHE_CERTIFICATE], keys = target->host->counts[APACHE_KEY];
	size_t end = own > keys ? own : keys;
	int result = 0;

	for (size_t i = 0; result == 0 && i < end && i < target->count; i++)
		result = change_position(target, i);
	return result != 0 ? result : add_positions(target, own, keys);
}

static int change_chain(struct target *target)
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
static int insert_at_top(struct target *target)
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
static int place_behind(const struct target *target, const struct apache_ref *shared,
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
static int insert_after_own(struct target *target)
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

static int change_in_place(struct target *target)
{
	int result = change_positions(target);

	if (result == 0)
		result = change_chain(target);
	return result != 0 ? result : insert_after_own(target);
}

/* ---- lines shared with others: the host gets its own behind them ---- */

static int write_behind(struct target *target, const struct apache_ref *shared,
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
		const struct pair *pair = &target->pairs[i];
		const char *type = pair->fate == GIVE ? type_of(target, pair->certificate->value) : NULL;

		if (pair->fate == DROP ||
		    (pair->fate == GIVE && (type == NULL || strcmp(type, pair->material->key_type) != 0)))
			return apache_refuse_shared(target->plan, target->work, shared, other);
	}
	for (size_t i = keys; result == 0 && i < own; i++)
		result = add_line(target, APACHE_KEY, target->pairs[i].certificate->value);
	for (size_t i = 0; result == 0 && target->work->materials[i] != NULL; i++) {
		const struct pair pair = {GIVE, target->work->materials[i], NULL, NULL};

		/* A later run must be able to read them all. */
		if (own + i >= PAIRS_MAX)
			return refuse_number(target);
		result = add_line(target, APACHE_CERTIFICATE, certificate_value(target, &pair));
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
static bool shares_chain_alone(const struct target *target, const struct apache_ref *shared)
{
	for (const struct apache_ref *ref = target->host->refs; ref != NULL; ref = ref->next)
		if (is_pair_ref(ref) && is_shared(target, ref))
			return false;
	return shared->kind == APACHE_CHAIN && !target->drop_chain &&
	       target->host != &target->plan->model->main;
}

/* The pairs are the host's own; a chain file of its own follows the shared one. */
static int write_chain_behind(struct target *target, const struct apache_ref *shared,
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
static const struct apache_ref *shared_line(const struct target *target, const struct apache_host **other)
{
	bool chain = target->drop_chain || (target->chain_own && target->chain_value != NULL &&
					    strcmp(target->chain->value, target->chain_value) != 0);
	size_t counts[3] = {0};

	for (const struct apache_ref *ref = target->host->refs; ref != NULL; ref = ref->next) {
		size_t position = counts[ref->kind]++;
		bool changes = chain;

		if (ref->kind != APACHE_CHAIN && position >= target->count)
			continue;
		if (ref->kind != APACHE_CHAIN && target->pairs[position].fate == KEEP)
			continue;
		if (ref->kind == APACHE_CERTIFICATE)
			changes = strcmp(ref->value, new_certificate(target, position)) != 0;
		else if (ref->kind == APACHE_KEY)
			changes = strcmp(ref->value, new_key(target, position)) != 0;
		if (changes && (*other = apache_sharer(target->plan, target->work, ref)) != NULL)
			return ref;
	}
	return NULL;
}

/*
 * Whether what is in force is what is wanted: an earlier run may have written behind shared lines, or to
 * the main server.
 */
static bool is_served(const struct target *target)
{
	const struct apache_model *model = target->plan->model;
	size_t count = apache_merged_count(model, target->host, APACHE_CERTIFICATE);

	if (target->drop_chain ||
	    (target->chain_value != NULL &&
	     (target->chain == NULL || strcmp(target->chain->value, target->chain_value) != 0)))
		return false;
	for (size_t i = 0; target->work->materials[i] != NULL; i++) {
		const struct pair wanted = {GIVE, target->work->materials[i], NULL, NULL};
		bool found = false;

		for (size_t j = count; j-- > 0 && !found;) {
			const struct apache_ref *key =
				apache_merged_ref(model, target->host, APACHE_KEY, j);
			const struct apache_ref *certificate =
				apache_merged_ref(model, target->host, APACHE_CERTIFICATE, j);
			const char *type = type_of(target, certificate->value);

			if (strcmp(certificate->value, certificate_value(target, &wanted)) == 0 &&
			    key != NULL && strcmp(key->value, wanted.material->paths.key) == 0)
				found = true;
			else if (type == NULL || strcmp(type, wanted.material->key_type) == 0)
				return false;
		}
		if (!found)
			return false;
	}
	for (size_t i = 0; i < target->before; i++)
		if (target->pairs[i].fate == DROP)
			return false;
	return true;
}

int apache_plan_host(struct apache_plan *plan, const struct apache_work *work)
{
	struct target target = {.plan = plan, .work = work, .host = work->host};
	const struct apache_host *other = NULL;
	const struct apache_ref *shared;
	int result = make_target(&target);

	if (result == 0)
		result = choose_chain(&target);
	if (result != 0 || is_served(&target))
		return result;
	shared = shared_line(&target, &other);
	if (shared == NULL)
		return change_in_place(&target);
	return shares_chain_alone(&target, shared) ? write_chain_behind(&target, shared, other)
						   : write_behind(&target, shared, other);
}
