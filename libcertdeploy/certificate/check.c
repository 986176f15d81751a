/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check.c - everything about a certificate that can be judged without knowing the host */
#include "certificate/material.h"

#include "base/hostname.h"
#include "base/text.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#define DAY ((int64_t)86400)

struct check {
	const struct cd_chain *chain;
	struct cd_problems *problems;
	const struct cd_load *load;
	X509 *x509; /* the leaf */
	const struct cd_place_given *place;
	int result;
};

/* Keep the worst: no memory before refused before fine. */
static void note(struct check *check, int result)
{
	if (result == CERTDEPLOY_ENOMEM || check->result == 0)
		check->result = result;
}

static void refuse(struct check *check, const char *code, const struct cd_place_given *place,
		   const char *format, ...) CERTDEPLOY_PRINTF(4, 5);

/* An error that nobody may accept: a server could not start with it. */
static void refuse(struct check *check, const char *code, const struct cd_place_given *place,
		   const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	cd_problem_v(check->problems, CERTDEPLOY_ERROR, code, place->origin, place->line, format,
		     arguments);
	va_end(arguments);
	note(check, CERTDEPLOY_EREFUSED);
}

#define judge(check, code, ...)                                                                            \
	note(check, cd_judge((check)->problems, (check)->load, code, (check)->place, __VA_ARGS__))

/* ---- key ---- */

static void check_key(struct check *check)
{
	const struct cd_chain *chain = check->chain;

	if (chain->key == NULL && chain->keys != 0)
		refuse(check, "key-mismatch", check->place,
		       _("no private key that was given belongs to the certificate of %s"),
		       chain->leaf->subject);
	else if (chain->key == NULL && check->load->need_key)
		refuse(check, "key-missing", check->place,
		       _("there is no private key for the certificate of %s"), chain->leaf->subject);
	if (chain->key != NULL && chain->key->encrypted && check->load->need_key)
		cd_problem(check->problems, CERTDEPLOY_NOTICE, "key-decrypted", chain->key->place.origin,
			   chain->key->place.line,
			   _("the key will be stored without its passphrase: servers start unattended"));
}

/* ---- dates ---- */

static void check_dates_of(struct check *check, const struct cd_given_certificate *member)
{
	int64_t begin = cd_seconds(X509_get0_notBefore(member->x509));
	int64_t end = cd_seconds(X509_get0_notAfter(member->x509));
	char text[21];

	if (check->load->now > end) {
		cd_utc(text, end);
		note(check, cd_judge(check->problems, check->load, "chain-expired", &member->place,
				     _("%s in the chain expired on %s"), member->subject, text));
	} else if (check->load->now < begin) {
		cd_utc(text, begin);
		note(check, cd_judge(check->problems, check->load, "chain-expired", &member->place,
				     _("%s in the chain is not valid before %s"), member->subject, text));
	}
}

static void check_dates(struct check *check)
{
	int64_t begin = cd_seconds(X509_get0_notBefore(check->x509));
	int64_t end = cd_seconds(X509_get0_notAfter(check->x509)), now = check->load->now;
	char text[21];

	if (end < begin) {
		judge(check, "expired", _("the certificate's validity ends before it begins"));
	} else if (now > end) {
		cd_utc(text, end);
		judge(check, "expired", _("the certificate expired on %s"), text);
	} else if (now < begin) {
		cd_utc(text, begin);
		judge(check, "not-yet-valid", _("the certificate is not valid before %s"), text);
	} else if ((end - now) < (end - begin) / 3) {
		cd_utc(text, end);
		cd_problem(check->problems, CERTDEPLOY_WARNING, "expires-soon", check->place->origin,
			   check->place->line,
			   _("less than a third of the certificate's life is left: it ends on %s"), text);
	}
	for (size_t i = 0; i < check->chain->members.count; i++)
		check_dates_of(check, check->chain->members.items[i]);
}

