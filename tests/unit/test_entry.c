/* authban: unit tests of one entry: counts, states, versions, worth
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "unit.h"

#include <string.h>

struct one
{
	struct ab_entry e;
	struct ab_slot s;
	struct ab_settings set;
	struct ab_now now;
	struct ab_key key;
};

static void open_one(struct one *o)
{
	memset(o, 0, sizeof(*o));
	memset(&o->e, 0xee, sizeof(o->e)); /* what an evicted entry left */
	o->s.e = &o->e;
	ab_settings_preset(&o->set);
	o->now.mono = BOX_MONO;
	o->now.cluster_ms = (uint64_t)BOX_CLUSTER_S * 1000;
	o->key = key_of("192.0.2.1");
	ab_entry_init(&o->s, &o->key, &o->now, 5);
}

static int setup(void **state)
{
	static struct one o;

	open_one(&o);
	*state = &o;
	return 0;
}

static void pass(struct one *o, uint32_t seconds)
{
	o->now.mono += seconds;
	o->now.cluster_ms += (uint64_t)seconds * 1000;
}

static void count(struct one *o, uint64_t user, uint32_t n)
{
	ab_entry_count(&o->s, &o->set, &o->now, user, n, n);
}

static struct ab_view view(const struct one *o)
{
	struct ab_view v;

	memset(&v, 0xee, sizeof(v));
	ab_entry_view(&o->s, &o->set, &o->now, &v);
	return v;
}

static struct ab_change change_of(enum ab_state state, uint64_t version)
{
	struct ab_change c = {.state = (uint8_t)state,
			.version = version,
			.proof = AB_PROOF_OPERATOR,
			.seconds = 600,
			.repeats = state == AB_STATE_BANNED,
			.node = 3,
			.local = version == 0};

	return c;
}

static bool apply(struct one *o, enum ab_state state, uint64_t version)
{
	struct ab_change c = change_of(state, version);

	return ab_entry_change(&o->s, &o->set, &o->now, &c);
}

static uint64_t version_at(const struct one *o, int64_t ms, uint16_t node)
{
	return (o->now.cluster_ms + (uint64_t)ms) << 16 | node;
}

static void a_new_entry_has_nothing_of_its_predecessor(void **state)
{
	struct one *o = *state;
	struct ab_view v = view(o);

	assert_memory_equal(&v.key.addr, &o->key.addr, 16);
	assert_int_equal(v.key.kind, AB_KIND_SOURCE);
	assert_int_equal(v.key.plen, 128);
	assert_int_equal(v.state, AB_STATE_NONE);
	assert_int_equal(v.failures, 0);
	assert_int_equal(v.users, 0);
	assert_int_equal(v.repeats, 0);
	assert_int_equal(v.version, 0);
	assert_int_equal(v.epoch, 0);
	assert_int_equal(v.ttl, 0);
	assert_int_equal(v.flags, 0);
	assert_int_equal(v.incarnation, 5);
	assert_int_equal(ab_entry_worth(&o->s, &o->set, &o->now), AB_WORTH_NOTHING);
}

static void an_entry_matches_its_key_alone(void **state)
{
	struct one *o = *state;
	struct ab_key other = o->key;

	assert_true(ab_entry_matches(&o->e, &o->key));
	other.addr.b[15] ^= 1;
	assert_false(ab_entry_matches(&o->e, &other));
	other.addr.b[0] ^= 1;
	assert_false(ab_entry_matches(&o->e, &other));
	other = o->key;
	other.plen--;
	assert_false(ab_entry_matches(&o->e, &other));
	other = o->key;
	other.kind++;
	assert_false(ab_entry_matches(&o->e, &other));
}

static void counts_slide_out_after_two_windows(void **state)
{
	struct one *o = *state;
	/* seconds since 6 failures at the begin of a window of 600 */
	static const uint32_t rows[][2] = {{0, 6}, {599, 6}, {600, 6}, {649, 6},
			{651, 5}, {900, 3}, {1199, 0}, {1200, 0}, {100000, 0}};
	size_t i;

	count(o, 0, 6);
	for(i = 0; i < COUNT_OF(rows); i++) {
		struct one later = *o;

		later.s.e = &later.e;
		pass(&later, rows[i][0]);
		expect(view(&later).failures == rows[i][1], "%u s later: %u, not %u",
				rows[i][0], view(&later).failures, rows[i][1]);
	}
}

