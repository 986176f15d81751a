/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * armour.c - PEM blocks in whatever text they arrive
 *
 * Stricter parsers lose what people send: a byte order mark, CRLF, blocks glued together by a missing
 * newline, indented by a mail program, folded into one line by a form, with newlines written as "\n".
 * Inside a block only the base64 counts; outside nothing does.
 */
#include "certificate/material.h"

#include <string.h>

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"

void cd_armour_open(struct cd_armour *armour, const char *bytes, size_t length)
{
	*armour = (struct cd_armour){bytes, bytes + length, 1};
}

static const char *find(const char *from, const char *end, const char *mark)
{
	return from == end ? NULL : memmem(from, (size_t)(end - from), mark, strlen(mark));
}

static void move_to(struct cd_armour *armour, const char *to)
{
	for (const char *at = armour->at; (at = memchr(at, '\n', (size_t)(to - at))) != NULL; at++)
		armour->line++;
	armour->at = to;
}

static bool is_label(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((text[i] < 'A' || text[i] > 'Z') && (text[i] < '0' || text[i] > '9') &&
		    strchr(" #.-", text[i]) == NULL)
			return false;
	return length > 0;
}

/* Find the next "-----BEGIN LABEL-----"; armour->at then stands behind it. */
static bool find_begin(struct cd_armour *armour, struct cd_block *block)
{
	const char *begin;

	while ((begin = find(armour->at, armour->end, BEGIN)) != NULL) {
		const char *label = begin + strlen(BEGIN);
		size_t room = (size_t)(armour->end - label);
		const char *dashes = find(
			label, label + (room < sizeof(block->label) + 4 ? room : sizeof(block->label) + 4),
			DASHES);

		move_to(armour, begin);
		if (dashes != NULL && (size_t)(dashes - label) < sizeof(block->label) &&
		    is_label(label, (size_t)(dashes - label))) {
			memcpy(block->label, label, (size_t)(dashes - label));
			block->label[dashes - label] = '\0';
			block->line = armour->line;
			move_to(armour, dashes + strlen(DASHES));
			return true;
		}
		move_to(armour, label);
	}
	return false;
}

static bool is_space(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\f' || byte == '\v';
}

/* Decode clean base64, all but the padding's correctness. */
static bool decode(struct cd_buffer *out, const char *text, size_t length)
{
	unsigned char bytes[3 * 1024];
	bool good = true;

	for (size_t done = 0; good && done < length;) {
		size_t step = length - done < 4096 ? length - done : 4096;
		int got = EVP_DecodeBlock(bytes, (const unsigned char *)text + done, (int)step);

		good = got > 0;
		done += step;
		if (good)
			cd_buffer_add(out, bytes, (size_t)got);
	}
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return good;
}

static size_t count_digits(const char *text, size_t length)
{
	size_t count = 0;

	while (count < length &&
	       ((text[count] >= 'A' && text[count] <= 'Z') || (text[count] >= 'a' && text[count] <= 'z') ||
		(text[count] >= '0' && text[count] <= '9') || text[count] == '+' || text[count] == '/'))
		count++;
	return count;
}

bool cd_base64(struct cd_buffer *out, const char *text, size_t length)
{
	struct cd_buffer clean = {.secret = true};
	size_t padding = 0;
	bool good = true;

	for (size_t i = 0; good && i < length; i++) {
		size_t run = padding == 0 ? count_digits(text + i, length - i) : 0;

		/* Line by line: a store has thousands of certificates. */
		if (run != 0) {
			cd_buffer_add(&clean, text + i, run);
			i += run - 1;
			continue;
		}
		if (is_space(text[i]))
			continue;
		if (text[i] == '\\' && i + 1 < length && (text[i + 1] == 'n' || text[i + 1] == 'r')) {
			i++;
			continue;
		}
		padding += text[i] == '=';
		/* OpenSSL would take "=" for a digit, and "-" for the end. */
		good = text[i] != '-' && padding <= 2 && (padding == 0 || text[i] == '=');
		cd_buffer_add(&clean, text + i, 1);
	}
	good = good && clean.length % 4 == 0 && decode(out, cd_buffer_text(&clean), clean.length);
	if (good && !out->failed)
		out->length -= padding;
	out->failed = out->failed || clean.failed;
	cd_buffer_free(&clean);
	return good;
}

/*
 * Take "Proc-Type: …" and "DEK-Info: …" off the block's start. Everything up to the first line
 * without a colon is header; OpenSSL wants the two lines and nothing else.
 */
static const char *take_header(struct cd_block *block, const char *body, const char *end)
{
	static const char *const wanted[] = {"Proc-Type:", "DEK-Info:"};
	size_t used = 0;

	block->header[0] = '\0';
	while (memchr(body, ':', (size_t)(end - body)) != NULL) {
		const char *line = body, *stop;

		while (line < end && is_space(*line))
			line++;
		stop = memchr(line, '\n', (size_t)(end - line));
		if (stop == NULL || memchr(line, ':', (size_t)(stop - line)) == NULL)
			return body;
		body = stop + 1;
		while (stop > line && is_space(stop[-1]))
			stop--;
		for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
			size_t length = (size_t)(stop - line);

			if (length < strlen(wanted[i]) || memcmp(line, wanted[i], strlen(wanted[i])) != 0 ||
			    used + length + 2 > sizeof(block->header))
				continue;
			memcpy(block->header + used, line, length);
			used += length;
			block->header[used++] = '\n';
			block->header[used] = '\0';
		}
	}
	return body;
}

enum cd_armour_result cd_armour_next(struct cd_armour *armour, struct cd_block *block)
{
	char mark[sizeof(block->label) + sizeof(END) + sizeof(DASHES)];
	const char *body, *end, *next;
	size_t length;
	bool good;

	*block = (struct cd_block){.data.secret = true};
	if (!find_begin(armour, block))
		return CD_ARMOUR_END;
	body = armour->at;
	length = strlen(block->label);
	memcpy(mark, END, strlen(END));
	memcpy(mark + strlen(END), block->label, length);
	memcpy(mark + strlen(END) + length, DASHES, sizeof(DASHES));
	next = find(body, armour->end, BEGIN);
	if (next == NULL)
		next = armour->end;
	end = find(body, next, mark);
	if (end == NULL) {
		move_to(armour, next);
		return CD_ARMOUR_CUT;
	}
	move_to(armour, end + strlen(mark));
	body = take_header(block, body, end);
	good = cd_base64(&block->data, body, (size_t)(end - body));
	if (block->data.failed)
		return CD_ARMOUR_MEMORY;
	return good && block->data.length != 0 ? CD_ARMOUR_BLOCK : CD_ARMOUR_DAMAGED;
}

void cd_block_free(struct cd_block *block)
{
	cd_buffer_free(&block->data);
}

bool cd_utf16(struct cd_buffer *out, const char *bytes, size_t length)
{
	size_t high;

	if (length < 2 || length % 2 != 0)
		return false;
	if (memcmp(bytes, "\xff\xfe", 2) == 0)
		high = 1;
	else if (memcmp(bytes, "\xfe\xff", 2) == 0)
		high = 0;
	else
		return false;
	for (size_t i = 2; i < length; i += 2)
		cd_buffer_add(out, bytes[i + high] == '\0' ? bytes + i + 1 - high : "?", 1);
	return true;
}
