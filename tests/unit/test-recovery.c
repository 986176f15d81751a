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
#include <sys/stat.h>
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
static void run_and_die(struct host *host, void (*change)(struct host *host))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		host_begin(host, "deploy");
		host->transaction.prove = die;
		change(host);
		_exit(host_run(host) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	host_begin(host, "recover");
	assert_true(cd_transaction_is_interrupted(&host->root, host->transaction.state_directory));
}

static void change_some(struct host *host)
{
	host_file(host, "etc/one.conf", "new one\n", "one");
	host_file(host, "etc/two.conf", "new two\n", NULL);
	host_change(host, CD_CHANGE_DIRECTORY, "etc/store", NULL, NULL, false);
	host_change(host, CD_CHANGE_FILE, "etc/store/key", "key", NULL, true);
}

static void interrupt(struct host *host)
{
	run_and_die(host, change_some);
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

	interrupt(host);
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
	interrupt(host);
	host_put(host, "run/hang", "");
	begun = time(NULL);
	assert_int_equal(recover(host, &recovered, false), 0);
	assert_in_range(time(NULL) - begun, 2, 5);
	assert_old(host);
}

/* A deployment puts back first; the ports are looked at by its own proof only. */
static void test_the_next_deployment_puts_back_first(void **state)
{
	struct host *host = *state;

	interrupt(host);
	host_begin(host, "deploy");
	host->prove_old_result = CERTDEPLOY_EFAILED;
	host_file(host, "etc/two.conf", "newer two\n", NULL);
	assert_int_equal(host_run(host), 0);
	assert_int_equal(host->proved_old, 0);
	assert_int_equal(host->proved, 1);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_has(host, "etc/two.conf", "newer two\n"));
	assert_true(host_serves(host, 0, "old one\n"));
	assert_int_equal(host_history(host), 2);
}

static int ask_while_it_runs(void *user)
{
	struct host *host = user;

	host->proved++;
	assert_int_equal(access(host_path(host, "var/state/journal"), F_OK), 0);
	assert_false(cd_transaction_is_interrupted(&host->root, host->transaction.state_directory));
	assert_int_equal(cd_transaction_moment(&host->root, host->transaction.state_directory), -1);
	return 0;
}

/* What is still at work leaves the same behind as what was killed, but holds the lock. */
static void test_at_work_is_not_interrupted(void **state)
{
	struct host *host = *state;

	host->transaction.prove = ask_while_it_runs;
	host_file(host, "etc/one.conf", "new one\n", "one");
	assert_int_equal(host_run(host), 0);
	assert_int_equal(host->proved, 1);
}

/* At boot the servers are started by others, after the files are in order. */
static void test_servers_can_be_left_alone(void **state)
{
	struct host *host = *state;
	char *before, *after;
	int recovered;

	interrupt(host);
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
	interrupt(host);
	assert_int_equal(unlink(host_path(host, "etc/one.conf")), 0);
	host_put(host, "etc/one.conf", "new one\n");
	assert_int_equal(recover(host, &(int){0}, false), 0);
	assert_old(host);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(getxattr(host_path(host, "etc/one.conf"), names[i], value, sizeof(value)),
				 4);
}

/* A link may lead anywhere; its record tells every byte. */
static void replace_link(struct host *host)
{
	host_change(host, CD_CHANGE_LINK, "etc/current", "new", NULL, false);
}

static void test_a_link_with_any_target(void **state)
{
	static const char target[] = "old \n\x01\x1f\x7f\"\\%41\xff";
	char found[sizeof(target) + 1] = "";
	struct host *host = *state;

	assert_int_equal(symlink(target, host_path(host, "etc/current")), 0);
	run_and_die(host, replace_link);
	assert_int_equal(readlink(host_path(host, "etc/current"), found, sizeof(found)), 3);
	assert_int_equal(recover(host, &(int){0}, false), 0);
	assert_int_equal(readlink(host_path(host, "etc/current"), found, sizeof(found)),
			 sizeof(target) - 1);
	assert_memory_equal(found, target, sizeof(target) - 1);
}

