/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-certificate-check.c - each judgement about a certificate, provoked and not provoked */
#include "issue.h"

#include <string.h>

#define CERT CERTDEPLOY_MATERIAL_CERT
#define KEY CERTDEPLOY_MATERIAL_KEY
#define CHAIN CERTDEPLOY_MATERIAL_CHAIN

static struct issued *root, *middle;

static int set_up(void **state)
{
	(void)state;
	root = issue(&(struct wish){.name = "Root", .ca = true});
	middle = issue(&(struct wish){.name = "Middle", .ca = true, .issuer = root});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	issue_end();
	return 0;
}

/* Load a leaf as wished, issued by Middle unless said otherwise. */
static void load_wish(struct loading *loading, struct wish wish, const char *accept)
{
	const struct issued *leaf;

	if (wish.issuer == NULL)
		wish.issuer = middle;
	leaf = issue(&wish);
	*loading = (struct loading){.load.need_key = true};
	give(loading, CERT, pem_certificate(leaf));
	give(loading, KEY, pem_key(leaf));
	give(loading, CHAIN, pem_certificate(wish.issuer));
	if (accept != NULL)
		accept_code(loading, accept);
	(void)load_all(loading);
}

static void refused(struct wish wish, const char *code)
{
	struct loading loading;

	load_wish(&loading, wish, NULL);
	if (loading.result != CERTDEPLOY_EREFUSED)
		show(&loading);
	assert_int_equal(loading.result, CERTDEPLOY_EREFUSED);
	assert_has(&loading, code, CERTDEPLOY_ERROR);
	loading_end(&loading);
}

/* Refused, and taken with a warning when the code is accepted. */
static void acceptable(struct wish wish, const char *code)
{
	struct loading loading;

	refused(wish, code);
	load_wish(&loading, wish, code);
	if (loading.result != 0)
		show(&loading);
	assert_int_equal(loading.result, 0);
	assert_has(&loading, code, CERTDEPLOY_WARNING);
	loading_end(&loading);
}

static void unacceptable(struct wish wish, const char *code)
{
	struct loading loading;

	refused(wish, code);
	load_wish(&loading, wish, code);
	assert_int_equal(loading.result, CERTDEPLOY_EREFUSED);
	loading_end(&loading);
}

static void noted(struct wish wish, const char *code, enum certdeploy_severity severity)
{
	struct loading loading;

	load_wish(&loading, wish, NULL);
	if (loading.result != 0)
		show(&loading);
	assert_int_equal(loading.result, 0);
	assert_has(&loading, code, severity);
	loading_end(&loading);
}

static void silent(struct wish wish, const char *code)
{
	struct loading loading;

	load_wish(&loading, wish, NULL);
	if (has_any(&loading, code))
		show(&loading);
	assert_false(has_any(&loading, code));
	loading_end(&loading);
}

#define SITE "DNS:www.example.jp,DNS:example.jp"

static void test_a_good_certificate_has_only_a_notice(void **state)
{
	struct loading loading;

	(void)state;
	load_wish(&loading, (struct wish){.name = "www.example.jp", .names = SITE, .usage = "serverAuth"},
		  NULL);
	assert_int_equal(loading.result, 0);
	assert_has(&loading, "chain-unknown-root", CERTDEPLOY_NOTICE);
	assert_int_equal(loading.problems.list.count, 1);
	loading_end(&loading);
}

static void test_dates(void **state)
{
	(void)state;
	acceptable((struct wish){.names = SITE, .from = NOW - 90 * DAY, .to = NOW - 1}, "expired");
	acceptable((struct wish){.names = SITE, .from = NOW - 1, .to = NOW - 90 * DAY}, "expired");
	acceptable((struct wish){.names = SITE, .from = NOW + 1, .to = NOW + 90 * DAY}, "not-yet-valid");
	noted((struct wish){.names = SITE, .from = NOW - 61 * DAY, .to = NOW + 29 * DAY}, "expires-soon",
	      CERTDEPLOY_WARNING);
	silent((struct wish){.names = SITE, .from = NOW - 59 * DAY, .to = NOW + 31 * DAY}, "expires-soon");
	/* Six days of life, five left: fine. */
	silent((struct wish){.names = SITE, .from = NOW - DAY, .to = NOW + 5 * DAY}, "expires-soon");
	silent((struct wish){.names = SITE, .from = NOW, .to = NOW + 9 * DAY}, "not-yet-valid");
	silent((struct wish){.names = SITE}, "expired");
	/* Far beyond 2038 and 2050. */
	silent((struct wish){.names = SITE, .to = 4102444800 + 900 * DAY}, "expired");
}

