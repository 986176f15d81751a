/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * maps.c - the tables of tls_server_sni_maps: names and the files that serve them
 *
 * The text is read from a table's source, also where Postfix reads an index made from it. A name is
 * looked up in every table in order, first the whole, then ".domain" by ".domain".
 */
#include "postfix.h"

#define PARAMETER "tls_server_sni_maps"

static const struct {
	const char *type;
	enum postfix_map_kind kind;
	const char *suffix;
} kinds[] = {
	{"texthash", POSTFIX_MAP_TEXT, ""},   {"inline", POSTFIX_MAP_INLINE, ""},
	{"hash", POSTFIX_MAP_INDEXED, ".db"}, {"btree", POSTFIX_MAP_INDEXED, ".db"},
	{"cdb", POSTFIX_MAP_INDEXED, ".cdb"}, {"lmdb", POSTFIX_MAP_INDEXED, ".lmdb"},
};

static void set_kind(struct postfix_map *map)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(map->type, kinds[i].type) == 0) {
			map->kind = kinds[i].kind;
			map->suffix = kinds[i].suffix;
		}
}

/* ---- entries ---- */

static char *lower(struct postfix_model *model, const char *bytes, size_t length)
{
	char *copy = certdeploy_copy(model->reading, bytes, length);

	for (size_t i = 0; copy != NULL && i < length; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] - 'A' + 'a');
	return copy;
}

bool postfix_is_host_name(const char *key)
{
	return *key != '\0' && key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789-._")] == '\0' &&
	       strcmp(key, ".") != 0;
}

/* The next entry of the map, filled. NULL: out of memory. */
static struct postfix_entry *new_entry(struct postfix_model *model, struct postfix_map *map,
				       const char *key, size_t length)
{
	struct postfix_entry *entry = certdeploy_alloc(model->reading, sizeof(*entry));

	if (entry == NULL)
		return NULL;
	entry->map = map;
	entry->key = lower(model, key, length);
	if (entry->key == NULL)
		return NULL;
	entry->name = entry->key;
	if (entry->key[0] == '.')
		entry->name = certdeploy_format(model->reading, "*%s", entry->key);
	return entry->name == NULL ? NULL : entry;
}

static int add_entry(struct postfix_model *model, struct postfix_map *map, struct postfix_entry *entry,
		     bool last_wins)
{
	map->entries = postfix_grow(model->reading, map->entries, map->count, sizeof(*map->entries));
	if (map->entries == NULL)
		return CERTDEPLOY_ENOMEM;
	map->entries[map->count++] = entry;
	if (!last_wins && postfix_table_get(&map->by_key, entry->key) != NULL)
		return 0;
	return postfix_table_put(&map->by_key, model->reading, entry->key, entry);
}

/* "key value": the key ends at the first blank that is not in quotes. False: Postfix passes over it. */
static bool split_entry(const struct postfix_line *line, size_t *key_end, struct postfix_span *value)
{
	const char *text = line->text;
	bool quoted = false;
	size_t at = 0, end = line->length;

	for (; text[at] != '\0' && (quoted || !postfix_space(text[at])); at++) {
		if (text[at] == '"')
			quoted = !quoted;
		else if (text[at] == '\\' && text[++at] == '\0')
			break;
	}
	*key_end = at;
	while (postfix_space(text[at]))
		at++;
	while (end > at && postfix_space(text[end - 1]))
		end--;
	*value = (struct postfix_span){at, end};
	return !quoted && *key_end > 0 && end > at;
}

/* A table that names keys may be root's alone; all else can be listed without it. */
static int read_document(const struct certdeploy_document **out, struct postfix_model *model,
			 struct postfix_map *map)
{
	const struct certdeploy_leaf *leaf;

	/* A look that records nothing. */
	if (certdeploy_leaf(&leaf, model->reading, map->path) != CERTDEPLOY_EPERMISSION)
		return certdeploy_read(out, model->reading, map->path);
	map->unreadable = true;
	certdeploy_report(model->reading, CERTDEPLOY_WARNING, "not-permitted", map->path, 0,
			  _("this table cannot be read: its names are left out"));
	return CERTDEPLOY_ENOTFOUND;
}

