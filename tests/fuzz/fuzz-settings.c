/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-settings.c - certdeploy.conf: refused with file and line, or every setting is fit to be used */
#include "fuzz.h"

#include "host/settings.h"

#include <string.h>

static void check_service(const struct cd_service_settings *service)
{
	FUZZ_ASSERT(service->name != NULL && service->adapter != NULL && service->line > 0);
	for (size_t i = 0; i < service->probes.count; i++) {
		const struct cd_probe_setting *probe = service->probes.items[i];

		FUZZ_ASSERT(probe->protocol != NULL && probe->port != 0);
	}
}

/* libconfig loses strings at an error; whatever we lose is still seen. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file("certdeploy.conf", data, size);
	struct cd_problems problems = {0};
	struct cd_settings settings;
	struct cd_arena arena = {0};
	int result;

	result = cd_settings_load(&settings, &arena, &problems, path, NULL);
	FUZZ_ASSERT(result == 0 || result == CERTDEPLOY_EREFUSED || result == CERTDEPLOY_ENOMEM);
	FUZZ_ASSERT((result == 0) == (cd_problems_error(&problems, 0) == NULL));
	if (result == 0) {
		FUZZ_ASSERT(settings.store[0] == '/' && settings.state[0] == '/');
		FUZZ_ASSERT(strpbrk(settings.store, "\n\r") == NULL);
		FUZZ_ASSERT(settings.keep > 0);
		for (size_t i = 0; i < settings.services.count; i++)
			check_service(settings.services.items[i]);
	}
	cd_settings_free(&settings);
	cd_arena_free(&arena);
	cd_problems_free(&problems);
	return 0;
}
