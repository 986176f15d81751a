/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* language.h - a thread without gettext's translations, for as long as a handle works in it */
#ifndef CD_LANGUAGE_H
#define CD_LANGUAGE_H

#include "base/catalogue.h"

#include <locale.h>

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
