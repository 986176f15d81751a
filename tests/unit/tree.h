/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tree.h - a configuration in a file tree of its own, read and planned by an adapter */
#ifndef CD_UNIT_TREE_H
#define CD_UNIT_TREE_H

#include "change/edits.h"
#include "host/reading.h"

#define TREE_PATH 64

/** Make an empty directory; what is a word for its name. */
void tree_make(char root[TREE_PATH], const char *what);
/** Write a file, with the directories above it; path begins with a slash. */
void tree_put(const char *root, const char *path, const char *bytes, size_t length);
void tree_remove(const char *root);

struct fixture {
	char root[TREE_PATH];
	struct cd_problems problems;
	struct cd_host host;
	struct cd_arena arena;
	struct cd_service service;
	struct certdeploy_reading reading;
	struct certdeploy_edits edits;
	struct cd_overlay overlay;
	struct certdeploy_reading after; /* over the edits, once it is opened */
	struct certdeploy_assignment *assignments;
	size_t assignment_count;
	const struct certdeploy_material *const *materials; /* what assign() gives */
	bool drop;
};

/** An empty tree for an adapter. */
void fixture_begin(struct fixture *fixture, const struct certdeploy_adapter *adapter);
void fixture_close(struct fixture *fixture);

void put_bytes(const struct fixture *fixture, const char *path, const char *bytes, size_t length);
void put(const struct fixture *fixture, const char *path, const char *text);
/** Set one of the service's own keys. */
void set(struct fixture *fixture, const char *key, const char *value);

/** Read what was put there; the adapter's result. */
int fixture_read(struct fixture *fixture);
/** The endpoints' index-th, or NULL. */
const struct certdeploy_endpoint *endpoint(const struct fixture *fixture, size_t index);

/** Give an endpoint the fixture's materials; user is the fixture. */
int assign(void *user, const struct certdeploy_endpoint *endpoint);
/** Give them to those whose listener begins with a text and that no name is asked of. */
void assign_defaults(struct fixture *fixture, const char *listen);
/** Plan what was assigned, and make the new texts. */
int fixture_plan(struct fixture *fixture);
/** The new text of a file, or NULL where it stays as it is. */
const char *edited(const struct fixture *fixture, const char *path);

/** The code of the first error, or of the first problem where there is none, or "". line may be NULL. */
const char *problem(const struct fixture *fixture, size_t *line);

#endif
