/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-history.c - past transactions: listed, shown, rolled back as a whole and in part, pruned */
#include "unit.h"

#include "host.h"
#include "short.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int set_up(void **state)
{
	*state = host_ready(2, 2);
	return 0;
}

static const char *deploy(struct host *host, const char *one, const char *two)
{
	static const char *const certificates[] = {"www.example.jp", NULL};
	const char *id;

	host_begin(host, "deploy");
	host->transaction.certificates = certificates;
	if (one != NULL)
		host_file(host, "etc/one.conf", one, "one");
	if (two != NULL)
		host_file(host, "etc/two.conf", two, "two");
	assert_int_equal(host_run(host), 0);
	id = cd_arena_string(&host->texts, host->transaction.id);
	assert_non_null(id);
	return id;
}

static void in_host(struct host *host, const char *command)
{
	char line[256];

	(void)snprintf(line, sizeof(line), "cd %s && %s", host->path, command);
	assert_int_equal(system(line), 0);
}

/* Roll back by the history, as the library does. */
static int roll_back(struct host *host, const char *id, const char *service, const char *file, bool force)
{
	const char *const services[] = {service, NULL}, *const files[] = {file, NULL};
	struct cd_touched *touched;
	int result;

	host_begin(host, "rollback");
	result = cd_history_undo(&host->changes, &touched, &host->transaction.service_count, &id,
				 &host->problems, &host->root, host->transaction.state_directory,
				 service == NULL ? NULL : services, file == NULL ? NULL : files, force);
	host->transaction.services = touched;
	if (result == 0)
		result = host_run(host);
	host->transaction.service_count = HOST_SERVICES;
	return result;
}

static void test_list_and_show(void **state)
{
	struct host *host = *state;
	const struct certdeploy_transaction_report *report;
	const struct certdeploy_file_report *file;
	struct cd_vector list = {0}, files = {0};
	const char *first, *second;

	host_begin(host, "deploy");
	assert_int_equal(cd_history_list(&list, &host->problems, &host->root, host_path(host, "var/state")),
			 0);
	assert_int_equal(list.count, 0);
	first = deploy(host, "1\n", NULL);
	second = deploy(host, "2\n", "2\n");
	host_begin(host, "history");
	assert_int_equal(cd_history_list(&list, &host->problems, &host->root, host_path(host, "var/state")),
			 0);
	assert_int_equal(list.count, 2);
	report = list.items[0];
	assert_string_equal(report->id, second);
	assert_string_equal(report->result, "committed");
	assert_string_equal(report->command, "deploy");
	assert_string_equal(report->certificates[0], "www.example.jp");
	assert_string_equal(report->services[1], "two");
	report = list.items[1];
	assert_string_equal(report->id, first);
	assert_int_equal(cd_history_show(&report, &files, &host->problems, &host->root,
					 host_path(host, "var/state"), first),
			 0);
	assert_int_equal(files.count, 1);
	file = files.items[0];
	assert_string_equal(file->path, host_path(host, "etc/one.conf"));
	assert_string_equal(file->change, "edited");
	assert_true(host_has(host, file->backup + strlen(host->path) + 1, "old one\n"));
	assert_int_equal(cd_history_show(&report, &files, &host->problems, &host->root,
					 host_path(host, "var/state"), "20000101T000000Z-1"),
			 CERTDEPLOY_ENOTFOUND);
	assert_string_equal(host_error(host), "no-transaction");
	cd_vector_free(&list);
	cd_vector_free(&files);
}

static void test_the_last_is_rolled_back(void **state)
{
	struct host *host = *state;
	struct stat before, after;

	assert_int_equal(stat(host_path(host, "etc/one.conf"), &before), 0);
	(void)deploy(host, "new one\n", NULL);
	assert_int_equal(roll_back(host, NULL, NULL, NULL, false), 0);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_has(host, "run/one.served", "old one\n"));
	assert_int_equal(stat(host_path(host, "etc/one.conf"), &after), 0);
	assert_int_equal(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
	assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	/* And rolling that back leads forward again. */
	assert_int_equal(roll_back(host, NULL, NULL, NULL, false), 0);
	assert_true(host_has(host, "etc/one.conf", "new one\n"));
}

