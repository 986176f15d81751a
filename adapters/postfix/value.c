/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * value.c - what a parameter's value means: `$name`, `${name?yes:no}`, `${{a} == {b} ? {c} : {d}}`
 *
 * As mac_parse(3) and mac_expand(3) of Postfix, with the parameters of one service in view.
 */
#include "postfix.h"

#include <stdlib.h>

#define DEPTH_LIMIT 100
#define STEP_LIMIT 200000

struct expansion {
	struct postfix_model *model;
	const struct postfix_row *row;
	const char *file; /* where the value stands, for the refusal */
	size_t line;
	unsigned depth;
};

static int expand(struct postfix_text *out, struct expansion *x, const char *text);

/* What Postfix assumes where main.cf is silent, as compiled by Debian. */
static const char *const defaults[][2] = {
	{"command_directory", "/usr/sbin"},
	{"compatibility_level", "0"},
	{"daemon_directory", "/usr/lib/postfix/sbin"},
	{"data_directory", "/var/lib/postfix"},
	{"inet_interfaces", "all"},
	{"inet_protocols", "all"},
	{"lmtp_tls_key_file", "$lmtp_tls_cert_file"},
	{"lmtp_tls_eckey_file", "$lmtp_tls_eccert_file"},
	{"lmtp_tls_dkey_file", "$lmtp_tls_dcert_file"},
	{"mail_name", "Postfix"},
	{"mail_owner", "postfix"},
	{"meta_directory", "/etc/postfix"},
	{"postscreen_discard_ehlo_keywords", "$smtpd_discard_ehlo_keywords"},
	{"postscreen_enforce_tls", "$smtpd_enforce_tls"},
	{"postscreen_tls_security_level", "$smtpd_tls_security_level"},
	{"postscreen_use_tls", "$smtpd_use_tls"},
	{"process_name", "smtpd"},
	{"queue_directory", "/var/spool/postfix"},
	{"sample_directory", "/etc/postfix"},
	{"setgid_group", "postdrop"},
	{"shlib_directory", "/usr/lib/postfix"},
	{"smtp_tls_dkey_file", "$smtp_tls_dcert_file"},
	{"smtp_tls_eckey_file", "$smtp_tls_eccert_file"},
	{"smtp_tls_key_file", "$smtp_tls_cert_file"},
	{"smtpd_enforce_tls", "no"},
	{"smtpd_service_name", "smtpd"},
	{"smtpd_tls_dkey_file", "$smtpd_tls_dcert_file"},
	{"smtpd_tls_eckey_file", "$smtpd_tls_eccert_file"},
	{"smtpd_tls_key_file", "$smtpd_tls_cert_file"},
	{"smtpd_tls_wrappermode", "no"},
	{"smtpd_use_tls", "no"},
	{"syslog_name", "${multi_instance_name?{$multi_instance_name}:{postfix}}"},
	{"tlsproxy_service_name", "tlsproxy"},
	{"tlsproxy_tls_cert_file", "$smtpd_tls_cert_file"},
	{"tlsproxy_tls_chain_files", "$smtpd_tls_chain_files"},
	{"tlsproxy_tls_dcert_file", "$smtpd_tls_dcert_file"},
	{"tlsproxy_tls_dkey_file", "$smtpd_tls_dkey_file"},
	{"tlsproxy_tls_eccert_file", "$smtpd_tls_eccert_file"},
	{"tlsproxy_tls_eckey_file", "$smtpd_tls_eckey_file"},
	{"tlsproxy_tls_key_file", "$smtpd_tls_key_file"},
};

/* What follows the first dot of the name that a process goes by, be it one word. */
static const char *domain_of(const struct postfix_model *model, const struct postfix_row *row)
{
	const struct postfix_option *own = row == NULL ? NULL : postfix_row_option(row, "myhostname");
	const char *hostname =
		own != NULL && strchr(own->value, '$') == NULL ? own->value : model->hostname;
	const char *dot = hostname == NULL ? NULL : strchr(hostname, '.');

	return dot == NULL ? "localdomain" : dot + 1;
}

static const char *builtin(const struct postfix_model *model, const struct postfix_row *row,
			   const char *name)
{
	if (strcmp(name, "config_directory") == 0)
		return model->directory;
	if (strcmp(name, "mail_version") == 0)
		return model->version;
	if (strcmp(name, "default_database_type") == 0)
		return model->database_type == NULL ? "hash" : model->database_type;
	if (strcmp(name, "myhostname") == 0)
		return model->hostname;
	if (strcmp(name, "service_name") == 0)
		return row == NULL ? "smtp" : row->name;
	if (strcmp(name, "mydomain") == 0)
		return domain_of(model, row);
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (strcmp(name, defaults[i][0]) == 0)
			return defaults[i][1];
	return NULL;
}

