/*
 * authban: which entries one attempt touches, and what one message meets
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_guard.h"

#include "ab_distinct.h"
#include "ab_siphash.h"

#include <string.h>

bool ab_guard_network(const struct ab_prefix *source, struct ab_prefix *net)
{
	unsigned bits = ab_addr_is_v4(&source->addr) ? AB_V4_BITS + AB_NETWORK_V4
												 : AB_NETWORK_V6;

	if(source->len <= bits)
		return false;
	*net = ab_prefix_make(&source->addr, bits);
	return true;
}

struct ab_key ab_key_network(const struct ab_prefix *net)
{
	struct ab_key key = {net->addr, 0, AB_KIND_NETWORK, net->len};

	return key;
}

/* A source as a distinct thing: keyed, so that nobody picks addresses that look
 * like one; the same on every proxy, so that maps merge. */
static uint64_t thing_of(
		const struct ab_guard *g, const struct ab_prefix *source)
{
	uint8_t data[sizeof(source->addr.b) + 1];
	uint64_t h;

	memcpy(data, source->addr.b, sizeof(source->addr.b));
	data[sizeof(source->addr.b)] = source->len;
	h = ab_siphash13(g->hash_key, data, sizeof(data));
	return h ? h : 1;
}

static uint32_t good_time(const struct ab_guard *g)
{
	return (uint32_t)g->judge.set->good_time;
}

bool ab_guard_shared(const struct ab_guard *g, const struct ab_prefix *source)
{
	return ab_good_source(&g->good, source, g->judge.now.mono, good_time(g));
}

static bool is_good(const struct ab_guard *g, const struct ab_party *who)
{
	return ab_good_pair(
			&g->good, &who->source, who->user, g->judge.now.mono, good_time(g));
}

/* What others say counts only where nobody is known to us. */
static bool is_listed(
		const struct ab_guard *g, const struct ab_prefix *source, bool shared)
{
	return !shared && ab_feeds_find(g->feeds, source, g->judge.now.mono, NULL);
}

/* --- a failure --- */

/* One attempt on its way through the entries. */
struct attempt
{
	const struct ab_guard *g;
	const struct ab_failure *f;
	struct ab_findings *out;
	struct ab_blow blow;
	struct ab_settings room;
	struct ab_key key[AB_FOUND_COUNT]; /* all but the pair's */
	struct ab_spot place[AB_FOUND_COUNT];
	bool has[AB_FOUND_COUNT]; /* that there is such an entry to count on */
};

static void will_hit(struct attempt *a, enum ab_found which, struct ab_key key)
{
	a->key[which] = key;
	a->place[which] = ab_table_spot(a->g->judge.table, &key);
	a->has[which] = true;
}

/* Begins to load what the attempt will most likely touch. */
static void look_ahead(struct attempt *a)
{
	const struct ab_party *who = &a->f->who;
	struct ab_prefix net;

	will_hit(a, AB_FOUND_SOURCE, ab_key_source(&who->source));
	if(ab_guard_network(&who->source, &net))
		will_hit(a, AB_FOUND_NETWORK, ab_key_network(&net));
	if(who->user != 0)
		will_hit(a, AB_FOUND_USER, ab_key_user(who->user));
	ab_good_expect(&a->g->good, who);
}

static void expect_records(const struct attempt *a)
{
	unsigned i;

	for(i = 0; i < AB_FOUND_COUNT; i++)
		if(a->has[i])
			ab_table_expect(a->g->judge.table, &a->place[i]);
}

static struct ab_judgement *hit(struct attempt *a, enum ab_found which,
		const struct ab_key *key, uint64_t thing)
{
	struct ab_judgement *j = &a->out->entry[which];

	a->blow.thing = thing;
	a->blow.place = a->has[which] ? &a->place[which] : NULL;
	ab_judge_failure(&a->g->judge, key, &a->blow, j);
	return j;
}

/* A network and a user are judged by the settings; policies are for one party. */
static void hit_crowds(struct attempt *a)
{
	const struct ab_party *who = &a->f->who;
	uint64_t thing = thing_of(a->g, &who->source);

	if(!a->out->shared && a->has[AB_FOUND_NETWORK])
		a->blow.at.net_level =
				hit(a, AB_FOUND_NETWORK, &a->key[AB_FOUND_NETWORK], thing)
						->level;
	if(a->has[AB_FOUND_USER] && !a->out->good)
		a->blow.at.user_level =
				hit(a, AB_FOUND_USER, &a->key[AB_FOUND_USER], thing)->level;
}

/* The last unban of a source; 0: none that matters. */
static uint32_t unbanned_at(
		const struct ab_judge *j, const struct ab_prefix *source)
{
	struct ab_key key = ab_key_source(source);
	struct ab_view v;

	return ab_table_get(j->table, &key, j->set, &j->now, &v) == 1 ? v.unbanned
																  : 0;
}