static void test_created_things_go(void **state)
{
	struct host *host = *state;

	host_put(host, "etc/extra", "extra\n");
	host_change(host, CD_CHANGE_DIRECTORY, "etc/store", NULL, NULL, false);
	host_change(host, CD_CHANGE_FILE, "etc/store/key", "key", NULL, true);
	host_change(host, CD_CHANGE_FILE, "etc/store/cert", "cert", NULL, false);
	host_change(host, CD_CHANGE_LINK, "etc/current", "store", NULL, false);
	host_change(host, CD_CHANGE_REMOVE, "etc/extra", NULL, "two", false);
	assert_int_equal(host_run(host), 0);
	assert_int_equal(roll_back(host, NULL, NULL, NULL, false), 0);
	assert_int_equal(access(host_path(host, "etc/store"), F_OK), -1);
	assert_int_equal(access(host_path(host, "etc/current"), F_OK), -1);
	assert_true(host_has(host, "etc/extra", "extra\n"));
	/* Forward again: the key comes back with its protection. */
	assert_int_equal(roll_back(host, NULL, NULL, NULL, false), 0);
	assert_true(host_has(host, "etc/store/key", "key"));
	assert_true(host_has(host, "etc/current/cert", "cert"));
	/* What somebody put there stays. */
	host_put(host, "etc/store/mine", "mine");
	assert_int_equal(roll_back(host, NULL, NULL, NULL, false), 0);
	assert_true(host_has(host, "etc/store/mine", "mine"));
	assert_true(host_has(host, "etc/store/key", NULL));
}

/* Where its directory was, somebody has put a file of theirs. */
static void test_a_file_in_the_place_of_a_directory(void **state)
{
	struct host *host = *state;

	host_change(host, CD_CHANGE_DIRECTORY, "etc/store", NULL, NULL, false);
	host_change(host, CD_CHANGE_FILE, "etc/store/key", "key", NULL, true);
	assert_int_equal(host_run(host), 0);
	in_host(host, "rm -r etc/store && echo mine >etc/store");
	assert_int_equal(roll_back(host, NULL, NULL, NULL, false), CERTDEPLOY_EREFUSED);
	assert_string_equal(host_error(host), "changed-since");
	assert_true(host_has(host, "etc/store", "mine\n"));
}

static void test_later_edits_are_not_lost(void **state)
{
	struct host *host = *state;

	(void)deploy(host, "new one\n", "new two\n");
	host_put(host, "etc/one.conf", "edited\n");
	assert_int_equal(roll_back(host, NULL, NULL, NULL, false), CERTDEPLOY_EREFUSED);
	assert_string_equal(host_error(host), "changed-since");
	assert_true(host_has(host, "etc/one.conf", "edited\n"));
	assert_true(host_has(host, "etc/two.conf", "new two\n"));
	assert_int_equal(roll_back(host, NULL, NULL, NULL, true), 0);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_has(host, "etc/two.conf", "old two\n"));
}

/* Of an original or a record that is not any more what was filed, nothing is put back. */
static void test_a_damaged_backup(void **state)
{
	struct host *host = *state;
	const char *id = deploy(host, "new one\n", "new two\n");
	const char *const damaged[] = {
		cd_arena_format(&host->texts, "var/state/backups/%s/files%s/etc/one.conf", id, host->path),
		cd_arena_format(&host->texts, "var/state/backups/%s/manifest", id)};

	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		host_put(host, damaged[i], "damaged\n");
		assert_int_equal(roll_back(host, id, NULL, NULL, false), CERTDEPLOY_EREFUSED);
		assert_string_equal(host_error(host), "backup-damaged");
		assert_true(host_has(host, "etc/one.conf", "new one\n"));
		assert_true(host_has(host, "etc/two.conf", "new two\n"));
	}
	/* It is listed all the same. */
	assert_int_equal(host_history(host), 1);
}

