/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * certdeploy-adapter.h - everything an adapter sees
 *
 * An adapter is the knowledge of one kind of server: read its configuration, say which endpoints it
 * has, say which edits give an endpoint a certificate, and which commands test and reload it. It
 * writes no file and starts no process: it reads through the functions below, which know the root
 * directory, and returns edits and argument vectors. So it runs as well on a plain file tree.
 *
 * The life of one service in one run:
 *
 *	find     which servers of this kind stand on the host?          -> settings of each
 *	read     parse the configuration behind one set of settings     -> endpoints
 *	answers  which endpoints does a host name reach?                -> endpoints
 *	plan     give these endpoints these certificates                -> edits
 *	read     once more, over the edited bytes: the library compares every endpoint's certificate
 *	         before and after, so an edit that takes no effect, or too much, never reaches the disk
 *	rehearse have the server's own tools judge a private copy of the edited files
 *
 * Everything read or made during one reading lives until the reading ends; nothing is freed singly.
 * Paths are absolute and as seen from inside the root directory. A function that fails has recorded
 * a problem, unless said otherwise, and the adapter returns its code.
 */
#ifndef CERTDEPLOY_ADAPTER_H
#define CERTDEPLOY_ADAPTER_H

#include <certdeploy.h>
#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CERTDEPLOY_ADAPTER_ABI 1

/** One service being read: its settings, the files seen, the endpoints found. Since 0.1. */
struct certdeploy_reading;

/* ---- memory ---- */

/**
 * Zeroed memory that lives as long as the reading, aligned for pointers and numbers of 64 bits; NULL when
 * there is none (recorded).
 *
 * @since 0.1
 */
CERTDEPLOY_API void *certdeploy_alloc(struct certdeploy_reading *reading, size_t size);
/** A copy of length bytes with a NUL after them. Since 0.1. */
CERTDEPLOY_API char *certdeploy_copy(struct certdeploy_reading *reading, const char *bytes, size_t length);
/**
 * A formatted text of the same life. A format that the catalogue knows is told in the caller's language.
 *
 * @since 0.1
 */
CERTDEPLOY_API char *certdeploy_format(struct certdeploy_reading *reading, const char *format, ...)
	CERTDEPLOY_PRINTF(2, 3);

/* ---- settings ---- */

/**
 * A setting of this service from certdeploy.conf or from find(): its first value, or NULL when there
 * is none. Every service has "name", "adapter" and, if it was given, "config".
 *
 * @since 0.1
 */
CERTDEPLOY_API const char *certdeploy_setting(const struct certdeploy_reading *reading, const char *key);
/** All values, NULL-terminated; NULL when the setting is absent. Since 0.1. */
CERTDEPLOY_API const char *const *certdeploy_setting_list(const struct certdeploy_reading *reading,
							  const char *key);

/**
 * True when the host itself is meant, false when a tree is (--root): then nothing can be asked.
 *
 * @since 0.1
 */
CERTDEPLOY_API bool certdeploy_is_live(const struct certdeploy_reading *reading);

/* ---- problems ---- */

/**
 * Record a problem. code is a word of libcertdeploy/base/problems.def or, in an outside adapter, one
 * of its own. file may be NULL, line 0. The remedy is the code's own.
 *
 * @since 0.1
 */
CERTDEPLOY_API void certdeploy_report(struct certdeploy_reading *reading, enum certdeploy_severity severity,
				      const char *code, const char *file, size_t line, const char *format,
				      ...) CERTDEPLOY_PRINTF(6, 7);

/**
 * The same with severity CERTDEPLOY_ERROR.
 *
 * @return CERTDEPLOY_EREFUSED; CERTDEPLOY_ENOMEM when even that could not be recorded
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_refuse(struct certdeploy_reading *reading, const char *code, const char *file,
				     size_t line, const char *format, ...) CERTDEPLOY_PRINTF(5, 6);

/** Whether the caller lets this problem pass (--accept CODE). Since 0.1. */
CERTDEPLOY_API bool certdeploy_accepts(const struct certdeploy_reading *reading, const char *code);

