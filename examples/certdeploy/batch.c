/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * batch.c - many certificates in one run
 *
 * --batch names a file with a JSON list, or "batch" in a request holds it: one object for each
 * certificate, with the keys of a request that say what it is and where it goes. --batch-dir names a
 * directory as issuers keep it: NAME/fullchain.pem (or cert.pem and chain.pem) and NAME/privkey.pem.
 */
#include "request.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_LIMIT ((size_t)128 << 20)
#define PATH_ROOM 4096

static const struct option_row next = {.name = "batch", .effect = EFFECT_NEXT};

static int begin_certificate(struct tool *tool)
{
	return tool->batch_count++ == 0 ? 0 : add_setting(tool, &next, NULL, 0);
}

bool is_of_one(const struct option_row *row)
{
	switch (row->effect) {
	case EFFECT_MATERIAL:
	case EFFECT_ONCE:
		return true;
	case EFFECT_LIST:
		return row->value == CERTDEPLOY_HOSTNAME || row->value == CERTDEPLOY_ADDRESS ||
		       row->value == CERTDEPLOY_LISTENER;
	case EFFECT_FLAG:
		return row->value == CERTDEPLOY_DEFAULT || row->value == CERTDEPLOY_ALL;
	default:
		return false;
	}
}

static int take_certificate(struct tool *tool, json_t *object)
{
	int result = begin_certificate(tool);
	bool is_content;

	if (!json_is_object(object))
		return usage_error(tool, _("certificate %zu of the batch is not a JSON object"),
				   tool->batch_count);
	for (void *member = json_object_iter(object); result == 0 && member != NULL;
	     member = json_object_iter_next(object, member)) {
		const char *key = json_object_iter_key(member);
		const struct option_row *row = option_of_key(tool, key, &is_content);

		if (row == NULL || !is_of_one(row))
			return usage_error(
				tool, _("\"%s\" is no key of a certificate in a batch (certificate %zu)"),
				key, tool->batch_count);
	}
	return result == 0 ? take_members(tool, object) : result;
}

int take_batch(struct tool *tool, const json_t *list)
{
	int result = 0;

	if (!json_is_array(list))
		return usage_error(tool, _("a batch is a list of certificates"));
	/* Without a certificate the request would mean everything that is remembered. */
	if (json_array_size(list) == 0)
		return usage_error(tool, _("the batch is empty"));
	for (size_t i = 0; result == 0 && i < json_array_size(list); i++)
		result = take_certificate(tool, json_array_get(list, i));
	return result;
}

/* A file, or what a shell's <(command) gives; a device may have no end. */
static int check_kind(int fd)
{
	struct stat status;

	if (fstat(fd, &status) == -1)
		return errno;
	if (S_ISDIR(status.st_mode))
		return EISDIR;
	if (S_ISREG(status.st_mode))
		return status.st_size > (off_t)BATCH_LIMIT ? EFBIG : 0;
	return S_ISFIFO(status.st_mode) ? 0 : EINVAL;
}

static int read_file(struct tool *tool, const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open_given(path), result;
	char *bytes = NULL;
	size_t length = 0;
	json_t *list = NULL;

	result = fd == -1 ? errno : is_stdin ? 0 : check_kind(fd);
	if (result == 0)
		result = read_all(&bytes, &length, fd, BATCH_LIMIT);
	if (fd != -1 && !is_stdin)
		(void)close(fd);
	if (result != 0)
		return lone_failure(tool, result, is_stdin ? _("standard input") : path);
	result = parse_json(&list, tool, bytes, length);
	if (result == 0)
		result = take_batch(tool, list);
	json_decref(list);
	return result;
}

/* The file of a certificate's directory, if there is one. */
static int add_file(bool *added, struct tool *tool, const char *directory, const char *file,
		    const char *option)
{
	char path[PATH_ROOM];
	int length = snprintf(path, sizeof(path), "%s/%s/%s", tool->batch_directory, directory, file);
	const struct option_row *row = find_option(tool->command, option, strlen(option));

	*added = length > 0 && length < PATH_ROOM && access(path, F_OK) == 0;
	return *added ? add_setting(tool, row, path, (size_t)length) : 0;
}

static int take_directory(struct tool *tool, const char *name)
{
	const struct option_row *row = find_option(tool->command, "name", strlen("name"));
	bool whole = false, added = false;
	int result = begin_certificate(tool);

	if (result == 0)
		result = add_setting(tool, row, name, strlen(name));
	if (result == 0)
		result = add_file(&whole, tool, name, "fullchain.pem", "fullchain");
	if (result == 0 && !whole)
		result = add_file(&added, tool, name, "cert.pem", "cert");
	if (result == 0 && !whole)
		result = add_file(&added, tool, name, "chain.pem", "chain");
	return result == 0 ? add_file(&added, tool, name, "privkey.pem", "key") : result;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* A directory holds a certificate when a key is in it. */
static bool has_key(const char *directory, const char *name)
{
	char path[PATH_ROOM];
	int length = snprintf(path, sizeof(path), "%s/%s/privkey.pem", directory, name);

	return length > 0 && length < PATH_ROOM && access(path, F_OK) == 0;
}

static int read_directory(struct tool *tool)
{
	struct dirent **entries = NULL;
	int count = scandir(tool->batch_directory, &entries, is_visible, alphasort), result = 0;

	if (count == -1)
		return lone_failure(tool, errno, tool->batch_directory);
	for (int i = 0; i < count; i++) {
		if (result == 0 && has_key(tool->batch_directory, entries[i]->d_name))
			result = take_directory(tool, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return result;
}

int read_batch(struct tool *tool)
{
	bool alone = true;
	int result = 0;

	for (size_t i = 0; i < tool->setting_count; i++)
		alone = alone && !is_of_one(tool->settings[i].option);
	if (!alone && tool->batch_count == 0)
		return usage_error(tool, _("with a batch, certificates and targets stand in it"));
	if (tool->batch_file != NULL)
		result = read_file(tool, tool->batch_file);
	if (result == 0 && tool->batch_directory != NULL)
		result = read_directory(tool);
	if (result == 0 && tool->batch_count == 0)
		return usage_error(tool, _("the batch is empty"));
	return result;
}
