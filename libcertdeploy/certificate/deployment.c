/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* deployment.c - remembered: which certificate goes where */
#include "certificate/deployment.h"

#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"
#include "certificate/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_LIMIT ((size_t)1 << 20)
#define SUFFIX ".json"
#define SCHEMA "certdeploy-deployment/1"

static const struct {
	const char *key;
	enum certdeploy_list_option option;
} lists[] = {
	{"hostname", CERTDEPLOY_HOSTNAME},
	{"address", CERTDEPLOY_ADDRESS},
	{"listener", CERTDEPLOY_LISTENER},
};
#define LIST_COUNT (sizeof(lists) / sizeof(lists[0]))

static const char *const kinds[] = {"any", "cert", "key", "chain", "fullchain", "pkcs12"};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

char *cd_deployment_path(struct cd_arena *arena, const char *state_directory, const char *name)
{
	return cd_arena_format(arena, "%s/deployments/%s" SUFFIX, state_directory, name);
}

/* ---- writing ---- */

static int put_list(json_t *object, const char *key, const char *const *values)
{
	json_t *array = json_array();

	for (; array != NULL && values != NULL && *values != NULL; values++)
		if (json_array_append_new(array, json_string(*values)) != 0) {
			json_decref(array);
			return CERTDEPLOY_ENOMEM;
		}
	return array != NULL && json_object_set_new(object, key, array) == 0 ? 0 : CERTDEPLOY_ENOMEM;
}

