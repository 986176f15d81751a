/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* apache.c - the adapter for Apache httpd 2.4 with mod_ssl */
#include "adapter.h"

static const char *version(struct certdeploy_reading *reading)
{
	const struct apache_model *model = certdeploy_model(reading);

	return model == NULL ? NULL : model->version.text;
}

static const char *const own_settings[] = {"binary",  "server_root", "envvars", "defines",
					   "modules", "version",     NULL};

extern const struct certdeploy_adapter cd_adapter_apache;

const struct certdeploy_adapter cd_adapter_apache = {
	.abi = CERTDEPLOY_ADAPTER_ABI,
	.size = sizeof(struct certdeploy_adapter),
	.name = "apache",
	.summary = "Apache httpd 2.4 with mod_ssl",
	.find = apache_find,
	.read = apache_read,
	.version = version,
	.answers = apache_answers,
	.plan = apache_plan,
	.reads = apache_reads,
	.command = apache_command,
	.daemon = apache_daemon,
	.settings = own_settings,
};
