/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layouts.c - where distributions put things and how they control the server
 */
#include "adapter.h"

#include <string.h>

struct layout {
	const char *config;
	const char *marker; /* a file that tells it from a later one with the same configuration, or NULL */
	const char *server_root;
	const char *envvars;       /* shell file with the environment, a pattern, or NULL */
	const char *flags;         /* shell file with -D flags, or NULL … */
	const char *flags_name[2]; /* … and the variables that may hold them */
	const char *pid_file;
	const char *service; /* of the init system; NULL: the binary controls itself */
	const char *binaries[4];
};

/* Names of definitions, without -D. */
#define SUSE_FLAGS "APACHE_SERVER_FLAGS"

static const char suse_script[] = "/usr/sbin/start_apache2";

static const struct layout layouts[] = {
	{"/etc/apache2/apache2.conf",
	 NULL,
	 "/etc/apache2",
	 "/etc/apache2/envvars",
	 NULL,
	 {NULL},
	 "/var/run/apache2/apache2.pid",
	 "apache2",
	 {"/usr/sbin/apache2", NULL}},
	{"/etc/httpd/conf/httpd.conf",
	 NULL,
	 "/etc/httpd",
	 NULL,
	 "/etc/sysconfig/httpd",
	 {"OPTIONS"},
	 "/run/httpd/httpd.pid",
	 "httpd",
	 {"/usr/sbin/httpd", "/usr/bin/httpd", NULL}},
	/* Alpine and Gentoo, and in the same place SUSE. */
	{"/etc/apache2/httpd.conf",
	 "/etc/conf.d/apache2",
	 "/var/www",
	 NULL,
	 "/etc/conf.d/apache2",
	 {"HTTPD_OPTS", "APACHE2_OPTS"},
	 "/run/apache2/httpd.pid",
	 "apache2",
	 {"/usr/sbin/httpd", "/usr/sbin/apache2", NULL}},
	{"/etc/apache2/httpd.conf",
	 NULL,
	 "/usr",
	 NULL,
	 "/etc/sysconfig/apache2",
	 {SUSE_FLAGS},
	 "/run/httpd.pid",
	 "apache2",
	 {"/usr/sbin/httpd-prefork", "/usr/sbin/httpd-event", "/usr/sbin/httpd", NULL}},
	{"/usr/local/etc/apache24/httpd.conf",
	 NULL,
	 "/usr/local",
	 "/usr/local/etc/apache24/envvars.d/*.env",
	 "/etc/rc.conf",
	 {"apache24_flags"},
	 "/var/run/httpd.pid",
	 "apache24",
	 {"/usr/local/sbin/httpd", NULL}},
	/* As httpd's own sources install it, and its container. */
	{.config = "/usr/local/apache2/conf/httpd.conf",
	 .server_root = "/usr/local/apache2",
	 .envvars = "/usr/local/apache2/bin/envvars",
	 .pid_file = "/usr/local/apache2/logs/httpd.pid",
	 .binaries = {"/usr/local/apache2/bin/httpd"}},
	{.config = "/opt/bitnami/apache/conf/httpd.conf",
	 .server_root = "/opt/bitnami/apache",
	 .pid_file = "/opt/bitnami/apache/var/run/httpd.pid",
	 .binaries = {"/opt/bitnami/apache/bin/httpd"}},
	/* cPanel, CWP, aaPanel. */
	{.config = "/etc/apache2/conf/httpd.conf",
	 .server_root = "/etc/apache2",
	 .flags = "/etc/sysconfig/httpd",
	 .flags_name = {"OPTIONS"},
	 .pid_file = "/run/apache2/httpd.pid",
	 .service = "httpd",
	 .binaries = {"/usr/sbin/httpd"}},
	{.config = "/usr/local/apache/conf/httpd.conf",
	 .server_root = "/usr/local/apache",
	 .pid_file = "/usr/local/apache/logs/httpd.pid",
	 .service = "httpd",
	 .binaries = {"/usr/local/apache/bin/httpd"}},
	{.config = "/www/server/apache/conf/httpd.conf",
	 .server_root = "/www/server/apache",
	 .pid_file = "/www/server/apache/logs/httpd.pid",
	 .binaries = {"/www/server/apache/bin/httpd"}},
};

