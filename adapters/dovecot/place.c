/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * place.c - where new lines and blocks go
 *
 * 2.3 lets the first local_name of the file win, so a new name stands before any pattern that matches
 * it; 2.4 lets the last filter win, so it stands after all that do, and a pattern before its names. A place
 * must be at the top level, in a file that is read once, and after the global certificate: Dovecot warns of
 * a global setting that comes after a block that has it.
 */
#include "edit.h"

#include <string.h>

/* Whole lines are inserted before the byte at offset. */
struct spot {
	const struct dovecot_input *input;
	size_t offset;
	bool before; /* something stands there that is to stay after the new lines */
};

static const struct dovecot_block *block_at(const struct dovecot_filter *filter, size_t i)
{
	return filter->blocks.items[i];
}

static bool is_plain_place(const struct dovecot_block *block)
{
	return block->at_top && block->end_input == block->input && !block->input->repeated;
}

static bool sets_certificate(const struct dovecot_filter *filter)
{
	for (size_t slot = 0; slot <= DOVECOT_ALT_KEY; slot++)
		if (filter->values[slot] != NULL)
			return true;
	return false;
}

/* Would this filter decide about the certificate of some who ask for the name, wherever they connect? */
static bool competes(const struct dovecot_model *model, const struct dovecot_filter *filter,
		     const char *name)
{
	const char *words = dovecot_filter_name(filter);

	if (filter == model->root || !sets_certificate(filter))
		return false;
	if (words == NULL)
		return model->v24;
	/* In 2.3 those for an address come first anyway. */
	if (!model->v24 && (filter->local.bits > 0 || filter->remote.bits > 0))
		return false;
	while (*words != '\0') {
		size_t length = strcspn(words, " ");
		char word[512];

		if (length < sizeof(word)) {
			memcpy(word, words, length);
			word[length] = '\0';
			if (dovecot_name_matches(word, name))
				return true;
		}
		words += length;
		words += strspn(words, " ");
	}
	return false;
}

/* May connections to the address meet the filter, and all around it? */
static bool may_meet(const struct dovecot_filter *filter, const struct dovecot_net *net)
{
	for (; filter != NULL; filter = filter->parent)
		if (filter->local.bits > 0 &&
		    (filter->local.bits > net->bits || !dovecot_net_contains(&filter->local, net)))
			return false;
	return true;
}

/* The first byte of the comment lines directly above offset. */
static size_t above_comments(const struct certdeploy_document *document, size_t offset)
{
	const char *bytes = certdeploy_document_bytes(document, &(size_t){0});

	while (offset > 0) {
		size_t start, end, at;

		certdeploy_document_line_bounds(document, offset - 1, &start, &end);
		for (at = start; at < end && (bytes[at] == ' ' || bytes[at] == '\t'); at++)
			;
		if (at == end || bytes[at] != '#')
			break;
		offset = start;
	}
	return offset;
}

/* After the last of the names' (or addresses') blocks that is a plain place, if that is late enough. */
static bool after_neighbours(struct spot *spot, const struct dovecot_model *model, bool names, size_t order,
			     const struct dovecot_block *not_this)
{
	const struct dovecot_block *best = NULL;

	for (size_t i = 0; i < model->filters.count; i++) {
		const struct dovecot_filter *filter = model->filters.items[i];

		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): no filter in the list is NULL */
		if (names ? filter->local_name == NULL : filter->local.bits == 0)
			continue;
		for (size_t j = 0; j < filter->blocks.count; j++) {
			const struct dovecot_block *block = block_at(filter, j);

			if (is_plain_place(block) && block != not_this && block->closed_order >= order &&
			    (best == NULL || block->closed_order > best->closed_order))
				best = block;
		}
	}
	if (best == NULL)
		return false;
	*spot = (struct spot){best->input, best->end, false};
	return true;
}

static struct spot end_of(const struct dovecot_input *input)
{
	size_t length;

	certdeploy_document_bytes(input->document, &length);
	return (struct spot){input, length, false};
}

static bool beats(const struct dovecot_model *model, const struct dovecot_filter *filter, const char *name,
		  const struct dovecot_net *net)
{
	if (name != NULL)
		return competes(model, filter, name);
	return net != NULL && filter != model->root && sets_certificate(filter) &&
	       dovecot_filter_name(filter) == NULL && may_meet(filter, net);
}

