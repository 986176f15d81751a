/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request.c - the request as JSON, on its way into settings
 *
 * The JSON object has the names of the long options as keys, with _ for -: a string or a list of
 * strings, true or false for a flag, an integer for a number. cert, key, chain, fullchain and csr are
 * the PEM text itself, pkcs12 and archive are in base64; cert_file, key_file, … are names of files.
 * "command", "action", "lang", "passphrase", "config" and "root" stand in it as well. Other keys are
 * refused, so that a mistyped one never goes unnoticed.
 */
#include "request.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUEST_LIMIT ((size_t)128 << 20)
#define FILE_SUFFIX "_file"
#define KEY_ROOM 64

/*
 * Keys pass through the JSON library: its memory is wiped before it is given back. An element of three
 * bytes takes it two hundred: beyond JSON_ROOM and the request's own length it gets none.
 */
#define JSON_ROOM ((size_t)64 << 20)
#define JSON_ROOM_ENOUGH (SIZE_MAX / 2)
static size_t json_room = JSON_ROOM_ENOUGH;

/*
 * Jansson goes on after a token for which it got no memory, and reads past its end: while it parses, what
 * was refused once is refused from there on, and ends it.
 */
static bool json_parses;
static enum { JSON_FITS, JSON_TOO_MUCH, JSON_NO_MEMORY } json_met;

union header {
	size_t size;
	max_align_t align;
};

static void *wiping_malloc(size_t size)
{
	union header *header;

	if (json_parses && json_met != JSON_FITS)
		return NULL;
	if (size > json_room || json_room - size < sizeof(*header)) {
		json_met = JSON_TOO_MUCH;
		return NULL;
	}
	header = malloc(sizeof(*header) + size);
	if (header == NULL) {
		json_met = JSON_NO_MEMORY;
		return NULL;
	}
	header->size = size;
	json_room -= sizeof(*header) + size;
	return header + 1;
}

static void wiping_free(void *memory)
{
	union header *header = memory;

	if (header == NULL)
		return;
	header--;
	explicit_bzero(memory, header->size);
	json_room += sizeof(*header) + header->size;
	free(header);
}

static int decode_base64(struct tool *tool, const struct option_row *row, const char *text, size_t length)
{
	EVP_ENCODE_CTX *context = EVP_ENCODE_CTX_new();
	unsigned char *bytes = malloc(length / 4 * 3 + 64);
	int first = 0, last = 0, result = CERTDEPLOY_ENOMEM;

	if (context != NULL && bytes != NULL && length < INT_MAX) {
		EVP_DecodeInit(context);
		if (EVP_DecodeUpdate(context, bytes, &first, (const unsigned char *)text, (int)length) <
			    0 ||
		    EVP_DecodeFinal(context, bytes + first, &last) != 1)
			result = usage_error(tool, _("\"%s\" is not base64"), row->name);
		else
			result = add_setting(tool, row, (const char *)bytes, (size_t)first + (size_t)last);
	}
	EVP_ENCODE_CTX_free(context);
	if (bytes != NULL)
		explicit_bzero(bytes, length / 4 * 3 + 64);
	free(bytes);
	return result;
}

static int add_string(struct tool *tool, const char *key, const struct option_row *row, bool is_content,
		      const json_t *value)
{
	int result;

	if (!json_is_string(value))
		return usage_error(tool, _("\"%s\" takes text"), key);
	if (row->effect == EFFECT_MATERIAL && !is_content && strcmp(json_string_value(value), "-") == 0)
		return usage_error(tool, _("\"%s\" cannot be -: standard input holds this request"), key);
	if (is_content &&
	    (row->value == CERTDEPLOY_MATERIAL_PKCS12 || row->value == CERTDEPLOY_MATERIAL_ARCHIVE))
		result = decode_base64(tool, row, json_string_value(value), json_string_length(value));
	else
		result = add_setting(tool, row, json_string_value(value), json_string_length(value));
	if (result == 0)
		tool->settings[tool->setting_count - 1].is_content = is_content;
	return result;
}

static int add_strings(struct tool *tool, const char *key, const struct option_row *row, bool is_content,
		       const json_t *value)
{
	int result = 0;

	if (!json_is_array(value) || row->effect == EFFECT_ONCE || row->effect == EFFECT_SCOPE)
		return add_string(tool, key, row, is_content, value);
	for (size_t i = 0; result == 0 && i < json_array_size(value); i++)
		result = add_string(tool, key, row, is_content, json_array_get(value, i));
	return result;
}

static int add_number(struct tool *tool, const char *key, const struct option_row *row, const json_t *value)
{
	char text[32];

	if (json_is_string(value))
		return add_string(tool, key, row, false, value);
	if (!json_is_integer(value))
		return usage_error(tool, _("\"%s\" takes an integer"), key);
	(void)snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
	return add_setting(tool, row, text, strlen(text));
}

