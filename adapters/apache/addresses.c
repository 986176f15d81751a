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

/* What stands at an address and port: the hosts, and who listens. */
struct apache_sets {
	struct address_key key;
	struct apache_set set; /* without a host: there is none */
	struct apache_listener *listeners;
	struct apache_listener *last;
	struct apache_listener *singles; /* of all addresses: who listens on a single one, on this port */
	struct apache_listener *last_single;
	UT_hash_handle hh;
};

static const uint8_t no_address[16];

/* ---- what stands at an address ---- */

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

/* The entry of the key, a new one if need be; NULL when memory is short. */
static struct apache_sets *add(struct apache_model *model, const struct address_key *key)
{
	struct certdeploy_reading *reading = model->reading;
	struct apache_sets *entry = find(model, key);

	if (entry != NULL)
		return entry;
	entry = certdeploy_alloc(reading, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	entry->key = *key;
	HASH_ADD(hh, model->by_address, key, sizeof(*key), entry);
	return entry->hh.tbl == NULL ? NULL : entry;
}

HASH_FUNCTION_END

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

static int append(struct apache_model *model, struct apache_address ***end,
		  const struct apache_address *address)
{
	struct apache_address *copy = certdeploy_alloc(model->reading, sizeof(*copy));

	if (copy == NULL)
		return CERTDEPLOY_ENOMEM;
	*copy = *address;
	copy->next = NULL;
	**end = copy;
	*end = &copy->next;
	return 0;
}

/* One string for all that are the same but for case: sets compare them by place. */
static const char *intern(struct apache_model *model, const char *name)
{
	size_t length = strlen(name);
	char *lower = certdeploy_copy(model->reading, name, length);
	const char *known;

	if (lower == NULL)
		return NULL;
	for (char *at = lower; *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at + ('a' - 'A'));
	known = apache_seen_find(&model->named, lower, length);
	if (known == NULL && apache_seen_add(model->reading, &model->named, lower, length) == 0)
		known = lower;
	return known;
}

/* A host name in the place of an address: httpd ignores it where it does not resolve. */
static int add_named(struct apache_model *model, struct apache_address ***end, const char *name,
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

		if (apache_parse_ip(&one, *found) && append(model, end, &one) != 0)
			result = CERTDEPLOY_ENOMEM;
	}
	if (result != CERTDEPLOY_ENOTFOUND)
		return result;
	/* The host itself knows it no better than httpd does; a tree may be that of one that does. */
	if (certdeploy_is_live(model->reading))
		return 0;
	address.name = intern(model, name);
	return address.name == NULL ? CERTDEPLOY_ENOMEM : append(model, end, &address);
}

int apache_add_address(struct apache_model *model, const struct apache_host *host,
		       struct apache_address ***end, const char *text)
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
	address.port = (uint16_t)(port != 0 || any_port ? port : model->main_port);
	if (strcmp(name, "*") != 0 && !apache_same_caseless(name, "_default_") &&
	    !apache_parse_ip(&address, name))
		return add_named(model, end, name, address.port);
	return append(model, end, &address);
}

/* Known by its address, and one on a single address by its port as well. */
static int index_listener(struct apache_model *model, struct apache_listener *listener)
{
	static const struct apache_address any = {.family = APACHE_ANY};
	const struct apache_address *address = &listener->address;
	const struct address_key own = key_of(address, address->port), wide = key_of(&any, address->port);
	struct apache_sets *here = add(model, &own), *all = here == NULL ? NULL : add(model, &wide);

	if (all == NULL)
		return CERTDEPLOY_ENOMEM;
	/* The same once more says nothing new. */
	if (here->last != NULL && address->family != APACHE_ANY)
		return 0;
	if (here->last == NULL)
		here->listeners = listener;
	else
		here->last->next_here = listener;
	here->last = listener;
	if (here == all)
		return 0;
	if (all->last_single == NULL)
		all->singles = listener;
	else
		all->last_single->next_single = listener;
	all->last_single = listener;
	return 0;
}

