/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-probe.c - handshakes with good, slow, hostile and dead servers on loopback */
#include "unit.h"

#include "base/text.h"
#include "proof/fetch.h"
#include "proof/here.h"
#include "proof/probe.h"
#include "proof/starttls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIFETIME 7776000

/* ---- certificates ---- */

struct pair {
	EVP_PKEY *key;
	X509 *certificate;
	char sha256[CD_SHA256_TEXT];
	int64_t not_after;
};

static struct pair rsa, other, ecdsa, ed25519, weak;

static EVP_PKEY *make_key(int type, int bits)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(type, NULL);
	EVP_PKEY *key = NULL;

	assert_int_equal(EVP_PKEY_keygen_init(context), 1);
	if (type == EVP_PKEY_RSA)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits), 1);
	if (type == EVP_PKEY_EC)
		assert_int_equal(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1), 1);
	assert_int_equal(EVP_PKEY_keygen(context, &key), 1);
	EVP_PKEY_CTX_free(context);
	return key;
}

static void make_pair(struct pair *pair, int type, int bits, const EVP_MD *digest)
{
	X509 *certificate = X509_new();
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	struct tm parts;

	pair->key = make_key(type, bits);
	pair->certificate = certificate;
	(void)X509_set_version(certificate, 2);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), bits + type);
	(void)X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
	(void)X509_gmtime_adj(X509_getm_notAfter(certificate), LIFETIME);
	(void)X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
					 (const unsigned char *)"www.example.jp", -1, -1, 0);
	(void)X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	(void)X509_set_pubkey(certificate, pair->key);
	assert_true(X509_sign(certificate, pair->key, digest) > 0);
	assert_int_equal(X509_digest(certificate, EVP_sha256(), bytes, &size), 1);
	cd_hex(pair->sha256, bytes, size);
	assert_int_equal(ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts), 1);
	pair->not_after = timegm(&parts);
}

static int make_pairs(void **state)
{
	(void)state;
	make_pair(&rsa, EVP_PKEY_RSA, 2048, EVP_sha256());
	make_pair(&other, EVP_PKEY_RSA, 2048, EVP_sha256());
	make_pair(&ecdsa, EVP_PKEY_EC, 256, EVP_sha256());
	make_pair(&ed25519, EVP_PKEY_ED25519, 0, NULL);
	make_pair(&weak, EVP_PKEY_RSA, 1024, EVP_sha1());
	return 0;
}

static int free_pairs(void **state)
{
	struct pair *all[] = {&rsa, &other, &ecdsa, &ed25519, &weak};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		X509_free(all[i]->certificate);
		EVP_PKEY_free(all[i]->key);
	}
	return 0;
}

static SSL_CTX *tls_server(const struct pair *first, const struct pair *second)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	SSL_CTX_set_security_level(context, 0);
	(void)SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
	(void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	assert_int_equal(SSL_CTX_use_certificate(context, first->certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, first->key), 1);
	if (second != NULL) {
		assert_int_equal(SSL_CTX_use_certificate(context, second->certificate), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(context, second->key), 1);
	}
	return context;
}

/* ---- servers ---- */

#define TLS "\1" /* in a script: shake hands and leave */

/** Serves one connection after another in a thread of its own. */
struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
	void (*serve)(struct server *server, int client);
	SSL_CTX *tls, *later;      /**< later: from the third connection on */
	const char *const *script; /**< what to say, and to wait for a line after each; TLS ends it */
	atomic_int connections;
	atomic_bool stop;
	char asked[256]; /**< the name asked for last */
};

static int listen_on(const char *address, uint16_t *port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	bool is_six = strchr(address, ':') != NULL;
	struct sockaddr *place = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t size = is_six ? sizeof(six) : sizeof(four);
	int fd = socket(place->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd == -1)
		return -1;
	six.sin6_port = four.sin_port = htons(*port);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, place, size) == -1 || listen(fd, 1024) == -1 || getsockname(fd, place, &size) == -1) {
		(void)close(fd);
		return -1;
	}
	*port = ntohs(is_six ? six.sin6_port : four.sin_port);
	return fd;
}

static void say(int client, const char *text)
{
	(void)!send(client, text, strlen(text), MSG_NOSIGNAL);
}

static bool hear_line(int client)
{
	char byte = 0;

	while (recv(client, &byte, 1, 0) == 1)
		if (byte == '\n')
			return true;
	return false;
}

