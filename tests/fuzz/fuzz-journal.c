/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-journal.c - the record of a run, with a checksum that is right whatever it says
 *
 * It is called damaged, or it says only what recovery may act on: and then writing it and reading that
 * says the same.
 */
#include "fuzz.h"

#include "base/buffer.h"
#include "change/journal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "certdeploy-manifest 1"

static int open_directory(void)
{
	static int directory = -1;

	if (directory == -1)
		directory = open(fuzz_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_ASSERT(directory != -1);
	return directory;
}

static void put(const uint8_t *data, size_t size)
{
	char digest[CD_SHA256_TEXT];
	struct cd_buffer out = {0};

	FUZZ_ASSERT(cd_sha256(digest, data, size) == 0);
	cd_buffer_format(&out, MAGIC " %zu %s\n", size, digest);
	cd_buffer_add(&out, data, size);
	FUZZ_ASSERT(!out.failed);
	(void)fuzz_file(CD_MANIFEST, out.bytes, out.length);
	cd_buffer_free(&out);
}

static void check_path(const char *path)
{
	struct cd_problems problems = {0};

	FUZZ_ASSERT(path != NULL && cd_check_path(&problems, path) == 0);
	cd_problems_free(&problems);
}

static void check(const struct cd_journal *journal)
{
	for (size_t i = 0; i < journal->entries.count; i++) {
		const struct cd_entry *entry = journal->entries.items[i];

		check_path(entry->path);
		if (entry->staged != NULL)
			check_path(entry->staged);
	}
	for (size_t i = 0; i < journal->holders.count; i++)
		check_path(journal->holders.items[i]);
}

static bool is_same(const char *one, const char *other)
{
	return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

static void check_side(const struct cd_side *one, const struct cd_side *other)
{
	const struct cd_attributes *first = &one->attributes, *second = &other->attributes;

	FUZZ_ASSERT(one->kind == other->kind && is_same(one->target, other->target));
	FUZZ_ASSERT(one->kind != CD_SIDE_FILE || strcmp(one->digest, other->digest) == 0);
	if (one->kind == CD_SIDE_NOTHING)
		return;
	FUZZ_ASSERT(first->mode == second->mode && first->owner == second->owner &&
		    first->group == second->group && first->modified.tv_sec == second->modified.tv_sec &&
		    first->modified.tv_nsec == second->modified.tv_nsec);
	FUZZ_ASSERT(first->xattr_count == second->xattr_count);
	for (size_t i = 0; i < first->xattr_count; i++) {
		const struct cd_xattr *left = &first->xattrs[i], *right = &second->xattrs[i];

		FUZZ_ASSERT(strcmp(left->name, right->name) == 0 && left->length == right->length &&
			    memcmp(left->value, right->value, left->length) == 0);
	}
}

static void check_entry(const struct cd_entry *one, const struct cd_entry *other)
{
	FUZZ_ASSERT(strcmp(one->path, other->path) == 0 && strcmp(one->asked, other->asked) == 0 &&
		    is_same(one->staged, other->staged) && is_same(one->service, other->service) &&
		    is_same(one->backup_of, other->backup_of) && one->inside == other->inside &&
		    one->secret == other->secret);
	check_side(&one->before, &other->before);
	check_side(&one->after, &other->after);
}

static void check_again(const struct cd_journal *journal)
{
	struct cd_problems problems = {0};
	struct cd_journal again = {0};
	struct cd_flush flush = {0};

	(void)unlinkat(open_directory(), CD_MANIFEST, 0);
	FUZZ_ASSERT(cd_journal_write(journal, &problems, open_directory(), &flush) == 0);
	FUZZ_ASSERT(cd_flush_barrier(&flush) == 0);
	FUZZ_ASSERT(cd_journal_read(&again, &problems, open_directory(), "journal", false) == 0);
	FUZZ_ASSERT(again.entries.count == journal->entries.count && again.time == journal->time &&
		    again.services.count == journal->services.count &&
		    again.holders.count == journal->holders.count && strcmp(again.id, journal->id) == 0);
	for (size_t i = 0; i < again.entries.count; i++)
		check_entry(again.entries.items[i], journal->entries.items[i]);
	cd_journal_free(&again);
	cd_problems_free(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cd_problems problems = {0};
	struct cd_journal journal = {0};
	int result;

	put(data, size);
	result = cd_journal_read(&journal, &problems, open_directory(), "journal", false);
	FUZZ_ASSERT(result == 0 || result == CERTDEPLOY_EREFUSED || result == CERTDEPLOY_ENOMEM);
	FUZZ_ASSERT((result == CERTDEPLOY_EREFUSED) == (cd_problems_error(&problems, 0) != NULL));
	FUZZ_ASSERT((result == CERTDEPLOY_ENOMEM) == problems.out_of_memory);
	if (result == 0) {
		check(&journal);
		check_again(&journal);
	}
	cd_journal_free(&journal);
	cd_problems_free(&problems);
	return 0;
}
