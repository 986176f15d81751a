/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-dovecot.c - Dovecot 2.3: its files read, its endpoints found, its lines edited */
#include "dovecot.h"

#define PAIR "ssl_cert = </old.pem\nssl_key = </old.key\n"
#define NEW "ssl_cert = <" FULL "\nssl_key = <" KEY "\n"
#define NAMED(name) "local_name " name " {\n  ssl_cert = <" FULL "\n  ssl_key = <" KEY "\n}\n"

static void test_stock_debian(void **state)
{
	static const char ssl_conf[] =
		"##\n## SSL settings\n##\n\n# SSL/TLS support: yes, no, required.\nssl = yes\n\n"
		"ssl_cert = </etc/dovecot/private/dovecot.pem\n"
		"ssl_key = </etc/dovecot/private/dovecot.key\n\n#ssl_ca =\n";
	struct fixture fixture;
	const struct certdeploy_endpoint *one;

	(void)state;
	fixture_open(&fixture);
	put(&fixture, CONF,
	    "# 2.3\n!include_try /usr/share/dovecot/protocols.d/*.protocol\n\ndict {\n  #quota = x\n}\n\n"
	    "!include conf.d/*.conf\n!include_try local.conf\n");
	put(&fixture, "/usr/share/dovecot/protocols.d/imapd.protocol", "protocols = $protocols imap\n");
	put(&fixture, "/usr/share/dovecot/protocols.d/managesieved.protocol",
	    "protocols = $protocols sieve\n");
	put(&fixture, "/etc/dovecot/conf.d/10-ssl.conf", ssl_conf);
	put(&fixture, "/etc/dovecot/conf.d/10-master.conf",
	    "service imap-login {\n  inet_listener imap {\n    #port = 143\n  }\n  inet_listener imaps {\n"
	    "    #port = 993\n    #ssl = yes\n  }\n}\nservice lmtp {\n  unix_listener lmtp {\n  }\n}\n");
	put(&fixture, "/etc/dovecot/conf.d/auth-system.conf.ext", "not read at all {");
	assert_int_equal(fixture_read(&fixture), 0);
	one = find_endpoint(&fixture.reading, "imaps/993", NULL);
	assert_non_null(one);
	assert_string_equal(one->protocol, "imaps");
	assert_int_equal(one->start, CERTDEPLOY_START_IMPLICIT);
	assert_int_equal(one->port, 993);
	assert_null(one->address);
	assert_true(one->is_default && one->tls && !one->inherited && !one->absent);
	assert_int_equal(one->pair_count, 1);
	assert_string_equal(one->pairs[0].certificate, "/etc/dovecot/private/dovecot.pem");
	assert_string_equal(one->pairs[0].key, "/etc/dovecot/private/dovecot.key");
	assert_string_equal(one->pairs[0].file, "/etc/dovecot/conf.d/10-ssl.conf");
	assert_int_equal(one->pairs[0].line, 8);
	assert_ptr_equal(find_endpoint(&fixture.reading, "imap/143", NULL)->decider, one->decider);
	assert_int_equal(find_endpoint(&fixture.reading, "imap/143", NULL)->start, CERTDEPLOY_START_IMAP);
	assert_int_equal(find_endpoint(&fixture.reading, "sieve/4190", NULL)->start,
			 CERTDEPLOY_START_SIEVE);
	assert_null(find_endpoint(&fixture.reading, "pop3s/995", NULL));
	assert_string_equal(cd_adapter_dovecot.version(&fixture.reading) == NULL ? "-" : "+", "-");
	assert_true(cd_adapter_dovecot.reads(&fixture.reading, "/etc/dovecot/conf.d/10-ssl.conf.1.conf"));
	assert_false(cd_adapter_dovecot.reads(&fixture.reading, "/etc/dovecot/conf.d/10-ssl.conf.bak"));

	assert_int_equal(plan_for(&fixture, NULL, rsa), 0);
	assert_string_equal(
		edited(&fixture, "/etc/dovecot/conf.d/10-ssl.conf"),
		"##\n## SSL settings\n##\n\n# SSL/TLS support: yes, no, required.\nssl = yes\n\n" NEW
		"\n#ssl_ca =\n");
	assert_int_equal(fixture.edits.files.count, 1);
	assert_string_equal(served(&fixture, &fixture.after, "sieve/4190", NULL), FULL);
	fixture_close(&fixture);
}

