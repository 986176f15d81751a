/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listeners.c - every listener of smtpd as an endpoint
 *
 * A row `inet … smtpd` is a listener. A row `inet … postscreen` is one too: clients on trial are served
 * TLS by tlsproxy, the others by the row `pass … smtpd`, on the same port.
 */
#include "postfix.h"

/* ---- which rows are in force ---- */

static bool service_matches(const char *pattern, const char *name, const char *type)
{
	const char *slash = strchr(pattern, '/');
	size_t length;

	if (slash == NULL)
		slash = strrchr(pattern, '.'); /* name.type: the old spelling */
	if (slash == NULL)
		return strcasecmp(pattern, type) == 0;
	length = (size_t)(slash - pattern);
	return strlen(name) == length && strncasecmp(pattern, name, length) == 0 &&
	       strcasecmp(slash + 1, type) == 0;
}

static int disable_rows(struct postfix_model *model)
{
	const char *text;
	const char *const *patterns;
	int result = postfix_value(&text, model, NULL, "master_service_disable");

	if (result == 0)
		result = postfix_split_list(&patterns, model->reading, text, false);
	for (size_t i = 0; result == 0 && i < model->master.count; i++) {
		struct postfix_row *row = &model->master.rows[i];

		for (size_t j = 0; patterns[j] != NULL; j++) {
			const char *pattern = patterns[j] + strspn(patterns[j], "!");

			if (!service_matches(pattern, row->name, row->type))
				continue;
			row->disabled = (pattern - patterns[j]) % 2 == 0;
			break;
		}
	}
	return result;
}

/* What Postfix knows a service by: ports by number, hosts in brackets. */
static const char *canonical(struct postfix_model *model, const struct postfix_row *row)
{
	const char *host, *port;
	uint16_t number;

	if (strcmp(row->type, "inet") != 0)
		return certdeploy_format(model->reading, "%s/%s", row->name, row->type);
	if (postfix_host_port(model->reading, row->name, &host, &port) != 0)
		return NULL;
	number = postfix_port(port, model->known_ports);
	if (number == 0)
		return certdeploy_format(model->reading, "%s/inet", row->name);
	return certdeploy_format(model->reading, "[%s]:%u/inet", host == NULL ? "" : host, number);
}

/* Of two rows for one service the later counts. */
static int drop_replaced_rows(struct postfix_model *model)
{
	struct postfix_table seen = {0};
	int result = 0;

	for (size_t i = model->master.count; result == 0 && i > 0; i--) {
		struct postfix_row *row = &model->master.rows[i - 1];
		const char *name = row->disabled ? "" : canonical(model, row);

		if (name == NULL)
			return CERTDEPLOY_ENOMEM;
		if (row->disabled)
			continue;
		row->disabled = postfix_table_get(&seen, name) != NULL;
		if (!row->disabled)
			result = postfix_table_put(&seen, model->reading, name, row);
	}
	return result;
}

/* ---- is TLS on ---- */

static bool in_words(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcasecmp(word, *words) == 0)
			return true;
	return false;
}

/* What is not to be said in the answer to EHLO is not done, either. */
static int keeps_back_starttls(bool *out, struct postfix_model *model, const struct postfix_row *row,
			       const char *prefix)
{
	const char *name = certdeploy_format(model->reading, "%s_discard_ehlo_keywords", prefix);
	const char *text, *const *words;
	int result = name == NULL ? CERTDEPLOY_ENOMEM : postfix_value(&text, model, row, name);

	*out = false;
	if (result == 0)
		result = postfix_split_list(&words, model->reading, text, false);
	if (result == 0)
		*out = in_words("starttls", words);
	return result;
}

static int level_is_on(bool *out, struct postfix_model *model, const struct postfix_row *row,
		       const char *prefix)
{
	static const char *const on[] = {"may", "encrypt", "secure", "verify", "fingerprint", NULL};
	const char *level_name = certdeploy_format(model->reading, "%s_tls_security_level", prefix);
	const char *use_name = certdeploy_format(model->reading, "%s_use_tls", prefix);
	const char *enforce_name = certdeploy_format(model->reading, "%s_enforce_tls", prefix);
	const char *level;
	struct postfix_value value;
	bool use = false, enforce = false;
	int result;

	*out = false;
	if (level_name == NULL || use_name == NULL || enforce_name == NULL)
		return CERTDEPLOY_ENOMEM;
	result = postfix_value(&level, model, row, level_name);
	if (result != 0)
		return result;
	if (*level != '\0') {
		*out = in_words(level, on);
		if (*out || strcasecmp(level, "none") == 0)
			return 0;
		postfix_lookup(&value, model, row, level_name);
		return certdeploy_refuse(
			model->reading, "config-syntax",
			value.line == NULL ? model->main_path
					   : certdeploy_document_path(value.line->document),
			value.line == NULL ? 0 : postfix_line_number(value.line, value.span.start),
			_("\"%s\" is no level for %s"), level, level_name);
	}
	result = postfix_flag(&use, model, row, use_name);
	if (result == 0)
		result = postfix_flag(&enforce, model, row, enforce_name);
	*out = use || enforce;
	return result;
}

