/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* edits.c - what a plan changes: splices on documents, new files, files that a program makes */
#include "change/edits.h"

#include "base/text.h"
#include "host/reading.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static void free_file(struct cd_file_edit *file)
{
	if (file->bytes != NULL && file->secret)
		OPENSSL_cleanse(file->bytes, file->length);
	free(file->bytes);
	free(file->splices);
}

void cd_edits_free(struct certdeploy_edits *edits)
{
	for (size_t i = 0; i < edits->files.count; i++)
		free_file(edits->files.items[i]);
	cd_vector_free(&edits->files);
	cd_vector_free(&edits->builds);
	cd_table_free(&edits->by_path);
	cd_arena_free(&edits->arena);
}

static struct cd_file_edit *add_file(struct certdeploy_edits *edits, const char *service, const char *path)
{
	struct cd_file_edit *file = cd_arena_alloc(&edits->arena, sizeof(*file));

	if (file == NULL)
		return NULL;
	file->path = cd_arena_string(&edits->arena, path);
	file->service = cd_arena_string(&edits->arena, service);
	if (file->path == NULL || cd_table_put(&edits->by_path, path, file) != 0 ||
	    cd_vector_add(&edits->files, file) != 0)
		return NULL;
	return file;
}

int certdeploy_splice(struct certdeploy_edits *edits, struct certdeploy_reading *reading,
		      const struct certdeploy_document *document, size_t offset, size_t length,
		      const char *text, size_t text_length)
{
	struct cd_file_edit *file = cd_table_get(&edits->by_path, document->path);
	struct certdeploy_document *again;
	struct cd_splice *splice;
	int result = document->bytes != NULL ? 0 : cd_host_document(&again, reading->host, document->path);

	if (result != 0)
		return result;
	if (offset > document->length || length > document->length - offset)
		return cd_fail(edits->problems, CERTDEPLOY_EREFUSED, "conflicting-edits", document->path, 0,
			       _("an edit lies outside the file"));
	if (file == NULL)
		file = add_file(edits, cd_reading_service(reading), document->path);
	if (file == NULL)
		return cd_fail_memory(edits->problems);
	file->document = document;
	if (file->count == file->room) {
		size_t room = file->room == 0 ? 8 : file->room * 2;
		struct cd_splice *splices = realloc(file->splices, room * sizeof(*splices));

		if (splices == NULL)
			return cd_fail_memory(edits->problems);
		file->splices = splices;
		file->room = room;
	}
	splice = &file->splices[file->count];
	*splice = (struct cd_splice){offset, length, NULL, text_length, file->count};
	splice->text = cd_arena_copy(&edits->arena, text, text_length);
	if (splice->text == NULL)
		return cd_fail_memory(edits->problems);
	file->count++;
	return 0;
}

int certdeploy_create(struct certdeploy_edits *edits, struct certdeploy_reading *reading, const char *path,
		      const char *bytes, size_t length, bool secret)
{
	struct cd_file_edit *file;
	int result = cd_check_path(edits->problems, path);

	if (result != 0)
		return result;
	if (cd_table_get(&edits->by_path, path) != NULL ||
	    certdeploy_file_type(reading, path) != CERTDEPLOY_FILE_ABSENT)
		return cd_fail(edits->problems, CERTDEPLOY_EREFUSED, "conflicting-edits", path, 0,
			       _("the file is to be created but is there already"));
	file = add_file(edits, cd_reading_service(reading), path);
	if (file == NULL)
		return cd_fail_memory(edits->problems);
	file->secret = secret;
	file->bytes = malloc(length + 1);
	if (file->bytes == NULL)
		return cd_fail_memory(edits->problems);
	if (length != 0)
		memcpy(file->bytes, bytes, length);
	file->bytes[length] = '\0';
	file->length = length;
	return 0;
}

int certdeploy_build(struct certdeploy_edits *edits, struct certdeploy_reading *reading,
		     const struct certdeploy_build *build)
{
	struct cd_build *copy = cd_arena_alloc(&edits->arena, sizeof(*copy));

	if (copy == NULL)
		return cd_fail_memory(edits->problems);
	copy->build = *build;
	copy->build.source = cd_arena_string(&edits->arena, build->source);
	copy->build.argv = cd_arena_list(&edits->arena, build->argv);
	copy->build.suffix = cd_arena_string(&edits->arena, build->suffix);
	copy->service = cd_arena_string(&edits->arena, cd_reading_service(reading));
	if (build->input != NULL)
		copy->build.input = cd_arena_copy(&edits->arena, build->input, build->input_length);
	if (copy->build.source == NULL || copy->build.argv == NULL || copy->build.suffix == NULL ||
	    (build->input != NULL && copy->build.input == NULL) || cd_vector_add(&edits->builds, copy) != 0)
		return cd_fail_memory(edits->problems);
	return 0;
}

static int render(struct certdeploy_edits *edits, struct cd_file_edit *file)
{
	const struct certdeploy_document *document = file->document;
	struct cd_buffer out = {.secret = file->secret};
	int result = cd_splices_settle(file->splices, &file->count);

	if (result != 0)
		return cd_fail(edits->problems, result, "conflicting-edits", file->path, 0,
			       _("two edits want the same bytes of the file"));
	cd_splices_render(&out, document->bytes, document->length, file->splices, file->count);
	free(file->bytes);
	file->length = out.length;
	file->bytes = cd_buffer_take(&out);
	return file->bytes == NULL ? cd_fail_memory(edits->problems) : 0;
}

int cd_edits_render(struct certdeploy_edits *edits)
{
	size_t kept = 0;

	for (size_t i = 0; i < edits->files.count; i++) {
		struct cd_file_edit *file = edits->files.items[i];
		int result = file->document == NULL ? 0 : render(edits, file);

		if (result != 0)
			return result;
		if (file->document != NULL && file->length == file->document->length &&
		    memcmp(file->bytes, file->document->bytes, file->length) == 0) {
			free_file(file);
			file->bytes = NULL;
			file->splices = NULL;
			continue;
		}
		edits->files.items[kept++] = file;
	}
	edits->files.count = kept;
	if (edits->files.items != NULL)
		edits->files.items[kept] = NULL;
	return 0;
}

bool certdeploy_same_materials(const struct certdeploy_assignment *one,
			       const struct certdeploy_assignment *other)
{
	size_t i = 0;

	while (one->materials[i] != NULL && one->materials[i] == other->materials[i])
		i++;
	return one->materials[i] == other->materials[i] && one->drop_other_types == other->drop_other_types;
}