/*
 * Lines read when the last setting stood that a new block must come after: it is for a name, or for
 * an address.
 */
static size_t earliest(const struct dovecot_model *model, const char *name, const struct dovecot_net *net)
{
	size_t order = 0;

	for (size_t slot = 0; slot <= DOVECOT_ALT_KEY; slot++) {
		const struct dovecot_value *value = model->root->values[slot];

		if (value != NULL && value->order > order)
			order = value->order;
	}
	for (size_t i = 0; model->v24 && i < model->filters.count; i++) {
		const struct dovecot_filter *filter = model->filters.items[i];

		if (filter->blocks.count != 0 && beats(model, filter, name, net) &&
		    block_at(filter, 0)->closed_order > order)
			order = block_at(filter, 0)->closed_order;
	}
	return order;
}

const struct dovecot_filter *dovecot_hiding(const struct dovecot_model *model, const char *name)
{
	for (size_t i = 0; !model->v24 && i < model->filters.count; i++)
		if (competes(model, model->filters.items[i], name))
			return model->filters.items[i];
	return NULL;
}

/* At the end of the file with the global certificate, if that is late enough, or of the first one. */
static struct spot end_of_some(const struct dovecot_model *model, size_t order)
{
	const struct dovecot_value *global = model->root->values[DOVECOT_CERT];

	if (global != NULL && global->input->at_top && global->input->ends_at_top &&
	    !global->input->repeated && global->input->end_order >= order)
		return end_of(global->input);
	return end_of(model->inputs.items[0]);
}

/* Does the pattern cover one of the names that the filter is about? */
static bool covers(const char *pattern, const struct dovecot_filter *filter)
{
	const char *words = dovecot_filter_name(filter);
	char word[512];

	for (; *words != '\0'; words += strspn(words, " ")) {
		size_t length = strcspn(words, " ");

		if (length < sizeof(word)) {
			memcpy(word, words, length);
			word[length] = '\0';
			if (strcmp(word, pattern) != 0 && dovecot_name_matches(pattern, word))
				return true;
		}
		words += length;
	}
	return false;
}

const struct dovecot_filter *dovecot_hidden(const struct dovecot_model *model, const char *name,
					    const struct dovecot_net *net)
{
	for (size_t i = 0; model->v24 && i < model->filters.count; i++) {
		const struct dovecot_filter *filter = model->filters.items[i];

		if (filter->lists == 0 && filter->blocks.count != 0 && sets_certificate(filter) &&
		    dovecot_filter_name(filter) != NULL &&
		    (name == NULL ? may_meet(filter, net) : covers(name, filter)))
			return filter;
	}
	return NULL;
}

static int find_spot(struct spot *spot, struct dovecot_editor *editor, const char *name,
		     const struct dovecot_block *moved)
{
	const struct dovecot_model *model = editor->model;
	const struct dovecot_filter *hides = dovecot_hiding(model, name);
	size_t order = earliest(model, name, NULL);

	if (hides == NULL)
		hides = dovecot_hidden(model, name, NULL);
	if (hides != NULL) {
		const struct dovecot_block *block = block_at(hides, 0);

		if (!is_plain_place(block) || hides->protocol != NULL)
			return certdeploy_refuse(
				editor->reading, "config-not-understood", block->input->path, block->line,
				_("this block would hide a block of its own for %s"), name);
		*spot = (struct spot){block->input, above_comments(block->input->document, block->start),
				      true};
		return 0;
	}
	if (after_neighbours(spot, model, true, order, moved))
		return 0;
	*spot = end_of_some(model, order);
	return 0;
}

/* In 2.4 before the names' blocks, for the last one wins; in 2.3 the address decides. */
static int find_local_spot(struct spot *spot, struct dovecot_editor *editor, const struct dovecot_net *net)
{
	const struct dovecot_model *model = editor->model;
	const struct dovecot_filter *hidden = dovecot_hidden(model, NULL, net);
	size_t order = earliest(model, NULL, net);

	if (hidden != NULL) {
		const struct dovecot_block *block = block_at(hidden, 0);

		if (!is_plain_place(block))
			return certdeploy_refuse(
				editor->reading, "config-not-understood", block->input->path, block->line,
				_("a block for the address would have to stand before this one"));
		*spot = (struct spot){block->input, above_comments(block->input->document, block->start),
				      true};
	} else if (!after_neighbours(spot, model, false, order, NULL)) {
		*spot = end_of_some(model, order);
	}
	return 0;
}

