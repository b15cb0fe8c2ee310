/*
 * authban: how far this proxy believes the others
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_sync_trust.h"

#include <string.h>

/* The highest limit that failures of one party are judged by. */
static int highest_limit(const struct ab_sync *s)
{
	const struct ab_policies *p = s->guard.policies;
	int max = s->set->threshold > s->set->long_threshold
					  ? s->set->threshold
					  : s->set->long_threshold;
	unsigned i;

	for(i = 0; p && i < p->count; i++) {
		int threshold = p->row[i].value[AB_POLICY_THRESHOLD];
		int slow = p->row[i].value[AB_POLICY_LONG_THRESHOLD];

		max = threshold > max ? threshold : max;
		max = slow > max ? slow : max;
	}
	return max;
}

uint32_t ab_sync_share_max(const struct ab_sync *s)
{
	/* what is under way in other workers when a limit is reached */
	return (uint32_t)highest_limit(s) + 64;
}

void ab_trust_refuse_share(struct ab_sync *s, enum ab_wire_result r,
		const uint8_t *field, size_t len)
{
	s->stats.dropped[r]++;
	if(s->nodes && len >= 9)
		ab_nodes_refused(
				s->nodes, s->table->owner, field + len - 9, field + len - 5);
}

enum ab_wire_result ab_trust_share(struct ab_sync *s, const uint8_t *field,
		size_t len, struct ab_share *share)
{
	uint32_t max = ab_sync_share_max(s);

	if(s->nodes
			&& !ab_nodes_believes_share(s->nodes, s->table->owner,
					field + len - 9, field + len - 5))
		return AB_WIRE_FORGOTTEN;
	if(share->count > max) {
		share->count = (uint16_t)max;
		s->stats.clipped++;
	}
	return AB_WIRE_OK;
}

uint32_t ab_trust_longest_ban(const struct ab_sync *s)
{
	const struct ab_policies *p = s->guard.policies;
	int max = s->set->ban_time_max;
	unsigned i;

	for(i = 0; p && i < p->count; i++) {
		int longest = p->row[i].value[AB_POLICY_BAN_TIME_MAX];

		max = longest > max ? longest : max;
	}
	return (uint32_t)max;
}

void ab_sync_forget(struct ab_sync *s, const struct ab_now *now,
		const struct ab_forgotten *f, struct ab_dropped *out)
{
	memset(out, 0, sizeof(*out));
	if(!s->nodes
			|| !ab_nodes_forget(s->nodes, s->table->owner, f, now->cluster_ms))
		return;
	ab_forget_in_table(s->table, s->set, now, f->name, f->at, out);
	/* shares of the window before have to be clean as well */
	memset(s->ttl_known, 0, sizeof(s->ttl_known));
	s->resend = true;
	if(s->forgot)
		s->forgot(f, out);
}

void ab_trust_apply_forget(struct ab_sync *s, const uint8_t *bytes, size_t len)
{
	struct ab_forgotten f;
	struct ab_dropped ignored;
	enum ab_wire_result r = ab_forget_read(&s->wire, bytes, len, &f);

	if(r == AB_WIRE_OK && f.at > s->now.cluster_ms + AB_DAY_MS)
		r = AB_WIRE_RANGE;
	if(r != AB_WIRE_OK)
		s->stats.dropped[r]++;
	else
		ab_sync_forget(s, &s->now, &f, &ignored);
}

/* Whether an origin has had its changes of this minute. */
static bool is_flooding(struct ab_sync *s, const char *origin)
{
	uint64_t now = s->now.cluster_ms;

	if(s->peer_changes == 0 || s->loading
			|| ab_nodes_told(s->nodes, origin, now, false) < s->peer_changes)
		return false;
	/* one more than the limit says that it was told of */
	if(ab_nodes_told(s->nodes, origin, now, false) == s->peer_changes) {
		ab_nodes_told(s->nodes, origin, now, true);
		if(s->flooded)
			s->flooded(origin);
	}
	return true;
}

enum ab_wire_result ab_trust_state(
		struct ab_sync *s, const struct ab_wire_state *rec)
{
	if(!s->nodes)
		return AB_WIRE_OK;
	if(!ab_nodes_believes_state(
			   s->nodes, s->table->owner, rec->origin, rec->version))
		return AB_WIRE_FORGOTTEN;
	return is_flooding(s, rec->origin) ? AB_WIRE_TOO_MANY : AB_WIRE_OK;
}
