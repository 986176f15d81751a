/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rehearse.c - a copy of the configuration that doveconf judges
 *
 * Every file that was read is copied under the same path inside the private directory; includes that
 * lead out of it are rewritten relative to the file they stand in. doveconf -n opens no certificate, so
 * those may go on naming files that are not installed yet.
 */
#include "adapter.h"

#include <stdlib.h>
#include <string.h>

static char *without_name(struct certdeploy_reading *reading, const char *path)
{
	return certdeploy_copy(reading, path, (size_t)(strrchr(path, '/') - path));
}

/* The way from one folder to a path: as many ".." as it takes. Both absolute and plain. */
static const char *relative(struct certdeploy_reading *reading, const char *folder, const char *path)
{
	struct dovecot_text text = {0};
	size_t shared = 0;

	for (size_t i = 0; folder[i] == path[i] && folder[i] != '\0'; i++)
		if (path[i] == '/')
			shared = i;
	if (strncmp(folder, path, strlen(folder)) == 0 && path[strlen(folder)] == '/')
		shared = strlen(folder);
	for (const char *at = folder + shared; *at != '\0'; at++)
		if (*at == '/' && dovecot_text_string(&text, reading, "../") != 0)
			return NULL;
	if (dovecot_text_string(&text, reading, path + shared + 1) != 0)
		return NULL;
	return text.bytes;
}

static const char *rewritten(struct certdeploy_reading *reading, const struct dovecot_include *include)
{
	const char *own = certdeploy_join(reading, "/", include->input->path);
	const char *pattern = certdeploy_join(reading, "/", include->pattern);
	const char *folder = own == NULL ? NULL : without_name(reading, own);

	return folder == NULL || pattern == NULL ? NULL : relative(reading, folder, pattern);
}

/* The bytes of one file, its includes made relative; the model has them in the order of the text. */
static int copy_file(struct certdeploy_rehearsal_file *file, const struct dovecot_model *model,
		     const struct dovecot_input *input)
{
	struct certdeploy_reading *reading = model->reading;
	const char *plain = certdeploy_join(reading, "/", input->path), *bytes;
	struct dovecot_text text = {0};
	size_t length, done = 0;

	if (plain == NULL)
		return CERTDEPLOY_ENOMEM;
	bytes = certdeploy_document_bytes(input->document, &length);
	for (size_t i = 0; i < input->includes.count; i++) {
		const struct dovecot_include *include = input->includes.items[i];
		const char *target = rewritten(reading, include);

		if (target == NULL ||
		    dovecot_text_add(&text, reading, bytes + done, include->span.offset - done) != 0 ||
		    dovecot_text_string(&text, reading, target) != 0)
			return CERTDEPLOY_ENOMEM;
		done = include->span.offset + include->span.length;
	}
	if (dovecot_text_add(&text, reading, bytes + done, length - done) != 0)
		return CERTDEPLOY_ENOMEM;
	*file = (struct certdeploy_rehearsal_file){plain + 1, text.bytes, text.length};
	return 0;
}

/* Every path once. */
static int copy_files(struct certdeploy_rehearsal *rehearsal, const struct dovecot_model *model)
{
	struct certdeploy_rehearsal_file *files;
	struct dovecot_table seen = {0};

	files = certdeploy_alloc(model->reading, model->inputs.count * sizeof(*files));
	if (files == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < model->inputs.count; i++) {
		const struct dovecot_input *input = model->inputs.items[i];
		struct certdeploy_rehearsal_file *file = &files[rehearsal->file_count];

		if (copy_file(file, model, input) != 0)
			return CERTDEPLOY_ENOMEM;
		if (dovecot_table_get(&seen, file->name, strlen(file->name)) != NULL)
			continue;
		if (dovecot_table_put(&seen, model->reading, file->name, strlen(file->name), file) != 0)
			return CERTDEPLOY_ENOMEM;
		rehearsal->file_count++;
	}
	rehearsal->files = files;
	return 0;
}

