/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * index.c - whether an index holds what its source and the files named there say
 *
 * An index holds certificates and keys as they were when it was made. postmap(1) prints it, and only
 * digests of what it prints are seen here.
 */
#include "postfix.h"

#define REPORTS 10

/* What is being compared. */
struct comparison {
	struct postfix_model *model;
	const struct postfix_map *map;
	struct postfix_table held; /**< key -> digest, of the index */
	size_t differences;
	bool unreadable; /**< some file cannot be read: nothing is said */
};

/* "key TAB digest" lines as a table. */
static int take_answer(struct comparison *comparison, const char *answer)
{
	struct certdeploy_reading *reading = comparison->model->reading;
	int result = 0;

	while (result == 0 && *answer != '\0') {
		size_t length = strcspn(answer, "\n"), key = strcspn(answer, "\t\n");
		const char *name = certdeploy_copy(reading, answer, key), *digest = "";

		if (key < length)
			digest = certdeploy_copy(reading, answer + key + 1, length - key - 1);
		if (name == NULL || digest == NULL)
			return CERTDEPLOY_ENOMEM;
		result = postfix_table_put(&comparison->held, reading, name, digest);
		answer += length + (answer[length] == '\n');
	}
	return result;
}

/* The digest that the index should have; "": none, for postmap passes over missing files. */
static int wanted_digest(const char **out, struct postfix_model *model, const struct postfix_entry *entry)
{
	size_t count = 0;
	const char **paths;
	int result;

	while (entry->files[count] != NULL)
		count++;
	paths = certdeploy_alloc(model->reading, (count + 1) * sizeof(*paths));
	for (size_t i = 0; paths != NULL && i < count; i++) {
		paths[i] = certdeploy_join(model->reading, model->queue_directory, entry->files[i]);
		if (paths[i] == NULL)
			return CERTDEPLOY_ENOMEM;
	}
	if (paths == NULL)
		return CERTDEPLOY_ENOMEM;
	result = certdeploy_digest_base64(out, model->reading, (const char *const *)paths);
	if (result == CERTDEPLOY_ENOTFOUND) {
		*out = "";
		result = 0;
	}
	return result;
}

/* message: made for this, NULL when memory is short. */
static void report(struct comparison *comparison, const char *file, size_t line, const char *message)
{
	if (comparison->differences++ < REPORTS && message != NULL)
		certdeploy_report(comparison->model->reading, CERTDEPLOY_ERROR, "index-stale", file, line,
				  "%s", message);
}

static int compare_entry(struct comparison *comparison, const struct postfix_entry *entry)
{
	struct certdeploy_reading *reading = comparison->model->reading;
	const char *held = postfix_table_get(&comparison->held, entry->key), *wanted, *message;
	int result = wanted_digest(&wanted, comparison->model, entry);

	if (result == CERTDEPLOY_EPERMISSION || result == CERTDEPLOY_EREFUSED) {
		comparison->unreadable = true;
		return 0;
	}
	if (result != 0 || strcmp(wanted, held == NULL ? "" : held) == 0)
		return result;
	if (held == NULL)
		message = certdeploy_format(
			reading, _("the table's index does not have %s: it is served the default"),
			entry->key);
	else if (*wanted == '\0')
		message = certdeploy_format(
			reading,
			_("the files of %s are not there any more: only the table's index has them"),
			entry->key);
	else
		message = certdeploy_format(
			reading, _("the table's index holds something else for %s than its files do"),
			entry->key);
	report(comparison, comparison->map->path, entry->line->number, message);
	return 0;
}

/* Keys that only the index has. */
static void compare_rest(struct comparison *comparison, const char *answer, const char *index)
{
	while (*answer != '\0') {
		size_t length = strcspn(answer, "\n"), key = strcspn(answer, "\t\n");
		const char *name = certdeploy_copy(comparison->model->reading, answer, key);

		if (name == NULL)
			return;
		if (postfix_table_get(&comparison->map->by_key, name) == NULL)
			report(comparison, index, 0,
			       certdeploy_format(
				       comparison->model->reading,
				       _("the table's index has %s, which its source does not have"),
				       name));
		answer += length + (answer[length] == '\n');
	}
}

static int ask(const char **answer, struct postfix_model *model, const struct postfix_map *map,
	       const char *how, const char *key)
{
	const char *program = postfix_program(model->reading, "postmap");
	const char *table = certdeploy_format(model->reading, "%s:%s", map->type, map->path);
	const char *argv[] = {program, "-c", model->directory, how, table, NULL, NULL};

	if (program == NULL || table == NULL)
		return CERTDEPLOY_ENOMEM;
	if (key != NULL) {
		argv[4] = key;
		argv[5] = table;
	}
	return certdeploy_ask_digests(answer, model->reading, argv);
}

