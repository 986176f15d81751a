/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attempt.c - one connection to one port: connect, STARTTLS, handshake, without ever waiting
 *
 * OpenSSL reads and writes through a BIO of our own, which sends without SIGPIPE, notices the end of
 * the stream and takes no more than WIRE_LIMIT bytes: what a hostile server sends is bounded, in memory
 * and, as OpenSSL loops over messages that it skips, in time. Certificates are looked at, not verified;
 * the signature by which the server proves that it has the key is checked by OpenSSL as ever.
 */
#include "proof/attempt.h"

#include "base/file.h"
#include "base/text.h"
#include "certificate/material.h"
#include "proof/starttls.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WIRE_LIMIT ((size_t)512 << 10)
#define ROOM_FOR_ERRNO 128

enum stage {
	CONNECTING,
	TALKING,
	SHAKING_HANDS,
};

struct cd_attempt {
	struct cd_clients *clients;
	struct cd_probe *probe;
	enum stage stage;
	int fd;
	short events;
	bool second_address; /**< ::1, after 127.0.0.1 */
	SSL *ssl;
	struct cd_dialogue *dialogue; /**< NULL: TLS at once */
	/* about the wire */
	size_t received;
	bool flooded;
	bool closed;
	int error;
	/* the certificate shown, not yet proven */
	bool seen;
	char sha256[CD_SHA256_TEXT];
	int64_t not_before;
	int64_t not_after;
	unsigned chain_length;
};

/*
 * What a client offers that wants one type of key. A signature algorithm names its key; before TLS 1.3
 * the cipher does as well. Levels of security do not matter here: what is served is to be seen.
 */
static const struct {
	const char *type, *signatures, *ciphers;
} restrictions[] = {
	{"rsa",
	 "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:rsa_pss_pss_sha256:rsa_pss_pss_"
	 "sha384:"
	 "rsa_pss_pss_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512:RSA+SHA224:RSA+SHA1",
	 "aRSA:!eNULL:!PSK:!SRP:@SECLEVEL=0"},
	{"ecdsa", "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ECDSA+SHA224:ECDSA+SHA1",
	 "aECDSA:!eNULL:!PSK:!SRP:@SECLEVEL=0"},
	{"ed25519", "ed25519", "aECDSA:!eNULL:!PSK:!SRP:@SECLEVEL=0"},
	{"ed448", "ed448", "aECDSA:!eNULL:!PSK:!SRP:@SECLEVEL=0"},
	{"dsa", "DSA+SHA256:DSA+SHA384:DSA+SHA512:DSA+SHA224:DSA+SHA1", "aDSS:!eNULL:@SECLEVEL=0"},
};
#define RESTRICTIONS (sizeof(restrictions) / sizeof(restrictions[0]))
_Static_assert(RESTRICTIONS == sizeof(((struct cd_clients *)NULL)->by_type) / sizeof(SSL_CTX *),
	       "a client for each restriction");

/* ---- the wire under OpenSSL ---- */

static int wire_read(BIO *bio, char *bytes, int size)
{
	struct cd_attempt *attempt = BIO_get_data(bio);
	ssize_t got;

	BIO_clear_retry_flags(bio);
	if (attempt->received >= WIRE_LIMIT) {
		attempt->flooded = true;
		return -1;
	}
	got = recv(attempt->fd, bytes, (size_t)size, MSG_DONTWAIT);
	if (got > 0)
		attempt->received += (size_t)got;
	else if (got == 0)
		attempt->closed = true;
	else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		BIO_set_retry_read(bio);
	else
		attempt->error = errno;
	return (int)got;
}

static int wire_write(BIO *bio, const char *bytes, int size)
{
	struct cd_attempt *attempt = BIO_get_data(bio);
	ssize_t sent = send(attempt->fd, bytes, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		BIO_set_retry_write(bio);
	else if (sent < 0)
		attempt->error = errno;
	return (int)sent;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
	const struct cd_attempt *attempt = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return attempt != NULL && attempt->closed;
	default:
		return 0;
	}
}

