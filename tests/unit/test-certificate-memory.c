/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-certificate-memory.c - a certificate is not called wrong because OpenSSL found no memory */
#include "issue.h"

#include "certificate/leaf.h"
#include "scarce.h"

#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#define CERT CERTDEPLOY_MATERIAL_CERT
#define KEY CERTDEPLOY_MATERIAL_KEY
#define CHAIN CERTDEPLOY_MATERIAL_CHAIN
#define PASSPHRASE "secret"

static char *sealed(const struct issued *leaf)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *bytes = NULL;
	long length;

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(out, leaf->key, EVP_aes_256_cbc(), PASSPHRASE,
						       strlen(PASSPHRASE), NULL, NULL),
			 1);
	length = BIO_get_mem_data(out, &bytes);
	bytes = held_text(bytes, (size_t)length);
	BIO_free(out);
	return bytes;
}

/* One failing allocation among OpenSSL's. False: there are not so many. */
static bool is_short(const struct issued *root, const struct issued *leaf, const char *key, unsigned long k)
{
	struct loading loading = {.load.need_key = true, .passphrase = PASSPHRASE};
	bool met;

	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, KEY, key);
	give(&loading, CHAIN, pem_certificate(root));
	scarce(k);
	(void)load_all(&loading);
	met = scarce_met();
	/* OpenSSL does not always say why it failed; where it does, nothing is called damaged. */
	if (loading.result == CERTDEPLOY_EREFUSED)
		assert_false(has_any(&loading, "pem-damaged"));
	else if (loading.result != CERTDEPLOY_ENOMEM)
		assert_int_equal(loading.result, 0);
	if (loading.result == 0) {
		const struct cd_certificate *certificate = loading.certificates.list.items[0];

		assert_int_equal(loading.certificates.list.count, 1);
		assert_non_null(certificate->key_pem);
	}
	if (!met)
		assert_int_equal(loading.result, 0);
	loading_end(&loading);
	return met;
}

static struct issued *root, *leaf;

static int set_up(void **state)
{
	(void)state;
	root = issue(&(struct wish){.name = "Root", .ca = true, .type = "ec:P-256"});
	leaf = issue(&(struct wish){.name = "www.example.jp",
				    .names = "DNS:www.example.jp",
				    .type = "ec:P-256",
				    .issuer = root});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	issue_end();
	return 0;
}

static void test_each_allocation_fails(void **state)
{
	unsigned long k = 1;

	(void)state;
	while (is_short(root, leaf, pem_key(leaf), k))
		k++;
	assert_in_range(k, 1000, 100000);
}

/* Most are in the derivation, and all alike. */
static void test_with_a_passphrase(void **state)
{
	char *key = sealed(leaf);
	unsigned long k = 1;

	(void)state;
	while (is_short(root, leaf, key, k))
		k += 211;
	assert_in_range(k, 1000, 100000);
}

static void test_with_other_keys(void **state)
{
	static const char *const types[] = {"rsa:2048", "ed25519"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct issued *other = issue(&(struct wish){.name = "www.example.jp",
								  .names = "DNS:www.example.jp",
								  .type = types[i],
								  .issuer = root});
		unsigned long k = 1;

		while (is_short(root, other, pem_key(other), k))
			k += 41;
		assert_in_range(k, 1000, 100000);
	}
}

/* A request for the leaf's name. */
static char *request_of(const struct issued *asking)
{
	X509_REQ *request = X509_to_X509_REQ(asking->x509, asking->key, EVP_sha256());
	BIO *out = BIO_new(BIO_s_mem());
	char *bytes = NULL;
	long length;

	assert_int_equal(PEM_write_bio_X509_REQ(out, request), 1);
	length = BIO_get_mem_data(out, &bytes);
	bytes = held_text(bytes, (size_t)length);
	BIO_free(out);
	X509_REQ_free(request);
	return bytes;
}

/* Neither is one that is installed, nor a request; and of what it is for nothing is left out. */
static void test_what_is_only_described(void **state)
{
	const struct issued *server = issue(&(struct wish){
		.names = "DNS:www.example.jp", .type = "ec:P-256", .usage = "serverAuth", .issuer = root});
	const char *installed = pem_certificate(server), *text = request_of(server);
	const struct cd_piece piece = {.bytes = text, .length = strlen(text)};
	bool met = true;

	(void)state;
	for (unsigned long k = 1; met; k++) {
		const struct certdeploy_certificate_report *report;
		const struct certdeploy_leaf *described;
		struct cd_problems problems = {0};
		struct cd_arena arena = {0};
		int result;

		scarce(k);
		result = cd_leaf_parse(&described, &arena, installed, strlen(installed));
		met = scarce_met();
		if (result == 0)
			assert_false(described->client_auth);
		else
			assert_int_equal(result, CERTDEPLOY_ENOMEM);
		scarce(k);
		result = cd_request_describe(&report, &arena, &problems, &piece);
		met = scarce_met() || met;
		/* OpenSSL's decoder of keys does not say why it failed. */
		if (result == CERTDEPLOY_EREFUSED)
			assert_string_not_equal(cd_problems_error(&problems, 0)->code, "not-a-request");
		else if (result != CERTDEPLOY_ENOMEM)
			assert_int_equal(result, 0);
		cd_problems_free(&problems);
		cd_arena_free(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation_fails),
		cmocka_unit_test(test_with_a_passphrase),
		cmocka_unit_test(test_with_other_keys),
		cmocka_unit_test(test_what_is_only_described),
	};

	if (!scarce_begin())
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
