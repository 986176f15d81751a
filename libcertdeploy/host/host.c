/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host.c - what one run sees of the host: each file, directory and answer once */
#include "host/host.h"

#include "base/process.h"
#include "base/text.h"
#include "certificate/leaf.h"
#include "change/document.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAF_FILE_LIMIT ((size_t)1 << 20)
#define ASK_SECONDS 10
#define ASK_OUTPUT ((size_t)4 << 20)

struct cd_leaf_answer {
	int result;
	const struct certdeploy_leaf *leaf;
};

struct cd_answer {
	int result;
	const char *text;
};

int cd_host_open(struct cd_host *host, struct cd_problems *problems, const char *root_path)
{
	*host = (struct cd_host){.root = {.fd = -1}, .problems = problems};
	return cd_root_open(&host->root, problems, root_path);
}

void cd_host_close(struct cd_host *host)
{
	for (size_t i = 0; i < host->owned.count; i++)
		cd_document_free(host->owned.items[i]);
	cd_vector_free(&host->owned);
	cd_table_free(&host->documents);
	cd_table_free(&host->by_inode);
	cd_table_free(&host->directories);
	cd_table_free(&host->leaves);
	cd_table_free(&host->answers);
	cd_table_free(&host->addresses);
	cd_arena_free(&host->arena);
	cd_root_close(&host->root);
}

struct inode_key {
	dev_t device;
	ino_t inode;
};

static int read_document(struct certdeploy_document *document, struct cd_host *host, const char *path)
{
	char *bytes = NULL;
	int error = cd_read_file(&bytes, &document->length, &document->identity, &host->root, path,
				 CD_DOCUMENT_LIMIT);

	document->bytes = bytes;
	switch (error) {
	case 0:
		return 0;
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
		return CERTDEPLOY_ENOTFOUND;
	case EFBIG:
		return cd_fail(host->problems, CERTDEPLOY_EREFUSED, "too-large", path, 0,
			       _("the file is larger than any sensible configuration"));
	case EINVAL:
		return cd_fail(host->problems, CERTDEPLOY_EREFUSED, "config-not-understood", path, 0,
			       _("not a regular file"));
	default:
		return cd_fail_errno(host->problems, error, path, _("cannot read the file"));
	}
}

/* The path stays. */
static int load_document(struct certdeploy_document **out, struct cd_host *host, const char *path)
{
	struct certdeploy_document *document = calloc(1, sizeof(*document));
	int result =
		document == NULL ? cd_fail_memory(host->problems) : read_document(document, host, path);

	*out = NULL;
	if (result == 0 && cd_vector_add(&host->owned, document) != 0)
		result = cd_fail_memory(host->problems);
	if (result == 0) {
		document->path = path;
		*out = document;
	} else {
		cd_document_free(document);
	}
	return result;
}

/* The bytes of one that was released: those that were there. */
static int load_again(struct certdeploy_document *document, struct cd_host *host)
{
	struct certdeploy_document again = {0};
	int result = read_document(&again, host, document->path);

	if (result == CERTDEPLOY_ENOTFOUND ||
	    (result == 0 && !cd_identity_same(&again.identity, &document->identity)))
		result = cd_fail(host->problems, CERTDEPLOY_EREFUSED, "changed-since", document->path, 0,
				 _("somebody has changed this since it was read"));
	if (result == 0)
		document->bytes = again.bytes;
	else
		free((char *)(uintptr_t)again.bytes);
	return result;
}

/* The one that has been read under another name, if there is one. */
static int unite(struct certdeploy_document **document, struct cd_host *host)
{
	struct inode_key key;
	void **known;

	memset(&key, 0, sizeof(key));
	key.device = (*document)->identity.device;
	key.inode = (*document)->identity.inode;
	known = cd_table_place(&host->by_inode, &key, sizeof(key));
	if (known == NULL)
		return cd_fail_memory(host->problems);
	if (*known == NULL)
		*known = *document;
	else
		cd_document_drop(*document);
	*document = *known;
	return 0;
}

