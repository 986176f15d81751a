/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * merge.c - the certificates of a virtual host, laid by position over those of the main server
 *
 * As modssl_ctx_cfg_merge_certkeys_array() of mod_ssl.
 */
#include "adapter.h"

#include <string.h>

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

/* All of them in turn, for a host that has thousands. */
struct merging {
	enum apache_kind kind;
	size_t first; /* own ones that still come before the inherited */
	const struct apache_ref *own, *inherited;
};

static const struct apache_ref *next_of_kind(const struct apache_ref *ref, enum apache_kind kind)
{
	while (ref != NULL && ref->kind != kind)
		ref = ref->next;
	return ref;
}

static struct merging begin_merging(const struct apache_model *model, const struct apache_host *host,
				    enum apache_kind kind)
{
	size_t own = host->counts[kind], first = own < APACHE_OWN_FIRST ? own : APACHE_OWN_FIRST;

	return (struct merging){
		.kind = kind,
		.first = first,
		.own = next_of_kind(host->refs, kind),
		.inherited = host == &model->main ? NULL : nth_ref(&model->main, kind, first),
	};
}

static const struct apache_ref *next_merged(struct merging *merging)
{
	bool from_own = merging->first > 0 || merging->inherited == NULL;
	const struct apache_ref **from = from_own ? &merging->own : &merging->inherited;
	const struct apache_ref *next = *from;

	merging->first -= merging->first > 0 ? 1 : 0;
	if (next != NULL)
		*from = next_of_kind(next->next, merging->kind);
	return next;
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
	for (enum apache_kind kind = APACHE_CERTIFICATE; kind <= APACHE_KEY; kind++) {
		struct merging merging = begin_merging(model, host, kind);
		const struct apache_ref *ref = next_merged(&merging);

		while (ref != NULL && ref->doubt == NULL)
			ref = next_merged(&merging);
		if (ref != NULL)
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

int apache_make_pairs(struct apache_model *model, struct apache_host *host)
{
	size_t count = apache_merged_count(model, host, APACHE_CERTIFICATE);
	struct merging certificates = begin_merging(model, host, APACHE_CERTIFICATE);
	struct merging keys = begin_merging(model, host, APACHE_KEY);
	const struct apache_ref *chain = apache_chain_ref(model, host);
	const struct apache_host *base = host == &model->main ? NULL : &model->main;
	struct certdeploy_pair *pairs;
	size_t extra = base != NULL && names_certificate(base) ? 1 : 0;

	extra += names_certificate(host) ? 1 : 0;
	if (count + extra > UINT16_MAX)
		return certdeploy_refuse(model->reading, "config-syntax", host->file->path, host->line,
					 _("there are too many certificates"));
	host->pair_count = (uint16_t)(count + extra);
	if (base != NULL && host->refs == NULL && !names_certificate(host)) {
		host->pairs = base->pairs;
		host->pair_count = base->pair_count;
		host->crossed = base->crossed;
		return 0;
	}
	if (count + extra == 0)
		return 0;
	pairs = certdeploy_alloc(model->reading, (count + extra) * sizeof(*pairs));
	if (pairs == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct apache_ref *certificate = next_merged(&certificates);
		const struct apache_ref *key = next_merged(&keys);

		pairs[i].certificate = certificate->value;
		pairs[i].key = key == NULL ? certificate->value : key->value;
		pairs[i].chain = chain == NULL ? NULL : chain->value;
		pairs[i].file = ref_file(certificate);
		pairs[i].line = certificate->number;
	}
	/* Applied behind all others, the main server's first. */
	if (base != NULL)
		count += add_confcmd(base, &pairs[count]);
	(void)add_confcmd(host, &pairs[count]);
	host->pairs = pairs;
	return count > 1 && extra == 0 ? apache_sort_keys(model, host) : 0;
}
