/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sni.c - certificates by name: their endpoints, and the edits of the tables
 *
 * An index holds the certificates and keys themselves, so it is made anew whenever one of its entries
 * gets other bytes, also where its source stays the same.
 */
#include "postfix.h"

#include <stdlib.h>

#define PARAMETER "tls_server_sni_maps"
#define OLDEST_RELEASE 304
/** So many entries that look unchanged are looked up in the index itself. */
#define ENTRIES_ASKED 8

/* ---- endpoints ---- */

static int named_endpoint(struct certdeploy_endpoint *out, struct postfix_model *model,
			  const struct certdeploy_endpoint *listener, struct postfix_entry *entry)
{
	const struct postfix_endpoint *of_listener = listener->own;
	struct postfix_endpoint *own = certdeploy_alloc(model->reading, sizeof(*own));
	int result = own == NULL ? CERTDEPLOY_ENOMEM : postfix_entry_pairs(model, entry, false);

	if (result != 0)
		return result;
	*own = (struct postfix_endpoint){.entry = entry, .row = of_listener->row};
	*out = *listener;
	out->name = entry->name;
	out->own = own;
	out->decider = entry;
	out->is_default = false;
	out->inherited = false;
	out->server_name = NULL;
	out->pairs = entry->pairs.shown;
	out->pair_count = entry->pairs.count;
	if (out->untouchable != NULL)
		return 0;
	out->file = entry->map->path;
	out->line = entry->line == NULL ? 0 : entry->line->number;
	if (entry->map->frozen) {
		out->untouchable = "config-not-understood";
		out->note = _("the table stands in a value with \"$\" in it");
	} else if (entry->map->twice != 0) {
		out->untouchable = "config-syntax";
		out->line = entry->map->twice;
		out->note = _(
			"a name stands here for the second time, and Postfix takes nothing from the table");
	}
	return 0;
}

int postfix_names_read(struct postfix_model *model, const struct certdeploy_endpoint *listener)
{
	const struct postfix_endpoint *own = listener->own;
	struct postfix_map_list *list;
	struct certdeploy_endpoint endpoint;
	int result = 0;

	if (model->release < OLDEST_RELEASE)
		return 0;
	result = postfix_maps_of(&list, model, own->row);
	for (size_t i = 0; result == 0 && i < list->count; i++) {
		struct postfix_map *map = list->maps[i];

		for (size_t j = 0; result == 0 && j < map->count; j++) {
			struct postfix_entry *entry = map->entries[j];
			bool hidden = postfix_table_get(&map->by_key, entry->key) != entry;

			/* No client can ask for it. */
			hidden = hidden || !postfix_is_host_name(entry->key);
			for (size_t k = 0; !hidden && k < i; k++)
				hidden = postfix_table_get(&list->maps[k]->by_key, entry->key) != NULL;
			if (hidden)
				continue;
			result = named_endpoint(&endpoint, model, listener, entry);
			if (result == 0)
				result = certdeploy_add_endpoint(model->reading, &endpoint);
		}
	}
	return result;
}

/* The endpoint that a listener would have for a name. */
static int absent_endpoint(const struct certdeploy_endpoint **out, struct postfix_model *model,
			   const struct certdeploy_endpoint *listener, struct postfix_entry *entry)
{
	const char *key = certdeploy_format(model->reading, "%s\n%s\n%u\n%s", listener->listen,
					    listener->address == NULL ? "" : listener->address,
					    (unsigned)listener->port, entry->name);
	struct certdeploy_endpoint *endpoint = key == NULL ? NULL : postfix_table_get(&model->absent, key);
	int result = 0;

	if (endpoint == NULL) {
		endpoint = certdeploy_alloc(model->reading, sizeof(*endpoint));
		if (key == NULL || endpoint == NULL)
			return CERTDEPLOY_ENOMEM;
		result = named_endpoint(endpoint, model, listener, entry);
		endpoint->absent = true;
		if (result == 0)
			result = postfix_table_put(&model->absent, model->reading, key, endpoint);
	}
	*out = endpoint;
	return result;
}