static int read_source(struct postfix_model *model, struct postfix_map *map)
{
	const struct certdeploy_document *document;
	int result = read_document(&document, model, map);

	if (result == CERTDEPLOY_ENOTFOUND)
		return 0;
	if (result == 0)
		result = postfix_lines_read(&map->lines, model->reading, document);
	for (size_t i = 0; result == 0 && i < map->lines.count; i++) {
		const struct postfix_line *line = &map->lines.items[i];
		struct postfix_entry *entry;
		struct postfix_span value;
		size_t key_end;
		const char *files;

		if (!split_entry(line, &key_end, &value))
			continue;
		entry = new_entry(model, map, line->text, key_end);
		files = certdeploy_copy(model->reading, line->text + value.start, value.end - value.start);
		if (entry == NULL || files == NULL)
			return CERTDEPLOY_ENOMEM;
		entry->line = line;
		entry->value = value;
		result = postfix_split_list(&entry->files, model->reading, files, false);
		if (map->kind == POSTFIX_MAP_TEXT && map->twice == 0 &&
		    postfix_table_get(&map->by_key, entry->key) != NULL)
			map->twice = line->number;
		if (result == 0)
			result = add_entry(model, map, entry, false);
	}
	return result;
}

/* One of `{ name=files, { name = file file } }`, given without the outer braces. */
static int read_inline_entry(struct postfix_model *model, struct postfix_map *map, const char *inside,
			     struct postfix_span span, size_t base)
{
	struct postfix_entry *entry;
	struct postfix_span name, value;
	const char *files;
	char *text;
	size_t equals;
	int result;

	if (inside[span.start] == '{' && inside[span.end - 1] == '}') {
		span.start++;
		span.end--;
	}
	text = certdeploy_copy(model->reading, inside + span.start, span.end - span.start);
	if (text == NULL)
		return CERTDEPLOY_ENOMEM;
	if (postfix_split(text, &name, &equals, &value) != NULL || value.start == value.end)
		return 0;
	entry = new_entry(model, map, text + name.start, name.end - name.start);
	files = certdeploy_copy(model->reading, text + value.start, value.end - value.start);
	if (entry == NULL || files == NULL)
		return CERTDEPLOY_ENOMEM;
	entry->line = map->line;
	entry->value =
		(struct postfix_span){base + span.start + value.start, base + span.start + value.end};
	result = postfix_split_list(&entry->files, model->reading, files, false);
	return result == 0 ? add_entry(model, map, entry, true) : result;
}

/* Whether the first brace is closed by the last byte. */
static bool in_braces(const char *text, size_t length)
{
	int level = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '{')
			level++;
		else if (text[i] == '}')
			level--;
		if (level <= 0)
			return length > 1 && i + 1 == length;
	}
	return false;
}

/* position: of the map within its line, or (frozen) nowhere. */
static int read_inline(struct postfix_model *model, struct postfix_map *map, size_t position)
{
	size_t length = strlen(map->path), count;
	struct postfix_span *spans;
	const char *inside;
	int result;

	if (!in_braces(map->path, length)) {
		map->kind = POSTFIX_MAP_OPAQUE;
		return 0;
	}
	inside = certdeploy_copy(model->reading, map->path + 1, length - 2);
	if (inside == NULL)
		return CERTDEPLOY_ENOMEM;
	position += strlen("inline:{");
	result = postfix_split_spans(&spans, &count, model->reading, inside, true);
	for (size_t i = 0; result == 0 && i < count; i++)
		result = read_inline_entry(model, map, inside, spans[i], position);
	map->tail = position + (count == 0 ? 0 : spans[count - 1].end);
	if (map->line != NULL)
		map->path = certdeploy_document_path(map->line->document);
	return result;
}

/* ---- maps ---- */

static struct postfix_map *add_map(struct postfix_model *model, const char *spec)
{
	struct postfix_map *map = certdeploy_alloc(model->reading, sizeof(*map));
	const char *colon = strchr(spec, ':'), *name = colon + 1;

	if (map == NULL)
		return NULL;
	map->spec = spec;
	map->suffix = "";
	map->type = certdeploy_copy(model->reading, spec, (size_t)(colon - spec));
	if (map->type == NULL)
		return NULL;
	set_kind(map);
	map->path = map->kind == POSTFIX_MAP_INLINE || map->kind == POSTFIX_MAP_OPAQUE
			    ? name
			    : certdeploy_join(model->reading, model->queue_directory, name);
	if (map->path == NULL)
		return NULL;
	map->next = model->maps;
	model->maps = map;
	return map;
}