static void test_usage(void **state)
{
	(void)state;
	acceptable((struct wish){.names = SITE, .usage = "clientAuth"}, "wrong-usage");
	acceptable((struct wish){.names = SITE, .usage = "codeSigning,emailProtection"}, "wrong-usage");
	silent((struct wish){.names = SITE}, "wrong-usage");
	silent((struct wish){.names = SITE, .usage = "serverAuth,clientAuth"}, "wrong-usage");
	silent((struct wish){.names = SITE, .usage = "anyExtendedKeyUsage,serverAuth"}, "wrong-usage");
	/* A client with OpenSSL: unsuitable certificate purpose. */
	acceptable((struct wish){.names = SITE, .usage = "anyExtendedKeyUsage"}, "wrong-usage");
	/* Browsers refuse it, and with ECDSA there is no handshake of TLS 1.2. */
	noted((struct wish){.names = SITE, .type = "rsa:2048", .key_usage = "keyEncipherment"},
	      "wrong-usage", CERTDEPLOY_WARNING);
	acceptable((struct wish){.names = SITE, .type = "ec:P-256", .key_usage = "keyEncipherment"},
		   "wrong-usage");
	acceptable((struct wish){.names = SITE, .type = "ec:P-256", .key_usage = "keyAgreement"},
		   "wrong-usage");
	acceptable((struct wish){.names = SITE, .key_usage = "cRLSign"}, "wrong-usage");
	silent((struct wish){.names = SITE, .key_usage = "digitalSignature"}, "wrong-usage");
}

static void test_a_ca_as_leaf(void **state)
{
	(void)state;
	refused((struct wish){.name = "A CA", .names = SITE, .ca = true}, "ca-certificate");
	silent((struct wish){.names = SITE}, "ca-certificate");
}

static void test_self_signed(void **state)
{
	struct issued *own = issue(&(struct wish){.name = "a.example", .names = "DNS:a.example"});
	struct loading loading = {.load.need_key = true};

	(void)state;
	give(&loading, CERT, pem_certificate(own));
	give(&loading, KEY, pem_key(own));
	assert_refused(&loading, "self-signed");
	loading_end(&loading);

	loading.load.need_key = true;
	give(&loading, CERT, pem_certificate(own));
	give(&loading, KEY, pem_key(own));
	accept_code(&loading, "self-signed");
	assert_loads(&loading);
	assert_has(&loading, "self-signed", CERTDEPLOY_WARNING);
	loading_end(&loading);

	/* As `openssl req -x509` makes them: marked as a CA. */
	own = issue(&(struct wish){.name = "a.example",
				   .names = "DNS:a.example",
				   .extension = "basicConstraints=critical,CA:TRUE"});
	give(&loading, CERT, pem_certificate(own));
	give(&loading, KEY, pem_key(own));
	accept_code(&loading, "self-signed");
	assert_loads(&loading);
	assert_false(has_any(&loading, "ca-certificate"));
	loading_end(&loading);
	silent((struct wish){.names = SITE}, "self-signed");
}

