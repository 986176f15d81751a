/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* document.c - a configuration file's bytes, and how a list of splices changes them */
#include "change/document.h"

#include <stdlib.h>
#include <string.h>

void cd_document_free(struct certdeploy_document *document)
{
	if (document == NULL)
		return;
	free((char *)(uintptr_t)document->bytes);
	free((char *)(uintptr_t)document->head);
	free(document);
}

/* Who has made a file is asked of its head alone, and of most files not at all. */
static bool keep_head(struct certdeploy_document *document)
{
	const char *start = document->bytes + strspn(document->bytes, " \t\r\n");

	if (*start == '#' && document->head == NULL)
		document->head = strndup(document->bytes, CD_DOCUMENT_HEAD);
	return *start != '#' || document->head != NULL;
}

void cd_document_drop(struct certdeploy_document *document)
{
	if (document->bytes == NULL || document->held != 0 || !document->identity.exists ||
	    !keep_head(document))
		return;
	free((char *)(uintptr_t)document->bytes);
	document->bytes = NULL;
}

const char *certdeploy_document_path(const struct certdeploy_document *document)
{
	return document->path;
}

const char *certdeploy_document_bytes(const struct certdeploy_document *document, size_t *length)
{
	*length = document->length;
	return document->bytes;
}

size_t certdeploy_document_line(const struct certdeploy_document *document, size_t offset)
{
	const char *at = document->bytes;
	const char *end = at + (offset < document->length ? offset : document->length);
	size_t line = 1;

	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		line++;
		at++;
	}
	return line;
}

void certdeploy_document_line_bounds(const struct certdeploy_document *document, size_t offset,
				     size_t *start, size_t *end)
{
	const char *newline;

	if (offset > document->length)
		offset = document->length;
	newline = memrchr(document->bytes, '\n', offset);
	*start = newline == NULL ? 0 : (size_t)(newline - document->bytes) + 1;
	newline = memchr(document->bytes + offset, '\n', document->length - offset);
	*end = newline == NULL ? document->length : (size_t)(newline - document->bytes) + 1;
}

const char *certdeploy_document_newline(const struct certdeploy_document *document, size_t offset)
{
	const char *bytes = document->bytes, *newline = NULL;

	if (offset > document->length)
		offset = document->length;
	newline = memchr(bytes + offset, '\n', document->length - offset);
	if (newline == NULL)
		newline = memrchr(bytes, '\n', offset);
	return newline != NULL && newline > bytes && newline[-1] == '\r' ? "\r\n" : "\n";
}

static bool begins_line(const struct cd_splice *splice)
{
	return splice->text_length != 0 && (splice->text[0] == '\n' || splice->text[0] == '\r');
}

static int by_offset(const void *one, const void *other)
{
	const struct cd_splice *a = one, *b = other;

	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	/* What is inserted at an offset stands before what replaces the bytes from there on. */
	if ((a->length == 0) != (b->length == 0))
		return a->length == 0 ? -1 : 1;
	/* Where the last line of a file has no end, what goes on with that line stands before new lines. */
	if (a->length == 0 && begins_line(a) != begins_line(b))
		return begins_line(b) ? -1 : 1;
	return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static bool same_replacement(const struct cd_splice *a, const struct cd_splice *b)
{
	return a->length != 0 && a->offset == b->offset && a->length == b->length &&
	       a->text_length == b->text_length &&
	       (a->text_length == 0 || memcmp(a->text, b->text, a->text_length) == 0);
}

int cd_splices_settle(struct cd_splice *splices, size_t *count)
{
	size_t kept = 0;

	if (*count > 1)
		qsort(splices, *count, sizeof(*splices), by_offset);
	for (size_t i = 0; i < *count; i++) {
		if (kept > 0 && same_replacement(&splices[kept - 1], &splices[i]))
			continue;
		if (kept > 0 && splices[kept - 1].offset + splices[kept - 1].length > splices[i].offset)
			return CERTDEPLOY_EREFUSED;
		splices[kept++] = splices[i];
	}
	*count = kept;
	return 0;
}

void cd_splices_render(struct cd_buffer *out, const char *bytes, size_t length,
		       const struct cd_splice *splices, size_t count)
{
	size_t done = 0;

	for (size_t i = 0; i < count; i++) {
		cd_buffer_add(out, bytes + done, splices[i].offset - done);
		cd_buffer_add(out, splices[i].text, splices[i].text_length);
		done = splices[i].offset + splices[i].length;
	}
	cd_buffer_add(out, bytes + done, length - done);
}