/* ---- files ---- */

/**
 * A configuration file's bytes, which never change, with what is needed to edit them. The same file
 * under two names is one document. Read once a run, however often it is asked for, unless it was
 * released.
 *
 * @since 0.1
 */
struct certdeploy_document;

/**
 * @return 0; CERTDEPLOY_ENOTFOUND: no such file, or a directory (nothing recorded);
 *         CERTDEPLOY_EPERMISSION: not readable; CERTDEPLOY_EREFUSED: a device or the like, or larger
 *         than 64 MiB
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_read(const struct certdeploy_document **out,
				   struct certdeploy_reading *reading, const char *path);

/**
 * Say that nothing of the adapter's points into a document's bytes any more, once for each
 * certdeploy_read(): of thousands of files that were understood hardly one is edited, and the memory that
 * the others take can be used for the next one. Bytes and lines may be asked for again after another
 * certdeploy_read(), which refuses a file that has changed meanwhile. A document over edits stays.
 *
 * @since 0.1
 */
CERTDEPLOY_API void certdeploy_release(const struct certdeploy_document *document);

/**
 * In a reading over edits: the reading of the files as they stand, from which read() may take what no
 * edit concerns. It lives longer. NULL in any other reading, and when files are created, not only edited.
 *
 * @since 0.1
 */
CERTDEPLOY_API const struct certdeploy_reading *certdeploy_before(const struct certdeploy_reading *reading);
/** Whether this document of the reading before is another one in this reading. Since 0.1. */
CERTDEPLOY_API bool certdeploy_is_edited(const struct certdeploy_reading *reading,
					 const struct certdeploy_document *document);

/** The path as first opened. Since 0.1. */
CERTDEPLOY_API const char *certdeploy_document_path(const struct certdeploy_document *document);
/**
 * The bytes, followed by a NUL that is not part of them. They may hold NULs themselves.
 *
 * @since 0.1
 */
CERTDEPLOY_API const char *certdeploy_document_bytes(const struct certdeploy_document *document,
						     size_t *length);
/** Number of the line that holds the byte at offset, from 1. Since 0.1. */
CERTDEPLOY_API size_t certdeploy_document_line(const struct certdeploy_document *document, size_t offset);
/**
 * First byte of the line that holds offset, and the byte after its newline (or the end).
 *
 * @since 0.1
 */
CERTDEPLOY_API void certdeploy_document_line_bounds(const struct certdeploy_document *document,
						    size_t offset, size_t *start, size_t *end);
/**
 * The line ending in use at offset: "\n" or "\r\n" (of the line, else of its neighbours).
 *
 * @since 0.1
 */
CERTDEPLOY_API const char *certdeploy_document_newline(const struct certdeploy_document *document,
						       size_t offset);

/** Since 0.1. */
enum certdeploy_file_type {
	CERTDEPLOY_FILE_ABSENT = 0,
	CERTDEPLOY_FILE_REGULAR = 1,
	CERTDEPLOY_FILE_DIRECTORY = 2,
	CERTDEPLOY_FILE_OTHER = 3,
	CERTDEPLOY_FILE_UNKNOWN = 4, /**< the look failed; certdeploy_read() records why */
};

/** What stands at path, after symbolic links. Records nothing. Since 0.1. */
CERTDEPLOY_API enum certdeploy_file_type certdeploy_file_type(struct certdeploy_reading *reading,
							      const char *path);
/** Whether path itself is a symbolic link, wherever it leads. Records nothing. Since 0.1. */
CERTDEPLOY_API bool certdeploy_is_link(struct certdeploy_reading *reading, const char *path);
/** Whether everybody on this host may read or change the file, by its mode. Records nothing. Since 0.1. */
CERTDEPLOY_API bool certdeploy_is_exposed(struct certdeploy_reading *reading, const char *path);

