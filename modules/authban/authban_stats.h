/*
 * authban: counters in Kamailio's counter framework, group "authban"
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_STATS_H
#define AUTHBAN_STATS_H

#include "core/counters.h"

struct authban_counters
{
	counter_handle_t checked, blocked, failures, successes, malformed, unproven,
			bans, unbans, would_block, backend_errors, redis_errors, mismatches,
			retransmissions, pair_bans, campaigns, user_attacks,
			would_block_good, events_dropped, challenges_suppressed,
			expired_nonces;
};

extern struct authban_counters authban_counters;

/* Registers all counters; before the fork. 0, or -1 (logged). */
int authban_stats_init(void);

/* Every counter back to 0, and the numbers of what was blocked of each source. What is
 * so now (entries, bans, lag, breaker) stays. Returns how many counters. */
int authban_stats_reset(void);

#endif
