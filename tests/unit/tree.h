/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tree.h - a configuration in a file tree of its own, and what an adapter said of it */
#ifndef CD_UNIT_TREE_H
#define CD_UNIT_TREE_H

#include "change/edits.h"

#define TREE_PATH 64

/** Make an empty directory; what is a word for its name. */
void tree_make(char root[TREE_PATH], const char *what);
/** Write a file, with the directories above it; path begins with a slash. */
void tree_put(const char *root, const char *path, const char *bytes, size_t length);
void tree_remove(const char *root);

/** The code of the first error, or of the first problem where there is none, or "". line may be NULL. */
const char *tree_problem(const struct cd_problems *problems, size_t *line);
/** The new text of a file, or NULL where it stays as it is. */
const char *tree_edited(const struct certdeploy_edits *edits, const char *path);

#endif
