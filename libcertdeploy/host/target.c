/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* target.c - which endpoints are meant */
#include "host/target.h"

#include "base/hostname.h"
#include "base/text.h"
#include "certificate/certificate.h"
#include "certificate/deployment.h"
#include "host/managed.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NEAREST 3

struct choosing {
	struct cd_selection *selection;
	struct cd_inventory *inventory;
	const struct cd_target *target;
	struct cd_problems *problems;
	struct cd_chosen *chosen; /* the service at hand */
	bool explicit;            /* the endpoint itself was named, not swept up */
	size_t skipped_tls_off;
	const struct certdeploy_endpoint *tls_off;
	const char *left_alone;                     /* why the first one that was swept up was left out */
	const struct certdeploy_endpoint *on_every; /* answers on the address asked for as on all others */
};

void cd_target_of_order(struct cd_target *target, const struct cd_order *order)
{
	*target = (struct cd_target){
		.hostnames = cd_order_list(order, CERTDEPLOY_HOSTNAME),
		.addresses = cd_order_list(order, CERTDEPLOY_ADDRESS),
		.listeners = cd_order_list(order, CERTDEPLOY_LISTENER),
		.services = cd_order_list(order, CERTDEPLOY_SERVICE),
		.defaults = order->defaults,
		.all = order->all,
	};
}

bool cd_target_is_empty(const struct cd_target *target)
{
	return target->hostnames == NULL && target->addresses == NULL && target->listeners == NULL &&
	       !target->defaults && !target->all;
}

void cd_selection_free(struct cd_selection *selection)
{
	for (size_t i = 0; i < selection->services.count; i++) {
		struct cd_chosen *chosen = selection->services.items[i];

		cd_vector_free(&chosen->endpoints);
		cd_table_free(&chosen->known);
	}
	cd_vector_free(&selection->services);
	cd_arena_free(&selection->arena);
}

/* ---- taking one ---- */

static const char *service_name(const struct choosing *choosing)
{
	return choosing->chosen->seen->service.name;
}

/* Whether it has a certificate of the store: then a renewal edits no configuration. */
static bool has_stored(const struct choosing *choosing, const struct certdeploy_endpoint *endpoint)
{
	const char *store = choosing->inventory->cd->settings.store;
	size_t length = strlen(store);
	const struct certdeploy_pair *last =
		endpoint->pair_count == 0 ? NULL : &endpoint->pairs[endpoint->pair_count - 1];

	return last != NULL && last->certificate != NULL &&
	       strncmp(last->certificate, store, length) == 0 && last->certificate[length] == '/';
}

/* Whether the certificate at hand will lie at this path. */
static bool is_home(const struct cd_target *target, const char *path)
{
	const char *const chosen[] = {target->chosen.certificate, target->chosen.key,
				      target->chosen.fullchain};
	bool found = path != NULL && target->home != NULL &&
		     strncmp(path, target->home, strlen(target->home)) == 0;

	for (size_t i = 0; path != NULL && !found && i < sizeof(chosen) / sizeof(*chosen); i++)
		found = chosen[i] != NULL && strcmp(path, chosen[i]) == 0;
	return found;
}

/* Whether it names the files of the certificate at hand and no others: no edit is needed. */
static bool is_at_home(const struct choosing *choosing, const struct certdeploy_endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->pair_count; i++)
		if (!is_home(choosing->target, endpoint->pairs[i].certificate) ||
		    !is_home(choosing->target, endpoint->pairs[i].key))
			return false;
	return endpoint->tls && endpoint->pair_count != 0;
}

