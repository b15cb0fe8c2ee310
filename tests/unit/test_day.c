/*
 * authban: a day in the life of 20,000 phones: the report, and what must hold
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: test_day [SEED]
 */
#include "day.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static struct day the_day; /* large */
static uint64_t seed = 1;

static double hours(uint64_t ms)
{
	return (double)ms / 3600000.;
}

static void print_attackers(const struct day *d)
{
	uint64_t suspended = 0;
	unsigned i;

	printf("%-36s %9s %9s %7s %9s %5s %5s\n", "attacker", "guesses",
			"evaluated", "to ban", "banned at", "bans", "most");
	for(i = 0; i < GUESSERS; i++) {
		const struct attacker *a = &d->attacker[i];

		printf("%-36s %9llu %9llu %7llu %8.2fh %5u %5u\n", a->name,
				(unsigned long long)a->sent, (unsigned long long)a->evaluated,
				(unsigned long long)a->evaluated_before_ban,
				hours(a->first_ban), a->bans, a->round_most);
		suspended += a->in_suspension;
	}
	printf("most: in one round (/24) or minute, without the %llu while the"
		   " breaker was open\n\n",
			(unsigned long long)suspended);
}

static void print_drops(const struct day *d)
{
	static const char *const kinds[PHONE_KINDS] = {"alone", "NAT", "office",
			"customer", "mistyped", "beside an old one", "moved",
			"new in a NAT", "new, ports", "old, alone", "old, NAT",
			"old, beside"};
	unsigned i, k;

	printf("%-18s %9s %11s %12s %6s %9s %12s\n", "dropped requests", "source",
			"source pace", "network pace", "pair", "user pace", "longest wait");
	for(i = 0; i < PHONE_KINDS; i++) {
		printf("%-18s", kinds[i]);
		for(k = 0; k < DROP_CAUSES; k++)
			printf(" %*llu",
					k == 1	 ? 11
					: k == 2 ? 12
					: k == 3 ? 6
							 : 9,
					(unsigned long long)d->drops[i][k]);
		printf(" %10.0f s\n", (double)d->longest_wait[i] / 1000.);
	}
	printf("\n");
}

static void print_bans(const struct day *d)
{
	static const char *const kinds[AB_FOUND_COUNT] = {
			"network", "user", "pair", "source"};
	unsigned i, k;

	for(i = 0; i < AB_FOUND_COUNT; i++)
		for(k = 0; k < AB_REASON_COUNT; k++)
			if(d->bans[i][k])
				printf("bans: %s for %s %llu\n", kinds[i],
						ab_reason_name((enum ab_reason)k),
						(unsigned long long)d->bans[i][k]);
}

