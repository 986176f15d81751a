/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trial.c - would a block take effect, and for nobody else?
 *
 * Before a line is written, the filter that it would make takes its place among the others, and all
 * connections that meet it are decided once more.
 */
#include "edit.h"

#include <string.h>

static const struct dovecot_value tried; /* what the trial's filter has */

static void set_wishes(struct dovecot_trial *trial, const struct dovecot_wish *wishes)
{
	for (size_t slot = 0; slot <= DOVECOT_ALT_KEY; slot++)
		if (wishes[slot / 2].material != NULL || wishes[slot / 2].drop)
			trial->filter.values[slot] = &tried;
}

/* The filter as it will be, with the wishes in it. */
static void set_trial(struct dovecot_trial *trial, const struct dovecot_model *model,
		      const struct dovecot_place *place, const struct dovecot_wish *wishes, bool moved)
{
	*trial = (struct dovecot_trial){.instead = place->filter};
	if (place->filter != NULL) {
		trial->filter = *place->filter;
	} else {
		trial->filter.local_name = place->name;
		trial->filter.parent = model->v24 ? model->root : NULL;
	}
	if (place->filter == NULL || moved) {
		const struct dovecot_filter *hides = dovecot_hiding(model, place->name);

		if (hides == NULL)
			hides = dovecot_hidden(model, place->name, NULL);
		trial->filter.order = SIZE_MAX;
		if (hides != NULL)
			trial->filter.order = hides->order - 1;
	}
	set_wishes(trial, wishes);
}

static void set_address_trial(struct dovecot_trial *trial, const struct dovecot_model *model,
			      const struct dovecot_place *place, const struct dovecot_wish *wishes)
{
	const struct dovecot_filter *hidden = dovecot_hidden(model, NULL, place->context->local);

	*trial = (struct dovecot_trial){.instead = place->filter};
	if (place->filter != NULL) {
		trial->filter = *place->filter;
	} else {
		trial->filter.local = *place->context->local;
		trial->filter.parent = model->v24 ? model->root : NULL;
		trial->filter.order = hidden == NULL ? SIZE_MAX : hidden->order - 1;
	}
	set_wishes(trial, wishes);
}

/* The name's own block for some of the connections, which may be among the endpoints asked for. */
static bool is_of_the_name(const struct dovecot_place *place, const struct dovecot_value *winner)
{
	const char *name = winner == NULL ? NULL : dovecot_filter_name(winner->filter);

	return place->name != NULL && name != NULL && strcmp(name, place->name) == 0;
}

/* The same for an address: its own block for a protocol. */
static bool is_of_the_address(const struct dovecot_place *place, const struct dovecot_value *winner)
{
	return place->name == NULL && dovecot_filter_has_protocol(winner->filter) &&
	       dovecot_filter_name(winner->filter) == NULL &&
	       dovecot_same_net(dovecot_filter_local(winner->filter), place->context->local);
}

/* Who wins where the trial's filter does not, and does Dovecot end such connections? */
struct outcome {
	const struct dovecot_value *winner;
	const struct dovecot_value *rival;
};

/* A name is meant wherever it is asked for, a default at its address only. */
static bool is_meant(const struct dovecot_place *place, const struct dovecot_context *context)
{
	return place->name != NULL ? context->by_name
				   : dovecot_same_net(context->local, place->context->local);
}

/* A slot that the trial's filter has, in vain; an empty value elsewhere is as good as its own empty one. */
static const struct dovecot_value *find_winner(const struct dovecot_place *place,
					       const struct dovecot_trial *trial,
					       const struct dovecot_effective *effective)
{
	for (size_t slot = 0; slot <= DOVECOT_ALT_KEY; slot++) {
		const struct dovecot_value *value = effective->values[slot];

		if (trial->filter.values[slot] == &tried && value != &tried && value != NULL &&
		    (slot < DOVECOT_ALT_CERT || value->text[0] != '\0') && !is_of_the_name(place, value) &&
		    !is_of_the_address(place, value))
			return value;
	}
	return NULL;
}

static int try_out(struct outcome *outcome, struct dovecot_editor *editor,
		   const struct dovecot_place *place, struct dovecot_trial *trial)
{
	const struct dovecot_vector *contexts = &editor->model->contexts;

	*outcome = (struct outcome){0};
	for (size_t i = 0; i < contexts->count; i++) {
		const struct dovecot_context *context = contexts->items[i];
		struct dovecot_effective effective;

		if (!dovecot_fits(&trial->filter, context) || !is_meant(place, context))
			continue;
		if (dovecot_effective_with(&effective, editor->model, context, place->name, trial) != 0)
			return CERTDEPLOY_ENOMEM;
		if (effective.conflict[0] != NULL)
			outcome->rival = effective.conflict[effective.conflict[0] == &tried ? 1 : 0];
		if (outcome->winner == NULL)
			outcome->winner = find_winner(place, trial, &effective);
	}
	return 0;
}

static int refuse_outcome(struct dovecot_editor *editor, const struct dovecot_place *place,
			  const struct outcome *outcome)
{
	const struct dovecot_value *at = outcome->rival != NULL ? outcome->rival : outcome->winner;

	const char *whom = place->name != NULL ? place->name
					       : dovecot_spell_net(editor->reading, place->context->local);

	if (whom == NULL)
		return CERTDEPLOY_ENOMEM;
	if (outcome->rival != NULL)
		return certdeploy_refuse(editor->reading, "conflicting-filters", at->input->path, at->line,
					 _("with a certificate for %s as well, Dovecot would end every "
					   "connection that both apply to"),
					 whom);
	return certdeploy_refuse(editor->reading, "config-not-understood", at->input->path, at->line,
				 _("this certificate would go on being served for %s"), whom);
}

