/*
 * authban: unit tests of the outgoing queue in the table itself
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "unit.h"

#include <string.h>

static int setup(void **state)
{
	static struct box b;

	box_open(&b, 16384);
	ab_table_set_clustered(&b.table, true);
	*state = &b;
	return 0;
}

static int teardown(void **state)
{
	box_close(*state);
	return 0;
}

static size_t take(struct box *b, struct ab_view *out, size_t max)
{
	return ab_table_take_dirty(&b->table, &b->set, &b->now, out, max);
}

static void settle(struct box *b, const struct ab_key *key, bool sent)
{
	ab_table_settle(&b->table, key, &b->set, &b->now, sent);
}

static uint32_t number_of(const struct ab_view *v)
{
	return (uint32_t)v->key.addr.b[13] << 16 | (uint32_t)v->key.addr.b[14] << 8
		   | v->key.addr.b[15];
}

static void each_dirty_entry_is_taken_once(void **state)
{
	struct box *b = *state;
	static uint8_t taken[3000];
	struct ab_view out[64];
	uint32_t i, total = 0;
	size_t n, k;

	memset(taken, 0, sizeof(taken));
	for(i = 0; i < 3000; i++) {
		struct ab_key key = key_v4(i);

		box_fail(b, &key);
		box_fail(b, &key);
	}
	assert_true(ab_table_has_dirty(&b->table));
	assert_int_equal(ab_table_pending(&b->table), 3000);
	while((n = take(b, out, 1 + total % 64)) > 0)
		for(k = 0; k < n; k++, total++) {
			taken[number_of(&out[k])]++;
			assert_int_equal(out[k].flags, AB_INFLIGHT_COUNT);
			assert_int_equal(out[k].own[0], 2);
			settle(b, &out[k].key, true);
		}
	for(i = 0; i < 3000; i++)
		expect(taken[i] == 1, "entry %u was taken %u times", i, taken[i]);
	assert_false(ab_table_has_dirty(&b->table));
	assert_int_equal(ab_table_pending(&b->table), 0);
}

static void what_was_not_sent_comes_again(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);
	struct ab_view out[4];

	box_fail_as(b, &key, 0, 8); /* a count and a ban */
	assert_int_equal(take(b, out, 4), 1);
	assert_int_equal(out[0].flags, AB_INFLIGHT_COUNT | AB_INFLIGHT_STATE);
	assert_int_equal(take(b, out, 4), 0);
	settle(b, &key, false);
	assert_int_equal(take(b, out, 4), 1);
	assert_int_equal(out[0].flags, AB_INFLIGHT_COUNT | AB_INFLIGHT_STATE);
	settle(b, &key, true);
	assert_int_equal(take(b, out, 4), 0);
	assert_int_equal(box_view(b, &key).flags, 0);
}

static void what_comes_during_a_batch_goes_with_the_next(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);
	struct ab_view out[4];

	box_fail(b, &key);
	assert_int_equal(take(b, out, 4), 1);
	box_fail(b, &key);
	settle(b, &key, true);
	assert_int_equal(take(b, out, 4), 1);
	assert_int_equal(out[0].own[0], 2);
	settle(b, &key, true);
	assert_int_equal(ab_table_pending(&b->table), 0);
}

static void all_that_lives_can_be_marked_again(void **state)
{
	struct box *b = *state;
	struct ab_key one = key_v4(1), ban = key_v4(2), unban = key_v4(3),
				  dry = key_v4(4), over = key_v4(5), late = key_v4(6);
	struct ab_view out[16];
	size_t n, i;

	box_fail(b, &over);
	box_pass(b, 1200);
	box_fail(b, &one);
	box_ban(b, &ban, 600);
	box_ban(b, &unban, 600);
	box_unban(b, &unban);
	box_ban(b, &late, 1);
	b->set.mode = AB_MODE_DRY_RUN;
	box_fail_as(b, &dry, 0, 8);
	box_pass(b, 1);
	n = take(b, out, 16);
	for(i = 0; i < n; i++)
		settle(b, &out[i].key, true);
	assert_int_equal(take(b, out, 16), 0);
	assert_int_equal(ab_table_mark_all(&b->table, &b->set, &b->now), 4);
	assert_int_equal(take(b, out, 16), 4);
	for(i = 0; i < 4; i++) {
		static const uint8_t want[5] = {0, AB_INFLIGHT_COUNT, AB_INFLIGHT_STATE,
				AB_INFLIGHT_STATE, AB_INFLIGHT_COUNT};

		assert_in_range(number_of(&out[i]), 1, 4);
		expect(out[i].flags == want[number_of(&out[i])], "entry %u: %u",
				number_of(&out[i]), out[i].flags);
	}
}

static void the_first_mark_after_falling_asleep_wakes(void **state)
{
	struct box *b = *state;

	assert_false(ab_table_must_wake(&b->table));
	ab_table_sync_sleeps(&b->table);
	assert_true(ab_table_must_wake(&b->table));
	assert_false(ab_table_must_wake(&b->table));
	ab_table_sync_sleeps(&b->table);
	ab_table_set_clustered(&b->table, false);
	assert_false(ab_table_must_wake(&b->table));
	assert_false(ab_table_clustered(&b->table));
}

static void an_evicted_entry_is_not_sent(void **state)
{
	struct box *b = *state, tiny;
	struct ab_view out[64];
	size_t n, k;
	uint32_t i, total = 0;

	(void)b;
	box_open(&tiny, AB_TABLE_MIN);
	ab_table_set_clustered(&tiny.table, true);
	for(i = 0; i < 5000; i++) {
		struct ab_key key = key_v4(i);

		box_fail(&tiny, &key);
	}
	while((n = take(&tiny, out, 64)) > 0)
		for(k = 0; k < n; k++, total++)
			assert_int_equal(out[k].own[0], 1);
	assert_int_equal(total, box_walk(&tiny));
	assert_int_equal(ab_table_pending(&tiny.table), total);
	/* settling what was evicted meanwhile harms nobody */
	for(i = 0; i < 5000; i++) {
		struct ab_key key = key_v4(i);

		settle(&tiny, &key, true);
	}
	assert_int_equal(ab_table_pending(&tiny.table), 0);
	box_close(&tiny);
}

/* The table is said to hold `capacity`: what of it is usable? */
static void half_a_table_fills_with_hardly_an_eviction(void **state)
{
	struct box *b = *state;
	struct ab_table_stats st;
	uint32_t i;

	for(i = 0; i < 16384 / 2; i++) {
		struct ab_key key = key_v4(i);

		box_fail(b, &key);
	}
	ab_table_get_stats(&b->table, &st);
	expect(st.evictions < 16384 / 2 / 200, "%llu evictions at half",
			(unsigned long long)st.evictions);
	for(; i < 16384; i++) {
		struct ab_key key = key_v4(i);

		box_fail(b, &key);
	}
	ab_table_get_stats(&b->table, &st);
	expect(st.entries > 16384 * 85 / 100, "%u entries", st.entries);
	assert_int_equal(st.entries + st.evictions, 16384);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(each_dirty_entry_is_taken_once),
			T(what_was_not_sent_comes_again),
			T(what_comes_during_a_batch_goes_with_the_next),
			T(all_that_lives_can_be_marked_again),
			T(the_first_mark_after_falling_asleep_wakes),
			T(an_evicted_entry_is_not_sent),
			T(half_a_table_fills_with_hardly_an_eviction),
	};

	return cmocka_run_group_tests_name("table_queue", tests, NULL, NULL);
}
