/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * transaction.c - carry changes out as a whole, or put everything back
 *
 * The order is what makes it safe, and each step's barrier comes before the next step:
 *
 *	lock, finish what an earlier run left
 *	look at every path, build what programs make
 *	copy the originals, write the manifest          in STATE/stage
 *	begin: rename STATE/stage to STATE/journal
 *	stage the new content beside its targets
 *	look again, then rename all into place
 *	test, reload, look at the ports
 *	commit: rename STATE/journal to STATE/committed
 *	file it under STATE/backups
 *
 * Until it begins nothing outside the state directory is touched. From then until it commits, any
 * failure, and the next run after a kill, puts everything back from the manifest.
 */
#include "change/transaction.h"

#include "change/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void cd_transaction_free(struct cd_transaction *transaction)
{
	cd_vector_free(&transaction->files);
}

static void work_init(struct cd_work *work, struct cd_transaction *asked)
{
	*work = (struct cd_work){
		.asked = asked,
		.problems = asked->problems,
		.root = asked->root,
		.directory = -1,
		.state = {.directory = -1, .lock = -1},
	};
}

static void work_end(struct cd_work *work)
{
	for (size_t i = 0; i < work->products.count; i++)
		cd_buffer_free(work->products.items[i]);
	cd_vector_free(&work->products);
	cd_table_free(&work->by_path);
	cd_table_free(&work->directories);
	cd_table_free(&work->parents);
	cd_journal_free(&work->journal);
	if (work->directory != -1)
		(void)close(work->directory);
	cd_state_close(&work->state);
}

static int may_go_on(struct cd_work *work, const char *what)
{
	struct cd_transaction *asked = work->asked;

	if (asked->progress == NULL || asked->progress(asked->user, what, 0, 0) == 0)
		return 0;
	return cd_fail(work->problems, CERTDEPLOY_ECANCELLED, "cancelled", NULL, 0,
		       _("cancelled by the caller"));
}

static int open_and_lock(struct cd_work *work)
{
	struct cd_transaction *asked = work->asked;
	int result = cd_check_path(work->problems, asked->state_directory);

	if (result == 0)
		result = cd_state_open(&work->state, work->problems, work->root, asked->state_directory,
				       true);
	if (result == 0)
		result = cd_state_lock(&work->state, asked->wait, asked->progress, asked->user);
	return result;
}

/* ---- naming ---- */

/*
 * The second and the number in it that name a run: after those of all that are kept, for the order of the
 * names is that of the runs. A clock that goes back changes it as little as a number that pruning has set
 * free.
 */
static int next_name(int64_t *second, unsigned long *number, struct cd_work *work, int backups)
{
	struct cd_vector list = {0};
	int error = cd_backups_list(&list, &work->journal.arena, backups);
	const struct cd_backup *newest = error == 0 && list.count != 0 ? list.items[0] : NULL;
	bool behind = newest != NULL && newest->time >= work->journal.time;

	*second = behind ? newest->time : work->journal.time;
	*number = behind ? newest->number + 1 : 1;
	cd_vector_free(&list);
	return error == 0 ? 0
			  : cd_fail_errno(work->problems, error, work->state.path,
					  _("cannot read the backups"));
}

/* The record is made beside them and renamed in the end: where that cannot be, it would lie in the way. */
static int open_backups(int *backups, struct cd_work *work)
{
	const char *path;

	*backups = cd_disk_make_directory(work->state.directory, CD_BACKUPS, 0700);
	if (*backups == -1)
		return cd_fail_errno(work->problems, errno, work->state.path, _("cannot open the backups"));
	if (cd_disk_same_mount(work->state.directory, *backups))
		return 0;
	(void)close(*backups);
	path = cd_arena_format(&work->problems->arena, "%s/" CD_BACKUPS, work->state.path);
	return cd_fail(work->problems, CERTDEPLOY_EREFUSED, "mounted", path, 0,
		       _("the backups are on another file system than the state directory"));
}

