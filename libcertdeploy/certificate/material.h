/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * material.h - what the caller gave, as objects: shared by the files of this folder only
 *
 * pieces (bytes) -> armour.c -> read.c, key.c, pkcs12.c -> certificates and keys (struct cd_given)
 * -> chain.c, issuer.c (leaf, key, chain) -> check.c (problems) -> report.c, load.c (text and PEM)
 */
#ifndef CD_MATERIAL_H
#define CD_MATERIAL_H

#include "base/buffer.h"
#include "base/text.h"
#include "certificate/certificate.h"

/* OpenSSL's macros would put the path of the source into the library, which then differs by directory. */
#define OPENSSL_NO_FILENAMES

#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#define CD_PIECE_LIMIT ((size_t)256 << 10) /* bytes of one piece */
#define CD_KEY_LIMIT ((size_t)64 << 10)    /* bytes of one private key */
#define CD_GIVEN_LIMIT 32                  /* certificates in one request, and so for keys */
#define CD_CHAIN_LIMIT 10                  /* certificates between leaf and root */
#define CD_NAMES_LIMIT 1000                /* names of one certificate */
#define CD_SERIAL_LIMIT 20                 /* octets (RFC 5280) */
#define CD_RSA_BITS_LEAST 2048
#define CD_RSA_BITS_MOST 8192
#define CD_ITERATIONS_MOST 1000000 /* of a passphrase's derivation */
#define CD_ITERATIONS_ALL 3000000  /* of all derivations in one request */
#define CD_PASSPHRASE_LIMIT 1024
#define CD_PKCS12_ROUNDS 100000 /* of the derivations that are written */
#define CD_PKCS12_LEGACY_ROUNDS 2048

/** Where something was found. */
struct cd_place_given {
	const char *origin;
	size_t line;     /**< 0: not text */
	size_t position; /**< counted over all pieces */
	enum certdeploy_material_kind kind;
};

struct cd_given_certificate {
	struct cd_place_given place;
	X509 *x509;
	const char *subject; /**< printable */
	bool self_signed;    /**< and its signature verifies */
	bool leaf;
	bool used;        /**< in a chain, or left out with a word about it */
	bool added;       /**< not given: found elsewhere */
	bool alternative; /**< of another chain to a root, which is left out */
};

struct cd_given_key {
	struct cd_place_given place;
	EVP_PKEY *key;
	char sha256[CD_SHA256_TEXT]; /**< of the PKCS#8 that it was decoded from */
	struct cd_buffer normal;     /**< that PKCS#8, where it is what encoding the key makes; or empty */
	bool encrypted;              /**< it was, as it came */
	bool spare;                  /**< not given: it was at hand */
	bool used;
};

/** All that was given. Certificates and keys lie in the arena; the objects behind them are owned. */
struct cd_given {
	struct cd_arena *arena;
	struct cd_problems *problems;
	const struct cd_load *load;
	struct cd_vector certificates;
	struct cd_vector keys;
	struct cd_place_given place; /**< where the reader stands */
	size_t position;
	char passphrase[CD_PASSPHRASE_LIMIT + 1]; /**< of the piece at work */
	int passphrase_length;                    /**< -1: not asked yet */
	char aside[64]; /**< label of the piece's first block that is neither certificate nor key */
	size_t aside_line;
	int64_t iterations; /**< of the derivations so far */
	void *legacy;       /**< OSSL_LIB_CTX * with old ciphers; NULL until needed */
	void *legacy_providers[2];
};

/** Record an error at the place where the reader stands; returns CERTDEPLOY_EREFUSED. */
int cd_given_fail(struct cd_given *given, const char *code, const char *format, ...)
	CERTDEPLOY_PRINTF(3, 4);

/** An error that the caller may accept: then a warning. Returns 0 or CERTDEPLOY_EREFUSED. */
int cd_judge(struct cd_problems *problems, const struct cd_load *load, const char *code,
	     const struct cd_place_given *place, const char *format, ...) CERTDEPLOY_PRINTF(5, 6);

/* ---- read.c ---- */

