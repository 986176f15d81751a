/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * edit.c - writing main.cf and master.cf: the bytes that must change and no others
 *
 * The definition that wins is the one that is edited. A value that reaches over several lines keeps
 * them, apart from lines left with nothing on them.
 */
#include "postfix.h"

static int splice(struct postfix_model *model, const struct postfix_line *line, size_t from, size_t to,
		  const char *text)
{
	if (!model->gathering)
		return certdeploy_splice(model->edits, model->reading, line->document, from, to - from,
					 text, strlen(text));
	model->gathered = postfix_grow(model->reading, model->gathered, model->gathered_count,
				       sizeof(*model->gathered));
	if (model->gathered == NULL)
		return CERTDEPLOY_ENOMEM;
	model->gathered[model->gathered_count] =
		(struct postfix_gathered){from, to - from, text, model->gathered_count};
	model->gathered_count++;
	return 0;
}

static bool blank(const struct postfix_line *line, size_t from, size_t to)
{
	while (from < to && postfix_space(line->text[from]))
		from++;
	return from >= to;
}

static int remove_whole(struct postfix_model *model, const struct postfix_line *line,
			const struct postfix_piece *piece)
{
	size_t start, end;

	certdeploy_document_line_bounds(line->document, piece->offset, &start, &end);
	return splice(model, line, start, end, "");
}

/* The part of one piece that a span covers is replaced; a continuation left empty goes altogether. */
static int replace_in_piece(struct postfix_model *model, const struct postfix_line *line,
			    const struct postfix_piece *piece, struct postfix_span span, const char *text)
{
	size_t end = piece->text + piece->length;
	size_t from = span.start > piece->text ? span.start : piece->text;
	size_t to = span.end < end ? span.end : end;
	bool nothing_else = piece != line->pieces && blank(line, piece->text, from) && blank(line, to, end);

	if (*text == '\0' && nothing_else)
		return remove_whole(model, line, piece);
	/* A continuation keeps its indentation, else it would not be one. */
	while ((piece != line->pieces || *text != '\0') && from < to && postfix_space(line->text[from]))
		from++;
	while (to > from && postfix_space(line->text[to - 1]))
		to--;
	return splice(model, line, piece->offset + (from - piece->text), piece->offset + (to - piece->text),
		      text);
}

static int refuse_nul(struct postfix_model *model, const struct postfix_line *line)
{
	if (!line->has_nul)
		return 0;
	return certdeploy_refuse(model->reading, "config-not-understood",
				 certdeploy_document_path(line->document), line->number,
				 _("the line holds a NUL byte"));
}

int postfix_replace(struct postfix_model *model, const struct postfix_line *line, struct postfix_span span,
		    const char *text)
{
	int result = text == NULL ? CERTDEPLOY_ENOMEM : refuse_nul(model, line);

	for (size_t i = 0; result == 0 && i < line->piece_count; i++) {
		const struct postfix_piece *piece = &line->pieces[i];

		if (piece->text + piece->length <= span.start || piece->text >= span.end)
			continue;
		result = replace_in_piece(model, line, piece, span, text);
		text = ""; /* the new text goes where the old one began */
	}
	return result;
}

int postfix_insert_before(struct postfix_model *model, const struct postfix_line *line, size_t position,
			  const char *text)
{
	size_t offset = postfix_line_offset(line, position);
	int result = refuse_nul(model, line);

	return result == 0 ? splice(model, line, offset, offset, text) : result;
}

int postfix_insert_after(struct postfix_model *model, const struct postfix_line *line, size_t position,
			 const char *text)
{
	size_t offset = postfix_line_offset(line, position) + 1;
	int result = refuse_nul(model, line);

	return result == 0 ? splice(model, line, offset, offset, text) : result;
}

int postfix_check_path(struct postfix_model *model, const char *path, bool list, bool option)
{
	const char *wrong = NULL;
	size_t length = strlen(path);

	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)path[i];

		if (byte < 0x20 || byte == 0x7f)
			wrong = _("a control character");
		else if (list && (byte == ' ' || byte == ','))
			wrong = _("a blank or comma");
		else if (option && (byte == '{' || byte == '}'))
			wrong = _("a brace");
	}
	if (length != 0 && (path[0] == ' ' || path[length - 1] == ' '))
		wrong = _("a blank at its start or end");
	if (wrong == NULL)
		return 0;
	return certdeploy_refuse(model->reading, "not-expressible", path, 0,
				 _("Postfix's configuration cannot hold this path: it has %s"), wrong);
}

/* "$" means a parameter, "$$" a dollar sign. */
const char *postfix_doubled(struct postfix_model *model, const char *text)
{
	struct postfix_text out = {0};

	if (strchr(text, '$') == NULL)
		return text;
	for (; *text != '\0'; text++) {
		postfix_text_add(&out, model->reading, text, 1);
		if (*text == '$')
			postfix_text_add(&out, model->reading, text, 1);
	}
	return out.failed ? NULL : out.bytes;
}

