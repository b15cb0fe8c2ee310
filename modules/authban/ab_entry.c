/*
 * authban: what is kept of one source, pair, network or user, and how it changes
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_entry_private.h"

#include "ab_distinct.h"
#include "ab_siphash.h"
#include "ab_window.h"

#include <string.h>

#define SLOW_MAX 255 /* eight bits */
#define USER_BITS 64 /* a user's hash in place of an address */

#define relaxed memory_order_relaxed

const char *ab_proof_name(enum ab_proof proof)
{
	static const char *const names[AB_PROOF_MAX] = {
			"none", "token", "stream", "nonce", "operator", "script"};

	return (size_t)proof < AB_PROOF_MAX ? names[proof] : "none";
}

struct ab_key ab_key_user(uint64_t user)
{
	struct ab_key key = {.kind = AB_KIND_USER, .plen = USER_BITS};
	unsigned i;

	for(i = 0; i < 8; i++)
		key.addr.b[i] = (uint8_t)(user >> (56 - 8 * i));
	return key;
}

struct ab_key ab_key_pair(const struct ab_prefix *source, uint64_t user)
{
	struct ab_key key = {source->addr, user, AB_KIND_PAIR, source->len};

	return key;
}

bool ab_key_width_ok(const struct ab_key *key)
{
	bool v4 = key->plen >= AB_V4_BITS && ab_addr_is_v4(&key->addr);

	if(key->kind == AB_KIND_USER)
		return key->plen == USER_BITS;
	if(key->kind == AB_KIND_NETWORK)
		return key->plen == (v4 ? AB_V4_BITS + AB_NETWORK_V4 : AB_NETWORK_V6);
	if(key->kind == AB_KIND_ALLOW)
		return key->plen
			   >= (v4 ? AB_V4_BITS + AB_WIDEST_ALLOW_V4 : AB_WIDEST_ALLOW_V6);
	return key->plen >= (v4 ? AB_V4_BITS + AB_WIDEST_BAN_V4 : AB_WIDEST_BAN_V6);
}

static void addr_words(const struct ab_addr *a, uint64_t words[2])
{
	memcpy(words, a->b, sizeof(a->b));
}

static uint16_t ident_of(const struct ab_key *key)
{
	return (uint16_t)(key->kind << 8 | key->plen);
}

void ab_entry_init(struct ab_slot *s, const struct ab_key *key,
		const struct ab_now *now, uint8_t incarnation)
{
	struct ab_entry *e = s->e;
	uint64_t words[2];

	addr_words(&key->addr, words);
	/* release: a reader that sees these saw the odd sequence before them */
	atomic_store_explicit(&e->addr[0], words[0], memory_order_release);
	atomic_store_explicit(&e->addr[1], words[1], memory_order_release);
	atomic_store_explicit(&e->extra, key->user, memory_order_release);
	atomic_store_explicit(&e->ident, ident_of(key), memory_order_release);
	e->flags = 0;
	e->proof = AB_PROOF_NONE;
	e->policy = 0;
	e->incarnation = incarnation & 127u;
	e->paired = 0;
	e->wstart = 0;
	e->version = 0;
	memset(e->own, 0, sizeof(e->own));
	memset(e->others, 0, sizeof(e->others));
	e->seen = e->since = now->mono;
	e->epoch = 0;
	e->reason = 0;
	e->origin = 0;
	e->repeats = 0;
	e->slow = 0;
	s->until = 0;
	s->state = AB_STATE_NONE;
	s->pairs = false;
}

/* What only holders of the lock look at begins behind ident. */
#define LOCKED_PART (offsetof(struct ab_entry, ident) + sizeof(uint16_t))

static void copy_locked_part(struct ab_entry *to, const struct ab_entry *from)
{
	atomic_store_explicit(
			&to->extra, atomic_load_explicit(&from->extra, relaxed), relaxed);
	memcpy((char *)to + LOCKED_PART, (const char *)from + LOCKED_PART,
			sizeof(*to) - LOCKED_PART);
}

