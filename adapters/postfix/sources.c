/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sources.c - which lines decide a service's certificates, and the pairs that they name
 *
 * PREFIXchain_files, where it is not empty, makes Postfix ignore the legacy parameters. A service's own
 * options come before main.cf, but a legacy option does nothing where main.cf has chain files.
 */
#include "postfix.h"

const char *const postfix_slot_certificate[POSTFIX_SLOTS] = {"cert_file", "dcert_file", "eccert_file"};
const char *const postfix_slot_key[POSTFIX_SLOTS] = {"key_file", "dkey_file", "eckey_file"};

const char *postfix_parameter_name(struct postfix_model *model, const struct postfix_source *source,
				   const char *name)
{
	return certdeploy_format(model->reading, "%s%s", source->prefix, name);
}

/* ---- which source decides ---- */

static bool option_set(struct postfix_model *model, const struct postfix_row *row, const char *prefix,
		       const char *name)
{
	const char *full = certdeploy_format(model->reading, "%s%s", prefix, name);

	return full != NULL && row != NULL && postfix_row_option(row, full) != NULL;
}

static bool overrides_pairs(struct postfix_model *model, const struct postfix_row *row, const char *prefix)
{
	for (size_t i = 0; i < POSTFIX_SLOTS; i++)
		if (option_set(model, row, prefix, postfix_slot_certificate[i]) ||
		    option_set(model, row, prefix, postfix_slot_key[i]))
			return true;
	return false;
}

/* Whether this row's own options decide, rather than main.cf. */
static int row_decides(bool *out, struct postfix_model *model, const struct postfix_row *row,
		       const char *prefix)
{
	const char *name = certdeploy_format(model->reading, "%schain_files", prefix);
	const char *here = "", *there = "";
	bool set = option_set(model, row, prefix, "chain_files");
	int result = name == NULL ? CERTDEPLOY_ENOMEM : 0;

	if (result == 0 && model->release >= 304)
		result = postfix_value(&here, model, row, name);
	if (result == 0 && model->release >= 304)
		result = postfix_value(&there, model, NULL, name);
	*out = *here != '\0' ? set : overrides_pairs(model, row, prefix) || (set && *there != '\0');
	return result;
}

struct postfix_source *postfix_row_source(struct postfix_model *model, struct postfix_row *row,
					  const char *prefix)
{
	struct postfix_source *source = row->sources;

	while (source != NULL && strcmp(source->prefix, prefix) != 0)
		source = source->next;
	if (source != NULL)
		return source;
	source = certdeploy_alloc(model->reading, sizeof(*source));
	if (source == NULL)
		return NULL;
	*source = (struct postfix_source){.next = row->sources, .row = row, .prefix = prefix};
	row->sources = source;
	return source;
}

/* Whether main.cf gives tlsproxy files of its own. */
static bool tlsproxy_apart(struct postfix_model *model)
{
	static const char *const names[] = {"chain_files", "cert_file",   "key_file",  "dcert_file",
					    "dkey_file",   "eccert_file", "eckey_file"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *own = certdeploy_format(model->reading, "tlsproxy_tls_%s", names[i]);
		const char *same = certdeploy_format(model->reading, "$smtpd_tls_%s", names[i]);
		struct postfix_parameter *set =
			own == NULL ? NULL : postfix_table_get(&model->main.by_name, own);

		if (set != NULL && (same == NULL || strcmp(set->value, same) != 0))
			return true;
	}
	return false;
}

int postfix_source_of(struct postfix_source **out, struct postfix_model *model, struct postfix_row *row,
		      bool tlsproxy)
{
	struct postfix_source *wide = &model->smtpd;
	bool decides = false, own = false;
	int result = 0;

	if (tlsproxy && tlsproxy_apart(model))
		wide = &model->tlsproxy;
	if (tlsproxy && row != NULL)
		result = row_decides(&own, model, row, "tlsproxy_tls_");
	if (result == 0 && row != NULL)
		result = row_decides(&decides, model, row, wide->prefix);
	*out = wide;
	if (own || decides)
		*out = postfix_row_source(model, row, own ? "tlsproxy_tls_" : wide->prefix);
	return result != 0 ? result : *out == NULL ? CERTDEPLOY_ENOMEM : 0;
}

/* ---- the pairs of a source ---- */

struct postfix_pair *postfix_add_pair(struct postfix_model *model, struct postfix_pairs *pairs,
				      const struct postfix_line *line, size_t position)
{
	struct certdeploy_pair *shown;

	pairs->list = postfix_grow(model->reading, pairs->list, pairs->count, sizeof(*pairs->list));
	pairs->shown = postfix_grow(model->reading, pairs->shown, pairs->count, sizeof(*pairs->shown));
	if (pairs->list == NULL || pairs->shown == NULL)
		return NULL;
	shown = &pairs->shown[pairs->count];
	*shown = (struct certdeploy_pair){.file = model->main_path};
	if (line != NULL) {
		shown->file = certdeploy_document_path(line->document);
		shown->line = postfix_line_number(line, position);
	}
	pairs->list[pairs->count] = (struct postfix_pair){.certificate = NULL};
	return &pairs->list[pairs->count++];
}