static int insert(struct dovecot_editor *editor, const struct spot *spot, const char *text)
{
	const struct certdeploy_document *document = spot->input->document;
	const char *newline = certdeploy_document_newline(document, spot->offset);
	size_t length, start = spot->offset, end = spot->offset;
	const char *bytes = certdeploy_document_bytes(document, &length);
	const char *before = newline;
	const char *whole;

	/* A blank line parts it from what stands around, unless there is one. */
	if (start == 0)
		before = "";
	else if (bytes[start - 1] != '\n')
		before = certdeploy_format(editor->reading, "%s%s", dovecot_line_end(document, start),
					   newline);
	else
		certdeploy_document_line_bounds(document, start - 1, &start, &end);
	if (before == newline && end - start <= strlen(newline))
		before = "";
	whole = before == NULL ? NULL
			       : certdeploy_format(editor->reading, "%s%s%s", before, text,
						   spot->before ? newline : "");
	if (whole == NULL)
		return CERTDEPLOY_ENOMEM;
	editor->changed = true;
	return certdeploy_splice(editor->edits, editor->reading, document, spot->offset, 0, whole,
				 strlen(whole));
}

/* Whole lines directly after a value's own. */
static int insert_after(struct dovecot_editor *editor, const struct dovecot_value *value, const char *text)
{
	const struct certdeploy_document *document = value->input->document;

	text = certdeploy_format(editor->reading, "%s%s", dovecot_line_end(document, value->end), text);
	if (text == NULL)
		return CERTDEPLOY_ENOMEM;
	editor->changed = true;
	return certdeploy_splice(editor->edits, editor->reading, document, value->end, 0, text,
				 strlen(text));
}

/* After another setting of TLS, or before the first block: Dovecot 2.3 warns of what comes after it. */
int dovecot_fill_top(struct dovecot_editor *editor, const struct dovecot_wish *wishes)
{
	const struct dovecot_model *model = editor->model;
	const struct dovecot_value *beside = NULL;
	const struct dovecot_block *first = NULL;
	struct dovecot_text text = {0};
	struct spot spot = end_of(model->inputs.items[0]);
	int result;

	for (size_t slot = 0; slot < DOVECOT_SLOTS; slot++)
		if (model->root->values[slot] != NULL && model->root->values[slot]->block == NULL &&
		    !model->root->values[slot]->nested)
			beside = model->root->values[slot];
	for (size_t i = 0; i < model->filters.count && first == NULL; i++)
		if (sets_certificate(model->filters.items[i]) && i != 0)
			first = block_at(model->filters.items[i], 0);
	while (first != NULL && first->outer != NULL)
		first = first->outer;
	if (beside != NULL && !beside->input->repeated && beside->input->at_top)
		spot = (struct spot){beside->input, beside->end, true};
	else if (first != NULL && is_plain_place(first))
		spot = (struct spot){first->input, above_comments(first->input->document, first->start),
				     true};
	else if (first != NULL)
		return certdeploy_refuse(
			editor->reading, "config-not-understood", first->input->path, first->line,
			_("there is no good place for the default certificate; set one up"));
	result = dovecot_lines_for(&text, editor, wishes, NULL, "",
				   certdeploy_document_newline(spot.input->document, spot.offset));
	if (result != 0)
		return result;
	if (beside == NULL || spot.input != beside->input)
		return insert(editor, &spot, text.bytes);
	return insert_after(editor, beside, text.bytes);
}

/* How far the lines within a block are indented, after an example in the same file. */
static const char *usual_indent(struct dovecot_editor *editor, const struct dovecot_input *input)
{
	const struct dovecot_model *model = editor->model;
	const struct dovecot_value *nearest = NULL;

	for (size_t i = 0; i < model->values.count; i++) {
		const struct dovecot_value *value = model->values.items[i];

		if (value->block == NULL || !value->block->at_top || value->nested)
			continue;
		if (nearest == NULL || value->input->document == input->document)
			nearest = value;
	}
	if (nearest == NULL)
		return "  ";
	return dovecot_indent(editor, nearest->input->document, nearest->start);
}

