/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lines.c - the line grammar of Dovecot's configuration, with the bytes behind every part
 *
 * Dovecot cuts comments off each physical line, joins those that end in a backslash with one blank, and
 * takes the result apart. Here the joined text remembers which bytes it came from, so that a value can
 * be replaced where it stands. 2.3 and 2.4 differ in what a blank is, and in that a key may be quoted
 * and a group opened in 2.4.
 */
#include "lines.h"

#include <string.h>

/* Text of one physical line within the joined text. */
struct dovecot_piece {
	size_t at;     /* in the text … */
	size_t offset; /* … and in the document */
};

void dovecot_lines_open(struct dovecot_lines *lines, struct certdeploy_reading *reading,
			const struct certdeploy_document *document, bool v24)
{
	*lines = (struct dovecot_lines){.reading = reading, .document = document, .v24 = v24};
	lines->bytes = certdeploy_document_bytes(document, &lines->length);
}

static bool is_blank(const struct dovecot_lines *lines, char byte)
{
	return byte == ' ' || byte == '\t' ||
	       (lines->v24 && (byte == '\n' || byte == '\v' || byte == '\f' || byte == '\r'));
}

/* Where the comment of a line begins, or its end. Quotes hide a #; an unbalanced one hides all. */
static size_t comment_start(const char *bytes, size_t start, size_t end)
{
	bool any = memchr(bytes + start, '#', end - start) != NULL;

	for (size_t at = start; any && at < end; at++) {
		char quote = bytes[at];

		if (quote == '#')
			return at;
		if (quote != '"' && quote != '\'')
			continue;
		for (at++; at < end && bytes[at] != quote; at++)
			if (bytes[at] == '\\' && at + 1 < end)
				at++;
	}
	return end;
}

/* The next physical line: *end is after its newline, the result its last byte + 1 that counts. */
static size_t physical_line(struct dovecot_lines *lines, size_t *end)
{
	const char *start = lines->bytes + lines->at;
	size_t left = lines->length - lines->at, length = left;
	const char *found = memchr(start, '\n', left);

	*end = lines->length;
	if (found != NULL) {
		length = (size_t)(found - start);
		*end = lines->at + length + 1;
	}
	if (length > 0 && start[length - 1] == '\r')
		length--;
	/* Dovecot takes a line for a C string. */
	found = memchr(start, '\0', length);
	if (found != NULL)
		length = (size_t)(found - start);
	return lines->at + length;
}

static int add_piece(struct dovecot_lines *lines, size_t start, size_t end)
{
	if (lines->piece_count == lines->piece_room) {
		size_t room = 2 * lines->piece_room + 8;
		struct dovecot_piece *grown = certdeploy_alloc(lines->reading, room * sizeof(*grown));

		if (grown == NULL)
			return CERTDEPLOY_ENOMEM;
		if (lines->piece_count != 0)
			memcpy(grown, lines->pieces, lines->piece_count * sizeof(*grown));
		lines->pieces = grown;
		lines->piece_room = room;
	}
	lines->pieces[lines->piece_count++] = (struct dovecot_piece){lines->text.length, start};
	return dovecot_text_add(&lines->text, lines->reading, lines->bytes + start, end - start);
}

/* The byte of the document behind one of the text. */
static size_t offset_of(const struct dovecot_lines *lines, size_t at)
{
	const struct dovecot_piece *piece = &lines->pieces[lines->piece_count - 1];

	while (piece > lines->pieces && piece->at > at)
		piece--;
	return piece->offset + (at - piece->at);
}

static struct dovecot_span span_of(const struct dovecot_lines *lines, size_t from, size_t to)
{
	size_t offset = offset_of(lines, from);

	if (from == to)
		return (struct dovecot_span){offset, 0};
	return (struct dovecot_span){offset, offset_of(lines, to - 1) + 1 - offset};
}

