/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* archive.c - a whole store as one PKCS#12 */
#include "certificate/archive.h"

#include "base/text.h"
#include "certificate/material.h"
#include "certificate/store.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#define NAMES_LIMIT 100000

/* ---- writing ---- */

/* One element of DER. */
static void put(struct cd_buffer *out, bool constructed, int tag, int class, const void *content,
		size_t length)
{
	unsigned char head[16], *at = head;

	ASN1_put_object(&at, constructed, (int)length, tag, class);
	cd_buffer_add(out, head, (size_t)(at - head));
	cd_buffer_add(out, content, length);
}

/* SEQUENCE { type, [0] content }: a bag is one, and what is in a secret another. */
static void put_typed(struct cd_buffer *out, int type, const struct cd_buffer *content)
{
	struct cd_buffer inside = {.secret = true};
	const ASN1_OBJECT *object = OBJ_nid2obj(type);

	put(&inside, false, V_ASN1_OBJECT, V_ASN1_UNIVERSAL, OBJ_get0_data(object), OBJ_length(object));
	put(&inside, true, 0, V_ASN1_CONTEXT_SPECIFIC, content->bytes, content->length);
	put(out, true, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, inside.bytes, inside.length);
	out->failed = out->failed || inside.failed || content->failed;
	cd_buffer_free(&inside);
}

/* OpenSSL makes such bags from version 3 on. */
static PKCS12_SAFEBAG *secret_bag(const char *request, const char *key)
{
	struct cd_buffer text = {.secret = true}, octets = {.secret = true};
	struct cd_buffer secret = {.secret = true}, bag = {.secret = true};
	const unsigned char *at;
	PKCS12_SAFEBAG *made = NULL;

	cd_buffer_string(&text, request);
	cd_buffer_string(&text, key);
	put(&octets, false, V_ASN1_OCTET_STRING, V_ASN1_UNIVERSAL, text.bytes, text.length);
	octets.failed = octets.failed || text.failed;
	put_typed(&secret, NID_pkcs7_data, &octets);
	put_typed(&bag, NID_secretBag, &secret);
	at = (const unsigned char *)bag.bytes;
	if (!bag.failed)
		made = d2i_PKCS12_SAFEBAG(NULL, &at, (long)bag.length);
	cd_buffer_free(&text);
	cd_buffer_free(&octets);
	cd_buffer_free(&secret);
	cd_buffer_free(&bag);
	return made;
}

static bool add_waiting(STACK_OF(PKCS12_SAFEBAG) * *bags, const char *name,
			const struct cd_waiting *waiting)
{
	PKCS12_SAFEBAG *bag = secret_bag(waiting->request, waiting->key);

	if (*bags == NULL)
		*bags = sk_PKCS12_SAFEBAG_new_null();
	if (cd_pkcs12_label(bag, name, waiting->id, strlen(waiting->id)) &&
	    sk_PKCS12_SAFEBAG_push(*bags, bag) > 0)
		return true;
	PKCS12_SAFEBAG_free(bag);
	return false;
}

static bool add_certificate(STACK_OF(PKCS12_SAFEBAG) * *bags, const struct cd_archive_entry *entry)
{
	const struct cd_certificate *certificate = entry->certificate;
	const STACK_OF(X509) *chain = certificate->chain;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	if (X509_digest(certificate->x509, EVP_sha1(), digest, &size) != 1 ||
	    !cd_pkcs12_label(PKCS12_add_key(bags, certificate->key, 0, 0, -1, NULL), entry->name, digest,
			     size) ||
	    !cd_pkcs12_label(PKCS12_add_cert(bags, certificate->x509), entry->name, digest, size))
		return false;
	for (int i = 0; i < sk_X509_num(chain); i++)
		if (!cd_pkcs12_label(PKCS12_add_cert(bags, sk_X509_value(chain, i)), entry->name, NULL, 0))
			return false;
	return true;
}

static bool add_entry(STACK_OF(PKCS12_SAFEBAG) * *bags, const struct cd_archive_entry *entry)
{
	return entry->certificate != NULL ? add_certificate(bags, entry)
					  : add_waiting(bags, entry->name, entry->waiting);
}

int cd_archive_write(struct cd_buffer *out, const struct cd_vector *entries, const char *passphrase)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	STACK_OF(PKCS7) *parts = NULL;
	PKCS12 *pkcs12 = NULL;
	bool written = true;
	int result = CERTDEPLOY_ENOMEM;

	ERR_clear_error();
	for (size_t i = 0; written && i < entries->count; i++)
		written = add_entry(&bags, entries->items[i]);
	if (written && PKCS12_add_safe(&parts, bags, NID_aes_256_cbc, CD_PKCS12_ROUNDS, passphrase) == 1)
		pkcs12 = PKCS12_add_safes(parts, 0);
	if (pkcs12 != NULL)
		result = cd_pkcs12_seal(out, pkcs12, passphrase, false);
	PKCS12_free(pkcs12);
	sk_PKCS7_pop_free(parts, PKCS7_free);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	ERR_clear_error();
	return result;
}

