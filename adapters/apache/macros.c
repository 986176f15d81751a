/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * macros.c - <Macro>, Use
 *
 * As mod_macro: a macro is text. Use puts its lines, arguments replaced, in the place of its own line,
 * whatever sections begin or end there.
 */
#include "adapter.h"
#include "hash.h"

#include <string.h>

/* mod_macro's buffer for a line (MAX_STRING_LEN). */
#define MACRO_LINE_LIMIT 8192

/* Use within macros; httpd refuses a macro that uses itself, so this is never met by a real one. */
#define MACRO_DEPTH_LIMIT 128

/* Memory that each use takes besides its text. What a macro makes is kept, unlike a file's bytes. */
#define USE_COST 1024

struct macro {
	const char *const *arguments;
	size_t argument_count;
	const char *body;
	size_t length;
	UT_hash_handle hh;
	char name[];
};

struct apache_macros {
	struct certdeploy_reading *reading;
	struct macro *table;
};

int apache_macros_new(struct apache_macros **out, struct certdeploy_reading *reading)
{
	*out = certdeploy_alloc(reading, sizeof(**out));
	if (*out == NULL)
		return CERTDEPLOY_ENOMEM;
	(*out)->reading = reading;
	return 0;
}

static void to_lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text + ('a' - 'A'));
}

HASH_FUNCTION_BEGIN

static struct macro *find(const struct apache_macros *macros, const char *name)
{
	struct macro *found;

	HASH_FIND(hh, macros->table, name, strlen(name), found);
	return found;
}

/* Replaces one of the same name. */
static struct macro *add(struct apache_macros *macros, const char *name)
{
	struct certdeploy_reading *reading = macros->reading;
	struct macro *macro = find(macros, name);
	size_t length = strlen(name);

	if (macro != NULL)
		HASH_DELETE(hh, macros->table, macro);
	macro = certdeploy_alloc(reading, sizeof(*macro) + length + 1);
	if (macro == NULL)
		return NULL;
	memcpy(macro->name, name, length);
	HASH_ADD_KEYPTR(hh, macros->table, macro->name, length, macro);
	return macro->hh.tbl == NULL ? NULL : macro;
}

int apache_macro_undefine(struct apache_macros *macros, const char *name)
{
	char *lower = certdeploy_copy(macros->reading, name, strlen(name));
	struct macro *macro;

	if (lower == NULL)
		return CERTDEPLOY_ENOMEM;
	to_lower(lower);
	macro = find(macros, lower);
	if (macro != NULL)
		HASH_DELETE(hh, macros->table, macro);
	return 0;
}

HASH_FUNCTION_END

static int refuse(struct apache_macros *macros, const struct apache_line *line, const char *what)
{
	return certdeploy_refuse(macros->reading, "config-syntax",
				 line->file != NULL  ? line->file->path
				 : line->use == NULL ? NULL
						     : line->use->file,
				 line->file != NULL  ? line->number
				 : line->use == NULL ? 0
						     : line->use->line,
				 "%s", what);
}

/* The words of [at, end) of a line. */
static int take_words(struct certdeploy_reading *reading, const struct apache_line *line, size_t at,
		      size_t end, const char *const **out, size_t *count)
{
	struct apache_line part = *line;
	struct apache_word word;
	const char **words;
	size_t start = at, used = 0;

	part.length = end;
	while (apache_next_word(&part, &at, &word))
		used++;
	words = certdeploy_alloc(reading, (used + 1) * sizeof(*words));
	if (words == NULL)
		return CERTDEPLOY_ENOMEM;
	*count = used;
	for (used = 0; apache_next_word(&part, &start, &word); used++) {
		words[used] = apache_word_value(reading, &part, &word);
		if (words[used] == NULL)
			return CERTDEPLOY_ENOMEM;
	}
	*out = words;
	return 0;
}

/* The lines up to the </Macro> that belongs to this one, as mod_macro keeps them. */
static int take_body(struct apache_macros *macros, struct apache_lines *lines, struct apache_text *body,
		     const struct apache_line *opening)
{
	struct apache_line line;
	unsigned nesting = 1;
	int result;

	while ((result = apache_next_line(lines, &line)) == 1) {
		struct apache_word word;
		size_t at = 0;

		if (line.length > 0 && line.text[0] == '#')
			continue;
		if (line.length >= MACRO_LINE_LIMIT)
			return refuse(macros, opening,
				      _("a line of this macro is longer than httpd accepts"));
		if (apache_next_word(&line, &at, &word)) {
			const char *first = line.text + word.content;

			if (word.content_length == 8 &&
			    apache_compare_caseless(first, "</Macro>", 8) == 0 && --nesting == 0)
				return 0;
			if (word.content_length == 6 && apache_compare_caseless(first, "<Macro", 6) == 0)
				nesting++;
		}
		result = apache_text_add(macros->reading, body, line.text, line.length);
		if (result == 0)
			result = apache_text_add(macros->reading, body, "\n", 1);
		if (result != 0)
			return result;
	}
	return result != 0 ? result : refuse(macros, opening, _("this macro has no end"));
}

