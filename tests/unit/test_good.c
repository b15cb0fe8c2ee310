/*
 * authban: unit tests of who has logged in from where
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "site.h"

#include <stdlib.h>

#define DAY 86400u

static struct ab_good good;

static int setup(void **state)
{
	(void)state;
	good.facts = malloc(ab_recent_bytes(SITE_FACTS));
	assert_non_null(good.facts);
	ab_recent_init(good.facts, SITE_FACTS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(good.facts);
	return 0;
}

static bool pair(const char *source, uint64_t user, uint32_t now)
{
	struct ab_prefix p = prefix_of(source);

	return ab_good_pair(&good, &p, user, now, DAY);
}

static bool shared(const char *source, uint32_t now)
{
	struct ab_prefix p = prefix_of(source);

	return ab_good_source(&good, &p, now, DAY);
}

static void a_success_makes_three_facts_and_no_others(void **state)
{
	struct ab_party who = site_party("192.0.2.1", 7), other = who;

	(void)state;
	assert_false(ab_good_success(&good, &who, 1000, DAY));
	assert_true(pair("192.0.2.1", 7, 1000));
	assert_true(shared("192.0.2.1", 1000));
	assert_true(ab_good_flow(&good, &who, 1000, DAY));
	assert_true(ab_good_success(&good, &who, 1001, DAY));
	/* another user, source, length of the source, flow */
	assert_false(pair("192.0.2.1", 8, 1001));
	assert_false(pair("192.0.2.2", 7, 1001));
	assert_false(pair("192.0.2.0/24", 7, 1001));
	assert_false(shared("192.0.2.2", 1001));
	assert_false(shared("2001:db8::/64", 1001));
	other.flow++;
	assert_false(ab_good_flow(&good, &other, 1001, DAY));
	other = who;
	other.user++;
	assert_false(ab_good_flow(&good, &other, 1001, DAY));
}

static void facts_last_for_good_time_after_the_last_success(void **state)
{
	struct ab_party who = site_party("192.0.2.1", 7);

	(void)state;
	ab_good_success(&good, &who, 1000, DAY);
	assert_true(pair("192.0.2.1", 7, 1000 + DAY - 1));
	assert_true(shared("192.0.2.1", 1000 + DAY - 1));
	ab_good_success(&good, &who, 1000 + DAY - 1, DAY);
	assert_true(pair("192.0.2.1", 7, 1000 + 2 * DAY - 2));
	assert_false(pair("192.0.2.1", 7, 1000 + 2 * DAY - 1));
	assert_false(shared("192.0.2.1", 1000 + 2 * DAY - 1));
	assert_false(ab_good_flow(&good, &who, 1000 + 2 * DAY - 1, DAY));
}

static void a_failure_takes_the_flow_and_nothing_else(void **state)
{
	struct ab_party who = site_party("192.0.2.1", 7), second = who;

	(void)state;
	second.flow = 77;
	ab_good_success(&good, &who, 1000, DAY);
	ab_good_success(&good, &second, 1000, DAY);
	ab_good_failure(&good, &who, 1001, DAY);
	assert_false(ab_good_flow(&good, &who, 1001, DAY));
	assert_true(ab_good_flow(&good, &second, 1001, DAY));
	assert_true(pair("192.0.2.1", 7, 1001));
	assert_true(shared("192.0.2.1", 1001));
}

static void nobody_and_no_flow_are_never_known(void **state)
{
	struct ab_party who = {prefix_of("192.0.2.1"), 7, 0};

	(void)state;
	ab_good_success(&good, &who, 1000, DAY);
	assert_false(ab_good_flow(&good, &who, 1000, DAY));
	assert_false(pair("192.0.2.1", 0, 1000));
	ab_good_failure(&good, &who, 1000, DAY);
	assert_true(pair("192.0.2.1", 7, 1000));
}

static void without_a_set_nobody_is_known(void **state)
{
	struct ab_good none = {.facts = NULL};
	struct ab_party who = site_party("192.0.2.1", 7);

	(void)state;
	assert_false(ab_good_success(&none, &who, 1000, DAY));
	ab_good_failure(&none, &who, 1000, DAY);
	assert_false(ab_good_pair(&none, &who.source, 7, 1000, DAY));
	assert_false(ab_good_source(&none, &who.source, 1000, DAY));
	assert_false(ab_good_flow(&none, &who, 1000, DAY));
}

/* Who fills the set makes strangers of customers, and nobody known. */
static void a_full_set_forgets_and_invents_nobody(void **state)
{
	struct rng r = rng_of(11);
	uint32_t i, kept = 0, invented = 0;

	(void)state;
	for(i = 0; i < 4 * SITE_FACTS; i++) {
		struct ab_party who = site_party("192.0.2.1", rng_next(&r) | 1);

		ab_good_success(&good, &who, 1000 + i / 16, DAY);
	}
	r = rng_of(11);
	for(i = 0; i < 4 * SITE_FACTS; i++)
		kept += pair("192.0.2.1", rng_next(&r) | 1, 3000);
	r = rng_of(12);
	for(i = 0; i < 4 * SITE_FACTS; i++)
		invented += pair("192.0.2.1", rng_next(&r) | 1, 3000);
	print_message("good: slots=%d logins=%d kept=%u invented=%u\n", SITE_FACTS,
			4 * SITE_FACTS, kept, invented);
	assert_in_range(kept, SITE_FACTS / 8, SITE_FACTS);
	assert_int_equal(invented, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(a_success_makes_three_facts_and_no_others),
			T(facts_last_for_good_time_after_the_last_success),
			T(a_failure_takes_the_flow_and_nothing_else),
			T(nobody_and_no_flow_are_never_known),
			T(without_a_set_nobody_is_known),
			T(a_full_set_forgets_and_invents_nobody),
	};

	return cmocka_run_group_tests_name("good", tests, NULL, NULL);
}
