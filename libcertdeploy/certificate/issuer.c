/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * issuer.c - who issued a certificate, where that is not among what was given
 *
 * Looked for among the roots that this host trusts, in the directory of intermediates, in the chains that
 * the store has, and, when that was asked for, where the certificate itself says. A candidate's name is
 * never enough: it must have signed.
 */
#include "certificate/material.h"

#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define DIRECTORY_LIMIT 4096 /* files looked at */
#define VERIFY_LIMIT 256     /* signatures tried for one chain */
#define STORED_LIMIT 20000   /* names of the store looked at */

bool cd_is_issued_by(struct cd_search *search, X509 *subject, X509 *issuer)
{
	EVP_PKEY *key;

	if (X509_check_issued(issuer, subject) != X509_V_OK || search->verified >= VERIFY_LIMIT)
		return false;
	search->verified++;
	key = X509_get0_pubkey(issuer);
	return key != NULL && EVP_PKEY_bits(key) <= 2 * CD_RSA_BITS_MOST && X509_verify(subject, key) == 1;
}

X509 *cd_trusted_issuer(struct cd_search *search, X509 *subject)
{
	X509 *issuer = cd_roots_issuer(&search->loads->roots, subject);

	if (issuer != NULL && !cd_is_issued_by(search, subject, issuer)) {
		X509_free(issuer);
		issuer = NULL;
	}
	return issuer;
}

static bool may_issue(struct cd_search *search, X509 *subject, X509 *candidate)
{
	EVP_PKEY *key = X509_get0_pubkey(candidate);

	return key != NULL && EVP_PKEY_bits(key) <= CD_RSA_BITS_MOST && X509_check_ca(candidate) != 0 &&
	       cd_is_issued_by(search, subject, candidate);
}

/* Take over the first issuer among these; all are freed. */
static X509 *issuer_among(struct cd_search *search, X509 *subject, STACK_OF(X509) * candidates)
{
	X509 *found = NULL;

	for (int i = 0; found == NULL && i < sk_X509_num(candidates); i++) {
		X509 *candidate = sk_X509_value(candidates, i);

		if (may_issue(search, subject, candidate)) {
			(void)X509_up_ref(candidate);
			found = candidate;
		}
	}
	sk_X509_pop_free(candidates, X509_free);
	return found;
}

/* ---- in the directory of intermediates ---- */

static X509 *issuer_in_file(struct cd_search *search, X509 *subject, const struct cd_root *root,
			    const char *path)
{
	int fd = cd_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	X509 *found = NULL;
	char *bytes = NULL;
	size_t length = 0;

	if (fd == -1)
		return NULL;
	if (cd_read_fd(&bytes, &length, NULL, fd, CD_PIECE_LIMIT) == 0)
		found = issuer_among(search, subject, cd_certificates_in(bytes, length));
	free(bytes);
	(void)close(fd);
	return found;
}

static X509 *issuer_in_directory(struct cd_search *search, X509 *subject, const char **origin)
{
	static const struct cd_root host = {.fd = AT_FDCWD, .path = "", .live = true};
	const struct cd_load *load = search->given->load;
	const struct cd_root *root = load->root == NULL ? &host : load->root;
	int fd = load->chain_directory == NULL
			 ? -1
			 : cd_open(root, load->chain_directory, O_RDONLY | O_DIRECTORY);
	DIR *directory = fd == -1 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	X509 *found = NULL;
	unsigned seen = 0;

	if (directory == NULL) {
		if (fd != -1)
			(void)close(fd);
		return NULL;
	}
	while (found == NULL && seen++ < DIRECTORY_LIMIT && (entry = readdir(directory)) != NULL) {
		const char *path = entry->d_name[0] == '.'
					   ? NULL
					   : cd_arena_format(search->given->arena, "%s/%s",
							     load->chain_directory, entry->d_name);

		if (path == NULL)
			continue;
		found = issuer_in_file(search, subject, root, path);
		*origin = path;
	}
	(void)closedir(directory);
	return found;
}

/* ---- in the store's chains ---- */

static int keep_issuer(struct cd_loads *loads, X509 *x509, const char *origin)
{
	struct cd_stored_issuer *issuer = cd_arena_alloc(&loads->arena, sizeof(*issuer));

	if (issuer == NULL || cd_vector_add(&loads->stored, issuer) != 0)
		return CERTDEPLOY_ENOMEM;
	(void)X509_up_ref(x509);
	*issuer = (struct cd_stored_issuer){x509, origin};
	return 0;
}

