/*
 * authban: a lock in shared memory that survives the death of its owner
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Idea: nginx's ngx_shmtx. The lock word is the owner's id (a pid), 0 when it
 * is free. A waiter that sees no progress for a millisecond asks whether the
 * owner still lives and takes the lock over from a dead one. Held for bounded
 * memory work only, about 100 ns.
 */
#ifndef AB_LOCK_H
#define AB_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum ab_lock_result
{
	AB_LOCK_OK = 0,
	AB_LOCK_STOLEN, /* taken from a dead owner: repair what it left */
	AB_LOCK_TIMEOUT /* a living owner did not let go for AB_LOCK_PATIENCE_MS */
};

/* A waiter gives up after this long; then the caller lets the message pass. */
#define AB_LOCK_PATIENCE_MS 50

/*
 * Takes the lock for `owner` (not 0; one id per process, or per thread in
 * tests). `alive` says whether an owner still exists.
 */
enum ab_lock_result ab_lock(
		_Atomic uint32_t *lock, uint32_t owner, bool (*alive)(uint32_t owner));

static inline void ab_unlock(_Atomic uint32_t *lock)
{
	atomic_store_explicit(lock, 0, memory_order_release);
}

/* `alive` for owners that are process ids. */
bool ab_lock_process_alive(uint32_t pid);

#endif
