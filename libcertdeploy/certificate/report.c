/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report.c - a certificate in words: everything foreign in it made printable */
#include "certificate/summary.h"

#include "base/hostname.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/err.h>
#include <string.h>
#include <time.h>

#define TEXT_LIMIT 1024
#define USAGES_LIMIT 100

int64_t cd_seconds(const ASN1_TIME *time)
{
	struct tm parts;

	return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

char *cd_name_text(struct cd_arena *arena, const X509_NAME *name)
{
	/* RFC 4514, with other scripts as they are. */
	const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes = NULL, *text = NULL;
	long length;

	if (bio != NULL && X509_NAME_print_ex(bio, name, 0, flags) >= 0) {
		length = BIO_get_mem_data(bio, &bytes);
		text = cd_printable(arena, bytes == NULL ? "" : bytes, length < 0 ? 0 : (size_t)length,
				    TEXT_LIMIT);
	} else if (bio != NULL) {
		text = cd_arena_string(arena, "?");
	}
	BIO_free(bio);
	return text;
}

const char *cd_object_text(struct cd_arena *arena, const ASN1_OBJECT *object, bool is_long)
{
	int nid = OBJ_obj2nid(object);
	char text[80];

	if (nid != NID_undef)
		return cd_arena_string(arena, is_long ? OBJ_nid2ln(nid) : OBJ_nid2sn(nid));
	if (OBJ_obj2txt(text, sizeof(text), object, 1) < 1)
		return cd_arena_string(arena, "?");
	return cd_arena_string(arena, text);
}

/* ---- names ---- */

static bool is_host_text(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!isascii((unsigned char)bytes[i]) ||
		    (!isalnum((unsigned char)bytes[i]) && memchr("-._*", bytes[i], 4) == NULL))
			return false;
	return length > 0 && length <= 253;
}

/* Each once, however often the certificate has it. */
static int add_once(struct cd_vector *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i], name) == 0)
			return 0;
	return cd_vector_add(names, name);
}

/*
 * What is no host name covers nothing: one with a NUL inside, above all (CVE-2009-2408). Nor does an
 * address among the host names: clients look for addresses where those stand (RFC 6125).
 */
static int add_host(struct cd_vector *names, struct cd_arena *arena, const ASN1_STRING *text)
{
	const char *bytes = (const char *)ASN1_STRING_get0_data(text);
	int length = ASN1_STRING_length(text);
	char *name;

	if (length < 1 || !is_host_text(bytes, (size_t)length) || names->count >= CD_NAMES_LIMIT)
		return 0;
	name = cd_arena_copy(arena, bytes, (size_t)length);
	if (name == NULL)
		return CERTDEPLOY_ENOMEM;
	for (char *at = name; *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at + ('a' - 'A'));
	return cd_is_ipv4(name) ? 0 : add_once(names, name);
}

static int add_address(struct cd_vector *names, struct cd_arena *arena, const ASN1_STRING *address)
{
	char text[INET6_ADDRSTRLEN] = "";
	int length = ASN1_STRING_length(address);
	char *name;

	if ((length != 4 && length != 16) || names->count >= CD_NAMES_LIMIT ||
	    inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text,
		      sizeof(text)) == NULL)
		return 0;
	name = cd_arena_string(arena, text);
	return name == NULL ? CERTDEPLOY_ENOMEM : add_once(names, name);
}

