/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * deployment.h - remembered: which certificate goes where
 *
 *	STATE/deployments/NAME.json
 *
 * Kept by the transaction that deployed it, so that a renewal needs no arguments. Holds the target and,
 * where the material came from files, their paths; never the material.
 */
#ifndef CD_DEPLOYMENT_H
#define CD_DEPLOYMENT_H

#include "change/changes.h"
#include "handle.h"
#include "host/host.h"

/**
 * Remember a target, within these services (NULL: all), and, of the pieces, the files they came from; no
 * change when it is remembered so already.
 */
int cd_deployment_keep(struct cd_changes *changes, struct cd_host *host, const char *state_directory,
		       const char *name, const struct cd_order *target, const char *const *services,
		       const struct cd_vector *pieces);

/** Names of all deployments, NULL-terminated, in host->arena. None: an empty list. */
int cd_deployment_names(const char *const **names, struct cd_host *host, const char *state_directory);

/** Where a name's deployment is remembered; NULL: memory is short. */
char *cd_deployment_path(struct cd_arena *arena, const char *state_directory, const char *name);

/** Remember it under another name; no change where nothing is remembered. */
int cd_deployment_rename(struct cd_changes *changes, struct cd_host *host, const char *state_directory,
			 const char *name, const char *new_name);

/**
 * Fill an empty order from a remembered deployment: its target, and its material from the remembered
 * files while they are all there and changed by root alone (else the store has it). strings: where the
 * order's texts are to live.
 * Returns 0; CERTDEPLOY_ENOTFOUND: nothing is remembered under that name (nothing recorded);
 * CERTDEPLOY_EREFUSED: it cannot be read.
 */
int cd_deployment_recall(struct cd_order *order, struct cd_arena *strings, struct cd_host *host,
			 const char *state_directory, const char *name);

#endif
