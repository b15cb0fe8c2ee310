/*
 * authban: one connection to Redis, with a deadline on everything
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Written against the common subset of hiredis 0.14 (Debian 12) and 1.x.
 */
#include "authban_redis.h"

#include "authban_connect.h"
#include "authban_resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#if HIREDIS_MAJOR < 1
#include <hiredis/sds.h>
#endif
#ifdef AUTHBAN_REDIS_TLS
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#endif

#define ELEMENTS_MAX (1u << 20) /* of one list */
#define BUFFER_MAX (64u << 20)	/* of one unread reply: then it is an attack */

int64_t authban_redis_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void authban_redis_clean(char *text)
{
	for(; *text; text++)
		if((unsigned char)*text < ' ' || (unsigned char)*text > '~')
			*text = '?';
}

static int fail(struct authban_redis *r, const char *what, const char *why)
{
	snprintf(r->error, sizeof(r->error), "%s: %.100s", what, why);
	/* some of it may be the server's words */
	authban_redis_clean(r->error);
	return -1;
}

/* Waits for `events` on the socket. */
static int wait_for(struct authban_redis *r, short events, int64_t deadline)
{
	int64_t left, silence = authban_redis_now() + AUTHBAN_REDIS_SILENCE;
	struct pollfd p = {r->c->fd, events, 0};
	int rc;

	if(deadline > silence)
		deadline = silence;
	do {
		left = deadline - authban_redis_now();
		rc = poll(&p, 1, left < 0 ? 0 : (int)left);
	} while(rc < 0 && errno == EINTR);
	return rc > 0 ? 0 : fail(r, "no_answer", rc ? strerror(errno) : "deadline");
}

