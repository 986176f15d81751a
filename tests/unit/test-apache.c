/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-apache.c - reading and editing the configuration of Apache */
#include "apache.h"

static const char *const names[] = {"a.test", "b.test", NULL};

const struct certdeploy_material rsa_material = {
	.name = "x",
	.key_type = "rsa",
	.sha256 = "00",
	.names = names,
	.has_chain = true,
	.paths = {STORE "cert.pem", KEY, STORE "chain.pem", FULL, STORE "combined.pem"},
};

const struct certdeploy_material ecdsa_material = {
	.name = "x",
	.key_type = "ecdsa",
	.sha256 = "01",
	.names = names,
	.has_chain = true,
	.paths = {STORE "cert-ecdsa.pem", STORE "key-ecdsa.pem", STORE "chain-ecdsa.pem",
		  STORE "fullchain-ecdsa.pem", STORE "combined-ecdsa.pem"},
};

static const struct certdeploy_material *const rsa[] = {&rsa_material, NULL};
static const struct certdeploy_material *const both[] = {&rsa_material, &ecdsa_material, NULL};

/* Plan one RSA certificate for a name and compare the site's file. NULL: unchanged. */
static void check_edit(const char *name, const char *before, const char *after)
{
	struct fixture fixture;
	const char *text;

	assert_int_equal(read_site(&fixture, before), 0);
	assert_int_equal(plan_for(&fixture, name, rsa, false), 0);
	text = edited(&fixture, SITE);
	if (after == NULL) {
		assert_null(text);
	} else {
		assert_non_null(text);
		assert_string_equal(text, after);
	}
	assert_null(edited(&fixture, CONFIG));
	fixture_close(&fixture);
}

static void check_listing(const char *site, const char *want)
{
	struct fixture fixture;

	assert_int_equal(read_site(&fixture, site), 0);
	assert_string_equal(listing(&fixture.reading), want);
	fixture_close(&fixture);
}

static void check_refused(const char *site, const char *code, size_t line)
{
	struct fixture fixture;
	size_t at = 0;

	assert_int_equal(read_site(&fixture, site), CERTDEPLOY_EREFUSED);
	assert_string_equal(problem(&fixture, &at), code);
	assert_int_equal(at, line);
	fixture_close(&fixture);
}

#define PAIR(c, k) "SSLCertificateFile " c "\nSSLCertificateKeyFile " k "\n"
#define HOST(name, lines)                                                                                  \
	"<VirtualHost *:443>\nServerName " name "\nSSLEngine on\n" lines "</VirtualHost>\n"

static void test_replace(void **state)
{
	(void)state;
	check_edit("a.test",
		   HOST("a.test", PAIR("/a.pem", "/a.key")) HOST("b.test", PAIR("/b.pem", "/b.key")),
		   HOST("a.test", PAIR(FULL, KEY)) HOST("b.test", PAIR("/b.pem", "/b.key")));
	check_edit("a.test", HOST("a.test", PAIR(FULL, KEY)), NULL);
}

static void test_shapes_stay(void **state)
{
	(void)state;
	/* CRLF, tabs, quotes, case, comments, trailing blanks, no newline at the end */
	check_edit(
		"a.test",
		"<virtualhost *:443>\r\n  servername A.test\r\n\tSSLEngine On\r\n"
		"\t  sslCERTIFICATEfile   \t\"/a b.pem\"  \r\n# x\r\n  SSLCertificateKeyFile '/a.key'\r\n"
		"</virtualhost> # end",
		"<virtualhost *:443>\r\n  servername A.test\r\n\tSSLEngine On\r\n"
		"\t  sslCERTIFICATEfile   \t\"" FULL "\"  \r\n# x\r\n  SSLCertificateKeyFile '" KEY "'\r\n"
		"</virtualhost> # end");
	/* continuation before, in and after the argument; a comment that swallows a line */
	check_edit("a.test",
		   HOST("a.test",
			"SSLCertificateFile \\\n   /a.p\\\nem\\\n\nSSLCertificateKey\\\nFile /a.key\n"
			"# off: \\\nSSLCertificateFile /no.pem\n"),
		   HOST("a.test",
			"SSLCertificateFile \\\n   " FULL "\\\n\nSSLCertificateKey\\\nFile " KEY "\n"
			"# off: \\\nSSLCertificateFile /no.pem\n"));
}

#define INCLUDED "/etc/apache2/end.inc"

