/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dovecot.c - the Dovecot adapter: where it is found, how it is read, tested and reloaded */
#include "adapter.h"

#include <fnmatch.h>
#include <string.h>

static const char *const configurations[] = {
	"/etc/dovecot/dovecot.conf",           /* Debian, RHEL, SUSE, Arch, Alpine */
	"/usr/local/etc/dovecot/dovecot.conf", /* FreeBSD, built from source */
	NULL,
};
static const char *const folders[] = {"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", NULL};

/* ---- programs ---- */

static const char *find_program(struct certdeploy_reading *reading, const char *name)
{
	for (size_t i = 0; folders[i] != NULL; i++) {
		const char *path = certdeploy_format(reading, "%s/%s", folders[i], name);

		if (path == NULL || certdeploy_file_type(reading, path) == CERTDEPLOY_FILE_REGULAR)
			return path;
	}
	return NULL;
}

/* As told in the settings, else where it usually is, else by its name alone. */
const char *dovecot_program(struct certdeploy_reading *reading, const char *name)
{
	const char *told = certdeploy_setting(reading, name);

	if (told == NULL && strcmp(name, "dovecot") == 0)
		told = certdeploy_setting(reading, "binary");
	if (told == NULL)
		told = find_program(reading, name);
	return told != NULL ? told : name;
}

static int find(struct certdeploy_reading *reading, struct certdeploy_finder *finder)
{
	static const char *const names[] = {"dovecot", NULL};

	for (size_t i = 0; configurations[i] != NULL; i++) {
		const char *config[] = {configurations[i], NULL};
		const char *binary[] = {find_program(reading, "dovecot"), NULL};
		struct certdeploy_setting_value settings[] = {
			{"name", names},
			{"config", config},
			{NULL, NULL},
		};
		int result;

		if (certdeploy_file_type(reading, config[0]) != CERTDEPLOY_FILE_REGULAR)
			continue;
		/* A configuration left behind by a removed package. */
		if (certdeploy_is_live(reading) && binary[0] == NULL)
			continue;
		result = certdeploy_found(finder, settings);
		if (result != 0)
			return result;
		break;
	}
	return 0;
}

/* ---- reading ---- */

/* 2.4 begins with its version, 2.3 does not know the setting. */
static int version_of_file(const char **version, struct certdeploy_reading *reading, const char *config)
{
	const struct certdeploy_document *document;
	struct dovecot_lines lines;
	struct dovecot_line line;
	int result = certdeploy_read(&document, reading, config);

	if (result == CERTDEPLOY_ENOTFOUND)
		return 0;
	if (result != 0)
		return result;
	dovecot_lines_open(&lines, reading, document, false);
	result = dovecot_lines_next(&lines, &line);
	if (result <= 0)
		return result;
	if (strcmp(line.key, "dovecot_config_version") == 0 && line.type == DOVECOT_LINE_PLAIN) {
		*version = certdeploy_copy(reading, line.value, strlen(line.value));
		return *version == NULL ? CERTDEPLOY_ENOMEM : 0;
	}
	return 0;
}

static int find_version(struct dovecot_model *model)
{
	struct certdeploy_reading *reading = model->reading;
	const char *argv[] = {dovecot_program(reading, "dovecot"), "--version", NULL}, *answer;
	int result = certdeploy_ask(&answer, reading, argv);

	if (result == 0) {
		model->version = certdeploy_copy(reading, answer, strcspn(answer, " \n"));
		return model->version == NULL ? CERTDEPLOY_ENOMEM : 0;
	}
	if (result == CERTDEPLOY_ENOMEM)
		return result;
	result = version_of_file(&model->version, reading, model->config);
	if (model->version == NULL)
		model->version = certdeploy_setting(reading, "version");
	return result;
}

/* 2.4 and everything after it; an unknown one is 2.3. */
static bool is_24(const char *version)
{
	unsigned major = 0, minor = 0;

	if (version == NULL || *version < '0' || *version > '9')
		return false;
	for (; *version >= '0' && *version <= '9'; version++)
		major = major * 10 + (unsigned)(*version - '0');
	for (version += *version == '.'; *version >= '0' && *version <= '9'; version++)
		minor = minor * 10 + (unsigned)(*version - '0');
	return major > 2 || (major == 2 && minor >= 4);
}

/* Debian's Dovecot serves nothing unless told to; built from the source, 2.3 serves these. */
static int find_protocols(struct dovecot_model *model)
{
	struct certdeploy_reading *reading = model->reading;
	const char *argv[] = {
		dovecot_program(reading, "doveconf"), "-c", "/dev/null", "-d", "protocols", NULL};
	const char *answer, *value;
	int result = 0;

	model->protocols = model->v24 && certdeploy_is_live(reading) ? "" : "imap pop3 lmtp";
	if (model->v24 || dovecot_setting(model, "protocols") != NULL)
		return 0;
	result = certdeploy_ask(&answer, reading, argv);
	if (result != 0)
		return result == CERTDEPLOY_ENOMEM ? result : 0;
	value = strchr(answer, '=');
	if (value != NULL)
		model->protocols = certdeploy_copy(reading, value + 1, strcspn(value + 1, "\n"));
	return model->protocols == NULL ? CERTDEPLOY_ENOMEM : 0;
}