static void a_view_changes_nothing(void **state)
{
	struct one *o = *state;
	struct one before;

	count(o, 77, 6);
	apply(o, AB_STATE_BANNED, 0);
	before = *o;
	pass(o, 5000);
	view(o);
	ab_entry_worth(&o->s, &o->set, &o->now);
	assert_memory_equal(&before.e, &o->e, sizeof(o->e));
	assert_int_equal(before.s.until, o->s.until);
	assert_int_equal(before.s.state, o->s.state);
}

static void what_was_counted_stays_when_the_clock_steps_back(void **state)
{
	struct one *o = *state;

	count(o, 0, 3);
	o->now.cluster_ms -= 1800 * 1000;
	count(o, 0, 3);
	assert_int_equal(view(o).failures, 6);
	o->now.cluster_ms += 1800 * 1000;
	assert_int_equal(view(o).failures, 6);
}

static void counters_do_not_wrap(void **state)
{
	struct one *o = *state;
	struct ab_others others = {
			.wstart = BOX_CLUSTER_S, .count = {UINT32_MAX, UINT32_MAX}};

	count(o, 0, 65530);
	count(o, 0, 100);
	assert_int_equal(view(o).own[0], UINT16_MAX);
	count(o, 0, UINT32_MAX);
	assert_int_equal(view(o).own[0], UINT16_MAX);
	ab_entry_merge(&o->s, &o->set, &o->now, &others);
	assert_int_equal(view(o).others[0], UINT16_MAX);
	assert_int_equal(view(o).failures, 3 * UINT16_MAX);
}

static void users_are_counted_once_each_over_both_windows(void **state)
{
	struct one *o = *state;

	count(o, 1, 1);
	count(o, 1, 1);
	count(o, 0, 1);
	assert_int_equal(view(o).users, 1);
	pass(o, 600);
	count(o, 1, 1);
	count(o, 2, 1);
	assert_int_equal(view(o).users, 2);
	pass(o, 1200);
	assert_int_equal(view(o).users, 0);
}

static void sums_of_others_only_grow_within_a_window(void **state)
{
	struct one *o = *state;
	struct ab_others a = {
			.wstart = BOX_CLUSTER_S, .count = {5, 2}, .distinct = {1, 2}};
	struct ab_others b = {.wstart = BOX_CLUSTER_S, .count = {3, 4}};

	count(o, 0, 1);
	ab_entry_merge(&o->s, &o->set, &o->now, &a);
	ab_entry_merge(&o->s, &o->set, &o->now, &b);
	ab_entry_merge(&o->s, &o->set, &o->now, &a);
	assert_int_equal(view(o).others[0], 5);
	assert_int_equal(view(o).others[1], 4);
	assert_int_equal(view(o).own[0], 1);
	assert_int_equal(view(o).users, 2);
}

static void an_answer_that_comes_after_the_turn_counts_for_its_window(
		void **state)
{
	struct one *o = *state;
	struct ab_others late = {.wstart = BOX_CLUSTER_S, .count = {5, 9}};

	count(o, 0, 1);
	pass(o, 600);
	ab_entry_merge(&o->s, &o->set, &o->now, &late);
	assert_int_equal(view(o).others[0], 0);
	assert_int_equal(view(o).others[1], 5);
	pass(o, 600);
	ab_entry_merge(&o->s, &o->set, &o->now, &late);
	assert_int_equal(view(o).others[0], 0);
	assert_int_equal(view(o).others[1], 0);
}

static void a_live_ban_shows_the_counts_that_made_it(void **state)
{
	struct one *o = *state;

	o->set.ban_time = 5000;
	count(o, 4, 8);
	apply(o, AB_STATE_BANNED, 0);
	pass(o, 590);
	assert_int_equal(view(o).failures, 8);
	assert_int_equal(view(o).users, 1);
	assert_int_equal(view(o).ttl, 10);
	assert_int_equal(view(o).age, 590);
}

static void after_a_ban_counts_begin_anew(void **state)
{
	struct one *o = *state;
	uint32_t made = (uint32_t)(o->now.cluster_ms / 1000);

	count(o, 4, 8);
	apply(o, AB_STATE_BANNED, 0);
	count(o, 4, 50);
	pass(o, 600);
	ab_entry_refresh(&o->s, &o->set, &o->now);
	assert_int_equal(o->s.state, AB_STATE_NONE);
	assert_int_equal(view(o).failures, 0);
	assert_int_equal(view(o).users, 0);
	assert_int_equal(view(o).epoch, made);
	assert_int_equal(view(o).repeats, 1);
	count(o, 4, 1);
	assert_int_equal(view(o).failures, 1);
}

