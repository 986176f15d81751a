/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rehearse.c - postconf(1) reads a copy of main.cf and master.cf before anything is switched
 *
 * Only what a plan may change may differ, and it must be what the adapter reads there itself.
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

static int judge_one(struct certdeploy_reading *reading, const char *name, const char *before,
		     const char *after)
{
	const struct postfix_model *model = certdeploy_model(reading);
	const struct postfix_parameter *ours = postfix_table_get(&model->main.by_name, name);

	if (before != NULL && after != NULL && strcmp(before, after) == 0)
		return 0;
	/* postconf leaves out what nothing refers to any more. */
	if (before != NULL && after == NULL && ours != NULL && same_words(ours->value, before))
		return 0;
	if (may_differ(name) && after != NULL && ours != NULL && same_words(ours->value, after))
		return 0;
	return certdeploy_refuse(
		reading, "test-failed", model->main_path, ours == NULL ? 0 : ours->line->number,
		_("after the edit Postfix would read another value of %s than meant"), name);
}

static int judge_all(struct certdeploy_reading *reading, char *names, const struct postfix_table *before,
		     const struct postfix_table *after)
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
					   postfix_table_get(after, names));
		}
		names = next;
	}
	return result;
}

static int judge(struct certdeploy_reading *reading, const char *before, const char *after)
{
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
	if (result == 0)
		result = judge_all(reading, copies[1], &old, &new);
	return result == 0 ? judge_all(reading, copies[3], &old, &new) : result;
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

/*
 * A parameter that the administrator made up is not used any more, now that paths are written out; or an
 * earlier definition, which never counted, differs from the last one now.
 */
static bool harmless(struct certdeploy_reading *reading, const char *line)
{
	const struct postfix_model *model = certdeploy_model(reading);
	const char *unused = subject(reading, line, ": unused parameter: ");
	const char *overridden = subject(reading, line, ": overriding earlier entry: ");

	if (unused != NULL)
		return !may_differ(unused) && postfix_table_get(&model->main.by_name, unused) != NULL;
	return overridden != NULL && may_differ(overridden);
}

int postfix_rehearse(struct certdeploy_reading *reading, struct certdeploy_rehearsal *rehearsal)
{
	const struct postfix_model *model = certdeploy_model(reading);
	struct certdeploy_rehearsal_file *files = certdeploy_alloc(reading, 2 * sizeof(*files));
	struct certdeploy_rehearsal_command *command = certdeploy_alloc(reading, sizeof(*command));
	const char **argv = certdeploy_alloc(reading, 5 * sizeof(*argv));

	if (files == NULL || command == NULL || argv == NULL)
		return CERTDEPLOY_ENOMEM;
	files[0].name = "main.cf";
	files[0].bytes = certdeploy_document_bytes(model->main.document, &files[0].length);
	files[1].name = "master.cf";
	files[1].bytes = certdeploy_document_bytes(model->master.document, &files[1].length);
	argv[0] = postfix_program(reading, "postconf");
	argv[1] = "-c";
	argv[2] = "%s";
	argv[3] = "-n";
	*command =
		(struct certdeploy_rehearsal_command){.argv = argv, .judge = judge, .harmless = harmless};
	rehearsal->files = files;
	rehearsal->file_count = 2;
	rehearsal->commands = command;
	rehearsal->command_count = 1;
	return argv[0] == NULL ? CERTDEPLOY_ENOMEM : 0;
}
