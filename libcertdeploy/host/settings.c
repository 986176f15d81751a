/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.c - certdeploy.conf, in libconfig's syntax */
#include "host/settings.h"

#include "base/file.h"
#include "base/hostname.h"
#include "base/text.h"
#include "host/reading.h"

#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTINGS_LIMIT ((size_t)1 << 20)
#define DEFAULT_FILE CD_SYSCONFDIR "/certdeploy/certdeploy.conf"
#define DEFAULT_STORE "/etc/ssl/certdeploy"
#define REDHAT_STORE "/etc/pki/tls/certdeploy"
#define DEFAULT_STATE "/var/lib/certdeploy"
#define DEFAULT_KEEP 10
#define DEFAULT_WATCH 2500
#define MOST_SECONDS 3600

struct loading {
	struct cd_settings *settings;
	struct cd_arena *arena;
	struct cd_problems *problems;
};

static int refuse(const struct loading *loading, const config_setting_t *setting, const char *message)
{
	const char *name = config_setting_name(setting);

	if (name == NULL) /* an element of a list */
		name = config_setting_name(config_setting_parent(setting));
	return cd_fail(loading->problems, CERTDEPLOY_EREFUSED, "settings", loading->settings->file,
		       (size_t)config_setting_source_line(setting), "%s: %s", name == NULL ? "-" : name,
		       message);
}

/* A scalar as text. */
static char *text_of(const struct loading *loading, const config_setting_t *setting)
{
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_STRING:
		return cd_arena_string(loading->arena, config_setting_get_string(setting));
	case CONFIG_TYPE_INT:
		return cd_arena_format(loading->arena, "%d", config_setting_get_int(setting));
	case CONFIG_TYPE_INT64:
		return cd_arena_format(loading->arena, "%lld", config_setting_get_int64(setting));
	case CONFIG_TYPE_BOOL:
		return cd_arena_string(loading->arena, config_setting_get_bool(setting) ? "1" : "0");
	default:
		return NULL;
	}
}

static bool is_scalar(const config_setting_t *setting)
{
	int type = config_setting_type(setting);

	return type == CONFIG_TYPE_STRING || type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64 ||
	       type == CONFIG_TYPE_BOOL;
}

static int read_string(const struct loading *loading, const config_setting_t *setting, const char **out)
{
	if (config_setting_type(setting) != CONFIG_TYPE_STRING)
		return refuse(loading, setting, _("a string in double quotes is expected"));
	*out = text_of(loading, setting);
	return *out == NULL ? cd_fail_memory(loading->problems) : 0;
}

static int read_path(const struct loading *loading, const config_setting_t *setting, const char **out)
{
	int result = read_string(loading, setting, out);

	if (result == 0 && (*out)[0] != '/')
		return refuse(loading, setting, _("an absolute path is expected"));
	return result == 0 ? cd_check_path(loading->problems, *out) : result;
}

static int read_number(const struct loading *loading, const config_setting_t *setting, int least, int most,
		       unsigned *out)
{
	int value = config_setting_get_int(setting);
	const char *wanted;

	if (config_setting_type(setting) != CONFIG_TYPE_INT || value < least || value > most) {
		wanted = cd_arena_format(loading->arena, _("a number from %d to %d is expected"), least,
					 most);
		return wanted == NULL ? cd_fail_memory(loading->problems)
				      : refuse(loading, setting, wanted);
	}
	*out = (unsigned)value;
	return 0;
}

/* A value of a service: a scalar or a list of scalars becomes a list of strings. */
static int read_values(const struct loading *loading, const config_setting_t *setting, struct cd_vector *to)
{
	int count = is_scalar(setting) ? 1 : config_setting_length(setting);
	struct cd_setting *value = cd_arena_alloc(loading->arena, sizeof(*value));
	const char **list = cd_arena_array(loading->arena, (size_t)count + 1, sizeof(*list));

	if (value == NULL || list == NULL)
		return cd_fail_memory(loading->problems);
	/* 2.4 without its quotes is a float: as an empty list it would count as not set. */
	if (!is_scalar(setting) && !config_setting_is_list(setting) && !config_setting_is_array(setting))
		return refuse(loading, setting, _("a string or a list of strings is expected"));
	for (int i = 0; i < count; i++) {
		const config_setting_t *item =
			is_scalar(setting) ? setting : config_setting_get_elem(setting, (unsigned)i);

		if (!is_scalar(item))
			return refuse(loading, setting, _("a string or a list of strings is expected"));
		list[i] = text_of(loading, item);
		if (list[i] == NULL)
			return cd_fail_memory(loading->problems);
	}
	value->key = cd_arena_string(loading->arena, config_setting_name(setting));
	value->values = (const char *const *)list;
	value->line = (size_t)config_setting_source_line(setting);
	if (value->key == NULL || cd_vector_add(to, value) != 0)
		return cd_fail_memory(loading->problems);
	return 0;
}

