/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* directives.c - what the directives do that decide about virtual hosts and their certificates */
#include "read.h"

#include <string.h>

/* ---- directives that name hosts ---- */

static struct apache_host *present_host(struct apache_reader *reader)
{
	return reader->host != NULL ? reader->host : &reader->model->main;
}

/* Not NUL-terminated; it may not outlast the line. */
static const char *text_of(struct apache_reader *reader, const struct apache_line *line,
			   const struct apache_word *word, size_t *length)
{
	const char *value;

	if (!word->escaped) {
		*length = word->content_length;
		return line->text + word->content;
	}
	value = apache_word_value(reader->reading, line, word);
	*length = value == NULL ? 0 : strlen(value);
	return value;
}

static int do_server_name(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	struct apache_host *host = present_host(reader);
	struct apache_word word;
	const char *text, *scheme, *colon;
	size_t length, port = 0;

	if (!apache_next_word(line, &at, &word) || at < line->length)
		return apache_bad_syntax(reader, line, _("ServerName takes one argument"));
	text = text_of(reader, line, &word, &length);
	if (text == NULL)
		return CERTDEPLOY_ENOMEM;
	scheme = memmem(text, length, "://", 3);
	if (scheme != NULL) {
		length -= (size_t)(scheme + 3 - text);
		text = scheme + 3;
	}
	colon = memchr(text, ':', length);
	if (colon != NULL) {
		for (const char *digit = colon + 1; digit < text + length && *digit >= '0' && *digit <= '9';
		     digit++)
			port = port < 65536 ? port * 10 + (size_t)(*digit - '0') : port;
		if (port == 0 || port > 65535)
			return apache_bad_syntax(reader, line,
						 _("the port of this ServerName is not possible"));
		length = (size_t)(colon - text);
	}
	host->server_name = apache_new_name(reader->reading, text, length);
	if (host == &reader->model->main)
		reader->model->main_port = (uint16_t)port;
	return host->server_name == NULL ? CERTDEPLOY_ENOMEM : 0;
}

static int do_server_alias(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	struct apache_host *host = reader->host;
	struct apache_word word;

	if (host == NULL)
		return apache_bad_syntax(reader, line, _("ServerAlias stands outside of <VirtualHost>"));
	while (apache_next_word(line, &at, &word)) {
		size_t length = 0;
		const char *text = text_of(reader, line, &word, &length);
		struct apache_name *name =
			text == NULL ? NULL : apache_new_name(reader->reading, text, length);

		if (name == NULL)
			return CERTDEPLOY_ENOMEM;
		name->pattern = strpbrk(name->text, "*?") != NULL;
		if (host->last_alias == NULL)
			host->aliases = name;
		else
			host->last_alias->next = name;
		host->last_alias = name;
	}
	return 0;
}

/* ---- directives about TLS ---- */

static int do_engine(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	struct apache_host *host = present_host(reader);
	struct apache_words words;
	int result = apache_take_words(reader, line, at, &words);

	if (result != 0)
		return result;
	if (words.count != 1)
		return apache_bad_syntax(reader, line, _("SSLEngine takes one argument"));
	if (apache_same_caseless(words.values[0], "on"))
		host->engine = APACHE_ENGINE_ON;
	else if (apache_same_caseless(words.values[0], "off") ||
		 apache_same_caseless(words.values[0], "optional"))
		host->engine = APACHE_ENGINE_OFF;
	else
		return apache_bad_syntax(reader, line, _("SSLEngine is on, off or optional"));
	if (host == &reader->model->main && line->file != NULL) {
		host->file = line->file;
		host->line = (uint32_t)line->number;
		host->engine_line = apache_place_of(line);
	} else if (host == reader->host && reader->includes == reader->host_includes &&
		   line->file == host->file) {
		host->engine_line = apache_place_of(line);
	}
	return 0;
}

/* Whether the directive's own name stands in the file, letter by letter. */
static bool is_named(const struct apache_line *line, const struct apache_word *name)
{
	size_t offset, length;

	return apache_line_span(line, name->start, name->end, &offset, &length) &&
	       length == name->end - name->start &&
	       memcmp(line->file->bytes + offset, line->text + name->start, length) == 0;
}

