/*
 * authban: unit tests of what one message meets, unbans, news of others
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The rows are those of docs/policy.md, "One message".
 */
#include "guard.h"

#include <stdio.h>
#include <string.h>

#define PACE 60

/* BOB has logged in there, then six others fail: the source is banned. */
static void ban_shared(const char *source)
{
	uint64_t user = 5000;

	site_success(&s, source, BOB);
	while(!site_fail(&s, source, user++, 1).entry[AB_FOUND_SOURCE].news)
		assert_true(user < 5100);
}

static void restrict_network(const char *net, const char *prefix)
{
	char source[64];
	unsigned n = 0;

	while(site_network(&s, net).state != AB_STATE_BANNED) {
		snprintf(source, sizeof(source), "%s%u", prefix, ++n);
		site_fail(&s, source, 7000 + n, 1);
		assert_true(n < 100);
	}
}

static void restrict_user(uint64_t user)
{
	char source[64];
	unsigned n = 0;

	while(site_user(&s, user).state != AB_STATE_BANNED) {
		snprintf(source, sizeof(source), "10.%u.0.1", ++n);
		site_fail(&s, source, user, 1);
		assert_true(n < 200);
	}
}

static void nothing_known_passes_at_the_first_look(void **state)
{
	(void)state;
	assert_int_equal(site_check(&s, HOME).verdict, AB_GUARD_PASS);
	site_fail(&s, HOME, ALICE, 7);
	site_success(&s, "192.0.2.2", BOB);
	assert_int_equal(site_check(&s, HOME).verdict, AB_GUARD_PASS);
	assert_int_equal(site_check(&s, "192.0.2.2").verdict, AB_GUARD_PASS);
}

static void a_ban_of_an_operator_spares_nobody(void **state)
{
	static const char *const what[] = {HOME, "192.0.2.0/24", "192.0.0.0/16"};
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(what); i++) {
		struct ab_key key = key_of(what[i]);
		struct ab_guard_answer a;

		site_success(&s, HOME, BOB);
		box_ban(&s.box, &key, 600);
		a = site_check(&s, HOME);
		assert_int_equal(a.verdict, AB_GUARD_SOURCE);
		assert_false(a.dry);
		assert_int_equal(a.net.len, key.plen);
		site_unban(&s, what[i]);
		assert_int_equal(site_meets(&s, HOME, BOB), AB_GUARD_PASS);
	}
}

/* An automatic ban spares, and an operator's around it does not. */
static void an_operators_network_around_an_automatic_ban_counts(void **state)
{
	struct ab_key key = key_of("192.0.2.0/24");

	(void)state;
	ban_shared(HOME);
	assert_int_equal(site_meets(&s, HOME, BOB), AB_GUARD_PASS);
	box_ban(&s.box, &key, 600);
	assert_int_equal(site_check(&s, HOME).verdict, AB_GUARD_SOURCE);
	assert_int_equal(site_check(&s, HOME).net.len, 96 + 24);
}

static void a_banned_source_that_nobody_knows_is_dropped_at_once(void **state)
{
	(void)state;
	site_fail(&s, HOME, ALICE, 8);
	assert_int_equal(site_check(&s, HOME).verdict, AB_GUARD_SOURCE);
}