/* No name service is asked where a certificate is to be proven. */
static int read_address(const struct loading *loading, const config_setting_t *setting, const char **out)
{
	int result = read_string(loading, setting, out);

	return result == 0 && !cd_is_address(*out)
		       ? refuse(loading, setting, _("an IP address is expected"))
		       : result;
}

static int read_probe(const struct loading *loading, const config_setting_t *group, struct cd_vector *to)
{
	struct cd_probe_setting *probe = cd_arena_alloc(loading->arena, sizeof(*probe));
	int count = config_setting_length(group), result = 0;
	unsigned port = 0;

	if (probe == NULL)
		return cd_fail_memory(loading->problems);
	if (config_setting_type(group) != CONFIG_TYPE_GROUP)
		return refuse(loading, group, _("groups of protocol, address and port are expected"));
	for (int i = 0; result == 0 && i < count; i++) {
		const config_setting_t *item = config_setting_get_elem(group, (unsigned)i);
		const char *name = config_setting_name(item);

		if (strcmp(name, "protocol") == 0)
			result = read_string(loading, item, &probe->protocol);
		else if (strcmp(name, "address") == 0)
			result = read_address(loading, item, &probe->address);
		else if (strcmp(name, "port") == 0)
			result = read_number(loading, item, 1, 65535, &port);
		else
			result = refuse(loading, item, _("no such setting"));
	}
	if (result == 0 && (port == 0 || probe->protocol == NULL))
		result = refuse(loading, group, _("groups of protocol, address and port are expected"));
	probe->port = (uint16_t)port;
	if (result == 0 && cd_vector_add(to, probe) != 0)
		result = cd_fail_memory(loading->problems);
	return result;
}

static int read_probes(const struct loading *loading, const config_setting_t *setting, struct cd_vector *to)
{
	int result = 0;

	if (config_setting_type(setting) != CONFIG_TYPE_LIST)
		return refuse(loading, setting, _("a list of groups is expected"));
	for (int i = 0; result == 0 && i < config_setting_length(setting); i++)
		result = read_probe(loading, config_setting_get_elem(setting, (unsigned)i), to);
	return result;
}

/* What cannot be run or found is told here, and not when the files are in place. */
static int read_value(const struct loading *loading, const config_setting_t *setting, struct cd_vector *to)
{
	static const char *const commands[] = {"test", "reload", "restart", "start",
					       "stop", "status", NULL};
	static const char *const paths[] = {"config", "pid_file", NULL};
	int result = read_values(loading, setting, to);
	const struct cd_setting *value = result == 0 ? to->items[to->count - 1] : NULL;

	if (value == NULL || value->values[0] == NULL)
		return result;
	if (cd_in_list(commands, value->key) && value->values[0][0] == '\0')
		return refuse(loading, setting, _("a program and its arguments are expected"));
	if (cd_in_list(paths, value->key) && value->values[0][0] != '/')
		return refuse(loading, setting, _("an absolute path is expected"));
	return 0;
}

static bool is_word(const char *name)
{
	const char *at = name;

	while ((unsigned char)*at > ' ' && *at != 0x7f)
		at++;
	return at != name && *at == '\0';
}

