/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-postfix-sni.c - certificates by name: tls_server_sni_maps and its tables */
#include "postfix.h"

#define MAIN "/etc/postfix/main.cf"
#define MASTER "/etc/postfix/master.cf"
#define MAP "/etc/postfix/sni"
#define OWN "/etc/postfix/certdeploy_sni"
#define LISTENERS                                                                                          \
	"smtp inet n - y - - smtpd\nsmtps inet n - y - - smtpd\n  -o smtpd_tls_wrappermode=yes\n"          \
	"10025 inet n - - - - smtpd\n  -o smtpd_tls_security_level=none\n"
/* with a default: names are served only where there is one */
#define BASE                                                                                               \
	"myhostname = mail.example.jp\nsmtpd_tls_security_level = may\n"                                   \
	"smtpd_tls_cert_file = /old.pem\nsmtpd_tls_key_file = /old.key\n"
#define COMBINED STORE "combined.pem"
#define NEW STORE "../new/combined.pem"

static const struct certdeploy_material *const rsa[] = {&rsa_material, NULL};

static int read_with_map(struct fixture *fixture, const char *main_cf, const char *map)
{
	fixture_open(fixture);
	put(fixture, MAIN, main_cf);
	put(fixture, MASTER, LISTENERS);
	if (map != NULL)
		put(fixture, MAP, map);
	return fixture_read(fixture);
}

static const struct certdeploy_build *only_build(const struct fixture *fixture)
{
	assert_int_equal(fixture->edits.builds.count, 1);
	return &((const struct cd_build *)fixture->edits.builds.items[0])->build;
}

static void test_endpoints(void **state)
{
	struct fixture fixture;
	const struct certdeploy_endpoint *one;

	(void)state;
	assert_int_equal(
		read_with_map(&fixture, BASE "tls_server_sni_maps = hash:" MAP "\n",
			      "# names\nWWW.Example.jp  /k.pem,\n   /c.pem\n.example.jp\t/all.pem\n"
			      "www.example.jp /second.pem\nnothing\n"),
		0);
	one = endpoint(&fixture, 0);
	assert_null(one->name);
	one = endpoint(&fixture, 1);
	assert_string_equal(one->name, "www.example.jp");
	assert_string_equal(one->listen, "smtp/inet");
	assert_false(one->is_default);
	assert_int_equal(one->pair_count, 1);
	assert_string_equal(one->pairs[0].certificate, "/c.pem");
	assert_string_equal(one->pairs[0].key, "/k.pem");
	assert_string_equal(one->pairs[0].file, MAP);
	assert_int_equal(one->pairs[0].line, 2);
	assert_string_equal(endpoint(&fixture, 2)->name, "*.example.jp");
	assert_string_equal(endpoint(&fixture, 2)->pairs[0].key, "/all.pem");
	assert_null(endpoint(&fixture, 3)->name);
	assert_string_equal(endpoint(&fixture, 3)->listen, "smtps/inet");
	assert_ptr_equal(endpoint(&fixture, 4)->decider, one->decider);
	assert_null(endpoint(&fixture, 6)->name);
	assert_null(endpoint(&fixture, 7));
	fixture_close(&fixture);
}

static void test_entry_changes(void **state)
{
	struct fixture fixture;
	const struct certdeploy_build *build;

	(void)state;
	assert_int_equal(
		read_with_map(&fixture, BASE "tls_server_sni_maps = hash:" MAP "\n",
			      "a.example.jp /a.pem\r\n# x\r\nwww.example.jp  /k.pem,\r\n   /c.pem\r\nz /z"),
		0);
	assert_int_equal(plan_name(&fixture, "www.example.jp", rsa), 0);
	assert_int_equal(fixture.assignment_count, 2);
	assert_string_equal(edited(&fixture, MAP),
			    "a.example.jp /a.pem\r\n# x\r\nwww.example.jp  " COMBINED "\r\nz /z");
	assert_null(edited(&fixture, MAIN));
	build = only_build(&fixture);
	assert_string_equal(build->source, MAP);
	assert_string_equal(build->suffix, ".db");
	assert_true(build->secret);
	assert_string_equal(build->argv[0], "/usr/sbin/postmap");
	assert_string_equal(build->argv[1], "-c");
	assert_string_equal(build->argv[2], "/etc/postfix");
	assert_string_equal(build->argv[3], "-F");
	assert_string_equal(build->argv[4], "hash:%s");
	assert_string_equal(build->input, "a.example.jp /a.pem\r\n# x\r\nwww.example.jp  " NEW "\r\nz /z");
	assert_int_equal(build->input_length, strlen(build->input));
	fixture_close(&fixture);
}

static void test_renewal_builds_the_index_anew(void **state)
{
	struct fixture fixture;

	(void)state;
	assert_int_equal(read_with_map(&fixture, BASE "tls_server_sni_maps = lmdb:" MAP "\n",
				       "www.example.jp " COMBINED "\n"),
			 0);
	assert_int_equal(plan_name(&fixture, "www.example.jp", rsa), 0);
	assert_null(edited(&fixture, MAP));
	assert_string_equal(only_build(&fixture)->suffix, ".lmdb");
	assert_string_equal(only_build(&fixture)->input, "www.example.jp " NEW "\n");
	fixture_close(&fixture);
}

