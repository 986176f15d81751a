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

static bool has_second(const struct dovecot_editor *editor, const struct certdeploy_endpoint *endpoint)
{
	const char *decider = endpoint->decider;

	return dovecot_table_get(&editor->second, decider, strlen(decider)) != NULL;
}

/*
 * Which pair gets which certificate. A single pair is replaced whatever its type is; of two, the one of
 * the same type, and the other stays when it is still good for the names.
 */
static int choose(struct dovecot_wish wishes[2], struct dovecot_editor *editor,
		  const struct dovecot_effective *effective, const struct certdeploy_assignment *assignment)
{
	const struct certdeploy_material *const *materials = assignment->materials;
	const struct dovecot_value *alt = effective->values[DOVECOT_ALT_CERT], *kept = alt;
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
	if (!is_set(alt) || assignment->drop_other_types) {
		wishes[0].material = materials[0];
		/* One listener may have a second pair where another of the same lines has none. */
		wishes[1].drop = assignment->drop_other_types && has_second(editor, assignment->endpoint);
		return 0;
	}
	keep = !same_type(leaf, materials[0]) && same_type(other, materials[0]) ? 0 : 1;
	wishes[1 - keep].material = materials[0];
	/* There may be a second pair without a first. */
	if (keep == 0 && effective->values[DOVECOT_CERT] != NULL)
		kept = effective->values[DOVECOT_CERT];
	if (same_type(keep == 0 ? leaf : other, materials[0]) ||
	    !still_good(keep == 0 ? leaf : other, materials[0]))
		return certdeploy_refuse(editor->reading, "other-key-type", kept->input->path, kept->line,
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

/* Take a slot away from a filter: an earlier line would count where only the last one went. */
static int drop_slot(struct dovecot_editor *editor, const struct dovecot_filter *filter, size_t slot)
{
	const struct dovecot_vector *values = &editor->model->values;
	int result = 0;

	for (size_t i = 0; i < values->count && result == 0; i++) {
		const struct dovecot_value *value = values->items[i];

		if (value->filter == filter && value->slot == (enum dovecot_slot)slot)
			result = dovecot_remove_value(editor, value);
	}
	return result;
}

/* Change the lines of a filter that has some already. */
static int edit_lines(struct dovecot_editor *editor, const struct dovecot_place *place,
		      const struct dovecot_filter *filter, const struct dovecot_wish *wishes)
{
	const struct dovecot_value *beside = NULL;
	bool elsewhere = false;
	int result = 0;

	for (size_t slot = 0; slot <= DOVECOT_ALT_KEY && beside == NULL; slot++)
		beside = own_value(place, filter, slot);
	for (size_t slot = 0; slot <= DOVECOT_ALT_KEY && result == 0; slot++) {
		const struct dovecot_wish *wish = &wishes[slot / 2];
		const struct dovecot_value *value = own_value(place, filter, slot);

		if (wish->material != NULL && value != NULL)
			result = dovecot_set_value(editor, value, path_of(wish, slot));
		else if (wish->material != NULL)
			result = dovecot_add_beside(editor, beside, (enum dovecot_slot)slot,
						    path_of(wish, slot));
		else if (wish->drop && value != NULL)
			result = drop_slot(editor, filter, slot);
		/* Taken over from a wider scope: hidden by an empty value, but only if it is there. */
		if (result == 0 && wish->drop)
			result = dovecot_is_set_elsewhere(&elsewhere, editor, place, filter,
							  (enum dovecot_slot)slot);
		if (result == 0 && wish->drop && elsewhere)
			result = dovecot_add_beside(editor, beside, (enum dovecot_slot)slot, NULL);
	}
	return result;
}

static bool has_lines(const struct dovecot_place *place, const struct dovecot_filter *filter)
{
	for (size_t slot = 0; slot <= DOVECOT_ALT_KEY; slot++)
		if (own_value(place, filter, slot) != NULL)
			return true;
	return false;
}

static int edit_address(struct dovecot_editor *editor, const struct dovecot_place *place,
			const struct dovecot_wish *wishes)
{
	const struct dovecot_value *like = place->effective.values[DOVECOT_CERT];
	int result = dovecot_check_address(editor, place, wishes);

	if (result != 0)
		return result;
	if (place->filter == NULL || place->filter->blocks.count == 0)
		return dovecot_new_local(editor, place->context->local, wishes, like);
	if (has_lines(place, place->filter))
		return edit_lines(editor, place, place->filter, wishes);
	return dovecot_fill_filter(editor, place->filter, wishes, like);
}

static bool is_moved(const struct dovecot_editor *editor, const struct dovecot_filter *filter)
{
	for (size_t i = 0; i < editor->moved.count; i++)
		if (editor->moved.items[i] == filter)
			return true;
	return false;
}

static int refuse_hidden(struct dovecot_editor *editor, const struct dovecot_place *place,
			 const struct dovecot_wish *wishes)
{
	const struct dovecot_block *block = place->filter->blocks.items[0];
	const struct dovecot_value *hiding;
	int result = dovecot_find_hiding(&hiding, &(bool){false}, editor, place, wishes);

	if (result != 0)
		return result;
	return certdeploy_refuse(
		editor->reading, "config-not-understood", block->input->path, block->line,
		_("the block of %s line %zu hides this one for %s, which cannot be moved as it is: change "
		  "their order"),
		hiding->input->path, hiding->line, place->name);
}

static int move(struct dovecot_editor *editor, const struct dovecot_place *place,
		const struct dovecot_wish *wishes)
{
	if (is_moved(editor, place->filter))
		return 0;
	if (!dovecot_is_movable(editor->model, place->filter))
		return refuse_hidden(editor, place, wishes);
	if (dovecot_vector_add(&editor->moved, editor->reading, place->filter) != 0)
		return CERTDEPLOY_ENOMEM;
	return dovecot_move_block(editor, place->filter, place->name, wishes,
				  place->effective.values[DOVECOT_CERT]);
}

/* 2.4: a block for an address hides those of names before it, where they are asked for there: they move. */
static int edit_own(struct dovecot_editor *editor, const struct dovecot_place *place,
		    const struct dovecot_wish *wishes)
{
	const struct dovecot_filter *filter = place->effective.values[DOVECOT_CERT]->filter;
	const struct dovecot_value *hiding = NULL;
	bool cured = false;
	int result = 0;

	if (editor->model->v24 && editor->model->nets.count != 0 && place->name != NULL &&
	    place->filter == filter)
		result = dovecot_find_hiding(&hiding, &cured, editor, place, wishes);
	if (result != 0)
		return result;
	if (hiding != NULL && cured && dovecot_is_movable(editor->model, filter))
		return move(editor, place, wishes);
	if (hiding != NULL)
		certdeploy_report(editor->reading, CERTDEPLOY_NOTICE, "keeps-own", hiding->input->path,
				  hiding->line, _("some connections for %s keep this certificate"),
				  place->name);
	return edit_lines(editor, place, filter, wishes);
}

/* 2.4: the filter that is about the name and nothing else, or NULL. */
static struct dovecot_filter *wide_filter(const struct dovecot_model *model, const char *text)
{
	const struct dovecot_name *name = dovecot_find_name(model, text);

	for (size_t i = 0; name != NULL && i < name->filters.count; i++) {
		struct dovecot_filter *filter = name->filters.items[i];

		if (filter->local_name != NULL && filter->parent == model->root)
			return filter;
	}
	return NULL;
}

/*
 * 2.4: a name's block within one for an address stays where it is, if hidden: the name's block for all
 * addresses, or a new one, comes after what hides it.
 */
static int leave_address(bool *hidden, struct dovecot_place *place, struct dovecot_editor *editor,
			 const struct dovecot_wish *wishes)
{
	if (!editor->model->v24 || dovecot_filter_local(place->filter) == NULL)
		return 0;
	place->filter = wide_filter(editor->model, place->name);
	return dovecot_must_move(hidden, editor, place, wishes);
}

/* Give an endpoint lines of its own. separate: what stands in its filter belongs to others as well. */
static int edit_new(struct dovecot_editor *editor, struct dovecot_place *place,
		    const struct dovecot_wish *wishes, bool separate)
{
	const struct dovecot_value *like = place->effective.values[DOVECOT_CERT];
	bool hidden = false;
	int result;

	if (place->address != NULL ||
	    (place->name == NULL && place->filter != editor->model->root && place->context->local != NULL))
		return edit_address(editor, place, wishes);
	if (place->name == NULL && place->filter == editor->model->root)
		return has_lines(place, place->filter) ? edit_lines(editor, place, place->filter, wishes)
						       : dovecot_fill_top(editor, wishes);
	result = place->name == NULL ? 0 : dovecot_must_move(&hidden, editor, place, wishes);
	if (result == 0 && hidden)
		result = leave_address(&hidden, place, editor, wishes);
	if (result != 0)
		return result;
	if (place->filter == NULL)
		return dovecot_new_block(editor, place->name, wishes, like);
	if (place->filter->blocks.count == 0)
		return certdeploy_refuse(editor->reading, "config-not-understood", editor->model->config, 0,
					 _("there is no block that could be given the certificate"));
	if (hidden)
		return move(editor, place, wishes);
	if (!separate && has_lines(place, place->filter))
		return edit_lines(editor, place, place->filter, wishes);
	return dovecot_fill_filter(editor, place->filter, wishes, like);
}

/* ---- what endpoints share ---- */

struct use {
	bool all; /* everybody who shares it gets the same */
	const struct certdeploy_assignment *first;
};

static bool is_own(const struct dovecot_place *place)
{
	return place->own && place->effective.values[DOVECOT_CERT] != NULL;
}

/* The line, or the block, that decides; NULL: none that could be shared. */
static const char *shared_key(struct dovecot_editor *editor, const struct dovecot_place *place)
{
	if (is_own(place))
		return place->effective.values[DOVECOT_CERT]->site;
	return certdeploy_format(editor->reading, "block %p", (const void *)place->shared);
}

static const struct certdeploy_assignment *assigned(const struct dovecot_editor *editor, const char *name)
{
	if (name == NULL)
		name = "";
	return dovecot_table_get(&editor->assigned, name, strlen(name));
}

static int note_use(struct dovecot_editor *editor, const struct certdeploy_endpoint *endpoint)
{
	const struct dovecot_place *place = endpoint->own;
	const struct certdeploy_assignment *assignment = assigned(editor, place->name);
	const char *key = shared_key(editor, place);
	struct use *use;

	if (key == NULL)
		return CERTDEPLOY_ENOMEM;
	use = dovecot_table_get(&editor->uses, key, strlen(key));
	if (use == NULL) {
		use = certdeploy_alloc(editor->reading, sizeof(*use));
		if (use == NULL ||
		    dovecot_table_put(&editor->uses, editor->reading, key, strlen(key), use) != 0)
			return CERTDEPLOY_ENOMEM;
		*use = (struct use){true, assignment};
	}
	if (assignment == NULL ||
	    !certdeploy_same_materials(use->first == NULL ? assignment : use->first, assignment))
		use->all = false;
	if (use->first == NULL)
		use->first = assignment;
	return 0;
}

static int note_uses(struct dovecot_editor *editor, const struct certdeploy_assignment *assignments,
		     size_t count)
{
	size_t endpoint_count;
	const struct certdeploy_endpoint *const *endpoints =
		certdeploy_endpoints(editor->reading, &endpoint_count);
	int result = 0;

	for (size_t i = 0; i < count && result == 0; i++) {
		const struct dovecot_place *place = assignments[i].endpoint->own;
		const char *name = assignments[i].endpoint->name, *site;

		if (is_set(place->effective.values[DOVECOT_ALT_CERT])) {
			const char *decider = assignments[i].endpoint->decider;

			result = dovecot_table_put(&editor->second, editor->reading, decider,
						   strlen(decider), (void *)(uintptr_t)&assignments[i]);
		}
		if (result == 0 && name == NULL && is_own(place)) {
			site = place->effective.values[DOVECOT_CERT]->site;
			result = dovecot_table_put(&editor->defaults, editor->reading, site, strlen(site),
						   (void *)(uintptr_t)&assignments[i]);
		}
		if (name == NULL)
			name = "";
		if (result == 0 && dovecot_table_get(&editor->assigned, name, strlen(name)) == NULL)
			result = dovecot_table_put(&editor->assigned, editor->reading, name, strlen(name),
						   (void *)(uintptr_t)&assignments[i]);
	}
	for (size_t i = 0; i < endpoint_count && result == 0; i++)
		if (endpoints[i]->tls)
			result = note_use(editor, endpoints[i]);
	return result;
}

/* ---- all of them ---- */

/* May the lines that decide be changed where they stand? */
static int in_place(bool *may, struct dovecot_editor *editor, const struct certdeploy_endpoint *endpoint)
{
	const struct dovecot_place *place = endpoint->own;
	const struct dovecot_value *value = place->effective.values[DOVECOT_CERT];
	const char *key = shared_key(editor, place), *names = dovecot_filter_name(value->filter);
	const struct use *use;

	if (key == NULL)
		return CERTDEPLOY_ENOMEM;
	use = dovecot_table_get(&editor->uses, key, strlen(key));
	*may = (use != NULL && use->all) ||
	       (!value->input->repeated && (names == NULL || strchr(names, ' ') == NULL));
	if (*may || place->name != NULL)
		return 0;
	return certdeploy_refuse(editor->reading, "shared-lines", value->input->path, value->line,
				 _("these lines are read for other names as well"));
}

/* Is the default of an address, or a name hidden there, taken over from lines that get the same? */
static bool follows(const struct dovecot_editor *editor, const struct certdeploy_assignment *assignment)
{
	const struct dovecot_place *place = assignment->endpoint->own;
	const struct dovecot_value *const *values = place->effective.values;
	const struct certdeploy_assignment *wider;

	if ((place->name != NULL && !place->hidden) || place->address != NULL || is_own(place) ||
	    values[DOVECOT_CERT] == NULL)
		return false;
	for (size_t slot = 0; slot <= DOVECOT_ALT_KEY; slot++)
		if (values[slot] != NULL && values[slot]->filter != values[DOVECOT_CERT]->filter)
			return false;
	wider = dovecot_table_get(&editor->defaults, values[DOVECOT_CERT]->site,
				  strlen(values[DOVECOT_CERT]->site));
	return wider != NULL && certdeploy_same_materials(wider, assignment);
}

/* Either the lines that decide, or new ones. */
static int edit_place(struct dovecot_editor *editor, const struct certdeploy_endpoint *endpoint,
		      const struct dovecot_wish *wishes)
{
	struct dovecot_place place = *(const struct dovecot_place *)endpoint->own;
	const char *key = shared_key(editor, &place);
	const struct use *use;
	bool may = false;
	int result;

	if (key == NULL)
		return CERTDEPLOY_ENOMEM;
	if (is_own(&place)) {
		result = in_place(&may, editor, endpoint);
		if (result != 0)
			return result;
		/* A block that moves has its new lines. */
		if (may && is_moved(editor, place.effective.values[DOVECOT_CERT]->filter))
			return 0;
		if (may)
			return edit_own(editor, &place, wishes);
		return edit_new(editor, &place, wishes, true);
	}
	use = dovecot_table_get(&editor->uses, key, strlen(key));
	if (place.filter == NULL && place.shared != NULL && use != NULL && use->all)
		place.filter = place.shared;
	return edit_new(editor, &place, wishes, false);
}

static int edit_one(struct dovecot_editor *editor, struct dovecot_table *deciders,
		    const struct certdeploy_assignment *assignment)
{
	const struct certdeploy_endpoint *endpoint = assignment->endpoint;
	const struct dovecot_place *place = endpoint->own;
	const struct certdeploy_assignment *first;
	struct dovecot_wish wishes[2];
	const char *key = endpoint->decider;
	bool may = false;
	int result = 0;

	if (endpoint->untouchable != NULL && !certdeploy_accepts(editor->reading, endpoint->untouchable))
		return certdeploy_refuse(editor->reading, endpoint->untouchable, endpoint->file,
					 endpoint->line, "%s", endpoint->note);
	first = dovecot_table_get(deciders, key, strlen(key));
	if (first != NULL && !certdeploy_same_materials(first, assignment))
		return certdeploy_refuse(editor->reading, "shared-lines", endpoint->file, endpoint->line,
					 _("the same lines cannot name different certificates"));
	/* What is changed in place is looked at again: other lines may belong to it. */
	if (first != NULL && is_own(place))
		result = in_place(&may, editor, endpoint);
	if (result != 0 || (first != NULL && !may))
		return result;
	if (dovecot_table_put(deciders, editor->reading, key, strlen(key), (void *)(uintptr_t)assignment) !=
	    0)
		return CERTDEPLOY_ENOMEM;
	if (follows(editor, assignment))
		return 0;
	result = choose(wishes, editor, &place->effective, assignment);
	return result == 0 ? edit_place(editor, endpoint, wishes) : result;
}

/* ---- the plan ---- */

int dovecot_plan(struct certdeploy_reading *reading, const struct certdeploy_assignment *assignments,
		 size_t count, struct certdeploy_edits *edits)
{
	struct dovecot_editor editor = {
		.model = certdeploy_model(reading), .reading = reading, .edits = edits};
	struct dovecot_table deciders = {0};
	int result = note_uses(&editor, assignments, count);

	/* A block must move where it is hidden, even if it is not elsewhere. */
	for (size_t i = 0; i < count && result == 0; i++)
		if (!is_own(assignments[i].endpoint->own))
			result = edit_one(&editor, &deciders, &assignments[i]);
	for (size_t i = 0; i < count && result == 0; i++)
		if (is_own(assignments[i].endpoint->own))
			result = edit_one(&editor, &deciders, &assignments[i]);
	if (result == 0)
		result = dovecot_check_keys(&editor);
	if (result == 0)
		result = dovecot_check_limit(&editor);
	if (result == 0)
		result = dovecot_check_files(&editor, assignments, count);
	if (result == 0)
		dovecot_say_side_effects(&editor, assignments, count);
	return result;
}
