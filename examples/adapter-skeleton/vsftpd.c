/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vsftpd.c - an adapter outside the library, to be copied and changed
 *
 * vsftpd(8) has one flat file of NAME=VALUE lines (vsftpd.conf(5)): no blanks around "=", comments only
 * at the start of a line, the last of two equal names counts, an unknown name is fatal. It serves one
 * certificate: rsa_cert_file and rsa_private_key_file, or the dsa_ pair; the key defaults to the
 * certificate's file. TLS is spoken when ssl_enable=YES, begun by AUTH TLS, or at once with
 * implicit_ssl=YES. A standalone server reads certificates only when it starts: a reload is a restart.
 *
 * Read from top to bottom: what is understood, what it means, where an edit goes, how to control it.
 */
#include <certdeploy-adapter.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- what is understood ---- */

/* One NAME=VALUE line: where its value stands. */
struct line {
	const char *name;
	const char *value; /* the bytes as they are */
	size_t value_offset;
	size_t value_length;
	size_t number;
	struct line *next;
};

struct model {
	const struct certdeploy_document *document;
	struct line *first;
	struct line *last;
};

static int add_line(struct certdeploy_reading *reading, struct model *model, const char *bytes,
		    size_t start, size_t end, size_t number)
{
	const char *equals = memchr(bytes + start, '=', end - start);
	struct line *line;

	if (equals == NULL)
		return certdeploy_refuse(reading, "config-syntax",
					 certdeploy_document_path(model->document), number,
					 "a line is neither a comment nor NAME=VALUE");
	line = certdeploy_alloc(reading, sizeof(*line));
	if (line == NULL)
		return CERTDEPLOY_ENOMEM;
	line->name = certdeploy_copy(reading, bytes + start, (size_t)(equals - bytes) - start);
	line->value_offset = (size_t)(equals - bytes) + 1;
	line->value_length = end - line->value_offset;
	line->value = certdeploy_copy(reading, bytes + line->value_offset, line->value_length);
	line->number = number;
	if (line->name == NULL || line->value == NULL)
		return CERTDEPLOY_ENOMEM;
	if (model->last == NULL)
		model->first = line;
	else
		model->last->next = line;
	model->last = line;
	return 0;
}

static int read_lines(struct certdeploy_reading *reading, struct model *model)
{
	size_t length, number = 0, end;
	const char *bytes = certdeploy_document_bytes(model->document, &length);
	int result = 0;

	for (size_t start = 0; result == 0 && start < length; start = end + 1) {
		const char *newline = memchr(bytes + start, '\n', length - start);
		size_t stop;

		end = newline == NULL ? length : (size_t)(newline - bytes);
		stop = end;
		number++;
		/* vsftpd strips blanks at the end of a line, a CR among them. */
		while (stop > start && strchr(" \t\r", bytes[stop - 1]) != NULL)
			stop--;
		if (stop > start && bytes[start] != '#')
			result = add_line(reading, model, bytes, start, stop, number);
	}
	return result;
}

/* The line that counts, or NULL. */
static const struct line *find(const struct model *model, const char *name)
{
	const struct line *found = NULL;

	for (const struct line *line = model->first; line != NULL; line = line->next)
		if (strcasecmp(line->name, name) == 0)
			found = line;
	return found;
}

static const char *value_of(const struct model *model, const char *name, const char *otherwise)
{
	const struct line *line = find(model, name);

	return line == NULL ? otherwise : line->value;
}

static bool is_on(const struct model *model, const char *name)
{
	const char *value = value_of(model, name, "NO");

	return strcasecmp(value, "YES") == 0 || strcasecmp(value, "TRUE") == 0 || strcmp(value, "1") == 0;
}

/* ---- what it means ---- */

#define DEFAULT_CERTIFICATE "/usr/share/ssl/certs/vsftpd.pem"

static int add_endpoint(struct certdeploy_reading *reading, const struct model *model)
{
	const struct line *certificate = find(model, "rsa_cert_file");
	const char *address = value_of(model, "listen_address", NULL);
	struct certdeploy_pair *pair = certdeploy_alloc(reading, sizeof(*pair));
	struct certdeploy_endpoint endpoint = {.is_default = true};

	if (pair == NULL)
		return CERTDEPLOY_ENOMEM;
	pair->certificate = certificate == NULL ? DEFAULT_CERTIFICATE : certificate->value;
	pair->key = value_of(model, "rsa_private_key_file", pair->certificate);
	pair->file = certdeploy_document_path(model->document);
	pair->line = certificate == NULL ? 0 : certificate->number;
	endpoint.pairs = pair;
	endpoint.pair_count = 1;
	endpoint.file = pair->file;
	endpoint.line = pair->line;
	endpoint.decider = model;
	endpoint.tls = is_on(model, "ssl_enable");
	endpoint.start = is_on(model, "implicit_ssl") ? CERTDEPLOY_START_IMPLICIT : CERTDEPLOY_START_FTP;
	endpoint.protocol = endpoint.start == CERTDEPLOY_START_FTP ? "ftp" : "ftps";
	endpoint.address = address;
	endpoint.port = (uint16_t)strtoul(value_of(model, "listen_port", "21"), NULL, 10);
	endpoint.listen = certdeploy_format(reading, "%s:%u", address == NULL ? "*" : address,
					    (unsigned)endpoint.port);
	if (endpoint.listen == NULL)
		return CERTDEPLOY_ENOMEM;
	return certdeploy_add_endpoint(reading, &endpoint);
}

