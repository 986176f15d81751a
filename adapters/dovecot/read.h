/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* read.h - between read.c (files) and what is in them: blocks.c, filters.c, values.c */
#ifndef DOVECOT_READ_H
#define DOVECOT_READ_H

#include "model.h"

#include <string.h>

static inline bool dovecot_same_word(const char *one, const char *other)
{
	return strcmp(one, other) == 0;
}

/** An open section. */
struct dovecot_section {
	struct dovecot_section *outer;
	struct dovecot_filter *filter;
	struct dovecot_block *block; /**< the innermost block; NULL outside of all */
	bool opens_block;            /**< … and this section is it */
	bool opaque;                 /**< settings in it are not what they are outside */
	bool ssl_server;             /**< `ssl_server {` (2.4) */
	bool named;                  /**< 2.4: a section in which no filter may be opened */
	const char *path; /**< of its settings, ending in "/"; "" at the top; NULL: of no interest */
	const char *list; /**< 2.4: the setting whose words are set in it (`protocols {`), or NULL */
	struct dovecot_group *group; /**< 2.4: the group that it stands in, or NULL */
	const char *file;
	size_t line;
};

/** A group's settings, or its use (2.4). */
struct dovecot_group {
	const char *label;
	const char *name;
	bool matters; /**< says something about TLS or about what listens */
	const char *file;
	size_t line;
};

struct dovecot_reader {
	struct dovecot_model *model;
	struct dovecot_input *input;
	struct dovecot_section *section; /**< NULL at the top */
	struct dovecot_vector groups;
	struct dovecot_vector group_uses;
	struct dovecot_table words; /**< list and word -> something, of lists written as sections */
	const char *version;        /**< 2.4's dovecot_config_version; NULL: not read yet */
	size_t bytes;               /**< read so far */
	size_t expanded;            /**< bytes that variables stood for so far */
};

/* ---- filters.c ---- */

/** A filter that holds what the ones around say; 2.4 keeps them as its parent. */
struct dovecot_filter dovecot_start_filter(const struct dovecot_model *model, struct dovecot_filter *outer);
/** The filter equal to `wanted`, or a new one; NULL: no memory. */
struct dovecot_filter *dovecot_intern(struct dovecot_model *model, const struct dovecot_filter *wanted);
bool dovecot_is_filter(const char *key);
/** The filter that a section within `outer` opens. */
int dovecot_make_filter(struct dovecot_filter **out, struct dovecot_reader *reader,
			struct dovecot_filter *outer, const struct dovecot_line *line);

/* ---- blocks.c, values.c, read.c ---- */

int dovecot_blocks_open(struct dovecot_reader *reader);
/** Say that the group around matters, if the setting or section is about what listens. */
void dovecot_note_group(const struct dovecot_section *section, const char *key);
int dovecot_begin(struct dovecot_reader *reader, const struct dovecot_line *line);
int dovecot_end(struct dovecot_reader *reader, const struct dovecot_line *line);
int dovecot_assign(struct dovecot_reader *reader, const struct dovecot_line *line);
int dovecot_blocks_close(struct dovecot_reader *reader);

/** A path as Dovecot takes it: relative to the file that it stands in. */
const char *dovecot_resolve(const struct dovecot_reader *reader, const char *path);

/** Refuse with `config-syntax` at a line of the input. */
int dovecot_syntax(const struct dovecot_reader *reader, size_t line, const char *why);

#endif
