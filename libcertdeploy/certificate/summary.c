/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* summary.c - what a certificate says, without its key being decoded */
#include "certificate/summary.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <string.h>

/* RFC 5280, section 4.1, with the public key left as it is. */
typedef struct {
	ASN1_INTEGER *version;
	ASN1_INTEGER *serial;
	X509_ALGOR *signature;
	X509_NAME *issuer;
	X509_VAL *validity;
	X509_NAME *subject;
	ASN1_TYPE *public_key;
	ASN1_BIT_STRING *issuer_id;
	ASN1_BIT_STRING *subject_id;
	STACK_OF(X509_EXTENSION) * extensions;
} CD_TBS;

typedef struct {
	CD_TBS *tbs;
	X509_ALGOR *algorithm;
	ASN1_BIT_STRING *signature;
} CD_CERTIFICATE;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"

ASN1_SEQUENCE(CD_TBS) =
	{
		ASN1_EXP_OPT(CD_TBS, version, ASN1_INTEGER, 0),
		ASN1_SIMPLE(CD_TBS, serial, ASN1_INTEGER),
		ASN1_SIMPLE(CD_TBS, signature, X509_ALGOR),
		ASN1_SIMPLE(CD_TBS, issuer, X509_NAME),
		ASN1_SIMPLE(CD_TBS, validity, X509_VAL),
		ASN1_SIMPLE(CD_TBS, subject, X509_NAME),
		ASN1_SIMPLE(CD_TBS, public_key, ASN1_ANY),
		ASN1_IMP_OPT(CD_TBS, issuer_id, ASN1_BIT_STRING, 1),
		ASN1_IMP_OPT(CD_TBS, subject_id, ASN1_BIT_STRING, 2),
		ASN1_EXP_SEQUENCE_OF_OPT(CD_TBS, extensions, X509_EXTENSION, 3),
} static_ASN1_SEQUENCE_END(CD_TBS)

		ASN1_SEQUENCE(CD_CERTIFICATE) =
			{
				ASN1_SIMPLE(CD_CERTIFICATE, tbs, CD_TBS),
				ASN1_SIMPLE(CD_CERTIFICATE, algorithm, X509_ALGOR),
				ASN1_SIMPLE(CD_CERTIFICATE, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(CD_CERTIFICATE)

#pragma GCC diagnostic pop

				void cd_summary_free(struct cd_summary * summary)
{
	ASN1_item_free(summary->parsed, ASN1_ITEM_rptr(CD_CERTIFICATE));
	*summary = (struct cd_summary){0};
}

/* The bit string in a SubjectPublicKeyInfo, and its algorithm; false: it is none. */
static bool open_public_key(const struct cd_summary *summary, struct cd_der *bits, X509_ALGOR **algorithm)
{
	struct cd_der key, inside;
	const unsigned char *at;

	if (cd_der_enter(summary->public_key, (long)summary->public_key_length, &key) != 0)
		return false;
	at = key.at;
	if (cd_der_next(&key, &inside) != V_ASN1_SEQUENCE || cd_der_next(&key, bits) != V_ASN1_BIT_STRING ||
	    bits->left < 2)
		return false;
	bits->at++; /* the number of unused bits */
	bits->left--;
	*algorithm =
		d2i_X509_ALGOR(NULL, &at, (long)summary->public_key_length - (at - summary->public_key));
	return *algorithm != NULL;
}

/* Length in bits of an RSA modulus. */
static unsigned rsa_bits(const struct cd_der *bits)
{
	struct cd_der key, number;
	unsigned top, unused = 0;

	if (cd_der_enter(bits->at, bits->left, &key) != 0 || cd_der_next(&key, &number) != V_ASN1_INTEGER)
		return 0;
	while (number.left > 0 && *number.at == 0) {
		number.at++;
		number.left--;
	}
	if (number.left < 1 || number.left > 1 << 20)
		return 0;
	for (top = *number.at; (top & 0x80) == 0; top <<= 1)
		unused++;
	return (unsigned)number.left * 8 - unused;
}

static void read_key(struct cd_summary *summary)
{
	const ASN1_OBJECT *object = NULL;
	X509_ALGOR *algorithm = NULL;
	const void *value = NULL;
	struct cd_der bits;
	int type = V_ASN1_UNDEF;

	summary->key_type = "unknown";
	if (!open_public_key(summary, &bits, &algorithm))
		return;
	X509_ALGOR_get0(&object, &type, &value, algorithm);
	summary->key_type = cd_key_type_named(OBJ_obj2nid(object));
	switch (OBJ_obj2nid(object)) {
	case NID_rsaEncryption:
	case NID_rsassaPss:
		summary->key_bits = rsa_bits(&bits);
		break;
	case NID_X9_62_id_ecPublicKey:
		if (type == V_ASN1_OBJECT)
			summary->key_bits = cd_curve_bits(OBJ_obj2nid(value));
		break;
	case NID_ED25519:
		summary->key_bits = 256;
		break;
	case NID_ED448:
		summary->key_bits = 456;
		break;
	default:
		break;
	}
	X509_ALGOR_free(algorithm);
}

int cd_summary_read(struct cd_summary *summary, const void *der, size_t length)
{
	const unsigned char *at = der;
	CD_CERTIFICATE *parsed;
	const CD_TBS *tbs;

	*summary = (struct cd_summary){0};
	if (length > CD_PIECE_LIMIT)
		return CERTDEPLOY_EREFUSED;
	ERR_clear_error();
	parsed = (CD_CERTIFICATE *)ASN1_item_d2i(NULL, &at, (long)length, ASN1_ITEM_rptr(CD_CERTIFICATE));
	if (parsed == NULL)
		return cd_was_short_of_memory() ? CERTDEPLOY_ENOMEM : CERTDEPLOY_EREFUSED;
	summary->parsed = parsed;
	summary->der = der;
	summary->length = (size_t)(at - (const unsigned char *)der);
	tbs = parsed->tbs;
	if (tbs->public_key->type != V_ASN1_SEQUENCE) {
		cd_summary_free(summary);
		return CERTDEPLOY_EREFUSED;
	}
	summary->serial = tbs->serial;
	summary->signature = parsed->algorithm;
	summary->issuer = tbs->issuer;
	summary->subject = tbs->subject;
	summary->not_before = cd_seconds(tbs->validity->notBefore);
	summary->not_after = cd_seconds(tbs->validity->notAfter);
	summary->public_key = ASN1_STRING_get0_data(tbs->public_key->value.sequence);
	summary->public_key_length = (size_t)ASN1_STRING_length(tbs->public_key->value.sequence);
	summary->extensions = tbs->extensions;
	summary->self_issued = X509_NAME_cmp(tbs->issuer, tbs->subject) == 0;
	read_key(summary);
	if (!cd_was_short_of_memory())
		return 0;
	cd_summary_free(summary);
	return CERTDEPLOY_ENOMEM;
}
