/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* use.c - what on this host still names a certificate of the store */
#include "use.h"

#include "base/text.h"
#include "change/document.h"
#include "host/inventory.h"

#include <string.h>

struct search {
	struct cd_inventory inventory;
	struct cd_problems *problems;
	const char *name;
	const char *prefix; /* STORE/NAME/ */
	const char *real;   /* the same where links lead; or prefix */
	struct cd_table told;
	size_t found;
};

static int tell(struct search *search, const char *file, size_t line)
{
	char *place = cd_arena_format(&search->inventory.arena, "%s:%zu", file == NULL ? "" : file, line);

	search->found++;
	if (place == NULL)
		return cd_fail_memory(search->problems);
	if (cd_table_get(&search->told, place) != NULL)
		return 0;
	cd_problem(search->problems, CERTDEPLOY_ERROR, "in-use", file, line,
		   _("this place names the certificate %s"), search->name);
	return cd_table_put(&search->told, place, place) == 0 ? 0 : cd_fail_memory(search->problems);
}

/* As it is written, or where it leads: sites have links of their own into the store. */
static bool leads_there(struct search *search, const char *path)
{
	size_t length = strlen(search->prefix), real_length = strlen(search->real);
	struct cd_problems ignored = {0};
	struct cd_place place;
	bool leads;

	if (path == NULL || path[0] != '/')
		return false;
	if (strncmp(path, search->prefix, length) == 0)
		return true;
	if (cd_place_find(&place, &ignored, &search->inventory.host.root, path, CD_TRUST_ANY) != 0) {
		cd_problems_free(&ignored);
		return false;
	}
	leads = strncmp(place.path, search->real, real_length) == 0;
	cd_place_close(&place);
	cd_problems_free(&ignored);
	return leads;
}

static int search_endpoints(struct search *search, const struct cd_seen *seen)
{
	int code = 0;

	for (size_t i = 0; i < seen->reading.endpoints.count; i++) {
		const struct certdeploy_endpoint *endpoint = seen->reading.endpoints.items[i];

		for (size_t k = 0; code == 0 && k < endpoint->pair_count; k++) {
			const struct certdeploy_pair *pair = &endpoint->pairs[k];

			if (leads_there(search, pair->certificate) || leads_there(search, pair->key) ||
			    leads_there(search, pair->chain))
				code = tell(search, pair->file, pair->line);
		}
	}
	return code;
}

/* A part that is not in force today may be tomorrow; only comments do not count. */
static int search_document(struct search *search, const struct certdeploy_document *document)
{
	size_t length = strlen(search->prefix), line = 1;
	const char *at = document->bytes, *end = at + document->length, *counted = at;
	int code = 0;

	while (code == 0 && (at = memmem(at, (size_t)(end - at), search->prefix, length)) != NULL) {
		const char *start = at;

		while (start > document->bytes && start[-1] != '\n')
			start--;
		for (; counted < start; counted++)
			line += *counted == '\n' ? 1 : 0;
		start += strspn(start, " \t");
		if (*start != '#')
			code = tell(search, document->path, line);
		at += length;
	}
	return code;
}

/* Read again where the adapter let go of it. What was read under two names is searched once. */
static int search_file(struct search *search, const struct certdeploy_document *known)
{
	struct certdeploy_document *document = NULL;
	int code = cd_host_document(&document, &search->inventory.host, known->path);

	if (code != 0 || document != known)
		return code;
	code = search_document(search, document);
	cd_document_drop(document);
	return code;
}

static int search_host(struct search *search)
{
	const struct cd_vector *services = &search->inventory.services;
	const struct cd_vector *documents = &search->inventory.host.owned;
	int code = cd_inventory_result(&search->inventory);

	for (size_t i = 0; code == 0 && i < services->count; i++)
		code = search_endpoints(search, services->items[i]);
	for (size_t i = 0; code == 0 && i < documents->count; i++)
		code = search_file(search, documents->items[i]);
	return code == 0 && search->found != 0 ? CERTDEPLOY_EREFUSED : code;
}

/* Where the name's directory really is. */
static int find_real(struct search *search, const char *base)
{
	struct cd_problems ignored = {0};
	struct cd_place place;

	search->real = search->prefix;
	if (cd_place_find(&place, &ignored, &search->inventory.host.root, base, CD_TRUST_ANY) == 0) {
		search->real = cd_arena_format(&search->inventory.arena, "%s/", place.path);
		cd_place_close(&place);
	}
	cd_problems_free(&ignored);
	return search->real == NULL ? cd_fail_memory(search->problems) : 0;
}

int cd_refuse_use(struct certdeploy_result *result, const struct certdeploy_request *request,
		  const char *name)
{
	struct search search = {.problems = &result->problems, .name = name};
	const char *base =
		cd_arena_format(&result->problems.arena, "%s/%s", result->cd->settings.store, name);
	int code = cd_inventory_open(&search.inventory, result->cd, &result->problems, request, true);

	search.prefix = cd_arena_format(&search.inventory.arena, "%s/", base == NULL ? "" : base);
	if (code == 0 && (base == NULL || search.prefix == NULL))
		code = cd_fail_memory(&result->problems);
	if (code == 0)
		code = find_real(&search, base);
	if (code == 0)
		code = search_host(&search);
	cd_table_free(&search.told);
	cd_inventory_close(&search.inventory);
	return code;
}
