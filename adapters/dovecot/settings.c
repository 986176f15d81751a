/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settings.c - which value of a setting holds for a connection
 *
 * 2.3 sorts the filters that match: those with a name first, then by the length of the local and the
 * remote network, those with a protocol first, equals in the order of the file. The first that has the
 * setting decides; one further down that has it too is an error unless it is wider in every respect than
 * its neighbour in that order. 2.4 takes the last filter of the file, sections with names (`service X`)
 * before all others, and knows no conflict.
 *
 * Filters are looked up by name in tables, so that a thousand names cost a thousand look-ups.
 */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

struct dovecot_names {
	struct dovecot_vector all;    /* of struct dovecot_name, in order of appearance */
	struct dovecot_table by_text; /* every name, also patterns */
	struct dovecot_vector odd;    /* patterns other than "*." and a plain rest */
	/* Filters without a name: by `local`, or else by `remote`, or with neither for all addresses. */
	struct dovecot_nets by_local, by_remote;
};

const char *dovecot_filter_name(const struct dovecot_filter *filter)
{
	for (; filter != NULL; filter = filter->parent)
		if (filter->local_name != NULL)
			return filter->local_name;
	return NULL;
}

bool dovecot_filter_has_protocol(const struct dovecot_filter *filter)
{
	for (; filter != NULL; filter = filter->parent)
		if (filter->protocol != NULL || filter->service != NULL)
			return true;
	return false;
}

const struct dovecot_net *dovecot_filter_local(const struct dovecot_filter *filter)
{
	for (; filter != NULL; filter = filter->parent)
		if (filter->local.bits > 0)
			return &filter->local;
	return NULL;
}

bool dovecot_name_matches(const char *mask, const char *name)
{
	for (; *name != '\0' && *mask != '\0'; name++, mask++) {
		if (*mask == '*') {
			name = strchr(name, '.');
			if (name == NULL || mask[1] != '.')
				return false;
			mask++;
		} else if (*mask != '?' && *mask != *name) {
			return false;
		}
	}
	if (*mask == '*')
		mask++;
	return *name == *mask;
}

/* No client asks for longer ones. */
#define LONGEST_WORD 511

static bool word_matches(const char *word, const char *name)
{
	return strlen(word) <= LONGEST_WORD && dovecot_name_matches(word, name);
}

/* ---- the index ---- */

static bool is_pattern(const char *text)
{
	return strpbrk(text, "*?") != NULL;
}

static int index_word(struct dovecot_names *names, struct certdeploy_reading *reading,
		      struct dovecot_filter *filter, const char *text, size_t length)
{
	struct dovecot_name *name = dovecot_table_get(&names->by_text, text, length);

