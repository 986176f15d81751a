/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * read.c - the files of a Dovecot configuration, in the order in which Dovecot reads them
 *
 * An include stands for the text of its files at that place; several files of one pattern are opened at
 * once and read one after the other. A file that is being read, or waits to be, may not be included
 * again; Dovecot compares the paths as text.
 */
#include "read.h"

#include <string.h>

#define INPUT_LIMIT 20000
#define BYTES_LIMIT ((size_t)64 << 20)
#define BRACES_LIMIT 1000

const char *dovecot_resolve(const struct dovecot_reader *reader, const char *path)
{
	if (path[0] == '/')
		return certdeploy_copy(reader->model->reading, path, strlen(path));
	return certdeploy_format(reader->model->reading, "%s%s", reader->input->directory, path);
}

int dovecot_syntax(const struct dovecot_reader *reader, size_t line, const char *why)
{
	return certdeploy_refuse(reader->model->reading, "config-syntax", reader->input->path, line, "%s",
				 why);
}

/* ---- braces ---- */

/* The comma or closing brace that ends the word at text, or NULL; as glibc does. */
static const char *brace_word(const char *text)
{
	size_t depth = 0;

	for (; *text != '\0'; text++) {
		if (*text == '\\' && text[1] != '\0')
			text++;
		else if ((*text == '}' && depth-- == 0) || (*text == ',' && depth == 0))
			return text;
		else if (*text == '{')
			depth++;
	}
	return NULL;
}

static const char *brace_start(const char *pattern)
{
	for (; *pattern != '\0'; pattern++) {
		if (*pattern == '\\' && pattern[1] != '\0')
			pattern++;
		else if (*pattern == '{')
			return pattern;
	}
	return NULL;
}

static int refuse_pattern(struct certdeploy_reading *reading, const struct dovecot_include *include,
			  const char *why)
{
	return certdeploy_refuse(reading, "config-not-understood", include->input->path, include->line,
				 "%s", why);
}

static int expand_braces(struct dovecot_vector *out, struct certdeploy_reading *reading,
			 const struct dovecot_include *include, const char *pattern)
{
	const char *start = brace_start(pattern), *word, *end = start;
	int result;

	do
		end = end == NULL ? NULL : brace_word(end + 1);
	while (end != NULL && *end != '}');
	if (end == NULL) {
		char *copy = certdeploy_copy(reading, pattern, strlen(pattern));

		return copy == NULL ? CERTDEPLOY_ENOMEM : dovecot_vector_add(out, reading, copy);
	}
	for (word = start + 1; word <= end; word = brace_word(word) + 1) {
		char *joined = certdeploy_format(reading, "%.*s%.*s%s", (int)(start - pattern), pattern,
						 (int)(brace_word(word) - word), word, end + 1);

		if (joined == NULL)
			return CERTDEPLOY_ENOMEM;
		if (out->count > BRACES_LIMIT)
			return refuse_pattern(reading, include,
					      _("an include pattern stands for too many files"));
		result = expand_braces(out, reading, include, joined);
		if (result != 0)
			return result;
	}
	return 0;
}

int dovecot_braces(const char *const **patterns, struct certdeploy_reading *reading,
		   const struct dovecot_include *include)
{
	struct dovecot_vector out = {0};
	const char **list;
	int result;

	if (strlen(include->pattern) > 4096)
		return refuse_pattern(reading, include, _("the include pattern is too long"));
	result = expand_braces(&out, reading, include, include->pattern);
	if (result != 0)
		return result;
	list = certdeploy_alloc(reading, (out.count + 1) * sizeof(*list));
	if (list == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < out.count; i++)
		list[i] = out.items[i];
	*patterns = list;
	return 0;
}

/* ---- inputs ---- */

