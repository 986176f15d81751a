/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buffer.h - growing bytes */
#ifndef CD_BUFFER_H
#define CD_BUFFER_H

#include <certdeploy.h>
#include <stdarg.h>

/**
 * All zero is an empty buffer. A failure is remembered, so a caller writes everything and looks at
 * `failed` once. The bytes are always followed by a NUL.
 */
struct cd_buffer {
	char *bytes; /**< NULL while empty */
	size_t length;
	size_t room;
	bool failed;
	bool secret; /**< wipe when it grows or ends */
};

void cd_buffer_add(struct cd_buffer *buffer, const void *bytes, size_t length);
void cd_buffer_string(struct cd_buffer *buffer, const char *string);
void cd_buffer_format(struct cd_buffer *buffer, const char *format, ...) CERTDEPLOY_PRINTF(2, 3);
/** The text, never NULL; belongs to the buffer. */
const char *cd_buffer_text(const struct cd_buffer *buffer);
/** Hand the bytes over: the caller frees them. NULL when the buffer failed. Empties the buffer. */
char *cd_buffer_take(struct cd_buffer *buffer);
void cd_buffer_free(struct cd_buffer *buffer);

#endif