static void a_banned_shared_source_spares_its_known_users(void **state)
{
	(void)state;
	ban_shared(HOME);
	assert_int_equal(site_check(&s, HOME).verdict, AB_GUARD_LOOK);
	assert_int_equal(site_look(&s, HOME, BOB).verdict, AB_GUARD_PASS);
	/* strangers, and nobody in particular: not within `pace` of the ban */
	assert_int_equal(site_look(&s, HOME, ALICE).verdict, AB_GUARD_SOURCE);
	assert_int_equal(site_look(&s, HOME, 0).verdict, AB_GUARD_SOURCE);
	/* then one */
	box_pass(&s.box, PACE);
	assert_int_equal(site_look(&s, HOME, ALICE).verdict, AB_GUARD_PASS);
	assert_int_equal(site_look(&s, HOME, ALICE).verdict, AB_GUARD_SOURCE);
	assert_int_equal(site_look(&s, HOME, BOB).verdict, AB_GUARD_PASS);
	/* he logs in: the next may come at once, and he is known */
	site_success(&s, HOME, ALICE);
	assert_int_equal(site_look(&s, HOME, ALICE).verdict, AB_GUARD_PASS);
	assert_int_equal(site_look(&s, HOME, 77).verdict, AB_GUARD_PASS);
	assert_int_equal(site_look(&s, HOME, 78).verdict, AB_GUARD_SOURCE);
	/* one who is known refunds nothing */
	site_success(&s, HOME, ALICE);
	assert_int_equal(site_look(&s, HOME, 79).verdict, AB_GUARD_SOURCE);
}

/* Who logged in here is spared, whoever made the ban and whenever. */
static void a_source_banned_before_the_success_is_shared_all_the_same(
		void **state)
{
	(void)state;
	site_fail(&s, HOME, ALICE, 8);
	site_success(&s, HOME, BOB);
	assert_int_equal(site_check(&s, HOME).verdict, AB_GUARD_LOOK);
	assert_int_equal(site_look(&s, HOME, BOB).verdict, AB_GUARD_PASS);
	/* good_time later he is forgotten */
	s.box.set.good_time = 60;
	box_pass(&s.box, 61);
	assert_int_equal(site_check(&s, HOME).verdict, AB_GUARD_SOURCE);
}

static void a_restricted_network_lets_strangers_in_one_by_one(void **state)
{
	(void)state;
	restrict_network("192.0.2.0/24", "192.0.2.");
	assert_int_equal(site_check(&s, "192.0.2.200").verdict, AB_GUARD_LOOK);
	box_pass(&s.box, PACE);
	assert_int_equal(
			site_look(&s, "192.0.2.200", ALICE).verdict, AB_GUARD_PASS);
	assert_int_equal(
			site_look(&s, "192.0.2.201", BOB).verdict, AB_GUARD_SOURCE);
	assert_int_equal(
			site_look(&s, "192.0.2.200", ALICE).verdict, AB_GUARD_SOURCE);
	site_success(&s, "192.0.2.200", ALICE);
	/* the source is shared now, and the next stranger's turn has come */
	assert_int_equal(
			site_look(&s, "192.0.2.200", ALICE).verdict, AB_GUARD_PASS);
	assert_int_equal(site_look(&s, "192.0.2.200", 55).verdict, AB_GUARD_PASS);
	assert_int_equal(site_look(&s, "192.0.2.201", BOB).verdict, AB_GUARD_PASS);
	assert_int_equal(
			site_look(&s, "192.0.2.202", BOB).verdict, AB_GUARD_SOURCE);
	/* the network next to it knows nothing of that */
	assert_int_equal(site_look(&s, "192.0.3.1", BOB).verdict, AB_GUARD_PASS);
	/* in grace after an unban: no turns */
	site_fail(&s, "192.0.2.202", BOB, 1);
	assert_true(site_unban(&s, "192.0.2.202").ok);
	assert_int_equal(site_look(&s, "192.0.2.202", BOB).verdict, AB_GUARD_PASS);
	assert_int_equal(site_look(&s, "192.0.2.202", BOB).verdict, AB_GUARD_PASS);
}

static void a_banned_pair_is_dropped_but_for_its_flow(void **state)
{
	struct ab_guard g;
	struct ab_party who = site_party(HOME, ALICE);

	(void)state;
	site_success(&s, HOME, ALICE);
	site_fail(&s, HOME, ALICE, 8);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_PAIR);
	assert_int_equal(site_meets(&s, HOME, BOB), AB_GUARD_PASS);
	assert_int_equal(site_meets(&s, "192.0.2.2", ALICE), AB_GUARD_PASS);
	/* a second phone of the same user that works: its flow is known-good */
	who.flow = 4711;
	g = site_guard(&s);
	assert_int_equal(ab_guard_look(&g, &who).verdict, AB_GUARD_PAIR);
	ab_guard_success(&g, &who);
	assert_int_equal(ab_guard_look(&g, &who).verdict, AB_GUARD_PASS);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_PAIR);
}

