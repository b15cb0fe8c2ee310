/*
 * authban: source addresses in one canonical form
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every address is 16 bytes in network order; IPv4 is written as the
 * IPv4-mapped ::ffff:a.b.c.d, so that IPv4 and IPv6 share one code path and an
 * IPv4 host seen through a dual-stack socket stays one host.
 * Prefix lengths are always counted over 128 bits: an IPv4 /24 is 96 + 24.
 */
#ifndef AB_SOURCE_H
#define AB_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AB_V4_BITS 96 /* bits of ::ffff:0:0 before an IPv4 address */

/* Long enough for any prefix in text, "/128" and the final NUL included. */
#define AB_PREFIX_TEXT 52

struct ab_addr
{
	uint8_t b[16];
};

/* A network; the bits behind len are zero. */
struct ab_prefix
{
	struct ab_addr addr;
	uint8_t len; /* 0..128, IPv4: 96..128 */
};

/* Four bytes in network order to the canonical form. */
void ab_addr_from_v4(struct ab_addr *a, const uint8_t v4[static 4]);

/* Sixteen bytes in network order; an IPv4-mapped address becomes IPv4 by
 * itself since the canonical form of both is the same. */
void ab_addr_from_v6(struct ab_addr *a, const uint8_t v6[static 16]);

bool ab_addr_is_v4(const struct ab_addr *a);

bool ab_addr_equal(const struct ab_addr *a, const struct ab_addr *b);

/* The network of `bits` bits (over 128) around an address. */
struct ab_prefix ab_prefix_make(const struct ab_addr *a, unsigned bits);

/* The key under which a source is counted: v4_len is 1..32, v6_len 1..128. */
struct ab_prefix ab_prefix_of_source(
		const struct ab_addr *a, unsigned v4_len, unsigned v6_len);

/* Whether an address lies in a network of its own family. */
bool ab_prefix_contains(const struct ab_prefix *p, const struct ab_addr *a);

/*
 * Reads "192.0.2.1", "192.0.2.0/24", "2001:db8::/32", "[2001:db8::1]".
 * `full` (may be NULL) tells whether no "/length" was written.
 * Host bits behind the length are an error, so that a slip of the pen does not
 * ban a larger network than was meant. Zone ids are refused.
 * Returns 0, or -1 when the text is no address.
 */
int ab_prefix_parse(
		struct ab_prefix *p, const char *text, size_t len, bool *full);

/* Prints a host without a length, a network with one. Returns out. */
char *ab_prefix_print(
		const struct ab_prefix *p, char out[static AB_PREFIX_TEXT]);

#endif
