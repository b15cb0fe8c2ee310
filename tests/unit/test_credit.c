/*
 * authban: unit tests of known-good facts that proxies tell each other
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_credit.h"
#include "site.h"

#include <stdlib.h>
#include <string.h>

#define DAY 86400u
#define MONO 100000u
#define CLUSTER BOX_CLUSTER_S
#define SLOTS 16384

static const uint8_t key_a[16] = "key a", key_b[16] = "key b";
static struct ab_good one, two; /* of two proxies */

static struct ab_good open_good(void)
{
	struct ab_good g = {.key = "one for all"};

	g.facts = malloc(ab_recent_bytes(SLOTS));
	g.told = malloc(ab_recent_bytes(SLOTS));
	g.tell = malloc(sizeof(*g.tell));
	assert_true(g.facts && g.told && g.tell);
	ab_recent_init(g.facts, SLOTS);
	ab_recent_init(g.told, SLOTS);
	ab_tell_init(g.tell);
	return g;
}

static void close_good(struct ab_good *g)
{
	free(g->facts);
	free(g->told);
	free(g->tell);
}

static int setup(void **state)
{
	(void)state;
	one = open_good();
	two = open_good();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_good(&one);
	close_good(&two);
	return 0;
}

static struct ab_wire wire_of(const uint8_t *key, const char *prefix)
{
	struct ab_wire w = {.node = {1, 2, 3, 4}};

	strncpy(w.prefix, prefix, AB_WIRE_PREFIX_MAX);
	if(key)
		w.mac = test_mac(key);
	return w;
}

static struct ab_credit some(size_t n)
{
	struct ab_credit c = {.node = {1, 2, 3, 4}, .made = CLUSTER, .n = n};
	struct rng r = rng_of(n);
	size_t i;

	for(i = 0; i < n; i++)
		c.fact[i] = rng_next(&r);
	return c;
}

/* In a block of exactly its size, so that ASan sees a step beyond. */
static enum ab_wire_result read_exact(const struct ab_wire *w,
		const uint8_t *bytes, size_t len, struct ab_credit *out)
{
	uint8_t *p = malloc(len ? len : 1);
	enum ab_wire_result r;

	assert_non_null(p);
	memcpy(p, bytes, len);
	r = ab_credit_read(w, p, len, out);
	free(p);
	return r;
}

/* All that one has to tell goes to the other, `later` seconds after. */
static size_t pass_on(
		struct ab_good *from, struct ab_good *to, uint32_t at, uint32_t later)
{
	struct ab_wire w = wire_of(key_a, "authban");
	struct ab_credit c = {.made = CLUSTER + at}, heard;
	uint8_t bytes[AB_CREDIT_MAX];
	size_t len;

	c.n = ab_tell_take(from->tell, c.fact, AB_CREDIT_FACTS);
	if(c.n == 0)
		return 0;
	len = ab_credit_write(&w, &c, bytes);
	assert_int_equal(read_exact(&w, bytes, len, &heard), AB_WIRE_OK);
	ab_credit_apply(to, &heard, CLUSTER + at + later, MONO + at + later, DAY);
	return c.n;
}

static bool knows(
		const struct ab_good *g, const struct ab_party *p, uint32_t at)
{
	return ab_good_pair(g, &p->source, p->user, MONO + at, DAY);
}

static bool shared(
		const struct ab_good *g, const struct ab_party *p, uint32_t at)
{
	return ab_good_source(g, &p->source, MONO + at, DAY);
}

/* --- the record --- */

static void a_record_comes_back_as_it_went(void **state)
{
	struct ab_wire w = wire_of(key_a, "authban");
	uint8_t bytes[AB_CREDIT_MAX];
	struct ab_credit in, out;
	size_t n, len;

	(void)state;
	for(n = 1; n <= AB_CREDIT_FACTS; n++) {
		in = some(n);
		len = ab_credit_write(&w, &in, bytes);
		assert_int_equal(len, 26 + 8 * n);
		memset(&out, 0, sizeof(out));
		assert_int_equal(read_exact(&w, bytes, len, &out), AB_WIRE_OK);
		assert_memory_equal(&in, &out, sizeof(in));
	}
}