static void a_ban_is_remembered_for_memory_after_its_end(void **state)
{
	struct one *o = *state;

	apply(o, AB_STATE_BANNED, 0);
	pass(o, 600 + (uint32_t)o->set.memory);
	assert_int_equal(view(o).repeats, 1);
	pass(o, 1);
	assert_int_equal(view(o).repeats, 0);
}

static void an_unban_clears_counts_and_repeats(void **state)
{
	struct one *o = *state;

	count(o, 4, 7);
	apply(o, AB_STATE_BANNED, 0);
	pass(o, 7);
	assert_true(apply(o, AB_STATE_UNBANNED, 0));
	assert_int_equal(view(o).failures, 0);
	assert_int_equal(view(o).users, 0);
	assert_int_equal(view(o).repeats, 0);
	assert_int_equal(view(o).epoch, o->now.cluster_ms / 1000);
	assert_int_equal(view(o).state, AB_STATE_UNBANNED);
	count(o, 4, 2);
	assert_int_equal(view(o).failures, 2);
	pass(o, 600);
	assert_int_equal(view(o).state, AB_STATE_NONE);
	assert_int_equal(view(o).epoch, BOX_CLUSTER_S + 7);
}

static void a_state_made_here_is_later_than_every_known_one(void **state)
{
	struct one *o = *state;
	uint64_t ahead = version_at(o, 5000, 9);

	assert_true(apply(o, AB_STATE_BANNED, ahead));
	assert_true(apply(o, AB_STATE_UNBANNED, 0));
	assert_true(view(o).version > ahead);
	assert_int_equal(view(o).version & 0xffff, 3);
	assert_int_equal(view(o).state, AB_STATE_UNBANNED);
	assert_false(apply(o, AB_STATE_BANNED, ahead));
}

struct outcome
{
	uint8_t state, proof, repeats;
	uint16_t reason, origin;
	uint64_t version;
	uint32_t ttl;
};

static struct outcome outcome_of(const struct one *o)
{
	struct ab_view v = view(o);
	struct outcome out;

	memset(&out, 0, sizeof(out));
	out.state = v.state;
	out.proof = v.proof;
	out.repeats = v.repeats;
	out.reason = v.reason;
	out.origin = v.origin;
	out.version = v.version;
	out.ttl = v.ttl;
	return out;
}

/* The n-th order of five things. */
static void permute(unsigned n, unsigned order[5])
{
	unsigned left[5] = {0, 1, 2, 3, 4}, i, k;

	for(i = 0; i < 5; i++) {
		unsigned at = n % (5 - i);

		n /= 5 - i;
		order[i] = left[at];
		for(k = at; k + 1 < 5 - i; k++)
			left[k] = left[k + 1];
	}
}

static void the_latest_version_wins_in_every_order_of_arrival(void **state)
{
	/* ms and node; the 3rd and the 4th are of the same moment */
	static const struct
	{
		enum ab_state state;
		int64_t ms;
		uint16_t node;
	} rows[5] = {{AB_STATE_BANNED, -4000, 2}, {AB_STATE_UNBANNED, -3000, 1},
			{AB_STATE_BANNED, -1000, 1}, {AB_STATE_UNBANNED, -1000, 2},
			{AB_STATE_BANNED, -2000, 9}};
	struct outcome first;
	unsigned n, i, last;

	(void)state;
	for(last = 1; last <= 5; last++) {
		for(n = 0; n < 120; n++) {
			struct one o;
			unsigned order[5];
			struct outcome got;

			permute(n, order);
			open_one(&o);
			for(i = 0; i < 10; i++) { /* each comes twice */
				unsigned r = order[i % 5];
				struct ab_change c = change_of(rows[r].state,
						version_at(&o, rows[r].ms, rows[r].node));

				if(r >= last)
					continue;
				c.seconds = 100 + r;
				c.reason = (uint16_t)(10 + r);
				c.origin = (uint16_t)(20 + r);
				c.repeats =
						(uint8_t)(rows[r].state == AB_STATE_BANNED ? r + 1 : 0);
				ab_entry_change(&o.s, &o.set, &o.now, &c);
			}
			got = outcome_of(&o);
			if(n == 0)
				first = got;
			expect(memcmp(&first, &got, sizeof(got)) == 0,
					"the first %u records in order %u", last, n);
		}
		assert_int_equal(first.reason, 10 + (last > 4 ? 3 : last - 1));
	}
}

