/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-together.c - several runs at once, in processes and threads, and somebody who edits meanwhile */
#include "unit.h"

#include "host.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE 10

static int set_up(void **state)
{
	*state = host_ready(0, 0);
	return 0;
}

/* Both files get the same text: they must never differ. */
static int deploy(struct host *host, const char *text, unsigned wait)
{
	host_begin(host, "deploy");
	host->transaction.wait = wait;
	host->transaction.keep = 100;
	host_file(host, "etc/one.conf", text, NULL);
	host_file(host, "etc/two.conf", text, NULL);
	return host_run(host);
}

static void assert_one_of_them(struct host *host)
{
	char *one = host_get(host, "etc/one.conf"), *two = host_get(host, "etc/two.conf");

	assert_non_null(one);
	assert_non_null(two);
	assert_string_equal(one, two);
	assert_int_equal(strncmp(one, "run ", 4), 0);
	free(one);
	free(two);
}

static void test_processes(void **state)
{
	struct host *host = *state;
	pid_t children[AT_ONCE];

	for (int i = 0; i < AT_ONCE; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			char text[32];

			/* Some the same, some different. */
			(void)snprintf(text, sizeof(text), "run %d\n", i / 2);
			_exit(deploy(host, text, 60) == 0 ? 0 : 1);
		}
	}
	for (int i = 0; i < AT_ONCE; i++) {
		int status;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	assert_one_of_them(host);
	/* Of two equal ones that follow each other, the second finds nothing to do. */
	assert_in_range(host_history(host), AT_ONCE / 2, AT_ONCE);
}

static void *deploy_often(void *path)
{
	struct host host = {.path = ""};
	long failed = 0;

	(void)snprintf(host.path, sizeof(host.path), "%s", (const char *)path);
	if (cd_root_open(&host.root, &host.problems, NULL) != 0)
		return (void *)1;
	for (int i = 0; i < 5; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "run %p %d\n", (void *)&host, i);
		failed += deploy(&host, text, 60) == 0 ? 0 : 1;
	}
	cd_changes_free(&host.changes);
	cd_transaction_free(&host.transaction);
	cd_problems_free(&host.problems);
	cd_root_close(&host.root);
	cd_arena_free(&host.texts);
	return (void *)failed;
}

static void test_threads(void **state)
{
	struct host *host = *state;
	pthread_t threads[8];
	void *failed;

	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, deploy_often, host->path), 0);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_one_of_them(host);
	assert_int_equal(host_history(host), 40);
}

static int hold(void *user, const char *what, size_t done, size_t total)
{
	int *channel = user;
	char byte = 'x';

	(void)what;
	(void)done;
	(void)total;
	/* Tell that the lock is held, and keep it until told. */
	if (channel[1] != -1 && write(channel[1], &byte, 1) == 1) {
		channel[1] = -1;
		(void)!read(channel[0], &byte, 1);
	}
	return 0;
}

static void test_the_second_does_not_wait_for_ever(void **state)
{
	struct host *host = *state;
	int there[2], back[2], status;
	char byte;
	pid_t child;

	assert_int_equal(pipe(there), 0);
	assert_int_equal(pipe(back), 0);
	child = fork();
	if (child == 0) {
		int channel[2] = {back[0], there[1]};

		host_begin(host, "deploy");
		host->transaction.is_read = NULL;
		host->transaction.prove = NULL;
		host->transaction.prove_old = NULL;
		host->transaction.progress = hold;
		host->transaction.user = channel;
		host_file(host, "etc/one.conf", "run child\n", NULL);
		_exit(host_run(host) == 0 ? 0 : 1);
	}
	assert_int_equal(read(there[0], &byte, 1), 1);
	/* Its journal is no leftover, for it lives. */
	assert_false(cd_transaction_is_interrupted(&host->root, host_path(host, "var/state")));
	assert_int_equal(deploy(host, "run parent\n", 0), CERTDEPLOY_ELOCKED);
	assert_string_equal(host_error(host), "locked");
	assert_int_equal(write(back[1], "x", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(host_has(host, "etc/one.conf", "run child\n"));
	for (int i = 0; i < 2; i++) {
		(void)close(there[i]);
		(void)close(back[i]);
	}
}

/* Whoever edits as editors do, by a rename, never loses what he wrote. */
static void test_somebody_edits_meanwhile(void **state)
{
	struct host *host = *state;
	unsigned done = 0, gave_way = 0;

	for (int i = 0; i < 60; i++) {
		const char *file = host_path(host, "etc/one.conf"),
			   *temporary = host_path(host, "etc/.edit");
		int status, result;
		pid_t child;

		host_put(host, "etc/one.conf", "old one\n");
		child = fork();
		if (child == 0) {
			(void)usleep((useconds_t)i * 200);
			host_put(host, "etc/.edit", "edited\n");
			_exit(rename(temporary, file) == 0 ? 0 : 1);
		}
		result = deploy(host, "run\n", 5);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		if (result == 0) {
			/* The edit came before the run looked, or after all was done. */
			done++;
			assert_true(host_has(host, "etc/one.conf", "edited\n") ||
				    host_has(host, "etc/one.conf", "run\n"));
			assert_true(host_has(host, "etc/two.conf", "run\n"));
		} else {
			gave_way++;
			/* Nothing of it is left for a person to look at. */
			assert_int_equal(result, host->transaction.stale ? CERTDEPLOY_EREFUSED
									 : CERTDEPLOY_EROLLEDBACK);
			assert_string_equal(host_error(host), "changed-since");
			assert_true(host_has(host, "etc/one.conf", "edited\n"));
			assert_true(host_has(host, "etc/two.conf", "old two\n"));
		}
		host_put(host, "etc/two.conf", "old two\n");
	}
	assert_int_equal(done + gave_way, 60);
	assert_false(cd_transaction_is_interrupted(&host->root, host_path(host, "var/state")));
}

/* An edit at the last moment, when all is staged. */
static int edit_late(void *user, const char *what, size_t done, size_t total)
{
	struct host *host = user;

	(void)what;
	if (total != 0 && done + 1 == total)
		host_put(host, "etc/one.conf", "edited\n");
	return 0;
}

static void test_an_edit_after_all_is_staged(void **state)
{
	struct host *host = *state;

	host->transaction.progress = edit_late;
	host->transaction.user = host;
	host->transaction.is_read = NULL;
	host->transaction.prove = host->transaction.prove_old = NULL;
	host_file(host, "etc/two.conf", "run\n", NULL);
	host_file(host, "etc/one.conf", "run\n", NULL);
	assert_int_equal(host_run(host), CERTDEPLOY_EREFUSED);
	assert_string_equal(host_error(host), "changed-since");
	assert_true(host->transaction.stale);
	assert_true(host_has(host, "etc/one.conf", "edited\n"));
	assert_true(host_has(host, "etc/two.conf", "old two\n"));
	assert_int_equal(host_history(host), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, host_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_processes),
		TEST(test_threads),
		TEST(test_the_second_does_not_wait_for_ever),
		TEST(test_somebody_edits_meanwhile),
		TEST(test_an_edit_after_all_is_staged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
