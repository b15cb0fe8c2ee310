/*
 * authban: so many a second for each of many networks
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "unit.h"

#include "ab_rate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS 16384
#define BEGIN UINT64_C(1000000) /* ms */

static struct ab_rate *rate;

/* Shared with children of fork(). */
static void lay(uint32_t buckets, uint32_t per_second)
{
	if(!rate) {
		rate = mmap(NULL, ab_rate_bytes(BUCKETS), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		assert_true(rate != MAP_FAILED);
	}
	ab_rate_init(rate, buckets, per_second);
}

/* How many of `per_second` evenly spaced ones pass from `begin` on. */
static uint32_t pass(
		uint64_t hash, uint64_t begin, uint32_t seconds, uint32_t per_second)
{
	uint64_t i, n = (uint64_t)seconds * per_second;
	uint32_t passed = 0;

	for(i = 0; i < n; i++)
		passed += ab_rate_take(rate, hash, begin + i * 1000 / per_second);
	return passed;
}

/* 10,000/s for 10 s at limits of all kinds, also such that do not divide 1000. */
static void the_limit_is_exact(void **state)
{
	static const uint32_t limits[] = {
			1, 2, 3, 7, 10, 50, 99, 100, 333, 1000, 1001, 3000, 7777, 9000};
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(limits); i++) {
		uint32_t n = limits[i], passed;

		lay(BUCKETS, n);
		passed = pass(0xabcdef0123456789, BEGIN, 10, 10000);
		expect(passed <= 11 * n && passed + n / 100 + 1 >= 11 * n,
				"limit %u: %u passed in 10 s and a burst", n, passed);
		if(n == 50 || n == 7777)
			printf("limit %u: %u of 100000 in 10 s (%u and a burst of %u)\n", n,
					passed, 10 * n, n);
	}
}

/* After the burst each second lets through the limit, and 1 % at the most. */
static void each_second_is_exact(void **state)
{
	uint32_t second, n = 777, passed;

	(void)state;
	lay(BUCKETS, n);
	for(second = 0; second < 20; second++) {
		passed = pass(42, BEGIN + second * 1000, 1, 10000);
		expect(passed <= (second ? n + n / 100 : 2 * n), "second %u: %u passed",
				second, passed);
		expect(passed >= n - 1, "second %u: %u passed", second, passed);
	}
}

static void the_highest_limit_holds(void **state)
{
	uint32_t passed;

	(void)state;
	lay(BUCKETS, AB_RATE_MAX);
	passed = pass(42, BEGIN, 3, 1000000);
	expect(passed <= 4 * AB_RATE_MAX && passed >= 4 * AB_RATE_MAX - 1000,
			"%u passed", passed);
	assert_int_equal(pass(43, BEGIN, 3, AB_RATE_MAX), 3 * AB_RATE_MAX);
}

static void a_burst_is_one_second_at_most(void **state)
{
	uint32_t i, passed = 0, n = 25;

	(void)state;
	lay(BUCKETS, n);
	for(i = 0; i < 1000; i++)
		passed += ab_rate_take(rate, 42, BEGIN);
	assert_int_equal(passed, n);
	/* however long it rested */
	for(passed = 0, i = 0; i < 1000; i++)
		passed += ab_rate_take(rate, 42, BEGIN + 3600000);
	assert_int_equal(passed, n);
	/* half a second gives half of it back */
	for(passed = 0, i = 0; i < 1000; i++)
		passed += ab_rate_take(rate, 42, BEGIN + 3600500);
	assert_int_equal(passed, n / 2);
}

/* Who stays below the limit never waits. */
static void below_the_limit_all_pass(void **state)
{
	(void)state;
	lay(BUCKETS, 50);
	assert_int_equal(pass(42, BEGIN, 60, 50), 60 * 50);
	assert_int_equal(pass(43, BEGIN, 60, 7), 60 * 7);
}

/* A worker that has read the clock and then waited: no new tokens out of it. */
static void a_late_worker_makes_no_tokens(void **state)
{
	uint32_t i, passed = 0, n = 100;

	(void)state;
	lay(BUCKETS, n);
	for(i = 0; i < 1000; i++)
		passed += ab_rate_take(rate, 42, BEGIN + 5000);
	for(i = 0; i < 1000; i++)
		passed += ab_rate_take(rate, 42, BEGIN + 5000 - i);
	assert_int_equal(passed, n);
}

/* Times come round: an old bucket is a full one, at any distance. */
static void old_buckets_are_full(void **state)
{
	struct rng r = rng_of(3);
	uint32_t i, refused = 0;

	(void)state;
	lay(8, AB_RATE_MAX);
	for(i = 0; i < 20000; i++) {
		uint64_t now = BEGIN + rng_next(&r) % (UINT64_C(1) << 38);

		refused += !ab_rate_take(rate, 42, now);
	}
	/* a second's worth in a month: one in 2.8 million */
	expect(refused <= 1, "%u refused", refused);
}

/* A thousand networks at once, each at ten times its limit. */
static void networks_do_not_touch_each_other(void **state)
{
	static uint64_t hash[1000];
	struct rng r = rng_of(4);
	uint32_t i, ms, n = 10, passed = 0;

	(void)state;
	lay(BUCKETS, n);
	for(i = 0; i < COUNT_OF(hash); i++)
		hash[i] = rng_next(&r);
	for(ms = 0; ms < 5000; ms += 10)
		for(i = 0; i < COUNT_OF(hash); i++)
			passed += ab_rate_take(rate, hash[i], BEGIN + ms);
	expect(passed <= COUNT_OF(hash) * 6 * n
					&& passed >= COUNT_OF(hash) * 6 * n - COUNT_OF(hash),
			"%u of %zu passed", passed, COUNT_OF(hash) * 6 * n);
}