/* What could not be read again must not begin. */
static void test_a_record_that_would_be_too_large(void **state)
{
	struct host *host = *state;
	char path[4096] = "/";
	struct cd_entry entry = {.path = path, .asked = path, .staged = path};
	struct cd_journal journal = {.id = "1", .command = "deploy", .who = "root"};
	int directory = open(host_path(host, "etc"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cd_flush flush = {0};

	memset(path + 1, 'x', sizeof(path) - 2);
	for (size_t i = 0; i < CD_MANIFEST_LIMIT / (3 * sizeof(path)); i++)
		assert_int_equal(cd_vector_add(&journal.entries, &entry), 0);
	assert_int_equal(cd_journal_write(&journal, &host->problems, directory, &flush),
			 CERTDEPLOY_EFAILED);
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

	interrupt(host);
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

	interrupt(host);
	text = manifest(host);
	text[strlen(text) - 2] = '\0';
	host_put(host, MANIFEST, text);
	free(text);
	assert_refused(host);
}

/* The first line says how much follows, and what it adds up to. */
static void test_a_first_line_that_vouches_for_nothing(void **state)
{
	static const char *const lines[] = {
		"",
		"\n",
		"x",
		"certdeploy-manifest 1 ",
		"certdeploy-manifest 1 2\n{}",
		"certdeploy-manifest 1 2 0123\n{}",
		"certdeploy-manifest 1 x 0123\n{}",
		"certdeploy-manifest 9 2 "
		"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n{}",
		"certdeploy-manifest 1 3 "
		"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n{}",
		"certdeploy-manifest 1 2 "
		"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8aff\n{}",
		"certdeploy-manifest 1 2\t"
		"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n{}",
		"certdeploy-manifest 1 2 "
		"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n{}"};
	struct host *host = *state;
	char *text;
	int recovered;

	interrupt(host);
	text = manifest(host);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		host_put(host, MANIFEST, lines[i]);
		assert_int_equal(recover(host, &recovered, false), CERTDEPLOY_EREFUSED);
		assert_string_equal(host_error(host), "journal-damaged");
		assert_true(host_has(host, "etc/one.conf", "new one\n"));
		assert_true(host_has(host, MANIFEST, lines[i]));
	}
	host_put(host, MANIFEST, text);
	free(text);
	assert_int_equal(recover(host, &recovered, false), 0);
	assert_old(host);
}

static void test_a_record_that_is_missing(void **state)
{
	struct host *host = *state;

	interrupt(host);
	assert_int_equal(unlink(host_path(host, MANIFEST)), 0);
	assert_refused(host);
}

/* Commands stand in it: whoever may write it is root. */
static void test_a_record_of_somebody_else(void **state)
{
	struct host *host = *state;

	interrupt(host);
	assert_int_equal(chmod(host_path(host, MANIFEST), 0666), 0);
	assert_refused(host);
}

static void test_a_directory_of_somebody_else(void **state)
{
	struct host *host = *state;

	interrupt(host);
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
		{"\"sha256\": \"", "\"sha256\": \"0"},
		{"\"sha256\": ",
		 "\"sha256\": \"%123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\", "
		 "\"no\": "},
		{"\"mode\": ", "\"mode\": 4096, \"no\": "},
		{"\"mode\": ", "\"mode\": -1, \"no\": "},
		{"\"owner\": ", "\"owner\": -1, \"no\": "},
		{"\"group\": ", "\"group\": 4294967296, \"no\": "},
		{"\"modified_nsec\": ", "\"modified_nsec\": 1000000000, \"no\": "},
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

	interrupt(host);
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

	interrupt(host);
	assert_int_equal(chmod(place, 0777), 0);
	assert_int_equal(recover(host, &recovered, false), CERTDEPLOY_EREFUSED);
	assert_string_equal(host_error(host), "unsafe-path");
	assert_true(host_has(host, "etc/one.conf", "new one\n"));
	/* Where only the owner renames what is his, others could still put theirs beside it. */
	assert_int_equal(chmod(place, 01777), 0);
	assert_int_equal(recover(host, &recovered, false), CERTDEPLOY_EREFUSED);
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

	interrupt(host);
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

/* Unless it is asked for: then it is as before whatever stands there. */
static void test_what_others_changed_since_can_be_overwritten(void **state)
{
	struct host *host = *state;
	int recovered;

	interrupt(host);
	host_put(host, "etc/two.conf", "edited\n");
	assert_int_equal(recover(host, &recovered, true), 0);
	assert_int_equal(recovered, 1);
	assert_old(host);
}

/* A pipe is not opened, a device not read, and neither is taken for what was written. */
static void test_a_pipe_in_the_place_of_a_file(void **state)
{
	struct host *host = *state;
	const char *place = host_path(host, "etc/two.conf");
	struct stat status;
	int recovered;

	interrupt(host);
	assert_int_equal(unlink(place), 0);
	assert_int_equal(mkfifo(place, 0600), 0);
	assert_int_equal(recover(host, &recovered, false), 0);
	assert_int_equal(recovered, 3);
	assert_int_equal(lstat(place, &status), 0);
	assert_true(S_ISFIFO(status.st_mode));
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	/* Who knows what it will tell of. */
	assert_true(host_has(host, "etc/store/key", "key"));
}

/* The files are as before all the same; what is left is a person's, and the next run has nothing to do. */
static void test_a_server_that_cannot_be_brought_back(void **state)
{
	struct host *host = *state;
	int recovered;

	interrupt(host);
	assert_int_equal(chmod(host_path(host, "run/control"), 0644), 0);
	host->prove_old_result = CERTDEPLOY_EFAILED;
	assert_int_equal(recover(host, &recovered, false), CERTDEPLOY_EBROKEN);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_has(host, "etc/two.conf", "old two\n"));
	assert_int_equal(chmod(host_path(host, "run/control"), 0755), 0);
	assert_int_equal(recover(host, &recovered, false), 0);
	assert_int_equal(recovered, 0);
}

/* Nobody is started who did not run. */
static void test_servers_that_did_not_run(void **state)
{
	struct host *host = *state;
	int recovered;
	char *pid = host_get(host, "run/one.pid");

	assert_non_null(pid);
	assert_int_equal(kill(atoi(pid), SIGKILL), 0);
	free(pid);
	assert_int_equal(unlink(host_path(host, "run/one.pid")), 0);
	interrupt(host);
	assert_int_equal(recover(host, &recovered, false), 0);
	assert_int_equal(recovered, 1);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_false(host_runs(host, 0));
}

/* A record whose sum cannot be made is none. */
static void test_a_record_that_cannot_be_summed_up(void **state)
{
	static const char *const calls_of_sums[] = {"EVP_MD_CTX_new", "EVP_DigestInit_ex",
						    "EVP_DigestUpdate", "EVP_DigestFinal_ex"};
	struct host *host = *state;
	struct cd_entry entry = {.path = "/a", .asked = "/a", .staged = "/.a"};
	struct cd_journal journal = {.id = "1", .command = "deploy", .who = "root"};
	int directory = open(host_path(host, "etc"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cd_flush flush = {0};

	assert_int_equal(cd_vector_add(&journal.entries, &entry), 0);
	for (size_t i = 0; i < sizeof(calls_of_sums) / sizeof(calls_of_sums[0]); i++) {
		short_of(calls_of_sums[i], 1, 1, ENOMEM);
		assert_int_equal(cd_journal_write(&journal, &host->problems, directory, &flush),
				 CERTDEPLOY_ENOMEM);
		assert_true(short_met());
		(void)unlinkat(directory, "manifest", 0);
	}
	cd_vector_free(&journal.entries);
	(void)close(directory);
}

static void in_host(struct host *host, const char *command)
{
	char line[512];

	(void)snprintf(line, sizeof(line), "cd %s && %s", host->path, command);
	assert_int_equal(system(line), 0);
}

static void change_in_directories(struct host *host)
{
	change_some(host);
	host_file(host, "etc/sub/three.conf", "new three\n", NULL);
	host_change(host, CD_CHANGE_REMOVE, "etc/gone", NULL, NULL, false);
}

/* Nothing can be put into a directory that somebody has taken away, or where they put a file of theirs. */
static void test_directories_that_have_gone_since(void **state)
{
	static const char *const commands[] = {
		"rm -r etc/store && echo mine >etc/store", "rm -r etc/sub",
		"rm -r etc/sub && echo mine >etc/sub",     "echo mine >etc/gone",
		"mv etc/sub sub && ln -s ../sub etc/sub",
	};
	struct host *host = *state;
	int recovered;

	in_host(host, "mkdir etc/sub etc/gone && echo old >etc/sub/three.conf && echo file >etc/gone/file");
	run_and_die(host, change_in_directories);
	in_host(host, "mkdir kept && cp -a etc var kept");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		in_host(host, "rm -rf etc var && cp -a kept/etc kept/var .");
		in_host(host, commands[i]);
		assert_int_equal(recover(host, &recovered, false), 0);
		assert_int_equal(recovered, 3);
		assert_true(host_has(host, "etc/one.conf", "old one\n"));
		if (strstr(commands[i], "mine") != NULL)
			assert_true(host_has(host, strstr(commands[i], ">") + 1, "mine\n"));
		assert_false(cd_transaction_is_interrupted(&host->root, host_path(host, "var/state")));
	}
}

static bool stays(struct host *host, const char *path)
{
	for (size_t i = 0; i < host->problems.list.count; i++) {
		const struct certdeploy_problem *problem = host->problems.list.items[i];

		if (strcmp(problem->code, "changed-since") == 0 && strcmp(problem->file, path) == 0)
			return true;
	}
	return false;
}

static bool leads_to(struct host *host, const char *name, const char *wanted)
{
	char target[16] = "";

	return readlink(host_path(host, "%s", name), target, sizeof(target) - 1) > 0 &&
	       strcmp(target, wanted) == 0;
}

/* By way of a link as well; and what has a name that only begins in the same way. */
static void change_by_a_link(struct host *host)
{
	host_file(host, "etc/two.conf", "new two\n", NULL);
	host_change(host, CD_CHANGE_DIRECTORY, "etc/alias/store", NULL, NULL, false);
	host_change(host, CD_CHANGE_FILE, "etc/alias/store/key", "key", NULL, true);
	host_change(host, CD_CHANGE_DIRECTORY, "etc/alias/storehouse", NULL, NULL, false);
}

static void test_what_is_named_by_way_of_a_link_stays(void **state)
{
	struct host *host = *state;
	int recovered;

	in_host(host, "mkdir etc/real && ln -s real etc/alias");
	run_and_die(host, change_by_a_link);
	in_host(host, "mkdir kept && cp -a etc var kept");
	for (int i = 0; i < 2; i++) {
		const char *text = cd_arena_format(
			&host->texts, "uses %s",
			host_path(host, i == 0 ? "etc/alias/store/key" : "etc/real/store/key"));

		in_host(host, "rm -rf etc var && cp -a kept/etc kept/var .");
		host_put(host, "etc/two.conf", text);
		assert_int_equal(recover(host, &recovered, false), 0);
		assert_true(host_has(host, "etc/real/store/key", "key"));
		assert_int_equal(access(host_path(host, "etc/real/storehouse"), F_OK), -1);
	}
	/* What a link in the place of the file leads to is nobody's to look into. */
	in_host(host, "rm -rf etc var && cp -a kept/etc kept/var . && ln -sf one.conf etc/two.conf");
	assert_int_equal(recover(host, &recovered, false), 0);
	assert_true(leads_to(host, "etc/two.conf", "one.conf"));
	assert_true(host_has(host, "etc/real/store/key", "key"));
	assert_int_equal(access(host_path(host, "etc/real/storehouse"), F_OK), 0);
}

/* What it names, by our edit that is in it still, stays as well: a server that reads it would end else. */
static void test_what_a_changed_file_names_stays(void **state)
{
	static const struct {
		const char *before, *behind;
		bool named;
	} cases[] = {
		{"mine\nkey = ", "/key\n", true}, {"key=\"", "/other\";", true}, {"", "\t", true},
		{"directory ", "", true},         {"# ", ".bak", false},         {"# ", "-2/key", false},
		{"# ", "2/key", false},           {"# ", "_/key\n", false},
	};
	struct host *host = *state;
	int recovered;

	interrupt(host);
	in_host(host, "mkdir kept && cp -a etc var kept");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *store = host_path(host, "etc/store");
		const char *text =
			cd_arena_format(&host->texts, "%s%s%s", cases[i].before, store, cases[i].behind);

		in_host(host, "rm -rf etc var && cp -a kept/etc kept/var .");
		host_put(host, "etc/two.conf", text);
		assert_int_equal(recover(host, &recovered, false), 0);
		assert_int_equal(recovered, 3);
		assert_true(host_has(host, "etc/one.conf", "old one\n"));
		assert_true(host_has(host, "etc/two.conf", text));
		assert_true(stays(host, host_path(host, "etc/two.conf")));
		if (!host_has(host, "etc/store/key", cases[i].named ? "key" : NULL) ||
		    stays(host, store) != cases[i].named)
			fail_msg("%s", text);
		assert_false(cd_transaction_is_interrupted(&host->root, host_path(host, "var/state")));
	}
}

/* ---- whatever fails on the way back ---- */

static void furnish(struct host *host)
{
	in_host(host, "mkdir etc/conf.d etc/gone && echo old read >etc/conf.d/read && echo file "
		      ">etc/gone/file && "
		      "ln -s file etc/gone/link && ln -s old etc/current");
}

/* Of each kind of thing one is made, one is replaced and one is removed; what is read waits elsewhere. */
static void change_everything(struct host *host)
{
	host->read_below = host_path(host, "etc/conf.d/");
	host_file(host, "etc/one.conf", "new one\n", "one");
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
	return host_has(host, "etc/one.conf", "old one\n") &&
	       host_has(host, "etc/conf.d/read", "old read\n") &&
	       host_has(host, "etc/gone/file", "file\n") &&
	       access(host_path(host, "etc/store"), F_OK) == -1 &&
	       leads_to(host, "etc/gone/link", "file") && leads_to(host, "etc/current", "old");
}

static bool all_is_new(struct host *host)
{
	return host_has(host, "etc/one.conf", "new one\n") &&
	       host_has(host, "etc/conf.d/read", "new read\n") && host_has(host, "etc/store/key", "key") &&
	       access(host_path(host, "etc/gone"), F_OK) == -1 && leads_to(host, "etc/current", "new");
}

static void keep(struct host *host)
{
	in_host(host, "mkdir kept && cp -a etc var run kept");
}

/* The server reads its configuration when it is told to. */
static void restore(struct host *host, const char *change)
{
	char line[256];

	(void)snprintf(line, sizeof(line),
		       "rm -rf etc var && cp -a kept/etc kept/var . && cp kept/run/one.served run && %s",
		       change);
	in_host(host, line);
}

/* ---- */

/*
 * The way back and the way there, of which each call fails in turn: all of those that are made seldom,
 * fewer of the others.
 */
static const struct {
	const char *names;
	int fault;
} calls[] = {
	{"malloc calloc realloc strdup strndup", ENOMEM},
	{"EVP_MD_CTX_new", ENOMEM},
	{"EVP_DigestInit_ex", ENOMEM},
	{"EVP_DigestUpdate", ENOMEM},
	{"EVP_DigestFinal_ex", ENOMEM},
	{"EVP_Digest", ENOMEM},
	{"cd_run", ENOMEM},
	{"read", EIO},
	{"pread", EIO},
	{"write", ENOSPC},
	{"lseek", EIO},
	{"close", EDQUOT},
	{"open", EMFILE},
	{"openat", EMFILE},
	{"syscall", EIO},
	{"fcntl", EMFILE},
	{"fdopendir", EMFILE},
	{"readdir", EIO},
	{"fstat", EIO},
	{"fstatat", EIO},
	{"statx", EIO},
	{"mkdirat", EROFS},
	{"symlinkat", ENOSPC},
	{"renameat", EIO},
	{"unlinkat", EROFS},
	{"fchmod", EROFS},
	{"fchown", EROFS},
	{"fchownat", EROFS},
	{"futimens", EROFS},
	{"utimensat", EROFS},
	{"flistxattr", EIO},
	{"fremovexattr", EIO},
	{"fsync", EIO},
	{"syncfs", EIO},
};

/* once() says whether the call was made so often. */
static void fail_each(bool (*once)(struct host *host, const void *data, size_t call, long at),
		      struct host *host, const void *data, long thin)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (long at = 1; once(host, data, i, at); at += 1 + at / thin)
			assert_a_key_is_private(host);
}

