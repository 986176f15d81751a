/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journal.c - a transaction's manifest, read; record.c writes it and says what it looks like */
#include "change/journal.h"

#include "base/json.h"
#include "change/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cd_journal_free(struct cd_journal *journal)
{
	cd_vector_free(&journal->entries);
	cd_vector_free(&journal->holders);
	cd_vector_free(&journal->services);
	cd_arena_free(&journal->arena);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789ABCDEF0123456789abcdef";
	const char *found = c == '\0' ? NULL : strchr(digits, c);

	return found == NULL ? -1 : (int)(found - digits) % 16;
}

/* ---- values ---- */

/* Text in which %XX stands for a byte; NULL: there is no memory for it. */
static const char *decoded(struct cd_json *json, const char *from)
{
	char *out = cd_arena_string(json->arena, from), *at = out;

	if (out == NULL)
		cd_json_lack_memory(json);
	for (; out != NULL && *from != '\0'; from++) {
		int high, low;

		if (*from != '%') {
			*at++ = *from;
			continue;
		}
		high = hex_digit(from[1]);
		low = high == -1 ? -1 : hex_digit(from[2]);
		if (low == -1 || high * 16 + low == 0) {
			cd_json_refuse(json);
			break;
		}
		*at++ = (char)(unsigned char)(high * 16 + low);
		from += 2;
	}
	if (out != NULL)
		*at = '\0';
	return out;
}

static void read_text(struct cd_json *json, void *field)
{
	*(const char **)field = decoded(json, cd_json_string(json));
}

/* A path that recovery may act on. */
static void read_path(struct cd_json *json, void *field)
{
	struct cd_problems ignored = {0};
	const char **path = field;

	read_text(json, path);
	if (*path != NULL && cd_check_path(&ignored, *path) != 0)
		cd_json_refuse(json);
	cd_problems_free(&ignored);
}

/* A directory is named by it. */
static void read_id(struct cd_json *json, void *field)
{
	static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-";
	const char **id = field;

	read_text(json, id);
	if (*id != NULL && (**id == '\0' || strlen(*id) > 64 || (*id)[strspn(*id, allowed)] != '\0'))
		cd_json_refuse(json);
}

static void read_text_of_list(struct cd_json *json, void *out)
{
	const char *text;

	read_text(json, &text);
	cd_json_add(json, out, text);
}

static void read_list(struct cd_json *json, void *field)
{
	struct cd_vector texts = {0};

	cd_json_array(json, read_text_of_list, &texts);
	*(const char *const **)field = cd_json_list(json, &texts);
}

/* A command has at least the program. */
static void read_command(struct cd_json *json, void *field)
{
	const char *const **list = field;

	read_list(json, list);
	if (*list != NULL && **list == NULL)
		cd_json_refuse(json);
}

/* ---- what stands at a path ---- */

#define MISSING INT64_MIN

struct side_record {
	struct cd_side side;
	struct cd_vector xattrs; /* of struct cd_xattr */
	int64_t kind, mode, owner, group, modified, modified_nsec;
};

static void read_kind(struct cd_json *json, void *field)
{
	const char *kind = cd_json_string(json);
	int64_t i = 0;

	while (i < 4 && strcmp(cd_side_kinds[i], kind) != 0)
		i++;
	if (i == 4)
		cd_json_refuse(json);
	*(int64_t *)field = i;
}

static void read_digest(struct cd_json *json, void *field)
{
	const char *digest = cd_json_string(json);

	if (strlen(digest) == CD_SHA256_TEXT - 1 &&
	    strspn(digest, "0123456789abcdef") == CD_SHA256_TEXT - 1)
		memcpy(field, digest, CD_SHA256_TEXT);
	else
		cd_json_refuse(json);
}

static void read_xattr(struct cd_json *json, const char *key, void *out)
{
	struct cd_xattr *xattr = cd_arena_alloc(json->arena, sizeof(*xattr));
	const char *name = decoded(json, key), *digits = cd_json_string(json);
	size_t length = strlen(digits) / 2;
	char *bytes = cd_arena_alloc(json->arena, length + 1);

	if (bytes == NULL)
		cd_json_lack_memory(json);
	if (strlen(digits) % 2 != 0)
		cd_json_refuse(json);
	for (size_t i = 0; bytes != NULL && i < length; i++) {
		int high = hex_digit(digits[2 * i]), low = hex_digit(digits[2 * i + 1]);

		if (high == -1 || low == -1)
			cd_json_refuse(json);
		bytes[i] = (char)(unsigned char)(high * 16 + low);
	}
	if (xattr != NULL)
		*xattr = (struct cd_xattr){.name = name, .value = bytes, .length = length};
	cd_json_add(json, out, xattr);
}

static void read_xattrs(struct cd_json *json, void *field)
{
	cd_json_members(json, read_xattr, field);
}

