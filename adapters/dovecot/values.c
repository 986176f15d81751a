/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* values.c - the settings that stand in sections: certificates and keys, and what else matters */
#include "read.h"

#include <string.h>
#include <strings.h>

/* All values together: one that holds itself twice must not grow without an end. */
#define EXPANSION_LIMIT ((size_t)16 << 20)

static const char *const names_23[] = {"ssl_cert", "ssl_key", "ssl_alt_cert", "ssl_alt_key", "ssl"};
static const char *const names_24[] = {"ssl_server_cert_file", "ssl_server_key_file",
				       "ssl_server_alt_cert_file", "ssl_server_alt_key_file", "ssl"};

static enum dovecot_slot find_name(const char *const *names, size_t skip, const char *key)
{
	for (size_t i = 0; i < DOVECOT_SLOTS; i++)
		if (strlen(names[i]) > skip && dovecot_same_word(names[i] + skip, key))
			return (enum dovecot_slot)i;
	return DOVECOT_SLOTS;
}

static enum dovecot_slot slot_of(const struct dovecot_model *model, const char *key, bool ssl_server)
{
	enum dovecot_slot slot = find_name(model->v24 ? names_24 : names_23, 0, key);

	if (model->v24 && ssl_server && slot == DOVECOT_SSL)
		return DOVECOT_SLOTS;
	if (model->v24 && strncmp(key, "ssl_server/", 11) == 0)
		return slot_of(model, key + 11, true);
	if (model->v24 && ssl_server && slot == DOVECOT_SLOTS)
		slot = find_name(names_24, strlen("ssl_server_"), key);
	if (!model->v24 && dovecot_same_word(key, "ssl_cert_file"))
		return DOVECOT_CERT;
	if (!model->v24 && dovecot_same_word(key, "ssl_key_file"))
		return DOVECOT_KEY;
	if (!model->v24 && dovecot_same_word(key, "ssl_disable"))
		return DOVECOT_SSL;
	return slot;
}

/* A name that only the other version knows: Dovecot does not start with it. */
static bool is_foreign(const struct dovecot_model *model, const char *key)
{
	enum dovecot_slot slot = find_name(model->v24 ? names_23 : names_24, 0, key);

	return slot < DOVECOT_SSL || (model->v24 && (dovecot_same_word(key, "ssl_cert_file") ||
						     dovecot_same_word(key, "ssl_key_file")));
}

static const struct dovecot_setting *setting_at(const struct dovecot_model *model, const char *path)
{
	return dovecot_table_get(&model->settings, path, strlen(path));
}

const char *dovecot_setting(const struct dovecot_model *model, const char *path)
{
	const struct dovecot_setting *setting = setting_at(model, path);

	return setting == NULL ? NULL : setting->value;
}

/* The value that `$name` stands for, as a slot's value; NULL when it is none. In 2.4 a file's is empty. */
static const struct dovecot_value *slot_variable(const struct dovecot_reader *reader, const char *name,
						 const char *key)
{
	const struct dovecot_section *section = reader->section;
	enum dovecot_slot slot = slot_of(reader->model, name, false);

	if (slot == DOVECOT_SLOTS || (reader->model->v24 && slot != DOVECOT_SSL))
		return NULL;
	for (; section != NULL; section = section->outer) {
		if (section->filter->values[slot] != NULL)
			return section->filter->values[slot];
		/* Only a setting's own former value is looked for further out. */
		if (!dovecot_same_word(name, key))
			return NULL;
	}
	return reader->model->root->values[slot];
}

static int refuse_size(const struct dovecot_reader *reader, const struct dovecot_line *line)
{
	return certdeploy_refuse(reader->model->reading, "config-not-understood", reader->input->path,
				 line->number, _("the value expands to too much"));
}

/*
 * The words of a value, each `$name` replaced by what the setting has so far. What stands in the
 * environment of the server is not known: such a word is left as it is written, or taken for nothing.
 */
