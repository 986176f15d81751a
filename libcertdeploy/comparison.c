/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* comparison.c - what a new certificate changes against the installed one */
#include "comparison.h"

#include "base/buffer.h"
#include "base/text.h"

#include <string.h>

#define NAMES_SHOWN 20

static bool differs(const char *one, const char *other)
{
	return strcmp(one == NULL ? "" : one, other == NULL ? "" : other) != 0;
}

static bool covers_all(const char *const *names, const char *const *wanted)
{
	for (; wanted != NULL && *wanted != NULL; wanted++)
		if (!cd_names_cover(names, *wanted))
			return false;
	return true;
}

/* The names of one that the other does not cover, as text in the arena; NULL: memory is short. */
static const char *names_beyond(struct cd_problems *problems, const char *const *names,
				const char *const *other)
{
	struct cd_buffer text = {0};
	const char *joined = NULL;
	size_t count = 0;

	for (; names != NULL && *names != NULL; names++) {
		if (cd_names_cover(other, *names) || count++ > NAMES_SHOWN)
			continue;
		cd_buffer_string(&text, count == 1 ? "" : ", ");
		cd_buffer_string(&text, count > NAMES_SHOWN ? "…" : *names);
	}
	if (!text.failed)
		joined = cd_arena_string(&problems->arena, cd_buffer_text(&text));
	cd_buffer_free(&text);
	return joined;
}

static int compare_names(struct cd_problems *problems, const char *name, const char *const *installed,
			 const char *const *fresh)
{
	const char *text;

	if (!covers_all(installed, fresh)) {
		text = names_beyond(problems, fresh, installed);
		if (text == NULL)
			return cd_fail_memory(problems);
		cd_problem(problems, CERTDEPLOY_NOTICE, "names-added", NULL, 0,
			   _("names that the certificate installed as %s does not cover: %s"), name, text);
	}
	if (!covers_all(fresh, installed)) {
		text = names_beyond(problems, installed, fresh);
		if (text == NULL)
			return cd_fail_memory(problems);
		cd_problem(problems, CERTDEPLOY_WARNING, "names-removed", NULL, 0,
			   _("names that only the certificate installed as %s covers: %s"), name, text);
	}
	return 0;
}

static void compare_keys(struct cd_problems *problems, const char *name,
			 const struct certdeploy_certificate_report *installed,
			 const struct certdeploy_certificate_report *fresh)
{
	if (!differs(installed->public_key_sha256, fresh->public_key_sha256))
		cd_problem(problems, CERTDEPLOY_NOTICE, "key-reused", NULL, 0,
			   _("the new certificate of %s has the same key as the installed one"), name);
	else
		cd_problem(problems, CERTDEPLOY_NOTICE, "key-changed", NULL, 0,
			   _("the new certificate of %s has another key than the installed one"), name);
	if (differs(installed->key_type, fresh->key_type) || installed->key_bits != fresh->key_bits)
		cd_problem(problems, CERTDEPLOY_NOTICE, "key-type-changed", NULL, 0,
			   _("the key is %s of %u bits instead of %s of %u bits"), fresh->key_type,
			   fresh->key_bits, installed->key_type, installed->key_bits);
}

static void compare_dates(struct cd_problems *problems, const char *name, int64_t installed, int64_t fresh)
{
	char before[21], after[21];

	cd_utc(before, installed);
	cd_utc(after, fresh);
	if (fresh < installed)
		cd_problem(problems, CERTDEPLOY_WARNING, "ends-earlier", NULL, 0,
			   _("the certificate ends on %s, before the one installed as %s (%s)"), after,
			   name, before);
	else if (fresh > installed)
		cd_problem(problems, CERTDEPLOY_NOTICE, "ends-later", NULL, 0,
			   _("the certificate is valid until %s, the one installed as %s until %s"), after,
			   name, before);
}

int cd_compare(struct cd_problems *problems, const char *name,
	       const struct certdeploy_certificate_report *installed,
	       const struct certdeploy_certificate_report *fresh)
{
	if (!differs(installed->sha256, fresh->sha256)) {
		cd_problem(problems, CERTDEPLOY_NOTICE, "same-certificate", NULL, 0,
			   _("this certificate is installed as %s already"), name);
		return 0;
	}
	if (compare_names(problems, name, installed->names, fresh->names) != 0)
		return CERTDEPLOY_ENOMEM;
	compare_keys(problems, name, installed, fresh);
	if (differs(installed->issuer, fresh->issuer))
		cd_problem(problems, CERTDEPLOY_NOTICE, "issuer-changed", NULL, 0,
			   _("the issuer is %s instead of %s"), fresh->issuer, installed->issuer);
	compare_dates(problems, name, installed->not_after, fresh->not_after);
	return problems->out_of_memory ? CERTDEPLOY_ENOMEM : 0;
}
