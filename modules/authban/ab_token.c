/*
 * authban: proof that a sender receives at its source address
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_token.h"

#include "ab_siphash.h"

#include <string.h>

#define VERSION 1
#define MAC_BYTES 16
#define BODY_BYTES 8 /* version, expiry, check of the nonce */
#define BYTES (BODY_BYTES + MAC_BYTES)

_Static_assert(BYTES / 3 * 4 == AB_TOKEN_LEN, "no padding");

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

static int digit(char c)
{
	const char *p = c ? strchr(alphabet, c) : NULL;

	return p ? (int)(p - alphabet) : -1;
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

static void sign_body(const struct ab_mac *mac, const struct ab_addr *addr,
		const uint8_t body[static BODY_BYTES], uint8_t out[static AB_MAC_LEN])
{
	uint8_t data[4 + 16 + BODY_BYTES] = {'a', 'd', 'd', 'r'};

	memcpy(data + 4, addr->b, 16);
	memcpy(data + 20, body, BODY_BYTES);
	mac->sign(mac->key, data, sizeof(data), out);
}

static void check_of_nonce(const uint8_t key[static 16], const char *nonce,
		size_t len, uint8_t out[static 3])
{
	uint64_t h = ab_siphash13(key, nonce, len);

	out[0] = (uint8_t)h;
	out[1] = (uint8_t)(h >> 8);
	out[2] = (uint8_t)(h >> 16);
}

void ab_token_make(const struct ab_mac *mac, const uint8_t nonce_key[static 16],
		const struct ab_addr *addr, uint32_t expiry, const char *nonce,
		size_t nonce_len, char out[static AB_TOKEN_LEN])
{
	uint8_t bytes[BYTES] = {VERSION, (uint8_t)(expiry >> 24),
			(uint8_t)(expiry >> 16), (uint8_t)(expiry >> 8), (uint8_t)expiry};
	uint8_t full[AB_MAC_LEN];

	check_of_nonce(nonce_key, nonce, nonce_len, bytes + 5);
	sign_body(mac, addr, bytes, full);
	memcpy(bytes + BODY_BYTES, full, MAC_BYTES);
	encode(bytes, out);
}

enum ab_token_result ab_token_check(const struct ab_mac *mac,
		const struct ab_addr *addr, uint32_t now, const char *text, size_t len,
		struct ab_token *out)
{
	uint8_t bytes[BYTES], full[AB_MAC_LEN];

	if(len != AB_TOKEN_LEN || !decode(text, bytes) || bytes[0] != VERSION)
		return AB_TOKEN_MALFORMED;
	sign_body(mac, addr, bytes, full);
	if(!ab_mac_equal(full, bytes + BODY_BYTES, MAC_BYTES))
		return AB_TOKEN_FORGED;
	out->expiry = (uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16
				  | (uint32_t)bytes[3] << 8 | bytes[4];
	memcpy(out->nonce_check, bytes + 5, sizeof(out->nonce_check));
	return out->expiry < now ? AB_TOKEN_EXPIRED : AB_TOKEN_OK;
}

bool ab_token_has_nonce(const uint8_t nonce_key[static 16],
		const struct ab_token *token, const char *nonce, size_t nonce_len)
{
	uint8_t check[3];

	check_of_nonce(nonce_key, nonce, nonce_len, check);
	return ab_mac_equal(check, token->nonce_check, sizeof(check));
}
