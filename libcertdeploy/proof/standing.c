/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* standing.c - do services serve what stands in their configuration, whatever put it there? */
#include "proof/standing.h"

#include "base/text.h"
#include "proof/survey.h"

#include <string.h>

/* The configurations as they stand, and the ports of the services concerned. */
struct scene {
	struct certdeploy_result look;
	struct cd_inventory inventory;
	struct cd_survey survey;
};

static bool is_concerned(const struct cd_sight *sight, const struct cd_touched *services, size_t count)
{
	for (size_t i = 0; sight->leaf != NULL && i < count; i++)
		if (strcmp(services[i].control.name, sight->seen->service.name) == 0)
			return services[i].was_running == 1;
	return false;
}

static int open_scene(struct scene *scene, struct certdeploy *cd, const struct cd_touched *services,
		      size_t count)
{
	struct cd_vector *sights = &scene->survey.sights;
	size_t kept = 0;
	int result;

	*scene = (struct scene){.look = {.cd = cd}};
	result = cd_inventory_open(&scene->inventory, cd, &scene->look.problems, NULL, true);
	if (result == 0)
		result = cd_survey_make(&scene->survey, &scene->look, &scene->inventory, NULL);
	for (size_t i = 0; i < sights->count; i++)
		if (is_concerned(sights->items[i], services, count))
			sights->items[kept++] = sights->items[i];
	sights->count = kept;
	return result;
}

static void close_scene(struct scene *scene)
{
	cd_survey_close(&scene->survey);
	cd_inventory_close(&scene->inventory);
	cd_vector_free(&scene->look.services);
	cd_problems_free(&scene->look.problems);
}

/* ---- before ---- */

static const char *place_of(struct cd_arena *arena, const struct cd_sight *sight)
{
	return cd_arena_format(arena, "%s|%s|%u|%s|%s|%s", sight->seen->service.name,
			       sight->address == NULL ? "" : sight->address, (unsigned)sight->port,
			       sight->endpoint->protocol,
			       sight->endpoint->name == NULL ? "" : sight->endpoint->name,
			       sight->key_type == NULL ? "" : sight->key_type);
}

/* One that took the connection and was too slow may have served. */
static bool is_silent(const struct cd_probe *probe)
{
	return probe != NULL && probe->state != CD_PROBE_SERVED &&
	       (probe->state != CD_PROBE_TIMEOUT || probe->unheard);
}

static int remember_silent(struct cd_standing *standing, const struct cd_survey *survey)
{
	for (size_t i = 0; i < survey->sights.count; i++) {
		const struct cd_sight *sight = survey->sights.items[i];
		const char *place;

		if (!is_silent(sight->probe))
			continue;
		place = place_of(&standing->arena, sight);
		if (place == NULL || cd_table_put(&standing->silent, place, place) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

int cd_standing_before(struct cd_standing *standing, struct certdeploy *cd, struct cd_problems *problems,
		       const struct cd_touched *services, size_t count)
{
	struct scene scene;
	int result = open_scene(&scene, cd, services, count);

	if (result == 0)
		result = cd_survey_look(&scene.survey, 0);
	if (result == 0)
		result = remember_silent(standing, &scene.survey);
	close_scene(&scene);
	return result == CERTDEPLOY_ENOMEM ? cd_fail_memory(problems) : 0;
}

void cd_standing_close(struct cd_standing *standing)
{
	cd_table_free(&standing->silent);
	cd_arena_free(&standing->arena);
}

/* ---- after ---- */

static int mark_silent(struct scene *scene, const struct cd_standing *standing)
{
	for (size_t i = 0; i < scene->survey.sights.count; i++) {
		struct cd_sight *sight = scene->survey.sights.items[i];
		const char *place = place_of(&scene->survey.arena, sight);

		if (place == NULL)
			return CERTDEPLOY_ENOMEM;
		sight->silent = cd_table_get(&standing->silent, place) != NULL;
	}
	return 0;
}

static int judge(struct cd_problems *problems, const struct cd_survey *survey)
{
	int result = 0;

	for (size_t i = 0; i < survey->sights.count; i++) {
		const struct cd_sight *sight = survey->sights.items[i];
		size_t before = problems->list.count;

		if (cd_sight_judge_port(problems, sight) == 0)
			continue;
		if (sight->silent)
			cd_problems_soften(problems, before);
		else
			result = CERTDEPLOY_EFAILED;
	}
	return result;
}

int cd_standing_prove(const struct cd_standing *standing, struct certdeploy *cd,
		      struct cd_problems *problems, const struct cd_touched *services, size_t count,
		      unsigned seconds)
{
	struct scene scene;
	int result = open_scene(&scene, cd, services, count);

	if (result == 0)
		result = mark_silent(&scene, standing);
	if (result == 0)
		result = cd_survey_look(&scene.survey, seconds);
	if (result == 0)
		result = judge(problems, &scene.survey);
	else if (result != CERTDEPLOY_ENOMEM) {
		cd_problem(problems, CERTDEPLOY_WARNING, "config-not-understood", NULL, 0,
			   _("what the ports serve was not compared: the configuration cannot be read"));
		result = 0;
	}
	close_scene(&scene);
	return result == CERTDEPLOY_ENOMEM ? cd_fail_memory(problems) : result;
}
