/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.c - a result as one JSON object, as doc/certdeploy.schema.json describes it
 *
 * Every member is always there; what is unknown is null. Text that is not UTF-8 has \xNN for its odd
 * bytes.
 */
#include "tool.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SCHEMA "certdeploy/1"

/* A string of any bytes; NULL becomes null. */
static json_t *text(const char *string)
{
	char *clean = NULL;
	json_t *value;

	if (string == NULL)
		return json_null();
	value = json_string(string);
	if (value != NULL)
		return value;
	clean = clean_utf8(string);
	value = clean == NULL ? NULL : json_string(clean);
	free(clean);
	return value;
}

static json_t *texts(const char *const *strings)
{
	json_t *list = json_array();

	for (; list != NULL && strings != NULL && *strings != NULL; strings++)
		if (json_array_append_new(list, text(*strings)) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *moment(int64_t seconds)
{
	time_t time = (time_t)seconds;
	struct tm parts;
	char buffer[32];

	if (seconds == 0 || gmtime_r(&time, &parts) == NULL ||
	    strftime(buffer, sizeof(buffer), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		return json_null();
	return json_string(buffer);
}

static json_t *number_or_null(size_t number)
{
	return number == 0 ? json_null() : json_integer((json_int_t)number);
}

static json_t *certificate_object(const struct certdeploy_certificate_report *report)
{
	json_t *chain = NULL;

	if (report->chain != NULL) {
		chain = json_array();
		for (size_t i = 0; chain != NULL && report->chain[i] != NULL; i++)
			if (json_array_append_new(chain, certificate_object(report->chain[i])) != 0) {
				json_decref(chain);
				return NULL;
			}
	} else {
		chain = json_null();
	}
	return json_pack(
		"{s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b, "
		"s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i}",
		"name", text(report->name), "sha256", text(report->sha256), "key_type",
		text(report->key_type), "key_bits", (int)report->key_bits, "names", texts(report->names),
		"subject", text(report->subject), "issuer", text(report->issuer), "serial",
		text(report->serial), "not_before", moment(report->not_before), "not_after",
		moment(report->not_after), "public_key_sha256", text(report->public_key_sha256),
		"signature", text(report->signature), "usages", texts(report->usages), "must_staple",
		report->must_staple, "self_signed", report->self_signed, "authority", report->authority,
		"chain", chain, "chain_complete", report->chain_complete, "names_unicode",
		texts(report->names_unicode), "missing_issuer", text(report->missing_issuer), "key_origin",
		text(report->key_origin), "stored_as", text(report->stored_as), "life_left",
		report->not_after > report->not_before ? json_integer(life_left(report)) : json_null(),
		"generation", text(report->generation), "generations", (int)report->generations, "waiting",
		(int)report->waiting);
}

/* The certificates of other key types beside an endpoint's own. */
static json_t *also_list(const struct certdeploy_endpoint_report *endpoint)
{
	json_t *list = json_array();

	for (const struct certdeploy_endpoint_report *one = endpoint->also; list != NULL && one != NULL;
	     one = one->also) {
		json_t *object = json_pack(
			"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "file",
			text(one->file), "line", number_or_null(one->line), "certificate",
			text(one->certificate), "key", text(one->key), "sha256", text(one->sha256),
			"key_type", text(one->key_type), "not_before", moment(one->not_before), "not_after",
			moment(one->not_after), "served_sha256", text(one->served_sha256),
			"served_not_after", moment(one->served_not_after), "verified", one->verified,
			"expiry", text(one->expiry));

		if (json_array_append_new(list, object) != 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

static json_t *endpoint_object(const struct certdeploy_endpoint_report *report)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:b, "
			 "s:b, s:o, s:o, s:o, s:o}",
			 "name", text(report->name), "listen", text(report->listen), "protocol",
			 text(report->protocol), "file", text(report->file), "line",
			 number_or_null(report->line), "certificate", text(report->certificate), "key",
			 text(report->key), "sha256", text(report->sha256), "key_type",
			 text(report->key_type), "not_after", moment(report->not_after), "served_sha256",
			 text(report->served_sha256), "served_not_after", moment(report->served_not_after),
			 "default", report->is_default, "tls", report->tls, "inherited", report->inherited,
			 "targeted", report->targeted, "verified", report->verified, "note",
			 text(report->note), "not_before", moment(report->not_before), "expiry",
			 text(report->expiry), "also", also_list(report));
}

static json_t *service_object(const struct certdeploy_service_report *report)
{
	json_t *endpoints = json_array();

	for (size_t i = 0; endpoints != NULL && report->endpoints != NULL && report->endpoints[i] != NULL;
	     i++)
		if (json_array_append_new(endpoints, endpoint_object(report->endpoints[i])) != 0) {
			json_decref(endpoints);
			return NULL;
		}
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", text(report->name),
			 "adapter", text(report->adapter), "version", text(report->version), "config",
			 text(report->config), "action", text(report->action), "state", text(report->state),
			 "running", report->running < 0 ? json_null() : json_boolean(report->running),
			 "endpoints", endpoints, "transaction", text(report->transaction));
}

static json_t *file_object(const struct certdeploy_file_report *report)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "path", text(report->path), "change", text(report->change),
			 "backup", text(report->backup), "service", text(report->service));
}

static json_t *history_object(const struct certdeploy_transaction_report *report)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", text(report->id), "time",
			 moment(report->time), "command", text(report->command), "who", text(report->who),
			 "result", text(report->result), "certificates", texts(report->certificates),
			 "services", texts(report->services), "files", texts(report->files));
}

