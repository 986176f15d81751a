/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-transaction.c - all or nothing, exactly, over files and servers */
#include "unit.h"

#include "host.h"
#include "short.h"

#include "base/text.h"
#include "change/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static int set_up(void **state)
{
	*state = host_ready(2, 1);
	return 0;
}

static struct stat status_of(struct host *host, const char *name)
{
	struct stat status;

	assert_int_equal(lstat(host_path(host, "%s", name), &status), 0);
	return status;
}

/* ---- the record ---- */

/* One line a run in the state directory, and one in the system's log; secrets in neither. */
static void test_each_run_leaves_a_line(void **state)
{
	struct host *host = *state;
	const char *place = host_path(host, "run/log");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	static const char *const certificates[] = {"www.example.jp", NULL};
	char line[4096] = "", *audit;
	ssize_t length;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", place);
	assert_int_not_equal(fd, -1);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	host->transaction.syslog = place;
	host->transaction.certificates = certificates;
	host_file(host, "etc/one.conf", "new one\n", "one");
	host_change(host, CD_CHANGE_FILE, "etc/key", "C4nary\n", NULL, true);
	assert_int_equal(host_run(host), 0);
	length = recv(fd, line, sizeof(line) - 1, 0);
	assert_in_range(length, 50, 1000);
	line[length] = '\0';
	assert_int_equal(strncmp(line, "<29>", 4), 0);
	assert_non_null(strstr(line, " certdeploy["));
	assert_non_null(strstr(line, "\"result\":\"committed\""));
	assert_non_null(strstr(line, "\"certificates\":[\"www.example.jp\"]"));
	assert_non_null(strstr(line, "{\"name\":\"one\",\"action\":\"reload\",\"state\":\"verified\"}"));
	assert_non_null(strstr(line, host->transaction.id));
	assert_null(strstr(line, "C4nary"));
	audit = host_get(host, "var/state/audit.jsonl");
	assert_non_null(audit);
	assert_non_null(strstr(audit, host->transaction.id));
	assert_null(strstr(audit, "C4nary"));
	free(audit);
	/* What was put back is a warning, with its reason; and a log that is not read stops nobody. */
	host_begin(host, "deploy");
	host->transaction.syslog = place;
	host_file(host, "etc/one.conf", "SYNTAX\n", "one");
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	length = recv(fd, line, sizeof(line) - 1, 0);
	assert_in_range(length, 50, 1000);
	line[length] = '\0';
	assert_int_equal(strncmp(line, "<28>", 4), 0);
	assert_non_null(strstr(line, "\"result\":\"rolled-back\",\"reason\":\"test-failed: "));
	(void)close(fd);
	host_begin(host, "deploy");
	host->transaction.syslog = place;
	host_file(host, "etc/one.conf", "newer one\n", "one");
	assert_int_equal(host_run(host), 0);
}

/* Nothing is left in a directory that was not there. */
static void assert_no_litter(struct host *host)
{
	char command[256];

	(void)snprintf(command, sizeof(command), "! find %s -name '*certdeploy-2*' | grep .", host->path);
	assert_int_equal(system(command), 0);
	(void)snprintf(command, sizeof(command),
		       "! ls -a %s/var/state | grep -vxE '[.]{1,2}|lock|backups|audit.jsonl' | grep .",
		       host->path);
	assert_int_equal(system(command), 0);
}

static void test_commits(void **state)
{
	struct host *host = *state;
	struct stat before, after;

	assert_int_equal(chmod(host_path(host, "etc/one.conf"), 0640), 0);
	before = status_of(host, "etc/one.conf");
	host_file(host, "etc/one.conf", "new one\n", "one");
	host_file(host, "etc/two.conf", "new two\n", "two");
	assert_int_equal(host_run(host), 0);
	assert_true(host_has(host, "etc/one.conf", "new one\n"));
	assert_true(host_has(host, "etc/two.conf", "new two\n"));
	after = status_of(host, "etc/one.conf");
	assert_int_equal(after.st_mode, before.st_mode);
	assert_true(host_serves(host, 0, "new one\n"));
	assert_string_equal(host->services[0].action, "reload");
	assert_string_equal(host->services[0].state, "verified");
	/* Two did not run: configured, not started. */
	assert_false(host_runs(host, 1));
	assert_string_equal(host->services[1].action, "none");
	assert_string_equal(host->services[1].state, "changed");
	assert_int_equal(host->proved, 1);
	assert_int_equal(status_of(host, "var/state").st_mode & 07777, 0700);
	assert_int_equal(host->transaction.files.count, 2);
	assert_no_litter(host);
}

static void test_new_things_of_every_kind(void **state)
{
	struct host *host = *state;

	host_change(host, CD_CHANGE_DIRECTORY, "etc/store", NULL, NULL, false);
	host_change(host, CD_CHANGE_DIRECTORY, "etc/store/name", NULL, NULL, false);
	host_change(host, CD_CHANGE_DIRECTORY, "etc/store/name/1", NULL, NULL, false);
	host_change(host, CD_CHANGE_FILE, "etc/store/name/1/key.pem", "key", NULL, true);
	host_change(host, CD_CHANGE_FILE, "etc/store/name/1/cert.pem", "cert", NULL, false);
	host_change(host, CD_CHANGE_LINK, "etc/store/name/current", "1", NULL, false);
	assert_int_equal(host_run(host), 0);
	assert_true(host_has(host, "etc/store/name/current/cert.pem", "cert"));
	assert_int_equal(status_of(host, "etc/store/name/1/key.pem").st_mode, S_IFREG | 0600);
	assert_int_equal(status_of(host, "etc/store/name/1").st_mode, S_IFDIR | 0755);
	assert_no_litter(host);

	host_begin(host, "deploy");
	host_change(host, CD_CHANGE_DIRECTORY, "etc/store/name", NULL, NULL, false);
	host_change(host, CD_CHANGE_DIRECTORY, "etc/store/name/2", NULL, NULL, false);
	host_change(host, CD_CHANGE_FILE, "etc/store/name/2/cert.pem", "cert 2", NULL, false);
	host_change(host, CD_CHANGE_LINK, "etc/store/name/current", "2", NULL, false);
	host_change(host, CD_CHANGE_REMOVE, "etc/store/name/1", NULL, NULL, false);
	assert_int_equal(host_run(host), 0);
	assert_true(host_has(host, "etc/store/name/current/cert.pem", "cert 2"));
	assert_int_equal(access(host_path(host, "etc/store/name/1"), F_OK), -1);
	assert_no_litter(host);
}

