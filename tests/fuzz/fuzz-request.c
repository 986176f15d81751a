/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-request.c - the JSON object on standard input, and the lines of a batch
 *
 * It becomes settings that the command knows, or is refused with a sentence that a terminal can show.
 */
#include "fuzz.h"

#include "../../examples/certdeploy/request.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void give(const uint8_t *data, size_t size)
{
	int fd = open(fuzz_file("request", data, size), O_RDONLY | O_CLOEXEC);

	FUZZ_ASSERT(fd != -1 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
	(void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tool tool = {.passphrase_fd = -1, .json = true, .from_stdin = true};
	int result;

	/* Without a command in the object: the one of the command line. */
	if (size > 0 && data[0] != '{')
		tool.command = &command_deploy;
	give(data, size);
	result = read_json_request(&tool);
	FUZZ_ASSERT(result == 0 || tool.problem.message != NULL || result == CERTDEPLOY_ENOMEM);
	FUZZ_ASSERT(result != 0 || tool.command != NULL);
	for (size_t i = 0; i < tool.setting_count; i++) {
		const struct setting *setting = &tool.settings[i];

		FUZZ_ASSERT(setting->option != NULL);
		if (setting->value != NULL)
			FUZZ_ASSERT(setting->value[setting->length] == '\0');
		if (setting->value != NULL && !setting->is_content)
			FUZZ_ASSERT(strlen(setting->value) == setting->length);
	}
	free_settings(&tool);
	return 0;
}
