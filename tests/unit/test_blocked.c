/*
 * authban: how much of each source was blocked, roughly
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "unit.h"

#include "ab_blocked.h"

#include <stdio.h>
#include <stdlib.h>

static struct ab_blocked *table;

static int clear(void **state)
{
	(void)state;
	free(table);
	table = malloc(ab_blocked_bytes(AB_BLOCKED_SLOTS));
	assert_non_null(table);
	ab_blocked_init(table, AB_BLOCKED_SLOTS);
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(table);
	table = NULL;
	return 0;
}

static void add(uint64_t hash, unsigned n)
{
	while(n--)
		ab_blocked_add(table, hash);
}

/* The i-th hash of one line. */
static uint64_t in_line(unsigned i)
{
	return (uint64_t)(i + 1) << 40 | 5;
}

static void each_stands_for_a_sample(void **state)
{
	(void)state;
	assert_int_equal(ab_blocked_count(table, in_line(0)), 0);
	add(in_line(0), 3);
	add(in_line(1), 1);
	assert_int_equal(ab_blocked_count(table, in_line(0)), 48);
	assert_int_equal(ab_blocked_count(table, in_line(1)), 16);
	assert_int_equal(ab_blocked_count(table, in_line(2)), 0);
	ab_blocked_clear(table);
	assert_int_equal(ab_blocked_count(table, in_line(0)), 0);
}

/* A name that is 0 is a name. */
static void the_hash_0(void **state)
{
	(void)state;
	assert_int_equal(ab_blocked_count(table, 0), 0);
	add(0, 2);
	assert_int_equal(ab_blocked_count(table, 0), 32);
}

/* Many that send little wear away one that sends much by no more than one for each, and
 * those that a full line holds. */
static void who_sends_much_stays(void **state)
{
	unsigned i;

	(void)state;
	add(in_line(0), 5000);
	for(i = 1; i <= 4000; i++)
		add(in_line(i), 1);
	assert_in_range(ab_blocked_count(table, in_line(0)), 16 * 4000, 16 * 5000);
	/* of the others hardly any is left */
	assert_in_range(ab_blocked_count(table, in_line(7)), 0, 32);
}

static void a_late_one_gets_in(void **state)
{
	unsigned i;

	(void)state;
	for(i = 0; i < AB_BLOCKED_LINE; i++)
		add(in_line(i), 100);
	add(in_line(99), 3000);
	assert_in_range(ab_blocked_count(table, in_line(99)), 16 * 2000, 16 * 3000);
}

static void the_count_has_an_end(void **state)
{
	(void)state;
	add(in_line(0), 1);
	table->slot[5 * AB_BLOCKED_LINE] |= (1u << 24) - 1;
	add(in_line(0), 2);
	assert_int_equal(
			ab_blocked_count(table, in_line(0)), ((1u << 24) - 1) * 16);
	assert_int_equal(ab_blocked_count(table, in_line(1)), 0);
}

/* One of sixteen, and so for any pattern of senders. */
static void the_lot_is_fair(void **state)
{
	unsigned period, i;

	(void)state;
	for(period = 1; period <= 64; period *= 2) {
		unsigned turns = 0;

		for(i = 0; i < 160000; i++)
			turns += ab_blocked_turn((uint64_t)i * period);
		if(period == 1)
			printf("blocked: turns=%u of 160000\n", turns);
		assert_in_range(turns, 9500, 10500);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup(each_stands_for_a_sample, clear),
			cmocka_unit_test_setup(the_hash_0, clear),
			cmocka_unit_test_setup(who_sends_much_stays, clear),
			cmocka_unit_test_setup(a_late_one_gets_in, clear),
			cmocka_unit_test_setup(the_count_has_an_end, clear),
			cmocka_unit_test(the_lot_is_fair),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
