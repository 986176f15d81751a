/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * edit.c - give virtual hosts certificates
 *
 * What a virtual host is to serve is worked out position by position (pairs.c); here the lines that
 * stand there are changed to it: the argument where a line is this host's alone, new lines in the host
 * itself where lines are inherited or shared with others.
 */
#include "edit.h"

#include <string.h>

static const char *const directive_names[] = {
	[APACHE_CERTIFICATE] = "SSLCertificateFile",
	[APACHE_KEY] = "SSLCertificateKeyFile",
	[APACHE_CHAIN] = "SSLCertificateChainFile",
};

/* ---- who else ---- */

static bool same_text(const struct apache_host *one, const struct apache_host *other)
{
	return one->file == other->file && one->opening.start == other->opening.start &&
	       one->opening.end != 0;
}

/* Another host, loaded by the server, that this change must not reach. */
static bool is_stranger(const struct apache_work *work, const struct apache_host *other)
{
	const struct apache_work *theirs;

	if (other == work->host || !other->tls)
		return false;
	/* The same text read twice: the second one never answers. */
	if (!other->live && same_text(other, work->host))
		return false;
	theirs = other->work;
	return theirs == NULL || !certdeploy_same_materials(work->assignment, theirs->assignment);
}

static bool has_line(const struct apache_host *host, const struct apache_file *file, size_t start)
{
	for (const struct apache_ref *ref = host->refs; ref != NULL; ref = ref->next)
		if (ref->file == file && ref->line.start == start)
			return true;
	return false;
}

/*
 * A host outside of this work that reads the same line: of a virtual host's opening when ref is NULL,
 * else of ref. A file that is read once has no such line.
 */
const struct apache_host *apache_sharer(const struct apache_plan *plan, const struct apache_work *work,
					const struct apache_ref *ref)
{
	const struct apache_file *file = ref == NULL ? work->host->file : ref->file;
	const struct apache_host *main = &plan->model->main;

	if (file == NULL || file->reads < 2)
		return NULL;
	for (const struct apache_host *other = plan->model->hosts; other != NULL; other = other->next)
		if (is_stranger(work, other) &&
		    (ref == NULL ? same_text(other, work->host) : has_line(other, file, ref->line.start)))
			return other;
	if (ref != NULL && main->refs != NULL && main != work->host &&
	    has_line(main, file, ref->line.start))
		return main;
	return NULL;
}

int apache_refuse_shared(const struct apache_plan *plan, const struct apache_work *work,
			 const struct apache_ref *ref, const struct apache_host *other)
{
	const char *file = ref != NULL ? ref->file->path : work->host->file->path;
	size_t line = ref != NULL ? ref->number : work->host->line;

	if (other == NULL || other->server_name == NULL)
		return certdeploy_refuse(plan->reading, "shared-lines", file, line,
					 _("other virtual hosts are configured by the same line"));
	return certdeploy_refuse(plan->reading, "shared-lines", file, line,
				 _("the virtual host %.*s is configured by the same line"),
				 (int)other->server_name->length, other->server_name->text);
}

static int refuse_macro(const struct apache_plan *plan, const struct apache_use *use)
{
	return certdeploy_refuse(plan->reading, "config-not-understood", use->file, use->line,
				 _("the certificate is configured by the macro used here"));
}

/* ---- changing what stands there ---- */

static int splice(const struct apache_plan *plan, const struct apache_file *file, size_t offset,
		  size_t length, const char *text)
{
	return certdeploy_splice(plan->edits, plan->reading, file->document, offset, length, text,
				 strlen(text));
}

/* The bytes of a file, which is read again where they were released. */
static int need_bytes(const struct apache_plan *plan, struct apache_file *file)
{
	const struct certdeploy_document *document;
	int result = file->bytes != NULL ? 0 : certdeploy_read(&document, plan->reading, file->path);

	if (file->bytes == NULL && result == 0)
		file->bytes = certdeploy_document_bytes(document, &file->length);
	return result;
}

