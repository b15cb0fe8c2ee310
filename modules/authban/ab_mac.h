/*
 * authban: the message authentication code that the core is given
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The core brings no cryptography of its own. The glue gives HMAC-SHA256
 * (RFC 2104) over Kamailio's SHA-256; unit tests give what suits them.
 */
#ifndef AB_MAC_H
#define AB_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AB_MAC_LEN 32

struct ab_mac
{
	/* Writes the MAC of len bytes at data; never fails. NULL: no key. */
	void (*sign)(const void *key, const void *data, size_t len,
			uint8_t out[static AB_MAC_LEN]);
	const void *key; /* handed to sign; its form is the caller's matter */
};

/* Compares n bytes in a time that does not depend on where they differ. */
static inline bool ab_mac_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint8_t diff = 0;
	size_t i;

	for(i = 0; i < n; i++)
		diff |= (uint8_t)(a[i] ^ b[i]);
	return diff == 0;
}

#endif
