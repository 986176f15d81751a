/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-library.c - libcertdeploy with results made up, to see how the tool shows them
 *
 * The name given with -c chooses the story: "hostile" puts into every text what a terminal must never
 * see, "memory" has none, "slow" works until it is cancelled, "echo" returns the request as problems,
 * "broken" has a configuration that cannot be used, "empty" finds nothing.
 */
#include <certdeploy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVIL "evil\033[31m\r\n\x9b\xc2\x9b\xe2\x80\xae\xff"
#define ECHO_ROOM 64

struct certdeploy {
	struct certdeploy_options options;
	struct certdeploy_problem error;
};

struct certdeploy_request {
	struct certdeploy *cd;
	struct certdeploy_problem problems[ECHO_ROOM];
	char texts[ECHO_ROOM][256];
	size_t count;
};

struct certdeploy_result {
	int code;
	bool changed;
	bool nothing;
	const char *diff;
	const struct certdeploy_request *request;
	struct certdeploy_problem problems[ECHO_ROOM];
	char texts[ECHO_ROOM][256];
	size_t count;
	struct certdeploy_certificate_report root, leaf;
	const struct certdeploy_certificate_report *chain[2];
	struct certdeploy_endpoint_report endpoint[2];
	const struct certdeploy_endpoint_report *endpoints[3];
	struct certdeploy_service_report service[2];
	struct certdeploy_file_report file[2];
	struct certdeploy_transaction_report past;
	struct certdeploy_adapter_report adapter;
};

static bool story_is(const struct certdeploy *cd, const char *story)
{
	return cd->options.config_file != NULL && strcmp(cd->options.config_file, story) == 0;
}

const char *certdeploy_version(void)
{
	return "0.1.0";
}

int certdeploy_new(struct certdeploy **out, const struct certdeploy_options *options)
{
	struct certdeploy *cd = calloc(1, sizeof(*cd));

	*out = cd;
	if (cd == NULL)
		return CERTDEPLOY_ENOMEM;
	cd->options = *options;
	if (!story_is(cd, "broken"))
		return 0;
	cd->error = (struct certdeploy_problem){.severity = CERTDEPLOY_ERROR,
						.code = "settings",
						.message = "syntax error",
						.fix = "See certdeploy.conf(5).",
						.file = "broken",
						.line = 3};
	return CERTDEPLOY_EREFUSED;
}

void certdeploy_free(struct certdeploy *cd)
{
	free(cd);
}

const struct certdeploy_problem *certdeploy_error(const struct certdeploy *cd)
{
	return cd->error.code == NULL ? NULL : &cd->error;
}

int certdeploy_request_new(struct certdeploy_request **out, struct certdeploy *cd)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return CERTDEPLOY_ENOMEM;
	(*out)->cd = cd;
	return 0;
}

void certdeploy_request_free(struct certdeploy_request *request)
{
	free(request);
}

static int echo(struct certdeploy_request *request, const char *kind, int which, const char *value)
{
	size_t at = request->count++;

	if (at >= ECHO_ROOM)
		return CERTDEPLOY_EUSAGE;
	(void)snprintf(request->texts[at], sizeof(request->texts[at]), "%s %d %s", kind, which, value);
	request->problems[at] = (struct certdeploy_problem){
		.severity = CERTDEPLOY_NOTICE, .code = "echo", .message = request->texts[at]};
	return 0;
}

int certdeploy_request_next(struct certdeploy_request *request)
{
	return echo(request, "next", 0, "");
}

int certdeploy_request_leave_out(struct certdeploy_request *request)
{
	return echo(request, "leave out", 0, request->cd->error.file);
}

int certdeploy_request_add_memory(struct certdeploy_request *request, enum certdeploy_material_kind kind,
				  const void *bytes, size_t length, const char *origin)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "%s %zu %.*s", origin, length, (int)(length < 40 ? length : 40),
		       (const char *)bytes);
	return echo(request, "memory", (int)kind, text);
}

