/*
 * authban: tokens with this proxy's key and clock
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_token.h"

#include "authban_mac.h"
#include "authban_shared.h"

static struct ab_token_maker *maker(void)
{
	static struct ab_token_maker made; /* each process has its own */

	made.mac = *authban_mac_token();
	return &made;
}

enum ab_token_result authban_token_check(const struct ab_addr *addr,
		const char *text, size_t len, struct ab_token *out)
{
	struct ab_now now = authban_now();

	return ab_token_check(
			maker(), addr, ab_now_cluster_s(&now), text, len, out);
}

void authban_token_make(const struct ab_addr *addr, uint32_t seconds,
		const uint8_t nonce_key[static 16], const char *nonce, size_t nonce_len,
		char out[static AB_TOKEN_LEN])
{
	struct ab_now now = authban_now();

	ab_token_make(maker(), nonce_key, addr, ab_now_cluster_s(&now) + seconds,
			nonce, nonce_len, out);
}
