/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leaf.c - what an installed certificate file says, in short */
#include "certificate/leaf.h"

#include "base/text.h"
#include "certificate/summary.h"

#include <openssl/err.h>

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

int cd_leaf_parse(const struct certdeploy_leaf **out, struct cd_arena *arena, const char *bytes,
		  size_t length)
{
	struct certdeploy_leaf *leaf = cd_arena_alloc(arena, sizeof(*leaf));
	enum cd_armour_result outcome = CD_ARMOUR_BLOCK;
	int result = CERTDEPLOY_EREFUSED;
	struct cd_armour armour;
	struct cd_block block;

	*out = NULL;
	if (leaf == NULL)
		return CERTDEPLOY_ENOMEM;
	cd_armour_open(&armour, bytes, length);
	while (outcome != CD_ARMOUR_END && outcome != CD_ARMOUR_MEMORY) {
		outcome = cd_armour_next(&armour, &block);
		if (outcome == CD_ARMOUR_BLOCK && cd_ends_with(block.label, "CERTIFICATE") &&
		    leaf->certificates++ == 0)
			result = describe(leaf, arena, block.data.bytes, block.data.length);
		cd_block_free(&block);
	}
	if (outcome == CD_ARMOUR_MEMORY)
		result = CERTDEPLOY_ENOMEM;
	if (result == 0)
		*out = leaf;
	ERR_clear_error();
	return result;
}