/**
 * The names in a directory, sorted by strcmp, dotfiles included, without "." and "..".
 *
 * @param names  NULL-terminated
 * @return 0; CERTDEPLOY_ENOTFOUND (nothing recorded); CERTDEPLOY_EPERMISSION
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_directory(const char *const **names, struct certdeploy_reading *reading,
					const char *path);

/**
 * The existing paths that a pattern names, sorted by strcmp: `*`, `?` and `[…]` in any component, as
 * fnmatch(3) with FNM_PERIOD and without FNM_NOESCAPE. A path without wildcards gives itself when it
 * exists. Braces are not expanded.
 *
 * @param paths  NULL-terminated, possibly empty
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_glob(const char *const **paths, struct certdeploy_reading *reading,
				   const char *pattern);

/** path made absolute against directory, with "." , "//" and ".." removed as text. Since 0.1. */
CERTDEPLOY_API const char *certdeploy_join(struct certdeploy_reading *reading, const char *directory,
					   const char *path);

/** What the first certificate of a PEM file says. Since 0.1. */
struct certdeploy_leaf {
	const char *sha256;
	const char *key_type; /**< "rsa", "ecdsa", "ed25519", … */
	/** DNS names and IP addresses; the common name when there are none; NULL-terminated. */
	const char *const *names;
	int64_t not_before;
	int64_t not_after;
	bool self_signed;
	bool client_auth;    /**< may be used by a TLS client (extended key usage absent or allows it) */
	size_t certificates; /**< in the file */
	size_t keys;         /**< private keys in the file */
	/** SHA-256 of the certificates that stand behind further keys (Postfix's chain files); or NULL. */
	const char *const *others;
};

/**
 * Look into a certificate file. Nothing is recorded.
 *
 * @return 0; CERTDEPLOY_ENOTFOUND: no such file; CERTDEPLOY_EPERMISSION; CERTDEPLOY_EREFUSED: holds
 *         no certificate that can be read
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_leaf(const struct certdeploy_leaf **out, struct certdeploy_reading *reading,
				   const char *path);

/**
 * The type of the first private key in a PEM file, as in struct certdeploy_leaf: for a server that takes a
 * key for the certificate of that type. The key is not decoded. Nothing is recorded.
 *
 * @return 0; CERTDEPLOY_ENOTFOUND: no such file; CERTDEPLOY_EPERMISSION; CERTDEPLOY_EREFUSED: holds no
 *         key, or one whose type only its passphrase tells
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_key_type(const char **type, struct certdeploy_reading *reading,
				       const char *path);

/**
 * Whether the first private key of one PEM file is that of the first certificate of another. Nothing is
 * recorded.
 *
 * @return 0; CERTDEPLOY_ENOTFOUND, CERTDEPLOY_EPERMISSION: of one of the files; CERTDEPLOY_EREFUSED: one
 *         holds nothing of the kind, or the key is encrypted
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_key_fits(bool *fits, struct certdeploy_reading *reading, const char *key,
				       const char *certificate);

/* ---- questions ---- */

/**
 * Ask a program of the server something that changes nothing ("apache2 -v"). Runs without a shell,
 * with a clean environment and a time limit. Asked once a run.
 *
 * @param answer  what it wrote to standard output
 * @return 0; CERTDEPLOY_ENOTFOUND: this is a tree, or there is no such program (nothing recorded);
 *         CERTDEPLOY_EFAILED: it ended with another status than 0 or took too long (nothing recorded)
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_ask(const char **answer, struct certdeploy_reading *reading,
				  const char *const *argv);

/**
 * The same of a program that prints secrets, as postmap(1) prints a table: in each line the part after the
 * first tab, or a line without one, is replaced by its SHA-256 in hexadecimal.
 *
 * @return as certdeploy_ask()
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_ask_digests(const char **answer, struct certdeploy_reading *reading,
					  const char *const *argv);

/**
 * SHA-256, in hexadecimal, of what files hold, a newline between them, written in base64: the value that
 * `postmap -F` makes of a list of files.
 *
 * @return 0; CERTDEPLOY_ENOTFOUND: one is not there; CERTDEPLOY_EPERMISSION; CERTDEPLOY_EREFUSED: one
 * cannot be read (nothing recorded)
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_digest_base64(const char **sha256, struct certdeploy_reading *reading,
					    const char *const *paths);

/**
 * The addresses of a host name, numeric: on the host itself as its resolver has them, which may ask
 * the network; in a tree those of /etc/hosts there. Asked once a run.
 *
 * @param addresses  NULL-terminated
 * @return 0; CERTDEPLOY_ENOTFOUND: there are none (nothing recorded)
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_resolve(const char *const **addresses, struct certdeploy_reading *reading,
				      const char *name);

/**
 * PCRE2 match of a whole subject, caseless if asked; false as well when limits are met.
 *
 * @since 0.1
 */
