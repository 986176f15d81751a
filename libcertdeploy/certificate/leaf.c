/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leaf.c - what an installed certificate file says, in short */
#include "certificate/leaf.h"

#include "base/text.h"
#include "certificate/summary.h"

#include <openssl/err.h>
#include <string.h>

static bool serves_clients(const struct cd_summary *summary)
{
	EXTENDED_KEY_USAGE *usages = X509V3_get_d2i(summary->extensions, NID_ext_key_usage, NULL, NULL);
	bool found = usages == NULL;

	for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++)
		found = found || OBJ_obj2nid(sk_ASN1_OBJECT_value(usages, i)) == NID_client_auth;
	EXTENDED_KEY_USAGE_free(usages);
	return found;
}

static int describe(struct certdeploy_leaf *leaf, struct cd_arena *arena, const void *der, size_t length)
{
	struct cd_summary summary;
	int result = cd_summary_read(&summary, der, length);

	if (result != 0)
		return result;
	leaf->key_type = summary.key_type;
	leaf->not_before = summary.not_before;
	leaf->not_after = summary.not_after;
	leaf->self_signed = summary.self_issued;
	leaf->client_auth = serves_clients(&summary);
	leaf->sha256 = cd_sha256_text(arena, summary.der, summary.length);
	result = cd_summary_names(&leaf->names, arena, &summary);
	cd_summary_free(&summary);
	return leaf->sha256 == NULL ? CERTDEPLOY_ENOMEM : result;
}

/* Where a key was the last thing before it, a later certificate is no issuer of the first. */
static int take_block(struct certdeploy_leaf *leaf, struct cd_arena *arena, struct cd_vector *others,
		      const struct cd_block *block, bool *behind_key)
{
	bool other = *behind_key && leaf->certificates != 0;
	const char *sha256;

	if (cd_ends_with(block->label, "PRIVATE KEY")) {
		leaf->keys++;
		*behind_key = true;
		return 0;
	}
	if (!cd_ends_with(block->label, "CERTIFICATE"))
		return 0;
	*behind_key = false;
	if (leaf->certificates++ == 0)
		return describe(leaf, arena, block->data.bytes, block->data.length);
	sha256 = other ? cd_sha256_text(arena, block->data.bytes, block->data.length) : NULL;
	return other && (sha256 == NULL || cd_vector_add(others, sha256) != 0) ? CERTDEPLOY_ENOMEM : 0;
}

int cd_leaf_parse(const struct certdeploy_leaf **out, struct cd_arena *arena, const char *bytes,
		  size_t length)
{
	struct certdeploy_leaf *leaf = cd_arena_alloc(arena, sizeof(*leaf));
	enum cd_armour_result outcome = CD_ARMOUR_BLOCK;
	struct cd_vector others = {0};
	bool behind_key = false;
	struct cd_armour armour;
	struct cd_block block;
	int result = 0;

	*out = NULL;
	if (leaf == NULL)
		return CERTDEPLOY_ENOMEM;
	/* What our caller left in the queue is no shortage of ours. */
	ERR_clear_error();
	cd_armour_open(&armour, bytes, length);
	while (outcome != CD_ARMOUR_END && outcome != CD_ARMOUR_MEMORY) {
		outcome = cd_armour_next(&armour, &block);
		if (outcome == CD_ARMOUR_BLOCK && result == 0)
			result = take_block(leaf, arena, &others, &block, &behind_key);
		cd_block_free(&block);
	}
	if (result == 0 && leaf->certificates == 0)
		result = CERTDEPLOY_EREFUSED;
	if (result == 0 && others.count != 0) {
		leaf->others = cd_arena_list(arena, (const char *const *)others.items);
		result = leaf->others == NULL ? CERTDEPLOY_ENOMEM : 0;
	}
	cd_vector_free(&others);
	/* A list of usages that there was no memory for would mean that all are allowed. */
	if (cd_was_short_of_memory() || outcome == CD_ARMOUR_MEMORY)
		result = CERTDEPLOY_ENOMEM;
	if (result == 0)
		*out = leaf;
	return result;
}

bool cd_leaf_is(const struct certdeploy_leaf *leaf, const char *sha256)
{
	return strcmp(leaf->sha256, sha256) == 0 || cd_in_list(leaf->others, sha256);
}

static const char *type_in_info(const struct cd_block *block)
{
	const unsigned char *at = (const unsigned char *)block->data.bytes;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)block->data.length);
	const ASN1_OBJECT *algorithm = NULL;
	const char *type = NULL;

	if (info != NULL && PKCS8_pkey_get0(&algorithm, NULL, NULL, NULL, info) == 1)
		type = cd_key_type_named(OBJ_obj2nid(algorithm));
	PKCS8_PRIV_KEY_INFO_free(info);
	return type;
}

/* The old forms have their type in the label, also where the key is encrypted. */
static const char *type_of_key(const struct cd_block *block)
{
	if (strcmp(block->label, "PRIVATE KEY") == 0)
		return type_in_info(block);
	if (strcmp(block->label, "RSA PRIVATE KEY") == 0)
		return cd_key_type_named(EVP_PKEY_RSA);
	return strcmp(block->label, "EC PRIVATE KEY") == 0 ? cd_key_type_named(EVP_PKEY_EC) : NULL;
}

int cd_key_type_parse(const char **type, const char *bytes, size_t length)
{
	enum cd_armour_result outcome = CD_ARMOUR_BLOCK;
	struct cd_armour armour;
	struct cd_block block;
	bool found = false, short_of_memory;

	*type = NULL;
	ERR_clear_error();
	cd_armour_open(&armour, bytes, length);
	while (!found && outcome != CD_ARMOUR_END && outcome != CD_ARMOUR_MEMORY) {
		outcome = cd_armour_next(&armour, &block);
		found = outcome == CD_ARMOUR_BLOCK && cd_ends_with(block.label, "PRIVATE KEY");
		if (found)
			*type = type_of_key(&block);
		cd_block_free(&block);
	}
	short_of_memory = cd_was_short_of_memory() || outcome == CD_ARMOUR_MEMORY;
	if (*type == NULL && short_of_memory)
		return CERTDEPLOY_ENOMEM;
	return *type == NULL ? CERTDEPLOY_EREFUSED : 0;
}

int cd_key_belongs(bool *belongs, const char *key, size_t key_length, const char *certificate,
		   size_t certificate_length)
{
	const struct cd_load load = {0};
	struct cd_arena arena = {.secret = true};
	struct cd_problems ignored = {0};
	struct cd_given given = {.arena = &arena, .problems = &ignored, .load = &load};
	STACK_OF(X509) *certificates = NULL;
	X509 *leaf;
	EVP_PKEY *pkey;
	bool encrypted;
	int result = CERTDEPLOY_EREFUSED;

	*belongs = false;
	ERR_clear_error();
	certificates = cd_certificates_in(certificate, certificate_length);
	leaf = certificates == NULL ? NULL : sk_X509_value(certificates, 0);
	pkey = cd_key_in(&encrypted, &given, key, key_length);
	if (pkey != NULL && leaf != NULL && cd_public_key_fault(X509_get_X509_PUBKEY(leaf)) == NULL)
		result = cd_key_fits(belongs, pkey, leaf);
	if (cd_was_short_of_memory() || ignored.out_of_memory)
		result = CERTDEPLOY_ENOMEM;
	sk_X509_pop_free(certificates, X509_free);
	cd_given_free(&given);
	cd_problems_free(&ignored);
	cd_arena_free(&arena);
	return result;
}
