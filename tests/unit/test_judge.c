/*
 * authban: unit tests of counting, deciding and banning in one step
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "unit.h"

#include <string.h>

static const struct ab_circumstances nothing;

static int setup(void **state)
{
	static struct box b;

	box_open(&b, 1024);
	b.origin = 7;
	*state = &b;
	return 0;
}

static int teardown(void **state)
{
	box_close(*state);
	return 0;
}

static void the_failure_that_reaches_the_threshold_bans_once(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);
	struct ab_judgement out;
	int i, news = 0;

	for(i = 1; i < b->set.threshold; i++) {
		out = box_fail_as(b, &key, (uint64_t)i, 1);
		assert_true(out.ok);
		assert_false(out.news);
		assert_int_equal(out.state, AB_STATE_NONE);
		assert_int_equal(box_view(b, &key).failures, i);
		assert_int_equal(box_check(b, &key), AB_STATE_NONE);
	}
	out = box_fail_as(b, &key, 8, 1);
	assert_true(out.ok);
	assert_true(out.news);
	assert_int_equal(out.state, AB_STATE_BANNED);
	assert_int_equal(out.view.reason, AB_REASON_THRESHOLD);
	assert_int_equal(out.view.proof, AB_PROOF_TOKEN);
	assert_int_equal(out.view.origin, 7);
	assert_int_equal(out.view.failures, 8);
	assert_int_equal(out.view.users, 9); /* 8 bits set estimate 9 */
	assert_int_equal(out.view.repeats, 1);
	assert_in_range(out.view.ttl, 600 - 600 / 16, 600);
	assert_int_equal(box_check(b, &key), AB_STATE_BANNED);
	for(i = 0; i < 50; i++)
		news += box_fail(b, &key).news;
	assert_int_equal(news, 0);
}

static void a_weight_counts_as_many_failures(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);

	assert_int_equal(box_fail_as(b, &key, 0, 7).state, AB_STATE_NONE);
	assert_int_equal(box_fail_as(b, &key, 0, 0).state, AB_STATE_NONE);
	assert_int_equal(box_fail_as(b, &key, 0, 1).state, AB_STATE_BANNED);
	key = key_v4(2);
	assert_true(box_fail_as(b, &key, 0, UINT32_MAX).news);
}

static void bans_double_with_each_repeat_up_to_the_longest(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);
	uint32_t n, full = 600;

	for(n = 1; n <= 40; n++) {
		struct ab_judgement out = box_fail_as(b, &key, 0, 8);

		assert_true(out.news);
		assert_in_range(out.view.ttl, full - full / 16, full);
		assert_int_equal(out.view.repeats, n < 15 ? n : 15);
		full = full * 2 < 86400 ? full * 2 : 86400;
		box_pass(b, out.view.ttl);
		assert_int_equal(box_check(b, &key), AB_STATE_NONE);
	}
	/* `memory` later it is the first one again */
	box_pass(b, (uint32_t)b->set.memory + 1);
	assert_in_range(box_fail_as(b, &key, 0, 8).view.ttl, 563, 600);
}

static void after_a_ban_it_takes_the_threshold_again(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);
	int i;

	b->set.ban_time = 5; /* the window of the ban is still the current one */
	box_fail_as(b, &key, 0, 8);
	box_fail_as(b, &key, 0, 100);
	box_pass(b, 5);
	for(i = 1; i < b->set.threshold; i++) {
		assert_false(box_fail(b, &key).news);
		assert_int_equal(box_view(b, &key).failures, i);
	}
	assert_true(box_fail(b, &key).news);
}

static void after_an_unban_it_takes_the_threshold_again(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);
	struct ab_judgement out;
	int i;

	box_fail_as(b, &key, 0, 8);
	out = box_unban(b, &key);
	assert_true(out.ok);
	assert_true(out.news);
	assert_int_equal(out.state, AB_STATE_UNBANNED);
	for(i = 1; i < b->set.threshold; i++)
		assert_int_equal(box_fail(b, &key).state, AB_STATE_UNBANNED);
	out = box_fail(b, &key);
	assert_true(out.news);
	assert_int_equal(out.view.repeats, 1); /* a mistake is no record */
}

