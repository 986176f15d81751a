/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-recovery.c - what the next run finds: interrupted, damaged, planted, or not to be trusted */
#include "unit.h"

#include "host.h"
#include "short.h"

#include "base/text.h"
#include "change/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define MANIFEST "var/state/journal/manifest"

static int set_up(void **state)
{
	*state = host_ready(1, 1);
	return 0;
}

static int die(void *user)
{
	(void)user;
	(void)raise(SIGKILL);
	return 0;
}

/* A run that is killed when it looks at the ports: files are new, the server has been told. */
static void interrupt(struct host *host, const char *one)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		host_begin(host, "deploy");
		host->transaction.prove = die;
		host_file(host, "etc/one.conf", one, "one");
		host_file(host, "etc/two.conf", "new two\n", NULL);
		host_change(host, CD_CHANGE_DIRECTORY, "etc/store", NULL, NULL, false);
		host_change(host, CD_CHANGE_FILE, "etc/store/key", "key", NULL, true);
		_exit(host_run(host) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	host_begin(host, "recover");
	assert_true(cd_transaction_is_interrupted(&host->root, host->transaction.state_directory));
}

static int recover(struct host *host, int *recovered, bool force)
{
	host_begin(host, "recover");
	return cd_transaction_recover(recovered, &host->transaction, force);
}

static void assert_old(struct host *host)
{
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_has(host, "etc/two.conf", "old two\n"));
	assert_int_equal(access(host_path(host, "etc/store"), F_OK), -1);
	assert_true(host_runs(host, 0));
	assert_true(host_has(host, "run/one.served", "old one\n"));
	assert_false(cd_transaction_is_interrupted(&host->root, host_path(host, "var/state")));
}

static void test_interrupted_when_all_was_switched(void **state)
{
	struct host *host = *state;
	int recovered;

	interrupt(host, "new one\n");
	assert_true(host_has(host, "run/one.served", "new one\n"));
	assert_int_equal(recover(host, &recovered, false), 0);
	assert_int_equal(recovered, 1);
	assert_old(host);
	assert_int_equal(recover(host, &recovered, false), 0);
	assert_int_equal(recovered, 0);
}

/* The files are old again, so the server's own test, or the reload, may hang once; not twice. */
static void test_a_reload_that_hangs_costs_its_limit_once(void **state)
{
	struct host *host = *state;
	int recovered;
	time_t begun;

	host->services[0].control.timeout = 3;
	interrupt(host, "new one\n");
	host_put(host, "run/hang", "");
	begun = time(NULL);
	assert_int_equal(recover(host, &recovered, false), 0);
	assert_in_range(time(NULL) - begun, 2, 5);
	assert_old(host);
}

/* At boot the servers are started by others, after the files are in order. */
static void test_servers_can_be_left_alone(void **state)
{
	struct host *host = *state;
	char *before, *after;
	int recovered;

	interrupt(host, "new one\n");
	before = host_get(host, "run/one.log");
	host_begin(host, "recover");
	host->transaction.reload = false;
	assert_int_equal(cd_transaction_recover(&recovered, &host->transaction, false), 0);
	assert_int_equal(recovered, 1);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	after = host_get(host, "run/one.log");
	assert_string_equal(after, before);
	free(before);
	free(after);
}

/* ---- the record itself ---- */

static char *manifest(struct host *host)
{
	char *text = host_get(host, MANIFEST);

	assert_non_null(text);
	return text;
}

/* Nothing is touched, by recovery and by a run, until a person says so; then the way is free. */
static void assert_refused(struct host *host)
{
	int recovered;

	for (int i = 0; i < 2; i++) {
		if (i == 0) {
			assert_int_equal(recover(host, &recovered, false), CERTDEPLOY_EREFUSED);
		} else {
			host_begin(host, "deploy");
			host_file(host, "etc/one.conf", "newer one\n", "one");
			assert_int_equal(host_run(host), CERTDEPLOY_EREFUSED);
		}
		assert_string_equal(host_error(host), "journal-damaged");
		assert_true(host_has(host, "etc/one.conf", "new one\n"));
		assert_true(host_has(host, "etc/two.conf", "new two\n"));
		assert_true(host_has(host, "etc/store/key", "key"));
	}
	assert_int_equal(recover(host, &recovered, true), 0);
	assert_true(host_has(host, "etc/two.conf", "new two\n"));
	host_begin(host, "deploy");
	host_file(host, "etc/one.conf", "newer one\n", "one");
	assert_int_equal(host_run(host), 0);
	assert_true(host_has(host, "etc/one.conf", "newer one\n"));
}

