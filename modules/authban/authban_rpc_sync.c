/*
 * authban: what authban.status tells of the sync process beside bans
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_rpc_sync.h"

#include "authban_shared.h"

#include <stdio.h>

int authban_rpc_add_sync(rpc_t *rpc, void *h)
{
	struct authban_sync_state *s = authban_sync_state();
	char name[48];
	int i;

	for(i = 0; i < AB_TROUBLES; i++) {
		snprintf(name, sizeof(name), "redis_errors_%s",
				ab_trouble_name((enum ab_trouble)i));
		if(rpc->struct_add(h, "d", name, (int)s->trouble[i]) < 0)
			return -1;
	}
	return rpc->struct_add(h, "ddsddds", "redis_bad_keys", (int)s->bad_keys,
			"redis_offset_ms", (int)s->offset_ms, "redis_log_id", s->log_id,
			"facts_told", (int)s->facts_told, "facts_heard",
			(int)s->facts_heard, "facts_dropped", (int)s->facts_dropped,
			"facts_loading", s->facts_loading ? "yes" : "no");
}