/* T13: nothing but time and an operator brings a count down. */
static void no_operation_but_an_unban_lowers_a_count(void **state)
{
	struct box *b = *state;
	struct rng r = rng_of(13);
	struct ab_key key = key_v4(1);
	struct ab_judge j = box_judge(b);
	uint32_t before = 0;

	b->set.threshold = 10000;
	for(unit_at.step = 0; unit_at.step < 2000; unit_at.step++) {
		struct ab_judgement out = {0};
		struct ab_others others = {
				.wstart = BOX_CLUSTER_S, .count = {rng_below(&r, 5), 0}};
		struct ab_change late = {
				.state = AB_STATE_BANNED, .seconds = 60, .version = 0};

		switch(rng_below(&r, 4)) {
			case 0:
				out = box_fail(b, &key);
				break;
			case 1:
				ab_judge_others(&j, &key, &others, &nothing, &out);
				break;
			case 2: /* a state that is older than what is known */
				late.version = 1;
				ab_judge_apply(&j, &key, &late, &out);
				break;
			default:
				box_check(b, &key);
				ab_table_sweep(&b->table, 0, 1, &b->set, &b->now);
		}
		expect(!out.ok || out.view.failures >= before, " ");
		before = box_view(b, &key).failures;
	}
	assert_true(before > 100);
}

static void dry_run_decides_and_blocks_nobody(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);
	struct ab_judgement out;

	ab_table_set_clustered(&b->table, true);
	b->set.mode = AB_MODE_DRY_RUN;
	box_fail_as(b, &key, 0, 7);
	out = box_fail(b, &key);
	assert_true(out.news);
	assert_int_equal(out.state, AB_STATE_DRY_RUN);
	assert_int_equal(box_check(b, &key), AB_STATE_DRY_RUN);
	assert_false(box_fail(b, &key).news);
	assert_int_equal(box_view(b, &key).flags & AB_UNSENT_STATE, 0);
	assert_int_equal(ab_table_banned(&b->table, b->now.mono), 0);
	/* it ends as a ban would, and a repeat would double */
	box_pass(b, 600);
	assert_int_equal(box_check(b, &key), AB_STATE_NONE);
	out = box_fail_as(b, &key, 0, 8);
	assert_true(out.news);
	assert_in_range(out.view.ttl, 1125, 1200);
}

static void armed_after_a_dry_run_the_next_failure_bans(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);

	b->set.mode = AB_MODE_DRY_RUN;
	box_fail_as(b, &key, 0, 8);
	b->set.mode = AB_MODE_BAN;
	assert_int_equal(box_check(b, &key), AB_STATE_DRY_RUN);
	assert_true(box_fail(b, &key).news);
	assert_int_equal(box_check(b, &key), AB_STATE_BANNED);
}

static void off_decides_nothing(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);
	struct ab_judgement out;

	b->set.mode = AB_MODE_OFF;
	out = box_fail_as(b, &key, 0, 100);
	assert_false(out.news);
	assert_int_equal(out.state, AB_STATE_NONE);
	assert_int_equal(box_check(b, &key), AB_STATE_NONE);
}

static void the_others_shares_complete_a_ban_with_the_proof_seen_here(
		void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1), stranger = key_v4(2);
	struct ab_others others = {.wstart = BOX_CLUSTER_S, .count = {6, 0}};
	struct ab_judge j = box_judge(b);
	struct ab_judgement out;

	box_fail(b, &key);
	ab_judge_others(&j, &key, &others, &nothing, &out);
	assert_false(out.news);
	others.count[0] = 7;
	ab_judge_others(&j, &key, &others, &nothing, &out);
	assert_true(out.news);
	assert_int_equal(out.state, AB_STATE_BANNED);
	assert_int_equal(out.view.proof, AB_PROOF_TOKEN);
	assert_int_equal(out.view.failures, 8);
	ab_judge_others(&j, &key, &others, &nothing, &out);
	assert_false(out.news);
	/* others' counts alone make no entry */
	ab_judge_others(&j, &stranger, &others, &nothing, &out);
	assert_false(out.ok);
}