static void assert_ends(struct host *host, bool new, bool served, size_t call, long at)
{
	if (!(new ? all_is_new(host) : all_is_old(host)))
		fail_msg("not %s: %s, %ld, %s", new ? "new" : "old", calls[call].names, at,
			 host_error(host));
	if (served && !host_serves(host, 0, new ? "new one\n" : "old one\n"))
		fail_msg("not served: %s, %ld, %s", calls[call].names, at, host_error(host));
}

struct leftover {
	const char *prepare; /* what a killed run has left is made this */
	bool new;            /* its changes stay */
	bool force;
};

/*
 * It says that it failed, or it did not; the key is nobody else's; and the next one finishes it. What it
 * did twice and what it did not do again is all the same in the end.
 */
static bool recover_once(struct host *host, const void *data, size_t call, long at)
{
	const struct leftover *leftover = data;
	int recovered, result;
	bool met;

	restore(host, leftover->prepare);
	host_begin(host, "recover");
	host->read_below = NULL;
	short_of(calls[call].names, at, 1, calls[call].fault);
	result = cd_transaction_recover(&recovered, &host->transaction, leftover->force);
	met = short_met();
	assert_true(met || result == 0);
	if (result != 0 && calls[call].fault == ENOMEM && !leftover->force)
		assert_true(result == CERTDEPLOY_ENOMEM || result == CERTDEPLOY_EBROKEN);
	if (result == 0)
		assert_ends(host, leftover->new, true, call, at);
	assert_int_equal(recover(host, &recovered, leftover->force), 0);
	/* A server that could not be told is told no more, but a person. */
	assert_ends(host, leftover->new, result != CERTDEPLOY_EBROKEN, call, at);
	assert_false(cd_transaction_is_interrupted(&host->root, host_path(host, "var/state")));
	return met;
}