static json_t *adapter_object(const struct certdeploy_adapter_report *report)
{
	return json_pack("{s:o, s:o, s:o}", "name", text(report->name), "summary", text(report->summary),
			 "file", text(report->file));
}

static json_t *problem_object(const struct certdeploy_problem *problem)
{
	static const char *const severities[] = {"notice", "warning", "error"};

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "severity",
			 severities[problem->severity], "code", text(problem->code), "message",
			 text(problem->message), "fix", text(problem->fix), "file", text(problem->file),
			 "line", number_or_null(problem->line), "service", text(problem->service),
			 "parameters", texts(problem->parameters), "order", number_or_null(problem->order));
}

/* One list of the result under key, each part made by MAKE; -1 when memory is short. */
#define PUT_LIST(object, key, result, ACCESS, MAKE)                                                        \
	do {                                                                                               \
		json_t *list = json_array();                                                               \
		if (json_object_set_new(object, key, list) != 0)                                           \
			return -1;                                                                         \
		for (size_t i = 0; (result) != NULL && ACCESS(result, i) != NULL; i++)                     \
			if (json_array_append_new(list, MAKE(ACCESS(result, i))) != 0)                     \
				return -1;                                                                 \
	} while (0)

/* A key is never shown: it is in the store, or in the file asked for. */
static int put_outputs(json_t *object, const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_output *output;
	json_t *list = json_array();

	if (json_object_set_new(object, "outputs", list) != 0)
		return -1;
	for (size_t i = 0; result != NULL && (output = certdeploy_result_output(result, i)) != NULL; i++) {
		bool shown = output->text && !output->secret;

		if (json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "name", output->name, "file",
							  text(output_file(tool, output)), "text",
							  text(shown ? output->bytes : NULL))) != 0)
			return -1;
	}
	return 0;
}