/** Whether this error of OpenSSL means that memory was short, or what its random generator needs. */
bool cd_means_no_memory(unsigned long error);
/** Whether one in its queue does. Empties it. */
bool cd_was_short_of_memory(void);
/** Empty OpenSSL's queue, but not without recording that memory was short. */
void cd_errors_clear(struct cd_problems *problems);

/** Read all pieces but requests. An object that is there twice is kept once. */
int cd_given_read(struct cd_given *given);
void cd_given_free(struct cd_given *given);
/** Takes the reference. Records "chain-duplicate" for one that is there already. */
int cd_given_add_certificate(struct cd_given *given, X509 *x509);
/** The same for one from outside: refuses what must not be computed with. */
int cd_given_take_certificate(struct cd_given *given, X509 *x509);
/** der: the PKCS#8 that it was decoded from. Takes the reference. */
int cd_given_add_key(struct cd_given *given, EVP_PKEY *key, const unsigned char *der, size_t length,
		     bool encrypted);
/** certificates of PEM or DER bytes, leaving out what cannot be read; nothing is recorded. */
STACK_OF(X509) * cd_certificates_in(const char *bytes, size_t length);
/** loads: see cd_has_signed(). */
bool cd_is_self_signed(struct cd_loads *loads, X509 *x509);
/** Why nothing may be computed with this key, or NULL. */
const char *cd_public_key_fault(X509_PUBKEY *public_key);
/** Whether it is an RSA key whose exponent is 1 or even. */
bool cd_has_weak_exponent(X509_PUBKEY *public_key);
/** Whether two things were found in one piece. */
bool cd_same_origin(const struct cd_place_given *one, const struct cd_place_given *other);

/* ---- armour.c ---- */

/** One PEM block, decoded. */
struct cd_block {
	char label[64];
	char header[256]; /**< "Proc-Type" and "DEK-Info" lines, or "" */
	struct cd_buffer data;
	size_t line;
};

struct cd_armour {
	const char *at;
	const char *end;
	size_t line;
};

enum cd_armour_result {
	CD_ARMOUR_END,
	CD_ARMOUR_BLOCK,
	CD_ARMOUR_CUT,     /**< the block at block->line has no end */
	CD_ARMOUR_DAMAGED, /**< … or is no base64 */
	CD_ARMOUR_MEMORY,
};

void cd_armour_open(struct cd_armour *armour, const char *bytes, size_t length);
/** The next block. Its data is freed with cd_block_free(), which wipes. */
enum cd_armour_result cd_armour_next(struct cd_armour *armour, struct cd_block *block);
void cd_block_free(struct cd_block *block);
/** Decode base64 with whitespace in it; false: it is none. out->failed: out of memory. */
bool cd_base64(struct cd_buffer *out, const char *text, size_t length);
/** UTF-16 with its mark, as Windows editors save it, made ASCII; false: it is none. */
bool cd_utf16(struct cd_buffer *out, const char *bytes, size_t length);

/* ---- key.c ---- */

/** DER, as far as it must be seen before it is decoded. */
struct cd_der {
	const unsigned char *at;
	long left;
};

/**
 * Whether the bytes are one sequence rather than text: a long one by its first byte of length, a short one
 * (a key on a curve takes 50 to 127 bytes) when that says where the bytes end.
 */
bool cd_is_der(const char *bytes, size_t length);
/** Step over one element and look into it: its tag, or -1. Only definite lengths, as DER has them. */
int cd_der_next(struct cd_der *der, struct cd_der *inside);
/** Look into the one sequence that the bytes are. Returns 0 or -1. */
int cd_der_enter(const unsigned char *bytes, long length, struct cd_der *inside);
/** Bits of a curve that is taken; 0: it is not. */
unsigned cd_curve_bits(int curve);
/** A key in one of its DER forms. label: of the PEM block, or NULL. header: see struct cd_block. */
int cd_key_read(struct cd_given *given, const char *label, const char *header, unsigned char *der,
		size_t length);
/**
 * The first key in a PEM text; it belongs to given. NULL: there is none, or one that is not taken, or it is
 * encrypted; then *encrypted tells.
 */
