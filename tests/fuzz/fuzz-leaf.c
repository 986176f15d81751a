/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-leaf.c - an installed file of a certificate or a key, whatever it holds */
#include "fuzz.h"

#include "certificate/leaf.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct certdeploy_leaf *leaf = NULL;
	struct cd_arena arena = {0};
	const char *type;
	bool belongs;
	int result = cd_leaf_parse(&leaf, &arena, (const char *)data, size);

	FUZZ_ASSERT(result == 0 || result == CERTDEPLOY_EREFUSED || result == CERTDEPLOY_ENOMEM);
	FUZZ_ASSERT((result == 0) == (leaf != NULL));
	if (leaf != NULL) {
		FUZZ_ASSERT(strlen(leaf->sha256) == 64 && leaf->key_type != NULL && leaf->certificates > 0);
		for (size_t i = 0; leaf->names[i] != NULL; i++)
			FUZZ_ASSERT(strpbrk(leaf->names[i], "\n\r\x1b") == NULL);
	}
	cd_arena_free(&arena);
	result = cd_key_type_parse(&type, (const char *)data, size);
	FUZZ_ASSERT((result == 0) == (type != NULL));
	result = cd_key_belongs(&belongs, (const char *)data, size, (const char *)data, size);
	FUZZ_ASSERT(result == 0 || !belongs);
	return 0;
}
