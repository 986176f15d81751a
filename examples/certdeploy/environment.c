/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * environment.c - make the process fit to run as root, whoever started it
 *
 * A tool that runs by sudo, from cron or behind a panel inherits what it did not choose: closed
 * descriptors, ignored signals, limits, an umask, and variables that make libraries load files. All of
 * it is brought to known values here, before anything else happens. The library itself never does so.
 */
#include "tool.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define VALUE_LIMIT 64

/* The variables that mean something to us; their values outlive the environment. */
enum {
	NOTED_LANGUAGE,
	NOTED_LC_ALL,
	NOTED_LC_MESSAGES,
	NOTED_LANG,
	NOTED_NO_COLOR,
	NOTED_COLUMNS,
	NOTED_TERM,
	NOTED_SUDO_USER,
	NOTED_COUNT,
};

static const char *const noted_names[NOTED_COUNT] = {
	"LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG", "NO_COLOR", "COLUMNS", "TERM", "SUDO_USER",
};
static char noted[NOTED_COUNT][VALUE_LIMIT];

/* What issuers tell their hooks: paths and names, used as nothing else. */
static const char *const issuer_names[] = {
	"RENEWED_LINEAGE",  "LEGO_HOOK_CERT_NAME", "LEGO_HOOK_CERT_DOMAIN", "LEGO_HOOK_CERT_PATH",
	"LEGO_CERT_DOMAIN", "LEGO_CERT_PATH",      "LEGO_CERT_KEY_PATH",    "LEGO_HOOK_CERT_KEY_PATH",
	"Le_Domain",        "CERT_KEY_PATH",       "CERT_FULLCHAIN_PATH",
};
#define ISSUER_NAMES (sizeof(issuer_names) / sizeof(issuer_names[0]))
static char issuer_values[ISSUER_NAMES][ISSUER_VALUE];

static volatile sig_atomic_t interrupted;

/* Descriptors 0 to 2 must be open, or the next file opened would become standard error. */
static void open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd == -1)
		_exit(1);
	(void)close(fd);
}

/* A value goes into names of files and into the log: only what a language or user name is made of. */
static void note(int which)
{
	const char *value = getenv(noted_names[which]);
	size_t length = value == NULL ? 0 : strlen(value);

	if (length != 0 && length < VALUE_LIMIT && strspn(value, LANGUAGE_LETTERS) == length)
		memcpy(noted[which], value, length + 1);
	else if (length != 0 && which == NOTED_NO_COLOR)
		noted[which][0] = '1';
}

static void note_issuer(size_t which)
{
	const char *value = getenv(issuer_names[which]);
	size_t length = value == NULL ? 0 : strlen(value);

	if (length != 0 && length < ISSUER_VALUE)
		memcpy(issuer_values[which], value, length + 1);
}

const char *issuer_variable(const char *name)
{
	for (size_t i = 0; i < ISSUER_NAMES; i++)
		if (strcmp(issuer_names[i], name) == 0)
			return issuer_values[i];
	return NULL;
}

static void replace_environment(void)
{
	for (size_t i = 0; i < ISSUER_NAMES; i++)
		note_issuer(i);
	for (int i = 0; i < NOTED_COUNT; i++)
		note(i);
	(void)clearenv();
	(void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	for (int i = NOTED_NO_COLOR; i < NOTED_COUNT; i++)
		if (noted[i][0] != '\0')
			(void)setenv(noted_names[i], noted[i], 1);
}

static void reset_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	(void)sigemptyset(&action.sa_mask);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* With SIGCHLD ignored nobody could learn how a server's command ended. */
	(void)sigaction(SIGCHLD, &action, NULL);
	/* A reader that goes away, or a limit, must not end a run half way: writing fails instead. */
	action.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &action, NULL);
	(void)sigaction(SIGXFSZ, &action, NULL);
	(void)setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
}

static void set_limits(void)
{
	struct rlimit limit = {0, 0};

	/* Keys are in memory: no core file, no debugger of the same user. */
	(void)setrlimit(RLIMIT_CORE, &limit);
#ifndef __SANITIZE_ADDRESS__
	(void)prctl(PR_SET_DUMPABLE, 0);
#endif
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_FSIZE, &limit);
	}
	(void)umask(077);
}

const char *noted_locale(void)
{
	static const int order[] = {NOTED_LC_ALL, NOTED_LC_MESSAGES, NOTED_LANG};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (noted[order[i]][0] != '\0')
			return noted[order[i]];
	return "C";
}

const char *noted_language(void)
{
	const char *locale = noted_locale();

	/* As gettext has it: LANGUAGE is nothing to the locale "C". */
	if (noted[NOTED_LANGUAGE][0] == '\0' || strcmp(locale, "C") == 0 || strcmp(locale, "POSIX") == 0)
		return locale;
	return noted[NOTED_LANGUAGE];
}

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

void catch_interrupts(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART}, old;

	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		/* What was ignored stays so: nohup. */
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			(void)sigaction(numbers[i], &action, NULL);
}

bool was_interrupted(void)
{
	return interrupted != 0;
}

void prepare_process(struct tool *tool)
{
	open_standard_streams();
	/* A line at a time, not a piece of it: one run may have thousands of problems to tell. */
	(void)setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	replace_environment();
	/*
	 * Before anything else of OpenSSL's: a configuration file can name code to load. Nor are thousands
	 * of tables taken down in the end, one by one: they go with the process.
	 */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	reset_signals();
	set_limits();
	set_language(NULL);
	*tool = (struct tool){.passphrase_fd = -1};
}
