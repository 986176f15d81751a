/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-process.c - programs are run, judged and ended, whatever the process around does with children */
#include "unit.h"

#include "base/process.h"
#include "host/account.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool flags_are_refused;

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	errno = ENOMEM;
	return flags_are_refused && command == F_SETFL ? -1 : __real_fcntl(fd, command, argument);
}

static int run_shell(struct cd_run *run, const char *script)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	int result;

	run->argv = argv;
	if (run->seconds == 0)
		run->seconds = 20;
	if (run->output_limit == 0)
		run->output_limit = 4096;
	result = cd_run(run);
	run->argv = NULL;
	return result;
}

static int status_of(const char *script)
{
	struct cd_run run = {0};
	int result = run_shell(&run, script), status = run.status;

	cd_run_free(&run);
	assert_int_equal(result, 0);
	return status;
}

static void test_status_and_output(void **state)
{
	struct cd_run run = {0};

	(void)state;
	assert_int_equal(status_of("exit 0"), 0);
	assert_int_equal(status_of("exit 7"), 7);
	assert_int_equal(status_of("kill -9 $$"), 137);
	assert_int_equal(run_shell(&run, "echo out; echo err >&2"), 0);
	assert_string_equal(cd_buffer_text(&run.output), "out\n");
	assert_string_equal(cd_buffer_text(&run.errors), "err\n");
	cd_run_free(&run);
}

static void test_no_such_program(void **state)
{
	const char *none[] = {"certdeploy-no-such-program", NULL}, *bad[] = {"/etc/passwd", NULL};
	struct cd_run run = {.argv = none, .seconds = 5, .output_limit = 10};

	(void)state;
	assert_int_equal(cd_run(&run), CERTDEPLOY_ENOTFOUND);
	run.argv = bad;
	assert_int_not_equal(cd_run(&run), 0);
	assert_int_equal(run.status, -1);
	cd_run_free(&run);
}

static void test_what_the_program_sees(void **state)
{
	static const char *const more[] = {"ADDED=1", NULL};
	struct cd_run run = {.environment = more};
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(setenv("LD_DEBUG_OUTPUT", "x", 1), 0);
	assert_int_equal(run_shell(&run, "echo $ADDED-$LD_DEBUG_OUTPUT-$LANG-$PWD; cat; "
					 "for i in /proc/self/fd/*; do echo ${i##*/}; done | tr '\\n' ' '; "
					 "read -r pid name state parent group session rest </proc/$$/stat; "
					 "[ $session = $$ ] && echo leads; umask"),
			 0);
	assert_int_equal(run.status, 0);
	/* The shell's own pipe ends are all that is open beyond the standard ones. */
	assert_int_equal(strncmp(cd_buffer_text(&run.output), "1--C-/\n0 1 2 ", 13), 0);
	assert_null(strstr(cd_buffer_text(&run.output), "5 "));
	assert_non_null(strstr(cd_buffer_text(&run.output), "leads\n0022\n"));
	cd_run_free(&run);
	(void)close(fd);
	(void)unsetenv("LD_DEBUG_OUTPUT");
}

static void test_output_is_bounded(void **state)
{
	struct cd_run run = {.output_limit = 1000};

	(void)state;
	assert_int_equal(run_shell(&run, "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2"), 0);
	assert_int_equal(run.status, 0);
	assert_int_equal(run.output.length, 1000);
	assert_int_equal(run.errors.length, 1000);
	cd_run_free(&run);
}

static double seconds_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool is_gone(const char *pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%ld", atol(pid));
	for (int i = 0; i < 100 && access(path, F_OK) == 0; i++)
		(void)usleep(20000);
	return access(path, F_OK) != 0;
}

static void test_what_hangs_is_ended_with_its_children(void **state)
{
	struct cd_run run = {.seconds = 1};
	double start = seconds_now();

	(void)state;
	assert_int_equal(
		run_shell(&run, "trap '' TERM; sh -c 'trap \"\" TERM; sleep 100' & echo $!; wait; wait"),
		0);
	assert_true(run.timed_out);
	assert_int_equal(run.status, -1);
	assert_true(seconds_now() - start < 10);
	assert_true(is_gone(cd_buffer_text(&run.output)));
	cd_run_free(&run);
}

/* Several at once write faster than one can read: its time is up all the same. */
static void test_what_writes_without_end_is_ended(void **state)
{
	struct cd_run run = {.seconds = 1};
	double start = seconds_now();

	(void)state;
	assert_int_equal(run_shell(&run, "cat /dev/zero & cat /dev/zero & cat /dev/zero"), 0);
	assert_true(run.timed_out);
	assert_int_equal(run.output.length, 4096);
	assert_true(seconds_now() - start < 10);
	cd_run_free(&run);
}

static void test_a_daemon_left_behind_is_not_waited_for(void **state)
{
	struct cd_run run = {0};
	double start = seconds_now();

	(void)state;
	assert_int_equal(run_shell(&run, "sleep 30 & echo $!"), 0);
	assert_int_equal(run.status, 0);
	assert_false(run.timed_out);
	assert_true(seconds_now() - start < 15);
	assert_false(kill(atoi(cd_buffer_text(&run.output)), SIGKILL) != 0);
	cd_run_free(&run);
}

static void test_a_host_that_ignores_its_children(void **state)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;

	(void)state;
	assert_int_equal(sigaction(SIGCHLD, &ignore, &before), 0);
	assert_int_equal(status_of("exit 3"), 3);
	assert_int_equal(status_of("true"), 0);
	/* The program itself can wait for its own children. */
	assert_int_equal(status_of("sh -c 'exit 5'"), 5);
	assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
}