/* Read a document next, before what is being read. */
static int push_input(struct dovecot_reader *reader, const struct certdeploy_document *document,
		      const char *path)
{
	struct dovecot_model *model = reader->model;
	struct certdeploy_reading *reading = model->reading;
	struct dovecot_input *input = certdeploy_alloc(reading, sizeof(*input)), *earlier;
	const char *slash = strrchr(path, '/');
	void **key = certdeploy_alloc(reading, sizeof(*key));
	size_t length;

	if (input == NULL || key == NULL)
		return CERTDEPLOY_ENOMEM;
	certdeploy_document_bytes(document, &length);
	reader->bytes += length;
	if (model->inputs.count >= INPUT_LIMIT || reader->bytes > BYTES_LIMIT)
		return certdeploy_refuse(reading, "config-not-understood", path, 0,
					 _("the files included are too many or too large"));
	input->document = document;
	input->path = path;
	input->plain = certdeploy_join(reading, "/", path);
	input->directory = certdeploy_copy(reading, path, (size_t)(slash - path) + 1);
	input->previous = reader->input;
	input->depth = reader->input == NULL ? 0 : reader->input->depth + 1;
	*key = (void *)(uintptr_t)document;
	earlier = dovecot_table_get(&model->documents, (const char *)key, sizeof(*key));
	if (earlier != NULL)
		earlier->repeated = input->repeated = true;
	else if (dovecot_table_put(&model->documents, reading, (const char *)key, sizeof(*key), input) != 0)
		return CERTDEPLOY_ENOMEM;
	if (input->plain == NULL || input->directory == NULL ||
	    dovecot_vector_add(&model->inputs, reading, input) != 0)
		return CERTDEPLOY_ENOMEM;
	dovecot_lines_open(&input->lines, reading, document, model->v24);
	reader->input = input;
	return 0;
}

/* A file is changed under the name that it was read by first: the plain one, where both mean the same. */
static int read_include(const struct certdeploy_document **document, struct certdeploy_reading *reading,
			const char *path, const char *plain)
{
	int result = 0;

	if (strstr(path, "/../") != NULL && certdeploy_file_type(reading, plain) == CERTDEPLOY_FILE_REGULAR)
		result = certdeploy_read(document, reading, plain);
	return result == 0 ? certdeploy_read(document, reading, path) : result;
}

/* Is it being read, or waits to be? Dovecot follows other ways to the same file until they are too long. */
static bool is_open(const struct dovecot_reader *reader, const struct certdeploy_document *document,
		    const char *path, const char *plain)
{
	const struct dovecot_input *open = reader->input;

	while (open != NULL && strcmp(open->path, path) != 0 &&
	       (open->document != document || strcmp(open->plain, plain) != 0))
		open = open->previous;
	return open != NULL;
}

/* Open one file of an include. Several are pushed before the first is read, in reverse order. */
static int include_file(struct dovecot_reader *reader, const struct dovecot_input *from,
			const struct dovecot_line *line, const char *path)
{
	struct certdeploy_reading *reading = reader->model->reading;
	const char *plain = certdeploy_join(reading, "/", path);
	const struct certdeploy_document *document;
	int result;

	if (plain == NULL)
		return CERTDEPLOY_ENOMEM;
	/* Dovecot opens a folder like a file, finds that it cannot be read, and goes on. */
	if (certdeploy_file_type(reading, path) == CERTDEPLOY_FILE_DIRECTORY)
		return 0;
	result = read_include(&document, reading, path, plain);
	if (result == CERTDEPLOY_ENOTFOUND) {
		if (line->type == DOVECOT_LINE_INCLUDE_TRY)
			return 0;
		return certdeploy_refuse(reading, "config-syntax", from->path, line->number,
					 _("the included file %s is not there"), path);
	}
	if (result == 0 && is_open(reader, document, path, plain))
		return certdeploy_refuse(reading, "config-syntax", from->path, line->number,
					 _("%s is included while it is being read"), path);
	return result == 0 ? push_input(reader, document, path) : result;
}

/* The pattern's files, in order; *count 0: none. */
static int include_paths(struct dovecot_vector *out, struct certdeploy_reading *reading,
			 const struct dovecot_include *include)
{
	const char *const *patterns, *const *paths;
	int result = dovecot_braces(&patterns, reading, include);

	for (; result == 0 && *patterns != NULL; patterns++) {
		result = certdeploy_glob(&paths, reading, *patterns);
		for (; result == 0 && *paths != NULL; paths++)
			result = dovecot_vector_add(out, reading, (void *)(uintptr_t)*paths);
	}
	return result;
}

