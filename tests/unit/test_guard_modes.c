/*
 * authban: unit tests of one failure under the breaker, in dry run, by a policy
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "guard.h"

#include <stdio.h>
#include <string.h>

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
	site_crowd_until(&s, "10.1.1.0/24", "10.1.1.", 12);
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

	return cmocka_run_group_tests_name("guard_modes", tests, NULL, NULL);
}
