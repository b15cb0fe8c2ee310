/*
 * authban: numbers in network order, in records and files
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AB_BYTES_H
#define AB_BYTES_H

#include <stdint.h>

/* Writes the low `bytes` bytes of v; returns what comes behind them. */
static inline uint8_t *ab_put(uint8_t *p, uint64_t v, unsigned bytes)
{
	while(bytes-- > 0)
		*p++ = (uint8_t)(v >> (8 * bytes));
	return p;
}

/* Reads so many bytes at *p, which moves behind them. */
static inline uint64_t ab_get(const uint8_t **p, unsigned bytes)
{
	uint64_t v = 0;

	while(bytes-- > 0)
		v = v << 8 | *(*p)++;
	return v;
}

#endif
