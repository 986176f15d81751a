/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host.h - what one run sees of the host: each file, directory and answer once */
#ifndef CD_HOST_H
#define CD_HOST_H

#include "base/file.h"
#include "base/table.h"

#include <certdeploy-adapter.h>

struct cd_host {
	struct cd_root root;
	struct cd_problems *problems;
	const char *const *accepted; /**< codes of problems that may pass; NULL: none */
	struct cd_arena arena;
	struct cd_table documents;   /**< path -> struct certdeploy_document */
	struct cd_table by_inode;    /**< device and inode -> struct certdeploy_document */
	struct cd_vector owned;      /**< every document once */
	struct cd_table directories; /**< path -> names */
	struct cd_table leaves;      /**< path -> struct cd_leaf_answer */
	struct cd_table answers;     /**< argv joined -> struct cd_answer */
	struct cd_table addresses;   /**< host name -> NULL-terminated list of numeric addresses */
};

/** problems is borrowed and outlives the host. root_path NULL: the host itself. */
int cd_host_open(struct cd_host *host, struct cd_problems *problems, const char *root_path);
void cd_host_close(struct cd_host *host);

/** As certdeploy_read(), from the disk; nobody holds it for that. */
int cd_host_document(struct certdeploy_document **out, struct cd_host *host, const char *path);
int cd_host_directory(const char *const **names, struct cd_host *host, const char *path);
enum certdeploy_file_type cd_host_file_type(struct cd_host *host, const char *path);
bool cd_host_is_link(struct cd_host *host, const char *path);
bool cd_host_is_exposed(struct cd_host *host, const char *path);
int cd_host_leaf(const struct certdeploy_leaf **out, struct cd_host *host, const char *path);
/**
 * The bytes of a small file that may hold a key. The caller wipes and frees them. Returns 0, or nothing
 * recorded: CERTDEPLOY_ENOTFOUND, CERTDEPLOY_EPERMISSION, CERTDEPLOY_EREFUSED.
 */
int cd_host_bytes(char **bytes, size_t *length, struct cd_host *host, const char *path);
int cd_host_key_type(const char **type, struct cd_host *host, const char *path);
int cd_host_resolve(const char *const **out, struct cd_host *host, const char *name);
int cd_host_ask(const char **text, struct cd_host *host, const char *const *argv,
		const char *const *environment);

#endif
