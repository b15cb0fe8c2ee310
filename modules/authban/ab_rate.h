/*
 * authban: so many a second for each of many networks
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Idea: BIND's response rate limiting. A token bucket for each network, full with
 * one second's worth. What is stored is the moment at which the bucket will be full
 * again (the generic cell rate algorithm's "theoretical arrival time", ITU-T I.371),
 * so there is nothing to refill. The clock counts milliseconds times the limit, and
 * one token is 1000 of these: whole numbers for each limit, so nothing is rounded.
 *
 * A fixed table of words, eight to a cache line, replaced by compare-and-swap; no
 * lock. A bucket that is full again says nothing that an absent one would not say,
 * so only such ones give way to another network. With eight of a line in use a
 * ninth network shares one of them, always the same, until another is full. So a
 * collision raises what one network gets by a second's worth at the most; it costs
 * those who share a part of their own. The hash is keyed: nobody may choose who
 * collides with whom.
 */
#ifndef AB_RATE_H
#define AB_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AB_RATE_MAX 100000 /* a second */
#define AB_RATE_LINE 8	   /* buckets of a cache line */

/* In shared memory. */
struct ab_rate
{
	uint32_t lines; /* a power of two */
	uint32_t per_second;
	_Atomic uint32_t refused; /* for ab_rate_slips() */
	uint32_t unused[13];
	/* tag of the network 16 bits, moment at which it is full again 48 bits */
	_Atomic uint64_t bucket[];
};

/* Bytes of so many buckets (rounded up to a power of two). */
size_t ab_rate_bytes(uint32_t buckets);

/* Lays full buckets into ab_rate_bytes(buckets) of memory, best 64-byte aligned;
 * `per_second` is 1 to AB_RATE_MAX. */
void ab_rate_init(struct ab_rate *r, uint32_t buckets, uint32_t per_second);

/*
 * Takes one token of the network that `hash` names. false: there is none.
 * `now_ms` is monotonic; of several workers one may be some seconds behind.
 */
bool ab_rate_take(struct ab_rate *r, uint64_t hash, uint64_t now_ms);

/* Called for each refusal: true for one in `every` of them, over all networks;
 * 0: for none. */
bool ab_rate_slips(struct ab_rate *r, uint32_t every);

#endif