void postfix_lookup(struct postfix_value *out, const struct postfix_model *model,
		    const struct postfix_row *row, const char *name)
{
	const char *planned;

	*out = (struct postfix_value){.raw = NULL};
	if (row != NULL)
		out->option = postfix_row_option(row, name);
	if (out->option != NULL) {
		out->raw = out->option->value;
		out->line = row->line;
		out->span = out->option->span;
		return;
	}
	out->parameter = postfix_table_get(&model->main.by_name, name);
	planned = postfix_table_get(&model->planned, name);
	if (out->parameter != NULL) {
		out->raw = out->parameter->value;
		out->line = out->parameter->line;
		out->span = out->parameter->span;
	}
	if (planned != NULL)
		out->raw = planned;
	if (out->raw == NULL)
		out->raw = builtin(model, row, name);
}

/* Whether postconf(5) has it as empty where main.cf is silent. */
static bool is_empty_by_default(const char *name)
{
	static const char *const empty[] = {
		"lmtp_tls_cert_file",          "lmtp_tls_dcert_file",   "lmtp_tls_eccert_file",
		"smtp_tls_cert_file",          "smtp_tls_dcert_file",   "smtp_tls_eccert_file",
		"smtpd_discard_ehlo_keywords", "smtpd_tls_cert_file",   "smtpd_tls_dcert_file",
		"smtpd_tls_eccert_file",       "smtpd_tls_chain_files", "smtpd_tls_security_level",
	};
	bool found = false;

	for (size_t i = 0; !found && i < sizeof(empty) / sizeof(empty[0]); i++)
		found = strcmp(name, empty[i]) == 0;
	return found;
}

/* What smtpd reads after the names of its certificates, by which time no default is known to it. */
static bool is_read_later(const char *name)
{
	static const char *const groups[] = {"smtpd_tls_", "tls_", "smtp_", "lmtp_", "postscreen_"};
	bool found = false;

	for (size_t i = 0; !found && i < sizeof(groups) / sizeof(groups[0]); i++)
		found = strncmp(name, groups[i], strlen(groups[i])) == 0;
	return found;
}

/* A parameter that main.cf does not set: perhaps one of Postfix's own that is not in the table. */
static int unset(const char **out, struct expansion *x, const char *name)
{
	struct postfix_model *model = x->model;
	char *key = certdeploy_copy(model->reading, name, strlen(name));
	const char *known;

	if (key == NULL)
		return CERTDEPLOY_ENOMEM;
	known = is_empty_by_default(key) || is_read_later(key) ? "" : postfix_table_get(&model->unset, key);
	if (known == NULL && certdeploy_is_live(model->reading))
		known = postfix_ask(model->reading, model->directory, key);
	else if (known == NULL)
		certdeploy_report(model->reading, CERTDEPLOY_NOTICE, "config-not-understood", x->file,
				  x->line,
				  _("main.cf does not set %s, and its default is not known here: it is "
				    "taken to be empty"),
				  key);
	*out = known == NULL ? "" : known;
	return postfix_table_put(&model->unset, model->reading, key, *out);
}

static int broken(struct expansion *x, const char *what)
{
	return certdeploy_refuse(x->model->reading, "config-syntax", x->file, x->line,
				 _("Postfix cannot expand this value: %s"), what);
}

static bool name_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '_';
}

static char *skip_space(char *at)
{
	while (postfix_space(*at))
		at++;
	return at;
}

/* What stands in braces at *at, ended by a NUL; *at moves behind it and the blanks after it. */
static int braced(char **payload, struct expansion *x, char **at)
{
	char *end = *at + 1;
	int level = 1;

	*payload = end;
	for (;; end++) {
		if (*end == '\0')
			return broken(x, "unbalanced {}");
		if (*end == '{')
			level++;
		else if (*end == '}' && --level == 0)
			break;
	}
	*end = '\0';
	*at = skip_space(end + 1);
	return 0;
}

