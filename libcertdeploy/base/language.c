/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* language.c - a thread without gettext's translations, for as long as a handle works in it */
#include "base/language.h"

void cd_language_enter(struct cd_language *language, const char *name)
{
	locale_t copy;

	*language = (struct cd_language){0};
	if (name == NULL)
		return;
	copy = duplocale(uselocale((locale_t)0));
	if (copy == (locale_t)0)
		return;
	language->own = newlocale(LC_MESSAGES_MASK, "C", copy);
	if (language->own == (locale_t)0)
		freelocale(copy);
	else
		language->before = uselocale(language->own);
}

void cd_language_leave(struct cd_language *language)
{
	if (language->own == (locale_t)0)
		return;
	(void)uselocale(language->before);
	freelocale(language->own);
	*language = (struct cd_language){0};
}