static const struct layout *layout_of(struct certdeploy_reading *reading, const char *config)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++)
		if (config != NULL && strcmp(config, layouts[i].config) == 0 &&
		    (layouts[i].marker == NULL ||
		     certdeploy_file_type(reading, layouts[i].marker) == CERTDEPLOY_FILE_REGULAR))
			return &layouts[i];
	return NULL;
}

const char *apache_default_root(struct certdeploy_reading *reading, const char *config)
{
	const char *root = certdeploy_setting(reading, "server_root");
	const struct layout *layout = layout_of(reading, config);
	const char *slash;

	if (root == NULL)
		root = apache_compiled_in(reading, "HTTPD_ROOT");
	if (root == NULL && layout != NULL)
		root = layout->server_root;
	if (root != NULL)
		return root;
	slash = strrchr(config, '/');
	return slash == NULL || slash == config
		       ? "/"
		       : certdeploy_copy(reading, config, (size_t)(slash - config));
}

/* ---- finding ---- */

#define FLAGS_MAX 64

/* -D NAME and -DNAME of a word list. SUSE's flags are names without -D. */
static int take_flags(struct certdeploy_reading *reading, const char *text, bool bare, const char **defines,
		      size_t *count)
{
	bool next = false;

	while (text != NULL && *text != '\0' && *count < FLAGS_MAX) {
		const char *word;
		size_t length;

		text += strspn(text, " \t\n");
		length = strcspn(text, " \t\n");
		if (length == 0)
			break;
		word = certdeploy_copy(reading, text, length);
		if (word == NULL)
			return CERTDEPLOY_ENOMEM;
		text += length;
		if (next || (bare && word[0] != '-'))
			defines[(*count)++] = word;
		else if (strncmp(word, "-D", 2) == 0 && word[2] != '\0')
			defines[(*count)++] = word + 2;
		next = strcmp(word, "-D") == 0;
	}
	return 0;
}

static bool is_suse(const struct layout *layout)
{
	return layout->flags_name[0] != NULL && strcmp(layout->flags_name[0], SUSE_FLAGS) == 0;
}

const char *apache_sysconfig_path(struct certdeploy_reading *reading, const char *config)
{
	const struct layout *layout = layout_of(reading, config);

	return layout != NULL && is_suse(layout) ? layout->flags : NULL;
}

static int find_flags(struct certdeploy_reading *reading, const struct layout *layout, const char **defines)
{
	const size_t names = sizeof(layout->flags_name) / sizeof(*layout->flags_name);
	struct apache_variables *variables;
	size_t count = 0;
	int result;

	if (layout->flags == NULL ||
	    certdeploy_file_type(reading, layout->flags) != CERTDEPLOY_FILE_REGULAR)
		return 0;
	result = apache_variables_new(&variables, reading);
	if (result == 0)
		result = apache_read_envvars(variables, reading, layout->flags);
	for (size_t i = 0; result == 0 && i < names && layout->flags_name[i] != NULL; i++)
		result = take_flags(reading, apache_environment_get(variables, layout->flags_name[i]),
				    is_suse(layout), defines, &count);
	return result;
}

static int found(struct certdeploy_reading *reading, struct certdeploy_finder *finder,
		 const struct layout *layout)
{
	const char *defines[FLAGS_MAX + 1] = {NULL};
	const char *name[] = {"apache", NULL}, *config[] = {layout->config, NULL};
	const char *root[] = {layout->server_root, NULL};
	const char *binary[] = {NULL, NULL};
	const char *const *envvars = NULL;
	struct certdeploy_setting_value settings[8] = {{"name", name}, {"config", config}};
	size_t count = 2;
	int result = find_flags(reading, layout, defines);

	if (result != 0)
		return result;
	for (size_t i = 0; binary[0] == NULL && layout->binaries[i] != NULL; i++)
		if (certdeploy_file_type(reading, layout->binaries[i]) == CERTDEPLOY_FILE_REGULAR)
			binary[0] = layout->binaries[i];
	if (binary[0] != NULL)
		settings[count++] = (struct certdeploy_setting_value){"binary", binary};
	/* The binary knows its ServerRoot itself, where it can be asked. */
	if (binary[0] == NULL || !certdeploy_is_live(reading))
		settings[count++] = (struct certdeploy_setting_value){"server_root", root};
	if (layout->envvars != NULL)
		result = certdeploy_glob(&envvars, reading, layout->envvars);
	if (result != 0)
		return result;
	if (envvars != NULL && envvars[0] != NULL)
		settings[count++] = (struct certdeploy_setting_value){"envvars", envvars};
	if (defines[0] != NULL)
		settings[count++] = (struct certdeploy_setting_value){"defines", defines};
	settings[count] = (struct certdeploy_setting_value){NULL, NULL};
	return certdeploy_found(finder, settings);
}

