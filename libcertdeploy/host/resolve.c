/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resolve.c - the addresses of a host name, as a server on this host gets them when it starts */
#include "base/text.h"
#include "host/host.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define ADDRESSES_MAX 64

struct addresses {
	const char *list[ADDRESSES_MAX + 1];
	size_t count;
};

/* Once each. Returns 0 or CERTDEPLOY_ENOMEM. */
static int add(struct addresses *addresses, struct cd_host *host, const char *text, size_t length)
{
	const char *copy = cd_arena_copy(&host->arena, text, length);

	if (copy == NULL)
		return CERTDEPLOY_ENOMEM;
	if (addresses->count == ADDRESSES_MAX || cd_in_list(addresses->list, copy))
		return 0;
	addresses->list[addresses->count++] = copy;
	return 0;
}

/* Next word of a line of /etc/hosts; 0 at its end. */
static size_t next_word(const char **at)
{
	*at += strspn(*at, " \t\r");
	return **at == '#' ? 0 : strcspn(*at, " \t\r\n#");
}

static int by_hosts_file(struct addresses *addresses, struct cd_host *host, const char *name)
{
	struct certdeploy_document *document;
	const char *line = "", *end, *at, *address;
	size_t length = 0, first;
	int result = 0;

	if (cd_host_file_type(host, "/etc/hosts") != CERTDEPLOY_FILE_REGULAR ||
	    cd_host_document(&document, host, "/etc/hosts") != 0)
		return 0;
	for (line = certdeploy_document_bytes(document, &length); result == 0 && *line != '\0';
	     line = end + (*end == '\n' ? 1 : 0)) {
		end = line + strcspn(line, "\n");
		address = line;
		first = next_word(&address);
		at = address + first;
		while (first != 0 && (length = next_word(&at)) != 0) {
			if (strlen(name) == length && strncasecmp(at, name, length) == 0)
				result = add(addresses, host, address, first);
			at += length;
		}
	}
	return result;
}

static int by_resolver(struct addresses *addresses, struct cd_host *host, const char *name)
{
	/* As APR asks: no IPv6 addresses where the host has none itself. */
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found = NULL;
	int result = 0;

	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return 0;
	for (const struct addrinfo *one = found; result == 0 && one != NULL; one = one->ai_next) {
		char text[NI_MAXHOST];

		if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof(text), NULL, 0,
				NI_NUMERICHOST) == 0)
			result = add(addresses, host, text, strlen(text));
	}
	freeaddrinfo(found);
	return result;
}

int cd_host_resolve(const char *const **out, struct cd_host *host, const char *name)
{
	const char *const *known = cd_table_get(&host->addresses, name);
	struct addresses addresses = {0};
	int result = 0;

	if (known == NULL) {
		result = host->root.live ? by_resolver(&addresses, host, name)
					 : by_hosts_file(&addresses, host, name);
		if (result == 0)
			known = cd_arena_list(&host->arena, addresses.list);
		if (known == NULL || cd_table_put(&host->addresses, name, known) != 0)
			return cd_fail_memory(host->problems);
	}
	*out = known;
	return known[0] == NULL ? CERTDEPLOY_ENOTFOUND : 0;
}