static void test_names(void **state)
{
	(void)state;
	acceptable((struct wish){.name = NULL}, "no-names");
	acceptable((struct wish){.name = "Example Corporation"}, "no-names");
	silent((struct wish){.names = SITE}, "no-names");
	/* Clients look for an address among the addresses only. */
	acceptable((struct wish){.name = "192.0.2.1"}, "no-names");
	acceptable((struct wish){.names = "DNS:192.0.2.1"}, "no-names");
	noted((struct wish){.names = SITE ",DNS:192.0.2.1"}, "malformed", CERTDEPLOY_WARNING);
	silent((struct wish){.names = SITE ",IP:192.0.2.1"}, "malformed");
	noted((struct wish){.name = "www.example.jp"}, "common-name", CERTDEPLOY_WARNING);
	silent((struct wish){.name = "other.example", .names = SITE}, "common-name");
	noted((struct wish){.names = "DNS:www.example.jp"}, "name-twin", CERTDEPLOY_NOTICE);
	noted((struct wish){.names = "DNS:example.jp"}, "name-twin", CERTDEPLOY_NOTICE);
	silent((struct wish){.names = SITE}, "name-twin");
	silent((struct wish){.names = "DNS:example.jp,DNS:*.example.jp"}, "name-twin");
	silent((struct wish){.names = "DNS:mail.example.jp"}, "name-twin");
	silent((struct wish){.names = "IP:192.0.2.1"}, "name-twin");
	silent((struct wish){.names = "IP:2001:db8::1"}, "name-twin");
}

static void test_names_that_are_no_host_names(void **state)
{
	static const char *const useless[] = {
		SITE ",DNS:*.*.example.jp",
		SITE ",DNS:f*.example.jp",
		SITE ",DNS:www.*.example.jp",
		SITE ",DNS:*.jp",
		SITE ",DNS:*",
		SITE ",DNS:www.example.jp.",
		SITE ",DNS:.example.jp",
		SITE ",DNS:a..example.jp",
	};
	struct loading loading;
	const struct cd_certificate *certificate;

	(void)state;
	acceptable((struct wish){.names = "DNS:a.example,DNS:b example"}, "malformed");
	acceptable((struct wish){.names = "DNS:a.example,DNS:a\x1b[31m.example"}, "malformed");
	silent((struct wish){.names = "DNS:a.example,DNS:_dmarc.b.example,DNS:*.c.example"}, "malformed");
	/* A * is the whole first label and has two or more behind it (RFC 9525, 6.3): so browsers have it.
	 */
	for (size_t i = 0; i < sizeof(useless) / sizeof(*useless); i++)
		noted((struct wish){.names = useless[i]}, "malformed", CERTDEPLOY_WARNING);
	silent((struct wish){.names = "DNS:localhost,DNS:x--.example.jp,DNS:*.xn--wgv71a119e.jp"},
	       "malformed");
	/* The common name counts only where there is nothing else, and then as a host name only. */
	load_wish(&loading, (struct wish){.name = "evil\nname", .names = "DNS:A.Example"}, NULL);
	assert_int_equal(loading.result, 0);
	certificate = loading.certificates.list.items[0];
	assert_string_equal(certificate->names[0], "a.example");
	assert_null(certificate->names[1]);
	assert_null(strchr(certificate->report->subject, '\n'));
	loading_end(&loading);
}

static void test_a_name_with_a_nul(void **state)
{
	/* DNS:www.example.jp\0.evil.example, as DER: OpenSSL's configuration cannot say it. */
	static const char extension[] =
		"2.5.29.17=DER:30:1e:82:1c:77:77:77:2e:65:78:61:6d:70:6c:65:2e:6a:70:00:2e:"
		"65:76:69:6c:2e:65:78:61:6d:70:6c:65";
	struct loading loading;

	(void)state;
	unacceptable((struct wish){.name = "x.example", .extension = extension}, "malformed");
	load_wish(&loading, (struct wish){.extension = extension}, "malformed");
	assert_has(&loading, "no-names", CERTDEPLOY_ERROR);
	loading_end(&loading);
}

static void test_too_many_names(void **state)
{
	struct cd_buffer names = {0};
	struct loading loading;

	(void)state;
	for (int i = 0; i < 1000; i++)
		cd_buffer_format(&names, "%sDNS:n%d.example", i == 0 ? "" : ",", i);
	load_wish(&loading, (struct wish){.names = cd_buffer_text(&names)}, NULL);
	assert_int_equal(loading.result, 0);
	loading_end(&loading);
	cd_buffer_string(&names, ",DNS:one-more.example");
	unacceptable((struct wish){.names = cd_buffer_text(&names)}, "too-large");
	cd_buffer_free(&names);
}