int cd_host_document(struct certdeploy_document **out, struct cd_host *host, const char *path)
{
	void **place = cd_table_place(&host->documents, path, strlen(path));
	struct certdeploy_document *document = place == NULL ? NULL : *place;
	int result = 0;

	if (place == NULL)
		return cd_fail_memory(host->problems);
	if (document == NULL) {
		result = load_document(&document, host, cd_table_key(place));
		if (result == 0)
			result = unite(&document, host);
		if (result == 0)
			*place = document;
	}
	if (result == 0 && document->bytes == NULL)
		result = load_again(document, host);
	*out = result == 0 ? document : NULL;
	return result;
}

enum certdeploy_file_type cd_host_file_type(struct cd_host *host, const char *path)
{
	struct stat status;
	int fd = -1, result, error;

	if (host->root.live) {
		result = stat(path, &status);
	} else {
		fd = cd_open(&host->root, path, O_PATH);
		result = fd == -1 ? -1 : fstat(fd, &status);
	}
	error = errno;
	if (fd != -1)
		(void)close(fd);
	if (result == -1 && error == ENOMEM)
		(void)cd_fail_memory(host->problems);
	/* What a failed look says nothing about is not taken for absent. */
	if (result == -1)
		return error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENAMETOOLONG
			       ? CERTDEPLOY_FILE_ABSENT
			       : CERTDEPLOY_FILE_UNKNOWN;
	if (S_ISREG(status.st_mode))
		return CERTDEPLOY_FILE_REGULAR;
	return S_ISDIR(status.st_mode) ? CERTDEPLOY_FILE_DIRECTORY : CERTDEPLOY_FILE_OTHER;
}

/* Of the path itself, or (flags 0) of what it leads to. False: it cannot be looked at. */
static bool look(struct stat *status, struct cd_host *host, const char *path, int flags)
{
	int fd = cd_open(&host->root, path, O_PATH | flags);
	bool seen = fd != -1 && fstat(fd, status) == 0;

	if (fd != -1)
		(void)close(fd);
	return seen;
}

bool cd_host_is_link(struct cd_host *host, const char *path)
{
	struct stat status;

	return look(&status, host, path, O_NOFOLLOW) && S_ISLNK(status.st_mode);
}

bool cd_host_is_exposed(struct cd_host *host, const char *path)
{
	struct stat status;

	return look(&status, host, path, 0) && (status.st_mode & 0006) != 0;
}

static int by_name(const void *one, const void *other)
{
	return strcmp(*(const char *const *)one, *(const char *const *)other);
}

static int read_names(struct cd_vector *names, struct cd_host *host, DIR *directory)
{
	struct dirent *entry;

	while (errno = 0, (entry = readdir(directory)) != NULL) {
		char *name;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		name = cd_arena_string(&host->arena, entry->d_name);
		if (name == NULL || cd_vector_add(names, name) != 0)
			return ENOMEM;
	}
	return errno;
}

int cd_host_directory(const char *const **names, struct cd_host *host, const char *path)
{
	const char **list = cd_table_get(&host->directories, path);
	struct cd_vector found = {0};
	DIR *directory = NULL;
	int fd, error;

	*names = (const char *const *)list;
	if (list != NULL)
		return 0;
	fd = cd_open(&host->root, path, O_RDONLY | O_DIRECTORY);
	if (fd != -1)
		directory = fdopendir(fd);
	error = directory == NULL ? errno : read_names(&found, host, directory);
	if (directory != NULL)
		(void)closedir(directory);
	else if (fd != -1)
		(void)close(fd);
	if (error == 0) {
		list = cd_arena_array(&host->arena, found.count + 1, sizeof(*list));
		if (list != NULL && found.count != 0) {
			memcpy(list, found.items, found.count * sizeof(*list));
			qsort(list, found.count, sizeof(*list), by_name);
		}
		if (list == NULL || cd_table_put(&host->directories, path, list) != 0)
			error = ENOMEM;
	}
	cd_vector_free(&found);
	if (error == ENOENT || error == ENOTDIR)
		return CERTDEPLOY_ENOTFOUND;
	if (error != 0)
		return cd_fail_errno(host->problems, error, path, _("cannot read the directory"));
	*names = (const char *const *)list;
	return 0;
}

