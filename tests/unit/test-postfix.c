/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-postfix.c - reading and editing main.cf and master.cf */
#include "postfix.h"

#define MAIN "/etc/postfix/main.cf"
#define MASTER "/etc/postfix/master.cf"
#define ROW " inet n - y - - smtpd\n"
static const struct certdeploy_material *const rsa[] = {&rsa_material, NULL};
static const struct certdeploy_material *const both[] = {&rsa_material, &ecdsa_material, NULL};

#define FULL STORE "fullchain.pem"
#define KEY STORE "key.pem"

/* Plan one RSA certificate for every listener and compare both files. NULL: unchanged. */
static void check_edit(const char *main_cf, const char *master_cf, const char *want_main,
		       const char *want_master)
{
	struct fixture fixture;
	const char *text;

	assert_int_equal(read_pair(&fixture, main_cf, master_cf), 0);
	assert_int_equal(plan_for(&fixture, "", rsa, false), 0);
	text = edited(&fixture, MAIN);
	if (want_main == NULL)
		assert_null(text);
	else
		assert_string_equal(text, want_main);
	text = edited(&fixture, MASTER);
	if (want_master == NULL)
		assert_null(text);
	else
		assert_string_equal(text, want_master);
	fixture_close(&fixture);
}

static void test_stock_debian(void **state)
{
	static const char before[] = "biff = no\n\n# TLS parameters\n"
				     "smtpd_tls_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem\n"
				     "smtpd_tls_key_file=/etc/ssl/private/ssl-cert-snakeoil.key\n"
				     "smtpd_tls_security_level=may\n\nsmtp_tls_CApath=/etc/ssl/certs\n"
				     "myhostname = mail.example.jp\n";
	static const char after[] = "biff = no\n\n# TLS parameters\n"
				    "smtpd_tls_cert_file=" FULL "\n"
				    "smtpd_tls_key_file=" KEY "\n"
				    "smtpd_tls_security_level=may\n\nsmtp_tls_CApath=/etc/ssl/certs\n"
				    "myhostname = mail.example.jp\n";

	(void)state;
	check_edit(before, "smtp" ROW "#smtps" ROW, after, NULL);
	check_edit(after, "smtp" ROW, NULL, NULL);
}

static void test_endpoints(void **state)
{
	struct fixture fixture;
	const struct certdeploy_endpoint *one;

	(void)state;
	assert_int_equal(read_pair(&fixture,
				   "myhostname = Mail.example.jp\nsmtpd_tls_security_level = may\n"
				   "smtpd_tls_cert_file = /c.pem\nsmtpd_tls_key_file = /k.pem\n"
				   "inet_interfaces = loopback-only\n",
				   "smtp" ROW "smtp unix - - y - - smtp\n"
				   "587 inet n - - - - smtpd\n\t-o smtpd_tls_security_level=encrypt\n"
				   "smtps inet n - - - - smtpd -o smtpd_tls_wrappermode=yes\n"
				   "  -o smtpd_tls_cert_file=/own.pem\n"
				   "10.0.0.2:smtp" ROW "[2001:db8::1]:2525" ROW
				   "10025 inet n - - - - smtpd\n"
				   "  -o { smtpd_tls_security_level = none }\n"),
			 0);
	one = endpoint(&fixture, 0);
	assert_string_equal(one->listen, "smtp/inet");
	assert_string_equal(one->protocol, "smtp");
	assert_string_equal(one->address, "127.0.0.1");
	assert_string_equal(one->server_name, "Mail.example.jp");
	assert_int_equal(one->port, 25);
	assert_true(one->tls && one->is_default && one->name == NULL);
	assert_int_equal(one->pair_count, 1);
	assert_string_equal(one->pairs[0].certificate, "/c.pem");
	assert_string_equal(one->pairs[0].key, "/k.pem");
	assert_string_equal(one->pairs[0].file, MAIN);
	assert_int_equal(one->pairs[0].line, 3);
	assert_string_equal(endpoint(&fixture, 1)->protocol, "submission");
	assert_int_equal(endpoint(&fixture, 1)->port, 587);
	assert_ptr_equal(endpoint(&fixture, 1)->decider, one->decider);
	one = endpoint(&fixture, 2);
	assert_string_equal(one->protocol, "smtps");
	assert_int_equal(one->start, CERTDEPLOY_START_IMPLICIT);
	assert_string_equal(one->pairs[0].certificate, "/own.pem");
	assert_string_equal(one->pairs[0].file, MASTER);
	assert_int_equal(one->pairs[0].line, 6);
	assert_ptr_not_equal(one->decider, endpoint(&fixture, 0)->decider);
	one = endpoint(&fixture, 3);
	assert_string_equal(one->listen, "10.0.0.2:smtp/inet");
	assert_string_equal(one->address, "10.0.0.2");
	assert_true(one->inherited);
	assert_string_equal(endpoint(&fixture, 4)->address, "2001:db8::1");
	assert_int_equal(endpoint(&fixture, 4)->port, 2525);
	assert_false(endpoint(&fixture, 5)->tls);
	assert_null(endpoint(&fixture, 6));
	fixture_close(&fixture);
}

