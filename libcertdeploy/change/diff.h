/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* diff.h - a unified diff of an edited file, from the splices that edit it */
#ifndef CD_DIFF_H
#define CD_DIFF_H

#include "change/edits.h"

/**
 * Append the diff of one rendered edit, with a/ and b/ headers and three lines of context. A secret
 * file is named but its lines are not shown. Linear in the file's size.
 */
void cd_diff_add(struct cd_buffer *out, const struct cd_file_edit *file);

#endif
