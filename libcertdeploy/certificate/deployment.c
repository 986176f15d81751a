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
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_LIMIT ((size_t)1 << 20)
#define SUFFIX ".json"
#define SCHEMA "certdeploy-deployment/1"

static const char *const kinds[] = {"any", "cert", "key", "chain", "fullchain", "pkcs12"};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

/* One file of it. */
struct remembered {
	struct cd_arena arena; /* of what was read */
	const char *schema;
	const char *name;
	bool defaults;
	bool all;
	const char *const *hostnames; /* these NULL-terminated; NULL: none */
	const char *const *addresses;
	const char *const *listeners;
	const char *const *services;
	struct cd_vector source; /* of struct source */
};

/* A file of the material; the bytes of it are not remembered. */
struct source {
	const char *kind;
	const char *path;
};

static void forget(struct remembered *remembered)
{
	cd_vector_free(&remembered->source);
	cd_arena_free(&remembered->arena);
}

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

static int put_source(json_t *object, const struct cd_vector *source)
{
	json_t *array = json_array();

	for (size_t i = 0; array != NULL && i < source->count; i++) {
		const struct source *file = source->items[i];
		json_t *entry = json_pack("{s:s, s:s}", "kind", file->kind, "path", file->path);

		if (entry == NULL || json_array_append_new(array, entry) != 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array != NULL && json_object_set_new(object, "source", array) == 0 ? 0 : CERTDEPLOY_ENOMEM;
}

static char *text_of(const struct remembered *remembered)
{
	json_t *object = json_pack("{s:s, s:s, s:b, s:b}", "schema", SCHEMA, "name", remembered->name,
				   "default", (int)remembered->defaults, "all", (int)remembered->all);
	int result = object == NULL ? CERTDEPLOY_ENOMEM : 0;
	char *text = NULL;

	if (result == 0)
		result = put_list(object, "hostname", remembered->hostnames);
	if (result == 0)
		result = put_list(object, "address", remembered->addresses);
	if (result == 0)
		result = put_list(object, "listener", remembered->listeners);
	if (result == 0)
		result = put_list(object, "service", remembered->services);
	if (result == 0)
		result = put_source(object, &remembered->source);
	if (result == 0)
		text = cd_json_text(object, JSON_INDENT(2) | JSON_SORT_KEYS);
	json_decref(object);
	return text;
}

/* Write it, unless it stands there already. */
static int put(struct cd_changes *changes, struct cd_host *host, const char *state_directory,
	       const struct remembered *remembered)
{
	struct cd_change directory = {
		.kind = CD_CHANGE_DIRECTORY, .mode = 0700, .owner = (uid_t)-1, .group = (gid_t)-1};
	struct cd_change change = {.kind = CD_CHANGE_FILE,
				   .mode = 0600,
				   .owner = (uid_t)-1,
				   .group = (gid_t)-1,
				   .compare = true};
	char *text = text_of(remembered), *old = NULL;
	char *kept = text == NULL ? NULL : cd_arena_format(&changes->arena, "%s\n", text);
	size_t length = 0;
	int error, result = 0;

	free(text);
	change.path = cd_deployment_path(&changes->arena, state_directory, remembered->name);
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

/* Only files can be found again: of material that was given inline the store alone has a copy. */
static int keep_source(struct remembered *remembered, const struct cd_vector *pieces)
{
	for (size_t i = 0; i < pieces->count; i++) {
		const struct cd_piece *piece = pieces->items[i];
		struct source *file;

		if (piece->file == NULL || (size_t)piece->kind >= KIND_COUNT) {
			remembered->source.count = 0;
			return 0;
		}
		file = cd_arena_alloc(&remembered->arena, sizeof(*file));
		if (file == NULL || cd_vector_add(&remembered->source, file) != 0)
			return CERTDEPLOY_ENOMEM;
		*file = (struct source){.kind = kinds[piece->kind], .path = piece->file};
	}
	return 0;
}

int cd_deployment_keep(struct cd_changes *changes, struct cd_host *host, const char *state_directory,
		       const char *name, const struct cd_order *target, const char *const *services,
		       const struct cd_vector *pieces)
{
	struct remembered remembered = {
		.name = name,
		.defaults = target->defaults,
		.all = target->all,
		.hostnames = cd_order_list(target, CERTDEPLOY_HOSTNAME),
		.addresses = cd_order_list(target, CERTDEPLOY_ADDRESS),
		.listeners = cd_order_list(target, CERTDEPLOY_LISTENER),
		.services = services,
	};
	int result = host->root.live ? keep_source(&remembered, pieces) : 0;

	result = result == 0 ? put(changes, host, state_directory, &remembered)
			     : cd_fail_memory(host->problems);
	forget(&remembered);
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

/* The bytes of a remembered file, if root alone could have put them there. */
static struct cd_piece *take_piece(struct cd_arena *strings, struct cd_host *host,
				   const struct source *source)
{
	struct cd_problems ignored = {0};
	struct cd_piece *piece = NULL;
	struct cd_place place;
	char *bytes = NULL;
	size_t length = 0, number = 0;
	int fd = -1;

	while (number < KIND_COUNT && strcmp(kinds[number], source->kind) != 0)
		number++;
	if (number < KIND_COUNT &&
	    cd_place_find(&place, &ignored, &host->root, source->path, CD_TRUST_CHECK) == 0) {
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
	piece->origin = piece->file = cd_arena_string(strings, source->path);
	return piece;
}

/* All pieces or none: half a certificate helps nobody. */
static int take_source(struct cd_order *order, struct cd_arena *strings, struct cd_host *host,
		       const struct cd_vector *source)
{
	bool complete = true;

	for (size_t i = 0; complete && i < source->count; i++) {
		struct cd_piece *piece = take_piece(strings, host, source->items[i]);

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

static void read_source_file(struct cd_json *json, void *out)
{
	static const struct cd_json_field fields[] = {
		{"kind", cd_json_read_string, offsetof(struct source, kind), true},
		{"path", cd_json_read_string, offsetof(struct source, path), true},
	};
	struct source *file = cd_arena_alloc(json->arena, sizeof(*file));

	if (file != NULL)
		CD_JSON_OBJECT(json, fields, file);
	if (file == NULL || cd_vector_add(out, file) != 0)
		cd_json_lack_memory(json);
}

static void read_source(struct cd_json *json, void *field)
{
	cd_json_array(json, read_source_file, field);
}

/* A target of which a part were passed over would be another, and mostly a wider one. */
static void read_remembered(struct cd_json *json, struct remembered *out)
{
	static const struct cd_json_field fields[] = {
		{"schema", cd_json_read_string, offsetof(struct remembered, schema), true},
		{"name", cd_json_read_string, offsetof(struct remembered, name), false},
		{"default", cd_json_read_bool, offsetof(struct remembered, defaults), false},
		{"all", cd_json_read_bool, offsetof(struct remembered, all), false},
		{"hostname", cd_json_read_strings, offsetof(struct remembered, hostnames), false},
		{"address", cd_json_read_strings, offsetof(struct remembered, addresses), false},
		{"listener", cd_json_read_strings, offsetof(struct remembered, listeners), false},
		{"service", cd_json_read_strings, offsetof(struct remembered, services), false},
		{"source", read_source, offsetof(struct remembered, source), false},
	};

	CD_JSON_OBJECT(json, fields, out);
	if (out->schema == NULL || strcmp(out->schema, SCHEMA) != 0)
		cd_json_refuse(json);
}

/* What is remembered under a name, for forget(); CERTDEPLOY_ENOTFOUND, not recorded, where nothing is. */
static int read_file(struct remembered *out, struct cd_host *host, const char *state_directory,
		     const char *name)
{
	char *path = cd_deployment_path(&host->arena, state_directory, name), *text = NULL;
	struct cd_json json;
	size_t length;
	int failed;

	*out = (struct remembered){.name = NULL};
	if (path == NULL)
		return cd_fail_memory(host->problems);
	failed = cd_read_file(&text, &length, NULL, &host->root, path, FILE_LIMIT);
	if (failed == ENOENT || failed == ENOTDIR)
		return CERTDEPLOY_ENOTFOUND;
	if (failed != 0)
		return cd_fail_errno(host->problems, failed, path, _("cannot read the deployment"));
	cd_json_begin(&json, &out->arena, text, length);
	read_remembered(&json, out);
	if (cd_json_end(&json))
		failed = 0;
	else if (json.out_of_memory)
		failed = cd_fail_memory(host->problems);
	else
		failed = cd_fail(host->problems, CERTDEPLOY_EREFUSED, "not-understood", path,
				 cd_json_line(&json), _("the remembered deployment cannot be read"));
	free(text);
	return failed;
}

int cd_deployment_rename(struct cd_changes *changes, struct cd_host *host, const char *state_directory,
			 const char *name, const char *new_name)
{
	struct cd_change gone = {.kind = CD_CHANGE_REMOVE,
				 .path = cd_deployment_path(&changes->arena, state_directory, name)};
	struct remembered remembered;
	int result = read_file(&remembered, host, state_directory, name);

	remembered.name = new_name;
	if (result == 0)
		result = put(changes, host, state_directory, &remembered);
	if (result == 0)
		result = gone.path == NULL ? cd_fail_memory(host->problems)
					   : cd_changes_add(changes, host->problems, &gone);
	forget(&remembered);
	return result == CERTDEPLOY_ENOTFOUND ? 0 : result;
}

static int take_list(struct cd_order *order, enum certdeploy_list_option option, struct cd_arena *strings,
		     const char *const *values)
{
	for (; values != NULL && *values != NULL; values++) {
		char *text = cd_arena_string(strings, *values);

		if (text == NULL || cd_vector_add(&order->lists[option], text) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

static int take(struct cd_order *order, struct cd_arena *strings, struct cd_host *host,
		const struct remembered *remembered, const char *name)
{
	int result = take_list(order, CERTDEPLOY_HOSTNAME, strings, remembered->hostnames);

	order->defaults = remembered->defaults;
	order->all = remembered->all;
	if (result == 0)
		result = take_list(order, CERTDEPLOY_ADDRESS, strings, remembered->addresses);
	if (result == 0)
		result = take_list(order, CERTDEPLOY_LISTENER, strings, remembered->listeners);
	if (result == 0)
		result = take_list(order, CERTDEPLOY_SERVICE, strings, remembered->services);
	if (result == 0)
		result = take_list(order, CERTDEPLOY_NAME, strings, (const char *const[]){name, NULL});
	if (result == 0)
		result = take_source(order, strings, host, &remembered->source);
	return result == 0 ? 0 : cd_fail_memory(host->problems);
}

int cd_deployment_recall(struct cd_order *order, struct cd_arena *strings, struct cd_host *host,
			 const char *state_directory, const char *name)
{
	struct remembered remembered;
	int result = read_file(&remembered, host, state_directory, name);

	if (result == 0)
		result = take(order, strings, host, &remembered, name);
	forget(&remembered);
	return result;
}
