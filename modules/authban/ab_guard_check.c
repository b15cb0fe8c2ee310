/*
 * authban: what one message meets
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * docs/policy.md, "One message". The first look takes no lock and is all that most
 * messages, and nearly all of an attack, ever meet. The second is for messages with
 * credentials from where something is banned that spares those who are known-good.
 */
#include "ab_guard.h"

static struct ab_guard_answer answer(enum ab_guard_verdict verdict,
		enum ab_state state, const struct ab_prefix *net)
{
	struct ab_guard_answer a = {
			.verdict = verdict, .dry = state == AB_STATE_DRY_RUN, .net = *net};

	return a;
}

/* The restricted network of a source; AB_STATE_NONE: it is none. */
static enum ab_state network_state(const struct ab_guard *g,
		const struct ab_prefix *source, struct ab_key *key)
{
	const struct ab_judge *j = &g->judge;
	struct ab_prefix net;

	if(!ab_table_networks(j->table, j->now.mono)
			|| !ab_guard_network(source, &net))
		return AB_STATE_NONE;
	*key = ab_key_network(&net);
	return ab_table_state(j->table, key, j->now.mono);
}

bool ab_guard_listed(const struct ab_guard *g, const struct ab_prefix *source,
		struct ab_feeds_hit *hit)
{
	return g->feeds_ban && ab_feeds_any(g->feeds) && !ab_guard_shared(g, source)
		   && ab_feeds_find(g->feeds, source, g->judge.now.mono, hit);
}

struct ab_guard_answer ab_guard_check(const struct ab_guard *g,
		const struct ab_addr *addr, const struct ab_prefix *source)
{
	const struct ab_judge *j = &g->judge;
	struct ab_hit hit = ab_table_check(j->table, addr, source, j->now.mono);
	bool spared = hit.state != AB_STATE_NONE && hit.automatic
				  && (hit.shared || ab_guard_shared(g, source));
	struct ab_feeds_hit listed;
	struct ab_key key;

	if(spared) { /* an operator may have banned the network around it */
		struct ab_hit wider = {.state = AB_STATE_NONE};

		ab_table_check_wider(j->table, addr, source, j->now.mono, &wider);
		if(wider.state != AB_STATE_NONE)
			return answer(AB_GUARD_SOURCE, wider.state, &wider.net);
		return answer(AB_GUARD_LOOK, hit.state, &hit.net);
	}
	if(hit.state != AB_STATE_NONE)
		return answer(AB_GUARD_SOURCE, hit.state, &hit.net);
	if(ab_guard_listed(g, source, &listed))
		return answer(AB_GUARD_SOURCE, AB_STATE_BANNED, &listed.net);
	if(hit.pairs || ab_table_users(j->table, j->now.mono)
			|| network_state(g, source, &key) != AB_STATE_NONE)
		return answer(AB_GUARD_LOOK, AB_STATE_NONE, source);
	return answer(AB_GUARD_PASS, AB_STATE_NONE, source);
}

/* --- the second look --- */

/* Whether this user is banned at this source; the source's unban voids it. */
static enum ab_state pair_state(
		const struct ab_guard *g, const struct ab_party *who)
{
	const struct ab_judge *j = &g->judge;
	struct ab_key key =
			ab_key_pair(&who->source, who->user ? who->user : AB_USER_NOBODY);
	struct ab_key source = ab_key_source(&who->source);
	enum ab_state state = ab_table_state(j->table, &key, j->now.mono);
	struct ab_view pair, of;

	if(state == AB_STATE_NONE
			|| ab_table_get(j->table, &key, j->set, &j->now, &pair) != 1)
		return state;
	/* epochs are seconds; within one the versions tell which was first */
	if(ab_table_get(j->table, &source, j->set, &j->now, &of) == 1
			&& (state == AB_STATE_DRY_RUN
							? of.unbanned != 0 && pair.age >= of.age
							: of.unbanned >= ab_version_second(pair.version)
									  && of.version >= pair.version))
		return AB_STATE_NONE;
	return (enum ab_state)pair.state;
}