/*
 * What failed here before anybody had logged in, when it was all this user's: a pair
 * that is new begins with it, or a login at the right moment would give an attacker
 * the source's failures back. Failures since then have a pair of their own, and two
 * users may have one bit in the map.
 */
static uint32_t carried(const struct ab_judge *j, const struct ab_key *pair)
{
	struct ab_prefix p = {pair->addr, pair->plen};
	struct ab_key key = ab_key_source(&p);
	struct ab_view source, ignored;
	uint32_t here, others, strangers;

	if(ab_table_get(j->table, pair, j->set, &j->now, &ignored) == 1
			|| ab_table_get(j->table, &key, j->set, &j->now, &source) != 1
			|| source.state != AB_STATE_NONE || source.paired
			|| (source.distinct[0] | source.distinct[1])
					   != ab_distinct_add(0, pair->user))
		return 0;
	here = (uint32_t)source.own[0] + source.own[1];
	if(here > source.failures)
		here = source.failures;
	/* those of users who had logged in are not in the slow level, the other proxies' are */
	others = (uint32_t)source.others[0] + source.others[1];
	strangers = source.slow > others ? source.slow - others : 0;
	return here < strangers ? here : strangers;
}

static void hit_pair(struct attempt *a)
{
	const struct ab_party *who = &a->f->who;
	struct ab_key key =
			ab_key_pair(&who->source, who->user ? who->user : AB_USER_NOBODY);
	struct ab_judgement *j;

	a->blow.at.void_before = unbanned_at(&a->g->judge, &who->source);
	if(!a->out->good)
		a->blow.weight += carried(&a->g->judge, &key);
	a->blow.slow = a->blow.weight;
	j = hit(a, AB_FOUND_PAIR, &key, 0);
	a->blow.at.void_before = 0;
	a->blow.weight = a->f->weight;
	if(j->ok && (j->state == AB_STATE_BANNED || j->state == AB_STATE_DRY_RUN))
		a->blow.at.pairs_until = a->g->judge.now.mono + j->view.ttl;
}

/* The breaker's part. False: the attempt is not counted at all. */
static bool ask_breaker(const struct ab_guard *g, const struct ab_failure *f,
		struct ab_findings *out)
{
	if(!g->breaker)
		return true;
	if(out->good)
		out->breaker_changed = ab_breaker_failure(g->breaker,
				thing_of(g, &f->who.source), f->who.user,
				(uint32_t)g->judge.set->breaker, g->judge.now.mono);
	out->suspended = ab_breaker_is_open(g->breaker);
	if(!out->suspended)
		return true;
	atomic_fetch_add_explicit(&g->breaker->suspended, 1, memory_order_relaxed);
	return !out->shared;
}

static bool was_banned(const struct ab_judgement *j)
{
	return j->ok && j->news && j->state == AB_STATE_BANNED;
}

/* A stranger was let through to a banned source, and was none of those who wait for
 * their turn with the right password. */
static void note_failed(const struct ab_guard *g, const struct ab_failure *f,
		const struct ab_findings *out)
{
	const struct ab_judgement *source = &out->entry[AB_FOUND_SOURCE];
	bool shared = out->shared || source->view.reason == AB_REASON_USERS
				  || source->view.reason == AB_REASON_STRANGERS;

	if(!out->good && shared && source->ok
			&& (source->state == AB_STATE_BANNED
					|| source->state == AB_STATE_DRY_RUN))
		ab_good_failed(&g->good, &f->who, g->judge.now.mono,
				AB_GUARD_TURNS * (uint32_t)g->judge.set->pace);
}

void ab_guard_failure(const struct ab_guard *g, const struct ab_failure *f,
		struct ab_findings *out)
{
	struct attempt a = {.g = g, .f = f, .out = out};

	memset(out, 0, sizeof(*out));
	look_ahead(&a);
	out->good = is_good(g, &f->who);
	out->shared = out->good || ab_guard_shared(g, &f->who.source);
	if(out->good)
		ab_good_failure(&g->good, &f->who, g->judge.now.mono, good_time(g));
	if(!ask_breaker(g, f, out))
		return;
	a.blow = (struct ab_blow){.weight = f->weight,
			.proof = f->proof,
			.policy = f->policy,
			.at = {.shared = out->shared,
					.good = out->good,
					.suspended = out->suspended}};
	expect_records(&a);
	hit_crowds(&a);
	a.blow.at.listed = is_listed(g, &f->who.source, out->shared);
	a.blow.at.limits =
			ab_policies_settings(g->policies, f->policy, g->judge.set, &a.room);
	if(out->shared)
		hit_pair(&a);
	/* of a shared source the slow level is that of its strangers */
	a.blow.slow = out->good ? 0 : f->weight;
	hit(&a, AB_FOUND_SOURCE, &a.key[AB_FOUND_SOURCE],
			out->good ? 0 : f->who.user);
	note_failed(g, f, out);
	out->banned = was_banned(&out->entry[AB_FOUND_SOURCE])
				  || was_banned(&out->entry[AB_FOUND_PAIR]);
}

