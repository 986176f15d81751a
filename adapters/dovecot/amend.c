/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * amend.c - the model over edits, made of the one before them and the edited values
 *
 * Most plans replace the value of a few lines among thousands. Where that is all, no filter opens or
 * closes elsewhere and no other decides: only what those lines say is new. So an edited file must be, byte
 * for byte, what it was around its certificate lines, and each of these that differs must be read as a
 * line of the same setting. In any other case the configuration is read as a whole.
 *
 * An amended model is asked for its endpoints and its rehearsal only: its values, and where they and the
 * blocks stand, are those before.
 */
#include "listeners.h"
#include "read.h"

#include <string.h>

/* A file, compared from its beginning on. */
struct dovecot_comparison {
	struct dovecot_input *input; /* over the edits */
	const char *old;
	size_t old_length;
	size_t done;         /* bytes of the old text that were found again */
	size_t include_done; /* of its includes */
};

static size_t shifted(const struct dovecot_comparison *comparison, size_t offset)
{
	return offset - comparison->done + comparison->input->lines.at;
}

/* What stands between certificate lines is what it was, up to here, and with it the includes. */
static bool find_again(struct dovecot_comparison *comparison, size_t until)
{
	struct dovecot_lines *lines = &comparison->input->lines;
	const struct dovecot_vector *includes = &comparison->input->includes;
	size_t gap = until - comparison->done;

	if (lines->length - lines->at < gap ||
	    memcmp(lines->bytes + lines->at, comparison->old + comparison->done, gap) != 0)
		return false;
	for (; comparison->include_done < includes->count; comparison->include_done++) {
		struct dovecot_include *include = includes->items[comparison->include_done];

		if (include->span.offset >= until)
			break;
		include->span.offset = shifted(comparison, include->span.offset);
	}
	comparison->done = until;
	lines->at += gap;
	return true;
}

static size_t count_newlines(const char *bytes, size_t length)
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++)
		count += bytes[i] == '\n';
	return count;
}

/* Whether the line says in the same way which file is meant. */
static bool is_alike(const struct dovecot_comparison *comparison, const struct dovecot_value *value,
		     const struct dovecot_line *line)
{
	const struct dovecot_lines *lines = &comparison->input->lines;
	const char *old = comparison->old + value->start, *new = lines->bytes + line->start;

	return line->type == value->type && strcmp(line->key, value->key) == 0 &&
	       value->slot != DOVECOT_SSL && value->path != NULL && line->value[0] == '/' &&
	       strstr(line->value, "%{") == NULL &&
	       count_newlines(old, value->end - value->start) ==
		       count_newlines(new, line->end - line->start);
}

/* The line of the value, where it stands now. */
static int amend_line(struct dovecot_comparison *comparison, struct dovecot_model *model,
		      struct dovecot_value *value)
{
	struct dovecot_lines *lines = &comparison->input->lines;
	size_t start = lines->at;
	struct dovecot_value *after;
	struct dovecot_filter *filter = value->filter;
	struct dovecot_line line;
	int result = dovecot_lines_next(lines, &line);

	if (result < 0)
		return result;
	if (result == 0 || line.start != start || !is_alike(comparison, value, &line))
		return DOVECOT_READ_ALL;
	comparison->done = value->end;
	after = certdeploy_alloc(model->reading, sizeof(*after));
	if (after == NULL)
		return CERTDEPLOY_ENOMEM;
	*after = *value;
	after->text = after->path = certdeploy_copy(model->reading, line.value, strlen(line.value));
	if (after->text == NULL)
		return CERTDEPLOY_ENOMEM;
	value->after = after;
	if (filter->values[value->slot] != value)
		return 0;
	if (filter->after == NULL) {
		filter->after = certdeploy_alloc(model->reading, sizeof(*filter));
		if (filter->after == NULL)
			return CERTDEPLOY_ENOMEM;
		*filter->after = *filter;
	}
	filter->after->values[value->slot] = after;
	return 0;
}

static int amend_value(struct dovecot_comparison *comparison, struct dovecot_model *model,
		       struct dovecot_value *value)
{
	size_t length = value->end - value->start, left;
	const struct dovecot_lines *lines = &comparison->input->lines;

	if (!find_again(comparison, value->start))
		return DOVECOT_READ_ALL;
	left = lines->length - lines->at;
	if (left >= length && memcmp(lines->bytes + lines->at, comparison->old + value->start, length) == 0)
		return find_again(comparison, value->end) ? 0 : DOVECOT_READ_ALL;
	return amend_line(comparison, model, value);
}

/* ---- files ---- */

