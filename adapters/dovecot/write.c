/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * write.c - values and lines in Dovecot's grammar
 *
 * The only writer of the format: what cannot be said exactly is refused. 2.3 knows no quotes after `<`
 * and takes any # for a comment; 2.4 has quotes, but opens nothing that holds `%{`.
 */
#include "edit.h"

#include <string.h>

static const char *const names_23[] = {"ssl_cert", "ssl_key", "ssl_alt_cert", "ssl_alt_key"};
static const char *const names_24[] = {"cert_file", "key_file", "alt_cert_file", "alt_key_file"};

static const char *cannot_say(struct dovecot_editor *editor, const char *path)
{
	(void)certdeploy_refuse(editor->reading, "config-not-understood", NULL, 0,
				_("the path %s cannot be written in Dovecot's configuration"), path);
	return NULL;
}

static bool is_sayable(const struct dovecot_model *model, const char *path)
{
	size_t length = strlen(path);

	if (length == 0 || path[0] != '/')
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)path[i] < ' ' || path[i] == 127)
			return false;
	if (model->v24)
		return strstr(path, "%{") == NULL;
	return strpbrk(path, "#\"'\\") == NULL && path[length - 1] != ' ';
}

/* With backslashes where quotes need them (2.4). */
static const char *escaped(struct dovecot_editor *editor, const char *path)
{
	struct dovecot_text text = {0};

	for (; *path != '\0'; path++)
		if (((*path == '"' || *path == '\\' || *path == '\'') &&
		     dovecot_text_add(&text, editor->reading, "\\", 1) != 0) ||
		    dovecot_text_add(&text, editor->reading, path, 1) != 0)
			return NULL;
	return text.bytes;
}

const char *dovecot_spell_path(struct dovecot_editor *editor, const char *path)
{
	if (!is_sayable(editor->model, path))
		return cannot_say(editor, path);
	if (!editor->model->v24 || (strpbrk(path, "#\"'\\$") == NULL && path[strlen(path) - 1] != ' '))
		return path;
	path = escaped(editor, path);
	return path == NULL ? NULL : certdeploy_format(editor->reading, "\"%s\"", path);
}

int dovecot_first_time(bool *first, struct dovecot_editor *editor,
		       const struct certdeploy_document *document, const char *what, size_t offset)
{
	const char *key =
		certdeploy_format(editor->reading, "%s %p %zu", what, (const void *)document, offset);

	if (key == NULL)
		return CERTDEPLOY_ENOMEM;
	*first = dovecot_table_get(&editor->done, key, strlen(key)) == NULL;
	if (!*first)
		return 0;
	editor->changed = true;
	return dovecot_table_put(&editor->done, editor->reading, key, strlen(key), editor);
}

static int splice(struct dovecot_editor *editor, const struct dovecot_value *value,
		  struct dovecot_span span, const char *text)
{
	bool first;
	int result = dovecot_first_time(&first, editor, value->input->document, "value", span.offset);

	if (result != 0 || !first)
		return result;
	result = dovecot_table_put(&editor->sites, editor->reading, value->site, strlen(value->site),
				   (void *)(uintptr_t)value);
	if (result != 0)
		return result;
	return certdeploy_splice(editor->edits, editor->reading, value->input->document, span.offset,
				 span.length, text, strlen(text));
}