/* The name of another deployment, whose files it has and none of those at hand; NULL: there is none. */
static const char *other_deployment(struct choosing *choosing, const struct certdeploy_endpoint *endpoint)
{
	struct cd_host *host = &choosing->inventory->host;
	const char *name, *record;

	/* What comes from a wider scope went to that one, not here. */
	if (endpoint->absent || endpoint->inherited || !has_stored(choosing, endpoint))
		return NULL;
	for (size_t i = 0; i < endpoint->pair_count; i++)
		if (is_home(choosing->target, endpoint->pairs[i].certificate))
			return NULL;
	name = endpoint->pairs[endpoint->pair_count - 1].certificate +
	       strlen(choosing->inventory->cd->settings.store) + 1;
	name = cd_arena_copy(&choosing->selection->arena, name, strcspn(name, "/"));
	if (name != NULL && !cd_store_name_is_valid(name))
		return NULL;
	record = name == NULL ? NULL
			      : cd_deployment_path(&choosing->selection->arena,
						   choosing->inventory->cd->settings.state, name);
	if (record == NULL)
		(void)cd_fail_memory(choosing->problems);
	return record != NULL && cd_host_file_type(host, record) == CERTDEPLOY_FILE_REGULAR ? name : NULL;
}

/* Something other than 0 forbids it; 1: it is left out. */
static int may_touch(struct choosing *choosing, const struct certdeploy_endpoint *endpoint)
{
	const char *untouchable = endpoint->untouchable, *note = endpoint->note, *other;
	bool accepted;

	other = choosing->target->yields ? other_deployment(choosing, endpoint) : NULL;
	if (other != NULL) {
		choosing->selection->left_to = other;
		return 1;
	}
	if (untouchable == NULL && endpoint->tls && !has_stored(choosing, endpoint)) {
		note = cd_managed_endpoint(&choosing->chosen->seen->reading, endpoint,
					   choosing->target->from_certbot);
		untouchable = note == NULL ? NULL : "managed-elsewhere";
	}
	/* What cannot be edited can be renewed. */
	if (untouchable != NULL && strcmp(untouchable, "config-not-understood") == 0 &&
	    is_at_home(choosing, endpoint))
		untouchable = NULL;
	if (untouchable != NULL) {
		accepted = cd_in_list(choosing->inventory->host.accepted, untouchable);
		cd_problem(choosing->problems,
			   choosing->explicit && !accepted ? CERTDEPLOY_ERROR : CERTDEPLOY_WARNING,
			   untouchable, endpoint->file, endpoint->line, "%s: %s",
			   endpoint->name == NULL ? service_name(choosing) : endpoint->name,
			   note == NULL ? "" : note);
		if (!accepted && choosing->left_alone == NULL)
			choosing->left_alone = untouchable;
		return accepted ? 0 : choosing->explicit ? CERTDEPLOY_EREFUSED : 1;
	}
	if (endpoint->tls)
		return 0;
	choosing->skipped_tls_off++;
	choosing->tls_off = endpoint;
	return 1;
}

static int take(void *user, const struct certdeploy_endpoint *endpoint)
{
	struct choosing *choosing = user;
	struct cd_chosen *chosen = choosing->chosen;
	int result;

	/* One that is hidden goes with its address's default, or comes to light with its name. */
	if (endpoint->hidden || cd_table_get_bytes(&chosen->known, &endpoint, sizeof(endpoint)) != NULL)
		return 0;
	result = may_touch(choosing, endpoint);
	if (result != 0)
		return result == 1 ? 0 : result;
	if (cd_table_put_bytes(&chosen->known, &endpoint, sizeof(endpoint), endpoint) != 0 ||
	    cd_vector_add(&chosen->endpoints, endpoint) != 0)
		return cd_fail_memory(choosing->problems);
	choosing->selection->count++;
	return 0;
}

/* ---- by host name ---- */

static int take_all(struct choosing *choosing, const struct cd_vector *list)
{
	int result = 0;

	for (size_t i = 0; result == 0 && list != NULL && i < list->count; i++)
		result = take(choosing, list->items[i]);
	return result;
}

static int by_equal_name(struct choosing *choosing, const char *hostname)
{
	struct cd_seen *seen = choosing->chosen->seen;
	const struct cd_vector *lists[2];
	int result;

	if (cd_names_make(&seen->names, &seen->reading) != 0)
		return cd_fail_memory(choosing->problems);
	cd_names_answering(&seen->names, hostname, lists);
	result = take_all(choosing, lists[0]);
	return result == 0 ? take_all(choosing, lists[1]) : result;
}

