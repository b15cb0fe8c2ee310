/*
 * authban: the benchmark of addresses that were chosen to hurt
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: attack ADDRESSES
 *
 * crafted: IPv6 addresses whose texts all have one core_case_hash, hence one
 * slot of an htable of any size. adaptive: the attacker can time each answer,
 * and keeps the slowest tenth of what it has tried. Both against as many random
 * addresses, on authban's table and on an htable of 2^17 slots. Prints lines of
 * a name and a number; times are medians of several rounds, ratios are made
 * within a round.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 7
#define LOOKUPS 50000	/* of a fast table, in one round */
#define SLOW_LOOKUPS 40 /* of one that is under attack */
#define GROUPS 7		/* of three digits each, "abc:"; the eighth is fixed */
#define DIGITS3 3840	/* 0x100 .. 0xfff */
#define ORDERS 840		/* 7 * 6 * 5 * 4 */
#define CANDIDATES 17	/* tried for each that is kept: a million in all */
#define BEST_OF 5 /* an address is as slow as the fastest of so many lookups */

static uint32_t addresses;

static void say(const char *name, double value)
{
	printf("%s %.4f\n", name, value);
	fflush(stdout);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

/* --- addresses that share a hash --- */

/* What "abc:" adds to the hash of a text, by group. */
struct share
{
	uint32_t sum;
	uint16_t group;
};

static int by_sum(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	return (x->sum > y->sum) - (x->sum < y->sum);
}

static uint32_t sum_of(unsigned group)
{
	char text[8];
	uint32_t v;

	snprintf(text, sizeof(text), "%x:", group);
	v = ((uint32_t)text[0] << 24) + ((uint32_t)text[1] << 16)
		+ ((uint32_t)text[2] << 8) + (uint32_t)text[3];
	return v ^ v >> 3;
}

static void make_address(struct probe *p, const uint16_t group[GROUPS])
{
	uint8_t b[16] = {0};
	unsigned i;

	for(i = 0; i < GROUPS; i++) {
		b[2 * i] = (uint8_t)(group[i] >> 8);
		b[2 * i + 1] = (uint8_t)group[i];
	}
	b[14] = 0x01;
	b[15] = 0x11;
	ab_addr_from_v6(&p->addr, b);
	p->v4 = false;
	bench_text(p);
}

static const struct share *share_with(const struct share *all, uint32_t sum)
{
	struct share want = {sum, 0};

	return bsearch(&want, all, DIGITS3, sizeof(*all), by_sum);
}

/* Seven groups whose sum is the target; the last makes up for the others. */
static void find_groups(const struct share *all, uint32_t target, uint64_t *rng,
		uint16_t group[GROUPS])
{
	const struct share *last = NULL, *s;
	uint32_t sum;
	unsigned i;

	while(!last) {
		for(i = 0, sum = 0; i < GROUPS - 1; i++) {
			s = &all[bench_below(rng, DIGITS3)];
			group[i] = s->group;
			sum += s->sum;
		}
		last = share_with(all, target - sum);
	}
	group[GROUPS - 1] = last->group;
}

/* The order of the n-th of 840 choices of the first four out of seven: the
 * hash adds up, so any order will do, and these differ in their /64. */
static void reorder(unsigned n, uint16_t group[GROUPS])
{
	unsigned i, k;
	uint16_t g;

	for(i = 0; i < 4; i++) {
		k = i + n % (GROUPS - i);
		n /= GROUPS - i;
		g = group[i];
		group[i] = group[k];
		group[k] = g;
	}
}

static void craft(struct probe *out)
{
	static struct share all[DIGITS3];
	uint16_t group[GROUPS], order[GROUPS];
	uint32_t target = 0, found = 0;
	uint64_t rng = 7;
	unsigned i;

	for(i = 0; i < DIGITS3; i++) {
		all[i].sum = sum_of(0x100 + i);
		all[i].group = (uint16_t)(0x100 + i);
	}
	for(i = 0; i < GROUPS; i++)
		target += all[bench_below(&rng, DIGITS3)].sum;
	qsort(all, DIGITS3, sizeof(*all), by_sum);
	while(found < addresses) {
		find_groups(all, target, &rng, group);
		for(i = 0; i < ORDERS && found < addresses; i++) {
			memcpy(order, group, sizeof(order));
			reorder(i, order);
			make_address(&out[found++], order);
		}
	}
	for(i = 1; i < found; i++)
		if(bench_case_hash(out[i].text, out[i].len)
				!= bench_case_hash(out[0].text, out[0].len))
			exit(1);
}

static void make_random(struct probe *out, uint32_t n, uint32_t from)
{
	uint32_t i;

	for(i = 0; i < n; i++) {
		bench_probe(&out[i], from + i, false);
		bench_text(&out[i]);
	}
}

/* --- measuring --- */

static void *open_table(const struct subject *s, const struct probe *p,
		uint32_t capacity, uint32_t n)
{
	void *table = s->make(bench_share(s->bytes(capacity)), capacity);
	uint32_t i;

	for(i = 0; i < n; i++)
		s->add(table, &p[i], i % 2);
	return table;
}

/* Nanoseconds a lookup; dear tables get fewer of them. */
static double lookups(const struct subject *s, void *table,
		const struct probe *p, unsigned n, uint64_t *rng)
{
	uint64_t begin = bench_cpu_ns();
	unsigned i, banned = 0;

	for(i = 0; i < n; i++)
		banned += s->check(table, &p[bench_below(rng, addresses)]);
	if(banned > n)
		exit(1);
	return (double)(bench_cpu_ns() - begin) / n;
}

/* One kind of addresses in the table and asked for, against random ones in a
 * table of their own. */
static void compare(const char *name, const struct subject *s, void *bad_table,
		const struct probe *bad, void *good_table, const struct probe *good,
		unsigned n)
{
	double ns[ROUNDS], ratio[ROUNDS], base;
	char line[64];
	uint64_t rng = 3;
	int i;

	lookups(s, good_table, good, 5 * addresses, &rng);
	lookups(s, bad_table, bad, n * 5, &rng);
	for(i = 0; i < ROUNDS; i++) {
		base = lookups(s, good_table, good, LOOKUPS, &rng);
		ns[i] = lookups(s, bad_table, bad, n, &rng);
		ratio[i] = ns[i] / base;
	}
	snprintf(line, sizeof(line), "%s.%s.ns", name, s->name);
	say(line, median(ns, ROUNDS));
	snprintf(line, sizeof(line), "%s.%s.ratio", name, s->name);
	say(line, median(ratio, ROUNDS));
	snprintf(line, sizeof(line), "%s.%s.ratio_max", name, s->name);
	say(line, ratio[ROUNDS - 1]);
}

static uint32_t time_one(
		const struct subject *s, void *table, const struct probe *p)
{
	uint32_t best = UINT32_MAX, t;
	uint64_t begin;
	int i;

	for(i = 0; i < BEST_OF; i++) {
		begin = bench_ticks();
		if(s->check(table, p) && p->len > 100)
			exit(1);
		t = (uint32_t)(bench_ticks() - begin);
		if(t < best)
			best = t;
	}
	return best;
}

/* Nanoseconds of the slowest address: how far a lookup may have to go. The
 * thousandth part is left out: an interrupt may come five times. */
static double slowest(const struct subject *s, void *table,
		const struct probe *p, unsigned n, double per_ns)
{
	double *ns = malloc(n * sizeof(*ns)), worst;
	unsigned i;

	if(!ns)
		exit(1);
	for(i = 0; i < n; i++)
		ns[i] = time_one(s, table, &p[i]) / per_ns;
	qsort(ns, n, sizeof(*ns), by_value);
	worst = ns[n - 1 - n / 1000];
	free(ns);
	return worst;
}

static void crafted(const struct subject *s, const struct probe *bad,
		const struct probe *good, unsigned n)
{
	void *bad_table = open_table(s, bad, addresses, addresses);
	void *good_table = open_table(s, good, addresses, addresses);
	double per_ns = bench_ticks_per_ns();
	char line[64];

	compare("crafted", s, bad_table, bad, good_table, good, n);
	if(s != &bench_authban)
		return; /* how far a chain goes is told by the means */
	snprintf(line, sizeof(line), "slowest.%s.random", s->name);
	say(line, slowest(s, good_table, good, addresses, per_ns));
	snprintf(line, sizeof(line), "slowest.%s.crafted", s->name);
	say(line, slowest(s, bad_table, bad, addresses, per_ns));
}

struct timed
{
	uint32_t ticks, number;
};

static int slowest_first(const void *a, const void *b)
{
	const struct timed *x = a, *y = b;

	return (x->ticks < y->ticks) - (x->ticks > y->ticks);
}

/* Unlisted addresses; the slowest are kept. */
static void adaptive(void *table, struct probe *slow, struct probe *good)
{
	uint32_t n = addresses * CANDIDATES, from = 1u << 28, i;
	struct timed *t = malloc(n * sizeof(*t));
	struct probe p;

	if(!t)
		exit(1);
	for(i = 0; i < n; i++) {
		bench_probe(&p, from + i, false);
		t[i].number = from + i;
		t[i].ticks = time_one(&bench_authban, table, &p);
	}
	qsort(t, n, sizeof(*t), slowest_first);
	for(i = 0; i < addresses; i++)
		bench_probe(&slow[i], t[i].number, false);
	free(t);
	make_random(good, addresses, 3u << 28);
	compare("adaptive", &bench_authban, table, slow, table, good, LOOKUPS);
}

int main(int argc, char **argv)
{
	struct probe *bad, *good;
	void *table;

	if(argc != 2)
		return 2;
	addresses = (uint32_t)strtoul(argv[1], NULL, 10);
	bad = calloc(addresses, sizeof(*bad));
	good = calloc(addresses, sizeof(*good));
	if(!bad || !good)
		return 1;
	bench_pin(0);
	make_random(good, addresses, 0);
	table = open_table(&bench_authban, good, addresses, addresses);
	adaptive(table, bad, good);
	craft(bad);
	make_random(good, addresses, 0);
	say("addresses", addresses);
	crafted(&bench_authban, bad, good, LOOKUPS);
	crafted(&bench_htable17, bad, good, SLOW_LOOKUPS);
	return 0;
}
