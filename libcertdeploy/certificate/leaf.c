/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leaf.c - what an installed certificate file says, in short */
#include "certificate/leaf.h"

#include "base/text.h"
#include "base/vector.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define NAME_LIMIT 1000

static int64_t seconds_of(const ASN1_TIME *time)
{
	struct tm parts;

	return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

static const char *key_type_of(X509 *certificate)
{
	EVP_PKEY *key = X509_get0_pubkey(certificate);

	switch (key == NULL ? EVP_PKEY_NONE : EVP_PKEY_base_id(key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		return "rsa";
	case EVP_PKEY_EC:
		return "ecdsa";
	case EVP_PKEY_ED25519:
		return "ed25519";
	case EVP_PKEY_ED448:
		return "ed448";
	case EVP_PKEY_DSA:
		return "dsa";
	default:
		return "unknown";
	}
}

static int add_text(struct cd_vector *names, struct cd_arena *arena, const ASN1_STRING *text)
{
	const char *bytes = (const char *)ASN1_STRING_get0_data(text);
	size_t length = (size_t)ASN1_STRING_length(text);
	char *name;

	/* A name with a NUL inside covers nothing (CVE-2009-2408). */
	if (length == 0 || memchr(bytes, '\0', length) != NULL || names->count >= NAME_LIMIT)
		return 0;
	name = cd_printable(arena, bytes, length, 255);
	return name == NULL ? CERTDEPLOY_ENOMEM : cd_vector_add(names, name);
}

static int collect_names(struct cd_vector *names, struct cd_arena *arena, X509 *certificate)
{
	GENERAL_NAMES *alternatives = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	X509_NAME *subject = X509_get_subject_name(certificate);
	int result = 0, at;

	for (int i = 0; result == 0 && i < sk_GENERAL_NAME_num(alternatives); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(alternatives, i);

		if (name->type == GEN_DNS)
			result = add_text(names, arena, name->d.dNSName);
	}
	at = alternatives == NULL ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
	if (at >= 0)
		result = add_text(names, arena, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	GENERAL_NAMES_free(alternatives);
	return result;
}

static int describe(struct certdeploy_leaf *leaf, struct cd_arena *arena, X509 *certificate)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct cd_vector names = {0};
	char *sha256 = cd_arena_alloc(arena, CD_SHA256_TEXT);
	unsigned size = 0;
	int result = collect_names(&names, arena, certificate);

	leaf->names = cd_arena_list(arena, names.items == NULL ? (const char *const[]){NULL}
							       : (const char *const *)names.items);
	cd_vector_free(&names);
	if (result != 0 || leaf->names == NULL || sha256 == NULL ||
	    X509_digest(certificate, EVP_sha256(), digest, &size) != 1)
		return CERTDEPLOY_ENOMEM;
	cd_hex(sha256, digest, size);
	leaf->sha256 = sha256;
	leaf->key_type = key_type_of(certificate);
	leaf->not_before = seconds_of(X509_get0_notBefore(certificate));
	leaf->not_after = seconds_of(X509_get0_notAfter(certificate));
	leaf->self_signed =
		X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
	leaf->client_auth = (X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) == 0 ||
			    (X509_get_extended_key_usage(certificate) & XKU_SSL_CLIENT) != 0;
	return 0;
}

static size_t count_certificates(const char *bytes, size_t length)
{
	static const char mark[] = "-----BEGIN CERTIFICATE-----";
	const char *at = bytes, *end = bytes + length;
	size_t count = 0;

	while ((at = memmem(at, (size_t)(end - at), mark, sizeof(mark) - 1)) != NULL) {
		count++;
		at++;
	}
	return count;
}

int cd_leaf_parse(const struct certdeploy_leaf **out, struct cd_arena *arena, const char *bytes, size_t length)
{
	struct certdeploy_leaf *leaf = cd_arena_alloc(arena, sizeof(*leaf));
	BIO *bio = length > INT32_MAX ? NULL : BIO_new_mem_buf(bytes, (int)length);
	X509 *certificate = NULL;
	int result = CERTDEPLOY_ENOMEM;

	*out = NULL;
	if (leaf == NULL || bio == NULL)
		goto out;
	certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	result = certificate == NULL ? CERTDEPLOY_EREFUSED : describe(leaf, arena, certificate);
	leaf->certificates = count_certificates(bytes, length);
	/* It may be marked TRUSTED CERTIFICATE or X509 CERTIFICATE. */
	if (leaf->certificates == 0)
		leaf->certificates = 1;
	if (result == 0)
		*out = leaf;
out:
	X509_free(certificate);
	BIO_free(bio);
	ERR_clear_error();
	return result;
}
