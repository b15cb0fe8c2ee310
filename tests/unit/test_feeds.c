/*
 * authban: imported lists: the block, and what they change in the guard
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "guard.h"

#include "ab_feeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWNER 1u
#define LISTED "198.51.100.7"

static struct ab_feeds *feeds;

static void make(uint32_t entries)
{
	static const uint8_t key[16] = {1, 2, 3};

	free(feeds);
	feeds = malloc(ab_feeds_bytes(entries));
	assert_non_null(feeds);
	ab_feeds_init(feeds, entries, key);
}

static int begin(void **state)
{
	make(1000);
	return setup(state);
}

static int end(void **state)
{
	free(feeds);
	feeds = NULL;
	return teardown(state);
}

static enum ab_feeds_result put(
		const char *list, const char *net, uint32_t ttl, uint32_t now)
{
	struct ab_prefix p = prefix_of(net);

	return ab_feeds_add(feeds, list, strlen(list), &p, ttl, now, OWNER);
}

static long drop(const char *list, const char *net)
{
	struct ab_prefix p = prefix_of(net ? net : "0.0.0.0/0");

	return ab_feeds_drop(feeds, list, strlen(list), net ? &p : NULL, OWNER);
}

/* "list net ttl" of the entry that an address lies in, "" when there is none. */
static const char *find(const char *source, uint32_t now)
{
	static char text[160];
	struct ab_prefix p = prefix_of(source);
	char net[AB_PREFIX_TEXT];
	struct ab_feeds_hit hit;

	if(!ab_feeds_find(feeds, &p, now, &hit))
		return "";
	snprintf(text, sizeof(text), "%s %s %u", hit.list,
			ab_prefix_print(&hit.net, net), hit.ttl);
	return text;
}

/* --- the block --- */

static void no_lists_are_nothing(void **state)
{
	struct ab_prefix p = prefix_of(LISTED);

	(void)state;
	assert_false(ab_feeds_any(NULL));
	assert_false(ab_feeds_find(NULL, &p, 1, NULL));
	assert_false(ab_feeds_any(feeds));
	assert_string_equal(find(LISTED, 1), "");
}

static void the_narrowest_entry_is_found(void **state)
{
	(void)state;
	assert_int_equal(put("a", "198.51.100.0/24", 60, 100), AB_FEEDS_ADDED);
	assert_int_equal(put("b", LISTED, 30, 100), AB_FEEDS_ADDED);
	assert_int_equal(put("a", "2001:db8::/48", 60, 100), AB_FEEDS_ADDED);
	assert_string_equal(find(LISTED, 100), "b 198.51.100.7 30");
	assert_string_equal(find("198.51.100.8", 100), "a 198.51.100.0/24 60");
	assert_string_equal(find("2001:db8:0:1::/64", 101), "a 2001:db8::/48 59");
	assert_string_equal(find("198.51.101.7", 100), "");
	/* of its own family, and not what is narrower than the source */
	assert_string_equal(find("2001:db8::/47", 100), "");
	assert_string_equal(find("::c633:6407", 100), "");
}

static void an_entry_expires(void **state)
{
	(void)state;
	put("a", LISTED, 60, 100);
	assert_string_equal(find(LISTED, 159), "a 198.51.100.7 1");
	assert_string_equal(find(LISTED, 160), "");
	assert_true(ab_feeds_any(feeds));
	ab_feeds_sweep(feeds, 0, 1, 160, OWNER);
	assert_false(ab_feeds_any(feeds));
	assert_int_equal(feeds->widths[0] | feeds->widths[1], 0);
	assert_int_equal(drop("a", NULL), -1);
}

static void a_renewed_entry_has_the_new_end(void **state)
{
	(void)state;
	put("a", LISTED, 60, 100);
	assert_int_equal(put("a", LISTED, 600, 110), AB_FEEDS_RENEWED);
	assert_string_equal(find(LISTED, 110), "a 198.51.100.7 600");
	assert_int_equal(put("a", LISTED, 5, 110), AB_FEEDS_RENEWED);
	assert_string_equal(find(LISTED, 115), "");
	assert_int_equal(feeds->used, 1);
}