int certdeploy_request_add_file(struct certdeploy_request *request, enum certdeploy_material_kind kind,
				const char *path)
{
	char passphrase[64] = "-";
	int length = -1;

	if (strcmp(path, "absent.pem") == 0) {
		request->cd->error = (struct certdeploy_problem){.severity = CERTDEPLOY_ERROR,
								 .code = "not-found",
								 .message = "no such file",
								 .fix = "Check the path.",
								 .file = "absent.pem"};
		return CERTDEPLOY_ENOTFOUND;
	}
	if (strcmp(path, "locked.key") == 0) {
		length = request->cd->options.passphrase(request->cd->options.user, path, passphrase, 63);
		passphrase[length < 0 ? 0 : length] = '\0';
		return echo(request, "passphrase", length, passphrase);
	}
	return echo(request, "file", (int)kind, path);
}

int certdeploy_request_add(struct certdeploy_request *request, enum certdeploy_list_option option,
			   const char *value)
{
	return echo(request, "add", (int)option, value);
}

int certdeploy_request_set(struct certdeploy_request *request, enum certdeploy_flag flag, long value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%ld", value);
	return echo(request, "set", (int)flag, text);
}

static const char *const names[] = {"www.example.jp", "日本語.example.jp", NULL};
static const char *const evil_names[] = {EVIL, NULL};

static void tell(struct certdeploy_result *result, bool evil)
{
	const char *path = evil ? "/etc/" EVIL : "/etc/apache2/sites-enabled/www.example.jp.conf";
	const char *name = evil ? EVIL : "www.example.jp";

	result->root = (struct certdeploy_certificate_report){.subject = evil ? EVIL : "CN=Example 中間CA",
							      .issuer = name,
							      .names = names + 2,
							      .usages = names + 2,
							      .not_before = 1700000000,
							      .not_after = 1900000000,
							      .authority = true};
	result->chain[0] = &result->root;
	result->leaf = result->root;
	result->leaf.name = name;
	result->leaf.authority = false;
	result->leaf.sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	result->leaf.key_type = "rsa";
	result->leaf.key_bits = 2048;
	result->leaf.names = evil ? evil_names : names;
	result->leaf.chain = result->chain;
	result->leaf.chain_complete = true;
	result->endpoint[0] = (struct certdeploy_endpoint_report){.name = name,
								  .listen = "*:443",
								  .protocol = "https",
								  .file = path,
								  .line = 12,
								  .certificate = path,
								  .tls = true,
								  .targeted = true,
								  .verified = !evil,
								  .not_after = 1900000000,
								  .note = evil ? EVIL : NULL};
	result->endpoint[1] = result->endpoint[0];
	result->endpoint[1].name = evil ? NULL : "日本語.example.jp";
	result->endpoints[0] = &result->endpoint[0];
	result->endpoints[1] = &result->endpoint[1];
	result->service[0] = (struct certdeploy_service_report){.name = "apache",
								.adapter = "apache",
								.version = evil ? EVIL : "2.4.62",
								.config = path,
								.action = "reload",
								.state = evil ? "rolled-back" : "verified",
								.running = 1,
								.endpoints = result->endpoints,
								.transaction = "20261121T201136Z-1"};
	result->file[0] = (struct certdeploy_file_report){.path = path, .change = "edited", .backup = path};
	result->past = (struct certdeploy_transaction_report){.id = "20261121T201136Z-1",
							      .time = 1795291896,
							      .command = "deploy",
							      .who = evil ? EVIL : "root (sudo: hanako)",
							      .result = "committed",
							      .certificates = evil ? evil_names : names,
							      .services = names,
							      .files = evil ? evil_names : names};
	result->adapter = (struct certdeploy_adapter_report){
		.name = "apache", .summary = evil ? EVIL : "Apache HTTP Server 2.4", .file = NULL};
	result->diff = evil ? "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-" EVIL "\n+new\r\n"
			    : "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n";
	if (evil)
		result->problems[result->count++] =
			(struct certdeploy_problem){.severity = CERTDEPLOY_ERROR,
						    .code = "test-failed",
						    .message = EVIL,
						    .fix = EVIL,
						    .file = path,
						    .line = 7,
						    .service = "apache"};
}

