/*
 * authban: unit tests of three proxies that tell each other what they counted
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fleet.h"

#include <string.h>

static struct fleet fleet;

static int setup(void **state)
{
	fleet_open(&fleet, 4096);
	*state = &fleet;
	return 0;
}

static int teardown(void **state)
{
	fleet_close(*state);
	return 0;
}

static struct ab_judgement fail_on(
		struct fleet *f, unsigned i, const struct ab_key *key, uint32_t n)
{
	return box_fail_as(&f->p[i].b, key, 0, n);
}

static uint32_t failures(struct fleet *f, unsigned i, const struct ab_key *key)
{
	return box_view(&f->p[i].b, key).failures;
}

static uint32_t banned_on(struct fleet *f, const struct ab_key *key)
{
	uint32_t i, n = 0;

	for(i = 0; i < FLEET; i++)
		n += box_check(&f->p[i].b, key) == AB_STATE_BANNED;
	return n;
}

static void hear_all(struct fleet *f)
{
	unsigned i;

	for(i = 0; i < FLEET; i++)
		proxy_hear(&f->p[i]);
}

static void failures_round_robin_ban_at_the_threshold(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);
	uint32_t n;

	for(n = 1; n < 8; n++) {
		fail_on(f, n % FLEET, &key, 1);
		assert_true(proxy_push(&f->p[n % FLEET]));
		assert_int_equal(failures(f, n % FLEET, &key), n);
		assert_int_equal(banned_on(f, &key), 0);
	}
	fail_on(f, 8 % FLEET, &key, 1);
	assert_true(proxy_push(&f->p[8 % FLEET]));
	assert_int_equal(banned_on(f, &key), 1);
	/* the ban leaves with the next batch */
	assert_true(proxy_push(&f->p[8 % FLEET]));
	hear_all(f);
	assert_int_equal(banned_on(f, &key), 3);
	for(n = 0; n < FLEET; n++) {
		struct ab_view v = box_view(&f->p[n].b, &key);

		assert_int_equal(f->p[n].news, 1);
		assert_int_equal(v.failures, 8);
		assert_int_equal(v.reason, AB_REASON_THRESHOLD);
		assert_int_equal(v.proof, AB_PROOF_TOKEN);
		assert_string_equal(
				ab_names_text(ab_table_names(&f->p[n].b.table), v.origin), "c");
	}
}

static void users_of_all_proxies_are_one_set(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);

	box_fail_as(&f->p[0].b, &key, 1, 1);
	box_fail_as(&f->p[1].b, &key, 1, 1);
	box_fail_as(&f->p[1].b, &key, 2, 1);
	box_fail_as(&f->p[2].b, &key, 3, 1);
	fleet_settle(f);
	assert_int_equal(box_view(&f->p[0].b, &key).users, 3);
	assert_int_equal(box_view(&f->p[1].b, &key).users, 3);
}

static void two_that_cross_at_once_make_one_ban(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);

	assert_true(fail_on(f, 0, &key, 8).news);
	assert_true(fail_on(f, 1, &key, 8).news);
	assert_true(proxy_push(&f->p[0]));
	assert_true(proxy_push(&f->p[1]));
	hear_all(f);
	assert_int_equal(banned_on(f, &key), 3);
	assert_true(box_view(&f->p[0].b, &key).version
				== box_view(&f->p[1].b, &key).version);
	assert_int_equal(box_view(&f->p[0].b, &key).repeats, 1);
	assert_int_equal(f->p[0].news, 0);
	assert_int_equal(f->p[1].news, 0);
	assert_int_equal(f->p[2].news, 1);
}

static void a_lost_answer_counts_nothing_twice(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);
	int i;

	fail_on(f, 0, &key, 2);
	fail_on(f, 1, &key, 3);
	assert_true(proxy_push(&f->p[0]));
	f->store.fault = FAULT_ANSWER;
	for(i = 0; i < 5; i++)
		assert_false(proxy_push(&f->p[1]));
	assert_int_equal(failures(f, 1, &key), 3);
	assert_int_equal(f->p[1].s.stats.failed_batches, 5);
	assert_true(ab_table_has_dirty(&f->p[1].b.table));
	f->store.fault = FAULT_NONE;
	assert_true(proxy_push(&f->p[1]));
	assert_int_equal(failures(f, 1, &key), 5);
	fleet_settle(f);
	assert_int_equal(failures(f, 0, &key), 5);
	assert_int_equal(failures(f, 1, &key), 5);
}

static void a_lost_request_loses_nothing(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1), ban = key_v4(2);

	fail_on(f, 0, &key, 2);
	box_ban(&f->p[0].b, &ban, 60);
	f->store.fault = FAULT_REQUEST;
	assert_false(proxy_push(&f->p[0]));
	fail_on(f, 0, &key, 1);
	assert_false(proxy_push(&f->p[0]));
	f->store.fault = FAULT_NONE;
	assert_true(proxy_push(&f->p[0]));
	fail_on(f, 1, &key, 1);
	assert_true(proxy_push(&f->p[1]));
	assert_int_equal(failures(f, 1, &key), 4);
	hear_all(f);
	assert_int_equal(banned_on(f, &ban), 3);
	assert_int_equal(ab_table_pending(&f->p[0].b.table), 0);
}

