/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dovecot-effective.c - what the adapter takes for Dovecot's settings of a connection
 *
 *	dovecot-effective ROOT VERSION <QUESTIONS
 *
 * One question a line: protocol, service, local address or "-", name or "-". One answer a line: the
 * certificate, the key, the alternative ones and ssl as written, parted by tabs; or "conflict". Exit
 * status 1 and the problem where the configuration is refused.
 */
#include "../../adapters/dovecot/settings.h"

#include "host/reading.h"

#include <stdio.h>
#include <string.h>

extern const struct certdeploy_adapter cd_adapter_dovecot;

static void answer(const struct dovecot_effective *effective, bool v24)
{
	if (effective->conflict[0] != NULL) {
		(void)puts("conflict");
		return;
	}
	for (size_t slot = 0; slot < DOVECOT_SLOTS; slot++) {
		const struct dovecot_value *value = effective->values[slot];
		bool file = value != NULL && !v24 &&
			    (value->type == DOVECOT_LINE_FILE || value->path != NULL);

		(void)printf("%s%s%s", slot == 0 ? "" : "\t", file ? "<" : "", value == NULL ? "" : value->text);
	}
	(void)puts("");
}

static int ask(struct certdeploy_reading *reading, char *question)
{
	const struct dovecot_model *model = certdeploy_model(reading);
	char protocol[64], service[64], local[128], name[256];
	struct dovecot_effective effective;
	struct dovecot_context context;
	struct dovecot_net net;

	if (sscanf(question, "%63s %63s %127s %255s", protocol, service, local, name) != 4)
		return CERTDEPLOY_EUSAGE;
	if (strcmp(local, "-") != 0 && !dovecot_parse_net(&net, local))
		return CERTDEPLOY_EUSAGE;
	if (dovecot_context(&context, model, protocol, service, strcmp(local, "-") == 0 ? NULL : &net,
			    NULL) != 0 ||
	    dovecot_effective(&effective, model, &context, strcmp(name, "-") == 0 ? NULL : name) != 0)
		return CERTDEPLOY_ENOMEM;
	answer(&effective, model->v24);
	return 0;
}

int main(int argc, char **argv)
{
	struct cd_problems problems = {0};
	struct cd_arena arena = {0};
	struct cd_host host;
	struct cd_service service = {.name = "dovecot", .adapter = &cd_adapter_dovecot, .arena = &arena};
	struct certdeploy_reading reading;
	const struct certdeploy_problem *problem;
	char line[1024];
	int result;

	if (argc != 3 || cd_host_open(&host, &problems, argv[1]) != 0)
		return 2;
	result = cd_service_set(&service, "version", (const char *const[]){argv[2], NULL});
	cd_reading_open(&reading, &host, &service, NULL);
	if (result == 0)
		result = cd_adapter_dovecot.read(&reading);
	while (result == 0 && fgets(line, sizeof(line), stdin) != NULL)
		result = ask(&reading, line);
	problem = cd_problems_error(&problems, 0);
	if (problem != NULL)
		(void)printf("%s %s:%zu %s\n", problem->code, problem->file, problem->line, problem->message);
	cd_reading_close(&reading);
	cd_host_close(&host);
	cd_vector_free(&service.settings);
	cd_arena_free(&arena);
	cd_problems_free(&problems);
	return result == 0 ? 0 : 1;
}