void ab_entry_copy(struct ab_entry *to, const struct ab_entry *from)
{
	/* release: as in ab_entry_init(), `to` may lie in the table */
	atomic_store_explicit(&to->addr[0],
			atomic_load_explicit(&from->addr[0], relaxed),
			memory_order_release);
	atomic_store_explicit(&to->addr[1],
			atomic_load_explicit(&from->addr[1], relaxed),
			memory_order_release);
	atomic_store_explicit(&to->ident,
			atomic_load_explicit(&from->ident, relaxed), memory_order_release);
	copy_locked_part(to, from);
}

void ab_entry_write_back(struct ab_entry *to, const struct ab_entry *from)
{
	copy_locked_part(to, from);
}

bool ab_entry_matches(const struct ab_entry *e, const struct ab_key *key)
{
	uint64_t words[2];

	addr_words(&key->addr, words);
	/* acquire: the sequence is read again behind these loads */
	if(key->kind == AB_KIND_PAIR
			&& atomic_load_explicit(&e->extra, memory_order_acquire)
					   != key->user)
		return false;
	return atomic_load_explicit(&e->addr[0], memory_order_acquire) == words[0]
		   && atomic_load_explicit(&e->addr[1], memory_order_acquire)
					  == words[1]
		   && atomic_load_explicit(&e->ident, memory_order_acquire)
					  == ident_of(key);
}

void ab_entry_key(const struct ab_entry *e, struct ab_key *key)
{
	uint64_t words[2] = {atomic_load_explicit(&e->addr[0], relaxed),
			atomic_load_explicit(&e->addr[1], relaxed)};
	uint16_t ident = atomic_load_explicit(&e->ident, relaxed);

	memcpy(key->addr.b, words, sizeof(key->addr.b));
	key->kind = (uint8_t)(ident >> 8);
	key->plen = (uint8_t)ident;
	key->user = key->kind == AB_KIND_PAIR
						? atomic_load_explicit(&e->extra, relaxed)
						: 0;
}

void ab_entry_distinct(const struct ab_entry *e, uint32_t maps[2])
{
	uint64_t both = ab_entry_kind(e) == AB_KIND_PAIR
							? 0
							: atomic_load_explicit(&e->extra, relaxed);

	maps[0] = (uint32_t)both;
	maps[1] = (uint32_t)(both >> 32);
}

uint32_t ab_entry_things(const struct ab_entry *e)
{
	uint32_t maps[2];

	ab_entry_distinct(e, maps);
	return ab_distinct_count(maps[0] | maps[1]);
}

void ab_entry_set_distinct(struct ab_entry *e, uint32_t cur, uint32_t prev)
{
	if(ab_entry_kind(e) != AB_KIND_PAIR)
		atomic_store_explicit(&e->extra, (uint64_t)prev << 32 | cur, relaxed);
}

static void clear_counts(struct ab_entry *e)
{
	memset(e->own, 0, sizeof(e->own));
	memset(e->others, 0, sizeof(e->others));
	ab_entry_set_distinct(e, 0, 0);
}

uint32_t ab_version_second(uint64_t version)
{
	return (uint32_t)((version >> 16) / 1000);
}

uint32_t ab_entry_later(uint32_t now, uint32_t seconds)
{
	return seconds < UINT32_MAX - now ? now + seconds : UINT32_MAX;
}

void ab_entry_begin_epoch(struct ab_entry *e, uint32_t second)
{
	clear_counts(e);
	e->epoch = second > e->epoch ? second : e->epoch + 1;
}

static void end_state(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now)
{
	struct ab_entry *e = s->e;

	if(s->state == AB_STATE_BANNED || s->state == AB_STATE_DRY_RUN) {
		/* the same on every proxy that knows the ban */
		ab_entry_begin_epoch(e, s->state == AB_STATE_BANNED
										? ab_version_second(e->version)
										: ab_now_cluster_s(now));
		e->since = s->until;
	}
	s->state = AB_STATE_NONE;
	/* a ban of one of its pairs may have begun before and outlast it */
	s->until = s->pairs ? ab_entry_later(now->mono, (uint32_t)set->ban_time_max)
						: 0;
}

