/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * modules.c - which modules are there, and the server's version
 *
 * <IfModule> knows a module by its structure's name (ssl_module) and by its source file's (mod_ssl.c);
 * both regard case. The compiled-in ones are asked from the binary; on a tree they are those of
 * Debian's packages, unless the settings name them.
 */
#include "adapter.h"
#include "hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Taken for a server whose version is not known. */
#define RECENT_PATCH 62

struct module {
	UT_hash_handle hh;
	char name[];
};

struct apache_modules {
	struct certdeploy_reading *reading;
	struct module *names;
};

/* Source files that are not named mod_NAME.c. */
static const struct {
	const char *module;
	const char *file;
} odd_names[] = {
	{"core", "core.c"},       {"http", "http_core.c"},      {"ldap", "util_ldap.c"},
	{"mpm_event", "event.c"}, {"mpm_prefork", "prefork.c"}, {"mpm_worker", "worker.c"},
};

static const char *const debian_modules[] = {"core",  "so",      "watchdog", "http", "log_config",
					     "logio", "version", "unixd",    NULL};

HASH_FUNCTION_BEGIN

static struct module *find(const struct apache_modules *modules, const char *name)
{
	struct module *found;

	HASH_FIND(hh, modules->names, name, strlen(name), found);
	return found;
}

static int add(struct apache_modules *modules, const char *name)
{
	struct certdeploy_reading *reading = modules->reading;
	struct module *module = find(modules, name);
	size_t length = strlen(name);

	if (module != NULL)
		return 0;
	module = certdeploy_alloc(reading, sizeof(*module) + length + 1);
	if (module == NULL)
		return CERTDEPLOY_ENOMEM;
	memcpy(module->name, name, length);
	HASH_ADD_KEYPTR(hh, modules->names, module->name, length, module);
	return module->hh.tbl == NULL ? CERTDEPLOY_ENOMEM : 0;
}

HASH_FUNCTION_END

/* A module by its bare name: ssl. */
static int add_both(struct apache_modules *modules, const char *base)
{
	const char *symbol = certdeploy_format(modules->reading, "%s_module", base), *file = NULL;

	for (size_t i = 0; i < sizeof(odd_names) / sizeof(*odd_names); i++)
		if (strcmp(base, odd_names[i].module) == 0)
			file = odd_names[i].file;
	if (file == NULL)
		file = certdeploy_format(modules->reading, "mod_%s.c", base);
	if (symbol == NULL || file == NULL)
		return CERTDEPLOY_ENOMEM;
	return add(modules, symbol) == 0 ? add(modules, file) : CERTDEPLOY_ENOMEM;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), wanted = strlen(end);

	return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

/* Any way to name a module: ssl, mod_ssl, ssl_module, mod_ssl.c, event.c. */
static int add_any(struct apache_modules *modules, const char *name)
{
	size_t length = strlen(name);
	const char *base;

	for (size_t i = 0; i < sizeof(odd_names) / sizeof(*odd_names); i++)
		if (strcmp(name, odd_names[i].file) == 0)
			return add_both(modules, odd_names[i].module);
	if (ends_with(name, ".c"))
		length -= 2;
	if (ends_with(name, "_module"))
		length -= strlen("_module");
	if (strncmp(name, "mod_", 4) == 0) {
		name += 4;
		length -= 4;
	}
	base = certdeploy_copy(modules->reading, name, length);
	return base == NULL ? CERTDEPLOY_ENOMEM : add_both(modules, base);
}

/* "Compiled in modules:", then one source file a line. */
static int add_answer(struct apache_modules *modules, const char *answer)
{
	int result = 0;

	while (result == 0 && *answer != '\0') {
		size_t length = strcspn(answer, "\n");
		size_t blank = strspn(answer, " \t");
		const char *name;

		if (blank > 0 && blank < length) {
			name = certdeploy_copy(modules->reading, answer + blank, length - blank);
			result = name == NULL ? CERTDEPLOY_ENOMEM : add_any(modules, name);
		}
		answer += length + (answer[length] == '\n' ? 1 : 0);
	}
	return result;
}

