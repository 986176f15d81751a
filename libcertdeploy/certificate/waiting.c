/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* waiting.c - keys with their requests, kept until the certificate arrives */
#include "certificate/waiting.h"

#include "base/text.h"
#include "certificate/material.h"
#include "certificate/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT ((size_t)1 << 20)
#define DIGITS 8

const char *cd_waiting_id(struct cd_arena *arena, int64_t now, const char *public_key_sha256)
{
	char when[17];

	cd_utc_compact(when, now);
	return cd_arena_format(arena, "%s-%.*s", when, DIGITS, public_key_sha256);
}

/* The names of the directories, oldest first, for they begin with the time. *names: may be NULL. */
static int list(const char *const **names, const char **requests, struct cd_host *host,
		const char *directory, const char *name)
{
	int result;

	*names = NULL;
	*requests = cd_arena_format(&host->arena, "%s/%s/requests", directory, name);
	result = *requests == NULL ? cd_fail_memory(host->problems)
				   : cd_host_directory(names, host, *requests);
	return result == CERTDEPLOY_ENOTFOUND ? 0 : result;
}

/* ---- one of them ---- */

static bool has_digest(EVP_PKEY *key, const char *sha256)
{
	unsigned char *der = NULL;
	int length = i2d_PUBKEY(key, &der);
	char digest[CD_SHA256_TEXT];
	bool same =
		length > 0 && cd_sha256(digest, der, (size_t)length) == 0 && strcmp(digest, sha256) == 0;

	OPENSSL_free(der);
	return same;
}

static bool key_fits(struct cd_problems *problems, const char *text, const char *sha256)
{
	const struct cd_load load = {0};
	struct cd_arena arena = {.secret = true};
	struct cd_problems ignored = {0};
	struct cd_given given = {.arena = &arena, .problems = &ignored, .load = &load};
	bool encrypted, fits;
	EVP_PKEY *key = cd_key_in(&encrypted, &given, text, strlen(text));

	fits = encrypted || (key != NULL && has_digest(key, sha256));
	problems->out_of_memory = problems->out_of_memory || ignored.out_of_memory;
	cd_given_free(&given);
	cd_problems_free(&ignored);
	cd_arena_free(&arena);
	return fits;
}

int cd_waiting_check(const struct certdeploy_certificate_report **report, struct cd_problems *problems,
		     const struct cd_waiting *waiting, const char *origin)
{
	const struct cd_piece piece = {
		.kind = CERTDEPLOY_MATERIAL_CSR,
		.bytes = waiting->request,
		.length = strlen(waiting->request),
		.origin = origin,
	};
	int result = cd_request_describe(report, &problems->arena, problems, &piece);
	const char *digits = strrchr(waiting->id, '-');
	const char *sha256;

	if (result != 0)
		return result;
	sha256 = (*report)->public_key_sha256;
	if (!cd_store_is_generation(waiting->id) || strlen(digits) != 1 + DIGITS ||
	    memcmp(digits + 1, sha256, DIGITS) != 0)
		result = cd_fail(problems, CERTDEPLOY_EREFUSED, "not-understood", origin, 0,
				 _("\"%s\" is no name for a request with this key"),
				 cd_safe(&problems->arena, waiting->id));
	else if (!key_fits(problems, waiting->key, sha256))
		result = problems->out_of_memory
				 ? CERTDEPLOY_ENOMEM
				 : cd_fail(problems, CERTDEPLOY_EREFUSED, "key-mismatch", origin, 0,
					   _("the private key beside the request is not the request's"));
	return result;
}

/* ---- on the way out ---- */

/* One file of a request as text; *text is NULL where it cannot be read, which is said. */
static int read_text(const char **text, struct cd_arena *arena, struct cd_host *host, const char *path)
{
	char *bytes = NULL;
	size_t length = 0;
	int error = cd_read_file(&bytes, &length, NULL, &host->root, path, CD_KEY_LIMIT);

	*text = error == 0 ? cd_arena_copy(arena, bytes, length) : NULL;
	if (bytes != NULL)
		OPENSSL_cleanse(bytes, length);
	free(bytes);
	if (error == ENOMEM || (error == 0 && *text == NULL))
		return cd_fail_memory(host->problems);
	if (error != 0)
		(void)cd_fail_errno(host->problems, error, path, _("cannot read the file"));
	return 0;
}

