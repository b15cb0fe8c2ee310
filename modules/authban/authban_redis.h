/*
 * authban: one connection to Redis, with a deadline on everything
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The only part that knows hiredis (and OpenSSL, for TLS). Sockets are non-blocking and every wait is
 * a poll() against a deadline in monotonic milliseconds, and no longer than
 * AUTHBAN_REDIS_SILENCE, so a server that is stopped, half open or sends one byte a
 * second costs that long and no more.
 * Errors are kept in words; the caller logs. No error text holds the password.
 */
#ifndef AUTHBAN_REDIS_H
#define AUTHBAN_REDIS_H

#include "ab_url.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUTHBAN_REDIS_ERROR 128
/* ms without a single byte after which a server is given up, however far away a
 * deadline is: a slow network goes on, a dead one is noticed soon */
#define AUTHBAN_REDIS_SILENCE 700

struct redisContext;

struct authban_redis
{
	struct redisContext *c; /* NULL: not connected */
	bool refused;			/* the login was answered with an error */
	char error[AUTHBAN_REDIS_ERROR];
};

/* A reply, or a part of one. Valid until authban_reply_free(). */
typedef struct redisReply authban_reply_t;

enum authban_reply_type
{
	AUTHBAN_REPLY_NIL,
	AUTHBAN_REPLY_TEXT, /* a string or a status */
	AUTHBAN_REPLY_NUMBER,
	AUTHBAN_REPLY_LIST,
	AUTHBAN_REPLY_ERROR,
	AUTHBAN_REPLY_OTHER
};

/* Monotonic milliseconds. */
int64_t authban_redis_now(void);

enum authban_redis_peer
{
	AUTHBAN_REDIS_SERVER,
	/* A sentinel has no databases. One without a password refuses the login and
	 * answers all the same. */
	AUTHBAN_REDIS_SENTINEL
};

/* Whether this was built with TLS (hiredis 1.0 or later with hiredis_ssl). */
bool authban_redis_has_tls(void);

/* Files for rediss://, "" for none: who has signed Redis's certificate (none: who
 * the system trusts), our own certificate and its key. They must stay valid. */
void authban_redis_set_tls(const char *ca, const char *cert, const char *key);

/* Words of a server go into logs: no control characters. */
void authban_redis_clean(char *text);

/* Connects to a place, logs in and selects the database as the URL says. 0, or -1
 * with r->error. `place` may be one of the URL's or another. */
int authban_redis_open(struct authban_redis *r, const struct ab_place *place,
		const struct ab_url *url, enum authban_redis_peer peer,
		int64_t deadline);

void authban_redis_close(struct authban_redis *r);

/* The socket, for poll(); -1 when not connected. */
int authban_redis_fd(const struct authban_redis *r);

/* Queues a command, binary safe. 0, or -1 with r->error. */
int authban_redis_append(struct authban_redis *r, int argc, const char **argv,
		const size_t *argvlen);

/* The same for a command in Redis's own form. */
int authban_redis_append_raw(
		struct authban_redis *r, const char *bytes, size_t len);

/* The same for words. The list ends with NULL. */
int authban_redis_appendz(struct authban_redis *r, const char *const *words);

/* Sends what is queued and waits for the next reply. 0, or -1 with r->error;
 * then the connection is of no use any more. */
int authban_redis_reply(
		struct authban_redis *r, int64_t deadline, authban_reply_t **out);

/* The next reply if it is there already, else *out NULL. Reads once; call it
 * when poll() says so, until *out is NULL. */
int authban_redis_try(struct authban_redis *r, authban_reply_t **out);

/* Sends what is queued without waiting for an answer. */
int authban_redis_flush(struct authban_redis *r, int64_t deadline);

enum authban_reply_type authban_reply_type(const authban_reply_t *reply);
/* Of a text or an error; never NULL. */
const char *authban_reply_text(const authban_reply_t *reply, size_t *len);
/* Of a number; -1 when it is none. */
long long authban_reply_number(const authban_reply_t *reply);
size_t authban_reply_size(const authban_reply_t *reply);
const authban_reply_t *authban_reply_at(const authban_reply_t *reply, size_t i);
void authban_reply_free(authban_reply_t *reply);

#endif