static void test_default(void **state)
{
	(void)state;
	check_edit(PAIR, NULL, NEW);
	check_edit(NEW, NULL, NULL);
	/* the last definition wins, the first one stays */
	check_edit(PAIR "ssl_cert=</b.pem\n", NULL,
		   "ssl_cert = </old.pem\nssl_key = <" KEY "\nssl_cert=<" FULL "\n");
	/* CRLF, tabs, no newline at the end, comments behind, blanks after < */
	check_edit("a = b\r\nssl_cert\t=\t<  /a.pem # x\r\n\tssl_key=</k", NULL,
		   "a = b\r\nssl_cert\t=\t<  " FULL " # x\r\n\tssl_key=<" KEY);
	/* what is not a file becomes one; quotes mean the text itself */
	check_edit("ssl_cert = \"</a.pem\"\nssl_key = /k.pem#c\n", NULL,
		   "ssl_cert = <" FULL "\nssl_key = <" KEY "#c\n");
	check_edit("ssl_cert = $ssl_key\nssl_key =\n", NULL, "ssl_cert = <" FULL "\nssl_key = <" KEY "\n");
	/* continued lines keep what is not the value */
	check_edit("ssl_cert = \\\n  </a.pem\nssl_key \\\n = </k.pem\n", NULL,
		   "ssl_cert = \\\n  <" FULL "\nssl_key \\\n = <" KEY "\n");
	/* a line that a comment cuts off is no setting */
	check_edit("ssl_cert = \\\n# lost\nssl_cert = </a\nssl_key = </k\n", NULL,
		   "ssl_cert = \\\n# lost\n" NEW);
	/* the former names stay in use */
	check_edit("ssl_cert_file = /a.pem\nssl_key_file = \"/k.pem\"\n", NULL,
		   "ssl_cert_file = " FULL "\nssl_key_file = \"" KEY "\"\n");
	/* a key that is missing */
	check_edit("  ssl_cert = </a.pem\nssl = yes", NULL,
		   "  ssl_cert = <" FULL "\n  ssl_key = <" KEY "\nssl = yes");
	check_edit("\tssl_cert=</a.pem", NULL, "\tssl_cert=<" FULL "\n\tssl_key=<" KEY);
}

static void test_new_name(void **state)
{
	(void)state;
	check_edit(PAIR, "mail.example.jp", PAIR "\n" NAMED("mail.example.jp"));
	check_edit(
		"ssl_cert=</old.pem\nssl_key=</old.key", "mail.example.jp",
		"ssl_cert=</old.pem\nssl_key=</old.key\n\nlocal_name mail.example.jp {\n  ssl_cert=<" FULL
		"\n  ssl_key=<" KEY "\n}\n");
	/* after its neighbours, indented like them */
	check_edit(PAIR "local_name a.example {\n\tssl_cert = </a\n\tssl_key = </ak\n}\n# the end\n",
		   "mail.example.jp",
		   PAIR "local_name a.example {\n\tssl_cert = </a\n\tssl_key = </ak\n}\n\nlocal_name "
			"mail.example.jp "
			"{\n\tssl_cert = <" FULL "\n\tssl_key = <" KEY "\n}\n# the end\n");
	/* not before the global setting */
	check_edit("local_name a.example {\n  ssl_cert = </a\n  ssl_key = </ak\n}\n" PAIR,
		   "mail.example.jp",
		   "local_name a.example {\n  ssl_cert = </a\n  ssl_key = </ak\n}\n" PAIR
		   "\n" NAMED("mail.example.jp"));
	/* a pattern that would hide it: before that, and before its comment */
	check_edit(PAIR
		   "\n# all of them\nlocal_name *.example.jp {\n  ssl_cert = </w\n  ssl_key = </wk\n}\n",
		   "mail.example.jp",
		   PAIR
		   "\n" NAMED("mail.example.jp") "\n# all of them\nlocal_name *.example.jp {\n  ssl_cert = "
						 "</w\n  ssl_key = </wk\n}\n");
	/* a pattern's own: after the names that it covers */
	check_edit(PAIR "local_name a.example.jp {\n  ssl_cert = </a\n  ssl_key = </ak\n}\n",
		   "*.example.jp",
		   PAIR "local_name a.example.jp {\n  ssl_cert = </a\n  ssl_key = </ak\n}\n\n" NAMED(
			   "*.example.jp"));
	/* one that does not */
	check_edit(PAIR "local_name *.jp {\n  ssl_cert = </w\n  ssl_key = </wk\n}\n", "mail.example.jp",
		   PAIR
		   "local_name *.jp {\n  ssl_cert = </w\n  ssl_key = </wk\n}\n\n" NAMED("mail.example.jp"));
}