/* What is no backup is none, whatever it is called; the backups may be no directory at all. */
static void test_what_is_no_backup(void **state)
{
	static const char *const names[] = {"notes", "20261129T000000Z", "20261129T000000Zx", "2026-1",
					    "20261329T000000Z-1"};
	const char *backups, *away, *diff = NULL;
	struct host *host = *state;
	struct cd_vector list = {0};

	(void)deploy(host, "new one\n", NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		host_put(host, cd_arena_format(&host->texts, "var/state/backups/%s", names[i]), "");
	assert_int_equal(host_history(host), 1);
	assert_int_equal(cd_history_diff(&diff, &host->problems, &host->root, host_path(host, "var/state"),
					 "20000101T000000Z-1"),
			 CERTDEPLOY_ENOTFOUND);
	backups = host_path(host, "var/state/backups");
	away = host_path(host, "var/state/away");
	assert_int_equal(rename(backups, away), 0);
	assert_int_equal(
		cd_history_diff(&diff, &host->problems, &host->root, host_path(host, "var/state"), NULL),
		CERTDEPLOY_ENOTFOUND);
	host_put(host, "var/state/backups", "");
	assert_int_equal(cd_history_list(&list, &host->problems, &host->root, host_path(host, "var/state")),
			 CERTDEPLOY_EFAILED);
	assert_string_equal(host_error(host), "io-error");
	assert_int_equal(
		cd_history_diff(&diff, &host->problems, &host->root, host_path(host, "var/state"), NULL),
		CERTDEPLOY_EFAILED);
	cd_vector_free(&list);
}

static void test_one_out_of_the_middle(void **state)
{
	struct host *host = *state;
	const char *first = deploy(host, "new one\n", NULL);

	(void)deploy(host, NULL, "new two\n");
	assert_int_equal(roll_back(host, first, NULL, NULL, false), 0);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_has(host, "etc/two.conf", "new two\n"));
}

/* What was put into service by a run of its own for each server goes back for all of them. */
static void test_servers_that_followed(void **state)
{
	struct host *host = *state;
	const char *id;

	host->transaction.service_count = 1;
	host_begin(host, "deploy");
	host_file(host, "etc/two.conf", "new two\n", NULL);
	assert_int_equal(host_run(host), 0);
	id = cd_arena_string(&host->texts, host->transaction.id);
	host->transaction.service_count = 2;
	host_begin(host, "deploy");
	host_file(host, "etc/two.conf", "SYNTAX\n", "two");
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	(void)deploy(host, NULL, NULL);
	(void)deploy(host, NULL, NULL);
	assert_true(host_serves(host, 1, "new two\n"));
	/* The last that changed a file is meant. */
	assert_int_equal(roll_back(host, NULL, NULL, NULL, false), 0);
	assert_true(host_has(host, "etc/two.conf", "old two\n"));
	assert_true(host_serves(host, 1, "old two\n"));
	/* By its name it is the same. */
	assert_int_equal(roll_back(host, NULL, NULL, NULL, false), 0);
	assert_true(host_serves(host, 1, "new two\n"));
	assert_int_equal(roll_back(host, id, NULL, NULL, false), 0);
	assert_true(host_has(host, "etc/two.conf", "old two\n"));
	assert_true(host_serves(host, 1, "old two\n"));
}

/* Whether it is said, without being an error, that this run's record cannot be read. */
static bool is_said_damaged(const struct host *host, const char *id)
{
	bool said = false;

	for (size_t i = 0; i < host->problems.list.count; i++) {
		const struct certdeploy_problem *problem = host->problems.list.items[i];

		said = said ||
		       (problem->severity == CERTDEPLOY_WARNING &&
			strcmp(problem->code, "backup-damaged") == 0 && strstr(problem->file, id) != NULL);
	}
	return said;
}

/* Whom a run told whose record cannot be read nobody knows: that is said, and what is before it goes back.
 */
