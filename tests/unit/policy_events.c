/*
 * authban: docs/policy.md once more, slow and plain: what happens
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "policy_rules.h"

#include "unit.h"

#include <string.h>

bool model_allows(const struct model *m, const struct ab_addr *addr)
{
	unsigned i;

	for(i = 0; i < m->n_allowed; i++)
		if(ab_prefix_contains(&m->allowed[i], addr))
			return true;
	return false;
}

static uint32_t source_bit(const struct model *m, const struct ab_prefix *s)
{
	return UINT32_C(1) << (model_source_hash(m, s) & 31);
}

bool model_in_grace(struct model *m, const struct ab_prefix *source)
{
	struct model_name name = model_source(source);
	const struct model_row *w = model_row(m, &name);

	return w && w->state == AB_STATE_UNBANNED;
}

/* What failed at a source of which only this user is in the map: a pair that is new
 * begins with it. */
static uint32_t carried(struct model *m, const struct model_name *pair)
{
	struct model_name name = model_source(&pair->at);
	const struct model_row *w = model_row(m, &name);
	uint32_t at = model_window(m), own = 0, others = 0, map = 0, sum;
	unsigned i;

	if(model_row(m, pair) || !w || w->state != AB_STATE_NONE || w->paired)
		return 0;
	for(i = 0; i < w->events; i++)
		if(w->event[i].window + 1 >= at) {
			own += w->event[i].weight;
			map |= w->event[i].map;
		}
	for(i = 0; i < w->shares; i++)
		if(w->share[i].window + 1 >= at) {
			others += w->share[i].count;
			map |= w->share[i].map;
		}
	if(map != UINT32_C(1) << (pair->user & 31))
		return 0;
	sum = model_counts(m, w).failures;
	if(own > sum)
		own = sum;
	sum = model_counts(m, w).level;
	sum = sum > others ? sum - others : 0;
	return own < sum ? own : sum;
}

/* Nothing of this proxy is in its windows. */
static bool is_quiet(const struct model *m, const struct model_row *w)
{
	uint32_t at = model_window(m);
	unsigned i;

	for(i = 0; i < w->events; i++)
		if(w->event[i].window + 1 >= at)
			return false;
	return true;
}

static void touch(struct model *m, const struct model_name *name,
		const struct ab_failure *f, uint32_t map, const struct around *a,
		struct model_found *out)
{
	struct model_row *w = model_row_made(m, name);
	bool slow = name->kind == AB_FOUND_PAIR
				|| (name->kind == AB_FOUND_SOURCE && !a->good);

	w->policy = f->policy;
	w->voided = false;
	if(is_quiet(m, w))
		w->paired = false;
	w->paired |= a->shared && !a->good;
	model_count(m, w, f->weight, slow ? f->weight : 0, map);
	out->touched = true;
	out->row = w;
	out->news = model_decide(m, w, a);
}

static void network_of(struct model *m, const struct ab_failure *f,
		struct around *a, struct model_findings *out)
{
	struct model_name name;
	const struct ab_prefix *source = &f->who.source;

	if(a->shared || !model_network(source, &name))
		return;
	touch(m, &name, f, source_bit(m, source), a, &out->entry[AB_FOUND_NETWORK]);
	if(!model_in_grace(m, source))
		a->net_level = model_level_around(m, out->entry[AB_FOUND_NETWORK].row,
				(uint32_t)m->set.net_sources);
}

static void user_of(struct model *m, const struct ab_failure *f,
		struct around *a, struct model_findings *out)
{
	struct model_name name = model_user(f->who.user);

	if(f->who.user == 0 || a->good)
		return;
	touch(m, &name, f, source_bit(m, &f->who.source), a,
			&out->entry[AB_FOUND_USER]);
	a->user_level = model_level_around(
			m, out->entry[AB_FOUND_USER].row, (uint32_t)m->set.user_sources);
}

/* Where strangers come one by one, who failed stands back. */
static void note_failed(struct model *m, const struct ab_failure *f,
		const struct model_findings *out)
{
	const struct model_row *w = out->entry[AB_FOUND_SOURCE].row;

	if(model_is_banned(w) && !out->good && f->who.flow != 0
			&& (out->shared || model_for_some_of_many(w)))
		model_learn(m, &f->who, MODEL_FACT_FAILED);
}

