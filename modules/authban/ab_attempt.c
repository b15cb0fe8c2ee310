/*
 * authban: one attempt counts once
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_attempt.h"

#define TIME_MASK UINT64_C(0xffffff)
#define TRIES 4 /* when others write the same line at the same time */

static uint32_t age_of(uint64_t slot, uint32_t now)
{
	return (uint32_t)((now - slot) & TIME_MASK);
}

/* One look at a line: found, or the slot to replace and what it holds. */
static bool look(_Atomic uint64_t *line, uint64_t hash, uint32_t now,
		unsigned *oldest, uint64_t *old)
{
	uint32_t best = 0;
	unsigned i;

	*oldest = 0;
	for(i = 0; i < AB_ATTEMPT_LINE; i++) {
		uint64_t v = atomic_load_explicit(&line[i], memory_order_relaxed);
		uint32_t age = v ? age_of(v, now) : UINT32_MAX;

		if(v && ((v ^ hash) & ~TIME_MASK) == 0 && age < AB_ATTEMPT_SECONDS)
			return true;
		if(i == 0 || age > best) {
			best = age;
			*oldest = i;
			*old = v;
		}
	}
	return false;
}

bool ab_attempt_seen(struct ab_attempts *a, uint64_t hash, uint32_t now)
{
	_Atomic uint64_t *line =
			&a->slot[hash % (AB_ATTEMPT_SLOTS / AB_ATTEMPT_LINE)
					 * AB_ATTEMPT_LINE];
	uint64_t made = (hash & ~TIME_MASK) | (now & TIME_MASK), old = 0;
	unsigned slot;
	int i;

	if(made == 0)
		made = TIME_MASK + 1;
	for(i = 0; i < TRIES; i++) {
		if(look(line, hash, now, &slot, &old))
			return true;
		/* all who see the same line take the same slot, so of two workers with
		 * one answer the slower finds it at its next look */
		if(atomic_compare_exchange_strong_explicit(&line[slot], &old, made,
				   memory_order_relaxed, memory_order_relaxed))
			return false;
	}
	return false;
}
