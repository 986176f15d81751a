/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan.c - what must change so that the listeners serve the certificates given
 *
 * The family in force is written, chain files or legacy pairs. A pair of another key type stays while it
 * is good for the same names; a single pair is replaced whatever its type.
 */
#include "postfix.h"

#include <time.h>

/* A certificate in its place: a new one, or one that stays. */
struct placed {
	const struct certdeploy_material *material; /* NULL: it stays */
	const struct postfix_pair *pair;
};

/* The pairs that stay and the materials that come, for one source. */
struct outcome {
	const struct certdeploy_material *const *materials;
	size_t material_count;
	const struct postfix_pair **kept;
	size_t kept_count;
	const struct postfix_pair **used; /* pairs that count: none is hidden by a later one */
	size_t used_count;
};

/* ---- what stays ---- */

static bool covers(const char *pattern, const char *name)
{
	const char *dot;

	if (strcasecmp(pattern, name) == 0)
		return true;
	dot = strchr(name, '.');
	return strncmp(pattern, "*.", 2) == 0 && dot != NULL && dot != name && name[0] != '*' &&
	       strcasecmp(pattern + 1, dot) == 0;
}

static bool all_covered(const char *const *names, const char *const *patterns)
{
	for (; *names != NULL; names++) {
		const char *const *pattern = patterns;

		while (*pattern != NULL && !covers(*pattern, *names))
			pattern++;
		if (*pattern == NULL)
			return false;
	}
	return true;
}

static bool still_good(const struct postfix_pair *pair, const struct certdeploy_material *material)
{
	return pair->leaf != NULL && pair->leaf->not_after > (int64_t)time(NULL) &&
	       all_covered(material->names, pair->leaf->names);
}

static bool brought(const struct outcome *outcome, const char *key_type)
{
	for (size_t i = 0; key_type != NULL && i < outcome->material_count; i++)
		if (strcmp(outcome->materials[i]->key_type, key_type) == 0)
			return true;
	return false;
}

/* Of two pairs of one key type the later is served. */
static bool hidden(const struct postfix_pairs *pairs, size_t index)
{
	const char *type = pairs->list[index].key_type;

	for (size_t i = index + 1; type != NULL && i < pairs->count; i++)
		if (pairs->list[i].key_type != NULL && strcmp(pairs->list[i].key_type, type) == 0)
			return true;
	return false;
}

static int look_into(struct postfix_model *model, struct postfix_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		struct postfix_pair *pair = &pairs->list[i];

		if (pair->leaf == NULL &&
		    certdeploy_leaf(&pair->leaf, model->reading, pair->certificate) == CERTDEPLOY_ENOMEM)
			return CERTDEPLOY_ENOMEM;
		if (pair->leaf != NULL)
			pair->key_type = pair->leaf->key_type;
	}
	return 0;
}

static int settle(struct outcome *out, struct postfix_model *model,
		  const struct certdeploy_assignment *assignment, const struct postfix_pairs *pairs)
{
	size_t room = pairs->count + 1;

	*out = (struct outcome){.materials = assignment->materials};
	while (out->materials[out->material_count] != NULL)
		out->material_count++;
	out->used = certdeploy_alloc(model->reading, room * sizeof(*out->used));
	out->kept = certdeploy_alloc(model->reading, room * sizeof(*out->kept));
	if (out->used == NULL || out->kept == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < pairs->count; i++)
		if (!hidden(pairs, i))
			out->used[out->used_count++] = &pairs->list[i];
	for (size_t i = 0; out->used_count > 1 && i < out->used_count; i++) {
		const struct postfix_pair *pair = out->used[i];
		const struct certdeploy_pair *shown = &pairs->shown[pair - pairs->list];

		if (brought(out, pair->key_type) || assignment->drop_other_types)
			continue;
		if (!still_good(pair, out->materials[0]))
			return certdeploy_refuse(
				model->reading, "other-key-type", shown->file, shown->line,
				_("%s, of another key type, is not good for the same names any more"),
				pair->certificate);
		out->kept[out->kept_count++] = pair;
	}
	return 0;
}

const char *postfix_whole_file(const struct certdeploy_paths *paths)
{
	return paths->fullchain != NULL ? paths->fullchain : paths->certificate;
}

