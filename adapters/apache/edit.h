/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* edit.h - what edit.c and pairs.c hand to each other */
#ifndef CD_APACHE_EDIT_H
#define CD_APACHE_EDIT_H

#include "adapter.h"

/** One host and what it is to serve. */
struct apache_work {
	struct apache_work *next;
	struct apache_host *host;
	const struct certdeploy_material *const *materials;
	bool drop; /**< of other key types */
};

struct apache_added {
	const struct apache_added *next;
	size_t offset;
};

struct apache_plan {
	struct certdeploy_reading *reading;
	struct apache_model *model;
	struct certdeploy_edits *edits;
	struct apache_work *works;
	struct apache_work **last;
};

#define APACHE_LINES_TO_ADD 36

struct apache_lines_to_add {
	const char *text[APACHE_LINES_TO_ADD];
	size_t count;
};

const struct apache_host *apache_sharer(const struct apache_plan *plan, const struct apache_work *work,
					const struct apache_ref *ref);
bool apache_same_materials(const struct apache_work *one, const struct apache_work *other);
int apache_refuse_shared(const struct apache_plan *plan, const struct apache_work *work,
			 const struct apache_ref *ref, const struct apache_host *other);
/** Give a line another value; nothing when it has it. */
int apache_replace(const struct apache_plan *plan, const struct apache_ref *ref, const char *value);
int apache_delete(const struct apache_plan *plan, const struct apache_ref *ref);
int apache_add_line(const struct apache_plan *plan, struct apache_lines_to_add *lines,
		    enum apache_kind kind, const char *value, const struct apache_work *work);
/** Put lines after a line. section: it opens the virtual host. */
int apache_insert(struct apache_plan *plan, struct apache_file *file, const struct apache_place *place,
		  bool section, const struct apache_lines_to_add *lines);

/* ---- pairs.c ---- */

int apache_plan_host(struct apache_plan *plan, const struct apache_work *work);
/** Whether a certificate's names cover a host's, exact or wildcard. */
bool apache_covers(const char *const *names, const char *name);

/* ---- misdirected.c ---- */

/** Tell which names would stop sharing a certificate, and so a connection. */
int apache_warn_misdirected(const struct apache_plan *plan);

#endif
