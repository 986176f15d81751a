/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* read.c - pieces of material, in every form that people have them, into certificates and keys */
#include "certificate/material.h"

#include "base/text.h"

#include <openssl/err.h>
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include <openssl/provider.h>
#endif
#include <string.h>

bool cd_means_no_memory(unsigned long error)
{
	return ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE || ERR_GET_LIB(error) == ERR_LIB_RAND;
}

/* OpenSSL 3.2 and later may leave only by which way it failed. What is wrong with bytes has a reason. */
static bool has_no_reason(unsigned long first)
{
	int reason = ERR_GET_REASON(first);

	return ERR_GET_LIB(first) == ERR_LIB_ASN1 &&
	       (reason == ERR_R_ASN1_LIB || reason == ERR_R_CRYPTO_LIB ||
		reason == ERR_R_NESTED_ASN1_ERROR);
}

bool cd_was_short_of_memory(void)
{
	bool found = has_no_reason(ERR_peek_error());
	unsigned long error;

	while ((error = ERR_get_error()) != 0)
		found = found || cd_means_no_memory(error);
	return found;
}

void cd_errors_clear(struct cd_problems *problems)
{
	if (cd_was_short_of_memory())
		(void)cd_fail_memory(problems);
}

int cd_given_fail(struct cd_given *given, const char *code, const char *format, ...)
{
	va_list arguments;

	cd_errors_clear(given->problems);
	va_start(arguments, format);
	cd_problem_v(given->problems, CERTDEPLOY_ERROR, code, given->place.origin, given->place.line,
		     format, arguments);
	va_end(arguments);
	return given->problems->out_of_memory ? CERTDEPLOY_ENOMEM : CERTDEPLOY_EREFUSED;
}

int cd_judge(struct cd_problems *problems, const struct cd_load *load, const char *code,
	     const struct cd_place_given *place, const char *format, ...)
{
	enum certdeploy_severity severity = cd_in_list(load->settled, code)    ? CERTDEPLOY_NOTICE
					    : cd_in_list(load->accepted, code) ? CERTDEPLOY_WARNING
									       : CERTDEPLOY_ERROR;
	va_list arguments;

	va_start(arguments, format);
	cd_problem_v(problems, severity, code, place->origin, place->line, format, arguments);
	va_end(arguments);
	if (problems->out_of_memory)
		return CERTDEPLOY_ENOMEM;
	return severity == CERTDEPLOY_ERROR ? CERTDEPLOY_EREFUSED : 0;
}

bool cd_is_self_signed(struct cd_loads *loads, X509 *x509)
{
	EVP_PKEY *key = X509_get0_pubkey(x509);

	return (X509_get_extension_flags(x509) & EXFLAG_SI) != 0 && key != NULL &&
	       EVP_PKEY_bits(key) <= CD_RSA_BITS_MOST && cd_has_signed(loads, x509, x509);
}

bool cd_same_origin(const struct cd_place_given *one, const struct cd_place_given *other)
{
	if (one->origin == NULL || other->origin == NULL)
		return one->origin == other->origin;
	return strcmp(one->origin, other->origin) == 0;
}

int cd_given_add_certificate(struct cd_given *given, X509 *x509)
{
	struct cd_given_certificate *certificate;

	for (size_t i = 0; i < given->certificates.count; i++) {
		const struct cd_given_certificate *known = given->certificates.items[i];

		if (X509_cmp(known->x509, x509) != 0)
			continue;
		X509_free(x509);
		/* The leaf stands in both files of many a CA: only within one file it is news. */
		if (cd_same_origin(&known->place, &given->place))
			cd_problem(given->problems, CERTDEPLOY_NOTICE, "chain-duplicate",
				   given->place.origin, given->place.line,
				   _("the certificate of %s is there twice"), known->subject);
		return 0;
	}
	if (given->certificates.count >= CD_GIVEN_LIMIT) {
		X509_free(x509);
		return cd_given_fail(given, "too-large", _("there are more than %d certificates"),
				     CD_GIVEN_LIMIT);
	}
	certificate = cd_arena_alloc(given->arena, sizeof(*certificate));
	if (certificate == NULL || cd_vector_add(&given->certificates, certificate) != 0) {
		X509_free(x509);
		return cd_fail_memory(given->problems);
	}
	given->place.position = given->position++;
	*certificate = (struct cd_given_certificate){.place = given->place, .x509 = x509};
	certificate->subject = cd_name_text(given->arena, X509_get_subject_name(x509));
	certificate->self_signed = cd_is_self_signed(given->load->loads, x509);
	return certificate->subject == NULL ? cd_fail_memory(given->problems) : 0;
}

