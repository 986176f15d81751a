/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * misdirected.c - names that share a connection, and would not any more
 *
 * A client may use one connection for all names that its certificate covers. httpd answers 421
 * (Misdirected Request) to a name whose virtual host has other certificate lines than the one that
 * took the connection, unless SSLVHostSNIPolicy says otherwise. Most clients then open a connection
 * of its own; some show the error.
 */
#include "edit.h"
#include "hash.h"

#include <string.h>

/* The virtual hosts of a set that have one certificate. */
struct sharing {
	const struct apache_work *given; /* the first that gets another */
	const struct apache_host *kept;  /* the first that keeps it, or gets yet another; NULL: none */
	UT_hash_handle hh;
};

static const char *certificate_of(const struct apache_host *host)
{
	return host->pair_count == 0 ? NULL : host->pairs[host->pair_count - 1].certificate;
}

/* Whether its lines will name something else than they do. */
static bool gets_another(const struct apache_work *work)
{
	const char *now = work == NULL ? NULL : certificate_of(work->host);

	for (size_t i = 0; now != NULL && work->assignment->materials[i] != NULL; i++) {
		const struct certdeploy_paths *paths = &work->assignment->materials[i]->paths;

		if ((paths->fullchain != NULL && strcmp(now, paths->fullchain) == 0) ||
		    strcmp(now, paths->certificate) == 0)
			return false;
	}
	return now != NULL;
}

HASH_FUNCTION_BEGIN

static struct sharing *find_sharing(struct sharing *table, const char *certificate)
{
	struct sharing *found;

	HASH_FIND(hh, table, certificate, strlen(certificate), found);
	return found;
}

static struct sharing *add_sharing(struct certdeploy_reading *reading, struct sharing **table,
				   const char *certificate)
{
	struct sharing *added = certdeploy_alloc(reading, sizeof(*added));

	if (added == NULL)
		return NULL;
	HASH_ADD_KEYPTR(hh, *table, certificate, strlen(certificate), added);
	return added->hh.tbl == NULL ? NULL : added;
}

HASH_FUNCTION_END

static bool is_served(const struct apache_host *host)
{
	return host->tls && host->live && certificate_of(host) != NULL;
}

/* First those that get another certificate: they are few beside those that keep theirs. */
static int note_given(const struct apache_plan *plan, struct sharing **table,
		      const struct apache_host *host)
{
	struct sharing *sharing;

	if (!is_served(host) || !gets_another(host->work))
		return 0;
	sharing = find_sharing(*table, certificate_of(host));
	if (sharing == NULL) {
		sharing = add_sharing(plan->reading, table, certificate_of(host));
		if (sharing == NULL)
			return CERTDEPLOY_ENOMEM;
		sharing->given = host->work;
	} else if (!certdeploy_same_materials(sharing->given->assignment, host->work->assignment) &&
		   sharing->kept == NULL) {
		sharing->kept = host;
	}
	return 0;
}

static void note_kept(struct sharing *table, const struct apache_host *host)
{
	struct sharing *sharing;

	if (!is_served(host) || gets_another(host->work))
		return;
	sharing = find_sharing(table, certificate_of(host));
	if (sharing != NULL && sharing->kept == NULL)
		sharing->kept = host;
}

/* A name of the host that the certificate covers; NULL: none. */
static const char *covered(const struct apache_host *host, const struct certdeploy_leaf *leaf)
{
	const struct apache_name *name = host->server_name, *next = host->aliases;

	while (name != NULL || next != NULL) {
		if (name != NULL && apache_covers(leaf->names, name->text))
			return name->text;
		name = next;
		next = next == NULL ? NULL : next->next;
	}
	return NULL;
}

static void warn(const struct apache_plan *plan, const struct apache_set *set,
		 const struct sharing *sharing)
{
	const struct apache_host *host = sharing->given->host;
	const struct certdeploy_leaf *leaf;
	const char *given, *kept;

	if (certdeploy_leaf(&leaf, plan->reading, certificate_of(host)) != 0)
		return;
	given = covered(host, leaf);
	kept = covered(sharing->kept, leaf);
	if (given == NULL || kept == NULL)
		return;
	certdeploy_report(
		plan->reading, CERTDEPLOY_WARNING, "misdirected-request",
		host->use != NULL ? host->use->file : host->file->path, host->line,
		_("%s and %s (%s) have one certificate now and would have two: a client that uses "
		  "one connection for both is answered 421"),
		given, kept, set->listen);
}

int apache_warn_misdirected(const struct apache_plan *plan)
{
	const struct apache_model *model = plan->model;
	int result = 0;

	if (model->sni_policy == APACHE_SNI_OTHER)
		return 0;
	for (const struct apache_set *set = model->sets; result == 0 && set != NULL; set = set->next) {
		const struct apache_member *first = set->tls && set->count > 1 ? set->first : NULL;
		struct sharing *table = NULL;

		for (const struct apache_member *member = first; result == 0 && member != NULL;
		     member = member->next)
			result = note_given(plan, &table, member->host);
		for (const struct apache_member *member = first; table != NULL && member != NULL;
		     member = member->next)
			note_kept(table, member->host);
		for (const struct sharing *sharing = table; result == 0 && sharing != NULL;
		     sharing = sharing->hh.next)
			if (sharing->kept != NULL)
				warn(plan, set, sharing);
	}
	return result;
}
