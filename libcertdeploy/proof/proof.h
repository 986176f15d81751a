/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proof.h - what a plan's endpoints served before, and whether they serve what they should after */
#ifndef CD_PROOF_H
#define CD_PROOF_H

#include "plan.h"
#include "proof/here.h"
#include "proof/probe.h"

/** One endpoint to be looked at. */
struct cd_proof_item {
	const struct cd_planned *planned;
	const struct cd_planned_endpoint *endpoint;
	const char *want;     /**< SHA-256 of the new leaf; NULL: a neighbour, which keeps what it serves */
	const char *key_type; /**< NULL: whatever the server chooses */
	const char *address;
	uint16_t port;
	bool configured;  /**< the settings name this port: it must answer */
	bool expected;    /**< something answered there before, and let us in */
	const char *name; /**< SNI to send */
	bool silent;      /**< it took the connection before, and said nothing */
	bool stuck;       /**< it was there before, and by now says nothing, or still the same */
	char before[65];  /**< what it served; "" when nothing */
	bool renewed;     /**< a neighbour whose files hold another certificate than it served by now */
	char after[65];
	int64_t after_until;
	bool verified;
};

struct cd_proof {
	struct cd_plan *plan;
	struct cd_arena arena;
	struct cd_vector items; /**< of struct cd_proof_item */
	struct cd_here here;
	struct cd_table elsewhere; /**< addresses of others that were told */
	bool going_back;           /**< the caller cannot stop it any more */
};

/**
 * Choose what to look at: every targeted endpoint of a running service, for each new key type, and a
 * sample of its neighbours; more or less of them as the request says (CERTDEPLOY_VERIFY_SCOPE).
 *
 * @param all  also services that the plan leaves untouched
 */
int cd_proof_prepare(struct cd_proof *proof, struct cd_plan *plan, bool all);
void cd_proof_free(struct cd_proof *proof);

/** Look at each once and remember what it serves. */
int cd_proof_before(struct cd_proof *proof);

/**
 * Wait until every endpoint serves what it should. CERTDEPLOY_EFAILED: one does not, as recorded
 * ("served-other", "not-listening", "no-starttls", "no-handshake").
 */
int cd_proof_after(struct cd_proof *proof);

/** Wait until everything serves again what it served before. */
int cd_proof_restored(struct cd_proof *proof);

/** Whether a running service serves something else than its plan wants although no file changes. */
bool cd_proof_is_stale(const struct cd_proof *proof, const struct cd_planned *planned);

/** Whether no endpoint of the service that was looked at before said a word, and all took connections. */
bool cd_proof_is_silent(const struct cd_proof *proof, const struct cd_planned *planned);

/** Whether an endpoint of the service said nothing new when it was looked at last. */
bool cd_proof_is_stuck(const struct cd_proof *proof, const struct cd_planned *planned);

#endif
