/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * key.c - private keys from strangers
 *
 * OpenSSL computes with a key while it reads it, and with whatever sizes it finds there. So the shape
 * is looked at first: the algorithm, the sizes of an RSA key's numbers, the name of a curve, the
 * iterations of a passphrase's derivation. All forms become PKCS#8 before they are decoded.
 */
#include "certificate/material.h"

#include "base/text.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include <openssl/provider.h>
#endif

/* ---- DER, as far as it must be seen before it is decoded ---- */

bool cd_is_der(const char *bytes, size_t length)
{
	if (length < 2 || bytes[0] != 0x30)
		return false;
	return (unsigned char)bytes[1] >= 0x80 || (size_t)(unsigned char)bytes[1] + 2 == length;
}

int cd_der_next(struct cd_der *der, struct cd_der *inside)
{
	const unsigned char *at = der->at;
	int tag = 0, class = 0, form;
	long length = 0;

	if (der->left <= 0)
		return -1;
	form = ASN1_get_object(&at, &length, &tag, &class, der->left);
	if ((form & 0x80) != 0 || (form & 0x01) != 0)
		return -1;
	*inside = (struct cd_der){at, length};
	der->left -= (long)(at - der->at) + length;
	der->at = at + length;
	return class == V_ASN1_UNIVERSAL ? tag : tag | class << 8;
}

int cd_der_enter(const unsigned char *bytes, long length, struct cd_der *inside)
{
	struct cd_der outer = {bytes, length};

	return cd_der_next(&outer, inside) == V_ASN1_SEQUENCE && outer.left == 0 ? 0 : -1;
}

/* Length of the next number without its sign byte, in bytes; -1: none, or negative. */
static long der_number(struct cd_der *der)
{
	struct cd_der number;

	if (cd_der_next(der, &number) != V_ASN1_INTEGER || number.left < 1 || (number.at[0] & 0x80) != 0)
		return -1;
	return number.left - (number.left > 1 && number.at[0] == 0);
}

/* RSAPrivateKey: none of its numbers may be larger than the modulus, nor that than what we take. */
static bool rsa_is_sane(const unsigned char *bytes, long length)
{
	long modulus, exponent;
	struct cd_der key;

	if (cd_der_enter(bytes, length, &key) != 0 || der_number(&key) != 1)
		return false;
	modulus = der_number(&key);
	exponent = der_number(&key);
	if (modulus < 1 || modulus > CD_RSA_BITS_MOST / 8 || exponent < 1 || exponent > 8)
		return false;
	for (int i = 0; i < 6; i++) {
		long number = der_number(&key);

		if (number < 1 || number > modulus)
			return false;
	}
	return key.left == 0; /* more would be further primes */
}

unsigned cd_curve_bits(int curve)
{
	switch (curve) {
	case NID_X9_62_prime256v1:
		return 256;
	case NID_secp384r1:
		return 384;
	case NID_secp521r1:
		return 521;
	default:
		return 0;
	}
}

/* A curve given by its numbers: it may be P-256, but that is for whoever made the key to say. */
#define EXPLICIT (-2)

/* ECPrivateKey: the curve that it names itself; NID_undef: none; EXPLICIT; -1: not understood. */
static int ec_inner_curve(const unsigned char *bytes, long length)
{
	struct cd_der key, element, parameters;
	ASN1_OBJECT *object;
	int tag, curve;

	if (cd_der_enter(bytes, length, &key) != 0 || der_number(&key) != 1 ||
	    cd_der_next(&key, &element) != V_ASN1_OCTET_STRING || element.left > 66)
		return -1;
	tag = cd_der_next(&key, &parameters);
	if (tag != (V_ASN1_CONTEXT_SPECIFIC << 8 | 0))
		return NID_undef;
	if (parameters.left > 0 && parameters.at[0] == (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED))
		return EXPLICIT;
	object = d2i_ASN1_OBJECT(NULL, &parameters.at, parameters.left);
	curve = object == NULL ? -1 : OBJ_obj2nid(object);
	ASN1_OBJECT_free(object);
	return curve == NID_undef ? -1 : curve;
}

/* ---- PKCS#8 ---- */

static int refuse_key(struct cd_given *given, const char *what)
{
	return cd_given_fail(given, "not-understood", "%s", what);
}

static const char *explicit_curve(void)
{
	return _("the key gives its curve by numbers (explicit parameters), which TLS does not allow; if "
		 "it is P-256, P-384 or P-521, name it: openssl pkey -ec_param_enc named_curve -in OLD "
		 "-out NEW");
}