static int expand(const char **out, struct dovecot_reader *reader, const struct dovecot_line *line,
		  bool keep_unknown)
{
	struct certdeploy_reading *reading = reader->model->reading;
	const char *prefix = reader->model->v24 ? "$SET:" : "$";
	struct dovecot_text text = {0};

	for (const char *at = line->value; *at != '\0';) {
		size_t length = strcspn(at, " \t");
		const char *word = certdeploy_copy(reading, at, length);
		const char *name = word == NULL ? NULL : word + strlen(prefix);

		if (word == NULL)
			return CERTDEPLOY_ENOMEM;
		if (strncmp(word, "$ENV:", 5) == 0) {
			word = keep_unknown ? word : "";
		} else if (strncmp(word, prefix, strlen(prefix)) == 0) {
			const struct dovecot_value *value = slot_variable(reader, name, line->key);
			const char *known = dovecot_setting(reader->model, name);

			reader->model->refers = reader->model->refers || value != NULL;
			word = value != NULL ? value->text : known == NULL ? "" : known;
		}
		reader->expanded += strlen(word);
		if (reader->expanded > EXPANSION_LIMIT)
			return refuse_size(reader, line);
		if (dovecot_text_string(&text, reading, word) != 0)
			return CERTDEPLOY_ENOMEM;
		at += length;
		if (*at != '\0' && dovecot_text_add(&text, reading, " ", 1) != 0)
			return CERTDEPLOY_ENOMEM;
		at += strspn(at, " \t");
	}
	*out = text.length == 0 ? "" : text.bytes;
	return 0;
}

/* The file that a slot's value names. */
static int value_path(struct dovecot_reader *reader, struct dovecot_value *value,
		      const struct dovecot_line *line)
{
	bool v24 = reader->model->v24;
	bool unknown = strstr(value->text, "%{") != NULL ||
		       (line->type == DOVECOT_LINE_VARIABLE && strstr(value->text, "$ENV:") != NULL);
	bool names_file = v24 ? line->type != DOVECOT_LINE_FILE && !unknown
			      : line->type == DOVECOT_LINE_FILE || strstr(value->key, "_file") != NULL;

	/* Of 2.3 a former `<path`; 2.4 knows words only. */
	if (line->type == DOVECOT_LINE_VARIABLE && !v24) {
		const char *name = line->value + (line->value[0] == '$');
		const struct dovecot_value *other = slot_variable(reader, name, line->key);
		const struct dovecot_setting *setting = setting_at(reader->model, name);

		reader->model->refers = reader->model->refers || other != NULL;
		value->path = other != NULL ? other->path : setting != NULL ? setting->path : NULL;
		return 0;
	}
	if (!names_file || value->text[0] == '\0' || value->slot == DOVECOT_SSL)
		return 0;
	value->path = value->text[0] == '/' ? value->text : dovecot_resolve(reader, value->text);
	return value->path == NULL ? CERTDEPLOY_ENOMEM : 0;
}

/* Where a value stands: the same text for the same bytes, also when their file is read twice. */
static const char *site_of(struct dovecot_model *model, const struct certdeploy_document *document,
			   const struct dovecot_value *value)
{
	char one[DOVECOT_DIGITS], other[DOVECOT_DIGITS];

	return dovecot_joined(model->reading, dovecot_digits(one, (uintptr_t)document), " ",
			      dovecot_digits(other, value->value_span.offset), NULL);
}

/* What a block sets beyond certificates and keys goes along when the block moves. */
static int note_other(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct dovecot_section *section = reader->section;
	struct dovecot_span *span;

	if (section == NULL)
		return 0;
	section->filter->other_settings = true;
	if (section->block == NULL)
		return 0;
	section->block->simple = section->block->simple && !section->ssl_server;
	span = certdeploy_alloc(reader->model->reading, sizeof(*span));
	if (span == NULL)
		return CERTDEPLOY_ENOMEM;
	*span = (struct dovecot_span){line->start, line->end - line->start};
	return dovecot_vector_add(&section->block->others, reader->model->reading, span);
}

static int assign_slot(struct dovecot_reader *reader, const struct dovecot_line *line,
		       enum dovecot_slot slot)
{
	struct dovecot_model *model = reader->model;
	struct dovecot_section *section = reader->section;
	struct dovecot_value *value = certdeploy_alloc(model->reading, sizeof(*value));
	int result = 0;