static int do_ref(struct apache_reader *reader, const struct apache_line *line,
		  const struct apache_word *name, size_t at, enum apache_kind kind)
{
	struct apache_host *host = present_host(reader);
	struct apache_ref *ref = certdeploy_alloc(reader->reading, sizeof(*ref));
	struct apache_word word;
	size_t offset, length;

	if (ref == NULL)
		return CERTDEPLOY_ENOMEM;
	if (!apache_next_word(line, &at, &word) || at < line->length)
		return apache_bad_syntax(reader, line, _("this directive takes one argument"));
	ref->value = apache_word_value(reader->reading, line, &word);
	if (ref->value == NULL)
		return CERTDEPLOY_ENOMEM;
	ref->kind = (uint8_t)kind;
	ref->file = line->file;
	ref->use = line->use;
	ref->number = (uint32_t)apache_line_number(line);
	ref->line = apache_place_of(line);
	ref->include = reader->include;
	ref->named = is_named(line, name);
	ref->doubt = apache_doubt_in(reader->model->variables, ref->value, strlen(ref->value));
	if (apache_line_span(line, word.start, word.end, &offset, &length)) {
		ref->argument = (uint32_t)offset;
		ref->argument_length = (uint32_t)length;
	}
	if (host->last_ref == NULL)
		host->refs = ref;
	else
		host->last_ref->next = ref;
	host->last_ref = ref;
	if (host->counts[kind] == UINT16_MAX)
		return apache_bad_syntax(reader, line, _("there are too many certificates"));
	host->counts[kind]++;
	return 0;
}

/* SSLPassPhraseDialog exec:PROGRAM or |PROGRAM */
static int do_dialog(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	struct apache_words words;
	int result = apache_take_words(reader, line, at, &words);

	if (result == 0 && words.count == 1)
		reader->model->asks_program = !apache_same_caseless(words.values[0], "builtin");
	return result;
}

static void do_ciphers(struct apache_reader *reader, const struct apache_line *line)
{
	static const char level[] = "@SECLEVEL";

	if (memmem(line->text, line->length, level, sizeof(level) - 1) != NULL)
		reader->model->security_level = true;
}

static int do_conf_cmd(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	struct apache_host *host = present_host(reader);
	struct apache_words words;
	int result = apache_take_words(reader, line, at, &words);
	bool key;

	if (result != 0 || words.count != 2)
		return result;
	key = apache_same_caseless(words.values[0], "PrivateKey");
	if (!key && !apache_same_caseless(words.values[0], "Certificate"))
		return 0;
	if (host->confcmd == NULL)
		host->confcmd = certdeploy_alloc(reader->reading, sizeof(*host->confcmd));
	if (host->confcmd == NULL)
		return CERTDEPLOY_ENOMEM;
	host->confcmd->file = apache_line_file(line);
	host->confcmd->line = apache_line_number(line);
	*(key ? &host->confcmd->key : &host->confcmd->certificate) = words.values[1];
	return 0;
}

/* ---- directives of the whole server ---- */

static int do_define(struct apache_reader *reader, const struct apache_line *line, size_t at, bool define)
{
	struct apache_words words;
	int result = apache_take_words(reader, line, at, &words);

	if (result != 0)
		return result;
	if (words.count == 0 || words.count > (define ? 2 : 1) || strchr(words.values[0], ':') != NULL)
		return apache_bad_syntax(reader, line, _("this is no valid definition of a variable"));
	return define ? apache_define(reader->model->variables, words.values[0],
				      words.count == 2 ? words.values[1] : NULL)
		      : apache_undefine(reader->model->variables, words.values[0]);
}

static int do_server_root(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	struct apache_words words;
	int result = apache_take_words(reader, line, at, &words);

	if (result != 0)
		return result;
	if (words.count != 1 || words.values[0][0] != '/')
		return apache_bad_syntax(reader, line, _("ServerRoot takes one absolute path"));
	reader->model->server_root = certdeploy_join(reader->reading, "/", words.values[0]);
	return reader->model->server_root == NULL ? CERTDEPLOY_ENOMEM : 0;
}

