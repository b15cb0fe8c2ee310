/*
 * authban: meeting a Redis: its clock, its role, its map of bans
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Order of an opening: note where the log ends, load the map, then read the log
 * from there. Nothing is missed, some things come twice, and twice is harmless.
 */
#include "authban_store_private.h"

#include "authban_mac.h"
#include "authban_peers.h"
#include "authban_shared.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELETE_MAX 64 /* expired fields deleted by one load */
#define LOAD_AHEAD 32 /* buckets of the map asked for at once */

static int keep_reply(void *arg, int tag, authban_reply_t **reply)
{
	(void)tag;
	*(authban_reply_t **)arg = *reply;
	*reply = NULL;
	return 0;
}

/* One command of words to the home node, and its reply. 1: the key is of a wrong type,
 * and there is no reply. */
static int ask(struct authban_store *s, const char *const *words,
		int64_t deadline, authban_reply_t **reply)
{
	*reply = NULL;
	authban_store_begin(s);
	if(authban_pipe_addz(&s->pipe, 0, WRITE, words) < 0
			|| authban_pipe_run(&s->pipe, keep_reply, reply, deadline) < 0) {
		memcpy(s->error, s->pipe.error, sizeof(s->error));
		return -1;
	}
	if(authban_reply_type(*reply) != AUTHBAN_REPLY_ERROR)
		return 0;
	if(authban_store_is_wrong_type(*reply) && words[1]) {
		authban_quarantine_note(s, words[1], strlen(words[1]));
		authban_reply_free(*reply);
		*reply = NULL;
		return 1;
	}
	authban_store_fail_reply(s, words[0], *reply);
	authban_reply_free(*reply);
	return -1;
}

static long long to_number(const authban_reply_t *reply)
{
	char text[24];
	size_t len;
	const char *p = authban_reply_text(reply, &len);
	long long n;
	char *end;

	if(len == 0 || len >= sizeof(text))
		return -1;
	memcpy(text, p, len);
	text[len] = '\0';
	errno = 0;
	n = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' ? n : -1;
}

static int read_time(struct authban_store *s, int64_t deadline)
{
	static const char *const words[] = {"TIME", NULL};
	int64_t begin = authban_redis_now(), end;
	authban_reply_t *reply = NULL;
	long long sec, usec;

	if(ask(s, words, deadline, &reply) < 0)
		return -1;
	end = authban_redis_now();
	s->round_trip = (int)(end - begin);
	sec = to_number(authban_reply_at(reply, 0));
	usec = to_number(authban_reply_at(reply, 1));
	authban_reply_free(reply);
	/* a clock before 2020 or after 2100 is a broken one */
	if(sec < 1577836800LL || sec > 4102444800LL || usec < 0 || usec > 999999) {
		snprintf(s->error, sizeof(s->error), "TIME: not a time");
		return -1;
	}
	/* Redis read its clock half a round trip ago */
	s->offset = sec * 1000 + usec / 1000 - (begin + end) / 2;
	return 0;
}

static int read_role(struct authban_store *s, int64_t deadline)
{
	static const char *const words[] = {"ROLE", NULL};
	authban_reply_t *reply = NULL;
	const char *text;
	size_t len;

	if(ask(s, words, deadline, &reply) < 0)
		return -1;
	text = authban_reply_text(authban_reply_at(reply, 0), &len);
	s->role = len == 6 && memcmp(text, "master", 6) == 0 ? 1 : 2;
	authban_reply_free(reply);
	if(s->role == 1)
		return 0;
	snprintf(s->error, sizeof(s->error), "ROLE: the server is a replica");
	return -1;
}

/* A random text stands in Redis as long as its memory lasts. A replica that has
 * taken over has it too, though not all that its master had. */
static int read_mark(struct authban_store *s, int64_t deadline)
{
	char key[AB_WIRE_KEY_MAX], made[33];
	const char *const set[] = {"SET", key, made, "NX", NULL};
	const char *const get[] = {"GET", key, NULL};
	authban_reply_t *reply = NULL;
	uint8_t random[16];
	const char *text;
	size_t len;
	int i, rc;

	if(authban_random(random, sizeof(random)) < 0)
		return -1;
	for(i = 0; i < 16; i++)
		snprintf(made + 2 * i, 3, "%02x", random[i]);
	ab_wire_mark_key(&s->sync->wire, key);
	if(ask(s, set, deadline, &reply) < 0)
		return -1;
	authban_reply_free(reply);
	rc = ask(s, get, deadline, &reply);
	if(rc < 0)
		return -1;
	if(rc > 0) {
		/* whether this Redis is the one that we knew cannot be told */
		s->lost |= s->topology.lost;
		s->topology.lost = false;
		return 0;
	}
	text = authban_reply_text(reply, &len);
	if(len >= sizeof(s->mark))
		len = sizeof(s->mark) - 1;
	/* it stays so until somebody has sent all again */
	if(strlen(s->mark) != len || memcmp(s->mark, text, len) != 0
			|| s->topology.lost)
		s->lost = true;
	s->topology.lost = false;
	memcpy(s->mark, text, len);
	s->mark[len] = '\0';
	authban_reply_free(reply);
	return 0;
}

static int64_t soon(int64_t deadline)
{
	int64_t end = authban_redis_now() + AUTHBAN_STORE_DEADLINE;

	return end < deadline ? end : deadline;
}