static void test_whatever_fails_on_the_way_back(void **state)
{
	static const struct leftover leftovers[] = {
		{.prepare = ":"},
		/* Nobody knows who has been told: all are told again. */
		{.prepare = "cd var/state/journal && rm reloaded && mkdir reloaded"},
		{.prepare = "rm var/state/journal/reloaded"},
		{.prepare = "mv var/state/journal var/state/committed", .new = true},
		{.prepare = "echo none >>var/state/journal/manifest", .new = true, .force = true},
		{.prepare = "rm var/state/journal/manifest", .new = true, .force = true},
		{.prepare = "echo 20000101T000000Z-1 >var/state/prune"},
	};
	struct host *host = *state;

	furnish(host);
	run_and_die(host, change_everything);
	assert_true(all_is_new(host));
	keep(host);
	for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++)
		fail_each(recover_once, host, &leftovers[i], i == 0 ? 4 : 1);
}

/* Whatever fails, what somebody has changed stays, and what it names. */
static bool recover_changed_once(struct host *host, const void *data, size_t call, long at)
{
	const char *text = cd_arena_format(&host->texts, "mine: %s\n", host_path(host, "etc/store/key"));
	int recovered;
	bool met;

	(void)data;
	restore(host, ":");
	host_put(host, "etc/conf.d/read", text);
	host_begin(host, "recover");
	host->read_below = NULL;
	short_of(calls[call].names, at, 1, calls[call].fault);
	(void)cd_transaction_recover(&recovered, &host->transaction, false);
	met = short_met();
	assert_int_equal(recover(host, &recovered, false), 0);
	if (!host_has(host, "etc/conf.d/read", text) || !host_has(host, "etc/store/key", "key") ||
	    !host_has(host, "etc/one.conf", "old one\n") || !leads_to(host, "etc/current", "old"))
		fail_msg("%s, %ld, %s", calls[call].names, at, host_error(host));
	assert_false(cd_transaction_is_interrupted(&host->root, host_path(host, "var/state")));
	return met;
}