static const struct postfix_piece *piece_at(const struct postfix_line *line, size_t position)
{
	const struct postfix_piece *piece = &line->pieces[line->piece_count - 1];

	while (piece > line->pieces && piece->text > position)
		piece--;
	return piece;
}

/*
 * An empty value stands right behind the "=" and the blanks after it on the same line. They are written
 * again with it, so that what another edit inserts behind comes after the value.
 */
static int fill_empty(struct postfix_model *model, const struct postfix_line *line, size_t equals,
		      const char *text, bool spaced)
{
	const struct postfix_piece *piece = piece_at(line, equals);
	size_t at = equals + 1, end = piece->text + piece->length,
	       offset = postfix_line_offset(line, equals);
	int result = refuse_nul(model, line);

	while (at < end && (line->text[at] == ' ' || line->text[at] == '\t'))
		at++;
	text = certdeploy_format(model->reading, "%.*s%s%s", (int)(at - equals), line->text + equals,
				 spaced && at == equals + 1 ? " " : "", text);
	if (result != 0)
		return result;
	return text == NULL ? CERTDEPLOY_ENOMEM : splice(model, line, offset, offset + (at - equals), text);
}

/* ---- main.cf ---- */

/* The definition to stand behind: the certificate's for a key, else the last of the same family. */
static const struct postfix_parameter *neighbour(const struct postfix_model *model, const char *name)
{
	static const char *const families[] = {"smtpd_tls_", "tlsproxy_tls_", "smtp_tls_"};
	const struct postfix_parameter *last[4] = {NULL, NULL, NULL, NULL};
	char certificate[64];
	const char *key = strstr(name, "key_file");

	if (key != NULL && (size_t)(key - name) < sizeof(certificate) - 12) {
		memcpy(certificate, name, (size_t)(key - name));
		memcpy(certificate + (key - name), "cert_file", 10);
		last[3] = postfix_table_get(&model->main.by_name, certificate);
	}
	if (last[3] != NULL)
		return last[3];
	for (size_t i = 0; i < model->main.count; i++)
		for (size_t j = 0; j < 3; j++)
			if (strncmp(model->main.parameters[i].name, families[j], strlen(families[j])) == 0)
				last[j] = &model->main.parameters[i];
	if (strncmp(name, "tlsproxy_", 9) == 0 && last[1] != NULL)
		return last[1];
	return last[0] != NULL ? last[0] : last[1] != NULL ? last[1] : last[2];
}

/* The neighbour's way to write the "=" with blanks, or without. */
static const char *equals_like(struct postfix_model *model, const struct postfix_parameter *parameter)
{
	const struct postfix_line *line;
	size_t start, end;

	if (parameter == NULL)
		return " = ";
	line = parameter->line;
	start = end = parameter->equals;
	while (start > 0 && (line->text[start - 1] == ' ' || line->text[start - 1] == '\t'))
		start--;
	end++;
	while (line->text[end] == ' ' || line->text[end] == '\t')
		end++;
	if (parameter->span.start == parameter->span.end || end != parameter->span.start)
		return start == parameter->equals ? "=" : " = ";
	return certdeploy_copy(model->reading, line->text + start, end - start);
}

static int insert_parameter(struct postfix_model *model, const char *name, const char *text)
{
	const struct certdeploy_document *document = model->main.document;
	const struct postfix_parameter *parameter = neighbour(model, name);
	const char *equals = equals_like(model, parameter), *newline, *bytes, *line;
	size_t length, start, end, offset;
	bool ended;

	if (equals == NULL)
		return CERTDEPLOY_ENOMEM;
	bytes = certdeploy_document_bytes(document, &length);
	offset = length;
	if (parameter != NULL) {
		certdeploy_document_line_bounds(document, postfix_line_end(parameter->line), &start, &end);
		offset = end;
	}
	newline = certdeploy_document_newline(document, offset > 0 ? offset - 1 : 0);
	ended = offset == 0 || bytes[offset - 1] == '\n';
	line = ended ? certdeploy_format(model->reading, "%s%s%s%s", name, equals, text, newline)
		     : certdeploy_format(model->reading, "%s%s%s%s", newline, name, equals, text);
	return line == NULL ? CERTDEPLOY_ENOMEM
			    : certdeploy_splice(model->edits, model->reading, document, offset, 0, line,
						strlen(line));
}

static int set_parameter(struct postfix_model *model, const struct postfix_parameter *parameter,
			 const char *text)
{
	struct postfix_span span = parameter->span;
	const char *line = parameter->line->text;

	if (span.start == span.end)
		return fill_empty(model, parameter->line, parameter->equals, text,
				  parameter->equals > 0 && postfix_space(line[parameter->equals - 1]));
	if (*text == '\0')
		span.start = parameter->equals + 1;
	return postfix_replace(model, parameter->line, span, text);
}

