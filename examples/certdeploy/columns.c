/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* columns.c - tables whose columns line up, wide characters counted as they are shown */
#include "tool.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2
#define CONTINUATION 4

void table_begin(struct table *table, size_t columns)
{
	*table = (struct table){.columns = columns};
}

void table_add(struct table *table, const char *format, ...)
{
	va_list arguments;
	char *cell = NULL;

	if (table->count == table->room) {
		size_t room = table->room == 0 ? 64 : table->room * 2;
		char **cells = realloc(table->cells, room * sizeof(*cells));

		if (cells == NULL) {
			table->failed = true;
			return;
		}
		table->cells = cells;
		table->room = room;
	}
	va_start(arguments, format);
	if (vasprintf(&cell, format, arguments) == -1)
		cell = NULL;
	va_end(arguments);
	if (cell == NULL)
		table->failed = true;
	else
		table->cells[table->count++] = cell;
}

static void put_spaces(size_t count)
{
	while (count-- > 0)
		(void)fputc(' ', stdout);
}

/* The last column has no width of its own; it stands on the next line when the row would be too long. */
static void print_row(const struct table *table, const size_t *widths, size_t row, bool last_below)
{
	char *const *cells = table->cells + row * table->columns;
	size_t last = table->columns - 1, pending = 0;

	for (size_t i = 0; i < last; i++) {
		put_spaces(pending);
		put_safe(stdout, cells[i]);
		pending = widths[i] - safe_width(cells[i]) + GAP;
	}
	if (last_below && cells[last][0] != '\0') {
		(void)fputc('\n', stdout);
		pending = CONTINUATION;
	}
	if (cells[last][0] != '\0')
		put_spaces(pending);
	put_safe(stdout, cells[last]);
	(void)fputc('\n', stdout);
}

void table_print(const struct table *table, const struct tool *tool)
{
	size_t rows = table->count / table->columns, total = 0, last = table->columns - 1;
	size_t *widths = calloc(table->columns, sizeof(*widths));

	if (widths == NULL || table->failed) {
		(void)fprintf(stderr, "certdeploy: %s\n", _("memory is short"));
		free(widths);
		return;
	}
	for (size_t i = 0; i < rows * table->columns; i++) {
		size_t width = safe_width(table->cells[i]);

		if (width > widths[i % table->columns])
			widths[i % table->columns] = width;
	}
	for (size_t i = 0; i < table->columns; i++)
		total += widths[i] + (i == last ? 0 : GAP);
	for (size_t row = 0; row < rows; row++) {
		bool heading = table->headed && row == 0;

		(void)fputs(styled(tool->color_out && heading, STYLE_BOLD), stdout);
		print_row(table, widths, row, tool->width != 0 && total > (size_t)tool->width);
		(void)fputs(styled(tool->color_out && heading, STYLE_PLAIN), stdout);
	}
	free(widths);
}

void table_free(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){0};
}
