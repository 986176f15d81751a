/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * endpoints.c - what Dovecot's listeners serve to whom
 *
 * A listener is shown as its name and port, "imaps/993", and with its address where it has one,
 * "10.0.0.2:imaps/993", "[::1]:imap/143". Each has a default endpoint, one for every `local` address
 * that has a say about TLS, and one for every name of a local_name.
 */
#include "listeners.h"

#include <arpa/inet.h>
#include <string.h>

static int label(const char **out, const struct dovecot_model *model,
		 const struct dovecot_listener *listener, const struct dovecot_net *net)
{
	const char *address = listener->address;

	if (net != NULL)
		address = dovecot_spell_net(model->reading, net);
	if (address == NULL && net == NULL)
		*out = certdeploy_format(model->reading, "%s/%u", listener->name, listener->port);
	else if (address != NULL && net != NULL && net->v6 && net->bits < 128)
		*out = certdeploy_format(model->reading, "[%.*s]/%u:%s/%u", (int)strcspn(address, "/"),
					 address, net->bits, listener->name, listener->port);
	else if (address != NULL)
		*out = certdeploy_format(model->reading,
					 strchr(address, ':') != NULL ? "[%s]:%s/%u" : "%s:%s/%u", address,
					 listener->name, listener->port);
	else
		*out = NULL;
	return *out == NULL ? CERTDEPLOY_ENOMEM : 0;
}

/* The address that is connected to for the listener. */
static void here(struct dovecot_net *out, const struct dovecot_place *place)
{
	const struct dovecot_net *local = place->context->local;

	if (place->listener->net.bits > 0)
		*out = place->listener->net;
	else if (local != NULL)
		*out = *local;
	else
		*out = dovecot_loopback[place->listener->address == NULL ? 0 : 1];
}

/* Does a block for addresses, of ours or of clients, have a say about the connection from here? */
static bool is_covered(const struct dovecot_model *model, const struct dovecot_place *place,
		       const struct dovecot_net *local, const struct dovecot_net *client)
{
	bool everywhere = place->context->local == NULL && place->listener->address == NULL &&
			  place->listener->by_address;

	return (everywhere && dovecot_nets_cover(&model->covered, local)) ||
	       dovecot_nets_cover(&model->clients, client);
}

/*
 * What is served on all addresses, to all clients, is looked at on one address from this host, unless a
 * block for addresses says otherwise there.
 */
static int is_seen_here(bool *out, const struct dovecot_model *model, const struct dovecot_place *place)
{
	const struct dovecot_listener *listener = place->listener;
	struct dovecot_context context;
	struct dovecot_effective effective;
	struct dovecot_net local, client;

	*out = !model->uncertain;
	here(&local, place);
	dovecot_own_client(&client, &local);
	if (!*out || !is_covered(model, place, &local, &client))
		return 0;
	if (dovecot_context(&context, model, listener->protocol, listener->service,
			    listener->by_address ? &local : NULL, &client) != 0 ||
	    dovecot_effective(&effective, model, &context, place->name) != 0)
		return CERTDEPLOY_ENOMEM;
	*out = effective.conflict[0] == NULL &&
	       effective.values[DOVECOT_CERT] == place->effective.values[DOVECOT_CERT];
	return 0;
}

/* Where it is served: an address that is known, or none and then the port says so. */
static int address(struct certdeploy_endpoint *endpoint, const struct dovecot_model *model,
		   const struct dovecot_place *place)
{
	const struct dovecot_net *net = place->context->local;
	char text[INET6_ADDRSTRLEN];
	bool seen;

	if (is_seen_here(&seen, model, place) != 0)
		return CERTDEPLOY_ENOMEM;
	endpoint->address = place->listener->address;
	endpoint->unseen = !seen;
	endpoint->port = place->listener->reachable ? place->listener->port : 0;
	endpoint->proxied = place->listener->proxied;
	if (net == NULL || place->listener->address != NULL)
		return 0;
	if (net->bits < (net->v6 ? 128U : 32U)) {
		endpoint->port = 0;
		return 0;
	}
	if (inet_ntop(net->v6 ? AF_INET6 : AF_INET, net->address, text, sizeof(text)) == NULL)
		return 0;
	endpoint->address = certdeploy_copy(model->reading, text, strlen(text));
	return endpoint->address == NULL ? CERTDEPLOY_ENOMEM : 0;
}

