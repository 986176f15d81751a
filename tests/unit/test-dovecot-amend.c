/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-dovecot-amend.c - where edits replace values only, the rest is not read again */
#include "dovecot.h"

#define DEFAULT "protocols = imap\nssl_cert = </old.pem\nssl_key = </old.key\n"
#define NAMED(name)                                                                                        \
	"local_name " name ".test {\n  ssl_cert = </" name ".pem # kept\n  ssl_key = </" name ".key\n}\n"
#define PART "/etc/dovecot/conf.d/10-ssl.conf"

/* How many endpoints are taken over as they are; whether they are told the same is seen by plan(). */
static size_t count_kept(struct fixture *fixture)
{
	struct certdeploy_reading amended;
	size_t before, after, kept = 0;
	const struct certdeploy_endpoint *const *old = certdeploy_endpoints(&fixture->reading, &before);
	const struct certdeploy_endpoint *const *all;

	cd_reading_open(&amended, &fixture->host, &fixture->service, &fixture->overlay);
	amended.before = &fixture->reading;
	assert_int_equal(cd_adapter_dovecot.read(&amended), 0);
	all = certdeploy_endpoints(&amended, &after);
	for (size_t i = 0; i < before && i < after; i++)
		kept += old[i] == all[i] ? 1 : 0;
	cd_reading_close(&amended);
	return kept;
}

/* name NULL: the default. */
static void check(const char *config, const char *part, const char *name, size_t kept)
{
	struct fixture fixture;

	fixture_open(&fixture);
	set(&fixture, "doveconf", "/usr/bin/doveconf");
	put(&fixture, CONF, config);
	if (part != NULL)
		put(&fixture, PART, part);
	assert_int_equal(fixture_read(&fixture), 0);
	if (plan_for(&fixture, name, rsa) != 0)
		fail_msg("%s: %s", config, problem(&fixture, NULL));
	assert_string_equal(served(&fixture, &fixture.after, "imaps/993", name), FULL);
	assert_int_equal(count_kept(&fixture), kept);
	fixture_close(&fixture);
}

/* Of a default and two names, each on two ports. */
static void test_values_replaced(void **state)
{
	(void)state;
	check(DEFAULT NAMED("a") NAMED("b"), NULL, "a.test", 4);
	check(DEFAULT NAMED("a") NAMED("b"), NULL, "b.test", 4);
	check(DEFAULT NAMED("a") NAMED("b"), NULL, NULL, 4);
	/* What is taken over from a replaced value changes with it. */
	check(DEFAULT "local_name a.test {\n  ssl_key = </a.key\n}\n" NAMED("b"), NULL, NULL, 2);
	/* The last line without a newline, a value over several lines, CRLF. */
	check("protocols = imap\nssl_key = </old.key\r\nssl_cert = </old.pem", NULL, NULL, 0);
	check("protocols = imap\nssl_key = </old.key\nssl_cert = \\\n  </old.pem\n" NAMED("a"), NULL, NULL,
	      2);
	/* A line that a later one of the same filter replaces. */
	check(DEFAULT "local_name a.test {\n  ssl_cert = </x.pem\n  ssl_cert = </a.pem\n  ssl_key = "
		      "</a.key\n}\n",
	      NULL, "a.test", 2);
	check("dovecot_config_version = 2.4.1\nprotocols = imap\nssl_server {\n  cert_file = /old.pem\n"
	      "  key_file = \"/old.key\"\n}\nlocal_name a.test {\n  ssl_server_cert_file = /a.pem\n"
	      "  ssl_server_key_file = /a.key\n}\n",
	      NULL, "a.test", 2);
}

/* Variables matter where they hold what a certificate's line says. */
static void test_variables(void **state)
{
	(void)state;
	check(DEFAULT "mail_plugins = $mail_plugins quota\n" NAMED("a"), NULL, "a.test", 2);
	check(DEFAULT "local_name a.test {\n  ssl_cert = $ssl_cert\n  ssl_key = </a.key\n}\n" NAMED("b"),
	      NULL, "b.test", 0);
	check(DEFAULT "postmaster_address = $ssl_cert\n" NAMED("b"), NULL, "b.test", 0);
}

/* Includes of an edited file stand elsewhere than before, and are found for the rehearsal. */
static void test_includes(void **state)
{
	static const char part[] = DEFAULT NAMED("a") "!include_try ../nothing/*.conf\n" NAMED("b");

	(void)state;
	check("!include conf.d/*.conf\n" NAMED("c"), part, "b.test", 6);
	check("!include conf.d/*.conf\n" NAMED("c"), part, "c.test", 6);
	check("!include_try conf.d/x\n" NAMED("c") "!include conf.d/*.conf\n", part, "c.test", 6);
	/* A file that is read twice. */
	check("protocols = imap\n!include conf.d/10-ssl.conf\n" NAMED("a") "!include conf.d/10-ssl.conf\n",
	      "ssl_cert = </old.pem\nssl_key = </old.key\n", NULL, 2);
}

/* Whatever adds or takes away lines, or writes another kind of value. */
static void test_whole(void **state)
{
	(void)state;
	check(DEFAULT NAMED("a"), NULL, "c.test", 0);
	check("protocols = imap\nssl_cert = </old.pem\n" NAMED("a"), NULL, NULL, 0);
	check("protocols = imap\nssl_cert = inline\nssl_key = </old.key\n" NAMED("a"), NULL, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_replaced),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_includes),
		cmocka_unit_test(test_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
