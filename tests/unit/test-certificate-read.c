/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-certificate-read.c - material in every form that people have it, and in none */
#include "issue.h"

#include "certificate/leaf.h"
#include "certificate/material.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include <openssl/provider.h>
#endif

#define ANY CERTDEPLOY_MATERIAL_ANY
#define CERT CERTDEPLOY_MATERIAL_CERT
#define KEY CERTDEPLOY_MATERIAL_KEY
#define CHAIN CERTDEPLOY_MATERIAL_CHAIN
#define PKCS12_FILE CERTDEPLOY_MATERIAL_PKCS12

static struct issued *root, *middle, *rsa, *ec, *ed;

static int set_up(void **state)
{
	(void)state;
	root = issue(&(struct wish){.name = "Root", .ca = true});
	middle = issue(&(struct wish){.name = "Middle", .ca = true, .issuer = root});
	rsa = issue(&(struct wish){.names = "DNS:a.example", .issuer = middle, .type = "rsa:2048"});
	ec = issue(&(struct wish){.names = "DNS:a.example", .issuer = middle, .type = "ec:P-256"});
	ed = issue(&(struct wish){.names = "DNS:a.example", .issuer = middle, .type = "ed25519"});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	issue_end();
	return 0;
}

/* The certificates of leaf and Middle, as they are expected to come out. */
static void assert_leaf(struct loading *loading, const struct issued *leaf, bool with_chain)
{
	const struct cd_certificate *certificate;

	assert_loads(loading);
	assert_int_equal(loading->certificates.list.count, 1);
	certificate = loading->certificates.list.items[0];
	assert_string_equal(certificate->leaf_pem, pem_certificate(leaf));
	assert_string_equal(certificate->chain_pem, with_chain ? pem_certificate(middle) : "");
	if (loading->load.need_key)
		assert_string_equal(certificate->key_pem, pem_key(leaf));
	loading_end(loading);
}

static char *replaced(const char *text, const char *from, const char *to)
{
	struct cd_buffer out = {0};
	const char *next;

	while ((next = strstr(text, from)) != NULL) {
		cd_buffer_add(&out, text, (size_t)(next - text));
		cd_buffer_string(&out, to);
		text = next + strlen(from);
	}
	cd_buffer_string(&out, text);
	return held(cd_buffer_take(&out));
}

static char *bundle(const struct issued *leaf)
{
	return joined(pem_key(leaf), pem_certificate(leaf), pem_certificate(middle), NULL);
}

static void assert_text(const char *text)
{
	struct loading loading = {.load.need_key = true};

	give(&loading, ANY, text);
	assert_leaf(&loading, rsa, true);
}

static void test_text_as_it_arrives(void **state)
{
	char *plain = bundle(rsa), *utf16, *at;
	struct loading loading = {.load.need_key = true};

	(void)state;
	assert_text(plain);
	assert_text(replaced(plain, "\n", "\r\n"));
	assert_text(replaced(plain, "\n", "\r"));
	assert_text(replaced(plain, "\n", "\n    "));
	assert_text(replaced(plain, "\n", " \t\n"));
	assert_text(replaced(plain, "\n", "\\n"));
	assert_text(replaced(plain, "\n", "\\r\\n"));
	assert_text(replaced(plain, "-----\n-----", "----------"));
	assert_text(joined("\xef\xbb\xbf", plain, NULL));
	assert_text(joined("\xef\xbb\xbf\xef\xbb\xbf", plain, NULL));
	assert_text(joined("Bag Attributes\n    localKeyID: 01 02 \nsubject=CN = x\n", plain,
			   "and\nso on\n", NULL));
	assert_text(replaced(plain, "-----BEGIN C", "Certificate:\n    Data: -----BEGIN\n-----BEGIN C"));
	assert_text(replaced(plain, "BEGIN PRIVATE",
			     "BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC "
			     "PARAMETERS-----\n-----BEGIN PRIVATE"));
	plain[strlen(plain) - 1] = '\0';
	assert_text(plain);
	/* All on one line, as a form gives it. */
	for (at = replaced(plain, "\n", "\x01"); strchr(at, '\x01') != NULL;)
		*strchr(at, '\x01') = ' ';
	assert_text(at);
	/* UTF-16 of both kinds. */
	for (int big = 0; big < 2; big++) {
		size_t length = strlen(plain) * 2 + 2;

		utf16 = held(calloc(1, length));
		memcpy(utf16, big ? "\xfe\xff" : "\xff\xfe", 2);
		for (size_t i = 0; i < strlen(plain); i++)
			utf16[2 + 2 * i + (size_t)big] = plain[i];
		loading.load.need_key = true;
		give_bytes(&loading, ANY, utf16, length);
		assert_leaf(&loading, rsa, true);
	}
}

static void test_base64_without_its_lines(void **state)
{
	char *text = replaced(pem_certificate(rsa), "-----BEGIN CERTIFICATE-----\n", "");
	struct loading loading = {.load.need_key = false};

	(void)state;
	text = replaced(text, "-----END CERTIFICATE-----\n", "");
	give(&loading, CERT, text);
	give(&loading, CHAIN, pem_certificate(middle));
	assert_leaf(&loading, rsa, true);
}

static void test_der(void **state)
{
	unsigned char *leaf = NULL, *chain = NULL, *key = NULL;
	struct loading loading = {.load.need_key = true};
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(ec->key);

	(void)state;
	give_bytes(&loading, CERT, leaf, (size_t)i2d_X509(ec->x509, &leaf));
	loading.pieces[0].bytes = (char *)leaf;
	give_bytes(&loading, CHAIN, chain, (size_t)i2d_X509(middle->x509, &chain));
	loading.pieces[1].bytes = (char *)chain;
	give_bytes(&loading, KEY, key, (size_t)i2d_PKCS8_PRIV_KEY_INFO(info, &key));
	loading.pieces[2].bytes = (char *)key;
	assert_leaf(&loading, ec, true);
	OPENSSL_free(leaf);
	OPENSSL_free(chain);
	OPENSSL_free(key);
	PKCS8_PRIV_KEY_INFO_free(info);
}

