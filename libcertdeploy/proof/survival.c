/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * survival.c - whether a server lives through the reload that a plan needs
 *
 * httpd's own test opens no certificate and no key, and its reload ends it when one of them is no good:
 * also one that has nothing to do with this plan and was changed since, unnoticed. Only files that are
 * younger than the server's pid file are looked into; all others it has loaded itself. One that does not
 * run as root also ends of a file that it may not read, or in a directory that it may not enter, and what
 * this plan writes may be such a one.
 */
#include "proof/survival.h"

#include "base/text.h"
#include "certificate/certificate.h"
#include "certificate/material.h"

#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FILE_LIMIT ((size_t)1 << 20)

enum verdict {
	FINE, /* or nothing that can be told here: what is missing the server's own test sees */
	BAD_CERTIFICATE,
	TOO_WEAK,
	BAD_KEY,
	LOCKED_KEY,
	MISMATCH,
	NO_MEMORY, /* to tell */
};

/* The pairs of one service. */
struct survival {
	struct cd_problems *problems;
	const struct cd_root *root;
	const char *store;
	const struct cd_changes *changes; /* files that are about to be put back, or NULL */
	const struct cd_changes *planned; /* files that are about to be written, or NULL */
	const struct certdeploy_daemon *daemon;
	struct timespec since; /* it has loaded what is older */
	struct cd_account account;
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

static bool is_later(const struct timespec *one, const struct timespec *than)
{
	return one->tv_sec != than->tv_sec ? one->tv_sec > than->tv_sec : one->tv_nsec >= than->tv_nsec;
}

static bool is_younger(const struct cd_root *root, const char *path, const struct timespec *than)
{
	static const int kinds[] = {0, O_NOFOLLOW};
	struct stat status;

	for (size_t i = 0; i < 2; i++)
		if (times_of(root, path, kinds[i], &status) && is_later(&status.st_ctim, than))
			return true;
	return false;
}

static bool is_in(const char *directory, const char *path)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* ---- who may read them ---- */

/* What the plan writes to a path; one in the store is reached by its name's link, which the plan turns. */
static const struct cd_change *change_of(const struct cd_changes *changes, const char *path)
{
	const struct cd_change *change = cd_table_get(&changes->by_path, path), *link;
	const char *slash = strrchr(path, '/');
	char place[PATH_MAX];
	int length;

	if (change != NULL || slash == NULL || (size_t)(slash - path) >= sizeof(place))
		return change;
	memcpy(place, path, (size_t)(slash - path));
	place[slash - path] = '\0';
	link = cd_table_get(&changes->by_path, place);
	if (link == NULL || link->kind != CD_CHANGE_LINK)
		return NULL;
	length = (int)(strrchr(place, '/') - place);
	(void)snprintf(place, sizeof(place), "%.*s/%s%s", length, path, link->target, slash);
	return cd_table_get(&changes->by_path, place);
}

static bool has_access_list(int fd)
{
	return fgetxattr(fd, "system.posix_acl_access", NULL, 0) > 0;
}

/* One that stands there; what cannot be told, as with an access control list, may be read. */
static bool may_read_present(const struct survival *survival, const char *path)
{
	int fd = cd_open(survival->root, path, O_RDONLY | O_NONBLOCK);
	struct stat status;
	bool may = fd == -1 || fstat(fd, &status) != 0 || has_access_list(fd) ||
		   cd_account_may_read(&survival->account, status.st_uid, status.st_gid, status.st_mode);

	if (fd != -1)
		(void)close(fd);
	return may;
}

/* What this plan makes, and not only changes. */
static const struct cd_change *made(const struct survival *survival, const char *path)
{
	const struct cd_change *change =
		survival->planned == NULL ? NULL : change_of(survival->planned, path);

	/* What is replaced keeps owner, mode and access control list. */
	return change != NULL && change->before.exists && !change->forced ? NULL : change;
}

static bool may_read(const struct survival *survival, const char *path)
{
	const struct cd_change *change = made(survival, path);

	if (change == NULL)
		return !is_younger(survival->root, path, &survival->since) ||
		       may_read_present(survival, path);
	return change->kind != CD_CHANGE_FILE || change->acl != NULL ||
	       cd_account_may_read(&survival->account,
				   change->owner == (uid_t)-1 ? geteuid() : change->owner,
				   change->group == (gid_t)-1 ? getegid() : change->group, change->mode);
}

/* The way to one file. */
struct way {
	const struct survival *survival;
	bool loaded;        /* the server went it before */
	const char *closed; /* the directory that it may not enter, or NULL */
	bool short_of_memory;
};

static bool may_enter(void *context, int directory, const char *path)
{
	struct way *way = context;
	const struct cd_account *account = &way->survival->account;
	char itself[sizeof("/proc/self/fd/") + 3 * sizeof(directory)];
	struct stat status;

	(void)snprintf(itself, sizeof(itself), "/proc/self/fd/%d", directory);
	if (fstat(directory, &status) != 0 ||
	    (way->loaded && !is_later(&status.st_ctim, &way->survival->since)) ||
	    cd_account_may_enter(account, status.st_uid, status.st_gid, status.st_mode) ||
	    getxattr(itself, "system.posix_acl_access", NULL, 0) > 0)
		return true;
	way->closed = cd_arena_string(&way->survival->problems->arena, path);
	way->short_of_memory = way->closed == NULL;
	return false;
}

/* Directories that the plan makes are open to all. */
static int check_way(const struct survival *survival, const struct certdeploy_pair *pair, const char *path)
{
	struct way way = {.survival = survival};

	way.loaded = made(survival, path) == NULL && !is_younger(survival->root, path, &survival->since);
	if (cd_visit_directories(survival->root, path, may_enter, &way) != 0 || way.short_of_memory)
		return cd_fail_memory(survival->problems);
	if (way.closed == NULL)
		return 0;
	return cd_fail(survival->problems, CERTDEPLOY_EREFUSED, "reload-would-end", pair->file, pair->line,
		       _("a reload would end the server: the user %u that it runs as may not enter %s on "
			 "the way to %s"),
		       (unsigned)survival->account.user, way.closed, path);
}

static int check_access(const struct survival *survival, const struct certdeploy_pair *pair)
{
	const char *const paths[] = {pair->certificate, pair->key};
	int result = 0;

	for (size_t i = 0; survival->account.limited && result == 0 && i < sizeof(paths) / sizeof(*paths);
	     i++) {
		result = check_way(survival, pair, paths[i]);
		if (result == 0 && !may_read(survival, paths[i]))
			result = cd_fail(
				survival->problems, CERTDEPLOY_EREFUSED, "reload-would-end", pair->file,
				pair->line,
				_("a reload would end the server: the user %u that it runs as may not read "
				  "%s"),
				(unsigned)survival->account.user, paths[i]);
	}
	return result;
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
	/* Empties the queue in any case. */
	return cd_was_short_of_memory() && verdict != FINE ? NO_MEMORY : verdict;
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
	case NO_MEMORY:
		return cd_fail_memory(problems);
	}
	return 0;
}

