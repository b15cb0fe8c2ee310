/*
 * authban: evidence is told to other proxies, and heard from them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_testimony.h"

#include "authban_erase.h"
#include "authban_params.h"
#include "authban_privacy.h"
#include "authban_record.h"
#include "authban_shared.h"
#include "authban_store_private.h"

#include "core/dprint.h"

#include <stdio.h>
#include <string.h>

#define EVERY 5000			  /* ms */
#define SOON 200			  /* ms, when there was more to be heard */
#define TELL_MAX 64			  /* records at once */
#define PAUSE 60			  /* s between two words on one source */
#define STREAM_LENGTH "10000" /* entries, about: 3 MB */
#define READ_MAX 100		  /* entries at once: 25 kB */
#define OFF_MS 600000		  /* after Redis has refused it */
#define TRIM_MS 60000		  /* between two looks for what is over */
#define AROUND 1000 /* ms: Redis's clock now against that of the table */
#define CLOCKS_APART 86400000 /* ms, at the most */
#define READ 1				  /* tag */
#define ERASURES 256		  /* that are remembered */
#define ROUNDS 200 /* READ_MAX entries each: more than the stream has */

static char last_id[48] = "0-0";
static int64_t off_until; /* ms of authban_redis_now() */
static int64_t next_trim, next_work;
static bool refused, more;

/* Heard or told within AUTHBAN_ERASE_MS: nobody who writes to Redis can play one again. */
static struct ab_erasure heard[ERASURES];
static unsigned heards;
static uint64_t erased_ms; /* of the last that we told; 0: it is out of Redis */

void authban_testimony_again(void)
{
	struct ab_evidence e = authban_records();

	strcpy(last_id, "0-0");
	ab_evidence_tell_again(&e);
}

static int add(struct authban_store *s, int tag, int argc, const char **argv,
		size_t last_len)
{
	size_t len[10];
	int i;

	for(i = 0; i < argc; i++)
		len[i] = strlen(argv[i]);
	if(last_len)
		len[argc - 1] = last_len;
	return authban_store_append(s, 0, tag, argc, argv, len);
}

/* --- telling --- */

static int tell_one(struct authban_store *s, const char *key,
		const struct ab_evidence_record *r)
{
	struct ab_names *names = ab_table_names(authban_table());
	uint8_t bytes[AB_EVIDENCE_WIRE_MAX + 1];
	const char *xadd[] = {"XADD", key, "MAXLEN", "~", STREAM_LENGTH, "*", "e",
			(const char *)bytes};
	struct ab_evidence_news news = {.r = *r};
	size_t len;

	snprintf(news.reason, sizeof(news.reason), "%s",
			ab_names_text(names, r->reason));
	snprintf(news.origin, sizeof(news.origin), "%s",
			ab_names_text(names, r->origin));
	len = ab_evidence_write(&s->sync->wire, &news, bytes);
	bytes[len] = '\0';
	return add(s, WRITE, 8, xadd, len);
}

/* Stream ids begin with Redis's time. What is older than it may be is taken out; a
 * stream to which nobody adds anything goes as a whole. */
static int trim(struct authban_store *s, const char *key, bool prolong)
{
	uint64_t now = authban_now().cluster_ms;
	uint64_t ttl = (uint64_t)authban_params.evidence_ttl;
	uint64_t least = now > ttl * 1000 ? now - ttl * 1000 : 0;
	char before[24], seconds[24];
	const char *xtrim[] = {"XTRIM", key, "MINID", before};
	const char *expire[] = {"EXPIRE", key, seconds};

	/* it stands at the beginning, as all before it was taken out */
	if(erased_ms && now >= erased_ms + AUTHBAN_ERASE_MS) {
		if(least < erased_ms + AROUND)
			least = erased_ms + AROUND;
		erased_ms = 0;
	}
	snprintf(before, sizeof(before), "%llu", (unsigned long long)least);
	snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)ttl);
	if(add(s, WRITE, 4, xtrim, 0) < 0)
		return -1;
	return prolong ? add(s, WRITE, 3, expire, 0) : 0;
}

/* --- erasing --- */

static bool is_live(const struct ab_erasure *er, uint64_t now)
{
	return now < er->time + AUTHBAN_ERASE_MS;
}

static bool is_same(const struct ab_erasure *a, const struct ab_erasure *b)
{
	return a->time == b->time && a->user == b->user
		   && a->source.len == b->source.len
		   && ab_addr_equal(&a->source.addr, &b->source.addr);
}

