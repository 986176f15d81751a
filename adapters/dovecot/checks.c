/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* checks.c - what is looked at once all edits are known, and what a reload does beyond them */
#include "edit.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_FILTERS 1400         /* that 2.3 carries in … */
#define LIMIT_BYTES (256ULL << 20) /* … its default memory */

static bool was_changed(const struct dovecot_editor *editor, const struct dovecot_value *value)
{
	return value != NULL && dovecot_table_get(&editor->sites, value->site, strlen(value->site)) != NULL;
}

/* Would a certificate that stays have another filter's new key? */
static int check_pairs(struct dovecot_editor *editor, const struct dovecot_effective *effective)
{
	const struct dovecot_value *const *values = effective->values;

	for (size_t slot = 0; slot <= DOVECOT_ALT_CERT; slot += 2)
		if (values[slot] != NULL && was_changed(editor, values[slot + 1]) &&
		    !was_changed(editor, values[slot]) && values[slot]->filter != values[slot + 1]->filter)
			return certdeploy_refuse(
				editor->reading, "shared-lines", values[slot]->input->path,
				values[slot]->line,
				_("this certificate uses the key of %s line %zu, which would change"),
				values[slot + 1]->input->path, values[slot + 1]->line);
	return 0;
}

/* The same for clients of a network that has a block, wherever they connect to. */
static int check_clients(struct dovecot_editor *editor, const struct dovecot_filter *filter)
{
	struct dovecot_model *model = editor->model;
	int result = 0;

	for (size_t i = 0; i < model->contexts.count && result == 0; i++) {
		const struct dovecot_context *there = model->contexts.items[i];
		struct dovecot_context context;
		struct dovecot_effective effective;

		if (dovecot_context(&context, model, there->protocol, there->service, there->local,
				    &filter->remote) != 0 ||
		    dovecot_effective(&effective, model, &context, dovecot_filter_name(filter)) != 0)
			return CERTDEPLOY_ENOMEM;
		result = check_pairs(editor, &effective);
	}
	return result;
}

/* A key that others use with a certificate of theirs must not change under them. */
int dovecot_check_keys(struct dovecot_editor *editor)
{
	const struct dovecot_vector *remotes = &editor->model->remotes;
	size_t count;
	const struct certdeploy_endpoint *const *endpoints = certdeploy_endpoints(editor->reading, &count);
	int result = 0;

	for (size_t i = 0; i < count && result == 0; i++) {
		const struct dovecot_place *place = endpoints[i]->own;

		/* A name that is meant has a certificate beside its key by then. */
		if (place->name == NULL ||
		    dovecot_table_get(&editor->assigned, place->name, strlen(place->name)) == NULL)
			result = check_pairs(editor, &place->effective);
	}
	for (size_t i = 0; i < remotes->count && result == 0; i++)
		result = check_clients(editor, remotes->items[i]);
	return result;
}

/* ---- limits ---- */

/* The memory that 2.3's configuration process may use, in bytes; 0: no limit. */
static unsigned long long config_memory(const struct dovecot_model *model)
{
	const char *value = dovecot_setting(model, "service/config/vsz_limit");
	unsigned long long bytes;
	char *end;

	if (value == NULL || strcmp(value, "18446744073709551615 B") == 0 || value[0] == '$')
		value = dovecot_setting(model, "default_vsz_limit");
	if (value == NULL)
		return LIMIT_BYTES;
	bytes = strtoull(value, &end, 10);
	end += strspn(end, " ");
	switch (*end) {
	case 'k':
	case 'K':
		return bytes << 10;
	case 'm':
	case 'M':
		return bytes << 20;
	case 'g':
	case 'G':
		return bytes << 30;
	case 't':
	case 'T':
		return bytes << 40;
	default:
		return bytes;
	}
}

int dovecot_check_limit(struct dovecot_editor *editor)
{
	const struct dovecot_model *model = editor->model;
	unsigned long long memory = config_memory(model), limit;
	size_t count = model->filters.count + editor->added_filters;

	if (model->v24 || memory == 0 || editor->added_filters == 0)
		return 0;
	limit = memory / (LIMIT_BYTES / LIMIT_FILTERS);
	if (count <= limit)
		return 0;
	return certdeploy_refuse(
		editor->reading, "server-limit", model->config, 0,
		_("with %zu blocks Dovecot 2.3 would run out of memory and end every TLS login; "
		  "it carries about %llu now (service config { vsz_limit })"),
		count, limit);
}

/* ---- files that are not there ---- */