/* The map of a specification; an inline one belongs to the line it stands in. */
static int map_of(struct postfix_map **out, struct postfix_model *model, const char *spec,
		  const struct postfix_value *value, size_t position)
{
	bool is_inline = strncmp(spec, "inline:", 7) == 0;
	struct postfix_map *map = is_inline ? NULL : model->maps;

	if (strchr(spec, ':') == NULL)
		return certdeploy_refuse(
			model->reading, "config-syntax",
			value->line == NULL ? model->main_path
					    : certdeploy_document_path(value->line->document),
			value->line == NULL ? 0 : postfix_line_number(value->line, value->span.start),
			_("\"%s\" names no type of table, and smtpd ends with an error"), spec);
	while (map != NULL && strcmp(map->spec, spec) != 0)
		map = map->next;
	*out = map;
	if (map != NULL)
		return 0;
	*out = map = add_map(model, spec);
	if (map == NULL)
		return CERTDEPLOY_ENOMEM;
	if (map->kind == POSTFIX_MAP_OPAQUE)
		return 0;
	if (map->kind != POSTFIX_MAP_INLINE)
		return read_source(model, map);
	map->line = value->line;
	map->frozen = value->line == NULL || strchr(value->raw, '$') != NULL;
	return read_inline(model, map, position);
}

int postfix_maps_of(struct postfix_map_list **out, struct postfix_model *model, struct postfix_row *row)
{
	struct postfix_value value;
	struct postfix_map_list *list;
	struct postfix_span *spans;
	const char *const *specs, *text, *key;
	size_t count;
	int result;

	postfix_lookup(&value, model, row, PARAMETER);
	result = postfix_value(&text, model, row, PARAMETER);
	if (result != 0)
		return result;
	key = certdeploy_format(model->reading, "%zu %s", value.option == NULL ? 0 : value.line->number,
				text);
	if (key == NULL)
		return CERTDEPLOY_ENOMEM;
	*out = list = postfix_table_get(&model->map_lists, key);
	if (list != NULL)
		return 0;
	result = postfix_split_list(&specs, model->reading, text, true);
	if (result == 0)
		result = postfix_split_spans(&spans, &count, model->reading, text, true);
	*out = list = certdeploy_alloc(model->reading, sizeof(*list));
	if (result == 0 && list != NULL)
		list->maps = certdeploy_alloc(model->reading, (count + 2) * sizeof(*list->maps));
	if (result == 0 && (list == NULL || list->maps == NULL))
		result = CERTDEPLOY_ENOMEM;
	for (; result == 0 && list->count < count; list->count++)
		result = map_of(&list->maps[list->count], model, specs[list->count], &value,
				value.span.start + spans[list->count].start);
	return result == 0 ? postfix_table_put(&model->map_lists, model->reading, key, list) : result;
}

int postfix_entry_pairs(struct postfix_model *model, struct postfix_entry *entry, bool exact)
{
	struct postfix_pair *pairs = NULL, *pair, plain[1] = {{.certificate = NULL}};
	size_t count = 0, files = 0;
	int result = 0;

	if (entry->files == NULL || (entry->evaluated && !exact))
		return 0;
	while (entry->files[files] != NULL)
		files++;
	if (exact || files > 1) {
		result = postfix_chain_pairs(model, &pairs, &count, entry->files);
	} else {
		/* One file holds all: thousands of them need not be opened. */
		plain[0] = (struct postfix_pair){.last = files};
		plain[0].key = certdeploy_join(model->reading, model->queue_directory, entry->files[0]);
		plain[0].certificate = plain[0].key;
		pairs = plain;
		count = 1;
		if (plain[0].key == NULL)
			return CERTDEPLOY_ENOMEM;
	}
	entry->pairs.count = 0;
	for (size_t i = 0; result == 0 && i < count; i++) {
		pair = postfix_add_pair(model, &entry->pairs, entry->line, entry->value.start);
		if (pair == NULL)
			return CERTDEPLOY_ENOMEM;
		*pair = pairs[i];
		entry->pairs.shown[i].certificate = pair->certificate;
		entry->pairs.shown[i].key = pair->key;
	}
	entry->evaluated = true;
	return result;
}

