/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* document.h - a configuration file's bytes, and how a list of splices changes them */
#ifndef CD_DOCUMENT_H
#define CD_DOCUMENT_H

#include "base/buffer.h"
#include "base/file.h"

#include <certdeploy-adapter.h>

#define CD_DOCUMENT_LIMIT ((size_t)64 << 20)

/** Bytes never change. bytes and head belong to the document, path to whoever made it. */
struct certdeploy_document {
	const char *path;
	const char *bytes; /**< followed by a NUL; NULL: released */
	const char *head;  /**< how a released one begins, where that is a comment; or NULL */
	size_t length;
	size_t held;                 /**< how often it was handed to an adapter and not released */
	struct cd_identity identity; /**< exists false: not from the disk */
};

/** More of a file than this no banner needs. */
#define CD_DOCUMENT_HEAD ((size_t)4096)

void cd_document_free(struct certdeploy_document *document);
/** Let go of the bytes of a document from the disk that nobody holds. */
void cd_document_drop(struct certdeploy_document *document);

/** Replace length bytes at offset by text. */
struct cd_splice {
	size_t offset;
	size_t length;
	const char *text;
	size_t text_length;
	size_t sequence; /**< order of the calls: decides between insertions at one place */
};

/** Sort, drop equal replacements. Returns 0, or CERTDEPLOY_EREFUSED when two overlap. */
int cd_splices_settle(struct cd_splice *splices, size_t *count);

/** Merge settled splices into the bytes. */
void cd_splices_render(struct cd_buffer *out, const char *bytes, size_t length,
		       const struct cd_splice *splices, size_t count);

#endif
