/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-archive.c - archives of a store, as we write them and as somebody else would */
#include "issue.h"

#include "certificate/archive.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <string.h>

#define WORD "secret"

static struct issued *root, *leaf;

static int set_up(void **state)
{
	(void)state;
	root = issue(&(struct wish){.name = "Root", .ca = true});
	leaf = issue(&(struct wish){.names = "DNS:www.example.jp", .issuer = root});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	issue_end();
	return 0;
}

/* ---- archives that somebody else made ---- */

typedef STACK_OF(PKCS12_SAFEBAG) bags;

static void named(PKCS12_SAFEBAG *bag, const char *name)
{
	assert_non_null(bag);
	if (name != NULL)
		assert_int_equal(PKCS12_add_friendlyname_utf8(bag, name, -1), 1);
}

/* Key and leaf under a name; NULL: under none. */
static void add_pair(bags **list, const char *name)
{
	named(PKCS12_add_key(list, leaf->key, 0, 0, -1, NULL), name);
	named(PKCS12_add_cert(list, leaf->x509), name);
}

enum seal { NONE, NO_PASSPHRASE, EMPTY_PASSPHRASE, PASSPHRASE };

/* One part in the open, sealed or not; takes the bags. */
static struct cd_piece forge(bags *list, enum seal seal)
{
	static const char *const passphrases[] = {NULL, NULL, "", WORD};
	STACK_OF(PKCS7) *parts = NULL;
	unsigned char *der = NULL;
	PKCS12 *pkcs12;
	int length;

	assert_int_equal(PKCS12_add_safe(&parts, list, -1, 0, NULL), 1);
	pkcs12 = PKCS12_add_safes(parts, 0);
	assert_non_null(pkcs12);
	if (seal != NONE)
		assert_int_equal(PKCS12_set_mac(pkcs12, passphrases[seal], -1, NULL, 0, 100, EVP_sha256()),
				 1);
	length = i2d_PKCS12(pkcs12, &der);
	assert_true(length > 0);
	PKCS12_free(pkcs12);
	sk_PKCS7_pop_free(parts, PKCS7_free);
	sk_PKCS12_SAFEBAG_pop_free(list, PKCS12_SAFEBAG_free);
	return (struct cd_piece){
		.kind = CERTDEPLOY_MATERIAL_ARCHIVE,
		.bytes = (char *)der,
		.length = (size_t)length,
		.origin = "store.p12",
	};
}

static int passphrase(void *user, const char *origin, char *buffer, size_t size)
{
	(void)user;
	(void)origin;
	assert_true(size >= strlen(WORD));
	memcpy(buffer, WORD, strlen(WORD));
	return (int)strlen(WORD);
}

/* One archive opened, and the first that was said of it. */
struct opened {
	struct cd_archive archive;
	struct cd_problems problems;
	int result;
};

static void open_archive(struct opened *opened, const struct cd_piece *piece)
{
	const struct cd_load load = {.passphrase = passphrase};

	*opened = (struct opened){.result = 0};
	opened->result = cd_archive_read(&opened->archive, &opened->problems, piece, &load);
	OPENSSL_free((void *)(uintptr_t)piece->bytes);
}

static const char *said(const struct opened *opened)
{
	const struct certdeploy_problem *problem = cd_problems_error(&opened->problems, 0);

	return problem == NULL ? "" : problem->message;
}

static void close_archive(struct opened *opened)
{
	cd_archive_free(&opened->archive);
	cd_problems_free(&opened->problems);
}

/* What it holds would pass as accepted before. */
static void test_an_archive_that_anybody_could_have_made(void **state)
{
	static const enum seal seals[] = {NONE, NO_PASSPHRASE, EMPTY_PASSPHRASE};
	struct opened opened;

	(void)state;
	for (size_t i = 0; i < sizeof(seals) / sizeof(*seals); i++) {
		bags *list = NULL;
		struct cd_piece piece;

		add_pair(&list, "www.example.jp");
		piece = forge(list, seals[i]);
		open_archive(&opened, &piece);
		assert_int_equal(opened.result, CERTDEPLOY_EREFUSED);
		assert_string_equal(said(&opened), "the archive of a store must be sealed by a passphrase");
		close_archive(&opened);
	}
}

static void test_an_archive_of_somebody_who_knew_the_passphrase(void **state)
{
	struct opened opened;
	struct cd_piece piece;
	bags *list = NULL;

	(void)state;
	add_pair(&list, "www.example.jp");
	piece = forge(list, PASSPHRASE);
	open_archive(&opened, &piece);
	assert_int_equal(opened.result, 0);
	assert_int_equal(opened.archive.list.count, 1);
	close_archive(&opened);
}

static void test_names_that_lead_elsewhere(void **state)
{
	static const char *const names[] = {"../../x", ".", "..", "a/b", "current\n", "-x", ""};
	struct opened opened;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		bags *list = NULL;
		struct cd_piece piece;

		add_pair(&list, "www.example.jp");
		add_pair(&list, names[i]);
		piece = forge(list, PASSPHRASE);
		open_archive(&opened, &piece);
		assert_int_equal(opened.result, CERTDEPLOY_EREFUSED);
		assert_non_null(strstr(said(&opened), "cannot be a name in the store"));
		close_archive(&opened);
	}
}

static void test_what_is_no_part_of_an_archive(void **state)
{
	struct opened opened;
	struct cd_piece piece;
	bags *list = NULL;

	(void)state;
	add_pair(&list, NULL);
	piece = forge(list, PASSPHRASE);
	open_archive(&opened, &piece);
	assert_string_equal(said(&opened), "this is no archive of a store");
	close_archive(&opened);

	list = NULL;
	named(PKCS12_add_key(&list, leaf->key, 0, 100, NID_aes_256_cbc, WORD), "www.example.jp");
	piece = forge(list, PASSPHRASE);
	open_archive(&opened, &piece);
	assert_string_equal(said(&opened), "this is no archive of a store");
	close_archive(&opened);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_archive_that_anybody_could_have_made),
		cmocka_unit_test(test_an_archive_of_somebody_who_knew_the_passphrase),
		cmocka_unit_test(test_names_that_lead_elsewhere),
		cmocka_unit_test(test_what_is_no_part_of_an_archive),
	};

	return cmocka_run_group_tests_name("archive", tests, set_up, tear_down);
}
