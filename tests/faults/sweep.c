/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sweep.c - kill or fail every operation that changes a host at every system call and allocation
 *
 * Each case runs in a child of its own on a fresh host. The k-th call is not made, or is made, and the
 * process is killed; or the call fails, once or from then on; or it fails and the process is killed while
 * it puts things back; or the recovery after a kill is hit too. Afterwards the host is judged, recovered
 * and judged again: wholly old or wholly new, servers running with it, nothing left over, no key ever
 * readable by others.
 *
 *	sweep [--stride N] [--nested-stride N] [--only OPERATION] [--verbose] [--keep]
 *	      [--forgetful | --careless]
 *
 * CERTDEPLOY_SWEEP=all takes every call, else a part of them. The last two plant a defect that the sweep
 * must find: a recovery that forgets a file, new files that all can read.
 */
#include "meet.h"
#include "stand.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START 1800000000 /* the first operation; each later one a minute later */
#define WORKERS 16
#define RARE 97
#define SELDOM 1000000

typedef int perform(struct scene *scene, const char *program);

struct operation {
	const char *name;
	perform *run;
	perform *before[4]; /* what happened on the host so far */
	bool history;       /* the backups must be whole too */
	bool forward;       /* once begun it is not taken back: a later run goes on with it */
	bool many;          /* so many calls that a hurried sweep takes few of them */
	bool old_kernel;    /* the calls that this one lacks are made good by others */
};

static const struct operation operations[] = {
	{.name = "deploy", .run = scene_deploy},
	{.name = "rollback", .run = scene_rollback, .before = {scene_deploy}},
	{.name = "prune",
	 .run = scene_prune,
	 .before = {scene_deploy_beside, scene_rollback, scene_deploy},
	 .history = true,
	 .forward = true},
	{.name = "deploy beside", .run = scene_deploy_beside, .old_kernel = true},
	{.name = "deploy of 100", .run = scene_deploy_many, .many = true},
};

static const struct meet_fault mutating[] = {
	{.name = "kill"},
	{.name = "kill after", .after = true},
	{.name = "torn", .torn = true},
	{.name = "short", .number = EIO, .torn = true},
	{.name = "EIO", .number = EIO},
	{.name = "ENOSPC", .number = ENOSPC},
	{.name = "EACCES", .number = EACCES},
	{.name = "EROFS", .number = EROFS},
	{.name = "EMFILE", .number = EMFILE},
	{.name = "EINTR", .number = EINTR},
	{.name = "ENOSPC+", .number = ENOSPC, .sticky = true},
	{.name = "EROFS+", .number = EROFS, .sticky = true},
	{.name = "EIO+", .number = EIO, .sticky = true},
};
static const struct meet_fault reading[] = {
	{.name = "EIO", .number = EIO},
	{.name = "EACCES", .number = EACCES},
	{.name = "EINTR", .number = EINTR},
	{.name = "EMFILE", .number = EMFILE},
	{.name = "EMFILE+", .number = EMFILE, .sticky = true},
};
static const struct meet_fault memory[] = {
	{.name = "ENOMEM", .number = ENOMEM},
	{.name = "ENOMEM+", .number = ENOMEM, .sticky = true},
};
/* What hits a recovery after a kill, and what is followed by a kill. */
static const struct meet_fault nested[] = {{.name = "kill"},
					   {.name = "EIO", .number = EIO},
					   {.name = "ENOSPC+", .number = ENOSPC, .sticky = true}};
static const struct meet_fault followed[] = {{.name = "ENOSPC", .number = ENOSPC}};

/* The whole sweep is this list, for each operation. */
struct family {
	enum { SINGLE, NESTED, FOLLOWED } how;
	int classes;
	const struct meet_fault *faults;
	size_t count;
};

#define FAMILY(how, classes, faults)                                                                       \
	{                                                                                                  \
		how, classes, faults, sizeof(faults) / sizeof((faults)[0])                                 \
	}

