/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blocks.c - sections, filters and the settings in them */
#include "read.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* ---- networks ---- */

bool dovecot_parse_net(struct dovecot_net *net, const char *text)
{
	char address[64];
	size_t length = strcspn(text, "/");
	unsigned bits = 0;
	struct in_addr v4;
	uint8_t limit;

	*net = (struct dovecot_net){0};
	if (length > 1 && text[0] == '[' && text[length - 1] == ']') {
		memcpy(address, text + 1, length - 2 < sizeof(address) ? length - 2 : 0);
		address[length - 2 < sizeof(address) ? length - 2 : 0] = '\0';
		net->v6 = true;
	} else if (length < sizeof(address)) {
		memcpy(address, text, length);
		address[length] = '\0';
		net->v6 = strchr(address, ':') != NULL;
	} else {
		return false;
	}
	/* Dovecot takes "127.1" for an address, too. */
	if (net->v6 ? inet_pton(AF_INET6, address, net->address) != 1 : inet_aton(address, &v4) == 0)
		return false;
	if (!net->v6)
		memcpy(net->address, &v4, sizeof(v4));
	limit = net->v6 ? 128 : 32;
	net->bits = limit;
	if (text[length] == '\0')
		return true;
	if (text[length + 1] == '\0')
		return false;
	for (const char *digit = text + length + 1; *digit != '\0'; digit++) {
		if (*digit < '0' || *digit > '9' || bits > limit)
			return false;
		bits = bits * 10 + (unsigned)(*digit - '0');
	}
	if (bits > limit)
		return false;
	net->bits = (uint8_t)bits;
	return true;
}

bool dovecot_net_contains(const struct dovecot_net *net, const struct dovecot_net *inner)
{
	unsigned whole = net->bits / 8U, rest = net->bits % 8U;

	if (net->v6 != inner->v6 || memcmp(net->address, inner->address, whole) != 0)
		return false;
	return rest == 0 || ((net->address[whole] ^ inner->address[whole]) >> (8 - rest)) == 0;
}

bool dovecot_same_net(const struct dovecot_net *one, const struct dovecot_net *other)
{
	if (one == NULL || other == NULL)
		return one == other;
	return one->bits == other->bits && one->v6 == other->v6 && dovecot_net_contains(one, other);
}

const char *dovecot_spell_net(struct certdeploy_reading *reading, const struct dovecot_net *net)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(net->v6 ? AF_INET6 : AF_INET, net->address, text, sizeof(text)) == NULL)
		return NULL;
	if (net->bits < (net->v6 ? 128U : 32U))
		return certdeploy_format(reading, "%s/%u", text, net->bits);
	return certdeploy_copy(reading, text, strlen(text));
}

/* ---- filters ---- */

static const char *net_identity(struct certdeploy_reading *reading, const struct dovecot_net *net,
				const char *text, bool unknown)
{
	char *out;

	/* 0.0.0.0/0 is a filter, too, and not the same as none. */
	if (unknown || text == NULL)
		return text == NULL ? "" : text;
	out = certdeploy_alloc(reading, 2 * sizeof(net->address) + 8);
	for (size_t i = 0; out != NULL && i < sizeof(net->address); i++) {
		out[2 * i] = (char)('a' + (net->address[i] >> 4));
		out[2 * i + 1] = (char)('a' + (net->address[i] & 15));
	}
	return out == NULL ? NULL
			   : certdeploy_format(reading, "%s/%u%s", out, net->bits, net->v6 ? "v6" : "");
}

/* An empty name is another filter than none. */
static const char *or_none(const char *text)
{
	return text == NULL ? "\n" : text;
}

/*
 * The filter equal to `wanted`, or a new one. 2.3 compares what a filter has taken over from the ones
 * around it together with its own; 2.4 compares the chain.
 */
