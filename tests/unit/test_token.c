/*
 * authban: unit tests of the proof of an address
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_token.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t key_a[16] = "key a", key_b[16] = "key b";
static const char nonce[] = "ZkAbcdef0123456789+/==";

#define EXPIRY 1800000000u

static const uint8_t nonce_key[16] = {1, 2, 3, 4, 5, 6, 7, 8};

struct shown
{
	struct ab_mac mac;
	struct ab_addr addr;
	char text[AB_TOKEN_LEN];
};

/* What was signed before must not matter: now and then it is forgotten. */
static struct ab_token_maker *maker_of(const struct ab_mac *mac)
{
	static struct ab_token_maker maker;
	static unsigned turn;

	if(maker.mac.key != mac->key || turn++ % 3 == 0)
		memset(&maker, 0, sizeof(maker));
	maker.mac = *mac;
	return &maker;
}

static struct shown make(const char *addr)
{
	struct shown s = {test_mac(key_a), prefix_of(addr).addr, {0}};

	ab_token_make(maker_of(&s.mac), nonce_key, &s.addr, EXPIRY, nonce,
			sizeof(nonce) - 1, s.text);
	return s;
}

static enum ab_token_result check(const struct shown *s, uint32_t now,
		const char *text, size_t len, struct ab_token *out)
{
	char *exact = malloc(len ? len : 1);
	enum ab_token_result r;

	memcpy(exact, text, len);
	r = ab_token_check(maker_of(&s->mac), &s->addr, now, exact, len, out);
	free(exact);
	return r;
}

static void a_token_is_good_until_it_expires(void **state)
{
	static const char *const addrs[] = {
			"192.0.2.1", "2001:db8::1", "::", "255.255.255.255"};
	struct ab_token out;
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(addrs); i++) {
		struct shown s = make(addrs[i]);

		assert_int_equal(check(&s, 0, s.text, AB_TOKEN_LEN, &out), AB_TOKEN_OK);
		assert_int_equal(
				check(&s, EXPIRY, s.text, AB_TOKEN_LEN, &out), AB_TOKEN_OK);
		assert_int_equal(out.expiry, EXPIRY);
		memset(&out, 0, sizeof(out));
		assert_int_equal(check(&s, EXPIRY + 1, s.text, AB_TOKEN_LEN, &out),
				AB_TOKEN_EXPIRED);
		/* an expired one still tells its nonce */
		assert_int_equal(out.expiry, EXPIRY);
		assert_true(
				ab_token_has_nonce(nonce_key, &out, nonce, sizeof(nonce) - 1));
	}
}

static void it_is_of_the_base64url_alphabet(void **state)
{
	struct shown s = make("192.0.2.1");
	int i;

	(void)state;
	for(i = 0; i < AB_TOKEN_LEN; i++)
		assert_non_null(memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstu"
							   "vwxyz0123456789-_",
				s.text[i], 64));
}

static bool fits(const struct ab_token *token)
{
	return ab_token_has_nonce(nonce_key, token, nonce, sizeof(nonce) - 1);
}

static void a_changed_bit_is_refused(void **state)
{
	struct shown s = make("192.0.2.1");
	struct ab_token out;
	unsigned bit;

	(void)state;
	for(bit = 0; bit < 8 * AB_TOKEN_LEN; bit++) {
		char bad[AB_TOKEN_LEN];
		enum ab_token_result r;

		memcpy(bad, s.text, sizeof(bad));
		bad[bit / 8] = (char)(bad[bit / 8] ^ (1 << (bit % 8)));
		r = check(&s, 0, bad, AB_TOKEN_LEN, &out);
		/* the check of the nonce stands outside of the MAC */
		expect(r == AB_TOKEN_FORGED || r == AB_TOKEN_MALFORMED
						|| (r == AB_TOKEN_OK && !fits(&out)),
				"bit %u", bit);
	}
}

/* Every other character at every place: no two texts are one token. */
static void a_changed_character_is_refused(void **state)
{
	struct shown s = make("2001:db8::1");
	struct ab_token out;
	unsigned at, c;

	(void)state;
	for(at = 0; at < AB_TOKEN_LEN; at++)
		for(c = 0; c < 256; c++) {
			char bad[AB_TOKEN_LEN];

			memcpy(bad, s.text, sizeof(bad));
			bad[at] = (char)c;
			expect((check(&s, 0, bad, AB_TOKEN_LEN, &out) == AB_TOKEN_OK
						   && fits(&out))
							== (bad[at] == s.text[at]),
					"character %u at %u", c, at);
		}
}

