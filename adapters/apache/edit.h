/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* edit.h - what edit.c, pairs.c and places.c hand to each other */
#ifndef CD_APACHE_EDIT_H
#define CD_APACHE_EDIT_H

#include "adapter.h"

/** One host and what it is to serve. */
struct apache_work {
	struct apache_work *next;
	struct apache_host *host;
	const struct certdeploy_assignment *assignment;
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

/* Positions; more than this nobody has. */
#define APACHE_PAIRS_MAX 16

enum apache_fate {
	APACHE_KEEP,
	APACHE_GIVE, /* another certificate */
	APACHE_DROP,
};

struct apache_position {
	enum apache_fate fate;
	const struct certdeploy_material *material;
	const struct apache_ref *certificate; /* what is in force now; NULL: a new one */
	const struct apache_ref *key;
};

struct apache_target {
	struct apache_plan *plan;
	const struct apache_work *work;
	const struct apache_host *host;
	struct apache_position pairs[APACHE_PAIRS_MAX];
	size_t count;  /* pairs that will be there */
	size_t before; /* of these, now */
	bool kept;     /* one of another type stays */
	/* the chain */
	const struct apache_ref *chain; /* in force now */
	bool chain_own;
	bool leaf_only;          /* write the leaf alone, beside a chain file */
	bool drop_chain;         /* take the own chain lines away */
	const char *chain_value; /* the chain file wanted, or NULL */
	struct apache_lines_to_add lines;
};

/** What is to stand at each position. */
int apache_make_target(struct apache_target *target);
/** Which chain file is to be in force, or none. */
int apache_choose_chain(struct apache_target *target);
/** The certificate, and the key, that a line at this position names. */
const char *apache_new_certificate(const struct apache_target *target, size_t position);
const char *apache_new_key(const struct apache_target *target, size_t position);
/** The lines of a position are taken away. */
bool apache_is_deleted(const struct apache_target *target, size_t position);
/** The file of a material that a certificate line names. */
const char *apache_certificate_value(const struct apache_target *target,
				     const struct apache_position *pair);
/** The key type of a certificate's file; NULL: it cannot be read. */
const char *apache_type_of(const struct apache_target *target, const char *path);
/** Whether others read this line, too. */
bool apache_is_shared(const struct apache_target *target, const struct apache_ref *ref);
int apache_refuse_number(const struct apache_target *target);
/** Whether a certificate's names cover a host's, exact or wildcard. */
bool apache_covers(const char *const *names, const char *name);

/* ---- places.c ---- */

int apache_plan_host(struct apache_plan *plan, const struct apache_work *work);

/* ---- misdirected.c ---- */

/** Tell which names would stop sharing a certificate, and so a connection. */
int apache_warn_misdirected(const struct apache_plan *plan);

#endif