static bool is_safe_name(const char *name)
{
	if (name[0] == '\0' || strlen(name) > 253)
		return false;
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_*")] == '\0';
}

/* A block that begins with head, at the spot. */
static int write_block(struct dovecot_editor *editor, const struct spot *spot, const char *head,
		       const struct dovecot_wish *wishes, const struct dovecot_value *like)
{
	const char *newline = certdeploy_document_newline(spot->input->document, spot->offset);
	const char *indent = usual_indent(editor, spot->input);
	struct dovecot_text text = {0};
	int result;

	if (head == NULL || indent == NULL || dovecot_text_string(&text, editor->reading, head) != 0 ||
	    dovecot_text_string(&text, editor->reading, newline) != 0)
		return CERTDEPLOY_ENOMEM;
	result = dovecot_lines_for(&text, editor, wishes, like, indent, newline);
	if (result == 0)
		result = dovecot_text_string(&text, editor->reading, "}");
	if (result == 0)
		result = dovecot_text_string(&text, editor->reading, newline);
	editor->added_filters++;
	return result == 0 ? insert(editor, spot, text.bytes) : result;
}

int dovecot_new_block(struct dovecot_editor *editor, const char *name, const struct dovecot_wish *wishes,
		      const struct dovecot_value *like)
{
	struct spot spot;
	bool first = false;
	int result;

	if (!is_safe_name(name))
		return certdeploy_refuse(editor->reading, "usage", NULL, 0, _("%s is not a host name"),
					 name);
	result = find_spot(&spot, editor, name, NULL);
	if (result == 0)
		result = dovecot_first_time(&first, editor, spot.input->document, name, 0);
	return result != 0 || !first
		       ? result
		       : write_block(editor, &spot,
				     certdeploy_format(editor->reading, "local_name %s {", name), wishes,
				     like);
}

int dovecot_new_local(struct dovecot_editor *editor, const struct dovecot_net *net,
		      const struct dovecot_wish *wishes, const struct dovecot_value *like)
{
	const char *address = dovecot_spell_net(editor->reading, net);
	struct spot spot = {0};
	bool first = false;
	int result;

	if (address == NULL)
		return CERTDEPLOY_ENOMEM;
	result = find_local_spot(&spot, editor, net);
	if (result == 0)
		result = dovecot_first_time(&first, editor, spot.input->document, address, 0);
	return result != 0 || !first
		       ? result
		       : write_block(editor, &spot,
				     certdeploy_format(editor->reading, "local %s {", address), wishes,
				     like);
}

/* The indentation of what stands in the block. */
static const char *inner_indent(struct dovecot_editor *editor, const struct dovecot_block *block)
{
	const struct certdeploy_document *document = block->input->document;
	const char *outer = dovecot_indent(editor, document, block->start), *unit;

	if (outer == NULL)
		return NULL;
	if (block->last != NULL && block->last->input == block->input && !block->last->nested)
		return dovecot_indent(editor, document, block->last->start);
	if (block->end_input == block->input) {
		const char *first = dovecot_indent(editor, document, block->inside);

		if (first == NULL || (block->inside < block->close && strlen(first) > strlen(outer)))
			return first;
	}
	unit = block->at_top ? usual_indent(editor, block->input) : outer[0] == '\t' ? "\t" : "  ";
	return unit == NULL ? NULL : certdeploy_format(editor->reading, "%s%s", outer, unit);
}

int dovecot_fill_filter(struct dovecot_editor *editor, struct dovecot_filter *filter,
			const struct dovecot_wish *wishes, const struct dovecot_value *like)
{
	const struct dovecot_block *block = block_at(filter, filter->blocks.count - 1);
	const struct certdeploy_document *document = block->input->document;
	size_t offset = block->end_input == block->input ? block->close : block->inside;
	const char *newline = certdeploy_document_newline(document, block->start);
	const char *indent = inner_indent(editor, block);
	struct dovecot_text text = {0};
	bool first;
	int result;

	if (indent == NULL)
		return CERTDEPLOY_ENOMEM;
	result = dovecot_first_time(&first, editor, document, "fill", offset);
	if (result != 0 || !first)
		return result;
	result = dovecot_text_string(&text, editor->reading, dovecot_line_end(document, offset));
	if (result == 0)
		result = dovecot_lines_for(&text, editor, wishes, like, indent, newline);
	if (result != 0)
		return result;
	return certdeploy_splice(editor->edits, editor->reading, document, offset, 0, text.bytes,
				 text.length);
}

