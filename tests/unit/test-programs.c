/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-programs.c - the programs of a transaction: those that make files, and the servers' own */
#include "short.h"

#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int set_up(void **state)
{
	struct host *host = host_ready(0, 0);

	host_put(host, "run/build", "#!/bin/sh\nf=${1#hash:}\ntr '\\0' N <\"$f\" >\"$f.db\"\n");
	assert_int_equal(chmod(host_path(host, "run/build"), 0755), 0);
	*state = host;
	return 0;
}

static mode_t mode_of(struct host *host, const char *name)
{
	struct stat status;

	assert_int_equal(stat(host_path(host, "%s", name), &status), 0);
	return status.st_mode & 07777;
}

static void assert_no_litter(struct host *host)
{
	static const char *const left[] = {"build", "stage", "journal", "committed"};

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		assert_int_equal(access(host_path(host, "var/state/%s", left[i]), F_OK), -1);
}

/* ---- files that a program makes ---- */

/* The input is copied: it must last until the run. */
static void add_build(struct host *host, const char *source, const char *input, size_t length,
		      const char *service)
{
	const char *argv[] = {host_path(host, "run/build"), "hash:%s", NULL};
	const struct cd_change_build build = {
		.source = host_path(host, "%s", source),
		.argv = argv,
		.product = host_path(host, "%s.db", source),
		.suffix = ".db",
		.service = service,
		.input = input == NULL ? NULL : cd_arena_copy(&host->texts, input, length),
		.input_length = length};

	assert_int_equal(cd_changes_add_build(&host->changes, &host->problems, &build), 0);
}

/* It is as open as what it was made from; where that is not there, as other files. */
static void test_from_what_stands_there(void **state)
{
	struct host *host = *state;
	const struct certdeploy_file_report *report;

	host_put(host, "etc/map", "text\n");
	assert_int_equal(chmod(host_path(host, "etc/map"), 0640), 0);
	for (int i = 0; i < 2; i++) {
		host_begin(host, "deploy");
		add_build(host, "etc/map", NULL, 0, NULL);
		assert_int_equal(host_run(host), 0);
		assert_true(host_has(host, "etc/map.db", "text\n"));
		assert_int_equal(mode_of(host, "etc/map.db"), 0640);
		assert_no_litter(host);
	}
	report = host->transaction.files.items[0];
	assert_string_equal(report->change, "unchanged");
	host_begin(host, "deploy");
	add_build(host, "etc/none", "given\n", 6, "one");
	assert_int_equal(host_run(host), 0);
	assert_true(host_has(host, "etc/none.db", "given\n"));
	assert_int_equal(mode_of(host, "etc/none.db"), 0644);
	/* It goes in the same run: what it was is what the program sees. */
	host_begin(host, "deploy");
	host_change(host, CD_CHANGE_REMOVE, "etc/map", NULL, NULL, false);
	host_put(host, "etc/map", "last\n");
	add_build(host, "etc/map", NULL, 0, "one");
	assert_int_equal(host_run(host), 0);
	assert_true(host_has(host, "etc/map.db", "last\n"));
	assert_int_equal(access(host_path(host, "etc/map"), F_OK), -1);
}

/* Who may read the source is not known: the product is nobody else's, or there is none. */
static void test_from_what_cannot_be_looked_at(void **state)
{
	struct host *host = *state;
	bool met = true, hidden = false;

	host_put(host, "etc/map", "text\n");
	/* The state directory is there: each of the runs makes the same calls. */
	assert_int_equal(host_run(host), 0);
	for (long at = 1; met; at++) {
		int result;

		(void)unlink(host_path(host, "etc/map.db"));
		host_begin(host, "deploy");
		host->transaction.service_count = 0;
		add_build(host, "etc/map", NULL, 0, NULL);
		short_of("fstat", at, 1, EIO);
		result = host_run(host);
		met = short_met();
		assert_true(met || result == 0);
		if (result != 0)
			assert_true(host_has(host, "etc/map.db", NULL));
		else
			assert_true(mode_of(host, "etc/map.db") == 0644 ||
				    mode_of(host, "etc/map.db") == 0600);
		hidden = hidden || (result == 0 && mode_of(host, "etc/map.db") == 0600);
	}
	assert_true(hidden);
	assert_no_litter(host);
}

