/*
 * authban: what happened lately, as a set of hashes with their times
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_recent.h"

#include <string.h>

#define TIME_MASK UINT64_C(0xffffff)
#define TRIES 4	 /* when others write the same line at the same time */
#define FRESH 64 /* a time is renewed when this part of the age has passed */

#define relaxed memory_order_relaxed

static uint32_t lines_of(uint32_t slots)
{
	uint32_t n = 1;

	while(n * AB_RECENT_LINE < slots && n < UINT32_C(1) << 27)
		n <<= 1;
	return n;
}

size_t ab_recent_bytes(uint32_t slots)
{
	return sizeof(struct ab_recent)
		   + (size_t)lines_of(slots) * AB_RECENT_LINE * sizeof(uint64_t);
}

void ab_recent_init(struct ab_recent *r, uint32_t slots)
{
	memset(r, 0, ab_recent_bytes(slots));
	r->lines = lines_of(slots);
}

static uint32_t age_of(uint64_t slot, uint32_t now)
{
	return (uint32_t)((now - slot) & TIME_MASK);
}

/* Never 0, which means a free slot. */
static uint64_t word_of(uint64_t hash, uint32_t now)
{
	uint64_t name = hash & ~TIME_MASK;

	return (name ? name : TIME_MASK + 1) | (now & TIME_MASK);
}

static size_t line_of(const struct ab_recent *r, uint64_t hash)
{
	return (size_t)(hash & (r->lines - 1)) * AB_RECENT_LINE;
}

/* One look at a line: the slot that holds the hash, or the one to replace. */
static bool look(const _Atomic uint64_t *line, uint64_t hash, uint32_t now,
		uint32_t seconds, unsigned *slot, uint64_t *old)
{
	uint64_t word = word_of(hash, 0);
	uint32_t best = 0;
	unsigned i;

	for(i = 0; i < AB_RECENT_LINE; i++) {
		uint64_t v = atomic_load_explicit(&line[i], relaxed);
		uint32_t age = v ? age_of(v, now) : UINT32_MAX;
		bool found = v && ((v ^ word) & ~TIME_MASK) == 0 && age < seconds;

		if(found || i == 0 || age > best) {
			best = age;
			*slot = i;
			*old = v;
		}
		if(found)
			return true;
	}
	return false;
}

static bool add(struct ab_recent *r, uint64_t hash, uint32_t now,
		uint32_t seconds, bool renew)
{
	_Atomic uint64_t *line = &r->slot[line_of(r, hash)];
	unsigned slot;
	uint64_t old;
	int i;

	for(i = 0; i < TRIES; i++) {
		bool found = look(line, hash, now, seconds, &slot, &old);

		if(found && (!renew || age_of(old, now) <= seconds / FRESH))
			return true;
		/* all who see the same line take the same slot, so of two workers with
		 * one hash the slower finds it at its next look */
		if(atomic_compare_exchange_strong_explicit(
				   &line[slot], &old, word_of(hash, now), relaxed, relaxed))
			return found;
	}
	return false;
}

bool ab_recent_seen(
		struct ab_recent *r, uint64_t hash, uint32_t now, uint32_t seconds)
{
	return add(r, hash, now, seconds, false);
}

bool ab_recent_touch(
		struct ab_recent *r, uint64_t hash, uint32_t now, uint32_t seconds)
{
	return add(r, hash, now, seconds, true);
}

void ab_recent_expect(const struct ab_recent *r, uint64_t hash)
{
	const _Atomic uint64_t *line = &r->slot[line_of(r, hash)];

	__builtin_prefetch(line);
	__builtin_prefetch(line + AB_RECENT_LINE / 2);
}

bool ab_recent_renew(struct ab_recent *r, uint64_t hash, uint32_t now,
		uint32_t seconds, uint32_t fresh)
{
	_Atomic uint64_t *line = &r->slot[line_of(r, hash)];
	unsigned slot;
	uint64_t old;
	int i;

	for(i = 0; i < TRIES; i++) {
		if(look(line, hash, now, seconds, &slot, &old)
				&& age_of(old, now) < fresh)
			return false;
		if(atomic_compare_exchange_strong_explicit(
				   &line[slot], &old, word_of(hash, now), relaxed, relaxed))
			return true;
	}
	return false;
}

