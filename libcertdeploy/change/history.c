/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history.c - past transactions and their backups: list, show, diff, roll back */
#include "change/history.h"

#include "change/work.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- what there is ---- */

/* "20261121T201136Z-1" or "20261121T201136Z-1.rolled-back". */
static bool parse_name(struct cd_backup *backup, struct cd_arena *arena, const char *name)
{
	struct tm parts = {0};
	const char *end = strptime(name, "%Y%m%dT%H%M%SZ", &parts), *dot = strchr(name, '.');

	if (end == NULL || *end != '-')
		return false;
	backup->name = name;
	backup->id = dot == NULL ? name : cd_arena_copy(arena, name, (size_t)(dot - name));
	backup->result = dot == NULL ? "committed" : dot + 1;
	backup->time = (int64_t)timegm(&parts);
	backup->number = strtoul(end + 1, NULL, 10);
	return true;
}

static int newest_first(const void *one, const void *other)
{
	const struct cd_backup *left = *(const struct cd_backup *const *)one;
	const struct cd_backup *right = *(const struct cd_backup *const *)other;

	if (left->time != right->time)
		return (left->time < right->time) - (left->time > right->time);
	if (left->number != right->number)
		return (left->number < right->number) - (left->number > right->number);
	return strcmp(left->name, right->name);
}

int cd_backups_list(struct cd_vector *out, struct cd_arena *arena, int backups)
{
	struct cd_vector names = {0};
	int error = cd_disk_list(&names, arena, backups);

	for (size_t i = 0; error == 0 && i < names.count; i++) {
		struct cd_backup *backup = cd_arena_alloc(arena, sizeof(*backup));

		if (backup == NULL)
			error = ENOMEM;
		else if (parse_name(backup, arena, names.items[i]) &&
			 (backup->id == NULL || cd_vector_add(out, backup) != 0))
			error = ENOMEM;
	}
	cd_vector_free(&names);
	if (error == 0 && out->count > 1)
		qsort(out->items, out->count, sizeof(*out->items), newest_first);
	return error;
}

/* The backups, opened; nothing there is no error. */
struct past {
	struct cd_problems *problems;
	struct cd_state state;
	int backups; /* -1: there are none */
	struct cd_vector list;
};

static int past_open(struct past *past, struct cd_problems *problems, const struct cd_root *root,
		     const char *state_directory)
{
	int result = cd_state_open(&past->state, problems, root, state_directory, false), error = 0;

	past->problems = problems;
	past->backups = -1;
	past->list = (struct cd_vector){0};
	if (result == CERTDEPLOY_ENOTFOUND)
		return 0;
	if (result != 0)
		return result;
	past->backups = cd_disk_open(past->state.directory, CD_BACKUPS, O_RDONLY | O_DIRECTORY, 0);
	if (past->backups != -1)
		error = cd_backups_list(&past->list, &problems->arena, past->backups);
	else if (errno != ENOENT)
		error = errno;
	return error == 0 ? 0
			  : cd_fail_errno(problems, error, past->state.path, _("cannot read the backups"));
}

static void past_close(struct past *past)
{
	cd_vector_free(&past->list);
	if (past->backups != -1)
		(void)close(past->backups);
	cd_state_close(&past->state);
}

/* id NULL: the newest that is committed. NULL: none, recorded. */
static const struct cd_backup *past_find(struct past *past, const char *id)
{
	for (size_t i = 0; i < past->list.count; i++) {
		const struct cd_backup *backup = past->list.items[i];

		if (id == NULL ? strcmp(backup->result, "committed") == 0
			       : strcmp(backup->id, id) == 0 || strcmp(backup->name, id) == 0)
			return backup;
	}
	(void)cd_fail(past->problems, CERTDEPLOY_ENOTFOUND, "no-transaction", NULL, 0,
		      id == NULL ? _("there is no transaction yet%s") : _("there is no transaction %s"),
		      id == NULL ? "" : cd_safe(&past->problems->arena, id));
	return NULL;
}

static int not_found(const struct past *past)
{
	return past->problems->out_of_memory ? CERTDEPLOY_ENOMEM : CERTDEPLOY_ENOTFOUND;
}

