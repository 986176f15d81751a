/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-issue.c - new keys, requests and self-signed certificates, and the rules for their fields */
#include "issue.h"

#include "certificate/issue.h"
#include "certificate/pkcs12.h"

#include <openssl/pem.h>
#include <string.h>

static const char *const names[] = {"www.example.jp", "example.jp", "*.example.jp", "www.example.jp", NULL};

static struct cd_wish plain(void)
{
	return (struct cd_wish){.names = names, .now = NOW};
}

static void assert_made(struct cd_issue *issue, const struct cd_wish *wish)
{
	struct cd_problems problems = {0};

	assert_int_equal(cd_issue(issue, &problems, wish), 0);
	assert_int_equal(problems.list.count, 0);
	cd_problems_free(&problems);
}

static X509_REQ *request_of(const struct cd_issue *issue)
{
	BIO *bio = BIO_new_mem_buf(issue->csr_pem, -1);
	X509_REQ *request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);

	assert_non_null(request);
	BIO_free(bio);
	return request;
}

static void test_every_key_type(void **state)
{
	static const struct {
		const char *type;
		int base;
		int bits;
	} cases[] = {
		{NULL, EVP_PKEY_RSA, 2048},    {"rsa:3072", EVP_PKEY_RSA, 3072},
		{"ec:p256", EVP_PKEY_EC, 256}, {"EC:P384", EVP_PKEY_EC, 384},
		{"ecdsa", EVP_PKEY_EC, 256},   {"ed25519", EVP_PKEY_ED25519, 256},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct cd_wish wish = plain();
		struct cd_issue issue;
		X509_REQ *request;
		BIO *bio;
		EVP_PKEY *key;

		wish.key_type = cases[i].type;
		assert_made(&issue, &wish);
		assert_string_equal(issue.name, "www.example.jp");
		assert_null(issue.certificate_pem);
		request = request_of(&issue);
		bio = BIO_new_mem_buf(issue.key_pem, -1);
		key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
		assert_non_null(key);
		assert_int_equal(EVP_PKEY_base_id(key), cases[i].base);
		assert_in_range(EVP_PKEY_bits(key), cases[i].base == EVP_PKEY_ED25519 ? 253 : cases[i].bits,
				cases[i].bits); /* OpenSSL 1.1.1 counts 253 of Ed25519 */
		assert_int_equal(X509_REQ_verify(request, key), 1);
		EVP_PKEY_free(key);
		BIO_free(bio);
		X509_REQ_free(request);
		cd_issue_free(&issue);
	}
}

static void test_the_fields(void **state)
{
	static const char *const units[] = {"Web", "第二営業部", NULL};
	const struct certdeploy_certificate_report *report = NULL;
	struct cd_wish wish = plain();
	struct cd_problems problems = {0};
	struct cd_arena arena = {0};
	struct cd_issue issue;
	struct cd_piece piece = {.kind = CERTDEPLOY_MATERIAL_CSR};

	(void)state;
	wish.key_type = "ec:p256";
	wish.organization = "株式会社例";
	wish.units = units;
	wish.locality = "千代田区";
	wish.state = "Tokyo";
	wish.country = "jp";
	wish.email = "hostmaster@example.jp";
	assert_made(&issue, &wish);
	piece.bytes = issue.csr_pem;
	piece.length = strlen(issue.csr_pem);
	assert_int_equal(cd_request_describe(&report, &arena, &problems, &piece), 0);
	assert_string_equal(report->subject,
			    "emailAddress=hostmaster@example.jp,CN=www.example.jp,OU=第二営業部,"
			    "OU=Web,O=株式会社例,L=千代田区,ST=Tokyo,C=JP");
	assert_string_equal(report->names[0], "www.example.jp");
	assert_string_equal(report->names[1], "example.jp");
	assert_string_equal(report->names[2], "*.example.jp");
	assert_null(report->names[3]); /* the first only once */
	cd_arena_free(&arena);
	cd_problems_free(&problems);
	cd_issue_free(&issue);
}

static void refused(const struct cd_wish *wish, int result, const char *code)
{
	struct cd_problems problems = {0};
	struct cd_issue issue;

	assert_int_equal(cd_issue(&issue, &problems, wish), result);
	assert_non_null(cd_problems_error(&problems, 0));
	assert_string_equal(cd_problems_error(&problems, 0)->code, code);
	assert_null(issue.key_pem);
	cd_issue_free(&issue);
	cd_problems_free(&problems);
}

static void taken(const struct cd_wish *wish)
{
	struct cd_problems problems = {0};

	assert_int_equal(cd_wish_check(&problems, wish), 0);
	cd_problems_free(&problems);
}

