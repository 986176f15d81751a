/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fits.c - does a key belong to a certificate?
 *
 * The public halves being equal says nothing of the private one, and Apache's own test passes what does
 * not fit.
 */
#include "certificate/material.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include <openssl/core_names.h>
#include <openssl/ec.h>

#define POINT_MOST 133 /* octets on P-521 */
#endif

static bool same_key(const EVP_PKEY *one, const EVP_PKEY *other)
{
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	return EVP_PKEY_eq(one, other) == 1;
#else
	return EVP_PKEY_cmp(one, other) == 1;
#endif
}

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
/* The curve's point that belongs to a private number, in the form that public keys have. 0: it failed. */
static size_t make_point(unsigned char *point, size_t room, const char *curve, const BIGNUM *number)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(OBJ_sn2nid(curve));
	EC_POINT *made = group == NULL ? NULL : EC_POINT_new(group);
	size_t length = 0;

	if (made != NULL && EC_POINT_mul(group, made, number, NULL, NULL, NULL) == 1)
		length = EC_POINT_point2oct(group, made, POINT_CONVERSION_UNCOMPRESSED, point, room, NULL);
	EC_POINT_free(made);
	EC_GROUP_free(group);
	return length;
}

/* The public key worked out anew from the private number. */
static bool point_fits(const EVP_PKEY *key, const EVP_PKEY *public_key)
{
	unsigned char wanted[POINT_MOST], made[POINT_MOST];
	BIGNUM *number = NULL;
	char curve[32];
	size_t length = 0;
	bool fits = EVP_PKEY_get_group_name(public_key, curve, sizeof(curve), NULL) == 1 &&
		    EVP_PKEY_get_octet_string_param(public_key, OSSL_PKEY_PARAM_PUB_KEY, wanted,
						    sizeof(wanted), &length) == 1 &&
		    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1 && length != 0 &&
		    make_point(made, sizeof(made), curve, number) == length &&
		    memcmp(made, wanted, length) == 0;

	BN_clear_free(number);
	return fits;
}

/* Of an RSA key; the public ones are the certificate's. */
struct rsa_numbers {
	BIGNUM *modulus, *public_exponent, *private_exponent;
	BIGNUM *factors[2], *exponents[2], *coefficient;
};

