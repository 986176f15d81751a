/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-postfix.c - main.cf, master.cf and a table of names, divided by lines of "%%"
 *
 * What is read is planned for, for the server's own name and another one. The edited files must be read
 * again, give every targeted listener the certificate, and leave nothing to plan.
 */
#include "fuzz.h"

#include "change/edits.h"
#include "host/reading.h"

#include <string.h>

#define FILES 3
#define PLACE "/etc/ssl/certdeploy/mail/current/"

extern const struct certdeploy_adapter cd_adapter_postfix;

static const char *const paths[FILES] = {"/etc/postfix/main.cf", "/etc/postfix/master.cf",
					 "/etc/postfix/sni"};
static const char *const names[] = {"www.example.jp", NULL};
#define PATHS                                                                                              \
	{                                                                                                  \
		PLACE "cert.pem", PLACE "key.pem", PLACE "chain.pem", PLACE "fullchain.pem",               \
			PLACE "combined.pem"                                                               \
	}
static const struct certdeploy_material material = {.name = "mail",
						    .key_type = "rsa",
						    .sha256 = "00",
						    .names = names,
						    .has_chain = true,
						    .paths = PATHS,
						    .building = PATHS};
static const struct certdeploy_material *const materials[] = {&material, NULL};

struct run {
	struct cd_host host;
	struct cd_problems problems;
	struct cd_arena arena;
	struct cd_service service;
	struct cd_overlay overlay;
	struct certdeploy_reading reading;
	struct certdeploy_edits edits;
	struct certdeploy_assignment *assignments;
	size_t count;
	size_t room;
};

static int begin(struct run *run, const char *const *bytes, const size_t *lengths)
{
	*run = (struct run){.service = {.name = "postfix", .adapter = &cd_adapter_postfix}};
	run->service.arena = &run->arena;
	run->edits.problems = &run->problems;
	FUZZ_ASSERT(cd_host_open(&run->host, &run->problems, fuzz_directory()) == 0);
	for (size_t i = 0; i < FILES; i++)
		FUZZ_ASSERT(cd_overlay_file(&run->overlay, &run->problems, paths[i], bytes[i],
					    lengths[i]) == 0);
	cd_reading_open(&run->reading, &run->host, &run->service, &run->overlay);
	return cd_adapter_postfix.read(&run->reading);
}

static void end(struct run *run)
{
	cd_edits_free(&run->edits);
	cd_reading_close(&run->reading);
	cd_overlay_free(&run->overlay);
	cd_host_close(&run->host);
	cd_arena_free(&run->arena);
	cd_problems_free(&run->problems);
	free(run->assignments);
}

static int use(void *user, const struct certdeploy_endpoint *endpoint)
{
	struct run *run = user;

	if (run->count == run->room) {
		run->room = run->room * 2 + 16;
		run->assignments = realloc(run->assignments, run->room * sizeof(*run->assignments));
		FUZZ_ASSERT(run->assignments != NULL);
	}
	if (endpoint->tls && endpoint->untouchable == NULL)
		run->assignments[run->count++] = (struct certdeploy_assignment){endpoint, materials, true};
	return 0;
}

static int choose(struct run *run, bool by_name)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(&run->reading, &count);

	if (by_name)
		return cd_adapter_postfix.answers(&run->reading, names[0], true, use, run);
	for (size_t i = 0; i < count; i++)
		if (all[i]->name == NULL)
			(void)use(run, all[i]);
	return 0;
}

static int plan(struct run *run, bool by_name)
{
	int result = choose(run, by_name);

	if (result == 0)
		result = cd_adapter_postfix.plan(&run->reading, run->assignments, run->count, &run->edits);
	return result == 0 ? cd_edits_render(&run->edits) : result;
}

static bool serves(const struct certdeploy_endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->pair_count; i++)
		if (strncmp(endpoint->pairs[i].certificate, PLACE, sizeof(PLACE) - 1) == 0 &&
		    strncmp(endpoint->pairs[i].key, PLACE, sizeof(PLACE) - 1) == 0)
			return true;
	return false;
}

/* What postconf and postmap print is foreign, too: here it is the files themselves. */
static void judge(struct run *run, const char *const *bytes, const size_t *lengths)
{
	struct certdeploy_rehearsal rehearsal = {0};
	char *text[FILES];
	int found = cd_adapter_postfix.inspect(&run->reading);

	/* A table of names can be one that is not there. */
	FUZZ_ASSERT(found == 0 || found == CERTDEPLOY_EDIFFERENT);
	if (cd_adapter_postfix.rehearse(&run->reading, &rehearsal) != 0)
		return;
	FUZZ_ASSERT(rehearsal.file_count == 2 && rehearsal.command_count != 0);
	for (size_t i = 0; i < FILES; i++)
		text[i] = cd_arena_copy(&run->arena, bytes[i], lengths[i]);
	for (size_t i = 0; i < rehearsal.command_count; i++) {
		const struct certdeploy_rehearsal_command *command = &rehearsal.commands[i];

		(void)command->judge(&run->reading, text[i % 2], text[(i + 1) % 2]);
		(void)command->harmless(&run->reading, text[2]);
	}
}

/* The second reading sees the edited bytes; a new file that is not one of ours is left out. */
static void check_again(struct run *before, const char *const *bytes, const size_t *lengths, bool by_name)
{
	const char *new_bytes[FILES];
	size_t new_lengths[FILES];
	struct run after;

	for (size_t i = 0; i < FILES; i++) {
		new_bytes[i] = bytes[i];
		new_lengths[i] = lengths[i];
	}
	for (size_t i = 0; i < before->edits.files.count; i++) {
		const struct cd_file_edit *file = before->edits.files.items[i];
		size_t at = 0;

		while (at < FILES && strcmp(paths[at], file->path) != 0)
			at++;
		if (at == FILES)
			return;
		new_bytes[at] = file->bytes;
		new_lengths[at] = file->length;
	}
	FUZZ_ASSERT(begin(&after, new_bytes, new_lengths) == 0);
	FUZZ_ASSERT(plan(&after, by_name) == 0);
	FUZZ_ASSERT(after.edits.files.count == 0);
	for (size_t i = 0; i < after.count; i++)
		FUZZ_ASSERT(serves(after.assignments[i].endpoint));
	end(&after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char mark[] = "\n%%\n";
	const char *bytes[FILES] = {(const char *)data, "", ""};
	size_t lengths[FILES] = {size, 0, 0};

	if (size > 8192)
		return 0;
	for (size_t i = 0; i + 1 < FILES; i++) {
		const char *found = memmem(bytes[i], lengths[i], mark, sizeof(mark) - 1);

		if (found == NULL)
			break;
		bytes[i + 1] = found + sizeof(mark) - 1;
		lengths[i + 1] = lengths[i] - (size_t)(bytes[i + 1] - bytes[i]);
		lengths[i] = (size_t)(found - bytes[i]) + 1;
	}
	for (int by_name = 0; by_name < 2; by_name++) {
		struct run run;

		if (begin(&run, bytes, lengths) == 0) {
			if (plan(&run, by_name != 0) == 0)
				check_again(&run, bytes, lengths, by_name != 0);
			judge(&run, bytes, lengths);
		}
		end(&run);
	}
	return 0;
}
