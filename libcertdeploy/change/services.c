/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* services.c - the servers in a transaction: looked at, tested, reloaded, brought back */
#include "change/work.h"

#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS 50

static int keep_control(struct cd_work *work, const struct cd_touched *touched)
{
	struct cd_journal_service *service = cd_arena_alloc(&work->journal.arena, sizeof(*service));

	if (service == NULL)
		return cd_fail_memory(work->problems);
	service->control = touched->control;
	service->was_running = touched->was_running;
	return cd_vector_add(&work->journal.services, service) == 0 ? 0 : cd_fail_memory(work->problems);
}

int cd_services_look(struct cd_work *work)
{
	struct cd_transaction *asked = work->asked;

	for (size_t i = 0; i < asked->service_count; i++) {
		struct cd_touched *touched = &asked->services[i];
		int result;

		touched->was_running = cd_control_running(&touched->control, work->root);
		touched->action = "none";
		touched->hung = false;
		result = keep_control(work, touched);
		if (result != 0)
			return result;
	}
	return 0;
}

static int step(struct cd_work *work, const char *what, size_t done)
{
	struct cd_transaction *asked = work->asked;

	if (asked->progress == NULL || asked->progress(asked->user, what, done, asked->service_count) == 0)
		return 0;
	return cd_fail(work->problems, CERTDEPLOY_ECANCELLED, "cancelled", NULL, 0,
		       _("cancelled by the caller"));
}

int cd_services_test(struct cd_work *work)
{
	struct cd_transaction *asked = work->asked;
	int result = 0;

	for (size_t i = 0; i < asked->service_count; i++)
		asked->services[i].state = "changed";
	if (!asked->test || !work->root->live)
		return 0;
	for (size_t i = 0; result == 0 && i < asked->service_count; i++) {
		result = step(work, _("testing the configuration"), i);
		if (result == 0)
			result = cd_control_test(&asked->services[i].control, work->problems);
		if (result != 0)
			asked->services[i].state = "failed";
	}
	return result;
}

/* Before a reload is issued, the journal says so. */
static int note_reload(struct cd_work *work, const char *service)
{
	int fd = cd_disk_open(work->directory, CD_RELOADED, O_WRONLY | O_APPEND, 0);
	int error = fd == -1 ? errno : cd_disk_write(fd, service, strlen(service));

	if (error == 0)
		error = cd_disk_write(fd, "\n", 1);
	if (error == 0 && fsync(fd) == -1)
		error = errno;
	error = cd_disk_close(fd, error);
	return error == 0 ? 0
			  : cd_fail_errno(work->problems, error, work->state.path,
					  _("cannot write the journal"));
}

static void note_not_running(struct cd_work *work, const struct cd_control *control)
{
	const char *before = work->problems->service;

	work->problems->service = cd_arena_string(&work->problems->arena, control->name);
	cd_problem(work->problems, CERTDEPLOY_NOTICE, "not-running", NULL, 0,
		   _("the server was not running; it is configured but was not started"));
	work->problems->service = before;
}

static int activate_one(struct cd_work *work, struct cd_touched *touched, bool restart)
{
	int64_t begun;
	int result = note_reload(work, touched->control.name);

	if (result != 0)
		return result;
	touched->action = restart ? "restart" : "reload";
	begun = cd_now_ms();
	result = cd_control_activate(&touched->control, work->problems, work->root, restart);
	touched->state = result == 0 ? "reloaded" : "failed";
	work->activated_at = cd_now_ms();
	touched->hung = result != 0 &&
			work->activated_at - begun >= (int64_t)cd_control_seconds(&touched->control) * 1000;
	return result;
}

int cd_services_activate(struct cd_work *work)
{
	struct cd_transaction *asked = work->asked;
	int result = 0;

	if (!asked->reload || !work->root->live)
		return 0;
	for (size_t i = 0; result == 0 && i < asked->service_count; i++) {
		struct cd_touched *touched = &asked->services[i];
		bool restart = asked->restart || touched->restart;

		if (touched->was_running == 0) {
			note_not_running(work, &touched->control);
			continue;
		}
		result = step(work, restart ? _("restarting") : _("reloading"), i);
		if (result == 0)
			result = activate_one(work, touched, restart);
	}
	return result;
}

int cd_services_restart(struct cd_work *work)
{
	struct cd_transaction *asked = work->asked;
	int count = 0, result = 0;

	for (size_t i = 0; result == 0 && i < asked->service_count; i++) {
		struct cd_touched *touched = &asked->services[i];

		if (!touched->restart || strcmp(touched->action, "reload") != 0)
			continue;
		count++;
		result = step(work, _("restarting"), i);
		if (result == 0)
			result = activate_one(work, touched, true);
	}
	return result == 0 ? count : result;
}

static struct cd_touched *find_dead(struct cd_work *work)
{
	struct cd_transaction *asked = work->asked;

	for (size_t i = 0; i < asked->service_count; i++)
		if (asked->services[i].was_running == 1 &&
		    cd_control_running(&asked->services[i].control, work->root) == 0)
			return &asked->services[i];
	return NULL;
}

