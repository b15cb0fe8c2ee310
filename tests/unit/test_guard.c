/*
 * authban: unit tests of what one failure does: docs/policy.md, "is banned when"
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "site.h"

#include <stdio.h>
#include <string.h>

#define ALICE 0xa11ce
#define BOB 0xb0b
#define HOME "192.0.2.1"

static struct site s;

static int setup(void **state)
{
	(void)state;
	site_open(&s);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	site_close(&s);
	return 0;
}

static void touched(const struct ab_findings *f, bool network, bool user,
		bool pair, bool source)
{
	assert_int_equal(f->entry[AB_FOUND_NETWORK].ok, network);
	assert_int_equal(f->entry[AB_FOUND_USER].ok, user);
	assert_int_equal(f->entry[AB_FOUND_PAIR].ok, pair);
	assert_int_equal(f->entry[AB_FOUND_SOURCE].ok, source);
}

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

/* Sources net1.. fail until the network is at a level: how many it took. */
static unsigned crowd_until(
		const char *net, const char *prefix, uint32_t more_than)
{
	unsigned n = 0;

	while(site_network(&s, net).users <= more_than && n < 100) {
		char source[64];

		snprintf(source, sizeof(source), "%s%u", prefix, ++n);
		site_fail(&s, source, 1000 + n, 1);
	}
	return n;
}

static void network(void **state)
{
	struct ab_findings f;
	unsigned n = crowd_until("192.0.2.0/24", "192.0.2.1", 8);

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
	crowd_until("192.0.2.0/24", "192.0.2.1", 12);
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

/* --- breaker, dry run, off, policies --- */

static void open_breaker(void)
{
	char source[64];
	unsigned n;

	for(n = 1; n <= 12; n++) {
		snprintf(source, sizeof(source), "172.20.%u.1", n);
		site_success(&s, source, 500 + n);
	}
	box_pass(&s.box, 60); /* successes of a minute ago weigh nothing */
	for(n = 1; n <= 12; n++) {
		snprintf(source, sizeof(source), "172.20.%u.1", n);
		site_fail(&s, source, 500 + n, 1);
	}
}

static void an_open_breaker_bans_nobody(void **state)
{
	struct ab_findings f;

	(void)state;
	open_breaker();
	assert_true(ab_breaker_is_open(&s.breaker));
	/* a stranger elsewhere is counted, and not banned */
	f = site_fail(&s, HOME, ALICE, 20);
	assert_true(f.suspended && !f.banned);
	assert_int_equal(site_source(&s, HOME).failures, 20);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_PASS);
	/* at a shared source nothing is counted */
	f = site_fail(&s, "172.20.1.1", ALICE, 20);
	assert_true(f.suspended);
	touched(&f, false, false, false, false);
	assert_true(s.breaker.suspended >= 40);
	/* closed by time: the next failure bans */
	box_pass(&s.box, 60);
	assert_true(ab_breaker_tick(&s.breaker, 10, s.box.now.mono));
	assert_true(site_fail(&s, HOME, ALICE, 1).banned);
}

static void breaker_0_bans_on(void **state)
{
	struct ab_findings f;

	(void)state;
	s.box.set.breaker = 0;
	open_breaker();
	assert_false(ab_breaker_is_open(&s.breaker));
	f = site_fail(&s, "172.20.1.1", 501, 7);
	assert_true(f.banned && !f.suspended);
}

/* One account of his own at many addresses stops nobody's bans. */
static void own_account_does_not_open_the_breaker(void **state)
{
	char source[64];
	unsigned n;

	(void)state;
	for(n = 1; n <= 40; n++) {
		snprintf(source, sizeof(source), "172.20.%u.1", n);
		site_success(&s, source, BOB);
	}
	box_pass(&s.box, 60);
	for(n = 1; n <= 40; n++) {
		snprintf(source, sizeof(source), "172.20.%u.1", n);
		site_fail(&s, source, BOB, 2);
	}
	assert_false(ab_breaker_is_open(&s.breaker));
}

static void dry_run_makes_entries_that_drop_nothing(void **state)
{
	struct ab_guard_answer a;
	struct ab_findings f;

	(void)state;
	s.box.set.mode = AB_MODE_DRY_RUN;
	f = site_fail(&s, HOME, ALICE, 8);
	assert_false(f.banned);
	assert_int_equal(f.entry[AB_FOUND_SOURCE].state, AB_STATE_DRY_RUN);
	a = site_check(&s, HOME);
	assert_int_equal(a.verdict, AB_GUARD_SOURCE);
	assert_true(a.dry);
	/* a pair */
	site_success(&s, "192.0.2.9", BOB);
	f = site_fail(&s, "192.0.2.9", ALICE, 8);
	assert_false(f.banned);
	assert_int_equal(f.entry[AB_FOUND_PAIR].state, AB_STATE_DRY_RUN);
	assert_int_equal(site_check(&s, "192.0.2.9").verdict, AB_GUARD_LOOK);
	a = site_look(&s, "192.0.2.9", ALICE);
	assert_int_equal(a.verdict, AB_GUARD_PAIR);
	assert_true(a.dry);
	assert_int_equal(site_look(&s, "192.0.2.9", BOB).verdict, AB_GUARD_PASS);
	/* a network */
	crowd_until("10.1.1.0/24", "10.1.1.", 12);
	assert_int_equal(site_network(&s, "10.1.1.0/24").state, AB_STATE_DRY_RUN);
	box_pass(&s.box, (uint32_t)s.box.set.pace);
	assert_int_equal(site_look(&s, "10.1.1.200", 1).verdict, AB_GUARD_PASS);
	a = site_look(&s, "10.1.1.201", 1);
	assert_int_equal(a.verdict, AB_GUARD_SOURCE);
	assert_true(a.dry);
}