int dovecot_set_value(struct dovecot_editor *editor, const struct dovecot_value *value, const char *path)
{
	const char *bytes = certdeploy_document_bytes(value->input->document, &(size_t){0});
	const char *plain = certdeploy_join(editor->reading, "/", path), *old = value->path;
	struct dovecot_span span = value->value_span;
	bool v24 = editor->model->v24;
	const char *text;

	if (old != NULL)
		old = certdeploy_join(editor->reading, "/", old);
	text = dovecot_spell_path(editor, path);
	if (text == NULL || plain == NULL || (value->path != NULL && old == NULL))
		return text == NULL && is_sayable(editor->model, path) ? CERTDEPLOY_ENOMEM
								       : CERTDEPLOY_EREFUSED;
	if (old != NULL && strcmp(old, plain) == 0)
		return 0;
	if (v24 ? value->quoted : value->type == DOVECOT_LINE_FILE || value->quoted) {
		span = value->inner_span;
		text = v24 ? escaped(editor, path) : path;
	}
	/* 2.3: `"…"` stands for itself, except after the former names, which take a path. */
	if (!v24 && strstr(value->key, "_file") == NULL && value->type != DOVECOT_LINE_FILE) {
		span = value->value_span;
		text = certdeploy_format(editor->reading, "<%s", path);
	}
	if (text != NULL && span.length == 0 && span.offset > 0 && bytes[span.offset - 1] == '=')
		text = certdeploy_format(editor->reading, " %s", text);
	return text == NULL ? CERTDEPLOY_ENOMEM : splice(editor, value, span, text);
}

int dovecot_remove_value(struct dovecot_editor *editor, const struct dovecot_value *value)
{
	struct dovecot_span span = {value->start, value->end - value->start};

	return splice(editor, value, span, "");
}

const char *dovecot_line_end(const struct certdeploy_document *document, size_t offset)
{
	size_t length;
	const char *bytes = certdeploy_document_bytes(document, &length);

	if (offset == 0 || bytes[offset - 1] == '\n')
		return "";
	return bytes[offset - 1] == '\r' ? "\n" : certdeploy_document_newline(document, offset - 1);
}

const char *dovecot_indent(struct dovecot_editor *editor, const struct certdeploy_document *document,
			   size_t offset)
{
	size_t length, end = offset;
	const char *bytes = certdeploy_document_bytes(document, &length);

	while (end < length && (bytes[end] == ' ' || bytes[end] == '\t'))
		end++;
	return certdeploy_copy(editor->reading, bytes + offset, end - offset);
}

/* The name of another slot, spelled like this value's. */
static const char *spell_key(struct dovecot_editor *editor, const struct dovecot_value *like,
			     enum dovecot_slot slot)
{
	size_t prefix;

	/* Never by 2.3's former names: each one would be another warning. */
	if (!editor->model->v24)
		return names_23[slot];
	if (like == NULL)
		return certdeploy_format(editor->reading, "ssl_server_%s", names_24[slot]);
	prefix = strlen(like->key) - strlen(names_24[like->slot]);
	return certdeploy_format(editor->reading, "%.*s%s", (int)prefix, like->key, names_24[slot]);
}

/* What stands between key and path: " = <" or what `like` has instead. */
static const char *spell_middle(struct dovecot_editor *editor, const struct dovecot_value *like,
				const char *key)
{
	bool file = !editor->model->v24 && strstr(key, "_file") == NULL;
	const char *equals = " = ";

	if (like != NULL) {
		size_t length;
		const char *bytes = certdeploy_document_bytes(like->input->document, &length);
		size_t from = like->value_span.offset, start = from;

		while (start > 0 && strchr(" \t=", bytes[start - 1]) != NULL && bytes[start - 1] != '\0')
			start--;
		if (memchr(bytes + start, '=', from - start) != NULL && like->value_span.length != 0)
			equals = certdeploy_copy(editor->reading, bytes + start, from - start);
		if (equals == NULL)
			return NULL;
		if (file && like->type == DOVECOT_LINE_FILE)
			return certdeploy_format(editor->reading, "%s%.*s", equals,
						 (int)(like->inner_span.offset - from), bytes + from);
	}
	return file ? certdeploy_format(editor->reading, "%s<", equals) : equals;
}

static const char *spell_line(struct dovecot_editor *editor, const struct dovecot_value *like,
			      enum dovecot_slot slot, const char *path)
{
	const char *key = spell_key(editor, like, slot), *middle;

