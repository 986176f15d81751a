/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* issue.c - certificates made for tests: a CA of any shape in a few words */
#include "issue.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cd_vector all, memory, keys;
static long serial = 4096;

EVP_PKEY *issue_key(const char *type)
{
	EVP_PKEY_CTX *context;
	EVP_PKEY *key = NULL;

	if (strncmp(type, "rsa:", 4) == 0) {
		context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
		assert_int_equal(EVP_PKEY_keygen_init(context), 1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(context, atoi(type + 4)), 1);
	} else if (strncmp(type, "ec:", 3) == 0) {
		context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
		assert_int_equal(EVP_PKEY_keygen_init(context), 1);
		assert_int_equal(EVP_PKEY_CTX_ctrl_str(context, "ec_paramgen_curve", type + 3), 1);
	} else {
		context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, NULL);
		assert_int_equal(EVP_PKEY_keygen_init(context), 1);
	}
	assert_int_equal(EVP_PKEY_keygen(context, &key), 1);
	EVP_PKEY_CTX_free(context);
	assert_int_equal(cd_vector_add(&keys, key), 0);
	return key;
}

static void extend(X509 *x509, X509 *issuer, const char *name, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
	extension = X509V3_EXT_nconf(NULL, &context, name, value);
	if (extension == NULL)
		fail_msg("extension %s=%s", name, value);
	assert_int_equal(X509_add_ext(x509, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static void extend_all(X509 *x509, X509 *issuer, const struct wish *wish)
{
	extend(x509, issuer, "subjectKeyIdentifier", "hash");
	if (wish->issuer != NULL)
		extend(x509, issuer, "authorityKeyIdentifier", "keyid");
	if (wish->ca) {
		extend(x509, issuer, "basicConstraints", "critical,CA:TRUE");
		extend(x509, issuer, "keyUsage", "critical,keyCertSign,cRLSign");
	} else if (wish->key_usage != NULL) {
		extend(x509, issuer, "keyUsage", wish->key_usage);
	}
	if (wish->names != NULL)
		extend(x509, issuer, "subjectAltName", wish->names);
	if (wish->usage != NULL)
		extend(x509, issuer, "extendedKeyUsage", wish->usage);
	if (wish->extension != NULL) {
		char name[64];
		const char *value = strchr(wish->extension, '=');

		(void)snprintf(name, sizeof(name), "%.*s", (int)(value - wish->extension), wish->extension);
		extend(x509, issuer, name, value + 1);
	}
}

struct issued *issue(const struct wish *wish)
{
	struct issued *issued = held(calloc(1, sizeof(*issued)));
	X509 *x509 = X509_new(), *issuer = wish->issuer == NULL ? x509 : wish->issuer->x509;
	const EVP_MD *digest = EVP_get_digestbyname(wish->digest == NULL ? "sha256" : wish->digest);
	X509_NAME *name = X509_NAME_new();
	EVP_PKEY *signer;

	issued->key =
		wish->key != NULL ? wish->key : issue_key(wish->type == NULL ? "ec:P-256" : wish->type);
	issued->x509 = x509;
	assert_int_equal(cd_vector_add(&all, issued), 0);
	signer = wish->issuer == NULL ? issued->key : wish->issuer->key;
	assert_int_equal(X509_set_version(x509, 2), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial), 1);
	if (wish->name != NULL)
		assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
							    (const unsigned char *)wish->name, -1, -1, 0),
				 1);
	assert_int_equal(X509_set_subject_name(x509, name), 1);
	X509_NAME_free(name);
	assert_int_equal(X509_set_issuer_name(x509, X509_get_subject_name(issuer)), 1);
	if (wish->issuer_name != NULL)
		assert_int_equal(X509_set_issuer_name(x509, X509_get_subject_name(wish->issuer_name)), 1);
	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x509),
				      (time_t)(wish->from == 0 ? NOW - DAY : wish->from)));
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x509),
				      (time_t)(wish->to == 0 ? NOW + 90 * DAY : wish->to)));
	assert_int_equal(X509_set_pubkey(x509, issued->key), 1);
	extend_all(x509, issuer, wish);
	assert_true(X509_sign(x509, signer, EVP_PKEY_base_id(signer) == EVP_PKEY_ED25519 ? NULL : digest) >
		    0);
	return issued;
}