static void test_whatever_fails_beside_what_was_changed(void **state)
{
	struct host *host = *state;

	furnish(host);
	run_and_die(host, change_everything);
	keep(host);
	fail_each(recover_changed_once, host, NULL, 4);
	/* Memory at each place. */
	for (long at = 1; recover_changed_once(host, NULL, 0, at); at++)
		assert_a_key_is_private(host);
}

/* All is new, or all is old; and what it could not clean up the next one does. */
static bool deploy_once(struct host *host, const void *data, size_t call, long at)
{
	int recovered, result;
	bool met;

	(void)data;
	restore(host, ":");
	host_begin(host, "deploy");
	host->transaction.backup_beside = true;
	host->transaction.keep = 1;
	host->transaction.watch = 0;
	change_everything(host);
	short_of(calls[call].names, at, 1, calls[call].fault);
	result = host_run(host);
	met = short_met();
	assert_true(met || result == 0);
	if (result != CERTDEPLOY_EBROKEN)
		assert_ends(host, result == 0, true, call, at);
	assert_int_equal(recover(host, &recovered, false), 0);
	assert_ends(host, result == 0, result != CERTDEPLOY_EBROKEN, call, at);
	assert_false(cd_transaction_is_interrupted(&host->root, host_path(host, "var/state")));
	return met;
}