static void every_changed_bit_and_every_cut_is_refused(void **state)
{
	struct ab_wire w = wire_of(key_a, "authban");
	struct ab_credit in = some(5), out;
	uint8_t bytes[AB_CREDIT_MAX + 8] = {0};
	size_t len = ab_credit_write(&w, &in, bytes), i;

	(void)state;
	for(i = 0; i < 8 * len; i++) {
		bytes[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_not_equal(read_exact(&w, bytes, len, &out), AB_WIRE_OK);
		bytes[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for(i = 0; i < len + 8; i++)
		if(i != len)
			assert_int_not_equal(read_exact(&w, bytes, i, &out), AB_WIRE_OK);
	assert_int_equal(read_exact(&w, bytes, len, &out), AB_WIRE_OK);
}

static void a_record_is_of_one_cluster_and_key(void **state)
{
	struct ab_wire w = wire_of(key_a, "authban");
	struct ab_wire other_key = wire_of(key_b, "authban");
	struct ab_wire other_name = wire_of(key_a, "authba");
	struct ab_wire no_key = wire_of(NULL, "authban");
	struct ab_credit in = some(5), out;
	uint8_t bytes[AB_CREDIT_MAX];
	size_t len = ab_credit_write(&w, &in, bytes);

	(void)state;
	assert_int_equal(read_exact(&other_key, bytes, len, &out), AB_WIRE_MAC);
	assert_int_equal(read_exact(&other_name, bytes, len, &out), AB_WIRE_MAC);
	assert_int_equal(read_exact(&no_key, bytes, len, &out), AB_WIRE_UNSIGNED);
	assert_int_equal(ab_credit_write(&no_key, &in, bytes), 0);
	/* while the key is changed: true, but its hashes name nobody */
	other_key.mac_old = w.mac;
	assert_int_equal(read_exact(&other_key, bytes, len, &out), AB_WIRE_OK);
	assert_int_equal(out.n, 0);
	bytes[0]++;
	assert_int_equal(read_exact(&w, bytes, len, &out), AB_WIRE_VERSION_UNKNOWN);
}

static void an_hours_list_has_one_name_everywhere(void **state)
{
	struct ab_wire w = wire_of(key_a, "authban");
	char key[AB_WIRE_KEY_MAX];

	(void)state;
	ab_credit_key(&w, 500000, key);
	assert_string_equal(key, "{authban:0}:g:500000");
	w.shards = 16;
	ab_credit_key(&w, 500005, key);
	assert_string_equal(key, "{authban:5}:g:500005");
	assert_int_equal(ab_credit_shard(&w, 500005), 500005 % 16);
}

/* --- what is told, and what it does --- */

static void who_is_known_at_one_is_known_at_the_other(void **state)
{
	struct ab_party who = site_party("192.0.2.1", 7), stranger = who;

	(void)state;
	stranger.user = 8;
	assert_false(ab_good_success(&one, &who, MONO, DAY));
	assert_false(knows(&two, &who, 0));
	assert_int_equal(pass_on(&one, &two, 0, 1), 2);
	assert_true(knows(&two, &who, 1));
	assert_true(shared(&two, &who, 1));
	assert_false(knows(&two, &stranger, 1));
	/* only he who logs in says so: what was heard is not told on */
	assert_false(ab_good_source_here(&two, &who.source, MONO + 1, DAY));
	assert_false(ab_good_flow(&two, &who, MONO + 1, DAY));
	assert_int_equal(pass_on(&two, &one, 1, 1), 0);
	assert_true(knows(&two, &who, DAY - 1));
	assert_false(knows(&two, &who, DAY));
	/* and he is no stranger who took a place */
	assert_true(ab_good_success(&two, &who, MONO + 2, DAY));
}

/* A phone that registers each 10 minutes at one of two proxies, for ten days. */
static void a_phone_costs_two_records_a_day(void **state)
{
	struct ab_party who = site_party("192.0.2.1", 7);
	uint32_t at, told = 0, logins = 0, unknown = 0;
	struct rng r = rng_of(3);

	(void)state;
	for(at = 0; at < 10 * DAY; at += 600, logins++) {
		bool first = rng_below(&r, 2);
		struct ab_good *here = first ? &one : &two;
		struct ab_good *there = first ? &two : &one;

		ab_good_success(here, &who, MONO + at, DAY);
		told += (uint32_t)pass_on(here, there, at, 1);
		unknown += !knows(there, &who, at + 1);
	}
	print_message("credit: logins=%u facts told=%u\n", logins, told);
	assert_int_equal(unknown, 0);
	/* pair and source, twice a day */
	assert_in_range(told, 2 * 19, 2 * 21);
}

static void at_the_other_a_fact_lasts_half_of_the_time_at_least(void **state)
{
	struct ab_party who = site_party("192.0.2.1", 7);
	uint32_t at;

	(void)state;
	/* the last login comes just before it would have been told again */
	for(at = 0; at < DAY / 2; at += 600) {
		ab_good_success(&one, &who, MONO + at, DAY);
		pass_on(&one, &two, at, 1);
	}
	assert_true(knows(&two, &who, at - 600 + DAY / 2));
	/* a time is written anew after a 64th of it */
	assert_true(knows(&one, &who, at - 601 + DAY - DAY / 64));
}

static void a_replay_gives_no_more_time(void **state)
{
	struct ab_credit c = {
			.made = CLUSTER, .n = 1, .fact = {0x123456789abcdef0}};

	(void)state;
	assert_true(ab_credit_apply(&one, &c, CLUSTER + 1, MONO + 1, DAY));
	assert_true(
			ab_credit_apply(&one, &c, CLUSTER + DAY - 2, MONO + DAY - 2, DAY));
	assert_true(ab_recent_has(one.told, c.fact[0], MONO + DAY - 1, DAY));
	assert_false(ab_recent_has(one.told, c.fact[0], MONO + DAY, DAY));
	assert_false(ab_credit_apply(&one, &c, CLUSTER + DAY, MONO + DAY, DAY));
	/* of a day to come */
	assert_false(ab_credit_apply(&one, &c, CLUSTER - DAY - 1, MONO, DAY));
	assert_true(ab_credit_apply(&one, &c, CLUSTER - 5, MONO, DAY));
}

static void after_a_loss_the_next_login_tells_again(void **state)
{
	struct ab_party who = site_party("192.0.2.1", 7);

	(void)state;
	ab_good_success(&one, &who, MONO, DAY);
	assert_int_equal(pass_on(&one, &two, 0, 1), 2);
	ab_good_success(&one, &who, MONO + 60, DAY);
	assert_int_equal(pass_on(&one, &two, 60, 1), 0);
	ab_tell_again(one.tell, MONO + 100);
	ab_good_success(&one, &who, MONO + 120, DAY);
	assert_int_equal(pass_on(&one, &two, 120, 1), 2);
	ab_good_success(&one, &who, MONO + 180, DAY);
	assert_int_equal(pass_on(&one, &two, 180, 1), 0);
	assert_true(knows(&one, &who, 180));
}

/* Whoever has the cluster key and lies can make strangers known. He cannot make
 * anybody unknown who has logged in here. */
static void a_liar_crowds_out_nobody_who_logged_in_here(void **state)
{
	struct rng r = rng_of(21);
	struct ab_party who;
	uint32_t i, k, lost = 0;

	(void)state;
	for(i = 0; i < 1000; i++) {
		who = site_party("192.0.2.1", i + 1);
		ab_good_success(&one, &who, MONO, DAY);
	}
	for(i = 0; i < 4 * SLOTS / AB_CREDIT_FACTS; i++) {
		struct ab_credit c = {.made = CLUSTER + 10, .n = AB_CREDIT_FACTS};

		for(k = 0; k < AB_CREDIT_FACTS; k++)
			c.fact[k] = rng_next(&r);
		ab_credit_apply(&one, &c, CLUSTER + 10, MONO + 10, DAY);
	}
	for(i = 0; i < 1000; i++) {
		who = site_party("192.0.2.1", i + 1);
		lost += !knows(&one, &who, 11);
	}
	assert_int_equal(lost, 0);
}

static void alone_nothing_is_told(void **state)
{
	struct ab_party who = site_party("192.0.2.1", 7);
	struct ab_good g = {.facts = one.facts};

	(void)state;
	ab_good_success(&g, &who, MONO, DAY);
	ab_good_told(&g, 5, 0, MONO, DAY);
	assert_true(knows(&g, &who, 1));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(a_record_comes_back_as_it_went),
			T(every_changed_bit_and_every_cut_is_refused),
			T(a_record_is_of_one_cluster_and_key),
			T(an_hours_list_has_one_name_everywhere),
			T(who_is_known_at_one_is_known_at_the_other),
			T(a_phone_costs_two_records_a_day),
			T(at_the_other_a_fact_lasts_half_of_the_time_at_least),
			T(a_replay_gives_no_more_time),
			T(after_a_loss_the_next_login_tells_again),
			T(a_liar_crowds_out_nobody_who_logged_in_here),
			T(alone_nothing_is_told),
	};

	return cmocka_run_group_tests_name("credit", tests, NULL, NULL);
}
