/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * managed.c - the domains that mod_md looks after
 *
 * It hands its files to mod_ssl when all is read, behind those that the virtual host has: of one key type
 * they win. It has files where MDCertificateFile names them, or once a certificate was issued.
 */
#include "read.h"

#include <string.h>

/* A certificate or a key that is named for a domain, in reading order. */
struct apache_managed_file {
	struct apache_managed_file *next;
	const char *path;
	const char *file; /* of the line */
	size_t line;
};

/* One MDomain, with all its domains. */
struct apache_md {
	const char *name; /* the first domain: its directory in the store */
	struct apache_managed_file *certificates;
	struct apache_managed_file *keys;
};

/* ---- reading ---- */

/* Domains of an MDomain, of an opening <MDomain … >, or of an MDMember in such a section. */
int apache_do_managed(struct apache_reader *reader, const struct apache_line *line, size_t at, size_t end)
{
	struct apache_line part = *line;
	struct apache_md *md =
		reader->md != NULL ? reader->md : certdeploy_alloc(reader->reading, sizeof(*md));
	struct apache_word word;

	if (md == NULL)
		return CERTDEPLOY_ENOMEM;
	part.length = end;
	while (apache_next_word(&part, &at, &word)) {
		struct apache_managed *managed = certdeploy_alloc(reader->reading, sizeof(*managed));
		const char *domain = apache_word_value(reader->reading, &part, &word);

		if (managed == NULL || domain == NULL)
			return CERTDEPLOY_ENOMEM;
		if (apache_same_caseless(domain, "auto") || apache_same_caseless(domain, "manual"))
			continue;
		if (md->name == NULL)
			md->name = domain;
		*managed = (struct apache_managed){reader->model->managed, domain, md};
		reader->model->managed = managed;
	}
	reader->last_md = md;
	return 0;
}

int apache_do_managed_file(struct apache_reader *reader, const struct apache_line *line, size_t at,
			   bool key)
{
	struct apache_managed_file **last, *file = certdeploy_alloc(reader->reading, sizeof(*file));
	struct apache_words words;
	int result = file == NULL ? CERTDEPLOY_ENOMEM : apache_take_words(reader, line, at, &words);

	if (result != 0 || words.count == 0)
		return result;
	file->path = certdeploy_join(reader->reading, reader->model->server_root, words.values[0]);
	file->file = apache_line_file(line);
	file->line = apache_line_number(line);
	last = key ? &reader->md->keys : &reader->md->certificates;
	while (*last != NULL)
		last = &(*last)->next;
	*last = file;
	return file->path == NULL ? CERTDEPLOY_ENOMEM : 0;
}

/* ---- which host ---- */

static bool is_in_domain(const struct apache_name *name, const char *domain)
{
	size_t length = strlen(domain);
	const char *dot;

	if (name->length == length && apache_compare_caseless(name->text, domain, length) == 0)
		return true;
	if (name->pattern)
		return apache_alias_matches(name->text, domain);
	if (domain[0] != '*' || domain[1] != '.')
		return false;
	dot = memchr(name->text, '.', name->length);
	return dot != NULL && (size_t)(name->text + name->length - dot) == length - 1 &&
	       apache_compare_caseless(dot, domain + 1, length - 1) == 0;
}

static const struct apache_md *md_of(const struct apache_model *model, const struct apache_host *host)
{
	for (const struct apache_managed *managed = model->managed; managed != NULL;
	     managed = managed->next) {
		if (host->server_name != NULL && is_in_domain(host->server_name, managed->domain))
			return managed->md;
		for (const struct apache_name *name = host->aliases; name != NULL; name = name->next)
			if (is_in_domain(name, managed->domain))
				return managed->md;
	}
	return NULL;
}

/* Whether its store holds a certificate: pubcert.pem, or pubcert.TYPE.pem. */
static int is_issued(bool *issued, const struct apache_model *model, const struct apache_md *md)
{
	const char *store = model->md_store == NULL ? "md" : model->md_store;
	const char *directory = certdeploy_join(model->reading, model->server_root, store);
	const char *const *names;
	int result;

	*issued = false;
	if (directory != NULL && md->name != NULL)
		directory = certdeploy_format(model->reading, "%s/domains/%s", directory, md->name);
	if (directory == NULL)
		return CERTDEPLOY_ENOMEM;
	result = certdeploy_directory(&names, model->reading, directory);
	for (; result == 0 && *names != NULL; names++)
		*issued = *issued || strncmp(*names, "pubcert.", strlen("pubcert.")) == 0;
	return result == CERTDEPLOY_ENOMEM ? result : 0;
}

/* The pairs that mod_md adds behind those that the host has. */
static int add_pairs(struct apache_model *model, struct apache_host *host, const struct apache_md *md)
{
	const struct apache_managed_file *key = md->keys;
	struct certdeploy_pair *pairs;
	size_t count = host->pair_count;

	for (const struct apache_managed_file *file = md->certificates; file != NULL; file = file->next)
		count++;
	if (count > UINT16_MAX)
		return CERTDEPLOY_ENOMEM;
	pairs = certdeploy_alloc(model->reading, count * sizeof(*pairs));
	if (pairs == NULL)
		return CERTDEPLOY_ENOMEM;
	if (host->pair_count != 0)
		memcpy(pairs, host->pairs, host->pair_count * sizeof(*pairs));
	host->pairs = pairs;
	pairs += host->pair_count;
	for (const struct apache_managed_file *file = md->certificates; file != NULL; file = file->next) {
		*pairs++ = (struct certdeploy_pair){.certificate = file->path,
						    .key = key != NULL ? key->path : file->path,
						    .file = file->file,
						    .line = file->line};
		key = key == NULL ? NULL : key->next;
	}
	host->pair_count = (uint16_t)count;
	return 0;
}

int apache_manage_host(struct apache_model *model, struct apache_host *host)
{
	const struct apache_md *md = host == &model->main ? NULL : md_of(model, host);
	int result = 0;

	host->overruled = false;
	host->managed = md != NULL && host->counts[APACHE_CERTIFICATE] == 0;
	if (md == NULL || !host->tls)
		return 0;
	if (md->certificates != NULL)
		host->overruled = true;
	else
		result = is_issued(&host->overruled, model, md);
	host->managed = host->managed || host->overruled;
	return result == 0 && md->certificates != NULL ? add_pairs(model, host, md) : result;
}
