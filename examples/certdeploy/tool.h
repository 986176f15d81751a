/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tool.h - certdeploy, the command-line tool on libcertdeploy
 *
 * main.c makes the process fit to run as root, options.c or request.c turn the words given into
 * settings, the command's own file says which operation that is and how its result reads, and text.c
 * or json.c write it.
 */
#ifndef TOOL_H
#define TOOL_H

#include <certdeploy.h>
#include <stdio.h>

#define _(text) tool_text(text)
#define N_(text) text

struct option_row;
struct tool;

enum command_id {
	COMMAND_ADAPTERS,
	COMMAND_CHECK,
	COMMAND_DEPLOY,
	COMMAND_DIFF,
	COMMAND_DISCOVER,
	COMMAND_DOCTOR,
	COMMAND_EXPORT,
	COMMAND_EXPIRY,
	COMMAND_HISTORY,
	COMMAND_IMPORT,
	COMMAND_HOOK,
	COMMAND_LIST,
	COMMAND_PLAN,
	COMMAND_PRUNE,
	COMMAND_RECOVER,
	COMMAND_REQUEST,
	COMMAND_ROLLBACK,
	COMMAND_SHOW,
	COMMAND_STORE,
	COMMAND_STORE_ADOPT,
	COMMAND_STORE_LIST,
	COMMAND_STORE_REMOVE,
	COMMAND_STORE_RENAME,
	COMMAND_TLSA,
	COMMAND_VERIFY,
	COMMAND_COUNT,
};

/** One command; each has a file of its own. */
struct command {
	const char *name;
	const char *action; /**< the word after it, of store's; else NULL */
	enum command_id id;
	const char *operand; /**< e.g. "ID", "[ID]", one word for each it takes; NULL: takes none */
	const char *summary; /**< one line, not translated */
	int (*run)(struct certdeploy_result **out, struct certdeploy *cd,
		   const struct certdeploy_request *request);
	void (*print)(const struct tool *tool, const struct certdeploy_result *result);
	/** Exit status where it is not the library's code, as for monitoring; NULL: it is. */
	int (*status)(const struct tool *tool, const struct certdeploy_result *result,
		      const struct certdeploy_problem *problem, int status);
	bool without_settings; /**< runs also where the configuration cannot be used */
};

extern const struct command command_export, command_import, command_request, command_tlsa;
extern const struct command command_adapters, command_check, command_deploy, command_diff, command_discover,
	command_doctor, command_expiry, command_history, command_hook, command_list, command_plan,
	command_prune, command_recover, command_rollback, command_show, command_store, command_verify;

/** What was asked for, one row: an option of the command line or a member of the JSON object. */
struct setting {
	const struct option_row *option;
	char *value;     /**< always ended by a NUL; NULL for a flag */
	size_t length;   /**< of value */
	bool is_content; /**< value is the material itself, not a file's name */
};

/** How expiry and doctor write; JSON is tool.json. */
enum format { FORMAT_TEXT, FORMAT_NAGIOS, FORMAT_PROMETHEUS, FORMAT_HTML };

/** What to show instead of running a command. */
enum show { SHOW_NOTHING, SHOW_HELP, SHOW_VERSION, SHOW_COMPLETION };

struct tool {
	const struct command *command; /**< NULL until it is known */
	enum show show;
	char *const *words; /**< of a command line to complete */
	size_t word_count;
	struct setting *settings;
	size_t setting_count;
	size_t setting_room;

	const char *config_file;
	const char *root;
	bool json;
	bool from_stdin; /**< the request is one JSON object on standard input */
	bool dry_run;
	bool exit_code; /**< plan: 10 when there is something to do */
	enum format format;
	int verbosity; /**< -1 quiet, 0, 1, 2 */
	bool color_out;
	bool color_err;
	int width;         /**< columns of the terminal; 0: standard output is none */
	bool terminal_err; /**< standard error is a terminal */

