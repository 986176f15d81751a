/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* language.c - the language that the tool speaks, whichever locales are installed */
#include "tool.h"

#include "base/catalogue.h"

#include <locale.h>
#include <string.h>

#define NAME_LIMIT 32

static struct cd_catalogue *catalogue;
static char spoken[NAME_LIMIT] = "C";

/* The next language of a list as LANGUAGE has it, "ja:en"; false at its end. */
static bool next_language(char name[NAME_LIMIT], const char **list)
{
	size_t length;

	*list += strspn(*list, ":");
	length = strcspn(*list, ":");
	if (length == 0)
		return false;
	(void)snprintf(name, NAME_LIMIT, "%.*s", (int)length, *list);
	*list += length;
	return true;
}

static bool is_english(const char *name)
{
	return strcmp(name, "C") == 0 || strcmp(name, "POSIX") == 0 || strncmp(name, "C.", 2) == 0 ||
	       (strncmp(name, "en", 2) == 0 && strchr("_.@-", name[2]) != NULL);
}

/* Output is UTF-8 always; only the widths of characters are taken from the locale. */
static void set_locale(const char *language)
{
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		(void)setlocale(LC_CTYPE, language);
}

void set_language(const char *language)
{
	const char *list = language == NULL ? noted_language() : language;
	char name[NAME_LIMIT];

	set_locale(language == NULL ? noted_locale() : language);
	cd_catalogue_free(catalogue);
	catalogue = NULL;
	(void)snprintf(spoken, sizeof(spoken), "C");
	while (catalogue == NULL && next_language(name, &list) && !is_english(name))
		if (cd_catalogue_open(&catalogue, CD_LOCALEDIR, name) == 0 && catalogue != NULL)
			memcpy(spoken, name, sizeof(spoken));
}

const char *spoken_language(void)
{
	return spoken;
}

const char *tool_text(const char *message)
{
	return cd_catalogue_text(catalogue, message);
}

const char *tool_plural(const char *one, const char *many, unsigned long count)
{
	const char *text = tool_text(one);

	/* The first form of a translation is its only one in Japanese. */
	return text == one && count != 1 ? many : text;
}
