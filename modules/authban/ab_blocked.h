/*
 * authban: how much of each source was blocked, roughly
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A blocked packet is to cost no store into shared memory, so about one of
 * AB_BLOCKED_SAMPLE is counted here, and stands for all of them.
 *
 * A fixed table of counters in lines of eight, one cache line each. In a full line a
 * newcomer takes one away from the smallest count until that is nothing (J. Misra,
 * D. Gries, "Finding repeated elements", 1982): who sends much stays, whoever is
 * counted beside him, and no count is too high by that. No lock: a slot is one word,
 * replaced by compare-and-swap; who loses the race is not counted.
 */
#ifndef AB_BLOCKED_H
#define AB_BLOCKED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AB_BLOCKED_SAMPLE 16u /* a power of two */
#define AB_BLOCKED_SLOTS 16384u
#define AB_BLOCKED_LINE 8

/* In shared memory. */
struct ab_blocked
{
	uint32_t lines; /* a power of two */
	uint32_t unused[15];
	/* hash's upper 40 bits, count's lower 24; 0: free */
	_Atomic uint64_t slot[];
};

/* Bytes of a table of `slots` (rounded up to a power of two). */
size_t ab_blocked_bytes(uint32_t slots);

/* Lays an empty table into ab_blocked_bytes(slots) of memory, best 64-byte aligned. */
void ab_blocked_init(struct ab_blocked *b, uint32_t slots);

/*
 * Whether this one is counted: `nth` is the number of a process's blocked packet. As
 * good as by lot, so no pattern of two senders hides one of them.
 */
static inline bool ab_blocked_turn(uint64_t nth)
{
	nth = (nth ^ (nth >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	nth = (nth ^ (nth >> 27)) * UINT64_C(0x94d049bb133111eb);
	return ((nth ^ (nth >> 31)) & (AB_BLOCKED_SAMPLE - 1)) == 0;
}

/* Counts one. Hashes are keyed: nobody may choose them. */
void ab_blocked_add(struct ab_blocked *b, uint64_t hash);

/* Packets that were blocked, in sum and about: a multiple of AB_BLOCKED_SAMPLE, 0 for
 * few and for none. At most 2^28. */
uint32_t ab_blocked_count(const struct ab_blocked *b, uint64_t hash);

/* Forgets all. */
void ab_blocked_clear(struct ab_blocked *b);

#endif