CERTDEPLOY_API bool certdeploy_matches(struct certdeploy_reading *reading, const char *pattern,
				       const char *subject, bool caseless);

/* ---- endpoints ---- */

/** How TLS begins on a connection. Since 0.1. */
enum certdeploy_start {
	CERTDEPLOY_START_IMPLICIT = 0, /**< at once */
	CERTDEPLOY_START_SMTP = 1,     /**< EHLO, STARTTLS (RFC 3207); LMTP with LHLO */
	CERTDEPLOY_START_LMTP = 2,
	CERTDEPLOY_START_IMAP = 3,  /**< STARTTLS (RFC 9051) */
	CERTDEPLOY_START_POP3 = 4,  /**< STLS (RFC 2595) */
	CERTDEPLOY_START_SIEVE = 5, /**< STARTTLS (RFC 5804) */
	CERTDEPLOY_START_FTP = 6,   /**< AUTH TLS (RFC 4217) */
};

/**
 * A certificate and its key as configured: paths as the server resolves them, absolute.
 *
 * @since 0.1
 */
struct certdeploy_pair {
	const char *certificate;
	const char *key;   /**< the same as certificate where one file holds both */
	const char *chain; /**< a separate chain file, or NULL */
	const char *file;  /**< the line that names the certificate */
	size_t line;
};

/** Since 0.1. */
struct certdeploy_endpoint {
	const char *name;     /**< host name or pattern (`*.example.jp`), lower case; NULL: the default */
	const char *listen;   /**< the listener as its configuration names it: "*:443", "smtps/inet" */
	const char *address;  /**< numeric, or NULL: all addresses */
	uint16_t port;        /**< 0: not known, cannot be probed */
	const char *protocol; /**< "https", "smtp", "smtps", "submission", "imap", "imaps", … */
	enum certdeploy_start start;
	const char *server_name; /**< for an endpoint without a name: the server's own, or NULL */
	/** In the server's order. A later one of the same key type hides an earlier one. */
	const struct certdeploy_pair *pairs;
	size_t pair_count;
	const char *file; /**< where the decision stands when there is no pair: the virtual host's line */
	size_t line;
	/**
	 * What decides this endpoint's certificate, compared by value: endpoints of one service with
	 * the same decider cannot have different certificates (names of one virtual host). Not NULL.
	 */
	const void *decider;
	/** Wants to hear of the client before anything else: haproxy's PROXY protocol. */
	bool proxied;
	bool is_default; /**< answers clients that ask for no name, or for an unknown one */
	bool tls;        /**< false: speaks no TLS as configured */
	bool inherited;  /**< the certificate comes from a wider scope */
	bool absent;     /**< made by answers(): would have to be added to the configuration */
	/** NULL, or the code of the problem that forbids editing it ("managed-elsewhere", …) … */
	const char *untouchable;
	const char *note; /**< … and the sentence that says why */
	const void *own;  /**< the adapter's own */
	/** A client on this host is served what other lines say: this cannot be probed from here. */
	bool unseen;
	/**
	 * Has a name, but is served what its address's default is, instead of what the lines about the name
	 * say. There is another one of the name that those lines decide: by a name that one is chosen.
	 */
	bool hidden;
	/** Its server ends these connections, for its settings contradict each other: nothing is served. */
	bool ended;
};

