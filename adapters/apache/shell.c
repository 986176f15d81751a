/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* shell.c - what is known while a shell file is read, and the text between its words */
#include "shell.h"

#include <string.h>

/* No program is started with a longer value (MAX_ARG_STRLEN). */
#define VALUE_LIMIT 131072

/* ---- what is carried out ---- */

enum apache_truth apache_shell_mode(const struct apache_shell *shell)
{
	enum apache_truth mode = shell->mode;

	for (size_t i = 0; i < APACHE_LEAPS; i++)
		mode = apache_least(mode, shell->leaps[i]);
	return mode;
}

bool apache_shell_is_over(const struct apache_shell *shell)
{
	return shell->lost || shell->out_of_memory || shell->result != 0;
}

size_t apache_shell_line(const struct apache_shell *shell)
{
	size_t line = 1;

	for (const char *at = shell->start; at < shell->at; at++)
		line += *at == '\n' ? 1 : 0;
	return line;
}

void apache_shell_lose(struct apache_shell *shell)
{
	shell->lost = true;
}

static void doubt(struct apache_shell *shell, const char *name)
{
	if (apache_doubt_of(shell->variables, name) != NULL)
		return;
	shell->doubts++;
	if (apache_doubt(shell->variables, name, shell->path, apache_shell_line(shell)) != 0)
		shell->out_of_memory = true;
}

const char *apache_shell_value(struct apache_shell *shell, const char *name)
{
	/* What a shell has of its own, or of whatever started it. */
	static const char *const foreign[] = {"BASH",    "BASH_VERSION", "EUID",  "HOME",   "HOSTNAME",
					      "IFS",     "KSH_VERSION",  "LANG",  "LINENO", "LOGNAME",
					      "OLDPWD",  "PATH",         "PPID",  "PWD",    "RANDOM",
					      "SECONDS", "SHELL",        "SHLVL", "TERM",   "UID",
					      "USER",    "ZSH_VERSION"};
	const char *value = apache_environment_get(shell->variables, name);

	if (value != NULL)
		return value;
	if (apache_doubt_of(shell->variables, name) != NULL)
		shell->unknown = true;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
		if (strcmp(name, foreign[i]) == 0)
			shell->unknown = true;
	return NULL;
}

void apache_shell_export(struct apache_shell *shell, const char *name)
{
	enum apache_truth mode = apache_shell_mode(shell);

	if (mode == APACHE_NO)
		return;
	shell->changes++;
	if (mode == APACHE_MAYBE)
		doubt(shell, name);
	if (apache_export(shell->variables, name) != 0)
		shell->out_of_memory = true;
}

void apache_shell_assign(struct apache_shell *shell, const char *name, const char *value)
{
	enum apache_truth mode = apache_shell_mode(shell);

	if (mode == APACHE_NO)
		return;
	shell->changes++;
	if (mode == APACHE_MAYBE || value == NULL || strlen(value) > VALUE_LIMIT)
		doubt(shell, name);
	else if (apache_environment(shell->variables, name, value) != 0)
		shell->out_of_memory = true;
	if (shell->export_all)
		apache_shell_export(shell, name);
}

void apache_shell_unset(struct apache_shell *shell, const char *name)
{
	enum apache_truth mode = apache_shell_mode(shell);

	if (mode == APACHE_NO)
		return;
	shell->changes++;
	if (mode == APACHE_MAYBE)
		doubt(shell, name);
	else
		apache_environment_drop(shell->variables, name);
}

/* ---- the text between words ---- */

void apache_shell_skip_blanks(struct apache_shell *shell)
{
	for (;;) {
		if (shell->at < shell->end && apache_shell_is_blank(*shell->at))
			shell->at++;
		else if (shell->end - shell->at > 1 && shell->at[0] == '\\' && shell->at[1] == '\n')
			shell->at += 2;
		else
			break;
	}
	if (shell->at < shell->end && *shell->at == '#')
		while (shell->at < shell->end && *shell->at != '\n')
			shell->at++;
}

/* Blanks, newlines and comments. */
void apache_shell_skip_lines(struct apache_shell *shell)
{
	for (apache_shell_skip_blanks(shell); shell->at < shell->end && *shell->at == '\n';
	     apache_shell_skip_blanks(shell))
		shell->at++;
}

bool apache_shell_stands(const struct apache_shell *shell, const char *text)
{
	size_t length = strlen(text);

	return (size_t)(shell->end - shell->at) >= length && memcmp(shell->at, text, length) == 0;
}

/* An operator, or a word that is reserved where a command may begin. */
bool apache_shell_stands_word(const struct apache_shell *shell, const char *word)
{
	const char *behind = shell->at + strlen(word);

	return apache_shell_stands(shell, word) &&
	       (behind == shell->end || apache_shell_ends_word(*behind));
}

bool apache_shell_take(struct apache_shell *shell, const char *word)
{
	if (!apache_shell_stands_word(shell, word))
		return false;
	shell->at += strlen(word);
	return true;
}

/* >FILE, 2>&1 and the like say nothing of variables. */
static bool take_redirection(struct apache_shell *shell)
{
	const char *at = shell->at;

	while (at < shell->end && *at >= '0' && *at <= '9')
		at++;
	if (at == shell->end || (*at != '<' && *at != '>'))
		return false;
	/* A text that begins in the next line. */
	if (shell->end - at > 1 && at[0] == '<' && at[1] == '<')
		apache_shell_lose(shell);
	for (at++; at < shell->end && strchr("<>&|", *at) != NULL && *at != '\0'; at++)
		;
	shell->at = at;
	apache_shell_skip_blanks(shell);
	if (!apache_shell_expand(shell))
		apache_shell_lose(shell);
	return true;
}

void apache_shell_redirections(struct apache_shell *shell)
{
	for (apache_shell_skip_blanks(shell); !apache_shell_is_over(shell) && take_redirection(shell);
	     apache_shell_skip_blanks(shell))
		;
}

/* The word that begins here, kept; NULL: none does. */
struct apache_shell_word *apache_shell_word(struct apache_shell *shell)
{
	const char *at = shell->at, *name = at + apache_shell_name(at, shell->end), *text;
	bool assigns = name > at && name < shell->end && *name == '=';
	struct apache_shell_word *word;

	if (!apache_shell_expand(shell))
		return NULL;
	if (shell->budget < sizeof(*word) + shell->word.length) {
		apache_shell_lose(shell);
		return NULL;
	}
	shell->budget -= sizeof(*word) + shell->word.length;
	word = certdeploy_alloc(shell->reading, sizeof(*word));
	text = certdeploy_copy(shell->reading, shell->word.bytes, shell->word.length);
	if (word == NULL || text == NULL) {
		shell->out_of_memory = true;
		return NULL;
	}
	*word = (struct apache_shell_word){.text = text,
					   .name = apache_shell_name(text, text + strlen(text)),
					   .assigns = assigns,
					   .unknown = shell->unknown,
					   .split = shell->split,
					   .plain = shell->plain};
	return word;
}

/* The words up to the end of a command. */
struct apache_shell_word *apache_shell_words(struct apache_shell *shell)
{
	struct apache_shell_word *first = NULL, **last = &first;

	for (apache_shell_skip_blanks(shell); !apache_shell_is_over(shell);
	     apache_shell_skip_blanks(shell)) {
		if (take_redirection(shell))
			continue;
		*last = apache_shell_word(shell);
		if (*last == NULL)
			break;
		/* One that is empty, and was not in quotes, is none. */
		if ((*last)->text[0] != '\0' || !(*last)->plain || (*last)->unknown)
			last = &(*last)->next;
	}
	*last = NULL;
	return first;
}
