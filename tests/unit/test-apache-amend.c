/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-apache-amend.c - after an edit only the edited file is read again, where that tells the same */
#include "apache.h"

#define OTHER "/etc/apache2/sites-enabled/other.conf"
#define OTHER_SITE                                                                                         \
	"<VirtualHost *:443>\nServerName c.test\nServerAlias *.c.test\nSSLEngine on\n"                     \
	"SSLCertificateFile /c.pem\nSSLCertificateKeyFile /c.key\n</VirtualHost>\n"                        \
	"<VirtualHost *:443>\nServerName d.test\nSSLEngine on\nSSLCertificateFile "                        \
	"/d.pem\n</VirtualHost>\n"

#define PLAIN_SITE                                                                                         \
	"<VirtualHost *:443>\nServerName a.test\nServerAlias b.test\nSSLEngine on\n"                       \
	"SSLCertificateFile /a.pem\nSSLCertificateKeyFile /a.key\n</VirtualHost>\n"

static const char *const names[] = {"a.test", "b.test", NULL};

const struct certdeploy_material rsa_material = {
	.name = "x",
	.key_type = "rsa",
	.sha256 = "00",
	.names = names,
	.has_chain = true,
	.paths = {STORE "cert.pem", KEY, STORE "chain.pem", FULL, STORE "combined.pem"},
};

static const struct certdeploy_material *const rsa[] = {&rsa_material, NULL};

static size_t count_kept(const struct fixture *fixture, const struct certdeploy_reading *amended)
{
	size_t before, after, kept = 0;
	const struct certdeploy_endpoint *const *old = certdeploy_endpoints(&fixture->reading, &before);
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(amended, &after);

	assert_int_equal(before, after);
	for (size_t i = 0; i < before; i++) {
		assert_ptr_equal(all[i]->untouchable, old[i]->untouchable);
		kept += old[i] == all[i] ? 1 : 0;
	}
	return kept;
}

/* Give a.test a certificate; how many endpoints are taken over as they are, 0: all is read again. */
static void check(const char *config, const char *other, const char *site, size_t kept)
{
	struct fixture fixture;
	struct certdeploy_reading amended;
	char *text;

	fixture_open(&fixture);
	put(&fixture, CONFIG, config);
	put(&fixture, OTHER, other);
	put(&fixture, SITE, site);
	assert_int_equal(fixture_read(&fixture), 0);
	assert_int_equal(plan_for(&fixture, "a.test", rsa, false), 0);
	text = listing_after(&fixture);
	assert_non_null(strstr(text, "a.test " FULL));
	cd_reading_open(&amended, &fixture.host, &fixture.service, &fixture.overlay);
	amended.before = &fixture.reading;
	assert_int_equal(cd_adapter_apache.read(&amended), 0);
	assert_int_equal(count_kept(&fixture, &amended), kept);
	cd_reading_close(&amended);
	fixture_close(&fixture);
}

/* The default, c.test, *.c.test and d.test stay, a.test and b.test change. */
static void test_plain(void **state)
{
	(void)state;
	check(MAIN, OTHER_SITE, PLAIN_SITE, 4);
	/* Lines that are added move what stands below them. */
	check(MAIN, OTHER_SITE,
	      "<VirtualHost *:443>\nServerName a.test\nSSLEngine on\nSSLCertificateFile /a.pem\n"
	      "</VirtualHost>\n<VirtualHost *:443>\nServerName e.test\nSSLEngine on\n"
	      "SSLCertificateFile /e.pem\n</VirtualHost>\n",
	      4);
	/* Conditions and variables that come before are what they were. */
	check("Define KEYS /keys\nListen 443\nServerName main.test\nIncludeOptional sites-enabled/*.conf\n",
	      OTHER_SITE,
	      "<IfDefine KEYS>\n<VirtualHost *:443>\nServerName a.test\nSSLEngine on\n"
	      "SSLCertificateFile ${KEYS}/a.pem\n</VirtualHost>\n</IfDefine>\n",
	      4);
}

/* The default host's certificate is served for names of hosts without TLS, which stand elsewhere. */
static void test_default(void **state)
{
	(void)state;
	check("Listen 443\nServerName main.test\nInclude sites-enabled/site.conf\n"
	      "Include sites-enabled/other.conf\n",
	      OTHER_SITE "<VirtualHost *:443>\nServerName off.test\n</VirtualHost>\n", PLAIN_SITE, 3);
}

/* A default host without a name, as Debian ships it, is the first one still when it is read again. */
static void test_nameless(void **state)
{
	(void)state;
	check("Listen 443\nInclude sites-enabled/site.conf\n"
	      "Include sites-enabled/other.conf\n",
	      OTHER_SITE,
	      "<VirtualHost *:443>\nSSLEngine on\nSSLCertificateFile /e.pem\n</VirtualHost>\n" PLAIN_SITE,
	      3);
}

