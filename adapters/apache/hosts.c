/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hosts.c - which virtual host answers for which name, and with which certificate
 *
 * Within a set the first virtual host in reading order that has the name answers, an earlier wildcard
 * before a later exact name; the first of all where none has it.
 */
#include "adapter.h"

#include <string.h>

/* ---- TLS or not ---- */

static bool has_tls(const struct apache_model *model, const struct apache_host *host)
{
	uint8_t engine = host->engine != APACHE_ENGINE_UNSET ? host->engine : model->main.engine;
	uint8_t protocol = host->protocol != 0 ? host->protocol : model->main.protocol;

	if (engine != APACHE_ENGINE_UNSET)
		return engine == APACHE_ENGINE_ON;
	if (host->pair_count == 0)
		return false;
	if (protocol != 0)
		return protocol == 1;
	/* One without a core configuration of its own has the main server's, whose protocol is http. */
	return host->of_core && apache_host_listens_https(model, host);
}

/* ---- names ---- */

/*
 * Names of one set that have been seen so far. Wildcards of the forms *REST and REST* are found by
 * their REST, at every length of one that there is; any other one by one.
 */
struct names {
	struct apache_seen exact;
	struct apache_seen suffixes;
	struct apache_seen prefixes;
	bool odd_suffixes; /* one that does not begin with a dot */
	bool odd_prefixes;
	const char **others;
	size_t other_count;
	size_t other_room;
};

/* *fresh: it was not known. */
static int learn(struct certdeploy_reading *reading, struct apache_seen *seen, const char *text,
		 size_t length, bool *fresh)
{
	*fresh = apache_seen_find(seen, text, length) == NULL;
	return *fresh ? apache_seen_add(reading, seen, text, length) : 0;
}

static int learn_pattern(struct certdeploy_reading *reading, struct names *names, const char *pattern)
{
	size_t length = strlen(pattern), stars = 0;
	bool fresh;

	for (const char *at = pattern; *at != '\0'; at++)
		stars += *at == '*' || *at == '?';
	if (stars == 1 && pattern[0] == '*' && length > 1) {
		names->odd_suffixes = names->odd_suffixes || pattern[1] != '.';
		return learn(reading, &names->suffixes, pattern + 1, length - 1, &fresh);
	}
	if (stars == 1 && pattern[length - 1] == '*' && length > 1) {
		names->odd_prefixes = names->odd_prefixes || pattern[length - 2] != '.';
		return learn(reading, &names->prefixes, pattern, length - 1, &fresh);
	}
	if (names->other_count == names->other_room) {
		size_t room = names->other_room == 0 ? 8 : names->other_room * 2;
		const char **larger = certdeploy_alloc(reading, room * sizeof(*larger));

		if (larger == NULL)
			return CERTDEPLOY_ENOMEM;
		if (names->other_count != 0)
			memcpy(larger, names->others, names->other_count * sizeof(*larger));
		names->others = larger;
		names->other_room = room;
	}
	names->others[names->other_count++] = pattern;
	return 0;
}

/* Whether a wildcard that came before answers for it. A pattern only counts as text here. */
static bool is_covered(const struct names *names, const char *name, bool pattern)
{
	size_t length = strlen(name);

	for (size_t i = 0; names->suffixes.count != 0 && i < length; i++)
		if ((names->odd_suffixes || name[i] == '.') &&
		    apache_seen_find(&names->suffixes, name + i, length - i) != NULL)
			return true;
	for (size_t i = 1; names->prefixes.count != 0 && i <= length; i++)
		if ((names->odd_prefixes || name[i - 1] == '.') &&
		    apache_seen_find(&names->prefixes, name, i) != NULL)
			return true;
	for (size_t i = 0; i < names->other_count; i++)
		if (pattern ? strcmp(names->others[i], name) == 0 || strcmp(names->others[i], "*") == 0
			    : apache_alias_matches(names->others[i], name))
			return true;
	return false;
}

static bool is_lower(const char *text)
{
	while (*text != '\0' && (*text < 'A' || *text > 'Z'))
		text++;
	return *text == '\0';
}