/* What answers for a server's own name, as if the name had been given: not a default that only bears it. */
static int by_own_name(struct choosing *choosing, const char *hostname)
{
	const struct certdeploy_adapter *adapter = choosing->chosen->seen->service.adapter;

	if (adapter->answers == NULL)
		return by_equal_name(choosing, hostname);
	return adapter->answers(&choosing->chosen->seen->reading, hostname, false, take, choosing);
}

int cd_pattern_refused(struct cd_problems *problems, const char *pattern)
{
	return cd_fail(problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0, _("\"%s\" is not a usable pattern"),
		       cd_safe(&problems->arena, pattern));
}

static int by_pattern(struct choosing *choosing, const char *pattern)
{
	struct certdeploy_reading *reading = &choosing->chosen->seen->reading;
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(reading, &count);
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++) {
		const char *name = all[i]->name != NULL ? all[i]->name : all[i]->server_name;
		int matches = name == NULL ? 0 : cd_pattern_found(&reading->patterns, pattern, name);

		if (matches < 0)
			return cd_pattern_refused(choosing->problems, pattern);
		if (matches == 1)
			result =
				all[i]->name != NULL ? take(choosing, all[i]) : by_own_name(choosing, name);
	}
	return result;
}

/* In lower case, as it is to stand in a configuration. NULL: memory is short. */
static const char *lower_case(struct cd_arena *arena, const char *hostname)
{
	char *name = cd_arena_string(arena, hostname);

	for (char *at = name; at != NULL && *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	return name;
}

static int by_hostname(struct choosing *choosing, const char *hostname)
{
	const struct certdeploy_adapter *adapter = choosing->chosen->seen->service.adapter;
	int result = 0;

	if (hostname[0] == '~')
		return by_pattern(choosing, hostname + 1);
	if (adapter->answers == NULL || strncmp(hostname, "*.", 2) == 0)
		result = by_equal_name(choosing, hostname);
	if (adapter->answers == NULL || result != 0)
		return result;
	/* Nobody asks for an address by name (RFC 6066, 3): an entry made for it would never be found. */
	return adapter->answers(&choosing->chosen->seen->reading, hostname, !cd_is_address(hostname), take,
				choosing);
}

/* How alike two names are: length of the common end. */
static size_t likeness(const char *one, const char *other)
{
	size_t a = strlen(one), b = strlen(other), same = 0;

	while (same < a && same < b &&
	       tolower((unsigned char)one[a - same - 1]) == tolower((unsigned char)other[b - same - 1]))
		same++;
	return same;
}

/* The names on this host most like the one that is not there. */
static const char *nearest_names(struct choosing *choosing, const char *hostname)
{
	const char *best[NEAREST] = {NULL};
	size_t weight[NEAREST] = {0};

	for (size_t i = 0; i < choosing->selection->services.count; i++) {
		const struct cd_chosen *chosen = choosing->selection->services.items[i];
		size_t count;
		const struct certdeploy_endpoint *const *all =
			certdeploy_endpoints(&chosen->seen->reading, &count);

		for (size_t j = 0; j < count; j++) {
			const char *name = all[j]->name;
			size_t like = name == NULL ? 0 : likeness(name, hostname), at = NEAREST;

			for (size_t k = 0; k < NEAREST && name != NULL; k++)
				if (best[k] != NULL && strcmp(best[k], name) == 0)
					like = 0;
			while (at > 0 && like > weight[at - 1])
				at--;
			if (at == NEAREST || like < 4)
				continue;
			memmove(&best[at + 1], &best[at], (NEAREST - at - 1) * sizeof(best[0]));
			memmove(&weight[at + 1], &weight[at], (NEAREST - at - 1) * sizeof(weight[0]));
			best[at] = name;
			weight[at] = like;
		}
	}
	if (best[0] == NULL)
		return NULL;
	return cd_arena_format(&choosing->problems->arena, "%s%s%s%s%s", best[0],
			       best[1] == NULL ? "" : ", ", best[1] == NULL ? "" : best[1],
			       best[2] == NULL ? "" : ", ", best[2] == NULL ? "" : best[2]);
}

static int nothing_there(struct choosing *choosing, const char *what)
{
	const struct certdeploy_endpoint *on_every = choosing->on_every;
	const char *near;

	if (choosing->selection->left_to != NULL)
		return 0;
	if (choosing->left_alone != NULL)
		return cd_fail(choosing->problems, CERTDEPLOY_EREFUSED, choosing->left_alone, NULL, 0,
			       _("all that could be meant is left alone: the warnings say why"));
	if (choosing->skipped_tls_off != 0)
		return cd_fail(choosing->problems, CERTDEPLOY_EREFUSED, "tls-off", choosing->tls_off->file,
			       choosing->tls_off->line, _("what answers for %s speaks no TLS"),
			       cd_hostname_shown(&choosing->problems->arena, what));
	if (on_every != NULL)
		return cd_fail(
			choosing->problems, CERTDEPLOY_EREFUSED, "no-endpoint", on_every->file,
			on_every->line,
			_("%s has nothing of its own: what answers there answers on every address, and "
			  "is chosen as the listener %s"),
			what, on_every->listen);
	if (cd_is_address(what) && cd_in_list(choosing->target->hostnames, what))
		return cd_fail(
			choosing->problems, CERTDEPLOY_EREFUSED, "no-endpoint", NULL, 0,
			_("no server here bears the name %s: clients never ask for an address by name, "
			  "what answers there is chosen with --address"),
			what);
	near = nearest_names(choosing, what);
	what = cd_hostname_shown(&choosing->problems->arena, what);
	if (near != NULL)
		return cd_fail(choosing->problems, CERTDEPLOY_EREFUSED, "no-endpoint", NULL, 0,
			       cd_target_is_empty(choosing->target)
				       ? _("the certificate for %s covers no name that this host serves "
					   "(the nearest names: %s)")
				       : _("nothing on this host answers for %s (the nearest names: %s)"),
			       what, near);
	/* A host for all names may answer for one of the certificate's, which it does not bear. */
	return cd_fail(choosing->problems, CERTDEPLOY_EREFUSED, "no-endpoint", NULL, 0,
		       cd_target_is_empty(choosing->target)
			       ? _("the certificate for %s covers no name that this host serves")
			       : _("nothing on this host answers for %s"),
		       what);
}

/* ---- by address, listener, default ---- */

static bool same_address(const char *one, const char *other)
{
	unsigned char a[16], b[16];

	if (inet_pton(AF_INET, one, a) == 1 && inet_pton(AF_INET, other, b) == 1)
		return memcmp(a, b, 4) == 0;
	return inet_pton(AF_INET6, one, a) == 1 && inet_pton(AF_INET6, other, b) == 1 &&
	       memcmp(a, b, 16) == 0;
}

/* "192.0.2.1", "192.0.2.1:443", "2001:db8::1", "[2001:db8::1]:443". Port 0: any. */
static bool split_address(const char *text, char address[64], uint16_t *port)
{
	unsigned char binary[16];
	const char *end = NULL;
	long number = 0;
	size_t length;

	if (text[0] == '[') {
		text++;
		length = strcspn(text, "]");
		if (text[length] != ']')
			return false;
		end = text + length + 1;
	} else if (strchr(text, ':') != NULL && strchr(text, ':') == strrchr(text, ':')) {
		length = strcspn(text, ":");
		end = text + length;
	} else {
		length = strlen(text);
		end = text + length;
	}
	if (*end == ':') {
		char *rest;

		number = strtol(end + 1, &rest, 10);
		if (!isdigit((unsigned char)end[1]) || *rest != '\0' || number < 1 || number > 65535)
			return false;
	} else if (*end != '\0') {
		return false;
	}
	if (length >= 64)
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	*port = (uint16_t)number;
	return inet_pton(AF_INET, address, binary) == 1 || inet_pton(AF_INET6, address, binary) == 1;
}

/* Whether one of the addresses asked for is this endpoint's. */
static bool is_asked_for(const struct choosing *choosing, const struct certdeploy_endpoint *endpoint)
{
	const char *const *text = choosing->target->addresses;
	char address[64];
	uint16_t port;

	for (; endpoint->address != NULL && text != NULL && *text != NULL; text++)
		if (split_address(*text, address, &port) && same_address(endpoint->address, address) &&
		    (port == 0 || port == endpoint->port))
			return true;
	return false;
}

/* Whether what decides about an endpoint is the default of its listener. */
static bool is_of_default(const struct choosing *choosing, const struct certdeploy_endpoint *endpoint)
{
	size_t count;
	const struct certdeploy_endpoint *const *all =
		certdeploy_endpoints(&choosing->chosen->seen->reading, &count);

	for (size_t i = 0; i < count; i++)
		if (all[i]->decider == endpoint->decider && all[i]->is_default &&
		    strcmp(all[i]->listen, endpoint->listen) == 0)
			return true;
	return false;
}

static int refuse_shared(struct choosing *choosing, const struct certdeploy_endpoint *endpoint,
			 const char *address)
{
	size_t count;
	const struct certdeploy_endpoint *const *all =
		certdeploy_endpoints(&choosing->chosen->seen->reading, &count);

	for (size_t i = 0; i < count; i++) {
		if (all[i]->decider != endpoint->decider || !all[i]->tls)
			continue;
		if (all[i]->address != NULL && same_address(all[i]->address, address))
			continue;
		if (!is_asked_for(choosing, all[i]) || !is_of_default(choosing, all[i]))
			return cd_fail(choosing->problems, CERTDEPLOY_EREFUSED, "shared-lines",
				       endpoint->file, endpoint->line,
				       _("what answers on %s also answers on %s"), address, all[i]->listen);
	}
	return 0;
}

/* What a server may listen on, and nobody connects to: nothing can be made to answer there alone. */
static bool is_unspecified(const char *address)
{
	return same_address(address, "0.0.0.0") || same_address(address, "::");
}

static int by_address(struct choosing *choosing, const char *text)
{
	struct certdeploy_reading *reading = &choosing->chosen->seen->reading;
	const struct certdeploy_adapter *adapter = choosing->chosen->seen->service.adapter;
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(reading, &count);
	char address[64];
	uint16_t port;
	int result = 0;

	if (!split_address(text, address, &port))
		return cd_fail(choosing->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("\"%s\" is not an IP address with or without a port"),
			       cd_safe(&choosing->problems->arena, text));
	if (adapter->answers_address != NULL && !is_unspecified(address))
		return adapter->answers_address(reading, address, port, take, choosing);
	for (size_t i = 0; result == 0 && i < count; i++) {
		const struct certdeploy_endpoint *endpoint = all[i];

		if (!endpoint->is_default || endpoint->name != NULL ||
		    (port != 0 && endpoint->port != port))
			continue;
		if (endpoint->address == NULL && endpoint->tls && choosing->on_every == NULL)
			choosing->on_every = endpoint;
		if (endpoint->address == NULL || !same_address(endpoint->address, address))
			continue;
		result = refuse_shared(choosing, endpoint, address);
		if (result == 0)
			result = take(choosing, endpoint);
	}
	return result;
}

static int by_listener(struct choosing *choosing, const char *listener)
{
	size_t count;
	const struct certdeploy_endpoint *const *all =
		certdeploy_endpoints(&choosing->chosen->seen->reading, &count);
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++)
		if (all[i]->is_default && all[i]->name == NULL && strcmp(all[i]->listen, listener) == 0)
			result = take(choosing, all[i]);
	return result;
}