static void test_known_name(void **state)
{
	(void)state;
	check_edit(PAIR "local_name Mail.Example.jp { # one\n    ssl_cert = </a\n    ssl_key = </ak\n}\n",
		   "mail.example.jp",
		   PAIR "local_name Mail.Example.jp { # one\n    ssl_cert = <" FULL "\n    ssl_key = <" KEY
			"\n}\n");
	/* the global key was used */
	check_edit(PAIR "local_name mail.example.jp {\n  ssl_cert = </a\n}\n", "mail.example.jp",
		   PAIR NAMED("mail.example.jp"));
	/* a block without a certificate */
	check_edit(PAIR "local_name mail.example.jp {\n    # nothing yet\n}\n", "mail.example.jp",
		   PAIR "local_name mail.example.jp {\n    # nothing yet\n    ssl_cert = <" FULL
			"\n    ssl_key = <" KEY "\n}\n");
	/* the same filter twice is one: the later line counts */
	check_edit(PAIR "local_name mail.example.jp {\n  ssl_cert = </a\n  ssl_key = </ak\n}\n"
			"local_name mail.example.jp {\n  ssl_cert = </b\n}\n",
		   "mail.example.jp",
		   PAIR "local_name mail.example.jp {\n  ssl_cert = </a\n  ssl_key = <" KEY "\n}\n"
			"local_name mail.example.jp {\n  ssl_cert = <" FULL "\n}\n");
	/* a pattern stands before it: the block moves */
	check_edit(PAIR "local_name *.example.jp {\n  ssl_cert = </w\n  ssl_key = </wk\n}\n"
			"local_name mail.example.jp {\n  ssl_cert = </a\n  ssl_key = </ak\n}\n",
		   "mail.example.jp",
		   PAIR "\n" NAMED("mail.example.jp") "\nlocal_name *.example.jp {\n  ssl_cert = </w\n  "
						      "ssl_key = </wk\n}\n");
}

