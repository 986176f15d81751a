/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blocks.c - sections: where they begin and end, and which of them are filters */
#include "read.h"

#include <string.h>

static struct dovecot_section *new_section(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct dovecot_section *outer = reader->section;
	struct dovecot_section *section = certdeploy_alloc(reader->model->reading, sizeof(*section));

	if (section == NULL)
		return NULL;
	section->outer = outer;
	section->filter = outer == NULL ? reader->model->root : outer->filter;
	section->block = outer == NULL ? NULL : outer->block;
	section->opaque = outer != NULL && outer->opaque;
	section->named = outer != NULL && outer->named;
	section->group = outer == NULL ? NULL : outer->group;
	section->path = outer == NULL ? "" : outer->path;
	section->file = reader->input->path;
	section->line = line->number;
	return section;
}

static int open_block(struct dovecot_reader *reader, struct dovecot_section *section,
		      const struct dovecot_line *line)
{
	struct dovecot_block *block = certdeploy_alloc(reader->model->reading, sizeof(*block));

	if (block == NULL)
		return CERTDEPLOY_ENOMEM;
	block->filter = section->filter;
	block->input = reader->input;
	block->outer = section->block;
	block->at_top = section->outer == NULL;
	block->line = line->number;
	block->start = line->start;
	block->inside = line->end;
	block->simple = true;
	section->block = block;
	section->opens_block = true;
	return dovecot_vector_add(&section->filter->blocks, reader->model->reading, block);
}

static int add_listener(struct dovecot_reader *reader, const struct dovecot_section *section,
			const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	const char *service = section->outer->path + strlen("service/");
	struct dovecot_listener_section *listener;
	const char *mark = certdeploy_format(model->reading, "%s%s/", section->outer->path, line->value);

	listener = certdeploy_alloc(model->reading, sizeof(*listener));
	if (mark == NULL || listener == NULL)
		return CERTDEPLOY_ENOMEM;
	if (dovecot_table_get(&model->listener_names, mark, strlen(mark)) != NULL)
		return 0;
	listener->service = certdeploy_copy(model->reading, service, strlen(service) - 1);
	listener->name = certdeploy_copy(model->reading, line->value, strlen(line->value));
	listener->file = section->file;
	listener->line = section->line;
	if (listener->service == NULL || listener->name == NULL ||
	    dovecot_table_put(&model->listener_names, model->reading, mark, strlen(mark), listener) != 0)
		return CERTDEPLOY_ENOMEM;
	return dovecot_vector_add(&model->listeners, model->reading, listener);
}

/* `service NAME {`: in 2.4 a filter as well. */
static int begin_service(struct dovecot_reader *reader, struct dovecot_section *section,
			 const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	bool at_root = section->filter == model->root && section->path != NULL && section->path[0] == '\0';

	section->path = at_root ? certdeploy_format(model->reading, "service/%s/", line->value) : NULL;
	if (at_root && section->path == NULL)
		return CERTDEPLOY_ENOMEM;
	section->named = model->v24;
	if (model->v24 && !section->opaque) {
		struct dovecot_filter filter = dovecot_start_filter(model, section->filter);

		filter.lists++;
		filter.service = certdeploy_copy(model->reading, line->value, strlen(line->value));
		section->filter = filter.service == NULL ? NULL : dovecot_intern(model, &filter);
		if (section->filter == NULL)
			return CERTDEPLOY_ENOMEM;
		return open_block(reader, section, line);
	}
	section->opaque = true;
	return 0;
}

/* Any other section: what is set in it is no slot. */
static int begin_other(struct dovecot_reader *reader, struct dovecot_section *section,
		       const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	bool listener = dovecot_same_word(line->key, "inet_listener") && section->path != NULL &&
			strncmp(section->path, "service/", 8) == 0 && section->outer != NULL &&
			section->outer->outer == NULL;

	section->opaque = true;
	section->named = model->v24;
	if (section->path == NULL)
		return 0;
	if (listener && add_listener(reader, section, line) != 0)
		return CERTDEPLOY_ENOMEM;
	if (model->v24 && line->value[0] == '\0' &&
	    (dovecot_same_word(line->key, "listen") || dovecot_same_word(line->key, "protocols"))) {
		section->list = certdeploy_format(model->reading, "%s%s", section->path, line->key);
		return section->list == NULL ? CERTDEPLOY_ENOMEM : 0;
	}
	section->path =
		certdeploy_format(model->reading, "%s%s/%s/", section->path, line->key, line->value);
	return section->path == NULL ? CERTDEPLOY_ENOMEM : 0;
}

