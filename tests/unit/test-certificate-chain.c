/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-certificate-chain.c - leaf, key and chain found among what was given */
#include "issue.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANY CERTDEPLOY_MATERIAL_ANY
#define CERT CERTDEPLOY_MATERIAL_CERT
#define KEY CERTDEPLOY_MATERIAL_KEY
#define CHAIN CERTDEPLOY_MATERIAL_CHAIN
#define FULLCHAIN CERTDEPLOY_MATERIAL_FULLCHAIN

/* root <- top <- middle <- leaf */
static struct issued *root, *top, *middle, *leaf, *other_root, *other;

static int set_up(void **state)
{
	(void)state;
	root = issue(&(struct wish){.name = "Root", .ca = true});
	top = issue(&(struct wish){.name = "Top", .ca = true, .issuer = root});
	middle = issue(&(struct wish){.name = "Middle", .ca = true, .issuer = top});
	leaf = issue(&(struct wish){
		.name = "www.example.jp", .names = "DNS:www.example.jp,DNS:example.jp", .issuer = middle});
	other_root = issue(&(struct wish){.name = "Other Root", .ca = true});
	other = issue(&(struct wish){.name = "Other", .ca = true, .issuer = other_root});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	issue_end();
	return 0;
}

static const struct cd_certificate *only(const struct loading *loading)
{
	assert_int_equal(loading->certificates.list.count, 1);
	return loading->certificates.list.items[0];
}

static void assert_chain(const struct loading *loading, const char *first, const char *second)
{
	const struct certdeploy_certificate_report *const *chain = only(loading)->report->chain;

	if (first == NULL) {
		assert_null(chain[0]);
		return;
	}
	assert_non_null(chain[0]);
	assert_string_equal(chain[0]->subject, first);
	if (second == NULL) {
		assert_null(chain[1]);
		return;
	}
	assert_non_null(chain[1]);
	assert_string_equal(chain[1]->subject, second);
	assert_null(chain[2]);
}

static void test_pieces_in_order(void **state)
{
	struct loading loading = {.load.need_key = true};

	(void)state;
	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, KEY, pem_key(leaf));
	give(&loading, CHAIN, joined(pem_certificate(middle), pem_certificate(top), NULL));
	assert_loads(&loading);
	assert_chain(&loading, "CN=Middle", "CN=Top");
	assert_string_equal(only(&loading)->leaf_pem, pem_certificate(leaf));
	assert_string_equal(only(&loading)->chain_pem,
			    joined(pem_certificate(middle), pem_certificate(top), NULL));
	assert_string_equal(only(&loading)->key_pem, pem_key(leaf));
	assert_has(&loading, "chain-unknown-root", CERTDEPLOY_NOTICE);
	assert_false(has_any(&loading, "chain-order"));
	assert_false(only(&loading)->report->chain_complete);
	loading_end(&loading);
}

static void test_everything_in_one_file_upside_down(void **state)
{
	struct loading loading = {.load.need_key = true};

	(void)state;
	give(&loading, ANY,
	     joined(pem_certificate(root), pem_certificate(top), pem_key(leaf), pem_certificate(middle),
		    pem_certificate(leaf), NULL));
	assert_loads(&loading);
	assert_chain(&loading, "CN=Middle", "CN=Top");
	assert_has(&loading, "chain-order", CERTDEPLOY_NOTICE);
	assert_has(&loading, "chain-root", CERTDEPLOY_NOTICE);
	assert_true(only(&loading)->report->chain_complete);
	assert_null(strstr(only(&loading)->chain_pem, pem_certificate(root)));
	loading_end(&loading);
}

static void test_the_leaf_in_both_files_is_no_news(void **state)
{
	struct loading loading = {.load.need_key = true};

	(void)state;
	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, KEY, pem_key(leaf));
	give(&loading, FULLCHAIN,
	     joined(pem_certificate(leaf), pem_certificate(middle), pem_certificate(top), NULL));
	assert_loads(&loading);
	assert_false(has_any(&loading, "chain-duplicate"));
	assert_chain(&loading, "CN=Middle", "CN=Top");
	loading_end(&loading);
}

static void test_duplicates_are_said_and_kept_once(void **state)
{
	struct loading loading = {.load.need_key = false};

	(void)state;
	give(&loading, ANY,
	     joined(pem_certificate(leaf), pem_certificate(middle), pem_certificate(middle), NULL));
	assert_loads(&loading);
	assert_has(&loading, "chain-duplicate", CERTDEPLOY_NOTICE);
	assert_chain(&loading, "CN=Middle", NULL);
	loading_end(&loading);
}