/* ---- legacy parameters ---- */

static enum postfix_slot preferred(const char *key_type)
{
	if (strcmp(key_type, "ecdsa") == 0)
		return POSTFIX_SLOT_EC;
	return strcmp(key_type, "dsa") == 0 ? POSTFIX_SLOT_DSA : POSTFIX_SLOT_CERT;
}

static enum postfix_slot free_slot(const struct placed *slots, enum postfix_slot wanted)
{
	enum postfix_slot slot = wanted;

	for (size_t i = 0; i < POSTFIX_SLOTS; i++) {
		if (slots[slot].material == NULL && slots[slot].pair == NULL)
			return slot;
		slot = slot + 1 == POSTFIX_SLOTS ? POSTFIX_SLOT_CERT : slot + 1;
	}
	return wanted;
}

static enum postfix_slot slot_for(const struct outcome *outcome, const struct placed *slots,
				  const struct certdeploy_material *material)
{
	enum postfix_slot wanted = preferred(material->key_type);

	/* A pair of the same type is replaced where it stands, if others stay. */
	for (size_t i = 0; outcome->kept_count != 0 && i < outcome->used_count; i++)
		if (outcome->used[i]->key_type != NULL &&
		    strcmp(outcome->used[i]->key_type, material->key_type) == 0)
			return free_slot(slots, outcome->used[i]->slot);
	/* One alone goes where one stands alone now, else where everybody looks. */
	if (outcome->material_count == 1 && outcome->kept_count == 0)
		return outcome->used_count == 1 && outcome->used[0]->slot == wanted ? wanted
										    : POSTFIX_SLOT_CERT;
	return free_slot(slots, wanted);
}

static int set_legacy(struct postfix_model *model, struct postfix_source *source, const char *name,
		      const char *text)
{
	const char *full = postfix_parameter_name(model, source, name);

	return full == NULL ? CERTDEPLOY_ENOMEM : postfix_set(model, source->row, full, text);
}

static int fill_slot(struct postfix_model *model, struct postfix_source *source, enum postfix_slot slot,
		     const struct certdeploy_material *material)
{
	const char *certificate = postfix_whole_file(&material->paths), *key = material->paths.key;
	bool option = source->row != NULL;
	int result;

	if (material->paths.fullchain == NULL && material->has_chain)
		return certdeploy_refuse(
			model->reading, "usage", NULL, 0,
			_("Postfix needs the certificate and its chain in one file: choose a path "
			  "for both with --install-fullchain"));
	result = postfix_check_path(model, certificate, false, option);

	if (result == 0)
		result = postfix_check_path(model, key, false, option);
	if (result == 0)
		result = set_legacy(model, source, postfix_slot_certificate[slot], certificate);
	if (result == 0)
		result = set_legacy(model, source, postfix_slot_key[slot], key);
	return result;
}

static int empty_slot(struct postfix_model *model, struct postfix_source *source, enum postfix_slot slot)
{
	int result = set_legacy(model, source, postfix_slot_certificate[slot], "");

	return result == 0 ? set_legacy(model, source, postfix_slot_key[slot], "") : result;
}

static int plan_legacy(struct postfix_model *model, struct postfix_source *source,
		       const struct outcome *outcome)
{
	struct placed slots[POSTFIX_SLOTS] = {{NULL, NULL}};
	int result = 0;

	for (size_t i = 0; i < outcome->kept_count; i++)
		slots[outcome->kept[i]->slot].pair = outcome->kept[i];
	for (size_t i = 0; i < outcome->material_count; i++)
		slots[slot_for(outcome, slots, outcome->materials[i])].material = outcome->materials[i];
	for (enum postfix_slot slot = 0; result == 0 && slot < POSTFIX_SLOTS; slot++) {
		if (slots[slot].material != NULL)
			result = fill_slot(model, source, slot, slots[slot].material);
		else if (slots[slot].pair == NULL)
			result = empty_slot(model, source, slot);
	}
	return result;
}

/* ---- chain files ---- */

static void add_file(struct postfix_text *out, struct postfix_model *model, const char *file, bool tight)
{
	if (out->length != 0)
		postfix_text_string(out, model->reading, tight ? "," : ", ");
	postfix_text_string(out, model->reading, file);
}

