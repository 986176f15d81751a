/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journal.c - a transaction's manifest, read; record.c writes it and says what it looks like */
#include "change/journal.h"

#include "base/json.h"
#include "change/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
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

/* A manifest being read. Whatever is not as it must be sets `damaged`. */
struct reading {
	struct cd_arena *arena;
	bool damaged;
	bool out_of_memory;
};

static void *check(struct reading *reading, void *memory)
{
	reading->out_of_memory = reading->out_of_memory || memory == NULL;
	return memory;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789ABCDEF0123456789abcdef";
	const char *found = c == '\0' ? NULL : strchr(digits, c);

	return found == NULL ? -1 : (int)(found - digits) % 16;
}

/* Text in which %XX stands for a byte. */
static const char *decode(struct reading *reading, const char *from)
{
	char *out = check(reading, cd_arena_string(reading->arena, from)), *at = out;

	for (; out != NULL && *from != '\0'; from++) {
		int high, low;

		if (*from != '%') {
			*at++ = *from;
			continue;
		}
		high = hex_digit(from[1]);
		low = high == -1 ? -1 : hex_digit(from[2]);
		if (low == -1 || high * 16 + low == 0) {
			reading->damaged = true;
			return NULL;
		}
		*at++ = (char)(unsigned char)(high * 16 + low);
		from += 2;
	}
	if (out != NULL)
		*at = '\0';
	return out;
}

static const char *plain(struct reading *reading, const json_t *value)
{
	const char *from = json_string_value(value);

	if (from == NULL || strlen(from) != json_string_length(value)) {
		reading->damaged = true;
		return NULL;
	}
	return decode(reading, from);
}

static const char *get_text(struct reading *reading, const json_t *object, const char *key, bool needed)
{
	const json_t *value = json_object_get(object, key);

	if (value != NULL)
		return plain(reading, value);
	reading->damaged = reading->damaged || needed;
	return NULL;
}

/* A path that recovery may act on. */
static const char *checked_path(struct reading *reading, const char *path)
{
	struct cd_problems ignored = {0};

	if (path != NULL && cd_check_path(&ignored, path) != 0)
		reading->damaged = true;
	cd_problems_free(&ignored);
	return path;
}

static const char *get_path(struct reading *reading, const json_t *object, const char *key, bool needed)
{
	return checked_path(reading, get_text(reading, object, key, needed));
}

static int64_t get_number(struct reading *reading, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	reading->damaged = reading->damaged || !json_is_integer(value);
	return json_integer_value(value);
}

static bool get_bool(struct reading *reading, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	reading->damaged = reading->damaged || !json_is_boolean(value);
	return json_is_true(value);
}

static const char *const *get_list(struct reading *reading, const json_t *object, const char *key)
{
	const json_t *array = json_object_get(object, key);
	size_t count = json_array_size(array);
	const char **list;

	if (array == NULL)
		return NULL;
	if (!json_is_array(array)) {
		reading->damaged = true;
		return NULL;
	}
	list = check(reading, cd_arena_array(reading->arena, count + 1, sizeof(*list)));
	for (size_t i = 0; list != NULL && i < count; i++)
		list[i] = plain(reading, json_array_get(array, i));
	return list;
}

/* A command has at least the program. */
static const char *const *get_command(struct reading *reading, const json_t *object, const char *key)
{
	const char *const *list = get_list(reading, object, key);

	reading->damaged = reading->damaged || (list != NULL && list[0] == NULL);
	return list;
}

/* A directory is named by it. */
static const char *get_id(struct reading *reading, const json_t *object)
{
	static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-";
	const char *id = get_text(reading, object, "id", true);

	if (id != NULL && (*id == '\0' || strlen(id) > 64 || id[strspn(id, allowed)] != '\0'))
		reading->damaged = true;
	return id;
}

static void get_xattrs(struct reading *reading, struct cd_attributes *attributes, json_t *object)
{
	struct cd_xattr *list;
	const char *name;
	json_t *value;

	if (object == NULL)
		return;
	list = check(reading, cd_arena_array(reading->arena, json_object_size(object) + 1, sizeof(*list)));
	if (list == NULL)
		return;
	attributes->xattrs = list;
	json_object_foreach(object, name, value)
	{
		const char *digits = json_string_value(value);
		size_t length = digits == NULL ? 0 : strlen(digits) / 2;
		char *bytes = check(reading, cd_arena_alloc(reading->arena, length + 1));

		list->name = decode(reading, name);
		list->value = bytes;
		list->length = length;
		for (size_t i = 0; bytes != NULL && i < length; i++)
			bytes[i] = (char)(unsigned char)(hex_digit(digits[2 * i]) * 16 +
							 hex_digit(digits[2 * i + 1]));
		list++;
		attributes->xattr_count++;
	}
}

static void get_side(struct reading *reading, struct cd_side *side, const json_t *object)
{
	const char *kind = json_string_value(json_object_get(object, "kind"));
	const char *digest = json_string_value(json_object_get(object, "sha256"));
	size_t i = 0;

	while (kind != NULL && i < 4 && strcmp(cd_side_kinds[i], kind) != 0)
		i++;
	if (kind == NULL || i == 4 || (i == CD_SIDE_FILE && (digest == NULL || strlen(digest) != 64))) {
		reading->damaged = true;
		return;
	}
	side->kind = (enum cd_side_kind)i;
	if (side->kind == CD_SIDE_NOTHING)
		return;
	if (side->kind == CD_SIDE_FILE)
		memcpy(side->digest, digest, CD_SHA256_TEXT);
	side->target = get_text(reading, object, "target", side->kind == CD_SIDE_LINK);
	side->attributes.mode = (mode_t)get_number(reading, object, "mode") & 07777;
	side->attributes.owner = (uid_t)get_number(reading, object, "owner");
	side->attributes.group = (gid_t)get_number(reading, object, "group");
	side->attributes.modified.tv_sec = (time_t)get_number(reading, object, "modified");
	side->attributes.modified.tv_nsec = (long)get_number(reading, object, "modified_nsec");
	get_xattrs(reading, &side->attributes, json_object_get(object, "xattrs"));
}