/** Add an endpoint to the reading; the structure is copied, what it points to is not. Since 0.1. */
CERTDEPLOY_API int certdeploy_add_endpoint(struct certdeploy_reading *reading,
					   const struct certdeploy_endpoint *endpoint);
/**
 * Add an endpoint of the reading before (certdeploy_before()) as it is: nothing about it has changed.
 *
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_keep_endpoint(struct certdeploy_reading *reading,
					    const struct certdeploy_endpoint *endpoint);
/** The endpoints added so far, in order. Since 0.1. */
CERTDEPLOY_API const struct certdeploy_endpoint *const *
certdeploy_endpoints(const struct certdeploy_reading *reading, size_t *count);

/** What read() made, for the other functions of the adapter. Since 0.1. */
CERTDEPLOY_API void certdeploy_set_model(struct certdeploy_reading *reading, void *model);
/** Since 0.1. */
CERTDEPLOY_API void *certdeploy_model(const struct certdeploy_reading *reading);

/* ---- edits ---- */

/** The edits of one plan, over all services. Since 0.1. */
struct certdeploy_edits;

/**
 * Replace length bytes at offset of a document; with length 0, insert. Insertions at one place keep
 * the order of the calls. Overlapping replacements are refused, unless they are equal.
 *
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_splice(struct certdeploy_edits *edits, struct certdeploy_reading *reading,
				     const struct certdeploy_document *document, size_t offset,
				     size_t length, const char *text, size_t text_length);

/** A new file. Refused if one is there. secret: mode 0600, and never shown in a diff. Since 0.1. */
CERTDEPLOY_API int certdeploy_create(struct certdeploy_edits *edits, struct certdeploy_reading *reading,
				     const char *path, const char *bytes, size_t length, bool secret);

/**
 * A file that a program makes from another, e.g. a Postfix table. The program runs on a private copy
 * before anything is switched; its product then goes live together with all other files.
 *
 * @since 0.1
 */
struct certdeploy_build {
	const char *source; /**< the file it is made from, as it stands or as these edits make it */
	/** Give the program these bytes instead of the source's own, or NULL: see material.current. */
	const char *input;
	size_t input_length;
	/** "%s" in an argument is the private copy: {"/usr/sbin/postmap", "-F", "hash:%s", NULL} */
	const char *const *argv;
	const char *suffix; /**< the product is named like the source and this, e.g. ".db" */
	bool secret;        /**< mode 0600; else like the source */
};
/** Since 0.1. */
CERTDEPLOY_API int certdeploy_build(struct certdeploy_edits *edits, struct certdeploy_reading *reading,
				    const struct certdeploy_build *build);

/* ---- what is deployed ---- */

/** Paths of one certificate's files. Since 0.1. */
struct certdeploy_paths {
	const char *certificate; /**< the leaf alone */
	const char *key;         /**< PEM, not encrypted */
	const char *chain;       /**< the leaf's issuers; NULL when there are none */
	const char *fullchain;   /**< leaf and chain */
	const char *combined;    /**< key, leaf and chain, in this order; NULL with chosen paths */
};

/** A certificate on its way to the host. Since 0.1. */
struct certdeploy_material {
	const char *name;
	const char *key_type;
	const char *sha256;
	const char *const *names; /**< DNS names and IP addresses, NULL-terminated */
	bool has_chain;
	bool client_auth; /**< may be used by a TLS client (extended key usage absent or allows it) */
	struct certdeploy_paths paths; /**< what configurations name: stays the same at a renewal */
	/** Where the same bytes lie when a build runs, before `current` is switched. */
	struct certdeploy_paths building;
	const char
		*chain_sha256; /**< of the chain's text, the same for the same chain; NULL: it has none */
};

/**
 * Give this endpoint these certificates, one for each key type, at most one of a type.
 *
 * @since 0.1
 */
struct certdeploy_assignment {
	const struct certdeploy_endpoint *endpoint;
	const struct certdeploy_material *const *materials; /**< NULL-terminated */
	bool drop_other_types;
};