static void test_shapes_stay(void **state)
{
	(void)state;
	/* CRLF, no newline at the end, tabs, continuation, comments between */
	check_edit("a = b\r\nsmtpd_tls_cert_file\t=\t/a.pem\r\nsmtpd_tls_key_file=/k.pem", "smtp" ROW,
		   "a = b\r\nsmtpd_tls_cert_file\t=\t" FULL "\r\nsmtpd_tls_key_file=" KEY, NULL);
	check_edit("smtpd_tls_cert_file =\n# where\n\n   /a.pem\n # x\nsmtpd_tls_key_file = /k\n",
		   "smtp" ROW,
		   "smtpd_tls_cert_file =\n# where\n\n   " FULL "\n # x\nsmtpd_tls_key_file = " KEY "\n",
		   NULL);
	/* the last definition wins, an empty one too */
	check_edit("smtpd_tls_cert_file = /a\nsmtpd_tls_key_file = /k\nsmtpd_tls_cert_file =\n", "smtp" ROW,
		   "smtpd_tls_cert_file = /a\nsmtpd_tls_key_file = " KEY "\nsmtpd_tls_cert_file = " FULL
		   "\n",
		   NULL);
	check_edit("smtpd_tls_cert_file=\nsmtpd_tls_key_file=", "smtp" ROW,
		   "smtpd_tls_cert_file=" FULL "\nsmtpd_tls_key_file=" KEY, NULL);
	/* one combined file becomes two */
	check_edit("x = y\nsmtpd_tls_cert_file = /a\n  \n#c\nz = 1\n", "smtp" ROW,
		   "x = y\nsmtpd_tls_cert_file = " FULL "\nsmtpd_tls_key_file = " KEY "\n  \n#c\nz = 1\n",
		   NULL);
	/* nothing there: at the end, after a missing newline */
	check_edit("x = y\n  z", "smtp" ROW,
		   "x = y\n  z\nsmtpd_tls_cert_file = " FULL "\nsmtpd_tls_key_file = " KEY, NULL);
	check_edit("", "smtp" ROW, "smtpd_tls_cert_file = " FULL "\nsmtpd_tls_key_file = " KEY "\n", NULL);
	check_edit("smtpd_tls_security_level = may\n  # x\n\nq = 1\n", "smtp" ROW,
		   "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = " FULL
		   "\nsmtpd_tls_key_file = " KEY "\n  # x\n\nq = 1\n",
		   NULL);
}

