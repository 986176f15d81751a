/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-document.c - splices, rendering and the unified diff that is made from them */
#include "unit.h"

#include "change/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void render(struct cd_buffer *out, const char *text, struct cd_splice *splices, size_t count)
{
	assert_int_equal(cd_splices_settle(splices, &count), 0);
	cd_splices_render(out, text, strlen(text), splices, count);
}

static void test_splices_merge_in_order(void **state)
{
	struct cd_splice splices[] = {{4, 3, "TWO", 3, 0},
				      {0, 0, "a", 1, 1},
				      {0, 0, "b", 1, 2},
				      {4, 0, "<", 1, 3},
				      {7, 0, ">", 1, 4}};
	struct cd_buffer out = {0};

	(void)state;
	render(&out, "one two three", splices, 5);
	assert_string_equal(out.bytes, "abone <TWO> three");
	cd_buffer_free(&out);
}

static void test_equal_replacements_are_one(void **state)
{
	struct cd_splice splices[] = {{0, 3, "1", 1, 0}, {0, 3, "1", 1, 1}};
	struct cd_buffer out = {0};

	(void)state;
	render(&out, "one two", splices, 2);
	assert_string_equal(out.bytes, "1 two");
	cd_buffer_free(&out);
}

/* What is inserted goes before what is replaced from there on, in whatever order they came. */
static void test_the_order_does_not_matter(void **state)
{
	struct cd_splice splices[] = {{0, 1, "b", 1, 0}, {0, 0, "a", 1, 1}, {1, 1, "", 0, 2},
				      {1, 1, "", 0, 3},  {1, 0, "x", 1, 4}, {1, 0, "y", 1, 5}};
	struct cd_buffer out = {0};

	(void)state;
	render(&out, "12", splices, 6);
	assert_string_equal(cd_buffer_text(&out), "abxy");
	cd_buffer_free(&out);
}

static void test_overlap_is_refused(void **state)
{
	struct cd_splice splices[] = {{0, 3, "1", 1, 0}, {2, 3, "x", 1, 1}};
	size_t count = 2;

	(void)state;
	assert_int_equal(cd_splices_settle(splices, &count), CERTDEPLOY_EREFUSED);
}

static void test_a_line_is_ended_before_new_ones_follow(void **state)
{
	struct cd_splice splices[] = {{2, 0, "\nc=", 3, 0}, {2, 0, "1", 1, 1}, {2, 0, "\nd=", 3, 2}};
	struct cd_buffer out = {0};

	(void)state;
	render(&out, "a=", splices, 3);
	assert_string_equal(out.bytes, "a=1\nc=\nd=");
	cd_buffer_free(&out);
}

static void test_no_splice_gives_the_same_bytes(void **state)
{
	char bytes[4096];

	(void)state;
	srand(7);
	for (int round = 0; round < 200; round++) {
		size_t length = (size_t)rand() % sizeof(bytes);
		struct cd_buffer out = {0};

		for (size_t i = 0; i < length; i++)
			bytes[i] = (char)rand();
		cd_splices_render(&out, bytes, length, NULL, 0);
		assert_int_equal(out.length, length);
		assert_memory_equal(cd_buffer_text(&out), bytes, length);
		cd_buffer_free(&out);
	}
}

/* The judge of a diff is patch(1): it must make the new text of the old one. */
static void check_with_patch(const char *old, struct cd_splice *splices, size_t count)
{
	char directory[] = "/tmp/certdeploy-diff.XXXXXX", command[512], path[64];
	struct certdeploy_document document = {.path = "/f", .bytes = old, .length = strlen(old)};
	struct cd_file_edit edit = {
		.path = "/f", .document = &document, .splices = splices, .count = count};
	struct cd_buffer want = {0}, diff = {0}, got = {0};
	char bytes[65536];
	FILE *file;

	assert_int_equal(cd_splices_settle(splices, &edit.count), 0);
	cd_splices_render(&want, old, strlen(old), splices, edit.count);
	cd_diff_add(&diff, &edit);
	assert_false(diff.failed);
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/f", directory);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(old, 1, strlen(old), file), strlen(old));
	assert_int_equal(fclose(file), 0);
	(void)snprintf(command, sizeof(command), "cd %s && patch -s --binary -p1", directory);
	if (diff.length != 0) {
		file = popen(command, "w");
		assert_non_null(file);
		(void)fwrite(diff.bytes, 1, diff.length, file);
		assert_int_equal(pclose(file), 0);
	}
	file = fopen(path, "r");
	assert_non_null(file);
	cd_buffer_add(&got, bytes, fread(bytes, 1, sizeof(bytes), file));
	(void)fclose(file);
	assert_string_equal(cd_buffer_text(&got), cd_buffer_text(&want));
	(void)snprintf(command, sizeof(command), "rm -rf %s", directory);
	assert_int_equal(system(command), 0);
	cd_buffer_free(&want);
	cd_buffer_free(&diff);
	cd_buffer_free(&got);
}

