/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sections.c - sections: conditions, virtual hosts, and those that only have to be closed */
#include "read.h"

#include <string.h>

#define SECTION_LIMIT 4096

/* ---- sections ---- */

static int push_section(struct apache_reader *reader, const struct apache_line *line, const char *name,
			size_t length, bool condition)
{
	struct apache_section *section;

	if (reader->depth == SECTION_LIMIT)
		return certdeploy_refuse(reader->reading, "config-not-understood", apache_line_file(line),
					 apache_line_number(line), _("the sections are too deep"));
	if (reader->depth == reader->room) {
		size_t room = reader->room == 0 ? 16 : reader->room * 2;
		struct apache_section *larger = certdeploy_alloc(reader->reading, room * sizeof(*larger));

		if (larger == NULL)
			return CERTDEPLOY_ENOMEM;
		if (reader->depth != 0)
			memcpy(larger, reader->sections, reader->depth * sizeof(*larger));
		reader->sections = larger;
		reader->room = room;
	}
	if (line->pieces != NULL || line->file == NULL)
		name = certdeploy_copy(reader->reading, name, length);
	if (name == NULL)
		return CERTDEPLOY_ENOMEM;
	section = &reader->sections[reader->depth++];
	*section = (struct apache_section){.name = name,
					   .length = length,
					   .file = apache_line_file(line),
					   .line = apache_line_number(line),
					   .condition = condition};
	if (!condition)
		reader->ordinary++;
	return 0;
}

int apache_pop_section(struct apache_reader *reader)
{
	const struct apache_section *section = &reader->sections[--reader->depth];

	if (!section->condition)
		reader->ordinary--;
	if (section->host)
		reader->host = NULL;
	if (section->managed)
		reader->md = NULL;
	return 0;
}

/* A line that consists of the closing tag of the condition around, before variables are looked at. */
bool apache_closes_condition(const struct apache_reader *reader, const struct apache_line *line)
{
	const struct apache_section *section;

	if (line->length < 3 || line->text[0] != '<' || line->text[1] != '/' ||
	    reader->depth == reader->base)
		return false;
	section = &reader->sections[reader->depth - 1];
	return section->condition && line->text[line->length - 1] == '>' &&
	       apache_same_name(line->text + 2, line->length - 3, section->name, section->length);
}

int apache_close_section(struct apache_reader *reader, const struct apache_line *line, const char *name,
			 size_t length)
{
	const struct apache_section *section;

	if (reader->depth == reader->base || reader->sections[reader->depth - 1].condition)
		return apache_bad_syntax(reader, line, _("a section is closed that was not opened"));
	section = &reader->sections[reader->depth - 1];
	if (length < 3 || name[length - 1] != '>' ||
	    !apache_same_name(name + 2, length - 3, section->name, section->length))
		return certdeploy_refuse(
			reader->reading, "config-syntax", apache_line_file(line), apache_line_number(line),
			_("expected the end of the section <%.*s>"), (int)section->length, section->name);
	return apache_pop_section(reader);
}

static const char *const telling[] = {
	"Define",
	"UnDefine",
	"Include",
	"IncludeOptional",
	"Listen",
	"LoadModule",
	"Protocol",
	"ServerRoot",
	"ServerName",
	"ServerAlias",
	"SSLEngine",
	"SSLCertificateFile",
	"SSLCertificateKeyFile",
	"SSLCertificateChainFile",
	"SSLOpenSSLConfCmd",
	"Use",
	"MDomain",
	"<MDomain",
	"<MDomainSet",
	"<VirtualHost",
	"<Macro",
};

/* Whether it matters that a line is read or not. */
static bool is_telling(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(telling) / sizeof(*telling); i++)
		if (apache_same_name(name, length, telling[i], strlen(telling[i])))
			return true;
	return false;
}

/*
 * Skip what a false condition holds (ap_soak_end_container): only words that begin with "<" are looked
 * at, and must be nested. doubt: the condition cannot be told; then nothing that matters may be inside.
 */
static int skip_section(struct apache_reader *reader, const char *directive,
			const struct apache_line *opening, bool doubt)
{
	const char *open[64] = {directive};
	size_t depth = 1, deeper = 0;
	struct apache_line line, first = *opening;
	int result;

	while ((result = apache_next_line(&reader->lines, &line)) == 1) {
		struct apache_word word;
		const char *name;
		size_t at = 0, length;

		if (!apache_next_word(&line, &at, &word) || word.content_length == 0)
			continue;
		name = line.text + word.content;
		length = word.content_length;
		if (doubt && is_telling(name, length - (length > 1 && name[length - 1] == '>' ? 1 : 0)))
			return certdeploy_refuse(
				reader->reading, "config-not-understood", apache_line_file(&first),
				apache_line_number(&first),
				_("cannot tell whether this server takes the section <%s>"), directive);
		if (name[0] != '<')
			continue;
		if (length < 2 || name[1] != '/') {
			if (at >= line.length && name[length - 1] == '>')
				length--;
			if (depth < sizeof(open) / sizeof(*open)) {
				open[depth] = certdeploy_copy(reader->reading, name + 1, length - 1);
				if (open[depth++] == NULL)
					return CERTDEPLOY_ENOMEM;
			} else {
				deeper++;
			}
			continue;
		}
		if (deeper > 0) {
			deeper--;
			continue;
		}
		if (length < 3 ||
		    !apache_same_name(name + 2, length - 3, open[depth - 1], strlen(open[depth - 1])))
			return certdeploy_refuse(reader->reading, "config-syntax", apache_line_file(&line),
						 apache_line_number(&line),
						 _("expected the end of the section <%s>"),
						 open[depth - 1]);
		if (--depth == 0)
			return 0;
	}
	return result != 0 ? result : apache_bad_syntax(reader, &first, _("this section has no end"));
}

