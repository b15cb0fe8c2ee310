/*
 * authban: unit tests of the records on their way through Redis
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_wire.h"
#include "unit.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define WINDOW 600
#define START BOX_CLUSTER_S

static const uint8_t key_a[16] = "key a", key_b[16] = "key b";

static struct ab_wire wire_of(const uint8_t *key)
{
	struct ab_wire w = {
			.prefix = "authban", .node = {1, 2, 3, 4}, .boot = {5, 6, 7, 8}};

	if(key)
		w.mac = test_mac(key);
	return w;
}

/* A value in a block of exactly its size, so that ASan sees a step beyond. */
static uint8_t *exact(const uint8_t *bytes, size_t len)
{
	uint8_t *p = malloc(len ? len : 1);

	assert_non_null(p);
	memcpy(p, bytes, len);
	return p;
}

static enum ab_wire_result read_share(const struct ab_wire *w,
		const uint8_t *field, size_t field_len, const uint8_t *value,
		size_t len, struct ab_share *out)
{
	uint8_t *f = exact(field, field_len), *v = exact(value, len);
	enum ab_wire_result r =
			ab_wire_share_read(w, WINDOW, START, f, field_len, v, len, out);

	free(f);
	free(v);
	return r;
}

static enum ab_wire_result read_state(const struct ab_wire *w,
		const uint8_t *bytes, size_t len, struct ab_wire_state *out)
{
	uint8_t *b = exact(bytes, len);
	enum ab_wire_result r = ab_wire_state_read(w, b, len, out);

	free(b);
	return r;
}

struct sent
{
	uint8_t field[AB_WIRE_FIELD_MAX], value[AB_WIRE_SHARE_MAX];
	size_t field_len, len;
};

static struct sent share_of(
		const struct ab_wire *w, const struct ab_key *key, uint16_t count)
{
	struct ab_share share = {count, 0x80000001, START + 7, count % 2 == 1};
	struct sent s;

	s.field_len = ab_wire_share_field(w, key, 9, s.field);
	s.len = ab_wire_share_write(
			w, WINDOW, START, s.field, s.field_len, &share, s.value);
	return s;
}

static void a_share_comes_back_as_it_went(void **state)
{
	static const char *const sources[] = {"192.0.2.1", "192.0.2.0/24",
			"2001:db8::1", "2001:db8::/64", "::/0", "0.0.0.0/0"};
	const uint8_t *keys[] = {NULL, key_a};
	size_t i, k;

	(void)state;
	for(k = 0; k < 2; k++)
		for(i = 0; i < COUNT_OF(sources); i++) {
			struct ab_wire w = wire_of(keys[k]);
			struct ab_key key = key_of(sources[i]);
			struct sent s = share_of(&w, &key, 65535);
			struct ab_share out;

			assert_int_equal(s.len, k ? 20 : 12);
			assert_int_equal(
					read_share(&w, s.field, s.field_len, s.value, s.len, &out),
					AB_WIRE_OK);
			assert_int_equal(out.count, 65535);
			assert_int_equal(out.distinct, 0x80000001);
			assert_int_equal(out.epoch, START + 7);
			assert_true(ab_wire_share_is_own(&w, s.field, s.field_len, 9));
			assert_false(ab_wire_share_is_own(&w, s.field, s.field_len, 8));
			w.boot[3]++;
			assert_false(ab_wire_share_is_own(&w, s.field, s.field_len, 9));
		}
}