static int put_lists(json_t *object, const struct tool *tool, const struct certdeploy_result *result,
		     const struct certdeploy_problem *problem)
{
	enum command_id id = tool->command == NULL ? COMMAND_COUNT : tool->command->id;

	PUT_LIST(object, "certificates", result, certdeploy_result_certificate, certificate_object);
	PUT_LIST(object, "services", result, certdeploy_result_service, service_object);
	PUT_LIST(object, "files", result, certdeploy_result_file, file_object);
	if (json_object_set_new(object, "diff",
				text(result == NULL ? "" : certdeploy_result_diff(result))) != 0)
		return -1;
	if (id == COMMAND_HISTORY || id == COMMAND_SHOW || id == COMMAND_DIFF || id == COMMAND_PRUNE)
		PUT_LIST(object, "history", result, certdeploy_result_history, history_object);
	if (id == COMMAND_REQUEST || id == COMMAND_EXPORT || id == COMMAND_TLSA)
		if (put_outputs(object, tool, result) != 0)
			return -1;
	if (id == COMMAND_ADAPTERS)
		PUT_LIST(object, "adapters", result, certdeploy_result_adapter, adapter_object);
	PUT_LIST(object, "problems", result, certdeploy_result_problem, problem_object);
	if (problem != NULL)
		return json_array_append_new(json_object_get(object, "problems"), problem_object(problem));
	return 0;
}

static void free_json(char *json)
{
	json_malloc_t allocate;
	json_free_t release;

	json_get_alloc_funcs(&allocate, &release);
	release(json);
}

static char *render(const struct tool *tool, const struct certdeploy_result *result,
		    const struct certdeploy_problem *problem, int exit_status)
{
	size_t flags = JSON_INDENT(2) | JSON_PRESERVE_ORDER;
	json_t *object;
	char *json = NULL;

	object = json_pack(
		"{s:s, s:s, s:o, s:o, s:b, s:b, s:i, s:o}", "schema", SCHEMA, "version",
		certdeploy_version(), "command", text(tool->command == NULL ? NULL : tool->command->name),
		"action", text(tool->command == NULL ? NULL : tool->command->action), "ok",
		exit_status == 0 || exit_status == EXIT_TO_DO, "changed",
		result != NULL && certdeploy_result_changed(result), "exit", exit_status, "transaction",
		text(result == NULL ? NULL : certdeploy_result_transaction(result)));
	if (object != NULL && put_lists(object, tool, result, problem) == 0)
		json = json_dumps(object, flags);
	/* What a terminal would obey, or what hides, is written as \\u. */
	if (json != NULL && has_hidden(json)) {
		free_json(json);
		json = json_dumps(object, flags | JSON_ENSURE_ASCII);
	}
	json_decref(object);
	return json;
}

int print_json(const struct tool *tool, const struct certdeploy_result *result,
	       const struct certdeploy_problem *problem, int exit_status)
{
	const char *transaction = result == NULL ? NULL : certdeploy_result_transaction(result);
	char *json = render(tool, result, problem, exit_status);

	if (json != NULL) {
		(void)fputs(json, stdout);
		(void)fputc('\n', stdout);
		free_json(json);
		return 0;
	}
	/* Memory is short: the truth in a few words. Names of commands and transactions need no escapes. */
	(void)printf("{\"schema\": \"" SCHEMA "\", \"command\": %s%s%s, \"ok\": %s, \"changed\": %s, "
		     "\"exit\": %d, \"transaction\": %s%s%s, \"certificates\": [], \"services\": [], "
		     "\"files\": [], \"diff\": \"\", \"problems\": [{\"severity\": \"error\", "
		     "\"code\": \"out-of-memory\", \"message\": \"memory is short\", \"fix\": null, "
		     "\"file\": null, \"line\": null, \"service\": null, \"parameters\": [], \"order\": "
		     "null}]}\n",
		     tool->command == NULL ? "" : "\"",
		     tool->command == NULL ? "null" : tool->command->name,
		     tool->command == NULL ? "" : "\"", exit_status == 0 ? "true" : "false",
		     result != NULL && certdeploy_result_changed(result) ? "true" : "false", exit_status,
		     transaction == NULL ? "" : "\"", transaction == NULL ? "null" : transaction,
		     transaction == NULL ? "" : "\"");
	return -1;
}
