/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* issue.c - new keys, certificate signing requests, self-signed certificates */
#include "certificate/issue.h"

#include "base/hostname.h"
#include "base/text.h"
#include "certificate/material.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>
#include <strings.h>

#define ROUNDS 600000 /* of PBKDF2 with SHA-256: OWASP's figure */
#define DAY ((int64_t)86400)

/* ---- the key ---- */

struct key_kind {
	const char *name;
	int type;
	int detail; /* bits, or the curve */
};

static const struct key_kind *find_kind(const char *name)
{
	static const struct key_kind kinds[] = {
		{"rsa:2048", EVP_PKEY_RSA, 2048},
		{"rsa:3072", EVP_PKEY_RSA, 3072},
		{"rsa:4096", EVP_PKEY_RSA, 4096},
		{"rsa", EVP_PKEY_RSA, 2048},
		{"ec:p256", EVP_PKEY_EC, NID_X9_62_prime256v1},
		{"ec:p-256", EVP_PKEY_EC, NID_X9_62_prime256v1},
		{"ecdsa", EVP_PKEY_EC, NID_X9_62_prime256v1},
		{"ec:p384", EVP_PKEY_EC, NID_secp384r1},
		{"ec:p-384", EVP_PKEY_EC, NID_secp384r1},
		{"ed25519", EVP_PKEY_ED25519, 0},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcasecmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

static EVP_PKEY *make_key(const struct key_kind *kind)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(kind->type, NULL);
	EVP_PKEY *key = NULL;
	bool ready = context != NULL && EVP_PKEY_keygen_init(context) == 1;

	if (ready && kind->type == EVP_PKEY_RSA)
		ready = EVP_PKEY_CTX_set_rsa_keygen_bits(context, kind->detail) == 1;
	if (ready && kind->type == EVP_PKEY_EC)
		ready = EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, kind->detail) == 1 &&
			EVP_PKEY_CTX_set_ec_param_enc(context, OPENSSL_EC_NAMED_CURVE) == 1;
	if (ready && EVP_PKEY_keygen(context, &key) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	return key;
}

static char *take_text(struct cd_arena *arena, BIO *bio)
{
	char *bytes = NULL;
	long length = BIO_get_mem_data(bio, &bytes);

	return length < 1 ? NULL : cd_arena_copy(arena, bytes, (size_t)length);
}

/* PKCS#8 with PBES2, AES-256 and PBKDF2 of SHA-256. */
static char *seal_key(struct cd_arena *arena, EVP_PKEY *key, const struct cd_wish *wish)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	X509_ALGOR *algorithm =
		PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), ROUNDS, NULL, 0, NULL, NID_hmacWithSHA256);
	BIO *bio = BIO_new(BIO_s_secmem());
	X509_SIG *sealed = NULL;
	char *text = NULL;

	if (info != NULL && algorithm != NULL)
		sealed = PKCS8_set0_pbe(wish->passphrase, (int)wish->passphrase_length, info, algorithm);
	if (sealed == NULL)
		X509_ALGOR_free(algorithm);
	if (sealed != NULL && bio != NULL && PEM_write_bio_PKCS8(bio, sealed) == 1)
		text = take_text(arena, bio);
	BIO_free(bio);
	X509_SIG_free(sealed);
	PKCS8_PRIV_KEY_INFO_free(info);
	return text;
}

static const EVP_MD *digest_for(const EVP_PKEY *key)
{
	return EVP_PKEY_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
}

/* ---- subject and extensions ---- */

static bool add_field(X509_NAME *name, int field, const char *value)
{
	return value == NULL || X509_NAME_add_entry_by_NID(name, field, MBSTRING_UTF8,
							   (const unsigned char *)value, -1, -1, 0) == 1;
}