/** Whether both give the same certificates, so that one line may serve both endpoints. Since 0.1. */
CERTDEPLOY_API bool certdeploy_same_materials(const struct certdeploy_assignment *one,
					      const struct certdeploy_assignment *other);

/* ---- rehearsal ---- */

/** Since 0.1. */
struct certdeploy_rehearsal_file {
	const char *name; /**< relative to the private directory; may hold "/" */
	const char *bytes;
	size_t length;
};

/**
 * One question to the server's own tool about a private copy of the configuration. In argv "%s" stands
 * for the private directory. It is asked of the files as they stand and, in the same place, of the edited
 * ones. The plan is refused (`test-failed`) when the new run fails, or prints a line to standard error
 * that the old one did not print, or when judge() says so; a file that the old run fails over is refused
 * as it is (`config-syntax`). Without the program the question is left out.
 *
 * @since 0.1
 */
struct certdeploy_rehearsal_command {
	const char *const *argv;
	/** Compare what both runs printed; NULL: not needed. Records the problem and returns its code. */
	int (*judge)(struct certdeploy_reading *reading, const char *before, const char *after);
	/** Whether a line that only the new run printed to standard error does not matter; NULL: all do. */
	bool (*harmless)(struct certdeploy_reading *reading, const char *line);
	/** The tool sees more than the server needs: where the old run fails, nothing is compared. */
	bool may_fail;
};

/**
 * A private copy of the configuration and the questions about it.
 *
 * @since 0.1
 */
struct certdeploy_rehearsal {
	/**
	 * Given by the library: the reading of the files as they stand, when the edited ones are meant;
	 * else NULL.
	 */
	struct certdeploy_reading *before;
	const struct certdeploy_rehearsal_file *files;
	size_t file_count;
	/** Asked in this order. Those for the edited files count, for both copies. */
	const struct certdeploy_rehearsal_command *commands;
	size_t command_count;
	/** The folder whose copy the private directory is, for what is told of it; NULL: the root. */
	const char *folder;
};

/* ---- the adapter ---- */

/** Since 0.1. */
enum certdeploy_action {
	CERTDEPLOY_ACTION_TEST = 0,
	CERTDEPLOY_ACTION_RELOAD = 1,
	CERTDEPLOY_ACTION_RESTART = 2,
	CERTDEPLOY_ACTION_START = 3,
	CERTDEPLOY_ACTION_STOP = 4,
};

/** How to tell whether the server runs. Since 0.1. */
struct certdeploy_daemon {
	const char *pid_file;        /**< holds the main process's id */
	const char *const *programs; /**< names of its program, NULL-terminated */
	/** NAME=VALUE for all commands and questions of this service, NULL-terminated; or NULL. */
	const char *const *environment;
	/**
	 * A reload loads every certificate and key anew, and the server ends when one of them is no good,
	 * without a test of its own that would tell.
	 */
	bool ends_on_bad_pair;
	/** A program tells it the passphrases of keys. */
	bool asks_program;
	/** It sets OpenSSL's security level itself: what this host takes for too weak it may load. */
	bool own_security_level;
	/** What it loads besides what the endpoints show; or NULL. */
	const struct certdeploy_pair *loaded;
	size_t loaded_count;
	/**
	 * Its main process runs on, and keeps the ports, while those that serve die of the configuration,
	 * and starts none for a while whatever was mended. Where no port said a word before, the server is
	 * restarted instead of reloaded; and after a reload, where one says nothing new.
	 */
	bool pauses_when_broken;
};

/** Where find() leaves what it found. Since 0.1. */
struct certdeploy_finder;

/** A setting and its values. Since 0.1. */
struct certdeploy_setting_value {
	const char *key;
	const char *const *values; /**< NULL-terminated */
};

/**
 * A server was found. settings ends with a NULL key and must have "name" and "config". Everything is
 * copied.
 *
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_found(struct certdeploy_finder *finder,
				    const struct certdeploy_setting_value *settings);

/**
 * All of an adapter. name, read and plan are needed; what else is NULL the adapter does without, as said at
 * each.
 *
 * @since 0.1
 */