static void a_user_under_attack_is_never_locked(void **state)
{
	(void)state;
	site_success(&s, HOME, ALICE);
	restrict_user(ALICE);
	assert_int_equal(site_check(&s, HOME).verdict, AB_GUARD_LOOK);
	assert_int_equal(site_look(&s, HOME, ALICE).verdict, AB_GUARD_PASS);
	assert_int_equal(site_look(&s, HOME, BOB).verdict, AB_GUARD_PASS);
	assert_int_equal(site_look(&s, "172.16.0.1", ALICE).verdict, AB_GUARD_PAIR);
	box_pass(&s.box, PACE);
	assert_int_equal(site_look(&s, "172.16.0.1", ALICE).verdict, AB_GUARD_PASS);
	assert_int_equal(site_look(&s, "172.16.0.2", ALICE).verdict, AB_GUARD_PAIR);
	/* somebody else elsewhere never waits */
	assert_int_equal(site_look(&s, "172.16.0.2", BOB).verdict, AB_GUARD_PASS);
	site_success(&s, "172.16.0.1", ALICE);
	assert_int_equal(site_look(&s, "172.16.0.2", ALICE).verdict, AB_GUARD_PASS);
}

/* --- unban --- */

static void an_unban_voids_bans_and_counts_of_pairs(void **state)
{
	struct ab_findings f;

	(void)state;
	site_success(&s, HOME, BOB);
	site_fail(&s, HOME, ALICE, 8);
	site_fail(&s, HOME, 77, 7);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_PAIR);
	box_pass(&s.box, 5);
	assert_true(site_unban(&s, HOME).ok);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_PASS);
	/* both have their full threshold again, and no repeats */
	f = site_fail(&s, HOME, ALICE, 7);
	assert_false(f.banned);
	assert_int_equal(site_pair(&s, HOME, ALICE).failures, 7);
	assert_false(site_fail(&s, HOME, 77, 7).banned);
	s.box.now.cluster_ms++; /* still within the second of the unban */
	f = site_fail(&s, HOME, ALICE, 1);
	assert_true(f.banned);
	assert_int_equal(f.entry[AB_FOUND_PAIR].view.repeats, 1);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_PAIR);
}

/* 7 failures here, the unban, then the others' 5 of before come late. */
static void late_news_of_a_pair_from_before_the_unban_ban_nobody(void **state)
{
	struct ab_prefix home = prefix_of(HOME);
	struct ab_key key = ab_key_pair(&home, ALICE);
	struct ab_others o = {.wstart = BOX_CLUSTER_S, .count = {5, 0}};
	struct ab_judgement j;
	struct ab_guard g;

	(void)state;
	site_success(&s, HOME, BOB);
	site_fail(&s, HOME, ALICE, 7);
	box_pass(&s.box, 5);
	site_unban(&s, HOME);
	box_pass(&s.box, 5);
	g = site_guard(&s);
	ab_guard_others(&g, &key, &o, &j);
	assert_false(j.news);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_PASS);
}

static void after_an_unban_the_networks_watch_does_not_matter(void **state)
{
	(void)state;
	restrict_network("192.0.2.0/24", "192.0.2.1");
	site_fail(&s, "192.0.2.200", ALICE, 2);
	assert_int_equal(site_source(&s, "192.0.2.200").state, AB_STATE_BANNED);
	site_unban(&s, "192.0.2.200");
	assert_false(site_fail(&s, "192.0.2.200", ALICE, 7).banned);
	assert_true(site_fail(&s, "192.0.2.200", ALICE, 1).banned);
}