static void test_attributes_with_any_name(void **state)
{
	static const char *const names[] = {"user.50%", "user.a\"b\\", "user.\xc3\xa9", "user.\xff"};
	struct host *host = *state;
	char value[16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (setxattr(host_path(host, "etc/one.conf"), names[i], "kept", 4, 0) != 0)
			skip();
	interrupt(host, "new one\n");
	assert_int_equal(unlink(host_path(host, "etc/one.conf")), 0);
	host_put(host, "etc/one.conf", "new one\n");
	assert_int_equal(recover(host, &(int){0}, false), 0);
	assert_old(host);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(getxattr(host_path(host, "etc/one.conf"), names[i], value, sizeof(value)),
				 4);
}

/* What could not be read again must not begin. */
static void test_a_record_that_would_be_too_large(void **state)
{
	struct host *host = *state;
	char path[4096] = "/";
	struct cd_entry entry = {.path = path, .asked = path, .staged = path};
	struct cd_journal journal = {.id = "1", .command = "deploy", .who = "root"};
	int directory = open(host_path(host, "etc"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	memset(path + 1, 'x', sizeof(path) - 2);
	for (size_t i = 0; i < CD_MANIFEST_LIMIT / (3 * sizeof(path)); i++)
		assert_int_equal(cd_vector_add(&journal.entries, &entry), 0);
	assert_int_equal(cd_journal_write(&journal, &host->problems, directory), CERTDEPLOY_EFAILED);
	cd_vector_free(&journal.entries);
	(void)close(directory);
}

/* No record at all stands in its place: nothing is followed, read or removed until a person says so. */
static void test_something_else_in_the_place_of_the_record(void **state)
{
	struct host *host = *state;
	const char *place = host_path(host, "var/state/journal");
	int recovered;

	host_file(host, "etc/one.conf", "new one\n", "one");
	assert_int_equal(host_run(host), 0);
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			assert_int_equal(symlink("backups", place), 0);
		else
			host_put(host, "var/state/journal", "theirs\n");
		assert_int_equal(recover(host, &recovered, false), CERTDEPLOY_EREFUSED);
		assert_string_equal(host_error(host), "journal-damaged");
		assert_int_equal(access(place, F_OK), 0);
		if (i == 0)
			assert_int_equal(unlink(place), 0);
	}
	assert_int_equal(recover(host, &recovered, true), 0);
	assert_int_equal(access(place, F_OK), -1);
	assert_true(host_has(host, "etc/one.conf", "new one\n"));
	assert_false(cd_transaction_is_interrupted(&host->root, host_path(host, "var/state")));
}

static void test_a_damaged_record(void **state)
{
	struct host *host = *state;
	char *text;

	interrupt(host, "new one\n");
	text = manifest(host);
	text[strlen(text) / 2] ^= 1;
	host_put(host, MANIFEST, text);
	free(text);
	assert_refused(host);
}

static void test_a_torn_record(void **state)
{
	struct host *host = *state;
	char *text;

	interrupt(host, "new one\n");
	text = manifest(host);
	text[strlen(text) - 2] = '\0';
	host_put(host, MANIFEST, text);
	free(text);
	assert_refused(host);
}

static void test_a_record_that_is_missing(void **state)
{
	struct host *host = *state;

	interrupt(host, "new one\n");
	assert_int_equal(unlink(host_path(host, MANIFEST)), 0);
	assert_refused(host);
}

/* Commands stand in it: whoever may write it is root. */
static void test_a_record_of_somebody_else(void **state)
{
	struct host *host = *state;

	interrupt(host, "new one\n");
	assert_int_equal(chmod(host_path(host, MANIFEST), 0666), 0);
	assert_refused(host);
}

static void test_a_directory_of_somebody_else(void **state)
{
	struct host *host = *state;

	interrupt(host, "new one\n");
	assert_int_equal(chmod(host_path(host, "var/state/journal"), 0777), 0);
	assert_refused(host);
}

static void replace(char **text, const char *old, const char *new)
{
	char *at = strstr(*text, old);
	size_t length = strlen(*text) + strlen(new) + 1;
	char *out = malloc(length);

	assert_non_null(at);
	assert_non_null(out);
	(void)snprintf(out, length, "%.*s%s%s", (int)(at - *text), *text, new, at + strlen(old));
	free(*text);
	*text = out;
}

/* The checksum is right, and what it vouches for is nothing that a run can have written. */
static void test_records_that_no_run_has_written(void **state)
{
	static const char *const cases[][2] = {
		{"\"staged\": ", "\"stagged\": "},
		{"\"inside\": true", "\"inside\": false"},
		{"\"inside\": false", "\"inside\": 0"},
		{"\"kind\": \"file\"", "\"kind\": \"device\""},
		{"\"sha256\": \"", "\"sha256\": \"0"},
		{"\"id\": \"", "\"id\": \"../../"},
		{"\"id\": \"", "\"id\": \"%2F"},
		{"\"id\": \"", "\"no\": \""},
		{"\"path\": \"/", "\"path\": \""},
		{"\"path\": \"/", "\"path\": \"/../"},
		{"\"path\": \"/", "\"path\": \"/%00"},
		{"\"path\": \"/", "\"path\": \"/%0A"},
		{"\"path\": \"/", "\"path\": \"/%G0"},
		{"\"reload\": [", "\"reload\": [ ], \"no\": ["},
		{"\"reload\": [", "\"reload\": 1, \"no\": ["},
		{"\"reload\": [", "\"reload\": [ 1, "},
		{"\"timeout\": ", "\"timeout\": \"1\", \"no\": "},
		{"\"files\": [", "\"files\": 1, \"no\": ["},
		{"\"files\": [", "\"files\": [ 1, "},
		{"\"services\": [", "\"services\": [ { }, "},
		{"\"mode\": ", "\"mode\": \"x\", \"no\": "},
		{"\"holders\": [", "\"holders\": [ \"../x\""},
		{"\"holders\": [", "\"holders\": [ null"},
		{"\"id\": \"", "\"id\": \"\", \"no\": \""},
		{"\"id\": \"",
		 "\"id\": \"0123456789012345678901234567890123456789012345678901234567890123456789"},
		{"\"id\": ", "\"id\": 1, \"no\": "},
		{"\"time\": ", "\"time\": \"now\", \"no\": "},
		{"\"command\": ", "\"no\": "},
		{"\"who\": ", "\"no\": "},
		{"\"path\": \"/", "\"path\": \"/%"},
		{"\"path\": \"/", "\"path\": \"/%2"},
		{"\"path\": \"/", "\"path\": \"/%2G"},
		{"\"path\": ", "\"no\": "},
		{"\"asked\": ", "\"no\": "},
		{"\"staged\": \"/", "\"staged\": \""},
		{"\"secret\": ", "\"secret\": 1, \"no\": "},
		{"\"before\": ", "\"no\": "},
		{"\"after\": ", "\"no\": "},
		{"\"kind\": \"file\"", "\"kind\": \"link\""},
		{"\"kind\": ", "\"no\": "},
		{"\"sha256\": ", "\"no\": "},
		{"\"mode\": ", "\"no\": "},
		{"\"owner\": ", "\"no\": "},
		{"\"group\": ", "\"no\": "},
		{"\"modified\": ", "\"no\": "},
		{"\"modified_nsec\": ", "\"no\": "},
		{"\"mode\": ", "\"xattrs\": 1, \"mode\": "},
		{"\"mode\": ", "\"xattrs\": {\"user.a\": 1}, \"mode\": "},
		{"\"mode\": ", "\"xattrs\": {\"user.a\": \"0g\"}, \"mode\": "},
		{"\"mode\": ", "\"xattrs\": {\"user.a\": \"g0\"}, \"mode\": "},
		{"\"mode\": ", "\"xattrs\": {\"user.a\": \"123\"}, \"mode\": "},
		{"\"mode\": ", "\"xattrs\": {\"user.%\": \"12\"}, \"mode\": "},
		{"\"name\": \"one\"", "\"no\": \"one\""},
		{"\"start\": [", "\"start\": [ ], \"no\": ["},
		{"\"was_running\": ", "\"no\": "},
		{"\"services\": [", "\"services\": [ null, "},
		{"\"files\": ", "\"no\": "},
	};
	struct host *host = *state;
	char *text, *body;

	interrupt(host, "new one\n");
	text = manifest(host);
	body = strchr(text, '\n') + 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *changed = strdup(body), digest[CD_SHA256_TEXT], *record;
		size_t length;
		int recovered;

		replace(&changed, cases[i][0], cases[i][1]);
		length = strlen(changed) + 200;
		record = malloc(length);
		assert_non_null(record);
		assert_int_equal(cd_sha256(digest, changed, strlen(changed)), 0);
		(void)snprintf(record, length, "certdeploy-manifest 1 %zu %s\n%s", strlen(changed), digest,
			       changed);
		host_put(host, MANIFEST, record);
		free(record);
		free(changed);
		if (recover(host, &recovered, false) != CERTDEPLOY_EREFUSED)
			fail_msg("%s -> %s", cases[i][0], cases[i][1]);
		assert_string_equal(host_error(host), "journal-damaged");
		assert_true(host_has(host, "etc/two.conf", "new two\n"));
	}
	host_put(host, MANIFEST, text);
	free(text);
	assert_int_equal(recover(host, &(int){0}, false), 0);
	assert_old(host);
}

/* ---- where it lies ---- */

static void test_a_state_that_others_can_change(void **state)
{
	struct host *host = *state;
	const char *place = host_path(host, "var/state");
	int recovered;

	interrupt(host, "new one\n");
	assert_int_equal(chmod(place, 0777), 0);
	assert_int_equal(recover(host, &recovered, false), CERTDEPLOY_EREFUSED);
	assert_string_equal(host_error(host), "unsafe-path");
	assert_true(host_has(host, "etc/one.conf", "new one\n"));
	assert_int_equal(chmod(place, 0700), 0);
	assert_int_equal(chmod(host_path(host, "var"), 0777), 0);
	assert_int_equal(recover(host, &recovered, false), CERTDEPLOY_EREFUSED);
	assert_int_equal(chmod(host_path(host, "var"), 0755), 0);
	assert_int_equal(recover(host, &recovered, false), 0);
	assert_old(host);
}

static void test_leftovers_from_before_it_began(void **state)
{
	struct host *host = *state;
	int recovered;

	host_file(host, "etc/one.conf", "new one\n", "one");
	assert_int_equal(host_run(host), 0);
	assert_int_equal(mkdir(host_path(host, "var/state/stage"), 0700), 0);
	assert_int_equal(mkdir(host_path(host, "var/state/stage/files"), 0700), 0);
	host_put(host, "var/state/stage/files/half", "half");
	assert_int_equal(mkdir(host_path(host, "var/state/build"), 0700), 0);
	host_put(host, "var/state/build/key", "key");
	host_begin(host, "recover");
	assert_true(cd_transaction_is_interrupted(&host->root, host->transaction.state_directory));
	assert_int_equal(recover(host, &recovered, false), 0);
	assert_int_equal(recovered, 0);
	assert_true(host_has(host, "etc/one.conf", "new one\n"));
	assert_int_equal(access(host_path(host, "var/state/stage"), F_OK), -1);
	assert_int_equal(access(host_path(host, "var/state/build"), F_OK), -1);
}

/* What somebody has changed since the kill stays, is named, and stands in no other file's way. */
static void test_what_others_changed_since_stays(void **state)
{
	struct host *host = *state;
	const struct certdeploy_problem *problem = NULL;
	int recovered;

	interrupt(host, "new one\n");
	host_put(host, "etc/two.conf", "edited\n");
	host_put(host, "etc/store/mine", "mine\n");
	assert_int_equal(recover(host, &recovered, false), 0);
	assert_int_equal(recovered, 3);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_has(host, "etc/two.conf", "edited\n"));
	assert_true(host_has(host, "etc/store/mine", "mine\n"));
	assert_true(host_has(host, "etc/store/key", NULL));
	for (size_t i = 0; i < host->problems.list.count; i++) {
		problem = host->problems.list.items[i];
		if (strcmp(problem->code, "changed-since") == 0)
			break;
	}
	assert_non_null(problem);
	assert_string_equal(problem->code, "changed-since");
	assert_false(cd_transaction_is_interrupted(&host->root, host_path(host, "var/state")));
}