void issue_end(void)
{
	for (size_t i = 0; i < all.count; i++)
		X509_free(((struct issued *)all.items[i])->x509);
	for (size_t i = 0; i < keys.count; i++)
		EVP_PKEY_free(keys.items[i]);
	for (size_t i = 0; i < memory.count; i++)
		free(memory.items[i]);
	cd_vector_free(&all);
	cd_vector_free(&keys);
	cd_vector_free(&memory);
}

void *held(void *piece)
{
	assert_non_null(piece);
	assert_int_equal(cd_vector_add(&memory, piece), 0);
	return piece;
}

char *held_text(const char *bytes, size_t length)
{
	char *text = held(calloc(1, length + 1));

	memcpy(text, bytes, length);
	return text;
}

static char *text_of(BIO *bio)
{
	char *bytes = NULL;
	long length = BIO_get_mem_data(bio, &bytes);
	char *text = held_text(bytes, (size_t)length);

	BIO_free(bio);
	return text;
}

char *pem_certificate(const struct issued *issued)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_X509(bio, issued->x509), 1);
	return text_of(bio);
}

char *pem_key(const struct issued *issued)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, issued->key, NULL, NULL, 0, NULL, NULL), 1);
	return text_of(bio);
}

char *joined(const char *first, ...)
{
	struct cd_buffer text = {0};
	va_list arguments;

	va_start(arguments, first);
	for (const char *at = first; at != NULL; at = va_arg(arguments, const char *))
		cd_buffer_string(&text, at);
	va_end(arguments);
	return held(cd_buffer_take(&text));
}

/* ---- loading ---- */

static int hand_out(void *user, const char *origin, char *buffer, size_t size)
{
	struct loading *loading = user;

	(void)origin;
	loading->asked++;
	if (loading->passphrase == NULL || strlen(loading->passphrase) > size)
		return -1;
	memcpy(buffer, loading->passphrase, strlen(loading->passphrase));
	return (int)strlen(loading->passphrase);
}

void give_bytes(struct loading *loading, enum certdeploy_material_kind kind, const void *bytes,
		size_t length)
{
	static const char *const origins[] = {"any.pem",  "cert.pem",     "key.pem", "chain.pem",
					      "full.pem", "material.p12", "a.csr"};

	loading->pieces[loading->load.count++] =
		(struct cd_piece){.kind = kind, .bytes = bytes, .length = length, .origin = origins[kind]};
}

void give(struct loading *loading, enum certdeploy_material_kind kind, const char *text)
{
	give_bytes(loading, kind, text, strlen(text));
}

void accept_code(struct loading *loading, const char *code)
{
	size_t i = 0;

	while (loading->accepted[i] != NULL)
		i++;
	loading->accepted[i] = code;
}

int load_all(struct loading *loading)
{
	loading->load.pieces = loading->pieces;
	loading->load.accepted = loading->accepted;
	loading->load.passphrase = hand_out;
	loading->load.user = loading;
	if (loading->load.now == 0)
		loading->load.now = NOW;
	loading->result = cd_certificates_load(&loading->certificates, &loading->problems, &loading->load);
	return loading->result;
}

void loading_end(struct loading *loading)
{
	cd_certificates_free(&loading->certificates);
	cd_problems_free(&loading->problems);
	*loading = (struct loading){.result = 0};
}

bool has(const struct loading *loading, const char *code, enum certdeploy_severity severity)
{
	for (size_t i = 0; i < loading->problems.list.count; i++) {
		const struct certdeploy_problem *problem = loading->problems.list.items[i];

		if (strcmp(problem->code, code) == 0 && problem->severity == severity)
			return true;
	}
	return false;
}

bool has_any(const struct loading *loading, const char *code)
{
	return has(loading, code, CERTDEPLOY_NOTICE) || has(loading, code, CERTDEPLOY_WARNING) ||
	       has(loading, code, CERTDEPLOY_ERROR);
}

void show(const struct loading *loading)
{
	for (size_t i = 0; i < loading->problems.list.count; i++) {
		const struct certdeploy_problem *problem = loading->problems.list.items[i];

		print_message("  %d %s %s:%zu %s\n", problem->severity, problem->code,
			      problem->file == NULL ? "-" : problem->file, problem->line, problem->message);
	}
}
