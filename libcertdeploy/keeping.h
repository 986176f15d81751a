/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* keeping.h - operations on the store alone: no server is touched */
#ifndef CD_KEEPING_H
#define CD_KEEPING_H

#include "certificate/store.h"
#include "change/transaction.h"
#include "handle.h"

/** The host, and what is to be changed on it, while one such operation runs. */
struct cd_keeping {
	struct certdeploy_result *result;
	const struct certdeploy_request *request;
	struct cd_host host;
	struct cd_changes changes;
	struct cd_overlay overlay;
};

/** Undo what was interrupted (when something is to change) and open the host. */
int cd_keeping_open(struct cd_keeping *keeping, struct certdeploy_result *result,
		    const struct certdeploy_request *request, bool changing);
/** Carry the changes out, if there are any, and report them. */
int cd_keeping_run(struct cd_keeping *keeping, const char *command, const char *name);
void cd_keeping_close(struct cd_keeping *keeping);

/** Read material and plan its place in the store. name NULL: the certificate's own. */
int cd_keeping_store(const char **stored, struct cd_keeping *keeping, const struct cd_piece *pieces,
		     size_t count, const char *name, const char *const *accepted);

/** Load what the store has under the request's name, and report it. What has ended is only noted. */
int cd_keeping_load(struct cd_certificates *certificates, struct cd_keeping *keeping, bool need_key);
/** The request's pieces as an array, in the result's arena. */
int cd_keeping_pieces(struct cd_piece **pieces, size_t *count, struct cd_keeping *keeping);
/** Hand something out; the bytes are copied. */
int cd_keeping_put(struct cd_keeping *keeping, const char *name, const void *bytes, size_t length,
		   bool secret, bool text);

#endif