static int tls_is_on(bool *out, struct postfix_model *model, const struct postfix_row *row,
		     const char *prefix)
{
	bool kept_back = false;
	int result = level_is_on(out, model, row, prefix);

	if (result == 0 && *out)
		result = keeps_back_starttls(&kept_back, model, row, prefix);
	*out = *out && !kept_back;
	return result;
}

/* ---- endpoints ---- */

/* smtpd does not take an argument that is no option: it ends whenever a client comes. */
static int forbid_stray(struct certdeploy_endpoint *endpoint, struct postfix_model *model,
			const struct postfix_row *row)
{
	if (row->stray == NULL)
		return 0;
	endpoint->untouchable = "config-syntax";
	endpoint->file = certdeploy_document_path(row->line->document);
	endpoint->line = row->stray_line;
	endpoint->note = certdeploy_format(model->reading,
					   _("%s ends with an error whenever a client comes: it does not "
					     "take the argument \"%s\""),
					   row->command, row->stray);
	return endpoint->note == NULL ? CERTDEPLOY_ENOMEM : 0;
}

/* What speaks first on this port expects a proxy that says who the client is. */
static int is_proxied(bool *out, struct postfix_model *model, const struct postfix_row *listener)
{
	bool screen = strcmp(listener->command, "postscreen") == 0;
	const char *protocol;
	int result = postfix_value(&protocol, model, listener,
				   screen ? "postscreen_upstream_proxy_protocol"
					  : "smtpd_upstream_proxy_protocol");

	*out = result == 0 && *protocol != '\0';
	return result;
}

/*
 * A row with a certificate of its own may go by another name (-o myhostname), as panels write them for an
 * address. One that serves main.cf's goes with all that do.
 */
static int server_name(const char **out, struct postfix_model *model, const struct postfix_row *row,
		       const struct postfix_source *source)
{
	int result = 0;

	*out = "";
	if (source->row != NULL && !source->inherits)
		result = postfix_value(out, model, row, "myhostname");
	if (**out == '\0')
		*out = model->hostname;
	return result;
}

/*
 * What the source's lines name for this row: main.cf's values may refer to what the row's options set, or
 * to $service_name.
 */
static int show_pairs(struct certdeploy_endpoint *endpoint, struct postfix_model *model,
		      struct postfix_source *source, struct postfix_row *row)
{
	struct postfix_source seen = {.row = row, .prefix = source->prefix};
	int result = postfix_source_evaluate(model, source);

	if (result == 0 && source->row == NULL)
		result = postfix_source_evaluate(model, &seen);
	else
		seen.pairs = source->pairs;
	endpoint->pairs = seen.pairs.shown;
	endpoint->pair_count = seen.pairs.count;
	return result;
}

static int add_endpoint(struct postfix_model *model, struct postfix_row *listener,
			struct postfix_row *server, struct postfix_source *source, bool tls, bool wrapper)
{
	struct postfix_endpoint *own = certdeploy_alloc(model->reading, sizeof(*own));
	const char *host, *port, *const *addresses = NULL;
	size_t count = 0;
	struct certdeploy_endpoint endpoint = {.is_default = true, .tls = tls};
	int result = postfix_host_port(model->reading, listener->name, &host, &port);