int apache_macro_define(struct apache_macros *macros, struct apache_lines *lines,
			const struct apache_line *line, size_t at)
{
	struct apache_line opening = *line;
	struct apache_text body = {0};
	const char *const *words = NULL;
	const char *close = memrchr(line->text + at, '>', line->length - at);
	struct macro *macro;
	char *name;
	size_t count = 0;
	int result;

	if (close == NULL)
		return refuse(macros, line, _("this macro has no name or no closing \">\""));
	result = take_words(macros->reading, line, at, (size_t)(close - line->text), &words, &count);
	if (result != 0)
		return result;
	if (count == 0)
		return refuse(macros, line, _("this macro has no name or no closing \">\""));
	/* The lines of the body are read into the memory that this line may stand in. */
	opening.text = NULL;
	result = take_body(macros, lines, &body, &opening);
	if (result != 0)
		return result;
	name = certdeploy_copy(macros->reading, words[0], strlen(words[0]));
	if (name == NULL)
		return CERTDEPLOY_ENOMEM;
	to_lower(name);
	macro = add(macros, name);
	if (macro == NULL)
		return CERTDEPLOY_ENOMEM;
	macro->arguments = words + 1;
	macro->argument_count = count - 1;
	macro->body = body.bytes == NULL ? "" : body.bytes;
	macro->length = body.length;
	return 0;
}

/* The argument that comes first from here on; of two at one place the longer. */
static const char *next_argument(const struct macro *macro, const char *text, size_t *which)
{
	const char *chosen = NULL;
	size_t length = 0;

	for (size_t i = 0; i < macro->argument_count; i++) {
		size_t own = strlen(macro->arguments[i]);
		const char *found = own == 0 ? NULL : strstr(text, macro->arguments[i]);

		if (found != NULL &&
		    (chosen == NULL || found < chosen || (found == chosen && own > length))) {
			chosen = found;
			length = own;
			*which = i;
		}
	}
	return chosen;
}

/* An argument whose name begins with @ is put in double quotes. */
static int add_value(struct certdeploy_reading *reading, struct apache_text *out, const char *value,
		     bool quoted)
{
	int result = 0;

	if (!quoted)
		return apache_text_add(reading, out, value, strlen(value));
	result = apache_text_add(reading, out, "\"", 1);
	for (; result == 0 && *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			result = apache_text_add(reading, out, "\\", 1);
		if (result == 0)
			result = apache_text_add(reading, out, value, 1);
	}
	return result != 0 ? result : apache_text_add(reading, out, "\"", 1);
}

/* One line at a time, so that an argument's search never looks further than its line. */
static int substitute(struct apache_macros *macros, const struct macro *macro, const char *const *values,
		      struct apache_text *out)
{
	const char *body = macro->body, *end = body + macro->length;
	int result = 0;

	if (macro->argument_count == 0)
		return apache_text_add(macros->reading, out, body, macro->length);
	while (result == 0 && body < end) {
		const char *newline = memchr(body, '\n', (size_t)(end - body)), *found;
		const char *stop = newline == NULL ? end : newline + 1;
		char *line = certdeploy_copy(macros->reading, body, (size_t)(stop - body)), *at = line;
		size_t which = 0;

		if (line == NULL)
			return CERTDEPLOY_ENOMEM;
		while (result == 0 && (found = next_argument(macro, at, &which)) != NULL) {
			const char *name = macro->arguments[which];

			result = apache_text_add(macros->reading, out, at, (size_t)(found - at));
			if (result == 0)
				result = add_value(macros->reading, out, values[which], name[0] == '@');
			at += (size_t)(found - at) + strlen(name);
		}
		if (result == 0)
			result = apache_text_add(macros->reading, out, at, strlen(at));
		body = stop;
	}
	return result;
}

int apache_macro_use(struct apache_macros *macros, struct apache_lines *lines,
		     const struct apache_line *line, size_t at)
{
	struct certdeploy_reading *reading = macros->reading;
	struct apache_source *source;
	struct apache_use *use = NULL;
	struct apache_text text = {0};
	const char *const *words = NULL;
	struct macro *macro;
	size_t count = 0, cost;
	char *name;
	int result = take_words(reading, line, at, line->length, &words, &count);

	if (result != 0)
		return result;
	name = count == 0 ? NULL : certdeploy_copy(reading, words[0], strlen(words[0]));
	if (count != 0 && name == NULL)
		return CERTDEPLOY_ENOMEM;
	if (name != NULL)
		to_lower(name);
	macro = name == NULL ? NULL : find(macros, name);
	if (macro == NULL || macro->argument_count != count - 1)
		return refuse(macros, line, _("there is no such macro with so many arguments"));
	if (lines->source->depth >= MACRO_DEPTH_LIMIT)
		return refuse(macros, line, _("this macro uses itself"));
	result = substitute(macros, macro, words + 1, &text);
	cost = 4 * text.length + USE_COST;
	if (result == 0 && cost > lines->budget)
		return refuse(macros, line, _("the macros grow beyond any sensible size"));
	lines->budget -= result == 0 ? cost : 0;
	source = certdeploy_alloc(reading, sizeof(*source));
	if (line->use == NULL)
		use = certdeploy_alloc(reading, sizeof(*use));
	if (result != 0 || source == NULL || (line->use == NULL && use == NULL))
		return result != 0 ? result : CERTDEPLOY_ENOMEM;
	if (use != NULL)
		*use = (struct apache_use){line->file == NULL ? NULL : line->file->path, line->number};
	*source = (struct apache_source){.bytes = text.bytes == NULL ? "" : text.bytes,
					 .length = text.length,
					 .use = use != NULL ? use : line->use,
					 .upper = lines->source,
					 .depth = lines->source->depth + 1};
	lines->source = source;
	return 0;
}