static void test_names_that_no_ca_takes(void **state)
{
	static const char *const bad[] = {
		"",           ".",           "a..b",        "-a.example", "a-.example",
		"a b",        "a_b.c",       "a.*.c",       "**.c",       "*a.c",
		"例え.jp",    "a.example\n", "a/b",         "a\x01",      "http://a.example",
		"a.example.", "*",           "192.0.2.300", "*.1"};
	static const char *const good[] = {"a",         "xn--r8jz45g.jp", "*.a.example", "A.example",
					   "1.example", "192.0.2.1",      "2001:db8::1"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *const list[] = {"ok.example", bad[i], NULL};
		struct cd_wish wish = {.names = list, .now = NOW};

		refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		const char *const list[] = {good[i], NULL};
		struct cd_wish wish = {.names = list, .now = NOW};

		taken(&wish);
	}
}

static void test_the_common_name(void **state)
{
	struct cd_wish wish = plain();
	char name[70];

	(void)state;
	memset(name, 'a', sizeof(name));
	memcpy(name + 60, ".jp", 4);
	wish.common_name = name;
	taken(&wish);
	/* 65 characters in two good parts */
	memset(name, 'a', sizeof(name));
	name[30] = '.';
	name[65] = '\0';
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish.common_name = "192.0.2.1";
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish = (struct cd_wish){.now = NOW};
	refused(&wish, CERTDEPLOY_EUSAGE, "usage");
}

static void test_fields_that_no_ca_takes(void **state)
{
	static const char *const unit_blank[] = {" - ", NULL}, *const unit_dash[] = {"-", NULL};
	char text[130];
	struct cd_wish wish = plain();

	(void)state;
	memset(text, 'x', sizeof(text));
	text[129] = '\0';
	wish.locality = text;
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish.locality = text + 1;
	taken(&wish);
	wish.organization = text + 64;
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish.organization = text + 65;
	taken(&wish);
	wish.organization = "";
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish.organization = "a\nb";
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish.organization = "a\xff";
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish.organization = NULL;
	wish.units = unit_blank;
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish.units = unit_dash;
	taken(&wish);
	wish.strict = wish.no_addresses = true;
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish.units = NULL;
	wish.organization = "株式会社例";
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish.organization = "Example Co., Ltd.";
	taken(&wish);
	wish.required = (const char *const[]){"organization", "state", NULL};
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish.state = "Tokyo";
	taken(&wish);
	wish.strict = wish.no_addresses = false;
	wish.required = NULL;
	wish.country = "JPN";
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish.country = "J1";
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish.country = "JP";
	wish.email = "a@b@c";
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish.email = "a@";
	refused(&wish, CERTDEPLOY_EREFUSED, "bad-field");
	wish.email = NULL;
	wish.key_type = "rsa:1024";
	refused(&wish, CERTDEPLOY_EUSAGE, "usage");
	wish.key_type = NULL;
	wish.days = 100000;
	refused(&wish, CERTDEPLOY_EUSAGE, "usage");
}

static void test_an_encrypted_key(void **state)
{
	struct cd_wish wish = plain();
	struct cd_issue issue;
	struct loading loading = {.load.need_key = true, .passphrase = "secret"};

	(void)state;
	wish.key_type = "ec:p256";
	wish.self_signed = true;
	wish.passphrase = "secret";
	wish.passphrase_length = 6;
	assert_made(&issue, &wish);
	assert_non_null(strstr(issue.key_pem, "BEGIN ENCRYPTED PRIVATE KEY"));
	give(&loading, CERTDEPLOY_MATERIAL_KEY, issue.key_pem);
	give(&loading, CERTDEPLOY_MATERIAL_CERT, issue.certificate_pem);
	accept_code(&loading, "self-signed");
	assert_loads(&loading);
	loading_end(&loading);
	cd_issue_free(&issue);
}

static void test_self_signed(void **state)
{
	static const char *const mixed[] = {"a.example", "192.0.2.1", NULL};
	struct cd_wish wish = {
		.names = mixed, .now = NOW, .self_signed = true, .days = 30, .key_type = "ec:p256"};
	const struct certdeploy_certificate_report *report;
	struct loading loading = {.load.need_key = true};
	struct cd_issue issue;

	(void)state;
	assert_made(&issue, &wish);
	assert_null(issue.csr_pem);
	give(&loading, CERTDEPLOY_MATERIAL_KEY, issue.key_pem);
	give(&loading, CERTDEPLOY_MATERIAL_CERT, issue.certificate_pem);
	accept_code(&loading, "self-signed");
	assert_loads(&loading);
	assert_has(&loading, "self-signed", CERTDEPLOY_WARNING);
	report = ((struct cd_certificate *)loading.certificates.list.items[0])->report;
	assert_true(report->self_signed);
	assert_int_equal(report->not_before, NOW);
	assert_int_equal(report->not_after, NOW + 30 * DAY - 1);
	assert_string_equal(report->names[1], "192.0.2.1");
	assert_string_equal(report->usages[0], "serverAuth");
	loading_end(&loading);
	cd_issue_free(&issue);
}

