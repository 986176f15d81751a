/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report.h - copies of what was found, for a result that outlives the run */
#ifndef CD_REPORT_H
#define CD_REPORT_H

#include "certificate/certificate.h"
#include "host/inventory.h"

/** A service and its state, without endpoints yet. NULL when memory is short (recorded). */
struct certdeploy_service_report *cd_report_service(struct certdeploy_result *result,
						    const struct cd_seen *seen);

/** An endpoint as configured. leaf_of: look into its certificate file through this reading, or NULL. */
struct certdeploy_endpoint_report *cd_report_endpoint(struct certdeploy_result *result,
						      const struct certdeploy_endpoint *endpoint,
						      struct certdeploy_reading *leaf_of);

/** The same endpoint with a further certificate: comes first of those that it has `also`. leaf: or NULL. */
struct certdeploy_endpoint_report *cd_report_also(struct certdeploy_result *result,
						  struct certdeploy_endpoint_report *endpoint,
						  const struct certdeploy_pair *pair,
						  const struct certdeploy_leaf *leaf);

/** A text that lives as long as the result; NULL stays NULL. */
const char *cd_report_text(struct certdeploy_result *result, const char *text);

/** Give a service its endpoints: a vector of struct certdeploy_endpoint_report. */
int cd_report_set_endpoints(struct certdeploy_result *result, struct certdeploy_service_report *service,
			    const struct cd_vector *endpoints);

/** A copy of a certificate's report, with the name it has in the store (or NULL: as it is). */
int cd_report_certificate(struct certdeploy_result *result,
			  const struct certdeploy_certificate_report *certificate, const char *name);

int cd_report_file(struct certdeploy_result *result, const char *path, const char *change,
		   const char *backup, const char *service);

#endif