/* False: it was heard before, or there are too many to know. */
static bool remember(const struct ab_erasure *er, uint64_t now)
{
	unsigned i, n = 0;

	for(i = 0; i < heards; i++) {
		if(!is_live(&heard[i], now))
			continue;
		if(is_same(&heard[i], er))
			return false;
		heard[n++] = heard[i];
	}
	heards = n;
	if(n == ERASURES)
		return false;
	heard[heards++] = *er;
	return true;
}

/* Told by somebody who had not heard yet; `wall`: now, ms since 1970. */
static bool is_erased(const struct ab_evidence_record *r, uint64_t wall)
{
	uint64_t now = authban_now().cluster_ms;
	unsigned i;

	for(i = 0; i < heards; i++)
		if(is_live(&heard[i], now) && heard[i].user == 0
				&& heard[i].source.len == r->source_len
				&& ab_addr_equal(&heard[i].source.addr, &r->source)
				&& r->last + now <= heard[i].time + wall)
			return true;
	return false;
}

/* Those that operators of this proxy have asked for. */
static void remember_own(void)
{
	struct ab_erasure due[ERASURES];
	size_t n = authban_erase_noted(due, ERASURES), i;

	for(i = 0; i < n; i++)
		remember(&due[i], authban_now().cluster_ms);
}

static int tell_erasure(
		struct authban_store *s, const char *key, const struct ab_erasure *er)
{
	uint8_t bytes[AB_EVIDENCE_WIRE_MAX + 1];
	const char *xadd[] = {"XADD", key, "*", "e", (const char *)bytes};
	size_t len = ab_erasure_write(&s->sync->wire, er, bytes);

	bytes[len] = '\0';
	return add(s, WRITE, 5, xadd, len);
}

/* The stream is only a way, so all of it goes. Erasures that others may not have heard
 * are told again. */
static int tell_erasures(struct authban_store *s, const char *key)
{
	const char *xtrim[] = {"XTRIM", key, "MAXLEN", "0"};
	uint64_t now = authban_now().cluster_ms;
	size_t i;

	if(!authban_erase_waits())
		return 0;
	remember_own();
	if(add(s, WRITE, 4, xtrim, 0) < 0)
		return -1;
	for(i = 0; i < heards; i++)
		if(is_live(&heard[i], now) && tell_erasure(s, key, &heard[i]) < 0)
			return -1;
	erased_ms = now;
	return 0;
}

static void hear_erasure(
		struct authban_store *s, const uint8_t *bytes, size_t len)
{
	uint64_t now = authban_now().cluster_ms;
	struct authban_erased out;
	struct ab_erasure er;
	enum ab_wire_result r = ab_erasure_read(&s->sync->wire, bytes, len, &er);

	if(r == AB_WIRE_OK && er.time > now + CLOCKS_APART)
		r = AB_WIRE_RANGE;
	if(r != AB_WIRE_OK) {
		s->sync->stats.dropped[r]++;
		return;
	}
	if(!is_live(&er, now) || !remember(&er, now))
		return;
	authban_erase(
			&er, now > er.time ? (uint32_t)((now - er.time) / 1000) : 0, &out);
}

/* --- both --- */

static int append_reading(struct authban_store *s, const char *key)
{
	char most[8];
	const char *xread[] = {"XREAD", "COUNT", most, "STREAMS", key, last_id};

	snprintf(most, sizeof(most), "%d", READ_MAX);
	return add(s, READ, 6, xread, 0);
}

/* Appends what there is to tell: how many commands, or -1. */
static int append_telling(struct authban_store *s)
{
	static struct ab_evidence_record due[TELL_MAX];
	struct ab_evidence e = authban_records();
	bool erasing = authban_erase_waits();
	char key[AB_WIRE_KEY_MAX];
	size_t n, i;

	ab_evidence_wire_key(&s->sync->wire, key);
	authban_store_begin(s);
	if(tell_erasures(s, key) < 0)
		return -1;
	n = ab_evidence_take_due(&e, authban_now_mono(), PAUSE, due, TELL_MAX);
	for(i = 0; i < n; i++)
		if(tell_one(s, key, &due[i]) < 0)
			return -1;
	if(n == 0 && authban_redis_now() < next_trim)
		return erasing;
	next_trim = authban_redis_now() + TRIM_MS;
	return trim(s, key, n > 0) < 0 ? -1 : 1;
}

/* --- hearing --- */