static void keep_xattrs(struct cd_json *json, struct cd_attributes *attributes,
			const struct cd_vector *found)
{
	struct cd_xattr *list = NULL;

	if (found->count != 0) {
		list = cd_arena_array(json->arena, found->count, sizeof(*list));
		if (list == NULL)
			cd_json_lack_memory(json);
	}
	for (size_t i = 0; list != NULL && i < found->count; i++)
		list[i] = *(const struct cd_xattr *)found->items[i];
	attributes->xattrs = list;
	attributes->xattr_count = list == NULL ? 0 : found->count;
}

static bool is_within(int64_t number, int64_t limit)
{
	return number >= 0 && number <= limit;
}

/* What a kind has. */
static bool is_whole(const struct side_record *record)
{
	if (record->kind == CD_SIDE_FILE && *record->side.digest == '\0')
		return false;
	if (record->kind == CD_SIDE_LINK && record->side.target == NULL)
		return false;
	return record->kind == CD_SIDE_NOTHING ||
	       (is_within(record->mode, 07777) && is_within(record->owner, UINT32_MAX) &&
		is_within(record->group, UINT32_MAX) && record->modified != MISSING &&
		is_within(record->modified_nsec, 999999999));
}

static void read_side(struct cd_json *json, void *field)
{
	static const struct cd_json_field fields[] = {
		{"kind", read_kind, offsetof(struct side_record, kind), true},
		{"sha256", read_digest, offsetof(struct side_record, side.digest), false},
		{"target", read_text, offsetof(struct side_record, side.target), false},
		{"mode", cd_json_read_number, offsetof(struct side_record, mode), false},
		{"owner", cd_json_read_number, offsetof(struct side_record, owner), false},
		{"group", cd_json_read_number, offsetof(struct side_record, group), false},
		{"modified", cd_json_read_number, offsetof(struct side_record, modified), false},
		{"modified_nsec", cd_json_read_number, offsetof(struct side_record, modified_nsec), false},
		{"xattrs", read_xattrs, offsetof(struct side_record, xattrs), false},
	};
	struct side_record record = {.mode = MISSING,
				     .owner = MISSING,
				     .group = MISSING,
				     .modified = MISSING,
				     .modified_nsec = MISSING};
	struct cd_side *side = field;

	CD_JSON_OBJECT(json, fields, &record);
	if (!is_whole(&record))
		cd_json_refuse(json);
	*side = record.side;
	side->kind = (enum cd_side_kind)record.kind;
	side->attributes.mode = (mode_t)record.mode;
	side->attributes.owner = (uid_t)record.owner;
	side->attributes.group = (gid_t)record.group;
	side->attributes.modified.tv_sec = (time_t)record.modified;
	side->attributes.modified.tv_nsec = (long)record.modified_nsec;
	keep_xattrs(json, &side->attributes, &record.xattrs);
	cd_vector_free(&record.xattrs);
}

/* ---- what a journal is made of ---- */

static void read_entry(struct cd_json *json, void *out)
{
	static const struct cd_json_field fields[] = {
		{"path", read_path, offsetof(struct cd_entry, path), true},
		{"asked", read_text, offsetof(struct cd_entry, asked), true},
		{"staged", read_path, offsetof(struct cd_entry, staged), false},
		{"inside", cd_json_read_bool, offsetof(struct cd_entry, inside), true},
		{"secret", cd_json_read_bool, offsetof(struct cd_entry, secret), true},
		{"service", read_text, offsetof(struct cd_entry, service), false},
		{"backup_of", read_text, offsetof(struct cd_entry, backup_of), false},
		{"before", read_side, offsetof(struct cd_entry, before), true},
		{"after", read_side, offsetof(struct cd_entry, after), true},
	};
	struct cd_entry *entry = cd_arena_alloc(json->arena, sizeof(*entry));

	cd_json_add(json, out, entry);
	if (entry == NULL)
		return;
	CD_JSON_OBJECT(json, fields, entry);
	/* What comes with a new directory is new, and has no name of its own to wait under. */
	if (entry->inside ? entry->before.kind != CD_SIDE_NOTHING : entry->staged == NULL)
		cd_json_refuse(json);
}

static void read_entries(struct cd_json *json, void *field)
{
	cd_json_array(json, read_entry, field);
}

struct service_record {
	struct cd_journal_service service;
	int64_t timeout, was_running;
};

static void read_service(struct cd_json *json, void *out)
{
#define CONTROL(field) offsetof(struct service_record, service.control.field)
	static const struct cd_json_field fields[] = {
		{"name", read_text, CONTROL(name), true},
		{"adapter", read_text, CONTROL(adapter), false},
		{"test", read_command, CONTROL(test), false},
		{"reload", read_command, CONTROL(reload), false},
		{"restart", read_command, CONTROL(restart), false},
		{"start", read_command, CONTROL(start), false},
		{"stop", read_command, CONTROL(stop), false},
		{"status", read_command, CONTROL(status), false},
		{"environment", read_list, CONTROL(environment), false},
		{"pid_file", read_text, CONTROL(pid_file), false},
		{"programs", read_list, CONTROL(programs), false},
		{"timeout", cd_json_read_number, offsetof(struct service_record, timeout), true},
		{"was_running", cd_json_read_number, offsetof(struct service_record, was_running), true},
	};
#undef CONTROL
	struct service_record record = {.timeout = 0};
	struct cd_journal_service *service = cd_arena_alloc(json->arena, sizeof(*service));

	cd_json_add(json, out, service);
	if (service == NULL)
		return;
	CD_JSON_OBJECT(json, fields, &record);
	*service = record.service;
	service->control.timeout = (unsigned)record.timeout;
	service->was_running = (int)record.was_running;
}