/* Sections whose text is not Apache's: everything up to the closing tag is left alone. */
static int skip_foreign(struct apache_reader *reader, const struct apache_line *opening, const char *name,
			size_t length)
{
	struct apache_line line, first = *opening;
	const char *wanted = certdeploy_copy(reader->reading, name, length);
	int result;

	if (wanted == NULL)
		return CERTDEPLOY_ENOMEM;
	while ((result = apache_next_line(&reader->lines, &line)) == 1)
		if (line.length >= length + 3 && line.text[0] == '<' && line.text[1] == '/' &&
		    line.text[length + 2] == '>' &&
		    apache_compare_caseless(line.text + 2, wanted, length) == 0)
			return 0;
	return result != 0 ? result : apache_bad_syntax(reader, &first, _("this section has no end"));
}

enum condition {
	IF_DEFINE,
	IF_DIRECTIVE,
	IF_FILE,
	IF_MODULE,
	IF_SECTION,
	IF_VERSION,
};

static const char *const conditions[] = {"IfDefine", "IfDirective", "IfFile",
					 "IfModule", "IfSection",   "IfVersion"};

/* 1, 0, -1: cannot be told. */
static int test_condition(struct apache_reader *reader, enum condition condition, const char *argument)
{
	const struct apache_model *model = reader->model;
	const char *path;

	switch (condition) {
	case IF_DEFINE:
		/* More may be defined by arguments that cannot be told. */
		if (apache_is_defined(model->variables, argument))
			return 1;
		return apache_doubt_of(model->variables, "APACHE_ARGUMENTS") == NULL ? 0 : -1;
	case IF_DIRECTIVE:
	case IF_SECTION:
		return apache_directive_is(model, argument, condition == IF_SECTION);
	case IF_FILE:
		path = certdeploy_join(reader->reading, model->server_root, argument);
		return path == NULL ? CERTDEPLOY_ENOMEM
				    : certdeploy_file_type(reader->reading, path) != CERTDEPLOY_FILE_ABSENT;
	case IF_MODULE:
		return apache_module_is(model->modules, argument);
	case IF_VERSION:
		break;
	}
	return -1;
}

/* <IfVersion >= 2.4>: its words are taken one by one, the last ends in ">" or is it. */
static int test_version(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	struct apache_words words;
	const char *values[APACHE_WORDS_MAX];
	size_t length;
	int result = apache_take_words(reader, line, at, &words);

	if (result != 0)
		return result;
	if (words.count > 1 && strcmp(words.values[words.count - 1], ">") == 0) {
		words.count--;
	} else if (words.count > 0) {
		char *last = words.values[words.count - 1];

		length = strlen(last);
		if (length == 0 || last[length - 1] != '>')
			return apache_bad_syntax(reader, line, _("this condition is not valid"));
		last[length - 1] = '\0';
	}
	if (words.count == 0 || words.count > 2 || words.more)
		return apache_bad_syntax(reader, line, _("this condition is not valid"));
	for (size_t i = 0; i < words.count; i++)
		values[i] = words.values[i];
	result = apache_version_is(reader->reading, &reader->model->version, values, words.count);
	return result == -1 ? apache_bad_syntax(reader, line, _("this condition is not valid")) : result;
}

static int open_condition(struct apache_reader *reader, const struct apache_line *line, size_t at,
			  enum condition condition)
{
	const char *close = memrchr(line->text + at, '>', line->length - at);
	struct apache_line part = *line;
	struct apache_word word;
	bool negated = false;
	int truth = apache_check_doubt(reader, line, at, line->length);

