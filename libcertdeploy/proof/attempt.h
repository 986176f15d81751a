/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attempt.h - one connection to one port: connect, STARTTLS, handshake, without ever waiting */
#ifndef CD_ATTEMPT_H
#define CD_ATTEMPT_H

#include "proof/probe.h"

#include <openssl/ssl.h>

/** What handshakes are made with: a TLS client for each restriction of key types. */
struct cd_clients {
	SSL_CTX *any;
	SSL_CTX *by_type[5];
	BIO_METHOD *wire;
};

/** Returns 0 or CERTDEPLOY_ENOMEM; cd_clients_free() is due in both cases. */
int cd_clients_make(struct cd_clients *clients);
void cd_clients_free(struct cd_clients *clients);

struct cd_attempt;

/** Why cd_attempt_begin() and cd_attempt_go() return. */
enum cd_attempt_end {
	CD_ATTEMPT_WAITS = 0,   /**< until the descriptor is ready for the events */
	CD_ATTEMPT_ENDED = 1,   /**< the probe holds the outcome */
	CD_ATTEMPT_NO_ROOM = 2, /**< begin: no descriptor is free; nothing was begun */
};

/**
 * Begin. *out is set only when the attempt waits. Outcomes go into the probe's state, detail and, when
 * a certificate was seen and proven, its sha256, not_after and chain_length.
 * Returns an enum cd_attempt_end or CERTDEPLOY_ENOMEM.
 */
int cd_attempt_begin(struct cd_attempt **out, struct cd_clients *clients, struct cd_probe *probe);
/** Go on as far as is possible. Returns an enum cd_attempt_end or CERTDEPLOY_ENOMEM. */
int cd_attempt_go(struct cd_attempt *attempt);
/** Time is up: record it. */
void cd_attempt_expire(struct cd_attempt *attempt);
/** What to poll for. */
int cd_attempt_fd(const struct cd_attempt *attempt, short *events);
struct cd_probe *cd_attempt_probe(const struct cd_attempt *attempt);
/** Close the connection. NULL is allowed. */
void cd_attempt_free(struct cd_attempt *attempt);

#endif
