/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * adapter.h - the parts of the Apache adapter and what they hand to each other
 *
 * lines.c      physical lines -> logical lines -> words, each byte known by its place in the file
 * variables.c  Define, ${NAME} and the environment
 * envvars.c    the shell file that sets the environment (Debian's envvars); its parts: see shell.h
 * modules.c    which modules are there, the server's version; known.c: directives of each module
 * macros.c     <Macro>, Use
 * read.c       lines in reading order; includes.c: files; sections.c: conditions, virtual hosts, other
 *              sections; directives.c: what single directives do
 * addresses.c  <VirtualHost> and Listen addresses, the sets they make, where to connect
 * seen.c       which names and files came before
 * proxied.c    ports that want haproxy's PROXY protocol
 * merge.c      own certificates over inherited ones
 * slots.c      which of several certificates have a key of their type
 * naming.c     names of virtual hosts without ServerName
 * hosts.c      which virtual host answers for which name -> endpoints
 * amend.c      the model over edits, made of the one before them and the edited files
 * misdirected.c  names that would stop sharing a connection
 * pairs.c      what a virtual host is to serve; places.c: where that is written; edit.c: lines that
 *              are changed and added; write.c: a value in Apache's grammar
 * layouts.c    where distributions put things and how they control the server; sysconfig.c: what SUSE's
 *              start script hands to the server
 *
 * Everything is made in the reading's memory and never freed singly.
 */
#ifndef CD_APACHE_ADAPTER_H
#define CD_APACHE_ADAPTER_H

#include <certdeploy-adapter.h>
#include <libintl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define _(text) dgettext("certdeploy", text)

/* A logical line of httpd holds at most 16 MiB. */
#define APACHE_LINE_LIMIT ((size_t)16 << 20)

struct apache_variables;
struct apache_model;
struct apache_modules;
struct apache_macros;
struct apache_work;
struct apache_added;

/* ---- lines.c ---- */

/** A file of the configuration. */
struct apache_file {
	const struct certdeploy_document *document;
	const char *path;
	const char *bytes; /**< NULL: released */
	size_t length;
	unsigned reads;                   /**< how often it was included */
	const struct apache_added *added; /**< where the plan puts lines */
	struct apache_file *next;         /**< in the model */
	struct apache_host *first_host;   /**< of those that it holds, when it is plain … */
	uint32_t host_count;
	uint32_t state; /**< … and what it was read in: model.state */
	bool plain;     /**< read once, with nothing in it but whole virtual hosts */
	bool has_nul;
};

/** Where a Use line stands: what is read from a macro cannot be edited. */
struct apache_use {
	const char *file;
	size_t line;
};

/** What lines are taken from: a file, or the text of a macro in the midst of one. */
struct apache_source {
	const char *bytes;
	size_t length;
	size_t next;              /**< offset of the next line */
	size_t line;              /**< its number */
	struct apache_file *file; /**< NULL: a macro's text */
	const struct apache_use *use;
	struct apache_source *upper; /**< read on here when a macro's text ends */
	unsigned depth;              /**< of macros */
};

/** Text that grows. bytes is NULL or ends in a NUL. */
struct apache_text {
	char *bytes;
	size_t length;
	size_t room;
};

int apache_text_add(struct certdeploy_reading *reading, struct apache_text *text, const char *bytes,
		    size_t length);

/** A piece of a line that was put together: length bytes at `at` come from offset `from` of the file. */
struct apache_piece {
	size_t at;
	size_t length;
	size_t from;
	size_t from_length;
	bool variable; /**< a value in place of the from_length bytes of ${NAME} */
};

struct apache_pieces {
	struct apache_piece *items;
	size_t count;
	size_t room;
};

int apache_add_piece(struct certdeploy_reading *reading, struct apache_pieces *pieces,
		     const struct apache_piece *piece);

/** A logical line: continuations joined, blanks at both ends gone. */
struct apache_line {
	const char *text; /**< not NUL-terminated */
	size_t length;
	size_t start;   /**< of its first physical line in the source … */
	size_t end;     /**< … and the byte after its last newline */
	size_t number;  /**< of its first physical line */
	bool continued; /**< ends at the end of the file in a continuation: nothing can be put after it */
	const struct apache_piece *pieces; /**< NULL: text stands in the source as it is */
	size_t piece_count;
	struct apache_file *file;
	const struct apache_use *use;
};

struct apache_lines {
	struct certdeploy_reading *reading;
	struct apache_source *source;
	struct apache_text joined;
	struct apache_pieces joined_pieces;
	struct apache_text expanded;
	struct apache_pieces expanded_pieces;
	size_t budget; /**< bytes that may still be read: an end to what grows without one */
};

/** Go on to the next line that may matter: quicker than to take each. */
void apache_skip_opaque(struct apache_source *source);
/** 1 a line, 0 the end (of the file; macros go over into what stands around them), or an error. */
int apache_next_line(struct apache_lines *lines, struct apache_line *line);

/** One word, as ap_getword_conf() takes it. Offsets count in the line's text. */
struct apache_word {
	size_t start; /**< of the word with its quotes */
	size_t end;
	size_t content; /**< of what is inside the quotes */
	size_t content_length;
	char quote;   /**< '"', '\'' or 0 */
	bool escaped; /**< holds backslashes to take away */
};

/** Take the next word from *at on. False at the end of the line. */
bool apache_next_word(const struct apache_line *line, size_t *at, struct apache_word *word);
/** Its value, with a NUL; NULL when memory is short. */
char *apache_word_value(struct certdeploy_reading *reading, const struct apache_line *line,
			const struct apache_word *word);
/**
 * The bytes of the source that [start, end) of the line's text stands for. False when they are not
 * its own: an end lies within a variable's value.
 */
bool apache_line_span(const struct apache_line *line, size_t start, size_t end, size_t *offset,
		      size_t *length);
bool apache_is_space(char byte);
/** ASCII only, whatever the locale. */
int apache_compare_caseless(const char *one, const char *other, size_t length);
bool apache_same_caseless(const char *one, const char *other);
/** `*` and `?` of ServerAlias; caseless. */
bool apache_alias_matches(const char *pattern, const char *name);
/** `*`, `?`, `[…]` and backslash of Include in one path component; leading dots only literally. */
bool apache_glob_matches(const char *pattern, const char *name);
bool apache_is_glob(const char *text);

/* ---- variables.c ---- */

int apache_variables_new(struct apache_variables **out, struct certdeploy_reading *reading);
/** A variable of the shell that starts the server; its environment has it once it is exported. */
int apache_environment(struct apache_variables *variables, const char *name, const char *value);
/** Also before it has a value. */
int apache_export(struct apache_variables *variables, const char *name);
void apache_environment_drop(struct apache_variables *variables, const char *name);
/** NAME=VALUE of what was exported, NULL-terminated; NULL when memory is short. */
const char *const *apache_environment_list(const struct apache_variables *variables);
const char *apache_environment_get(const struct apache_variables *variables, const char *name);

/** Where a variable of the environment got a value that only a shell can tell. */
struct apache_doubt {
	const char *name; /**< NULL: any */
	const char *file;
	size_t line;
};

/** Whether there is any. */
bool apache_is_doubtful(const struct apache_variables *variables);
/** Its value, if it has one, cannot be told. */
int apache_doubt(struct apache_variables *variables, const char *name, const char *file, size_t line);
/** Of no variable of the environment, until it is given another one. */
int apache_doubt_all(struct apache_variables *variables, const char *file, size_t line);
const struct apache_doubt *apache_doubt_of(const struct apache_variables *variables, const char *name);
/** Of the first ${NAME} in an expanded text whose value cannot be told; NULL: there is none. */
const struct apache_doubt *apache_doubt_in(const struct apache_variables *variables, const char *text,
					   size_t length);

/** value NULL: <IfDefine> is true for it and ${NAME} stays as it is. */
int apache_define(struct apache_variables *variables, const char *name, const char *value);
int apache_undefine(struct apache_variables *variables, const char *name);
bool apache_is_defined(const struct apache_variables *variables, const char *name);
/** Put values in the place of ${NAME} in a line. */
int apache_expand(struct apache_variables *variables, struct apache_lines *lines, struct apache_line *line);

/* ---- envvars.c ---- */

/** Take the variables of a shell file as the environment. A missing file is no error. */
int apache_read_envvars(struct apache_variables *variables, struct certdeploy_reading *reading,
			const char *path);

/* ---- modules.c ---- */

struct apache_version {
	unsigned numbers[3];
	const char *text; /**< "2.4.62"; NULL: not known, taken as a recent 2.4 */
};

int apache_modules_new(struct apache_modules **out, struct certdeploy_reading *reading);
/** LoadModule NAME FILE */
int apache_module_load(struct apache_modules *modules, const char *name, const char *file);
/** <IfModule NAME> */
bool apache_module_is(const struct apache_modules *modules, const char *name);
/** By its bare name: ssl. */
bool apache_module_has(const struct apache_modules *modules, const char *base);
/** Whether none is somebody else's, so far. */
bool apache_modules_are_own(const struct apache_modules *modules);
/** <IfDirective>, <IfSection> (known.c): 1 known and there, 0 not there, -1 cannot be told. */
int apache_directive_is(const struct apache_model *model, const char *name, bool section);
/** Whether a module, by its bare name, is one of httpd's own. */
bool apache_is_own_module(const char *name, size_t length);
/** Whether a directive, or a section with its "<", gives a virtual host a configuration of the core. */
bool apache_is_of_core(const char *name, size_t length);
/** The answer of `apache2 -V` for a compiled-in path, e.g. "HTTPD_ROOT"; or NULL. */
const char *apache_compiled_in(struct certdeploy_reading *reading, const char *name);
int apache_version_find(struct apache_version *version, struct certdeploy_reading *reading);
/** Compare with another version, as strcmp. */
int apache_version_compare(const struct apache_version *version, unsigned major, unsigned minor,
			   unsigned patch);
/** <IfVersion …>: 1, 0, or -1 for what httpd would not accept. arguments up to the last '>'. */
int apache_version_is(struct certdeploy_reading *reading, const struct apache_version *version,
		      const char *const *words, size_t count);

/* ---- seen.c ---- */

struct apache_seen_slot;

/** Keys that were seen; they stay where they are. All zero: none. */
struct apache_seen {
	struct apache_seen_slot *slots;
	size_t room; /**< a power of two, or 0 */
	size_t count;
};

/** There will be about so many. */
int apache_seen_expect(struct certdeploy_reading *reading, struct apache_seen *seen, size_t count);
/** The equal key that was added, or NULL. */
void *apache_seen_find(const struct apache_seen *seen, const void *key, size_t length);
/** One that is not there. */
int apache_seen_add(struct certdeploy_reading *reading, struct apache_seen *seen, const void *key,
		    size_t length);

/* ---- macros.c ---- */

int apache_macros_new(struct apache_macros **out, struct certdeploy_reading *reading);
/** After a <Macro …> line whose arguments start at `at`: take its body. */
int apache_macro_define(struct apache_macros *macros, struct apache_lines *lines,
			const struct apache_line *line, size_t at);
int apache_macro_undefine(struct apache_macros *macros, const char *name);
/** A Use line: let its text be read next. */
int apache_macro_use(struct apache_macros *macros, struct apache_lines *lines,
		     const struct apache_line *line, size_t at);

/* ---- addresses.c ---- */

enum apache_family {
	APACHE_ANY, /**< "*": every address */
	APACHE_IPV4,
	APACHE_IPV6,
	APACHE_NAMED, /**< a host name that cannot be resolved here (a tree) */
};

struct apache_address {
	struct apache_address *next;
	const char *name; /**< APACHE_NAMED */
	uint8_t ip[16];
	uint16_t port; /**< 0: any */
	uint8_t family;
	bool zero; /**< written as 0.0.0.0 or [::]: APACHE_ANY in a set, less in comparing with Listen */
	uint8_t zero_family;
};

struct apache_listener {
	struct apache_listener *next;
	struct apache_listener *next_here;   /**< on the same address and port */
	struct apache_listener *next_single; /**< on a single address of the same port */
	struct apache_address address;
	bool https;
};

struct apache_host;
struct apache_md;
struct apache_proxied;

/** A numeric address; false when it is none. */
bool apache_parse_ip(struct apache_address *address, const char *text);
/** Parse one address of <VirtualHost> and put it at the end of its list; nothing if it does not resolve. */
int apache_add_address(struct apache_model *model, const struct apache_host *host,
		       struct apache_address ***end, const char *text);
/** Listen ADDRESS:PORT [PROTOCOL] */
int apache_add_listener(struct apache_model *model, const char *text, const char *protocol,
			const char *file, size_t line);
/** Whether a Listen with protocol https is bound to exactly an address of the host. */
bool apache_host_listens_https(const struct apache_model *model, const struct apache_host *host);

struct apache_member {
	struct apache_member *next;
	struct apache_host *host;
};

/** Virtual hosts that share an address, in reading order. */
struct apache_set {
	struct apache_set *next;
	const struct apache_address *address;
	const char *listen; /**< "*:443" */
	struct apache_member *first;
	struct apache_member *last;
	size_t count;
	bool tls;
};

/** Where a set is reached. */
struct apache_reach {
	struct apache_reach *next;
	const char *address; /**< NULL: any */
	uint16_t port;
	bool first; /**< of those with this port */
	bool any;   /**< by a listener on all addresses */
};

struct apache_sets;

int apache_sets_make(struct apache_model *model);
/** One for each address and port that leads to the set; NULL: none. set NULL: the main server. */
int apache_set_reach(struct apache_reach **out, struct apache_model *model, const struct apache_set *set);
/** "*:443" for an address. */
char *apache_address_text(struct certdeploy_reading *reading, const struct apache_address *address);

/* ---- the model ---- */

enum apache_kind {
	APACHE_CERTIFICATE,
	APACHE_KEY,
	APACHE_CHAIN,
};

/** A place in a file where something may be put after a logical line. */
struct apache_place {
	uint32_t start; /**< of the line */
	uint32_t end;   /**< the byte after it; 0: there is no such place */
	bool continued;
};

/** A line that names a certificate, a key or a chain. */
struct apache_ref {
	struct apache_ref *next;
	struct apache_file *file;
	const char *value;                /**< as written, variables replaced; absolute after reading */
	const struct apache_use *use;     /**< comes from a macro */
	const struct apache_doubt *doubt; /**< what the path really is cannot be told */
	struct apache_place line;
	struct apache_place include; /**< the Include in the virtual host's own file; end 0: none */
	uint32_t argument;           /**< where the argument stands, with its quotes */
	uint32_t argument_length;    /**< 0: it cannot be told from the rest of the line */
	uint32_t number;
	uint8_t kind;
	bool named; /**< the directive's name itself came as it stands, not from a variable */
};

struct apache_name {
	struct apache_name *next;
	uint32_t length;
	bool pattern;
	char text[]; /**< as written, with a NUL */
};

enum apache_engine {
	APACHE_ENGINE_UNSET,
	APACHE_ENGINE_OFF,
	APACHE_ENGINE_ON,
};

/** Whether a request may be for another virtual host than its connection's: SSLVHostSNIPolicy. */
enum apache_sni_policy {
	APACHE_SNI_SECURE, /**< the default: if both have the same certificates */
	APACHE_SNI_OTHER,  /**< never, or without regard to certificates */
};

/** SSLOpenSSLConfCmd that names a certificate or a key: the last one, and what they name. */
struct apache_confcmd {
	const char *file;
	size_t line;
	const char *certificate; /**< or NULL */
	const char *key;
};

/** A virtual host, or the main server. */
struct apache_host {
	struct apache_host *next;
	struct apache_file *file;
	const struct apache_use *use;
	struct apache_place opening;
	struct apache_place engine_line; /**< in the same file, outside of any Include */
	struct apache_address *addresses;
	struct apache_name *server_name;
	struct apache_name *aliases;
	struct apache_name *last_alias;
	struct apache_ref *refs;
	struct apache_ref *last_ref;
	const struct certdeploy_pair *pairs; /**< after merging */
	const struct apache_work *work;      /**< what the plan gives it; NULL: nothing */
	struct apache_host *after;           /**< itself as edited, in the model over the edits; or NULL */
	struct apache_confcmd *confcmd;      /**< NULL: none */
	uint32_t line;
	uint32_t order;
	uint16_t pair_count;
	uint16_t counts[3]; /**< own lines of each kind */
	uint8_t engine;     /**< enum apache_engine */
	uint8_t protocol;   /**< 0 unset, 1 https, 2 another */
	bool tls;           /**< its certificate is loaded */
	bool managed;       /**< by mod_md */
	bool overruled;     /**< mod_md's files come behind its own */
	bool live;          /**< has an endpoint */
	bool no_name;       /**< has no ServerName */
	bool crossed;       /**< a key of it belongs to a certificate of another position */
	bool of_core;       /**< has a configuration of the core, and so a protocol of its own */
};

/** What answers an endpoint: endpoint.own. */
struct apache_answer {
	const struct apache_set *set; /**< NULL: the main server */
	struct apache_host *host;     /**< whose name it is */
	struct apache_host *serves;   /**< whose certificate is served */
};

struct apache_include {
	struct apache_include *next;
	const char *pattern; /**< absolute */
};

/** A domain that mod_md manages. */
struct apache_managed;

struct apache_model {
	struct certdeploy_reading *reading;
	struct apache_variables *variables;
	struct apache_modules *modules;
	struct apache_macros *macros;
	struct apache_version version;
	const char *config;
	const char *server_root;
	const char *pid_file;
	const char *md_store; /**< MDStoreDir, or NULL */
	struct apache_file *config_file;
	struct apache_file *files;
	struct apache_host main;
	uint16_t main_port;
	struct apache_host *hosts;
	struct apache_host *last_host;
	uint32_t host_count;
	struct apache_listener *listeners;
	struct apache_listener *last_listener;
	struct apache_include *includes;
	struct apache_managed *managed; /**< the latest first */
	struct apache_managed *by_domain;
	struct apache_seen named; /**< in the place of addresses, in lower case */
	struct apache_set *sets;
	struct apache_sets *by_address;
	uint32_t state;      /**< counts what was read so far that may change how the rest is read */
	bool only_ipv4;      /**< a Listen for all addresses opens no IPv6 on this host … */
	bool knows_families; /**< … which has been looked up */
	bool amending;       /**< over edits, from the model before them: see amend.c */
	struct apache_proxied *proxied;
	uint8_t sni_policy;   /**< enum apache_sni_policy */
	bool asks_program;    /**< SSLPassPhraseDialog names one */
	bool security_level;  /**< @SECLEVEL stands somewhere */
	const char *own_name; /**< the machine's name, where the main server has none; "" unknown */
};

/* ---- read.c ---- */

int apache_read(struct certdeploy_reading *reading);
/** Make the paths that a host names absolute. */
int apache_resolve_refs(struct apache_model *model, struct apache_host *host);
bool apache_reads(struct certdeploy_reading *reading, const char *path);

/* ---- proxied.c ---- */

/** RemoteIPProxyProtocol of a virtual host, or of the main server. */
int apache_do_proxied(struct apache_model *model, const struct apache_host *host, bool on);
/** One of RemoteIPProxyProtocolExceptions. */
int apache_do_unproxied(struct apache_model *model, const char *network);
/** Whether a client on this host must speak it there. address: numeric, or NULL: 127.0.0.1. */
bool apache_is_proxied(const struct apache_model *model, const char *address, uint16_t port);

/* ---- naming.c ---- */

/** A name, to stand by itself; NULL when memory is short. */
struct apache_name *apache_new_name(struct certdeploy_reading *reading, const char *text, size_t length);
/** Give a host that has no ServerName the name that httpd gives it, where that is known. */
int apache_complete_name(struct apache_model *model, struct apache_host *host);

/* ---- managed.c ---- */

/** See whether mod_md looks after a host that is complete but for this, and which pairs it adds. */
int apache_manage_host(struct apache_model *model, struct apache_host *host);

/* ---- hosts.c ---- */

int apache_add_endpoints(struct apache_model *model);
/** Merge what a host inherits, and see whether it speaks TLS. */
int apache_finish_host(struct apache_model *model, struct apache_host *host);
/** The endpoints of the reading before, those of edited hosts with what these serve after. */
int apache_amend_endpoints(struct apache_model *model, const struct certdeploy_reading *before);
int apache_answers(struct certdeploy_reading *reading, const char *hostname, bool create,
		   int (*use)(void *user, const struct certdeploy_endpoint *endpoint), void *user);

/* ---- amend.c ---- */

/** The configuration must be read as a whole. */
#define APACHE_READ_ALL 1

/** Read over edits; or APACHE_READ_ALL, when nothing has been done. */
int apache_amend(struct certdeploy_reading *reading, const struct certdeploy_reading *before);

/* ---- slots.c ---- */

/** Leave only what is served of several pairs, where a key is one of another certificate's. */
int apache_sort_keys(struct apache_model *model, struct apache_host *host);

/* ---- merge.c ---- */

/* Of mod_ssl (CERTKEYS_IDX_MAX + 1): own entries beyond these are added behind the inherited ones. */
#define APACHE_OWN_FIRST 3

int apache_make_pairs(struct apache_model *model, struct apache_host *host);
/** The lines in force after merging with the main server's: the nth of a kind, how many there are. */
const struct apache_ref *apache_merged_ref(const struct apache_model *model, const struct apache_host *host,
					   enum apache_kind kind, size_t position);
size_t apache_merged_count(const struct apache_model *model, const struct apache_host *host,
			   enum apache_kind kind);
/** Whether there are keys to spare where more than one certificate must find its own. */
bool apache_has_stray_key(const struct apache_model *model, const struct apache_host *host);
/** The first line in force that has a variable whose value cannot be told; or NULL. */
const struct apache_ref *apache_doubtful_ref(const struct apache_model *model,
					     const struct apache_host *host);
/** The macro that makes a host, or a line of it that names a certificate, key or chain; or NULL. */
const struct apache_use *apache_macro_of(const struct apache_host *host);
/** The chain file in force, own or inherited, or NULL. */
const struct apache_ref *apache_chain_ref(const struct apache_model *model, const struct apache_host *host);

/* ---- edit.c, write.c ---- */

int apache_plan(struct certdeploy_reading *reading, const struct certdeploy_assignment *assignments,
		size_t count, struct certdeploy_edits *edits);
/**
 * A value as one word of a line: as it is, or in double quotes. NULL and a problem when the grammar
 * cannot hold it.
 *
 * @param quote  the quote that stood there: '"', '\'' or 0
 */
char *apache_write_value(struct certdeploy_reading *reading, const char *value, char quote,
			 const char *file, size_t line);

/* ---- layouts.c ---- */

int apache_find(struct certdeploy_reading *reading, struct certdeploy_finder *finder);
int apache_command(struct certdeploy_reading *reading, enum certdeploy_action action,
		   const char *const **argv);
int apache_daemon(struct certdeploy_reading *reading, struct certdeploy_daemon *daemon);
/** The file that SUSE's start script makes directives of for this configuration file; NULL: not SUSE's. */
const char *apache_sysconfig_path(struct certdeploy_reading *reading, const char *config);
/** The ServerRoot that the binary brings for this configuration file. */
const char *apache_default_root(struct certdeploy_reading *reading, const char *config);

#endif
