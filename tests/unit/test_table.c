/*
 * authban: unit tests of the table: find, ban, check, evict, sweep, walk
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "unit.h"

/* to choose keys that share a bucket */
#include "ab_table_layout.h"

#include <stdlib.h>
#include <string.h>

static int open_tiny(void **state)
{
	static struct box b;

	box_open(&b, AB_TABLE_MIN);
	*state = &b;
	return 0;
}

static int open_roomy(void **state)
{
	static struct box b;

	box_open(&b, 4096);
	*state = &b;
	return 0;
}

static int close_box(void **state)
{
	box_close(*state);
	return 0;
}

static struct ab_table_stats stats_of(const struct box *b)
{
	struct ab_table_stats st;

	ab_table_get_stats(&b->table, &st);
	return st;
}

static void a_new_table_knows_nobody(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);
	struct ab_view v;

	assert_int_equal(ab_table_get(&b->table, &key, &b->set, &b->now, &v), 0);
	assert_int_equal(box_check(b, &key), AB_STATE_NONE);
	assert_int_equal(box_walk(b), 0);
	assert_int_equal(stats_of(b).entries, 0);
	assert_int_equal(stats_of(b).capacity, AB_TABLE_MIN);
	assert_int_equal(ab_table_banned(&b->table, b->now.mono), 0);
	assert_false(ab_table_has_dirty(&b->table));
}

static void the_size_is_rounded_up_to_full_buckets(void **state)
{
	static const uint32_t rows[][2] = {
			{0, 64}, {1, 64}, {64, 64}, {65, 72}, {1000, 1000}, {4097, 4104}};
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(rows); i++) {
		struct box b;

		box_open(&b, rows[i][0]);
		assert_int_equal(stats_of(&b).capacity, rows[i][1]);
		box_close(&b);
	}
	assert_int_equal(
			ab_table_bytes(AB_TABLE_MAX), ab_table_bytes(AB_TABLE_MAX + 1));
	assert_int_equal(ab_table_bytes(AB_TABLE_MAX), ab_table_bytes(UINT32_MAX));
}

static void a_block_works_at_any_alignment_and_with_any_content(void **state)
{
	static const uint8_t hash_key[16] = {1};
	size_t size = ab_table_bytes(64), shift;
	uint8_t *block = malloc(size + 64);
	struct box *b = *state;

	for(shift = 0; shift < 64; shift++) {
		struct ab_key key = key_v4(1);
		struct ab_table t;
		struct box other = *b;

		memset(block, 0xff, size + 64);
		ab_table_init(&t, block + shift, 64, hash_key, b->table.owner);
		other.table = t;
		assert_int_equal(box_walk(&other), 0);
		assert_true(box_ban(&other, &key, 60).ok);
		assert_int_equal(box_check(&other, &key), AB_STATE_BANNED);
		assert_true(shift == 64 || block[shift + size] == 0xff);
	}
	free(block);
}

static void a_ban_blocks_until_its_end_and_not_longer(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);

	assert_true(box_ban(b, &key, 60).news);
	assert_int_equal(box_check(b, &key), AB_STATE_BANNED);
	box_pass(b, 59);
	assert_int_equal(box_check(b, &key), AB_STATE_BANNED);
	assert_int_equal(ab_table_banned(&b->table, b->now.mono), 1);
	box_pass(b, 1);
	assert_int_equal(box_check(b, &key), AB_STATE_NONE);
	assert_int_equal(ab_table_banned(&b->table, b->now.mono), 0);
}

static void an_unban_ends_a_ban_at_once(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1), other = key_v4(2);

	box_ban(b, &key, 60);
	box_ban(b, &other, 60);
	assert_true(box_unban(b, &key).news);
	assert_int_equal(box_check(b, &key), AB_STATE_NONE);
	assert_int_equal(box_check(b, &other), AB_STATE_BANNED);
}

static void an_unknown_source_cannot_be_unbanned(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1);
	struct ab_judgement out = box_unban(b, &key);

	assert_false(out.ok);
	assert_false(out.news);
	assert_int_equal(stats_of(b).entries, 0);
}