static void test_one_that_followed_is_damaged(void **state)
{
	static const char *const commands[] = {"echo x >$b/manifest", "mv $b away && touch $b"};
	struct host *host = *state;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const char *id, *follower;
		char *before, *after;

		host->transaction.service_count = 1;
		id = deploy(host, "new one\n", NULL);
		host->transaction.service_count = 2;
		follower = deploy(host, NULL, NULL);
		in_host(host, cd_arena_format(&host->texts, "b=var/state/backups/%s && %s", follower,
					      commands[i]));
		before = host_get(host, "run/two.log");
		assert_int_equal(roll_back(host, id, NULL, NULL, false), 0);
		assert_true(is_said_damaged(host, follower));
		after = host_get(host, "run/two.log");
		assert_string_equal(after, before);
		free(before);
		free(after);
		assert_true(host_has(host, "etc/one.conf", "old one\n"));
		assert_true(host_serves(host, 0, "old one\n"));
	}
}

/* Where none has changed a file there is nothing to put back. */
static void test_nothing_but_reloads(void **state)
{
	struct host *host = *state;

	(void)deploy(host, NULL, NULL);
	(void)deploy(host, NULL, NULL);
	assert_int_equal(roll_back(host, NULL, NULL, NULL, false), 0);
	assert_int_equal(host_history(host), 2);
}

static void test_one_service_and_one_file(void **state)
{
	struct host *host = *state;
	const char *id = deploy(host, "new one\n", "new two\n");

	assert_int_equal(roll_back(host, id, "two", NULL, false), 0);
	assert_true(host_has(host, "etc/one.conf", "new one\n"));
	assert_true(host_has(host, "etc/two.conf", "old two\n"));
	assert_true(host_has(host, "run/one.log", "start\ntest\nreload\n"));
	assert_int_equal(roll_back(host, id, NULL, host_path(host, "etc/one.conf"), false), 0);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
}

static void test_failed_runs_are_in_the_history(void **state)
{
	struct host *host = *state;
	const struct certdeploy_transaction_report *report;
	struct cd_vector list = {0};

	host_file(host, "etc/one.conf", "SYNTAX\n", "one");
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	assert_int_equal(cd_history_list(&list, &host->problems, &host->root, host_path(host, "var/state")),
			 0);
	assert_int_equal(list.count, 1);
	report = list.items[0];
	assert_string_equal(report->result, "rolled-back");
	cd_vector_free(&list);
	/* There is nothing to roll back. */
	assert_int_equal(roll_back(host, NULL, NULL, NULL, false), CERTDEPLOY_ENOTFOUND);
}

static int prune(struct host *host, unsigned keep)
{
	bool removed;

	host_begin(host, "prune");
	return cd_history_prune(&removed, &host->problems, &host->root, host_path(host, "var/state"), keep,
				0, 1);
}

/* What somebody has put back by hand is as it should be, and the rest follows. */
static void test_what_is_as_before_already(void **state)
{
	struct host *host = *state;

	(void)deploy(host, "new one\n", "new two\n");
	host_put(host, "etc/one.conf", "old one\n");
	assert_int_equal(roll_back(host, NULL, NULL, NULL, false), 0);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_has(host, "etc/two.conf", "old two\n"));
}

/* By the path that was asked for too; what belongs to no service is no one service's. */
static void test_a_file_by_another_path(void **state)
{
	struct host *host = *state;

	assert_int_equal(symlink("one.conf", host_path(host, "etc/enabled")), 0);
	host_file(host, "etc/enabled", "new one\n", NULL);
	host_file(host, "etc/two.conf", "new two\n", "two");
	assert_int_equal(host_run(host), 0);
	assert_int_equal(roll_back(host, NULL, "two", NULL, false), 0);
	assert_true(host_has(host, "etc/one.conf", "new one\n"));
	assert_true(host_has(host, "etc/two.conf", "old two\n"));
	host_begin(host, "deploy");
	host_file(host, "etc/enabled", "newer one\n", NULL);
	assert_int_equal(host_run(host), 0);
	assert_int_equal(roll_back(host, NULL, NULL, host_path(host, "etc/none"), false),
			 CERTDEPLOY_ENOTFOUND);
	assert_true(host_has(host, "etc/one.conf", "newer one\n"));
}

