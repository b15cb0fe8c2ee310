/*
 * authban: telling other proxies who is known-good, and hearing of it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_credit.h"

#include "authban_shared.h"
#include "authban_store_private.h"

#include "ab_bytes.h"

#include <stdio.h>
#include <string.h>

#define GATHER 200		 /* ms between two batches */
#define SLICE_FIRST 8	 /* records: 4 kB, which a slow line carries too */
#define SLICE_MAX 256	 /* 140 kB, about 3 ms of work */
#define REST_FAILED 2000 /* ms before the next try to read */
#define NEVER UINT32_MAX

static bool is_on(const struct authban_store *s)
{
	return s->sync->guard.good.told && s->sync->wire.mac.sign;
}

static uint32_t good_time(const struct authban_store *s)
{
	return (uint32_t)s->sync->set->good_time;
}

static uint32_t hour_now(void)
{
	struct ab_now now = authban_now();

	return (uint32_t)(ab_now_cluster_s(&now) / AB_CREDIT_HOUR);
}

/* --- telling --- */

static int got_written(void *arg, int tag, authban_reply_t **reply)
{
	(void)tag;
	return authban_store_written(arg, *reply);
}

/* RPUSH of all records, and once an hour EXPIRE. */
static int append_records(struct authban_store *s, uint32_t hour)
{
	static uint8_t record[AUTHBAN_CREDIT_RECORDS][AB_CREDIT_MAX];
	const char *push[2 + AUTHBAN_CREDIT_RECORDS] = {"RPUSH"};
	size_t push_len[2 + AUTHBAN_CREDIT_RECORDS] = {5};
	char key[AB_WIRE_KEY_MAX], ttl[16];
	const char *expire[] = {"EXPIRE", key, ttl};
	struct authban_credit *c = &s->credit;
	struct ab_now now = authban_now();
	struct ab_credit one = {.made = ab_now_cluster_s(&now)};
	unsigned shard = ab_credit_shard(&s->sync->wire, hour);
	size_t i, n = 0, len;

	ab_credit_key(&s->sync->wire, hour, key);
	push[1] = key;
	push_len[1] = strlen(key);
	memcpy(one.node, s->sync->wire.node, sizeof(one.node));
	for(i = 0; i < c->n_unsent; i += one.n, n++) {
		one.n = c->n_unsent - i < AB_CREDIT_FACTS ? c->n_unsent - i
												  : AB_CREDIT_FACTS;
		memcpy(one.fact, c->unsent + i, one.n * sizeof(one.fact[0]));
		len = ab_credit_write(&s->sync->wire, &one, record[n]);
		push[2 + n] = (const char *)record[n];
		push_len[2 + n] = len;
	}
	if(authban_store_append(s, shard, WRITE, (int)(2 + n), push, push_len) < 0)
		return -1;
	if(c->lasting == hour)
		return 0;
	snprintf(ttl, sizeof(ttl), "%u", good_time(s) + 2 * AB_CREDIT_HOUR);
	return authban_store_append(s, shard, WRITE, 3, expire,
			(size_t[]){6, strlen(key), strlen(ttl)});
}

/* An entry of the log: who reads it reads on in the list. */
static int append_news(struct authban_store *s, uint32_t hour)
{
	uint8_t value[4];
	char log[AB_WIRE_KEY_MAX];
	const char *add[] = {"XADD", log, "MAXLEN", "~", AUTHBAN_LOG_LENGTH, "*",
			"g", (const char *)value};
	size_t len[8] = {0}, i;

	ab_wire_log_key(&s->sync->wire, log);
	ab_put(value, hour, 4);
	for(i = 0; i < 7; i++)
		len[i] = strlen(add[i]);
	len[7] = sizeof(value);
	return authban_store_append(s, 0, WRITE, 8, add, len);
}

/* The list first and alone: on a cluster the two may live on different nodes. What was
 * not answered is sent again; twice in the list is as good as once. */
