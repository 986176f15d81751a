/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* postfix.c - the adapter for Postfix: find it, read it, plan, and how it is controlled */
#include "postfix.h"

static const char *const directories[] = {"/etc/postfix", "/usr/local/etc/postfix", NULL};

/* ---- find ---- */

static int found(struct certdeploy_reading *reading, struct certdeploy_finder *finder, const char *name,
		 const char *directory)
{
	const char *names[] = {name, NULL}, *dirs[] = {directory, NULL}, *configs[] = {NULL, NULL};
	const struct certdeploy_setting_value settings[] = {
		{"name", names}, {"config", configs}, {"config_directory", dirs}, {NULL, NULL}};

	configs[0] = certdeploy_format(reading, "%s/main.cf", directory);
	return name == NULL || configs[0] == NULL ? CERTDEPLOY_ENOMEM : certdeploy_found(finder, settings);
}

#define INSTANCES "multi_instance_directories"

/* A parameter's name stands in one piece: without it nothing needs to be taken apart. */
static int names_instances(bool *out, struct certdeploy_reading *reading, const char *path)
{
	const struct certdeploy_document *document;
	int result = certdeploy_read(&document, reading, path);
	size_t length;
	const char *bytes;

	if (result != 0)
		return result;
	bytes = certdeploy_document_bytes(document, &length);
	*out = memmem(bytes, length, INSTANCES, strlen(INSTANCES)) != NULL;
	return 0;
}

/*
 * The other instances that multi_instance_directories lists, each by its own name. What is wrong with one
 * of them is for its own reading to say.
 */
static int find_instances(struct certdeploy_reading *reading, struct certdeploy_finder *finder,
			  const char *directory)
{
	struct postfix_model model = {.reading = reading, .directory = directory};
	const char *const *others, *text;
	bool named = false;
	int result;

	model.main_path = certdeploy_format(reading, "%s/main.cf", directory);
	if (model.main_path == NULL)
		return CERTDEPLOY_ENOMEM;
	result = names_instances(&named, reading, model.main_path);
	if (result != 0 || !named)
		return result;
	result = postfix_main_read(&model.main, reading, model.main_path, true);
	if (result == 0)
		result = postfix_value(&text, &model, NULL, INSTANCES);
	if (result == 0)
		result = postfix_split_list(&others, reading, text, false);
	for (; result == 0 && *others != NULL; others++) {
		struct postfix_model other = {.reading = reading, .directory = *others};
		const char *name = "", *base = strrchr(*others, '/');

		other.main_path = certdeploy_format(reading, "%s/main.cf", *others);
		if (other.main_path == NULL)
			return CERTDEPLOY_ENOMEM;
		if (certdeploy_file_type(reading, other.main_path) != CERTDEPLOY_FILE_REGULAR)
			continue;
		result = postfix_main_read(&other.main, reading, other.main_path, true);
		if (result == 0)
			result = postfix_value(&name, &other, NULL, "multi_instance_name");
		if (result == 0)
			result = found(reading, finder,
				       *name != '\0'  ? name
				       : base == NULL ? *others
						      : base + 1,
				       *others);
	}
	return result;
}

static int find(struct certdeploy_reading *reading, struct certdeploy_finder *finder)
{
	for (size_t i = 0; directories[i] != NULL; i++) {
		const char *path = certdeploy_format(reading, "%s/main.cf", directories[i]);
		int result;

		if (path == NULL)
			return CERTDEPLOY_ENOMEM;
		if (certdeploy_file_type(reading, path) != CERTDEPLOY_FILE_REGULAR)
			continue;
		result = found(reading, finder, "postfix", directories[i]);
		return result == 0 ? find_instances(reading, finder, directories[i]) : result;
	}
	return 0;
}

/* ---- read ---- */

static int read_service(struct certdeploy_reading *reading)
{
	struct postfix_model *model;
	int result = postfix_model_read(&model, reading);

	return result == 0 ? postfix_listeners_read(model) : result;
}

static const char *version(struct certdeploy_reading *reading)
{
	const struct postfix_model *model = certdeploy_model(reading);

	return model == NULL ? NULL : model->version;
}

/* ---- control ---- */

static bool is_default_instance(const struct postfix_model *model)
{
	return strcmp(model->directory, directories[0]) == 0;
}

static int command(struct certdeploy_reading *reading, enum certdeploy_action action,
		   const char *const **argv)
{
	static const char *const verbs[] = {
		[CERTDEPLOY_ACTION_TEST] = "check",   [CERTDEPLOY_ACTION_RELOAD] = "reload",
		[CERTDEPLOY_ACTION_RESTART] = "stop", [CERTDEPLOY_ACTION_START] = "start",
		[CERTDEPLOY_ACTION_STOP] = "stop",
	};
	const struct postfix_model *model = certdeploy_model(reading);
	bool systemd = is_default_instance(model) &&
		       certdeploy_file_type(reading, "/run/systemd/system") == CERTDEPLOY_FILE_DIRECTORY;
	const char **list = certdeploy_alloc(reading, 5 * sizeof(*list));

	*argv = NULL;
	if (list == NULL)
		return CERTDEPLOY_ENOMEM;
	if (systemd && action != CERTDEPLOY_ACTION_TEST && action != CERTDEPLOY_ACTION_RELOAD) {
		list[0] = "/usr/bin/systemctl";
		list[1] = action == CERTDEPLOY_ACTION_RESTART ? "restart" : verbs[action];
		list[2] = "postfix";
	} else if (action == CERTDEPLOY_ACTION_RESTART) {
		return 0; /* Postfix has no such command: it is stopped and started */
	} else {
		list[0] = postfix_program(reading, "postfix");
		list[1] = "-c";
		list[2] = model->directory;
		list[3] = verbs[action];
		if (list[0] == NULL)
			return CERTDEPLOY_ENOMEM;
	}
	*argv = list;
	return 0;
}

static int daemon_of(struct certdeploy_reading *reading, struct certdeploy_daemon *daemon)
{
	static const char *const programs[] = {"master", NULL};
	const struct postfix_model *model = certdeploy_model(reading);

	daemon->pid_file = certdeploy_join(reading, model->queue_directory, "pid/master.pid");
	daemon->programs = programs;
	daemon->pauses_when_broken = true;
	return daemon->pid_file == NULL ? CERTDEPLOY_ENOMEM : 0;
}

static const char *const own_settings[] = {"config_directory", "postconf", "postmap",
					   "postfix",          "version",  NULL};

const struct certdeploy_adapter cd_adapter_postfix = {
	.abi = CERTDEPLOY_ADAPTER_ABI,
	.size = sizeof(struct certdeploy_adapter),
	.name = "postfix",
	.summary = "Postfix 3.4 and later",
	.find = find,
	.read = read_service,
	.version = version,
	.answers = postfix_answers,
	.plan = postfix_plan,
	.rehearse = postfix_rehearse,
	.command = command,
	.daemon = daemon_of,
	.inspect = postfix_inspect,
	.settings = own_settings,
};