/* What it sets beyond certificates would win or lose against others elsewhere. */
static bool is_in_order(const struct dovecot_model *model, const struct dovecot_filter *filter)
{
	bool alone = true;

	for (size_t i = 0; filter->other_settings && alone && i < model->filters.count; i++) {
		const struct dovecot_filter *other = model->filters.items[i];

		alone = other == filter || other == model->root || other->lists != filter->lists ||
			!other->other_settings;
	}
	return alone;
}

bool dovecot_is_movable(const struct dovecot_model *model, const struct dovecot_filter *filter)
{
	return filter->blocks.count == 1 && block_at(filter, 0)->simple &&
	       is_plain_place(block_at(filter, 0)) &&
	       (filter->local_name == NULL || strchr(filter->local_name, ' ') == NULL) &&
	       is_in_order(model, filter);
}

/* Where a line begins whose end a backslash continues, a comment that follows ends it and must stay. */
static bool is_continued(const struct certdeploy_document *document, size_t offset)
{
	const char *bytes = certdeploy_document_bytes(document, &(size_t){0});

	while (offset > 0 && strchr(" \t\r\n", bytes[offset - 1]) != NULL && bytes[offset - 1] != '\0')
		offset--;
	return offset > 0 && bytes[offset - 1] == '\\';
}

/* The first byte of what moves with a block: it, and the comment directly above. */
static size_t whole_start(const struct dovecot_block *block)
{
	size_t start = above_comments(block->input->document, block->start);

	return is_continued(block->input->document, start) ? block->start : start;
}

static bool is_other(const struct dovecot_block *block, size_t offset)
{
	for (size_t i = 0; i < block->others.count; i++) {
		const struct dovecot_span *span = block->others.items[i];

		if (offset >= span->offset && offset - span->offset < span->length)
			return true;
	}
	return false;
}

/* The lines within the block that are comments, or settings beyond certificates and keys. */
static int add_others(struct dovecot_text *text, struct dovecot_editor *editor,
		      const struct dovecot_block *block)
{
	const struct certdeploy_document *document = block->input->document;
	const char *bytes = certdeploy_document_bytes(document, &(size_t){0});
	int result = 0;

	for (size_t at = block->inside, start, end; at < block->close && result == 0; at = end) {
		certdeploy_document_line_bounds(document, at, &start, &end);
		if (bytes[start + strspn(bytes + start, " \t")] == '#' || is_other(block, start))
			result = dovecot_text_add(text, editor->reading, bytes + start, end - start);
		if (end == at)
			break;
	}
	return result;
}

int dovecot_move_block(struct dovecot_editor *editor, struct dovecot_filter *filter, const char *name,
		       const struct dovecot_wish *wishes, const struct dovecot_value *like)
{
	const struct dovecot_block *block = block_at(filter, 0);
	const char *newline, *indent, *bytes;
	struct dovecot_text text = {0};
	struct spot spot;
	size_t start;
	int result;

	result = find_spot(&spot, editor, name, block);
	if (result != 0)
		return result;
	start = whole_start(block);
	bytes = certdeploy_document_bytes(block->input->document, &(size_t){0});
	newline = certdeploy_document_newline(block->input->document, block->start);
	indent = inner_indent(editor, block);
	if (indent == NULL)
		return CERTDEPLOY_ENOMEM;
	/* The rest goes along; the certificates are new. */
	result = dovecot_text_add(&text, editor->reading, bytes + start, block->inside - start);
	if (result == 0)
		result = add_others(&text, editor, block);
	if (result == 0)
		result = dovecot_lines_for(&text, editor, wishes, like, indent, newline);
	if (result == 0)
		result = dovecot_text_add(&text, editor->reading, bytes + block->close,
					  block->end - block->close);
	if (result == 0)
		result = dovecot_text_string(&text, editor->reading,
					     dovecot_line_end(block->input->document, block->end));
	if (result == 0)
		result = insert(editor, &spot, text.bytes);
	if (result != 0)
		return result;
	return certdeploy_splice(editor->edits, editor->reading, block->input->document, start,
				 block->end - start, "", 0);
}