/* ---- what doveconf -n prints ---- */

/* A section that is open as the dump is read. */
struct opened {
	size_t before; /* what stood in `where` before it */
	bool opaque;   /* settings in it are not what they are outside */
};

struct dump {
	struct certdeploy_reading *reading;
	struct dovecot_vector certificates; /* values of the certificate settings */
	struct dovecot_vector others;       /* all other lines, with the sections that they stand in */
	struct dovecot_vector open;         /* of struct opened */
	bool v24;
	struct dovecot_text where;
};

static bool is_key(const char *line, const char *key, const char **value)
{
	size_t length = strlen(key);

	if (strncmp(line, key, length) != 0 || strncmp(line + length, " =", 2) != 0)
		return false;
	*value = line + length + 2 + (line[length + 2] == ' ');
	return true;
}

/* Certificates and keys: what a plan is meant to change. */
static bool is_material(const char *line, const char **certificate)
{
	static const char *const keys[] = {"ssl_cert", "ssl_alt_cert", "cert_file", "alt_cert_file",
					   "ssl_key",  "ssl_alt_key",  "key_file",  "alt_key_file"};

	*certificate = NULL;
	if (strncmp(line, "ssl_server_", 11) == 0)
		line += 11;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *value;

		if (!is_key(line, keys[i], &value))
			continue;
		if (i < 4)
			*certificate = value;
		return true;
	}
	return false;
}

static const struct opened *innermost(const struct dump *dump)
{
	return dump->open.count == 0 ? NULL : dump->open.items[dump->open.count - 1];
}

static int open_section(struct dump *dump, const char *line)
{
	static const char *const filters[] = {"protocol ", "local ",      "local_name ",
					      "remote ",   "ssl_server ", "service "};
	const struct opened *outer = innermost(dump);
	struct opened *section = certdeploy_alloc(dump->reading, sizeof(*section));
	size_t known = dump->v24 ? 6 : 4, i = 0;

	if (section == NULL)
		return CERTDEPLOY_ENOMEM;
	while (i < known && strncmp(line, filters[i], strlen(filters[i])) != 0)
		i++;
	*section = (struct opened){dump->where.length, i == known || (outer != NULL && outer->opaque)};
	if (dovecot_vector_add(&dump->open, dump->reading, section) != 0)
		return CERTDEPLOY_ENOMEM;
	return dovecot_text_string(&dump->where, dump->reading, line);
}

static int take_line(struct dump *dump, const char *line, size_t length)
{
	char *copy = certdeploy_copy(dump->reading, line, length);
	const struct opened *section = innermost(dump);
	const char *certificate;

	if (copy == NULL)
		return CERTDEPLOY_ENOMEM;
	if ((section == NULL || !section->opaque) && is_material(copy, &certificate)) {
		if (certificate == NULL || *certificate == '\0')
			return 0;
		return dovecot_vector_add(&dump->certificates, dump->reading,
					  (void *)(uintptr_t)certificate);
	}
	if (length != 0 && line[length - 1] == '{')
		return open_section(dump, copy);
	if (strcmp(copy, "}") == 0 && section != NULL) {
		dump->where.length = section->before;
		dump->where.bytes[dump->where.length] = '\0';
		dump->open.count--;
		return 0;
	}
	copy = certdeploy_format(dump->reading, "%s%s", dump->where.length == 0 ? "" : dump->where.bytes,
				 copy);
	return copy == NULL ? CERTDEPLOY_ENOMEM : dovecot_vector_add(&dump->others, dump->reading, copy);
}