int apache_modules_new(struct apache_modules **out, struct certdeploy_reading *reading)
{
	const char *binary = certdeploy_setting(reading, "binary"), *answer;
	const char *const *names = certdeploy_setting_list(reading, "modules");
	const char *const argv[] = {binary, "-l", NULL};
	int result = 0;

	*out = certdeploy_alloc(reading, sizeof(**out));
	if (*out == NULL)
		return CERTDEPLOY_ENOMEM;
	(*out)->reading = reading;
	if (names == NULL && binary != NULL) {
		result = certdeploy_ask(&answer, reading, argv);
		if (result == 0)
			return add_answer(*out, answer);
		if (result == CERTDEPLOY_ENOMEM)
			return result;
		result = 0;
	}
	if (names == NULL)
		names = debian_modules;
	for (; result == 0 && *names != NULL; names++)
		result = add_any(*out, *names);
	return result;
}

/* mod_mpm_event.so is made of event.c: its own name tells nothing. */
static bool is_odd(const char *base, size_t length)
{
	for (size_t i = 0; i < sizeof(odd_names) / sizeof(*odd_names); i++)
		if (strlen(odd_names[i].module) == length &&
		    strncmp(base, odd_names[i].module, length) == 0)
			return true;
	return false;
}

int apache_module_load(struct apache_modules *modules, const char *name, const char *file)
{
	const char *slash = strrchr(file, '/'), *base = slash == NULL ? file : slash + 1;
	const char *source;
	size_t length = strlen(base);
	int result = add(modules, name);

	if (result == 0 && ends_with(name, "_module")) {
		const char *bare =
			certdeploy_copy(modules->reading, name, strlen(name) - strlen("_module"));

		result = bare == NULL ? CERTDEPLOY_ENOMEM : add_both(modules, bare);
	}
	if (ends_with(base, ".so"))
		length -= 3;
	if (result != 0 || strncmp(base, "mod_", 4) != 0 || is_odd(base + 4, length - 4))
		return result;
	source = certdeploy_format(modules->reading, "%.*s.c", (int)length, base);
	return source == NULL ? CERTDEPLOY_ENOMEM : add(modules, source);
}

bool apache_module_is(const struct apache_modules *modules, const char *name)
{
	return find(modules, name) != NULL;
}

bool apache_module_has(const struct apache_modules *modules, const char *base)
{
	char symbol[64];
	int length = snprintf(symbol, sizeof(symbol), "%s_module", base);

	return length > 0 && (size_t)length < sizeof(symbol) && find(modules, symbol) != NULL;
}

bool apache_modules_are_own(const struct apache_modules *modules)
{
	const size_t end = strlen("_module");

	/* Each is there by its structure's name; the other names are those of source files. */
	for (const struct module *module = modules->names; module != NULL; module = module->hh.next)
		if (!ends_with(module->name, ".c") &&
		    (!ends_with(module->name, "_module") ||
		     !apache_is_own_module(module->name, strlen(module->name) - end)))
			return false;
	return true;
}

/* ---- the version ---- */

static bool parse_version(struct apache_version *version, const char *text)
{
	return sscanf(text, "%9u.%9u.%9u", &version->numbers[0], &version->numbers[1],
		      &version->numbers[2]) >= 2;
}

int apache_version_find(struct apache_version *version, struct certdeploy_reading *reading)
{
	const char *text = certdeploy_setting(reading, "version");
	const char *binary = certdeploy_setting(reading, "binary"), *answer;
	const char *const argv[] = {binary, "-v", NULL};

	*version = (struct apache_version){{2, 4, RECENT_PATCH}, NULL};
	if (text == NULL && binary != NULL) {
		int result = certdeploy_ask(&answer, reading, argv);

		if (result == CERTDEPLOY_ENOMEM)
			return result;
		text = result == 0 ? strstr(answer, "Apache/") : NULL;
		if (text != NULL)
			text += strlen("Apache/");
	}
	if (text == NULL || !parse_version(version, text))
		return 0;
	version->text = certdeploy_format(reading, "%u.%u.%u", version->numbers[0], version->numbers[1],
					  version->numbers[2]);
	return version->text == NULL ? CERTDEPLOY_ENOMEM : 0;
}