/* Open a backup and read its manifest. */
static int read_backup(struct cd_journal *journal, int *directory, struct past *past,
		       const struct cd_backup *backup)
{
	const char *path = cd_arena_format(&past->problems->arena, "%s/" CD_BACKUPS "/%s", past->state.path,
					   backup->name);

	*journal = (struct cd_journal){0};
	*directory = cd_disk_open(past->backups, backup->name, O_RDONLY | O_DIRECTORY, 0);
	if (*directory == -1)
		return cd_fail_errno(past->problems, errno, path, _("cannot open the backup"));
	return cd_journal_read(journal, past->problems, *directory, path, true);
}

/* The same; a damaged one is no error to be recorded. */
static int read_quietly(struct cd_journal *journal, int *directory, struct past *past,
			const struct cd_backup *backup)
{
	struct cd_problems ignored = {0}, *problems = past->problems;
	int result;

	past->problems = &ignored;
	result = read_backup(journal, directory, past, backup);
	past->problems = problems;
	cd_problems_free(&ignored);
	return result == CERTDEPLOY_ENOMEM ? cd_fail_memory(problems) : result;
}

/* ---- reports ---- */

static const char *const *names_of(struct cd_arena *arena, const struct cd_vector *vector, bool services)
{
	const char **list = cd_arena_array(arena, vector->count + 1, sizeof(*list));
	size_t used = 0;

	for (size_t i = 0; list != NULL && i < vector->count; i++) {
		const struct cd_entry *entry = vector->items[i];
		const struct cd_journal_service *service = vector->items[i];

		if (!services && (entry->backup_of != NULL || cd_entry_is_directory(entry)))
			continue;
		list[used] = cd_arena_string(arena, services ? service->control.name : entry->path);
		if (list[used++] == NULL)
			return NULL;
	}
	return list;
}

static struct certdeploy_transaction_report *describe(struct past *past, const struct cd_backup *backup,
						      const struct cd_journal *journal)
{
	static const char *const none[] = {NULL};
	struct cd_arena *arena = &past->problems->arena;
	struct certdeploy_transaction_report *report = cd_arena_alloc(arena, sizeof(*report));

	if (report == NULL)
		return NULL;
	report->id = backup->id;
	/* Its name may be of a later second than it began in. */
	report->time = journal->id == NULL ? backup->time : journal->time;
	report->result = backup->result;
	report->command = cd_arena_string(arena, journal->command == NULL ? "?" : journal->command);
	report->who = cd_arena_string(arena, journal->who == NULL ? "?" : journal->who);
	report->certificates =
		journal->certificates == NULL ? none : cd_arena_list(arena, journal->certificates);
	report->services = names_of(arena, &journal->services, true);
	report->files = names_of(arena, &journal->entries, false);
	if (report->command == NULL || report->who == NULL || report->certificates == NULL ||
	    report->services == NULL || report->files == NULL)
		return NULL;
	return report;
}

static int list_one(struct cd_vector *out, struct past *past, const struct cd_backup *backup)
{
	struct certdeploy_transaction_report *report;
	struct cd_journal journal;
	int directory, result = read_quietly(&journal, &directory, past, backup);

	if (directory != -1)
		(void)close(directory);
	if (result == CERTDEPLOY_ENOMEM) {
		cd_journal_free(&journal);
		return result;
	}
	/* A damaged one is listed all the same. */
	report = describe(past, backup, &journal);
	if (report != NULL && result != 0)
		report->result = "broken";
	cd_journal_free(&journal);
	return report == NULL || cd_vector_add(out, report) != 0 ? cd_fail_memory(past->problems) : 0;
}

int cd_history_list(struct cd_vector *out, struct cd_problems *problems, const struct cd_root *root,
		    const char *state_directory)
{
	struct past past;
	int result = past_open(&past, problems, root, state_directory);

	for (size_t i = 0; result == 0 && i < past.list.count; i++)
		result = list_one(out, &past, past.list.items[i]);
	past_close(&past);
	return result;
}