/* The longest life that a public CA may give (CA/Browser Forum, Baseline Requirements 6.3.2). */
static void check_life(struct check *check)
{
	static const struct {
		int64_t from;
		int days;
	} rules[] = {
		{1868227200, 47},  /* 2029-03-15 */
		{1805068800, 100}, /* 2027-03-15 */
		{1773532800, 200}, /* 2026-03-15 */
		{1598918400, 398}, /* 2020-09-01 */
	};
	int64_t begin = cd_seconds(X509_get0_notBefore(check->x509));
	int64_t life = cd_seconds(X509_get0_notAfter(check->x509)) - begin + 1;

	if (check->chain->end != CD_END_TRUSTED)
		return;
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		if (begin < rules[i].from)
			continue;
		if (life > rules[i].days * DAY)
			cd_problem(
				check->problems, CERTDEPLOY_WARNING, "long-lived", check->place->origin,
				check->place->line,
				_("the certificate lives longer than %d days: browsers do not accept that"),
				rules[i].days);
		return;
	}
}

/* ---- chain ---- */

static void check_chain(struct check *check)
{
	const struct cd_chain *chain = check->chain;
	const struct cd_given_certificate *last = chain->leaf;
	const char *issuer, *url;

	if (chain->end == CD_END_SELF_SIGNED) {
		judge(check, "self-signed", _("the certificate of %s is signed by itself"), last->subject);
		return;
	}
	if (chain->end != CD_END_UNKNOWN)
		return;
	if (chain->members.count != 0)
		last = chain->members.items[chain->members.count - 1];
	issuer = cd_name_text(&check->problems->arena, X509_get_issuer_name(last->x509));
	if (issuer == NULL) {
		note(check, cd_fail_memory(check->problems));
		return;
	}
	if (chain->members.count != 0) {
		cd_problem(check->problems, CERTDEPLOY_NOTICE, "chain-unknown-root", last->place.origin,
			   last->place.line,
			   _("the chain ends at %s, whose issuer %s this host does not know"),
			   last->subject, issuer);
		return;
	}
	url = cd_issuer_url(&check->problems->arena, check->x509);
	if (url == NULL)
		judge(check, "chain-incomplete", _("the issuer %s is not among the certificates given"),
		      issuer);
	else
		judge(check, "chain-incomplete",
		      _("the issuer %s is not among the certificates given; the CA offers it at %s"),
		      issuer, url);
}

/* Every issuer must say of itself that it is a CA: key usage alone is not enough for clients. */
static void check_issuers(struct check *check)
{
	for (size_t i = 0; i < check->chain->members.count; i++) {
		const struct cd_given_certificate *member = check->chain->members.items[i];

		if (X509_check_ca(member->x509) != 1)
			note(check,
			     cd_judge(check->problems, check->load, "chain-invalid", &member->place,
				      _("%s issued a certificate but is not a CA's"), member->subject));
	}
}

/* In place of OpenSSL's own loop: the same but for signatures that have been verified already. */
static int check_signatures(X509_STORE_CTX *context)
{
	const struct check *check = X509_STORE_CTX_get_app_data(context);
	const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
	int error = X509_V_OK;

	for (int i = sk_X509_num(chain) - 1; error == X509_V_OK && i > 0; i--) {
		X509 *issuer = sk_X509_value(chain, i), *subject = sk_X509_value(chain, i - 1);

		error = X509_check_issued(issuer, subject);
		if (error == X509_V_OK && !cd_has_signed(check->load->loads, issuer, subject))
			error = X509_V_ERR_CERT_SIGNATURE_FAILURE;
		if (error != X509_V_OK) {
			X509_STORE_CTX_set_error(context, error);
			X509_STORE_CTX_set_error_depth(context, i);
		}
	}
	return error == X509_V_OK;
}

/* What a client would find: path lengths, name constraints, usages of the issuers. */
static void check_as_client(struct check *check)
{
	const struct cd_chain *chain = check->chain;
	const struct cd_given_certificate *top = chain->leaf;
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	STACK_OF(X509) *between = sk_X509_new_null();
	X509_VERIFY_PARAM *parameters;
	bool ready = store != NULL && context != NULL && between != NULL;
	int error;

	for (size_t i = 0; ready && i < chain->members.count; i++) {
		top = chain->members.items[i];
		ready = sk_X509_push(between, top->x509) != 0;
	}
	ready = ready &&
		X509_STORE_add_cert(store, chain->anchor == NULL ? top->x509 : chain->anchor) == 1 &&
		X509_STORE_CTX_init(context, store, check->x509, between) == 1 &&
		X509_STORE_CTX_set_app_data(context, check) == 1;
	if (!ready) {
		note(check, cd_fail_memory(check->problems));
		goto out;
	}
	X509_STORE_CTX_set_verify(context, check_signatures);
	parameters = X509_STORE_CTX_get0_param(context);
	(void)X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN |
							      X509_V_FLAG_NO_CHECK_TIME |
							      X509_V_FLAG_TRUSTED_FIRST);
	(void)X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_auth_level(parameters, 0);
	if (X509_verify_cert(context) == 1)
		goto out;
	error = X509_STORE_CTX_get_error(context);
	/* Usage and unknown extensions of the leaf have checks of their own. */
	if (X509_STORE_CTX_get_error_depth(context) > 0 ||
	    (error != X509_V_ERR_INVALID_PURPOSE && error != X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION))
		judge(check, "chain-invalid", _("a client would not accept the chain: %s"),
		      X509_verify_cert_error_string(error));
