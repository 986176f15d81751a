/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* target.h - which endpoints are meant */
#ifndef CD_TARGET_H
#define CD_TARGET_H

#include "host/inventory.h"

/** What of one service is meant. */
struct cd_chosen {
	struct cd_seen *seen;
	struct cd_vector endpoints; /**< of const struct certdeploy_endpoint, each once */
	struct cd_table known;      /**< address of the endpoint -> itself */
};

struct cd_selection {
	struct cd_arena arena;
	struct cd_vector services; /**< of struct cd_chosen: one for each service of the inventory */
	size_t count;              /**< endpoints in all */
	const char *left_to;       /**< a deployment that keeps some of what was meant; or NULL */
};

/** A wish, taken from the request or made up for a batch. */
struct cd_target {
	const char *const *hostnames; /**< lists are NULL-terminated, or NULL */
	const char *const *addresses;
	const char *const *listeners;
	const char *const *services; /**< only these */
	bool defaults;
	bool all;
	/** DNS names of the certificate: they decide when nothing else is said, and must cover the rest. */
	const char *const *names;
	bool from_certbot; /**< the certificate is certbot's: what it renews may be given it */
	bool yields;       /**< what has the files of another deployment is left to that */
	/** Where its files go: what names these alone is given it without an edit. */
	const char *home; /**< the directory in the store, with a slash at its end; NULL: chosen paths */
	struct certdeploy_paths chosen;
};

void cd_target_of_order(struct cd_target *target, const struct cd_order *order);
bool cd_target_is_empty(const struct cd_target *target);

/**
 * Find the endpoints. A host name means every endpoint that answers for it; an address the default
 * of the listeners bound to exactly it; nothing at all, what the certificate's names cover.
 * Returns 0; CERTDEPLOY_EREFUSED: "no-endpoint", "name-mismatch", "tls-off", "shared-lines", or what
 * makes a chosen endpoint untouchable.
 */
int cd_target_select(struct cd_selection *selection, struct cd_inventory *inventory,
		     const struct cd_target *target);
void cd_selection_free(struct cd_selection *selection);

/** The default of an address often is a host with a name: whether one endpoint is the other by name. */
bool cd_endpoint_names(const struct certdeploy_endpoint *named, const struct certdeploy_endpoint *unnamed);

/** A pattern that is none; the usage error. */
int cd_pattern_refused(struct cd_problems *problems, const char *pattern);

#endif