/* ---- clients ---- */

/* In place of verification: note what is shown. */
static int note_certificate(X509_STORE_CTX *context, void *unused)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct cd_attempt *attempt = ssl == NULL ? NULL : SSL_get_app_data(ssl);
	X509 *leaf = X509_STORE_CTX_get0_cert(context);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	(void)unused;
	if (attempt == NULL || leaf == NULL || X509_digest(leaf, EVP_sha256(), digest, &size) != 1)
		return 0;
	cd_hex(attempt->sha256, digest, size);
	attempt->not_before = cd_seconds(X509_get0_notBefore(leaf));
	attempt->not_after = cd_seconds(X509_get0_notAfter(leaf));
	attempt->chain_length = (unsigned)sk_X509_num(X509_STORE_CTX_get0_untrusted(context));
	attempt->seen = true;
	return 1;
}

/* A client that accepts whatever is shown to it. NULL: memory is short, or OpenSSL lacks the means. */
static SSL_CTX *make_client(const char *signatures, const char *ciphers)
{
	char list[256]; /* the macro below takes away const */
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());

	if (client == NULL)
		return NULL;
	SSL_CTX_set_security_level(client, 0);
	(void)SSL_CTX_set_min_proto_version(client, TLS1_VERSION);
	(void)SSL_CTX_set_max_proto_version(client, 0);
	(void)SSL_CTX_set_options(client,
				  SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	(void)SSL_CTX_set_mode(client, SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(client, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_cert_verify_callback(client, note_certificate, NULL);
	(void)snprintf(list, sizeof(list), "%s", signatures == NULL ? "" : signatures);
	if (SSL_CTX_set_cipher_list(client, ciphers) != 1 ||
	    (signatures != NULL && SSL_CTX_set1_sigalgs_list(client, list) != 1)) {
		SSL_CTX_free(client);
		return NULL;
	}
	return client;
}

int cd_clients_make(struct cd_clients *clients)
{
	memset(clients, 0, sizeof(*clients));
	/* No index of BIO_get_new_index(): there are few, and they cannot be given back. */
	clients->wire = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "certdeploy probe");
	clients->any = make_client(NULL, "ALL:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=0");
	if (clients->wire == NULL || clients->any == NULL ||
	    BIO_meth_set_read(clients->wire, wire_read) != 1 ||
	    BIO_meth_set_write(clients->wire, wire_write) != 1 ||
	    BIO_meth_set_ctrl(clients->wire, wire_control) != 1)
		return CERTDEPLOY_ENOMEM;
	return 0;
}

void cd_clients_free(struct cd_clients *clients)
{
	for (size_t i = 0; i < RESTRICTIONS; i++)
		SSL_CTX_free(clients->by_type[i]);
	SSL_CTX_free(clients->any);
	BIO_meth_free(clients->wire);
	ERR_clear_error();
}

static SSL_CTX *client_for(struct cd_clients *clients, const char *key_type)
{
	for (size_t i = 0; key_type != NULL && i < RESTRICTIONS; i++) {
		if (strcmp(restrictions[i].type, key_type) != 0)
			continue;
		if (clients->by_type[i] == NULL)
			clients->by_type[i] =
				make_client(restrictions[i].signatures, restrictions[i].ciphers);
		return clients->by_type[i];
	}
	return clients->any;
}

/* ---- outcomes ---- */

static int ended(struct cd_attempt *attempt, enum cd_probe_state state, const char *why)
{
	attempt->probe->state = state;
	(void)snprintf(attempt->probe->detail, sizeof(attempt->probe->detail), "%s", why);
	return CD_ATTEMPT_ENDED;
}

static int ended_by_errno(struct cd_attempt *attempt, enum cd_probe_state state, int error)
{
	char room[ROOM_FOR_ERRNO];

	return ended(attempt, state, cd_errno_text(error, room, sizeof(room)));
}

static enum cd_probe_state state_without_tls(const struct cd_attempt *attempt)
{
	return attempt->dialogue == NULL ? CD_PROBE_NO_HANDSHAKE : CD_PROBE_NO_STARTTLS;
}

static int ended_served(struct cd_attempt *attempt)
{
	struct cd_probe *probe = attempt->probe;

	memcpy(probe->sha256, attempt->sha256, sizeof(probe->sha256));
	probe->not_before = attempt->not_before;
	probe->not_after = attempt->not_after;
	probe->chain_length = attempt->chain_length;
	return ended(attempt, CD_PROBE_SERVED, "");
}

static int ended_without_tls(struct cd_attempt *attempt)
{
	const struct cd_dialogue *dialogue = attempt->dialogue;
	struct cd_arena arena = {0};
	char text[sizeof(attempt->probe->detail)];
	const char *line = NULL;

	attempt->probe->turned_away = dialogue->turned_away;
	if (dialogue->answered)
		line = cd_printable(&arena, dialogue->line, dialogue->length, 100);
	(void)snprintf(text, sizeof(text), line == NULL || line[0] == '\0' ? "%s" : "%s: %s", dialogue->why,
		       line);
	cd_arena_free(&arena);
	return ended(attempt, CD_PROBE_NO_STARTTLS, text);
}

/*
 * Before TLS 1.3, a server that demands a certificate of the client ends the handshake when there is
 * none; but by then it has shown its own and, unless the key only decrypts, has signed with its key.
 */
static bool is_proven(const struct cd_attempt *attempt)
{
	const SSL_CIPHER *cipher = SSL_get_pending_cipher(attempt->ssl);

	if (!attempt->seen || SSL_version(attempt->ssl) >= TLS1_3_VERSION || cipher == NULL ||
	    SSL_CIPHER_get_kx_nid(cipher) == NID_kx_rsa)
		return false;
	switch (SSL_get_state(attempt->ssl)) {
	case TLS_ST_CW_CERT:
	case TLS_ST_CW_KEY_EXCH:
	case TLS_ST_CW_CERT_VRFY:
	case TLS_ST_CW_CHANGE:
	case TLS_ST_CW_FINISHED:
		return true;
	default:
		return false;
	}
}

static int handshake_failed(struct cd_attempt *attempt)
{
	unsigned long error = ERR_peek_error();
	const char *reason = ERR_reason_error_string(error);

	if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
		return CERTDEPLOY_ENOMEM;
	if (is_proven(attempt))
		return ended_served(attempt);
	if (attempt->flooded)
		reason = "it sends without end";
	else if (attempt->error != 0)
		return ended_by_errno(attempt, CD_PROBE_NO_HANDSHAKE, attempt->error);
	else if (attempt->closed)
		reason = "it closed the connection";
	return ended(attempt, CD_PROBE_NO_HANDSHAKE, reason == NULL ? "the handshake failed" : reason);
}

/* ---- connecting ---- */

/* Numeric addresses only: no name service is asked. Returns 0, 1 (no address) or CERTDEPLOY_ENOMEM. */
static int find_address(struct addrinfo **out, const struct cd_probe *probe, bool second)
{
	const char *address = probe->address != NULL ? probe->address : second ? "::1" : "127.0.0.1";
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				       .ai_socktype = SOCK_STREAM};
	char port[8];
	int error;

	(void)snprintf(port, sizeof(port), "%u", (unsigned)probe->port);
	error = probe->port == 0 ? EAI_SERVICE : getaddrinfo(address, port, &hints, out);
	return error == 0 ? 0 : error == EAI_MEMORY ? CERTDEPLOY_ENOMEM : 1;
}