out:
	sk_X509_free(between);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
}

/* ---- usage and form ---- */

/* All key exchanges of today sign; an old one, of TLS 1.2 with RSA, enciphers with the key. */
static void check_key_usage(struct check *check, uint32_t usage)
{
	bool rsa = strcmp(cd_key_type(check->x509), "rsa") == 0;

	if ((usage & KU_DIGITAL_SIGNATURE) != 0)
		return;
	if (rsa && (usage & KU_KEY_ENCIPHERMENT) != 0)
		cd_problem(check->problems, CERTDEPLOY_WARNING, "wrong-usage", check->place->origin,
			   check->place->line,
			   _("the certificate's key may not sign (digitalSignature): browsers refuse it"));
	else
		judge(check, "wrong-usage", _("the certificate's key may not be used for TLS"));
}

static void check_usage(struct check *check)
{
	uint32_t flags = X509_get_extension_flags(check->x509);
	uint32_t usage = X509_get_extended_key_usage(check->x509);

	if ((flags & EXFLAG_INVALID) != 0)
		judge(check, "malformed", _("the certificate breaks the rules of its format"));
	if ((flags & EXFLAG_CRITICAL) != 0)
		judge(check, "malformed", _("the certificate has a critical extension that is not known"));
	if (X509_check_ca(check->x509) == 1 && check->chain->end != CD_END_SELF_SIGNED)
		judge(check, "ca-certificate", _("%s is a CA's certificate, not a server's"),
		      check->chain->leaf->subject);
	/* anyExtendedKeyUsage is not enough for clients with OpenSSL. */
	if ((flags & EXFLAG_XKUSAGE) != 0 && (usage & XKU_SSL_SERVER) == 0)
		judge(check, "wrong-usage", _("the certificate is not made for TLS servers (serverAuth)"));
	else
		check_key_usage(check, (flags & EXFLAG_KUSAGE) != 0 ? X509_get_key_usage(check->x509)
								    : KU_DIGITAL_SIGNATURE);
}

static void check_stapling(struct check *check)
{
	TLS_FEATURE *features = X509_get_ext_d2i(check->x509, NID_tlsfeature, NULL, NULL);
	bool must_staple = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
		must_staple = must_staple || ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == 5;
	TLS_FEATURE_free(features);
	if (must_staple)
		cd_problem(
			check->problems, CERTDEPLOY_WARNING, "must-staple", check->place->origin,
			check->place->line,
			_("the certificate demands OCSP stapling: without it clients refuse the server"));
}

/* ---- names ---- */

static bool is_name_text(const ASN1_STRING *text)
{
	const unsigned char *bytes = ASN1_STRING_get0_data(text);
	int length = ASN1_STRING_length(text);

	for (int i = 0; i < length; i++)
		if (!isascii(bytes[i]) || (!isalnum(bytes[i]) && strchr("-._*", bytes[i]) == NULL) ||
		    bytes[i] == '\0')
			return false;
	return length > 0 && length <= 253;
}

static bool is_address_text(const ASN1_STRING *text)
{
	int length = ASN1_STRING_length(text);
	char name[16] = "";

	if (length < 1 || (size_t)length >= sizeof(name))
		return false;
	memcpy(name, ASN1_STRING_get0_data(text), (size_t)length);
	return cd_is_ipv4(name);
}

static bool has_nul(const ASN1_STRING *text)
{
	int length = ASN1_STRING_length(text);

	return length > 0 && memchr(ASN1_STRING_get0_data(text), '\0', (size_t)length) != NULL;
}

