/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scene.h - a host with three servers and a store, a deployment over all of it, and a judge */
#ifndef CD_SCENE_H
#define CD_SCENE_H

#include "base/text.h"
#include "change/history.h"
#include "change/transaction.h"

/*
 * The servers are stood for by files: run/NAME.up is there while a server runs, and run/NAME.served is
 * the configuration that it last read. scene_command() is what their commands do.
 */

#define SCENE_SECRET "SECRET" /* in every key, old and new */

struct scene {
	char path[512];
	struct cd_root root;
	struct cd_problems problems;
};

/** Build the host below an existing empty directory. */
void scene_build(const char *path);

/** Copy a host with all its attributes; what stands at `to` goes. */
void scene_copy(const char *from, const char *to);
/** Remove a directory with all that is in it. */
void scene_clear(const char *path);

void scene_open(struct scene *scene, const char *path);
void scene_close(struct scene *scene);

/** The operations under test. program: what plays the servers' commands. */
int scene_deploy(struct scene *scene, const char *program);
/** A deployment that also brings 100 certificates, each with its directory, key and link. */
int scene_deploy_many(struct scene *scene, const char *program);
/** One that leaves copies beside the originals. */
int scene_deploy_beside(struct scene *scene, const char *program);
int scene_rollback(struct scene *scene, const char *program);
/** All backups but the newest go. */
int scene_prune(struct scene *scene, const char *program);
int scene_recover(struct scene *scene, const char *program);

/** Play a server's command, or the program that builds a table: argv as it is given to a program. */
int scene_command(const char *const *argv);

/**
 * One line for each path below the host, but for its state and its servers' memory; with its history when
 * that is meant. To be freed.
 */
char *scene_picture(const char *path, bool history);

/** The modification times of its files, in one text; to be freed. */
char *scene_times(const char *path);

/** SHA-256 over all that there is, but for what is told of runs: two hosts of the same one stand alike. */
void scene_digest(char digest[CD_SHA256_TEXT], const char *path);

/** Keys that somebody else than their owner and group could read. */
unsigned scene_open_keys(const char *path);

/** NULL, or what is wrong with the servers: each runs with what its configuration now says. */
const char *scene_servers_wrong(const char *path);

/** NULL, or what was left in the state directory that should not be there. */
const char *scene_litter(const char *path);

#endif
