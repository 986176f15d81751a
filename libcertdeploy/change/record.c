/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record.c - a transaction's manifest, written
 *
 * One line with the length and the SHA-256 of what follows, then JSON. Strings that are paths or
 * arguments may hold any bytes: '%' and what is not UTF-8 stands as %XX.
 *
 * Ten thousand certificates make a hundred thousand paths. So the text goes to the disk as it is made,
 * behind a first line that gets its length and digest in the end, and no tree of it is ever in memory.
 */
#include "change/journal.h"

#include "base/buffer.h"
#include "change/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#define HEADER CD_MANIFEST_MAGIC " %020zu %s\n" /* as long whatever stands in it */
#define WAITING ((size_t)64 << 10)              /* bytes that are worth a write() */

const char *const cd_side_kinds[] = {"nothing", "file", "link", "directory"};

/* A failure is remembered. */
struct writing {
	int fd;
	int error;
	EVP_MD_CTX *sum;
	size_t length;         /* of the JSON so far on the disk */
	struct cd_buffer text; /* what waits */
	bool first;            /* nothing stands yet in what was opened last */
};

/* ---- bytes ---- */

static void send(struct writing *writing)
{
	struct cd_buffer *text = &writing->text;

	if (text->failed || EVP_DigestUpdate(writing->sum, text->bytes, text->length) != 1)
		writing->error = ENOMEM;
	writing->length += text->length;
	if (writing->error == 0 && writing->length > CD_MANIFEST_LIMIT)
		writing->error = EFBIG;
	if (writing->error == 0)
		writing->error = cd_disk_write(writing->fd, cd_buffer_text(text), text->length);
	text->length = 0;
}

static void raw(struct writing *writing, const char *string)
{
	cd_buffer_string(&writing->text, string);
}

/* ---- JSON ---- */

static void open_json(struct writing *writing, const char *bracket)
{
	raw(writing, bracket);
	writing->first = true;
}

static void close_json(struct writing *writing, const char *bracket)
{
	raw(writing, bracket);
	writing->first = false;
}

static void next(struct writing *writing, const char *comma)
{
	if (!writing->first)
		raw(writing, comma);
	writing->first = false;
}

static void key(struct writing *writing, const char *name)
{
	next(writing, ", ");
	raw(writing, "\"");
	raw(writing, name);
	raw(writing, "\": ");
}

static bool is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x80 && byte != '%' && byte != '"' && byte != '\\';
}

static void string(struct writing *writing, const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t length = strlen(text);

	raw(writing, "\"");
	for (size_t i = 0; i < length;) {
		uint32_t code = 0;
		size_t size = 0;

		while (i + size < length && is_plain(bytes[i + size]))
			size++;
		if (size == 0 && bytes[i] >= 0x80)
			size = cd_utf8_decode(bytes + i, length - i, &code);
		if (size == 0)
			cd_buffer_format(&writing->text, "%%%02X", bytes[i]);
		else
			cd_buffer_add(&writing->text, bytes + i, size);
		i += size == 0 ? 1 : size;
	}
	raw(writing, "\"");
}

static void put_text(struct writing *writing, const char *name, const char *text)
{
	if (text == NULL)
		return;
	key(writing, name);
	string(writing, text);
}

static void put_number(struct writing *writing, const char *name, int64_t number)
{
	key(writing, name);
	cd_buffer_format(&writing->text, "%" PRId64, number);
}

static void put_bool(struct writing *writing, const char *name, bool value)
{
	key(writing, name);
	raw(writing, value ? "true" : "false");
}

static void put_strings(struct writing *writing, const char *name, const char *const *list, size_t count)
{
	key(writing, name);
	open_json(writing, "[");
	for (size_t i = 0; i < count; i++) {
		next(writing, ", ");
		string(writing, list[i]);
	}
	close_json(writing, "]");
}

static void put_list(struct writing *writing, const char *name, const char *const *list)
{
	size_t count = 0;

	if (list == NULL)
		return;
	while (list[count] != NULL)
		count++;
	put_strings(writing, name, list, count);
}

/* ---- what a journal is made of ---- */

static void put_xattrs(struct writing *writing, const struct cd_attributes *attributes)
{
	key(writing, "xattrs");
	open_json(writing, "{");
	for (size_t i = 0; i < attributes->xattr_count; i++) {
		const struct cd_xattr *xattr = &attributes->xattrs[i];

		next(writing, ", ");
		string(writing, xattr->name);
		raw(writing, ": \"");
		for (size_t k = 0; k < xattr->length; k++)
			cd_buffer_format(&writing->text, "%02x", (unsigned char)xattr->value[k]);
		raw(writing, "\"");
	}
	close_json(writing, "}");
}