int cd_given_add_key(struct cd_given *given, EVP_PKEY *pkey, const unsigned char *der, size_t length,
		     bool encrypted)
{
	struct cd_given_key *key = cd_arena_alloc(given->arena, sizeof(*key));

	if (given->keys.count >= CD_GIVEN_LIMIT) {
		EVP_PKEY_free(pkey);
		return cd_given_fail(given, "too-large", _("there are more than %d keys"), CD_GIVEN_LIMIT);
	}
	if (key == NULL || cd_vector_add(&given->keys, key) != 0) {
		EVP_PKEY_free(pkey);
		return cd_fail_memory(given->problems);
	}
	given->place.position = given->position++;
	*key = (struct cd_given_key){.place = given->place, .key = pkey, .encrypted = encrypted};
	key->normal.secret = true;
	if (cd_key_is_normal(der, length))
		cd_buffer_add(&key->normal, der, length);
	return key->normal.failed || cd_sha256(key->sha256, der, length) != 0
		       ? cd_fail_memory(given->problems)
		       : 0;
}

void cd_given_free(struct cd_given *given)
{
	for (size_t i = 0; i < given->certificates.count; i++)
		X509_free(((struct cd_given_certificate *)given->certificates.items[i])->x509);
	for (size_t i = 0; i < given->keys.count; i++) {
		struct cd_given_key *key = given->keys.items[i];

		EVP_PKEY_free(key->key);
		cd_buffer_free(&key->normal);
	}
	cd_vector_free(&given->certificates);
	cd_vector_free(&given->keys);
	OPENSSL_cleanse(given->passphrase, sizeof(given->passphrase));
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	for (size_t i = 0; i < 2; i++)
		if (given->legacy_providers[i] != NULL)
			(void)OSSL_PROVIDER_unload(given->legacy_providers[i]);
	OSSL_LIB_CTX_free(given->legacy);
#endif
}

/* ---- certificates ---- */

const char *cd_public_key_fault(X509_PUBKEY *public_key)
{
	ASN1_OBJECT *algorithm = NULL;
	const ASN1_OBJECT *curve = NULL;
	X509_ALGOR *parameters = NULL;
	const void *value = NULL;
	int type = V_ASN1_UNDEF, nid;
	EVP_PKEY *key;

	if (X509_PUBKEY_get0_param(&algorithm, NULL, NULL, &parameters, public_key) != 1)
		return _("the public key cannot be read");
	X509_ALGOR_get0(NULL, &type, &value, parameters);
	nid = OBJ_obj2nid(algorithm);
	if (nid == NID_X9_62_id_ecPublicKey) {
		if (type == V_ASN1_SEQUENCE)
			return _(
				"the public key gives its curve by numbers (explicit parameters), which "
				"TLS does not allow: make a new key on a curve with a name, such as P-256");
		curve = type == V_ASN1_OBJECT ? value : NULL;
		type = curve == NULL ? NID_undef : OBJ_obj2nid(curve);
		if (cd_curve_bits(type) == 0)
			return _("the public key is not on one of the curves P-256, P-384 and P-521");
	} else if (nid != NID_rsaEncryption && nid != NID_ED25519) {
		return _("keys of this type are not supported; RSA, ECDSA and Ed25519 are");
	}
	key = X509_PUBKEY_get0(public_key);
	if (key == NULL)
		return _("the public key cannot be read");
	return EVP_PKEY_bits(key) > CD_RSA_BITS_MOST ? _("the public key has more than 8192 bits") : NULL;
}

