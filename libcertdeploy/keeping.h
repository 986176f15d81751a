/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* keeping.h - operations on the store alone: no server is touched */
#ifndef CD_KEEPING_H
#define CD_KEEPING_H

#include "certificate/store.h"
#include "change/transaction.h"
#include "handle.h"
#include "loading.h"

/** The host, and what is to be changed on it, while one such operation runs. */
struct cd_keeping {
	struct certdeploy_result *result;
	const struct certdeploy_request *request;
	struct cd_host host;
	struct cd_changes changes;
	struct cd_overlay overlay;
	bool stale; /**< set: nothing was done, as what was read has changed */
	bool fresh; /**< a name that is taken is not given another certificate */
};

typedef int cd_store_fn(struct cd_keeping *keeping);

/**
 * One operation on the store: make a result, undo what was interrupted (when something is to change), do
 * the work, end the result.
 */
int cd_with_store(struct certdeploy_result **out, struct certdeploy *cd,
		  const struct certdeploy_request *request, bool changing, cd_store_fn *work);

/** Undo what was interrupted (when something is to change) and open the host. */
int cd_keeping_open(struct cd_keeping *keeping, struct certdeploy_result *result,
		    const struct certdeploy_request *request, bool changing);
/** Carry the changes out, if there are any, and report them. */
int cd_keeping_run(struct cd_keeping *keeping, const char *command, const char *name);
void cd_keeping_close(struct cd_keeping *keeping);

/** Load material and plan its place in the store. name NULL: the certificate's own. */
int cd_keeping_store(const char **stored, struct cd_keeping *keeping, const struct cd_loading *loading,
		     const char *name);

/** Plan the place of certificates that are loaded already, and report them. */
int cd_keeping_place(const char **stored, struct cd_keeping *keeping,
		     const struct cd_certificates *certificates, const char *name);

/** Codes that what is installed, or was, may have: its time has ended, or not begun. */
extern const char *const cd_keeping_dates[];
/** Load what the store has under a name, and report it. What has ended is only noted. */
int cd_keeping_load(struct cd_certificates *certificates, struct cd_keeping *keeping, const char *name,
		    bool need_key);
/** Hand something out; the bytes are copied. */
int cd_keeping_put(struct cd_keeping *keeping, const char *name, const void *bytes, size_t length,
		   bool secret, bool text);

#endif
