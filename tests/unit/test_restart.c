/*
 * authban: unit tests of what a proxy knows after a restart
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "unit.h"

#include "ab_good.h"
#include "ab_sync.h"

#include <stdlib.h>
#include <string.h>

#define FACTS 65536u
#define GOOD_TIME 86400u

static const struct ab_wire unsigned_wire;

/* --- facts --- */

static struct ab_recent *new_set(uint32_t slots)
{
	struct ab_recent *r = malloc(ab_recent_bytes(slots));

	assert_non_null(r);
	ab_recent_init(r, slots);
	return r;
}

/* From one set into another; returns how many facts went. */
static uint32_t move_facts(const struct ab_recent *from, uint32_t then,
		struct ab_recent *to, uint32_t now, uint32_t elapsed)
{
	struct ab_fact row[16];
	uint32_t at = 0, n = 0;
	size_t got, i;

	while(at < from->lines) {
		got = ab_recent_list(from, &at, then, GOOD_TIME, row, 16);
		for(i = 0; i < got; i++) {
			row[i].age += elapsed;
			n += ab_recent_restore(to, from->lines, &row[i], now, GOOD_TIME);
		}
	}
	return n;
}

static void facts_are_known_in_sets_of_every_size(void **state)
{
	static const uint32_t sizes[] = {FACTS / 16, FACTS, FACTS * 16};
	struct ab_recent *from = new_set(FACTS);
	struct ab_good good = {.facts = from, .key = {3, 1, 4}};
	struct ab_party p = {.user = 5, .flow = 6};
	uint32_t i, k;

	(void)state;
	for(i = 0; i < 1000; i++) {
		struct ab_key key = key_v4(i);

		p.source = (struct ab_prefix){key.addr, key.plen};
		/* the clock of the machine came round before */
		ab_good_success(&good, &p, 5000 + i, GOOD_TIME);
	}
	for(k = 0; k < COUNT_OF(sizes); k++) {
		struct ab_recent *to = new_set(sizes[k]);
		struct ab_good after = {.facts = to, .key = {3, 1, 4}};
		uint32_t known = 0;

		/* 50 s after a reboot */
		assert_int_equal(move_facts(from, 6000, to, 50, 60), 3000);
		for(i = 0; i < 1000; i++) {
			struct ab_key key = key_v4(i);

			p.source = (struct ab_prefix){key.addr, key.plen};
			known += ab_good_source(&after, &p.source, 50, GOOD_TIME)
					 && ab_good_pair(&after, &p.source, 5, 50, GOOD_TIME)
					 && ab_good_flow(&after, &p, 50, GOOD_TIME);
			assert_false(ab_good_pair(&after, &p.source, 7, 50, GOOD_TIME));
			/* it was made at 5000 + i, seen again 60 s after 6000 */
			assert_false(ab_good_source(
					&after, &p.source, 50 + GOOD_TIME, GOOD_TIME));
		}
		/* a small set is full and forgets the oldest */
		assert_in_range(known, k == 0 ? 900 : 1000, 1000);
		free(to);
	}
	free(from);
}

static void ages_go_on_over_a_restart(void **state)
{
	struct ab_recent *from = new_set(64), *to = new_set(64);

	(void)state;
	ab_recent_touch(from, UINT64_C(0x123456789a) << 24, 1000, GOOD_TIME);
	assert_int_equal(move_facts(from, 1100, to, 7, 300), 1);
	assert_true(ab_recent_has(to, UINT64_C(0x123456789a) << 24, 7, 401));
	assert_false(ab_recent_has(to, UINT64_C(0x123456789a) << 24, 7, 400));
	/* too old by now */
	ab_recent_init(to, 64);
	assert_int_equal(move_facts(from, 1100, to, 7, GOOD_TIME - 100), 0);
	free(from);
	free(to);
}

static void a_younger_fact_stays(void **state)
{
	struct ab_recent *to = new_set(8);
	struct ab_fact f = {.line = 0};
	uint32_t i;

	(void)state;
	for(i = 1; i <= 8; i++)
		ab_recent_touch(to, (uint64_t)i << 24, 1000, GOOD_TIME);
	for(i = 1; i <= 16; i++) {
		f.name = i;
		f.age = 50;
		assert_true(ab_recent_restore(to, 1, &f, 1000, GOOD_TIME));
	}
	for(i = 1; i <= 8; i++)
		assert_true(ab_recent_has(to, (uint64_t)i << 24, 1000, 1));
	free(to);
}

