/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * build.c - files that a program makes from others, e.g. Postfix tables
 *
 * The program sees a private copy in the state directory, before anything outside it is touched. Paths
 * in its input that are themselves being installed are replaced by private copies of the new content.
 */
#include "change/work.h"

#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECONDS 120
#define PRODUCT_LIMIT ((size_t)256 << 20)
#define OUTPUT_LIMIT ((size_t)16384)
#define SEPARATORS " \t\r\n,"

struct build {
	struct cd_work *work;
	const struct cd_change_build *asked;
	int directory;      /* private, open */
	const char *path;   /* its path on this host */
	const char *source; /* the copy's name in it */
	const struct cd_table *by_asked;
	size_t copies;
};

static struct cd_arena *arena_of(struct build *build)
{
	return &build->work->journal.arena;
}

static int fail(struct build *build, int error)
{
	return cd_fail_errno(build->work->problems, error, build->asked->product,
			     _("cannot prepare a file for the program that makes it"));
}

static const struct cd_entry *entry_of(struct build *build, const char *path, size_t length)
{
	const struct cd_entry *entry = cd_table_get_bytes(&build->work->by_path, path, length);

	return entry != NULL ? entry : cd_table_get_bytes(build->by_asked, path, length);
}

/* The entries by the names that they were asked for; of two the first counts. */
static int index_asked(struct cd_table *by_asked, struct cd_work *work)
{
	const struct cd_vector *entries = &work->journal.entries;

	for (size_t i = entries->count; i > 0; i--) {
		const struct cd_entry *entry = entries->items[i - 1];

		if (cd_table_put(by_asked, entry->asked, entry) != 0)
			return cd_fail_memory(work->problems);
	}
	return 0;
}

/* Append a path of the input, or where its new content lies for now. */
static int put_path(struct build *build, struct cd_buffer *out, const char *path, size_t length)
{
	const struct cd_entry *entry = length == 0 || path[0] != '/' ? NULL : entry_of(build, path, length);
	char name[32];
	int error;

	if (entry == NULL || entry->after.kind != CD_SIDE_FILE) {
		cd_buffer_add(out, path, length);
		return 0;
	}
	(void)snprintf(name, sizeof(name), "new-%zu", build->copies++);
	error = cd_disk_put(build->directory, name, entry->bytes, entry->length, NULL);
	if (error != 0)
		return fail(build, error);
	cd_buffer_format(out, "%s/%s", build->path, name);
	return 0;
}

static int put_input(struct build *build, const char *bytes, size_t length)
{
	struct cd_buffer out = {.secret = build->asked->secret};
	const char *text = bytes, *end = bytes + length;
	int result = 0, error;

	while (result == 0 && text < end) {
		const char *at = text;

		while (at < end && *at != '\0' && strchr(SEPARATORS, *at) == NULL)
			at++;
		result = put_path(build, &out, text, (size_t)(at - text));
		while (at < end && (*at == '\0' || strchr(SEPARATORS, *at) != NULL))
			cd_buffer_add(&out, at++, 1);
		text = at;
	}
	if (result == 0 && out.failed)
		result = cd_fail_memory(build->work->problems);
	if (result == 0) {
		error = cd_disk_put(build->directory, build->source, cd_buffer_text(&out), out.length,
				    NULL);
		result = error == 0 ? 0 : fail(build, error);
	}
	cd_buffer_free(&out);
	return result;
}

/* The bytes that the program is to see: given, or the new ones, or those that stand there. */
static int put_source(struct build *build)
{
	const struct cd_change_build *asked = build->asked;
	const struct cd_entry *entry;
	char *bytes = NULL;
	size_t length;
	int error;

	if (asked->input != NULL)
		return put_input(build, asked->input, asked->input_length);
	entry = entry_of(build, asked->source, strlen(asked->source));
	if (entry != NULL && entry->after.kind == CD_SIDE_FILE)
		error = cd_disk_put(build->directory, build->source, entry->bytes, entry->length, NULL);
	else
		error = cd_read_file(&bytes, &length, NULL, build->work->root, asked->source,
				     PRODUCT_LIMIT);
	if (bytes != NULL)
		error = cd_disk_put(build->directory, build->source, bytes, length, NULL);
	free(bytes);
	return error == 0 ? 0 : fail(build, error);
}

static int run_program(struct build *build)
{
	struct cd_problems *problems = build->work->problems;
	struct cd_run run = {
		.environment = build->asked->environment, .seconds = SECONDS, .output_limit = OUTPUT_LIMIT};
	const char *copy = cd_arena_format(arena_of(build), "%s/%s", build->path, build->source);
	const char *const *argv =
		copy == NULL ? NULL : cd_argv_with(arena_of(build), build->asked->argv, copy);
	const char *said;
	int result;

	if (argv == NULL)
		return cd_fail_memory(problems);
	run.argv = argv;
	result = cd_run(&run);
	said = cd_run_said(&problems->arena, &run);
	if (result == CERTDEPLOY_ENOMEM)
		result = cd_fail_memory(problems);
	else if (result != 0)
		result = cd_fail(problems, CERTDEPLOY_EFAILED, "command-failed", build->asked->product, 0,
				 _("cannot run %s"), argv[0]);
	else if (run.status != 0)
		result = cd_fail(problems, CERTDEPLOY_EFAILED, "command-failed", build->asked->product, 0,
				 _("%s could not make the file: %s"), argv[0], said == NULL ? "" : said);
	cd_run_free(&run);
	return result;
}