/* With 1 every message is its own signature, and an even one has no private key. */
bool cd_has_weak_exponent(X509_PUBKEY *public_key)
{
	const unsigned char *bytes = NULL;
	ASN1_OBJECT *algorithm = NULL;
	struct cd_der key, number;
	int length = 0;

	if (X509_PUBKEY_get0_param(&algorithm, &bytes, &length, NULL, public_key) != 1 ||
	    OBJ_obj2nid(algorithm) != NID_rsaEncryption || cd_der_enter(bytes, length, &key) != 0 ||
	    cd_der_next(&key, &number) != V_ASN1_INTEGER || cd_der_next(&key, &number) != V_ASN1_INTEGER ||
	    number.left < 1)
		return false;
	return (number.at[number.left - 1] & 1) == 0 || (number.left == 1 && number.at[0] == 1);
}

/* Sizes that make every later step slow or wrong are refused before anything is computed. */
static int check_certificate(struct cd_given *given, X509 *x509)
{
	const char *fault;

	if (ASN1_STRING_length(X509_get0_serialNumber(x509)) > CD_SERIAL_LIMIT)
		return cd_given_fail(given, "malformed",
				     _("the certificate's serial number is longer than 20 octets"));
	fault = cd_public_key_fault(X509_get_X509_PUBKEY(x509));
	return fault == NULL ? 0 : cd_given_fail(given, "not-understood", "%s", fault);
}

int cd_given_take_certificate(struct cd_given *given, X509 *x509)
{
	int result = check_certificate(given, x509);

	if (result == 0)
		return cd_given_add_certificate(given, x509);
	X509_free(x509);
	return result;
}

static const STACK_OF(X509) * pkcs7_certificates(const PKCS7 *pkcs7)
{
	if (pkcs7->d.ptr == NULL)
		return NULL;
	if (PKCS7_type_is_signed(pkcs7))
		return pkcs7->d.sign->cert;
	return PKCS7_type_is_signedAndEnveloped(pkcs7) ? pkcs7->d.signed_and_enveloped->cert : NULL;
}

static int take_pkcs7(struct cd_given *given, const unsigned char *der, size_t length)
{
	const unsigned char *at = der;
	PKCS7 *pkcs7 = d2i_PKCS7(NULL, &at, (long)length);
	const STACK_OF(X509) *certificates = pkcs7 == NULL ? NULL : pkcs7_certificates(pkcs7);
	int result = 0;

	if (sk_X509_num(certificates) < 1)
		result = cd_given_fail(given, "not-a-certificate", _("the PKCS#7 holds no certificate"));
	for (int i = 0; result == 0 && i < sk_X509_num(certificates); i++) {
		X509 *x509 = sk_X509_value(certificates, i);

		(void)X509_up_ref(x509);
		result = cd_given_take_certificate(given, x509);
	}
	PKCS7_free(pkcs7);
	return result;
}

/* ---- bytes without a label ---- */

static bool is_request(const unsigned char *der, size_t length)
{
	X509_REQ *request = d2i_X509_REQ(NULL, &der, (long)length);

	X509_REQ_free(request);
	return request != NULL;
}

/* What is neither a certificate nor a key; others of the same input may be. */
static int set_aside(struct cd_given *given, const char *label)
{
	if (given->aside[0] == '\0') {
		(void)snprintf(given->aside, sizeof(given->aside), "%s", label);
		given->aside_line = given->place.line;
	}
	return 0;
}

static int refuse_request(struct cd_given *given)
{
	return cd_given_fail(
		given, "not-a-certificate",
		_("this is a certificate signing request, not the certificate that the CA made of it"));
}

