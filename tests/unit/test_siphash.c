/*
 * authban: unit tests of SipHash-1-3
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_siphash.h"
#include "unit.h"

/* only to see in which bucket a key lands */
#include "ab_table_layout.h"

#include <stdlib.h>
#include <string.h>

/* The paper once more, byte by byte, with rounds as parameters. */
struct slow
{
	uint64_t a, b, c, d;
};

static uint64_t left(uint64_t x, int n)
{
	while(n-- > 0)
		x = (x << 1) | (x >> 63);
	return x;
}

static void rounds(struct slow *s, int n)
{
	while(n-- > 0) {
		s->a += s->b;
		s->c += s->d;
		s->b = left(s->b, 13);
		s->d = left(s->d, 16);
		s->b ^= s->a;
		s->d ^= s->c;
		s->a = left(s->a, 32);
		s->c += s->b;
		s->a += s->d;
		s->b = left(s->b, 17);
		s->d = left(s->d, 21);
		s->b ^= s->c;
		s->d ^= s->a;
		s->c = left(s->c, 32);
	}
}

static uint64_t word(const uint8_t *p)
{
	uint64_t v = 0;
	int i;

	for(i = 7; i >= 0; i--)
		v = v * 256 + p[i];
	return v;
}

static uint64_t slow_siphash(const uint8_t *key, const uint8_t *data,
		size_t len, int per_word, int at_end)
{
	static const char constant[] = "somepseudorandomlygeneratedbytes";
	uint8_t padded[512] = {0};
	size_t words = len / 8 + 1, i, k;
	uint64_t c[4] = {0};
	struct slow s;

	for(i = 0; i < 4; i++)
		for(k = 0; k < 8; k++)
			c[i] = c[i] * 256 + (uint8_t)constant[8 * i + k];
	s = (struct slow){word(key) ^ c[0], word(key + 8) ^ c[1], word(key) ^ c[2],
			word(key + 8) ^ c[3]};
	memcpy(padded, data, len);
	padded[8 * words - 1] = (uint8_t)len;
	for(i = 0; i < words; i++) {
		s.d ^= word(padded + 8 * i);
		rounds(&s, per_word);
		s.a ^= word(padded + 8 * i);
	}
	s.c ^= 0xff;
	rounds(&s, at_end);
	return s.a ^ s.b ^ s.c ^ s.d;
}

/* The slow one is right: SipHash-2-4's vector of the paper, appendix A. */
static void the_slow_one_gives_the_value_of_the_paper(void **state)
{
	uint8_t key[16], data[15];
	uint8_t i;

	(void)state;
	for(i = 0; i < 16; i++)
		key[i] = i;
	memcpy(data, key, sizeof(data));
	assert_true(
			slow_siphash(key, data, 15, 2, 4) == UINT64_C(0xa129ca6149be45e5));
}

static void inputs_of_0_to_255_bytes_agree_with_the_slow_one(void **state)
{
	uint8_t key[16], data[256];
	unsigned i;

	(void)state;
	for(i = 0; i < 256; i++)
		data[i] = (uint8_t)i;
	memcpy(key, data, sizeof(key));
	for(i = 0; i < 256; i++) {
		uint8_t *exact = malloc(i ? i : 1);

		memcpy(exact, data, i);
		expect(ab_siphash13(key, exact, i) == slow_siphash(key, data, i, 1, 3),
				"%u bytes", i);
		free(exact);
	}
}

/* Of the reference implementation with key 0, as OCaml's tests quote it
 * (sipvectors: length 0 and 1), and key 00..0f, length 0, as Rust's do. */
static void published_values_come_out(void **state)
{
	static const uint8_t zero[16];
	uint8_t key[16];
	uint8_t i;

	(void)state;
	for(i = 0; i < 16; i++)
		key[i] = i;
	assert_true(ab_siphash13(zero, "", 0) == UINT64_C(0xd1fba762150c532c));
	assert_true(ab_siphash13(zero, "", 1) == UINT64_C(0x68a914128e01e473));
	assert_true(ab_siphash13(key, "", 0) == UINT64_C(0xabac0158050fc4dc));
}

static void neighbouring_addresses_spread_over_the_buckets(void **state)
{
	static uint32_t n[2][8192];
	struct box b;
	uint32_t i, most = 0, same = 0;

	(void)state;
	box_open(&b, 65536);
	memset(n, 0, sizeof(n));
	for(i = 0; i < 65536; i++) {
		struct ab_key key = key_v4(i);
		struct ab_spot p = ab_spot_of(b.table.head, &key);

		assert_true(p.bucket[0] < 8192 && p.bucket[1] < 8192 && p.tag != 0);
		n[0][p.bucket[0]]++;
		n[1][p.bucket[1]]++;
		same += p.bucket[0] == p.bucket[1];
	}
	for(i = 0; i < 8192; i++) {
		most = n[0][i] > most ? n[0][i] : most;
		most = n[1][i] > most ? n[1][i] : most;
	}
	/* 8 each on average; Poisson gives more than 27 once in 3 million */
	assert_in_range(most, 9, 27);
	assert_in_range(same, 0, 40); /* 8 expected */
	box_close(&b);
}

/* T19: what shares a bucket under one key does not under the next. */
static void collisions_found_under_one_key_are_worth_nothing_under_another(
		void **state)
{
	static const uint8_t other_key[16] = {1, 1, 1, 1, 2};
	static struct ab_key found[400];
	struct box b;
	uint32_t i, n, per[128] = {0}, most = 0;

	(void)state;
	box_open(&b, 1024);
	for(i = n = 0; n < COUNT_OF(found); i++) {
		struct ab_key key = key_v4(i);

		if(ab_spot_of(b.table.head, &key).bucket[0] == 77)
			found[n++] = key;
	}
	ab_table_init(&b.table, b.map + b.guard, 1024, other_key, b.table.owner);
	for(i = 0; i < n; i++) {
		uint32_t at = ab_spot_of(b.table.head, &found[i]).bucket[0];

		if(++per[at] > most)
			most = per[at];
	}
	assert_in_range(most, 4, 16); /* 3 each on average */
	box_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(the_slow_one_gives_the_value_of_the_paper),
			cmocka_unit_test(inputs_of_0_to_255_bytes_agree_with_the_slow_one),
			cmocka_unit_test(published_values_come_out),
			cmocka_unit_test(neighbouring_addresses_spread_over_the_buckets),
			cmocka_unit_test(
					collisions_found_under_one_key_are_worth_nothing_under_another),
	};

	return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
