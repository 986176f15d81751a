/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* permissions.c - whom an installed file belongs to, and who may read it */
#include "certificate/permissions.h"

#include "base/text.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNSAID ((mode_t)-1)
#define ACCOUNTS_LIMIT ((size_t)4 << 20) /* of a tree's passwd or group */
#define ACCOUNT_ROOM ((size_t)64 << 10)  /* of one row */
#define KEY_MODES 0640U
#define PUBLIC_MODES 0644U

static bool is_secret(enum cd_stored_part part)
{
	return part == CD_STORED_KEY || part == CD_STORED_COMBINED;
}

/* ---- users and groups ---- */

/* A number stands for itself. */
static bool is_number(uint32_t *id, const char *text)
{
	char *end = NULL;
	unsigned long long number;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	*id = (uint32_t)number;
	return errno == 0 && *end == '\0' && number < UINT32_MAX;
}

/* As the host's own services know it: 0, ENOENT or another errno. */
static int ask_host(uint32_t *id, const char *name, bool group)
{
	struct passwd user, *found_user = NULL;
	struct group row, *found_group = NULL;
	char *room = malloc(ACCOUNT_ROOM);
	int error;

	if (room == NULL)
		return ENOMEM;
	error = group ? getgrnam_r(name, &row, room, ACCOUNT_ROOM, &found_group)
		      : getpwnam_r(name, &user, room, ACCOUNT_ROOM, &found_user);
	if (found_user != NULL)
		*id = found_user->pw_uid;
	if (found_group != NULL)
		*id = found_group->gr_gid;
	free(room);
	if (error == ENOMEM)
		return ENOMEM;
	return found_user == NULL && found_group == NULL ? ENOENT : 0;
}

/* "NAME:x:ID:…" in a tree's own file, which may not be what a program of this host would be told. */
static int ask_tree(uint32_t *id, const struct cd_root *root, const char *name, bool group)
{
	size_t length = 0, size = strlen(name);
	char *text = NULL, *line, *rest;
	int error = cd_read_file(&text, &length, NULL, root, group ? "/etc/group" : "/etc/passwd",
				 ACCOUNTS_LIMIT);

	if (error != 0)
		return error == ENOMEM ? ENOMEM : ENOENT;
	error = ENOENT;
	for (rest = text; error == ENOENT && (line = strsep(&rest, "\n")) != NULL;) {
		char *number = strncmp(line, name, size) == 0 && line[size] == ':'
				       ? strchr(line + size + 1, ':')
				       : NULL;

		if (number == NULL)
			continue;
		number[1 + strcspn(number + 1, ":")] = '\0';
		error = is_number(id, number + 1) ? 0 : EINVAL;
	}
	free(text);
	return error == EINVAL ? ENOENT : error;
}

static int find_account(uint32_t *id, struct cd_host *host, const char *name, bool group)
{
	int error;

	if (is_number(id, name))
		return 0;
	error = host->root.live ? ask_host(id, name, group) : ask_tree(id, &host->root, name, group);
	if (error == ENOMEM)
		return cd_fail_memory(host->problems);
	if (error == 0)
		return 0;
	return cd_fail(host->problems, CERTDEPLOY_EREFUSED, "unknown-account", NULL, 0,
		       group ? _("there is no group \"%s\" here") : _("there is no user \"%s\" here"),
		       cd_safe(&host->problems->arena, name));
}

/* ---- rules ---- */

/* One rule, cut into its words. */
struct rule {
	const char *name; /* NULL: of all */
	const char *part;
	const char *owner;
	const char *group;
	const char *mode;
};

static bool cut(struct rule *rule, char *text)
{
	char *value = strchr(text, '='), *slash, *words = NULL;

	if (value == NULL)
		return false;
	*value = '\0';
	words = value + 1;
	slash = strrchr(text, '/');
	if (slash != NULL)
		*slash = '\0';
	rule->name = slash == NULL ? NULL : text;
	rule->part = slash == NULL ? text : slash + 1;
	rule->owner = strsep(&words, ":");
	rule->group = words == NULL ? "" : strsep(&words, ":");
	rule->mode = words == NULL ? "" : words;
	return rule->owner[0] != '\0' || rule->group[0] != '\0' || rule->mode[0] != '\0';
}

static int part_of(const char *word)
{
	for (unsigned i = 0; i < CD_STORED_PARTS; i++)
		if (strcmp(cd_stored_name(i), word) == 0)
			return (int)i;
	return -1;
}

