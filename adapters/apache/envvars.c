/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * envvars.c - the shell file that sets the environment (Debian's envvars)
 *
 * No shell is run: assignments, export, unset, set -a, quotes, $NAME, ${NAME}, ${NAME:-word} and the like,
 * ${NAME#pattern}, and test's comparisons in if … then … else … fi are understood; any other command is
 * left out. A variable that a command or arithmetic gives its value is none.
 */
#include "adapter.h"

#include <fnmatch.h>
#include <string.h>

/* ${…} within each other. */
#define NESTING_LIMIT 32

/* Longer values are not cut by patterns, and not by those with more stars: each length is tried. */
#define CUT_LIMIT 512
#define STARS_LIMIT 3

/* No program is started with a longer value (MAX_ARG_STRLEN). */
#define VALUE_LIMIT 131072

/* if blocks within each other. */
#define DEPTH_LIMIT 64

struct shell {
	struct certdeploy_reading *reading;
	struct apache_variables *variables;
	const char *at;
	const char *end;
	unsigned depth;
	bool taken[DEPTH_LIMIT];  /* a branch of this if has been true */
	bool active[DEPTH_LIMIT]; /* the branch that is being read is */
	struct apache_text word;
	unsigned nesting;
	bool unknown; /* the word holds what only a shell can tell */
	bool export_all;
	bool out_of_memory;
};

static void add(struct shell *shell, const char *bytes, size_t length)
{
	if (apache_text_add(shell->reading, &shell->word, bytes, length) != 0)
		shell->out_of_memory = true;
}

static bool is_active(const struct shell *shell)
{
	return shell->depth == 0 || shell->active[shell->depth - 1];
}

static bool is_name(char byte, bool first)
{
	return byte == '_' || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
	       (!first && byte >= '0' && byte <= '9');
}

static size_t name_length(const char *at, const char *end)
{
	size_t length = 0;

	while (at + length < end && is_name(at[length], length == 0))
		length++;
	return length;
}

static const char *get(const struct shell *shell, const char *name, size_t length)
{
	const char *copy = certdeploy_copy(shell->reading, name, length);

	return copy == NULL ? NULL : apache_environment_get(shell->variables, copy);
}

static void add_text(struct shell *shell, const char *text)
{
	add(shell, text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
}

static void add_part(struct shell *shell);

/* A word inside ${…}. */
static void add_expanded(struct shell *shell, const char *text, const char *text_end)
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
static const char *expanded(struct shell *shell, const char *text, const char *end)
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

static bool is_simple(const char *pattern)
{
	size_t stars = 0;

	for (const char *at = pattern; *at != '\0'; at++)
		stars += *at == '*' ? 1 : 0;
	return stars <= STARS_LIMIT;
}

/* ${NAME#pattern} and ${NAME%pattern}, doubled for the longest. */
static void add_cut(struct shell *shell, const char *value, const char *op, const char *end)
{
	bool longest = op + 1 < end && op[1] == *op, prefix = *op == '#';
	const char *pattern = expanded(shell, op + (longest ? 2 : 1), end);
	size_t length = strlen(value), cut = 0;
	char *copy = certdeploy_copy(shell->reading, value, length);
	bool found = false;

	shell->out_of_memory = shell->out_of_memory || copy == NULL;
	if (copy == NULL || pattern == NULL)
		return;
	for (size_t i = 0; length <= CUT_LIMIT && is_simple(pattern) && i <= length && !found; i++) {
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
		add(shell, value, length - cut);
}

/* ${NAME:=word} where NAME has no value. */
static void add_assigned(struct shell *shell, const char *name, const char *word, const char *end)
{
	const char *value = expanded(shell, word, end);

	if (value == NULL)
		return;
	if (is_active(shell) && strlen(value) <= VALUE_LIMIT &&
	    apache_environment(shell->variables, name, value) != 0)
		shell->out_of_memory = true;
	add_text(shell, value);
}

/* What stands inside ${…}: NAME, then perhaps an operator and a word. */
static void add_braced(struct shell *shell, const char *inside, const char *end)
{
	bool length_of = end - inside > 1 && *inside == '#';
	const char *at = length_of ? inside + 1 : inside, *op = at + name_length(at, end);
	const char *name = certdeploy_copy(shell->reading, at, (size_t)(op - at));
	const char *value = name == NULL ? NULL : apache_environment_get(shell->variables, name);
	bool colon = op + 1 < end && *op == ':', absent;

	op += colon ? 1 : 0;
	absent = value == NULL || (colon && *value == '\0');
	if (name == NULL) {
		shell->out_of_memory = true;
	} else if (length_of) {
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
static bool skip_command(struct shell *shell)
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
	shell->at = close == NULL ? shell->end : close + 1;
	return true;
}

static void add_variable(struct shell *shell)
{
	const char *at = shell->at + 1;
	size_t length;

	if (at < shell->end && *at == '{' && shell->nesting < NESTING_LIMIT) {
		const char *close = closing(at, shell->end, '{', '}');

		if (close != NULL)
			add_braced(shell, at + 1, close);
		shell->at = close == NULL ? shell->end : close + 1;
		return;
	}
	length = name_length(at, shell->end);
	if (length == 0) {
		add(shell, "$", 1);
		shell->at = at;
	} else {
		add_text(shell, get(shell, at, length));
		shell->at = at + length;
	}
}

/* A backslash: what follows is itself, and a newline nothing. */
static void add_escaped(struct shell *shell)
{
	shell->at++;
	if (shell->at < shell->end && *shell->at != '\n')
		add(shell, shell->at, 1);
	shell->at += shell->at < shell->end ? 1 : 0;
}

static void add_quoted(struct shell *shell)
{
	char quote = *shell->at++;

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
	if (shell->at < shell->end)
		shell->at++;
}

/* The next part of a word. */
static void add_part(struct shell *shell)
{
	char byte = *shell->at;

	if (byte == '\0')
		shell->at++; /* as shells do */
	else if ((byte == '$' || byte == '`') && skip_command(shell))
		return;
	else if (byte == '$')
		add_variable(shell);
	else if (byte == '"' || byte == '\'')
		add_quoted(shell);
	else if (byte == '\\' && shell->at + 1 < shell->end)
		add_escaped(shell);
	else
		add(shell, shell->at++, 1);
}

static bool ends_command(char byte)
{
	return byte == '\n' || byte == ';' || byte == '&' || byte == '|';
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

/* The next word of a command, expanded; NULL at its end. */
static const char *next_word(struct shell *shell)
{
	shell->word.length = 0;
	shell->unknown = false;
	for (;;) {
		while (shell->at < shell->end && is_blank(*shell->at))
			shell->at++;
		if (shell->at + 1 < shell->end && shell->at[0] == '\\' && shell->at[1] == '\n')
			shell->at += 2;
		else
			break;
	}
	if (shell->at < shell->end && *shell->at == '#')
		while (shell->at < shell->end && *shell->at != '\n')
			shell->at++;
	if (shell->at == shell->end || ends_command(*shell->at))
		return NULL;
	add(shell, "", 0);
	while (shell->at < shell->end && !ends_command(*shell->at) && !is_blank(*shell->at))
		add_part(shell);
	return shell->out_of_memory ? NULL : shell->word.bytes;
}

/* [ … ] and test …: -z, -n, -f and the like of one word; =, !=; true for what is not known. */
static bool test(struct shell *shell)
{
	const char *words[8] = {NULL}, *word;
	size_t count = 0;
	bool negated = false, result = true;

	while (count < 8 && (word = next_word(shell)) != NULL) {
		words[count] = certdeploy_copy(shell->reading, word, strlen(word));
		if (words[count] == NULL) {
			shell->out_of_memory = true;
			return false;
		}
		if (strcmp(words[count], "]") != 0 &&
		    !(count == 0 && (strcmp(word, "[") == 0 || strcmp(word, "test") == 0)))
			count++;
		else if (count != 0)
			break;
	}
	if (count > 0 && strcmp(words[0], "!") == 0) {
		negated = true;
		count--;
		memmove(words, words + 1, count * sizeof(*words));
	}
	if (count == 3 && (strcmp(words[1], "=") == 0 || strcmp(words[1], "==") == 0))
		result = strcmp(words[0], words[2]) == 0;
	else if (count == 3 && strcmp(words[1], "!=") == 0)
		result = strcmp(words[0], words[2]) != 0;
	else if (count == 2 && strcmp(words[0], "-z") == 0)
		result = *words[1] == '\0';
	else if (count == 2 && strcmp(words[0], "-n") == 0)
		result = *words[1] != '\0';
	else if (count == 2 && strcmp(words[0], "-d") == 0)
		result = certdeploy_file_type(shell->reading, words[1]) == CERTDEPLOY_FILE_DIRECTORY;
	else if (count == 2 && words[0][0] == '-' && strchr("efrsx", words[0][1]) != NULL)
		result = certdeploy_file_type(shell->reading, words[1]) != CERTDEPLOY_FILE_ABSENT;
	else if (count == 1)
		result = *words[0] != '\0';
	return result != negated;
}

static int assign(struct shell *shell, const char *word, bool exported)
{
	size_t length = name_length(word, word + strlen(word));
	const char *name = certdeploy_copy(shell->reading, word, length);
	int result = 0;

	if (name == NULL)
		return CERTDEPLOY_ENOMEM;
	if (word[length] == '=' && (shell->unknown || strlen(word) > VALUE_LIMIT))
		apache_environment_drop(shell->variables, name);
	else if (word[length] == '=')
		result = apache_environment(shell->variables, name, word + length + 1);
	if (result == 0 && (exported || shell->export_all))
		result = apache_export(shell->variables, name);
	return result;
}

static bool is_assignment(const char *word)
{
	size_t length = name_length(word, word + strlen(word));

	return length > 0 && word[length] == '=';
}

static void branch(struct shell *shell, bool condition)
{
	unsigned top = shell->depth - 1;
	bool around = top == 0 || shell->active[top - 1];

	shell->active[top] = around && !shell->taken[top] && condition;
	shell->taken[top] = shell->taken[top] || condition;
}

/* One that is carried out. */
static int simple_command(struct shell *shell, const char *word)
{
	bool exported = strcmp(word, "export") == 0, option = strcmp(word, "set") == 0;
	bool forgotten = strcmp(word, "unset") == 0;
	int result = 0;

	if (exported || option || forgotten || strcmp(word, "readonly") == 0)
		word = next_word(shell);
	if (option && word != NULL)
		shell->export_all =
			strcmp(word, "-a") == 0 || (shell->export_all && strcmp(word, "+a") != 0);
	for (; forgotten && word != NULL; word = next_word(shell))
		apache_environment_drop(shell->variables, word);
	for (; result == 0 && word != NULL && (exported || is_assignment(word)); word = next_word(shell))
		result = assign(shell, word, exported);
	return result;
}

static int command(struct shell *shell, const char *word)
{
	int result = 0;

	if (strcmp(word, "then") == 0 || strcmp(word, "do") == 0 || strcmp(word, "{") == 0)
		return 0; /* the next word begins a command of its own */
	if (strcmp(word, "if") == 0 && shell->depth < DEPTH_LIMIT) {
		shell->taken[shell->depth++] = false;
		branch(shell, test(shell));
	} else if (strcmp(word, "elif") == 0 && shell->depth > 0) {
		branch(shell, test(shell));
	} else if (strcmp(word, "else") == 0 && shell->depth > 0) {
		branch(shell, true);
		return 0;
	} else if (strcmp(word, "fi") == 0 && shell->depth > 0) {
		shell->depth--;
	} else if (is_active(shell)) {
		result = simple_command(shell, word);
	}
	while (next_word(shell) != NULL)
		;
	return result;
}

int apache_read_envvars(struct apache_variables *variables, struct certdeploy_reading *reading,
			const char *path)
{
	struct shell shell = {.reading = reading, .variables = variables};
	const struct certdeploy_document *document;
	size_t length;
	int result = certdeploy_read(&document, reading, path);

	if (result != 0)
		return result == CERTDEPLOY_ENOTFOUND ? 0 : result;
	shell.at = certdeploy_document_bytes(document, &length);
	shell.end = shell.at + length;
	while (result == 0 && !shell.out_of_memory && shell.at < shell.end) {
		const char *word = next_word(&shell);

		if (word != NULL)
			result = command(&shell, word);
		else if (shell.at < shell.end)
			shell.at++;
	}
	return shell.out_of_memory ? CERTDEPLOY_ENOMEM : result;
}
