/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.h - small things about strings, times and numbers */
#ifndef CD_TEXT_H
#define CD_TEXT_H

#include "base/arena.h"

#include <libintl.h>

/** A message in the user's language. The library's texts have a domain of their own. */
#define CD_DOMAIN "certdeploy"
#define _(text) dgettext(CD_DOMAIN, text)
#define N_(text) text

#define CD_SHA256_TEXT 65

/**
 * Foreign text made harmless for terminals and logs: valid UTF-8 stays, control characters (also C1,
 * and the marks that reorder text) and broken bytes become \xNN; cut at limit bytes with "…".
 */
char *cd_printable(struct cd_arena *arena, const char *bytes, size_t length, size_t limit);
/** The same for a string, cut at 512 bytes; never NULL ("?" when memory is short). */
const char *cd_safe(struct cd_arena *arena, const char *string);

/** Length of the UTF-8 character (RFC 3629) at bytes and its code point; 0: none is there. */
size_t cd_utf8_decode(const unsigned char *bytes, size_t length, uint32_t *code);

/** Lower-case hexadecimal; out has room for 2 × length + 1. */
void cd_hex(char *out, const unsigned char *bytes, size_t length);
/** SHA-256 as 64 digits. Returns 0 or CERTDEPLOY_ENOMEM. */
int cd_sha256(char out[CD_SHA256_TEXT], const void *bytes, size_t length);

/** "20261121T201136Z"; out has room for 17. */
void cd_utc_compact(char out[17], int64_t time);
/** "2026-11-21T20:11:36Z"; out has room for 21. */
void cd_utc(char out[21], int64_t time);

/** What an errno means, by strerror_r(); room is for its use. Never NULL. */
const char *cd_errno_text(int error, char *room, size_t size);

bool cd_in_list(const char *const *list, const char *string);
bool cd_ends_with(const char *string, const char *suffix);

/** Does a certificate's name cover a host name? Exact, or `*.` for one label; caseless (RFC 9525). */
bool cd_name_covers(const char *pattern, const char *hostname);
/** One of the names covers hostname. */
bool cd_names_cover(const char *const *names, const char *hostname);

#endif
