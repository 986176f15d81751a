/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * catalogue.h - the messages of one language, whatever the process's locale is
 *
 * Needs nothing but the C library: the tool has it, too, for what it says before there is a handle.
 */
#ifndef CD_CATALOGUE_H
#define CD_CATALOGUE_H

/** The translations of one language, read from gettext's .mo file. */
struct cd_catalogue;

/**
 * Open the catalogue of a language ("ja", "ja_JP", "ja_JP.UTF-8") below a directory as gettext lays it
 * out. *out is NULL where there is none, or none that can be read: messages are in English then.
 * Returns 0 or ENOMEM.
 */
int cd_catalogue_open(struct cd_catalogue **out, const char *directory, const char *language);
void cd_catalogue_free(struct cd_catalogue *catalogue);

/** The translation of a message, or the message itself. catalogue may be NULL. */
const char *cd_catalogue_text(const struct cd_catalogue *catalogue, const char *message)
	__attribute__((format_arg(2)));

#endif