static void an_ended_batch_leaves_nothing_to_send(void **state)
{
	struct fleet *f = *state;
	uint32_t i;

	for(i = 0; i < 600; i++) {
		struct ab_key key = key_v4(i);

		fail_on(f, 0, &key, 1);
	}
	assert_int_equal(ab_table_pending(&f->p[0].b.table), 600);
	assert_true(proxy_push(&f->p[0]));
	assert_int_equal(f->store.most, AB_SYNC_BATCH);
	assert_int_equal(f->store.exchanges, 3);
	assert_int_equal(f->p[0].s.stats.shares_sent, 600);
	assert_int_equal(ab_table_pending(&f->p[0].b.table), 0);
	assert_false(ab_table_has_dirty(&f->p[0].b.table));
	assert_int_equal(ab_sync_batch(&f->p[0].s, &f->p[0].b.now), 0);
	assert_int_equal(f->store.exchanges, 3);
}

static void an_older_ban_that_arrives_late_does_not_undo_an_unban(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);

	fail_on(f, 0, &key, 8);
	assert_true(proxy_push(&f->p[0]));
	proxy_hear(&f->p[1]);
	fleet_pass(f, 1);
	box_unban(&f->p[1].b, &key);
	assert_true(proxy_push(&f->p[1]));
	assert_int_equal(f->store.n_log, 2);
	/* the third hears the unban first */
	ab_sync_apply(&f->p[2].s, &f->p[2].b.now, f->store.log[1].bytes,
			f->store.log[1].len);
	ab_sync_apply(&f->p[2].s, &f->p[2].b.now, f->store.log[0].bytes,
			f->store.log[0].len);
	assert_int_equal(box_check(&f->p[2].b, &key), AB_STATE_NONE);
	hear_all(f);
	assert_int_equal(banned_on(f, &key), 0);
}

static void an_older_record_in_the_log_makes_the_newer_be_said_again(
		void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);
	struct record old;

	fail_on(f, 0, &key, 8);
	assert_true(proxy_push(&f->p[0]));
	old = f->store.log[0];
	hear_all(f);
	fleet_pass(f, 1);
	box_unban(&f->p[1].b, &key);
	assert_true(proxy_push(&f->p[1]));
	hear_all(f);
	/* a resent ban replaces the unban in the map */
	f->store.log[f->store.n_log++] = old;
	memcpy(f->store.map[0].value, old.bytes, old.len);
	f->store.map[0].len = old.len;
	hear_all(f);
	for(unsigned i = 0; i < FLEET; i++)
		assert_true(proxy_push(&f->p[i]));
	assert_int_equal(f->store.n_log, 4);
	proxy_restart(f, 2);
	hear_all(f);
	assert_int_equal(banned_on(f, &key), 0);
	assert_int_equal(box_view(&f->p[2].b, &key).state, AB_STATE_UNBANNED);
}

static void old_counts_of_a_delayed_proxy_do_not_ban_after_an_unban(
		void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);
	unsigned i;

	for(i = 0; i < FLEET; i++) {
		fail_on(f, i, &key, 2);
		assert_true(proxy_push(&f->p[i]));
	}
	fail_on(f, 2, &key, 1); /* unsent, and now the third is slow */
	fleet_pass(f, 1);
	assert_true(box_unban(&f->p[0].b, &key).ok);
	assert_true(proxy_push(&f->p[0]));
	proxy_hear(&f->p[1]);
	assert_true(proxy_push(&f->p[2]));
	fail_on(f, 1, &key, 5);
	assert_true(proxy_push(&f->p[1]));
	assert_int_equal(failures(f, 1, &key), 5);
	hear_all(f);
	fail_on(f, 2, &key, 1);
	assert_true(proxy_push(&f->p[2]));
	assert_int_equal(failures(f, 2, &key), 6);
	assert_int_equal(banned_on(f, &key), 0);
	fail_on(f, 0, &key, 2);
	assert_true(proxy_push(&f->p[0]));
	assert_int_equal(banned_on(f, &key), 1);
}

struct unban_between
{
	struct fleet *f;
	struct ab_key key;
};

static void unban_between(void *arg)
{
	struct unban_between *u = arg;

	u->f->store.between = NULL;
	box_unban(&u->f->p[0].b, &u->key);
}

static void an_unban_during_an_exchange_is_not_undone_by_its_answer(
		void **state)
{
	struct fleet *f = *state;
	struct unban_between u = {f, key_v4(1)};

	fail_on(f, 1, &u.key, 7);
	assert_true(proxy_push(&f->p[1]));
	fleet_pass(f, 1);
	fail_on(f, 0, &u.key, 1); /* the eighth: its exchange will ban */
	f->store.between = unban_between;
	f->store.between_arg = &u;
	assert_true(proxy_push(&f->p[0]));
	expect(box_check(&f->p[0].b, &u.key) == AB_STATE_NONE,
			"banned again by counts from before the unban");
	assert_int_equal(failures(f, 0, &u.key), 0);
}

