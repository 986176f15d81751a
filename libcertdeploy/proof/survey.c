/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* survey.c - every endpoint with the certificates configured for it and what its port serves */
#include "proof/survey.h"

#include "base/hostname.h"
#include "base/text.h"
#include "certificate/leaf.h"
#include "host/managed.h"
#include "host/target.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_SECONDS 15
#define SILENT_SECONDS 3 /* in which a server takes a reload that brings a port back */
#define ENDPOINTS_A_SECOND 100

void cd_survey_close(struct cd_survey *survey)
{
	cd_vector_free(&survey->sights);
	cd_here_free(&survey->here);
	cd_arena_free(&survey->arena);
}

/* ---- which endpoints ---- */

struct choice {
	struct cd_table endpoints; /* address of the endpoint -> itself */
	size_t count;
};

static int choose(void *user, const struct certdeploy_endpoint *endpoint)
{
	struct choice *choice = user;

	choice->count++;
	return cd_table_put_bytes(&choice->endpoints, &endpoint, sizeof(endpoint), endpoint);
}

static int choose_answering(struct choice *choice, struct cd_seen *seen, const char *hostname)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(&seen->reading, &count);
	int result = 0;

	if (seen->service.adapter->answers != NULL)
		return seen->service.adapter->answers(&seen->reading, hostname, false, choose, choice);
	for (size_t i = 0; result == 0 && i < count; i++) {
		const char *name = all[i]->name != NULL ? all[i]->name : all[i]->server_name;

		if (name != NULL && cd_name_covers(name, hostname))
			result = choose(choice, all[i]);
	}
	return result;
}

/* The same endpoints as a target by this pattern has. */
static int choose_matching(struct choice *choice, struct cd_seen *seen, struct cd_problems *problems,
			   const char *pattern)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(&seen->reading, &count);
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++) {
		const char *name = all[i]->name != NULL ? all[i]->name : all[i]->server_name;
		int matches = name == NULL ? 0 : cd_pattern_found(&seen->reading.patterns, pattern, name);

		if (matches < 0)
			return cd_pattern_refused(problems, pattern);
		if (matches == 1)
			result = all[i]->name != NULL ? choose(choice, all[i])
						      : choose_answering(choice, seen, name);
	}
	return result;
}

static int choose_all(struct choice *choice, const struct cd_survey *survey, const char *const *hostnames)
{
	const struct cd_vector *services = &survey->inventory->services;
	int result = 0;

	for (; result == 0 && *hostnames != NULL; hostnames++) {
		size_t before = choice->count;

		for (size_t i = 0; result == 0 && i < services->count; i++) {
			struct cd_seen *seen = services->items[i];

			if (seen->result == 0)
				result = (*hostnames)[0] == '~'
						 ? choose_matching(choice, seen, &survey->result->problems,
								   *hostnames + 1)
						 : choose_answering(choice, seen, *hostnames);
		}
		if (result == 0 && choice->count == before)
			result = cd_fail(&survey->result->problems, CERTDEPLOY_EREFUSED, "no-endpoint",
					 NULL, 0, _("nothing on this host answers for %s"),
					 cd_safe(&survey->result->problems.arena, *hostnames));
	}
	return result;
}

/* ---- what there is to see ---- */

static int add_sight(struct cd_survey *survey, const struct cd_sight *like, const char *key_type,
		     const char *address, uint16_t port)
{
	struct cd_sight *sight = cd_arena_alloc(&survey->arena, sizeof(*sight));

	if (sight == NULL || cd_vector_add(&survey->sights, sight) != 0)
		return cd_fail_memory(&survey->result->problems);
	*sight = *like;
	sight->address = address;
	sight->port = port;
	sight->key_type = key_type;
	return 0;
}