static void test_from_what_is_not_there(void **state)
{
	struct host *host = *state;

	host_file(host, "etc/one.conf", "new one\n", NULL);
	add_build(host, "etc/none", NULL, 0, NULL);
	assert_int_not_equal(host_run(host), 0);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_has(host, "etc/none.db", NULL));
	assert_no_litter(host);
}

/* Paths of what comes are replaced wherever they stand, and nothing else is. */
static void test_what_the_program_sees(void **state)
{
	struct host *host = *state;
	char input[512], wanted[512], *text;
	int length = snprintf(input, sizeof(input), "%c,name %s %s\t/etc relative\n%s", 0,
			      host_path(host, "etc/new"), host_path(host, "etc/new/key"),
			      host_path(host, "etc/new/key"));

	host_change(host, CD_CHANGE_DIRECTORY, "etc/new", NULL, NULL, false);
	host_change(host, CD_CHANGE_FILE, "etc/new/key", "KEY\n", NULL, true);
	host_file(host, "etc/map", "name\n", "one");
	add_build(host, "etc/map", input, (size_t)length, "one");
	assert_int_equal(host_run(host), 0);
	assert_int_equal(mode_of(host, "etc/map.db"), 0644);
	text = host_get(host, "etc/map.db");
	assert_non_null(text);
	(void)snprintf(wanted, sizeof(wanted), "N,name %s %s/var/state/build/0/new-0\t/etc relative\n%s",
		       host_path(host, "etc/new"), host->path, host->path);
	assert_int_equal(strncmp(text, wanted, strlen(wanted)), 0);
	assert_string_equal(text + strlen(wanted), "/var/state/build/0/new-1");
	free(text);
	assert_no_litter(host);
}

static void test_programs_that_make_nothing(void **state)
{
	struct host *host = *state;

	for (int i = 0; i < 3; i++) {
		host_begin(host, "deploy");
		host_file(host, "etc/map", "name\n", "one");
		add_build(host, "etc/map", NULL, 0, "one");
		if (i < 2)
			host_put(host, "run/build", i == 0 ? "#!/bin/sh\n" : "#!/bin/sh\nexit 3\n");
		else
			assert_int_equal(unlink(host_path(host, "run/build")), 0);
		assert_int_equal(host_run(host), CERTDEPLOY_EFAILED);
		assert_string_equal(host_error(host), "command-failed");
		assert_true(host_has(host, "etc/map", NULL));
		assert_true(host_has(host, "etc/map.db", NULL));
		assert_no_litter(host);
	}
}

/* In a tree no program is run, and it is said of which file. */
static void test_nothing_is_made_in_a_tree(void **state)
{
	struct host *host = *state;
	static const char *const argv[] = {"/run/build", "hash:%s", NULL};
	const struct cd_change_build build = {
		.source = "/etc/map", .argv = argv, .product = "/etc/map.db", .suffix = ".db"};
	const struct certdeploy_problem *problem;
	struct cd_root live = host->root;

	host_put(host, "etc/map", "text\n");
	assert_int_equal(cd_root_open(&host->root, &host->problems, host->path), 0);
	host->transaction.state_directory = "/var/state";
	assert_int_equal(cd_changes_add_build(&host->changes, &host->problems, &build), 0);
	assert_int_equal(host_run(host), 0);
	cd_root_close(&host->root);
	host->root = live;
	assert_int_equal(host->problems.list.count, 1);
	problem = host->problems.list.items[0];
	assert_string_equal(problem->code, "not-built");
	assert_string_equal(problem->file, "/etc/map.db");
	assert_true(host_has(host, "etc/map.db", NULL));
}

/* Files and what is made of them, all of it new or all of it old. */
static void build_once(struct host *host)
{
	char input[256];
	int length = snprintf(input, sizeof(input), "name %s\n", host_path(host, "etc/key"));

	host_put(host, "etc/map", "old\n");
	host_put(host, "etc/key", "old\n");
	host_put(host, "etc/map.db", "old\n");
	host_begin(host, "deploy");
	host_change(host, CD_CHANGE_FILE, "etc/key", "new\n", NULL, true);
	host_file(host, "etc/map", "new\n", NULL);
	add_build(host, "etc/map", input, (size_t)length, NULL);
	host->transaction.keep = 1;
}