static void print_day(const struct day *d, double cpu)
{
	struct ab_table_stats st;
	uint64_t lost = 0, own = 0;
	unsigned i;

	for(i = 0; i < PHONE_KINDS; i++)
		lost += d->lost[i], own += d->lost_own[i];
	ab_table_get_stats(&d->b.table, &st);
	print_attackers(d);
	print_drops(d);
	printf("good requests %llu, served %llu; lapsed %llu, of these lost %llu, "
		   "in"
		   " the ban of their own pair %llu\n",
			(unsigned long long)d->requests, (unsigned long long)d->served,
			(unsigned long long)d->lapsed, (unsigned long long)lost,
			(unsigned long long)own);
	printf("beside the attackers in NATs: served %llu, dropped %llu\n",
			(unsigned long long)d->nat_served,
			(unsigned long long)d->nat_dropped);
	print_bans(d);
	printf("entries: at most %u, at the end %u; evictions %llu\n",
			d->most_entries, st.entries, (unsigned long long)st.evictions);
	printf("breaker: opened %u times, %.0f s in all\n", d->openings,
			(double)d->suspended_ms / 1000.);
	printf("core: %llu events, %.0f ns a look; CPU of all %.1f s\n",
			(unsigned long long)d->events,
			d->sampled ? (double)d->sampled_ns / (double)d->sampled : 0., cpu);
	fflush(stdout);
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6
		   + (double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6;
}

static int live(void **state)
{
	double before = cpu_seconds();

	(void)state;
	day_open(&the_day, seed);
	day_run(&the_day);
	print_day(&the_day, cpu_seconds() - before);
	return 0;
}

static int end(void **state)
{
	(void)state;
	day_close(&the_day);
	return 0;
}

/* Whose password is or was wrong that day. */
static bool had_wrong_one(enum phone_kind kind)
{
	return kind == PHONE_CUSTOMER || kind >= PHONE_OLD_ALONE;
}

/* A phone that failed on and on has a ban of its own for half of ban_time; the
 * registration of a few ends in it. */
static void no_good_phone_is_lost(void **state)
{
	unsigned i;

	(void)state;
	for(i = 0; i < PHONE_KINDS; i++) {
		/* one that waits for its turn in a network under attack */
		assert_in_range(the_day.lost[i], 0, i == PHONE_MOVED ? 1 : 0);
		assert_in_range(the_day.lost_own[i], 0, had_wrong_one(i) ? 6 : 0);
	}
}

/* Whoever has logged in from there is dropped never but for failures of his own. */
static void no_good_request_is_dropped(void **state)
{
	unsigned i, k;

	(void)state;
	for(i = 0; i < PHONE_KINDS; i++)
		for(k = 0; k < DROP_CAUSES; k++)
			if(k != DROP_PAIR || !had_wrong_one(i))
				assert_int_equal(the_day.drops_known[i][k], 0);
	/* T15: beside attackers */
	assert_int_equal(the_day.nat_dropped, 0);
	assert_true(the_day.nat_served > 1000);
}

/* Who is not known there, or had a wrong password. */
static void nobody_waits_long(void **state)
{
	static const enum phone_kind never[] = {
			PHONE_ALONE, PHONE_OFFICE, PHONE_MISTYPED};
	unsigned i, k;

	(void)state;
	for(i = 0; i < COUNT_OF(never); i++)
		for(k = 0; k < DROP_CAUSES; k++)
			assert_int_equal(the_day.drops[never[i]][k], 0);
	/* half of ban_time for phones that tried each 30 s, then one try */
	assert_in_range(the_day.longest_wait[PHONE_CUSTOMER], 1, SECONDS(340));
	assert_in_range(the_day.longest_wait[PHONE_MISTYPED], 1, SECONDS(70));
	/* a few of the phone's own tries, up to five minutes apart */
	assert_in_range(the_day.longest_wait[PHONE_MOVED], 0, SECONDS(920));
	assert_in_range(the_day.longest_wait[PHONE_NAT], 0, SECONDS(920));
	assert_in_range(the_day.longest_wait[PHONE_NEW], 0, SECONDS(100));
	/* one step (72 minutes, a sixteenth more), and one try */
	for(i = PHONE_OLD_ALONE; i < PHONE_KINDS; i++)
		assert_in_range(the_day.longest_wait[i], 1, SECONDS(4590 + 310));
}

static void attackers_are_stopped(void **state)
{
	const struct attacker *a = the_day.attacker;

	(void)state;
	/* long_threshold (20), and what leaks in 22 hours (18) */
	assert_in_range(a[GUESS_LOUD].evaluated, 8, 40);
	assert_in_range(a[GUESS_V6_SOURCE].evaluated, 8, 40);
	assert_int_equal(a[GUESS_LOUD].evaluated_before_ban, 8);
	assert_int_equal(a[GUESS_V6_SOURCE].evaluated_before_ban, 8);
	assert_in_range(a[GUESS_V4_NETWORK].round_most, 1, 60);
	assert_in_range(a[GUESS_SLOW].evaluated_before_ban, 1, 20);
	assert_in_range(a[GUESS_SLOW].evaluated, 1, 35);
	assert_in_range(a[GUESS_USER].round_most, 0, 1);
	/* a minute */
	assert_in_range(a[GUESS_NAT_USERS].round_most, 1, 40);
	assert_in_range(a[GUESS_NAT_ONE].round_most, 1, 40);
	assert_in_range(a[GUESS_NAT_PORTS].round_most, 1, 40);
	/* long_threshold, then one a failed flow's ten minutes; or, by new ports, one a
	 * `pace` */
	assert_int_equal(a[GUESS_ACCOUNT].evaluated_before_ban, 20);
	assert_in_range(a[GUESS_ACCOUNT].evaluated, 20, 20 + 23 * 6);
	assert_int_equal(a[GUESS_ACCOUNT_PORTS].evaluated_before_ban, 20);
	assert_in_range(a[GUESS_ACCOUNT_PORTS].evaluated, 20, 20 + 23 * 61);
	assert_in_range(a[GUESS_NAT_PORTS].evaluated, 1, 12 * 61 + 20);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(no_good_phone_is_lost),
			cmocka_unit_test(no_good_request_is_dropped),
			cmocka_unit_test(nobody_waits_long),
			cmocka_unit_test(attackers_are_stopped),
	};

	if(argc > 1)
		seed = strtoull(argv[1], NULL, 10);
	return cmocka_run_group_tests_name("day", tests, live, end);
}