static void read_services(struct cd_json *json, void *field)
{
	cd_json_array(json, read_service, field);
}

static void read_holder(struct cd_json *json, void *out)
{
	const char *path;

	read_path(json, &path);
	cd_json_add(json, out, path);
}

static void read_holders(struct cd_json *json, void *field)
{
	cd_json_array(json, read_holder, field);
}

/* ---- the file ---- */

/* Where the JSON begins; NULL when the first line does not vouch for it. */
static const char *body_of(const char *bytes, size_t length, bool *out_of_memory)
{
	static const char magic[] = CD_MANIFEST_MAGIC " ";
	const char *newline = memchr(bytes, '\n', length < 256 ? length : 256);
	char digest[CD_SHA256_TEXT], *end;
	unsigned long long size;

	if (newline == NULL || strncmp(bytes, magic, sizeof(magic) - 1) != 0)
		return NULL;
	size = strtoull(bytes + sizeof(magic) - 1, &end, 10);
	if (*end != ' ' || size != length - (size_t)(newline + 1 - bytes) || newline - end != 65)
		return NULL;
	if (cd_sha256(digest, newline + 1, (size_t)size) != 0) {
		*out_of_memory = true;
		return NULL;
	}
	return memcmp(digest, end + 1, 64) == 0 ? newline + 1 : NULL;
}

/* Returns 0, CERTDEPLOY_EREFUSED of what is damaged, or CERTDEPLOY_ENOMEM; nothing is recorded. */
static int understand(struct cd_journal *journal, const char *bytes, size_t length)
{
	static const struct cd_json_field fields[] = {
		{"id", read_id, offsetof(struct cd_journal, id), true},
		{"time", cd_json_read_number, offsetof(struct cd_journal, time), true},
		{"command", read_text, offsetof(struct cd_journal, command), true},
		{"who", read_text, offsetof(struct cd_journal, who), true},
		{"certificates", read_list, offsetof(struct cd_journal, certificates), false},
		{"services", read_services, offsetof(struct cd_journal, services), true},
		{"holders", read_holders, offsetof(struct cd_journal, holders), true},
		{"files", read_entries, offsetof(struct cd_journal, entries), true},
	};
	bool out_of_memory = false;
	const char *body = body_of(bytes, length, &out_of_memory);
	struct cd_json json;

	if (body == NULL)
		return out_of_memory ? CERTDEPLOY_ENOMEM : CERTDEPLOY_EREFUSED;
	cd_json_begin(&json, &journal->arena, body, length - (size_t)(body - bytes));
	CD_JSON_OBJECT(&json, fields, journal);
	if (cd_json_end(&json))
		return 0;
	return json.out_of_memory ? CERTDEPLOY_ENOMEM : CERTDEPLOY_EREFUSED;
}

/* Commands stand in it that are run as we are: it must be ours, and nobody else's to change. */
static int check_ours(bool *ours, int directory, int file)
{
	struct cd_identity identities[2];
	struct stat status;

	for (int i = 0; i < 2; i++) {
		if (fstat(i == 0 ? directory : file, &status) == -1)
			return errno;
		cd_identity_of(&identities[i], &status);
	}
	*ours = cd_is_trusted(&identities[0]) && cd_is_trusted(&identities[1]);
	return 0;
}

int cd_journal_read(struct cd_journal *journal, struct cd_problems *problems, int directory,
		    const char *name, bool filed)
{
	int fd = cd_disk_open(directory, CD_MANIFEST, O_RDONLY | O_NONBLOCK, 0);
	char *bytes = NULL;
	size_t length = 0;
	bool ours = false;
	int error = fd == -1 ? errno : cd_read_fd(&bytes, &length, NULL, fd, CD_MANIFEST_LIMIT);
	int result = error == ENOENT ? CERTDEPLOY_ENOTFOUND : CERTDEPLOY_EREFUSED;

	*journal = (struct cd_journal){0};
	if (bytes != NULL)
		error = check_ours(&ours, directory, fd);
	if (ours)
		result = understand(journal, bytes, length);
	if (fd != -1)
		(void)close(fd);
	free(bytes);
	if (error != 0 && error != ENOENT)
		return cd_fail_errno(problems, error, name, _("cannot read the journal"));
	if (result == 0)
		return 0;
	if (result == CERTDEPLOY_ENOMEM)
		return cd_fail_memory(problems);
	return cd_fail(problems, result, filed ? "backup-damaged" : "journal-damaged", name, 0,
		       filed ? _("the record of this run cannot be read")
			     : _("the record of an interrupted run cannot be read; nothing was touched"));
}
