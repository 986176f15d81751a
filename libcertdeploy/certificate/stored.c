/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stored.c - the current generation of one name in the store, as it lies on the disk */
#include "certificate/stored.h"

#include "base/text.h"
#include "certificate/waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_LIMIT ((size_t)1 << 20)
#define CD_SPARE_KEYS 16 /* requests of one name whose keys are tried */

const char *cd_stored_name(enum cd_stored_part part)
{
	static const char *const names[] = {"cert", "chain", "fullchain", "key", "combined"};

	return names[part];
}

void cd_stored_free(struct cd_stored *stored)
{
	for (size_t i = 0; i < stored->count; i++) {
		struct cd_stored_pair *pair = &stored->pairs[i];

		cd_summary_free(&pair->summary);
		cd_buffer_free(&pair->der);
		for (size_t k = 0; k < CD_STORED_PARTS; k++) {
			if (pair->files[k].bytes != NULL)
				OPENSSL_cleanse(pair->files[k].bytes, pair->files[k].length);
			free(pair->files[k].bytes);
		}
	}
	free(stored->generation);
	*stored = (struct cd_stored){0};
}

/*
 * The certificate that a file of the store begins with. *der keeps what the summary borrows. Returns 0,
 * CERTDEPLOY_EREFUSED (none) or CERTDEPLOY_ENOMEM.
 */
static int summary_in(struct cd_summary *summary, struct cd_buffer *der, const char *bytes, size_t length)
{
	struct cd_armour armour;
	struct cd_block block;
	enum cd_armour_result outcome;
	int result = CERTDEPLOY_EREFUSED;

	cd_armour_open(&armour, bytes, length);
	outcome = cd_armour_next(&armour, &block);
	if (outcome == CD_ARMOUR_MEMORY)
		result = CERTDEPLOY_ENOMEM;
	else if (outcome == CD_ARMOUR_BLOCK)
		result = cd_summary_read(summary, block.data.bytes, block.data.length);
	if (result == 0) {
		*der = block.data;
		block.data = (struct cd_buffer){0};
	}
	cd_block_free(&block);
	return result;
}

/* A file that is absent or may not be read is no error here. */
static int read_part(struct cd_stored_file *file, struct cd_host *host, const char *path)
{
	struct cd_identity identity = {0};

	file->error = cd_read_file(&file->bytes, &file->length, &identity, &host->root, path, FILE_LIMIT);
	file->mode = identity.mode;
	file->owner = identity.owner;
	file->group = identity.group;
	if (file->error == ENOMEM)
		return cd_fail_memory(host->problems);
	return 0;
}

/* What cert.pem says. Returns 0 or CERTDEPLOY_ENOMEM. */
static int read_summary(struct cd_stored_pair *pair)
{
	const struct cd_stored_file *file = &pair->files[CD_STORED_CERT];
	int result;

	pair->key_type = "unknown";
	result = summary_in(&pair->summary, &pair->der, file->bytes, file->length);
	if (result != 0)
		return result == CERTDEPLOY_ENOMEM ? result : 0;
	pair->key_type = pair->summary.key_type;
	result = cd_sha256(pair->sha256, pair->summary.der, pair->summary.length);
	return result != 0 ? result
			   : cd_sha256(pair->public_key_sha256, pair->summary.public_key,
				       pair->summary.public_key_length);
}

static int read_pair(struct cd_stored *stored, struct cd_host *host, const char *directory,
		     const char *suffix, size_t suffix_length, unsigned parts)
{
	struct cd_stored_pair *pair = &stored->pairs[stored->count];
	int result = 0;

	if (stored->count >= CD_STORED_LIMIT || suffix_length >= sizeof(pair->suffix))
		return 0;
	*pair = (struct cd_stored_pair){.key_type = NULL};
	memcpy(pair->suffix, suffix, suffix_length);
	stored->count++;
	for (unsigned part = 0; result == 0 && part < CD_STORED_PARTS; part++) {
		char *path;

		if ((parts & 1U << part) == 0)
			continue;
		path = cd_arena_format(&host->arena, "%s/%s%s.pem", directory, cd_stored_name(part),
				       pair->suffix);
		result = path == NULL ? cd_fail_memory(host->problems)
				      : read_part(&pair->files[part], host, path);
	}
	if (result == 0 && pair->files[CD_STORED_CERT].bytes != NULL && read_summary(pair) != 0)
		result = cd_fail_memory(host->problems);
	return result;
}