static void test_whatever_fails_on_the_way_there(void **state)
{
	struct host *host = *state;

	furnish(host);
	host_file(host, "etc/two.conf", "new two\n", NULL);
	assert_int_equal(host_run(host), 0);
	keep(host);
	fail_each(deploy_once, host, NULL, 4);
}

/* ---- what comes of it when one kind of call fails, at each place ---- */

/* Begin with the files of before; the servers are left alone. */
static void begin_again(struct host *host)
{
	in_host(host, "rm -rf etc var && cp -a kept/etc .");
	host_begin(host, "deploy");
	host->transaction.service_count = 0;
	host->transaction.keep = 1;
}

static void assert_old_or_new(struct host *host, int result, long at)
{
	if (!(result == 0 ? all_is_new(host) : all_is_old(host)))
		fail_msg("neither old nor new: %ld, %d, %s", at, result, host_error(host));
}

/* With everything that a run remembers; deployments of certificates have a difference of each file. */
static void change_and_tell(struct host *host)
{
	static const char *const certificates[] = {"www.example.jp", NULL};
	struct cd_change change = {.kind = CD_CHANGE_FILE,
				   .path = host_path(host, "etc/two.conf"),
				   .bytes = "new two\n",
				   .length = 8,
				   .owner = (uid_t)-1,
				   .group = (gid_t)-1,
				   .diff = "-old two\n+new two\n"};

	host->transaction.certificates = certificates;
	host->transaction.syslog = host_path(host, "run/log");
	change_everything(host);
	host_file(host, "etc/gone.conf", "same\n", "one");
	if (cd_changes_add(&host->changes, &host->problems, &change) != 0)
		fail_msg("no change can be added");
}

static void prepare(struct host *host)
{
	furnish(host);
	host_put(host, "etc/gone.conf", "same\n");
	in_host(host, "mkdir -p var && mkdir kept && cp -a etc kept");
}

