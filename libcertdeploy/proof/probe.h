/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* probe.h - live TLS handshakes: what does a port serve? */
#ifndef CD_PROBE_H
#define CD_PROBE_H

#include "base/problem.h"

#include <certdeploy-adapter.h>

enum cd_probe_state {
	CD_PROBE_PENDING,
	CD_PROBE_SERVED,       /**< a handshake took place: see sha256 */
	CD_PROBE_REFUSED,      /**< nothing listens */
	CD_PROBE_NO_STARTTLS,  /**< it answers but offers no TLS */
	CD_PROBE_NO_HANDSHAKE, /**< the handshake failed, or it is not TLS */
	CD_PROBE_TIMEOUT,
};

/** One handshake to be made. */
struct cd_probe {
	const char *address; /**< numeric; NULL: 127.0.0.1, then ::1 */
	uint16_t port;
	enum certdeploy_start start;
	bool proxied;         /**< a line of the PROXY protocol goes before all */
	const char *name;     /**< SNI; NULL: none is sent */
	const char *key_type; /**< offer only this type's signatures ("rsa", "ecdsa", …); NULL: any */
	/**
	 * Leaf wanted, 64 hexadecimal digits: tried again until it is served or time is up. NULL: one
	 * answer, whatever it is, will do.
	 */
	const char *want;
	const void *own; /**< the caller's */
	/* results */
	enum cd_probe_state state;
	char sha256[65]; /**< of the leaf served last; "" if none was */
	int64_t not_before;
	int64_t not_after;
	unsigned chain_length; /**< certificates sent, with the leaf */
	bool unheard;          /**< nobody took the connection */
	bool turned_away;      /**< it was taken, but clients like us are not let in */
	char detail[160];      /**< why not, in a few words; not translated, harmless to print */
};

/** A handshake with an endpoint, by any type of key, whatever it serves. */
struct cd_probe cd_probe_of(const struct certdeploy_endpoint *endpoint);

/** What is connected to, for messages: its name, or the default, and the address that it is bound to. */
const char *cd_probe_title(struct cd_arena *arena, const struct certdeploy_endpoint *endpoint);

/** The code of the problem where another certificate, or none, was served. */
const char *cd_probe_code(const struct cd_probe *probe);

struct cd_probing {
	unsigned parallel;                                      /**< handshakes at once; 0: 64 */
	unsigned seconds;                                       /**< for all together; 0: 15 */
	unsigned single_ms;                                     /**< for one attempt; 0: 10000 */
	int (*progress)(void *user, size_t done, size_t total); /**< other than 0 cancels; or NULL */
	void *user;
};

/**
 * Make all handshakes, many at once in one thread, over non-blocking sockets. Certificates are not
 * verified: only their identity is looked at. No data is sent beyond the PROXY protocol, STARTTLS and the
 * handshake. Returns 0, CERTDEPLOY_ECANCELLED or CERTDEPLOY_ENOMEM; what each found stands in the probes.
 */
int cd_probe_all(struct cd_probe *probes, size_t count, const struct cd_probing *how);

#endif
