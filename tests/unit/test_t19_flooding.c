/*
 * authban: T19, sources chosen so that they share buckets
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The keys of an attacker who knows the hash key of another proxy (or of this
 * one, before its restart) are to him no better than random ones. Those of an
 * attacker who knows our own key are no slower either: a bucket has 8 slots, a
 * key two buckets, and there is nothing else to look at.
 * Times are ratios of minima over turns, with a wide limit: CI machines are busy.
 * AUTHBAN_LONG=1: a million keys; else a tenth.
 */
#include "unit.h"

/* to choose keys that share a bucket */
#include "ab_table_layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENTRIES 4096 /* the table that is attacked: 512 buckets */
#define TURNS 5
#define LIMIT 1.5 /* CI; the goal is 1.1 */

static const uint8_t other_key[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

struct keys
{
	struct ab_key *key;
	uint32_t n;
};

/* n addresses; bucket >= 0: only those whose first bucket in `t` it is. */
static struct keys choose(
		const struct ab_table *t, uint32_t n, int64_t bucket, uint64_t seed)
{
	struct keys k = {calloc(n, sizeof(*k.key)), 0};
	struct rng r = rng_of(seed);

	while(k.n < n) {
		struct ab_prefix p = {.len = 128};
		uint64_t bits = rng_next(&r);

		p.addr.b[0] = 0x20;
		memcpy(p.addr.b + 1, &bits, 7);
		p = ab_prefix_make(&p.addr, 64);
		k.key[k.n] = ab_key_source(&p);
		if(bucket < 0 || ab_spot_of(t->head, &k.key[k.n]).bucket[0] == bucket)
			k.n++;
	}
	return k;
}

static void restart_with(struct box *b, const uint8_t key[static 16])
{
	memset(b->map + b->guard, 0, b->bytes);
	ab_table_init(&b->table, b->map + b->guard, ENTRIES, key, b->table.owner);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static double time_of_failures(struct box *b, const struct keys *k)
{
	double begin = seconds();
	uint32_t i;

	for(i = 0; i < k->n; i++)
		box_fail(b, &k->key[i]);
	return seconds() - begin;
}

static double time_of_checks(struct box *b, const struct keys *k)
{
	double begin = seconds();
	uint32_t i;

	for(i = 0; i < k->n; i++)
		box_check(b, &k->key[i]);
	return seconds() - begin;
}

struct cost
{
	double fail, check; /* seconds, the least of all turns */
};

static void keep_least(double *least, double value)
{
	if(*least == 0 || value < *least)
		*least = value;
}

/* Crafted and random keys in turns, each in a table of its own content. */
static void measure(struct box *b, const uint8_t hash_key[static 16],
		const struct keys *sets[2], struct cost out[2])
{
	unsigned turn, s;

	memset(out, 0, 2 * sizeof(*out));
	for(turn = 0; turn < TURNS; turn++) {
		for(s = 0; s < 2; s++) {
			restart_with(b, hash_key);
			keep_least(&out[s].fail, time_of_failures(b, sets[s]));
			keep_least(&out[s].check, time_of_checks(b, sets[s]));
		}
	}
}

static void report(
		const char *what, uint32_t n, const struct cost crafted_random[2])
{
	const struct cost *c = &crafted_random[0], *r = &crafted_random[1];

	printf("T19 %s: keys=%u counting %.0f ns against %.0f ns (%.2fx), checking"
		   " %.0f ns against %.0f ns (%.2fx)\n",
			what, n, 1e9 * c->fail / n, 1e9 * r->fail / n, c->fail / r->fail,
			1e9 * c->check / n, 1e9 * r->check / n, c->check / r->check);
	expect(c->fail <= LIMIT * r->fail, "%s: counting", what);
	expect(c->check <= LIMIT * r->check, "%s: checking", what);
}

/* How many keys have the fullest bucket for their first. */
static uint32_t fullest(const struct box *b, const struct keys *k)
{
	uint32_t *n = calloc(b->table.head->buckets, sizeof(*n)), i, most = 0;

	for(i = 0; i < k->n; i++) {
		uint32_t at = ab_spot_of(b->table.head, &k->key[i]).bucket[0];

		if(++n[at] > most)
			most = n[at];
	}
	free(n);
	return most;
}

/* Of how many keys a bucket gets, rounded up: the root of the mean. */
static uint32_t deviation(uint32_t mean)
{
	uint32_t d = 0;

	while(d * d < mean)
		d++;
	return d;
}

static uint32_t count_of_keys(void)
{
	return getenv("AUTHBAN_LONG") ? 1000000 : 100000;
}

/* Every one of them in bucket 0 of a table with another hash key. */
static void keys_made_for_another_hash_key_are_as_good_as_random(void **state)
{
	static struct box b;
	uint32_t n = count_of_keys(), mean = n / (ENTRIES / SLOTS), there;
	struct keys crafted, random;
	const struct keys *sets[2] = {&crafted, &random};
	struct cost cost[2];

	(void)state;
	box_open(&b, ENTRIES);
	restart_with(&b, other_key);
	crafted = choose(&b.table, n, 0, 19);
	random = choose(&b.table, n, -1, 190);
	there = fullest(&b, &crafted);
	box_close(&b);
	box_open(&b, ENTRIES); /* our own key */
	printf("T19 keys=%u: for the key they were made for, %u share a bucket;"
		   " here at most %u, random ones %u (mean %u)\n",
			n, there, fullest(&b, &crafted), fullest(&b, &random), mean);
	assert_int_equal(there, n);
	assert_true(fullest(&b, &crafted) < mean + 6 * deviation(mean));
	measure(&b, b.table.head->key, sets, cost);
	report("another's hash key", n, cost);
	free(crafted.key);
	free(random.key);
	box_close(&b);
}

/* The worst case: the attacker reads our memory. */
static void keys_made_for_our_own_hash_key_cost_no_more(void **state)
{
	static struct box b;
	uint32_t n = count_of_keys();
	struct keys crafted, random;
	const struct keys *sets[2] = {&crafted, &random};
	struct ab_table_stats st;
	struct cost cost[2];
	uint8_t key[16];

	(void)state;
	box_open(&b, ENTRIES);
	memcpy(key, b.table.head->key, sizeof(key));
	crafted = choose(&b.table, n, 0, 19);
	random = choose(&b.table, n, -1, 190);
	measure(&b, key, sets, cost);
	restart_with(&b, key);
	time_of_failures(&b, &crafted);
	ab_table_get_stats(&b.table, &st);
	printf("T19 all in one bucket: entries=%u evictions=%llu slots looked at"
		   " for a key <= %d\n",
			st.entries, (unsigned long long)st.evictions, 2 * SLOTS);
	report("our own hash key", n, cost);
	free(crafted.key);
	free(random.key);
	box_close(&b);
}

/* A key is in one of its two buckets or nowhere, whatever came before. */
static void every_entry_is_in_one_of_its_two_buckets(void **state)
{
	static struct box b;
	const struct ab_table_head *h;
	uint32_t bucket, slot, seen = 0;
	struct keys crafted;

	(void)state;
	box_open(&b, ENTRIES);
	h = b.table.head;
	crafted = choose(&b.table, 20000, 0, 19);
	time_of_failures(&b, &crafted);
	for(bucket = 0; bucket < h->buckets; bucket++) {
		for(slot = 0; slot < SLOTS; slot++) {
			struct ab_spot at;
			struct ab_key key;

			if(ab_line_tag(&h->lines[bucket], slot) == 0)
				continue;
			ab_entry_key(ab_entry_at(h, bucket, slot), &key);
			at = ab_spot_of(h, &key);
			expect(at.bucket[0] == bucket || at.bucket[1] == bucket,
					"bucket %u slot %u", bucket, slot);
			seen++;
		}
	}
	printf("T19 entries=%u, each in one of its two buckets of %d\n", seen,
			SLOTS);
	assert_true(seen > 1000);
	free(crafted.key);
	box_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					keys_made_for_another_hash_key_are_as_good_as_random),
			cmocka_unit_test(keys_made_for_our_own_hash_key_cost_no_more),
			cmocka_unit_test(every_entry_is_in_one_of_its_two_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
