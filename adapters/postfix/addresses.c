/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* addresses.c - the addresses that a listener is bound to */
#include "postfix.h"

#include <arpa/inet.h>

static bool numeric(const char *text)
{
	unsigned char address[16];

	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* The next word of a line of /etc/hosts, NUL-terminated in place; NULL at its end. */
static char *next_word(char **at)
{
	char *start = *at + strspn(*at, " \t\r"), *end = start + strcspn(start, " \t\r");

	if (*start == '\0')
		return NULL;
	*at = *end == '\0' ? end : end + 1;
	*end = '\0';
	return start;
}

/* A host's address by /etc/hosts: the first line that names it. NULL: not there. */
static int host_address(const char **out, struct postfix_model *model, const char *host)
{
	const struct certdeploy_document *document;
	const char *bytes, *end;
	size_t length;

	*out = numeric(host) ? host : NULL;
	if (*out != NULL || certdeploy_file_type(model->reading, "/etc/hosts") != CERTDEPLOY_FILE_REGULAR ||
	    certdeploy_read(&document, model->reading, "/etc/hosts") != 0)
		goto out;
	bytes = certdeploy_document_bytes(document, &length);
	for (end = bytes + length; bytes < end;) {
		const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
		char *line = certdeploy_copy(model->reading, bytes,
					     (size_t)((newline == NULL ? end : newline) - bytes));
		char *address, *name;

		if (line == NULL)
			return CERTDEPLOY_ENOMEM;
		line[strcspn(line, "#")] = '\0';
		address = next_word(&line);
		while (address != NULL && (name = next_word(&line)) != NULL)
			if (*out == NULL && strcasecmp(name, host) == 0 && numeric(address))
				*out = address;
		bytes = newline == NULL ? end : newline + 1;
	}
out:
	if (*out == NULL && strcasecmp(host, "localhost") == 0)
		*out = "127.0.0.1";
	return 0;
}

static bool in_list(const char *const *list, const char *word)
{
	for (; *list != NULL; list++)
		if (strcasecmp(*list, word) == 0)
			return true;
	return false;
}

/* "[::1]" without its brackets. */
static const char *bare_host(struct postfix_model *model, const char *word)
{
	size_t length = strlen(word);

	if (length < 2 || word[0] != '[' || word[length - 1] != ']')
		return word;
	return certdeploy_copy(model->reading, word + 1, length - 2);
}

/* inet_interfaces as addresses. One whose address is not known makes it all addresses. */
static int interfaces(const char *const **out, struct postfix_model *model)
{
	const char *const *words, *const *protocols = NULL;
	const char *text, **list;
	size_t count = 0;
	bool all = false;
	int result = postfix_value(&text, model, NULL, "inet_interfaces");

	if (result == 0)
		result = postfix_split_list(&words, model->reading, text, false);
	if (result == 0)
		result = postfix_value(&text, model, NULL, "inet_protocols");
	if (result == 0)
		result = postfix_split_list(&protocols, model->reading, text, false);
	if (result != 0)
		return result;
	while (words[count] != NULL)
		count++;
	list = certdeploy_alloc(model->reading, (count + 2) * sizeof(*list));
	if (list == NULL)
		return CERTDEPLOY_ENOMEM;
	count = 0;
	for (; result == 0 && *words != NULL; words++) {
		const char *address = NULL, *host = bare_host(model, *words);
		bool six;

		if (host == NULL)
			return CERTDEPLOY_ENOMEM;

		if (strcasecmp(*words, "loopback-only") == 0)
			address = in_list(protocols, "ipv4") || in_list(protocols, "all") ? "127.0.0.1"
											  : "::1";
		else if (strcasecmp(*words, "all") != 0)
			result = host_address(&address, model, host);
		all = all || address == NULL;
		six = address != NULL && strchr(address, ':') != NULL;
		if (address != NULL &&
		    (in_list(protocols, "all") || in_list(protocols, six ? "ipv6" : "ipv4")))
			list[count++] = address;
	}
	if (all || count == 0) {
		list[0] = NULL;
		count = 1;
	}
	list[count] = NULL;
	*out = (const char *const *)list;
	return result;
}

int postfix_addresses(const char *const **out, size_t *count, struct postfix_model *model, const char *host)
{
	const char **single;
	int result;

	*count = 1;
	if (host == NULL) {
		result = interfaces(out, model);
		while (result == 0 && (*out)[0] != NULL && (*out)[*count] != NULL)
			(*count)++;
		return result;
	}
	single = certdeploy_alloc(model->reading, sizeof(*single));
	*out = (const char *const *)single;
	return single == NULL ? CERTDEPLOY_ENOMEM : host_address(single, model, host);
}
