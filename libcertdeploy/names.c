/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* names.c - the names of the store: listed, given another, taken away */
#include "certificate/deployment.h"
#include "keeping.h"
#include "report.h"
#include "use.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_LIMIT ((size_t)1 << 20)
#define DEPTH_LIMIT 6 /* of what lies under a name */
#define LINK_ROOM 256

/* ---- list ---- */

static size_t count_of(struct cd_host *host, const char *path)
{
	const char *const *names = NULL;
	size_t count = 0;

	if (path == NULL || cd_host_directory(&names, host, path) != 0)
		return 0;
	while (names[count] != NULL)
		count++;
	return count;
}

/* What a link holds; "" where none is. */
static void read_link(char target[LINK_ROOM], struct cd_host *host, const char *path)
{
	int fd = path == NULL ? -1 : cd_open(&host->root, path, O_PATH | O_NOFOLLOW);
	ssize_t length = fd == -1 ? -1 : readlinkat(fd, "", target, LINK_ROOM - 1);

	target[length < 0 ? 0 : length] = '\0';
	if (fd != -1)
		(void)close(fd);
}

/* Directories of generations; `current` and `requests` are none. */
static unsigned count_generations(struct cd_host *host, const char *path)
{
	const char *const *names = NULL;
	unsigned count = 0;

	if (path == NULL || cd_host_directory(&names, host, path) != 0)
		return 0;
	for (; *names != NULL; names++)
		count += cd_store_is_generation(*names) ? 1 : 0;
	return count;
}

static int list_name(struct cd_keeping *keeping, const char *name)
{
	struct certdeploy_result *result = keeping->result;
	const char *store = result->cd->settings.store;
	struct cd_arena *arena = &keeping->host.arena;
	struct certdeploy_certificate_report about = {.name = name};
	char *base = cd_arena_format(arena, "%s/%s", store, name);
	struct cd_vector found = {0};
	char generation[LINK_ROOM];
	int code = base == NULL ? cd_fail_memory(&result->problems)
				: cd_store_describe(&found, &keeping->host, store, name);

	if (code != 0)
		return code;
	read_link(generation, &keeping->host, cd_arena_format(arena, "%s/current", base));
	about.generation = generation[0] == '\0' ? NULL : generation;
	about.generations = count_generations(&keeping->host, base);
	about.waiting = (unsigned)count_of(&keeping->host, cd_arena_format(arena, "%s/requests", base));
	for (size_t i = 0; code == 0 && i < found.count; i++) {
		struct certdeploy_certificate_report *report = found.items[i];

		report->generation = about.generation;
		report->generations = about.generations;
		report->waiting = about.waiting;
		code = cd_report_certificate(result, report, name);
	}
	if (code == 0 && found.count == 0 && (about.waiting != 0 || about.generations != 0))
		code = cd_report_certificate(result, &about, name);
	cd_vector_free(&found);
	return code;
}

static int list(struct cd_keeping *keeping)
{
	const char *store = keeping->result->cd->settings.store;
	const char *const *names = NULL;
	int code = cd_host_directory(&names, &keeping->host, store);

	if (code == CERTDEPLOY_ENOTFOUND)
		return 0;
	for (; code == 0 && *names != NULL; names++)
		if (cd_store_name_is_valid(*names))
			code = list_name(keeping, *names);
	return code;
}

/* ---- a name given ---- */

/* The name asked for, where something stands under it. */
static int known_name(const char **name, const char **base, struct cd_keeping *keeping)
{
	struct cd_problems *problems = &keeping->result->problems;
	const char *store = keeping->result->cd->settings.store;

	*name = cd_request_value(keeping->request, CERTDEPLOY_NAME);
	if (*name == NULL)
		return cd_fail(problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("a name in the store is needed"));
	*base = cd_arena_format(&keeping->changes.arena, "%s/%s", store, *name);
	if (*base == NULL)
		return cd_fail_memory(problems);
	if (!cd_store_name_is_valid(*name) ||
	    cd_host_file_type(&keeping->host, *base) != CERTDEPLOY_FILE_DIRECTORY)
		return cd_fail(problems, CERTDEPLOY_EREFUSED, "unknown-name", store, 0,
			       _("the store has no certificate named %s"),
			       cd_safe(&problems->arena, *name));
	return 0;
}

static int add(struct cd_keeping *keeping, const struct cd_change *change)
{
	if (change->path == NULL)
		return cd_fail_memory(&keeping->result->problems);
	return cd_changes_add(&keeping->changes, &keeping->result->problems, change);
}

static int drop(struct cd_keeping *keeping, const char *path)
{
	return add(keeping, &(struct cd_change){.kind = CD_CHANGE_REMOVE, .path = path});
}

/* ---- remove ---- */

static int remove_name(struct cd_keeping *keeping)
{
	struct certdeploy_result *result = keeping->result;
	const char *name = NULL, *base = NULL;
	int code = known_name(&name, &base, keeping);

	if (code == 0)
		code = cd_refuse_use(result, keeping->request, name);
	if (code == 0)
		code = drop(keeping, base);
	if (code == 0)
		code = drop(keeping,
			    cd_deployment_path(&keeping->changes.arena, result->cd->settings.state, name));
	return code == 0 ? cd_keeping_run(keeping, "store-remove", name) : code;
}

/* ---- rename ---- */

static int copy_tree(struct cd_keeping *keeping, const char *from, const char *to, unsigned depth);

