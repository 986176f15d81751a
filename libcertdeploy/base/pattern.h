/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pattern.h - PCRE2 patterns with limits, compiled once */
#ifndef CD_PATTERN_H
#define CD_PATTERN_H

#include "base/table.h"

#include <stdbool.h>

/** All zero is an empty set. */
struct cd_patterns {
	struct cd_table compiled;
	struct cd_pattern *all;
};

/**
 * Match a whole subject: 1 matches, 0 does not, -1 the pattern is no pattern or a limit was met.
 */
int cd_pattern_matches(struct cd_patterns *patterns, const char *pattern, const char *subject,
		       size_t length, bool caseless);
/** The same anywhere in the subject, caseless: such a pattern says itself where it begins and ends. */
int cd_pattern_found(struct cd_patterns *patterns, const char *pattern, const char *subject);
void cd_patterns_free(struct cd_patterns *patterns);

#endif
