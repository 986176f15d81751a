/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reading.c - one service's configuration being read; what certdeploy-adapter.h hands to adapters */
#include "host/reading.h"

#include "base/language.h"
#include "base/text.h"
#include "certificate/leaf.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

void cd_reading_open(struct certdeploy_reading *reading, struct cd_host *host,
		     const struct cd_service *service, const struct cd_overlay *overlay)
{
	*reading = (struct certdeploy_reading){.host = host, .service = service, .overlay = overlay};
}

void cd_reading_close(struct certdeploy_reading *reading)
{
	cd_vector_free(&reading->endpoints);
	cd_table_free(&reading->leaves);
	cd_table_free(&reading->managed);
	cd_patterns_free(&reading->patterns);
	cd_arena_free(&reading->arena);
}

const char *cd_reading_service(const struct certdeploy_reading *reading)
{
	return reading->service == NULL ? NULL : reading->service->name;
}

/* ---- memory and settings ---- */

static void *or_report(struct certdeploy_reading *reading, void *memory)
{
	if (memory == NULL)
		(void)cd_fail_memory(reading->host->problems);
	return memory;
}

void *certdeploy_alloc(struct certdeploy_reading *reading, size_t size)
{
	return or_report(reading, cd_arena_alloc(&reading->arena, size));
}

char *certdeploy_copy(struct certdeploy_reading *reading, const char *bytes, size_t length)
{
	return or_report(reading, cd_arena_copy(&reading->arena, bytes, length));
}

char *certdeploy_format(struct certdeploy_reading *reading, const char *format, ...)
{
	va_list arguments;
	char *text;

	/* A note on an endpoint is made so: its format is a message. Other formats are in no catalogue. */
	format = cd_catalogue_text(reading->host->problems->catalogue, format);
	va_start(arguments, format);
	text = cd_arena_vformat(&reading->arena, format, arguments);
	va_end(arguments);
	return or_report(reading, text);
}

const char *const *cd_service_list(const struct cd_service *service, const char *key)
{
	for (size_t i = 0; service != NULL && i < service->settings.count; i++) {
		const struct cd_setting *setting = service->settings.items[i];

		if (strcmp(setting->key, key) == 0)
			return setting->values;
	}
	return NULL;
}

const char *cd_service_get(const struct cd_service *service, const char *key)
{
	const char *const *values = cd_service_list(service, key);

	return values == NULL ? NULL : values[0];
}

int cd_service_set(struct cd_service *service, const char *key, const char *const *values)
{
	struct cd_setting *setting;

	if (service == NULL || cd_service_list(service, key) != NULL)
		return 0;
	setting = cd_arena_alloc(service->arena, sizeof(*setting));
	if (setting == NULL)
		return CERTDEPLOY_ENOMEM;
	setting->key = cd_arena_string(service->arena, key);
	setting->values = cd_arena_list(service->arena, values);
	if (setting->key == NULL || setting->values == NULL)
		return CERTDEPLOY_ENOMEM;
	return cd_vector_add(&service->settings, setting);
}

const char *certdeploy_setting(const struct certdeploy_reading *reading, const char *key)
{
	return cd_service_get(reading->service, key);
}

const char *const *certdeploy_setting_list(const struct certdeploy_reading *reading, const char *key)
{
	return cd_service_list(reading->service, key);
}

bool certdeploy_is_live(const struct certdeploy_reading *reading)
{
	return reading->host->root.live;
}

/* ---- problems ---- */

CERTDEPLOY_PRINTF(6, 0)
static void report(struct certdeploy_reading *reading, enum certdeploy_severity severity, const char *code,
		   const char *file, size_t line, const char *format, va_list arguments)
{
	struct cd_problems *problems = reading->host->problems;
	const char *service = problems->service;

	problems->service = cd_reading_service(reading);
	cd_problem_v(problems, severity, code, file, line, format, arguments);
	problems->service = service;
}

void certdeploy_report(struct certdeploy_reading *reading, enum certdeploy_severity severity,
		       const char *code, const char *file, size_t line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report(reading, severity, code, file, line, format, arguments);
	va_end(arguments);
}

int certdeploy_refuse(struct certdeploy_reading *reading, const char *code, const char *file, size_t line,
		      const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report(reading, CERTDEPLOY_ERROR, code, file, line, format, arguments);
	va_end(arguments);
	return reading->host->problems->out_of_memory ? CERTDEPLOY_ENOMEM : CERTDEPLOY_EREFUSED;
}

bool certdeploy_accepts(const struct certdeploy_reading *reading, const char *code)
{
	return cd_in_list(reading->host->accepted, code);
}

/* ---- files ---- */