/* Whether the configuration files of both stand in one directory. */
static bool is_beside(const struct layout *one, const struct layout *other)
{
	size_t length = (size_t)(strrchr(one->config, '/') - one->config) + 1;

	return strncmp(one->config, other->config, length) == 0 &&
	       strchr(other->config + length, '/') == NULL;
}

int apache_find(struct certdeploy_reading *reading, struct certdeploy_finder *finder)
{
	bool debian = certdeploy_file_type(reading, layouts[0].config) == CERTDEPLOY_FILE_REGULAR;
	int result = 0;

	/* Beside Debian's own file httpd.conf is what an old release left there, for it to include. */
	for (size_t i = 0; result == 0 && i < sizeof(layouts) / sizeof(*layouts); i++)
		if (layout_of(reading, layouts[i].config) == &layouts[i] &&
		    (!debian || i == 0 || !is_beside(&layouts[i], &layouts[0])) &&
		    certdeploy_file_type(reading, layouts[i].config) == CERTDEPLOY_FILE_REGULAR)
			result = found(reading, finder, &layouts[i]);
	return result;
}

/* ---- control ---- */

static bool is_there(struct certdeploy_reading *reading, const char *path)
{
	return certdeploy_file_type(reading, path) != CERTDEPLOY_FILE_ABSENT;
}

static const char *binary_of(struct certdeploy_reading *reading, const struct layout *layout)
{
	const char *binary = certdeploy_setting(reading, "binary");

	for (size_t i = 0; binary == NULL && layout != NULL && layout->binaries[i] != NULL; i++)
		if (is_there(reading, layout->binaries[i]))
			binary = layout->binaries[i];
	return binary;
}

/* The binary itself with this service's configuration: -t, or -k WORD. */
static int by_binary(struct certdeploy_reading *reading, const char *binary, const char *option,
		     const char *word, const char *const **argv)
{
	const struct apache_model *model = certdeploy_model(reading);
	const char *const *defines = certdeploy_setting_list(reading, "defines");
	size_t count = 0, used = 0;
	const char **list;

	while (defines != NULL && defines[count] != NULL)
		count++;
	list = certdeploy_alloc(reading, (2 * count + 8) * sizeof(*list));
	if (list == NULL)
		return CERTDEPLOY_ENOMEM;
	list[used++] = binary;
	list[used++] = "-d";
	list[used++] = apache_default_root(reading, model->config);
	list[used++] = "-f";
	list[used++] = model->config;
	for (size_t i = 0; i < count; i++) {
		list[used++] = "-D";
		list[used++] = defines[i];
	}
	list[used++] = option;
	if (word != NULL)
		list[used++] = word;
	list[used] = NULL;
	*argv = list;
	return list[2] == NULL ? CERTDEPLOY_ENOMEM : 0;
}

/* SUSE's start script, which makes the directives that the server is handed anew: -t, or -k WORD. */
static int by_script(struct certdeploy_reading *reading, const char *option, const char *word,
		     const char *const **argv)
{
	const char **list = certdeploy_alloc(reading, 4 * sizeof(*list));

	if (list == NULL)
		return CERTDEPLOY_ENOMEM;
	list[0] = suse_script;
	list[1] = option;
	list[2] = word;
	*argv = list;
	return 0;
}

