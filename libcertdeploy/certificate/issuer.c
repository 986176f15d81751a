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
#include <errno.h>
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
	return key != NULL && EVP_PKEY_bits(key) <= 2 * CD_RSA_BITS_MOST &&
	       cd_has_signed(search->loads, issuer, subject);
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

static int short_of_memory(struct cd_search *search)
{
	return cd_fail_memory(search->given->problems);
}

/* The first issuer among the certificates of PEM or DER. Returns 0 or CERTDEPLOY_ENOMEM, as all below. */
static int issuer_among(X509 **found, struct cd_search *search, X509 *subject, const char *bytes,
			size_t length)
{
	STACK_OF(X509) *candidates = cd_certificates_in(bytes, length);

	if (candidates == NULL)
		return short_of_memory(search);
	for (int i = 0; *found == NULL && i < sk_X509_num(candidates); i++) {
		X509 *candidate = sk_X509_value(candidates, i);

		if (may_issue(search, subject, candidate)) {
			(void)X509_up_ref(candidate);
			*found = candidate;
		}
	}
	sk_X509_pop_free(candidates, X509_free);
	return 0;
}

/* ---- in the directory of intermediates ---- */

static int issuer_in_file(X509 **found, struct cd_search *search, X509 *subject, const struct cd_root *root,
			  const char *path)
{
	int fd = cd_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	int result = 0, error;
	char *bytes = NULL;
	size_t length = 0;

	if (fd == -1)
		return 0;
	error = cd_read_fd(&bytes, &length, NULL, fd, CD_PIECE_LIMIT);
	if (error == ENOMEM)
		result = short_of_memory(search);
	else if (error == 0)
		result = issuer_among(found, search, subject, bytes, length);
	free(bytes);
	(void)close(fd);
	return result;
}

static int issuer_in_directory(X509 **found, const char **origin, struct cd_search *search, X509 *subject)
{
	static const struct cd_root host = {.fd = AT_FDCWD, .path = "", .live = true};
	const struct cd_load *load = search->given->load;
	const struct cd_root *root = load->root == NULL ? &host : load->root;
	int fd = load->chain_directory == NULL
			 ? -1
			 : cd_open(root, load->chain_directory, O_RDONLY | O_DIRECTORY);
	DIR *directory = fd == -1 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	unsigned seen = 0;
	int result = 0;

	if (directory == NULL) {
		if (fd != -1)
			(void)close(fd);
		return 0;
	}
	while (result == 0 && *found == NULL && seen++ < DIRECTORY_LIMIT &&
	       (entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		*origin = cd_arena_format(search->given->arena, "%s/%s", load->chain_directory,
					  entry->d_name);
		result = *origin == NULL ? short_of_memory(search)
					 : issuer_in_file(found, search, subject, root, *origin);
	}
	(void)closedir(directory);
	return result;
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
static int keep_chain(struct cd_loads *loads, const char *bytes, size_t length, const char *origin)
{
	STACK_OF(X509) *found = NULL;
	char digest[CD_SHA256_TEXT];
	int result;

	if (cd_sha256(digest, bytes, length) != 0)
		return CERTDEPLOY_ENOMEM;
	if (cd_table_get(&loads->chains, digest) != NULL)
		return 0;
	result = cd_table_put(&loads->chains, digest, loads);
	if (result == 0)
		found = cd_certificates_in(bytes, length);
	if (found == NULL)
		result = CERTDEPLOY_ENOMEM;
	for (int i = 0; result == 0 && i < sk_X509_num(found); i++)
		result = keep_issuer(loads, sk_X509_value(found, i), origin);
	sk_X509_pop_free(found, X509_free);
	return result;
}

/* Read the chain of the store's next name. Returns CERTDEPLOY_ENOTFOUND past the last. */
static int read_next_chain(struct cd_search *search)
{
	const struct cd_load *load = search->given->load;
	struct cd_loads *loads = search->loads;
	const char *origin = NULL;
	char *bytes = NULL;
	size_t length = 0;
	int result;

	if (load->stored_issuers == NULL || loads->stored_next >= STORED_LIMIT)
		return CERTDEPLOY_ENOTFOUND;
	result = load->stored_issuers(load->issuers, loads->stored_next++, &bytes, &length, &origin);
	if (result == CERTDEPLOY_ENOTFOUND)
		loads->stored_next = SIZE_MAX;
	if (result == 0 && bytes != NULL)
		result = keep_chain(loads, bytes, length, origin);
	free(bytes);
	return result == CERTDEPLOY_ENOMEM ? short_of_memory(search) : result;
}

/* Look through the chains that the store has, each of which is read once for all loads. */
static int issuer_in_store(X509 **found, const char **origin, struct cd_search *search, X509 *subject)
{
	const struct cd_vector *stored = &search->loads->stored;
	int result = 0;

	for (size_t i = 0; result == 0 && *found == NULL; i++) {
		const struct cd_stored_issuer *issuer;

		while (result == 0 && i >= stored->count)
			result = read_next_chain(search);
		if (result != 0)
			break;
		issuer = stored->items[i];
		if (may_issue(search, subject, issuer->x509)) {
			(void)X509_up_ref(issuer->x509);
			*origin = issuer->origin;
			*found = issuer->x509;
		}
	}
	return result == CERTDEPLOY_ENOTFOUND ? 0 : result;
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
static int fetched_issuer(X509 **found, const char **origin, struct cd_search *search, X509 *subject)
{
	const struct cd_load *load = search->given->load;
	const char *url = load->fetch_issuer == NULL ? NULL : cd_issuer_url(search->given->arena, subject);
	char *bytes = NULL;
	size_t length = 0;
	int result;

	if (url == NULL)
		return 0;
	result = load->fetch_issuer(load->issuers, url, &bytes, &length);
	if (result != 0)
		return result == CERTDEPLOY_ENOMEM ? result : 0;
	result = issuer_among(found, search, subject, bytes, length);
	if (result == 0 && *found == NULL)
		cd_problem(search->given->problems, CERTDEPLOY_WARNING, "fetch-failed", url, 0,
			   _("what is offered there is not the issuer"));
	*origin = url;
	free(bytes);
	return result;
}

/* ---- */

int cd_find_issuer(X509 **issuer, const char **origin, struct cd_search *search, X509 *subject)
{
	int result;

	*issuer = NULL;
	result = issuer_in_directory(issuer, origin, search, subject);
	if (result == 0 && *issuer == NULL)
		result = issuer_in_store(issuer, origin, search, subject);
	if (result == 0 && *issuer == NULL)
		result = fetched_issuer(issuer, origin, search, subject);
	return result;
}
