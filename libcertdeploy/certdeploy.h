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
 *    NULL when nothing could be made.
 *  - What is returned through an out-parameter belongs to the caller and has a _free function, which
 *    accepts NULL. What is returned as a pointer to const belongs to the object it was asked of and
 *    lives as long as that.
 *  - Strings are UTF-8. Times are seconds since the epoch, UTC.
 *  - A handle is used by one thread at a time; different handles may be used by different threads
 *    at once. The library prints nothing, never exits and leaves the process's directory, umask,
 *    environment, locale and signal handlers alone. Children it starts are reaped by process id.
 *  - Structures that the library fills may grow at their end in later releases: reach them through
 *    pointers only, never copy or index them by their size.
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

/** How an operation ended. The tool's exit status is the negated value. */
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

enum certdeploy_severity {
	CERTDEPLOY_NOTICE,
	CERTDEPLOY_WARNING,
	CERTDEPLOY_ERROR,
};

/** Something wrong or noteworthy. Every check in the library reports in this form. */
struct certdeploy_problem {
	enum certdeploy_severity severity;
	const char *code;    /**< a word that stays for ever, e.g. "key-mismatch" */
	const char *message; /**< one sentence in the user's language */
	const char *fix;     /**< what to do next, or NULL */
	const char *file;    /**< where, or NULL */
	size_t line;         /**< 1 for the first line; 0: no line */
	const char *service; /**< the service concerned, or NULL */
	/** What was filled into the sentence, in order, NULL-terminated: for a caller with its own texts. */
	const char *const *parameters;
};

/* ---- the handle ---- */

struct certdeploy;

/** Called between steps: what is being done, how far. Return other than 0 to cancel. */
typedef int certdeploy_progress_fn(void *user, const char *what, size_t done, size_t total);

/** Called for each line worth a log. level: 0 error, 1 warning, 2 information, 3 detail. */
typedef void certdeploy_log_fn(void *user, int level, const char *line);

/**
 * Called when origin (a file's name) needs a passphrase. Write at most size bytes, without a NUL,
 * to buffer and return their number, or a negative value when there is none. The library wipes it.
 */
typedef int certdeploy_passphrase_fn(void *user, const char *origin, char *buffer, size_t size);

struct certdeploy_options {
	size_t size;             /**< sizeof(struct certdeploy_options): see CERTDEPLOY_OPTIONS_INIT */
	const char *config_file; /**< NULL: the installed default, where a missing file is no error */
	const char *root;        /**< work on this tree as if it were "/"; NULL: the host itself */
	const char *language;    /**< for messages, e.g. "ja"; NULL: the thread's locale */
	certdeploy_progress_fn *progress;
	certdeploy_log_fn *log;
	certdeploy_passphrase_fn *passphrase;
	void *user; /**< handed to the callbacks */
};

#define CERTDEPLOY_OPTIONS_INIT {sizeof(struct certdeploy_options), NULL, NULL, NULL, NULL, NULL, NULL, NULL}

/**
 * Make a handle.
 *
 * @param out      the handle; free with certdeploy_free(). Also set, to a handle that can only be
 *                 asked for its error, when the configuration cannot be used.
 * @param options  NULL for the defaults
 * @return 0; CERTDEPLOY_EREFUSED: the configuration is not understood or not safe to trust
 *         (certdeploy_error() says why); CERTDEPLOY_EPERMISSION; CERTDEPLOY_ENOMEM (*out is NULL)
 */
CERTDEPLOY_API int certdeploy_new(struct certdeploy **out, const struct certdeploy_options *options);
CERTDEPLOY_API void certdeploy_free(struct certdeploy *cd);

/** The problem that ended the last failed call on this handle, or NULL. Lives until the next call. */
CERTDEPLOY_API const struct certdeploy_problem *certdeploy_error(const struct certdeploy *cd);

/** This library's version, "MAJOR.MINOR.PATCH". */
CERTDEPLOY_API const char *certdeploy_version(void);

/* ---- the request ---- */

struct certdeploy_request;

enum certdeploy_material_kind {
	CERTDEPLOY_MATERIAL_ANY, /**< whatever is inside, in any order */
	CERTDEPLOY_MATERIAL_CERT,
	CERTDEPLOY_MATERIAL_KEY,
	CERTDEPLOY_MATERIAL_CHAIN,
	CERTDEPLOY_MATERIAL_FULLCHAIN,
	CERTDEPLOY_MATERIAL_PKCS12,
	CERTDEPLOY_MATERIAL_CSR, /**< for certdeploy_check() */
};