/* Where the settings name ports for the protocol, these stand for the listeners. */
static int add_places(struct cd_survey *survey, const struct cd_sight *like, const char *key_type)
{
	const struct cd_service_settings *configured = like->seen->configured;
	const struct certdeploy_endpoint *own = like->endpoint;
	size_t at = 0;
	const struct cd_probe_setting *instead = cd_probe_setting_next(configured, own->protocol, &at);
	int result = 0;

	/* What another host serves on an address says nothing about this one. */
	if (instead == NULL)
		result = add_sight(survey, like, key_type, own->address,
				   cd_here_has(&survey->here, own->address) ? own->port : 0);
	for (; result == 0 && instead != NULL;
	     instead = cd_probe_setting_next(configured, own->protocol, &at))
		result = add_sight(survey, like, key_type, instead->address, instead->port);
	return result;
}

/* A later pair of the same key type hides this one. */
static bool is_hidden(const struct cd_sight *pairs, size_t count, size_t which)
{
	for (size_t i = which + 1; i < count; i++)
		if (pairs[which].leaf != NULL && pairs[i].leaf != NULL &&
		    strcmp(pairs[i].leaf->key_type, pairs[which].leaf->key_type) == 0)
			return true;
	return false;
}

/* One certificate of an endpoint in all its places, with a report of its own. */
static int add_pair(struct cd_survey *survey, struct cd_sight *like, const char *key_type, bool last)
{
	size_t from = survey->sights.count;
	int result;

	if (!last)
		like->report = cd_report_also(survey->result, like->report, like->pair, like->leaf);
	if (like->report == NULL)
		return CERTDEPLOY_ENOMEM;
	result = add_places(survey, like, key_type);
	if (result == 0)
		((struct cd_sight *)survey->sights.items[from])->first = true;
	return result;
}

static int add_endpoint(struct cd_survey *survey, struct cd_seen *seen,
			const struct certdeploy_endpoint *endpoint,
			struct certdeploy_endpoint_report *report)
{
	size_t count = endpoint->pair_count, in_force = 0;
	struct cd_sight none = {.seen = seen, .endpoint = endpoint, .report = report};
	struct cd_sight *pairs = cd_arena_array(&survey->arena, count + 1, sizeof(*pairs));
	int result = 0;

	if (pairs == NULL)
		return cd_fail_memory(&survey->result->problems);
	for (size_t i = 0; i < count; i++) {
		pairs[i] = none;
		pairs[i].pair = &endpoint->pairs[i];
		pairs[i].leaf_result = pairs[i].pair->certificate == NULL
					       ? CERTDEPLOY_ENOTFOUND
					       : certdeploy_leaf(&pairs[i].leaf, &seen->reading,
								 pairs[i].pair->certificate);
		if (pairs[i].leaf_result == CERTDEPLOY_ENOMEM)
			return cd_fail_memory(&survey->result->problems);
	}
	for (size_t i = 0; i < count; i++)
		in_force += is_hidden(pairs, count, i) ? 0 : 1;
	for (size_t i = 0; result == 0 && i < count; i++)
		if (!is_hidden(pairs, count, i))
			result = add_pair(survey, &pairs[i],
					  in_force > 1 && pairs[i].leaf != NULL ? pairs[i].leaf->key_type
										: NULL,
					  i + 1 == count);
	return result == 0 && count == 0 ? add_pair(survey, &none, NULL, true) : result;
}

static int add_service(struct cd_survey *survey, struct cd_seen *seen, const struct choice *choice)
{
	struct certdeploy_service_report *service = cd_report_service(survey->result, seen);
	struct cd_vector reports = {0};
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(&seen->reading, &count);
	int result = service == NULL ? CERTDEPLOY_ENOMEM : 0;

	for (size_t i = 0; result == 0 && seen->result == 0 && i < count; i++) {
		struct certdeploy_endpoint_report *report;

		if (choice != NULL &&
		    cd_table_get_bytes(&choice->endpoints, &all[i], sizeof(all[i])) == NULL)
			continue;
		report = cd_report_endpoint(survey->result, all[i], &seen->reading);
		if (report != NULL && report->note == NULL)
			report->note = cd_report_text(survey->result,
						      cd_managed_endpoint(&seen->reading, all[i], false));
		if (report == NULL || cd_vector_add(&reports, report) != 0)
			result = cd_fail_memory(&survey->result->problems);
		else
			result = add_endpoint(survey, seen, all[i], report);
	}
	if (result == 0 && seen->result != 0)
		service->state = "failed";
	if (result == 0)
		result = cd_report_set_endpoints(survey->result, service, &reports);
	cd_vector_free(&reports);
	return result;
}