static int read_one(struct cd_vector *out, struct cd_arena *arena, struct cd_host *host,
		    const char *requests, const char *id)
{
	const char *directory = cd_arena_format(arena, "%s/%s", requests, id);
	const char *key = cd_arena_format(arena, "%s/%s/key.pem", requests, id);
	const char *request = cd_arena_format(arena, "%s/%s/request.pem", requests, id);
	struct cd_waiting *one = cd_arena_alloc(arena, sizeof(*one));
	const struct certdeploy_certificate_report *report = NULL;
	size_t from = host->problems->list.count;
	int result;

	if (directory == NULL || key == NULL || request == NULL || one == NULL)
		return cd_fail_memory(host->problems);
	one->id = cd_arena_string(arena, id);
	result = one->id == NULL ? cd_fail_memory(host->problems) : read_text(&one->key, arena, host, key);
	if (result == 0)
		result = read_text(&one->request, arena, host, request);
	if (result == 0 && one->key != NULL && one->request != NULL)
		result = cd_waiting_check(&report, host->problems, one, directory);
	if (result == CERTDEPLOY_ENOMEM)
		return result;
	cd_problems_soften(host->problems, from);
	return report != NULL && result == 0 && cd_vector_add(out, one) != 0
		       ? cd_fail_memory(host->problems)
		       : 0;
}

int cd_waiting_read(struct cd_vector *out, struct cd_arena *arena, struct cd_host *host,
		    const char *directory, const char *name)
{
	const char *const *names;
	const char *requests;
	int result = list(&names, &requests, host, directory, name);

	for (; result == 0 && names != NULL && *names != NULL; names++)
		result = read_one(out, arena, host, requests, *names);
	return result;
}

/* ---- what keys there are ---- */

/* The public key of the request in one directory; NULL: none can be read. */
static int key_of(const char **sha256, struct cd_host *host, const char *directory)
{
	const struct certdeploy_certificate_report *report = NULL;
	struct cd_problems ignored = {0};
	struct cd_piece piece = {.kind = CERTDEPLOY_MATERIAL_CSR};
	char *bytes = NULL, *path = cd_arena_format(&host->arena, "%s/request.pem", directory);
	int result = path == NULL ? CERTDEPLOY_ENOMEM : 0;

	*sha256 = NULL;
	if (result == 0 && cd_read_file(&bytes, &piece.length, NULL, &host->root, path, FILE_LIMIT) == 0) {
		piece.bytes = bytes;
		result = cd_request_describe(&report, &host->arena, &ignored, &piece);
		if (result == 0)
			*sha256 = report->public_key_sha256;
	}
	free(bytes);
	cd_problems_free(&ignored);
	return result == CERTDEPLOY_ENOMEM ? cd_fail_memory(host->problems) : 0;
}

int cd_waiting_keys(struct cd_vector *out, struct cd_host *host, const char *directory, const char *name)
{
	const char *const *names;
	const char *requests;
	const char *sha256 = NULL;
	size_t count = 0;
	int result = list(&names, &requests, host, directory, name);

	while (names != NULL && names[count] != NULL)
		count++;
	while (result == 0 && count-- > 0) {
		const char *path = cd_arena_format(&host->arena, "%s/%s", requests, names[count]);

		result = path == NULL ? cd_fail_memory(host->problems) : key_of(&sha256, host, path);
		if (result == 0 && sha256 != NULL && cd_vector_add(out, (void *)(uintptr_t)sha256) != 0)
			result = cd_fail_memory(host->problems);
	}
	return result;
}

/* ---- on the way in ---- */

static int add_file(struct cd_changes *changes, struct cd_host *host, const char *directory,
		    const char *name, const char *text, bool secret)
{
	const struct cd_change change = {
		.kind = CD_CHANGE_FILE,
		.path = cd_arena_format(&changes->arena, "%s/%s", directory, name),
		.bytes = cd_arena_string(&changes->arena, text),
		.length = strlen(text),
		.compare = true,
		.mode = secret ? 0600 : 0644,
		.owner = (uid_t)-1,
		.group = (gid_t)-1,
		.secret = secret,
	};

	if (change.path == NULL || change.bytes == NULL)
		return cd_fail_memory(host->problems);
	return cd_changes_add(changes, host->problems, &change);
}

int cd_waiting_plan(struct cd_changes *changes, struct cd_host *host, const char *directory,
		    const char *name, const struct cd_waiting *waiting)
{
	char *path;
	int result;

	changes->arena.secret = true;
	path = cd_arena_format(&changes->arena, "%s/%s/requests/%s", directory, name, waiting->id);
	if (path == NULL)
		return cd_fail_memory(host->problems);
	if (cd_host_file_type(host, path) != CERTDEPLOY_FILE_ABSENT)
		return 0;
	result = cd_store_directories(changes, host, path);
	if (result == 0)
		result = add_file(changes, host, path, "key.pem", waiting->key, true);
	return result == 0 ? add_file(changes, host, path, "request.pem", waiting->request, false) : result;
}
