/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* language.c - messages in the language that a handle asks for, for one thread and one call */
#include "base/language.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NAME_ROOM 64

/* The territories of languages that are asked for without one. */
static const struct {
	const char *language;
	const char *locale;
} usual[] = {
	{"ja", "ja_JP.UTF-8"},
	{"en", "en_US.UTF-8"},
};

static bool is_plain(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && strchr("_.-@", name[i]) == NULL)
			return false;
	return length > 0 && length < NAME_ROOM - 8;
}

void cd_language_enter(struct cd_language *language, const char *name)
{
	char locale[NAME_ROOM];
	locale_t current, copy, own;

	*language = (struct cd_language){0};
	if (name == NULL || !is_plain(name))
		return;
	(void)snprintf(locale, sizeof(locale), "%s%s", name, strchr(name, '.') == NULL ? ".UTF-8" : "");
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (strcmp(usual[i].language, name) == 0)
			(void)snprintf(locale, sizeof(locale), "%s", usual[i].locale);
	current = uselocale((locale_t)0);
	copy = duplocale(current);
	if (copy == (locale_t)0)
		return;
	own = newlocale(LC_MESSAGES_MASK | LC_CTYPE_MASK, locale, copy);
	if (own == (locale_t)0) {
		freelocale(copy);
		return;
	}
	language->own = own;
	language->before = uselocale(own);
}

void cd_language_leave(struct cd_language *language)
{
	if (language->own == (locale_t)0)
		return;
	(void)uselocale(language->before);
	freelocale(language->own);
	*language = (struct cd_language){0};
}
