/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shell.h - the parts of the reader of shell files
 *
 * words.c      quotes, $NAME, ${NAME…}
 * shell.c      what is known, and the text between words
 * commands.c   simple commands
 * envvars.c    if, case, for and the like, lists, files
 */
#ifndef CD_APACHE_SHELL_H
#define CD_APACHE_SHELL_H

#include "adapter.h"

/** How sure it is that a command is carried out, or succeeds. Of two that must both be, the lesser. */
enum apache_truth {
	APACHE_NO,
	APACHE_MAYBE,
	APACHE_YES,
};

/** From what on the present commands are not carried out any more, or only perhaps. */
enum apache_leap {
	APACHE_CONTINUE,
	APACHE_BREAK,
	APACHE_RETURN,
	APACHE_LEAPS,
};

static inline enum apache_truth apache_least(enum apache_truth one, enum apache_truth other)
{
	return one < other ? one : other;
}

static inline enum apache_truth apache_most(enum apache_truth one, enum apache_truth other)
{
	return one > other ? one : other;
}

static inline enum apache_truth apache_opposite(enum apache_truth one)
{
	return (enum apache_truth)(APACHE_YES - one);
}

static inline enum apache_truth apache_truth_of(bool is_so)
{
	return is_so ? APACHE_YES : APACHE_NO;
}

/* Files and functions within each other, and commands. */
#define APACHE_SHELL_DEPTH 64

struct apache_function {
	struct apache_function *next;
	const char *name;
	const char *path, *start, *body, *end;
	bool maybe; /* its definition was carried out perhaps */
};

/* A word of a command. */
struct apache_shell_word {
	struct apache_shell_word *next;
	const char *text;
	size_t name;  /* it begins with one: its length */
	bool assigns; /* NAME=, letter by letter */
	bool unknown;
	bool split;
	bool plain;
};

struct apache_shell {
	struct certdeploy_reading *reading;
	struct apache_variables *variables;
	struct apache_function *functions;
	const char *path; /* of the file that is being read */
	const char *start;
	const char *at;
	const char *end;
	enum apache_truth mode; /* of the commands here; see apache_shell_mode() */
	enum apache_truth leaps[APACHE_LEAPS];
	unsigned depth;     /* of what is within each other */
	unsigned nesting;   /* of ${…} */
	size_t budget;      /* bytes of values that may still be made */
	size_t commands;    /* that were read */
	size_t changes;     /* of variables and functions */
	size_t doubts;      /* variables whose value became uncertain */
	bool export_all;    /* set -a */
	bool lost;          /* what follows is not understood */
	bool out_of_memory; /* or another error, in result */
	int result;

	/* the word that was read last, expanded */
	struct apache_text word;
	bool unknown; /* it holds what only a shell can tell */
	bool split;   /* a value in it, outside of quotes, has blanks or what is a pattern of files */
	bool plain;   /* nothing in it was quoted */
	bool pattern; /* quoted characters that mean something in a pattern get a backslash */
	bool quoted;  /* what is being added stands in quotes */
};

/* ---- words.c ---- */

size_t apache_shell_name(const char *at, const char *end);
bool apache_shell_is_blank(char byte);
/** What ends a word outside of quotes. */
bool apache_shell_ends_word(char byte);
/** A pattern of case. */
enum apache_truth apache_shell_matches(const char *pattern, const char *text);
/** Read and expand the word that begins here. False: none does. */
bool apache_shell_expand(struct apache_shell *shell);

/* ---- shell.c ---- */

/** Whether the command that is being read is carried out. */
enum apache_truth apache_shell_mode(const struct apache_shell *shell);
/** Nothing more can be read. */
bool apache_shell_is_over(const struct apache_shell *shell);
/** What stands here is not understood: no variable's value can be told. */
void apache_shell_lose(struct apache_shell *shell);
size_t apache_shell_line(const struct apache_shell *shell);
/** A value that is certain, or NULL; of one that is not, shell->unknown is set. */
const char *apache_shell_value(struct apache_shell *shell, const char *name);
/** NAME=VALUE, as far as it is carried out, as the next two. value NULL: it cannot be told. */
void apache_shell_assign(struct apache_shell *shell, const char *name, const char *value);
void apache_shell_export(struct apache_shell *shell, const char *name);
void apache_shell_unset(struct apache_shell *shell, const char *name);
void apache_shell_skip_blanks(struct apache_shell *shell);
/** Blanks, newlines and comments. */
void apache_shell_skip_lines(struct apache_shell *shell);
bool apache_shell_stands(const struct apache_shell *shell, const char *text);
/** An operator, or a word that is reserved where a command may begin; and go on behind it. */
bool apache_shell_stands_word(const struct apache_shell *shell, const char *word);
bool apache_shell_take(struct apache_shell *shell, const char *word);
/** >FILE, 2>&1 and the like say nothing of variables. */
void apache_shell_redirections(struct apache_shell *shell);
/** The word that begins here, kept; NULL: none does. */
struct apache_shell_word *apache_shell_word(struct apache_shell *shell);
/** The words up to the end of a command. */
struct apache_shell_word *apache_shell_words(struct apache_shell *shell);

/* ---- commands.c ---- */

enum apache_truth apache_shell_simple_command(struct apache_shell *shell);
/** The function of a name, or NULL. */
const struct apache_function *apache_shell_function(const struct apache_shell *shell, const char *name);

/* ---- envvars.c ---- */

enum apache_truth apache_shell_command(struct apache_shell *shell);
int apache_shell_read_file(struct apache_shell *shell, const char *path);

#endif