static void test_shared_lines(void **state)
{
	struct fixture fixture;

	(void)state;
	/* one of two names gets a block of its own, before the one that both had */
	check_edit(
		PAIR "local_name \"a.example mail.example.jp\" {\n  ssl_cert = </a\n  ssl_key = </ak\n}\n",
		"mail.example.jp",
		PAIR
		"\n" NAMED("mail.example.jp") "\nlocal_name \"a.example mail.example.jp\" {\n  ssl_cert = "
					      "</a\n  ssl_key = </ak\n}\n");
	/* both of them: the lines are changed */
	assert_int_equal(read_conf(&fixture, PAIR
				   "local_name \"a.example mail.example.jp\" {\n  ssl_cert = </a\n}\n"),
			 0);
	fixture.materials = rsa;
	assert_int_equal(cd_adapter_dovecot.answers(&fixture.reading, "A.example", true, assign, &fixture),
			 0);
	assert_int_equal(plan_for(&fixture, "mail.example.jp", rsa), 0);
	assert_string_equal(edited(&fixture, CONF),
			    PAIR "local_name \"a.example mail.example.jp\" {\n  ssl_cert = <" FULL
				 "\n  ssl_key = <" KEY "\n}\n");
	fixture_close(&fixture);
	/* a snippet of several blocks: the name's own lines come after it */
	fixture_open(&fixture);
	put(&fixture, CONF,
	    PAIR "local_name a.example {\n  !include tls.inc\n}\nlocal_name mail.example.jp {\n  !include "
		 "tls.inc\n}\n");
	put(&fixture, "/etc/dovecot/tls.inc", "ssl_cert = </s\nssl_key = </sk\n");
	assert_int_equal(fixture_read(&fixture), 0);
	assert_int_equal(plan_for(&fixture, "mail.example.jp", rsa), 0);
	assert_null(edited(&fixture, "/etc/dovecot/tls.inc"));
	assert_string_equal(served(&fixture, &fixture.after, "imaps/993", "mail.example.jp"), FULL);
	assert_string_equal(served(&fixture, &fixture.after, "imaps/993", "a.example"), "/s");
	fixture_close(&fixture);
	/* the global key is used by a certificate of another block */
	check_no_plan(PAIR "local_name a.example {\n  ssl_cert = </a\n}\n", NULL, "shared-lines", 4);
}

static void test_addresses(void **state)
{
	struct fixture fixture;

	(void)state;
	assert_int_equal(
		read_conf(&fixture, PAIR
			  "local 10.0.0.1 {\n  ssl_cert = </ten\n  ssl_key = </tenk\n}\n"
			  "local 10.0.0.0/8 {\n  ssl_cert = </net\n  ssl_key = </netk\n"
			  "  local_name x.example {\n    ssl_cert = </x\n    ssl_key = </xk\n  }\n}\n"),
		0);
	assert_string_equal(served(&fixture, &fixture.reading, "imaps/993", NULL), "/old.pem");
	assert_string_equal(served(&fixture, &fixture.reading, "10.0.0.1:imaps/993", NULL), "/ten");
	assert_string_equal(find_endpoint(&fixture.reading, "10.0.0.1:imaps/993", NULL)->address,
			    "10.0.0.1");
	assert_string_equal(served(&fixture, &fixture.reading, "10.0.0.0/8:imaps/993", NULL), "/net");
	assert_int_equal(find_endpoint(&fixture.reading, "10.0.0.0/8:imaps/993", NULL)->port, 0);
	assert_string_equal(served(&fixture, &fixture.reading, "10.0.0.0/8:imaps/993", "x.example"), "/x");
	assert_string_equal(served(&fixture, &fixture.reading, "imaps/993", "x.example"), "none");
	fixture_close(&fixture);
	/* filters of everything are not the top level, and an address may be short */
	assert_int_equal(read_conf(&fixture,
				   PAIR "local 0.0.0.0/0 {\n  ssl_cert = </all\n}\n"
					"remote ::/0 {\n  ssl_cert = </all\n}\n"
					"local_name \"\" {\n  ssl_cert = </none\n}\n"
					"local 127.1 {\n  ssl_cert = </here\n  ssl_key = </k\n}\n"),
			 0);
	assert_string_equal(served(&fixture, &fixture.reading, "imaps/993", NULL), "/old.pem");
	assert_string_equal(served(&fixture, &fixture.reading, "127.0.0.1:imaps/993", NULL), "/here");
	fixture_close(&fixture);
}

