/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * naming.c - the names of virtual hosts that have no ServerName
 *
 * One that stands on "*" has the main server's name, that of the machine where it has none either; one
 * with an address of its own is named after that. httpd asks the resolver for both. Here only /etc/hosts
 * is looked at, which comes first there: what is written must not depend on an answer of the network.
 */
#include "adapter.h"

#include <string.h>

/* The bytes of a file, or "" when it is not there. */
static const char *text_of(struct certdeploy_reading *reading, const char *path)
{
	const struct certdeploy_document *document;
	size_t length;

	if (certdeploy_file_type(reading, path) != CERTDEPLOY_FILE_REGULAR ||
	    certdeploy_read(&document, reading, path) != 0)
		return "";
	return certdeploy_document_bytes(document, &length);
}

/* The next word of a line of /etc/hosts; 0 at its end. */
static size_t next_word(const char **at, size_t length)
{
	*at += length;
	*at += strspn(*at, " \t\r");
	return strcspn(*at, " \t\r\n#");
}

/* The first name of the first line of /etc/hosts with this address; NULL: none. */
static int name_of_address(const char **name, struct apache_model *model,
			   const struct apache_address *wanted)
{
	const char *line = text_of(model->reading, "/etc/hosts"), *at;

	*name = NULL;
	for (; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
		struct apache_address address = {0};
		size_t length;
		char *text;

		at = line;
		length = next_word(&at, 0);
		if (length == 0)
			continue;
		text = certdeploy_copy(model->reading, at, length);
		if (text == NULL)
			return CERTDEPLOY_ENOMEM;
		if (!apache_parse_ip(&address, text) || address.family != wanted->family ||
		    memcmp(address.ip, wanted->ip, sizeof(address.ip)) != 0)
			continue;
		length = next_word(&at, length);
		if (length == 0)
			continue;
		*name = certdeploy_copy(model->reading, at, length);
		return *name == NULL ? CERTDEPLOY_ENOMEM : 0;
	}
	return 0;
}

/*
 * The machine's own name, for a main server without ServerName: /etc/hostname, made longer by the line
 * of /etc/hosts that has it. One without a dot httpd takes for none.
 */
static int own_name(struct apache_model *model)
{
	const char *bytes = text_of(model->reading, "/etc/hostname");
	const char *hosts = text_of(model->reading, "/etc/hosts");
	const char *name = certdeploy_copy(model->reading, bytes, strcspn(bytes, " \t\r\n")), *found = "";
	size_t length;

	if (name == NULL)
		return CERTDEPLOY_ENOMEM;
	length = strlen(name);
	if (strchr(name, '.') != NULL)
		found = name;
	/* The first name behind an address is the canonical one. */
	for (const char *at = hosts;
	     length != 0 && found != NULL && *found == '\0' && (at = strstr(at, name)) != NULL;
	     at += length)
		if (at > hosts && strchr(" \t", at[-1]) != NULL && at[length] == '.')
			found = certdeploy_copy(model->reading, at, strcspn(at, " \t\r\n#"));
	model->own_name = found;
	return found == NULL ? CERTDEPLOY_ENOMEM : 0;
}

struct apache_name *apache_new_name(struct certdeploy_reading *reading, const char *text, size_t length)
{
	struct apache_name *name = certdeploy_alloc(reading, sizeof(*name) + length + 1);

	if (name == NULL)
		return NULL;
	name->length = (uint32_t)length;
	memcpy(name->text, text, length);
	return name;
}

static int set_name(struct apache_model *model, struct apache_host *host, const char *text)
{
	host->server_name = apache_new_name(model->reading, text, strlen(text));
	return host->server_name == NULL ? CERTDEPLOY_ENOMEM : 0;
}

static int name_main(struct apache_model *model)
{
	int result = model->own_name == NULL ? own_name(model) : 0;

	if (result != 0 || *model->own_name == '\0')
		return result;
	model->main.no_name = true;
	return set_name(model, &model->main, model->own_name);
}

int apache_complete_name(struct apache_model *model, struct apache_host *host)
{
	bool any = host == &model->main;
	const char *name;
	int result;

	if (host->server_name != NULL)
		return 0;
	host->no_name = true;
	for (const struct apache_address *address = host->addresses; address != NULL;
	     address = address->next)
		any = any || address->family == APACHE_ANY;
	if (any) {
		result = model->main.server_name == NULL ? name_main(model) : 0;
		host->server_name = model->main.server_name;
		return result;
	}
	if (host->addresses == NULL || host->addresses->family == APACHE_NAMED)
		return 0;
	result = name_of_address(&name, model, host->addresses);
	return result != 0 || name == NULL ? result : set_name(model, host, name);
}