/* First byte after the blanks at a line's start, and the byte before its line ending. */
static void line_inside(const struct apache_file *file, const struct apache_place *place, size_t *start,
			size_t *end)
{
	*start = place->start;
	*end = place->end;
	while (*end > *start && (file->bytes[*end - 1] == '\n' || file->bytes[*end - 1] == '\r'))
		(*end)--;
	while (*start < *end && (file->bytes[*start] == ' ' || file->bytes[*start] == '\t'))
		(*start)++;
}

int apache_replace(const struct apache_plan *plan, const struct apache_ref *ref, const char *value)
{
	char quote, *text;
	size_t start, end;
	int result;

	if (strcmp(ref->value, value) == 0)
		return 0;
	if (ref->use != NULL)
		return refuse_macro(plan, ref->use);
	result = need_bytes(plan, ref->file);
	if (result != 0)
		return result;
	quote = ref->argument_length == 0 ? '\0' : ref->file->bytes[ref->argument];
	if (quote != '"' && quote != '\'')
		quote = '\0';
	text = apache_write_value(plan->reading, value, quote, ref->file->path, ref->number);
	if (text == NULL)
		return CERTDEPLOY_EREFUSED;
	if (ref->argument_length != 0)
		return splice(plan, ref->file, ref->argument, ref->argument_length, text);
	/* A variable holds more than the argument: the line itself makes way, not the Define. */
	line_inside(ref->file, &ref->line, &start, &end);
	text = certdeploy_format(plan->reading, "%s %s", directive_names[ref->kind], text);
	return text == NULL ? CERTDEPLOY_ENOMEM : splice(plan, ref->file, start, end - start, text);
}

int apache_delete(const struct apache_plan *plan, const struct apache_ref *ref)
{
	int result = ref->use != NULL ? refuse_macro(plan, ref->use) : need_bytes(plan, ref->file);

	return result != 0 ? result
			   : splice(plan, ref->file, ref->line.start, ref->line.end - ref->line.start, "");
}

/* ---- adding lines ---- */

int apache_add_line(const struct apache_plan *plan, struct apache_lines_to_add *lines,
		    enum apache_kind kind, const char *value, const struct apache_work *work)
{
	const char *text;

	if (lines->count == APACHE_LINES_TO_ADD)
		return certdeploy_refuse(plan->reading, "config-not-understood", work->host->file->path,
					 work->host->line, _("there are too many certificates"));
	text = apache_write_value(plan->reading, value, '\0', work->host->file->path, work->host->line);
	if (text == NULL)
		return CERTDEPLOY_EREFUSED;
	text = certdeploy_format(plan->reading, "%s %s", directive_names[kind], text);
	if (text == NULL)
		return CERTDEPLOY_ENOMEM;
	lines->text[lines->count++] = text;
	return 0;
}

/* The blanks that lines after this one begin with. */
static const char *indentation(const struct apache_plan *plan, const struct apache_file *file,
			       const struct apache_place *place, bool section)
{
	size_t start = section ? place->end : place->start, end = start;

	if (section) {
		/* Those of the first line inside; of an empty section, one more than its own. */
		while (end < file->length && apache_is_space(file->bytes[end]))
			if (file->bytes[end++] == '\n')
				start = end;
		if (end + 1 < file->length && file->bytes[end] == '<' && file->bytes[end + 1] == '/') {
			for (start = end = place->start;
			     file->bytes[end] == ' ' || file->bytes[end] == '\t';)
				end++;
			return certdeploy_format(plan->reading, "%.*s\t", (int)(end - start),
						 file->bytes + start);
		}
	} else {
		while (end < file->length && (file->bytes[end] == ' ' || file->bytes[end] == '\t'))
			end++;
	}
	return certdeploy_copy(plan->reading, file->bytes + start, end - start);
}

/* The same lines at the same place are added once. */
static bool is_added(struct apache_plan *plan, struct apache_file *file, size_t offset, int *result)
{
	struct apache_added *fresh;

	for (const struct apache_added *added = file->added; added != NULL; added = added->next)
		if (added->offset == offset)
			return true;
	fresh = certdeploy_alloc(plan->reading, sizeof(*fresh));
	if (fresh == NULL) {
		*result = CERTDEPLOY_ENOMEM;
		return true;
	}
	*fresh = (struct apache_added){file->added, offset};
	file->added = fresh;
	return false;
}

