/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * variables.c - Define, ${NAME} and the environment
 *
 * As set_define(), unset_define() and ap_resolve_env() of httpd 2.4: values are looked up without
 * regard to case, <IfDefine> regards it; a Define goes before the environment; what is not defined
 * stays as it is written.
 */
#include "adapter.h"
#include "hash.h"

#include <string.h>

/* Values together: a Define that doubles itself must not grow without an end. */
#define VALUES_LIMIT ((size_t)64 << 20)

struct value {
	const char *text;
	size_t length;
	const struct apache_doubt *doubt; /* of the environment, with text NULL */
	bool exported;                    /* of the environment: httpd sees it */
	UT_hash_handle hh;
	char name[];
};

struct apache_variables {
	struct certdeploy_reading *reading;
	struct value *defined; /* names as written, for <IfDefine> */
	struct value *values;  /* names in lower case */
	struct value *environment;
	const struct apache_doubt *lost; /* those of the environment that are not there may be */
	bool doubtful;                   /* a value of the environment cannot be told, or could not be */
	size_t used;
};

int apache_variables_new(struct apache_variables **out, struct certdeploy_reading *reading)
{
	*out = certdeploy_alloc(reading, sizeof(**out));
	if (*out == NULL)
		return CERTDEPLOY_ENOMEM;
	(*out)->reading = reading;
	return 0;
}

HASH_FUNCTION_BEGIN

static struct value *find(struct value *table, const char *name, size_t length)
{
	struct value *found;

	HASH_FIND(hh, table, name, length, found);
	return found;
}

/* Set or replace; text is borrowed. NULL: of the environment, exported before it has a value. */
static int put(struct apache_variables *variables, struct value **table, const char *name, size_t length,
	       const char *text)
{
	struct certdeploy_reading *reading = variables->reading;
	struct value *value = find(*table, name, length);

	if (value == NULL) {
		value = certdeploy_alloc(reading, sizeof(*value) + length + 1);
		if (value == NULL)
			return CERTDEPLOY_ENOMEM;
		memcpy(value->name, name, length);
		HASH_ADD_KEYPTR(hh, *table, value->name, length, value);
		if (value->hh.tbl == NULL)
			return CERTDEPLOY_ENOMEM;
	}
	value->text = text;
	value->length = text == NULL ? 0 : strlen(text);
	value->doubt = NULL;
	return 0;
}

static void drop(struct value **table, const char *name, size_t length)
{
	struct value *value = find(*table, name, length);

	if (value != NULL)
		HASH_DELETE(hh, *table, value);
}

HASH_FUNCTION_END

static char *lower_name(struct certdeploy_reading *reading, const char *name, size_t length)
{
	char *lower = certdeploy_copy(reading, name, length);

	for (char *at = lower; at != NULL && *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at + ('a' - 'A'));
	return lower;
}

int apache_define(struct apache_variables *variables, const char *name, const char *value)
{
	size_t length = strlen(name);
	int result = put(variables, &variables->defined, name, length, "");
	const char *lower, *copy;

	/* An empty value is none: apr_table keeps it, but `Define NAME ""` hands over no second word. */
	if (result != 0 || value == NULL || *value == '\0')
		return result;
	variables->used += strlen(value);
	if (variables->used > VALUES_LIMIT)
		return certdeploy_refuse(
			variables->reading, "too-large", NULL, 0,
			_("the values of Define lines are larger than any sensible configuration"));
	lower = lower_name(variables->reading, name, length);
	copy = certdeploy_copy(variables->reading, value, strlen(value));
	if (lower == NULL || copy == NULL)
		return CERTDEPLOY_ENOMEM;
	return put(variables, &variables->values, lower, length, copy);
}

int apache_undefine(struct apache_variables *variables, const char *name)
{
	const char *lower = lower_name(variables->reading, name, strlen(name));

	if (lower == NULL)
		return CERTDEPLOY_ENOMEM;
	drop(&variables->defined, name, strlen(name));
	drop(&variables->values, lower, strlen(lower));
	return 0;
}

bool apache_is_defined(const struct apache_variables *variables, const char *name)
{
	return find(variables->defined, name, strlen(name)) != NULL;
}

