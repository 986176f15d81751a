/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * standalone.c - run a fuzz target without a fuzzer
 *
 *	fuzz-NAME [-r ROUNDS] [-s SEED] [FILE | FOLDER]…
 *
 * Every file is given as it is, then ROUNDS times with a few bytes changed; the changes follow from
 * SEED alone. Without files: the target's corpus in the source tree, tests/fuzz/corpus/NAME. With
 * FUZZ_KEEP in the environment each input is first written to the file that it names, so that the one
 * that ends the program is left there.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_LIMIT ((size_t)1 << 20)

static size_t tried, files;
static uint64_t seed = 20261121;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void try_input(const uint8_t *bytes, size_t length)
{
	/* A block of exactly this size, so that a sanitizer sees a read past its end. */
	uint8_t *copy = malloc(length == 0 ? 1 : length);

	if (copy == NULL)
		exit(99);
	if (length != 0)
		memcpy(copy, bytes, length);
	if (getenv("FUZZ_KEEP") != NULL) {
		FILE *file = fopen(getenv("FUZZ_KEEP"), "w");

		if (file == NULL || fwrite(copy, 1, length, file) != length || fclose(file) != 0)
			exit(99);
	}
	(void)LLVMFuzzerTestOneInput(copy, length);
	free(copy);
	tried++;
}

/* A few changes of one byte, a piece cut out, a piece doubled, or the end cut off. */
static size_t mutate(uint8_t *bytes, size_t length, size_t room)
{
	size_t changes = 1 + next_random() % 4;

	while (changes-- > 0 && length > 0) {
		size_t at = next_random() % length, size = next_random() % 64;

		if (size > length - at)
			size = length - at;
		switch (next_random() % 5) {
		case 0:
			bytes[at] = (uint8_t)next_random();
			break;
		case 1:
			bytes[at] = (uint8_t)(bytes[at] ^ 1U << next_random() % 8);
			break;
		case 2:
			memmove(bytes + at, bytes + at + size, length - at - size);
			length -= size;
			break;
		case 3:
			if (length + size > room)
				break;
			memmove(bytes + at + size, bytes + at, length - at);
			length += size;
			break;
		default:
			if (next_random() % 8 == 0)
				length = at;
			else
				bytes[at] = (uint8_t) "\0\n\r\"\\ #<>{}$;"[next_random() % 13];
		}
	}
	return length;
}

static void run_file(const char *path, unsigned long rounds)
{
	uint8_t *bytes = malloc(INPUT_LIMIT), *changed = malloc(INPUT_LIMIT);
	FILE *file = fopen(path, "r");
	size_t length;

	if (file == NULL || bytes == NULL || changed == NULL) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(99);
	}
	length = fread(bytes, 1, INPUT_LIMIT, file);
	(void)fclose(file);
	try_input(bytes, length);
	for (unsigned long i = 0; i < rounds; i++) {
		memcpy(changed, bytes, length);
		try_input(changed, mutate(changed, length, INPUT_LIMIT));
	}
	files++;
	free(bytes);
	free(changed);
}

static void run_path(const char *path, unsigned long rounds)
{
	struct dirent **names = NULL;
	struct stat status;
	int count;

	if (stat(path, &status) == -1) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(99);
	}
	if (!S_ISDIR(status.st_mode)) {
		run_file(path, rounds);
		return;
	}
	count = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char whole[4096];

		if (names[i]->d_name[0] != '.' &&
		    snprintf(whole, sizeof(whole), "%s/%s", path, names[i]->d_name) < (int)sizeof(whole))
			run_file(whole, rounds);
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	const char *name = strstr(argv[0], "fuzz-");
	unsigned long rounds = 50;
	int option;

	/* The last one: a folder may be called so as well. */
	while (name != NULL && strstr(name + 1, "fuzz-") != NULL)
		name = strstr(name + 1, "fuzz-");
	name = name == NULL ? "" : name + strlen("fuzz-");

	while ((option = getopt(argc, argv, "r:s:")) != -1) {
		if (option == 'r')
			rounds = strtoul(optarg, NULL, 10);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 10) | 1;
		else
			return 2;
	}
	if (optind == argc) {
		const char *source = getenv("srcdir");
		char path[4096];

		(void)snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", source == NULL ? "." : source,
			       name);
		run_path(path, rounds);
	}
	for (int i = optind; i < argc; i++)
		run_path(argv[i], rounds);
	(void)printf("%s: %zu files, %zu inputs\n", name, files, tried);
	return files == 0 ? 1 : 0;
}
