/*
 * authban: unit tests of the sliding window
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_window.h"
#include "unit.h"

static void windows_are_cut_at_multiples_of_their_length(void **state)
{
	(void)state;
	assert_int_equal(ab_window_start(0, 600), 0);
	assert_int_equal(ab_window_start(599, 600), 0);
	assert_int_equal(ab_window_start(600, 600), 600);
	assert_int_equal(ab_window_start(1234567, 1), 1234567);
	assert_int_equal(ab_window_start(UINT32_MAX, 86400),
			UINT32_MAX / 86400 * UINT32_C(86400));
}

static void ages_are_same_last_and_older(void **state)
{
	(void)state;
	assert_int_equal(ab_window_age(1200, 1200, 600), 0);
	assert_int_equal(ab_window_age(600, 1200, 600), 1);
	assert_int_equal(ab_window_age(0, 1200, 600), 2);
	assert_int_equal(ab_window_age(0, UINT32_MAX, 600), 2);
	/* the clock was set back */
	assert_int_equal(ab_window_age(1800, 1200, 600), 0);
	assert_int_equal(ab_window_age(UINT32_MAX, 0, 600), 0);
	/* the length was changed */
	assert_int_equal(ab_window_age(1100, 1200, 600), 1);
}

static void one_behind_the_cut_completes_those_just_before(void **state)
{
	uint32_t t, length;

	(void)state;
	for(length = 60; length <= 3600; length += 60)
		for(t = 2; t <= 30; t++) {
			/* t - 1 in the second before the cut, one in the first behind */
			expect(ab_window_estimate(1, t - 1, length, length, length) == t,
					"threshold %u, window %u", t, length);
			expect(ab_window_estimate(0, t - 1, length, length, length)
							== t - 1,
					"threshold %u, window %u", t, length);
		}
	assert_int_equal(ab_window_estimate(1, 7, 600, 601, 600), 8);
}

static void the_window_before_fades_in_a_straight_line(void **state)
{
	uint32_t passed, last = 601;

	(void)state;
	for(passed = 0; passed < 600; passed++) {
		uint32_t got = ab_window_estimate(0, 600, 0, passed, 600);

		assert_int_equal(got, 600 - passed);
		assert_true(got < last);
		last = got;
	}
	assert_int_equal(ab_window_estimate(0, 600, 0, 600, 600), 0);
	assert_int_equal(ab_window_estimate(9, 600, 0, 100000, 600), 9);
	/* rounded to the nearest */
	assert_int_equal(ab_window_estimate(0, 1, 0, 300, 600), 1);
	assert_int_equal(ab_window_estimate(0, 1, 0, 301, 600), 0);
}

static void a_clock_before_the_window_counts_all_of_both(void **state)
{
	(void)state;
	assert_int_equal(ab_window_estimate(3, 4, 6000, 100, 600), 7);
	assert_int_equal(ab_window_estimate(3, 4, UINT32_MAX, 0, 600), 7);
}

static void large_numbers_do_not_overflow(void **state)
{
	(void)state;
	assert_int_equal(
			ab_window_estimate(131070, 131070, 0, 0, 86400), 2 * 131070);
	assert_int_equal(ab_saturate16(65535, 0), 65535);
	assert_int_equal(ab_saturate16(65535, 1), 65535);
	assert_int_equal(ab_saturate16(1, 65533), 65534);
	assert_int_equal(ab_saturate16(UINT32_MAX, UINT32_MAX), 65535);
	assert_int_equal(ab_saturate16(UINT32_MAX, 1), 65535);
}

/* The bound of the header: at most 2T - 2 within one length, unseen. */
static void nobody_gets_2t_minus_1_into_one_length(void **state)
{
	const uint32_t length = 60, t = 8;
	uint32_t begin, second;

	(void)state;
	for(begin = 0; begin < length; begin++) {
		uint32_t cur = 0, prev = 0, start = 0, in_length = 0;

		/* as many as it takes not to be caught, as early as possible */
		for(second = begin; second < begin + length; second++) {
			if(ab_window_start(second, length) != start) {
				start = ab_window_start(second, length);
				prev = cur;
				cur = 0;
			}
			while(ab_window_estimate(cur + 1, prev, start, second, length)
					< t) {
				cur++;
				in_length++;
			}
		}
		expect(in_length <= 2 * t - 2, "from second %u: %u", begin, in_length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(windows_are_cut_at_multiples_of_their_length),
			cmocka_unit_test(ages_are_same_last_and_older),
			cmocka_unit_test(one_behind_the_cut_completes_those_just_before),
			cmocka_unit_test(the_window_before_fades_in_a_straight_line),
			cmocka_unit_test(a_clock_before_the_window_counts_all_of_both),
			cmocka_unit_test(large_numbers_do_not_overflow),
			cmocka_unit_test(nobody_gets_2t_minus_1_into_one_length),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
