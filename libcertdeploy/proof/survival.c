/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * survival.c - whether a server lives through the reload that a plan needs
 *
 * httpd's own test opens no certificate and no key, and its reload ends it when one of them is no good:
 * also one that has nothing to do with this plan and was changed since, unnoticed. Only files that are
 * younger than the server's pid file are looked into; all others it has loaded itself.
 */
#include "proof/survival.h"

#include "base/text.h"
#include "certificate/certificate.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LIMIT ((size_t)1 << 20)

enum verdict {
	FINE, /* or nothing that can be told here: what is missing the server's own test sees */
	BAD_CERTIFICATE,
	BAD_KEY,
	MISMATCH,
};

struct pair_files {
	char *certificate;
	size_t certificate_length;
	char *key;
	size_t key_length;
};

/* ---- which ones ---- */

static bool times_of(const struct cd_root *root, const char *path, int flags, struct stat *status)
{
	int fd = cd_open(root, path, O_PATH | flags);
	bool found = fd != -1 && fstat(fd, status) == 0;

	if (fd != -1)
		(void)close(fd);
	return found;
}

static bool is_younger(const struct cd_root *root, const char *path, const struct timespec *than)
{
	static const int kinds[] = {0, O_NOFOLLOW};
	struct stat status;

	for (size_t i = 0; i < 2; i++)
		if (times_of(root, path, kinds[i], &status) &&
		    (status.st_ctim.tv_sec != than->tv_sec ? status.st_ctim.tv_sec > than->tv_sec
							   : status.st_ctim.tv_nsec >= than->tv_nsec))
			return true;
	return false;
}

static bool is_in(const char *directory, const char *path)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* ---- one pair ---- */

/* The first certificate, when all behind it can be read as well. */
static X509 *read_certificate(const struct pair_files *files, bool all)
{
	BIO *bio = BIO_new_mem_buf(files->certificate, (int)files->certificate_length);
	X509 *leaf = bio == NULL ? NULL : PEM_read_bio_X509_AUX(bio, NULL, cd_no_passphrase, NULL), *next;

	while (leaf != NULL && all && (next = PEM_read_bio_X509(bio, NULL, cd_no_passphrase, NULL)) != NULL)
		X509_free(next);
	if (leaf != NULL && all && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		X509_free(leaf);
		leaf = NULL;
	}
	BIO_free(bio);
	return leaf;
}

static enum verdict judge_key(const struct pair_files *files, X509 *leaf)
{
	BIO *bio = BIO_new_mem_buf(files->key, (int)files->key_length);
	EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, cd_no_passphrase, NULL);
	enum verdict verdict = FINE;

	/* Under a passphrase: the server may have somebody to ask. */
	if (key == NULL)
		verdict = strstr(files->key, "ENCRYPTED") != NULL ? FINE : BAD_KEY;
	else if (X509_check_private_key(leaf, key) != 1)
		verdict = MISMATCH;
	EVP_PKEY_free(key);
	BIO_free(bio);
	return verdict;
}

static enum verdict judge(const struct pair_files *files, bool all)
{
	enum verdict verdict = BAD_CERTIFICATE;
	X509 *leaf;

	ERR_clear_error();
	leaf = read_certificate(files, all);
	if (leaf != NULL)
		verdict = judge_key(files, leaf);
	X509_free(leaf);
	ERR_clear_error();
	return verdict;
}

static int check_pair(struct cd_plan *plan, const struct certdeploy_pair *pair)
{
	const struct cd_root *root = &plan->inventory.host.root;
	struct pair_files files = {0};
	struct cd_identity identity;
	enum verdict verdict = FINE;
	int result = 0;

	if (cd_read_file(&files.certificate, &files.certificate_length, &identity, root, pair->certificate,
			 FILE_LIMIT) == 0 &&
	    cd_read_file(&files.key, &files.key_length, &identity, root, pair->key, FILE_LIMIT) == 0)
		verdict = judge(&files, pair->chain == NULL);
	if (verdict == BAD_CERTIFICATE)
		result = cd_fail(
			plan->problems, CERTDEPLOY_EREFUSED, "reload-would-end", pair->file, pair->line,
			_("a reload would end the server: %s holds no certificate that it can load"),
			pair->certificate);
	else if (verdict == BAD_KEY)
		result = cd_fail(
			plan->problems, CERTDEPLOY_EREFUSED, "reload-would-end", pair->file, pair->line,
			_("a reload would end the server: %s holds no private key that it can load"),
			pair->key);
	else if (verdict == MISMATCH)
		result = cd_fail(
			plan->problems, CERTDEPLOY_EREFUSED, "reload-would-end", pair->file, pair->line,
			_("a reload would end the server: the private key %s does not belong to the "
			  "certificate %s"),
			pair->key, pair->certificate);
	if (files.key != NULL)
		OPENSSL_cleanse(files.key, files.key_length);
	if (files.certificate != NULL)
		OPENSSL_cleanse(files.certificate, files.certificate_length);
	free(files.key);
	free(files.certificate);
	return result;
}

/* ---- all of them ---- */

static int check_endpoint(struct cd_plan *plan, const struct certdeploy_endpoint *endpoint,
			  struct cd_table *seen, const struct timespec *since)
{
	const struct cd_root *root = &plan->inventory.host.root;
	int result = 0;

	for (size_t i = 0; result == 0 && i < endpoint->pair_count; i++) {
		const struct certdeploy_pair *pair = &endpoint->pairs[i];
		const char *key;

		/* What lies in the store was judged when it was put there. */
		if (pair->certificate == NULL || pair->key == NULL ||
		    is_in(plan->cd->settings.store, pair->certificate) ||
		    (!is_younger(root, pair->certificate, since) && !is_younger(root, pair->key, since)))
			continue;
		key = cd_arena_format(&plan->arena, "%s\n%s", pair->certificate, pair->key);
		if (key == NULL)
			return cd_fail_memory(plan->problems);
		if (cd_table_get(seen, key) != NULL)
			continue;
		result = cd_table_put(seen, key, pair) != 0 ? cd_fail_memory(plan->problems)
							    : check_pair(plan, pair);
	}
	return result;
}

int cd_check_survival(struct cd_plan *plan, const struct cd_planned *planned)
{
	const struct cd_control *control = &planned->seen->control;
	struct cd_table seen = {0};
	struct stat started;
	int result = 0;

	if (!control->ends_on_bad_pair || planned->seen->running != 1 || control->pid_file == NULL ||
	    !times_of(&plan->inventory.host.root, control->pid_file, 0, &started))
		return 0;
	for (size_t i = 0; result == 0 && i < planned->endpoint_count; i++) {
		const struct cd_planned_endpoint *endpoint = &planned->endpoints[i];

		if (endpoint->order == NULL && endpoint->after != NULL)
			result = check_endpoint(plan, endpoint->after, &seen, &started.st_mtim);
	}
	cd_table_free(&seen);
	return result;
}