static int read_failure(int error)
{
	if (cd_is_denied(error))
		return CERTDEPLOY_EPERMISSION;
	if (error == ENOMEM)
		return CERTDEPLOY_ENOMEM;
	return error == ENOENT || error == ENOTDIR ? CERTDEPLOY_ENOTFOUND : CERTDEPLOY_EREFUSED;
}

/* What is read may be a key, and a certificate's file may hold its key as well. */
static void wipe(char *bytes, size_t length)
{
	if (bytes != NULL)
		explicit_bzero(bytes, length);
	free(bytes);
}

int cd_host_leaf(const struct certdeploy_leaf **out, struct cd_host *host, const char *path)
{
	struct cd_leaf_answer *answer = cd_table_get(&host->leaves, path);
	char *bytes = NULL;
	size_t length = 0;
	int error;

	*out = NULL;
	if (answer == NULL) {
		answer = cd_arena_alloc(&host->arena, sizeof(*answer));
		if (answer == NULL || cd_table_put(&host->leaves, path, answer) != 0)
			return cd_fail_memory(host->problems);
		error = cd_read_file(&bytes, &length, NULL, &host->root, path, LEAF_FILE_LIMIT);
		if (error == 0)
			answer->result = cd_leaf_parse(&answer->leaf, &host->arena, bytes, length);
		else
			answer->result = read_failure(error);
		wipe(bytes, length);
	}
	*out = answer->leaf;
	return answer->result == CERTDEPLOY_ENOMEM ? cd_fail_memory(host->problems) : answer->result;
}

int cd_host_bytes(char **bytes, size_t *length, struct cd_host *host, const char *path)
{
	int error = cd_read_file(bytes, length, NULL, &host->root, path, LEAF_FILE_LIMIT);

	return error == 0 ? 0 : read_failure(error);
}

int cd_host_key_type(const char **type, struct cd_host *host, const char *path)
{
	char *bytes = NULL;
	size_t length = 0;
	int result = cd_host_bytes(&bytes, &length, host, path);

	*type = NULL;
	if (result == 0)
		result = cd_key_type_parse(type, bytes, length);
	wipe(bytes, length);
	return result == CERTDEPLOY_ENOMEM ? cd_fail_memory(host->problems) : result;
}

static int run_question(struct cd_answer *answer, struct cd_host *host, const char *const *argv,
			const char *const *environment)
{
	struct cd_run run = {.argv = argv,
			     .environment = environment,
			     .seconds = ASK_SECONDS,
			     .output_limit = ASK_OUTPUT};
	int result = cd_run(&run);

	if (result == 0)
		answer->result = run.status == 0 ? 0 : CERTDEPLOY_EFAILED;
	else
		answer->result = result == CERTDEPLOY_ENOTFOUND ? CERTDEPLOY_ENOTFOUND : CERTDEPLOY_EFAILED;
	answer->text = cd_arena_copy(&host->arena, cd_buffer_text(&run.output), run.output.length);
	cd_run_free(&run);
	return answer->text == NULL || result == CERTDEPLOY_ENOMEM ? cd_fail_memory(host->problems) : 0;
}

int cd_host_ask(const char **text, struct cd_host *host, const char *const *argv,
		const char *const *environment)
{
	struct cd_buffer key = {0};
	struct cd_answer *answer;
	int result = 0;

	*text = "";
	if (!host->root.live)
		return CERTDEPLOY_ENOTFOUND;
	for (size_t i = 0; argv[i] != NULL; i++)
		cd_buffer_add(&key, argv[i], strlen(argv[i]) + 1);
	if (key.failed)
		return cd_fail_memory(host->problems);
	answer = cd_table_get_bytes(&host->answers, key.bytes, key.length);
	if (answer == NULL) {
		answer = cd_arena_alloc(&host->arena, sizeof(*answer));
		result = answer == NULL ? cd_fail_memory(host->problems)
					: run_question(answer, host, argv, environment);
		if (result == 0 && cd_table_put_bytes(&host->answers, key.bytes, key.length, answer) != 0)
			result = cd_fail_memory(host->problems);
	}
	cd_buffer_free(&key);
	if (result != 0)
		return result;
	*text = answer->text;
	return answer->result;
}
