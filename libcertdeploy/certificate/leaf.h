/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leaf.h - what an installed certificate file says, in short */
#ifndef CD_LEAF_H
#define CD_LEAF_H

#include "base/arena.h"

#include <certdeploy-adapter.h>

/**
 * Describe the first certificate of a PEM file. Keys in it are counted, not looked at.
 * Returns 0, CERTDEPLOY_EREFUSED (no certificate that can be read) or CERTDEPLOY_ENOMEM.
 */
int cd_leaf_parse(const struct certdeploy_leaf **out, struct cd_arena *arena, const char *bytes,
		  size_t length);

/** Whether it is the certificate with this digest, or the file holds that one behind another key. */
bool cd_leaf_is(const struct certdeploy_leaf *leaf, const char *sha256);

/**
 * The type of the first private key in a PEM file, which is not decoded. Returns 0, CERTDEPLOY_EREFUSED (no
 * key, or one whose type only its passphrase tells) or CERTDEPLOY_ENOMEM.
 */
int cd_key_type_parse(const char **type, const char *bytes, size_t length);

/**
 * Whether the first private key of one PEM file is that of the first certificate of another. Returns 0,
 * CERTDEPLOY_EREFUSED (no such key that is not encrypted, no such certificate) or CERTDEPLOY_ENOMEM.
 */
int cd_key_belongs(bool *belongs, const char *key, size_t key_length, const char *certificate,
		   size_t certificate_length);

#endif
