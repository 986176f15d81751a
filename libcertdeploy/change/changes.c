/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* changes.c - everything that one transaction puts on the disk */
#include "change/changes.h"

#include "base/text.h"

#include <string.h>

void cd_changes_free(struct cd_changes *changes)
{
	cd_vector_free(&changes->list);
	cd_vector_free(&changes->builds);
	cd_table_free(&changes->by_path);
	cd_arena_free(&changes->arena);
}

static bool same_content(const struct cd_change *one, const struct cd_change *other)
{
	if (one->kind != other->kind)
		return false;
	if (one->kind == CD_CHANGE_LINK)
		return strcmp(one->target, other->target) == 0;
	if (one->kind != CD_CHANGE_FILE)
		return true;
	if (one->bytes == NULL || other->bytes == NULL)
		return one->bytes == other->bytes;
	return one->length == other->length &&
	       (one->length == 0 || memcmp(one->bytes, other->bytes, one->length) == 0);
}

static int refuse_second(struct cd_problems *problems, const char *path)
{
	return cd_fail(problems, CERTDEPLOY_EREFUSED, "conflicting-edits", path, 0,
		       _("two changes want this path to be different things"));
}

/* A copy of a string that may be missing; a failure is remembered. */
static const char *keep(struct cd_changes *changes, const char *string, bool *failed)
{
	const char *copy = cd_arena_string(&changes->arena, string);

	*failed = *failed || (copy == NULL && string != NULL);
	return copy;
}

static const char *const *keep_list(struct cd_changes *changes, const char *const *list, bool *failed)
{
	const char *const *copy = cd_arena_list(&changes->arena, list);

	*failed = *failed || (copy == NULL && list != NULL);
	return copy;
}

int cd_changes_add(struct cd_changes *changes, struct cd_problems *problems, const struct cd_change *change)
{
	struct cd_change *known = cd_table_get(&changes->by_path, change->path), *copy;
	bool failed = false;
	int result;

	if (known != NULL && !same_content(known, change))
		return refuse_second(problems, change->path);
	if (known != NULL) {
		known->secret = known->secret || change->secret;
		return 0;
	}
	result = cd_check_path(problems, change->path);
	if (result != 0)
		return result;
	copy = cd_arena_alloc(&changes->arena, sizeof(*copy));
	if (copy == NULL)
		return cd_fail_memory(problems);
	*copy = *change;
	copy->path = keep(changes, change->path, &failed);
	copy->target = keep(changes, change->target, &failed);
	copy->service = keep(changes, change->service, &failed);
	copy->diff = keep(changes, change->diff, &failed);
	if (failed || cd_table_lend(&changes->by_path, copy->path, copy) != 0 ||
	    cd_vector_add(&changes->list, copy) != 0)
		return cd_fail_memory(problems);
	return 0;
}

static bool same_build(const struct cd_change_build *one, const struct cd_change_build *other)
{
	size_t i = 0;

	if (strcmp(one->source, other->source) != 0 || one->input_length != other->input_length ||
	    (one->input == NULL) != (other->input == NULL))
		return false;
	if (one->input != NULL && memcmp(one->input, other->input, one->input_length) != 0)
		return false;
	while (one->argv[i] != NULL && other->argv[i] != NULL && strcmp(one->argv[i], other->argv[i]) == 0)
		i++;
	return one->argv[i] == NULL && other->argv[i] == NULL;
}

int cd_changes_add_build(struct cd_changes *changes, struct cd_problems *problems,
			 const struct cd_change_build *build)
{
	struct cd_change_build *copy;
	bool failed = false;
	int result;

	for (size_t i = 0; i < changes->builds.count; i++) {
		struct cd_change_build *known = changes->builds.items[i];

		if (strcmp(known->product, build->product) != 0)
			continue;
		if (!same_build(known, build))
			return refuse_second(problems, build->product);
		known->secret = known->secret || build->secret;
		return 0;
	}
	result = cd_check_path(problems, build->source);
	if (result == 0)
		result = cd_check_path(problems, build->product);
	if (result != 0)
		return result;
	copy = cd_arena_alloc(&changes->arena, sizeof(*copy));
	if (copy == NULL)
		return cd_fail_memory(problems);
	*copy = *build;
	copy->source = keep(changes, build->source, &failed);
	copy->argv = keep_list(changes, build->argv, &failed);
	copy->environment = keep_list(changes, build->environment, &failed);
	copy->product = keep(changes, build->product, &failed);
	copy->suffix = keep(changes, build->suffix, &failed);
	copy->service = keep(changes, build->service, &failed);
	if (failed || cd_vector_add(&changes->builds, copy) != 0)
		return cd_fail_memory(problems);
	return 0;
}
