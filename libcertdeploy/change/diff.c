/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* diff.c - a unified diff of an edited file, from the splices that edit it */
#include "change/diff.h"

#include <stdlib.h>
#include <string.h>

#define CONTEXT 3

/* Whole lines of the old text, [start, end), and what stands in their place. */
struct region {
	size_t start;
	size_t end;
	size_t first; /* its splices: [first, last) */
	size_t last;
};

struct hunk_state {
	const char *old;
	size_t length;
	const struct cd_splice *splices;
	struct cd_buffer *out;
	size_t line_at;  /* an offset of a line's start … */
	size_t line;     /* … and its number, from 1 */
	ptrdiff_t shift; /* lines gained before this hunk */
};

static size_t line_start(const struct hunk_state *state, size_t offset)
{
	const char *newline = memrchr(state->old, '\n', offset);

	return newline == NULL ? 0 : (size_t)(newline - state->old) + 1;
}

static size_t line_end(const struct hunk_state *state, size_t offset)
{
	const char *newline = memchr(state->old + offset, '\n', state->length - offset);

	return newline == NULL ? state->length : (size_t)(newline - state->old) + 1;
}

static size_t count_lines(const char *bytes, size_t length)
{
	const char *at = bytes, *end = bytes + length;
	size_t lines = 0;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		lines++;
		at = newline == NULL ? end : newline + 1;
	}
	return lines;
}

/* The whole lines that a splice touches. Inserting whole lines at a line's start touches none. */
static struct region region_of(const struct hunk_state *state, size_t index)
{
	const struct cd_splice *splice = &state->splices[index];
	size_t end = splice->offset + splice->length;
	struct region region = {line_start(state, splice->offset), end, index, index + 1};
	bool starts_line = region.start == splice->offset;
	bool whole = splice->text_length == 0 ? splice->length != 0
					      : splice->text[splice->text_length - 1] == '\n';

	if (splice->length != 0 && starts_line && whole && state->old[end - 1] == '\n')
		return region;
	if (splice->length == 0 && starts_line && whole)
		return region;
	region.end = line_end(state, end);
	return region;
}

static void new_text(struct cd_buffer *out, const struct hunk_state *state, const struct region *region)
{
	size_t done = region->start;

	for (size_t i = region->first; i < region->last; i++) {
		const struct cd_splice *splice = &state->splices[i];

		cd_buffer_add(out, state->old + done, splice->offset - done);
		cd_buffer_add(out, splice->text, splice->text_length);
		done = splice->offset + splice->length;
	}
	cd_buffer_add(out, state->old + done, region->end - done);
}

static size_t collect_regions(const struct hunk_state *state, size_t count, struct region *regions)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		struct region next = region_of(state, i);

		if (used > 0 && next.start <= regions[used - 1].end) {
			if (next.end > regions[used - 1].end)
				regions[used - 1].end = next.end;
			regions[used - 1].last = next.last;
		} else {
			regions[used++] = next;
		}
	}
	return used;
}

/* Splices that put back what was there make no region. */
static size_t drop_equal(const struct hunk_state *state, struct region *regions, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		size_t length = regions[i].end - regions[i].start;
		struct cd_buffer text = {0};

		new_text(&text, state, &regions[i]);
		if (text.length != length ||
		    (length != 0 && memcmp(text.bytes, state->old + regions[i].start, length) != 0))
			regions[kept++] = regions[i];
		state->out->failed = state->out->failed || text.failed;
		cd_buffer_free(&text);
	}
	return kept;
}

static void put_lines(struct cd_buffer *out, char mark, const char *bytes, size_t length)
{
	const char *at = bytes, *end = bytes + length;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *next = newline == NULL ? end : newline + 1;

		cd_buffer_add(out, &mark, 1);
		cd_buffer_add(out, at, (size_t)(next - at));
		if (newline == NULL)
			cd_buffer_string(out, "\n\\ No newline at end of file\n");
		at = next;
	}
}

static size_t back_lines(const struct hunk_state *state, size_t offset, size_t lines)
{
	while (lines-- > 0 && offset > 0)
		offset = line_start(state, offset - 1);
	return offset;
}