	const char *out_key; /**< files for what an operation hands out; NULL: not asked for */
	const char *out_csr;
	const char *out;

	const char *batch_file;
	const char *batch_directory;
	size_t batch_count; /**< certificates of a batch so far */

	const char *passphrase_file;
	int passphrase_fd; /**< -1: none */
	char *passphrase;  /**< as given or read; wiped at the end */
	size_t passphrase_length;

	/* what went wrong before there was a result */
	struct certdeploy_problem problem;
	char message[1024];
	char fix[256];
};

/** Exit statuses beyond the library's codes. */
enum {
	EXIT_USAGE = 2,
	EXIT_TO_DO = 10,
	EXIT_INTERRUPTED = 130,
};

/* ---- language.c ---- */

/** Speak this language from here on ("ja"); NULL: the one that the environment names. */
void set_language(const char *language);
/** Its name, for the library; "C" where all is said in English. */
const char *spoken_language(void);
/** The translation of a message, or the message itself. */
const char *tool_text(const char *message) __attribute__((format_arg(1)));
const char *tool_plural(const char *one, const char *many, unsigned long count)
	__attribute__((format_arg(1))) __attribute__((format_arg(2)));

/* ---- environment.c ---- */

/** What the name of a language or of a user is made of. */
#define LANGUAGE_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.@:-+"

/** Bring the process into a known state: descriptors, signals, limits, environment, language. */
void prepare_process(struct tool *tool);
/** The locale that the environment named when we were started; "C" where it named none. */
const char *noted_locale(void);
/** The language that the environment named when we were started, or a list of them: "ja:en". */
const char *noted_language(void);
/** From here on Ctrl-C, TERM and HUP only raise a flag, which was_interrupted() tells. */
void catch_interrupts(void);
bool was_interrupted(void);

/** What an issuer's variable held when we were started, or NULL; cut at ISSUER_VALUE bytes to nothing. */
#define ISSUER_VALUE 4096
const char *issuer_variable(const char *name);

/* ---- hook.c ---- */

/** Turn the words after "hook" and the issuer's variables into settings of deploy. As parse_options(). */
int take_hook(struct tool *tool, const char *issuer, char *const *words, size_t count);

/* ---- store.c ---- */

/** The actions by position; NULL past the last. */
const struct command *store_action(size_t position);
/** The action of a name, or NULL. */
const struct command *find_action(const char *name);
/** Record that store has no action, or one that is none; returns CERTDEPLOY_EUSAGE. */
int missing_action(struct tool *tool);

/* ---- options.c ---- */

/** Fill tool from the command line. 0, CERTDEPLOY_EUSAGE (tool->problem says why), _ENOMEM. */
int parse_options(struct tool *tool, int argc, char **argv);
/** Add a setting; value is copied unless NULL. 0 or CERTDEPLOY_ENOMEM. */
int add_setting(struct tool *tool, const struct option_row *option, const char *value, size_t length);
void free_settings(struct tool *tool);
/** Take one of the tool's own options. 0 or CERTDEPLOY_EUSAGE. */
int set_tool_option(struct tool *tool, const struct option_row *row, const char *value);
/** Record a usage error; returns CERTDEPLOY_EUSAGE. */
int usage_error(struct tool *tool, const char *format, ...) CERTDEPLOY_PRINTF(2, 3);

/* ---- table.c ---- */

/** What an option does. */
enum effect {
	EFFECT_MATERIAL, /**< value: enum certdeploy_material_kind */
	EFFECT_LIST,     /**< value: enum certdeploy_list_option */
	EFFECT_ONCE,     /**< the same, at most once */
	EFFECT_FLAG,     /**< value: enum certdeploy_flag */
	EFFECT_NUMBER,   /**< the same, with a number */
	EFFECT_SECONDS,  /**< the same, with a time: 90, 90s, 15m, 12h, 30d */
	EFFECT_LIFE,     /**< the same, or with a percentage: 33% sets the flag after it */
	EFFECT_SCOPE,    /**< the same, with a word: all, changed, sample */
	EFFECT_TOOL,     /**< value: enum tool_option */
	EFFECT_NEXT,     /**< another certificate begins; not in the table */
};