/** Lists that a request holds. Each may be given any number of times, unless noted. */
enum certdeploy_list_option {
	CERTDEPLOY_SERVICE = 1, /**< a service's name; none: all that are found */
	CERTDEPLOY_HOSTNAME,    /**< target: what answers for this name; "~REGEX" for a pattern */
	CERTDEPLOY_ADDRESS,     /**< target: default of the listeners bound to IP[:PORT] */
	CERTDEPLOY_LISTENER,    /**< target: a listener as certdeploy_list() names it */
	CERTDEPLOY_ACCEPT,      /**< the code of a problem to let pass */
	CERTDEPLOY_NAME,        /**< the certificate's name in the store; once */
	CERTDEPLOY_INSTALL_CERT, /**< install to this path instead of the store; once, like the next */
	CERTDEPLOY_INSTALL_KEY,
	CERTDEPLOY_INSTALL_CHAIN,
	CERTDEPLOY_INSTALL_FULLCHAIN,
	CERTDEPLOY_TRANSACTION, /**< a transaction's id, for show, diff and rollback; once */
	CERTDEPLOY_FILE,        /**< rollback: only this file */
	/* certdeploy_csr(): the fields of a request; each once, but names and units */
	CERTDEPLOY_COMMON_NAME, /**< default: the first name */
	CERTDEPLOY_SAN,         /**< a host name or IP address to be covered */
	CERTDEPLOY_ORGANIZATION,
	CERTDEPLOY_UNIT,
	CERTDEPLOY_LOCALITY,
	CERTDEPLOY_STATE,
	CERTDEPLOY_COUNTRY, /**< two letters */
	CERTDEPLOY_EMAIL,
	CERTDEPLOY_KEY_TYPE, /**< "rsa:2048" (default), "rsa:3072", "rsa:4096", "ec:p256", "ec:p384", "ed25519" */
	CERTDEPLOY_PROFILE,  /**< "lenient" (default) or "strict": the rules for the fields */
	CERTDEPLOY_FORMAT,   /**< certdeploy_export(): "pkcs12" (default), "pkcs12-legacy", "pem", "cert", "key", … */
};

enum certdeploy_flag {
	CERTDEPLOY_DEFAULT = 1, /**< target: the default of each service */
	CERTDEPLOY_ALL,         /**< target: every endpoint */
	CERTDEPLOY_NO_TEST,     /**< do not run the servers' configuration tests */
	CERTDEPLOY_NO_RELOAD,   /**< do not reload (nor, therefore, verify) */
	CERTDEPLOY_NO_VERIFY,   /**< do not look at the ports */
	CERTDEPLOY_INSTALL_ONLY, /**< place the files, leave every configuration alone */
	CERTDEPLOY_RESTART,     /**< restart instead of reload */
	CERTDEPLOY_LIVE,        /**< certdeploy_list(): also what each port serves now */
	CERTDEPLOY_ALSO_CHANGES, /**< names outside the target may change; the result lists them */
	CERTDEPLOY_DROP_OTHER_TYPES, /**< replace pairs of other key types too */
	CERTDEPLOY_FORCE,       /**< rollback, recover: overwrite what was changed since */
	CERTDEPLOY_KEEP_GOING,  /**< services stand alone: one may fail and the others change */
	CERTDEPLOY_WAIT,        /**< seconds to wait for another run's lock (default 30) */
	CERTDEPLOY_VERIFY_TIMEOUT, /**< seconds to wait for a port to serve the new certificate */
	CERTDEPLOY_KEEP,        /**< prune: backups to keep */
	CERTDEPLOY_OLDER,       /**< prune: only what is older than so many seconds */
	CERTDEPLOY_ALL_OR_NOTHING, /**< of several certificates none is deployed when one cannot be */
	CERTDEPLOY_NO_REMEMBER, /**< do not keep the deployment for renewals without arguments */
	CERTDEPLOY_WARN_SECONDS, /**< expiry: warn when less than so many seconds are left … */
	CERTDEPLOY_WARN_PERCENT, /**< … or less than so many percent of its life */
	CERTDEPLOY_CRIT_SECONDS, /**< expiry: the same for a critical state */
	CERTDEPLOY_CRIT_PERCENT,
	CERTDEPLOY_SELF_SIGNED, /**< certdeploy_csr(): a certificate signed by itself instead of a request */
	CERTDEPLOY_DAYS,        /**< certdeploy_csr(): how long that is valid (default 365) */
	CERTDEPLOY_ENCRYPT_KEY, /**< certdeploy_csr(): ask for a passphrase and encrypt the key */
	CERTDEPLOY_NOT_STORED,  /**< certdeploy_csr(): only hand the result out, keep nothing on the host */
};