/* A run that is filed twice, as it ended and as it was put back. */
static void test_one_run_with_two_results(void **state)
{
	struct host *host = *state;
	const char *id = deploy(host, "new one\n", NULL), *diff;

	in_host(host, cd_arena_format(&host->texts,
				      "cp -a var/state/backups/%s var/state/backups/%s.broken", id, id));
	assert_int_equal(host_history(host), 2);
	assert_int_equal(cd_history_diff(&diff, &host->problems, &host->root, host_path(host, "var/state"),
					 cd_arena_format(&host->texts, "%s.broken", id)),
			 0);
}

/* Copies beside originals that are not ours any more, or cannot be, keep no backup; and stay. */
static void test_copies_that_have_gone(void **state)
{
	static const char *const commands[] = {
		"rm -r etc/sub",
		"rm -r etc/sub && touch etc/sub",
		"rm -r etc/sub && ln -s . etc/sub",
		"for i in etc/sub/*.bak; do echo mine >$i; done",
		"for i in etc/sub/*.bak; do rm $i; mkdir $i; done",
		"for i in etc/sub/*.bak; do rm $i; ln -s x $i; done",
		"for i in var/state/backups/*/manifest; do echo damaged >>$i; done",
		"rm var/state/backups/*/manifest",
	};
	struct host *host = *state;

	in_host(host, "mkdir etc/sub && echo old >etc/sub/file");
	host->transaction.backup_beside = true;
	host_file(host, "etc/sub/file", "new\n", NULL);
	assert_int_equal(host_run(host), 0);
	in_host(host, "mkdir kept && cp -a etc var kept");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		in_host(host, "rm -rf etc var && cp -a kept/etc kept/var .");
		in_host(host, commands[i]);
		assert_int_equal(prune(host, 0), 0);
		assert_int_equal(host_history(host), 0);
		if (strstr(commands[i], "mine") != NULL)
			in_host(host, "grep -q mine etc/sub/*.bak");
	}
}

/* Where no run has been, or its backups are away, there is nothing to prune. */
static void test_pruning_nothing(void **state)
{
	struct host *host = *state;

	assert_int_equal(prune(host, 0), 0);
	(void)deploy(host, "1\n", NULL);
	in_host(host, "mv var/state/backups var/state/away");
	assert_int_equal(prune(host, 0), 0);
	in_host(host, "test -d var/state/away");
}

static void test_pruning(void **state)
{
	struct host *host = *state;
	bool removed;

	for (int i = 0; i < 5; i++) {
		char text[16];

		(void)snprintf(text, sizeof(text), "%d\n", i);
		(void)deploy(host, text, NULL);
	}
	assert_int_equal(host_history(host), 5);
	assert_int_equal(cd_history_prune(&removed, &host->problems, &host->root,
					  host_path(host, "var/state"), 2, 3600, 1),
			 0);
	assert_false(removed);
	assert_int_equal(host_history(host), 5);
	assert_int_equal(cd_history_prune(&removed, &host->problems, &host->root,
					  host_path(host, "var/state"), 2, 0, 1),
			 0);
	assert_true(removed);
	assert_int_equal(host_history(host), 2);
	host_begin(host, "deploy");
	host->transaction.keep = 1;
	host->transaction.backup_beside = true;
	host_file(host, "etc/one.conf", "last\n", "one");
	assert_int_equal(host_run(host), 0);
	assert_int_equal(host_history(host), 1);
	/* The copy beside goes with its backup. */
	assert_int_equal(cd_history_prune(&removed, &host->problems, &host->root,
					  host_path(host, "var/state"), 0, 0, 1),
			 0);
	assert_true(removed);
	assert_int_equal(host_history(host), 0);
	{
		char command[128];

		(void)snprintf(command, sizeof(command), "! ls %s/etc | grep bak", host->path);
		assert_int_equal(system(command), 0);
	}
}

static int recover(struct host *host, int *recovered)
{
	host_begin(host, "recover");
	return cd_transaction_recover(recovered, &host->transaction, false);
}