static int check_pair(const struct survival *survival, const struct certdeploy_pair *pair)
{
	const struct cd_root *root = survival->root;
	struct pair_files files = {.new_key = is_younger(root, pair->key, &survival->since)};
	struct cd_identity identity;
	enum verdict verdict = FINE;

	if (cd_read_file(&files.certificate, &files.certificate_length, &identity, root, pair->certificate,
			 FILE_LIMIT) == 0 &&
	    cd_read_file(&files.key, &files.key_length, &identity, root, pair->key, FILE_LIMIT) == 0)
		verdict = judge(&files, pair->chain == NULL, survival->daemon);
	/* OpenSSL does not always say that memory was short: what is no good is so twice. */
	if (verdict != FINE && verdict != NO_MEMORY)
		verdict = judge(&files, pair->chain == NULL, survival->daemon);
	if (files.key != NULL)
		OPENSSL_cleanse(files.key, files.key_length);
	if (files.certificate != NULL)
		OPENSSL_cleanse(files.certificate, files.certificate_length);
	free(files.key);
	free(files.certificate);
	return refuse(survival->problems, pair, verdict);
}

/* ---- all of them ---- */

/* What is about to be put back was loaded before. */
static bool is_written(const struct survival *survival, const struct certdeploy_pair *pair)
{
	return survival->changes != NULL &&
	       (cd_table_get(&survival->changes->by_path, pair->certificate) != NULL ||
		cd_table_get(&survival->changes->by_path, pair->key) != NULL);
}