static int by_sweep(struct choosing *choosing, bool only_defaults)
{
	size_t count;
	const struct certdeploy_endpoint *const *all =
		certdeploy_endpoints(&choosing->chosen->seen->reading, &count);
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++)
		if (!only_defaults || (all[i]->is_default && all[i]->name == NULL))
			result = take(choosing, all[i]);
	return result;
}

/* ---- by the names of the certificate ---- */

static bool covers_all(const char *const *names, const char *const *wanted)
{
	if (wanted == NULL || wanted[0] == NULL)
		return false;
	for (; *wanted != NULL; wanted++)
		if (!cd_names_cover(names, *wanted))
			return false;
	return true;
}

/* An endpoint without a name counts by its server's own name, or by the certificate it serves now. */
static bool is_covered(struct choosing *choosing, const struct certdeploy_endpoint *endpoint)
{
	const struct certdeploy_leaf *leaf = NULL;

	if (endpoint->server_name != NULL && cd_names_cover(choosing->target->names, endpoint->server_name))
		return true;
	if (endpoint->pair_count == 0 ||
	    certdeploy_leaf(&leaf, &choosing->chosen->seen->reading,
			    endpoint->pairs[endpoint->pair_count - 1].certificate) != 0)
		return false;
	return covers_all(choosing->target->names, leaf->names);
}