/* A host that includes a file as its last lines. */
static void read_included(struct fixture *fixture, const char *before)
{
	fixture_open(fixture);
	put(fixture, CONFIG, "<Macro m>\nServerAdmin a\n</Macro>\n" MAIN);
	put(fixture, SITE, HOST("a.test", "Include end.inc\n"));
	put(fixture, INCLUDED, before);
	assert_int_equal(fixture_read(fixture), 0);
}

/* httpd drops a backslash and newline that end a file, and takes a backslash without one for a letter. */
static void test_end_in_backslash(void **state)
{
	static const struct {
		const char *before, *after;
	} rows[] = {
		/* the argument alone is replaced, with a backslash that is part of it */
		{PAIR("/a.pem", "/a.key\\"), PAIR(FULL, KEY "\\")},
		{"SSLCertificateFile /a.pem\nSSLCertificateKeyFile /a.key\\\r\n",
		 "SSLCertificateFile " FULL "\nSSLCertificateKeyFile " KEY "\\\r\n"},
		{PAIR("/a.pem", "/a.key\\\\"), PAIR(FULL, KEY "\\")},
		{PAIR("/a.pem", "\"/a.key\"\\"), PAIR(FULL, "\"" KEY "\"\\")},
		{PAIR("/a.pem", "\"/a.key\\"), PAIR(FULL, "\"" KEY "\"\\")},
		{"SSLCertificateKeyFile /a.key\nSSLCertificateFile /a.pem\\",
		 "SSLCertificateKeyFile " KEY "\nSSLCertificateFile " FULL},
		{"SSLCertificateKeyFile /a.key\nSSLCertificateFile /a.pem\\\r",
		 "SSLCertificateKeyFile " KEY "\nSSLCertificateFile " FULL "\r"},
		{"SSLCertificateKeyFile /a.key\nSSLCertificateFile \"/a.pem\\",
		 "SSLCertificateKeyFile " KEY "\nSSLCertificateFile \"" FULL "\""},
		/* a line is put behind it */
		{"SSLCertificateFile /a.pem\\\n",
		 "SSLCertificateFile " FULL "\\\n \nSSLCertificateKeyFile " KEY "\n"},
		{"\tSSLCertificateFile /a.pem\\\r\n",
		 "\tSSLCertificateFile " FULL "\\\r\n \r\n\tSSLCertificateKeyFile " KEY "\r\n"},
		{"SSLCertificateFile /a.pem\\\\\n",
		 "SSLCertificateFile " FULL "\\\n \nSSLCertificateKeyFile " KEY "\n"},
		{"SSLCertificateFile /a.pem\\", "SSLCertificateFile " FULL " \nSSLCertificateKeyFile " KEY},
		{"SSLCertificateFile /a.pem\\\r",
		 "SSLCertificateFile " FULL "\r \nSSLCertificateKeyFile " KEY},
		{"SSLCertificateFile " FULL "\\\n",
		 "SSLCertificateFile " FULL "\\\n \nSSLCertificateKeyFile " KEY "\n"},
	};
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text;

		read_included(&fixture, rows[i].before);
		assert_int_equal(plan_for(&fixture, "a.test", rsa, false), 0);
		text = edited(&fixture, INCLUDED);
		assert_non_null(text);
		assert_string_equal(text, rows[i].after);
		fixture_close(&fixture);
	}
	/* one that httpd loses behind a macro must not come back by a newline */
	read_included(&fixture, "Use m\nSSLCertificateFile /a.pem\\\nlost");
	assert_int_equal(plan_for(&fixture, "a.test", rsa, false), CERTDEPLOY_EREFUSED);
	assert_string_equal(problem(&fixture, NULL), "config-not-understood");
	fixture_close(&fixture);
}