static void a_list_is_dropped_without_the_others(void **state)
{
	struct ab_feeds_list list[AB_FEEDS_LISTS];

	(void)state;
	put("a", LISTED, 60, 100);
	put("b", LISTED, 90, 100);
	put("a", "198.51.100.8", 50, 100);
	ab_feeds_lists(feeds, 100, list);
	assert_string_equal(list[0].name, "a");
	assert_true(list[0].entries == 2 && list[0].ttl == 60);
	assert_true(list[1].entries == 1 && list[1].ttl == 90);
	assert_string_equal(list[2].name, "");
	assert_int_equal(drop("a", "198.51.100.9"), 0);
	assert_int_equal(drop("c", NULL), -1);
	assert_int_equal(drop("a", NULL), 2);
	assert_string_equal(find(LISTED, 100), "b 198.51.100.7 90");
	assert_int_equal(drop("b", LISTED), 1);
	assert_false(ab_feeds_any(feeds));
}

static void names_and_widths(void **state)
{
	static const char longest[] = "a234567890123456789012345678901.";
	struct ab_prefix p = prefix_of("10.0.0.0/15");

	(void)state;
	assert_true(ab_feeds_name_ok(longest, 32));
	assert_false(ab_feeds_name_ok("a23456789012345678901234567890123", 33));
	assert_true(ab_feeds_name_ok("0-._", 4));
	assert_false(ab_feeds_name_ok("", 0));
	assert_false(ab_feeds_name_ok("-a", 2));
	assert_false(ab_feeds_name_ok("A", 1));
	assert_false(ab_feeds_name_ok("a\n", 2));
	assert_false(ab_feeds_width_ok(&p));
	p = prefix_of("10.0.0.0/16");
	assert_true(ab_feeds_width_ok(&p));
	p = prefix_of("2001:c000::/31");
	assert_false(ab_feeds_width_ok(&p));
	p = prefix_of("2001:db8::/32");
	assert_true(ab_feeds_width_ok(&p));
	assert_int_equal(put(longest, LISTED, 9, 100), AB_FEEDS_ADDED);
	assert_memory_equal(find(LISTED, 100), longest, 32);
}

/* 10.0.0.0 + n */
static struct ab_prefix numbered(uint32_t n)
{
	struct ab_key key = key_v4(n);

	return (struct ab_prefix){key.addr, key.plen};
}

static enum ab_feeds_result put_number(uint32_t n, uint32_t ttl, uint32_t now)
{
	struct ab_prefix p = numbered(n);

	return ab_feeds_add(feeds, "n", 1, &p, ttl, now, OWNER);
}

static void all_its_entries_fit_and_no_more(void **state)
{
	static const uint32_t sizes[] = {1, 7, 1000, 100000};
	uint32_t i, n;

	(void)state;
	for(i = 0; i < COUNT_OF(sizes); i++) {
		make(sizes[i]);
		for(n = 0; n < sizes[i]; n++)
			expect(put_number(n, 60, 100) == AB_FEEDS_ADDED, "%u of %u", n,
					sizes[i]);
		for(n = 0; n < 50; n++)
			assert_int_equal(put_number(sizes[i] + n, 60, 100), AB_FEEDS_FULL);
		/* what has expired gives way by itself */
		assert_int_equal(put_number(sizes[i], 60, 160), AB_FEEDS_ADDED);
		assert_int_equal(feeds->used, 1);
	}
	printf("feeds: %zu bytes an entry of 100000\n",
			ab_feeds_bytes(100000) / 100000);
}

static void lists_have_an_end(void **state)
{
	char name[8];
	unsigned n;

	(void)state;
	for(n = 0; n < AB_FEEDS_LISTS; n++) {
		char net[32];

		snprintf(name, sizeof(name), "l%u", n);
		snprintf(net, sizeof(net), "10.0.0.%u", n);
		assert_int_equal(put(name, net, 60, 100), AB_FEEDS_ADDED);
	}
	assert_int_equal(put("more", "10.0.1.1", 60, 100), AB_FEEDS_TOO_MANY);
	assert_int_equal(drop("l20", NULL), 1);
	assert_int_equal(put("more", "10.0.1.1", 60, 100), AB_FEEDS_ADDED);
	assert_string_equal(find("10.0.1.1", 100), "more 10.0.1.1 60");
}