/* T18: the memory is full, and stays what it is. */
static void live_bans_outlast_a_million_sources_with_one_failure(void **state)
{
	struct box *b = *state;
	struct ab_key bans[15]; /* fewer than the 16 places of any key */
	uint32_t i, k;

	for(k = 0; k < COUNT_OF(bans); k++) {
		bans[k] = key_v4(0x00ff0000 + k);
		assert_true(box_ban(b, &bans[k], 100000).ok);
	}
	for(i = 0; i < 1000000; i++) {
		struct ab_key key = key_v4(i);
		struct ab_judgement out = box_fail(b, &key);

		expect(out.ok && box_view(b, &key).failures == 1,
				"source %u got no entry", i);
		if(i % 1000 == 0)
			box_pass(b, 1);
		if(i % 4096 != 0)
			continue;
		for(k = 0; k < COUNT_OF(bans); k++)
			expect(box_check(b, &bans[k]) == AB_STATE_BANNED,
					"ban %u was lost at source %u", k, i);
		expect(stats_of(b).entries == box_walk(b), "at source %u", i);
	}
	assert_int_equal(stats_of(b).evicted_bans, 0);
	assert_true(stats_of(b).evictions > 990000);
	assert_true(stats_of(b).entries <= AB_TABLE_MIN);
	assert_int_equal(ab_table_banned(&b->table, b->now.mono), COUNT_OF(bans));
}

static void a_source_near_the_threshold_outlasts_those_with_one(void **state)
{
	struct box *b = *state;
	struct ab_key guesser = key_v4(0x00ff0000);
	uint32_t i;

	for(i = 0; i < 7; i++)
		assert_int_equal(box_fail(b, &guesser).state, AB_STATE_NONE);
	for(i = 0; i < 10000; i++) {
		struct ab_key key = key_v4(i);

		box_fail(b, &key);
	}
	assert_int_equal(box_view(b, &guesser).failures, 7);
	assert_int_equal(box_fail(b, &guesser).state, AB_STATE_BANNED);
}

/* Keys whose first bucket is the given one. */
static struct ab_key key_in(
		const struct box *b, uint32_t bucket, uint32_t *from)
{
	for(;;) {
		struct ab_key key = key_v4((*from)++);

		if(ab_spot_of(b->table.head, &key).bucket[0] == bucket)
			return key;
	}
}

static void when_all_candidates_are_bans_the_one_that_ends_first_goes(
		void **state)
{
	struct box *b = *state;
	struct ab_spot place;
	struct ab_key first = key_v4(0), key;
	uint32_t n = 1, i;
	struct ab_key same[17];

	/* keys with both buckets the same pair as the first one's */
	place = ab_spot_of(b->table.head, &first);
	while(place.bucket[0] == place.bucket[1]) {
		first = key_v4(n++);
		place = ab_spot_of(b->table.head, &first);
	}
	same[0] = first;
	for(i = 1; i < 17; n++) {
		struct ab_spot p;

		key = key_v4(n);
		p = ab_spot_of(b->table.head, &key);
		if(p.bucket[0] == place.bucket[0] && p.bucket[1] == place.bucket[1])
			same[i++] = key;
	}
	for(i = 0; i < 16; i++)
		box_ban(b, &same[i], i == 5 ? 50 : 1000 + i);
	assert_int_equal(stats_of(b).evictions, 0);
	box_ban(b, &same[16], 1000);
	for(i = 0; i < 17; i++)
		expect((box_check(b, &same[i]) == AB_STATE_BANNED) == (i != 5),
				"ban %u", i);
	assert_int_equal(stats_of(b).evicted_bans, 1);
	assert_int_equal(stats_of(b).entries, 16);
}

static void spilled_keys_are_found(void **state)
{
	struct box *b = *state;
	struct ab_key keys[12];
	uint32_t from = 0, i;

	for(i = 0; i < COUNT_OF(keys); i++) {
		keys[i] = key_in(b, 3, &from);
		box_fail_as(b, &keys[i], 0, i % 7 + 1);
	}
	assert_int_equal(stats_of(b).evictions, 0);
	assert_int_equal(stats_of(b).entries, COUNT_OF(keys));
	for(i = 0; i < COUNT_OF(keys); i++)
		expect(box_view(b, &keys[i]).failures == i % 7 + 1, "key %u", i);
	for(i = 0; i < COUNT_OF(keys); i++)
		box_ban(b, &keys[i], 60 + i);
	for(i = 0; i < COUNT_OF(keys); i++)
		expect(box_check(b, &keys[i]) == AB_STATE_BANNED, "key %u", i);
	/* a hole in the first bucket must not hide what lies in the second */
	box_pass(b, 61);
	b->set.memory = 0;
	box_pass(b, 1500);
	ab_table_sweep(&b->table, 0, 1, &b->set, &b->now);
	assert_int_equal(stats_of(b).entries, 0);
}