static const struct family families[] = {
	FAMILY(SINGLE, MEET_MUTATING, mutating),
	FAMILY(SINGLE, MEET_READING | MEET_LOCKING | MEET_CLOSING | MEET_RUNNING, reading),
#ifndef __SANITIZE_ADDRESS__
	FAMILY(SINGLE, MEET_ALLOCATING, memory),
#endif
	FAMILY(SINGLE, MEET_OWN, memory),
	FAMILY(NESTED, MEET_MUTATING, nested),
	FAMILY(FOLLOWED, MEET_MUTATING, followed),
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct tally {
	unsigned long calls, kills, faults, states, old, new, neither, open_keys, failed;
};

static struct {
	long stride, nested;
	const char *only;
	enum meet_defect defect;
	bool verbose, keep;
} options;

/* A worker's own. */
static char base[256], path[300], old_host[300];
static const struct operation *operation; /* the one that base was set up for */
static struct tally tally;

/* ---- one run in a child ---- */

/* There where the program is built for coverage. */
void __gcov_dump(void) __attribute__((weak));

static int operate_once(perform *operate, int classes)
{
	struct scene scene;
	int result;

	scene_open(&scene, path);
	meeting->classes = classes;
	result = operate(&scene, path);
	meeting->classes = 0;
	for (size_t i = 0; options.verbose && result != 0 && i < scene.problems.list.count; i++) {
		const struct certdeploy_problem *problem = scene.problems.list.items[i];

		printf("    %s: %s\n", problem->code, problem->message);
	}
	scene_close(&scene);
	return result;
}

/* Its result, or 1000 + the signal that ended it. */
static int run(perform *operate, int classes, long at, long then, const struct meet_fault *fault)
{
	bool dies = then != 0 || (fault != NULL && fault->number == 0);
	int status, result;
	pid_t child;

	meeting->at = at;
	meeting->then = then;
	meeting->fault = fault == NULL ? (struct meet_fault){0} : *fault;
	meeting->defect =
		options.defect == MEET_FORGETFUL && operate != scene_recover ? MEET_SOUND : options.defect;
	meeting->count = 0;
	meeting->fired = meeting->killed = false;
	(void)fflush(stdout);
	/* What a child has reached would have to be written down by each of them. */
	if (__gcov_dump != NULL && !dies)
		return operate_once(operate, classes);
	child = fork();
	if (child == 0) {
		result = operate_once(operate, classes);
		(void)fflush(stdout);
		_exit(-result & 0xff);
	}
	if (child == -1 || waitpid(child, &status, 0) != child) {
		perror("fork");
		exit(2);
	}
	meeting->classes = 0;
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : -WEXITSTATUS(status);
}

static int recover(void)
{
	return run(scene_recover, 0, 0, 0, NULL);
}

/* ---- the host ---- */

static void set_up(const struct operation *wanted)
{
	if (operation == wanted)
		return;
	operation = wanted;
	meeting->old_kernel = wanted->old_kernel;
	scene_clear(path);
	if (mkdir(path, 0755) == -1) {
		perror(path);
		exit(2);
	}
	scene_build(path);
	meeting->time = START;
	for (perform *const *before = wanted->before; *before != NULL; before++) {
		if (run(*before, 0, 0, 0, NULL) != 0)
			printf("FAIL what goes before %s fails\n", wanted->name);
		meeting->time += 60;
	}
	scene_copy(path, old_host);
	stand_begin(path, wanted->history);
	stand_keep_old();
	if (run(wanted->run, 0, 0, 0, NULL) != 0) {
		printf("FAIL %s fails without any fault\n", wanted->name);
		exit(1);
	}
	stand_keep_new();
}

/* ---- one case ---- */

static void wrong(const char *what, const char *where, const char *why)
{
	tally.failed++;
	if (tally.failed < 40)
		printf("FAIL %s: %s: %s (%s)\n", operation->name, what, why, where);
}

static const struct stand *settle(const char *what)
{
	char where[sizeof(meeting->where)];
	const struct stand *stand;

	(void)snprintf(where, sizeof(where), "%s", meeting->where);
	stand = stand_judge(recover);
	tally.old += stand->after == STAND_OLD ? 1 : 0;
	tally.new += stand->after == STAND_NEW ? 1 : 0;
	tally.neither += stand->after == STAND_NEITHER ? 1 : 0;
	tally.open_keys += stand->open_keys;
	if (stand->wrong != NULL)
		wrong(what, where, stand->wrong);
	return stand;
}

/* What a run that was not killed says must be so. */
static void check_word(const char *what, int result, const struct stand *stand)
{
	enum stand_as now = operation->forward ? stand->after : stand->now;

	if (result > 1000)
		wrong(what, meeting->where, "died of a signal");
	else if (result == 0 && now != STAND_NEW)
		wrong(what, meeting->where, "says it is done, and it is not");
	else if (result != 0 && result != CERTDEPLOY_EBROKEN && !operation->forward && now != STAND_OLD)
		wrong(what, meeting->where, "says nothing changed, and it did");
}

static void single_case(int classes, long at, const struct meet_fault *fault)
{
	bool kills = fault->number == 0;
	const struct stand *stand;
	char what[200];
	int result;

	(void)snprintf(what, sizeof(what), "%s at call %ld", fault->name, at);
	scene_copy(old_host, path);
	result = run(operation->run, classes, at, 0, fault);
	if (!meeting->fired)
		return;
	tally.kills += kills ? 1 : 0;
	tally.faults += kills ? 0 : 1;
	stand = settle(what);
	if (!kills)
		check_word(what, result, stand);
}

/* A kill, then a fault in the recovery, then a recovery. false: the recovery has no such call. */
static bool nested_case(long at, long then, const struct meet_fault *fault)
{
	static const struct meet_fault killed = {.name = "kill"};
	char what[200];

	(void)snprintf(what, sizeof(what), "kill at call %ld, recovery: %s at call %ld", at, fault->name,
		       then);
	scene_copy(old_host, path);
	(void)run(operation->run, MEET_MUTATING, at, 0, &killed);
	(void)run(scene_recover, MEET_MUTATING, then, 0, fault);
	if (!meeting->fired)
		return false;
	tally.kills++;
	tally.faults++;
	(void)settle(what);
	return true;
}

/* A call fails, and the process is killed while it puts things back. false: it had ended before. */
static bool followed_case(long at, long then, const struct meet_fault *fault)
{
	char what[200];

	(void)snprintf(what, sizeof(what), "%s at call %ld, killed %ld calls later", fault->name, at, then);
	scene_copy(old_host, path);
	(void)run(operation->run, MEET_MUTATING, at, then, fault);
	if (!meeting->killed)
		return false;
	tally.kills++;
	tally.faults++;
	(void)settle(what);
	return true;
}

/* ---- many cases ---- */

/* Every stride-th call that this fault can hit. */
static void sweep_single(const struct family *family, const struct meet_fault *fault, long first,
			 long stride)
{
	unsigned char *can;
	long calls;

	scene_copy(old_host, path);
	(void)run(operation->run, family->classes, 0, 0, NULL);
	calls = meeting->count;
	tally.calls += fault == family->faults ? (unsigned long)calls : 0;
	can = calloc((size_t)calls + 1, 1);
	for (long at = 1; can != NULL && at <= calls; at++)
		can[at] = meet_can(at, fault);
	for (long at = first; can != NULL && at <= calls; at += stride)
		if (can[at] != 0)
			single_case(family->classes, at, fault);
	free(can);
}

static void sweep_double(const struct family *family, const struct meet_fault *fault, long stride)
{
	long calls, offset = 0;

	scene_copy(old_host, path);
	(void)run(operation->run, family->classes, 0, 0, NULL);
	calls = meeting->count;
	for (long at = 1; at <= calls; at++) {
		long then = 1 + offset++ % stride;

		while (family->how == NESTED ? nested_case(at, then, fault)
					     : followed_case(at, then, fault))
			then += stride;
	}
}

/* ---- the workers ---- */

/*
 * A hundred certificates make the same calls a hundred times: each that changes the host is swept where all
 * of them are, of the others and of the allocations a part.
 */
static long stride_of(const struct operation *one, const struct family *family)
{
	bool rare = one->many && (options.stride > 1 || family->classes != MEET_MUTATING);
	long stride = options.stride;

	/* Coverage asks for what the library itself does when memory is short. */
	if (__gcov_dump != NULL)
		stride = family->classes == MEET_OWN          ? 3
			 : family->classes == MEET_ALLOCATING ? SELDOM
							      : stride;
	return stride * (rare ? RARE : 1);
}

/* One fault of one family over one operation; they are numbered through. false: there are no more. */
static bool work(unsigned number)
{
	unsigned left = number;

	for (size_t i = 0; i < COUNT(operations); i++)
		for (size_t family = 0; family < COUNT(families);
		     left -= (unsigned)families[family++].count) {
			const struct family *one = &families[family];
			long stride = stride_of(&operations[i], one);

			if (left >= one->count)
				continue;
			if (options.only != NULL && strcmp(options.only, operations[i].name) != 0)
				return true;
			set_up(&operations[i]);
			if (one->how == SINGLE)
				sweep_single(one, &one->faults[left], 1 + number % stride, stride);
			else if (!operations[i].many)
				sweep_double(one, &one->faults[left], options.nested);
			return true;
		}
	return false;
}

static void worker(atomic_uint *next, struct tally *out)
{
	const char *directory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	char digest[CD_SHA256_TEXT];

	/* OpenSSL 3.0 dies when memory is short while it loads its own parts: not ours to judge. */
	(void)cd_sha256(digest, "", 0);
	meet_open();
	(void)snprintf(base, sizeof(base), "%s/certdeploy-sweep.XXXXXX", directory);
	if (mkdtemp(base) == NULL) {
		perror(base);
		exit(2);
	}
	(void)snprintf(path, sizeof(path), "%s/host", base);
	(void)snprintf(old_host, sizeof(old_host), "%s/old", base);
	while (work(atomic_fetch_add(next, 1)))
		;
	stand_end();
	if (!options.keep)
		scene_clear(base);
	tally.states = stand_count();
	*out = tally;
}

static void add_up(struct tally *all, const struct tally *one)
{
	all->calls += one->calls;
	all->kills += one->kills;
	all->faults += one->faults;
	all->states += one->states;
	all->old += one->old;
	all->new += one->new;
	all->neither += one->neither;
	all->open_keys += one->open_keys;
	all->failed += one->failed;
}

static long default_stride(void)
{
#ifdef __SANITIZE_ADDRESS__
	const char *much = NULL;
#else
	const char *much = getenv("CERTDEPLOY_SWEEP");
#endif
	const char *preloaded = getenv("LD_PRELOAD");

	if (preloaded != NULL && strstr(preloaded, "vgpreload") != NULL)
		return 200;
	return much != NULL && strcmp(much, "all") == 0 ? 1 : 13;
}

static void read_options(int argc, char **argv)
{
	options.stride = default_stride();
	options.nested = options.stride * 7;
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;

		if (strcmp(argv[i], "--stride") == 0 && more)
			options.stride = atol(argv[++i]);
		else if (strcmp(argv[i], "--nested-stride") == 0 && more)
			options.nested = atol(argv[++i]);
		else if (strcmp(argv[i], "--only") == 0 && more)
			options.only = argv[++i];
		else if (strcmp(argv[i], "--verbose") == 0)
			options.verbose = true;
		else if (strcmp(argv[i], "--keep") == 0)
			options.keep = true;
		else if (strcmp(argv[i], "--forgetful") == 0)
			options.defect = MEET_FORGETFUL;
		else if (strcmp(argv[i], "--careless") == 0)
			options.defect = MEET_CARELESS;
	}
}

/* What the workers share. */
struct shared {
	atomic_uint next;
	struct tally tallies[WORKERS];
};

int main(int argc, char **argv)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int workers = processors < 1         ? 1
		      : processors > WORKERS ? WORKERS
					     : (int)processors,
	    ended = 0, status;
	struct shared *shared =
		mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct tally all = {0};

	read_options(argc, argv);
	if (shared == MAP_FAILED || options.stride < 1 || options.nested < 1)
		return 2;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < workers; i++)
		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			worker(&shared->next, &shared->tallies[i]);
			if (__gcov_dump != NULL)
				__gcov_dump();
			_exit(0);
		}
	while (wait(&status) > 0)
		ended += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : 0;
	for (int i = 0; i < workers; i++)
		add_up(&all, &shared->tallies[i]);
	printf("calls %lu, kills %lu, faults %lu, distinct states %lu, old %lu, new %lu, neither %lu, "
	       "keys seen readable %lu, other failures %lu\n",
	       all.calls, all.kills, all.faults, all.states, all.old, all.new, all.neither, all.open_keys,
	       all.failed - all.neither);
	return ended == workers && all.failed == 0 && all.open_keys == 0 && all.kills != 0 ? 0 : 1;
}
