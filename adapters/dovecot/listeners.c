/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* listeners.c - the ports that Dovecot opens */
#include "listeners.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const struct kind {
	const char *protocol, *implicit, *service;
	enum certdeploy_start start;
} kinds[] = {
	{"imap", "imaps", "imap-login", CERTDEPLOY_START_IMAP},
	{"pop3", "pop3s", "pop3-login", CERTDEPLOY_START_POP3},
	{"submission", "submissions", "submission-login", CERTDEPLOY_START_SMTP},
	{"sieve", "sieve", "managesieve-login", CERTDEPLOY_START_SIEVE},
	{"lmtp", "lmtps", "lmtp", CERTDEPLOY_START_LMTP},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* What Dovecot opens unless told otherwise. */
static const struct {
	const char *service, *name;
	uint16_t port;
	bool implicit, only_24;
} standard[] = {
	{"imap-login", "imap", 143, false, false},
	{"imap-login", "imaps", 993, true, false},
	{"pop3-login", "pop3", 110, false, false},
	{"pop3-login", "pop3s", 995, true, false},
	{"submission-login", "submission", 587, false, false},
	{"submission-login", "submissions", 465, true, true},
	{"managesieve-login", "sieve", 4190, false, false},
};

#define STANDARD (sizeof(standard) / sizeof(standard[0]))

static bool has_word(const char *words, const char *word)
{
	size_t length = strlen(word);

	while (*words != '\0') {
		size_t next = strcspn(words, " \t,");

		if (next == length && memcmp(words, word, length) == 0)
			return true;
		words += next;
		words += strspn(words, " \t,");
	}
	return false;
}

/* Is the protocol on? *plain: also without TLS at once (2.3's former "imaps" leaves it out). */
static bool protocol_on(const struct dovecot_model *model, const char *protocol, bool *plain)
{
	const char *words = dovecot_setting(model, "protocols");
	char secure[24];
	bool on;

	*plain = true;
	if (words == NULL)
		words = model->protocols;
	on = has_word(words, protocol);
	if (model->v24 || on)
		return on;
	if (strcmp(protocol, "sieve") == 0)
		return has_word(words, "managesieve");
	if (strcmp(protocol, "imap") != 0 && strcmp(protocol, "pop3") != 0)
		return false;
	memcpy(secure, protocol, strlen(protocol) + 1);
	memcpy(secure + strlen(protocol), "s", 2);
	*plain = false;
	return has_word(words, secure);
}

/* In 2.4 what the service, or the whole, says of all its listeners counts where one says nothing. */
static int listener_setting(const char **value, const struct dovecot_model *model,
			    const struct dovecot_listener *listener, const char *key)
{
	const char *path = certdeploy_format(model->reading, "service/%s/inet_listener/%s/%s",
					     listener->service, listener->name, key);
	const char *wide =
		certdeploy_format(model->reading, "service/%s/inet_listener_%s", listener->service, key);

	if (path == NULL || wide == NULL)
		return CERTDEPLOY_ENOMEM;
	*value = dovecot_setting(model, path);
	if (*value == NULL && model->v24)
		*value = dovecot_setting(model, wide);
	if (*value == NULL && model->v24)
		*value = dovecot_setting(model, strrchr(wide, '/') + 1);
	return 0;
}

static bool is_yes(const char *value)
{
	/* Dovecot takes "yes", "y" and "1" in any case. */
	return value[0] == 'y' || value[0] == 'Y' || strcmp(value, "1") == 0;
}

/* The addresses that a listener is bound to, as configured. */
static int listener_addresses(const char **out, const struct dovecot_model *model,
			      const struct dovecot_listener *listener)
{
	const char *path = certdeploy_format(model->reading, "service/%s/listen", listener->service);
	const char *value = NULL;
	int result = listener_setting(&value, model, listener, model->v24 ? "listen" : "address");

	if (result != 0 || path == NULL)
		return CERTDEPLOY_ENOMEM;
	if ((value == NULL || *value == '\0') && model->v24)
		value = dovecot_setting(model, path);
	if (value == NULL || *value == '\0')
		value = dovecot_setting(model, "listen");
	*out = value == NULL || *value == '\0' ? "*, ::" : value;
	return 0;
}

void dovecot_own_client(struct dovecot_net *out, const struct dovecot_net *local)
{
	bool is_loopback = local->bits == 0 || (!local->v6 && local->address[0] == 127);

	*out = is_loopback ? dovecot_loopback[0] : *local;
}

/* Would Dovecot believe what we say as a proxy? */
static bool is_trusted(const struct dovecot_model *model, const struct dovecot_net *net)
{
	const char *words = dovecot_setting(model, "haproxy_trusted_networks");
	struct dovecot_net own, trusted;
	bool found = false;

	dovecot_own_client(&own, net);
	for (; words != NULL && *words != '\0' && !found; words += strspn(words, ", \t")) {
		size_t length = strcspn(words, ", \t");
		char word[INET6_ADDRSTRLEN + 8];

		if (length < sizeof(word)) {
			memcpy(word, words, length);
			word[length] = '\0';
			found = dovecot_parse_net(&trusted, word) && dovecot_net_contains(&trusted, &own);
		}
		words += length;
	}
	return found;
}

static int add_listener(struct dovecot_vector *out, const struct dovecot_model *model,
			const struct dovecot_listener *listener)
{
	struct dovecot_listener *copy = certdeploy_alloc(model->reading, sizeof(*copy));

	if (copy == NULL)
		return CERTDEPLOY_ENOMEM;
	*copy = *listener;
	copy->reachable = copy->reachable && (!copy->proxied || is_trusted(model, &copy->net));
	return dovecot_vector_add(out, model->reading, copy);
}

/* One listener for each address, one for `*` and `::` together. */
static int bind_listener(struct dovecot_vector *out, const struct dovecot_model *model,
			 struct dovecot_listener listener)
{
	struct dovecot_listener all = listener;
	const char *words;

	if (listener_addresses(&words, model, &listener) != 0)
		return CERTDEPLOY_ENOMEM;
	for (; *words != '\0'; words += strspn(words, ", \t")) {
		size_t length = strcspn(words, ", \t");
		char *word = certdeploy_copy(model->reading, words, length);
		char text[INET6_ADDRSTRLEN];

		words += length;
		if (word == NULL)
			return CERTDEPLOY_ENOMEM;
		if (length == 0)
			continue;
		if (strcmp(word, "*") == 0 || strcmp(word, "0.0.0.0") == 0) {
			all.v4 = true;
			continue;
		}
		if (strcmp(word, "::") == 0 || strcmp(word, "[::]") == 0) {
			all.v6 = true;
			continue;
		}
		listener.address = word;
		listener.reachable = dovecot_parse_net(&listener.net, word) && all.reachable;
		if (listener.net.bits > 0 && inet_ntop(listener.net.v6 ? AF_INET6 : AF_INET,
						       listener.net.address, text, sizeof(text)) != NULL)
			listener.address = certdeploy_copy(model->reading, text, strlen(text));
		if (listener.address == NULL || add_listener(out, model, &listener) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	if (!all.v4 && !all.v6)
		return 0;
	all.address = all.v4 ? NULL : "::";
	return add_listener(out, model, &all);
}

/* A listener as configured; port 0: not opened. */
static int configure(struct dovecot_vector *out, const struct dovecot_model *model,
		     struct dovecot_listener *listener, const struct kind *kind, bool plain)
{
	const char *port, *ssl, *haproxy;

	if (listener_setting(&port, model, listener, "port") != 0 ||
	    listener_setting(&ssl, model, listener, "ssl") != 0 ||
	    listener_setting(&haproxy, model, listener, "haproxy") != 0)
		return CERTDEPLOY_ENOMEM;
	if (port == NULL && !plain && !listener->implicit)
		return 0;
	if (port != NULL) {
		unsigned long number = strtoul(port, NULL, 10);

		listener->port = number > 65535 ? 0 : (uint16_t)number;
	}
	if (ssl != NULL)
		listener->implicit = is_yes(ssl);
	listener->shown = listener->implicit ? kind->implicit : kind->protocol;
	listener->start = listener->implicit ? CERTDEPLOY_START_IMPLICIT : kind->start;
	listener->proxied = haproxy != NULL && is_yes(haproxy);
	listener->reachable = true;
	listener->by_address = strcmp(listener->protocol, "lmtp") != 0;
	return listener->port == 0 ? 0 : bind_listener(out, model, *listener);
}

/* The listeners of one service: the standard ones, then those that only the configuration names. */
static int service_listeners(struct dovecot_vector *out, const struct dovecot_model *model,
			     const struct kind *kind, bool plain)
{
	for (size_t i = 0; i < STANDARD; i++) {
		struct dovecot_listener listener = {.protocol = kind->protocol,
						    .service = kind->service,
						    .name = standard[i].name,
						    .port = standard[i].port,
						    .implicit = standard[i].implicit,
						    .file = model->config};

		if (strcmp(standard[i].service, listener.service) != 0 ||
		    (standard[i].only_24 && !model->v24))
			continue;
		if (configure(out, model, &listener, kind, plain) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	for (size_t i = 0; i < model->listeners.count; i++) {
		const struct dovecot_listener_section *section = model->listeners.items[i];
		struct dovecot_listener listener = {.protocol = kind->protocol,
						    .service = kind->service,
						    .name = section->name,
						    .file = section->file,
						    .line = section->line};
		bool known = strcmp(section->service, listener.service) != 0;

		for (size_t j = 0; j < STANDARD && !known; j++)
			known = strcmp(standard[j].service, listener.service) == 0 &&
				strcmp(standard[j].name, listener.name) == 0 &&
				(model->v24 || !standard[j].only_24);
		if (!known && configure(out, model, &listener, kind, true) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

int dovecot_listeners(struct dovecot_vector *out, const struct dovecot_model *model)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < KINDS; i++) {
		bool plain;

		if (protocol_on(model, kinds[i].protocol, &plain))
			result = service_listeners(out, model, &kinds[i], plain);
	}
	return result;
}