static int do_path(struct apache_reader *reader, const struct apache_line *line, size_t at,
		   const char **path)
{
	struct apache_words words;
	int result = apache_take_words(reader, line, at, &words);

	if (result == 0 && words.count == 1)
		*path = words.values[0];
	return result;
}

static int do_load_module(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	struct apache_words words;
	int result = apache_take_words(reader, line, at, &words);

	if (result != 0)
		return result;
	if (words.count != 2)
		return apache_bad_syntax(reader, line, _("LoadModule takes two arguments"));
	return apache_module_load(reader->model->modules, words.values[0], words.values[1]);
}

static int do_undef_macro(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	struct apache_words words;
	int result = apache_take_words(reader, line, at, &words);

	return result != 0 || words.count == 0
		       ? result
		       : apache_macro_undefine(reader->model->macros, words.values[0]);
}

static int do_listen(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	struct apache_words words;
	int result = apache_take_words(reader, line, at, &words);

	if (result != 0)
		return result;
	if (words.count == 0 || words.count > 2 || reader->host != NULL)
		return apache_bad_syntax(reader, line,
					 _("Listen takes one or two arguments, outside of <VirtualHost>"));
	return apache_add_listener(reader->model, words.values[0],
				   words.count == 2 ? words.values[1] : NULL, apache_line_file(line),
				   apache_line_number(line));
}

static int do_protocol(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	struct apache_words words;
	int result = apache_take_words(reader, line, at, &words);

	if (result == 0 && words.count == 1)
		present_host(reader)->protocol = apache_same_caseless(words.values[0], "https") ? 1 : 2;
	return result;
}

static int do_sni_policy(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	struct apache_words words;
	int result = apache_take_words(reader, line, at, &words);

	if (result == 0 && words.count == 1)
		reader->model->sni_policy = apache_same_caseless(words.values[0], "secure")
						    ? APACHE_SNI_SECURE
						    : APACHE_SNI_OTHER;
	return result;
}

static int do_proxied(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	struct apache_words words;
	int result = apache_take_words(reader, line, at, &words);

	if (result != 0 || words.count != 1)
		return result;
	return apache_do_proxied(reader->model, present_host(reader),
				 apache_same_caseless(words.values[0], "on"));
}

static int do_unproxied(struct apache_reader *reader, const struct apache_line *line, size_t at)
{
	struct apache_word word;
	int result = 0;

	while (result == 0 && apache_next_word(line, &at, &word)) {
		const char *network = apache_word_value(reader->reading, line, &word);

		result = network == NULL ? CERTDEPLOY_ENOMEM : apache_do_unproxied(reader->model, network);
	}
	return result;
}

/* ---- which is which ---- */

enum directive {
	DEFINE,
	INCLUDE,
	INCLUDE_OPTIONAL,
	LISTEN,
	LOAD_MODULE,
	MD_CERTIFICATE_FILE,
	MD_CERTIFICATE_KEY_FILE,
	MD_MEMBER,
	MD_STORE_DIR,
	MDOMAIN,
	PID_FILE,
	PROTOCOL,
	REMOTE_IP_PROXY_PROTOCOL,
	REMOTE_IP_PROXY_PROTOCOL_EXCEPTIONS,
	SERVER_ALIAS,
	SERVER_NAME,
	SERVER_ROOT,
	SSL_CERTIFICATE_CHAIN_FILE,
	SSL_CERTIFICATE_FILE,
	SSL_CERTIFICATE_KEY_FILE,
	SSL_CIPHER_SUITE,
	SSL_ENGINE,
	SSL_OPENSSL_CONF_CMD,
	SSL_PASS_PHRASE_DIALOG,
	SSL_VHOST_SNI_POLICY,
	UNDEFINE,
	UNDEF_MACRO,
	USE,
	OPAQUE,
};

