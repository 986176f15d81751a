/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostname.h - names of hosts in their two forms: as people write them, and as DNS and X.509 hold them */
#ifndef CD_HOSTNAME_H
#define CD_HOSTNAME_H

#include "base/problem.h"

#include <stdbool.h>

bool cd_is_ipv4(const char *name);
/** IPv4 or IPv6. */
bool cd_is_address(const char *name);

/**
 * What a caller named as hosts: each a name of DNS, also with `*.` before it, or an IP address; with
 * patterns also `~` and an expression. Else refused: a port behind the name, an URL, an empty text.
 */
int cd_hostnames_check(struct cd_problems *problems, const char *const *names, bool patterns);

/**
 * The form that certificates hold: `日本語.jp` as `xn--wgv71a119e.jp`, `example.jp.` without its last dot,
 * an IPv6 address, in brackets or not, in its shortest spelling. What cannot be mapped stays as it is.
 * NULL: memory is short.
 */
char *cd_hostname_ascii(struct cd_arena *arena, const char *name);

/** The form for people; NULL: it is the same (or memory is short, or the name is not valid). */
char *cd_hostname_unicode(struct cd_arena *arena, const char *name);

/** For messages, harmless to print: the name, with its form for people behind it; never NULL. */
const char *cd_hostname_shown(struct cd_arena *arena, const char *name);

#endif