static int read_service(const struct loading *loading, const config_setting_t *group)
{
	struct cd_service_settings *service = cd_arena_alloc(loading->arena, sizeof(*service));
	int result = 0;

	if (service == NULL || cd_vector_add(&loading->settings->services, service) != 0)
		return cd_fail_memory(loading->problems);
	if (config_setting_type(group) != CONFIG_TYPE_GROUP)
		return refuse(loading, group, _("a group is expected for each service"));
	service->line = (size_t)config_setting_source_line(group);
	for (int i = 0; result == 0 && i < config_setting_length(group); i++) {
		const config_setting_t *item = config_setting_get_elem(group, (unsigned)i);
		const char *name = config_setting_name(item);

		if (strcmp(name, "name") == 0)
			result = read_string(loading, item, &service->name);
		else if (strcmp(name, "adapter") == 0)
			result = read_string(loading, item, &service->adapter);
		else if (strcmp(name, "timeout") == 0)
			result = read_number(loading, item, 1, MOST_SECONDS, &service->timeout);
		else if (strcmp(name, "probe") == 0)
			result = read_probes(loading, item, &service->probes);
		else
			result = read_value(loading, item, &service->values);
	}
	if (result == 0 && service->adapter == NULL)
		service->adapter = service->name;
	if (result == 0 && service->name == NULL)
		service->name = service->adapter;
	if (result == 0 && service->name == NULL)
		result = refuse(loading, group, _("a service needs a name and an adapter"));
	if (result == 0 && !is_word(service->name))
		result = refuse(loading, group, _("the name of a service is one word"));
	for (size_t i = 0; result == 0 && i + 1 < loading->settings->services.count; i++) {
		const struct cd_service_settings *other = loading->settings->services.items[i];

		if (strcmp(other->name, service->name) == 0)
			result = refuse(loading, group, _("two services have the same name"));
	}
	return result;
}

static int read_backup_style(const struct loading *loading, const config_setting_t *setting)
{
	const char *style = NULL;
	int result = read_string(loading, setting, &style);

	if (result != 0)
		return result;
	loading->settings->backup_beside = strcmp(style, "beside") == 0;
	if (!loading->settings->backup_beside && strcmp(style, "directory") != 0)
		return refuse(loading, setting, _("\"directory\" or \"beside\" is expected"));
	return 0;
}

static int read_bool(const struct loading *loading, const config_setting_t *setting, bool *out)
{
	if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
		return refuse(loading, setting, _("true or false is expected"));
	*out = config_setting_get_bool(setting) == CONFIG_TRUE;
	return 0;
}

/* A string or several, as one list. */
static int read_list(const struct loading *loading, const config_setting_t *setting,
		     const char *const **out)
{
	struct cd_vector values = {0};
	int result = read_values(loading, setting, &values);

	if (result == 0)
		*out = ((const struct cd_setting *)values.items[0])->values;
	cd_vector_free(&values);
	return result;
}

static int read_required(const struct loading *loading, const config_setting_t *setting,
			 struct cd_profile *profile)
{
	static const char *const fields[] = {"organization", "unit",   "locality", "state",
					     "country",      "e-mail", NULL};
	int result = read_list(loading, setting, &profile->required);

	for (const char *const *field = profile->required; result == 0 && *field != NULL; field++)
		if (!cd_in_list(fields, *field))
			result = refuse(
				loading, setting,
				_("organization, unit, locality, state, country or e-mail is expected"));
	return result;
}

static int read_profile(const struct loading *loading, const config_setting_t *group)
{
	struct cd_profile *profile = cd_arena_alloc(loading->arena, sizeof(*profile));
	int result = 0;

	if (profile == NULL || cd_vector_add(&loading->settings->profiles, profile) != 0)
		return cd_fail_memory(loading->problems);
	if (config_setting_type(group) != CONFIG_TYPE_GROUP)
		return refuse(loading, group, _("a group is expected for each profile"));
	profile->addresses = true;
	for (int i = 0; result == 0 && i < config_setting_length(group); i++) {
		const config_setting_t *item = config_setting_get_elem(group, (unsigned)i);
		const char *name = config_setting_name(item);

		if (strcmp(name, "name") == 0)
			result = read_string(loading, item, &profile->name);
		else if (strcmp(name, "strict") == 0)
			result = read_bool(loading, item, &profile->strict);
		else if (strcmp(name, "addresses") == 0)
			result = read_bool(loading, item, &profile->addresses);
		else if (strcmp(name, "required") == 0)
			result = read_required(loading, item, profile);
		else
			result = refuse(loading, item, _("no such setting"));
	}
	if (result == 0 && profile->name == NULL)
		result = refuse(loading, group, _("a profile needs a name"));
	return result;
}

static int read_groups(const struct loading *loading, const config_setting_t *setting,
		       int (*read)(const struct loading *, const config_setting_t *))
{
	int result = 0;

	if (config_setting_type(setting) != CONFIG_TYPE_LIST)
		return refuse(loading, setting, _("a list of groups is expected"));
	for (int i = 0; result == 0 && i < config_setting_length(setting); i++)
		result = read(loading, config_setting_get_elem(setting, (unsigned)i));
	return result;
}