static void assert_whole(struct host *host, int result)
{
	bool made = !host_has(host, "etc/map.db", "old\n");
	const char *wanted = result == 0 ? "new\n" : "old\n";

	assert_int_equal(made, result == 0);
	assert_true(host_has(host, "etc/map", wanted));
	assert_true(host_has(host, "etc/key", wanted));
	assert_int_not_equal(result, CERTDEPLOY_EBROKEN);
}

static void test_whatever_fails_while_files_are_made(void **state)
{
	static const struct {
		const char *calls;
		int fault;
	} cases[] = {{"malloc calloc realloc strdup strndup cd_run", ENOMEM},
		     {"EVP_Digest EVP_DigestUpdate EVP_MD_CTX_new", ENOMEM},
		     {"openat", EIO},
		     {"write", ENOSPC},
		     {"mkdirat", EROFS}};
	struct host *host = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool met = true;

		/* Where each string is an allocation of its own, as for coverage, there are thousands. */
		for (long at = 1; met; at += 1 + at / 400) {
			int result;

			build_once(host);
			short_of(cases[i].calls, at, 1, cases[i].fault);
			result = host_run(host);
			met = short_met();
			assert_true(met || result == 0);
			if (result != 0 && cases[i].fault == ENOMEM)
				assert_int_equal(result, CERTDEPLOY_ENOMEM);
			assert_whole(host, result);
		}
	}
	assert_no_litter(host);
}

static void test_memory_is_short_for_what_a_program_said(void **state)
{
	struct host *host = *state;
	bool met = true;

	host_put(host, "run/build", "#!/bin/sh\necho it cannot be >&2\nexit 3\n");
	for (long at = 1; met; at += 1 + at / 400) {
		int result;

		build_once(host);
		short_of("malloc calloc realloc strdup strndup", at, 1, ENOMEM);
		result = host_run(host);
		met = short_met();
		assert_true(result == CERTDEPLOY_ENOMEM || result == CERTDEPLOY_EFAILED);
		assert_whole(host, result);
	}
	assert_no_litter(host);
}

/* ---- servers ---- */

static void serve(struct host *host, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		host_service(host, i);
		host_start(host, i);
	}
	host_begin(host, "deploy");
}

static void change_both(struct host *host, const char *one, const char *two)
{
	host_begin(host, "deploy");
	host_file(host, "etc/one.conf", one, "one");
	host_file(host, "etc/two.conf", two, "two");
}

static void assert_old(struct host *host)
{
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_has(host, "etc/two.conf", "old two\n"));
	assert_no_litter(host);
}

static void test_a_restart_where_a_reload_does_not_do(void **state)
{
	struct host *host = *state;

	serve(host, 2);
	for (int i = 0; i < 2; i++) {
		change_both(host, i == 0 ? "1\n" : "2\n", "3\n");
		host->services[0].restart = i == 0;
		host->transaction.restart = i == 1;
		assert_int_equal(host_run(host), 0);
		assert_true(host_serves(host, 0, i == 0 ? "1\n" : "2\n"));
		assert_string_equal(host->services[0].action, "restart");
		assert_string_equal(host->services[1].action, i == 0 ? "reload" : "restart");
	}
	assert_true(host_has(host, "run/one.log", "start\ntest\nrestart\ntest\nrestart\n"));
	assert_true(host_has(host, "run/two.log", "start\ntest\nreload\ntest\nrestart\n"));
}

/* As the proof does for servers whose ports say nothing new after a reload; the second look is content. */
static int ask_for_restarts(struct host *host, size_t count)
{
	for (size_t i = 0; i < count; i++)
		host->services[i].restart = true;
	host->proved++;
	return host->proved > 1 ? 0
				: cd_fail(&host->problems, CERTDEPLOY_EFAILED, "served-other", NULL, 0,
					  "not proven");
}

static int ask_for_one_restart(void *user)
{
	return ask_for_restarts(user, 1);
}

static int ask_for_both_restarts(void *user)
{
	return ask_for_restarts(user, 2);
}

