/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* table.c - every command and every option once: parser, help, completion and JSON keys come from here */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define ON(command) (1U << COMMAND_##command)
#define CHANGING (ON(PLAN) | ON(DEPLOY))
#define MATERIAL (CHANGING | ON(CHECK) | ON(IMPORT) | ON(TLSA))
#define NEW ON(REQUEST)
#define WAYS (CHANGING | ON(ROLLBACK))
#define STORE_CHANGING (ON(STORE_RENAME) | ON(STORE_REMOVE) | ON(STORE_ADOPT))
#define LOCKING                                                                                            \
	(STORE_CHANGING | ON(DEPLOY) | ON(PLAN) | ON(ROLLBACK) | ON(RECOVER) | ON(PRUNE) | ON(IMPORT) | NEW)

const struct command *const command_table[] = {
	&command_discover, &command_list,
	&command_check,    &command_plan,
	&command_deploy,   &command_verify,
	&command_doctor,   &command_expiry,
	&command_history,  &command_show,
	&command_diff,     &command_rollback,
	&command_recover,  &command_prune,
	&command_request,  &command_export,
	&command_import,   &command_tlsa,
	&command_store,    &command_adapters,
	&command_hook,     NULL,
};

/* Options whose help is NULL share the line of the next in the help. */
const struct option_row option_table[] = {
	/* global */
	{"config", 'c', "FILE", EFFECT_TOOL, TOOL_CONFIG, 0, N_("read this instead of certdeploy.conf")},
	{"root", 0, "DIR", EFFECT_TOOL, TOOL_ROOT, 0, N_("work on this tree as if it were /")},
	{"json", 0, NULL, EFFECT_TOOL, TOOL_JSON, 0, N_("one JSON object on standard output")},
	{"color", 0, "WHEN", EFFECT_TOOL, TOOL_COLOR, 0, NULL},
	{"lang", 0, "LANGUAGE", EFFECT_TOOL, TOOL_LANG, 0, N_("auto, always or never; as ja")},
	{"quiet", 'q', NULL, EFFECT_TOOL, TOOL_QUIET, 0, NULL},
	{"verbose", 'v', NULL, EFFECT_TOOL, TOOL_VERBOSE, 0, N_("only errors; what is done (-vv: more)")},
	{"version", 0, NULL, EFFECT_TOOL, TOOL_VERSION, 0, NULL},
	{"help", 'h', NULL, EFFECT_TOOL, TOOL_HELP, 0, ""},

	/* the certificate */
	{"cert", 0, NULL, EFFECT_MATERIAL, CERTDEPLOY_MATERIAL_CERT, MATERIAL, NULL},
	{"key", 0, NULL, EFFECT_MATERIAL, CERTDEPLOY_MATERIAL_KEY, MATERIAL, NULL},
	{"chain", 0, "F", EFFECT_MATERIAL, CERTDEPLOY_MATERIAL_CHAIN, MATERIAL,
	 N_("PEM files; - is standard input")},
	{"fullchain", 0, NULL, EFFECT_MATERIAL, CERTDEPLOY_MATERIAL_FULLCHAIN, MATERIAL, NULL},
	{"pkcs12", 0, "F", EFFECT_MATERIAL, CERTDEPLOY_MATERIAL_PKCS12, MATERIAL,
	 N_("the same in one file")},
	{"archive", 0, "F", EFFECT_MATERIAL, CERTDEPLOY_MATERIAL_ARCHIVE, ON(IMPORT),
	 N_("a whole store instead")},
	{"csr", 0, "F", EFFECT_MATERIAL, CERTDEPLOY_MATERIAL_CSR, ON(CHECK),
	 N_("a certificate signing request")},
	{"passphrase-file", 0, "F", EFFECT_TOOL, TOOL_PASSPHRASE_FILE, MATERIAL | ON(EXPORT) | NEW, NULL},
	{"passphrase-fd", 0, "N", EFFECT_TOOL, TOOL_PASSPHRASE_FD, MATERIAL | ON(EXPORT) | NEW,
	 N_("passphrase of the key")},
	{"name", 0, "NAME", EFFECT_ONCE, CERTDEPLOY_NAME,
	 CHANGING | ON(IMPORT) | ON(EXPORT) | ON(TLSA) | ON(CHECK) | NEW | STORE_CHANGING,
	 N_("its name in the store")},
	{"new-name", 0, "NAME", EFFECT_ONCE, CERTDEPLOY_NEW_NAME, ON(STORE_RENAME), N_("the name to be")},
	{"permissions", 0, "RULE", EFFECT_LIST, CERTDEPLOY_PERMISSIONS, CHANGING, NULL},
	{"fetch-issuer", 0, NULL, EFFECT_FLAG, CERTDEPLOY_FETCH_ISSUER, CHANGING,
	 N_("key=:ssl-cert:0640; ask its CA")},
	{"permissions", 0, "RULE", EFFECT_LIST, CERTDEPLOY_PERMISSIONS, ON(IMPORT) | ON(STORE_ADOPT),
	 N_("of its files, as key=:ssl-cert:0640")},
	{"fetch-issuer", 0, NULL, EFFECT_FLAG, CERTDEPLOY_FETCH_ISSUER, MATERIAL & ~CHANGING,
	 N_("fetch a missing issuer from its CA")},

	/* a new request */
	{"common-name", 0, NULL, EFFECT_ONCE, CERTDEPLOY_COMMON_NAME, NEW, NULL},
	{"san", 0, "HOST", EFFECT_LIST, CERTDEPLOY_SAN, NEW, N_("the names; --san may be repeated")},
	{"organization", 0, NULL, EFFECT_ONCE, CERTDEPLOY_ORGANIZATION, NEW, NULL},
	{"unit", 0, "TEXT", EFFECT_LIST, CERTDEPLOY_UNIT, NEW, N_("who asks for it")},
	{"locality", 0, NULL, EFFECT_ONCE, CERTDEPLOY_LOCALITY, NEW, NULL},
	{"state", 0, "TEXT", EFFECT_ONCE, CERTDEPLOY_STATE, NEW, N_("where that is")},
	{"country", 0, "CC", EFFECT_ONCE, CERTDEPLOY_COUNTRY, NEW, N_("two letters, as JP")},
	{"email", 0, "ADDRESS", EFFECT_ONCE, CERTDEPLOY_EMAIL, NEW, N_("few CAs want one")},
	{"key-type", 0, "TYPE", EFFECT_ONCE, CERTDEPLOY_KEY_TYPE, NEW,
	 N_("as rsa:4096, ec:p256; default rsa:2048")},
	{"profile", 0, "NAME", EFFECT_ONCE, CERTDEPLOY_PROFILE, NEW,
	 N_("lenient (default), strict or your own")},
	{"reuse-key", 0, NULL, EFFECT_FLAG, CERTDEPLOY_REUSE_KEY, NEW, N_("the key that --name has now")},
	{"self-signed", 0, NULL, EFFECT_FLAG, CERTDEPLOY_SELF_SIGNED, NEW,
	 N_("a certificate signed by itself instead")},
	{"days", 0, "N", EFFECT_NUMBER, CERTDEPLOY_DAYS, NEW, N_("how long that is valid (365)")},
	{"encrypt-key", 0, NULL, EFFECT_FLAG, CERTDEPLOY_ENCRYPT_KEY, NEW, N_("encrypt the key")},
	{"out-key", 0, "F", EFFECT_TOOL, TOOL_OUT_KEY, NEW, NULL},
	{"out-csr", 0, "F", EFFECT_TOOL, TOOL_OUT_CSR, NEW, N_("new files instead of the store")},
	{"format", 0, "FORMAT", EFFECT_ONCE, CERTDEPLOY_FORMAT, ON(EXPORT),
	 N_("pkcs12 (default), pem, fullchain, key")},
	{"out", 0, "F", EFFECT_TOOL, TOOL_OUT, ON(EXPORT) | ON(TLSA),
	 N_("a new file instead of standard output")},

	{"batch", 0, "F", EFFECT_TOOL, TOOL_BATCH, CHANGING, NULL},
	{"batch-dir", 0, "DIR", EFFECT_TOOL, TOOL_BATCH_DIR, CHANGING, N_("many certificates in one run")},

	/* the target */
	{"service", 0, "NAME", EFFECT_LIST, CERTDEPLOY_SERVICE,
	 CHANGING | ON(LIST) | ON(DISCOVER) | ON(VERIFY) | ON(DOCTOR) | ON(EXPIRY) | ON(ROLLBACK) |
		 ON(STORE_ADOPT),
	 N_("only this service; may be repeated")},
	{"hostname", 0, "HOST", EFFECT_LIST, CERTDEPLOY_HOSTNAME,
	 CHANGING | ON(CHECK) | ON(TLSA) | ON(LIST) | ON(VERIFY) | ON(DOCTOR) | ON(EXPIRY) |
		 ON(STORE_ADOPT),
	 N_("this host name; may be repeated")},
	{"address", 0, "IP[:PORT]", EFFECT_LIST, CERTDEPLOY_ADDRESS, CHANGING, NULL},
	{"listener", 0, "L", EFFECT_LIST, CERTDEPLOY_LISTENER, CHANGING | ON(STORE_ADOPT),
	 N_("what listens there")},
	{"default", 0, NULL, EFFECT_FLAG, CERTDEPLOY_DEFAULT, CHANGING | ON(STORE_ADOPT), NULL},
	{"all", 0, NULL, EFFECT_FLAG, CERTDEPLOY_ALL, CHANGING | ON(STORE_ADOPT),
	 N_("each service's default; everything")},
	{"all", 0, NULL, EFFECT_FLAG, CERTDEPLOY_ALL, ON(EXPORT), N_("the whole store instead")},
	{"live", 0, NULL, EFFECT_FLAG, CERTDEPLOY_LIVE, ON(LIST), N_("also what each port serves now")},

	/* the way */
	{"install-cert", 0, NULL, EFFECT_ONCE, CERTDEPLOY_INSTALL_CERT, CHANGING, NULL},
	{"install-key", 0, "P", EFFECT_ONCE, CERTDEPLOY_INSTALL_KEY, CHANGING,
	 N_("install to these paths,")},
	{"install-chain", 0, NULL, EFFECT_ONCE, CERTDEPLOY_INSTALL_CHAIN, CHANGING, NULL},
	{"install-fullchain", 0, "P", EFFECT_ONCE, CERTDEPLOY_INSTALL_FULLCHAIN, CHANGING,
	 N_("instead of the store")},
	{"install-only", 0, NULL, EFFECT_FLAG, CERTDEPLOY_INSTALL_ONLY, CHANGING, NULL},
	{"no-remember", 0, NULL, EFFECT_FLAG, CERTDEPLOY_NO_REMEMBER, CHANGING,
	 N_("only place files; not for renewals")},
	{"no-test", 0, NULL, EFFECT_FLAG, CERTDEPLOY_NO_TEST, WAYS, NULL},
	{"no-reload", 0, NULL, EFFECT_FLAG, CERTDEPLOY_NO_RELOAD, WAYS, NULL},
	{"no-verify", 0, NULL, EFFECT_FLAG, CERTDEPLOY_NO_VERIFY, WAYS, N_("leave out these steps")},
	{"no-reload", 0, NULL, EFFECT_FLAG, CERTDEPLOY_NO_RELOAD, ON(RECOVER),
	 N_("only the files: leave the servers alone")},
	{"restart", 0, NULL, EFFECT_FLAG, CERTDEPLOY_RESTART, WAYS, N_("restart instead of reload")},
	{"accept", 0, "CODE", EFFECT_LIST, CERTDEPLOY_ACCEPT, MATERIAL,
	 N_("let this problem pass; may be repeated")},
	{"also-changes", 0, NULL, EFFECT_FLAG, CERTDEPLOY_ALSO_CHANGES, CHANGING, NULL},
	{"drop-other-types", 0, NULL, EFFECT_FLAG, CERTDEPLOY_DROP_OTHER_TYPES, CHANGING | ON(IMPORT),
	 N_("other names, key types may change")},
	{"keep-going", 0, NULL, EFFECT_FLAG, CERTDEPLOY_KEEP_GOING, CHANGING, NULL},
	{"all-or-nothing", 0, NULL, EFFECT_FLAG, CERTDEPLOY_ALL_OR_NOTHING, CHANGING,
	 N_("services singly; certificates as one")},
	{"file", 0, "PATH", EFFECT_LIST, CERTDEPLOY_FILE, ON(ROLLBACK),
	 N_("only this file; may be repeated")},
	{"force", 0, NULL, EFFECT_FLAG, CERTDEPLOY_FORCE, ON(ROLLBACK) | ON(RECOVER),
	 N_("overwrite what was changed since")},
	{"keep", 0, "N", EFFECT_NUMBER, CERTDEPLOY_KEEP, ON(PRUNE), N_("backups to keep")},
	{"older", 0, "TIME", EFFECT_SECONDS, CERTDEPLOY_OLDER, ON(PRUNE),
	 N_("remove only what is older, as 30d or 12h")},
	{"wait", 0, "TIME", EFFECT_SECONDS, CERTDEPLOY_WAIT, LOCKING, N_("for another run to end (30s)")},
	{"verify", 0, "SCOPE", EFFECT_SCOPE, CERTDEPLOY_VERIFY_SCOPE, CHANGING, NULL},
	{"verify-timeout", 0, "TIME", EFFECT_SECONDS, CERTDEPLOY_VERIFY_TIMEOUT, WAYS | ON(VERIFY),
	 N_("the proof: which ports, how long")},
	{"dry-run", 0, NULL, EFFECT_TOOL, TOOL_DRY_RUN, CHANGING, N_("show the changes, make none (plan)")},
	{"warn", 0, NULL, EFFECT_LIFE, CERTDEPLOY_WARN_SECONDS, ON(EXPIRY), NULL},
	{"crit", 0, "33%|30d", EFFECT_LIFE, CERTDEPLOY_CRIT_SECONDS, ON(EXPIRY),
	 N_("limits of what is left, of its life or in time")},
	{"format", 0, "FORMAT", EFFECT_TOOL, TOOL_FORMAT, ON(EXPIRY),
	 N_("text, json, nagios, prometheus or html")},
	{"format", 0, "FORMAT", EFFECT_TOOL, TOOL_FORMAT, ON(DOCTOR), N_("text, json or nagios")},
	{"exit-code", 0, NULL, EFFECT_TOOL, TOOL_EXIT_CODE, ON(PLAN),
	 N_("exit 10 when there is something to do")},
	{"transaction", 0, "ID", EFFECT_ONCE, CERTDEPLOY_TRANSACTION, ON(SHOW) | ON(DIFF) | ON(ROLLBACK),
	 ""},
	{NULL, 0, NULL, EFFECT_TOOL, 0, 0, NULL},
};

const struct command *find_command(const char *name)
{
	for (const struct command *const *command = command_table; *command != NULL; command++)
		if (strcmp((*command)->name, name) == 0)
			return *command;
	return NULL;
}

bool takes_option(const struct command *command, const struct option_row *option)
{
	return option->commands == 0 || (command != NULL && (option->commands & 1U << command->id) != 0);
}

bool takes_value(const struct option_row *option)
{
	if (option->effect == EFFECT_TOOL)
		return option->argument != NULL;
	return option->effect != EFFECT_FLAG;
}

const struct option_row *find_option(const struct command *command, const char *name, size_t length)
{
	for (const struct option_row *row = option_table; row->name != NULL; row++)
		if (takes_option(command, row) && strlen(row->name) == length &&
		    strncmp(row->name, name, length) == 0)
			return row;
	return NULL;
}

#define LONGEST_WORD 32

static size_t least(size_t one, size_t other)
{
	return one < other ? one : other;
}

/* Letters to add, drop, replace or swap until one word is the other. */
static size_t distance(const char *one, const char *other)
{
	size_t rows[3][LONGEST_WORD + 1], *before = rows[0], *last = rows[1], *now = rows[2];
	size_t width = strlen(other), height = strlen(one);

	if (width > LONGEST_WORD || height > LONGEST_WORD)
		return LONGEST_WORD;
	for (size_t j = 0; j <= width; j++)
		before[j] = last[j] = j;
	for (size_t i = 1; i <= height; i++) {
		size_t *spare = before;

		now[0] = i;
		for (size_t j = 1; j <= width; j++) {
			now[j] = least(last[j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1),
				       least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[width];
}

/* Near means: a third of the letters wrong at most. */
static void consider(const char **best, size_t *best_distance, const char *word, const char *candidate)
{
	size_t found = distance(word, candidate);

	if (found < *best_distance && found * 3 <= strlen(candidate) + 1) {
		*best = candidate;
		*best_distance = found;
	}
}

const char *nearest_command(const char *word)
{
	size_t best_distance = LONGEST_WORD;
	const char *best = NULL;

	for (const struct command *const *command = command_table; *command != NULL; command++)
		consider(&best, &best_distance, word, (*command)->name);
	return best;
}

const char *nearest_option(const struct command *command, const char *word)
{
	size_t best_distance = LONGEST_WORD;
	const char *best = NULL;

	for (const struct option_row *row = option_table; row->name != NULL; row++)
		if (takes_option(command, row))
			consider(&best, &best_distance, word, row->name);
	return best;
}
