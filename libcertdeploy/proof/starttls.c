/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * starttls.c - the words that come before TLS, by protocol
 *
 * Every protocol goes the same three steps: the server greets, it is asked for its capabilities, it is
 * asked for TLS. ManageSieve greets with its capabilities and FTP is not asked for them. Lines are
 * taken one by one; what they hold is compared, never copied elsewhere.
 */
#include "proof/starttls.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char not_offered[] = "it does not offer STARTTLS";

static enum cd_dialogue_turn say(struct cd_dialogue *dialogue, enum cd_dialogue_step step, const char *text)
{
	dialogue->step = step;
	dialogue->say = text;
	return CD_DIALOGUE_SAY;
}

static enum cd_dialogue_turn no(struct cd_dialogue *dialogue, const char *why, bool answered)
{
	dialogue->why = why;
	dialogue->answered = answered;
	return CD_DIALOGUE_NO;
}

static enum cd_dialogue_turn turned_away(struct cd_dialogue *dialogue)
{
	dialogue->turned_away = true;
	return no(dialogue, "it refuses the connection", true);
}

static bool is_word(const char *line, const char *word)
{
	size_t length = strlen(word);

	return strncasecmp(line, word, length) == 0 && (line[length] == '\0' || line[length] == ' ');
}

static bool has_word(const char *line, const char *word)
{
	for (const char *at = line; at != NULL; at = strchr(at, ' ')) {
		at += strspn(at, " ");
		if (is_word(at, word))
			return true;
	}
	return false;
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* The code of a reply line, and whether more lines follow; 0: this is no reply line. */
static unsigned reply_code(const char *line, bool *more)
{
	if (!is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]) ||
	    (line[3] != ' ' && line[3] != '-' && line[3] != '\0'))
		return 0;
	*more = line[3] == '-';
	return (unsigned)(line[0] - '0') * 100 + (unsigned)(line[1] - '0') * 10 + (unsigned)(line[2] - '0');
}

/*
 * SMTP (RFC 5321, 3207), LMTP (RFC 2033) and FTP (RFC 959, 4217): lines of one reply have the same code;
 * inside a reply, FTP allows lines without one.
 */
static enum cd_dialogue_turn hear_reply(struct cd_dialogue *dialogue)
{
	bool ftp = dialogue->start == CERTDEPLOY_START_FTP, more = false;
	unsigned code = reply_code(dialogue->line, &more);

	if (code == 0 && dialogue->code == 0)
		return no(dialogue, "it does not speak the protocol", true);
	if (dialogue->step == CD_DIALOGUE_CAPABILITIES && code != 0 &&
	    is_word(dialogue->line + 4, "STARTTLS"))
		dialogue->offered = true;
	if (code == 0 || more || (dialogue->code != 0 && dialogue->code != code)) {
		if (code != 0 && dialogue->code == 0)
			dialogue->code = code;
		return CD_DIALOGUE_LISTEN;
	}
	dialogue->code = 0;
	switch (dialogue->step) {
	case CD_DIALOGUE_GREETING:
		if (ftp && code >= 100 && code < 200)
			return CD_DIALOGUE_LISTEN; /* "120 Service ready in 1 minute" */
		/* "421 too many connections": the next one may be let in. */
		if (code == 421)
			return no(dialogue, "it refuses the connection", true);
		if (code != 220)
			return turned_away(dialogue);
		if (ftp)
			return say(dialogue, CD_DIALOGUE_STARTTLS, "AUTH TLS\r\n");
		return say(dialogue, CD_DIALOGUE_CAPABILITIES,
			   dialogue->start == CERTDEPLOY_START_LMTP ? "LHLO [127.0.0.1]\r\n"
								    : "EHLO [127.0.0.1]\r\n");
	case CD_DIALOGUE_CAPABILITIES:
		/* A name that smtpd_helo_restrictions do not like is no end: STARTTLS is taken all the
		 * same. */
		return code != 250 || dialogue->offered
			       ? say(dialogue, CD_DIALOGUE_STARTTLS, "STARTTLS\r\n")
			       : no(dialogue, not_offered, false);
	default:
		return code == (ftp ? 234U : 220U) ? CD_DIALOGUE_TLS
						   : no(dialogue, "it refuses STARTTLS", true);
	}
}

/* RFC 9051: untagged lines begin with "*", the answer to a command with its tag. */
static enum cd_dialogue_turn hear_imap(struct cd_dialogue *dialogue)
{
	const char *line = dialogue->line;

	if (is_word(line, "* BYE"))
		return turned_away(dialogue);
	switch (dialogue->step) {
	case CD_DIALOGUE_GREETING:
		return is_word(line, "* OK") ? say(dialogue, CD_DIALOGUE_CAPABILITIES, "a CAPABILITY\r\n")
					     : no(dialogue, "it does not greet as IMAP does", true);
	case CD_DIALOGUE_CAPABILITIES:
		if (is_word(line, "* CAPABILITY"))
			dialogue->offered = has_word(line, "STARTTLS");
		if (!is_word(line, "a"))
			return CD_DIALOGUE_LISTEN;
		return dialogue->offered ? say(dialogue, CD_DIALOGUE_STARTTLS, "b STARTTLS\r\n")
					 : no(dialogue, not_offered, false);
	default:
		if (!is_word(line, "b"))
			return CD_DIALOGUE_LISTEN;
		return is_word(line, "b OK") ? CD_DIALOGUE_TLS : no(dialogue, "it refuses STARTTLS", true);
	}
}

