/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* standing.c - do services serve what stands in their configuration, whatever put it there? */
#include "proof/standing.h"

#include "base/text.h"
#include "proof/survey.h"

#include <string.h>

static const struct cd_touched *find(const struct cd_touched *services, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(services[i].control.name, name) == 0)
			return &services[i];
	return NULL;
}

static int judge(struct cd_problems *problems, const struct cd_survey *survey,
		 const struct cd_touched *services, size_t count)
{
	int result = 0;

	for (size_t i = 0; i < survey->sights.count; i++) {
		const struct cd_sight *sight = survey->sights.items[i];
		const struct cd_touched *touched = find(services, count, sight->seen->service.name);

		if (touched == NULL || touched->was_running != 1 || sight->leaf == NULL)
			continue;
		if (cd_sight_judge_port(problems, sight) != 0)
			result = CERTDEPLOY_EFAILED;
	}
	return result;
}

int cd_standing_prove(struct certdeploy *cd, struct cd_problems *problems,
		      const struct cd_touched *services, size_t count, unsigned seconds)
{
	struct certdeploy_result look = {.cd = cd};
	struct cd_inventory inventory;
	struct cd_survey survey = {0};
	int result = cd_inventory_open(&inventory, cd, &look.problems, NULL, true);

	if (result == 0)
		result = cd_survey_make(&survey, &look, &inventory, NULL);
	if (result == 0)
		result = cd_survey_look(&survey, seconds);
	if (result == 0)
		result = judge(problems, &survey, services, count);
	else if (result != CERTDEPLOY_ENOMEM) {
		cd_problem(problems, CERTDEPLOY_WARNING, "config-not-understood", NULL, 0,
			   _("what the ports serve was not compared: the configuration cannot be read"));
		result = 0;
	}
	cd_survey_close(&survey);
	cd_inventory_close(&inventory);
	cd_vector_free(&look.services);
	cd_problems_free(&look.problems);
	return result == CERTDEPLOY_ENOMEM ? cd_fail_memory(problems) : result;
}