static int add_file(struct cd_vector *files, struct past *past, const struct cd_backup *backup,
		    const struct cd_journal *journal, const struct cd_entry *entry,
		    const struct cd_table *beside)
{
	struct cd_arena *arena = &past->problems->arena;
	struct certdeploy_file_report *line = cd_arena_alloc(arena, sizeof(*line));

	if (line == NULL)
		return CERTDEPLOY_ENOMEM;
	line->path = cd_arena_string(arena, entry->path);
	line->change = cd_entry_change(journal, entry);
	line->service = cd_arena_string(arena, entry->service);
	line->backup = cd_entry_backup(arena, beside, entry, past->state.path, backup->name);
	return line->path == NULL ? CERTDEPLOY_ENOMEM : cd_vector_add(files, line);
}

static int add_files(struct cd_vector *files, struct past *past, const struct cd_backup *backup,
		     const struct cd_journal *journal)
{
	struct cd_table beside = {0};
	int result = cd_entries_beside(&beside, journal);

	for (size_t i = 0; result == 0 && i < journal->entries.count; i++) {
		const struct cd_entry *entry = journal->entries.items[i];

		if (entry->backup_of == NULL && !cd_entry_is_directory(entry))
			result = add_file(files, past, backup, journal, entry, &beside);
	}
	cd_table_free(&beside);
	return result == 0 ? 0 : cd_fail_memory(past->problems);
}

int cd_history_show(const struct certdeploy_transaction_report **out, struct cd_vector *files,
		    struct cd_problems *problems, const struct cd_root *root, const char *state_directory,
		    const char *id)
{
	const struct cd_backup *backup;
	struct cd_journal journal = {0};
	struct past past;
	int directory = -1, result = past_open(&past, problems, root, state_directory);

	*out = NULL;
	if (result != 0)
		goto out;
	backup = past_find(&past, id);
	result = backup == NULL ? not_found(&past) : read_backup(&journal, &directory, &past, backup);
	if (result != 0)
		goto out;
	*out = describe(&past, backup, &journal);
	result = *out == NULL ? cd_fail_memory(problems) : add_files(files, &past, backup, &journal);
out:
	if (directory != -1)
		(void)close(directory);
	cd_journal_free(&journal);
	past_close(&past);
	return result;
}

int cd_history_diff(const char **out, struct cd_problems *problems, const struct cd_root *root,
		    const char *state_directory, const char *id)
{
	const struct cd_backup *backup;
	struct past past;
	char *bytes = NULL;
	size_t length = 0;
	int directory = -1, fd = -1, error = 0, result = past_open(&past, problems, root, state_directory);

	*out = NULL;
	if (result != 0)
		goto out;
	backup = past_find(&past, id);
	if (backup == NULL) {
		result = not_found(&past);
		goto out;
	}
	directory = cd_disk_open(past.backups, backup->name, O_RDONLY | O_DIRECTORY, 0);
	if (directory != -1)
		fd = cd_disk_open(directory, CD_DIFF, O_RDONLY | O_NONBLOCK, 0);
	error = fd == -1 ? errno : cd_read_fd(&bytes, &length, NULL, fd, (size_t)256 << 20);
	if (error != 0) {
		result = cd_fail_errno(problems, error, backup->id, _("cannot read what was changed"));
		goto out;
	}
	*out = cd_arena_copy(&problems->arena, bytes, length);
	if (*out == NULL)
		result = cd_fail_memory(problems);
	free(bytes);
out:
	if (fd != -1)
		(void)close(fd);
	if (directory != -1)
		(void)close(directory);
	past_close(&past);
	return result;
}

/* ---- back ---- */

struct undoing {
	struct cd_changes *changes;
	struct cd_problems *problems;
	const struct cd_root *root;
	struct cd_journal journal;
	int directory;
	struct cd_table ours;     /* path -> entry */
	struct cd_table services; /* concerned, by name */
	struct cd_vector
		known; /* of struct cd_journal_service: the transaction's, and those that followed it */
	bool all_services;
	bool force;
	size_t changed;
};