/* Why this key must not be decoded, or NULL. */
static const char *key_fault(const PKCS8_PRIV_KEY_INFO *info)
{
	const ASN1_OBJECT *algorithm = NULL, *curve = NULL;
	const X509_ALGOR *parameters = NULL;
	const unsigned char *bytes = NULL;
	const void *value = NULL;
	int length = 0, type = V_ASN1_UNDEF, inner;

	if (PKCS8_pkey_get0(&algorithm, &bytes, &length, &parameters, info) != 1 || length < 1)
		return _("the private key cannot be read");
	X509_ALGOR_get0(NULL, &type, &value, parameters);
	switch (OBJ_obj2nid(algorithm)) {
	case NID_rsaEncryption:
		return rsa_is_sane(bytes, length) ? NULL
						  : _("the RSA key is damaged, or larger than 8192 bits");
	case NID_X9_62_id_ecPublicKey:
		curve = type == V_ASN1_OBJECT ? value : NULL;
		inner = ec_inner_curve(bytes, length);
		if (type == V_ASN1_SEQUENCE || inner == EXPLICIT)
			return explicit_curve();
		if (curve == NULL || cd_curve_bits(OBJ_obj2nid(curve)) == 0 || inner == -1 ||
		    (inner != NID_undef && inner != OBJ_obj2nid(curve)))
			return _("the key is not on one of the curves P-256, P-384 and P-521");
		return NULL;
	case NID_ED25519:
		return NULL;
	default:
		return _("keys of this type are not supported; RSA, ECDSA and Ed25519 are");
	}
}

int cd_key_from_info(struct cd_given *given, const PKCS8_PRIV_KEY_INFO *info, bool encrypted)
{
	const char *fault = key_fault(info);
	const ASN1_OBJECT *algorithm = NULL;
	unsigned char *der = NULL;
	EVP_PKEY *key = NULL;
	int result = 0, length;

	if (fault != NULL)
		return refuse_key(given, fault);
	/* Not const in OpenSSL 1.1.1. */
	length = i2d_PKCS8_PRIV_KEY_INFO((PKCS8_PRIV_KEY_INFO *)(uintptr_t)info, &der);
	if (length <= 0 || PKCS8_pkey_get0(&algorithm, NULL, NULL, NULL, info) != 1)
		result = cd_fail_memory(given->problems);
	else
		key = cd_decode_key(given->load->loads, info, OBJ_obj2nid(algorithm), der, (size_t)length);
	if (result == 0 && key == NULL)
		result = refuse_key(given, _("the private key cannot be read"));
	if (result == 0)
		result = cd_given_add_key(given, key, der, (size_t)length, encrypted);
	if (length > 0)
		OPENSSL_clear_free(der, (size_t)length);
	return result;
}

/* An older form inside a new PKCS#8. */
static int key_from_old(struct cd_given *given, int algorithm, int type, void *value,
			const unsigned char *der, size_t length, bool encrypted)
{
	PKCS8_PRIV_KEY_INFO *info = PKCS8_PRIV_KEY_INFO_new();
	unsigned char *copy = OPENSSL_memdup(der, length);
	int result = CERTDEPLOY_ENOMEM;

	if (info == NULL || copy == NULL ||
	    PKCS8_pkey_set0(info, OBJ_nid2obj(algorithm), 0, type, value, copy, (int)length) != 1) {
		OPENSSL_clear_free(copy, length);
		(void)cd_fail_memory(given->problems);
	} else {
		/* It wipes its bytes when it is freed. */
		result = cd_key_from_info(given, info, encrypted);
	}
	PKCS8_PRIV_KEY_INFO_free(info);
	return result;
}

static int key_from_sec1(struct cd_given *given, const unsigned char *der, size_t length, bool encrypted)
{
	int curve = ec_inner_curve(der, (long)length);

	if (curve == EXPLICIT)
		return refuse_key(given, explicit_curve());
	if (curve == -1 || curve == NID_undef)
		return refuse_key(given, _("the key is not on one of the curves P-256, P-384 and P-521"));
	return key_from_old(given, NID_X9_62_id_ecPublicKey, V_ASN1_OBJECT, OBJ_nid2obj(curve), der, length,
			    encrypted);
}

