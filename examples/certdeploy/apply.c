/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* apply.c - the settings, on their way into a request to the library; and the passphrase */
#include "request.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STDIN_LIMIT ((size_t)4 << 20)
#define PASSPHRASE_LIMIT 1024

static int seconds_in(char unit)
{
	switch (unit) {
	case '\0':
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 60 * 60;
	case 'd':
		return 24 * 60 * 60;
	default:
		return 0;
	}
}

static int parse_number(long *number, struct tool *tool, const struct setting *setting)
{
	const struct option_row *row = setting->option;
	char *end = NULL;
	long factor;

	errno = 0;
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): the option takes a value */
	*number = strtol(setting->value, &end, 10);
	factor = row->effect == EFFECT_NUMBER ? *end == '\0' : seconds_in(*end);
	/* Monitoring is used to days: a bare 30 must not pass for seconds. */
	if (row->effect == EFFECT_LIFE && *end == '\0')
		factor = 0;
	if (errno != 0 || !isdigit((unsigned char)setting->value[0]) || factor == 0 ||
	    (*end != '\0' && end[1] != '\0') || *number < 0 || *number > INT_MAX / factor)
		return usage_error(tool,
				   row->effect == EFFECT_NUMBER ? _("--%s takes a number")
				   : row->effect == EFFECT_SECONDS
					   ? _("--%s takes a time, as 90s, 12h or 30d")
					   : _("--%s takes a part of a life or a time, as 33%% or 30d"),
				   row->name);
	*number *= factor;
	return 0;
}

/* "33%" or "30d". */
static int set_life(struct tool *tool, struct certdeploy_request *request, const struct setting *setting)
{
	int seconds = setting->option->value;
	long number = 0;
	char *end = NULL;
	int result;

	errno = 0;
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): as above */
	number = strtol(setting->value, &end, 10);
	if (errno == 0 && isdigit((unsigned char)setting->value[0]) && strcmp(end, "%") == 0 &&
	    number <= 100)
		return certdeploy_request_set(request, (enum certdeploy_flag)(seconds + 1), number);
	result = parse_number(&number, tool, setting);
	return result == 0 ? certdeploy_request_set(request, (enum certdeploy_flag)seconds, number)
			   : result;
}

const char *const verify_scopes[] = {[CERTDEPLOY_VERIFY_CHANGED] = "changed",
				     [CERTDEPLOY_VERIFY_ALL] = "all",
				     [CERTDEPLOY_VERIFY_SAMPLE] = "sample",
				     NULL};

static int set_scope(struct tool *tool, struct certdeploy_request *request, const struct setting *setting)
{
	const struct option_row *row = setting->option;

	for (long i = 0; verify_scopes[i] != NULL; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): as above */
		if (strcmp(setting->value, verify_scopes[i]) == 0)
			return certdeploy_request_set(request, (enum certdeploy_flag)row->value, i);
	return usage_error(tool, _("--%s takes all, changed or sample"), row->name);
}

static int add_stdin(struct tool *tool, struct certdeploy_request *request, int kind)
{
	char *bytes = NULL;
	size_t length = 0;
	int result = read_all(&bytes, &length, STDIN_FILENO, STDIN_LIMIT);

	if (result != 0)
		return lone_failure(tool, result, _("standard input"));
	result = certdeploy_request_add_memory(request, (enum certdeploy_material_kind)kind, bytes, length,
					       _("standard input"));
	explicit_bzero(bytes, length);
	free(bytes);
	return result;
}

/* For the same certificate. */
static bool came_before(const struct tool *tool, const struct setting *setting)
{
	for (const struct setting *other = setting; other > tool->settings; other--) {
		if (other[-1].option == setting->option)
			return true;
		if (other[-1].option->effect == EFFECT_NEXT)
			break;
	}
	return false;
}

static bool stdin_came_before(const struct tool *tool, const struct setting *setting)
{
	for (const struct setting *other = tool->settings; other < setting; other++)
		if (other->option->effect == EFFECT_MATERIAL && !other->is_content &&
		    strcmp(other->value, "-") == 0)
			return true;
	return false;
}

