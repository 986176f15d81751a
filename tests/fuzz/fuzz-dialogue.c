/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-dialogue.c - what a server says before TLS
 *
 * The first byte chooses the protocol, the rest comes from the server. However it is cut into pieces,
 * the conversation goes the same way; and it ends, within the limits that the header names.
 */
#include "fuzz.h"

#include "proof/starttls.h"

#include <stdbool.h>
#include <string.h>

static const enum certdeploy_start protocols[] = {CERTDEPLOY_START_SMTP,  CERTDEPLOY_START_LMTP,
						  CERTDEPLOY_START_IMAP,  CERTDEPLOY_START_POP3,
						  CERTDEPLOY_START_SIEVE, CERTDEPLOY_START_FTP};

struct talk {
	struct cd_dialogue dialogue;
	enum cd_dialogue_turn last;
	unsigned turns;
	size_t used; /* bytes until the end */
	bool over;
};

static void hear(struct talk *talk, const char *bytes, size_t length)
{
	while (!talk->over && length > 0) {
		size_t used = 0;

		talk->last = cd_dialogue_hear(&talk->dialogue, bytes, length, &used);
		FUZZ_ASSERT(used <= length && used > 0);
		FUZZ_ASSERT(talk->dialogue.length <= CD_DIALOGUE_LINE);
		talk->used += used;
		bytes += used;
		length -= used;
		if (talk->last == CD_DIALOGUE_SAY) {
			size_t said = strlen(talk->dialogue.say);

			FUZZ_ASSERT(said > 2 && strcmp(talk->dialogue.say + said - 2, "\r\n") == 0);
			/* Greeting, capabilities, STARTTLS: nobody is asked more than that. */
			FUZZ_ASSERT(++talk->turns <= 3);
		}
		talk->over = talk->last == CD_DIALOGUE_TLS || talk->last == CD_DIALOGUE_NO;
	}
	if (talk->last == CD_DIALOGUE_NO)
		FUZZ_ASSERT(talk->dialogue.why != NULL);
	FUZZ_ASSERT(talk->over || talk->dialogue.heard <= CD_DIALOGUE_LIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct talk whole, bitten;
	const char *bytes = (const char *)data + 1;

	if (size < 2)
		return 0;
	memset(&whole, 0, sizeof(whole));
	memset(&bitten, 0, sizeof(bitten));
	cd_dialogue_begin(&whole.dialogue, protocols[data[0] % (sizeof(protocols) / sizeof(protocols[0]))]);
	cd_dialogue_begin(&bitten.dialogue, whole.dialogue.start);
	hear(&whole, bytes, size - 1);
	for (size_t i = 0; i < size - 1; i++)
		hear(&bitten, bytes + i, 1);
	FUZZ_ASSERT(whole.over == bitten.over && whole.turns == bitten.turns && whole.used == bitten.used);
	FUZZ_ASSERT(whole.dialogue.step == bitten.dialogue.step &&
		    whole.dialogue.why == bitten.dialogue.why);
	return 0;
}