/* The one that was asked for, and no other; what the first look found is no error any more. */
static void test_a_restart_where_a_reload_did_not_do(void **state)
{
	struct host *host = *state;

	serve(host, 2);
	change_both(host, "1\n", "2\n");
	host->transaction.prove = ask_for_one_restart;
	assert_int_equal(host_run(host), 0);
	assert_int_equal(host->proved, 2);
	assert_true(host_has(host, "run/one.log", "start\ntest\nreload\nrestart\n"));
	assert_true(host_has(host, "run/two.log", "start\ntest\nreload\n"));
	assert_string_equal(host->services[0].action, "restart");
	assert_string_equal(host->services[0].state, "verified");
	assert_string_equal(host->services[1].action, "reload");
	assert_string_equal(host->services[1].state, "verified");
	assert_int_equal(host->problems.list.count, 1);
	assert_string_equal(host_error(host), "");
	assert_true(host_serves(host, 0, "1\n"));
	assert_no_litter(host);
}

/* One that was restarted already, and one that did not run: there is nothing to look at a second time. */
static void test_a_restart_that_would_not_help(void **state)
{
	struct host *host = *state;

	serve(host, 1);
	host_service(host, 1);
	change_both(host, "1\n", "2\n");
	host->services[0].restart = true;
	host->transaction.prove = ask_for_both_restarts;
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	assert_string_equal(host_error(host), "served-other");
	assert_int_equal(host->proved, 1);
	assert_true(host_has(host, "run/one.log", "start\ntest\nrestart\nreload\n"));
	assert_true(host_has(host, "run/two.log", "test\n"));
	assert_false(host_runs(host, 1));
	assert_true(host_serves(host, 0, "old one\n"));
	assert_old(host);
}

static int cancel_restarts(void *user, const char *what, size_t done, size_t total)
{
	(void)user;
	(void)done;
	(void)total;
	return strcmp(what, "restarting") == 0;
}

/* It fails, or is called off, with the first: the second is not restarted, and both have the old files. */
static void test_a_restart_that_comes_to_nothing(void **state)
{
	static const char *const codes[] = {"reload-failed", "cancelled"};
	static const int results[] = {CERTDEPLOY_EROLLEDBACK, CERTDEPLOY_ECANCELLED};
	struct host *host = *state;

	serve(host, 2);
	for (int i = 0; i < 2; i++) {
		host->services[0].restart = host->services[1].restart = false;
		host->proved = 0;
		host_put(host, "run/one.log", "");
		host_put(host, "run/two.log", "");
		change_both(host, "1\n", "2\n");
		host->argv[0][2][0] = i == 0 ? "/bin/false" : host->argv[0][1][0];
		host->transaction.progress = i == 0 ? NULL : cancel_restarts;
		host->transaction.prove = ask_for_both_restarts;
		assert_int_equal(host_run(host), results[i]);
		assert_string_equal(host_error(host), codes[i]);
		assert_int_equal(host->proved, 1);
		assert_true(host_has(host, "run/one.log", "test\nreload\nreload\n"));
		assert_true(host_has(host, "run/two.log", "test\nreload\nreload\n"));
		assert_true(host_serves(host, 0, "old one\n"));
		assert_true(host_serves(host, 1, "old two\n"));
		assert_string_equal(host->services[0].state, "rolled-back");
		assert_old(host);
	}
}

/* Neither tested nor reloaded, as it was asked. */
static void test_servers_that_are_left_alone(void **state)
{
	struct host *host = *state;

	serve(host, 1);
	host_file(host, "etc/one.conf", "SYNTAX\n", "one");
	host->transaction.test = host->transaction.reload = false;
	assert_int_equal(host_run(host), 0);
	assert_true(host_has(host, "etc/one.conf", "SYNTAX\n"));
	assert_true(host_has(host, "run/one.log", "start\n"));
	assert_string_equal(host->services[0].state, "changed");
	assert_int_equal(host->proved, 0);
}