static X509_NAME *make_subject(const struct cd_wish *wish, const char *common_name)
{
	X509_NAME *name = X509_NAME_new();
	char country[3] = "";
	bool good = name != NULL;

	for (size_t i = 0; wish->country != NULL && i < 2; i++)
		country[i] =
			(char)(wish->country[i] >= 'a' ? wish->country[i] - ('a' - 'A') : wish->country[i]);
	good = good && add_field(name, NID_countryName, wish->country == NULL ? NULL : country) &&
	       add_field(name, NID_stateOrProvinceName, wish->state) &&
	       add_field(name, NID_localityName, wish->locality) &&
	       add_field(name, NID_organizationName, wish->organization);
	for (const char *const *unit = wish->units; good && unit != NULL && *unit != NULL; unit++)
		good = add_field(name, NID_organizationalUnitName, *unit);
	good = good && add_field(name, NID_commonName, common_name) &&
	       add_field(name, NID_pkcs9_emailAddress, wish->email);
	if (!good) {
		X509_NAME_free(name);
		return NULL;
	}
	return name;
}

static bool add_alternative(GENERAL_NAMES *names, const char *value)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *text = NULL;
	bool address = cd_is_address(value);

	if (name == NULL)
		return false;
	if (address) {
		name->d.iPAddress = a2i_IPADDRESS(value);
		name->type = name->d.iPAddress == NULL ? -1 : GEN_IPADD;
	} else {
		text = ASN1_IA5STRING_new();
		if (text != NULL && ASN1_STRING_set(text, value, -1) == 1) {
			name->d.dNSName = text;
			name->type = GEN_DNS;
			text = NULL;
		}
	}
	ASN1_STRING_free(text);
	if (name->type == -1 || sk_GENERAL_NAME_push(names, name) == 0) {
		GENERAL_NAME_free(name);
		return false;
	}
	return true;
}

/* All names once, the common name first. */
static GENERAL_NAMES *make_alternatives(const struct cd_wish *wish, const char *common_name)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	bool good = names != NULL && (common_name == NULL || add_alternative(names, common_name));

	for (const char *const *name = wish->names; good && name != NULL && *name != NULL; name++) {
		bool twice = common_name != NULL && strcasecmp(*name, common_name) == 0;

		for (const char *const *before = wish->names; before < name; before++)
			twice = twice || strcasecmp(*before, *name) == 0;
		good = twice || add_alternative(names, *name);
	}
	if (good)
		return names;
	GENERAL_NAMES_free(names);
	return NULL;
}

static char *make_csr(struct cd_arena *arena, EVP_PKEY *key, X509_NAME *subject, GENERAL_NAMES *names)
{
	X509_REQ *request = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *extensions = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;

	if (request != NULL && bio != NULL && X509_REQ_set_version(request, 0) == 1 &&
	    X509_REQ_set_subject_name(request, subject) == 1 && X509_REQ_set_pubkey(request, key) == 1 &&
	    X509V3_add1_i2d(&extensions, NID_subject_alt_name, names, 0, 0) == 1 &&
	    X509_REQ_add_extensions(request, extensions) == 1 &&
	    X509_REQ_sign(request, key, digest_for(key)) > 0 && X509_REQ_verify(request, key) == 1 &&
	    PEM_write_bio_X509_REQ(bio, request) == 1)
		text = take_text(arena, bio);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	X509_REQ_free(request);
	BIO_free(bio);
	return text;
}

static bool add_text_extension(X509 *x509, int extension, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *made;
	bool good;

	X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
	made = X509V3_EXT_nconf_nid(NULL, &context, extension, value);
	good = made != NULL && X509_add_ext(x509, made, -1) == 1;
	X509_EXTENSION_free(made);
	return good;
}

static bool set_random_serial(X509 *x509)
{
	unsigned char bytes[16];
	BIGNUM *number = NULL;
	bool good = false;

	if (RAND_bytes(bytes, sizeof(bytes)) == 1) {
		bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
		number = BN_bin2bn(bytes, sizeof(bytes), NULL);
		good = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL;
	}
	BN_free(number);
	return good;
}

