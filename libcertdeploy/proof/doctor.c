/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor.c - why is it not served?
 *
 * The checks stand in the order in which one thing hangs on another: the server runs, its own test
 * passes, the files that its configuration names are there and fit each other, they cover the names,
 * and each port serves them. What hangs on a check that failed is not looked at: it would only repeat it.
 */
#include "base/hostname.h"
#include "base/text.h"
#include "certificate/certificate.h"
#include "host/target.h"
#include "operation.h"
#include "proof/survey.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 3
#define FILE_LIMIT ((size_t)256 << 10)

struct visit {
	struct certdeploy_result *result;
	struct cd_inventory *inventory;
	struct cd_problems *problems;
	const struct certdeploy_request *request;
	struct cd_survey survey;
	struct cd_table pairs; /* certificate, key and chain that were looked into -> something */
};

static void set_service(struct visit *visit, const struct cd_seen *seen)
{
	visit->problems->service =
		seen == NULL ? NULL : cd_arena_string(&visit->problems->arena, seen->service.name);
}

/* ---- the servers ---- */

static bool is_callers(const char *config)
{
	struct stat status;

	return config != NULL && stat(config, &status) == 0 && status.st_uid == geteuid();
}

/* A server's own test wants the rights of who runs it: that it fails for somebody else says nothing. */
static void test(struct visit *visit, const struct cd_seen *seen)
{
	const char *config = cd_service_get(&seen->service, "config");
	struct cd_problems ignored = {0};

	if (geteuid() == 0 || is_callers(config))
		(void)cd_control_test(&seen->control, visit->problems);
	else if (cd_control_test(&seen->control, &ignored) != 0)
		cd_problem(visit->problems, CERTDEPLOY_WARNING, "not-permitted", config, 0,
			   _("whether the server accepts its configuration could not be tested"));
	cd_problems_free(&ignored);
}

static void check_services(struct visit *visit)
{
	const struct cd_vector *services = &visit->inventory->services;

	if (services->count == 0)
		cd_problem(visit->problems, CERTDEPLOY_ERROR, "no-service", NULL, 0,
			   _("no server that certdeploy knows was found on this host"));
	for (size_t i = 0; i < services->count; i++) {
		const struct cd_seen *seen = services->items[i];

		if (seen->result != 0 || !visit->inventory->host.root.live)
			continue;
		set_service(visit, seen);
		if (seen->running == 0)
			cd_problem(visit->problems, CERTDEPLOY_ERROR, "stopped",
				   cd_service_get(&seen->service, "config"), 0, _("%s does not run"),
				   seen->service.name);
		if (seen->control.test != NULL)
			test(visit, seen);
		set_service(visit, NULL);
	}
}

/* ---- the files ---- */

struct file {
	const char *path;
	char *bytes;
	size_t length;
	struct cd_identity identity;
};

static void drop_file(struct file *file)
{
	if (file->bytes != NULL)
		OPENSSL_cleanse(file->bytes, file->length);
	free(file->bytes);
	*file = (struct file){0};
}

/* Returns 0 or an errno. */
static int read_file(struct visit *visit, struct file *file, const char *path)
{
	*file = (struct file){.path = path};
	return cd_read_file(&file->bytes, &file->length, &file->identity, &visit->inventory->host.root,
			    path, FILE_LIMIT);
}

/* A key that others may read is no secret; a directory that others may change is no safe place. */
static void check_permissions(struct visit *visit, const struct file *key)
{
	const struct cd_host *host = &visit->inventory->host;
	struct cd_problems found = {.catalogue = visit->problems->catalogue};
	struct cd_place place = {.directory = -1};

	if ((key->identity.mode & 0007) != 0)
		cd_problem(visit->problems, CERTDEPLOY_ERROR, "key-exposed", key->path, 0,
			   _("everybody on this host may read or change the private key (mode %04o)"),
			   (unsigned)(key->identity.mode & 07777));
	else if ((key->identity.mode & 0020) != 0)
		cd_problem(visit->problems, CERTDEPLOY_WARNING, "key-exposed", key->path, 0,
			   _("a group may change the private key (mode %04o)"),
			   (unsigned)(key->identity.mode & 07777));
	if (cd_place_find(&place, &found, &host->root, key->path, CD_TRUST_CHECK) == CERTDEPLOY_EREFUSED)
		for (size_t i = 0; i < found.list.count; i++) {
			const struct certdeploy_problem *problem = found.list.items[i];

			cd_problem(visit->problems, CERTDEPLOY_WARNING, problem->code, problem->file,
				   problem->line, "%s", problem->message);
		}
	cd_place_close(&place);
	cd_problems_free(&found);
}