/* RFC 1939, 2449, 2595. A server that knows no CAPA may know STLS all the same. */
static enum cd_dialogue_turn hear_pop3(struct cd_dialogue *dialogue)
{
	const char *line = dialogue->line;
	bool good = is_word(line, "+OK");

	switch (dialogue->step) {
	case CD_DIALOGUE_GREETING:
		return good ? say(dialogue, CD_DIALOGUE_CAPABILITIES, "CAPA\r\n") : turned_away(dialogue);
	case CD_DIALOGUE_CAPABILITIES:
		if (!dialogue->listing) {
			dialogue->listing = good;
			return good ? CD_DIALOGUE_LISTEN : say(dialogue, CD_DIALOGUE_STARTTLS, "STLS\r\n");
		}
		if (is_word(line, "STLS"))
			dialogue->offered = true;
		if (strcmp(line, ".") != 0)
			return CD_DIALOGUE_LISTEN;
		return dialogue->offered ? say(dialogue, CD_DIALOGUE_STARTTLS, "STLS\r\n")
					 : no(dialogue, not_offered, false);
	default:
		return good ? CD_DIALOGUE_TLS : no(dialogue, "it refuses STLS", true);
	}
}

/* RFC 5804: the greeting is the list of capabilities, ended by OK. */
static enum cd_dialogue_turn hear_sieve(struct cd_dialogue *dialogue)
{
	const char *line = dialogue->line;

	if (is_word(line, "NO") || is_word(line, "BYE"))
		return no(dialogue, "it refuses", true);
	if (dialogue->step == CD_DIALOGUE_GREETING && is_word(line, "\"STARTTLS\""))
		dialogue->offered = true;
	if (!is_word(line, "OK"))
		return CD_DIALOGUE_LISTEN;
	if (dialogue->step == CD_DIALOGUE_STARTTLS)
		return CD_DIALOGUE_TLS;
	return dialogue->offered ? say(dialogue, CD_DIALOGUE_STARTTLS, "STARTTLS\r\n")
				 : no(dialogue, not_offered, false);
}

/* "…{12}" or "…{12+}": so many bytes follow the line's end and belong to the line. */
static size_t announced_literal(const struct cd_dialogue *dialogue)
{
	size_t end = dialogue->length, value = 0, scale = 1;

	if (dialogue->start != CERTDEPLOY_START_IMAP && dialogue->start != CERTDEPLOY_START_SIEVE)
		return 0;
	if (end < 3 || dialogue->line[--end] != '}')
		return 0;
	if (dialogue->line[end - 1] == '+')
		end--;
	for (; end > 0 && is_digit(dialogue->line[end - 1]) && scale < CD_DIALOGUE_LIMIT * 10; end--) {
		value += (size_t)(dialogue->line[end - 1] - '0') * scale;
		scale *= 10;
	}
	return end > 0 && dialogue->line[end - 1] == '{' ? value : 0;
}

static enum cd_dialogue_turn hear_line(struct cd_dialogue *dialogue)
{
	enum cd_dialogue_turn turn;

	if (dialogue->length > 0 && dialogue->line[dialogue->length - 1] == '\r')
		dialogue->length--;
	dialogue->literal = announced_literal(dialogue);
	if (dialogue->literal > 0) {
		/* The line goes on behind it, and must not announce it again. */
		dialogue->line[dialogue->length - 1] = ' ';
		return CD_DIALOGUE_LISTEN;
	}
	dialogue->line[dialogue->length] = '\0';
	switch (dialogue->start) {
	case CERTDEPLOY_START_IMAP:
		turn = hear_imap(dialogue);
		break;
	case CERTDEPLOY_START_POP3:
		turn = hear_pop3(dialogue);
		break;
	case CERTDEPLOY_START_SIEVE:
		turn = hear_sieve(dialogue);
		break;
	default:
		turn = hear_reply(dialogue);
	}
	if (turn != CD_DIALOGUE_NO)
		dialogue->length = 0;
	return turn;
}

void cd_dialogue_begin(struct cd_dialogue *dialogue, enum certdeploy_start start)
{
	memset(dialogue, 0, sizeof(*dialogue));
	dialogue->start = start;
}

enum cd_dialogue_turn cd_dialogue_hear(struct cd_dialogue *dialogue, const char *bytes, size_t length,
				       size_t *used)
{
	enum cd_dialogue_turn turn = CD_DIALOGUE_LISTEN;
	size_t at = 0;

	while (turn == CD_DIALOGUE_LISTEN && at < length) {
		char byte = bytes[at++];

		if (++dialogue->heard > CD_DIALOGUE_LIMIT) {
			turn = no(dialogue, "it talks without end", false);
		} else if (dialogue->literal > 0) {
			dialogue->literal--;
		} else if (byte == '\n') {
			turn = hear_line(dialogue);
		} else if (dialogue->length == CD_DIALOGUE_LINE) {
			turn = no(dialogue, "it sends a line without end", false);
		} else {
			dialogue->line[dialogue->length++] = byte;
		}
	}
	*used = at;
	return turn;
}
