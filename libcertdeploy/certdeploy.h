/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * certdeploy.h - put a TLS certificate into service, proven or not at all
 *
 * A caller makes a handle, describes what it wants in a request, calls one operation and walks the
 * result:
 *
 *	struct certdeploy *cd = NULL;
 *	struct certdeploy_request *request = NULL;
 *	struct certdeploy_result *result = NULL;
 *
 *	if (certdeploy_new(&cd, NULL) == 0 && certdeploy_request_new(&request, cd) == 0 &&
 *	    certdeploy_request_add_file(request, CERTDEPLOY_MATERIAL_ANY, "fullchain.pem") == 0 &&
 *	    certdeploy_request_add_file(request, CERTDEPLOY_MATERIAL_KEY, "privkey.pem") == 0)
 *		certdeploy_deploy(&result, cd, request);
 *
 * Conventions:
 *  - Functions return 0 or a negative enum certdeploy_code. Out-parameters come first and are set to
 *    NULL when nothing could be made; without one, CERTDEPLOY_EUSAGE is returned and nothing is done.
 *  - What is returned through an out-parameter belongs to the caller and has a _free function, which
 *    accepts NULL. What is returned as a pointer to const belongs to the object it was asked of and
 *    lives as long as that.
 *  - A handle, request or result that is NULL stands for one that could not be made for want of memory:
 *    asked for its error, code or parts it says so, or has none; what is done with the handle or added to
 *    the request returns CERTDEPLOY_ENOMEM. Only an operation takes a request that is NULL, for one that
 *    says nothing.
 *  - Strings are UTF-8. Times are seconds since the epoch, UTC.
 *  - A handle is used by one thread at a time; different handles may be used by different threads
 *    at once. The library prints nothing, never exits and leaves the process's directory, umask,
 *    environment, locale and signal handlers alone. Children it starts are reaped by process id.
 *  - Structures that the library fills may grow at their end in later releases: reach them through
 *    pointers only, never copy or index them by their size. Structures that a caller fills begin with
 *    their size. The numbers of the enumerations stay for ever; new ones are added at the end.
 *  - Everything that a program needs can be reached without C's macros and without a varargs function.
 *  - "Since" names the release that brought a declaration; a structure's members without one are as old
 *    as the structure.
 */
#ifndef CERTDEPLOY_H
#define CERTDEPLOY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CERTDEPLOY_API __attribute__((visibility("default")))
#define CERTDEPLOY_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define CERTDEPLOY_API
#define CERTDEPLOY_PRINTF(f, a)
#endif

/** How an operation ended. The tool's exit status is the negated value. Since 0.1. */
enum certdeploy_code {
	CERTDEPLOY_OK = 0,
	CERTDEPLOY_EFAILED = -1,      /**< failed, nothing changed */
	CERTDEPLOY_EUSAGE = -2,       /**< the request makes no sense */
	CERTDEPLOY_EPARTIAL = -3,     /**< some done, some failed */
	CERTDEPLOY_EROLLEDBACK = -4,  /**< failed and put back */
	CERTDEPLOY_EBROKEN = -5,      /**< putting back failed too: needs a person */
	CERTDEPLOY_EREFUSED = -6,     /**< refused by a check, nothing changed */
	CERTDEPLOY_ELOCKED = -7,      /**< another run holds the lock */
	CERTDEPLOY_EDIFFERENT = -8,   /**< verify found a difference */
	CERTDEPLOY_EPERMISSION = -9,  /**< the caller may not do this */
	CERTDEPLOY_ENOMEM = -64,      /**< out of memory, nothing changed */
	CERTDEPLOY_ENOTFOUND = -65,   /**< no such file, name or transaction */
	CERTDEPLOY_ECANCELLED = -130, /**< a callback asked to stop; nothing changed or put back */
};

/** Since 0.1. */
enum certdeploy_severity {
	CERTDEPLOY_NOTICE = 0,
	CERTDEPLOY_WARNING = 1,
	CERTDEPLOY_ERROR = 2,
};

/** Something wrong or noteworthy. Every check in the library reports in this form. Since 0.1. */
struct certdeploy_problem {
	enum certdeploy_severity severity;
	const char *code;    /**< a word that stays for ever, e.g. "key-mismatch" */
	const char *message; /**< one sentence in the user's language */
	const char *fix;     /**< what to do next, or NULL */
	const char *file;    /**< where, or NULL */
	size_t line;         /**< 1 for the first line; 0: no line */
	const char *service; /**< the service concerned, or NULL */
	/** What was filled into the sentence, in order, NULL-terminated: for callers' own texts. */
	const char *const *parameters;
	/** Which of several certificates in one request (certdeploy_request_next()), from 1; 0: none. */
	size_t order;
};

