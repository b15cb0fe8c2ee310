/*
 * authban: what happened lately, as a set of hashes with their times
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A fixed table of hashes in lines of sixteen, two cache lines each; in a full line
 * the oldest gives way. (With eight, a table a quarter full of what is in use has a few
 * lines with nine.) No lock: a slot is one word, replaced by compare-and-swap. It may
 * forget, and by chance (2^-36 a look) take one thing for another; each user of it says
 * why that does no harm:
 * - one attempt counts once: an answer (nonce, count, response of one source) is
 *   remembered for AB_ATTEMPT_SECONDS. REGISTER is challenged without a
 *   transaction, so each retransmission of a wrong answer reaches the password
 *   check again. One forgotten under a flood counts twice and nothing worse.
 * - known-good users of a source (ab_good.h)
 * - challenges that others sent through us (proof of an address)
 */
#ifndef AB_RECENT_H
#define AB_RECENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AB_ATTEMPT_SECONDS 64 /* RFC 3261: 64 * T1 are 32 s, twice that */
#define AB_ATTEMPT_SLOTS 65536

#define AB_RECENT_LINE 16		   /* slots of two cache lines */
#define AB_RECENT_MAX_AGE 8000000u /* seconds; times have 24 bits */

/* In shared memory. */
struct ab_recent
{
	uint32_t lines; /* a power of two */
	uint32_t unused[15];
	/* hash's upper 40 bits, monotonic seconds' lower 24; 0: free */
	_Atomic uint64_t slot[];
};

/* Bytes of a set of `slots` (rounded up to a power of two). */
size_t ab_recent_bytes(uint32_t slots);

/* Lays an empty set into ab_recent_bytes(slots) of memory, best 64-byte aligned. */
void ab_recent_init(struct ab_recent *r, uint32_t slots);

/*
 * Whether this hash was remembered less than `seconds` ago; remembers it if not.
 * A repeat does not prolong the time. Hashes are keyed: nobody may choose them.
 * `now` in monotonic seconds, `seconds` at most AB_RECENT_MAX_AGE.
 */
bool ab_recent_seen(
		struct ab_recent *r, uint64_t hash, uint32_t now, uint32_t seconds);

/* The same question, nothing remembered. */
bool ab_recent_has(const struct ab_recent *r, uint64_t hash, uint32_t now,
		uint32_t seconds);

/* Begins to load what that will look at. */
void ab_recent_expect(const struct ab_recent *r, uint64_t hash);

/* Remembers from now on, also when it was known. Returns whether it was. */
bool ab_recent_touch(
		struct ab_recent *r, uint64_t hash, uint32_t now, uint32_t seconds);

/* Remembers from now on, unless it was remembered less than `fresh` seconds ago. True:
 * it was not; of several processes at one time one is told so. */
bool ab_recent_renew(struct ab_recent *r, uint64_t hash, uint32_t now,
		uint32_t seconds, uint32_t fresh);

/* Remembers what happened `age` seconds ago, unless it is remembered as younger, or its
 * line is full of younger ones. */
void ab_recent_put(struct ab_recent *r, uint64_t hash, uint32_t age,
		uint32_t now, uint32_t seconds);

/* Forgets one. */
void ab_recent_forget(
		struct ab_recent *r, uint64_t hash, uint32_t now, uint32_t seconds);

/* Forgets, in 1/parts of the set, what is older than `seconds`; times would
 * come round after half a year. */
void ab_recent_sweep(struct ab_recent *r, uint32_t part, uint32_t parts,
		uint32_t now, uint32_t seconds);

/* --- out of one set and into another, over a restart --- */

/* What a slot holds, with its age: monotonic time may begin anew. Of the hash only
 * the line's number and the upper 40 bits are known. */
struct ab_fact
{
	uint64_t name; /* the upper 40 bits, in the lower ones here */
	uint32_t line;
	uint32_t age; /* seconds */
};

/*
 * Copies what is younger than `seconds` into out[0..max) (max >= AB_RECENT_LINE), from
 * line *at on, a bounded number of lines a call. Returns how many; the walk is over
 * when *at has reached r->lines.
 */
size_t ab_recent_list(const struct ab_recent *r, uint32_t *at, uint32_t now,
		uint32_t seconds, struct ab_fact *out, size_t max);

/*
 * Remembers a fact of a set of `lines` lines. In a larger set its line is not known
 * for sure: it is put into each that it may be in. False: it cannot be one, is too
 * old, or the sets' sizes are too different.
 */
bool ab_recent_restore(struct ab_recent *r, uint32_t lines,
		const struct ab_fact *fact, uint32_t now, uint32_t seconds);

#endif