static struct dovecot_filter *intern_filter(struct dovecot_model *model,
					    const struct dovecot_filter *wanted)
{
	struct certdeploy_reading *reading = model->reading;
	const char *local = net_identity(reading, &wanted->local, wanted->local_text, wanted->unknown);
	const char *remote = net_identity(reading, &wanted->remote, wanted->remote_text, wanted->unknown);
	struct dovecot_filter *filter;
	char outer[DOVECOT_DIGITS];
	const char *identity;

	if (local == NULL || remote == NULL)
		return NULL;
	identity = dovecot_joined(reading,
				  dovecot_digits(outer, wanted->parent == NULL ? 0 : wanted->parent->order),
				  "\n", or_none(wanted->protocol), "\n", or_none(wanted->local_name), "\n",
				  local, "\n", remote, "\n", or_none(wanted->service), NULL);
	if (identity == NULL)
		return NULL;
	filter = dovecot_table_get(&model->by_identity, identity, strlen(identity));
	if (filter != NULL)
		return filter;
	filter = certdeploy_alloc(reading, sizeof(*filter));
	if (filter == NULL)
		return NULL;
	*filter = *wanted;
	/* Even: a trial's filter goes between two of them. */
	filter->order = 2 * model->filters.count;
	if (dovecot_vector_add(&model->filters, reading, filter) != 0 ||
	    dovecot_table_put(&model->by_identity, reading, identity, strlen(identity), filter) != 0)
		return NULL;
	return filter;
}

static bool same_word(const char *one, const char *other)
{
	return strcmp(one, other) == 0;
}

/* Is one of the filters around (or this one) of a kind that may not be around `key`? */
static const char *wrong_nesting(const struct dovecot_filter *outer, const char *key)
{
	bool protocol = outer->protocol != NULL, name = outer->local_name != NULL;
	bool remote = outer->remote.bits > 0;

	if (protocol)
		return same_word(key, "protocol") ? _("protocol within protocol is not allowed")
						  : _("only other settings may stand within protocol");
	if (remote && (same_word(key, "local") || same_word(key, "local_name")))
		return _("local and local_name may not stand within remote");
	if (name && same_word(key, "local"))
		return _("local may not stand within local_name");
	return NULL;
}

/* 2.3: what the filters around say, too. 2.4 asks only the next one around. */
static struct dovecot_filter start_filter(const struct dovecot_model *model, struct dovecot_filter *outer)
{
	struct dovecot_filter filter = {0};

	if (model->v24) {
		filter.parent = outer;
		filter.lists = outer->lists;
		return filter;
	}
	filter.protocol = outer->protocol;
	filter.local_name = outer->local_name;
	filter.local = outer->local;
	filter.local_text = outer->local_text;
	filter.remote = outer->remote;
	filter.remote_text = outer->remote_text;
	filter.unknown = outer->unknown;
	return filter;
}