static int by_init(struct certdeploy_reading *reading, const struct layout *layout, const char *word,
		   const char *const **argv)
{
	const char **list = certdeploy_alloc(reading, 4 * sizeof(*list));

	if (list == NULL)
		return CERTDEPLOY_ENOMEM;
	if (layout->service == NULL)
		return 0;
	if (is_there(reading, "/run/systemd/system")) {
		list[0] = "systemctl";
		list[1] = word;
		list[2] = layout->service;
	} else if (is_there(reading, "/run/openrc")) {
		list[0] = "rc-service";
		list[1] = layout->service;
		list[2] = word;
	} else if (strcmp(layout->service, "apache24") == 0) {
		list[0] = "service";
		list[1] = layout->service;
		list[2] = strcmp(word, "reload") == 0 ? "graceful" : word;
	} else {
		return 0;
	}
	*argv = list;
	return 0;
}

int apache_command(struct certdeploy_reading *reading, enum certdeploy_action action,
		   const char *const **argv)
{
	static const char *const words[] = {[CERTDEPLOY_ACTION_RELOAD] = "reload",
					    [CERTDEPLOY_ACTION_RESTART] = "restart",
					    [CERTDEPLOY_ACTION_START] = "start",
					    [CERTDEPLOY_ACTION_STOP] = "stop"};
	const struct apache_model *model = certdeploy_model(reading);
	const struct layout *layout = layout_of(reading, model->config);
	const char *binary = binary_of(reading, layout);
	const char *word = action == CERTDEPLOY_ACTION_RELOAD ? "graceful" : words[action];
	int result = 0;

	*argv = NULL;
	if (!certdeploy_is_live(reading))
		return 0;
	if (action != CERTDEPLOY_ACTION_TEST && layout != NULL)
		result = by_init(reading, layout, words[action], argv);
	if (result != 0 || *argv != NULL || binary == NULL)
		return result;
	if (layout != NULL && is_suse(layout) && is_there(reading, suse_script))
		return by_script(reading, word == NULL ? "-t" : "-k", word, argv);
	return by_binary(reading, binary, word == NULL ? "-t" : "-k", word, argv);
}

/* What virtual hosts have that nothing reaches: httpd loads it with all the rest. */
static int list_loaded(struct certdeploy_reading *reading, struct certdeploy_daemon *daemon)
{
	const struct apache_model *model = certdeploy_model(reading);
	struct certdeploy_pair *pairs;
	size_t count = 0;

	for (const struct apache_host *host = model->hosts; host != NULL; host = host->next)
		count += host->tls && !host->live ? host->pair_count : 0;
	if (count == 0)
		return 0;
	pairs = certdeploy_alloc(reading, count * sizeof(*pairs));
	if (pairs == NULL)
		return CERTDEPLOY_ENOMEM;
	daemon->loaded = pairs;
	daemon->loaded_count = count;
	for (const struct apache_host *host = model->hosts; host != NULL; host = host->next)
		for (size_t i = 0; host->tls && !host->live && i < host->pair_count; i++)
			*pairs++ = host->pairs[i];
	return 0;
}

int apache_daemon(struct certdeploy_reading *reading, struct certdeploy_daemon *daemon)
{
	static const char *const programs[] = {"apache2",      "httpd",       "httpd-prefork",
					       "httpd-worker", "httpd-event", NULL};
	struct apache_model *model = certdeploy_model(reading);
	const struct layout *layout = layout_of(reading, model->config);
	const char *pid_file = model->pid_file;

	if (pid_file == NULL)
		pid_file = apache_compiled_in(reading, "DEFAULT_PIDLOG");
	if (pid_file == NULL)
		pid_file = layout != NULL ? layout->pid_file : "logs/httpd.pid";
	/* Of 2.4 it is relative to ServerRoot, whatever DefaultRuntimeDir says. */
	daemon->pid_file = certdeploy_join(reading, model->server_root, pid_file);
	daemon->programs = programs;
	daemon->ends_on_bad_pair = true;
	daemon->asks_program = model->asks_program;
	daemon->own_security_level = model->security_level;
	daemon->environment = apache_environment_list(model->variables);
	if (daemon->pid_file == NULL || daemon->environment == NULL)
		return CERTDEPLOY_ENOMEM;
	return list_loaded(reading, daemon);
}
