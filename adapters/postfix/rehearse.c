/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rehearse.c - postconf(1) reads a copy of main.cf and master.cf before anything is switched
 *
 * It is asked for main.cf as written (-n) and expanded (-x), and for master.cf's services (-M) and their
 * options as written (-P) and expanded (-Px). Only what a plan may change may differ, and it must be what
 * the adapter reads there itself.
 */
#include "postfix.h"

static bool may_differ(const char *name)
{
	static const char *const names[] = {"chain_files", "cert_file",   "key_file",  "dcert_file",
					    "dkey_file",   "eccert_file", "eckey_file"};

	if (strcmp(name, "tls_server_sni_maps") == 0)
		return true;
	if (strncmp(name, "smtpd_tls_", 10) == 0)
		name += 10;
	else if (strncmp(name, "tlsproxy_tls_", 13) == 0)
		name += 13;
	else
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* "name = value" lines as a table; the text is cut up in place. */
static int index_values(struct postfix_table *out, struct certdeploy_reading *reading, char *text)
{
	int result = 0;

	while (result == 0 && *text != '\0') {
		char *end = text + strcspn(text, "\n"), *next = *end == '\0' ? end : end + 1;
		char *equals;

		*end = '\0';
		equals = strstr(text, " =");
		if (equals != NULL) {
			*equals = '\0';
			equals += equals[2] == ' ' ? 3 : 2;
			result = postfix_table_put(out, reading, text, equals);
		}
		text = next;
	}
	return result;
}

/* Equal but for the number of blanks, which postconf does not keep. */
static bool same_words(const char *one, const char *other)
{
	while (*one != '\0' || *other != '\0') {
		size_t a = strspn(one, " \t\r\v\f"), b = strspn(other, " \t\r\v\f");

		if ((a == 0) != (b == 0) && one[a] != '\0' && other[b] != '\0')
			return false;
		one += a;
		other += b;
		if (*one != *other)
			return false;
		if (*one != '\0') {
			one++;
			other++;
		}
	}
	return true;
}

/* What the adapter reads under a name that postconf prints: of main.cf, or "service/type/name". */
struct finding {
	const struct postfix_row *row;
	const char *name;
	const char *raw; /* NULL: it knows no such parameter */
	const char *file;
	size_t line;
};

static bool names_row(const char *printed, size_t length, const struct postfix_row *row)
{
	size_t name = strlen(row->name), type = strlen(row->type);

	return length == name + 1 + type && memcmp(printed, row->name, name) == 0 && printed[name] == '/' &&
	       memcmp(printed + name + 1, row->type, type) == 0;
}

static void find(struct finding *out, const struct postfix_model *model, const char *printed)
{
	const char *slash = strrchr(printed, '/');
	struct postfix_value value;

	*out = (struct finding){.name = slash == NULL ? printed : slash + 1, .file = model->main_path};
	if (slash == NULL) {
		postfix_lookup(&value, model, NULL, printed);
		out->raw = value.raw;
		out->line = value.line == NULL ? 0 : value.line->number;
		return;
	}
	out->file = certdeploy_document_path(model->master.document);
	/* Of two entries for one service postconf prints the last value twice. */
	for (size_t i = model->master.count; out->raw == NULL && i > 0; i--) {
		const struct postfix_row *row = &model->master.rows[i - 1];
		const struct postfix_option *option;

		if (!names_row(printed, (size_t)(slash - printed), row))
			continue;
		option = postfix_row_option(row, out->name);
		out->row = row;
		out->line = row->line->number;
		out->raw = option == NULL ? NULL : option->value;
	}
}

/* The value as postconf prints it, to whom $config_directory is that of the copy. */
static int expand_in_copy(const char **out, struct postfix_model *model, const struct finding *found)
{
	const char *directory = model->directory;
	int result;

	if (model->copy != NULL)
		model->directory = model->copy;
	result = postfix_expand(out, model, found->row, found->raw, found->file, found->line);
	model->directory = directory;
	return result;
}

static int judge_one(struct certdeploy_reading *reading, const char *printed, const char *before,
		     const char *after, bool expanded)
{
	struct postfix_model *model = certdeploy_model(reading);
	struct finding found;
	const char *ours;
	int result = 0;

	if (before != NULL && after != NULL && strcmp(before, after) == 0)
		return 0;
	find(&found, model, printed);
	ours = found.raw;
	if (expanded && ours != NULL)
		result = expand_in_copy(&ours, model, &found);
	if (result != 0)
		return result;
	/* A default that this adapter does not know may follow what was meant to change. */
	if (expanded && ours == NULL && found.name == printed)
		return 0;
	/* postconf leaves out what nothing refers to any more. */
	if (after == NULL && before != NULL && ours != NULL && same_words(ours, before))
		return 0;
	if (after != NULL && ours != NULL && (expanded || may_differ(found.name)) &&
	    same_words(ours, after))
		return 0;
	return certdeploy_refuse(reading, "test-failed", found.file, found.line,
				 _("after the edit Postfix would read another value of %s than meant"),
				 printed);
}

/* Each name that is printed before or after; names is cut up in place. */
static int judge_names(struct certdeploy_reading *reading, char *names, const struct postfix_table *before,
		       const struct postfix_table *after, bool expanded)
{
	int result = 0;

	while (result == 0 && *names != '\0') {
		char *end = names + strcspn(names, "\n"), *next = *end == '\0' ? end : end + 1;
		char *equals;

		*end = '\0';
		equals = strstr(names, " =");
		if (equals != NULL) {
			*equals = '\0';
			result = judge_one(reading, names, postfix_table_get(before, names),
					   postfix_table_get(after, names), expanded);
		}
		names = next;
	}
	return result;
}

static int judge_values(struct certdeploy_reading *reading, const char *before, const char *after,
			bool expanded)
{
	struct postfix_model *model = certdeploy_model(reading);
	struct postfix_table old = {0}, new = {0};
	char *copies[4];
	int result;

	for (size_t i = 0; i < 4; i++) {
		const char *text = i < 2 ? before : after;

		copies[i] = certdeploy_copy(reading, text, strlen(text));
		if (copies[i] == NULL)
			return CERTDEPLOY_ENOMEM;
	}
	result = index_values(&old, reading, copies[0]);
	if (result == 0)
		result = index_values(&new, reading, copies[2]);
	if (result == 0 && expanded && postfix_table_get(&new, "config_directory") != NULL)
		model->copy = postfix_table_get(&new, "config_directory");
	if (result == 0)
		result = judge_names(reading, copies[1], &old, &new, expanded);
	return result == 0 ? judge_names(reading, copies[3], &old, &new, expanded) : result;
}

static int judge_written(struct certdeploy_reading *reading, const char *before, const char *after)
{
	return judge_values(reading, before, after, false);
}

static int judge_expanded(struct certdeploy_reading *reading, const char *before, const char *after)
{
	return judge_values(reading, before, after, true);
}

/* Whether an argument of "-o" sets what a plan may change. */
static bool option_may_differ(struct certdeploy_reading *reading, const char *text,
			      struct postfix_span argument)
{
	size_t start = argument.start + (text[argument.start] == '{'), end;
	const char *name;

	while (postfix_space(text[start]))
		start++;
	for (end = start; end < argument.end && text[end] != '=' && !postfix_space(text[end]); end++)
		;
	name = certdeploy_copy(reading, text + start, end - start);
	return name != NULL && may_differ(name);
}

/* The next service of "postconf -M" without what a plan may change. NULL: out of memory. */
static const char *bare_service(struct certdeploy_reading *reading, const char **at)
{
	size_t length = strcspn(*at, "\n"), position = 0;
	const char *line = certdeploy_copy(reading, *at, length);
	struct postfix_text text = {0};
	struct postfix_span word, argument;

	*at += length + ((*at)[length] == '\n');
	while (line != NULL && postfix_next_word(line, &position, &word, true)) {
		size_t behind = position;

		if (word.end - word.start == 2 && memcmp(line + word.start, "-o", 2) == 0 &&
		    postfix_next_word(line, &behind, &argument, true) &&
		    option_may_differ(reading, line, argument)) {
			position = behind;
			continue;
		}
		postfix_text_add(&text, reading, line + word.start, word.end - word.start);
		postfix_text_string(&text, reading, " ");
	}
	return line == NULL || text.failed ? NULL : text.bytes == NULL ? "" : text.bytes;
}

static int judge_services(struct certdeploy_reading *reading, const char *before, const char *after)
{
	const struct postfix_model *model = certdeploy_model(reading);

	while (*before != '\0' || *after != '\0') {
		const char *old = bare_service(reading, &before), *new = bare_service(reading, &after);

		if (old == NULL || new == NULL)
			return CERTDEPLOY_ENOMEM;
		if (strcmp(old, new) != 0)
			return certdeploy_refuse(
				reading, "test-failed", certdeploy_document_path(model->master.document), 0,
				_("after the edit Postfix would read another service: %s"), new);
	}
	return 0;
}

/* The parameter that a warning of postconf is about, or NULL. */
static const char *subject(struct certdeploy_reading *reading, const char *line, const char *mark)
{
	const char *start = strstr(line, mark);

	if (start == NULL)
		return NULL;
	start += strlen(mark);
	return certdeploy_copy(reading, start, strcspn(start, "="));
}

/* Does main.cf, or an option of some service, set the parameter? */
static bool is_set(const struct postfix_model *model, const char *name)
{
	bool set = postfix_table_get(&model->main.by_name, name) != NULL;

	for (size_t i = 0; i < model->master.count && !set; i++)
		set = postfix_row_option(&model->master.rows[i], name) != NULL;
	return set;
}

/*
 * A parameter that the administrator made up is not used any more, now that paths are written out; or an
 * earlier definition, which never counted, differs from the last one now.
 */
static bool harmless(struct certdeploy_reading *reading, const char *line)
{
	const char *unused = subject(reading, line, ": unused parameter: ");
	const char *overridden = subject(reading, line, ": overriding earlier entry: ");

	if (unused != NULL)
		return !may_differ(unused) && is_set(certdeploy_model(reading), unused);
	return overridden != NULL && may_differ(overridden);
}

/* "-oname=value" is good for the servers, but postconf cuts such a word off anywhere: it gets a blank. */
static int copy_master(struct certdeploy_rehearsal_file *file, struct certdeploy_reading *reading,
		       const struct postfix_master *master)
{
	struct postfix_text text = {0};
	size_t length, done = 0;
	const char *bytes = certdeploy_document_bytes(master->document, &length);

	for (size_t i = 0; i < master->glued_count; i++) {
		postfix_text_add(&text, reading, bytes + done, master->glued[i] - done);
		postfix_text_string(&text, reading, " ");
		done = master->glued[i];
	}
	postfix_text_add(&text, reading, bytes + done, length - done);
	*file = (struct certdeploy_rehearsal_file){"master.cf", text.bytes == NULL ? "" : text.bytes,
						   text.length};
	return text.failed ? CERTDEPLOY_ENOMEM : 0;
}

int postfix_rehearse(struct certdeploy_reading *reading, struct certdeploy_rehearsal *rehearsal)
{
	static const struct {
		const char *option;
		int (*judge)(struct certdeploy_reading *reading, const char *before, const char *after);
	} questions[] = {{"-n", judge_written},
			 {"-x", judge_expanded},
			 {"-M", judge_services},
			 {"-P", judge_written},
			 {"-Px", judge_expanded}};
	const size_t count = sizeof(questions) / sizeof(questions[0]);
	const struct postfix_model *model = certdeploy_model(reading);
	struct certdeploy_rehearsal_file *files = certdeploy_alloc(reading, 2 * sizeof(*files));
	struct certdeploy_rehearsal_command *commands =
		certdeploy_alloc(reading, count * sizeof(*commands));
	const char *program = postfix_program(reading, "postconf");

	if (files == NULL || commands == NULL || program == NULL ||
	    copy_master(&files[1], reading, &model->master) != 0)
		return CERTDEPLOY_ENOMEM;
	files[0].name = "main.cf";
	files[0].bytes = certdeploy_document_bytes(model->main.document, &files[0].length);
	for (size_t i = 0; i < count; i++) {
		const char *words[] = {program, "-c", "%s", questions[i].option, NULL};
		const char **argv = certdeploy_alloc(reading, sizeof(words));

		if (argv == NULL)
			return CERTDEPLOY_ENOMEM;
		memcpy(argv, words, sizeof(words));
		commands[i] = (struct certdeploy_rehearsal_command){
			.argv = argv, .judge = questions[i].judge, .harmless = harmless};
	}
	rehearsal->files = files;
	rehearsal->file_count = 2;
	rehearsal->folder = model->directory;
	rehearsal->commands = commands;
	rehearsal->command_count = count;
	return 0;
}
