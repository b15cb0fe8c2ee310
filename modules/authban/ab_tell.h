/*
 * authban: known-good facts on their way to the process that tells other proxies
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A fixed number of slots in shared memory. Each worker puts facts in, one process
 * takes them out. No lock and no wait; when all slots are in use the oldest fact
 * gives way and is counted: others then hear of it with a later success.
 */
#ifndef AB_TELL_H
#define AB_TELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AB_TELL_SLOTS 8192 /* a power of two; 64 kB */

struct ab_tell
{
	_Atomic uint32_t next;	  /* where the next fact is put */
	_Atomic uint32_t waiting; /* there may be some */
	/* what was told before this moment (monotonic seconds) is told again with the
	 * next success */
	_Atomic uint32_t since;
	_Atomic uint64_t dropped; /* facts that gave way */
	_Atomic uint64_t slot[AB_TELL_SLOTS];
};

void ab_tell_init(struct ab_tell *t);

/* Any process; `fact` is a keyed hash, 0 is not kept. */
void ab_tell_put(struct ab_tell *t, uint64_t fact);

bool ab_tell_is_waiting(const struct ab_tell *t);

/* Takes at most `max` out, the oldest first, and returns how many. One process only. */
size_t ab_tell_take(struct ab_tell *t, uint64_t *out, size_t max);

/* All that was told up to `now` may be lost. */
void ab_tell_again(struct ab_tell *t, uint32_t now);

/* How long ago a fact may have been told that need not be told: at most `most`
 * seconds. */
uint32_t ab_tell_fresh(const struct ab_tell *t, uint32_t now, uint32_t most);

#endif