static void test_references_are_followed(void **state)
{
	(void)state;
	check_edit("d = " STORE
		   "\nsmtpd_tls_cert_file = ${d}fullchain.pem\nsmtpd_tls_key_file = $(d)key.pem\n",
		   "smtp" ROW, NULL, NULL);
	check_edit("c = /x\nsmtp_tls_cert_file = $c\nsmtpd_tls_cert_file = $c\nsmtpd_tls_key_file = /k\n",
		   "smtp" ROW,
		   "c = /x\nsmtp_tls_cert_file = $c\nsmtpd_tls_cert_file = " FULL
		   "\nsmtpd_tls_key_file = " KEY "\n",
		   NULL);
}

static void test_chain_files(void **state)
{
	(void)state;
	check_edit("smtpd_tls_cert_file = /legacy\nsmtpd_tls_chain_files = /key.pem, /full.pem\n",
		   "smtp" ROW,
		   "smtpd_tls_cert_file = /legacy\nsmtpd_tls_chain_files = " STORE "combined.pem\n", NULL);
	check_edit("smtpd_tls_chain_files =\n  /key.pem,\n# both\n  /full.pem\nq = 1\n", "smtp" ROW,
		   "smtpd_tls_chain_files =\n  " STORE "combined.pem\n# both\nq = 1\n", NULL);
	check_edit("smtpd_tls_chain_files = " STORE "combined.pem\n", "smtp" ROW, NULL, NULL);
	/* an override of a legacy parameter does nothing where chain files are in force */
	check_edit("smtpd_tls_chain_files = /a\n", "smtp inet n - y - - smtpd -o smtpd_tls_cert_file=/b\n",
		   "smtpd_tls_chain_files = " STORE "combined.pem\n", NULL);
	check_edit("smtpd_tls_chain_files = /a\n",
		   "smtp inet n - y - - smtpd\n -o smtpd_tls_chain_files=\n -o smtpd_tls_cert_file=/b\n",
		   NULL,
		   "smtp inet n - y - - smtpd\n -o smtpd_tls_chain_files=\n -o smtpd_tls_cert_file=" FULL
		   "\n -o smtpd_tls_key_file=" KEY "\n");
}

static void test_overrides(void **state)
{
	(void)state;
	check_edit("smtpd_tls_cert_file = /a\nsmtpd_tls_key_file = /k\n",
		   "smtp" ROW "smtps inet n - y - - smtpd -v -o smtpd_tls_cert_file=/b\n"
		   "# note\n  -o { smtpd_tls_key_file = /q } -o x=y\n",
		   "smtpd_tls_cert_file = " FULL "\nsmtpd_tls_key_file = " KEY "\n",
		   "smtp" ROW "smtps inet n - y - - smtpd -v -o smtpd_tls_cert_file=" FULL "\n"
		   "# note\n  -o { smtpd_tls_key_file = " KEY " } -o x=y\n");
	/* what stands after an argument that is no option is not read */
	check_edit("smtpd_tls_cert_file = /a\nsmtpd_tls_key_file = /k\n",
		   "smtps inet n - y - - smtpd -osmtpd_tls_cert_file=/b # note -o smtpd_tls_key_file=/z\n",
		   NULL,
		   "smtps inet n - y - - smtpd -osmtpd_tls_cert_file=" FULL " -o smtpd_tls_key_file=" KEY
		   " # note -o smtpd_tls_key_file=/z\n");
	/* the last of a name wins */
	check_edit("",
		   "s inet n - y - - smtpd -o smtpd_tls_cert_file=/b -o smtpd_tls_cert_file=/c\n"
		   "  -o smtpd_tls_key_file=/k\n",
		   NULL,
		   "s inet n - y - - smtpd -o smtpd_tls_cert_file=/b -o smtpd_tls_cert_file=" FULL "\n"
		   "  -o smtpd_tls_key_file=" KEY "\n");
}

