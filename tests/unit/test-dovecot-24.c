/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-dovecot-24.c - Dovecot 2.4: another spelling, another order, and certificates of two key types */
#include "dovecot.h"

#define HEAD "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\n"
#define PAIR HEAD "ssl_server_cert_file = /old.pem\nssl_server_key_file = /old.key\n"
#define NEW HEAD "ssl_server_cert_file = " FULL "\nssl_server_key_file = " KEY "\n"
#define UNKNOWN HEAD "ssl_server_cert_file = $ENV:CERT\nssl_server_key_file = $ENV:KEY\n"
#define NAMED(name)                                                                                        \
	"local_name " name " {\n  ssl_server_cert_file = " FULL "\n  ssl_server_key_file = " KEY "\n}\n"

static void test_spellings(void **state)
{
	(void)state;
	check_edit(PAIR, NULL, NEW);
	check_edit(NEW, NULL, NULL);
	check_edit(HEAD "ssl_server {\n  cert_file = \"/a b.pem\"\n  key_file='/k'  # c\n}\n", NULL,
		   HEAD "ssl_server {\n  cert_file = \"" FULL "\"\n  key_file='" KEY "'  # c\n}\n");
	check_edit(HEAD "ssl_server {\n\tssl_server_cert_file = /a\n}\n", NULL,
		   HEAD "ssl_server {\n\tssl_server_cert_file = " FULL "\n\tssl_server_key_file = " KEY
			"\n}\n");
	check_edit(HEAD "ssl_server/cert_file = /a\n", NULL,
		   HEAD "ssl_server/cert_file = " FULL "\nssl_server/key_file = " KEY "\n");
	/* < makes the contents the name of a file: never meant */
	check_edit(HEAD "ssl_server_cert_file = </a\nssl_server_key_file = $SET:x\n", NULL, NEW);
	/* flat and nested are one setting */
	check_edit(PAIR "ssl_server {\n  cert_file = /b\n}\n", NULL,
		   HEAD "ssl_server_cert_file = /old.pem\nssl_server_key_file = " KEY
			"\nssl_server {\n  cert_file = " FULL "\n}\n");
}

static void test_order(void **state)
{
	struct fixture fixture;

	(void)state;
	check_edit(PAIR, "mail.example.jp", PAIR "\n" NAMED("mail.example.jp"));
	/* what only the server's environment says may well be a certificate */
	check_edit(UNKNOWN, "mail.example.jp", UNKNOWN "\n" NAMED("mail.example.jp"));
	check_edit(UNKNOWN, NULL, NEW);
	/* the version may stand there once more */
	check_edit(PAIR "dovecot_config_version = \"2.4.1\"\n", NULL,
		   NEW "dovecot_config_version = \"2.4.1\"\n");
	/* nested stays nested */
	check_edit(HEAD "ssl_server {\n  cert_file = /a\n  key_file = /k\n}\n", "mail.example.jp",
		   HEAD
		   "ssl_server {\n  cert_file = /a\n  key_file = /k\n}\n\nlocal_name mail.example.jp {\n"
		   "  ssl_server {\n    cert_file = " FULL "\n    key_file = " KEY "\n  }\n}\n");
	/* the last wins: after the pattern, and after the protocol */
	check_edit(
		PAIR
		"local_name *.example.jp {\n  ssl_server_cert_file = /w\n  ssl_server_key_file = /wk\n}\n"
		"protocol imap {\n  ssl_server_cert_file = /i\n  ssl_server_key_file = /ik\n}\n",
		"mail.example.jp",
		PAIR
		"local_name *.example.jp {\n  ssl_server_cert_file = /w\n  ssl_server_key_file = /wk\n}\n"
		"protocol imap {\n  ssl_server_cert_file = /i\n  ssl_server_key_file = /ik\n}\n\n" NAMED(
			"mail.example.jp"));
	/* a pattern that comes later hides it: the block moves behind it */
	check_edit(
		PAIR
		"local_name mail.example.jp {\n  ssl_server_cert_file = /a\n  ssl_server_key_file = "
		"/ak\n}\n"
		"local_name *.example.jp {\n  ssl_server_cert_file = /w\n  ssl_server_key_file = /wk\n}\n",
		"mail.example.jp",
		PAIR "local_name *.example.jp {\n  ssl_server_cert_file = /w\n  ssl_server_key_file = "
		     "/wk\n}\n\n" NAMED("mail.example.jp"));
	assert_int_equal(
		read_conf(&fixture, PAIR
			  "local_name a.example {\n ssl_server_cert_file = /a\n}\nlocal_name *.example "
			  "{\n ssl_server_cert_file = /w\n}\n"),
		0);
	assert_string_equal(served(&fixture, &fixture.reading, "imaps/993", "a.example"), "/w");
	assert_true(find_endpoint(&fixture.reading, "imaps/993", "a.example")->inherited);
	fixture_close(&fixture);
}

