/*
 * authban: counters in Kamailio's counter framework, group "authban"
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each process adds in its own row, so counting costs no lock and no shared
 * cache line. Gauges are read from the table when somebody asks.
 */
#include "authban_stats.h"

#include "authban_blocked.h"
#include "authban_shared.h"

#include "core/dprint.h"

struct authban_counters authban_counters;

enum gauge
{
	GAUGE_ENTRIES,
	GAUGE_CAPACITY,
	GAUGE_BANNED,
	GAUGE_EVICTIONS,
	GAUGE_SYNC_LAG,
	GAUGE_BREAKER,
	GAUGE_SUSPENDED
};

static counter_val_t read_gauge(counter_handle_t h, void *param)
{
	const struct ab_table *t = authban_table();
	struct ab_table_stats stats;

	(void)h;
	ab_table_get_stats(t, &stats);
	switch((enum gauge)(long)param) {
		case GAUGE_ENTRIES:
			return stats.entries;
		case GAUGE_CAPACITY:
			return stats.capacity;
		case GAUGE_BANNED:
			return ab_table_banned(t, authban_now_mono());
		case GAUGE_EVICTIONS:
			return (counter_val_t)stats.evictions;
		case GAUGE_SYNC_LAG:
			return authban_sync_lag();
		case GAUGE_BREAKER:
			return ab_breaker_is_open(authban_guard_quick()->breaker);
		case GAUGE_SUSPENDED:
			return (counter_val_t)atomic_load(
					&authban_guard_quick()->breaker->suspended);
	}
	return 0;
}

#define COUNTER(name, text)                          \
	{                                                \
		&authban_counters.name, #name, 0, 0, 0, text \
	}
#define GAUGE(name, which, text)                                         \
	{                                                                    \
		0, name, CNT_F_NO_RESET, read_gauge, (void *)(long)(which), text \
	}

/* clang-format off */
static counter_def_t defs[] = {
	COUNTER(checked, "messages checked"),
	COUNTER(blocked, "messages of banned sources dropped"),
	COUNTER(failures, "failures counted"),
	COUNTER(successes, "successful authentications"),
	COUNTER(malformed, "malformed credentials counted as failures"),
	COUNTER(unproven, "credentials without proof of the source address"),
	COUNTER(bans, "bans that began, made here or heard of"),
	COUNTER(unbans, "bans that were lifted"),
	COUNTER(would_block, "messages that a ban would have dropped (dry_run)"),
	COUNTER(backend_errors, "well-formed credentials nobody could judge"),
	COUNTER(redis_errors, "failed exchanges with Redis"),
	COUNTER(mismatches, "right passwords under another From or To user"),
	COUNTER(retransmissions, "failures seen again and not counted again"),
	COUNTER(pair_bans, "bans of one user at a source where others log in"),
	COUNTER(campaigns, "networks that came under watch"),
	COUNTER(user_attacks, "users that came under watch"),
	COUNTER(would_block_good, "would_block, of sources where users had logged in"),
	GAUGE("breaker", GAUGE_BREAKER, "1: new bans are suspended"),
	GAUGE("suspended", GAUGE_SUSPENDED, "failures not judged by the breaker"),
	COUNTER(events_dropped, "events of which no route was told"),
	COUNTER(challenges_suppressed, "challenges above challenge_limit"),
	COUNTER(expired_nonces, "refusals taken for an expired nonce"),
	GAUGE("entries", GAUGE_ENTRIES, "entries in the table"),
	GAUGE("capacity", GAUGE_CAPACITY, "entries the table has room for"),
	GAUGE("banned", GAUGE_BANNED, "bans in the table now, of pairs and networks too"),
	GAUGE("evictions", GAUGE_EVICTIONS, "entries that gave way to others"),
	GAUGE("sync_lag_ms", GAUGE_SYNC_LAG, "age of the oldest unsent news"),
	{0, 0, 0, 0, 0, 0}
};
/* clang-format on */

int authban_stats_init(void)
{
	if(counter_register_array("authban", defs) >= 0)
		return authban_blocked_init();
	LM_ERR("cannot register the counters\n");
	return -1;
}

int authban_stats_reset(void)
{
	const counter_def_t *d;
	int n = 0;

	for(d = defs; d->name; d++) {
		if(!d->handle)
			continue;
		counter_reset(*d->handle);
		n++;
	}
	/* these are read elsewhere, so the counter framework cannot */
	ab_table_reset_stats(authban_table());
	atomic_store(&authban_guard_quick()->breaker->suspended, 0);
	authban_blocked_clear();
	return n + 2;
}
