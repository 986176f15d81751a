/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* includes.c - the files of the configuration, in the order in which httpd reads them */
#include "read.h"

#include <string.h>

/* Of httpd (AP_MAX_INCLUDE_DEPTH, AP_MAX_FNMATCH_SUBDIR_DEPTH). */
#define INCLUDE_DEPTH_LIMIT 128
#define SUBDIRECTORY_DEPTH_LIMIT 20
#define FILE_COST 256 /* memory that each reading of a file takes besides its bytes */

/* ---- files ---- */

static struct apache_file *file_of(struct apache_reader *reader, const struct certdeploy_document *document)
{
	/* The key is the first member. */
	struct apache_file *file = apache_seen_find(&reader->files, &document, sizeof(document));

	if (file != NULL) {
		/* They may have been released in between. */
		file->bytes = certdeploy_document_bytes(document, &file->length);
		return file;
	}
	file = certdeploy_alloc(reader->reading, sizeof(*file));
	if (file == NULL)
		return NULL;
	file->document = document;
	file->path = certdeploy_document_path(document);
	file->bytes = certdeploy_document_bytes(document, &file->length);
	file->has_nul = memchr(file->bytes, '\0', file->length) != NULL;
	file->next = reader->model->files;
	reader->model->files = file;
	return apache_seen_add(reader->reading, &reader->files, &file->document, sizeof(document)) == 0
		       ? file
		       : NULL;
}

/*
 * At the end of a file its sections must be closed. httpd does not look, though, into a true condition
 * that is left open: whatever began in it ends here as well.
 */
static int end_file(struct apache_reader *reader, size_t base)
{
	const struct apache_section *open = &reader->sections[base];

	if (reader->depth > base && !open->condition)
		return certdeploy_refuse(reader->reading, "config-syntax", open->file, open->line,
					 _("the section <%.*s> is not closed in its file"),
					 (int)open->length, open->name);
	while (reader->depth > base)
		(void)apache_pop_section(reader);
	return 0;
}

static int next_line(struct apache_reader *reader, struct apache_line *line)
{
	/* Any line may be the first of the core in a virtual host. */
	if (reader->host == NULL || reader->host->of_core)
		apache_skip_opaque(reader->lines.source);
	return apache_next_line(&reader->lines, line);
}

int apache_read_document(struct apache_reader *reader, const struct certdeploy_document *document)
{
	struct apache_source source = {0}, *around = reader->lines.source;
	const struct apache_host *before = reader->model->last_host;
	uint32_t hosts = reader->model->host_count;
	size_t base = reader->base;
	struct apache_line line;
	int result = 0;

	source.file = file_of(reader, document);
	if (source.file == NULL)
		return CERTDEPLOY_ENOMEM;
	source.bytes = source.file->bytes;
	source.length = source.file->length;
	if (source.length >= 3 && memcmp(source.bytes, "\xef\xbb\xbf", 3) == 0)
		return certdeploy_refuse(
			reader->reading, "config-syntax", source.file->path, 1,
			_("the file begins with a byte order mark, which httpd takes for a directive"));
	if (source.length + FILE_COST > reader->lines.budget)
		return certdeploy_refuse(reader->reading, "too-large", source.file->path, 0,
					 _("the configuration includes itself beyond any sensible size"));
	reader->lines.budget -= source.length + FILE_COST;
	source.file->plain = source.file->reads++ == 0 && reader->host == NULL;
	source.file->state = reader->model->state;
	if (reader->model->config_file == NULL)
		reader->model->config_file = source.file;
	source.line = 1;
	source.depth = around == NULL ? 0 : around->depth;
	reader->base = reader->depth;
	reader->lines.source = &source;
	while ((result = next_line(reader, &line)) == 1) {
		result = apache_handle_line(reader, &line);
		if (result != 0)
			break;
	}
	if (result == 0)
		result = end_file(reader, reader->base);
	/* A plain file has told all that it has to say; what is edited of it is read again. */
	if (result == 0 && source.file->plain && !reader->model->amending) {
		source.file->bytes = NULL;
		certdeploy_release(document);
	}
	source.file->first_host = before == NULL ? reader->model->hosts : before->next;
	source.file->host_count = reader->model->host_count - hosts;
	reader->lines.source = around;
	reader->base = base;
	return result;
}

static char *path_in(struct apache_reader *reader, const char *directory, const char *name)
{
	size_t length = strlen(directory), own = strlen(name);
	char *path = certdeploy_alloc(reader->reading, length + own + 2);

	if (path == NULL)
		return NULL;
	memcpy(path, directory, length);
	path[length] = '/';
	memcpy(path + length + 1, name, own);
	return path;
}

/* One Include line. */
struct including {
	const struct apache_line *line; /* NULL: none, it is the server's own file */
	bool optional;
};

static int include_path(struct apache_reader *reader, const struct including *including, const char *path,
			unsigned depth);

static int include_directory(struct apache_reader *reader, const struct including *including,
			     const char *path, unsigned depth)
{
	const char *const *names;
	int result;

	if (depth >= SUBDIRECTORY_DEPTH_LIMIT)
		return certdeploy_refuse(reader->reading, "config-syntax", path, 0,
					 _("the directories to be included are too deep"));
	result = certdeploy_directory(&names, reader->reading, path);
	for (; result == 0 && *names != NULL; names++) {
		const char *inside = path_in(reader, path, *names);

		result = inside == NULL ? CERTDEPLOY_ENOMEM
					: include_path(reader, including, inside, depth + 1);
	}
	return result;
}