static void a_changed_bit_of_a_signed_share_is_refused(void **state)
{
	struct ab_wire w = wire_of(key_a);
	struct ab_key key = key_of("192.0.2.1");
	struct sent s = share_of(&w, &key, 3);
	struct ab_share out;
	size_t bit;

	(void)state;
	for(bit = 0; bit < 8 * s.len; bit++) {
		struct sent bad = s;

		bad.value[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		expect(read_share(
					   &w, bad.field, bad.field_len, bad.value, bad.len, &out)
						!= AB_WIRE_OK,
				"bit %zu of the value", bit);
	}
	for(bit = 0; bit < 8 * s.field_len; bit++) {
		struct sent bad = s;

		bad.field[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		expect(read_share(
					   &w, bad.field, bad.field_len, bad.value, bad.len, &out)
						== AB_WIRE_MAC,
				"bit %zu of the field", bit);
	}
}

static void a_share_of_another_length_is_refused(void **state)
{
	const uint8_t *keys[] = {NULL, key_a};
	struct ab_key key = key_of("192.0.2.1");
	struct ab_share out;
	size_t k, n;

	(void)state;
	for(k = 0; k < 2; k++) {
		struct ab_wire w = wire_of(keys[k]);
		struct sent s = share_of(&w, &key, 3);
		uint8_t longer[64] = {0};

		memcpy(longer, s.value, s.len);
		for(n = 0; n < sizeof(longer); n++)
			expect((read_share(&w, s.field, s.field_len, longer, n, &out)
						   == AB_WIRE_OK)
							== (n == s.len),
					"%zu bytes", n);
		memset(longer, 0, sizeof(longer));
		memcpy(longer, s.field, s.field_len);
		for(n = 0; keys[k] && n < sizeof(longer); n++)
			expect((read_share(&w, longer, n, s.value, s.len, &out)
						   == AB_WIRE_OK)
							== (n == s.field_len),
					"a field of %zu bytes", n);
	}
}

static void a_share_moved_to_another_place_is_refused(void **state)
{
	struct ab_wire w = wire_of(key_a), other = wire_of(key_a),
				   stranger = wire_of(key_b);
	struct ab_key key = key_of("192.0.2.1"), next = key_of("192.0.2.2");
	struct sent s = share_of(&w, &key, 3), t = share_of(&w, &next, 3);
	struct ab_share out;

	(void)state;
	assert_int_equal(read_share(&w, t.field, t.field_len, s.value, s.len, &out),
			AB_WIRE_MAC);
	assert_int_equal(ab_wire_share_read(&w, WINDOW, START + WINDOW, s.field,
							 s.field_len, s.value, s.len, &out),
			AB_WIRE_MAC);
	assert_int_equal(ab_wire_share_read(&w, WINDOW + 1, START, s.field,
							 s.field_len, s.value, s.len, &out),
			AB_WIRE_MAC);
	strcpy(other.prefix, "authbam");
	assert_int_equal(
			read_share(&other, s.field, s.field_len, s.value, s.len, &out),
			AB_WIRE_MAC);
	strcpy(other.prefix, "");
	assert_int_equal(
			read_share(&other, s.field, s.field_len, s.value, s.len, &out),
			AB_WIRE_MAC);
	assert_int_equal(
			read_share(&stranger, s.field, s.field_len, s.value, s.len, &out),
			AB_WIRE_MAC);
}

static void signed_and_unsigned_do_not_mix(void **state)
{
	struct ab_wire with = wire_of(key_a), without = wire_of(NULL);
	struct ab_key key = key_of("192.0.2.1");
	struct sent s = share_of(&with, &key, 3), u = share_of(&without, &key, 3);
	struct ab_share out;

	(void)state;
	assert_int_equal(
			read_share(&with, u.field, u.field_len, u.value, u.len, &out),
			AB_WIRE_UNSIGNED);
	assert_int_equal(
			read_share(&without, s.field, s.field_len, s.value, s.len, &out),
			AB_WIRE_UNSIGNED);
	u.value[1] = 1; /* says it is signed */
	assert_int_not_equal(
			read_share(&with, u.field, u.field_len, u.value, u.len, &out),
			AB_WIRE_OK);
}

static void a_newer_version_is_told_apart(void **state)
{
	struct ab_wire w = wire_of(key_a);
	struct ab_key key = key_of("192.0.2.1");
	struct sent s = share_of(&w, &key, 3);
	struct ab_wire_state st;
	struct ab_share out;
	uint8_t zero[AB_WIRE_STATE_MAX] = {AB_WIRE_VERSION + 1};

	(void)state;
	s.value[0] = AB_WIRE_VERSION + 1;
	assert_int_equal(read_share(&w, s.field, s.field_len, s.value, s.len, &out),
			AB_WIRE_VERSION_UNKNOWN);
	assert_int_equal(read_state(&w, zero, 100, &st), AB_WIRE_VERSION_UNKNOWN);
	zero[0] = 0;
	assert_int_equal(read_state(&w, zero, 100, &st), AB_WIRE_RANGE);
	assert_string_equal(
			ab_wire_result_name(AB_WIRE_VERSION_UNKNOWN), "version");
	assert_string_equal(ab_wire_result_name(AB_WIRE_RESULTS), "unknown");
}

static struct ab_wire_state state_of(const char *source, size_t text)
{
	struct ab_wire_state s = {.key = key_of(source),
			.state = AB_STATE_BANNED,
			.proof = AB_PROOF_TOKEN,
			.repeats = 3,
			.version = (uint64_t)START * 1000 << 16 | 0xabcd,
			.begin = (uint64_t)START * 1000 - 5,
			.end = (uint64_t)START * 1000 + 60000,
			.failures = 0xfedc,
			.distinct = 0x80000003};

	memset(s.reason, 'r', text);
	memset(s.origin, 'o', AB_NAME_LEN - text);
	return s;
}

static void a_state_comes_back_as_it_went(void **state)
{
	static const char *const sources[] = {"192.0.2.1", "192.0.2.0/24",
			"2001:db8::1", "2001:db8::/64", "2001:db8::/32", "192.0.0.0/16"};
	const uint8_t *keys[] = {NULL, key_a};
	size_t i, k, n;

	(void)state;
	for(k = 0; k < 2; k++)
		for(i = 0; i < COUNT_OF(sources); i++)
			for(n = 0; n <= AB_NAME_LEN; n++) {
				struct ab_wire w = wire_of(keys[k]);
				struct ab_wire_state s = state_of(sources[i], n), out;
				uint8_t bytes[AB_WIRE_STATE_MAX];
				size_t len;

				if(n == AB_NAME_LEN) { /* both as long as they may be */
					memset(s.origin, 'o', AB_NAME_LEN);
					s.state = AB_STATE_UNBANNED;
				}
				len = ab_wire_state_write(&w, &s, bytes);
				assert_true(len <= AB_WIRE_STATE_MAX);
				assert_int_equal(read_state(&w, bytes, len, &out), AB_WIRE_OK);
				assert_memory_equal(&out.key.addr, &s.key.addr, 16);
				assert_int_equal(out.key.kind, s.key.kind);
				assert_int_equal(out.key.plen, s.key.plen);
				assert_int_equal(out.state, s.state);
				assert_int_equal(out.proof, s.proof);
				assert_int_equal(out.repeats, s.repeats);
				assert_true(out.version == s.version && out.begin == s.begin
							&& out.end == s.end);
				assert_int_equal(out.failures, s.failures);
				assert_int_equal(out.distinct, s.distinct);
				assert_string_equal(out.reason, s.reason);
				assert_string_equal(out.origin, s.origin);
			}
}

static void a_changed_bit_or_length_of_a_signed_state_is_refused(void **state)
{
	struct ab_wire w = wire_of(key_a), other = wire_of(key_a);
	struct ab_wire_state s = state_of("192.0.2.1", 9), out;
	uint8_t bytes[AB_WIRE_STATE_MAX + 64] = {0};
	size_t len = ab_wire_state_write(&w, &s, bytes), bit, n;

	(void)state;
	for(bit = 0; bit < 8 * len; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		expect(read_state(&w, bytes, len, &out) != AB_WIRE_OK, "bit %zu", bit);
		bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	for(n = 0; n < sizeof(bytes); n++)
		expect((read_state(&w, bytes, n, &out) == AB_WIRE_OK) == (n == len),
				"%zu bytes", n);
	strcpy(other.prefix, "authba");
	assert_int_equal(read_state(&other, bytes, len, &out), AB_WIRE_MAC);
}

static void a_state_with_values_that_cannot_be_is_refused(void **state)
{
	struct ab_wire w = wire_of(key_a);
	struct ab_wire_state good = state_of("192.0.2.0/24", 4), out;
	struct ab_wire_state bad[11];
	uint8_t bytes[AB_WIRE_STATE_MAX];
	size_t i, len;

	(void)state;
	for(i = 0; i < COUNT_OF(bad); i++)
		bad[i] = good;
	bad[0].key.kind = AB_KIND_FREE;
	bad[1].key.kind = AB_KIND_MAX;
	bad[2].key.plen = 129;
	bad[3].key.addr.b[15] = 1; /* host bits */
	bad[4].state = AB_STATE_NONE;
	bad[5].state = AB_STATE_DRY_RUN;
	bad[6].state = 4;
	bad[7].proof = AB_PROOF_MAX;
	bad[8].version = 0;
	bad[9].begin = bad[9].end + 1;
	bad[10].key.user = 1; /* only pairs: two entries for one source */
	len = ab_wire_state_write(&w, &good, bytes);
	assert_int_equal(ab_wire_state_read(&w, bytes, len, &out), AB_WIRE_OK);
	for(i = 0; i < COUNT_OF(bad); i++) {
		len = ab_wire_state_write(&w, &bad[i], bytes);
		expect(ab_wire_state_read(&w, bytes, len, &out) == AB_WIRE_RANGE,
				"case %zu", i);
	}
}

static void a_text_with_a_nul_or_beyond_its_record_is_refused(void **state)
{
	struct ab_wire w = wire_of(NULL);
	struct ab_wire_state s = state_of("192.0.2.1", 9), out;
	uint8_t bytes[AB_WIRE_STATE_MAX];
	size_t len = ab_wire_state_write(&w, &s, bytes);
	unsigned n;

	(void)state;
	assert_int_equal(bytes[61], 9); /* the reason's length */
	for(n = 0; n < 256; n++) {
		bytes[61] = (uint8_t)n;
		expect((read_state(&w, bytes, len, &out) == AB_WIRE_OK) == (n == 9),
				"length %u", n);
	}
	bytes[61] = 9;
	bytes[64] = 0;
	assert_int_equal(read_state(&w, bytes, len, &out), AB_WIRE_LENGTH);
}

static void random_bytes_never_crash_and_never_pass_a_mac(void **state)
{
	const uint8_t *keys[] = {NULL, key_a};
	struct rng r = rng_of(99);
	uint32_t i, k;

	(void)state;
	for(i = 0; i < 1000000; i++) {
		struct ab_wire w = wire_of(keys[i % 2]);
		uint8_t bytes[AB_WIRE_STATE_MAX + 16], field[AB_WIRE_FIELD_MAX + 8];
		size_t len = rng_below(&r, sizeof(bytes));
		size_t field_len = rng_below(&r, sizeof(field));
		struct ab_wire_state st;
		struct ab_share sh;
		enum ab_wire_result one, two;

		unit_at.step = i;
		for(k = 0; k < sizeof(bytes); k += 8) {
			uint64_t v = rng_next(&r);

			memcpy(bytes + k, &v, 8);
		}
		memcpy(field, bytes, sizeof(field));
		bytes[0] = AB_WIRE_VERSION;
		bytes[1] = (uint8_t)(i % 2);
		if(i % 3)
			len = len % 30;
		one = ab_wire_state_read(&w, bytes, len, &st);
		two = ab_wire_share_read(
				&w, WINDOW, START, field, field_len, bytes, len, &sh);
		expect(i % 2 == 0 || (one != AB_WIRE_OK && two != AB_WIRE_OK), " ");
		expect(one != AB_WIRE_OK
						|| (st.state < 4 && st.key.plen <= 128
								&& strlen(st.reason) <= AB_NAME_LEN),
				" ");
	}
}

static void names_of_places_are_as_documented(void **state)
{
	struct ab_wire w = wire_of(key_a);
	struct ab_key v4 = key_of("192.0.2.1"), v6 = key_of("2001:db8::/32");
	uint8_t place[AB_WIRE_PLACE_MAX], field[AB_WIRE_FIELD_MAX];
	char name[AB_WIRE_KEY_MAX], want[AB_WIRE_KEY_MAX];

	(void)state;
	assert_int_equal(ab_wire_place(&v4, place), 6);
	assert_memory_equal(place, "\x01\x80\xc0\x00\x02\x01", 6);
	assert_int_equal(ab_wire_place(&v6, place), 6);
	assert_memory_equal(place, "\x01\x20\x20\x01\x0d\xb8", 6);
	v6 = key_of("2001:db8::1");
	assert_int_equal(ab_wire_place(&v6, place), 18);
	assert_int_equal(ab_wire_share_field(&w, &v4, 0x7f, field), 15);
	assert_memory_equal(
			field, "\x01\x80\xc0\x00\x02\x01\1\2\3\4\5\6\7\x08\x7f", 15);
	ab_wire_count_key(&w, &v4, 600, 1200, name);
	snprintf(want, sizeof(want), "{authban:0}:c:600.1200:%u",
			ab_wire_count_bucket(&v4));
	assert_string_equal(name, want);
	ab_wire_log_key(&w, name);
	assert_string_equal(name, "{authban:0}:log");
	ab_wire_map_bucket_key(&w, 255, name);
	assert_string_equal(name, "{authban:0}:b:255");
	memset(w.prefix, 'x', AB_WIRE_PREFIX_MAX);
	ab_wire_count_key(&w, &v4, UINT32_MAX, UINT32_MAX, name);
	assert_in_range(strlen(name), 60, AB_WIRE_KEY_MAX - 2);
}

static void places_of_different_sources_differ(void **state)
{
	static const char *const text[] = {"0.0.0.0/0", "0.0.0.0", "0.0.0.0/8",
			"::/0", "::/8", "::/64", "::", "::/96", "::/104", "10.0.0.0/8",
			"10.0.0.0", "::10.0.0.0", "::a00:0/104", "2001:db8::/64",
			"2001:db8::", "2001:db8::/32"};
	uint8_t a[AB_WIRE_PLACE_MAX], b[AB_WIRE_PLACE_MAX];
	size_t i, k;

	(void)state;
	for(i = 0; i < COUNT_OF(text); i++)
		for(k = 0; k < COUNT_OF(text); k++) {
			struct ab_key x = key_of(text[i]), y = key_of(text[k]);
			size_t n = ab_wire_place(&x, a), m = ab_wire_place(&y, b);

			expect(i == k || n != m || memcmp(a, b, n) != 0, "%s, %s", text[i],
					text[k]);
		}
}

static void sources_spread_over_the_hashes(void **state)
{
	static uint32_t n[AB_WIRE_COUNT_BUCKETS];
	uint32_t i, most = 0;

	(void)state;
	for(i = 0; i < 409600; i++) {
		struct ab_key key = key_v4(i);
		unsigned bucket = ab_wire_count_bucket(&key);

		assert_true(bucket < AB_WIRE_COUNT_BUCKETS);
		if(++n[bucket] > most)
			most = n[bucket];
	}
	/* 100 each on average, standard deviation 10 */
	assert_in_range(most, 101, 160);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_share_comes_back_as_it_went),
			cmocka_unit_test(a_changed_bit_of_a_signed_share_is_refused),
			cmocka_unit_test(a_share_of_another_length_is_refused),
			cmocka_unit_test(a_share_moved_to_another_place_is_refused),
			cmocka_unit_test(signed_and_unsigned_do_not_mix),
			cmocka_unit_test(a_newer_version_is_told_apart),
			cmocka_unit_test(a_state_comes_back_as_it_went),
			cmocka_unit_test(
					a_changed_bit_or_length_of_a_signed_state_is_refused),
			cmocka_unit_test(a_state_with_values_that_cannot_be_is_refused),
			cmocka_unit_test(a_text_with_a_nul_or_beyond_its_record_is_refused),
			cmocka_unit_test(random_bytes_never_crash_and_never_pass_a_mac),
			cmocka_unit_test(names_of_places_are_as_documented),
			cmocka_unit_test(places_of_different_sources_differ),
			cmocka_unit_test(sources_spread_over_the_hashes),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