static int key_from_pkcs8(struct cd_given *given, const unsigned char *der, size_t length)
{
	const unsigned char *at = der;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)length);
	int result;

	if (info == NULL)
		return refuse_key(given, _("the private key cannot be read"));
	result = cd_key_from_info(given, info, false);
	PKCS8_PRIV_KEY_INFO_free(info);
	return result;
}

/* ---- passphrases ---- */

int cd_passphrase(struct cd_given *given)
{
	const struct cd_load *load = given->load;

	if (given->passphrase_length >= 0)
		return 0;
	if (load->passphrase != NULL)
		given->passphrase_length = load->passphrase(load->user, given->place.origin,
							    given->passphrase, CD_PASSPHRASE_LIMIT);
	if (given->passphrase_length > CD_PASSPHRASE_LIMIT)
		given->passphrase_length = -1;
	if (given->passphrase_length < 0)
		return cd_given_fail(given, "key-encrypted",
				     _("the private key needs a passphrase, and none was given"));
	given->passphrase[given->passphrase_length] = '\0';
	return 0;
}

static bool is_unsupported(unsigned long error)
{
	int reason = ERR_GET_REASON(error);

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	if (reason == ERR_R_UNSUPPORTED)
		return true;
#endif
	return ERR_GET_LIB(error) == ERR_LIB_EVP &&
	       (reason == EVP_R_UNKNOWN_PBE_ALGORITHM || reason == EVP_R_UNSUPPORTED_CIPHER ||
		reason == EVP_R_UNSUPPORTED_PRF || reason == EVP_R_UNSUPPORTED_KEY_DERIVATION_FUNCTION);
}

bool cd_was_unsupported(struct cd_problems *problems)
{
	bool unsupported = false, no_memory = false;
	unsigned long error;

	while ((error = ERR_get_error()) != 0) {
		unsupported = unsupported || is_unsupported(error);
		no_memory = no_memory || cd_means_no_memory(error);
	}
	if (no_memory && problems != NULL)
		(void)cd_fail_memory(problems);
	return unsupported && !no_memory;
}

const char *cd_unsupported_text(const struct cd_given *given)
{
	if (given->legacy != NULL && given->legacy_providers[1] == NULL)
		return _(
			"this old encryption needs OpenSSL's legacy provider, which is not installed here");
	return _("the encryption is of a kind that is not supported");
}

void *cd_legacy(struct cd_given *given)
{
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	if (given->legacy != NULL)
		return given->legacy_providers[1] == NULL ? NULL : given->legacy;
	/* A context of its own: the caller's process must not find old ciphers switched on. */
	given->legacy = OSSL_LIB_CTX_new();
	if (given->legacy != NULL) {
		given->legacy_providers[0] = OSSL_PROVIDER_load(given->legacy, "default");
		given->legacy_providers[1] = OSSL_PROVIDER_load(given->legacy, "legacy");
	}
	return given->legacy_providers[1] == NULL ? NULL : given->legacy;
#else
	(void)given;
	return NULL;
#endif
}

static int64_t iterations_of(const ASN1_INTEGER *iterations)
{
	int64_t value = -1;

	return iterations != NULL && ASN1_INTEGER_get_int64(&value, iterations) == 1 ? value : -1;
}

static const void *sequence_of(const X509_ALGOR *algorithm)
{
	const void *value = NULL;
	int type = V_ASN1_UNDEF;

	X509_ALGOR_get0(NULL, &type, &value, algorithm);
	return type == V_ASN1_SEQUENCE ? value : NULL;
}

#ifndef OPENSSL_NO_SCRYPT
/* scrypt's cost N × r × p; its memory is limited by OpenSSL itself. */
static int64_t scrypt_cost(const X509_ALGOR *algorithm)
{
	SCRYPT_PARAMS *scrypt = ASN1_item_unpack(sequence_of(algorithm), ASN1_ITEM_rptr(SCRYPT_PARAMS));
	int64_t cost = -1, n, r, p;

	if (scrypt != NULL) {
		n = iterations_of(scrypt->costParameter);
		r = iterations_of(scrypt->blockSize);
		p = iterations_of(scrypt->parallelizationParameter);
		if (n > 0 && r > 0 && p > 0 && n <= CD_ITERATIONS_MOST && r <= 1024 && p <= 1024)
			cost = n * r * p;
	}
	SCRYPT_PARAMS_free(scrypt);
	return cost;
}
#endif