/* What has no certificate at all gets one, before the blocks that have. */
static void test_first_certificate(void **state)
{
	(void)state;
	check_edit("ssl = yes # on\nlisten = *\n", NULL, "ssl = yes # on\n" NEW "listen = *\n");
	check_edit("listen = *\n", NULL, "listen = *\n\n" NEW);
	check_edit("# names\nlocal_name a.example {\n  ssl_cert = </a\n}\n", NULL,
		   NEW "\n# names\nlocal_name a.example {\n  ssl_cert = </a\n}\n");
}

static void test_limit(void **state)
{
	struct fixture fixture;
	char *text = malloc(200000), *at = text;

	(void)state;
	assert_non_null(text);
	at += sprintf(at, "%s", PAIR);
	for (unsigned i = 0; i < 1420; i++)
		at += sprintf(at, "local_name n%u.example {\n  ssl_cert = </c%u\n}\n", i, i);
	check_no_plan(text, "mail.example.jp", "server-limit", 0);
	strcpy(at, "service config {\n  vsz_limit = 2G\n}\n");
	assert_int_equal(read_conf(&fixture, text), 0);
	assert_int_equal(plan_for(&fixture, "mail.example.jp", rsa), 0);
	fixture_close(&fixture);
	free(text);
}

/* A setting that holds its former value twice, line by line. */
static const char *grown(const char *name, unsigned lines)
{
	static char text[4096];
	size_t length = (size_t)snprintf(text, sizeof(text), "%s = 0123456789\n", name);

	while (lines-- > 0)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s = $%s $%s\n", name,
					   name, name);
	return text;
}

static void test_syntax(void **state)
{
	(void)state;
	check_refused("ssl = yes\nfoo {\n", "config-syntax", 2);
	check_refused("}\n", "config-syntax", 1);
	check_refused("service x {}\n", "config-syntax", 1);
	check_refused("service x{\n}\n", "config-syntax", 1);
	check_refused("just words\n", "config-syntax", 1);
	check_refused("ssl = yes\n= x\n", "config-syntax", 2);
	check_refused("\xef\xbb\xbfssl = yes\n", "config-syntax", 1);
	check_refused("!include nothing/*.conf\n", "config-syntax", 1);
	check_refused("a = b\n!include dovecot.conf\n", "config-syntax", 2);
	check_refused("protocol imap {\n local_name a.example {\n }\n}\n", "config-syntax", 2);
	check_refused(grown("ssl_cert", 60), "config-not-understood", 21);
	check_refused(grown("mail_plugins", 60), "config-not-understood", 21);
	check_refused("ssl_server_cert_file = /x\n", "config-syntax", 1);
}

static void test_conflicts(void **state)
{
	struct fixture fixture;
	const struct certdeploy_endpoint *one;

	(void)state;
	check_no_plan(PAIR "protocol imap {\n  ssl_cert = </i\n  ssl_key = </ik\n}\n", "mail.example.jp",
		      "conflicting-filters", 4);
	/* wherever the host name leads */
	check_no_plan(PAIR "local host.example {\n  ssl_cert = </l\n}\n", "mail.example.jp",
		      "conflicting-filters", 4);
	assert_int_equal(read_conf(&fixture, PAIR
				   "protocol imap {\n  ssl_cert = </i\n  ssl_key = </ik\n}\n"
				   "local_name mail.example.jp {\n  ssl_cert = </m\n  ssl_key = </mk\n}\n"),
			 0);
	one = find_endpoint(&fixture.reading, "imaps/993", "mail.example.jp");
	assert_string_equal(one->untouchable, "conflicting-filters");
	assert_true(one->ended);
	assert_int_equal(one->line, 4);
	assert_null(find_endpoint(&fixture.reading, "pop3s/995", "mail.example.jp")->untouchable);
	assert_string_equal(served(&fixture, &fixture.reading, "imap/143", NULL), "/i");
	assert_string_equal(served(&fixture, &fixture.reading, "pop3/110", NULL), "/old.pem");
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stock_debian),
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_new_name),
		cmocka_unit_test(test_known_name),
		cmocka_unit_test(test_shared_lines),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_first_certificate),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_conflicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
