/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check.c - certificate material, described and judged */
#include "tool.h"

static void print_names(const char *const *names)
{
	for (size_t i = 0; names != NULL && names[i] != NULL; i++)
		put_line(stdout, i == 0 ? "%s" : ", %s", names[i]);
	(void)fputc('\n', stdout);
}

static void add_pair(struct table *table, const char *label, const char *value)
{
	table_add(table, "  %s", label);
	table_add(table, "%s", value == NULL ? "-" : value);
}

static void add_facts(struct table *table, const struct certdeploy_certificate_report *report)
{
	char from[32], until[32], days[64];

	add_pair(table, _("Subject"), report->subject);
	add_pair(table, _("Issuer"), report->issuer);
	table_add(table, "  %s", _("Key"));
	table_add(table, "%s %u", report->key_type == NULL ? "-" : report->key_type, report->key_bits);
	add_pair(table, _("Signature"), report->signature);
	table_add(table, "  %s", _("Valid"));
	table_add(table, _("%s to %s (%s)"), show_time(from, report->not_before),
		  show_time(until, report->not_after), show_days(days, report->not_after));
	add_pair(table, _("Serial number"), report->serial);
	add_pair(table, "SHA-256", report->sha256);
	add_pair(table, _("Public key SHA-256"), report->public_key_sha256);
	if (report->must_staple)
		add_pair(table, "must-staple", _("yes"));
}

static void add_chain(struct table *table, const struct certdeploy_certificate_report *report)
{
	char until[32];

	for (size_t i = 0; report->chain != NULL && report->chain[i] != NULL; i++) {
		table_add(table, "  %s %zu", _("Chain"), i + 1);
		table_add(table, _("%s (until %s)"),
			  report->chain[i]->subject == NULL ? "-" : report->chain[i]->subject,
			  show_time(until, report->chain[i]->not_after));
	}
	add_pair(table, _("Chain complete"), report->chain_complete ? _("yes") : _("no"));
}

static void print(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_certificate_report *report;

	for (size_t i = 0; (report = certdeploy_result_certificate(result, i)) != NULL; i++) {
		struct table table;

		(void)fputs(styled(tool->color_out, STYLE_BOLD), stdout);
		print_names(report->names);
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
