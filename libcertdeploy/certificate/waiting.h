/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * waiting.h - keys with their requests, kept until the certificate arrives
 *
 *	STORE/NAME/requests/TIME-DIGITS/key.pem request.pem
 *
 * DIGITS are the first of the public key's SHA-256.
 */
#ifndef CD_WAITING_H
#define CD_WAITING_H

#include "certificate/certificate.h"
#include "change/changes.h"
#include "host/reading.h"

/** One of them, as text. */
struct cd_waiting {
	const char *id;  /**< the directory's name */
	const char *key; /**< may be encrypted */
	const char *request;
};

/** What a directory's name for a key made now would be, in arena; NULL: memory is short. */
const char *cd_waiting_id(struct cd_arena *arena, int64_t now, const char *public_key_sha256);

/**
 * Whether request and name say the same of the key, and, where it is not encrypted, the key does. report:
 * of the request, in problems' arena. Returns 0; CERTDEPLOY_EREFUSED, recorded; CERTDEPLOY_ENOMEM.
 */
int cd_waiting_check(const struct certdeploy_certificate_report **report, struct cd_problems *problems,
		     const struct cd_waiting *waiting, const char *origin);

/**
 * All that wait under a name, oldest first: struct cd_waiting in arena, which is to wipe. One that cannot
 * be used is left out with a warning.
 */
int cd_waiting_read(struct cd_vector *out, struct cd_arena *arena, struct cd_host *host,
		    const char *directory, const char *name);

/** Public keys of those that wait under a name, newest first: their SHA-256 as text. */
int cd_waiting_keys(struct cd_vector *out, struct cd_host *host, const char *directory, const char *name);

/** Work out the files; nothing when they are there. */
int cd_waiting_plan(struct cd_changes *changes, struct cd_host *host, const char *directory,
		    const char *name, const struct cd_waiting *waiting);

#endif