static void test_a_leaf_alone_is_incomplete(void **state)
{
	struct loading loading = {.load.need_key = false};

	(void)state;
	give(&loading, CERT, pem_certificate(leaf));
	assert_refused(&loading, "chain-incomplete");
	/* It is described all the same. */
	assert_string_equal(only(&loading)->report->name, "www.example.jp");
	loading_end(&loading);

	give(&loading, CERT, pem_certificate(leaf));
	accept_code(&loading, "chain-incomplete");
	assert_loads(&loading);
	assert_has(&loading, "chain-incomplete", CERTDEPLOY_WARNING);
	loading_end(&loading);
}

static void test_a_gap_in_the_chain(void **state)
{
	struct loading loading = {.load.need_key = false};

	(void)state;
	/* Top issued Middle, and Middle is missing. */
	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, CHAIN, joined(pem_certificate(top), NULL));
	assert_refused(&loading, "chain-incomplete");
	assert_has(&loading, "chain-unrelated", CERTDEPLOY_ERROR);
	loading_end(&loading);
}

static void test_unrelated_is_refused_or_left_out(void **state)
{
	struct loading loading = {.load.need_key = false};

	(void)state;
	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, CHAIN, joined(pem_certificate(middle), pem_certificate(other), NULL));
	assert_refused(&loading, "chain-unrelated");
	loading_end(&loading);

	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, CHAIN, joined(pem_certificate(middle), pem_certificate(other), NULL));
	accept_code(&loading, "chain-unrelated");
	assert_loads(&loading);
	assert_chain(&loading, "CN=Middle", NULL);
	loading_end(&loading);
}

static void test_a_leaf_of_a_private_root(void **state)
{
	struct issued *direct =
		issue(&(struct wish){.name = "a.example", .names = "DNS:a.example", .issuer = root});
	struct loading loading = {.load.need_key = false};

	(void)state;
	give(&loading, CERT, pem_certificate(direct));
	give(&loading, CHAIN, pem_certificate(root));
	assert_loads(&loading);
	assert_chain(&loading, NULL, NULL);
	assert_string_equal(only(&loading)->chain_pem, "");
	assert_true(only(&loading)->report->chain_complete);
	assert_has(&loading, "chain-root", CERTDEPLOY_NOTICE);
	loading_end(&loading);
}

static void test_cross_signed_roots(void **state)
{
	/* A new root, signed by itself and by the old one: both are given. */
	struct issued *fresh = issue(&(struct wish){.name = "New Root", .ca = true});
	struct issued *crossed =
		issue(&(struct wish){.name = "New Root", .ca = true, .issuer = root, .key = fresh->key});
	struct issued *inner = issue(&(struct wish){.name = "Inner", .ca = true, .issuer = fresh});
	struct issued *site = issue(&(struct wish){.names = "DNS:a.example,IP:192.0.2.7",
						   .issuer = inner,
						   .from = NOW - 10 * 3600,
						   .to = NOW + 150 * 3600});
	struct loading loading = {.load.need_key = false};

	(void)state;
	give(&loading, FULLCHAIN,
	     joined(pem_certificate(site), pem_certificate(inner), pem_certificate(crossed),
		    pem_certificate(fresh), NULL));
	assert_loads(&loading);
	assert_chain(&loading, "CN=Inner", "CN=New Root");
	assert_string_equal(only(&loading)->chain_pem,
			    joined(pem_certificate(inner), pem_certificate(crossed), NULL));
	assert_has(&loading, "chain-root", CERTDEPLOY_NOTICE);
	assert_false(has_any(&loading, "chain-unrelated"));
	/* No common name, an address, 160 hours. */
	assert_string_equal(only(&loading)->names[0], "a.example");
	assert_string_equal(only(&loading)->names[1], "192.0.2.7");
	loading_end(&loading);
}

static void test_two_forms_of_one_intermediate(void **state)
{
	struct issued *twin = issue(
		&(struct wish){.name = "Middle", .ca = true, .issuer = other_root, .key = middle->key});
	struct loading loading = {.load.need_key = false};

	(void)state;
	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, CHAIN, joined(pem_certificate(middle), pem_certificate(twin), NULL));
	assert_loads(&loading);
	assert_string_equal(only(&loading)->chain_pem, pem_certificate(middle));
	assert_has(&loading, "chain-alternative", CERTDEPLOY_NOTICE);
	loading_end(&loading);
}