/* Once the names stand in the list they go, with the next run too; a list half written is nothing. */
static void test_pruning_interrupted(void **state)
{
	struct host *host = *state;
	const char *first = deploy(host, "1\n", NULL), *second = deploy(host, "2\n", NULL);
	const char *state_directory = host_path(host, "var/state");
	int recovered;

	(void)deploy(host, "3\n", NULL);
	assert_false(cd_transaction_is_interrupted(&host->root, state_directory));
	host_put(host, "var/state/prune.new", host_path(host, "%s\n", first));
	assert_true(cd_transaction_is_interrupted(&host->root, state_directory));
	assert_int_equal(recover(host, &recovered), 0);
	assert_int_equal(recovered, 0);
	assert_int_equal(host_history(host), 3);
	assert_false(cd_transaction_is_interrupted(&host->root, state_directory));
	host_put(host, "var/state/prune",
		 cd_arena_format(&host->texts, "%s\n%s\n20000101T000000Z-1\n", first, second));
	assert_true(cd_transaction_is_interrupted(&host->root, state_directory));
	assert_int_equal(recover(host, &recovered), 0);
	assert_int_equal(recovered, 4);
	assert_int_equal(host_history(host), 1);
	assert_false(cd_transaction_is_interrupted(&host->root, state_directory));
	assert_null(host_get(host, "var/state/prune"));
}

/* What cannot be removed is told, does not fail the next runs, and goes as soon as it can. */
static void test_pruning_fails(void **state)
{
	struct host *host = *state;
	const char *first = deploy(host, "1\n", NULL);
	int recovered;

	(void)deploy(host, "2\n", NULL);
	host_put(host, "var/state/prune", cd_arena_format(&host->texts, "%s\n", first));
	/* No directory can be made here. */
	host_put(host, "var/state/pruned", "");
	assert_int_equal(recover(host, &recovered), 0);
	assert_int_equal(recovered, 0);
	assert_int_equal(host->problems.list.count, 1);
	assert_int_equal(prune(host, 1), CERTDEPLOY_EFAILED);
	assert_string_equal(host_error(host), "io-error");
	(void)deploy(host, "3\n", NULL);
	assert_int_equal(host_history(host), 3);
	assert_int_equal(unlink(host_path(host, "var/state/pruned")), 0);
	assert_int_equal(recover(host, &recovered), 0);
	assert_int_equal(recovered, 4);
	assert_int_equal(host_history(host), 2);
}

/* What cannot be renamed is removed where it is. */
static void test_pruning_what_cannot_be_renamed(void **state)
{
	struct host *host = *state;
	bool removed, met = true;
	int result, recovered, done = 0;

	for (int i = 0; i < 3; i++)
		(void)deploy(host, host_path(host, "%d\n", i), NULL);
	in_host(host, "mkdir kept && cp -a var kept");
	for (long at = 1; met; at++) {
		in_host(host, "rm -rf var && cp -a kept/var .");
		host_begin(host, "prune");
		short_of("syscall", at, 1, EXDEV);
		result = cd_history_prune(&removed, &host->problems, &host->root,
					  host->transaction.state_directory, 1, 0, 1);
		met = short_met();
		done += met && result == 0;
		assert_int_equal(recover(host, &recovered), 0);
		assert_int_equal(host_history(host), result == 0 ? 1 : 3);
	}
	assert_int_equal(done, 2);
}

/* A number that pruning has set free is not given again: the newest stays the newest. */
static void test_many_in_one_second(void **state)
{
	struct host *host = *state;

	for (int i = 0; i < 12; i++) {
		char text[16];

		(void)snprintf(text, sizeof(text), "%d\n", i);
		host_begin(host, "deploy");
		host->transaction.keep = 3;
		host_file(host, "etc/one.conf", text, "one");
		assert_int_equal(host_run(host), 0);
	}
	assert_int_equal(roll_back(host, NULL, NULL, NULL, false), 0);
	assert_true(host_has(host, "etc/one.conf", "10\n"));
}