/* Whatever reaches out of its file makes the whole be read again; the results agree. */
static void test_whole(void **state)
{
	static const char *const reaching[] = {
		"Define X y\n",
		"<IfFile /etc/hostname>\nTimeout 3\n</IfFile>\n",
		"SSLProtocol all\nSSLCertificateFile /main.pem\n",
		"<Macro M>\nTimeout 3\n</Macro>\n",
		"Listen 8443\n",
		"LoadModule ssl_module modules/mod_ssl.so\n",
		"ServerRoot /etc/apache2\n",
		"Include sites-enabled/nothing*.conf\n",
		"MDomain z.test\n",
	};
	char site[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(reaching) / sizeof(*reaching); i++) {
		const char *line = reaching[i];
		bool include = strncmp(line, "Include", 7) == 0;

		(void)snprintf(site, sizeof(site), "%s%s", include ? "IncludeOptional x*\n" : line,
			       PLAIN_SITE);
		check(MAIN, OTHER_SITE, site, 0);
		/* The same after it, in a file that is read later. */
		if (!include)
			check("Listen 443\nServerName main.test\nInclude sites-enabled/site.conf\n"
			      "Include sites-enabled/other.conf\n",
			      line, PLAIN_SITE, 0);
	}
	/* Within a virtual host, and where a file is read twice. */
	check("Listen 443\nServerName main.test\nInclude sites-enabled/other.conf\n<VirtualHost *:443>\n"
	      "ServerName a.test\nServerAlias b.test\nSSLEngine on\nInclude sites-enabled/site.conf\n"
	      "</VirtualHost>\n",
	      OTHER_SITE, "SSLCertificateFile /a.pem\nSSLCertificateKeyFile /a.key\n", 0);
	check(MAIN "Include sites-enabled/site.conf\n", OTHER_SITE, PLAIN_SITE, 0);
	/* The main server's own lines, behind the files. */
	check(MAIN "SSLEngine on\n", OTHER_SITE,
	      "<VirtualHost *:443>\nServerName a.test\nSSLEngine on\n</VirtualHost>\n", 0);
}

static const char *bytes_of(struct fixture *fixture, const char *path)
{
	const struct certdeploy_document *document = cd_table_get(&fixture->host.documents, path);

	assert_non_null(document);
	return document->bytes;
}

/* The text of a file of whole virtual hosts is held again only to edit it. */
static void test_released(void **state)
{
	const struct certdeploy_document *other;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	put(&fixture, CONFIG, MAIN);
	put(&fixture, OTHER, "# Ansible managed\n" OTHER_SITE);
	put(&fixture, SITE, PLAIN_SITE);
	assert_int_equal(fixture_read(&fixture), 0);
	assert_non_null(bytes_of(&fixture, CONFIG));
	assert_null(bytes_of(&fixture, SITE));
	assert_null(bytes_of(&fixture, OTHER));
	assert_int_equal(plan_for(&fixture, "a.test", rsa, false), 0);
	assert_non_null(bytes_of(&fixture, SITE));
	assert_null(bytes_of(&fixture, OTHER));
	/* Its head, which says who makes it, is known without it. */
	other = cd_table_get(&fixture.host.documents, OTHER);
	assert_string_equal(other->head, "# Ansible managed\n" OTHER_SITE);
	assert_null(bytes_of(&fixture, OTHER));
	fixture_close(&fixture);
}

/* Where its bytes lay may be anything else by now. */
static void test_changed_since(void **state)
{
	struct fixture fixture;

	(void)state;
	for (int gone = 0; gone < 2; gone++) {
		assert_int_equal(read_site(&fixture, PLAIN_SITE), 0);
		if (gone == 0)
			put(&fixture, SITE, "\n" PLAIN_SITE);
		else
			assert_int_equal(
				unlink(cd_arena_format(&fixture.arena, "%s%s", fixture.root, SITE)), 0);
		assert_int_equal(plan_for(&fixture, "a.test", rsa, false), CERTDEPLOY_EREFUSED);
		assert_string_equal(problem(&fixture, NULL), "changed-since");
		assert_int_equal(fixture.edits.files.count, 0);
		fixture_close(&fixture);
	}
}

/* Under a second name it is the same document, whose bytes were released under the first one. */
static void test_two_names(void **state)
{
	struct fixture fixture;
	const struct certdeploy_document *document;

	(void)state;
	fixture_open(&fixture);
	put(&fixture, CONFIG, MAIN);
	put(&fixture, SITE, PLAIN_SITE);
	assert_int_equal(symlink("site.conf", cd_arena_format(&fixture.arena, "%s%s", fixture.root,
							      "/etc/apache2/sites-enabled/twice.conf")),
			 0);
	assert_int_equal(fixture_read(&fixture), 0);
	document = cd_table_get(&fixture.host.documents, SITE);
	assert_non_null(document);
	assert_ptr_equal(document,
			 cd_table_get(&fixture.host.documents, "/etc/apache2/sites-enabled/twice.conf"));
	assert_string_equal(document->bytes, PLAIN_SITE);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),     cmocka_unit_test(test_default),
		cmocka_unit_test(test_whole),     cmocka_unit_test(test_released),
		cmocka_unit_test(test_nameless),  cmocka_unit_test(test_changed_since),
		cmocka_unit_test(test_two_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