/* ---- the handle ---- */

/** Since 0.1. */
struct certdeploy;

/**
 * Called between steps: what is being done ("plan", "verify", or a service's name), done of total.
 * Return other than 0 to cancel: the operation stops before its next step, puts back what it had begun
 * and returns CERTDEPLOY_ECANCELLED.
 *
 * @since 0.1
 */
typedef int certdeploy_progress_fn(void *user, const char *what, size_t done, size_t total);

/** Since 0.1. */
enum certdeploy_log_level {
	CERTDEPLOY_LOG_ERROR = 0,
	CERTDEPLOY_LOG_WARNING = 1,
	CERTDEPLOY_LOG_INFORMATION = 2,
	CERTDEPLOY_LOG_DETAIL = 3,
};

/**
 * Called for each line worth a log, without a newline. level: an enum certdeploy_log_level.
 *
 * @since 0.1
 */
typedef void certdeploy_log_fn(void *user, int level, const char *line);

/**
 * Called when origin (a file's name) needs a passphrase. Write at most size bytes, without a NUL,
 * to buffer and return their number, or a negative value when there is none. The library wipes it.
 *
 * @since 0.1
 */
typedef int certdeploy_passphrase_fn(void *user, const char *origin, char *buffer, size_t size);

/** Since 0.1. */
struct certdeploy_options {
	size_t size; /**< sizeof(struct certdeploy_options), as CERTDEPLOY_OPTIONS_INIT has it */
	const char *config_file; /**< NULL: the installed default, where a missing file is no error */
	const char *root;        /**< work on this tree as if it were "/"; NULL: the host itself */
	/**
	 * For messages, e.g. "ja" or "en", whether or not the system has its locale; nothing of the process
	 * or the environment is looked at. NULL: as gettext finds it in the thread's locale.
	 */
	const char *language;
	certdeploy_progress_fn *progress;
	certdeploy_log_fn *log;
	certdeploy_passphrase_fn *passphrase;
	void *user; /**< handed to the callbacks */
};

/** What every options structure begins as. Since 0.1. */
#define CERTDEPLOY_OPTIONS_INIT                                                                            \
	{                                                                                                  \
		sizeof(struct certdeploy_options), NULL, NULL, NULL, NULL, NULL, NULL, NULL                \
	}

/**
 * The same by a function, for languages without C's macros: set a structure of size bytes to the
 * defaults. A binding of an older header passes its own, smaller size.
 *
 * @return 0; CERTDEPLOY_EUSAGE: larger than this library's structure, or too small to hold its size
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_options_init(struct certdeploy_options *options, size_t size);

/**
 * Make a handle.
 *
 * @param out      the handle; free with certdeploy_free(). Also set when the configuration
 *                 cannot be used, to a handle for the way back alone.
 * @param options  NULL for the defaults
 * @return 0; CERTDEPLOY_EREFUSED: the configuration is not understood or not safe to trust
 *         (certdeploy_error() says why); CERTDEPLOY_EPERMISSION; CERTDEPLOY_ENOMEM (*out is NULL).
 *         Where *out is not NULL, recover, rollback, history, show and diff work all the same, with
 *         the state directory that the file names in plain words (state = "/PATH") or the default
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_new(struct certdeploy **out, const struct certdeploy_options *options);
/**
 * End a handle. Requests made with it end before it; results may outlive it. NULL is accepted.
 *
 * @since 0.1
 */
CERTDEPLOY_API void certdeploy_free(struct certdeploy *cd);

/**
 * The problem that ended the last failed call on this handle, or NULL. Belongs to the handle and lives
 * until the next call on it, or on one of its requests.
 *
 * @since 0.1
 */
CERTDEPLOY_API const struct certdeploy_problem *certdeploy_error(const struct certdeploy *cd);

/** This library's version, "MAJOR.MINOR.PATCH". Static. Since 0.1. */
CERTDEPLOY_API const char *certdeploy_version(void);

/**
 * The name of a code for logs and bindings, e.g. "rolled-back"; "unknown" for a number that is none.
 * Static.
 *
 * @since 0.1
 */