int cd_survey_make(struct cd_survey *survey, struct certdeploy_result *result,
		   struct cd_inventory *inventory, const char *const *hostnames)
{
	struct choice choice = {0};
	bool some = hostnames != NULL && hostnames[0] != NULL;
	int code = 0;

	*survey = (struct cd_survey){.result = result, .inventory = inventory};
	if (some)
		code = cd_hostnames_check(&result->problems, hostnames, true);
	if (code == 0 && some)
		code = choose_all(&choice, survey, hostnames);
	for (size_t i = 0; code == 0 && i < inventory->services.count; i++)
		code = add_service(survey, inventory->services.items[i], some ? &choice : NULL);
	cd_table_free(&choice.endpoints);
	return code;
}

/* ---- looking ---- */

bool cd_sight_agrees(const struct cd_sight *sight)
{
	if (sight->probe == NULL || sight->leaf == NULL)
		return true;
	return cd_leaf_is(sight->leaf, sight->probe->sha256);
}

static int progress(void *user, size_t done, size_t total)
{
	const struct cd_survey *survey = user;

	return cd_progress(survey->result->cd, &survey->result->problems, "verify", done, total) == 0 ? 0
												      : 1;
}

static int look_at(struct cd_survey *survey, const struct cd_vector *sights, bool until_it_agrees,
		   unsigned seconds)
{
	const struct cd_probing how = {.seconds = seconds + (unsigned)(sights->count / ENDPOINTS_A_SECOND),
				       .progress = progress,
				       .user = survey};
	struct cd_probe *probes = cd_arena_array(&survey->arena, sights->count + 1, sizeof(*probes));
	int result;

	if (probes == NULL)
		return cd_fail_memory(&survey->result->problems);
	for (size_t i = 0; i < sights->count; i++) {
		struct cd_sight *sight = sights->items[i];

		probes[i] = cd_probe_of(sight->endpoint);
		probes[i].address = sight->address;
		probes[i].port = sight->port;
		probes[i].key_type = sight->key_type;
		probes[i].want = until_it_agrees ? sight->leaf->sha256 : NULL;
		sight->probe = &probes[i];
	}
	result = cd_probe_all(probes, sights->count, &how);
	return result == CERTDEPLOY_ENOMEM ? cd_fail_memory(&survey->result->problems) : result;
}

static bool can_be_seen(const struct cd_survey *survey, const struct cd_sight *sight)
{
	return survey->inventory->host.root.live && sight->endpoint->tls && sight->port != 0 &&
	       !sight->endpoint->unseen && sight->seen->running != 0;
}

static int look_again(struct cd_survey *survey, bool silent, unsigned patience)
{
	struct cd_vector differing = {0};
	int result = 0;

	for (size_t i = 0; result == 0 && i < survey->sights.count; i++) {
		struct cd_sight *sight = survey->sights.items[i];

		if (sight->silent == silent && !cd_sight_agrees(sight))
			result = cd_vector_add(&differing, sight);
	}
	if (result == 0)
		result = look_at(survey, &differing, true, patience);
	cd_vector_free(&differing);
	return result;
}

/* An endpoint is verified when every look at it agrees. */
static int report_looks(struct cd_survey *survey)
{
	for (size_t i = 0; i < survey->sights.count; i++) {
		const struct cd_sight *sight = survey->sights.items[i];
		struct certdeploy_endpoint_report *report = sight->report;
		bool agrees = sight->probe != NULL && sight->leaf != NULL && cd_sight_agrees(sight);

		report->verified = agrees && (sight->first || report->verified);
		if (sight->probe == NULL || sight->probe->sha256[0] == '\0')
			continue;
		report->served_sha256 =
			cd_arena_string(&survey->result->problems.arena, sight->probe->sha256);
		report->served_not_after = sight->probe->not_after;
		if (report->served_sha256 == NULL)
			return cd_fail_memory(&survey->result->problems);
	}
	return 0;
}