static int add_material(struct postfix_text *out, struct postfix_model *model,
			const struct certdeploy_paths *paths, bool tight)
{
	const char *files[4] = {paths->combined, NULL, NULL, NULL};
	int result = 0;

	if (paths->combined == NULL) {
		files[0] = paths->key;
		if (strcmp(paths->key, postfix_whole_file(paths)) != 0)
			files[1] = postfix_whole_file(paths);
		if (paths->fullchain == NULL)
			files[2] = paths->chain;
	}
	for (size_t i = 0; result == 0 && files[i] != NULL; i++) {
		result = postfix_check_path(model, files[i], true, tight);
		add_file(out, model, files[i], tight);
	}
	return result;
}

static bool is_kept(const struct outcome *outcome, const struct postfix_pair *pair)
{
	for (size_t i = 0; i < outcome->kept_count; i++)
		if (outcome->kept[i] == pair)
			return true;
	return false;
}

/* The list in the old order: a pair's place goes to the new one of its type; new types come last. */
static int add_all(struct postfix_text *out, struct postfix_model *model, const struct outcome *outcome,
		   const char *const *files, bool tight, bool building)
{
	bool *done = certdeploy_alloc(model->reading, outcome->material_count + 1);
	int result = done == NULL ? CERTDEPLOY_ENOMEM : 0;

	for (size_t i = 0; result == 0 && i <= outcome->used_count; i++) {
		const struct postfix_pair *pair = i < outcome->used_count ? outcome->used[i] : NULL;

		for (size_t j = pair == NULL ? 0 : pair->first;
		     pair != NULL && is_kept(outcome, pair) && j < pair->last; j++)
			add_file(out, model, files[j], tight);
		for (size_t j = 0; result == 0 && j < outcome->material_count; j++) {
			const struct certdeploy_material *material = outcome->materials[j];

			if (done[j] || (pair != NULL && (pair->key_type == NULL ||
							 strcmp(pair->key_type, material->key_type) != 0)))
				continue;
			done[j] = true;
			result = add_material(out, model, building ? &material->building : &material->paths,
					      tight);
		}
	}
	return out->failed ? CERTDEPLOY_ENOMEM : result;
}

/* A file may hold a key and a certificate of each type: none may go unseen with the others. */
static int check_types(struct postfix_model *model, const struct outcome *outcome,
		       const struct postfix_pairs *pairs)
{
	for (size_t i = 0; i < outcome->used_count; i++) {
		const struct postfix_pair *pair = outcome->used[i];
		const struct certdeploy_pair *shown = &pairs->shown[pair - pairs->list];
		/* The first key may stand in a file of its own. */
		size_t keys = strcmp(pair->key, pair->certificate) == 0 ? 0 : 1;

		keys += pair->leaf == NULL ? 0 : pair->leaf->keys;
		if (!is_kept(outcome, pair) && keys > outcome->material_count)
			return certdeploy_refuse(model->reading, "other-key-type", shown->file, shown->line,
						 _("%s holds %zu keys with their certificates, of which "
						   "not all are replaced"),
						 pair->certificate, keys);
	}
	return 0;
}

int postfix_file_list(const char **out, struct postfix_model *model,
		      const struct certdeploy_assignment *assignment, const struct postfix_pairs *pairs,
		      const char *const *files, bool tight, bool building)
{
	struct postfix_text text = {0};
	struct outcome outcome;
	int result = settle(&outcome, model, assignment, pairs);

	if (result == 0 && !assignment->drop_other_types)
		result = check_types(model, &outcome, pairs);
	if (result == 0)
		result = add_all(&text, model, &outcome, files, tight, building);
	*out = text.bytes == NULL ? "" : text.bytes;
	return result;
}

bool postfix_same_list(const char *const *one, const char *const *other)
{
	size_t i = 0;

	while (one[i] != NULL && other[i] != NULL && strcmp(one[i], other[i]) == 0)
		i++;
	return one[i] == NULL && other[i] == NULL;
}