int certdeploy_read(const struct certdeploy_document **out, struct certdeploy_reading *reading,
		    const char *path)
{
	const struct certdeploy_document *edited = NULL;
	struct certdeploy_document *document = NULL;
	int result;

	if (reading->overlay != NULL) {
		*out = cd_table_get(&reading->overlay->files, path);
		if (*out != NULL)
			return 0;
	}
	result = cd_host_document(&document, reading->host, path);
	if (result == 0 && reading->overlay != NULL)
		edited = cd_table_get(&reading->overlay->documents, document->path);
	if (result == 0 && edited == NULL)
		document->held++;
	*out = edited != NULL ? edited : document;
	return result;
}

void certdeploy_release(const struct certdeploy_document *document)
{
	/* To an adapter it never changes. */
	struct certdeploy_document *held = (struct certdeploy_document *)(uintptr_t)document;

	if (held->held == 0)
		return;
	held->held--;
	cd_document_drop(held);
}

enum certdeploy_file_type certdeploy_file_type(struct certdeploy_reading *reading, const char *path)
{
	if (reading->overlay != NULL && cd_table_get(&reading->overlay->files, path) != NULL)
		return CERTDEPLOY_FILE_REGULAR;
	return cd_host_file_type(reading->host, path);
}

bool certdeploy_is_exposed(struct certdeploy_reading *reading, const char *path)
{
	return cd_host_is_exposed(reading->host, path);
}

bool certdeploy_is_link(struct certdeploy_reading *reading, const char *path)
{
	return cd_host_is_link(reading->host, path);
}

static int by_name(const void *one, const void *other)
{
	return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* A directory's names together with those that the overlay adds. */
static int merge_names(const char *const **names, struct certdeploy_reading *reading,
		       const struct cd_vector *added)
{
	size_t count = 0;
	const char **merged;

	while (*names != NULL && (*names)[count] != NULL)
		count++;
	merged = certdeploy_alloc(reading, (count + added->count + 1) * sizeof(*merged));
	if (merged == NULL)
		return CERTDEPLOY_ENOMEM;
	if (count != 0)
		memcpy(merged, *names, count * sizeof(*merged));
	memcpy(merged + count, added->items, added->count * sizeof(*merged));
	qsort(merged, count + added->count, sizeof(*merged), by_name);
	*names = (const char *const *)merged;
	return 0;
}

int certdeploy_directory(const char *const **names, struct certdeploy_reading *reading, const char *path)
{
	const struct cd_vector *added =
		reading->overlay == NULL ? NULL : cd_table_get(&reading->overlay->added, path);
	int result = cd_host_directory(names, reading->host, path);

	if (added == NULL || (result != 0 && result != CERTDEPLOY_ENOTFOUND))
		return result;
	return merge_names(names, reading, added);
}

static bool has_wildcard(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] == '*' || text[i] == '?' || text[i] == '[')
			return true;
	return false;
}

/* Extend every path found so far by one component of the pattern. */
static int glob_component(struct certdeploy_reading *reading, const struct cd_vector *from,
			  struct cd_vector *to, const char *component, size_t length, bool last)
{
	const char *pattern = certdeploy_copy(reading, component, length);

	if (pattern == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < from->count; i++) {
		const char *base = from->items[i];
		const char *const *names = NULL;
		const char *single[2] = {pattern, NULL};
		bool wild = has_wildcard(component, length);
		int result;

		if (!wild)
			names = single;
		result = wild ? certdeploy_directory(&names, reading, base[0] == '\0' ? "/" : base) : 0;
		if (result == CERTDEPLOY_ENOTFOUND)
			continue;
		if (result != 0)
			return result;
		for (; *names != NULL; names++) {
			char *path;

			if (wild && fnmatch(pattern, *names, FNM_PERIOD) != 0)
				continue;
			path = certdeploy_format(reading, "%s/%s", base, *names);
			if (path == NULL)
				return CERTDEPLOY_ENOMEM;
			/* A name that a directory listed is there; one taken as it stands may not be. */
			if (last && !wild && certdeploy_file_type(reading, path) == CERTDEPLOY_FILE_ABSENT)
				continue;
			if (cd_vector_add(to, path) != 0)
				return cd_fail_memory(reading->host->problems);
		}
	}
	return 0;
}

