/*
 * authban: the memory benchmark: what a table holds, and what it keeps of it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: memory SLOTS        (a power of two)
 *
 * Prints lines of a name and a number. No time is measured here.
 */
#include "bench.h"

#include "ab_evidence.h"
#include "ab_feeds.h"
#include "ab_recent.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FLOOD_TIMES 10 /* the capacity */
#define FLOOD_FROM 0x40000000u

static struct ab_table table;
static struct ab_settings settings;
static void *memory;
static uint32_t slots;
static struct ab_now now;

static void say(const char *name, double value)
{
	printf("%s %.4f\n", name, value);
	fflush(stdout);
}

/* Each with its own random key, as each start of the module. */
static void open_table(bool clustered, uint64_t seed)
{
	uint64_t key[2];

	key[0] = bench_random(&seed);
	key[1] = bench_random(&seed);
	ab_table_init(&table, memory, slots, (uint8_t *)key, (uint32_t)getpid());
	ab_table_set_clustered(&table, clustered);
	ab_settings_preset(&settings);
	settings.threshold = INT_MAX;
	now.mono = BENCH_NOW;
	now.cluster_ms = UINT64_C(1800000000000);
}

static struct ab_prefix source_of(uint32_t number, bool v4)
{
	struct probe p;

	bench_probe(&p, number, v4);
	return ab_prefix_of_source(&p.addr, 32, 64);
}

static struct ab_judge judge(void)
{
	struct ab_judge j = {&table, &settings, now, 1, 1};

	return j;
}

static void fail(uint32_t number, bool v4, uint32_t failures)
{
	struct ab_prefix source = source_of(number, v4);
	struct ab_key key = ab_key_source(&source);
	struct ab_judge j = judge();
	struct ab_blow blow = {.weight = failures, .proof = AB_PROOF_TOKEN};
	struct ab_judgement out;

	ab_judge_failure(&j, &key, &blow, &out);
}

static void ban(uint32_t number, bool v4)
{
	struct ab_prefix source = source_of(number, v4);
	struct ab_key key = ab_key_source(&source);
	struct ab_judge j = judge();
	struct ab_judgement out;

	ab_judge_ban(&j, &key, 100000, AB_REASON_OPERATOR, &out);
}

static bool is_banned(uint32_t number, bool v4)
{
	struct ab_prefix source = source_of(number, v4);

	return ab_table_check(&table, &source.addr, &source, now.mono).state
		   == AB_STATE_BANNED;
}

static bool is_known(uint32_t number, bool v4, uint32_t failures)
{
	struct ab_prefix source = source_of(number, v4);
	struct ab_key key = ab_key_source(&source);
	struct ab_view v;

	return ab_table_get(&table, &key, &settings, &now, &v) == 1
		   && v.failures >= failures;
}

/* --- how full before something has to give way --- */

static uint64_t evictions(void)
{
	struct ab_table_stats s;

	ab_table_get_stats(&table, &s);
	return s.evictions;
}

/* Sources with several failures each, until the table has heard of as many as
 * it has slots. */
static void measure_fill(bool v4)
{
	static const unsigned percent[] = {50, 60, 70, 80, 90, 100};
	const char *family = v4 ? "v4" : "v6";
	char name[40];
	uint32_t i, at = 0;
	double first = 100;

	open_table(false, 1);
	for(i = 0; i < slots; i++) {
		fail(i, v4, 3);
		/* to ask is to walk the whole index */
		if(first == 100 && i % (slots / 1000) == 0 && evictions() > 0)
			first = 100.0 * (i + 1) / slots;
		if((uint64_t)(i + 1) * 100 >= (uint64_t)percent[at] * slots) {
			snprintf(name, sizeof(name), "%s.evicted_at_%u", family,
					percent[at++]);
			say(name, 100.0 * (double)evictions() / (i + 1));
		}
	}
	snprintf(name, sizeof(name), "%s.first_eviction_at", family);
	say(name, first);
}

/* Nothing but bans: which part of them finds no place. */
static void measure_bans(void)
{
	static const unsigned percent[] = {40, 60, 80};
	struct ab_table_stats s;
	char name[40];
	uint32_t i, at;

	open_table(false, 3);
	for(i = 0, at = 0; at < COUNT_OF(percent); i++) {
		ban(i, i & 1);
		if((uint64_t)(i + 1) * 100 < (uint64_t)percent[at] * slots)
			continue;
		ab_table_get_stats(&table, &s);
		snprintf(name, sizeof(name), "bans_lost_at_%u", percent[at++]);
		say(name, 100.0 * (double)s.evicted_bans / (i + 1));
	}
}

static void measure_bytes(void)
{
	say("bytes_per_source", (double)ab_table_bytes(slots) / (0.8 * slots));
	say("mbytes_1m_sources", (double)ab_table_bytes(1250000) / 1e6);
	say("mbytes_1m_slots", (double)ab_table_bytes(1u << 20) / 1e6);
	say("bytes_a_slot", (double)ab_table_bytes(262144) / 262144);
	say("bytes_a_fact", (double)ab_recent_bytes(262144) / 262144);
	say("bytes_an_offender", (double)ab_evidence_bytes(4096) / 4096);
	say("bytes_a_feed", (double)ab_feeds_bytes(131072) / 131072);
	say("mbytes_default", (double)ab_table_bytes(262144) / 1e6);
}

/* --- a flood of sources that nobody has seen before --- */

static void say_part(
		const char *what, const char *name, uint32_t kept, uint32_t of)
{
	char line[80];

	snprintf(line, sizeof(line), "%s.%s", what, name);
	say(line, 100.0 * kept / of);
}

enum cluster
{
	ALONE,
	NEVER_SENT, /* Redis was away all the time */
	CUT_OFF		/* Redis went away when the flood began */
};

/* Everything is told to the cluster, as the sync process would. */
static void send_all(void)
{
	struct ab_view out[64];
	size_t n, i;

	while((n = ab_table_take_dirty(&table, &settings, &now, out, COUNT_OF(out)))
			> 0)
		for(i = 0; i < n; i++)
			ab_table_settle(&table, &out[i].key, &settings, &now, true);
}

/* A part of the slots banned, as much with several failures, then the flood. */
static void measure_flood(
		const char *what, unsigned percent, enum cluster cluster)
{
	uint32_t n = (uint32_t)((uint64_t)slots * percent / 100), i;
	uint32_t bans = 0, several = 0;

	open_table(cluster != ALONE, 2);
	for(i = 0; i < n; i++) {
		ban(i, i & 1);
		fail(n + i, i & 1, 3);
	}
	if(cluster == CUT_OFF)
		send_all();
	for(i = 0; i < FLOOD_TIMES * slots; i++)
		fail(FLOOD_FROM + i, i & 1, 1);
	for(i = 0; i < n; i++) {
		bans += is_banned(i, i & 1);
		several += is_known(n + i, i & 1, 3);
	}
	say_part(what, "bans_kept", bans, n);
	say_part(what, "several_kept", several, n);
}

int main(int argc, char **argv)
{
	if(argc != 2) {
		fprintf(stderr, "usage: memory SLOTS\n");
		return 2;
	}
	slots = bench_power((uint32_t)strtoul(argv[1], NULL, 10));
	memory = bench_share(ab_table_bytes(slots));
	say("slots", slots);
	measure_bytes();
	measure_bans();
	measure_fill(true);
	measure_fill(false);
	measure_flood("flood20", 20, ALONE);
	measure_flood("flood45", 45, ALONE);
	measure_flood("flood20_unsent", 20, NEVER_SENT);
	measure_flood("flood20_cut_off", 20, CUT_OFF);
	return 0;
}