static int compare(struct postfix_model *model, const struct postfix_map *map)
{
	struct comparison comparison = {.model = model, .map = map};
	const char *answer, *index = certdeploy_format(model->reading, "%s%s", map->path, map->suffix);
	int result = index == NULL ? CERTDEPLOY_ENOMEM : ask(&answer, model, map, "-s", NULL);

	if (result == CERTDEPLOY_ENOTFOUND)
		return 0; /* a tree, or no postmap */
	if (result == CERTDEPLOY_EFAILED) {
		certdeploy_report(model->reading, CERTDEPLOY_WARNING, "not-permitted", index, 0,
				  _("postmap cannot read this table; it was not compared with its source"));
		return 0;
	}
	if (result == 0)
		result = take_answer(&comparison, answer);
	for (size_t i = 0; result == 0 && i < map->count; i++)
		if (postfix_table_get(&map->by_key, map->entries[i]->key) == map->entries[i])
			result = compare_entry(&comparison, map->entries[i]);
	if (result == 0)
		compare_rest(&comparison, answer, index);
	if (comparison.unreadable)
		certdeploy_report(model->reading, CERTDEPLOY_WARNING, "not-permitted", map->path, 0,
				  _("not all files that this table names can be read"));
	if (comparison.differences > REPORTS)
		certdeploy_report(model->reading, CERTDEPLOY_ERROR, "index-stale", index, 0,
				  _("the table's index is wrong for %zu names"), comparison.differences);
	return result == 0 && comparison.differences != 0 ? CERTDEPLOY_EDIFFERENT : result;
}

/* postmap gives an index the mode of its source, but it holds the keys themselves. */
static int report_exposed(struct postfix_model *model, const struct postfix_map *map)
{
	const char *index = certdeploy_format(model->reading, "%s%s", map->path, map->suffix);

	if (index == NULL)
		return CERTDEPLOY_ENOMEM;
	if (certdeploy_is_exposed(model->reading, index))
		certdeploy_report(
			model->reading, CERTDEPLOY_WARNING, "key-exposed", index, 0,
			_("everybody on this host may read the private keys in this index, or change "
			  "them"));
	return 0;
}

/* Of a table that is not there smtpd says so to its log only, whenever a client asks for a name. */
static int check_there(struct postfix_model *model, const struct postfix_map *map)
{
	bool file = map->kind == POSTFIX_MAP_INDEXED || map->kind == POSTFIX_MAP_TEXT;
	const char *opened = certdeploy_format(model->reading, "%s%s", map->path, map->suffix);

	if (opened == NULL)
		return CERTDEPLOY_ENOMEM;
	/* One without a name in the configuration would be ours, to be made. */
	if (!file || map->unnamed != NULL ||
	    certdeploy_file_type(model->reading, opened) != CERTDEPLOY_FILE_ABSENT)
		return 0;
	certdeploy_report(model->reading, CERTDEPLOY_ERROR, "not-found", opened, 0,
			  _("this table is not there: clients that ask for a name are turned away"));
	return CERTDEPLOY_EDIFFERENT;
}

static int inspect_map(struct postfix_model *model, const struct postfix_map *map)
{
	int result = check_there(model, map);

	if (result != 0 || map->kind != POSTFIX_MAP_INDEXED || map->lines.document == NULL)
		return result;
	result = report_exposed(model, map);
	return result == 0 ? compare(model, map) : result;
}

int postfix_inspect(struct certdeploy_reading *reading)
{
	struct postfix_model *model = certdeploy_model(reading);
	int differs = 0, result = 0;

	for (const struct postfix_map *map = model->maps; map != NULL; map = map->next) {
		result = inspect_map(model, map);
		if (result == CERTDEPLOY_EDIFFERENT)
			differs = result;
		else if (result != 0)
			return result;
	}
	return differs;
}

int postfix_index_lacks(bool *out, struct postfix_model *model, const struct postfix_map *map,
			const struct postfix_entry *entry)
{
	const char *answer = "", *wanted;
	size_t length;
	int result = wanted_digest(&wanted, model, entry);

	if (result == CERTDEPLOY_EPERMISSION || result == CERTDEPLOY_EREFUSED)
		return 0;
	if (result == 0)
		result = ask(&answer, model, map, "-q", entry->key);
	if (result != 0 && result != CERTDEPLOY_EFAILED)
		return result == CERTDEPLOY_ENOTFOUND ? 0 : result;
	length = result == 0 ? strcspn(answer, "\n") : 0;
	*out = length != strlen(wanted) || memcmp(answer, wanted, length) != 0;
	return 0;
}