/* A key on a curve is so short that its DER begins like text: 0x30 and a length below 0x80. */
static void test_der_of_a_short_key(void **state)
{
	struct loading loading = {.load.need_key = true};
	unsigned char *key = NULL;

	(void)state;
	give(&loading, CERT, pem_certificate(ec));
	give(&loading, CHAIN, pem_certificate(middle));
	give_bytes(&loading, KEY, key, (size_t)i2d_PrivateKey(ec->key, &key));
	loading.pieces[2].bytes = (char *)key;
	assert_true(loading.pieces[2].length < 0x80);
	assert_leaf(&loading, ec, true);
	OPENSSL_free(key);
}

/* An Ed25519 key of two octets: its frame is sound, and nothing can be decoded from it. */
static char *impossible_key(void)
{
	PKCS8_PRIV_KEY_INFO *info = PKCS8_PRIV_KEY_INFO_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes = NULL, *text;

	assert_int_equal(PKCS8_pkey_set0(info, OBJ_nid2obj(NID_ED25519), 0, V_ASN1_UNDEF, NULL,
					 OPENSSL_memdup("\x04\x02xx", 4), 4),
			 1);
	assert_int_equal(PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, info), 1);
	assert_true(BIO_get_mem_data(bio, &bytes) > 0);
	text = held_text(bytes, (size_t)BIO_get_mem_data(bio, &bytes));
	BIO_free(bio);
	PKCS8_PRIV_KEY_INFO_free(info);
	return text;
}

static void test_many_loads_share_what_was_decoded(void **state)
{
	const struct issued *leaves[] = {rsa, ec, ed};
	struct cd_loads loads = {0};

	(void)state;
	for (size_t i = 0; i < 9; i++) {
		struct loading loading = {.load.need_key = true, .load.loads = &loads};

		give(&loading, ANY, bundle(leaves[i % 3]));
		assert_leaf(&loading, leaves[i % 3], true);
		loading = (struct loading){.load.need_key = true, .load.loads = &loads};
		give(&loading, CERT, pem_certificate(ec));
		give(&loading, KEY, impossible_key());
		assert_refused(&loading, "not-understood");
		loading_end(&loading);
	}
	/* The issuer alone is kept: it stands beside all of them. */
	assert_int_equal(loads.known.count, 1);
	cd_loads_free(&loads);
}

/* That a leaf's signature was verified says nothing of the next one's. */
static void test_a_signature_is_verified_for_each_leaf(void **state)
{
	struct cd_loads loads = {0};
	unsigned char *der = NULL;
	int length = i2d_X509(ed->x509, &der);

	(void)state;
	der[length - 1] ^= 1;
	for (size_t i = 0; i < 4; i++) {
		struct loading loading = {.load.need_key = true, .load.loads = &loads};

		if (i % 2 == 0) {
			give(&loading, ANY, bundle(ec));
			assert_leaf(&loading, ec, true);
			continue;
		}
		give_bytes(&loading, CERT, der, (size_t)length);
		give(&loading, CHAIN, pem_certificate(middle));
		give(&loading, KEY, pem_key(ed));
		assert_refused(&loading, "chain-incomplete");
		loading_end(&loading);
	}
	cd_loads_free(&loads);
	OPENSSL_free(der);
}

static char *pem_of(BIO *bio)
{
	char *bytes, *text;
	long length = BIO_get_mem_data(bio, &bytes);

	text = held_text(bytes, (size_t)length);
	BIO_free(bio);
	return text;
}

static unsigned char secret[] = "secret";

static char *traditional_key(EVP_PKEY *key, const EVP_CIPHER *cipher)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, key, cipher,
							      cipher == NULL ? NULL : secret,
							      cipher == NULL ? 0 : 6, NULL, NULL),
			 1);
	return pem_of(bio);
}

static X509_SIG *sealed(EVP_PKEY *key, int scheme, int iterations)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	X509_SIG *made = PKCS8_encrypt(scheme, scheme == -1 ? EVP_aes_256_cbc() : NULL, "secret", 6, NULL,
				       0, iterations, info);

	assert_non_null(made);
	PKCS8_PRIV_KEY_INFO_free(info);
	return made;
}

static char *pem_of_sealed(X509_SIG *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PKCS8(bio, key), 1);
	X509_SIG_free(key);
	return pem_of(bio);
}

static char *sealed_key(EVP_PKEY *key, int scheme, int iterations)
{
	return pem_of_sealed(sealed(key, scheme, iterations));
}

static void assert_key(const struct issued *leaf, const char *key)
{
	struct loading loading = {.load.need_key = true, .passphrase = "secret"};

	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, CHAIN, pem_certificate(middle));
	give(&loading, KEY, key);
	assert_leaf(&loading, leaf, true);
}

static void test_keys_of_every_form(void **state)
{
	(void)state;
	assert_key(rsa, pem_key(rsa));
	assert_key(ec, pem_key(ec));
	assert_key(ed, pem_key(ed));
	assert_key(rsa, traditional_key(rsa->key, NULL));
	assert_key(ec, traditional_key(ec->key, NULL));
}

static void assert_belongs(const char *key, const char *certificate, int wanted, bool belongs)
{
	bool found = !belongs;

	assert_int_equal(cd_key_belongs(&found, key, strlen(key), certificate, strlen(certificate)),
			 wanted);
	assert_int_equal(found, belongs);
}