static void a_ban_of_an_operator_is_as_long_as_told(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);
	struct ab_judgement out = box_ban(b, &key, 77);

	assert_true(out.news);
	assert_int_equal(out.view.ttl, 77);
	assert_int_equal(out.view.reason, AB_REASON_OPERATOR);
	assert_int_equal(out.view.proof, AB_PROOF_OPERATOR);
	assert_int_equal(out.view.failures, 0);
	/* and may be changed */
	out = box_ban(b, &key, 7);
	assert_int_equal(out.view.ttl, 7);
}

static void news_of_a_state_heard_of_comes_once(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);
	struct ab_judge j = box_judge(b);
	struct ab_change ban = {.state = AB_STATE_BANNED,
			.seconds = 60,
			.version = b->now.cluster_ms << 16 | 2};
	struct ab_change unban = {.state = AB_STATE_UNBANNED,
			.seconds = 600,
			.version = (b->now.cluster_ms + 5) << 16 | 3};
	struct ab_judgement out;

	ab_table_set_clustered(&b->table, true);
	ab_judge_apply(&j, &key, &ban, &out);
	assert_true(out.news);
	ab_judge_apply(&j, &key, &ban, &out);
	assert_false(out.news);
	ab_judge_apply(&j, &key, &unban, &out);
	assert_true(out.news);
	assert_int_equal(out.state, AB_STATE_UNBANNED);
	ab_judge_apply(&j, &key, &ban, &out);
	assert_false(out.news);
	assert_int_equal(out.state, AB_STATE_UNBANNED);
	assert_int_equal(box_view(b, &key).flags, 0);
}

static void an_unban_is_remembered_for_two_windows_at_the_least(void **state)
{
	struct box *b = *state;

	assert_int_equal(ab_unban_seconds(&b->set), 1200);
	b->set.grace = 5000;
	assert_int_equal(ab_unban_seconds(&b->set), 5000);
}

static void sources_are_judged_apart(void **state)
{
	struct box *b = *state;
	struct ab_key v4 = key_of("0.0.0.1"), v6 = key_of("::1/128"),
				  net = key_of("0.0.0.0/24"), near = key_of("0.0.0.0");

	box_ban(b, &v4, 60);
	assert_int_equal(box_check(b, &v6), AB_STATE_NONE);
	assert_int_equal(box_check(b, &near), AB_STATE_NONE);
	box_ban(b, &net, 60);
	assert_int_equal(box_check(b, &near), AB_STATE_BANNED);
	box_unban(b, &net);
	assert_int_equal(box_check(b, &near), AB_STATE_NONE);
	assert_int_equal(box_check(b, &v4), AB_STATE_BANNED);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(the_failure_that_reaches_the_threshold_bans_once),
			T(a_weight_counts_as_many_failures),
			T(bans_double_with_each_repeat_up_to_the_longest),
			T(after_a_ban_it_takes_the_threshold_again),
			T(after_an_unban_it_takes_the_threshold_again),
			T(no_operation_but_an_unban_lowers_a_count),
			T(dry_run_decides_and_blocks_nobody),
			T(armed_after_a_dry_run_the_next_failure_bans),
			T(off_decides_nothing),
			T(the_others_shares_complete_a_ban_with_the_proof_seen_here),
			T(a_ban_of_an_operator_is_as_long_as_told),
			T(news_of_a_state_heard_of_comes_once),
			T(an_unban_is_remembered_for_two_windows_at_the_least),
			T(sources_are_judged_apart),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