	if (truth != 0)
		return truth;
	if (condition == IF_VERSION) {
		truth = test_version(reader, line, at);
	} else {
		const char *argument;

		if (close == NULL)
			return apache_bad_syntax(reader, line, _("this condition has no closing \">\""));
		part.length = (size_t)(close - line->text);
		negated = at < part.length && part.text[at] == '!';
		if (negated)
			at++;
		if (!apache_next_word(&part, &at, &word))
			return apache_bad_syntax(reader, line, _("this condition has no argument"));
		argument = apache_word_value(reader->reading, &part, &word);
		if (argument == NULL)
			return CERTDEPLOY_ENOMEM;
		/* A certificate's file that is not there yet will be. */
		if (condition == IF_FILE && apache_not_plain(reader, line, true) != 0)
			return APACHE_READ_ALL;
		truth = test_condition(reader, condition, argument);
	}
	if (truth < -1)
		return truth;
	if (truth == -1)
		return skip_section(reader, conditions[condition], line, true);
	if ((truth == 1) != negated)
		return push_section(reader, line, conditions[condition], strlen(conditions[condition]),
				    true);
	return skip_section(reader, conditions[condition], line, false);
}

static int open_host(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	const char *close = memrchr(line->text + at, '>', line->length - at);
	struct apache_model *model = reader->model;
	struct apache_line part = *line;
	struct apache_address **end;
	struct apache_host *host;
	struct apache_word word;
	int result;

	result = apache_check_doubt(reader, line, at, line->length);
	if (result != 0)
		return result;
	if (reader->ordinary != 0)
		return apache_bad_syntax(reader, line, _("<VirtualHost> stands within another section"));
	if (close == NULL || close == line->text + at)
		return apache_bad_syntax(reader, line,
					 _("<VirtualHost> has no address or no closing \">\""));
	host = certdeploy_alloc(reader->reading, sizeof(*host));
	if (host == NULL)
		return CERTDEPLOY_ENOMEM;
	host->file = line->file;
	host->use = line->use;
	host->opening = apache_place_of(line);
	host->line = (uint32_t)apache_line_number(line);
	host->order = model->host_count++;
	end = &host->addresses;
	part.length = (size_t)(close - line->text);
	while (apache_next_word(&part, &at, &word)) {
		const char *text = apache_word_value(reader->reading, &part, &word);

		result = text == NULL ? CERTDEPLOY_ENOMEM : apache_add_address(model, host, &end, text);
		if (result != 0)
			return result;
	}
	result = push_section(reader, line, "VirtualHost", strlen("VirtualHost"), false);
	if (result != 0)
		return result;
	reader->sections[reader->depth - 1].host = true;
	reader->host = host;
	reader->host_includes = reader->includes;
	reader->include = (struct apache_place){0};
	if (model->last_host == NULL)
		model->hosts = host;
	else
		model->last_host->next = host;
	model->last_host = host;
	return 0;
}

static bool is_foreign(const char *name, size_t length)
{
	return apache_same_name(name, length, "Perl", 4) ||
	       (length > 7 && apache_compare_caseless(name, "LuaHook", 7) == 0) ||
	       apache_same_name(name, length, "LuaQuickHandler", 15);
}

/* name: without its "<" and ">". */
int apache_open_section(struct apache_reader *reader, const struct apache_line *line, const char *name,
			size_t length, size_t at)
{
	static const struct apache_line bare = {.text = ">", .length = 1};
	bool may_be_condition = length > 2 && apache_compare_caseless(name, "If", 2) == 0;
	struct apache_line with_end = *line;

	/* Nothing behind the name: its own ">" ends the section's arguments. */
	if (at >= line->length) {
		with_end.text = bare.text;
		with_end.length = bare.length;
		at = 0;
	}
	for (size_t i = 0; may_be_condition && i < sizeof(conditions) / sizeof(*conditions); i++)
		if (apache_same_name(name, length, conditions[i], strlen(conditions[i])))
			return open_condition(reader, &with_end, at, (enum condition)i);
	if (apache_same_name(name, length, "VirtualHost", 11))
		return open_host(reader, &with_end, at);
	if (apache_same_name(name, length, "Macro", 5)) {
		int result = apache_not_plain(reader, line, true);

		if (result == 0)
			result = apache_check_doubt(reader, &with_end, at, with_end.length);
		return result != 0
			       ? result
			       : apache_macro_define(reader->model->macros, &reader->lines, &with_end, at);
	}
	if (is_foreign(name, length))
		return skip_foreign(reader, line, name, length);
	if (reader->ordinary == 0 && (apache_same_name(name, length, "MDomain", 7) ||
				      apache_same_name(name, length, "MDomainSet", 10))) {
		const char *close = memrchr(with_end.text + at, '>', with_end.length - at);
		int result = apache_not_plain(reader, line, true);

		if (result == 0)
			result = apache_check_doubt(reader, &with_end, at, with_end.length);
		if (result == 0 && close != NULL)
			result = apache_do_managed(reader, &with_end, at, (size_t)(close - with_end.text));
		if (result == 0)
			result = push_section(reader, line, name, length, false);
		if (result != 0 || close == NULL)
			return result;
		reader->sections[reader->depth - 1].managed = true;
		reader->md = reader->last_md;
		return 0;
	}
	return push_section(reader, line, name, length, false);
}