static int connect_now(struct cd_attempt *attempt)
{
	struct addrinfo *found = NULL;
	int result = find_address(&found, attempt->probe, attempt->second_address), one = 1;

	if (result < 0)
		return result;
	if (result > 0)
		return ended(attempt, CD_PROBE_REFUSED, "no address and port to connect to");
	attempt->stage = CONNECTING;
	attempt->events = POLLOUT;
	attempt->fd = cd_above_standard(
		socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
	if (attempt->fd == -1) {
		if (errno == EMFILE || errno == ENFILE)
			result = CD_ATTEMPT_NO_ROOM;
		else if (errno == ENOMEM || errno == ENOBUFS)
			result = CERTDEPLOY_ENOMEM;
		else
			result = ended_by_errno(attempt, CD_PROBE_REFUSED, errno);
	} else {
		(void)setsockopt(attempt->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (connect(attempt->fd, found->ai_addr, found->ai_addrlen) == -1 && errno != EINPROGRESS &&
		    errno != EINTR)
			result = ended_by_errno(attempt, CD_PROBE_REFUSED, errno);
	}
	freeaddrinfo(found);
	return result;
}

/* 127.0.0.1 was refused: a server may listen on IPv6 alone. What 127.0.0.1 said stands if not. */
static int connect_elsewhere(struct cd_attempt *attempt)
{
	char first[sizeof(attempt->probe->detail)];
	int result;

	if (attempt->probe->address != NULL || attempt->second_address)
		return CD_ATTEMPT_ENDED;
	memcpy(first, attempt->probe->detail, sizeof(first));
	(void)close(attempt->fd);
	attempt->second_address = true;
	result = connect_now(attempt);
	if (result != CD_ATTEMPT_NO_ROOM && result != CD_ATTEMPT_ENDED)
		return result;
	return ended(attempt, CD_PROBE_REFUSED, first);
}

/*
 * The PROXY protocol of haproxy, version 1: a line that says who the client is. It is ourselves. A
 * connection that is just made takes so few bytes at once.
 */
static int introduce(struct cd_attempt *attempt)
{
	struct sockaddr_storage us = {0}, them = {0};
	socklen_t our_size = sizeof(us), their_size = sizeof(them);
	char our_host[NI_MAXHOST], our_port[NI_MAXSERV], their_host[NI_MAXHOST], their_port[NI_MAXSERV];
	char line[108]; /* the longest that the protocol has, with a NUL */
	int flags = NI_NUMERICHOST | NI_NUMERICSERV, length;

	if (getsockname(attempt->fd, (struct sockaddr *)&us, &our_size) == -1 ||
	    getpeername(attempt->fd, (struct sockaddr *)&them, &their_size) == -1)
		return ended_by_errno(attempt, CD_PROBE_NO_HANDSHAKE, errno);
	if (getnameinfo((struct sockaddr *)&us, our_size, our_host, sizeof(our_host), our_port,
			sizeof(our_port), flags) != 0 ||
	    getnameinfo((struct sockaddr *)&them, their_size, their_host, sizeof(their_host), their_port,
			sizeof(their_port), flags) != 0)
		return CERTDEPLOY_ENOMEM;
	length = snprintf(line, sizeof(line), "PROXY TCP%c %s %s %s %s\r\n",
			  us.ss_family == AF_INET6 ? '6' : '4', our_host, their_host, our_port, their_port);
	if (length < 0 || (size_t)length >= sizeof(line))
		return ended(attempt, CD_PROBE_NO_HANDSHAKE, "its address is too long");
	if (send(attempt->fd, line, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) != length)
		return ended(attempt, CD_PROBE_NO_HANDSHAKE, "it takes no PROXY line");
	return CD_ATTEMPT_WAITS;
}

static int finish_connecting(struct cd_attempt *attempt)
{
	socklen_t size = sizeof(attempt->error);

	if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &attempt->error, &size) == -1)
		attempt->error = errno;
	/* A reset comes from a server that took the connection and closed it at once. */
	if (attempt->error == ECONNRESET)
		return ended_by_errno(attempt, state_without_tls(attempt), ECONNRESET);
	if (attempt->error != 0) {
		(void)ended_by_errno(attempt, CD_PROBE_REFUSED, attempt->error);
		attempt->error = 0;
		return connect_elsewhere(attempt);
	}
	attempt->stage = attempt->dialogue == NULL ? SHAKING_HANDS : TALKING;
	attempt->events = attempt->dialogue == NULL ? POLLOUT : POLLIN;
	return attempt->probe->proxied ? introduce(attempt) : CD_ATTEMPT_WAITS;
}

