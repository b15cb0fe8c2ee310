/*
 * authban: no new bans while customers fail in numbers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_breaker.h"

#define relaxed memory_order_relaxed

/* round(-64 * ln((64 - k) / 64)) for k bits set: linear counting, as in
 * ab_distinct.h, with 64 bits */
static const uint16_t estimate[65] = {0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13,
		15, 16, 17, 18, 20, 21, 23, 24, 25, 27, 28, 30, 32, 33, 35, 37, 39, 40,
		42, 44, 46, 48, 51, 53, 55, 58, 60, 63, 65, 68, 71, 74, 78, 81, 85, 89,
		93, 97, 102, 107, 113, 119, 126, 133, 142, 151, 163, 177, 196, 222, 266,
		266};

/* Buckets whose time is over are emptied by whoever comes first. Each process reads
 * its own clock: one that comes late with an older time turns nothing back. */
static void turn_to(struct ab_breaker *b, uint32_t now)
{
	uint32_t turn = now / AB_BREAKER_BUCKET;
	uint32_t old = atomic_load_explicit(&b->turn, relaxed);
	uint32_t i;

	if((int32_t)(turn - old) <= 0
			|| !atomic_compare_exchange_strong_explicit(
					&b->turn, &old, turn, relaxed, relaxed))
		return;
	for(i = 0; i < 2; i++) {
		struct ab_breaker_bucket *k = &b->bucket[i];

		if(turn - old == 1 && i != turn % 2)
			continue;
		atomic_store_explicit(&k->sources, 0, relaxed);
		atomic_store_explicit(&k->users, 0, relaxed);
		atomic_store_explicit(&k->failures, 0, relaxed);
		atomic_store_explicit(&k->successes, 0, relaxed);
	}
}

static struct ab_breaker_bucket *current(struct ab_breaker *b, uint32_t now)
{
	turn_to(b, now);
	return &b->bucket[now / AB_BREAKER_BUCKET % 2];
}

/* How many different hashes both buckets hold. */
static uint32_t distinct(
		const _Atomic uint64_t *one, const _Atomic uint64_t *two)
{
	uint64_t map = atomic_load_explicit(one, relaxed)
				   | atomic_load_explicit(two, relaxed);

	return estimate[__builtin_popcountll(map)];
}

static void sum(const struct ab_breaker *b, struct ab_breaker_view *out)
{
	const struct ab_breaker_bucket *k = b->bucket;

	out->sources = distinct(&k[0].sources, &k[1].sources);
	out->users = distinct(&k[0].users, &k[1].users);
	out->failures = atomic_load_explicit(&k[0].failures, relaxed)
					+ atomic_load_explicit(&k[1].failures, relaxed);
	out->successes = atomic_load_explicit(&k[0].successes, relaxed)
					 + atomic_load_explicit(&k[1].successes, relaxed);
}

/* Opens or closes; true for the one caller who did. */
static bool decide(struct ab_breaker *b, uint32_t limit, uint32_t now)
{
	uint32_t open = atomic_load_explicit(&b->open, relaxed), want = open;
	struct ab_breaker_view v;
	uint32_t customers;

	sum(b, &v);
	customers = v.sources < v.users ? v.sources : v.users;
	if(!open)
		want = limit > 0 && customers >= limit && v.failures >= v.successes;
	else if(limit == 0 || 2 * customers < limit || v.successes > 2 * v.failures)
		want = 0;
	if(want == open
			|| !atomic_compare_exchange_strong_explicit(
					&b->open, &open, want, relaxed, relaxed))
		return false;
	atomic_store_explicit(&b->since, now, relaxed);
	return true;
}

bool ab_breaker_failure(struct ab_breaker *b, uint64_t source, uint64_t user,
		uint32_t limit, uint32_t now)
{
	struct ab_breaker_bucket *k = current(b, now);

	atomic_fetch_or_explicit(
			&k->sources, UINT64_C(1) << (source & 63), relaxed);
	atomic_fetch_or_explicit(&k->users, UINT64_C(1) << (user & 63), relaxed);
	atomic_fetch_add_explicit(&k->failures, 1, relaxed);
	return decide(b, limit, now);
}

bool ab_breaker_success(struct ab_breaker *b, uint32_t limit, uint32_t now)
{
	struct ab_breaker_bucket *k = current(b, now);

	atomic_fetch_add_explicit(&k->successes, 1, relaxed);
	return ab_breaker_is_open(b) && decide(b, limit, now);
}

bool ab_breaker_tick(struct ab_breaker *b, uint32_t limit, uint32_t now)
{
	current(b, now);
	return ab_breaker_is_open(b) && decide(b, limit, now);
}

bool ab_breaker_is_open(const struct ab_breaker *b)
{
	return atomic_load_explicit(&b->open, relaxed) != 0;
}

void ab_breaker_look(
		const struct ab_breaker *b, uint32_t now, struct ab_breaker_view *out)
{
	sum(b, out);
	out->open = ab_breaker_is_open(b);
	out->age = now - atomic_load_explicit(&b->since, relaxed);
	out->suspended = atomic_load_explicit(&b->suspended, relaxed);
}