static bool covered(const char *pattern, const char *hostname)
{
	size_t pattern_length = strlen(pattern), length = strlen(hostname);

	return strncmp(pattern, "*.", 2) == 0 && length > pattern_length - 1 &&
	       strcasecmp(hostname + length - (pattern_length - 1), pattern + 1) == 0;
}

/* Those that are there: exactly this name, or (create false) what covers it. */
static int existing(struct certdeploy_reading *reading, const char *hostname, bool create,
		    int (*use)(void *user, const struct certdeploy_endpoint *endpoint), void *user)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(reading, &count);
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++)
		if (all[i]->name != NULL && (strcasecmp(all[i]->name, hostname) == 0 ||
					     (!create && covered(all[i]->name, hostname))))
			result = use(user, all[i]);
	return result;
}

static int on_listener(struct postfix_model *model, const struct certdeploy_endpoint *listener,
		       const char *hostname,
		       int (*use)(void *user, const struct certdeploy_endpoint *endpoint), void *user)
{
	const struct postfix_endpoint *own = listener->own;
	const struct certdeploy_endpoint *absent;
	struct postfix_entry *entry;
	int result;

	if (model->release < OLDEST_RELEASE)
		return certdeploy_refuse(model->reading, "config-not-understood", model->main_path, 0,
					 _("Postfix %s has no certificates by name"), model->version);
	result = postfix_map_entry(&entry, model, own->row, hostname);
	if (result != 0 || entry->line != NULL)
		return result;
	result = absent_endpoint(&absent, model, listener, entry);
	return result == 0 ? use(user, absent) : result;
}

/*
 * Where no default is set smtpd starts no TLS at all, not for a name either. The word "none" is a default
 * without a certificate.
 */
static int serves_names(bool *out, struct postfix_model *model, const struct certdeploy_endpoint *listener)
{
	const struct postfix_endpoint *own = listener->own;
	const char *text = "";
	int result = postfix_value(&text, model, own->row, "smtpd_tls_cert_file");

	*out = listener->tls && (listener->pair_count != 0 || strcasecmp(text, "none") == 0);
	return result;
}

/* The listeners that would have an entry for the name; the others are said. */
static int create_names(struct postfix_model *model, const char *hostname,
			const struct certdeploy_endpoint *const *all, size_t count,
			int (*use)(void *user, const struct certdeploy_endpoint *endpoint), void *user)
{
	const struct certdeploy_endpoint *left_out = NULL;
	size_t usable = 0;
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++) {
		bool serves = false;

		if (all[i]->name != NULL || !all[i]->tls)
			continue;
		result = serves_names(&serves, model, all[i]);
		if (!serves)
			left_out = all[i];
		usable += serves;
		if (result == 0 && serves)
			result = on_listener(model, all[i], hostname, use, user);
	}
	if (result != 0 || left_out == NULL)
		return result;
	certdeploy_report(model->reading, usable == 0 ? CERTDEPLOY_ERROR : CERTDEPLOY_WARNING, "tls-off",
			  left_out->file, left_out->line,
			  _("%s has no default certificate: without one Postfix serves no name either"),
			  left_out->listen);
	return usable == 0 ? CERTDEPLOY_EREFUSED : 0;
}

/* What a listener calls itself; a row may do so by a name of its own (-o myhostname). */
static bool is_own_name(const struct certdeploy_endpoint *listener, const char *hostname)
{
	return listener->name == NULL && listener->server_name != NULL &&
	       strcasecmp(hostname, listener->server_name) == 0;
}

/*
 * Postfix's own name means the defaults of the listeners that go by it. The name of some rows only means
 * theirs, and an entry for those who ask the others for it.
 */
int postfix_answers(struct certdeploy_reading *reading, const char *hostname, bool create,
		    int (*use)(void *user, const struct certdeploy_endpoint *endpoint), void *user)
{
	struct postfix_model *model = certdeploy_model(reading);
	bool of_main = model->hostname != NULL && strcasecmp(hostname, model->hostname) == 0, any = false;
	size_t count;
	const struct certdeploy_endpoint *const *all;
	int result = existing(reading, hostname, create, use, user);

	all = certdeploy_endpoints(reading, &count);
	for (size_t i = 0; i < count; i++)
		any = any || all[i]->tls;
	if (result == 0 && create && any && !of_main)
		result = create_names(model, hostname, all, count, use, user);
	for (size_t i = 0; result == 0 && i < count; i++)
		/* Where none speaks TLS, the default is handed over for the library to say so. */
		if (is_own_name(all[i], hostname) || (create && !any && all[i]->name == NULL))
			result = use(user, all[i]);
	return result;
}