static void facts_that_cannot_be_are_refused(void **state)
{
	struct ab_recent *to = new_set(FACTS);
	struct ab_fact good = {.name = 1, .line = 8191, .age = 5}, f;

	(void)state;
	assert_true(ab_recent_restore(to, 8192, &good, 9, GOOD_TIME));
	f = good;
	f.line = 8192;
	assert_false(ab_recent_restore(to, 8192, &f, 9, GOOD_TIME));
	assert_false(ab_recent_restore(to, 0, &good, 9, GOOD_TIME));
	assert_false(ab_recent_restore(to, 1, &good, 9, GOOD_TIME));
	f = good;
	f.line = 0;
	assert_false(ab_recent_restore(to, 1, &f, 9, GOOD_TIME));
	f = good;
	f.name = UINT64_C(1) << 40;
	assert_false(ab_recent_restore(to, 8192, &f, 9, GOOD_TIME));
	f = good;
	f.age = GOOD_TIME;
	assert_false(ab_recent_restore(to, 8192, &f, 9, GOOD_TIME));
	free(to);
}

/* --- states --- */

struct side
{
	struct box b;
	struct ab_sync s;
};

static void open_side(struct side *x)
{
	memset(x, 0, sizeof(*x));
	box_open(&x->b, 4096);
	x->s.table = &x->b.table;
	x->s.set = &x->b.set;
	x->s.node = x->b.node;
}

/* What a snapshot keeps of one table, put into another `seconds` later. */
static uint32_t carry_over(struct side *from, struct side *to, uint32_t seconds)
{
	struct ab_names *names = ab_table_names(&from->b.table);
	struct ab_view row[64];
	struct ab_cursor at = {0};
	uint8_t record[AB_WIRE_STATE_MAX];
	struct ab_now then = from->b.now;
	uint32_t n = 0;
	size_t got, i, len;

	to->b.now.cluster_ms = then.cluster_ms + 1000 * (uint64_t)seconds;
	while((got = ab_table_walk(
				   &from->b.table, &at, &from->b.set, &then, row, 64))
			> 0)
		for(i = 0; i < got; i++) {
			if(!ab_sync_is_kept(&row[i]))
				continue;
			len = ab_sync_record(&unsigned_wire, names, &then, &row[i], record);
			n += ab_sync_restore(&to->s, &to->b.now, record, len);
		}
	return n;
}

static struct side before, after;

static int open_sides(void **state)
{
	(void)state;
	open_side(&before);
	open_side(&after);
	after.b.now.mono = 3; /* of a machine that has just started */
	return 0;
}

static int close_sides(void **state)
{
	(void)state;
	box_close(&before.b);
	box_close(&after.b);
	return 0;
}

static void states_are_known_after_a_restart(void **state)
{
	struct ab_judge j = box_judge(&before.b);
	struct ab_prefix p = prefix_of("192.0.2.7"), net = prefix_of("10.9.8.0/24");
	struct ab_key source = key_of("192.0.2.1"), lifted = key_of("192.0.2.2");
	struct ab_key pair = ab_key_pair(&p, 99), user = ab_key_user(98);
	struct ab_key network = ab_key_network(&net), allow = ab_key_allow(&net);
	struct ab_key quiet = key_of("192.0.2.3");
	struct ab_judgement out;
	struct ab_view v;
	uint64_t version;

	(void)state;
	box_ban(&before.b, &source, 600);
	version = box_view(&before.b, &source).version;
	box_ban(&before.b, &lifted, 600);
	box_unban(&before.b, &lifted);
	box_ban(&before.b, &pair, 600);
	box_ban(&before.b, &user, 600);
	box_ban(&before.b, &network, 600);
	ab_judge_allow(&j, &allow, AB_REASON_OPERATOR, 0, &out);
	box_fail(&before.b, &quiet);
	assert_int_equal(carry_over(&before, &after, 100), 6);
	v = box_view(&after.b, &source);
	assert_int_equal(v.state, AB_STATE_BANNED);
	assert_true(v.version == version);
	assert_in_range(v.ttl, 500, 501);
	assert_int_equal(v.age, 100);
	assert_string_equal(ab_names_text(ab_table_names(&after.b.table), v.reason),
			"operator");
	assert_int_equal(box_check(&after.b, &source), AB_STATE_BANNED);
	assert_int_equal(box_view(&after.b, &lifted).state, AB_STATE_UNBANNED);
	assert_int_equal(box_view(&after.b, &pair).state, AB_STATE_BANNED);
	assert_true(ab_table_check(&after.b.table, &p.addr, &p, after.b.now.mono)
						.pairs);
	assert_true(ab_table_users(&after.b.table, after.b.now.mono));
	assert_true(ab_table_networks(&after.b.table, after.b.now.mono));
	assert_true(ab_table_allowed(
			&after.b.table, &net.addr, after.b.now.mono, NULL));
	assert_int_equal(box_view(&after.b, &quiet).own[0], 0);
}

