/*
 * authban: the benchmark of a flood of sources that nobody has seen before
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: flood v4|v6 SLOTS SOURCES
 *
 * A table with live bans (20 % of its slots) and sources with several failures (20 %)
 * meets SOURCES strangers, one failure each, SLOTS / 26 a second of the table's own time
 * (10,000 with the default size).
 * Among them offenders guess once a second, one after the other in each of TRIALS_AT_ONCE
 * places; a trial is good when the offender is banned by his THRESHOLD-th failure and
 * not before. Prints lines of a name and a number:
 *   kept_bans, kept_several   per cent of what was there before
 *   offenders, caught         trials; per cent of them that were good
 *   grown                     bytes by which the process has grown in the flood
 *   check_p99_ratio, count_p99_ratio
 *                             nanoseconds of the 99th percentile while strangers push each
 *                             other out, against those while the table still had room
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PART 20 /* per cent of the slots, bans and as many with several */
#define FULL_AFTER \
	26 /* seconds in which as many strangers come as there are slots */
#define THRESHOLD 8 /* as the default */
#define TRIALS_AT_ONCE 40
#define OFFENDERS_FROM 0x20000000u
#define FLOOD_FROM 0x40000000u
#define TIME_EVERY 16 /* one of so many operations */
#define SAMPLES (1u << 20)

struct times
{
	uint32_t n, ticks[SAMPLES];
};

struct offender
{
	uint32_t number, failures;
};

static struct ab_table table;
static struct ab_settings settings;
static struct ab_now now = {BENCH_NOW, UINT64_C(1800000000000)};
static bool v4;
static uint32_t slots, part;
static uint32_t trials, good;
static struct offender offender[TRIALS_AT_ONCE];
/* while there is room, and afterwards */
static struct times checks[2], counts[2];

static void say(const char *name, double value)
{
	printf("%s %.4f\n", name, value);
	fflush(stdout);
}

/* Bytes of this process's own memory, what it shares included. */
static double grown_to(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if(!f || fscanf(f, "%lu", &pages) != 1)
		exit(1);
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static struct ab_prefix source_of(uint32_t number)
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

static void fail(uint32_t number, uint32_t failures)
{
	struct ab_prefix source = source_of(number);
	struct ab_key key = ab_key_source(&source);
	struct ab_judge j = judge();
	struct ab_blow blow = {.weight = failures, .proof = AB_PROOF_TOKEN};
	struct ab_judgement out;

	ab_judge_failure(&j, &key, &blow, &out);
}

static bool is_banned(uint32_t number)
{
	struct ab_prefix source = source_of(number);

	return ab_table_check(&table, &source.addr, &source, now.mono).state
		   == AB_STATE_BANNED;
}

static bool has_several(uint32_t number)
{
	struct ab_prefix source = source_of(number);
	struct ab_key key = ab_key_source(&source);
	struct ab_view v;

	return ab_table_get(&table, &key, &settings, &now, &v) == 1
		   && v.failures >= 3;
}

static void keep(struct times *t, uint64_t begin)
{
	t->ticks[t->n++ % SAMPLES] = (uint32_t)(bench_ticks() - begin);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double p99(struct times *t)
{
	uint32_t n = t->n < SAMPLES ? t->n : SAMPLES;

	if(n == 0)
		exit(1);
	qsort(t->ticks, n, sizeof(t->ticks[0]), by_size);
	return t->ticks[(uint32_t)((n - 1) * 0.99)];
}

static void fill(void)
{
	struct ab_judgement out;
	uint32_t i;

	for(i = 0; i < part; i++) {
		struct ab_prefix source = source_of(i);
		struct ab_key key = ab_key_source(&source);
		struct ab_judge j = judge();

		ab_judge_ban(&j, &key, 100000, AB_REASON_OPERATOR, &out);
		fail(part + i, 3);
	}
}

/* A guess of each; who has had his trial makes room for the next. */
static void offenders_guess(uint32_t *next)
{
	unsigned i;

	for(i = 0; i < TRIALS_AT_ONCE; i++) {
		struct offender *o = &offender[i];
		bool early;

		if(o->failures == 0)
			o->number = (*next)++;
		early = o->failures > 0 && is_banned(o->number);
		fail(o->number, 1);
		if(++o->failures < THRESHOLD && !early)
			continue;
		trials++;
		good += !early && is_banned(o->number);
		o->failures = 0;
	}
}

static void stranger(uint32_t i, bool full, uint64_t *rng)
{
	uint64_t begin;

	if(i % TIME_EVERY) {
		fail(FLOOD_FROM + i, 1);
		return;
	}
	begin = bench_ticks();
	fail(FLOOD_FROM + i, 1);
	keep(&counts[full], begin);
	/* half of them banned ones, the others known by nobody */
	begin = bench_ticks();
	is_banned(i / TIME_EVERY % 2 ? bench_below(rng, part)
								 : (uint32_t)(*rng += 3) | 0x80000000u);
	keep(&checks[full], begin);
}

static void flood(uint32_t sources)
{
	struct ab_table_stats s;
	uint64_t rng = 5;
	uint32_t i, next = OFFENDERS_FROM, room = slots * (75 - 2 * PART) / 100;
	uint32_t rate = slots / FULL_AFTER;
	bool full = false;

	for(i = 0; i < sources; i++) {
		if(i % rate == 0) {
			offenders_guess(&next);
			now.mono++;
			now.cluster_ms += 1000;
		}
		if(i == room)
			full = true;
		stranger(i, full, &rng);
	}
	ab_table_get_stats(&table, &s);
	say("evictions", (double)s.evictions);
	say("evicted_bans", (double)s.evicted_bans);
}

static double kept(bool (*is)(uint32_t), uint32_t from)
{
	uint32_t i, n = 0;

	for(i = 0; i < part; i++)
		n += is(from + i);
	return 100.0 * n / part;
}

static void open_table(void)
{
	uint64_t seed = 1, key[2] = {bench_random(&seed), bench_random(&seed)};

	ab_table_init(&table, bench_share(ab_table_bytes(slots)), slots,
			(uint8_t *)key, (uint32_t)getpid());
	ab_settings_preset(&settings);
	settings.threshold = THRESHOLD;
	settings.window = 86400; /* nothing is forgotten for its age */
}

int main(int argc, char **argv)
{
	double before, per_ns;

	if(argc != 4) {
		fprintf(stderr, "usage: flood v4|v6 SLOTS SOURCES\n");
		return 2;
	}
	v4 = strcmp(argv[1], "v4") == 0;
	slots = (uint32_t)strtoul(argv[2], NULL, 10);
	part = slots * PART / 100;
	open_table();
	bench_pin(0);
	fill();
	before = grown_to();
	flood((uint32_t)strtoul(argv[3], NULL, 10));
	say("grown", grown_to() - before);
	say("kept_bans", kept(is_banned, 0));
	say("kept_several", kept(has_several, part));
	say("offenders", trials);
	say("caught", 100.0 * good / trials);
	per_ns = bench_ticks_per_ns();
	say("check_p99", p99(&checks[1]) / per_ns);
	say("count_p99", p99(&counts[1]) / per_ns);
	say("check_p99_ratio", p99(&checks[1]) / p99(&checks[0]));
	say("count_p99_ratio", p99(&counts[1]) / p99(&counts[0]));
	return 0;
}
