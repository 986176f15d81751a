/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decoder.c - from DER to objects and verified issuers, for many loads in one run
 *
 * OpenSSL 3 looks for a decoder anew at each d2i_…(), which takes many times longer than decoding. Of
 * thousands of certificates in one run the leaves differ, but a handful of issuers stand beside all of
 * them, and the keys are of two or three types.
 */
#include "certificate/material.h"

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include <openssl/decoder.h>
#endif

#define KNOWN_MOST 256 /* issuers; more are decoded, and their signatures verified, each time */

/* What follows may be an auxiliary trust setting (TRUSTED CERTIFICATE), or padding. */
static X509 *decode(const unsigned char *der, size_t length)
{
	return d2i_X509(NULL, &der, (long)length);
}

/* Only an issuer is likely to come again. */
static void remember(struct cd_loads *loads, const unsigned char *der, size_t length, X509 *x509)
{
	if (loads->known.count >= KNOWN_MOST || X509_check_ca(x509) == 0 ||
	    cd_vector_add(&loads->known, x509) != 0)
		return;
	if (cd_table_put_bytes(&loads->by_der, der, length, x509) == 0)
		(void)X509_up_ref(x509);
	else
		loads->known.count--;
}

X509 *cd_decode_certificate(struct cd_loads *loads, const unsigned char *der, size_t length)
{
	X509 *x509 = loads == NULL ? NULL : cd_table_get_bytes(&loads->by_der, der, length);

	if (x509 != NULL) {
		(void)X509_up_ref(x509);
		return x509;
	}
	x509 = decode(der, length);
	if (x509 != NULL && loads != NULL)
		remember(loads, der, length, x509);
	return x509;
}

/* A failure to do so costs only time. */
static void remember_signed(struct cd_loads *loads, X509 *const pair[2])
{
	if (loads->verified.count >= (size_t)2 * KNOWN_MOST)
		return;
	for (size_t i = 0; i < 2; i++) {
		/* While it is held, no other certificate lies at its address. */
		if (cd_vector_add(&loads->verified, pair[i]) != 0)
			return;
		(void)X509_up_ref(pair[i]);
	}
	(void)cd_table_put_bytes(&loads->signed_by, pair, 2 * sizeof(*pair), pair[0]);
}

/* A leaf does not come again, but is looked at as clients do it when its chain has been built. */
static void remember_last(struct cd_loads *loads, X509 *const pair[2])
{
	for (size_t i = 0; i < 2; i++) {
		(void)X509_up_ref(pair[i]);
		X509_free(loads->last_signed[i]);
		loads->last_signed[i] = pair[i];
	}
}

static bool is_remembered(const struct cd_loads *loads, X509 *const pair[2])
{
	return (loads->last_signed[0] == pair[0] && loads->last_signed[1] == pair[1]) ||
	       cd_table_get_bytes(&loads->signed_by, pair, 2 * sizeof(*pair)) != NULL;
}

bool cd_has_signed(struct cd_loads *loads, X509 *issuer, X509 *subject)
{
	X509 *const pair[2] = {issuer, subject};
	EVP_PKEY *key = X509_get0_pubkey(issuer);

	if (loads != NULL && is_remembered(loads, pair))
		return true;
	if (key == NULL || X509_verify(subject, key) != 1)
		return false;
	if (loads != NULL && X509_check_ca(subject) != 0)
		remember_signed(loads, pair);
	else if (loads != NULL)
		remember_last(loads, pair);
	return true;
}

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
static OSSL_DECODER_CTX *context_for(struct cd_loads *loads, int algorithm, struct cd_key_decoder **found)
{
	for (size_t i = 0; i < CD_KEY_DECODERS; i++) {
		struct cd_key_decoder *one = &loads->keys[i];

		if (one->context != NULL && one->algorithm != algorithm)
			continue;
		*found = one;
		one->algorithm = algorithm;
		if (one->context == NULL)
			one->context = OSSL_DECODER_CTX_new_for_pkey(&one->key, "DER", "PrivateKeyInfo",
								     OBJ_nid2sn(algorithm),
								     EVP_PKEY_KEYPAIR, NULL, NULL);
		return one->context;
	}
	return NULL;
}

EVP_PKEY *cd_decode_key(struct cd_loads *loads, const PKCS8_PRIV_KEY_INFO *info, int algorithm,
			const unsigned char *der, size_t length)
{
	struct cd_key_decoder *one = NULL;
	OSSL_DECODER_CTX *context = loads == NULL ? NULL : context_for(loads, algorithm, &one);
	EVP_PKEY *key;

	if (context == NULL)
		return EVP_PKCS82PKEY(info);
	one->key = NULL;
	if (OSSL_DECODER_from_data(context, &der, &length) != 1) {
		EVP_PKEY_free(one->key);
		one->key = NULL;
	}
	key = one->key;
	one->key = NULL;
	return key;
}
#else
EVP_PKEY *cd_decode_key(struct cd_loads *loads, const PKCS8_PRIV_KEY_INFO *info, int algorithm,
			const unsigned char *der, size_t length)
{
	(void)loads;
	(void)algorithm;
	(void)der;
	(void)length;
	return EVP_PKCS82PKEY(info);
}
#endif

void cd_decoder_free(struct cd_loads *loads)
{
	for (size_t i = 0; i < loads->known.count; i++)
		X509_free(loads->known.items[i]);
	cd_vector_free(&loads->known);
	cd_table_free(&loads->by_der);
	for (size_t i = 0; i < loads->verified.count; i++)
		X509_free(loads->verified.items[i]);
	cd_vector_free(&loads->verified);
	cd_table_free(&loads->signed_by);
	for (size_t i = 0; i < 2; i++)
		X509_free(loads->last_signed[i]);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	for (size_t i = 0; i < CD_KEY_DECODERS; i++)
		OSSL_DECODER_CTX_free(loads->keys[i].context);
#endif
}
