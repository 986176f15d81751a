/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* changes.h - everything that one transaction puts on the disk */
#ifndef CD_CHANGES_H
#define CD_CHANGES_H

#include "base/file.h"
#include "base/table.h"

struct cd_attributes;
struct cd_xattr;

enum cd_change_kind {
	CD_CHANGE_FILE,      /**< a regular file gets these bytes; made when it is not there */
	CD_CHANGE_LINK,      /**< a symbolic link gets this target; made when it is not there */
	CD_CHANGE_DIRECTORY, /**< a directory is made; nothing happens when it is there */
	CD_CHANGE_REMOVE,    /**< a file, link or directory with all that is in it goes away */
};

struct cd_change {
	enum cd_change_kind kind;
	const char *path;  /**< as seen from inside the root; links on the way are followed */
	const char *bytes; /**< the new content; NULL for a file that a build makes */
	size_t length;
	const char *target; /**< of a link */
	/** What stood there when the plan read it: checked before anything is replaced. */
	struct cd_identity before;
	bool compare; /**< `before` is meant: it must stand so still (exists false: nothing there) */
	mode_t mode;  /**< for what is new; what is replaced keeps its owner, mode, ACL and labels */
	uid_t owner;  /**< for what is new; (uid_t)-1: ours */
	gid_t group;
	/** For what is new, with whom its mode is shared; NULL: nobody. Lives as long as the changes. */
	const struct cd_xattr *acl;
	bool forced; /**< mode, owner and group hold also for what is replaced */
	/** What is put back gets these, also where something stands; NULL: the rules above. */
	const struct cd_attributes *attributes;
	bool secret;         /**< key material: never wider than 0640, never shown */
	const char *service; /**< whose file it is, or NULL: the store's */
	const char *diff;    /**< unified diff of this change for the backup, or NULL */
};

/** A file that a program makes from another: see struct certdeploy_build. */
struct cd_change_build {
	const char *source; /**< path of the change, or of the file, it is made from */
	const char *input;  /**< the bytes to give the program; NULL: the source's new bytes */
	size_t input_length;
	const char *const *argv; /**< "%s": the private copy */
	const char *const *environment;
	const char *product; /**< path that the product goes to; suffix is what it has beyond source */
	const char *suffix;
	bool secret;
	const char *service;
};

/** In the order in which they are carried out; a directory stands before what is in it. */
struct cd_changes {
	struct cd_arena arena;
	struct cd_vector list;   /**< of struct cd_change */
	struct cd_vector builds; /**< of struct cd_change_build */
	struct cd_table by_path; /**< path -> struct cd_change */
};

void cd_changes_free(struct cd_changes *changes);

/**
 * Add one; the structure and its strings are copied, bytes are borrowed. A second change of one path
 * with equal content is dropped, another is refused ("conflicting-edits").
 */
int cd_changes_add(struct cd_changes *changes, struct cd_problems *problems,
		   const struct cd_change *change);
int cd_changes_add_build(struct cd_changes *changes, struct cd_problems *problems,
			 const struct cd_change_build *build);

#endif