static void test_back_after_a_failed_test(void **state)
{
	struct host *host = *state;
	const struct timespec times[2] = {{1000, 5}, {2000, 7}};
	struct stat before, after;

	assert_int_equal(symlink("target", host_path(host, "etc/link")), 0);
	host_put(host, "etc/gone", "stays\n");
	assert_int_equal(utimensat(AT_FDCWD, host_path(host, "etc/one.conf"), times, 0), 0);
	before = status_of(host, "etc/one.conf");
	host_file(host, "etc/one.conf", "SYNTAX\n", "one");
	host_file(host, "etc/new.conf", "new\n", "one");
	host_change(host, CD_CHANGE_LINK, "etc/link", "elsewhere", NULL, false);
	host_change(host, CD_CHANGE_REMOVE, "etc/gone", NULL, NULL, false);
	host_change(host, CD_CHANGE_DIRECTORY, "etc/d", NULL, NULL, false);
	host_change(host, CD_CHANGE_FILE, "etc/d/f", "f", NULL, false);
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	assert_string_equal(host_error(host), "test-failed");
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_has(host, "etc/gone", "stays\n"));
	assert_true(host_has(host, "etc/new.conf", NULL));
	assert_int_equal(access(host_path(host, "etc/d"), F_OK), -1);
	after = status_of(host, "etc/one.conf");
	assert_int_equal(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
	assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	assert_int_equal(after.st_mode, before.st_mode);
	assert_true(host_runs(host, 0));
	/* Nobody was told to reload anything. */
	assert_true(host_has(host, "run/one.log", "start\ntest\n"));
	assert_int_equal(host->proved_old, 1);
	assert_no_litter(host);
}

static void test_a_server_that_dies_is_started_again(void **state)
{
	struct host *host = *state;

	host_file(host, "etc/one.conf", "DIE\n", "one");
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	assert_string_equal(host_error(host), "reload-failed");
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_runs(host, 0));
	assert_true(host_serves(host, 0, "old one\n"));
	assert_string_equal(host->services[0].state, "rolled-back");
	assert_false(host_runs(host, 1));
	assert_no_litter(host);
}

/* It serves the new certificate, is seen doing so, and dies of it. */
static void test_a_server_that_dies_later(void **state)
{
	struct host *host = *state;

	host->transaction.watch = 3000;
	host_file(host, "etc/one.conf", "LATER\n", "one");
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	assert_string_equal(host_error(host), "reload-failed");
	assert_int_equal(host->proved, 1);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_runs(host, 0));
	assert_true(host_serves(host, 0, "old one\n"));
	assert_no_litter(host);
}

/* Without somebody who looks at the ports the way back ends with the reload. */
static void test_back_without_a_look_at_the_ports(void **state)
{
	struct host *host = *state;

	host->transaction.prove_old = NULL;
	host_file(host, "etc/one.conf", "REFUSE\n", "one");
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	assert_true(host_serves(host, 0, "old one\n"));
}

static void test_a_hanging_reload_is_ended(void **state)
{
	struct host *host = *state;

	host->services[0].control.timeout = 1;
	host_file(host, "etc/one.conf", "HANG\n", "one");
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	assert_true(host_runs(host, 0));
	assert_true(host_serves(host, 0, "old one\n"));
	/* It is not asked a second time, nor waited for. */
	assert_true(host_has(host, "run/one.log", "start\ntest\nreload\nstop\nstart\n"));
}

static void test_what_is_not_proven_goes_back(void **state)
{
	struct host *host = *state;

	host_start(host, 1);
	host->prove_result = CERTDEPLOY_EFAILED;
	host_file(host, "etc/one.conf", "new one\n", "one");
	host_file(host, "etc/two.conf", "new two\n", "two");
	assert_int_equal(host_run(host), CERTDEPLOY_EROLLEDBACK);
	assert_true(host_serves(host, 0, "old one\n"));
	assert_true(host_serves(host, 1, "old two\n"));
	assert_true(host_has(host, "run/one.log", "start\ntest\nreload\nreload\n"));
	assert_int_equal(host->proved_old, 1);
	/* The old state is not served either: a fresh start, then a person. */
	host_begin(host, "deploy");
	host->prove_old_result = CERTDEPLOY_EFAILED;
	host_file(host, "etc/one.conf", "new one\n", "one");
	assert_int_equal(host_run(host), CERTDEPLOY_EBROKEN);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_runs(host, 0));
}

static int prove_and_edit(void *user)
{
	struct host *host = user;

	host_put(host, "etc/two.conf", "edited\n");
	return cd_fail(&host->problems, CERTDEPLOY_EFAILED, "served-other", NULL, 0, "not proven");
}

/* What somebody has edited while the run was at work stays on the way back, and a person is told. */
static void test_what_is_edited_meanwhile_stays(void **state)
{
	struct host *host = *state;

	host->transaction.prove = prove_and_edit;
	host_file(host, "etc/one.conf", "new one\n", "one");
	host_file(host, "etc/two.conf", "new two\n", "two");
	assert_int_equal(host_run(host), CERTDEPLOY_EBROKEN);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_true(host_has(host, "etc/two.conf", "edited\n"));
	assert_true(host_serves(host, 0, "old one\n"));
	assert_no_litter(host);
}

/* The state directory's path is checked before anything is looked at; all records may be kept. */
static void test_state_directories_that_cannot_be(void **state)
{
	struct host *host = *state;

	for (int i = 0; i < 2; i++) {
		host_begin(host, "deploy");
		host->transaction.state_directory = "relative";
		host_file(host, "etc/one.conf", "new one\n", "one");
		assert_int_equal(i == 0 ? host_run(host) : cd_transaction_look(&host->transaction),
				 CERTDEPLOY_EREFUSED);
		assert_string_equal(host_error(host), "unsafe-path");
		assert_true(host_has(host, "etc/one.conf", "old one\n"));
	}
	host_begin(host, "deploy");
	host->transaction.keep = 0;
	host_file(host, "etc/one.conf", "new one\n", "one");
	assert_int_equal(host_run(host), 0);
	assert_int_equal(host_history(host), 1);
}

struct mapped {
	char *byte;
	bool late;
};

/* Before the originals are copied, or when the new files are written. */
static int write_mapped(void *user, const char *what, size_t done, size_t total)
{
	const struct mapped *mapped = user;

	(void)what;
	(void)done;
	if (total != 0 || !mapped->late)
		*mapped->byte = 'N';
	return 0;
}

/* A write through a mapping need not show in the times: the bytes are compared too. */
static void test_a_file_that_is_mapped(void **state)
{
	struct host *host = *state;
	int fd = open(host_path(host, "etc/one.conf"), O_RDWR | O_CLOEXEC);
	struct mapped mapped = {.byte = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)};

	assert_ptr_not_equal(mapped.byte, MAP_FAILED);
	for (int i = 0; i < 2; i++) {
		*mapped.byte = 'O';
		mapped.late = i == 1;
		host_begin(host, "deploy");
		host->transaction.is_read = NULL;
		host->transaction.prove = host->transaction.prove_old = NULL;
		host->transaction.progress = write_mapped;
		host->transaction.user = &mapped;
		host_file(host, "etc/one.conf", "new one\n", "one");
		assert_int_equal(host_run(host), CERTDEPLOY_EREFUSED);
		assert_string_equal(host_error(host), "changed-since");
		assert_true(host_has(host, "etc/one.conf", "Nld one\n"));
		assert_no_litter(host);
	}
	assert_int_equal(munmap(mapped.byte, 1), 0);
	(void)close(fd);
}

