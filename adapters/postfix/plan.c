/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan.c - what must change so that the listeners serve the certificates given
 *
 * The family in force is written, chain files or legacy pairs. A pair of another key type stays while it
 * is good for the same names; a single pair is replaced whatever its type.
 */
#include "postfix.h"

#include <time.h>

/* A certificate in its place: a new one, or one that stays. */
struct placed {
	const struct certdeploy_material *material; /* NULL: it stays */
	const struct postfix_pair *pair;
};

/* The pairs that stay and the materials that come, for one source. */
struct outcome {
	const struct certdeploy_material *const *materials;
	size_t material_count;
	const struct postfix_pair **kept;
	size_t kept_count;
	const struct postfix_pair **used; /* pairs that count: none is hidden by a later one */
	size_t used_count;
};

/* ---- what stays ---- */

static bool covers(const char *pattern, const char *name)
{
	const char *dot;

	if (strcasecmp(pattern, name) == 0)
		return true;
	dot = strchr(name, '.');
	return strncmp(pattern, "*.", 2) == 0 && dot != NULL && dot != name && name[0] != '*' &&
	       strcasecmp(pattern + 1, dot) == 0;
}

static bool all_covered(const char *const *names, const char *const *patterns)
{
	for (; *names != NULL; names++) {
		const char *const *pattern = patterns;

		while (*pattern != NULL && !covers(*pattern, *names))
			pattern++;
		if (*pattern == NULL)
			return false;
	}
	return true;
}

static bool still_good(const struct postfix_pair *pair, const struct certdeploy_material *material)
{
	return pair->leaf != NULL && pair->leaf->not_after > (int64_t)time(NULL) &&
	       all_covered(material->names, pair->leaf->names);
}

static bool brought(const struct outcome *outcome, const char *key_type)
{
	for (size_t i = 0; key_type != NULL && i < outcome->material_count; i++)
		if (strcmp(outcome->materials[i]->key_type, key_type) == 0)
			return true;
	return false;
}

/* Of two pairs of one key type the later is served. */
static bool hidden(const struct postfix_source *source, size_t index)
{
	const char *type = source->pairs[index].key_type;

	for (size_t i = index + 1; type != NULL && i < source->pair_count; i++)
		if (source->pairs[i].key_type != NULL && strcmp(source->pairs[i].key_type, type) == 0)
			return true;
	return false;
}

static int settle(struct outcome *out, struct postfix_model *model, struct postfix_source *source)
{
	const struct certdeploy_assignment *assignment = source->assignment;
	size_t room = source->pair_count + 1;

	*out = (struct outcome){.materials = assignment->materials};
	while (out->materials[out->material_count] != NULL)
		out->material_count++;
	out->used = certdeploy_alloc(model->reading, room * sizeof(*out->used));
	out->kept = certdeploy_alloc(model->reading, room * sizeof(*out->kept));
	if (out->used == NULL || out->kept == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < source->pair_count; i++)
		if (!hidden(source, i))
			out->used[out->used_count++] = &source->pairs[i];
	for (size_t i = 0; out->used_count > 1 && i < out->used_count; i++) {
		const struct postfix_pair *pair = out->used[i];

		if (brought(out, pair->key_type) || assignment->drop_other_types)
			continue;
		if (!still_good(pair, out->materials[0]))
			return certdeploy_refuse(
				model->reading, "other-key-type", source->shown[pair - source->pairs].file,
				source->shown[pair - source->pairs].line,
				_("%s, of another key type, is not good for the same names any more"),
				pair->certificate);
		out->kept[out->kept_count++] = pair;
	}
	return 0;
}

/* ---- legacy parameters ---- */

static enum postfix_slot preferred(const char *key_type)
{
	if (strcmp(key_type, "ecdsa") == 0)
		return POSTFIX_SLOT_EC;
	return strcmp(key_type, "dsa") == 0 ? POSTFIX_SLOT_DSA : POSTFIX_SLOT_CERT;
}

static enum postfix_slot free_slot(const struct placed *slots, enum postfix_slot wanted)
{
	enum postfix_slot slot = wanted;

	for (size_t i = 0; i < POSTFIX_SLOTS; i++) {
		if (slots[slot].material == NULL && slots[slot].pair == NULL)
			return slot;
		slot = slot + 1 == POSTFIX_SLOTS ? POSTFIX_SLOT_CERT : slot + 1;
	}
	return wanted;
}