static int read_original(char **bytes, size_t *length, struct undoing *undoing,
			 const struct cd_entry *entry)
{
	int fd = cd_backup_open(undoing->directory, entry), error;
	char digest[CD_SHA256_TEXT], *raw = NULL;

	error = fd == -1 ? errno : cd_read_fd(&raw, length, NULL, fd, (size_t)256 << 20);
	if (fd != -1)
		(void)close(fd);
	if (error != 0)
		return cd_fail_errno(undoing->problems, error, entry->path, _("cannot read its backup"));
	*bytes = cd_arena_copy(&undoing->changes->arena, raw, *length);
	if (*bytes == NULL || cd_sha256(digest, raw, *length) != 0)
		error = ENOMEM;
	OPENSSL_cleanse(raw, *length);
	free(raw);
	if (error != 0)
		return cd_fail_memory(undoing->problems);
	if (strcmp(digest, entry->before.digest) == 0)
		return 0;
	return cd_fail(undoing->problems, CERTDEPLOY_EREFUSED, "backup-damaged", entry->path, 0,
		       _("its backup is not any more what was put there"));
}

/*
 * Whether a directory that the transaction made holds something that it did not put there. Returns 0 or
 * an errno.
 */
static int find_foreign(bool *foreign, struct undoing *undoing, const struct cd_entry *entry)
{
	int directory = cd_disk_directory(undoing->root, entry->path), error;
	struct cd_arena arena = {0};
	struct cd_vector names = {0};

	*foreign = false;
	if (directory == -1)
		return errno;
	error = cd_disk_list(&names, &arena, directory);
	for (size_t i = 0; error == 0 && !*foreign && i < names.count; i++) {
		const char *path = cd_arena_format(&arena, "%s/%s", entry->path, (char *)names.items[i]);

		if (path == NULL)
			error = ENOMEM;
		else
			*foreign = cd_table_get(&undoing->ours, path) == NULL;
	}
	(void)close(directory);
	cd_vector_free(&names);
	cd_arena_free(&arena);
	return error;
}

/* *keep: the directory stays, as somebody uses it. */
static int remove_back(bool *keep, struct undoing *undoing, struct cd_change *change,
		       const struct cd_entry *entry)
{
	int error = 0;

	change->kind = CD_CHANGE_REMOVE;
	if (entry->after.kind == CD_SIDE_DIRECTORY) {
		/* What is inside goes before it and changes its times. */
		change->compare = false;
		error = find_foreign(keep, undoing, entry);
	}
	return error == 0 ? 0
			  : cd_fail_errno(undoing->problems, error, entry->path,
					  _("cannot list the directory"));
}

static int add_back(struct undoing *undoing, const struct cd_entry *entry, const struct cd_identity *now)
{
	struct cd_change change = {
		.path = entry->path,
		.before = *now,
		.compare = true,
		.attributes = &entry->before.attributes,
		.mode = entry->before.attributes.mode,
		.owner = entry->before.attributes.owner,
		.group = entry->before.attributes.group,
		.secret = entry->secret,
		.service = entry->service,
	};
	char *bytes = NULL;
	bool keep = false;
	int result = 0;

	switch (entry->before.kind) {
	case CD_SIDE_NOTHING:
		result = remove_back(&keep, undoing, &change, entry);
		break;
	case CD_SIDE_FILE:
		change.kind = CD_CHANGE_FILE;
		result = read_original(&bytes, &change.length, undoing, entry);
		change.bytes = bytes;
		break;
	case CD_SIDE_LINK:
		change.kind = CD_CHANGE_LINK;
		change.target = entry->before.target;
		break;
	default:
		change.kind = CD_CHANGE_DIRECTORY;
		break;
	}
	if (result != 0 || keep)
		return result;
	result = cd_changes_add(undoing->changes, undoing->problems, &change);
	if (result == 0 && entry->service == NULL)
		undoing->all_services = true;
	else if (result == 0 && cd_table_put(&undoing->services, entry->service, entry) != 0)
		result = cd_fail_memory(undoing->problems);
	return result;
}

