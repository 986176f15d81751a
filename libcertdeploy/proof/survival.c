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
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LIMIT ((size_t)1 << 20)

enum verdict {
	FINE, /* or nothing that can be told here: what is missing the server's own test sees */
	BAD_CERTIFICATE,
	TOO_WEAK,
	BAD_KEY,
	LOCKED_KEY,
	MISMATCH,
};

/* The pairs of one service. */
struct survival {
	struct cd_plan *plan;
	const struct certdeploy_daemon *daemon;
	struct timespec since; /* it has loaded what is older */
	struct cd_table seen;
};

struct pair_files {
	char *certificate;
	size_t certificate_length;
	char *key;
	size_t key_length;
	bool new_key; /* one that it has not loaded yet */
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

/* By the security level of this host's OpenSSL. */
static bool is_too_weak(X509 *leaf)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	bool weak = context != NULL && SSL_CTX_use_certificate(context, leaf) != 1;

	SSL_CTX_free(context);
	return weak;
}

/* One under a passphrase is kept open through a reload while its file stays what it was. */
static enum verdict judge_locked(const struct pair_files *files, const struct certdeploy_daemon *daemon)
{
	if (strstr(files->key, "ENCRYPTED") == NULL)
		return BAD_KEY;
	return daemon->asks_program || !files->new_key ? FINE : LOCKED_KEY;
}

static enum verdict judge_key(const struct pair_files *files, X509 *leaf,
			      const struct certdeploy_daemon *daemon)
{
	BIO *bio = BIO_new_mem_buf(files->key, (int)files->key_length);
	EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, cd_no_passphrase, NULL);
	enum verdict verdict = FINE;

	if (key == NULL)
		verdict = judge_locked(files, daemon);
	else if (X509_check_private_key(leaf, key) != 1)
		verdict = MISMATCH;
	EVP_PKEY_free(key);
	BIO_free(bio);
	return verdict;
}

static enum verdict judge(const struct pair_files *files, bool all, const struct certdeploy_daemon *daemon)
{
	enum verdict verdict = BAD_CERTIFICATE;
	X509 *leaf;

	ERR_clear_error();
	leaf = read_certificate(files, all);
	if (leaf != NULL)
		verdict = !daemon->own_security_level && is_too_weak(leaf) ? TOO_WEAK
									   : judge_key(files, leaf, daemon);
	X509_free(leaf);
	ERR_clear_error();
	return verdict;
}

static int refuse(struct cd_problems *problems, const struct certdeploy_pair *pair, enum verdict verdict)
{
	switch (verdict) {
	case FINE:
		break;
	case BAD_CERTIFICATE:
		return cd_fail(problems, CERTDEPLOY_EREFUSED, "reload-would-end", pair->file, pair->line,
			       _("a reload would end the server: %s holds no certificate that it can load"),
			       pair->certificate);
	case TOO_WEAK:
		return cd_fail(
			problems, CERTDEPLOY_EREFUSED, "reload-would-end", pair->file, pair->line,
			_("a reload would end the server: the certificate %s is too weak for OpenSSL"),
			pair->certificate);
	case BAD_KEY:
		return cd_fail(problems, CERTDEPLOY_EREFUSED, "reload-would-end", pair->file, pair->line,
			       _("a reload would end the server: %s holds no private key that it can load"),
			       pair->key);
	case LOCKED_KEY:
		return cd_fail(problems, CERTDEPLOY_EREFUSED, "reload-would-end", pair->file, pair->line,
			       _("a reload would end the server: nobody tells it the passphrase of %s"),
			       pair->key);
	case MISMATCH:
		return cd_fail(problems, CERTDEPLOY_EREFUSED, "reload-would-end", pair->file, pair->line,
			       _("a reload would end the server: the private key %s does not belong to the "
				 "certificate %s"),
			       pair->key, pair->certificate);
	}
	return 0;
}

static int check_pair(const struct survival *survival, const struct certdeploy_pair *pair)
{
	struct cd_plan *plan = survival->plan;
	const struct cd_root *root = &plan->inventory.host.root;
	struct pair_files files = {.new_key = is_younger(root, pair->key, &survival->since)};
	struct cd_identity identity;
	enum verdict verdict = FINE;

	if (cd_read_file(&files.certificate, &files.certificate_length, &identity, root, pair->certificate,
			 FILE_LIMIT) == 0 &&
	    cd_read_file(&files.key, &files.key_length, &identity, root, pair->key, FILE_LIMIT) == 0)
		verdict = judge(&files, pair->chain == NULL, survival->daemon);
	if (files.key != NULL)
		OPENSSL_cleanse(files.key, files.key_length);
	if (files.certificate != NULL)
		OPENSSL_cleanse(files.certificate, files.certificate_length);
	free(files.key);
	free(files.certificate);
	return refuse(plan->problems, pair, verdict);
}

/* ---- all of them ---- */

static int check_pairs(struct survival *survival, const struct certdeploy_pair *pairs, size_t count)
{
	struct cd_plan *plan = survival->plan;
	const struct cd_root *root = &plan->inventory.host.root;
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++) {
		const struct certdeploy_pair *pair = &pairs[i];
		const char *key;

		/* What lies in the store was judged when it was put there. */
		if (pair->certificate == NULL || pair->key == NULL ||
		    is_in(plan->cd->settings.store, pair->certificate) ||
		    (!is_younger(root, pair->certificate, &survival->since) &&
		     !is_younger(root, pair->key, &survival->since)))
			continue;
		key = cd_arena_format(&plan->arena, "%s\n%s", pair->certificate, pair->key);
		if (key == NULL)
			return cd_fail_memory(plan->problems);
		if (cd_table_get(&survival->seen, key) != NULL)
			continue;
		result = cd_table_put(&survival->seen, key, pair) != 0 ? cd_fail_memory(plan->problems)
								       : check_pair(survival, pair);
	}
	return result;
}

int cd_check_survival(struct cd_plan *plan, const struct cd_planned *planned)
{
	const struct cd_control *control = &planned->seen->control;
	const struct certdeploy_daemon *daemon = &planned->seen->daemon;
	struct survival survival = {.plan = plan, .daemon = daemon};
	struct stat started;
	int result;

	if (!daemon->ends_on_bad_pair || planned->seen->running != 1 || control->pid_file == NULL ||
	    !times_of(&plan->inventory.host.root, control->pid_file, 0, &started))
		return 0;
	survival.since = started.st_mtim;
	result = check_pairs(&survival, daemon->loaded, daemon->loaded_count);
	for (size_t i = 0; result == 0 && i < planned->endpoint_count; i++) {
		const struct certdeploy_endpoint *after = planned->endpoints[i].after;

		if (after != NULL)
			result = check_pairs(&survival, after->pairs, after->pair_count);
	}
	cd_table_free(&survival.seen);
	return result;
}
