/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leaf.c - what an installed certificate file says, in short */
#include "certificate/leaf.h"

#include "base/text.h"
#include "certificate/material.h"

#include <openssl/err.h>

static int describe(struct certdeploy_leaf *leaf, struct cd_arena *arena, X509 *x509)
{
	leaf->key_type = cd_key_type(x509);
	leaf->not_before = cd_seconds(X509_get0_notBefore(x509));
	leaf->not_after = cd_seconds(X509_get0_notAfter(x509));
	leaf->self_signed = X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0;
	leaf->client_auth = (X509_get_extension_flags(x509) & EXFLAG_XKUSAGE) == 0 ||
			    (X509_get_extended_key_usage(x509) & XKU_SSL_CLIENT) != 0;
	if (cd_certificate_names(&leaf->names, arena, x509) != 0)
		return CERTDEPLOY_ENOMEM;
	return cd_fingerprints(&leaf->sha256, NULL, arena, x509);
}

int cd_leaf_parse(const struct certdeploy_leaf **out, struct cd_arena *arena, const char *bytes,
		  size_t length)
{
	struct certdeploy_leaf *leaf = cd_arena_alloc(arena, sizeof(*leaf));
	STACK_OF(X509) *found = cd_certificates_in(bytes, length);
	int result = CERTDEPLOY_ENOMEM;

	*out = NULL;
	if (leaf != NULL && found != NULL)
		result = sk_X509_num(found) < 1 ? CERTDEPLOY_EREFUSED
						: describe(leaf, arena, sk_X509_value(found, 0));
	if (result == 0) {
		leaf->certificates = (size_t)sk_X509_num(found);
		*out = leaf;
	}
	sk_X509_pop_free(found, X509_free);
	ERR_clear_error();
	return result;
}