static void what_is_over_does_not_come_back(void **state)
{
	struct ab_key key = key_of("192.0.2.1");

	(void)state;
	box_ban(&before.b, &key, 600);
	assert_int_equal(carry_over(&before, &after, 600), 0);
	assert_int_equal(box_check(&after.b, &key), AB_STATE_NONE);
}

static void own_configuration_and_dry_runs_are_not_kept(void **state)
{
	struct ab_judge j = box_judge(&before.b);
	struct ab_prefix net = prefix_of("10.9.8.0/24"),
					 other = prefix_of("10.9.9.0/24");
	struct ab_key allow = ab_key_allow(&net), taken = ab_key_allow(&other);
	struct ab_key dry = key_of("192.0.2.5");
	struct ab_judgement out;
	unsigned i;

	(void)state;
	ab_judge_allow(&j, &allow, AB_REASON_OPERATOR, 1, &out);
	ab_judge_allow(&j, &taken, AB_REASON_OPERATOR, 0, &out);
	box_unban(&before.b, &taken);
	before.b.set.mode = AB_MODE_DRY_RUN;
	for(i = 0; i < 20; i++)
		box_fail(&before.b, &dry);
	assert_int_equal(box_view(&before.b, &dry).state, AB_STATE_DRY_RUN);
	assert_int_equal(carry_over(&before, &after, 1), 0);
}

/* Only an operator's ban may be longer than a new one. */
static void ends_are_bounded(void **state)
{
	struct ab_key key = key_of("192.0.2.1"), by_hand = key_of("192.0.2.2");
	struct ab_wire_state rec = {.key = key,
			.state = AB_STATE_BANNED,
			.proof = AB_PROOF_TOKEN,
			.version = (uint64_t)BOX_CLUSTER_S * 1000 << 16,
			.end = UINT64_MAX};
	uint8_t record[AB_WIRE_STATE_MAX];
	struct ab_now now = after.b.now;
	size_t len = ab_wire_state_write(&unsigned_wire, &rec, record);

	(void)state;
	assert_true(ab_sync_restore(&after.s, &now, record, len));
	assert_int_equal(
			box_view(&after.b, &key).ttl, (uint32_t)after.b.set.ban_time_max);
	rec.key = by_hand;
	rec.proof = AB_PROOF_OPERATOR;
	len = ab_wire_state_write(&unsigned_wire, &rec, record);
	assert_true(ab_sync_restore(&after.s, &now, record, len));
	assert_int_equal(box_view(&after.b, &by_hand).ttl, 30 * 86400);
	/* from the day after tomorrow */
	rec.version += UINT64_C(2) * 86400000 << 16;
	len = ab_wire_state_write(&unsigned_wire, &rec, record);
	assert_false(ab_sync_restore(&after.s, &now, record, len));
	assert_false(ab_sync_restore(&after.s, &now, record, len - 1));
	assert_int_equal(after.s.stats.dropped[AB_WIRE_RANGE], 1);
	assert_int_equal(after.s.stats.dropped[AB_WIRE_LENGTH], 1);
}

static void later_news_win_over_a_snapshot(void **state)
{
	struct ab_key key = key_of("192.0.2.1");

	(void)state;
	box_ban(&before.b, &key, 600);
	box_pass(&after.b, 10);
	box_ban(&after.b, &key, 600);
	box_unban(&after.b, &key);
	carry_over(&before, &after, 20);
	assert_int_equal(box_check(&after.b, &key), AB_STATE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(facts_are_known_in_sets_of_every_size),
			cmocka_unit_test(ages_go_on_over_a_restart),
			cmocka_unit_test(a_younger_fact_stays),
			cmocka_unit_test(facts_that_cannot_be_are_refused),
			cmocka_unit_test_setup_teardown(
					states_are_known_after_a_restart, open_sides, close_sides),
			cmocka_unit_test_setup_teardown(
					what_is_over_does_not_come_back, open_sides, close_sides),
			cmocka_unit_test_setup_teardown(
					own_configuration_and_dry_runs_are_not_kept, open_sides,
					close_sides),
			cmocka_unit_test_setup_teardown(
					ends_are_bounded, open_sides, close_sides),
			cmocka_unit_test_setup_teardown(
					later_news_win_over_a_snapshot, open_sides, close_sides),
	};

	return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