static int plan_chain(struct postfix_model *model, struct postfix_source *source)
{
	const char *name = postfix_parameter_name(model, source, "chain_files"), *now, *list;
	const char *const *files, *const *wanted;
	int result = name == NULL ? CERTDEPLOY_ENOMEM : postfix_value(&now, model, source->row, name);

	if (result == 0)
		result = postfix_split_list(&files, model->reading, now, false);
	if (result == 0)
		result = postfix_file_list(&list, model, source->assignment, &source->pairs, files,
					   source->row != NULL, false);
	if (result == 0)
		result = postfix_split_list(&wanted, model->reading, list, false);
	if (result != 0 || postfix_same_list(files, wanted))
		return result;
	return postfix_set(model, source->row, name, list);
}

/* ---- what goes with it ---- */

static void report_off(struct postfix_model *model, const struct certdeploy_endpoint *endpoint)
{
	if (!endpoint->tls)
		certdeploy_report(
			model->reading, CERTDEPLOY_WARNING, "tls-off", endpoint->file, endpoint->line,
			_("%s speaks no TLS as configured: the certificate is set but not served"),
			endpoint->listen);
}

/* A listener that is not meant and decides for itself goes on with what it has. */
static void report_own(struct postfix_model *model, const struct postfix_source *source)
{
	const struct certdeploy_pair *shown = source->pairs.shown;

	if (model->smtpd.assignment == NULL || source->assignment != NULL || source->inherits ||
	    source->row->disabled || source->pairs.count == 0)
		return;
	certdeploy_report(model->reading, CERTDEPLOY_NOTICE, "keeps-own", shown->file, shown->line,
			  _("%s/%s has a certificate of its own and keeps it"), source->row->name,
			  source->row->type);
}

static bool names_file(const char *const *files, const struct certdeploy_paths *paths)
{
	for (; *files != NULL; files++)
		if (strcmp(*files, postfix_whole_file(paths)) == 0 ||
		    (paths->combined != NULL && strcmp(*files, paths->combined) == 0))
			return true;
	return false;
}

static bool named_before(const struct postfix_model *model, const char *path)
{
	for (size_t i = 0; i < model->smtpd.pairs.count; i++)
		if (strcmp(model->smtpd.pairs.list[i].certificate, path) == 0)
			return true;
	return false;
}

/* Deployed for the server, but the SMTP client presents the same files, or those that the server leaves. */
static int report_client_files(struct postfix_model *model, const char *name, const char *const *files,
			       const char *file, size_t line)
{
	const struct certdeploy_assignment *assignment = model->smtpd.assignment;

	for (size_t j = 0; assignment->materials[j] != NULL; j++)
		if (names_file(files, &assignment->materials[j]->paths) &&
		    !assignment->materials[j]->client_auth)
			certdeploy_report(model->reading, CERTDEPLOY_WARNING, "client-usage", file, line,
					  _("%s makes the SMTP client present this certificate, which may "
					    "not be used by a client"),
					  name);
	for (; *files != NULL; files++) {
		const char *path = certdeploy_join(model->reading, model->queue_directory, *files);
		const char *const one[] = {path, NULL};
		bool stays = false;

		if (path == NULL)
			return CERTDEPLOY_ENOMEM;
		for (size_t j = 0; assignment->materials[j] != NULL; j++)
			stays = stays || names_file(one, &assignment->materials[j]->paths);
		if (!stays && named_before(model, path))
			certdeploy_report(
				model->reading, CERTDEPLOY_NOTICE, "keeps-own", file, line,
				_("%s goes on naming %s, which the listeners do not use any more"), name,
				path);
	}
	return 0;
}

/* row NULL: what main.cf says. */
static int report_client(struct postfix_model *model, const struct postfix_row *row)
{
	static const char *const names[] = {"smtp_tls_cert_file",   "smtp_tls_eccert_file",
					    "smtp_tls_chain_files", "lmtp_tls_cert_file",
					    "lmtp_tls_eccert_file", "lmtp_tls_chain_files"};
	int result = 0;

	for (size_t i = 0; result == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		struct postfix_value value;
		const char *text, *const *files;

		postfix_lookup(&value, model, row, names[i]);
		if (value.line == NULL || (row != NULL && value.option == NULL))
			continue;
		result = postfix_value(&text, model, row, names[i]);
		if (result == 0)
			result = postfix_split_list(&files, model->reading, text, false);
		if (result == 0)
			result = report_client_files(model, names[i], files,
						     certdeploy_document_path(value.line->document),
						     value.line->number);
	}
	return result;
}