static int note_name(SSL *ssl, int *alert, void *data)
{
	struct server *server = data;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	(void)snprintf(server->asked, sizeof(server->asked), "%s", name == NULL ? "" : name);
	return SSL_TLSEXT_ERR_OK;
}

static void serve_tls(struct server *server, int client)
{
	SSL_CTX *context = server->later != NULL && server->connections > 2 ? server->later : server->tls;
	SSL *ssl = SSL_new(context);
	char rest[64];

	(void)SSL_set_fd(ssl, client);
	(void)SSL_accept(ssl);
	(void)SSL_read(ssl, rest, sizeof(rest));
	SSL_free(ssl);
	ERR_clear_error();
}

static void serve_script(struct server *server, int client)
{
	for (size_t i = 0; server->script[i] != NULL; i++) {
		if (strcmp(server->script[i], TLS) == 0) {
			serve_tls(server, client);
			return;
		}
		/* Byte by byte: no reader may count on lines that come in one piece. */
		for (const char *at = server->script[i]; *at != '\0'; at++)
			(void)!send(client, at, 1, MSG_NOSIGNAL);
		if (server->script[i + 1] != NULL && strcmp(server->script[i + 1], TLS) != 0 &&
		    !hear_line(client))
			return;
	}
}

static void *serve_all(void *data)
{
	struct server *server = data;
	const struct timeval limit = {.tv_sec = 5};
	sigset_t broken_pipe;
	int client;

	/* Only here: a SIGPIPE that the library raises is to end the test. */
	(void)sigemptyset(&broken_pipe);
	(void)sigaddset(&broken_pipe, SIGPIPE);
	(void)pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);

	while (!server->stop && (client = accept(server->fd, NULL, NULL)) != -1) {
		server->connections++;
		(void)setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		(void)setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		server->serve(server, client);
		(void)close(client);
	}
	return NULL;
}

static void start(struct server *server)
{
	if (server->fd == 0)
		server->fd = listen_on("127.0.0.1", &server->port);
	assert_true(server->fd > 0);
	assert_int_equal(pthread_create(&server->thread, NULL, serve_all, server), 0);
}

static void stop(struct server *server)
{
	server->stop = true;
	(void)shutdown(server->fd, SHUT_RDWR);
	assert_int_equal(pthread_join(server->thread, NULL), 0);
	(void)close(server->fd);
	SSL_CTX_free(server->tls);
	SSL_CTX_free(server->later);
}

/* ---- probing ---- */

static int64_t milliseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void probe_within(struct cd_probe *probe, unsigned single_ms, unsigned seconds)
{
	const struct cd_probing how = {.single_ms = single_ms, .seconds = seconds};

	assert_int_equal(cd_probe_all(probe, 1, &how), 0);
}

static struct cd_probe probe_once(const struct server *server, enum certdeploy_start start_by,
				  const char *name, const char *key_type)
{
	struct cd_probe probe = {.address = "127.0.0.1",
				 .port = server->port,
				 .start = start_by,
				 .name = name,
				 .key_type = key_type};

	probe_within(&probe, 5000, 10);
	return probe;
}

static void assert_served(const struct cd_probe *probe, const struct pair *pair)
{
	assert_string_equal(probe->detail, "");
	assert_int_equal(probe->state, CD_PROBE_SERVED);
	assert_string_equal(probe->sha256, pair->sha256);
	assert_int_equal(probe->not_after, pair->not_after);
}

/* ---- what is served ---- */

static void test_served(void **state)
{
	struct server server = {.serve = serve_tls, .tls = tls_server(&rsa, NULL)};
	struct cd_probe probe;

	(void)state;
	assert_int_equal(SSL_CTX_add1_chain_cert(server.tls, other.certificate), 1);
	(void)SSL_CTX_set_tlsext_servername_callback(server.tls, note_name);
	(void)SSL_CTX_set_tlsext_servername_arg(server.tls, &server);
	start(&server);
	probe = probe_once(&server, CERTDEPLOY_START_IMPLICIT, "www.example.jp", NULL);
	assert_served(&probe, &rsa);
	assert_int_equal(probe.chain_length, 2);
	assert_string_equal(server.asked, "www.example.jp");
	probe = probe_once(&server, CERTDEPLOY_START_IMPLICIT, NULL, NULL);
	assert_served(&probe, &rsa);
	assert_string_equal(server.asked, "");
	probe = probe_once(&server, CERTDEPLOY_START_IMPLICIT, "*.example.jp", NULL);
	assert_served(&probe, &rsa);
	assert_string_equal(server.asked, "probe.example.jp");
	stop(&server);
}