static void test_whose_an_installed_key_is(void **state)
{
	const char *both = joined(pem_certificate(rsa), pem_key(rsa), pem_certificate(ec), NULL);

	(void)state;
	assert_belongs(pem_key(rsa), pem_certificate(rsa), 0, true);
	assert_belongs(traditional_key(ec->key, NULL), pem_certificate(ec), 0, true);
	assert_belongs(pem_key(ed), pem_certificate(ed), 0, true);
	assert_belongs(both, both, 0, true);
	assert_belongs(pem_key(ec), both, 0, false);
	assert_belongs(pem_key(rsa), pem_certificate(ec), 0, false);
	assert_belongs(sealed_key(rsa->key, -1, 2048), pem_certificate(rsa), CERTDEPLOY_EREFUSED, false);
	assert_belongs(traditional_key(rsa->key, EVP_aes_256_cbc()), both, CERTDEPLOY_EREFUSED, false);
	assert_belongs(pem_certificate(rsa), both, CERTDEPLOY_EREFUSED, false);
	assert_belongs(pem_key(rsa), pem_key(rsa), CERTDEPLOY_EREFUSED, false);
	assert_belongs("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", both,
		       CERTDEPLOY_EREFUSED, false);
	assert_belongs("", "", CERTDEPLOY_EREFUSED, false);
}

static void assert_type(const char *text, const char *wanted)
{
	const char *type;

	assert_int_equal(cd_key_type_parse(&type, text, strlen(text)),
			 wanted == NULL ? CERTDEPLOY_EREFUSED : 0);
	if (wanted == NULL)
		assert_null(type);
	else
		assert_string_equal(type, wanted);
}

static void test_the_type_of_a_key_is_seen(void **state)
{
	(void)state;
	assert_type(pem_key(rsa), "rsa");
	assert_type(pem_key(ec), "ecdsa");
	assert_type(pem_key(ed), "ed25519");
	assert_type(traditional_key(rsa->key, NULL), "rsa");
	assert_type(traditional_key(ec->key, NULL), "ecdsa");
	assert_type(traditional_key(rsa->key, EVP_aes_256_cbc()), "rsa");
	assert_type(joined(pem_certificate(rsa), pem_key(ec), pem_key(rsa), NULL), "ecdsa");
	assert_type(sealed_key(rsa->key, -1, 2048), NULL);
	assert_type(pem_certificate(rsa), NULL);
	assert_type("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", NULL);
	assert_type("", NULL);
}

/* What OpenSSL makes of the key in this PKCS#8; NULL: it finds none. */
static unsigned char *written_again(const unsigned char *der, int length, int *written)
{
	const unsigned char *at = der;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, length);
	EVP_PKEY *key = info == NULL ? NULL : EVP_PKCS82PKEY(info);
	PKCS8_PRIV_KEY_INFO *again = key == NULL ? NULL : EVP_PKEY2PKCS8(key);
	unsigned char *out = NULL;

	*written = again == NULL ? 0 : i2d_PKCS8_PRIV_KEY_INFO(again, &out);
	PKCS8_PRIV_KEY_INFO_free(again);
	EVP_PKEY_free(key);
	PKCS8_PRIV_KEY_INFO_free(info);
	ERR_clear_error();
	return out;
}

static void assert_normal_only_as_written(const unsigned char *der, int length)
{
	int written;
	unsigned char *again = written_again(der, length, &written);

	if (cd_key_is_normal(der, (size_t)length) && again != NULL) {
		assert_int_equal(written, length);
		assert_memory_equal(again, der, (size_t)length);
	}
	OPENSSL_free(again);
}

/* A key is stored as it came only where it is what OpenSSL writes; each byte is changed to see that. */
static void test_a_normal_key_is_what_openssl_writes(void **state)
{
	static const char *const types[] = {"rsa:2048", "ec:P-256", "ec:P-384", "ec:P-521", "ed25519"};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(issue_key(types[i]));
		unsigned char *der = NULL;
		int length = i2d_PKCS8_PRIV_KEY_INFO(info, &der);

		assert_true(length > 0 && cd_key_is_normal(der, (size_t)length));
		assert_false(cd_key_is_normal(der, (size_t)length - 1));
		/* The numbers of an RSA key take the middle of it, and a second each. */
		for (int k = 0; k < length; k++) {
			for (unsigned bit = 0; bit < 8 && (k < 64 || length < 300); bit += k < 64 ? 1 : 7) {
				der[k] ^= (unsigned char)(1U << bit);
				assert_normal_only_as_written(der, length);
				der[k] ^= (unsigned char)(1U << bit);
			}
		}
		OPENSSL_free(der);
		PKCS8_PRIV_KEY_INFO_free(info);
	}
}

/* BER allows a text of octets in several pieces, which OpenSSL reads: by chance a number looks so. */
static void test_a_key_in_pieces_is_not_normal(void **state)
{
	static const size_t octets[] = {27, 34};
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(issue_key("ec:P-256"));
	unsigned char *der = NULL;
	int length = i2d_PKCS8_PRIV_KEY_INFO(info, &der);

	(void)state;
	for (size_t i = 0; i < sizeof(octets) / sizeof(octets[0]); i++) {
		assert_int_equal(der[octets[i]], V_ASN1_OCTET_STRING);
		assert_true(cd_key_is_normal(der, (size_t)length));
		der[octets[i]] |= V_ASN1_CONSTRUCTED;
		assert_false(cd_key_is_normal(der, (size_t)length));
		der[octets[i]] = V_ASN1_OCTET_STRING;
	}
	OPENSSL_free(der);
	PKCS8_PRIV_KEY_INFO_free(info);
}

