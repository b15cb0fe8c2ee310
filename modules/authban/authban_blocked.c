/*
 * authban: counting what is blocked
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The sum is exact and costs a process a store into its own row of counters. Of each
 * source there is an estimate, by a sample.
 */
#include "authban_blocked.h"

#include "ab_blocked.h"
#include "authban_mac.h"
#include "authban_shared.h"
#include "authban_stats.h"

#include "core/dprint.h"
#include "core/mem/shm_mem.h"
#include "core/pt.h"

#include <string.h>

static struct ab_blocked *sample;

int authban_blocked_init(void)
{
	sample = shm_malloc(ab_blocked_bytes(AB_BLOCKED_SLOTS));
	if(!sample) {
		SHM_MEM_ERROR;
		return -1;
	}
	ab_blocked_init(sample, AB_BLOCKED_SLOTS);
	return 0;
}

static uint64_t hash_of(const struct ab_prefix *p)
{
	uint8_t data[sizeof(p->addr) + 1];

	memcpy(data, &p->addr, sizeof(p->addr));
	data[sizeof(p->addr)] = p->len;
	return authban_keyed_hash(data, sizeof(data));
}

void authban_blocked(const struct ab_addr *addr)
{
	struct ab_prefix source;
	struct ab_hit hit;

	counter_inc(authban_counters.blocked);
	/* the counter just written says whose turn it is, so there is no second store */
	if(!ab_blocked_turn((uint64_t)process_no << 48
						^ (uint64_t)counter_pprocess_val(
								process_no, authban_counters.blocked)))
		return;
	source = authban_source(addr);
	hit = ab_table_check(authban_table(), addr, &source, authban_now_mono());
	ab_blocked_add(sample, hash_of(&hit.net));
}

uint32_t authban_blocked_count(const struct ab_prefix *source)
{
	return ab_blocked_count(sample, hash_of(source));
}

void authban_blocked_clear(void)
{
	ab_blocked_clear(sample);
}
