/*
 * authban: unit tests of addresses and prefixes
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static int parse(const char *text, struct ab_prefix *p, bool *full)
{
	size_t len = strlen(text);
	char *exact = malloc(len ? len : 1); /* no NUL behind it */
	int rc;

	memcpy(exact, text, len);
	rc = ab_prefix_parse(p, exact, len, full);
	free(exact);
	return rc;
}

static void what_is_printed_is_what_was_read(void **state)
{
	static const struct
	{
		const char *in, *out;
		bool full;
		uint8_t len;
	} rows[] = {{"192.0.2.1", "192.0.2.1", true, 128},
			{"192.0.2.0/24", "192.0.2.0/24", false, 120},
			{"192.0.2.1/32", "192.0.2.1", false, 128},
			{"0.0.0.0/0", "0.0.0.0/0", false, 96},
			{"255.255.255.255", "255.255.255.255", true, 128},
			{"[192.0.2.1]", "192.0.2.1", true, 128}, {"::", "::", true, 128},
			{"::/0", "::/0", false, 0},
			{"2001:DB8:0::1", "2001:db8::1", true, 128},
			{"[2001:db8::1]", "2001:db8::1", true, 128},
			{"[2001:db8::]/32", "2001:db8::/32", false, 32},
			{"2001:db8:1:2::/64", "2001:db8:1:2::/64", false, 64},
			{"::ffff:192.0.2.1", "192.0.2.1", true, 128},
			{"::ffff:c000:201", "192.0.2.1", true, 128},
			{"::ffff:192.0.2.0/120", "192.0.2.0/24", false, 120},
			{"::ffff:0:0/96", "0.0.0.0/0", false, 96},
			{"::ffff:0:0/96", "0.0.0.0/0", false, 96},
			{"::192.0.2.1", "::192.0.2.1", true, 128},
			{"::fffe:0:0/95", "::fffe:0:0/95", false, 95},
			{"8000::/1", "8000::/1", false, 1},
			{"1111:2222:3333:4444:5555:6666:123.123.123.123",
					"1111:2222:3333:4444:5555:6666:7b7b:7b7b", true, 128},
			{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127",
					"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127", false, 127}};
	char text[AB_PREFIX_TEXT];
	struct ab_prefix p, q;
	size_t i;
	bool full;

	(void)state;
	for(i = 0; i < COUNT_OF(rows); i++) {
		expect(parse(rows[i].in, &p, &full) == 0, "%s", rows[i].in);
		expect(p.len == rows[i].len, "%s: /%u", rows[i].in, p.len);
		expect(full == rows[i].full, "%s", rows[i].in);
		assert_string_equal(ab_prefix_print(&p, text), rows[i].out);
		assert_int_equal(parse(text, &q, NULL), 0);
		assert_true(ab_addr_equal(&p.addr, &q.addr) && p.len == q.len);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const rows[] = {"", "/", "/24", "[]", "[]/8", "[", "]",
			"a", "localhost", "192.0.2", "192.0.2.256", "192.0.2.1.",
			"192.0.2.1 ", " 192.0.2.1", "192.0.2.01x", "192.0.2.1/",
			"192.0.2.0/33", "192.0.2.1/24", "192.0.2.0/-1", "192.0.2.0/+24",
			"192.0.2.0/ 24", "192.0.2.0/24 ", "192.0.2.0/2x", "192.0.2.0/1000",
			"192.0.2.0/24/24", "0.0.0.1/0", "2001:db8::1/129", "2001:db8::1/64",
			"2001:db8::/999", ":::", "1::2::3", "12345::", "fe80::1%eth0",
			"fe80::1%1", "[fe80::1%1]", "[2001:db8::1", "2001:db8::1]",
			"[[::1]]", "[::1]:5060", "192.0.2.1:5060", "::ffff:192.0.2.0/24",
			"[2001:db8::/32]", "1111:2222:3333:4444:5555:6666:123.123.123.1234",
			"0000:0000:0000:0000:0000:0000:0000:0000:0001",
			"00000000000000000000000000000000000000000000000000192.0.2.1"};
	struct ab_prefix p;
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(rows); i++)
		expect(parse(rows[i], &p, NULL) == -1, "%s", rows[i]);
	assert_int_equal(ab_prefix_parse(&p, "192.0.2.1\0", 10, NULL), -1);
	assert_int_equal(ab_prefix_parse(&p, "192.0\0.2.1", 10, NULL), -1);
	assert_int_equal(ab_prefix_parse(&p, "192.0.2.0/2\0", 12, NULL), -1);
	assert_int_equal(ab_prefix_parse(&p, "::\0", 3, NULL), -1);
	assert_int_equal(ab_prefix_parse(&p, NULL, 0, NULL), -1);
}

static void any_prefix_survives_print_and_parse(void **state)
{
	struct rng r = rng_of(4);
	char text[AB_PREFIX_TEXT];
	struct ab_prefix p, q;
	struct ab_addr a;
	uint32_t k;

	(void)state;
	for(unit_at.step = 0; unit_at.step < 50000; unit_at.step++) {
		uint8_t v4[4];

		for(k = 0; k < 16; k++)
			a.b[k] = rng_below(&r, 3) ? (uint8_t)rng_next(&r) : 0;
		memcpy(v4, a.b, 4);
		if(unit_at.step % 2)
			ab_addr_from_v4(&a, v4);
		p = ab_prefix_make(&a,
				unit_at.step % 2 ? 96 + rng_below(&r, 33) : rng_below(&r, 129));
		ab_prefix_print(&p, text);
		expect(strlen(text) < AB_PREFIX_TEXT && parse(text, &q, NULL) == 0
						&& q.len == p.len && ab_addr_equal(&p.addr, &q.addr),
				"%s", text);
	}
}

