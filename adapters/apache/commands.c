/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* commands.c - simple commands of a shell file: assignments, export, test and the like */
#include "shell.h"

#include <string.h>

/* Whether a shell makes other words of it. */
static bool is_several(const struct apache_shell_word *word)
{
	return word->unknown || word->split;
}

/* ---- test ---- */

static enum apache_truth test_file(struct apache_shell *shell, char what, const char *path)
{
	enum certdeploy_file_type type = certdeploy_file_type(shell->reading, path);

	if (type == CERTDEPLOY_FILE_UNKNOWN || *path != '/')
		return APACHE_MAYBE;
	switch (what) {
	case 'e':
	case 'r':
		return apache_truth_of(type != CERTDEPLOY_FILE_ABSENT);
	case 'f':
		return apache_truth_of(type == CERTDEPLOY_FILE_REGULAR);
	case 'd':
		return apache_truth_of(type == CERTDEPLOY_FILE_DIRECTORY);
	default:
		return type == CERTDEPLOY_FILE_ABSENT ? APACHE_NO : APACHE_MAYBE;
	}
}

static enum apache_truth test_one(struct apache_shell *shell, const char *op, const char *text)
{
	if (strcmp(op, "-z") == 0)
		return apache_truth_of(*text == '\0');
	if (strcmp(op, "-n") == 0)
		return apache_truth_of(*text != '\0');
	if (op[0] == '-' && op[1] != '\0' && op[2] == '\0' && strchr("efdrwxsLh", op[1]) != NULL)
		return test_file(shell, op[1], text);
	return APACHE_MAYBE;
}

static enum apache_truth test_two(const char *one, const char *op, const char *other)
{
	if (strcmp(op, "=") == 0)
		return apache_truth_of(strcmp(one, other) == 0);
	/* An error in some shells. */
	if (strcmp(op, "==") == 0)
		return strcmp(one, other) == 0 ? APACHE_MAYBE : APACHE_NO;
	if (strcmp(op, "!=") == 0)
		return apache_truth_of(strcmp(one, other) != 0);
	return APACHE_MAYBE;
}

/* [ … ] and test …, from their first argument on. */
static enum apache_truth test(struct apache_shell *shell, const struct apache_shell_word *words,
			      bool bracket)
{
	const char *texts[4] = {NULL};
	size_t count = 0;
	bool negated = words != NULL && strcmp(words->text, "!") == 0;
	enum apache_truth result = APACHE_MAYBE;

	for (words = negated ? words->next : words; words != NULL; words = words->next) {
		if (is_several(words) || count == 4)
			return APACHE_MAYBE;
		texts[count++] = words->text;
	}
	if (bracket && (count == 0 || strcmp(texts[--count], "]") != 0))
		return APACHE_MAYBE;
	if (count == 0)
		result = negated ? APACHE_MAYBE : APACHE_NO;
	else if (count == 1)
		result = apache_truth_of(*texts[0] != '\0');
	else if (count == 2)
		result = test_one(shell, texts[0], texts[1]);
	else if (count == 3)
		result = test_two(texts[0], texts[1], texts[2]);
	return negated ? apache_opposite(result) : result;
}

/* ---- simple commands ---- */

/* NAME=VALUE, or NAME alone; what has no name may be anything. */
static void declare(struct apache_shell *shell, const struct apache_shell_word *word, bool exported)
{
	const char *name = certdeploy_copy(shell->reading, word->text, word->name);
	bool assigned = word->name > 0 && word->text[word->name] == '=';

	if (name == NULL) {
		shell->out_of_memory = true;
	} else if (word->name == 0 || (word->unknown && !word->assigns) ||
		   (!assigned && word->text[word->name] != '\0')) {
		apache_shell_lose(shell);
	} else {
		if (assigned)
			apache_shell_assign(shell, name,
					    word->unknown ? NULL : word->text + word->name + 1);
		if (exported)
			apache_shell_export(shell, name);
	}
}

static void set_options(struct apache_shell *shell, const struct apache_shell_word *words)
{
	for (const struct apache_shell_word *word = words; word != NULL; word = word->next) {
		const char *text = word->text;
		bool all = (text[0] == '-' || text[0] == '+') && strchr(text, 'a') != NULL;

		if (word->unknown || strcmp(text, "--") == 0)
			break;
		if ((strcmp(text, "-o") == 0 || strcmp(text, "+o") == 0) && word->next != NULL)
			all = strcmp(word->next->text, "allexport") == 0;
		if (all && apache_shell_mode(shell) == APACHE_MAYBE)
			apache_shell_lose(shell);
		else if (all && apache_shell_mode(shell) == APACHE_YES)
			shell->export_all = text[0] == '-';
	}
}

