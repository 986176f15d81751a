/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* digests.c - secrets compared by their SHA-256, so that adapters never hold them */
#include "base/process.h"
#include "base/text.h"
#include "host/reading.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_SECONDS 60
#define TABLE_LIMIT ((size_t)512 << 20)
#define FILE_LIMIT ((size_t)1 << 20)
#define JOINED_LIMIT ((size_t)16 << 20) /* a line of a table may name files by the thousand */

/* Lines with the digest in the place of what follows the first tab, or of all. */
static int digest_lines(struct cd_buffer *out, const char *text)
{
	char digest[CD_SHA256_TEXT];

	while (*text != '\0') {
		size_t length = strcspn(text, "\n"), key = strcspn(text, "\t\n");

		key = key < length ? key + 1 : 0;
		if (cd_sha256(digest, text + key, length - key) != 0)
			return CERTDEPLOY_ENOMEM;
		cd_buffer_add(out, text, key);
		cd_buffer_string(out, digest);
		cd_buffer_string(out, "\n");
		text += length + (text[length] == '\n');
	}
	return out->failed ? CERTDEPLOY_ENOMEM : 0;
}

int certdeploy_ask_digests(const char **answer, struct certdeploy_reading *reading, const char *const *argv)
{
	struct cd_run run = {.argv = argv,
			     .environment = reading->environment,
			     .seconds = TABLE_SECONDS,
			     .output_limit = TABLE_LIMIT};
	struct cd_buffer digests = {0};
	int result;

	*answer = "";
	if (!reading->host->root.live)
		return CERTDEPLOY_ENOTFOUND;
	run.output.secret = true;
	result = cd_run(&run);
	if (result == 0 && run.status != 0)
		result = CERTDEPLOY_EFAILED;
	if (result == 0)
		result = digest_lines(&digests, cd_buffer_text(&run.output));
	if (result == 0)
		*answer = certdeploy_copy(reading, cd_buffer_text(&digests), digests.length);
	if (*answer == NULL)
		result = CERTDEPLOY_ENOMEM;
	cd_buffer_free(&digests);
	cd_run_free(&run);
	return result == CERTDEPLOY_ENOMEM ? cd_fail_memory(reading->host->problems) : result;
}

/* The files, a newline between them. */
static int join_files(struct cd_buffer *out, struct cd_host *host, const char *const *paths)
{
	int error = 0;

	for (size_t i = 0; error == 0 && paths[i] != NULL; i++) {
		char *bytes = NULL;
		size_t length = 0;

		error = cd_read_file(&bytes, &length, NULL, &host->root, paths[i], FILE_LIMIT);
		if (i != 0)
			cd_buffer_string(out, "\n");
		if (error == 0)
			cd_buffer_add(out, bytes, length);
		if (bytes != NULL)
			explicit_bzero(bytes, length);
		free(bytes);
		if (out->length > JOINED_LIMIT)
			error = EFBIG;
	}
	return out->failed ? ENOMEM : error;
}

int certdeploy_digest_base64(const char **sha256, struct certdeploy_reading *reading,
			     const char *const *paths)
{
	struct cd_buffer joined = {.secret = true};
	char digest[CD_SHA256_TEXT];
	unsigned char *encoded = NULL;
	size_t room = 0;
	int error = join_files(&joined, reading->host, paths);

	*sha256 = NULL;
	if (error == 0) {
		room = joined.length / 3 * 4 + 5;
		encoded = malloc(room);
		if (encoded == NULL)
			error = ENOMEM;
	}
	if (encoded != NULL) {
		int length = EVP_EncodeBlock(encoded, (const unsigned char *)cd_buffer_text(&joined),
					     (int)joined.length);

		error = cd_sha256(digest, encoded, (size_t)length) == 0 ? 0 : ENOMEM;
		explicit_bzero(encoded, room);
		free(encoded);
	}
	if (error == 0)
		*sha256 = certdeploy_copy(reading, digest, strlen(digest));
	cd_buffer_free(&joined);
	if (error == ENOENT || error == ENOTDIR)
		return CERTDEPLOY_ENOTFOUND;
	if (error == ENOMEM)
		return cd_fail_memory(reading->host->problems);
	if (error != 0)
		return cd_is_denied(error) ? CERTDEPLOY_EPERMISSION : CERTDEPLOY_EREFUSED;
	return *sha256 == NULL ? CERTDEPLOY_ENOMEM : 0;
}