CERTDEPLOY_API int certdeploy_request_new(struct certdeploy_request **out, struct certdeploy *cd);
CERTDEPLOY_API void certdeploy_request_free(struct certdeploy_request *request);

/**
 * Begin another certificate in the same request: material, names and target added from here on belong
 * to it. All are deployed in one transaction, with one test and one reload of each service. Flags
 * other than CERTDEPLOY_DEFAULT and CERTDEPLOY_ALL, and the lists SERVICE and ACCEPT (of the first),
 * hold for the whole request.
 *
 * @return 0; CERTDEPLOY_EUSAGE: more than 100,000; CERTDEPLOY_ENOMEM
 */
CERTDEPLOY_API int certdeploy_request_next(struct certdeploy_request *request);

/**
 * Add certificates or keys from memory. The bytes are copied; keys are wiped when the request ends.
 * Pieces may come in any order and be repeated for a second key type: keys find their certificates.
 *
 * @param origin  what to call the bytes in messages, e.g. a file's name; NULL: a name for the kind
 * @return 0; CERTDEPLOY_EREFUSED: larger than any sensible certificate; CERTDEPLOY_ENOMEM
 */
CERTDEPLOY_API int certdeploy_request_add_memory(struct certdeploy_request *request,
						 enum certdeploy_material_kind kind, const void *bytes,
						 size_t length, const char *origin);

/** The same from a file, read at once. Never pass a path that an untrusted person chose. */
CERTDEPLOY_API int certdeploy_request_add_file(struct certdeploy_request *request,
					       enum certdeploy_material_kind kind, const char *path);

CERTDEPLOY_API int certdeploy_request_add(struct certdeploy_request *request,
					  enum certdeploy_list_option option, const char *value);

/** Set a flag (value 1), unset it (0) or, where it counts seconds or pieces, give its value. */
CERTDEPLOY_API int certdeploy_request_set(struct certdeploy_request *request, enum certdeploy_flag flag,
					  long value);

/* ---- the result ---- */

struct certdeploy_result;

struct certdeploy_certificate_report {
	const char *name;   /**< in the store, or the first DNS name */
	const char *sha256; /**< of the leaf, 64 lower-case hexadecimal digits */
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
};

struct certdeploy_endpoint_report {
	const char *name;     /**< host name (SNI) or NULL: the default */
	const char *listen;   /**< the listener as configured, e.g. "*:443", "smtps/inet" */
	const char *protocol; /**< "https", "smtp", "smtps", "submission", "imap", "imaps", … */
	const char *file;     /**< the line that decides the certificate */
	size_t line;
	const char *certificate; /**< path that stands there, or will */
	const char *key;
	const char *sha256;        /**< of the leaf in that file, or NULL: unreadable or none */
	const char *key_type;
	int64_t not_after;         /**< of that leaf; 0: unknown */
	const char *served_sha256; /**< what the port served when it was last looked at, or NULL */
	int64_t served_not_after;
	bool is_default;
	bool tls;       /**< false: the listener serves no TLS */
	bool inherited; /**< taken from a wider scope: main server, global section */
	bool targeted;
	bool verified;
	const char *note; /**< e.g. "managed by mod_md", or NULL */
	int64_t not_before; /**< of that leaf; 0: unknown */
	/** certdeploy_expiry(): "good", "warning", "critical", "expired", "unknown"; else NULL. */
	const char *expiry;
};

struct certdeploy_service_report {
	const char *name;
	const char *adapter;
	const char *version; /**< of the server, or NULL */
	const char *config;  /**< its main configuration file */
	const char *action;  /**< "none", "reload", "restart", "start" */
	/** "unchanged", "planned", "changed", "reloaded", "verified", "rolled-back", "failed" */
	const char *state;
	int running; /**< 1 yes, 0 no, -1 not known */
	const struct certdeploy_endpoint_report *const *endpoints; /**< NULL-terminated */
};

