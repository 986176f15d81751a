/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * archive.h - a whole store as one PKCS#12 (RFC 7292)
 *
 * One part, encrypted as a whole, sealed with a MAC: so a passphrase is derived from twice, however many
 * keys there are. In it, for each certificate: key, leaf and chain, each with the name in the store as its
 * friendly name; for each request that waits: a secret, the PEM of request and key, with its name in the
 * store as friendly name and its directory's as local key id.
 */
#ifndef CD_ARCHIVE_H
#define CD_ARCHIVE_H

#include "base/buffer.h"
#include "certificate/certificate.h"
#include "certificate/waiting.h"

/** One certificate, or one request that waits, on its way out; the other is NULL. */
struct cd_archive_entry {
	const char *name;
	const struct cd_certificate *certificate;
	const struct cd_waiting *waiting;
};

/**
 * Append the archive of entries (of struct cd_archive_entry) as DER. passphrase: UTF-8, ended by a NUL.
 * Returns 0 or CERTDEPLOY_ENOMEM.
 */
int cd_archive_write(struct cd_buffer *out, const struct cd_vector *entries, const char *passphrase);

/** What an archive has under one name. */
struct cd_archived {
	const char *name;
	struct cd_buffer pem;     /**< key, leaf and chain of each certificate; secret; may be empty */
	struct cd_vector waiting; /**< of struct cd_waiting, not checked yet */
};

/** Names in the order of the archive. All zero is empty. */
struct cd_archive {
	struct cd_arena arena;
	struct cd_vector list; /**< of struct cd_archived */
	struct cd_table by_name;
};

/**
 * Open an archive and sort it by names; nothing in it is judged but its frame and the names. load: for its
 * passphrase. To be freed in any case. Returns 0; CERTDEPLOY_EREFUSED, recorded; CERTDEPLOY_ENOMEM.
 */
int cd_archive_read(struct cd_archive *archive, struct cd_problems *problems, const struct cd_piece *piece,
		    const struct cd_load *load);
void cd_archive_free(struct cd_archive *archive);

#endif
