/*
 * authban: unit tests of what one failure does: docs/policy.md, "is banned when"
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "guard.h"

#include <stdio.h>
#include <string.h>

/* --- which entries --- */

static void a_stranger_touches_source_network_and_user(void **state)
{
	struct ab_findings f = site_fail(&s, HOME, ALICE, 1);

	(void)state;
	touched(&f, true, true, false, true);
	assert_false(f.good || f.shared || f.suspended || f.banned);
	f = site_fail(&s, HOME, 0, 1);
	touched(&f, true, false, false, true);
	assert_int_equal(site_network(&s, "192.0.2.0/24").failures, 2);
	assert_int_equal(site_network(&s, "192.0.2.0/24").users, 1);
	assert_int_equal(site_user(&s, ALICE).users, 1);
	assert_int_equal(site_source(&s, HOME).users, 1);
}

static void a_stranger_at_a_shared_source_touches_pair_and_user(void **state)
{
	struct ab_findings f;

	(void)state;
	site_success(&s, HOME, BOB);
	f = site_fail(&s, HOME, ALICE, 1);
	touched(&f, false, true, true, true);
	assert_true(f.shared && !f.good);
	assert_int_equal(site_pair(&s, HOME, ALICE).failures, 1);
	/* no user: a pair of its own */
	f = site_fail(&s, HOME, 0, 1);
	touched(&f, false, false, true, true);
	assert_int_equal(site_pair(&s, HOME, AB_USER_NOBODY).failures, 1);
}

static void a_known_good_user_touches_only_his_pair_and_source(void **state)
{
	struct ab_findings f;

	(void)state;
	site_success(&s, HOME, ALICE);
	f = site_fail(&s, HOME, ALICE, 1);
	touched(&f, false, false, true, true);
	assert_true(f.shared && f.good);
	/* and is not one of the users that fail there */
	assert_int_equal(site_source(&s, HOME).users, 0);
	assert_int_equal(site_source(&s, HOME).failures, 1);
}

static void a_success_makes_no_entry_and_lowers_no_count(void **state)
{
	(void)state;
	site_success(&s, HOME, ALICE);
	assert_int_equal(box_walk(&s.box), 0);
	site_fail(&s, HOME, ALICE, 3);
	site_success(&s, HOME, ALICE);
	assert_int_equal(site_source(&s, HOME).failures, 3);
	assert_int_equal(site_pair(&s, HOME, ALICE).failures, 3);
}

/* A bad phone, and a customer whose hash has the same bit in the map of 32: he does
 * not begin with its failures. */
static void a_pair_takes_over_nothing_of_another_pair(void **state)
{
	const uint64_t like_alice = ALICE + 32;

	(void)state;
	site_success(&s, HOME, BOB);
	site_fail(&s, HOME, ALICE, 7);
	site_fail(&s, HOME, like_alice, 1);
	assert_int_equal(site_pair(&s, HOME, ALICE).failures, 7);
	assert_int_equal(site_pair(&s, HOME, like_alice).failures, 1);
}

static void a_login_gives_nobody_his_failures_back(void **state)
{
	(void)state;
	site_fail(&s, HOME, ALICE, 7);
	site_success(&s, HOME, BOB);
	assert_true(site_fail(&s, HOME, ALICE, 1).banned);
}

/* --- sources --- */

static void threshold(void **state)
{
	struct ab_findings f = site_fail(&s, HOME, ALICE, 7);

	(void)state;
	assert_false(f.banned);
	f = site_fail(&s, HOME, ALICE, 1);
	assert_true(f.banned);
	assert_int_equal(f.entry[AB_FOUND_SOURCE].view.reason, AB_REASON_THRESHOLD);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_SOURCE);
	assert_false(site_fail(&s, HOME, ALICE, 1).banned); /* told once */
}

static void network(void **state)
{
	struct ab_findings f;
	unsigned n = site_crowd_until(&s, "192.0.2.0/24", "192.0.2.1", 8);

	(void)state;
	assert_in_range(n, 7, 10); /* an estimate */
	f = site_fail(&s, "192.0.2.200", 1, 1);
	assert_false(f.banned);
	f = site_fail(&s, "192.0.2.200", 1, 1);
	assert_true(f.banned);
	assert_int_equal(f.entry[AB_FOUND_SOURCE].view.reason, AB_REASON_NETWORK);
	/* not in the next network */
	assert_false(site_fail(&s, "192.0.3.200", 2, 7).banned);
	/* a shared source of it is no part of it */
	site_success(&s, "192.0.2.201", BOB);
	assert_false(site_fail(&s, "192.0.2.201", ALICE, 7).banned);
}