static void test_what_was_read_must_still_be_there(void **state)
{
	struct host *host = *state;
	struct cd_change change = {.kind = CD_CHANGE_FILE,
				   .path = host_path(host, "etc/one.conf"),
				   .bytes = "new\n",
				   .length = 4,
				   .compare = true};
	struct stat status = status_of(host, "etc/one.conf");

	cd_identity_of(&change.before, &status);
	host_put(host, "etc/one.conf", "edited\n");
	assert_int_equal(cd_changes_add(&host->changes, &host->problems, &change), 0);
	assert_int_equal(host_run(host), CERTDEPLOY_EREFUSED);
	assert_string_equal(host_error(host), "changed-since");
	assert_true(host_has(host, "etc/one.conf", "edited\n"));
	assert_no_litter(host);
}

static void test_links_are_kept_and_hard_links_refused(void **state)
{
	struct host *host = *state;

	assert_int_equal(symlink("one.conf", host_path(host, "etc/enabled")), 0);
	host_file(host, "etc/enabled", "new one\n", "one");
	assert_int_equal(host_run(host), 0);
	assert_true(S_ISLNK(status_of(host, "etc/enabled").st_mode));
	assert_true(host_has(host, "etc/one.conf", "new one\n"));

	assert_int_equal(link(host_path(host, "etc/two.conf"), host_path(host, "etc/other")), 0);
	host_begin(host, "deploy");
	host_file(host, "etc/two.conf", "new two\n", "two");
	assert_int_equal(host_run(host), CERTDEPLOY_EREFUSED);
	assert_string_equal(host_error(host), "hard-link");
	assert_true(host_has(host, "etc/two.conf", "old two\n"));
	assert_no_litter(host);
}

static void test_two_paths_to_one_file(void **state)
{
	struct host *host = *state;

	assert_int_equal(symlink("one.conf", host_path(host, "etc/enabled")), 0);
	host_file(host, "etc/enabled", "new one\n", "one");
	host_file(host, "etc/one.conf", "new one\n", "one");
	assert_int_equal(host_run(host), 0);
	host_begin(host, "deploy");
	host_file(host, "etc/enabled", "newer\n", "one");
	host_file(host, "etc/one.conf", "newest\n", "one");
	assert_int_equal(host_run(host), CERTDEPLOY_EREFUSED);
	assert_string_equal(host_error(host), "conflicting-edits");
	assert_true(host_has(host, "etc/one.conf", "new one\n"));
}

/* What a transaction will refuse for its places is known by looking, before there is anything of it. */
static void test_places_looked_at(void **state)
{
	struct host *host = *state;
	static const struct {
		const char *file, *code;
	} places[] = {{"etc/one.conf", ""},
		      {"var/state/new", ""},
		      {"etc/linked", "hard-link"},
		      {"open/file", "unsafe-path"},
		      {"etc", "unsafe-path"}};
	char *read;

	assert_int_equal(mkdir(host_path(host, "open"), 0777), 0);
	assert_int_equal(chmod(host_path(host, "open"), 0777), 0);
	assert_int_equal(link(host_path(host, "etc/two.conf"), host_path(host, "etc/linked")), 0);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		host_begin(host, "plan");
		host_file(host, places[i].file, "new\n", "one");
		assert_int_equal(cd_transaction_look(&host->transaction),
				 places[i].code[0] == '\0' ? 0 : CERTDEPLOY_EREFUSED);
		assert_string_equal(host_error(host), places[i].code);
	}
	host_begin(host, "plan");
	host->read_below = "/";
	host_file(host, "etc/one.conf", "new\n", "one");
	assert_int_equal(cd_transaction_look(&host->transaction), CERTDEPLOY_EREFUSED);
	assert_string_equal(host_error(host), "no-staging-place");
	host->read_below = NULL;
	read = host_get(host, "etc/one.conf");
	assert_string_equal(read, "old one\n");
	free(read);
	assert_int_equal(access(host_path(host, "var/state"), F_OK), -1);
}

/* What is looked at where nothing is yet, or nothing is asked for; products have a place too. */
static void test_looking_at_little(void **state)
{
	struct host *host = *state;
	const char *argv[] = {host_path(host, "run/build"), "%s", NULL};
	struct cd_change_build build = {.source = host_path(host, "etc/map"),
					.argv = argv,
					.product = host_path(host, "etc/map.db"),
					.suffix = ".db"};

	host->transaction.changes = NULL;
	assert_int_equal(cd_transaction_look(&host->transaction), 0);
	host_begin(host, "plan");
	assert_int_equal(mkdir(host_path(host, "var"), 0755), 0);
	host_file(host, "var/statement", "not in the state directory\n", NULL);
	assert_int_equal(cd_changes_add_build(&host->changes, &host->problems, &build), 0);
	assert_int_equal(cd_transaction_look(&host->transaction), 0);
	build.product = host_path(host, "none/map.db");
	build.source = host_path(host, "none/map");
	assert_int_equal(cd_changes_add_build(&host->changes, &host->problems, &build), 0);
	build.product = host_path(host, "etc/other.db");
	assert_int_equal(cd_changes_add_build(&host->changes, &host->problems, &build), 0);
	assert_int_not_equal(cd_transaction_look(&host->transaction), 0);
	assert_int_equal(access(host_path(host, "var/statement"), F_OK), -1);
	/* One of servers alone is a run. */
	host_begin(host, "deploy");
	host->transaction.changes = NULL;
	assert_int_equal(host_run(host), 0);
	assert_string_equal(host->services[0].action, "reload");
	/* A run of nothing is one too. */
	host_begin(host, "deploy");
	host->transaction.changes = NULL;
	host->transaction.service_count = 0;
	assert_int_equal(host_run(host), 0);
	assert_string_equal(host->transaction.id, "");
}

static int add_change(struct host *host, const struct cd_change *change)
{
	return cd_changes_add(&host->changes, &host->problems, change);
}

/* Before anything is written it is clear that nothing can be put there. */
static void test_places_that_are_none(void **state)
{
	static char too_long[2 * PATH_MAX];
	const struct cd_change change = {.kind = CD_CHANGE_LINK,
					 .path = too_long,
					 .target = "target",
					 .owner = (uid_t)-1,
					 .group = (gid_t)-1};
	struct host *host = *state;

	host_change(host, CD_CHANGE_LINK, "etc/none/link", "target", NULL, false);
	assert_int_equal(host_run(host), CERTDEPLOY_ENOTFOUND);
	assert_string_equal(host_error(host), "not-found");
	assert_no_litter(host);
	host_begin(host, "deploy");
	memset(too_long, 'x', sizeof(too_long) - 1);
	for (size_t i = 0; i < sizeof(too_long) - 1; i += 100)
		too_long[i] = '/';
	assert_int_equal(add_change(host, &change), CERTDEPLOY_EREFUSED);
}

