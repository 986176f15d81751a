/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysconfig.c - what SUSE's start_apache2 makes of /etc/sysconfig/apache2
 *
 * It hands the server directives beside its configuration file: modules and the name of the main server
 * before it, more files behind it. By SYSCONFIG the configuration file knows that it is not to load
 * modules itself.
 */
#include "read.h"

#include <string.h>

struct apache_sysconfig {
	struct apache_reader *reader;
	struct apache_variables *variables;
	struct apache_use place;
};

static int hand_over(const struct apache_sysconfig *sysconfig, const char *text)
{
	struct apache_line line = {.text = text, .use = &sysconfig->place};

	if (text == NULL)
		return CERTDEPLOY_ENOMEM;
	line.length = strlen(text);
	return apache_handle_line(sysconfig->reader, &line);
}

/* *value NULL: it has none. */
static int take_value(const char **value, const struct apache_sysconfig *sysconfig, const char *name)
{
	const struct apache_doubt *doubt = apache_doubt_of(sysconfig->variables, name);

	*value = apache_environment_get(sysconfig->variables, name);
	if (doubt == NULL)
		return 0;
	return certdeploy_refuse(sysconfig->reader->reading, "config-not-understood", doubt->file,
				 doubt->line,
				 _("a variable here has a value that only a shell can tell (%s:%zu)"),
				 doubt->file, doubt->line);
}

static int load_module(const struct apache_sysconfig *sysconfig, const char *name)
{
	if (strncmp(name, "mod_", 4) == 0)
		name += 4;
	return hand_over(sysconfig, certdeploy_format(sysconfig->reader->reading,
						      "LoadModule %s_module mod_%s.so", name, name));
}

/* What is not there is left out. */
static int include(const struct apache_sysconfig *sysconfig, const char *name)
{
	struct certdeploy_reading *reading = sysconfig->reader->reading;
	const char *path = certdeploy_join(reading, "/etc/apache2", name);
	const char *const *there;
	int result = path == NULL ? CERTDEPLOY_ENOMEM : certdeploy_glob(&there, reading, path);

	if (result != 0 || there[0] == NULL)
		return result;
	return hand_over(sysconfig, certdeploy_format(reading, "Include %s", path));
}

static int for_each_word(const struct apache_sysconfig *sysconfig, const char *name,
			 int (*use)(const struct apache_sysconfig *sysconfig, const char *word))
{
	const char *text;
	int result = take_value(&text, sysconfig, name);

	while (result == 0 && text != NULL && *(text += strspn(text, " \t\n")) != '\0') {
		size_t length = strcspn(text, " \t\n");
		const char *word = certdeploy_copy(sysconfig->reader->reading, text, length);

		result = word == NULL ? CERTDEPLOY_ENOMEM : use(sysconfig, word);
		text += length;
	}
	return result;
}

/* The server is built with one; where it cannot be asked, it is the one that SUSE installs by itself. */
static int assume_mpm(struct apache_modules *modules)
{
	if (apache_module_has(modules, "mpm_prefork") || apache_module_has(modules, "mpm_event") ||
	    apache_module_has(modules, "mpm_worker"))
		return 0;
	return apache_module_load(modules, "mpm_prefork_module", "mod_mpm_prefork.so");
}

int apache_sysconfig_begin(struct apache_sysconfig **out, struct apache_reader *reader)
{
	const char *path = apache_sysconfig_path(reader->reading, reader->model->config), *name;
	struct apache_sysconfig *sysconfig;
	int result;

	*out = NULL;
	if (path == NULL)
		return 0;
	result = assume_mpm(reader->model->modules);
	if (result != 0 || certdeploy_file_type(reader->reading, path) != CERTDEPLOY_FILE_REGULAR)
		return result;
	sysconfig = certdeploy_alloc(reader->reading, sizeof(*sysconfig));
	if (sysconfig == NULL)
		return CERTDEPLOY_ENOMEM;
	*sysconfig = (struct apache_sysconfig){.reader = reader, .place = {path, 0}};
	result = apache_variables_new(&sysconfig->variables, reader->reading);
	if (result == 0)
		result = apache_read_envvars(sysconfig->variables, reader->reading, path);
	if (result == 0)
		result = apache_define(reader->model->variables, "SYSCONFIG", NULL);
	if (result == 0)
		result = hand_over(sysconfig, "PidFile /run/httpd.pid");
	if (result == 0)
		result = for_each_word(sysconfig, "APACHE_MODULES", load_module);
	if (result == 0)
		result = take_value(&name, sysconfig, "APACHE_SERVERNAME");
	if (result == 0 && name != NULL && *name != '\0')
		result = hand_over(sysconfig, certdeploy_format(reader->reading, "ServerName %s", name));
	*out = sysconfig;
	return result;
}

int apache_sysconfig_end(const struct apache_sysconfig *sysconfig)
{
	int result = sysconfig == NULL ? 0 : for_each_word(sysconfig, "APACHE_CONF_INCLUDE_FILES", include);

	if (result == 0 && sysconfig != NULL)
		result = for_each_word(sysconfig, "APACHE_CONF_INCLUDE_DIRS", include);
	return result;
}
