/*
 * authban: unit tests of sync with wiped stores, restarts, full tables,
 * hostile bytes and clocks that differ
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fleet.h"

#include <string.h>

static struct fleet fleet;

static int setup(void **state)
{
	fleet_open(&fleet, 1024);
	*state = &fleet;
	return 0;
}

static int setup_tiny(void **state)
{
	fleet_open(&fleet, AB_TABLE_MIN);
	*state = &fleet;
	return 0;
}

static int teardown(void **state)
{
	fleet_close(*state);
	return 0;
}

static void fail_on(
		struct fleet *f, unsigned i, const struct ab_key *key, uint32_t n)
{
	box_fail_as(&f->p[i].b, key, 0, n);
}

static uint32_t failures(struct fleet *f, unsigned i, const struct ab_key *key)
{
	return box_view(&f->p[i].b, key).failures;
}

static void a_wiped_store_gets_everything_back(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1), ban = key_v4(2), unban = key_v4(3);
	unsigned i;

	for(i = 0; i < FLEET; i++)
		fail_on(f, i, &key, 2);
	box_ban(&f->p[0].b, &ban, 600);
	box_ban(&f->p[0].b, &unban, 600);
	box_unban(&f->p[0].b, &unban);
	fleet_settle(f);
	store_wipe(&f->store);
	for(i = 0; i < FLEET; i++)
		assert_true(proxy_push(&f->p[i]));
	proxy_restart(f, 2);
	assert_int_equal(box_check(&f->p[2].b, &ban), AB_STATE_BANNED);
	assert_int_equal(box_view(&f->p[2].b, &unban).state, AB_STATE_UNBANNED);
	fail_on(f, 2, &key, 1);
	assert_true(proxy_push(&f->p[2]));
	/* 2 of each of the three, and the new one */
	assert_int_equal(failures(f, 2, &key), 7);
}

static void what_a_proxy_counted_before_its_restart_still_counts_once(
		void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);

	fail_on(f, 0, &key, 3);
	assert_true(proxy_push(&f->p[0]));
	proxy_restart(f, 0);
	assert_int_equal(failures(f, 0, &key), 0);
	fail_on(f, 0, &key, 1);
	assert_true(proxy_push(&f->p[0]));
	assert_int_equal(failures(f, 0, &key), 4);
	fail_on(f, 1, &key, 1);
	fleet_settle(f);
	assert_int_equal(failures(f, 0, &key), 5);
	assert_int_equal(failures(f, 1, &key), 5);
}

static void a_restarted_proxy_blocks_what_was_banned_before(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1), over = key_v4(2);
	struct ab_view v;

	fail_on(f, 0, &key, 8);
	box_ban(&f->p[0].b, &over, 10);
	assert_true(proxy_push(&f->p[0]));
	fleet_pass(f, 100);
	proxy_restart(f, 1);
	assert_int_equal(box_check(&f->p[1].b, &key), AB_STATE_BANNED);
	assert_int_equal(box_check(&f->p[1].b, &over), AB_STATE_NONE);
	v = box_view(&f->p[1].b, &key);
	assert_in_range(v.age, 99, 101);
	assert_in_range(v.ttl, box_view(&f->p[0].b, &key).ttl,
			box_view(&f->p[0].b, &key).ttl + 1);
	assert_int_equal(v.failures, 8);
	assert_int_equal(v.repeats, 1);
}

/* Others crowd a tiny table until a key has no entry in it: nobody twice, since nothing
 * gives way to those who fail often enough to be banned. */
static void evict(struct fleet *f, unsigned i, const struct ab_key *key)
{
	static uint32_t others;
	uint32_t n;

	for(n = 0; n < 100000; n++) {
		struct ab_key other = key_v4(0x10000000 + others++);

		if(box_view(&f->p[i].b, key).key.kind == AB_KIND_FREE)
			return;
		fail_on(f, i, &other, 2);
	}
	fail_msg("the key was never evicted");
}

static void an_evicted_entry_keeps_its_share_in_the_store(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);

	fail_on(f, 0, &key, 3);
	assert_true(proxy_push(&f->p[0]));
	evict(f, 0, &key);
	fleet_pass(f, 1);
	assert_true(proxy_push(&f->p[0]));
	fail_on(f, 0, &key, 1);
	assert_true(proxy_push(&f->p[0]));
	assert_int_equal(failures(f, 0, &key), 4);
	fail_on(f, 1, &key, 1);
	assert_true(proxy_push(&f->p[1]));
	assert_int_equal(failures(f, 1, &key), 5);
}

