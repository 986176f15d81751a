/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkcs12.c - certificates and keys that came in a PKCS#12 file
 *
 * PKCS12_parse() would derive with whatever iterations the file names and decode any key type, and
 * takes one key only; so its parts are walked one by one.
 */
#include "certificate/pkcs12.h"

#include "base/text.h"
#include "certificate/material.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

#define DEPTH_LIMIT 4

static int refuse(struct cd_given *given)
{
	return cd_given_fail(given, "not-understood", _("the PKCS#12 cannot be read"));
}

int cd_pkcs12_open(struct cd_given *given, PKCS12 *pkcs12)
{
	const ASN1_INTEGER *iterations = NULL;
	const X509_ALGOR *algorithm = NULL;
	const ASN1_OBJECT *object = NULL;
	int64_t rounds = 1;
	int result;

	if (PKCS12_mac_present(pkcs12) != 1)
		return 0;
	PKCS12_get0_mac(NULL, &algorithm, NULL, &iterations, pkcs12);
	if (iterations != NULL && ASN1_INTEGER_get_int64(&rounds, iterations) != 1)
		return refuse(given);
	if (rounds < 1)
		return refuse(given);
	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	result = OBJ_obj2nid(object) == NID_pbmac1 ? cd_check_derivation(given, algorithm)
						   : cd_spend_iterations(given, rounds);
	if (result != 0)
		return result;
	cd_errors_clear(given->problems);
	given->passphrase[0] = '\0';
	if (PKCS12_verify_mac(pkcs12, NULL, 0) == 1 || PKCS12_verify_mac(pkcs12, "", 0) == 1) {
		given->passphrase_length = 0;
		return 0;
	}
	result = cd_passphrase(given);
	if (result != 0)
		return result;
	cd_errors_clear(given->problems);
	if (PKCS12_verify_mac(pkcs12, given->passphrase, given->passphrase_length) == 1)
		return 0;
	if (cd_was_unsupported(given->problems))
		return cd_given_fail(given, "not-understood", "%s", cd_unsupported_text(given));
	return cd_given_fail(given, "wrong-passphrase", _("the passphrase does not open the PKCS#12"));
}

/* The certificate must not belong to another library context than the rest. */
static int take_certificate_bag(struct cd_given *given, const PKCS12_SAFEBAG *bag)
{
	X509 *found, *x509 = NULL;
	unsigned char *der = NULL;
	const unsigned char *at;
	int length;

	if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
		return 0;
	found = PKCS12_SAFEBAG_get1_cert(bag);
	length = found == NULL ? -1 : i2d_X509(found, &der);
	at = der;
	if (length > 0)
		x509 = d2i_X509(NULL, &at, length);
	OPENSSL_free(der);
	X509_free(found);
	if (x509 == NULL)
		return cd_given_fail(given, "not-understood",
				     _("a certificate in the PKCS#12 cannot be read"));
	return cd_given_take_certificate(given, x509);
}

static int take_bags(struct cd_given *given, const STACK_OF(PKCS12_SAFEBAG) * bags, int depth)
{
	int result = 0;

	if (depth > DEPTH_LIMIT)
		return refuse(given);
	for (int i = 0; result == 0 && i < sk_PKCS12_SAFEBAG_num(bags); i++) {
		const PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, i);

		switch (PKCS12_SAFEBAG_get_nid(bag)) {
		case NID_keyBag:
			result = cd_key_from_info(given, PKCS12_SAFEBAG_get0_p8inf(bag), false);
			break;
		case NID_pkcs8ShroudedKeyBag:
			result = cd_key_from_sealed(given, PKCS12_SAFEBAG_get0_pkcs8(bag));
			break;
		case NID_certBag:
			result = take_certificate_bag(given, bag);
			break;
		case NID_safeContentsBag:
			result = take_bags(given, PKCS12_SAFEBAG_get0_safes(bag), depth + 1);
			break;
		default:
			break;
		}
	}
	return result;
}

