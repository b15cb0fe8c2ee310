/*
 * authban: the store of ab_sync, in Redis
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_store_private.h"

#include "authban_shared.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ARRIVES 600	   /* ms: TCP has repeated it once or twice by then */
#define LOOK_AGAIN 100 /* ms */
#define PATTERN_MAX (2 * AB_WIRE_PLACE_MAX + 2)

int authban_store_fail(struct authban_store *s, const struct authban_redis *r)
{
	snprintf(s->error, sizeof(s->error), "%s", r->error);
	return -1;
}

int authban_store_fail_reply(
		struct authban_store *s, const char *what, const authban_reply_t *reply)
{
	size_t len;
	const char *text = authban_reply_text(reply, &len);

	bool cluster = len > 6 && memcmp(text, "MOVED ", 6) == 0
				   && s->url->kind != AB_URL_CLUSTER;

	snprintf(s->error, sizeof(s->error), "%s: %.*s%s", what,
			len < 80 ? (int)len : 80, len ? text : "unexpected reply",
			cluster ? " (a cluster: use redis+cluster://)" : "");
	authban_redis_clean(s->error);
	return -1;
}

/* --- sending: struct ab_store_ops --- */

void authban_store_begin(struct authban_store *s)
{
	s->pipe.topology = &s->topology;
	authban_pipe_begin(&s->pipe);
}

int authban_store_append(struct authban_store *s, unsigned shard, int tag,
		int argc, const char **argv, const size_t *len)
{
	if(authban_pipe_add(&s->pipe, shard, tag, argc, argv, len) == 0)
		return 0;
	memcpy(s->error, s->pipe.error, sizeof(s->error));
	return -1;
}

int authban_store_run(struct authban_store *s, authban_pipe_got_f got,
		void *arg, int64_t deadline)
{
	if(authban_pipe_run(&s->pipe, got, arg, deadline) == 0) {
		s->answered = authban_redis_now();
		return 0;
	}
	if(s->pipe.error[0])
		memcpy(s->error, s->pipe.error, sizeof(s->error));
	return -1;
}

static int append_state(struct authban_store *s, const struct ab_state_io *io)
{
	char log[AB_WIRE_KEY_MAX];
	const char *add[] = {"XADD", log, "MAXLEN", "~", AUTHBAN_LOG_LENGTH, "*",
			"r", (const char *)io->record};
	const char *set[] = {"HSET", io->map_key, (const char *)io->field,
			(const char *)io->record};
	size_t add_len[8], set_len[4] = {4, strlen(io->map_key), io->field_len,
							   io->record_len};
	int i;

	ab_wire_log_key(&s->sync->wire, log);
	authban_store_seen(s, authban_store_bucket(io->map_key));
	for(i = 0; i < 7; i++)
		add_len[i] = strlen(add[i]);
	add_len[7] = io->record_len;
	/* the map first: who hears of it on the log may answer into the map */
	return authban_store_append(s, 0, WRITE, 4, set, set_len) < 0
						   || authban_store_append(s, 0, WRITE, 8, add, add_len)
									  < 0
				   ? -1
				   : 0;
}

/* A glob pattern for all fields that begin with some bytes. */
static size_t begins_with(
		const uint8_t *bytes, size_t n, char out[static PATTERN_MAX])
{
	char *p = out;
	size_t i;

	for(i = 0; i < n; i++) {
		if(bytes[i] != '\0' && strchr("*?[]\\^-!", bytes[i]))
			*p++ = '\\';
		*p++ = (char)bytes[i];
	}
	*p++ = '*';
	return (size_t)(p - out);
}

/* `tag` for the reading. In one chain, so that all see each other's writes. */
static int append_share(
		struct authban_store *s, const struct ab_share_io *io, int w, int tag)
{
	char ttl[16], pattern[PATTERN_MAX];
	const char *set[] = {"HSET", io->key[w], (const char *)io->field,
			(const char *)io->value[w]};
	const char *expire[] = {"EXPIRE", io->key[w], ttl};
	/* a listpack answers in one piece; COUNT is for a crowded bucket */
	const char *scan[] = {
			"HSCAN", io->key[w], "0", "MATCH", pattern, "COUNT", "1000000"};
	size_t klen = strlen(io->key[w]);
	size_t set_len[] = {4, klen, io->field_len, io->value_len[w]};
	size_t expire_len[] = {6, klen, 0};
	size_t scan_len[] = {5, klen, 1, 5, 0, 5, 7};

	snprintf(ttl, sizeof(ttl), "%u", io->ttl[w]);
	expire_len[2] = strlen(ttl);
	scan_len[4] = begins_with(io->field, io->place_len, pattern);
	authban_pipe_chain(&s->pipe);
	if(io->value_len[w]
			&& authban_store_append(s, io->shard, WRITE, 4, set, set_len) < 0)
		return -1;
	if(io->value_len[w] && io->ttl[w]
			&& authban_store_append(s, io->shard, WRITE, 3, expire, expire_len)
					   < 0)
		return -1;
	return authban_store_append(s, io->shard, tag, 7, scan, scan_len);
}