static void test_an_expired_twin_is_not_chosen(void **state)
{
	struct issued *old = issue(&(struct wish){.name = "Middle",
						  .ca = true,
						  .issuer = top,
						  .key = middle->key,
						  .from = NOW - 900 * DAY,
						  .to = NOW - DAY});
	struct loading loading = {.load.need_key = false};

	(void)state;
	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, CHAIN, joined(pem_certificate(old), pem_certificate(middle), NULL));
	assert_loads(&loading);
	assert_string_equal(only(&loading)->chain_pem, pem_certificate(middle));
	loading_end(&loading);

	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, CHAIN, pem_certificate(old));
	assert_refused(&loading, "chain-expired");
	loading_end(&loading);

	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, CHAIN, pem_certificate(old));
	accept_code(&loading, "chain-expired");
	assert_loads(&loading);
	loading_end(&loading);
}

/* As with DST Root CA X3: the cross-signed root has ended, the root itself lives. */
static void test_an_expired_cross_sign_beside_the_root(void **state)
{
	struct issued *crossed = issue(&(struct wish){.name = "Root",
						      .ca = true,
						      .issuer = other_root,
						      .key = root->key,
						      .from = NOW - 900 * DAY,
						      .to = NOW - DAY});
	struct loading loading = {.load.need_key = false};

	(void)state;
	give(&loading, FULLCHAIN,
	     joined(pem_certificate(leaf), pem_certificate(middle), pem_certificate(top),
		    pem_certificate(crossed), pem_certificate(root), NULL));
	assert_loads(&loading);
	assert_chain(&loading, "CN=Middle", "CN=Top");
	assert_has(&loading, "chain-root", CERTDEPLOY_NOTICE);
	assert_has(&loading, "chain-alternative", CERTDEPLOY_NOTICE);
	assert_false(has_any(&loading, "chain-expired"));
	loading_end(&loading);

	/* Where the root is not known, it cannot be told from an expired intermediate. */
	give(&loading, FULLCHAIN,
	     joined(pem_certificate(leaf), pem_certificate(middle), pem_certificate(top),
		    pem_certificate(crossed), NULL));
	assert_refused(&loading, "chain-expired");
	loading_end(&loading);
}

/* Two forms of one intermediate, and the root of only one of them: that way is taken. */
static void test_the_way_whose_end_is_there(void **state)
{
	struct issued *twin =
		issue(&(struct wish){.name = "Top", .ca = true, .issuer = other_root, .key = top->key});
	struct loading loading = {.load.need_key = false};

	(void)state;
	give(&loading, FULLCHAIN,
	     joined(pem_certificate(leaf), pem_certificate(middle), pem_certificate(twin),
		    pem_certificate(top), pem_certificate(root), NULL));
	assert_loads(&loading);
	assert_string_equal(only(&loading)->chain_pem,
			    joined(pem_certificate(middle), pem_certificate(top), NULL));
	assert_has(&loading, "chain-alternative", CERTDEPLOY_NOTICE);
	loading_end(&loading);

	/* The rest of the way that is not taken is no stranger. */
	give(&loading, FULLCHAIN,
	     joined(pem_certificate(leaf), pem_certificate(middle), pem_certificate(top),
		    pem_certificate(twin), pem_certificate(root), pem_certificate(other_root), NULL));
	assert_loads(&loading);
	assert_false(has_any(&loading, "chain-unrelated"));
	loading_end(&loading);
}

static void test_issuers_in_a_circle(void **state)
{
	EVP_PKEY *one_key = issue_key("ec:P-256"), *two_key = issue_key("ec:P-256");
	struct issued *first = issue(&(struct wish){.name = "One", .ca = true, .key = one_key});
	struct issued *two =
		issue(&(struct wish){.name = "Two", .ca = true, .key = two_key, .issuer = first});
	struct issued *one =
		issue(&(struct wish){.name = "One", .ca = true, .key = one_key, .issuer = two});
	struct issued *site = issue(&(struct wish){.names = "DNS:a.example", .issuer = one});
	struct loading loading = {.load.need_key = false};

	(void)state;
	give(&loading, FULLCHAIN,
	     joined(pem_certificate(site), pem_certificate(one), pem_certificate(two), NULL));
	assert_loads(&loading);
	assert_chain(&loading, "CN=One", "CN=Two");
	loading_end(&loading);
}