/* Where the clock was ahead then, or is behind now, the run that is made now still is the newest. */
static void test_a_clock_that_went_back(void **state)
{
	struct host *host = *state;
	const struct certdeploy_transaction_report *report;
	struct cd_vector list = {0};
	const char *id;

	(void)deploy(host, "1\n", NULL);
	(void)deploy(host, NULL, "1\n");
	in_host(host,
		"cd var/state/backups && i=1; for one in *; do mv $one 20990101T000000Z-$i; i=2; done");
	for (int i = 0; i < 2; i++) {
		host_begin(host, "deploy");
		host->transaction.keep = 2;
		host_file(host, "etc/one.conf", i == 0 ? "2\n" : "3\n", "one");
		assert_int_equal(host_run(host), 0);
	}
	id = cd_arena_string(&host->texts, host->transaction.id);
	host_begin(host, "history");
	assert_int_equal(cd_history_list(&list, &host->problems, &host->root, host_path(host, "var/state")),
			 0);
	assert_int_equal(list.count, 2);
	report = list.items[0];
	assert_string_equal(report->id, id);
	/* When it was is told as the clock had it. */
	assert_in_range(report->time, time(NULL) - 600, time(NULL));
	cd_vector_free(&list);
	assert_int_equal(roll_back(host, NULL, NULL, NULL, false), 0);
	assert_true(host_has(host, "etc/one.conf", "2\n"));
	assert_true(host_has(host, "etc/two.conf", "1\n"));
}

/* ---- whatever fails ---- */

enum question { LIST, SHOW, DIFF, NONE, BACK, QUESTIONS };

struct asking {
	struct host *host;
	enum question question;
	const char *id; /* NULL: the newest */
};

static int ask_once(void *data)
{
	const struct certdeploy_transaction_report *report;
	const struct asking *asking = data;
	struct cd_vector list = {0}, files = {0};
	struct cd_problems problems = {0};
	struct cd_changes changes = {0};
	const struct cd_root *root = &asking->host->root;
	const char *state_directory = asking->host->transaction.state_directory, *diff, *id = asking->id;
	struct cd_touched *touched;
	size_t count;
	int result = 0;

	switch (asking->question) {
	case LIST:
		result = cd_history_list(&list, &problems, root, state_directory);
		break;
	case SHOW:
		result = cd_history_show(&report, &files, &problems, root, state_directory, NULL);
		break;
	case DIFF:
		result = cd_history_diff(&diff, &problems, root, state_directory, NULL);
		break;
	case NONE:
		result = cd_history_show(&report, &files, &problems, root, state_directory,
					 "20000101T000000Z-1");
		break;
	case BACK:
	case QUESTIONS:
		result = cd_history_undo(&changes, &touched, &count, &id, &problems, root, state_directory,
					 NULL, NULL, false);
		break;
	}
	cd_changes_free(&changes);
	cd_problems_free(&problems);
	cd_vector_free(&list);
	cd_vector_free(&files);
	return result;
}

/* A run that makes, replaces and removes things, with copies beside. */
static void deploy_everything(struct host *host)
{
	assert_int_equal(mkdir(host_path(host, "etc/gone"), 0755), 0);
	host_put(host, "etc/gone/file", "file\n");
	assert_int_equal(symlink("old", host_path(host, "etc/current")), 0);
	host_begin(host, "deploy");
	host->transaction.service_count = 0;
	host->transaction.backup_beside = true;
	host_file(host, "etc/one.conf", "new one\n", "one");
	host_change(host, CD_CHANGE_DIRECTORY, "etc/store", NULL, NULL, false);
	host_change(host, CD_CHANGE_FILE, "etc/store/key", "key", NULL, true);
	host_change(host, CD_CHANGE_LINK, "etc/current", "new", NULL, false);
	host_change(host, CD_CHANGE_REMOVE, "etc/gone", NULL, NULL, false);
	assert_int_equal(host_run(host), 0);
}