static int check_key_file(struct visit *visit, struct file *key, const struct certdeploy_pair *pair)
{
	int error = pair->key == NULL ? ENOENT : read_file(visit, key, pair->key);

	if (error == ENOMEM)
		return cd_fail_memory(visit->problems);
	if (error == EACCES || error == EPERM) {
		cd_problem(visit->problems, CERTDEPLOY_WARNING, "not-permitted", pair->key, 0,
			   _("the private key cannot be read; whether it fits was not checked"));
	} else if (error != 0) {
		cd_problem(visit->problems, CERTDEPLOY_ERROR,
			   pair->key == NULL ? "key-missing" : "not-found", pair->file, pair->line,
			   _("the private key %s is not there or no file"),
			   pair->key == NULL ? "" : cd_safe(&visit->problems->arena, pair->key));
	} else {
		check_permissions(visit, key);
	}
	return 0;
}

/* Key, chain, dates, strength and usage, as they are checked before anything is deployed. */
static int check_material(struct visit *visit, const struct certdeploy_pair *pair)
{
	struct file files[3] = {{0}};
	struct cd_piece pieces[3];
	struct cd_certificates certificates = {0};
	struct cd_load load = {
		.pieces = pieces,
		.accepted = cd_request_list(visit->request, CERTDEPLOY_ACCEPT),
		.now = (int64_t)time(NULL),
		.passphrase = visit->result->cd->passphrase,
		.user = visit->result->cd->user,
	};
	int result = check_key_file(visit, &files[1], pair);

	if (result == 0 && read_file(visit, &files[0], pair->certificate) == ENOMEM)
		result = cd_fail_memory(visit->problems);
	if (result == 0 && pair->chain != NULL && read_file(visit, &files[2], pair->chain) != 0)
		cd_problem(visit->problems, CERTDEPLOY_ERROR, "not-found", pair->file, pair->line,
			   _("the chain %s is not there or no file"),
			   cd_safe(&visit->problems->arena, pair->chain));
	for (size_t i = 0; result == 0 && i < 3; i++) {
		bool again = i == 1 &&
			     strcmp(pair->certificate, files[1].path == NULL ? "" : files[1].path) == 0;

		if (files[i].bytes != NULL && !again)
			pieces[load.count++] = (struct cd_piece){.bytes = files[i].bytes,
								 .length = files[i].length,
								 .kind = i == 1 ? CERTDEPLOY_MATERIAL_KEY
										: CERTDEPLOY_MATERIAL_ANY,
								 .origin = files[i].path};
	}
	load.need_key = files[1].bytes != NULL;
	if (result == 0 && load.count != 0 && files[0].bytes != NULL)
		result = cd_certificates_load(&certificates, visit->problems, &load);
	cd_certificates_free(&certificates);
	for (size_t i = 0; i < 3; i++)
		drop_file(&files[i]);
	return result == CERTDEPLOY_ENOMEM ? result : 0;
}

/* Each pair once, however many names it serves. */
static int check_pair(struct visit *visit, const struct cd_sight *sight)
{
	const struct certdeploy_pair *pair = sight->pair;
	const char *key;

	if (pair == NULL || !sight->endpoint->tls)
		return 0;
	key = cd_arena_format(&visit->survey.arena, "%s\n%s\n%s",
			      pair->certificate == NULL ? "" : pair->certificate,
			      pair->key == NULL ? "" : pair->key, pair->chain == NULL ? "" : pair->chain);
	if (key == NULL)
		return cd_fail_memory(visit->problems);
	if (cd_table_get(&visit->pairs, key) != NULL)
		return 0;
	if (cd_table_put(&visit->pairs, key, sight) != 0)
		return cd_fail_memory(visit->problems);
	if (cd_sight_judge_file(visit->problems, sight) != 0 || sight->leaf == NULL)
		return 0;
	return check_material(visit, pair);
}

/* ---- names ---- */

static bool is_seen_by_name(const struct visit *visit, const struct certdeploy_endpoint *unnamed)
{
	for (size_t i = 0; i < visit->survey.sights.count; i++) {
		const struct cd_sight *sight = visit->survey.sights.items[i];

		if (cd_endpoint_names(sight->endpoint, unnamed))
			return true;
	}
	return false;
}