static int read_setting(const struct loading *loading, const config_setting_t *setting)
{
	struct cd_settings *settings = loading->settings;
	const char *name = config_setting_name(setting);

	if (strcmp(name, "store") == 0)
		return read_path(loading, setting, &settings->store);
	if (strcmp(name, "state") == 0)
		return read_path(loading, setting, &settings->state);
	if (strcmp(name, "chain_directory") == 0)
		return read_path(loading, setting, &settings->chain_directory);
	if (strcmp(name, "backup_style") == 0)
		return read_backup_style(loading, setting);
	if (strcmp(name, "syslog") == 0)
		return read_bool(loading, setting, &settings->syslog);
	if (strcmp(name, "keep") == 0)
		return read_number(loading, setting, 1, 100000, &settings->keep);
	if (strcmp(name, "watch") == 0)
		return read_number(loading, setting, 0, MOST_SECONDS * 1000, &settings->watch);
	if (strcmp(name, "permissions") == 0)
		return read_list(loading, setting, &settings->permissions);
	if (strcmp(name, "fetch_private") == 0)
		return read_bool(loading, setting, &settings->fetch_private);
	if (strcmp(name, "profile") == 0)
		return read_string(loading, setting, &settings->profile);
	if (strcmp(name, "profiles") == 0)
		return read_groups(loading, setting, read_profile);
	if (strcmp(name, "services") != 0)
		return refuse(loading, setting, _("no such setting"));
	settings->search = false;
	return read_groups(loading, setting, read_service);
}

/*
 * Where a line asks for another file; 0: nowhere. libconfig would read that from whatever directory we
 * were started in, and nobody would look at who may change it.
 */