/* What the derivation costs, in iterations; -1: cannot be told. */
static int64_t derivation_cost(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *object = NULL;
	const ASN1_STRING *parameters = sequence_of(algorithm);
	int64_t cost = -1;

	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	if (object == NULL || parameters == NULL)
		return -1;
	/* PBMAC1 (RFC 9579) has the parameters of PBES2, with a digest for the cipher. */
	if (OBJ_obj2nid(object) == NID_pbes2 || OBJ_obj2nid(object) == NID_pbmac1) {
		PBE2PARAM *outer = ASN1_item_unpack(parameters, ASN1_ITEM_rptr(PBE2PARAM));

		if (outer != NULL && OBJ_obj2nid(outer->keyfunc->algorithm) != NID_pbes2)
			cost = derivation_cost(outer->keyfunc);
		PBE2PARAM_free(outer);
	} else if (OBJ_obj2nid(object) == NID_id_pbkdf2) {
		PBKDF2PARAM *inner = ASN1_item_unpack(parameters, ASN1_ITEM_rptr(PBKDF2PARAM));

		cost = inner == NULL ? -1 : iterations_of(inner->iter);
		PBKDF2PARAM_free(inner);
#ifndef OPENSSL_NO_SCRYPT
	} else if (OBJ_obj2nid(object) == NID_id_scrypt) {
		cost = scrypt_cost(algorithm);
#endif
	} else {
		PBEPARAM *old = ASN1_item_unpack(parameters, ASN1_ITEM_rptr(PBEPARAM));

		cost = old == NULL ? -1 : iterations_of(old->iter);
		PBEPARAM_free(old);
	}
	return cost;
}

int cd_spend_iterations(struct cd_given *given, int64_t iterations)
{
	if (iterations > CD_ITERATIONS_MOST)
		return cd_given_fail(given, "too-large",
				     _("the passphrase's derivation takes more than a million rounds"));
	given->iterations += iterations;
	if (given->iterations > CD_ITERATIONS_ALL)
		return cd_given_fail(
			given, "too-large",
			_("the passphrases' derivations take more than three million rounds in all"));
	return 0;
}

int cd_check_derivation(struct cd_given *given, const X509_ALGOR *algorithm)
{
	int64_t cost = derivation_cost(algorithm);

	if (cost < 0)
		return refuse_key(given, cd_unsupported_text(given));
	return cd_spend_iterations(given, cost);
}

int cd_key_from_sealed(struct cd_given *given, const X509_SIG *sealed)
{
	const X509_ALGOR *algorithm = NULL;
	PKCS8_PRIV_KEY_INFO *info;
	int result;

	X509_SIG_get0(sealed, &algorithm, NULL);
	result = cd_check_derivation(given, algorithm);
	if (result == 0)
		result = cd_passphrase(given);
	if (result != 0)
		return result;
	cd_errors_clear(given->problems);
	info = PKCS8_decrypt(sealed, given->passphrase, given->passphrase_length);
	if (info == NULL && cd_was_unsupported(given->problems)) {
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
		if (cd_legacy(given) != NULL)
			info = PKCS8_decrypt_ex(sealed, given->passphrase, given->passphrase_length,
						cd_legacy(given), NULL);
#endif
		if (info == NULL && cd_was_unsupported(given->problems))
			return refuse_key(given, cd_unsupported_text(given));
	}
	if (info == NULL)
		return cd_given_fail(given, "wrong-passphrase", _("the passphrase does not open the key"));
	result = cd_key_from_info(given, info, true);
	PKCS8_PRIV_KEY_INFO_free(info);
	return result;
}

static int key_from_encrypted(struct cd_given *given, const unsigned char *der, size_t length)
{
	const unsigned char *at = der;
	X509_SIG *sealed = d2i_X509_SIG(NULL, &at, (long)length);
	int result;

	if (sealed == NULL)
		return refuse_key(given, _("the private key cannot be read"));
	result = cd_key_from_sealed(given, sealed);
	X509_SIG_free(sealed);
	return result;
}