/* Each "cert*.pem" is one key type. */
static int read_pairs(struct cd_stored *stored, struct cd_host *host, const char *directory, unsigned parts)
{
	const char *const *names = NULL;
	int result = cd_host_directory(&names, host, directory);

	for (; result == 0 && *names != NULL; names++) {
		size_t length = strlen(*names);

		if (strncmp(*names, "cert", 4) != 0 || !cd_ends_with(*names, ".pem"))
			continue;
		if (length == strlen("cert.pem") || (*names)[4] == '-')
			result = read_pair(stored, host, directory, *names + 4, length - strlen("cert.pem"),
					   parts);
	}
	return result == CERTDEPLOY_ENOTFOUND ? 0 : result;
}

int cd_stored_read(struct cd_stored *stored, struct cd_host *host, const char *directory, const char *name,
		   unsigned parts)
{
	char *current = cd_arena_format(&host->arena, "%s/%s/current", directory, name);
	enum certdeploy_file_type type;
	struct cd_place place;
	char *real;
	int result;

	*stored = (struct cd_stored){0};
	if (current == NULL)
		return cd_fail_memory(host->problems);
	type = cd_host_file_type(host, current);
	if (type != CERTDEPLOY_FILE_DIRECTORY && type != CERTDEPLOY_FILE_UNKNOWN)
		return 0;
	result = cd_place_find(&place, host->problems, &host->root, current, CD_TRUST_CHECK);
	if (result != 0)
		return result;
	stored->generation = strdup(strrchr(place.path, '/') + 1);
	real = cd_arena_string(&host->arena, place.path);
	cd_place_close(&place);
	if (stored->generation == NULL || real == NULL)
		result = cd_fail_memory(host->problems);
	else
		result = read_pairs(stored, host, real, parts);
	if (result != 0)
		cd_stored_free(stored);
	return result;
}

/* ---- what others ask of the store ---- */

#define PAIR_PARTS (1U << CD_STORED_CERT | 1U << CD_STORED_CHAIN | 1U << CD_STORED_KEY)

static size_t add_pieces(struct cd_piece *pieces, struct cd_host *host, const char *directory,
			 const char *name, const struct cd_stored_pair *pair)
{
	static const struct {
		enum cd_stored_part part;
		enum certdeploy_material_kind kind;
	} parts[] = {{CD_STORED_CERT, CERTDEPLOY_MATERIAL_CERT},
		     {CD_STORED_CHAIN, CERTDEPLOY_MATERIAL_CHAIN},
		     {CD_STORED_KEY, CERTDEPLOY_MATERIAL_KEY}};
	size_t count = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		const struct cd_stored_file *file = &pair->files[parts[i].part];

		/* A certificate that needs no chain has an empty one. */
		if (file->bytes == NULL || (parts[i].part == CD_STORED_CHAIN && file->length == 0))
			continue;
		pieces[count++] = (struct cd_piece){
			.kind = parts[i].kind,
			.bytes = file->bytes,
			.length = file->length,
			.origin = cd_arena_format(&host->arena, "%s/%s/current/%s%s.pem", directory, name,
						  cd_stored_name(parts[i].part), pair->suffix),
		};
	}
	return count;
}

/* In a directory's order cert-rsa.pem comes before cert.pem. */
static void plain_first(struct cd_stored *stored)
{
	struct cd_stored_pair first;

	for (size_t i = 1; i < stored->count; i++)
		if (stored->pairs[i].suffix[0] == '\0') {
			first = stored->pairs[i];
			memmove(&stored->pairs[1], &stored->pairs[0], i * sizeof(first));
			stored->pairs[0] = first;
		}
}

const char *const cd_settled[] = {"ca-certificate", "chain-incomplete", "chain-invalid", "malformed",
				  "no-names",       "self-signed",      "wrong-usage",   NULL};

