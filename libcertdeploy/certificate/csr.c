/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* csr.c - a certificate signing request, explained */
#include "certificate/material.h"

#include "base/text.h"

#include <openssl/err.h>
#include <string.h>

static int refuse(struct cd_problems *problems, const struct cd_piece *piece, size_t line, const char *code,
		  const char *message)
{
	const char *origin = piece->origin == NULL ? NULL : cd_safe(&problems->arena, piece->origin);

	cd_errors_clear(problems);
	return cd_fail(problems, CERTDEPLOY_EREFUSED, code, origin, line, "%s", message);
}

/* The first request in the bytes. */
static X509_REQ *find_request(struct cd_problems *problems, const struct cd_piece *piece, size_t *line)
{
	const unsigned char *at = (const unsigned char *)piece->bytes;
	X509_REQ *request = NULL;
	struct cd_armour armour;
	struct cd_block block;
	enum cd_armour_result outcome;

	*line = 0;
	if (cd_is_der(piece->bytes, piece->length))
		return d2i_X509_REQ(NULL, &at, (long)piece->length);
	cd_armour_open(&armour, piece->bytes, piece->length);
	do {
		outcome = cd_armour_next(&armour, &block);
		if (outcome == CD_ARMOUR_BLOCK && cd_ends_with(block.label, "CERTIFICATE REQUEST")) {
			at = (const unsigned char *)block.data.bytes;
			request = d2i_X509_REQ(NULL, &at, (long)block.data.length);
			*line = block.line;
		}
		cd_block_free(&block);
	} while (request == NULL && outcome != CD_ARMOUR_END && outcome != CD_ARMOUR_MEMORY);
	if (outcome == CD_ARMOUR_MEMORY)
		(void)cd_fail_memory(problems);
	return request;
}

static int request_names(const char *const **names, struct cd_arena *arena, X509_REQ *request)
{
	STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
	GENERAL_NAMES *alternatives = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
	int result = cd_names_of(names, arena, alternatives, X509_REQ_get_subject_name(request));

	GENERAL_NAMES_free(alternatives);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	return result;
}

static int describe(struct certdeploy_certificate_report *report, struct cd_arena *arena, X509_REQ *request,
		    EVP_PKEY *key)
{
	static const char *const nothing[] = {NULL};
	const X509_ALGOR *signature = NULL;
	const ASN1_OBJECT *algorithm = NULL;
	unsigned char *der = NULL;
	char *sha256 = cd_arena_alloc(arena, CD_SHA256_TEXT);
	int length = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(request), &der);

	X509_REQ_get0_signature(request, NULL, &signature);
	X509_ALGOR_get0(&algorithm, NULL, NULL, signature);
	report->key_type = cd_key_type_of(key);
	/* OpenSSL 1.1.1 counts 253 of Ed25519. */
	report->key_bits = EVP_PKEY_base_id(key) == EVP_PKEY_ED25519 ? 256 : (unsigned)EVP_PKEY_bits(key);
	report->subject = cd_name_text(arena, X509_REQ_get_subject_name(request));
	report->signature = cd_object_text(arena, algorithm, true);
	report->usages = nothing;
	if (sha256 != NULL && (length < 1 || cd_sha256(sha256, der, (size_t)length) != 0))
		sha256 = NULL;
	OPENSSL_free(der);
	report->public_key_sha256 = sha256;
	if (sha256 == NULL || report->subject == NULL || report->signature == NULL ||
	    request_names(&report->names, arena, request) != 0)
		return CERTDEPLOY_ENOMEM;
	report->name = report->names[0] == NULL ? report->subject : report->names[0];
	return cd_report_people(report, arena);
}

/* No CA makes a certificate of it. */
static void warn_of_weak_key(struct cd_problems *problems, const struct cd_piece *piece, size_t line,
			     const EVP_PKEY *key, X509_PUBKEY *public_key)
{
	const char *origin = piece->origin == NULL ? NULL : cd_safe(&problems->arena, piece->origin);

	if (EVP_PKEY_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_bits(key) < CD_RSA_BITS_LEAST)
		cd_problem(problems, CERTDEPLOY_WARNING, "weak-key", origin, line,
			   _("the RSA key has only %d bits"), EVP_PKEY_bits(key));
	if (cd_has_weak_exponent(public_key))
		cd_problem(problems, CERTDEPLOY_WARNING, "weak-key", origin, line,
			   _("the RSA key's public exponent is 1 or even: such a key protects nothing"));
}

int cd_request_describe(const struct certdeploy_certificate_report **out, struct cd_arena *arena,
			struct cd_problems *problems, const struct cd_piece *piece)
{
	struct certdeploy_certificate_report *report = cd_arena_alloc(arena, sizeof(*report));
	X509_REQ *request = NULL;
	const char *fault = NULL;
	EVP_PKEY *key;
	size_t line = 0;
	int result;

	*out = NULL;
	if (report == NULL)
		return cd_fail_memory(problems);
	if (piece->length > CD_PIECE_LIMIT)
		return refuse(problems, piece, 0, "too-large",
			      _("the request is larger than any sensible one"));
	ERR_clear_error();
	request = find_request(problems, piece, &line);
	if (request == NULL) {
		result = refuse(problems, piece, line, "not-a-request",
				_("no certificate signing request can be read"));
		goto out;
	}
	fault = cd_public_key_fault(X509_REQ_get_X509_PUBKEY(request));
	key = X509_REQ_get0_pubkey(request);
	if (fault != NULL || key == NULL)
		result = refuse(problems, piece, line, "not-understood",
				fault != NULL ? fault : _("the request's public key cannot be read"));
	else if (X509_REQ_verify(request, key) != 1)
		result = refuse(problems, piece, line, "malformed",
				_("the request is not signed with its own key: it is damaged"));
	else
		result = describe(report, arena, request, key) == 0 ? 0 : cd_fail_memory(problems);
	if (result == 0)
		warn_of_weak_key(problems, piece, line, key, X509_REQ_get_X509_PUBKEY(request));
out:
	X509_REQ_free(request);
	cd_errors_clear(problems);
	if (problems->out_of_memory)
		result = CERTDEPLOY_ENOMEM;
	if (result == 0)
		*out = report;
	return result;
}