static enum postfix_slot slot_for(const struct outcome *outcome, const struct placed *slots,
				  const struct certdeploy_material *material)
{
	enum postfix_slot wanted = preferred(material->key_type);

	/* A pair of the same type is replaced where it stands, if others stay. */
	for (size_t i = 0; outcome->kept_count != 0 && i < outcome->used_count; i++)
		if (outcome->used[i]->key_type != NULL &&
		    strcmp(outcome->used[i]->key_type, material->key_type) == 0)
			return free_slot(slots, outcome->used[i]->slot);
	/* One alone goes where one stands alone now, else where everybody looks. */
	if (outcome->material_count == 1 && outcome->kept_count == 0)
		return outcome->used_count == 1 && outcome->used[0]->slot == wanted ? wanted
										    : POSTFIX_SLOT_CERT;
	return free_slot(slots, wanted);
}

static int set_legacy(struct postfix_model *model, struct postfix_source *source, const char *name,
		      const char *text)
{
	const char *full = postfix_parameter_name(model, source, name);

	return full == NULL ? CERTDEPLOY_ENOMEM : postfix_set(model, source->row, full, text);
}

static int fill_slot(struct postfix_model *model, struct postfix_source *source, enum postfix_slot slot,
		     const struct certdeploy_material *material)
{
	const char *certificate = material->paths.fullchain, *key = material->paths.key;
	bool option = source->row != NULL;
	int result = postfix_check_path(model, certificate, false, option);

	if (result == 0)
		result = postfix_check_path(model, key, false, option);
	if (result == 0)
		result = set_legacy(model, source, postfix_slot_certificate[slot], certificate);
	if (result == 0)
		result = set_legacy(model, source, postfix_slot_key[slot], key);
	return result;
}

static int empty_slot(struct postfix_model *model, struct postfix_source *source, enum postfix_slot slot)
{
	int result = set_legacy(model, source, postfix_slot_certificate[slot], "");

	return result == 0 ? set_legacy(model, source, postfix_slot_key[slot], "") : result;
}

static int plan_legacy(struct postfix_model *model, struct postfix_source *source,
		       const struct outcome *outcome)
{
	struct placed slots[POSTFIX_SLOTS] = {{NULL, NULL}};
	int result = 0;

	for (size_t i = 0; i < outcome->kept_count; i++)
		slots[outcome->kept[i]->slot].pair = outcome->kept[i];
	for (size_t i = 0; i < outcome->material_count; i++)
		slots[slot_for(outcome, slots, outcome->materials[i])].material = outcome->materials[i];
	for (enum postfix_slot slot = 0; result == 0 && slot < POSTFIX_SLOTS; slot++) {
		if (slots[slot].material != NULL)
			result = fill_slot(model, source, slot, slots[slot].material);
		else if (slots[slot].pair == NULL)
			result = empty_slot(model, source, slot);
	}
	return result;
}

/* ---- chain files ---- */

static int material_files(struct postfix_text *out, struct postfix_model *model,
			  const struct certdeploy_paths *paths, bool option)
{
	const char *files[3] = {paths->combined, NULL, NULL};
	int result = 0;

	if (paths->combined == NULL) {
		files[0] = paths->key;
		files[1] = paths->fullchain;
	}
	for (size_t i = 0; result == 0 && files[i] != NULL; i++) {
		result = postfix_check_path(model, files[i], true, option);
		if (out->length != 0)
			postfix_text_string(out, model->reading, option ? "," : ", ");
		postfix_text_string(out, model->reading, files[i]);
	}
	return out->failed ? CERTDEPLOY_ENOMEM : result;
}

static int kept_files(struct postfix_text *out, struct postfix_model *model,
		      const struct postfix_pair *pair, const char *const *files, bool option)
{
	for (size_t i = pair->first; i < pair->last; i++) {
		if (out->length != 0)
			postfix_text_string(out, model->reading, option ? "," : ", ");
		postfix_text_string(out, model->reading, files[i]);
	}
	return out->failed ? CERTDEPLOY_ENOMEM : 0;
}

static bool same_list(const char *const *one, const char *const *other)
{
	size_t i = 0;

	while (one[i] != NULL && other[i] != NULL && strcmp(one[i], other[i]) == 0)
		i++;
	return one[i] == NULL && other[i] == NULL;
}

static const struct certdeploy_material *of_type(const struct outcome *outcome, const char *key_type)
{
	for (size_t i = 0; key_type != NULL && i < outcome->material_count; i++)
		if (strcmp(outcome->materials[i]->key_type, key_type) == 0)
			return outcome->materials[i];
	return NULL;
}