static void an_entry_evicted_within_a_second_keeps_its_share_too(void **state)
{
	struct fleet *f = *state;
	struct ab_key key;
	uint32_t n, made, round;

	/* full, as under a flood */
	for(n = 0; n < 1000; n++) {
		key = key_v4(0x00200000 + n);
		fail_on(f, 0, &key, 1);
	}
	assert_true(proxy_push(&f->p[0]));
	key = key_v4(1);
	for(round = 1; round <= 7; round++) {
		fail_on(f, 0, &key, 1);
		made = box_view(&f->p[0].b, &key).incarnation;
		assert_true(proxy_push(&f->p[0]));
		expect(failures(f, 0, &key) == round,
				"%u failures, not %u; incarnation %u", failures(f, 0, &key),
				round, made);
		evict(f, 0, &key);
		assert_true(proxy_push(&f->p[0]));
	}
}

static void what_nobody_has_yet_is_not_evicted_for_one_failure(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);
	uint32_t n;

	/* many entries that the store knows: these have to give way first */
	for(n = 0; n < 1000; n++) {
		struct ab_key other = key_v4(0x00200000 + n);

		fail_on(f, 0, &other, 1);
	}
	assert_true(proxy_push(&f->p[0]));
	fail_on(f, 0, &key, 1);
	for(n = 0; n < 4; n++) {
		struct ab_key other = key_v4(0x00300000 + n);

		fail_on(f, 0, &other, 1);
	}
	assert_int_equal(failures(f, 0, &key), 1);
}

static void a_restored_ban_is_sent_unless_the_store_has_it(void **state)
{
	static const struct ab_wire unsigned_wire;
	struct fleet *f = *state;
	struct proxy *p = &f->p[0];
	struct ab_key key = key_v4(1);
	uint8_t kept[AB_WIRE_STATE_MAX];
	struct record known;
	struct ab_view v;
	size_t len;
	int there;

	box_ban(&p->b, &key, 60);
	assert_true(proxy_push(p));
	known = f->store.log[0];
	v = box_view(&p->b, &key);
	len = ab_sync_record(
			&unsigned_wire, ab_table_names(&p->b.table), &p->b.now, &v, kept);
	for(there = 0; there < 2; there++) {
		store_wipe(&f->store);
		proxy_restart(f, 0);
		assert_true(ab_sync_restore(&p->s, &p->b.now, kept, len));
		if(there)
			ab_sync_apply(&p->s, &p->b.now, known.bytes, known.len);
		assert_true(proxy_push(p));
		assert_int_equal(f->store.n_map, there ? 0 : 1);
		assert_int_equal(f->store.n_log, there ? 0 : 1);
		assert_int_equal(box_check(&p->b, &key), AB_STATE_BANNED);
	}
}

static uint64_t dropped(const struct proxy *p)
{
	uint64_t n = 0;
	int i;

	for(i = 0; i < AB_WIRE_RESULTS; i++)
		n += p->s.stats.dropped[i];
	return n;
}

static void hostile_shares_are_dropped_and_counted(void **state)
{
	struct fleet *f = *state;
	struct rng r = rng_of(77);
	struct ab_key key = key_v4(1);
	char at[AB_WIRE_KEY_MAX];
	uint32_t i, k;

	fail_on(f, 0, &key, 2);
	assert_true(proxy_push(&f->p[0]));
	ab_wire_count_key(&f->p[0].s.wire, &key, 600, BOX_CLUSTER_S, at);
	for(i = 0; i < 500; i++) {
		struct cell *c = &f->store.shares[f->store.n_shares++];

		*c = f->store.shares[0];
		c->field[c->field_len - 6] ^= 0x55; /* another node */
		switch(i % 3) {
			case 0: /* a true record of another place */
				break;
			case 1: /* noise of the right length */
				for(k = 0; k < c->len; k++)
					c->value[k] = (uint8_t)rng_next(&r);
				break;
			default: /* noise of any length, in field and value */
				c->len = rng_below(&r, AB_WIRE_STATE_MAX);
				for(k = 0; k < c->len; k++)
					c->value[k] = (uint8_t)rng_next(&r);
				c->field_len = 6 + rng_below(&r, AB_WIRE_FIELD_MAX - 5);
		}
	}
	fail_on(f, 1, &key, 1);
	assert_true(proxy_push(&f->p[1]));
	assert_int_equal(failures(f, 1, &key), 3);
	assert_int_equal(dropped(&f->p[1]), 500);
}