static void hear_one(struct authban_store *s, const char *bytes, size_t len)
{
	const struct ab_table *t = authban_table();
	struct ab_names *names = ab_table_names(t);
	struct ab_evidence e = authban_records();
	struct ab_evidence_news news;
	uint64_t now = authban_wall_ms(), age;
	enum ab_wire_result r;

	if(ab_erasure_is((const uint8_t *)bytes, len)) {
		hear_erasure(s, (const uint8_t *)bytes, len);
		return;
	}
	r = ab_evidence_read(&s->sync->wire, (const uint8_t *)bytes, len, &news);
	if(r != AB_WIRE_OK) {
		s->sync->stats.dropped[r]++;
		return;
	}
	if(news.r.last > now + CLOCKS_APART) {
		s->sync->stats.dropped[AB_WIRE_RANGE]++;
		return;
	}
	if(is_erased(&news.r, now))
		return;
	age = now > news.r.last ? (now - news.r.last) / 1000 : 0;
	if(age >= (uint64_t)authban_params.evidence_ttl)
		return;
	news.r.reason =
			ab_names_intern(names, t->owner, news.reason, strlen(news.reason));
	news.r.origin =
			ab_names_intern(names, t->owner, news.origin, strlen(news.origin));
	ab_evidence_import(&e, &news.r, authban_now_mono(), (uint32_t)age);
}

/* [[stream, [[id, [field, record]], ...]]] */
static void hear(struct authban_store *s, const authban_reply_t *reply)
{
	const authban_reply_t *entries =
			authban_reply_at(authban_reply_at(reply, 0), 1);
	size_t i, len;

	more = authban_reply_size(entries) >= READ_MAX;
	for(i = 0; i < authban_reply_size(entries); i++) {
		const authban_reply_t *entry = authban_reply_at(entries, i);
		const char *text = authban_reply_text(
				authban_reply_at(authban_reply_at(entry, 1), 1), &len);

		hear_one(s, text, len);
		text = authban_reply_text(authban_reply_at(entry, 0), &len);
		if(len > 0 && len < sizeof(last_id)
				&& strspn(text, "0123456789-") == len) {
			memcpy(last_id, text, len);
			last_id[len] = '\0';
		}
	}
}

static int got(void *arg, int tag, authban_reply_t **reply)
{
	struct authban_store *s = arg;
	char words[81];
	const char *text;
	size_t len;

	if(authban_reply_type(*reply) != AUTHBAN_REPLY_ERROR) {
		if(tag == READ)
			hear(s, *reply);
		return 0;
	}
	off_until = authban_redis_now() + OFF_MS;
	if(refused)
		return 0;
	refused = true;
	text = authban_reply_text(*reply, &len);
	snprintf(words, sizeof(words), "%.*s", (int)(len < 80 ? len : 80), text);
	authban_redis_clean(words);
	LM_WARN("evidence is not shared: Redis says %s (it needs the key evidence,"
			" XADD, XREAD, XTRIM and EXPIRE; see etc/redis-users.acl)\n",
			words);
	return 0;
}

void authban_testimony_soon(int64_t ms)
{
	int64_t at = authban_redis_now() + ms;

	if(next_work > at)
		next_work = at;
}

/* All that is there. 0 or -1. */
static int hear_all(struct authban_store *s, int64_t deadline)
{
	char key[AB_WIRE_KEY_MAX];
	unsigned rounds = 0;

	ab_evidence_wire_key(&s->sync->wire, key);
	do {
		more = false;
		authban_store_begin(s);
		if(append_reading(s, key) < 0
				|| authban_store_run(s, got, s, deadline) < 0)
			return -1;
	} while(more && authban_erase_waits() && ++rounds < ROUNDS);
	return 0;
}

int authban_testimony_work(struct authban_store *s)
{
	struct ab_evidence e = authban_records();
	int64_t now = authban_redis_now(), deadline = now + AUTHBAN_STORE_DEADLINE;
	int n;

	if(authban_params.evidence == 0 || now < off_until
			|| (now < next_work && !authban_erase_waits()))
		return 0;
	remember_own();
	/* first: what others have erased is not told, and what they have told of it, and
	 * nobody has heard, is not emptied out with our own */
	if(hear_all(s, deadline) < 0)
		return -1;
	n = now < off_until ? 0 : append_telling(s);
	if(n < 0 || (n > 0 && authban_store_run(s, got, s, deadline) < 0)) {
		/* nobody knows what of it arrived */
		ab_evidence_tell_again(&e);
		return -1;
	}
	authban_erase_told(heard, heards);
	next_work = authban_redis_now() + (more ? SOON : EVERY);
	return 0;
}