static void test_strength(void **state)
{
	struct issued *weak_middle =
		issue(&(struct wish){.name = "Weak", .ca = true, .issuer = root, .type = "rsa:1024"});
	struct loading loading;
	struct issued *leaf;

	(void)state;
	/* A key that OpenSSL itself refuses at this system's level may not be accepted. */
	unacceptable((struct wish){.names = SITE, .type = "rsa:1024"}, "weak-key");
	silent((struct wish){.names = SITE, .type = "rsa:2048"}, "weak-key");
	silent((struct wish){.names = SITE, .type = "ec:P-384"}, "weak-key");
	silent((struct wish){.names = SITE, .type = "ec:P-521"}, "weak-key");
	silent((struct wish){.names = SITE, .type = "ed25519"}, "weak-key");
	refused((struct wish){.names = SITE, .digest = "sha1"}, "weak-key");
	silent((struct wish){.names = SITE, .digest = "sha384"}, "weak-key");
	refused((struct wish){.names = SITE, .issuer = weak_middle}, "weak-key");

	leaf = issue(&(struct wish){.names = SITE, .type = "ec:secp256k1"});
	loading = (struct loading){.load.need_key = true};
	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, KEY, pem_key(leaf));
	assert_refused(&loading, "not-understood");
	loading_end(&loading);
	/* No key at hand: the certificate alone tells. */
	leaf = issue(&(struct wish){.names = SITE, .type = "rsa:1024", .issuer = middle});
	loading = (struct loading){.load.need_key = false};
	give(&loading, CERT, pem_certificate(leaf));
	give(&loading, CHAIN, pem_certificate(middle));
	assert_refused(&loading, "weak-key");
	loading_end(&loading);
}

static void test_must_staple(void **state)
{
	struct loading loading;

	(void)state;
	noted((struct wish){.names = SITE, .extension = "tlsfeature=status_request"}, "must-staple",
	      CERTDEPLOY_WARNING);
	silent((struct wish){.names = SITE}, "must-staple");
	load_wish(&loading, (struct wish){.names = SITE, .extension = "tlsfeature=status_request"}, NULL);
	assert_true(((struct cd_certificate *)loading.certificates.list.items[0])->report->must_staple);
	loading_end(&loading);
}

static void test_extensions_that_nobody_knows(void **state)
{
	(void)state;
	acceptable((struct wish){.names = SITE, .extension = "1.2.3.4.5=critical,DER:05:00"}, "malformed");
	silent((struct wish){.names = SITE, .extension = "1.2.3.4.5=DER:05:00"}, "malformed");
}

static void test_a_chain_that_clients_refuse(void **state)
{
	struct issued *narrow =
		issue(&(struct wish){.name = "Narrow",
				     .ca = true,
				     .issuer = root,
				     .extension = "nameConstraints=critical,permitted;DNS:example.org"});
	struct issued *mail = issue(
		&(struct wish){.name = "Mail CA", .ca = true, .issuer = root, .usage = "emailProtection"});
	struct issued *none =
		issue(&(struct wish){.name = "No CA", .issuer = root, .key_usage = "keyCertSign"});

	(void)state;
	acceptable((struct wish){.names = SITE, .issuer = narrow}, "chain-invalid");
	silent((struct wish){.names = "DNS:www.example.org", .issuer = narrow}, "chain-invalid");
	acceptable((struct wish){.names = SITE, .issuer = mail}, "chain-invalid");
	acceptable((struct wish){.names = SITE, .issuer = none}, "chain-invalid");
	silent((struct wish){.names = SITE}, "chain-invalid");
}

static void test_the_issuer_s_address_is_told(void **state)
{
	struct issued *leaf = issue(&(struct wish){
		.names = SITE,
		.issuer = middle,
		.extension = "authorityInfoAccess=caIssuers;URI:http://ca.example/middle.der"});
	struct loading loading = {.load.need_key = false};
	const struct certdeploy_problem *problem;

	(void)state;
	give(&loading, CERT, pem_certificate(leaf));
	assert_refused(&loading, "chain-incomplete");
	problem = cd_problems_error(&loading.problems, 0);
	assert_non_null(strstr(problem->message, "http://ca.example/middle.der"));
	assert_string_equal(problem->file, "cert.pem");
	assert_int_equal(problem->line, 1);
	loading_end(&loading);
}