void model_failure(
		struct model *m, const struct ab_failure *f, struct model_findings *out)
{
	const struct ab_prefix *source = &f->who.source;
	struct model_name pair = model_pair(source, f->who.user);
	struct model_name name = model_source(source);
	struct around a = {0};
	uint32_t user_bit;

	memset(out, 0, sizeof(*out));
	if(m->set.mode == AB_MODE_OFF || f->proof == AB_PROOF_NONE
			|| model_allows(m, &source->addr))
		return;
	a.good = out->good = model_knows(m, &f->who, MODEL_FACT_PAIR);
	a.shared = out->shared = model_knows(m, &f->who, MODEL_FACT_SOURCE);
	model_forget_flow(m, &f->who);
	if(a.good)
		out->breaker_changed = model_tell_breaker(
				m, model_source_hash(m, source), f->who.user);
	out->suspended = m->breaker.open;
	if(m->breaker.open && a.shared)
		return;
	network_of(m, f, &a, out);
	user_of(m, f, &a, out);
	if(a.shared) {
		struct ab_failure more = *f;

		more.weight += a.good ? 0 : carried(m, &pair);
		touch(m, &pair, &more, 0, &a, &out->entry[AB_FOUND_PAIR]);
	}
	user_bit =
			f->who.user == 0 || a.good ? 0 : UINT32_C(1) << (f->who.user & 31);
	touch(m, &name, f, user_bit, &a, &out->entry[AB_FOUND_SOURCE]);
	note_failed(m, f, out);
	out->banned = m->set.mode == AB_MODE_BAN
				  && (out->entry[AB_FOUND_PAIR].news
						  || out->entry[AB_FOUND_SOURCE].news);
}

/* A stranger who logs in has shown that he is a customer: the place that he took, at
 * his source, network and user, is free again. */
static void free_the_way(struct model *m, const struct ab_party *who)
{
	struct model_name name[3] = {model_source(&who->source),
			model_user(who->user), {.kind = AB_FOUND_COUNT}};
	unsigned i;

	model_network(&who->source, &name[2]);
	for(i = 0; i < COUNT_OF(name); i++) {
		struct model_row *w = model_row(m, &name[i]);

		if(!model_is_banned(w))
			continue;
		w->let = false;
		/* the core has one time for both; nothing at the defaults */
		w->level_at = m->mono - (uint32_t)m->set.pace;
	}
}

bool model_success(struct model *m, const struct ab_party *who)
{
	bool stranger = !model_knows(m, who, MODEL_FACT_PAIR);

	model_learn(m, who, MODEL_FACT_PAIR);
	model_learn(m, who, MODEL_FACT_SOURCE);
	if(who->flow != 0)
		model_learn(m, who, MODEL_FACT_FLOW);
	if(stranger)
		free_the_way(m, who);
	return model_tell_breaker(m, 0, 0);
}

/* The things of one window that are known, told by whom ever. */
static uint32_t maps_of(const struct model_row *w, uint32_t window)
{
	uint32_t map = 0, i;

	for(i = 0; i < w->events; i++)
		map |= w->event[i].window == window ? w->event[i].map : 0;
	for(i = 0; i < w->shares; i++)
		map |= w->share[i].window == window ? w->share[i].map : 0;
	return map;
}