/* A link that a server reads is replaced, not edited. */
static void test_a_link_of_a_server(void **state)
{
	struct host *host = *state;
	const struct certdeploy_file_report *report;

	assert_int_equal(symlink("one.conf", host_path(host, "etc/link")), 0);
	host_change(host, CD_CHANGE_LINK, "etc/link", "two.conf", "one", false);
	assert_int_equal(host_run(host), 0);
	report = host->transaction.files.items[0];
	assert_string_equal(report->change, "replaced");
	assert_true(host_has(host, "etc/link", "old two\n"));
}

static int put_mine(void *user, const char *what, size_t done, size_t total)
{
	(void)done;
	(void)total;
	if (strcmp(what, "writing") == 0)
		host_put(user, "etc/gone/mine", "mine\n");
	return 0;
}

static int put_another(void *user, const char *what, size_t done, size_t total)
{
	struct host *host = user;

	(void)total;
	if (strcmp(what, "writing") == 0 && done == 0) {
		assert_int_equal(rename(host_path(host, "etc/gone"), host_path(host, "kept")), 0);
		assert_int_equal(mkdir(host_path(host, "etc/gone"), 0755), 0);
	}
	return 0;
}

static int put_a_file(void *user, const char *what, size_t done, size_t total)
{
	struct host *host = user;

	(void)total;
	if (strcmp(what, "writing") == 0 && done == 0) {
		assert_int_equal(rmdir(host_path(host, "etc/gone")), 0);
		host_put(host, "etc/gone", "mine\n");
	}
	return 0;
}

/* A directory that is to go, and that somebody uses meanwhile, stays with what is theirs. */
static void test_a_directory_that_is_used_meanwhile(void **state)
{
	static const struct {
		int (*meanwhile)(void *user, const char *what, size_t done, size_t total);
		const char *ours, *stays;
	} cases[] = {{put_mine, "etc/gone/ours", "etc/gone/mine"},
		     {put_another, "etc/gone/ours", "kept/ours"},
		     {put_another, NULL, NULL},
		     {put_mine, NULL, "etc/gone/mine"},
		     {put_a_file, NULL, "etc/gone"}};
	struct host *host = *state;
	char command[256];

	(void)snprintf(command, sizeof(command), "cd %s && rm -rf etc/gone kept && mkdir etc/gone",
		       host->path);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(system(command), 0);
		if (cases[i].ours != NULL)
			host_put(host, cases[i].ours, "mine\n");
		host_begin(host, "deploy");
		host->transaction.progress = cases[i].meanwhile;
		host_file(host, "etc/one.conf", "new one\n", "one");
		host_change(host, CD_CHANGE_REMOVE, "etc/gone", NULL, NULL, false);
		assert_int_not_equal(host_run(host), 0);
		assert_string_equal(host_error(host), "changed-since");
		assert_true(host_has(host, "etc/one.conf", "old one\n"));
		assert_int_equal(access(host_path(host, "etc/gone"), F_OK), 0);
		if (cases[i].stays != NULL)
			assert_true(host_has(host, cases[i].stays, "mine\n"));
		assert_no_litter(host);
	}
}

/* Below a new directory that waits under a longer name there is less room than there will be. */
static void test_paths_that_are_too_long_while_they_wait(void **state)
{
	static char path[PATH_MAX];
	struct host *host = *state;
	struct cd_change change = {.kind = CD_CHANGE_DIRECTORY,
				   .path = path,
				   .mode = 0755,
				   .owner = (uid_t)-1,
				   .group = (gid_t)-1};
	size_t length, last;

	(void)snprintf(path, sizeof(path), "%s", host_path(host, "etc/x"));
	for (length = strlen(path); length < PATH_MAX - 210; length += 200) {
		assert_int_equal(add_change(host, &change), 0);
		path[length] = '/';
		memset(path + length + 1, 'x', 199);
	}
	assert_int_equal(add_change(host, &change), 0);
	/* As long as it may be. */
	last = sizeof(path) - length - 2 < NAME_MAX ? sizeof(path) - length - 2 : NAME_MAX;
	path[length] = '/';
	memset(path + length + 1, 'y', last);
	assert_int_equal(add_change(host, &change), 0);
	host_file(host, "etc/one.conf", "new one\n", "one");
	assert_int_not_equal(host_run(host), 0);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_int_equal(access(host_path(host, "etc/x"), F_OK), -1);
	assert_no_litter(host);
}

/* Each file waits in the nearest directory that no server reads. */
static bool reads_two(void *user, const char *path)
{
	struct host *host = user;

	return strncmp(path, host_path(host, "etc/"), strlen(host->path) + 5) == 0 ||
	       strncmp(path, host_path(host, "srv/www/"), strlen(host->path) + 9) == 0;
}

/* Of one directory further up a server reads what lies below directories only. */
static bool reads_below(void *user, const char *path)
{
	struct host *host = user;
	const char *last = strrchr(path, '/');

	return strncmp(path, host_path(host, "etc/conf.d/"), strlen(host->path) + 12) == 0 ||
	       (strncmp(path, host_path(host, "etc/."), strlen(host->path) + 6) == 0 &&
		strcmp(last, "/0") == 0);
}

static void test_a_place_whose_inside_is_read(void **state)
{
	struct host *host = *state;

	assert_int_equal(mkdir(host_path(host, "etc/conf.d"), 0755), 0);
	host->transaction.is_read = reads_below;
	host_file(host, "etc/conf.d/new", "new\n", NULL);
	assert_int_equal(host_run(host), 0);
	assert_true(host_has(host, "etc/conf.d/new", "new\n"));
	assert_no_litter(host);
}

static void test_two_places_to_wait(void **state)
{
	struct host *host = *state;

	assert_int_equal(mkdir(host_path(host, "srv"), 0755), 0);
	assert_int_equal(mkdir(host_path(host, "srv/www"), 0755), 0);
	host_put(host, "srv/www/three", "old three\n");
	host->transaction.is_read = reads_two;
	host_file(host, "etc/one.conf", "new one\n", "one");
	host_file(host, "srv/www/three", "new three\n", NULL);
	host_file(host, "etc/two.conf", "new two\n", "two");
	assert_int_equal(host_run(host), 0);
	assert_true(host_has(host, "srv/www/three", "new three\n"));
	assert_true(host_has(host, "etc/two.conf", "new two\n"));
	assert_no_litter(host);
}