static const struct {
	const char *name;
	size_t length;
	bool reading; /* acts while lines are read, in any section */
} directives[] = {
	[DEFINE] = {"Define", 6, true},
	[INCLUDE] = {"Include", 7, true},
	[INCLUDE_OPTIONAL] = {"IncludeOptional", 15, true},
	[LISTEN] = {"Listen", 6, false},
	[LOAD_MODULE] = {"LoadModule", 10, true},
	[MD_CERTIFICATE_FILE] = {"MDCertificateFile", 17, false},
	[MD_CERTIFICATE_KEY_FILE] = {"MDCertificateKeyFile", 20, false},
	[MD_MEMBER] = {"MDMember", 8, false},
	[MD_STORE_DIR] = {"MDStoreDir", 10, false},
	[MDOMAIN] = {"MDomain", 7, false},
	[PID_FILE] = {"PidFile", 7, false},
	[PROTOCOL] = {"Protocol", 8, false},
	[REMOTE_IP_PROXY_PROTOCOL] = {"RemoteIPProxyProtocol", 21, false},
	[REMOTE_IP_PROXY_PROTOCOL_EXCEPTIONS] = {"RemoteIPProxyProtocolExceptions", 31, false},
	[SERVER_ALIAS] = {"ServerAlias", 11, false},
	[SERVER_NAME] = {"ServerName", 10, false},
	[SERVER_ROOT] = {"ServerRoot", 10, true},
	[SSL_CERTIFICATE_CHAIN_FILE] = {"SSLCertificateChainFile", 23, false},
	[SSL_CERTIFICATE_FILE] = {"SSLCertificateFile", 18, false},
	[SSL_CERTIFICATE_KEY_FILE] = {"SSLCertificateKeyFile", 21, false},
	[SSL_CIPHER_SUITE] = {"SSLCipherSuite", 14, false},
	[SSL_ENGINE] = {"SSLEngine", 9, false},
	[SSL_OPENSSL_CONF_CMD] = {"SSLOpenSSLConfCmd", 17, false},
	[SSL_PASS_PHRASE_DIALOG] = {"SSLPassPhraseDialog", 19, false},
	[SSL_VHOST_SNI_POLICY] = {"SSLVHostSNIPolicy", 17, false},
	[UNDEFINE] = {"UnDefine", 8, true},
	[UNDEF_MACRO] = {"UndefMacro", 10, true},
	[USE] = {"Use", 3, true},
};

static enum directive directive_of(const char *name, size_t length)
{
	/* In ASCII letters of both cases differ in one bit: most of those as long begin otherwise. */
	for (size_t i = 0; i < sizeof(directives) / sizeof(*directives); i++)
		if (directives[i].length == length && ((name[0] ^ directives[i].name[0]) & ~0x20) == 0 &&
		    apache_compare_caseless(name, directives[i].name, length) == 0)
			return (enum directive)i;
	return OPAQUE;
}

/* Whether it is more than a part of the virtual host around. state: and decides how the rest is read. */
static bool reaches_out(const struct apache_reader *reader, enum directive directive, bool *state)
{
	*state = true;
	switch (directive) {
	case INCLUDE:
	case INCLUDE_OPTIONAL:
		*state = false;
		return true;
	case PROTOCOL:
	case SERVER_ALIAS:
	case SERVER_NAME:
	case SSL_CERTIFICATE_CHAIN_FILE:
	case SSL_CERTIFICATE_FILE:
	case SSL_CERTIFICATE_KEY_FILE:
	case SSL_ENGINE:
	case SSL_OPENSSL_CONF_CMD:
		return reader->host == NULL;
	case SSL_CIPHER_SUITE:
		return false;
	default:
		return true;
	}
}

/* Whether what it says of its surroundings is said here. */
static bool is_in_place(const struct apache_reader *reader, enum directive directive)
{
	unsigned around = reader->host == NULL ? 0 : 1;

	switch (directive) {
	case MD_CERTIFICATE_FILE:
	case MD_CERTIFICATE_KEY_FILE:
	case MD_MEMBER:
		return reader->md != NULL;
	default:
		return reader->ordinary == around;
	}
}

/* Variables whose value cannot be told do not matter everywhere. */
static int check_doubt(struct apache_reader *reader, const struct apache_line *line,
		       enum directive directive, size_t at)
{
	struct apache_word word;
	size_t end = at;

