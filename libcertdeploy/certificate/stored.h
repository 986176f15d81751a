/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stored.h - the current generation of one name in the store, as it lies on the disk */
#ifndef CD_STORED_H
#define CD_STORED_H

#include "certificate/material.h"
#include "certificate/store.h"
#include "certificate/summary.h"

#define CD_STORED_LIMIT 8 /* key types under one name */

/** One file's bytes. They belong to the structure; wiped when they are a key. */
struct cd_stored_file {
	char *bytes; /**< NULL: not there, or not readable */
	size_t length;
	mode_t mode;
	uid_t owner;
	gid_t group;
	int error; /**< 0, or why it could not be read */
};

enum cd_stored_part {
	CD_STORED_CERT,
	CD_STORED_CHAIN,
	CD_STORED_FULLCHAIN,
	CD_STORED_KEY,
	CD_STORED_COMBINED
};
#define CD_STORED_PARTS 5

/** The files of one key type. */
struct cd_stored_pair {
	char suffix[32];      /**< "" or "-ecdsa": before ".pem" */
	const char *key_type; /**< "unknown" where cert.pem cannot be read */
	char sha256[CD_SHA256_TEXT];
	char public_key_sha256[CD_SHA256_TEXT];
	struct cd_buffer der;      /**< of cert.pem */
	struct cd_summary summary; /**< all zero where it cannot be read */
	struct cd_stored_file files[CD_STORED_PARTS];
};

struct cd_stored {
	char *generation; /**< its directory's name; NULL: nothing is stored under this name */
	struct cd_stored_pair pairs[CD_STORED_LIMIT];
	size_t count;
};

/** "cert", "chain", … */
const char *cd_stored_name(enum cd_stored_part part);

/**
 * Read STORE/NAME/current. Nothing there is no error. parts: bits 1 << CD_STORED_… of what to read.
 * Returns 0, CERTDEPLOY_EREFUSED ("unsafe-path") and others, recorded.
 */
int cd_stored_read(struct cd_stored *stored, struct cd_host *host, const char *directory, const char *name,
		   unsigned parts);
void cd_stored_free(struct cd_stored *stored);

#endif