/* More networks than buckets: none gets more than its limit, and what all get is
 * bounded by the buckets. */
static void collisions_never_raise_a_limit(void **state)
{
	enum
	{
		NETS = 4000,
		FEW = 1024
	};
	static uint32_t passed[NETS];
	static uint64_t hash[NETS];
	struct rng r = rng_of(5);
	uint32_t i, ms, n = 5, most = 0, all = 0;

	(void)state;
	memset(passed, 0, sizeof(passed));
	for(i = 0; i < NETS; i++)
		hash[i] = rng_next(&r);
	lay(FEW, n);
	for(ms = 0; ms < 10000; ms += 50) {
		for(i = 0; i < NETS; i++)
			passed[i] += ab_rate_take(rate, hash[i], BEGIN + ms);
	}
	for(i = 0; i < NETS; i++) {
		most = passed[i] > most ? passed[i] : most;
		all += passed[i];
	}
	printf("%d networks on %d buckets, 4 times a limit of %u, 10 s: most of one"
		   " %u (alone %u), all %u (buckets' worth %u)\n",
			NETS, FEW, n, most, 11 * n, all, FEW * 11 * n);
	expect(all <= FEW * 11 * n, "%u passed", all);
}

/* Eight networks that keep their line in use, and a ninth that floods: it does not
 * drink out of all of them. */
static void a_ninth_network_of_a_line_gets_no_more(void **state)
{
	uint32_t i, ms, n = 10, passed = 0, others = 0;

	(void)state;
	lay(BUCKETS, n);
	for(ms = 0; ms < 10000; ms++) {
		for(i = 1; i <= AB_RATE_LINE && ms % 90 == 0; i++)
			others += ab_rate_take(rate, (uint64_t)i << 48 | 77, BEGIN + ms);
		passed += ab_rate_take(rate, UINT64_C(99) << 48 | 77, BEGIN + ms);
	}
	printf("a ninth network of a line, 1000/s for 10 s, limit %u: %u (the eight"
		   " others: %u of %u)\n",
			n, passed, others, AB_RATE_LINE * 112);
	expect(passed <= 12 * n, "%u passed", passed);
	/* seven of eight get their own, the one that shares less */
	expect(others >= 7 * 10 * n, "%u of the others passed", others);
}

/* What a flood of other networks costs one that stays below its limit. */
static void what_a_flood_of_networks_costs(void **state)
{
	static const uint32_t floods[] = {10000, 100000, 300000, 1000000};
	uint32_t n = 20, lost_at_100000 = 0;
	size_t f;

	(void)state;
	for(f = 0; f < COUNT_OF(floods); f++) {
		struct rng r = rng_of(6);
		uint32_t ms, i, asked = 0, lost = 0;

		lay(BUCKETS, n);
		for(ms = 0; ms < 3000; ms++) {
			for(i = 0; i < floods[f] / 1000; i++)
				ab_rate_take(rate, rng_next(&r), BEGIN + ms);
			/* a thousand phones a second, each of a network of its own */
			asked++;
			lost += !ab_rate_take(rate, rng_next(&r), BEGIN + ms);
		}
		printf("%u/s from random networks, limit %u: %u of %u others"
			   " suppressed\n",
				floods[f], n, lost, asked);
		if(floods[f] == 100000)
			lost_at_100000 = lost;
	}
	assert_int_equal(lost_at_100000, 0);
}

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Several processes on one bucket with the real clock. */
static void processes_share_one_limit(void **state)
{
	enum
	{
		PROCESSES = 6,
		MS = 600,
		LIMIT = 20000
	};
	uint32_t *passed = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t begin, took;
	uint32_t i, all = 0;
	pid_t pids[PROCESSES];
	int status;

	(void)state;
	assert_true(passed != MAP_FAILED);
	lay(BUCKETS, LIMIT);
	begin = clock_ms();
	for(i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if(pids[i] == 0) {
			uint64_t now;

			while((now = clock_ms()) < begin + MS)
				passed[i] += ab_rate_take(rate, 42, now);
			_exit(0);
		}
	}
	for(i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
		all += passed[i];
	}
	took = clock_ms() - begin;
	printf("%d processes, %u ms: %u passed of a limit of %u/s\n", PROCESSES,
			(unsigned)took, all, LIMIT);
	expect(all <= LIMIT + LIMIT * MS / 1000, "%u passed", all);
	expect(all >= (LIMIT + LIMIT * MS / 1000) * 99 / 100, "%u passed", all);
	munmap(passed, 4096);
}

static void one_in_k_slips(void **state)
{
	uint32_t i, slips = 0;

	(void)state;
	lay(BUCKETS, 1);
	for(i = 0; i < 100; i++)
		slips += ab_rate_slips(rate, 10);
	assert_int_equal(slips, 10);
	for(i = 0; i < 100; i++)
		slips += ab_rate_slips(rate, 0);
	assert_int_equal(slips, 10);
	assert_true(ab_rate_slips(rate, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(the_limit_is_exact),
			cmocka_unit_test(each_second_is_exact),
			cmocka_unit_test(the_highest_limit_holds),
			cmocka_unit_test(a_burst_is_one_second_at_most),
			cmocka_unit_test(below_the_limit_all_pass),
			cmocka_unit_test(a_late_worker_makes_no_tokens),
			cmocka_unit_test(old_buckets_are_full),
			cmocka_unit_test(networks_do_not_touch_each_other),
			cmocka_unit_test(collisions_never_raise_a_limit),
			cmocka_unit_test(a_ninth_network_of_a_line_gets_no_more),
			cmocka_unit_test(what_a_flood_of_networks_costs),
			cmocka_unit_test(processes_share_one_limit),
			cmocka_unit_test(one_in_k_slips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