static void another_length_is_malformed(void **state)
{
	struct shown s = make("192.0.2.1");
	char longer[2 * AB_TOKEN_LEN];
	struct ab_token out;
	size_t n;

	(void)state;
	memcpy(longer, s.text, AB_TOKEN_LEN);
	memcpy(longer + AB_TOKEN_LEN, s.text, AB_TOKEN_LEN);
	for(n = 0; n <= sizeof(longer); n++)
		expect(check(&s, 0, longer, n, &out)
						== (n == AB_TOKEN_LEN ? AB_TOKEN_OK
											  : AB_TOKEN_MALFORMED),
				"%zu characters", n);
}

static void another_address_or_key_is_forged(void **state)
{
	static const char *const others[] = {
			"192.0.2.2", "::192.0.2.1", "193.0.2.1", "2001:db8::1"};
	struct shown s = make("192.0.2.1"), t;
	struct ab_token out;
	size_t i;
	unsigned bit;

	(void)state;
	for(i = 0; i < COUNT_OF(others); i++) {
		t = s;
		t.addr = prefix_of(others[i]).addr;
		assert_int_equal(
				check(&t, 0, s.text, AB_TOKEN_LEN, &out), AB_TOKEN_FORGED);
	}
	/* the exact address, not its /64 */
	for(bit = 0; bit < 128; bit++) {
		t = s;
		t.addr.b[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_int_equal(
				check(&t, 0, s.text, AB_TOKEN_LEN, &out), AB_TOKEN_FORGED);
	}
	t = s;
	t.mac = test_mac(key_b);
	assert_int_equal(check(&t, 0, s.text, AB_TOKEN_LEN, &out), AB_TOKEN_FORGED);
}

static void it_knows_the_nonce_it_went_out_with(void **state)
{
	struct shown s = make("192.0.2.1");
	char other[300];
	struct ab_token out;
	size_t i;

	(void)state;
	assert_int_equal(check(&s, 0, s.text, AB_TOKEN_LEN, &out), AB_TOKEN_OK);
	assert_true(ab_token_has_nonce(nonce_key, &out, nonce, sizeof(nonce) - 1));
	assert_false(ab_token_has_nonce(nonce_key, &out, nonce, sizeof(nonce) - 2));
	assert_false(ab_token_has_nonce(nonce_key, &out, "", 0));
	for(i = 0; i < sizeof(nonce) - 1; i++) {
		memcpy(other, nonce, sizeof(nonce));
		other[i] ^= 1;
		expect(!ab_token_has_nonce(nonce_key, &out, other, sizeof(nonce) - 1),
				"character %zu", i);
	}
	/* a very long one is no trouble */
	memset(other, 'n', sizeof(other));
	ab_token_make(maker_of(&s.mac), nonce_key, &s.addr, EXPIRY, other,
			sizeof(other), s.text);
	assert_int_equal(check(&s, 0, s.text, AB_TOKEN_LEN, &out), AB_TOKEN_OK);
	assert_true(ab_token_has_nonce(nonce_key, &out, other, sizeof(other)));
}

/* What is signed lately is only remembered, never believed. */
static void tokens_of_many_addresses_do_not_mix(void **state)
{
	static struct ab_token_maker maker;
	char text[2000][AB_TOKEN_LEN];
	struct ab_token out;
	uint32_t i;

	(void)state;
	maker.mac = test_mac(key_a);
	for(i = 0; i < COUNT_OF(text); i++) {
		struct ab_addr own = key_v4(i).addr;

		ab_token_make(&maker, nonce_key, &own, EXPIRY + i, nonce,
				sizeof(nonce) - 1, text[i]);
	}
	for(i = 0; i < COUNT_OF(text); i++) {
		struct ab_addr own = key_v4(i).addr, other = key_v4(i ^ 1).addr;

		assert_int_equal(ab_token_check(&maker, &own, EXPIRY, text[i],
								 AB_TOKEN_LEN, &out),
				AB_TOKEN_OK);
		assert_in_range(out.expiry, EXPIRY + i, EXPIRY + i + AB_TOKEN_STEP);
		assert_int_equal(ab_token_check(&maker, &other, EXPIRY, text[i],
								 AB_TOKEN_LEN, &out),
				AB_TOKEN_FORGED);
		assert_int_equal(ab_token_check(&maker, &own, EXPIRY, text[i],
								 AB_TOKEN_LEN, &out),
				AB_TOKEN_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_token_is_good_until_it_expires),
			cmocka_unit_test(it_is_of_the_base64url_alphabet),
			cmocka_unit_test(a_changed_bit_is_refused),
			cmocka_unit_test(a_changed_character_is_refused),
			cmocka_unit_test(another_length_is_malformed),
			cmocka_unit_test(another_address_or_key_is_forged),
			cmocka_unit_test(it_knows_the_nonce_it_went_out_with),
			cmocka_unit_test(tokens_of_many_addresses_do_not_mix),
	};

	return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
