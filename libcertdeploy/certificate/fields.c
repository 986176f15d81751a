/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fields.c - what CAs let stand in a request
 *
 * Lengths are RFC 5280's upper bounds in characters. Strict rules are the common ground of the commercial
 * CAs: ASCII of a few kinds; the others take every printable character, as names of organizations in
 * other scripts need it.
 */
#include "certificate/issue.h"

#include "base/hostname.h"
#include "base/language.h"
#include "base/text.h"

#include <string.h>

#define HOST_LIMIT 253
#define LABEL_LIMIT 63

struct rules {
	struct cd_problems *problems;
	bool strict;
	bool no_addresses;
	int result;
};

static void refuse(struct rules *rules, const char *field, const char *value, const char *why)
{
	int result = cd_fail(rules->problems, CERTDEPLOY_EREFUSED, "bad-field", NULL, 0, "%s \"%s\": %s",
			     cd_catalogue_text(rules->problems->catalogue, field),
			     cd_safe(&rules->problems->arena, value), why);

	if (rules->result == 0 || result == CERTDEPLOY_ENOMEM)
		rules->result = result;
}

static bool is_alphanumeric(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
}

static size_t characters_of(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

/* Why this is no host name, or NULL. `*` may be the whole first label. */
static const char *host_fault(const char *name)
{
	const char *rest = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
	size_t label = 0, length = strlen(name);

	if (length == 0 || length > HOST_LIMIT)
		return _("a host name has 1 to 253 characters");
	for (const char *at = rest;; at++) {
		if (*at == '.' || *at == '\0') {
			if (label == 0 || label > LABEL_LIMIT || at[-1] == '-')
				return _("each part of a host name has 1 to 63 characters and no - at its "
					 "end");
			if (*at == '\0')
				return strspn(at - label, "0123456789") == label
					       ? _("the last part of a host name is no number")
					       : NULL;
			label = 0;
			continue;
		}
		if ((unsigned char)*at >= 0x80)
			return _("write it in its ASCII form (xn--…)");
		if (*at == '*')
			return _("* stands only for the whole first part");
		if (!is_alphanumeric(*at) && *at != '-')
			return _("a host name holds letters, digits, - and .");
		if (label++ == 0 && *at == '-')
			return _("each part of a host name has 1 to 63 characters and no - at its end");
	}
}

static void check_common_name(struct rules *rules, const char *name)
{
	const char *fault;

	if (name == NULL || *name == '\0')
		return;
	if (cd_is_address(name))
		refuse(rules, _("common name"), name, _("an IP address is not possible here"));
	else if (strlen(name) > 64)
		refuse(rules, _("common name"), name, _("at most 64 characters are possible"));
	else if ((fault = host_fault(name)) != NULL)
		refuse(rules, _("common name"), name, fault);
}

static void check_names(struct rules *rules, const char *const *names)
{
	size_t count = 0;

	for (; names != NULL && *names != NULL; names++, count++) {
		const char *fault;

		if (cd_is_address(*names)) {
			if (rules->no_addresses)
				refuse(rules, _("name"), *names, _("an IP address is not possible here"));
		} else if ((fault = host_fault(*names)) != NULL) {
			refuse(rules, _("name"), *names, fault);
		}
		if (count == 1000)
			refuse(rules, _("name"), *names, _("more than 1000 names are not possible"));
	}
}

static bool is_blank(const char *text)
{
	return strspn(text, " -") == strlen(text);
}

static void check_text(struct rules *rules, const char *field, const char *value, size_t limit)
{
	static const char others[] = " -.+,'()/&:?=";
	size_t length = value == NULL ? 0 : strlen(value);
	const char *shown;

	if (value == NULL)
		return;
	shown = cd_printable(&rules->problems->arena, value, length, length + 1);
	if (length == 0 || characters_of(value) > limit) {
		refuse(rules, field, value,
		       limit == 64 ? _("1 to 64 characters are possible")
				   : _("1 to 128 characters are possible"));
		return;
	}
	if (shown != NULL && strcmp(shown, value) != 0) {
		refuse(rules, field, value, _("control characters and broken UTF-8 are not possible"));
		return;
	}
	if (value[0] == ' ' || value[length - 1] == ' ')
		refuse(rules, field, value, _("blanks at the beginning or the end are not possible"));
	for (size_t i = 0; rules->strict && i < length; i++)
		if (!is_alphanumeric(value[i]) && strchr(others, value[i]) == NULL) {
			refuse(rules, field, value,
			       _("this profile takes letters, digits, blanks and a few signs only"));
			return;
		}
	if (rules->strict && is_blank(value))
		refuse(rules, field, value, _("this profile does not take - or blanks alone"));
}

static void check_country(struct rules *rules, const char *value)
{
	if (value != NULL && (strlen(value) != 2 || !is_alphanumeric(value[0]) ||
			      !is_alphanumeric(value[1]) || value[0] <= '9' || value[1] <= '9'))
		refuse(rules, _("country"), value, _("two letters are needed, as JP"));
}

static void check_email(struct rules *rules, const char *value)
{
	const char *at = value == NULL ? NULL : strchr(value, '@');
	bool good = at != NULL && at != value && strchr(at + 1, '@') == NULL &&
		    host_fault(at + 1) == NULL && at[1] != '*' && strlen(value) <= 254;

	for (const char *byte = value; good && byte < at; byte++)
		good = is_alphanumeric(*byte) || strchr("!#$%&'*+-/=?^_`{|}~.", *byte) != NULL;
	if (value != NULL && !good)
		refuse(rules, _("e-mail"), value, _("this is no e-mail address"));
}

static void check_required(struct rules *rules, const struct cd_wish *wish)
{
	const struct {
		const char *field, *shown;
		bool there;
	} fields[] = {
		{"organization", _("organization"), wish->organization != NULL},
		{"unit", _("unit"), wish->units != NULL && wish->units[0] != NULL},
		{"locality", _("locality"), wish->locality != NULL},
		{"state", _("state"), wish->state != NULL},
		{"country", _("country"), wish->country != NULL},
		{"e-mail", _("e-mail"), wish->email != NULL},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (cd_in_list(wish->required, fields[i].field) && !fields[i].there)
			refuse(rules, fields[i].shown, "", _("this profile needs it"));
}

int cd_wish_check(struct cd_problems *problems, const struct cd_wish *wish)
{
	struct rules rules = {
		.problems = problems, .strict = wish->strict, .no_addresses = wish->no_addresses};

	if ((wish->common_name == NULL || *wish->common_name == '\0') &&
	    (wish->names == NULL || wish->names[0] == NULL))
		return cd_fail(problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("a name is needed (--san or --common-name)"));
	check_common_name(&rules, wish->common_name);
	check_names(&rules, wish->names);
	check_text(&rules, _("organization"), wish->organization, 64);
	for (const char *const *unit = wish->units; unit != NULL && *unit != NULL; unit++)
		check_text(&rules, _("unit"), *unit, 64);
	check_text(&rules, _("locality"), wish->locality, 128);
	check_text(&rules, _("state"), wish->state, 128);
	check_country(&rules, wish->country);
	check_email(&rules, wish->email);
	check_required(&rules, wish);
	return rules.result;
}
