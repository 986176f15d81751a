/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-archive.c - archives of a store, as we write them and as somebody else would */
#include "issue.h"

#include "certificate/archive.h"
#include "certificate/issue.h"

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

/* ---- requests that wait ---- */

static const char *const names[] = {"later.example.jp", NULL};

/* A request as the store has it; its directory is named after the key. */
static struct cd_waiting wait_for(struct cd_issue *issue, const char *passphrase_of_key)
{
	struct cd_wish wish = {.names = names, .now = NOW, .key_type = "ec:p256"};
	const struct certdeploy_certificate_report *report = NULL;
	struct cd_problems problems = {0};
	struct cd_waiting waiting;

	wish.passphrase = passphrase_of_key;
	wish.passphrase_length = passphrase_of_key == NULL ? 0 : strlen(passphrase_of_key);
	assert_int_equal(cd_issue(issue, &problems, &wish), 0);
	waiting = (struct cd_waiting){.key = issue->key_pem, .request = issue->csr_pem};
	assert_int_equal(cd_request_describe(&report, &issue->arena, &problems,
					     &(struct cd_piece){.kind = CERTDEPLOY_MATERIAL_CSR,
								.bytes = issue->csr_pem,
								.length = strlen(issue->csr_pem)}),
			 0);
	waiting.id = cd_waiting_id(&issue->arena, NOW, report->public_key_sha256);
	cd_problems_free(&problems);
	return waiting;
}

static struct cd_piece archive_with(const struct cd_waiting *waiting)
{
	const struct cd_archive_entry entry = {.name = names[0], .waiting = waiting};
	struct cd_vector entries = {0};
	struct cd_buffer der = {0};
	struct cd_piece piece = {.kind = CERTDEPLOY_MATERIAL_ARCHIVE, .origin = "store.p12"};

	assert_int_equal(cd_vector_add(&entries, (void *)(uintptr_t)&entry), 0);
	assert_int_equal(cd_archive_write(&der, &entries, WORD), 0);
	piece.length = der.length;
	piece.bytes = OPENSSL_memdup(der.bytes, der.length);
	cd_vector_free(&entries);
	cd_buffer_free(&der);
	return piece;
}

/* What the archive brings of one request, judged as on arrival. */
static int arrive(const struct cd_waiting *sent, const char *code)
{
	const struct certdeploy_certificate_report *report = NULL;
	struct cd_piece piece = archive_with(sent);
	const struct cd_archived *entry;
	const struct cd_waiting *found;
	struct opened opened;
	int result;

	open_archive(&opened, &piece);
	assert_int_equal(opened.result, 0);
	entry = opened.archive.list.items[0];
	assert_int_equal(opened.archive.list.count, 1);
	assert_int_equal(entry->pem.length, 0);
	assert_int_equal(entry->waiting.count, 1);
	found = entry->waiting.items[0];
	assert_string_equal(found->request, sent->request);
	assert_string_equal(found->key, sent->key);
	result = cd_waiting_check(&report, &opened.problems, found, entry->name);
	if (code != NULL)
		assert_string_equal(cd_problems_error(&opened.problems, 0)->code, code);
	close_archive(&opened);
	return result;
}

static void test_a_request_comes_along(void **state)
{
	static const char *const passphrases[] = {NULL, "of the key"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct cd_issue issue = {0};
		struct cd_waiting waiting = wait_for(&issue, passphrases[i]);

		assert_int_equal(arrive(&waiting, NULL), 0);
		cd_issue_free(&issue);
	}
}

/* The same without the archive, whose encryption takes its time. */
static int judged(const struct cd_waiting *waiting, const char *code)
{
	const struct certdeploy_certificate_report *report = NULL;
	struct cd_problems problems = {0};
	int result = cd_waiting_check(&report, &problems, waiting, names[0]);

	assert_string_equal(cd_problems_error(&problems, 0)->code, code);
	cd_problems_free(&problems);
	return result;
}

static void test_requests_that_are_not_what_they_say(void **state)
{
	static const char *const ids[] = {"../../../etc/cron.d",
					  "20270115T080000Z-",
					  "20270115T080000Z-00000000",
					  "20270115T080000Z/00000000",
					  "",
					  "current"};
	struct cd_issue issue = {0}, another = {0};
	const struct cd_waiting good = wait_for(&issue, NULL), other = wait_for(&another, NULL);
	struct cd_waiting bad = good;

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		bad.id = ids[i];
		assert_int_equal(judged(&bad, "not-understood"), CERTDEPLOY_EREFUSED);
	}
	bad = good;
	bad.key = other.key;
	assert_int_equal(judged(&bad, "key-mismatch"), CERTDEPLOY_EREFUSED);
	bad.key = "#!/bin/sh\n";
	assert_int_equal(judged(&bad, "key-mismatch"), CERTDEPLOY_EREFUSED);
	bad.key = "";
	assert_int_equal(judged(&bad, "key-mismatch"), CERTDEPLOY_EREFUSED);
	cd_issue_free(&issue);
	cd_issue_free(&another);
}

static void test_secrets_that_are_no_request(void **state)
{
	static const char *const texts[] = {
		"", "nothing", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		const struct cd_waiting bad = {
			.id = "20270115T080000Z-00000000", .request = texts[i], .key = ""};
		struct cd_piece piece = archive_with(&bad);
		struct opened opened;

		open_archive(&opened, &piece);
		assert_string_equal(said(&opened), "this is no archive of a store");
		close_archive(&opened);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_archive_that_anybody_could_have_made),
		cmocka_unit_test(test_an_archive_of_somebody_who_knew_the_passphrase),
		cmocka_unit_test(test_names_that_lead_elsewhere),
		cmocka_unit_test(test_what_is_no_part_of_an_archive),
		cmocka_unit_test(test_a_request_comes_along),
		cmocka_unit_test(test_requests_that_are_not_what_they_say),
		cmocka_unit_test(test_secrets_that_are_no_request),
	};

	return cmocka_run_group_tests_name("archive", tests, set_up, tear_down);
}
