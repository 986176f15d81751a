/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.h - what one transaction does to each path, in memory and in its manifest
 *
 *	STATE/lock          held while a run is at work
 *	STATE/build/        private copies for programs, gone before anything else happens
 *	STATE/stage/        being prepared: nothing outside STATE has been touched
 *	STATE/journal/      begun: whatever is found here is put back
 *	STATE/committed/    done: only needs to be filed
 *	STATE/backups/ID    filed: the history
 *	STATE/backups/ID.RESULT  the same, of a run that was put back: rolled-back, interrupted, broken
 *	STATE/prune         names of backups that go; prune.new while it is written, pruned/ holds them
 *	STATE/audit.jsonl   one line a run
 *
 * One directory goes through these names; each step is a rename. In it:
 *
 *	manifest            what was there, what shall be there, who asked, how to control the servers
 *	files/PATH          the originals
 *	reloaded            names of the services whose reload was begun, one a line
 *	diff                what changed, as a unified diff
 *	reason              why it was put back
 */
#ifndef CD_JOURNAL_H
#define CD_JOURNAL_H

#include "base/text.h"
#include "change/attributes.h"
#include "change/disk.h"
#include "change/transaction.h"

#define CD_BUILD "build"
#define CD_STAGE "stage"
#define CD_JOURNAL "journal"
#define CD_COMMITTED "committed"
#define CD_BACKUPS "backups"
#define CD_PRUNE "prune"
#define CD_PRUNE_NEW "prune.new"
#define CD_PRUNED "pruned"
#define CD_FILES "files"
#define CD_MANIFEST "manifest"
#define CD_MANIFEST_MAGIC "certdeploy-manifest 1"
#define CD_MANIFEST_LIMIT ((size_t)256 << 20)
#define CD_RELOADED "reloaded"
#define CD_DIFF "diff"
#define CD_REASON "reason"

enum cd_side_kind {
	CD_SIDE_NOTHING,
	CD_SIDE_FILE,
	CD_SIDE_LINK,
	CD_SIDE_DIRECTORY,
};

/** What a manifest calls them. */
extern const char *const cd_side_kinds[];

/** What stands at a path, before or after. */
struct cd_side {
	enum cd_side_kind kind;
	char digest[CD_SHA256_TEXT]; /**< of a file */
	const char *target;          /**< of a link */
	struct cd_attributes attributes;
};

/** One path in a transaction. Paths are real ones, as seen from inside the root, without links. */
struct cd_entry {
	const char *path;
	const char *asked;  /**< the path in the request, which may lead over links */
	const char *staged; /**< a name of ours for what is to be renamed to path; NULL: inside */
	bool inside;        /**< comes with a new directory above it */
	bool secret;
	const char *service;   /**< or NULL */
	const char *backup_of; /**< of a copy beside an original: the original's path; else NULL */
	struct cd_side before;
	struct cd_side after;
	/* only while the transaction runs */
	const struct cd_entry *top;         /**< of one inside: the directory that it comes with */
	const struct cd_identity *identity; /**< what stood there when it was read; NULL: nothing */
	const char *bytes;                  /**< new content of a file */
	size_t length;
	bool pinned;    /**< marked so that nobody can replace it */
	bool waiting;   /**< it has begun, and this one is not yet in place */
	bool keep_time; /**< the new content gets after.attributes.modified */
	const char *diff;
};

struct cd_journal_service {
	struct cd_control control;
	int was_running;
};

struct cd_journal {
	struct cd_arena arena;
	struct cd_vector entries;  /**< of struct cd_entry, in the order in which they are carried out */
	struct cd_vector holders;  /**< of const char *: directories made only to hold staged files */
	struct cd_vector services; /**< of struct cd_journal_service */
	const char *id;
	int64_t time;
	const char *command;
	const char *who;
	const char *const *certificates;
};

void cd_journal_free(struct cd_journal *journal);

/**
 * Write the manifest into an open directory and flush it. Returns 0 or a code, recorded: also when it
 * would be larger than what is read again.
 */
int cd_journal_write(const struct cd_journal *journal, struct cd_problems *problems, int directory,
		     struct cd_flush *flush);

/**
 * Read a manifest. Returns 0; CERTDEPLOY_EREFUSED "journal-damaged", or "backup-damaged" of a run that is
 * filed; CERTDEPLOY_ENOTFOUND: there is none (recorded as damaged too); CERTDEPLOY_ENOMEM;
 * CERTDEPLOY_EFAILED. name: what to call it in messages.
 */
int cd_journal_read(struct cd_journal *journal, struct cd_problems *problems, int directory,
		    const char *name, bool filed);

#endif
