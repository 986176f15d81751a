/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * managed.c - the domains that mod_md looks after
 *
 * It hands its files to mod_ssl when all is read, behind those that the virtual host has: of one key type
 * they win. It has files where MDCertificateFile names them, or once a certificate was issued.
 */
#include "hash.h"
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

struct apache_managed {
	struct apache_managed *next;
	const char *domain;
	const struct apache_md *md; /* whose domain it is */
	uint32_t order;
	UT_hash_handle hh;
};

/* ---- domains ---- */

HASH_FUNCTION_BEGIN

static struct apache_managed *find(const struct apache_model *model, const char *domain, size_t length)
{
	struct apache_managed *found;

	HASH_FIND(hh, model->by_domain, domain, length, found);
	return found;
}

/* The later line of two for one domain is the one that counts. */
static int put(struct apache_model *model, struct apache_managed *managed, const char *key)
{
	struct certdeploy_reading *reading = model->reading;
	struct apache_managed *earlier = find(model, key, strlen(key));

	managed->next = model->managed;
	managed->order = model->managed == NULL ? 0 : model->managed->order + 1;
	model->managed = managed;
	if (earlier != NULL)
		HASH_DELETE(hh, model->by_domain, earlier);
	HASH_ADD_KEYPTR(hh, model->by_domain, key, strlen(key), managed);
	return managed->hh.tbl == NULL ? CERTDEPLOY_ENOMEM : 0;
}

HASH_FUNCTION_END

/* Behind an asterisk, which may come to stand before any dot of it. */
static char *in_lower_case(struct certdeploy_reading *reading, const char *text, size_t length)
{
	char *lower = certdeploy_alloc(reading, length + 2);

	if (lower == NULL)
		return NULL;
	*lower++ = '*';
	for (size_t i = 0; i < length; i++)
		lower[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + ('a' - 'A') : text[i]);
	return lower;
}

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
		const char *domain = apache_word_value(reader->reading, &part, &word), *key;

		if (managed == NULL || domain == NULL)
			return CERTDEPLOY_ENOMEM;
		if (apache_same_caseless(domain, "auto") || apache_same_caseless(domain, "manual"))
			continue;
		if (md->name == NULL)
			md->name = domain;
		managed->domain = domain;
		managed->md = md;
		key = in_lower_case(reader->reading, domain, strlen(domain));
		if (key == NULL || put(reader->model, managed, key) != 0)
			return CERTDEPLOY_ENOMEM;
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
	file->path = words.values[0];
	file->file = apache_line_file(line);
	file->line = apache_line_number(line);
	last = key ? &reader->md->keys : &reader->md->certificates;
	while (*last != NULL)
		last = &(*last)->next;
	*last = file;
	return 0;
}

/* ---- which host ---- */

static void take_later(const struct apache_managed **best, const struct apache_managed *found)
{
	if (found != NULL && (*best == NULL || found->order > (*best)->order))
		*best = found;
}

/* The latest line about a domain that the name is, or is in. */
static int look_for(const struct apache_managed **best, const struct apache_model *model,
		    const struct apache_name *name)
{
	char *lower = in_lower_case(model->reading, name->text, name->length), *dot;

	if (lower == NULL)
		return CERTDEPLOY_ENOMEM;
	take_later(best, find(model, lower, name->length));
	dot = memchr(lower, '.', name->length);
	if (dot != NULL && !name->pattern) {
		dot[-1] = '*';
		take_later(best, find(model, dot - 1, (size_t)(lower + name->length - dot) + 1));
	}
	for (const struct apache_managed *managed = name->pattern ? model->managed : NULL;
	     managed != NULL && (*best == NULL || managed->order > (*best)->order); managed = managed->next)
		if (apache_alias_matches(name->text, managed->domain))
			*best = managed;
	return 0;
}

static int md_of(const struct apache_md **md, const struct apache_model *model,
		 const struct apache_host *host)
{
	const struct apache_managed *best = NULL;
	int result = host->server_name == NULL ? 0 : look_for(&best, model, host->server_name);

	for (const struct apache_name *name = host->aliases; result == 0 && name != NULL; name = name->next)
		result = look_for(&best, model, name);
	*md = best == NULL ? NULL : best->md;
	return result;
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
		const char *own = key != NULL ? key->path : file->path;

		/* Relative to the ServerRoot that is in force at the end. */
		*pairs = (struct certdeploy_pair){
			.certificate = certdeploy_join(model->reading, model->server_root, file->path),
			.key = certdeploy_join(model->reading, model->server_root, own),
			.file = file->file,
			.line = file->line};
		if (pairs->certificate == NULL || pairs->key == NULL)
			return CERTDEPLOY_ENOMEM;
		pairs++;
		key = key == NULL ? NULL : key->next;
	}
	host->pair_count = (uint16_t)count;
	return 0;
}

int apache_manage_host(struct apache_model *model, struct apache_host *host)
{
	const struct apache_md *md = NULL;
	int result = host == &model->main ? 0 : md_of(&md, model, host);

	host->overruled = false;
	host->managed = md != NULL && host->counts[APACHE_CERTIFICATE] == 0;
	if (result != 0 || md == NULL || !host->tls)
		return result;
	if (md->certificates != NULL)
		host->overruled = true;
	else
		result = is_issued(&host->overruled, model, md);
	host->managed = host->managed || host->overruled;
	return result == 0 && md->certificates != NULL ? add_pairs(model, host, md) : result;
}