static const char *lower(struct certdeploy_reading *reading, const char *text)
{
	char *copy = certdeploy_copy(reading, text, strlen(text));

	for (char *at = copy; at != NULL && *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	return copy;
}

static int set_network(struct dovecot_reader *reader, struct dovecot_filter *filter,
		       const struct dovecot_filter *outer, const struct dovecot_line *line)
{
	bool local = same_word(line->key, "local");
	struct dovecot_net *net = local ? &filter->local : &filter->remote;
	const struct dovecot_net *around = local ? &outer->local : &outer->remote;
	const char **text = local ? &filter->local_text : &filter->remote_text;
	struct dovecot_net inner;

	if (!dovecot_parse_net(&inner, line->value)) {
		if (strchr(line->value, '/') != NULL || line->value[0] == '\0')
			return dovecot_syntax(reader, line->number, _("this is not an address"));
		filter->unknown = true;
	} else if (around->bits > 0 &&
		   (around->bits > inner.bits || !dovecot_net_contains(around, &inner))) {
		return dovecot_syntax(reader, line->number,
				      _("the network is not inside the one around it"));
	}
	*net = inner;
	*text = certdeploy_copy(reader->model->reading, line->value, strlen(line->value));
	return *text == NULL ? CERTDEPLOY_ENOMEM : 0;
}

static bool is_filter(const char *key)
{
	return same_word(key, "protocol") || same_word(key, "local") || same_word(key, "local_name") ||
	       same_word(key, "remote");
}

static int make_filter(struct dovecot_filter **out, struct dovecot_reader *reader,
		       struct dovecot_filter *outer, const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	struct dovecot_filter filter = start_filter(model, outer);
	const char *wrong = wrong_nesting(outer, line->key);
	int result = 0;

	if (wrong != NULL)
		return dovecot_syntax(reader, line->number, wrong);
	if (same_word(line->key, "protocol")) {
		/* 2.3 renames it. */
		bool renamed = !model->v24 && same_word(line->value, "managesieve");

		filter.protocol = certdeploy_copy(model->reading, renamed ? "sieve" : line->value,
						  renamed ? 5 : strlen(line->value));
		result = filter.protocol == NULL ? CERTDEPLOY_ENOMEM : 0;
	} else if (same_word(line->key, "local_name")) {
		if (model->v24 && strchr(line->value, ' ') != NULL)
			return dovecot_syntax(reader, line->number,
					      _("several names in one local_name are not allowed in 2.4"));
		filter.local_name = lower(model->reading, line->value);
		result = filter.local_name == NULL ? CERTDEPLOY_ENOMEM : 0;
	} else {
		result = set_network(reader, &filter, outer, line);
	}
	if (result != 0)
		return result;
	*out = intern_filter(model, &filter);
	return *out == NULL ? CERTDEPLOY_ENOMEM : 0;
}

/* ---- sections ---- */

static struct dovecot_section *new_section(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct dovecot_section *outer = reader->section;
	struct dovecot_section *section = certdeploy_alloc(reader->model->reading, sizeof(*section));

	if (section == NULL)
		return NULL;
	section->outer = outer;
	section->filter = outer == NULL ? reader->model->root : outer->filter;
	section->block = outer == NULL ? NULL : outer->block;
	section->opaque = outer != NULL && outer->opaque;
	section->named = outer != NULL && outer->named;
	section->path = outer == NULL ? "" : outer->path;
	section->file = reader->input->path;
	section->line = line->number;
	return section;
}

static int open_block(struct dovecot_reader *reader, struct dovecot_section *section,
		      const struct dovecot_line *line)
{
	struct dovecot_block *block = certdeploy_alloc(reader->model->reading, sizeof(*block));

	if (block == NULL)
		return CERTDEPLOY_ENOMEM;
	block->filter = section->filter;
	block->input = reader->input;
	block->outer = section->block;
	block->at_top = section->outer == NULL;
	block->line = line->number;
	block->start = line->start;
	block->inside = line->end;
	block->simple = true;
	section->block = block;
	section->opens_block = true;
	return dovecot_vector_add(&section->filter->blocks, reader->model->reading, block);
}

static int add_listener(struct dovecot_reader *reader, const struct dovecot_section *section,
			const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	const char *service = section->outer->path + strlen("service/");
	struct dovecot_listener_section *listener;
	const char *mark = certdeploy_format(model->reading, "%s%s/", section->outer->path, line->value);

	listener = certdeploy_alloc(model->reading, sizeof(*listener));
	if (mark == NULL || listener == NULL)
		return CERTDEPLOY_ENOMEM;
	if (dovecot_table_get(&model->listener_names, mark, strlen(mark)) != NULL)
		return 0;
	listener->service = certdeploy_copy(model->reading, service, strlen(service) - 1);
	listener->name = certdeploy_copy(model->reading, line->value, strlen(line->value));
	listener->file = section->file;
	listener->line = section->line;
	if (listener->service == NULL || listener->name == NULL ||
	    dovecot_table_put(&model->listener_names, model->reading, mark, strlen(mark), listener) != 0)
		return CERTDEPLOY_ENOMEM;
	return dovecot_vector_add(&model->listeners, model->reading, listener);
}

/* `service NAME {`: in 2.4 a filter as well. */
static int begin_service(struct dovecot_reader *reader, struct dovecot_section *section,
			 const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	bool at_root = section->filter == model->root && section->path != NULL && section->path[0] == '\0';

	section->path = at_root ? certdeploy_format(model->reading, "service/%s/", line->value) : NULL;
	if (at_root && section->path == NULL)
		return CERTDEPLOY_ENOMEM;
	section->named = model->v24;
	if (model->v24 && !section->opaque) {
		struct dovecot_filter filter = start_filter(model, section->filter);

		filter.lists++;
		filter.service = certdeploy_copy(model->reading, line->value, strlen(line->value));
		section->filter = filter.service == NULL ? NULL : intern_filter(model, &filter);
		if (section->filter == NULL)
			return CERTDEPLOY_ENOMEM;
		return open_block(reader, section, line);
	}
	section->opaque = true;
	return 0;
}

/* Any other section: what is set in it is no slot. */
static int begin_other(struct dovecot_reader *reader, struct dovecot_section *section,
		       const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	bool listener = same_word(line->key, "inet_listener") && section->path != NULL &&
			strncmp(section->path, "service/", 8) == 0 && section->outer != NULL &&
			section->outer->outer == NULL;

	section->opaque = true;
	section->named = model->v24;
	if (section->path == NULL)
		return 0;
	if (listener && add_listener(reader, section, line) != 0)
		return CERTDEPLOY_ENOMEM;
	if (model->v24 && line->value[0] == '\0' &&
	    (same_word(line->key, "listen") || same_word(line->key, "protocols"))) {
		section->list = certdeploy_format(model->reading, "%s%s", section->path, line->key);
		return section->list == NULL ? CERTDEPLOY_ENOMEM : 0;
	}
	section->path =
		certdeploy_format(model->reading, "%s%s/%s/", section->path, line->key, line->value);
	return section->path == NULL ? CERTDEPLOY_ENOMEM : 0;
}

static int begin_group(struct dovecot_reader *reader, struct dovecot_section *section,
		       const struct dovecot_line *line)
{
	struct certdeploy_reading *reading = reader->model->reading;
	struct dovecot_group *group = certdeploy_alloc(reading, sizeof(*group));

	if (group == NULL)
		return CERTDEPLOY_ENOMEM;
	/* A filter of its own that matches nothing: its slots tell whether the group matters. */
	group->filter = certdeploy_alloc(reading, sizeof(*group->filter));
	group->label = certdeploy_copy(reading, line->key, strlen(line->key));
	group->name = certdeploy_copy(reading, line->value, strlen(line->value));
	group->file = section->file;
	group->line = section->line;
	if (group->filter == NULL || group->label == NULL || group->name == NULL)
		return CERTDEPLOY_ENOMEM;
	group->filter->unknown = true;
	section->filter = group->filter;
	section->named = true;
	section->path = NULL;
	return dovecot_vector_add(&reader->groups, reading, group);
}

int dovecot_begin(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	struct dovecot_section *section = new_section(reader, line);
	bool nested_tls = model->v24 && same_word(line->key, "ssl_server");
	int result;

	if (section == NULL)
		return CERTDEPLOY_ENOMEM;
	if (section->block != NULL && !nested_tls)
		section->block->simple = false;
	if (line->type == DOVECOT_LINE_GROUP) {
		result = begin_group(reader, section, line);
	} else if (is_filter(line->key)) {
		if (section->named)
			return dovecot_syntax(reader, line->number,
					      _("this section may not stand within the one around it"));
		section->path = NULL;
		result = make_filter(&section->filter, reader, section->filter, line);
		if (result == 0)
			result = open_block(reader, section, line);
	} else if (nested_tls && !section->opaque) {
		if (line->value[0] != '\0' || line->quoted)
			return dovecot_syntax(reader, line->number, _("ssl_server has no name"));
		section->ssl_server = section->named = true;
		section->path = NULL;
		result = 0;
	} else if (same_word(line->key, "service")) {
		result = begin_service(reader, section, line);
	} else {
		result = begin_other(reader, section, line);
	}
	reader->section = section;
	return result;
}

int dovecot_end(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct dovecot_section *section = reader->section;

	if (section == NULL)
		return dovecot_syntax(reader, line->number, _("there is no section that this } could end"));
	if (section->opens_block) {
		struct dovecot_block *block = section->block;

		block->end_input = reader->input;
		block->close = line->start;
		block->end = line->end;
		block->closed_order = reader->model->order;
		block->simple = block->simple && block->input == reader->input;
	}
	reader->section = section->outer;
	return 0;
}

/* ---- settings ---- */

static const char *const names_23[] = {"ssl_cert", "ssl_key", "ssl_alt_cert", "ssl_alt_key", "ssl"};
static const char *const names_24[] = {"ssl_server_cert_file", "ssl_server_key_file",
				       "ssl_server_alt_cert_file", "ssl_server_alt_key_file", "ssl"};

static enum dovecot_slot find_name(const char *const *names, size_t skip, const char *key)
{
	for (size_t i = 0; i < DOVECOT_SLOTS; i++)
		if (strlen(names[i]) > skip && same_word(names[i] + skip, key))
			return (enum dovecot_slot)i;
	return DOVECOT_SLOTS;
}

static enum dovecot_slot slot_of(const struct dovecot_model *model, const char *key, bool ssl_server)
{
	enum dovecot_slot slot = find_name(model->v24 ? names_24 : names_23, 0, key);

	if (model->v24 && ssl_server && slot == DOVECOT_SSL)
		return DOVECOT_SLOTS;
	if (model->v24 && strncmp(key, "ssl_server/", 11) == 0)
		return slot_of(model, key + 11, true);
	if (model->v24 && ssl_server && slot == DOVECOT_SLOTS)
		slot = find_name(names_24, strlen("ssl_server_"), key);
	if (!model->v24 && same_word(key, "ssl_cert_file"))
		return DOVECOT_CERT;
	if (!model->v24 && same_word(key, "ssl_key_file"))
		return DOVECOT_KEY;
	if (!model->v24 && same_word(key, "ssl_disable"))
		return DOVECOT_SSL;
	return slot;
}

/* A name that only the other version knows: Dovecot does not start with it. */
static bool is_foreign(const struct dovecot_model *model, const char *key)
{
	enum dovecot_slot slot = find_name(model->v24 ? names_23 : names_24, 0, key);

	return slot < DOVECOT_SSL ||
	       (model->v24 && (same_word(key, "ssl_cert_file") || same_word(key, "ssl_key_file")));
}

static const struct dovecot_setting *setting_at(const struct dovecot_model *model, const char *path)
{
	return dovecot_table_get(&model->settings, path, strlen(path));
}

const char *dovecot_setting(const struct dovecot_model *model, const char *path)
{
	const struct dovecot_setting *setting = setting_at(model, path);

	return setting == NULL ? NULL : setting->value;
}

/* The value that `$name` stands for, as a slot's value; NULL when it is none. */
static const struct dovecot_value *slot_variable(const struct dovecot_reader *reader, const char *name,
						 const char *key)
{
	const struct dovecot_section *section = reader->section;
	enum dovecot_slot slot = slot_of(reader->model, name, false);

	if (slot == DOVECOT_SLOTS)
		return NULL;
	for (; section != NULL; section = section->outer) {
		if (section->filter->values[slot] != NULL)
			return section->filter->values[slot];
		/* Only a setting's own former value is looked for further out. */
		if (!same_word(name, key))
			return NULL;
	}
	return reader->model->root->values[slot];
}

/* The words of a value, each `$name` replaced by what the setting has so far. */
static int expand(const char **out, const struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct certdeploy_reading *reading = reader->model->reading;
	const char *prefix = reader->model->v24 ? "$SET:" : "$";
	struct dovecot_text text = {0};

	for (const char *at = line->value; *at != '\0';) {
		size_t length = strcspn(at, " \t");
		const char *word = certdeploy_copy(reading, at, length);
		const char *name = word == NULL ? NULL : word + strlen(prefix);

		if (word == NULL)
			return CERTDEPLOY_ENOMEM;
		if (strncmp(word, "$ENV:", 5) == 0) {
			word = "";
		} else if (strncmp(word, prefix, strlen(prefix)) == 0) {
			const struct dovecot_value *value = slot_variable(reader, name, line->key);
			const char *known = dovecot_setting(reader->model, name);

			word = value != NULL ? value->text : known == NULL ? "" : known;
		}
		if (dovecot_text_string(&text, reading, word) != 0)
			return CERTDEPLOY_ENOMEM;
		at += length;
		if (*at != '\0' && dovecot_text_add(&text, reading, " ", 1) != 0)
			return CERTDEPLOY_ENOMEM;
		at += strspn(at, " \t");
	}
	*out = text.length == 0 ? "" : text.bytes;
	return 0;
}

/* The file that a slot's value names. */
static int value_path(struct dovecot_reader *reader, struct dovecot_value *value,
		      const struct dovecot_line *line)
{
	bool v24 = reader->model->v24;
	bool names_file = v24 ? line->type != DOVECOT_LINE_FILE && strstr(value->text, "%{") == NULL
			      : line->type == DOVECOT_LINE_FILE || strstr(value->key, "_file") != NULL;

	if (line->type == DOVECOT_LINE_VARIABLE) {
		size_t prefix = v24 ? 5 : 1;
		const struct dovecot_value *other =
			strlen(line->value) > prefix
				? slot_variable(reader, line->value + prefix, line->key)
				: NULL;

		if (!v24 || other != NULL) {
			value->path = other == NULL ? NULL : other->path;
			return 0;
		}
	}
	if (!names_file || value->text[0] == '\0' || value->slot == DOVECOT_SSL)
		return 0;
	value->path = dovecot_resolve(reader, value->text);
	return value->path == NULL ? CERTDEPLOY_ENOMEM : 0;
}

static const char *site_of(struct dovecot_model *model, const struct certdeploy_document *document,
			   const struct dovecot_value *value)
{
	char one[DOVECOT_DIGITS], other[DOVECOT_DIGITS];
	char *key = dovecot_joined(model->reading, dovecot_digits(one, (uintptr_t)document), " ",
				   dovecot_digits(other, value->value_span.offset), NULL);
	char *site;

	if (key == NULL)
		return NULL;
	site = dovecot_table_get(&model->sites, key, strlen(key));
	if (site == NULL) {
		site = key;
		if (dovecot_table_put(&model->sites, model->reading, key, strlen(key), site) != 0)
			return NULL;
	}
	return site;
}

static int assign_slot(struct dovecot_reader *reader, const struct dovecot_line *line,
		       enum dovecot_slot slot)
{
	struct dovecot_model *model = reader->model;
	struct dovecot_section *section = reader->section;
	struct dovecot_value *value = certdeploy_alloc(model->reading, sizeof(*value));
	int result;

	if (value == NULL)
		return CERTDEPLOY_ENOMEM;
	value->input = reader->input;
	value->filter = section == NULL ? model->root : section->filter;
	value->block = section == NULL ? NULL : section->block;
	value->slot = slot;
	value->type = line->type;
	value->quoted = line->quoted;
	value->nested = section != NULL && section->ssl_server;
	value->key = certdeploy_copy(model->reading, line->key, strlen(line->key));
	value->text = certdeploy_copy(model->reading, line->value, strlen(line->value));
	value->line = line->number;
	value->start = line->start;
	value->end = line->end;
	value->value_span = line->value_span;
	value->inner_span = line->inner_span;
	value->order = model->order;
	value->site = site_of(model, reader->input->document, value);
	if (value->key == NULL || value->text == NULL || value->site == NULL)
		return CERTDEPLOY_ENOMEM;
	if (line->type == DOVECOT_LINE_VARIABLE && expand(&value->text, reader, line) != 0)
		return CERTDEPLOY_ENOMEM;
	if (same_word(value->key, "ssl_disable"))
		value->text = strcasecmp(value->text, "yes") == 0 ? "no" : "yes";
	result = value_path(reader, value, line);
	if (result != 0)
		return result;
	value->filter->values[slot] = value;
	if (value->block != NULL)
		value->block->last = value;
	return dovecot_vector_add(&model->values, model->reading, value);
}

/* A list's words: yes adds one, no takes it away. */
static const char *toggle(struct dovecot_reader *reader, const char *list, const char *word, bool on)
{
	struct certdeploy_reading *reading = reader->model->reading;
	struct dovecot_text text = {0};

	for (const char *at = list; *at != '\0'; at += strspn(at, ", ")) {
		size_t length = strcspn(at, ", ");

		if (length != 0 && (length != strlen(word) || strncmp(at, word, length) != 0) &&
		    (dovecot_text_add(&text, reading, at, length) != 0 ||
		     dovecot_text_add(&text, reading, " ", 1) != 0))
			return NULL;
		at += length;
	}
	if (on && dovecot_text_string(&text, reading, word) != 0)
		return NULL;
	return text.length == 0 ? "" : text.bytes;
}

static int store_setting(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	const struct dovecot_section *section = reader->section;
	struct dovecot_setting *setting = certdeploy_alloc(model->reading, sizeof(*setting));
	const char *list = section == NULL ? NULL : section->list;
	const char *path = list != NULL
				   ? list
				   : certdeploy_format(model->reading, "%s%s",
						       section == NULL ? "" : section->path, line->key);

	if (setting == NULL || path == NULL)
		return CERTDEPLOY_ENOMEM;
	setting->file = reader->input->path;
	setting->line = line->number;
	if (list != NULL) {
		const char *old = dovecot_setting(model, list);
		bool at_root = same_word(list, "listen");

		setting->value = toggle(reader,
					old != NULL ? old
					: at_root   ? "* ::"
						    : "",
					line->key, same_word(line->value, "yes"));
	} else if (line->type == DOVECOT_LINE_VARIABLE) {
		if (expand(&setting->value, reader, line) != 0)
			return CERTDEPLOY_ENOMEM;
	} else {
		setting->value = certdeploy_copy(model->reading, line->value, strlen(line->value));
	}
	if (setting->value == NULL)
		return CERTDEPLOY_ENOMEM;
	return dovecot_table_put(&model->settings, model->reading, path, strlen(path), setting);
}

static int use_group(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct certdeploy_reading *reading = reader->model->reading;
	struct dovecot_group *use = certdeploy_alloc(reading, sizeof(*use));

	if (use == NULL)
		return CERTDEPLOY_ENOMEM;
	use->label = certdeploy_copy(reading, line->key, strlen(line->key));
	use->name = certdeploy_copy(reading, line->value, strlen(line->value));
	use->file = reader->input->path;
	use->line = line->number;
	if (use->label == NULL || use->name == NULL)
		return CERTDEPLOY_ENOMEM;
	return dovecot_vector_add(&reader->group_uses, reading, use);
}

int dovecot_assign(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	struct dovecot_section *section = reader->section;
	bool opaque = section != NULL && section->opaque;
	bool obsolete = !model->v24 &&
			(same_word(line->key, "ssl_cert_file") || same_word(line->key, "ssl_key_file") ||
			 same_word(line->key, "ssl_disable"));
	enum dovecot_slot slot = DOVECOT_SLOTS;

	if (!opaque && is_foreign(model, line->key))
		return dovecot_syntax(reader, line->number,
				      model->v24
					      ? _("this setting is Dovecot 2.3's; 2.4 does not know it")
					      : _("this setting is Dovecot 2.4's; 2.3 does not know it"));
	if (obsolete && !opaque && line->type == DOVECOT_LINE_FILE)
		return dovecot_syntax(reader, line->number, _("this setting takes a path without <"));
	if (!opaque)
		slot = slot_of(model, line->key, section != NULL && section->ssl_server);
	if (slot != DOVECOT_SLOTS) {
		if (obsolete && line->value[0] == '\0')
			return 0;
		return assign_slot(reader, line, slot);
	}
	if (section != NULL && section->block != NULL)
		section->block->simple = false;
	if (section != NULL)
		section->filter->other_settings = true;
	if (model->v24 && line->key[0] == '@')
		return use_group(reader, line);
	if (section != NULL && section->path == NULL)
		return 0;
	return store_setting(reader, line);
}

/* ---- begin and end ---- */

int dovecot_blocks_open(struct dovecot_reader *reader)
{
	struct dovecot_filter root = {0};

	reader->model->root = intern_filter(reader->model, &root);
	return reader->model->root == NULL ? CERTDEPLOY_ENOMEM : 0;
}

int dovecot_blocks_close(struct dovecot_reader *reader)
{
	struct certdeploy_reading *reading = reader->model->reading;

	if (reader->section != NULL)
		return certdeploy_refuse(reading, "config-syntax", reader->section->file,
					 reader->section->line,
					 _("the section that begins here has no end"));
	for (size_t i = 0; i < reader->group_uses.count; i++) {
		const struct dovecot_group *use = reader->group_uses.items[i];

		for (size_t j = 0; j < reader->groups.count; j++) {
			const struct dovecot_group *group = reader->groups.items[j];

			for (size_t slot = 0; slot < DOVECOT_SLOTS; slot++)
				if (same_word(use->label, group->label) &&
				    same_word(use->name, group->name) &&
				    group->filter->values[slot] != NULL)
					return certdeploy_refuse(
						reading, "config-not-understood", use->file, use->line,
						_("TLS settings come from the group %s"), use->name);
		}
	}
	return 0;
}
