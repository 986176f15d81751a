/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * edit.c - the edits that give endpoints their certificates
 *
 * Endpoints that the same lines decide are changed together. The definition that wins is changed where
 * it stands; a name without one gets its own. A certificate and its key always stand in one filter
 * afterwards, whatever was taken over from a wider one before.
 */
#include "edit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIMIT_FILTERS 1400         /* that 2.3 carries in … */
#define LIMIT_BYTES (256ULL << 20) /* … its default memory */

/* ---- key types ---- */

static bool covers(const char *const *names, const char *wanted)
{
	const char *dot = strchr(wanted, '.');

	for (; *names != NULL; names++) {
		if (strcasecmp(*names, wanted) == 0)
			return true;
		if (strncmp(*names, "*.", 2) == 0 && dot != NULL && strcasecmp(*names + 1, dot) == 0)
			return true;
	}
	return false;
}

/* Is a certificate that stays still good for the names of the new one? */
static bool still_good(const struct certdeploy_leaf *leaf, const struct certdeploy_material *material)
{
	int64_t now = (int64_t)time(NULL);

	if (leaf == NULL || leaf->not_before > now || leaf->not_after <= now)
		return false;
	for (const char *const *name = material->names; name != NULL && *name != NULL; name++)
		if (!covers(leaf->names, *name))
			return false;
	return true;
}

static const struct certdeploy_leaf *leaf_of(struct dovecot_editor *editor,
					     const struct dovecot_value *value)
{
	const struct certdeploy_leaf *leaf;

	if (value == NULL || value->path == NULL ||
	    certdeploy_leaf(&leaf, editor->reading, value->path) != 0)
		return NULL;
	return leaf;
}

static bool is_set(const struct dovecot_value *value)
{
	return value != NULL && value->text[0] != '\0';
}

static bool same_type(const struct certdeploy_leaf *leaf, const struct certdeploy_material *material)
{
	return leaf != NULL && strcmp(leaf->key_type, material->key_type) == 0;
}

/*
 * Which pair gets which certificate. A single pair is replaced whatever its type is; of two, the one of
 * the same type, and the other stays when it is still good for the names.
 */
static int choose(struct dovecot_wish wishes[2], struct dovecot_editor *editor,
		  const struct dovecot_effective *effective, const struct certdeploy_assignment *assignment)
{
	const struct certdeploy_material *const *materials = assignment->materials;
	const struct dovecot_value *alt = effective->values[DOVECOT_ALT_CERT];
	const struct certdeploy_leaf *leaf, *other;
	size_t keep;

	memset(wishes, 0, 2 * sizeof(*wishes));
	leaf = leaf_of(editor, effective->values[DOVECOT_CERT]);
	other = leaf_of(editor, alt);
	if (materials[1] != NULL) {
		/* The first pair keeps its type, where it is one of the two. */
		bool swap = same_type(leaf, materials[1]) || same_type(other, materials[0]);

		if (materials[2] != NULL)
			return certdeploy_refuse(
				editor->reading, "other-key-type", NULL, 0,
				_("Dovecot takes certificates of two key types, not more"));
		wishes[0].material = materials[swap ? 1 : 0];
		wishes[1].material = materials[swap ? 0 : 1];
		return 0;
	}
	if (!is_set(alt)) {
		wishes[0].material = materials[0];
		return 0;
	}
	if (assignment->drop_other_types) {
		wishes[0].material = materials[0];
		wishes[1].drop = true;
		return 0;
	}
	keep = !same_type(leaf, materials[0]) && same_type(other, materials[0]) ? 0 : 1;
	wishes[1 - keep].material = materials[0];
	if (same_type(keep == 0 ? leaf : other, materials[0]) ||
	    !still_good(keep == 0 ? leaf : other, materials[0]))
		return certdeploy_refuse(editor->reading, "other-key-type",
					 keep == 0 ? effective->values[DOVECOT_CERT]->input->path
						   : alt->input->path,
					 keep == 0 ? effective->values[DOVECOT_CERT]->line : alt->line,
					 _("the second certificate does not fit to the new one"));
	return 0;
}

/* ---- one endpoint ---- */

/* The value that the filter itself has for the slot, as it counts for the endpoint. */
static const struct dovecot_value *own_value(const struct dovecot_place *place,
					     const struct dovecot_filter *filter, size_t slot)
{
	const struct dovecot_value *value = place->effective.values[slot];

	return value != NULL && value->filter == filter ? value : NULL;
}

static const char *path_of(const struct dovecot_wish *wish, size_t slot)
{
	if (slot == DOVECOT_KEY || slot == DOVECOT_ALT_KEY)
		return wish->material->paths.key;
	return wish->material->paths.fullchain != NULL ? wish->material->paths.fullchain
						       : wish->material->paths.certificate;
}