/* Where the log ends now; what comes behind it is read after the map. */
static int note_log_end(struct authban_store *s, int64_t deadline)
{
	char log[AB_WIRE_KEY_MAX];
	const char *const words[] = {
			"XREVRANGE", log, "+", "-", "COUNT", "1", NULL};
	authban_reply_t *reply = NULL;

	int rc;

	ab_wire_log_key(&s->sync->wire, log);
	rc = ask(s, words, deadline, &reply);
	if(rc < 0)
		return -1;
	s->quarantine.log = rc > 0;
	if(!authban_store_take_id(
			   s, authban_reply_at(authban_reply_at(reply, 0), 0)))
		strcpy(s->last_id, "0-0");
	authban_reply_free(reply);
	return 0;
}

static int append_load(struct authban_store *s, unsigned bucket)
{
	char key[AB_WIRE_KEY_MAX];
	const char *words[] = {"HGETALL", key};
	size_t len[] = {7, 0};

	ab_wire_map_bucket_key(&s->sync->wire, bucket, key);
	len[1] = strlen(key);
	authban_pipe_chain(&s->pipe);
	return authban_store_append(s, 0, (int)bucket, 2, words, len);
}

/* Fields whose time is over are deleted by whoever finds them, a few each. */
static int forget_field(struct authban_store *s, unsigned bucket,
		const char *field, size_t field_len)
{
	char key[AB_WIRE_KEY_MAX];
	const char *del[] = {"HDEL", key, field};
	size_t len[] = {4, 0, field_len};

	if(s->expired >= s->expired_max)
		return 0;
	s->expired++;
	ab_wire_map_bucket_key(&s->sync->wire, bucket, key);
	len[1] = strlen(key);
	return authban_store_append(s, 0, WRITE, 3, del, len);
}

static int apply_bucket(
		struct authban_store *s, unsigned bucket, const authban_reply_t *all)
{
	struct ab_now now = authban_now();
	size_t i, flen, vlen;

	for(i = 0; i + 1 < authban_reply_size(all); i += 2) {
		const char *field = authban_reply_text(authban_reply_at(all, i), &flen);
		const char *value =
				authban_reply_text(authban_reply_at(all, i + 1), &vlen);

		if(!ab_sync_apply(s->sync, &now, (const uint8_t *)value, vlen)
				&& forget_field(s, bucket, field, flen) < 0)
			return -1;
	}
	return 0;
}

static int got_bucket(void *arg, int bucket, authban_reply_t **reply)
{
	struct authban_store *s = arg;

	if(bucket == WRITE)
		return authban_store_written(s, *reply);
	if(authban_reply_type(*reply) == AUTHBAN_REPLY_ERROR)
		return authban_store_pass_over(s, "HGETALL", *reply);
	if(authban_reply_size(*reply) > 0)
		authban_store_seen(s, (unsigned)bucket);
	authban_pipe_chain(&s->pipe);
	return apply_bucket(s, (unsigned)bucket, *reply);
}

static int read_map(struct authban_store *s, int64_t deadline)
{
	unsigned b, i;

	s->expired = 0;
	memset(s->map_seen, 0, sizeof(s->map_seen));
	for(b = 0; b < AB_WIRE_MAP_BUCKETS; b += LOAD_AHEAD) {
		authban_store_begin(s);
		for(i = b; i < b + LOAD_AHEAD; i++)
			if(append_load(s, i) < 0)
				return -1;
		if(authban_store_run(s, got_bucket, s, deadline) < 0)
			return -1;
	}
	return 0;
}

int authban_store_load_map(struct authban_store *s, int64_t deadline)
{
	int rc;

	s->expired_max = DELETE_MAX;
	s->sync->loading = true;
	rc = read_map(s, deadline);
	s->sync->loading = false;
	return rc;
}

int authban_store_purge(struct authban_store *s, int64_t deadline)
{
	s->expired_max = INT_MAX;
	return read_map(s, deadline);
}

int authban_store_resume_log(struct authban_store *s, int64_t deadline)
{
	if(note_log_end(s, soon(deadline)) < 0
			|| authban_peers_load(s, soon(deadline)) < 0
			|| authban_store_load_map(s, deadline) < 0)
		return -1;
	return s->quarantine.log ? 0 : authban_store_ask_log(s);
}

/* Finds the masters and connects to them and to the log. */
static int connect_all(struct authban_store *s, int64_t deadline)
{
	struct authban_topology *t = &s->topology;
	/* one server has to answer soon; of several some may be dead */
	int64_t end = s->url->kind == AB_URL_SERVER ? soon(deadline) : deadline;

	if(authban_topology_open(t, end) == 0
			&& authban_topology_connect(t, &s->stream,
					   &authban_topology_home(t)->place, soon(deadline))
					   == 0)
		return 0;
	memcpy(s->error, t->error, sizeof(s->error));
	return -1;
}

int authban_store_open(struct authban_store *s, int64_t deadline,
		void (*set_clock)(struct authban_store *s))
{
	int64_t quick;

	authban_store_close(s);
	if(connect_all(s, deadline) < 0)
		goto error;
	quick = soon(deadline);
	if(read_role(s, quick) < 0 || read_time(s, quick) < 0)
		goto error;
	set_clock(s);
	if(read_mark(s, quick) < 0 || authban_store_resume_log(s, deadline) < 0)
		goto error;
	s->quarantine.loaded = authban_redis_now();
	authban_credit_opened(s);
	s->error[0] = '\0';
	return 0;
error:
	authban_store_close(s);
	return -1;
}

int authban_store_health(struct authban_store *s)
{
	int64_t deadline;

	if(authban_topology_check(
			   &s->topology, authban_redis_now() + AUTHBAN_STORE_DEADLINE)
			< 0) {
		memcpy(s->error, s->topology.error, sizeof(s->error));
		return -1;
	}
	deadline = authban_redis_now() + AUTHBAN_STORE_DEADLINE;
	return read_time(s, deadline) < 0 || read_mark(s, deadline) < 0 ? -1 : 0;
}
