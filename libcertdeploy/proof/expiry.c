/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * expiry.c - what runs out when
 *
 * Lives range from six days to years, so a limit in days fits none of them all: limits are fractions of
 * a certificate's own life unless they are given as times. What a port serves counts as much as what is
 * configured; the worse of the two is the endpoint's.
 */
#include "base/text.h"
#include "certificate/store.h"
#include "operation.h"
#include "proof/survey.h"

#include <string.h>
#include <time.h>

#define DAY ((int64_t)86400)
#define SHORT_LIFE (10 * DAY)

enum expiry { GOOD, WARNING, CRITICAL, EXPIRED, UNKNOWN };

static const char *const expiry_names[] = {"good", "warning", "critical", "expired", "unknown"};

/** A limit: a time, else a percentage; -1: not given. */
struct limit {
	long seconds, percent;
	int64_t usual, usual_when_short; /* percentages */
};

struct terms {
	struct limit warning, critical;
	int64_t now;
};

static void take_limits(struct terms *terms, const struct certdeploy_request *request)
{
	*terms = (struct terms){
		.warning = {cd_request_flag(request, CERTDEPLOY_WARN_SECONDS, -1),
			    cd_request_flag(request, CERTDEPLOY_WARN_PERCENT, -1), 33, 50},
		.critical = {cd_request_flag(request, CERTDEPLOY_CRIT_SECONDS, -1),
			     cd_request_flag(request, CERTDEPLOY_CRIT_PERCENT, -1), 10, 20},
		.now = (int64_t)time(NULL),
	};
}

/* Limits of one kind can be compared; 33% and 7d cannot: each certificate has a life of its own. */
static int check_limits(struct cd_problems *problems, const struct terms *terms)
{
	const struct limit *warning = &terms->warning, *critical = &terms->critical;
	bool seconds = warning->seconds >= 0 && critical->seconds > warning->seconds;
	bool percent = warning->percent >= 0 && critical->percent > warning->percent;

	if (!seconds && !percent)
		return 0;
	return cd_fail(problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
		       _("what is critical lies above what is to be warned of"));
}

static bool is_below(const struct limit *limit, int64_t left, int64_t life)
{
	int64_t percent = limit->percent >= 0 ? limit->percent
			  : life < SHORT_LIFE ? limit->usual_when_short
					      : limit->usual;

	if (limit->seconds >= 0)
		return left < limit->seconds;
	return life > 0 && left * 100 < life * percent;
}

static enum expiry judge(const struct terms *terms, int64_t not_before, int64_t not_after)
{
	int64_t left = not_after - terms->now;

	if (not_after == 0)
		return UNKNOWN;
	if (left <= 0)
		return EXPIRED;
	if (is_below(&terms->critical, left, not_after - not_before))
		return CRITICAL;
	return is_below(&terms->warning, left, not_after - not_before) ? WARNING : GOOD;
}

struct judging {
	struct certdeploy_result *result;
	struct terms terms;
	struct cd_table told; /* SHA-256 and where it was seen -> something */
};

static void tell(struct judging *judging, const struct cd_sight *sight, enum expiry expiry,
		 int64_t not_after, bool served)
{
	struct cd_problems *problems = &judging->result->problems;
	const struct certdeploy_endpoint *endpoint = sight->endpoint;
	const char *name = endpoint->name == NULL ? _("the default") : endpoint->name;
	enum certdeploy_severity severity = expiry == WARNING ? CERTDEPLOY_WARNING : CERTDEPLOY_ERROR;
	const char *code = expiry == EXPIRED ? "expired" : "expires-soon";
	char until[21];

	cd_utc(until, not_after);
	problems->service = cd_arena_string(&problems->arena, sight->seen->service.name);
	if (served)
		cd_problem(problems, severity, code, endpoint->file, endpoint->line,
			   expiry == EXPIRED ? _("what port %u serves for %s expired on %s")
					     : _("what port %u serves for %s expires on %s"),
			   (unsigned)sight->port, name, until);
	else
		cd_problem(problems, severity, code, sight->pair->certificate, 0,
			   expiry == EXPIRED ? _("the certificate of %s expired on %s")
					     : _("the certificate of %s expires on %s"),
			   name, until);
	problems->service = NULL;
}