static void serves_by_type(int version)
{
	struct server server = {.serve = serve_tls, .tls = tls_server(&rsa, &ecdsa)};
	struct server single = {.serve = serve_tls, .tls = tls_server(&rsa, NULL)};
	struct server edwards = {.serve = serve_tls, .tls = tls_server(&ed25519, NULL)};
	struct cd_probe probe;

	(void)SSL_CTX_set_max_proto_version(server.tls, version);
	(void)SSL_CTX_set_min_proto_version(server.tls, version);
	(void)SSL_CTX_set_max_proto_version(single.tls, version);
	(void)SSL_CTX_set_max_proto_version(edwards.tls, version);
	start(&server);
	start(&single);
	start(&edwards);
	probe = probe_once(&server, CERTDEPLOY_START_IMPLICIT, NULL, "rsa");
	assert_served(&probe, &rsa);
	probe = probe_once(&server, CERTDEPLOY_START_IMPLICIT, NULL, "ecdsa");
	assert_served(&probe, &ecdsa);
	probe = probe_once(&single, CERTDEPLOY_START_IMPLICIT, NULL, "rsa");
	assert_served(&probe, &rsa);
	probe = probe_once(&single, CERTDEPLOY_START_IMPLICIT, NULL, "ecdsa");
	assert_int_equal(probe.state, CD_PROBE_NO_HANDSHAKE);
	assert_string_not_equal(probe.detail, "");
	assert_string_equal(probe.sha256, "");
	probe = probe_once(&edwards, CERTDEPLOY_START_IMPLICIT, NULL, "ed25519");
	assert_served(&probe, &ed25519);
	probe = probe_once(&edwards, CERTDEPLOY_START_IMPLICIT, NULL, "ecdsa");
	assert_int_equal(probe.state, CD_PROBE_NO_HANDSHAKE);
	stop(&server);
	stop(&single);
	stop(&edwards);
}

static void test_key_types(void **state)
{
	(void)state;
	serves_by_type(TLS1_2_VERSION);
	serves_by_type(TLS1_3_VERSION);
}

/* A server that demands a certificate of its clients shows its own all the same. */
static void test_client_certificates(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct server server = {.serve = serve_tls, .tls = tls_server(&ecdsa, NULL)};
		struct cd_probe probe;

		SSL_CTX_set_verify(server.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		(void)SSL_CTX_set_max_proto_version(server.tls, versions[i]);
		start(&server);
		probe = probe_once(&server, CERTDEPLOY_START_IMPLICIT, NULL, NULL);
		assert_served(&probe, &ecdsa);
		stop(&server);
	}
}

static void test_weak_is_seen(void **state)
{
	struct server server = {.serve = serve_tls, .tls = tls_server(&weak, NULL)};
	struct cd_probe probe;

	(void)state;
	(void)SSL_CTX_set_min_proto_version(server.tls, TLS1_VERSION);
	(void)SSL_CTX_set_max_proto_version(server.tls, TLS1_VERSION);
	start(&server);
	probe = probe_once(&server, CERTDEPLOY_START_IMPLICIT, NULL, NULL);
	assert_served(&probe, &weak);
	probe = probe_once(&server, CERTDEPLOY_START_IMPLICIT, NULL, "rsa");
	assert_served(&probe, &weak);
	stop(&server);
}

static void test_address(void **state)
{
	struct server server = {.serve = serve_tls, .tls = tls_server(&ecdsa, NULL)};
	struct cd_probe probe = {.address = NULL};

	(void)state;
	server.fd = listen_on("::1", &server.port);
	if (server.fd == -1) {
		SSL_CTX_free(server.tls);
		skip();
	}
	start(&server);
	probe.port = server.port;
	probe_within(&probe, 2000, 5);
	assert_served(&probe, &ecdsa);
	stop(&server);
	probe.address = "not an address";
	probe_within(&probe, 2000, 5);
	assert_int_equal(probe.state, CD_PROBE_REFUSED);
	probe.address = "127.0.0.1";
	probe.port = 0;
	probe_within(&probe, 2000, 5);
	assert_int_equal(probe.state, CD_PROBE_REFUSED);
}

