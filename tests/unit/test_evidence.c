/*
 * authban: unit tests of what is kept of an offender, and for how long
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ledger.h"

#include "ab_distinct.h"

#include <string.h>

/* --- what is kept --- */

static void a_failure_is_written_down(void **state)
{
	struct ab_evidence_event ev = ledger_event("192.0.2.1", 5);
	struct ab_evidence_record r;

	(void)state;
	assert_true(ledger_fail("192.0.2.1", 0));
	ev.address = prefix_of("192.0.2.1").addr;
	ev.port = 40001;
	ev.transport = AB_TRANSPORT_TLS;
	ev.proof = AB_PROOF_STREAM;
	ev.guess = AB_GUESS_USER;
	ev.method = AB_METHOD_INVITE;
	ev.weight = 3;
	ev.user = 78;
	ev.campaign = true;
	assert_true(ab_evidence_failure(&ledger, &ev));
	assert_true(ledger_get("192.0.2.1", 6, &r));
	assert_int_equal(r.first, WALL);
	assert_int_equal(r.last, WALL + 5000);
	assert_int_equal(r.failures, 4);
	assert_int_equal(r.guesses[AB_GUESS_PASSWORD], 1);
	assert_int_equal(r.guesses[AB_GUESS_USER], 3);
	assert_int_equal(r.methods[AB_METHOD_REGISTER], 1);
	assert_int_equal(r.methods[AB_METHOD_INVITE], 3);
	assert_int_equal(r.port, 40001);
	assert_int_equal(r.local_port, 5060);
	assert_int_equal(r.transport, AB_TRANSPORT_TLS);
	assert_int_equal(r.proof, AB_PROOF_STREAM);
	assert_int_equal(r.origin, 3);
	assert_int_equal(r.flags & AB_EVIDENCE_CAMPAIGN, 1);
	assert_int_equal(ab_distinct_count(r.users), 2);
	assert_int_equal(r.samples, 2);
	assert_int_equal(r.sample[0].time, WALL);
	assert_int_equal(r.sample[1].guess, AB_GUESS_USER);
	assert_int_equal(r.sample[1].method, AB_METHOD_INVITE);
	assert_string_equal(r.sample[0].agent, AGENT);
	assert_false(ledger_knows("192.0.2.2", 6));
	assert_false(ledger_knows("192.0.2.0/24", 6));
}

static void nothing_unproven_makes_a_record(void **state)
{
	static const enum ab_proof no[] = {
			AB_PROOF_NONE, AB_PROOF_OPERATOR, AB_PROOF_SCRIPT};
	static const enum ab_proof yes[] = {
			AB_PROOF_TOKEN, AB_PROOF_NONCE, AB_PROOF_STREAM};
	struct ab_evidence_event ev = ledger_event("192.0.2.1", 0);
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(no); i++) {
		ev.proof = no[i];
		assert_false(ab_evidence_failure(&ledger, &ev));
	}
	assert_false(ledger_knows("192.0.2.1", 0));
	for(i = 0; i < COUNT_OF(yes); i++) {
		ev.proof = yes[i];
		assert_true(ab_evidence_failure(&ledger, &ev));
	}
	/* a ban and an unban make none either */
	ledger_ban("192.0.2.9", 0, 600);
	assert_false(ledger_knows("192.0.2.9", 0));
}

static void no_content_is_kept(void **state)
{
	static const char *const never[] = {"alice", "the-nonce", "the-response",
			"Authorization", "body", "sip.test"};
	static const uint64_t user = 77;
	size_t i;

	(void)state;
	for(i = 0; i < 20; i++)
		assert_true(ledger_fail("192.0.2.1", (uint32_t)i));
	for(i = 0; i < COUNT_OF(never); i++)
		expect(!ledger_has_bytes(never[i], strlen(never[i])), "%s", never[i]);
	/* nor the hash that is the same for ever; 77 in eight bytes */
	assert_false(ledger_has_bytes(&user, sizeof(user)));
	/* the search finds what is there */
	assert_true(ledger_has_bytes(AGENT, strlen(AGENT)));
}

static void a_user_is_hidden_by_the_key_of_its_period(void **state)
{
	struct ab_evidence_event ev = ledger_event("192.0.2.1", 0);
	static const uint8_t later[16] = "the next period";
	struct ab_evidence_record r;

	(void)state;
	ab_evidence_failure(&ledger, &ev);
	ab_evidence_failure(&ledger, &ev);
	ev.user_key = later;
	ab_evidence_failure(&ledger, &ev);
	ev.user_key = NULL;
	ev.name = (struct ab_span){"alice", 5};
	ab_evidence_failure(&ledger, &ev);
	assert_true(ledger_get("192.0.2.1", 0, &r));
	assert_true(r.sample[0].user == r.sample[1].user);
	assert_true(r.sample[0].user != r.sample[2].user);
	assert_true(r.sample[0].user != 77 && r.sample[2].user != 77);
	assert_string_equal(r.sample[2].name, "");
	/* privacy=off */
	assert_true(r.sample[3].user == 77);
	assert_string_equal(r.sample[3].name, "alice");
}