	if (key == NULL)
		return NULL;
	if (path == NULL)
		return certdeploy_format(editor->reading, "%s =", key);
	path = dovecot_spell_path(editor, path);
	middle = path == NULL ? NULL : spell_middle(editor, like, key);
	return middle == NULL ? NULL : certdeploy_format(editor->reading, "%s%s%s", key, middle, path);
}

int dovecot_add_beside(struct dovecot_editor *editor, const struct dovecot_value *value,
		       enum dovecot_slot slot, const char *path)
{
	const struct certdeploy_document *document = value->input->document;
	const char *newline = certdeploy_document_newline(document, value->start);
	const char *indent = dovecot_indent(editor, document, value->start);
	const char *line = spell_line(editor, value, slot, path), *what, *text;
	size_t length;
	const char *bytes = certdeploy_document_bytes(document, &length);
	bool first;
	int result;

	if (line == NULL || indent == NULL)
		return path == NULL || is_sayable(editor->model, path) ? CERTDEPLOY_ENOMEM
								       : CERTDEPLOY_EREFUSED;
	what = certdeploy_format(editor->reading, "beside %d", (int)slot);
	if (what == NULL)
		return CERTDEPLOY_ENOMEM;
	result = dovecot_first_time(&first, editor, document, what, value->end);
	if (result != 0 || !first)
		return result;
	if (value->end > 0 && bytes[value->end - 1] == '\n')
		text = certdeploy_format(editor->reading, "%s%s%s", indent, line, newline);
	else
		text = certdeploy_format(editor->reading, "%s%s%s", dovecot_line_end(document, value->end),
					 indent, line);
	if (text == NULL)
		return CERTDEPLOY_ENOMEM;
	return certdeploy_splice(editor->edits, editor->reading, document, value->end, 0, text,
				 strlen(text));
}

static int add_text_line(struct dovecot_text *text, struct dovecot_editor *editor, const char *indent,
			 const char *line, const char *newline)
{
	const char *whole = certdeploy_format(editor->reading, "%s%s%s", indent, line, newline);

	return whole == NULL ? CERTDEPLOY_ENOMEM : dovecot_text_string(text, editor->reading, whole);
}

static const char *material_path(const struct certdeploy_material *material, size_t slot)
{
	if (slot == DOVECOT_KEY || slot == DOVECOT_ALT_KEY)
		return material->paths.key;
	return material->paths.fullchain != NULL ? material->paths.fullchain : material->paths.certificate;
}

int dovecot_lines_for(struct dovecot_text *text, struct dovecot_editor *editor,
		      const struct dovecot_wish *wishes, const struct dovecot_value *like,
		      const char *indent, const char *newline)
{
	const char *inner = indent;
	int result = 0;

	if (like != NULL && like->nested) {
		inner = certdeploy_format(editor->reading, "%s%s", indent,
					  indent[0] == '\0'   ? "  "
					  : indent[0] == '\t' ? "\t"
							      : "  ");
		if (inner == NULL)
			return CERTDEPLOY_ENOMEM;
		result = add_text_line(text, editor, indent, "ssl_server {", newline);
	}
	for (size_t slot = 0; slot <= DOVECOT_ALT_KEY && result == 0; slot++) {
		const struct dovecot_wish *wish = &wishes[slot / 2];
		const char *path = wish->material == NULL ? NULL : material_path(wish->material, slot);
		const char *line;

		if (wish->material == NULL && !wish->drop)
			continue;
		line = spell_line(editor, like, (enum dovecot_slot)slot, path);
		if (line == NULL)
			return path == NULL || is_sayable(editor->model, path) ? CERTDEPLOY_ENOMEM
									       : CERTDEPLOY_EREFUSED;
		result = add_text_line(text, editor, inner, line, newline);
	}
	if (result == 0 && inner != indent)
		result = add_text_line(text, editor, indent, "}", newline);
	return result;
}