static void garbage_is_refused_or_survives_a_round_trip(void **state)
{
	static const char some[] = "0123456789abcdefF.:/[]% \0x-";
	struct rng r = rng_of(5);
	char text[64], out[AB_PREFIX_TEXT];
	struct ab_prefix p, q;
	uint32_t k, good = 0;

	(void)state;
	for(unit_at.step = 0; unit_at.step < 300000; unit_at.step++) {
		uint32_t len = rng_below(&r, unit_at.step % 2 ? 60 : 9);

		for(k = 0; k < len; k++)
			text[k] = some[rng_below(&r, sizeof(some) - 1)];
		if(ab_prefix_parse(&p, text, len, NULL) != 0)
			continue;
		good++;
		ab_prefix_print(&p, out);
		expect(parse(out, &q, NULL) == 0 && q.len == p.len
						&& ab_addr_equal(&p.addr, &q.addr),
				"%s", out);
	}
	assert_true(good > 10);
}

static void mapped_addresses_are_ipv4(void **state)
{
	static const uint8_t v4[4] = {192, 0, 2, 1};
	uint8_t v6[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
	struct ab_addr a, b;

	(void)state;
	ab_addr_from_v4(&a, v4);
	ab_addr_from_v6(&b, v6);
	assert_true(ab_addr_equal(&a, &b));
	assert_true(ab_addr_is_v4(&a));
	v6[0] = 1;
	ab_addr_from_v6(&b, v6);
	assert_false(ab_addr_is_v4(&b));
	assert_false(ab_addr_equal(&a, &b));
}

static void a_source_is_keyed_by_its_prefix(void **state)
{
	struct ab_prefix v4 = prefix_of("192.0.2.77"),
					 v6 = prefix_of("2001:db8:1:2:3:4:5:6"), p;
	char text[AB_PREFIX_TEXT];

	(void)state;
	p = ab_prefix_of_source(&v4.addr, 32, 64);
	assert_string_equal(ab_prefix_print(&p, text), "192.0.2.77");
	p = ab_prefix_of_source(&v4.addr, 24, 64);
	assert_string_equal(ab_prefix_print(&p, text), "192.0.2.0/24");
	p = ab_prefix_of_source(&v6.addr, 32, 64);
	assert_string_equal(ab_prefix_print(&p, text), "2001:db8:1:2::/64");
	p = ab_prefix_of_source(&v6.addr, 32, 48);
	assert_string_equal(ab_prefix_print(&p, text), "2001:db8:1::/48");
	p = ab_prefix_of_source(&v6.addr, 32, 128);
	assert_string_equal(ab_prefix_print(&p, text), "2001:db8:1:2:3:4:5:6");
}

static void a_prefix_contains_its_addresses_bit_by_bit(void **state)
{
	struct rng r = rng_of(3);
	unsigned len, bit, k;

	(void)state;
	for(len = 0; len <= 128; len++) {
		struct ab_addr a, b;
		struct ab_prefix p;

		for(k = 0; k < 16; k++)
			a.b[k] = (uint8_t)rng_next(&r);
		p = ab_prefix_make(&a, len);
		assert_true(ab_prefix_contains(&p, &a));
		for(bit = 0; bit < 128; bit++) {
			b = a;
			b.b[bit / 8] ^= (uint8_t)(0x80u >> (bit % 8));
			expect(ab_prefix_contains(&p, &b) == (bit >= len), "/%u, bit %u",
					len, bit);
		}
	}
}

/* T6 */
static void all_addresses_of_a_64_have_one_key(void **state)
{
	struct ab_prefix net = prefix_of("2001:db8:1:2::/64"), p;
	struct ab_addr a = net.addr;
	struct rng r = rng_of(6);
	uint32_t k;

	(void)state;
	for(unit_at.step = 0; unit_at.step < 20000; unit_at.step++) {
		for(k = 8; k < 16; k++)
			a.b[k] = (uint8_t)rng_next(&r);
		p = ab_prefix_of_source(&a, 32, 64);
		expect(p.len == 64 && ab_addr_equal(&p.addr, &net.addr), " ");
	}
	a.b[7] ^= 1;
	p = ab_prefix_of_source(&a, 32, 64);
	assert_false(ab_addr_equal(&p.addr, &net.addr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(what_is_printed_is_what_was_read),
			cmocka_unit_test(what_is_no_address_is_refused),
			cmocka_unit_test(any_prefix_survives_print_and_parse),
			cmocka_unit_test(garbage_is_refused_or_survives_a_round_trip),
			cmocka_unit_test(mapped_addresses_are_ipv4),
			cmocka_unit_test(a_source_is_keyed_by_its_prefix),
			cmocka_unit_test(a_prefix_contains_its_addresses_bit_by_bit),
			cmocka_unit_test(all_addresses_of_a_64_have_one_key),
	};

	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
