/*
 * authban: proof that a sender receives at its source address
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A UDP source can be forged. The token goes out in the `opaque` of a digest
 * challenge, to the address the request came from; a phone sends it back
 * unchanged (RFC 7616, 3.3). Whoever shows a token made for an address has
 * received a packet there. The idea is that of SYN cookies and of QUIC's
 * Retry token (RFC 9000, 8.1): nothing is stored until it comes back.
 *
 * Bytes: version 1 | expiry, cluster seconds 4 | check of the nonce 3 |
 * MAC 16; in base64url: 32 characters, no padding. The MAC is HMAC-SHA256 cut
 * to 128 bits over a label, the exact address, expiry and check. All proxies of
 * a cluster have the same key.
 *
 * The check of the nonce (24 bits of a keyed SipHash of it) tells whether the nonce
 * that comes with a token is the one it was sent with: so a made-up nonce is
 * told apart from a database that does not answer. It decides no ban.
 */
#ifndef AB_TOKEN_H
#define AB_TOKEN_H

#include "ab_mac.h"
#include "ab_source.h"

#define AB_TOKEN_LEN 32 /* characters, without a NUL */

enum ab_token_result
{
	AB_TOKEN_OK = 0,
	AB_TOKEN_MALFORMED, /* not ours at all: wrong length, alphabet, version */
	AB_TOKEN_FORGED,	/* made for another address, or with another key */
	AB_TOKEN_EXPIRED
};

struct ab_token
{
	uint32_t expiry; /* cluster seconds */
	uint8_t nonce_check[3];
};

/* Writes AB_TOKEN_LEN characters for an address and the nonce it goes with.
 * `nonce_key` is for the nonce's check: it has to change with the key of the
 * nonces, or an old nonce would be taken for a good one. */
void ab_token_make(const struct ab_mac *mac, const uint8_t nonce_key[static 16],
		const struct ab_addr *addr, uint32_t expiry, const char *nonce,
		size_t nonce_len, char out[static AB_TOKEN_LEN]);

/* Checks a token shown by `addr` at `now` (cluster seconds). `out` is filled
 * when the MAC fits, so also for an expired one. Constant in time over the MAC. */
enum ab_token_result ab_token_check(const struct ab_mac *mac,
		const struct ab_addr *addr, uint32_t now, const char *text, size_t len,
		struct ab_token *out);

/* Whether a nonce is the one that a checked token went out with. */
bool ab_token_has_nonce(const uint8_t nonce_key[static 16],
		const struct ab_token *token, const char *nonce, size_t nonce_len);

#endif
