/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store.h - certificates installed on this host, by name
 *
 *	STORE/NAME/GENERATION/cert.pem chain.pem fullchain.pem key.pem combined.pem
 *	STORE/NAME/current -> GENERATION
 *	STORE/NAME/requests/: see waiting.h
 *
 * GENERATION is UTC time and the first digits of the leaf's SHA-256. Configurations name
 * STORE/NAME/current/…, so a renewal switches key and certificate together by renaming one link.
 * With two key types under one name the first one there (RSA, when both are new) has the plain file
 * names and keeps them; the other has -TYPE before ".pem".
 * The store only says what is to be written; the transaction writes it.
 */
#ifndef CD_STORE_H
#define CD_STORE_H

#include "certificate/certificate.h"
#include "change/changes.h"
#include "host/reading.h"

struct cd_store_request {
	const char *directory; /**< of the store */
	const char *name;
	const struct cd_certificates *certificates;
	int64_t now;
	unsigned keep; /**< generations kept; older ones become removals */
	/** Paths that the caller chose instead of the store, or NULL. With them there is one certificate.
	 */
	const struct certdeploy_paths *chosen;
	const char *const *accepted;
	const char *const *permissions; /**< the settings' rules: see permissions.h */
	const char *const *asked;       /**< the request's; either may be NULL */
	bool fresh;                     /**< "name-taken" where another certificate is current */
	bool drop_other_types;          /**< pairs of other key types are not carried over */
};

/**
 * Work out the files: nothing when the current generation holds the same leaf, key and chain.
 * A key type that the current generation has and this request lacks is carried over while it is good
 * for the same names.
 *
 * @param materials  one for each key type, in changes->arena, NULL-terminated
 * @param overlay    gets the new files under both of their paths, so that the plan can be read again
 */
int cd_store_plan(const struct certdeploy_material *const **materials, struct cd_changes *changes,
		  struct cd_overlay *overlay, struct cd_host *host, const struct cd_store_request *request);

/** Load what the store holds under a name; load's own pieces are not looked at. */
int cd_store_load(struct cd_certificates *out, struct cd_host *host, const char *directory,
		  const char *name, const struct cd_load *load);

/** Make a directory and those above it that are not there. */
int cd_store_directories(struct cd_changes *changes, struct cd_host *host, const char *path);

/**
 * cd_certificates_load(), where a certificate without its key finds the one that waits under its name: of
 * a request, the newest first, or of the current generation. name may be NULL.
 */
int cd_store_load_given(struct cd_certificates *out, struct cd_host *host, const char *directory,
			const char *name, const struct cd_load *load);

/** Is it the name of a generation's directory? */
bool cd_store_is_generation(const char *name);

/** What is current under one name, the same way: one for each key type. */
int cd_store_describe(struct cd_vector *out, struct cd_host *host, const char *store, const char *name);

/**
 * The name whose key, of a request or the current generation, has this SHA-256; NULL: none. loads: knows
 * the names that were read before, of the same host.
 */
int cd_store_find_key(const char **name, struct cd_host *host, const char *directory, const char *sha256,
		      struct cd_loads *loads);

/** Names in the store: struct certdeploy_certificate_report in host->arena. */
int cd_store_list(struct cd_vector *out, struct cd_host *host, const char *directory);

#endif