/* --- a success --- */

void ab_guard_refund(const struct ab_guard *g, const struct ab_party *who)
{
	const struct ab_judge *j = &g->judge;
	struct ab_key key = ab_key_source(&who->source);
	struct ab_prefix net;

	if(ab_table_state(j->table, &key, j->now.mono) != AB_STATE_NONE)
		ab_judge_refund(j, &key);
	if(ab_table_networks(j->table, j->now.mono)
			&& ab_guard_network(&who->source, &net)) {
		key = ab_key_network(&net);
		ab_judge_refund(j, &key);
	}
	if(ab_table_users(j->table, j->now.mono)) {
		key = ab_key_user(who->user);
		ab_judge_refund(j, &key);
	}
}

bool ab_guard_success(const struct ab_guard *g, const struct ab_party *who)
{
	if(who->user == 0)
		return false;
	if(!ab_good_success(&g->good, who, g->judge.now.mono, good_time(g)))
		ab_guard_refund(g, who);
	return g->breaker
		   && ab_breaker_success(g->breaker, (uint32_t)g->judge.set->breaker,
				   g->judge.now.mono);
}

/* --- news of other proxies --- */

static enum ab_level network_level(
		const struct ab_guard *g, const struct ab_prefix *source)
{
	const struct ab_judge *j = &g->judge;
	struct ab_counts counts = {.kind = AB_KIND_NETWORK};
	struct ab_prefix net;
	struct ab_key key;
	struct ab_view v;

	if(!ab_guard_network(source, &net))
		return AB_LEVEL_NONE;
	key = ab_key_network(&net);
	if(ab_table_get(j->table, &key, j->set, &j->now, &v) != 1)
		return AB_LEVEL_NONE;
	if(v.state == AB_STATE_BANNED || v.state == AB_STATE_DRY_RUN)
		return AB_LEVEL_RESTRICTED;
	counts.things = v.users;
	return ab_policy_level(j->set, &counts);
}

/* Without the mark at its source nobody would look for a banned pair. */
static void note_pair(const struct ab_guard *g, const struct ab_key *key,
		const struct ab_judgement *pair)
{
	struct ab_prefix p = {key->addr, key->plen};
	struct ab_key source = ab_key_source(&p);

	if(key->kind == AB_KIND_PAIR && pair->ok
			&& (pair->state == AB_STATE_BANNED
					|| pair->state == AB_STATE_DRY_RUN))
		ab_judge_note_pairs(
				&g->judge, &source, g->judge.now.mono + pair->view.ttl);
}

void ab_guard_others(const struct ab_guard *g, const struct ab_key *key,
		const struct ab_others *others, struct ab_judgement *out)
{
	const struct ab_judge *j = &g->judge;
	struct ab_prefix source = {key->addr, key->plen};
	struct ab_circumstances at = {
			.suspended = g->breaker && ab_breaker_is_open(g->breaker)};
	struct ab_settings room;
	struct ab_view v;

	if(key->kind == AB_KIND_SOURCE && others->shared)
		ab_good_heard(&g->good, &source, j->now.mono, good_time(g));
	if(key->kind == AB_KIND_SOURCE || key->kind == AB_KIND_PAIR) {
		at.shared = ab_guard_shared(g, &source);
		if(ab_table_get(j->table, key, j->set, &j->now, &v) == 1)
			at.limits =
					ab_policies_settings(g->policies, v.policy, j->set, &room);
	}
	if(key->kind == AB_KIND_PAIR) {
		at.good = ab_good_pair(
				&g->good, &source, key->user, j->now.mono, good_time(g));
		at.void_before = unbanned_at(j, &source);
	}
	if(key->kind == AB_KIND_SOURCE && !at.shared) {
		at.net_level = network_level(g, &source);
		at.listed = is_listed(g, &source, false);
	}
	ab_judge_others(j, key, others, &at, out);
	note_pair(g, key, out);
}

void ab_guard_apply(const struct ab_guard *g, const struct ab_key *key,
		const struct ab_change *change, struct ab_judgement *out)
{
	const struct ab_judge *j = &g->judge;

	ab_judge_apply(j, key, change, out);
	note_pair(g, key, out);
}

void ab_guard_unban(const struct ab_guard *g, const struct ab_key *key,
		uint16_t reason, struct ab_judgement *out)
{
	struct ab_prefix p = {key->addr, key->plen};
	struct ab_judgement ignored;
	struct ab_key net = ab_key_network(&p);

	ab_judge_unban(&g->judge, key, reason, out);
	/* whoever unbans 198.51.100.0/24 means the restriction of it too */
	if(key->kind == AB_KIND_SOURCE)
		ab_judge_unban(&g->judge, &net, reason, out->ok ? &ignored : out);
}