	if (value == NULL)
		return CERTDEPLOY_ENOMEM;
	value->input = reader->input;
	value->filter = section == NULL ? model->root : section->filter;
	value->block = section == NULL ? NULL : section->block;
	value->slot = slot;
	value->type = line->type;
	value->quoted = line->quoted;
	value->nested = section != NULL && section->ssl_server;
	value->key = certdeploy_copy(model->reading, line->key, strlen(line->key));
	value->text = certdeploy_copy(model->reading, line->value, strlen(line->value));
	value->line = line->number;
	value->start = line->start;
	value->end = line->end;
	value->value_span = line->value_span;
	value->inner_span = line->inner_span;
	value->order = model->order;
	value->site = site_of(model, reader->input->document, value);
	if (value->key == NULL || value->text == NULL || value->site == NULL)
		return CERTDEPLOY_ENOMEM;
	if (line->type == DOVECOT_LINE_VARIABLE)
		result = expand(&value->text, reader, line, true);
	if (result == 0 && dovecot_same_word(value->key, "ssl_disable"))
		value->text = strcasecmp(value->text, "yes") == 0 ? "no" : "yes";
	if (result == 0)
		result = value_path(reader, value, line);
	if (result != 0)
		return result;
	value->filter->values[slot] = value;
	if (section != NULL && section->group != NULL)
		section->group->matters = true;
	if (value->block != NULL)
		value->block->last = value;
	if (slot == DOVECOT_SSL && note_other(reader, line) != 0)
		return CERTDEPLOY_ENOMEM;
	return dovecot_vector_add(&model->values, model->reading, value);
}

/* Of a list's words, wherever it stands. */
static void take_away(struct dovecot_text *list, const char *word)
{
	size_t length = strlen(word);

	for (char *at = list->bytes + strspn(list->bytes, ", "); *at != '\0'; at += strspn(at, ", ")) {
		char *end = at + strcspn(at, ", "), *next = end + strspn(end, ", ");

		if ((size_t)(end - at) != length || memcmp(at, word, length) != 0) {
			at = end;
			continue;
		}
		memmove(at, next, list->length - (size_t)(next - list->bytes) + 1);
		list->length -= (size_t)(next - at);
	}
}

/* A word at the list's end; from now on it is known there. */
static int add_word(struct dovecot_reader *reader, struct dovecot_setting *setting, const char *key,
		    const char *word, size_t length)
{
	struct certdeploy_reading *reading = reader->model->reading;

	if (key == NULL || dovecot_text_add(&setting->words, reading, " ", 1) != 0 ||
	    dovecot_text_add(&setting->words, reading, word, length) != 0)
		return CERTDEPLOY_ENOMEM;
	return dovecot_table_put(&reader->words, reading, key, strlen(key), setting);
}

/* As it stood in a line of its own, or was there by itself. */
static int take_over(struct dovecot_reader *reader, struct dovecot_setting *setting, const char *list,
		     const char *value)
{
	int result = dovecot_text_string(&setting->words, reader->model->reading, "");

	for (const char *at = value + strspn(value, ", "); result == 0 && *at != '\0';
	     at += strspn(at, ", ")) {
		size_t length = strcspn(at, ", ");
		const char *key =
			certdeploy_format(reader->model->reading, "%s\n%.*s", list, (int)length, at);

		result = add_word(reader, setting, key, at, length);
		at += length;
	}
	return result;
}

/* A list's words, in place, for it may have thousands: yes adds one at its end, no takes it away. */
static int toggle(struct dovecot_reader *reader, struct dovecot_setting *setting, const char *list,
		  const struct dovecot_line *line)
{
	const struct dovecot_setting *old = setting_at(reader->model, list);
	const char *start = dovecot_same_word(list, "listen") ? "* ::" : "", *key;
	int result = 0;

	if (old != NULL)
		setting->words = old->words;
	if (setting->words.bytes == NULL)
		result = take_over(reader, setting, list, old == NULL ? start : old->value);
	if (result != 0)
		return result;
	key = dovecot_joined(reader->model->reading, list, "\n", line->key, NULL);
	if (key != NULL && dovecot_table_get(&reader->words, key, strlen(key)) != NULL)
		take_away(&setting->words, line->key);
	if (dovecot_same_word(line->value, "yes"))
		result = add_word(reader, setting, key, line->key, strlen(line->key));
	setting->value = setting->words.bytes;
	return key == NULL ? CERTDEPLOY_ENOMEM : result;
}

/* A setting's name as the section means it: `inet_listener_port` of a listener is its `port` (2.4). */
static const char *short_key(const struct dovecot_section *section, const char *key)
{
	bool listener = section != NULL && section->named && section->path != NULL &&
			strstr(section->path, "/inet_listener/") != NULL;

	return listener && strncmp(key, "inet_listener_", 14) == 0 ? key + 14 : key;
}

