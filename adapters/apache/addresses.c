/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * addresses.c - <VirtualHost> and Listen addresses, the sets they make, where to connect
 *
 * As server/vhost.c and apr_parse_addr_port() of httpd 2.4. A connection goes to the set of its
 * address and port, else of its address, else of its port, else to "*:*", else to the main server.
 */
#include "adapter.h"
#include "hash.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct address_key {
	uint8_t ip[16];
	const char *name;
	uint16_t port;
	uint8_t family;
};

struct apache_sets {
	struct address_key key;
	struct apache_set set;
	UT_hash_handle hh;
};

static const uint8_t no_address[16];

/* ---- parsing ---- */

/* HOST[:PORT], PORT, [IPV6]:PORT as apr_parse_addr_port(). *host NULL: only a port. */
static bool split(struct certdeploy_reading *reading, const char *text, char **host, unsigned *port)
{
	size_t length = strlen(text), digits = length;
	unsigned long number;

	*host = NULL;
	*port = 0;
	while (digits > 0 && text[digits - 1] >= '0' && text[digits - 1] <= '9')
		digits--;
	number = strtoul(text + digits, NULL, 10);
	if (digits == 0 || (digits < length && text[digits - 1] == ':')) {
		if (digits == 1 || number < 1 || number > 65535)
			return false;
		*port = (unsigned)number;
		length = digits == 0 ? 0 : digits - 1;
	}
	if (length == 0)
		return true;
	if (text[0] == '[') {
		const char *close = memchr(text, ']', length);

		if (close == NULL || close != text + length - 1)
			return false;
		text++;
		length -= 2;
	}
	*host = certdeploy_copy(reading, text, length);
	return true;
}

/* IPv4 within IPv6 is the IPv4 address itself. */
bool apache_parse_ip(struct apache_address *address, const char *text)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	memset(address->ip, 0, sizeof(address->ip));
	if (inet_pton(AF_INET, text, address->ip) == 1) {
		address->family = APACHE_IPV4;
	} else if (inet_pton(AF_INET6, text, address->ip) == 1) {
		address->family = APACHE_IPV6;
		if (memcmp(address->ip, mapped, sizeof(mapped)) == 0) {
			memmove(address->ip, address->ip + 12, 4);
			memset(address->ip + 4, 0, 12);
			address->family = APACHE_IPV4;
		}
	} else {
		return false;
	}
	if (memcmp(address->ip, no_address, sizeof(no_address)) == 0) {
		address->zero = true;
		address->zero_family = address->family;
		address->family = APACHE_ANY;
	}
	return true;
}

static struct apache_address *append(struct apache_model *model, struct apache_address **list,
				     const struct apache_address *address)
{
	struct apache_address *copy = certdeploy_alloc(model->reading, sizeof(*copy));

	if (copy == NULL)
		return NULL;
	while (*list != NULL)
		list = &(*list)->next;
	*copy = *address;
	copy->next = NULL;
	*list = copy;
	return copy;
}

/* One string for all that are the same but for case: sets compare them by place. */
static const char *intern(struct apache_model *model, const char *name)
{
	struct apache_managed *known;

	for (known = model->named; known != NULL; known = known->next)
		if (apache_same_caseless(known->domain, name))
			return known->domain;
	known = certdeploy_alloc(model->reading, sizeof(*known));
	if (known == NULL)
		return NULL;
	*known = (struct apache_managed){.next = model->named, .domain = name};
	model->named = known;
	return name;
}

/* A host name in the place of an address: httpd ignores it where it does not resolve. */
static int add_named(struct apache_model *model, struct apache_address **list, const char *name,
		     uint16_t port)
{
	struct apache_address address = {.name = name, .port = port, .family = APACHE_NAMED};
	const char *const *found;
	int result;

	/* What is not a name of hosts resolves nowhere. */
	if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") !=
	    strlen(name))
		return 0;
	result = certdeploy_resolve(&found, model->reading, name);
	for (; result == 0 && *found != NULL; found++) {
		struct apache_address one = {.port = port};

		if (apache_parse_ip(&one, *found) && append(model, list, &one) == NULL)
			result = CERTDEPLOY_ENOMEM;
	}
	if (result != CERTDEPLOY_ENOTFOUND)
		return result;
	/* The host itself knows it no better than httpd does; a tree may be that of one that does. */
	if (certdeploy_is_live(model->reading))
		return 0;
	address.name = intern(model, name);
	return address.name == NULL || append(model, list, &address) == NULL ? CERTDEPLOY_ENOMEM : 0;
}

