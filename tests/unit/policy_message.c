/*
 * authban: docs/policy.md once more, slow and plain: one message
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "policy_model.h"

/* A row in whose way a stranger stands, and whether one may pass now. */
static bool may_pass(const struct model *m, const struct model_row *w)
{
	return !w->let || m->mono - w->let_at >= (uint32_t)m->set.pace;
}

/* Everything that stands in the way of a message, in the order of the text. */
struct way
{
	struct model_row *source, *by_hand, *network, *pair, *user;
};

static struct model_row *banned_row(
		struct model *m, const struct model_name *name)
{
	struct model_row *w = model_row(m, name);

	return model_is_banned(w) ? w : NULL;
}

static struct way find_way(struct model *m, const struct ab_addr *addr,
		const struct ab_prefix *source, const struct ab_party *who)
{
	struct model_name name = model_source(source);
	struct way way = {.source = banned_row(m, &name)};
	unsigned i;

	for(i = 0; i < m->rows; i++) {
		struct model_row *w = &m->row[i];

		if(w->name.kind == AB_FOUND_SOURCE && model_is_banned(w) && w->by_hand
				&& ab_prefix_contains(&w->name.at, addr))
			way.by_hand = w;
	}
	if(!who)
		return way;
	if(model_network(source, &name))
		way.network = banned_row(m, &name);
	name = model_pair(source, who->user);
	way.pair = banned_row(m, &name);
	name = model_user(who->user);
	way.user = banned_row(m, &name);
	return way;
}

static struct model_answer drop(
		const struct model *m, enum ab_guard_verdict verdict)
{
	struct model_answer a = {verdict, m->set.mode != AB_MODE_BAN};

	return a;
}

/* A ban that says that others are known there, if not here then on another proxy. */
bool model_for_some_of_many(const struct model_row *w)
{
	return w
		   && (w->reason == AB_REASON_USERS
				   || w->reason == AB_REASON_STRANGERS);
}

/* Lets a stranger pass: the next one waits. */
static void let_through(const struct model *m, struct model_row *w)
{
	w->let = true;
	w->let_at = m->mono;
	model_add_level(m, w, 0);
}

struct model_answer model_message(struct model *m, const struct ab_addr *addr,
		const struct ab_prefix *source, const struct ab_party *who)
{
	struct ab_party any = {*source, 0, 0};
	bool good = who && model_knows(m, who, MODEL_FACT_PAIR);
	struct way way = find_way(m, addr, source, who);
	bool shared = model_knows(m, &any, MODEL_FACT_SOURCE)
				  || model_for_some_of_many(way.source);
	struct model_answer pass = {AB_GUARD_PASS, false};

	if(model_allows(m, addr))
		return pass;
	if(way.by_hand || (way.source && !shared))
		return drop(m, AB_GUARD_SOURCE);
	if(!who)
		return pass;
	if(good)
		way.source = way.user = NULL;
	if(shared || model_in_grace(m, source))
		way.network = NULL;
	if(good && model_knows(m, who, MODEL_FACT_FLOW))
		way.pair = NULL;
	/* a pair's ban first: what it drops takes nobody's place */
	if(way.pair)
		return drop(m, AB_GUARD_PAIR);
	if(way.source && who->flow != 0 && model_knows(m, who, MODEL_FACT_FAILED))
		return drop(m, AB_GUARD_SOURCE);
	if((way.source && !may_pass(m, way.source))
			|| (way.network && !may_pass(m, way.network)))
		return drop(m, AB_GUARD_SOURCE);
	if(way.user && !may_pass(m, way.user))
		return drop(m, AB_GUARD_PAIR);
	/* it is evaluated, so it takes the places that it needed */
	if(way.source)
		let_through(m, way.source);
	if(way.network)
		let_through(m, way.network);
	if(way.user)
		let_through(m, way.user);
	return pass;
}