	if (own == NULL)
		return CERTDEPLOY_ENOMEM;
	if (result == 0)
		result = show_pairs(&endpoint, model, source, server);
	if (result == 0)
		result = postfix_addresses(&addresses, &count, model, host);
	if (result == 0)
		result = is_proxied(&endpoint.proxied, model, listener);
	if (result == 0)
		result = server_name(&endpoint.server_name, model, server, source);
	*own = (struct postfix_endpoint){.source = source, .row = server};
	endpoint.own = own;
	/* Clients that passed postscreen are served by another row, on the same port. */
	endpoint.listen = strcmp(server->type, "pass") == 0
				  ? certdeploy_format(model->reading, "%s/pass", server->name)
				  : certdeploy_format(model->reading, "%s/inet", listener->name);
	endpoint.port = postfix_port(port, model->known_ports);
	endpoint.protocol = endpoint.port == 587 || strcmp(port, "submission") == 0 ? "submission" : "smtp";
	endpoint.start = wrapper ? CERTDEPLOY_START_IMPLICIT : CERTDEPLOY_START_SMTP;
	if (wrapper)
		endpoint.protocol = "smtps";
	endpoint.file = certdeploy_document_path(server->line->document);
	endpoint.line = server->line->number;
	endpoint.decider = source;
	endpoint.inherited = source->inherits;
	if (endpoint.listen == NULL)
		return CERTDEPLOY_ENOMEM;
	if (result == 0)
		result = forbid_stray(&endpoint, model, server);
	if (result == 0 && endpoint.untouchable == NULL)
		result = forbid_stray(&endpoint, model, listener);
	for (size_t i = 0; result == 0 && i < count; i++) {
		endpoint.address = addresses[i];
		result = certdeploy_add_endpoint(model->reading, &endpoint);
		if (result == 0 && tls)
			result = postfix_names_read(model, &endpoint);
	}
	return result;
}

/* "10.0.0.2:smtp": such a row can be given a certificate of its own. */
static bool of_one_address(const struct postfix_row *row)
{
	return strchr(row->name, ':') != NULL && row->name[0] != ':';
}

static int add_smtpd(struct postfix_model *model, struct postfix_row *listener, struct postfix_row *row)
{
	struct postfix_source *source;
	bool wrapper = false, tls = false;
	int result = postfix_flag(&wrapper, model, row, "smtpd_tls_wrappermode");

	if (result == 0 && !wrapper)
		result = tls_is_on(&tls, model, row, "smtpd");
	if (result == 0)
		result = postfix_source_of(&source, model, row, false);
	if (result == 0 && source->row == NULL && row == listener && of_one_address(row)) {
		source = postfix_row_source(model, row, "smtpd_tls_");
		if (source == NULL)
			return CERTDEPLOY_ENOMEM;
		source->inherits = true;
	}
	return result != 0 ? result : add_endpoint(model, listener, row, source, tls || wrapper, wrapper);
}

static int add_postscreen(struct postfix_model *model, struct postfix_row *row)
{
	struct postfix_row *proxy, *pass;
	struct postfix_source *on_trial, *passed = NULL;
	const char *name;
	bool tls = false;
	int result = postfix_value(&name, model, row, "tlsproxy_service_name");

	if (result != 0)
		return result;
	proxy = postfix_master_row(&model->master, name, "unix");
	result = postfix_value(&name, model, row, "smtpd_service_name");
	if (result == 0)
		result = tls_is_on(&tls, model, row, "postscreen");
	if (result == 0)
		result = postfix_source_of(&on_trial, model, proxy, true);
	if (result != 0)
		return result;
	pass = postfix_master_row(&model->master, name, "pass");
	if (pass != NULL && strcmp(pass->command, "smtpd") == 0)
		result = postfix_source_of(&passed, model, pass, false);
	if (result == 0 && (passed == NULL || passed != on_trial))
		result = add_endpoint(model, row, proxy == NULL ? row : proxy, on_trial,
				      tls && proxy != NULL, false);
	if (result == 0 && passed != NULL)
		result = add_smtpd(model, row, pass);
	return result;
}

int postfix_listeners_read(struct postfix_model *model)
{
	int result = disable_rows(model);

	model->known_ports = "";
	if (result == 0 && model->release >= 306)
		result = postfix_value(&model->known_ports, model, NULL, "known_tcp_ports");
	if (result == 0)
		result = drop_replaced_rows(model);
	for (size_t i = 0; result == 0 && i < model->master.count; i++) {
		struct postfix_row *row = &model->master.rows[i];

		if (row->disabled || strcmp(row->type, "inet") != 0)
			continue;
		if (strcmp(row->command, "smtpd") == 0)
			result = add_smtpd(model, row, row);
		else if (strcmp(row->command, "postscreen") == 0)
			result = add_postscreen(model, row);
	}
	return result;
}