static bool is_kept(const struct outcome *outcome, const struct postfix_pair *pair)
{
	for (size_t i = 0; i < outcome->kept_count; i++)
		if (outcome->kept[i] == pair)
			return true;
	return false;
}

/* The list in the old order: a pair's place goes to the new one of its type; new types come last. */
static int chain_list(struct postfix_text *out, struct postfix_model *model,
		      const struct postfix_source *source, const struct outcome *outcome,
		      const char *const *files)
{
	bool option = source != NULL && source->row != NULL;
	bool *done = certdeploy_alloc(model->reading, outcome->material_count + 1);
	int result = done == NULL ? CERTDEPLOY_ENOMEM : 0;

	for (size_t i = 0; result == 0 && i < outcome->used_count; i++) {
		const struct postfix_pair *pair = outcome->used[i];
		const struct certdeploy_material *material = of_type(outcome, pair->key_type);

		if (is_kept(outcome, pair))
			result = kept_files(out, model, pair, files, option);
		for (size_t j = 0; result == 0 && j < outcome->material_count; j++)
			if (outcome->materials[j] == material && !done[j]) {
				done[j] = true;
				result = material_files(out, model, &material->paths, option);
			}
	}
	for (size_t j = 0; result == 0 && j < outcome->material_count; j++)
		if (!done[j])
			result = material_files(out, model, &outcome->materials[j]->paths, option);
	return result;
}

static int plan_chain(struct postfix_model *model, struct postfix_source *source,
		      const struct outcome *outcome)
{
	const char *name = postfix_parameter_name(model, source, "chain_files"), *now;
	const char *const *files, *const *wanted;
	struct postfix_text list = {0};
	int result = name == NULL ? CERTDEPLOY_ENOMEM : postfix_value(&now, model, source->row, name);

	if (result == 0)
		result = postfix_split_list(&files, model->reading, now, false);
	if (result == 0)
		result = chain_list(&list, model, source, outcome, files);
	if (result == 0)
		result = postfix_split_list(&wanted, model->reading, list.bytes == NULL ? "" : list.bytes,
					    false);
	if (result != 0 || same_list(files, wanted))
		return result;
	return postfix_set(model, source->row, name, list.bytes);
}

/* ---- the whole ---- */

static int plan_source(struct postfix_model *model, struct postfix_source *source)
{
	struct outcome outcome;
	int result;

	if (source->assignment == NULL || (source->inherits && model->smtpd.assignment != NULL))
		return 0;
	for (size_t i = 0; i < source->pair_count; i++) {
		struct postfix_pair *pair = &source->pairs[i];

		result = pair->leaf != NULL
				 ? 0
				 : certdeploy_leaf(&pair->leaf, model->reading, pair->certificate);
		if (result == CERTDEPLOY_ENOMEM)
			return result;
		if (pair->leaf != NULL)
			pair->key_type = pair->leaf->key_type;
	}
	result = settle(&outcome, model, source);
	if (result != 0)
		return result;
	return source->chain ? plan_chain(model, source, &outcome) : plan_legacy(model, source, &outcome);
}

static int report_off(struct postfix_model *model, const struct certdeploy_endpoint *endpoint)
{
	if (!endpoint->tls)
		certdeploy_report(
			model->reading, CERTDEPLOY_WARNING, "tls-off", endpoint->file, endpoint->line,
			_("%s speaks no TLS as configured: the certificate is set but not served"),
			endpoint->listen);
	return 0;
}

int postfix_plan(struct certdeploy_reading *reading, const struct certdeploy_assignment *assignments,
		 size_t count, struct certdeploy_edits *edits)
{
	struct postfix_model *model = certdeploy_model(reading);
	int result = 0;

	model->edits = edits;
	for (size_t i = 0; result == 0 && i < count; i++) {
		const struct postfix_endpoint *own = assignments[i].endpoint->own;

		own->source->assignment = &assignments[i];
		result = report_off(model, assignments[i].endpoint);
	}
	/* main.cf first: what services take from it is then known. */
	if (result == 0)
		result = plan_source(model, &model->smtpd);
	if (result == 0)
		result = plan_source(model, &model->tlsproxy);
	for (size_t i = 0; result == 0 && i < model->master.count; i++)
		for (struct postfix_source *source = model->master.rows[i].sources;
		     result == 0 && source != NULL; source = source->next)
			result = plan_source(model, source);
	return result;
}
