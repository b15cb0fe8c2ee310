/*
 * authban: what happened lately
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "unit.h"

#include "ab_recent.h"

#include <stdlib.h>
#include <string.h>

static struct ab_recent *table;

static bool seen(uint64_t hash, uint32_t now)
{
	return ab_recent_seen(table, hash, now, AB_ATTEMPT_SECONDS);
}

static int clear(void **state)
{
	(void)state;
	free(table);
	table = malloc(ab_recent_bytes(AB_ATTEMPT_SLOTS));
	assert_non_null(table);
	ab_recent_init(table, AB_ATTEMPT_SLOTS);
	return 0;
}

static void an_answer_is_new_once(void **state)
{
	(void)state;
	assert_false(seen(0x123456789abcdef0, 1000));
	assert_true(seen(0x123456789abcdef0, 1000));
	assert_true(seen(0x123456789abcdef0, 1063));
	assert_false(seen(0x123456789abcdef0, 1064));
}

static void a_repeat_does_not_prolong_the_time(void **state)
{
	uint32_t now, fresh = 0;

	(void)state;
	for(now = 1000; now < 1000 + 10 * AB_ATTEMPT_SECONDS; now += 16)
		fresh += !seen(42ull << 24, now);
	assert_int_equal(fresh, 10);
}

static void other_answers_are_others(void **state)
{
	struct rng r = rng_of(7);
	uint32_t i, taken_for_seen = 0;

	(void)state;
	for(i = 0; i < 30000; i++)
		taken_for_seen += seen(rng_next(&r), 1000);
	assert_int_equal(taken_for_seen, 0);
}

/* The oldest gives way: what came last is still known in a full table. */
static void a_full_table_forgets_the_oldest(void **state)
{
	struct rng r = rng_of(8);
	uint64_t last[16];
	uint32_t i;

	(void)state;
	for(i = 0; i < 4 * AB_ATTEMPT_SLOTS; i++)
		seen(rng_next(&r), 1000 + i / 8192);
	for(i = 0; i < 16; i++) {
		last[i] = rng_next(&r);
		assert_false(seen(last[i], 1040));
	}
	for(i = 0; i < 16; i++)
		assert_true(seen(last[i], 1041));
}

static void a_touch_prolongs_the_time(void **state)
{
	uint32_t now;

	(void)state;
	assert_false(ab_recent_touch(table, 42, 1000, 86400));
	for(now = 1000; now < 1000 + 10 * 86400; now += 80000)
		assert_true(ab_recent_touch(table, 42, now, 86400));
	assert_true(ab_recent_has(table, 42, now, 86400));
	assert_false(ab_recent_has(table, 42, now + 86400, 86400));
	assert_false(ab_recent_has(table, 43ull << 24, now, 86400));
}

static void a_sweep_forgets_the_old_only(void **state)
{
	uint32_t i;

	(void)state;
	seen(1ull << 40, 1000);
	seen(2ull << 40, 2000);
	for(i = 0; i < 16; i++)
		ab_recent_sweep(table, i, 16, 2010, 500);
	/* the times have come round */
	assert_false(seen(1ull << 40, 1000 + (1u << 24) + 1));
	assert_true(ab_recent_has(table, 2ull << 40, 2010, 500));
}

static void zero_is_an_answer_too(void **state)
{
	(void)state;
	assert_false(seen(0, 0));
	assert_false(seen(1ull << 63, 0));
	assert_true(seen(1ull << 63, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup(an_answer_is_new_once, clear),
			cmocka_unit_test_setup(a_repeat_does_not_prolong_the_time, clear),
			cmocka_unit_test_setup(other_answers_are_others, clear),
			cmocka_unit_test_setup(a_full_table_forgets_the_oldest, clear),
			cmocka_unit_test_setup(a_touch_prolongs_the_time, clear),
			cmocka_unit_test_setup(a_sweep_forgets_the_old_only, clear),
			cmocka_unit_test_setup(zero_is_an_answer_too, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