/* Only files can be found again; inline material is in the store alone. */
static int put_source(json_t *object, const struct cd_vector *pieces, bool live)
{
	json_t *array = json_array();

	for (size_t i = 0; array != NULL && i < pieces->count; i++) {
		const struct cd_piece *piece = pieces->items[i];
		json_t *entry;

		if (!live || piece->file == NULL || (size_t)piece->kind >= KIND_COUNT) {
			(void)json_array_clear(array);
			break;
		}
		entry = json_pack("{s:s, s:s}", "kind", kinds[piece->kind], "path", piece->file);
		if (entry == NULL || json_array_append_new(array, entry) != 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array != NULL && json_object_set_new(object, "source", array) == 0 ? 0 : CERTDEPLOY_ENOMEM;
}

static char *write_text(const char *name, const struct cd_order *target, const char *const *services,
			const struct cd_vector *pieces, bool live)
{
	json_t *object = json_pack("{s:s, s:s, s:b, s:b}", "schema", SCHEMA, "name", name, "default",
				   (int)target->defaults, "all", (int)target->all);
	int result = object == NULL ? CERTDEPLOY_ENOMEM : 0;
	char *text = NULL;

	for (size_t i = 0; result == 0 && i < LIST_COUNT; i++)
		result = put_list(object, lists[i].key, cd_order_list(target, lists[i].option));
	if (result == 0)
		result = put_list(object, "service", services);
	if (result == 0)
		result = put_source(object, pieces, live);
	if (result == 0)
		text = cd_json_text(object, JSON_INDENT(2) | JSON_SORT_KEYS);
	json_decref(object);
	return text;
}

/* Write a name's text, unless it stands there already. */
static int put_text(struct cd_changes *changes, struct cd_host *host, const char *state_directory,
		    const char *name, const char *text)
{
	struct cd_change directory = {
		.kind = CD_CHANGE_DIRECTORY, .mode = 0700, .owner = (uid_t)-1, .group = (gid_t)-1};
	struct cd_change change = {.kind = CD_CHANGE_FILE,
				   .mode = 0600,
				   .owner = (uid_t)-1,
				   .group = (gid_t)-1,
				   .compare = true};
	char *kept = text == NULL ? NULL : cd_arena_format(&changes->arena, "%s\n", text), *old = NULL;
	size_t length = 0;
	int error, result = 0;

	change.path = cd_deployment_path(&changes->arena, state_directory, name);
	directory.path = cd_arena_format(&changes->arena, "%s/deployments", state_directory);
	if (change.path == NULL || directory.path == NULL || kept == NULL)
		return cd_fail_memory(host->problems);
	error = cd_read_file(&old, &length, &change.before, &host->root, change.path, FILE_LIMIT);
	if (error == ENOMEM)
		return cd_fail_memory(host->problems);
	change.bytes = kept;
	change.length = strlen(kept);
	if (error != 0 || length != change.length || memcmp(old, kept, length) != 0) {
		result = cd_changes_add(changes, host->problems, &directory);
		if (result == 0)
			result = cd_changes_add(changes, host->problems, &change);
	}
	free(old);
	return result;
}

int cd_deployment_keep(struct cd_changes *changes, struct cd_host *host, const char *state_directory,
		       const char *name, const struct cd_order *target, const char *const *services,
		       const struct cd_vector *pieces)
{
	char *text = write_text(name, target, services, pieces, host->root.live);
	int result = put_text(changes, host, state_directory, name, text);

	free(text);
	return result;
}

/* ---- reading ---- */

int cd_deployment_names(const char *const **names, struct cd_host *host, const char *state_directory)
{
	char *path = cd_arena_format(&host->arena, "%s/deployments", state_directory);
	const char *const *files = NULL;
	struct cd_vector found = {0};
	int result = path == NULL ? cd_fail_memory(host->problems) : cd_host_directory(&files, host, path);

	*names = NULL;
	if (result != 0 && result != CERTDEPLOY_ENOTFOUND)
		return result;
	result = 0;
	for (; result == 0 && files != NULL && *files != NULL; files++) {
		size_t length = strlen(*files);
		char *name;

		if (!cd_ends_with(*files, SUFFIX))
			continue;
		name = cd_arena_copy(&host->arena, *files, length - strlen(SUFFIX));
		if (name != NULL && !cd_store_name_is_valid(name))
			continue;
		result = name == NULL ? CERTDEPLOY_ENOMEM : cd_vector_add(&found, name);
	}
	if (result == 0)
		*names = cd_arena_list(&host->arena, found.count == 0 ? (const char *const[]){NULL}
								      : (const char *const *)found.items);
	cd_vector_free(&found);
	return *names == NULL ? cd_fail_memory(host->problems) : 0;
}

static int take_list(struct cd_vector *list, struct cd_arena *strings, const json_t *array)
{
	size_t index;
	json_t *value;

	json_array_foreach(array, index, value)
	{
		char *text = cd_arena_string(strings, json_string_value(value));

		if (text == NULL || cd_vector_add(list, text) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

/* The bytes of a remembered file, if root alone could have put them there. */
static struct cd_piece *take_piece(struct cd_arena *strings, struct cd_host *host, const json_t *entry)
{
	const char *path = json_string_value(json_object_get(entry, "path"));
	const char *kind = json_string_value(json_object_get(entry, "kind"));
	struct cd_problems ignored = {0};
	struct cd_piece *piece = NULL;
	struct cd_place place;
	char *bytes = NULL;
	size_t length = 0, number = 0;
	int fd = -1;

	if (path == NULL || kind == NULL)
		return NULL;
	while (number < KIND_COUNT && strcmp(kinds[number], kind) != 0)
		number++;
	if (number < KIND_COUNT &&
	    cd_place_find(&place, &ignored, &host->root, path, CD_TRUST_CHECK) == 0) {
		fd = openat(place.directory, place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		cd_place_close(&place);
	}
	if (fd != -1 && cd_read_fd(&bytes, &length, NULL, fd, FILE_LIMIT) == 0)
		piece = calloc(1, sizeof(*piece));
	if (fd != -1)
		(void)close(fd);
	cd_problems_free(&ignored);
	if (piece == NULL) {
		free(bytes);
		return NULL;
	}
	*piece = (struct cd_piece){
		.kind = (enum certdeploy_material_kind)number, .bytes = bytes, .length = length};
	piece->origin = piece->file = cd_arena_string(strings, path);
	return piece;
}

/* All pieces or none: half a certificate helps nobody. */
static int take_source(struct cd_order *order, struct cd_arena *strings, struct cd_host *host,
		       const json_t *source)
{
	bool complete = true;
	size_t index;
	json_t *entry;

	json_array_foreach(source, index, entry)
	{
		struct cd_piece *piece = complete ? take_piece(strings, host, entry) : NULL;

		complete = piece != NULL;
		if (complete && (piece->origin == NULL || cd_vector_add(&order->pieces, piece) != 0)) {
			cd_order_drop_piece(piece);
			return CERTDEPLOY_ENOMEM;
		}
	}
	while (!complete && order->pieces.count > 0)
		cd_order_drop_piece(order->pieces.items[--order->pieces.count]);
	return 0;
}

static bool is_list(const json_t *array)
{
	bool strings = array == NULL || json_is_array(array);
	size_t index;
	json_t *value;

	json_array_foreach(array, index, value) strings = strings && json_is_string(value);
	return strings;
}

static bool is_flag(const json_t *value)
{
	return value == NULL || json_is_boolean(value);
}

/* A target of which a part were passed over would be another, and mostly a wider one. */
static bool is_whole(const json_t *object)
{
	const char *schema = json_string_value(json_object_get(object, "schema"));
	const json_t *source = json_object_get(object, "source");
	bool whole = schema != NULL && strcmp(schema, SCHEMA) == 0;

	for (size_t i = 0; i < LIST_COUNT; i++)
		whole = whole && is_list(json_object_get(object, lists[i].key));
	return whole && is_list(json_object_get(object, "service")) &&
	       is_flag(json_object_get(object, "default")) && is_flag(json_object_get(object, "all")) &&
	       (source == NULL || json_is_array(source));
}

/* What is remembered under a name; CERTDEPLOY_ENOTFOUND, not recorded, where nothing is. */
static int read_object(json_t **object, struct cd_host *host, const char *state_directory, const char *name)
{
	char *path = cd_deployment_path(&host->arena, state_directory, name), *text = NULL;
	json_error_t error = {.line = 0};
	bool out_of_memory;
	size_t length;
	int failed;

	*object = NULL;
	if (path == NULL)
		return cd_fail_memory(host->problems);
	failed = cd_read_file(&text, &length, NULL, &host->root, path, FILE_LIMIT);
	if (failed == ENOENT || failed == ENOTDIR)
		return CERTDEPLOY_ENOTFOUND;
	if (failed != 0)
		return cd_fail_errno(host->problems, failed, path, _("cannot read the deployment"));
	*object = cd_json_load(text, length, 0, &error, &out_of_memory);
	free(text);
	if (out_of_memory)
		return cd_fail_memory(host->problems);
	if (*object != NULL && is_whole(*object))
		return 0;
	json_decref(*object);
	*object = NULL;
	return cd_fail(host->problems, CERTDEPLOY_EREFUSED, "not-understood", path,
		       error.line > 0 ? (size_t)error.line : 0,
		       _("the remembered deployment cannot be read"));
}

int cd_deployment_rename(struct cd_changes *changes, struct cd_host *host, const char *state_directory,
			 const char *name, const char *new_name)
{
	struct cd_change gone = {.kind = CD_CHANGE_REMOVE,
				 .path = cd_deployment_path(&changes->arena, state_directory, name)};
	json_t *object = NULL;
	char *text = NULL;
	int result = read_object(&object, host, state_directory, name);

	if (result != 0)
		return result == CERTDEPLOY_ENOTFOUND ? 0 : result;
	if (json_object_set_new(object, "name", json_string(new_name)) == 0)
		text = cd_json_text(object, JSON_INDENT(2) | JSON_SORT_KEYS);
	json_decref(object);
	result = put_text(changes, host, state_directory, new_name, text);
	free(text);
	if (result == 0)
		result = gone.path == NULL ? cd_fail_memory(host->problems)
					   : cd_changes_add(changes, host->problems, &gone);
	return result;
}

int cd_deployment_recall(struct cd_order *order, struct cd_arena *strings, struct cd_host *host,
			 const char *state_directory, const char *name)
{
	json_t *object = NULL;
	int result = read_object(&object, host, state_directory, name);
	char *copy;

	if (result != 0)
		return result;
	order->defaults = json_is_true(json_object_get(object, "default"));
	order->all = json_is_true(json_object_get(object, "all"));
	for (size_t i = 0; result == 0 && i < LIST_COUNT; i++)
		result = take_list(&order->lists[lists[i].option], strings,
				   json_object_get(object, lists[i].key));
	if (result == 0)
		result = take_list(&order->lists[CERTDEPLOY_SERVICE], strings,
				   json_object_get(object, "service"));
	copy = cd_arena_string(strings, name);
	if (result == 0)
		result = copy == NULL ? CERTDEPLOY_ENOMEM
				      : cd_vector_add(&order->lists[CERTDEPLOY_NAME], copy);
	if (result == 0)
		result = take_source(order, strings, host, json_object_get(object, "source"));
	json_decref(object);
	return result == 0 ? 0 : cd_fail_memory(host->problems);
}