static void coming_under_watch_is_told_once(void **state)
{
	unsigned n, told = 0;

	(void)state;
	for(n = 1; n <= 10; n++) {
		char source[64];
		struct ab_judgement *j;
		struct ab_findings f;

		snprintf(source, sizeof(source), "192.0.2.%u", n);
		f = site_fail(&s, source, n, 1);
		j = &f.entry[AB_FOUND_NETWORK];
		told += j->crossed;
		assert_int_equal(j->level != AB_LEVEL_NONE, told);
	}
	assert_int_equal(told, 1);
}

static void user_attack(void **state)
{
	struct ab_findings f;

	(void)state;
	s.box.set.user_sources = 8;
	for(unsigned n = 1; site_user(&s, ALICE).users <= 8; n++) {
		char source[64];

		snprintf(source, sizeof(source), "10.%u.0.1", n);
		site_fail(&s, source, ALICE, 1);
	}
	f = site_fail(&s, "172.16.0.1", ALICE, 1);
	assert_false(f.banned);
	f = site_fail(&s, "172.16.0.1", ALICE, 1);
	assert_true(f.banned);
	assert_int_equal(
			f.entry[AB_FOUND_SOURCE].view.reason, AB_REASON_USER_ATTACK);
	/* other users have their full threshold */
	assert_false(site_fail(&s, "172.16.0.2", BOB, 7).banned);
	/* a pair too, but not that of a known-good user */
	site_success(&s, "172.16.1.1", BOB);
	f = site_fail(&s, "172.16.1.1", ALICE, 2);
	assert_true(f.entry[AB_FOUND_PAIR].news);
	assert_int_equal(f.entry[AB_FOUND_PAIR].view.reason, AB_REASON_PAIR);
	site_success(&s, "172.16.2.1", ALICE);
	assert_false(site_fail(&s, "172.16.2.1", ALICE, 7).banned);
}

static void slow(void **state)
{
	struct ab_findings f;
	unsigned n;

	(void)state;
	s.box.set.long_window = 86400;
	s.box.set.long_threshold = 20;
	for(n = 1; n < 20; n++) {
		assert_false(site_fail(&s, HOME, ALICE, 1).banned);
		box_pass(&s.box, 700); /* never two in a window */
	}
	f = site_fail(&s, HOME, ALICE, 1);
	assert_true(f.banned);
	assert_int_equal(f.entry[AB_FOUND_SOURCE].view.reason, AB_REASON_SLOW);
	assert_in_range(f.entry[AB_FOUND_SOURCE].view.failures, 1, 2);
	assert_int_equal(f.entry[AB_FOUND_SOURCE].view.slow, 20);
}

static void users_of_a_shared_source(void **state)
{
	struct ab_findings f;
	uint64_t user = 2;

	(void)state;
	site_success(&s, HOME, BOB);
	/* whatever they fail, five users ban their pairs only */
	while(site_source(&s, HOME).users < 5)
		f = site_fail(&s, HOME, ++user, 20);
	assert_int_equal(site_source(&s, HOME).state, AB_STATE_NONE);
	while(site_source(&s, HOME).users <= 5)
		f = site_fail(&s, HOME, ++user, 1);
	assert_true(f.banned);
	assert_int_equal(f.entry[AB_FOUND_SOURCE].view.reason, AB_REASON_USERS);
}

/* --- pairs --- */