static void test_diff_is_what_patch_understands(void **state)
{
	static const char *const texts[] = {"x", "x\n", "new line\n", "", "a\nb\n", "\n", "a\nb"};
	char old[2048];

	(void)state;
	if (system("command -v patch >/dev/null") != 0)
		skip();
	srand(11);
	for (int round = 0; round < 120; round++) {
		size_t length = 0, lines = (size_t)rand() % 40, count = 0;
		struct cd_splice splices[6];

		for (size_t i = 0; i < lines; i++)
			length += (size_t)sprintf(old + length, "line %d%s", rand() % 9,
						  i + 1 == lines && rand() % 3 == 0 ? "" : "\n");
		old[length] = '\0';
		for (size_t at = 0; at <= length && count < 6; at += 1 + (size_t)rand() % 60) {
			const char *text = texts[rand() % 7];
			size_t removed = (size_t)rand() % 12;

			if (removed > length - at)
				removed = length - at;
			splices[count] = (struct cd_splice){at, removed, text, strlen(text), count};
			count++;
			at += removed;
		}
		check_with_patch(old, splices, count);
	}
}

/* The same, whatever the order; what only looks like the same is two edits, which may conflict. */
static void test_replacements_that_are_not_the_same(void **state)
{
	static const struct {
		struct cd_splice one, other;
		const char *wanted; /* NULL: they conflict */
	} cases[] = {
		{{1, 1, "", 0, 0}, {1, 1, "", 0, 1}, "13"},
		{{1, 1, "a", 1, 0}, {1, 1, "b", 1, 1}, NULL},
		{{1, 1, "a", 1, 0}, {1, 1, "ab", 2, 1}, NULL},
		{{1, 1, "a", 1, 0}, {1, 2, "a", 1, 1}, NULL},
		{{1, 0, "a", 1, 0}, {1, 0, "a", 1, 1}, "1aa23"},
		{{1, 0, "", 0, 0}, {1, 0, "\r\n", 2, 1}, "1\r\n23"},
		{{1, 1, "x", 1, 0}, {1, 0, "y", 1, 1}, "1yx3"},
	};
	struct cd_buffer out = {0};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		bool turned = i % 2 == 1;
		struct cd_splice splices[] = {turned ? cases[i / 2].other : cases[i / 2].one,
					      turned ? cases[i / 2].one : cases[i / 2].other};
		size_t count = 2;
		int result = cd_splices_settle(splices, &count);

		assert_int_equal(result, cases[i / 2].wanted == NULL ? CERTDEPLOY_EREFUSED : 0);
		if (result != 0)
			continue;
		cd_splices_render(&out, "123", 3, splices, count);
		assert_string_equal(cd_buffer_text(&out), cases[i / 2].wanted);
		cd_buffer_free(&out);
		out = (struct cd_buffer){0};
	}
}