	if (name == NULL) {
		name = certdeploy_alloc(reading, sizeof(*name));
		if (name == NULL)
			return CERTDEPLOY_ENOMEM;
		name->text = certdeploy_copy(reading, text, length);
		if (name->text == NULL)
			return CERTDEPLOY_ENOMEM;
		name->pattern = is_pattern(name->text);
		if (dovecot_vector_add(&names->all, reading, name) != 0 ||
		    dovecot_table_put(&names->by_text, reading, name->text, length, name) != 0)
			return CERTDEPLOY_ENOMEM;
		if (name->pattern && (strncmp(name->text, "*.", 2) != 0 || is_pattern(name->text + 2)) &&
		    dovecot_vector_add(&names->odd, reading, name) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	/* The same word twice in one filter. */
	if (name->filters.count != 0 && name->filters.items[name->filters.count - 1] == filter)
		return 0;
	return dovecot_vector_add(&name->filters, reading, filter);
}

static const struct dovecot_net *remote_of(const struct dovecot_filter *filter)
{
	for (; filter != NULL; filter = filter->parent)
		if (filter->remote.bits > 0)
			return &filter->remote;
	return NULL;
}

static int index_nameless(struct dovecot_names *names, struct certdeploy_reading *reading,
			  struct dovecot_filter *filter)
{
	const struct dovecot_net *net = dovecot_filter_local(filter), *remote = remote_of(filter);
	struct dovecot_nets *nets = net == NULL && remote != NULL ? &names->by_remote : &names->by_local;
	struct dovecot_vector *filters;

	if (net == NULL)
		net = remote;
	filters = dovecot_nets_get(nets, net);
	if (filters == NULL) {
		filters = certdeploy_alloc(reading, sizeof(*filters));
		if (filters == NULL || dovecot_nets_put(nets, reading, net, filters) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return dovecot_vector_add(filters, reading, filter);
}

int dovecot_index(struct dovecot_model *model)
{
	struct certdeploy_reading *reading = model->reading;
	struct dovecot_names *names = certdeploy_alloc(reading, sizeof(*names));

	if (names == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < model->filters.count; i++) {
		struct dovecot_filter *filter = model->filters.items[i];
		const char *word = dovecot_filter_name(filter);

		if (word == NULL && index_nameless(names, reading, filter) != 0)
			return CERTDEPLOY_ENOMEM;
		for (; word != NULL && *word != '\0'; word += strspn(word, " ")) {
			size_t length = strcspn(word, " ");

			if (length != 0 && index_word(names, reading, filter, word, length) != 0)
				return CERTDEPLOY_ENOMEM;
			word += length;
		}
	}
	model->names = names;
	return 0;
}

const struct dovecot_vector *dovecot_names(const struct dovecot_model *model)
{
	return &model->names->all;
}

struct dovecot_name *dovecot_find_name(const struct dovecot_model *model, const char *text)
{
	return dovecot_table_get(&model->names->by_text, text, strlen(text));
}

/* ---- matching ---- */

static bool protocol_fits(const char *mask, const char *protocol)
{
	if (mask[0] == '!')
		return strcmp(mask + 1, protocol) != 0;
	return strcmp(mask, protocol) == 0;
}

/* Is the network asked for around the address? Not where nothing is known of that. */
static bool net_fits(const struct dovecot_net *wanted, const struct dovecot_net *address)
{
	if (wanted->bits == 0)
		return true;
	return address != NULL && wanted->bits <= address->bits && dovecot_net_contains(wanted, address);
}

bool dovecot_fits(const struct dovecot_filter *filter, const struct dovecot_context *context)
{
	for (; filter != NULL; filter = filter->parent) {
		if (filter->unknown || !net_fits(&filter->local, context->local) ||
		    !net_fits(&filter->remote, context->client))
			return false;
		if (filter->protocol != NULL && !protocol_fits(filter->protocol, context->protocol))
			return false;
		if (filter->service != NULL && strcmp(filter->service, context->service) != 0)
			return false;
	}
	return true;
}

/* The names around the one that the filter carries; each is one word, for 2.3 has none around. */
static bool outer_names_fit(const struct dovecot_filter *filter, const char *name)
{
	for (filter = filter->parent; filter != NULL; filter = filter->parent)
		if (filter->local_name != NULL && !word_matches(filter->local_name, name))
			return false;
	return true;
}

static int by_size(unsigned one, unsigned other)
{
	return one > other ? -1 : one < other;
}

int dovecot_precedence(const struct dovecot_model *model, const struct dovecot_filter *one,
		       const struct dovecot_filter *other)
{
	int order = one->order < other->order ? -1 : one->order > other->order, result;

	if (model->v24) {
		result = by_size(one->lists, other->lists);
		return result != 0 ? result : -order;
	}
	result = (other->local_name != NULL) - (one->local_name != NULL);
	if (result == 0)
		result = by_size(one->local.bits, other->local.bits);
	if (result == 0)
		result = by_size(one->remote.bits, other->remote.bits);
	if (result == 0)
		result = (other->protocol != NULL) - (one->protocol != NULL);
	return result != 0 ? result : order;
}

static int compare_23(const void *one, const void *other)
{
	static const struct dovecot_model model = {.v24 = false};

	return dovecot_precedence(&model, *(struct dovecot_filter *const *)one,
				  *(struct dovecot_filter *const *)other);
}

static int compare_24(const void *one, const void *other)
{
	static const struct dovecot_model model = {.v24 = true};

	return dovecot_precedence(&model, *(struct dovecot_filter *const *)one,
				  *(struct dovecot_filter *const *)other);
}

static void sort(const struct dovecot_model *model, struct dovecot_vector *filters)
{
	if (filters->count > 1)
		qsort(filters->items, filters->count, sizeof(*filters->items),
		      model->v24 ? compare_24 : compare_23);
}

/* Those kept for the networks around one that fit. */
static int add_around(struct dovecot_context *context, const struct dovecot_model *model,
		      const struct dovecot_nets *nets, const struct dovecot_net *net)
{
	unsigned limit = net == NULL ? 0 : net->bits;

	for (unsigned bits = 0; bits <= limit; bits++) {
		const struct dovecot_vector *filters = dovecot_nets_around(nets, net, bits);

		for (size_t i = 0; filters != NULL && i < filters->count; i++)
			if (dovecot_fits(filters->items[i], context) &&
			    dovecot_vector_add(&context->nameless, model->reading, filters->items[i]) != 0)
				return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

int dovecot_context(struct dovecot_context *context, const struct dovecot_model *model,
		    const char *protocol, const char *service, const struct dovecot_net *local,
		    const struct dovecot_net *client)
{
	*context = (struct dovecot_context){
		.protocol = protocol, .service = service, .local = local, .client = client};
	context->by_name = model->v24 || strcmp(protocol, "lmtp") != 0;
	if (add_around(context, model, &model->names->by_local, local) != 0 ||
	    add_around(context, model, &model->names->by_remote, client) != 0)
		return CERTDEPLOY_ENOMEM;
	sort(model, &context->nameless);
	return 0;
}

static int add_fitting(struct dovecot_vector *out, const struct dovecot_model *model,
		       const struct dovecot_context *context, const struct dovecot_name *carried,
		       const char *name)
{
	/* This word alone is asked: whatever else the filter carries is looked up in its turn. */
	if (carried == NULL || !word_matches(carried->text, name))
		return 0;
	for (size_t i = 0; i < carried->filters.count; i++) {
		struct dovecot_filter *filter = carried->filters.items[i];

		if (dovecot_fits(filter, context) && outer_names_fit(filter, name) &&
		    dovecot_vector_add(out, model->reading, filter) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

/* The filters with a name that match, strongest first, each once. */
static int named_filters(struct dovecot_vector *out, const struct dovecot_model *model,
			 const struct dovecot_context *context, const char *name)
{
	const struct dovecot_names *names = model->names;
	const char *dot = strchr(name, '.');
	const struct dovecot_name *exact = dovecot_find_name(model, name), *wild = NULL;
	size_t kept = 0;

	if (dot != NULL) {
		/* "*" and the name from its first dot. */
		char *key = dovecot_joined(model->reading, "*", dot, NULL);

		if (key == NULL)
			return CERTDEPLOY_ENOMEM;
		wild = dovecot_find_name(model, key);
	}
	if (add_fitting(out, model, context, exact, name) != 0 ||
	    (wild != exact && add_fitting(out, model, context, wild, name) != 0))
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < names->odd.count; i++)
		if (names->odd.items[i] != exact &&
		    add_fitting(out, model, context, names->odd.items[i], name) != 0)
			return CERTDEPLOY_ENOMEM;
	sort(model, out);
	for (size_t i = 0; i < out->count; i++)
		if (kept == 0 || out->items[kept - 1] != out->items[i])
			out->items[kept++] = out->items[i];
	out->count = kept;
	return 0;
}

/* ---- deciding ---- */

/* 2.3: is `wide` wider than `filter` in every respect? Both match the same connection. */
static bool is_superset(const struct dovecot_filter *wide, const struct dovecot_filter *filter)
{
	return wide->local.bits <= filter->local.bits && wide->remote.bits <= filter->remote.bits &&
	       (wide->local_name == NULL || filter->local_name != NULL) &&
	       (wide->protocol == NULL || filter->protocol != NULL);
}

static void take_filter(struct dovecot_effective *effective, const struct dovecot_model *model,
			const struct dovecot_filter *filter, const struct dovecot_filter *before)
{
	for (size_t slot = 0; slot < DOVECOT_SLOTS; slot++) {
		const struct dovecot_value *value = filter->values[slot];

		if (value == NULL)
			continue;
		if (effective->values[slot] == NULL) {
			effective->values[slot] = value;
		} else if (!model->v24 && effective->conflict[0] == NULL && before != NULL &&
			   !is_superset(filter, before)) {
			effective->conflict[0] = effective->values[slot];
			effective->conflict[1] = value;
		}
	}
}

/* The filter of the trial takes its place among those with a name. */
static int try_filter(struct dovecot_vector *named, const struct dovecot_model *model,
		      const struct dovecot_context *context, struct dovecot_trial *trial)
{
	if (!dovecot_fits(&trial->filter, context))
		return 0;
	for (size_t i = 0; i < named->count; i++)
		if (named->items[i] == trial->instead) {
			named->items[i] = &trial->filter;
			sort(model, named);
			return 0;
		}
	if (dovecot_vector_add(named, model->reading, &trial->filter) != 0)
		return CERTDEPLOY_ENOMEM;
	sort(model, named);
	return 0;
}

int dovecot_effective_with(struct dovecot_effective *effective, const struct dovecot_model *model,
			   const struct dovecot_context *context, const char *name,
			   struct dovecot_trial *trial)
{
	const struct dovecot_vector *nameless = &context->nameless;
	const struct dovecot_filter *before = NULL;
	struct dovecot_vector named = {0};
	size_t i = 0, j = 0;

	*effective = (struct dovecot_effective){0};
	if (name != NULL && context->by_name && named_filters(&named, model, context, name) != 0)
		return CERTDEPLOY_ENOMEM;
	if (trial != NULL && try_filter(&named, model, context, trial) != 0)
		return CERTDEPLOY_ENOMEM;
	while (i < named.count || j < nameless->count) {
		const struct dovecot_filter *filter;

		if (j == nameless->count ||
		    (i < named.count && dovecot_precedence(model, named.items[i], nameless->items[j]) < 0))
			filter = named.items[i++];
		else
			filter = nameless->items[j++];
		if (trial != NULL && filter == trial->instead)
			continue;
		take_filter(effective, model, filter, before);
		before = filter;
	}
	return 0;
}

int dovecot_effective(struct dovecot_effective *effective, const struct dovecot_model *model,
		      const struct dovecot_context *context, const char *name)
{
	return dovecot_effective_with(effective, model, context, name, NULL);
}
