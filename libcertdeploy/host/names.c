/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* names.c - the endpoints of one reading by their names */
#include "host/names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NAME_ROOM 512

/* Lower case; false when it is longer than any name. */
static bool fold(char out[NAME_ROOM], const char *name)
{
	size_t length = strlen(name);

	if (length >= NAME_ROOM)
		return false;
	for (size_t i = 0; i <= length; i++)
		out[i] = (char)tolower((unsigned char)name[i]);
	return true;
}

static int add(struct cd_names *names, struct cd_table *table, const char *key,
	       const struct certdeploy_endpoint *endpoint)
{
	struct cd_vector *list = cd_table_get(table, key);

	if (list == NULL) {
		list = calloc(1, sizeof(*list));
		if (list == NULL || cd_vector_add(&names->lists, list) != 0) {
			free(list);
			return CERTDEPLOY_ENOMEM;
		}
		if (cd_table_put(table, key, list) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return cd_vector_add(list, endpoint);
}

int cd_names_make(struct cd_names *names, const struct certdeploy_reading *reading)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(reading, &count);
	char name[NAME_ROOM];
	int result = 0;

	if (names->made)
		return 0;
	names->made = true;
	for (size_t i = 0; result == 0 && i < count; i++) {
		const char *parent;

		if (all[i]->name == NULL) {
			result = cd_vector_add(&names->unnamed, all[i]);
			continue;
		}
		if (!fold(name, all[i]->name))
			continue;
		result = add(names, &names->by_name, name, all[i]);
		parent = strchr(name, '.');
		if (result == 0 && parent != NULL && parent != name)
			result = add(names, &names->by_parent, parent + 1, all[i]);
	}
	return result;
}

void cd_names_free(struct cd_names *names)
{
	for (size_t i = 0; i < names->lists.count; i++) {
		cd_vector_free(names->lists.items[i]);
		free(names->lists.items[i]);
	}
	cd_vector_free(&names->lists);
	cd_vector_free(&names->unnamed);
	cd_table_free(&names->by_name);
	cd_table_free(&names->by_parent);
}

void cd_names_answering(const struct cd_names *names, const char *hostname,
			const struct cd_vector *lists[2])
{
	char name[NAME_ROOM], wildcard[NAME_ROOM + 2] = "*";
	const char *parent;

	lists[0] = lists[1] = NULL;
	if (!fold(name, hostname))
		return;
	lists[0] = cd_table_get(&names->by_name, name);
	parent = strchr(name, '.');
	if (parent == NULL || parent == name || name[0] == '*')
		return;
	memcpy(wildcard + 1, parent, strlen(parent) + 1);
	lists[1] = cd_table_get(&names->by_name, wildcard);
}

const struct cd_vector *cd_names_covered(const struct cd_names *names, const char *pattern)
{
	char name[NAME_ROOM];

	if (!fold(name, pattern))
		return NULL;
	if (strncmp(name, "*.", 2) == 0)
		return strchr(name + 2, '.') == NULL ? NULL : cd_table_get(&names->by_parent, name + 2);
	return cd_table_get(&names->by_name, name);
}