int apache_add_address(struct apache_model *model, struct apache_host *host, const char *text,
		       uint16_t default_port)
{
	struct apache_address address = {.family = APACHE_ANY};
	size_t length = strlen(text);
	bool any_port = length == 1 && text[0] == '*';
	unsigned port;
	char *name;

	if (length == 0)
		return 0;
	if (length > 1 && text[length - 1] == '*' && text[length - 2] == ':') {
		any_port = true;
		text = certdeploy_copy(model->reading, text, length - 2);
		if (text == NULL)
			return CERTDEPLOY_ENOMEM;
	}
	if (!split(model->reading, text, &name, &port) || name == NULL)
		return certdeploy_refuse(model->reading, "config-syntax",
					 host->use != NULL ? host->use->file : host->file->path, host->line,
					 _("the address \"%s\" of this <VirtualHost> is not valid"), text);
	address.port = (uint16_t)(port != 0 || any_port ? port : default_port);
	if (strcmp(name, "*") != 0 && !apache_same_caseless(name, "_default_") &&
	    !apache_parse_ip(&address, name))
		return add_named(model, &host->addresses, name, address.port);
	return append(model, &host->addresses, &address) == NULL ? CERTDEPLOY_ENOMEM : 0;
}

/*
 * A Listen without an address opens both families. On a host that has no address of IPv6, or only ::1,
 * APR leaves it out.
 */
static bool opens_ipv6(struct certdeploy_reading *reading)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_ADDRCONFIG};
	struct addrinfo *found;
	bool any = false;

	/* The port makes no difference. */
	if (!certdeploy_is_live(reading) || getaddrinfo(NULL, "443", &hints, &found) != 0)
		return true;
	for (const struct addrinfo *one = found; one != NULL; one = one->ai_next)
		any = any || one->ai_family == AF_INET6;
	freeaddrinfo(found);
	return any;
}

int apache_add_listener(struct apache_model *model, const char *text, const char *protocol,
			const char *file, size_t line)
{
	struct apache_address *addresses = NULL, any = {.family = APACHE_ANY};
	unsigned port;
	char *name;
	int result = 0;

	if (!split(model->reading, text, &name, &port) || port == 0)
		return certdeploy_refuse(model->reading, "config-syntax", file, line,
					 _("the address \"%s\" of this Listen is not valid"), text);
	any.port = (uint16_t)port;
	if (name == NULL || strcmp(name, "*") == 0) {
		any.zero = !opens_ipv6(model->reading);
		any.zero_family = any.zero ? APACHE_IPV4 : 0;
		name = NULL;
	}
	if (name == NULL || apache_parse_ip(&any, name))
		result = append(model, &addresses, &any) == NULL ? CERTDEPLOY_ENOMEM : 0;
	else
		result = add_named(model, &addresses, name, any.port);
	for (; result == 0 && addresses != NULL; addresses = addresses->next) {
		struct apache_listener *listener = certdeploy_alloc(model->reading, sizeof(*listener));

		if (listener == NULL)
			return CERTDEPLOY_ENOMEM;
		listener->address = *addresses;
		listener->https = protocol == NULL ? port == 443 : apache_same_caseless(protocol, "https");
		if (model->last_listener == NULL)
			model->listeners = listener;
		else
			model->last_listener->next = listener;
		model->last_listener = listener;
	}
	return result;
}

