/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * master-cf.c - master.cf: one service a logical line, eight columns and the program's arguments
 *
 * The arguments are read as the program itself reads them: options up to the first argument that is
 * none, `-o` in its three spellings, the last of a name winning.
 */
#include "postfix.h"

#include <netdb.h>
#include <stdlib.h>

#define COLUMNS 8

static int refuse_row(struct certdeploy_reading *reading, const struct postfix_line *line, const char *what)
{
	return certdeploy_refuse(reading, "config-syntax", certdeploy_document_path(line->document),
				 line->number, _("Postfix does not accept this service: %s"), what);
}

bool postfix_next_word(const char *text, size_t *at, struct postfix_span *word, bool braces)
{
	int level = 0;

	while (postfix_space(text[*at]))
		(*at)++;
	word->start = *at;
	for (; text[*at] != '\0'; (*at)++) {
		if (braces && text[*at] == '{')
			level++;
		else if (braces && level > 0 && text[*at] == '}')
			level--;
		else if (level == 0 && postfix_space(text[*at]))
			break;
	}
	word->end = *at;
	return word->end > word->start;
}

static bool is_word(const char *text, struct postfix_span word, const char *what)
{
	size_t length = word.end - word.start;

	return length == strlen(what) && memcmp(text + word.start, what, length) == 0;
}

static const char *check_column(const char *text, struct postfix_span word, size_t column, bool inet)
{
	bool dash = is_word(text, word, "-"), yes = is_word(text, word, "y"), no = is_word(text, word, "n");

	switch (column) {
	case 2:
		if (inet && (dash || yes))
			return "inet service cannot be private";
		return dash || yes || no ? NULL : "bad value of \"private\"";
	case 3:
		return dash || yes || no ? NULL : "bad value of \"unprivileged\"";
	case 4:
		return dash || yes || no ? NULL : "bad value of \"chroot\"";
	case 5:
	case 6:
		if (dash || (text[word.start] >= '0' && text[word.start] <= '9'))
			return NULL;
		return column == 5 ? "bad value of \"wakeup_time\"" : "bad value of \"max_proc\"";
	default:
		return dash ? "a field has no default value" : NULL;
	}
}