struct certdeploy_adapter {
	uint32_t abi;  /**< CERTDEPLOY_ADAPTER_ABI */
	uint32_t size; /**< sizeof(struct certdeploy_adapter): grows at the end only */
	const char *name;
	const char *summary; /**< one line, not translated */

	/**
	 * Look for servers of this kind in their usual places; call certdeploy_found() for each. The
	 * reading has no settings. NULL: only those that certdeploy.conf names.
	 */
	int (*find)(struct certdeploy_reading *reading, struct certdeploy_finder *finder);

	/** Parse the configuration; add the endpoints; set the model. Refuse what is not understood. */
	int (*read)(struct certdeploy_reading *reading);

	/** The server's version as read or asked, or NULL. Called after read(). NULL: it is not known. */
	const char *(*version)(struct certdeploy_reading *reading);

	/**
	 * The endpoints that answer for a host name, one call of use() each: those of the reading, or
	 * new ones (absent) where the server would need an entry of its own. create is false where
	 * only what is there is meant. With a wildcard (`*.example.jp`) those that bear it as their
	 * name have been taken already: only new ones are asked for. NULL: endpoints whose
	 * name equals hostname, or is a wildcard that covers it.
	 */
	int (*answers)(struct certdeploy_reading *reading, const char *hostname, bool create,
		       int (*use)(void *user, const struct certdeploy_endpoint *endpoint), void *user);

	/** The edits for all assignments of this service. None for an endpoint that has it already. */
	int (*plan)(struct certdeploy_reading *reading, const struct certdeploy_assignment *assignments,
		    size_t count, struct certdeploy_edits *edits);

	/**
	 * Would this server read a file at path as configuration (because an Include matches it)?
	 * Backups and staged files stay away from there. NULL: never.
	 */
	bool (*reads)(struct certdeploy_reading *reading, const char *path);

	/**
	 * The copy of the configuration to judge, of the files as this reading sees them, and the questions
	 * about it. Called with the old and with the new reading. NULL: nothing to rehearse.
	 */
	int (*rehearse)(struct certdeploy_reading *reading, struct certdeploy_rehearsal *rehearsal);

	/**
	 * The command for an action where the settings name none; *argv NULL: there is none. NULL: only the
	 * settings name commands.
	 */
	int (*command)(struct certdeploy_reading *reading, enum certdeploy_action action,
		       const char *const **argv);

	/** Fill in what is true of this server; all is zero before. NULL: nothing is known of its process.
	 */
	int (*daemon)(struct certdeploy_reading *reading, struct certdeploy_daemon *daemon);

	/**
	 * The default endpoints of one address (numeric), one call of use() each: those of the reading
	 * that no other address shares, or new ones (absent) where the server can be given an entry for
	 * the address. port 0: of every port. NULL: endpoints without a name whose address equals it.
	 */
	int (*answers_address)(struct certdeploy_reading *reading, const char *address, uint16_t port,
			       int (*use)(void *user, const struct certdeploy_endpoint *endpoint),
			       void *user);

	/**
	 * Report what would not be served as it is configured although no configuration file says so, like
	 * an index that was not made anew from its source. Asked by verify. NULL: nothing of the kind.
	 *
	 * @return 0; CERTDEPLOY_EDIFFERENT when something was reported as an error
	 */
	int (*inspect)(struct certdeploy_reading *reading);

	/**
	 * The names of the settings in certdeploy.conf that this adapter asks for, NULL-terminated, without
	 * "config" and the commands. One that no adapter asks for is refused, so that a mistyped one never
	 * goes unnoticed. NULL: of this adapter's services none is refused.
	 */
	const char *const *settings;
};

/** The one symbol that a loadable adapter exports. */
#define CERTDEPLOY_ADAPTER_SYMBOL "certdeploy_adapter_v1"

#ifdef __cplusplus
}
#endif

#endif
