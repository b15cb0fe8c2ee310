/*
 * authban: unit tests of counting different things in 32 bits
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_distinct.h"
#include "unit.h"

static uint32_t low_bits(unsigned n)
{
	return n < 32 ? (UINT32_C(1) << n) - 1 : UINT32_MAX;
}

/* ln(32 / empty) by its series, to nine places: sum of z^k / k. */
static double linear_counting(unsigned set)
{
	double z = set / 32.0, power = z, sum = 0;
	int k;

	for(k = 1; k < 5000; k++, power *= z)
		sum += power / k;
	return 32 * sum;
}

static void the_estimate_is_linear_counting(void **state)
{
	unsigned n;

	(void)state;
	for(n = 0; n < 32; n++)
		expect(ab_distinct_count(low_bits(n))
						== (uint32_t)(linear_counting(n) + 0.5),
				"%u bits", n);
	assert_int_equal(ab_distinct_count(UINT32_MAX), 111);
}

static void the_same_thing_counts_once(void **state)
{
	uint32_t map = ab_distinct_add(0, 12345);
	int i;

	(void)state;
	for(i = 0; i < 10; i++)
		map = ab_distinct_add(map, 12345);
	assert_int_equal(ab_distinct_count(map), 1);
	assert_int_equal(ab_distinct_count(0), 0);
}

static uint32_t map_of(struct rng *r, unsigned things)
{
	uint32_t map = 0;

	while(things-- > 0)
		map = ab_distinct_add(map, rng_next(r));
	return map;
}

static void merging_knows_no_order_and_no_repeat(void **state)
{
	struct rng r = rng_of(32);
	uint32_t at, i;

	(void)state;
	for(at = 0; at < 1000; at++) {
		uint32_t a = 0, b = 0, all = 0;

		unit_at.step = at;
		for(i = 0; i < 30; i++) {
			uint64_t thing = rng_next(&r);

			all = ab_distinct_add(all, thing);
			if(i % 3 != 0) /* a third is seen by both */
				a = ab_distinct_add(a, thing);
			if(i % 3 != 1)
				b = ab_distinct_add(b, thing);
		}
		expect((a | b) == all && (b | a) == all && ((a | b) | b) == all, " ");
	}
}

static void more_bits_never_mean_fewer_things(void **state)
{
	unsigned n;

	(void)state;
	for(n = 1; n <= 32; n++)
		assert_true(ab_distinct_count(low_bits(n))
					>= ab_distinct_count(low_bits(n - 1)));
}

static void up_to_forty_things_are_told_within_bounds(void **state)
{
	struct rng r = rng_of(40);
	unsigned n, i;

	(void)state;
	for(n = 1; n <= 40; n++) {
		double sum = 0, square = 0;

		for(i = 0; i < 4000; i++) {
			double off = (double)ab_distinct_count(map_of(&r, n)) - n;

			sum += off;
			square += off * off;
		}
		sum /= 4000;
		square /= 4000;
		unit_at.step = n;
		/* the bias below 5 %, the error that the header tells, and below */
		expect(sum < 0.5 + 0.05 * n && sum > -0.5 - 0.05 * n, "bias %g", sum);
		expect(square < (n <= 20 ? 3.2 * 3.2 : 9.5 * 9.5), "square %g", square);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(the_estimate_is_linear_counting),
			cmocka_unit_test(the_same_thing_counts_once),
			cmocka_unit_test(merging_knows_no_order_and_no_repeat),
			cmocka_unit_test(more_bits_never_mean_fewer_things),
			cmocka_unit_test(up_to_forty_things_are_told_within_bounds),
	};

	return cmocka_run_group_tests_name("distinct", tests, NULL, NULL);
}
