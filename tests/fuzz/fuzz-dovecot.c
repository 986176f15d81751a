/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-dovecot.c - a Dovecot configuration, whatever it holds, read and edited
 *
 * The first byte chooses the version and the target. The rest is dovecot.conf; a line "%%file NAME"
 * begins another file of the same folder.
 */
#include "../readings.h"
#include "fuzz.h"

#include "change/document.h"
#include "change/edits.h"
#include "host/reading.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct certdeploy_adapter cd_adapter_dovecot;

#define HOME "/etc/dovecot/"

static const char *const names[] = {"mail.example.jp", NULL};
static const struct certdeploy_material material = {
	.name = "mail",
	.key_type = "rsa",
	.sha256 = "00",
	.names = names,
	.paths = {"/s/cert.pem", "/s/key.pem", NULL, "/s/fullchain.pem", NULL},
};
static const struct certdeploy_material *const materials[] = {&material, NULL};

/* An empty tree: every file is laid over it. */
static char root[32];

__attribute__((destructor)) static void remove_root(void)
{
	if (root[0] != '\0')
		(void)rmdir(root);
}

struct work {
	struct certdeploy_reading *reading;
	struct certdeploy_assignment list[64];
	size_t count;
};

static int take(void *user, const struct certdeploy_endpoint *endpoint)
{
	struct work *work = user;

	FUZZ_ASSERT(endpoint->decider != NULL && endpoint->listen != NULL && endpoint->protocol != NULL);
	if (work->count < 64)
		work->list[work->count++] = (struct certdeploy_assignment){endpoint, materials, false};
	return 0;
}

/* The files that the input describes, laid over an empty tree. */
static int lay(struct cd_overlay *overlay, struct cd_problems *problems, const char *text, size_t length)
{
	static const char mark[] = "%%file ";
	char path[128] = HOME "dovecot.conf";
	int result = 0;

	while (result == 0) {
		const char *next = memmem(text, length, mark, sizeof(mark) - 1);
		size_t part = next == NULL ? length : (size_t)(next - text), name;

		result = cd_overlay_file(overlay, problems, cd_arena_string(&overlay->arena, path), text,
					 part);
		if (next == NULL)
			break;
		text = next + sizeof(mark) - 1;
		length -= part + sizeof(mark) - 1;
		for (name = 0; name < length && name < 32 && text[name] > ' ' && text[name] != '/'; name++)
			path[strlen(HOME) + name] = text[name];
		path[strlen(HOME) + name] = '\0';
		text += name;
		length -= name;
	}
	return result;
}

/* Made of what was read before the edits it must tell the same. */
static void amend(const struct certdeploy_reading *before, const struct certdeploy_reading *after)
{
	struct certdeploy_reading amended;

	cd_reading_open(&amended, before->host, before->service, after->overlay);
	amended.before = before;
	FUZZ_ASSERT(cd_adapter_dovecot.read(&amended) == 0);
	FUZZ_ASSERT(same_readings(after, &amended));
	cd_reading_close(&amended);
}

/* What an edit leaves must be readable, and name the new certificate. */
static void read_again(const struct certdeploy_reading *before, struct cd_problems *problems,
		       const struct certdeploy_edits *edits, const char *text, size_t length)
{
	struct cd_overlay overlay = {0};
	const struct certdeploy_problem *problem;
	struct certdeploy_reading after;
	int result = lay(&overlay, problems, text, length);

	for (size_t i = 0; i < edits->files.count; i++) {
		const struct cd_file_edit *file = edits->files.items[i];

		FUZZ_ASSERT(file->bytes != NULL);
		(void)cd_overlay_file(&overlay, problems, file->path, file->bytes, file->length);
	}
	/* Files that are laid over nothing come first; this says that they are edited. */
	if (result == 0)
		result = cd_overlay_edits(&overlay, problems, edits);
	cd_reading_open(&after, before->host, before->service, &overlay);
	if (result == 0)
		result = cd_adapter_dovecot.read(&after);
	problem = cd_problems_error(problems, 0);
	if (result != 0 && problem != NULL)
		(void)fprintf(stderr, "%s:%zu: %s\n", problem->file, problem->line, problem->message);
	FUZZ_ASSERT(result == 0);
	if (overlay.added.count == 0)
		amend(before, &after);
	cd_reading_close(&after);
	cd_overlay_free(&overlay);
}

/* What doveconf prints is foreign, too: here it is the configuration itself. */
static void judge(struct certdeploy_reading *reading, const char *text, size_t length)
{
	struct certdeploy_rehearsal rehearsal = {0};
	char *output = malloc(length + 1);

	FUZZ_ASSERT(output != NULL);
	memcpy(output, text, length);
	output[length] = '\0';
	if (cd_adapter_dovecot.rehearse(reading, &rehearsal) == 0)
		for (size_t i = 0; i < rehearsal.command_count; i++)
			(void)rehearsal.commands[i].judge(
				reading, output, strchr(output, '\n') == NULL ? "" : strchr(output, '\n'));
	free(output);
}

static void plan(struct work *work, struct cd_problems *problems, const char *text, size_t length)
{
	struct certdeploy_edits edits = {.problems = problems};

	if (cd_adapter_dovecot.plan(work->reading, work->list, work->count, &edits) == 0 &&
	    cd_edits_render(&edits) == 0)
		read_again(work->reading, problems, &edits, text, length);
	cd_edits_free(&edits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cd_problems problems = {0};
	struct cd_arena arena = {0};
	struct cd_overlay overlay = {0};
	struct cd_host host;
	struct cd_service service = {.name = "dovecot", .adapter = &cd_adapter_dovecot, .arena = &arena};
	struct certdeploy_reading reading;
	struct work work = {.reading = &reading};
	const char *version[] = {"2.3.19", NULL};

	if (size == 0)
		return 0;
	if (root[0] == '\0') {
		strcpy(root, "/tmp/fuzz-dovecot.XXXXXX");
		FUZZ_ASSERT(mkdtemp(root) != NULL);
	}
	if (data[0] & 1)
		version[0] = "2.4.1";
	FUZZ_ASSERT(cd_host_open(&host, &problems, root) == 0);
	FUZZ_ASSERT(cd_service_set(&service, "version", version) == 0);
	FUZZ_ASSERT(lay(&overlay, &problems, (const char *)data + 1, size - 1) == 0);
	cd_reading_open(&reading, &host, &service, &overlay);
	if (cd_adapter_dovecot.read(&reading) == 0) {
		size_t count;
		const struct certdeploy_endpoint *const *all = certdeploy_endpoints(&reading, &count);

		for (size_t i = 0; i < count && (data[0] & 2) == 0; i++)
			(void)take(&work, all[i]);
		if (data[0] & 8)
			(void)cd_adapter_dovecot.answers_address(&reading, "10.0.0.1", 0, take, &work);
		if (data[0] & 2)
			(void)cd_adapter_dovecot.answers(&reading,
							 (data[0] & 16) ? "*.example.jp" : names[0],
							 (data[0] & 4) == 0, take, &work);
		plan(&work, &problems, (const char *)data + 1, size - 1);
		judge(&reading, (const char *)data + 1, size - 1);
		(void)cd_adapter_dovecot.reads(&reading, HOME "conf.d/x.conf");
	}
	cd_reading_close(&reading);
	cd_overlay_free(&overlay);
	cd_host_close(&host);
	cd_vector_free(&service.settings);
	cd_arena_free(&arena);
	cd_problems_free(&problems);
	return 0;
}