enum tool_option {
	TOOL_CONFIG = 1,
	TOOL_ROOT,
	TOOL_JSON,
	TOOL_COLOR,
	TOOL_LANG,
	TOOL_QUIET,
	TOOL_VERBOSE,
	TOOL_VERSION,
	TOOL_HELP,
	TOOL_DRY_RUN,
	TOOL_EXIT_CODE,
	TOOL_FORMAT,
	TOOL_PASSPHRASE_FILE,
	TOOL_PASSPHRASE_FD,
	TOOL_BATCH,
	TOOL_BATCH_DIR,
	TOOL_OUT,
	TOOL_OUT_KEY,
	TOOL_OUT_CSR,
};

struct option_row {
	const char *name;
	char letter;          /**< short form, or 0 */
	const char *argument; /**< what to call it in the help; NULL: a flag */
	enum effect effect;
	int value;
	unsigned commands; /**< bits 1 << enum command_id; 0: global */
	const char *help;  /**< not translated; NULL: shares the line of the next */
};

/** All options, ended by one without a name. */
extern const struct option_row option_table[];
/** The words of EFFECT_SCOPE by their value, NULL-terminated. */
extern const char *const verify_scopes[];
/** All commands in the order of the help, ended by NULL. */
extern const struct command *const command_table[];

const struct command *find_command(const char *name);
/** The option of this name that the command (NULL: none) or everybody takes, or NULL. */
const struct option_row *find_option(const struct command *command, const char *name, size_t length);
bool takes_value(const struct option_row *option);
bool takes_option(const struct command *command, const struct option_row *option);
/** The word of the table nearest to a mistyped one, or NULL when none is near. */
const char *nearest_command(const char *word);
const char *nearest_option(const struct command *command, const char *word);

/* ---- help.c ---- */

/** Help for one command; NULL: for the tool. */
void print_help(const struct command *command);

/* ---- complete.c ---- */

/** `certdeploy complete -- WORD…`: what the last word may become, one a line. */
void complete_words(struct tool *tool, char *const *words, size_t count);

/* ---- request.c ---- */

/** Read the JSON object on standard input into settings. 0, CERTDEPLOY_EUSAGE, CERTDEPLOY_ENOMEM. */
int read_json_request(struct tool *tool);

/* ---- apply.c ---- */

/** Hand the settings to the library. 0 or the library's code (certdeploy_error() says why). */
int apply_settings(struct tool *tool, struct certdeploy_request *request);
/** The library's passphrase callback; user is the tool. */
int give_passphrase(void *user, const char *origin, char *buffer, size_t size);

/* ---- batch.c ---- */

/** Read the certificates of --batch or --batch-dir into settings. 0 or a code. */
int read_batch(struct tool *tool);

/* ---- json.c ---- */

/** Write the one object. result and problem may be NULL. Returns 0, or -1 when it could not be made. */
int print_json(const struct tool *tool, const struct certdeploy_result *result,
	       const struct certdeploy_problem *problem, int exit_status);

/* ---- terminal.c ---- */

void prepare_terminal(struct tool *tool, const char *color);
/** The library's callbacks; user is the tool. */
int show_progress(void *user, const char *what, size_t done, size_t total);
void show_log(void *user, int level, const char *line);
void clear_progress(void);
/** Ask for a passphrase on the terminal without echo: its length, or -1. */
int ask_passphrase(const char *origin, char *buffer, size_t size);

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_GOOD, STYLE_WARN, STYLE_BAD, STYLE_DIM };
/** The escape sequence of a style, "" without colour; STYLE_PLAIN ends one. */
const char *styled(bool color, enum style style);

