/*
 * authban: so many a second for each of many networks
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_rate.h"

#include <string.h>

#define TOKEN 1000 /* of the clock's units, whatever the limit */
#define TIME_BITS 48
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define LATE 8	 /* seconds that `now` may be behind, and one */
#define TRIES 64 /* each lost one is another worker's token taken */

#define relaxed memory_order_relaxed

static uint32_t lines_of(uint32_t buckets)
{
	uint32_t n = 1;

	while(n * AB_RATE_LINE < buckets && n < UINT32_C(1) << 27)
		n <<= 1;
	return n;
}

size_t ab_rate_bytes(uint32_t buckets)
{
	return sizeof(struct ab_rate)
		   + (size_t)lines_of(buckets) * AB_RATE_LINE * sizeof(uint64_t);
}

void ab_rate_init(struct ab_rate *r, uint32_t buckets, uint32_t per_second)
{
	memset(r, 0, ab_rate_bytes(buckets));
	r->lines = lines_of(buckets);
	r->per_second = per_second;
}

/*
 * What is missing from a bucket, 0 to a second's worth; more for a worker whose
 * `now` is old by the time it is used. Times come round after a month at the
 * highest limit: what seems to lie further ahead than that is old, and the bucket
 * full.
 */
static uint64_t debt_of(const struct ab_rate *r, uint64_t word, uint64_t clock)
{
	uint64_t ahead = (word - clock) & TIME_MASK;

	return ahead <= (uint64_t)r->per_second * TOKEN * LATE ? ahead : 0;
}

static uint64_t tag_of(uint64_t hash)
{
	return hash & ~TIME_MASK;
}

/* The network's bucket; else the first full one of its line, which is its own from
 * now on; else the one that it has to share, always the same. */
static unsigned look(const struct ab_rate *r, const _Atomic uint64_t *line,
		uint64_t hash, uint64_t clock, uint64_t *word)
{
	unsigned i, best = (unsigned)(hash >> TIME_BITS) % AB_RATE_LINE;
	uint64_t seen[AB_RATE_LINE];
	bool full = false;

	for(i = 0; i < AB_RATE_LINE; i++) {
		bool used;

		seen[i] = atomic_load_explicit(&line[i], relaxed);
		used = debt_of(r, seen[i], clock) > 0;
		if(used && tag_of(seen[i]) == tag_of(hash)) {
			best = i;
			break;
		}
		if(!used && !full) {
			best = i;
			full = true;
		}
	}
	*word = seen[best];
	return best;
}

bool ab_rate_take(struct ab_rate *r, uint64_t hash, uint64_t now_ms)
{
	uint64_t clock = now_ms * r->per_second;
	_Atomic uint64_t *line =
			&r->bucket[(size_t)(hash & (r->lines - 1)) * AB_RATE_LINE];
	int i;

	for(i = 0; i < TRIES; i++) {
		uint64_t old, debt, tag;
		unsigned at = look(r, line, hash, clock, &old);

		debt = debt_of(r, old, clock);
		if(debt + TOKEN > (uint64_t)r->per_second * TOKEN)
			return false;
		tag = tag_of(debt > 0 ? old : hash);
		if(atomic_compare_exchange_strong_explicit(&line[at], &old,
				   tag | ((clock + debt + TOKEN) & TIME_MASK), relaxed,
				   relaxed))
			return true;
	}
	return false;
}

bool ab_rate_slips(struct ab_rate *r, uint32_t every)
{
	uint32_t n = atomic_fetch_add_explicit(&r->refused, 1, relaxed) + 1;

	return every > 0 && n % every == 0;
}