static void test_the_right_name_with_a_wrong_signature(void **state)
{
	struct issued *false_middle = issue(&(struct wish){.name = "Middle", .ca = true, .issuer = top});
	struct issued *site = issue(&(struct wish){.names = "DNS:a.example", .issuer = false_middle});
	struct loading loading = {.load.need_key = false};

	(void)state;
	/* Its key identifier says so already; without one only the signature can. */
	give(&loading, CERT, pem_certificate(site));
	give(&loading, CHAIN, pem_certificate(middle));
	assert_refused(&loading, "chain-unrelated");
	assert_has(&loading, "chain-incomplete", CERTDEPLOY_ERROR);
	loading_end(&loading);
}

static void test_a_missing_issuer_is_found_in_the_directory(void **state)
{
	char path[] = "/tmp/certdeploy-chain.XXXXXX", name[64], junk[64], command[96];
	struct loading loading = {.load.need_key = false};
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(path));
	(void)snprintf(junk, sizeof(junk), "%s/a-junk", path);
	file = fopen(junk, "w");
	assert_non_null(file);
	(void)fputs("junk", file);
	(void)fclose(file);
	(void)snprintf(junk, sizeof(junk), "%s/fifo", path);
	assert_int_equal(mkfifo(junk, 0600), 0);
	(void)snprintf(name, sizeof(name), "%s/cas.pem", path);
	file = fopen(name, "w");
	assert_non_null(file);
	(void)fprintf(file, "%s%s%s", pem_certificate(other), pem_certificate(top),
		      pem_certificate(middle));
	(void)fclose(file);
	loading.load.chain_directory = path;
	give(&loading, CERT, pem_certificate(leaf));
	assert_loads(&loading);
	assert_chain(&loading, "CN=Middle", "CN=Top");
	assert_has(&loading, "chain-completed", CERTDEPLOY_NOTICE);
	loading_end(&loading);
	(void)snprintf(command, sizeof(command), "rm -rf %s", path);
	assert_int_equal(system(command), 0);
}

/* A store of six names; the chain that is wanted is the fourth one's. */
static int stored_chain(void *user, size_t position, char **bytes, size_t *length, const char **origin)
{
	const struct issued *chains[] = {other, other, other_root, middle, other, other};
	size_t *asked = user;

	++*asked;
	*bytes = NULL;
	if (position >= sizeof(chains) / sizeof(*chains))
		return CERTDEPLOY_ENOTFOUND;
	*bytes = strdup(joined(pem_certificate(chains[position]), pem_certificate(top), NULL));
	*length = strlen(*bytes);
	*origin = "chain.pem";
	return 0;
}

static void test_the_store_is_read_once_for_many_loads(void **state)
{
	struct issued *lost = issue(&(struct wish){.name = "Lost", .ca = true});
	struct issued *without = issue(&(struct wish){.names = "DNS:www.example.jp", .issuer = lost});
	struct cd_loads loads = {0};
	size_t asked = 0;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct loading loading = {
			.load.loads = &loads, .load.stored_issuers = stored_chain, .load.issuers = &asked};

		give(&loading, CERT, pem_certificate(leaf));
		(void)load_all(&loading);
		assert_has(&loading, "chain-completed", CERTDEPLOY_NOTICE);
		loading_end(&loading);
	}
	/* The root is nowhere, so the first load went to the end. */
	assert_int_equal(asked, 7);
	for (int i = 0; i < 3; i++) {
		struct loading loading = {
			.load.loads = &loads, .load.stored_issuers = stored_chain, .load.issuers = &asked};

		give(&loading, CERT, pem_certificate(without));
		assert_refused(&loading, "chain-incomplete");
		loading_end(&loading);
	}
	assert_int_equal(asked, 7);
	/* One object for each certificate of the three chains that differ. */
	assert_int_equal(loads.stored.count, 6);
	cd_loads_free(&loads);
}

/* Root, Top and Middle stand beside each of many leaves; who only claims to be signed by one is none of
 * them. */
static void test_issuers_are_verified_once_for_many_loads(void **state)
{
	struct issued *false_middle = issue(
		&(struct wish){.name = "Middle", .ca = true, .issuer = other, .issuer_name = top->x509});
	struct issued *site = issue(&(struct wish){.names = "DNS:a.example", .issuer = false_middle});
	char *upper = joined(pem_certificate(top), pem_certificate(root), NULL);
	struct cd_loads loads = {0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct loading loading = {.load.loads = &loads};

		give(&loading, CERT, pem_certificate(i < 2 ? leaf : site));
		give(&loading, CHAIN, pem_certificate(i < 2 ? middle : false_middle));
		give(&loading, CHAIN, upper);
		if (i < 2) {
			assert_loads(&loading);
			assert_chain(&loading, "CN=Middle", "CN=Top");
		} else {
			assert_refused(&loading, "chain-unrelated");
			assert_chain(&loading, "CN=Middle", NULL);
		}
		loading_end(&loading);
		/* Middle by Top, Top by Root, and Root by itself: two of each, from the first load on. */
		assert_int_equal(loads.verified.count, 6);
	}
	cd_loads_free(&loads);
}

