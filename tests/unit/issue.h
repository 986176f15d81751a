/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* issue.h - certificates made for tests: a CA of any shape in a few words */
#ifndef CD_TEST_ISSUE_H
#define CD_TEST_ISSUE_H

#include "unit.h"

#include "base/buffer.h"
#include "certificate/certificate.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#define NOW ((int64_t)1800000000) /* 2027-01-15T08:00:00Z */
#define DAY ((int64_t)86400)

struct issued {
	X509 *x509;
	EVP_PKEY *key;
};

struct wish {
	const char *name;            /* common name; NULL: an empty subject */
	const char *names;           /* "DNS:a.example,IP:192.0.2.1"; NULL: no such extension */
	const char *type;            /* "rsa:2048" (default), "ec:P-256", "ed25519" */
	const struct issued *issuer; /* NULL: signed by itself */
	EVP_PKEY *key;               /* this key instead of a new one */
	int64_t from, to;            /* 0, 0: from a day ago for 90 days */
	bool ca;
	const char *usage; /* extendedKeyUsage */
	const char *key_usage;
	const char *extension;   /* one more: "tlsfeature=status_request" */
	const char *digest;      /* "sha256" */
	const X509 *issuer_name; /* pretend to be issued by this one */
};

/** Make one; everything lives until issue_end(). */
struct issued *issue(const struct wish *wish);
EVP_PKEY *issue_key(const char *type);
void issue_end(void);

/* Texts; they live until issue_end(). */
char *pem_certificate(const struct issued *issued);
char *pem_key(const struct issued *issued);
/** Any number of texts, ended by NULL, one after the other. */
char *joined(const char *first, ...);
/** Memory that lives until issue_end(). */
void *held(void *memory);
/** A copy, ended by a NUL, that lives as long. */
char *held_text(const char *bytes, size_t length);

/* One loading and its outcome. */
struct loading {
	struct cd_problems problems;
	struct cd_certificates certificates;
	struct cd_load load;
	struct cd_piece pieces[8];
	const char *accepted[8];
	const char *passphrase;
	unsigned asked;
	int result;
};

/** A piece of text; kind of certdeploy.h. */
void give(struct loading *loading, enum certdeploy_material_kind kind, const char *text);
void give_bytes(struct loading *loading, enum certdeploy_material_kind kind, const void *bytes,
		size_t length);
void accept_code(struct loading *loading, const char *code);
/** Load what was given. */
int load_all(struct loading *loading);
void loading_end(struct loading *loading);

/** Whether a problem was recorded with this code and severity. */
bool has(const struct loading *loading, const char *code, enum certdeploy_severity severity);
bool has_any(const struct loading *loading, const char *code);
/** Print what was recorded, for a failing test. */
void show(const struct loading *loading);

#define assert_has(loading, code, severity)                                                                \
	do {                                                                                               \
		if (!has(loading, code, severity)) {                                                       \
			show(loading);                                                                     \
			fail_msg("no %s", code);                                                           \
		}                                                                                          \
	} while (0)
#define assert_loads(loading)                                                                              \
	do {                                                                                               \
		if (load_all(loading) != 0) {                                                              \
			show(loading);                                                                     \
			fail_msg("not loaded: %d", (loading)->result);                                     \
		}                                                                                          \
	} while (0)
#define assert_refused(loading, code)                                                                      \
	do {                                                                                               \
		assert_int_equal(load_all(loading), CERTDEPLOY_EREFUSED);                                  \
		assert_has(loading, code, CERTDEPLOY_ERROR);                                               \
	} while (0)

#endif