int dovecot_make_pairs(struct dovecot_place *place, const struct dovecot_model *model)
{
	const struct dovecot_effective *effective = &place->effective;
	struct certdeploy_pair *pair = certdeploy_alloc(model->reading, 2 * sizeof(*pair));

	if (pair == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t slot = DOVECOT_CERT; slot <= DOVECOT_ALT_CERT;
	     slot += DOVECOT_ALT_CERT - DOVECOT_CERT) {
		const struct dovecot_value *certificate = effective->values[slot];
		const struct dovecot_value *key = effective->values[slot + 1];

		if (certificate == NULL || certificate->path == NULL)
			continue;
		pair[place->pair_count++] = (struct certdeploy_pair){
			.certificate = certificate->path,
			.key = key != NULL && key->path != NULL ? key->path : certificate->path,
			.file = certificate->input->path,
			.line = certificate->line,
		};
	}
	place->pairs = pair;
	return 0;
}

static bool says_no(const struct dovecot_value *value)
{
	return value != NULL && strcmp(value->text, "no") == 0;
}

/* Whether TLS is spoken is settled before a client says which name it wants. */
static int speaks_tls(bool *out, const struct dovecot_model *model, const struct dovecot_place *place)
{
	const struct dovecot_value *ssl = place->effective.values[DOVECOT_SSL];
	struct dovecot_effective nameless;

	if (ssl != NULL && dovecot_filter_name(ssl->filter) != NULL) {
		if (dovecot_effective(&nameless, model, place->context, NULL) != 0)
			return CERTDEPLOY_ENOMEM;
		ssl = nameless.values[DOVECOT_SSL];
	}
	*out = !says_no(model->root->values[DOVECOT_SSL]) && !says_no(ssl);
	return 0;
}

/* What keeps an endpoint from being edited. */
static int forbid(struct certdeploy_endpoint *endpoint, const struct dovecot_model *model,
		  const struct dovecot_effective *effective)
{
	const struct dovecot_value *const *conflict = effective->conflict;
	const struct dovecot_value *certificate = effective->values[DOVECOT_CERT];

	if (conflict[0] != NULL) {
		endpoint->untouchable = "conflicting-filters";
		endpoint->ended = true;
		endpoint->note =
			certdeploy_format(model->reading,
					  _("two filters set %s for the same connections, and Dovecot ends "
					    "those: %s line %zu and "
					    "%s line %zu"),
					  conflict[0]->key, conflict[0]->input->path, conflict[0]->line,
					  conflict[1]->input->path, conflict[1]->line);
		endpoint->file = conflict[1]->input->path;
		endpoint->line = conflict[1]->line;
		return endpoint->note == NULL ? CERTDEPLOY_ENOMEM : 0;
	}
	if (endpoint->pair_count == 0 && certificate != NULL) {
		endpoint->file = certificate->input->path;
		endpoint->line = certificate->line;
	}
	return 0;
}

/*
 * The same text for the same decision. Names that share lines can be parted, by a block of their own;
 * listeners of one name, and all that are decided by the same lines for everybody, cannot.
 */
static const char *decider_of(struct dovecot_model *model, const struct dovecot_place *place)
{
	const struct dovecot_value *certificate = place->effective.values[DOVECOT_CERT];
	const struct dovecot_filter *filter = place->filter != NULL ? place->filter : place->shared;
	const char *name = place->name == NULL ? "" : place->name;
	char digits[DOVECOT_DIGITS];
	char *text;
	void *kept;

	if (place->address != NULL) {
		const char *address = dovecot_spell_net(model->reading, place->address);

		text = address == NULL ? NULL : dovecot_joined(model->reading, "at ", address, NULL);
	} else if (place->own && certificate != NULL) {
		text = dovecot_joined(model->reading, certificate->site, " ", name, NULL);
	} else if (place->hidden && certificate != NULL) {
		text = dovecot_joined(model->reading, certificate->site, " ", NULL);
	} else {
		text = dovecot_joined(model->reading, "in ", dovecot_digits(digits, (uintptr_t)filter), " ",
				      name, NULL);
	}
	if (text == NULL)
		return NULL;
	kept = dovecot_table_get(&model->deciders, text, strlen(text));
	if (kept != NULL)
		return kept;
	return dovecot_table_put(&model->deciders, model->reading, text, strlen(text), text) == 0 ? text
												  : NULL;
}

/* What all listeners have in common. */
static int settle(struct dovecot_place *place, struct dovecot_model *model)
{
	if (place->decider != NULL)
		return 0;
	place->decider = decider_of(model, place);
	return place->decider == NULL ? CERTDEPLOY_ENOMEM : dovecot_make_pairs(place, model);
}