/* However a path is written, it is the file that it leads to. */
static void test_paths_that_are_written_otherwise(void **state)
{
	static const char *const paths[] = {"etc//./one.conf", "etc-link/one.conf", "aa/one.conf",
					    "./etc/one.conf"};
	struct host *host = *state;
	char text[16];

	assert_int_equal(symlink("etc", host_path(host, "etc-link")), 0);
	assert_int_equal(symlink("etc", host_path(host, "aa")), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		(void)snprintf(text, sizeof(text), "new %zu\n", i);
		host_begin(host, "deploy");
		host_file(host, paths[i], text, NULL);
		host_file(host, "etc/x", text, NULL);
		assert_int_equal(host_run(host), 0);
		assert_true(host_has(host, "etc/one.conf", text));
		assert_true(S_ISLNK(status_of(host, "aa").st_mode));
	}
	host_begin(host, "deploy");
	assert_int_equal(add_change(host, &(struct cd_change){.path = "/", .bytes = "", .length = 0}), 0);
	assert_int_equal(host_run(host), CERTDEPLOY_EREFUSED);
	assert_string_equal(host_error(host), "unsafe-path");
	assert_no_litter(host);
}

static void test_two_paths_to_one_link(void **state)
{
	static const struct {
		enum cd_change_kind kind;
		const char *text;
		int result;
	} others[] = {{CD_CHANGE_LINK, "one.conf", 0},
		      {CD_CHANGE_LINK, "two.conf", CERTDEPLOY_EREFUSED},
		      {CD_CHANGE_REMOVE, NULL, CERTDEPLOY_EREFUSED}};
	struct host *host = *state;

	assert_int_equal(symlink("etc", host_path(host, "aa")), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		(void)unlink(host_path(host, "etc/link"));
		assert_int_equal(symlink("gone", host_path(host, "etc/link")), 0);
		host_begin(host, "deploy");
		host_change(host, CD_CHANGE_LINK, "etc/link", "one.conf", NULL, false);
		host_change(host, others[i].kind, "aa/link", others[i].text, NULL, false);
		assert_int_equal(host_run(host), others[i].result);
		assert_true(host_has(host, "etc/link", others[i].result == 0 ? "old one\n" : NULL));
		assert_no_litter(host);
	}
	assert_string_equal(host_error(host), "conflicting-edits");
}

/* What is not there needs no removal; what cannot be looked at is no such thing. */
static void test_removals_of_nothing(void **state)
{
	struct host *host = *state;

	host->transaction.service_count = 0;
	host_change(host, CD_CHANGE_REMOVE, "etc/none", NULL, NULL, false);
	host_change(host, CD_CHANGE_REMOVE, "none/none", NULL, NULL, false);
	host_change(host, CD_CHANGE_REMOVE, "etc/one.conf/none", NULL, NULL, false);
	assert_int_equal(host_run(host), 0);
	assert_string_equal(host->transaction.id, "");
	assert_int_equal(symlink("loop", host_path(host, "loop")), 0);
	host_begin(host, "deploy");
	host_change(host, CD_CHANGE_REMOVE, "loop/none", NULL, NULL, false);
	host_file(host, "etc/one.conf", "new one\n", NULL);
	assert_int_not_equal(host_run(host), 0);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_no_litter(host);
}

/* A mode that is asked for holds for what stands there, and is a change by itself. */
static void test_permissions_that_are_asked_for(void **state)
{
	struct host *host = *state;
	struct cd_change change = {.path = host_path(host, "etc/one.conf"),
				   .bytes = "old one\n",
				   .length = 8,
				   .mode = 0600,
				   .owner = (uid_t)-1,
				   .group = (gid_t)-1,
				   .forced = true};

	host->transaction.service_count = 0;
	for (int i = 0; i < 4; i++) {
		if (i > 1 && geteuid() != 0)
			break;
		change.owner = i == 3 ? 1 : (uid_t)-1;
		change.group = i == 2 ? 1 : (gid_t)-1;
		host_begin(host, "deploy");
		assert_int_equal(add_change(host, &change), 0);
		assert_int_equal(host_run(host), 0);
		/* The second time it is so already. */
		assert_int_equal(host->transaction.id[0] == '\0', i == 1);
		assert_int_equal(status_of(host, "etc/one.conf").st_mode & 07777, 0600);
		assert_int_equal(status_of(host, "etc/one.conf").st_uid, i == 3 ? 1 : geteuid());
		assert_int_equal(status_of(host, "etc/one.conf").st_gid, i == 2 ? 1 : getegid());
	}
}

/* The line of a large run is written in parts, and is one line all the same. */
static void test_the_line_of_many_files(void **state)
{
	struct host *host = *state;
	char name[64], *audit, *at;
	size_t count = 0;

	host->transaction.service_count = 0;
	host->transaction.command = NULL;
	for (int i = 0; i < 700; i++) {
		(void)snprintf(name, sizeof(name), "etc/%d.conf", i);
		host_file(host, name, "text\n", NULL);
	}
	assert_int_equal(host_run(host), 0);
	audit = host_get(host, "var/state/audit.jsonl");
	assert_non_null(audit);
	assert_true(strlen(audit) > 65536);
	for (at = audit; (at = strstr(at, "\"path\":")) != NULL; at++)
		count++;
	assert_int_equal(count, 700);
	assert_int_equal(strcspn(audit, "\n"), strlen(audit) - 1);
	assert_non_null(strstr(audit, "\"command\":\"\""));
	assert_string_equal(audit + strlen(audit) - 4, "}]}\n");
	free(audit);
}

