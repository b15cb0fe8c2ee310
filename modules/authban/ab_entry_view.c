/*
 * authban: what is told of an entry, and what it is worth
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_entry.h"

#include <string.h>

void ab_entry_view(const struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, struct ab_view *out)
{
	struct ab_entry copy = *s->e;
	struct ab_slot at = {&copy, s->until, s->state, s->pairs};
	struct ab_counts counts;

	ab_entry_refresh(&at, set, now);
	ab_entry_counts(&at, set, now, &counts);
	ab_entry_key(&copy, &out->key);
	ab_entry_distinct(&copy, out->distinct);
	memcpy(out->own, copy.own, sizeof(out->own));
	memcpy(out->others, copy.others, sizeof(out->others));
	out->state = at.state;
	out->proof = copy.proof;
	out->repeats = counts.repeats;
	out->flags = copy.flags;
	/* of a state that is over neither cause nor author is left */
	out->reason = at.state != AB_STATE_NONE ? (uint16_t)copy.reason : 0;
	out->origin = at.state != AB_STATE_NONE ? (uint16_t)copy.origin : 0;
	/* a live ban shows the counts that made it, not what is left of them */
	out->failures = at.state == AB_STATE_BANNED || at.state == AB_STATE_DRY_RUN
							? (uint32_t)copy.own[0] + copy.own[1]
									  + copy.others[0] + copy.others[1]
							: counts.failures;
	out->users = out->key.kind == AB_KIND_PAIR ? 1 : counts.things;
	out->slow = counts.slow;
	out->policy = copy.policy;
	out->ttl = at.state != AB_STATE_NONE ? at.until - now->mono : 0;
	out->age = now->mono - copy.since;
	out->idle = now->mono - copy.seen;
	out->wstart = copy.wstart;
	out->epoch = copy.epoch;
	out->unbanned = copy.repeats == 0 ? copy.epoch : 0;
	out->version = copy.version;
	out->incarnation = (uint8_t)copy.incarnation;
	out->paired = copy.paired;
}

enum ab_worth ab_entry_worth(const struct ab_slot *s,
		const struct ab_settings *set, const struct ab_now *now)
{
	struct ab_view v;
	bool unsent;

	ab_entry_view(s, set, now, &v);
	if(v.state == AB_STATE_BANNED && v.key.kind == AB_KIND_ALLOW)
		return AB_WORTH_ALLOWED;
	if(v.state == AB_STATE_BANNED || v.state == AB_STATE_DRY_RUN)
		return AB_WORTH_BANNED;
	if(v.state == AB_STATE_UNBANNED)
		return AB_WORTH_UNBANNED;
	/* its epoch keeps shares from before the ban from counting */
	if(v.repeats > 0 || (v.epoch != 0 && v.age <= 2 * (uint32_t)set->window))
		return AB_WORTH_REMEMBERED;
	/* without it nobody would look for the bans of its pairs */
	if(s->pairs && s->until > now->mono)
		return AB_WORTH_REMEMBERED;
	unsent = v.flags & AB_UNSENT_ANY;
	if(v.failures > 1 || v.slow > 1)
		return unsent ? AB_WORTH_UNSENT : AB_WORTH_FAILURES;
	if(unsent)
		return AB_WORTH_ONE_UNSENT;
	return v.failures || v.slow || v.own[0] || v.own[1] ? AB_WORTH_ONE_FAILURE
														: AB_WORTH_NOTHING;
}