static void a_repeated_record_takes_no_effect(void **state)
{
	struct one *o = *state;
	uint64_t v = version_at(o, 0, 7);

	assert_true(apply(o, AB_STATE_BANNED, v));
	pass(o, 10);
	assert_false(apply(o, AB_STATE_BANNED, v));
	assert_int_equal(view(o).ttl, 590);
	assert_false(apply(o, AB_STATE_UNBANNED, v));
	assert_int_equal(view(o).state, AB_STATE_BANNED);
}

static void only_what_was_made_here_is_to_be_sent(void **state)
{
	struct one *o = *state;

	apply(o, AB_STATE_BANNED, version_at(o, 0, 7));
	assert_int_equal(view(o).flags, 0);
	apply(o, AB_STATE_UNBANNED, 0);
	assert_int_equal(view(o).flags, AB_UNSENT_STATE);
	count(o, 0, 1);
	assert_int_equal(view(o).flags, AB_UNSENT_STATE | AB_UNSENT_COUNT);
}

static void a_ban_heard_of_brings_its_evidence(void **state)
{
	struct one *o = *state;
	struct ab_change c = change_of(AB_STATE_BANNED, version_at(o, -9000, 7));

	count(o, 0, 2);
	c.failures = 9;
	c.distinct = 0x1f;
	c.ago = 9;
	assert_true(ab_entry_change(&o->s, &o->set, &o->now, &c));
	assert_int_equal(view(o).failures, 9);
	assert_int_equal(view(o).users, 5);
	assert_int_equal(view(o).age, 9);
}

static void worth_grows_with_what_would_be_lost(void **state)
{
	struct one *o = *state;
	struct ab_others others = {.wstart = BOX_CLUSTER_S, .count = {1, 0}};
	static const enum ab_worth expected[] = {AB_WORTH_ONE_FAILURE,
			AB_WORTH_ONE_UNSENT, AB_WORTH_FAILURES, AB_WORTH_UNSENT,
			AB_WORTH_REMEMBERED, AB_WORTH_UNBANNED, AB_WORTH_BANNED};
	enum ab_worth w[7];
	int n;

#define WORTH() ab_entry_worth(&o->s, &o->set, &o->now)
	ab_entry_merge(&o->s, &o->set, &o->now, &others);
	w[0] = WORTH();
	o->e.flags = AB_UNSENT_COUNT;
	w[1] = WORTH();
	count(o, 0, 1);
	o->e.flags = 0;
	w[2] = WORTH();
	o->e.flags = AB_INFLIGHT_COUNT;
	w[3] = WORTH();
	apply(o, AB_STATE_BANNED, 1);
	pass(o, 2000);
	ab_entry_refresh(&o->s, &o->set, &o->now);
	w[4] = WORTH();
	apply(o, AB_STATE_UNBANNED, 0);
	w[5] = WORTH();
	apply(o, AB_STATE_BANNED, 0);
	w[6] = WORTH();
	for(n = 0; n < 7; n++)
		assert_int_equal(w[n], expected[n]);
	o->e.flags = 0;
	pass(o, 600 + 2 * 600 + (uint32_t)o->set.memory);
	assert_int_equal(WORTH(), AB_WORTH_NOTHING);
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(a_new_entry_has_nothing_of_its_predecessor),
			T(an_entry_matches_its_key_alone),
			T(counts_slide_out_after_two_windows),
			T(a_view_changes_nothing),
			T(what_was_counted_stays_when_the_clock_steps_back),
			T(counters_do_not_wrap),
			T(users_are_counted_once_each_over_both_windows),
			T(sums_of_others_only_grow_within_a_window),
			T(an_answer_that_comes_after_the_turn_counts_for_its_window),
			T(a_live_ban_shows_the_counts_that_made_it),
			T(after_a_ban_counts_begin_anew),
			T(a_ban_is_remembered_for_memory_after_its_end),
			T(an_unban_clears_counts_and_repeats),
			T(a_state_made_here_is_later_than_every_known_one),
			T(the_latest_version_wins_in_every_order_of_arrival),
			T(a_repeated_record_takes_no_effect),
			T(only_what_was_made_here_is_to_be_sent),
			T(a_ban_heard_of_brings_its_evidence),
			T(worth_grows_with_what_would_be_lost),
	};

	return cmocka_run_group_tests_name("entry", tests, NULL, NULL);
}