int dovecot_make_endpoint(struct certdeploy_endpoint *endpoint, struct dovecot_model *model,
			  struct dovecot_place *place)
{
	const struct dovecot_listener *listener = place->listener;
	const struct dovecot_value *certificate = place->effective.values[DOVECOT_CERT];
	const struct dovecot_filter *home = place->filter != NULL ? place->filter : place->shared;
	const struct dovecot_block *block =
		home == NULL || home->blocks.count == 0 ? NULL : home->blocks.items[0];
	bool tls;

	if (settle(place, model) != 0 || speaks_tls(&tls, model, place) != 0 ||
	    (place->listen == NULL && label(&place->listen, model, listener, place->context->local) != 0))
		return CERTDEPLOY_ENOMEM;
	*endpoint = (struct certdeploy_endpoint){
		.name = place->name,
		.listen = place->listen,
		.protocol = listener->shown,
		.start = listener->start,
		.pairs = place->pairs,
		.pair_count = place->pair_count,
		.file = block != NULL ? block->input->path : listener->file,
		.line = block != NULL ? block->line : listener->line,
		.decider = place->decider,
		.is_default = place->name == NULL,
		.tls = tls,
		.inherited = !place->own && certificate != NULL,
		.hidden = place->hidden,
		.own = place,
	};
	if (place->name == NULL)
		endpoint->server_name = dovecot_setting(model, "hostname");
	if (endpoint->server_name != NULL && endpoint->server_name[0] == '\0')
		endpoint->server_name = NULL;
	return address(endpoint, model, place) != 0 ? CERTDEPLOY_ENOMEM
						    : forbid(endpoint, model, &place->effective);
}

static int add_place(struct dovecot_model *model, const struct dovecot_place *place)
{
	struct dovecot_place *copy = certdeploy_alloc(model->reading, sizeof(*copy));
	struct certdeploy_endpoint endpoint;

	if (copy == NULL)
		return CERTDEPLOY_ENOMEM;
	*copy = *place;
	if (dovecot_make_endpoint(&endpoint, model, copy) != 0)
		return CERTDEPLOY_ENOMEM;
	return certdeploy_add_endpoint(model->reading, &endpoint);
}

/* Everything that one protocol serves in one context, for all of its listeners. */
struct serving {
	struct dovecot_context context;
	struct dovecot_vector places; /* of struct dovecot_place, the default first */
};

static bool carries(const struct dovecot_name *name, const struct dovecot_filter *filter)
{
	for (size_t i = 0; i < name->filters.count; i++)
		if (name->filters.items[i] == filter)
			return true;
	return false;
}

/* The filter of the name, or of the address, that is not about a protocol; for one name, or for several. */
static struct dovecot_filter *home_of(const struct dovecot_vector *filters,
				      const struct dovecot_context *context, bool several)
{
	struct dovecot_filter *home = NULL;

	for (size_t i = 0; i < filters->count; i++) {
		struct dovecot_filter *filter = filters->items[i];
		const struct dovecot_net *local = dovecot_filter_local(filter);
		const char *names = dovecot_filter_name(filter);

		if (!dovecot_fits(filter, context) || dovecot_filter_has_protocol(filter) ||
		    (names != NULL && strchr(names, ' ') != NULL) != several)
			continue;
		/* One for this very address comes before one for all. */
		if (home == NULL || (local != NULL && dovecot_filter_local(home) == NULL))
			home = filter;
	}
	return home;
}

static bool sets_tls(const struct dovecot_filter *filter)
{
	for (size_t slot = 0; slot < DOVECOT_SLOTS; slot++)
		if (filter->values[slot] != NULL)
			return true;
	return false;
}

/* Is something of the material taken from a block for an address? */
static bool meets_local(const struct dovecot_effective *effective)
{
	for (size_t slot = 0; slot <= DOVECOT_ALT_KEY; slot++)
		if (effective->values[slot] != NULL &&
		    dovecot_filter_local(effective->values[slot]->filter) != NULL)
			return true;
	return false;
}

/* Does it say something about TLS that holds on the address only? */
static bool is_about_local(const struct dovecot_name *name, const struct dovecot_context *context)
{
	for (size_t i = 0; i < name->filters.count; i++)
		if (dovecot_fits(name->filters.items[i], context) &&
		    dovecot_filter_local(name->filters.items[i]) != NULL &&
		    sets_tls(name->filters.items[i]))
			return true;
	return false;
}

