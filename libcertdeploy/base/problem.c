/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* problem.c - how everything in the library reports what is wrong or noteworthy */
#include "base/problem.h"

#include "base/buffer.h"
#include "base/language.h"
#include "base/table.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

#ifdef HAVE_PRINTF_H
#include <printf.h>
#endif

#define ROOM_FOR_ERRNO 128
#define MOST_PARAMETERS 8
#define REMEMBERED 512 /* problems: what is among the last is not said again */

static const struct cd_problem_code codes[] = {
#define PROBLEM(code, cause, remedy) {code, cause, remedy},
#include "base/problems.def"
#undef PROBLEM
	{NULL, NULL, NULL},
};

const struct cd_problem_code *cd_problem_codes(void)
{
	return codes;
}

void cd_problems_free(struct cd_problems *problems)
{
	cd_vector_free(&problems->list);
	cd_arena_free(&problems->arena);
}

/* NULL: there is none. */
static const char *remedy_of(const struct cd_problems *problems, const char *code)
{
	for (const struct cd_problem_code *row = codes; row->code != NULL; row++)
		if (strcmp(row->code, code) == 0)
			return row->remedy[0] == '\0'
				       ? NULL
				       : cd_catalogue_text(problems->catalogue, _(row->remedy));
	return NULL;
}

#ifdef HAVE_PRINTF_H
/* One argument as text; *arguments moves on. NULL: of a type that messages do not use. */
static char *parameter(struct cd_arena *arena, int type, va_list *arguments)
{
	const char *string;

	switch (type) {
	case PA_STRING:
		string = va_arg(*arguments, const char *);
		return string == NULL ? cd_arena_string(arena, "")
				      : cd_printable(arena, string, strlen(string), 512);
	case PA_INT:
		return cd_arena_format(arena, "%d", va_arg(*arguments, int));
	case PA_INT | PA_FLAG_LONG:
		return cd_arena_format(arena, "%ld", va_arg(*arguments, long));
	case PA_INT | PA_FLAG_LONG_LONG:
		return cd_arena_format(arena, "%lld", va_arg(*arguments, long long));
	default:
		return NULL;
	}
}
#endif

/* message with its first part replaced by text. */
static char *replaced(struct cd_arena *arena, const char *message, const char *part, const char *text)
{
	const char *at = strstr(message, part);

	return at == NULL ? cd_arena_string(arena, message)
			  : cd_arena_format(arena, "%.*s%s%s", (int)(at - message), message, text,
					    at + strlen(part));
}

static const char *const none[] = {NULL};

/* What goes into the sentence. A precision from the arguments ("%.*s") hides where a text ends: none. */
static const char *const *parameters_of(struct cd_arena *arena, const char *format, va_list arguments)
{
#ifdef HAVE_PRINTF_H
	const char *values[MOST_PARAMETERS + 1] = {NULL};
	int types[MOST_PARAMETERS];
	size_t count = parse_printf_format(format, MOST_PARAMETERS, types);
	va_list rest;

	if (count > MOST_PARAMETERS || strchr(format, '*') != NULL)
		return none;
	va_copy(rest, arguments);
	for (size_t i = 0; i < count; i++) {
		values[i] = parameter(arena, types[i], &rest);
		if (values[i] == NULL)
			break;
	}
	va_end(rest);
	return cd_arena_list(arena, values);
#else
	(void)arena;
	(void)format;
	(void)arguments;
	return none;
#endif
}

/*
 * A parameter can be a message itself: a reason. Words without a blank are names, and stay. When memory
 * is short nothing changes here: the caller finds out with its next allocation.
 */
static void translate_parameters(const struct cd_problems *problems, struct cd_arena *arena,
				 const char **message, const char *const **parameters)
{
	const char *const *old = *parameters;
	const char **list;
	size_t count = 0;

	while (old[count] != NULL)
		count++;
	list = problems->catalogue == NULL ? NULL : cd_arena_array(arena, count + 1, sizeof(*list));
	for (size_t i = 0; list != NULL && i < count; i++) {
		const char *text = strchr(old[i], ' ') == NULL
					   ? old[i]
					   : cd_catalogue_text(problems->catalogue, old[i]);
		char *changed = text == old[i] ? NULL : replaced(arena, *message, old[i], text);

		list[i] = changed == NULL ? old[i] : cd_arena_string(arena, text);
		if (list[i] == NULL)
			return;
		if (changed != NULL)
			*message = changed;
	}
	if (list != NULL)
		*parameters = list;
}