/* Change the lines that decide. */
static int edit_own(struct dovecot_editor *editor, const struct dovecot_place *place,
		    const struct dovecot_wish *wishes)
{
	const struct dovecot_value *beside = place->effective.values[DOVECOT_CERT];
	const struct dovecot_filter *filter = beside->filter;
	int result = 0;

	for (size_t slot = 0; slot <= DOVECOT_ALT_KEY && result == 0; slot++) {
		const struct dovecot_wish *wish = &wishes[slot / 2];
		const struct dovecot_value *value = own_value(place, filter, slot);

		if (wish->material != NULL && value != NULL)
			result = dovecot_set_value(editor, value, path_of(wish, slot));
		else if (wish->material != NULL)
			result = dovecot_add_beside(editor, beside, (enum dovecot_slot)slot,
						    path_of(wish, slot));
		else if (wish->drop && value != NULL)
			result = dovecot_remove_value(editor, value);
		/* Taken over from a wider scope: hidden by an empty value, but only if it is there. */
		if (result == 0 && wish->drop && is_set(place->effective.values[slot]) && value == NULL)
			result = dovecot_add_beside(editor, beside, (enum dovecot_slot)slot, NULL);
	}
	return result;
}

/* Filters for this protocol or address that would end the connections of a name of its own (2.3). */
static int check_conflicts(struct dovecot_editor *editor, const struct dovecot_place *place)
{
	const struct dovecot_model *model = editor->model;

	for (size_t i = 0; !model->v24 && i < model->filters.count; i++) {
		const struct dovecot_filter *filter = model->filters.items[i];

		if (filter->local_name != NULL || (filter->protocol == NULL && filter->local.bits == 0))
			continue;
		/* A name within `local` is narrower than that, and only there. */
		if (place->filter != NULL && place->filter->local.bits > 0 && filter->protocol == NULL)
			continue;
		for (size_t slot = 0; slot <= DOVECOT_ALT_KEY; slot++)
			if (filter->values[slot] != NULL)
				return certdeploy_refuse(
					editor->reading, "conflicting-filters",
					filter->values[slot]->input->path, filter->values[slot]->line,
					_("with a certificate for %s as well, Dovecot would end every "
					  "connection that both apply to"),
					place->name);
	}
	return 0;
}

/* Would a value in the filter win over the one that wins now? */
static bool would_win(const struct dovecot_editor *editor, const struct dovecot_place *place)
{
	const struct dovecot_value *now = place->effective.values[DOVECOT_CERT];

	return now == NULL || dovecot_precedence(editor->model, place->filter, now->filter) < 0;
}

/* Give an endpoint lines of its own. */
static int edit_new(struct dovecot_editor *editor, const struct dovecot_place *place,
		    const struct dovecot_wish *wishes)
{
	const struct dovecot_value *like = place->effective.values[DOVECOT_CERT];
	int result = place->name == NULL ? 0 : check_conflicts(editor, place);

	if (result != 0)
		return result;
	if (place->filter == NULL)
		return dovecot_new_block(editor, place->name, wishes, like);
	if (place->filter->blocks.count == 0)
		return certdeploy_refuse(editor->reading, "config-not-understood", editor->model->config, 0,
					 _("there is no certificate to replace; set one up first"));
	if (!would_win(editor, place))
		return dovecot_move_block(editor, place->filter, place->name == NULL ? "" : place->name,
					  wishes, like);
	return dovecot_fill_filter(editor, place->filter, wishes, like);
}

/* ---- all of them ---- */

static bool same_materials(const struct certdeploy_assignment *one,
			   const struct certdeploy_assignment *other)
{
	size_t i = 0;

	while (one->materials[i] != NULL && one->materials[i] == other->materials[i])
		i++;
	return one->materials[i] == other->materials[i] && one->drop_other_types == other->drop_other_types;
}

static int edit_one(struct dovecot_editor *editor, struct dovecot_table *deciders,
		    const struct certdeploy_assignment *assignment)
{
	const struct certdeploy_endpoint *endpoint = assignment->endpoint;
	const struct dovecot_place *place = endpoint->own;
	const struct certdeploy_assignment *first;
	struct dovecot_wish wishes[2];
	const void **key = certdeploy_alloc(editor->reading, sizeof(*key));
	bool own = place->own && place->effective.values[DOVECOT_CERT] != NULL;
	int result;

	if (key == NULL)
		return CERTDEPLOY_ENOMEM;
	if (endpoint->untouchable != NULL && !certdeploy_accepts(editor->reading, endpoint->untouchable))
		return certdeploy_refuse(editor->reading, endpoint->untouchable, endpoint->file,
					 endpoint->line, "%s", endpoint->note);
	*key = endpoint->decider;
	first = dovecot_table_get(deciders, (const char *)key, sizeof(*key));
	if (first != NULL && !same_materials(first, assignment))
		return certdeploy_refuse(editor->reading, "shared-lines", endpoint->file, endpoint->line,
					 _("the same lines cannot name different certificates"));
	/* What has lines of its own is looked at again: other lines may belong to it. */
	if (first != NULL && !own)
		return 0;
	if (dovecot_table_put(deciders, editor->reading, (const char *)key, sizeof(*key),
			      (void *)(uintptr_t)assignment) != 0)
		return CERTDEPLOY_ENOMEM;
	result = choose(wishes, editor, &place->effective, assignment);
	if (result != 0)
		return result;
	return own ? edit_own(editor, place, wishes) : edit_new(editor, place, wishes);
}

