/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* edit.h - the edits that give endpoints their certificates */
#ifndef DOVECOT_EDIT_H
#define DOVECOT_EDIT_H

#include "listeners.h"

struct dovecot_editor {
	struct dovecot_model *model;
	struct certdeploy_reading *reading;
	struct certdeploy_edits *edits;
	struct dovecot_table done;     /**< what was changed already: by document and offset */
	struct dovecot_table sites;    /**< sites of the values changed */
	struct dovecot_table assigned; /**< name, "" for none -> struct certdeploy_assignment */
	struct dovecot_table second;   /**< deciders of endpoints with a second pair -> their assignment */
	struct dovecot_table defaults; /**< site of a default's value -> its assignment */
	struct dovecot_table uses;     /**< what several endpoints share -> who of them is assigned */
	struct dovecot_vector moved;   /**< filters whose block goes elsewhere, with new lines */
	size_t added_filters;
	bool changed;
};

/** What a pair of slots gets. */
struct dovecot_wish {
	const struct certdeploy_material *material; /**< NULL: keep what is there, or … */
	bool drop;                                  /**< … leave the slots empty */
};

/** certdeploy_adapter.plan */
int dovecot_plan(struct certdeploy_reading *reading, const struct certdeploy_assignment *assignments,
		 size_t count, struct certdeploy_edits *edits);

/* ---- trial.c: would it take effect? ---- */

/** Find out whether the place's filter must move to take effect, and refuse where it would not at all. */
int dovecot_must_move(bool *move, struct dovecot_editor *editor, const struct dovecot_place *place,
		      const struct dovecot_wish *wishes);
/**
 * 2.4: what is served instead of the name's own lines, at some address (NULL: nothing), and whether it
 * would not be if its block were moved.
 */
int dovecot_find_hiding(const struct dovecot_value **hiding, bool *cured, struct dovecot_editor *editor,
			const struct dovecot_place *place, const struct dovecot_wish *wishes);
/** The same for the default of an address, whose names keep what they have. */
int dovecot_check_address(struct dovecot_editor *editor, const struct dovecot_place *place,
			  const struct dovecot_wish *wishes);
/** Would another filter's value of the slot hold for the place, somewhere, unless this one had one? */
int dovecot_is_set_elsewhere(bool *out, struct dovecot_editor *editor, const struct dovecot_place *place,
			     const struct dovecot_filter *filter, enum dovecot_slot slot);

/* ---- checks.c: once all edits are known ---- */

/** A key that others use with a certificate of theirs must not change under them. */
int dovecot_check_keys(struct dovecot_editor *editor);
/** Would 2.3 run out of memory? */
int dovecot_check_limit(struct dovecot_editor *editor);
/** Is every file there that the configuration names, in whatever block? Else a reload changes nothing. */
int dovecot_check_files(struct dovecot_editor *editor, const struct certdeploy_assignment *assignments,
			size_t count);
/** What the reload does to others. */
void dovecot_say_side_effects(struct dovecot_editor *editor,
			      const struct certdeploy_assignment *assignments, size_t count);

/* ---- write.c: text ---- */

/** Each change is made once: several endpoints may be decided by the same bytes. */
int dovecot_first_time(bool *first, struct dovecot_editor *editor,
		       const struct certdeploy_document *document, const char *what, size_t offset);

/** A path as the value of a slot; NULL when the grammar cannot say it (recorded) or memory is short. */
const char *dovecot_spell_path(struct dovecot_editor *editor, const char *path);

/** Make the value name the file, in the form that it has. */
int dovecot_set_value(struct dovecot_editor *editor, const struct dovecot_value *value, const char *path);
/** Take the value's line away. */
int dovecot_remove_value(struct dovecot_editor *editor, const struct dovecot_value *value);
/** A line for another slot after the value's own, in the same spelling; path NULL: an empty value. */
int dovecot_add_beside(struct dovecot_editor *editor, const struct dovecot_value *value,
		       enum dovecot_slot slot, const char *path);

/** Lines for the wishes, as they stand in a block; like: a value whose spelling is copied, or NULL. */
int dovecot_lines_for(struct dovecot_text *text, struct dovecot_editor *editor,
		      const struct dovecot_wish *wishes, const struct dovecot_value *like,
		      const char *indent, const char *newline);

/** What is missing before a whole line at offset: the end of the line before it, or "". */
const char *dovecot_line_end(const struct certdeploy_document *document, size_t offset);

/** The blanks that the line at offset begins with. */
const char *dovecot_indent(struct dovecot_editor *editor, const struct certdeploy_document *document,
			   size_t offset);

/* ---- place.c: where new lines go ---- */

/** The first filter of the file that would hide a new one for the name (2.3), or NULL. */
const struct dovecot_filter *dovecot_hiding(const struct dovecot_model *model, const char *name);
/** Put the wishes at the top level, where no certificate is set yet. */
int dovecot_fill_top(struct dovecot_editor *editor, const struct dovecot_wish *wishes);
/** Put the wishes into a block of the filter, which has none of the slots yet. */
int dovecot_fill_filter(struct dovecot_editor *editor, struct dovecot_filter *filter,
			const struct dovecot_wish *wishes, const struct dovecot_value *like);
/** Make a block for a name. */
int dovecot_new_block(struct dovecot_editor *editor, const char *name, const struct dovecot_wish *wishes,
		      const struct dovecot_value *like);
/** 2.4: a name's first filter that a later block for the pattern or address would hide; or NULL. */
const struct dovecot_filter *dovecot_hidden(const struct dovecot_model *model, const char *name,
					    const struct dovecot_net *net);
/** Make a block for an address. */
int dovecot_new_local(struct dovecot_editor *editor, const struct dovecot_net *net,
		      const struct dovecot_wish *wishes, const struct dovecot_value *like);
/** Can the filter's block go elsewhere as a whole? */
bool dovecot_is_movable(const struct dovecot_model *model, const struct dovecot_filter *filter);
/** The filter's only block, which is movable, goes where it takes effect, and gets the wishes. */
int dovecot_move_block(struct dovecot_editor *editor, struct dovecot_filter *filter, const char *name,
		       const struct dovecot_wish *wishes, const struct dovecot_value *like);

#endif