/* The stored key of a PKCS#8 that says more than the key. */
static void test_what_is_no_part_of_a_key_is_not_stored(void **state)
{
	struct loading loading = {.load.need_key = true};
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(ec->key);
	unsigned char *der = NULL;

	(void)state;
	assert_int_equal(PKCS8_pkey_add1_attr_by_NID(info, NID_friendlyName, MBSTRING_ASC,
						     (const unsigned char *)"smuggled", 8),
			 1);
	give(&loading, CERT, pem_certificate(ec));
	give(&loading, CHAIN, pem_certificate(middle));
	give_bytes(&loading, KEY, der, (size_t)i2d_PKCS8_PRIV_KEY_INFO(info, &der));
	loading.pieces[2].bytes = (char *)der;
	assert_false(cd_key_is_normal(der, loading.pieces[2].length));
	assert_leaf(&loading, ec, true);
	OPENSSL_free(der);
	PKCS8_PRIV_KEY_INFO_free(info);
}

/* Its public half is the certificate's, its private one is not. */
static void test_a_key_whose_halves_do_not_belong_together(void **state)
{
	static const char *const types[] = {"ec:P-256", "ec:P-384", "ec:P-521"};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct issued *leaf =
			issue(&(struct wish){.names = "DNS:a.example", .issuer = middle, .type = types[i]});
		struct loading loading = {.load.need_key = true};
		unsigned char *one = NULL, *other = NULL;
		PKCS8_PRIV_KEY_INFO *infos[] = {EVP_PKEY2PKCS8(leaf->key),
						EVP_PKEY2PKCS8(issue_key(types[i]))};
		int length = i2d_PKCS8_PRIV_KEY_INFO(infos[0], &one), point = EVP_PKEY_bits(leaf->key);

		point = (point + 7) / 8 * 2;
		assert_int_equal(i2d_PKCS8_PRIV_KEY_INFO(infos[1], &other), length);
		memcpy(other + length - point, one + length - point, (size_t)point);
		give(&loading, CERT, pem_certificate(leaf));
		give(&loading, CHAIN, pem_certificate(middle));
		give_bytes(&loading, KEY, other, (size_t)length);
		assert_refused(&loading, "key-mismatch");
		loading_end(&loading);
		OPENSSL_free(one);
		OPENSSL_free(other);
		for (size_t k = 0; k < 2; k++)
			PKCS8_PRIV_KEY_INFO_free(infos[k]);
	}
}

/* The same of an RSA key: the numbers behind the public ones are those of another. */
static void test_an_rsa_key_with_the_factors_of_another(void **state)
{
	struct loading loading = {.load.need_key = true};
	PKCS8_PRIV_KEY_INFO *infos[] = {EVP_PKEY2PKCS8(rsa->key), EVP_PKEY2PKCS8(issue_key("rsa:2048"))};
	unsigned char *one = NULL, *other = NULL, *public = NULL;
	size_t length = (size_t)i2d_PKCS8_PRIV_KEY_INFO(infos[0], &one);
	size_t size = (size_t)i2d_PublicKey(rsa->key, &public) - 4; /* without the sequence's head */
	const unsigned char *found = memmem(one, length, public + 4, size);

	(void)state;
	length = (size_t)i2d_PKCS8_PRIV_KEY_INFO(infos[1], &other);
	assert_non_null(found);
	memcpy(other + (found - one), found, size);
	give(&loading, CERT, pem_certificate(rsa));
	give(&loading, CHAIN, pem_certificate(middle));
	give_bytes(&loading, KEY, other, length);
	assert_refused(&loading, "key-mismatch");
	loading_end(&loading);
	OPENSSL_free(one);
	OPENSSL_free(other);
	OPENSSL_free(public);
	for (size_t i = 0; i < 2; i++)
		PKCS8_PRIV_KEY_INFO_free(infos[i]);
}

static void test_encrypted_keys(void **state)
{
	(void)state;
	assert_key(rsa, traditional_key(rsa->key, EVP_aes_256_cbc()));
	assert_key(rsa, traditional_key(rsa->key, EVP_des_ede3_cbc()));
	assert_key(rsa, replaced(traditional_key(rsa->key, EVP_aes_256_cbc()), "\n", "\r\n"));
	assert_key(ec, traditional_key(ec->key, EVP_aes_128_cbc()));
	assert_key(rsa, sealed_key(rsa->key, -1, 2048));
	assert_key(ed, sealed_key(ed->key, -1, 2048));
	assert_key(ec, sealed_key(ec->key, NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 2048));
}

static void encrypted(struct loading *loading, const char *key, const char *passphrase)
{
	*loading = (struct loading){.load.need_key = true, .passphrase = passphrase};
	give(loading, CERT, pem_certificate(rsa));
	give(loading, CHAIN, pem_certificate(middle));
	give(loading, KEY, key);
}

static void test_passphrases(void **state)
{
	char *forms[] = {traditional_key(rsa->key, EVP_aes_256_cbc()), sealed_key(rsa->key, -1, 2048)};
	struct loading loading;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		encrypted(&loading, forms[i], NULL);
		assert_refused(&loading, "key-encrypted");
		assert_int_equal(loading.asked, 1);
		loading_end(&loading);
		encrypted(&loading, forms[i], "wrong");
		assert_refused(&loading, "wrong-passphrase");
		assert_int_equal(loading.asked, 1); /* never retried */
		loading_end(&loading);
		encrypted(&loading, forms[i], "");
		assert_int_equal(load_all(&loading), CERTDEPLOY_EREFUSED);
		loading_end(&loading);
		encrypted(&loading, forms[i], "secret");
		assert_loads(&loading);
		assert_int_equal(loading.asked, 1);
		assert_has(&loading, "key-decrypted", CERTDEPLOY_NOTICE);
		loading_end(&loading);
	}
	encrypted(&loading, pem_key(rsa), NULL);
	assert_loads(&loading);
	assert_int_equal(loading.asked, 0);
	assert_false(has_any(&loading, "key-decrypted"));
	loading_end(&loading);
}

