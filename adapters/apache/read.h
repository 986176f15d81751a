/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* read.h - what the parts of the reader hand to each other */
#ifndef CD_APACHE_READ_H
#define CD_APACHE_READ_H

#include "adapter.h"

struct apache_section {
	const char *name; /* without "<" */
	size_t length;
	const char *file;
	size_t line;
	bool condition; /* a true one: what is inside is read as if it stood outside */
	bool host;
	bool managed; /* an <MDomain …> */
};

struct apache_reader {
	struct certdeploy_reading *reading;
	struct apache_model *model;
	struct apache_lines lines;
	struct apache_seen files;
	struct apache_section *sections;
	size_t depth;
	size_t room;
	size_t ordinary; /* of these sections, those that are no conditions */
	size_t base;     /* sections open where the present file begins */
	unsigned includes;
	struct apache_host *host; /* the virtual host around, or NULL */
	struct apache_md *md;     /* the <MDomain …> around, or NULL */
	struct apache_md *last_md;
	unsigned host_includes; /* includes around its opening line */
	struct apache_place include;
};

/* Bytes of one reading. */
#define APACHE_READ_BUDGET ((size_t)256 << 20)

#define APACHE_WORDS_MAX 3

struct apache_words {
	char *values[APACHE_WORDS_MAX];
	struct apache_word words[APACHE_WORDS_MAX];
	size_t count;
	bool more; /* than APACHE_WORDS_MAX */
};

/* ---- read.c ---- */

/** Where a problem of a line is reported: the file and line, of a macro's text those of the Use. */
const char *apache_line_file(const struct apache_line *line);
size_t apache_line_number(const struct apache_line *line);
struct apache_place apache_place_of(const struct apache_line *line);
/** Refuse what httpd would not accept. */
int apache_bad_syntax(struct apache_reader *reader, const struct apache_line *line, const char *what);
/** Refuse text [at, end) of the line where it has a variable whose value cannot be told. */
int apache_check_doubt(struct apache_reader *reader, const struct apache_line *line, size_t at, size_t end);
/** The first words of a directive, from offset at of its line on. */
int apache_take_words(struct apache_reader *reader, const struct apache_line *line, size_t at,
		      struct apache_words *words);
/** Names that are not NUL-terminated; caseless. */
bool apache_same_name(const char *name, size_t length, const char *other, size_t other_length);
int apache_handle_line(struct apache_reader *reader, struct apache_line *line);
/**
 * The line is more than a part of a virtual host: its file is not plain. state: what is read after it
 * may be read in another way.
 */
int apache_not_plain(struct apache_reader *reader, const struct apache_line *line, bool state);

/* ---- includes.c ---- */

int apache_read_file(struct apache_reader *reader, const char *path);
int apache_read_document(struct apache_reader *reader, const struct certdeploy_document *document);
int apache_do_include(struct apache_reader *reader, const struct apache_line *line, size_t at,
		      bool optional);
/** Nothing of ours is to be put where this pattern matches. */
int apache_remember_include(struct apache_model *model, const char *pattern);

/* ---- directives.c ---- */

/** Do what a directive does; nothing for those that do not matter. word: its name. */
int apache_do_directive(struct apache_reader *reader, const struct apache_line *line, const char *name,
			size_t length, const struct apache_word *word, size_t at);

/* ---- managed.c ---- */

/** Domains that mod_md looks after, from MDomain, <MDomain … > or MDMember; of one MDomain: last_md. */
int apache_do_managed(struct apache_reader *reader, const struct apache_line *line, size_t at, size_t end);
/** MDCertificateFile or MDCertificateKeyFile in <MDomain … >. */
int apache_do_managed_file(struct apache_reader *reader, const struct apache_line *line, size_t at,
			   bool key);

/* ---- sysconfig.c ---- */

struct apache_sysconfig;

/** What stands before the configuration file; *out NULL: nothing is handed over. */
int apache_sysconfig_begin(struct apache_sysconfig **out, struct apache_reader *reader);
/** What stands behind it. */
int apache_sysconfig_end(const struct apache_sysconfig *sysconfig);

/* ---- sections.c ---- */

/** Whether the line is the closing tag of the condition around. */
bool apache_closes_condition(const struct apache_reader *reader, const struct apache_line *line);
/** name: the first word. */
int apache_close_section(struct apache_reader *reader, const struct apache_line *line, const char *name,
			 size_t length);
/** name: without its "<" and ">". */
int apache_open_section(struct apache_reader *reader, const struct apache_line *line, const char *name,
			size_t length, size_t at);
int apache_pop_section(struct apache_reader *reader);

#endif