static void a_share_of_a_longer_address_does_not_count_for_a_shorter(
		void **state)
{
	struct fleet *f = *state;
	struct ab_key v4 = key_of("32.1.13.184"), v6 = key_of("2001:db8::");
	uint32_t n;

	/* the head of this one's field is the field of the other */
	for(n = 0; ab_wire_count_bucket(&v6) != ab_wire_count_bucket(&v4); n++)
		memcpy(v6.addr.b + 12, &n, sizeof(n));
	fail_on(f, 0, &v6, 7);
	assert_true(proxy_push(&f->p[0]));
	fail_on(f, 1, &v4, 1);
	assert_true(proxy_push(&f->p[1]));
	assert_int_equal(failures(f, 1, &v4), 1);
	assert_int_equal(box_check(&f->p[1].b, &v4), AB_STATE_NONE);
}

static void hostile_states_are_dropped_and_counted(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);
	struct rng r = rng_of(78);
	struct record one, bad;
	uint32_t i, k, n = 0;

	box_ban(&f->p[0].b, &key, 60);
	assert_true(proxy_push(&f->p[0]));
	one = f->store.log[0];
	for(i = 0; i < 8 * one.len; i++, n++) {
		bad = one;
		bad.bytes[i / 8] ^= (uint8_t)(1u << (i % 8));
		ab_sync_apply(&f->p[1].s, &f->p[1].b.now, bad.bytes, bad.len);
	}
	for(i = 0; i < one.len; i++, n++)
		ab_sync_apply(&f->p[1].s, &f->p[1].b.now, one.bytes, i);
	for(i = 0; i < 10000; i++, n++) {
		bad.len = rng_below(&r, AB_WIRE_STATE_MAX + 1);
		for(k = 0; k < bad.len; k++)
			bad.bytes[k] = (uint8_t)rng_next(&r);
		ab_sync_apply(&f->p[1].s, &f->p[1].b.now, bad.bytes, bad.len);
	}
	assert_int_equal(dropped(&f->p[1]), n);
	assert_int_equal(f->p[1].s.stats.states_applied, 0);
	assert_int_equal(box_walk(&f->p[1].b), 0);
	ab_sync_apply(&f->p[1].s, &f->p[1].b.now, one.bytes, one.len);
	assert_int_equal(box_check(&f->p[1].b, &key), AB_STATE_BANNED);
}

static bool apply_record(struct proxy *p, const struct ab_wire_state *rec)
{
	uint8_t bytes[AB_WIRE_STATE_MAX];
	size_t len = ab_wire_state_write(&p->s.wire, rec, bytes);

	return ab_sync_apply(&p->s, &p->b.now, bytes, len);
}

static void a_record_that_cannot_be_is_refused(void **state)
{
	struct fleet *f = *state;
	struct proxy *p = &f->p[0];
	uint64_t now = p->b.now.cluster_ms;
	struct ab_wire_state rec = {.key = key_v4(1),
			.state = AB_STATE_BANNED,
			.version = (now + UINT64_C(2) * 86400000) << 16 | 1,
			.begin = now,
			.end = now + 60000};

	/* a version so far ahead could never be undone */
	apply_record(p, &rec);
	assert_int_equal(p->s.stats.dropped[AB_WIRE_RANGE], 1);
	assert_int_equal(box_walk(&p->b), 0);
	/* over for two windows: no news, no entry */
	rec.version = (now - 9000000) << 16 | 1;
	rec.begin = now - 9000000;
	rec.end = now - 2000 * (uint64_t)p->b.set.window;
	assert_false(apply_record(p, &rec));
	assert_int_equal(box_walk(&p->b), 0);
	/* over, but shares from before it may still be read: no news */
	rec.end = now;
	assert_true(apply_record(p, &rec));
	assert_int_equal(p->news, 0);
	assert_int_equal(box_check(&p->b, &rec.key), AB_STATE_NONE);
	rec.version = (now - 80000) << 16 | 1;
	/* for ever is cut to what a ban may last */
	rec.end = UINT64_MAX;
	assert_true(apply_record(p, &rec));
	assert_int_equal(box_view(&p->b, &rec.key).ttl, p->b.set.ban_time_max);
	rec.version = (now - 70000) << 16 | 1;
	rec.proof = AB_PROOF_OPERATOR;
	assert_true(apply_record(p, &rec));
	assert_int_equal(box_view(&p->b, &rec.key).ttl, 30 * 86400);
}

