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
#include <unistd.h>

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

static inline const char *fuzz_directory(void);

static inline void fuzz_leave(void)
{
	char path[128];
	static const char *const names[] = {"certdeploy.conf", "manifest", "request"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", fuzz_directory(), names[i]);
		(void)unlink(path);
	}
	(void)rmdir(fuzz_directory());
}

/** An empty directory of this process, gone when it ends. */
static inline const char *fuzz_directory(void)
{
	static char place[] = "/tmp/certdeploy-fuzz.XXXXXX";
	static int made;

	if (!made) {
		FUZZ_ASSERT(mkdtemp(place) != NULL && atexit(fuzz_leave) == 0);
		made = 1;
	}
	return place;
}

/** A file with these bytes in it; the one before is gone. */
static inline const char *fuzz_file(const char *name, const void *bytes, size_t length)
{
	static char path[128];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", fuzz_directory(), name);
	file = fopen(path, "w");
	FUZZ_ASSERT(file != NULL && fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
	return path;
}

#endif