/* ---- reading ---- */

static int refuse(struct cd_given *given)
{
	return cd_given_fail(given, "not-understood", _("this is no archive of a store"));
}

/* The entry of that name, made when it is the first of it; NULL: memory is short. */
static struct cd_archived *archived(struct cd_archive *archive, const char *name)
{
	struct cd_archived *found = cd_table_get(&archive->by_name, name);

	if (found != NULL)
		return found;
	found = cd_arena_alloc(&archive->arena, sizeof(*found));
	if (found == NULL)
		return NULL;
	found->name = cd_arena_string(&archive->arena, name);
	found->pem.secret = true;
	if (found->name == NULL || cd_vector_add(&archive->list, found) != 0 ||
	    cd_table_put(&archive->by_name, name, found) != 0)
		return NULL;
	return found;
}

static bool write_bag(BIO *bio, const PKCS12_SAFEBAG *bag)
{
	X509 *x509;
	bool written;

	/* Not const in OpenSSL 1.1.1. */
	if (PKCS12_SAFEBAG_get_nid(bag) == NID_keyBag)
		return PEM_write_bio_PKCS8_PRIV_KEY_INFO(
			       bio, (PKCS8_PRIV_KEY_INFO *)(uintptr_t)PKCS12_SAFEBAG_get0_p8inf(bag)) == 1;
	x509 = PKCS12_SAFEBAG_get1_cert(bag);
	written = x509 != NULL && PEM_write_bio_X509(bio, x509) == 1;
	X509_free(x509);
	return written;
}

static int take_bag(struct cd_archive *archive, struct cd_given *given, const PKCS12_SAFEBAG *bag,
		    const char *name)
{
	struct cd_archived *entry = archived(archive, name);
	BIO *bio = entry == NULL ? NULL : BIO_new(BIO_s_secmem());
	char *text = NULL;
	long length;
	int result = 0;

	if (bio == NULL)
		result = cd_fail_memory(given->problems);
	else if (!write_bag(bio, bag))
		result = refuse(given);
	if (result == 0) {
		length = BIO_get_mem_data(bio, &text);
		cd_buffer_add(&entry->pem, text, length < 0 ? 0 : (size_t)length);
		result = entry->pem.failed ? cd_fail_memory(given->problems) : 0;
	}
	BIO_free(bio);
	return result;
}

/* The octets of a secret, still in its bag's DER. */
static bool find_secret(struct cd_der *octets, const unsigned char *der, long length)
{
	const int typed = V_ASN1_CONTEXT_SPECIFIC << 8;
	struct cd_der bag, type, value, secret;

	return cd_der_enter(der, length, &bag) == 0 && cd_der_next(&bag, &type) == V_ASN1_OBJECT &&
	       cd_der_next(&bag, &value) == typed && cd_der_next(&value, &secret) == V_ASN1_SEQUENCE &&
	       cd_der_next(&secret, &type) == V_ASN1_OBJECT && cd_der_next(&secret, &value) == typed &&
	       cd_der_next(&value, octets) == V_ASN1_OCTET_STRING;
}

/* Request and key, as secret_bag() joined them. */
static int split(struct cd_waiting *waiting, struct cd_arena *arena, struct cd_given *given,
		 const struct cd_der *octets)
{
	const char *text = (const char *)octets->at;
	size_t length = (size_t)octets->left;
	struct cd_armour armour;
	struct cd_block block;
	bool is_request;

	cd_armour_open(&armour, text, length);
	is_request = cd_armour_next(&armour, &block) == CD_ARMOUR_BLOCK &&
		     strcmp(block.label, "CERTIFICATE REQUEST") == 0;
	cd_block_free(&block);
	if (!is_request || memchr(text, '\0', length) != NULL)
		return refuse(given);
	/* Its last line ends behind the mark. */
	if (armour.at < armour.end && *armour.at == '\n')
		armour.at++;
	waiting->request = cd_arena_copy(arena, text, (size_t)(armour.at - text));
	waiting->key = cd_arena_copy(arena, armour.at, (size_t)(armour.end - armour.at));
	return waiting->request == NULL || waiting->key == NULL ? cd_fail_memory(given->problems) : 0;
}

static int keep_waiting(struct cd_archive *archive, struct cd_given *given, struct cd_archived *entry,
			const struct cd_der *octets, const ASN1_STRING *id)
{
	struct cd_waiting *waiting = cd_arena_alloc(&archive->arena, sizeof(*waiting));
	int result = waiting == NULL ? cd_fail_memory(given->problems)
				     : split(waiting, &archive->arena, given, octets);

	if (result != 0)
		return result;
	waiting->id = cd_printable(&archive->arena, (const char *)ASN1_STRING_get0_data(id),
				   (size_t)ASN1_STRING_length(id), 100);
	if (waiting->id == NULL || cd_vector_add(&entry->waiting, waiting) != 0)
		result = cd_fail_memory(given->problems);
	return result;
}

