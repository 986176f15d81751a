/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state.c - the state directory: open it safely, know who asks */
#include "change/state.h"

#include "change/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int cannot_open(struct cd_state *state, int error, const char *path)
{
	return cd_fail_errno(state->problems, error, path, _("cannot open the state directory"));
}

static int make_one(struct cd_state *state, const char *path, mode_t mode)
{
	struct cd_place place;
	int result = cd_place_find(&place, state->problems, state->root, path, CD_TRUST_CHECK);
	int made = -1, parent = -1;

	if (result != 0)
		return result;
	if (!place.identity.exists) {
		made = cd_disk_make_directory(place.directory, place.name, mode);
		parent =
			cd_above_standard(openat(place.directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		if (made == -1 || parent == -1 || fsync(parent) == -1)
			result = cannot_open(state, errno, path);
	}
	if (made != -1)
		(void)close(made);
	if (parent != -1)
		(void)close(parent);
	cd_place_close(&place);
	return result;
}

/* Make the directory and those that lead to it. path is changed on the way. */
static int make_all(struct cd_state *state, char *path)
{
	int result = 0;

	for (char *at = path + strspn(path, "/"); result == 0 && *at != '\0';) {
		char *end = at + strcspn(at, "/"), *next = end + strspn(end, "/"), kept = *end;

		*end = '\0';
		result = make_one(state, path, *next == '\0' ? 0700 : 0755);
		*end = kept;
		at = next;
	}
	return result;
}

static bool is_there(const struct cd_root *root, const char *path)
{
	int fd = cd_open(root, path, O_PATH | O_DIRECTORY);

	if (fd == -1)
		return errno != ENOENT;
	(void)close(fd);
	return true;
}

static int check_and_open(struct cd_state *state, const char *path)
{
	struct cd_identity identity;
	struct cd_place place;
	struct stat status;
	int result = cd_place_find(&place, state->problems, state->root, path, CD_TRUST_CHECK);

	if (result != 0)
		return result;
	state->path = cd_arena_string(&state->problems->arena, place.path);
	state->directory = cd_disk_open(place.directory, place.name, O_RDONLY | O_DIRECTORY, 0);
	if (state->path == NULL)
		result = cd_fail_memory(state->problems);
	else if (state->directory == -1 || fstat(state->directory, &status) == -1)
		result = cannot_open(state, errno, path);
	cd_place_close(&place);
	if (result != 0)
		return result;
	cd_identity_of(&identity, &status);
	if (cd_is_trusted(&identity) && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return 0;
	return cd_fail(state->problems, CERTDEPLOY_EREFUSED, "unsafe-path", path, 0,
		       _("the state directory can be changed by others"));
}

int cd_state_open(struct cd_state *state, struct cd_problems *problems, const struct cd_root *root,
		  const char *path, bool create)
{
	int result = 0;

	*state = (struct cd_state){.root = root, .problems = problems, .directory = -1, .lock = -1};
	if (!is_there(root, path)) {
		char *copy = create ? strdup(path) : NULL;

		if (!create)
			return CERTDEPLOY_ENOTFOUND;
		if (copy == NULL)
			return cd_fail_memory(problems);
		result = make_all(state, copy);
		free(copy);
	}
	if (result == 0)
		result = check_and_open(state, path);
	if (result != 0)
		cd_state_close(state);
	return result;
}

void cd_state_close(struct cd_state *state)
{
	if (state->lock != -1)
		(void)close(state->lock);
	if (state->directory != -1)
		(void)close(state->directory);
	state->lock = state->directory = -1;
}

bool cd_state_has(const struct cd_state *state, const char *name)
{
	struct stat status;

	/* What cannot be looked at may well be there: whoever opens it is told why not. */
	return fstatat(state->directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* ---- who asks ---- */

/* The name in a line of passwd(5) when it is this user's; NULL: it is not. Cuts the line. */
static const char *name_in(char *line, uid_t user)
{
	char *password = strchr(line, ':'), *number, *end;

	number = password == NULL ? NULL : strchr(password + 1, ':');
	if (number == NULL)
		return NULL;
	*password = '\0';
	return strtoul(number + 1, &end, 10) == user && end != number + 1 && *end == ':' ? line : NULL;
}

/*
 * From the local file alone: looking further would load modules of the name service into the process
 * that we live in.
 */
static const char *name_of(struct cd_arena *arena, uid_t user)
{
	const char *name = NULL, *out;
	int fd = cd_above_standard(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
	char *bytes = NULL, *rest = NULL, *line;
	size_t length;

	if (fd != -1 && cd_read_fd(&bytes, &length, NULL, fd, (size_t)4 << 20) == 0)
		for (line = strtok_r(bytes, "\n", &rest); line != NULL && name == NULL;
		     line = strtok_r(NULL, "\n", &rest))
			name = name_in(line, user);
	if (fd != -1)
		(void)close(fd);
	out = name != NULL ? cd_safe(arena, name) : cd_arena_format(arena, "%lu", (unsigned long)user);
	free(bytes);
	return out;
}

/* The user who logged in, as the kernel keeps it; -1: none. */
static uid_t login_user(void)
{
	int fd = cd_above_standard(open("/proc/self/loginuid", O_RDONLY | O_CLOEXEC));
	char digits[32];
	ssize_t length = fd == -1 ? -1 : read(fd, digits, sizeof(digits) - 1);

	if (fd != -1)
		(void)close(fd);
	if (length <= 0)
		return (uid_t)-1;
	digits[length] = '\0';
	return (uid_t)strtoul(digits, NULL, 10);
}

const char *cd_who(struct cd_arena *arena)
{
	const char *sudo = secure_getenv("SUDO_USER"), *name = name_of(arena, geteuid());
	uid_t login = login_user();

	if (name == NULL)
		return NULL;
	if (sudo != NULL && *sudo != '\0')
		return cd_arena_format(arena, "%s (sudo: %s)", name, cd_safe(arena, sudo));
	if (login == (uid_t)-1 || login == geteuid())
		return name;
	return cd_arena_format(arena, "%s (login: %s)", name, name_of(arena, login));
}
