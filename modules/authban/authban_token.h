/*
 * authban: tokens with this proxy's key and clock
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_TOKEN_H
#define AUTHBAN_TOKEN_H

#include "ab_token.h"

/* ab_token_check() as of now. */
enum ab_token_result authban_token_check(const struct ab_addr *addr,
		const char *text, size_t len, struct ab_token *out);

/* ab_token_make(), good for so many seconds. */
void authban_token_make(const struct ab_addr *addr, uint32_t seconds,
		const uint8_t nonce_key[static 16], const char *nonce, size_t nonce_len,
		char out[static AB_TOKEN_LEN]);

#endif