struct certdeploy_file_report {
	const char *path;
	const char *change; /**< "edited", "created", "replaced", "removed", "restored", "unchanged" */
	const char *backup; /**< path of the original's copy, or NULL */
	const char *service;
};

struct certdeploy_transaction_report {
	const char *id; /**< e.g. "20261121T201136Z-1" */
	int64_t time;
	const char *command;
	const char *who;   /**< e.g. "root (sudo: hanako)" */
	const char *result; /**< "committed", "rolled-back", "interrupted", "broken" */
	const char *const *certificates; /**< names, NULL-terminated */
	const char *const *services;
	const char *const *files;
};

struct certdeploy_adapter_report {
	const char *name;
	const char *summary;
	const char *file; /**< of a loaded module; NULL: built in */
};

/** Something made by an operation for the caller to keep: a key, a request, a PKCS#12 file. */
struct certdeploy_output {
	const char *name; /**< "key", "csr", "certificate", "pkcs12", "pem", "tlsa" */
	const void *bytes; /**< text is followed by a NUL that does not count */
	size_t length;
	bool secret; /**< holds a private key: write it to a file of mode 0600; wiped with the result */
	bool text;   /**< PEM or lines; else binary */
};

CERTDEPLOY_API void certdeploy_result_free(struct certdeploy_result *result);

/** The code that the operation returned, so that a result can be judged on its own. */
CERTDEPLOY_API int certdeploy_result_code(const struct certdeploy_result *result);
CERTDEPLOY_API bool certdeploy_result_changed(const struct certdeploy_result *result);
/** Transaction id, or NULL when nothing was begun. */
CERTDEPLOY_API const char *certdeploy_result_transaction(const struct certdeploy_result *result);
/** Unified diff of the configuration, without keys; "" when nothing differs. */
CERTDEPLOY_API const char *certdeploy_result_diff(const struct certdeploy_result *result);

/* The parts of a result by position; NULL past the end. */
CERTDEPLOY_API const struct certdeploy_problem *
certdeploy_result_problem(const struct certdeploy_result *result, size_t position);
CERTDEPLOY_API const struct certdeploy_certificate_report *
certdeploy_result_certificate(const struct certdeploy_result *result, size_t position);
CERTDEPLOY_API const struct certdeploy_service_report *
certdeploy_result_service(const struct certdeploy_result *result, size_t position);
CERTDEPLOY_API const struct certdeploy_file_report *
certdeploy_result_file(const struct certdeploy_result *result, size_t position);
CERTDEPLOY_API const struct certdeploy_transaction_report *
certdeploy_result_history(const struct certdeploy_result *result, size_t position);
CERTDEPLOY_API const struct certdeploy_adapter_report *
certdeploy_result_adapter(const struct certdeploy_result *result, size_t position);

CERTDEPLOY_API const struct certdeploy_output *
certdeploy_result_output(const struct certdeploy_result *result, size_t position);

/* ---- the operations ----
 *
 * Each makes a result, also when it fails, unless memory is short. The request may be NULL where
 * nothing needs to be said. "Reads only" means that nothing outside the process changes.
 */

/** Services found on this host. Reads only. */
CERTDEPLOY_API int certdeploy_discover(struct certdeploy_result **out, struct certdeploy *cd,
				       const struct certdeploy_request *request);
/** Every endpoint and its certificate. Reads only. */
CERTDEPLOY_API int certdeploy_list(struct certdeploy_result **out, struct certdeploy *cd,
				   const struct certdeploy_request *request);
/** Describe the request's material and check it. Reads only. EREFUSED when it must not be used. */
CERTDEPLOY_API int certdeploy_check(struct certdeploy_result **out, struct certdeploy *cd,
				    const struct certdeploy_request *request);
/**
 * What certdeploy_deploy() would do. Reads only. A request without material means the certificate of
 * CERTDEPLOY_NAME in the store or, without a name, every remembered deployment.
 */
CERTDEPLOY_API int certdeploy_plan(struct certdeploy_result **out, struct certdeploy *cd,
				   const struct certdeploy_request *request);
/** Make the target serve the certificate, proven, or change nothing. */
CERTDEPLOY_API int certdeploy_deploy(struct certdeploy_result **out, struct certdeploy *cd,
				     const struct certdeploy_request *request);