static void test_insert(void **state)
{
	static const char main_pair[] = "SSLCertificateFile /m.pem\nSSLCertificateKeyFile /m.key\n";
	char before[1024], after[2048];

	(void)state;
	(void)snprintf(before, sizeof(before),
		       "%s<VirtualHost *:443>\n    ServerName a.test\n\tSSLEngine on\n</VirtualHost>\n"
		       "<VirtualHost *:443>\n\tServerName b.test\n  SSLEngine on\n</VirtualHost>\n",
		       main_pair);
	(void)snprintf(after, sizeof(after),
		       "%s<VirtualHost *:443>\n    ServerName a.test\n\tSSLEngine on\n"
		       "\tSSLCertificateFile " FULL "\n\tSSLCertificateKeyFile " KEY "\n</VirtualHost>\n"
		       "<VirtualHost *:443>\n\tServerName b.test\n  SSLEngine on\n</VirtualHost>\n",
		       main_pair);
	check_edit("a.test", before, after);
	/* both: the main server's own lines */
	(void)snprintf(after, sizeof(after), "%s%s", PAIR(FULL, KEY), before + strlen(main_pair));
	check_edit("*", before, after);
	/* no SSLEngine in the host: after its opening line, indented like what follows */
	(void)snprintf(
		before, sizeof(before),
		"SSLEngine on\n%s<VirtualHost *:443>\r\n\r\n    ServerName a.test\r\n</VirtualHost>\r\n"
		"<VirtualHost *:443>\nServerName b.test\n</VirtualHost>\n",
		main_pair);
	(void)snprintf(after, sizeof(after),
		       "SSLEngine on\n%s<VirtualHost *:443>\r\n    SSLCertificateFile " FULL
		       "\r\n    SSLCertificateKeyFile " KEY
		       "\r\n\r\n    ServerName a.test\r\n</VirtualHost>\r\n"
		       "<VirtualHost *:443>\nServerName b.test\n</VirtualHost>\n",
		       main_pair);
	check_edit("a.test", before, after);
}

static void test_combined(void **state)
{
	(void)state;
	check_edit("a.test", HOST("a.test", "SSLCertificateFile /a.pem\n"),
		   HOST("a.test", "SSLCertificateFile " FULL "\nSSLCertificateKeyFile " KEY "\n"));
}

static void test_chain_file(void **state)
{
	(void)state;
	check_edit(
		"a.test", HOST("a.test", PAIR("/a.pem", "/a.key") "SSLCertificateChainFile /c.pem\n"),
		HOST("a.test", PAIR(STORE "cert.pem", KEY) "SSLCertificateChainFile " STORE "chain.pem\n"));
	check_edit("a.test",
		   "SSLCertificateChainFile /c.pem\n" HOST("a.test", PAIR("/a.pem", "/a.key"))
			   HOST("b.test", PAIR("/b.pem", "/b.key")),
		   "SSLCertificateChainFile /c.pem\n" HOST(
			   "a.test",
			   PAIR(STORE "cert.pem", KEY) "SSLCertificateChainFile " STORE "chain.pem\n")
			   HOST("b.test", PAIR("/b.pem", "/b.key")));
}

static void test_variables(void **state)
{
	(void)state;
	check_edit("a.test",
		   "Define d /etc/ssl\nDefine ext pem\n" HOST(
			   "a.test",
			   "SSLCertificateFile ${D}/a.${ext}\nSSLCertificateKeyFile \"${d}/a.key\"\n"),
		   "Define d /etc/ssl\nDefine ext pem\n" HOST(
			   "a.test", "SSLCertificateFile " FULL "\nSSLCertificateKeyFile \"" KEY "\"\n"));
	/* a variable that holds the directive as well */
	check_edit("a.test",
		   "Define c \"SSLCertificateFile /a.pem\"\n" HOST(
			   "a.test", "  ${c} \nSSLCertificateKeyFile /a.key\n"),
		   "Define c \"SSLCertificateFile /a.pem\"\n" HOST(
			   "a.test", "  SSLCertificateFile " FULL "\nSSLCertificateKeyFile " KEY "\n"));
}

