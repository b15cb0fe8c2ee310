/*
 * authban: unit tests of the room that evidence has, and of what it costs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ledger.h"

#include "ab_evidence_layout.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* --- room --- */

static void bans_outlive_a_flood(void **state)
{
	struct ab_evidence_stats stats;
	char source[20];
	uint32_t i, kept = 0, seen = 0;

	(void)state;
	for(i = 0; i < 24; i++) { /* of 64 places */
		ledger_text(i, source);
		ledger_fail(source, i);
		ledger_ban(source, i, TTL);
	}
	for(i = 0; i < 24; i++) {
		ledger_text(i, source);
		seen += ledger_knows(source, 24);
	}
	for(i = 1000; i < 21000; i++) {
		ledger_text(i, source);
		ledger_fail(source, 30);
		if(i % 3 == 0)
			ledger_fail(source, 31);
	}
	for(i = 0; i < 24; i++) {
		ledger_text(i, source);
		kept += ledger_knows(source, 40);
	}
	ab_evidence_get_stats(&ledger, &stats);
	printf("evidence: 20,000 sources against 24 bans in 64 places: %u of %u"
		   " kept, %llu gave way\n",
			kept, seen, (unsigned long long)stats.evicted);
	assert_int_equal(kept, seen);
	assert_true(seen >= 22); /* nine bans of 24 in one set of eight are rare */
	assert_int_equal(stats.capacity, 64);
	assert_true(stats.evicted > 1000);
}

/* One set of eight: who gives way to whom. */
static void the_least_worth_gives_way(void **state)
{
	struct ab_evidence_event ev = ledger_event("192.0.2.100", 50);
	struct ab_evidence_stats stats;
	char source[20];
	uint32_t i;

	(void)state;
	ledger_close();
	ledger_open(8);
	for(i = 0; i < 8; i++) {
		ledger_text(i, source);
		ledger_fail(source, i);
		if(i != 3)
			ledger_ban(source, i, 1000);
	}
	assert_true(ledger_fail(
			"192.0.2.1", 20)); /* in place of the one without a ban */
	assert_false(ledger_knows("10.0.0.3", 20));
	assert_true(ledger_fail(
			"192.0.2.2", 21)); /* of the one with a single failure */
	assert_false(ledger_knows("192.0.2.1", 21));
	ledger_ban("192.0.2.2", 21, 1000);
	assert_false(ledger_fail("192.0.2.3", 22)); /* live bans only */
	ab_evidence_get_stats(&ledger, &stats);
	assert_int_equal(stats.refused, 1);
	assert_int_equal(stats.used, 8);
	ev.banned = true; /* of another ban the oldest */
	assert_true(ab_evidence_failure(&ledger, &ev));
	assert_false(ledger_knows("10.0.0.0", 50));
	/* a ban that is over goes before a live one */
	assert_true(ledger_fail("192.0.2.4", 1010));
	ab_evidence_get_stats(&ledger, &stats);
	assert_int_equal(stats.evicted, 4);
}

static void a_list_knows_all_places(void **state)
{
	struct ab_evidence_place at[64];
	struct ab_evidence_record r;
	char source[20];
	size_t n, i;

	(void)state;
	for(i = 0; i < 10; i++) {
		ledger_text((uint32_t)i, source);
		ledger_fail(source, (uint32_t)i);
	}
	assert_int_equal(ab_evidence_list(&ledger, MONO + 10, at, 4), 4);
	n = ab_evidence_list(&ledger, MONO + 10, at, 64);
	assert_int_equal(n, 10);
	for(i = 0; i < n; i++) {
		assert_true(ab_evidence_at(&ledger, at[i].place, MONO + 10, &r));
		assert_int_equal(r.last, at[i].last);
	}
	assert_false(ab_evidence_at(&ledger, 64, MONO, &r));
	assert_false(ab_evidence_at(&ledger, UINT32_MAX, MONO, &r));
}