static void test_title(void **state)
{
	struct certdeploy_endpoint endpoint = {.name = "a.test", .port = 443};
	struct cd_arena arena = {0};

	(void)state;
	assert_string_equal(cd_probe_title(&arena, &endpoint), "a.test");
	endpoint.address = "192.0.2.1";
	assert_string_equal(cd_probe_title(&arena, &endpoint), "a.test (192.0.2.1)");
	endpoint.name = NULL;
	assert_string_equal(cd_probe_title(&arena, &endpoint), "the default (192.0.2.1)");
	cd_arena_free(&arena);
}

/* ---- before TLS ---- */

static const char *const smtp[] = {"220-mx.example.jp says\r\n220 mx.example.jp ESMTP\r\n",
				   "250-mx.example.jp\r\n250-SIZE 1\r\n250-starttls\r\n250 CHUNKING\r\n",
				   "220 2.0.0 Ready\r\n", TLS, NULL};
static const char *const smtp_without[] = {"220 mx ESMTP\r\n", "250-mx\r\n250 NOSTARTTLS\r\n", NULL};
static const char *const smtp_454[] = {"220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n",
				       "454 4.7.0 TLS not available \033[31mdue\r\n", NULL};
static const char *const smtp_unliked[] = {"220 mx\r\n", "554-5.7.1 no\r\n554 no\r\n", "220 go\r\n", TLS,
					   NULL};
static const char *const smtp_421[] = {"421 4.7.0 too many\r\n", NULL};
static const char *const smtp_554[] = {"554 5.7.1 no service\r\n", NULL};
static const char *const smtp_bare[] = {"220\n", "250 STARTTLS\n", "220\n", TLS, NULL};
static const char *const lmtp[] = {"220 lmtp\r\n", "250-lmtp\r\n250-STARTTLS\r\n250 PIPELINING\r\n",
				   "220 go\r\n", TLS, NULL};
static const char *const imap[] = {
	"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready {5}\r\na OK\n.\r\n",
	"* STATUS x\r\n* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na OK done\r\n",
	"* OK one moment\r\nb OK Begin TLS\r\n", TLS, NULL};
static const char *const imap_without[] = {"* OK ready\r\n",
					   "* CAPABILITY IMAP4rev1 XSTARTTLS\r\na OK done\r\n", NULL};
static const char *const imap_bye[] = {"* BYE too many\r\n", NULL};
static const char *const imap_bad[] = {"* OK\r\n", "* CAPABILITY STARTTLS\r\na OK\r\n", "b BAD no\r\n",
				       NULL};
static const char *const pop3[] = {"+OK <1.2@mx>\r\n", "+OK list\r\nUSER\r\nSTLS\r\n.\r\n", "+OK go\r\n",
				   TLS, NULL};
static const char *const pop3_old[] = {"+OK\r\n", "-ERR what\r\n", "+OK go\r\n", TLS, NULL};
static const char *const pop3_without[] = {"+OK\r\n", "+OK\r\nUSER\r\n.\r\n", NULL};
static const char *const sieve[] = {
	"\"IMPLEMENTATION\" \"x\"\r\n\"SIEVE\" {8}\r\nOK\nfile \r\n\"STARTTLS\"\r\nOK \"ready\"\r\n",
	"OK \"go\"\r\n", TLS, NULL};
static const char *const sieve_without[] = {"\"IMPLEMENTATION\" \"STARTTLS\"\r\nOK\r\n", NULL};
static const char *const ftp[] = {"220-Welcome\r\nmany words\r\n 220 not yet\r\n220 ready\r\n",
				  "234 AUTH TLS OK\r\n", TLS, NULL};
static const char *const ftp_without[] = {"220 ready\r\n", "502 unknown\r\n", NULL};