static void test_shared_snippet(void **state)
{
	static const char *const snippet = "/etc/apache2/pair.inc";
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	put(&fixture, CONFIG, MAIN);
	put(&fixture, snippet, PAIR(FULL, KEY));
	put(&fixture, SITE, HOST("a.test", "  Include pair.inc\n") HOST("b.test", "  Include pair.inc\n"));
	assert_int_equal(fixture_read(&fixture), 0);
	/* there already: nothing to do for one, nor for both */
	assert_int_equal(plan_for(&fixture, "a.test", rsa, false), 0);
	assert_int_equal(fixture.edits.files.count, 0);
	fixture_close(&fixture);

	fixture_open(&fixture);
	put(&fixture, CONFIG, MAIN);
	put(&fixture, snippet, PAIR("/s.pem", "/s.key"));
	put(&fixture, SITE, HOST("a.test", "  Include pair.inc\n") HOST("b.test", "  Include pair.inc\n"));
	assert_int_equal(fixture_read(&fixture), 0);
	/* /s.pem cannot be read: whether the new pair would hide it is not known */
	assert_int_equal(plan_for(&fixture, "a.test", rsa, false), CERTDEPLOY_EREFUSED);
	assert_string_equal(problem(&fixture, NULL), "shared-lines");
	fixture_close(&fixture);

	fixture_open(&fixture);
	put(&fixture, CONFIG, MAIN);
	put(&fixture, snippet, PAIR("/s.pem", "/s.key"));
	put(&fixture, SITE, HOST("a.test", "  Include pair.inc\n") HOST("b.test", "  Include pair.inc\n"));
	assert_int_equal(fixture_read(&fixture), 0);
	assert_int_equal(plan_for(&fixture, "*", rsa, false), 0);
	assert_string_equal(edited(&fixture, snippet), PAIR(FULL, KEY));
	assert_null(edited(&fixture, SITE));
	fixture_close(&fixture);

	/* one more for one of them */
	fixture_open(&fixture);
	put(&fixture, CONFIG, MAIN);
	put(&fixture, snippet, PAIR(FULL, KEY));
	put(&fixture, SITE, HOST("a.test", "  Include pair.inc\n") HOST("b.test", "  Include pair.inc\n"));
	assert_int_equal(fixture_read(&fixture), 0);
	assert_int_equal(plan_for(&fixture, "a.test", both, false), 0);
	assert_null(edited(&fixture, snippet));
	assert_string_equal(edited(&fixture, SITE),
			    HOST("a.test",
				 "  Include pair.inc\n  SSLCertificateFile " STORE "fullchain-ecdsa.pem\n"
				 "  SSLCertificateKeyFile " STORE "key-ecdsa.pem\n")
				    HOST("b.test", "  Include pair.inc\n"));
	fixture_close(&fixture);
}

static void test_two_types(void **state)
{
	struct fixture fixture;

	(void)state;
	assert_int_equal(read_site(&fixture, HOST("a.test", PAIR("/a.pem", "/a.key"))), 0);
	assert_int_equal(plan_for(&fixture, "a.test", both, false), 0);
	assert_string_equal(
		edited(&fixture, SITE),
		HOST("a.test", PAIR(FULL, KEY) PAIR(STORE "fullchain-ecdsa.pem", STORE "key-ecdsa.pem")));
	fixture_close(&fixture);
	assert_int_equal(
		read_site(&fixture, HOST("a.test", PAIR("/a.pem", "/a.key") PAIR("/b.pem", "/b.key"))), 0);
	assert_int_equal(plan_for(&fixture, "a.test", rsa, true), 0);
	fixture_close(&fixture);
}

static void test_who_answers(void **state)
{
	(void)state;
	check_listing(HOST("First.test", "ServerAlias *.w.test\n" PAIR("/1", "/1"))
			      HOST("x.w.test", "ServerAlias y.test first.test\n" PAIR("/2", "/2")),
		      "*:443 - /1\n*:443 first.test /1\n*:443 *.w.test /1\n*:443 y.test /2\n");
	/* address sets do not mix; the more precise one hides the other */
	check_listing("Listen 127.0.0.1:8443\n"
		      "<VirtualHost 127.0.0.1:8443 [::1]:443>\nServerName a.test\nSSLEngine on\n" PAIR(
			      "/1", "/1") "</VirtualHost>\n<VirtualHost _default_:8443 "
					  "0.0.0.0:443>\nServerName b.test\n"
					  "SSLEngine on\n" PAIR("/2", "/2") "</VirtualHost>\n",
		      "127.0.0.1:8443 - /1\n127.0.0.1:8443 a.test /1\n[::1]:443 - /1\n[::1]:443 a.test /1\n"
		      "*:443 - /2\n*:443 b.test /2\n");
	/* a first host without TLS makes the whole set plain */
	check_listing(
		"<VirtualHost *:443>\nServerName p.test\n</VirtualHost>\n" HOST("a.test", PAIR("/1", "/1")),
		"!*:443 a.test /1\n");
	/* SSLEngine off in a TLS set: the default's certificate */
	check_listing(
		HOST("a.test", PAIR("/1", "/1")) "<VirtualHost *:443>\nServerName o.test\n</VirtualHost>\n",
		"*:443 - /1\n*:443 a.test /1\n*:443 o.test /1tls-off\n");
	/* TLS without SSLEngine: port 443 and a certificate */
	check_listing("<VirtualHost *:443>\nServerName a.test\n" PAIR("/1", "/1") "</VirtualHost>\n",
		      "*:443 - /1\n*:443 a.test /1\n");
	/* inherited, and mixed by position */
	check_listing(PAIR("/m", "/mk") PAIR("/n", "/nk") HOST("a.test", "")
			      HOST("b.test", PAIR("/b", "/bk")),
		      "*:443 - /n inherited\n*:443 a.test /n inherited\n*:443 b.test /n\n");
}