/* Of one that cannot be asked nobody knows: it is reloaded, and again for the old files, never started. */
static void test_a_server_that_cannot_be_asked(void **state)
{
	struct host *host = *state;

	serve(host, 1);
	host->services[0].control.pid_file = NULL;
	host_file(host, "etc/one.conf", "SYNTAX\n", "one");
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	assert_int_equal(host->services[0].was_running, -1);
	assert_true(host_has(host, "run/one.log", "start\ntest\n"));
	assert_old(host);
	host_begin(host, "deploy");
	host->prove_result = CERTDEPLOY_EFAILED;
	host_file(host, "etc/one.conf", "new one\n", "one");
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	assert_true(host_serves(host, 0, "old one\n"));
	assert_string_equal(host->services[0].state, "rolled-back");
	assert_old(host);
}

static int fail_once(void *user)
{
	struct host *host = user;

	return host->proved_old++ == 0 ? CERTDEPLOY_EFAILED : 0;
}

/* One took the reload and serves nothing: it alone is started afresh, where it is known. */
static void test_a_fresh_start_helps(void **state)
{
	struct host *host = *state;

	serve(host, 2);
	change_both(host, "REFUSE\n", "new two\n");
	host->transaction.prove_old = fail_once;
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	assert_int_equal(host->proved_old, 2);
	assert_true(host_has(host, "run/two.log", "start\ntest\n"));
	assert_true(host_runs(host, 0));
	assert_old(host);
	/* No reload was begun: it may be either. */
	host->proved_old = 0;
	change_both(host, "SYNTAX\n", "new two\n");
	host->transaction.prove_old = fail_once;
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	assert_true(host_has(host, "run/two.log", "start\ntest\nstop\nstart\n"));
	assert_true(host_runs(host, 0));
	assert_true(host_runs(host, 1));
	assert_old(host);
}

static int break_servers(void *user)
{
	struct host *host = user;

	host_put(host, "run/control",
		 "#!/bin/sh\n[ \"$2\" != stop ] || kill \"$(cat \"${0%/*}/$1.pid\")\"\nexit 1\n");
	return cd_fail(&host->problems, CERTDEPLOY_EFAILED, "served-other", NULL, 0, "not proven");
}

/* No server can be told any more: the files are old, and a person is called. */
static void test_servers_that_do_not_come_back(void **state)
{
	struct host *host = *state;

	serve(host, 2);
	change_both(host, "new one\n", "new two\n");
	host->transaction.prove = break_servers;
	host->transaction.prove_old = fail_once;
	assert_int_equal(host_run(host), CERTDEPLOY_EBROKEN);
	assert_string_equal(host->services[0].state, "failed");
	assert_string_equal(host->services[1].state, "failed");
	/* Nor by a fresh start, and then there is nothing to look at. */
	assert_int_equal(host->proved_old, 1);
	assert_old(host);
}

/* Nobody looks at the ports: what the servers themselves say is all. */
static void test_without_a_look_at_the_ports(void **state)
{
	struct host *host = *state;

	serve(host, 1);
	host->transaction.prove = host->transaction.prove_old = NULL;
	host_file(host, "etc/one.conf", "REFUSE\n", "one");
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	assert_true(host_runs(host, 0));
	assert_old(host);
	host_begin(host, "deploy");
	host->transaction.prove = host->transaction.prove_old = NULL;
	host_file(host, "etc/one.conf", "new one\n", "one");
	assert_int_equal(host_run(host), 0);
	assert_string_equal(host->services[0].state, "reloaded");
	assert_true(host_serves(host, 0, "new one\n"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, host_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_from_what_stands_there),
		TEST(test_from_what_cannot_be_looked_at),
		TEST(test_from_what_is_not_there),
		TEST(test_what_the_program_sees),
		TEST(test_programs_that_make_nothing),
		TEST(test_nothing_is_made_in_a_tree),
		TEST(test_whatever_fails_while_files_are_made),
		TEST(test_memory_is_short_for_what_a_program_said),
		TEST(test_a_restart_where_a_reload_does_not_do),
		TEST(test_a_restart_where_a_reload_did_not_do),
		TEST(test_a_restart_that_would_not_help),
		TEST(test_a_restart_that_comes_to_nothing),
		TEST(test_servers_that_are_left_alone),
		TEST(test_a_server_that_cannot_be_asked),
		TEST(test_a_fresh_start_helps),
		TEST(test_servers_that_do_not_come_back),
		TEST(test_without_a_look_at_the_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
