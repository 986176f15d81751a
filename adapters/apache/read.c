/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * read.c - directives in reading order: sections, conditions, includes, virtual hosts
 *
 * As ap_build_config() of httpd 2.4 walks through its files, with what its directives do that decide
 * about virtual hosts and their certificates; all other directives are opaque. httpd has two phases:
 * some directives act while lines are read (Include, Define, LoadModule, ServerRoot, conditions,
 * macros), all others when everything has been read, in the same order. Only paths of certificates
 * feel the difference: they are relative to the last ServerRoot.
 */
#include "read.h"

#include <string.h>

const char *apache_line_file(const struct apache_line *line)
{
	if (line->file != NULL)
		return line->file->path;
	return line->use == NULL ? NULL : line->use->file;
}

size_t apache_line_number(const struct apache_line *line)
{
	return line->file != NULL || line->use == NULL ? line->number : line->use->line;
}

int apache_bad_syntax(struct apache_reader *reader, const struct apache_line *line, const char *what)
{
	return certdeploy_refuse(reader->reading, "config-syntax", apache_line_file(line),
				 apache_line_number(line), "%s", what);
}

int apache_check_doubt(struct apache_reader *reader, const struct apache_line *line, size_t at, size_t end)
{
	const struct apache_doubt *doubt =
		apache_doubt_in(reader->model->variables, line->text + at, end - at);

	if (doubt == NULL)
		return 0;
	return certdeploy_refuse(reader->reading, "config-not-understood", apache_line_file(line),
				 apache_line_number(line),
				 _("a variable here has a value that only a shell can tell (%s:%zu)"),
				 doubt->file, doubt->line);
}

int apache_take_words(struct apache_reader *reader, const struct apache_line *line, size_t at,
		      struct apache_words *words)
{
	struct apache_word word;