static void test_empty_options(void **state)
{
	(void)state;
	check_edit("",
		   "s inet n - y - - smtpd\n\t-o smtpd_tls_key_file=\n\t-o {smtpd_tls_cert_file = }\n -o "
		   "x=y\n",
		   NULL,
		   "s inet n - y - - smtpd\n\t-o smtpd_tls_key_file=" KEY
		   "\n\t-o {smtpd_tls_cert_file = " FULL "}\n -o x=y\n");
	check_edit("", "s inet n - y - - smtpd -o smtpd_tls_key_file= -o x=y\n", NULL,
		   "s inet n - y - - smtpd -o smtpd_tls_key_file=" KEY " -o smtpd_tls_cert_file=" FULL
		   " -o x=y\n");
	check_edit("", "s inet n - y - - smtpd\n\t-o smtpd_tls_key_file=\n", NULL,
		   "s inet n - y - - smtpd\n\t-o smtpd_tls_key_file=" KEY "\n\t-o smtpd_tls_cert_file=" FULL
		   "\n");
}

static void test_nothing_is_added_inside_an_open_brace(void **state)
{
	struct fixture fixture;
	size_t where = 0;

	(void)state;
	assert_int_equal(read_pair(&fixture, "",
				   "s inet n - y - - smtpd -o smtpd_tls_cert_file=/b\n"
				   "  -o x{y=ey -o z=1\n"),
			 0);
	assert_int_equal(plan_for(&fixture, "", rsa, false), 0);
	assert_string_equal(edited(&fixture, MASTER),
			    "s inet n - y - - smtpd -o smtpd_tls_cert_file=" FULL
			    " -o smtpd_tls_key_file=" KEY "\n  -o x{y=ey -o z=1\n");
	fixture_close(&fixture);
	assert_int_equal(read_pair(&fixture, "",
				   "s inet n - y - - smtpd\n"
				   "  -o smtpd_tls_cert_file=/b{ -o z=1\n"),
			 0);
	assert_int_equal(plan_for(&fixture, "", rsa, false), CERTDEPLOY_EREFUSED);
	assert_string_equal(problem(&fixture, &where), "config-not-understood");
	assert_int_equal(where, 2);
	fixture_close(&fixture);
}

/* Of Postfix's own it is known that they are empty; of others it is said what they are taken for. */
static void test_what_main_is_silent_about(void **state)
{
	struct fixture fixture;

	(void)state;
	assert_int_equal(read_pair(&fixture, "smtpd_tls_cert_file = /a\nsmtpd_tls_key_file = /k\n",
				   "smtp" ROW "s inet n - y - 1 postscreen\nt unix - - y - 0 tlsproxy\n"),
			 0);
	assert_string_equal(problem(&fixture, NULL), "");
	fixture_close(&fixture);
	assert_int_equal(
		read_pair(&fixture, "smtpd_tls_cert_file = /$of/a\nsmtpd_tls_key_file = /k\n", "smtp" ROW),
		0);
	assert_string_equal(problem(&fixture, NULL), "config-not-understood");
	fixture_close(&fixture);
}

static void test_one_address_gets_its_own(void **state)
{
	struct fixture fixture;

	(void)state;
	assert_int_equal(read_pair(&fixture, "smtpd_tls_cert_file = /a\nsmtpd_tls_key_file = /k\n",
				   "smtp" ROW "10.0.0.2:smtp" ROW),
			 0);
	assert_int_equal(plan_for(&fixture, "10.0.0.2", rsa, false), 0);
	assert_null(edited(&fixture, MAIN));
	assert_string_equal(edited(&fixture, MASTER), "smtp" ROW "10.0.0.2:smtp inet n - y - - smtpd\n"
						      "  -o smtpd_tls_cert_file=" FULL "\n"
						      "  -o smtpd_tls_key_file=" KEY "\n");
	fixture_close(&fixture);
}