/* A line that a killed run has torn gets its end; the system's log shows the first certificates only. */
static void test_a_line_behind_a_torn_one(void **state)
{
	static const char *const certificates[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9", NULL};
	struct host *host = *state;
	char *audit;

	host->transaction.service_count = 0;
	host->transaction.syslog = host_path(host, "run/none");
	host_file(host, "etc/one.conf", "new one\n", NULL);
	assert_int_equal(host_run(host), 0);
	host_put(host, "var/state/audit.jsonl", "{\"torn");
	host_begin(host, "deploy");
	host->transaction.syslog = host_path(host, "run/none");
	host->transaction.certificates = certificates;
	host_file(host, "etc/one.conf", "newer one\n", NULL);
	assert_int_equal(host_run(host), 0);
	audit = host_get(host, "var/state/audit.jsonl");
	assert_non_null(audit);
	assert_int_equal(strncmp(audit, "{\"torn\n{\"time\"", 14), 0);
	assert_non_null(strstr(audit, "\"9\""));
	free(audit);
}

static void test_unsafe_places(void **state)
{
	struct host *host = *state;

	assert_int_equal(mkdir(host_path(host, "open"), 0755), 0);
	assert_int_equal(chmod(host_path(host, "open"), 0777), 0);
	host_file(host, "open/file", "x", NULL);
	assert_int_equal(host_run(host), CERTDEPLOY_EREFUSED);
	assert_string_equal(host_error(host), "unsafe-path");
	host_begin(host, "deploy");
	host_file(host, "etc/one.conf", "new\n", "one");
	assert_int_equal(chmod(host_path(host, "var/state"), 0770), 0);
	assert_int_equal(host_run(host), CERTDEPLOY_EREFUSED);
	assert_string_equal(host_error(host), "unsafe-path");
	assert_int_equal(chmod(host_path(host, "var/state"), 0700), 0);
	host_begin(host, "deploy");
	assert_int_equal(mkfifo(host_path(host, "etc/fifo"), 0600), 0);
	host_file(host, "etc/fifo", "new\n", "one");
	assert_int_equal(host_run(host), CERTDEPLOY_EREFUSED);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
}

static void test_nothing_to_do(void **state)
{
	struct host *host = *state;

	host->transaction.service_count = 0;
	assert_int_equal(symlink("one.conf", host_path(host, "etc/link")), 0);
	host_file(host, "etc/one.conf", "old one\n", "one");
	host_change(host, CD_CHANGE_LINK, "etc/link", "one.conf", NULL, false);
	assert_int_equal(host_run(host), 0);
	assert_string_equal(host->transaction.id, "");
	assert_int_equal(host->transaction.files.count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct certdeploy_file_report *report = host->transaction.files.items[i];

		assert_string_equal(report->change, "unchanged");
	}
}

static void test_attributes_stay(void **state)
{
	struct host *host = *state;
	char value[8] = "";

	if (setxattr(host_path(host, "etc/one.conf"), "user.note", "kept", 4, 0) != 0)
		skip(); /* no such attributes on this file system */
	host_file(host, "etc/one.conf", "new one\n", "one");
	assert_int_equal(host_run(host), 0);
	assert_int_equal(getxattr(host_path(host, "etc/one.conf"), "user.note", value, sizeof(value)), 4);
	assert_memory_equal(value, "kept", 4);
}

static void test_staged_files_keep_away_from_servers(void **state)
{
	struct host *host = *state;

	host->read_below = host_path(host, "etc/");
	host_file(host, "etc/one.conf", "new one\n", "one");
	host_file(host, "etc/two.conf", "new two\n", "two");
	assert_int_equal(host_run(host), 0);
	assert_true(host_has(host, "etc/one.conf", "new one\n"));
	assert_true(host_has(host, "etc/two.conf", "new two\n"));
	assert_no_litter(host);
	host_begin(host, "deploy");
	host->read_below = "/";
	host_file(host, "etc/one.conf", "newer\n", "one");
	assert_int_equal(host_run(host), CERTDEPLOY_EREFUSED);
	assert_string_equal(host_error(host), "no-staging-place");
	assert_true(host_has(host, "etc/one.conf", "new one\n"));
	assert_no_litter(host);
}

/* A file in the place of the lock or of a record would undo what they are for. */
static void test_the_records_are_nobodys_place(void **state)
{
	static const char *const names[] = {"lock", "journal", "backups/x", "audit.jsonl", "deploymentsx"};
	struct host *host = *state;

	host_file(host, "etc/one.conf", "new one\n", "one");
	assert_int_equal(host_run(host), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		host_begin(host, "deploy");
		host_file(host, "etc/one.conf", "newer\n", "one");
		host_file(host, host_path(host, "var/state/%s", names[i]) + strlen(host->path) + 1,
			  "certificate\n", NULL);
		assert_int_equal(host_run(host), CERTDEPLOY_EREFUSED);
		assert_string_equal(host_error(host), "unsafe-path");
		assert_true(host_has(host, "etc/one.conf", "new one\n"));
	}
	assert_no_litter(host);
	host_begin(host, "deploy");
	host_change(host, CD_CHANGE_DIRECTORY, "var/state/deployments", NULL, NULL, false);
	host_file(host, "var/state/deployments/www.json", "{}\n", NULL);
	/* What only begins with the same name is no concern of ours. */
	host_file(host, "var/state.conf", "theirs\n", NULL);
	assert_int_equal(host_run(host), 0);
}

static void test_backups_beside(void **state)
{
	struct host *host = *state;
	const struct certdeploy_file_report *report;
	char *copy;

	host->transaction.backup_beside = true;
	host_file(host, "etc/one.conf", "new one\n", "one");
	assert_int_equal(host_run(host), 0);
	report = host->transaction.files.items[0];
	assert_non_null(strstr(report->backup, "/etc/one.conf.2"));
	copy = host_get(host, report->backup + strlen(host->path) + 1);
	assert_non_null(copy);
	assert_string_equal(copy, "old one\n");
	free(copy);
	assert_no_litter(host);
}

/* Nor where something has that name already. */
static void test_a_backup_beside_that_is_there(void **state)
{
	struct host *host = *state;
	const struct certdeploy_file_report *report;
	time_t now = time(NULL);

	for (int i = 0; i < 5; i++) {
		char stamp[17];

		cd_utc_compact(stamp, now + i);
		host_put(host, host_path(host, "etc/one.conf.%s.bak", stamp) + strlen(host->path) + 1,
			 "theirs\n");
	}
	host->transaction.backup_beside = true;
	host->transaction.service_count = 0;
	host_file(host, "etc/one.conf", "new one\n", "one");
	assert_int_equal(host_run(host), 0);
	assert_int_equal(host->problems.list.count, 1);
	report = host->transaction.files.items[0];
	assert_non_null(strstr(report->backup, "/var/state/backups/"));
}

/* Where a server would read it, or no such name can be, it is kept in the state directory only. */
static void test_no_backup_beside(void **state)
{
	struct host *host = *state;
	char name[NAME_MAX + 8];
	const struct certdeploy_file_report *report;

	(void)snprintf(name, sizeof(name), "etc/%0*d", NAME_MAX - 4, 0);
	host_put(host, name, "old\n");
	host->read_below = host_path(host, "etc/one.conf.");
	host->transaction.backup_beside = true;
	host->transaction.service_count = 0;
	host_file(host, "etc/one.conf", "new one\n", "one");
	host_file(host, name, "new\n", "one");
	assert_int_equal(host_run(host), 0);
	assert_int_equal(host->problems.list.count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(((struct certdeploy_problem *)host->problems.list.items[i])->code,
				    "backup-beside");
		report = host->transaction.files.items[i];
		assert_non_null(strstr(report->backup, "/var/state/backups/"));
	}
	assert_true(host_has(host, name, "new\n"));
	assert_no_litter(host);
}

static void test_builds(void **state)
{
	struct host *host = *state;
	const char *argv[] = {host_path(host, "run/build"), "hash:%s", NULL};
	struct cd_change_build build = {.source = host_path(host, "etc/map"),
					.argv = argv,
					.product = host_path(host, "etc/map.db"),
					.suffix = ".db",
					.secret = true,
					.service = "one"};
	char input[256];

	host_put(host, "run/build",
		 "#!/bin/sh\nf=${1#hash:}\n[ \"$(stat -c %a \"${f%/*}\")\" = 700 ] || exit 1\n"
		 "read -r name path < \"$f\"\n{ echo \"$name\"; cat \"$path\"; } > \"$f.db\"\n");
	assert_int_equal(chmod(argv[0], 0755), 0);
	(void)snprintf(input, sizeof(input), "name %s\n", host_path(host, "etc/new/key"));
	build.input = input;
	build.input_length = strlen(input);
	host_change(host, CD_CHANGE_DIRECTORY, "etc/new", NULL, NULL, false);
	host_change(host, CD_CHANGE_FILE, "etc/new/key", "KEY\n", NULL, true);
	host_file(host, "etc/map", "name elsewhere\n", "one");
	assert_int_equal(cd_changes_add_build(&host->changes, &host->problems, &build), 0);
	assert_int_equal(host_run(host), 0);
	assert_true(host_has(host, "etc/map.db", "name\nKEY\n"));
	assert_int_equal(status_of(host, "etc/map.db").st_mode, S_IFREG | 0600);
	assert_no_litter(host);

	host_begin(host, "deploy");
	host_put(host, "run/build", "#!/bin/sh\necho no >&2\nexit 1\n");
	host_file(host, "etc/map", "other\n", "one");
	assert_int_equal(cd_changes_add_build(&host->changes, &host->problems, &build), 0);
	assert_int_equal(host_run(host), CERTDEPLOY_EFAILED);
	assert_string_equal(host_error(host), "command-failed");
	assert_true(host_has(host, "etc/map", "name elsewhere\n"));
	assert_no_litter(host);
}

static void test_a_tree_runs_nothing(void **state)
{
	struct host *host = *state;
	struct cd_root live = host->root;

	assert_int_equal(cd_root_open(&host->root, &host->problems, host->path), 0);
	host->transaction.state_directory = "/var/state";
	assert_int_equal(cd_changes_add(&host->changes, &host->problems,
					&(struct cd_change){.kind = CD_CHANGE_FILE,
							    .path = "/etc/one.conf",
							    .bytes = "DIE\n",
							    .length = 4,
							    .service = "one"}),
			 0);
	assert_int_equal(cd_changes_add(&host->changes, &host->problems,
					&(struct cd_change){.kind = CD_CHANGE_LINK,
							    .path = "/link",
							    .target = "etc/one.conf",
							    .owner = (uid_t)-1,
							    .group = (gid_t)-1}),
			 0);
	assert_int_equal(host_run(host), 0);
	cd_root_close(&host->root);
	host->root = live;
	assert_true(host_has(host, "etc/one.conf", "DIE\n"));
	assert_true(host_has(host, "link", "DIE\n"));
	assert_true(host_has(host, "run/one.log", "start\n"));
	assert_int_equal(host->proved, 0);
	assert_no_litter(host);
}

static int cancel(void *user, const char *what, size_t done, size_t total)
{
	int *left = user;

	(void)what;
	(void)done;
	(void)total;
	return (*left)-- == 0;
}

/* Whoever is asked before it says no more. */
static int prove_nothing(void *user)
{
	(void)user;
	return 0;
}

static void test_cancelled_anywhere(void **state)
{
	struct host *host = *state;

	for (int i = 0; i < 100; i++) {
		int left = i, result;

		host_begin(host, "deploy");
		host_file(host, "etc/one.conf", "new one\n", "one");
		host_file(host, "etc/two.conf", "new two\n", "two");
		host->transaction.is_read = NULL;
		host->transaction.prove = prove_nothing;
		host->transaction.prove_old = NULL;
		host->transaction.progress = cancel;
		host->transaction.user = &left;
		result = host_run(host);
		assert_no_litter(host);
		if (result == 0) {
			assert_true(i > 4);
			assert_true(host_has(host, "etc/one.conf", "new one\n"));
			return;
		}
		assert_int_equal(result, CERTDEPLOY_ECANCELLED);
		assert_string_equal(cd_problems_error(&host->problems, 0)->code, "cancelled");
		assert_true(host_has(host, "etc/one.conf", "old one\n"));
		assert_true(host_has(host, "etc/two.conf", "old two\n"));
		assert_true(host_serves(host, 0, "old one\n"));
	}
	fail();
}

static void test_locks_of_others(void **state)
{
	struct host *host = *state;
	char pid[32];

	(void)snprintf(pid, sizeof(pid), "%ld\n", (long)getppid());
	host_put(host, "etc/one.conf.lock", pid);
	host_file(host, "etc/one.conf", "new one\n", "one");
	assert_int_equal(host_run(host), CERTDEPLOY_ELOCKED);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
	assert_no_litter(host);
}

/* What names no process that lives, or is no file, holds nobody up. */
static void test_locks_that_are_none(void **state)
{
	static const char *const texts[] = {"999999999\n", "",           "0\n",
					    "-1\n",        "somebody\n", "99999999999999999999"};
	struct host *host = *state;
	char own[32], text[32], name[NAME_MAX + 8];

	(void)snprintf(own, sizeof(own), "%ld", (long)getpid());
	for (size_t i = 0; i <= sizeof(texts) / sizeof(texts[0]); i++) {
		host_put(host, "etc/one.conf.lock", i == sizeof(texts) / sizeof(texts[0]) ? own : texts[i]);
		(void)snprintf(text, sizeof(text), "new one %zu\n", i);
		host_begin(host, "deploy");
		host_file(host, "etc/one.conf", text, NULL);
		assert_int_equal(host_run(host), 0);
		assert_true(host_has(host, "etc/one.conf", text));
	}
	assert_int_equal(unlink(host_path(host, "etc/one.conf.lock")), 0);
	assert_int_equal(mkdir(host_path(host, "etc/one.conf.lock"), 0755), 0);
	(void)snprintf(name, sizeof(name), "etc/%0*d", NAME_MAX - 2, 0);
	host_begin(host, "deploy");
	host_file(host, "etc/one.conf", "new one\n", NULL);
	host_file(host, name, "its lock's name would be too long\n", NULL);
	assert_int_equal(host_run(host), 0);
	assert_true(host_has(host, "etc/one.conf", "new one\n"));
}

/*
 * The lock of somebody to whom we may send no signal is one of somebody who lives. The real user counts
 * there too, so root gives up both for it.
 */
static void test_locks_of_other_users(void **state)
{
	struct host *host = *state;
	int directory = open(host_path(host, "etc"), O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;
	bool root = geteuid() == 0;

	host_put(host, "etc/one.conf.lock", "1\n");
	if (root)
		assert_int_equal(setresuid(54321, 54321, 0), 0);
	result = cd_wait_for_others(&host->problems, directory, "one.conf", "/etc/one.conf", 0);
	if (root)
		assert_int_equal(setresuid(0, 0, 0), 0);
	assert_int_equal(result, CERTDEPLOY_ELOCKED);
	(void)close(directory);
}

/* What cannot be looked at claims nothing: it might be no file at all. */
static void test_a_lock_that_cannot_be_looked_at(void **state)
{
	struct host *host = *state;
	int directory = open(host_path(host, "etc"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char pid[32];

	(void)snprintf(pid, sizeof(pid), "%ld\n", (long)getppid());
	host_put(host, "etc/one.conf.lock", pid);
	short_of("fstat", 1, 1, EIO);
	assert_int_equal(cd_wait_for_others(&host->problems, directory, "one.conf", "/etc/one.conf", 0), 0);
	assert_true(short_met());
	assert_int_equal(cd_wait_for_others(&host->problems, directory, "one.conf", "/etc/one.conf", 0),
			 CERTDEPLOY_ELOCKED);
	(void)close(directory);
}

/* Our own lock: in its place stands something else, or the wait for it is broken off. */
static void test_our_lock_cannot_be_had(void **state)
{
	struct host *host = *state;
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int left = 1;
	int fd;

	(void)mkdir(host_path(host, "var"), 0755);
	assert_int_equal(mkdir(host_path(host, "var/state"), 0700), 0);
	assert_int_equal(mkdir(host_path(host, "var/state/lock"), 0700), 0);
	host_file(host, "etc/one.conf", "new one\n", NULL);
	assert_int_equal(host_run(host), CERTDEPLOY_EFAILED);
	assert_string_equal(host_error(host), "io-error");
	assert_int_equal(rmdir(host_path(host, "var/state/lock")), 0);
	fd = open(host_path(host, "var/state/lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
	host_begin(host, "deploy");
	host->transaction.is_read = NULL;
	host->transaction.prove = host->transaction.prove_old = NULL;
	host->transaction.wait = 30;
	host->transaction.progress = cancel;
	host->transaction.user = &left;
	host_file(host, "etc/one.conf", "new one\n", NULL);
	assert_int_equal(host_run(host), CERTDEPLOY_ECANCELLED);
	assert_string_equal(host_error(host), "cancelled");
	(void)close(fd);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
}

static void remove_new(struct host *host)
{
	assert_int_equal(unlink(host_path(host, "etc/new/one")), 0);
	assert_int_equal(unlink(host_path(host, "etc/new/two")), 0);
	assert_int_equal(rmdir(host_path(host, "etc/new")), 0);
}

/* A path may be so long that none beside it is left for what waits to take its place. */
static void test_a_path_as_long_as_paths_are(void **state)
{
	struct host *host = *state;
	char path[PATH_MAX + 1], name[201] = "";
	size_t begin = strlen(host->path) + 1, length, left;
	int at, next;

	memset(name, 'd', sizeof(name) - 1);
	length = (size_t)snprintf(path, sizeof(path), "%s", host_path(host, "etc"));
	at = open(path, O_RDONLY | O_DIRECTORY);
	for (left = PATH_MAX - 2 - length; left > 200; left = PATH_MAX - 2 - length) {
		(void)snprintf(path + length, sizeof(path) - length, "/%.*s", left > 202 ? 200 : 100, name);
		assert_int_equal(mkdirat(at, path + length + 1, 0755), 0);
		next = openat(at, path + length + 1, O_RDONLY | O_DIRECTORY);
		(void)close(at);
		at = next;
		length = strlen(path);
	}
	(void)close(at);
	(void)snprintf(path + length, sizeof(path) - length, "/%.*s", (int)left, name);
	assert_int_equal(strlen(path), PATH_MAX - 1);
	host_file(host, "etc/one.conf", "new one\n", NULL);
	host_file(host, path + begin, "new\n", NULL);
	assert_int_equal(host_run(host), CERTDEPLOY_EFAILED);
	assert_true(host_has(host, "etc/one.conf", "old one\n"));
}

/* What goes into a new directory is known by the path that was asked for, and by the real one. */
static void test_memory_is_short_for_a_directory_behind_a_link(void **state)
{
	struct host *host = *state;
	bool met = true;

	assert_int_equal(symlink("etc", host_path(host, "link")), 0);
	for (long at = 1; met; at += 1 + at / 200) {
		int result;

		host_begin(host, "deploy");
		host->transaction.service_count = 0;
		host_change(host, CD_CHANGE_DIRECTORY, "link/new", NULL, NULL, false);
		host_file(host, "link/new/one", "one\n", NULL);
		host_file(host, "etc/new/two", "two\n", NULL);
		short_of("malloc calloc realloc strdup strndup", at, 1, ENOMEM);
		result = host_run(host);
		met = short_met();
		assert_true(result == 0 || (met && result == CERTDEPLOY_ENOMEM));
		assert_true(host_has(host, "etc/new/one", result == 0 ? "one\n" : NULL));
		assert_true(host_has(host, "etc/new/two", result == 0 ? "two\n" : NULL));
		if (result == 0)
			remove_new(host);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, host_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_run_leaves_a_line),
		TEST(test_commits),
		TEST(test_new_things_of_every_kind),
		TEST(test_back_after_a_failed_test),
		TEST(test_a_server_that_dies_is_started_again),
		TEST(test_a_server_that_dies_later),
		TEST(test_back_without_a_look_at_the_ports),
		TEST(test_a_hanging_reload_is_ended),
		TEST(test_what_is_not_proven_goes_back),
		TEST(test_what_is_edited_meanwhile_stays),
		TEST(test_state_directories_that_cannot_be),
		TEST(test_a_file_that_is_mapped),
		TEST(test_what_was_read_must_still_be_there),
		TEST(test_links_are_kept_and_hard_links_refused),
		TEST(test_two_paths_to_one_file),
		TEST(test_places_looked_at),
		TEST(test_looking_at_little),
		TEST(test_places_that_are_none),
		TEST(test_a_link_of_a_server),
		TEST(test_a_directory_that_is_used_meanwhile),
		TEST(test_paths_that_are_too_long_while_they_wait),
		TEST(test_a_place_whose_inside_is_read),
		TEST(test_two_places_to_wait),
		TEST(test_paths_that_are_written_otherwise),
		TEST(test_two_paths_to_one_link),
		TEST(test_removals_of_nothing),
		TEST(test_permissions_that_are_asked_for),
		TEST(test_the_line_of_many_files),
		TEST(test_a_line_behind_a_torn_one),
		TEST(test_unsafe_places),
		TEST(test_nothing_to_do),
		TEST(test_attributes_stay),
		TEST(test_staged_files_keep_away_from_servers),
		TEST(test_backups_beside),
		TEST(test_a_backup_beside_that_is_there),
		TEST(test_no_backup_beside),
		TEST(test_the_records_are_nobodys_place),
		TEST(test_builds),
		TEST(test_a_tree_runs_nothing),
		TEST(test_cancelled_anywhere),
		TEST(test_a_path_as_long_as_paths_are),
		TEST(test_memory_is_short_for_a_directory_behind_a_link),
		TEST(test_locks_of_others),
		TEST(test_locks_that_are_none),
		TEST(test_locks_of_other_users),
		TEST(test_a_lock_that_cannot_be_looked_at),
		TEST(test_our_lock_cannot_be_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