EVP_PKEY *cd_key_in(bool *encrypted, struct cd_given *given, const char *text, size_t length)
{
	enum cd_armour_result outcome = CD_ARMOUR_BLOCK;
	struct cd_armour armour;
	struct cd_block block;
	EVP_PKEY *key = NULL;
	bool found = false;

	*encrypted = false;
	cd_armour_open(&armour, text, length);
	while (!found && outcome != CD_ARMOUR_END && outcome != CD_ARMOUR_MEMORY) {
		outcome = cd_armour_next(&armour, &block);
		found = outcome == CD_ARMOUR_BLOCK && cd_ends_with(block.label, "PRIVATE KEY");
		*encrypted = found &&
			     (strcmp(block.label, "ENCRYPTED PRIVATE KEY") == 0 || block.header[0] != '\0');
		if (found && !*encrypted &&
		    cd_key_read(given, block.label, NULL, (unsigned char *)block.data.bytes,
				block.data.length) == 0)
			key = ((const struct cd_given_key *)given->keys.items[0])->key;
		cd_block_free(&block);
	}
	if (outcome == CD_ARMOUR_MEMORY)
		given->problems->out_of_memory = true;
	return key;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL gives the type */
int cd_no_passphrase(char *buffer, int size, int writing, void *user)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)user;
	return -1;
}

/* Never let OpenSSL ask on the terminal: the passphrase was asked for before. */
static int hand_over(char *buffer, int size, int writing, void *user)
{
	const struct cd_given *given = user;

	(void)writing;
	if (given->passphrase_length > size)
		return -1;
	memcpy(buffer, given->passphrase, (size_t)given->passphrase_length);
	return given->passphrase_length;
}

/* The traditional encryption of PEM: "Proc-Type: 4,ENCRYPTED". Decrypts in place. */
static int open_traditional(struct cd_given *given, const char *header, unsigned char *der, size_t *length)
{
	EVP_CIPHER_INFO cipher;
	char text[sizeof(((struct cd_block *)NULL)->header)];
	long left = (long)*length;
	int result;

	memcpy(text, header, strlen(header) + 1);
	cd_errors_clear(given->problems);
	if (PEM_get_EVP_CIPHER_INFO(text, &cipher) != 1)
		return refuse_key(given, cd_unsupported_text(given));
	result = cd_passphrase(given);
	if (result != 0)
		return result;
	if (PEM_do_header(&cipher, der, &left, hand_over, given) != 1) {
		if (cd_was_unsupported(given->problems))
			return refuse_key(given, cd_unsupported_text(given));
		return cd_given_fail(given, "wrong-passphrase", _("the passphrase does not open the key"));
	}
	*length = (size_t)left;
	return 0;
}

int cd_key_read(struct cd_given *given, const char *label, const char *header, unsigned char *der,
		size_t length)
{
	struct cd_der key, element;
	bool encrypted = header != NULL && strstr(header, "ENCRYPTED") != NULL;
	int result, first, second;

	if (length > CD_KEY_LIMIT)
		return cd_given_fail(given, "too-large",
				     _("the private key is larger than any sensible one"));
	if (encrypted) {
		result = open_traditional(given, header, der, &length);
		if (result != 0)
			return result;
	}
	/* What it is, is told by its first two elements; the label only has to be a key's. */
	if (cd_der_enter(der, (long)length, &key) != 0) {
		/* Padding may come out right by chance. */
		if (encrypted)
			return cd_given_fail(given, "wrong-passphrase",
					     _("the passphrase does not open the key"));
		return refuse_key(given, _("the private key cannot be read"));
	}
	first = cd_der_next(&key, &element);
	second = cd_der_next(&key, &element);
	if (first == V_ASN1_SEQUENCE && second == V_ASN1_OCTET_STRING)
		return key_from_encrypted(given, der, length);
	if (first == V_ASN1_INTEGER && second == V_ASN1_SEQUENCE)
		return key_from_pkcs8(given, der, length);
	if (first == V_ASN1_INTEGER && second == V_ASN1_INTEGER &&
	    (label == NULL || strcmp(label, "RSA PRIVATE KEY") == 0))
		return key_from_old(given, NID_rsaEncryption, V_ASN1_NULL, NULL, der, length, encrypted);
	if (first == V_ASN1_INTEGER && second == V_ASN1_OCTET_STRING)
		return key_from_sec1(given, der, length, encrypted);
	return refuse_key(given, _("keys of this type are not supported; RSA, ECDSA and Ed25519 are"));
}

/* ---- types ---- */

const char *cd_key_type(X509 *certificate)
{
	return cd_key_type_of(X509_get0_pubkey(certificate));
}

const char *cd_key_type_of(const EVP_PKEY *key)
{
	return cd_key_type_named(key == NULL ? EVP_PKEY_NONE : EVP_PKEY_base_id(key));
}

/* A key's type is the NID of its algorithm. */
const char *cd_key_type_named(int algorithm)
{
	switch (algorithm) {
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