static void without_an_arena_nothing_happens(void **state)
{
	struct ab_evidence none = {NULL, 1, TTL};
	struct ab_evidence_event ev = ledger_event("192.0.2.1", 0);
	struct ab_prefix p = prefix_of("192.0.2.1");
	struct ab_evidence_record r;
	struct ab_evidence_stats stats;

	(void)state;
	assert_false(ab_evidence_failure(&none, &ev));
	ab_evidence_ban(&none, &p, 0, 1, 1);
	ab_evidence_unban(&none, &p);
	assert_false(ab_evidence_get(&none, &p, 0, &r));
	assert_false(ab_evidence_erase(&none, &p));
	ab_evidence_sweep(&none, 0, 1, 0, 0);
	ab_evidence_get_stats(&none, &stats);
	assert_int_equal(stats.capacity, 0);
}

/* --- other nodes, dead owners --- */

static void what_others_know_yields_to_what_was_seen(void **state)
{
	struct ab_evidence_record theirs, r;

	(void)state;
	ledger_fail("192.0.2.1", 0);
	assert_true(ledger_get("192.0.2.1", 0, &theirs));
	theirs.source = prefix_of("192.0.2.5").addr;
	theirs.failures = 9;
	theirs.origin = 4;
	assert_true(ab_evidence_import(&ledger, &theirs, MONO, 100));
	assert_true(ledger_get("192.0.2.5", 0, &r));
	assert_int_equal(r.flags, AB_EVIDENCE_IMPORTED);
	assert_int_equal(r.failures, 9);
	assert_int_equal(r.samples, 0);
	/* kept since the failure, not since the news */
	assert_true(ledger_knows("192.0.2.5", TTL - 101));
	assert_false(ledger_knows("192.0.2.5", TTL - 100));
	assert_false(ab_evidence_import(&ledger, &theirs, MONO, TTL));
	/* older news change nothing */
	theirs.last--;
	assert_false(ab_evidence_import(&ledger, &theirs, MONO, 100));
	/* a failure here: our own evidence, of the same incident */
	ledger_fail("192.0.2.5", 7);
	assert_true(ledger_get("192.0.2.5", 7, &r));
	assert_int_equal(r.flags & AB_EVIDENCE_IMPORTED, 0);
	assert_int_equal(r.failures, 1);
	assert_true(r.incident == theirs.incident);
	theirs.last += 1000000;
	assert_false(ab_evidence_import(&ledger, &theirs, MONO, 0));
}

static void a_half_written_record_goes_with_its_dead_owner(void **state)
{
	struct ab_evidence_set *set;
	struct ab_prefix p = prefix_of("192.0.2.1");
	uint32_t i;

	(void)state;
	ledger_fail("192.0.2.1", 0);
	for(i = 0; i < ledger.head->sets; i++) {
		set = &ledger.head->set[i];
		atomic_store(&set->lock, 0x7ffffff0u); /* no process has that id */
		set->writing = set->tag[0] ? 1 : 0;
	}
	assert_false(ab_evidence_erase(&ledger, &p));
	assert_true(ledger_fail("192.0.2.1", 1));
}

/* --- cost --- */

static double ns_each(void (*fn)(uint32_t i), uint32_t n)
{
	struct timespec a, b;
	uint32_t i;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for(i = 0; i < n; i++)
		fn(i);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9
				   + (double)(b.tv_nsec - a.tv_nsec))
		   / n;
}

static void again(uint32_t i)
{
	struct ab_evidence_event ev = ledger_event("192.0.2.1", 1);

	(void)i;
	ab_evidence_failure(&ledger, &ev);
}

static void newcomer(uint32_t i)
{
	struct ab_evidence_event ev = ledger_event("192.0.2.1", 1);

	memcpy(ev.source.addr.b + 12, &i, 4);
	ab_evidence_failure(&ledger, &ev);
}

static void it_is_cheap(void **state)
{
	double one, fresh;

	(void)state;
	ledger_close();
	ledger_open(4096);
	one = ns_each(again, 200000);
	fresh = ns_each(newcomer, 200000);
	printf("evidence: %.0f ns a failure of a known source, %.0f of a new one"
		   " with its sample\n",
			one, fresh);
	/* far above what it is, far below what would be wrong */
	assert_true(one < 20000 && fresh < 50000);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, ledger_setup, ledger_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(bans_outlive_a_flood),
			TEST(the_least_worth_gives_way), TEST(a_list_knows_all_places),
			TEST(without_an_arena_nothing_happens),
			TEST(what_others_know_yields_to_what_was_seen),
			TEST(a_half_written_record_goes_with_its_dead_owner),
			TEST(it_is_cheap)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