static bool any_activated(const struct cd_transaction *asked)
{
	for (size_t i = 0; i < asked->service_count; i++)
		if (strcmp(asked->services[i].action, "none") != 0)
			return true;
	return false;
}

int cd_services_watch(struct cd_work *work)
{
	const struct timespec pause = {0, STEP_MS * 1000000L};
	int64_t end = work->activated_at + work->asked->watch;
	struct cd_touched *dead;
	int result;

	if (!work->root->live || !any_activated(work->asked))
		return 0;
	/* Even one that has just served the new certificate may be about to die of it. */
	while ((dead = find_dead(work)) == NULL && cd_now_ms() < end)
		(void)nanosleep(&pause, NULL);
	if (dead == NULL)
		return 0;
	dead->state = "failed";
	work->problems->service = cd_arena_string(&work->problems->arena, dead->control.name);
	result = cd_fail(work->problems, CERTDEPLOY_EFAILED, "reload-failed", NULL, 0,
			 _("the server died of its new configuration"));
	work->problems->service = NULL;
	return result;
}

/* ---- the way back ---- */

/*
 * What note_reload() has written, kept in *bytes; a torn last line, and notes that are gone or cannot be
 * read, mean any service. NULL: no reload was begun.
 */
static const char *read_reloaded(char **bytes, struct cd_work *work)
{
	int fd = cd_disk_open(work->directory, CD_RELOADED, O_RDONLY | O_NONBLOCK, 0);
	size_t length = 0;
	int error = fd == -1 ? errno : cd_read_fd(bytes, &length, NULL, fd, (size_t)1 << 20);

	if (fd != -1)
		(void)close(fd);
	if (error != 0)
		return "?";
	return length == 0 ? NULL : *bytes;
}

static bool was_reloaded(const char *noted, const char *service)
{
	size_t length = strlen(service);

	while (noted != NULL && *noted != '\0') {
		size_t line = strcspn(noted, "\n");

		if (noted[line] == '\0' || (line == length && strncmp(noted, service, length) == 0))
			return true;
		noted += line + 1;
	}
	return false;
}

static struct cd_touched *touched_of(struct cd_work *work, const char *name)
{
	for (size_t i = 0; i < work->asked->service_count; i++)
		if (strcmp(work->asked->services[i].control.name, name) == 0)
			return &work->asked->services[i];
	return NULL;
}

static int revive_one(struct cd_work *work, const struct cd_journal_service *service, bool reloaded,
		      bool hard)
{
	const struct cd_control *control = &service->control;
	struct cd_touched *touched = touched_of(work, control->name);
	int result = 0;

	if (service->was_running == 0 || (service->was_running == -1 && !reloaded))
		return 0;
	/* A reload that has hung once is not waited for again. */
	if (hard || (touched != NULL && touched->hung))
		result = cd_control_cycle(control, work->problems, work->root);
	else if (reloaded || cd_control_running(control, work->root) == 0)
		result = cd_control_revive(control, work->problems, work->root);
	if (touched != NULL)
		touched->state = result == 0 ? "rolled-back" : "failed";
	return result;
}

static int revive_all(struct cd_work *work, const char *noted, bool hard)
{
	int result = 0;

	for (size_t i = 0; i < work->journal.services.count; i++) {
		const struct cd_journal_service *service = work->journal.services.items[i];
		bool reloaded = was_reloaded(noted, service->control.name);
		int one = 0;

		/* Where no reload was begun at all, nobody is to be suspected more than the others. */
		if (!hard || reloaded || noted == NULL)
			one = revive_one(work, service, reloaded, hard);
		result = result != 0 ? result : one;
	}
	return result;
}

/* Some server may have run when the files changed: its state is worth a look. */
static bool any_ran(const struct cd_work *work)
{
	for (size_t i = 0; i < work->journal.services.count; i++)
		if (((struct cd_journal_service *)work->journal.services.items[i])->was_running != 0)
			return true;
	return false;
}

int cd_services_revive(struct cd_work *work, bool prove)
{
	struct cd_transaction *asked = work->asked;
	char *bytes = NULL;
	const char *noted;
	int result;

	if (!work->root->live || !asked->reload || !any_ran(work))
		return 0;
	noted = read_reloaded(&bytes, work);
	result = revive_all(work, noted, false);
	/*
	 * A server may have taken the reload and serve nothing: Postfix leaves a service that met a
	 * broken file alone for a minute, whatever it is told. Only a fresh start helps.
	 */
	if (prove && asked->prove_old != NULL && asked->prove_old(asked->user) != 0) {
		result = revive_all(work, noted, true);
		if (result == 0 && asked->prove_old(asked->user) != 0)
			result = cd_fail(
				work->problems, CERTDEPLOY_EFAILED, "rollback-failed", NULL, 0,
				_("the files are as before, but the servers do not serve as before"));
	}
	free(bytes);
	return result;
}
