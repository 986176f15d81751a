/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stand.c - how a host stands after a fault: as before the operation, as after it, or neither */
#include "stand.h"

#include "base/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	const char *path;
	bool history;
	char *old_picture, *new_picture, *old_times;
	struct cd_arena arena;
	struct cd_table lines;  /* of both pictures */
	struct cd_table states; /* digest -> struct stand */
} host;

static unsigned long count;

void stand_end(void)
{
	free(host.old_picture);
	free(host.new_picture);
	free(host.old_times);
	host.old_picture = host.new_picture = host.old_times = NULL;
	cd_table_free(&host.lines);
	cd_table_free(&host.states);
	cd_arena_free(&host.arena);
}

void stand_begin(const char *path, bool history)
{
	stand_end();
	host.path = path;
	host.history = history;
}

static void keep_lines(const char *picture)
{
	size_t length;

	for (; *picture != '\0'; picture += length + 1) {
		length = strcspn(picture, "\n");
		if (cd_table_put_bytes(&host.lines, picture, length, picture) != 0)
			abort();
	}
}

void stand_keep_old(void)
{
	host.old_picture = scene_picture(host.path, host.history);
	keep_lines(host.old_picture);
	host.old_times = scene_times(host.path);
}

void stand_keep_new(void)
{
	host.new_picture = scene_picture(host.path, host.history);
	keep_lines(host.new_picture);
}

unsigned long stand_count(void)
{
	return count;
}

/* A name that a run gives to what waits. */
static bool is_ours(const char *line, size_t length)
{
	return memmem(line, length, ".certdeploy-2", strlen(".certdeploy-2")) != NULL;
}

static void leave_ours_out(char *picture)
{
	char *to = picture;
	size_t length;

	for (const char *at = picture; *at != '\0'; at += length + 1) {
		length = strcspn(at, "\n");
		if (!is_ours(at, length)) {
			memmove(to, at, length + 1);
			to += length + 1;
		}
	}
	*to = '\0';
}

/*
 * Old is what is old to the time of each file. What a run that is done could not clear away does not make
 * its work less done, until a later run has had its turn.
 */
static enum stand_as compare(bool recovered)
{
	char *picture = scene_picture(host.path, host.history), *times = scene_times(host.path);
	enum stand_as as = STAND_NEITHER;

	if (strcmp(picture, host.new_picture) == 0)
		as = STAND_NEW;
	else if (strcmp(picture, host.old_picture) == 0 && strcmp(times, host.old_times) == 0)
		as = STAND_OLD;
	if (as == STAND_NEITHER && !recovered) {
		leave_ours_out(picture);
		as = strcmp(picture, host.new_picture) == 0 ? STAND_NEW : STAND_NEITHER;
	}
	free(picture);
	free(times);
	return as;
}

/* At no instant is there a path that is neither as before nor as after, nor a name of ours. */
static const char *find_window(void)
{
	char *picture = scene_picture(host.path, host.history);
	const char *found = NULL;
	size_t length;

	for (const char *at = picture; found == NULL && *at != '\0'; at += length + 1) {
		length = strcspn(at, "\n");
		if (cd_table_get_bytes(&host.lines, at, length) != NULL)
			continue;
		if (!is_ours(at, length))
			found = cd_arena_copy(&host.arena, at, length);
	}
	free(picture);
	return found;
}

static void judge(struct stand *stand, int (*recover)(void))
{
	const char *why;

	stand->now = compare(false);
	stand->open_keys = scene_open_keys(host.path);
	stand->wrong = find_window();
	if (recover() != 0)
		stand->wrong = "recovery fails";
	stand->after = compare(true);
	stand->open_keys += scene_open_keys(host.path);
	why = scene_servers_wrong(host.path);
	if (why == NULL)
		why = scene_litter(host.path);
	if (why != NULL)
		stand->wrong = why;
	if (stand->after == STAND_NEITHER)
		stand->wrong = "neither old nor new";
}

const struct stand *stand_judge(int (*recover)(void))
{
	char digest[CD_SHA256_TEXT];
	struct stand *stand;

	scene_digest(digest, host.path);
	stand = cd_table_get(&host.states, digest);
	if (stand != NULL)
		return stand;
	stand = cd_arena_alloc(&host.arena, sizeof(*stand));
	if (stand == NULL || cd_table_put(&host.states, digest, stand) != 0)
		abort();
	judge(stand, recover);
	count++;
	return stand;
}
