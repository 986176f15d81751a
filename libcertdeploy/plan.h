/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan.h - everything that would be done, worked out by reading only */
#ifndef CD_PLAN_H
#define CD_PLAN_H

#include "certificate/store.h"
#include "host/target.h"

/** One certificate on its way, and where it goes. */
struct cd_planned_order {
	const struct cd_order *order;
	const struct cd_order *target; /**< says where it goes: the order, or what is remembered */
	struct cd_order *recalled;     /**< what is remembered under its name; owned; or NULL */
	bool yields; /**< nobody named the target now: what another deployment took since stays its */
	/** An earlier order of the same certificate, which has it; NULL: none. */
	struct cd_planned_order *head;
	size_t waiting;         /**< orders of which it is the head and that are to come */
	struct cd_order *whole; /**< where it and those of which it is the head go; owned; or NULL */
	int loaded;             /**< 0, or why there is no certificate */
	size_t position; /**< among several in the request, from 1; 0: it is the only one, or remembered */
	struct cd_certificates certificates;
	const char *const *names; /**< all that the certificates cover */
	struct cd_selection selection;
	const struct certdeploy_material *const *materials; /**< one for each key type */
	const char *name;                                   /**< in the store; NULL with chosen paths */
	int result;                                         /**< 0, or why it is left out */
};

/** An endpoint that the plan concerns. */
struct cd_planned_endpoint {
	const struct certdeploy_endpoint *before; /**< NULL: it is new */
	const struct certdeploy_endpoint *after;
	const struct cd_planned_order *order; /**< what it gets; NULL: it is not in any target */
	bool targeted;                        /**< chosen, or decided by the same lines as one that is */
	bool named;                           /**< chosen itself */
	bool also_changes;                    /**< in no target, but will serve something else: allowed */
	uint16_t looks;                       /**< its items in the proof … */
	uint32_t first_look;                  /**< … and where they begin */
};

/** A service and what the plan does to it. */
struct cd_planned {
	struct cd_seen *seen;
	struct certdeploy_reading after; /**< over the edited bytes */
	bool read_again;
	bool touched;
	struct cd_planned_endpoint *endpoints; /**< all of the service */
	size_t endpoint_count;
};

struct cd_plan {
	struct certdeploy *cd;
	struct cd_problems *problems;
	const struct certdeploy_request *request;
	struct cd_arena arena;
	struct cd_inventory inventory;
	struct cd_loads loads;
	struct cd_vector orders; /**< of struct cd_planned_order */
	struct cd_table names;   /**< in the store -> struct cd_planned_order, of several */
	struct cd_changes changes;
	struct certdeploy_edits edits;
	struct cd_overlay overlay;
	struct cd_vector services; /**< of struct cd_planned */
	struct cd_buffer diff;
	int left_out; /**< 0, or the code of the first order that was left out of several */
};

/**
 * Load, check, read the host, choose, edit, and read again over the edits: every chosen endpoint has
 * the certificate then, and no other one changed. The plan is to be closed in any case.
 */
int cd_plan_make(struct cd_plan *plan, struct certdeploy *cd, struct cd_problems *problems,
		 const struct certdeploy_request *request);
/** The same for these services alone (NULL-terminated), whatever the request says. */
int cd_plan_make_for(struct cd_plan *plan, struct certdeploy *cd, struct cd_problems *problems,
		     const struct certdeploy_request *request, const char *const *only);
void cd_plan_close(struct cd_plan *plan);

/** Nothing to write and nothing to run. */
bool cd_plan_is_empty(const struct cd_plan *plan);

#endif