int cd_store_load(struct cd_certificates *out, struct cd_host *host, const char *directory,
		  const char *name, const struct cd_load *load)
{
	struct cd_piece pieces[CD_STORED_LIMIT * 3];
	struct cd_load from_store = *load;
	struct cd_stored stored;
	int result;

	*out = (struct cd_certificates){0};
	if (!cd_store_name_is_valid(name))
		return cd_fail(host->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("\"%s\" cannot be a name in the store"),
			       cd_safe(&host->problems->arena, name));
	result = cd_stored_read(&stored, host, directory, name, PAIR_PARTS);
	if (result != 0)
		return result;
	if (stored.count == 0)
		result = cd_fail(host->problems, CERTDEPLOY_EREFUSED, "unknown-name", directory, 0,
				 _("the store has no certificate named %s"), name);
	from_store.settled = cd_settled;
	from_store.pieces = pieces;
	from_store.count = 0;
	plain_first(&stored);
	for (size_t i = 0; result == 0 && i < stored.count; i++) {
		const struct cd_stored_file *key = &stored.pairs[i].files[CD_STORED_KEY];

		if (load->need_key && key->bytes == NULL)
			result = cd_fail_errno(host->problems, key->error, directory,
					       _("cannot read the key of %s"), name);
		from_store.count +=
			add_pieces(pieces + from_store.count, host, directory, name, &stored.pairs[i]);
	}
	if (result == 0)
		result = cd_certificates_load(out, host->problems, &from_store);
	cd_stored_free(&stored);
	return result;
}

/* The keys that wait under a name, of requests and the current generation. */
struct spare {
	struct cd_piece pieces[CD_SPARE_KEYS + 4];
	size_t count;
};

/* path: in the host's arena; NULL: there was no memory for it. */
static int add_key(struct spare *spare, struct cd_host *host, const char *path)
{
	char *bytes = NULL;
	size_t length = 0;
	int error = path == NULL ? ENOMEM
				 : cd_read_file(&bytes, &length, NULL, &host->root, path, CD_KEY_LIMIT);

	if (error != 0)
		return error == ENOMEM ? cd_fail_memory(host->problems) : 0;
	spare->pieces[spare->count++] = (struct cd_piece){
		.kind = CERTDEPLOY_MATERIAL_KEY, .bytes = bytes, .length = length, .origin = path};
	return 0;
}

static int read_keys(struct spare *spare, struct cd_host *host, const char *directory, const char *name)
{
	static const char *const files[] = {"key.pem", "key-rsa.pem", "key-ecdsa.pem", "key-ed25519.pem"};
	const char *const *names = NULL;
	const char *requests = cd_arena_format(&host->arena, "%s/%s/requests", directory, name);
	size_t found = 0;
	int result;

	if (requests == NULL)
		return cd_fail_memory(host->problems);
	result = cd_host_directory(&names, host, requests);
	if (result == CERTDEPLOY_ENOTFOUND)
		result = 0;
	while (names != NULL && names[found] != NULL)
		found++;
	/* Names begin with the time. */
	while (result == 0 && found-- > 0 && spare->count < CD_SPARE_KEYS)
		result = add_key(spare, host,
				 cd_arena_format(&host->arena, "%s/%s/key.pem", requests, names[found]));
	for (size_t i = 0; result == 0 && i < sizeof(files) / sizeof(*files); i++)
		result = add_key(
			spare, host,
			cd_arena_format(&host->arena, "%s/%s/current/%s", directory, name, files[i]));
	return result;
}

static bool gives_key(const struct cd_load *load)
{
	for (size_t i = 0; i < load->count; i++)
		if (load->pieces[i].kind == CERTDEPLOY_MATERIAL_KEY)
			return true;
	return false;
}

int cd_store_load_given(struct cd_certificates *out, struct cd_host *host, const char *directory,
			const char *name, const struct cd_load *load)
{
	struct cd_load whole = *load;
	struct spare spare = {.count = 0};
	int result = 0;

	*out = (struct cd_certificates){0};
	/* With a key given nobody would look at them. */
	if (name != NULL && cd_store_name_is_valid(name) && !gives_key(load))
		result = read_keys(&spare, host, directory, name);
	whole.spare_keys = spare.pieces;
	whole.spare_count = spare.count;
	if (result == 0)
		result = cd_certificates_load(out, host->problems, &whole);
	for (size_t i = 0; i < spare.count; i++) {
		char *bytes = (char *)(uintptr_t)spare.pieces[i].bytes;

		OPENSSL_cleanse(bytes, spare.pieces[i].length);
		free(bytes);
	}
	return result;
}