/* Every single allocation, every file that is looked at, and every byte that is read back. */
static void test_each_of_a_kind_fails(void **state)
{
	static const struct {
		const char *names;
		int fault;
	} kinds[] = {
		{"malloc calloc realloc strdup strndup", ENOMEM},
		{"fstat", EIO},
		{"fstatat", EIO},
		{"openat", EMFILE},
		{"unlinkat", ENOENT},
		{"syscall", EEXIST},
		{"read", 0},
	};
	struct host *host = *state;
	int recovered;

	prepare(host);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		bool met = true;

		for (long at = 1; met; at++) {
			int result;

			begin_again(host);
			change_and_tell(host);
			short_of(kinds[i].names, at, 1, kinds[i].fault);
			result = host_run(host);
			met = short_met();
			assert_true(met || result == 0);
			if (result != CERTDEPLOY_EBROKEN)
				assert_old_or_new(host, result, at);
			assert_int_equal(recover(host, &recovered, false), 0);
			assert_a_key_is_private(host);
			assert_old_or_new(host, result, at);
		}
	}
}

/* Something of a directory that is to go has gone by itself just when it is looked at. */
static void test_what_goes_by_itself(void **state)
{
	struct host *host = *state;
	bool met = true;

	prepare(host);
	for (long at = 1; met; at++) {
		int recovered, result;

		begin_again(host);
		host_change(host, CD_CHANGE_REMOVE, "etc/gone", NULL, NULL, false);
		short_of("fstatat", at, 1, ENOENT);
		result = host_run(host);
		met = short_met();
		assert_int_equal(recover(host, &recovered, false), 0);
		if (access(host_path(host, "etc/gone"), F_OK) == 0)
			assert_true(host_has(host, "etc/gone/file", "file\n"));
		else
			assert_int_equal(result, 0);
	}
}

/* Somebody removes what the run had made just when it is put back: gone is as it was before. */
static void test_what_is_removed_on_the_way_back(void **state)
{
	struct host *host = *state;
	bool met = true;

	furnish(host);
	run_and_die(host, change_everything);
	keep(host);
	for (long at = 1; met; at++) {
		int recovered;

		restore(host, ":");
		host_begin(host, "recover");
		host->read_below = NULL;
		host->transaction.reload = false;
		short_of("unlinkat", at, 1, ENOENT);
		assert_int_equal(cd_transaction_recover(&recovered, &host->transaction, false), 0);
		met = short_met();
		assert_true(all_is_old(host));
		assert_int_equal(recover(host, &recovered, false), 0);
		assert_int_equal(recovered, 0);
	}
}

/* It was called off, and then the record of it cannot be put away: the next run does that. */
static int call_off(void *user, const char *what, size_t done, size_t total)
{
	(void)user;
	(void)what;
	(void)done;
	return total != 0;
}

static void test_what_was_called_off_stays_off(void **state)
{
	struct host *host = *state;
	bool met = true;
	int recovered;

	prepare(host);
	for (long at = 1; met; at++) {
		begin_again(host);
		host->transaction.progress = call_off;
		change_everything(host);
		short_of("syscall", at, 1, EIO);
		assert_int_not_equal(host_run(host), 0);
		met = short_met();
		assert_true(all_is_old(host));
		assert_int_equal(recover(host, &recovered, false), 0);
		assert_true(all_is_old(host));
		assert_false(cd_transaction_is_interrupted(&host->root, host_path(host, "var/state")));
	}
}

/* All is as before, but the record of that cannot be filed: a warning, and the next run files it. */
static void test_a_way_back_that_cannot_be_filed(void **state)
{
	struct host *host = *state;
	bool met = true, warned = false;
	int recovered;

	prepare(host);
	for (long at = 1; met; at++) {
		int result;

		begin_again(host);
		host->transaction.service_count = 1;
		host->transaction.reload = false;
		host_file(host, "etc/one.conf", "SYNTAX\n", "one");
		host_change(host, CD_CHANGE_LINK, "etc/current", "new", NULL, false);
		short_of("syscall", at, 1, EROFS);
		result = host_run(host);
		met = short_met();
		assert_int_not_equal(result, 0);
		if (result != CERTDEPLOY_EBROKEN)
			assert_true(all_is_old(host));
		for (size_t i = 0; i < host->problems.list.count; i++) {
			const struct certdeploy_problem *problem = host->problems.list.items[i];

			warned = warned || (problem->severity == CERTDEPLOY_WARNING &&
					    strstr(problem->message, "could not be filed") != NULL);
		}
		assert_int_equal(recover(host, &recovered, false), 0);
		assert_true(all_is_old(host));
	}
	assert_true(warned);
}