static bool has_twin(const char *const *names, const char *name)
{
	char twin[260] = "www.";
	size_t length = strlen(name);

	if (strncmp(name, "www.", 4) == 0)
		return cd_names_cover(names, name + 4);
	if (length + 5 > sizeof(twin))
		return true;
	memcpy(twin + 4, name, length + 1);
	return cd_names_cover(names, twin);
}

/* Only `example.jp` and `www.example.jp` are looked at: of deeper names nobody expects a twin. */
static void check_twin(struct check *check, const char *const *names)
{
	const char *name = names[0];
	size_t dots = 0;

	if (name == NULL || name[0] == '*' || strchr(name, ':') != NULL)
		return;
	for (const char *at = strncmp(name, "www.", 4) == 0 ? name + 4 : name; *at != '\0'; at++)
		dots += *at == '.';
	if (dots == 0 || name[strlen(name) - 1] < 'A' || has_twin(names, name))
		return;
	if (strncmp(name, "www.", 4) == 0)
		cd_problem(check->problems, CERTDEPLOY_NOTICE, "name-twin", check->place->origin,
			   check->place->line, _("the certificate covers %s but not %s"), name, name + 4);
	else if (dots == 1)
		cd_problem(check->problems, CERTDEPLOY_NOTICE, "name-twin", check->place->origin,
			   check->place->line, _("the certificate covers %s but not www.%s"), name, name);
}

/* Each label has a length, and a * stands for the whole first of three or more: others match no host. */
static bool matches_hosts(const ASN1_STRING *text)
{
	const char *name = (const char *)ASN1_STRING_get0_data(text);
	int length = ASN1_STRING_length(text), label = 0, dots = 0;

	for (int i = 0; i < length; i++) {
		if (name[i] == '*' && (i != 0 || length < 2 || name[1] != '.'))
			return false;
		if (name[i] == '.' && label == 0)
			return false;
		label = name[i] == '.' ? 0 : label + 1;
		dots += name[i] == '.';
		if (label > 63)
			return false;
	}
	return label > 0 && (name[0] != '*' || dots > 1);
}

static void check_useless_name(struct check *check, const ASN1_STRING *text)
{
	const char *name = cd_arena_copy(&check->problems->arena, (const char *)ASN1_STRING_get0_data(text),
					 (size_t)ASN1_STRING_length(text));

	if (name == NULL)
		note(check, cd_fail_memory(check->problems));
	else
		cd_problem(check->problems, CERTDEPLOY_WARNING, "malformed", check->place->origin,
			   check->place->line,
			   _("the certificate has the name %s, which browsers match with no host"), name);
}

/* How the names are written. */
static void check_spelling(struct check *check, const GENERAL_NAMES *alternatives)
{
	bool bad = false, nul = false, address = false;
	const ASN1_STRING *useless = NULL;

	for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(alternatives, i);

		if (name->type != GEN_DNS)
			continue;
		bad = bad || !is_name_text(name->d.dNSName);
		nul = nul || has_nul(name->d.dNSName);
		address = address || is_address_text(name->d.dNSName);
		if (useless == NULL && !matches_hosts(name->d.dNSName))
			useless = name->d.dNSName;
	}
	/* A name that ends early for one reader and not for another is an attack (CVE-2009-2408). */
	if (nul)
		refuse(check, "malformed", check->place, _("a name in the certificate has a NUL inside"));
	else if (bad)
		judge(check, "malformed",
		      _("a name in the certificate has characters that no host name has"));
	else if (address)
		cd_problem(
			check->problems, CERTDEPLOY_WARNING, "malformed", check->place->origin,
			check->place->line,
			_("an IP address stands among the host names, where clients do not look for it"));
	else if (useless != NULL)
		check_useless_name(check, useless);
}