/* Tag of the first and second element inside the outermost sequence; 0: none. */
static void peek(const unsigned char *der, size_t length, int *first, int *second)
{
	const unsigned char *at = der, *inner;
	long left = (long)length, size;
	int tag, class;

	*first = *second = 0;
	if ((ASN1_get_object(&at, &size, &tag, &class, left) & 0x80) != 0 || tag != V_ASN1_SEQUENCE)
		return;
	left -= (long)(at - der);
	inner = at;
	if ((ASN1_get_object(&at, &size, first, &class, left) & 0x81) != 0)
		return;
	left -= (long)(at - inner) + size;
	at += size;
	if (left > 0 && (ASN1_get_object(&at, &size, second, &class, left) & 0x80) != 0)
		*second = 0;
}

static int take_der(struct cd_given *given, unsigned char *der, size_t length)
{
	int first, second;
	X509 *x509;

	cd_errors_clear(given->problems);
	peek(der, length, &first, &second);
	if (first == V_ASN1_OBJECT)
		return take_pkcs7(given, der, length);
	if (first == V_ASN1_INTEGER) {
		const unsigned char *at = der;
		PKCS12 *pkcs12 = second == V_ASN1_SEQUENCE ? d2i_PKCS12(NULL, &at, (long)length) : NULL;

		PKCS12_free(pkcs12);
		return pkcs12 != NULL ? cd_pkcs12_read(given, der, length)
				      : cd_key_read(given, NULL, NULL, der, length);
	}
	if (first == V_ASN1_SEQUENCE && second == V_ASN1_OCTET_STRING)
		return cd_key_read(given, NULL, NULL, der, length);
	x509 = cd_decode_certificate(given->load->loads, der, length);
	if (x509 != NULL)
		return cd_given_take_certificate(given, x509);
	if (is_request(der, length))
		return refuse_request(given);
	return cd_given_fail(given, "not-a-certificate", _("neither a certificate nor a key can be read"));
}

/* ---- text ---- */

static bool ends_with(const char *label, const char *end)
{
	return cd_ends_with(label, end);
}

static int take_block(struct cd_given *given, struct cd_block *block)
{
	static const char *const parameters[] = {"EC PARAMETERS", "DH PARAMETERS", "X9.42 DH PARAMETERS",
						 NULL};
	static const char *const certificates[] = {"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE",
						   NULL};
	static const char *const envelopes[] = {"PKCS7", "PKCS #7 SIGNED DATA", "CERTIFICATE CHAIN", "CMS",
						NULL};
	unsigned char *der = (unsigned char *)block->data.bytes;
	size_t length = block->data.length;
	const char *label = block->label;
	int first, second;
	X509 *x509;

	given->place.line = block->line;
	if (cd_in_list(parameters, label))
		return 0;
	if (cd_in_list(certificates, label)) {
		x509 = cd_decode_certificate(given->load->loads, der, length);
		peek(der, length, &first, &second);
		if (x509 == NULL && first == V_ASN1_OBJECT)
			return take_pkcs7(given, der, length);
		if (x509 == NULL)
			return cd_given_fail(given, "pem-damaged", _("the certificate cannot be read"));
		return cd_given_take_certificate(given, x509);
	}
	if (cd_in_list(envelopes, label))
		return take_pkcs7(given, der, length);
	if (strcmp(label, "PKCS12") == 0)
		return cd_pkcs12_read(given, der, length);
	if (strcmp(label, "OPENSSH PRIVATE KEY") == 0)
		return cd_given_fail(given, "not-understood",
				     _("this is a key of SSH; the certificate's private key is needed"));
	if (ends_with(label, "PRIVATE KEY"))
		return cd_key_read(given, label, block->header, der, length);
	return set_aside(given, label);
}

/* What was set aside is the fault where nothing else was there. */
static int judge_aside(struct cd_given *given, bool alone)
{
	const char *label = given->aside;

	given->place.line = given->aside_line;
	if (!alone) {
		cd_problem(given->problems, CERTDEPLOY_NOTICE, "not-understood", given->place.origin,
			   given->place.line,
			   _("the block \"%s\" is neither a certificate nor a private key; it is left out"),
			   label);
		return 0;
	}
	if (ends_with(label, "CERTIFICATE REQUEST"))
		return refuse_request(given);
	if (ends_with(label, "PUBLIC KEY"))
		return cd_given_fail(given, "not-understood",
				     _("this is a public key; the private one is needed"));
	return cd_given_fail(given, "not-understood", _("a block \"%s\" has no place here"), label);
}

