/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * words.c - words of the shell file that sets the environment
 *
 * Quotes, $NAME, ${NAME}, ${NAME:-word} and the like, ${NAME#pattern}. What a command, arithmetic, a
 * parameter or a form that only some shells have puts into a word is not known.
 */
#include "shell.h"

#include <fnmatch.h>
#include <string.h>

/* ${…} within each other. */
#define NESTING_LIMIT 32

/* Longer values are not cut by patterns, and not by those with more stars: each length is tried. */
#define CUT_LIMIT 512
#define STARS_LIMIT 3

static bool is_name(char byte, bool first)
{
	return byte == '_' || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
	       (!first && byte >= '0' && byte <= '9');
}

size_t apache_shell_name(const char *at, const char *end)
{
	size_t length = 0;

	while (at + length < end && is_name(at[length], length == 0))
		length++;
	return length;
}

bool apache_shell_is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

bool apache_shell_ends_word(char byte)
{
	return apache_shell_is_blank(byte) || (byte != '\0' && strchr("\n;&|<>()", byte) != NULL);
}

static void add(struct apache_shell *shell, const char *bytes, size_t length)
{
	int result = 0;

	if (length > shell->budget) {
		shell->lost = true;
		return;
	}
	shell->budget -= length;
	if (!shell->pattern || !shell->quoted)
		result = apache_text_add(shell->reading, &shell->word, bytes, length);
	for (size_t i = 0; result == 0 && shell->pattern && shell->quoted && i < length; i++) {
		if (bytes[i] != '\0' && strchr("*?[]\\-!^", bytes[i]) != NULL)
			result = apache_text_add(shell->reading, &shell->word, "\\", 1);
		if (result == 0)
			result = apache_text_add(shell->reading, &shell->word, bytes + i, 1);
	}
	shell->out_of_memory = shell->out_of_memory || result != 0;
}

/* What a shell splits where it does not stand in quotes. */
static void see_split(struct apache_shell *shell, const char *text, size_t length)
{
	for (size_t i = 0; !shell->quoted && !shell->pattern && i < length; i++)
		if (text[i] != '\0' && strchr(" \t\n*?[", text[i]) != NULL)
			shell->split = true;
}

static void add_value(struct apache_shell *shell, const char *value, size_t length)
{
	see_split(shell, value, length);
	add(shell, value, length);
}

static void add_text(struct apache_shell *shell, const char *text)
{
	add_value(shell, text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
}

static void add_part(struct apache_shell *shell);

/* A word inside ${…}. */
static void add_expanded(struct apache_shell *shell, const char *text, const char *text_end)
{
	const char *at = shell->at, *end = shell->end;

	shell->at = text;
	shell->end = text_end;
	shell->nesting++;
	while (shell->at < shell->end)
		add_part(shell);
	shell->nesting--;
	shell->at = at;
	shell->end = end;
}

/* The same as a text of its own; NULL when memory is short. */
static const char *expanded(struct apache_shell *shell, const char *text, const char *end)
{
	size_t start = shell->word.length;
	const char *copy;

	add_expanded(shell, text, end);
	copy = certdeploy_copy(shell->reading, shell->word.length == 0 ? "" : shell->word.bytes + start,
			       shell->word.length - start);
	shell->word.length = start;
	shell->out_of_memory = shell->out_of_memory || copy == NULL;
	return copy;
}

static const char *pattern_of(struct apache_shell *shell, const char *text, const char *end)
{
	bool pattern = shell->pattern, quoted = shell->quoted;
	const char *result;

	shell->pattern = true;
	shell->quoted = false;
	result = expanded(shell, text, end);
	shell->pattern = pattern;
	shell->quoted = quoted;
	return result;
}

static bool is_simple(const char *pattern)
{
	size_t stars = 0;

	for (const char *at = pattern; *at != '\0'; at++)
		stars += *at == '*' ? 1 : 0;
	return stars <= STARS_LIMIT;
}

enum apache_truth apache_shell_matches(const char *pattern, const char *text)
{
	if (strlen(text) > CUT_LIMIT || !is_simple(pattern))
		return APACHE_MAYBE;
	return fnmatch(pattern, text, 0) == 0 ? APACHE_YES : APACHE_NO;
}

/* ${NAME#pattern} and ${NAME%pattern}, doubled for the longest. */
static void add_cut(struct apache_shell *shell, const char *value, const char *op, const char *end)
{
	bool longest = op + 1 < end && op[1] == *op, prefix = *op == '#';
	const char *pattern = pattern_of(shell, op + (longest ? 2 : 1), end);
	size_t length = strlen(value), cut = 0;
	char *copy = certdeploy_copy(shell->reading, value, length);
	bool found = false;

	shell->out_of_memory = shell->out_of_memory || copy == NULL;
	if (copy == NULL || pattern == NULL)
		return;
	shell->unknown = shell->unknown || length > CUT_LIMIT || !is_simple(pattern);
	for (size_t i = 0; !shell->unknown && i <= length && !found; i++) {
		cut = longest ? length - i : i;
		if (prefix)
			copy[cut] = '\0';
		found = fnmatch(pattern, prefix ? copy : copy + length - cut, 0) == 0;
		copy[cut] = value[cut];
	}
	if (!found)
		cut = 0;
	if (prefix)
		add_text(shell, value + cut);
	else
		add_value(shell, value, length - cut);
}

/* ${NAME:=word} where NAME has no value. */
static void add_assigned(struct apache_shell *shell, const char *name, const char *word, const char *end)
{
	const char *value = expanded(shell, word, end);

	if (value == NULL)
		return;
	apache_shell_assign(shell, name, shell->unknown ? NULL : value);
	add_text(shell, value);
}

/* What stands inside ${…}: NAME, then perhaps an operator and a word. */
static void add_braced(struct apache_shell *shell, const char *inside, const char *end)
{
	bool length_of = end - inside > 1 && *inside == '#', was_unknown = shell->unknown;
	const char *at = length_of ? inside + 1 : inside, *op = at + apache_shell_name(at, end);
	const char *name = certdeploy_copy(shell->reading, at, (size_t)(op - at));
	const char *value;
	bool colon = op + 1 < end && *op == ':', absent;

	if (name == NULL) {
		shell->out_of_memory = true;
		return;
	}
	shell->unknown = false;
	value = *name == '\0' ? NULL : apache_shell_value(shell, name);
	op += colon ? 1 : 0;
	absent = value == NULL || (colon && *value == '\0');
	if (*name == '\0' || (length_of && op < end) ||
	    (op < end && (strchr(colon ? "+-=" : "+-=#%", *op) == NULL || *op == '\0')))
		shell->unknown = true;
	else if (shell->unknown && op < end && *op == '=')
		apache_shell_assign(shell, name, NULL);
	if (shell->unknown)
		return;
	shell->unknown = was_unknown;
	if (length_of) {
		const char *number =
			certdeploy_format(shell->reading, "%zu", value == NULL ? 0 : strlen(value));

		add_text(shell, number);
	} else if (op < end && *op == '+') {
		if (!absent)
			add_expanded(shell, op + 1, end);
	} else if (op < end && *op == '-' && absent) {
		add_expanded(shell, op + 1, end);
	} else if (op < end && *op == '=' && absent) {
		add_assigned(shell, name, op + 1, end);
	} else if (op < end && (*op == '#' || *op == '%') && value != NULL) {
		add_cut(shell, value, op, end);
	} else {
		add_text(shell, value);
	}
}

/* The quote that ends what this one begins; itself where there is none. */
static const char *closing_quote(const char *quote, const char *end)
{
	for (const char *at = quote + 1; at < end; at++) {
		if (*at == *quote)
			return at;
		if (*at == '\\' && *quote == '"' && at + 1 < end)
			at++;
	}
	return quote;
}

/* The end of what an opening byte begins, with what is nested and quoted in it; NULL: none. */
static const char *closing(const char *at, const char *end, char open, char close)
{
	unsigned depth = 0;

	for (; at < end; at++) {
		if (*at == '\\' && at + 1 < end)
			at++;
		else if (*at == '\'' || *at == '"')
			at = closing_quote(at, end);
		else if (*at == open)
			depth++;
		else if (*at == close && --depth == 0)
			return at;
	}
	return NULL;
}

/* $(command), $((arithmetic)), `command` */
static bool skip_command(struct apache_shell *shell)
{
	const char *at = shell->at, *close = NULL;

	if (*at == '`')
		close = memchr(at + 1, '`', (size_t)(shell->end - at) - 1);
	else if (at + 1 < shell->end && at[1] == '(')
		close = closing(at + 1, shell->end, '(', ')');
	else
		return false;
	/* Without an end a shell reads no further. */
	shell->unknown = true;
	shell->lost = shell->lost || close == NULL;
	shell->at = close == NULL ? shell->end : close + 1;
	return true;
}

static void add_variable(struct apache_shell *shell)
{
	const char *at = shell->at + 1, *name;
	size_t length;

	if (at < shell->end && *at == '{') {
		const char *close = closing(at, shell->end, '{', '}');

		shell->lost = shell->lost || close == NULL || shell->nesting >= NESTING_LIMIT;
		if (!shell->lost)
			add_braced(shell, at + 1, close);
		shell->at = close == NULL ? shell->end : close + 1;
		return;
	}
	length = apache_shell_name(at, shell->end);
	shell->at = at + length;
	if (length != 0) {
		name = certdeploy_copy(shell->reading, at, length);
		if (name != NULL)
			add_text(shell, apache_shell_value(shell, name));
		else
			shell->out_of_memory = true;
	} else if (at < shell->end && *at != '\0' && strchr("0123456789@*#?$!-'\"", *at) != NULL &&
		   (!shell->quoted || *at != '"')) {
		/* Parameters, and quotes of some shells. */
		shell->unknown = true;
		shell->at += *at == '\'' || *at == '"' ? 0 : 1;
	} else {
		add(shell, "$", 1);
	}
}

/* A backslash: what follows is itself, and a newline nothing. */
static void add_escaped(struct apache_shell *shell)
{
	bool quoted = shell->quoted;

	shell->at++;
	shell->quoted = true;
	if (shell->at < shell->end && *shell->at != '\n')
		add(shell, shell->at, 1);
	shell->at += shell->at < shell->end ? 1 : 0;
	shell->quoted = quoted;
}

static void add_quoted(struct apache_shell *shell)
{
	char quote = *shell->at++;
	bool quoted = shell->quoted;

	shell->quoted = true;
	while (shell->at < shell->end && *shell->at != quote) {
		bool special = quote == '"' && (*shell->at == '$' || *shell->at == '`');

		if (special && skip_command(shell))
			continue;
		if (special && *shell->at == '$')
			add_variable(shell);
		else if (quote == '"' && *shell->at == '\\' && shell->at + 1 < shell->end &&
			 memchr("$`\"\\\n", shell->at[1], 5) != NULL)
			add_escaped(shell);
		else
			add(shell, shell->at++, 1);
	}
	/* Without an end a shell reads no further. */
	shell->lost = shell->lost || shell->at == shell->end;
	shell->at += shell->at < shell->end ? 1 : 0;
	shell->quoted = quoted;
}

/* The next part of a word. */
static void add_part(struct apache_shell *shell)
{
	char byte = *shell->at;

	if (byte == '\0') {
		shell->at++; /* as shells do */
	} else if (byte == '$' || byte == '`') {
		if (!skip_command(shell))
			add_variable(shell);
	} else if (byte == '"' || (byte == '\'' && !shell->quoted)) {
		shell->plain = false;
		add_quoted(shell);
	} else if (byte == '\\' && shell->at + 1 < shell->end) {
		shell->plain = shell->plain && shell->at[1] == '\n';
		add_escaped(shell);
	} else {
		if (shell->nesting > 0)
			see_split(shell, shell->at, 1);
		add(shell, shell->at++, 1);
	}
}

/* Where a home directory may stand: at the beginning of a word or of a value. */
static bool is_home(const struct apache_shell *shell)
{
	const char *before = shell->word.bytes;

	return *shell->at == '~' && shell->plain &&
	       (shell->word.length == 0 || strchr("=:", before[shell->word.length - 1]) != NULL);
}

bool apache_shell_expand(struct apache_shell *shell)
{
	shell->word.length = 0;
	shell->unknown = shell->split = shell->quoted = false;
	shell->plain = true;
	if (shell->at == shell->end || apache_shell_ends_word(*shell->at))
		return false;
	add(shell, "", 0);
	while (shell->at < shell->end && !apache_shell_ends_word(*shell->at)) {
		shell->unknown = shell->unknown || is_home(shell);
		add_part(shell);
	}
	return true;
}
