/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* names.h - the endpoints of one reading by their names */
#ifndef CD_NAMES_H
#define CD_NAMES_H

#include "base/table.h"
#include "base/vector.h"

#include <certdeploy-adapter.h>

/** All zero is an empty index. It borrows the endpoints. */
struct cd_names {
	struct cd_table by_name;   /**< lower-case name -> struct cd_vector of endpoints */
	struct cd_table by_parent; /**< what follows the first label -> struct cd_vector */
	struct cd_vector unnamed;
	struct cd_vector lists; /**< all vectors of the tables */
	bool made;
};

/** Index the endpoints of a reading, once. Returns 0 or CERTDEPLOY_ENOMEM. */
int cd_names_make(struct cd_names *names, const struct certdeploy_reading *reading);
void cd_names_free(struct cd_names *names);

/** Endpoints whose name, exact or wildcard, covers a host name: at most two lists; NULL: none. */
void cd_names_answering(const struct cd_names *names, const char *hostname,
			const struct cd_vector *lists[2]);
/** Endpoints whose name is covered by a certificate's name, exact or wildcard; NULL: none. */
const struct cd_vector *cd_names_covered(const struct cd_names *names, const char *pattern);

#endif
