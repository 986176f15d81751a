/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* load.c - from the pieces that were given to certificates that may be deployed */
#include "certificate/material.h"

#include "base/text.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

/* ---- everything that is written is encoded anew, and read again ---- */

static int take_text(char **out, size_t *length, struct cd_arena *arena, BIO *bio)
{
	char *bytes = NULL;
	long size = BIO_get_mem_data(bio, &bytes);

	if (size < 0)
		return CERTDEPLOY_ENOMEM;
	*out = cd_arena_copy(arena, bytes == NULL ? "" : bytes, (size_t)size);
	if (length != NULL)
		*length = (size_t)size;
	return *out == NULL ? CERTDEPLOY_ENOMEM : 0;
}

/* What the block says that the text consists of, as OpenSSL takes it; NULL: it is another one. */
static unsigned char *block_in(long *length, const char *text, size_t text_length, const char *label)
{
	BIO *bio = BIO_new_mem_buf(text, (int)text_length);
	char *name = NULL, *header = NULL;
	unsigned char *der = NULL;

	*length = 0;
	if (bio != NULL && PEM_read_bio(bio, &name, &header, &der, length) == 1 &&
	    (strcmp(name, label) != 0 || *header != '\0')) {
		OPENSSL_clear_free(der, (size_t)*length);
		der = NULL;
	}
	OPENSSL_free(name);
	OPENSSL_free(header);
	BIO_free(bio);
	return der;
}

/* The text must say the same, byte for byte, as what the object was decoded from, or it is not written. */
static bool says_the_same(const char *text, size_t length, X509 *x509)
{
	unsigned char *wanted = NULL, *found;
	int wanted_length = i2d_X509(x509, &wanted);
	long found_length;
	bool same;

	found = block_in(&found_length, text, length, PEM_STRING_X509);
	same = found != NULL && wanted_length > 0 && found_length == wanted_length &&
	       memcmp(found, wanted, (size_t)wanted_length) == 0;
	OPENSSL_free(found);
	OPENSSL_free(wanted);
	return same;
}

static int encode_certificate(BIO *bio, X509 *x509)
{
	char *before = NULL, *after = NULL;
	long start = BIO_get_mem_data(bio, &before), end;

	if (PEM_write_bio_X509(bio, x509) != 1)
		return CERTDEPLOY_ENOMEM;
	end = BIO_get_mem_data(bio, &after);
	return end > start && says_the_same(after + start, (size_t)(end - start), x509) ? 0
											: CERTDEPLOY_ENOMEM;
}

static int encode_chain(const char **out, struct cd_arena *arena, const struct cd_chain *chain)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int result = bio == NULL ? CERTDEPLOY_ENOMEM : 0;
	char *text = NULL;

	for (size_t i = 0; result == 0 && i < chain->members.count; i++)
		result = encode_certificate(bio,
					    ((struct cd_given_certificate *)chain->members.items[i])->x509);
	if (result == 0)
		result = take_text(&text, NULL, arena, bio);
	*out = text;
	BIO_free(bio);
	return result;
}

static int encode_leaf(const char **out, struct cd_arena *arena, X509 *x509)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	int result = bio == NULL ? CERTDEPLOY_ENOMEM : encode_certificate(bio, x509);

	if (result == 0)
		result = take_text(&text, NULL, arena, bio);
	*out = text;
	BIO_free(bio);
	return result;
}

/* Whether the text holds the PKCS#8, byte for byte, that has this digest. */
static bool has_digest(const char *text, size_t length, const char *sha256)
{
	char digest[CD_SHA256_TEXT];
	long der_length;
	unsigned char *der = block_in(&der_length, text, length, PEM_STRING_PKCS8INF);
	bool has = der != NULL && cd_sha256(digest, der, (size_t)der_length) == 0 &&
		   strcmp(digest, sha256) == 0;

	OPENSSL_clear_free(der, (size_t)der_length);
	return has;
}

/* Whether it is a key in OpenSSL's eyes, and that of the certificate. */
static bool reads_again(const char *text, size_t length, X509 *x509)
{
	BIO *bio = BIO_new_mem_buf(text, (int)length);
	EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, cd_no_passphrase, NULL);
	bool fits = key != NULL;

	if (fits && x509 != NULL && cd_key_fits(&fits, key, x509) != 0)
		fits = false;

	EVP_PKEY_free(key);
	BIO_free(bio);
	return fits;
}