/* Whether what is put behind a line would be read as a part of it: the file ends in its backslash. */
static bool goes_on(const struct apache_file *file, const struct apache_place *place)
{
	size_t end = place->end;

	if (end > place->start && file->bytes[end - 1] == '\r')
		end--;
	return place->continued || (end > place->start && file->bytes[end - 1] == '\\');
}

int apache_insert(struct apache_plan *plan, struct apache_file *file, const struct apache_place *place,
		  bool section, const struct apache_lines_to_add *lines)
{
	const char *indent, *newline;
	char *text;
	bool ended, open;
	int result = need_bytes(plan, file);

	if (result != 0 || lines->count == 0 || is_added(plan, file, place->end, &result))
		return result;
	ended = place->end > place->start && file->bytes[place->end - 1] == '\n';
	open = goes_on(file, place);
	/* Behind a macro's use: a line that httpd loses for want of its newline. */
	if (place->continued && !ended)
		return certdeploy_refuse(
			plan->reading, "config-not-understood", file->path,
			certdeploy_document_line(file->document, place->start),
			_("the file ends in a line that is continued: nothing can be put after it"));
	indent = indentation(plan, file, place, section);
	newline = certdeploy_document_newline(file->document, place->start);
	if (indent == NULL)
		return CERTDEPLOY_ENOMEM;
	/* A blank ends such a line, and what comes before it stays as it is read now. */
	text = certdeploy_format(plan->reading, "%s%s", open ? " " : "", open && ended ? newline : "");
	for (size_t i = 0; text != NULL && i < lines->count; i++)
		text = certdeploy_format(plan->reading, "%s%s%s%s%s", text, ended ? "" : newline, indent,
					 lines->text[i], ended ? newline : "");
	return text == NULL ? CERTDEPLOY_ENOMEM : splice(plan, file, place->end, 0, text);
}

/* ---- the plan ---- */

static bool same_path(const char *one, const char *other)
{
	return one != NULL && other != NULL && strcmp(one, other) == 0;
}

static bool is_pair_of(const struct certdeploy_material *material, const struct certdeploy_pair *pair)
{
	const struct certdeploy_paths *paths = &material->paths;

	return (same_path(pair->certificate, paths->fullchain) ||
		same_path(pair->certificate, paths->certificate) ||
		same_path(pair->certificate, paths->combined)) &&
	       (same_path(pair->key, paths->key) || same_path(pair->key, paths->combined));
}

static bool has_pair_of(const struct apache_host *host, const struct certdeploy_material *material)
{
	for (size_t i = 0; i < host->pair_count; i++)
		if (is_pair_of(material, &host->pairs[i]))
			return true;
	return false;
}

static bool is_any_of(const struct certdeploy_material *const *materials,
		      const struct certdeploy_pair *pair)
{
	while (*materials != NULL && !is_pair_of(*materials, pair))
		materials++;
	return *materials != NULL;
}

/* Whether a host names what it is to serve, and nothing else: what cannot be edited can be renewed. */
static bool is_there_already(const struct apache_work *work)
{
	for (size_t i = 0; i < work->host->pair_count; i++)
		if (!is_any_of(work->assignment->materials, &work->host->pairs[i]))
			return false;
	for (size_t i = 0; work->assignment->materials[i] != NULL; i++)
		if (!has_pair_of(work->host, work->assignment->materials[i]))
			return false;
	return true;
}