static int finish_connect(struct authban_redis *r, int64_t deadline)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if(wait_for(r, POLLOUT, deadline) < 0)
		return -1;
	if(getsockopt(r->c->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	return err ? fail(r, "connect", strerror(err)) : 0;
}

/* --- TLS ---
 *
 * hiredis's own contexts check who signed a certificate and not whose it is, so
 * the context is ours. It is made where the first connection is: OpenSSL's state
 * does not survive a fork() in a proxy that speaks TLS too.
 */

static const char *tls_ca = "", *tls_cert = "", *tls_key = "";

void authban_redis_set_tls(const char *ca, const char *cert, const char *key)
{
	tls_ca = ca;
	tls_cert = cert;
	tls_key = key;
}

bool authban_redis_has_tls(void)
{
#ifdef AUTHBAN_REDIS_TLS
	return true;
#else
	return false;
#endif
}

#ifdef AUTHBAN_REDIS_TLS

static SSL_CTX *tls; /* NULL: to be made */

/* The oldest error of OpenSSL in words. */
static int fail_tls(struct authban_redis *r, const char *what)
{
	const char *why = ERR_reason_error_string(ERR_get_error());

	ERR_clear_error();
	return fail(r, what, why ? why : "unknown error");
}

static int tls_files(struct authban_redis *r)
{
	if(SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1)
		return fail_tls(r, "TLS");
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	if((*tls_ca ? SSL_CTX_load_verify_locations(tls, tls_ca, NULL)
				: SSL_CTX_set_default_verify_paths(tls))
			!= 1)
		return fail_tls(r, "redis_tls_ca");
	if(*tls_cert && SSL_CTX_use_certificate_chain_file(tls, tls_cert) != 1)
		return fail_tls(r, "redis_tls_cert");
	if(*tls_key
			&& SSL_CTX_use_PrivateKey_file(tls, tls_key, SSL_FILETYPE_PEM) != 1)
		return fail_tls(r, "redis_tls_key");
	return 0;
}

/* The next connection reads the files again: they may have been renewed. */
static void tls_forget(void)
{
	SSL_CTX_free(tls);
	tls = NULL;
}

/* Whose certificate it has to be: this name's, or this address's. */
static int tls_expect(struct authban_redis *r, SSL *ssl, const char *host)
{
	unsigned char addr[16];
	int rc;

	if(inet_pton(AF_INET, host, addr) == 1
			|| inet_pton(AF_INET6, host, addr) == 1)
		rc = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
	else
		rc = SSL_set1_host(ssl, host) == 1
			 && SSL_set_tlsext_host_name(ssl, host) == 1;
	return rc == 1 ? 0 : fail_tls(r, "TLS");
}

/* Why a handshake failed: a certificate that is not the right one, or another cause. */
static int tls_refuse(struct authban_redis *r, const SSL *ssl)
{
	long verdict = SSL_get_verify_result(ssl);

	if(verdict == X509_V_OK)
		return fail_tls(r, "TLS");
	ERR_clear_error();
	return fail(r, "TLS", X509_verify_cert_error_string(verdict));
}

static int tls_handshake(struct authban_redis *r, SSL *ssl, int64_t deadline)
{
	int rc, err;

	while((rc = SSL_do_handshake(ssl)) != 1) {
		err = SSL_get_error(ssl, rc);
		if(err == SSL_ERROR_WANT_READ || err == SSL_ERROR_WANT_WRITE) {
			if(wait_for(r, err == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT,
					   deadline)
					< 0)
				return -1;
			continue;
		}
		return tls_refuse(r, ssl);
	}
	return 0;
}

static int start_tls(
		struct authban_redis *r, const char *host, int64_t deadline)
{
	SSL *ssl;

	ERR_clear_error();
	if(!tls) {
		tls = SSL_CTX_new(TLS_client_method());
		if(!tls)
			return fail_tls(r, "TLS");
		if(tls_files(r) < 0)
			goto error;
	}
	ssl = SSL_new(tls);
	if(!ssl) {
		fail_tls(r, "TLS");
		goto error;
	}
	/* hiredis frees it only once it has taken it */
	if(tls_expect(r, ssl, host) < 0) {
		SSL_free(ssl);
		goto error;
	}
	if(redisInitiateSSL(r->c, ssl) != REDIS_OK) {
		tls_refuse(r, ssl); /* hiredis has begun the handshake */
		SSL_free(ssl);
		goto error;
	}
	if(tls_handshake(r, ssl, deadline) == 0)
		return 0;
error:
	tls_forget();
	return -1;
}

#else

static int start_tls(
		struct authban_redis *r, const char *host, int64_t deadline)
{
	(void)host;
	(void)deadline;
	return fail(r, "TLS", "not built in");
}

#endif

/* Without this a server that announces a list of 10^9 parts makes hiredis
 * allocate, and walk, gigabytes. The type of `elements` is hiredis's: int up to
 * 0.14, size_t from 1.0 on. */
#if HIREDIS_MAJOR >= 1
typedef size_t elements_t;
#else
typedef int elements_t;
#endif

static redisReplyObjectFunctions limited;
static void *(*create_array)(const redisReadTask *task, elements_t elements);

static void *create_limited_array(
		const redisReadTask *task, elements_t elements)
{
	return (size_t)elements <= ELEMENTS_MAX ? create_array(task, elements)
											: NULL;
}

static void limit_replies(redisContext *c)
{
	if(!create_array) {
		limited = *c->reader->fn;
		create_array = limited.createArray;
		limited.createArray = create_limited_array;
	}
	c->reader->fn = &limited;
}

/* One command whose answer has to be no error. Of an error only the first word is
 * kept: a server without AUTH repeats the password. */
static int expect_ok(struct authban_redis *r, const char *const *words,
		const char *what, int64_t deadline)
{
	authban_reply_t *reply;
	int rc = 0;

	r->refused = false;
	if(authban_redis_appendz(r, words) < 0
			|| authban_redis_reply(r, deadline, &reply) < 0)
		return -1;
	if(reply->type == REDIS_REPLY_ERROR) {
		r->refused = true;
		if(!strstr(reply->str, "max number of clients"))
			reply->str[strcspn(reply->str, " ")] = '\0';
		rc = fail(r, what, reply->str);
	}
	freeReplyObject(reply);
	return rc;
}

static int log_in(struct authban_redis *r, const struct ab_url *url,
		enum authban_redis_peer peer, int64_t deadline)
{
	const char *with_user[] = {"AUTH", url->user, url->password, NULL};
	const char *without[] = {"AUTH", url->password, NULL};
	char db[16];
	const char *select[] = {"SELECT", db, NULL};

	if(*url->password
			&& expect_ok(r, *url->user ? with_user : without, "AUTH", deadline)
					   < 0
			&& (peer == AUTHBAN_REDIS_SERVER || !r->refused))
		return -1;
	if(peer == AUTHBAN_REDIS_SENTINEL)
		return 0;
	snprintf(db, sizeof(db), "%d", url->db);
	return url->db == 0 ? 0 : expect_ok(r, select, "SELECT", deadline);
}

static int open_socket(struct authban_redis *r, const struct ab_place *place,
		bool is_unix, int64_t deadline)
{
	char addr[AUTHBAN_ADDRESS];
	const char *why = NULL;
	int fd;

	if(!is_unix)
		why = authban_resolve(place->host, deadline, addr);
	if(why)
		return fail(r, "name", why);
	fd = is_unix ? authban_connect_unix(place->host, &why)
				 : authban_connect_tcp(addr, place->port, &why);
	if(fd < 0)
		return fail(r, "connect", why);
	r->c = redisConnectFd(fd);
	if(!r->c) {
		close(fd);
		return fail(r, "connect", "out of memory");
	}
	r->c->flags &= ~REDIS_BLOCK;
	return 0;
}

int authban_redis_open(struct authban_redis *r, const struct ab_place *place,
		const struct ab_url *url, enum authban_redis_peer peer,
		int64_t deadline)
{
	authban_redis_close(r);
	if(open_socket(r, place, url->is_unix, deadline) < 0)
		return -1;
	limit_replies(r->c);
	if(finish_connect(r, deadline) == 0
			&& (!url->tls || start_tls(r, place->host, deadline) == 0)
			&& log_in(r, url, peer, deadline) == 0)
		return 0;
	authban_redis_close(r);
	return -1;
}

void authban_redis_close(struct authban_redis *r)
{
	static const struct linger at_once = {1, 0};

	if(!r->c)
		return;
	/* what is not sent yet would go on filling a slow network */
	setsockopt(r->c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	redisFree(r->c);
	r->c = NULL;
}

int authban_redis_fd(const struct authban_redis *r)
{
	return r->c ? r->c->fd : -1;
}

int authban_redis_append(struct authban_redis *r, int argc, const char **argv,
		const size_t *argvlen)
{
	if(!r->c)
		return fail(r, "send", "not connected");
	if(redisAppendCommandArgv(r->c, argc, argv, argvlen) != REDIS_OK)
		return fail(r, "send", r->c->errstr);
	return 0;
}

int authban_redis_append_raw(
		struct authban_redis *r, const char *bytes, size_t len)
{
	if(!r->c)
		return fail(r, "send", "not connected");
	if(redisAppendFormattedCommand(r->c, bytes, len) != REDIS_OK)
		return fail(r, "send", r->c->errstr);
	return 0;
}

int authban_redis_appendz(struct authban_redis *r, const char *const *words)
{
	const char *argv[16];
	size_t len[16];
	int n;

	for(n = 0; n < 16 && words[n]; n++) {
		argv[n] = words[n];
		len[n] = strlen(words[n]);
	}
	return authban_redis_append(r, n, argv, len);
}

/* Sends what the socket takes. hiredis 0.14 makes a new buffer for each that was
 * sent, and falls over when there is no memory for it. */
static int write_some(redisContext *c, int *done)
{
#if HIREDIS_MAJOR < 1
	size_t len = sdslen(c->obuf);
	ssize_t n = 0;

	if(!c->err && len > 0)
		n = write(c->fd, c->obuf, len);
	if(n < 0 && errno != EAGAIN && errno != EINTR) {
		snprintf(c->errstr, sizeof(c->errstr), "%s", strerror(errno));
		c->err = REDIS_ERR_IO;
	}
	if(c->err)
		return REDIS_ERR;
	if(n > 0 && (size_t)n == len)
		sdsclear(c->obuf);
	else if(n > 0)
		sdsrange(c->obuf, n, -1);
	*done = sdslen(c->obuf) == 0;
	return REDIS_OK;
#else
	return redisBufferWrite(c, done);
#endif
}

int authban_redis_flush(struct authban_redis *r, int64_t deadline)
{
	int done = 0;

	if(!r->c)
		return fail(r, "send", "not connected");
	for(;;) {
		if(write_some(r->c, &done) != REDIS_OK)
			return fail(r, "send", r->c->errstr);
		if(done)
			return 0;
		if(wait_for(r, POLLOUT, deadline) < 0)
			return -1;
	}
}

/* A reply that the reader holds already. */
static int parsed(struct authban_redis *r, authban_reply_t **out)
{
	void *reply = NULL;

	if(redisGetReplyFromReader(r->c, &reply) != REDIS_OK)
		return fail(r, "protocol", r->c->errstr);
	*out = reply;
	return 0;
}

static int read_once(struct authban_redis *r)
{
	if(r->c->reader->len - r->c->reader->pos > BUFFER_MAX)
		return fail(r, "protocol", "reply too large");
	if(redisBufferRead(r->c) != REDIS_OK)
		return fail(r, "read", r->c->errstr);
	return 0;
}

int authban_redis_reply(
		struct authban_redis *r, int64_t deadline, authban_reply_t **out)
{
	*out = NULL;
	if(authban_redis_flush(r, deadline) < 0)
		return -1;
	for(;;) {
		if(parsed(r, out) < 0)
			return -1;
		if(*out)
			return 0;
		if(wait_for(r, POLLIN, deadline) < 0 || read_once(r) < 0)
			return -1;
	}
}

int authban_redis_try(struct authban_redis *r, authban_reply_t **out)
{
	struct pollfd p = {authban_redis_fd(r), POLLIN, 0};

	*out = NULL;
	if(!r->c)
		return fail(r, "read", "not connected");
	if(parsed(r, out) < 0)
		return -1;
	if(*out || poll(&p, 1, 0) <= 0)
		return 0;
	return read_once(r) < 0 ? -1 : parsed(r, out);
}