/* One certificate is told of once, however many names use it. */
static int tell_once(struct judging *judging, const struct cd_sight *sight, enum expiry expiry,
		     const char *sha256, int64_t not_after, bool served)
{
	char key[80];
	size_t length = strlen(sha256);

	if (expiry == GOOD || expiry == UNKNOWN || length > 64)
		return 0;
	memcpy(key, sha256, length);
	key[length] = served ? 's' : 'c';
	key[length + 1] = '\0';
	if (cd_table_get(&judging->told, key) != NULL)
		return 0;
	tell(judging, sight, expiry, not_after, served);
	return cd_table_put(&judging->told, key, sight) == 0 ? 0
							     : cd_fail_memory(&judging->result->problems);
}

static int judge_sight(struct judging *judging, const struct cd_sight *sight)
{
	enum expiry worst = sight->endpoint->tls ? UNKNOWN : GOOD, one;
	const struct cd_probe *probe = sight->probe;
	int result = 0;

	if (!sight->endpoint->tls)
		return 0;
	(void)cd_sight_judge_file(&judging->result->problems, sight);
	if (sight->leaf != NULL) {
		worst = judge(&judging->terms, sight->leaf->not_before, sight->leaf->not_after);
		result = tell_once(judging, sight, worst, sight->leaf->sha256, sight->leaf->not_after,
				   false);
	}
	if (result == 0 && probe != NULL && probe->sha256[0] != '\0') {
		one = judge(&judging->terms, probe->not_before, probe->not_after);
		/* Or the other one of a file that holds certificates of two types. */
		if (sight->leaf == NULL || strcmp(sight->leaf->sha256, probe->sha256) != 0)
			result = tell_once(judging, sight, one, probe->sha256, probe->not_after, true);
		worst = worst == UNKNOWN || one > worst ? one : worst;
	}
	for (size_t i = 0; !sight->first && i <= UNKNOWN; i++)
		if (strcmp(sight->report->expiry, expiry_names[i]) == 0 && i > worst)
			worst = (enum expiry)i;
	sight->report->expiry = expiry_names[worst];
	return result;
}

static int list_store(struct certdeploy_result *result, struct cd_inventory *inventory)
{
	struct cd_vector stored = {0};
	int code = cd_store_list(&stored, &inventory->host, result->cd->settings.store);

	for (size_t i = 0; code == 0 && i < stored.count; i++)
		code = cd_report_certificate(result, stored.items[i], NULL);
	cd_vector_free(&stored);
	return code;
}

static int expiry(struct certdeploy_result *result, struct cd_inventory *inventory,
		  const struct certdeploy_request *request)
{
	struct judging judging = {.result = result};
	struct cd_survey survey;
	int code;

	take_limits(&judging.terms, request);
	code = check_limits(&result->problems, &judging.terms);
	if (code != 0)
		return code;
	code = cd_survey_make(&survey, result, inventory, cd_request_list(request, CERTDEPLOY_HOSTNAME));
	if (code == 0)
		code = cd_survey_look(&survey, 0);
	for (size_t i = 0; code == 0 && i < survey.sights.count; i++)
		code = judge_sight(&judging, survey.sights.items[i]);
	if (code == 0)
		code = list_store(result, inventory);
	cd_table_free(&judging.told);
	cd_survey_close(&survey);
	return code;
}

int certdeploy_expiry(struct certdeploy_result **out, struct certdeploy *cd,
		      const struct certdeploy_request *request)
{
	return cd_with_inventory(out, cd, request, expiry);
}
