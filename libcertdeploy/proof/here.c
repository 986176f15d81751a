/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * here.c - which addresses are this host's own
 *
 * The interfaces name most of them. The kernel knows of the others, of a route to itself: a socket that
 * is bound for one's own address has that address. Nothing is sent.
 */
#include "proof/here.h"

#include "base/descriptor.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* An address as the kernel takes it. */
struct place {
	struct sockaddr_storage socket;
	socklen_t size;
};

/* The bytes of the address itself; NULL: of another family. */
static const void *bytes_of(const struct sockaddr *socket, size_t *length)
{
	if (socket->sa_family == AF_INET) {
		*length = sizeof(struct in_addr);
		return &((const struct sockaddr_in *)(const void *)socket)->sin_addr;
	}
	*length = sizeof(struct in6_addr);
	return socket->sa_family == AF_INET6
		       ? &((const struct sockaddr_in6 *)(const void *)socket)->sin6_addr
		       : NULL;
}

static void ask(struct cd_here *here)
{
	struct ifaddrs *all;

	here->asked = true;
	if (getifaddrs(&all) == -1)
		return;
	here->told = true;
	for (const struct ifaddrs *one = all; here->told && one != NULL; one = one->ifa_next) {
		size_t length;
		const void *bytes = one->ifa_addr == NULL ? NULL : bytes_of(one->ifa_addr, &length);

		if (bytes != NULL)
			here->told = cd_table_put_bytes(&here->addresses, bytes, length, here) == 0;
	}
	freeifaddrs(all);
}

static bool parse(struct place *place, const char *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&place->socket;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&place->socket;

	memset(place, 0, sizeof(*place));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(443);
		place->size = sizeof(*v4);
		return true;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(443);
	place->size = sizeof(*v6);
	return inet_pton(AF_INET6, address, &v6->sin6_addr) == 1;
}

/* Whether a packet to it would come from itself. */
static bool comes_from_itself(const struct place *place)
{
	struct sockaddr_storage us = {0};
	socklen_t size = sizeof(us);
	size_t length;
	const void *theirs = bytes_of((const struct sockaddr *)&place->socket, &length), *ours;
	int fd = cd_above_standard(socket(place->socket.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	bool own = false;

	if (fd == -1)
		return false;
	if (connect(fd, (const struct sockaddr *)&place->socket, place->size) == 0 &&
	    getsockname(fd, (struct sockaddr *)&us, &size) == 0 &&
	    us.ss_family == place->socket.ss_family) {
		ours = bytes_of((struct sockaddr *)&us, &length);
		own = ours != NULL && theirs != NULL && memcmp(ours, theirs, length) == 0;
	}
	(void)close(fd);
	return own;
}

bool cd_here_has(struct cd_here *here, const char *address)
{
	static const unsigned char zero[sizeof(struct in6_addr)];
	struct place place;
	const unsigned char *bytes;
	size_t length;

	if (address == NULL || !parse(&place, address))
		return true;
	bytes = bytes_of((struct sockaddr *)&place.socket, &length);
	if (bytes == NULL || memcmp(bytes, zero, length) == 0 ||
	    (length == sizeof(struct in_addr) && bytes[0] == 127))
		return true;
	if (!here->asked)
		ask(here);
	return !here->told || cd_table_get_bytes(&here->addresses, bytes, length) != NULL ||
	       comes_from_itself(&place);
}

void cd_here_free(struct cd_here *here)
{
	cd_table_free(&here->addresses);
}
