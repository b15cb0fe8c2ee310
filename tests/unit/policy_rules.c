/*
 * authban: docs/policy.md once more, slow and plain: who is banned, for how long
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "policy_rules.h"

#include "unit.h"

#include <string.h>

/* --- bans --- */

static struct ab_settings settings_of(const struct model *m, unsigned policy)
{
	struct ab_settings set = m->set;
	int *field[AB_POLICY_FIELDS] = {&set.threshold, &set.max_users,
			&set.net_threshold, &set.long_threshold, &set.ban_time,
			&set.ban_time_max};
	int i;

	if(policy == 0 || !m->policies || policy > m->policies->count)
		return set;
	for(i = 0; i < AB_POLICY_FIELDS; i++)
		if(m->policies->row[policy - 1].value[i])
			*field[i] = m->policies->row[policy - 1].value[i];
	if(set.ban_time > set.ban_time_max)
		set.ban_time = set.ban_time_max;
	return set;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* ban_time, doubled for each ban before this one, less up to a sixteenth. */
static struct model_length growing(
		const struct ab_settings *set, const struct model_row *w)
{
	uint64_t length = (uint64_t)set->ban_time;
	uint32_t i, before = w->bans > 0 ? w->bans - 1 : 0;
	struct model_length l;

	for(i = 0; i < before && length < (uint64_t)set->ban_time_max; i++)
		length *= 2;
	l.max = smaller(length < UINT32_MAX ? (uint32_t)length : UINT32_MAX,
			(uint32_t)set->ban_time_max);
	l.min = l.max - l.max / 16;
	return l;
}

/* The time in which the slow level leaks one, up to a sixteenth more. */
static struct model_length one_step(const struct ab_settings *set)
{
	uint32_t step = (uint32_t)set->long_window / (uint32_t)set->long_threshold;
	uint32_t most = (uint32_t)set->ban_time_max;
	struct model_length l = {
			smaller(step, most), smaller(step + step / 16, most)};

	return l;
}

struct model_length model_length(
		const struct model *m, const struct model_row *w, bool good)
{
	bool pair = w->name.kind == AB_FOUND_PAIR;
	bool party = w->name.kind == AB_FOUND_SOURCE || pair;
	struct ab_settings set = settings_of(m, party ? w->policy : 0);
	struct model_length l = growing(&set, w), step = one_step(&set);

	if(pair && good) /* short, and does not grow */
		l.min = l.max = (uint32_t)((set.ban_time + 1) / 2);
	else if(w->reason == AB_REASON_SLOW || w->reason == AB_REASON_STRANGERS)
		l = step;
	else if(pair) {
		l.min = smaller(l.min, step.min);
		l.max = smaller(l.max, step.max);
	}
	return l;
}

/* The first stranger waits as the next ones do. The steps in which the slow level
 * leaks begin anew. */
void model_state_changed(const struct model *m, struct model_row *w)
{
	model_add_level(m, w, 0);
	w->let_at = m->mono;
	w->let = true;
}

static void put_ban(
		struct model *m, struct model_row *w, enum ab_reason reason, bool good)
{
	struct model_counts c = model_counts(m, w);

	w->bans = c.repeats + 1 < 15 ? c.repeats + 1 : 15;
	w->state = m->set.mode == AB_MODE_BAN ? AB_STATE_BANNED : AB_STATE_DRY_RUN;
	w->reason = reason;
	w->window = model_window(m);
	w->until = m->mono + model_length(m, w, good).max;
	model_state_changed(m, w);
}


/* long_threshold, or two and a half times threshold when that is more */
static bool is_slow(const struct ab_settings *set, const struct model_counts *c)
{
	return c->level >= (uint32_t)set->long_threshold
		   && 2 * c->level >= 5 * (uint32_t)set->threshold
									  - (uint32_t)(set->threshold % 2);
}

static enum ab_reason source_reason(const struct ab_settings *set,
		const struct model_counts *c, const struct around *a)
{
	if(a->shared && c->things > (uint32_t)set->max_users)
		return AB_REASON_USERS;
	if(a->shared)
		return is_slow(set, c) ? AB_REASON_STRANGERS : AB_REASON_NONE;
	if(c->failures >= (uint32_t)set->threshold)
		return AB_REASON_THRESHOLD;
	if(c->failures >= (uint32_t)set->net_threshold && a->net_level >= 1)
		return AB_REASON_NETWORK;
	if(c->failures >= (uint32_t)set->net_threshold && a->user_level >= 1)
		return AB_REASON_USER_ATTACK;
	if(is_slow(set, c))
		return AB_REASON_SLOW;
	return AB_REASON_NONE;
}

static enum ab_reason pair_reason(const struct ab_settings *set,
		const struct model_counts *c, const struct around *a)
{
	uint32_t limit = (uint32_t)set->threshold;

	if(a->user_level >= 1 && !a->good && (uint32_t)set->net_threshold < limit)
		limit = (uint32_t)set->net_threshold;
	if(c->repeats > 0)
		limit = 1;
	if(c->failures >= limit)
		return AB_REASON_PAIR;
	if(is_slow(set, c))
		return AB_REASON_SLOW;
	return AB_REASON_NONE;
}

bool model_decide(struct model *m, struct model_row *w, const struct around *a)
{
	bool party =
			w->name.kind == AB_FOUND_SOURCE || w->name.kind == AB_FOUND_PAIR;
	struct ab_settings set = settings_of(m, party ? w->policy : 0);
	struct model_counts c = model_counts(m, w);
	enum ab_reason why = AB_REASON_NONE;

	if(model_is_banned(w) || m->breaker.open)
		return false;
	switch(w->name.kind) {
		case AB_FOUND_NETWORK:
			if(c.things > (uint32_t)(set.net_sources + set.net_sources / 2))
				why = AB_REASON_CAMPAIGN;
			break;
		case AB_FOUND_USER:
			if(c.things > (uint32_t)(set.user_sources + set.user_sources / 2))
				why = AB_REASON_USER_ATTACK;
			break;
		case AB_FOUND_PAIR:
			why = pair_reason(&set, &c, a);
			break;
		default:
			why = source_reason(&set, &c, a);
	}
	if(why == AB_REASON_NONE)
		return false;
	put_ban(m, w, why, w->name.kind == AB_FOUND_PAIR && a->good);
	return true;
}

/* 0 quiet, 1 many failing sources, 2 too many. */
unsigned model_level_around(
		const struct model *m, const struct model_row *w, uint32_t sources)
{
	if(!w)
		return 0;
	if(model_is_banned(w))
		return 2;
	if(model_counts(m, w).things > sources + sources / 2)
		return 2;
	return model_counts(m, w).things > sources ? 1 : 0;
}
