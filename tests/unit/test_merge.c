/*
 * authban: unit tests of words about one source that come in any order
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fleet.h"

#include <string.h>

#define WORDS 6
#define MINUTE 60u

/* What proxies said, each at a moment of its own. */
struct word
{
	uint8_t state, proof;
	uint32_t at;	  /* seconds after the beginning */
	uint32_t seconds; /* it lasts, from then on */
};

static int setup(void **state)
{
	static struct box b;

	box_open(&b, 64);
	*state = &b;
	return 0;
}

static int teardown(void **state)
{
	box_close(*state);
	return 0;
}

/* All words are heard at the end of an hour. */
static uint64_t begin_ms(const struct box *b)
{
	return b->now.cluster_ms - 3600000;
}

static void hear(struct box *b, const struct ab_key *key, const struct word *w,
		uint32_t number)
{
	struct ab_judge j = box_judge(b);
	uint64_t end = begin_ms(b) + (w->at + w->seconds) * UINT64_C(1000);
	struct ab_judgement out;
	struct ab_change c = {.state = w->state,
			.proof = w->proof,
			.repeats = 1,
			.reason = (uint16_t)(1 + number % 8),
			.origin = (uint16_t)(1 + number % 8),
			.ago = 3600 - w->at,
			.version = (begin_ms(b) + w->at * 1000) << 16 | number};

	if(end > b->now.cluster_ms)
		c.seconds = (uint32_t)((end - b->now.cluster_ms) / 1000);
	ab_judge_apply(&j, key, &c, &out);
	assert_true(out.ok);
}

/* What is left after the words in this order; some are said twice. */
static struct ab_view after(struct box *b, struct rng *r, const struct word *w,
		const unsigned *order, unsigned n)
{
	struct ab_key key = key_v4(rng_below(r, 1000000));
	struct ab_judge j = box_judge(b);
	struct ab_view v;
	unsigned i;

	for(i = 0; i < n; i++) {
		hear(b, &key, &w[order[i]], order[i]);
		if(rng_below(r, 2)) {
			unsigned again = order[rng_below(r, i + 1)];

			hear(b, &key, &w[again], again);
		}
	}
	v = box_view(b, &key);
	ab_table_remove(j.table, &key, j.set, &j.now);
	return v;
}

static void shuffle(struct rng *r, unsigned *order, unsigned n)
{
	unsigned i;

	for(i = 0; i < n; i++)
		order[i] = i;
	for(i = n - 1; i > 0; i--) {
		unsigned k = rng_below(r, i + 1), was = order[i];

		order[i] = order[k];
		order[k] = was;
	}
}

/* Moments a minute apart, in any order of the words. */
static void moments(struct rng *r, struct word *w, unsigned n)
{
	unsigned order[WORDS], i;

	shuffle(r, order, n);
	for(i = 0; i < n; i++)
		w[i].at = (1 + order[i]) * MINUTE;
}

static void expect_same(const struct ab_view *a, const struct ab_view *b)
{
	expect(a->state == b->state, "state %u, %u", a->state, b->state);
	expect(a->version == b->version, "version");
	expect(a->proof == b->proof, "proof %u, %u", a->proof, b->proof);
	expect(a->reason == b->reason, "reason %u, %u", a->reason, b->reason);
	expect(a->origin == b->origin, "origin %u, %u", a->origin, b->origin);
	expect(a->ttl <= b->ttl + 2 && b->ttl <= a->ttl + 2, "ttl %u, %u", a->ttl,
			b->ttl);
}

/* Bans of proxies, with an operator's among them or without. */
static void bans_in_any_order_are_one(void **state)
{
	struct box *b = *state;
	struct rng r = rng_of(46);
	unsigned order[WORDS], i, n;
	struct ab_view first, v;
	struct word w[WORDS];

	for(unit_at.step = 0; unit_at.step < 20000; unit_at.step++) {
		n = 2 + rng_below(&r, WORDS - 1);
		moments(&r, w, n);
		for(i = 0; i < n; i++) {
			w[i].state = AB_STATE_BANNED;
			w[i].proof = AB_PROOF_TOKEN;
			w[i].seconds = 3600 + rng_below(&r, 86400);
		}
		if(rng_below(&r, 2))
			w[0].proof = AB_PROOF_OPERATOR;
		shuffle(&r, order, n);
		first = after(b, &r, w, order, n);
		shuffle(&r, order, n);
		v = after(b, &r, w, order, n);
		expect_same(&first, &v);
		if(w[0].proof == AB_PROOF_OPERATOR)
			expect(v.ttl + 3600 - w[0].at - w[0].seconds + 1 < 3,
					"the operator's end");
	}
	print_message("%u sets of bans, each in two orders\n", unit_at.step);
}