static int by_text(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

static int take_dump(struct dump *dump, const struct dovecot_model *model, const char *text)
{
	*dump = (struct dump){.reading = model->reading, .v24 = model->v24};
	while (*text != '\0') {
		size_t length = strcspn(text, "\n"), blank = strspn(text, " ");

		if (blank < length && text[blank] != '#' &&
		    take_line(dump, text + blank, length - blank) != 0)
			return CERTDEPLOY_ENOMEM;
		text += length + (text[length] == '\n');
	}
	if (dump->others.count > 1)
		qsort(dump->others.items, dump->others.count, sizeof(char *), by_text);
	if (dump->certificates.count > 1)
		qsort(dump->certificates.items, dump->certificates.count, sizeof(char *), by_text);
	return 0;
}

/* The first line that only one of two sorted lists has, or NULL. */
static const char *difference(const struct dovecot_vector *one, const struct dovecot_vector *other)
{
	for (size_t i = 0; i < one->count || i < other->count; i++) {
		int order = i >= one->count     ? 1
			    : i >= other->count ? -1
						: strcmp(one->items[i], other->items[i]);

		if (order != 0)
			return order < 0 ? one->items[i] : other->items[i];
	}
	return NULL;
}

/* The certificates that should be set, as doveconf prints them; *told false: that cannot be said. */
static int expected(struct dovecot_vector *out, const struct dovecot_model *model, bool *told)
{
	*told = true;
	for (size_t i = 0; i < model->filters.count; i++) {
		const struct dovecot_filter *filter = model->filters.items[i];

		for (size_t slot = 0; slot <= DOVECOT_ALT_CERT; slot += 2) {
			const struct dovecot_value *value = filter->values[slot];
			bool file = value != NULL && !model->v24 &&
				    (value->type == DOVECOT_LINE_FILE || value->path != NULL);
			char *text;

			if (value == NULL || value->text[0] == '\0')
				continue;
			if (value->type == DOVECOT_LINE_VARIABLE ||
			    strpbrk(value->text, "\"'\\# \t") != NULL)
				*told = false;
			text = certdeploy_format(model->reading, "%s%s", file ? "<" : "", value->text);
			if (text == NULL || dovecot_vector_add(out, model->reading, text) != 0)
				return CERTDEPLOY_ENOMEM;
		}
	}
	if (out->count > 1)
		qsort(out->items, out->count, sizeof(char *), by_text);
	return 0;
}

static int judge(struct certdeploy_reading *reading, const char *before, const char *after)
{
	const struct dovecot_model *model = certdeploy_model(reading);
	struct dovecot_vector wanted = {0};
	struct dump old, new;
	const char *line;
	bool told;

	if (take_dump(&old, model, before) != 0 || take_dump(&new, model, after) != 0 ||
	    expected(&wanted, model, &told) != 0)
		return CERTDEPLOY_ENOMEM;
	line = difference(&old.others, &new.others);
	if (line != NULL)
		return certdeploy_refuse(reading, "test-failed", model->config, 0,
					 _("doveconf says that the edit changes something else: %s"), line);
	line = told ? difference(&wanted, &new.certificates) : NULL;
	if (line != NULL)
		return certdeploy_refuse(reading, "test-failed", model->config, 0,
					 _("doveconf does not see the certificates as planned: %s"), line);
	return 0;
}

int dovecot_rehearse(struct certdeploy_reading *reading, struct certdeploy_rehearsal *rehearsal)
{
	const struct dovecot_model *model = certdeploy_model(reading);
	const char *words[] = {NULL, "-c", NULL, "-n", NULL};
	const char *plain = certdeploy_join(reading, "/", model->config);
	struct certdeploy_rehearsal_command *command;
	const char **argv;

	words[0] = dovecot_program(reading, "doveconf");
	if (words[0] == NULL || words[0][0] != '/')
		return 0;
	words[2] = plain == NULL ? NULL : certdeploy_format(reading, "%%s%s", plain);
	argv = certdeploy_alloc(reading, sizeof(words));
	command = certdeploy_alloc(reading, sizeof(*command));
	if (words[2] == NULL || argv == NULL || command == NULL)
		return CERTDEPLOY_ENOMEM;
	memcpy(argv, words, sizeof(words));
	command->argv = argv;
	command->judge = judge;
	rehearsal->commands = command;
	rehearsal->command_count = 1;
	return copy_files(rehearsal, model);
}
