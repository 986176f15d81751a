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

/* Could a structure of any release have this size? One that was zeroed has not. */
static bool is_size(size_t size)
{
	return size >= sizeof(size_t) && size % sizeof(void *) == 0;
}

int certdeploy_options_init(struct certdeploy_options *options, size_t size)
{
	const struct certdeploy_options defaults = CERTDEPLOY_OPTIONS_INIT;

	if (options == NULL || size > sizeof(defaults) || !is_size(size))
		return CERTDEPLOY_EUSAGE;
	memcpy(options, &defaults, size);
	options->size = size;
	return 0;
}

enum fault { NO_FAULT, FAULT_NOT_MADE, FAULT_NEWER };

/*
 * A caller built against an older header has a shorter structure; one built against a newer header a
 * longer one, where only nothing may be asked for.
 */
static enum fault copy_options(struct certdeploy_options *copy, const struct certdeploy_options *options)
{
	const unsigned char *bytes = (const unsigned char *)options;

	*copy = (struct certdeploy_options)CERTDEPLOY_OPTIONS_INIT;
	if (options == NULL)
		return NO_FAULT;
	/* Else its root would not be seen, and the host itself be changed. */
	if (!is_size(options->size))
		return FAULT_NOT_MADE;
	memcpy(copy, options, options->size < sizeof(*copy) ? options->size : sizeof(*copy));
	for (size_t i = sizeof(*copy); i < options->size; i++)
		if (bytes[i] != 0)
			return FAULT_NEWER;
	return NO_FAULT;
}

/* What is wrong with the options, or else the settings. */
static int load(struct certdeploy *cd, enum fault fault, const char *config_file)
{
	if (fault == FAULT_NOT_MADE)
		return cd_fail(&cd->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("the program did not begin its options with CERTDEPLOY_OPTIONS_INIT or "
				 "certdeploy_options_init()"));
	if (fault == FAULT_NEWER)
		return cd_fail(&cd->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("the program was built for a newer libcertdeploy, and asks for what this "
				 "one does not know"));
	return cd_settings_load(&cd->settings, &cd->arena, &cd->problems, config_file, cd->root);
}

int certdeploy_new(struct certdeploy **out, const struct certdeploy_options *options)
{
	struct certdeploy_options copy;
	struct cd_language language;
	struct certdeploy *cd;
	enum fault fault;

	if (out == NULL)
		return CERTDEPLOY_EUSAGE;
	cd = calloc(1, sizeof(*cd));
	*out = cd;
	if (cd == NULL)
		return CERTDEPLOY_ENOMEM;
	fault = copy_options(&copy, options);
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
	cd->broken = load(cd, fault, copy.config_file);
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

	return cd == NULL || cd->problems.out_of_memory ? &no_memory : cd->error;
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