static int legacy_pairs(struct postfix_model *model, struct postfix_source *source)
{
	for (enum postfix_slot slot = 0; slot < POSTFIX_SLOTS; slot++) {
		const char *name = postfix_parameter_name(model, source, postfix_slot_certificate[slot]);
		const char *key_name = postfix_parameter_name(model, source, postfix_slot_key[slot]);
		const char *certificate, *key;
		struct postfix_value value;
		struct postfix_pair *pair;
		int result;

		if (name == NULL || key_name == NULL)
			return CERTDEPLOY_ENOMEM;
		result = postfix_value(&certificate, model, source->row, name);
		if (result == 0)
			result = postfix_value(&key, model, source->row, key_name);
		if (result != 0)
			return result;
		if (*certificate == '\0' ||
		    (slot == POSTFIX_SLOT_CERT && strcasecmp(certificate, "none") == 0))
			continue;
		postfix_lookup(&value, model, source->row, name);
		pair = postfix_add_pair(model, &source->pairs, value.line, value.span.start);
		if (pair == NULL)
			return CERTDEPLOY_ENOMEM;
		pair->slot = slot;
		pair->certificate = certdeploy_join(model->reading, model->queue_directory, certificate);
		pair->key = certdeploy_join(model->reading, model->queue_directory, key);
		if (pair->certificate == NULL || pair->key == NULL)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

/* A certificate of an authority has no host's name. */
static bool of_a_host(const struct certdeploy_leaf *leaf)
{
	const char *name = leaf->names[0];

	return name != NULL && strchr(name, '.') != NULL && strchr(name, ' ') == NULL;
}

/*
 * Files are read as one stream of key, certificate, chain, key, … A file without a certificate holds a
 * key for the next one; one with an authority's certificate goes on with the chain.
 */
int postfix_chain_pairs(struct postfix_model *model, struct postfix_pair **pairs, size_t *count,
			const char *const *files)
{
	struct postfix_pair *pair = NULL;
	const char *key = NULL;
	size_t key_at = 0;

	*pairs = NULL;
	*count = 0;
	for (size_t i = 0; files[i] != NULL; i++) {
		const char *path = certdeploy_join(model->reading, model->queue_directory, files[i]);
		const struct certdeploy_leaf *leaf = NULL;
		int found = path == NULL ? CERTDEPLOY_ENOMEM : certdeploy_leaf(&leaf, model->reading, path);

		if (found == CERTDEPLOY_ENOMEM)
			return found;
		if (found != 0 && key == NULL && files[i + 1] != NULL) {
			key = path;
			key_at = i;
			continue;
		}
		if (pair != NULL && key == NULL && (leaf == NULL || !of_a_host(leaf))) {
			pair->last = i + 1;
			continue;
		}
		*pairs = postfix_grow(model->reading, *pairs, *count, sizeof(**pairs));
		if (*pairs == NULL)
			return CERTDEPLOY_ENOMEM;
		pair = &(*pairs)[(*count)++];
		*pair = (struct postfix_pair){.first = key == NULL ? i : key_at,
					      .last = i + 1,
					      .certificate = path,
					      .key = key == NULL ? path : key,
					      .leaf = leaf,
					      .key_type = leaf == NULL ? NULL : leaf->key_type};
		key = NULL;
	}
	return 0;
}

static int chain_pairs(struct postfix_model *model, struct postfix_source *source, const char *name,
		       const char *text)
{
	const char *const *files;
	struct postfix_span *spans = NULL;
	struct postfix_value value;
	struct postfix_pair *pairs;
	size_t count, span_count = 0;
	int result = postfix_split_list(&files, model->reading, text, false);

	postfix_lookup(&value, model, source->row, name);
	if (result == 0)
		result = postfix_split_spans(&spans, &span_count, model->reading, value.raw, false);
	if (result == 0)
		result = postfix_chain_pairs(model, &pairs, &count, files);
	for (size_t i = 0; result == 0 && i < count; i++) {
		size_t token = pairs[i].last - 1;
		size_t position = value.span.start + (token < span_count ? spans[token].start : 0);
		struct postfix_pair *pair = postfix_add_pair(model, &source->pairs, value.line, position);

		if (pair == NULL)
			result = CERTDEPLOY_ENOMEM;
		else
			*pair = pairs[i];
	}
	return result;
}

int postfix_source_evaluate(struct postfix_model *model, struct postfix_source *source)
{
	const char *name, *chain = "";
	int result = 0;

	if (source->evaluated)
		return 0;
	source->evaluated = true;
	name = postfix_parameter_name(model, source, "chain_files");
	if (name == NULL)
		return CERTDEPLOY_ENOMEM;
	if (model->release >= 304)
		result = postfix_value(&chain, model, source->row, name);
	source->chain = *chain != '\0';
	if (result == 0)
		result = source->chain ? chain_pairs(model, source, name, chain)
				       : legacy_pairs(model, source);
	for (size_t i = 0; result == 0 && i < source->pairs.count; i++) {
		source->pairs.shown[i].certificate = source->pairs.list[i].certificate;
		source->pairs.shown[i].key = source->pairs.list[i].key;
	}
	return result;
}