/* Backslashes stand for what follows them; in place. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in != '\0'; in++) {
		if (*in == '\\' && *++in == '\0')
			break;
		*out++ = *in;
	}
	*out = '\0';
}

static void set_error(struct dovecot_line *line, const char *why)
{
	line->type = DOVECOT_LINE_ERROR;
	line->value = why;
}

/* What stands after `=`: at is the first byte after it. */
static void take_value(const struct dovecot_lines *lines, struct dovecot_line *line, size_t at)
{
	char *text = lines->text.bytes;
	size_t end = lines->text.length;
	char first, last;

	while (is_blank(lines, text[at]))
		at++;
	first = text[at];
	last = end > at ? text[end - 1] : '\0';
	line->value_span = span_of(lines, at, end);
	line->inner_span = line->value_span;
	line->value = text + at;
	line->type = DOVECOT_LINE_PLAIN;
	if (first == '<') {
		do
			at++;
		while (is_blank(lines, text[at]));
		line->type = DOVECOT_LINE_FILE;
		line->value = text + at;
		line->inner_span = span_of(lines, at, end);
	} else if (first != '"' && first != '\'' && strchr(line->value, '$') != NULL) {
		line->type = DOVECOT_LINE_VARIABLE;
	} else if ((first == '"' || first == '\'') && last == first && end > at) {
		/* A lone quote is its own end: Dovecot then takes the empty string. */
		size_t inner_end = end - 1 > at ? end - 1 : at + 1;

		line->inner_span = span_of(lines, at + 1, inner_end);
		text[end - 1] = '\0';
		line->quoted = true;
		line->value = end - 1 > at ? text + at + 1 : "";
		if (end - 1 > at)
			unescape(text + at + 1);
	}
}

/* What stands between a section's type and its `{`: at is its first byte, after a blank. */
static size_t section_name(const struct dovecot_lines *lines, struct dovecot_line *line, size_t at)
{
	char *text = lines->text.bytes;
	bool quoted = text[at] == '"';
	size_t start = quoted ? at + 1 : at;

	line->value = text + at;
	at = start;
	while (text[at] != '\0' && (quoted ? text[at] != '"' : !is_blank(lines, text[at])))
		at++;
	if (text[at] == '\0')
		return at;
	line->value_span = span_of(lines, quoted ? start - 1 : start, quoted ? at + 1 : at);
	line->inner_span = span_of(lines, start, at);
	text[at++] = '\0';
	line->value = text + start;
	if (quoted)
		unescape(text + start);
	line->quoted = quoted;
	while (is_blank(lines, text[at]))
		at++;
	return at;
}

static size_t skip_word(const struct dovecot_lines *lines, size_t at)
{
	const char *text = lines->text.bytes;

	while (text[at] != '\0' && !is_blank(lines, text[at]))
		at++;
	return at;
}

/* `group @label name {`: at is the first byte after `group`. */
static void take_group(const struct dovecot_lines *lines, struct dovecot_line *line, size_t at)
{
	char *text = lines->text.bytes;
	size_t end;

	line->key = text + at;
	end = skip_word(lines, at);
	line->key_span = span_of(lines, at, end);
	if (text[end] == '\0') {
		set_error(line, _("a group's name is missing"));
		return;
	}
	text[end] = '\0';
	for (at = end + 1; is_blank(lines, text[at]); at++)
		;
	line->value = text + at;
	end = skip_word(lines, at);
	line->value_span = span_of(lines, at, end);
	line->inner_span = line->value_span;
	if (text[end] != '\0') {
		text[end] = '\0';
		for (end++; is_blank(lines, text[end]); end++)
			;
	}
	if (text[end] != '{')
		set_error(line, _("a { is missing"));
	else if (text[end + 1] != '\0')
		set_error(line, _("something follows the {"));
	else
		line->type = DOVECOT_LINE_GROUP;
}

/* A section's beginning, or something that Dovecot does not accept. */
static void take_section(const struct dovecot_lines *lines, struct dovecot_line *line, size_t at)
{
	const char *text = lines->text.bytes;

	line->value = "";
	if (text[at] != '{') {
		if (lines->v24 && strcmp(line->key, "group") == 0) {
			take_group(lines, line, at);
			return;
		}
		at = section_name(lines, line, at);
	}
	line->type = DOVECOT_LINE_BEGIN;
	if (text[at] != '{')
		set_error(line, _("a { is missing, or a = after the setting's name"));
	else if (text[at + 1] != '\0')
		set_error(line, _("something follows the {"));
}