static int work(struct certdeploy_result **out, struct certdeploy *cd,
		const struct certdeploy_request *request, bool changing)
{
	struct certdeploy_result *result;
	bool evil = story_is(cd, "hostile");

	*out = NULL;
	if (story_is(cd, "memory"))
		return CERTDEPLOY_ENOMEM;
	result = calloc(1, sizeof(*result));
	if (result == NULL)
		return CERTDEPLOY_ENOMEM;
	*out = result;
	result->nothing = story_is(cd, "empty");
	if (story_is(cd, "echo") && request != NULL) {
		memcpy(result->texts, request->texts, sizeof(result->texts));
		memcpy(result->problems, request->problems, sizeof(result->problems));
		for (result->count = 0; result->count < request->count; result->count++)
			result->problems[result->count].message = result->texts[result->count];
	}
	for (int i = 0; story_is(cd, "slow") && i < 400; i++) {
		(void)usleep(50 * 1000);
		if (cd->options.progress(cd->options.user, "waiting", (size_t)i, 400) != 0)
			return result->code = CERTDEPLOY_ECANCELLED;
	}
	tell(result, evil);
	result->changed = changing && !evil && !result->nothing;
	return result->code = evil && changing ? CERTDEPLOY_EROLLEDBACK : 0;
}

#define OPERATION(name, changing)                                                                          \
	int name(struct certdeploy_result **out, struct certdeploy *cd,                                    \
		 const struct certdeploy_request *request)                                                 \
	{                                                                                                  \
		return work(out, cd, request, changing);                                                   \
	}
OPERATION(certdeploy_discover, false)
OPERATION(certdeploy_list, false)
OPERATION(certdeploy_check, false)
OPERATION(certdeploy_plan, false)
OPERATION(certdeploy_deploy, true)
OPERATION(certdeploy_verify, false)
OPERATION(certdeploy_expiry, false)
OPERATION(certdeploy_doctor, false)
OPERATION(certdeploy_history, false)
OPERATION(certdeploy_show, false)
OPERATION(certdeploy_diff, false)
OPERATION(certdeploy_rollback, true)
OPERATION(certdeploy_recover, true)
OPERATION(certdeploy_prune, true)
OPERATION(certdeploy_adapters, false)
OPERATION(certdeploy_csr, true)
OPERATION(certdeploy_export, false)
OPERATION(certdeploy_import, true)
OPERATION(certdeploy_store_list, false)
OPERATION(certdeploy_store_rename, true)
OPERATION(certdeploy_store_remove, true)
OPERATION(certdeploy_store_adopt, true)
OPERATION(certdeploy_tlsa, false)

void certdeploy_result_free(struct certdeploy_result *result)
{
	free(result);
}

int certdeploy_result_code(const struct certdeploy_result *result)
{
	return result->code;
}

bool certdeploy_result_changed(const struct certdeploy_result *result)
{
	return result->changed;
}

const char *certdeploy_result_transaction(const struct certdeploy_result *result)
{
	return result->changed ? "20261121T201136Z-1" : NULL;
}

const char *certdeploy_result_diff(const struct certdeploy_result *result)
{
	return result->nothing || result->diff == NULL ? "" : result->diff;
}

const struct certdeploy_problem *certdeploy_result_problem(const struct certdeploy_result *result,
							   size_t position)
{
	return position < result->count ? &result->problems[position] : NULL;
}

#define PART(type, name, member)                                                                           \
	const struct type *name(const struct certdeploy_result *result, size_t position)                   \
	{                                                                                                  \
		return position == 0 && !result->nothing ? &result->member : NULL;                         \
	}
PART(certdeploy_certificate_report, certdeploy_result_certificate, leaf)
PART(certdeploy_service_report, certdeploy_result_service, service[0])
PART(certdeploy_file_report, certdeploy_result_file, file[0])
PART(certdeploy_transaction_report, certdeploy_result_history, past)
PART(certdeploy_adapter_report, certdeploy_result_adapter, adapter)

const struct certdeploy_output *certdeploy_result_output(const struct certdeploy_result *result,
							 size_t position)
{
	static const struct certdeploy_output csr = {"csr", "text\n", 5, false, true};

	return position == 0 && !result->nothing ? &csr : NULL;
}