/* export, readonly, unset */
static void do_variables(struct apache_shell *shell, const char *name,
			 const struct apache_shell_word *words)
{
	bool unset = strcmp(name, "unset") == 0;

	if (apache_shell_mode(shell) == APACHE_NO)
		return;
	for (; words != NULL && !apache_shell_is_over(shell); words = words->next) {
		/* A shell may make several of it, or may not. */
		struct apache_shell_word word = *words;

		word.unknown = is_several(words);
		if (strcmp(word.text, "-v") == 0 || strcmp(word.text, "-p") == 0)
			continue;
		if (!unset)
			declare(shell, &word, strcmp(name, "export") == 0);
		else if (word.unknown || word.name == 0)
			apache_shell_lose(shell);
		else
			apache_shell_unset(shell, word.text);
	}
}

static void leap(struct apache_shell *shell, enum apache_leap leap, const struct apache_shell_word *words)
{
	enum apache_truth mode = apache_shell_mode(shell);

	if (words != NULL && (leap == APACHE_BREAK || leap == APACHE_CONTINUE))
		apache_shell_lose(shell);
	shell->leaps[leap] = apache_least(shell->leaps[leap], apache_opposite(mode));
}

/* . FILE. Without it a shell ends; one in a tree may not have been taken along. */
static void source(struct apache_shell *shell, const struct apache_shell_word *words)
{
	enum certdeploy_file_type type;

	if (apache_shell_mode(shell) == APACHE_NO)
		return;
	if (words == NULL || is_several(words) || words->text[0] != '/') {
		apache_shell_lose(shell);
		return;
	}
	type = certdeploy_file_type(shell->reading, words->text);
	if (type != CERTDEPLOY_FILE_REGULAR || shell->depth >= APACHE_SHELL_DEPTH)
		apache_shell_lose(shell);
	else
		shell->result = apache_shell_read_file(shell, words->text);
}

/* NAME+=VALUE of bash: whatever a shell makes of it, NAME may not be what it was. */
static void append(struct apache_shell *shell, const struct apache_shell_word *word)
{
	const char *name;

	if (word->name == 0 || word->text[word->name] != '+')
		return;
	name = certdeploy_copy(shell->reading, word->text, word->name);
	if (name == NULL)
		shell->out_of_memory = true;
	else
		apache_shell_assign(shell, name, NULL);
}

/* What bash has and other shells do not. */
static void do_foreign(struct apache_shell *shell, const char *name, const struct apache_shell_word *words)
{
	enum apache_truth mode = shell->mode;

	shell->mode = apache_least(mode, APACHE_MAYBE);
	if (strcmp(name, "source") == 0)
		source(shell, words);
	else
		for (; words != NULL; words = words->next)
			if (words->name > 0)
				declare(shell, words, true);
	shell->mode = mode;
}

static enum apache_truth call(struct apache_shell *shell, const struct apache_function *function)
{
	struct apache_shell around = *shell;
	enum apache_truth status = APACHE_MAYBE;

	if (shell->depth >= APACHE_SHELL_DEPTH) {
		apache_shell_lose(shell);
		return status;
	}
	shell->path = function->path;
	shell->start = function->start;
	shell->at = function->body;
	shell->end = function->end;
	shell->mode = apache_least(apache_shell_mode(shell), function->maybe ? APACHE_MAYBE : APACHE_YES);
	if (shell->mode != APACHE_NO)
		status = apache_shell_command(shell);
	if (apache_shell_is_over(shell))
		return status;
	shell->path = around.path;
	shell->start = around.start;
	shell->at = around.at;
	shell->end = around.end;
	shell->mode = around.mode;
	/* A loop around the call. */
	if (shell->leaps[APACHE_BREAK] != around.leaps[APACHE_BREAK] ||
	    shell->leaps[APACHE_CONTINUE] != around.leaps[APACHE_CONTINUE])
		apache_shell_lose(shell);
	shell->leaps[APACHE_RETURN] = around.leaps[APACHE_RETURN];
	return status;
}

const struct apache_function *apache_shell_function(const struct apache_shell *shell, const char *name)
{
	const struct apache_function *function = shell->functions;

	while (function != NULL && strcmp(function->name, name) != 0)
		function = function->next;
	return function;
}

enum built_in {
	BREAK,
	COLON,
	CONTINUE,
	EXIT,
	EXPORT,
	READONLY,
	RETURN,
	SET,
	SOURCE,
	UNSET,
	LAST_SPECIAL = UNSET, /* assignments before these last */
	BRACKET,
	DECLARE,
	FALSE,
	LET,
	LOCAL,
	READ,
	SOURCE_OF_BASH,
	TEST,
	TRUE,
	TYPESET,
	OBSCURE, /* what it does depends on what cannot be told */
	OTHER,
};

