/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * model.h - what one reading of a Dovecot configuration found
 *
 * Dovecot keeps settings by filter: a filter says for which connections they hold (a protocol, a local
 * address, the name a client asks for), and the same filter opened twice is one. A block is one place
 * where a filter is opened. Which filter wins for a connection is in settings.c.
 */
#ifndef DOVECOT_MODEL_H
#define DOVECOT_MODEL_H

#include "lines.h"
#include "nets.h"

enum dovecot_slot {
	DOVECOT_CERT,
	DOVECOT_KEY,
	DOVECOT_ALT_CERT,
	DOVECOT_ALT_KEY,
	DOVECOT_SSL,
	DOVECOT_SLOTS
};

struct dovecot_comparison;

/** One time that a file is read. A file included twice is read twice. */
struct dovecot_input {
	const struct certdeploy_document *document;
	const char *path;               /**< as Dovecot opens it */
	const char *plain;              /**< the path without ".." */
	const char *directory;          /**< path up to and with its last slash */
	bool at_top;                    /**< no section was open when it began … */
	bool ends_at_top;               /**< … and none when it ended */
	bool repeated;                  /**< its document is read by another input as well */
	size_t end_order;               /**< lines read when it ended */
	struct dovecot_vector includes; /**< of struct dovecot_include, in it */
	struct dovecot_lines lines;
	struct dovecot_input *previous; /**< read on after this one */
	size_t depth;
	struct dovecot_comparison *after; /**< amend.c: with what it is over edits; NULL: not edited */
};

/** A line that sets a slot. */
struct dovecot_value {
	const struct dovecot_input *input;
	struct dovecot_filter *filter;
	struct dovecot_block *block; /**< the block that it stands in, or NULL: none */
	enum dovecot_slot slot;
	enum dovecot_line_type type;
	bool quoted;
	bool nested;      /**< within `ssl_server {` (2.4) */
	const char *key;  /**< as written */
	const char *text; /**< the value */
	const char *path; /**< the file that is meant, absolute; NULL when it is not a file */
	size_t line;
	size_t start; /**< as in struct dovecot_line */
	size_t end;
	struct dovecot_span value_span;
	struct dovecot_span inner_span;
	size_t order; /**< of all lines read */
	/** The same for all values read from the same bytes: compared by value. */
	const char *site;
	const struct dovecot_value *after; /**< amend.c: what edits make of it; NULL: the same */
};

struct dovecot_filter {
	const char *protocol;   /**< "imap", or "!imap": all but this one */
	const char *local_name; /**< lower case; in 2.3 several, with blanks between */
	struct dovecot_net local;
	struct dovecot_net remote;
	const char *local_text; /**< as written, or NULL */
	const char *remote_text;
	bool unknown;                        /**< an address is given as a host name: cannot be told here */
	const char *service;                 /**< 2.4: `service NAME {` */
	const struct dovecot_filter *parent; /**< 2.4: all of them must match; 2.3: NULL */
	unsigned lists; /**< 2.4: named sections around it: before the order of creation */
	size_t order;   /**< of creation */
	const struct dovecot_value *values[DOVECOT_SLOTS];
	struct dovecot_vector blocks; /**< of struct dovecot_block */
	bool other_settings;          /**< sets something beyond the certificates and keys */
	struct dovecot_filter *after; /**< amend.c: with the values that edits make; NULL: the same */
};

/** A place where a filter is opened. */
struct dovecot_block {
	struct dovecot_filter *filter;
	const struct dovecot_input *input;
	struct dovecot_block *outer; /**< of another filter, or NULL */
	bool at_top;                 /**< in no other section */
	size_t line;
	size_t start;                          /**< of the opening line */
	size_t inside;                         /**< the byte after the opening line */
	const struct dovecot_input *end_input; /**< of the closing line; NULL: never closed */
	size_t close;                          /**< first byte of the closing line */
	size_t end;                            /**< the byte after it */
	const struct dovecot_value *last;      /**< the last slot set directly in it */
	bool simple;                           /**< holds settings and comments only, in one file */
	struct dovecot_vector others;          /**< of struct dovecot_span: its settings beyond those */
	size_t closed_order;                   /**< lines read when it was closed */
};

/** A setting outside of the slots, by its path, e.g. "service/imap-login/inet_listener/imap/port". */
struct dovecot_setting {
	const char *value;
	const char *path; /**< the file that it names by `<`, absolute; else NULL */
	const char *file;
	size_t line;
	struct dovecot_text words; /**< the value of a list that is written as a section */
};

/** A file beyond the slots' that Dovecot opens as it reads its configuration. */
struct dovecot_file {
	const char *path;
	const struct dovecot_input *input;
	size_t line;
};

struct dovecot_listener_section {
	const char *service;
	const char *name;
	const char *file;
	size_t line;
};

/** Where an include looks, absolute, braces not expanded. */
struct dovecot_include {
	const struct dovecot_input *input;
	const char *pattern;
	size_t line;
	struct dovecot_span span;
};

struct dovecot_model {
	struct certdeploy_reading *reading;
	const char *config;
	const char *version; /**< as told, or NULL */
	bool v24;
	const char *protocols; /**< what Dovecot was built to serve, where nothing is set */
	struct dovecot_filter *root;
	struct dovecot_vector filters; /**< in order of creation, the root first */
	struct dovecot_table by_identity;
	struct dovecot_vector inputs;   /**< in order of opening */
	struct dovecot_table documents; /**< by address of the document -> struct dovecot_input */
	struct dovecot_vector values;   /**< in order */
	struct dovecot_vector files;    /**< of struct dovecot_file, in order */
	struct dovecot_table deciders;
	struct dovecot_table settings;   /**< path within the root filter -> struct dovecot_setting */
	struct dovecot_vector listeners; /**< of struct dovecot_listener_section, in order */
	struct dovecot_table listener_names;
	struct dovecot_vector includes; /**< of struct dovecot_include */
	struct dovecot_vector contexts; /**< of struct dovecot_context: all that endpoints have */
	struct dovecot_vector nets;     /**< of struct dovecot_net: those of `local` with a say about TLS */
	struct dovecot_nets covered;    /**< the same, to be searched */
	struct dovecot_vector remotes;  /**< of struct dovecot_filter: with a say for some clients */
	struct dovecot_nets clients;    /**< their networks, to be searched */
	bool uncertain;                 /**< there is a certificate for a host name's address */
	bool refers;                    /**< a value is made of what a certificate's or key's line says */
	size_t order;
	struct dovecot_names *names;   /**< settings.c: filters by name */
	struct dovecot_served *served; /**< answers.c: endpoints by name; NULL: none was asked for yet */
	struct dovecot_table asked;    /**< answers.c: names asked for */
};

/** The last value of a setting of the root filter, or NULL. */
const char *dovecot_setting(const struct dovecot_model *model, const char *path);

/** Read the configuration at model->config, with everything it includes. */
int dovecot_read_files(struct dovecot_model *model);

/** Instead of a result: the configuration has to be read as a whole. */
#define DOVECOT_READ_ALL 1
/** Make the model and the endpoints over edits of those before. */
int dovecot_amend(struct certdeploy_reading *reading, const struct certdeploy_reading *before);

/** The include's pattern with {a,b} expanded as glob(3) with GLOB_BRACE does: a NULL-terminated list. */
int dovecot_braces(const char *const **patterns, struct certdeploy_reading *reading,
		   const struct dovecot_include *include);

#endif