static void random_steps_against_a_plain_array(void **state)
{
	enum
	{
		NETS = 64,
		LISTS = 3
	};
	static const char *const names[LISTS] = {"x", "y", "z"};
	uint32_t ends[NETS][LISTS] = {{0}}, now = 100, step;
	struct rng r = rng_of(11);

	(void)state;
	for(step = 0; step < 200000; step++) {
		uint32_t n = rng_below(&r, NETS), l = rng_below(&r, LISTS), ttl, i;
		struct ab_prefix p = numbered(n);
		struct ab_feeds_hit hit;
		uint32_t end = 0;

		switch(rng_below(&r, 8)) {
			case 0:
				now += rng_below(&r, 4);
				ab_feeds_sweep(feeds, step, 7, now, OWNER);
				break;
			case 1:
				ab_feeds_drop(feeds, names[l], 1, &p, OWNER);
				ends[n][l] = 0;
				break;
			case 2:
				if(rng_below(&r, 50) != 0)
					break;
				ab_feeds_drop(feeds, names[l], 1, NULL, OWNER);
				for(i = 0; i < NETS; i++)
					ends[i][l] = 0;
				break;
			default:
				ttl = 1 + rng_below(&r, 100);
				ab_feeds_add(feeds, names[l], 1, &p, ttl, now, OWNER);
				ends[n][l] = now + ttl;
		}
		p = numbered(rng_below(&r, NETS));
		n = p.addr.b[15];
		for(i = 0; i < LISTS; i++)
			if(ends[n][i] > now)
				end = ends[n][i];
		unit_at.step = step;
		expect(ab_feeds_find(feeds, &p, now, &hit) == (end != 0), "net %u", n);
		if(end)
			expect(ends[n][hit.list[0] - 'x'] == now + hit.ttl, "net %u", n);
	}
}

/* Who died with the lock may have left the numbers wrong, never an entry. */
static void the_death_of_a_writer_leaves_right_numbers(void **state)
{
	(void)state;
	put("a", LISTED, 60, 100);
	put("b", "198.51.100.8", 60, 100);
	feeds->used = 77;
	feeds->of_width[128] = 9;
	feeds->row[0].entries = 0;
	feeds->lock = 0x7ffffffe; /* no such process */
	put("c", "198.51.100.9", 60, 100);
	assert_int_equal(feeds->used, 3);
	assert_int_equal(feeds->of_width[128], 3);
	assert_int_equal(drop("a", NULL), 1);
}

static void a_writer_that_hangs_makes_nobody_wait_long(void **state)
{
	(void)state;
	put("a", LISTED, 60, 100);
	feeds->lock = 1; /* it lives */
	assert_int_equal(put("a", LISTED, 60, 100), AB_FEEDS_BUSY);
	assert_int_equal(drop("a", NULL), -2);
	assert_string_equal(find(LISTED, 100), "a 198.51.100.7 60");
}

/* --- the guard --- */

static struct ab_guard with_lists(bool ban)
{
	struct ab_guard g = site_guard(&s);

	g.feeds = feeds;
	g.feeds_ban = ban;
	return g;
}

static struct ab_findings fail_listed(
		const char *source, uint64_t user, unsigned times)
{
	struct ab_guard g = with_lists(false);
	struct ab_failure f = {.who = site_party(source, user),
			.weight = 1,
			.proof = AB_PROOF_TOKEN};
	struct ab_findings out;

	memset(&out, 0, sizeof(out));
	while(times-- > 0)
		ab_guard_failure(&g, &f, &out);
	return out;
}

static void list(const char *net)
{
	put("a", net, 600, s.box.now.mono);
}