/* Blocks in text. *found: how many there were. */
static int take_text(struct cd_given *given, const char *bytes, size_t length, size_t *found)
{
	struct cd_armour armour;
	struct cd_block block;
	int result = 0;

	cd_armour_open(&armour, bytes, length);
	for (*found = 0; result == 0; ++*found) {
		enum cd_armour_result outcome = cd_armour_next(&armour, &block);

		given->place.line = block.line;
		if (outcome == CD_ARMOUR_BLOCK)
			result = take_block(given, &block);
		else if (outcome == CD_ARMOUR_CUT)
			result = cd_given_fail(given, "pem-damaged", _("the block \"%s\" has no end"),
					       block.label);
		else if (outcome == CD_ARMOUR_DAMAGED)
			result = cd_given_fail(given, "pem-damaged", _("the block \"%s\" is no base64"),
					       block.label);
		else if (outcome == CD_ARMOUR_MEMORY)
			result = cd_fail_memory(given->problems);
		cd_block_free(&block);
		if (outcome == CD_ARMOUR_END)
			break;
	}
	given->place.line = 0;
	return result;
}

/* Text without any block: base64 that lost its first and last line, or nothing of ours. */
static int take_bare(struct cd_given *given, const char *bytes, size_t length)
{
	struct cd_buffer der = {.secret = true};
	int result;

	if (length > 32 && cd_base64(&der, bytes, length) && !der.failed &&
	    (unsigned char)der.bytes[0] == 0x30)
		result = take_der(given, (unsigned char *)der.bytes, der.length);
	else if (der.failed)
		result = cd_fail_memory(given->problems);
	else if (memmem(bytes, length, "BEGIN ", 6) != NULL)
		result = cd_given_fail(given, "pem-damaged",
				       _("the dashes before or after BEGIN are not complete"));
	else
		result = cd_given_fail(given, "not-a-certificate",
				       _("neither a certificate nor a key can be read"));
	cd_buffer_free(&der);
	return result;
}

static bool is_blank(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (strchr(" \t\r\n", bytes[i]) == NULL || bytes[i] == '\0')
			return false;
	return true;
}

static int take_bytes(struct cd_given *given, const char *bytes, size_t length)
{
	struct cd_buffer copy = {.secret = true};
	size_t found = 0;
	int result;

	/* Files that were joined may begin with several marks of byte order. */
	for (; length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0; length -= 3)
		bytes += 3;
	if (is_blank(bytes, length))
		return cd_given_fail(given, "not-a-certificate", _("the input is empty"));
	if (cd_is_der(bytes, length)) {
		cd_buffer_add(&copy, bytes, length);
		result = copy.failed ? cd_fail_memory(given->problems)
				     : take_der(given, (unsigned char *)copy.bytes, length);
	} else if (cd_utf16(&copy, bytes, length)) {
		result = copy.failed ? cd_fail_memory(given->problems)
				     : take_bytes(given, cd_buffer_text(&copy), copy.length);
	} else {
		result = take_text(given, bytes, length, &found);
		if (result == 0 && found == 0)
			result = take_bare(given, bytes, length);
	}
	cd_buffer_free(&copy);
	return result;
}

