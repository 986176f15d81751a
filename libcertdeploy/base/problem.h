/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* problem.h - how everything in the library reports what is wrong or noteworthy */
#ifndef CD_PROBLEM_H
#define CD_PROBLEM_H

#include "base/arena.h"
#include "base/vector.h"

struct cd_catalogue;

/** All problems of one run, in the order found. */
struct cd_problems {
	struct cd_arena arena;
	struct cd_vector list; /**< of struct certdeploy_problem */
	const char *service;   /**< set while one service is at work */
	size_t order;          /**< set while one of several orders is, from 1 */
	bool out_of_memory;    /**< one could not be recorded */
	/** The language they are told in; NULL: as gettext finds it. Belongs to the handle. */
	const struct cd_catalogue *catalogue;
};

void cd_problems_free(struct cd_problems *problems);

/**
 * Record a problem; its remedy is the code's own in problems.def. file may be NULL, line 0. A warning or
 * notice that says what the last one said is not recorded again.
 */
void cd_problem(struct cd_problems *problems, enum certdeploy_severity severity, const char *code,
		const char *file, size_t line, const char *format, ...) CERTDEPLOY_PRINTF(6, 7);
void cd_problem_v(struct cd_problems *problems, enum certdeploy_severity severity, const char *code,
		  const char *file, size_t line, const char *format, va_list arguments)
	CERTDEPLOY_PRINTF(6, 0);

/** Record an error and return result: `return cd_fail(p, CERTDEPLOY_EREFUSED, "expired", …);` */
int cd_fail(struct cd_problems *problems, int result, const char *code, const char *file, size_t line,
	    const char *format, ...) CERTDEPLOY_PRINTF(6, 7);

/** Whether this errno means that somebody may not. */
bool cd_is_denied(int error);
/** Record that memory is short; returns CERTDEPLOY_ENOMEM. */
int cd_fail_memory(struct cd_problems *problems);

/** Record a failed system call on a file. Returns EPERMISSION (EACCES, EPERM), ENOMEM, or EFAILED. */
int cd_fail_errno(struct cd_problems *problems, int error, const char *file, const char *format, ...)
	CERTDEPLOY_PRINTF(4, 5);

/** A copy that lives in the arena; NULL: memory is short. */
struct certdeploy_problem *cd_problem_copy(struct cd_arena *arena,
					   const struct certdeploy_problem *problem);
/** Record once more, for what is at work now, a problem from elsewhere. */
void cd_problems_repeat(struct cd_problems *problems, const struct certdeploy_problem *problem);

/** The first error recorded at or after position from, or NULL. */
const struct certdeploy_problem *cd_problems_error(const struct cd_problems *problems, size_t from);
/** Whether an error has been recorded at or after position from. */
bool cd_problems_failed(const struct cd_problems *problems, size_t from);

/** Turn the errors recorded at or after position from into warnings. */
void cd_problems_soften(struct cd_problems *problems, size_t from);
/** Take back what was recorded at or after position from and had been before; errors stay. */
void cd_problems_drop_repeated(struct cd_problems *problems, size_t from);
/** Take back what was recorded with this code at or after position from. */
void cd_problems_drop(struct cd_problems *problems, size_t from, const char *code);

/** One row of problems.def, for the manual and the tests. */
struct cd_problem_code {
	const char *code;
	const char *cause;  /**< not translated */
	const char *remedy; /**< not translated */
};
/** All codes, ended by one whose code is NULL. */
const struct cd_problem_code *cd_problem_codes(void);

#endif