static const struct {
	enum certdeploy_start start;
	const char *const *script;
	const char *detail; /* NULL: it is served */
} dialogues[] = {
	{CERTDEPLOY_START_SMTP, smtp, NULL},
	{CERTDEPLOY_START_SMTP, smtp_bare, NULL},
	{CERTDEPLOY_START_SMTP, smtp_without, "it does not offer STARTTLS"},
	{CERTDEPLOY_START_SMTP, smtp_454, "it refuses STARTTLS: 454 4.7.0 TLS not available \\x1b[31mdue"},
	{CERTDEPLOY_START_SMTP, smtp_unliked, NULL},
	{CERTDEPLOY_START_SMTP, smtp_421, "it refuses the connection: 421 4.7.0 too many"},
	{CERTDEPLOY_START_SMTP, smtp_554, "it refuses the connection: 554 5.7.1 no service"},
	{CERTDEPLOY_START_SMTP, imap,
	 "it does not speak the protocol: * OK [CAPABILITY IMAP4rev1 STARTTLS] ready {5}"},
	{CERTDEPLOY_START_LMTP, lmtp, NULL},
	{CERTDEPLOY_START_IMAP, imap, NULL},
	{CERTDEPLOY_START_IMAP, imap_without, "it does not offer STARTTLS"},
	{CERTDEPLOY_START_IMAP, imap_bye, "it refuses the connection: * BYE too many"},
	{CERTDEPLOY_START_IMAP, imap_bad, "it refuses STARTTLS: b BAD no"},
	{CERTDEPLOY_START_POP3, pop3, NULL},
	{CERTDEPLOY_START_POP3, pop3_old, NULL},
	{CERTDEPLOY_START_POP3, pop3_without, "it does not offer STARTTLS"},
	{CERTDEPLOY_START_SIEVE, sieve, NULL},
	{CERTDEPLOY_START_SIEVE, sieve_without, "it does not offer STARTTLS"},
	{CERTDEPLOY_START_FTP, ftp, NULL},
	{CERTDEPLOY_START_FTP, ftp_without, "it refuses STARTTLS: 502 unknown"},
};

static void test_dialogues(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
		struct server server = {.serve = serve_script,
					.tls = tls_server(&ecdsa, NULL),
					.script = dialogues[i].script};
		struct cd_probe probe;

		start(&server);
		probe = probe_once(&server, dialogues[i].start, NULL, NULL);
		if (dialogues[i].detail == NULL) {
			assert_served(&probe, &ecdsa);
		} else {
			assert_string_equal(probe.detail, dialogues[i].detail);
			assert_int_equal(probe.state, CD_PROBE_NO_STARTTLS);
			/* "Too many" lets the next one in. */
			assert_int_equal(probe.turned_away, dialogues[i].script == smtp_554 ||
								    dialogues[i].script == imap_bye);
		}
		stop(&server);
	}
}

/* Whatever the pieces, and whatever the bytes, a dialogue ends or is bounded. */
static void test_dialogue_bounds(void **state)
{
	static const char *const endless[] = {"x",           "250-x\r\n", "* OK\r\n", "+OK\r\n",
					      "{65535}\r\n", "\n",        ""};
	static struct cd_dialogue dialogue;

	(void)state;
	for (int by = CERTDEPLOY_START_SMTP; by <= CERTDEPLOY_START_FTP; by++) {
		for (size_t i = 0; i < sizeof(endless) / sizeof(endless[0]); i++) {
			enum cd_dialogue_turn turn = CD_DIALOGUE_LISTEN;
			size_t heard = 0, used = 0, length = endless[i][0] == '\0' ? 1 : strlen(endless[i]);

			cd_dialogue_begin(&dialogue, (enum certdeploy_start)by);
			while (turn != CD_DIALOGUE_NO && turn != CD_DIALOGUE_TLS) {
				turn = cd_dialogue_hear(&dialogue, endless[i], length, &used);
				heard += used;
				assert_true(heard <= CD_DIALOGUE_LIMIT + length);
			}
		}
	}
}

/* ---- servers that mean no good ---- */

static void serve_nothing(struct server *server, int client)
{
	struct pollfd until = {.fd = client, .events = POLLRDHUP};

	while (!server->stop && poll(&until, 1, 20) == 0)
		;
}

static void serve_drops(struct server *server, int client)
{
	struct pollfd until = {.fd = client, .events = POLLRDHUP};

	while (!server->stop && send(client, "2", 1, MSG_NOSIGNAL) == 1 && poll(&until, 1, 20) == 0)
		;
}

static void serve_reset(struct server *server, int client)
{
	const struct linger now = {.l_onoff = 1};

	(void)setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	if (server->script != NULL)
		say(client, server->script[0]);
}