static void test_expensive_derivations_are_refused(void **state)
{
	X509_SIG *key = sealed(rsa->key, -1, 0x10000);
	unsigned char *der = NULL, *at;
	size_t length = (size_t)i2d_X509_SIG(key, &der);
	struct loading loading;
	clock_t begin = clock(), accepted;

	(void)state;
	encrypted(&loading, "", "secret");
	loading.pieces[2].bytes = (char *)der;
	loading.pieces[2].length = length;
	assert_leaf(&loading, rsa, true);
	accepted = clock() - begin;
	/* 65,536 rounds become eight million. */
	begin = clock();
	at = memmem(der, length, "\x02\x03\x01\x00\x00", 5);
	assert_non_null(at);
	at[2] = 0x7f;
	encrypted(&loading, "", "secret");
	loading.pieces[2].bytes = (char *)der;
	loading.pieces[2].length = length;
	assert_refused(&loading, "too-large");
	loading_end(&loading);
	X509_SIG_free(key);
	OPENSSL_free(der);
	/* Under valgrind too: they would take a hundred times as long. */
	assert_true(clock() - begin < 10 * accepted);
}

static char *scrypt_key(uint64_t n, uint64_t r, uint64_t p)
{
	X509_ALGOR *algorithm = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, 0, NULL, n, r, p);
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(rsa->key);
	X509_SIG *made = PKCS8_set0_pbe("secret", 6, info, algorithm);

	assert_non_null(made);
	PKCS8_PRIV_KEY_INFO_free(info);
	return pem_of_sealed(made);
}

static void test_scrypt(void **state)
{
	struct loading loading;

	(void)state;
	assert_key(rsa, scrypt_key(16384, 8, 1));
	encrypted(&loading, scrypt_key(16384, 8, 16), "secret");
	assert_refused(&loading, "too-large");
	loading_end(&loading);
}

static void test_pkcs7(void **state)
{
	static const char *const labels[] = {"PKCS7", "PKCS #7 SIGNED DATA", "CERTIFICATE CHAIN",
					     "CERTIFICATE"};
	PKCS7 *pkcs7 = PKCS7_new();
	struct loading loading = {.load.need_key = false};
	BIO *bio = BIO_new(BIO_s_mem());
	unsigned char *der = NULL;
	size_t length;
	char *text;

	(void)state;
	assert_int_equal(PKCS7_set_type(pkcs7, NID_pkcs7_signed), 1);
	assert_int_equal(PKCS7_content_new(pkcs7, NID_pkcs7_data), 1);
	assert_int_equal(PKCS7_add_certificate(pkcs7, middle->x509), 1);
	assert_int_equal(PKCS7_add_certificate(pkcs7, rsa->x509), 1);
	assert_int_equal(PEM_write_bio_PKCS7(bio, pkcs7), 1);
	text = pem_of(bio);
	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++) {
		give(&loading, CERT, replaced(text, "PKCS7", labels[i]));
		assert_leaf(&loading, rsa, true);
	}
	length = (size_t)i2d_PKCS7(pkcs7, &der);
	give_bytes(&loading, ANY, der, length);
	assert_leaf(&loading, rsa, true);
	PKCS7_free(pkcs7);
	OPENSSL_free(der);

	pkcs7 = PKCS7_new();
	assert_int_equal(PKCS7_set_type(pkcs7, NID_pkcs7_data), 1);
	der = NULL;
	length = (size_t)i2d_PKCS7(pkcs7, &der);
	give_bytes(&loading, ANY, der, length);
	assert_int_equal(load_all(&loading), CERTDEPLOY_EREFUSED);
	loading_end(&loading);
	PKCS7_free(pkcs7);
	OPENSSL_free(der);
}

static unsigned char *pkcs12_of(size_t *length, const struct issued *leaf, const char *passphrase,
				int key_cipher, int certificate_cipher, int rounds, int mac_rounds)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	unsigned char *der = NULL;
	PKCS12 *pkcs12;

	assert_true(sk_X509_push(chain, middle->x509) > 0);
	pkcs12 = PKCS12_create(passphrase, "friendly", leaf->key, leaf->x509, chain, key_cipher,
			       certificate_cipher, rounds, mac_rounds, 0);
	assert_non_null(pkcs12);
	*length = (size_t)i2d_PKCS12(pkcs12, &der);
	PKCS12_free(pkcs12);
	sk_X509_free(chain);
	return der;
}