/* The certificates of a chain that was not seen before. */
static void keep_chain(struct cd_loads *loads, const char *bytes, size_t length, const char *origin)
{
	STACK_OF(X509) *found = NULL;
	char digest[CD_SHA256_TEXT];

	if (cd_sha256(digest, bytes, length) != 0 || cd_table_get(&loads->chains, digest) != NULL ||
	    cd_table_put(&loads->chains, digest, loads) != 0)
		return;
	found = cd_certificates_in(bytes, length);
	for (int i = 0; i < sk_X509_num(found); i++)
		if (keep_issuer(loads, sk_X509_value(found, i), origin) != 0)
			break;
	sk_X509_pop_free(found, X509_free);
}

/* Read the chain of the store's next name. False: there is none. */
static bool read_next_chain(struct cd_loads *loads, const struct cd_load *load)
{
	const char *origin = NULL;
	char *bytes = NULL;
	size_t length = 0;

	if (load->stored_issuers == NULL || loads->stored_next >= STORED_LIMIT)
		return false;
	if (load->stored_issuers(load->issuers, loads->stored_next++, &bytes, &length, &origin) != 0) {
		loads->stored_next = SIZE_MAX;
		return false;
	}
	if (bytes != NULL)
		keep_chain(loads, bytes, length, origin);
	free(bytes);
	return true;
}

/* Look through the chains that the store has, each of which is read once for all loads. */
static X509 *issuer_in_store(struct cd_search *search, X509 *subject, const char **origin)
{
	struct cd_loads *loads = search->loads;
	size_t seen = 0;

	do {
		for (; seen < loads->stored.count; seen++) {
			const struct cd_stored_issuer *issuer = loads->stored.items[seen];

			if (may_issue(search, subject, issuer->x509)) {
				(void)X509_up_ref(issuer->x509);
				*origin = issuer->origin;
				return issuer->x509;
			}
		}
	} while (read_next_chain(loads, search->given->load));
	return NULL;
}

/* ---- where the certificate says ---- */

char *cd_issuer_url(struct cd_arena *arena, X509 *x509)
{
	AUTHORITY_INFO_ACCESS *access = X509_get_ext_d2i(x509, NID_info_access, NULL, NULL);
	char *url = NULL;

	for (int i = 0; url == NULL && i < sk_ACCESS_DESCRIPTION_num(access); i++) {
		const ACCESS_DESCRIPTION *one = sk_ACCESS_DESCRIPTION_value(access, i);

		if (OBJ_obj2nid(one->method) == NID_ad_ca_issuers && one->location->type == GEN_URI) {
			const ASN1_STRING *text = one->location->d.uniformResourceIdentifier;

			url = cd_printable(arena, (const char *)ASN1_STRING_get0_data(text),
					   (size_t)ASN1_STRING_length(text), 200);
		}
	}
	AUTHORITY_INFO_ACCESS_free(access);
	return url;
}

/* Fetch it from where the certificate says, when that was asked for; it must have signed. */
static X509 *fetched_issuer(struct cd_search *search, X509 *subject, const char **origin)
{
	const struct cd_load *load = search->given->load;
	const char *url = load->fetch_issuer == NULL ? NULL : cd_issuer_url(search->given->arena, subject);
	char *bytes = NULL;
	size_t length = 0;
	X509 *found = NULL;

	if (url == NULL || load->fetch_issuer(load->issuers, url, &bytes, &length) != 0)
		return NULL;
	found = issuer_among(search, subject, cd_certificates_in(bytes, length));
	if (found == NULL)
		cd_problem(search->given->problems, CERTDEPLOY_WARNING, "fetch-failed", url, 0,
			   _("what is offered there is not the issuer"));
	*origin = url;
	free(bytes);
	return found;
}

/* ---- */

X509 *cd_find_issuer(const char **origin, struct cd_search *search, X509 *subject)
{
	X509 *issuer = issuer_in_directory(search, subject, origin);

	if (issuer == NULL)
		issuer = issuer_in_store(search, subject, origin);
	if (issuer == NULL)
		issuer = fetched_issuer(search, subject, origin);
	return issuer;
}