/*
 * 2.3: a block for a host name, whose address only Dovecot knows, is in conflict wherever that is; one for
 * some clients' addresses, wherever they connect to.
 */
static bool meets_unknown(struct outcome *outcome, const struct dovecot_model *model)
{
	*outcome = (struct outcome){0};
	for (size_t i = 0; i < model->filters.count && !model->v24; i++) {
		const struct dovecot_filter *filter = model->filters.items[i];

		if ((filter->unknown || filter->remote.bits > 0) && filter->local_name == NULL &&
		    filter->values[DOVECOT_CERT] != NULL)
			outcome->rival = filter->values[DOVECOT_CERT];
	}
	return outcome->rival != NULL;
}

/* Find out whether the filter must move to take effect, and whether it would at all. */
int dovecot_must_move(bool *move, struct dovecot_editor *editor, const struct dovecot_place *place,
		      const struct dovecot_wish *wishes)
{
	struct dovecot_trial trial;
	struct outcome outcome;
	int result;

	*move = false;
	if ((place->filter == NULL || place->filter->values[DOVECOT_CERT] == NULL) &&
	    meets_unknown(&outcome, editor->model))
		return refuse_outcome(editor, place, &outcome);
	for (;;) {
		set_trial(&trial, editor->model, place, wishes, *move);
		result = try_out(&outcome, editor, place, &trial);
		if (result != 0 || (outcome.winner == NULL && outcome.rival == NULL))
			return result;
		if (outcome.rival != NULL || place->filter == NULL || *move)
			return refuse_outcome(editor, place, &outcome);
		*move = true;
	}
}

int dovecot_find_hiding(const struct dovecot_value **hiding, bool *cured, struct dovecot_editor *editor,
			const struct dovecot_place *place, const struct dovecot_wish *wishes)
{
	struct dovecot_trial trial;
	struct outcome outcome, moved = {0};
	int result;

	set_trial(&trial, editor->model, place, wishes, false);
	result = try_out(&outcome, editor, place, &trial);
	if (result == 0 && outcome.winner != NULL) {
		set_trial(&trial, editor->model, place, wishes, true);
		result = try_out(&moved, editor, place, &trial);
	}
	*hiding = outcome.winner;
	*cured = moved.winner == NULL;
	return result;
}

/* A name that has a certificate of its own keeps it, and its key, where it is asked for at the address. */
static int keeps_its_own(struct dovecot_editor *editor, const struct dovecot_place *place,
			 const struct dovecot_context *context, const char *name,
			 struct dovecot_trial *trial)
{
	struct dovecot_effective before, after;
	const struct dovecot_value *own;

	if (dovecot_effective(&before, editor->model, context, name) != 0 ||
	    dovecot_effective_with(&after, editor->model, context, name, trial) != 0)
		return CERTDEPLOY_ENOMEM;
	own = before.values[DOVECOT_CERT];
	if (before.conflict[0] != NULL || own == NULL || dovecot_filter_name(own->filter) == NULL)
		return 0;
	if (after.conflict[0] != NULL)
		return refuse_outcome(editor, place, &(struct outcome){.rival = own});
	for (size_t slot = 0; slot <= DOVECOT_ALT_KEY; slot++)
		if (after.values[slot] != before.values[slot])
			return certdeploy_refuse(
				editor->reading, "config-not-understood", own->input->path, own->line,
				_("a block for the address would take effect for %s as well"), name);
	return 0;
}

/* Would the block for an address take effect, and for nobody else? */
int dovecot_check_address(struct dovecot_editor *editor, const struct dovecot_place *place,
			  const struct dovecot_wish *wishes)
{
	const struct dovecot_vector *names = dovecot_names(editor->model);
	const struct dovecot_vector *contexts = &editor->model->contexts;
	struct dovecot_trial trial;
	struct outcome outcome;
	int result;

	set_address_trial(&trial, editor->model, place, wishes);
	if (trial.instead == NULL && meets_unknown(&outcome, editor->model))
		return refuse_outcome(editor, place, &outcome);
	result = try_out(&outcome, editor, place, &trial);
	if (result == 0 && (outcome.winner != NULL || outcome.rival != NULL))
		result = refuse_outcome(editor, place, &outcome);
	for (size_t i = 0; i < contexts->count && result == 0; i++)
		for (size_t j = 0; j < names->count && result == 0; j++)
			if (dovecot_fits(&trial.filter, contexts->items[i]) &&
			    is_meant(place, contexts->items[i]))
				result = keeps_its_own(editor, place, contexts->items[i],
						       ((const struct dovecot_name *)names->items[j])->text,
						       &trial);
	return result;
}

int dovecot_is_set_elsewhere(bool *out, struct dovecot_editor *editor, const struct dovecot_place *place,
			     const struct dovecot_filter *filter, enum dovecot_slot slot)
{
	const struct dovecot_vector *contexts = &editor->model->contexts;
	struct dovecot_trial without = {.instead = filter, .filter = *filter}, with = without;

	*out = false;
	without.filter.values[slot] = NULL;
	with.filter.values[slot] = &tried;
	for (size_t i = 0; i < contexts->count && !*out; i++) {
		struct dovecot_effective bare, hidden;

		if (!dovecot_fits(filter, contexts->items[i]) || !is_meant(place, contexts->items[i]))
			continue;
		if (dovecot_effective_with(&bare, editor->model, contexts->items[i], place->name,
					   &without) != 0 ||
		    dovecot_effective_with(&hidden, editor->model, contexts->items[i], place->name,
					   &with) != 0)
			return CERTDEPLOY_ENOMEM;
		*out = bare.values[slot] != NULL && bare.values[slot]->text[0] != '\0' &&
		       hidden.values[slot] == &tried;
	}
	return 0;
}
