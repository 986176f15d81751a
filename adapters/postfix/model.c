/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* model.c - one Postfix: where it is, its version and name, its two files read */
#include "postfix.h"

#include <stdlib.h>

#define OLDEST_KNOWN "3.7"

int postfix_paths(struct certdeploy_reading *reading, const char **directory, const char **main_path)
{
	const char *named = certdeploy_setting(reading, "config_directory");

	if (named == NULL)
		named = certdeploy_setting(reading, "config");
	if (named == NULL)
		named = "/etc/postfix";
	*directory = certdeploy_join(reading, "/", named);
	if (*directory == NULL)
		return CERTDEPLOY_ENOMEM;
	if (certdeploy_file_type(reading, *directory) == CERTDEPLOY_FILE_REGULAR) {
		const char *slash = strrchr(*directory, '/');

		*main_path = *directory;
		*directory = slash == *directory
				     ? "/"
				     : certdeploy_copy(reading, *main_path, (size_t)(slash - *main_path));
	} else {
		*main_path = certdeploy_format(reading, "%s/main.cf", *directory);
	}
	return *directory == NULL || *main_path == NULL ? CERTDEPLOY_ENOMEM : 0;
}

const char *postfix_program(struct certdeploy_reading *reading, const char *name)
{
	const char *set = certdeploy_setting(reading, name);

	return set != NULL ? set : certdeploy_format(reading, "/usr/sbin/%s", name);
}

const char *postfix_ask(struct certdeploy_reading *reading, const char *directory, const char *name)
{
	const char *argv[] = {postfix_program(reading, "postconf"), "-c", directory, "-h", name, NULL};
	const char *answer;
	size_t length;

	if (argv[0] == NULL || certdeploy_ask(&answer, reading, argv) != 0)
		return NULL;
	length = strcspn(answer, "\r\n");
	return length == 0 ? NULL : certdeploy_copy(reading, answer, length);
}

static unsigned release_of(const char *version)
{
	char *end;
	unsigned long major = strtoul(version, &end, 10), minor = 0;

	if (*end == '.')
		minor = strtoul(end + 1, NULL, 10);
	return major > 99 || minor > 99 ? 9999 : (unsigned)(major * 100 + minor);
}

/* What is compiled in. Distributions differ in the type of a table without one: hash, lmdb, … */
static int ask_compiled(struct postfix_model *model)
{
	const char *argv[] = {postfix_program(model->reading, "postconf"),
			      "-c",
			      model->directory,
			      "-d",
			      "-h",
			      "mail_version",
			      "default_database_type",
			      NULL};
	const char *answer, *type;
	int result = argv[0] == NULL ? CERTDEPLOY_ENOMEM : certdeploy_ask(&answer, model->reading, argv);

	if (result != 0)
		return result == CERTDEPLOY_ENOMEM ? result : 0;
	type = answer + strcspn(answer, "\n");
	type += *type == '\n';
	if (model->version == NULL && *answer != '\0' && *answer != '\n')
		model->version = certdeploy_copy(model->reading, answer, strcspn(answer, "\r\n"));
	if (*type != '\0' && *type != '\n')
		model->database_type = certdeploy_copy(model->reading, type, strcspn(type, "\r\n"));
	return 0;
}

static int read_version(struct postfix_model *model)
{
	int result = 0;

	model->version = certdeploy_setting(model->reading, "version");
	if (certdeploy_is_live(model->reading))
		result = ask_compiled(model);
	if (result != 0)
		return result;
	if (model->version == NULL)
		model->version = OLDEST_KNOWN;
	model->release = release_of(model->version);
	return 0;
}

/* What Postfix calls itself where main.cf does not say: the host's name, with a domain. */
static int default_hostname(struct postfix_model *model)
{
	const struct certdeploy_document *document;
	const char *bytes;
	size_t length, start = 0, end;
	int result;

	if (certdeploy_is_live(model->reading)) {
		model->hostname = postfix_ask(model->reading, model->directory, "myhostname");
		return 0;
	}
	result = certdeploy_read(&document, model->reading, "/etc/hostname");
	if (result != 0)
		return result == CERTDEPLOY_ENOMEM ? result : 0;
	bytes = certdeploy_document_bytes(document, &length);
	while (start < length && postfix_space(bytes[start]))
		start++;
	for (end = start; end < length && !postfix_space(bytes[end]) && bytes[end] != '\0'; end++)
		;
	if (start == end)
		return 0;
	model->hostname = memchr(bytes + start, '.', end - start) != NULL
				  ? certdeploy_copy(model->reading, bytes + start, end - start)
				  : certdeploy_format(model->reading, "%.*s.localdomain",
						      (int)(end - start), bytes + start);
	return model->hostname == NULL ? CERTDEPLOY_ENOMEM : 0;
}

static int read_hostname(struct postfix_model *model)
{
	int result = 0;

	if (postfix_table_get(&model->main.by_name, "myhostname") == NULL)
		result = default_hostname(model);
	if (result == 0)
		result = postfix_value(&model->hostname, model, NULL, "myhostname");
	if (result == 0 && *model->hostname == '\0')
		model->hostname = NULL;
	return result;
}

static int absent(struct certdeploy_reading *reading, const char *path, int result)
{
	if (result != CERTDEPLOY_ENOTFOUND)
		return result;
	certdeploy_report(reading, CERTDEPLOY_ERROR, "not-found", path, 0,
			  _("Postfix has no configuration here"));
	return result;
}

int postfix_model_read(struct postfix_model **out, struct certdeploy_reading *reading)
{
	struct postfix_model *model = certdeploy_alloc(reading, sizeof(*model));
	const char *master_path;
	int result;

	*out = model;
	if (model == NULL)
		return CERTDEPLOY_ENOMEM;
	model->reading = reading;
	model->smtpd.prefix = "smtpd_tls_";
	model->tlsproxy.prefix = "tlsproxy_tls_";
	result = postfix_paths(reading, &model->directory, &model->main_path);
	master_path = certdeploy_join(reading, model->directory, "master.cf");
	if (result == 0)
		result = master_path == NULL ? CERTDEPLOY_ENOMEM : 0;
	if (result == 0)
		result = absent(reading, model->main_path,
				postfix_main_read(&model->main, reading, model->main_path, false));
	if (result == 0)
		result = absent(reading, master_path,
				postfix_master_read(&model->master, reading, master_path));
	if (result == 0)
		result = read_version(model);
	if (result == 0)
		result = read_hostname(model);
	if (result == 0)
		result = postfix_value(&model->queue_directory, model, NULL, "queue_directory");
	if (result == 0)
		certdeploy_set_model(reading, model);
	return result;
}
