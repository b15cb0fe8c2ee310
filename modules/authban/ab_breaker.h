/*
 * authban: no new bans while customers fail in numbers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An empty table, a dead RADIUS or a provider's mistake makes many known-good
 * sources fail within a minute; an attacker cannot, from sources where nobody has
 * logged in. Two buckets of AB_BREAKER_BUCKET seconds in shared memory, written
 * without a lock: a lost increment at the turn of a bucket moves the moment by one
 * failure and nothing else.
 */
#ifndef AB_BREAKER_H
#define AB_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define AB_BREAKER_BUCKET 30 /* seconds */

struct ab_breaker_bucket
{
	_Atomic uint64_t
			sources;		/* map of distinct known-good sources that failed */
	_Atomic uint64_t users; /* of the users that failed at them */
	_Atomic uint32_t failures, successes;
};

/* In shared memory, zeroed. */
struct ab_breaker
{
	_Atomic uint32_t turn;		/* number of the current bucket */
	_Atomic uint32_t open;		/* 1: no new bans */
	_Atomic uint32_t since;		/* monotonic seconds of the last change */
	_Atomic uint64_t suspended; /* failures that were not judged, ever */
	struct ab_breaker_bucket bucket[2]; /* by turn % 2 */
};

/* Figures for RPC. */
struct ab_breaker_view
{
	bool open;
	uint32_t age; /* seconds since it opened or closed */
	uint32_t sources, users, failures, successes;
	uint64_t suspended;
};

/*
 * Told of each failure of a known-good pair (`source`, `user`: keyed hashes) and of
 * each success. `limit`: distinct sources, and as many distinct users, open it: one
 * account from many addresses does not. 0: never. `now` in
 * monotonic seconds. Returns true when this call opened or closed it: tell it, once.
 */
bool ab_breaker_failure(struct ab_breaker *b, uint64_t source, uint64_t user,
		uint32_t limit, uint32_t now);
bool ab_breaker_success(struct ab_breaker *b, uint32_t limit, uint32_t now);

/* To be called now and then, so that it closes when nobody fails any more. */
bool ab_breaker_tick(struct ab_breaker *b, uint32_t limit, uint32_t now);

bool ab_breaker_is_open(const struct ab_breaker *b);

void ab_breaker_look(
		const struct ab_breaker *b, uint32_t now, struct ab_breaker_view *out);

#endif
