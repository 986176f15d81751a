/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * complete.c - what may follow on a command line
 *
 * The completion scripts of the shells call `certdeploy complete -- WORD…` with the words so far; the
 * last one is being typed. Candidates are printed one a line; nothing printed means a file's name.
 */
#include "tool.h"

#include <string.h>

struct typing {
	const char *word; /**< its beginning */
	const struct tool *tool;
};

static void offer(const struct typing *typing, const char *candidate)
{
	if (candidate == NULL || strncmp(candidate, typing->word, strlen(typing->word)) != 0)
		return;
	put_line(stdout, "%s\n", candidate);
}

static void offer_option(const struct typing *typing, const struct option_row *row)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "--%s", row->name);
	offer(typing, name);
}

static void offer_options(const struct typing *typing, const struct command *command)
{
	for (const struct option_row *row = option_table; row->name != NULL; row++)
		if (takes_option(command, row))
			offer_option(typing, row);
}

static void offer_services(const struct typing *typing, const struct certdeploy_result *result)
{
	const struct certdeploy_service_report *service;

	for (size_t i = 0; (service = certdeploy_result_service(result, i)) != NULL; i++)
		offer(typing, service->name);
}

static void offer_endpoints(const struct typing *typing, const struct certdeploy_result *result,
			    bool listeners)
{
	const struct certdeploy_service_report *service;

	for (size_t i = 0; (service = certdeploy_result_service(result, i)) != NULL; i++)
		for (size_t j = 0; service->endpoints != NULL && service->endpoints[j] != NULL; j++)
			offer(typing,
			      listeners ? service->endpoints[j]->listen : service->endpoints[j]->name);
}

static void offer_history(const struct typing *typing, const struct certdeploy_result *result)
{
	const struct certdeploy_transaction_report *past;

	for (size_t i = 0; (past = certdeploy_result_history(result, i)) != NULL; i++)
		offer(typing, past->id);
}

static void offer_names(const struct typing *typing, const struct certdeploy_result *result)
{
	const struct certdeploy_certificate_report *report;

	for (size_t i = 0; (report = certdeploy_result_certificate(result, i)) != NULL; i++)
		offer(typing, report->name);
}

/* Ask the host; a host that cannot be read offers nothing. */
static void offer_from_host(const struct typing *typing, int option)
{
	struct certdeploy_options options = CERTDEPLOY_OPTIONS_INIT;
	struct certdeploy_result *result = NULL;
	struct certdeploy *cd = NULL;
	int code;

	options.config_file = typing->tool->config_file;
	options.language = spoken_language();
	options.root = typing->tool->root;
	code = certdeploy_new(&cd, &options);
	if (code == 0 && option == CERTDEPLOY_SERVICE)
		code = certdeploy_discover(&result, cd, NULL);
	else if (code == 0 && (option == CERTDEPLOY_HOSTNAME || option == CERTDEPLOY_LISTENER))
		code = certdeploy_list(&result, cd, NULL);
	else if (code == 0 && option == CERTDEPLOY_NAME)
		code = certdeploy_store_list(&result, cd, NULL);
	else if (code == 0)
		code = certdeploy_history(&result, cd, NULL);
	if (code == 0 && result != NULL) {
		if (option == CERTDEPLOY_SERVICE)
			offer_services(typing, result);
		else if (option == CERTDEPLOY_HOSTNAME || option == CERTDEPLOY_LISTENER)
			offer_endpoints(typing, result, option == CERTDEPLOY_LISTENER);
		else if (option == CERTDEPLOY_NAME)
			offer_names(typing, result);
		else
			offer_history(typing, result);
	}
	certdeploy_result_free(result);
	certdeploy_free(cd);
}

static void offer_value(const struct typing *typing, const struct option_row *row)
{
	static const char *const colors[] = {"auto", "always", "never"};
	static const char *const codes[] = {"chain-incomplete", "expired",       "managed-elsewhere",
					    "name-mismatch",    "not-yet-valid", "self-signed",
					    "wrong-usage"};

	if (row->effect == EFFECT_TOOL && row->value == TOOL_COLOR)
		for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++)
			offer(typing, colors[i]);
	for (size_t i = 0; row->effect == EFFECT_SCOPE && verify_scopes[i] != NULL; i++)
		offer(typing, verify_scopes[i]);
	if (row->effect != EFFECT_LIST && row->effect != EFFECT_ONCE)
		return;
	if (row->value == CERTDEPLOY_ACCEPT)
		for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
			offer(typing, codes[i]);
	if (row->value == CERTDEPLOY_SERVICE || row->value == CERTDEPLOY_HOSTNAME ||
	    row->value == CERTDEPLOY_LISTENER || row->value == CERTDEPLOY_NAME)
		offer_from_host(typing, row->value);
}

/* The option that word is, if it is one that takes a value as its next word. */
static const struct option_row *awaiting_value(const struct command *command, const char *word)
{
	const struct option_row *row = NULL;

	if (strncmp(word, "--", 2) == 0)
		row = find_option(command, word + 2, strlen(word + 2));
	else if (strcmp(word, "-c") == 0)
		row = find_option(command, "config", strlen("config"));
	return row != NULL && takes_value(row) ? row : NULL;
}

/* Is its operand a name in the store? */
static bool names_certificate(const struct command *command)
{
	return command->id == COMMAND_EXPORT || command->id == COMMAND_TLSA || command->action != NULL;
}

void complete_words(struct tool *tool, char *const *words, size_t count)
{
	const struct option_row *awaiting = NULL;
	const struct command *command = NULL;
	struct typing typing = {.word = "", .tool = tool};

	if (count != 0 && strcmp(words[0], "--") == 0) {
		words++;
		count--;
	}
	for (size_t i = 0; i + 1 < count; i++) {
		if (awaiting != NULL && awaiting->effect == EFFECT_TOOL && awaiting->value == TOOL_ROOT)
			tool->root = words[i];
		else if (awaiting != NULL && awaiting->effect == EFFECT_TOOL &&
			 awaiting->value == TOOL_CONFIG)
			tool->config_file = words[i];
		else if (awaiting == NULL && command == NULL && words[i][0] != '-')
			command = find_command(words[i]);
		else if (awaiting == NULL && command == &command_store && find_action(words[i]) != NULL)
			command = find_action(words[i]);
		awaiting = awaiting == NULL ? awaiting_value(command, words[i]) : NULL;
	}
	if (count != 0)
		typing.word = words[count - 1];
	if (awaiting != NULL) {
		offer_value(&typing, awaiting);
	} else if (typing.word[0] == '-') {
		offer_options(&typing, command);
	} else if (command == NULL) {
		for (const struct command *const *row = command_table; *row != NULL; row++)
			offer(&typing, (*row)->name);
		offer(&typing, "help");
	} else if (command == &command_store) {
		for (size_t i = 0; store_action(i) != NULL; i++)
			offer(&typing, store_action(i)->action);
	} else if (command->operand != NULL) {
		offer_from_host(&typing,
				names_certificate(command) ? CERTDEPLOY_NAME : CERTDEPLOY_TRANSACTION);
	}
}
