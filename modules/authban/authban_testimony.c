/*
 * authban: evidence is told to other proxies, and heard from them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_testimony.h"

#include "ab_evidence_wire.h"
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
#define CLOCKS_APART 86400000 /* ms, at the most */
#define READ 1				  /* tag */

static char last_id[48] = "0-0";
static int64_t off_until; /* ms of authban_redis_now() */
static int64_t next_trim, next_work;
static bool refused, more;

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
	char before[24], seconds[24];
	const char *xtrim[] = {"XTRIM", key, "MINID", before};
	const char *expire[] = {"EXPIRE", key, seconds};

	snprintf(before, sizeof(before), "%llu",
			(unsigned long long)(now > ttl * 1000 ? now - ttl * 1000 : 0));
	snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)ttl);
	if(add(s, WRITE, 4, xtrim, 0) < 0)
		return -1;
	return prolong ? add(s, WRITE, 3, expire, 0) : 0;
}

/* An address was erased: the stream is only a way, so all of it goes. */
static int trim_all(struct authban_store *s, const char *key)
{
	const char *xtrim[] = {"XTRIM", key, "MAXLEN", "0"};

	return add(s, WRITE, 4, xtrim, 0);
}

static int append_all(struct authban_store *s, bool erased)
{
	static struct ab_evidence_record due[TELL_MAX];
	struct ab_evidence e = authban_records();
	char key[AB_WIRE_KEY_MAX];
	char most[8];
	const char *xread[] = {"XREAD", "COUNT", most, "STREAMS", key, last_id};
	size_t n, i;

	snprintf(most, sizeof(most), "%d", READ_MAX);
	ab_evidence_wire_key(&s->sync->wire, key);
	authban_store_begin(s);
	if(erased && trim_all(s, key) < 0)
		return -1;
	n = ab_evidence_take_due(&e, authban_now_mono(), PAUSE, due, TELL_MAX);
	for(i = 0; i < n; i++)
		if(tell_one(s, key, &due[i]) < 0)
			return -1;
	if(n > 0 || authban_redis_now() >= next_trim) {
		next_trim = authban_redis_now() + TRIM_MS;
		if(trim(s, key, n > 0) < 0)
			return -1;
	}
	return add(s, READ, 6, xread, 0);
}

/* --- hearing --- */

static void hear_one(struct authban_store *s, const char *bytes, size_t len)
{
	const struct ab_table *t = authban_table();
	struct ab_names *names = ab_table_names(t);
	struct ab_evidence e = authban_records();
	struct ab_evidence_news news;
	enum ab_wire_result r = ab_evidence_read(
			&s->sync->wire, (const uint8_t *)bytes, len, &news);
	uint64_t now = authban_wall_ms(), age;

	if(r != AB_WIRE_OK) {
		s->sync->stats.dropped[r]++;
		return;
	}
	if(news.r.last > now + CLOCKS_APART) {
		s->sync->stats.dropped[AB_WIRE_RANGE]++;
		return;
	}
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

int authban_testimony_work(struct authban_store *s)
{
	struct ab_evidence e = authban_records();
	int64_t now = authban_redis_now();
	bool erased;

	if(authban_params.evidence == 0 || now < off_until
			|| (now < next_work && !authban_record_has_erased()))
		return 0;
	more = false;
	erased = authban_record_take_erased();
	if(append_all(s, erased) < 0
			|| authban_store_run(s, got, s, now + AUTHBAN_STORE_DEADLINE) < 0) {
		/* nobody knows what of it arrived */
		ab_evidence_tell_again(&e);
		if(erased)
			authban_record_erased();
		return -1;
	}
	next_work = authban_redis_now() + (more ? SOON : EVERY);
	return 0;
}
