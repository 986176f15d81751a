/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* listeners.h - the ports that Dovecot opens, and what each serves to whom */
#ifndef DOVECOT_LISTENERS_H
#define DOVECOT_LISTENERS_H

#include "settings.h"

/** One port on one address, or on all. */
struct dovecot_listener {
	const char *protocol; /**< as filters name it: "imap" */
	const char *shown;    /**< as it is shown: "imaps" where TLS comes at once */
	enum certdeploy_start start;
	const char *service;    /**< "imap-login" */
	const char *name;       /**< of the inet_listener */
	const char *address;    /**< numeric; NULL: all */
	struct dovecot_net net; /**< of the address; bits 0: all */
	bool v4, v6;            /**< which families a listener on all addresses has */
	uint16_t port;          /**< as configured */
	bool reachable;         /**< can be probed: its address is known, and it hears us */
	bool proxied;           /**< haproxy's PROXY protocol comes first */
	bool implicit;
	/** `local` blocks count for it: not for lmtp, which asks for its certificate too early. */
	bool by_address;
	const char *file;
	size_t line;
};

/** What an endpoint's `own` points to. */
struct dovecot_place {
	const struct dovecot_listener *listener;
	const struct dovecot_context *context;
	const char *name; /**< or NULL */
	/** This address alone is meant, and is to have a block of its own; or NULL. */
	const struct dovecot_net *address;
	struct dovecot_effective effective;
	/** The filter that a value of its own goes to; NULL: has none yet. */
	struct dovecot_filter *filter;
	/** A filter for this and other names, where there is none for this name alone. Or NULL. */
	struct dovecot_filter *shared;
	/** How the endpoint is shown, and what decides it: made where they are missing. */
	const char *listen;
	const char *decider;
	const struct certdeploy_pair *pairs;
	size_t pair_count;
	bool own; /**< the certificate is not taken over from a wider scope */
	/** A name that is served what its address's default is, instead of what its own lines say. */
	bool hidden;
};

/** The ports that are open, those of one service together. Returns 0 or CERTDEPLOY_ENOMEM. */
int dovecot_listeners(struct dovecot_vector *out, const struct dovecot_model *model);

/** Where a connection within this host to one of its addresses comes from: the same address. */
void dovecot_own_client(struct dovecot_net *out, const struct dovecot_net *local);

/** Add the endpoints of the model to the reading. */
int dovecot_add_endpoints(struct dovecot_model *model);

/** Find out which filters of the configuration are about the place's name, or NULL: none. */
void dovecot_find_home(struct dovecot_place *place, const struct dovecot_name *name);

/** The files that a place serves. Returns 0 or CERTDEPLOY_ENOMEM. */
int dovecot_make_pairs(struct dovecot_place *place, const struct dovecot_model *model);

/** The endpoint of a place. */
int dovecot_make_endpoint(struct certdeploy_endpoint *endpoint, struct dovecot_model *model,
			  struct dovecot_place *place);

#endif