/* ---- edits ---- */

/* What stands between a name and its files in this source. */
static const char *gap_of(struct postfix_model *model, const struct postfix_map *map)
{
	const struct postfix_entry *entry = map->count == 0 ? NULL : map->entries[map->count - 1];
	size_t start = entry == NULL ? 0 : strlen(entry->key), end = entry == NULL ? 0 : entry->value.start;

	/* The key may have been folded, never shortened. */
	if (start >= end || (entry->line->piece_count > 1 && entry->line->pieces[1].text <= end))
		return "\t";
	return certdeploy_copy(model->reading, entry->line->text + start, end - start);
}

static int file_list(const char **out, struct postfix_model *model, struct postfix_entry *entry,
		     bool building)
{
	static const char *const none[] = {NULL};
	bool is_inline = entry->map->kind == POSTFIX_MAP_INLINE;
	int result = postfix_file_list(out, model, entry->assignment, &entry->pairs,
				       entry->files == NULL ? none : entry->files, is_inline, building);

	if (result == 0 && is_inline)
		*out = postfix_doubled(model, *out);
	return *out == NULL ? CERTDEPLOY_ENOMEM : result;
}

/* The lines, or inline entries, for all names that are new. */
static int new_text(const char **out, struct postfix_model *model, struct postfix_map *map, bool building)
{
	bool is_inline = map->kind == POSTFIX_MAP_INLINE;
	const struct certdeploy_document *document = map->lines.document;
	const char *newline = "\n", *bytes = "", *gap = gap_of(model, map);
	struct postfix_text text = {0};
	size_t length = 0;
	int result = gap == NULL ? CERTDEPLOY_ENOMEM : 0;

	if (document != NULL) {
		bytes = certdeploy_document_bytes(document, &length);
		newline = certdeploy_document_newline(document, length);
	}
	for (size_t i = 0; result == 0 && i < map->added_count; i++) {
		struct postfix_entry *entry = map->added[i];
		const char *list;

		if (entry->assignment == NULL)
			continue;
		result = file_list(&list, model, entry, building);
		if (result != 0)
			break;
		if (text.length == 0 && length != 0 && bytes[length - 1] != '\n')
			postfix_text_string(&text, model->reading, newline);
		if (is_inline)
			postfix_text_string(&text, model->reading,
					    map->count != 0 || text.length != 0 ? ", { " : " { ");
		postfix_text_string(&text, model->reading, entry->key);
		postfix_text_string(&text, model->reading, is_inline ? " = " : gap);
		postfix_text_string(&text, model->reading, list);
		postfix_text_string(&text, model->reading, is_inline ? " }" : newline);
	}
	*out = text.bytes == NULL ? "" : text.bytes;
	return text.failed ? CERTDEPLOY_ENOMEM : result;
}

/* One entry's files where they are not the wanted ones. */
static int set_entry(struct postfix_model *model, struct postfix_entry *entry, bool building, bool *changed)
{
	const char *list, *const *wanted;
	int result = file_list(&list, model, entry, building);

	if (result == 0)
		result = postfix_split_list(&wanted, model->reading, list, false);
	if (result != 0 || postfix_same_list(entry->files, wanted))
		return result;
	*changed = true;
	return postfix_replace(model, entry->line, entry->value, list);
}

static int set_entries(struct postfix_model *model, struct postfix_map *map, bool building, bool *changed)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < map->count; i++)
		if (map->entries[i]->assignment != NULL)
			result = set_entry(model, map->entries[i], building, changed);
	return result;
}