static void test_conditions(void **state)
{
	(void)state;
	check_listing("<IfModule mod_ssl.c>\n<VirtualHost *:443>\nBroken>\n</VirtualHost>\n</IfModule>\n",
		      "");
	check_listing("LoadModule ssl_module m/mod_ssl.so\n<IfModule ssl_module>\n<IfModule !mod_ssl.c>\n"
		      "<Foo>\n</Foo>\n</IfModule>\n" HOST("a.test", PAIR("/1", "/1")) "</IfModule>\n",
		      "*:443 - /1\n*:443 a.test /1\n");
	check_listing(
		"Define X\n<IfDefine X>\n" HOST(
			"a.test", PAIR("/1", "/1")) "</IfDefine>\nUnDefine X\n"
						    "<IfDefine X>\n" HOST("b.test",
									  PAIR("/1", "/1")) "</IfDefine>\n",
		"*:443 - /1\n*:443 a.test /1\n");
	check_listing(
		"<IfVersion >= 2.4>\n" HOST(
			"a.test",
			PAIR("/1", "/1")) "</IfVersion>\n"
					  "<IfVersion < 2.4.6>\n" HOST(
						  "b.test",
						  PAIR("/1", "/1")) "</IfVersion>\n"
								    "<IfVersion = /^2\\.4\\./>\n" HOST(
									    "c.test",
									    PAIR("/1",
										 "/1")) "</IfVersion>\n",
		"*:443 - /1\n*:443 a.test /1\n*:443 c.test /1\n");
	check_listing("<IfFile sites-enabled/site.conf>\n" HOST(
			      "a.test", PAIR("/1", "/1")) "</IfFile>\n"
							  "<IfFile /nowhere>\n</IfFile>\n",
		      "*:443 - /1\n*:443 a.test /1\n");
}

static void test_macros(void **state)
{
	struct fixture fixture;
	size_t line = 0;
	static const char site[] = "<Macro Site $name ${n}>\n" HOST(
		"$name", PAIR("/$name.pem", "/$name.key")) "</Macro>\n"
							   "Use site a.test x\n" HOST("b.test",
										      PAIR("/b", "/b"));

	(void)state;
	check_listing(site, "*:443 - /a.test.pemconfig-not-understood\n"
			    "*:443 a.test /a.test.pemconfig-not-understood\n*:443 b.test /b\n");
	assert_int_equal(read_site(&fixture, site), 0);
	assert_int_equal(plan_for(&fixture, "b.test", rsa, false), 0);
	fixture_close(&fixture);
	assert_int_equal(read_site(&fixture, site), 0);
	assert_int_equal(plan_for(&fixture, "a.test", rsa, false), CERTDEPLOY_EREFUSED);
	assert_string_equal(problem(&fixture, &line), "config-not-understood");
	assert_int_equal(line, 9);
	fixture_close(&fixture);
}

static void test_refused(void **state)
{
	(void)state;
	check_refused("<VirtualHost *:443>\nServerName a\n", "config-syntax", 1);
	check_refused("\n</VirtualHost>\n", "config-syntax", 2);
	check_refused("<VirtualHost *:443>\n</Directory>\n", "config-syntax", 2);
	check_refused("\n\nInclude nothing.conf\n", "config-syntax", 3);
	check_refused("Include sites-enabled/site.conf\n", "config-syntax", 1);
	check_refused("<VirtualHost *:443>\nSSLCertificateFile /a # b\n</VirtualHost>\n", "config-syntax",
		      2);
	check_refused("<IfModule foo>\n", "config-syntax", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replace),          cmocka_unit_test(test_shapes_stay),
		cmocka_unit_test(test_end_in_backslash), cmocka_unit_test(test_insert),
		cmocka_unit_test(test_combined),         cmocka_unit_test(test_chain_file),
		cmocka_unit_test(test_variables),        cmocka_unit_test(test_shared_snippet),
		cmocka_unit_test(test_two_types),        cmocka_unit_test(test_who_answers),
		cmocka_unit_test(test_conditions),       cmocka_unit_test(test_macros),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