/* A block for an address that comes later hides the name's there. */
static void test_addresses(void **state)
{
	static const char local[] = "local 10.0.0.1 {\n  ssl_server_cert_file = /l\n"
				    "  ssl_server_key_file = /lk\n}\n";
	char before[1024], after[1024];

	(void)state;
	(void)snprintf(before, sizeof(before), PAIR NAMED("mail.example.jp") "%s", local);
	(void)snprintf(after, sizeof(after), PAIR "%s\n" NAMED("mail.example.jp"), local);
	check_edit(before, "mail.example.jp", after);
	check_edit(after, "mail.example.jp", NULL);
	/* its comments go along */
	check_edit(PAIR
		   "# our name\nlocal_name mail.example.jp {\n  # by hand\n  ssl_server_cert_file = /a\n"
		   "  ssl_server_key_file = /ak\n}\nlocal 10.0.0.1 {\n  ssl_server_cert_file = /l\n}\n",
		   "mail.example.jp",
		   PAIR "local 10.0.0.1 {\n  ssl_server_cert_file = /l\n}\n\n# our name\nlocal_name "
			"mail.example.jp {\n  # by hand\n  ssl_server_cert_file = " FULL
			"\n  ssl_server_key_file = " KEY "\n}\n");
	/* and what else it sets, unless another filter sets something, too */
	check_edit(PAIR "local_name mail.example.jp {\n  ssl = required\n  ssl_server_cert_file = /a\n"
			"  ssl_server_key_file = /ak\n  auth_mechanisms = \\\n  plain\n}\n"
			"local 10.0.0.1 {\n  ssl_server_cert_file = /l\n}\n",
		   "mail.example.jp",
		   PAIR "local 10.0.0.1 {\n  ssl_server_cert_file = /l\n}\n\nlocal_name mail.example.jp {\n"
			"  ssl = required\n  auth_mechanisms = \\\n  plain\n  ssl_server_cert_file = " FULL
			"\n  ssl_server_key_file = " KEY "\n}\n");
	check_edit(PAIR "local_name mail.example.jp {\n  ssl_server_cert_file = /a\n"
			"  ssl_server_key_file = /ak\n  auth_mechanisms = plain\n}\n"
			"local 10.0.0.1 {\n  ssl_server_cert_file = /l\n  ssl_server_key_file = /lk\n  "
			"auth_mechanisms = login\n}\n",
		   "mail.example.jp",
		   PAIR "local_name mail.example.jp {\n  ssl_server_cert_file = " FULL
			"\n  ssl_server_key_file = " KEY "\n  auth_mechanisms = plain\n}\n"
			"local 10.0.0.1 {\n  ssl_server_cert_file = /l\n  ssl_server_key_file = /lk\n  "
			"auth_mechanisms = login\n}\n");
	/* a name for one protocol at an address has its own lines there, and a block for all others */
	check_edit(PAIR "local 10.0.0.1 {\n  local_name mail.example.jp {\n    protocol imap {\n"
			"      ssl_server_cert_file = /x\n      ssl_server_key_file = /xk\n    }\n  }\n}\n",
		   "mail.example.jp",
		   PAIR "local 10.0.0.1 {\n  local_name mail.example.jp {\n    protocol imap {\n"
			"      ssl_server_cert_file = " FULL "\n      ssl_server_key_file = " KEY
			"\n    }\n  }\n}\n\n" NAMED("mail.example.jp"));
}

/* What hides a name at an address is listed there, and changed with the default there. */
static void test_hidden(void **state)
{
	static const char text[] =
		PAIR "local_name mail.example.jp {\n  ssl_server_cert_file = /a\n  ssl_server_key_file = "
		     "/ak\n}\n"
		     "local_name other.jp {\n  ssl_server_cert_file = /o\n  ssl_server_key_file = /ok\n}\n"
		     "local 10.0.0.1 {\n  ssl_server_cert_file = /l\n"
		     "  ssl_server_key_file = /lk\n}\n";
	struct fixture fixture;

	(void)state;
	assert_int_equal(read_conf(&fixture, text), 0);
	assert_string_equal(served(&fixture, &fixture.reading, "imaps/993", "mail.example.jp"), "/a");
	assert_string_equal(served(&fixture, &fixture.reading, "10.0.0.1:imaps/993", "mail.example.jp"),
			    "/l");
	assert_ptr_equal(find_endpoint(&fixture.reading, "10.0.0.1:imaps/993", NULL)->decider,
			 find_endpoint(&fixture.reading, "10.0.0.1:imaps/993", "other.jp")->decider);
	assert_int_equal(plan_for(&fixture, NULL, rsa), 0);
	assert_string_equal(served(&fixture, &fixture.after, "10.0.0.1:imaps/993", "other.jp"), FULL);
	assert_string_equal(served(&fixture, &fixture.after, "imaps/993", "other.jp"), "/o");
	fixture_close(&fixture);
	/* a block for an address that is hidden stays, and one for the name comes last */
	check_edit(PAIR "local 10.0.0.1 {\n  local_name mail.example.jp {\n    protocol imap {\n"
			"      ssl_server_cert_file = /x\n    }\n  }\n}\n"
			"local_name *.example.jp {\n  ssl_server_cert_file = /w\n}\n",
		   "mail.example.jp",
		   PAIR "local 10.0.0.1 {\n  local_name mail.example.jp {\n    protocol imap {\n"
			"      ssl_server_cert_file = /x\n    }\n  }\n}\n"
			"local_name *.example.jp {\n  ssl_server_cert_file = /w\n}\n\n" NAMED(
				"mail.example.jp"));
	/* the hidden block and what hides it are told where they cannot be parted */
	check_no_plan(PAIR "local_name mail.example.jp {\n  ssl_server_cert_file = /a\n  protocol imap {\n"
			   "  }\n}\nlocal_name *.example.jp {\n  ssl_server_cert_file = /w\n}\n",
		      "mail.example.jp", "config-not-understood", 5);
}

