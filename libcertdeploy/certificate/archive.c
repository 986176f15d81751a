/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* archive.c - a whole store as one PKCS#12 */
#include "certificate/archive.h"

#include "base/text.h"
#include "certificate/material.h"
#include "certificate/store.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#define NAMES_LIMIT 100000

/* ---- writing ---- */

/* Whose it is, for us and for other readers. digest: NULL for a certificate of the chain. */
static bool label(PKCS12_SAFEBAG *bag, const char *name, unsigned char *digest, unsigned size)
{
	return bag != NULL && PKCS12_add_friendlyname_utf8(bag, name, -1) == 1 &&
	       (digest == NULL || PKCS12_add_localkeyid(bag, digest, (int)size) == 1);
}

static bool add_entry(STACK_OF(PKCS12_SAFEBAG) * *bags, const struct cd_archive_entry *entry)
{
	const struct cd_certificate *certificate = entry->certificate;
	const STACK_OF(X509) *chain = certificate->chain;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	if (X509_digest(certificate->x509, EVP_sha1(), digest, &size) != 1 ||
	    !label(PKCS12_add_key(bags, certificate->key, 0, 0, -1, NULL), entry->name, digest, size) ||
	    !label(PKCS12_add_cert(bags, certificate->x509), entry->name, digest, size))
		return false;
	for (int i = 0; i < sk_X509_num(chain); i++)
		if (!label(PKCS12_add_cert(bags, sk_X509_value(chain, i)), entry->name, NULL, 0))
			return false;
	return true;
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

	if (PKCS12_SAFEBAG_get_nid(bag) == NID_keyBag)
		return PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, PKCS12_SAFEBAG_get0_p8inf(bag)) == 1;
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

static bool is_ours(const PKCS12_SAFEBAG *bag)
{
	int kind = PKCS12_SAFEBAG_get_nid(bag);

	return kind == NID_keyBag ||
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
	for (size_t i = 0; i < archive->list.count; i++)
		cd_buffer_free(&((struct cd_archived *)archive->list.items[i])->pem);
	cd_vector_free(&archive->list);
	cd_table_free(&archive->by_name);
	cd_arena_free(&archive->arena);
}