static void test_whatever_fails_while_it_is_read(void **state)
{
	struct asking asking = {.host = *state};
	const char *id, *follower;

	host_file(asking.host, "etc/one.conf", "SYNTAX\n", "one");
	assert_int_equal(host_run(asking.host), CERTDEPLOY_EROLLEDBACK);
	(void)deploy(asking.host, NULL, "new two\n");
	deploy_everything(asking.host);
	for (asking.question = LIST; asking.question < QUESTIONS; asking.question++) {
		assert_int_equal(ask_once(&asking), asking.question == NONE ? CERTDEPLOY_ENOTFOUND : 0);
		short_of_everything(ask_once, &asking);
	}
	/* With one behind it that has told servers only. */
	asking.host->transaction.service_count = HOST_SERVICES;
	id = cd_arena_string(&asking.host->texts, asking.host->transaction.id);
	follower = deploy(asking.host, NULL, NULL);
	asking.question = BACK;
	short_of_everything(ask_once, &asking);
	/* And its record cannot be read: that it is said needs memory, too. */
	asking.id = id;
	in_host(asking.host,
		cd_arena_format(&asking.host->texts, "echo x >var/state/backups/%s/manifest", follower));
	short_of_everything(ask_once, &asking);
}

/* All of them go, or none; that it failed is said; a copy beside never stays without its backup. */
/* Prune with the at-th of these calls failing, and recover: all that was to go is gone, or nothing. */
static bool prune_short(struct host *host, const char *calls, long at, int fault)
{
	bool removed, met;
	int result, recovered;
	size_t count;

	in_host(host, "rm -rf etc var && cp -a kept/etc kept/var .");
	host_begin(host, "prune");
	short_of(calls, at, 1, fault);
	result = cd_history_prune(&removed, &host->problems, &host->root, host->transaction.state_directory,
				  1, 0, 1);
	met = short_met();
	assert_true(met || result == 0);
	assert_true(result <= 0);
	assert_int_equal(recover(host, &recovered), 0);
	count = host_history(host);
	assert_true(count == 1 || (count == 3 && result != 0));
	in_host(host, count == 1 ? "! ls etc | grep -q bak" : "ls etc | grep -q bak");
	assert_false(cd_transaction_is_interrupted(&host->root, host_path(host, "var/state")));
	return met;
}

static void test_whatever_fails_while_old_ones_go(void **state)
{
	static const int faults[] = {ENOMEM, EIO, EACCES};
	static const char *const calls[] = {"write", "fsync"};
	struct host *host = *state;

	deploy_everything(host);
	(void)deploy(host, NULL, "2\n");
	(void)deploy(host, NULL, "3\n");
	in_host(host, "mkdir kept && cp -a etc var kept");
	/* Each of the first ones, then fewer. */
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		for (long at = 1; prune_short(host, NULL, at, faults[i]); at += 1 + at / 16)
			;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (long at = 1; prune_short(host, calls[i], at, EIO); at++)
			;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, host_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_list_and_show),
		TEST(test_the_last_is_rolled_back),
		TEST(test_created_things_go),
		TEST(test_a_file_in_the_place_of_a_directory),
		TEST(test_later_edits_are_not_lost),
		TEST(test_a_damaged_backup),
		TEST(test_what_is_no_backup),
		TEST(test_one_out_of_the_middle),
		TEST(test_servers_that_followed),
		TEST(test_one_that_followed_is_damaged),
		TEST(test_nothing_but_reloads),
		TEST(test_one_service_and_one_file),
		TEST(test_failed_runs_are_in_the_history),
		TEST(test_pruning),
		TEST(test_what_is_as_before_already),
		TEST(test_a_file_by_another_path),
		TEST(test_one_run_with_two_results),
		TEST(test_copies_that_have_gone),
		TEST(test_pruning_nothing),
		TEST(test_pruning_interrupted),
		TEST(test_pruning_fails),
		TEST(test_pruning_what_cannot_be_renamed),
		TEST(test_many_in_one_second),
		TEST(test_a_clock_that_went_back),
		TEST(test_whatever_fails_while_it_is_read),
		TEST(test_whatever_fails_while_old_ones_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