static int undo_entry(struct undoing *undoing, const struct cd_entry *entry)
{
	const char *name;
	int directory = cd_disk_parent(&name, undoing->root, entry->path), error = 0, result = 0;
	struct cd_identity identity = {0};
	struct cd_side now = {0};
	char *target = NULL;

	if (directory == -1 && errno != ENOENT && errno != ENOTDIR)
		return cd_fail_errno(undoing->problems, errno, entry->path, _("cannot open its directory"));
	if (directory != -1)
		error = cd_side_look(&now, &target, &identity, directory, name);
	if (error != 0)
		result = cd_fail_errno(undoing->problems, error, entry->path, _("cannot look at the file"));
	else if (cd_side_same(&now, target, &entry->before))
		result = 0;
	else if (undoing->force || cd_side_same(&now, target, &entry->after))
		result = add_back(undoing, entry, &identity);
	else {
		undoing->changed++;
		result = cd_fail(undoing->problems, 0, "changed-since",
				 cd_safe(&undoing->problems->arena, entry->path), 0,
				 _("somebody has changed this since; --force overwrites it"));
	}
	free(target);
	if (directory != -1)
		(void)close(directory);
	return result;
}

static bool is_wanted(const struct cd_entry *entry, const char *const *service, const char *const *file)
{
	if (entry->backup_of != NULL)
		return false;
	if (service != NULL && (entry->service == NULL || !cd_in_list(service, entry->service)))
		return false;
	return file == NULL || cd_in_list(file, entry->path) || cd_in_list(file, entry->asked);
}

/* A file that the transaction never had is somebody's mistake, not done already. */
static int check_files(struct undoing *undoing, const struct cd_backup *backup, const char *const *file)
{
	const struct cd_vector *entries = &undoing->journal.entries;

	for (; file != NULL && *file != NULL; file++) {
		const char *const one[] = {*file, NULL};
		size_t i = 0;

		while (i < entries->count && !is_wanted(entries->items[i], NULL, one))
			i++;
		if (i == entries->count)
			return cd_fail(undoing->problems, CERTDEPLOY_ENOTFOUND, "not-found", *file, 0,
				       _("transaction %s did not change this file"), backup->id);
	}
	return 0;
}

static int undo_entries(struct undoing *undoing, const char *const *service, const char *const *file)
{
	const struct cd_vector *entries = &undoing->journal.entries;
	int result = 0;

	for (size_t i = 0; result == 0 && i < entries->count; i++) {
		const struct cd_entry *entry = entries->items[i];

		if (cd_table_put(&undoing->ours, entry->path, entry) != 0)
			result = cd_fail_memory(undoing->problems);
	}
	for (size_t i = entries->count; result == 0 && i > 0; i--)
		if (is_wanted(entries->items[i - 1], service, file))
			result = undo_entry(undoing, entries->items[i - 1]);
	return result == 0 && undoing->changed != 0 ? CERTDEPLOY_EREFUSED : result;
}

/* ---- which, and whom it concerns ---- */

static bool is_committed(const struct cd_backup *backup)
{
	return strcmp(backup->result, "committed") == 0;
}

static void close_chosen(struct undoing *undoing)
{
	cd_journal_free(&undoing->journal);
	if (undoing->directory != -1)
		(void)close(undoing->directory);
	undoing->directory = -1;
}

/*
 * Read the transaction of this id. Where none is named it is the newest that changed a file: one that only
 * told a server to take over what another had changed, as --keep-going makes them, leaves nothing to be put
 * back.
 */
static int choose(size_t *index, struct undoing *undoing, struct past *past, const char *id)
{
	const struct cd_backup *backup = past_find(past, id);
	int result;

	if (backup == NULL)
		return not_found(past);
	*index = 0;
	while (past->list.items[*index] != backup)
		(*index)++;
	result = read_backup(&undoing->journal, &undoing->directory, past, backup);
	for (size_t i = *index + 1;
	     id == NULL && result == 0 && undoing->journal.entries.count == 0 && i < past->list.count;
	     i++) {
		if (!is_committed(past->list.items[i]))
			continue;
		close_chosen(undoing);
		*index = i;
		result = read_backup(&undoing->journal, &undoing->directory, past, past->list.items[i]);
	}
	return result;
}