static void test_pkcs12(void **state)
{
	static const struct {
		const char *passphrase;
		int key;
		int certificate;
		int mac;
		unsigned asked;
	} cases[] = {
		{"secret", NID_aes_256_cbc, NID_aes_256_cbc, 2048, 1},
		{"secret", NID_pbe_WithSHA1And3_Key_TripleDES_CBC, NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
		 1, 1},
		{"secret", -1, -1, 2048, 1},
		{"secret", NID_aes_128_cbc, -1, -1, 1},
		{"", NID_aes_256_cbc, NID_aes_256_cbc, 2048, 0},
		{NULL, -1, -1, 2048, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct loading loading = {.load.need_key = true, .passphrase = "secret"};
		size_t length;
		unsigned char *der = pkcs12_of(&length, rsa, cases[i].passphrase, cases[i].key,
					       cases[i].certificate, 2048, cases[i].mac);

		give_bytes(&loading, PKCS12_FILE, der, length);
		assert_loads(&loading);
		assert_int_equal(loading.asked, cases[i].asked);
		loading_end(&loading);
		loading = (struct loading){.load.need_key = true, .passphrase = "secret"};
		give_bytes(&loading, PKCS12_FILE, der, length);
		assert_leaf(&loading, rsa, true);
		OPENSSL_free(der);
	}
}

/* As old Windows wrote it. */
static unsigned char *pkcs12_with_old_ciphers(size_t *length)
{
	return pkcs12_of(length, rsa, "secret", NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
			 NID_pbe_WithSHA1And40BitRC2_CBC, 2048, 2048);
}

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
/* Read where OpenSSL's old ciphers are installed, else told what is lacking. */
static void test_pkcs12_with_old_ciphers(void **state)
{
	struct loading loading = {.load.need_key = true, .passphrase = "secret"};
	OSSL_PROVIDER *plain = OSSL_PROVIDER_load(NULL, "default"),
		      *old = OSSL_PROVIDER_load(NULL, "legacy");
	const struct certdeploy_problem *problem;
	unsigned char *der;
	size_t length;

	(void)state;
	if (old == NULL)
		skip();
	der = pkcs12_with_old_ciphers(&length);
	(void)OSSL_PROVIDER_unload(old);
	give_bytes(&loading, PKCS12_FILE, der, length);
	assert_leaf(&loading, rsa, true);
	assert_int_equal(setenv("OPENSSL_MODULES", "/nonexistent", 1), 0);
	loading = (struct loading){.load.need_key = true, .passphrase = "secret"};
	give_bytes(&loading, PKCS12_FILE, der, length);
	assert_refused(&loading, "not-understood");
	problem = cd_problems_error(&loading.problems, 0);
	assert_non_null(strstr(problem->message, "legacy provider"));
	loading_end(&loading);
	(void)unsetenv("OPENSSL_MODULES");
	(void)OSSL_PROVIDER_unload(plain);
	OPENSSL_free(der);
}
#else
static void test_pkcs12_with_old_ciphers(void **state)
{
	struct loading loading = {.load.need_key = true, .passphrase = "secret"};
	size_t length;
	unsigned char *der = pkcs12_with_old_ciphers(&length);

	(void)state;
	give_bytes(&loading, PKCS12_FILE, der, length);
	assert_leaf(&loading, rsa, true);
	OPENSSL_free(der);
}
#endif

static void test_pkcs12_that_is_not_opened(void **state)
{
	struct loading loading = {.load.need_key = true, .passphrase = "wrong"};
	size_t length;
	unsigned char *der = pkcs12_of(&length, ec, "secret", NID_aes_256_cbc, NID_aes_256_cbc, 2048, 2048);

	(void)state;
	give_bytes(&loading, PKCS12_FILE, der, length);
	assert_refused(&loading, "wrong-passphrase");
	assert_int_equal(loading.asked, 1);
	loading_end(&loading);
	loading.load.need_key = true;
	give_bytes(&loading, PKCS12_FILE, der, length);
	assert_refused(&loading, "key-encrypted");
	loading_end(&loading);
	give_bytes(&loading, PKCS12_FILE, der, length / 2);
	assert_int_equal(load_all(&loading), CERTDEPLOY_EREFUSED);
	loading_end(&loading);
	OPENSSL_free(der);
}

static void test_pkcs12_bombs(void **state)
{
	static const struct {
		int rounds;
		int mac;
	} cases[] = {{0x10000, 2048}, {2048, 0x10000}};
	clock_t begin;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct loading loading = {.load.need_key = true, .passphrase = "secret"};
		size_t length;
		unsigned char *der = pkcs12_of(&length, ec, "secret", NID_aes_256_cbc, NID_aes_256_cbc,
					       cases[i].rounds, cases[i].mac);
		unsigned char *at = der;

		/* Without a valid MAC only the rounds of the MAC themselves are seen first. */
		while ((at = memmem(at, length - (size_t)(at - der), "\x02\x03\x01\x00\x00", 5)) != NULL)
			at[2] = 0x7f;
		begin = clock();
		give_bytes(&loading, PKCS12_FILE, der, length);
		assert_int_equal(load_all(&loading), CERTDEPLOY_EREFUSED);
		assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 1.0);
		if (i == 1)
			assert_has(&loading, "too-large", CERTDEPLOY_ERROR);
		loading_end(&loading);
		OPENSSL_free(der);
	}
}

static void test_pkcs12_without_mac(void **state)
{
	struct loading loading = {.load.need_key = true, .passphrase = "secret"};
	size_t length;
	unsigned char *der =
		pkcs12_of(&length, ec, "secret", NID_aes_256_cbc, NID_aes_256_cbc, 0x10000, -1);
	unsigned char *at = memmem(der, length, "\x02\x03\x01\x00\x00", 5);

	(void)state;
	give_bytes(&loading, PKCS12_FILE, der, length);
	assert_leaf(&loading, ec, true);
	/* The rounds of the parts count. */
	assert_non_null(at);
	at[2] = 0x7f;
	loading = (struct loading){.load.need_key = true, .passphrase = "secret"};
	give_bytes(&loading, PKCS12_FILE, der, length);
	assert_refused(&loading, "too-large");
	loading_end(&loading);
	OPENSSL_free(der);
}

/* PKCS#8 of an algorithm with any bytes inside. */
static char *forged_key(int algorithm, int type, void *value, const void *bytes, int length)
{
	PKCS8_PRIV_KEY_INFO *info = PKCS8_PRIV_KEY_INFO_new();
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PKCS8_pkey_set0(info, OBJ_nid2obj(algorithm), 0, type, value,
					 OPENSSL_memdup(bytes, (size_t)length), length),
			 1);
	assert_int_equal(PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, info), 1);
	PKCS8_PRIV_KEY_INFO_free(info);
	return pem_of(bio);
}