/* An option of the tool itself; the text lives as long as the settings. */
static int take_tool_option(struct tool *tool, const char *key, const struct option_row *row,
			    const json_t *value)
{
	int result;

	switch (row->value) {
	case TOOL_DRY_RUN:
	case TOOL_EXIT_CODE:
		if (!json_is_boolean(value))
			return usage_error(tool, _("\"%s\" takes true or false"), key);
		return json_is_true(value) ? set_tool_option(tool, row, NULL) : 0;
	case TOOL_LANG:
		return 0; /* read before the others */
	case TOOL_CONFIG:
	case TOOL_ROOT:
	case TOOL_BATCH_DIR:
	case TOOL_PASSPHRASE_FILE:
	case TOOL_OUT:
	case TOOL_OUT_KEY:
	case TOOL_OUT_CSR:
		result = add_string(tool, key, row, false, value);
		break;
	case TOOL_PASSPHRASE_FD:
		result = add_number(tool, key, row, value);
		break;
	default:
		return usage_error(tool, _("\"%s\" has no place in a request"), key);
	}
	if (result == 0)
		result = set_tool_option(tool, row, tool->settings[tool->setting_count - 1].value);
	return result;
}

static int take_passphrase(struct tool *tool, const json_t *value)
{
	if (!json_is_string(value))
		return usage_error(tool, _("\"%s\" takes text"), "passphrase");
	tool->passphrase_length = json_string_length(value);
	tool->passphrase = malloc(tool->passphrase_length + 1);
	if (tool->passphrase == NULL)
		return CERTDEPLOY_ENOMEM;
	memcpy(tool->passphrase, json_string_value(value), tool->passphrase_length + 1);
	return 0;
}

const struct option_row *option_of_key(const struct tool *tool, const char *key, bool *is_content)
{
	const struct option_row *row;
	char name[KEY_ROOM];
	size_t length = strlen(key), suffix = strlen(FILE_SUFFIX);

	if (length >= sizeof(name) || strchr(key, '-') != NULL)
		return NULL;
	for (size_t i = 0; i <= length; i++)
		name[i] = (char)(key[i] == '_' ? '-' : key[i]);
	row = find_option(tool->command, name, length);
	*is_content = row != NULL && row->effect == EFFECT_MATERIAL;
	if (row == NULL && length > suffix && strcmp(key + length - suffix, FILE_SUFFIX) == 0) {
		row = find_option(tool->command, name, length - suffix);
		if (row != NULL && row->effect != EFFECT_MATERIAL)
			row = NULL;
	}
	return row;
}

static int unknown_key(struct tool *tool, const char *key)
{
	char near[KEY_ROOM] = "";
	const char *option = nearest_option(tool->command, key);

	if (option == NULL)
		return usage_error(tool, _("\"%s\" is no key of a request for %s"), key,
				   tool->command->name);
	(void)snprintf(near, sizeof(near), "%s", option);
	for (char *letter = near; *letter != '\0'; letter++)
		if (*letter == '-')
			*letter = '_';
	return usage_error(tool, _("\"%s\" is no key of a request for %s; did you mean \"%s\"?"), key,
			   tool->command->name, near);
}

static int take_member(struct tool *tool, const char *key, const json_t *value)
{
	const struct option_row *row;
	bool is_content = false;

	if (strcmp(key, "command") == 0 || strcmp(key, "action") == 0 || json_is_null(value))
		return 0;
	if (strcmp(key, "batch") == 0 &&
	    takes_option(tool->command, find_option(&command_deploy, "batch", 5)))
		return take_batch(tool, value);
	row = option_of_key(tool, key, &is_content);
	if (strcmp(key, "passphrase") == 0 &&
	    find_option(tool->command, "passphrase-file", strlen("passphrase-file")) != NULL)
		return take_passphrase(tool, value);
	if (row == NULL)
		return unknown_key(tool, key);
	switch (row->effect) {
	case EFFECT_MATERIAL:
	case EFFECT_LIST:
	case EFFECT_ONCE:
	case EFFECT_SCOPE:
		return add_strings(tool, key, row, is_content, value);
	case EFFECT_FLAG:
		if (!json_is_boolean(value))
			return usage_error(tool, _("\"%s\" takes true or false"), key);
		return json_is_true(value) ? add_setting(tool, row, NULL, 0) : 0;
	case EFFECT_LIFE:
		if (json_is_string(value))
			return add_strings(tool, key, row, false, value);
		/* fall through */
	case EFFECT_NUMBER:
	case EFFECT_SECONDS:
		return add_number(tool, key, row, value);
	case EFFECT_TOOL:
		return take_tool_option(tool, key, row, value);
	case EFFECT_NEXT:
		break;
	}
	return 0;
}

