/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * postfix.h - the parts of the Postfix adapter
 *
 * main.cf, master.cf and the sources of lookup tables share one grammar of logical lines (lines.c).
 * main-cf.c and master-cf.c give them meaning, value.c expands `$name`, listeners.c says which files
 * each listener serves, sni.c knows the maps from names to files, plan.c decides what is to change
 * and edit.c writes it.
 */
#ifndef POSTFIX_H
#define POSTFIX_H

#include "memory.h"

#include <libintl.h>

#define _(text) dgettext("certdeploy", text)

/* ---- logical lines ---- */

/** A stretch of the document that a logical line is joined from. */
struct postfix_piece {
	size_t text;   /**< where it begins in the joined text */
	size_t offset; /**< where it begins in the document */
	size_t length;
	size_t number; /**< of its line, from 1 */
};

/** A line and its continuations, joined with nothing in between; comments and blank lines left out. */
struct postfix_line {
	const struct certdeploy_document *document;
	char *text;
	size_t length; /**< of the text that counts: up to the first NUL */
	const struct postfix_piece *pieces;
	size_t piece_count;
	size_t number; /**< line where it begins */
	bool has_nul;
};

struct postfix_lines {
	const struct certdeploy_document *document;
	struct postfix_line *items;
	size_t count;
	struct postfix_piece *pieces;
	size_t piece_count;
};

/** A stretch of a logical line's text: [start, end). */
struct postfix_span {
	size_t start;
	size_t end;
};

int postfix_lines_read(struct postfix_lines *out, struct certdeploy_reading *reading,
		       const struct certdeploy_document *document);
bool postfix_space(char byte);
/** Offset in the document of the byte at a position of the text; the end of its piece for the end. */
size_t postfix_line_offset(const struct postfix_line *line, size_t position);
/** Number of the physical line that holds a position. */
size_t postfix_line_number(const struct postfix_line *line, size_t position);
/** Offset of the end of the last physical line that contributes, before its line ending. */
size_t postfix_line_end(const struct postfix_line *line);

/* ---- main.cf ---- */

/** `name = value`. */
struct postfix_parameter {
	const char *name;
	const char *value; /**< trimmed, not expanded */
	const struct postfix_line *line;
	size_t equals;            /**< position of the "=" */
	struct postfix_span span; /**< of the value; empty: where it would stand */
};

struct postfix_main {
	const struct certdeploy_document *document;
	struct postfix_lines lines;
	struct postfix_parameter *parameters; /**< in the file's order */
	size_t count;
	struct postfix_table by_name; /**< the definition that wins -> struct postfix_parameter */
};

/** skim: lines that Postfix does not accept are left out, not refused. */
int postfix_main_read(struct postfix_main *out, struct certdeploy_reading *reading, const char *path,
		      bool skim);

/** Split "name = value" as Postfix does. NULL or what is wrong (not translated). */
const char *postfix_split(const char *text, struct postfix_span *name, size_t *equals,
			  struct postfix_span *value);

/* ---- master.cf ---- */

/** `-o name=value` of a service. */
struct postfix_option {
	const char *name;
	const char *value;
	struct postfix_span span;  /**< of the value */
	struct postfix_span whole; /**< from "-o" to the end of the argument */
	size_t equals;
	bool braces;
};

/** One service. */
struct postfix_row {
	const struct postfix_line *line;
	const char *name; /**< first column */
	const char *type; /**< second column */
	const char *command;
	size_t command_end; /**< position after the command's name or the last argument that is read */
	struct postfix_option *options;
	size_t option_count;
	bool disabled;     /**< by master_service_disable, or replaced by a later row */
	bool open;         /**< nothing can stand behind that: it has a "{" without "}" */
	const char *stray; /**< its first argument that is no option, or NULL */
	size_t stray_line;
	struct postfix_source *sources; /**< what this row decides: see listeners.c */
};

struct postfix_master {
	const struct certdeploy_document *document;
	struct postfix_lines lines;
	struct postfix_row *rows;
	size_t count;
	size_t *glued; /**< offsets of arguments that are one word with their "-o", in the file's order */
	size_t glued_count;
};

