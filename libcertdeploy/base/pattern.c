/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pattern.c - PCRE2 patterns with limits, compiled once */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/pattern.h"

#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MATCH_LIMIT 100000
#define DEPTH_LIMIT 1000
#define HEAP_LIMIT_KIB 4096
#define PATTERN_LIMIT 4096

struct cd_pattern {
	struct cd_pattern *next;
	pcre2_code *code;
};

#define WHOLE (PCRE2_ANCHORED | PCRE2_ENDANCHORED)

static struct cd_pattern *compile(struct cd_patterns *patterns, const char *pattern, const char *key,
				  uint32_t options)
{
	struct cd_pattern *entry = calloc(1, sizeof(*entry));
	PCRE2_SIZE place;
	int error;

	if (entry == NULL)
		return NULL;
	entry->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
				    options | PCRE2_NEVER_BACKSLASH_C, &error, &place, NULL);
	if (entry->code == NULL || cd_table_put(&patterns->compiled, key, entry) != 0) {
		pcre2_code_free(entry->code);
		free(entry);
		return NULL;
	}
	/* Without JIT (or where memory may not be executable) the interpreter does the same. */
	(void)pcre2_jit_compile(entry->code, PCRE2_JIT_COMPLETE);
	entry->next = patterns->all;
	patterns->all = entry;
	return entry;
}

static int match(const struct cd_pattern *entry, const char *subject, size_t length)
{
	pcre2_match_data *data = pcre2_match_data_create_from_pattern(entry->code, NULL);
	pcre2_match_context *context = pcre2_match_context_create(NULL);
	int result = -1, count;

	if (data == NULL || context == NULL)
		goto out;
	(void)pcre2_set_match_limit(context, MATCH_LIMIT);
	(void)pcre2_set_depth_limit(context, DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(context, HEAP_LIMIT_KIB);
	count = pcre2_match(entry->code, (PCRE2_SPTR)subject, length, 0, 0, data, context);
	result = count >= 0 ? 1 : count == PCRE2_ERROR_NOMATCH ? 0 : -1;
out:
	pcre2_match_context_free(context);
	pcre2_match_data_free(data);
	return result;
}

static int look(struct cd_patterns *patterns, const char *pattern, uint32_t options, const char *subject,
		size_t length)
{
	char key[PATTERN_LIMIT + 2];
	struct cd_pattern *entry;
	size_t size = strlen(pattern);

	if (size > PATTERN_LIMIT)
		return -1;
	key[0] = (char)('0' + ((options & PCRE2_CASELESS) != 0) + 2 * ((options & WHOLE) != 0));
	memcpy(key + 1, pattern, size + 1);
	entry = cd_table_get(&patterns->compiled, key);
	if (entry == NULL)
		entry = compile(patterns, pattern, key, options);
	return entry == NULL ? -1 : match(entry, subject, length);
}

int cd_pattern_matches(struct cd_patterns *patterns, const char *pattern, const char *subject,
		       size_t length, bool caseless)
{
	return look(patterns, pattern, WHOLE | (caseless ? PCRE2_CASELESS : 0), subject, length);
}

int cd_pattern_found(struct cd_patterns *patterns, const char *pattern, const char *subject)
{
	return look(patterns, pattern, PCRE2_CASELESS, subject, strlen(subject));
}

void cd_patterns_free(struct cd_patterns *patterns)
{
	cd_table_free(&patterns->compiled);
	while (patterns->all != NULL) {
		struct cd_pattern *next = patterns->all->next;

		pcre2_code_free(patterns->all->code);
		free(patterns->all);
		patterns->all = next;
	}
}