/* The same file over the edits, its includes to be moved as they are found again. */
static int open_again(struct dovecot_input *input, struct dovecot_model *model)
{
	struct certdeploy_reading *reading = model->reading;
	struct dovecot_comparison *comparison = certdeploy_alloc(reading, sizeof(*comparison));
	struct dovecot_input *after = certdeploy_alloc(reading, sizeof(*after));
	const struct dovecot_vector *includes = &input->includes;
	int result;

	if (comparison == NULL || after == NULL)
		return CERTDEPLOY_ENOMEM;
	*after = *input;
	after->includes = (struct dovecot_vector){0};
	result = certdeploy_read(&after->document, reading, input->path);
	if (result != 0)
		return result;
	for (size_t i = 0; i < includes->count; i++) {
		struct dovecot_include *copy = certdeploy_alloc(reading, sizeof(*copy));

		if (copy == NULL || dovecot_vector_add(&after->includes, reading, copy) != 0)
			return CERTDEPLOY_ENOMEM;
		*copy = *(const struct dovecot_include *)includes->items[i];
	}
	dovecot_lines_open(&after->lines, reading, after->document, model->v24);
	comparison->input = after;
	comparison->old = certdeploy_document_bytes(input->document, &comparison->old_length);
	input->after = comparison;
	return dovecot_vector_add(&model->inputs, reading, after);
}

static int open_edited(struct dovecot_model *model, const struct dovecot_model *old)
{
	int result = 0;

	model->inputs = (struct dovecot_vector){0};
	for (size_t i = 0; result == 0 && i < old->inputs.count; i++) {
		struct dovecot_input *input = old->inputs.items[i];

		input->after = NULL;
		if (!certdeploy_is_edited(model->reading, input->document))
			result = dovecot_vector_add(&model->inputs, model->reading, input);
		else
			result = open_again(input, model);
	}
	return result;
}

static int amend_values(struct dovecot_model *model, const struct dovecot_model *old)
{
	int result = 0;

	for (size_t i = 0; i < old->filters.count; i++)
		((struct dovecot_filter *)old->filters.items[i])->after = NULL;
	for (size_t i = 0; result == 0 && i < old->values.count; i++) {
		struct dovecot_value *value = old->values.items[i];

		value->after = NULL;
		if (value->input->after != NULL)
			result = amend_value(value->input->after, model, value);
	}
	for (size_t i = 0; result == 0 && i < old->inputs.count; i++) {
		const struct dovecot_input *input = old->inputs.items[i];
		struct dovecot_comparison *comparison = input->after;

		if (comparison != NULL && (!find_again(comparison, comparison->old_length) ||
					   comparison->input->lines.at != comparison->input->lines.length))
			result = DOVECOT_READ_ALL;
	}
	return result;
}

static int take_filters(struct dovecot_model *model, const struct dovecot_model *old)
{
	int result = 0;

	model->filters = (struct dovecot_vector){0};
	for (size_t i = 0; result == 0 && i < old->filters.count; i++) {
		struct dovecot_filter *filter = old->filters.items[i];

		result = dovecot_vector_add(&model->filters, model->reading,
					    filter->after != NULL ? filter->after : filter);
	}
	return result;
}

/* ---- endpoints ---- */

static bool is_amended(const struct dovecot_place *place)
{
	for (size_t slot = 0; slot < DOVECOT_SLOTS; slot++)
		if (place->effective.values[slot] != NULL && place->effective.values[slot]->after != NULL)
			return true;
	return false;
}

static int amend_endpoint(struct dovecot_model *model, const struct certdeploy_endpoint *before)
{
	struct dovecot_place *place = certdeploy_alloc(model->reading, sizeof(*place));
	struct certdeploy_endpoint endpoint = *before;

	if (place == NULL)
		return CERTDEPLOY_ENOMEM;
	*place = *(const struct dovecot_place *)before->own;
	for (size_t slot = 0; slot < DOVECOT_SLOTS; slot++) {
		const struct dovecot_value *value = place->effective.values[slot];

		if (value != NULL && value->after != NULL)
			place->effective.values[slot] = value->after;
	}
	place->pair_count = 0;
	if (dovecot_make_pairs(place, model) != 0)
		return CERTDEPLOY_ENOMEM;
	endpoint.pairs = place->pairs;
	endpoint.pair_count = place->pair_count;
	endpoint.own = place;
	return certdeploy_add_endpoint(model->reading, &endpoint);
}

static int amend_endpoints(struct dovecot_model *model, const struct certdeploy_reading *before)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(before, &count);
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++)
		result = is_amended(all[i]->own) ? amend_endpoint(model, all[i])
						 : certdeploy_keep_endpoint(model->reading, all[i]);
	return result;
}

int dovecot_amend(struct certdeploy_reading *reading, const struct certdeploy_reading *before)
{
	const struct dovecot_model *old = certdeploy_model(before);
	struct dovecot_model *model = certdeploy_alloc(reading, sizeof(*model));
	int result;

	if (model == NULL)
		return CERTDEPLOY_ENOMEM;
	/* A value that holds another one's would have to be expanded anew. */
	if (old->refers)
		return DOVECOT_READ_ALL;
	*model = *old;
	model->reading = reading;
	result = open_edited(model, old);
	if (result == 0)
		result = amend_values(model, old);
	if (result == 0)
		result = take_filters(model, old);
	if (result != 0)
		return result;
	certdeploy_set_model(reading, model);
	return amend_endpoints(model, before);
}