/* What OpenSSL would write is at hand as a rule. */
static bool write_key(BIO *bio, EVP_PKEY *key, const struct cd_given_key *given)
{
	if (given != NULL && given->normal.length != 0)
		return PEM_write_bio(bio, PEM_STRING_PKCS8INF, "", (unsigned char *)given->normal.bytes,
				     (long)given->normal.length) > 0;
	return PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, cd_no_passphrase, NULL) == 1;
}

int cd_encode_key(char **out, size_t *length, struct cd_arena *arena, EVP_PKEY *key, X509 *x509,
		  const struct cd_given_key *given)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	int result = CERTDEPLOY_ENOMEM;

	*out = NULL;
	if (bio != NULL && write_key(bio, key, given))
		result = take_text(out, length, arena, bio);
	/* What has been decoded once, and was seen to fit, need not be decoded again. */
	if (result == 0 && (given == NULL || !has_digest(*out, *length, given->sha256)) &&
	    !reads_again(*out, *length, x509))
		result = CERTDEPLOY_ENOMEM;
	BIO_free(bio);
	return result;
}

/* ---- what the caller gets ---- */

static int report_chain(struct certdeploy_certificate_report *report, struct cd_arena *arena,
			const struct cd_chain *chain)
{
	const struct certdeploy_certificate_report **list =
		cd_arena_array(arena, chain->members.count + 1, sizeof(*list));

	if (list == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < chain->members.count; i++) {
		const struct cd_given_certificate *member = chain->members.items[i];
		struct certdeploy_certificate_report *one = cd_arena_alloc(arena, sizeof(*one));

		if (one == NULL || cd_report_fill(one, arena, member->x509) != 0)
			return CERTDEPLOY_ENOMEM;
		list[i] = one;
	}
	report->chain = (const struct certdeploy_certificate_report *const *)list;
	report->chain_complete = chain->end != CD_END_UNKNOWN;
	if (chain->end == CD_END_UNKNOWN) {
		X509 *last = chain->members.count == 0
				     ? chain->leaf->x509
				     : ((struct cd_given_certificate *)
						chain->members.items[chain->members.count - 1])
					       ->x509;

		report->missing_issuer = cd_name_text(arena, X509_get_issuer_name(last));
		if (report->missing_issuer == NULL)
			return CERTDEPLOY_ENOMEM;
	}
	if (chain->key != NULL && chain->key->place.origin != NULL) {
		report->key_origin = cd_arena_string(arena, chain->key->place.origin);
		if (report->key_origin == NULL)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

static STACK_OF(X509) * stack_of(const struct cd_chain *chain)
{
	STACK_OF(X509) *stack = sk_X509_new_null();

	for (size_t i = 0; stack != NULL && i < chain->members.count; i++) {
		X509 *x509 = ((struct cd_given_certificate *)chain->members.items[i])->x509;

		if (sk_X509_push(stack, x509) == 0) {
			sk_X509_pop_free(stack, X509_free);
			return NULL;
		}
		(void)X509_up_ref(x509);
	}
	return stack;
}

static int add_certificate(struct cd_certificates *out, const struct cd_chain *chain)
{
	struct cd_arena *arena = &out->arena;
	struct cd_certificate *certificate = cd_arena_alloc(arena, sizeof(*certificate));
	struct certdeploy_certificate_report *report = cd_arena_alloc(arena, sizeof(*report));
	X509 *leaf = chain->leaf->x509;

	if (certificate == NULL || report == NULL || cd_vector_add(&out->list, certificate) != 0)
		return CERTDEPLOY_ENOMEM;
	(void)X509_up_ref(leaf);
	certificate->x509 = leaf;
	certificate->chain = stack_of(chain);
	if (chain->key != NULL && EVP_PKEY_up_ref(chain->key->key) == 1)
		certificate->key = chain->key->key;
	if (certificate->chain == NULL || cd_report_fill(report, arena, leaf) != 0 ||
	    report_chain(report, arena, chain) != 0 ||
	    encode_leaf(&certificate->leaf_pem, arena, leaf) != 0 ||
	    encode_chain(&certificate->chain_pem, arena, chain) != 0)
		return CERTDEPLOY_ENOMEM;
	if (chain->key != NULL && cd_encode_key(&certificate->key_pem, &certificate->key_pem_length, arena,
						chain->key->key, leaf, chain->key) != 0)
		return CERTDEPLOY_ENOMEM;
	memcpy(certificate->sha256, report->sha256, CD_SHA256_TEXT);
	certificate->key_type = report->key_type;
	certificate->names = report->names;
	certificate->not_before = report->not_before;
	certificate->not_after = report->not_after;
	certificate->report = report;
	return 0;
}

/* RSA first: it has the plain file names in the store. */
static void sort_chains(struct cd_vector *chains)
{
	for (size_t i = 1; i < chains->count; i++)
		for (size_t k = i; k > 0; k--) {
			void *one = chains->items[k - 1], *other = chains->items[k];

			if (strcmp(cd_key_type(((struct cd_chain *)one)->leaf->x509), "rsa") == 0 ||
			    strcmp(cd_key_type(((struct cd_chain *)other)->leaf->x509), "rsa") != 0)
				break;
			chains->items[k - 1] = other;
			chains->items[k] = one;
		}
}

int cd_certificates_load(struct cd_certificates *out, struct cd_problems *problems,
			 const struct cd_load *load)
{
	struct cd_given given = {.problems = problems, .load = load};
	struct cd_vector chains = {0};
	int result;

	*out = (struct cd_certificates){.arena.secret = true};
	given.arena = &out->arena;
	ERR_clear_error();
	result = cd_given_read(&given);
	if (result == 0)
		result = cd_chains_build(&chains, &given);
	if (!load->in_order)
		sort_chains(&chains);
	/* Every certificate is checked, so that one run tells everything that is wrong. */
	for (size_t i = 0; i < chains.count && result != CERTDEPLOY_ENOMEM; i++) {
		int checked = cd_chain_check(chains.items[i], problems, load);

		if (checked == CERTDEPLOY_ENOMEM || result == 0)
			result = checked;
	}
	/* What is refused is described all the same. */
	for (size_t i = 0; i < chains.count && result != CERTDEPLOY_ENOMEM; i++)
		if (add_certificate(out, chains.items[i]) != 0)
			result = cd_fail_memory(problems);
	cd_chains_free(&chains);
	cd_given_free(&given);
	cd_errors_clear(problems);
	return result != 0 && problems->out_of_memory ? CERTDEPLOY_ENOMEM : result;
}

void cd_loads_free(struct cd_loads *loads)
{
	cd_roots_free(&loads->roots);
	cd_decoder_free(loads);
	SSL_CTX_free(loads->server);
	for (size_t i = 0; i < loads->stored.count; i++)
		X509_free(((struct cd_stored_issuer *)loads->stored.items[i])->x509);
	cd_vector_free(&loads->stored);
	cd_table_free(&loads->chains);
	cd_table_free(&loads->by_key);
	cd_arena_free(&loads->arena);
	*loads = (struct cd_loads){0};
}

void cd_certificates_let_go(struct cd_certificates *certificates)
{
	for (size_t i = 0; i < certificates->list.count; i++) {
		struct cd_certificate *certificate = certificates->list.items[i];

		X509_free(certificate->x509);
		EVP_PKEY_free(certificate->key);
		sk_X509_pop_free(certificate->chain, X509_free);
		certificate->x509 = certificate->key = certificate->chain = NULL;
	}
}

void cd_certificates_free(struct cd_certificates *certificates)
{
	cd_certificates_let_go(certificates);
	for (size_t i = 0; i < certificates->list.count; i++) {
		struct cd_certificate *certificate = certificates->list.items[i];

		if (certificate->key_pem != NULL)
			OPENSSL_cleanse(certificate->key_pem, certificate->key_pem_length);
	}
	cd_vector_free(&certificates->list);
	cd_arena_free(&certificates->arena);
	*certificates = (struct cd_certificates){0};
}