static bool sets_material(const struct dovecot_filter *filter)
{
	for (size_t slot = 0; slot <= DOVECOT_ALT_KEY; slot++)
		if (filter->values[slot] != NULL)
			return true;
	return false;
}

/* Does the configuration say something about the name's certificate here? Else it is as good as unknown. */
static bool says_something(const struct dovecot_name *name, const struct dovecot_context *context)
{
	for (size_t i = 0; i < name->filters.count; i++)
		if (dovecot_fits(name->filters.items[i], context) && sets_material(name->filters.items[i]))
			return true;
	return false;
}

void dovecot_find_home(struct dovecot_place *place, const struct dovecot_name *name)
{
	if (name == NULL)
		return;
	place->filter = home_of(&name->filters, place->context, false);
	if (place->filter == NULL)
		place->shared = home_of(&name->filters, place->context, true);
}

static int serve_name(struct dovecot_model *model, struct serving *serving, const struct dovecot_name *name,
		      bool everywhere)
{
	struct dovecot_place place = {.context = &serving->context, .name = name->text};
	const struct dovecot_value *certificate;
	struct dovecot_place *copy;
	bool about_local;

	/* "*" is a name that no client can ask for. */
	if (!says_something(name, &serving->context) || !dovecot_name_matches(name->text, name->text))
		return 0;
	if (dovecot_effective(&place.effective, model, &serving->context, name->text) != 0)
		return CERTDEPLOY_ENOMEM;
	certificate = place.effective.values[DOVECOT_CERT];
	place.own = certificate != NULL && carries(name, certificate->filter);
	about_local = is_about_local(name, &serving->context);
	place.hidden = !everywhere && !about_local && !place.own && certificate != NULL &&
		       dovecot_filter_local(certificate->filter) != NULL &&
		       dovecot_filter_name(certificate->filter) == NULL;
	/* For one address, only what differs from all addresses is worth a line of its own. */
	if (!everywhere && !about_local && place.effective.conflict[0] == NULL &&
	    !meets_local(&place.effective))
		return 0;
	dovecot_find_home(&place, name);
	copy = certdeploy_alloc(model->reading, sizeof(*copy));
	if (copy == NULL)
		return CERTDEPLOY_ENOMEM;
	*copy = place;
	return dovecot_vector_add(&serving->places, model->reading, copy);
}

/*
 * lmtp of 2.3 serves the same certificate whatever address is asked for, but ends connections where a block
 * for the address contradicts the one for the protocol.
 */
static int find_lmtp_conflict(struct dovecot_effective *out, const struct dovecot_model *model,
			      const struct dovecot_context *context)
{
	for (size_t i = 0; !context->by_name && i < model->nets.count && out->conflict[0] == NULL; i++) {
		struct dovecot_context there;
		struct dovecot_effective effective;

		if (dovecot_context(&there, model, context->protocol, context->service,
				    model->nets.items[i], NULL) != 0 ||
		    dovecot_effective(&effective, model, &there, NULL) != 0)
			return CERTDEPLOY_ENOMEM;
		memcpy(out->conflict, effective.conflict, sizeof(out->conflict));
	}
	return 0;
}

static int serve(struct dovecot_model *model, struct serving *serving, bool everywhere)
{
	const struct dovecot_vector *names = dovecot_names(model);
	struct dovecot_place *place = certdeploy_alloc(model->reading, sizeof(*place));
	const struct dovecot_value *certificate;

	if (place == NULL)
		return CERTDEPLOY_ENOMEM;
	place->context = &serving->context;
	place->filter =
		everywhere ? model->root : home_of(&serving->context.nameless, &serving->context, false);
	if (dovecot_effective(&place->effective, model, &serving->context, NULL) != 0 ||
	    find_lmtp_conflict(&place->effective, model, &serving->context) != 0 ||
	    dovecot_vector_add(&serving->places, model->reading, place) != 0)
		return CERTDEPLOY_ENOMEM;
	certificate = place->effective.values[DOVECOT_CERT];
	place->own =
		certificate != NULL && (everywhere || dovecot_filter_local(certificate->filter) != NULL);
	for (size_t i = 0; serving->context.by_name && i < names->count; i++)
		if (serve_name(model, serving, names->items[i], everywhere) != 0)
			return CERTDEPLOY_ENOMEM;
	return 0;
}