struct model_found model_others(struct model *m, const struct model_name *name,
		uint32_t window, const uint32_t count_of[static 2],
		const uint32_t map[static 2], bool late)
{
	struct model_row *w = model_row(m, name);
	struct model_found out = {w != NULL, false, w};
	struct ab_party who = {name->at, name->user, 0};
	struct model_name net;
	struct around a = {0};
	uint32_t i, k, grown = 0;
	bool fresh = false;

	if(!w || late || model_is_banned(w))
		return out;
	for(i = 0; i < 2; i++) {
		for(k = 0; k < w->shares && w->share[k].window != window - i; k++)
			;
		if(k == w->shares) {
			assert_true(w->shares < MODEL_EVENTS);
			memset(&w->share[w->shares++], 0, sizeof(w->share[k]));
			w->share[k].window = window - i;
		}
		/* what is too old to count tells nothing new */
		fresh |= window - i + 1 >= model_window(m)
				 && ((map[i] & ~maps_of(w, window - i)) != 0
						 || count_of[i] > w->share[k].count);
		if(count_of[i] > w->share[k].count) {
			if(window - i + 1 >= model_window(m)) /* else too old to count */
				grown += count_of[i] - w->share[k].count;
			w->share[k].count = count_of[i];
		}
		w->share[k].map |= map[i];
	}
	if(grown && (name->kind == AB_FOUND_SOURCE || name->kind == AB_FOUND_PAIR))
		model_add_level(m, w, grown);
	a.shared = model_knows(m, &who, MODEL_FACT_SOURCE);
	a.good = name->kind == AB_FOUND_PAIR
			 && model_knows(m, &who, MODEL_FACT_PAIR);
	if(name->kind == AB_FOUND_SOURCE && !a.shared
			&& model_network(&name->at, &net) && !model_in_grace(m, &name->at))
		a.net_level = model_level_around(
				m, model_row(m, &net), (uint32_t)m->set.net_sources);
	out.news = fresh && model_decide(m, w, &a);
	return out;
}

void model_ban(struct model *m, const struct model_name *name, uint32_t seconds,
		enum ab_reason reason)
{
	struct model_row *w = model_row_made(m, name);

	if(!model_is_banned(w))
		w->window = model_window(m);
	w->state = AB_STATE_BANNED;
	w->reason = reason;
	w->by_hand = true;
	w->until = m->mono + seconds;
	w->bans = 1;
	model_state_changed(m, w);
}

/* Counts are all proxies': more than is known here were others'. */
static void take_counts(
		const struct model *m, struct model_row *w, const struct model_heard *h)
{
	uint32_t mine = 0, theirs = 0, i;

	for(i = 0; i < w->events; i++)
		mine += w->event[i].window + 1 >= w->window ? w->event[i].weight : 0;
	for(i = 0; i < w->shares; i++)
		theirs += w->share[i].window + 1 >= w->window ? w->share[i].count : 0;
	if(h->failures <= mine + theirs)
		return;
	for(i = 0; i < w->shares; i++)
		w->share[i].count = 0;
	assert_true(w->shares < MODEL_EVENTS);
	w->share[w->shares].window = model_window(m);
	w->share[w->shares].map = h->map;
	w->share[w->shares++].count = h->failures - mine;
}

void model_hear(struct model *m, const struct model_name *name,
		const struct model_heard *h)
{
	struct model_row *w = model_row_made(m, name);
	bool banned = w->state == AB_STATE_BANNED && w->until > m->mono;

	if(banned && w->by_hand)
		return;
	if(!model_is_banned(w))
		w->window = model_window(m);
	take_counts(m, w, h);
	w->state = AB_STATE_BANNED;
	w->reason = h->reason;
	w->by_hand = false;
	/* ends that differ by two seconds are one */
	if(!banned || m->mono + h->seconds > w->until + 2)
		w->until = m->mono + h->seconds;
	w->bans = h->bans;
	model_state_changed(m, w);
	if(name->kind == AB_FOUND_PAIR) { /* the source knows that it has such */
		struct model_name source = model_source(&name->at);

		model_row_made(m, &source);
	}
}

bool model_unban(struct model *m, const struct model_name *name)
{
	uint32_t grace = (uint32_t)m->set.grace;
	uint32_t windows = 2 * (uint32_t)m->set.window;
	struct model_row *w = model_row(m, name);
	unsigned i;

	if(!w)
		return false;
	for(i = 0; i < m->rows; i++) {
		struct model_row *v = &m->row[i];

		if(v != w
				&& !(name->kind == AB_FOUND_SOURCE
						&& v->name.kind == AB_FOUND_PAIR
						&& model_same_prefix(&v->name.at, &name->at)))
			continue;
		v->events = v->shares = v->level = v->bans = 0;
		v->state = AB_STATE_NONE;
		v->voided = v != w;
		v->by_hand = false;
		v->ended = m->mono;
	}
	w->state = AB_STATE_UNBANNED;
	w->until = m->mono + (grace > windows ? grace : windows);
	return true;
}

void model_allow(struct model *m, const struct ab_prefix *net)
{
	assert_true(m->n_allowed < COUNT_OF(m->allowed));
	m->allowed[m->n_allowed++] = *net;
}