static int take_secret(struct cd_archive *archive, struct cd_given *given, const PKCS12_SAFEBAG *bag,
		       const char *name)
{
	const ASN1_TYPE *id = PKCS12_SAFEBAG_get0_attr(bag, NID_localKeyID);
	struct cd_archived *entry = archived(archive, name);
	unsigned char *der = NULL;
	struct cd_der octets;
	/* Not const in OpenSSL 1.1.1. */
	int length = i2d_PKCS12_SAFEBAG((PKCS12_SAFEBAG *)(uintptr_t)bag, &der), result;

	if (entry == NULL || length <= 0)
		result = cd_fail_memory(given->problems);
	else if (!find_secret(&octets, der, length) || id == NULL || id->type != V_ASN1_OCTET_STRING)
		result = refuse(given);
	else
		result = keep_waiting(archive, given, entry, &octets, id->value.octet_string);
	if (length > 0)
		OPENSSL_clear_free(der, (size_t)length);
	return result;
}

static bool is_ours(const PKCS12_SAFEBAG *bag)
{
	int kind = PKCS12_SAFEBAG_get_nid(bag);

	return kind == NID_keyBag || kind == NID_secretBag ||
	       (kind == NID_certBag && PKCS12_SAFEBAG_get_bag_nid(bag) == NID_x509Certificate);
}

/*
 * What was accepted where it came from is accepted here: so whoever made the archive must have known a
 * passphrase. An empty one everybody knows.
 */
static int open_seal(struct cd_given *given, PKCS12 *pkcs12)
{
	int result = PKCS12_mac_present(pkcs12) == 1 ? cd_pkcs12_open(given, pkcs12) : 0;

	if (result == 0 && given->passphrase_length < 1)
		result = cd_given_fail(given, "not-understood",
				       _("the archive of a store must be sealed by a passphrase"));
	return result;
}

static int take_bags(struct cd_archive *archive, struct cd_given *given,
		     const STACK_OF(PKCS12_SAFEBAG) * bags)
{
	int result = 0;

	for (int i = 0; result == 0 && i < sk_PKCS12_SAFEBAG_num(bags); i++) {
		PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, i);
		char *name = PKCS12_get_friendlyname(bag);

		if (!is_ours(bag) || name == NULL)
			result = refuse(given);
		else if (!cd_store_name_is_valid(name))
			result = cd_given_fail(given, "not-understood",
					       _("\"%s\" cannot be a name in the store"),
					       cd_safe(&given->problems->arena, name));
		else if (archive->list.count >= NAMES_LIMIT)
			result = cd_given_fail(given, "too-large", _("there are more than %d certificates"),
					       NAMES_LIMIT);
		else if (PKCS12_SAFEBAG_get_nid(bag) == NID_secretBag)
			result = take_secret(archive, given, bag, name);
		else
			result = take_bag(archive, given, bag, name);
		OPENSSL_free(name);
	}
	return result;
}

static int take_part(struct cd_archive *archive, struct cd_given *given, PKCS7 *part)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	int result = cd_pkcs12_open_part(&bags, given, part);

	if (result == 1)
		result = cd_given_fail(given, "not-understood", "%s", cd_unsupported_text(given));
	if (result == 0)
		result = take_bags(archive, given, bags);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	return result;
}

int cd_archive_read(struct cd_archive *archive, struct cd_problems *problems, const struct cd_piece *piece,
		    const struct cd_load *load)
{
	struct cd_given given = {.arena = &archive->arena, .problems = problems, .load = load};
	const unsigned char *at = (const unsigned char *)piece->bytes;
	STACK_OF(PKCS7) *parts = NULL;
	PKCS12 *pkcs12;
	int result;

	*archive = (struct cd_archive){.arena.secret = true};
	given.place.origin = cd_safe(&problems->arena, piece->origin);
	given.passphrase_length = -1;
	ERR_clear_error();
	pkcs12 = d2i_PKCS12(NULL, &at, (long)piece->length);
	result = pkcs12 == NULL ? refuse(&given) : open_seal(&given, pkcs12);
	if (result == 0) {
		parts = PKCS12_unpack_authsafes(pkcs12);
		result = sk_PKCS7_num(parts) == 1 ? take_part(archive, &given, sk_PKCS7_value(parts, 0))
						  : refuse(&given);
	}
	sk_PKCS7_pop_free(parts, PKCS7_free);
	PKCS12_free(pkcs12);
	cd_given_free(&given);
	ERR_clear_error();
	return result;
}

void cd_archive_free(struct cd_archive *archive)
{
	for (size_t i = 0; i < archive->list.count; i++) {
		struct cd_archived *entry = archive->list.items[i];

		cd_buffer_free(&entry->pem);
		cd_vector_free(&entry->waiting);
	}
	cd_vector_free(&archive->list);
	cd_table_free(&archive->by_name);
	cd_arena_free(&archive->arena);
}
