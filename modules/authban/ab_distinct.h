/*
 * authban: how many different things were seen, in 32 bits
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Linear counting (K.-Y. Whang et al., 1990): each thing sets the bit that its
 * hash names; n = -32 ln(empty / 32) estimates how many there were. Two maps
 * merge by OR, in any order and any number of times. Standard error 1 at 8
 * things, 3 at 20, 8 at 50; saturates at 111.
 */
#ifndef AB_DISTINCT_H
#define AB_DISTINCT_H

#include <stdint.h>

static inline uint32_t ab_distinct_add(uint32_t map, uint64_t hash)
{
	return map | (UINT32_C(1) << (hash & 31));
}

static inline uint32_t ab_distinct_count(uint32_t map)
{
	/* round(-32 * ln((32 - k) / 32)) for k bits set */
	static const uint8_t estimate[33] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13,
			15, 17, 18, 20, 22, 24, 26, 29, 31, 34, 37, 41, 44, 49, 54, 59, 67,
			76, 89, 111, 111};

	return estimate[__builtin_popcount(map)];
}

#endif
