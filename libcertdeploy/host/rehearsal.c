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

/* One run over one copy. Both copies stand in the same place, so that their outputs can be compared. */
static int run_over(struct cd_run *run, struct cd_seen *seen, struct certdeploy_reading *reading,
		    struct cd_scratch *scratch, struct cd_problems *problems,
		    struct certdeploy_rehearsal *rehearsal)
{
	int result = seen->service.adapter->rehearse(reading, rehearsal);

	*run = (struct cd_run){.environment = seen->reading.environment,
			       .seconds = seen->control.timeout,
			       .output_limit = OUTPUT_LIMIT};
	if (result == 0 && rehearsal->argv == NULL)
		return CERTDEPLOY_ENOTFOUND;
	if (result == 0)
		result = write_copy(scratch, problems, rehearsal);
	if (result == 0) {
		run->argv = cd_argv_with(&reading->arena, rehearsal->argv, scratch->path);
		result = run->argv == NULL ? cd_fail_memory(problems) : cd_run(run);
	}
	cd_scratch_clear(scratch);
	return result == CERTDEPLOY_ENOMEM ? cd_fail_memory(problems) : result;
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
			    const struct certdeploy_rehearsal *rehearsal, const char *before,
			    const char *after)
{
	struct cd_arena *arena = &reading->host->problems->arena;

	for (const char *line = after; *line != '\0';) {
		size_t length = strcspn(line, "\n");
		const char *copy;

		if (length != 0 &&
		    count_lines_like(after, line, length) > count_lines_like(before, line, length)) {
			copy = cd_arena_copy(arena, line, length);
			if (copy == NULL || rehearsal->harmless == NULL ||
			    !rehearsal->harmless(reading, copy))
				return cd_printable(arena, line, length, 400);
		}
		line += length + (line[length] == '\n');
	}
	return NULL;
}

static int judge(struct cd_seen *seen, struct certdeploy_reading *after, struct cd_problems *problems,
		 const struct certdeploy_rehearsal *rehearsal, const struct cd_run *old,
		 const struct cd_run *new)
{
	const char *config = cd_service_get(&seen->service, "config");
	const char *line =
		new_line(after, rehearsal, cd_buffer_text(&old->errors), cd_buffer_text(&new->errors));

	if (old->status != 0) {
		line = new_line(after, rehearsal, "", cd_buffer_text(&old->errors));
		return cd_fail(problems, CERTDEPLOY_EREFUSED, "config-syntax", config, 0,
			       _("%s refuses the configuration as it stands: %s"), old->argv[0],
			       line == NULL ? "-" : line);
	}
	if (new->status != 0 || line != NULL)
		return cd_fail(problems, CERTDEPLOY_EREFUSED, "test-failed", config, 0,
			       _("%s does not like the edited configuration: %s"), new->argv[0],
			       line == NULL ? "-" : line);
	if (rehearsal->judge == NULL)
		return 0;
	return rehearsal->judge(after, cd_buffer_text(&old->output), cd_buffer_text(&new->output));
}

int cd_rehearse(struct cd_seen *seen, struct certdeploy_reading *after, struct cd_problems *problems)
{
	struct certdeploy_rehearsal rehearsal = {0};
	struct cd_run old = {0}, new = {0};
	struct cd_scratch scratch;
	int result;

	if (seen->service.adapter->rehearse == NULL)
		return 0;
	result = cd_scratch_open(&scratch, problems);
	if (result == 0)
		result = run_over(&old, seen, &seen->reading, &scratch, problems, &rehearsal);
	if (result == 0) {
		rehearsal = (struct certdeploy_rehearsal){0};
		result = run_over(&new, seen, after, &scratch, problems, &rehearsal);
	}
	if (result == 0)
		result = judge(seen, after, problems, &rehearsal, &old, &new);
	if (result == CERTDEPLOY_ENOTFOUND)
		result = 0; /* without the tool the proof on the port decides */
	/* What a dump prints may hold keys. */
	old.output.secret = true;
	new.output.secret = true;
	cd_run_free(&old);
	cd_run_free(&new);
	cd_scratch_close(&scratch);
	return result;
}
