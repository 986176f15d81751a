/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buffer.c - growing bytes */
#include "base/buffer.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void release(char *bytes, size_t length, bool secret)
{
	if (bytes != NULL && secret)
		OPENSSL_cleanse(bytes, length);
	free(bytes);
}

static bool reserve(struct cd_buffer *buffer, size_t more)
{
	size_t room = buffer->room == 0 ? 256 : buffer->room;
	char *bytes;

	if (!buffer->failed && more < buffer->room - buffer->length)
		return true;
	if (buffer->failed || more > SIZE_MAX / 4 || buffer->length > SIZE_MAX / 4) {
		buffer->failed = true;
		return false;
	}
	while (room < buffer->length + more + 1)
		room *= 2;
	/* Not realloc(): it would leave a copy of a secret behind. */
	bytes = malloc(room);
	if (bytes == NULL) {
		buffer->failed = true;
		return false;
	}
	if (buffer->length != 0)
		memcpy(bytes, buffer->bytes, buffer->length);
	release(buffer->bytes, buffer->room, buffer->secret);
	buffer->bytes = bytes;
	buffer->room = room;
	return true;
}

void cd_buffer_add(struct cd_buffer *buffer, const void *bytes, size_t length)
{
	if (!reserve(buffer, length))
		return;
	if (length != 0)
		memcpy(buffer->bytes + buffer->length, bytes, length);
	buffer->length += length;
	buffer->bytes[buffer->length] = '\0';
}

void cd_buffer_string(struct cd_buffer *buffer, const char *string)
{
	cd_buffer_add(buffer, string, strlen(string));
}

void cd_buffer_format(struct cd_buffer *buffer, const char *format, ...)
{
	va_list arguments, again;
	int length;

	va_start(arguments, format);
	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		buffer->failed = true;
	else if (reserve(buffer, (size_t)length)) {
		(void)vsnprintf(buffer->bytes + buffer->length, (size_t)length + 1, format, arguments);
		buffer->length += (size_t)length;
	}
	va_end(arguments);
}

const char *cd_buffer_text(const struct cd_buffer *buffer)
{
	return buffer->bytes == NULL ? "" : buffer->bytes;
}

char *cd_buffer_take(struct cd_buffer *buffer)
{
	char *bytes = NULL;

	if (reserve(buffer, 0)) {
		bytes = buffer->bytes;
		bytes[buffer->length] = '\0';
		buffer->bytes = NULL;
	}
	cd_buffer_free(buffer);
	return bytes;
}

void cd_buffer_free(struct cd_buffer *buffer)
{
	release(buffer->bytes, buffer->room, buffer->secret);
	*buffer = (struct cd_buffer){.secret = buffer->secret};
}
