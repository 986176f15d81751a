/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * envvars.c - the shell file that sets the environment (Debian's envvars)
 *
 * No shell is run: assignments, export, unset, quotes, $NAME, ${NAME}, ${NAME:-word}, ${NAME#pattern}
 * and test's comparisons in if … then … else … fi are understood; any other command is left out.
 */
#include "adapter.h"

#include <string.h>

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
	bool out_of_memory;
};

static void add(struct shell *shell, const char *bytes, size_t length)
{
	if (apache_text_add(shell->reading, &shell->word, bytes, length) != 0)
		shell->out_of_memory = true;
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

/* What stands inside ${…}: NAME, then perhaps an op and a word without further ${}. */
static void add_braced(struct shell *shell, const char *inside, size_t length)
{
	size_t name = name_length(inside, inside + length);
	const char *value = get(shell, inside, name), *op = inside + name;
	const char *end = inside + length;
	bool empty = value == NULL || *value == '\0';

	if (op == end) {
		add(shell, empty ? "" : value, empty ? 0 : strlen(value));
	} else if (*op == ':' && op + 1 < end && op[1] == '-') {
		if (empty)
			add(shell, op + 2, (size_t)(end - op) - 2);
		else
			add(shell, value, strlen(value));
	} else if (*op == '-') {
		if (value == NULL)
			add(shell, op + 1, (size_t)(end - op) - 1);
		else
			add(shell, value, strlen(value));
	} else if (*op == '#' && !empty) {
		/* Only a pattern without wildcards: the prefix itself. */
		const char *prefix = op + strspn(op, "#");
		size_t cut = (size_t)(end - prefix);

		if (strncmp(value, prefix, cut) == 0)
			value += cut;
		add(shell, value, strlen(value));
	} else if (*op == '+' || (*op == ':' && op + 1 < end && op[1] == '+')) {
		if (!empty) {
			op += *op == ':' ? 2 : 1;
			add(shell, op, (size_t)(end - op));
		}
	} else if (!empty) {
		add(shell, value, strlen(value));
	}
}

static void add_variable(struct shell *shell)
{
	const char *at = shell->at + 1;
	size_t length;

	if (at < shell->end && *at == '{') {
		const char *close = memchr(at, '}', (size_t)(shell->end - at));

		if (close != NULL) {
			add_braced(shell, at + 1, (size_t)(close - at) - 1);
			shell->at = close + 1;
			return;
		}
	}
	length = name_length(at, shell->end);
	if (length == 0) {
		add(shell, "$", 1);
		shell->at = at;
	} else {
		const char *value = get(shell, at, length);

		add(shell, value == NULL ? "" : value, value == NULL ? 0 : strlen(value));
		shell->at = at + length;
	}
}

static void add_quoted(struct shell *shell)
{
	char quote = *shell->at++;

	while (shell->at < shell->end && *shell->at != quote) {
		if (quote == '"' && *shell->at == '$') {
			add_variable(shell);
			continue;
		}
		if (quote == '"' && *shell->at == '\\' && shell->at + 1 < shell->end &&
		    memchr("$`\"\\\n", shell->at[1], 5) != NULL)
			shell->at++;
		add(shell, shell->at++, 1);
	}
	if (shell->at < shell->end)
		shell->at++;
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
	while (shell->at < shell->end && !ends_command(*shell->at) && !is_blank(*shell->at)) {
		if (*shell->at == '\0') {
			shell->at++; /* as shells do */
		} else if (*shell->at == '$') {
			add_variable(shell);
		} else if (*shell->at == '"' || *shell->at == '\'') {
			add_quoted(shell);
		} else {
			if (*shell->at == '\\' && shell->at + 1 < shell->end)
				shell->at++;
			add(shell, shell->at++, 1);
		}
	}
	return shell->out_of_memory ? NULL : shell->word.bytes;
}

static bool is_active(const struct shell *shell)
{
	return shell->depth == 0 || shell->active[shell->depth - 1];
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
	int result;

	if (name == NULL)
		return CERTDEPLOY_ENOMEM;
	result = word[length] == '=' ? apache_environment(shell->variables, name, word + length + 1) : 0;
	if (exported)
		apache_export(shell->variables, name);
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
		bool exported = strcmp(word, "export") == 0;

		if (exported)
			word = next_word(shell);
		while (result == 0 && word != NULL && (exported || is_assignment(word))) {
			result = assign(shell, word, exported);
			word = next_word(shell);
		}
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
