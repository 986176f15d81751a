/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fetch.c - get a few kilobytes by plain HTTP/1.0 */
#include "proof/fetch.h"

#include "base/descriptor.h"
#include "base/process.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECONDS 10
#define REDIRECTS 3
#define HEAD_LIMIT ((size_t)16 << 10)
#define BODY_LIMIT ((size_t)64 << 10)
#define URL_LIMIT 1024

struct place {
	char host[256];
	char port[6];
	char path[URL_LIMIT];
	bool bracketed; /* an IPv6 address */
};

static int fail(struct cd_fetch *fetch, const char *why)
{
	fetch->why = why;
	return CERTDEPLOY_EFAILED;
}

/* ---- the address ---- */

/* http://host[:port]/path of printable ASCII: nothing that could end a line of the request. */
static bool parse(struct place *place, const char *url)
{
	const char *at = url + strlen("http://"), *end;
	size_t length;

	*place = (struct place){.port = "80", .path = "/"};
	if (strncasecmp(url, "http://", strlen("http://")) != 0 || strlen(url) >= URL_LIMIT)
		return false;
	for (const char *byte = url; *byte != '\0'; byte++)
		if (*byte <= ' ' || *byte >= 0x7f)
			return false;
	place->bracketed = *at == '[';
	at += place->bracketed ? 1 : 0;
	length = strcspn(at, place->bracketed ? "]" : ":/?#@");
	end = at + length;
	if (length == 0 || length >= sizeof(place->host) || *end == '@' ||
	    (place->bracketed && *end != ']'))
		return false;
	memcpy(place->host, at, length);
	at = end + (place->bracketed ? 1 : 0);
	if (*at == ':') {
		length = strspn(++at, "0123456789");
		if (length == 0 || length >= sizeof(place->port))
			return false;
		memcpy(place->port, at, length);
		place->port[length] = '\0';
		at += length;
	}
	if (*at != '\0' && *at != '/')
		return false;
	if (*at == '/')
		(void)snprintf(place->path, sizeof(place->path), "%.*s", (int)strcspn(at, "#"), at);
	return true;
}

static bool is_public_ipv4(uint32_t address)
{
	static const struct {
		uint32_t network, mask;
	} others[] = {
		{0x00000000, 0xff000000}, {0x0a000000, 0xff000000}, {0x64400000, 0xffc00000},
		{0x7f000000, 0xff000000}, {0xa9fe0000, 0xffff0000}, {0xac100000, 0xfff00000},
		{0xc0000000, 0xffffff00}, {0xc0a80000, 0xffff0000}, {0xc6120000, 0xfffe0000},
		{0xe0000000, 0xe0000000},
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if ((address & others[i].mask) == others[i].network)
			return false;
	return true;
}

/* Only global unicast (2000::/3), where 6to4 and Teredo carry IPv4 addresses that may be anything. */
static bool is_public_ipv6(const unsigned char *bytes)
{
	bool teredo = bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0 && bytes[3] == 0;

	return (bytes[0] & 0xe0) == 0x20 && !teredo && !(bytes[0] == 0x20 && bytes[1] == 0x02);
}

static bool is_public(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in ipv4;

		memcpy(&ipv4, address, sizeof(ipv4));
		return is_public_ipv4(ntohl(ipv4.sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 ipv6;

		memcpy(&ipv6, address, sizeof(ipv6));
		return is_public_ipv6(ipv6.sin6_addr.s6_addr);
	}
	return false;
}

/* ---- the wire ---- */

static bool wait_for(int fd, short events, int64_t end)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};
	int64_t left;
	int ready;

	do {
		left = end - cd_now_ms();
		ready = left <= 0 ? 0 : poll(&poll_fd, 1, (int)left);
	} while (ready == -1 && errno == EINTR);
	return ready == 1;
}

