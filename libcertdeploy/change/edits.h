/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* edits.h - what a plan changes: splices on documents, new files, files that a program makes */
#ifndef CD_EDITS_H
#define CD_EDITS_H

#include "base/table.h"
#include "change/document.h"

/** One file that the plan edits or creates. */
struct cd_file_edit {
	const char *path; /**< as opened */
	const char *real; /**< where it really lies, for people and patch(1); NULL: not asked for */
	const struct certdeploy_document *document; /**< NULL: the file is created */
	struct cd_splice *splices;                  /**< settled once rendered */
	size_t count;
	size_t room;
	char *bytes; /**< the new content, once rendered or given */
	size_t length;
	bool secret;
	const char *service;
};

struct cd_build {
	struct certdeploy_build build; /**< copied */
	const char *service;
};

struct certdeploy_edits {
	struct cd_arena arena;
	struct cd_problems *problems;
	struct cd_vector files;  /**< of struct cd_file_edit */
	struct cd_vector builds; /**< of struct cd_build */
	struct cd_table by_path; /**< path of the document, or of the new file -> struct cd_file_edit */
};

void cd_edits_free(struct certdeploy_edits *edits);

/** Work out every file's new bytes. A file whose bytes stay the same leaves the list. */
int cd_edits_render(struct certdeploy_edits *edits);

#endif