	switch (directive) {
	case PID_FILE:
	case SSL_CERTIFICATE_CHAIN_FILE:
	case SSL_CERTIFICATE_FILE:
	case SSL_CERTIFICATE_KEY_FILE:
	case SSL_CIPHER_SUITE:
	case SSL_OPENSSL_CONF_CMD:
		return 0;
	case DEFINE:
	case LOAD_MODULE:
	case USE:
		/* The rest goes on to where it is used. */
		return apache_next_word(line, &end, &word)
			       ? apache_check_doubt(reader, line, word.start, word.end)
			       : 0;
	default:
		return apache_check_doubt(reader, line, at, line->length);
	}
}

/* What is said of a virtual host or, outside of one, of the main server. */
static int do_of_host(struct apache_reader *reader, const struct apache_line *line,
		      enum directive directive, const struct apache_word *word, size_t at)
{
	switch (directive) {
	case PROTOCOL:
		return do_protocol(reader, line, at);
	case REMOTE_IP_PROXY_PROTOCOL:
		return do_proxied(reader, line, at);
	case SERVER_ALIAS:
		return do_server_alias(reader, line, at);
	case SERVER_NAME:
		return do_server_name(reader, line, at);
	case SSL_CERTIFICATE_CHAIN_FILE:
		return do_ref(reader, line, word, at, APACHE_CHAIN);
	case SSL_CERTIFICATE_FILE:
		return do_ref(reader, line, word, at, APACHE_CERTIFICATE);
	case SSL_CERTIFICATE_KEY_FILE:
		return do_ref(reader, line, word, at, APACHE_KEY);
	case SSL_CIPHER_SUITE:
		do_ciphers(reader, line);
		return 0;
	case SSL_ENGINE:
		return do_engine(reader, line, at);
	case SSL_OPENSSL_CONF_CMD:
		return do_conf_cmd(reader, line, at);
	default:
		return 0;
	}
}

/* What is said of the whole server, or does something to the reading; else of a host. */
static int do_any(struct apache_reader *reader, const struct apache_line *line, enum directive directive,
		  const struct apache_word *word, size_t at)
{
	struct apache_model *model = reader->model;

	switch (directive) {
	case DEFINE:
	case UNDEFINE:
		return do_define(reader, line, at, directive == DEFINE);
	case INCLUDE:
	case INCLUDE_OPTIONAL:
		return apache_do_include(reader, line, at, directive == INCLUDE_OPTIONAL);
	case LISTEN:
		return do_listen(reader, line, at);
	case LOAD_MODULE:
		return do_load_module(reader, line, at);
	case MD_CERTIFICATE_FILE:
	case MD_CERTIFICATE_KEY_FILE:
		return apache_do_managed_file(reader, line, at, directive == MD_CERTIFICATE_KEY_FILE);
	case MD_STORE_DIR:
		return do_path(reader, line, at, &model->md_store);
	case MD_MEMBER:
	case MDOMAIN:
		return apache_do_managed(reader, line, at, line->length);
	case PID_FILE:
		return do_path(reader, line, at, &model->pid_file);
	case REMOTE_IP_PROXY_PROTOCOL_EXCEPTIONS:
		return do_unproxied(reader, line, at);
	case SERVER_ROOT:
		return do_server_root(reader, line, at);
	case SSL_PASS_PHRASE_DIALOG:
		return do_dialog(reader, line, at);
	case SSL_VHOST_SNI_POLICY:
		return do_sni_policy(reader, line, at);
	case UNDEF_MACRO:
		return do_undef_macro(reader, line, at);
	case USE:
		return apache_macro_use(model->macros, &reader->lines, line, at);
	default:
		return do_of_host(reader, line, directive, word, at);
	}
}

int apache_do_directive(struct apache_reader *reader, const struct apache_line *line, const char *name,
			size_t length, const struct apache_word *word, size_t at)
{
	enum directive directive = directive_of(name, length);
	bool state;
	int result;

	/* In <Directory> and the like they are errors of httpd's, or mean something else. */
	if (directive == OPAQUE || (!directives[directive].reading && !is_in_place(reader, directive)))
		return 0;
	result = reaches_out(reader, directive, &state) ? apache_not_plain(reader, line, state) : 0;
	if (result == 0 && apache_is_doubtful(reader->model->variables))
		result = check_doubt(reader, line, directive, at);
	return result != 0 ? result : do_any(reader, line, directive, word, at);
}