CERTDEPLOY_API const char *certdeploy_code_name(int code);

/* ---- the request ---- */

/** Since 0.1. */
struct certdeploy_request;

/** Since 0.1. */
enum certdeploy_material_kind {
	CERTDEPLOY_MATERIAL_ANY = 0, /**< whatever is inside, in any order */
	CERTDEPLOY_MATERIAL_CERT = 1,
	CERTDEPLOY_MATERIAL_KEY = 2,
	CERTDEPLOY_MATERIAL_CHAIN = 3,
	CERTDEPLOY_MATERIAL_FULLCHAIN = 4,
	CERTDEPLOY_MATERIAL_PKCS12 = 5,
	CERTDEPLOY_MATERIAL_CSR = 6,     /**< for certdeploy_check() */
	CERTDEPLOY_MATERIAL_ARCHIVE = 7, /**< for certdeploy_import(): a whole store */
};

/** Lists that a request holds. Each may be given any number of times, unless noted. Since 0.1. */
enum certdeploy_list_option {
	CERTDEPLOY_SERVICE = 1,      /**< a service's name; none: all that are found */
	CERTDEPLOY_HOSTNAME = 2,     /**< target: what answers for this name; "~REGEX" for a pattern */
	CERTDEPLOY_ADDRESS = 3,      /**< target: default of the listeners bound to IP[:PORT] */
	CERTDEPLOY_LISTENER = 4,     /**< target: a listener as certdeploy_list() names it */
	CERTDEPLOY_ACCEPT = 5,       /**< the code of a problem to let pass */
	CERTDEPLOY_NAME = 6,         /**< the certificate's name in the store; once */
	CERTDEPLOY_INSTALL_CERT = 7, /**< install to this path instead of the store; once, like the next */
	CERTDEPLOY_INSTALL_KEY = 8,
	CERTDEPLOY_INSTALL_CHAIN = 9,
	CERTDEPLOY_INSTALL_FULLCHAIN = 10,
	CERTDEPLOY_TRANSACTION = 11, /**< a transaction's id, for show, diff and rollback; once */
	CERTDEPLOY_FILE = 12,        /**< rollback: only this file */
	/* certdeploy_csr(): the fields of a request; each once, but names and units */
	CERTDEPLOY_COMMON_NAME = 13, /**< default: the first name */
	CERTDEPLOY_SAN = 14,         /**< a host name or IP address to be covered */
	CERTDEPLOY_ORGANIZATION = 15,
	CERTDEPLOY_UNIT = 16,
	CERTDEPLOY_LOCALITY = 17,
	CERTDEPLOY_STATE = 18,
	CERTDEPLOY_COUNTRY = 19, /**< two letters */
	CERTDEPLOY_EMAIL = 20,
	/** "rsa:2048" (default), "rsa:3072", "rsa:4096", "ec:p256", "ec:p384", "ed25519" */
	CERTDEPLOY_KEY_TYPE = 21,
	CERTDEPLOY_PROFILE =
		22, /**< "lenient" (default), "strict" or one of the settings: the fields' rules */
	/** certdeploy_export(): "pkcs12" (default), "pkcs12-legacy", "pem", "cert", "key", … */
	CERTDEPLOY_FORMAT = 23,
	/**
	 * Whom an installed file belongs to and who may read it, as "key=root:ssl-cert:0640": the part
	 * (cert, chain, fullchain, key or combined), then owner, group and mode, each of which may be
	 * empty. Keys are never wider than 0640. What is installed later under the same name keeps it.
	 */
	CERTDEPLOY_PERMISSIONS = 24,
	CERTDEPLOY_NEW_NAME = 25, /**< certdeploy_store_rename(): the name to be; once */
};

