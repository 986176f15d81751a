/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* adapters.h - the adapters that are built in, and those that are loaded */
#ifndef CD_ADAPTERS_H
#define CD_ADAPTERS_H

#include "base/problem.h"

#include <certdeploy-adapter.h>

struct cd_adapter_entry {
	const struct certdeploy_adapter *adapter;
	const char *file; /**< NULL: built in */
	void *module;
};

/** All adapters of one run. */
struct cd_adapters {
	struct cd_arena arena;
	struct cd_vector list; /**< of struct cd_adapter_entry */
};

/**
 * Those built in, then the modules of the installed adapter directory. A module is loaded only when
 * it and its directory belong to root and nobody else can write them, and when its interface number
 * and size fit; otherwise it is left out with a warning.
 */
int cd_adapters_open(struct cd_adapters *adapters, struct cd_problems *problems);
void cd_adapters_close(struct cd_adapters *adapters);
const struct certdeploy_adapter *cd_adapters_find(const struct cd_adapters *adapters, const char *name);

#endif
