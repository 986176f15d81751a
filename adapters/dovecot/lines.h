/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lines.h - the line grammar of Dovecot's configuration, with the bytes behind every part */
#ifndef DOVECOT_LINES_H
#define DOVECOT_LINES_H

#include "memory.h"

enum dovecot_line_type {
	DOVECOT_LINE_ERROR,    /**< Dovecot does not accept it: value says why */
	DOVECOT_LINE_PLAIN,    /**< key = value */
	DOVECOT_LINE_FILE,     /**< key = <value */
	DOVECOT_LINE_VARIABLE, /**< key = value with a $ */
	DOVECOT_LINE_BEGIN,    /**< key [value] { */
	DOVECOT_LINE_GROUP,    /**< group @key value { (2.4) */
	DOVECOT_LINE_END,      /**< } */
	DOVECOT_LINE_INCLUDE,
	DOVECOT_LINE_INCLUDE_TRY,
};

/** Bytes of a document. */
struct dovecot_span {
	size_t offset;
	size_t length;
};

/** A logical line: a physical one, or several joined by backslashes. */
struct dovecot_line {
	enum dovecot_line_type type;
	const char *key;   /**< both: valid until the next line is read */
	const char *value; /**< unescaped; of DOVECOT_LINE_FILE without the `<` */
	bool quoted;       /**< the value stood in quotes */
	size_t number;     /**< of the last physical line, as Dovecot counts in its messages */
	size_t start;      /**< first byte of the first physical line */
	size_t end;        /**< byte after the last one's newline, or the end of the file */
	struct dovecot_span key_span;
	/** From the first byte after `=` and blanks to the last that counts: quotes and `<` included. */
	struct dovecot_span value_span;
	/** The part of it that is the value itself: without quotes, without `<` and blanks after it. */
	struct dovecot_span inner_span;
};

struct dovecot_piece;

struct dovecot_lines {
	struct certdeploy_reading *reading;
	const struct certdeploy_document *document;
	const char *bytes;
	size_t length;
	bool v24;
	size_t at;       /**< the next physical line */
	size_t number;   /**< of the physical line before it */
	bool unfinished; /**< the bytes ended within a continued line */
	struct dovecot_text text;
	struct dovecot_piece *pieces;
	size_t piece_count;
	size_t piece_room;
};

void dovecot_lines_open(struct dovecot_lines *lines, struct certdeploy_reading *reading,
			const struct certdeploy_document *document, bool v24);

/**
 * The next line that is not empty and not a comment. Lines that Dovecot loses (a continued line that a
 * comment or an empty line follows) are left out here as well.
 *
 * @return 1; 0 at the end; CERTDEPLOY_ENOMEM
 */
int dovecot_lines_next(struct dovecot_lines *lines, struct dovecot_line *line);

#endif
