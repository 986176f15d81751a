/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* survey.h - every endpoint with the certificates configured for it and what its port serves */
#ifndef CD_SURVEY_H
#define CD_SURVEY_H

#include "host/inventory.h"
#include "proof/here.h"
#include "proof/probe.h"
#include "report.h"

/** One look: an endpoint, one of its certificates, one port where it can be seen. */
struct cd_sight {
	struct cd_seen *seen;
	const struct certdeploy_endpoint *endpoint;
	const struct certdeploy_pair *pair; /**< NULL: none is configured */
	const struct certdeploy_leaf *leaf; /**< what its file holds; NULL: nothing that can be read */
	int leaf_result;                    /**< 0, or why there is no leaf */
	const char *key_type;               /**< to be asked for; NULL: any */
	const char *address;
	uint16_t port;
	bool first;                                /**< of its report */
	bool silent;                               /**< nothing was served there before */
	struct cd_probe *probe;                    /**< what was found; NULL: not looked at */
	struct certdeploy_endpoint_report *report; /**< of the endpoint with this certificate */
};

struct cd_survey {
	struct certdeploy_result *result;
	struct cd_inventory *inventory;
	struct cd_arena arena;
	struct cd_vector sights; /**< of struct cd_sight, in the order of the inventory */
	struct cd_here here;
};

/**
 * Collect the endpoints, and report services and endpoints into the result. Reads certificate files,
 * looks at no port.
 *
 * @param hostnames  only what answers for these; NULL: everything
 * @return 0; CERTDEPLOY_EREFUSED "no-endpoint": nothing answers for a host name; CERTDEPLOY_ENOMEM. The
 *         survey is to be closed in any case.
 */
int cd_survey_make(struct cd_survey *survey, struct certdeploy_result *result,
		   struct cd_inventory *inventory, const char *const *hostnames);
void cd_survey_close(struct cd_survey *survey);

/**
 * Look at the ports of all services that are not known to be stopped, and put what they serve into the
 * reports. Nothing is looked at on a tree.
 *
 * @param patience  seconds to look again where something else is served than is configured: a reload
 *                  takes a moment. Only a few of them for what was silent before. 0: one look.
 */
int cd_survey_look(struct cd_survey *survey, unsigned patience);

/** What the port serves is what is configured (or nothing was configured, or not looked at). */
bool cd_sight_agrees(const struct cd_sight *sight);

/** Record what is wrong with a configured file or a port. Returns 0 or CERTDEPLOY_EDIFFERENT. */
int cd_sight_judge_file(struct cd_problems *problems, const struct cd_sight *sight);
int cd_sight_judge_port(struct cd_problems *problems, const struct cd_sight *sight);

#endif