int apache_environment(struct apache_variables *variables, const char *name, const char *value)
{
	const char *copy = certdeploy_copy(variables->reading, value, strlen(value));

	if (copy == NULL)
		return CERTDEPLOY_ENOMEM;
	return put(variables, &variables->environment, name, strlen(name), copy);
}

int apache_export(struct apache_variables *variables, const char *name)
{
	size_t length = strlen(name);
	int result = find(variables->environment, name, length) != NULL
			     ? 0
			     : put(variables, &variables->environment, name, length, NULL);

	if (result == 0)
		find(variables->environment, name, length)->exported = true;
	return result;
}

void apache_environment_drop(struct apache_variables *variables, const char *name)
{
	drop(&variables->environment, name, strlen(name));
}

const char *apache_environment_get(const struct apache_variables *variables, const char *name)
{
	const struct value *value = find(variables->environment, name, strlen(name));

	return value == NULL ? NULL : value->text;
}

bool apache_is_doubtful(const struct apache_variables *variables)
{
	return variables->doubtful;
}

static struct apache_doubt *new_doubt(struct apache_variables *variables, const char *name,
				      const char *file, size_t line)
{
	struct apache_doubt *doubt = certdeploy_alloc(variables->reading, sizeof(*doubt));

	variables->doubtful = true;
	if (doubt != NULL)
		*doubt = (struct apache_doubt){name, file, line};
	return doubt;
}

int apache_doubt(struct apache_variables *variables, const char *name, const char *file, size_t line)
{
	size_t length = strlen(name);
	int result = put(variables, &variables->environment, name, length, NULL);
	struct value *value = result != 0 ? NULL : find(variables->environment, name, length);

	if (value == NULL)
		return result;
	value->doubt = new_doubt(variables, value->name, file, line);
	return value->doubt == NULL ? CERTDEPLOY_ENOMEM : 0;
}

int apache_doubt_all(struct apache_variables *variables, const char *file, size_t line)
{
	variables->lost = new_doubt(variables, NULL, file, line);
	for (struct value *value = variables->environment; value != NULL; value = value->hh.next) {
		value->text = NULL;
		value->doubt = variables->lost;
		value->exported = true;
	}
	return variables->lost == NULL ? CERTDEPLOY_ENOMEM : 0;
}

const struct apache_doubt *apache_doubt_of(const struct apache_variables *variables, const char *name)
{
	const struct value *value = find(variables->environment, name, strlen(name));

	return value == NULL ? variables->lost : value->doubt;
}

const struct apache_doubt *apache_doubt_in(const struct apache_variables *variables, const char *text,
					   size_t length)
{
	const char *end = text + length, *at = text;

	while (variables->doubtful && (at = memmem(at, (size_t)(end - at), "${", 2)) != NULL) {
		const char *name = at + 2, *close = memchr(name, '}', (size_t)(end - name));
		const struct value *value;

		if (close == NULL)
			break;
		value = find(variables->environment, name, (size_t)(close - name));
		if (value == NULL && variables->lost != NULL)
			return variables->lost;
		if (value != NULL && value->exported && value->doubt != NULL)
			return value->doubt;
		at = name;
	}
	return NULL;
}

const char *const *apache_environment_list(const struct apache_variables *variables)
{
	size_t count = 0, used = 0;
	const char **list;

	for (const struct value *value = variables->environment; value != NULL; value = value->hh.next)
		count++;
	list = certdeploy_alloc(variables->reading, (count + 1) * sizeof(*list));
	for (const struct value *value = variables->environment; list != NULL && value != NULL;
	     value = value->hh.next) {
		if (!value->exported || value->text == NULL)
			continue;
		list[used] = certdeploy_format(variables->reading, "%s=%s", value->name, value->text);
		if (list[used++] == NULL)
			return NULL;
	}
	return (const char *const *)list;
}