static int by_names(struct choosing *choosing)
{
	struct cd_seen *seen = choosing->chosen->seen;
	int result = 0;

	if (cd_names_make(&seen->names, &seen->reading) != 0)
		return cd_fail_memory(choosing->problems);
	for (const char *const *name = choosing->target->names; result == 0 && *name != NULL; name++)
		result = take_all(choosing, cd_names_covered(&seen->names, *name));
	for (size_t i = 0; result == 0 && i < seen->names.unnamed.count; i++)
		if (is_covered(choosing, seen->names.unnamed.items[i]))
			result = take(choosing, seen->names.unnamed.items[i]);
	return result;
}

/* ---- the whole ---- */

static int each_service(struct choosing *choosing, int (*choose)(struct choosing *, const char *),
			const char *value)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < choosing->selection->services.count; i++) {
		choosing->chosen = choosing->selection->services.items[i];
		if (choosing->target->services != NULL &&
		    !cd_in_list(choosing->target->services, service_name(choosing)))
			continue;
		choosing->problems->service =
			cd_arena_string(&choosing->problems->arena, service_name(choosing));
		result = choose(choosing, value);
		choosing->problems->service = NULL;
	}
	return result;
}

static int each_value(struct choosing *choosing, int (*choose)(struct choosing *, const char *),
		      const char *const *values, bool names)
{
	int result = 0;

	for (; result == 0 && values != NULL && *values != NULL; values++) {
		size_t before = choosing->selection->count;
		const char *value = *values;

		choosing->on_every = NULL;
		if (names && value[0] != '~')
			value = lower_case(&choosing->selection->arena, value);
		if (value == NULL)
			return cd_fail_memory(choosing->problems);
		choosing->explicit = true;
		if (names && value[0] != '~' && !cd_names_cover(choosing->target->names, value))
			result = cd_in_list(choosing->inventory->host.accepted, "name-mismatch")
					 ? 0
					 : cd_fail(choosing->problems, CERTDEPLOY_EREFUSED, "name-mismatch",
						   NULL, 0, _("the certificate does not cover %s"),
						   cd_hostname_shown(&choosing->problems->arena, value));
		if (result == 0)
			result = each_service(choosing, choose, value);
		if (result == 0 && choosing->selection->count == before)
			result = nothing_there(choosing, value);
	}
	return result;
}