static int connect_to(const struct addrinfo *address, int64_t end)
{
	int fd = cd_above_standard(
		socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	int error = 0;
	socklen_t size = sizeof(error);

	if (fd == -1)
		return -1;
	if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
		return fd;
	if (errno == EINPROGRESS && wait_for(fd, POLLOUT, end) &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static int open_connection(int *fd, struct cd_fetch *fetch, const struct place *place, int64_t end)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	bool refused = false;
	int error = getaddrinfo(place->host, place->port, &hints, &list);

	*fd = -1;
	if (error == EAI_MEMORY)
		return CERTDEPLOY_ENOMEM;
	if (error != 0)
		return fail(fetch, _("the name of its server is not known"));
	for (const struct addrinfo *at = list; *fd == -1 && at != NULL; at = at->ai_next) {
		if (fetch->private_addresses || is_public(at->ai_addr))
			*fd = connect_to(at, end);
		else
			refused = true;
	}
	freeaddrinfo(list);
	if (*fd != -1)
		return 0;
	return fail(fetch, refused ? _("its server has no public address (see fetch_private)")
				   : _("its server does not answer"));
}

static bool send_all(int fd, const char *bytes, size_t length, int64_t end)
{
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (!wait_for(fd, POLLOUT, end))
				return false;
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

/* All until the end of the stream. */
static int receive(struct cd_buffer *answer, struct cd_fetch *fetch, int fd, int64_t end)
{
	char bytes[4096];

	for (;;) {
		ssize_t got = recv(fd, bytes, sizeof(bytes), 0);

		if (got == 0)
			return answer->failed ? CERTDEPLOY_ENOMEM : 0;
		if (got > 0) {
			cd_buffer_add(answer, bytes, (size_t)got);
			if (answer->length > HEAD_LIMIT + BODY_LIMIT)
				return fail(fetch, _("the answer is too long"));
			if (cd_now_ms() >= end)
				return fail(fetch, _("it takes too long"));
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (!wait_for(fd, POLLIN, end))
				return fail(fetch, _("it takes too long"));
		} else if (errno != EINTR) {
			return fail(fetch, _("the connection broke"));
		}
	}
}

static int ask(struct cd_buffer *answer, struct cd_fetch *fetch, const struct place *place, int64_t end)
{
	struct cd_buffer request = {0};
	int fd, result = open_connection(&fd, fetch, place, end);

	if (result != 0)
		return result;
	cd_buffer_format(&request,
			 "GET %s HTTP/1.0\r\nHost: %s%s%s%s%s\r\nUser-Agent: certdeploy\r\n"
			 "Accept: */*\r\nConnection: close\r\n\r\n",
			 place->path, place->bracketed ? "[" : "", place->host, place->bracketed ? "]" : "",
			 strcmp(place->port, "80") == 0 ? "" : ":",
			 strcmp(place->port, "80") == 0 ? "" : place->port);
	if (request.failed)
		result = CERTDEPLOY_ENOMEM;
	else if (!send_all(fd, request.bytes, request.length, end))
		result = fail(fetch, _("the connection broke"));
	else
		result = receive(answer, fetch, fd, end);
	cd_buffer_free(&request);
	(void)close(fd);
	return result;
}

/* ---- the answer ---- */

/* The value of a header line, or NULL; it ends at the line's end. */
static const char *header(const char *head, const char *end, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = head; at != NULL && at < end; at = memchr(at, '\n', (size_t)(end - at))) {
		at += *at == '\n' ? 1 : 0;
		if ((size_t)(end - at) > length && strncasecmp(at, name, length) == 0 && at[length] == ':')
			return at + length + 1 + strspn(at + length + 1, " \t");
	}
	return NULL;
}

/* Where to go instead, into url. */
static int follow(char url[URL_LIMIT], struct cd_fetch *fetch, const struct place *place,
		  const char *location)
{
	int length = location == NULL ? 0 : (int)strcspn(location, "\r\n");
	char target[URL_LIMIT];
	int size;

	if (length < 1 || length >= URL_LIMIT / 2)
		return fail(fetch, _("it leads nowhere"));
	(void)snprintf(target, sizeof(target), "%.*s", length, location);
	if (target[0] == '/')
		size = snprintf(url, URL_LIMIT, "http://%s%s%s:%s%s", place->bracketed ? "[" : "",
				place->host, place->bracketed ? "]" : "", place->port, target);
	else
		size = snprintf(url, URL_LIMIT, "%s", target);
	return size < 0 || size >= URL_LIMIT ? fail(fetch, _("it leads nowhere")) : 0;
}

/* *again: the answer names another address, which url then is. */
static int judge(bool *again, char url[URL_LIMIT], struct cd_fetch *fetch, const struct place *place,
		 const struct cd_buffer *answer)
{
	const char *bytes = cd_buffer_text(answer);
	const char *end = memmem(bytes, answer->length, "\r\n\r\n", 4), *length;
	unsigned status = 0;
	size_t body;

	*again = false;
	if (end == NULL || sscanf(bytes, "HTTP/1.%*1u %3u", &status) != 1)
		return fail(fetch, _("this is no HTTP"));
	if (status >= 301 && status <= 308 && status != 304) {
		*again = true;
		return follow(url, fetch, place, header(bytes, end, "Location"));
	}
	if (status != 200)
		return fail(fetch, _("its server refuses"));
	body = answer->length - (size_t)(end + 4 - bytes);
	length = header(bytes, end, "Content-Length");
	if (header(bytes, end, "Transfer-Encoding") != NULL)
		return fail(fetch, _("this is no HTTP"));
	if (body > BODY_LIMIT)
		return fail(fetch, _("the answer is too long"));
	if (body == 0 || (length != NULL && strtoul(length, NULL, 10) != body))
		return fail(fetch, _("the answer is not complete"));
	cd_buffer_add(&fetch->body, end + 4, body);
	return fetch->body.failed ? CERTDEPLOY_ENOMEM : 0;
}

int cd_fetch(struct cd_fetch *fetch, const char *url)
{
	int64_t end = cd_now_ms() + (int64_t)(fetch->seconds == 0 ? SECONDS : fetch->seconds) * 1000;
	bool again = true;
	char target[URL_LIMIT];
	int result = 0;

	if (snprintf(target, sizeof(target), "%s", url) >= (int)sizeof(target))
		return fail(fetch, _("this is no address of a web server"));
	for (unsigned i = 0; result == 0 && again; i++) {
		struct cd_buffer answer = {0};
		struct place place;

		if (i > REDIRECTS)
			return fail(fetch, _("it leads from one address to another"));
		if (!parse(&place, target))
			return fail(fetch, _("this is no address of a web server"));
		result = ask(&answer, fetch, &place, end);
		if (result == 0)
			result = judge(&again, target, fetch, &place, &answer);
		cd_buffer_free(&answer);
	}
	return result;
}
