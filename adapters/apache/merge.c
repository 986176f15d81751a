/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * merge.c - the certificates of a virtual host, laid by position over those of the main server
 *
 * As modssl_ctx_cfg_merge_certkeys_array() of mod_ssl.
 */
#include "adapter.h"

#include <string.h>

/* Nobody has more certificates in one host; each is compared with all before it. */
#define PAIRS_COMPARED 16

static const struct apache_ref *nth_ref(const struct apache_host *host, enum apache_kind kind,
					size_t wanted)
{
	for (const struct apache_ref *ref = host->refs; ref != NULL; ref = ref->next)
		if (ref->kind == kind && wanted-- == 0)
			return ref;
	return NULL;
}

const struct apache_ref *apache_merged_ref(const struct apache_model *model, const struct apache_host *host,
					   enum apache_kind kind, size_t position)
{
	const struct apache_host *base = &model->main;
	size_t own = host->counts[kind], first = own < APACHE_OWN_FIRST ? own : APACHE_OWN_FIRST, inherited;

	if (host == base || position < first)
		return nth_ref(host, kind, position);
	inherited = base->counts[kind] > first ? base->counts[kind] : first;
	if (position < inherited)
		return nth_ref(base, kind, position);
	return nth_ref(host, kind, position - inherited + first);
}

size_t apache_merged_count(const struct apache_model *model, const struct apache_host *host,
			   enum apache_kind kind)
{
	size_t own = host->counts[kind], base = model->main.counts[kind];
	size_t first = own < APACHE_OWN_FIRST ? own : APACHE_OWN_FIRST;

	if (host == &model->main)
		return own;
	return (base > first ? base : first) + own - first;
}

/* httpd itself takes them by position: the keys behind a stray one go with other certificates. */
bool apache_has_stray_key(const struct apache_model *model, const struct apache_host *host)
{
	const uint16_t *own = host->counts, *base = model->main.counts;

	if (apache_merged_count(model, host, APACHE_CERTIFICATE) < 2)
		return false;
	return (own[APACHE_CERTIFICATE] > 0 && own[APACHE_KEY] > own[APACHE_CERTIFICATE]) ||
	       (base[APACHE_CERTIFICATE] > 1 && base[APACHE_KEY] > base[APACHE_CERTIFICATE]);
}

const struct apache_ref *apache_chain_ref(const struct apache_model *model, const struct apache_host *host)
{
	const struct apache_ref *last = NULL;

	for (const struct apache_ref *ref = host->refs; ref != NULL; ref = ref->next)
		if (ref->kind == APACHE_CHAIN)
			last = ref;
	if (last == NULL && host != &model->main)
		return apache_chain_ref(model, &model->main);
	return last;
}

const struct apache_ref *apache_doubtful_ref(const struct apache_model *model,
					     const struct apache_host *host)
{
	const struct apache_ref *chain;

	if (!apache_is_doubtful(model->variables))
		return NULL;
	chain = apache_chain_ref(model, host);
	for (enum apache_kind kind = APACHE_CERTIFICATE; kind <= APACHE_KEY; kind++)
		for (size_t i = 0; i < apache_merged_count(model, host, kind); i++) {
			const struct apache_ref *ref = apache_merged_ref(model, host, kind, i);

			if (ref != NULL && ref->doubt != NULL)
				return ref;
		}
	return chain == NULL || chain->doubt == NULL ? NULL : chain;
}

const struct apache_use *apache_macro_of(const struct apache_host *host)
{
	const struct apache_use *use = host->use;

	for (const struct apache_ref *ref = host->refs; use == NULL && ref != NULL; ref = ref->next)
		use = ref->use;
	return use;
}

static const char *ref_file(const struct apache_ref *ref)
{
	return ref->file != NULL ? ref->file->path : ref->use->file;
}

static bool names_certificate(const struct apache_host *host)
{
	return host->confcmd != NULL && host->confcmd->certificate != NULL;
}

/* The pair that SSLOpenSSLConfCmd adds; returns how many. */
static size_t add_confcmd(const struct apache_host *host, struct certdeploy_pair *pair)
{
	const struct apache_confcmd *confcmd = host->confcmd;

	if (!names_certificate(host))
		return 0;
	*pair = (struct certdeploy_pair){confcmd->certificate,
					 confcmd->key != NULL ? confcmd->key : confcmd->certificate, NULL,
					 confcmd->file, confcmd->line};
	return 1;
}

static struct certdeploy_pair pair_at(const struct apache_model *model, const struct apache_host *host,
				      const struct apache_ref *certificate, size_t position)
{
	const struct apache_ref *key = apache_merged_ref(model, host, APACHE_KEY, position);
	const struct apache_ref *chain = apache_chain_ref(model, host);

	return (struct certdeploy_pair){certificate->value, key == NULL ? certificate->value : key->value,
					chain == NULL ? NULL : chain->value, ref_file(certificate),
					certificate->number};
}

static const char *type_of(struct certdeploy_reading *reading, const char *certificate)
{
	const struct certdeploy_leaf *leaf;

	return certdeploy_leaf(&leaf, reading, certificate) == 0 ? leaf->key_type : NULL;
}

/*
 * A key that belongs to a certificate before, of another type: httpd starts, but has no key for this one
 * and never serves it.
 */
static bool lacks_key(struct certdeploy_reading *reading, const struct certdeploy_pair *pairs, size_t last)
{
	const struct certdeploy_pair *pair = &pairs[last];

	for (size_t i = 0; i < last && last < PAIRS_COMPARED; i++) {
		const char *one, *other;

		if (strcmp(pairs[i].key, pair->key) != 0 ||
		    strcmp(pairs[i].certificate, pair->certificate) == 0)
			continue;
		one = type_of(reading, pairs[i].certificate);
		other = type_of(reading, pair->certificate);
		if (one != NULL && other != NULL && strcmp(one, other) != 0)
			return true;
	}
	return false;
}

int apache_make_pairs(struct apache_model *model, struct apache_host *host)
{
	size_t count = apache_merged_count(model, host, APACHE_CERTIFICATE);
	const struct apache_host *base = host == &model->main ? NULL : &model->main;
	const struct apache_ref *certificate;
	struct certdeploy_pair *pairs;
	size_t used = 0, extra = base != NULL && names_certificate(base) ? 1 : 0;

	extra += names_certificate(host) ? 1 : 0;
	if (count + extra > UINT16_MAX)
		return certdeploy_refuse(model->reading, "config-syntax", host->file->path, host->line,
					 _("there are too many certificates"));
	host->pair_count = (uint16_t)(count + extra);
	if (base != NULL && host->refs == NULL && !names_certificate(host)) {
		host->pairs = base->pairs;
		host->pair_count = base->pair_count;
		host->keyless = base->keyless;
		return 0;
	}
	if (count + extra == 0)
		return 0;
	pairs = certdeploy_alloc(model->reading, (count + extra) * sizeof(*pairs));
	if (pairs == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; (certificate = apache_merged_ref(model, host, APACHE_CERTIFICATE, i)) != NULL;
	     i++) {
		pairs[used] = pair_at(model, host, certificate, i);
		if (lacks_key(model->reading, pairs, used))
			host->keyless = true;
		else
			used++;
	}
	/* Applied behind all others, the main server's first. */
	if (base != NULL)
		used += add_confcmd(base, &pairs[used]);
	used += add_confcmd(host, &pairs[used]);
	host->pairs = pairs;
	host->pair_count = (uint16_t)used;
	return 0;
}