int cd_survey_look(struct cd_survey *survey, unsigned patience)
{
	struct cd_vector visible = {0};
	int result = 0;

	for (size_t i = 0; result == 0 && i < survey->sights.count; i++)
		if (can_be_seen(survey, survey->sights.items[i]))
			result = cd_vector_add(&visible, survey->sights.items[i]);
	if (result == 0)
		result = look_at(survey, &visible, false, LOOK_SECONDS);
	if (result == 0 && patience != 0)
		result = look_again(survey, false, patience);
	if (result == 0 && patience != 0)
		result = look_again(survey, true, patience < SILENT_SECONDS ? patience : SILENT_SECONDS);
	cd_vector_free(&visible);
	return result == 0 ? report_looks(survey) : result;
}

/* ---- what is wrong ---- */

int cd_sight_judge_file(struct cd_problems *problems, const struct cd_sight *sight)
{
	const char *service = problems->service;
	const char *path = sight->pair == NULL ? NULL : sight->pair->certificate;

	if (sight->pair == NULL || sight->leaf_result == 0 || !sight->endpoint->tls)
		return 0;
	problems->service = cd_arena_string(&problems->arena, sight->seen->service.name);
	if (path == NULL)
		cd_problem(problems, CERTDEPLOY_ERROR, "not-found", sight->pair->file, sight->pair->line,
			   _("there is a key here, but no certificate"));
	else if (sight->leaf_result == CERTDEPLOY_ENOTFOUND)
		cd_problem(problems, CERTDEPLOY_ERROR, "not-found", sight->pair->file, sight->pair->line,
			   _("the certificate %s is not there"), cd_safe(&problems->arena, path));
	else if (sight->leaf_result == CERTDEPLOY_EPERMISSION)
		cd_problem(problems, CERTDEPLOY_WARNING, "not-permitted", path, 0,
			   _("the certificate cannot be read"));
	else
		cd_problem(problems, CERTDEPLOY_ERROR, "not-a-certificate", path, 0,
			   _("no certificate could be read"));
	problems->service = service;
	return sight->leaf_result == CERTDEPLOY_EPERMISSION ? 0 : CERTDEPLOY_EDIFFERENT;
}

int cd_sight_judge_port(struct cd_problems *problems, const struct cd_sight *sight)
{
	const struct certdeploy_endpoint *endpoint = sight->endpoint;
	const char *service = problems->service, *file = endpoint->file;
	const char *name;
	size_t line = endpoint->line;

	if (sight->probe == NULL || (sight->probe->state == CD_PROBE_SERVED && cd_sight_agrees(sight)))
		return 0;
	name = cd_probe_title(&problems->arena, endpoint);
	if (sight->pair != NULL && sight->pair->file != NULL) {
		file = sight->pair->file;
		line = sight->pair->line;
	}
	problems->service = cd_arena_string(&problems->arena, sight->seen->service.name);
	if (sight->probe->state == CD_PROBE_SERVED)
		cd_problem(problems, CERTDEPLOY_ERROR, "served-other", file, line,
			   _("%s on port %u (%s) serves another certificate: %s"), name,
			   (unsigned)sight->port, endpoint->protocol, sight->probe->sha256);
	else
		cd_problem(problems, CERTDEPLOY_ERROR, cd_probe_code(sight->probe), file, line,
			   _("%s on port %u (%s) could not be proven: %s"), name, (unsigned)sight->port,
			   endpoint->protocol,
			   sight->probe->detail[0] == '\0' ? "-" : sight->probe->detail);
	problems->service = service;
	return CERTDEPLOY_EDIFFERENT;
}
