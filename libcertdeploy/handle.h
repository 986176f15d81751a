/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handle.h - what stands behind the opaque types of certdeploy.h */
#ifndef CD_HANDLE_H
#define CD_HANDLE_H

#include "base/language.h"
#include "base/problem.h"
#include "host/settings.h"

#define CD_LISTS (CERTDEPLOY_NEW_NAME + 1)
#define CD_FLAGS (CERTDEPLOY_VERIFY_SCOPE + 1)

struct certdeploy {
	struct cd_arena arena;
	struct cd_settings settings;
	struct cd_problems problems; /**< of the making, then the last call's error alone */
	const struct certdeploy_problem *error;
	int broken; /**< code with which every operation ends: the settings cannot be used */
	const char *root;
	const char *language;
	struct cd_catalogue *catalogue; /**< of that language, or NULL */
	certdeploy_progress_fn *progress;
	certdeploy_log_fn *log;
	certdeploy_passphrase_fn *passphrase;
	void *user;
};

/** One certificate and where it is to go. */
struct cd_order {
	struct cd_vector pieces; /**< of struct cd_piece, whose bytes are wiped at the end */
	struct cd_vector lists[CD_LISTS];
	bool defaults;
	bool all;
	int result;                               /**< of what could not be added last */
	const struct certdeploy_problem *failure; /**< why it is left out; NULL: it is not */
};

/** End an order: its pieces are wiped. */
void cd_order_free(struct cd_order *order);
struct cd_piece;
/** Wipe and free one piece. */
void cd_order_drop_piece(struct cd_piece *piece);

struct certdeploy_request {
	struct certdeploy *cd;
	struct cd_arena arena;
	struct cd_vector orders; /**< of struct cd_order, at least one; the last is being filled */
	long flags[CD_FLAGS];
	bool given[CD_FLAGS];
};

/** Values of a list, NULL-terminated; NULL when there are none. */
const char *const *cd_order_list(const struct cd_order *order, enum certdeploy_list_option option);
/** The only value, or NULL. */
const char *cd_order_value(const struct cd_order *order, enum certdeploy_list_option option);
/** The same of the first order: for what is meant for the whole request. NULL also without a request. */
const char *const *cd_request_list(const struct certdeploy_request *request,
				   enum certdeploy_list_option option);
const char *cd_request_value(const struct certdeploy_request *request, enum certdeploy_list_option option);
/** The first order's pieces; NULL without a request. */
const struct cd_vector *cd_request_pieces(const struct certdeploy_request *request);
long cd_request_flag(const struct certdeploy_request *request, enum certdeploy_flag flag, long otherwise);
/** Tell what is asked for and means nothing, once for an operation: a misspelt code accepts nothing. */
void cd_request_look(const struct certdeploy_request *request, struct cd_problems *problems);

struct certdeploy_result {
	struct certdeploy *cd;
	struct cd_language language; /**< while the operation runs */
	struct cd_problems problems; /**< its arena holds everything that the result shows */
	struct cd_vector certificates;
	struct cd_vector services;
	struct cd_vector files;
	struct cd_vector history;
	struct cd_vector adapters;
	struct cd_vector outputs; /**< of struct certdeploy_output */
	int code;
	bool changed;
	const char *transaction;
	const char *diff;
};

/** Begin an operation; out: where its caller wants the result, set to NULL until the end. */
int cd_result_begin(struct certdeploy_result **result, struct certdeploy_result **out,
		    struct certdeploy *cd);
/** End it: hand the result out, remember its error in the handle, return the code. */
int cd_result_end(struct certdeploy_result **out, struct certdeploy_result *result, int code);

/** What every operation answers on a handle whose settings cannot be used; records why. */
int cd_broken(struct certdeploy_result *result);

/** Undo or finish what an interrupted run left, before anything else is read or changed. */
int cd_recover_first(struct certdeploy *cd, struct cd_problems *problems,
		     const struct certdeploy_request *request);

/** Tell the caller what is being done; CERTDEPLOY_ECANCELLED, recorded, when it asks to stop. */
int cd_progress(struct certdeploy *cd, struct cd_problems *problems, const char *what, size_t done,
		size_t total);
void cd_log(const struct certdeploy *cd, int level, const char *format, ...) CERTDEPLOY_PRINTF(3, 4);

#endif