static void put_side(struct writing *writing, const char *name, const struct cd_side *side)
{
	const struct cd_attributes *attributes = &side->attributes;

	key(writing, name);
	open_json(writing, "{");
	put_text(writing, "kind", cd_side_kinds[side->kind]);
	if (side->kind == CD_SIDE_FILE)
		put_text(writing, "sha256", side->digest);
	put_text(writing, "target", side->target);
	if (side->kind != CD_SIDE_NOTHING) {
		put_number(writing, "mode", (int64_t)attributes->mode);
		put_number(writing, "owner", (int64_t)attributes->owner);
		put_number(writing, "group", (int64_t)attributes->group);
		put_number(writing, "modified", (int64_t)attributes->modified.tv_sec);
		put_number(writing, "modified_nsec", (int64_t)attributes->modified.tv_nsec);
		if (attributes->xattr_count != 0)
			put_xattrs(writing, attributes);
	}
	close_json(writing, "}");
}

static void put_entry(struct writing *writing, const struct cd_entry *entry)
{
	next(writing, ",");
	open_json(writing, "\n{");
	put_text(writing, "path", entry->path);
	put_text(writing, "asked", entry->asked);
	put_text(writing, "staged", entry->staged);
	put_bool(writing, "inside", entry->inside);
	put_bool(writing, "secret", entry->secret);
	put_text(writing, "service", entry->service);
	put_text(writing, "backup_of", entry->backup_of);
	put_side(writing, "before", &entry->before);
	put_side(writing, "after", &entry->after);
	close_json(writing, "}");
}

static void put_service(struct writing *writing, const struct cd_journal_service *service)
{
	const struct cd_control *control = &service->control;

	next(writing, ",");
	open_json(writing, "\n{");
	put_text(writing, "name", control->name);
	put_text(writing, "adapter", control->adapter);
	put_list(writing, "test", control->test);
	put_list(writing, "reload", control->reload);
	put_list(writing, "restart", control->restart);
	put_list(writing, "start", control->start);
	put_list(writing, "stop", control->stop);
	put_list(writing, "status", control->status);
	put_list(writing, "environment", control->environment);
	put_text(writing, "pid_file", control->pid_file);
	put_list(writing, "programs", control->programs);
	put_number(writing, "timeout", control->timeout);
	put_number(writing, "was_running", service->was_running);
	close_json(writing, "}");
}

static void put_journal(struct writing *writing, const struct cd_journal *journal)
{
	open_json(writing, "{");
	put_text(writing, "id", journal->id);
	put_number(writing, "time", journal->time);
	put_text(writing, "command", journal->command);
	put_text(writing, "who", journal->who);
	put_list(writing, "certificates", journal->certificates);
	key(writing, "services");
	open_json(writing, "[");
	for (size_t i = 0; i < journal->services.count; i++)
		put_service(writing, journal->services.items[i]);
	close_json(writing, "]");
	put_strings(writing, "holders", (const char *const *)journal->holders.items,
		    journal->holders.count);
	key(writing, "files");
	open_json(writing, "[");
	for (size_t i = 0; writing->error == 0 && i < journal->entries.count; i++) {
		put_entry(writing, journal->entries.items[i]);
		if (writing->text.length >= WAITING)
			send(writing);
	}
	close_json(writing, "\n]");
	close_json(writing, "}\n");
	send(writing);
}

/* ---- the file ---- */

static int put_header(int fd, size_t length, const char *digest)
{
	struct cd_buffer line = {0};
	int error;

	cd_buffer_format(&line, HEADER, length, digest);
	error = line.failed ? ENOMEM : cd_disk_write(fd, line.bytes, line.length);
	cd_buffer_free(&line);
	return error;
}

/* The first line again, now that it is known. */
static int finish(struct writing *writing, struct cd_flush *flush)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	char digest[CD_SHA256_TEXT];
	unsigned length = 0;
	int error;

	if (EVP_DigestFinal_ex(writing->sum, sum, &length) != 1)
		return ENOMEM;
	cd_hex(digest, sum, length);
	if (lseek(writing->fd, 0, SEEK_SET) == -1)
		return errno;
	error = put_header(writing->fd, writing->length, digest);
	return error == 0 ? cd_flush_add(flush, writing->fd, NULL) : error;
}

int cd_journal_write(const struct cd_journal *journal, struct cd_problems *problems, int directory,
		     struct cd_flush *flush)
{
	static const char unknown[CD_SHA256_TEXT] =
		"0000000000000000000000000000000000000000000000000000000000000000";
	struct writing writing = {.fd = -1, .sum = EVP_MD_CTX_new()};

	if (writing.sum == NULL || EVP_DigestInit_ex(writing.sum, EVP_sha256(), NULL) != 1)
		writing.error = ENOMEM;
	if (writing.error == 0)
		writing.fd = cd_disk_open(directory, CD_MANIFEST, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (writing.error == 0 && writing.fd == -1)
		writing.error = errno;
	if (writing.error == 0)
		writing.error = put_header(writing.fd, 0, unknown);
	if (writing.error == 0)
		put_journal(&writing, journal);
	if (writing.error == 0)
		writing.error = finish(&writing, flush);
	writing.error = cd_disk_close(writing.fd, writing.error);
	cd_buffer_free(&writing.text);
	EVP_MD_CTX_free(writing.sum);
	return writing.error == 0
		       ? 0
		       : cd_fail_errno(problems, writing.error, NULL, _("cannot write the journal"));
}