static int send_facts(struct authban_store *s, int64_t now)
{
	struct authban_credit *c = &s->credit;
	uint32_t hour = hour_now();

	c->sent_at = now;
	if(c->n_unsent == 0)
		c->n_unsent = ab_tell_take(
				s->sync->guard.good.tell, c->unsent, AUTHBAN_CREDIT_BATCH);
	if(c->n_unsent == 0)
		return 0;
	authban_store_begin(s);
	if(append_records(s, hour) < 0
			|| authban_store_run(
					   s, got_written, s, now + AUTHBAN_STORE_DEADLINE)
					   < 0)
		return -1;
	authban_store_begin(s);
	if(append_news(s, hour) < 0
			|| authban_store_run(
					   s, got_written, s, now + AUTHBAN_STORE_DEADLINE)
					   < 0)
		return -1;
	c->lasting = hour;
	c->told += c->n_unsent;
	c->batches++;
	c->n_unsent = 0;
	return 0;
}

void authban_credit_lost(struct authban_store *s)
{
	struct authban_credit *c = &s->credit;
	int i;

	if(!is_on(s))
		return;
	ab_tell_again(s->sync->guard.good.tell, authban_now_mono());
	for(i = 0; i < 2; i++) {
		c->live[i].at = 0;
		c->live[i].due = true;
	}
	c->lasting = 0;
}

/* --- hearing --- */

/* One slice of one list. */
struct slice
{
	struct authban_store *s;
	struct authban_credit_list *list;
	uint32_t
			skip; /* records that come again, to see that the list is the same */
};

/* What a forgotten proxy said does not count, until it is back (ab_nodes.h). */
static bool is_believed(
		const struct authban_store *s, const struct ab_credit *record)
{
	struct ab_nodes *nodes = s->sync->nodes;
	struct ab_forgotten f;

	if(!nodes || atomic_load(&nodes->n_forgotten) == 0
			|| !ab_nodes_forgotten(
					nodes, s->sync->table->owner, record->node, &f))
		return true;
	return f.back != 0 && (uint64_t)record->made * 1000 >= f.back;
}

/* Facts do not tell who told them: when a proxy is forgotten all that was told goes,
 * and is read again but for what that proxy said. */
static void look_for_forgotten(struct authban_store *s)
{
	const struct ab_nodes *nodes = s->sync->nodes;
	const struct ab_recent *told = s->sync->guard.good.told;
	struct authban_credit *c = &s->credit;
	uint32_t now = authban_now_mono();
	uint64_t sum = 0;
	int i;

	if(!nodes || atomic_load(&nodes->n_forgotten) == 0)
		return;
	/* without its lock: what is half written is looked at once more */
	for(i = 0; i < AB_FORGOTTEN_MAX; i++)
		sum += nodes->forgotten[i].at;
	if(sum == c->forgotten)
		return;
	c->forgotten = sum;
	ab_recent_sweep(s->sync->guard.good.told, 0, 1, now, 0);
	for(i = 0; i < 2; i++)
		c->live[i] = (struct authban_credit_list){
				.hour = c->live[i].hour, .due = c->live[i].hour != 0};
	c->load = (struct authban_credit_list){.hour = hour_now() - 1};
	c->oldest = hour_now() - good_time(s) / AB_CREDIT_HOUR - 1;
	c->room = 4 * (uint64_t)told->lines * AB_RECENT_LINE;
}