int apache_version_compare(const struct apache_version *version, unsigned major, unsigned minor,
			   unsigned patch)
{
	const unsigned other[3] = {major, minor, patch};

	for (size_t i = 0; i < 3; i++)
		if (version->numbers[i] != other[i])
			return version->numbers[i] < other[i] ? -1 : 1;
	return 0;
}

/* As compare_version() of mod_version: MAJOR[.MINOR[.PATCH]]. False: not a version. */
static bool compare(const struct apache_version *version, const char *text, int *result)
{
	unsigned numbers[3] = {0, 0, 0};
	size_t count = 0;

	while (count < 3) {
		size_t digits = strspn(text, "0123456789");

		if (digits == 0 && (count == 0 || *text != '\0'))
			return false;
		numbers[count++] = (unsigned)strtoul(text, NULL, 10);
		text += digits;
		if (*text != '.')
			break;
		text++;
	}
	*result = apache_version_compare(version, numbers[0], numbers[1], numbers[2]);
	return *text == '\0';
}

/* A regular expression found anywhere in the version. */
static int match(struct certdeploy_reading *reading, const struct apache_version *version,
		 const char *expression, size_t length)
{
	const char *pattern =
		certdeploy_format(reading, "(?s:.*?)(?:%.*s)(?s:.*)", (int)length, expression);
	const char *subject = certdeploy_format(reading, "%u.%u.%u", version->numbers[0],
						version->numbers[1], version->numbers[2]);

	if (pattern == NULL || subject == NULL)
		return CERTDEPLOY_ENOMEM;
	return certdeploy_matches(reading, pattern, subject, false) ? 1 : 0;
}

int apache_version_is(struct certdeploy_reading *reading, const struct apache_version *version,
		      const char *const *words, size_t count)
{
	const char *op = count > 1 ? words[0] : "=", *text = words[count > 1 ? 1 : 0];
	bool negated = *op == '!';
	size_t length = strlen(text);
	int order = 0, result;

	if (negated && op[1] != '\0')
		op++;
	if (op[1] != '\0' && (op[1] != '=' || op[2] != '\0' || *op == '~'))
		return -1;
	if (*op == '~' || (*op == '=' && *text == '/')) {
		bool slashes = *text == '/' && length > 1 && text[length - 1] == '/';

		if (*op == '=' && !slashes)
			return -1;
		result = *op == '=' ? match(reading, version, text + 1, length - 2)
				    : match(reading, version, text, length);
	} else if (!compare(version, text, &order)) {
		return -1;
	} else if (*op == '=' || *op == '!') {
		result = order == 0;
	} else if (*op == '<') {
		result = order < 0 || (order == 0 && op[1] == '=');
	} else if (*op == '>') {
		result = order > 0 || (order == 0 && op[1] == '=');
	} else {
		return -1;
	}
	if (result < 0)
		return result;
	return (result == 1) != negated ? 1 : 0;
}

const char *apache_compiled_in(struct certdeploy_reading *reading, const char *name)
{
	const char *binary = certdeploy_setting(reading, "binary"), *answer, *found;
	const char *const argv[] = {binary, "-V", NULL};
	char *key;
	int result = binary == NULL ? CERTDEPLOY_ENOTFOUND : certdeploy_ask(&answer, reading, argv);

	/* It prints its answer and then, at odds with its configuration, may fail all the same. */
	if (result != 0 && result != CERTDEPLOY_EFAILED)
		return NULL;
	key = certdeploy_format(reading, "-D %s=\"", name);
	found = key == NULL ? NULL : strstr(answer, key);
	if (found == NULL)
		return NULL;
	found += strlen(key);
	return certdeploy_copy(reading, found, strcspn(found, "\"\n"));
}
