/*
 * authban: what authban_store.c and authban_load.c share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_STORE_PRIVATE_H
#define AUTHBAN_STORE_PRIVATE_H

#include "authban_store.h"

#define AUTHBAN_LOG_LENGTH "100000" /* entries that Redis keeps, about */

#define WRITE (-1) /* tag of a command whose answer says nothing */

/* Takes over the error of a connection. Returns -1. */
int authban_store_fail(struct authban_store *s, const struct authban_redis *r);

/* An error reply, or one of an unexpected kind, in words. Returns -1. */
int authban_store_fail_reply(struct authban_store *s, const char *what,
		const authban_reply_t *reply);

/* Starts to gather commands, and what they are gathered for. */
void authban_store_begin(struct authban_store *s);

/* Queues a command on a key of a shard. 0 or -1. */
int authban_store_append(struct authban_store *s, unsigned shard, int tag,
		int argc, const char **argv, const size_t *len);

/* Sends them, see authban_pipe_run(). 0, or -1 with s->error. */
int authban_store_run(struct authban_store *s, authban_pipe_got_f got,
		void *arg, int64_t deadline);

bool authban_store_is_wrong_type(const authban_reply_t *reply);

/* An error reply to the command on a key that is being answered. A key of a wrong type
 * is nobody's record: it is counted, put into quarantine and passed over, so that it
 * does not hold up the others: 0. Any other error: -1. */
int authban_store_pass_over(struct authban_store *s, const char *what,
		const authban_reply_t *reply);

/* The answer to one write; an error as above. 0 or -1. */
int authban_store_written(
		struct authban_store *s, const authban_reply_t *reply);

/* Remembers the id of an entry of the log; false: it is none. */
bool authban_store_take_id(struct authban_store *s, const authban_reply_t *id);

/* Applies the whole map. 0, or -1 with s->error. */
int authban_store_load_map(struct authban_store *s, int64_t deadline);

/* The log can be read again: goes on as after an opening. 0, or -1 with s->error. */
int authban_store_resume_log(struct authban_store *s, int64_t deadline);

/* Reads the map and deletes from it what is forgotten or over. 0 or -1. */
int authban_store_purge(struct authban_store *s, int64_t deadline);

/* A bucket of the map holds something. */
void authban_store_seen(struct authban_store *s, unsigned bucket);

/* The bucket that a key of the map names. */
unsigned authban_store_bucket(const char *map_key);

/* Asks Redis to answer when the log grows. 0 or -1. */
int authban_store_ask_log(struct authban_store *s);

#endif