static int take_piece(struct cd_given *given, const struct cd_piece *piece)
{
	size_t certificates = given->certificates.count, keys = given->keys.count;
	int result;

	given->place = (struct cd_place_given){.kind = piece->kind};
	given->place.origin = piece->origin == NULL ? NULL : cd_safe(given->arena, piece->origin);
	given->passphrase_length = -1;
	given->aside[0] = '\0';
	if (piece->length > CD_PIECE_LIMIT)
		return cd_given_fail(given, "too-large", _("the input is larger than %zu KiB"),
				     CD_PIECE_LIMIT >> 10);
	result = take_bytes(given, piece->bytes, piece->length);
	OPENSSL_cleanse(given->passphrase, sizeof(given->passphrase));
	if (result == 0 && given->aside[0] != '\0')
		result = judge_aside(given, given->certificates.count == certificates &&
						    given->keys.count == keys);
	if (result == 0 && piece->kind == CERTDEPLOY_MATERIAL_KEY && given->keys.count == keys)
		result = cd_given_fail(given, "key-missing", _("there is no private key in this input"));
	if (result == 0 && piece->kind == CERTDEPLOY_MATERIAL_CERT &&
	    given->certificates.count == certificates && given->keys.count != keys)
		result = cd_given_fail(given, "not-a-certificate",
				       _("there is a private key in this input, but no certificate"));
	return result;
}

static int read_spare_keys(struct cd_given *given)
{
	for (size_t i = 0; i < given->load->spare_count; i++) {
		size_t from = given->problems->list.count;
		int result = take_piece(given, &given->load->spare_keys[i]);

		if (result == CERTDEPLOY_ENOMEM)
			return result;
		if (result != 0)
			cd_problems_soften(given->problems, from);
	}
	for (size_t i = 0; i < given->keys.count; i++)
		((struct cd_given_key *)given->keys.items[i])->spare = true;
	return 0;
}

int cd_given_read(struct cd_given *given)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < given->load->count; i++)
		if (given->load->pieces[i].kind != CERTDEPLOY_MATERIAL_CSR)
			result = take_piece(given, &given->load->pieces[i]);
	/* One that cannot be read is no fault of what was given. */
	if (result == 0 && given->keys.count == 0)
		result = read_spare_keys(given);
	if (result == 0 && given->certificates.count == 0) {
		given->place = (struct cd_place_given){0};
		result = cd_given_fail(given, "not-a-certificate", _("no certificate was given"));
	}
	return result;
}

/* CAs offer their issuers in this form as well. */
static void add_pkcs7(STACK_OF(X509) * found, const unsigned char *der, size_t length)
{
	PKCS7 *pkcs7 = d2i_PKCS7(NULL, &der, (long)length);
	const STACK_OF(X509) *certificates = pkcs7 == NULL ? NULL : pkcs7_certificates(pkcs7);

	for (int i = 0; i < sk_X509_num(certificates); i++) {
		X509 *x509 = sk_X509_value(certificates, i);

		if (sk_X509_push(found, x509) != 0)
			(void)X509_up_ref(x509);
	}
	PKCS7_free(pkcs7);
}

STACK_OF(X509) * cd_certificates_in(const char *bytes, size_t length)
{
	STACK_OF(X509) *found = sk_X509_new_null();
	struct cd_armour armour;
	struct cd_block block;
	enum cd_armour_result outcome;
	X509 *x509;

	if (found == NULL)
		return NULL;
	if (cd_is_der(bytes, length)) {
		x509 = cd_decode_certificate(NULL, (const unsigned char *)bytes, length);
		if (x509 == NULL)
			add_pkcs7(found, (const unsigned char *)bytes, length);
		else if (sk_X509_push(found, x509) == 0)
			X509_free(x509);
		return found;
	}
	cd_armour_open(&armour, bytes, length);
	do {
		outcome = cd_armour_next(&armour, &block);
		x509 = outcome == CD_ARMOUR_BLOCK && ends_with(block.label, "CERTIFICATE")
			       ? cd_decode_certificate(NULL, (const unsigned char *)block.data.bytes,
						       block.data.length)
			       : NULL;
		if (x509 != NULL && sk_X509_push(found, x509) == 0)
			X509_free(x509);
		cd_block_free(&block);
	} while (outcome != CD_ARMOUR_END && outcome != CD_ARMOUR_MEMORY && sk_X509_num(found) < 1000);
	return found;
}
