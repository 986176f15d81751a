/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request.h - what given.c, request.c, batch.c and apply.c share: JSON into settings */
#ifndef REQUEST_H
#define REQUEST_H

#include "tool.h"

#include <jansson.h>

/** Open a file or a pipe, without waiting; -1 and errno. */
int open_given(const char *path);
/** Read a descriptor to its end, into memory that the caller wipes and frees. 0 or an errno. */
int read_all(char **out, size_t *length, int fd, size_t limit);
/** The same for the first line, and not a byte behind it. */
int read_line(char **out, size_t *length, int fd, size_t limit);
/** Record that a file could not be read; returns the code that fits the errno. */
int lone_failure(struct tool *tool, int error, const char *file);
/** Parse; wipes and frees the bytes. The caller releases *out, which may be NULL. */
int parse_json(json_t **out, struct tool *tool, char *bytes, size_t length);

/** Each member of an object becomes a setting. */
int take_members(struct tool *tool, json_t *object);
/** A list of objects, one for each certificate. */
int take_batch(struct tool *tool, const json_t *list);
/** Whether the option says something of one certificate. The others hold for the whole run. */
bool is_of_one(const struct option_row *row);
/** The option that a key means: "install_cert", or "cert_file" for the file instead of the material. */
const struct option_row *option_of_key(const struct tool *tool, const char *key, bool *is_content);

#endif