/* Asked several times of each failure, and mostly for what is not there. */
bool ab_recent_has(const struct ab_recent *r, uint64_t hash, uint32_t now,
		uint32_t seconds)
{
	const _Atomic uint64_t *line = &r->slot[line_of(r, hash)];
	uint64_t word = word_of(hash, 0);
	unsigned i;

	for(i = 0; i < AB_RECENT_LINE; i++) {
		uint64_t v = atomic_load_explicit(&line[i], relaxed);

		if((v ^ word) <= TIME_MASK && age_of(v, now) < seconds)
			return true;
	}
	return false;
}

void ab_recent_put(struct ab_recent *r, uint64_t hash, uint32_t age,
		uint32_t now, uint32_t seconds)
{
	_Atomic uint64_t *line = &r->slot[line_of(r, hash)];
	unsigned slot;
	uint64_t old;
	int i;

	for(i = 0; i < TRIES; i++) {
		look(line, hash, now, seconds, &slot, &old);
		/* a young fact never gives way to an older one */
		if((old != 0 && age_of(old, now) <= age)
				|| atomic_compare_exchange_strong_explicit(&line[slot], &old,
						word_of(hash, now - age), relaxed, relaxed))
			return;
	}
}

void ab_recent_forget(
		struct ab_recent *r, uint64_t hash, uint32_t now, uint32_t seconds)
{
	_Atomic uint64_t *line = &r->slot[line_of(r, hash)];
	unsigned slot;
	uint64_t old;

	if(look(line, hash, now, seconds, &slot, &old))
		atomic_compare_exchange_strong_explicit(
				&line[slot], &old, 0, relaxed, relaxed);
}

void ab_recent_sweep(struct ab_recent *r, uint32_t part, uint32_t parts,
		uint32_t now, uint32_t seconds)
{
	size_t n = (size_t)r->lines * AB_RECENT_LINE;
	size_t i = n * (part % parts) / parts;
	size_t end = n * (part % parts + 1) / parts;

	for(; i < end; i++) {
		uint64_t v = atomic_load_explicit(&r->slot[i], relaxed);

		/* lost to a worker that has just taken the slot: the better */
		if(v && age_of(v, now) >= seconds)
			atomic_compare_exchange_strong_explicit(
					&r->slot[i], &v, 0, relaxed, relaxed);
	}
}

/* --- out of one set and into another --- */

#define TIME_BITS 24
#define LIST_LINES 4096 /* a call; 256 kB of memory */
#define SPREAD_MAX 256	/* lines that one fact may be put into */

size_t ab_recent_list(const struct ab_recent *r, uint32_t *at, uint32_t now,
		uint32_t seconds, struct ab_fact *out, size_t max)
{
	size_t n = 0;
	uint32_t line;
	unsigned i;

	for(line = 0;
			line < LIST_LINES && *at < r->lines && max - n >= AB_RECENT_LINE;
			line++, ++*at)
		for(i = 0; i < AB_RECENT_LINE; i++) {
			uint64_t v = atomic_load_explicit(
					&r->slot[(size_t)*at * AB_RECENT_LINE + i], relaxed);

			if(v && age_of(v, now) < seconds)
				out[n++] =
						(struct ab_fact){v >> TIME_BITS, *at, age_of(v, now)};
		}
	return n;
}

bool ab_recent_restore(struct ab_recent *r, uint32_t lines,
		const struct ab_fact *fact, uint32_t now, uint32_t seconds)
{
	uint32_t line;

	if(fact->age >= seconds || fact->name == 0 || fact->name >> (64 - TIME_BITS)
			|| fact->line >= lines || r->lines / lines > SPREAD_MAX)
		return false;
	/* lines < 2^24 in any set of ours, so a hash's lower bits hold one */
	for(line = fact->line & (r->lines - 1); line < r->lines; line += lines)
		ab_recent_put(
				r, fact->name << TIME_BITS | line, fact->age, now, seconds);
	return true;
}