int certdeploy_glob(const char *const **paths, struct certdeploy_reading *reading, const char *pattern)
{
	struct cd_vector found = {0}, next = {0};
	const char **list;
	int result = cd_vector_add(&found, "") == 0 ? 0 : cd_fail_memory(reading->host->problems);

	*paths = NULL;
	while (result == 0) {
		size_t length;

		pattern += strspn(pattern, "/");
		length = strcspn(pattern, "/");
		if (length == 0)
			break;
		result = glob_component(reading, &found, &next, pattern, length,
					pattern[length + strspn(pattern + length, "/")] == '\0');
		pattern += length;
		cd_vector_free(&found);
		found = next;
		next = (struct cd_vector){0};
	}
	list = result == 0 ? certdeploy_alloc(reading, (found.count + 1) * sizeof(*list)) : NULL;
	if (list != NULL && found.count != 0) {
		memcpy(list, found.items, found.count * sizeof(*list));
		qsort(list, found.count, sizeof(*list), by_name);
	}
	if (list == NULL && result == 0)
		result = CERTDEPLOY_ENOMEM;
	*paths = (const char *const *)list;
	cd_vector_free(&found);
	cd_vector_free(&next);
	return result;
}

const char *certdeploy_join(struct certdeploy_reading *reading, const char *directory, const char *path)
{
	/* A directory that is relative, as a configuration may have it, counts from the top. */
	char *joined = path[0] == '/' ? certdeploy_copy(reading, path, strlen(path))
				      : certdeploy_format(reading, "/%s/%s", directory, path);
	char *out;

	if (joined == NULL)
		return NULL;
	out = joined;
	for (const char *in = joined; *in != '\0';) {
		size_t length;

		in += strspn(in, "/");
		length = strcspn(in, "/");
		if (length == 0)
			break;
		if (length == 2 && memcmp(in, "..", 2) == 0) {
			while (out > joined && *--out != '/')
				;
		} else if (length != 1 || *in != '.') {
			*out++ = '/';
			memmove(out, in, length);
			out += length;
		}
		in += length;
	}
	if (out == joined)
		*out++ = '/';
	*out = '\0';
	return joined;
}

int certdeploy_leaf(const struct certdeploy_leaf **out, struct certdeploy_reading *reading,
		    const char *path)
{
	const struct certdeploy_document *file =
		reading->overlay == NULL ? NULL : cd_table_get(&reading->overlay->files, path);
	int result;

	if (file == NULL)
		return cd_host_leaf(out, reading->host, path);
	*out = cd_table_get(&reading->leaves, path);
	if (*out != NULL)
		return 0;
	result = cd_leaf_parse(out, &reading->arena, file->bytes, file->length);
	if (result == CERTDEPLOY_ENOMEM || (result == 0 && cd_table_put(&reading->leaves, path, *out) != 0))
		result = cd_fail_memory(reading->host->problems);
	return result;
}

int certdeploy_key_type(const char **type, struct certdeploy_reading *reading, const char *path)
{
	const struct certdeploy_document *file =
		reading->overlay == NULL ? NULL : cd_table_get(&reading->overlay->files, path);

	if (file == NULL)
		return cd_host_key_type(type, reading->host, path);
	return cd_key_type_parse(type, file->bytes, file->length);
}

/* A file's bytes, as the plan writes them or as they stand there. own: what the caller wipes and frees. */
struct content {
	const char *bytes;
	size_t length;
	char *own;
};

static int take_content(struct content *out, struct certdeploy_reading *reading, const char *path)
{
	const struct certdeploy_document *file =
		reading->overlay == NULL ? NULL : cd_table_get(&reading->overlay->files, path);
	int result = file != NULL ? 0 : cd_host_bytes(&out->own, &out->length, reading->host, path);

	if (file != NULL)
		*out = (struct content){.bytes = file->bytes, .length = file->length};
	else
		out->bytes = out->own;
	return result;
}

static void drop_content(struct content *content)
{
	if (content->own != NULL)
		explicit_bzero(content->own, content->length);
	free(content->own);
}

int certdeploy_key_fits(bool *fits, struct certdeploy_reading *reading, const char *key,
			const char *certificate)
{
	struct content keys = {0}, certificates = {0};
	int result = take_content(&keys, reading, key);

	*fits = false;
	if (result == 0)
		result = take_content(&certificates, reading, certificate);
	if (result == 0)
		result = cd_key_belongs(fits, keys.bytes, keys.length, certificates.bytes,
					certificates.length);
	drop_content(&keys);
	drop_content(&certificates);
	return result == CERTDEPLOY_ENOMEM ? cd_fail_memory(reading->host->problems) : result;
}

/* ---- questions ---- */

int certdeploy_ask(const char **answer, struct certdeploy_reading *reading, const char *const *argv)
{
	return cd_host_ask(answer, reading->host, argv, reading->environment);
}

int certdeploy_resolve(const char *const **addresses, struct certdeploy_reading *reading, const char *name)
{
	return cd_host_resolve(addresses, reading->host, name);
}

bool certdeploy_matches(struct certdeploy_reading *reading, const char *pattern, const char *subject,
			bool caseless)
{
	return cd_pattern_matches(&reading->patterns, pattern, subject, strlen(subject), caseless) == 1;
}

/* ---- what was read before the edits ---- */