/* With unbans: banned or not is one answer. */
static void bans_and_unbans_in_any_order_agree(void **state)
{
	struct box *b = *state;
	struct rng r = rng_of(47);
	unsigned order[WORDS], i, n, unbanned = 0;
	struct ab_view first, v;
	struct word w[WORDS];

	for(unit_at.step = 0; unit_at.step < 20000; unit_at.step++) {
		n = 2 + rng_below(&r, WORDS - 1);
		moments(&r, w, n);
		for(i = 0; i < n; i++) {
			bool unban = rng_below(&r, 3) == 0;

			w[i].state = unban ? AB_STATE_UNBANNED : AB_STATE_BANNED;
			w[i].proof = unban || rng_below(&r, 3) == 0 ? AB_PROOF_OPERATOR
														: AB_PROOF_TOKEN;
			w[i].seconds = 3600 + rng_below(&r, 86400);
		}
		shuffle(&r, order, n);
		first = after(b, &r, w, order, n);
		shuffle(&r, order, n);
		v = after(b, &r, w, order, n);
		expect(first.state == v.state, "state %u, %u", first.state, v.state);
		expect(first.version == v.version, "version");
		unbanned += v.state == AB_STATE_UNBANNED;
	}
	print_message("%u sets of bans and unbans, %u unbanned\n", unit_at.step,
			unbanned);
	assert_true(unbanned > 1000);
}

static void late_words_from_before_an_unban_do_not_count(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);
	struct word ban = {AB_STATE_BANNED, AB_PROOF_OPERATOR, 1 * MINUTE, 86400};
	struct word unban = {
			AB_STATE_UNBANNED, AB_PROOF_OPERATOR, 2 * MINUTE, 7200};
	struct word later = {AB_STATE_BANNED, AB_PROOF_TOKEN, 3 * MINUTE, 4000};

	hear(b, &key, &unban, 2);
	hear(b, &key, &later, 3);
	hear(b, &key, &ban, 1);
	assert_int_equal(box_view(b, &key).ttl, 3 * MINUTE + 4000 - 3600);
	ab_table_remove(&b->table, &key, &b->set, &b->now);
	hear(b, &key, &later, 3);
	hear(b, &key, &unban, 2);
	hear(b, &key, &ban, 1);
	assert_int_equal(box_view(b, &key).ttl, 3 * MINUTE + 4000 - 3600);
	ab_table_remove(&b->table, &key, &b->set, &b->now);
	/* the one order that forgets when the automatic ban would have ended */
	b->set.ban_time_max = 4000;
	hear(b, &key, &ban, 1);
	hear(b, &key, &later, 3);
	hear(b, &key, &unban, 2);
	assert_int_equal(box_view(b, &key).state, AB_STATE_BANNED);
	assert_int_equal(box_view(b, &key).ttl, 4000);
}

static void an_operator_may_shorten_his_ban(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);
	struct word first = {AB_STATE_BANNED, AB_PROOF_OPERATOR, MINUTE, 86400};
	struct word second = {AB_STATE_BANNED, AB_PROOF_OPERATOR, 2 * MINUTE, 7200};

	hear(b, &key, &first, 1);
	hear(b, &key, &second, 2);
	hear(b, &key, &first, 1);
	assert_int_equal(box_view(b, &key).ttl, 2 * MINUTE + 7200 - 3600);
	assert_int_equal(box_ban(b, &key, 30).view.ttl, 30);
}

static struct fleet fleet;

/* A day by an operator on a; c has not heard of it and bans for ten minutes, later. */
static void an_operators_ban_is_told_again_over_an_automatic_one(void **state)
{
	struct fleet *f = &fleet;
	struct ab_key key = key_v4(7);
	unsigned i;

	(void)state;
	fleet_open(f, 64);
	box_ban(&f->p[0].b, &key, 86400);
	fleet_pass(f, 2);
	box_fail_as(&f->p[2].b, &key, 0, 8);
	assert_int_equal(box_view(&f->p[2].b, &key).reason, AB_REASON_THRESHOLD);
	assert_true(proxy_push(&f->p[0]));
	assert_true(proxy_push(&f->p[2])); /* the map has the short one */
	for(i = 0; i < FLEET; i++)
		proxy_hear(&f->p[i]);
	assert_true(proxy_push(&f->p[0]));
	for(i = 0; i < FLEET; i++)
		proxy_hear(&f->p[i]);
	proxy_restart(f, 1); /* and now the long one */
	for(i = 0; i < FLEET; i++) {
		struct ab_view v = box_view(&f->p[i].b, &key);

		assert_int_equal(v.state, AB_STATE_BANNED);
		assert_int_equal(v.proof, AB_PROOF_OPERATOR);
		assert_in_range(v.ttl, 86396, 86400);
	}
	fleet_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					bans_in_any_order_are_one, setup, teardown),
			cmocka_unit_test_setup_teardown(
					bans_and_unbans_in_any_order_agree, setup, teardown),
			cmocka_unit_test_setup_teardown(
					late_words_from_before_an_unban_do_not_count, setup,
					teardown),
			cmocka_unit_test_setup_teardown(
					an_operator_may_shorten_his_ban, setup, teardown),
			cmocka_unit_test(
					an_operators_ban_is_told_again_over_an_automatic_one)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
