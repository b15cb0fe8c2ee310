/*
 * authban: tokens with this proxy's key and clock
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_token.h"

#include "authban_mac.h"
#include "authban_shared.h"

static struct ab_token_maker *maker(bool old)
{
	static struct ab_token_maker made[2]; /* each process has its own */

	made[old].mac = *authban_mac_token(old);
	return &made[old];
}

enum ab_token_result authban_token_check(const struct ab_addr *addr,
		const char *text, size_t len, struct ab_token *out)
{
	struct ab_now now = authban_now();
	uint32_t second = ab_now_cluster_s(&now);
	enum ab_token_result r =
			ab_token_check(maker(false), addr, second, text, len, out);

	out->old = false;
	if(r != AB_TOKEN_FORGED || !authban_keys_old())
		return r;
	r = ab_token_check(maker(true), addr, second, text, len, out);
	out->old = true;
	return r;
}

void authban_token_make(const struct ab_addr *addr, uint32_t seconds,
		const uint8_t nonce_key[static 16], const char *nonce, size_t nonce_len,
		char out[static AB_TOKEN_LEN])
{
	struct ab_now now = authban_now();

	ab_token_make(maker(false), nonce_key, addr,
			ab_now_cluster_s(&now) + seconds, nonce, nonce_len, out);
}
