/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostname.c - internationalized names by IDNA 2008 (libidn2), addresses by inet_pton(3) */
#include "base/hostname.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <idn2.h>
#include <string.h>
#include <strings.h>

#define NAME_LIMIT 253 /* of DNS */

bool cd_is_ipv4(const char *name)
{
	struct in_addr address;

	return inet_pton(AF_INET, name, &address) == 1;
}

bool cd_is_address(const char *name)
{
	unsigned char address[16];

	return cd_is_ipv4(name) || inet_pton(AF_INET6, name, address) == 1;
}

/* Laxer than a CA: "_" is in use although no host may have it. */
static bool is_dns_name(const char *name)
{
	const char *labels = name + (strncmp(name, "*.", 2) == 0 ? 2 : 0);

	if (labels[0] == '\0' || strchr("-.", labels[0]) != NULL || strlen(name) > NAME_LIMIT)
		return false;
	for (; *labels != '\0'; labels++)
		if ((!isalnum((unsigned char)*labels) && strchr("-._", *labels) == NULL) ||
		    (labels[0] == '.' && labels[1] == '.'))
			return false;
	return true;
}

int cd_hostnames_check(struct cd_problems *problems, const char *const *names, bool patterns)
{
	for (; names != NULL && *names != NULL; names++)
		if (!(patterns && (*names)[0] == '~') && !is_dns_name(*names) && !cd_is_address(*names))
			return cd_fail(problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
				       _("\"%s\" is not a host name"), cd_safe(&problems->arena, *names));
	return 0;
}

static bool is_ascii(const char *name)
{
	for (; *name != '\0'; name++)
		if ((unsigned char)*name >= 0x80)
			return false;
	return true;
}

/* An IPv6 address, also in brackets as URLs have it, in its shortest spelling; false: it is none. */
static bool shortest_ipv6(char out[INET6_ADDRSTRLEN], const char *name)
{
	size_t length = strlen(name);
	bool brackets = length > 2 && name[0] == '[' && name[length - 1] == ']';
	unsigned char address[16];

	length -= brackets ? 2 : 0;
	if (strchr(name, ':') == NULL || length >= INET6_ADDRSTRLEN)
		return false;
	memcpy(out, name + brackets, length);
	out[length] = '\0';
	return inet_pton(AF_INET6, out, address) == 1 &&
	       inet_ntop(AF_INET6, address, out, INET6_ADDRSTRLEN) != NULL;
}

/* DNS ends a whole name with a dot; certificates, SNI and configurations hold it without. */
static void drop_last_dot(char *name)
{
	size_t length = name == NULL ? 0 : strlen(name);

	if (length > 1 && name[length - 1] == '.' && name[length - 2] != '.')
		name[length - 1] = '\0';
}

char *cd_hostname_ascii(struct cd_arena *arena, const char *name)
{
	bool wildcard = strncmp(name, "*.", 2) == 0;
	char text[INET6_ADDRSTRLEN], *mapped = NULL, *copy;

	if (shortest_ipv6(text, name))
		return cd_arena_string(arena, text);
	if (is_ascii(name) || idn2_to_ascii_8z(name + (wildcard ? 2 : 0), &mapped,
					       IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		copy = cd_arena_string(arena, name);
	else
		copy = cd_arena_format(arena, "%s%s", wildcard ? "*." : "", mapped);
	idn2_free(mapped);
	drop_last_dot(copy);
	return copy;
}

/* Whether a label of the name is an encoded one. */
static bool is_encoded(const char *name)
{
	for (const char *at = name; at != NULL; at = strchr(at, '.')) {
		at += *at == '.' ? 1 : 0;
		if (strncasecmp(at, "xn--", 4) == 0)
			return true;
	}
	return false;
}

/* Only what maps back is a name: the decoder alone takes control characters. */
static bool maps_back(const char *shown, const char *name)
{
	char *mapped = NULL;
	bool same = idn2_to_ascii_8z(shown, &mapped, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK &&
		    strcasecmp(mapped, name) == 0;

	idn2_free(mapped);
	return same;
}

char *cd_hostname_unicode(struct cd_arena *arena, const char *name)
{
	bool wildcard = strncmp(name, "*.", 2) == 0;
	char *mapped = NULL, *copy = NULL;

	if (!is_encoded(name) || idn2_to_unicode_8z8z(name + (wildcard ? 2 : 0), &mapped, 0) != IDN2_OK)
		return NULL;
	if (!is_ascii(mapped) && maps_back(mapped, name + (wildcard ? 2 : 0)))
		copy = cd_arena_format(arena, "%s%s", wildcard ? "*." : "", mapped);
	idn2_free(mapped);
	return copy;
}

const char *cd_hostname_shown(struct cd_arena *arena, const char *name)
{
	const char *safe = cd_safe(arena, name), *people = cd_hostname_unicode(arena, name);
	const char *both = people == NULL ? NULL : cd_arena_format(arena, "%s (%s)", safe, people);

	return both == NULL ? safe : both;
}