static void pair(void **state)
{
	struct ab_findings f;

	(void)state;
	site_success(&s, HOME, BOB);
	assert_false(site_fail(&s, HOME, ALICE, 7).banned);
	f = site_fail(&s, HOME, ALICE, 1);
	assert_true(f.banned);
	assert_int_equal(f.entry[AB_FOUND_PAIR].view.reason, AB_REASON_PAIR);
	assert_in_range(f.entry[AB_FOUND_PAIR].view.ttl, 563, 600);
	assert_int_equal(f.entry[AB_FOUND_SOURCE].state, AB_STATE_NONE);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_PAIR);
	assert_int_equal(site_meets(&s, HOME, BOB), AB_GUARD_PASS);
	assert_int_equal(site_meets(&s, HOME, 7), AB_GUARD_PASS);
	/* within memory one failure is enough, and it doubles */
	box_pass(&s.box, 600);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_PASS);
	f = site_fail(&s, HOME, ALICE, 1);
	assert_true(f.banned);
	assert_in_range(f.entry[AB_FOUND_PAIR].view.ttl, 1125, 1200);
	box_pass(&s.box, 1200 + (uint32_t)s.box.set.memory + 1);
	site_success(&s, HOME, BOB);
	assert_false(site_fail(&s, HOME, ALICE, 1).banned);
}

/* An old password in a customer's phone. */
static void pair_of_a_known_good_user(void **state)
{
	struct ab_findings f;
	int i;

	(void)state;
	site_success(&s, HOME, ALICE);
	f = site_fail(&s, HOME, ALICE, 8);
	assert_true(f.banned);
	assert_int_equal(f.entry[AB_FOUND_PAIR].view.ttl, 300);
	assert_int_equal(site_look(&s, HOME, ALICE).verdict, AB_GUARD_PAIR);
	for(i = 0; i < 20; i++) { /* never longer */
		box_pass(&s.box, 300);
		f = site_fail(&s, HOME, ALICE, 1);
		assert_true(f.banned);
		assert_int_equal(f.entry[AB_FOUND_PAIR].view.ttl, 300);
	}
	assert_int_equal(site_source(&s, HOME).state, AB_STATE_NONE);
}

static void slow_pair(void **state)
{
	struct ab_findings f;
	unsigned n;

	(void)state;
	s.box.set.long_window = 86400;
	s.box.set.long_threshold = 20;
	for(n = 1; n <= 20; n++) {
		site_success(&s, HOME, BOB);
		f = site_fail(&s, HOME, ALICE, 1);
		assert_int_equal(f.banned, n == 20);
		box_pass(&s.box, 700);
	}
	assert_int_equal(f.entry[AB_FOUND_PAIR].view.reason, AB_REASON_SLOW);
}

/* --- crowds --- */

static void campaign(void **state)
{
	struct ab_view v;

	(void)state;
	site_crowd_until(&s, "192.0.2.0/24", "192.0.2.1", 12);
	v = site_network(&s, "192.0.2.0/24");
	assert_int_equal(v.state, AB_STATE_BANNED);
	assert_int_equal(v.reason, AB_REASON_CAMPAIGN);
	assert_int_equal(v.repeats, 1);
	assert_in_range(v.ttl, 563, 600);
	/* those who only failed once are not banned themselves */
	assert_int_equal(site_source(&s, "192.0.2.11").state, AB_STATE_NONE);
	/* under restriction strangers still have two, when they come in turn */
	assert_false(site_fail(&s, "192.0.2.250", 5, 1).banned);
	assert_true(site_fail(&s, "192.0.2.250", 5, 1).banned);
}

static void user_restricted(void **state)
{
	struct ab_view v;
	unsigned n;

	(void)state;
	for(n = 1; site_user(&s, ALICE).users <= 30; n++) {
		char source[64];

		snprintf(source, sizeof(source), "10.%u.0.1", n);
		site_fail(&s, source, ALICE, 1);
	}
	v = site_user(&s, ALICE);
	assert_int_equal(v.state, AB_STATE_BANNED);
	assert_int_equal(v.reason, AB_REASON_USER_ATTACK);
	print_message("guard: user restricted after %u sources\n", n - 1);
	assert_in_range(n - 1, 20, 40);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(a_stranger_touches_source_network_and_user),
			T(a_stranger_at_a_shared_source_touches_pair_and_user),
			T(a_known_good_user_touches_only_his_pair_and_source),
			T(a_success_makes_no_entry_and_lowers_no_count),
			T(a_pair_takes_over_nothing_of_another_pair),
			T(a_login_gives_nobody_his_failures_back),
			T(threshold),
			T(network),
			T(coming_under_watch_is_told_once),
			T(user_attack),
			T(slow),
			T(users_of_a_shared_source),
			T(pair),
			T(pair_of_a_known_good_user),
			T(slow_pair),
			T(campaign),
			T(user_restricted),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
