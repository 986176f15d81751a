/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* starttls.h - the words that come before TLS, by protocol */
#ifndef CD_STARTTLS_H
#define CD_STARTTLS_H

#include <certdeploy-adapter.h>

/** The longest line that is taken from a server. */
#define CD_DIALOGUE_LINE 8192
/** All that a server may say before TLS, in bytes. */
#define CD_DIALOGUE_LIMIT ((size_t)64 << 10)

enum cd_dialogue_step {
	CD_DIALOGUE_GREETING,
	CD_DIALOGUE_CAPABILITIES,
	CD_DIALOGUE_STARTTLS,
};

enum cd_dialogue_turn {
	CD_DIALOGUE_LISTEN, /**< more has to come from the server */
	CD_DIALOGUE_SAY,    /**< send `say` */
	CD_DIALOGUE_TLS,    /**< the server waits for the TLS handshake */
	CD_DIALOGUE_NO,     /**< there will be no TLS: `why`, and the line in `line` if `answered` */
};

/** A conversation with one server. It does no input or output itself. */
struct cd_dialogue {
	enum certdeploy_start start;
	enum cd_dialogue_step step;
	const char *say;                 /**< what to send next, with its line ending */
	const char *why;                 /**< why not, not translated */
	bool answered;                   /**< the reason is what the server says in `line` */
	bool turned_away;                /**< it lets no client like us in */
	bool offered;                    /**< TLS was among the capabilities */
	bool listing;                    /**< POP3: inside a list */
	unsigned code;                   /**< of the reply whose further lines are awaited; 0: none */
	size_t literal;                  /**< bytes of a literal still to be skipped */
	size_t heard;                    /**< bytes in all */
	size_t length;                   /**< of line */
	char line[CD_DIALOGUE_LINE + 1]; /**< foreign bytes: never show them as they are */
};

void cd_dialogue_begin(struct cd_dialogue *dialogue, enum certdeploy_start start);

/**
 * Take bytes from the server, until they are used up or a turn is due.
 *
 * @param used  bytes taken
 */
enum cd_dialogue_turn cd_dialogue_hear(struct cd_dialogue *dialogue, const char *bytes, size_t length,
				       size_t *used);

#endif
