/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * certificates.c - as many certificates as a large host has, as an issuer's tree keeps them
 *
 *	certificates DIRECTORY NAMES COUNT
 *
 * Makes DIRECTORY/NAME/fullchain.pem and privkey.pem for COUNT names: NAMES holds %u, as
 * "site%u.example.test", which becomes a number of five digits. Keys on P-256, signed by an authority of
 * this run that nobody trusts; each run makes others.
 */
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct authority {
	X509 *x509;
	EVP_PKEY *key;
};

static void need(int fine, const char *what)
{
	if (!fine) {
		(void)fprintf(stderr, "certificates: %s\n", what);
		exit(1);
	}
}

static EVP_PKEY *new_key(void)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
	EVP_PKEY *key = NULL;

	need(context != NULL && EVP_PKEY_keygen_init(context) == 1 &&
		     EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1 &&
		     EVP_PKEY_keygen(context, &key) == 1,
	     "no key");
	EVP_PKEY_CTX_free(context);
	return key;
}

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	need(extension != NULL && X509_add_ext(x509, extension, -1) == 1, value);
	X509_EXTENSION_free(extension);
}

/* issuer NULL: an authority, signed by itself. */
static X509 *new_certificate(const char *name, EVP_PKEY *key, const struct authority *issuer)
{
	X509 *x509 = X509_new();
	X509_NAME *subject = X509_get_subject_name(x509);
	unsigned char serial[16];
	char names[512];
	BIGNUM *number;

	need(RAND_bytes(serial, sizeof(serial)) == 1, "no random numbers");
	serial[0] &= 0x7f;
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	need(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL, "no serial number");
	BN_free(number);
	(void)X509_set_version(x509, 2);
	(void)X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
					 0);
	(void)X509_set_issuer_name(x509, issuer == NULL ? subject : X509_get_subject_name(issuer->x509));
	(void)X509_gmtime_adj(X509_getm_notBefore(x509), -86400);
	(void)X509_gmtime_adj(X509_getm_notAfter(x509), 90L * 86400);
	(void)X509_set_pubkey(x509, key);
	(void)snprintf(names, sizeof(names), "DNS:%s,DNS:www.%s,DNS:mail.%s", name, name, name);
	add_extension(x509, issuer == NULL ? x509 : issuer->x509, NID_basic_constraints,
		      issuer == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (issuer != NULL)
		add_extension(x509, issuer->x509, NID_subject_alt_name, names);
	need(X509_sign(x509, issuer == NULL ? key : issuer->key, EVP_sha256()) != 0, "not signed");
	return x509;
}

static FILE *open_file(const char *directory, const char *name, mode_t mode)
{
	char path[4096];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	need(file != NULL && chmod(path, mode) == 0, path);
	return file;
}

static void write_one(const char *base, const char *name, const struct authority *authority)
{
	EVP_PKEY *key = new_key();
	X509 *x509 = new_certificate(name, key, authority);
	char directory[2048];
	FILE *file;

	(void)snprintf(directory, sizeof(directory), "%s/%s", base, name);
	(void)mkdir(directory, 0755);
	file = open_file(directory, "fullchain.pem", 0644);
	need(PEM_write_X509(file, x509) == 1 && PEM_write_X509(file, authority->x509) == 1 &&
		     fclose(file) == 0,
	     "not written");
	file = open_file(directory, "privkey.pem", 0600);
	need(PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(file) == 0,
	     "not written");
	X509_free(x509);
	EVP_PKEY_free(key);
}

int main(int argc, char **argv)
{
	struct authority authority;
	unsigned count;

	if (argc != 4)
		return 2;
	count = (unsigned)strtoul(argv[3], NULL, 10);
	(void)mkdir(argv[1], 0755);
	authority.key = new_key();
	authority.x509 = new_certificate("Bench CA", authority.key, NULL);
	for (unsigned i = 0; i < count; i++) {
		char name[256], number[16];
		const char *at = strstr(argv[2], "%u");

		/* The number in the place of %u, five digits wide. */
		need(at != NULL, "NAMES has no %u");
		(void)snprintf(number, sizeof(number), "%05u", i);
		(void)snprintf(name, sizeof(name), "%.*s%s%s", (int)(at - argv[2]), argv[2], number,
			       at + 2);
		write_one(argv[1], name, &authority);
	}
	X509_free(authority.x509);
	EVP_PKEY_free(authority.key);
	return 0;
}