static size_t forth_lines(const struct hunk_state *state, size_t offset, size_t lines)
{
	while (lines-- > 0 && offset < state->length)
		offset = line_end(state, offset);
	return offset;
}

static void put_range(struct cd_buffer *out, char mark, size_t line, size_t lines)
{
	/* An empty range names the line before it. */
	cd_buffer_format(out, "%c%zu", mark, lines == 0 ? line - 1 : line);
	if (lines != 1)
		cd_buffer_format(out, ",%zu", lines);
}

static void put_hunk(struct hunk_state *state, const struct region *regions, size_t count)
{
	size_t start = back_lines(state, regions[0].start, CONTEXT);
	size_t end = forth_lines(state, regions[count - 1].end, CONTEXT);
	size_t done = start, old_lines = count_lines(state->old + start, end - start), new_lines = 0;
	struct cd_buffer body = {0};

	for (size_t i = 0; i < count; i++) {
		const struct region *region = &regions[i];
		struct cd_buffer text = {0};

		new_text(&text, state, region);
		new_lines += count_lines(state->old + done, region->start - done);
		new_lines += count_lines(cd_buffer_text(&text), text.length);
		put_lines(&body, ' ', state->old + done, region->start - done);
		put_lines(&body, '-', state->old + region->start, region->end - region->start);
		put_lines(&body, '+', cd_buffer_text(&text), text.length);
		body.failed = body.failed || text.failed;
		cd_buffer_free(&text);
		done = region->end;
	}
	new_lines += count_lines(state->old + done, end - done);
	put_lines(&body, ' ', state->old + done, end - done);

	state->line += count_lines(state->old + state->line_at, start - state->line_at);
	state->line_at = start;
	cd_buffer_string(state->out, "@@ ");
	put_range(state->out, '-', state->line, old_lines);
	cd_buffer_string(state->out, " ");
	put_range(state->out, '+', (size_t)((ptrdiff_t)state->line + state->shift), new_lines);
	cd_buffer_string(state->out, " @@\n");
	cd_buffer_add(state->out, cd_buffer_text(&body), body.length);
	state->out->failed = state->out->failed || body.failed;
	state->shift += (ptrdiff_t)new_lines - (ptrdiff_t)old_lines;
	cd_buffer_free(&body);
}

static void put_hunks(struct hunk_state *state, const struct region *regions, size_t count)
{
	for (size_t i = 0; i < count;) {
		size_t next = i + 1;

		/* Regions whose context would touch share a hunk. */
		while (next < count && forth_lines(state, regions[next - 1].end, (size_t)2 * CONTEXT) >=
					       regions[next].start)
			next++;
		put_hunk(state, regions + i, next - i);
		i = next;
	}
}

void cd_diff_add(struct cd_buffer *out, const struct cd_file_edit *file)
{
	const char *path = file->real == NULL ? file->path : file->real;
	struct cd_splice whole = {0, 0, file->bytes, file->length, 0};
	struct hunk_state state = {.old = "", .splices = &whole, .out = out, .line = 1};
	size_t count = 1, before = out->length;
	struct region *regions;

	if (file->secret) {
		cd_buffer_format(out, "Only the fact is shown: %s %s\n", path,
				 file->document == NULL ? "is created" : "changes");
		return;
	}
	if (file->document != NULL) {
		state.old = file->document->bytes;
		state.length = file->document->length;
		state.splices = file->splices;
		count = file->count;
	}
	if (count == 0 || (file->document == NULL && file->length == 0))
		return;
	regions = calloc(count, sizeof(*regions));
	if (regions == NULL) {
		out->failed = true;
		return;
	}
	count = drop_equal(&state, regions, collect_regions(&state, count, regions));
	if (count != 0) {
		cd_buffer_format(out, "--- %s%s\n", file->document == NULL ? "/dev/null" : "a",
				 file->document == NULL ? "" : path);
		cd_buffer_format(out, "+++ b%s\n", path);
		put_hunks(&state, regions, count);
	}
	/* A diff is a string: one with a NUL in it would be cut short there. */
	if (!out->failed && out->length > before &&
	    memchr(out->bytes + before, 0, out->length - before) != NULL) {
		out->length = before;
		cd_buffer_format(out, "Binary files a%s and b%s differ\n", path, path);
	}
	free(regions);
}