static volatile bool stop;
static unsigned reaped;

static void *reap_everything(void *unused)
{
	(void)unused;
	while (!stop) {
		if (waitpid(-1, NULL, WNOHANG) > 0)
			reaped++;
		(void)usleep(100);
	}
	return NULL;
}

static void test_a_host_that_reaps_everything(void **state)
{
	pthread_t thread;

	(void)state;
	stop = false;
	assert_int_equal(pthread_create(&thread, NULL, reap_everything, NULL), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(status_of("exit 4"), 4);
	stop = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(reaped, 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void *run_many(void *failures)
{
	unsigned *failed = failures;

	for (int i = 0; i < 10; i++) {
		struct cd_run run = {0};

		if (run_shell(&run, "echo x; exit 6") != 0 || run.status != 6 || run.output.length != 2)
			(*failed)++;
		cd_run_free(&run);
	}
	return NULL;
}

static void test_many_threads(void **state)
{
	unsigned failed[4] = {0};
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_many, &failed[i]), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(failed[i], 0);
	}
}

/* Without standard descriptors, pipes would get their numbers. */
static void test_closed_standard_descriptors(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct cd_run run = {0};
		int result;

		(void)close(0);
		(void)close(1);
		(void)close(2);
		result = run_shell(&run, "cat; echo out; echo err >&2; exit 2");
		_exit(result == 0 && run.status == 2 && run.output.length == 4 && run.errors.length == 4
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static unsigned signals_seen;

static void count_signal(int number)
{
	(void)number;
	signals_seen++;
}

static void test_the_host_hears_nothing(void **state)
{
	struct sigaction count = {.sa_handler = count_signal}, before;

	(void)state;
	assert_int_equal(sigaction(SIGCHLD, &count, &before), 0);
	assert_int_equal(status_of("exit 1"), 1);
	assert_int_equal(signals_seen, 0);
	assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
}

/* A read that waits has no time limit: without pipes that do not wait nothing is started. */
static void test_pipes_that_would_wait(void **state)
{
	struct cd_run run = {0};

	(void)state;
	flags_are_refused = true;
	assert_int_equal(run_shell(&run, "exit 0"), CERTDEPLOY_ENOMEM);
	flags_are_refused = false;
	assert_int_equal(run.status, -1);
	cd_run_free(&run);
}

#define STATUS(uid, groups, powers)                                                                        \
	"Name:\tapache2\nUid:\t0\t" uid "\t0\t0\nGid:\t0\t33\t0\t0\nGroups:\t" groups "\nCapEff:\t" powers \
	"\n"

static void test_what_an_account_may_read(void **state)
{
	struct cd_account account;

	(void)state;
	cd_account_parse(&account, STATUS("34", "110 4 ", "0000000000000000"));
	assert_true(account.limited);
	assert_int_equal(account.user, 34);
	assert_int_equal(account.group_count, 3);
	assert_true(cd_account_may_read(&account, 34, 0, 0400));
	assert_false(cd_account_may_read(&account, 34, 33, 0044));
	assert_true(cd_account_may_read(&account, 0, 33, 0640));
	assert_true(cd_account_may_read(&account, 0, 4, 0040));
	assert_false(cd_account_may_read(&account, 0, 110, 0604));
	assert_true(cd_account_may_read(&account, 0, 0, 0644));
	assert_false(cd_account_may_read(&account, 0, 0, 0640));
	assert_true(cd_account_may_enter(&account, 34, 0, 0100));
	assert_false(cd_account_may_enter(&account, 34, 33, 0677));
	assert_true(cd_account_may_enter(&account, 0, 33, 0710));
	assert_false(cd_account_may_enter(&account, 0, 33, 0761));
	assert_true(cd_account_may_enter(&account, 0, 0, 0701));
	assert_false(cd_account_may_enter(&account, 0, 0, 0776));
	cd_account_parse(&account, STATUS("34", "", "0000000000000000"));
	assert_true(account.limited);
	assert_int_equal(account.group_count, 1);
}

static void test_an_account_that_may_read_all_or_is_not_known(void **state)
{
	static const char *const texts[] = {
		STATUS("0", "", "000001ffffffffff"),
		STATUS("34", "", "0000000000000004"),
		STATUS("x", "", "0000000000000000"),
		"Uid:\t34\t34\t34\t34\n",
		"",
	};
	struct cd_account account;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		cd_account_parse(&account, texts[i]);
		assert_false(account.limited);
		assert_true(cd_account_may_read(&account, 0, 0, 0600));
		assert_true(cd_account_may_enter(&account, 0, 0, 0700));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_and_output),
		cmocka_unit_test(test_no_such_program),
		cmocka_unit_test(test_what_the_program_sees),
		cmocka_unit_test(test_output_is_bounded),
		cmocka_unit_test(test_what_hangs_is_ended_with_its_children),
		cmocka_unit_test(test_what_writes_without_end_is_ended),
		cmocka_unit_test(test_a_daemon_left_behind_is_not_waited_for),
		cmocka_unit_test(test_a_host_that_ignores_its_children),
		cmocka_unit_test(test_a_host_that_reaps_everything),
		cmocka_unit_test(test_many_threads),
		cmocka_unit_test(test_closed_standard_descriptors),
		cmocka_unit_test(test_what_an_account_may_read),
		cmocka_unit_test(test_an_account_that_may_read_all_or_is_not_known),
		cmocka_unit_test(test_the_host_hears_nothing),
		cmocka_unit_test(test_pipes_that_would_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
