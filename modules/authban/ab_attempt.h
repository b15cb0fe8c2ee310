/*
 * authban: one attempt counts once
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * REGISTER is challenged without a transaction, so each retransmission of a
 * wrong answer reaches the password check again; and a phone may repeat one
 * answer. The same answer (nonce, count, response of one source) within
 * AB_ATTEMPT_SECONDS is the same attempt.
 *
 * A fixed table of hashes, eight to a cache line, the oldest gives way. No lock:
 * a slot is one word, replaced by compare-and-swap. Under a flood answers are
 * forgotten sooner, which counts a retransmission twice and nothing worse.
 */
#ifndef AB_ATTEMPT_H
#define AB_ATTEMPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define AB_ATTEMPT_SECONDS 64 /* RFC 3261: 64 * T1 are 32 s, twice that */
#define AB_ATTEMPT_LINE 8
#define AB_ATTEMPT_SLOTS 65536

/* In shared memory, zeroed, 64-byte aligned where it matters for speed. */
struct ab_attempts
{
	/* hash's upper 40 bits, monotonic seconds' lower 24; 0: free */
	_Atomic uint64_t slot[AB_ATTEMPT_SLOTS];
};

/*
 * Whether an answer with this hash (keyed: nobody may choose it) was seen
 * within the last AB_ATTEMPT_SECONDS; remembers it if not. A repeat does not
 * prolong the time. `now` in monotonic seconds.
 */
bool ab_attempt_seen(struct ab_attempts *a, uint64_t hash, uint32_t now);

#endif