/** Since 0.1. */
enum certdeploy_flag {
	CERTDEPLOY_DEFAULT = 1,           /**< target: the default of each service */
	CERTDEPLOY_ALL = 2,               /**< target: every endpoint */
	CERTDEPLOY_NO_TEST = 3,           /**< do not run the servers' configuration tests */
	CERTDEPLOY_NO_RELOAD = 4,         /**< do not reload (nor, therefore, verify) */
	CERTDEPLOY_NO_VERIFY = 5,         /**< do not look at the ports */
	CERTDEPLOY_INSTALL_ONLY = 6,      /**< place the files, leave every configuration alone */
	CERTDEPLOY_RESTART = 7,           /**< restart instead of reload */
	CERTDEPLOY_LIVE = 8,              /**< certdeploy_list(): also what each port serves now */
	CERTDEPLOY_ALSO_CHANGES = 9,      /**< names outside the target may change; the result lists them */
	CERTDEPLOY_DROP_OTHER_TYPES = 10, /**< replace pairs of other key types too */
	CERTDEPLOY_FORCE = 11,            /**< rollback, recover: overwrite what was changed since */
	CERTDEPLOY_KEEP_GOING = 12,       /**< services stand alone: one may fail and the others change */
	CERTDEPLOY_WAIT = 13,             /**< seconds to wait for other runs, and to plan again (30) */
	CERTDEPLOY_VERIFY_TIMEOUT = 14,   /**< seconds to wait for a port to serve the new certificate */
	CERTDEPLOY_KEEP = 15,             /**< prune: backups to keep */
	CERTDEPLOY_OLDER = 16,            /**< prune: only what is older than so many seconds */
	CERTDEPLOY_ALL_OR_NOTHING = 17, /**< of several certificates none is deployed when one cannot be */
	CERTDEPLOY_NO_REMEMBER = 18,    /**< do not keep the deployment for renewals without arguments */
	CERTDEPLOY_WARN_SECONDS = 19,   /**< expiry: warn when less than so many seconds are left … */
	CERTDEPLOY_WARN_PERCENT = 20,   /**< … or less than so many percent of its life */
	CERTDEPLOY_CRIT_SECONDS = 21,   /**< expiry: the same for a critical state */
	CERTDEPLOY_CRIT_PERCENT = 22,
	CERTDEPLOY_SELF_SIGNED =
		23,           /**< certdeploy_csr(): a certificate signed by itself instead of a request */
	CERTDEPLOY_DAYS = 24, /**< certdeploy_csr(): how long that is valid (default 365) */
	CERTDEPLOY_ENCRYPT_KEY = 25, /**< certdeploy_csr(): ask for a passphrase and encrypt the key */
	CERTDEPLOY_NOT_STORED =
		26, /**< certdeploy_csr(): only hand the result out, keep nothing on the host */
	/** A missing issuer may be fetched by HTTP from where the certificate says. */
	CERTDEPLOY_FETCH_ISSUER = 27,
	CERTDEPLOY_REUSE_KEY =
		28, /**< certdeploy_csr(): the key that CERTDEPLOY_NAME has now, not a new one */
	CERTDEPLOY_VERIFY_SCOPE = 29, /**< enum certdeploy_verify_scope: which ports prove a deployment */
};

/** What is looked at after a reload: a handshake takes the server's time. Since 0.1. */
enum certdeploy_verify_scope {
	CERTDEPLOY_VERIFY_CHANGED = 0, /**< all that changes, and a few that must not; the default */
	CERTDEPLOY_VERIFY_ALL = 1,     /**< every endpoint of the services that change */
	CERTDEPLOY_VERIFY_SAMPLE = 2,  /**< a few of those that change, and a few that must not */
};

/**
 * Make an empty request for operations of this handle.
 *
 * @param out  the caller's; free with certdeploy_request_free(), before the handle
 * @return 0; CERTDEPLOY_ENOMEM
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_request_new(struct certdeploy_request **out, struct certdeploy *cd);
/** End a request; keys in it are wiped. NULL is accepted. Since 0.1. */
CERTDEPLOY_API void certdeploy_request_free(struct certdeploy_request *request);

