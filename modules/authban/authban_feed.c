/*
 * authban: imported lists in this Kamailio
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_feed.h"

#include "authban_mac.h"
#include "authban_params.h"
#include "authban_shared.h"

#include "core/dprint.h"
#include "core/mem/shm_mem.h"

#include <string.h>
#include <unistd.h>

#define SWEEP_PARTS 64

int authban_feed_init(struct ab_feeds **out)
{
	uint32_t entries = (uint32_t)authban_params.feed_size;
	uint8_t key[16];

	*out = NULL;
	if(entries == 0)
		return 0;
	if(authban_random(key, sizeof(key)) < 0)
		return -1;
	*out = shm_malloc(ab_feeds_bytes(entries));
	if(!*out) {
		LM_ERR("parameter feed_size is %d, which takes %zu MB of shared memory;"
			   " there is not as much: start Kamailio with a larger -m, or set"
			   " a smaller feed_size\n",
				authban_params.feed_size, ab_feeds_bytes(entries) >> 20);
		return -1;
	}
	ab_feeds_init(*out, entries, key);
	return 0;
}

void authban_feed_sweep(void)
{
	const struct ab_guard *g = authban_guard_quick();
	static uint32_t part;

	if(ab_feeds_any(g->feeds))
		ab_feeds_sweep(g->feeds, part++, SWEEP_PARTS, g->judge.now.mono,
				(uint32_t)getpid());
}

bool authban_feed_view(const struct ab_prefix *source, struct ab_view *v)
{
	struct ab_feeds_hit hit;

	if(!ab_guard_listed(authban_guard_quick(), source, &hit))
		return false;
	memset(v, 0, sizeof(*v));
	v->key = ab_key_source(&hit.net);
	v->state = AB_STATE_BANNED;
	v->reason = AB_REASON_FEED;
	v->ttl = hit.ttl;
	return true;
}