static void take_record(struct authban_store *s, const authban_reply_t *reply)
{
	struct ab_now now = authban_now();
	struct ab_credit record;
	enum ab_wire_result r;
	size_t len;
	const char *bytes = authban_reply_text(reply, &len);

	r = ab_credit_read(&s->sync->wire, (const uint8_t *)bytes, len, &record);
	if(r != AB_WIRE_OK) {
		s->sync->stats.dropped[r]++;
		return;
	}
	if(!is_believed(s, &record)) {
		s->sync->stats.dropped[AB_WIRE_FORGOTTEN]++;
		return;
	}
	if(ab_credit_apply(&s->sync->guard.good, &record, ab_now_cluster_s(&now),
			   now.mono, good_time(s))
			&& memcmp(record.node, s->sync->wire.node, sizeof(record.node))
					   != 0)
		s->credit.heard += record.n;
	s->credit.room -= record.n < s->credit.room ? record.n : s->credit.room;
}

static int got_slice(void *arg, int tag, authban_reply_t **reply)
{
	struct slice *slice = arg;
	struct authban_credit_list *list = slice->list;
	size_t i, n = authban_reply_size(*reply);

	(void)tag;
	list->due = false;
	if(authban_reply_type(*reply) == AUTHBAN_REPLY_ERROR)
		return authban_store_pass_over(slice->s, "LRANGE", *reply);
	if(n == 0 && list->at > 0) {
		/* it was deleted, and may have grown anew */
		list->at = 0;
		list->due = true;
		return 0;
	}
	for(i = slice->skip; i < n; i++)
		take_record(slice->s, authban_reply_at(*reply, i));
	if(n > slice->skip)
		list->at += (uint32_t)(n - slice->skip);
	list->due = n >= slice->skip + slice->s->credit.slice;
	return 0;
}

static int read_slice(struct authban_store *s, struct authban_credit_list *list)
{
	struct slice slice = {s, list, list->at > 0};
	char key[AB_WIRE_KEY_MAX], from[16], to[16];
	const char *words[] = {"LRANGE", key, from, to, NULL};
	uint32_t first = list->at - slice.skip;
	int64_t begin = authban_redis_now(), took;
	struct authban_credit *c = &s->credit;

	ab_credit_key(&s->sync->wire, list->hour, key);
	snprintf(from, sizeof(from), "%u", first);
	snprintf(to, sizeof(to), "%u", first + slice.skip + c->slice - 1);
	authban_store_begin(s);
	if(authban_store_append(s, ab_credit_shard(&s->sync->wire, list->hour), 0,
			   4, words, (size_t[]){6, strlen(key), strlen(from), strlen(to)})
					< 0
			|| authban_store_run(
					   s, got_slice, &slice, begin + AUTHBAN_STORE_DEADLINE)
					   < 0) {
		c->slice = 1;
		c->rest = authban_redis_now() + REST_FAILED;
		return -1;
	}
	took = authban_redis_now() - begin;
	c->slice = 2 * c->slice < SLICE_MAX ? 2 * c->slice : SLICE_MAX;
	c->rest = authban_redis_now() + took;
	return 0;
}

/* The list to read next; NULL: none. */
static struct authban_credit_list *next_list(struct authban_credit *c)
{
	uint32_t newer = c->live[0].hour > c->live[1].hour ? 0 : 1;

	if(c->live[newer].due)
		return &c->live[newer];
	if(c->live[!newer].due)
		return &c->live[!newer];
	if(c->oldest == NEVER)
		return NULL;
	if(!c->load.due) {
		c->load.hour--;
		c->load.at = 0;
	}
	if(c->load.hour < c->oldest || c->room == 0) {
		c->oldest = NEVER;
		c->load.due = false;
		return NULL;
	}
	return &c->load;
}

static bool has_to_read(const struct authban_credit *c)
{
	return c->live[0].due || c->live[1].due || c->oldest != NEVER;
}

bool authban_credit_is_loading(const struct authban_store *s)
{
	return is_on(s) && s->credit.last_hour != 0 && has_to_read(&s->credit);
}

/* Begins to read an hour's list. */
static void look_at_hour(struct authban_credit *c, uint32_t hour)
{
	struct authban_credit_list *list = &c->live[hour % 2];

	if(hour > list->hour)
		*list = (struct authban_credit_list){.hour = hour};
	if(hour == list->hour)
		list->due = true;
}