/**
 * Leave out the certificate that is being added, because some of it could not be read or was too large: an
 * operation says that once more, with its place among the others, and goes on with these, unless all or
 * none are wanted (CERTDEPLOY_ALL_OR_NOTHING).
 *
 * @return 0; CERTDEPLOY_EUSAGE: nothing of it was refused; CERTDEPLOY_ENOMEM
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_request_leave_out(struct certdeploy_request *request);

/**
 * Begin another certificate in the same request: material, names and target added from here on belong
 * to it. All are deployed in one transaction, with one test and one reload of each service. Flags
 * other than CERTDEPLOY_DEFAULT and CERTDEPLOY_ALL, and the lists SERVICE and ACCEPT (of the first),
 * hold for the whole request.
 *
 * @return 0; CERTDEPLOY_EUSAGE: more than 100,000; CERTDEPLOY_ENOMEM
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_request_next(struct certdeploy_request *request);

/**
 * Add certificates or keys from memory. The bytes are copied; keys are wiped when the request ends.
 * Pieces may come in any order and be repeated for a second key type: keys find their certificates.
 *
 * @param origin  what to call the bytes in messages, e.g. a file's name; NULL: a name for the kind
 * @return 0; CERTDEPLOY_EREFUSED: larger than any sensible certificate; CERTDEPLOY_ENOMEM
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_request_add_memory(struct certdeploy_request *request,
						 enum certdeploy_material_kind kind, const void *bytes,
						 size_t length, const char *origin);

/**
 * The same from a file, read at once. Never pass a path that an untrusted person chose.
 *
 * @return 0; CERTDEPLOY_EREFUSED: too large, or not a regular file; CERTDEPLOY_EPERMISSION;
 *         CERTDEPLOY_EFAILED: cannot be read; CERTDEPLOY_ENOMEM
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_request_add_file(struct certdeploy_request *request,
					       enum certdeploy_material_kind kind, const char *path);

/**
 * Add to a list of the request; the value is copied.
 *
 * @return 0; CERTDEPLOY_EUSAGE: no such list, or value is NULL; CERTDEPLOY_ENOMEM. What a value may be is
 *         judged by the operation.
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_request_add(struct certdeploy_request *request,
					  enum certdeploy_list_option option, const char *value);

/**
 * Set a flag (value 1), unset it (0) or, where it counts seconds or pieces, give its value.
 *
 * @return 0; CERTDEPLOY_EUSAGE: no such flag, or a negative value
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_request_set(struct certdeploy_request *request, enum certdeploy_flag flag,
					  long value);

/* ---- the result ---- */

/** Since 0.1. */
struct certdeploy_result;

/** Since 0.1. */
struct certdeploy_certificate_report {
	const char *name;     /**< in the store, or the first DNS name */
	const char *sha256;   /**< of the leaf, 64 lower-case hexadecimal digits */
	const char *key_type; /**< "rsa", "ecdsa", "ed25519", … */
	unsigned key_bits;
	const char *const *names; /**< DNS names and IP addresses, NULL-terminated */
	const char *subject;
	const char *issuer;
	const char *serial; /**< hexadecimal */
	int64_t not_before;
	int64_t not_after;
	const char *public_key_sha256; /**< of the SubjectPublicKeyInfo */
	const char *signature;         /**< signature algorithm, e.g. "sha256WithRSAEncryption" */
	const char *const *usages;     /**< extended key usages by short name, NULL-terminated */
	bool must_staple;
	bool self_signed;
	bool authority; /**< a CA certificate */
	/** From the leaf's issuer on, in order, NULL-terminated; NULL for a chain's own members. */
	const struct certdeploy_certificate_report *const *chain;
	bool chain_complete; /**< ends at an anchor that this host trusts, or at a self-signed one */
	/** names, in the same order, as people write them: `日本語.jp` for `xn--wgv71a119e.jp`. */
	const char *const *names_unicode;
	const char *missing_issuer; /**< the issuer that the chain lacks, or NULL */
	const char *key_origin;     /**< where its key was found, or NULL */
	/** certdeploy_check() of a request: the certificate in the store whose key it has, or NULL. */
	const char *stored_as;
	/* certdeploy_store_list(): sha256 is NULL where a name has requests alone */
	const char *generation; /**< directory that is current, or NULL */
	unsigned generations;   /**< kept under this name */
	unsigned waiting;       /**< requests whose certificate has not come */
};

/** Since 0.1. */
struct certdeploy_endpoint_report {
	const char *name;     /**< host name (SNI) or NULL: the default */
	const char *listen;   /**< the listener as configured, e.g. "*:443", "smtps/inet" */
	const char *protocol; /**< "https", "smtp", "smtps", "submission", "imap", "imaps", … */
	const char *file;     /**< the line that decides the certificate */
	size_t line;
	const char *certificate; /**< path that stands there, or will */
	const char *key;
	const char *sha256; /**< of the leaf in that file, or NULL: unreadable or none */
	const char *key_type;
	int64_t not_after;         /**< of that leaf; 0: unknown */
	const char *served_sha256; /**< what the port served when it was last looked at, or NULL */
	int64_t served_not_after;
	bool is_default;
	bool tls;       /**< false: the listener serves no TLS */
	bool inherited; /**< taken from a wider scope: main server, global section */
	bool targeted;
	bool verified;
	const char *note;   /**< e.g. "managed by mod_md", or NULL */
	int64_t not_before; /**< of that leaf; 0: unknown */
	/** certdeploy_expiry(): "good", "warning", "critical", "expired", "unknown"; else NULL. */
	const char *expiry;
	/**
	 * The same endpoint with its certificate of another key type, which its clients get as well, and so
	 * on; NULL: none, or not asked (by what changes something). What is served, verified and left of
	 * its life is each certificate's own.
	 */
	const struct certdeploy_endpoint_report *also;
};