static int copy_file(struct cd_keeping *keeping, struct cd_change *change, const char *from)
{
	char *bytes = NULL;
	int error = cd_read_file(&bytes, &change->length, NULL, &keeping->host.root, from, FILE_LIMIT);

	if (error != 0)
		return cd_fail_errno(&keeping->result->problems, error, from, _("cannot read the file"));
	change->kind = CD_CHANGE_FILE;
	change->bytes = cd_arena_copy(&keeping->changes.arena, bytes, change->length);
	change->secret = memmem(bytes, change->length, "PRIVATE KEY-----", 16) != NULL;
	explicit_bzero(bytes, change->length);
	free(bytes);
	return change->bytes == NULL ? cd_fail_memory(&keeping->result->problems) : add(keeping, change);
}

static int copy_entry(struct cd_keeping *keeping, const char *from, const char *to, unsigned depth)
{
	struct cd_change change = {.path = to, .compare = true};
	int fd = cd_open(&keeping->host.root, from, O_PATH | O_NOFOLLOW);
	char target[LINK_ROOM];
	struct stat status;
	int code;

	if (fd == -1 || fstat(fd, &status) == -1) {
		code = cd_fail_errno(&keeping->result->problems, errno, from, _("cannot look at the file"));
		if (fd != -1)
			(void)close(fd);
		return code;
	}
	(void)close(fd);
	change.mode = status.st_mode & 07777;
	change.owner = status.st_uid;
	change.group = status.st_gid;
	if (S_ISDIR(status.st_mode))
		return copy_tree(keeping, from, to, depth + 1);
	if (S_ISREG(status.st_mode))
		return copy_file(keeping, &change, from);
	read_link(target, &keeping->host, from);
	change.kind = CD_CHANGE_LINK;
	change.target = target;
	if (!S_ISLNK(status.st_mode) || target[0] == '\0')
		return cd_fail(&keeping->result->problems, CERTDEPLOY_EREFUSED, "unsafe-path", from, 0,
			       _("what stands here is no file of the store"));
	return add(keeping, &change);
}

/* All of a directory under another path: what is in it keeps its owner and mode. */
static int copy_tree(struct cd_keeping *keeping, const char *from, const char *to, unsigned depth)
{
	const char *const *names = NULL;
	int code = cd_store_directories(&keeping->changes, &keeping->host, to);

	if (code == 0 && depth > DEPTH_LIMIT)
		code = cd_fail(&keeping->result->problems, CERTDEPLOY_EREFUSED, "unsafe-path", from, 0,
			       _("what stands here is no file of the store"));
	if (code == 0)
		code = cd_host_directory(&names, &keeping->host, from);
	for (; code == 0 && *names != NULL; names++) {
		const char *inside = cd_arena_format(&keeping->changes.arena, "%s/%s", from, *names);
		const char *path = cd_arena_format(&keeping->changes.arena, "%s/%s", to, *names);

		code = inside == NULL || path == NULL ? cd_fail_memory(&keeping->result->problems)
						      : copy_entry(keeping, inside, path, depth);
	}
	return code;
}

static int new_name(const char **base, struct cd_keeping *keeping, const char *name)
{
	struct cd_problems *problems = &keeping->result->problems;
	const char *store = keeping->result->cd->settings.store;

	if (name == NULL)
		return cd_fail(problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("a new name is needed (--new-name)"));
	if (!cd_store_name_is_valid(name))
		return cd_fail(problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("\"%s\" cannot be a name in the store"), cd_safe(&problems->arena, name));
	*base = cd_arena_format(&keeping->changes.arena, "%s/%s", store, name);
	if (*base == NULL)
		return cd_fail_memory(problems);
	if (cd_host_file_type(&keeping->host, *base) != CERTDEPLOY_FILE_ABSENT)
		return cd_fail(problems, CERTDEPLOY_EREFUSED, "name-taken", *base, 0,
			       _("the store has a certificate named %s already"), name);
	return 0;
}

static int rename_name(struct cd_keeping *keeping)
{
	struct certdeploy_result *result = keeping->result;
	const char *to = cd_request_value(keeping->request, CERTDEPLOY_NEW_NAME);
	const char *name = NULL, *old = NULL, *new = NULL;
	int code = known_name(&name, &old, keeping);

	keeping->changes.arena.secret = true;
	if (code == 0)
		code = new_name(&new, keeping, to);
	if (code == 0)
		code = cd_refuse_use(result, keeping->request, name);
	if (code == 0)
		code = copy_tree(keeping, old, new, 0);
	if (code == 0)
		code = cd_deployment_rename(&keeping->changes, &keeping->host, result->cd->settings.state,
					    name, to);
	if (code == 0)
		code = drop(keeping, old);
	return code == 0 ? cd_keeping_run(keeping, "store-rename", name) : code;
}

/* ---- the operations ---- */

int certdeploy_store_list(struct certdeploy_result **out, struct certdeploy *cd,
			  const struct certdeploy_request *request)
{
	return cd_with_store(out, cd, request, false, list);
}

int certdeploy_store_remove(struct certdeploy_result **out, struct certdeploy *cd,
			    const struct certdeploy_request *request)
{
	return cd_with_store(out, cd, request, true, remove_name);
}

int certdeploy_store_rename(struct certdeploy_result **out, struct certdeploy *cd,
			    const struct certdeploy_request *request)
{
	return cd_with_store(out, cd, request, true, rename_name);
}