/** The next argument from *at on; with braces, blanks within them belong to it. False at the end. */
bool postfix_next_word(const char *text, size_t *at, struct postfix_span *word, bool braces);
int postfix_master_read(struct postfix_master *out, struct certdeploy_reading *reading, const char *path);
/** The option that counts: the last of this name, or NULL. */
const struct postfix_option *postfix_row_option(const struct postfix_row *row, const char *name);
/** First row of this name and type that is in force, or NULL. */
struct postfix_row *postfix_master_row(const struct postfix_master *master, const char *name,
				       const char *type);
/** Port by number or name; 0: not known. known: the value of known_tcp_ports, which is asked first. */
uint16_t postfix_port(const char *text, const char *known);
/** "host:port" → host (NULL: all addresses) and port as text. */
int postfix_host_port(struct certdeploy_reading *reading, const char *text, const char **host,
		      const char **port);

/* ---- the model ---- */

enum postfix_slot {
	POSTFIX_SLOT_CERT, /**< smtpd_tls_cert_file */
	POSTFIX_SLOT_DSA,  /**< smtpd_tls_dcert_file */
	POSTFIX_SLOT_EC,   /**< smtpd_tls_eccert_file */
	POSTFIX_SLOTS,
};

/** One certificate of a list or slot. */
struct postfix_pair {
	enum postfix_slot slot; /**< legacy parameters */
	size_t first;           /**< chain files: its tokens, [first, last) */
	size_t last;
	const char *certificate; /**< absolute */
	const char *key;
	const char *key_type;               /**< NULL: not known */
	const struct certdeploy_leaf *leaf; /**< NULL: cannot be read */
};

/** What one place serves, in Postfix's order. */
struct postfix_pairs {
	struct postfix_pair *list;
	struct certdeploy_pair *shown; /**< the same for the library */
	size_t count;
};

/** A place that decides certificates: main.cf or one service's options. What endpoints share. */
struct postfix_source {
	struct postfix_source *next; /**< of the same row */
	struct postfix_row *row;     /**< NULL: main.cf */
	const char *prefix;          /**< "smtpd_tls_" or "tlsproxy_tls_" */
	bool evaluated;
	bool chain; /**< PREFIXchain_files is in force, else the legacy parameters */
	struct postfix_pairs pairs;
	/* what the plan gives it */
	const struct certdeploy_assignment *assignment;
	bool inherits; /**< decides nothing yet: what main.cf says holds */
};

/** A place for parameters: a service's options, or main.cf (row NULL). */
struct postfix_place {
	struct postfix_place *next;
	struct postfix_row *row;
};

/** A table from names to files: one of tls_server_sni_maps. */
enum postfix_map_kind {
	POSTFIX_MAP_OPAQUE,  /**< what it holds cannot be seen: regexp, ldap, … */
	POSTFIX_MAP_TEXT,    /**< read from its source: texthash */
	POSTFIX_MAP_INDEXED, /**< made by postmap(1) from its source, contents included: hash, lmdb, … */
	POSTFIX_MAP_INLINE,  /**< stands in the value itself */
};

struct postfix_entry {
	struct postfix_map *map;
	const char *key;                 /**< lower case */
	const char *name;                /**< the endpoint's: `*.example.jp` for the key `.example.jp` */
	const struct postfix_line *line; /**< NULL: to be added */
	struct postfix_span value;
	const char *const *files;
	bool evaluated; /**< its pairs are known */
	struct postfix_pairs pairs;
	const struct certdeploy_assignment *assignment;
};

struct postfix_map {
	struct postfix_map *next;
	enum postfix_map_kind kind;
	const char *spec; /**< type:name, expanded */
	const char *type;
	const char *path;                /**< of the source, absolute; of the file for an inline map */
	const char *suffix;              /**< of the index */
	bool frozen;                     /**< seen, but not to be edited */
	bool unreadable;                 /**< its source: the caller may not */
	size_t twice;                    /**< texthash: the line with a name for the second time, or 0 */
	struct postfix_place *unnamed;   /**< where tls_server_sni_maps is to name it */
	struct postfix_lines lines;      /**< document NULL: there is no source yet */
	const struct postfix_line *line; /**< inline: where it stands … */
	size_t tail;                     /**< … and behind its last entry */
	struct postfix_entry **entries;
	size_t count;
	struct postfix_table by_key; /**< the entry that counts, added ones included */
	struct postfix_entry **added;
	size_t added_count;
};

/** The maps that one value of tls_server_sni_maps names, in order. */
struct postfix_map_list {
	struct postfix_map **maps;
	size_t count;
};

/** An edit that is gathered instead of made, to render a file in another version. */
struct postfix_gathered {
	size_t offset;
	size_t length;
	const char *text;
	size_t sequence;
};