static void a_hole_in_the_first_bucket_does_not_make_a_key_twice(void **state)
{
	struct box *b = *state;
	struct ab_key keys[12];
	uint32_t from = 0, i;

	b->set.memory = 0;
	for(i = 0; i < COUNT_OF(keys); i++) {
		keys[i] = key_in(b, 3, &from);
		box_ban(b, &keys[i], i < 8 ? 10 : 5000);
	}
	box_pass(b, 1500);
	ab_table_sweep(&b->table, 0, 1, &b->set, &b->now);
	assert_int_equal(stats_of(b).entries, 4);
	for(i = 8; i < COUNT_OF(keys); i++) {
		assert_int_equal(box_check(b, &keys[i]), AB_STATE_BANNED);
		assert_int_equal(box_fail(b, &keys[i]).state, AB_STATE_BANNED);
		assert_false(box_fail(b, &keys[i]).news);
	}
	assert_int_equal(stats_of(b).entries, 4);
	assert_int_equal(box_walk(b), 4);
}

static void a_sweep_frees_what_is_over_and_nothing_else(void **state)
{
	struct box *b = *state;
	struct ab_key one = key_v4(1), ban = key_v4(2), was = key_v4(3),
				  late = key_v4(4);
	uint32_t part;

	box_fail(b, &one);
	box_ban(b, &ban, 5000);
	box_ban(b, &was, 10);
	box_pass(b, 1300);
	box_fail(b, &late);
	for(part = 0; part < 7; part++)
		ab_table_sweep(&b->table, part, 7, &b->set, &b->now);
	assert_int_equal(box_view(b, &one).key.kind, AB_KIND_FREE);
	assert_int_equal(box_check(b, &ban), AB_STATE_BANNED);
	assert_int_equal(box_view(b, &late).failures, 1);
	/* within `memory` a repeat would double */
	assert_int_equal(box_view(b, &was).repeats, 1);
	assert_int_equal(stats_of(b).entries, 3);
	assert_int_equal(box_walk(b), 3);
	assert_int_equal(stats_of(b).evictions, 0);
}

static void a_walk_sees_every_entry_once(void **state)
{
	struct box *b = *state;
	static const size_t sizes[] = {8, 9, 15, 16, 100};
	struct ab_view out[100];
	uint8_t seen[1000];
	size_t s, got, i;

	for(i = 0; i < COUNT_OF(seen); i++) {
		struct ab_key key = key_v4((uint32_t)i);

		box_fail_as(b, &key, 0, 1);
	}
	for(s = 0; s < COUNT_OF(sizes); s++) {
		struct ab_cursor at = {0};

		memset(seen, 0, sizeof(seen));
		while((got = ab_table_walk(
					   &b->table, &at, &b->set, &b->now, out, sizes[s]))
				> 0) {
			assert_true(got <= sizes[s]);
			for(i = 0; i < got; i++)
				seen[out[i].key.addr.b[14] << 8 | out[i].key.addr.b[15]]++;
		}
		for(i = 0; i < COUNT_OF(seen); i++)
			expect(seen[i] == 1, "entry %zu was seen %u times in parts of %zu",
					i, seen[i], sizes[s]);
	}
}

static struct ab_hit check_text(
		const struct box *b, const char *host, unsigned v6_len)
{
	struct ab_prefix a = prefix_of(host);
	struct ab_prefix source = ab_prefix_of_source(&a.addr, 32, v6_len);

	return ab_table_check(&b->table, &a.addr, &source, b->now.mono);
}

