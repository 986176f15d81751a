/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-material.c - certificates, keys and requests from strangers
 *
 * Whatever the bytes are: they are refused with a problem, or what is given out reads again as what it
 * says; and it takes no long time either way.
 */
#include "fuzz.h"

#include "certificate/archive.h"
#include "certificate/certificate.h"

#include <openssl/pem.h>
#include <string.h>
#include <time.h>

#define SECONDS 5 /* far more than any input needs, also under a sanitizer */

static int passphrase(void *user, const char *origin, char *buffer, size_t size)
{
	(void)user;
	(void)origin;
	FUZZ_ASSERT(size >= 6);
	memcpy(buffer, "secret", 6);
	return 6;
}

static void check_output(const struct cd_certificate *certificate)
{
	BIO *bio = BIO_new_mem_buf(certificate->leaf_pem, -1);
	X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	EVP_PKEY *key;

	FUZZ_ASSERT(x509 != NULL);
	BIO_free(bio);
	bio = BIO_new_mem_buf(certificate->key_pem, (int)certificate->key_pem_length);
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	FUZZ_ASSERT(key != NULL && X509_check_private_key(x509, key) == 1);
	FUZZ_ASSERT(strstr(certificate->chain_pem, "PRIVATE") == NULL);
	FUZZ_ASSERT(strstr(certificate->leaf_pem, "PRIVATE") == NULL);
	for (size_t i = 0; certificate->names[i] != NULL; i++)
		FUZZ_ASSERT(strspn(certificate->names[i], "abcdefghijklmnopqrstuvwxyz0123456789-._*:") ==
			    strlen(certificate->names[i]));
	EVP_PKEY_free(key);
	X509_free(x509);
	BIO_free(bio);
}

static void load(const struct cd_piece *piece)
{
	static const char *const accepted[] = {"self-signed",     "chain-incomplete", "expired",
					       "chain-unrelated", "not-yet-valid",    NULL};
	struct cd_certificates certificates;
	struct cd_problems problems = {0};
	const struct cd_load load = {.pieces = piece,
				     .count = 1,
				     .passphrase = passphrase,
				     .accepted = accepted,
				     .need_key = true,
				     .now = 1800000000};
	int result = cd_certificates_load(&certificates, &problems, &load);

	FUZZ_ASSERT(result == 0 || result == CERTDEPLOY_EREFUSED || result == CERTDEPLOY_ENOMEM);
	FUZZ_ASSERT((result == CERTDEPLOY_EREFUSED) == (cd_problems_error(&problems, 0) != NULL));
	for (size_t i = 0; result == 0 && i < certificates.list.count; i++)
		check_output(certificates.list.items[i]);
	for (size_t i = 0; i < problems.list.count; i++)
		FUZZ_ASSERT(strpbrk(((struct certdeploy_problem *)problems.list.items[i])->message,
				    "\n\r\x1b") == NULL);
	cd_certificates_free(&certificates);
	cd_problems_free(&problems);
}

static void describe(const struct cd_piece *piece)
{
	const struct certdeploy_certificate_report *report = NULL;
	struct cd_problems problems = {0};
	struct cd_arena arena = {0};
	int result = cd_request_describe(&report, &arena, &problems, piece);

	FUZZ_ASSERT((result == 0) == (report != NULL));
	cd_arena_free(&arena);
	cd_problems_free(&problems);
}

/* A store: what is in it has names of ours, and is judged as if it had been given by itself. */
static void unpack(const struct cd_piece *piece)
{
	const struct cd_load given = {.passphrase = passphrase};
	struct cd_problems problems = {0};
	struct cd_archive archive;
	int result = cd_archive_read(&archive, &problems, piece, &given);

	FUZZ_ASSERT((result == CERTDEPLOY_EREFUSED) == (cd_problems_error(&problems, 0) != NULL));
	for (size_t i = 0; result == 0 && i < archive.list.count && i < 4; i++) {
		const struct cd_archived *entry = archive.list.items[i];
		const struct cd_piece one = {
			.bytes = entry->pem.bytes, .length = entry->pem.length, .origin = entry->name};

		FUZZ_ASSERT(strspn(entry->name, "abcdefghijklmnopqrstuvwxyz0123456789-._") ==
			    strlen(entry->name));
		load(&one);
	}
	cd_archive_free(&archive);
	cd_problems_free(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cd_piece piece = {.kind = CERTDEPLOY_MATERIAL_ANY,
				       .bytes = (const char *)data,
				       .length = size,
				       .origin = "input"};
	clock_t begin = clock();

	load(&piece);
	describe(&piece);
	unpack(&piece);
	FUZZ_ASSERT((clock() - begin) / CLOCKS_PER_SEC < SECONDS);
	return 0;
}