static int add_material(struct tool *tool, struct certdeploy_request *request,
			const struct setting *setting)
{
	enum certdeploy_material_kind kind = (enum certdeploy_material_kind)setting->option->value;
	int result;

	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): the option takes a value */
	if (!setting->is_content && strcmp(setting->value, "-") == 0)
		return stdin_came_before(tool, setting)
			       ? usage_error(tool, _("standard input (-) can be read only once"))
			       : add_stdin(tool, request, setting->option->value);
	result = setting->is_content ? certdeploy_request_add_memory(request, kind, setting->value,
								     setting->length, setting->option->name)
				     : certdeploy_request_add_file(request, kind, setting->value);
	/* One of many that cannot be read is no reason to leave the others. */
	if (result != 0 && result != CERTDEPLOY_ENOMEM && tool->batch_count != 0)
		result = certdeploy_request_leave_out(request);
	return result;
}

static int apply(struct tool *tool, struct certdeploy_request *request, const struct setting *setting)
{
	const struct option_row *row = setting->option;
	long number = 1;
	int result = 0;

	if (setting->value != NULL && (setting->length == 0 || strlen(setting->value) != setting->length) &&
	    !setting->is_content)
		return usage_error(tool, _("the value of --%s is empty"), row->name);
	if (takes_value(row) && row->effect != EFFECT_MATERIAL && row->effect != EFFECT_LIST &&
	    row->effect != EFFECT_NEXT && came_before(tool, setting))
		return usage_error(tool, _("--%s is given twice"), row->name);
	switch (row->effect) {
	case EFFECT_MATERIAL:
		return add_material(tool, request, setting);
	case EFFECT_ONCE:
	case EFFECT_LIST:
		return certdeploy_request_add(request, (enum certdeploy_list_option)row->value,
					      setting->value);
	case EFFECT_LIFE:
		return set_life(tool, request, setting);
	case EFFECT_SCOPE:
		return set_scope(tool, request, setting);
	case EFFECT_NUMBER:
	case EFFECT_SECONDS:
		result = parse_number(&number, tool, setting);
		/* fall through */
	case EFFECT_FLAG:
		if (result == 0)
			result = certdeploy_request_set(request, (enum certdeploy_flag)row->value, number);
		return result;
	case EFFECT_NEXT:
		return certdeploy_request_next(request);
	case EFFECT_TOOL:
		return 0;
	}
	return 0;
}

/* The first line of a file or descriptor. */
static int load_passphrase(struct tool *tool)
{
	int fd = tool->passphrase_fd, error;

	if (tool->passphrase_file != NULL)
		fd = open_given(tool->passphrase_file);
	error = fd == -1 ? errno
			 : read_line(&tool->passphrase, &tool->passphrase_length, fd, PASSPHRASE_LIMIT);
	if (fd != -1 && fd > STDERR_FILENO)
		(void)close(fd);
	if (error != 0)
		return lone_failure(tool, error,
				    tool->passphrase_file != NULL ? tool->passphrase_file
								  : "--passphrase-fd");
	for (size_t i = 0; tool->passphrase != NULL && i < tool->passphrase_length; i++) {
		if (tool->passphrase[i] != '\n' && tool->passphrase[i] != '\r')
			continue;
		explicit_bzero(tool->passphrase + i, tool->passphrase_length - i);
		tool->passphrase_length = i;
	}
	return 0;
}

int apply_settings(struct tool *tool, struct certdeploy_request *request)
{
	int result = 0, given = 0;

	given += tool->passphrase != NULL;
	given += tool->passphrase_file != NULL;
	given += tool->passphrase_fd != -1;
	if (given > 1)
		return usage_error(tool, _("the passphrase is given more than once"));
	if (given == 1 && tool->passphrase == NULL)
		result = load_passphrase(tool);
	for (size_t i = 0; result == 0 && i < tool->setting_count; i++)
		result = apply(tool, request, &tool->settings[i]);
	return result;
}

int give_passphrase(void *user, const char *origin, char *buffer, size_t size)
{
	const struct tool *tool = user;

	if (tool->passphrase == NULL)
		return tool->json || !isatty(STDIN_FILENO) ? -1 : ask_passphrase(origin, buffer, size);
	if (tool->passphrase_length > size)
		return -1;
	memcpy(buffer, tool->passphrase, tool->passphrase_length);
	return (int)tool->passphrase_length;
}