static const struct value *look_up(struct apache_variables *variables, const char *name, size_t length)
{
	const struct value *value = NULL;
	char short_name[128];

	if (length < sizeof(short_name) && variables->values != NULL) {
		for (size_t i = 0; i < length; i++)
			short_name[i] =
				(char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + ('a' - 'A') : name[i]);
		value = find(variables->values, short_name, length);
	} else if (variables->values != NULL) {
		const char *lower = lower_name(variables->reading, name, length);

		value = lower == NULL ? NULL : find(variables->values, lower, length);
	}
	if (value != NULL)
		return value;
	value = find(variables->environment, name, length);
	return value != NULL && value->exported && value->text != NULL ? value : NULL;
}

/* Text [start, end) of the line goes over as it is: with the pieces it consists of. */
static int keep(struct apache_lines *lines, const struct apache_line *line, size_t start, size_t end)
{
	struct apache_pieces *pieces = &lines->expanded_pieces;
	size_t at = lines->expanded.length;
	int result = apache_text_add(lines->reading, &lines->expanded, line->text + start, end - start);

	if (result != 0 || line->file == NULL || start == end)
		return result;
	if (line->pieces == NULL) {
		struct apache_piece piece = {at, end - start,
					     (size_t)(line->text - line->file->bytes) + start, end - start,
					     false};

		return apache_add_piece(lines->reading, pieces, &piece);
	}
	for (size_t i = 0; result == 0 && i < line->piece_count; i++) {
		struct apache_piece piece = line->pieces[i];
		size_t piece_end = piece.at + piece.length;
		size_t from = start > piece.at ? start : piece.at, to = end < piece_end ? end : piece_end;

		if (i + 1 < line->piece_count && to > line->pieces[i + 1].at)
			to = line->pieces[i + 1].at;
		if (to <= from)
			continue;
		piece = (struct apache_piece){at + from - start, to - from, piece.from + from - piece.at,
					      to - from, false};
		result = apache_add_piece(lines->reading, pieces, &piece);
	}
	return result;
}

static int put_value(struct apache_lines *lines, const struct apache_line *line, size_t start, size_t end,
		     const struct value *value)
{
	struct apache_piece piece = {
		.at = lines->expanded.length, .length = value->length, .variable = true};
	int result;

	if (lines->expanded.length + value->length > APACHE_LINE_LIMIT)
		return certdeploy_refuse(lines->reading, "too-large",
					 line->file == NULL ? NULL : line->file->path, line->number,
					 _("the line's variables make it larger than any sensible one"));
	result = apache_text_add(lines->reading, &lines->expanded, value->text, value->length);
	if (result != 0 || line->file == NULL)
		return result;
	/* Only for text of which every byte stands in the file does ${NAME} have a place there. */
	if (!apache_line_span(line, start, end, &piece.from, &piece.from_length))
		return 0;
	return apache_add_piece(lines->reading, &lines->expanded_pieces, &piece);
}

int apache_expand(struct apache_variables *variables, struct apache_lines *lines, struct apache_line *line)
{
	const char *dollar = memchr(line->text, '$', line->length);
	size_t done = 0;
	int result = 0;

	if (dollar == NULL)
		return 0;
	lines->expanded.length = 0;
	lines->expanded_pieces.count = 0;
	while (result == 0 && dollar != NULL) {
		size_t at = (size_t)(dollar - line->text), left = line->length - at;
		bool opens = left > 2 && dollar[1] == '{';
		const char *close = opens ? memchr(dollar + 2, '}', left - 2) : NULL;
		const struct value *value;
		size_t next = at + 1;

		/* Those behind it have no end either: to look for it each time would take for ever. */
		if (opens && close == NULL)
			break;
		if (close != NULL) {
			next = (size_t)(close - line->text) + 1;
			value = look_up(variables, dollar + 2, (size_t)(close - dollar) - 2);
			if (value != NULL) {
				result = keep(lines, line, done, at);
				if (result == 0)
					result = put_value(lines, line, at, next, value);
				done = next;
			}
		}
		dollar = memchr(line->text + next, '$', line->length - next);
	}
	if (result == 0)
		result = keep(lines, line, done, line->length);
	if (result != 0)
		return result;
	line->text = lines->expanded.bytes;
	line->length = lines->expanded.length;
	line->pieces = lines->expanded_pieces.items;
	line->piece_count = lines->expanded_pieces.count;
	return 0;
}