static void refused_key(const char *key, const char *code)
{
	struct loading loading;
	clock_t begin = clock();

	encrypted(&loading, key, NULL);
	assert_refused(&loading, code);
	loading_end(&loading);
	assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 1.0);
}

static void test_keys_that_must_not_be_computed_with(void **state)
{
	/* RSAPrivateKey with a modulus of 1,026 bytes. */
	static unsigned char number[1040 + 16];
	size_t at = 11 + 1026;

	(void)state;
	refused_key(forged_key(NID_dsa, V_ASN1_NULL, NULL, "\x02\x01\x05", 3), "not-understood");
	refused_key(forged_key(NID_dhKeyAgreement, V_ASN1_NULL, NULL, "\x02\x01\x05", 3), "not-understood");
	refused_key(forged_key(NID_X9_62_id_ecPublicKey, V_ASN1_OBJECT, OBJ_nid2obj(NID_secp256k1),
			       "\x30\x07\x02\x01\x01\x04\x02\x01\x02", 9),
		    "not-understood");
	refused_key(forged_key(NID_X9_62_id_ecPublicKey, V_ASN1_NULL, NULL,
			       "\x30\x07\x02\x01\x01\x04\x02\x01\x02", 9),
		    "not-understood");
	memcpy(number, "\x30\x82\x04\x18\x02\x01\x00\x02\x82\x04\x02", 11);
	memset(number + 11, 0x41, 1026);
	memcpy(number + at, "\x02\x01\x03\x02\x01\x03\x02\x01\x03\x02\x01\x03", 12);
	refused_key(forged_key(NID_rsaEncryption, V_ASN1_NULL, NULL, number, (int)at + 12),
		    "not-understood");
	refused_key(forged_key(NID_rsaEncryption, V_ASN1_NULL, NULL, "\x30\x00", 2), "not-understood");
	refused_key("-----BEGIN DSA PRIVATE KEY-----\nMAkCAQACAQECAQE=\n-----END DSA PRIVATE KEY-----\n",
		    "not-understood");
	refused_key(
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----\n",
		"not-understood");
	refused_key("-----BEGIN RSA PRIVATE KEY-----\nMAYCAQACAQM=\n-----END RSA PRIVATE KEY-----\n",
		    "not-understood");
}

static void refused_text(enum certdeploy_material_kind kind, const char *text, const char *code,
			 size_t line)
{
	struct loading loading = {.load.need_key = false};
	const struct certdeploy_problem *problem;

	give(&loading, kind, text);
	assert_refused(&loading, code);
	problem = cd_problems_error(&loading.problems, 0);
	assert_int_equal(problem->line, line);
	loading_end(&loading);
}

static void test_text_that_is_refused(void **state)
{
	char *plain = pem_certificate(rsa), *end = strstr(plain, "-----END"), *text;
	static const char *const blocks[] = {"OTHER THING", "X509 CRL", "ENCRYPTED SOMETHING"};
	X509_REQ *request = X509_to_X509_REQ(rsa->x509, rsa->key, EVP_sha256());
	BIO *bio = BIO_new(BIO_s_mem());
	size_t behind = 1;

	(void)state;
	for (const char *at = plain; (at = strchr(at, '\n')) != NULL; at++)
		behind++;
	refused_text(CERT, "", "not-a-certificate", 0);
	refused_text(CERT, " \r\n\t ", "not-a-certificate", 0);
	refused_text(CERT, "junk", "not-a-certificate", 0);
	refused_text(CERT, "0123456789012345678901234567890123456789", "not-a-certificate", 0);
	refused_text(CERT, joined("\n\n", plain, plain + 30, NULL), "chain-incomplete", 3);
	text = joined("one\n", plain, NULL);
	text[strlen(text) - 30] = '\0';
	refused_text(CERT, text, "pem-damaged", 2);
	refused_text(CERT, joined(plain, "-----BEGIN CERTIFICATE-----\nMIIB", NULL), "pem-damaged", behind);
	/* The end of one and the begin of the next are lost. */
	text = held_text(plain, (size_t)(end - plain));
	refused_text(CERT, joined(text, plain, NULL), "pem-damaged", 1);
	text = joined(plain, NULL);
	text[100] = '*';
	refused_text(CERT, text, "pem-damaged", 1);
	refused_text(CERT, replaced(plain, "-----BEGIN", "----BEGIN"), "pem-damaged", 0);
	refused_text(CERT, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "pem-damaged", 1);
	refused_text(CERT, "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "pem-damaged",
		     1);
	for (size_t i = 0; i < 3; i++)
		refused_text(CERT,
			     joined("one\n-----BEGIN ", blocks[i], "-----\nMAA=\n-----END ", blocks[i],
				    "-----\n", NULL),
			     "not-understood", 2);
	refused_text(CERT, "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n", "not-understood",
		     1);
	assert_int_equal(PEM_write_bio_X509_REQ(bio, request), 1);
	refused_text(CERT, pem_of(bio), "not-a-certificate", 1);
	refused_text(CERT, pem_key(rsa), "not-a-certificate", 0);
	refused_text(KEY, plain, "key-missing", 0);
	X509_REQ_free(request);
}

/* What stands beside a certificate or a key and is neither does not matter. */
static void test_other_blocks_are_left_out(void **state)
{
	static const char *const blocks[] = {"X509 CRL", "PUBLIC KEY", "CERTIFICATE REQUEST",
					     "OTHER THING"};

	(void)state;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++) {
		char *other = joined("-----BEGIN ", blocks[i], "-----\nMAA=\n-----END ", blocks[i],
				     "-----\n", NULL);
		struct loading loading = {.load.need_key = true};

		give(&loading, ANY, joined(other, pem_certificate(rsa), pem_certificate(middle), NULL));
		give(&loading, KEY, joined(pem_key(rsa), other, NULL));
		assert_leaf(&loading, rsa, true);
	}
}

