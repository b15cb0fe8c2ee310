/*
 * authban: SipHash-1-3, a keyed hash for table slots
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Algorithm: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input
 * PRF", 2012; one compression and three finalisation rounds, the variant that
 * hash tables use. Written from the paper.
 *
 * The key is 16 random bytes drawn at each start, so nobody outside can choose
 * addresses which share a bucket. It is not a MAC for the network: the wire and
 * the token use HMAC-SHA256.
 */
#ifndef AB_SIPHASH_H
#define AB_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t ab_rotl64(uint64_t x, unsigned n)
{
	return (x << n) | (x >> (64 - n));
}

static inline uint64_t ab_load_le64(const uint8_t *p)
{
	/* one expression: gcc makes one load of it, of a loop it does not */
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16
		   | (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40
		   | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static inline void ab_sip_round(uint64_t v[static 4])
{
	v[0] += v[1];
	v[1] = ab_rotl64(v[1], 13) ^ v[0];
	v[0] = ab_rotl64(v[0], 32);
	v[2] += v[3];
	v[3] = ab_rotl64(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = ab_rotl64(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = ab_rotl64(v[1], 17) ^ v[2];
	v[2] = ab_rotl64(v[2], 32);
}

/* Hashes len bytes at data under a key of 16 bytes. */
static inline uint64_t ab_siphash13(
		const uint8_t key[static 16], const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t k0 = ab_load_le64(key), k1 = ab_load_le64(key + 8);
	uint64_t v[4] = {0x736f6d6570736575ull ^ k0, 0x646f72616e646f6dull ^ k1,
			0x6c7967656e657261ull ^ k0, 0x7465646279746573ull ^ k1};
	uint64_t last = (uint64_t)len << 56;
	size_t i;

	for(; len >= 8; p += 8, len -= 8) {
		uint64_t m = ab_load_le64(p);
		v[3] ^= m;
		ab_sip_round(v);
		v[0] ^= m;
	}
	for(i = 0; i < len; i++)
		last |= (uint64_t)p[i] << (8 * i);
	v[3] ^= last;
	ab_sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	ab_sip_round(v);
	ab_sip_round(v);
	ab_sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