static void serve_flood(struct server *server, int client)
{
	static char flood[90000];
	size_t length = strlen(server->script[0]), room = sizeof(flood) / length * length;

	/* A TLS record's length may hold zeros: script[0] is a record without its zeros in that case. */
	for (size_t i = 0; i < room; i++)
		flood[i] = server->script[0][i % length] == '@' ? '\0' : server->script[0][i % length];
	while (send(client, flood, room, MSG_NOSIGNAL) > 0)
		;
}

static void test_hostile(void **state)
{
	static const char *const http[] = {"HTTP/1.0 400 Bad Request\r\n\r\n", NULL};
	static const char *const greeting[] = {"220 hello\r\n", NULL};
	static const char *const letters[] = {"x", NULL}, *const lines[] = {"250-x\r\n", NULL};
	static const char *const hello_requests[] = {"\x16\x03\x03@\x04@@@@", NULL};
	static const char *const injected[] = {"220 a\r\n", "250 STARTTLS\r\n", "220 go\r\n250 more\r\n",
					       NULL};
	const struct {
		void (*serve)(struct server *, int);
		const char *const *script;
		enum certdeploy_start start;
		enum cd_probe_state want;
	} cases[] = {
		{serve_nothing, NULL, CERTDEPLOY_START_IMPLICIT, CD_PROBE_TIMEOUT},
		{serve_nothing, NULL, CERTDEPLOY_START_SMTP, CD_PROBE_TIMEOUT},
		{serve_drops, NULL, CERTDEPLOY_START_SMTP, CD_PROBE_TIMEOUT},
		{serve_reset, NULL, CERTDEPLOY_START_IMPLICIT, CD_PROBE_NO_HANDSHAKE},
		{serve_reset, NULL, CERTDEPLOY_START_SMTP, CD_PROBE_NO_STARTTLS},
		{serve_reset, greeting, CERTDEPLOY_START_SMTP, CD_PROBE_NO_STARTTLS},
		{serve_script, http, CERTDEPLOY_START_IMPLICIT, CD_PROBE_NO_HANDSHAKE},
		{serve_flood, letters, CERTDEPLOY_START_IMPLICIT, CD_PROBE_NO_HANDSHAKE},
		{serve_flood, hello_requests, CERTDEPLOY_START_IMPLICIT, CD_PROBE_NO_HANDSHAKE},
		{serve_flood, letters, CERTDEPLOY_START_IMAP, CD_PROBE_NO_STARTTLS},
		{serve_flood, lines, CERTDEPLOY_START_SMTP, CD_PROBE_NO_STARTTLS},
		{serve_flood, lines, CERTDEPLOY_START_SIEVE, CD_PROBE_NO_STARTTLS},
		{serve_script, injected, CERTDEPLOY_START_SMTP, CD_PROBE_NO_HANDSHAKE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct server server = {.serve = cases[i].serve, .script = cases[i].script};
		struct cd_probe probe = {.address = "127.0.0.1", .start = cases[i].start};
		int64_t began = milliseconds();

		start(&server);
		probe.port = server.port;
		probe_within(&probe, 400, 10);
		assert_int_equal(probe.state, cases[i].want);
		assert_string_equal(probe.sha256, "");
		assert_string_not_equal(probe.detail, "");
		assert_true(milliseconds() - began < 3000);
		stop(&server);
	}
}

/* Nobody takes the connection: the queue of the listener is full. */
static void test_half_open(void **state)
{
	struct cd_probe probes[40] = {{0}};
	const struct cd_probing how = {.single_ms = 300, .seconds = 5};
	uint16_t port = 0;
	int fd = listen_on("127.0.0.1", &port);
	int64_t began = milliseconds();

	(void)state;
	assert_int_equal(listen(fd, 0), 0);
	for (size_t i = 0; i < 40; i++)
		probes[i] = (struct cd_probe){.address = "127.0.0.1", .port = port};
	assert_int_equal(cd_probe_all(probes, 40, &how), 0);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(probes[i].state, CD_PROBE_TIMEOUT);
	assert_true(milliseconds() - began < 2000);
	(void)close(fd);
}

/* ---- until it is served ---- */

static void test_until_wanted(void **state)
{
	struct server server = {
		.serve = serve_tls, .tls = tls_server(&rsa, NULL), .later = tls_server(&other, NULL)};
	struct cd_probe probe = {.address = "127.0.0.1", .want = other.sha256};

	(void)state;
	start(&server);
	probe.port = server.port;
	probe_within(&probe, 2000, 10);
	assert_served(&probe, &other);
	assert_int_equal(server.connections, 3);
	stop(&server);
}

static void *start_late(void *data)
{
	struct server *server = data;

	(void)poll(NULL, 0, 300);
	server->fd = listen_on("127.0.0.1", &server->port);
	return serve_all(server);
}

static void test_until_it_listens(void **state)
{
	struct server server = {.serve = serve_tls, .tls = tls_server(&rsa, NULL)};
	struct cd_probe probe = {.address = NULL, .want = rsa.sha256};

	(void)state;
	(void)close(listen_on("127.0.0.1", &server.port));
	probe.port = server.port;
	assert_int_equal(pthread_create(&server.thread, NULL, start_late, &server), 0);
	probe_within(&probe, 1000, 10);
	assert_served(&probe, &rsa);
	stop(&server);
}

static void test_never_wanted(void **state)
{
	struct server server = {.serve = serve_tls, .tls = tls_server(&rsa, NULL)};
	struct cd_probe probes[2] = {{.address = "127.0.0.1", .want = other.sha256},
				     {.address = "127.0.0.1", .want = other.sha256}};
	const struct cd_probing how = {.seconds = 1};
	int64_t began = milliseconds();
	uint16_t nobody = 0;

	(void)state;
	(void)close(listen_on("127.0.0.1", &nobody));
	start(&server);
	probes[0].port = server.port;
	probes[1].port = nobody;
	assert_int_equal(cd_probe_all(probes, 2, &how), 0);
	assert_served(&probes[0], &rsa);
	assert_int_equal(probes[1].state, CD_PROBE_REFUSED);
	assert_true(milliseconds() - began < 2000);
	/* Pauses grow: far fewer attempts than a second has room for, and more than one. */
	assert_in_range(server.connections, 4, 12);
	stop(&server);
}

static int cancel(void *user, size_t done, size_t total)
{
	(void)done;
	(void)total;
	return ++*(int *)user > 3;
}

static void test_cancelled(void **state)
{
	struct server server = {.serve = serve_nothing};
	struct cd_probe probe = {.address = "127.0.0.1"};
	int calls = 0;
	const struct cd_probing how = {.progress = cancel, .user = &calls};
	int64_t began = milliseconds();

	(void)state;
	start(&server);
	probe.port = server.port;
	assert_int_equal(cd_probe_all(&probe, 1, &how), CERTDEPLOY_ECANCELLED);
	assert_int_equal(calls, 4);
	assert_true(milliseconds() - began < 2500);
	stop(&server);
}

/* ---- many ---- */

#define MANY 4

static void start_many(struct server *servers, uint16_t *ports)
{
	for (size_t i = 0; i < MANY; i++) {
		servers[i] = (struct server){.serve = serve_tls, .tls = tls_server(&ecdsa, &rsa)};
		start(&servers[i]);
		ports[i] = servers[i].port;
	}
}

/* Probes of both key types at all ports; how many serve what they should. */
static size_t probe_many(const uint16_t *ports, size_t count, unsigned parallel)
{
	struct cd_probe *probes = calloc(count, sizeof(*probes));
	const struct cd_probing how = {.seconds = 60, .single_ms = 30000, .parallel = parallel};
	size_t good = 0;

	for (size_t i = 0; i < count; i++)
		probes[i] = (struct cd_probe){.address = "127.0.0.1",
					      .port = ports[i % MANY],
					      .name = "www.example.jp",
					      .key_type = i % 2 == 0 ? "rsa" : "ecdsa",
					      .want = i % 2 == 0 ? rsa.sha256 : ecdsa.sha256};
	if (cd_probe_all(probes, count, &how) == 0)
		for (size_t i = 0; i < count; i++)
			good += probes[i].state == CD_PROBE_SERVED &&
				strcmp(probes[i].sha256, probes[i].want) == 0;
	free(probes);
	return good;
}

static void test_thousand(void **state)
{
	struct server servers[MANY];
	uint16_t ports[MANY];

	(void)state;
	start_many(servers, ports);
	assert_int_equal(probe_many(ports, 1000, 0), 1000);
	for (size_t i = 0; i < MANY; i++)
		stop(&servers[i]);
	assert_int_equal(cd_probe_all(NULL, 0, NULL), 0);
}

/* With hardly a descriptor left, the work takes longer but is done. */
static void test_few_descriptors(void **state)
{
	struct server servers[MANY];
	uint16_t ports[MANY];
	struct rlimit few = {0};
	int ends[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	child = fork(); /* the servers keep their descriptors */
	assert_true(child != -1);
	if (child == 0) {
		few.rlim_cur = few.rlim_max = (rlim_t)ends[1] + 6;
		_exit(read(ends[0], ports, sizeof(ports)) == sizeof(ports) &&
				      setrlimit(RLIMIT_NOFILE, &few) == 0 && probe_many(ports, 60, 0) == 60
			      ? 0
			      : 1);
	}
	start_many(servers, ports);
	assert_int_equal(write(ends[1], ports, sizeof(ports)), sizeof(ports));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	for (size_t i = 0; i < MANY; i++)
		stop(&servers[i]);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* ---- a server of OpenSSL's own ---- */

static void write_pem(const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_PrivateKey(file, rsa.key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(PEM_write_X509(file, rsa.certificate), 1);
	assert_int_equal(fclose(file), 0);
}

static void test_s_server(void **state)
{
	char directory[] = "/tmp/certdeploy-probe.XXXXXX", path[64], address[32];
	struct cd_probe probe = {.address = "127.0.0.1", .want = rsa.sha256, .name = "www.example.jp"};
	pid_t child;
	int status;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/pair.pem", directory);
	write_pem(path);
	(void)close(listen_on("127.0.0.1", &probe.port));
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)probe.port);
	child = fork();
	assert_true(child != -1);
	if (child == 0) {
		(void)execlp("openssl", "openssl", "s_server", "-quiet", "-accept", address, "-cert", path,
			     "-key", path, (char *)NULL);
		_exit(127);
	}
	probe_within(&probe, 2000, 15);
	(void)kill(child, SIGTERM);
	assert_int_equal(waitpid(child, &status, 0), child);
	(void)unlink(path);
	(void)rmdir(directory);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		skip();
	assert_served(&probe, &rsa);
}

/* What the host prints must not go to a stranger: without a descriptor above standard error none is asked.
 */
static void test_a_fetch_is_no_standard_stream(void **state)
{
	const struct rlimit standard = {3, 3};
	struct cd_fetch fetch = {.private_addresses = true, .seconds = 2};
	struct pollfd polled = {.events = POLLIN};
	char url[64];
	uint16_t port;
	int status;
	pid_t child;

	(void)state;
	polled.fd = listen_on("127.0.0.1", &port);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", (unsigned)port);
	child = fork();
	assert_true(child != -1);
	if (child == 0) {
		(void)close(STDERR_FILENO);
		_exit(setrlimit(RLIMIT_NOFILE, &standard) == 0 &&
				      cd_fetch(&fetch, url) == CERTDEPLOY_EFAILED
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(poll(&polled, 1, 0), 0);
	(void)close(polled.fd);
}

static void test_here(void **state)
{
	static const char *const ours[] = {NULL, "127.0.0.1", "127.9.9.9", "0.0.0.0", "::", "localhost"};
	struct cd_here here = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		assert_true(cd_here_has(&here, ours[i]));
	/* For documentation: nobody's. */
	assert_false(cd_here_has(&here, "192.0.2.1"));
	assert_false(cd_here_has(&here, "2001:db8::1"));
	cd_here_free(&here);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_here),
		cmocka_unit_test(test_a_fetch_is_no_standard_stream),
		cmocka_unit_test(test_served),
		cmocka_unit_test(test_key_types),
		cmocka_unit_test(test_client_certificates),
		cmocka_unit_test(test_weak_is_seen),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_title),
		cmocka_unit_test(test_dialogues),
		cmocka_unit_test(test_dialogue_bounds),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_half_open),
		cmocka_unit_test(test_until_wanted),
		cmocka_unit_test(test_until_it_listens),
		cmocka_unit_test(test_never_wanted),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_thousand),
		cmocka_unit_test(test_few_descriptors),
		cmocka_unit_test(test_s_server),
	};

	return cmocka_run_group_tests(tests, make_pairs, free_pairs);
}