static bool get_numbers(struct rsa_numbers *numbers, const EVP_PKEY *key)
{
	const struct {
		const char *name;
		BIGNUM **number;
	} wanted[] = {
		{OSSL_PKEY_PARAM_RSA_N, &numbers->modulus},
		{OSSL_PKEY_PARAM_RSA_E, &numbers->public_exponent},
		{OSSL_PKEY_PARAM_RSA_D, &numbers->private_exponent},
		{OSSL_PKEY_PARAM_RSA_FACTOR1, &numbers->factors[0]},
		{OSSL_PKEY_PARAM_RSA_FACTOR2, &numbers->factors[1]},
		{OSSL_PKEY_PARAM_RSA_EXPONENT1, &numbers->exponents[0]},
		{OSSL_PKEY_PARAM_RSA_EXPONENT2, &numbers->exponents[1]},
		{OSSL_PKEY_PARAM_RSA_COEFFICIENT1, &numbers->coefficient},
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if (EVP_PKEY_get_bn_param(key, wanted[i].name, wanted[i].number) != 1)
			return false;
	return true;
}

static void free_numbers(struct rsa_numbers *numbers)
{
	BN_free(numbers->modulus);
	BN_free(numbers->public_exponent);
	BN_clear_free(numbers->private_exponent);
	BN_clear_free(numbers->coefficient);
	for (size_t i = 0; i < 2; i++) {
		BN_clear_free(numbers->factors[i]);
		BN_clear_free(numbers->exponents[i]);
	}
}

/* product: of both exponents, less one. */
static bool factor_fits(const struct rsa_numbers *numbers, size_t i, const BIGNUM *product, BN_CTX *context)
{
	BIGNUM *less = BN_CTX_get(context), *rest = BN_CTX_get(context);

	return rest != NULL && BN_sub(less, numbers->factors[i], BN_value_one()) == 1 &&
	       BN_mod(rest, product, less, context) == 1 && BN_is_zero(rest) &&
	       BN_mod(rest, numbers->private_exponent, less, context) == 1 &&
	       BN_cmp(rest, numbers->exponents[i]) == 0;
}

/* What RFC 8017 (3.2) asks of the numbers; that the factors are primes is left to who made them. */
static bool rsa_fits(const struct rsa_numbers *numbers, BN_CTX *context)
{
	BIGNUM *const *factors = numbers->factors;
	BIGNUM *product = BN_CTX_get(context);

	return product != NULL && BN_mul(product, factors[0], factors[1], context) == 1 &&
	       BN_cmp(product, numbers->modulus) == 0 &&
	       BN_mod_mul(product, numbers->coefficient, factors[1], factors[0], context) == 1 &&
	       BN_is_one(product) &&
	       BN_mul(product, numbers->public_exponent, numbers->private_exponent, context) == 1 &&
	       BN_sub_word(product, 1) == 1 && factor_fits(numbers, 0, product, context) &&
	       factor_fits(numbers, 1, product, context);
}

static bool numbers_fit(const EVP_PKEY *key)
{
	struct rsa_numbers numbers = {0};
	BN_CTX *context = BN_CTX_secure_new();
	bool fits = context != NULL && get_numbers(&numbers, key);

	if (fits) {
		BN_CTX_start(context);
		fits = rsa_fits(&numbers, context);
		BN_CTX_end(context);
	}
	BN_CTX_free(context);
	free_numbers(&numbers);
	return fits;
}

/*
 * Whether the private half of a key, whose public one is the certificate's, belongs to it, by arithmetic:
 * that proves as much as a signature, in a fifth of the time. False: it does not, or cannot be told so.
 */
static bool derives(const EVP_PKEY *key, const EVP_PKEY *public_key)
{
	switch (EVP_PKEY_base_id(key)) {
	case EVP_PKEY_EC:
		return point_fits(key, public_key);
	case EVP_PKEY_RSA:
		return numbers_fit(key);
	default:
		return false;
	}
}
#else
static bool derives(const EVP_PKEY *key, const EVP_PKEY *public_key)
{
	(void)key;
	(void)public_key;
	return false;
}
#endif

/* The public half may be right and the private one not. */
static int signs_for(bool *fits, EVP_PKEY *key, EVP_PKEY *public_key)
{
	static const unsigned char text[] = "certdeploy";
	const EVP_MD *digest = EVP_PKEY_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
	unsigned char signature[CD_RSA_BITS_MOST / 8];
	size_t length = sizeof(signature);
	EVP_MD_CTX *signing = EVP_MD_CTX_new(), *verifying = EVP_MD_CTX_new();
	int result = signing == NULL || verifying == NULL ? CERTDEPLOY_ENOMEM : 0;

	*fits = result == 0 && EVP_DigestSignInit(signing, NULL, digest, NULL, key) == 1 &&
		EVP_DigestSign(signing, signature, &length, text, sizeof(text)) == 1 &&
		EVP_DigestVerifyInit(verifying, NULL, digest, NULL, public_key) == 1 &&
		EVP_DigestVerify(verifying, signature, length, text, sizeof(text)) == 1;
	EVP_MD_CTX_free(signing);
	EVP_MD_CTX_free(verifying);
	return result;
}

int cd_key_fits(bool *fits, EVP_PKEY *key, X509 *certificate)
{
	EVP_PKEY *public_key = X509_get0_pubkey(certificate);
	int result = 0;

	*fits = false;
	if (public_key != NULL && EVP_PKEY_bits(public_key) <= CD_RSA_BITS_MOST &&
	    same_key(key, public_key)) {
		*fits = derives(key, public_key);
		if (!*fits)
			result = signs_for(fits, key, public_key);
	}
	return !*fits && cd_was_short_of_memory() ? CERTDEPLOY_ENOMEM : result;
}
