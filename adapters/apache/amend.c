/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * amend.c - the model over edits, made of the one before them and the edited files
 *
 * A plan for one of ten thousand sites edits one file; to read all the others again would tell nothing
 * new. That only holds where an edited file is plain: whole virtual hosts, once, and nothing that has
 * an effect on another file. Such a file is read again, in the same state in which it was read, and
 * must hold the same virtual hosts, by address, name, and whether they speak TLS. Then which of them
 * answers for what is as it was, and only what they serve is new. In any other case the configuration
 * is read as a whole.
 *
 * An amended model is asked for its endpoints only: its lists of hosts and sets are those before.
 */
#include "read.h"

#include <string.h>

static bool same_addresses(const struct apache_host *one, const struct apache_host *other)
{
	const struct apache_address *a = one->addresses, *b = other->addresses;

	for (; a != NULL && b != NULL; a = a->next, b = b->next)
		if (a->family != b->family || a->port != b->port || a->zero != b->zero ||
		    a->zero_family != b->zero_family || a->name != b->name ||
		    memcmp(a->ip, b->ip, sizeof(a->ip)) != 0)
			return false;
	return a == b;
}

static bool same_name(const struct apache_name *one, const struct apache_name *other)
{
	if (one == NULL || other == NULL)
		return one == other;
	return one->length == other->length && one->pattern == other->pattern &&
	       memcmp(one->text, other->text, one->length) == 0;
}

static bool same_names(const struct apache_host *one, const struct apache_host *other)
{
	const struct apache_name *a = one->aliases, *b = other->aliases;

	while (a != NULL && b != NULL && same_name(a, b)) {
		a = a->next;
		b = b->next;
	}
	return a == NULL && b == NULL && same_name(one->server_name, other->server_name);
}

/* Whether it answers where and for what the other one does. */
static bool same_place(const struct apache_host *one, const struct apache_host *other)
{
	return one->use == NULL && other->use == NULL && one->confcmd == NULL && other->confcmd == NULL &&
	       one->engine == other->engine && one->protocol == other->protocol && one->tls == other->tls &&
	       one->managed == other->managed && one->overruled == other->overruled &&
	       one->no_name == other->no_name && same_addresses(one, other) && same_names(one, other);
}

static int match_hosts(struct apache_model *model, const struct apache_file *file)
{
	struct apache_host *before = file->first_host, *host = model->hosts;

	for (uint32_t i = 0; i < file->host_count; i++) {
		int result = host == NULL ? APACHE_READ_ALL : apache_resolve_refs(model, host);

		if (result == 0)
			result = apache_finish_host(model, host);
		if (result == 0 && !same_place(before, host))
			result = APACHE_READ_ALL;
		if (result != 0)
			return result;
		host->live = before->live;
		host->order = before->order;
		before->after = host;
		before = before->next;
		host = host->next;
	}
	return host == NULL ? 0 : APACHE_READ_ALL;
}

static int read_again(struct apache_reader *reader, const struct apache_file *file)
{
	struct apache_model *model = reader->model;
	const struct certdeploy_document *document;
	int result;

	if (!file->plain || file->state != model->state)
		return APACHE_READ_ALL;
	reader->lines.budget = APACHE_READ_BUDGET;
	model->hosts = model->last_host = NULL;
	result = certdeploy_read(&document, model->reading, file->path);
	if (result == 0)
		result = apache_read_document(reader, document);
	return result != 0 ? result : match_hosts(model, file);
}

int apache_amend(struct certdeploy_reading *reading, const struct certdeploy_reading *before)
{
	struct apache_model *old = certdeploy_model(before);
	struct apache_model *model = certdeploy_alloc(reading, sizeof(*model));
	struct apache_reader reader = {.reading = reading, .model = model, .lines.reading = reading};
	int result = 0;

	if (model == NULL)
		return CERTDEPLOY_ENOMEM;
	*model = *old;
	model->reading = reading;
	model->amending = true;
	for (struct apache_host *host = old->hosts; host != NULL; host = host->next)
		host->after = NULL;
	for (const struct apache_file *file = old->files; result == 0 && file != NULL; file = file->next)
		if (certdeploy_is_edited(reading, file->document))
			result = read_again(&reader, file);
	if (result != 0)
		return result;
	model->hosts = old->hosts;
	model->last_host = old->last_host;
	certdeploy_set_model(reading, model);
	return apache_amend_endpoints(model, before);
}
