/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inventory.h - all services of this host and their endpoints */
#ifndef CD_INVENTORY_H
#define CD_INVENTORY_H

#include "handle.h"
#include "host/adapters.h"
#include "host/names.h"
#include "host/reading.h"
#include "host/service.h"

/** A service, read. */
struct cd_seen {
	struct cd_service service;
	const struct cd_service_settings *configured; /**< NULL: found */
	struct certdeploy_reading reading;
	struct cd_names names; /**< of the reading's endpoints, made when first needed */
	bool read;  /**< the reading was made */
	int result; /**< of the reading: 0, or why its endpoints are not known */
	struct cd_control control;
	struct certdeploy_daemon daemon;
	const char *version; /**< or NULL */
	int running;         /**< 1, 0; -1: cannot be told */
};

struct cd_inventory {
	struct certdeploy *cd;
	struct cd_problems *problems;
	struct cd_adapters adapters;
	struct cd_host host;
	struct cd_arena arena;
	struct cd_vector services; /**< of struct cd_seen */
};

/**
 * Find the services that the request means (none named: all) and read their configurations. A service
 * that cannot be read stays in the list with its result, its problems recorded.
 *
 * @param read  false: only find them
 * @return 0; CERTDEPLOY_EREFUSED "unknown-service" and others; CERTDEPLOY_ENOMEM. The inventory
 *         is to be closed in any case.
 */
int cd_inventory_open(struct cd_inventory *inventory, struct certdeploy *cd, struct cd_problems *problems,
		      const struct certdeploy_request *request, bool read);
/** The same with only these services (NULL-terminated) instead of those of the request. */
int cd_inventory_open_only(struct cd_inventory *inventory, struct certdeploy *cd,
			   struct cd_problems *problems, const struct certdeploy_request *request,
			   const char *const *only, bool read);
void cd_inventory_close(struct cd_inventory *inventory);

/** The first result other than 0 among the services, or 0. */
int cd_inventory_result(const struct cd_inventory *inventory);

/** Would any of these servers read a file at path as configuration? */
bool cd_inventory_reads(const struct cd_inventory *inventory, const char *path);

/** Parse a service once more, over an overlay. The reading is to be closed in any case. */
int cd_inventory_reread(struct certdeploy_reading *reading, struct cd_inventory *inventory,
			const struct cd_seen *seen, const struct cd_overlay *overlay);

#endif