/* A new source, in a folder that is there. */
static int create_source(struct postfix_model *model, const struct postfix_map *map, const char *text)
{
	const char *slash = strrchr(map->path, '/');
	const char *folder = certdeploy_copy(model->reading, map->path, (size_t)(slash - map->path));
	struct postfix_value value;

	if (folder == NULL)
		return CERTDEPLOY_ENOMEM;
	if (*folder == '\0' || certdeploy_file_type(model->reading, folder) != CERTDEPLOY_FILE_ABSENT)
		return certdeploy_create(model->edits, model->reading, map->path, text, strlen(text), true);
	postfix_lookup(&value, model, NULL, PARAMETER);
	return certdeploy_refuse(model->reading, "not-found",
				 value.line == NULL ? map->path
						    : certdeploy_document_path(value.line->document),
				 value.line == NULL ? 0 : postfix_line_number(value.line, value.span.start),
				 _("there is no directory %s for the table of names"), folder);
}

static int add_new(struct postfix_model *model, struct postfix_map *map)
{
	const char *text;
	size_t length = 0;
	int result = new_text(&text, model, map, false);

	if (result != 0)
		return result;
	if (map->kind == POSTFIX_MAP_INLINE)
		return postfix_insert_after(model, map->line, map->tail - 1, text);
	if (map->lines.document == NULL)
		return create_source(model, map, text);
	(void)certdeploy_document_bytes(map->lines.document, &length);
	return certdeploy_splice(model->edits, model->reading, map->lines.document, length, 0, text,
				 strlen(text));
}

static int name_map(struct postfix_model *model, const struct postfix_map *map)
{
	int result = 0;

	for (const struct postfix_place *place = map->unnamed; result == 0 && place != NULL;
	     place = place->next) {
		struct postfix_value value;
		const char *now, *text;

		postfix_lookup(&value, model, place->row, PARAMETER);
		result = postfix_value(&now, model, place->row, PARAMETER);
		if (result != 0)
			return result;
		if (*now == '\0') {
			result = postfix_set(model, place->row, PARAMETER, map->spec);
			continue;
		}
		text = certdeploy_format(model->reading, "%s,", map->spec);
		result = text == NULL ? CERTDEPLOY_ENOMEM
				      : postfix_insert_before(model, value.line, value.span.start, text);
	}
	return result;
}

/* ---- the index ---- */