/** Since 0.1. */
struct certdeploy_service_report {
	const char *name;
	const char *adapter;
	const char *version; /**< of the server, or NULL */
	const char *config;  /**< its main configuration file */
	const char *action;  /**< "none", "reload", "restart", "start" */
	/** "unchanged", "planned", "changed", "reloaded", "verified", "rolled-back", "failed" */
	const char *state;
	int running;                                               /**< 1 yes, 0 no, -1 not known */
	const struct certdeploy_endpoint_report *const *endpoints; /**< NULL-terminated */
	/** the transaction that changed it, or tried to; NULL: none. One for all but with KEEP_GOING. */
	const char *transaction;
};

/** Since 0.1. */
struct certdeploy_file_report {
	const char *path;
	const char *change; /**< "edited", "created", "replaced", "removed", "restored", "unchanged" */
	const char *backup; /**< path of the original's copy, or NULL */
	const char *service;
};

/** Since 0.1. */
struct certdeploy_transaction_report {
	const char *id; /**< e.g. "20261121T201136Z-1" */
	int64_t time;
	const char *command;
	const char *who;                 /**< e.g. "root (sudo: hanako)" */
	const char *result;              /**< "committed", "rolled-back", "interrupted", "broken" */
	const char *const *certificates; /**< names, NULL-terminated */
	const char *const *services;
	const char *const *files;
};

/** Since 0.1. */
struct certdeploy_adapter_report {
	const char *name;
	const char *summary;
	const char *file; /**< of a loaded module; NULL: built in */
};

/**
 * Something made by an operation for the caller to keep: a key, a request, a PKCS#12 file.
 *
 * @since 0.1
 */
struct certdeploy_output {
	const char *name;  /**< "key", "csr", "certificate", "pkcs12", "pem", "tlsa" */
	const void *bytes; /**< text is followed by a NUL that does not count */
	size_t length;
	bool secret; /**< holds a private key: write it to a file of mode 0600; wiped with the result */
	bool text;   /**< PEM or lines; else binary */
};

/**
 * End a result, and all that was asked of it; keys in it are wiped. NULL is accepted.
 *
 * @since 0.1
 */
CERTDEPLOY_API void certdeploy_result_free(struct certdeploy_result *result);

/** The code that the operation returned, so that a result can be judged on its own. Since 0.1. */
CERTDEPLOY_API int certdeploy_result_code(const struct certdeploy_result *result);
/** Whether the operation changed the host; false when everything was put back. Since 0.1. */
CERTDEPLOY_API bool certdeploy_result_changed(const struct certdeploy_result *result);
/** Transaction id, or NULL when nothing was begun. Since 0.1. */
CERTDEPLOY_API const char *certdeploy_result_transaction(const struct certdeploy_result *result);
/** Unified diff of the configuration, without keys; "" when nothing differs. Since 0.1. */
CERTDEPLOY_API const char *certdeploy_result_diff(const struct certdeploy_result *result);

/*
 * The parts of a result by position, from 0; NULL past the end. Each belongs to the result. An operation
 * fills those that it has something to say in: see certdeploy_result(3).
 */

/** What is wrong or noteworthy, in the order found. Since 0.1. */
CERTDEPLOY_API const struct certdeploy_problem *
certdeploy_result_problem(const struct certdeploy_result *result, size_t position);
/** The certificates given, stored or asked for. Since 0.1. */
CERTDEPLOY_API const struct certdeploy_certificate_report *
certdeploy_result_certificate(const struct certdeploy_result *result, size_t position);
/** The services concerned, with their endpoints. Since 0.1. */
CERTDEPLOY_API const struct certdeploy_service_report *
certdeploy_result_service(const struct certdeploy_result *result, size_t position);
/** The files that an operation changes, or changed. Since 0.1. */
CERTDEPLOY_API const struct certdeploy_file_report *
certdeploy_result_file(const struct certdeploy_result *result, size_t position);
/** Transactions, the newest first. Since 0.1. */
CERTDEPLOY_API const struct certdeploy_transaction_report *
certdeploy_result_history(const struct certdeploy_result *result, size_t position);
/** Adapters, built in and loaded. Since 0.1. */
CERTDEPLOY_API const struct certdeploy_adapter_report *
certdeploy_result_adapter(const struct certdeploy_result *result, size_t position);

