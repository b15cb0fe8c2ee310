/*
 * authban: unit tests of evidence on its way to other proxies
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ledger.h"

#include "ab_evidence_wire.h"

#include <string.h>

static const uint8_t key_a[16] = "cluster key a", key_b[16] = "cluster key b";

static struct ab_wire wire_of(const uint8_t *key)
{
	struct ab_wire w = {.prefix = "authban"};

	if(key)
		w.mac = test_mac(key);
	return w;
}

/* A record as this node would tell it. */
static struct ab_evidence_news news(void)
{
	struct ab_evidence_news n = {.reason = "threshold", .origin = "node-1"};

	ledger_fail("192.0.2.1", 0);
	ledger_fail("192.0.2.1", 3);
	ledger_ban("192.0.2.1", 3, 600);
	assert_true(ledger_get("192.0.2.1", 3, &n.r));
	return n;
}

static void a_summary_comes_back(void **state)
{
	static const uint8_t *const keys[] = {key_a, NULL};
	struct ab_evidence_news n = news(), out;
	uint8_t bytes[AB_EVIDENCE_WIRE_MAX];
	size_t i, len;

	(void)state;
	for(i = 0; i < COUNT_OF(keys); i++) {
		struct ab_wire w = wire_of(keys[i]);

		len = ab_evidence_write(&w, &n, bytes);
		assert_int_equal(ab_evidence_read(&w, bytes, len, &out), AB_WIRE_OK);
		assert_int_equal(out.r.first, n.r.first);
		assert_int_equal(out.r.last, n.r.last);
		assert_true(out.r.incident == n.r.incident);
		assert_int_equal(out.r.failures, 2);
		assert_int_equal(out.r.guesses[AB_GUESS_PASSWORD], 2);
		assert_int_equal(out.r.methods[AB_METHOD_REGISTER], 2);
		assert_int_equal(out.r.bans, 1);
		assert_int_equal(out.r.ban_seconds, 600);
		assert_int_equal(out.r.port, 40000);
		assert_int_equal(out.r.users, n.r.users);
		assert_int_equal(out.r.proof, AB_PROOF_TOKEN);
		assert_true(ab_addr_equal(&out.r.source, &n.r.source));
		assert_true(ab_addr_equal(&out.r.local, &n.r.local));
		assert_string_equal(out.reason, "threshold");
		assert_string_equal(out.origin, "node-1");
		/* nothing of a sample is on the way */
		assert_int_equal(out.r.samples, 0);
		assert_null(memmem(bytes, len, AGENT, strlen(AGENT)));
		assert_null(memmem(bytes, len, &n.r.sample[0].user, 8));
	}
}

