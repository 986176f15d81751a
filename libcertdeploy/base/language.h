/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* language.h - messages in the language that a handle asks for, whatever the process's locale is */
#ifndef CD_LANGUAGE_H
#define CD_LANGUAGE_H

#include <locale.h>

/** The translations of one language, read from gettext's .mo file. */
struct cd_catalogue;

/**
 * Open the catalogue of a language ("ja", "ja_JP", "ja_JP.UTF-8") below a directory as gettext lays it
 * out. *out is NULL where there is none, or none that can be read: messages are in English then.
 * Returns 0 or CERTDEPLOY_ENOMEM.
 */
int cd_catalogue_open(struct cd_catalogue **out, const char *directory, const char *language);
void cd_catalogue_free(struct cd_catalogue *catalogue);

/** The translation of a message, or the message itself. catalogue may be NULL. */
const char *cd_catalogue_text(const struct cd_catalogue *catalogue, const char *message)
	__attribute__((format_arg(2)));

/** All zero: nothing was switched. */
struct cd_language {
	locale_t own;
	locale_t before;
};

/**
 * Keep gettext from translating in this thread: a handle that names its language translates by its own
 * catalogue, where messages are recorded. Other threads and the process's locale stay as they are.
 */
void cd_language_enter(struct cd_language *language, const char *name);
void cd_language_leave(struct cd_language *language);

#endif