/* The bytes are let go of where they can be read again and nobody holds them; a banner stays. */
static void test_what_is_let_go_of(void **state)
{
	static const struct {
		const char *text;
		bool exists;
		size_t held;
		bool goes;
		const char *head;
	} cases[] = {{"one\n", true, 0, true, NULL},
		     {" \n# made by hand\n", true, 0, true, " \n# made by hand\n"},
		     {"one\n", true, 1, false, NULL},
		     {"one\n", false, 0, false, NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct certdeploy_document *document = calloc(1, sizeof(*document));

		assert_non_null(document);
		document->held = cases[i].held;
		document->identity.exists = cases[i].exists;
		/* And again, when it has been read again. */
		for (int time = 0; time < 2; time++) {
			if (document->bytes == NULL)
				document->bytes = strdup(cases[i].text);
			cd_document_drop(document);
			assert_int_equal(document->bytes == NULL, cases[i].goes);
			if (cases[i].head == NULL)
				assert_null(document->head);
			else
				assert_string_equal(document->head, cases[i].head);
		}
		cd_document_drop(document);
		cd_document_free(document);
	}
	cd_document_free(NULL);
}

static void test_lines(void **state)
{
	char bytes[] = "one\r\ntwo\nthree";
	struct certdeploy_document document = {.path = "f", .bytes = bytes, .length = sizeof(bytes) - 1};
	size_t start, end;

	(void)state;
	assert_int_equal(certdeploy_document_line(&document, 0), 1);
	assert_int_equal(certdeploy_document_line(&document, 4), 1);
	assert_int_equal(certdeploy_document_line(&document, 5), 2);
	assert_int_equal(certdeploy_document_line(&document, 99), 3);
	certdeploy_document_line_bounds(&document, 6, &start, &end);
	assert_int_equal(start, 5);
	assert_int_equal(end, 9);
	assert_string_equal(certdeploy_document_newline(&document, 0), "\r\n");
	assert_string_equal(certdeploy_document_newline(&document, 6), "\n");
	assert_string_equal(certdeploy_document_newline(&document, 11), "\n");
	/* The first line has none before it, the last none behind it; nothing lies beyond the end. */
	certdeploy_document_line_bounds(&document, 1, &start, &end);
	assert_int_equal(start, 0);
	assert_int_equal(end, 5);
	certdeploy_document_line_bounds(&document, 99, &start, &end);
	assert_int_equal(start, 9);
	assert_int_equal(end, document.length);
	assert_string_equal(certdeploy_document_newline(&document, 99), "\n");
	document.bytes = "\n";
	document.length = 1;
	assert_string_equal(certdeploy_document_newline(&document, 0), "\n");
}

static void test_of_a_secret_only_the_fact_is_shown(void **state)
{
	struct certdeploy_document document = {.path = "/key", .bytes = "old\n", .length = 4};
	char text[] = "new\n";
	struct cd_file_edit edit = {.path = "/key", .bytes = text, .length = 4, .secret = true};
	struct cd_buffer diff = {0};

	(void)state;
	cd_diff_add(&diff, &edit);
	edit.document = &document;
	cd_diff_add(&diff, &edit);
	assert_string_equal(diff.bytes, "Only the fact is shown: /key is created\n"
					"Only the fact is shown: /key changes\n");
	cd_buffer_free(&diff);
}

static void test_lines_with_a_nul_are_not_shown(void **state)
{
	static const char old[] = "a\0b\n1\n2\n3\n4\n5\n";
	struct certdeploy_document document = {.path = "/f", .bytes = old, .length = sizeof(old) - 1};
	struct cd_splice splices[] = {{12, 1, "6", 1, 0}, {0, 1, "x", 1, 1}};
	struct cd_file_edit edit = {.path = "/f", .document = &document, .splices = splices, .count = 1};
	struct cd_buffer diff = {0};

	(void)state;
	cd_diff_add(&diff, &edit);
	assert_string_equal(diff.bytes, "--- a/f\n+++ b/f\n@@ -3,4 +3,4 @@\n 2\n 3\n 4\n-5\n+6\n");
	cd_buffer_free(&diff);
	edit.splices = &splices[1];
	cd_diff_add(&diff, &edit);
	assert_string_equal(diff.bytes, "Binary files a/f and b/f differ\n");
	cd_buffer_free(&diff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_splices_merge_in_order),
		cmocka_unit_test(test_equal_replacements_are_one),
		cmocka_unit_test(test_the_order_does_not_matter),
		cmocka_unit_test(test_overlap_is_refused),
		cmocka_unit_test(test_a_line_is_ended_before_new_ones_follow),
		cmocka_unit_test(test_no_splice_gives_the_same_bytes),
		cmocka_unit_test(test_diff_is_what_patch_understands),
		cmocka_unit_test(test_replacements_that_are_not_the_same),
		cmocka_unit_test(test_what_is_let_go_of),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_of_a_secret_only_the_fact_is_shown),
		cmocka_unit_test(test_lines_with_a_nul_are_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