/* ---- whatever fails on the way back ---- */

static void in_host(struct host *host, const char *command)
{
	char line[512];

	(void)snprintf(line, sizeof(line), "cd %s && %s", host->path, command);
	assert_int_equal(system(line), 0);
}

/* Of each kind of thing one is made, one is replaced and one is removed; what is read waits elsewhere. */
static void change_everything(struct host *host)
{
	host_begin(host, "deploy");
	host->transaction.service_count = 0;
	host->transaction.prove = die;
	host->read_below = host_path(host, "etc/conf.d/");
	host_file(host, "etc/one.conf", "new one\n", NULL);
	host_file(host, "etc/conf.d/read", "new read\n", NULL);
	host_change(host, CD_CHANGE_DIRECTORY, "etc/store", NULL, NULL, false);
	host_change(host, CD_CHANGE_FILE, "etc/store/key", "key", NULL, true);
	host_change(host, CD_CHANGE_LINK, "etc/current", "new", NULL, false);
	host_change(host, CD_CHANGE_REMOVE, "etc/gone", NULL, NULL, false);
}

static void assert_a_key_is_private(struct host *host)
{
	struct stat status;

	if (stat(host_path(host, "etc/store/key"), &status) == 0)
		assert_int_equal(status.st_mode & 077, 0);
}