/** What was made for the caller to keep. Since 0.1. */
CERTDEPLOY_API const struct certdeploy_output *
certdeploy_result_output(const struct certdeploy_result *result, size_t position);

/* ---- the operations ----
 *
 * Each makes a result, also when it fails, unless memory is short. The request may be NULL where
 * nothing needs to be said. "Reads only" means that nothing outside the process changes.
 */

/** Services found on this host. Reads only. Since 0.1. */
CERTDEPLOY_API int certdeploy_discover(struct certdeploy_result **out, struct certdeploy *cd,
				       const struct certdeploy_request *request);
/** Every endpoint and its certificate. Reads only. Since 0.1. */
CERTDEPLOY_API int certdeploy_list(struct certdeploy_result **out, struct certdeploy *cd,
				   const struct certdeploy_request *request);
/**
 * Describe the request's material and check it. With CERTDEPLOY_NAME also what it changes against the
 * certificate installed under that name, as notices ("names-added", "names-removed", "key-changed", …);
 * with that name alone, the installed one. Reads only. EREFUSED when it must not be used.
 *
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_check(struct certdeploy_result **out, struct certdeploy *cd,
				    const struct certdeploy_request *request);
/**
 * What certdeploy_deploy() would do. Reads only. A request without material means the certificate of
 * CERTDEPLOY_NAME in the store or, without a name, every remembered deployment.
 *
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_plan(struct certdeploy_result **out, struct certdeploy *cd,
				   const struct certdeploy_request *request);
/** Make the target serve the certificate, proven, or change nothing. Since 0.1. */
CERTDEPLOY_API int certdeploy_deploy(struct certdeploy_result **out, struct certdeploy *cd,
				     const struct certdeploy_request *request);
/** Compare store, configuration and wire. Reads only. EDIFFERENT when they differ. Since 0.1. */
CERTDEPLOY_API int certdeploy_verify(struct certdeploy_result **out, struct certdeploy *cd,
				     const struct certdeploy_request *request);
/**
 * What runs out when: every endpoint's certificate as configured and as served, the worse of the two in
 * its `expiry`, and the store's certificates. By default a warning is due when less than a third of its
 * life is left, a critical state below a tenth; for lives under ten days a half and a fifth. Reads only.
 * Returns 0 also when something runs out: the problems "expires-soon" and "expired" say so.
 *
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_expiry(struct certdeploy_result **out, struct certdeploy *cd,
				     const struct certdeploy_request *request);
/**
 * Why is it not served? Checks in order of dependency, for the host names of the request or everything:
 * what hangs on a failed check is not looked at. Each finding is a problem with its fix. Reads only.
 * EDIFFERENT when one of them is an error.
 *
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_doctor(struct certdeploy_result **out, struct certdeploy *cd,
				     const struct certdeploy_request *request);
/** Past transactions, newest first. Reads only. Since 0.1. */
CERTDEPLOY_API int certdeploy_history(struct certdeploy_result **out, struct certdeploy *cd,
				      const struct certdeploy_request *request);
/** One past transaction: its files, services and problems. Reads only. Since 0.1. */
CERTDEPLOY_API int certdeploy_show(struct certdeploy_result **out, struct certdeploy *cd,
				   const struct certdeploy_request *request);
/** What one past transaction changed, as a unified diff. Reads only. Since 0.1. */
CERTDEPLOY_API int certdeploy_diff(struct certdeploy_result **out, struct certdeploy *cd,
				   const struct certdeploy_request *request);
/** Put back what a transaction (default: the last that changed a file) changed. Since 0.1. */
CERTDEPLOY_API int certdeploy_rollback(struct certdeploy_result **out, struct certdeploy *cd,
				       const struct certdeploy_request *request);
/** Finish or undo what an interrupted run left. Since 0.1. */
CERTDEPLOY_API int certdeploy_recover(struct certdeploy_result **out, struct certdeploy *cd,
				      const struct certdeploy_request *request);
