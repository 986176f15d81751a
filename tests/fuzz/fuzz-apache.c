/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-apache.c - a configuration of Apache, whatever it holds
 *
 * The first part of the input is the main file; a line "=== NAME" begins another. What is read is given
 * a certificate at every place that serves TLS, and read again over the edits: every one of them must
 * serve it then, and reading must not depend on when it is done.
 */
#include "fuzz.h"

#include "change/edits.h"
#include "host/reading.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE "/store/x/current/"

extern const struct certdeploy_adapter cd_adapter_apache;

static const char *const names[] = {"a.test", NULL};
static const struct certdeploy_material material = {
	.name = "x",
	.key_type = "rsa",
	.sha256 = "00",
	.names = names,
	.has_chain = true,
	.paths = {STORE "cert.pem", STORE "key.pem", STORE "chain.pem", STORE "fullchain.pem",
		  STORE "combined.pem"},
};
static const struct certdeploy_material *const materials[] = {&material, NULL};

/* Every file of the input as an edit lays it over the (empty) root. */
static int lay_files(struct cd_overlay *overlay, struct cd_problems *problems, const char *data,
		     size_t size)
{
	char path[64] = "/etc/apache2/apache2.conf";
	const char *end = data + size;
	int result = 0;

	while (result == 0) {
		const char *mark = memmem(data, (size_t)(end - data), "\n=== ", 5), *name, *newline;
		size_t length;

		result = cd_overlay_file(overlay, problems, path, data,
					 (size_t)((mark == NULL ? end : mark + 1) - data));
		if (mark == NULL)
			break;
		name = mark + 5;
		newline = memchr(name, '\n', (size_t)(end - name));
		length = (size_t)((newline == NULL ? end : newline) - name);
		if (length == 0 || length > 16 || memchr(name, '/', length) != NULL ||
		    memchr(name, '\0', length))
			break;
		(void)snprintf(path, sizeof(path), "/etc/apache2/%.*s", (int)length, name);
		data = newline == NULL ? end : newline + 1;
	}
	return result;
}

static bool serves_material(const struct certdeploy_endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->pair_count; i++)
		if (strcmp(endpoint->pairs[i].key, material.paths.key) == 0 &&
		    (strcmp(endpoint->pairs[i].certificate, material.paths.fullchain) == 0 ||
		     strcmp(endpoint->pairs[i].certificate, material.paths.certificate) == 0))
			return true;
	return false;
}

struct input {
	const char *data;
	size_t size;
};

static void check_after(const struct certdeploy_reading *reading, struct cd_problems *problems,
			const struct input *input, const struct certdeploy_edits *edits, size_t wanted)
{
	struct certdeploy_reading again;
	struct cd_overlay overlay = {0};
	size_t count;
	const struct certdeploy_endpoint *const *all;
	int result = lay_files(&overlay, problems, input->data, input->size);

	for (size_t i = 0; result == 0 && i < edits->files.count; i++) {
		const struct cd_file_edit *file = edits->files.items[i];

		result = cd_overlay_file(&overlay, problems, file->path, file->bytes, file->length);
	}
	FUZZ_ASSERT(result == 0);
	cd_reading_open(&again, reading->host, reading->service, &overlay);
	FUZZ_ASSERT(cd_adapter_apache.read(&again) == 0);
	all = certdeploy_endpoints(&again, &count);
	FUZZ_ASSERT(count == wanted);
	for (size_t i = 0; i < count; i++)
		FUZZ_ASSERT(!all[i]->tls || all[i]->untouchable != NULL || serves_material(all[i]));
	cd_reading_close(&again);
	cd_overlay_free(&overlay);
}

static void plan(struct certdeploy_reading *reading, struct cd_problems *problems,
		 const struct input *input)
{
	struct certdeploy_edits edits = {.problems = problems};
	struct certdeploy_assignment assignments[256];
	size_t count, used = 0;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(reading, &count);

	for (size_t i = 0; i < count && used < 256; i++)
		if (all[i]->tls && all[i]->untouchable == NULL)
			assignments[used++] = (struct certdeploy_assignment){all[i], materials, true};
	if (used < 256 && cd_adapter_apache.plan(reading, assignments, used, &edits) == 0 &&
	    cd_edits_render(&edits) == 0)
		check_after(reading, problems, input, &edits, count);
	cd_edits_free(&edits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const config[] = {"/etc/apache2/apache2.conf", NULL};
	struct cd_problems problems = {0};
	struct cd_overlay overlay = {0};
	struct cd_arena arena = {0};
	struct cd_service service = {.name = "apache", .adapter = &cd_adapter_apache, .arena = &arena};
	struct certdeploy_reading reading;
	struct cd_host host;
	char root[] = "/tmp/certdeploy-fuzz.XXXXXX";

	if (mkdtemp(root) == NULL)
		return 0;
	FUZZ_ASSERT(cd_host_open(&host, &problems, root) == 0);
	FUZZ_ASSERT(cd_service_set(&service, "config", config) == 0);
	cd_reading_open(&reading, &host, &service, &overlay);
	if (lay_files(&overlay, &problems, (const char *)data, size) == 0) {
		int result = cd_adapter_apache.read(&reading);

		FUZZ_ASSERT(result == 0 || result == CERTDEPLOY_EREFUSED || result == CERTDEPLOY_ENOMEM);
		FUZZ_ASSERT(result == 0 || cd_problems_error(&problems, 0) != NULL);
		if (result == 0)
			plan(&reading, &problems, &(struct input){(const char *)data, size});
	}
	cd_reading_close(&reading);
	cd_overlay_free(&overlay);
	cd_host_close(&host);
	cd_vector_free(&service.settings);
	cd_arena_free(&arena);
	cd_problems_free(&problems);
	(void)rmdir(root);
	return 0;
}