static bool all_is_old(struct host *host)
{
	char target[16] = "";

	return host_has(host, "etc/one.conf", "old one\n") &&
	       host_has(host, "etc/conf.d/read", "old read\n") &&
	       host_has(host, "etc/gone/file", "file\n") &&
	       access(host_path(host, "etc/store"), F_OK) == -1 &&
	       readlink(host_path(host, "etc/gone/link"), target, sizeof(target)) == 4 &&
	       readlink(host_path(host, "etc/current"), target, sizeof(target)) == 3 &&
	       memcmp(target, "old", 3) == 0;
}

static void begin_recovery(struct host *host)
{
	host_begin(host, "recover");
	host->transaction.service_count = 0;
	host->read_below = NULL;
}

/*
 * It says that it failed, or it did not; the key is nobody else's; and the next one finishes it. What it
 * did twice and what it did not do again is all the same in the end.
 */
static void test_whatever_fails_on_the_way_back(void **state)
{
	static const int faults[] = {ENOMEM, EIO, EACCES};
	struct host *host = *state;
	pid_t child;
	int status;

	in_host(host, "mkdir etc/conf.d etc/gone && echo old read >etc/conf.d/read && echo file "
		      ">etc/gone/file && "
		      "ln -s file etc/gone/link && ln -s old etc/current");
	child = fork();
	if (child == 0) {
		change_everything(host);
		_exit(host_run(host) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_true(host_has(host, "etc/conf.d/read", "new read\n"));
	in_host(host, "mkdir kept && cp -a etc var kept");
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		bool met = true;

		/* Each of the first ones, then fewer. */
		for (long at = 1; met; at += 1 + at / 16) {
			int result, recovered;

			in_host(host, "rm -rf etc var && cp -a kept/etc kept/var .");
			begin_recovery(host);
			short_of(NULL, at, 1, faults[i]);
			result = cd_transaction_recover(&recovered, &host->transaction, false);
			met = short_met();
			assert_true(met || result == 0);
			if (result != 0 && faults[i] == ENOMEM)
				assert_true(result == CERTDEPLOY_ENOMEM || result == CERTDEPLOY_EBROKEN);
			assert_a_key_is_private(host);
			if (result == 0 && !all_is_old(host))
				fail_msg("not old, and nothing was said: fault %d, call %ld", faults[i],
					 at);
			begin_recovery(host);
			if (cd_transaction_recover(&recovered, &host->transaction, false) != 0 ||
			    !all_is_old(host))
				fail_msg("not old in the end: fault %d, call %ld, %s", faults[i], at,
					 host_error(host));
			assert_false(
				cd_transaction_is_interrupted(&host->root, host_path(host, "var/state")));
		}
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, host_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_interrupted_when_all_was_switched),
		TEST(test_a_reload_that_hangs_costs_its_limit_once),
		TEST(test_servers_can_be_left_alone),
		TEST(test_attributes_with_any_name),
		TEST(test_a_record_that_would_be_too_large),
		TEST(test_something_else_in_the_place_of_the_record),
		TEST(test_a_damaged_record),
		TEST(test_a_torn_record),
		TEST(test_a_record_that_is_missing),
		TEST(test_a_record_of_somebody_else),
		TEST(test_a_directory_of_somebody_else),
		TEST(test_records_that_no_run_has_written),
		TEST(test_a_state_that_others_can_change),
		TEST(test_leftovers_from_before_it_began),
		TEST(test_what_others_changed_since_stays),
		TEST(test_whatever_fails_on_the_way_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
