/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify.c - store, configuration and ports compared
 *
 * Store and configuration agree when deploying everything remembered would change nothing: the plan is
 * the comparison. Configuration and wire agree when every port serves, for every name and key type, the
 * certificate whose file is configured for it.
 */
#include "base/text.h"
#include "certificate/deployment.h"
#include "operation.h"
#include "plan.h"
#include "proof/survey.h"

#include <string.h>

#define PATIENCE 3

/* ---- what is remembered against what is configured ---- */

/* Problems of a plan that nobody asked for: they explain, but forbid nothing. */
static void pass_on(struct cd_problems *to, const struct cd_problems *from)
{
	for (size_t i = 0; i < from->list.count; i++) {
		const struct certdeploy_problem *problem = from->list.items[i];

		if (problem->severity == CERTDEPLOY_NOTICE)
			continue;
		to->service = cd_arena_string(&to->arena, problem->service);
		cd_problem(to, CERTDEPLOY_WARNING, problem->code, problem->file, problem->line, "%s",
			   problem->message);
		to->service = NULL;
	}
}

static int judge_plan(struct cd_problems *problems, const struct cd_plan *plan)
{
	bool renewal = false;
	int result = 0;

	for (size_t i = 0; i < plan->changes.list.count; i++) {
		const struct cd_change *change = plan->changes.list.items[i];

		if (change->service == NULL) {
			renewal = true;
			continue;
		}
		problems->service = cd_arena_string(&problems->arena, change->service);
		cd_problem(problems, CERTDEPLOY_ERROR, "configured-other", change->path, 0,
			   _("this file does not name the certificate that was deployed"));
		problems->service = NULL;
		result = CERTDEPLOY_EDIFFERENT;
	}
	if (renewal)
		cd_problem(problems, CERTDEPLOY_WARNING, "not-deployed", NULL, 0,
			   _("what is stored is not what is remembered to be deployed: a renewal waits, or "
			     "the "
			     "store was changed"));
	return result;
}

static int compare_remembered(struct certdeploy_result *result, const struct certdeploy_request *request)
{
	struct cd_problems problems = {.catalogue = result->problems.catalogue};
	struct cd_plan plan;
	int code = cd_plan_make(&plan, result->cd, &problems, request);

	if (code == 0)
		code = judge_plan(&result->problems, &plan);
	else if (code != CERTDEPLOY_ENOMEM && code != CERTDEPLOY_ECANCELLED) {
		pass_on(&result->problems, &problems);
		code = 0;
	}
	cd_plan_close(&plan);
	cd_problems_free(&problems);
	return code;
}

/* ---- what only the adapter can see ---- */

static int inspect(struct cd_inventory *inventory)
{
	int differs = 0;

	for (size_t i = 0; i < inventory->services.count; i++) {
		struct cd_seen *seen = inventory->services.items[i];
		int result;

		if (seen->result != 0 || seen->service.adapter->inspect == NULL)
			continue;
		inventory->problems->service =
			cd_arena_string(&inventory->problems->arena, seen->service.name);
		result = seen->service.adapter->inspect(&seen->reading);
		inventory->problems->service = NULL;
		if (result == CERTDEPLOY_EDIFFERENT)
			differs = result;
		else if (result != 0)
			return result;
	}
	return differs;
}

/* ---- what is configured against what is served ---- */

static int judge_services(struct cd_problems *problems, const struct cd_inventory *inventory)
{
	for (size_t i = 0; i < inventory->services.count; i++) {
		const struct cd_seen *seen = inventory->services.items[i];

		if (seen->running != 0 || seen->result != 0)
			continue;
		problems->service = cd_arena_string(&problems->arena, seen->service.name);
		cd_problem(problems, CERTDEPLOY_WARNING, "not-running",
			   cd_service_get(&seen->service, "config"), 0,
			   _("%s does not run; its ports were not looked at"), seen->service.name);
		problems->service = NULL;
	}
	return 0;
}

static int compare_served(struct certdeploy_result *result, struct cd_inventory *inventory,
			  const struct certdeploy_request *request)
{
	unsigned patience = (unsigned)cd_request_flag(request, CERTDEPLOY_VERIFY_TIMEOUT, PATIENCE);
	struct cd_survey survey;
	int code =
		cd_survey_make(&survey, result, inventory, cd_request_list(request, CERTDEPLOY_HOSTNAME));
	int differs = 0;

	if (code == 0)
		code = cd_survey_look(&survey, patience);
	if (code == 0)
		code = judge_services(&result->problems, inventory);
	if (code == 0) {
		differs = inspect(inventory);
		code = differs == CERTDEPLOY_EDIFFERENT ? 0 : differs;
	}
	for (size_t i = 0; code == 0 && i < survey.sights.count; i++) {
		const struct cd_sight *sight = survey.sights.items[i];

		if (cd_sight_judge_file(&result->problems, sight) != 0 ||
		    cd_sight_judge_port(&result->problems, sight) != 0)
			differs = CERTDEPLOY_EDIFFERENT;
	}
	cd_survey_close(&survey);
	return code == 0 ? differs : code;
}

static int verify(struct certdeploy_result *result, struct cd_inventory *inventory,
		  const struct certdeploy_request *request)
{
	const char *const *remembered = NULL;
	int code = cd_deployment_names(&remembered, &inventory->host, result->cd->settings.state),
	    differs = 0;

	if (code == 0)
		code = compare_served(result, inventory, request);
	if ((code == 0 || code == CERTDEPLOY_EDIFFERENT) && remembered[0] != NULL)
		differs = compare_remembered(result, request);
	return code == 0 || differs == CERTDEPLOY_ENOMEM || differs == CERTDEPLOY_ECANCELLED ? differs
											     : code;
}

int certdeploy_verify(struct certdeploy_result **out, struct certdeploy *cd,
		      const struct certdeploy_request *request)
{
	return cd_with_inventory(out, cd, request, verify);
}
