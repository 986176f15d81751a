/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rehearsal.c - a server's own tool judges a private copy of the edited configuration */
#include "host/rehearsal.h"

#include "base/process.h"
#include "base/text.h"
#include "change/scratch.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_LIMIT ((size_t)16 << 20)

static int write_copy(struct cd_scratch *scratch, struct cd_problems *problems,
		      const struct certdeploy_rehearsal *rehearsal)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < rehearsal->file_count; i++)
		result = cd_scratch_write(scratch, problems, rehearsal->files[i].name,
					  rehearsal->files[i].bytes, rehearsal->files[i].length);
	return result;
}

/* One command's two runs. */
struct question {
	const struct certdeploy_rehearsal_command *command;
	struct cd_run old;
	struct cd_run new;
};

/* Both copies stand in the same place, so that what is said of them can be compared. */
struct stage {
	struct cd_seen *seen;
	struct cd_problems *problems;
	struct cd_scratch scratch;
	struct certdeploy_reading *after;
	struct question *questions;
	size_t count;
	const char *folder; /* that the copies stand for */
};

static int ask(struct stage *stage, struct cd_run *run, const struct certdeploy_rehearsal_command *command)
{
	int result;

	*run = (struct cd_run){.environment = stage->seen->reading.environment,
			       .seconds = stage->seen->control.timeout,
			       .output_limit = OUTPUT_LIMIT};
	run->argv = cd_argv_with(&stage->after->arena, command->argv, stage->scratch.path);
	result = run->argv == NULL ? CERTDEPLOY_ENOMEM : cd_run(run);
	return result == CERTDEPLOY_ENOMEM ? cd_fail_memory(stage->problems) : result;
}

/* Ask all over one copy; a command that is not there is not asked again. */
static int ask_all(struct stage *stage, const struct certdeploy_rehearsal *files, bool new)
{
	int result = write_copy(&stage->scratch, stage->problems, files);

	for (size_t i = 0; result == 0 && i < stage->count; i++) {
		struct question *question = &stage->questions[i];

		if (question->command == NULL)
			continue;
		result = ask(stage, new ? &question->new : &question->old, question->command);
		if (result == CERTDEPLOY_ENOTFOUND) {
			question->command = NULL; /* without the tool the proof on the port decides */
			result = 0;
		}
	}
	cd_scratch_clear(&stage->scratch);
	return result;
}

/* Equal but for numbers: an edit above moves the lines that old warnings name. */
static bool same_but_numbers(const char *one, size_t one_length, const char *other, size_t other_length)
{
	size_t i = 0, j = 0;

	while (i < one_length && j < other_length) {
		bool numbers = isdigit((unsigned char)one[i]) && isdigit((unsigned char)other[j]);

		if (!numbers && one[i++] != other[j++])
			return false;
		while (numbers && i < one_length && isdigit((unsigned char)one[i]))
			i++;
		while (numbers && j < other_length && isdigit((unsigned char)other[j]))
			j++;
	}
	return i == one_length && j == other_length;
}

static size_t count_lines_like(const char *text, const char *line, size_t length)
{
	size_t count = 0;

	while (*text != '\0') {
		size_t end = strcspn(text, "\n");

		count += same_but_numbers(text, end, line, length);
		text += end + (text[end] == '\n');
	}
	return count;
}

/* The first line of the new text that the old one has not, or not as often, and that matters; or NULL. */
static const char *new_line(struct certdeploy_reading *reading,
			    const struct certdeploy_rehearsal_command *command, const char *before,
			    const char *after)
{
	struct cd_arena *arena = &reading->host->problems->arena;

	for (const char *line = after; *line != '\0';) {
		size_t length = strcspn(line, "\n");
		const char *copy;

		if (length != 0 &&
		    count_lines_like(after, line, length) > count_lines_like(before, line, length)) {
			copy = cd_arena_copy(arena, line, length);
			if (copy == NULL || command->harmless == NULL || !command->harmless(reading, copy))
				return cd_printable(arena, line, length, 400);
		}
		line += length + (line[length] == '\n');
	}
	return NULL;
}

/* What a tool says, of the files instead of their copies. */
struct saying {
	const char *text;
	const char *file; /* of the line that it names, or the configuration's first */
	size_t line;
};

