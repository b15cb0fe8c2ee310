/*
 * authban: what the sync process tells everybody of itself
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_state.h"

#include "authban_peers.h"
#include "authban_shared.h"
#include "authban_store_private.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static long wall_offset(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (long)((int64_t)authban_now().cluster_ms
				  - ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000));
}

void authban_state_server(
		const struct ab_url *url, const struct ab_place *place)
{
	struct authban_sync_state *state = authban_sync_state();

	bool v6 = !url->is_unix && strchr(place->host, ':');

	if(url->is_unix)
		snprintf(state->server, sizeof(state->server), "%s", place->host);
	else
		snprintf(state->server, sizeof(state->server), "%s%s%s:%d",
				v6 ? "[" : "", place->host, v6 ? "]" : "", place->port);
}

void authban_state_lag(const struct authban_store *s, int64_t now_ms)
{
	struct authban_sync_state *state = authban_sync_state();

	if(!s->url || !ab_table_has_dirty(s->sync->table))
		state->unsent_since = 0;
	else if(state->unsent_since == 0)
		state->unsent_since = now_ms;
}

void authban_state_publish(
		const struct authban_store *s, bool clock_known, int64_t now_ms)
{
	struct authban_sync_state *state = authban_sync_state();
	const struct ab_sync_stats *st = &s->sync->stats;
	const struct ab_good *good = &s->sync->guard.good;
	long dropped = 0;
	int i;

	for(i = 0; i < AB_WIRE_RESULTS; i++) {
		dropped += (long)st->dropped[i];
		state->refused[i] = (long)st->dropped[i];
	}
	state->clipped = (long)st->clipped;
	authban_peers_refusals(st, now_ms);
	state->batches = (long)st->batches;
	state->shares_sent = (long)st->shares_sent;
	state->states_sent = (long)st->states_sent;
	state->states_applied = (long)st->states_applied;
	state->dropped = dropped;
	authban_state_lag(s, now_ms);
	state->bad_keys = (int)s->quarantine.n;
	state->trouble[AB_TROUBLE_WRONGTYPE] = (long)s->quarantine.met;
	state->facts_told = (long)s->credit.told;
	state->facts_heard = (long)s->credit.heard;
	state->facts_loading = authban_credit_is_loading(s);
	if(good->tell)
		state->facts_dropped = (long)atomic_load(&good->tell->dropped);
	memcpy(state->log_id, s->last_id, sizeof(state->log_id));
	if(clock_known)
		state->offset_ms = wall_offset();
}