/* ---- text.c ---- */

/** Write foreign text with everything that a terminal might obey made visible. NULL: nothing. */
void put_safe(FILE *stream, const char *text);
/** Are there characters beyond ASCII that hide, reorder or command? */
bool has_hidden(const char *text);
/** A copy with bytes that are not UTF-8 as \xNN; the caller frees it. NULL: memory is short. */
char *clean_utf8(const char *text);
/** Columns that put_safe() takes. */
size_t safe_width(const char *text);
/** A message of ours, "%s" filled with text that is made safe. */
void put_line(FILE *stream, const char *format, ...) CERTDEPLOY_PRINTF(2, 3);
/** "2027-02-19 12:00 UTC"; "-" for 0. */
const char *show_time(char buffer[32], int64_t time);
/** "in 89 days", "3 days ago". */
const char *show_days(char buffer[64], int64_t when);
/** Percent of a certificate's life that is left, 0 to 100. */
int life_left(const struct certdeploy_certificate_report *report);
void print_diff(const struct tool *tool, const char *diff);

/* ---- problems.c ---- */

void print_problem(const struct tool *tool, const struct certdeploy_problem *problem);
/** Those of a result; without -v a notice that is true of many places is told once, with their number. */
void print_problems(const struct tool *tool, const struct certdeploy_result *result);

/* ---- outputs.c ---- */

/** Refuse before anything is made: a file that is there is never overwritten. 0 or a code. */
int check_outputs(struct tool *tool);
/** Write what the operation handed out to the files asked for. 0 or a code, in tool->problem. */
int write_outputs(struct tool *tool, const struct certdeploy_result *result);
/** The file asked for this output, or NULL. */
const char *output_file(const struct tool *tool, const struct certdeploy_output *output);
/** To standard output what went to no file; keys only where secrets is set. */
void print_outputs(const struct tool *tool, const struct certdeploy_result *result, bool secrets);

/* ---- outcome.c ---- */

/** A word of the library, as "rolled-back", in the user's language; NULL: "-". */
const char *localized_word(const char *word);
/** The files of a result that changed, and their backups. */
void print_changed_files(const struct tool *tool, const struct certdeploy_result *result);
/** Files, services and their endpoints: how plan, deploy, rollback and recover end. */
void print_outcome(const struct tool *tool, const struct certdeploy_result *result);

/* ---- list.c, history.c ---- */

void print_endpoint_table(const struct tool *tool, const struct certdeploy_result *result);
void print_history(const struct tool *tool, const struct certdeploy_result *result);

/* ---- monitoring.c ---- */

/** Exit statuses of monitoring plug-ins. */
enum { NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN };

/** The one line of a plug-in: state, sentence and, unless NULL, performance data. */
void print_nagios(int state, const char *sentence, const char *data);
/** The state that the problems of a result make. */
int nagios_state(const struct certdeploy_result *result);
/** Why it is not good: the worst problem of the result, or the one that stands alone (or NULL). */
const char *nagios_reason(const struct certdeploy_result *result, const struct certdeploy_problem *lone);
/** Metrics of all endpoints in the text format of Prometheus. */
void print_prometheus(const struct certdeploy_result *result);
/** A page for people that stands alone. */
void print_html(const struct tool *tool, const struct certdeploy_result *result);

/* ---- columns.c ---- */

/** A table: columns of one width each; what does not fit the terminal goes to a line of its own. */
struct table {
	size_t columns;
	char **cells;
	size_t count;
	size_t room;
	bool headed; /**< the first row is a heading */
	bool failed;
};

void table_begin(struct table *table, size_t columns);
/** Add a cell, left to right, row by row. */
void table_add(struct table *table, const char *format, ...) CERTDEPLOY_PRINTF(2, 3);
void table_print(const struct table *table, const struct tool *tool);
void table_free(struct table *table);

#endif