/** Remove old backups. Since 0.1. */
CERTDEPLOY_API int certdeploy_prune(struct certdeploy_result **out, struct certdeploy *cd,
				    const struct certdeploy_request *request);
/**
 * Make a private key and a certificate signing request, or a self-signed certificate. Kept in the store
 * under CERTDEPLOY_NAME (default: the first name), where a certificate issued later finds its key,
 * unless CERTDEPLOY_NOT_STORED; handed out as outputs "key" and "csr" or "certificate".
 *
 * @return 0; CERTDEPLOY_EREFUSED: a field breaks the rules; CERTDEPLOY_EUSAGE: no name, unknown key type
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_csr(struct certdeploy_result **out, struct certdeploy *cd,
				  const struct certdeploy_request *request);
/**
 * Hand out what the store has under CERTDEPLOY_NAME, in CERTDEPLOY_FORMAT: "pkcs12" (AES-256) and
 * "pkcs12-legacy" (3DES and SHA-1, for old Windows and Java) ask for a passphrase; "pem" is key, leaf
 * and chain; "cert", "chain", "fullchain" and "key" are single parts. A name with certificates of two key
 * types gives one output with both. Reads only.
 *
 * With CERTDEPLOY_ALL instead of a name: the whole store as output "archive", one PKCS#12 (AES-256, RFC
 * 7292) whose entries have the names of the store as their friendly names. Requests that wait
 * are in it with their keys.
 *
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_export(struct certdeploy_result **out, struct certdeploy *cd,
				     const struct certdeploy_request *request);
/**
 * Put the request's material into the store under CERTDEPLOY_NAME; no configuration changes.
 *
 * With a CERTDEPLOY_MATERIAL_ARCHIVE alone: all that is in it, under its own names, in one transaction.
 * It must be sealed by a passphrase. Each certificate is checked with its key and chain as if it had been
 * given by itself; what was accepted where it comes from, or has ended, is only noted.
 *
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_import(struct certdeploy_result **out, struct certdeploy *cd,
				     const struct certdeploy_request *request);
/**
 * The names of the store: one report for each key type, with its generations and the requests that wait.
 * Reads only.
 *
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_store_list(struct certdeploy_result **out, struct certdeploy *cd,
					 const struct certdeploy_request *request);
/**
 * Give CERTDEPLOY_NAME the name CERTDEPLOY_NEW_NAME: generations, requests and the remembered deployment.
 *
 * @return 0; CERTDEPLOY_EREFUSED: "unknown-name", "name-taken", or "in-use", when a configuration still
 *         names it
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_store_rename(struct certdeploy_result **out, struct certdeploy *cd,
					   const struct certdeploy_request *request);
/**
 * Take CERTDEPLOY_NAME out of the store, with its requests and its remembered deployment; the backup has
 * them until it is pruned.
 *
 * @return 0; CERTDEPLOY_EREFUSED: "unknown-name", or "in-use", when a configuration still names it
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_store_remove(struct certdeploy_result **out, struct certdeploy *cd,
					   const struct certdeploy_request *request);
/**
 * Take into the store what servers use today, of the endpoints that the request means (CERTDEPLOY_HOSTNAME,
 * CERTDEPLOY_LISTENER, CERTDEPLOY_DEFAULT, CERTDEPLOY_ALL), under CERTDEPLOY_NAME (default: the first
 * name). No configuration changes.
 *
 * @return 0; CERTDEPLOY_EREFUSED: "no-endpoint", "key-mismatch", or "name-taken", when the store has
 * another certificate of this name
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_store_adopt(struct certdeploy_result **out, struct certdeploy *cd,
					  const struct certdeploy_request *request);
/**
 * The DANE records (RFC 6698) of the store's certificate CERTDEPLOY_NAME, of the request's material, or of
 * both: the installed and the next one. 3 1 1 and 3 0 1, for the host names CERTDEPLOY_HOSTNAME (default:
 * the certificate's own). Keys of requests that wait for their certificate have 3 1 1. Reads only.
 *
 * @since 0.1
 */
CERTDEPLOY_API int certdeploy_tlsa(struct certdeploy_result **out, struct certdeploy *cd,
				   const struct certdeploy_request *request);
/** Adapters built in and loaded. Reads only. Since 0.1. */
CERTDEPLOY_API int certdeploy_adapters(struct certdeploy_result **out, struct certdeploy *cd,
				       const struct certdeploy_request *request);

#ifdef __cplusplus
}
#endif

#endif