/* In lower case; NULL with *result 0 for what no client can ask for. */
static const char *in_lower_case(struct certdeploy_reading *reading, const struct apache_name *name,
				 int *result)
{
	char *copy;

	if (name->length == 0 || memchr(name->text, ':', name->length) != NULL)
		return NULL;
	if (is_lower(name->text))
		return name->text;
	copy = certdeploy_copy(reading, name->text, name->length);
	if (copy == NULL)
		*result = CERTDEPLOY_ENOMEM;
	for (char *at = copy; at != NULL && *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at + ('a' - 'A'));
	return copy;
}

/* ---- endpoints ---- */

/* What httpd calls a host whose address has no name. */
static const char unknown_name[] = "bogus_host_without_reverse_dns";

/* Its name is what the resolver says of its address, and that is not asked for. */
static bool is_unknown(const struct apache_answer *answer)
{
	const struct apache_host *host = answer->host;
	/* The set may be of the reading before, the host of the one after it. */
	const struct apache_host *first = answer->set == NULL ? host : answer->set->first->host;

	return host->server_name == NULL && host->aliases == NULL && first != host && first->after != host;
}

/* What keeps a virtual host's certificate from being edited. */
static void judge(struct apache_model *model, struct certdeploy_endpoint *endpoint,
		  const struct apache_answer *answer)
{
	const struct apache_host *host = answer->serves;
	const struct apache_confcmd *confcmd = host->confcmd != NULL ? host->confcmd : model->main.confcmd;
	const struct apache_use *use = apache_macro_of(host);
	const struct apache_ref *doubtful = apache_doubtful_ref(model, host);

	if (answer->host != answer->serves && !answer->host->tls) {
		endpoint->untouchable = "tls-off";
		endpoint->note = _("its virtual host has SSLEngine off, so that the default host's "
				   "certificate is served");
	} else if (is_unknown(answer)) {
		endpoint->untouchable = "config-not-understood";
		endpoint->note =
			_("it has no ServerName, so that its name is what the DNS says of its address");
	} else if (host->managed) {
		endpoint->untouchable = "managed-elsewhere";
		endpoint->note = _("its certificate is managed by mod_md");
	} else if (use != NULL) {
		endpoint->untouchable = "config-not-understood";
		endpoint->file = use->file;
		endpoint->line = use->line;
		endpoint->note = certdeploy_format(
			model->reading,
			host->use != NULL ? _("it is made by the macro used in %s:%zu")
					  : _("its certificate is configured by the macro used in %s:%zu"),
			use->file == NULL ? "?" : use->file, use->line);
	} else if (confcmd != NULL) {
		endpoint->untouchable = "config-not-understood";
		endpoint->note = certdeploy_format(
			model->reading, _("SSLOpenSSLConfCmd in %s:%u names its certificate or key"),
			confcmd->file, (unsigned)confcmd->line);
	} else if (doubtful != NULL) {
		endpoint->untouchable = "config-not-understood";
		endpoint->note = certdeploy_format(
			model->reading,
			_("the path in line %u has a variable whose value only a shell can tell (%s:%zu)"),
			(unsigned)doubtful->number, doubtful->doubt->file, doubtful->doubt->line);
	} else if (host->crossed) {
		endpoint->untouchable = "config-not-understood";
		endpoint->note =
			_("a key here belongs to a certificate of another key type than the one it "
			  "stands with");
	} else if (apache_has_stray_key(model, host)) {
		endpoint->untouchable = "config-not-understood";
		endpoint->note =
			_("it has more keys than certificates: which belong together cannot be told");
	}
	for (size_t i = 0; endpoint->untouchable == NULL && i < host->pair_count; i++)
		if (strncmp(host->pairs[i].key, "pkcs11:", 7) == 0 ||
		    strncmp(host->pairs[i].certificate, "pkcs11:", 7) == 0) {
			endpoint->untouchable = "config-not-understood";
			endpoint->note = _("its key is kept in a PKCS#11 token");
		}
}