static void check_name(struct visit *visit, const struct cd_sight *sight)
{
	const struct certdeploy_endpoint *endpoint = sight->endpoint;
	const char *name = endpoint->name != NULL ? endpoint->name : endpoint->server_name;

	if (!sight->first || name == NULL || !endpoint->tls)
		return;
	if (sight->leaf != NULL && !cd_names_cover(sight->leaf->names, name) &&
	    !is_seen_by_name(visit, endpoint))
		cd_problem(visit->problems, endpoint->name == NULL ? CERTDEPLOY_WARNING : CERTDEPLOY_ERROR,
			   "name-mismatch", sight->pair->certificate, 0,
			   _("the certificate does not cover %s"),
			   cd_hostname_shown(&visit->problems->arena, name));
}

/* Somebody asked for a name whose endpoints all speak no TLS. */
static void check_tls(struct visit *visit)
{
	const struct cd_sight *plain = NULL;

	if (cd_request_list(visit->request, CERTDEPLOY_HOSTNAME) == NULL)
		return;
	for (size_t i = 0; i < visit->survey.sights.count; i++) {
		const struct cd_sight *sight = visit->survey.sights.items[i];

		if (sight->endpoint->tls)
			return;
		plain = sight;
	}
	if (plain != NULL)
		cd_problem(visit->problems, CERTDEPLOY_ERROR, "tls-off", plain->endpoint->file,
			   plain->endpoint->line, _("what answers for it speaks no TLS"));
}

/* ---- ports ---- */

static void check_chain_served(struct visit *visit, const struct cd_sight *sight)
{
	if (sight->probe == NULL || sight->probe->state != CD_PROBE_SERVED ||
	    sight->probe->chain_length > 1 || sight->leaf == NULL || sight->leaf->self_signed ||
	    !cd_sight_agrees(sight))
		return;
	cd_problem(visit->problems, CERTDEPLOY_WARNING, "chain-not-served", sight->pair->file,
		   sight->pair->line,
		   _("port %u serves the certificate alone, without its issuers; some clients will not "
		     "trust it"),
		   (unsigned)sight->port);
}

/* Ports of one host that serve different certificates of one kind: one of them was forgotten. */
static void check_mixed(struct visit *visit)
{
	const struct cd_sight *first = NULL;

	if (cd_request_list(visit->request, CERTDEPLOY_HOSTNAME) == NULL)
		return;
	for (size_t i = 0; i < visit->survey.sights.count; i++) {
		const struct cd_sight *sight = visit->survey.sights.items[i];

		if (sight->probe == NULL || sight->probe->sha256[0] == '\0' || sight->key_type != NULL)
			continue;
		if (first != NULL && strcmp(first->probe->sha256, sight->probe->sha256) != 0) {
			cd_problem(visit->problems, CERTDEPLOY_WARNING, "served-mixed", NULL, 0,
				   _("ports %u and %u serve different certificates"), (unsigned)first->port,
				   (unsigned)sight->port);
			return;
		}
		first = sight;
	}
}

static int visit_all(struct visit *visit)
{
	const struct cd_vector *sights = &visit->survey.sights;
	int result = 0;

	for (size_t i = 0; result == 0 && i < sights->count; i++) {
		const struct cd_sight *sight = sights->items[i];

		set_service(visit, sight->seen);
		result = check_pair(visit, sight);
		check_name(visit, sight);
		set_service(visit, NULL);
	}
	if (result == 0) {
		check_tls(visit);
		result = cd_survey_look(&visit->survey, PATIENCE);
	}
	for (size_t i = 0; result == 0 && i < sights->count; i++) {
		const struct cd_sight *sight = sights->items[i];

		set_service(visit, sight->seen);
		(void)cd_sight_judge_port(visit->problems, sight);
		check_chain_served(visit, sight);
		set_service(visit, NULL);
	}
	if (result == 0)
		check_mixed(visit);
	return result;
}

static int doctor(struct certdeploy_result *result, struct cd_inventory *inventory,
		  const struct certdeploy_request *request)
{
	struct visit visit = {.result = result,
			      .inventory = inventory,
			      .problems = &result->problems,
			      .request = request};
	int code;

	check_services(&visit);
	code = cd_survey_make(&visit.survey, result, inventory,
			      cd_request_list(request, CERTDEPLOY_HOSTNAME));
	if (code == 0)
		code = visit_all(&visit);
	cd_survey_close(&visit.survey);
	cd_table_free(&visit.pairs);
	if (code == 0 && cd_problems_failed(&result->problems, 0))
		code = result->problems.out_of_memory ? CERTDEPLOY_ENOMEM : CERTDEPLOY_EDIFFERENT;
	return code;
}

int certdeploy_doctor(struct certdeploy_result **out, struct certdeploy *cd,
		      const struct certdeploy_request *request)
{
	return cd_with_inventory(out, cd, request, doctor);
}