static void foreign_bytes_are_escaped_and_cut(void **state)
{
	char text[6000] = "OPTIONS x y\r\nUser-Agent: a\"b\\c\x01\xff d";
	struct ab_evidence_event ev = ledger_event("192.0.2.1", 0);
	struct ab_evidence_record r;
	size_t i;

	(void)state;
	ev.message = (struct ab_span){text, strlen(text)};
	ab_evidence_failure(&ledger, &ev);
	memset(text + 24, 'x', 200);
	ev.message.len = 224;
	ab_evidence_failure(&ledger, &ev);
	memset(text + 24, 0x80, 200);
	ab_evidence_failure(&ledger, &ev);
	/* further back than is looked */
	memset(text, 'A', sizeof(text));
	memcpy(text + 5000, "\r\nUser-Agent: far\r\n", 19);
	ev.message.len = sizeof(text);
	ab_evidence_failure(&ledger, &ev);
	assert_true(ledger_get("192.0.2.1", 0, &r));
	assert_string_equal(r.sample[0].agent, "a\\x22b\\x5cc\\x01\\xff d");
	assert_int_equal(
			strnlen(r.sample[1].agent, AB_EVIDENCE_AGENT), AB_EVIDENCE_AGENT);
	assert_int_equal(
			strnlen(r.sample[2].agent, AB_EVIDENCE_AGENT), AB_EVIDENCE_AGENT);
	assert_memory_equal(r.sample[2].agent + AB_EVIDENCE_AGENT - 4, "\\x80", 4);
	assert_string_equal(r.sample[3].agent, "");
	for(i = 0; i < AB_EVIDENCE_AGENT; i++)
		assert_true(r.sample[2].agent[i] >= ' ' && r.sample[2].agent[i] < 0x7f);
}

static void samples_are_the_first_and_the_last_that_banned(void **state)
{
	struct ab_evidence_event ev = ledger_event("192.0.2.1", 100);
	struct ab_evidence_record r;
	uint32_t i;

	(void)state;
	for(i = 0; i < 50; i++)
		ledger_fail("192.0.2.1", i);
	assert_true(ledger_get("192.0.2.1", 50, &r));
	assert_int_equal(r.samples, AB_EVIDENCE_SAMPLES);
	for(i = 0; i < AB_EVIDENCE_SAMPLES; i++)
		assert_int_equal(r.sample[i].time, WALL + i * 1000);
	ev.banned = true;
	ab_evidence_failure(&ledger, &ev);
	assert_true(ledger_get("192.0.2.1", 100, &r));
	assert_int_equal(r.sample[AB_EVIDENCE_SAMPLES - 1].time, WALL + 100000);
	assert_int_equal(r.sample[AB_EVIDENCE_SAMPLES - 2].time, WALL + 6000);
	assert_int_equal(r.failures, 51);
}

static void a_ban_is_noted_and_an_unban_takes_it_back(void **state)
{
	struct ab_prefix p = prefix_of("192.0.2.1");
	struct ab_evidence_record r;

	(void)state;
	ledger_fail("192.0.2.1", 0);
	ledger_ban("192.0.2.1", 0, 600);
	ledger_ban("192.0.2.1", 700, 1200);
	assert_true(ledger_get("192.0.2.1", 700, &r));
	assert_int_equal(r.bans, 2);
	assert_int_equal(r.ban_seconds, 1200);
	assert_int_equal(r.reason, AB_REASON_THRESHOLD);
	ab_evidence_unban(&ledger, &p);
	assert_true(ledger_get("192.0.2.1", 700, &r));
	assert_int_equal(r.bans, 0);
	assert_int_equal(r.reason, 0);
	assert_int_equal(r.failures, 1);
}

/* --- retention, by a clock of the test's own --- */

static void all_is_gone_after_ttl(void **state)
{
	struct ab_evidence_place at[64];

	(void)state;
	ledger_fail("192.0.2.1", 0);
	ledger_fail("192.0.2.1", 10);
	ledger_ban("192.0.2.1", 10, 100 * TTL);
	assert_true(ledger_knows("192.0.2.1", 10 + TTL - 1));
	ledger_sweep(10 + TTL - 1);
	assert_true(ledger_has_bytes(AGENT, strlen(AGENT)));
	/* for readers at once, the live ban or not */
	assert_false(ledger_knows("192.0.2.1", 10 + TTL));
	assert_int_equal(ab_evidence_list(&ledger, MONO + 10 + TTL, at, 64), 0);
	assert_true(ledger_has_bytes(AGENT, strlen(AGENT)));
	/* and in memory with the sweep: not a byte of it is left */
	ledger_sweep(10 + TTL);
	assert_false(ledger_has_bytes(AGENT, strlen(AGENT)));
	assert_false(ledger_has_bytes(prefix_of("192.0.2.1").addr.b, 16));
}

