/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* analyze.h - what tests/analyze tells the analyzers, which see one source file at a time, of the others */
#ifndef CD_ANALYZE_H
#define CD_ANALYZE_H

/* What the build gives by -D. */
#define CD_SYSCONFDIR "/etc"
#define CD_LOCALSTATEDIR "/var"
#define CD_ADAPTERDIR "/lib"
#define CD_LOCALEDIR "/share"

#ifndef CD_ANALYZE_BARE /* the file that defines them */
#include "base/problem.h"

#include <certdeploy.h>

/* To fail is never 0. */
#define cd_fail(problems, result, ...) (cd_fail(problems, result, __VA_ARGS__), (result))
#define cd_fail_memory(problems) (cd_fail_memory(problems), CERTDEPLOY_ENOMEM)
#define cd_fail_errno(...) (cd_fail_errno(__VA_ARGS__), CERTDEPLOY_EFAILED)

#ifdef CD_ANALYZE_ADAPTER
#include <certdeploy-adapter.h>
#define certdeploy_refuse(...) (certdeploy_refuse(__VA_ARGS__), CERTDEPLOY_EREFUSED)
#endif

/* A vector keeps the item, const or not. */
void cd_analyze_kept(void *item);
static inline int cd_analyze_add(struct cd_vector *vector, const void *item)
{
	cd_analyze_kept((void *)item);
	return cd_vector_add(vector, item);
}
#define cd_vector_add cd_analyze_add
#endif

#endif