static void roll_window(struct ab_entry *e, uint32_t length, uint32_t now_s)
{
	uint32_t start = ab_window_start(now_s, length);
	unsigned age = ab_window_age(e->wstart, start, length);
	uint32_t maps[2];

	if(age == 0)
		return;
	ab_entry_distinct(e, maps);
	if(age == 1) {
		e->own[1] = e->own[0];
		e->others[1] = e->others[0];
		e->own[0] = e->others[0] = 0;
		ab_entry_set_distinct(e, 0, maps[0]);
	} else {
		clear_counts(e);
	}
	e->wstart = start;
}

void ab_entry_refresh(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now)
{
	if(s->state != AB_STATE_NONE && s->until <= now->mono)
		end_state(s, set, now);
	if(s->state == AB_STATE_NONE && s->until <= now->mono)
		s->pairs = false;
	/* while a ban lasts its counts stand still: they are why it was made */
	if(s->state != AB_STATE_BANNED && s->state != AB_STATE_DRY_RUN)
		roll_window(s->e, (uint32_t)set->window, ab_now_cluster_s(now));
}

static uint32_t slow_now(const struct ab_entry *e,
		const struct ab_settings *set, const struct ab_now *now)
{
	return ab_policy_leak(set, e->slow, now->mono - e->seen);
}

/* Adds to a level of eight bits. */
static uint8_t add8(uint32_t level, uint32_t more)
{
	return (uint8_t)(more < SLOW_MAX - level ? level + more : SLOW_MAX);
}

void ab_entry_touch(struct ab_entry *e, const struct ab_settings *set,
		const struct ab_now *now, uint32_t more)
{
	uint32_t level = slow_now(e, set, now);

	e->slow = add8(level, more);
	e->seen = now->mono;
}

static bool is_banned(const struct ab_slot *s)
{
	return s->state == AB_STATE_BANNED || s->state == AB_STATE_DRY_RUN;
}

void ab_entry_count(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, uint64_t thing, uint32_t weight,
		uint32_t slow)
{
	struct ab_entry *e = s->e;
	uint32_t maps[2];

	ab_entry_refresh(s, set, now);
	e->own[0] = ab_saturate16(e->own[0], weight);
	if(thing != 0) {
		ab_entry_distinct(e, maps);
		ab_entry_set_distinct(e, ab_distinct_add(maps[0], thing), maps[1]);
	}
	/* while banned, `seen` tells when the last stranger was let through */
	if(is_banned(s))
		e->slow = add8(e->slow, slow);
	else
		ab_entry_touch(e, set, now, slow);
	ab_entry_set_flags(e, e->flags | AB_UNSENT_COUNT);
}

void ab_entry_void(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, uint32_t epoch)
{
	struct ab_entry *e = s->e;
	/* the end of a dry run's ban begins an epoch of its own */
	bool old_dry = s->state == AB_STATE_DRY_RUN && e->epoch < epoch;

	ab_entry_refresh(s, set, now);
	if((e->epoch >= epoch && !old_dry)
			|| (s->state == AB_STATE_BANNED
					&& ab_version_second(e->version) > epoch))
		return;
	ab_entry_begin_epoch(e, epoch);
	e->repeats = 0;
	e->slow = 0;
	s->state = AB_STATE_NONE;
	s->until = 0;
}

bool ab_entry_gate(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now)
{
	ab_entry_refresh(s, set, now);
	if(s->state != AB_STATE_BANNED && s->state != AB_STATE_DRY_RUN)
		return true;
	if(now->mono - s->e->seen < (uint32_t)set->pace)
		return false;
	ab_entry_touch(s->e, set, now, 0);
	return true;
}