static void an_unban_of_a_network_lifts_its_restriction(void **state)
{
	(void)state;
	restrict_network("192.0.2.0/24", "192.0.2.1");
	assert_true(site_unban(&s, "192.0.2.0/24").ok);
	assert_int_equal(site_network(&s, "192.0.2.0/24").state, AB_STATE_UNBANNED);
	assert_int_equal(site_check(&s, "192.0.2.200").verdict, AB_GUARD_PASS);
	assert_false(site_unban(&s, "192.0.3.0/24").ok);
}

static void dry_bans_of_pairs_are_void_after_an_unban_too(void **state)
{
	(void)state;
	s.box.set.mode = AB_MODE_DRY_RUN;
	site_success(&s, HOME, BOB);
	site_fail(&s, HOME, ALICE, 8);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_PAIR);
	box_pass(&s.box, 5);
	site_unban(&s, HOME);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_PASS);
}

/* --- news of other proxies --- */

static struct ab_change heard(uint8_t state, uint16_t reason)
{
	struct ab_change c = {.state = state,
			.proof = AB_PROOF_TOKEN,
			.reason = reason,
			.seconds = 600,
			.repeats = 1,
			.version = (s.box.now.cluster_ms + 1) << 16 | 9};

	return c;
}

static void a_ban_of_a_pair_that_was_heard_of_holds(void **state)
{
	struct ab_prefix home = prefix_of(HOME);
	struct ab_key key = ab_key_pair(&home, ALICE), source = key_of(HOME);
	struct ab_guard g = site_guard(&s);
	struct ab_change c = heard(AB_STATE_BANNED, AB_REASON_PAIR);
	struct ab_judgement j;

	(void)state;
	ab_guard_apply(&g, &key, &c, &j);
	assert_true(j.news);
	assert_int_equal(site_check(&s, HOME).verdict, AB_GUARD_LOOK);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_PAIR);
	assert_int_equal(site_meets(&s, HOME, BOB), AB_GUARD_PASS);
	/* and so does the unban of its source */
	box_pass(&s.box, 2);
	c = heard(AB_STATE_UNBANNED, AB_REASON_OPERATOR);
	g = site_guard(&s);
	ab_guard_apply(&g, &source, &c, &j);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_PASS);
}

/* The sum of the others bans a pair here: the next message meets that. */
static void a_ban_of_a_pair_by_the_others_sum_holds(void **state)
{
	struct ab_prefix home = prefix_of(HOME);
	struct ab_key key = ab_key_pair(&home, ALICE);
	struct ab_others o = {.wstart = BOX_CLUSTER_S, .count = {4, 0}};
	struct ab_guard g = site_guard(&s);
	struct ab_judgement j;

	(void)state;
	site_success(&s, HOME, BOB);
	site_fail(&s, HOME, ALICE, 4);
	ab_guard_others(&g, &key, &o, &j);
	assert_true(j.news);
	assert_int_equal(j.view.reason, AB_REASON_PAIR);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_PAIR);
}

static void a_heard_of_ban_spares_those_who_logged_in_here(void **state)
{
	struct ab_key source = key_of(HOME);
	struct ab_guard g = site_guard(&s);
	struct ab_change c = heard(AB_STATE_BANNED, AB_REASON_THRESHOLD);
	struct ab_judgement j;

	(void)state;
	site_success(&s, HOME, BOB);
	ab_guard_apply(&g, &source, &c, &j);
	assert_int_equal(site_check(&s, HOME).verdict, AB_GUARD_LOOK);
	assert_int_equal(site_meets(&s, HOME, BOB), AB_GUARD_PASS);
	assert_int_equal(site_meets(&s, HOME, ALICE), AB_GUARD_SOURCE);
	/* an operator's does not */
	c = heard(AB_STATE_BANNED, AB_REASON_OPERATOR);
	c.proof = AB_PROOF_OPERATOR;
	c.version++;
	ab_guard_apply(&g, &source, &c, &j);
	assert_int_equal(site_check(&s, HOME).verdict, AB_GUARD_SOURCE);
}