static void test_name_is_added(void **state)
{
	struct fixture fixture;
	size_t line;

	(void)state;
	/* a domain's entry covers it, yet the name gets its own */
	assert_int_equal(read_with_map(&fixture, BASE "tls_server_sni_maps = texthash:" MAP "\n",
				       ".example.jp   /all.pem"),
			 0);
	assert_int_equal(plan_name(&fixture, "www.example.jp", rsa), 0);
	assert_true(fixture.assignments[0].endpoint->absent);
	assert_string_equal(edited(&fixture, MAP),
			    ".example.jp   /all.pem\nwww.example.jp   " COMBINED "\n");
	assert_int_equal(fixture.edits.builds.count, 0);
	fixture_close(&fixture);
	/* no table yet */
	assert_int_equal(read_with_map(&fixture, BASE "x = y\n", NULL), 0);
	assert_int_equal(plan_name(&fixture, "www.example.jp", rsa), 0);
	assert_int_equal(fixture.assignment_count, 2);
	assert_string_equal(edited(&fixture, OWN), "www.example.jp\t" COMBINED "\n");
	assert_string_equal(edited(&fixture, MAIN), BASE "tls_server_sni_maps = hash:" OWN "\nx = y\n");
	assert_string_equal(only_build(&fixture)->input, "www.example.jp\t" NEW "\n");
	fixture_close(&fixture);
	/* nor a place for it */
	assert_int_equal(read_with_map(&fixture, BASE "tls_server_sni_maps = hash:/opt/none/sni\n", NULL),
			 0);
	assert_int_equal(plan_name(&fixture, "www.example.jp", rsa), CERTDEPLOY_EREFUSED);
	assert_string_equal(problem(&fixture, &line), "not-found");
	assert_int_equal(line, 5);
	fixture_close(&fixture);
	/* what cannot be seen into stays, and comes after */
	assert_int_equal(
		read_with_map(&fixture, BASE "tls_server_sni_maps =\n  regexp:/etc/postfix/re\n", NULL), 0);
	assert_int_equal(plan_name(&fixture, "www.example.jp", rsa), 0);
	assert_string_equal(edited(&fixture, MAIN),
			    BASE "tls_server_sni_maps =\n  hash:" OWN ",regexp:/etc/postfix/re\n");
	fixture_close(&fixture);
}

static void test_inline(void **state)
{
	struct fixture fixture;

	(void)state;
	assert_int_equal(
		read_with_map(
			&fixture,
			BASE "tls_server_sni_maps = inline:{ a.jp=/a.pem,\n  { B.jp = /k, /c } }, hash:" MAP
			     "\n",
			"a.jp /hidden\n"),
		0);
	assert_string_equal(endpoint(&fixture, 1)->name, "a.jp");
	assert_string_equal(endpoint(&fixture, 1)->pairs[0].key, "/a.pem");
	assert_string_equal(endpoint(&fixture, 2)->name, "b.jp");
	assert_string_equal(endpoint(&fixture, 2)->pairs[0].certificate, "/c");
	assert_null(endpoint(&fixture, 3)->name);
	assert_int_equal(plan_name(&fixture, "b.jp", rsa), 0);
	assert_int_equal(plan_name(&fixture, "new.jp", rsa), 0);
	assert_string_equal(edited(&fixture, MAIN),
			    BASE "tls_server_sni_maps = inline:{ a.jp=/a.pem,\n  { B.jp = " COMBINED
				 " }, { new.jp = " COMBINED " } }, hash:" MAP "\n");
	assert_int_equal(fixture.edits.builds.count, 0);
	fixture_close(&fixture);
}

static void test_own_name_is_the_default(void **state)
{
	struct fixture fixture;

	(void)state;
	assert_int_equal(read_with_map(&fixture, BASE, NULL), 0);
	assert_int_equal(plan_name(&fixture, "mail.example.jp", rsa), 0);
	assert_null(edited(&fixture, OWN));
	assert_non_null(strstr(edited(&fixture, MAIN), "smtpd_tls_cert_file = " STORE));
	fixture_close(&fixture);
}

static void test_lost_source_is_refused(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	put(&fixture, MAIN, BASE "tls_server_sni_maps = hash:" MAP "\n");
	put(&fixture, MASTER, LISTENERS);
	put(&fixture, MAP ".db", "index");
	assert_int_equal(fixture_read(&fixture), 0);
	assert_int_equal(plan_name(&fixture, "www.example.jp", rsa), CERTDEPLOY_EREFUSED);
	assert_string_equal(problem(&fixture, NULL), "config-not-understood");
	fixture_close(&fixture);
}

/* CPU of reading a table of so many names and planning for one of them. */
static clock_t cost_of(int names)
{
	struct fixture fixture;
	size_t length = 0, room = (size_t)names * 64, count;
	char *map = malloc(room);
	clock_t start;

	assert_non_null(map);
	for (int i = 0; i < names; i++)
		length += (size_t)snprintf(map + length, room - length, "host%d.example.jp /x/%d.pem\n", i,
					   i);
	start = clock();
	assert_int_equal(read_with_map(&fixture, BASE "tls_server_sni_maps = hash:" MAP "\n", map), 0);
	assert_int_equal(plan_name(&fixture, "host500.example.jp", rsa), 0);
	start = clock() - start;
	(void)certdeploy_endpoints(&fixture.reading, &count);
	assert_int_equal(count, 2 * names + 3);
	fixture_close(&fixture);
	free(map);
	return start;
}

static void test_cost_is_linear(void **state)
{
	clock_t one = cost_of(2000), ten = cost_of(20000);

	(void)state;
	assert_in_range(ten, 0, 30 * one + CLOCKS_PER_SEC / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_entry_changes),
		cmocka_unit_test(test_renewal_builds_the_index_anew),
		cmocka_unit_test(test_name_is_added),
		cmocka_unit_test(test_inline),
		cmocka_unit_test(test_own_name_is_the_default),
		cmocka_unit_test(test_lost_source_is_refused),
		cmocka_unit_test(test_cost_is_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