static void *get_entry(struct reading *reading, const json_t *object)
{
	struct cd_entry *entry = check(reading, cd_arena_alloc(reading->arena, sizeof(*entry)));

	if (entry == NULL)
		return NULL;
	entry->path = get_path(reading, object, "path", true);
	entry->asked = get_text(reading, object, "asked", true);
	entry->staged = get_path(reading, object, "staged", false);
	entry->inside = get_bool(reading, object, "inside");
	entry->secret = get_bool(reading, object, "secret");
	entry->service = get_text(reading, object, "service", false);
	entry->backup_of = get_text(reading, object, "backup_of", false);
	get_side(reading, &entry->before, json_object_get(object, "before"));
	get_side(reading, &entry->after, json_object_get(object, "after"));
	/* What comes with a new directory is new, and has no name of its own to wait under. */
	if (entry->inside ? entry->before.kind != CD_SIDE_NOTHING : entry->staged == NULL)
		reading->damaged = true;
	return entry;
}

static void *get_service(struct reading *reading, const json_t *object)
{
	struct cd_journal_service *service =
		check(reading, cd_arena_alloc(reading->arena, sizeof(*service)));
	struct cd_control *control = service == NULL ? NULL : &service->control;

	if (service == NULL)
		return NULL;
	control->name = get_text(reading, object, "name", true);
	control->adapter = get_text(reading, object, "adapter", false);
	control->test = get_command(reading, object, "test");
	control->reload = get_command(reading, object, "reload");
	control->restart = get_command(reading, object, "restart");
	control->start = get_command(reading, object, "start");
	control->stop = get_command(reading, object, "stop");
	control->status = get_command(reading, object, "status");
	control->environment = get_list(reading, object, "environment");
	control->pid_file = get_text(reading, object, "pid_file", false);
	control->programs = get_list(reading, object, "programs");
	control->timeout = (unsigned)get_number(reading, object, "timeout");
	service->was_running = (int)get_number(reading, object, "was_running");
	return service;
}

static void *get_holder(struct reading *reading, const json_t *value)
{
	const char *path = checked_path(reading, plain(reading, value));

	return (void *)(uintptr_t)path;
}

static void get_all(struct reading *reading, struct cd_vector *out, const json_t *array,
		    void *(*get)(struct reading *, const json_t *))
{
	reading->damaged = reading->damaged || !json_is_array(array);
	for (size_t i = 0; i < json_array_size(array); i++) {
		void *item = get(reading, json_array_get(array, i));

		if (item != NULL && cd_vector_add(out, item) != 0)
			reading->out_of_memory = true;
	}
}

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

static void understand(struct reading *reading, struct cd_journal *journal, const char *bytes,
		       size_t length)
{
	const char *body = body_of(bytes, length, &reading->out_of_memory);
	json_error_t error;
	bool short_of_memory;
	json_t *json;

	if (body == NULL) {
		reading->damaged = true;
		return;
	}
	json = cd_json_load(body, length - (size_t)(body - bytes), 0, &error, &short_of_memory);
	if (json == NULL) {
		/* The checksum was right. Where there is no memory, jansson says "wrong token". */
		reading->out_of_memory = true;
		return;
	}
	journal->id = get_id(reading, json);
	journal->time = get_number(reading, json, "time");
	journal->command = get_text(reading, json, "command", true);
	journal->who = get_text(reading, json, "who", true);
	journal->certificates = get_list(reading, json, "certificates");
	get_all(reading, &journal->services, json_object_get(json, "services"), get_service);
	get_all(reading, &journal->holders, json_object_get(json, "holders"), get_holder);
	get_all(reading, &journal->entries, json_object_get(json, "files"), get_entry);
	json_decref(json);
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
	struct reading reading = {.arena = &journal->arena};
	int fd = cd_disk_open(directory, CD_MANIFEST, O_RDONLY | O_NONBLOCK, 0);
	char *bytes = NULL;
	size_t length = 0;
	bool ours = false;
	int error = fd == -1 ? errno : cd_read_fd(&bytes, &length, NULL, fd, CD_MANIFEST_LIMIT);

	*journal = (struct cd_journal){0};
	if (error == 0)
		error = check_ours(&ours, directory, fd);
	if (error == 0 && bytes != NULL && ours)
		understand(&reading, journal, bytes, length);
	else
		reading.damaged = true;
	if (fd != -1)
		(void)close(fd);
	if (error != 0 && error != ENOENT) {
		free(bytes);
		return cd_fail_errno(problems, error, name, _("cannot read the journal"));
	}
	free(bytes);
	if (reading.out_of_memory)
		return cd_fail_memory(problems);
	if (error == 0 && !reading.damaged)
		return 0;
	return cd_fail(problems, error == ENOENT ? CERTDEPLOY_ENOTFOUND : CERTDEPLOY_EREFUSED,
		       filed ? "backup-damaged" : "journal-damaged", name, 0,
		       filed ? _("the record of this run cannot be read")
			     : _("the record of an interrupted run cannot be read; nothing was touched"));
}