/* ---- new entries ---- */

static int refuse_lost_source(struct postfix_model *model, const struct postfix_map *map)
{
	const char *index = certdeploy_format(model->reading, "%s%s", map->path, map->suffix);

	if (index == NULL)
		return CERTDEPLOY_ENOMEM;
	if (map->lines.document != NULL || *map->suffix == '\0' ||
	    certdeploy_file_type(model->reading, index) == CERTDEPLOY_FILE_ABSENT)
		return 0;
	return certdeploy_refuse(model->reading, "config-not-understood", index, 0,
				 _("the table is there without the text that it was made from"));
}

/* A map of our own, to stand before all others of the list. */
static int own_map(struct postfix_map **out, struct postfix_model *model, struct postfix_map_list *list,
		   struct postfix_row *row)
{
	struct postfix_map map = {.kind = POSTFIX_MAP_OPAQUE};
	struct postfix_value value = {.raw = NULL};
	struct postfix_place *place = certdeploy_alloc(model->reading, sizeof(*place));
	const char *spec;
	int result = postfix_value(&map.type, model, NULL, "default_database_type");

	if (result != 0)
		return result;
	set_kind(&map);
	spec = certdeploy_format(model->reading, "%s:%s/certdeploy_sni",
				 map.kind == POSTFIX_MAP_INDEXED ? map.type : "hash", model->directory);
	if (spec == NULL || place == NULL)
		return CERTDEPLOY_ENOMEM;
	result = map_of(out, model, spec, &value, 0);
	if (result != 0)
		return result;
	place->row = row != NULL && postfix_row_option(row, PARAMETER) != NULL ? row : NULL;
	place->next = (*out)->unnamed;
	(*out)->unnamed = place;
	memmove(list->maps + 1, list->maps, list->count * sizeof(*list->maps));
	list->maps[0] = *out;
	list->count++;
	return 0;
}

/* `*.example.jp` is the key ".example.jp", which also answers for names of more labels. */
static const char *key_of(const char *hostname)
{
	return strncmp(hostname, "*.", 2) == 0 ? hostname + 1 : hostname;
}

/* Where another name's certificate may stand in a table that cannot be read, nothing is decided. */
static int look_up(struct postfix_entry **out, struct postfix_model *model,
		   const struct postfix_map_list *list, const char *key)
{
	*out = NULL;
	for (size_t i = 0; *out == NULL && i < list->count; i++) {
		if (list->maps[i]->unreadable)
			return certdeploy_refuse(model->reading, "not-permitted", list->maps[i]->path, 0,
						 _("this table must be read to give a name a certificate"));
		*out = postfix_table_get(&list->maps[i]->by_key, key);
	}
	return 0;
}

int postfix_map_entry(struct postfix_entry **out, struct postfix_model *model, struct postfix_row *row,
		      const char *hostname)
{
	const char *key = key_of(hostname);
	struct postfix_map_list *list;
	struct postfix_map *map;
	struct postfix_entry *entry;
	int result = postfix_maps_of(&list, model, row);

	*out = NULL;
	if (result == 0)
		result = look_up(out, model, list, key);
	if (result != 0 || *out != NULL)
		return result;
	map = list->count == 0 ? NULL : list->maps[0];
	if (map == NULL || map->kind == POSTFIX_MAP_OPAQUE || map->frozen)
		result = own_map(&map, model, list, row);
	if (result == 0)
		result = refuse_lost_source(model, map);
	if (result != 0)
		return result;
	if (!postfix_is_host_name(key))
		return certdeploy_refuse(model->reading, "not-expressible", map->path, 0,
					 _("\"%s\" cannot be a name in this table"), hostname);
	entry = new_entry(model, map, key, strlen(key));
	map->added = postfix_grow(model->reading, map->added, map->added_count, sizeof(*map->added));
	if (entry == NULL || map->added == NULL)
		return CERTDEPLOY_ENOMEM;
	map->added[map->added_count++] = *out = entry;
	return postfix_table_put(&map->by_key, model->reading, entry->key, entry);
}
