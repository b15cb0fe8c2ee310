/*
 * authban: what is over is taken out of Redis
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_tidy.h"

#include "authban_params.h"
#include "authban_shared.h"
#include "authban_store_private.h"

#include <stdio.h>
#include <string.h>

#define EVERY 60000 /* ms */
#define BUCKETS_MAX \
	16 /* of the map, looked at in one go: all in a quarter of an hour */
#define FIELDS_MANY 2000 /* in one go: then fewer buckets */
#define LOG_LEAST 3600	 /* s: nobody who is connected is so far behind */
#define TRIM (-2)		 /* tag */

static int64_t next_work;
static unsigned bucket, buckets = BUCKETS_MAX;
static size_t fields;

static bool seen(const struct authban_store *s, unsigned b)
{
	return s->map_seen[b / 8] & 1u << b % 8;
}

/* Ids of the log begin with Redis's time. */
static int trim_log(struct authban_store *s)
{
	uint64_t now = authban_now().cluster_ms;
	int keep = authban_params.evidence_ttl > LOG_LEAST
					   ? authban_params.evidence_ttl
					   : LOG_LEAST;
	uint64_t ttl = (uint64_t)keep * 1000;
	char key[AB_WIRE_KEY_MAX], before[24];
	const char *argv[] = {"XTRIM", key, "MINID", before};
	size_t len[] = {5, 0, 5, 0};

	ab_wire_log_key(&s->sync->wire, key);
	len[1] = strlen(key);
	len[3] = (size_t)snprintf(before, sizeof(before), "%llu",
			(unsigned long long)(now > ttl ? now - ttl : 0));
	authban_pipe_chain(&s->pipe);
	return authban_store_append(s, 0, TRIM, 4, argv, len);
}

static int look_at(struct authban_store *s, unsigned b)
{
	char key[AB_WIRE_KEY_MAX];
	const char *argv[] = {"HGETALL", key};
	size_t len[] = {7, 0};

	ab_wire_map_bucket_key(&s->sync->wire, b, key);
	len[1] = strlen(key);
	authban_pipe_chain(&s->pipe);
	return authban_store_append(s, 0, (int)b, 2, argv, len);
}

static int forget(struct authban_store *s, unsigned b, const char *field,
		size_t field_len)
{
	char key[AB_WIRE_KEY_MAX];
	const char *argv[] = {"HDEL", key, field};
	size_t len[] = {4, 0, field_len};

	ab_wire_map_bucket_key(&s->sync->wire, b, key);
	len[1] = strlen(key);
	return authban_store_append(s, 0, WRITE, 3, argv, len);
}

static int got(void *arg, int tag, authban_reply_t **reply)
{
	struct authban_store *s = arg;
	struct ab_now now = authban_now();
	size_t i, flen, vlen;

	/* an older file of users may not allow XTRIM, and an older Redis not know MINID */
	if(tag == TRIM)
		return 0;
	if(tag == WRITE)
		return authban_store_written(s, *reply);
	if(authban_reply_type(*reply) == AUTHBAN_REPLY_ERROR)
		return authban_store_pass_over(s, "HGETALL", *reply);
	fields += authban_reply_size(*reply) / 2;
	authban_pipe_chain(&s->pipe);
	for(i = 0; i + 1 < authban_reply_size(*reply); i += 2) {
		const char *field =
				authban_reply_text(authban_reply_at(*reply, i), &flen);
		const char *value =
				authban_reply_text(authban_reply_at(*reply, i + 1), &vlen);

		if(ab_sync_is_over(s->sync, &now, (const uint8_t *)value, vlen)
				&& forget(s, (unsigned)tag, field, flen) < 0)
			return -1;
	}
	return 0;
}

/* Appends the next buckets that hold something. */
static int look_on(struct authban_store *s)
{
	unsigned looked = 0, i;

	for(i = 0; i < AB_WIRE_MAP_BUCKETS && looked < buckets; i++) {
		unsigned b = bucket++ % AB_WIRE_MAP_BUCKETS;

		if(!seen(s, b))
			continue;
		if(look_at(s, b) < 0)
			return -1;
		looked++;
	}
	return 0;
}

int authban_tidy_work(struct authban_store *s, int64_t now)
{
	/* not at once: who has just connected has loaded the map */
	if(next_work == 0 || now < next_work) {
		if(next_work == 0)
			next_work = now + EVERY;
		return 0;
	}
	next_work = now + EVERY;
	fields = 0;
	authban_store_begin(s);
	if(trim_log(s) < 0 || look_on(s) < 0
			|| authban_store_run(s, got, s, now + AUTHBAN_STORE_DEADLINE) < 0)
		return -1;
	if(fields > FIELDS_MANY)
		buckets = buckets > 1 ? buckets / 2 : 1;
	else if(fields < FIELDS_MANY / 4 && buckets < BUCKETS_MAX)
		buckets *= 2;
	return 0;
}