static int read_configuration(struct certdeploy_reading *reading)
{
	const char *config = certdeploy_setting(reading, "config");
	struct model *model = certdeploy_alloc(reading, sizeof(*model));
	int result;

	if (model == NULL)
		return CERTDEPLOY_ENOMEM;
	result = certdeploy_read(&model->document, reading, config == NULL ? "/etc/vsftpd.conf" : config);
	if (result == 0)
		result = read_lines(reading, model);
	certdeploy_set_model(reading, model);
	return result == 0 ? add_endpoint(reading, model) : result;
}

/* ---- where an edit goes ---- */

/* The writer of this grammar: a value is the rest of the line, so neither newline nor outer blanks. */
static int check_value(struct certdeploy_reading *reading, const char *value)
{
	size_t length = strlen(value);

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
			length = 0;
	if (length == 0 || value[0] == ' ' || value[length - 1] == ' ')
		return certdeploy_refuse(reading, "config-not-understood", NULL, 0,
					 "vsftpd.conf cannot express this path");
	return 0;
}

static int set(struct certdeploy_reading *reading, struct certdeploy_edits *edits,
	       const struct model *model, const char *name, const char *value)
{
	const struct line *line = find(model, name);
	size_t length;
	const char *bytes = certdeploy_document_bytes(model->document, &length);
	const char *newline = certdeploy_document_newline(model->document, length);
	const char *text;
	int result = check_value(reading, value);

	if (result != 0)
		return result;
	if (line != NULL && strcmp(line->value, value) == 0)
		return 0;
	if (line != NULL)
		return certdeploy_splice(edits, reading, model->document, line->value_offset,
					 line->value_length, value, strlen(value));
	text = certdeploy_format(reading, "%s%s=%s%s",
				 length == 0 || bytes[length - 1] == '\n' ? "" : newline, name, value,
				 newline);
	if (text == NULL)
		return CERTDEPLOY_ENOMEM;
	return certdeploy_splice(edits, reading, model->document, length, 0, text, strlen(text));
}

static int plan(struct certdeploy_reading *reading, const struct certdeploy_assignment *assignments,
		size_t count, struct certdeploy_edits *edits)
{
	const struct model *model = certdeploy_model(reading);
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++) {
		const struct certdeploy_material *material = assignments[i].materials[0];

		if (assignments[i].materials[1] != NULL)
			return certdeploy_refuse(reading, "config-not-understood",
						 certdeploy_document_path(model->document), 0,
						 "vsftpd serves one certificate only");
		result = set(reading, edits, model, "rsa_cert_file", material->paths.fullchain);
		if (result == 0)
			result = set(reading, edits, model, "rsa_private_key_file", material->paths.key);
	}
	return result;
}

/* ---- how to find and control it ---- */

static int find_server(struct certdeploy_reading *reading, struct certdeploy_finder *finder)
{
	static const char *const places[] = {"/etc/vsftpd.conf", "/etc/vsftpd/vsftpd.conf", NULL};
	static const char *const name[] = {"vsftpd", NULL};

	for (size_t i = 0; places[i] != NULL; i++) {
		const char *const config[] = {places[i], NULL};
		const struct certdeploy_setting_value settings[] = {
			{"name", name}, {"config", config}, {NULL, NULL}};

		if (certdeploy_file_type(reading, places[i]) == CERTDEPLOY_FILE_REGULAR)
			return certdeploy_found(finder, settings);
	}
	return 0;
}

static int command(struct certdeploy_reading *reading, enum certdeploy_action action,
		   const char *const **argv)
{
	static const char *const restart[] = {"systemctl", "restart", "vsftpd", NULL};
	static const char *const start[] = {"systemctl", "start", "vsftpd", NULL};
	static const char *const stop[] = {"systemctl", "stop", "vsftpd", NULL};

	*argv = NULL;
	if (certdeploy_file_type(reading, "/run/systemd/system") != CERTDEPLOY_FILE_DIRECTORY)
		return 0;
	switch (action) {
	case CERTDEPLOY_ACTION_RELOAD:
	case CERTDEPLOY_ACTION_RESTART:
		*argv = restart;
		break;
	case CERTDEPLOY_ACTION_START:
		*argv = start;
		break;
	case CERTDEPLOY_ACTION_STOP:
		*argv = stop;
		break;
	default:
		break; /* vsftpd has no test of its own */
	}
	return 0;
}

/* It asks for "config" alone, which every server has. */
static const char *const own_settings[] = {NULL};

extern const struct certdeploy_adapter certdeploy_adapter_v1;

const struct certdeploy_adapter certdeploy_adapter_v1 = {
	.abi = CERTDEPLOY_ADAPTER_ABI,
	.size = sizeof(struct certdeploy_adapter),
	.name = "vsftpd",
	.summary = "Very Secure FTP Daemon",
	.find = find_server,
	.read = read_configuration,
	.plan = plan,
	.command = command,
	.settings = own_settings,
};