/* A path without wildcards: a file, or a directory with all that is in it. */
static int include_path(struct apache_reader *reader, const struct including *including, const char *path,
			unsigned depth)
{
	const struct certdeploy_document *document;
	int result;

	if (strcmp(path, "/dev/null") == 0)
		return 0;
	result = certdeploy_read(&document, reader->reading, path);
	if (result == 0)
		return apache_read_document(reader, document);
	if (result != CERTDEPLOY_ENOTFOUND)
		return result;
	if (certdeploy_file_type(reader->reading, path) == CERTDEPLOY_FILE_DIRECTORY)
		return include_directory(reader, including, path, depth);
	if (including->optional)
		return 0;
	if (including->line == NULL)
		return certdeploy_refuse(reader->reading, "config-syntax", path, 0,
					 _("the configuration file is not there"));
	return certdeploy_refuse(reader->reading, "config-syntax", apache_line_file(including->line),
				 apache_line_number(including->line),
				 _("the file %s, to be included, is not there"), path);
}

int apache_read_file(struct apache_reader *reader, const char *path)
{
	return include_path(reader, &(struct including){NULL, false}, path, 0);
}

/* Walk down a pattern component by component; rest begins after the slash behind path. */
static int include_pattern(struct apache_reader *reader, const struct including *including,
			   const char *path, const char *rest)
{
	size_t length = strcspn(rest, "/");
	const char *component = certdeploy_copy(reader->reading, rest, length);
	const char *const *names;
	bool last = rest[length] == '\0', found = false;
	int result;

	if (component == NULL)
		return CERTDEPLOY_ENOMEM;
	if (!apache_is_glob(component)) {
		path = path_in(reader, path, component);
		if (path == NULL)
			return CERTDEPLOY_ENOMEM;
		return last ? include_path(reader, including, path, 0)
			    : include_pattern(reader, including, path, rest + length + 1);
	}
	result = certdeploy_directory(&names, reader->reading, *path == '\0' ? "/" : path);
	if (result == CERTDEPLOY_ENOTFOUND)
		return including->optional
			       ? 0
			       : apache_bad_syntax(reader, including->line,
						   _("the directory to be included is not there"));
	for (; result == 0 && *names != NULL; names++) {
		const char *inside;

		if (!apache_glob_matches(component, *names))
			continue;
		inside = path_in(reader, path, *names);
		if (inside == NULL)
			return CERTDEPLOY_ENOMEM;
		/* In the midst of a path httpd takes no link to a directory for one. */
		if (!last && (certdeploy_file_type(reader->reading, inside) != CERTDEPLOY_FILE_DIRECTORY ||
			      certdeploy_is_link(reader->reading, inside)))
			continue;
		found = true;
		result = last ? include_path(reader, including, inside, 0)
			      : include_pattern(reader, including, inside, rest + length + 1);
	}
	if (result == 0 && !found && !including->optional)
		return apache_bad_syntax(reader, including->line,
					 _("nothing matches the pattern to be included"));
	return result;
}

/* What is read is remembered, so that nothing of ours is put there. */
int apache_remember_include(struct apache_model *model, const char *pattern)
{
	struct apache_include *include;

	if (model->includes != NULL && strcmp(model->includes->pattern, pattern) == 0)
		return 0;
	include = certdeploy_alloc(model->reading, sizeof(*include));
	if (include == NULL)
		return CERTDEPLOY_ENOMEM;
	*include = (struct apache_include){model->includes, pattern};
	model->includes = include;
	return 0;
}

int apache_do_include(struct apache_reader *reader, const struct apache_line *line, size_t at,
		      bool optional)
{
	struct apache_line bare = *line;
	struct including including = {&bare, optional};
	struct apache_place around = reader->include;
	struct apache_words words;
	const char *path;
	int result = apache_take_words(reader, line, at, &words);

	if (result != 0)
		return result;
	if (words.count != 1)
		return apache_bad_syntax(reader, line, _("Include takes one argument"));
	if (reader->includes >= INCLUDE_DEPTH_LIMIT)
		return apache_bad_syntax(reader, line, _("the files include each other too deeply"));
	path = certdeploy_join(reader->reading, reader->model->server_root, words.values[0]);
	if (path == NULL || apache_remember_include(reader->model, path) != 0)
		return CERTDEPLOY_ENOMEM;
	if (reader->host != NULL && reader->includes == reader->host_includes &&
	    line->file == reader->host->file)
		reader->include = apache_place_of(line);
	reader->includes++;
	/* Inner lines are put together in the memory that this one may stand in. */
	bare.text = "";
	bare.length = 0;
	result = apache_is_glob(path) ? include_pattern(reader, &including, "", path + 1)
				      : include_path(reader, &including, path, 0);
	reader->includes--;
	reader->include = around;
	return result;
}

/* Whether a pattern names the path, or a directory above it. */
static bool includes_path(struct certdeploy_reading *reading, const char *pattern, const char *path)
{
	for (;;) {
		size_t length = strcspn(pattern, "/"), own = strcspn(path, "/");
		const char *component, *name;

		if (*pattern == '\0')
			return true;
		if (*path == '\0')
			return false;
		component = certdeploy_copy(reading, pattern, length);
		name = certdeploy_copy(reading, path, own);
		/* Short of memory: better too careful. */
		if (component == NULL || name == NULL)
			return true;
		if (apache_is_glob(component) ? !apache_glob_matches(component, name)
					      : strcmp(component, name) != 0)
			return false;
		pattern += length + strspn(pattern + length, "/");
		path += own + strspn(path + own, "/");
	}
}

bool apache_reads(struct certdeploy_reading *reading, const char *path)
{
	const struct apache_model *model = certdeploy_model(reading);

	for (const struct apache_include *include = model->includes; include != NULL;
	     include = include->next)
		if (includes_path(reading, include->pattern + 1, path + strspn(path, "/")))
			return true;
	return false;
}