static int check_pairs(struct survival *survival, const struct certdeploy_pair *pairs, size_t count)
{
	const struct cd_root *root = survival->root;
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++) {
		const struct certdeploy_pair *pair = &pairs[i];
		const char *key;

		if (pair->certificate == NULL || pair->key == NULL || is_written(survival, pair))
			continue;
		result = check_access(survival, pair);
		/* What lies in the store was judged when it was put there. */
		if (result != 0 || is_in(survival->store, pair->certificate) ||
		    (!is_younger(root, pair->certificate, &survival->since) &&
		     !is_younger(root, pair->key, &survival->since)))
			continue;
		key = cd_arena_format(&survival->problems->arena, "%s\n%s", pair->certificate, pair->key);
		if (key == NULL)
			return cd_fail_memory(survival->problems);
		if (cd_table_get(&survival->seen, key) != NULL)
			continue;
		result = cd_table_put(&survival->seen, key, pair) != 0 ? cd_fail_memory(survival->problems)
								       : check_pair(survival, pair);
	}
	return result;
}

/* Whether a reload may end it: it runs, is known to do so, and has loaded its files at a known time. */
static bool is_at_risk(struct survival *survival, const struct cd_seen *seen)
{
	struct stat started;

	survival->daemon = &seen->daemon;
	if (!seen->daemon.ends_on_bad_pair || seen->running != 1 || seen->control.pid_file == NULL ||
	    !times_of(survival->root, seen->control.pid_file, 0, &started))
		return false;
	survival->since = started.st_mtim;
	cd_control_account(&survival->account, &seen->control, survival->root);
	return true;
}

int cd_check_survival(struct cd_plan *plan, const struct cd_planned *planned)
{
	struct survival survival = {.problems = plan->problems,
				    .root = &plan->inventory.host.root,
				    .store = plan->cd->settings.store,
				    .planned = &plan->changes};
	const struct certdeploy_daemon *daemon = &planned->seen->daemon;
	int result;

	if (!is_at_risk(&survival, planned->seen))
		return 0;
	result = check_pairs(&survival, daemon->loaded, daemon->loaded_count);
	for (size_t i = 0; result == 0 && i < planned->endpoint_count; i++) {
		const struct certdeploy_endpoint *after = planned->endpoints[i].after;

		if (after != NULL)
			result = check_pairs(&survival, after->pairs, after->pair_count);
	}
	cd_table_free(&survival.seen);
	return result;
}

/* The configuration as it will be; what cannot be read so is for the server's own test. */
static int check_reading(struct survival *survival, struct cd_inventory *inventory,
			 const struct cd_seen *seen, const struct cd_overlay *overlay)
{
	struct certdeploy_reading reading;
	struct certdeploy_daemon daemon = {0};
	size_t count = 0;
	const struct certdeploy_endpoint *const *all;
	int result = cd_inventory_reread(&reading, inventory, seen, overlay);

	if (result == 0)
		result = seen->service.adapter->daemon(&reading, &daemon);
	if (result == 0)
		result = check_pairs(survival, daemon.loaded, daemon.loaded_count);
	else if (result != CERTDEPLOY_ENOMEM)
		result = 0;
	all = certdeploy_endpoints(&reading, &count);
	for (size_t i = 0; result == 0 && i < count; i++)
		result = check_pairs(survival, all[i]->pairs, all[i]->pair_count);
	cd_reading_close(&reading);
	return result;
}

int cd_check_survival_back(struct cd_problems *problems, struct cd_inventory *inventory,
			   const struct cd_seen *seen, const struct cd_changes *changes)
{
	struct survival survival = {.problems = problems,
				    .root = &inventory->host.root,
				    .store = inventory->cd->settings.store,
				    .changes = changes};
	struct cd_overlay overlay = {0};
	int result = 0;

	if (!is_at_risk(&survival, seen))
		return 0;
	for (size_t i = 0; result == 0 && i < changes->list.count; i++) {
		const struct cd_change *change = changes->list.items[i];

		if (change->kind == CD_CHANGE_FILE && change->bytes != NULL)
			result = cd_overlay_content(&overlay, problems, change->path, change->bytes,
						    change->length);
	}
	if (result == 0)
		result = check_reading(&survival, inventory, seen, &overlay);
	cd_table_free(&survival.seen);
	cd_overlay_free(&overlay);
	return result;
}
