/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tree.c - a configuration in a file tree of its own, read and planned by an adapter */
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

void fixture_begin(struct fixture *fixture, const struct certdeploy_adapter *adapter)
{
	memset(fixture, 0, sizeof(*fixture));
	tree_make(fixture->root, adapter->name);
	fixture->service.name = adapter->name;
	fixture->service.adapter = adapter;
	fixture->service.arena = &fixture->arena;
}

void fixture_close(struct fixture *fixture)
{
	if (fixture->after.host != NULL)
		cd_reading_close(&fixture->after);
	cd_overlay_free(&fixture->overlay);
	cd_edits_free(&fixture->edits);
	cd_reading_close(&fixture->reading);
	cd_host_close(&fixture->host);
	cd_vector_free(&fixture->service.settings);
	cd_arena_free(&fixture->arena);
	cd_problems_free(&fixture->problems);
	free(fixture->assignments);
	tree_remove(fixture->root);
}

void put_bytes(const struct fixture *fixture, const char *path, const char *bytes, size_t length)
{
	tree_put(fixture->root, path, bytes, length);
}

void put(const struct fixture *fixture, const char *path, const char *text)
{
	put_bytes(fixture, path, text, strlen(text));
}

void set(struct fixture *fixture, const char *key, const char *value)
{
	const char *const values[] = {value, NULL};

	assert_int_equal(cd_service_set(&fixture->service, key, values), 0);
}

int fixture_read(struct fixture *fixture)
{
	assert_int_equal(cd_host_open(&fixture->host, &fixture->problems, fixture->root), 0);
	cd_reading_open(&fixture->reading, &fixture->host, &fixture->service, NULL);
	return fixture->service.adapter->read(&fixture->reading);
}

const struct certdeploy_endpoint *endpoint(const struct fixture *fixture, size_t index)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(&fixture->reading, &count);

	return index < count ? all[index] : NULL;
}

int assign(void *user, const struct certdeploy_endpoint *one)
{
	struct fixture *fixture = user;
	size_t size = (fixture->assignment_count + 1) * sizeof(*fixture->assignments);

	fixture->assignments = realloc(fixture->assignments, size);
	assert_non_null(fixture->assignments);
	fixture->assignments[fixture->assignment_count++] =
		(struct certdeploy_assignment){one, fixture->materials, fixture->drop};
	return 0;
}

void assign_defaults(struct fixture *fixture, const char *listen)
{
	const struct certdeploy_endpoint *one;

	for (size_t i = 0; (one = endpoint(fixture, i)) != NULL; i++)
		if (one->name == NULL && strncmp(one->listen, listen, strlen(listen)) == 0)
			(void)assign(fixture, one);
}

int fixture_plan(struct fixture *fixture)
{
	int result;

	fixture->edits.problems = &fixture->problems;
	result = fixture->service.adapter->plan(&fixture->reading, fixture->assignments,
						fixture->assignment_count, &fixture->edits);
	return result == 0 ? cd_edits_render(&fixture->edits) : result;
}

const char *edited(const struct fixture *fixture, const char *path)
{
	const struct certdeploy_edits *edits = &fixture->edits;

	for (size_t i = 0; i < edits->files.count; i++) {
		const struct cd_file_edit *file = edits->files.items[i];

		if (strcmp(file->path, path) == 0)
			return file->bytes;
	}
	return NULL;
}

const char *problem(const struct fixture *fixture, size_t *line)
{
	const struct cd_problems *problems = &fixture->problems;
	const struct certdeploy_problem *first = cd_problems_error(problems, 0);

	if (first == NULL && problems->list.count != 0)
		first = problems->list.items[0];
	if (first != NULL && line != NULL)
		*line = first->line;
	return first == NULL ? "" : first->code;
}