/* A pattern's own block stands before the names that it covers, which keep theirs. */
static void test_pattern(void **state)
{
	(void)state;
	check_edit(PAIR "# one\nlocal_name a.example.jp {\n  ssl_server_cert_file = /a\n"
			"  ssl_server_key_file = /ak\n}\n",
		   "*.example.jp",
		   PAIR "\n" NAMED("*.example.jp") "\n# one\nlocal_name a.example.jp {\n"
						   "  ssl_server_cert_file = /a\n  ssl_server_key_file = "
						   "/ak\n}\n");
	check_edit(PAIR "local_name a.other.jp {\n  ssl_server_cert_file = /a\n}\n", "*.example.jp",
		   PAIR
		   "local_name a.other.jp {\n  ssl_server_cert_file = /a\n}\n\n" NAMED("*.example.jp"));
}

/* Of a file's setting `$SET:` takes over nothing, of others their value. */
static void test_variables(void **state)
{
	struct fixture fixture;

	(void)state;
	assert_int_equal(read_conf(&fixture, PAIR "ssl_server_cert_file = $SET:ssl_server_cert_file\n"), 0);
	assert_int_equal(find_endpoint(&fixture.reading, "imaps/993", NULL)->pair_count, 0);
	fixture_close(&fixture);
	assert_int_equal(read_conf(&fixture, PAIR
				   "login_greeting = /g\nssl_server_cert_file = $SET:login_greeting\n"),
			 0);
	assert_string_equal(served(&fixture, &fixture.reading, "imaps/993", NULL), "/g");
	fixture_close(&fixture);
}

static void test_refused(void **state)
{
	(void)state;
	check_refused(HEAD "ssl_cert = </x\n", "config-syntax", 3);
	check_refused(HEAD "local_name \"a b\" {\n}\n", "config-syntax", 3);
	check_refused(HEAD "ssl_server {\n  local_name a {\n  }\n}\n", "config-syntax", 4);
	check_refused(HEAD "dovecot_config_version\n", "config-syntax", 3);
	check_refused(HEAD "protocol imap {\n  dovecot_config_version = 2.4.9\n}\n", "config-syntax", 4);
	check_refused(HEAD "group @tls one {\n  ssl_server_cert_file = /x\n}\n@tls = one\n",
		      "config-not-understood", 6);
	/* a section with a name comes before every other filter */
	check_no_plan(PAIR "service imap-login {\n  ssl_server_cert_file = /s\n}\n", "mail.example.jp",
		      "config-not-understood", 6);
}