static int read_mode(mode_t *mode, struct cd_host *host, const char *text, enum cd_stored_part part)
{
	unsigned allowed = is_secret(part) ? KEY_MODES : PUBLIC_MODES;
	char *end = NULL;
	unsigned long number = strtoul(text, &end, 8);

	if (text[strspn(text, "01234567")] != '\0' || end - text > 5)
		return CERTDEPLOY_EUSAGE;
	if ((number & ~(unsigned long)allowed) != 0 && is_secret(part))
		return cd_fail(host->problems, CERTDEPLOY_EREFUSED, "key-exposed", NULL, 0,
			       _("a private key is never installed with mode %s; 0640 is the widest"),
			       text);
	if ((number & ~(unsigned long)allowed) != 0)
		return CERTDEPLOY_EUSAGE;
	*mode = (mode_t)number | S_IRUSR;
	return 0;
}

static int take_rule(struct cd_permissions *permissions, struct cd_host *host, const struct rule *rule)
{
	int part = part_of(rule->part), result = part == -1 ? CERTDEPLOY_EUSAGE : 0;
	struct cd_permission *permission = &permissions->parts[part == -1 ? 0 : part];

	if (result == 0 && rule->owner[0] != '\0')
		result = find_account(&permission->owner, host, rule->owner, false);
	if (result == 0 && rule->group[0] != '\0')
		result = find_account(&permission->group, host, rule->group, true);
	if (result == 0 && rule->mode[0] != '\0')
		result = read_mode(&permission->mode, host, rule->mode, (enum cd_stored_part)part);
	return result;
}

static int read_rule(struct cd_permissions *permissions, struct cd_host *host, const char *name,
		     const char *text)
{
	char *copy = cd_arena_string(&host->arena, text);
	size_t from = host->problems->list.count;
	int result = CERTDEPLOY_EUSAGE;
	struct rule rule;

	if (copy == NULL)
		return cd_fail_memory(host->problems);
	if (cut(&rule, copy)) {
		if (rule.name != NULL && (name == NULL || strcmp(rule.name, name) != 0))
			return 0;
		result = take_rule(permissions, host, &rule);
	}
	if (result != CERTDEPLOY_EUSAGE || host->problems->list.count != from)
		return result;
	return cd_fail(
		host->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
		_("\"%s\" is not [NAME/]PART=OWNER:GROUP:MODE; PART is cert, chain, fullchain, key or "
		  "combined"),
		cd_safe(&host->problems->arena, text));
}

int cd_permissions_read(struct cd_permissions *permissions, struct cd_host *host, const char *name,
			const char *const *settings, const char *const *asked)
{
	int result = 0;

	for (size_t i = 0; i < CD_STORED_PARTS; i++)
		permissions->parts[i] = (struct cd_permission){(uid_t)-1, (gid_t)-1, UNSAID};
	for (; result == 0 && settings != NULL && *settings != NULL; settings++)
		result = read_rule(permissions, host, name, *settings);
	for (; result == 0 && asked != NULL && *asked != NULL; asked++)
		result = read_rule(permissions, host, name, *asked);
	return result;
}

/* ---- their use ---- */

bool cd_permissions_say_mode(const struct cd_permissions *permissions, enum cd_stored_part part)
{
	return permissions->parts[part].mode != UNSAID;
}

void cd_permissions_apply(struct cd_change *change, const struct cd_permissions *permissions,
			  enum cd_stored_part part, const struct cd_stored_file *before)
{
	const struct cd_permission *said = permissions == NULL ? NULL : &permissions->parts[part];

	change->secret = is_secret(part);
	change->mode = change->secret ? 0600 : 0644;
	change->owner = (uid_t)-1;
	change->group = (gid_t)-1;
	if (before != NULL && before->bytes != NULL) {
		change->mode = before->mode & (change->secret ? KEY_MODES : PUBLIC_MODES);
		change->owner = before->owner;
		change->group = before->group;
	}
	if (said == NULL)
		return;
	change->mode = said->mode == UNSAID ? change->mode : said->mode;
	change->owner = said->owner == (uid_t)-1 ? change->owner : said->owner;
	change->group = said->group == (gid_t)-1 ? change->group : said->group;
	change->forced = said->mode != UNSAID || said->owner != (uid_t)-1 || said->group != (gid_t)-1;
}

bool cd_permissions_hold(const struct cd_permissions *permissions, enum cd_stored_part part,
			 const struct cd_stored_file *file)
{
	const struct cd_permission *said = permissions == NULL ? NULL : &permissions->parts[part];

	return said == NULL || ((said->mode == UNSAID || said->mode == (file->mode & 07777)) &&
				(said->owner == (uid_t)-1 || said->owner == file->owner) &&
				(said->group == (gid_t)-1 || said->group == file->group));
}
