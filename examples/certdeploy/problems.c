/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* problems.c - what is wrong or noteworthy, for people: one line each, and what is alike once */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

/* A problem among all that are told. */
struct told {
	const struct certdeploy_problem *problem;
	size_t position;
	size_t others; /* places where the same is true */
	bool hidden;
};

static const char *severity_name(enum certdeploy_severity severity)
{
	switch (severity) {
	case CERTDEPLOY_ERROR:
		return _("error");
	case CERTDEPLOY_WARNING:
		return _("warning");
	default:
		return _("notice");
	}
}

void print_problem(const struct tool *tool, const struct certdeploy_problem *problem)
{
	enum style style = problem->severity == CERTDEPLOY_ERROR     ? STYLE_BAD
			   : problem->severity == CERTDEPLOY_WARNING ? STYLE_WARN
								     : STYLE_DIM;

	if (tool->verbosity < 0 && problem->severity != CERTDEPLOY_ERROR)
		return;
	(void)fputs("certdeploy: ", stderr);
	(void)fprintf(stderr, "%s%s%s: ", styled(tool->color_err, style), severity_name(problem->severity),
		      styled(tool->color_err, STYLE_PLAIN));
	if (problem->service != NULL)
		put_line(stderr, "%s: ", problem->service);
	if (problem->file != NULL) {
		put_safe(stderr, problem->file);
		if (problem->line != 0)
			(void)fprintf(stderr, ":%zu", problem->line);
		(void)fputs(": ", stderr);
	}
	put_safe(stderr, problem->message);
	(void)fprintf(stderr, " [%s]\n", problem->code);
	if (problem->fix != NULL && problem->fix[0] != '\0')
		put_line(stderr, "  %s\n", problem->fix);
}

static int compare_texts(const char *one, const char *other)
{
	return strcmp(one == NULL ? "" : one, other == NULL ? "" : other);
}

static int compare_sayings(const struct certdeploy_problem *one, const struct certdeploy_problem *other)
{
	int order = (int)one->severity - (int)other->severity;

	order = order != 0 ? order : compare_texts(one->message, other->message);
	order = order != 0 ? order : compare_texts(one->code, other->code);
	return order != 0 ? order : compare_texts(one->service, other->service);
}

static int compare_places(const struct certdeploy_problem *one, const struct certdeploy_problem *other)
{
	int order = compare_texts(one->file, other->file);

	return order != 0 ? order : (one->line > other->line) - (one->line < other->line);
}

static int by_saying(const void *a, const void *b)
{
	const struct told *one = *(const struct told *const *)a, *other = *(const struct told *const *)b;
	int order = compare_sayings(one->problem, other->problem);

	order = order != 0 ? order : compare_places(one->problem, other->problem);
	return order != 0 ? order : (one->position > other->position) - (one->position < other->position);
}

/* count of them say the same, ordered by place. */
static void gather_group(struct told *const *group, size_t count)
{
	struct told *first = group[0];
	size_t places = 0;

	if (first->problem->severity == CERTDEPLOY_ERROR)
		return;
	for (size_t i = 0; i < count; i++) {
		bool repeated = i > 0 && compare_places(group[i - 1]->problem, group[i]->problem) == 0;

		places += !repeated;
		/* A warning is something to be done in each place, a notice is only to be known. */
		group[i]->hidden = repeated || group[i]->problem->severity == CERTDEPLOY_NOTICE;
		first = group[i]->position < first->position ? group[i] : first;
	}
	if (first->problem->severity == CERTDEPLOY_NOTICE)
		first->others = places - 1;
	first->hidden = false;
}

/* A batch of a thousand certificates of one CA has a thousand notices that are alike. */
static void gather(struct told *told, size_t count)
{
	struct told **sorted = calloc(count + 1, sizeof(struct told *));
	size_t begin = 0;

	if (sorted == NULL)
		return;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &told[i];
	qsort(sorted, count, sizeof(struct told *), by_saying);
	for (size_t i = 1; i <= count; i++)
		if (i == count || compare_sayings(sorted[begin]->problem, sorted[i]->problem) != 0) {
			gather_group(sorted + begin, i - begin);
			begin = i;
		}
	free(sorted);
}

/* All of them in their order; to be freed. NULL: memory is short. */
static struct told *collect(size_t *count, const struct certdeploy_result *result)
{
	struct told *told;

	*count = 0;
	while (certdeploy_result_problem(result, *count) != NULL)
		++*count;
	told = calloc(*count + 1, sizeof(*told));
	for (size_t i = 0; told != NULL && i < *count; i++) {
		told[i].problem = certdeploy_result_problem(result, i);
		told[i].position = i;
	}
	return told;
}

void print_problems(const struct tool *tool, const struct certdeploy_result *result)
{
	const struct certdeploy_problem *problem;
	size_t count = 0;
	struct told *told = tool->verbosity > 0 ? NULL : collect(&count, result);

	if (count != 0 && told != NULL)
		gather(told, count);
	for (size_t i = 0; (problem = certdeploy_result_problem(result, i)) != NULL; i++) {
		unsigned long others = told == NULL ? 0 : (unsigned long)told[i].others;

		if (told != NULL && told[i].hidden)
			continue;
		print_problem(tool, problem);
		if (others != 0 && tool->verbosity >= 0)
			put_line(stderr,
				 tool_plural("  The same in %lu other place (-v shows it)\n",
					     "  The same in %lu other places (-v shows them)\n", others),
				 others);
	}
	free(told);
}
