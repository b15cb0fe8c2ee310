/*
 * authban: unit tests of escaped text
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_text.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* Reads the grammar back: plain bytes or \xNN, nothing else. -1: it is not. */
static int unescape(const char *in, char *out)
{
	int n = 0;

	while(*in) {
		unsigned char c = (unsigned char)*in++;

		if(c <= ' ' || c >= 0x7f || c == '"' || c == '\'' || c == '=')
			return -1;
		if(c == '\\') {
			if(in[0] != 'x' || hex(in[1]) < 0 || hex(in[2]) < 0)
				return -1;
			c = (unsigned char)(hex(in[1]) << 4 | hex(in[2]));
			if(c > ' ' && c < 0x7f && !strchr("\"'\\=", c))
				return -1; /* needs no escape */
			in += 3;
		}
		out[n++] = (char)c;
	}
	return n;
}

static void every_byte_comes_back(void **state)
{
	unsigned c;

	(void)state;
	for(c = 0; c < 256; c++) {
		char in[2] = {(char)c, 'z'}, out[16], back[16];

		assert_ptr_equal(ab_text_escape(out, sizeof(out), in, 2, 2), out);
		expect(unescape(out, back) == 2 && memcmp(in, back, 2) == 0,
				"byte %u: %s", c, out);
	}
}

static void random_texts_come_back_as_far_as_they_fit(void **state)
{
	struct rng r = rng_of(7);
	uint32_t k;

	(void)state;
	for(unit_at.step = 0; unit_at.step < 100000; unit_at.step++) {
		char in[40], back[200];
		uint32_t len = rng_below(&r, 41), max = rng_below(&r, 50);
		uint32_t size = 1 + rng_below(&r, 120), whole = len < max ? len : max;
		char *out = malloc(size); /* exactly, for ASan */
		int n;

		for(k = 0; k < len; k++)
			in[k] = (char)(rng_below(&r, 2) ? rng_next(&r)
											: 'a' + rng_below(&r, 26));
		ab_text_escape(out, size, in, len, max);
		n = unescape(out, back);
		expect(n >= 0 && n <= (int)whole, "%s", out);
		expect(memcmp(in, back, (size_t)n) == 0, "%s", out);
		expect(strlen(out) < size, "%s", out);
		/* it stops only where the next byte does not fit */
		expect(n == (int)whole || strlen(out) + 4 >= size, "%s", out);
		free(out);
	}
}

static void a_line_of_pairs_stays_one_line_of_pairs(void **state)
{
	static const char attack[] = "x\r\n1.2.3.4 reason=\"y\" a='b' \\x41";
	char out[200];

	(void)state;
	ab_text_escape(out, sizeof(out), attack, sizeof(attack) - 1, 100);
	assert_string_equal(out,
			"x\\x0d\\x0a1.2.3.4\\x20reason\\x3d\\x22y\\x22\\x20a\\x3d\\x27b"
			"\\x27\\x20\\x5cx41");
	ab_text_escape(out, 1, attack, sizeof(attack) - 1, 100);
	assert_string_equal(out, "");
	ab_text_escape(out, 5, attack, sizeof(attack) - 1, 100);
	assert_string_equal(out, "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_byte_comes_back),
			cmocka_unit_test(random_texts_come_back_as_far_as_they_fit),
			cmocka_unit_test(a_line_of_pairs_stays_one_line_of_pairs),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
