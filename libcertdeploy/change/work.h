/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* work.h - one transaction under way: what its parts share */
#ifndef CD_WORK_H
#define CD_WORK_H

#include "base/buffer.h"
#include "change/journal.h"
#include "change/state.h"

struct cd_work {
	struct cd_transaction *asked;
	struct cd_problems *problems;
	const struct cd_root *root;
	struct cd_state state;
	struct cd_journal journal;
	const char *where;       /**< the name of its directory in the state directory; NULL: none yet */
	int directory;           /**< that directory; -1: not open */
	struct cd_table by_path; /**< real path -> struct cd_entry */
	struct cd_table directories; /**< new directory, as asked and real -> struct cd_entry */
	struct cd_table parents;     /**< directory as asked -> its real path, once it was found safe */
	struct cd_vector products;   /**< of struct cd_buffer: what builds made */
	int64_t activated_at;        /**< milliseconds of the monotonic clock: the last reload */
	bool switched;               /**< paths outside the state directory may have changed */
	bool force;                  /**< put back also what others have changed since */
	bool only_look;              /**< at places; no file is read */
	char reason[512];            /**< why it is put back */
};

/* entries.c: from changes to entries, with what stands there now. */
int cd_work_collect(struct cd_work *work);
int cd_work_add(struct cd_work *work, const struct cd_change *change);
/** Only look whether all places can be written, and whether there is one for what is staged. */
int cd_work_look(struct cd_work *work);
/** Nothing of what was read has changed since. "changed-since". */
int cd_work_compare(struct cd_work *work);
int cd_entry_compare(struct cd_work *work, const struct cd_entry *entry, int directory, const char *name);

/* backup.c: the originals. */
int cd_backup_originals(struct cd_work *work, struct cd_flush *flush);
/** Add copies beside the originals to the entries. */
int cd_backup_beside(struct cd_work *work);
/** Open an original. -1: errno. */
int cd_backup_open(int directory, const struct cd_entry *entry);

/* build.c: files that a program makes from others. Their content joins the entries. */
int cd_work_build(struct cd_work *work);

/* stage.c: new content beside its target, then in its place. */
/** Whether a server would read what lay there. */
bool cd_work_is_read(const struct cd_work *work, const char *path);
int cd_stage_places(struct cd_work *work);
int cd_stage_all(struct cd_work *work);
int cd_switch_all(struct cd_work *work);
/** Make a file of this content and these attributes under a staged name. Returns 0 or an errno. */
int cd_stage_file(int directory, const char *name, int from, const struct cd_entry *entry,
		  const struct cd_attributes *attributes, bool with_time, struct cd_flush *flush);
/** The same for a symbolic link. */
int cd_stage_link(int directory, const char *name, const char *target,
		  const struct cd_attributes *attributes, bool with_time);
/** Remove what staging made. Returns 0 or an errno; goes on after a failure. */
int cd_stage_clean(struct cd_work *work);
/** The same when all has gone into place: only the directories in which it may have waited are left. */
int cd_stage_clean_holders(struct cd_work *work);
/** Flush every directory in which the entries stand. Returns 0 or an errno; *where: a path in that one, or
 * NULL. */
int cd_flush_directories(struct cd_work *work, const char **where);

/* foreign.c: what somebody has changed since. */
struct cd_foreign {
	size_t count;
	struct cd_buffer texts; /**< of such files */
	bool unread;            /**< one cannot be read */
	struct cd_vector kept;  /**< of struct cd_entry: new things that they name */
	size_t looked;          /**< for them, with so many changed */
};
void cd_foreign_free(struct cd_foreign *foreign);
/** Tell of one, of this kind now. Returns 0 or ENOMEM. */
int cd_foreign_add(struct cd_foreign *foreign, struct cd_work *work, const struct cd_entry *entry,
		   int directory, const char *name, enum cd_side_kind kind);
/** Whether a new thing has to stay because what was changed names it; then that is told. 0 or ENOMEM. */
int cd_foreign_keeps(bool *keeps, struct cd_foreign *foreign, struct cd_work *work,
		     const struct cd_entry *entry);

/* recover.c: the way back. */
/** Put every entry back. 0, or CERTDEPLOY_EBROKEN, recorded; *foreign counts what others changed since. */
int cd_undo(struct cd_work *work, size_t *foreign);
/** Finish or undo what an earlier run left, under the lock. prove: look at the ports after it. */
int cd_recover_leftovers(struct cd_work *work, int *recovered, bool force, bool prove);
/** Rename the transaction's directory within the state directory and flush. Returns 0 or an errno. */
int cd_move_on(struct cd_work *work, const char *where);
/** Move it to the backups. result NULL: committed. Returns 0 or an errno. */
int cd_file_away(struct cd_work *work, const char *result);

/* services.c: the servers in a transaction. */
int cd_services_look(struct cd_work *work);
int cd_services_test(struct cd_work *work);
int cd_services_activate(struct cd_work *work);
/** Restart those that were reloaded and are to be restarted now: their number; negative: one failed. */
int cd_services_restart(struct cd_work *work);
/** None that ran has died since. "reload-failed". */
int cd_services_watch(struct cd_work *work);
/** Make servers that ran run again with the old files. prove: look at the ports too. */
int cd_services_revive(struct cd_work *work, bool prove);

/* history.c: the backups. */
struct cd_backup {
	const char *name; /**< of the directory */
	const char *id;
	const char *result; /**< "committed", "rolled-back", "interrupted", "broken" */
	int64_t time;
	unsigned long number;
};
/** struct cd_backup in the arena, newest first. Returns 0 or an errno. */
int cd_backups_list(struct cd_vector *out, struct cd_arena *arena, int backups);

/* side.c: what stands at a path, and how to call what happened there. */
/** Look at what stands there now, without its attributes. *target is to be freed. 0 or an errno. */
int cd_side_look(struct cd_side *side, char **target, struct cd_identity *identity, int directory,
		 const char *name);
/** target: of the link that now is, or NULL. */
bool cd_side_same(const struct cd_side *now, const char *target, const struct cd_side *side);
bool cd_entry_is_directory(const struct cd_entry *entry);
/** "edited", "created", "replaced", "removed", "restored" */
const char *cd_entry_change(const struct cd_journal *journal, const struct cd_entry *entry);
/** The copies beside originals, by the path of the original. Returns 0 or CERTDEPLOY_ENOMEM. */
int cd_entries_beside(struct cd_table *beside, const struct cd_journal *journal);
/** Where the original's copy lies, in the arena; NULL: there was no file. */
const char *cd_entry_backup(struct cd_arena *arena, const struct cd_table *beside,
			    const struct cd_entry *entry, const char *state, const char *backup);

/* prune.c, audit.c */
void cd_prune_backups(struct cd_state *state, unsigned keep, int64_t before);
/** Go on with what an earlier run began. *begun: there was such. Returns 0 or an errno. */
int cd_prune_finish(struct cd_state *state, bool *begun);
void cd_audit(struct cd_work *work, const char *result);

#endif