static int append_batch(struct authban_store *s,
		const struct ab_state_io *states, size_t n_states,
		const struct ab_share_io *shares, size_t n_shares)
{
	size_t i;

	authban_store_begin(s);
	for(i = 0; i < n_states; i++) {
		authban_pipe_chain(&s->pipe);
		if(append_state(s, &states[i]) < 0)
			return -1;
	}
	for(i = 0; i < n_shares; i++)
		if(append_share(s, &shares[i], 0, (int)(2 * i)) < 0
				|| append_share(s, &shares[i], 1, (int)(2 * i + 1)) < 0)
			return -1;
	return 0;
}

bool authban_store_is_wrong_type(const authban_reply_t *reply)
{
	size_t len;

	return authban_reply_type(reply) == AUTHBAN_REPLY_ERROR
		   && strncmp(authban_reply_text(reply, &len), "WRONGTYPE", 9) == 0;
}

int authban_store_pass_over(
		struct authban_store *s, const char *what, const authban_reply_t *reply)
{
	const char *key;
	size_t len;

	if(!authban_store_is_wrong_type(reply))
		return authban_store_fail_reply(s, what, reply);
	key = authban_pipe_key(&s->pipe, &len);
	authban_quarantine_note(s, key, len);
	s->sync->stats.dropped[AB_WIRE_RANGE]++;
	return 0;
}

int authban_store_written(struct authban_store *s, const authban_reply_t *reply)
{
	return authban_reply_type(reply) == AUTHBAN_REPLY_ERROR
				   ? authban_store_pass_over(s, "write", reply)
				   : 0;
}

/* Whom to tell of the shares that a batch finds. */
struct batch
{
	struct authban_store *s;
	ab_share_found_f found;
	void *arg;
};

static int got_answer(void *arg, int tag, authban_reply_t **reply)
{
	const struct batch *b = arg;
	const authban_reply_t *list;
	size_t n, flen, vlen;

	if(tag == WRITE)
		return authban_store_written(b->s, *reply);
	if(authban_reply_type(*reply) == AUTHBAN_REPLY_ERROR)
		return authban_store_pass_over(b->s, "HSCAN", *reply);
	list = authban_reply_at(*reply, 1); /* 0 is the cursor */
	for(n = 0; n + 1 < authban_reply_size(list); n += 2) {
		const char *field =
				authban_reply_text(authban_reply_at(list, n), &flen);
		const char *value =
				authban_reply_text(authban_reply_at(list, n + 1), &vlen);

		b->found(b->arg, (size_t)tag / 2, (unsigned)tag % 2,
				(const uint8_t *)field, flen, (const uint8_t *)value, vlen);
	}
	return 0;
}

static int exchange(void *store, const struct ab_state_io *states,
		size_t n_states, const struct ab_share_io *shares, size_t n_shares,
		ab_share_found_f found, void *arg)
{
	struct batch b = {store, found, arg};
	int64_t deadline = authban_redis_now() + AUTHBAN_STORE_DEADLINE;

	if(append_batch(b.s, states, n_states, shares, n_shares) < 0)
		return -1;
	return authban_store_run(b.s, got_answer, &b, deadline);
}

const struct ab_store_ops authban_store_ops = {exchange};

void authban_store_init(struct authban_store *s, const struct ab_url *url,
		struct ab_sync *sync, bool remote_allowed)
{
	s->url = s->topology.url = url;
	s->sync = sync;
	s->topology.wire = &sync->wire;
	s->topology.remote_allowed = remote_allowed;
}

void authban_store_close(struct authban_store *s)
{
	authban_topology_close(&s->topology);
	authban_redis_close(&s->stream);
	s->stream_asking = false;
	s->asked = 0;
}

bool authban_store_moved(const struct authban_store *s)
{
	return s->topology.home_moved;
}

int authban_store_fd(const struct authban_store *s)
{
	return authban_redis_fd(&s->stream);
}

/* --- listening --- */

bool authban_store_take_id(struct authban_store *s, const authban_reply_t *id)
{
	size_t len;
	const char *text = authban_reply_text(id, &len);

	if(len == 0 || len >= sizeof(s->last_id)
			|| strspn(text, "0123456789-") != len)
		return false;
	memcpy(s->last_id, text, len);
	s->last_id[len] = '\0';
	return true;
}

int authban_store_ask_log(struct authban_store *s)
{
	char log[AB_WIRE_KEY_MAX], block[16];
	const char *const words[] = {"XREAD", "BLOCK", block, "COUNT", "500",
			"STREAMS", log, s->last_id, NULL};
	static const char *const asking[] = {"ASKING", NULL};
	int64_t now = authban_redis_now();

	snprintf(block, sizeof(block), "%d", AUTHBAN_STORE_BLOCK);
	ab_wire_log_key(&s->sync->wire, log);
	if((s->stream_asking && authban_redis_appendz(&s->stream, asking) < 0)
			|| authban_redis_appendz(&s->stream, words) < 0
			|| authban_redis_flush(&s->stream, now + AUTHBAN_STORE_DEADLINE)
					   < 0)
		return authban_store_fail(s, &s->stream);
	s->asked = now;
	return 0;
}