static bool was_changed(const struct dovecot_editor *editor, const struct dovecot_value *value)
{
	return value != NULL && dovecot_table_get(&editor->sites, value->site, strlen(value->site)) != NULL;
}

/* A key that others use with a certificate of theirs must not change under them. */
static int check_keys(struct dovecot_editor *editor)
{
	size_t count;
	const struct certdeploy_endpoint *const *endpoints = certdeploy_endpoints(editor->reading, &count);

	for (size_t i = 0; i < count; i++) {
		const struct dovecot_place *place = endpoints[i]->own;
		const struct dovecot_value *const *values = place->effective.values;

		for (size_t slot = 0; slot <= DOVECOT_ALT_CERT; slot += 2)
			if (values[slot] != NULL && was_changed(editor, values[slot + 1]) &&
			    !was_changed(editor, values[slot]) &&
			    values[slot]->filter != values[slot + 1]->filter)
				return certdeploy_refuse(editor->reading, "shared-lines",
							 values[slot]->input->path, values[slot]->line,
							 _("this certificate uses the key of %s line %zu, "
							   "which would change"),
							 values[slot + 1]->input->path,
							 values[slot + 1]->line);
	}
	return 0;
}

/* ---- limits ---- */

/* The memory that 2.3's configuration process may use, in bytes; 0: no limit. */
static unsigned long long config_memory(const struct dovecot_model *model)
{
	const char *value = dovecot_setting(model, "service/config/vsz_limit");
	unsigned long long bytes;
	char *end;

	if (value == NULL || strcmp(value, "18446744073709551615 B") == 0 || value[0] == '$')
		value = dovecot_setting(model, "default_vsz_limit");
	if (value == NULL)
		return LIMIT_BYTES;
	bytes = strtoull(value, &end, 10);
	end += strspn(end, " ");
	switch (*end) {
	case 'k':
	case 'K':
		return bytes << 10;
	case 'm':
	case 'M':
		return bytes << 20;
	case 'g':
	case 'G':
		return bytes << 30;
	case 't':
	case 'T':
		return bytes << 40;
	default:
		return bytes;
	}
}

static int check_limit(struct dovecot_editor *editor)
{
	const struct dovecot_model *model = editor->model;
	unsigned long long memory = config_memory(model), limit;
	size_t count = model->filters.count + editor->added_filters;

	if (model->v24 || memory == 0 || editor->added_filters == 0)
		return 0;
	limit = memory / (LIMIT_BYTES / LIMIT_FILTERS);
	if (count <= limit)
		return 0;
	return certdeploy_refuse(
		editor->reading, "server-limit", model->config, 0,
		_("with %zu blocks Dovecot 2.3 would run out of memory and end every TLS login; "
		  "it carries about %llu now (service config { vsz_limit })"),
		count, limit);
}

/* ---- the plan ---- */

/* Is what the names stand for not yet what is to be served? */
static bool is_new(struct dovecot_editor *editor, const struct certdeploy_assignment *assignment)
{
	for (size_t i = 0; assignment->materials[i] != NULL; i++) {
		const struct certdeploy_material *material = assignment->materials[i];
		const char *path = material->paths.fullchain != NULL ? material->paths.fullchain
								     : material->paths.certificate;
		const struct certdeploy_leaf *leaf;

		if (certdeploy_leaf(&leaf, editor->reading, path) != 0 ||
		    strcmp(leaf->sha256, material->sha256) != 0)
			return true;
	}
	return false;
}

static void say_side_effects(struct dovecot_editor *editor, const struct certdeploy_assignment *assignments,
			     size_t count)
{
	const char *shutdown = dovecot_setting(editor->model, "shutdown_clients");
	bool reload = editor->changed;

	for (size_t i = 0; i < count && !reload; i++)
		reload = is_new(editor, &assignments[i]);
	if (reload && (shutdown == NULL || strcmp(shutdown, "no") != 0))
		certdeploy_report(editor->reading, CERTDEPLOY_NOTICE, "sessions-end", NULL, 0,
				  _("Dovecot ends all open sessions a few seconds after the reload "
				    "(shutdown_clients = yes); clients connect again"));
}

int dovecot_plan(struct certdeploy_reading *reading, const struct certdeploy_assignment *assignments,
		 size_t count, struct certdeploy_edits *edits)
{
	struct dovecot_editor editor = {
		.model = certdeploy_model(reading), .reading = reading, .edits = edits};
	struct dovecot_table deciders = {0};
	int result = 0;

	for (size_t i = 0; i < count && result == 0; i++)
		result = edit_one(&editor, &deciders, &assignments[i]);
	if (result == 0)
		result = check_keys(&editor);
	if (result == 0)
		result = check_limit(&editor);
	if (result == 0)
		say_side_effects(&editor, assignments, count);
	return result;
}
