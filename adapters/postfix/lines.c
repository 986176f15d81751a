/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lines.c - logical lines, shared by main.cf, master.cf and the sources of lookup tables
 *
 * As readllines(3) of Postfix: a line that begins with white space continues the one before, also
 * across comments and blank lines. Such a line with nothing before it is passed over, and so are its
 * continuations. The text after a NUL does not count.
 */
#include "postfix.h"

bool postfix_space(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool blank_or_comment(const char *at, const char *end)
{
	while (at < end && postfix_space(*at))
		at++;
	return at == end || *at == '#';
}

static int add_piece(struct postfix_lines *lines, struct certdeploy_reading *reading, size_t offset,
		     size_t length, size_t number)
{
	struct postfix_line *line = &lines->items[lines->count - 1];

	lines->pieces = postfix_grow(reading, lines->pieces, lines->piece_count, sizeof(*lines->pieces));
	if (lines->pieces == NULL)
		return CERTDEPLOY_ENOMEM;
	lines->pieces[lines->piece_count++] = (struct postfix_piece){line->length, offset, length, number};
	line->length += length;
	line->piece_count++;
	return 0;
}

static int add_line(struct postfix_lines *lines, struct certdeploy_reading *reading, size_t number)
{
	lines->items = postfix_grow(reading, lines->items, lines->count, sizeof(*lines->items));
	if (lines->items == NULL)
		return CERTDEPLOY_ENOMEM;
	lines->items[lines->count++] = (struct postfix_line){.document = lines->document, .number = number};
	return 0;
}

static int join(struct postfix_lines *lines, struct certdeploy_reading *reading, const char *bytes)
{
	const struct postfix_piece *piece = lines->pieces;

	for (size_t i = 0; i < lines->count; i++) {
		struct postfix_line *line = &lines->items[i];
		const char *nul;

		line->pieces = piece;
		line->text = certdeploy_alloc(reading, line->length + 1);
		if (line->text == NULL)
			return CERTDEPLOY_ENOMEM;
		for (; piece < line->pieces + line->piece_count; piece++)
			memcpy(line->text + piece->text, bytes + piece->offset, piece->length);
		nul = memchr(line->text, '\0', line->length);
		line->has_nul = nul != NULL;
		if (nul != NULL)
			line->length = (size_t)(nul - line->text);
	}
	return 0;
}

int postfix_lines_read(struct postfix_lines *out, struct certdeploy_reading *reading,
		       const struct certdeploy_document *document)
{
	size_t length, number = 0;
	const char *bytes = certdeploy_document_bytes(document, &length), *end = bytes + length;
	bool passed_over = false;
	int result = 0;

	*out = (struct postfix_lines){.document = document};
	for (const char *at = bytes; result == 0 && at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline == NULL ? end : newline;
		const char *next = newline == NULL ? end : newline + 1;

		number++;
		if (!blank_or_comment(at, stop)) {
			bool continues = postfix_space(*at);

			if (!continues)
				passed_over = false;
			else if (out->count == 0)
				passed_over = true;
			if (!continues)
				result = add_line(out, reading, number);
			if (result == 0 && !passed_over)
				result = add_piece(out, reading, (size_t)(at - bytes), (size_t)(stop - at),
						   number);
		}
		at = next;
	}
	return result == 0 ? join(out, reading, bytes) : result;
}

static const struct postfix_piece *piece_at(const struct postfix_line *line, size_t position)
{
	size_t low = 0, high = line->piece_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (line->pieces[middle].text <= position)
			low = middle;
		else
			high = middle;
	}
	return &line->pieces[low];
}

size_t postfix_line_offset(const struct postfix_line *line, size_t position)
{
	const struct postfix_piece *piece = piece_at(line, position);

	return piece->offset + (position - piece->text);
}

size_t postfix_line_number(const struct postfix_line *line, size_t position)
{
	return piece_at(line, position)->number;
}

size_t postfix_line_end(const struct postfix_line *line)
{
	const struct postfix_piece *last = &line->pieces[line->piece_count - 1];
	size_t length, end = last->offset + last->length;
	const char *bytes = certdeploy_document_bytes(line->document, &length);

	return end > last->offset && bytes[end - 1] == '\r' ? end - 1 : end;
}
