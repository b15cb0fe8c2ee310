/*
 * authban: what is measured: nothing at all, and authban's own table
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "bench.h"

#include "ab_guard.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define BAN_SECONDS 100000u

/* --- the loop itself, which is taken off every mean --- */

static size_t noop_bytes(uint32_t sources)
{
	(void)sources;
	return 64;
}

static void *noop_make(void *mem, uint32_t sources)
{
	(void)sources;
	return mem;
}

static void noop_attach(void *table)
{
	(void)table;
}

static void noop_add(void *table, const struct probe *p, bool banned)
{
	(void)table;
	(void)p;
	(void)banned;
}

static bool noop_check(void *table, const struct probe *p)
{
	(void)table;
	return p->addr.b[0] == 0xff;
}

const struct subject bench_noop = {"noop", false, noop_bytes, noop_make,
		noop_attach, noop_add, noop_check, noop_check};
const struct subject bench_noop_text = {"noop-text", true, noop_bytes,
		noop_make, noop_attach, noop_add, noop_check, noop_check};

/* --- authban --- */

#define HANDLES 4
#define FACTS 65536

static struct ab_table handles[HANDLES]; /* of this process */
static unsigned handles_used;
static struct ab_settings settings;

/* 80 % full, before it is rounded up to a power of two */
static uint32_t slots_for(uint32_t sources)
{
	return sources + sources / 4;
}

static size_t authban_bytes(uint32_t sources)
{
	return ab_table_bytes(slots_for(sources));
}

static void authban_attach(void *table)
{
	struct ab_table *t = table;

	t->owner = (uint32_t)getpid();
}

static void *authban_make(void *mem, uint32_t sources)
{
	static const uint8_t key[16] = {
			9, 12, 3, 44, 5, 16, 7, 28, 9, 1, 11, 2, 13, 4, 15, 60};
	struct ab_table *t = &handles[handles_used++ % HANDLES];

	ab_table_init(t, mem, slots_for(sources), key, (uint32_t)getpid());
	ab_settings_preset(&settings);
	settings.threshold = INT_MAX; /* count for ever */
	settings.net_threshold = INT_MAX;
	return t;
}

static struct ab_prefix source_of(const struct probe *p)
{
	return ab_prefix_of_source(&p->addr, 32, 64);
}

static struct ab_judge judge(const struct ab_table *t)
{
	struct ab_judge j = {
			t, &settings, {BENCH_NOW, UINT64_C(1800000000000)}, 1, 1};

	return j;
}

/* An empty set of known-good facts; asked for each failure. */
static struct ab_recent *facts(void)
{
	static struct ab_recent *set;

	if(!set) {
		set = malloc(ab_recent_bytes(FACTS));
		if(set)
			ab_recent_init(set, FACTS);
	}
	return set;
}

/* One failure with every rule on: network, user, source; no success was ever seen. */
static bool authban_count(void *table, const struct probe *p)
{
	static struct ab_breaker breaker;
	struct ab_guard g = {.judge = judge(table),
			.good = {.facts = facts()},
			.breaker = &breaker};
	struct ab_failure f = {.who = {.source = source_of(p),
								   .user = 1 + p->addr.b[15],
								   .flow = 5060},
			.weight = 1,
			.proof = AB_PROOF_TOKEN};
	struct ab_findings found;

	ab_guard_failure(&g, &f, &found);
	return found.banned;
}

static void authban_add(void *table, const struct probe *p, bool banned)
{
	struct ab_prefix source = source_of(p);
	struct ab_key key = ab_key_source(&source);
	struct ab_judge j = judge(table);
	struct ab_blow blow = {.weight = 1, .proof = AB_PROOF_TOKEN};
	struct ab_judgement out;

	if(banned)
		ab_judge_ban(&j, &key, BAN_SECONDS, AB_REASON_OPERATOR, &out);
	else
		ab_judge_failure(&j, &key, &blow, &out);
}

static bool authban_check(void *table, const struct probe *p)
{
	struct ab_prefix source = source_of(p);

	return ab_table_check(table, &p->addr, &source, BENCH_NOW).state
		   == AB_STATE_BANNED;
}

const struct subject bench_authban = {"authban", false, authban_bytes,
		authban_make, authban_attach, authban_add, authban_check,
		authban_count};