static int include(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct certdeploy_reading *reading = reader->model->reading;
	struct dovecot_input *from = reader->input;
	struct dovecot_include *record = certdeploy_alloc(reading, sizeof(*record));
	struct dovecot_vector paths = {0};
	int result;

	if (record == NULL)
		return CERTDEPLOY_ENOMEM;
	record->input = from;
	record->pattern = dovecot_resolve(reader, line->value);
	record->line = line->number;
	record->span = line->value_span;
	if (record->pattern == NULL || dovecot_vector_add(&reader->model->includes, reading, record) != 0 ||
	    dovecot_vector_add(&from->includes, reading, record) != 0)
		return CERTDEPLOY_ENOMEM;
	if (reader->section != NULL && reader->section->block != NULL)
		reader->section->block->simple = false;
	result = include_paths(&paths, reading, record);
	if (result != 0)
		return result;
	if (paths.count == 0 && line->type == DOVECOT_LINE_INCLUDE)
		return certdeploy_refuse(reading, "config-syntax", from->path, line->number,
					 _("no file matches %s"), record->pattern);
	for (size_t i = paths.count; i > 0 && result == 0; i--)
		result = include_file(reader, from, line, paths.items[i - 1]);
	return result;
}

static int one_line(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	reader->model->order++;
	switch (line->type) {
	case DOVECOT_LINE_ERROR:
		return dovecot_syntax(reader, line->number, line->value);
	case DOVECOT_LINE_INCLUDE:
	case DOVECOT_LINE_INCLUDE_TRY:
		return include(reader, line);
	case DOVECOT_LINE_BEGIN:
	case DOVECOT_LINE_GROUP:
		return dovecot_begin(reader, line);
	case DOVECOT_LINE_END:
		return dovecot_end(reader, line);
	default:
		return dovecot_assign(reader, line);
	}
}

static int end_of_input(struct dovecot_reader *reader)
{
	struct dovecot_input *input = reader->input;

	/* Dovecot would join the last line with the next one of the file that comes after. */
	if (input->lines.unfinished && input->previous != NULL)
		return certdeploy_refuse(reader->model->reading, "config-not-understood", input->path,
					 input->lines.number, _("the file ends in a line that goes on"));
	input->ends_at_top = reader->section == NULL;
	input->end_order = reader->model->order;
	reader->input = input->previous;
	return 0;
}

/* 2.4 wants its version in the first setting, and the same wherever it stands again. */
static int check_version(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	if (!reader->model->v24 || line->type == DOVECOT_LINE_ERROR)
		return 0;
	if (strcmp(line->key, "dovecot_config_version") != 0)
		return reader->model->order != 0
			       ? 0
			       : dovecot_syntax(reader, line->number,
						_("the first setting must be dovecot_config_version"));
	if (reader->version != NULL)
		return line->type != DOVECOT_LINE_PLAIN || strcmp(line->value, reader->version) == 0
			       ? 0
			       : dovecot_syntax(reader, line->number,
						_("dovecot_config_version cannot be changed any more"));
	reader->version = certdeploy_copy(reader->model->reading, line->value, strlen(line->value));
	return reader->version == NULL ? CERTDEPLOY_ENOMEM : 0;
}

int dovecot_read_files(struct dovecot_model *model)
{
	struct dovecot_reader reader = {.model = model};
	const struct certdeploy_document *document;
	struct dovecot_line line;
	int result = certdeploy_read(&document, model->reading, model->config);

	if (result == CERTDEPLOY_ENOTFOUND)
		return certdeploy_refuse(model->reading, "not-found", model->config, 0, _("there is no %s"),
					 model->config);
	if (result == 0)
		result = push_input(&reader, document, model->config);
	if (result == 0)
		result = dovecot_blocks_open(&reader);
	while (result == 0 && reader.input != NULL) {
		struct dovecot_input *input = reader.input;

		input->at_top = input->lines.at == 0 ? reader.section == NULL : input->at_top;
		result = dovecot_lines_next(&input->lines, &line);
		if (result == 0)
			result = end_of_input(&reader);
		else if (result > 0 && (result = check_version(&reader, &line)) == 0)
			result = one_line(&reader, &line);
	}
	if (result == 0 && model->v24 && model->order == 0)
		return certdeploy_refuse(model->reading, "config-syntax", model->config, 0,
					 _("the first setting must be dovecot_config_version"));
	return result == 0 ? dovecot_blocks_close(&reader) : result;
}