static enum built_in built_in_of(const struct apache_shell_word *word)
{
	static const char *const names[] = {[BREAK] = "break",
					    [COLON] = ":",
					    [CONTINUE] = "continue",
					    [EXIT] = "exit",
					    [EXPORT] = "export",
					    [READONLY] = "readonly",
					    [RETURN] = "return",
					    [SET] = "set",
					    [SOURCE] = ".",
					    [UNSET] = "unset",
					    [BRACKET] = "[",
					    [DECLARE] = "declare",
					    [FALSE] = "false",
					    [LET] = "let",
					    [LOCAL] = "local",
					    [READ] = "read",
					    [SOURCE_OF_BASH] = "source",
					    [TEST] = "test",
					    [TRUE] = "true",
					    [TYPESET] = "typeset"};
	static const char *const obscure[] = {"alias",  "builtin",  "command", "eval",
					      "exec",   "function", "getopts", "mapfile",
					      "printf", "select",   "unalias", "readarray"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!word->unknown && strcmp(word->text, names[i]) == 0)
			return (enum built_in)i;
	for (size_t i = 0; i < sizeof(obscure) / sizeof(*obscure); i++)
		if (strcmp(word->text, obscure[i]) == 0)
			return OBSCURE;
	return word->unknown ? OBSCURE : OTHER;
}

/* command -v NAME, exec 2>FILE, and printf without -v change nothing. */
static bool is_harmless(const struct apache_shell_word *word)
{
	const char *option = word->next == NULL ? "" : word->next->text;

	if (strcmp(word->text, "command") == 0)
		return strcmp(option, "-v") == 0 || strcmp(option, "-V") == 0;
	if (strcmp(word->text, "printf") == 0)
		return strcmp(option, "-v") != 0;
	return strcmp(word->text, "exec") == 0 && word->next == NULL;
}

static enum apache_truth carry_out(struct apache_shell *shell, const struct apache_shell_word *word)
{
	enum built_in what = built_in_of(word);
	const struct apache_function *function = apache_shell_function(shell, word->text);

	if (function != NULL && what > LAST_SPECIAL && !word->unknown)
		return call(shell, function);
	switch (what) {
	case BREAK:
	case CONTINUE:
		leap(shell, what == BREAK ? APACHE_BREAK : APACHE_CONTINUE, word->next);
		break;
	case RETURN:
		leap(shell, APACHE_RETURN, NULL);
		break;
	case EXIT: /* then no server is started */
		break;
	case COLON:
	case TRUE:
		return APACHE_YES;
	case FALSE:
		return APACHE_NO;
	case EXPORT:
	case READONLY:
	case UNSET:
		do_variables(shell, word->text, word->next);
		return APACHE_YES;
	case SET:
		set_options(shell, word->next);
		break;
	case SOURCE:
		source(shell, word->next);
		break;
	case BRACKET:
	case TEST:
		return test(shell, word->next, what == BRACKET);
	case DECLARE:
	case LET:
	case LOCAL:
	case READ:
	case SOURCE_OF_BASH:
	case TYPESET:
		do_foreign(shell, word->text, word->next);
		break;
	case OBSCURE:
		if (apache_shell_mode(shell) != APACHE_NO && !is_harmless(word))
			apache_shell_lose(shell);
		break;
	case OTHER:
		append(shell, word);
		break;
	}
	return APACHE_MAYBE;
}

/* Whether a command stands behind the assignments that begin here. */
static bool has_command(struct apache_shell *shell)
{
	const char *at = shell->at;
	enum apache_truth mode = shell->mode;
	const struct apache_shell_word *word;

	shell->mode = APACHE_NO;
	do {
		apache_shell_redirections(shell);
		word = apache_shell_word(shell);
	} while (word != NULL && word->assigns && !apache_shell_is_over(shell));
	shell->mode = mode;
	shell->at = at;
	return word != NULL;
}

/* What is assigned by no command: it succeeds, unless a command is within. */
static enum apache_truth assign_all(struct apache_shell *shell)
{
	enum apache_truth status = APACHE_YES;
	const struct apache_shell_word *word;

	apache_shell_redirections(shell);
	while (!apache_shell_is_over(shell) && (word = apache_shell_word(shell)) != NULL) {
		declare(shell, word, false);
		if (word->unknown)
			status = APACHE_MAYBE;
		apache_shell_redirections(shell);
	}
	return status;
}

enum apache_truth apache_shell_simple_command(struct apache_shell *shell)
{
	const struct apache_shell_word *words, *command;
	enum built_in what;

	if (!has_command(shell))
		return assign_all(shell);
	words = apache_shell_words(shell);
	for (command = words; command != NULL && command->assigns; command = command->next)
		;
	if (command == NULL || apache_shell_is_over(shell))
		return APACHE_MAYBE;
	what = built_in_of(command);
	/* What is assigned before other commands is of these alone. */
	for (; words != command; words = words->next)
		if (what <= LAST_SPECIAL || what == OBSCURE)
			declare(shell, words, false);
		else if (what == SOURCE_OF_BASH || apache_shell_function(shell, command->text) != NULL)
			apache_shell_lose(shell);
	return carry_out(shell, command);
}