static int sweep_all(struct choosing *choosing, const char *value)
{
	(void)value;
	return by_sweep(choosing, false);
}

static int sweep_defaults(struct choosing *choosing, const char *value)
{
	(void)value;
	return by_sweep(choosing, true);
}

static int sweep_names(struct choosing *choosing, const char *value)
{
	(void)value;
	return by_names(choosing);
}

bool cd_endpoint_names(const struct certdeploy_endpoint *named, const struct certdeploy_endpoint *unnamed)
{
	return named->name != NULL && unnamed->name == NULL && unnamed->server_name != NULL &&
	       named->line == unnamed->line && named->file != NULL && unnamed->file != NULL &&
	       strcmp(named->file, unnamed->file) == 0 &&
	       strcasecmp(named->name, unnamed->server_name) == 0;
}

static bool is_chosen_by_name(const struct cd_chosen *chosen, const struct certdeploy_endpoint *unnamed)
{
	for (size_t i = 0; i < chosen->endpoints.count; i++)
		if (cd_endpoint_names(chosen->endpoints.items[i], unnamed))
			return true;
	return false;
}

/* What was swept up by --all must be covered as well; a default that has no name, as a warning. */
static int check_names(struct choosing *choosing)
{
	bool accepted = cd_in_list(choosing->inventory->host.accepted, "name-mismatch");
	int result = 0;

	for (size_t i = 0; i < choosing->selection->services.count; i++) {
		const struct cd_chosen *chosen = choosing->selection->services.items[i];

		for (size_t j = 0; j < chosen->endpoints.count; j++) {
			const struct certdeploy_endpoint *endpoint = chosen->endpoints.items[j];
			const char *name = endpoint->name == NULL ? endpoint->server_name : endpoint->name;
			bool strict = endpoint->name != NULL && !accepted && choosing->target->all;

			if (name == NULL || cd_names_cover(choosing->target->names, name) ||
			    (endpoint->name == NULL && is_chosen_by_name(chosen, endpoint)))
				continue;
			cd_problem(choosing->problems, strict ? CERTDEPLOY_ERROR : CERTDEPLOY_WARNING,
				   "name-mismatch", endpoint->file, endpoint->line,
				   _("the certificate does not cover %s, which it would serve"),
				   cd_hostname_shown(&choosing->problems->arena, name));
			if (strict)
				result = CERTDEPLOY_EREFUSED;
		}
	}
	return result;
}

