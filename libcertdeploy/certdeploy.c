/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* certdeploy.c - the handle: made from options and settings, remembers the last error */
#include "handle.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_LINE 1024

const char *certdeploy_version(void)
{
	return PACKAGE_VERSION;
}

const char *certdeploy_code_name(int code)
{
	static const struct {
		int code;
		const char *name;
	} names[] = {
		{CERTDEPLOY_OK, "ok"},
		{CERTDEPLOY_EFAILED, "failed"},
		{CERTDEPLOY_EUSAGE, "usage"},
		{CERTDEPLOY_EPARTIAL, "partial"},
		{CERTDEPLOY_EROLLEDBACK, "rolled-back"},
		{CERTDEPLOY_EBROKEN, "broken"},
		{CERTDEPLOY_EREFUSED, "refused"},
		{CERTDEPLOY_ELOCKED, "locked"},
		{CERTDEPLOY_EDIFFERENT, "different"},
		{CERTDEPLOY_EPERMISSION, "permission"},
		{CERTDEPLOY_ENOMEM, "out-of-memory"},
		{CERTDEPLOY_ENOTFOUND, "not-found"},
		{CERTDEPLOY_ECANCELLED, "cancelled"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code)
			return names[i].name;
	return "unknown";
}

int certdeploy_options_init(struct certdeploy_options *options, size_t size)
{
	const struct certdeploy_options defaults = CERTDEPLOY_OPTIONS_INIT;

	if (size > sizeof(defaults) || size < sizeof(defaults.size))
		return CERTDEPLOY_EUSAGE;
	memcpy(options, &defaults, size);
	options->size = size;
	return 0;
}

/*
 * A caller built against an older header has a shorter structure; one built against a newer header a
 * longer one, where only nothing may be asked for. Returns false when something is.
 */
static bool copy_options(struct certdeploy_options *copy, const struct certdeploy_options *options)
{
	const unsigned char *bytes = (const unsigned char *)options;

	*copy = (struct certdeploy_options)CERTDEPLOY_OPTIONS_INIT;
	if (options == NULL)
		return true;
	memcpy(copy, options, options->size < sizeof(*copy) ? options->size : sizeof(*copy));
	for (size_t i = sizeof(*copy); i < options->size; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

int certdeploy_new(struct certdeploy **out, const struct certdeploy_options *options)
{
	struct certdeploy *cd = calloc(1, sizeof(*cd));
	struct certdeploy_options copy;
	struct cd_language language;
	bool known;

	*out = cd;
	if (cd == NULL)
		return CERTDEPLOY_ENOMEM;
	known = copy_options(&copy, options);
	(void)bindtextdomain(CD_DOMAIN, CD_LOCALEDIR);
	(void)bind_textdomain_codeset(CD_DOMAIN, "UTF-8");
	cd->progress = copy.progress;
	cd->log = copy.log;
	cd->passphrase = copy.passphrase;
	cd->user = copy.user;
	cd->root = cd_arena_string(&cd->arena, copy.root);
	cd->language = cd_arena_string(&cd->arena, copy.language);
	if (cd_catalogue_open(&cd->catalogue, CD_LOCALEDIR, copy.language) != 0 ||
	    (cd->root == NULL) != (copy.root == NULL) ||
	    (cd->language == NULL) != (copy.language == NULL)) {
		certdeploy_free(cd);
		*out = NULL;
		return CERTDEPLOY_ENOMEM;
	}
	cd->problems.catalogue = cd->catalogue;
	cd_language_enter(&language, cd->language);
	cd->broken = !known ? cd_fail(&cd->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
				      _("the program was built for a newer libcertdeploy, and asks for "
					"what this one does not know"))
			    : cd_settings_load(&cd->settings, &cd->arena, &cd->problems, copy.config_file,
					       cd->root);
	cd->error = cd_problems_error(&cd->problems, 0);
	cd_language_leave(&language);
	return cd->broken;
}

void certdeploy_free(struct certdeploy *cd)
{
	if (cd == NULL)
		return;
	cd_settings_free(&cd->settings);
	cd_problems_free(&cd->problems);
	cd_arena_free(&cd->arena);
	cd_catalogue_free(cd->catalogue);
	free(cd);
}

const struct certdeploy_problem *certdeploy_error(const struct certdeploy *cd)
{
	static const struct certdeploy_problem no_memory = {
		.severity = CERTDEPLOY_ERROR, .code = "out-of-memory", .message = "out of memory"};

	return cd->problems.out_of_memory ? &no_memory : cd->error;
}

int cd_progress(struct certdeploy *cd, struct cd_problems *problems, const char *what, size_t done,
		size_t total)
{
	if (cd->progress == NULL || cd->progress(cd->user, what, done, total) == 0)
		return 0;
	return cd_fail(problems, CERTDEPLOY_ECANCELLED, "cancelled", NULL, 0, _("stopped as asked"));
}

void cd_log(const struct certdeploy *cd, int level, const char *format, ...)
{
	char line[LOG_LINE];
	va_list arguments;

	if (cd->log == NULL)
		return;
	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	cd->log(cd->user, level, line);
}
