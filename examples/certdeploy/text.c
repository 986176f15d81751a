/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.c - results for people: nothing foreign reaches the terminal unescaped, columns line up */
#include "tool.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#define DAY 86400L

/* The UTF-8 character at bytes: its size, 0 when it is none. */
static size_t decode(const unsigned char *bytes, wchar_t *code)
{
	static const wchar_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t size = bytes[0] < 0x80 ? 1 : bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;

	if ((bytes[0] >= 0x80 && bytes[0] < 0xc2) || bytes[0] > 0xf4)
		return 0;
	*code = size == 1 ? bytes[0] : (wchar_t)(bytes[0] & (0x7fU >> size));
	for (size_t i = 1; i < size; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (wchar_t)(bytes[i] & 0x3fU);
	}
	return *code < least[size] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff) ? 0 : size;
}

/* Control characters, and what is invisible or reorders: it makes a text read other than it is. */
static const struct {
	wchar_t first, last;
} harmful[] = {
	{0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},       {0x061c, 0x061c},
	{0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
	{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
};

static bool is_harmful(wchar_t code)
{
	for (size_t i = 0; i < sizeof(harmful) / sizeof(harmful[0]); i++)
		if (code >= harmful[i].first && code <= harmful[i].last)
			return true;
	return false;
}

/* How many printable bytes of ASCII it begins with: most texts are nothing else. */
static size_t plain_length(const unsigned char *bytes)
{
	size_t length = 0;

	while (bytes[length] >= 0x20 && bytes[length] < 0x7f)
		length++;
	return length;
}

void put_safe(FILE *stream, const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;

	while (bytes != NULL && *bytes != '\0') {
		wchar_t code = L' ';
		size_t size = plain_length(bytes);

		if (size == 0)
			size = decode(bytes, &code);
		if (size != 0 && !is_harmful(code)) {
			(void)fwrite(bytes, 1, size, stream);
			bytes += size;
		} else {
			(void)fprintf(stream, "\\x%02x", *bytes++);
		}
	}
}

bool has_hidden(const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;

	while (*bytes != '\0') {
		wchar_t code = 0;
		size_t size = decode(bytes, &code);

		if (size > 1 && is_harmful(code))
			return true;
		bytes += size == 0 ? 1 : size;
	}
	return false;
}

char *clean_utf8(const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;
	char *clean = malloc(strlen(text) * strlen("\\x00") + 1), *end = clean;

	while (clean != NULL && *bytes != '\0') {
		wchar_t code = 0;
		size_t size = decode(bytes, &code);

		if (size == 0) {
			end += snprintf(end, sizeof("\\x00"), "\\x%02x", *bytes++);
		} else {
			memcpy(end, bytes, size);
			end += size;
			bytes += size;
		}
	}
	if (clean != NULL)
		*end = '\0';
	return clean;
}

size_t safe_width(const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t width = 0;

	while (bytes != NULL && *bytes != '\0') {
		wchar_t code = 0;
		size_t plain = plain_length(bytes), size = plain != 0 ? plain : decode(bytes, &code);

		if (plain != 0) {
			width += plain;
		} else if (size != 0 && !is_harmful(code)) {
			int columns = wcwidth(code);

			width += columns < 0 ? 1 : (size_t)columns;
		} else {
			width += strlen("\\x00");
			size = 1;
		}
		bytes += size;
	}
	return width;
}

void put_line(FILE *stream, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length == -1)
		return;
	/* Lines of ours end by a newline; one inside belongs to somebody else. */
	if (length > 0 && text[length - 1] == '\n') {
		text[length - 1] = '\0';
		put_safe(stream, text);
		(void)fputc('\n', stream);
	} else {
		put_safe(stream, text);
	}
	free(text);
}

const char *show_time(char buffer[32], int64_t time)
{
	time_t seconds = (time_t)time;
	struct tm parts;

	if (time == 0 || gmtime_r(&seconds, &parts) == NULL ||
	    strftime(buffer, 32, "%Y-%m-%d %H:%M UTC", &parts) == 0)
		(void)snprintf(buffer, 32, "-");
	return buffer;
}

const char *show_days(char buffer[64], int64_t when)
{
	int64_t now = (int64_t)time(NULL);
	unsigned long days = (unsigned long)((when < now ? now - when : when - now) / DAY);

	if (when < now)
		(void)snprintf(buffer, 64, tool_plural("%lu day ago", "%lu days ago", days), days);
	else
		(void)snprintf(buffer, 64, tool_plural("in %lu day", "in %lu days", days), days);
	return buffer;
}

int life_left(const struct certdeploy_certificate_report *report)
{
	int64_t now = (int64_t)time(NULL), life = report->not_after - report->not_before;

	if (life <= 0 || now >= report->not_after)
		return 0;
	return now <= report->not_before ? 100 : (int)((report->not_after - now) * 100 / life);
}

/* ---- the diff ---- */

static enum style diff_style(const char *line)
{
	if (strncmp(line, "---", 3) == 0 || strncmp(line, "+++", 3) == 0)
		return STYLE_BOLD;
	return line[0] == '+'   ? STYLE_GOOD
	       : line[0] == '-' ? STYLE_BAD
	       : line[0] == '@' ? STYLE_WARN
				: STYLE_PLAIN;
}

/*
 * A diff in a pipe is for patch(1): bytes of any encoding pass, and line ends. What commands a
 * terminal is made visible everywhere, for such output is looked at sooner or later.
 */
static void put_diff_line(FILE *stream, const char *line, const char *end, bool terminal)
{
	const unsigned char *byte = (const unsigned char *)line, *stop = (const unsigned char *)end;

	while (byte < stop) {
		wchar_t code = 0;
		size_t size = decode(byte, &code);
		bool line_end = code == '\r' && (!terminal || byte + 1 == stop);
		bool control = code < 0x20 || (code >= 0x7f && code <= 0x9f);
		bool escape = size == 0 ? terminal : terminal ? is_harmful(code) : control;
		size_t plain = plain_length(byte);

		size = plain != 0 ? plain : size != 0 ? size : 1;
		if (escape && code != '\t' && !line_end)
			(void)fprintf(stream, "\\x%02x", *byte);
		else
			(void)fwrite(byte, 1, size, stream);
		byte += escape ? 1 : size;
	}
}

void print_diff(const struct tool *tool, const char *diff)
{
	while (diff != NULL && *diff != '\0') {
		const char *end = strchr(diff, '\n');
		const char *next = end == NULL ? diff + strlen(diff) : end + 1;
		enum style style = diff_style(diff);

		if (style != STYLE_PLAIN)
			(void)fputs(styled(tool->color_out, style), stdout);
		put_diff_line(stdout, diff, end == NULL ? next : end, tool->width != 0);
		if (style != STYLE_PLAIN)
			(void)fputs(styled(tool->color_out, STYLE_PLAIN), stdout);
		if (end != NULL)
			(void)fputc('\n', stdout);
		diff = next;
	}
}
