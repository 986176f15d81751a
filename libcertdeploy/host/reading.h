/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reading.h - one service's configuration being read; what certdeploy-adapter.h hands to adapters */
#ifndef CD_READING_H
#define CD_READING_H

#include "base/pattern.h"
#include "change/edits.h"
#include "host/host.h"

/** A setting and its values, all strings. */
struct cd_setting {
	const char *key;
	const char *const *values;
	size_t line; /**< in certdeploy.conf; 0: not from there */
};

/** One server as certdeploy.conf or an adapter's find() describes it. */
struct cd_service {
	const char *name;
	const struct certdeploy_adapter *adapter;
	struct cd_vector settings; /**< of struct cd_setting; later ones do not override earlier ones */
	struct cd_arena *arena;    /**< where the settings live */
};

/** Add a setting unless the key is there. Copies. Returns 0 or CERTDEPLOY_ENOMEM. */
int cd_service_set(struct cd_service *service, const char *key, const char *const *values);
const char *const *cd_service_list(const struct cd_service *service, const char *key);
const char *cd_service_get(const struct cd_service *service, const char *key);

/** What a plan would make of the host's files, laid over them. */
struct cd_overlay {
	struct cd_table documents; /**< the document's path -> struct certdeploy_document, edited */
	struct cd_table files;     /**< path -> struct certdeploy_document, created */
	struct cd_table added;     /**< directory -> struct cd_vector of the created names in it */
	struct cd_vector lists;    /**< the vectors in `added` */
	struct cd_arena arena;
};

/** Lay rendered edits over the host. Their paths and bytes are borrowed. */
int cd_overlay_edits(struct cd_overlay *overlay, struct cd_problems *problems,
		     const struct certdeploy_edits *edits);
/** Another content for a file that is there. The path is borrowed, bytes are copied. */
int cd_overlay_content(struct cd_overlay *overlay, struct cd_problems *problems, const char *path,
		       const char *bytes, size_t length);
/** Lay one more file over it, as the store's. Path and bytes are borrowed, with a NUL after them. */
int cd_overlay_file(struct cd_overlay *overlay, struct cd_problems *problems, const char *path,
		    const char *bytes, size_t length);
/** Whether something is laid over this path: its content changes. */
bool cd_overlay_has(const struct cd_overlay *overlay, const char *path);
void cd_overlay_free(struct cd_overlay *overlay);

struct certdeploy_reading {
	struct cd_host *host;
	const struct cd_service *service;
	const struct cd_overlay *overlay;        /**< NULL: the host as it is */
	const struct certdeploy_reading *before; /**< of the same service, without the overlay; or NULL */
	struct cd_arena arena;
	struct cd_vector endpoints; /**< of struct certdeploy_endpoint */
	struct cd_table leaves;     /**< path -> struct certdeploy_leaf, of the overlay's files */
	struct cd_table managed;    /**< document -> the sentence of cd_managed_file(), or "" */
	struct cd_patterns patterns;
	void *model;
	const char *const *environment; /**< for the service's commands, from daemon(); or NULL */
};

void cd_reading_open(struct certdeploy_reading *reading, struct cd_host *host,
		     const struct cd_service *service, const struct cd_overlay *overlay);
void cd_reading_close(struct certdeploy_reading *reading);
const char *cd_reading_service(const struct certdeploy_reading *reading);

#endif
