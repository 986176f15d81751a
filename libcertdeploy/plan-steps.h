/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan-steps.h - the steps that a plan is made of, each with a file of its own */
#ifndef CD_PLAN_STEPS_H
#define CD_PLAN_STEPS_H

#include "plan.h"

/* ---- orders.c ---- */

/** What is asked for, or remembered: the plan's orders, still empty. */
int cd_plan_collect(struct cd_plan *plan);
/** Load and check each order's certificate, choose its endpoints, work out its files in the store. */
int cd_plan_orders(struct cd_plan *plan, bool install_only);
/** Whether it says where the certificate goes, other than where its names are. */
bool cd_order_has_target(const struct cd_order *order);
/** What an order chose of a service, by the service's place in the inventory; NULL: nothing. */
const struct cd_chosen *cd_planned_chosen(const struct cd_planned_order *order, size_t service);

/* ---- joining.c ---- */

/** Find the orders that have their certificate in common. */
int cd_plan_join(struct cd_plan *plan);
/** Add a target to what will be remembered of the head's certificate. */
int cd_plan_add_target(struct cd_planned_order *head, const struct cd_order *target);

/* ---- prediction.c ---- */

/**
 * Read every service again over the edits and compare: each chosen endpoint has its certificate, and
 * no other one changes. Fills plan->services.
 */
int cd_plan_predict(struct cd_plan *plan);

#endif