struct postfix_model {
	struct certdeploy_reading *reading;
	const char *directory; /**< config_directory */
	const char *copy;      /**< the same for postconf in a rehearsal; NULL: not known */
	const char *main_path;
	const char *version;
	const char *database_type; /**< default_database_type as compiled in */
	unsigned release;          /**< 307 for 3.7 */
	const char *hostname;      /**< myhostname */
	const char *queue_directory;
	const char *known_ports; /**< known_tcp_ports where it is set, else "" */
	struct postfix_main main;
	struct postfix_master master;
	struct postfix_source smtpd;    /**< main.cf's smtpd_tls_ parameters */
	struct postfix_source tlsproxy; /**< main.cf's tlsproxy_tls_ parameters */
	struct postfix_table planned;   /**< parameter of main.cf -> its new value */
	struct certdeploy_edits *edits;
	struct postfix_map *maps;
	struct postfix_table unset;     /**< parameters asked for in vain -> their default */
	struct postfix_table map_lists; /**< where and what -> struct postfix_map_list */
	struct postfix_table absent;    /**< listener and name -> struct certdeploy_endpoint */
	bool gathering;                 /**< edits go to `gathered` */
	struct postfix_gathered *gathered;
	size_t gathered_count;
	unsigned steps; /**< of expansion, bounded */
};

/** Read main.cf and master.cf; sets the model. */
int postfix_model_read(struct postfix_model **out, struct certdeploy_reading *reading);
/** Path of main.cf and its directory by the settings. */
int postfix_paths(struct certdeploy_reading *reading, const char **directory, const char **main_path);
/** A program of Postfix: the setting of its name, else where Debian has it. */
const char *postfix_program(struct certdeploy_reading *reading, const char *name);
/** Ask postconf one parameter of this directory; NULL when it cannot be asked. */
const char *postfix_ask(struct certdeploy_reading *reading, const char *directory, const char *name);

/* ---- values ---- */

/** A parameter as a service sees it: its own options, then main.cf, then Postfix's default. */
struct postfix_value {
	const char *raw; /**< NULL: no such parameter */
	const struct postfix_parameter *parameter;
	const struct postfix_option *option;
	const struct postfix_line *line; /**< where it stands; NULL: a default */
	struct postfix_span span;
};

void postfix_lookup(struct postfix_value *out, const struct postfix_model *model,
		    const struct postfix_row *row, const char *name);
/** The value expanded; "" for an unknown one. Refused when Postfix would not accept it. */
int postfix_value(const char **out, struct postfix_model *model, const struct postfix_row *row,
		  const char *name);
int postfix_expand(const char **out, struct postfix_model *model, const struct postfix_row *row,
		   const char *text, const char *file, size_t line);
/** yes or no. */
int postfix_flag(bool *out, struct postfix_model *model, const struct postfix_row *row, const char *name);
/** Split at blanks and commas, perhaps not within braces; ends with a NULL. */
int postfix_split_list(const char *const **out, struct certdeploy_reading *reading, const char *text,
		       bool braces);
/** The spans of the same pieces. */
int postfix_split_spans(struct postfix_span **out, size_t *count, struct certdeploy_reading *reading,
			const char *text, bool braces);

/* ---- listeners ---- */

/** What an endpoint's `own` points to. */
struct postfix_endpoint {
	struct postfix_source *source; /**< of a default endpoint, else NULL */
	struct postfix_entry *entry;   /**< of a name's endpoint, else NULL */
	struct postfix_row *row;       /**< whose options count; NULL: main.cf alone */
};

int postfix_listeners_read(struct postfix_model *model);
/** Which source decides for a row's smtpd, or for tlsproxy (row NULL: there is none). */
int postfix_source_of(struct postfix_source **out, struct postfix_model *model, struct postfix_row *row,
		      bool tlsproxy);
/** The source of a row's own options for a prefix; made when there is none. NULL: out of memory. */
struct postfix_source *postfix_row_source(struct postfix_model *model, struct postfix_row *row,
					  const char *prefix);
/** Addresses that a host, or inet_interfaces (NULL), stands for; a single NULL: all. */
int postfix_addresses(const char *const **out, size_t *count, struct postfix_model *model,
		      const char *host);
/** The pairs in a list of files: keys, certificates and chains one after another. */
int postfix_chain_pairs(struct postfix_model *model, struct postfix_pair **pairs, size_t *count,
			const char *const *files);