static int read_configuration(struct certdeploy_reading *reading)
{
	const struct certdeploy_reading *before = certdeploy_before(reading);
	int result = before == NULL ? DOVECOT_READ_ALL : dovecot_amend(reading, before);
	struct dovecot_model *model;

	if (result != DOVECOT_READ_ALL)
		return result;
	model = certdeploy_alloc(reading, sizeof(*model));
	if (model == NULL)
		return CERTDEPLOY_ENOMEM;
	model->reading = reading;
	model->config = certdeploy_setting(reading, "config");
	if (model->config == NULL)
		model->config = configurations[0];
	if (model->config[0] != '/')
		return certdeploy_refuse(reading, "settings", model->config, 0,
					 _("the path of the configuration is not absolute"));
	result = find_version(model);
	if (result != 0)
		return result;
	model->v24 = is_24(model->version);
	certdeploy_set_model(reading, model);
	result = dovecot_read_files(model);
	if (result == 0)
		result = find_protocols(model);
	if (result == 0)
		result = dovecot_index(model);
	return result == 0 ? dovecot_add_endpoints(model) : result;
}

static const char *version(struct certdeploy_reading *reading)
{
	const struct dovecot_model *model = certdeploy_model(reading);

	return model == NULL ? NULL : model->version;
}

/* Do components of a path match those of a pattern, as glob(3) takes them? */
static bool glob_matches(const char *pattern, const char *path)
{
	return fnmatch(pattern, path, FNM_PATHNAME | FNM_PERIOD) == 0;
}

static bool reads(struct certdeploy_reading *reading, const char *path)
{
	const struct dovecot_model *model = certdeploy_model(reading);

	for (size_t i = 0; model != NULL && i < model->includes.count; i++) {
		const struct dovecot_include *include = model->includes.items[i];
		const char *const *patterns;

		if (dovecot_braces(&patterns, reading, include) != 0)
			return true;
		for (; *patterns != NULL; patterns++) {
			const char *plain = certdeploy_join(reading, "/", *patterns);

			if (plain == NULL || glob_matches(plain, path) || glob_matches(*patterns, path))
				return true;
		}
	}
	return false;
}

/* ---- control ---- */

static const char *const *make_argv(struct certdeploy_reading *reading, const char *const *words)
{
	size_t count = 0;
	const char **argv;

	while (words[count] != NULL)
		count++;
	argv = certdeploy_alloc(reading, (count + 1) * sizeof(*argv));
	if (argv != NULL)
		memcpy(argv, words, count * sizeof(*argv));
	return (const char *const *)argv;
}

static bool by_systemd(struct certdeploy_reading *reading, const char *config)
{
	return certdeploy_is_live(reading) && strcmp(config, configurations[0]) == 0 &&
	       certdeploy_file_type(reading, "/run/systemd/system") == CERTDEPLOY_FILE_DIRECTORY;
}

static int command(struct certdeploy_reading *reading, enum certdeploy_action action,
		   const char *const **argv)
{
	static const char *const verbs[] = {NULL, "reload", "restart", "start", "stop"};
	const struct dovecot_model *model = certdeploy_model(reading);
	const char *config = model->config;
	const char *doveadm = dovecot_program(reading, "doveadm");
	const char *words[][6] = {
		{dovecot_program(reading, "doveconf"), "-c", config, "-n", NULL},
		{doveadm, "-c", config, "reload", NULL},
		{NULL},
		{dovecot_program(reading, "dovecot"), "-c", config, NULL},
		{doveadm, "-c", config, "stop", NULL},
	};
	const char *systemctl[] = {"systemctl", verbs[action], "dovecot.service", NULL};

	*argv = NULL;
	if (action != CERTDEPLOY_ACTION_TEST && by_systemd(reading, config))
		*argv = make_argv(reading, systemctl);
	else if (words[action][0] != NULL)
		*argv = make_argv(reading, words[action]);
	else
		return 0;
	return *argv == NULL ? CERTDEPLOY_ENOMEM : 0;
}

static int daemon_of(struct certdeploy_reading *reading, struct certdeploy_daemon *daemon)
{
	static const char *const programs[] = {"dovecot", NULL};
	const struct dovecot_model *model = certdeploy_model(reading);
	const char *base = dovecot_setting(model, "base_dir");

	if (base == NULL)
		base = strncmp(model->config, "/usr/local/", 11) == 0 &&
				       certdeploy_file_type(reading, "/var/run/dovecot") !=
					       CERTDEPLOY_FILE_DIRECTORY
			       ? "/usr/local/var/run/dovecot"
			       : "/run/dovecot";
	daemon->pid_file = certdeploy_format(reading, "%s/master.pid", base);
	daemon->programs = programs;
	daemon->pauses_when_broken = true;
	return daemon->pid_file == NULL ? CERTDEPLOY_ENOMEM : 0;
}

extern const struct certdeploy_adapter cd_adapter_dovecot;

static const char *const own_settings[] = {"binary", "dovecot", "doveconf", "doveadm", "version", NULL};

const struct certdeploy_adapter cd_adapter_dovecot = {
	.abi = CERTDEPLOY_ADAPTER_ABI,
	.size = sizeof(struct certdeploy_adapter),
	.name = "dovecot",
	.summary = "Dovecot 2.3 and 2.4 (IMAP, POP3, submission, ManageSieve, LMTP)",
	.find = find,
	.read = read_configuration,
	.version = version,
	.answers = dovecot_answers,
	.plan = dovecot_plan,
	.reads = reads,
	.rehearse = dovecot_rehearse,
	.command = command,
	.daemon = daemon_of,
	.answers_address = dovecot_answers_address,
	.settings = own_settings,
};