static int add_services(struct undoing *undoing, const struct cd_journal *journal)
{
	for (size_t i = 0; i < journal->services.count; i++) {
		const struct cd_journal_service *service = journal->services.items[i];
		size_t k = 0;

		while (k < undoing->known.count &&
		       strcmp(((const struct cd_journal_service *)undoing->known.items[k])->control.name,
			      service->control.name) != 0)
			k++;
		if (k == undoing->known.count &&
		    cd_vector_add(&undoing->known, journal->services.items[i]) != 0)
			return cd_fail_memory(undoing->problems);
	}
	return 0;
}

/* Which servers it told cannot be known. */
static int warn_of_unread(struct past *past, const struct cd_backup *backup)
{
	const char *path = cd_arena_format(&past->problems->arena, "%s/" CD_BACKUPS "/%s", past->state.path,
					   backup->name);

	if (path == NULL)
		return cd_fail_memory(past->problems);
	cd_problem(past->problems, CERTDEPLOY_WARNING, "backup-damaged", path, 0,
		   _("the record of this later run cannot be read; a server that it or a later one "
		     "told to take over these files is not told that they go back"));
	return past->problems->out_of_memory ? CERTDEPLOY_ENOMEM : 0;
}

/* Its own servers, and those that the ones after it, without a file of their own, told to take it over. */
static int collect_services(struct undoing *undoing, struct past *past, size_t index)
{
	int result = add_services(undoing, &undoing->journal);
	bool more = true;

	while (result == 0 && more && index > 0) {
		const struct cd_backup *backup = past->list.items[--index];
		struct cd_journal journal;
		int directory;

		if (!is_committed(backup))
			continue;
		result = read_quietly(&journal, &directory, past, backup);
		if (directory != -1)
			(void)close(directory);
		more = result == 0 && journal.entries.count == 0;
		if (result != 0 && result != CERTDEPLOY_ENOMEM)
			result = warn_of_unread(past, backup);
		if (more)
			result = add_services(undoing, &journal);
		/* The controls point into it. */
		cd_arena_adopt(&undoing->changes->arena, &journal.arena);
		cd_journal_free(&journal);
	}
	return result;
}

static int undo_services(struct cd_touched **services, size_t *count, struct undoing *undoing)
{
	const struct cd_vector *list = &undoing->known;
	struct cd_touched *touched =
		cd_arena_array(&undoing->changes->arena, list->count + 1, sizeof(*touched));

	if (touched == NULL)
		return cd_fail_memory(undoing->problems);
	*services = touched;
	for (size_t i = 0; i < list->count; i++) {
		const struct cd_journal_service *service = list->items[i];

		if (undoing->all_services ||
		    cd_table_get(&undoing->services, service->control.name) != NULL)
			touched[(*count)++].control = service->control;
	}
	return 0;
}

int cd_history_undo(struct cd_changes *changes, struct cd_touched **services, size_t *service_count,
		    const char **id, struct cd_problems *problems, const struct cd_root *root,
		    const char *state_directory, const char *const *service, const char *const *file,
		    bool force)
{
	struct undoing undoing = {
		.changes = changes, .problems = problems, .root = root, .directory = -1, .force = force};
	const struct cd_backup *backup = NULL;
	struct past past;
	size_t index = 0;
	int result = past_open(&past, problems, root, state_directory);

	*services = NULL;
	*service_count = 0;
	changes->arena.secret = true;
	if (result != 0)
		goto out;
	result = choose(&index, &undoing, &past, *id);
	if (result == 0) {
		backup = past.list.items[index];
		result = check_files(&undoing, backup, file);
	}
	if (result == 0)
		result = collect_services(&undoing, &past, index);
	if (result == 0)
		result = undo_entries(&undoing, service, file);
	if (result == 0)
		result = undo_services(services, service_count, &undoing);
	if (result == 0) {
		*id = cd_arena_string(&changes->arena, backup->id);
		if (*id == NULL)
			result = cd_fail_memory(problems);
	}
	/* The changes and the controls point into it. */
	cd_arena_adopt(&changes->arena, &undoing.journal.arena);
out:
	close_chosen(&undoing);
	cd_table_free(&undoing.ours);
	cd_table_free(&undoing.services);
	cd_vector_free(&undoing.known);
	past_close(&past);
	return result;
}