static void the_others_sources_bring_a_network_and_a_user_under_watch(
		void **state)
{
	struct ab_prefix p = prefix_of("192.0.2.0/24");
	struct ab_key key = ab_key_network(&p);
	struct ab_others o = {.wstart = BOX_CLUSTER_S,
			.count = {9, 0},
			.distinct = {0x000001ff, 0}};
	struct ab_guard g = site_guard(&s);
	struct ab_judgement j;

	(void)state;
	site_fail(&s, HOME, ALICE, 1);
	ab_guard_others(&g, &key, &o, &j);
	assert_true(j.crossed && !j.news);
	assert_int_equal(j.level, AB_LEVEL_WATCHED);
	ab_guard_others(&g, &key, &o, &j);
	assert_false(j.crossed);
	assert_true(site_fail(&s, HOME, ALICE, 1).banned); /* its second */
	o.distinct[0] = 0x00007fff;
	ab_guard_others(&g, &key, &o, &j);
	assert_true(j.news);
	assert_int_equal(j.view.reason, AB_REASON_CAMPAIGN);
	key = ab_key_user(ALICE);
	o.distinct[0] = 0x00ffffff;
	ab_guard_others(&g, &key, &o, &j);
	assert_true(j.crossed && j.news);
	assert_int_equal(j.view.reason, AB_REASON_USER_ATTACK);
}

/* What the others count of a source is judged by what its network does here. */
static void the_others_shares_of_a_source_know_its_network(void **state)
{
	struct ab_key key = key_of("192.0.2.200");
	struct ab_others o = {.wstart = BOX_CLUSTER_S, .count = {1, 0}};
	struct ab_judgement j;
	struct ab_guard g;

	(void)state;
	site_fail(&s, "192.0.2.200", ALICE, 1);
	restrict_network("192.0.2.0/24", "192.0.2.1");
	g = site_guard(&s);
	ab_guard_others(&g, &key, &o, &j);
	assert_true(j.news);
	assert_int_equal(j.view.reason, AB_REASON_NETWORK);
}

static void while_the_breaker_is_open_the_others_shares_ban_nobody(void **state)
{
	struct ab_key key = key_of(HOME);
	struct ab_others o = {.wstart = BOX_CLUSTER_S, .count = {100, 0}};
	struct ab_guard g = site_guard(&s);
	struct ab_judgement j;

	(void)state;
	site_fail(&s, HOME, ALICE, 1);
	s.breaker.open = 1;
	ab_guard_others(&g, &key, &o, &j);
	assert_true(j.ok && !j.news);
	s.breaker.open = 0;
	o.count[0]++; /* what brings nothing new is not judged again */
	ab_guard_others(&g, &key, &o, &j);
	assert_true(j.news);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(nothing_known_passes_at_the_first_look),
			T(a_ban_of_an_operator_spares_nobody),
			T(an_operators_network_around_an_automatic_ban_counts),
			T(a_banned_source_that_nobody_knows_is_dropped_at_once),
			T(a_banned_shared_source_spares_its_known_users),
			T(a_source_banned_before_the_success_is_shared_all_the_same),
			T(a_restricted_network_lets_strangers_in_one_by_one),
			T(a_banned_pair_is_dropped_but_for_its_flow),
			T(a_user_under_attack_is_never_locked),
			T(an_unban_voids_bans_and_counts_of_pairs),
			T(late_news_of_a_pair_from_before_the_unban_ban_nobody),
			T(after_an_unban_the_networks_watch_does_not_matter),
			T(an_unban_of_a_network_lifts_its_restriction),
			T(dry_bans_of_pairs_are_void_after_an_unban_too),
			T(a_ban_of_a_pair_that_was_heard_of_holds),
			T(a_ban_of_a_pair_by_the_others_sum_holds),
			T(a_heard_of_ban_spares_those_who_logged_in_here),
			T(the_others_sources_bring_a_network_and_a_user_under_watch),
			T(the_others_shares_of_a_source_know_its_network),
			T(while_the_breaker_is_open_the_others_shares_ban_nobody),
	};

	return cmocka_run_group_tests_name("guard_check", tests, NULL, NULL);
}