/* [[log, [[id, [field, record]], ...]]] */
static void apply_log(struct authban_store *s, const authban_reply_t *reply)
{
	const authban_reply_t *entries =
			authban_reply_at(authban_reply_at(reply, 0), 1);
	struct ab_now now = authban_now();
	size_t i, len;

	for(i = 0; i < authban_reply_size(entries); i++) {
		const authban_reply_t *entry = authban_reply_at(entries, i);
		const authban_reply_t *fields = authban_reply_at(entry, 1);
		const char *record =
				authban_reply_text(authban_reply_at(fields, 1), &len);

		if(!authban_credit_news(s, fields))
			ab_sync_apply(s->sync, &now, (const uint8_t *)record, len);
		authban_store_take_id(s, authban_reply_at(entry, 0));
	}
}

/* When the log should have said something. Behind a batch on a slow network it is
 * late, but Redis lives. */
static int64_t end_of_patience(const struct authban_store *s)
{
	int64_t end = s->asked + AUTHBAN_STORE_BLOCK + AUTHBAN_REDIS_SILENCE + 1;
	int64_t alive = s->answered + AUTHBAN_REDIS_SILENCE;

	if(alive > s->asked + AUTHBAN_STORE_DEADLINE)
		alive = s->asked + AUTHBAN_STORE_DEADLINE;
	return end > alive ? end : alive;
}

/* When the other host should have confirmed the question, whatever the answer is. */
static int64_t arrival(const struct authban_store *s)
{
	return s->asked + ARRIVES + 2 * s->round_trip;
}

/* How often in a row TCP has repeated what the other host does not confirm, plus one;
 * 0 when it has confirmed everything, or is no other host. */
static unsigned unconfirmed(const struct authban_store *s)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	return getsockopt(authban_store_fd(s), IPPROTO_TCP, TCP_INFO, &info, &len)
								   < 0
						   || info.tcpi_unacked == 0
				   ? 0
				   : 1u + info.tcpi_retransmits;
}

/* Neither the question nor its repeats have arrived. */
static bool is_cut(const struct authban_store *s)
{
	return authban_redis_now() >= arrival(s) && unconfirmed(s) > 1;
}

int64_t authban_store_deadline(const struct authban_store *s)
{
	int64_t look = arrival(s), now = authban_redis_now();

	if(s->quarantine.log)
		return INT64_MAX;
	if(now >= look && unconfirmed(s))
		look = now + LOOK_AGAIN;
	return look > now && look < end_of_patience(s) ? look : end_of_patience(s);
}

/* An error in the place of news. In a cluster the log may be on its way to another
 * node: then it is read there. 0: it goes on, or -1 with s->error. */
static int follow_log(struct authban_store *s, const authban_reply_t *reply)
{
	int64_t deadline = authban_topology_step(&s->topology, INT64_MAX);
	struct ab_place to;
	size_t len;
	const char *text = authban_reply_text(reply, &len);

	if(authban_store_is_wrong_type(reply)) {
		char log[AB_WIRE_KEY_MAX];

		ab_wire_log_key(&s->sync->wire, log);
		authban_quarantine_note(s, log, strlen(log));
		s->quarantine.log = true;
		return 0;
	}
	authban_store_fail_reply(s, "XREAD", reply);
	if(s->url->kind != AB_URL_CLUSTER)
		return -1;
	switch(ab_redirect_read(text, len, &to)) {
		case AB_REDIRECT_MOVED:
			s->topology.home_moved = true;
			if(to.host[0])
				s->topology.hint = to;
			return -1;
		case AB_REDIRECT_ASK:
			if(s->stream_asking || !to.host[0])
				return -1;
			break;
		default:
			return -1;
	}
	if(authban_topology_connect(&s->topology, &s->stream, &to, deadline) < 0) {
		memcpy(s->error, s->topology.error, sizeof(s->error));
		return -1;
	}
	s->stream_asking = true;
	return 0;
}

int authban_store_listen(struct authban_store *s)
{
	authban_reply_t *reply;
	int rc = 0;

	for(;;) {
		if(authban_redis_try(&s->stream, &reply) < 0)
			return authban_store_fail(s, &s->stream);
		if(!reply)
			break;
		if(s->stream_asking
				&& authban_reply_type(reply) == AUTHBAN_REPLY_TEXT) {
			authban_reply_free(reply); /* the answer to ASKING */
			continue;
		}
		if(authban_reply_type(reply) == AUTHBAN_REPLY_ERROR)
			rc = follow_log(s, reply);
		else
			apply_log(s, reply);
		authban_reply_free(reply);
		if(s->quarantine.log)
			return 0;
		if(rc < 0 || authban_store_ask_log(s) < 0)
			return -1;
	}
	if(!s->quarantine.log
			&& (authban_redis_now() >= end_of_patience(s) || is_cut(s))) {
		snprintf(s->error, sizeof(s->error), "no_answer: deadline");
		return -1;
	}
	return 0;
}
