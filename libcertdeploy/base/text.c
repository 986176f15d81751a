/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.c - small things about strings, times and numbers */
#include "base/text.h"

#include "base/buffer.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

size_t cd_utf8_decode(const unsigned char *bytes, size_t length, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t size = bytes[0] < 0x80 ? 1 : bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;

	if (size > length || (bytes[0] >= 0x80 && bytes[0] < 0xc2) || bytes[0] > 0xf4)
		return 0;
	*code = size == 1 ? bytes[0] : bytes[0] & (0x7fU >> size);
	for (size_t i = 1; i < size; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (bytes[i] & 0x3fU);
	}
	if (*code < least[size] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return size;
}

/* Control characters, and what is invisible or reorders: it makes a text read other than it is. */
static const struct {
	uint32_t first, last;
} harmful[] = {
	{0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},       {0x061c, 0x061c},
	{0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
	{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
};

static bool is_harmless(uint32_t code)
{
	for (size_t i = 0; i < sizeof(harmful) / sizeof(harmful[0]); i++)
		if (code >= harmful[i].first && code <= harmful[i].last)
			return false;
	return true;
}

/* How many printable bytes of ASCII it begins with: most texts are nothing else. */
static size_t plain_length(const unsigned char *text, size_t length)
{
	size_t plain = 0;

	while (plain < length && text[plain] >= 0x20 && text[plain] < 0x7f)
		plain++;
	return plain;
}

char *cd_printable(struct cd_arena *arena, const char *bytes, size_t length, size_t limit)
{
	const unsigned char *text = (const unsigned char *)bytes;
	struct cd_buffer out = {0};
	char *copy = NULL;

	for (size_t i = 0; i < length;) {
		size_t left = length - i, room = out.length < limit ? limit - out.length : 0;
		size_t size = plain_length(text + i, left < room ? left : room);
		uint32_t code = ' ';

		if (room == 0) {
			cd_buffer_string(&out, "…");
			break;
		}
		if (size == 0)
			size = cd_utf8_decode(text + i, left, &code);
		if (size != 0 && is_harmless(code)) {
			cd_buffer_add(&out, text + i, size);
			i += size;
		} else {
			cd_buffer_format(&out, "\\x%02x", text[i]);
			i++;
		}
	}
	if (!out.failed)
		copy = cd_arena_copy(arena, cd_buffer_text(&out), out.length);
	cd_buffer_free(&out);
	return copy;
}

const char *cd_safe(struct cd_arena *arena, const char *string)
{
	const char *text = string == NULL ? "" : cd_printable(arena, string, strlen(string), 512);

	return text == NULL ? "?" : text;
}

void cd_hex(char *out, const unsigned char *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

int cd_sha256(char out[CD_SHA256_TEXT], const void *bytes, size_t length)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	if (EVP_Digest(bytes, length, digest, &size, EVP_sha256(), NULL) != 1)
		return CERTDEPLOY_ENOMEM;
	cd_hex(out, digest, size);
	return 0;
}

/* A time that does not fit a calendar of four digits is shown as the epoch's. */
static struct tm parts_of(int64_t time)
{
	time_t seconds = (time_t)time;
	struct tm parts;

	if (gmtime_r(&seconds, &parts) == NULL || parts.tm_year < -1900 || parts.tm_year > 9999 - 1900)
		parts = (struct tm){.tm_year = 70, .tm_mday = 1};
	return parts;
}

void cd_utc_compact(char out[17], int64_t time)
{
	struct tm parts = parts_of(time);

	(void)strftime(out, 17, "%Y%m%dT%H%M%SZ", &parts);
}

void cd_utc(char out[21], int64_t time)
{
	struct tm parts = parts_of(time);

	(void)strftime(out, 21, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

/* The C library's own catalogue is missing on many hosts: its usual sentences are translated by ours. */
static const char *const usual_errors[] = {
	N_("No such file or directory"),
	N_("Permission denied"),
	N_("Operation not permitted"),
	N_("Not a directory"),
	N_("Is a directory"),
	N_("Read-only file system"),
	N_("No space left on device"),
	N_("Disk quota exceeded"),
	N_("Input/output error"),
	N_("Connection refused"),
	N_("Connection reset by peer"),
	N_("Connection timed out"),
	N_("Too many levels of symbolic links"),
	N_("Too many open files"),
	N_("File name too long"),
	N_("File too large"),
	N_("Invalid argument"),
	N_("Text file busy"),
	N_("Device or resource busy"),
	N_("Exec format error"),
};

const char *cd_errno_text(int error, char *room, size_t size)
{
#ifdef STRERROR_R_CHAR_P
	const char *text = strerror_r(error, room, size);
#else
	const char *text = strerror_r(error, room, size) == 0 ? room : "?";
#endif
	for (size_t i = 0; i < sizeof(usual_errors) / sizeof(usual_errors[0]); i++)
		if (strcmp(text, usual_errors[i]) == 0)
			return _(usual_errors[i]);
	return text;
}

bool cd_in_list(const char *const *list, const char *string)
{
	for (; list != NULL && *list != NULL; list++)
		if (strcmp(*list, string) == 0)
			return true;
	return false;
}

bool cd_ends_with(const char *string, const char *suffix)
{
	size_t length = strlen(string), tail = strlen(suffix);

	return length >= tail && strcmp(string + length - tail, suffix) == 0;
}

bool cd_name_covers(const char *pattern, const char *hostname)
{
	const char *rest;

	if (strncmp(pattern, "*.", 2) != 0)
		return strcasecmp(pattern, hostname) == 0;
	rest = strchr(hostname, '.');
	return rest != NULL && rest != hostname && hostname[0] != '*' && strcasecmp(pattern + 1, rest) == 0;
}

bool cd_names_cover(const char *const *names, const char *hostname)
{
	/* Clients take no `*.jp`: below the wildcard there are two parts at least. */
	for (; names != NULL && *names != NULL; names++)
		if (strcasecmp(*names, hostname) == 0 ||
		    (strncmp(*names, "*.", 2) == 0 && strchr(*names + 2, '.') != NULL &&
		     cd_name_covers(*names, hostname)))
			return true;
	return false;
}
