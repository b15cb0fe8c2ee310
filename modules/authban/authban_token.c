/*
 * authban: tokens with this proxy's key and clock
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_token.h"

#include "authban_mac.h"
#include "authban_shared.h"

#include <string.h>

/* The last token that was genuine, of this process. */
static struct
{
	bool set;
	struct ab_addr addr;
	char text[AB_TOKEN_LEN];
	struct ab_token token;
} last;

static bool is_last(const struct ab_addr *addr, const char *text, size_t len)
{
	return last.set && len == AB_TOKEN_LEN && ab_addr_equal(addr, &last.addr)
		   && memcmp(text, last.text, AB_TOKEN_LEN) == 0;
}

enum ab_token_result authban_token_check(const struct ab_addr *addr,
		const char *text, size_t len, struct ab_token *out)
{
	struct ab_now now = authban_now();
	enum ab_token_result r;

	if(is_last(addr, text, len)) {
		*out = last.token;
		return out->expiry < ab_now_cluster_s(&now) ? AB_TOKEN_EXPIRED
													: AB_TOKEN_OK;
	}
	r = ab_token_check(
			authban_mac_token(), addr, ab_now_cluster_s(&now), text, len, out);
	if(r == AB_TOKEN_OK || r == AB_TOKEN_EXPIRED) {
		last.set = true;
		last.addr = *addr;
		memcpy(last.text, text, AB_TOKEN_LEN);
		last.token = *out;
	}
	return r;
}

void authban_token_make(const struct ab_addr *addr, uint32_t seconds,
		const uint8_t nonce_key[static 16], const char *nonce, size_t nonce_len,
		char out[static AB_TOKEN_LEN])
{
	struct ab_now now = authban_now();

	ab_token_make(authban_mac_token(), nonce_key, addr,
			ab_now_cluster_s(&now) + seconds, nonce, nonce_len, out);
}