static bool will_be_there(const struct certdeploy_assignment *assignments, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; assignments[i].materials[j] != NULL; j++) {
			const struct certdeploy_paths *paths = &assignments[i].materials[j]->paths;
			const char *const all[] = {paths->certificate, paths->key, paths->chain,
						   paths->fullchain, paths->combined};

			for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
				if (all[k] != NULL && strcmp(all[k], path) == 0)
					return true;
		}
	return false;
}

/* A folder that may not be searched hides what is in it: only what is known to be absent is. */
static bool is_missing(const struct dovecot_editor *editor, const char *path)
{
	const struct certdeploy_leaf *leaf;

	return certdeploy_file_type(editor->reading, path) == CERTDEPLOY_FILE_ABSENT &&
	       certdeploy_leaf(&leaf, editor->reading, path) == CERTDEPLOY_ENOTFOUND;
}

static int refuse_missing(struct dovecot_editor *editor, const char *path,
			  const struct dovecot_input *input, size_t line)
{
	return certdeploy_refuse(editor->reading, "not-found", input->path, line,
				 _("there is no %s, and without it Dovecot takes no new configuration"),
				 path);
}

int dovecot_check_files(struct dovecot_editor *editor, const struct certdeploy_assignment *assignments,
			size_t count)
{
	const struct dovecot_vector *values = &editor->model->values, *files = &editor->model->files;

	if (!certdeploy_is_live(editor->reading))
		return 0;
	for (size_t i = 0; i < values->count; i++) {
		const struct dovecot_value *value = values->items[i];

		if (value->path != NULL && value->type != DOVECOT_LINE_VARIABLE &&
		    !was_changed(editor, value) && is_missing(editor, value->path) &&
		    !will_be_there(assignments, count, value->path))
			return refuse_missing(editor, value->path, value->input, value->line);
	}
	for (size_t i = 0; i < files->count; i++) {
		const struct dovecot_file *file = files->items[i];

		if (is_missing(editor, file->path))
			return refuse_missing(editor, file->path, file->input, file->line);
	}
	return 0;
}

/* ---- side effects ---- */

/* Is what the names stand for not yet what is to be served? */
static bool is_new(struct dovecot_editor *editor, const struct certdeploy_assignment *assignment)
{
	for (size_t i = 0; assignment->materials[i] != NULL; i++) {
		const struct certdeploy_material *material = assignment->materials[i];
		const char *path = material->paths.fullchain != NULL ? material->paths.fullchain
								     : material->paths.certificate;
		const struct certdeploy_leaf *leaf;

		if (certdeploy_leaf(&leaf, editor->reading, path) != 0 ||
		    strcmp(leaf->sha256, material->sha256) != 0)
			return true;
	}
	return false;
}

/* A block for some clients' addresses, or for a host name, has no endpoint of its own. */
static void say_what_stays(struct dovecot_editor *editor)
{
	const struct dovecot_vector *filters = &editor->model->filters;

	for (size_t i = 0; i < filters->count; i++) {
		const struct dovecot_filter *filter = filters->items[i];
		const struct dovecot_value *certificate = filter->values[DOVECOT_CERT];
		const struct dovecot_filter *outer = filter;

		while (outer != NULL && outer->remote.bits == 0 && !outer->unknown)
			outer = outer->parent;
		if (outer == NULL || certificate == NULL)
			continue;
		if (outer->remote_text == NULL)
			certdeploy_report(editor->reading, CERTDEPLOY_NOTICE, "keeps-own",
					  certificate->input->path, certificate->line,
					  _("connections to %s keep the certificate that this block names"),
					  outer->local_text);
		else
			certdeploy_report(editor->reading, CERTDEPLOY_NOTICE, "keeps-own",
					  certificate->input->path, certificate->line,
					  _("clients from %s keep the certificate that this block names"),
					  outer->remote_text);
	}
}

void dovecot_say_side_effects(struct dovecot_editor *editor,
			      const struct certdeploy_assignment *assignments, size_t count)
{
	const char *shutdown = dovecot_setting(editor->model, "shutdown_clients");
	bool reload = editor->changed;

	for (size_t i = 0; i < count && !reload; i++)
		reload = is_new(editor, &assignments[i]);
	say_what_stays(editor);
	if (reload && (shutdown == NULL || strcmp(shutdown, "no") != 0))
		certdeploy_report(editor->reading, CERTDEPLOY_NOTICE, "sessions-end", NULL, 0,
				  _("Dovecot ends all open sessions a few seconds after the reload "
				    "(shutdown_clients = yes); clients connect again"));
}