/* Something of the target stays without TLS although the rest gets its certificate. */
static void tell_tls_off(const struct choosing *choosing)
{
	const struct certdeploy_endpoint *endpoint = choosing->tls_off;

	if (endpoint == NULL || choosing->selection->count == 0 || strcmp(endpoint->protocol, "http") == 0)
		return;
	cd_problem(choosing->problems, CERTDEPLOY_WARNING, "tls-off", endpoint->file, endpoint->line,
		   _("%s (%s) speaks no TLS as configured and is left as it is"), endpoint->listen,
		   endpoint->protocol);
}

int cd_target_select(struct cd_selection *selection, struct cd_inventory *inventory,
		     const struct cd_target *target)
{
	struct choosing choosing = {.selection = selection,
				    .inventory = inventory,
				    .target = target,
				    .problems = inventory->problems};
	int result = 0;

	*selection = (struct cd_selection){0};
	for (size_t i = 0; i < inventory->services.count; i++) {
		struct cd_chosen *chosen = cd_arena_alloc(&selection->arena, sizeof(*chosen));

		if (chosen == NULL || cd_vector_add(&selection->services, chosen) != 0)
			return cd_fail_memory(inventory->problems);
		chosen->seen = inventory->services.items[i];
	}
	if (cd_target_is_empty(target)) {
		result = each_service(&choosing, sweep_names, NULL);
		tell_tls_off(&choosing);
		if (result == 0 && selection->count == 0)
			result = nothing_there(&choosing, target->names != NULL && target->names[0] != NULL
								  ? target->names[0]
								  : "-");
		return result;
	}
	result = cd_hostnames_check(choosing.problems, target->hostnames, true);
	if (result == 0)
		result = each_value(&choosing, by_hostname, target->hostnames, true);
	if (result == 0)
		result = each_value(&choosing, by_address, target->addresses, false);
	if (result == 0)
		result = each_value(&choosing, by_listener, target->listeners, false);
	choosing.explicit = false;
	if (result == 0 && target->defaults)
		result = each_service(&choosing, sweep_defaults, NULL);
	if (result == 0 && target->all)
		result = each_service(&choosing, sweep_all, NULL);
	if (result == 0 && selection->count == 0)
		result = nothing_there(&choosing, target->all ? "--all" : "--default");
	tell_tls_off(&choosing);
	if (result == 0)
		result = check_names(&choosing);
	return result;
}