static void old_samples_go_while_the_source_goes_on(void **state)
{
	struct ab_evidence_record r;
	uint64_t incident;

	(void)state;
	ledger_fail("192.0.2.1", 0);
	assert_true(ledger_get("192.0.2.1", 0, &r));
	incident = r.incident;
	ledger_fail("192.0.2.1", TTL - 10);
	assert_true(ledger_get("192.0.2.1", TTL - 1, &r));
	assert_int_equal(r.samples, 2);
	assert_true(r.incident == incident);
	/* readers do not see it any more, and a sweep takes it away */
	assert_true(ledger_get("192.0.2.1", TTL, &r));
	assert_int_equal(r.samples, 1);
	assert_int_equal(r.sample[0].time, WALL + (TTL - 10) * 1000);
	ledger_sweep(TTL);
	assert_true(ledger_get("192.0.2.1", TTL, &r));
	assert_int_equal(r.samples, 1);
	/* a new incident: nothing is counted for longer than that */
	ledger_fail("192.0.2.1", TTL + 5);
	assert_true(ledger_get("192.0.2.1", TTL + 5, &r));
	assert_int_equal(r.failures, 1);
	assert_int_equal(r.first, WALL + (TTL + 5) * 1000);
	assert_true(r.incident != incident);
}

static void a_source_that_was_over_begins_anew(void **state)
{
	struct ab_evidence_record r;

	(void)state;
	ledger_fail("192.0.2.1", 0);
	ledger_fail("192.0.2.1", TTL);
	assert_true(ledger_get("192.0.2.1", TTL, &r));
	assert_int_equal(r.failures, 1);
	assert_int_equal(r.samples, 1);
	assert_int_equal(r.first, WALL + (uint64_t)TTL * 1000);
}

/* --- erasing --- */

static void one_source_is_erased(void **state)
{
	struct ab_prefix p = prefix_of("192.0.2.1");

	(void)state;
	ledger_fail("192.0.2.1", 0);
	ledger_fail("192.0.2.2", 0);
	assert_true(ab_evidence_erase(&ledger, &p));
	assert_false(ab_evidence_erase(&ledger, &p));
	assert_false(ledger_knows("192.0.2.1", 0));
	assert_true(ledger_knows("192.0.2.2", 0));
	assert_false(ledger_has_bytes(p.addr.b, 16));
}

static bool is_marked(void *arg, const struct ab_evidence_sample *s)
{
	return s->user == *(const uint64_t *)arg;
}

static void one_user_is_erased_everywhere(void **state)
{
	struct ab_evidence_event ev = ledger_event("192.0.2.1", 0);
	struct ab_evidence_record r;
	uint64_t user = 5;
	int i;

	(void)state;
	ev.user_key = NULL;
	for(i = 0; i < 6; i++) {
		ev.user = i % 2 ? 5 : 6;
		ev.wall_ms = WALL + (uint64_t)i;
		ab_evidence_failure(&ledger, &ev);
	}
	ev.source = ev.source.addr.b[15] ? prefix_of("192.0.2.7") : ev.source;
	ev.user = 5;
	ab_evidence_failure(&ledger, &ev);
	assert_int_equal(ab_evidence_erase_user(&ledger, is_marked, &user), 4);
	assert_int_equal(ab_evidence_erase_user(&ledger, is_marked, &user), 0);
	assert_true(ledger_get("192.0.2.1", 0, &r));
	assert_int_equal(r.samples, 3);
	for(i = 0; i < 3; i++) {
		assert_true(r.sample[i].user == 6);
		assert_int_equal(r.sample[i].time, WALL + 2 * (uint64_t)i);
	}
	assert_int_equal(r.sample[3].time, 0);
	assert_int_equal(r.failures, 6);
}

static void a_name_is_found_by_its_hash(void **state)
{
	struct ab_evidence_event ev = ledger_event("192.0.2.1", 0);
	char out[AB_EVIDENCE_NAME + 1];

	(void)state;
	ev.user_key = NULL;
	ev.name = (struct ab_span){"a-name-that-is-longer-than-24", 29};
	ab_evidence_failure(&ledger, &ev);
	assert_true(ab_evidence_name(&ledger, 77, MONO, out));
	assert_string_equal(out, "a-name-that-is-longer-th");
	assert_false(ab_evidence_name(&ledger, 78, MONO, out));
	assert_false(ab_evidence_name(&ledger, 77, MONO + TTL, out));
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, ledger_setup, ledger_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(a_failure_is_written_down),
			TEST(nothing_unproven_makes_a_record), TEST(no_content_is_kept),
			TEST(a_user_is_hidden_by_the_key_of_its_period),
			TEST(foreign_bytes_are_escaped_and_cut),
			TEST(samples_are_the_first_and_the_last_that_banned),
			TEST(a_ban_is_noted_and_an_unban_takes_it_back),
			TEST(all_is_gone_after_ttl),
			TEST(old_samples_go_while_the_source_goes_on),
			TEST(a_source_that_was_over_begins_anew),
			TEST(one_source_is_erased), TEST(one_user_is_erased_everywhere),
			TEST(a_name_is_found_by_its_hash)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