const struct certdeploy_reading *certdeploy_before(const struct certdeploy_reading *reading)
{
	return reading->before;
}

bool certdeploy_is_edited(const struct certdeploy_reading *reading,
			  const struct certdeploy_document *document)
{
	return reading->overlay != NULL &&
	       cd_table_get(&reading->overlay->documents, document->path) != NULL;
}

/* ---- endpoints ---- */

int certdeploy_add_endpoint(struct certdeploy_reading *reading, const struct certdeploy_endpoint *endpoint)
{
	struct certdeploy_endpoint *copy = certdeploy_alloc(reading, sizeof(*copy));

	if (copy == NULL)
		return CERTDEPLOY_ENOMEM;
	*copy = *endpoint;
	if (cd_vector_add(&reading->endpoints, copy) != 0)
		return cd_fail_memory(reading->host->problems);
	return 0;
}

int certdeploy_keep_endpoint(struct certdeploy_reading *reading, const struct certdeploy_endpoint *endpoint)
{
	if (cd_vector_add(&reading->endpoints, endpoint) != 0)
		return cd_fail_memory(reading->host->problems);
	return 0;
}

const struct certdeploy_endpoint *const *certdeploy_endpoints(const struct certdeploy_reading *reading,
							      size_t *count)
{
	*count = reading->endpoints.count;
	return (const struct certdeploy_endpoint *const *)(void *const *)reading->endpoints.items;
}

void certdeploy_set_model(struct certdeploy_reading *reading, void *model)
{
	reading->model = model;
}

void *certdeploy_model(const struct certdeploy_reading *reading)
{
	return reading->model;
}

/* ---- the overlay ---- */

/* Lay bytes over a path; both are borrowed. */
static int overlay_document(struct cd_overlay *overlay, struct cd_table *table, const char *path,
			    const char *bytes, size_t length)
{
	struct certdeploy_document *document = cd_arena_alloc(&overlay->arena, sizeof(*document));

	if (document == NULL)
		return CERTDEPLOY_ENOMEM;
	*document = (struct certdeploy_document){.path = path, .bytes = bytes, .length = length};
	return cd_table_lend(table, path, document);
}

/* Let the directory of a created file list it. */
static int overlay_name(struct cd_overlay *overlay, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = cd_arena_copy(&overlay->arena, path, slash == path ? 1 : (size_t)(slash - path));
	char *name = cd_arena_string(&overlay->arena, slash + 1);
	struct cd_vector *names;

	if (directory == NULL || name == NULL)
		return CERTDEPLOY_ENOMEM;
	names = cd_table_get(&overlay->added, directory);
	if (names == NULL) {
		names = cd_arena_alloc(&overlay->arena, sizeof(*names));
		if (names == NULL || cd_vector_add(&overlay->lists, names) != 0 ||
		    cd_table_put(&overlay->added, directory, names) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return cd_vector_add(names, name);
}

int cd_overlay_file(struct cd_overlay *overlay, struct cd_problems *problems, const char *path,
		    const char *bytes, size_t length)
{
	return overlay_document(overlay, &overlay->files, path, bytes, length) == 0
		       ? 0
		       : cd_fail_memory(problems);
}

int cd_overlay_content(struct cd_overlay *overlay, struct cd_problems *problems, const char *path,
		       const char *bytes, size_t length)
{
	const char *copy = cd_arena_copy(&overlay->arena, bytes, length);

	return copy != NULL && overlay_document(overlay, &overlay->documents, path, copy, length) == 0
		       ? 0
		       : cd_fail_memory(problems);
}

int cd_overlay_edits(struct cd_overlay *overlay, struct cd_problems *problems,
		     const struct certdeploy_edits *edits)
{
	for (size_t i = 0; i < edits->files.count; i++) {
		const struct cd_file_edit *file = edits->files.items[i];
		bool created = file->document == NULL;

		if (overlay_document(overlay, created ? &overlay->files : &overlay->documents, file->path,
				     file->bytes, file->length) != 0 ||
		    (created && overlay_name(overlay, file->path) != 0))
			return cd_fail_memory(problems);
	}
	return 0;
}

bool cd_overlay_has(const struct cd_overlay *overlay, const char *path)
{
	return cd_table_get(&overlay->files, path) != NULL ||
	       cd_table_get(&overlay->documents, path) != NULL;
}

void cd_overlay_free(struct cd_overlay *overlay)
{
	cd_table_free(&overlay->documents);
	cd_table_free(&overlay->files);
	/* The vectors of names lie in the arena, their arrays do not. */
	for (size_t i = 0; i < overlay->lists.count; i++)
		cd_vector_free(overlay->lists.items[i]);
	cd_vector_free(&overlay->lists);
	cd_table_free(&overlay->added);
	cd_arena_free(&overlay->arena);
}