static int add_work(struct apache_plan *plan, const struct certdeploy_assignment *assignment)
{
	const struct certdeploy_endpoint *endpoint = assignment->endpoint;
	const struct apache_answer *answer = endpoint->own;
	struct apache_work work = {NULL, answer->serves, assignment};
	const struct apache_work *there = work.host->work;
	struct apache_work *added;
	bool locked = endpoint->untouchable != NULL || work.host->use != NULL;

	if (locked && is_there_already(&work))
		return 0;
	if (endpoint->untouchable != NULL && !certdeploy_accepts(plan->reading, endpoint->untouchable))
		return certdeploy_refuse(
			plan->reading, endpoint->untouchable,
			answer->serves->use != NULL ? answer->serves->use->file : endpoint->file,
			endpoint->line, "%s: %s",
			endpoint->name == NULL ? endpoint->listen : endpoint->name, endpoint->note);
	if (answer->serves->use != NULL)
		return refuse_macro(plan, answer->serves->use);
	if (answer->serves->overruled)
		return certdeploy_refuse(
			plan->reading, "managed-elsewhere", endpoint->file, endpoint->line,
			_("mod_md has a certificate for this virtual host, and it would be "
			  "served instead of any other"));
	if (there != NULL) {
		if (!certdeploy_same_materials(there->assignment, assignment))
			return certdeploy_refuse(
				plan->reading, "shared-lines", endpoint->file, endpoint->line,
				_("the names of one virtual host cannot have different certificates"));
		return 0;
	}
	added = certdeploy_alloc(plan->reading, sizeof(*added));
	if (added == NULL)
		return CERTDEPLOY_ENOMEM;
	*added = work;
	work.host->work = added;
	*plan->last = added;
	plan->last = &added->next;
	return 0;
}

/*
 * Whether every host that inherits from the main server is meant, with the same certificates: then the
 * main server's own lines are changed. Never for a single one, which gets its own.
 */
static const struct apache_work *whole_server(const struct apache_plan *plan)
{
	const struct apache_host *main = &plan->model->main;
	const struct apache_work *first = main->live ? main->work : NULL;
	size_t count = main->live ? 2 : 0;

	if (main->counts[APACHE_CERTIFICATE] == 0 || (main->live && first == NULL) ||
	    apache_macro_of(main) != NULL)
		return NULL;
	for (const struct apache_host *host = plan->model->hosts; host != NULL; host = host->next) {
		const struct apache_work *work;

		if (!host->tls || host->counts[APACHE_CERTIFICATE] >= main->counts[APACHE_CERTIFICATE])
			continue;
		if (host->refs != NULL)
			return NULL;
		work = host->work;
		if (work == NULL ||
		    (first != NULL && !certdeploy_same_materials(first->assignment, work->assignment)))
			return NULL;
		first = work;
		count++;
	}
	return count > 1 ? first : NULL;
}

/*
 * A host outside of the plan that takes the main server's key for its own certificate, or the other way
 * round: it would not fit any more, and httpd, which loads it even where nothing reaches it, would end.
 * The main server will have a key to each certificate, whatever it has now.
 */
static const struct apache_host *mixed_with_main(const struct apache_plan *plan,
						 const struct apache_work *work)
{
	const struct apache_model *model = plan->model;
	size_t later = model->main.counts[APACHE_CERTIFICATE];

	if (work->assignment->materials[1] != NULL && later < 2)
		later = 2;
	for (const struct apache_host *host = model->hosts; host != NULL; host = host->next) {
		uint16_t certificates = host->counts[APACHE_CERTIFICATE], keys = host->counts[APACHE_KEY];

		if (host->tls && host->work == NULL &&
		    (keys < certificates || (certificates < keys && certificates < later)))
			return host;
	}
	return NULL;
}

static int plan_work(struct apache_plan *plan, const struct apache_work *work)
{
	const struct apache_host *mixed =
		work->host == &plan->model->main ? mixed_with_main(plan, work) : NULL;

	return mixed != NULL ? apache_refuse_shared(plan, work, NULL, mixed) : apache_plan_host(plan, work);
}

int apache_plan(struct certdeploy_reading *reading, const struct certdeploy_assignment *assignments,
		size_t count, struct certdeploy_edits *edits)
{
	struct apache_plan plan = {.reading = reading, .model = certdeploy_model(reading), .edits = edits};
	const struct apache_work *whole;
	int result = 0;

	plan.last = &plan.works;
	for (size_t i = 0; result == 0 && i < count; i++)
		result = add_work(&plan, &assignments[i]);
	if (result != 0)
		return result;
	whole = whole_server(&plan);
	if (whole != NULL) {
		struct apache_work work = *whole;

		work.host = &plan.model->main;
		result = plan_work(&plan, &work);
	}
	for (const struct apache_work *work = plan.works; result == 0 && work != NULL; work = work->next)
		if (whole == NULL || (work->host->refs != NULL && work->host != &plan.model->main))
			result = plan_work(&plan, work);
	return result != 0 ? result : apache_warn_misdirected(&plan);
}
