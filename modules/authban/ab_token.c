/*
 * authban: proof that a sender receives at its source address
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_token.h"

#include "ab_bytes.h"
#include "ab_siphash.h"

#include <string.h>

#define VERSION 1
#define MAC_BYTES 16
#define BODY_BYTES 8 /* version, expiry, check of the nonce */
#define BYTES (BODY_BYTES + MAC_BYTES)

_Static_assert(BYTES / 3 * 4 == AB_TOKEN_LEN, "no padding");

#define NONCE_MAX 256 /* bytes of a nonce that take part in its check */

static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(const uint8_t in[static BYTES], char *out)
{
	size_t i;

	for(i = 0; i < BYTES; i += 3) {
		uint32_t v =
				(uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];

		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		*out++ = alphabet[v >> 6 & 63];
		*out++ = alphabet[v & 63];
	}
}

/* The place in the alphabet, from 1; 0: no digit. */
static const uint8_t places[256] = {['A'] = 1,
		['B'] = 2,
		['C'] = 3,
		['D'] = 4,
		['E'] = 5,
		['F'] = 6,
		['G'] = 7,
		['H'] = 8,
		['I'] = 9,
		['J'] = 10,
		['K'] = 11,
		['L'] = 12,
		['M'] = 13,
		['N'] = 14,
		['O'] = 15,
		['P'] = 16,
		['Q'] = 17,
		['R'] = 18,
		['S'] = 19,
		['T'] = 20,
		['U'] = 21,
		['V'] = 22,
		['W'] = 23,
		['X'] = 24,
		['Y'] = 25,
		['Z'] = 26,
		['a'] = 27,
		['b'] = 28,
		['c'] = 29,
		['d'] = 30,
		['e'] = 31,
		['f'] = 32,
		['g'] = 33,
		['h'] = 34,
		['i'] = 35,
		['j'] = 36,
		['k'] = 37,
		['l'] = 38,
		['m'] = 39,
		['n'] = 40,
		['o'] = 41,
		['p'] = 42,
		['q'] = 43,
		['r'] = 44,
		['s'] = 45,
		['t'] = 46,
		['u'] = 47,
		['v'] = 48,
		['w'] = 49,
		['x'] = 50,
		['y'] = 51,
		['z'] = 52,
		['0'] = 53,
		['1'] = 54,
		['2'] = 55,
		['3'] = 56,
		['4'] = 57,
		['5'] = 58,
		['6'] = 59,
		['7'] = 60,
		['8'] = 61,
		['9'] = 62,
		['-'] = 63,
		['_'] = 64};

static int digit(char c)
{
	return (int)places[(uint8_t)c] - 1;
}

static bool decode(const char *in, uint8_t out[static BYTES])
{
	size_t i, n = 0;

	for(i = 0; i < AB_TOKEN_LEN; i += 4) {
		int a = digit(in[i]), b = digit(in[i + 1]), c = digit(in[i + 2]),
			d = digit(in[i + 3]);

		if((a | b | c | d) < 0)
			return false;
		out[n++] = (uint8_t)(a << 2 | b >> 4);
		out[n++] = (uint8_t)(b << 4 | c >> 2);
		out[n++] = (uint8_t)(c << 6 | d);
	}
	return true;
}

static void sign(const struct ab_mac *mac, const struct ab_addr *addr,
		uint32_t expiry, uint8_t out[static MAC_BYTES])
{
	uint8_t data[5 + 16 + 4] = {'a', 'd', 'd', 'r', VERSION};
	uint8_t full[AB_MAC_LEN];

	memcpy(data + 5, addr->b, 16);
	ab_put(data + 21, expiry, 4);
	mac->sign(mac->key, data, sizeof(data), full);
	memcpy(out, full, MAC_BYTES);
}

/* The MAC, out of the table when it was asked for lately. What is in the table is
 * our own work, never something that was shown, so nobody can put a lie there. */
static const uint8_t *mac_of(struct ab_token_maker *maker,
		const struct ab_addr *addr, uint32_t expiry)
{
	uint64_t at = (ab_load_le64(addr->b + 8) ^ ab_load_le64(addr->b))
				  * UINT64_C(0x9e3779b97f4a7c15);
	struct ab_token_row *row = &maker->row[at >> 53];

	_Static_assert(AB_TOKEN_ROWS == 1 << (64 - 53), "rows");
	if(row->expiry != expiry || expiry == 0
			|| !ab_addr_equal(&row->addr, addr)) {
		sign(&maker->mac, addr, expiry, row->mac);
		row->addr = *addr;
		row->expiry = expiry;
	}
	return row->mac;
}

static void check_of_nonce(const uint8_t key[static 16],
		const struct ab_addr *addr, uint32_t expiry, const char *nonce,
		size_t len, uint8_t out[static 3])
{
	uint8_t data[16 + 4 + NONCE_MAX];
	uint64_t h;

	if(len > NONCE_MAX)
		len = NONCE_MAX;
	memcpy(data, addr->b, 16);
	ab_put(data + 16, expiry, 4);
	memcpy(data + 20, nonce, len);
	h = ab_siphash13(key, data, 20 + len);
	out[0] = (uint8_t)h;
	out[1] = (uint8_t)(h >> 8);
	out[2] = (uint8_t)(h >> 16);
}

static uint32_t round_up(uint32_t expiry)
{
	uint32_t rest = expiry % AB_TOKEN_STEP;

	return rest == 0 || expiry > UINT32_MAX - AB_TOKEN_STEP
				   ? expiry
				   : expiry + AB_TOKEN_STEP - rest;
}

void ab_token_make(struct ab_token_maker *maker,
		const uint8_t nonce_key[static 16], const struct ab_addr *addr,
		uint32_t expiry, const char *nonce, size_t nonce_len,
		char out[static AB_TOKEN_LEN])
{
	uint8_t bytes[BYTES] = {VERSION};

	expiry = round_up(expiry);
	ab_put(bytes + 1, expiry, 4);
	check_of_nonce(nonce_key, addr, expiry, nonce, nonce_len, bytes + 5);
	memcpy(bytes + BODY_BYTES, mac_of(maker, addr, expiry), MAC_BYTES);
	encode(bytes, out);
}

enum ab_token_result ab_token_check(struct ab_token_maker *maker,
		const struct ab_addr *addr, uint32_t now, const char *text, size_t len,
		struct ab_token *out)
{
	uint8_t bytes[BYTES];
	uint32_t expiry;

	if(len != AB_TOKEN_LEN || !decode(text, bytes) || bytes[0] != VERSION)
		return AB_TOKEN_MALFORMED;
	expiry = (uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16
			 | (uint32_t)bytes[3] << 8 | bytes[4];
	if(!ab_mac_equal(
			   mac_of(maker, addr, expiry), bytes + BODY_BYTES, MAC_BYTES))
		return AB_TOKEN_FORGED;
	out->addr = *addr;
	out->expiry = expiry;
	memcpy(out->nonce_check, bytes + 5, sizeof(out->nonce_check));
	return expiry < now ? AB_TOKEN_EXPIRED : AB_TOKEN_OK;
}

bool ab_token_has_nonce(const uint8_t nonce_key[static 16],
		const struct ab_token *token, const char *nonce, size_t nonce_len)
{
	uint8_t check[3];

	check_of_nonce(
			nonce_key, &token->addr, token->expiry, nonce, nonce_len, check);
	return ab_mac_equal(check, token->nonce_check, sizeof(check));
}