static int name_it(struct cd_work *work)
{
	struct cd_transaction *asked = work->asked;
	struct cd_arena *arena = &work->journal.arena;
	unsigned long number;
	char stamp[17];
	int64_t second;
	int backups, result = open_backups(&backups, work);

	if (result != 0)
		return result;
	work->journal.time = (int64_t)time(NULL);
	result = next_name(&second, &number, work, backups);
	(void)close(backups);
	if (result != 0)
		return result;
	cd_utc_compact(stamp, second);
	(void)snprintf(asked->id, sizeof(asked->id), "%s-%lu", stamp, number);
	work->journal.id = cd_arena_string(arena, asked->id);
	work->journal.command = cd_arena_string(arena, asked->command == NULL ? "" : asked->command);
	work->journal.who = cd_who(arena);
	work->journal.certificates = cd_arena_list(arena, asked->certificates);
	if (work->journal.id == NULL || work->journal.command == NULL || work->journal.who == NULL ||
	    (asked->certificates != NULL && work->journal.certificates == NULL))
		return cd_fail_memory(work->problems);
	return 0;
}

/* ---- until it begins ---- */

static int open_stage(struct cd_work *work)
{
	work->directory = cd_disk_make_directory(work->state.directory, CD_STAGE, 0700);
	if (work->directory == -1)
		return cd_fail_errno(work->problems, errno, work->state.path, _("cannot begin"));
	work->where = CD_STAGE;
	return 0;
}

static size_t count_originals(const struct cd_work *work)
{
	size_t count = 0;

	for (size_t i = 0; i < work->journal.entries.count; i++) {
		const struct cd_entry *entry = work->journal.entries.items[i];

		count += entry->before.kind == CD_SIDE_FILE ? 1 : 0;
	}
	return count;
}

static int write_diff(struct cd_work *work, struct cd_flush *flush)
{
	struct cd_buffer diff = {0};
	int error;

	for (size_t i = 0; i < work->journal.entries.count; i++) {
		const struct cd_entry *entry = work->journal.entries.items[i];

		if (entry->diff != NULL && !entry->secret)
			cd_buffer_string(&diff, entry->diff);
	}
	error = diff.failed
			? ENOMEM
			: cd_disk_put(work->directory, CD_DIFF, cd_buffer_text(&diff), diff.length, flush);
	cd_buffer_free(&diff);
	return error == 0 ? 0
			  : cd_fail_errno(work->problems, error, work->state.path,
					  _("cannot write the journal"));
}

/* Made beforehand: noting a reload then only appends. */
static int make_reload_notes(struct cd_work *work, struct cd_flush *flush)
{
	int error = cd_disk_put(work->directory, CD_RELOADED, "", 0, flush);

	return error == 0 ? 0
			  : cd_fail_errno(work->problems, error, work->state.path,
					  _("cannot write the journal"));
}

/* The record of all that is going to be done, and what it takes to undo that. */
static int write_record(struct cd_work *work)
{
	struct cd_flush flush;
	int result, error, late;

	cd_flush_begin(&flush, count_originals(work));
	result = cd_backup_originals(work, &flush);
	if (result == 0)
		result = write_diff(work, &flush);
	if (result == 0)
		result = make_reload_notes(work, &flush);
	if (result == 0)
		result = cd_journal_write(&work->journal, work->problems, work->directory, &flush);
	error = result == 0 ? cd_flush_add(&flush, work->directory, NULL) : 0;
	late = cd_flush_barrier(&flush);
	error = error != 0 ? error : late;
	if (result == 0 && error != 0)
		result = cd_fail_errno(work->problems, error, work->state.path,
				       _("cannot flush the journal"));
	return result;
}

static int prepare(struct cd_work *work)
{
	int result = may_go_on(work, _("preparing"));

	if (result == 0)
		result = cd_work_build(work);
	if (result == 0)
		result = open_stage(work);
	if (result == 0 && work->asked->backup_beside)
		result = cd_backup_beside(work);
	if (result == 0)
		result = cd_stage_places(work);
	return result == 0 ? write_record(work) : result;
}