static bool equal(const char *one, const char *other)
{
	return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

static bool same(const struct certdeploy_problem *one, const struct certdeploy_problem *other)
{
	return one->severity == other->severity && one->line == other->line && one->order == other->order &&
	       equal(one->code, other->code) && equal(one->file, other->file) &&
	       equal(one->service, other->service) && equal(one->message, other->message);
}

/*
 * As of one host on each of its ports, after the other hosts of the port before. An error counts each time:
 * somebody asks whether there was one.
 */
static bool is_said(const struct cd_problems *problems, const struct certdeploy_problem *problem)
{
	size_t count = problems->list.count, first = count < REMEMBERED ? 0 : count - REMEMBERED;

	for (size_t i = count; i > first && problem->severity != CERTDEPLOY_ERROR; i--)
		if (same(problems->list.items[i - 1], problem))
			return true;
	return false;
}

void cd_problem_v(struct cd_problems *problems, enum certdeploy_severity severity, const char *code,
		  const char *file, size_t line, const char *format, va_list arguments)
{
	struct cd_arena *arena = &problems->arena;
	struct certdeploy_problem *problem = cd_arena_alloc(arena, sizeof(*problem));
	const char *const *parameters = parameters_of(arena, format, arguments);
	const char *message =
		cd_arena_vformat(arena, cd_catalogue_text(problems->catalogue, format), arguments);

	if (message != NULL && parameters != NULL)
		translate_parameters(problems, arena, &message, &parameters);
	if (problem == NULL || message == NULL || parameters == NULL) {
		problems->out_of_memory = true;
		return;
	}
	problem->severity = severity;
	problem->code = cd_arena_string(arena, code);
	problem->message = cd_printable(arena, message, strlen(message), 4096);
	problem->fix = cd_arena_string(arena, remedy_of(problems, code));
	problem->file = cd_arena_string(arena, file);
	problem->line = line;
	/* A service's name lives as long as the reading of its configuration: the result outlives it. */
	problem->service = cd_arena_string(arena, problems->service);
	problem->parameters = parameters;
	problem->order = problems->order;
	if (problem->code == NULL || problem->message == NULL ||
	    (problem->service == NULL) != (problems->service == NULL))
		problems->out_of_memory = true;
	else if (!is_said(problems, problem) && cd_vector_add(&problems->list, problem) != 0)
		problems->out_of_memory = true;
}

void cd_problem(struct cd_problems *problems, enum certdeploy_severity severity, const char *code,
		const char *file, size_t line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	cd_problem_v(problems, severity, code, file, line, format, arguments);
	va_end(arguments);
}

struct certdeploy_problem *cd_problem_copy(struct cd_arena *arena, const struct certdeploy_problem *problem)
{
	struct certdeploy_problem *copy = cd_arena_alloc(arena, sizeof(*copy));

	if (copy == NULL)
		return NULL;
	*copy = *problem;
	copy->code = cd_arena_string(arena, problem->code);
	copy->parameters = cd_arena_list(arena, problem->parameters);
	copy->message = cd_arena_string(arena, problem->message);
	copy->fix = cd_arena_string(arena, problem->fix);
	copy->file = cd_arena_string(arena, problem->file);
	copy->service = cd_arena_string(arena, problem->service);
	return copy->code == NULL || copy->message == NULL ? NULL : copy;
}

void cd_problems_repeat(struct cd_problems *problems, const struct certdeploy_problem *problem)
{
	struct certdeploy_problem *copy = cd_problem_copy(&problems->arena, problem);

	if (copy != NULL)
		copy->order = problems->order;
	if (copy == NULL || cd_vector_add(&problems->list, copy) != 0)
		problems->out_of_memory = true;
}

int cd_fail(struct cd_problems *problems, int result, const char *code, const char *file, size_t line,
	    const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	cd_problem_v(problems, CERTDEPLOY_ERROR, code, file, line, format, arguments);
	va_end(arguments);
	return problems->out_of_memory ? CERTDEPLOY_ENOMEM : result;
}

int cd_fail_memory(struct cd_problems *problems)
{
	problems->out_of_memory = true;
	return CERTDEPLOY_ENOMEM;
}

bool cd_is_denied(int error)
{
	return error == EACCES || error == EPERM;
}

int cd_fail_errno(struct cd_problems *problems, int error, const char *file, const char *format, ...)
{
	bool denied = cd_is_denied(error);
	char reason[ROOM_FOR_ERRNO];
	const char *what;
	va_list arguments;

	if (error == ENOMEM)
		return cd_fail_memory(problems);
	va_start(arguments, format);
	what = cd_arena_vformat(&problems->arena, cd_catalogue_text(problems->catalogue, format),
				arguments);
	va_end(arguments);
	return cd_fail(problems, denied ? CERTDEPLOY_EPERMISSION : CERTDEPLOY_EFAILED,
		       denied                               ? "not-permitted"
		       : error == ENOENT                    ? "not-found"
		       : error == ENOSPC || error == EDQUOT ? "no-space"
		       : error == EROFS                     ? "read-only"
							    : "io-error",
		       file, 0, "%s: %s", what == NULL ? "?" : what,
		       cd_errno_text(error, reason, sizeof(reason)));
}

const struct certdeploy_problem *cd_problems_error(const struct cd_problems *problems, size_t from)
{
	for (size_t i = from; i < problems->list.count; i++) {
		const struct certdeploy_problem *problem = problems->list.items[i];

		if (problem->severity == CERTDEPLOY_ERROR)
			return problem;
	}
	return NULL;
}

bool cd_problems_failed(const struct cd_problems *problems, size_t from)
{
	return problems->out_of_memory || cd_problems_error(problems, from) != NULL;
}

void cd_problems_soften(struct cd_problems *problems, size_t from)
{
	for (size_t i = from; i < problems->list.count; i++) {
		struct certdeploy_problem *problem = problems->list.items[i];

		if (problem->severity == CERTDEPLOY_ERROR)
			problem->severity = CERTDEPLOY_WARNING;
	}
}

static void keep_first(struct cd_problems *problems, size_t count)
{
	if (count == problems->list.count)
		return;
	problems->list.items[count] = NULL;
	problems->list.count = count;
}

/* Where it is said, or NULL: memory is short. The table copies the key. */
static void **said_place(struct cd_table *said, const struct certdeploy_problem *problem)
{
	struct cd_buffer key = {0};
	void **place = NULL;

	cd_buffer_format(&key, "%d %zu %zu %s\n%s\n%s\n%s", (int)problem->severity, problem->order,
			 problem->line, problem->code, problem->file == NULL ? "" : problem->file,
			 problem->service == NULL ? "" : problem->service, problem->message);
	if (!key.failed)
		place = cd_table_place(said, cd_buffer_text(&key), key.length);
	cd_buffer_free(&key);
	return place;
}

void cd_problems_drop_repeated(struct cd_problems *problems, size_t from)
{
	struct cd_table said = {0};
	size_t kept = from;

	if (from == problems->list.count)
		return;
	for (size_t i = 0; i < problems->list.count; i++) {
		struct certdeploy_problem *problem = problems->list.items[i];
		void **place = said_place(&said, problem);
		bool repeated = i >= from && problem->severity != CERTDEPLOY_ERROR && place != NULL &&
				*place != NULL;

		if (place != NULL && i < from)
			*place = problem;
		if (i >= from && !repeated)
			problems->list.items[kept++] = problem;
	}
	keep_first(problems, kept);
	cd_table_free(&said);
}

void cd_problems_drop(struct cd_problems *problems, size_t from, const char *code)
{
	size_t kept = from;

	for (size_t i = from; i < problems->list.count; i++) {
		struct certdeploy_problem *problem = problems->list.items[i];

		if (strcmp(problem->code, code) != 0)
			problems->list.items[kept++] = problem;
	}
	keep_first(problems, kept);
}