static char *make_certificate(struct cd_arena *arena, EVP_PKEY *key, X509_NAME *subject,
			      GENERAL_NAMES *names, const struct cd_wish *wish)
{
	const char *usage = EVP_PKEY_base_id(key) == EVP_PKEY_RSA
				    ? "critical,digitalSignature,keyEncipherment"
				    : "critical,digitalSignature";
	long days = wish->days == 0 ? CD_DEFAULT_DAYS : wish->days;
	X509 *x509 = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;

	if (x509 != NULL && bio != NULL && X509_set_version(x509, 2) == 1 && set_random_serial(x509) &&
	    X509_set_subject_name(x509, subject) == 1 && X509_set_issuer_name(x509, subject) == 1 &&
	    ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)wish->now) != NULL &&
	    ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)(wish->now + days * DAY - 1)) != NULL &&
	    X509_set_pubkey(x509, key) == 1 &&
	    add_text_extension(x509, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_text_extension(x509, NID_key_usage, usage) &&
	    add_text_extension(x509, NID_ext_key_usage, "serverAuth") &&
	    add_text_extension(x509, NID_subject_key_identifier, "hash") &&
	    X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, 0) == 1 &&
	    X509_sign(x509, key, digest_for(key)) > 0 && X509_verify(x509, key) == 1 &&
	    PEM_write_bio_X509(bio, x509) == 1)
		text = take_text(arena, bio);
	X509_free(x509);
	BIO_free(bio);
	return text;
}

/* ---- the whole ---- */

/* A common name has 64 characters at most and is no address: a longer one stands among the names only. */
static const char *common_name_of(const struct cd_wish *wish)
{
	const char *first = wish->common_name;

	if (first != NULL && *first != '\0')
		return first;
	first = wish->names[0];
	return cd_is_address(first) || strlen(first) > 64 ? NULL : first;
}

static int make(struct cd_issue *out, const struct cd_wish *wish, const struct key_kind *kind)
{
	const char *common_name = common_name_of(wish);
	EVP_PKEY *key = wish->key;
	X509_NAME *subject = make_subject(wish, common_name);
	GENERAL_NAMES *names = make_alternatives(wish, common_name);
	size_t length;
	int result;

	if (key == NULL)
		key = make_key(kind);
	else
		(void)EVP_PKEY_up_ref(key);
	result = key == NULL || subject == NULL || names == NULL ? CERTDEPLOY_ENOMEM : 0;

	out->name = cd_arena_string(&out->arena, common_name != NULL ? common_name : wish->names[0]);
	if (result == 0 && wish->self_signed)
		out->certificate_pem = make_certificate(&out->arena, key, subject, names, wish);
	else if (result == 0)
		out->csr_pem = make_csr(&out->arena, key, subject, names);
	if (result == 0 && wish->passphrase != NULL)
		out->key_pem = seal_key(&out->arena, key, wish);
	else if (result == 0)
		result = cd_encode_key(&out->key_pem, &length, &out->arena, key, NULL, NULL);
	if (out->name == NULL || out->key_pem == NULL ||
	    (out->certificate_pem == NULL && out->csr_pem == NULL))
		result = CERTDEPLOY_ENOMEM;
	GENERAL_NAMES_free(names);
	X509_NAME_free(subject);
	EVP_PKEY_free(key);
	return result;
}

int cd_issue(struct cd_issue *out, struct cd_problems *problems, const struct cd_wish *wish)
{
	const char *type = wish->key_type == NULL ? "rsa:2048" : wish->key_type;
	const struct key_kind *kind = find_kind(type);
	int result;

	*out = (struct cd_issue){.arena.secret = true};
	if (kind == NULL)
		return cd_fail(
			problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			_("there is no key type \"%s\"; there are rsa:2048, rsa:3072, rsa:4096, ec:p256, "
			  "ec:p384 and ed25519"),
			cd_safe(&problems->arena, type));
	if (wish->days < 0 || wish->days > 36500)
		return cd_fail(problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("a certificate can be valid for 1 to 36500 days"));
	ERR_clear_error();
	result = cd_wish_check(problems, wish);
	if (result == 0 && make(out, wish, kind) != 0)
		result = cd_fail_memory(problems);
	ERR_clear_error();
	return result;
}

void cd_issue_free(struct cd_issue *issue)
{
	cd_arena_free(&issue->arena);
	*issue = (struct cd_issue){0};
}