/* ---- from the beginning to the end ---- */

static int begin(struct cd_work *work)
{
	int error;

	for (size_t i = 0; i < work->journal.entries.count; i++) {
		struct cd_entry *entry = work->journal.entries.items[i];

		entry->waiting = !entry->inside;
	}
	error = cd_move_on(work, CD_JOURNAL);

	return error == 0 ? 0 : cd_fail_errno(work->problems, error, work->state.path, _("cannot begin"));
}

/* Some may need a restart to take what a reload did not give them: then they are looked at once more. */
static int prove_restarted(struct cd_work *work, size_t from)
{
	int restarted = cd_services_restart(work);

	if (restarted <= 0)
		return restarted == 0 ? CERTDEPLOY_EFAILED : restarted;
	cd_problems_soften(work->problems, from);
	return work->asked->prove(work->asked->user);
}

static int prove(struct cd_work *work)
{
	struct cd_transaction *asked = work->asked;
	size_t from = work->problems->list.count;
	int result;

	if (asked->prove == NULL || !asked->reload || !work->root->live)
		return 0;
	result = may_go_on(work, _("looking at the ports"));
	if (result == 0)
		result = asked->prove(asked->user);
	if (result == CERTDEPLOY_EFAILED)
		result = prove_restarted(work, from);
	for (size_t i = 0; result == 0 && i < asked->service_count; i++)
		if (strcmp(asked->services[i].state, "reloaded") == 0)
			asked->services[i].state = "verified";
	return result;
}

static int carry_out(struct cd_work *work)
{
	int result = cd_stage_all(work);

	if (result == 0)
		result = cd_work_compare(work);
	if (result == 0)
		result = cd_switch_all(work);
	if (result == 0)
		result = cd_services_test(work);
	if (result == 0)
		result = cd_services_activate(work);
	if (result == 0)
		result = prove(work);
	if (result == 0)
		result = cd_services_watch(work);
	return result;
}

/*
 * The rename decides. When its flush fails it is taken back, for it may not last; when that fails
 * too, it stands: the files are the new ones, and the next run finds the record of it.
 */
static int commit(struct cd_work *work)
{
	int error = cd_move_on(work, CD_COMMITTED);

	if (error == 0)
		return 0;
	if (strcmp(work->where, CD_COMMITTED) == 0) {
		int back = cd_disk_rename_new(work->state.directory, CD_COMMITTED, work->state.directory,
					      CD_JOURNAL);

		if (back != 0) {
			cd_problem(work->problems, CERTDEPLOY_WARNING, "io-error", work->state.path, 0,
				   _("the record of this run may not survive a power failure"));
			return 0;
		}
		work->where = CD_JOURNAL;
	}
	return cd_fail_errno(work->problems, error, work->state.path, _("cannot commit"));
}

static void finish(struct cd_work *work)
{
	int error = cd_stage_clean_holders(work);

	if (error == 0)
		error = cd_file_away(work, NULL);
	if (error != 0)
		cd_problem(work->problems, CERTDEPLOY_WARNING, "io-error", work->state.path, 0,
			   _("the run is done but could not be filed; the next run will do it"));
	else if (work->asked->keep != 0)
		cd_prune_backups(&work->state, work->asked->keep, INT64_MAX);
}

/* ---- the way back ---- */

static void keep_reason(struct cd_work *work, size_t from)
{
	const struct certdeploy_problem *problem = cd_problems_error(work->problems, from);

	if (problem != NULL)
		(void)snprintf(work->reason, sizeof(work->reason), "%s: %s", problem->code,
			       problem->message);
}

static void discard(struct cd_work *work)
{
	/* What stays is removed by the next run. */
	(void)cd_disk_remove(work->state.directory, CD_BUILD);
	if (work->where == NULL)
		return;
	/* A journal goes as a whole: half of one is taken for damage. */
	if (strcmp(work->where, CD_STAGE) == 0 || cd_move_on(work, CD_STAGE) == 0)
		(void)cd_disk_remove(work->state.directory, CD_STAGE);
	work->where = NULL;
}