EVP_PKEY *cd_key_in(bool *encrypted, struct cd_given *given, const char *text, size_t length);
/** A key that came in the open or was decrypted. */
int cd_key_from_info(struct cd_given *given, const PKCS8_PRIV_KEY_INFO *info, bool encrypted);
/** Encrypted PKCS#8. */
int cd_key_from_sealed(struct cd_given *given, const X509_SIG *sealed);
/** Account for a derivation, and refuse one that takes too long, alone or with those before it. */
int cd_spend_iterations(struct cd_given *given, int64_t iterations);
/** The same for an encryption's parameters. Returns 0 or CERTDEPLOY_EREFUSED. */
int cd_check_derivation(struct cd_given *given, const X509_ALGOR *algorithm);
/** The passphrase of the piece at work, asked for once. Returns 0 or CERTDEPLOY_EREFUSED. */
int cd_passphrase(struct cd_given *given);
/**
 * Whether OpenSSL lacked an algorithm just now. Empties its queue as cd_errors_clear() does; problems may
 * be NULL.
 */
bool cd_was_unsupported(struct cd_problems *problems);
/** A library context that has the old ciphers, or NULL: there are none. */
void *cd_legacy(struct cd_given *given);
/** Why an encryption cannot be undone: it is unknown, or old and this system lacks the provider. */
const char *cd_unsupported_text(const struct cd_given *given);
/** Name of a key type: "rsa", "ecdsa", "ed25519", …; "unknown". */
const char *cd_key_type(X509 *certificate);
const char *cd_key_type_of(const EVP_PKEY *key);
/** By the NID of its algorithm. */
const char *cd_key_type_named(int algorithm);

/* ---- fits.c ---- */

/**
 * Does this key belong to that certificate? By value, then by what the numbers of both halves say, or by a
 * signature made and verified. Returns 0, or CERTDEPLOY_ENOMEM, not recorded.
 */
int cd_key_fits(bool *fits, EVP_PKEY *key, X509 *certificate);

/* ---- normal.c ---- */

/** Whether this PKCS#8, of a key that was decoded from it, is what encoding that key makes. */
bool cd_key_is_normal(const unsigned char *der, size_t length);

/* ---- pkcs12.c ---- */

int cd_pkcs12_read(struct cd_given *given, const unsigned char *der, size_t length);
/** Prove the seal: no passphrase, an empty one, or the caller's, which is in given from then on. */
int cd_pkcs12_open(struct cd_given *given, PKCS12 *pkcs12);
/** The bags of one part, to be freed. Returns 1 when a cipher is missing, and records nothing then. */
int cd_pkcs12_open_part(STACK_OF(PKCS12_SAFEBAG) * *bags, struct cd_given *given, PKCS7 *part);
/** Whose a bag is, for us and for other readers; id: what belongs together has the same, or NULL. */
bool cd_pkcs12_label(PKCS12_SAFEBAG *bag, const char *name, const void *id, size_t size);
/** The PKCS#12 sealed with a MAC, appended as DER. Returns 0 or CERTDEPLOY_ENOMEM. */
int cd_pkcs12_seal(struct cd_buffer *out, PKCS12 *pkcs12, const char *passphrase, bool legacy);

/* ---- chain.c ---- */

enum cd_chain_end {
	CD_END_UNKNOWN,     /**< the last issuer is not known here */
	CD_END_GIVEN,       /**< a self-signed root was given */
	CD_END_TRUSTED,     /**< this host trusts the last issuer */
	CD_END_SELF_SIGNED, /**< the leaf is its own issuer */
};

/** A leaf with what belongs to it. */
struct cd_chain {
	struct cd_given_certificate *leaf;
	struct cd_given_key *key; /**< NULL: none fits */
	struct cd_vector members; /**< of struct cd_given_certificate, from the leaf's issuer on */
	X509 *anchor;             /**< the trusted or given root, owned; NULL: not known */
	enum cd_chain_end end;
	size_t keys; /**< how many were given, whether they fit or not */
};