static void test_listeners(void **state)
{
	struct fixture fixture;

	(void)state;
	assert_int_equal(
		read_conf(&fixture,
			  PAIR "protocols {\n  imap = yes\n  submission = yes\n  pop3 = no\n}\n"
			       "listen = 127.0.0.1 ::1\n"
			       "service imap-login {\n  inet_listener imap {\n    port = 0\n  }\n"
			       "  inet_listener imaps {\n    port = 10993\n    listen = *\n  }\n"
			       "  inet_listener extra {\n    port = 10143\n    haproxy = yes\n  }\n}\n"),
		0);
	assert_non_null(find_endpoint(&fixture.reading, "imaps/10993", NULL));
	assert_null(find_endpoint(&fixture.reading, "127.0.0.1:imap/143", NULL));
	assert_string_equal(find_endpoint(&fixture.reading, "127.0.0.1:extra/10143", NULL)->address,
			    "127.0.0.1");
	/* nobody is trusted as a proxy: there is no asking it */
	assert_int_equal(find_endpoint(&fixture.reading, "127.0.0.1:extra/10143", NULL)->port, 0);
	assert_string_equal(find_endpoint(&fixture.reading, "[::1]:submissions/465", NULL)->protocol,
			    "submissions");
	assert_int_equal(find_endpoint(&fixture.reading, "[::1]:submission/587", NULL)->start,
			 CERTDEPLOY_START_SMTP);
	assert_null(find_endpoint(&fixture.reading, "127.0.0.1:pop3/110", NULL));
	fixture_close(&fixture);
	/* words come and go, also those of a list that was a line before, and of what is there by itself */
	assert_int_equal(
		read_conf(&fixture,
			  PAIR "protocols = imap, pop3\nprotocols {\n  imap = no\n  pop3 = no\n  imap = "
			       "yes\n}\nlisten {\n  * = no\n  10.0.0.1 = yes\n  10.0.0.2 = yes\n}\n"
			       "listen {\n  10.0.0.1 = no\n  10.0.0.2 = yes\n  10.0.0.3 = no\n}\n"),
		0);
	assert_non_null(find_endpoint(&fixture.reading, "10.0.0.2:imap/143", NULL));
	assert_non_null(find_endpoint(&fixture.reading, "[::]:imap/143", NULL));
	assert_null(find_endpoint(&fixture.reading, "10.0.0.1:imap/143", NULL));
	assert_null(find_endpoint(&fixture.reading, "10.0.0.3:imap/143", NULL));
	assert_null(find_endpoint(&fixture.reading, "*:imap/143", NULL));
	assert_null(find_endpoint(&fixture.reading, "10.0.0.2:pop3/110", NULL));
	fixture_close(&fixture);
	/* lmtp looks for names, but not for addresses */
	assert_int_equal(
		read_conf(&fixture, PAIR
			  "protocols = imap lmtp\nservice lmtp {\n  inet_listener lmtp {\n    port = 24\n  "
			  "}\n}\nlocal 10.0.0.1 {\n  ssl_server_cert_file = /l\n}\n" NAMED("a.example")),
		0);
	assert_string_equal(served(&fixture, &fixture.reading, "10.0.0.1:imaps/993", NULL), "/l");
	assert_string_equal(served(&fixture, &fixture.reading, "10.0.0.1:lmtp/24", NULL), "none");
	assert_string_equal(served(&fixture, &fixture.reading, "lmtp/24", NULL), "/old.pem");
	assert_string_equal(served(&fixture, &fixture.reading, "lmtp/24", "a.example"), FULL);
	fixture_close(&fixture);
}

/* ---- key types ---- */

static void plan_types(const char *before, const struct certdeploy_material *const *materials, bool drop,
		       const char *want)
{
	struct fixture fixture;

	assert_int_equal(read_conf(&fixture, before), 0);
	fixture.drop = drop;
	if (want == NULL) {
		assert_int_equal(plan_for(&fixture, NULL, materials), CERTDEPLOY_EREFUSED);
		assert_string_equal(problem(&fixture, NULL), "other-key-type");
	} else {
		assert_int_equal(plan_for(&fixture, NULL, materials), 0);
		assert_string_equal(edited(&fixture, CONF), want);
	}
	fixture_close(&fixture);
}

static void test_key_types(void **state)
{
	static const char two[] =
		PAIR "ssl_server_alt_cert_file = /alt.pem\nssl_server_alt_key_file = /alt.key\n";
	struct fixture fixture;
	const struct certdeploy_endpoint *one;

	(void)state;
	plan_types(two, both, false,
		   NEW "ssl_server_alt_cert_file = " ECFULL "\nssl_server_alt_key_file = " ECKEY "\n");
	/* the second certificate is not there, so it cannot be good */
	plan_types(two, rsa, false, NULL);
	plan_types(two, rsa, true, NEW);
	/* an earlier line would take the place of the one that goes */
	plan_types(PAIR "ssl_server_alt_cert_file = /first.pem\nssl_server_alt_cert_file = /alt.pem\n"
			"ssl_server_alt_key_file = /alt.key\n",
		   rsa, true, NEW);
	/* a second certificate where there was one */
	assert_int_equal(read_conf(&fixture, PAIR), 0);
	assert_int_equal(plan_for(&fixture, NULL, both), 0);
	one = find_endpoint(&fixture.after, "imaps/993", NULL);
	assert_int_equal(one->pair_count, 2);
	assert_string_equal(one->pairs[0].certificate, FULL);
	assert_string_equal(one->pairs[0].key, KEY);
	assert_string_equal(one->pairs[1].certificate, ECFULL);
	assert_string_equal(one->pairs[1].key, ECKEY);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings), cmocka_unit_test(test_order),
		cmocka_unit_test(test_pattern),   cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_variables),
		cmocka_unit_test(test_refused),   cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_key_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
