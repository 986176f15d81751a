/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.h - certdeploy.conf */
#ifndef CD_SETTINGS_H
#define CD_SETTINGS_H

#include "base/problem.h"

/** A place to look at instead of a service's own listeners. */
struct cd_probe_setting {
	const char *protocol;
	const char *address; /**< NULL: this host */
	uint16_t port;
};

/** One row of `services`: plain strings, the adapter is found later. */
struct cd_service_settings {
	const char *name;
	const char *adapter;
	size_t line;
	struct cd_vector values; /**< of struct cd_setting, everything else that is a string or a list */
	struct cd_vector probes; /**< of struct cd_probe_setting */
	unsigned timeout;        /**< seconds for a command or a proof; 0: the default */
};

/** What one family of CAs lets stand in a request. */
struct cd_profile {
	const char *name;
	bool strict;                 /**< ASCII letters, digits and a few signs; no unit of dashes */
	bool addresses;              /**< IP addresses among the names */
	const char *const *required; /**< "organization", "country", …; NULL: none */
};

struct cd_settings {
	const char *file; /**< that was read, or NULL */
	const char *store;
	const char *state;
	const char *chain_directory;
	bool fetch_private;        /**< --fetch-issuer may connect to addresses that are not public */
	struct cd_vector profiles; /**< of struct cd_profile: rules for requests, beside the built-in */
	const char *profile;       /**< the one that holds without --profile, or NULL */
	bool backup_beside;
	bool syslog; /**< a line a run to the system's log */
	unsigned keep;
	unsigned watch; /**< milliseconds after a reload in which no server may die */
	const char *const
		*permissions;      /**< rules for installed files: certificate/permissions.h; or NULL */
	struct cd_vector services; /**< of struct cd_service_settings */
	bool search;               /**< no `services` at all: search the host (an empty list means none) */
};

/**
 * Read the settings. file NULL: the installed default (inside root, when there is one), where a
 * missing file means defaults. Returns 0; CERTDEPLOY_EREFUSED "settings" with file and line, or
 * "unsafe-path" when others could change the file; CERTDEPLOY_ENOMEM.
 */
int cd_settings_load(struct cd_settings *settings, struct cd_arena *arena, struct cd_problems *problems,
		     const char *file, const char *root);
void cd_settings_free(struct cd_settings *settings);

/**
 * The next place of a protocol that stands for a service's own listeners; NULL: no more. service may be
 * NULL; *at begins at 0.
 */
const struct cd_probe_setting *cd_probe_setting_next(const struct cd_service_settings *service,
						     const char *protocol, size_t *at);

#endif