bool authban_credit_news(struct authban_store *s, const authban_reply_t *fields)
{
	size_t name_len, len;
	const char *name =
			authban_reply_text(authban_reply_at(fields, 0), &name_len);
	const char *value = authban_reply_text(authban_reply_at(fields, 1), &len);
	const uint8_t *p = (const uint8_t *)value;
	uint32_t hour, now = hour_now();

	if(name_len != 1 || *name != 'g')
		return false;
	if(len != 4) {
		s->sync->stats.dropped[AB_WIRE_LENGTH]++;
		return true;
	}
	hour = (uint32_t)ab_get(&p, 4);
	/* older ones, and those to come, are nobody's news */
	if(is_on(s) && hour + 1 >= now && hour <= now + 1)
		look_at_hour(&s->credit, hour);
	return true;
}

void authban_credit_opened(struct authban_store *s)
{
	struct authban_credit *c = &s->credit;
	struct ab_now now = authban_now();
	uint32_t hour = hour_now(), back;
	uint64_t age;

	if(!is_on(s))
		return;
	back = (uint32_t)((ab_now_cluster_s(&now) - good_time(s)) / AB_CREDIT_HOUR);
	if(c->last_hour == 0) {
		c->oldest = NEVER;
		c->slice = SLICE_FIRST;
	} else {
		back = c->last_hour > back ? c->last_hour : back;
	}
	if(back < c->oldest)
		c->oldest = back;
	look_at_hour(c, hour - 1);
	look_at_hour(c, hour);
	/* going back begins behind these two, or goes on where it was */
	if(c->last_hour != hour || !c->load.hour) {
		c->load = (struct authban_credit_list){.hour = hour - 1};
		c->room =
				4 * (uint64_t)s->sync->guard.good.told->lines * AB_RECENT_LINE;
	}
	age = (uint64_t)(hour - (c->last_hour ? c->last_hour : hour))
		  * AB_CREDIT_HOUR;
	/* what waited too long, or gave way, is told with the next logins */
	if(age > good_time(s) / 2
			|| atomic_load(&s->sync->guard.good.tell->dropped) != c->dropped) {
		c->n_unsent = 0;
		ab_tell_again(s->sync->guard.good.tell, authban_now_mono());
	}
	c->dropped = atomic_load(&s->sync->guard.good.tell->dropped);
	c->lasting = 0;
	c->last_hour = hour;
}

int authban_credit_load(struct authban_store *s, int64_t deadline)
{
	struct authban_credit_list *list;

	if(!is_on(s))
		return 0;
	while(authban_redis_now() < deadline
			&& (list = next_list(&s->credit)) != NULL)
		if(read_slice(s, list) < 0)
			return -1;
	return 0;
}

/* --- both --- */

int authban_credit_work(struct authban_store *s, int64_t now)
{
	struct authban_credit *c = &s->credit;
	struct authban_credit_list *list;

	if(!is_on(s))
		return 0;
	c->last_hour = hour_now();
	look_for_forgotten(s);
	if(now < authban_credit_next(s))
		return 0;
	if((c->n_unsent > 0 || ab_tell_is_waiting(s->sync->guard.good.tell))
			&& now >= c->sent_at + GATHER && send_facts(s, now) < 0)
		return -1;
	if(now < c->rest || (list = next_list(c)) == NULL)
		return 0;
	return read_slice(s, list);
}

int64_t authban_credit_next(const struct authban_store *s)
{
	const struct authban_credit *c = &s->credit;
	int64_t next = INT64_MAX;

	if(!is_on(s))
		return next;
	if(c->n_unsent > 0 || ab_tell_is_waiting(s->sync->guard.good.tell))
		next = c->sent_at + GATHER;
	if(has_to_read(c) && c->rest < next)
		next = c->rest;
	return next;
}