/* The second name of the store cannot be read: there is no memory for it. */
static int chain_without_memory(void *user, size_t position, char **bytes, size_t *length,
				const char **origin)
{
	return position == 1 ? CERTDEPLOY_ENOMEM : stored_chain(user, position, bytes, length, origin);
}

static void test_an_issuer_is_not_missed_for_want_of_memory(void **state)
{
	size_t asked = 0;
	struct loading loading = {.load.stored_issuers = chain_without_memory, .load.issuers = &asked};

	(void)state;
	give(&loading, CERT, pem_certificate(leaf));
	assert_int_equal(load_all(&loading), CERTDEPLOY_ENOMEM);
	assert_true(loading.problems.out_of_memory);
	loading_end(&loading);
}

static void test_keys_find_their_certificates(void **state)
{
	struct issued *rsa =
		issue(&(struct wish){.names = "DNS:www.example.jp", .issuer = middle, .type = "rsa:2048"});
	struct loading loading = {.load.need_key = true};
	const struct cd_certificate *first, *second;

	(void)state;
	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, CERT, pem_certificate(rsa));
	give(&loading, KEY, pem_key(rsa));
	give(&loading, KEY, pem_key(leaf));
	give(&loading, CHAIN, pem_certificate(middle));
	assert_loads(&loading);
	assert_int_equal(loading.certificates.list.count, 2);
	first = loading.certificates.list.items[0];
	second = loading.certificates.list.items[1];
	assert_string_equal(first->key_type, "rsa");
	assert_string_equal(first->key_pem, pem_key(rsa));
	assert_string_equal(second->key_type, "ecdsa");
	assert_string_equal(second->key_pem, pem_key(leaf));
	loading_end(&loading);
}

static void test_two_leaves_of_one_type(void **state)
{
	struct issued *second = issue(&(struct wish){.names = "DNS:b.example", .issuer = middle});
	struct loading loading = {.load.need_key = true};

	(void)state;
	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, CERT, pem_certificate(second));
	give(&loading, KEY, pem_key(leaf));
	give(&loading, KEY, pem_key(second));
	give(&loading, CHAIN, pem_certificate(middle));
	assert_refused(&loading, "two-certificates");
	loading_end(&loading);
}

static void test_the_wrong_key(void **state)
{
	struct loading loading = {.load.need_key = true};

	(void)state;
	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, KEY, pem_key(other));
	give(&loading, CHAIN, pem_certificate(middle));
	assert_refused(&loading, "key-mismatch");
	loading_end(&loading);
	/* check without need of a key finds it as well */
	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, KEY, pem_key(other));
	give(&loading, CHAIN, pem_certificate(middle));
	accept_code(&loading, "key-mismatch");
	assert_refused(&loading, "key-mismatch");
	loading_end(&loading);
}

static void test_no_key(void **state)
{
	struct loading loading = {.load.need_key = true};

	(void)state;
	give(&loading, FULLCHAIN, joined(pem_certificate(leaf), pem_certificate(middle), NULL));
	assert_refused(&loading, "key-missing");
	loading_end(&loading);
}

static void test_one_key_too_many(void **state)
{
	struct loading loading = {.load.need_key = true};

	(void)state;
	give(&loading, FULLCHAIN, joined(pem_certificate(leaf), pem_certificate(middle), NULL));
	give(&loading, KEY, pem_key(other));
	give(&loading, KEY, pem_key(leaf));
	assert_loads(&loading);
	assert_string_equal(only(&loading)->key_pem, pem_key(leaf));
	assert_has(&loading, "key-unused", CERTDEPLOY_WARNING);
	loading_end(&loading);
}

static void test_the_key_of_the_issuer(void **state)
{
	struct loading loading = {.load.need_key = true};

	(void)state;
	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, CHAIN, pem_certificate(middle));
	give(&loading, KEY, pem_key(middle));
	assert_refused(&loading, "key-mismatch");
	assert_has(&loading, "key-unused", CERTDEPLOY_WARNING);
	assert_string_equal(only(&loading)->report->name, "www.example.jp");
	loading_end(&loading);
}