/* ---- talking ---- */

/* Sends what is left of the command. 0 all sent, 1 not yet, -1 failed. */
static int send_command(struct cd_attempt *attempt)
{
	struct cd_dialogue *dialogue = attempt->dialogue;
	ssize_t sent;

	while (dialogue->say != NULL && dialogue->say[0] != '\0') {
		sent = send(attempt->fd, dialogue->say, strlen(dialogue->say), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 1 : -1;
		dialogue->say += sent;
	}
	dialogue->say = NULL;
	return 0;
}

static int hear(struct cd_attempt *attempt, const char *bytes, size_t length)
{
	struct cd_dialogue *dialogue = attempt->dialogue;
	size_t at = 0, used = 0;

	while (at < length) {
		enum cd_dialogue_turn turn = cd_dialogue_hear(dialogue, bytes + at, length - at, &used);

		at += used;
		if (turn == CD_DIALOGUE_NO)
			return ended_without_tls(attempt);
		if (turn == CD_DIALOGUE_TLS && at < length)
			return ended(attempt, CD_PROBE_NO_HANDSHAKE,
				     "it sends text after its answer to STARTTLS");
		if (turn == CD_DIALOGUE_TLS) {
			attempt->stage = SHAKING_HANDS;
			attempt->events = POLLOUT;
		}
	}
	return CD_ATTEMPT_WAITS;
}

static int talk(struct cd_attempt *attempt)
{
	char bytes[4096];
	ssize_t got;
	int sending = send_command(attempt), result = CD_ATTEMPT_WAITS;

	if (sending < 0)
		return ended_by_errno(attempt, CD_PROBE_NO_STARTTLS, errno);
	if (sending == 0) {
		got = recv(attempt->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (got == 0)
			return ended(attempt, CD_PROBE_NO_STARTTLS, "it closed the connection");
		if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			return ended_by_errno(attempt, CD_PROBE_NO_STARTTLS, errno);
		if (got > 0)
			result = hear(attempt, bytes, (size_t)got);
		if (result != CD_ATTEMPT_WAITS || attempt->stage != TALKING)
			return result;
		sending = send_command(attempt);
	}
	attempt->events = sending == 0 ? POLLIN : POLLOUT;
	return sending < 0 ? ended_by_errno(attempt, CD_PROBE_NO_STARTTLS, errno) : CD_ATTEMPT_WAITS;
}

/* ---- the handshake ---- */

/* The name to ask for: a pattern's wildcards become letters, so that it is a name which it covers. */
static void concrete_name(char *out, size_t size, const char *name)
{
	size_t at = 0;

	for (; *name != '\0' && at + 6 < size; name++) {
		const char *piece = *name == '*' ? "probe" : *name == '?' ? "x" : NULL;

		if (piece == NULL)
			out[at++] = *name;
		else
			at += (size_t)snprintf(out + at, size - at, "%s", piece);
	}
	out[at] = '\0';
}

static int make_ssl(struct cd_attempt *attempt)
{
	SSL_CTX *client = client_for(attempt->clients, attempt->probe->key_type);
	char name[TLSEXT_MAXLEN_host_name + 1];
	BIO *bio;

	if (client == NULL)
		return ended(attempt, CD_PROBE_NO_HANDSHAKE, "OpenSSL cannot ask for this type of key");
	attempt->ssl = SSL_new(client);
	bio = BIO_new(attempt->clients->wire);
	if (attempt->ssl == NULL || bio == NULL) {
		BIO_free(bio);
		return CERTDEPLOY_ENOMEM;
	}
	BIO_set_data(bio, attempt);
	BIO_set_init(bio, 1);
	SSL_set_bio(attempt->ssl, bio, bio);
	(void)SSL_set_app_data(attempt->ssl, attempt);
	SSL_set_connect_state(attempt->ssl);
	if (attempt->probe->name != NULL) {
		concrete_name(name, sizeof(name), attempt->probe->name);
		if (SSL_set_tlsext_host_name(attempt->ssl, name) != 1)
			return ended(attempt, CD_PROBE_NO_HANDSHAKE, "not a name that can be asked for");
	}
	return CD_ATTEMPT_WAITS;
}

static int shake_hands(struct cd_attempt *attempt)
{
	int result = attempt->ssl == NULL ? make_ssl(attempt) : CD_ATTEMPT_WAITS;

	if (result != CD_ATTEMPT_WAITS)
		return result;
	ERR_clear_error();
	result = SSL_do_handshake(attempt->ssl);
	if (result == 1) {
		result = attempt->seen ? ended_served(attempt)
				       : ended(attempt, CD_PROBE_NO_HANDSHAKE, "it shows no certificate");
	} else {
		switch (SSL_get_error(attempt->ssl, result)) {
		case SSL_ERROR_WANT_READ:
			attempt->events = POLLIN;
			result = CD_ATTEMPT_WAITS;
			break;
		case SSL_ERROR_WANT_WRITE:
			attempt->events = POLLOUT;
			result = CD_ATTEMPT_WAITS;
			break;
		default:
			result = handshake_failed(attempt);
		}
	}
	ERR_clear_error();
	return result;
}

/* ---- the whole ---- */

int cd_attempt_begin(struct cd_attempt **out, struct cd_clients *clients, struct cd_probe *probe)
{
	struct cd_attempt *attempt = calloc(1, sizeof(*attempt));
	int result = CERTDEPLOY_ENOMEM;

	*out = NULL;
	if (attempt == NULL)
		return CERTDEPLOY_ENOMEM;
	attempt->clients = clients;
	attempt->probe = probe;
	attempt->fd = -1;
	if (probe->start != CERTDEPLOY_START_IMPLICIT) {
		attempt->dialogue = malloc(sizeof(*attempt->dialogue));
		if (attempt->dialogue == NULL)
			goto out;
		cd_dialogue_begin(attempt->dialogue, probe->start);
	}
	result = connect_now(attempt);
	if (result == CD_ATTEMPT_ENDED && attempt->fd != -1)
		result = connect_elsewhere(attempt);
	if (result == CD_ATTEMPT_WAITS) {
		*out = attempt;
		return result;
	}
out:
	cd_attempt_free(attempt);
	return result;
}

int cd_attempt_go(struct cd_attempt *attempt)
{
	switch (attempt->stage) {
	case CONNECTING:
		return finish_connecting(attempt);
	case TALKING:
		return talk(attempt);
	default:
		return shake_hands(attempt);
	}
}

void cd_attempt_expire(struct cd_attempt *attempt)
{
	static const char *const waiting[] = {"the connection is not taken", "it says nothing more",
					      "it does not finish the handshake"};

	(void)ended(attempt, CD_PROBE_TIMEOUT, waiting[attempt->stage]);
	attempt->probe->unheard = attempt->stage == CONNECTING;
}

int cd_attempt_fd(const struct cd_attempt *attempt, short *events)
{
	*events = attempt->events;
	return attempt->fd;
}

struct cd_probe *cd_attempt_probe(const struct cd_attempt *attempt)
{
	return attempt->probe;
}

void cd_attempt_free(struct cd_attempt *attempt)
{
	if (attempt == NULL)
		return;
	if (attempt->ssl != NULL && SSL_is_init_finished(attempt->ssl)) {
		/* Say good-bye, so that the server logs no error; nobody waits for its answer. */
		ERR_clear_error();
		(void)SSL_shutdown(attempt->ssl);
		ERR_clear_error();
	}
	SSL_free(attempt->ssl);
	if (attempt->fd != -1)
		(void)close(attempt->fd);
	free(attempt->dialogue);
	free(attempt);
}
