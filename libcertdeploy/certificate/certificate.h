/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* certificate.h - what is deployed: leaf, key and chain, understood and checked */
#ifndef CD_CERTIFICATE_H
#define CD_CERTIFICATE_H

#include "base/problem.h"
#include "base/table.h"

#include <certdeploy-adapter.h>

struct cd_root;

/** Bytes as the caller gave them. */
struct cd_piece {
	enum certdeploy_material_kind kind;
	const char *bytes;
	size_t length;
	const char *origin; /**< what to call it in messages */
	const char *file;   /**< absolute path it was read from, or NULL */
};

/** One certificate, ready to be written: everything is encoded anew from the parsed objects. */
struct cd_certificate {
	const char *key_type;
	char sha256[65];
	const char *const *names; /**< DNS names and IP addresses, lower case, NULL-terminated */
	int64_t not_before;
	int64_t not_after;
	/** PEM, each NUL-terminated. key is NULL when none was given (check only). chain may be "". */
	const char *leaf_pem;
	char *key_pem; /**< PKCS#8, not encrypted; wiped by cd_certificates_free() */
	size_t key_pem_length;
	const char *chain_pem;
	const struct certdeploy_certificate_report *report;
	void *x509;  /**< X509 * */
	void *key;   /**< EVP_PKEY *, or NULL */
	void *chain; /**< STACK_OF(X509) *, from the leaf's issuer on */
};

/** All certificates of one request: one for each key type. */
struct cd_certificates {
	struct cd_arena arena;
	struct cd_vector list; /**< of struct cd_certificate */
};

/** The issuers that this host trusts, read when first needed. All zero at first. */
struct cd_roots {
	void *directory; /**< X509_STORE * */
	void *bundle;    /**< X509_STORE * */
};

#define CD_KEY_DECODERS 4 /* types of keys that are taken, and one more */

/** What OpenSSL found to decode keys of one type with. */
struct cd_key_decoder {
	int algorithm;
	void *context;           /**< OSSL_DECODER_CTX *; NULL: none yet */
	struct evp_pkey_st *key; /**< EVP_PKEY *, where it puts one */
};

/** An issuer that was found in the store. */
struct cd_stored_issuer {
	void *x509; /**< X509 * */
	const char *origin;
};

/** What the loads of one run share, made when first needed. All zero at first; not to be moved. */
struct cd_loads {
	struct cd_roots roots;
	struct cd_vector known;    /**< of X509 *: issuers that were decoded */
	struct cd_table by_der;    /**< the same by their DER */
	struct cd_table signed_by; /**< issuer and subject, both of CAs: that signature was verified */
	struct cd_vector verified; /**< of X509 *: these, held */
	void *last_signed[2];      /**< X509 *, held: the same of the last leaf */
	struct cd_key_decoder keys[CD_KEY_DECODERS];
	void *server; /**< SSL_CTX * of a server, to try certificates in */
	/** Issuers from the store's chains, as far as they had to be read. */
	struct cd_arena arena;
	struct cd_vector stored; /**< of struct cd_stored_issuer */
	struct cd_table chains;  /**< digests of the chains they are from: most names have the same */
	size_t stored_next;      /**< the next position to read; SIZE_MAX: that was all */
	/** The store's names by the SHA-256 of their keys, as far as they had to be read. */
	struct cd_table by_key;
	size_t keys_next; /**< the next of the store's names to read */
};

void cd_loads_free(struct cd_loads *loads);

/**
 * Where a missing issuer may be looked for, beside what was given: certificates as PEM or DER, for free().
 * position counts from 0. Returns 0 (*bytes may be NULL: nothing there, go on), CERTDEPLOY_ENOTFOUND past
 * the last, or CERTDEPLOY_ENOMEM.
 */
typedef int cd_stored_issuers_fn(void *user, size_t position, char **bytes, size_t *length,
				 const char **origin);
/** The same from the address that a certificate names; all but 0 says that there is none. Records why. */
typedef int cd_fetch_issuer_fn(void *user, const char *url, char **bytes, size_t *length);

struct cd_load {
	const struct cd_piece *pieces;
	size_t count;
	/** Keys that may belong to it, looked at only when no key was given. */
	const struct cd_piece *spare_keys;
	size_t spare_count;
	certdeploy_passphrase_fn *passphrase; /**< or NULL: encrypted keys are refused */
	void *user;
	const char *const *accepted; /**< codes that may pass */
	const char *const *settled;  /**< codes that passed when it was stored: only noted; or NULL */
	bool need_key;               /**< a certificate without its key is an error */
	bool in_order; /**< of several the first has the plain file names in the store, not the RSA one */
	int64_t now;
	const struct cd_root *root;           /**< that chain_directory is below; NULL: the host itself */
	const char *chain_directory;          /**< where missing intermediates may be found, or NULL */
	struct cd_loads *loads;               /**< shared with others; or NULL */
	cd_stored_issuers_fn *stored_issuers; /**< or NULL */
	cd_fetch_issuer_fn *fetch_issuer;     /**< or NULL: nothing is fetched */
	void *issuers;                        /**< handed to both */
};

/**
 * Read all pieces, in any order; find which is leaf, key and chain; sort the chain; check everything
 * that can be told without knowing the host (key, dates, chain, strength, usage). Problems are
 * recorded; those accepted become warnings.
 * Returns 0; CERTDEPLOY_EREFUSED; CERTDEPLOY_ENOMEM.
 */
int cd_certificates_load(struct cd_certificates *out, struct cd_problems *problems,
			 const struct cd_load *load);
/** Free what has been decoded; text and reports stay. */
void cd_certificates_let_go(struct cd_certificates *certificates);
void cd_certificates_free(struct cd_certificates *certificates);

/** Explain a certificate signing request (PEM or DER) into a report: names, subject, key. */
int cd_request_describe(const struct certdeploy_certificate_report **out, struct cd_arena *arena,
			struct cd_problems *problems, const struct cd_piece *piece);

/** Codes that do not change with time: they were judged, and accepted, when it was stored. */
extern const char *const cd_settled[];

/** For OpenSSL, which else asks on the terminal: there is no passphrase. */
int cd_no_passphrase(char *buffer, int size, int writing, void *user);

/** A name for the store: the first DNS name, `*.` as "wildcard."; [a-z0-9.-] only. NULL: none fits. */
const char *cd_certificate_store_name(struct cd_arena *arena, const struct cd_certificate *certificate);
/** Whether a name may be used in the store. */
bool cd_store_name_is_valid(const char *name);

#endif
