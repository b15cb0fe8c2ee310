/*
 * authban: how much of each source was blocked, roughly
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_blocked.h"

#define COUNT_BITS 24
#define COUNT_MAX ((UINT64_C(1) << COUNT_BITS) - 1)

#define relaxed memory_order_relaxed

static uint32_t lines_of(uint32_t slots)
{
	uint32_t lines = 1;

	while(lines < slots / AB_BLOCKED_LINE)
		lines *= 2;
	return lines;
}

size_t ab_blocked_bytes(uint32_t slots)
{
	return sizeof(struct ab_blocked)
		   + (size_t)lines_of(slots) * AB_BLOCKED_LINE * sizeof(uint64_t);
}

void ab_blocked_init(struct ab_blocked *b, uint32_t slots)
{
	b->lines = lines_of(slots);
	ab_blocked_clear(b);
}

void ab_blocked_clear(struct ab_blocked *b)
{
	size_t i;

	for(i = 0; i < (size_t)b->lines * AB_BLOCKED_LINE; i++)
		atomic_store_explicit(&b->slot[i], 0, relaxed);
}

/* The lower bits choose the line, the upper ones are kept. */
static size_t line_of(const struct ab_blocked *b, uint64_t hash)
{
	return (size_t)(hash & (b->lines - 1)) * AB_BLOCKED_LINE;
}

static uint64_t name_of(uint64_t hash)
{
	return hash & ~COUNT_MAX;
}

void ab_blocked_add(struct ab_blocked *b, uint64_t hash)
{
	_Atomic uint64_t *line = &b->slot[line_of(b, hash)], *least = line;
	uint64_t smallest = UINT64_MAX, new;
	unsigned i;

	for(i = 0; i < AB_BLOCKED_LINE; i++) {
		uint64_t now = atomic_load_explicit(&line[i], relaxed);

		if((now & COUNT_MAX) != 0 && name_of(now) == name_of(hash)) {
			if((now & COUNT_MAX) < COUNT_MAX)
				atomic_compare_exchange_strong_explicit(
						&line[i], &now, now + 1, relaxed, relaxed);
			return;
		}
		if((now & COUNT_MAX) < (smallest & COUNT_MAX)) {
			smallest = now;
			least = &line[i];
		}
	}
	new = (smallest & COUNT_MAX) == 0 ? name_of(hash) | 1 : smallest - 1;
	atomic_compare_exchange_strong_explicit(
			least, &smallest, new, relaxed, relaxed);
}

uint32_t ab_blocked_count(const struct ab_blocked *b, uint64_t hash)
{
	const _Atomic uint64_t *line = &b->slot[line_of(b, hash)];
	unsigned i;

	for(i = 0; i < AB_BLOCKED_LINE; i++) {
		uint64_t now = atomic_load_explicit(&line[i], relaxed);

		if((now & COUNT_MAX) != 0 && name_of(now) == name_of(hash))
			return (uint32_t)(now & COUNT_MAX) * AB_BLOCKED_SAMPLE;
	}
	return 0;
}