static int put_back(struct cd_work *work, int cause)
{
	size_t foreign = 0;
	int result = cd_undo(work, &foreign), error;

	if (result != 0)
		return result;
	if (work->switched)
		result = cd_services_revive(work, true);
	if (foreign == 0)
		(void)cd_disk_remove(work->directory, CD_FILES);
	(void)cd_disk_put(work->directory, CD_REASON, work->reason, strlen(work->reason), NULL);
	error = work->switched ? cd_file_away(work, foreign == 0 ? "rolled-back" : "broken") : 0;
	if (!work->switched)
		discard(work);
	if (error != 0)
		cd_problem(work->problems, CERTDEPLOY_WARNING, "io-error", work->state.path, 0,
			   _("everything is as before, but the record could not be filed"));
	if (result != 0 || foreign != 0)
		return CERTDEPLOY_EBROKEN;
	if (!work->switched || cause == CERTDEPLOY_ENOMEM || cause == CERTDEPLOY_ECANCELLED)
		return cause;
	return CERTDEPLOY_EROLLEDBACK;
}

static int transact(struct cd_work *work)
{
	size_t problems = work->problems->list.count;
	int result = prepare(work);

	if (result != 0) {
		discard(work);
		return result;
	}
	result = begin(work);
	if (result == 0)
		result = carry_out(work);
	if (result == 0)
		result = commit(work);
	if (result == 0) {
		finish(work);
		return 0;
	}
	keep_reason(work, problems);
	if (strcmp(work->where, CD_STAGE) == 0) {
		discard(work);
		return result;
	}
	return put_back(work, result);
}

/* ---- what was done ---- */

static int report_entry(struct cd_work *work, const struct cd_entry *entry, const struct cd_table *beside)
{
	struct cd_arena *arena = &work->problems->arena;
	struct certdeploy_file_report *line = cd_arena_alloc(arena, sizeof(*line));

	if (line == NULL)
		return CERTDEPLOY_ENOMEM;
	line->path = cd_arena_string(arena, entry->path);
	line->change = cd_entry_change(&work->journal, entry);
	line->service = cd_arena_string(arena, entry->service);
	line->backup = cd_entry_backup(arena, beside, entry, work->state.path, work->journal.id);
	return line->path == NULL ? CERTDEPLOY_ENOMEM : cd_vector_add(&work->asked->files, line);
}

static int report(struct cd_work *work)
{
	struct cd_table beside = {0};
	int result = cd_entries_beside(&beside, &work->journal);

	for (size_t i = 0; result == 0 && i < work->journal.entries.count; i++) {
		const struct cd_entry *entry = work->journal.entries.items[i];

		if (entry->backup_of == NULL && !cd_entry_is_directory(entry))
			result = report_entry(work, entry, &beside);
	}
	cd_table_free(&beside);
	return result == 0 ? 0 : cd_fail_memory(work->problems);
}

static const char *word_for(int result)
{
	return result == 0                        ? "committed"
	       : result == CERTDEPLOY_EROLLEDBACK ? "rolled-back"
	       : result == CERTDEPLOY_EBROKEN     ? "broken"
						  : "failed";
}

/* What was planned does not fit any more, and nothing was done about it. */
static bool is_stale(const struct cd_work *work, size_t problems, int result)
{
	const struct certdeploy_problem *error = cd_problems_error(work->problems, problems);

	return result == CERTDEPLOY_EREFUSED && strcmp(error->code, "changed-since") == 0;
}

/* Begin on what is there already; returns CERTDEPLOY_ENOTFOUND where no state directory is. */
static int work_open(struct cd_work *work, struct cd_transaction *transaction)
{
	int result;

	work_init(work, transaction);
	result = cd_check_path(work->problems, transaction->state_directory);
	return result != 0 ? result
			   : cd_state_open(&work->state, work->problems, work->root,
					   transaction->state_directory, false);
}

