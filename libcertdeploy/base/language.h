/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* language.h - messages in the language that a handle asks for, for one thread and one call */
#ifndef CD_LANGUAGE_H
#define CD_LANGUAGE_H

#include <locale.h>

/** All zero: nothing was switched. */
struct cd_language {
	locale_t own;
	locale_t before;
};

/**
 * Let this thread's messages be in a language, e.g. "ja". Other threads and the process's locale stay
 * as they are. Where the system has no locale of that language nothing changes. NULL: nothing changes.
 */
void cd_language_enter(struct cd_language *language, const char *name);
void cd_language_leave(struct cd_language *language);

#endif
