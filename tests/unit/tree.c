/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tree.c - a configuration in a file tree of its own, and what an adapter said of it */
#include "unit.h"

#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void tree_make(char root[TREE_PATH], const char *what)
{
	(void)snprintf(root, TREE_PATH, "/tmp/certdeploy-%s.XXXXXX", what);
	assert_non_null(mkdtemp(root));
}

void tree_put(const char *root, const char *path, const char *bytes, size_t length)
{
	char full[512];
	FILE *file;

	(void)snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
		*at = '\0';
		(void)mkdir(full, 0755);
		*at = '/';
	}
	file = fopen(full, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

void tree_remove(const char *root)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", root);
	assert_int_equal(system(command), 0);
}

const char *tree_problem(const struct cd_problems *problems, size_t *line)
{
	const struct certdeploy_problem *first = cd_problems_error(problems, 0);

	if (first == NULL && problems->list.count != 0)
		first = problems->list.items[0];
	if (first != NULL && line != NULL)
		*line = first->line;
	return first == NULL ? "" : first->code;
}

const char *tree_edited(const struct certdeploy_edits *edits, const char *path)
{
	for (size_t i = 0; i < edits->files.count; i++) {
		const struct cd_file_edit *file = edits->files.items[i];

		if (strcmp(file->path, path) == 0)
			return file->bytes;
	}
	return NULL;
}
