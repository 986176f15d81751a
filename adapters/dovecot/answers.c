/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answers.c - the endpoints that answer for a host name
 *
 * A name has the endpoints of its own local_name. The server's own name (`hostname`) means the default.
 * Any other name is given endpoints of its own where that is wanted; where only what is there is meant,
 * a pattern answers for it, by the rules of the version. An address that shares its certificate with
 * others is given a block of its own in the same way.
 */
#include "adapter.h"

#include <string.h>
#include <strings.h>

typedef int use_function(void *user, const struct certdeploy_endpoint *endpoint);

/* The endpoints by what they are asked for: a batch asks for thousands of names. */
struct dovecot_served {
	struct dovecot_table by_name;   /* name -> struct dovecot_vector */
	struct dovecot_vector nameless; /* defaults */
	struct dovecot_vector patterns; /* of names, with lines of their own */
};

static int add_served(struct dovecot_served *served, struct certdeploy_reading *reading,
		      const struct certdeploy_endpoint *endpoint)
{
	const struct dovecot_place *place = endpoint->own;
	void *item = (void *)(uintptr_t)endpoint;
	struct dovecot_vector *named;

	if (place->name == NULL)
		return dovecot_vector_add(&served->nameless, reading, item);
	if (place->own && strpbrk(place->name, "*?") != NULL &&
	    dovecot_vector_add(&served->patterns, reading, item) != 0)
		return CERTDEPLOY_ENOMEM;
	named = dovecot_table_get(&served->by_name, place->name, strlen(place->name));
	if (named == NULL) {
		named = certdeploy_alloc(reading, sizeof(*named));
		if (named == NULL || dovecot_table_put(&served->by_name, reading, place->name,
						       strlen(place->name), named) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return dovecot_vector_add(named, reading, item);
}

/* NULL: there is no memory for it. */
static const struct dovecot_served *served_by(struct certdeploy_reading *reading)
{
	struct dovecot_model *model = certdeploy_model(reading);
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(reading, &count);
	struct dovecot_served *served = model->served;

	if (served != NULL)
		return served;
	served = certdeploy_alloc(reading, sizeof(*served));
	for (size_t i = 0; served != NULL && i < count; i++)
		if (add_served(served, reading, all[i]) != 0)
			served = NULL;
	model->served = served;
	return served;
}

/* The endpoints that bear a name. */
static const struct dovecot_vector *bearers(const struct dovecot_served *served, const char *name)
{
	static const struct dovecot_vector none = {0};
	const struct dovecot_vector *found = dovecot_table_get(&served->by_name, name, strlen(name));

	return found == NULL ? &none : found;
}

/* Does an address's block end the connections that ask for the name there, and there only? */
static bool ends_there(const struct certdeploy_endpoint *endpoint)
{
	const struct dovecot_place *place = endpoint->own;

	return place->effective.conflict[0] != NULL && place->context->local != NULL;
}

/* What is hidden at an address comes to light with the rest, or not at all. */
static bool is_hidden(const struct certdeploy_endpoint *endpoint)
{
	return ((const struct dovecot_place *)endpoint->own)->hidden;
}

/*
 * Where the name is served, an address that ends those who ask for it is no reason not to renew it: nobody
 * is served anything there, before or after.
 */
static int use_named(struct certdeploy_reading *reading, const struct dovecot_vector *named,
		     use_function *use, void *user, bool *found)
{
	const struct certdeploy_endpoint *left_out = NULL;
	bool served = false;
	int result = 0;

	for (size_t i = 0; i < named->count; i++) {
		const struct certdeploy_endpoint *endpoint = named->items[i];

		served = served || (!is_hidden(endpoint) && endpoint->tls && endpoint->untouchable == NULL);
	}
	for (size_t i = 0; i < named->count && result == 0; i++) {
		const struct certdeploy_endpoint *endpoint = named->items[i];

		if (is_hidden(endpoint))
			continue;
		*found = true;
		if (served && ends_there(endpoint))
			left_out = endpoint;
		else
			result = use(user, endpoint);
	}
	if (result == 0 && left_out != NULL)
		certdeploy_report(reading, CERTDEPLOY_WARNING, left_out->untouchable, left_out->file,
				  left_out->line, "%s: %s", left_out->name, left_out->note);
	return result;
}

static int use_default(const struct dovecot_served *served, use_function *use, void *user)
{
	int result = 0;

	for (size_t i = 0; i < served->nameless.count && result == 0; i++)
		result = use(user, served->nameless.items[i]);
	return result;
}

/* A pattern's endpoint answers if its value is the one that a client asking for the name gets. */
static int use_patterns(const struct dovecot_model *model, const char *name, use_function *use, void *user)
{
	const struct dovecot_vector *patterns = &model->served->patterns;
	int result = 0;

	for (size_t i = 0; i < patterns->count && result == 0; i++) {
		const struct certdeploy_endpoint *endpoint = patterns->items[i];
		const struct dovecot_place *place = endpoint->own;
		struct dovecot_effective effective;

		if (!dovecot_name_matches(place->name, name))
			continue;
		if (dovecot_effective(&effective, model, place->context, name) != 0)
			return CERTDEPLOY_ENOMEM;
		if (effective.values[DOVECOT_CERT] == place->effective.values[DOVECOT_CERT])
			result = use(user, endpoint);
	}
	return result;
}

/* Does one of them stand for the place's listener? */
static bool is_known(const struct dovecot_vector *named, const struct dovecot_place *place)
{
	for (size_t i = 0; i < named->count; i++) {
		const struct certdeploy_endpoint *endpoint = named->items[i];
		const struct dovecot_place *other = endpoint->own;

		if (other->listener == place->listener && other->context == place->context)
			return true;
	}
	return false;
}

/* A new endpoint for the name beside every default one that is not about one address only. */
static int use_new(struct dovecot_model *model, const char *name, use_function *use, void *user)
{
	const struct dovecot_vector *nameless = &model->served->nameless;
	const struct dovecot_vector *named = bearers(model->served, name);
	struct certdeploy_reading *reading = model->reading;
	int result = 0;

	for (size_t i = 0; i < nameless->count && result == 0; i++) {
		const struct certdeploy_endpoint *beside = nameless->items[i];
		const struct dovecot_place *place = beside->own;
		struct certdeploy_endpoint *endpoint;
		struct dovecot_place *made;

		if (!place->context->by_name ||
		    (place->context->local != NULL && place->listener->address == NULL) ||
		    is_known(named, place))
			continue;
		made = certdeploy_alloc(reading, sizeof(*made));
		endpoint = certdeploy_alloc(reading, sizeof(*endpoint));
		if (made == NULL || endpoint == NULL)
			return CERTDEPLOY_ENOMEM;
		made->listener = place->listener;
		made->context = place->context;
		made->name = name;
		dovecot_find_home(made, dovecot_find_name(model, name));
		if (dovecot_effective(&made->effective, model, made->context, name) != 0 ||
		    dovecot_make_endpoint(endpoint, model, made) != 0)
			return CERTDEPLOY_ENOMEM;
		endpoint->absent = true;
		result = use(user, endpoint);
	}
	return result;
}

/* The same pointer each time that the same name is asked for: it is the decider. */
static const char *keep_name(struct certdeploy_reading *reading, const char *hostname)
{
	struct dovecot_model *model = certdeploy_model(reading);
	char *name = certdeploy_copy(reading, hostname, strlen(hostname)), *kept;

	if (name == NULL)
		return NULL;
	for (char *at = name; *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	kept = dovecot_table_get(&model->asked, name, strlen(name));
	if (kept != NULL)
		return kept;
	return dovecot_table_put(&model->asked, reading, name, strlen(name), name) == 0 ? name : NULL;
}

/* Without a default certificate Dovecot starts no TLS at all, not for a name either. */
static int check_default(const struct dovecot_model *model)
{
	const struct dovecot_vector *nameless = &model->served->nameless;
	const struct certdeploy_endpoint *without = NULL;

	for (size_t i = 0; i < nameless->count; i++) {
		const struct certdeploy_endpoint *endpoint = nameless->items[i];
		const struct dovecot_place *place = endpoint->own;
		const struct dovecot_value *certificate = place->effective.values[DOVECOT_CERT];

		if (!endpoint->tls)
			continue;
		if (certificate != NULL && certificate->text[0] != '\0')
			return 0;
		without = endpoint;
	}
	return without == NULL
		       ? 0
		       : certdeploy_refuse(model->reading, "tls-off", without->file, without->line,
					   _("%s has no default certificate: without one Dovecot serves no "
					     "name either"),
					   without->listen);
}

int dovecot_answers(struct certdeploy_reading *reading, const char *hostname, bool create,
		    int (*use)(void *user, const struct certdeploy_endpoint *endpoint), void *user)
{
	struct dovecot_model *model = certdeploy_model(reading);
	const char *own = dovecot_setting(model, "hostname");
	const char *name = keep_name(reading, hostname);
	const struct dovecot_served *served = served_by(reading);
	bool found = false;
	int result;

	if (name == NULL || served == NULL)
		return CERTDEPLOY_ENOMEM;
	result = use_named(reading, bearers(served, name), use, user, &found);
	if (result != 0)
		return result;
	if (!found && own != NULL && strcasecmp(own, name) == 0)
		return use_default(served, use, user);
	if (create) {
		result = check_default(model);
		return result != 0 ? result : use_new(model, name, use, user);
	}
	return found ? 0 : use_patterns(model, name, use, user);
}

/* ---- addresses ---- */

/* Do the lines that decide the endpoint decide about another address as well? */
static bool is_shared(struct certdeploy_reading *reading, const struct certdeploy_endpoint *endpoint)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(reading, &count);

	for (size_t i = 0; i < count; i++)
		if (all[i]->decider == endpoint->decider && all[i]->tls &&
		    (all[i]->address == NULL || strcmp(all[i]->address, endpoint->address) != 0))
			return true;
	return false;
}

/* The default endpoint of the listener on the address, where the configuration has one; or NULL. */
static const struct certdeploy_endpoint *endpoint_at(struct certdeploy_reading *reading,
						     const struct dovecot_listener *listener,
						     const struct dovecot_net *net)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(reading, &count);

	for (size_t i = 0; i < count; i++) {
		const struct dovecot_place *place = all[i]->own;

		if (all[i]->name == NULL && place->listener == listener &&
		    dovecot_same_net(place->context->local, net))
			return all[i];
	}
	return NULL;
}

/* The filter of the address and of nothing else, or NULL. */
static struct dovecot_filter *filter_at(const struct dovecot_model *model, const struct dovecot_net *net)
{
	for (size_t i = 0; i < model->filters.count; i++) {
		struct dovecot_filter *filter = model->filters.items[i];

		if (dovecot_same_net(&filter->local, net) && filter->local_name == NULL &&
		    filter->protocol == NULL && filter->service == NULL && filter->remote.bits == 0 &&
		    (filter->parent == NULL || filter->parent == model->root))
			return filter;
	}
	return NULL;
}

/* Connections to the address, as they are served before it has a block. */
static const struct dovecot_context *context_at(struct dovecot_model *model,
						const struct dovecot_listener *listener,
						const struct dovecot_net *net)
{
	struct dovecot_context *context = certdeploy_alloc(model->reading, sizeof(*context));

	if (context == NULL ||
	    dovecot_context(context, model, listener->protocol, listener->service, net, NULL) != 0 ||
	    dovecot_vector_add(&model->contexts, model->reading, context) != 0)
		return NULL;
	return context;
}

static int use_at(struct dovecot_model *model, const struct dovecot_listener *listener,
		  const struct dovecot_net *net, use_function *use, void *user)
{
	const struct certdeploy_endpoint *there = endpoint_at(model->reading, listener, net);
	struct certdeploy_endpoint *endpoint;
	struct dovecot_place *made;

	if (there != NULL && ((const struct dovecot_place *)there->own)->own &&
	    !is_shared(model->reading, there))
		return use(user, there);
	made = certdeploy_alloc(model->reading, sizeof(*made));
	endpoint = certdeploy_alloc(model->reading, sizeof(*endpoint));
	if (made == NULL || endpoint == NULL)
		return CERTDEPLOY_ENOMEM;
	made->listener = listener;
	made->address = net;
	made->filter = filter_at(model, net);
	made->context = there != NULL ? ((const struct dovecot_place *)there->own)->context
				      : context_at(model, listener, net);
	if (made->context == NULL || dovecot_effective(&made->effective, model, made->context, NULL) != 0 ||
	    dovecot_make_endpoint(endpoint, model, made) != 0)
		return CERTDEPLOY_ENOMEM;
	endpoint->absent = there == NULL;
	return use(user, endpoint);
}

/* Does a listener accept connections to the address? */
static bool listens_on(const struct dovecot_listener *listener, const struct dovecot_net *net)
{
	if (!listener->by_address)
		return false;
	if (listener->address == NULL || listener->net.bits == 0)
		return net->v6 ? listener->v6 : listener->v4;
	return dovecot_same_net(&listener->net, net);
}

int dovecot_answers_address(struct certdeploy_reading *reading, const char *address, uint16_t port,
			    int (*use)(void *user, const struct certdeploy_endpoint *endpoint), void *user)
{
	struct dovecot_model *model = certdeploy_model(reading);
	struct dovecot_net *net = certdeploy_alloc(reading, sizeof(*net));
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(reading, &count);
	int result = 0;

	if (net == NULL)
		return CERTDEPLOY_ENOMEM;
	if (!dovecot_parse_net(net, address))
		return 0;
	for (size_t i = 0; i < count && result == 0; i++) {
		const struct dovecot_place *place = all[i]->own;
		const struct dovecot_listener *listener = place->listener;

		/* One default endpoint of every listener stands for it. */
		if (all[i]->name != NULL || (listener->net.bits == 0 && place->context->local != NULL) ||
		    (port != 0 && listener->port != port) || !listens_on(listener, net))
			continue;
		result = use_at(model, listener, net, use, user);
	}
	return result;
}