static int add_common_name(struct cd_vector *names, struct cd_arena *arena, const X509_NAME *subject)
{
	int at = X509_NAME_get_index_by_NID((X509_NAME *)(uintptr_t)subject, NID_commonName, -1);

	return at < 0 ? 0
		      : add_host(names, arena, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

int cd_names_of(const char *const **names, struct cd_arena *arena, const GENERAL_NAMES *alternatives,
		const X509_NAME *subject)
{
	struct cd_vector found = {0};
	const char **list;
	int result = 0;

	for (int i = 0; result == 0 && i < sk_GENERAL_NAME_num(alternatives); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(alternatives, i);

		if (name->type == GEN_DNS)
			result = add_host(&found, arena, name->d.dNSName);
		else if (name->type == GEN_IPADD)
			result = add_address(&found, arena, name->d.iPAddress);
	}
	if (result == 0 && sk_GENERAL_NAME_num(alternatives) < 1)
		result = add_common_name(&found, arena, subject);
	list = cd_arena_array(arena, found.count + 1, sizeof(*list));
	if (list != NULL && found.count != 0)
		memcpy(list, found.items, found.count * sizeof(*list));
	*names = (const char *const *)list;
	cd_vector_free(&found);
	return list == NULL ? CERTDEPLOY_ENOMEM : result;
}

int cd_certificate_names(const char *const **names, struct cd_arena *arena, X509 *x509)
{
	GENERAL_NAMES *alternatives = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
	int result = cd_names_of(names, arena, alternatives, X509_get_subject_name(x509));

	GENERAL_NAMES_free(alternatives);
	return result;
}

int cd_summary_names(const char *const **names, struct cd_arena *arena, const struct cd_summary *summary)
{
	GENERAL_NAMES *alternatives = X509V3_get_d2i(summary->extensions, NID_subject_alt_name, NULL, NULL);
	int result = cd_names_of(names, arena, alternatives, summary->subject);

	GENERAL_NAMES_free(alternatives);
	return result;
}

/* ---- the report ---- */

char *cd_sha256_text(struct cd_arena *arena, const void *bytes, size_t length)
{
	char *text = cd_arena_alloc(arena, CD_SHA256_TEXT);

	return text != NULL && cd_sha256(text, bytes, length) == 0 ? text : NULL;
}

static int fill_usages(struct certdeploy_certificate_report *report, struct cd_arena *arena,
		       const struct cd_summary *summary)
{
	EXTENDED_KEY_USAGE *usages = X509V3_get_d2i(summary->extensions, NID_ext_key_usage, NULL, NULL);
	int count = sk_ASN1_OBJECT_num(usages);
	const char **list;

	if (count < 0 || count > USAGES_LIMIT)
		count = count < 0 ? 0 : USAGES_LIMIT;
	list = cd_arena_array(arena, (size_t)count + 1, sizeof(*list));
	for (int i = 0; list != NULL && i < count; i++) {
		list[i] = cd_object_text(arena, sk_ASN1_OBJECT_value(usages, i), false);
		if (list[i] == NULL)
			list = NULL;
	}
	EXTENDED_KEY_USAGE_free(usages);
	report->usages = (const char *const *)list;
	return list == NULL ? CERTDEPLOY_ENOMEM : 0;
}

/* status_request of RFC 6066 in the TLS features of RFC 7633 */
static bool has_must_staple(const struct cd_summary *summary)
{
	TLS_FEATURE *features = X509V3_get_d2i(summary->extensions, NID_tlsfeature, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
		found = found || ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == 5;
	TLS_FEATURE_free(features);
	return found;
}

static bool is_authority(const struct cd_summary *summary)
{
	BASIC_CONSTRAINTS *constraints =
		X509V3_get_d2i(summary->extensions, NID_basic_constraints, NULL, NULL);
	bool authority = constraints != NULL && constraints->ca != 0;

	BASIC_CONSTRAINTS_free(constraints);
	return authority;
}

static char *serial_text(struct cd_arena *arena, const ASN1_INTEGER *serial)
{
	int length = ASN1_STRING_length(serial);
	char *text;

	if (length < 0 || length > 64)
		return cd_arena_string(arena, "?");
	text = cd_arena_alloc(arena, (size_t)length * 2 + 2);
	if (text == NULL)
		return NULL;
	if ((ASN1_STRING_type(serial) & V_ASN1_NEG) != 0)
		*text = '-';
	cd_hex(text + strlen(text), ASN1_STRING_get0_data(serial), (size_t)length);
	return text;
}

int cd_report_people(struct certdeploy_certificate_report *report, struct cd_arena *arena)
{
	size_t count = 0;
	const char **list;

	while (report->names[count] != NULL)
		count++;
	list = cd_arena_array(arena, count + 1, sizeof(*list));
	for (size_t i = 0; list != NULL && i < count; i++) {
		const char *name = cd_hostname_unicode(arena, report->names[i]);

		list[i] = name == NULL ? report->names[i] : name;
	}
	report->names_unicode = (const char *const *)list;
	return list == NULL ? CERTDEPLOY_ENOMEM : 0;
}

int cd_report_summary(struct certdeploy_certificate_report *report, struct cd_arena *arena,
		      const struct cd_summary *summary)
{
	const ASN1_OBJECT *algorithm = NULL;

	X509_ALGOR_get0(&algorithm, NULL, NULL, summary->signature);
	report->key_type = summary->key_type;
	report->key_bits = summary->key_bits;
	report->subject = cd_name_text(arena, summary->subject);
	report->issuer = cd_name_text(arena, summary->issuer);
	report->serial = serial_text(arena, summary->serial);
	report->signature = cd_object_text(arena, algorithm, true);
	report->not_before = summary->not_before;
	report->not_after = summary->not_after;
	report->must_staple = has_must_staple(summary);
	report->authority = is_authority(summary);
	report->self_signed = summary->self_issued;
	report->sha256 = cd_sha256_text(arena, summary->der, summary->length);
	report->public_key_sha256 = cd_sha256_text(arena, summary->public_key, summary->public_key_length);
	if (report->subject == NULL || report->issuer == NULL || report->serial == NULL ||
	    report->signature == NULL || report->sha256 == NULL || report->public_key_sha256 == NULL ||
	    fill_usages(report, arena, summary) != 0 ||
	    cd_summary_names(&report->names, arena, summary) != 0)
		return CERTDEPLOY_ENOMEM;
	report->name = report->names[0] == NULL ? report->subject : report->names[0];
	return cd_report_people(report, arena);
}

int cd_report_fill(struct certdeploy_certificate_report *report, struct cd_arena *arena, X509 *x509)
{
	struct cd_summary summary;
	unsigned char *der = NULL;
	int length = i2d_X509(x509, &der), result = CERTDEPLOY_ENOMEM;

	if (length > 0 && cd_summary_read(&summary, der, (size_t)length) == 0) {
		result = cd_report_summary(report, arena, &summary);
		report->self_signed = cd_is_self_signed(NULL, x509);
		cd_summary_free(&summary);
	}
	OPENSSL_free(der);
	return result;
}

/* ---- names in the store ---- */

bool cd_store_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > 200 || name[0] == '.' || name[0] == '-' || name[length - 1] == '.' ||
	    strstr(name, "..") != NULL)
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == length;
}

const char *cd_certificate_store_name(struct cd_arena *arena, const struct cd_certificate *certificate)
{
	const char *first = certificate->names[0];
	char *name;

	if (first == NULL)
		return NULL;
	name = strncmp(first, "*.", 2) == 0 ? cd_arena_format(arena, "wildcard.%s", first + 2)
					    : cd_arena_string(arena, first);
	if (name == NULL)
		return NULL;
	for (char *at = name; *at != '\0'; at++)
		if (*at == ':' || *at == '_')
			*at = '-';
	/* An IPv6 address may begin with its colons. */
	while (*name == '-')
		name++;
	return cd_store_name_is_valid(name) ? name : NULL;
}