static void a_reason_from_elsewhere_is_cleaned(void **state)
{
	struct fleet *f = *state;
	struct proxy *p = &f->p[0];
	uint64_t now = p->b.now.cluster_ms;
	struct ab_wire_state rec = {.key = key_v4(1),
			.state = AB_STATE_BANNED,
			.version = now << 16 | 1,
			.begin = now,
			.end = now + 60000,
			.reason = "a\nb \"c\\\x80",
			.origin = "node"};
	struct ab_view v;

	apply_record(p, &rec);
	v = box_view(&p->b, &rec.key);
	assert_string_equal(
			ab_names_text(ab_table_names(&p->b.table), v.reason), "a_b__c__");
	assert_string_equal(
			ab_names_text(ab_table_names(&p->b.table), v.origin), "node");
}

static void the_first_contact_moves_counts_into_the_cluster_s_windows(
		void **state)
{
	static const int64_t steps[] = {-7200000, -1000, 0, 1000, 5000000};
	struct fleet *f = *state;
	struct ab_key key = key_v4(1), ban = key_v4(2);
	size_t i;

	for(i = 0; i < COUNT_OF(steps); i++) {
		struct proxy *p = &f->p[0];
		int64_t old = 1234;

		proxy_restart(f, 0);
		store_wipe(&f->store);
		p->b.now.cluster_ms = (uint64_t)BOX_CLUSTER_S * 1000 + 300000;
		ab_table_set_clock_offset(&p->b.table, old);
		fail_on(f, 0, &key, 5);
		box_ban(&p->b, &ban, 60);
		ab_sync_clock(&p->s, &p->b.now, old + steps[i], true);
		assert_int_equal(ab_table_clock_offset(&p->b.table), old + steps[i]);
		p->b.now.cluster_ms += (uint64_t)steps[i];
		assert_int_equal(failures(f, 0, &key), 5);
		assert_int_equal(box_check(&p->b, &ban), AB_STATE_BANNED);
		assert_true(proxy_push(p));
		/* and there others find them */
		f->p[1].b.now = p->b.now;
		proxy_restart(f, 1);
		fail_on(f, 1, &key, 1);
		assert_true(proxy_push(&f->p[1]));
		expect(failures(f, 1, &key) == 6, "step %d ms: %u", (int)steps[i],
				failures(f, 1, &key));
		assert_int_equal(box_check(&f->p[1].b, &ban), AB_STATE_BANNED);
	}
}

static void later_steps_of_the_clock_are_slewed(void **state)
{
	struct fleet *f = *state;
	struct proxy *p = &f->p[0];

	ab_table_set_clock_offset(&p->b.table, 0);
	ab_sync_clock(&p->s, &p->b.now, 1200, false);
	assert_int_equal(ab_table_clock_offset(&p->b.table), 500);
	ab_sync_clock(&p->s, &p->b.now, 1200, false);
	ab_sync_clock(&p->s, &p->b.now, 1200, false);
	assert_int_equal(ab_table_clock_offset(&p->b.table), 1200);
	ab_sync_clock(&p->s, &p->b.now, -5000, false);
	assert_int_equal(ab_table_clock_offset(&p->b.table), 700);
}

static void an_alone_proxy_marks_and_sends_nothing(void **state)
{
	struct fleet *f = *state;
	struct ab_key key = key_v4(1);

	ab_table_set_clustered(&f->p[0].b.table, false);
	fail_on(f, 0, &key, 8);
	assert_false(ab_table_has_dirty(&f->p[0].b.table));
	assert_true(proxy_push(&f->p[0]));
	assert_int_equal(f->store.exchanges, 0);
	assert_int_equal(box_check(&f->p[0].b, &key), AB_STATE_BANNED);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TINY(f) cmocka_unit_test_setup_teardown(f, setup_tiny, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(a_wiped_store_gets_everything_back),
			T(what_a_proxy_counted_before_its_restart_still_counts_once),
			T(a_restarted_proxy_blocks_what_was_banned_before),
			TINY(an_evicted_entry_keeps_its_share_in_the_store),
			TINY(an_entry_evicted_within_a_second_keeps_its_share_too),
			TINY(what_nobody_has_yet_is_not_evicted_for_one_failure),
			T(a_restored_ban_is_sent_unless_the_store_has_it),
			T(hostile_shares_are_dropped_and_counted),
			T(a_share_of_a_longer_address_does_not_count_for_a_shorter),
			T(hostile_states_are_dropped_and_counted),
			T(a_record_that_cannot_be_is_refused),
			T(a_reason_from_elsewhere_is_cleaned),
			T(the_first_contact_moves_counts_into_the_cluster_s_windows),
			T(later_steps_of_the_clock_are_slewed),
			T(an_alone_proxy_marks_and_sends_nothing),
	};

	return cmocka_run_group_tests_name("sync_faults", tests, NULL, NULL);
}