/* What an endpoint has from the virtual host behind it. */
static void describe(struct apache_model *model, struct certdeploy_endpoint *endpoint,
		     const struct apache_answer *answer)
{
	const struct apache_host *host = answer->serves;

	endpoint->pairs = host->pairs;
	endpoint->pair_count = host->pair_count;
	endpoint->file = host->use != NULL ? host->use->file : host->file->path;
	endpoint->line = host->line;
	endpoint->decider = host;
	endpoint->inherited =
		host != &model->main && host->counts[APACHE_CERTIFICATE] == 0 && host->pair_count != 0;
	endpoint->own = answer;
	endpoint->untouchable = NULL;
	endpoint->note = NULL;
	judge(model, endpoint, answer);
}

/*
 * name NULL: the default, an endpoint for each address that leads to it, so that each is known and
 * proven. A name has one for each port.
 */
static int add_endpoint(struct apache_model *model, const struct apache_reach *reach, const char *listen,
			const struct apache_answer *answer, const char *name)
{
	struct apache_host *host = answer->serves;
	struct certdeploy_endpoint endpoint = {
		.name = name,
		.listen = listen,
		.protocol = "https",
		.start = CERTDEPLOY_START_IMPLICIT,
		.is_default = name == NULL,
		.tls = answer->set == NULL || answer->set->tls,
		.unseen = name != NULL && is_unknown(answer),
	};
	int result = 0;

	describe(model, &endpoint, answer);
	if (name == NULL && host->server_name != NULL) {
		endpoint.server_name = in_lower_case(model->reading, host->server_name, &result);
		if (result != 0)
			return result;
	}
	host->live = true;
	answer->host->live = true;
	for (; result == 0 && reach != NULL; reach = reach->next) {
		if (name != NULL && !reach->first)
			continue;
		endpoint.address = reach->address;
		endpoint.port = reach->port;
		endpoint.proxied = apache_is_proxied(model, reach->address, reach->port);
		result = certdeploy_add_endpoint(model->reading, &endpoint);
	}
	return result;
}

/* In lower case. Unless a host before answers for it. */
static int add_text(struct apache_model *model, const struct apache_reach *reach, struct names *names,
		    const struct apache_answer *answer, const char *text, bool pattern)
{
	bool fresh;
	/* Patterns too: twice the same is once. */
	int result = learn(model->reading, &names->exact, text, strlen(text), &fresh);

	if (result != 0 || !fresh || is_covered(names, text, pattern))
		return result;
	return add_endpoint(model, reach, answer->set->listen, answer, text);
}

/* One name of a virtual host. */
static int add_name(struct apache_model *model, const struct apache_reach *reach, struct names *names,
		    const struct apache_answer *answer, const struct apache_name *name)
{
	int result = 0;
	const char *text = in_lower_case(model->reading, name, &result);

	return text == NULL ? result : add_text(model, reach, names, answer, text, name->pattern);
}

static int add_own_name(struct apache_model *model, const struct apache_reach *reach, struct names *names,
			const struct apache_answer *answer)
{
	const struct apache_name *name = answer->host->server_name;

	return name == NULL ? 0 : add_name(model, reach, names, answer, name);
}

/* The names of one virtual host. Its own wildcards do not hide its own names. */
static int add_names(struct apache_model *model, const struct apache_reach *reach, struct names *names,
		     const struct apache_answer *answer)
{
	const struct apache_host *host = answer->host;
	int result = is_unknown(answer) ? add_text(model, reach, names, answer, unknown_name, false)
					: add_own_name(model, reach, names, answer);

	for (const struct apache_name *name = host->aliases; result == 0 && name != NULL; name = name->next)
		result = add_name(model, reach, names, answer, name);
	for (const struct apache_name *name = host->aliases; result == 0 && name != NULL;
	     name = name->next) {
		const char *text = name->pattern ? in_lower_case(model->reading, name, &result) : NULL;

		if (text != NULL)
			result = learn_pattern(model->reading, names, text);
	}
	return result;
}

static struct apache_answer *new_answer(struct apache_model *model, const struct apache_set *set,
					struct apache_host *host, struct apache_host *serves)
{
	struct apache_answer *answer = certdeploy_alloc(model->reading, sizeof(*answer));

