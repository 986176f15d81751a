/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-text.c - foreign text made harmless; which name a certificate covers */
#include "unit.h"

#include "base/hostname.h"
#include "base/text.h"

#include <string.h>

static void shows(const char *bytes, const char *want)
{
	struct cd_arena arena = {0};

	assert_string_equal(cd_printable(&arena, bytes, strlen(bytes), 40), want);
	cd_arena_free(&arena);
}

static void test_printable(void **state)
{
	(void)state;
	shows("plain", "plain");
	shows("日本語", "日本語");
	shows("葛\xf3\xa0\x84\x80", "葛\xf3\xa0\x84\x80"); /* a variant of the sign, as names have it */
	shows("a\033[31mb", "a\\x1b[31mb");
	shows("a\nb", "a\\x0ab");
	shows("\xc2\x9b", "\\xc2\\x9b"); /* C1 */
	shows("\xe2\x80\xae"
	      "x",
	      "\\xe2\\x80\\xaex"); /* right-to-left override */
	shows("a\xc2\xad"
	      "b",
	      "a\\xc2\\xadb"); /* soft hyphen */
	shows("\xf3\xa0\x81\x81"
	      "x",
	      "\\xf3\\xa0\\x81\\x81x");           /* a tag: a letter that nobody sees */
	shows("\xff\xc0\x80", "\\xff\\xc0\\x80"); /* broken and overlong */
	shows("0123456789012345678901234567890123456789xyz", "0123456789012345678901234567890123456789…");
}

static void test_names(void **state)
{
	static const char *const names[] = {"a.example", "*.example.jp", NULL};

	(void)state;
	assert_true(cd_names_cover(names, "A.Example"));
	assert_true(cd_names_cover(names, "www.example.jp"));
	assert_true(cd_names_cover(names, "*.example.jp"));
	assert_false(cd_names_cover(names, "example.jp"));
	assert_false(cd_names_cover(names, "a.b.example.jp"));
	assert_false(cd_names_cover(names, ".example.jp"));
	assert_false(cd_names_cover(NULL, "a.example"));
	assert_false(cd_names_cover((const char *const[]){"*.jp", NULL}, "example.jp"));
	assert_true(cd_names_cover((const char *const[]){"*.jp", NULL}, "*.jp"));
}

static void test_times(void **state)
{
	char text[21];

	(void)state;
	cd_utc_compact(text, 1795291896);
	assert_string_equal(text, "20261121T201136Z");
	cd_utc(text, 0);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
}

static void ascii(const char *name, const char *want)
{
	struct cd_arena arena = {0};

	assert_string_equal(cd_hostname_ascii(&arena, name), want);
	cd_arena_free(&arena);
}

static void unicode(const char *name, const char *want)
{
	struct cd_arena arena = {0};
	const char *shown = cd_hostname_unicode(&arena, name);

	if (want == NULL)
		assert_null(shown);
	else
		assert_string_equal(shown, want);
	cd_arena_free(&arena);
}

static void shown(const char *name, const char *want)
{
	struct cd_arena arena = {0};

	assert_string_equal(cd_hostname_shown(&arena, name), want);
	cd_arena_free(&arena);
}

static void test_two_forms_of_names(void **state)
{
	(void)state;
	ascii("日本語.jp", "xn--wgv71a119e.jp");
	ascii("*.日本語.jp", "*.xn--wgv71a119e.jp");
	ascii("www.Bücher.example", "www.xn--bcher-kva.example");
	ascii("straße.example", "xn--strae-oqa.example");
	ascii("www.example.jp", "www.example.jp");
	ascii("2001:0DB8:0:0::1", "2001:db8::1");
	ascii("[2001:0DB8:0:0::1]", "2001:db8::1");
	ascii("[2001:0DB8:0:0::1", "[2001:0DB8:0:0::1");
	ascii("[192.0.2.1]", "[192.0.2.1]");
	ascii("www.example.jp.", "www.example.jp");
	ascii("日本語。jp。", "xn--wgv71a119e.jp");
	ascii("www.example.jp..", "www.example.jp..");
	ascii(".", ".");
	ascii("\xff.example", "\xff.example");
	unicode("xn--wgv71a119e.jp", "日本語.jp");
	unicode("*.xn--wgv71a119e.jp", "*.日本語.jp");
	unicode("XN--WGV71A119E.jp", "日本語.jp");
	unicode("www.example.jp", NULL);
	unicode("xn--a.example", NULL);
	unicode("xn--.example", NULL);
	unicode("192.0.2.1", NULL);
	shown("xn--wgv71a119e.jp", "xn--wgv71a119e.jp (日本語.jp)");
	shown("a\033.jp", "a\\x1b.jp");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_two_forms_of_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
