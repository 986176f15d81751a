/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.h - which value of a setting holds for a connection */
#ifndef DOVECOT_SETTINGS_H
#define DOVECOT_SETTINGS_H

#include "model.h"

/** A name, or pattern of names, that local_name filters carry. */
struct dovecot_name {
	const char *text;
	bool pattern;
	struct dovecot_vector filters; /**< whose innermost local_name has it, in order of creation */
};

/**
 * What is known of a connection before the client's name: the filters that match it whatever the name
 * is, strongest first.
 */
struct dovecot_context {
	const char *protocol;
	const char *service;
	const struct dovecot_net *local;  /**< NULL: an address that no `local` is about */
	const struct dovecot_net *client; /**< NULL: an address that no `remote` is about */
	bool by_name;                     /**< `local_name` blocks count for it: not for lmtp of 2.3 */
	struct dovecot_vector nameless;
};

struct dovecot_effective {
	const struct dovecot_value *values[DOVECOT_SLOTS]; /**< NULL: Dovecot's default */
	/** 2.3: two filters that Dovecot cannot decide between: it ends such a connection. Or NULL. */
	const struct dovecot_value *conflict[2];
};

/** Sort the filters of a model by name. Once, after reading. */
int dovecot_index(struct dovecot_model *model);

/** All names, in order of appearance. */
const struct dovecot_vector *dovecot_names(const struct dovecot_model *model);
struct dovecot_name *dovecot_find_name(const struct dovecot_model *model, const char *text);

int dovecot_context(struct dovecot_context *context, const struct dovecot_model *model,
		    const char *protocol, const char *service, const struct dovecot_net *local,
		    const struct dovecot_net *client);

/** A filter as it would be after an edit. */
struct dovecot_trial {
	const struct dovecot_filter *instead; /**< of this one; NULL: it would be new */
	struct dovecot_filter filter;
};

/**
 * name in lower case, or NULL: the client asks for none. trial: NULL, or a filter that matches the
 * connection, to be taken for there.
 */
int dovecot_effective_with(struct dovecot_effective *effective, const struct dovecot_model *model,
			   const struct dovecot_context *context, const char *name,
			   struct dovecot_trial *trial);
int dovecot_effective(struct dovecot_effective *effective, const struct dovecot_model *model,
		      const struct dovecot_context *context, const char *name);

/** Does the filter hold in the context for clients that ask for one of its names? */
bool dovecot_fits(const struct dovecot_filter *filter, const struct dovecot_context *context);

/** The name of the filter or of one around it, or NULL. */
const char *dovecot_filter_name(const struct dovecot_filter *filter);
/** Does it, or one around it, ask for a protocol or service, or for an address? */
bool dovecot_filter_has_protocol(const struct dovecot_filter *filter);
const struct dovecot_net *dovecot_filter_local(const struct dovecot_filter *filter);

/** Does a word of local_name match the name? As Dovecot does: `*` is the rest of a label. */
bool dovecot_name_matches(const char *mask, const char *name);

/** Would the stronger of two filters that match one connection be `one`? < 0: one. */
int dovecot_precedence(const struct dovecot_model *model, const struct dovecot_filter *one,
		       const struct dovecot_filter *other);

#endif