static void test_too_large(void **state)
{
	struct loading loading = {.load.need_key = false};
	char *zeros = held(calloc(1, 300000));

	(void)state;
	give_bytes(&loading, CERT, zeros, 300000);
	assert_refused(&loading, "too-large");
	loading_end(&loading);
	memset(zeros, '\n', 262144);
	give_bytes(&loading, CERT, zeros, 262144);
	assert_refused(&loading, "not-a-certificate");
	loading_end(&loading);
}

static void test_certificates_that_are_refused(void **state)
{
	struct loading loading = {.load.need_key = false};
	X509 *changed = X509_dup(rsa->x509);
	struct issued copy = {changed, rsa->key};
	BIGNUM *number = BN_new();

	(void)state;
	assert_int_equal(BN_set_bit(number, 8 * 20), 1);
	assert_non_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(changed)));
	assert_true(X509_sign(changed, middle->key, EVP_sha256()) > 0);
	give(&loading, CERT, pem_certificate(&copy));
	assert_refused(&loading, "malformed");
	loading_end(&loading);
	X509_free(changed);
	BN_free(number);
}

static void test_requests_are_explained(void **state)
{
	const struct certdeploy_certificate_report *report = NULL;
	X509_REQ *request = X509_to_X509_REQ(rsa->x509, rsa->key, EVP_sha256());
	struct cd_problems problems = {0};
	struct cd_arena arena = {0};
	struct cd_piece piece = {.kind = CERTDEPLOY_MATERIAL_CSR, .origin = "a.csr"};
	STACK_OF(X509_EXTENSION) *extensions = NULL;
	X509_EXTENSION *names = X509V3_EXT_nconf(NULL, NULL, "subjectAltName",
						 "DNS:B.example,IP:192.0.2.1,DNS:b.example,IP:192.0.2.1");
	unsigned char *der = NULL;

	(void)state;
	assert_non_null(X509v3_add_ext(&extensions, names, -1));
	assert_int_equal(X509_REQ_add_extensions(request, extensions), 1);
	assert_true(X509_REQ_sign(request, rsa->key, EVP_sha256()) > 0);
	piece.length = (size_t)i2d_X509_REQ(request, &der);
	piece.bytes = (char *)der;
	assert_int_equal(cd_request_describe(&report, &arena, &problems, &piece), 0);
	assert_string_equal(report->names[0], "b.example");
	assert_string_equal(report->names[1], "192.0.2.1");
	assert_null(report->names[2]); /* each only once */
	assert_string_equal(report->key_type, "rsa");
	assert_int_equal(report->key_bits, 2048);
	/* One bit of the signature. */
	der[piece.length - 1] ^= 1;
	assert_int_equal(cd_request_describe(&report, &arena, &problems, &piece), CERTDEPLOY_EREFUSED);
	assert_string_equal(cd_problems_error(&problems, 0)->code, "malformed");
	piece.bytes = "junk";
	piece.length = 4;
	assert_int_equal(cd_request_describe(&report, &arena, &problems, &piece), CERTDEPLOY_EREFUSED);
	assert_string_equal(cd_problems_error(&problems, 1)->code, "not-a-request");
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	X509_EXTENSION_free(names);
	X509_REQ_free(request);
	OPENSSL_free(der);
	cd_arena_free(&arena);
	cd_problems_free(&problems);
}

static void test_a_key_of_ssh_is_called_so(void **state)
{
	struct loading loading = {0};

	(void)state;
	give(&loading, KEY,
	     "-----BEGIN OPENSSH PRIVATE KEY-----\nMAA=\n-----END OPENSSH PRIVATE KEY-----\n");
	assert_refused(&loading, "not-understood");
	assert_non_null(strstr(cd_problems_error(&loading.problems, 0)->message, "SSH"));
	loading_end(&loading);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_as_it_arrives),
		cmocka_unit_test(test_base64_without_its_lines),
		cmocka_unit_test(test_der),
		cmocka_unit_test(test_der_of_a_short_key),
		cmocka_unit_test(test_many_loads_share_what_was_decoded),
		cmocka_unit_test(test_keys_of_every_form),
		cmocka_unit_test(test_the_type_of_a_key_is_seen),
		cmocka_unit_test(test_whose_an_installed_key_is),
		cmocka_unit_test(test_a_normal_key_is_what_openssl_writes),
		cmocka_unit_test(test_a_key_in_pieces_is_not_normal),
		cmocka_unit_test(test_what_is_no_part_of_a_key_is_not_stored),
		cmocka_unit_test(test_a_key_whose_halves_do_not_belong_together),
		cmocka_unit_test(test_an_rsa_key_with_the_factors_of_another),
		cmocka_unit_test(test_a_signature_is_verified_for_each_leaf),
		cmocka_unit_test(test_encrypted_keys),
		cmocka_unit_test(test_passphrases),
		cmocka_unit_test(test_expensive_derivations_are_refused),
		cmocka_unit_test(test_scrypt),
		cmocka_unit_test(test_pkcs7),
		cmocka_unit_test(test_pkcs12),
		cmocka_unit_test(test_pkcs12_with_old_ciphers),
		cmocka_unit_test(test_pkcs12_that_is_not_opened),
		cmocka_unit_test(test_pkcs12_bombs),
		cmocka_unit_test(test_pkcs12_without_mac),
		cmocka_unit_test(test_keys_that_must_not_be_computed_with),
		cmocka_unit_test(test_text_that_is_refused),
		cmocka_unit_test(test_other_blocks_are_left_out),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_certificates_that_are_refused),
		cmocka_unit_test(test_requests_are_explained),
		cmocka_unit_test(test_a_key_of_ssh_is_called_so),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
