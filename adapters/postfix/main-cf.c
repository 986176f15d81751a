/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main-cf.c - main.cf: one `name = value` a logical line, the last of a name wins */
#include "postfix.h"

const char *postfix_split(const char *text, struct postfix_span *name, size_t *equals,
			  struct postfix_span *value)
{
	size_t at = 0, end = strlen(text);

	while (postfix_space(text[at]))
		at++;
	if (text[at] == '\0' || text[at] == '=')
		return "missing attribute name";
	name->start = at;
	while (text[at] != '\0' && text[at] != '=' && !postfix_space(text[at]))
		at++;
	name->end = at;
	while (postfix_space(text[at]))
		at++;
	if (text[at] != '=')
		return "missing '=' after attribute name";
	*equals = at++;
	while (postfix_space(text[at]))
		at++;
	while (end > at && postfix_space(text[end - 1]))
		end--;
	value->start = at;
	value->end = end;
	return NULL;
}

static int read_parameter(struct postfix_main *main, struct certdeploy_reading *reading,
			  const struct postfix_line *line, bool skim)
{
	struct postfix_parameter *parameter = &main->parameters[main->count];
	struct postfix_span name;
	const char *wrong = postfix_split(line->text, &name, &parameter->equals, &parameter->span);

	if (wrong != NULL && skim)
		return 0;
	if (wrong != NULL)
		return certdeploy_refuse(reading, "config-syntax", certdeploy_document_path(line->document),
					 line->number, _("Postfix does not accept this line: %s"), wrong);
	parameter->line = line;
	parameter->name = certdeploy_copy(reading, line->text + name.start, name.end - name.start);
	parameter->value = certdeploy_copy(reading, line->text + parameter->span.start,
					   parameter->span.end - parameter->span.start);
	if (parameter->name == NULL || parameter->value == NULL)
		return CERTDEPLOY_ENOMEM;
	main->count++;
	return postfix_table_put(&main->by_name, reading, parameter->name, parameter);
}

int postfix_main_read(struct postfix_main *out, struct certdeploy_reading *reading, const char *path,
		      bool skim)
{
	int result = certdeploy_read(&out->document, reading, path);

	if (result == 0)
		result = postfix_lines_read(&out->lines, reading, out->document);
	if (result != 0)
		return result;
	out->parameters = certdeploy_alloc(reading, (out->lines.count + 1) * sizeof(*out->parameters));
	if (out->parameters == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; result == 0 && i < out->lines.count; i++)
		result = read_parameter(out, reading, &out->lines.items[i], skim);
	return result;
}
