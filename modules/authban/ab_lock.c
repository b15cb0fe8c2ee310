/*
 * authban: a lock in shared memory that survives the death of its owner
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_lock.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>

#define SPINS 1024		 /* tries before the processor is given away */
#define STEAL_NS 1000000 /* no progress for this long: is the owner alive? */

static bool take(_Atomic uint32_t *lock, uint32_t expected, uint32_t owner)
{
	return atomic_compare_exchange_strong_explicit(
			lock, &expected, owner, memory_order_acquire, memory_order_relaxed);
}

static int64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

bool ab_lock_process_alive(uint32_t pid)
{
	return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

/* The slow path: yield, and look after the owner once a millisecond. */
static enum ab_lock_result wait_for(
		_Atomic uint32_t *lock, uint32_t owner, bool (*alive)(uint32_t owner))
{
	int64_t begin = monotonic_ns(), seen_at = begin;
	uint32_t seen = 0;

	for(;;) {
		uint32_t holder = atomic_load_explicit(lock, memory_order_relaxed);
		int64_t now;

		if(holder == 0 && take(lock, 0, owner))
			return AB_LOCK_OK;
		now = monotonic_ns();
		if(holder != seen) {
			seen = holder;
			seen_at = now;
		} else if(holder != 0 && now - seen_at > STEAL_NS) {
			if(!alive(holder) && take(lock, holder, owner))
				return AB_LOCK_STOLEN;
			seen_at = now;
		}
		if(now - begin > AB_LOCK_PATIENCE_MS * INT64_C(1000000))
			return AB_LOCK_TIMEOUT;
		sched_yield();
	}
}

enum ab_lock_result ab_lock(
		_Atomic uint32_t *lock, uint32_t owner, bool (*alive)(uint32_t owner))
{
	int i;

	for(i = 0; i < SPINS; i++) {
		if(atomic_load_explicit(lock, memory_order_relaxed) == 0
				&& take(lock, 0, owner))
			return AB_LOCK_OK;
	}
	return wait_for(lock, owner, alive);
}
