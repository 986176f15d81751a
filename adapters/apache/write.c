/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * write.c - a value in Apache's grammar
 *
 * The one place where text of ours becomes text of a configuration: whoever calls it need not know
 * what httpd would make of a byte.
 */
#include "adapter.h"

#include <string.h>

char *apache_write_value(struct certdeploy_reading *reading, const char *value, char quote,
			 const char *file, size_t line)
{
	bool plain = *value != '\0' && *value != '"' && *value != '\'';
	size_t length = strlen(value), used = 0;
	char *text;

	for (const char *at = value; *at != '\0'; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f || (at[0] == '$' && at[1] == '{')) {
			(void)certdeploy_refuse(reading, "config-not-understood", file, line,
						_("a path with control characters or \"${\" cannot be "
						  "written in a configuration of Apache"));
			return NULL;
		}
		plain = plain && *at != ' ' && *at != '\\';
	}
	text = certdeploy_alloc(reading, 2 * length + 3);
	if (text == NULL)
		return NULL;
	if (quote == '\0' && !plain)
		quote = '"';
	if (quote != '\0')
		text[used++] = quote;
	for (const char *at = value; *at != '\0'; at++) {
		if (quote != '\0' && (*at == '\\' || *at == quote))
			text[used++] = '\\';
		text[used++] = *at;
	}
	if (quote != '\0')
		text[used] = quote;
	return text;
}