	*words = (struct apache_words){0};
	while (apache_next_word(line, &at, &word)) {
		if (words->count == APACHE_WORDS_MAX) {
			words->more = true;
			break;
		}
		words->words[words->count] = word;
		words->values[words->count] = apache_word_value(reader->reading, line, &word);
		if (words->values[words->count++] == NULL)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

struct apache_place apache_place_of(const struct apache_line *line)
{
	return (struct apache_place){(uint32_t)line->start, (uint32_t)line->end, line->continued};
}

int apache_not_plain(struct apache_reader *reader, const struct apache_line *line, bool state)
{
	if (reader->model->amending)
		return APACHE_READ_ALL;
	if (line->file != NULL)
		line->file->plain = false;
	if (state)
		reader->model->state++;
	return 0;
}

bool apache_same_name(const char *name, size_t length, const char *other, size_t other_length)
{
	return length == other_length && apache_compare_caseless(name, other, length) == 0;
}

/* ---- the line ---- */

int apache_handle_line(struct apache_reader *reader, struct apache_line *line)
{
	struct apache_word word;
	const char *name;
	size_t at = 0, length;
	int result;

	if (line->length == 0 || line->text[0] == '#')
		return 0;
	if (apache_closes_condition(reader, line))
		return apache_pop_section(reader);
	result = apache_expand(reader->model->variables, &reader->lines, line);
	if (result != 0 || !apache_next_word(line, &at, &word))
		return result;
	name = line->text + word.content;
	length = word.content_length;
	if (apache_is_doubtful(reader->model->variables))
		result = apache_check_doubt(reader, line, word.start, word.end);
	if (result != 0 || length == 0)
		return result;
	if (word.escaped) {
		name = apache_word_value(reader->reading, line, &word);
		if (name == NULL)
			return CERTDEPLOY_ENOMEM;
		length = strlen(name);
	}
	if (length > 1 && name[0] == '<' && name[1] == '/')
		return apache_close_section(reader, line, name, length);
	if (name[length - 1] == '>')
		length--;
	if (reader->host != NULL && !reader->host->of_core)
		reader->host->of_core = apache_is_of_core(name, length);
	if (length > 0 && name[0] == '<')
		return apache_open_section(reader, line, name + 1, length - 1, at);
	return apache_do_directive(reader, line, name, length, &word, at);
}

/* ---- the whole ---- */

/* The words of "-D NAME -DNAME" in a variable that the server's script hands over. */
static int define_arguments(struct apache_model *model, const char *arguments)
{
	int result = 0;

	while (result == 0 && arguments != NULL && *arguments != '\0') {
		const char *name;
		size_t length;

		arguments += strspn(arguments, " \t");
		length = strcspn(arguments, " \t");
		if (length >= 2 && strncmp(arguments, "-D", 2) == 0) {
			if (length == 2) {
				arguments += 2;
				arguments += strspn(arguments, " \t");
				length = strcspn(arguments, " \t");
			} else {
				arguments += 2;
				length -= 2;
			}
			name = certdeploy_copy(model->reading, arguments, length);
			result = name == NULL ? CERTDEPLOY_ENOMEM
					      : apache_define(model->variables, name, NULL);
		}
		arguments += length;
	}
	return result;
}

/*
 * Debian's apache2ctl-NAME tells the envvars of the instance NAME where it lies, and they call its files by
 * that. The server does not see it.
 */
static int read_environment(struct apache_model *model)
{
	static const char instance[] = "/etc/apache2-";
	struct certdeploy_reading *reading = model->reading;
	const char *config = certdeploy_setting(reading, "config"), *slash, *place;
	const char *const *envvars = certdeploy_setting_list(reading, "envvars");
	bool named = config != NULL && strncmp(config, instance, sizeof(instance) - 1) == 0;
	int result = 0;

	slash = named ? strchr(config + sizeof(instance) - 1, '/') : NULL;
	if (slash != NULL) {
		place = certdeploy_copy(reading, config, (size_t)(slash - config));
		result = place == NULL ? CERTDEPLOY_ENOMEM
				       : apache_environment(model->variables, "APACHE_CONFDIR", place);
	}
	for (; result == 0 && envvars != NULL && *envvars != NULL; envvars++)
		result = apache_read_envvars(model->variables, reading, *envvars);
	if (slash != NULL)
		apache_environment_drop(model->variables, "APACHE_CONFDIR");
	return result;
}

static int start_model(struct apache_model *model)
{
	struct certdeploy_reading *reading = model->reading;
	const char *const *defines = certdeploy_setting_list(reading, "defines");
	int result = apache_variables_new(&model->variables, reading);

	if (result == 0)
		result = apache_modules_new(&model->modules, reading);
	if (result == 0)
		result = apache_macros_new(&model->macros, reading);
	if (result == 0)
		result = apache_version_find(&model->version, reading);
	if (result == 0)
		result = read_environment(model);
	for (; result == 0 && defines != NULL && *defines != NULL; defines++)
		result = apache_define(model->variables, *defines, NULL);
	if (result == 0)
		result = define_arguments(model,
					  apache_environment_get(model->variables, "APACHE_ARGUMENTS"));
	if (result != 0)
		return result;
	model->config = certdeploy_setting(reading, "config");
	if (model->config == NULL)
		return certdeploy_refuse(reading, "settings", NULL, 0,
					 _("the service names no configuration file (config)"));
	model->server_root = apache_default_root(reading, model->config);
	return model->server_root == NULL ? CERTDEPLOY_ENOMEM : 0;
}

/* Relative to the ServerRoot that is in force at the end. */
static int resolve_path(struct apache_model *model, const char **path)
{
	if (*path == NULL || strncmp(*path, "pkcs11:", 7) == 0 ||
	    ((*path)[0] == '/' && strstr(*path, "//") == NULL && strstr(*path, "/.") == NULL))
		return 0;
	*path = certdeploy_join(model->reading, model->server_root, *path);
	return *path == NULL ? CERTDEPLOY_ENOMEM : 0;
}

int apache_resolve_refs(struct apache_model *model, struct apache_host *host)
{
	int result = host->confcmd == NULL ? 0 : resolve_path(model, &host->confcmd->certificate);

	if (result == 0 && host->confcmd != NULL)
		result = resolve_path(model, &host->confcmd->key);
	for (struct apache_ref *ref = host->refs; result == 0 && ref != NULL; ref = ref->next)
		result = resolve_path(model, &ref->value);
	return result;
}

int apache_read(struct certdeploy_reading *reading)
{
	const struct certdeploy_reading *before = certdeploy_before(reading);
	int result = before == NULL ? APACHE_READ_ALL : apache_amend(reading, before);
	struct apache_model *model;
	struct apache_reader reader = {.reading = reading};
	struct apache_sysconfig *sysconfig;

	if (result != APACHE_READ_ALL)
		return result;
	model = certdeploy_alloc(reading, sizeof(*model));
	if (model == NULL)
		return CERTDEPLOY_ENOMEM;
	model->reading = reading;
	certdeploy_set_model(reading, model);
	reader.model = model;
	reader.lines.reading = reading;
	reader.lines.budget = APACHE_READ_BUDGET;
	result = start_model(model);
	if (result == 0)
		result = apache_remember_include(model, model->config);
	if (result == 0)
		result = apache_sysconfig_begin(&sysconfig, &reader);
	if (result == 0)
		result = apache_read_file(&reader, model->config);
	if (result == 0)
		result = apache_sysconfig_end(sysconfig);
	if (result == 0)
		result = apache_resolve_refs(model, &model->main);
	for (struct apache_host *host = model->hosts; result == 0 && host != NULL; host = host->next)
		result = apache_resolve_refs(model, host);
	return result != 0 ? result : apache_add_endpoints(model);
}
