/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz.h - what every fuzz target gives
 *
 * A target is one file fuzz-NAME.c with the function below, and a folder corpus/NAME. It aborts the
 * process (FUZZ_ASSERT) when a promise is broken. configure --enable-fuzzing with clang links it with
 * libFuzzer; otherwise standalone.c replays the corpus and mutations of it, as a test.
 */
#ifndef CD_FUZZ_H
#define CD_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** A promise that holds for every input. */
#define FUZZ_ASSERT(condition)                                                                             \
	do {                                                                                               \
		if (!(condition)) {                                                                        \
			(void)fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__,           \
				      #condition);                                                         \
			abort();                                                                           \
		}                                                                                          \
	} while (0)

#endif
