/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report.c - copies of what was found, for a result that outlives the run */
#include "report.h"

#include <string.h>

static const char *keep(struct certdeploy_result *result, const char *string)
{
	const char *copy = cd_arena_string(&result->problems.arena, string);

	if (string != NULL && copy == NULL)
		result->problems.out_of_memory = true;
	return copy;
}

const char *cd_report_text(struct certdeploy_result *result, const char *text)
{
	return keep(result, text);
}

static const char *const *keep_list(struct certdeploy_result *result, const char *const *list)
{
	const char *const *copy = cd_arena_list(&result->problems.arena, list);

	if (list != NULL && copy == NULL)
		result->problems.out_of_memory = true;
	return copy;
}

static void *make(struct certdeploy_result *result, size_t size)
{
	void *piece = cd_arena_alloc(&result->problems.arena, size);

	if (piece == NULL)
		result->problems.out_of_memory = true;
	return piece;
}

static int add(struct certdeploy_result *result, struct cd_vector *list, const void *report)
{
	if (report == NULL || cd_vector_add(list, report) != 0)
		return cd_fail_memory(&result->problems);
	return result->problems.out_of_memory ? CERTDEPLOY_ENOMEM : 0;
}

struct certdeploy_service_report *cd_report_service(struct certdeploy_result *result,
						    const struct cd_seen *seen)
{
	static const struct certdeploy_endpoint_report *const none[] = {NULL};
	struct certdeploy_service_report *report = make(result, sizeof(*report));

	if (report == NULL)
		return NULL;
	report->name = keep(result, seen->service.name);
	report->adapter = keep(result, seen->service.adapter->name);
	report->version = keep(result, seen->version);
	report->config = keep(result, cd_service_get(&seen->service, "config"));
	report->action = "none";
	report->state = "unchanged";
	report->running = seen->running;
	report->endpoints = none;
	return add(result, &result->services, report) == 0 ? report : NULL;
}

/* The file, the key and the line of one of its certificates. */
static void report_pair(struct certdeploy_result *result, struct certdeploy_endpoint_report *report,
			const struct certdeploy_pair *pair)
{
	report->certificate = keep(result, pair->certificate);
	report->key = keep(result, pair->key);
	if (pair->file != NULL) {
		report->file = keep(result, pair->file);
		report->line = pair->line;
	}
}

static void report_leaf(struct certdeploy_result *result, struct certdeploy_endpoint_report *report,
			const struct certdeploy_leaf *leaf)
{
	report->sha256 = keep(result, leaf->sha256);
	report->key_type = keep(result, leaf->key_type);
	report->not_before = leaf->not_before;
	report->not_after = leaf->not_after;
}

struct certdeploy_endpoint_report *cd_report_endpoint(struct certdeploy_result *result,
						      const struct certdeploy_endpoint *endpoint,
						      struct certdeploy_reading *leaf_of)
{
	struct certdeploy_endpoint_report *report = make(result, sizeof(*report));
	const struct certdeploy_pair *pair = NULL;
	const struct certdeploy_leaf *leaf = NULL;

	if (report == NULL)
		return NULL;
	report->name = keep(result, endpoint->name);
	report->listen = keep(result, endpoint->listen);
	report->protocol = keep(result, endpoint->protocol);
	report->file = keep(result, endpoint->file);
	report->line = endpoint->line;
	report->is_default = endpoint->is_default && endpoint->name == NULL;
	report->tls = endpoint->tls;
	report->inherited = endpoint->inherited;
	report->note = keep(result, endpoint->note == NULL
					    ? NULL
					    : cd_catalogue_text(result->cd->catalogue, endpoint->note));
	if (endpoint->pair_count > 0) {
		pair = &endpoint->pairs[endpoint->pair_count - 1];
		report_pair(result, report, pair);
	}
	if (leaf_of != NULL && pair != NULL && pair->certificate != NULL)
		(void)certdeploy_leaf(&leaf, leaf_of, pair->certificate);
	if (leaf != NULL)
		report_leaf(result, report, leaf);
	return report;
}