static size_t line_of_include(const char *text)
{
	size_t line = 1;

	for (const char *at = text; *at != '\0'; line++) {
		const char *word = at + strspn(at, " \t");

		if (strncmp(word, "@include", strlen("@include")) == 0)
			return line;
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	return 0;
}

static int parse(const struct loading *loading, const char *text)
{
	size_t include = line_of_include(text);
	const config_setting_t *top;
	config_t config;
	int result = 0;

	if (include != 0)
		return cd_fail(loading->problems, CERTDEPLOY_EREFUSED, "settings", loading->settings->file,
			       include, _("@include is not taken: everything stands in one file"));
	config_init(&config);
	if (config_read_string(&config, text) != CONFIG_TRUE)
		result =
			cd_fail(loading->problems, CERTDEPLOY_EREFUSED, "settings", loading->settings->file,
				(size_t)config_error_line(&config), "%s", config_error_text(&config));
	top = result == 0 ? config_root_setting(&config) : NULL;
	for (int i = 0; top != NULL && result == 0 && i < config_setting_length(top); i++)
		result = read_setting(loading, config_setting_get_elem(top, (unsigned)i));
	config_destroy(&config);
	return result;
}

/* The path in `= "PATH"`, or NULL. */
static const char *quoted_path(const struct loading *loading, const char *at)
{
	static const char blank[] = " \t";
	struct cd_problems ignored = {0};
	const char *path = NULL;
	size_t length = 0;

	at += strspn(at, blank);
	if (*at == '=' || *at == ':') {
		at += 1 + strspn(at + 1, blank);
		length = *at == '"' ? strcspn(at + 1, "\"\\\n") : 0;
	}
	if (length != 0 && at[1 + length] == '"')
		path = cd_arena_copy(loading->arena, at + 1, length);
	if (path != NULL && cd_check_path(&ignored, path) != 0)
		path = NULL;
	cd_problems_free(&ignored);
	return path;
}

/*
 * A file with an error in it still says where the state is: what an interrupted run left must be found
 * also then.
 */
static void salvage_state(const struct loading *loading, const char *text)
{
	static const char name[] = "state";

	for (const char *at = text; (at = strstr(at, name)) != NULL; at += sizeof(name) - 1) {
		const char *line = at, *path;

		while (line > text && line[-1] != '\n')
			line--;
		line += strspn(line, " \t");
		if (*line == '#' || strncmp(line, "//", 2) == 0 ||
		    (at > line && strchr(" \t;", at[-1]) == NULL))
			continue;
		path = quoted_path(loading, at + sizeof(name) - 1);
		if (path != NULL)
			loading->settings->state = path;
	}
}

/* Commands stand in it: whoever can change the file is root. */
static int read_trusted(char **text, const struct loading *loading, const struct cd_root *root,
			const char *path)
{
	struct cd_place place;
	size_t length = 0;
	int fd, error, result = cd_place_find(&place, loading->problems, root, path, CD_TRUST_CHECK);

	*text = NULL;
	if (result != 0)
		return result;
	fd = openat(place.directory, place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	error = fd == -1 ? errno : cd_read_fd(text, &length, NULL, fd, SETTINGS_LIMIT);
	if (fd != -1)
		(void)close(fd);
	cd_place_close(&place);
	if (error == EISDIR || error == EINVAL || error == EFBIG)
		return cd_fail(loading->problems, CERTDEPLOY_EREFUSED, "settings", path, 0,
			       _("not a configuration file"));
	if (error != 0 || *text == NULL)
		return cd_fail_errno(loading->problems, error, path, _("cannot read the configuration"));
	if (strlen(*text) == length)
		return 0;
	free(*text);
	*text = NULL;
	return cd_fail(loading->problems, CERTDEPLOY_EREFUSED, "settings", path, 0,
		       _("the file holds a NUL"));
}

static int read_file(const struct loading *loading, const char *file, const char *root_path)
{
	struct cd_root root;
	struct stat status;
	char *text = NULL, *real = NULL;
	bool given = file != NULL;
	int result = cd_root_open(&root, loading->problems, given ? NULL : root_path), fd;

	if (result != 0)
		return result;
	if (given) {
		real = realpath(file, NULL);
		if (real == NULL)
			result = cd_fail_errno(loading->problems, errno, file,
					       _("cannot read the configuration"));
	} else {
		fd = cd_open(&root, DEFAULT_FILE, O_PATH);
		if (fd == -1 || fstat(fd, &status) == -1)
			file = NULL;
		else
			file = DEFAULT_FILE;
		if (fd != -1)
			(void)close(fd);
	}
	if (result == 0 && file != NULL) {
		loading->settings->file = cd_arena_string(loading->arena, file);
		result = read_trusted(&text, loading, &root, real == NULL ? file : real);
	}
	if (result == 0 && text != NULL) {
		result = parse(loading, text);
		if (result != 0)
			salvage_state(loading, text);
	}
	free(text);
	free(real);
	cd_root_close(&root);
	return result;
}

static const char *default_store(const char *root_path, struct cd_problems *problems)
{
	const char *store = DEFAULT_STORE;
	struct cd_root root;
	int fd;

	if (cd_root_open(&root, problems, root_path) != 0)
		return store;
	/* There files inherit the SELinux type that servers may read. */
	fd = cd_open(&root, "/etc/pki/tls", O_PATH | O_DIRECTORY);
	if (fd != -1) {
		store = REDHAT_STORE;
		(void)close(fd);
	}
	cd_root_close(&root);
	return store;
}

int cd_settings_load(struct cd_settings *settings, struct cd_arena *arena, struct cd_problems *problems,
		     const char *file, const char *root)
{
	struct loading loading = {settings, arena, problems};
	int result;

	*settings = (struct cd_settings){.state = DEFAULT_STATE,
					 .keep = DEFAULT_KEEP,
					 .watch = DEFAULT_WATCH,
					 .syslog = true,
					 .search = true};
	result = read_file(&loading, file, root);
	if (result == CERTDEPLOY_ENOTFOUND || result == CERTDEPLOY_EFAILED)
		result = CERTDEPLOY_EREFUSED;
	if (settings->store == NULL)
		settings->store = default_store(root, problems);
	return problems->out_of_memory ? CERTDEPLOY_ENOMEM : result;
}

void cd_settings_free(struct cd_settings *settings)
{
	for (size_t i = 0; i < settings->services.count; i++) {
		struct cd_service_settings *service = settings->services.items[i];

		cd_vector_free(&service->values);
		cd_vector_free(&service->probes);
	}
	cd_vector_free(&settings->services);
	cd_vector_free(&settings->profiles);
}

const struct cd_probe_setting *cd_probe_setting_next(const struct cd_service_settings *service,
						     const char *protocol, size_t *at)
{
	while (service != NULL && *at < service->probes.count) {
		const struct cd_probe_setting *probe = service->probes.items[(*at)++];

		if (strcmp(probe->protocol, protocol) == 0)
			return probe;
	}
	return NULL;
}