static int report_clients(struct postfix_model *model)
{
	int result = model->smtpd.assignment == NULL ? 0 : report_client(model, NULL);

	for (size_t i = 0; result == 0 && model->smtpd.assignment != NULL && i < model->master.count; i++)
		if (!model->master.rows[i].disabled)
			result = report_client(model, &model->master.rows[i]);
	return result;
}

/* ---- the whole ---- */

static int plan_source(struct postfix_model *model, struct postfix_source *source)
{
	struct outcome outcome;
	int result;

	if (source->assignment == NULL || (source->inherits && model->smtpd.assignment != NULL))
		return 0;
	result = look_into(model, &source->pairs);
	if (result == 0 && source->chain)
		return plan_chain(model, source);
	if (result == 0)
		result = settle(&outcome, model, source->assignment, &source->pairs);
	return result == 0 ? plan_legacy(model, source, &outcome) : result;
}

/* Where the file of authorities is missing, Postfix offers no TLS at all, whatever certificate it has. */
static int check_authorities(struct postfix_model *model, const struct certdeploy_endpoint *endpoint)
{
	const struct postfix_endpoint *own = endpoint->own;
	const char *text, *path;
	struct postfix_value value;
	int result = postfix_value(&text, model, own->row, "smtpd_tls_CAfile");

	if (result != 0 || *text == '\0' || !endpoint->tls || !certdeploy_is_live(model->reading))
		return result;
	path = certdeploy_join(model->reading, model->queue_directory, text);
	if (path == NULL)
		return CERTDEPLOY_ENOMEM;
	if (certdeploy_file_type(model->reading, path) != CERTDEPLOY_FILE_ABSENT)
		return 0;
	postfix_lookup(&value, model, own->row, "smtpd_tls_CAfile");
	return certdeploy_refuse(model->reading, "not-found",
				 certdeploy_document_path(value.line->document),
				 postfix_line_number(value.line, value.span.start),
				 _("there is no %s, and without it Postfix offers no TLS"), path);
}

static void take(struct postfix_model *model, const struct certdeploy_assignment *assignment)
{
	const struct postfix_endpoint *own = assignment->endpoint->own;

	if (own->source != NULL)
		own->source->assignment = assignment;
	else
		own->entry->assignment = assignment;
	report_off(model, assignment->endpoint);
}

/* Where every row that takes its certificate from main.cf is meant, main.cf is what changes. */
static int take_from_rows(struct postfix_model *model)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(model->reading, &count);
	const struct certdeploy_assignment *common = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct postfix_endpoint *own = all[i]->own;
		const struct postfix_source *source = own->source;

		if (!all[i]->tls || source == NULL || (source != &model->smtpd && !source->inherits))
			continue;
		if (source->assignment == NULL ||
		    (common != NULL && !certdeploy_same_materials(common, source->assignment)))
			return 0;
		common = source->assignment;
	}
	model->smtpd.assignment = common;
	return common == NULL ? 0 : postfix_source_evaluate(model, &model->smtpd);
}

int postfix_plan(struct certdeploy_reading *reading, const struct certdeploy_assignment *assignments,
		 size_t count, struct certdeploy_edits *edits)
{
	struct postfix_model *model = certdeploy_model(reading);
	int result = 0;

	model->edits = edits;
	for (size_t i = 0; result == 0 && i < count; i++) {
		result = check_authorities(model, assignments[i].endpoint);
		take(model, &assignments[i]);
	}
	if (result == 0 && model->smtpd.assignment == NULL)
		result = take_from_rows(model);
	/* main.cf first: what services take from it is then known. */
	if (result == 0)
		result = plan_source(model, &model->smtpd);
	if (result == 0)
		result = plan_source(model, &model->tlsproxy);
	for (size_t i = 0; result == 0 && i < model->master.count; i++)
		for (struct postfix_source *source = model->master.rows[i].sources;
		     result == 0 && source != NULL; source = source->next) {
			report_own(model, source);
			result = plan_source(model, source);
		}
	for (struct postfix_map *map = model->maps; result == 0 && map != NULL; map = map->next)
		result = postfix_plan_map(model, map);
	return result == 0 ? report_clients(model) : result;
}
