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
 * to 128 bits over a label, version, the exact address and the expiry. All proxies
 * of a cluster have the same key.
 *
 * Expiries are rounded up to AB_TOKEN_STEP seconds, so that a source which comes
 * again soon has the same MAC: a small table of the last ones saves most of the
 * work (a SHA-256 costs more than all the counting).
 *
 * The check of the nonce (24 bits of a keyed SipHash of address, expiry and nonce)
 * tells whether the nonce that comes with a token is the one it was sent with: so a
 * made-up nonce is told apart from a database that does not answer. It decides no
 * ban, and stands outside of the MAC.
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
	struct ab_addr addr;
	uint32_t expiry; /* cluster seconds */
	uint8_t nonce_check[3];
	bool old; /* made with the key of before; whoever has two fills it in */
};

#define AB_TOKEN_STEP 64   /* seconds */
#define AB_TOKEN_ROWS 2048 /* 80 kB a process */

/* The key, and what was signed lately. Of one process; zeroed but for `mac`. */
struct ab_token_maker
{
	struct ab_mac mac;
	struct ab_token_row
	{
		struct ab_addr addr;
		uint32_t expiry; /* 0: free */
		uint8_t mac[16];
	} row[AB_TOKEN_ROWS];
};

/* Writes AB_TOKEN_LEN characters for an address and the nonce it goes with; good
 * until `expiry` (cluster seconds) and up to AB_TOKEN_STEP longer. `nonce_key` is for
 * the nonce's check: it has to change with the key of the nonces, or an old nonce
 * would be taken for a good one. */
void ab_token_make(struct ab_token_maker *maker,
		const uint8_t nonce_key[static 16], const struct ab_addr *addr,
		uint32_t expiry, const char *nonce, size_t nonce_len,
		char out[static AB_TOKEN_LEN]);

/* Checks a token shown by `addr` at `now` (cluster seconds). `out` is filled
 * when the MAC fits, so also for an expired one. Constant in time over the MAC. */
enum ab_token_result ab_token_check(struct ab_token_maker *maker,
		const struct ab_addr *addr, uint32_t now, const char *text, size_t len,
		struct ab_token *out);

/* Whether a nonce is the one that a checked token went out with. */
bool ab_token_has_nonce(const uint8_t nonce_key[static 16],
		const struct ab_token *token, const char *nonce, size_t nonce_len);

#endif