/* ---- master.cf ---- */

static bool ends_line(const struct postfix_line *line, size_t position)
{
	const struct postfix_piece *piece = piece_at(line, position - 1);

	return blank(line, position, piece->text + piece->length);
}

/* Whether an option begins its physical line, and nothing follows it there. */
static bool stands_alone(const struct postfix_line *line, struct postfix_span whole)
{
	const struct postfix_piece *piece = piece_at(line, whole.start);

	return piece > line->pieces && blank(line, piece->text, whole.start) && ends_line(line, whole.end);
}

static int insert_option(struct postfix_model *model, struct postfix_row *row, const char *prefix,
			 const char *argument)
{
	const struct postfix_line *line = row->line;
	const struct postfix_option *beside = NULL, *any = NULL;
	const char *text, *indent = "  ";
	size_t at = row->command_end, offset, start;
	bool own_line;

	for (size_t i = 0; i < row->option_count; i++) {
		any = &row->options[i];
		if (strncmp(any->name, prefix, strlen(prefix)) == 0)
			beside = any;
	}
	if (beside == NULL)
		beside = any;
	if (beside != NULL)
		at = beside->whole.end;
	if (row->open && at == row->command_end)
		return certdeploy_refuse(model->reading, "config-not-understood",
					 certdeploy_document_path(line->document),
					 postfix_line_number(line, at - 1),
					 _("a \"{\" has no \"}\": an option added to \"%s\" would become a "
					   "part of that argument"),
					 row->name);
	own_line = beside != NULL ? stands_alone(line, beside->whole) : ends_line(line, at);
	if (beside != NULL && own_line) {
		start = piece_at(line, beside->whole.start)->text;
		indent = certdeploy_copy(model->reading, line->text + start, beside->whole.start - start);
	}
	offset = postfix_line_offset(line, at - 1);
	text = indent == NULL ? NULL
	       : own_line     ? certdeploy_format(model->reading, "%s%s-o %s",
						  certdeploy_document_newline(line->document, offset), indent,
						  argument)
			      : certdeploy_format(model->reading, " -o %s", argument);
	return text == NULL ? CERTDEPLOY_ENOMEM : postfix_insert_after(model, line, at - 1, text);
}

/* What is replaced must not take a brace along that belongs to another outside of it. */
static bool is_balanced(const char *text, struct postfix_span span)
{
	long level = 0;

	for (size_t i = span.start; i < span.end && level >= 0; i++)
		level += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
	return level == 0;
}

static int set_option(struct postfix_model *model, struct postfix_row *row, const char *name,
		      const char *text)
{
	const struct postfix_option *option = postfix_row_option(row, name);
	bool blanks = strpbrk(text, " \t") != NULL;
	const char *argument = blanks ? certdeploy_format(model->reading, "{ %s = %s }", name, text)
				      : certdeploy_format(model->reading, "%s=%s", name, text);

	if (argument == NULL)
		return CERTDEPLOY_ENOMEM;
	if (option == NULL)
		return insert_option(model, row, "smtpd_tls_", argument);
	if (!is_balanced(row->line->text, option->span))
		return certdeploy_refuse(model->reading, "config-not-understood",
					 certdeploy_document_path(row->line->document),
					 postfix_line_number(row->line, option->span.start),
					 _("the braces in %s of \"%s\" reach beyond its value"), name,
					 row->name);
	if (blanks && !option->braces) {
		argument = certdeploy_format(model->reading, "-o %s", argument);
		return argument == NULL ? CERTDEPLOY_ENOMEM
					: postfix_replace(model, row->line, option->whole, argument);
	}
	if (option->span.start == option->span.end && !option->braces)
		return postfix_replace(model, row->line,
				       (struct postfix_span){option->equals, option->equals + 1},
				       certdeploy_format(model->reading, "=%s", text));
	if (option->span.start == option->span.end)
		return fill_empty(model, row->line, option->equals, text,
				  option->braces && postfix_space(row->line->text[option->equals - 1]));
	return postfix_replace(model, row->line, option->span, text);
}

int postfix_set(struct postfix_model *model, struct postfix_row *row, const char *name, const char *text)
{
	const struct postfix_parameter *parameter = postfix_table_get(&model->main.by_name, name);
	const char *now, *raw = postfix_doubled(model, text);
	int result = raw == NULL ? CERTDEPLOY_ENOMEM : postfix_value(&now, model, row, name);

	if (result != 0 || strcmp(now, text) == 0)
		return result;
	if (row != NULL)
		return set_option(model, row, name, raw);
	result = postfix_table_put(&model->planned, model->reading, name, raw);
	if (result != 0)
		return result;
	return parameter == NULL ? insert_parameter(model, name, raw)
				 : set_parameter(model, parameter, raw);
}