static mode_t mode_of_source(struct build *build)
{
	const struct cd_entry *entry = entry_of(build, build->asked->source, strlen(build->asked->source));
	struct stat status;
	mode_t mode;
	int fd;

	if (build->asked->secret)
		return 0600;
	if (entry != NULL)
		return entry->after.attributes.mode;
	fd = cd_open(build->work->root, build->asked->source, O_PATH);
	if (fd == -1)
		return 0644;
	/* Where nobody knows who may read the source, nobody else may read the product. */
	mode = fstat(fd, &status) == 0 ? status.st_mode & 07777 : 0600;
	(void)close(fd);
	return mode;
}

/* The product joins the entries, before the first other file of its service. */
static int take_product(struct build *build)
{
	struct cd_work *work = build->work;
	struct cd_vector *entries = &work->journal.entries;
	const char *name = cd_arena_format(arena_of(build), "%s%s", build->source, build->asked->suffix);
	struct cd_buffer *product = cd_arena_alloc(arena_of(build), sizeof(*product));
	int fd, error, result;
	char *bytes;
	size_t length, count = entries->count;
	struct cd_change change = {.kind = CD_CHANGE_FILE,
				   .path = build->asked->product,
				   .owner = (uid_t)-1,
				   .group = (gid_t)-1,
				   .mode = mode_of_source(build),
				   .secret = build->asked->secret,
				   .service = build->asked->service};

	if (name == NULL || product == NULL)
		return cd_fail_memory(work->problems);
	fd = cd_disk_open(build->directory, name, O_RDONLY | O_NONBLOCK, 0);
	if (fd == -1)
		return cd_fail(work->problems, CERTDEPLOY_EFAILED, "command-failed", build->asked->product,
			       0, _("%s ended well but made no %s"), build->asked->argv[0], name);
	error = cd_read_fd(&bytes, &length, NULL, fd, PRODUCT_LIMIT);
	(void)close(fd);
	if (error != 0)
		return fail(build, error);
	*product = (struct cd_buffer){bytes, length, length, false, true};
	if (cd_vector_add(&work->products, product) != 0) {
		cd_buffer_free(product);
		return cd_fail_memory(work->problems);
	}
	change.bytes = bytes;
	change.length = length;
	result = cd_work_add(work, &change);
	if (result == 0 && entries->count == count + 1) {
		void *last = entries->items[count];
		size_t at = 0;

		while (at < count) {
			const struct cd_entry *entry = entries->items[at];

			if (change.service != NULL && entry->service != NULL &&
			    strcmp(entry->service, change.service) == 0)
				break;
			at++;
		}
		memmove(entries->items + at + 1, entries->items + at,
			(count - at) * sizeof(*entries->items));
		entries->items[at] = last;
	}
	return result;
}

static int build_one(struct cd_work *work, const struct cd_change_build *asked,
		     const struct cd_table *by_asked, int parent, size_t number)
{
	struct build build = {.work = work, .asked = asked, .directory = -1, .by_asked = by_asked};
	char name[32];
	int result;

	(void)snprintf(name, sizeof(name), "%zu", number);
	build.source = strrchr(asked->source, '/') + 1;
	build.path = cd_arena_format(arena_of(&build), "%s%s/" CD_BUILD "/%s", work->root->path,
				     work->state.path, name);
	if (build.path == NULL)
		return cd_fail_memory(work->problems);
	build.directory = cd_disk_make_directory(parent, name, 0700);
	result = build.directory == -1 ? fail(&build, errno) : put_source(&build);
	if (result == 0)
		result = run_program(&build);
	if (result == 0)
		result = take_product(&build);
	if (build.directory != -1)
		(void)close(build.directory);
	return result;
}

/* In a tree no program is run. */
static void tell_not_built(struct cd_work *work, const struct cd_change_build *asked)
{
	cd_problem(work->problems, CERTDEPLOY_WARNING, "not-built", asked->product, 0,
		   _("%s was not run, as this is not the host itself"), asked->argv[0]);
}

int cd_work_build(struct cd_work *work)
{
	const struct cd_changes *changes = work->asked->changes;
	struct cd_table by_asked = {0};
	int parent, result, error;

	if (changes == NULL || changes->builds.count == 0)
		return 0;
	if (!work->root->live) {
		for (size_t i = 0; i < changes->builds.count; i++)
			tell_not_built(work, changes->builds.items[i]);
		return 0;
	}
	parent = cd_disk_make_directory(work->state.directory, CD_BUILD, 0700);
	if (parent == -1)
		return cd_fail_errno(work->problems, errno, work->state.path, _("cannot make a directory"));
	result = index_asked(&by_asked, work);
	for (size_t i = 0; result == 0 && i < changes->builds.count; i++)
		result = build_one(work, changes->builds.items[i], &by_asked, parent, i);
	cd_table_free(&by_asked);
	(void)close(parent);
	/* Copies of keys do not stay. */
	error = cd_disk_remove(work->state.directory, CD_BUILD);
	if (result == 0 && error != 0)
		result = cd_fail_errno(work->problems, error, work->state.path,
				       _("cannot remove the private copies"));
	return result;
}