static void a_banned_network_blocks_its_hosts_and_not_its_neighbours(
		void **state)
{
	static const struct
	{
		const char *host;
		bool banned;
	} rows[] = {{"192.0.2.0", true}, {"192.0.2.77", true},
			{"192.0.2.255", true}, {"192.0.1.255", false}, {"192.0.3.0", false},
			{"::ffff:192.0.2.9", true}, {"2001:db8:7::", true},
			{"2001:db8:7:ffff::1", true},
			{"2001:db8:6:ffff:ffff:ffff:ffff:ffff", false},
			{"2001:db8:8::", false}, {"::192.0.2.9", false}};
	struct box *b = *state;
	struct ab_key v4 = key_of("192.0.2.0/24"), v6 = key_of("2001:db8:7::/48");
	char text[AB_PREFIX_TEXT];
	size_t i;

	box_ban(b, &v4, 60);
	box_ban(b, &v6, 60);
	for(i = 0; i < COUNT_OF(rows); i++) {
		struct ab_hit hit = check_text(b, rows[i].host, 64);

		expect((hit.state == AB_STATE_BANNED) == rows[i].banned, "%s",
				rows[i].host);
		if(rows[i].banned) {
			ab_prefix_print(&hit.net, text);
			assert_string_equal(text, strchr(rows[i].host, '.')
											  ? "192.0.2.0/24"
											  : "2001:db8:7::/48");
		}
	}
	box_pass(b, 60);
	for(i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(check_text(b, rows[i].host, 64).state, AB_STATE_NONE);
}

static void of_source_and_network_the_one_that_blocks_is_told(void **state)
{
	struct box *b = *state;
	struct ab_key host = key_of("192.0.2.9"), net = key_of("192.0.2.0/24");
	int i;

	b->set.mode = AB_MODE_DRY_RUN;
	for(i = 0; i < b->set.threshold; i++)
		box_fail(b, &host);
	assert_int_equal(check_text(b, "192.0.2.9", 64).state, AB_STATE_DRY_RUN);
	assert_int_equal(check_text(b, "192.0.2.9", 64).net.len, 128);
	box_ban(b, &net, 60);
	assert_int_equal(check_text(b, "192.0.2.9", 64).state, AB_STATE_BANNED);
	assert_int_equal(check_text(b, "192.0.2.9", 64).net.len, 120);
	box_ban(b, &host, 60);
	assert_int_equal(check_text(b, "192.0.2.9", 64).net.len, 128);
}

/* T6: rotating through a /64 helps nobody. */
static void twenty_thousand_addresses_of_one_64_are_one_source(void **state)
{
	struct box *b = *state;
	struct ab_prefix net = prefix_of("2001:db8:1:2::/64");
	struct rng r = rng_of(6);
	uint32_t i, k, passed = 0;

	for(i = 0; i < 20000; i++) {
		struct ab_addr a = net.addr;
		struct ab_prefix source;
		struct ab_key key;

		for(k = 8; k < 16; k++)
			a.b[k] = (uint8_t)rng_next(&r);
		source = ab_prefix_of_source(&a, 32, 64);
		if(ab_table_check(&b->table, &a, &source, b->now.mono).state
				== AB_STATE_BANNED)
			continue;
		passed++;
		key = ab_key_source(&source);
		box_fail(b, &key);
	}
	assert_int_equal(passed, b->set.threshold);
	assert_int_equal(stats_of(b).entries, 1);
}

static bool never(uint32_t owner)
{
	(void)owner;
	return true;
}

static void a_held_lock_lets_the_message_pass_and_is_counted(void **state)
{
	struct box *b = *state;
	struct ab_key key = key_v4(1), ban = key_v4(1);
	struct ab_spot at = ab_spot_of(b->table.head, &key);
	struct ab_judgement out;

	box_ban(b, &ban, 60);
	b->table.alive = never;
	atomic_store(&b->table.head->lines[at.bucket[0]].lock, 12345);
	out = box_fail(b, &key);
	assert_false(out.ok);
	assert_false(out.news);
	assert_int_equal(stats_of(b).lock_timeouts, 1);
	/* readers of bans do not care */
	assert_int_equal(box_check(b, &key), AB_STATE_BANNED);
	atomic_store(&b->table.head->lines[at.bucket[0]].lock, 0);
	assert_true(box_fail(b, &key).ok);
}

#define TINY(f) cmocka_unit_test_setup_teardown(f, open_tiny, close_box)
#define ROOMY(f) cmocka_unit_test_setup_teardown(f, open_roomy, close_box)

int main(void)
{
	const struct CMUnitTest tests[] = {
			TINY(a_new_table_knows_nobody),
			cmocka_unit_test(the_size_is_rounded_up_to_full_buckets),
			TINY(a_block_works_at_any_alignment_and_with_any_content),
			TINY(a_ban_blocks_until_its_end_and_not_longer),
			TINY(an_unban_ends_a_ban_at_once),
			TINY(an_unknown_source_cannot_be_unbanned),
			TINY(live_bans_outlast_a_million_sources_with_one_failure),
			TINY(a_source_near_the_threshold_outlasts_those_with_one),
			TINY(when_all_candidates_are_bans_the_one_that_ends_first_goes),
			TINY(spilled_keys_are_found),
			TINY(a_hole_in_the_first_bucket_does_not_make_a_key_twice),
			ROOMY(a_sweep_frees_what_is_over_and_nothing_else),
			ROOMY(a_walk_sees_every_entry_once),
			ROOMY(a_banned_network_blocks_its_hosts_and_not_its_neighbours),
			ROOMY(of_source_and_network_the_one_that_blocks_is_told),
			ROOMY(twenty_thousand_addresses_of_one_64_are_one_source),
			TINY(a_held_lock_lets_the_message_pass_and_is_counted),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