void ab_entry_refund(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now)
{
	ab_entry_refresh(s, set, now);
	if(s->state == AB_STATE_BANNED || s->state == AB_STATE_DRY_RUN)
		s->e->seen = now->mono - (uint32_t)set->pace;
}

/* Networks and users have no slow level. */
static bool is_party(const struct ab_entry *e)
{
	return ab_entry_kind(e) == AB_KIND_SOURCE
		   || ab_entry_kind(e) == AB_KIND_PAIR;
}

static uint16_t max16(uint16_t a, uint32_t b)
{
	return b > a ? ab_saturate16(b, 0) : a;
}

bool ab_entry_merge(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, const struct ab_others *others)
{
	struct ab_entry *e = s->e;
	uint32_t news, maps[2];
	uint64_t known;
	unsigned age;

	ab_entry_refresh(s, set, now);
	news = (uint32_t)e->others[0] + e->others[1];
	/* an unban came in between: these were counted before it */
	if(others->epoch < e->epoch || s->state == AB_STATE_BANNED
			|| s->state == AB_STATE_DRY_RUN)
		return false;
	age = ab_window_age(others->wstart, e->wstart, (uint32_t)set->window);
	if(age == 2)
		return false;
	ab_entry_distinct(e, maps);
	known = atomic_load_explicit(&e->extra, relaxed);
	if(age == 1) { /* the window turned while the answer was under way */
		e->others[1] = max16(e->others[1], others->count[0]);
		ab_entry_set_distinct(e, maps[0], maps[1] | others->distinct[0]);
	} else {
		e->others[0] = max16(e->others[0], others->count[0]);
		e->others[1] = max16(e->others[1], others->count[1]);
		ab_entry_set_distinct(e, maps[0] | others->distinct[0],
				maps[1] | others->distinct[1]);
	}
	news = (uint32_t)e->others[0] + e->others[1] - news;
	if(news > 0)
		ab_entry_touch(e, set, now, is_party(e) ? news : 0);
	return news > 0 || known != atomic_load_explicit(&e->extra, relaxed);
}

static uint32_t estimate(const struct ab_entry *e, uint32_t cur, uint32_t prev,
		const struct ab_settings *set, const struct ab_now *now)
{
	return ab_window_estimate(
			cur, prev, e->wstart, ab_now_cluster_s(now), (uint32_t)set->window);
}

/* A number of the address and the repeats: no key, so that all proxies agree. */
static uint32_t spread_of(const struct ab_entry *e, uint32_t repeats)
{
	struct ab_key key;

	ab_entry_key(e, &key);
	/* multipliers: the golden ratio and xxHash's first prime */
	return (uint32_t)(((ab_load_le64(key.addr.b) + key.user + repeats)
									  * UINT64_C(0x9e3779b97f4a7c15)
							  ^ ab_load_le64(key.addr.b + 8))
							  * UINT64_C(0x9e3779b185ebca87)
					  >> 40);
}

/* A ban that ended longer ago than `memory` is forgotten. */
static uint32_t remembered(const struct ab_slot *s,
		const struct ab_settings *set, const struct ab_now *now)
{
	const struct ab_entry *e = s->e;

	if(s->state == AB_STATE_BANNED || s->state == AB_STATE_DRY_RUN)
		return e->repeats;
	return now->mono - e->since <= (uint32_t)set->memory ? e->repeats : 0;
}

void ab_entry_counts(const struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, struct ab_counts *out)
{
	const struct ab_entry *e = s->e;

	out->failures = estimate(e, (uint32_t)e->own[0] + e->others[0],
			(uint32_t)e->own[1] + e->others[1], set, now);
	out->own = estimate(e, e->own[0], e->own[1], set, now);
	out->kind = ab_entry_kind(e);
	out->things = ab_entry_things(e);
	out->slow = slow_now(e, set, now);
	out->repeats = (uint8_t)remembered(s, set, now);
	out->spread = spread_of(e, out->repeats);
}