/* One certificate file of a name, described without being decoded whole. */
static int list_file(struct cd_vector *out, struct cd_host *host, const char *bytes, size_t length,
		     const char *name)
{
	struct certdeploy_certificate_report *report;
	struct cd_buffer der = {0};
	struct cd_summary summary;
	int result = 0;

	if (summary_in(&summary, &der, bytes, length) == 0) {
		report = cd_arena_alloc(&host->arena, sizeof(*report));
		if (report == NULL || cd_report_summary(report, &host->arena, &summary) != 0 ||
		    cd_vector_add(out, report) != 0)
			result = cd_fail_memory(host->problems);
		else
			report->name = name;
		cd_summary_free(&summary);
	}
	cd_buffer_free(&der);
	return result;
}

/* The file names of a generation: see store.h. */
int cd_store_describe(struct cd_vector *out, struct cd_host *host, const char *store, const char *name)
{
	static const char *const files[] = {"cert.pem", "cert-rsa.pem", "cert-ecdsa.pem",
					    "cert-ed25519.pem"};
	char path[PATH_MAX];
	int result = 0, directory;

	if (snprintf(path, sizeof(path), "%s/%s/current", store, name) >= (int)sizeof(path))
		return 0;
	directory = cd_open(&host->root, path, O_PATH | O_DIRECTORY);
	for (size_t i = 0; directory != -1 && result == 0 && i < sizeof(files) / sizeof(*files); i++) {
		int fd = openat(directory, files[i],
				O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
		char *bytes = NULL;
		size_t length = 0;

		if (fd != -1 && cd_read_fd(&bytes, &length, NULL, fd, FILE_LIMIT) == 0)
			result = list_file(out, host, bytes, length, name);
		if (fd != -1)
			(void)close(fd);
		free(bytes);
	}
	if (directory != -1)
		(void)close(directory);
	return result;
}

int cd_store_list(struct cd_vector *out, struct cd_host *host, const char *directory)
{
	const char *const *names = NULL;
	int result = cd_host_directory(&names, host, directory);

	if (result == CERTDEPLOY_ENOTFOUND)
		return 0;
	for (; result == 0 && *names != NULL; names++)
		if (cd_store_name_is_valid(*names))
			result = cd_store_describe(out, host, directory, *names);
	return result;
}

/* ---- whose key is it? ---- */

static int add_owner(struct cd_loads *loads, const char *sha256, const char *name)
{
	return cd_table_get(&loads->by_key, sha256) != NULL ? 0
							    : cd_table_put(&loads->by_key, sha256, name);
}

/* All keys that one name has: of requests, then of the current generation. */
static int read_owner(struct cd_loads *loads, struct cd_host *host, const char *directory, const char *name)
{
	struct cd_vector waiting = {0}, current = {0};
	int result = cd_waiting_keys(&waiting, host, directory, name);

	if (result == 0)
		result = cd_store_describe(&current, host, directory, name);
	for (size_t i = 0; result == 0 && i < waiting.count; i++)
		result = add_owner(loads, waiting.items[i], name);
	for (size_t i = 0; result == 0 && i < current.count; i++)
		result = add_owner(
			loads,
			((struct certdeploy_certificate_report *)current.items[i])->public_key_sha256,
			name);
	cd_vector_free(&waiting);
	cd_vector_free(&current);
	return result == CERTDEPLOY_ENOMEM ? cd_fail_memory(host->problems) : result;
}

int cd_store_find_key(const char **name, struct cd_host *host, const char *directory, const char *sha256,
		      struct cd_loads *loads)
{
	const char *const *names = NULL;
	int result = cd_host_directory(&names, host, directory);

	*name = NULL;
	if (result != 0)
		return result == CERTDEPLOY_ENOTFOUND ? 0 : result;
	while (result == 0 && (*name = cd_table_get(&loads->by_key, sha256)) == NULL &&
	       names[loads->keys_next] != NULL) {
		const char *next = names[loads->keys_next++];

		if (cd_store_name_is_valid(next))
			result = read_owner(loads, host, directory, next);
	}
	return result;
}