static int by_offset(const void *one, const void *other)
{
	const struct postfix_gathered *a = one, *b = other;

	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

/* The source as postmap is to see it: with the paths that hold the new bytes already. */
static int render(const char **out, size_t *out_length, struct postfix_model *model,
		  struct postfix_map *map)
{
	struct postfix_text text = {0};
	const char *bytes = "", *added;
	bool changed = false;
	size_t length = 0, done = 0;
	int result;

	model->gathering = true;
	model->gathered_count = 0;
	result = set_entries(model, map, true, &changed);
	model->gathering = false;
	if (result == 0)
		result = new_text(&added, model, map, true);
	if (result != 0)
		return result;
	if (map->lines.document != NULL)
		bytes = certdeploy_document_bytes(map->lines.document, &length);
	if (model->gathered_count > 1)
		qsort(model->gathered, model->gathered_count, sizeof(*model->gathered), by_offset);
	for (size_t i = 0; i < model->gathered_count; i++) {
		const struct postfix_gathered *edit = &model->gathered[i];

		postfix_text_add(&text, model->reading, bytes + done, edit->offset - done);
		postfix_text_string(&text, model->reading, edit->text);
		done = edit->offset + edit->length;
	}
	postfix_text_add(&text, model->reading, bytes + done, length - done);
	postfix_text_string(&text, model->reading, added);
	*out = text.bytes;
	*out_length = text.length;
	return text.failed ? CERTDEPLOY_ENOMEM : 0;
}

/* Whether these bytes are not on the host yet. */
static int is_fresh(bool *out, struct postfix_model *model, const struct certdeploy_material *material)
{
	const struct certdeploy_leaf *leaf;
	int found = certdeploy_leaf(&leaf, model->reading, postfix_whole_file(&material->building));

	*out = found != 0 || strcmp(leaf->sha256, material->sha256) != 0;
	return found == CERTDEPLOY_ENOMEM ? found : 0;
}

/*
 * Of an entry with a missing file nobody hears: postmap passes over it and tells a terminal only, texthash
 * a log. An inline table is nothing at all then.
 */
static int check_files(struct postfix_model *model, const struct postfix_map *map)
{
	bool whole = map->kind == POSTFIX_MAP_INLINE && certdeploy_is_live(model->reading);

	for (size_t i = 0; i < map->count; i++) {
		const struct postfix_entry *entry = map->entries[i];
		size_t line =
			entry->line == NULL ? 0 : postfix_line_number(entry->line, entry->value.start);

		for (size_t j = 0; entry->assignment == NULL && entry->files[j] != NULL; j++) {
			const char *path =
				certdeploy_join(model->reading, model->queue_directory, entry->files[j]);

			if (path == NULL)
				return CERTDEPLOY_ENOMEM;
			if (certdeploy_file_type(model->reading, path) != CERTDEPLOY_FILE_ABSENT)
				continue;
			if (whole)
				return certdeploy_refuse(
					model->reading, "not-found", map->path, line,
					_("%s is not there, and without it Postfix takes nothing from the "
					  "table that names it"),
					path);
			certdeploy_report(model->reading, CERTDEPLOY_WARNING, "not-found", map->path, line,
					  _("%s is not there: the table will not have %s"), path,
					  entry->key);
		}
	}
	return 0;
}

static int build(struct postfix_model *model, struct postfix_map *map)
{
	const char *argv[] = {
		postfix_program(model->reading, "postmap"), "-c", model->directory, "-F", NULL, NULL};
	struct certdeploy_build index = {
		.source = map->path, .argv = argv, .suffix = map->suffix, .secret = true};
	int result = render(&index.input, &index.input_length, model, map);

	argv[4] = certdeploy_format(model->reading, "%s:%%s", map->type);
	if (result != 0)
		return result;
	if (argv[0] == NULL || argv[4] == NULL)
		return CERTDEPLOY_ENOMEM;
	return certdeploy_build(model->edits, model->reading, &index);
}

static int needs_build(bool *out, struct postfix_model *model, const struct postfix_map *map,
		       const struct postfix_entry *entry, size_t number)
{
	const struct certdeploy_assignment *assignment = entry->assignment;
	const char *index = certdeploy_format(model->reading, "%s%s", map->path, map->suffix);
	int result = index == NULL ? CERTDEPLOY_ENOMEM : 0;

	if (result == 0 && certdeploy_file_type(model->reading, index) == CERTDEPLOY_FILE_ABSENT)
		*out = true;
	for (size_t i = 0; result == 0 && !*out && assignment->materials[i] != NULL; i++)
		result = is_fresh(out, model, assignment->materials[i]);
	if (result == 0 && !*out && number < ENTRIES_ASKED)
		result = postfix_index_lacks(out, model, map, entry);
	return result;
}

int postfix_plan_map(struct postfix_model *model, struct postfix_map *map)
{
	bool changed = false, wanted = false, adding = false;
	size_t asked = 0;
	int result = 0;

	for (size_t i = 0; result == 0 && i < map->count; i++) {
		struct postfix_entry *entry = map->entries[i];

		if (entry->assignment == NULL)
			continue;
		wanted = true;
		result = postfix_entry_pairs(model, entry, true);
	}
	for (size_t i = 0; i < map->added_count; i++)
		adding = adding || map->added[i]->assignment != NULL;
	if (result != 0 || (!wanted && !adding))
		return result;
	result = set_entries(model, map, false, &changed);
	if (result == 0 && adding)
		result = add_new(model, map);
	if (result == 0 && adding)
		result = name_map(model, map);
	changed = changed || adding;
	for (size_t i = 0; result == 0 && !changed && map->kind == POSTFIX_MAP_INDEXED && i < map->count;
	     i++)
		if (map->entries[i]->assignment != NULL)
			result = needs_build(&changed, model, map, map->entries[i], asked++);
	if (result == 0 && (changed || map->kind == POSTFIX_MAP_INLINE))
		result = check_files(model, map);
	return result == 0 && changed && map->kind == POSTFIX_MAP_INDEXED ? build(model, map) : result;
}