char *apache_address_text(struct certdeploy_reading *reading, const struct apache_address *address)
{
	char host[INET6_ADDRSTRLEN] = "*", port[8] = "*";

	if (address->port != 0)
		(void)snprintf(port, sizeof(port), "%u", (unsigned)address->port);
	if (address->family == APACHE_NAMED)
		return certdeploy_format(reading, "%s:%s", address->name, port);
	if (address->family == APACHE_IPV4)
		(void)inet_ntop(AF_INET, address->ip, host, sizeof(host));
	else if (address->family == APACHE_IPV6)
		(void)inet_ntop(AF_INET6, address->ip, host, sizeof(host));
	return certdeploy_format(reading, address->family == APACHE_IPV6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* ---- comparing with Listen ---- */

static bool same_ip(const struct apache_address *one, const struct apache_address *other)
{
	return one->family == other->family && memcmp(one->ip, other->ip, sizeof(one->ip)) == 0 &&
	       (one->family != APACHE_NAMED || apache_same_caseless(one->name, other->name));
}

/*
 * apr_sockaddr_equal(): "*" is both 0.0.0.0 and [::]; "Listen 443" is bound to [::].
 */
static bool equals_listener(const struct apache_address *address, const struct apache_address *listener)
{
	uint8_t bound = listener->zero ? listener->zero_family : APACHE_IPV6;

	if (!same_ip(address, listener))
		return false;
	return address->family != APACHE_ANY || !address->zero || address->zero_family == bound;
}

bool apache_host_listens_https(const struct apache_model *model, const struct apache_host *host)
{
	for (const struct apache_address *address = host->addresses; address != NULL;
	     address = address->next)
		for (const struct apache_listener *listener = model->listeners; listener != NULL;
		     listener = listener->next)
			if (listener->address.port == address->port &&
			    equals_listener(address, &listener->address))
				return listener->https;
	return false;
}

/* ---- sets ---- */

static struct address_key key_of(const struct apache_address *address, uint16_t port)
{
	struct address_key key;

	/* Holes between members count in the comparison of keys. */
	memset(&key, 0, sizeof(key));
	memcpy(key.ip, address->ip, sizeof(key.ip));
	key.family = address->family;
	key.port = port;
	key.name = address->name;
	return key;
}

HASH_FUNCTION_BEGIN

static struct apache_sets *find(const struct apache_model *model, const struct address_key *key)
{
	struct apache_sets *found;

	HASH_FIND(hh, model->by_address, key, sizeof(*key), found);
	return found;
}

static struct apache_sets *add(struct apache_model *model, const struct address_key *key)
{
	struct certdeploy_reading *reading = model->reading;
	struct apache_sets *entry = certdeploy_alloc(reading, sizeof(*entry));

	if (entry == NULL)
		return NULL;
	entry->key = *key;
	HASH_ADD(hh, model->by_address, key, sizeof(*key), entry);
	return entry->hh.tbl == NULL ? NULL : entry;
}

HASH_FUNCTION_END

static int join_set(struct apache_model *model, struct apache_set ***last,
		    const struct apache_address *address, struct apache_host *host)
{
	struct address_key key = key_of(address, address->port);
	struct apache_sets *entry = find(model, &key);
	struct apache_member *member;

	if (entry == NULL) {
		entry = add(model, &key);
		if (entry == NULL)
			return CERTDEPLOY_ENOMEM;
		entry->set.address = address;
		entry->set.listen = apache_address_text(model->reading, address);
		if (entry->set.listen == NULL)
			return CERTDEPLOY_ENOMEM;
		**last = &entry->set;
		*last = &entry->set.next;
	}
	if (entry->set.last != NULL && entry->set.last->host == host)
		return 0;
	member = certdeploy_alloc(model->reading, sizeof(*member));
	if (member == NULL)
		return CERTDEPLOY_ENOMEM;
	member->host = host;
	if (entry->set.last == NULL)
		entry->set.first = member;
	else
		entry->set.last->next = member;
	entry->set.last = member;
	entry->set.count++;
	return 0;
}

int apache_sets_make(struct apache_model *model)
{
	struct apache_set **last = &model->sets;
	int result = 0;

	for (struct apache_host *host = model->hosts; host != NULL; host = host->next)
		for (const struct apache_address *address = host->addresses; result == 0 && address != NULL;
		     address = address->next)
			result = join_set(model, &last, address, host);
	return result;
}

/* ---- where to connect ---- */

static const struct apache_set *set_at(const struct apache_model *model,
				       const struct apache_address *address, uint16_t port)
{
	struct address_key key = key_of(address, port);
	const struct apache_sets *entry = find(model, &key);

	return entry == NULL ? NULL : &entry->set;
}

/* What answers a connection to this address, on this port. */
static const struct apache_set *answering(const struct apache_model *model,
					  const struct apache_address *address, uint16_t port)
{
	static const struct apache_address any = {.family = APACHE_ANY};
	const struct apache_set *set = NULL;

	if (address->family != APACHE_ANY) {
		set = set_at(model, address, port);
		if (set == NULL)
			set = set_at(model, address, 0);
	}
	if (set == NULL)
		set = set_at(model, &any, port);
	if (set == NULL)
		set = set_at(model, &any, 0);
	return set;
}

static int add_reach(struct apache_model *model, struct apache_reach **list, const char *address,
		     const struct apache_address *listener)
{
	struct apache_reach *reach;
	uint16_t port = listener->port;
	bool first = true;

	for (; *list != NULL; list = &(*list)->next) {
		const char *other = (*list)->address;

		first = first && (*list)->port != port;
		if ((*list)->port == port &&
		    (address == NULL || other == NULL ? address == other : strcmp(address, other) == 0))
			return 0;
	}
	reach = certdeploy_alloc(model->reading, sizeof(*reach));
	if (reach == NULL)
		return CERTDEPLOY_ENOMEM;
	*reach = (struct apache_reach){NULL, address, port, first, listener->family == APACHE_ANY};
	*list = reach;
	return 0;
}

/* An address of its own for a listener on all of them, so that no other set answers there. */
static int reach_any(struct apache_model *model, struct apache_reach **out, const struct apache_set *set,
		     const struct apache_address *listener)
{
	static const char *const candidates[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "::1",
						 "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8"};
	struct apache_address address = {0};
	bool first = listener->zero_family != APACHE_IPV6;

	for (size_t i = 0; i < sizeof(candidates) / sizeof(*candidates); i++) {
		(void)apache_parse_ip(&address, candidates[i]);
		if (listener->zero && address.family != listener->zero_family)
			continue;
		if (answering(model, &address, listener->port) != set) {
			first = false;
			continue;
		}
		return add_reach(model, out, first && !listener->zero ? NULL : candidates[i], listener);
	}
	return 0;
}

static int reach_one(struct apache_model *model, struct apache_reach **out, const struct apache_set *set,
		     const struct apache_address *listener)
{
	char *text, *colon;

	if (listener->family == APACHE_ANY && (set == NULL || set->address->family == APACHE_ANY))
		return reach_any(model, out, set, listener);
	if (listener->family == APACHE_ANY) {
		struct apache_address address = *set->address;

		if ((listener->zero && address.family != listener->zero_family &&
		     address.family != APACHE_NAMED) ||
		    answering(model, &address, listener->port) != set)
			return 0;
		address.port = 1;
		text = apache_address_text(model->reading, &address);
	} else {
		if (answering(model, listener, listener->port) != set)
			return 0;
		text = apache_address_text(model->reading, listener);
	}
	if (text == NULL)
		return CERTDEPLOY_ENOMEM;
	colon = strrchr(text, ':');
	*colon = '\0';
	if (text[0] == '[') {
		colon[-1] = '\0';
		text++;
	}
	/* A name that could not be resolved cannot be connected to. */
	if ((set != NULL && set->address->family == APACHE_NAMED) || listener->family == APACHE_NAMED)
		return add_reach(model, out, NULL, &(struct apache_address){.family = APACHE_NAMED});
	return add_reach(model, out, text, listener);
}

int apache_set_reach(struct apache_reach **out, struct apache_model *model, const struct apache_set *set)
{
	int result = 0;

	*out = NULL;
	/* A listener on all addresses first: it is what most configurations mean. */
	for (int pass = 0; pass < 2; pass++)
		for (const struct apache_listener *listener = model->listeners;
		     result == 0 && listener != NULL; listener = listener->next) {
			const struct apache_address *address = &listener->address;

			if ((address->family == APACHE_ANY) != (pass == 0))
				continue;
			if (set != NULL && set->address->port != 0 && set->address->port != address->port)
				continue;
			result = reach_one(model, out, set, address);
		}
	return result;
}