static void test_pkcs12_there_and_back(void **state)
{
	struct issued *root = issue(&(struct wish){.name = "Root", .ca = true});
	struct issued *middle = issue(&(struct wish){.name = "Middle", .ca = true, .issuer = root});
	struct issued *leaf =
		issue(&(struct wish){.names = "DNS:a.example", .issuer = middle, .type = "ec:P-256"});
	struct issued *rsa =
		issue(&(struct wish){.names = "DNS:a.example", .issuer = middle, .type = "rsa:2048"});

	(void)state;
	for (int legacy = 0; legacy < 2; legacy++) {
		struct loading first = {.load.need_key = true};
		struct loading second = {.load.need_key = true, .passphrase = "söme phrase"};
		struct cd_buffer der = {0};

		give(&first, CERTDEPLOY_MATERIAL_ANY,
		     joined(pem_certificate(leaf), pem_key(leaf), pem_certificate(rsa), pem_key(rsa),
			    pem_certificate(middle), NULL));
		assert_loads(&first);
		assert_int_equal(cd_pkcs12_write(&der, &first.certificates.list, "a.example", "söme phrase",
						 legacy == 1),
				 0);
		give_bytes(&second, CERTDEPLOY_MATERIAL_PKCS12, der.bytes, der.length);
		assert_loads(&second);
		/* The issuer that both share is there once. */
		assert_false(has_any(&second, "chain-duplicate"));
		assert_int_equal(second.certificates.list.count, 2);
		for (size_t i = 0; i < 2; i++) {
			const struct cd_certificate *one = second.certificates.list.items[i];
			const struct issued *issued = i == 0 ? rsa : leaf;

			assert_string_equal(one->leaf_pem, pem_certificate(issued));
			assert_string_equal(one->key_pem, pem_key(issued));
			assert_string_equal(one->chain_pem, pem_certificate(middle));
		}
		loading_end(&first);
		loading_end(&second);
		cd_buffer_free(&der);
	}
	issue_end();
}

static void test_a_certificate_finds_the_key_of_its_request(void **state)
{
	struct issued *root = issue(&(struct wish){.name = "Root", .ca = true});
	struct issued *leaf = issue(&(struct wish){.names = "DNS:a.example", .issuer = root});
	struct cd_piece spare[3] = {
		{.kind = CERTDEPLOY_MATERIAL_KEY, .origin = "one"},
		{.kind = CERTDEPLOY_MATERIAL_KEY, .origin = "junk", .bytes = "junk", .length = 4},
		{.kind = CERTDEPLOY_MATERIAL_KEY, .origin = "two"}};
	struct loading loading = {.load.need_key = true, .load.spare_keys = spare, .load.spare_count = 3};

	(void)state;
	spare[0].bytes = pem_key(root);
	spare[0].length = strlen(spare[0].bytes);
	spare[2].bytes = pem_key(leaf);
	spare[2].length = strlen(spare[2].bytes);
	give(&loading, CERTDEPLOY_MATERIAL_CERT, pem_certificate(leaf));
	give(&loading, CERTDEPLOY_MATERIAL_CHAIN, pem_certificate(root));
	assert_loads(&loading);
	assert_string_equal(((struct cd_certificate *)loading.certificates.list.items[0])->key_pem,
			    pem_key(leaf));
	assert_false(has_any(&loading, "key-unused"));
	loading_end(&loading);
	/* One that was given comes first, even when it does not fit. */
	loading.load.need_key = true;
	loading.load.spare_keys = spare;
	loading.load.spare_count = 3;
	give(&loading, CERTDEPLOY_MATERIAL_CERT, pem_certificate(leaf));
	give(&loading, CERTDEPLOY_MATERIAL_CHAIN, pem_certificate(root));
	give(&loading, CERTDEPLOY_MATERIAL_KEY, pem_key(root));
	assert_refused(&loading, "key-mismatch");
	loading_end(&loading);
	/* None fits: the key is missing, it does not mismatch. */
	loading.load.need_key = true;
	loading.load.spare_keys = spare;
	loading.load.spare_count = 1;
	give(&loading, CERTDEPLOY_MATERIAL_CERT, pem_certificate(leaf));
	give(&loading, CERTDEPLOY_MATERIAL_CHAIN, pem_certificate(root));
	assert_refused(&loading, "key-missing");
	loading_end(&loading);
	issue_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_type),
		cmocka_unit_test(test_the_fields),
		cmocka_unit_test(test_names_that_no_ca_takes),
		cmocka_unit_test(test_the_common_name),
		cmocka_unit_test(test_fields_that_no_ca_takes),
		cmocka_unit_test(test_an_encrypted_key),
		cmocka_unit_test(test_self_signed),
		cmocka_unit_test(test_pkcs12_there_and_back),
		cmocka_unit_test(test_a_certificate_finds_the_key_of_its_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
