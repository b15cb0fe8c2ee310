/*
 * authban: slots of a Redis Cluster, and where its nodes send us
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "unit.h"

#include "ab_slot.h"
#include "ab_wire.h"

#include <stdio.h>
#include <string.h>

static unsigned slot(const char *key)
{
	return ab_slot_of(key, strlen(key));
}

/* Numbers of Redis itself: CLUSTER KEYSLOT of 7.0.15. */
static void slots_are_those_of_redis(void **state)
{
	(void)state;
	assert_int_equal(slot("123456789"), 12739);
	assert_int_equal(slot("foo"), 12182);
	assert_int_equal(slot("{foo}bar"), 12182);
	assert_int_equal(slot("a{foo}{b}"), 12182);
	assert_int_equal(slot("{authban:0}:log"), 4631);
	assert_int_equal(slot("{}foo"), 9500);
	assert_int_equal(slot("foo{"), 7673);
	assert_int_equal(slot(""), 0);
}

/* All that one command names lies on one slot: CROSSSLOT cannot happen. */
static void keys_of_a_shard_share_their_slot(void **state)
{
	struct ab_wire w = {.prefix = "a-name_with.32-characters-0123456"};
	char tag[AB_WIRE_KEY_MAX], key[AB_WIRE_KEY_MAX];
	unsigned shards, i, hit[AB_WIRE_SHARDS_MAX];

	(void)state;
	for(shards = 1; shards <= AB_WIRE_SHARDS_MAX; shards++) {
		w.shards = shards;
		memset(hit, 0, sizeof(hit));
		for(i = 0; i < 2000; i++) {
			struct ab_key k = {.kind = AB_KIND_SOURCE, .plen = 128};
			unsigned shard;

			ab_addr_from_v4(&k.addr,
					(uint8_t[4]){10, 0, (uint8_t)(i >> 8), (uint8_t)i});
			shard = ab_wire_shard(&w, &k);
			assert_true(shard < shards);
			hit[shard]++;
			ab_wire_tag(&w, shard, tag);
			ab_wire_count_key(&w, &k, 600, 4294967290u, key);
			assert_memory_equal(key, tag, strlen(tag));
			assert_int_equal(slot(key), slot(tag));
			ab_wire_map_key(&w, &k, key);
			ab_wire_tag(&w, 0, tag);
			assert_memory_equal(key, tag, strlen(tag));
		}
		for(i = 0; i < shards; i++)
			expect(hit[i] > 2000 / shards / 3, "%u of %u: %u", i, shards,
					hit[i]);
	}
}

/* One shard is what it was before there were shards. */
static void no_shards_is_shard_0(void **state)
{
	struct ab_wire none = {.prefix = "p"}, one = {.prefix = "p", .shards = 1};
	struct ab_key k = {.kind = AB_KIND_SOURCE, .plen = 128};
	char a[AB_WIRE_KEY_MAX], b[AB_WIRE_KEY_MAX];

	(void)state;
	ab_wire_count_key(&none, &k, 60, 120, a);
	ab_wire_count_key(&one, &k, 60, 120, b);
	assert_string_equal(a, b);
	assert_memory_equal(a, "{p:0}:c:60.120:", 15);
}

static enum ab_redirect parse(const char *text, struct ab_place *place)
{
	return ab_redirect_read(text, strlen(text), place);
}

static void a_redirect_is_taken_apart(void **state)
{
	struct ab_place p;

	(void)state;
	assert_int_equal(parse("MOVED 3999 127.0.0.1:6381", &p), AB_REDIRECT_MOVED);
	assert_string_equal(p.host, "127.0.0.1");
	assert_int_equal(p.port, 6381);
	assert_int_equal(parse("ASK 0 2001:db8::1:7000", &p), AB_REDIRECT_ASK);
	assert_string_equal(p.host, "2001:db8::1");
	assert_int_equal(p.port, 7000);
	assert_int_equal(parse("MOVED 16383 :6381", &p), AB_REDIRECT_MOVED);
	assert_string_equal(p.host, "");
	assert_int_equal(
			parse("MOVED 1 node-1.example:65535", &p), AB_REDIRECT_MOVED);
	assert_string_equal(p.host, "node-1.example");
}

static void a_damaged_redirect_is_none(void **state)
{
	static const char *const bad[] = {"", "MOVED", "MOVED ", "MOVED 1",
			"ASK 1 ", "MOVED 16384 h:1", "MOVED -1 h:1", "MOVED x h:1",
			"MOVED  h:1", "MOVED 1 h", "MOVED 1 h:", "MOVED 1 h:0",
			"MOVED 1 h:65536", "MOVED 1 h:123456", "MOVED 1 h:-1",
			"MOVED 1 h:1 x", "MOVED 1 a b:1", "MOVED 1 a\nb:1", "MOVED 1 a%b:1",
			"MOVED 999999999999 h:1", "moved 1 h:1", "MOVED1 h:1",
			"ERR MOVED 1 h:1"};
	char text[1024];
	struct ab_place p;
	size_t i;

	(void)state;
	for(i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect(parse(bad[i], &p) == AB_REDIRECT_NONE, "\"%s\"", bad[i]);
	memset(text, 'x', sizeof(text));
	memcpy(text, "MOVED 1 ", 8);
	for(i = AB_URL_PART - 1; i < sizeof(text); i++) {
		bool fits = i - 8 - 2 < AB_URL_PART;

		memcpy(text + i - 2, ":1", 2);
		expect((ab_redirect_read(text, i, &p) == AB_REDIRECT_MOVED) == fits,
				"length %zu", i);
		memcpy(text + i - 2, "xx", 2);
	}
	/* a NUL within is no end */
	assert_int_equal(
			ab_redirect_read("MOVED 1 a\0b:1", 13, &p), AB_REDIRECT_NONE);
	assert_int_equal(
			ab_redirect_read("MOVED 1 h:1\0", 12, &p), AB_REDIRECT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(slots_are_those_of_redis),
			cmocka_unit_test(keys_of_a_shard_share_their_slot),
			cmocka_unit_test(no_shards_is_shard_0),
			cmocka_unit_test(a_redirect_is_taken_apart),
			cmocka_unit_test(a_damaged_redirect_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