/* The first "PATH line N" or "PATH, line N" from `at` on. */
static int find_place(struct saying *out, struct cd_arena *arena, const char *at)
{
	const char *end = strstr(at, " line ");
	size_t line = end == NULL ? 0 : strtoul(end + strlen(" line "), NULL, 10);

	if (out->line != 0 || line == 0 || end == at)
		return 0;
	out->line = line;
	out->file = cd_arena_copy(arena, at, (size_t)(end - at) - (end[-1] == ','));
	return out->file == NULL ? CERTDEPLOY_ENOMEM : 0;
}

static int interpret(struct saying *out, struct stage *stage, const char *text)
{
	struct cd_arena *arena = &stage->problems->arena;
	const char *copy = stage->scratch.path, *at;

	*out = (struct saying){text == NULL ? "-" : text, cd_service_get(&stage->seen->service, "config"),
			       0};
	while ((at = strstr(out->text, copy)) != NULL) {
		size_t before = (size_t)(at - out->text);

		out->text = cd_arena_format(arena, "%.*s%s%s", (int)before, out->text, stage->folder,
					    at + strlen(copy));
		if (out->text == NULL || find_place(out, arena, out->text + before) != 0)
			return cd_fail_memory(stage->problems);
	}
	return 0;
}

static int judge(struct stage *stage, const struct question *question)
{
	const struct certdeploy_rehearsal_command *command = question->command;
	const struct cd_run *old = &question->old, *new = &question->new;
	struct saying said;
	const char *line;

	if (command == NULL || (old->status != 0 && command->may_fail))
		return 0;
	line = old->status != 0 ? new_line(stage->after, command, "", cd_buffer_text(&old->errors))
				: new_line(stage->after, command, cd_buffer_text(&old->errors),
					   cd_buffer_text(&new->errors));
	if ((old->status != 0 || new->status != 0 || line != NULL) && interpret(&said, stage, line) != 0)
		return CERTDEPLOY_ENOMEM;
	if (old->status != 0)
		return cd_fail(stage->problems, CERTDEPLOY_EREFUSED, "config-syntax", said.file, said.line,
			       _("%s refuses the configuration as it stands: %s"), old->argv[0], said.text);
	if (new->status != 0 || line != NULL)
		return cd_fail(stage->problems, CERTDEPLOY_EREFUSED, "test-failed", said.file, said.line,
			       _("%s does not like the edited configuration: %s"), new->argv[0], said.text);
	if (command->judge == NULL)
		return 0;
	return command->judge(stage->after, cd_buffer_text(&old->output), cd_buffer_text(&new->output));
}

static int prepare(struct stage *stage, const struct certdeploy_rehearsal *rehearsal)
{
	stage->count = rehearsal->command_count;
	stage->folder = rehearsal->folder == NULL ? "" : rehearsal->folder;
	stage->questions = cd_arena_alloc(&stage->after->arena, stage->count * sizeof(*stage->questions));
	if (stage->questions == NULL)
		return cd_fail_memory(stage->problems);
	for (size_t i = 0; i < stage->count; i++)
		stage->questions[i].command = &rehearsal->commands[i];
	return cd_scratch_open(&stage->scratch, stage->problems);
}

static void close_stage(struct stage *stage)
{
	for (size_t i = 0; stage->questions != NULL && i < stage->count; i++) {
		struct question *question = &stage->questions[i];

		/* What a dump prints may hold keys. */
		question->old.output.secret = true;
		question->new.output.secret = true;
		cd_run_free(&question->old);
		cd_run_free(&question->new);
	}
	cd_scratch_close(&stage->scratch);
}

int cd_rehearse(struct cd_seen *seen, struct certdeploy_reading *after, struct cd_problems *problems)
{
	const struct certdeploy_adapter *adapter = seen->service.adapter;
	struct certdeploy_rehearsal old = {0}, new = {.before = &seen->reading};
	struct stage stage = {.seen = seen, .problems = problems, .after = after};
	int result;

	if (adapter->rehearse == NULL)
		return 0;
	result = adapter->rehearse(after, &new);
	if (result != 0 || new.command_count == 0)
		return result;
	result = adapter->rehearse(&seen->reading, &old);
	if (result == 0)
		result = prepare(&stage, &new);
	if (result == 0)
		result = ask_all(&stage, &old, false);
	if (result == 0)
		result = ask_all(&stage, &new, true);
	for (size_t i = 0; result == 0 && i < stage.count; i++)
		result = judge(&stage, &stage.questions[i]);
	close_stage(&stage);
	return result;
}