static bool digits(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* "3.6" as one number to compare. */
static long level_of(const char *text)
{
	long parts[3] = {0, 0, 0};
	char *end = NULL;

	for (size_t i = 0; i < 3; i++) {
		parts[i] = strtol(text, &end, 10);
		if (end == NULL || *end != '.')
			break;
		text = end + 1;
	}
	return (parts[0] << 20) + (parts[1] << 10) + parts[2];
}

static int compare(bool *out, struct expansion *x, const char *operation, size_t length, const char *left,
		   const char *right)
{
	size_t sign = strspn(operation, "<>!=");
	bool levels = length - sign == 5 && memcmp(operation + sign, "level", 5) == 0;
	long order;

	if (length != sign && !levels)
		return broken(x, "unknown operator");
	if (levels)
		order = level_of(left) - level_of(right);
	else if (digits(left) && digits(right))
		order = strtol(left, NULL, 10) - strtol(right, NULL, 10);
	else
		order = strcmp(left, right);
	if (sign == 2 && memcmp(operation, "==", 2) == 0)
		*out = order == 0;
	else if (sign == 2 && memcmp(operation, "!=", 2) == 0)
		*out = order != 0;
	else if (sign == 2 && memcmp(operation, "<=", 2) == 0)
		*out = order <= 0;
	else if (sign == 2 && memcmp(operation, ">=", 2) == 0)
		*out = order >= 0;
	else if (sign == 1 && *operation == '<')
		*out = order < 0;
	else if (sign == 1 && *operation == '>')
		*out = order > 0;
	else
		return broken(x, "a comparison is expected");
	return 0;
}

/* `{left} == {right}` at *at. */
static int relation(const char **out, struct expansion *x, char **at)
{
	struct postfix_text left = {0}, right = {0};
	char *one, *other, *operation;
	size_t length;
	bool holds = false;
	int result = braced(&one, x, at);

	if (result != 0)
		return result;
	operation = *at;
	length = strspn(operation, "<>!=?+-*/~&|%");
	while (length > 0 && name_byte(operation[length]))
		length++;
	*at = skip_space(operation + length);
	if (**at != '{')
		return broken(x, "a braced expression is expected");
	result = braced(&other, x, at);
	if (result == 0)
		result = expand(&left, x, one);
	if (result == 0)
		result = expand(&right, x, other);
	if (result == 0)
		result = compare(&holds, x, operation, length, left.bytes == NULL ? "" : left.bytes,
				 right.bytes == NULL ? "" : right.bytes);
	*out = holds ? "true" : "";
	return result;
}

/* The name at the start of an expression; *at moves to "?", ":" or the end. */
static int named(const char **out, struct expansion *x, char **at)
{
	struct postfix_value value;
	char *start = skip_space(*at), *end = start, *next, kept;
	int result = 0;

	while (name_byte(*end))
		end++;
	next = skip_space(end);
	if (*next == '{')
		return certdeploy_refuse(x->model->reading, "config-not-understood", x->file, x->line,
					 _("functions in values are not understood"));
	if (*next != '\0' && *next != '?' && *next != ':')
		return broken(x, "attribute name syntax error");
	kept = *end;
	*end = '\0';
	postfix_lookup(&value, x->model, x->row, start);
	*out = value.raw;
	if (value.raw == NULL)
		result = unset(out, x, start);
	*end = kept;
	*at = next;
	return result;
}

/* One operand after "?" or ":": in braces, or all the rest. */
static int operand(struct postfix_text *out, struct expansion *x, char **at, bool wanted)
{
	char *text, *open = skip_space(*at);
	int result = 0;

	if (*open == '{') {
		*at = open;
		result = braced(&text, x, at);
		if (result != 0)
			return result;
	} else {
		text = *at;
		*at += strlen(*at);
	}
	return wanted ? expand(out, x, text) : 0;
}

/* The inside of ${…}, $(…) or a plain name. */
static int expression(struct postfix_text *out, struct expansion *x, char *at)
{
	char *open = skip_space(at);
	bool is_relation = *open == '{', test = false, full;
	const char *value = NULL;
	int result;

	if (is_relation)
		at = open;
	result = is_relation ? relation(&value, x, &at) : named(&value, x, &at);
	if (result != 0)
		return result;
	full = value != NULL && *value != '\0';
	if (*at == '?') {
		/* Text after "?" that is not in braces reaches to the end. */
		at++;
		test = true;
		result = operand(out, x, &at, full);
		if (result == 0 && *at != '\0' && *at != ':')
			return broken(x, "\":\" expected");
	}
	if (result == 0 && *at == ':') {
		at++;
		test = true;
		result = operand(out, x, &at, !full);
	}
	if (result == 0 && *at != '\0')
		return broken(x, "unexpected input");
	if (result == 0 && !test && full && !is_relation)
		result = expand(out, x, value);
	else if (result == 0 && !test && full)
		postfix_text_string(out, x->model->reading, value);
	return result;
}

/* The end of the expression that starts after "$" at *at; the inside goes to [*start, *end). */
static const char *bounds(const char *at, const char **start, const char **end)
{
	char open = *at, close = open == '(' ? ')' : '}';
	int level = 1;

	if (open != '(' && open != '{') {
		*start = at;
		while (name_byte(*at))
			at++;
		*end = at;
		return at;
	}
	*start = ++at;
	for (; level > 0; at++) {
		if (*at == '\0')
			return NULL;
		if (*at == open)
			level++;
		else if (*at == close)
			level--;
	}
	*end = at - 1;
	return at;
}

static int expand(struct postfix_text *out, struct expansion *x, const char *text)
{
	struct certdeploy_reading *reading = x->model->reading;
	int result = 0;

	if (x->depth++ > DEPTH_LIMIT)
		return broken(x, "unreasonable macro call nesting");
	while (result == 0 && *text != '\0') {
		size_t length = strcspn(text, "$");
		const char *start, *end;
		char *inside;

		postfix_text_add(out, reading, text, length);
		text += length;
		if (*text == '\0')
			break;
		if (text[1] == '$') {
			postfix_text_add(out, reading, "$", 1);
			text += 2;
			continue;
		}
		text = bounds(text + 1, &start, &end);
		if (text == NULL)
			return broken(x, "truncated macro reference");
		if (start == end)
			return broken(x, "empty macro name");
		if (x->model->steps++ > STEP_LIMIT || out->length > ((size_t)1 << 20))
			return certdeploy_refuse(reading, "config-not-understood", x->file, x->line,
						 _("the value expands to too much"));
		inside = certdeploy_copy(reading, start, (size_t)(end - start));
		result = inside == NULL ? CERTDEPLOY_ENOMEM : expression(out, x, inside);
	}
	x->depth--;
	return out->failed ? CERTDEPLOY_ENOMEM : result;
}

int postfix_expand(const char **out, struct postfix_model *model, const struct postfix_row *row,
		   const char *text, const char *file, size_t line)
{
	struct expansion x = {.model = model, .row = row, .file = file, .line = line};
	struct postfix_text expanded = {0};
	int result = 0;

	*out = text;
	if (strchr(text, '$') == NULL)
		return 0;
	result = expand(&expanded, &x, text);
	*out = expanded.bytes == NULL ? "" : expanded.bytes;
	return result;
}

int postfix_value(const char **out, struct postfix_model *model, const struct postfix_row *row,
		  const char *name)
{
	struct postfix_value value;

	postfix_lookup(&value, model, row, name);
	*out = "";
	if (value.raw == NULL)
		return 0;
	return postfix_expand(out, model, row, value.raw,
			      value.line == NULL ? model->main_path
						 : certdeploy_document_path(value.line->document),
			      value.line == NULL ? 0 : value.line->number);
}

int postfix_flag(bool *out, struct postfix_model *model, const struct postfix_row *row, const char *name)
{
	struct postfix_value value;
	const char *text;
	int result = postfix_value(&text, model, row, name);

	*out = strcasecmp(text, "yes") == 0;
	if (result != 0 || *out || *text == '\0' || strcasecmp(text, "no") == 0)
		return result;
	postfix_lookup(&value, model, row, name);
	return certdeploy_refuse(
		model->reading, "config-syntax",
		value.line == NULL ? model->main_path : certdeploy_document_path(value.line->document),
		value.line == NULL ? 0 : value.line->number, _("\"%s\" must be yes or no"), name);
}

static bool separator(char byte)
{
	return byte == ',' || byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

int postfix_split_spans(struct postfix_span **out, size_t *count, struct certdeploy_reading *reading,
			const char *text, bool braces)
{
	size_t at = 0;

	*out = NULL;
	*count = 0;
	for (;;) {
		size_t start;
		int level = 0;

		while (separator(text[at]))
			at++;
		if (text[at] == '\0')
			return 0;
		start = at;
		for (; text[at] != '\0'; at++) {
			if (braces && text[at] == '{')
				level++;
			else if (braces && text[at] == '}' && level > 0)
				level--;
			else if (level == 0 && separator(text[at]))
				break;
		}
		*out = postfix_grow(reading, *out, *count, sizeof(**out));
		if (*out == NULL)
			return CERTDEPLOY_ENOMEM;
		(*out)[(*count)++] = (struct postfix_span){start, at};
	}
}

int postfix_split_list(const char *const **out, struct certdeploy_reading *reading, const char *text,
		       bool braces)
{
	struct postfix_span *spans;
	size_t count;
	const char **list;
	int result = postfix_split_spans(&spans, &count, reading, text, braces);

	*out = NULL;
	if (result != 0)
		return result;
	list = certdeploy_alloc(reading, (count + 1) * sizeof(*list));
	for (size_t i = 0; list != NULL && i < count; i++) {
		list[i] = certdeploy_copy(reading, text + spans[i].start, spans[i].end - spans[i].start);
		if (list[i] == NULL)
			return CERTDEPLOY_ENOMEM;
	}
	*out = (const char *const *)list;
	return list == NULL ? CERTDEPLOY_ENOMEM : 0;
}
