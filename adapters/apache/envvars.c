/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * envvars.c - the shell file that sets the environment (Debian's envvars)
 *
 * No shell is run. Assignments, export, unset, set -a, test, if, case, for, functions, lists with && and
 * ||, and other files that are read with "." are followed. What other commands answer is not known: what
 * depends on it is carried out perhaps, and leaves variables whose value cannot be told. Where the text
 * itself is not understood, no variable's value can be told.
 */
#include "shell.h"

#include <string.h>

/* Of one run: bytes of values, and commands. */
#define VALUES_LIMIT ((size_t)16 << 20)
#define COMMANDS_LIMIT 100000

/* Until nothing becomes uncertain any more that was not before. */
#define ROUNDS_LIMIT 64

static enum apache_truth list(struct apache_shell *shell);

/* ---- compound commands ---- */

/* What must stand here. */
static void expect(struct apache_shell *shell, const char *word)
{
	apache_shell_skip_lines(shell);
	if (!apache_shell_is_over(shell) && !apache_shell_take(shell, word))
		apache_shell_lose(shell);
}

/* What ends a list and belongs to the command around it. */
static bool is_closed(const struct apache_shell *shell)
{
	static const char *const words[] = {"then", "elif", "else", "fi", "do", "done", "esac", "}"};

	if (shell->at == shell->end || *shell->at == ')' || apache_shell_stands(shell, ";;"))
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (apache_shell_stands_word(shell, words[i]))
			return true;
	return false;
}

/* A list that is carried out on this condition. */
static enum apache_truth list_if(struct apache_shell *shell, enum apache_truth condition)
{
	enum apache_truth mode = shell->mode, status;

	shell->mode = apache_least(mode, condition);
	status = list(shell);
	shell->mode = mode;
	return status;
}

static void do_if(struct apache_shell *shell)
{
	enum apache_truth taken = APACHE_NO;

	do {
		enum apache_truth condition = list_if(shell, apache_opposite(taken));

		expect(shell, "then");
		list_if(shell, apache_least(apache_opposite(taken), condition));
		taken = apache_most(taken, condition);
		apache_shell_skip_lines(shell);
	} while (!apache_shell_is_over(shell) && apache_shell_take(shell, "elif"));
	if (apache_shell_take(shell, "else"))
		list_if(shell, apache_opposite(taken));
	expect(shell, "fi");
}

/* PATTERN | PATTERN ) */
static enum apache_truth take_patterns(struct apache_shell *shell, const struct apache_shell_word *subject)
{
	enum apache_truth match = APACHE_NO;

	apache_shell_skip_blanks(shell);
	if (apache_shell_stands(shell, "("))
		shell->at++;
	for (;;) {
		const struct apache_shell_word *word;

		apache_shell_skip_blanks(shell);
		shell->pattern = true;
		word = apache_shell_word(shell);
		shell->pattern = false;
		if (word == NULL) {
			apache_shell_lose(shell);
			return match;
		}
		if (word->unknown || subject->unknown)
			match = apache_most(match, APACHE_MAYBE);
		else
			match = apache_most(match, apache_shell_matches(word->text, subject->text));
		apache_shell_skip_blanks(shell);
		if (apache_shell_stands(shell, ")"))
			break;
		if (!apache_shell_stands(shell, "|"))
			apache_shell_lose(shell);
		if (apache_shell_is_over(shell))
			return match;
		shell->at++;
	}
	shell->at++;
	return match;
}

static void do_case(struct apache_shell *shell)
{
	enum apache_truth taken = APACHE_NO;
	const struct apache_shell_word *subject;

	apache_shell_skip_blanks(shell);
	subject = apache_shell_word(shell);
	expect(shell, "in");
	if (subject == NULL) {
		apache_shell_lose(shell);
		return;
	}
	for (apache_shell_skip_lines(shell);
	     !apache_shell_is_over(shell) && !apache_shell_stands_word(shell, "esac");
	     apache_shell_skip_lines(shell)) {
		enum apache_truth match = take_patterns(shell, subject);

		list_if(shell, apache_least(apache_opposite(taken), match));
		taken = apache_most(taken, match);
		if (apache_shell_stands(shell, ";;"))
			shell->at += 2;
		else if (!apache_shell_stands_word(shell, "esac"))
			apache_shell_lose(shell);
	}
	expect(shell, "esac");
}

/* do LIST done */
static void do_body(struct apache_shell *shell, enum apache_truth condition)
{
	enum apache_truth goes_on = shell->leaps[APACHE_CONTINUE];

	expect(shell, "do");
	list_if(shell, condition);
	expect(shell, "done");
	shell->leaps[APACHE_CONTINUE] = goes_on;
}

/* A loop that goes round nobody knows how often, from its condition on, which a for has not. */
static void do_rounds(struct apache_shell *shell, const char *start, bool has_condition)
{
	size_t before, rounds = 0;

	do {
		before = shell->doubts;
		shell->at = start;
		if (has_condition)
			list_if(shell, APACHE_MAYBE);
		do_body(shell, APACHE_MAYBE);
	} while (!apache_shell_is_over(shell) && shell->doubts != before && rounds++ < ROUNDS_LIMIT);
	if (rounds > ROUNDS_LIMIT)
		apache_shell_lose(shell);
}

static void do_while(struct apache_shell *shell, bool until)
{
	const char *start = shell->at;
	enum apache_truth status = list(shell), goes_on = shell->leaps[APACHE_BREAK];

	if ((until ? apache_opposite(status) : status) == APACHE_NO ||
	    apache_shell_mode(shell) == APACHE_NO)
		do_body(shell, APACHE_NO);
	else
		do_rounds(shell, start, true);
	shell->leaps[APACHE_BREAK] = goes_on;
}

/* The words that a shell makes of one by splitting it, in its place. */
static void split_word(struct apache_shell *shell, struct apache_shell_word *word)
{
	struct apache_shell_word **last = &word->next, *behind = word->next;
	const char *text = word->text;
	size_t length = strcspn(text += strspn(text, " \t\n"), " \t\n");

	word->text = certdeploy_copy(shell->reading, text, length);
	for (text += length; *(text += strspn(text, " \t\n")) != '\0'; text += length) {
		*last = certdeploy_alloc(shell->reading, sizeof(**last));
		length = strcspn(text, " \t\n");
		if (*last == NULL)
			break;
		(*last)->text = certdeploy_copy(shell->reading, text, length);
		last = &(*last)->next;
	}
	*last = behind;
}

/* The words of a for; *unknown: they are not these. */
static struct apache_shell_word *take_items(struct apache_shell *shell, bool *unknown)
{
	struct apache_shell_word *words = apache_shell_words(shell);

	for (struct apache_shell_word *word = words, *next; word != NULL; word = next) {
		next = word->next;
		if (word->unknown ||
		    ((word->split || word->plain) && strpbrk(word->text, "*?[{") != NULL) ||
		    (word->split && !word->plain))
			*unknown = true;
		else if (word->split)
			split_word(shell, word);
		shell->out_of_memory = shell->out_of_memory || word->text == NULL;
	}
	if (apache_environment_get(shell->variables, "IFS") != NULL ||
	    apache_doubt_of(shell->variables, "IFS") != NULL)
		*unknown = true;
	return words;
}

static void do_for(struct apache_shell *shell)
{
	const struct apache_shell_word *name, *items = NULL;
	enum apache_truth goes_on = shell->leaps[APACHE_BREAK];
	bool unknown = false;
	const char *start;

	apache_shell_skip_blanks(shell);
	name = apache_shell_word(shell);
	expect(shell, "in");
	if (name == NULL || name->name == 0 || name->text[name->name] != '\0')
		apache_shell_lose(shell);
	if (!apache_shell_is_over(shell))
		items = take_items(shell, &unknown);
	if (shell->at < shell->end && (*shell->at == ';' || *shell->at == '\n'))
		shell->at++;
	start = shell->at;
	if (!apache_shell_is_over(shell) && unknown) {
		apache_shell_assign(shell, name->text, NULL);
		do_rounds(shell, start, false);
	} else if (!apache_shell_is_over(shell)) {
		if (apache_shell_mode(shell) == APACHE_NO)
			items = NULL;
		if (items == NULL)
			do_body(shell, APACHE_NO);
		for (; items != NULL && !apache_shell_is_over(shell); items = items->next) {
			apache_shell_assign(shell, name->text, items->text);
			shell->at = start;
			do_body(shell, APACHE_YES);
		}
	}
	shell->leaps[APACHE_BREAK] = goes_on;
}

/* { LIST } */
static enum apache_truth do_braces(struct apache_shell *shell)
{
	enum apache_truth status = list(shell);

	expect(shell, "}");
	return status;
}

/* What a subshell does is over at its end. */
static void do_subshell(struct apache_shell *shell)
{
	shell->at++;
	list_if(shell, APACHE_NO);
	apache_shell_skip_lines(shell);
	if (apache_shell_stands(shell, ")"))
		shell->at++;
	else
		apache_shell_lose(shell);
}

/* NAME ( ) COMMAND */
static bool define_function(struct apache_shell *shell)
{
	size_t length = apache_shell_name(shell->at, shell->end);
	struct apache_shell there = *shell;
	struct apache_function *function;
	enum apache_truth mode = shell->mode, carried_out = apache_shell_mode(shell);

	there.at += length;
	apache_shell_skip_blanks(&there);
	if (length == 0 || !apache_shell_stands(&there, "("))
		return false;
	there.at++;
	apache_shell_skip_blanks(&there);
	if (!apache_shell_stands(&there, ")"))
		return false;
	there.at++;
	apache_shell_skip_lines(&there);
	function = certdeploy_alloc(shell->reading, sizeof(*function));
	if (function == NULL) {
		shell->out_of_memory = true;
		return true;
	}
	*function = (struct apache_function){shell->functions,
					     certdeploy_copy(shell->reading, shell->at, length),
					     shell->path,
					     shell->start,
					     there.at,
					     shell->end,
					     carried_out == APACHE_MAYBE};
	shell->out_of_memory = function->name == NULL;
	shell->at = there.at;
	shell->mode = APACHE_NO;
	apache_shell_command(shell);
	shell->mode = mode;
	if (carried_out == APACHE_NO || apache_shell_is_over(shell))
		return true;
	/* Which of two it is cannot be told. */
	if (function->maybe && apache_shell_function(shell, function->name) != NULL)
		apache_shell_lose(shell);
	shell->functions = function;
	shell->changes++;
	return true;
}

static enum apache_truth compound_command(struct apache_shell *shell, bool *is_one)
{
	enum apache_truth status = APACHE_MAYBE;

	*is_one = true;
	if (apache_shell_take(shell, "if"))
		do_if(shell);
	else if (apache_shell_take(shell, "case"))
		do_case(shell);
	else if (apache_shell_take(shell, "for"))
		do_for(shell);
	else if (apache_shell_take(shell, "while"))
		do_while(shell, false);
	else if (apache_shell_take(shell, "until"))
		do_while(shell, true);
	else if (apache_shell_take(shell, "{"))
		status = do_braces(shell);
	else if (apache_shell_stands(shell, "(("))
		apache_shell_lose(shell);
	else if (apache_shell_stands(shell, "("))
		do_subshell(shell);
	else
		*is_one = define_function(shell);
	return status;
}

enum apache_truth apache_shell_command(struct apache_shell *shell)
{
	bool is_compound;
	enum apache_truth status;

	shell->depth++;
	if (shell->depth > APACHE_SHELL_DEPTH || shell->commands++ > COMMANDS_LIMIT)
		apache_shell_lose(shell);
	if (apache_shell_is_over(shell))
		return APACHE_MAYBE;
	apache_shell_skip_blanks(shell);
	status = compound_command(shell, &is_compound);
	if (is_compound)
		apache_shell_redirections(shell);
	else
		status = apache_shell_simple_command(shell);
	shell->depth--;
	return status;
}

/* COMMAND | COMMAND: each in a shell of its own. */
static enum apache_truth pipeline(struct apache_shell *shell)
{
	enum apache_truth mode = shell->mode, status;
	size_t changes = shell->changes;
	bool negated;

	apache_shell_skip_blanks(shell);
	negated = apache_shell_take(shell, "!");
	status = apache_shell_command(shell);
	for (apache_shell_skip_blanks(shell);
	     !apache_shell_is_over(shell) && apache_shell_stands(shell, "|") &&
	     !apache_shell_stands(shell, "||");
	     apache_shell_skip_blanks(shell)) {
		if (shell->changes != changes)
			apache_shell_lose(shell);
		shell->at++;
		apache_shell_skip_lines(shell);
		shell->mode = APACHE_NO;
		apache_shell_command(shell);
		shell->mode = mode;
		status = APACHE_MAYBE;
	}
	return negated ? apache_opposite(status) : status;
}

/* PIPELINE && PIPELINE || PIPELINE & */
static enum apache_truth and_or(struct apache_shell *shell)
{
	size_t changes = shell->changes;
	enum apache_truth mode = shell->mode, status = pipeline(shell);

	for (apache_shell_skip_blanks(shell);
	     !apache_shell_is_over(shell) &&
	     (apache_shell_stands(shell, "&&") || apache_shell_stands(shell, "||"));
	     apache_shell_skip_blanks(shell)) {
		bool both = *shell->at == '&';
		enum apache_truth next;

		shell->at += 2;
		apache_shell_skip_lines(shell);
		shell->mode = apache_least(mode, both ? status : apache_opposite(status));
		next = pipeline(shell);
		shell->mode = mode;
		status = both ? apache_least(status, next) : apache_most(status, next);
	}
	if (apache_shell_stands(shell, "&")) {
		shell->at++;
		if (shell->changes != changes)
			apache_shell_lose(shell);
	}
	return status;
}

static enum apache_truth list(struct apache_shell *shell)
{
	enum apache_truth status = APACHE_YES;

	for (apache_shell_skip_lines(shell); !apache_shell_is_over(shell) && !is_closed(shell);
	     apache_shell_skip_lines(shell)) {
		const char *before = shell->at;

		status = and_or(shell);
		if (apache_shell_stands(shell, ";") && !apache_shell_stands(shell, ";;"))
			shell->at++;
		if (shell->at == before)
			apache_shell_lose(shell);
	}
	return status;
}

/* ---- files ---- */

int apache_shell_read_file(struct apache_shell *shell, const char *path)
{
	const struct certdeploy_document *document;
	struct apache_shell around = *shell;
	size_t length;
	int result = certdeploy_read(&document, shell->reading, path);

	if (result != 0)
		return result;
	shell->path = certdeploy_copy(shell->reading, path, strlen(path));
	if (shell->path == NULL)
		return CERTDEPLOY_ENOMEM;
	shell->start = shell->at = certdeploy_document_bytes(document, &length);
	shell->end = shell->at + length;
	list(shell);
	if (!apache_shell_is_over(shell) && shell->at != shell->end)
		apache_shell_lose(shell);
	if (shell->lost && !around.lost &&
	    apache_doubt_all(shell->variables, shell->path, apache_shell_line(shell)) != 0)
		shell->out_of_memory = true;
	shell->path = around.path;
	shell->start = around.start;
	shell->at = around.at;
	shell->end = around.end;
	shell->leaps[APACHE_RETURN] = around.leaps[APACHE_RETURN];
	return shell->out_of_memory ? CERTDEPLOY_ENOMEM : shell->result;
}

int apache_read_envvars(struct apache_variables *variables, struct certdeploy_reading *reading,
			const char *path)
{
	struct apache_shell shell = {.reading = reading,
				     .variables = variables,
				     .mode = APACHE_YES,
				     .leaps = {APACHE_YES, APACHE_YES, APACHE_YES},
				     .budget = VALUES_LIMIT};
	int result = apache_shell_read_file(&shell, path);

	return result == CERTDEPLOY_ENOTFOUND ? 0 : result;
}