static bool in_grace(const struct ab_guard *g, const struct ab_prefix *source)
{
	const struct ab_judge *j = &g->judge;
	struct ab_key key = ab_key_source(source);
	struct ab_view v;

	return ab_table_get(j->table, &key, j->set, &j->now, &v) == 1
		   && v.state == AB_STATE_UNBANNED;
}

/* A stranger before a banned entry: in his turn, or not. */
static bool in_turn(const struct ab_guard *g, const struct ab_key *key,
		enum ab_guard_verdict verdict, const struct ab_prefix *source,
		struct ab_guard_answer *out)
{
	struct ab_gate gate = ab_judge_gate(&g->judge, key);

	if(gate.pass) {
		out->turn |= gate.turn;
		return true;
	}
	*out = answer(
			verdict, gate.dry ? AB_STATE_DRY_RUN : AB_STATE_BANNED, source);
	return false;
}

/* Whether strangers have to wait before a banned entry now. */
static bool waits(const struct ab_guard *g, const struct ab_key *key,
		enum ab_guard_verdict verdict, const struct ab_prefix *source,
		struct ab_guard_answer *out)
{
	const struct ab_judge *j = &g->judge;
	struct ab_view v;

	if(ab_table_get(j->table, key, j->set, &j->now, &v) != 1
			|| (v.state != AB_STATE_BANNED && v.state != AB_STATE_DRY_RUN)
			|| v.idle >= (uint32_t)j->set->pace)
		return false;
	*out = answer(verdict, (enum ab_state)v.state, source);
	return true;
}

/* For how long one who failed as a stranger stands back, seconds. */
static uint32_t turns(const struct ab_guard *g)
{
	return AB_GUARD_TURNS * (uint32_t)g->judge.set->pace;
}

static struct ab_guard_answer look_at_stranger(
		const struct ab_guard *g, const struct ab_party *who)
{
	const struct ab_judge *j = &g->judge;
	struct ab_guard_answer out =
			answer(AB_GUARD_PASS, AB_STATE_NONE, &who->source);
	struct ab_key key = ab_key_source(&who->source);
	struct ab_key user = ab_key_user(who->user);
	bool source = ab_table_state(j->table, &key, j->now.mono) != AB_STATE_NONE;
	bool around =
			source
			|| (!ab_guard_shared(g, &who->source)
					&& network_state(g, &who->source, &key) != AB_STATE_NONE
					&& !in_grace(g, &who->source));
	bool tried = who->user != 0 && ab_table_users(j->table, j->now.mono);

	/* who has had his try leaves the next one to others behind the address */
	if(source && ab_good_failed_lately(&g->good, who, j->now.mono, turns(g)))
		return answer(AB_GUARD_SOURCE,
				ab_table_state(j->table, &key, j->now.mono), &who->source);
	/* both are asked before the place of either is taken */
	if(around && waits(g, &key, AB_GUARD_SOURCE, &who->source, &out))
		return out;
	if(tried && waits(g, &user, AB_GUARD_PAIR, &who->source, &out))
		return out;
	if(around && !in_turn(g, &key, AB_GUARD_SOURCE, &who->source, &out))
		return out;
	if(tried)
		in_turn(g, &user, AB_GUARD_PAIR, &who->source, &out);
	return out;
}

struct ab_guard_answer ab_guard_look(
		const struct ab_guard *g, const struct ab_party *who)
{
	const struct ab_judge *j = &g->judge;
	uint32_t good_time = (uint32_t)j->set->good_time;
	enum ab_state pair = pair_state(g, who);

	if(pair != AB_STATE_NONE
			&& !ab_good_flow(&g->good, who, j->now.mono, good_time))
		return answer(AB_GUARD_PAIR, pair, &who->source);
	if(ab_good_pair(&g->good, &who->source, who->user, j->now.mono, good_time))
		return answer(AB_GUARD_PASS, AB_STATE_NONE, &who->source);
	return look_at_stranger(g, who);
}
