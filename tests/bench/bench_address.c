/*
 * authban: sources of the benchmark, their texts and Kamailio's hash of them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "bench.h"

#include <string.h>

/* One to one, and far apart for neighbours. */
static uint32_t scatter(uint32_t x)
{
	x = (x ^ x >> 16) * 0x7feb352du;
	x = (x ^ x >> 15) * 0x846ca68bu;
	return x ^ x >> 16;
}

static void put32(uint8_t *out, uint32_t v)
{
	out[0] = (uint8_t)(v >> 24);
	out[1] = (uint8_t)(v >> 16);
	out[2] = (uint8_t)(v >> 8);
	out[3] = (uint8_t)v;
}

void bench_probe(struct probe *p, uint32_t number, bool v4)
{
	uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8};
	uint32_t a = scatter(number);

	p->v4 = v4;
	put32(v6 + 4, a);
	if(v4) {
		ab_addr_from_v4(&p->addr, v6 + 4);
		return;
	}
	put32(v6 + 8, a * 2654435761u);
	put32(v6 + 12, ~a * 2246822519u);
	ab_addr_from_v6(&p->addr, v6);
}

static char *put_decimal(char *out, unsigned byte)
{
	if(byte >= 100)
		*out++ = (char)('0' + byte / 100);
	if(byte >= 10)
		*out++ = (char)('0' + byte / 10 % 10);
	*out++ = (char)('0' + byte % 10);
	return out;
}

static char *put_hex(char *out, unsigned group)
{
	static const char digits[] = "0123456789ABCDEF";
	int shift = 12;

	while(shift > 0 && group >> shift == 0)
		shift -= 4;
	for(; shift >= 0; shift -= 4)
		*out++ = digits[group >> shift & 15];
	return out;
}

void bench_text(struct probe *p)
{
	const uint8_t *b = p->addr.b;
	char *out = p->text;
	unsigned i;

	if(p->v4) {
		for(i = 12; i < 16; i++) {
			out = put_decimal(out, b[i]);
			*out++ = '.';
		}
	} else {
		for(i = 0; i < 16; i += 2) {
			out = put_hex(out, (unsigned)b[i] << 8 | b[i + 1]);
			*out++ = ':';
		}
	}
	p->len = (unsigned)(out - p->text) - 1;
	p->text[p->len] = '\0';
}

static uint32_t fold(char c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

uint32_t bench_case_hash(const char *text, unsigned len)
{
	const char *p = text, *end = text + len;
	uint32_t h = 0, v;

	for(; end - p >= 4; p += 4) {
		v = (fold(p[0]) << 24) + (fold(p[1]) << 16) + (fold(p[2]) << 8)
			+ fold(p[3]);
		h += v ^ v >> 3;
	}
	for(v = 0; p < end; p++)
		v = (v << 8) + fold(*p);
	h += v ^ v >> 3;
	return (h + (h >> 11)) + ((h >> 13) + (h >> 23));
}