static void the_share_before_the_turn_of_a_window_is_not_lost(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);

	fleet_pass(f, 599);
	fail_on(f, 0, &key, 7);
	fleet_pass(f, 2);
	assert_true(proxy_push(&f->p[0]));
	fail_on(f, 1, &key, 1);
	assert_true(proxy_push(&f->p[1]));
	assert_int_equal(banned_on(f, &key), 1);
}

static void a_share_of_the_last_window_is_sent_after_an_outage(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);

	fleet_pass(f, 590);
	fail_on(f, 0, &key, 7);
	f->store.fault = FAULT_REQUEST;
	assert_false(proxy_push(&f->p[0]));
	fleet_pass(f, 30);
	assert_false(proxy_push(&f->p[0]));
	f->store.fault = FAULT_NONE;
	ab_sync_connected(&f->p[0].s, &f->p[0].b.now, false);
	assert_true(proxy_push(&f->p[0]));
	fail_on(f, 1, &key, 1);
	assert_true(proxy_push(&f->p[1]));
	assert_int_equal(box_view(&f->p[1].b, &key).others[1], 7);
}

/* The store itself refuses a key without an end. */
static void keys_of_every_window_expire(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);
	int i;

	for(i = 0; i < 5; i++) {
		fail_on(f, 0, &key, 1);
		assert_true(proxy_push(&f->p[0]));
		fleet_pass(f, 600);
	}
	assert_int_equal(f->store.n_shares, 5);
}

/* Eight failures spread over the fleet, and everybody hears of the ban. */
static void ban_for_a_minute(struct fleet *f, const struct ab_key *key)
{
	unsigned i;

	for(i = 0; i < FLEET; i++) {
		f->p[i].b.set.ban_time = 60;
		fail_on(f, i, key, i == 2 ? 4 : 2);
		assert_true(proxy_push(&f->p[i]));
	}
	assert_true(proxy_push(&f->p[2]));
	hear_all(f);
}

static void after_a_ban_shares_from_before_it_do_not_count(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);
	unsigned i;

	ban_for_a_minute(f, &key);
	assert_int_equal(banned_on(f, &key), 3);
	fleet_pass(f, 60);
	assert_int_equal(banned_on(f, &key), 0);
	for(i = 0; i < FLEET; i++) {
		fail_on(f, i, &key, 1);
		assert_true(proxy_push(&f->p[i]));
		assert_int_equal(failures(f, i, &key), i + 1);
	}
}

static void a_restarted_proxy_does_not_count_what_a_past_ban_was_made_for(
		void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);

	ban_for_a_minute(f, &key);
	fleet_pass(f, 60);
	proxy_restart(f, 1);
	fail_on(f, 1, &key, 1);
	assert_true(proxy_push(&f->p[1]));
	expect(box_check(&f->p[1].b, &key) == AB_STATE_NONE,
			"banned by the first failure after the ban");
	assert_int_equal(failures(f, 1, &key), 1);
}

static void a_ban_in_the_second_of_an_unban_is_a_new_epoch_too(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);
	unsigned i;

	for(i = 0; i < FLEET; i++)
		f->p[i].b.set.ban_time = 60;
	box_ban(&f->p[0].b, &key, 60);
	box_unban(&f->p[0].b, &key);
	assert_true(proxy_push(&f->p[0]));
	hear_all(f);
	for(i = 0; i < FLEET; i++) { /* all of that within one second */
		fail_on(f, i, &key, i == 2 ? 4 : 2);
		assert_true(proxy_push(&f->p[i]));
	}
	assert_true(proxy_push(&f->p[2]));
	hear_all(f);
	assert_int_equal(banned_on(f, &key), 3);
	fleet_pass(f, 60);
	fail_on(f, 0, &key, 1);
	assert_true(proxy_push(&f->p[0]));
	assert_int_equal(failures(f, 0, &key), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(failures_round_robin_ban_at_the_threshold),
			T(users_of_all_proxies_are_one_set),
			T(two_that_cross_at_once_make_one_ban),
			T(a_lost_answer_counts_nothing_twice),
			T(a_lost_request_loses_nothing),
			T(an_ended_batch_leaves_nothing_to_send),
			T(an_older_ban_that_arrives_late_does_not_undo_an_unban),
			T(an_older_record_in_the_log_makes_the_newer_be_said_again),
			T(old_counts_of_a_delayed_proxy_do_not_ban_after_an_unban),
			T(an_unban_during_an_exchange_is_not_undone_by_its_answer),
			T(the_share_before_the_turn_of_a_window_is_not_lost),
			T(a_share_of_the_last_window_is_sent_after_an_outage),
			T(keys_of_every_window_expire),
			T(after_a_ban_shares_from_before_it_do_not_count),
			T(a_restarted_proxy_does_not_count_what_a_past_ban_was_made_for),
			T(a_ban_in_the_second_of_an_unban_is_a_new_epoch_too),
	};

	return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
