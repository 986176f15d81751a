/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan.h - everything that would be done, worked out by reading only */
#ifndef CD_PLAN_H
#define CD_PLAN_H

#include "certificate/store.h"
#include "host/target.h"

/** An endpoint that the plan concerns. */
struct cd_planned_endpoint {
	const struct certdeploy_endpoint *before; /**< NULL: it is new */
	const struct certdeploy_endpoint *after;
	bool targeted; /**< chosen, or decided by the same lines as one that is */
	bool named;    /**< chosen itself */
	size_t first_look; /**< its items in the proof */
	size_t looks;
};

/** A service and what the plan does to it. */
struct cd_planned {
	struct cd_seen *seen;
	struct certdeploy_reading after; /**< over the edited bytes */
	bool read_again;
	bool touched;
	struct cd_vector endpoints; /**< of struct cd_planned_endpoint: all of the service */
};

struct cd_plan {
	struct certdeploy *cd;
	struct cd_problems *problems;
	const struct certdeploy_request *request;
	struct cd_arena arena;
	struct cd_inventory inventory;
	struct cd_certificates certificates;
	struct cd_selection selection;
	struct cd_changes changes;
	struct certdeploy_edits edits;
	struct cd_overlay overlay;
	const struct certdeploy_material *const *materials;
	const char *name; /**< in the store; NULL with chosen paths */
	struct cd_vector services; /**< of struct cd_planned */
	struct cd_buffer diff;
};

/**
 * Load, check, read the host, choose, edit, and read again over the edits: every chosen endpoint has
 * the certificate then, and no other one changed. The plan is to be closed in any case.
 */
int cd_plan_make(struct cd_plan *plan, struct certdeploy *cd, struct cd_problems *problems,
		 const struct certdeploy_request *request);
void cd_plan_close(struct cd_plan *plan);

/** Nothing to write and nothing to run. */
bool cd_plan_is_empty(const struct cd_plan *plan);

/** The material of a key type, or NULL. */
const struct certdeploy_material *cd_plan_material(const struct cd_plan *plan, const char *key_type);

#endif
