/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check.c - certificate material, described and judged */
#include "tool.h"

#include <string.h>
#include <time.h>

/* An internationalized name in both of its forms. */
static void print_names(const struct certdeploy_certificate_report *report)
{
	const char *const *names = report->names, *const *people = report->names_unicode;

	for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
		put_line(stdout, i == 0 ? "%s" : ", %s", names[i]);
		if (people != NULL && strcmp(people[i], names[i]) != 0)
			put_line(stdout, " (%s)", people[i]);
	}
	(void)fputc('\n', stdout);
}

static void add_pair(struct table *table, const char *label, const char *value)
{
	table_add(table, "  %s", label);
	table_add(table, "%s", value == NULL ? "-" : value);
}

/* In the zone of this host: people compare it with their calendar. */
static const char *show_local(char buffer[64], int64_t time)
{
	time_t seconds = (time_t)time;
	struct tm parts;

	if (time == 0 || localtime_r(&seconds, &parts) == NULL ||
	    strftime(buffer, 64, "%Y-%m-%d %H:%M %Z", &parts) == 0)
		(void)snprintf(buffer, 64, "-");
	return buffer;
}

static void add_validity(struct table *table, const struct certdeploy_certificate_report *report)
{
	char from[64], until[64], days[64];

	table_add(table, "  %s", _("Valid"));
	table_add(table, _("%s to %s (%s)"), show_local(from, report->not_before),
		  show_local(until, report->not_after), show_days(days, report->not_after));
	if (report->not_after > report->not_before) {
		table_add(table, "  %s", _("Life left"));
		table_add(table, "%d %%", life_left(report));
	}
}

/* A request has neither issuer nor life. */
static void add_facts(struct table *table, const struct certdeploy_certificate_report *report)
{
	bool issued = report->sha256 != NULL;

	add_pair(table, _("Subject"), report->subject);
	if (issued)
		add_pair(table, _("Issuer"), report->issuer);
	table_add(table, "  %s", _("Key"));
	table_add(table, "%s %u", report->key_type == NULL ? "-" : report->key_type, report->key_bits);
	add_pair(table, _("Signature"), report->signature);
	if (issued) {
		add_validity(table, report);
		add_pair(table, _("Serial number"), report->serial);
		add_pair(table, "SHA-256", report->sha256);
	}
	add_pair(table, _("Public key SHA-256"), report->public_key_sha256);
	for (size_t i = 0; report->usages != NULL && report->usages[i] != NULL; i++)
		add_pair(table, i == 0 ? _("Usage") : "", report->usages[i]);
	if (issued)
		add_pair(table, _("Key from"), report->key_origin);
	else
		add_pair(table, _("Key of"), report->stored_as);
	if (report->must_staple)
		add_pair(table, "must-staple", _("yes"));
}

/* Each issuer below and right of what it issued; at the end what is not there. */
static void add_chain(struct table *table, const struct certdeploy_certificate_report *report)
{
	size_t depth = 0;
	char until[64];

	for (; report->chain != NULL && report->chain[depth] != NULL; depth++) {
		table_add(table, "  %s %zu", _("Chain"), depth + 1);
		table_add(table, _("%*s%s (until %s)"), (int)depth * 2, "",
			  report->chain[depth]->subject == NULL ? "-" : report->chain[depth]->subject,
			  show_local(until, report->chain[depth]->not_after));
	}
	if (report->missing_issuer != NULL) {
		table_add(table, "  %s %zu", _("Chain"), depth + 1);
		table_add(table, _("%*snot there: %s"), (int)depth * 2, "", report->missing_issuer);
	}
	add_pair(table, _("Chain complete"), report->chain_complete ? _("yes") : _("no"));
}

static void print(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_certificate_report *report;

	for (size_t i = 0; (report = certdeploy_result_certificate(result, i)) != NULL; i++) {
		struct table table;

		(void)fputs(styled(tool->color_out, STYLE_BOLD), stdout);
		print_names(report);
		(void)fputs(styled(tool->color_out, STYLE_PLAIN), stdout);
		table_begin(&table, 2);
		add_facts(&table, report);
		if (report->sha256 != NULL && !report->self_signed)
			add_chain(&table, report);
		table_print(&table, tool);
		table_free(&table);
	}
}

const struct command command_check = {
	.name = "check",
	.id = COMMAND_CHECK,
	.operand = NULL,
	.summary = N_("describe a certificate, key and chain, and check them"),
	.run = certdeploy_check,
	.print = print,
};
