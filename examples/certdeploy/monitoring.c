/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* monitoring.c - results for monitoring systems and as a page */
#include "tool.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- plug-ins ---- */

void print_nagios(int state, const char *sentence, const char *data)
{
	static const char *const states[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

	/* "|" begins the performance data. */
	(void)printf("CERTDEPLOY %s - ", states[state]);
	for (const char *at = sentence; *at != '\0';) {
		size_t length = strcspn(at, "|\n");

		(void)printf("%.*s", (int)length, at);
		at += length;
		if (*at != '\0') {
			(void)putchar(' ');
			at++;
		}
	}
	if (data != NULL)
		(void)printf(" | %s", data);
	(void)putchar('\n');
}

int nagios_state(const struct certdeploy_result *result)
{
	const struct certdeploy_problem *problem;
	int state = NAGIOS_OK;

	for (size_t i = 0; (problem = certdeploy_result_problem(result, i)) != NULL; i++) {
		if (problem->severity == CERTDEPLOY_ERROR)
			state = NAGIOS_CRITICAL;
		else if (problem->severity == CERTDEPLOY_WARNING && state == NAGIOS_OK)
			state = NAGIOS_WARNING;
	}
	return state;
}

const char *nagios_reason(const struct certdeploy_result *result, const struct certdeploy_problem *lone)
{
	const struct certdeploy_problem *problem, *worst = lone;

	for (size_t i = 0; (problem = certdeploy_result_problem(result, i)) != NULL; i++)
		if (worst == NULL || problem->severity > worst->severity)
			worst = problem;
	return worst == NULL ? _("nothing could be looked at") : worst->message;
}

/* ---- Prometheus ---- */

static void put_label(const char *name, const char *value, bool first)
{
	char *clean = clean_utf8(value == NULL ? "" : value);

	(void)printf("%s%s=\"", first ? "" : ",", name);
	for (const char *at = clean; at != NULL && *at != '\0'; at++) {
		if (*at == '\\' || *at == '"')
			(void)printf("\\%c", *at);
		else if (*at == '\n')
			(void)printf("\\n");
		else
			(void)putchar(*at);
	}
	(void)putchar('"');
	free(clean);
}

static void put_metric(const char *metric, const struct certdeploy_service_report *service,
		       const struct certdeploy_endpoint_report *endpoint, long long value)
{
	(void)printf("%s{", metric);
	put_label("service", service->name, true);
	put_label("protocol", endpoint->protocol, false);
	put_label("listen", endpoint->listen, false);
	put_label("sni", endpoint->name, false);
	put_label("filepath", endpoint->certificate, false);
	(void)printf("} %lld\n", value);
}

/* Whether an endpoint has the value, and the value. */
typedef bool value_fn(const struct certdeploy_endpoint_report *endpoint, long long *value);

static bool configured_until(const struct certdeploy_endpoint_report *endpoint, long long *value)
{
	*value = endpoint->not_after;
	return endpoint->not_after != 0;
}

static bool configured_from(const struct certdeploy_endpoint_report *endpoint, long long *value)
{
	*value = endpoint->not_before;
	return endpoint->not_before != 0;
}

static bool served_until(const struct certdeploy_endpoint_report *endpoint, long long *value)
{
	*value = endpoint->served_not_after;
	return endpoint->served_sha256 != NULL;
}

static bool served_matches(const struct certdeploy_endpoint_report *endpoint, long long *value)
{
	*value = endpoint->verified;
	return endpoint->served_sha256 != NULL && endpoint->sha256 != NULL;
}

static void put_family(const struct certdeploy_result *result, const char *metric, const char *help,
		       value_fn *get)
{
	const struct certdeploy_service_report *service;

	(void)printf("# HELP %s %s\n# TYPE %s gauge\n", metric, help, metric);
	for (size_t i = 0; (service = certdeploy_result_service(result, i)) != NULL; i++)
		for (size_t j = 0; service->endpoints[j] != NULL; j++) {
			const struct certdeploy_endpoint_report *one = service->endpoints[j];
			long long value = 0;

			for (; one != NULL && one->tls; one = one->also)
				if (get(one, &value))
					put_metric(metric, service, one, value);
		}
}

void print_prometheus(const struct certdeploy_result *result)
{
	put_family(result, "certdeploy_certificate_not_after",
		   "End of validity of the configured certificate.", configured_until);
	put_family(result, "certdeploy_certificate_not_before",
		   "Begin of validity of the configured certificate.", configured_from);
	put_family(result, "certdeploy_served_not_after",
		   "End of validity of the certificate that is served.", served_until);
	put_family(result, "certdeploy_served_matches_installed",
		   "Whether the certificate that is served is the configured one.", served_matches);
}

/* ---- HTML ---- */

static void put_html(const char *text)
{
	char *clean = clean_utf8(text == NULL ? "-" : text);

	for (const char *at = clean; at != NULL && *at != '\0'; at++) {
		switch (*at) {
		case '<':
			(void)fputs("&lt;", stdout);
			break;
		case '>':
			(void)fputs("&gt;", stdout);
			break;
		case '&':
			(void)fputs("&amp;", stdout);
			break;
		case '"':
			(void)fputs("&quot;", stdout);
			break;
		default:
			(void)putchar(*at);
		}
	}
	free(clean);
}

static void put_cell(const char *tag, const char *text)
{
	(void)printf("<%s>", tag);
	put_html(text);
	(void)printf("</%s>", tag);
}

static void put_row(const struct certdeploy_service_report *service,
		    const struct certdeploy_endpoint_report *endpoint)
{
	char until[32], left[64];

	(void)printf("<tr class=\"%s\">", endpoint->expiry == NULL ? "unknown" : endpoint->expiry);
	put_cell("td", service->name);
	put_cell("td", endpoint->protocol);
	put_cell("td", endpoint->listen);
	put_cell("td", endpoint->name == NULL ? _("(default)") : endpoint->name);
	put_cell("td", show_time(until, endpoint->not_after));
	put_cell("td", endpoint->not_after == 0 ? "-" : show_days(left, endpoint->not_after));
	put_cell("td", localized_word(endpoint->expiry));
	(void)fputs("</tr>\n", stdout);
}

void print_html(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_service_report *service;
	const struct certdeploy_problem *problem;
	const char *const headings[] = {_("SERVICE"),     _("PROTOCOL"),  _("LISTENER"), _("NAME"),
					_("VALID UNTIL"), _("TIME LEFT"), _("STATE")};

	(void)tool;
	(void)fputs("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>", stdout);
	put_html(_("Certificates"));
	(void)fputs("</title>\n<style>body{font-family:sans-serif}table{border-collapse:collapse}"
		    "td,th{border:1px solid #999;padding:.2em .5em;text-align:left}"
		    ".warning{background:#fe9}.critical,.expired{background:#f99}.unknown{background:#ddd}"
		    "</style></head>\n<body>",
		    stdout);
	put_cell("h1", _("Certificates"));
	(void)fputs("\n<table>\n<tr>", stdout);
	for (size_t i = 0; i < sizeof(headings) / sizeof(headings[0]); i++)
		put_cell("th", headings[i]);
	(void)fputs("</tr>\n", stdout);
	for (size_t i = 0; (service = certdeploy_result_service(result, i)) != NULL; i++)
		for (size_t j = 0; service->endpoints[j] != NULL; j++)
			for (const struct certdeploy_endpoint_report *one = service->endpoints[j];
			     one != NULL && one->tls; one = one->also)
				put_row(service, one);
	(void)fputs("</table>\n<ul>\n", stdout);
	for (size_t i = 0; (problem = certdeploy_result_problem(result, i)) != NULL; i++) {
		put_cell("li", problem->message);
		(void)putchar('\n');
	}
	(void)fputs("</ul>\n</body></html>\n", stdout);
}
