/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-envvars.c - the shell file that sets Apache's environment (Debian's envvars, sysconfig)
 *
 * It is read without a shell, and what it sets is seen by a small configuration: which is read, twice
 * alike, or refused.
 */
#include "fuzz.h"

#include "host/reading.h"

#include <string.h>

extern const struct certdeploy_adapter cd_adapter_apache;

static const char main_file[] = "ServerRoot /etc/apache2\n"
				"PidFile ${APACHE_PID_FILE}\n"
				"ServerName ${NAME}\n"
				"Listen ${PORT} https\n"
				"<IfDefine SSL>\nInclude ${CONFDIR}/sites\n</IfDefine>\n"
				"<VirtualHost *:443>\nSSLEngine on\nServerAlias ${ALIAS}\n"
				"SSLCertificateFile ${CERTIFICATE}\nSSLCertificateKeyFile ${KEY}\n"
				"</VirtualHost>\n";

static int read_once(struct cd_buffer *said, const char *data, size_t size)
{
	static const char *const config[] = {"/etc/apache2/apache2.conf", NULL};
	static const char *const envvars[] = {"/etc/apache2/envvars", NULL};
	struct cd_problems problems = {0};
	struct cd_overlay overlay = {0};
	struct cd_arena arena = {0};
	struct cd_service service = {.name = "apache", .adapter = &cd_adapter_apache, .arena = &arena};
	const struct certdeploy_endpoint *const *all;
	struct certdeploy_reading reading;
	struct cd_host host;
	size_t count = 0;
	int result;

	FUZZ_ASSERT(cd_host_open(&host, &problems, fuzz_directory()) == 0);
	FUZZ_ASSERT(cd_service_set(&service, "config", config) == 0);
	FUZZ_ASSERT(cd_service_set(&service, "envvars", envvars) == 0);
	FUZZ_ASSERT(cd_overlay_file(&overlay, &problems, envvars[0], data, size) == 0);
	FUZZ_ASSERT(cd_overlay_file(&overlay, &problems, config[0], main_file, sizeof(main_file) - 1) == 0);
	cd_reading_open(&reading, &host, &service, &overlay);
	result = cd_adapter_apache.read(&reading);
	FUZZ_ASSERT(result == 0 || result == CERTDEPLOY_EREFUSED || result == CERTDEPLOY_ENOMEM);
	FUZZ_ASSERT(result == 0 || cd_problems_error(&problems, 0) != NULL);
	all = certdeploy_endpoints(&reading, &count);
	for (size_t i = 0; result == 0 && i < count; i++)
		cd_buffer_format(said, "%s %s %s\n", all[i]->listen == NULL ? "" : all[i]->listen,
				 all[i]->name == NULL ? "" : all[i]->name,
				 all[i]->pair_count == 0 ? "" : all[i]->pairs[0].certificate);
	cd_reading_close(&reading);
	cd_overlay_free(&overlay);
	cd_host_close(&host);
	cd_vector_free(&service.settings);
	cd_arena_free(&arena);
	cd_problems_free(&problems);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cd_buffer one = {0}, other = {0};

	FUZZ_ASSERT(read_once(&one, (const char *)data, size) ==
		    read_once(&other, (const char *)data, size));
	FUZZ_ASSERT(strcmp(cd_buffer_text(&one), cd_buffer_text(&other)) == 0);
	cd_buffer_free(&one);
	cd_buffer_free(&other);
	return 0;
}