static void test_two_key_types(void **state)
{
	struct fixture fixture;

	(void)state;
	assert_int_equal(
		read_pair(&fixture, "smtpd_tls_cert_file = /a\nsmtpd_tls_key_file = /k\n", "smtp" ROW), 0);
	assert_int_equal(plan_for(&fixture, "", both, false), 0);
	assert_string_equal(edited(&fixture, MAIN),
			    "smtpd_tls_cert_file = " FULL "\nsmtpd_tls_key_file = " KEY "\n"
			    "smtpd_tls_eccert_file = " STORE "fullchain-ecdsa.pem\n"
			    "smtpd_tls_eckey_file = " STORE "key-ecdsa.pem\n");
	fixture_close(&fixture);
	/* a left over pair of another type would go on being served */
	assert_int_equal(read_pair(&fixture,
				   "smtpd_tls_cert_file = /a\nsmtpd_tls_key_file = /k\n"
				   "smtpd_tls_eccert_file = /e\nsmtpd_tls_eckey_file = /ek\n",
				   "smtp" ROW),
			 0);
	assert_int_equal(plan_for(&fixture, "", rsa, false), CERTDEPLOY_EREFUSED);
	assert_string_equal(problem(&fixture, NULL), "other-key-type");
	fixture_close(&fixture);
	assert_int_equal(read_pair(&fixture,
				   "smtpd_tls_cert_file = /a\nsmtpd_tls_key_file = /k\n"
				   "smtpd_tls_eccert_file = /e\nsmtpd_tls_eckey_file = /ek\n",
				   "smtp" ROW),
			 0);
	assert_int_equal(plan_for(&fixture, "", rsa, true), 0);
	assert_string_equal(edited(&fixture, MAIN),
			    "smtpd_tls_cert_file = " FULL "\nsmtpd_tls_key_file = " KEY
			    "\nsmtpd_tls_eccert_file =\nsmtpd_tls_eckey_file =\n");
	fixture_close(&fixture);
}

static void check_refused(const char *main_cf, const char *master_cf, const char *code, size_t line)
{
	struct fixture fixture;
	size_t where = 0;

	assert_int_equal(read_pair(&fixture, main_cf, master_cf), CERTDEPLOY_EREFUSED);
	assert_string_equal(problem(&fixture, &where), code);
	assert_int_equal(where, line);
	fixture_close(&fixture);
}

static void test_broken_files_are_refused(void **state)
{
	(void)state;
	check_refused("a = b\n\nno equals sign\n", "smtp" ROW, "config-syntax", 3);
	check_refused("= b\n", "smtp" ROW, "config-syntax", 1);
	check_refused("a = b\nsmtpd_tls_cert_file = ${x\n", "smtp" ROW, "config-syntax", 2);
	check_refused("smtpd_tls_cert_file = $ x\n", "smtp" ROW, "config-syntax", 1);
	check_refused("smtpd_tls_cert_file = $smtpd_tls_cert_file\n", "smtp" ROW, "config-syntax", 1);
	check_refused("", "smtp inet n - y - -\n", "config-syntax", 1);
	check_refused("", "x unix - - n - - x\nsmtp inet y - y - - smtpd\n", "config-syntax", 2);
	check_refused("", "smtp inet n - y - - smtpd -o { a = b\n", "config-syntax", 1);
	check_refused("", "smtp inet n - y - - smtpd -o a = b\n", "config-syntax", 1);
}

static void test_unknown_things_are_opaque(void **state)
{
	struct fixture fixture;

	(void)state;
	assert_int_equal(read_pair(&fixture, "  ignored\n  too\nUnknown_thing = \"{<\\\nother = ${open\n",
				   "smtp" ROW "pipe unix - n n - - pipe\n  argv=/x ${recipient} {\n y }\n"),
			 0);
	assert_int_equal(plan_for(&fixture, "", rsa, false), 0);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stock_debian),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_shapes_stay),
		cmocka_unit_test(test_references_are_followed),
		cmocka_unit_test(test_chain_files),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_empty_options),
		cmocka_unit_test(test_nothing_is_added_inside_an_open_brace),
		cmocka_unit_test(test_what_main_is_silent_about),
		cmocka_unit_test(test_one_address_gets_its_own),
		cmocka_unit_test(test_two_key_types),
		cmocka_unit_test(test_broken_files_are_refused),
		cmocka_unit_test(test_unknown_things_are_opaque),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
