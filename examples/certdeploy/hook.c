/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook.c - be an issuer's deploy hook: its words become a deploy request
 *
 *	certbot       RENEWED_LINEAGE: a directory with fullchain.pem and privkey.pem
 *	lego          LEGO_HOOK_CERT_PATH, _CERT_KEY_PATH, _CERT_NAME (before 5: without HOOK_)
 *	dehydrated    deploy_cert DOMAIN KEY CERT FULLCHAIN CHAIN [TIME]; unchanged_cert likewise
 *	acme.sh       Le_Domain, CERT_KEY_PATH, CERT_FULLCHAIN_PATH (reloadcmd),
 *	              or DOMAIN KEY CERT CA FULLCHAIN
 *
 * The certificate is known by the issuer's name for it: what was once deployed under this name goes to
 * the same target again, and a name not seen before to what it covers.
 */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

struct source {
	const char *name;
	const char *fullchain;
	const char *key;
};

static int add(struct tool *tool, const char *option, const char *value)
{
	const struct option_row *row = find_option(&command_deploy, option, strlen(option));

	return add_setting(tool, row, value, strlen(value));
}

/* What the store takes for a name: an issuer's may hold more. */
static void store_name(char *out, size_t room, const char *name)
{
	size_t used = 0;

	if (strncmp(name, "*.", 2) == 0) {
		used = (size_t)snprintf(out, room, "wildcard.");
		name += 2;
	}
	for (; *name != '\0' && used + 1 < room; name++) {
		char letter = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
		bool fits = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') ||
			    (strchr(".-", letter) != NULL && used != 0);

		out[used++] = fits ? letter : 'x';
	}
	out[used] = '\0';
}

static int deploy(struct tool *tool, const struct source *source)
{
	char name[256];
	int result;

	if (source->name == NULL || source->fullchain == NULL || source->key == NULL)
		return usage_error(tool,
				   _("the issuer's words or variables are missing; is this its hook?"));
	store_name(name, sizeof(name), source->name);
	tool->command = &command_deploy;
	result = add(tool, "name", name);
	if (result == 0)
		result = add(tool, "fullchain", source->fullchain);
	return result == 0 ? add(tool, "key", source->key) : result;
}

static const char *variable(const char *name)
{
	const char *value = issuer_variable(name);

	return value == NULL || value[0] == '\0' ? NULL : value;
}

static const char *either(const char *one, const char *other)
{
	return one == NULL ? other : one;
}

static int from_certbot(struct tool *tool)
{
	const char *given = variable("RENEWED_LINEAGE"), *slash;
	char lineage[ISSUER_VALUE], fullchain[ISSUER_VALUE + 32], key[ISSUER_VALUE + 32];
	struct source source = {NULL, fullchain, key};

	if (given != NULL) {
		/* A shell completes the directory's name with a slash. */
		for (size_t length = (size_t)snprintf(lineage, sizeof(lineage), "%s", given);
		     length > 1 && lineage[length - 1] == '/'; length--)
			lineage[length - 1] = '\0';
		slash = strrchr(lineage, '/');
		source.name = slash == NULL ? lineage : slash + 1;
		(void)snprintf(fullchain, sizeof(fullchain), "%s/fullchain.pem", lineage);
		(void)snprintf(key, sizeof(key), "%s/privkey.pem", lineage);
	}
	return deploy(tool, &source);
}

static int from_lego(struct tool *tool)
{
	struct source source = {
		either(variable("LEGO_HOOK_CERT_NAME"),
		       either(variable("LEGO_HOOK_CERT_DOMAIN"), variable("LEGO_CERT_DOMAIN"))),
		either(variable("LEGO_HOOK_CERT_PATH"), variable("LEGO_CERT_PATH")),
		either(variable("LEGO_HOOK_CERT_KEY_PATH"), variable("LEGO_CERT_KEY_PATH")),
	};

	return deploy(tool, &source);
}

/* Its other verbs mean nothing to us, and an unknown one must not fail. */
static int from_dehydrated(struct tool *tool, char *const *words, size_t count)
{
	struct source source = {0};

	if (count == 0)
		return usage_error(tool,
				   _("the issuer's words or variables are missing; is this its hook?"));
	if (strcmp(words[0], "deploy_cert") != 0 && strcmp(words[0], "unchanged_cert") != 0)
		return 0;
	if (count >= 5)
		source = (struct source){words[1], words[4], words[2]};
	return deploy(tool, &source);
}

static int from_acme_sh(struct tool *tool, char *const *words, size_t count)
{
	struct source source = {variable("Le_Domain"), variable("CERT_FULLCHAIN_PATH"),
				variable("CERT_KEY_PATH")};

	if (count >= 5)
		source = (struct source){words[0], words[4], words[1]};
	return deploy(tool, &source);
}

int take_hook(struct tool *tool, const char *issuer, char *const *words, size_t count)
{
	if (strcmp(issuer, "certbot") == 0)
		return from_certbot(tool);
	if (strcmp(issuer, "lego") == 0)
		return from_lego(tool);
	if (strcmp(issuer, "dehydrated") == 0)
		return from_dehydrated(tool, words, count);
	if (strcmp(issuer, "acme.sh") == 0)
		return from_acme_sh(tool, words, count);
	return usage_error(tool, _("hook takes certbot, lego, dehydrated or acme.sh"));
}

/* Reached only when the issuer told of something else than a certificate. */
static int nothing(struct certdeploy_result **out, struct certdeploy *cd,
		   const struct certdeploy_request *request)
{
	(void)cd;
	(void)request;
	*out = NULL;
	return 0;
}

const struct command command_hook = {
	.name = "hook",
	.id = COMMAND_HOOK,
	.operand = "ISSUER [WORD...]",
	.summary = N_("be the deploy hook of certbot, lego, dehydrated or acme.sh"),
	.run = nothing,
	.print = print_outcome,
};