int cd_pkcs12_open_part(STACK_OF(PKCS12_SAFEBAG) * *bags, struct cd_given *given, PKCS7 *part)
{
	int result;

	*bags = NULL;
	if (part->d.ptr == NULL)
		return refuse(given);
	if (PKCS7_type_is_data(part)) {
		*bags = PKCS12_unpack_p7data(part);
		return *bags == NULL ? refuse(given) : 0;
	}
	if (!PKCS7_type_is_encrypted(part) || part->d.encrypted->enc_data == NULL)
		return refuse(given);
	result = cd_check_derivation(given, part->d.encrypted->enc_data->algorithm);
	if (result == 0)
		result = cd_passphrase(given);
	if (result != 0)
		return result;
	cd_errors_clear(given->problems);
	*bags = PKCS12_unpack_p7encdata(part, given->passphrase, given->passphrase_length);
	if (*bags != NULL)
		return 0;
	if (cd_was_unsupported(given->problems))
		return 1;
	return cd_given_fail(given, "wrong-passphrase", _("the passphrase does not open the PKCS#12"));
}

/* Returns 1 when a cipher is missing: nothing was recorded, nothing taken. */
static int take_parts(struct cd_given *given, const PKCS12 *pkcs12)
{
	STACK_OF(PKCS7) *parts = PKCS12_unpack_authsafes(pkcs12);
	STACK_OF(PKCS12_SAFEBAG) * bags[CD_GIVEN_LIMIT] = {NULL};
	int result = 0, count = sk_PKCS7_num(parts);

	if (parts == NULL || count > CD_GIVEN_LIMIT)
		result = refuse(given);
	for (int i = 0; result == 0 && i < count; i++)
		result = cd_pkcs12_open_part(&bags[i], given, sk_PKCS7_value(parts, i));
	for (int i = 0; result == 0 && i < count; i++)
		result = take_bags(given, bags[i], 0);
	for (int i = 0; i < count && i < CD_GIVEN_LIMIT; i++)
		sk_PKCS12_SAFEBAG_pop_free(bags[i], PKCS12_SAFEBAG_free);
	sk_PKCS7_pop_free(parts, PKCS7_free);
	return result;
}

static PKCS12 *decode(void *context, const unsigned char *der, size_t length)
{
	PKCS12 *pkcs12 = NULL;

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	pkcs12 = PKCS12_init_ex(NID_pkcs7_data, context, NULL);
	if (pkcs12 == NULL)
		return NULL;
#else
	(void)context;
#endif
	return d2i_PKCS12(&pkcs12, &der, (long)length);
}

int cd_pkcs12_read(struct cd_given *given, const unsigned char *der, size_t length)
{
	PKCS12 *pkcs12 = decode(NULL, der, length);
	int result = pkcs12 == NULL ? refuse(given) : cd_pkcs12_open(given, pkcs12);
	int64_t spent;

	spent = given->iterations;
	if (result == 0)
		result = take_parts(given, pkcs12);
	if (result == 1 && cd_legacy(given) != NULL) {
		given->iterations = spent; /* nothing was derived */
		PKCS12_free(pkcs12);
		pkcs12 = decode(cd_legacy(given), der, length);
		result = pkcs12 == NULL ? refuse(given) : take_parts(given, pkcs12);
	}
	if (result == 1)
		result = cd_given_fail(given, "not-understood", "%s", cd_unsupported_text(given));
	PKCS12_free(pkcs12);
	return result;
}

/* ---- writing ---- */

int cd_pkcs12_seal(struct cd_buffer *out, PKCS12 *pkcs12, const char *passphrase, bool legacy)
{
	const EVP_MD *digest = legacy ? EVP_sha1() : EVP_sha256();
	const int rounds = legacy ? CD_PKCS12_LEGACY_ROUNDS : CD_PKCS12_ROUNDS;
	unsigned char *der = NULL;
	int length = -1, result = CERTDEPLOY_ENOMEM;

	if (PKCS12_set_mac(pkcs12, passphrase, -1, NULL, 0, rounds, digest) == 1 &&
	    PKCS12_verify_mac(pkcs12, passphrase, -1) == 1)
		length = i2d_PKCS12(pkcs12, &der);
	if (length > 0) {
		cd_buffer_add(out, der, (size_t)length);
		result = out->failed ? CERTDEPLOY_ENOMEM : 0;
		OPENSSL_cleanse(der, (size_t)length);
	}
	OPENSSL_free(der);
	return result;
}

