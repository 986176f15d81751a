/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-language.c - a handle's own catalogue: found by name, looked up, never trusted in its offsets */
#include "unit.h"

#include "base/language.h"
#include "base/problem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM 512
#define HEADER 20

/* Sorted, as msgfmt writes them. */
static const char *const texts[][2] = {
	{"", "Content-Type: text/plain; charset=UTF-8\n"},
	{"No such file or directory", "そのようなファイルはありません"},
	{"a key is missing", "秘密鍵がありません"},
	{"cannot read %s", "%s を読み込めません"},
	{"not translated", ""},
	{"state", "都道府県"},
	{"the server says: %s", "サーバの応答: %s"},
};
#define COUNT (sizeof(texts) / sizeof(texts[0]))

struct place {
	char directory[64];
	char file[160];
	unsigned char bytes[ROOM * 2];
	size_t length;
	bool swapped;
};

static void put_number(struct place *place, size_t offset, uint32_t value)
{
	for (size_t i = 0; i < 4; i++)
		place->bytes[offset + i] = (unsigned char)(value >> 8 * (place->swapped ? 3 - i : i));
}

static void make(struct place *place)
{
	size_t tables[2] = {HEADER, HEADER + COUNT * 8}, at = HEADER + COUNT * 16;

	memset(place->bytes, 0, sizeof(place->bytes));
	put_number(place, 0, 0x950412deU);
	put_number(place, 8, COUNT);
	put_number(place, 12, (uint32_t)tables[0]);
	put_number(place, 16, (uint32_t)tables[1]);
	for (size_t side = 0; side < 2; side++)
		for (size_t i = 0; i < COUNT; i++) {
			size_t length = strlen(texts[i][side]);

			put_number(place, tables[side] + i * 8, (uint32_t)length);
			put_number(place, tables[side] + i * 8 + 4, (uint32_t)at);
			memcpy(place->bytes + at, texts[i][side], length);
			at += length + 1;
		}
	place->length = at;
	assert_true(at <= sizeof(place->bytes));
}

static void write_down(const struct place *place)
{
	FILE *file = fopen(place->file, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(place->bytes, 1, place->length, file), place->length);
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	char directory[128];

	(void)snprintf(place->directory, sizeof(place->directory), "/tmp/cd-language-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	(void)snprintf(directory, sizeof(directory), "%s/ja", place->directory);
	assert_int_equal(mkdir(directory, 0700), 0);
	(void)snprintf(directory, sizeof(directory), "%s/ja/LC_MESSAGES", place->directory);
	assert_int_equal(mkdir(directory, 0700), 0);
	(void)snprintf(place->file, sizeof(place->file), "%s/certdeploy.mo", directory);
	make(place);
	write_down(place);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	char directory[128];

	(void)unlink(place->file);
	(void)snprintf(directory, sizeof(directory), "%s/ja/LC_MESSAGES", place->directory);
	(void)rmdir(directory);
	(void)snprintf(directory, sizeof(directory), "%s/ja", place->directory);
	(void)rmdir(directory);
	(void)rmdir(place->directory);
	free(place);
	return 0;
}

static void test_names(void **state)
{
	static const char *const good[] = {"ja", "ja_JP", "ja_JP.UTF-8", "ja-JP", "ja_JP.eucJP@x"};
	static const char *const none[] = {"en", "C", "", "../ja", "ja/LC_MESSAGES/..", ".UTF-8", "jaa"};
	const struct place *place = *state;
	struct cd_catalogue *catalogue;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(cd_catalogue_open(&catalogue, place->directory, good[i]), 0);
		assert_non_null(catalogue);
		cd_catalogue_free(catalogue);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(cd_catalogue_open(&catalogue, place->directory, none[i]), 0);
		assert_null(catalogue);
	}
	assert_int_equal(cd_catalogue_open(&catalogue, place->directory, NULL), 0);
	assert_null(catalogue);
	assert_string_equal(cd_catalogue_text(NULL, "a key is missing"), "a key is missing");
}

static void test_texts(void **state)
{
	struct place *place = *state;
	struct cd_catalogue *catalogue;

	for (int order = 0; order < 2; order++) {
		place->swapped = order == 1;
		make(place);
		write_down(place);
		assert_int_equal(cd_catalogue_open(&catalogue, place->directory, "ja"), 0);
		assert_non_null(catalogue);
		for (size_t i = 1; i < COUNT; i++)
			assert_string_equal(cd_catalogue_text(catalogue, texts[i][0]),
					    texts[i][1][0] == '\0' ? texts[i][0] : texts[i][1]);
		assert_string_equal(cd_catalogue_text(catalogue, ""), "");
		assert_string_equal(cd_catalogue_text(catalogue, "zzz"), "zzz");
		assert_string_equal(cd_catalogue_text(catalogue, "a"), "a");
		cd_catalogue_free(catalogue);
	}
}

/* A sentence, what was put into it, and the reason of the C library; a name of one word stays a name. */
static void test_problems(void **state)
{
	const struct place *place = *state;
	struct cd_catalogue *catalogue;
	struct cd_problems problems = {0};
	const struct certdeploy_problem *problem;

	assert_int_equal(cd_catalogue_open(&catalogue, place->directory, "ja"), 0);
	problems.catalogue = catalogue;
	cd_problem(&problems, CERTDEPLOY_NOTICE, "usage", NULL, 0, "the server says: %s",
		   "a key is missing");
	problem = problems.list.items[0];
	assert_string_equal(problem->message, "サーバの応答: 秘密鍵がありません");
	assert_string_equal(problem->parameters[0], "秘密鍵がありません");
	cd_problem(&problems, CERTDEPLOY_NOTICE, "usage", NULL, 0, "the server says: %s", "state");
	problem = problems.list.items[1];
	assert_string_equal(problem->message, "サーバの応答: state");
	(void)cd_fail_errno(&problems, ENOENT, "/x", "cannot read %s", "/x");
	problem = problems.list.items[2];
	assert_string_equal(problem->message, "/x を読み込めません: そのようなファイルはありません");
	cd_problems_free(&problems);
	cd_catalogue_free(catalogue);
}

/* Every number of the file changed in turn, and every length: nothing is read outside of it. */
static void test_damage(void **state)
{
	static const uint32_t values[] = {0, 7, 0x7fffffffU, 0xffffffffU, 0xfffffff8U};
	struct place *place = *state;
	struct cd_catalogue *catalogue;
	size_t whole;

	make(place);
	whole = place->length;
	for (size_t offset = 0; offset < HEADER + COUNT * 16; offset += 4)
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			make(place);
			put_number(place, offset, values[i]);
			write_down(place);
			assert_int_equal(cd_catalogue_open(&catalogue, place->directory, "ja"), 0);
			for (size_t j = 0; j < COUNT; j++)
				assert_non_null(cd_catalogue_text(catalogue, texts[j][0]));
			cd_catalogue_free(catalogue);
		}
	for (size_t length = 0; length < whole; length++) {
		make(place);
		place->length = length;
		write_down(place);
		assert_int_equal(cd_catalogue_open(&catalogue, place->directory, "ja"), 0);
		for (size_t j = 0; j < COUNT; j++)
			assert_non_null(cd_catalogue_text(catalogue, texts[j][0]));
		cd_catalogue_free(catalogue);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_texts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_problems, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