static int begin_group(struct dovecot_reader *reader, struct dovecot_section *section,
		       const struct dovecot_line *line)
{
	struct certdeploy_reading *reading = reader->model->reading;
	struct dovecot_group *group = certdeploy_alloc(reading, sizeof(*group));

	if (group == NULL)
		return CERTDEPLOY_ENOMEM;
	/* A filter of its own that matches nothing. */
	section->filter = certdeploy_alloc(reading, sizeof(*section->filter));
	group->label = certdeploy_copy(reading, line->key, strlen(line->key));
	group->name = certdeploy_copy(reading, line->value, strlen(line->value));
	group->file = section->file;
	group->line = section->line;
	if (section->filter == NULL || group->label == NULL || group->name == NULL)
		return CERTDEPLOY_ENOMEM;
	section->filter->unknown = true;
	section->group = group;
	section->named = true;
	section->path = NULL;
	return dovecot_vector_add(&reader->groups, reading, group);
}

void dovecot_note_group(const struct dovecot_section *section, const char *key)
{
	if (section != NULL && section->group != NULL &&
	    (dovecot_same_word(key, "listen") || dovecot_same_word(key, "protocols") ||
	     strncmp(key, "inet_listener", 13) == 0))
		section->group->matters = true;
}

int dovecot_begin(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct dovecot_model *model = reader->model;
	struct dovecot_section *section = new_section(reader, line);
	bool nested_tls = model->v24 && dovecot_same_word(line->key, "ssl_server");
	int result;

	if (section == NULL)
		return CERTDEPLOY_ENOMEM;
	if (section->block != NULL && !nested_tls)
		section->block->simple = false;
	dovecot_note_group(section, line->key);
	if (line->type == DOVECOT_LINE_GROUP) {
		result = begin_group(reader, section, line);
	} else if (dovecot_is_filter(line->key)) {
		if (section->named)
			return dovecot_syntax(reader, line->number,
					      _("this section may not stand within the one around it"));
		section->path = NULL;
		result = dovecot_make_filter(&section->filter, reader, section->filter, line);
		if (result == 0)
			result = open_block(reader, section, line);
	} else if (nested_tls && !section->opaque) {
		if (line->value[0] != '\0' || line->quoted)
			return dovecot_syntax(reader, line->number, _("ssl_server has no name"));
		section->ssl_server = section->named = true;
		section->path = NULL;
		result = 0;
	} else if (dovecot_same_word(line->key, "service")) {
		result = begin_service(reader, section, line);
	} else {
		result = begin_other(reader, section, line);
	}
	reader->section = section;
	return result;
}

int dovecot_end(struct dovecot_reader *reader, const struct dovecot_line *line)
{
	struct dovecot_section *section = reader->section;

	if (section == NULL)
		return dovecot_syntax(reader, line->number, _("there is no section that this } could end"));
	if (section->opens_block) {
		struct dovecot_block *block = section->block;

		block->end_input = reader->input;
		block->close = line->start;
		block->end = line->end;
		block->closed_order = reader->model->order;
		block->simple = block->simple && block->input == reader->input;
	}
	reader->section = section->outer;
	return 0;
}

/* ---- the whole ---- */

int dovecot_blocks_open(struct dovecot_reader *reader)
{
	struct dovecot_filter root = {0};

	reader->model->root = dovecot_intern(reader->model, &root);
	return reader->model->root == NULL ? CERTDEPLOY_ENOMEM : 0;
}

static const char *key_of(struct certdeploy_reading *reading, const struct dovecot_group *group)
{
	return dovecot_joined(reading, group->label, "\n", group->name, NULL);
}

/* The groups that say something about TLS, or about what listens. */
static int collect_groups(struct dovecot_table *out, const struct dovecot_reader *reader)
{
	struct certdeploy_reading *reading = reader->model->reading;

	for (size_t i = 0; i < reader->groups.count; i++) {
		struct dovecot_group *group = reader->groups.items[i];
		const char *key = group->matters ? key_of(reading, group) : "";

		if (!group->matters)
			continue;
		if (key == NULL || dovecot_table_put(out, reading, key, strlen(key), group) != 0)
			return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

static int check_groups(const struct dovecot_reader *reader)
{
	struct certdeploy_reading *reading = reader->model->reading;
	struct dovecot_table groups = {0};

	if (collect_groups(&groups, reader) != 0)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < reader->group_uses.count; i++) {
		const struct dovecot_group *use = reader->group_uses.items[i];
		const char *key = key_of(reading, use);

		if (key == NULL)
			return CERTDEPLOY_ENOMEM;
		if (dovecot_table_get(&groups, key, strlen(key)) != NULL)
			return certdeploy_refuse(
				reading, "config-not-understood", use->file, use->line,
				_("settings of TLS or of listeners come from the group %s"), use->name);
	}
	return 0;
}

int dovecot_blocks_close(struct dovecot_reader *reader)
{
	struct certdeploy_reading *reading = reader->model->reading;

	if (reader->section != NULL)
		return certdeploy_refuse(reading, "config-syntax", reader->section->file,
					 reader->section->line,
					 _("the section that begins here has no end"));
	return check_groups(reader);
}