static int add_listener(struct apache_model *model, const struct apache_address *address, bool https)
{
	struct apache_listener *listener = certdeploy_alloc(model->reading, sizeof(*listener));

	if (listener == NULL)
		return CERTDEPLOY_ENOMEM;
	listener->address = *address;
	listener->https = https;
	if (model->last_listener == NULL)
		model->listeners = listener;
	else
		model->last_listener->next = listener;
	model->last_listener = listener;
	return index_listener(model, listener);
}

/*
 * A Listen without an address opens both families. On a host that has no address of IPv6, or only ::1,
 * APR leaves it out.
 */
static bool opens_ipv6(struct apache_model *model)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_ADDRCONFIG};
	struct addrinfo *found = NULL;

	/* The port makes no difference. */
	if (!model->knows_families && certdeploy_is_live(model->reading) &&
	    getaddrinfo(NULL, "443", &hints, &found) == 0) {
		model->only_ipv4 = true;
		for (const struct addrinfo *one = found; one != NULL; one = one->ai_next)
			model->only_ipv4 = model->only_ipv4 && one->ai_family != AF_INET6;
		freeaddrinfo(found);
	}
	model->knows_families = true;
	return !model->only_ipv4;
}

int apache_add_listener(struct apache_model *model, const char *text, const char *protocol,
			const char *file, size_t line)
{
	struct apache_address *addresses = NULL, **end = &addresses, any = {.family = APACHE_ANY};
	unsigned port;
	char *name;
	int result = 0;

	if (!split(model->reading, text, &name, &port) || port == 0)
		return certdeploy_refuse(model->reading, "config-syntax", file, line,
					 _("the address \"%s\" of this Listen is not valid"), text);
	any.port = (uint16_t)port;
	if (name == NULL || strcmp(name, "*") == 0) {
		any.zero = !opens_ipv6(model);
		any.zero_family = any.zero ? APACHE_IPV4 : 0;
		name = NULL;
	}
	if (name == NULL || apache_parse_ip(&any, name))
		result = append(model, &end, &any);
	else
		result = add_named(model, &end, name, any.port);
	for (; result == 0 && addresses != NULL; addresses = addresses->next)
		result = add_listener(model, addresses,
				      protocol == NULL ? port == 443
						       : apache_same_caseless(protocol, "https"));
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

/*
 * apr_sockaddr_equal(), for two of one key: "*" is both 0.0.0.0 and [::]; "Listen 443" is bound to [::].
 */
static bool equals_listener(const struct apache_address *address, const struct apache_address *listener)
{
	uint8_t bound = listener->zero ? listener->zero_family : APACHE_IPV6;

	return address->family != APACHE_ANY || !address->zero || address->zero_family == bound;
}

bool apache_host_listens_https(const struct apache_model *model, const struct apache_host *host)
{
	for (const struct apache_address *address = host->addresses; address != NULL;
	     address = address->next) {
		const struct address_key key = key_of(address, address->port);
		const struct apache_sets *here = find(model, &key);

		for (const struct apache_listener *listener = here == NULL ? NULL : here->listeners;
		     listener != NULL; listener = listener->next_here)
			if (equals_listener(address, &listener->address))
				return listener->https;
	}
	return false;
}

/* ---- sets ---- */

static int join_set(struct apache_model *model, struct apache_set ***last,
		    const struct apache_address *address, struct apache_host *host)
{
	struct address_key key = key_of(address, address->port);
	struct apache_sets *entry = add(model, &key);
	struct apache_member *member;

	if (entry == NULL)
		return CERTDEPLOY_ENOMEM;
	if (entry->set.first == NULL) {
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

	return entry == NULL || entry->set.first == NULL ? NULL : &entry->set;
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

struct reaching {
	struct apache_model *model;
	const struct apache_set *set; /* NULL: the main server */
	struct apache_reach *list;
	struct apache_reach **end;
	struct apache_reach
		*singles; /* of a set on one port, the first by a listener on a single address */
	bool unknown;     /* an address that cannot be connected to is in the list */
};

static int put_reach(struct reaching *reaching, const struct apache_reach *reach)
{
	struct apache_reach *copy = certdeploy_alloc(reaching->model->reading, sizeof(*copy));

	if (copy == NULL)
		return CERTDEPLOY_ENOMEM;
	*copy = *reach;
	*reaching->end = copy;
	reaching->end = &copy->next;
	return 0;
}

/* Of listeners on single addresses no two are the same. */
static int add_reach(struct reaching *reaching, const char *address, const struct apache_address *listener)
{
	struct apache_reach added = {NULL, address, listener->port, reaching->singles == NULL,
				     listener->family == APACHE_ANY};
	struct apache_reach **place = reaching->end;
	bool one_port = reaching->set != NULL && reaching->set->address->port != 0;
	int result;

	for (const struct apache_reach *other = reaching->list; other != NULL && other != reaching->singles;
	     other = other->next) {
		added.first = added.first && other->port != added.port;
		if (other->port == added.port &&
		    (address == NULL || other->address == NULL ? address == other->address
							       : strcmp(address, other->address) == 0))
			return 0;
	}
	result = put_reach(reaching, &added);
	if (result == 0 && reaching->singles == NULL && one_port && !added.any)
		reaching->singles = *place;
	return result;
}

/* A name that could not be resolved cannot be connected to. */
static int add_unknown(struct reaching *reaching)
{
	bool known = reaching->unknown;

	reaching->unknown = true;
	return known ? 0 : put_reach(reaching, &(struct apache_reach){.first = true});
}

/* An address of its own for a listener on all of them, so that no other set answers there. */
static int reach_any(struct reaching *reaching, const struct apache_address *listener)
{
	static const char *const candidates[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "::1",
						 "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8"};
	struct apache_address address = {0};
	bool first = listener->zero_family != APACHE_IPV6;

	for (size_t i = 0; i < sizeof(candidates) / sizeof(*candidates); i++) {
		(void)apache_parse_ip(&address, candidates[i]);
		if (listener->zero && address.family != listener->zero_family)
			continue;
		if (answering(reaching->model, &address, listener->port) != reaching->set) {
			first = false;
			continue;
		}
		return add_reach(reaching, first && !listener->zero ? NULL : candidates[i], listener);
	}
	return 0;
}

static int reach_one(struct reaching *reaching, const struct apache_address *listener)
{
	struct apache_model *model = reaching->model;
	const struct apache_set *set = reaching->set;
	char *text, *colon;

	if (listener->family == APACHE_ANY && (set == NULL || set->address->family == APACHE_ANY))
		return reach_any(reaching, listener);
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
	if ((set != NULL && set->address->family == APACHE_NAMED) || listener->family == APACHE_NAMED)
		return add_unknown(reaching);
	return add_reach(reaching, text, listener);
}

/* Of all listeners. One on all addresses first: it is what most configurations mean. */
static int reach_by_all(struct reaching *reaching)
{
	int result = 0;

	for (int pass = 0; pass < 2; pass++)
		for (const struct apache_listener *listener = reaching->model->listeners;
		     result == 0 && listener != NULL; listener = listener->next)
			if ((listener->address.family == APACHE_ANY) == (pass == 0))
				result = reach_one(reaching, &listener->address);
	return result;
}

/* The same of a set on one port: of those that may lead to it. */
static int reach_by_port(struct reaching *reaching)
{
	static const struct apache_address any = {.family = APACHE_ANY};
	const struct apache_address *address = reaching->set->address;
	const struct address_key own = key_of(address, address->port), wide = key_of(&any, address->port);
	const struct apache_sets *here = find(reaching->model, &own), *all = find(reaching->model, &wide);
	const struct apache_listener *listener = all == NULL ? NULL : all->listeners;
	int result = 0;

	for (; result == 0 && listener != NULL; listener = listener->next_here)
		result = reach_one(reaching, &listener->address);
	if (here == all) {
		listener = all == NULL ? NULL : all->singles;
		for (; result == 0 && listener != NULL; listener = listener->next_single)
			result = reach_one(reaching, &listener->address);
	} else {
		listener = here == NULL ? NULL : here->listeners;
		for (; result == 0 && listener != NULL; listener = listener->next_here)
			result = reach_one(reaching, &listener->address);
	}
	return result;
}

int apache_set_reach(struct apache_reach **out, struct apache_model *model, const struct apache_set *set)
{
	struct reaching reaching = {.model = model, .set = set};
	int result;

	reaching.end = &reaching.list;
	result =
		set != NULL && set->address->port != 0 ? reach_by_port(&reaching) : reach_by_all(&reaching);
	*out = reaching.list;
	return result;
}