int cd_transaction_look(struct cd_transaction *transaction)
{
	struct cd_work work;
	int result;

	result = work_open(&work, transaction);
	/* What is not there will be made. */
	if (result == 0 || result == CERTDEPLOY_ENOTFOUND)
		result = cd_work_look(&work);
	work_end(&work);
	return result;
}

int cd_transaction_run(struct cd_transaction *transaction)
{
	struct cd_work work;
	size_t problems = transaction->problems->list.count;
	bool is_kept = false;
	int recovered, result;

	work_init(&work, transaction);
	transaction->id[0] = '\0';
	result = open_and_lock(&work);
	if (result == 0)
		result = cd_recover_leftovers(&work, &recovered, false, false);
	if (result == 0)
		result = name_it(&work);
	if (result == 0)
		result = cd_work_collect(&work);
	if (result == 0)
		result = cd_services_look(&work);
	if (result == 0 &&
	    work.journal.entries.count + transaction->service_count +
			    (transaction->changes == NULL ? 0 : transaction->changes->builds.count) !=
		    0) {
		result = transact(&work);
		if (result == 0)
			(void)report(&work);
		cd_audit(&work, word_for(result));
		is_kept = result == 0 || result == CERTDEPLOY_EBROKEN || work.switched;
	}
	if (!is_kept)
		transaction->id[0] = '\0';
	transaction->stale = is_stale(&work, problems, result);
	work_end(&work);
	return result;
}

bool cd_transaction_is_interrupted(const struct cd_root *root, const char *state_directory)
{
	static const char *const left[] = {CD_BUILD, CD_STAGE,     CD_JOURNAL, CD_COMMITTED,
					   CD_PRUNE, CD_PRUNE_NEW, CD_PRUNED};
	struct cd_problems ignored = {0};
	struct cd_state state;
	bool interrupted = false;

	if (cd_state_open(&state, &ignored, root, state_directory, false) == 0) {
		for (size_t i = 0; i < sizeof(left) / sizeof(left[0]) && !interrupted; i++)
			interrupted = cd_state_has(&state, left[i]);
		interrupted = interrupted && !cd_state_is_locked(&state);
		cd_state_close(&state);
	}
	cd_problems_free(&ignored);
	return interrupted;
}

int cd_transaction_await(struct cd_transaction *transaction)
{
	size_t problems = transaction->problems->list.count;
	struct cd_work work;
	int result = work_open(&work, transaction);

	if (result == 0) {
		result = cd_state_await(&work.state, transaction->wait, transaction->progress,
					transaction->user);
	} else if (result != CERTDEPLOY_ENOMEM) {
		/* Whoever needs the directory is told why it cannot be used. */
		transaction->problems->list.count = problems;
		result = 0;
	}
	work_end(&work);
	return result;
}

int64_t cd_transaction_moment(const struct cd_root *root, const char *state_directory)
{
	struct cd_problems ignored = {0};
	struct cd_state state;
	struct stat status;
	int64_t moment = 0;

	if (cd_state_open(&state, &ignored, root, state_directory, false) == 0) {
		if (fstatat(state.directory, CD_BACKUPS, &status, AT_SYMLINK_NOFOLLOW) == 0)
			moment = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
		moment = cd_state_is_locked(&state) ? -1 : moment;
		cd_state_close(&state);
	}
	cd_problems_free(&ignored);
	return moment;
}

int cd_transaction_recover(int *recovered, struct cd_transaction *transaction, bool force)
{
	struct cd_work work;
	int result;

	*recovered = 0;
	result = work_open(&work, transaction);
	if (result == CERTDEPLOY_ENOTFOUND) {
		work_end(&work);
		return 0;
	}
	if (result == 0)
		result = cd_state_lock(&work.state, transaction->wait, transaction->progress,
				       transaction->user);
	if (result == 0)
		result = cd_recover_leftovers(&work, recovered, force, true);
	work_end(&work);
	return result;
}
