/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* filters.c - the filters that say for which connections settings hold */
#include "read.h"

#include <string.h>

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
struct dovecot_filter *dovecot_intern(struct dovecot_model *model, const struct dovecot_filter *wanted)
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

/* Is one of the filters around (or this one) of a kind that may not be around `key`? */
static const char *wrong_nesting(const struct dovecot_filter *outer, const char *key)
{
	bool protocol = outer->protocol != NULL, name = outer->local_name != NULL;
	bool remote = outer->remote.bits > 0;

	if (protocol)
		return dovecot_same_word(key, "protocol")
			       ? _("protocol within protocol is not allowed")
			       : _("only other settings may stand within protocol");
	if (remote && (dovecot_same_word(key, "local") || dovecot_same_word(key, "local_name")))
		return _("local and local_name may not stand within remote");
	if (name && dovecot_same_word(key, "local"))
		return _("local may not stand within local_name");
	return NULL;
}

/* 2.3: what the filters around say, too. 2.4 asks only the next one around. */
struct dovecot_filter dovecot_start_filter(const struct dovecot_model *model, struct dovecot_filter *outer)
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
	bool local = dovecot_same_word(line->key, "local");
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

bool dovecot_is_filter(const char *key)
{
	return dovecot_same_word(key, "protocol") || dovecot_same_word(key, "local") ||
	       dovecot_same_word(key, "local_name") || dovecot_same_word(key, "remote");
}

int dovecot_make_filter(struct dovecot_filter **out, struct dovecot_reader *reader,
			struct dovecot_filter *outer, const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	struct dovecot_filter filter = dovecot_start_filter(model, outer);
	const char *wrong = wrong_nesting(outer, line->key);
	int result = 0;

	if (wrong != NULL)
		return dovecot_syntax(reader, line->number, wrong);
	if (dovecot_same_word(line->key, "protocol")) {
		/* 2.3 renames it. */
		bool renamed = !model->v24 && dovecot_same_word(line->value, "managesieve");

		filter.protocol = certdeploy_copy(model->reading, renamed ? "sieve" : line->value,
						  renamed ? 5 : strlen(line->value));
		result = filter.protocol == NULL ? CERTDEPLOY_ENOMEM : 0;
	} else if (dovecot_same_word(line->key, "local_name")) {
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
	*out = dovecot_intern(model, &filter);
	return *out == NULL ? CERTDEPLOY_ENOMEM : 0;
}