/* store's action, where the command line has none. */
static int take_action(struct tool *tool, const json_t *value)
{
	const struct command *action = json_is_string(value) ? find_action(json_string_value(value)) : NULL;

	if (tool->command->id != COMMAND_STORE && tool->command->action == NULL)
		return value == NULL ? 0
				     : usage_error(tool, _("\"%s\" has no place in a request"), "action");
	if (action == NULL && (value != NULL || tool->command == &command_store))
		return missing_action(tool);
	tool->command = action == NULL ? tool->command : action;
	return 0;
}

static int take_command(struct tool *tool, const json_t *value)
{
	const struct command *command;

	if (value == NULL)
		return tool->command != NULL ? 0 : usage_error(tool, _("\"command\" is missing"));
	command = json_is_string(value) ? find_command(json_string_value(value)) : NULL;
	if (command == NULL)
		return usage_error(tool, _("\"command\" names no command"));
	if (command->id == COMMAND_HOOK)
		return usage_error(tool, _("\"%s\" has no place in a request"), command->name);
	if (tool->command != NULL && strcmp(tool->command->name, command->name) == 0)
		return 0;
	if (tool->command != NULL)
		return usage_error(tool, _("\"command\" is %s but the command line says %s"), command->name,
				   tool->command->name);
	tool->command = command;
	return 0;
}

int take_members(struct tool *tool, json_t *object)
{
	int result = 0;

	for (void *member = json_object_iter(object); result == 0 && member != NULL;
	     member = json_object_iter_next(object, member))
		result = take_member(tool, json_object_iter_key(member), json_object_iter_value(member));
	return result;
}

/* Beside a batch, it would be of the first of its certificates, or of the last. */
static int check_batch_alone(struct tool *tool, json_t *object)
{
	const json_t *batch = json_object_get(object, "batch");
	bool is_content;

	if (batch == NULL || json_is_null(batch))
		return 0;
	for (void *member = json_object_iter(object); member != NULL;
	     member = json_object_iter_next(object, member)) {
		const json_t *value = json_object_iter_value(member);
		const struct option_row *row =
			option_of_key(tool, json_object_iter_key(member), &is_content);

		if (row != NULL && is_of_one(row) && !json_is_null(value) && !json_is_false(value))
			return usage_error(tool, _("with a batch, certificates and targets stand in it"));
	}
	return 0;
}

static int take_object(struct tool *tool, json_t *object)
{
	const json_t *language = json_object_get(object, "lang");
	int result;

	if (language != NULL && !json_is_null(language)) {
		if (!json_is_string(language) ||
		    strspn(json_string_value(language), LANGUAGE_LETTERS) != json_string_length(language))
			return usage_error(tool, _("\"lang\" takes a language, as \"ja\""));
		set_language(json_string_value(language));
	}
	result = take_command(tool, json_object_get(object, "command"));
	if (result == 0)
		result = take_action(tool, json_object_get(object, "action"));
	if (result == 0)
		result = check_batch_alone(tool, object);
	return result == 0 ? take_members(tool, object) : result;
}

/* The library's own sentence may quote what stands near, which may be a key. */
static const char *why_not_json(const json_error_t *where)
{
	switch (json_error_code(where)) {
	case json_error_duplicate_key:
		return _("the request has a key twice");
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return _("a text in the request has a NUL");
	case json_error_numeric_overflow:
		return _("a number in the request is too large");
	case json_error_stack_overflow:
		return _("the request is nested too deeply");
	case json_error_invalid_utf8:
		return _("the request is not UTF-8");
	default:
		return _("the request is not JSON");
	}
}

int parse_json(json_t **out, struct tool *tool, char *bytes, size_t length)
{
	json_error_t where;
	int result = 0;

	json_set_alloc_funcs(wiping_malloc, wiping_free);
	json_room = JSON_ROOM + length;
	json_met = JSON_FITS;
	json_parses = true;
	*out = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &where);
	json_parses = false;
	json_room = JSON_ROOM_ENOUGH; /* what we write ourselves is no stranger's */
	if (json_met == JSON_TOO_MUCH)
		result = usage_error(tool, _("the request has too many parts"));
	else if (json_met == JSON_NO_MEMORY)
		result = CERTDEPLOY_ENOMEM;
	else if (*out == NULL)
		result = usage_error(tool, _("%s: line %d, column %d"), why_not_json(&where), where.line,
				     where.column);
	if (result != 0) {
		json_decref(*out);
		*out = NULL;
	}
	explicit_bzero(bytes, length);
	free(bytes);
	return result;
}

int read_json_request(struct tool *tool)
{
	char *bytes = NULL;
	size_t length = 0;
	json_t *object = NULL;
	int result = read_all(&bytes, &length, STDIN_FILENO, REQUEST_LIMIT);

	if (result != 0)
		return lone_failure(tool, result, _("standard input"));
	result = parse_json(&object, tool, bytes, length);
	if (result == 0 && !json_is_object(object))
		result = usage_error(tool, _("the request is not a JSON object"));
	if (result == 0)
		result = take_object(tool, object);
	json_decref(object);
	return result;
}