static void test_a_public_half_that_fits_is_not_enough(void **state)
{
	/* A private key whose public numbers are the leaf's and whose private ones are not. */
	struct issued *rsa =
		issue(&(struct wish){.names = "DNS:a.example", .issuer = middle, .type = "rsa:2048"});
	struct loading loading = {.load.need_key = true};
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(rsa->key);
	const unsigned char *bytes;
	unsigned char *changed;
	char *pem = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	int length;

	(void)state;
	assert_int_equal(PKCS8_pkey_get0(NULL, &bytes, &length, NULL, info), 1);
	changed = OPENSSL_memdup(bytes, (size_t)length);
	/* OpenSSL makes up for wrong primes by the exponent, and so both are changed. */
	changed[length / 4] ^= 0x55;
	changed[length / 2] ^= 0x55;
	assert_int_equal(PKCS8_pkey_set0(info, OBJ_nid2obj(NID_rsaEncryption), 0, V_ASN1_NULL, NULL,
					 changed, length),
			 1);
	assert_int_equal(PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, info), 1);
	length = (int)BIO_get_mem_data(bio, &pem);
	give(&loading, FULLCHAIN, joined(pem_certificate(rsa), pem_certificate(middle), NULL));
	give_bytes(&loading, KEY, pem, (size_t)length);
	assert_int_equal(load_all(&loading), CERTDEPLOY_EREFUSED);
	loading_end(&loading);
	BIO_free(bio);
	PKCS8_PRIV_KEY_INFO_free(info);
}

static void test_too_many_certificates(void **state)
{
	struct cd_buffer text = {0};
	struct loading loading = {.load.need_key = false};
	const struct issued *issuer = root;

	(void)state;
	for (int i = 0; i < 12; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "CA %d", i);
		issuer = issue(&(struct wish){.name = name, .ca = true, .issuer = issuer});
		cd_buffer_string(&text, pem_certificate(issuer));
	}
	issuer = issue(&(struct wish){.names = "DNS:a.example", .issuer = issuer});
	give(&loading, CERT, pem_certificate(issuer));
	give(&loading, CHAIN, cd_buffer_text(&text));
	assert_refused(&loading, "too-large");
	loading_end(&loading);
	for (int i = 0; i < 40; i++)
		cd_buffer_string(&text, pem_certificate(issue(&(struct wish){
						.name = "x", .ca = true, .key = issuer->key})));
	give(&loading, CHAIN, cd_buffer_text(&text));
	assert_refused(&loading, "too-large");
	loading_end(&loading);
	cd_buffer_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_in_order),
		cmocka_unit_test(test_everything_in_one_file_upside_down),
		cmocka_unit_test(test_the_leaf_in_both_files_is_no_news),
		cmocka_unit_test(test_duplicates_are_said_and_kept_once),
		cmocka_unit_test(test_a_leaf_alone_is_incomplete),
		cmocka_unit_test(test_a_gap_in_the_chain),
		cmocka_unit_test(test_unrelated_is_refused_or_left_out),
		cmocka_unit_test(test_a_leaf_of_a_private_root),
		cmocka_unit_test(test_cross_signed_roots),
		cmocka_unit_test(test_two_forms_of_one_intermediate),
		cmocka_unit_test(test_an_expired_twin_is_not_chosen),
		cmocka_unit_test(test_an_expired_cross_sign_beside_the_root),
		cmocka_unit_test(test_the_way_whose_end_is_there),
		cmocka_unit_test(test_issuers_in_a_circle),
		cmocka_unit_test(test_the_right_name_with_a_wrong_signature),
		cmocka_unit_test(test_a_missing_issuer_is_found_in_the_directory),
		cmocka_unit_test(test_the_store_is_read_once_for_many_loads),
		cmocka_unit_test(test_issuers_are_verified_once_for_many_loads),
		cmocka_unit_test(test_an_issuer_is_not_missed_for_want_of_memory),
		cmocka_unit_test(test_keys_find_their_certificates),
		cmocka_unit_test(test_two_leaves_of_one_type),
		cmocka_unit_test(test_the_wrong_key),
		cmocka_unit_test(test_no_key),
		cmocka_unit_test(test_one_key_too_many),
		cmocka_unit_test(test_the_key_of_the_issuer),
		cmocka_unit_test(test_a_public_half_that_fits_is_not_enough),
		cmocka_unit_test(test_too_many_certificates),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
