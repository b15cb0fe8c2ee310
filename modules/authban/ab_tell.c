/*
 * authban: known-good facts on their way to the process that tells other proxies
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_tell.h"

#include <string.h>

#define relaxed memory_order_relaxed

void ab_tell_init(struct ab_tell *t)
{
	memset(t, 0, sizeof(*t));
}

void ab_tell_put(struct ab_tell *t, uint64_t fact)
{
	uint32_t i = atomic_fetch_add_explicit(&t->next, 1, relaxed);

	if(fact != 0
			&& atomic_exchange_explicit(
					   &t->slot[i % AB_TELL_SLOTS], fact, relaxed)
					   != 0)
		atomic_fetch_add_explicit(&t->dropped, 1, relaxed);
	/* behind the fact: who sees this finds it */
	atomic_store(&t->waiting, 1);
}

bool ab_tell_is_waiting(const struct ab_tell *t)
{
	return atomic_load(&t->waiting) != 0;
}

size_t ab_tell_take(struct ab_tell *t, uint64_t *out, size_t max)
{
	uint32_t i, from;
	size_t n = 0;

	if(!atomic_exchange(&t->waiting, 0))
		return 0;
	from = atomic_load_explicit(&t->next, relaxed);
	for(i = 0; i < AB_TELL_SLOTS && n < max; i++) {
		_Atomic uint64_t *slot = &t->slot[(from + i) % AB_TELL_SLOTS];

		if(atomic_load_explicit(slot, relaxed) != 0)
			out[n++] = atomic_exchange_explicit(slot, 0, relaxed);
	}
	if(i < AB_TELL_SLOTS)
		atomic_store(&t->waiting, 1);
	return n;
}

void ab_tell_again(struct ab_tell *t, uint32_t now)
{
	/* what is told within this very second may be lost too */
	atomic_store_explicit(&t->since, now + 1, relaxed);
}

uint32_t ab_tell_fresh(const struct ab_tell *t, uint32_t now, uint32_t most)
{
	uint32_t since = atomic_load_explicit(&t->since, relaxed);
	/* told in second `since` is told: 1 s of age at `since` + 1 */
	uint32_t age = now + 1 > since ? now + 1 - since : 0;

	return age < most ? age : most;
}