/* The serving of a context, made when it is asked for first. */
static int find_serving(struct serving **out, struct dovecot_nets *all, struct dovecot_model *model,
			const struct dovecot_listener *listener, const struct dovecot_net *local)
{
	struct serving *serving = dovecot_nets_get(all, local);
	bool everywhere = local == NULL || listener->address != NULL;

	*out = serving;
	if (serving != NULL)
		return 0;
	serving = certdeploy_alloc(model->reading, sizeof(*serving));
	if (serving == NULL || dovecot_context(&serving->context, model, listener->protocol,
					       listener->service, local, NULL) != 0)
		return CERTDEPLOY_ENOMEM;
	if (dovecot_vector_add(&model->contexts, model->reading, &serving->context) != 0 ||
	    dovecot_nets_put(all, model->reading, local, serving) != 0)
		return CERTDEPLOY_ENOMEM;
	*out = serving;
	return serve(model, serving, everywhere);
}

static int add_listener_endpoints(struct dovecot_model *model, struct dovecot_nets *all,
				  const struct dovecot_listener *listener, const struct dovecot_net *local)
{
	struct serving *serving;
	const char *listen = NULL;
	int result = find_serving(&serving, all, model, listener, local);

	if (result == 0)
		result = label(&listen, model, listener, serving->context.local);
	for (size_t i = 0; result == 0 && i < serving->places.count; i++) {
		struct dovecot_place place;

		result = settle(serving->places.items[i], model);
		if (result != 0)
			break;
		place = *(const struct dovecot_place *)serving->places.items[i];
		place.listener = listener;
		place.listen = listen;
		result = add_place(model, &place);
	}
	return result;
}

/* A filter for some clients, or for an address that is not known here. */
static int note_uncertain(struct dovecot_model *model, struct dovecot_filter *filter)
{
	const struct dovecot_filter *outer = filter;

	for (; outer != NULL; outer = outer->parent) {
		model->uncertain =
			model->uncertain || (outer->unknown && filter->values[DOVECOT_CERT] != NULL);
		if (outer->remote.bits == 0)
			continue;
		if (dovecot_nets_put(&model->clients, model->reading, &outer->remote,
				     (void *)(uintptr_t)outer) != 0)
			return CERTDEPLOY_ENOMEM;
		return dovecot_vector_add(&model->remotes, model->reading, (void *)(uintptr_t)outer);
	}
	return 0;
}

/* The networks of `local` filters that have a say about TLS, each once, and other filters for addresses. */
static int collect_nets(struct dovecot_model *model)
{
	struct dovecot_table seen = {0};

	for (size_t i = 0; i < model->filters.count; i++) {
		struct dovecot_filter *filter = model->filters.items[i];
		const struct dovecot_net *net = dovecot_filter_local(filter);
		const void *key = net;

		if (!sets_tls(filter))
			continue;
		if (note_uncertain(model, filter) != 0)
			return CERTDEPLOY_ENOMEM;
		if (net == NULL || dovecot_table_get(&seen, key, sizeof(*net)) != NULL)
			continue;
		if (dovecot_table_put(&seen, model->reading, key, sizeof(*net), (void *)(uintptr_t)net) !=
			    0 ||
		    dovecot_nets_put(&model->covered, model->reading, net, (void *)(uintptr_t)net) != 0 ||
		    dovecot_vector_add(&model->nets, model->reading, (void *)(uintptr_t)net) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

/* What a listener has for each `local` address of its family. */
static int add_nets(struct dovecot_model *model, struct dovecot_nets *all,
		    const struct dovecot_listener *listener)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < model->nets.count; i++) {
		const struct dovecot_net *net = model->nets.items[i];

		if (net->v6 ? listener->v6 : listener->v4)
			result = add_listener_endpoints(model, all, listener, net);
	}
	return result;
}

int dovecot_add_endpoints(struct dovecot_model *model)
{
	struct dovecot_vector listeners = {0};
	/* Addresses of listeners are contexts of another kind than those of `local`. */
	struct dovecot_nets bound = {0}, wide = {0};
	const char *service = NULL;
	int result = collect_nets(model);

	if (result == 0)
		result = dovecot_listeners(&listeners, model);
	for (size_t i = 0; result == 0 && i < listeners.count; i++) {
		const struct dovecot_listener *listener = listeners.items[i];
		bool all = listener->net.bits == 0;

		if (listener->service != service)
			bound = wide = (struct dovecot_nets){0};
		service = listener->service;
		result = add_listener_endpoints(model, all ? &wide : &bound, listener,
						all || !listener->by_address ? NULL : &listener->net);
		if (result == 0 && all && listener->by_address)
			result = add_nets(model, &wide, listener);
	}
	return result;
}