static bool known_type(const char *type)
{
	static const char *const types[] = {"inet", "unix", "unix-dgram", "fifo", "pass"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

/* An argument without the braces around it, as the program gets it. */
static const char *bare_argument(const char *text, struct postfix_span *argument)
{
	int level = 0;

	if (text[argument->start] != '{')
		return NULL;
	for (size_t i = argument->start; i < argument->end; i++) {
		if (text[i] == '{')
			level++;
		else if (text[i] == '}' && --level == 0 && i + 1 != argument->end)
			return "syntax error after '}'";
	}
	if (level != 0)
		return "missing '}'";
	argument->start++;
	argument->end--;
	while (argument->start < argument->end && postfix_space(text[argument->start]))
		argument->start++;
	while (argument->end > argument->start && postfix_space(text[argument->end - 1]))
		argument->end--;
	return NULL;
}

static int add_option(struct postfix_row *row, struct certdeploy_reading *reading,
		      struct postfix_span value, struct postfix_span whole)
{
	const char *text = row->line->text, *wrong;
	struct postfix_option *option;
	struct postfix_span name, inner;
	char *copy = certdeploy_copy(reading, text + value.start, value.end - value.start);

	row->options = postfix_grow(reading, row->options, row->option_count, sizeof(*row->options));
	if (copy == NULL || row->options == NULL)
		return CERTDEPLOY_ENOMEM;
	option = &row->options[row->option_count];
	wrong = postfix_split(copy, &name, &option->equals, &inner);
	if (wrong != NULL)
		return strcmp(row->command, "smtpd") == 0 ? refuse_row(reading, row->line, wrong) : 0;
	*option = (struct postfix_option){
		.name = certdeploy_copy(reading, copy + name.start, name.end - name.start),
		.value = certdeploy_copy(reading, copy + inner.start, inner.end - inner.start),
		.span = {value.start + inner.start, value.start + inner.end},
		.whole = whole,
		.equals = value.start + option->equals,
		.braces = text[whole.end - 1] == '}' && value.end < whole.end,
	};
	row->option_count++;
	return option->name == NULL || option->value == NULL ? CERTDEPLOY_ENOMEM : 0;
}

static int note_glued(struct postfix_master *master, struct certdeploy_reading *reading,
		      const struct postfix_line *line, size_t position)
{
	master->glued = postfix_grow(reading, master->glued, master->glued_count, sizeof(*master->glued));
	if (master->glued == NULL)
		return CERTDEPLOY_ENOMEM;
	master->glued[master->glued_count++] = postfix_line_offset(line, position);
	return 0;
}

/* The first argument that is no option; smtpd and postscreen end with an error of it. */
static int note_stray(struct postfix_row *row, struct certdeploy_reading *reading,
		      struct postfix_span argument)
{
	if (row->stray != NULL)
		return 0;
	row->stray =
		certdeploy_copy(reading, row->line->text + argument.start, argument.end - argument.start);
	row->stray_line = postfix_line_number(row->line, argument.start);
	return row->stray == NULL ? CERTDEPLOY_ENOMEM : 0;
}

/* Whether a "{" of the word has no "}": whatever stands behind it, to the end of the row, is part of the
 * word. */
static bool is_open(const char *text, struct postfix_span word)
{
	size_t level = 0;

	for (size_t i = word.start; i < word.end; i++) {
		if (text[i] == '{')
			level++;
		else if (text[i] == '}' && level > 0)
			level--;
	}
	return level > 0;
}

/* Read options as getopt(3) does for Postfix's servers; stop at the first argument that is none. */
static int read_arguments(struct postfix_master *master, struct postfix_row *row,
			  struct certdeploy_reading *reading, size_t at)
{
	const char *text = row->line->text;
	struct postfix_span word, argument;
	bool reading_options = true;
	int result = 0;

	while (result == 0 && postfix_next_word(text, &at, &word, true)) {
		const char *wrong;
		size_t letter;

		argument = word;
		wrong = bare_argument(text, &argument);
		if (wrong != NULL)
			return refuse_row(reading, row->line, wrong);
		if (!reading_options || argument.end - argument.start < 2 || text[argument.start] != '-' ||
		    is_word(text, argument, "--")) {
			if (!reading_options || !is_word(text, argument, "--"))
				result = note_stray(row, reading, argument);
			reading_options = false;
			continue;
		}
		letter = argument.start + 1;
		while (letter < argument.end && strchr("imnorst", text[letter]) == NULL)
			letter++;
		if (letter < argument.end) {
			bool is_override = text[letter] == 'o';

			argument.start = letter + 1;
			if (argument.start == argument.end) {
				if (!postfix_next_word(text, &at, &argument, true))
					break;
				word.end = argument.end;
				wrong = bare_argument(text, &argument);
				if (wrong != NULL)
					return refuse_row(reading, row->line, wrong);
			} else if (is_override && text[argument.start] != '{')
				result = note_glued(master, reading, row->line, argument.start);
			if (result == 0 && is_override)
				result = add_option(row, reading, argument, word);
		}
		row->command_end = word.end;
		row->open = is_open(text, word);
	}
	return result;
}

static int read_row(struct postfix_master *master, struct certdeploy_reading *reading,
		    const struct postfix_line *line)
{
	struct postfix_row *row = &master->rows[master->count];
	const char *columns[COLUMNS], *wrong;
	struct postfix_span word;
	size_t at = 0;

	for (size_t i = 0; i < COLUMNS; i++) {
		if (!postfix_next_word(line->text, &at, &word, false))
			return refuse_row(reading, line, "too few fields");
		columns[i] = certdeploy_copy(reading, line->text + word.start, word.end - word.start);
		if (columns[i] == NULL)
			return CERTDEPLOY_ENOMEM;
		if (i == 1 && !known_type(columns[i]))
			return refuse_row(reading, line, "bad transport type");
		wrong = i < 2 ? NULL : check_column(line->text, word, i, strcmp(columns[1], "inet") == 0);
		if (wrong != NULL)
			return refuse_row(reading, line, wrong);
	}
	*row = (struct postfix_row){.line = line,
				    .name = columns[0],
				    .type = columns[1],
				    .command = columns[7],
				    .command_end = word.end};
	return read_arguments(master, row, reading, at);
}

int postfix_master_read(struct postfix_master *out, struct certdeploy_reading *reading, const char *path)
{
	int result = certdeploy_read(&out->document, reading, path);

	if (result == 0)
		result = postfix_lines_read(&out->lines, reading, out->document);
	if (result != 0)
		return result;
	out->rows = certdeploy_alloc(reading, (out->lines.count + 1) * sizeof(*out->rows));
	if (out->rows == NULL)
		return CERTDEPLOY_ENOMEM;
	for (; result == 0 && out->count < out->lines.count; out->count++)
		result = read_row(out, reading, &out->lines.items[out->count]);
	return result;
}

const struct postfix_option *postfix_row_option(const struct postfix_row *row, const char *name)
{
	for (size_t i = row->option_count; i > 0; i--)
		if (strcmp(row->options[i - 1].name, name) == 0)
			return &row->options[i - 1];
	return NULL;
}

struct postfix_row *postfix_master_row(const struct postfix_master *master, const char *name,
				       const char *type)
{
	for (size_t i = 0; i < master->count; i++)
		if (!master->rows[i].disabled && strcmp(master->rows[i].name, name) == 0 &&
		    strcmp(master->rows[i].type, type) == 0)
			return &master->rows[i];
	return NULL;
}

/* Whether the text in [*at, end) up to a "=" is this word, with blanks around it; *at goes on behind it. */
static bool next_is(const char **at, const char *end, const char *word)
{
	const char *start = *at, *stop = memchr(start, '=', (size_t)(end - start));

	if (stop == NULL)
		stop = end;
	*at = stop == end ? end : stop + 1;
	while (start < stop && postfix_space(*start))
		start++;
	while (stop > start && postfix_space(stop[-1]))
		stop--;
	return (size_t)(stop - start) == strlen(word) && memcmp(start, word, strlen(word)) == 0;
}

/* The port that "name = name = port, …" has for a name; 0: none. */
static uint16_t known_port(const char *known, const char *name)
{
	while (*known != '\0') {
		const char *end = known + strcspn(known, ","), *at = known;
		bool found = false;

		while (at < end) {
			unsigned long number = strtoul(at, NULL, 10);

			if (found && memchr(at, '=', (size_t)(end - at)) == NULL)
				return number <= UINT16_MAX ? (uint16_t)number : 0;
			found = next_is(&at, end, name) || found;
		}
		known = *end == '\0' ? end : end + 1;
	}
	return 0;
}

uint16_t postfix_port(const char *text, const char *known)
{
	static const struct {
		const char *name;
		uint16_t port;
	} usual[] = {{"smtp", 25},   {"mail", 25}, {"smtps", 465},      {"submissions", 465},
		     {"ssmtp", 465}, {"urd", 465}, {"submission", 587}, {"msa", 587}};
	char buffer[4096], *end;
	struct servent entry, *found = NULL;
	unsigned long number;

	if (text[0] >= '0' && text[0] <= '9') {
		number = strtoul(text, &end, 10);
		return *end == '\0' && number <= UINT16_MAX ? (uint16_t)number : 0;
	}
	number = known_port(known, text);
	if (number != 0)
		return (uint16_t)number;
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (strcmp(text, usual[i].name) == 0)
			return usual[i].port;
	if (getservbyname_r(text, "tcp", &entry, buffer, sizeof(buffer), &found) != 0 || found == NULL)
		return 0;
	number = (unsigned long)found->s_port & 0xffffUL;
	return (uint16_t)((number >> 8) | ((number & 0xffUL) << 8));
}

int postfix_host_port(struct certdeploy_reading *reading, const char *text, const char **host,
		      const char **port)
{
	const char *colon = strrchr(text, ':'), *close = text[0] == '[' ? strchr(text, ']') : NULL;
	size_t length;

	*host = NULL;
	*port = text;
	if (close != NULL) {
		text++;
		if (strncasecmp(text, "ipv6:", 5) == 0)
			text += 5;
		length = (size_t)(close - text);
		colon = close[1] == ':' ? close + 1 : NULL;
		*port = colon == NULL ? "" : colon + 1;
	} else if (colon != NULL) {
		length = (size_t)(colon - text);
		*port = colon + 1;
	} else {
		return 0;
	}
	*host = length == 0 ? NULL : certdeploy_copy(reading, text, length);
	return length != 0 && *host == NULL ? CERTDEPLOY_ENOMEM : 0;
}