/* Directories in which files wait on the way back are made again where they seem to have gone. */
static void test_places_to_wait_that_have_gone(void **state)
{
	struct host *host = *state;
	int recovered;

	furnish(host);
	run_and_die(host, change_everything);
	keep(host);
	for (long count = 1; count < 3; count++) {
		bool met = true;

		for (long at = 1; met; at++) {
			restore(host, ":");
			host_begin(host, "recover");
			host->read_below = NULL;
			short_of("syscall", at, count, ENOENT);
			(void)cd_transaction_recover(&recovered, &host->transaction, false);
			met = short_met();
			/* Where what was there seems to have gone, that is told; else it is there again. */
			assert_int_equal(recover(host, &(int){0}, false), 0);
			if (recovered == 1) {
				assert_true(host_has(host, "etc/one.conf", "old one\n"));
				assert_true(host_has(host, "etc/conf.d/read", "old read\n"));
				assert_true(leads_to(host, "etc/current", "old"));
			}
		}
	}
}

/* Whoever waits for the run before is told where memory is short; without a run there is no moment. */
static void test_waiting_for_the_run_before(void **state)
{
	struct host *host = *state;

	assert_int_equal(mkdir(host_path(host, "var"), 0755), 0);
	assert_int_equal(mkdir(host_path(host, "var/state"), 0700), 0);
	assert_int_equal(cd_transaction_moment(&host->root, host->transaction.state_directory), 0);
	short_of("malloc calloc realloc strdup strndup", 1, 1, ENOMEM);
	assert_int_equal(cd_transaction_await(&host->transaction), CERTDEPLOY_ENOMEM);
	assert_true(short_met());
	assert_int_equal(cd_transaction_await(&host->transaction), 0);
}

/* A server that died before it was told anything is started again. */
static void test_a_server_that_was_not_told(void **state)
{
	struct host *host = *state;
	int recovered;

	interrupt(host);
	in_host(host, "kill $(cat run/one.pid) && printf 'two\\n' >var/state/journal/reloaded");
	assert_int_equal(recover(host, &recovered, false), 0);
	assert_old(host);
}

/* Where the kernel says that nobody can replace it, nothing begins. */
static void test_what_cannot_be_replaced(void **state)
{
	static const char *const codes[] = {
		"pinned",
		"pinned",
#ifdef STATX_ATTR_MOUNT_ROOT
		"mounted",
#endif
	};
#ifdef STATX_MNT_ID
	const long first = 3; /* before, two ask where the backups are mounted */
#else
	const long first = 1;
#endif
	struct host *host = *state;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		host_begin(host, "deploy");
		host->transaction.service_count = 0;
		host_file(host, "etc/one.conf", "new one\n", "one");
		short_of("statx", first + (long)i, 1, 0);
		assert_int_equal(host_run(host), CERTDEPLOY_EREFUSED);
		assert_true(short_met());
		assert_string_equal(host_error(host), codes[i]);
		assert_true(host_has(host, "etc/one.conf", "old one\n"));
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, host_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_interrupted_when_all_was_switched),
		TEST(test_a_reload_that_hangs_costs_its_limit_once),
		TEST(test_the_next_deployment_puts_back_first),
		TEST(test_at_work_is_not_interrupted),
		TEST(test_servers_can_be_left_alone),
		TEST(test_attributes_with_any_name),
		TEST(test_a_link_with_any_target),
		TEST(test_waiting_for_the_run_before),
		TEST(test_a_record_that_would_be_too_large),
		TEST(test_something_else_in_the_place_of_the_record),
		TEST(test_a_damaged_record),
		TEST(test_a_torn_record),
		TEST(test_a_first_line_that_vouches_for_nothing),
		TEST(test_a_record_that_is_missing),
		TEST(test_a_record_of_somebody_else),
		TEST(test_a_directory_of_somebody_else),
		TEST(test_records_that_no_run_has_written),
		TEST(test_a_state_that_others_can_change),
		TEST(test_leftovers_from_before_it_began),
		TEST(test_what_others_changed_since_stays),
		TEST(test_what_a_changed_file_names_stays),
		TEST(test_what_is_named_by_way_of_a_link_stays),
		TEST(test_what_others_changed_since_can_be_overwritten),
		TEST(test_a_pipe_in_the_place_of_a_file),
		TEST(test_a_server_that_cannot_be_brought_back),
		TEST(test_servers_that_did_not_run),
		TEST(test_a_record_that_cannot_be_summed_up),
		TEST(test_directories_that_have_gone_since),
		TEST(test_whatever_fails_on_the_way_back),
		TEST(test_whatever_fails_beside_what_was_changed),
		TEST(test_whatever_fails_on_the_way_there),
		TEST(test_each_of_a_kind_fails),
		TEST(test_what_goes_by_itself),
		TEST(test_what_is_removed_on_the_way_back),
		TEST(test_what_was_called_off_stays_off),
		TEST(test_a_way_back_that_cannot_be_filed),
		TEST(test_places_to_wait_that_have_gone),
		TEST(test_a_server_that_was_not_told),
		TEST(test_what_cannot_be_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
