/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * proxied.c - which ports want to hear of the client from haproxy's PROXY protocol (mod_remoteip)
 *
 * RemoteIPProxyProtocol holds for the addresses of the host that it stands in, in the main server for
 * all; Off wins over On, and clients of RemoteIPProxyProtocolExceptions do not speak it.
 */
#include "adapter.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct apache_proxied {
	struct apache_address *on;
	struct apache_address *off;
	struct apache_exception *exceptions;
};

struct apache_exception {
	struct apache_exception *next;
	uint8_t ip[16];
	unsigned bits;
	uint8_t family;
};

static bool covers(const struct apache_address *wide, const struct apache_address *one)
{
	if (wide->port != 0 && wide->port != one->port)
		return false;
	return wide->family == APACHE_ANY ||
	       (wide->family == one->family && memcmp(wide->ip, one->ip, sizeof(wide->ip)) == 0);
}

static bool is_among(const struct apache_address *list, const struct apache_address *one)
{
	for (; list != NULL; list = list->next)
		if (covers(list, one))
			return true;
	return false;
}

static int add_addresses(struct apache_model *model, struct apache_address **list,
			 const struct apache_address *address)
{
	for (; address != NULL; address = address->next) {
		struct apache_address *copy;

		if (is_among(*list, address))
			continue;
		copy = certdeploy_alloc(model->reading, sizeof(*copy));
		if (copy == NULL)
			return CERTDEPLOY_ENOMEM;
		*copy = *address;
		copy->next = *list;
		*list = copy;
	}
	return 0;
}

static bool matches_bits(const uint8_t *one, const uint8_t *other, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(one, other, whole) == 0 &&
	       (rest == 0 || (one[whole] ^ other[whole]) >> (8 - rest) == 0);
}

/* ADDRESS[/BITS]; other forms (a mask, a part of an address) hold for no connection within a host. */
static int add_exception(struct apache_model *model, const char *text)
{
	struct apache_exception *exception = certdeploy_alloc(model->reading, sizeof(*exception));
	size_t length = strcspn(text, "/");
	char address[INET6_ADDRSTRLEN];

	if (exception == NULL)
		return CERTDEPLOY_ENOMEM;
	if (length >= sizeof(address))
		return 0;
	memcpy(address, text, length);
	address[length] = '\0';
	*exception = (struct apache_exception){.next = model->proxied->exceptions};
	if (inet_pton(AF_INET, address, exception->ip) == 1) {
		exception->family = APACHE_IPV4;
		exception->bits = 32;
	} else if (inet_pton(AF_INET6, address, exception->ip) == 1) {
		exception->family = APACHE_IPV6;
		exception->bits = 128;
	} else {
		return 0;
	}
	if (text[length] == '/') {
		unsigned long bits = strtoul(text + length + 1, NULL, 10);

		exception->bits = bits < exception->bits ? (unsigned)bits : exception->bits;
	}
	model->proxied->exceptions = exception;
	return 0;
}

static bool is_there(struct apache_model *model)
{
	if (model->proxied != NULL)
		return true;
	model->proxied = certdeploy_alloc(model->reading, sizeof(*model->proxied));
	if (model->proxied != NULL)
		*model->proxied = (struct apache_proxied){0};
	return model->proxied != NULL;
}

int apache_do_proxied(struct apache_model *model, const struct apache_host *host, bool on)
{
	static const struct apache_address everywhere = {.family = APACHE_ANY};

	if (!apache_module_has(model->modules, "remoteip"))
		return 0;
	if (!is_there(model))
		return CERTDEPLOY_ENOMEM;
	return add_addresses(model, on ? &model->proxied->on : &model->proxied->off,
			     host == &model->main ? &everywhere : host->addresses);
}

int apache_do_unproxied(struct apache_model *model, const char *network)
{
	return is_there(model) ? add_exception(model, network) : CERTDEPLOY_ENOMEM;
}

/* A client on this host itself: it comes from where it goes to, or from 127.0.0.1. */
static bool is_excepted(const struct apache_proxied *proxied, const struct apache_address *server)
{
	static const uint8_t loopback[16] = {127, 0, 0, 1};
	const uint8_t *ip = server->family == APACHE_IPV4 && server->ip[0] == 127 ? loopback : server->ip;

	for (const struct apache_exception *exception = proxied->exceptions; exception != NULL;
	     exception = exception->next)
		if (exception->family == server->family && matches_bits(exception->ip, ip, exception->bits))
			return true;
	return false;
}

bool apache_is_proxied(const struct apache_model *model, const char *address, uint16_t port)
{
	struct apache_address server = {.family = APACHE_IPV4, .port = port};

	if (model->proxied == NULL)
		return false;
	if (address != NULL && strchr(address, ':') != NULL)
		server.family = APACHE_IPV6;
	if (inet_pton(server.family == APACHE_IPV6 ? AF_INET6 : AF_INET,
		      address == NULL ? "127.0.0.1" : address, server.ip) != 1)
		return false;
	return is_among(model->proxied->on, &server) && !is_among(model->proxied->off, &server) &&
	       !is_excepted(model->proxied, &server);
}