static void a_listed_source_has_net_threshold_tries(void **state)
{
	struct ab_findings f;

	(void)state;
	assert_int_equal(s.box.set.net_threshold, 2);
	list("198.51.100.0/24");
	assert_false(fail_listed(LISTED, ALICE, 1).banned);
	f = fail_listed(LISTED, ALICE, 1);
	assert_true(f.banned);
	assert_int_equal(f.entry[AB_FOUND_SOURCE].view.reason, AB_REASON_FEED);
	/* others have all of theirs */
	assert_false(fail_listed("203.0.113.1", ALICE, 7).banned);
	assert_true(fail_listed("203.0.113.1", ALICE, 1).banned);
}

static void an_entry_that_has_expired_changes_nothing(void **state)
{
	(void)state;
	list(LISTED);
	box_pass(&s.box, 600);
	assert_false(fail_listed(LISTED, ALICE, 7).banned);
}

static void a_list_bans_nobody_by_itself(void **state)
{
	struct ab_guard g = with_lists(false);
	struct ab_prefix p = prefix_of(LISTED);

	(void)state;
	list(LISTED);
	assert_int_equal(ab_guard_check(&g, &p.addr, &p).verdict, AB_GUARD_PASS);
	assert_int_equal(site_source(&s, LISTED).state, AB_STATE_NONE);
}

static void who_is_known_there_makes_a_list_void(void **state)
{
	struct ab_guard g = with_lists(true);
	struct ab_prefix p = prefix_of(LISTED);

	(void)state;
	list(LISTED);
	assert_int_equal(ab_guard_check(&g, &p.addr, &p).verdict, AB_GUARD_SOURCE);
	site_success(&s, LISTED, BOB);
	assert_int_equal(ab_guard_check(&g, &p.addr, &p).verdict, AB_GUARD_PASS);
	assert_false(fail_listed(LISTED, ALICE, 7).banned);
}

static void feed_action_ban_blocks_until_the_end(void **state)
{
	struct ab_guard g = with_lists(true);
	struct ab_prefix p = prefix_of(LISTED);

	(void)state;
	list("198.51.100.0/24");
	assert_int_equal(ab_guard_check(&g, &p.addr, &p).verdict, AB_GUARD_SOURCE);
	assert_int_equal(site_source(&s, LISTED).state, AB_STATE_NONE);
	g.judge.now.mono += 600;
	assert_int_equal(ab_guard_check(&g, &p.addr, &p).verdict, AB_GUARD_PASS);
}

static void an_unban_gives_the_full_threshold(void **state)
{
	(void)state;
	list(LISTED);
	assert_true(fail_listed(LISTED, ALICE, 2).banned);
	site_unban(&s, LISTED);
	assert_false(fail_listed(LISTED, ALICE, 7).banned);
	assert_true(fail_listed(LISTED, ALICE, 1).banned);
}

static void failures_elsewhere_are_judged_by_it_too(void **state)
{
	struct ab_guard g = with_lists(false);
	struct ab_key key = key_of(LISTED);
	struct ab_judgement j;
	struct ab_others o;
	struct ab_view v;

	(void)state;
	list(LISTED);
	fail_listed(LISTED, ALICE, 1);
	v = site_source(&s, LISTED);
	o = (struct ab_others){.wstart = v.wstart, .epoch = v.epoch, .count = {1}};
	ab_guard_others(&g, &key, &o, &j);
	assert_true(j.ok && j.news);
	assert_int_equal(j.view.reason, AB_REASON_FEED);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(no_lists_are_nothing),
			T(the_narrowest_entry_is_found),
			T(an_entry_expires),
			T(a_renewed_entry_has_the_new_end),
			T(a_list_is_dropped_without_the_others),
			T(names_and_widths),
			T(all_its_entries_fit_and_no_more),
			T(lists_have_an_end),
			T(random_steps_against_a_plain_array),
			T(the_death_of_a_writer_leaves_right_numbers),
			T(a_writer_that_hangs_makes_nobody_wait_long),
			T(a_listed_source_has_net_threshold_tries),
			T(an_entry_that_has_expired_changes_nothing),
			T(a_list_bans_nobody_by_itself),
			T(who_is_known_there_makes_a_list_void),
			T(feed_action_ban_blocks_until_the_end),
			T(an_unban_gives_the_full_threshold),
			T(failures_elsewhere_are_judged_by_it_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
