/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-dovecot-address.c - an address that is given a block of its own, in either version */
#include "dovecot.h"

#define PAIR "ssl_cert = </old.pem\nssl_key = </old.key\n"
#define LOCAL(address) "local " address " {\n  ssl_cert = <" FULL "\n  ssl_key = <" KEY "\n}\n"
#define NAME "local_name a.example {\n  ssl_cert = </a\n  ssl_key = </ak\n}\n"
#define HEAD "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\n"
#define PAIR24 HEAD "ssl_server_cert_file = /old.pem\nssl_server_key_file = /old.key\n"
#define LOCAL24(address)                                                                                   \
	"local " address " {\n  ssl_server_cert_file = " FULL "\n  ssl_server_key_file = " KEY "\n}\n"
#define NAME24 "local_name a.example {\n  ssl_server_cert_file = /a\n  ssl_server_key_file = /ak\n}\n"
#define NET24 "local 10.0.0.0/8 {\n  ssl_server_cert_file = /n\n  ssl_server_key_file = /nk\n}\n"

static int plan_address(struct fixture *fixture, const char *text, const char *address)
{
	assert_int_equal(read_conf(fixture, text), 0);
	fixture->materials = rsa;
	assert_int_equal(cd_adapter_dovecot.answers_address(&fixture->reading, address, 0, assign, fixture),
			 0);
	assert_true(fixture->assignment_count > 0);
	return plan(fixture);
}

/* want NULL: unchanged. */
static void check_block(const char *before, const char *address, const char *listen, const char *want)
{
	struct fixture fixture;
	const char *text;

	assert_int_equal(plan_address(&fixture, before, address), 0);
	text = edited(&fixture, CONF);
	assert_string_equal(text == NULL ? before : text, want == NULL ? before : want);
	assert_string_equal(served(&fixture, &fixture.after, listen, NULL), FULL);
	fixture_close(&fixture);
}

static void check_no_block(const char *before, const char *address, const char *code, size_t line)
{
	struct fixture fixture;
	size_t where = 0;

	assert_int_equal(plan_address(&fixture, before, address), CERTDEPLOY_EREFUSED);
	assert_string_equal(problem(&fixture, &where), code);
	assert_int_equal(where, line);
	fixture_close(&fixture);
}

static void test_new_block(void **state)
{
	(void)state;
	check_block(PAIR, "10.0.0.1", "10.0.0.1:imaps/993", PAIR "\n" LOCAL("10.0.0.1"));
	check_block(PAIR "\n" LOCAL("10.0.0.1"), "10.0.0.1", "10.0.0.1:imaps/993", NULL);
	check_block(PAIR, "fd00:0::1", "[fd00::1]:imap/143", PAIR "\n" LOCAL("fd00::1"));
	check_block(PAIR24, "10.0.0.1", "10.0.0.1:imaps/993", PAIR24 "\n" LOCAL24("10.0.0.1"));
	/* a block that has no certificate yet */
	check_block(PAIR "local 10.0.0.1 {\n  ssl = required\n}\n", "10.0.0.1", "10.0.0.1:imaps/993",
		    PAIR "local 10.0.0.1 {\n  ssl = required\n  ssl_cert = <" FULL "\n  ssl_key = <" KEY
			 "\n}\n");
	/* one of two addresses that Dovecot listens on */
	check_block("listen = 10.0.0.1, 10.0.0.2\n" PAIR, "10.0.0.2", "10.0.0.2:imaps/993",
		    "listen = 10.0.0.1, 10.0.0.2\n" PAIR "\n" LOCAL("10.0.0.2"));
	/* the only one: the default is its certificate */
	check_block("listen = 10.0.0.2\n" PAIR, "10.0.0.2", "10.0.0.2:imaps/993",
		    "listen = 10.0.0.2\nssl_cert = <" FULL "\nssl_key = <" KEY "\n");
}

/* The narrowest network wins in 2.3, the last block in 2.4. */
static void test_order(void **state)
{
	(void)state;
	check_block(PAIR "local 10.0.0.0/8 {\n  ssl_cert = </n\n  ssl_key = </nk\n}\n# end\n", "10.0.0.1",
		    "10.0.0.1:imaps/993",
		    PAIR "local 10.0.0.0/8 {\n  ssl_cert = </n\n  ssl_key = </nk\n}\n\n" LOCAL(
			    "10.0.0.1") "# end\n");
	check_block(PAIR24 NET24 "# end\n", "10.0.0.1", "10.0.0.1:imaps/993",
		    PAIR24 NET24 "\n" LOCAL24("10.0.0.1") "# end\n");
	/* in 2.4 a name's block, which goes on being served to those who ask for it, stays the last */
	check_block(PAIR24 "# name\n" NAME24, "10.0.0.1", "10.0.0.1:imaps/993",
		    PAIR24 "\n" LOCAL24("10.0.0.1") "\n# name\n" NAME24);
	check_block(PAIR24 NET24 "\n" NAME24, "10.0.0.1", "10.0.0.1:imaps/993",
		    PAIR24 NET24 "\n" LOCAL24("10.0.0.1") "\n" NAME24);
}

static void test_refused(void **state)
{
	(void)state;
	/* 2.3 ends connections that both a name and an address have a certificate for */
	check_no_block(PAIR NAME, "10.0.0.1", "conflicting-filters", 4);
	check_no_block(PAIR "protocol imap {\n  ssl_cert = </i\n}\n", "10.0.0.1", "conflicting-filters", 4);
	/* 2.4: after the network, but before the name */
	check_no_block(PAIR24 NAME24 NET24, "10.0.0.1", "config-not-understood", 10);
	check_no_block(PAIR24 NAME24 "local 10.0.0.1 {\n  ssl = yes\n}\n", "10.0.0.1",
		       "config-not-understood", 6);
	/* the name's certificate uses the default's key */
	check_no_block(PAIR24 "local_name a.example {\n  ssl_server_cert_file = /a\n}\n", "10.0.0.1",
		       "config-not-understood", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_block),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