/** Find the leaves, one for each key type, their keys and chains. Of struct cd_chain, in the arena. */
int cd_chains_build(struct cd_vector *chains, struct cd_given *given);
void cd_chains_free(struct cd_vector *chains);

/* ---- issuer.c ---- */

/** The search for the issuers of one chain. */
struct cd_search {
	struct cd_given *given;
	struct cd_loads *loads;
	unsigned verified; /**< signatures tried */
};

/** Names, key identifiers and usage allow it, and the signature verifies. */
bool cd_is_issued_by(struct cd_search *search, X509 *subject, X509 *issuer);
/** Among the roots that this host trusts; to be freed; or NULL. */
X509 *cd_trusted_issuer(struct cd_search *search, X509 *subject);
/**
 * Anywhere else. *issuer: to be freed, or NULL; *origin: where it was found. Returns 0 or
 * CERTDEPLOY_ENOMEM, recorded.
 */
int cd_find_issuer(X509 **issuer, const char **origin, struct cd_search *search, X509 *subject);
/** Where the issuer can be fetched, as the certificate says, made printable; NULL: it does not. */
char *cd_issuer_url(struct cd_arena *arena, X509 *x509);

/* ---- decoder.c ---- */

/** d2i_X509() that knows what it has seen; loads may be NULL. To be freed; or NULL. */
X509 *cd_decode_certificate(struct cd_loads *loads, const unsigned char *der, size_t length);
/** The same for a key: algorithm and DER are info's own. */
EVP_PKEY *cd_decode_key(struct cd_loads *loads, const PKCS8_PRIV_KEY_INFO *info, int algorithm,
			const unsigned char *der, size_t length);
/** X509_verify() that knows which CA's certificates it has verified; loads may be NULL. */
bool cd_has_signed(struct cd_loads *loads, X509 *issuer, X509 *subject);
void cd_decoder_free(struct cd_loads *loads);

/* ---- roots.c ---- */

/** What this host trusts and could have issued it, by name and identifiers; to be freed; or NULL. */
X509 *cd_roots_issuer(struct cd_roots *roots, X509 *subject);
void cd_roots_free(struct cd_roots *roots);

/* ---- check.c ---- */

/** Everything that can be told without knowing the host. */
int cd_chain_check(const struct cd_chain *chain, struct cd_problems *problems, const struct cd_load *load);

/* ---- report.c ---- */

struct cd_summary;

/** The certificate's names, lower case; the common name where there are no others. */
int cd_certificate_names(const char *const **names, struct cd_arena *arena, X509 *x509);
int cd_names_of(const char *const **names, struct cd_arena *arena, const GENERAL_NAMES *alternatives,
		const X509_NAME *subject);
int cd_summary_names(const char *const **names, struct cd_arena *arena, const struct cd_summary *summary);
/** Fill the names as people write them. */
int cd_report_people(struct certdeploy_certificate_report *report, struct cd_arena *arena);
/** Fill everything that the certificate says of itself. A self-issued one counts as self-signed. */
int cd_report_summary(struct certdeploy_certificate_report *report, struct cd_arena *arena,
		      const struct cd_summary *summary);
/** The same; whether it is self-signed is proven by its signature. */
int cd_report_fill(struct certdeploy_certificate_report *report, struct cd_arena *arena, X509 *x509);
/** An algorithm's or usage's long or short name, else its number. */
const char *cd_object_text(struct cd_arena *arena, const ASN1_OBJECT *object, bool is_long);
char *cd_name_text(struct cd_arena *arena, const X509_NAME *name);
int64_t cd_seconds(const ASN1_TIME *time);
char *cd_sha256_text(struct cd_arena *arena, const void *bytes, size_t length);

/* ---- load.c ---- */

/**
 * PKCS#8 in PEM, not encrypted, and read again. x509: unless NULL, it must fit. given: unless NULL, what
 * the key was decoded from: when the same bytes come out, nothing is decoded again.
 */
int cd_encode_key(char **out, size_t *length, struct cd_arena *arena, EVP_PKEY *key, X509 *x509,
		  const struct cd_given_key *given);

#endif