static void check_names(struct check *check)
{
	GENERAL_NAMES *alternatives = X509_get_ext_d2i(check->x509, NID_subject_alt_name, NULL, NULL);
	const char *const *names = NULL;
	int count = sk_GENERAL_NAME_num(alternatives);

	if (count > CD_NAMES_LIMIT)
		refuse(check, "too-large", check->place, _("the certificate has more than %d names"),
		       CD_NAMES_LIMIT);
	check_spelling(check, alternatives);
	GENERAL_NAMES_free(alternatives);
	if (count > CD_NAMES_LIMIT)
		return;
	if (cd_certificate_names(&names, &check->problems->arena, check->x509) != 0) {
		note(check, cd_fail_memory(check->problems));
		return;
	}
	if (names[0] == NULL)
		judge(check, "no-names", _("the certificate names no host"));
	else if (count < 1)
		cd_problem(check->problems, CERTDEPLOY_WARNING, "common-name", check->place->origin,
			   check->place->line,
			   _("the name %s stands only in the subject, where browsers do not look"),
			   names[0]);
	check_twin(check, names);
}

/* ---- strength ---- */

static const char *ssl_reason(void)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = error == 0 ? NULL : ERR_reason_error_string(error);

	return reason == NULL ? "?" : reason;
}

/* A server of this system's OpenSSL, to be freed. Its context takes longer to make than to be used. */
static SSL *new_server(struct cd_loads *loads)
{
	SSL_CTX *context = loads == NULL ? NULL : loads->server;
	SSL *server;

	if (context == NULL)
		context = SSL_CTX_new(TLS_server_method());
	server = context == NULL ? NULL : SSL_new(context);
	if (loads == NULL)
		SSL_CTX_free(context);
	else
		loads->server = context;
	return server;
}

/* Let OpenSSL take it as a server would, at the security level of this system. */
static void check_by_openssl(struct check *check)
{
	SSL *server = new_server(check->load->loads);
	const struct cd_chain *chain = check->chain;

	cd_errors_clear(check->problems);
	if (server == NULL) {
		note(check, cd_fail_memory(check->problems));
		return;
	}
	if (SSL_use_certificate(server, check->x509) != 1)
		refuse(check, "weak-key", check->place,
		       _("this system's OpenSSL refuses the certificate: %s"), ssl_reason());
	else if (chain->key != NULL && SSL_use_PrivateKey(server, chain->key->key) != 1)
		refuse(check, "weak-key", &chain->key->place,
		       _("this system's OpenSSL refuses the key: %s"), ssl_reason());
	else
		for (size_t i = 0; i < chain->members.count; i++) {
			const struct cd_given_certificate *member = chain->members.items[i];

			if (SSL_add1_chain_cert(server, member->x509) != 1) {
				refuse(check, "weak-key", &member->place,
				       _("this system's OpenSSL refuses %s in the chain: %s"),
				       member->subject, ssl_reason());
				break;
			}
		}
	SSL_free(server);
	cd_errors_clear(check->problems);
}

static void check_strength(struct check *check)
{
	EVP_PKEY *key = X509_get0_pubkey(check->x509);
	int digest = NID_undef;

	if (key != NULL && EVP_PKEY_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_bits(key) < CD_RSA_BITS_LEAST)
		judge(check, "weak-key", _("the RSA key has only %d bits"), EVP_PKEY_bits(key));
	if (cd_has_weak_exponent(X509_get_X509_PUBKEY(check->x509)))
		refuse(check, "weak-key", check->place,
		       _("the RSA key's public exponent is 1 or even: such a key protects nothing"));
	if (check->chain->end != CD_END_SELF_SIGNED &&
	    OBJ_find_sigid_algs(X509_get_signature_nid(check->x509), &digest, NULL) == 1 &&
	    (digest == NID_sha1 || digest == NID_md5))
		judge(check, "weak-key", _("the certificate is signed with %s, which clients do not trust"),
		      OBJ_nid2sn(digest));
	if (check->result != CERTDEPLOY_ENOMEM)
		check_by_openssl(check);
}

int cd_chain_check(const struct cd_chain *chain, struct cd_problems *problems, const struct cd_load *load)
{
	struct check check = {.chain = chain,
			      .problems = problems,
			      .load = load,
			      .x509 = chain->leaf->x509,
			      .place = &chain->leaf->place};

	check_key(&check);
	check_names(&check);
	check_dates(&check);
	check_life(&check);
	check_chain(&check);
	check_usage(&check);
	check_issuers(&check);
	if (chain->end != CD_END_SELF_SIGNED)
		check_as_client(&check);
	check_stapling(&check);
	check_strength(&check);
	return problems->out_of_memory ? CERTDEPLOY_ENOMEM : check.result;
}