static void a_policy_changes_source_and_pair_of_its_attempts(void **state)
{
	struct ab_guard g = site_guard(&s);
	struct ab_failure f = {.who = site_party(HOME, ALICE),
			.weight = 1,
			.proof = AB_PROOF_TOKEN,
			.policy = 1};
	const struct ab_setting *row;
	struct ab_findings out;
	const char *at;
	size_t len;
	int i;

	(void)state;
	ab_policies_add(
			&s.policies, "carrier: threshold=20, ban_time=60", &at, &len, &row);
	for(i = 1; i <= 20; i++) {
		ab_guard_failure(&g, &f, &out);
		assert_int_equal(out.banned, i == 20);
	}
	assert_int_equal(out.entry[AB_FOUND_SOURCE].view.policy, 1);
	assert_in_range(out.entry[AB_FOUND_SOURCE].view.ttl, 57, 60);
	/* the others' shares are judged by it too */
	f.who = site_party("192.0.2.2", ALICE);
	ab_guard_failure(&g, &f, &out);
	{
		struct ab_key key = key_of("192.0.2.2");
		struct ab_others o = {.wstart = BOX_CLUSTER_S, .count = {18, 0}};
		struct ab_judgement j;

		ab_guard_others(&g, &key, &o, &j);
		assert_false(j.news);
		o.count[0] = 19;
		ab_guard_others(&g, &key, &o, &j);
		assert_true(j.news);
	}
}

static void off_counts_on_and_bans_nobody(void **state)
{
	(void)state;
	s.box.set.mode = AB_MODE_OFF;
	assert_false(site_fail(&s, HOME, ALICE, 100).banned);
}

/* --- networks of sources --- */

static void networks_of_sources(void **state)
{
	static const struct
	{
		const char *source, *net; /* NULL: none */
	} row[] = {{"192.0.2.77", "192.0.2.0/24"},
			{"192.0.2.64/26", "192.0.2.0/24"}, {"192.0.2.0/24", NULL},
			{"192.0.0.0/16", NULL}, {"2001:db8:1:2::/64", "2001:db8:1::/48"},
			{"2001:db8:1:2::3", "2001:db8:1::/48"}, {"2001:db8:1::/48", NULL}};
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(row); i++) {
		struct ab_prefix p = prefix_of(row[i].source), net, want;
		bool has = ab_guard_network(&p, &net);

		assert_int_equal(has, row[i].net != NULL);
		if(!has)
			continue;
		want = prefix_of(row[i].net);
		assert_true(
				net.len == want.len && ab_addr_equal(&net.addr, &want.addr));
	}
}

static void ipv4_prefix_24_counts_no_network(void **state)
{
	struct ab_findings f = site_fail(&s, "192.0.2.0/24", ALICE, 1);

	(void)state;
	touched(&f, false, true, false, true);
	f = site_fail(&s, "192.0.2.0/24", ALICE, 7);
	assert_true(f.banned);
}

static void many_64_of_one_48_are_a_campaign(void **state)
{
	char source[64];
	unsigned n;

	(void)state;
	for(n = 1; site_network(&s, "2001:db8:7::/48").users <= 12; n++) {
		snprintf(source, sizeof(source), "2001:db8:7:%x::/64", n);
		site_fail(&s, source, 100 + n, 1);
	}
	assert_int_equal(
			site_network(&s, "2001:db8:7::/48").state, AB_STATE_BANNED);
	box_pass(&s.box, (uint32_t)s.box.set.pace);
	assert_int_equal(site_meets(&s, "2001:db8:7:aaaa::/64", 5), AB_GUARD_PASS);
	assert_int_equal(
			site_meets(&s, "2001:db8:7:aaab::/64", 5), AB_GUARD_SOURCE);
	assert_int_equal(site_meets(&s, "2001:db8:8:1::/64", 5), AB_GUARD_PASS);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(a_stranger_touches_source_network_and_user),
			T(a_stranger_at_a_shared_source_touches_pair_and_user),
			T(a_known_good_user_touches_only_his_pair_and_source),
			T(a_success_makes_no_entry_and_lowers_no_count),
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
			T(an_open_breaker_bans_nobody),
			T(breaker_0_bans_on),
			T(own_account_does_not_open_the_breaker),
			T(dry_run_makes_entries_that_drop_nothing),
			T(a_policy_changes_source_and_pair_of_its_attempts),
			T(off_counts_on_and_bans_nobody),
			T(networks_of_sources),
			T(ipv4_prefix_24_counts_no_network),
			T(many_64_of_one_48_are_a_campaign),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