/* The byte after the key; a quoted one ends at its closing quote (2.4). */
static size_t key_end(const struct dovecot_lines *lines, struct dovecot_line *line)
{
	char *text = lines->text.bytes;
	size_t at = 0;

	line->key = text;
	if (lines->v24 && text[0] == '"') {
		line->key = text + 1;
		for (at = 1; text[at] != '\0'; at++) {
			if (text[at] == '\\' && text[at + 1] != '\0') {
				at++;
			} else if (text[at] == '"') {
				text[at++] = '\0';
				break;
			}
		}
	} else {
		while (text[at] != '\0' && text[at] != '=' && !is_blank(lines, text[at]))
			at++;
	}
	return at;
}

static void take_apart(const struct dovecot_lines *lines, struct dovecot_line *line)
{
	char *text = lines->text.bytes;
	size_t stop = key_end(lines, line), at = stop;
	char after = text[stop];
	bool include;

	line->key_span = span_of(lines, 0, stop);
	text[stop] = '\0';
	while (at < lines->text.length && (at == stop ? is_blank(lines, after) : is_blank(lines, text[at])))
		at++;
	include = strcmp(line->key, "!include") == 0 || strcmp(line->key, "!include_try") == 0;
	/* What follows the key at once is still part of it for a path: `!include=x` names "=x". */
	if (at == stop)
		text[stop] = after;
	line->value = text + at;
	if (include) {
		line->type = line->key[8] == '\0' || line->key[8] == '=' ? DOVECOT_LINE_INCLUDE
									 : DOVECOT_LINE_INCLUDE_TRY;
		line->value_span = span_of(lines, at, lines->text.length);
		line->inner_span = line->value_span;
	} else if (strncmp(line->key, "\xef\xbb\xbf", 3) == 0) {
		set_error(line, _("the file begins with a byte order mark"));
	} else if (text[at] == '=' && stop == 0) {
		set_error(line, _("there is no setting before the ="));
	} else if (text[at] == '=') {
		text[at] = '\0';
		take_value(lines, line, at + 1);
	} else if (strcmp(line->key, "}") == 0 && text[at] == '\0') {
		line->type = DOVECOT_LINE_END;
	} else {
		take_section(lines, line, at);
	}
}

static void forget(struct dovecot_lines *lines)
{
	lines->text.length = 0;
	lines->piece_count = 0;
}

int dovecot_lines_next(struct dovecot_lines *lines, struct dovecot_line *line)
{
	size_t first = lines->at;

	forget(lines);
	while (lines->at < lines->length) {
		size_t end, start = lines->at, stop = physical_line(lines, &end);
		bool continued;

		if (lines->piece_count == 0)
			first = lines->at;
		lines->at = end;
		lines->number++;
		while (start < stop && is_blank(lines, lines->bytes[start]))
			start++;
		if (start == stop || lines->bytes[start] == '#') {
			forget(lines);
			continue;
		}
		stop = comment_start(lines->bytes, start, stop);
		while (stop > start && is_blank(lines, lines->bytes[stop - 1]))
			stop--;
		continued = lines->bytes[stop - 1] == '\\';
		for (stop -= continued;
		     continued && stop > start && is_blank(lines, lines->bytes[stop - 1]);)
			stop--;
		if (continued && start == stop)
			continue;
		if (add_piece(lines, start, stop) != 0)
			return CERTDEPLOY_ENOMEM;
		if (continued) {
			if (dovecot_text_add(&lines->text, lines->reading, " ", 1) != 0)
				return CERTDEPLOY_ENOMEM;
			continue;
		}
		*line = (struct dovecot_line){.number = lines->number, .start = first, .end = end};
		take_apart(lines, line);
		return 1;
	}
	lines->unfinished = lines->piece_count != 0;
	return 0;
}