bool cd_pkcs12_label(PKCS12_SAFEBAG *bag, const char *name, const void *id, size_t size)
{
	return bag != NULL && PKCS12_add_friendlyname_utf8(bag, name, -1) == 1 &&
	       (id == NULL || PKCS12_add_localkeyid(bag, (unsigned char *)(uintptr_t)id, (int)size) == 1);
}

/** A PKCS#12 as it grows. */
struct writer {
	const char *passphrase;
	int cipher;
	int rounds;
	STACK_OF(PKCS12_SAFEBAG) * certificates;
	STACK_OF(PKCS12_SAFEBAG) * keys;
	STACK_OF(X509) * issuers; /* borrowed: those that are in it */
};

/* Two key types of one name mostly share issuers. */
static bool add_issuer(struct writer *writer, X509 *issuer)
{
	for (int i = 0; i < sk_X509_num(writer->issuers); i++)
		if (X509_cmp(sk_X509_value(writer->issuers, i), issuer) == 0)
			return true;
	return sk_X509_push(writer->issuers, issuer) > 0 &&
	       PKCS12_add_cert(&writer->certificates, issuer) != NULL;
}

static bool add_pair(struct writer *writer, const struct cd_certificate *certificate, const char *name)
{
	const STACK_OF(X509) *chain = certificate->chain;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	bool added = X509_digest(certificate->x509, EVP_sha1(), digest, &size) == 1 &&
		     cd_pkcs12_label(PKCS12_add_cert(&writer->certificates, certificate->x509), name,
				     digest, size) &&
		     cd_pkcs12_label(PKCS12_add_key(&writer->keys, certificate->key, 0, writer->rounds,
						    writer->cipher, writer->passphrase),
				     name, digest, size);

	for (int i = 0; added && i < sk_X509_num(chain); i++)
		added = add_issuer(writer, sk_X509_value(chain, i));
	return added;
}

/* Readers know an entry by its name: those after the first have their key type in it. */
static bool add_all(struct writer *writer, const struct cd_vector *certificates, const char *name)
{
	struct cd_arena arena = {0};
	bool added = true;

	for (size_t i = 0; added && i < certificates->count; i++) {
		const struct cd_certificate *certificate = certificates->items[i];
		const char *entry =
			i == 0 ? name : cd_arena_format(&arena, "%s-%s", name, certificate->key_type);

		added = entry != NULL && add_pair(writer, certificate, entry);
	}
	cd_arena_free(&arena);
	return added;
}

int cd_pkcs12_write(struct cd_buffer *out, const struct cd_vector *certificates, const char *name,
		    const char *passphrase, bool legacy)
{
	struct writer writer = {
		.passphrase = passphrase,
		.cipher = legacy ? NID_pbe_WithSHA1And3_Key_TripleDES_CBC : NID_aes_256_cbc,
		.rounds = legacy ? CD_PKCS12_LEGACY_ROUNDS : CD_PKCS12_ROUNDS,
		.issuers = sk_X509_new_null(),
	};
	STACK_OF(PKCS7) *parts = NULL;
	PKCS12 *pkcs12 = NULL;
	int result;

	ERR_clear_error();
	if (writer.issuers != NULL && add_all(&writer, certificates, name) &&
	    PKCS12_add_safe(&parts, writer.certificates, writer.cipher, writer.rounds, passphrase) == 1 &&
	    PKCS12_add_safe(&parts, writer.keys, -1, 0, NULL) == 1)
		pkcs12 = PKCS12_add_safes(parts, 0);
	if (pkcs12 == NULL)
		result = cd_was_unsupported(NULL) ? CERTDEPLOY_EREFUSED : CERTDEPLOY_ENOMEM;
	else
		result = cd_pkcs12_seal(out, pkcs12, passphrase, legacy);
	PKCS12_free(pkcs12);
	sk_PKCS7_pop_free(parts, PKCS7_free);
	sk_PKCS12_SAFEBAG_pop_free(writer.certificates, PKCS12_SAFEBAG_free);
	sk_PKCS12_SAFEBAG_pop_free(writer.keys, PKCS12_SAFEBAG_free);
	sk_X509_free(writer.issuers);
	ERR_clear_error();
	return result;
}