static void test_the_report(void **state)
{
	const struct certdeploy_certificate_report *report;
	struct loading loading;

	(void)state;
	load_wish(&loading,
		  (struct wish){.name = "日本語",
				.names = "DNS:WWW.example.jp,IP:2001:db8::1,email:a@b.example",
				.usage = "serverAuth,clientAuth,1.2.3.4",
				.type = "rsa:2048"},
		  NULL);
	assert_int_equal(loading.result, 0);
	report = ((struct cd_certificate *)loading.certificates.list.items[0])->report;
	assert_string_equal(report->name, "www.example.jp");
	assert_string_equal(report->names[0], "www.example.jp");
	assert_string_equal(report->names[1], "2001:db8::1");
	assert_null(report->names[2]);
	assert_string_equal(report->subject, "CN=日本語");
	assert_string_equal(report->issuer, "CN=Middle");
	assert_string_equal(report->key_type, "rsa");
	assert_int_equal(report->key_bits, 2048);
	assert_string_equal(report->signature, "ecdsa-with-SHA256");
	assert_string_equal(report->usages[0], "serverAuth");
	assert_string_equal(report->usages[1], "clientAuth");
	assert_string_equal(report->usages[2], "1.2.3.4");
	assert_null(report->usages[3]);
	assert_int_equal(report->not_before, NOW - DAY);
	assert_int_equal(report->not_after, NOW + 90 * DAY);
	assert_int_equal(strlen(report->sha256), 64);
	assert_int_equal(strlen(report->public_key_sha256), 64);
	assert_false(report->authority);
	assert_false(report->self_signed);
	assert_true(report->chain[0]->authority);
	loading_end(&loading);
}

static void test_names_in_the_store(void **state)
{
	static const struct {
		const char *names;
		const char *expected;
	} cases[] = {
		{"DNS:www.example.jp", "www.example.jp"},
		{"DNS:*.example.jp", "wildcard.example.jp"},
		{"IP:192.0.2.1", "192.0.2.1"},
		{"IP:2001:db8::1", "2001-db8--1"},
		{"IP:::1", "1"},
		{"DNS:a_b.example", "a-b.example"},
		{"DNS:.example.jp", NULL},
		{"DNS:a..example", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct cd_arena arena = {0};
		struct loading loading;
		const char *name;

		load_wish(&loading, (struct wish){.names = cases[i].names}, NULL);
		name = cd_certificate_store_name(&arena, loading.certificates.list.items[0]);
		if (cases[i].expected == NULL)
			assert_null(name);
		else
			assert_string_equal(name, cases[i].expected);
		loading_end(&loading);
		cd_arena_free(&arena);
	}
	assert_true(cd_store_name_is_valid("xn--r8jz45g.jp"));
	assert_false(cd_store_name_is_valid(""));
	assert_false(cd_store_name_is_valid("."));
	assert_false(cd_store_name_is_valid(".."));
	assert_false(cd_store_name_is_valid("-x"));
	assert_false(cd_store_name_is_valid("a/b"));
	assert_false(cd_store_name_is_valid("A"));
	assert_false(cd_store_name_is_valid("a\n"));
	assert_false(cd_store_name_is_valid("a..b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_certificate_has_only_a_notice),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_a_ca_as_leaf),
		cmocka_unit_test(test_self_signed),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_that_are_no_host_names),
		cmocka_unit_test(test_a_name_with_a_nul),
		cmocka_unit_test(test_too_many_names),
		cmocka_unit_test(test_strength),
		cmocka_unit_test(test_must_staple),
		cmocka_unit_test(test_extensions_that_nobody_knows),
		cmocka_unit_test(test_a_chain_that_clients_refuse),
		cmocka_unit_test(test_the_issuer_s_address_is_told),
		cmocka_unit_test(test_the_report),
		cmocka_unit_test(test_names_in_the_store),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