	if (answer != NULL)
		*answer = (struct apache_answer){set, host, serves};
	return answer;
}

static int add_set(struct apache_model *model, struct apache_set *set)
{
	struct apache_host *first = set->first->host;
	struct names names = {0};
	struct apache_reach *reach;
	int result = apache_set_reach(&reach, model, set);

	set->tls = first->tls;
	if (result != 0 || reach == NULL)
		return result;
	/* The names of most hosts: their own, with and without www., and another. */
	result = set->tls ? apache_seen_expect(model->reading, &names.exact, set->count * 3) : 0;
	if (result != 0)
		return result;
	for (const struct apache_member *member = set->first; member != NULL; member = member->next) {
		struct apache_host *host = member->host;
		struct apache_answer *answer;

		/* Where plain HTTP is spoken, only what was meant for TLS is worth a word. */
		if (!set->tls && !host->tls)
			continue;
		answer = new_answer(model, set, host, host->tls ? host : first);
		if (answer == NULL)
			return CERTDEPLOY_ENOMEM;
		if (set->tls && host == first)
			result = add_endpoint(model, reach, set->listen, answer, NULL);
		if (result == 0)
			result = add_names(model, reach, &names, answer);
		if (result != 0)
			return result;
	}
	return 0;
}

/* The main server answers where no set does. */
static int add_main(struct apache_model *model)
{
	struct apache_host *main = &model->main;
	struct apache_answer *answer;
	struct apache_reach *reach;
	const char *name = NULL;
	int result;

	if (!main->tls)
		return 0;
	result = apache_set_reach(&reach, model, NULL);
	if (result != 0 || reach == NULL)
		return result;
	answer = new_answer(model, NULL, main, main);
	if (answer == NULL)
		return CERTDEPLOY_ENOMEM;
	if (main->server_name != NULL)
		name = in_lower_case(model->reading, main->server_name, &result);
	for (; result == 0 && reach != NULL; reach = reach->next) {
		struct apache_reach one = {NULL, reach->address, reach->port, true, reach->any};
		char *listen = certdeploy_format(model->reading, "%s:%u", reach->any ? "*" : reach->address,
						 (unsigned)reach->port);

		if (listen == NULL)
			return CERTDEPLOY_ENOMEM;
		result = add_endpoint(model, &one, listen, answer, NULL);
		if (result == 0 && name != NULL)
			result = add_endpoint(model, &one, listen, answer, name);
	}
	return result;
}

int apache_finish_host(struct apache_model *model, struct apache_host *host)
{
	int result = apache_complete_name(model, host);

	if (result == 0)
		result = apache_make_pairs(model, host);
	host->tls = has_tls(model, host);
	return result != 0 || model->managed == NULL ? result : apache_manage_host(model, host);
}

int apache_add_endpoints(struct apache_model *model)
{
	int result;

	if (model->main.file == NULL)
		model->main.file = model->config_file;
	result = apache_finish_host(model, &model->main);
	for (struct apache_host *host = model->hosts; result == 0 && host != NULL; host = host->next)
		result = apache_finish_host(model, host);
	if (result == 0)
		result = apache_sets_make(model);
	for (struct apache_set *set = model->sets; result == 0 && set != NULL; set = set->next)
		result = add_set(model, set);
	return result != 0 ? result : add_main(model);
}

int apache_amend_endpoints(struct apache_model *model, const struct certdeploy_reading *before)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(before, &count);
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++) {
		const struct apache_answer *answer = all[i]->own, *amended;
		struct apache_host *serves = answer->serves->after;
		struct certdeploy_endpoint endpoint = *all[i];

		if (serves == NULL) {
			result = certdeploy_keep_endpoint(model->reading, all[i]);
			continue;
		}
		amended = new_answer(model, answer->set,
				     answer->host == answer->serves ? serves : answer->host, serves);
		if (amended == NULL)
			return CERTDEPLOY_ENOMEM;
		describe(model, &endpoint, amended);
		result = certdeploy_add_endpoint(model->reading, &endpoint);
	}
	return result;
}

/* ---- who answers for a name ---- */