static void every_changed_bit_is_found(void **state)
{
	struct ab_wire w = wire_of(key_a);
	struct ab_evidence_news n = news(), out;
	uint8_t bytes[AB_EVIDENCE_WIRE_MAX + 1];
	size_t len = ab_evidence_write(&w, &n, bytes), i;

	(void)state;
	for(i = 0; i < 8 * len; i++) {
		bytes[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_not_equal(
				ab_evidence_read(&w, bytes, len, &out), AB_WIRE_OK);
		bytes[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for(i = 0; i < len; i++)
		assert_int_not_equal(ab_evidence_read(&w, bytes, i, &out), AB_WIRE_OK);
	assert_int_not_equal(
			ab_evidence_read(&w, bytes, len + 1, &out), AB_WIRE_OK);
	assert_int_equal(ab_evidence_read(&w, bytes, len, &out), AB_WIRE_OK);
}

static void another_clusters_word_is_refused(void **state)
{
	struct ab_wire a = wire_of(key_a), b = wire_of(key_b), none = wire_of(NULL);
	struct ab_evidence_news n = news(), out;
	uint8_t bytes[AB_EVIDENCE_WIRE_MAX];
	size_t len = ab_evidence_write(&a, &n, bytes);

	(void)state;
	assert_int_equal(ab_evidence_read(&b, bytes, len, &out), AB_WIRE_MAC);
	assert_int_equal(
			ab_evidence_read(&none, bytes, len, &out), AB_WIRE_UNSIGNED);
	strcpy(a.prefix, "another");
	assert_int_equal(ab_evidence_read(&a, bytes, len, &out), AB_WIRE_MAC);
	len = ab_evidence_write(&none, &n, bytes);
	assert_int_equal(ab_evidence_read(&b, bytes, len, &out), AB_WIRE_UNSIGNED);
}

/* True bytes, and a content that cannot be. */
static void what_cannot_be_is_refused(void **state)
{
	struct ab_wire w = wire_of(key_a);
	struct ab_evidence_news good = news(), bad, out;
	uint8_t bytes[AB_EVIDENCE_WIRE_MAX];
	unsigned i;

	(void)state;
	for(i = 0; i < 10; i++) {
		bad = good;
		switch(i) {
			case 0:
				bad.r.proof = AB_PROOF_OPERATOR;
				break;
			case 1:
				bad.r.proof = AB_PROOF_SCRIPT;
				break;
			case 2:
				bad.r.failures = 3;
				break;
			case 3:
				bad.r.first = bad.r.last + 1;
				break;
			case 4:
				bad.r.source_len = 0;
				break;
			case 5:
				bad.r.source_len = 120;
				break; /* bits behind it */
			case 6:
				bad.r.address = prefix_of("192.0.2.2").addr;
				break;
			case 7:
				bad.r.transport = AB_TRANSPORT_COUNT;
				break;
			case 8:
				bad.r.methods[0] = 3;
				break;
			default:
				strcpy(bad.reason, "two words");
				break;
		}
		expect(ab_evidence_read(
					   &w, bytes, ab_evidence_write(&w, &bad, bytes), &out)
						!= AB_WIRE_OK,
				"case %u", i);
	}
	assert_int_equal(ab_evidence_read(&w, bytes,
							 ab_evidence_write(&w, &good, bytes), &out),
			AB_WIRE_OK);
}

static size_t due(uint32_t seconds)
{
	struct ab_evidence_record out[8];

	return ab_evidence_take_due(&ledger, MONO + seconds, 60, out, 8);
}

static void told_is_at_the_ban_and_once_a_minute(void **state)
{
	struct ab_evidence_record r;
	struct ab_prefix p = prefix_of("192.0.2.1");

	(void)state;
	ledger_fail("192.0.2.1", 0);
	assert_int_equal(due(0), 0); /* not banned */
	ledger_ban("192.0.2.1", 0, 600);
	assert_int_equal(due(1), 1);
	assert_int_equal(due(100), 0); /* nothing new */
	ledger_fail("192.0.2.1", 101);
	ledger_fail("192.0.2.1", 102);
	assert_int_equal(due(102), 1);
	ledger_fail("192.0.2.1", 103);
	assert_int_equal(due(161), 0); /* too soon */
	assert_int_equal(due(162), 1);
	ab_evidence_unban(&ledger, &p);
	assert_int_equal(due(163), 1); /* an unban is news too, and does not wait */
	ab_evidence_tell_again(&ledger);
	assert_int_equal(due(301), 0); /* it has no ban any more */
	/* what came from others is not told on */
	ledger_fail("192.0.2.2", 300);
	assert_true(ledger_get("192.0.2.2", 300, &r));
	r.source = r.address = prefix_of("192.0.2.3").addr;
	r.bans = 1;
	assert_true(ab_evidence_import(&ledger, &r, MONO + 300, 0));
	assert_int_equal(due(400), 0);
	ledger_ban("192.0.2.2", 400, 600);
	assert_int_equal(due(401), 1);
	ab_evidence_tell_again(&ledger);
	assert_int_equal(due(402), 1);
}

static void imports_take_no_place_from_what_was_seen(void **state)
{
	struct ab_evidence_record r;
	bool before[64];
	char source[20];
	uint32_t i;

	(void)state;
	for(i = 0; i < 64; i++) {
		ledger_text(i, source);
		ledger_fail(source, 0);
		ledger_fail(source, 1);
	}
	assert_true(ledger_get(source, 1, &r));
	r.bans = 100;
	r.last += 1000000;
	for(i = 0; i < 64; i++) {
		ledger_text(i, source);
		before[i] = ledger_knows(source, 1);
	}
	for(i = 1000; i < 3000; i++) {
		ledger_text(i, source);
		r.source = r.address = prefix_of(source).addr;
		ab_evidence_import(&ledger, &r, MONO + 1, 0);
	}
	for(i = 0; i < 64; i++) {
		ledger_text(i, source);
		expect(ledger_knows(source, 1) == before[i], "%s", source);
	}
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, ledger_setup, ledger_teardown)

/* --- erasures --- */

static void an_erasure_comes_back_and_no_bit_of_it_may_change(void **state)
{
	struct ab_erasure er = {.source = prefix_of("192.0.2.1"), .time = 77}, out;
	struct ab_wire w = wire_of(key_a), b = wire_of(key_b), none = wire_of(NULL);
	uint8_t bytes[AB_EVIDENCE_WIRE_MAX + 1];
	struct ab_evidence_news n;
	size_t len = ab_erasure_write(&w, &er, bytes), i;

	(void)state;
	assert_true(ab_erasure_is(bytes, len));
	assert_int_equal(ab_erasure_read(&w, bytes, len, &out), AB_WIRE_OK);
	assert_true(ab_addr_equal(&out.source.addr, &er.source.addr));
	assert_int_equal(out.source.len, er.source.len);
	assert_true(out.user == 0 && out.time == 77);
	for(i = 0; i < 8 * len; i++) {
		bytes[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_not_equal(ab_erasure_read(&w, bytes, len, &out), AB_WIRE_OK);
		bytes[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for(i = 0; i < len; i++)
		assert_int_not_equal(ab_erasure_read(&w, bytes, i, &out), AB_WIRE_OK);
	assert_int_not_equal(ab_erasure_read(&w, bytes, len + 1, &out), AB_WIRE_OK);
	assert_int_equal(ab_erasure_read(&b, bytes, len, &out), AB_WIRE_MAC);
	assert_int_equal(
			ab_erasure_read(&none, bytes, len, &out), AB_WIRE_UNSIGNED);
	/* one is not taken for the other */
	assert_int_not_equal(ab_evidence_read(&w, bytes, len, &n), AB_WIRE_OK);
	n = news();
	len = ab_evidence_write(&w, &n, bytes);
	assert_false(ab_erasure_is(bytes, len));
	assert_int_not_equal(ab_erasure_read(&w, bytes, len, &out), AB_WIRE_OK);
}

static void an_erasure_is_of_a_source_or_of_a_user(void **state)
{
	struct ab_wire w = wire_of(key_a);
	uint8_t bytes[AB_EVIDENCE_WIRE_MAX];
	struct ab_erasure er = {.user = 7, .time = 1}, out;
	size_t len = ab_erasure_write(&w, &er, bytes);

	(void)state;
	assert_int_equal(ab_erasure_read(&w, bytes, len, &out), AB_WIRE_OK);
	assert_true(out.user == 7);
	er.source = prefix_of("192.0.2.1");
	len = ab_erasure_write(&w, &er, bytes);
	assert_int_equal(ab_erasure_read(&w, bytes, len, &out), AB_WIRE_RANGE);
	er.user = 0;
	er.source.len = 120; /* bits behind it */
	len = ab_erasure_write(&w, &er, bytes);
	assert_int_equal(ab_erasure_read(&w, bytes, len, &out), AB_WIRE_RANGE);
	er.source.len = 0;
	len = ab_erasure_write(&w, &er, bytes);
	assert_int_equal(ab_erasure_read(&w, bytes, len, &out), AB_WIRE_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(a_summary_comes_back),
			TEST(every_changed_bit_is_found),
			TEST(another_clusters_word_is_refused),
			TEST(what_cannot_be_is_refused),
			TEST(an_erasure_comes_back_and_no_bit_of_it_may_change),
			TEST(an_erasure_is_of_a_source_or_of_a_user),
			TEST(told_is_at_the_ban_and_once_a_minute),
			TEST(imports_take_no_place_from_what_was_seen)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