/** Compare store, configuration and wire. Reads only. EDIFFERENT when they differ. */
CERTDEPLOY_API int certdeploy_verify(struct certdeploy_result **out, struct certdeploy *cd,
				     const struct certdeploy_request *request);
/**
 * What runs out when: every endpoint's certificate as configured and as served, the worse of the two in
 * its `expiry`, and the store's certificates. By default a warning is due when less than a third of its
 * life is left, a critical state below a tenth; for lives under ten days a half and a fifth. Reads only.
 * Returns 0 also when something runs out: the problems "expires-soon" and "expired" say so.
 */
CERTDEPLOY_API int certdeploy_expiry(struct certdeploy_result **out, struct certdeploy *cd,
				     const struct certdeploy_request *request);
/**
 * Why is it not served? Checks in order of dependency, for the host names of the request or everything:
 * what hangs on a failed check is not looked at. Each finding is a problem with its fix. Reads only.
 * EDIFFERENT when one of them is an error.
 */
CERTDEPLOY_API int certdeploy_doctor(struct certdeploy_result **out, struct certdeploy *cd,
				     const struct certdeploy_request *request);
/** Past transactions, newest first. Reads only. */
CERTDEPLOY_API int certdeploy_history(struct certdeploy_result **out, struct certdeploy *cd,
				      const struct certdeploy_request *request);
/** One past transaction: its files, services and problems. Reads only. */
CERTDEPLOY_API int certdeploy_show(struct certdeploy_result **out, struct certdeploy *cd,
				   const struct certdeploy_request *request);
/** What one past transaction changed, as a unified diff. Reads only. */
CERTDEPLOY_API int certdeploy_diff(struct certdeploy_result **out, struct certdeploy *cd,
				   const struct certdeploy_request *request);
/** Put back what a transaction (default: the last) changed. */
CERTDEPLOY_API int certdeploy_rollback(struct certdeploy_result **out, struct certdeploy *cd,
				       const struct certdeploy_request *request);
/** Finish or undo what an interrupted run left. */
CERTDEPLOY_API int certdeploy_recover(struct certdeploy_result **out, struct certdeploy *cd,
				      const struct certdeploy_request *request);
/** Remove old backups. */
CERTDEPLOY_API int certdeploy_prune(struct certdeploy_result **out, struct certdeploy *cd,
				    const struct certdeploy_request *request);
/**
 * Make a private key and a certificate signing request, or a self-signed certificate. Kept in the store
 * under CERTDEPLOY_NAME (default: the first name), where a certificate issued later finds its key,
 * unless CERTDEPLOY_NOT_STORED; handed out as outputs "key" and "csr" or "certificate".
 *
 * @return 0; CERTDEPLOY_EREFUSED: a field breaks the rules; CERTDEPLOY_EUSAGE: no name, unknown key type
 */
CERTDEPLOY_API int certdeploy_csr(struct certdeploy_result **out, struct certdeploy *cd,
				  const struct certdeploy_request *request);
/**
 * Hand out what the store has under CERTDEPLOY_NAME, in CERTDEPLOY_FORMAT: "pkcs12" (AES-256) and
 * "pkcs12-legacy" (3DES and SHA-1, for old Windows and Java) ask for a passphrase; "pem" is key, leaf
 * and chain; "cert", "chain", "fullchain" and "key" are single parts. Reads only.
 */
CERTDEPLOY_API int certdeploy_export(struct certdeploy_result **out, struct certdeploy *cd,
				     const struct certdeploy_request *request);
/** Put the request's material into the store under CERTDEPLOY_NAME; no configuration changes. */
CERTDEPLOY_API int certdeploy_import(struct certdeploy_result **out, struct certdeploy *cd,
				     const struct certdeploy_request *request);
/**
 * The DANE records (RFC 6698) of the store's certificate CERTDEPLOY_NAME, or of the request's material:
 * 3 1 1 and 3 0 1, for the host names CERTDEPLOY_HOSTNAME (default: the certificate's own). Reads only.
 */
CERTDEPLOY_API int certdeploy_tlsa(struct certdeploy_result **out, struct certdeploy *cd,
				   const struct certdeploy_request *request);
/** Adapters built in and loaded. Reads only. */
CERTDEPLOY_API int certdeploy_adapters(struct certdeploy_result **out, struct certdeploy *cd,
				       const struct certdeploy_request *request);

#ifdef __cplusplus
}
#endif

#endif