/** Add a pair that stands in a line, or (NULL) is main.cf's default. NULL: out of memory. */
struct postfix_pair *postfix_add_pair(struct postfix_model *model, struct postfix_pairs *pairs,
				      const struct postfix_line *line, size_t position);
/** Find out which family is in force and its pairs. */
int postfix_source_evaluate(struct postfix_model *model, struct postfix_source *source);
/** PREFIXname */
const char *postfix_parameter_name(struct postfix_model *model, const struct postfix_source *source,
				   const char *name);
extern const char *const postfix_slot_certificate[POSTFIX_SLOTS];
extern const char *const postfix_slot_key[POSTFIX_SLOTS];

/* ---- names ---- */

/** Add an endpoint for each name that a listener's maps know, like the listener's own. */
int postfix_names_read(struct postfix_model *model, const struct certdeploy_endpoint *listener);
/** The maps that a row's smtpd looks names up in. */
int postfix_maps_of(struct postfix_map_list **out, struct postfix_model *model, struct postfix_row *row);
/** In lower case; also ".domain". */
bool postfix_is_host_name(const char *key);
/** The entry that a name has or, absent, would get. */
int postfix_map_entry(struct postfix_entry **out, struct postfix_model *model, struct postfix_row *row,
		      const char *hostname);
/** Work out an entry's pairs. exact: look into the files, even into a single one. */
int postfix_entry_pairs(struct postfix_model *model, struct postfix_entry *entry, bool exact);
/** See answers() of struct certdeploy_adapter. */
int postfix_answers(struct certdeploy_reading *reading, const char *hostname, bool create,
		    int (*use)(void *user, const struct certdeploy_endpoint *endpoint), void *user);
/** The edits of one map for the assignments of its entries. */
int postfix_plan_map(struct postfix_model *model, struct postfix_map *map);

/** See inspect() of struct certdeploy_adapter: indexes compared with their sources. */
int postfix_inspect(struct certdeploy_reading *reading);
/** Set *out where a map's index has other bytes for an entry than the entry's files; else leave it. */
int postfix_index_lacks(bool *out, struct postfix_model *model, const struct postfix_map *map,
			const struct postfix_entry *entry);

/* ---- the plan ---- */

int postfix_plan(struct certdeploy_reading *reading, const struct certdeploy_assignment *assignments,
		 size_t count, struct certdeploy_edits *edits);

/**
 * The files for an assignment, given what is there: a list as for chain files, "key, cert, chain".
 * tight: no blanks. building: the paths that hold the new bytes before the switch.
 */
int postfix_file_list(const char **out, struct postfix_model *model,
		      const struct certdeploy_assignment *assignment, const struct postfix_pairs *pairs,
		      const char *const *files, bool tight, bool building);

/** See rehearse() of struct certdeploy_adapter. */
int postfix_rehearse(struct certdeploy_reading *reading, struct certdeploy_rehearsal *rehearsal);
/** The file with leaf and chain; the leaf's alone where no other was chosen. */
const char *postfix_whole_file(const struct certdeploy_paths *paths);
/** Whether two NULL-terminated lists are equal. */
bool postfix_same_list(const char *const *one, const char *const *other);

/* ---- edits ---- */

/**
 * Give a parameter of main.cf (row NULL) or of a service a value, unless it has it already: an edit
 * where it is set now, else a new line or option. text is literal; "$" is doubled here.
 */
int postfix_set(struct postfix_model *model, struct postfix_row *row, const char *name, const char *text);
/** Insert at the byte at a position, or behind it: the same where no line ends between the two. */
int postfix_insert_before(struct postfix_model *model, const struct postfix_line *line, size_t position,
			  const char *text);
int postfix_insert_after(struct postfix_model *model, const struct postfix_line *line, size_t position,
			 const char *text);
/** Replace a stretch of a logical line's text. Continuation lines that are left empty go. */
int postfix_replace(struct postfix_model *model, const struct postfix_line *line, struct postfix_span span,
		    const char *text);
/** "$" as main.cf and master.cf want it: doubled. NULL: out of memory. */
const char *postfix_doubled(struct postfix_model *model, const char *text);
/** Refuse a path that the grammar cannot hold: as one of a list, as an option in master.cf. */
int postfix_check_path(struct postfix_model *model, const char *path, bool list, bool option);

#endif
