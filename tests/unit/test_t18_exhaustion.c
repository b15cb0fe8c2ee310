/*
 * authban: T18, more sources than the table has room for
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A botnet of random sources, one failure each, replaces the table's content
 * many times over. Meanwhile offenders guess in several styles, and must be banned at
 * the threshold all the same; bans that were there before must stay.
 * AUTHBAN_LONG=1: ten million sources at the default size; else a tenth.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#define THRESHOLD 5
#define BANS 1000
#define OFFENDERS_MAX 100
#define STYLES 4
#define SURE 3 /* of these, nobody may be forgotten */

/*
 * How an offender guesses: so often at once, then one guess every so many
 * seconds. In 26 seconds the strangers fill the whole table: who comes back for
 * the second guess later than that is forgotten, and printed only.
 */
static const struct style
{
	uint32_t at_once, pace;
} style[STYLES] = {{1, 1}, {1, 10}, {THRESHOLD - 1, 40}, {1, 40}};

struct offender
{
	struct ab_key key;
	uint32_t failed;
};

struct flood
{
	struct box box;
	struct rng rng;
	struct ab_key bans[BANS];
	struct offender offender[STYLES][OFFENDERS_MAX];
	uint32_t offenders; /* of each style, at any time */
	uint32_t next;		/* number of the next new offender */
	uint32_t done[STYLES],
			hit[STYLES]; /* offenders that had THRESHOLD guesses */
};

/* Any IPv4 or IPv6 address; offenders and bans are in 10.0.0.0/7 only. */
static struct ab_key random_source(struct rng *r)
{
	struct ab_prefix p = {.len = 128};
	uint64_t bits = rng_next(r);
	unsigned i;

	if(bits & 1) {
		struct ab_key key = key_v4(0);
		uint8_t v4[4] = {(uint8_t)(20 + (bits >> 56) % 200),
				(uint8_t)(bits >> 16), (uint8_t)(bits >> 24),
				(uint8_t)(bits >> 32)};

		ab_addr_from_v4(&key.addr, v4);
		return key;
	}
	p.addr.b[0] = 0x20;
	for(i = 1; i < 8; i++)
		p.addr.b[i] = (uint8_t)(bits >> (8 * i));
	p = ab_prefix_make(&p.addr, 64);
	return ab_key_source(&p);
}

/* One guess; after the fifth it is counted, and somebody new takes the place. */
static void guess(struct flood *f, unsigned p, unsigned n)
{
	struct offender *o = &f->offender[p][n];

	if(o->failed == 0)
		o->key = key_v4(f->next++);
	do
		box_fail(&f->box, &o->key);
	while(++o->failed < style[p].at_once);
	if(o->failed < THRESHOLD)
		return;
	f->done[p]++;
	f->hit[p] += box_check(&f->box, &o->key) == AB_STATE_BANNED;
	o->failed = 0;
}

/* A second: the offenders whose turn it is, then so many strangers. */
static void one_second(struct flood *f, uint32_t second, uint32_t strangers)
{
	unsigned p, n;

	for(p = 0; p < STYLES; p++)
		for(n = 0; n < f->offenders; n++)
			if((second + n) % style[p].pace == 0)
				guess(f, p, n);
	while(strangers-- > 0) {
		struct ab_key key = random_source(&f->rng);

		box_fail(&f->box, &key);
	}
	box_pass(&f->box, 1);
}

static uint32_t bans_kept(const struct flood *f)
{
	uint32_t n, kept = 0;

	for(n = 0; n < BANS; n++)
		kept += box_check(&f->box, &f->bans[n]) == AB_STATE_BANNED;
	return kept;
}

/* `rate` strangers a second, until there were `sources`. */
static void run(struct flood *f, uint32_t size, uint32_t sources, uint32_t rate)
{
	uint32_t n, second;

	box_open(&f->box, size);
	f->box.set.threshold = THRESHOLD;
	f->rng = rng_of(18);
	/* as many for each slot, so that their bans take the same part of it */
	f->offenders = size / (262144 / OFFENDERS_MAX);
	f->next = 1 << 16;
	for(n = 0; n < BANS; n++) {
		f->bans[n] = key_v4(n);
		assert_true(box_ban(&f->box, &f->bans[n], 86400).ok);
	}
	for(second = 0; second < sources / rate; second++) {
		one_second(f, second, rate);
		if(second % 16 == 0)
			expect(bans_kept(f) == BANS, "second %u", second);
	}
}

static void bans_and_offenders_outlast_a_flood_of_sources(void **state)
{
	static struct flood f;
	int full = getenv("AUTHBAN_LONG") != NULL;
	uint32_t size = full ? 262144 : 32768;
	uint32_t sources = full ? 10000000 : 1000000;
	struct ab_table_stats st;
	unsigned p;

	(void)state;
	run(&f, size, sources, size / 26);
	ab_table_get_stats(&f.box.table, &st);
	printf("T18 sources=%u slots=%u bytes=%zu grown=0 entries=%u "
		   "evictions=%llu "
		   "evicted_bans=%llu refused=%llu bans_kept=%u/%u\n",
			sources, st.capacity, f.box.bytes, st.entries,
			(unsigned long long)st.evictions,
			(unsigned long long)st.evicted_bans, (unsigned long long)st.refused,
			bans_kept(&f), BANS);
	for(p = 0; p < STYLES; p++)
		printf("T18 offenders, %u at once, then every %us: %u of %u banned at "
			   "guess %d"
			   " (%.3f%%)\n",
				style[p].at_once, style[p].pace, f.hit[p], f.done[p], THRESHOLD,
				100.0 * f.hit[p] / f.done[p]);
	assert_int_equal(bans_kept(&f), BANS);
	assert_int_equal(st.evicted_bans, 0);
	assert_true(st.entries <= st.capacity);
	assert_true(st.evictions > sources / 2);
	for(p = 0; p < SURE; p++)
		expect(f.done[p] > 0 && f.hit[p] >= 0.999 * f.done[p], "style %u", p);
	/* the pages around the block are as they were */
	box_close(&f.box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(bans_and_offenders_outlast_a_flood_of_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