struct certdeploy_endpoint_report *cd_report_also(struct certdeploy_result *result,
						  struct certdeploy_endpoint_report *endpoint,
						  const struct certdeploy_pair *pair,
						  const struct certdeploy_leaf *leaf)
{
	struct certdeploy_endpoint_report *report = make(result, sizeof(*report));

	if (report == NULL)
		return NULL;
	*report = *endpoint;
	report->sha256 = report->key_type = NULL;
	report->not_before = report->not_after = 0;
	report_pair(result, report, pair);
	if (leaf != NULL)
		report_leaf(result, report, leaf);
	endpoint->also = report;
	return report;
}

int cd_report_set_endpoints(struct certdeploy_result *result, struct certdeploy_service_report *service,
			    const struct cd_vector *endpoints)
{
	const struct certdeploy_endpoint_report **list =
		make(result, (endpoints->count + 1) * sizeof(*list));

	if (list == NULL)
		return CERTDEPLOY_ENOMEM;
	if (endpoints->count != 0)
		memcpy(list, endpoints->items, endpoints->count * sizeof(*list));
	service->endpoints = (const struct certdeploy_endpoint_report *const *)list;
	return 0;
}

static struct certdeploy_certificate_report *
copy_certificate(struct certdeploy_result *result, const struct certdeploy_certificate_report *from)
{
	struct certdeploy_certificate_report *copy = make(result, sizeof(*copy));

	if (copy == NULL)
		return NULL;
	*copy = *from;
	copy->name = keep(result, from->name);
	copy->sha256 = keep(result, from->sha256);
	copy->key_type = keep(result, from->key_type);
	copy->names = keep_list(result, from->names);
	copy->subject = keep(result, from->subject);
	copy->issuer = keep(result, from->issuer);
	copy->serial = keep(result, from->serial);
	copy->public_key_sha256 = keep(result, from->public_key_sha256);
	copy->signature = keep(result, from->signature);
	copy->usages = keep_list(result, from->usages);
	copy->names_unicode = keep_list(result, from->names_unicode);
	copy->missing_issuer = keep(result, from->missing_issuer);
	copy->key_origin = keep(result, from->key_origin);
	copy->stored_as = keep(result, from->stored_as);
	copy->generation = keep(result, from->generation);
	copy->chain = NULL;
	return copy;
}

static int copy_chain(struct certdeploy_result *result, struct certdeploy_certificate_report *to,
		      const struct certdeploy_certificate_report *from)
{
	const struct certdeploy_certificate_report **chain;
	size_t count = 0;

	while (from->chain != NULL && from->chain[count] != NULL)
		count++;
	chain = make(result, (count + 1) * sizeof(*chain));
	if (chain == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < count; i++)
		chain[i] = copy_certificate(result, from->chain[i]);
	to->chain = (const struct certdeploy_certificate_report *const *)chain;
	return 0;
}

int cd_report_certificate(struct certdeploy_result *result,
			  const struct certdeploy_certificate_report *certificate, const char *name)
{
	struct certdeploy_certificate_report *copy = copy_certificate(result, certificate);

	if (copy == NULL || copy_chain(result, copy, certificate) != 0)
		return CERTDEPLOY_ENOMEM;
	if (name != NULL)
		copy->name = keep(result, name);
	return add(result, &result->certificates, copy);
}

int cd_report_file(struct certdeploy_result *result, const char *path, const char *change,
		   const char *backup, const char *service)
{
	struct certdeploy_file_report *report = make(result, sizeof(*report));

	if (report == NULL)
		return CERTDEPLOY_ENOMEM;
	report->path = keep(result, path);
	report->change = keep(result, change);
	report->backup = keep(result, backup);
	report->service = keep(result, service);
	return add(result, &result->files, report);
}
