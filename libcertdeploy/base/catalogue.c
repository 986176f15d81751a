/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * catalogue.c - the messages of one language, whatever the process's locale is
 *
 * gettext takes the language from the locale and the environment, which belong to the process, and
 * knows only locales that are installed; that of newer C libraries looks at LANGUAGE no longer where the
 * locale is C.UTF-8. A .mo file is a table of sorted messages and one of their translations (GNU
 * gettext's manual, "The Format of GNU MO Files").
 */
#include "base/catalogue.h"

#include "base/descriptor.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_ROOM 32
#define PATH_ROOM 4096
#define CATALOGUE_LIMIT ((off_t)4 << 20)
#define MO_MAGIC 0x950412deU
#define MO_HEADER 20

struct cd_catalogue {
	char *bytes; /**< followed by a NUL */
	size_t length;
	bool swapped; /**< written on a host of the other byte order */
	uint32_t count;
	uint32_t messages; /**< offsets of the two tables */
	uint32_t translations;
};

static uint32_t number_at(const struct cd_catalogue *catalogue, size_t offset)
{
	uint32_t value;

	memcpy(&value, catalogue->bytes + offset, sizeof(value));
	return catalogue->swapped ? __builtin_bswap32(value) : value;
}

/* Text number index of a table, or NULL where the table points outside the file. */
static const char *text_at(const struct cd_catalogue *catalogue, uint32_t table, uint32_t index)
{
	size_t entry = (size_t)table + (size_t)index * 8;
	uint32_t length = number_at(catalogue, entry), offset = number_at(catalogue, entry + 4);

	if (offset >= catalogue->length || length >= catalogue->length - offset ||
	    catalogue->bytes[(size_t)offset + length] != '\0')
		return NULL;
	return catalogue->bytes + offset;
}

static bool table_fits(const struct cd_catalogue *catalogue, uint32_t table)
{
	return table <= catalogue->length && catalogue->count <= (catalogue->length - table) / 8;
}

static bool is_catalogue(struct cd_catalogue *catalogue)
{
	if (catalogue->length < MO_HEADER)
		return false;
	catalogue->swapped = number_at(catalogue, 0) != MO_MAGIC;
	if (number_at(catalogue, 0) != MO_MAGIC || number_at(catalogue, 4) >> 16 > 1)
		return false;
	catalogue->count = number_at(catalogue, 8);
	catalogue->messages = number_at(catalogue, 12);
	catalogue->translations = number_at(catalogue, 16);
	return table_fits(catalogue, catalogue->messages) && table_fits(catalogue, catalogue->translations);
}

static int read_all(struct cd_catalogue *catalogue, int fd)
{
	struct stat status;
	ssize_t got = 1;

	if (fstat(fd, &status) == -1)
		return errno;
	if (!S_ISREG(status.st_mode) || status.st_size > CATALOGUE_LIMIT)
		return EINVAL;
	catalogue->bytes = calloc(1, (size_t)status.st_size + 1);
	if (catalogue->bytes == NULL)
		return ENOMEM;
	while (got > 0 && catalogue->length < (size_t)status.st_size) {
		got = read(fd, catalogue->bytes + catalogue->length,
			   (size_t)status.st_size - catalogue->length);
		if (got > 0)
			catalogue->length += (size_t)got;
		else if (got == -1 && errno == EINTR)
			got = 1;
	}
	return got == -1 ? errno : 0;
}

/* Returns 0 or ENOMEM; *out stays NULL where no catalogue is at path. */
static int read_catalogue(struct cd_catalogue **out, const char *path)
{
	struct cd_catalogue *catalogue;
	int fd = cd_above_standard(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)), error;

	if (fd == -1)
		return 0;
	catalogue = calloc(1, sizeof(*catalogue));
	error = catalogue == NULL ? ENOMEM : read_all(catalogue, fd);
	(void)close(fd);
	if (error == 0 && is_catalogue(catalogue)) {
		*out = catalogue;
		return 0;
	}
	cd_catalogue_free(catalogue);
	return error == ENOMEM ? ENOMEM : 0;
}

/* "ja_JP" of "ja_JP.UTF-8@x": returns false where no language can be meant. */
static bool plain_name(char name[NAME_ROOM], const char *language)
{
	size_t length = strcspn(language, ".@");

	if (length == 0 || length >= NAME_ROOM)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)language[i]) && language[i] != '_' && language[i] != '-')
			return false;
	memcpy(name, language, length);
	name[length] = '\0';
	return true;
}

int cd_catalogue_open(struct cd_catalogue **out, const char *directory, const char *language)
{
	char name[NAME_ROOM], path[PATH_ROOM];
	int result = 0;

	*out = NULL;
	if (language == NULL || !plain_name(name, language))
		return 0;
	/* With its territory, then without. */
	for (int attempt = 0; result == 0 && *out == NULL && attempt < 2; attempt++) {
		int length =
			snprintf(path, sizeof(path), "%s/%s/LC_MESSAGES/certdeploy.mo", directory, name);

		if (length > 0 && (size_t)length < sizeof(path))
			result = read_catalogue(out, path);
		if (strcspn(name, "_-") == strlen(name))
			break;
		name[strcspn(name, "_-")] = '\0';
	}
	return result;
}

void cd_catalogue_free(struct cd_catalogue *catalogue)
{
	if (catalogue == NULL)
		return;
	free(catalogue->bytes);
	free(catalogue);
}

const char *cd_catalogue_text(const struct cd_catalogue *catalogue, const char *message)
{
	uint32_t low = 0, high = catalogue == NULL ? 0 : catalogue->count;

	/* The empty message is the catalogue's own heading. */
	while (low < high && message[0] != '\0') {
		uint32_t middle = low + (high - low) / 2;
		const char *found = text_at(catalogue, catalogue->messages, middle);
		int order = found == NULL ? 0 : strcmp(message, found);
		const char *translation;

		if (found == NULL)
			break;
		if (order < 0) {
			high = middle;
		} else if (order > 0) {
			low = middle + 1;
		} else {
			translation = text_at(catalogue, catalogue->translations, middle);
			return translation == NULL || translation[0] == '\0' ? message : translation;
		}
	}
	return message;
}