static bool is_named(const struct apache_name *name, const char *hostname)
{
	return strlen(hostname) == name->length &&
	       apache_compare_caseless(hostname, name->text, name->length) == 0;
}

/* A virtual host that has the name but is reached by no Listen, or speaks plain HTTP there. */
static bool has_name_in_vain(const struct apache_host *host, const char *hostname)
{
	bool named = host->server_name != NULL && !host->no_name && is_named(host->server_name, hostname);

	for (const struct apache_name *alias = host->aliases; !named && alias != NULL; alias = alias->next)
		named = is_named(alias, hostname);
	return named && !host->live;
}

/* Its name is the resolver's affair: it has none itself, and stands on addresses alone. */
static bool is_named_by_address(const struct apache_host *host)
{
	for (const struct apache_address *address = host->addresses; address != NULL;
	     address = address->next)
		if (address->family == APACHE_ANY)
			return false;
	return host->server_name == NULL && host->addresses != NULL;
}

static void hint(struct apache_model *model, const char *hostname)
{
	for (const struct apache_host *host = model->hosts; host != NULL; host = host->next) {
		const char *file = host->use != NULL ? host->use->file : host->file->path;

		if (host->tls && has_name_in_vain(host, hostname))
			certdeploy_report(
				model->reading, CERTDEPLOY_WARNING, "no-endpoint", file, host->line,
				_("this virtual host is named %s but nothing reaches it: no Listen opens "
				  "its port, or another one comes first"),
				hostname);
		else if (has_name_in_vain(host, hostname))
			certdeploy_report(
				model->reading, CERTDEPLOY_NOTICE, "no-endpoint", file, host->line,
				_("%s has a virtual host here, but one without TLS: SSLEngine is not on"),
				hostname);
		else if (host->tls && is_named_by_address(host))
			certdeploy_report(model->reading, CERTDEPLOY_WARNING, "no-endpoint", file,
					  host->line,
					  _("this virtual host has no ServerName, so that its name is what "
					    "the DNS says of its address: give it one, or choose it by its "
					    "address"));
	}
}

static bool answers_name(const struct certdeploy_endpoint *endpoint, const char *hostname)
{
	return strchr(endpoint->name, '*') != NULL || strchr(endpoint->name, '?') != NULL
		       ? apache_alias_matches(endpoint->name, hostname)
		       : apache_same_caseless(endpoint->name, hostname);
}

/*
 * Endpoints of one set stand together, in reading order. Where the exact name has an endpoint it is
 * the one that answers; else the first wildcard that matches.
 */
int apache_answers(struct certdeploy_reading *reading, const char *hostname, bool create,
		   int (*use)(void *user, const struct certdeploy_endpoint *endpoint), void *user)
{
	const struct certdeploy_endpoint *const *endpoints;
	size_t count, next;
	bool any = false;
	int result = 0;

	(void)create;
	if (hostname[0] == '*')
		return 0; /* no entries are made */
	endpoints = certdeploy_endpoints(reading, &count);
	for (size_t i = 0; result == 0 && i < count; i = next) {
		const struct apache_answer *answer = endpoints[i]->own;
		const struct apache_host *wild = NULL, *exact = NULL, *chosen;

		for (next = i; next < count; next++) {
			const struct apache_answer *other = endpoints[next]->own;

			if (other->set != answer->set)
				break;
			if (endpoints[next]->name == NULL || !answers_name(endpoints[next], hostname))
				continue;
			if (apache_same_caseless(endpoints[next]->name, hostname))
				exact = other->host;
			else if (wild == NULL)
				wild = other->host;
		}
		chosen = exact != NULL ? exact : wild;
		if (chosen == NULL)
			continue;
		for (size_t j = i; result == 0 && j < next; j++) {
			const struct apache_answer *other = endpoints[j]->own;

			if (endpoints[j]->name == NULL || other->host != chosen ||
			    !answers_name(endpoints[j], hostname) ||
			    (exact != NULL && !apache_same_caseless(endpoints[j]->name, hostname)))
				continue;
			any = true;
			result = use(user, endpoints[j]);
		}
	}
	if (!any && result == 0)
		hint(certdeploy_model(reading), hostname);
	return result;
}
