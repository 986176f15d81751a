/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.c - JSON as text of our own */
#include "base/json.h"

#include "base/buffer.h"

static int add(const char *bytes, size_t length, void *user)
{
	struct cd_buffer *out = user;

	cd_buffer_add(out, bytes, length);
	return out->failed ? -1 : 0;
}

char *cd_json_text(const json_t *json, size_t flags)
{
	struct cd_buffer out = {0};

	if (json == NULL || json_dump_callback(json, add, &out, flags) != 0 || out.length == 0) {
		cd_buffer_free(&out);
		return NULL;
	}
	return cd_buffer_take(&out);
}