static int store_setting(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	const struct dovecot_section *section = reader->section;
	struct dovecot_setting *setting = certdeploy_alloc(model->reading, sizeof(*setting));
	const char *list = section == NULL ? NULL : section->list;
	const char *path = list != NULL ? list
					: certdeploy_format(model->reading, "%s%s",
							    section == NULL ? "" : section->path,
							    short_key(section, line->key));
	int result = 0;

	if (setting == NULL || path == NULL)
		return CERTDEPLOY_ENOMEM;
	setting->file = reader->input->path;
	setting->line = line->number;
	if (line->type == DOVECOT_LINE_FILE) {
		setting->path = dovecot_resolve(reader, line->value);
		if (setting->path == NULL)
			return CERTDEPLOY_ENOMEM;
	}
	if (list != NULL)
		result = toggle(reader, setting, list, line);
	else if (line->type == DOVECOT_LINE_VARIABLE)
		result = expand(&setting->value, reader, line, false);
	else
		setting->value = certdeploy_copy(model->reading, line->value, strlen(line->value));
	if (result != 0 || setting->value == NULL)
		return result != 0 ? result : CERTDEPLOY_ENOMEM;
	return dovecot_table_put(&model->settings, model->reading, path, strlen(path), setting);
}

static int use_group(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct certdeploy_reading *reading = reader->model->reading;
	struct dovecot_group *use = certdeploy_alloc(reading, sizeof(*use));

	if (use == NULL)
		return CERTDEPLOY_ENOMEM;
	use->label = certdeploy_copy(reading, line->key, strlen(line->key));
	use->name = certdeploy_copy(reading, line->value, strlen(line->value));
	use->file = reader->input->path;
	use->line = line->number;
	if (use->label == NULL || use->name == NULL)
		return CERTDEPLOY_ENOMEM;
	return dovecot_vector_add(&reader->group_uses, reading, use);
}

/* 2.4: a setting of TLS whose value is a file's path. */
static bool is_tls_file(const struct dovecot_reader *reader, const char *key)
{
	static const char *const names[] = {"ca_file", "dh_file", "cert_file", "key_file"};
	bool nested = reader->section != NULL && reader->section->ssl_server;

	if (strncmp(key, "ssl_server/", 11) == 0 || strncmp(key, "ssl_server_", 11) == 0 ||
	    strncmp(key, "ssl_client_", 11) == 0)
		key += 11;
	else if (!nested)
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (dovecot_same_word(names[i], key))
			return true;
	return false;
}

/* `<path`, of whatever setting, is read even where a later line replaces it. */
static int note_file(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	bool named = line->type == DOVECOT_LINE_PLAIN &&
		     (model->v24 ? is_tls_file(reader, line->key) && strstr(line->value, "%{") == NULL
				 : dovecot_same_word(line->key, "ssl_ca_file"));
	struct dovecot_file *file;

	if (line->value[0] == '\0' || (line->type != DOVECOT_LINE_FILE && !named))
		return 0;
	file = certdeploy_alloc(model->reading, sizeof(*file));
	if (file == NULL)
		return CERTDEPLOY_ENOMEM;
	*file = (struct dovecot_file){dovecot_resolve(reader, line->value), reader->input, line->number};
	return file->path == NULL ? CERTDEPLOY_ENOMEM
				  : dovecot_vector_add(&model->files, model->reading, file);
}

int dovecot_assign(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	struct dovecot_section *section = reader->section;
	bool opaque = section != NULL && section->opaque;
	bool obsolete = !model->v24 && (dovecot_same_word(line->key, "ssl_cert_file") ||
					dovecot_same_word(line->key, "ssl_key_file") ||
					dovecot_same_word(line->key, "ssl_disable"));
	enum dovecot_slot slot = DOVECOT_SLOTS;

	if (!opaque && is_foreign(model, line->key))
		return dovecot_syntax(reader, line->number,
				      model->v24
					      ? _("this setting is Dovecot 2.3's; 2.4 does not know it")
					      : _("this setting is Dovecot 2.4's; 2.3 does not know it"));
	if (obsolete && !opaque && line->type == DOVECOT_LINE_FILE)
		return dovecot_syntax(reader, line->number, _("this setting takes a path without <"));
	if (!opaque)
		slot = slot_of(model, line->key, section != NULL && section->ssl_server);
	if (slot != DOVECOT_SLOTS) {
		if (obsolete && line->value[0] == '\0')
			return 0;
		return assign_slot(reader, line, slot);
	}
	if (note_file(reader, line) != 0 || note_other(reader, line) != 0)
		return CERTDEPLOY_ENOMEM;
	dovecot_note_group(section, line->key);
	if (model->v24 && line->key[0] == '@')
		return use_group(reader, line);
	if (section != NULL && section->path == NULL)
		return 0;
	return store_setting(reader, line);
}
