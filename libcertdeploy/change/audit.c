/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * audit.c - one line a run: who, what, how it ended. In STATE/audit.jsonl with every file before and
 * after, in the system's log without them.
 */
#include "change/work.h"

#include "base/json.h"
#include "change/syslog.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AUDIT "audit.jsonl"
#define WAITING ((size_t)64 << 10) /* bytes that are worth a write() */
#define SHOWN 8                    /* certificates in the system's log */

static json_t *string(struct cd_arena *arena, const char *bytes)
{
	return bytes == NULL ? json_null() : json_string(cd_safe(arena, bytes));
}

static json_t *strings(struct cd_arena *arena, const char *const *list)
{
	json_t *array = json_array();

	for (; list != NULL && *list != NULL; list++)
		(void)json_array_append_new(array, string(arena, *list));
	return array;
}

/* A key's digest says nothing that its certificate's does not. */
static json_t *digest(const struct cd_entry *entry, const struct cd_side *side)
{
	return side->kind != CD_SIDE_FILE || entry->secret ? json_null() : json_string(side->digest);
}

static json_t *file(const struct cd_entry *entry)
{
	struct cd_arena arena = {0};
	json_t *json = json_pack("{s:o, s:o, s:o}", "path", string(&arena, entry->path), "before",
				 digest(entry, &entry->before), "after", digest(entry, &entry->after));

	cd_arena_free(&arena);
	return json;
}

static json_t *services(struct cd_arena *arena, const struct cd_work *work)
{
	json_t *array = json_array();

	for (size_t i = 0; i < work->journal.services.count; i++) {
		const struct cd_journal_service *service = work->journal.services.items[i];
		const struct cd_touched *touched = NULL;

		if (work->asked->service_count == work->journal.services.count)
			touched = &work->asked->services[i];
		(void)json_array_append_new(
			array, json_pack("{s:o, s:o, s:o}", "name", string(arena, service->control.name),
					 "action", string(arena, touched == NULL ? NULL : touched->action),
					 "state", string(arena, touched == NULL ? NULL : touched->state)));
	}
	return array;
}

/* A line torn by a run that was killed gets its end first. */
static int end_torn(int fd)
{
	struct stat status;
	char last = '\n';

	if (fstat(fd, &status) == -1)
		return errno;
	if (status.st_size > 0 && pread(fd, &last, 1, status.st_size - 1) != 1)
		last = '\n';
	return last == '\n' ? 0 : cd_disk_write(fd, "\n", 1);
}

/* The text of a value, which is freed, less so many bytes at its end. */
static void put(struct cd_buffer *out, json_t *json, size_t less)
{
	char *text = cd_json_text(json, JSON_COMPACT);

	if (text == NULL)
		out->failed = true;
	else
		cd_buffer_add(out, text, strlen(text) - less);
	free(text);
	json_decref(json);
}

static int flush(int fd, struct cd_buffer *out)
{
	int error = out->failed ? ENOMEM : cd_disk_write(fd, cd_buffer_text(out), out->length);

	out->length = 0;
	return error;
}

/* The files of a large run are many: each goes behind those before it into the list that json ends with. */
static int append(int fd, const struct cd_work *work, json_t *json)
{
	struct cd_buffer out = {0};
	const char *comma = "";
	int error;

	put(&out, json, strlen("]}"));
	error = out.failed ? ENOMEM : end_torn(fd);
	for (size_t i = 0; error == 0 && i < work->journal.entries.count; i++) {
		const struct cd_entry *entry = work->journal.entries.items[i];

		if (cd_entry_is_directory(entry))
			continue;
		cd_buffer_string(&out, comma);
		put(&out, file(entry), 0);
		comma = ",";
		if (out.length >= WAITING)
			error = flush(fd, &out);
	}
	cd_buffer_string(&out, "]}\n");
	if (error == 0)
		error = flush(fd, &out);
	if (error == 0 && fsync(fd) == -1)
		error = errno;
	cd_buffer_free(&out);
	return error;
}

static int write_line(struct cd_work *work, json_t *json)
{
	int fd = cd_disk_open_own(work->state.directory, AUDIT, O_APPEND);
	int error = fd == -1 ? errno : append(fd, work, json);

	if (fd == -1)
		json_decref(json);
	else
		(void)close(fd);
	if (error == 0 && fsync(work->state.directory) == -1)
		error = errno;
	return error;
}

/* The first of many: a line of the system's log is short. */
static json_t *some_strings(struct cd_arena *arena, const char *const *list)
{
	json_t *array = json_array();

	for (size_t i = 0; list != NULL && list[i] != NULL && i < SHOWN; i++)
		(void)json_array_append_new(array, string(arena, list[i]));
	return array;
}

static void tell_system(struct cd_arena *arena, const struct cd_work *work, const char *result)
{
	json_t *json = json_pack(
		"{s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:I}", "transaction", string(arena, work->journal.id),
		"command", string(arena, work->journal.command), "who", string(arena, work->journal.who),
		"result", result, "reason", string(arena, work->reason[0] == '\0' ? NULL : work->reason),
		"certificates", some_strings(arena, work->journal.certificates), "services",
		services(arena, work), "files", (json_int_t)work->journal.entries.count);
	char *line = cd_json_text(json, JSON_COMPACT);

	if (line != NULL)
		cd_syslog(work->asked->syslog, strcmp(result, "committed") != 0, line);
	free(line);
	json_decref(json);
}

void cd_audit(struct cd_work *work, const char *result)
{
	struct cd_arena arena = {0};
	char when[21];
	json_t *json;
	int error;

	cd_utc(when, work->journal.time);
	json = json_pack("{s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:[]}", "time", when, "transaction",
			 string(&arena, work->journal.id), "command", string(&arena, work->journal.command),
			 "who", string(&arena, work->journal.who), "result", result, "reason",
			 string(&arena, work->reason[0] == '\0' ? NULL : work->reason), "certificates",
			 strings(&arena, work->journal.certificates), "services", services(&arena, work),
			 "files");
	error = write_line(work, json);
	if (work->asked->syslog != NULL && work->root->live)
		tell_system(&arena, work, result);
	cd_arena_free(&arena);
	if (error != 0)
		cd_problem(work->problems, CERTDEPLOY_WARNING, "io-error", NULL, 0,
			   _("the line in the audit log could not be written"));
}
