/*
 * authban: random histories: how they are played to the core and to its model
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "policy_story.h"

#include <stdio.h>
#include <string.h>

/* One story being played. */
struct play
{
	const struct story *s;
	struct stage *stage;
	struct model m;
	char *why;
	bool differs;
	const char *doing;
};

static struct play play; /* large */

#define same(p, a, b, ...)                                                 \
	do {                                                                   \
		long long a_ = (long long)(a), b_ = (long long)(b);                \
                                                                           \
		if(a_ != b_ && !(p)->differs) {                                    \
			int n_ = snprintf((p)->why, 400,                               \
					"%s: %s: core %lld, model %lld: ", (p)->doing, #a, a_, \
					b_);                                                   \
			snprintf((p)->why + n_, 400 - (size_t)n_, __VA_ARGS__);        \
			(p)->differs = true;                                           \
		}                                                                  \
	} while(0)

static const char *kind_name(enum ab_found kind)
{
	static const char *const names[AB_FOUND_COUNT] = {
			"network", "user", "pair", "source"};

	return names[kind];
}

/* A name for messages. */
static const char *name_of(const struct play *p, const struct model_name *n)
{
	static char text[160];
	char at[AB_PREFIX_TEXT];
	unsigned i;

	for(i = 1; i < STORY_USERS && p->s->user[i] != n->user; i++)
		;
	snprintf(text, sizeof(text), "%s %s user %u", kind_name(n->kind),
			ab_prefix_print(&n->at, at), i % STORY_USERS);
	return text;
}

static struct ab_party party_of(const struct play *p, const struct step *t)
{
	struct ab_party who = {p->s->source[t->source], p->s->user[t->user],
			t->flow ? t->flow * 16 + t->source : 0};

	return who;
}

static void same_view(
		struct play *p, const struct model_row *w, const struct ab_view *v)
{
	struct model_counts c = model_counts(&p->m, w);
	const char *name = name_of(p, &w->name);

	same(p, v->state, w->state, "%s", name);
	same(p, v->ttl, c.ttl, "%s", name);
	same(p, v->repeats, c.repeats, "%s", name);
	same(p, v->failures, c.failures, "%s", name);
	if(w->name.kind != AB_FOUND_PAIR)
		same(p, v->users, c.things, "%s", name);
	same(p, v->slow, c.level, "%s", name);
	if(model_is_banned(w))
		same(p, v->reason, w->reason, "%s", name);
}

/* The length of a ban is the core's to choose, within bounds. */
static void same_judgement(struct play *p, const struct model_found *found,
		const struct ab_judgement *j, bool good)
{
	struct ab_guard g = stage_guard(p->stage);
	struct ab_view v;
	struct ab_key key;
	struct model_row *w;

	same(p, j->ok, found->touched, " ");
	if(!j->ok || p->differs)
		return;
	w = model_row(&p->m, &found->row->name);
	key = story_key(&w->name);
	same(p, ab_table_get(g.judge.table, &key, g.judge.set, &g.judge.now, &v), 1,
			"%s", name_of(p, &w->name));
	same(p, j->state, v.state, "%s", name_of(p, &w->name));
	same(p, j->news, found->news,
			"%s, %u failures, slow %u, state %u, model %u",
			name_of(p, &w->name), v.failures, v.slow, j->state, w->state);
	if(found->news) {
		struct model_length l =
				model_length(&p->m, w, good && w->name.kind == AB_FOUND_PAIR);

		if(j->view.ttl >= l.min && j->view.ttl <= l.max)
			w->until = p->m.mono + j->view.ttl;
	}
	same_view(p, w, &v);
	if(j->state != AB_STATE_NONE)
		same_view(p, w, &j->view);
}

static void do_fail(struct play *p, const struct step *t)
{
	struct ab_guard g = stage_guard(p->stage);
	struct ab_failure f = {
			party_of(p, t), t->weight, AB_PROOF_TOKEN, t->policy};
	struct ab_findings out;
	struct model_findings want;
	unsigned i;

	model_failure(&p->m, &f, &want);
	/* the glue asks the allow-list and the mode before it counts */
	if(ab_table_allowed(
			   &p->stage->table, &f.who.source.addr, p->stage->now.mono, NULL))
		return;
	ab_guard_failure(&g, &f, &out);
	same(p, out.good, want.good, " ");
	same(p, out.shared, want.shared, " ");
	same(p, out.breaker_changed, want.breaker_changed, " ");
	same(p, out.suspended, want.suspended, " ");
	for(i = 0; i < AB_FOUND_COUNT; i++) {
		p->doing = kind_name((enum ab_found)i);
		same_judgement(p, &want.entry[i], &out.entry[i], want.good);
	}
	p->doing = "failure";
	same(p, out.banned, want.banned, " ");
}

static void do_succeed(struct play *p, const struct step *t)
{
	struct ab_guard g = stage_guard(p->stage);
	struct ab_party who = party_of(p, t);

	if(who.user == 0)
		return;
	same(p, ab_guard_success(&g, &who), model_success(&p->m, &who),
			"the breaker closes");
}

/* A message without credentials, then one with. */
static void do_ask(struct play *p, const struct step *t)
{
	struct ab_guard g = stage_guard(p->stage);
	struct ab_party who = party_of(p, t);
	const struct ab_addr *addr = &who.source.addr;
	struct ab_guard_answer got = ab_guard_check(&g, addr, &who.source);
	struct model_answer want = model_message(&p->m, addr, &who.source, NULL);
	bool allowed =
			ab_table_allowed(&p->stage->table, addr, p->stage->now.mono, NULL);

	p->doing = "no credentials";
	if(got.verdict == AB_GUARD_SOURCE && allowed)
		got.verdict = AB_GUARD_PASS;
	same(p, got.verdict == AB_GUARD_SOURCE, want.verdict == AB_GUARD_SOURCE,
			" ");
	p->doing = "credentials";
	want = model_message(&p->m, addr, &who.source, &who);
	if(got.verdict == AB_GUARD_LOOK && !allowed)
		got = ab_guard_look(&g, &who);
	if(allowed)
		got.verdict = AB_GUARD_PASS;
	same(p, got.verdict, want.verdict, "user %u at source %u", t->user,
			t->source);
	/* the glue drops nothing unless the mode is ban, whatever the ban */
	if(got.verdict != AB_GUARD_PASS)
		same(p, got.dry || p->m.set.mode != AB_MODE_BAN, want.dry, " ");
}

/* Any entry that a step may mean; false: there is none such. */
static bool target(
		struct play *p, const struct step *t, struct model_name *name)
{
	const struct ab_prefix *at = &p->s->source[t->source];

	*name = model_source(at);
	switch(t->kind % 8) {
		case 0:
			return model_network(at, name);
		case 1:
			*name = model_user(p->s->user[t->user]);
			return t->user != 0;
		case 2:
		case 3:
			*name = model_pair(at, p->s->user[t->user]);
			return true;
		default:
			return true;
	}
}

/* By hand: a source, or the whole of its network. */
static struct model_name hand_target(struct play *p, const struct step *t)
{
	struct model_name name;

	if(t->kind < 4 && model_network(&p->s->source[t->source], &name)) {
		name.kind = AB_FOUND_SOURCE;
		return name;
	}
	return model_source(&p->s->source[t->source]);
}

static void do_ban(struct play *p, const struct step *t)
{
	struct ab_guard g = stage_guard(p->stage);
	struct model_name name = hand_target(p, t);
	struct ab_key key = story_key(&name);
	struct ab_judgement out;
	uint32_t seconds = 1 + t->number[0] % 400;
	enum ab_reason why = t->kind % 2 ? AB_REASON_OPERATOR : AB_REASON_SCRIPT;

	ab_judge_ban(&g.judge, &key, seconds, (uint16_t)why, &out);
	model_ban(&p->m, &name, seconds, why);
	same(p, out.ok, true, " ");
	same_view(p, model_row(&p->m, &name), &out.view);
}

static void pass_time(struct play *p, uint32_t seconds)
{
	uint32_t doubt = seconds;

	do {
		stage_pass(p->stage, doubt);
		model_time(&p->m, p->stage->now.mono,
				(uint32_t)(p->stage->now.cluster_ms / 1000));
		doubt = model_doubt(&p->m);
	} while(doubt > 0);
}

/* Another proxy has banned it. Not for a pair that is void since its source's unban and
 * has not been looked at since: its old counts would show. */
static void do_hear(struct play *p, const struct step *t)
{
	static const enum ab_reason whys[AB_FOUND_COUNT][3] = {
			[AB_FOUND_SOURCE] = {AB_REASON_USERS, AB_REASON_STRANGERS,
					AB_REASON_THRESHOLD},
			[AB_FOUND_PAIR] = {AB_REASON_PAIR, AB_REASON_PAIR, AB_REASON_SLOW},
			[AB_FOUND_NETWORK] = {AB_REASON_CAMPAIGN, AB_REASON_CAMPAIGN,
					AB_REASON_CAMPAIGN},
			[AB_FOUND_USER] = {AB_REASON_USER_ATTACK, AB_REASON_USER_ATTACK,
					AB_REASON_USER_ATTACK}};
	struct model_name name;
	struct model_heard h;
	struct ab_change c = {.state = AB_STATE_BANNED, .proof = AB_PROOF_TOKEN};
	struct ab_judgement out;
	struct ab_guard g;
	struct ab_key key;
	struct model_row *w;

	if(!target(p, t, &name))
		return;
	w = model_row(&p->m, &name);
	if(w && w->voided)
		return;
	pass_time(p, 1);
	g = stage_guard(p->stage);
	h.reason = whys[name.kind][t->number[1] % 3];
	/* proxies have the same settings */
	h.seconds = 1 + t->number[0] % (uint32_t)p->m.set.ban_time_max;
	h.failures = t->number[2] % 12;
	h.map = UINT32_C(1) << t->number[3] % 32;
	h.bans = 1 + t->weight;
	c.reason = (uint16_t)h.reason;
	c.seconds = h.seconds;
	c.failures = h.failures;
	c.distinct = h.map;
	c.repeats = (uint8_t)h.bans;
	c.version = g.judge.now.cluster_ms << 16 | 2;
	key = story_key(&name);
	ab_guard_apply(&g, &key, &c, &out);
	model_hear(&p->m, &name, &h);
	same(p, out.ok, true, " ");
	same_view(p, model_row(&p->m, &name), &out.view);
}

/* Seconds tell what was before an unban and what after it. */
static void do_unban(struct play *p, const struct step *t)
{
	struct model_name name = hand_target(p, t), net = name;
	struct ab_key key = story_key(&name);
	struct ab_judgement out;
	struct ab_guard g;
	bool known;

	pass_time(p, 1);
	g = stage_guard(p->stage);
	ab_guard_unban(&g, &key, AB_REASON_OPERATOR, &out);
	known = model_unban(&p->m, &name);
	/* whoever unbans a network means its restriction too */
	net.kind = AB_FOUND_NETWORK;
	known |= model_unban(&p->m, &net);
	same(p, out.ok, known, " ");
	pass_time(p, 1);
}

static void do_allow(struct play *p, const struct step *t)
{
	struct ab_guard g = stage_guard(p->stage);
	struct model_name name = hand_target(p, t);
	struct ab_key key = ab_key_allow(&name.at);
	struct ab_judgement out;

	if(p->m.n_allowed >= 2)
		return;
	ab_judge_allow(&g.judge, &key, AB_REASON_OPERATOR, 0, &out);
	model_allow(&p->m, &name.at);
	same(p, out.ok, true, " ");
}

/* Small steps, a window, the end of a state or just before it, days. */
static uint32_t time_of(const struct play *p, const struct step *t)
{
	uint32_t some = t->number[0], ttl;

	if(t->kind < 6)
		return some % 5;
	if(t->kind < 9)
		return some % (uint32_t)p->m.set.window;
	if(t->kind < 10)
		return (uint32_t)p->m.set.window;
	if(t->kind < 11)
		return (uint32_t)p->m.set.pace - some % 2;
	if(t->kind < 12)
		return some % (uint32_t)p->m.set.long_window;
	if(t->kind < 13)
		return some % 300000;
	if(p->m.rows == 0)
		return 1;
	ttl = model_counts(&p->m, &p->m.row[some % p->m.rows]).ttl;
	return ttl + t->number[1] % 2 - (ttl > 0 && t->number[1] % 3 == 0);
}

static void do_others(struct play *p, const struct step *t)
{
	struct ab_guard g = stage_guard(p->stage);
	uint32_t window = model_window(&p->m) - (t->number[2] % 8 == 0);
	uint32_t map[2] = {
			UINT32_C(1) << t->number[0] % 32, UINT32_C(1) << t->number[1] % 32};
	struct ab_others o = {.wstart = window * (uint32_t)p->m.set.window,
			.count = {1 + t->number[0] % 6, t->number[1] % 4}};
	struct model_name name;
	struct model_row *w;
	struct model_found want;
	struct ab_judgement out;
	struct ab_key key;
	struct ab_view v;
	bool late = t->number[3] % 6 == 0;

	if(!target(p, t, &name))
		return;
	key = story_key(&name);
	memcpy(o.distinct, map, sizeof(map));
	if(ab_table_get(&p->stage->table, &key, &p->stage->set, &p->stage->now, &v)
			== 1)
		o.epoch = v.epoch;
	late = late && o.epoch > 0;
	o.epoch -= late;
	w = model_row(&p->m, &name);
	/* the entry knows nothing of its source's unban yet, but what is told with its
	 * epoch is from before */
	late |= w && w->voided;
	want = model_others(&p->m, &name, window, o.count, map, late);
	ab_guard_others(&g, &key, &o, &out);
	if(w)
		w->voided = false; /* now the core has looked at the source */
	same_judgement(p, &want, &out,
			w && name.kind == AB_FOUND_PAIR && model_good(&p->m, &name));
}

static void do_tick(struct play *p)
{
	same(p,
			ab_breaker_tick(
					&p->stage->breaker, (uint32_t)p->m.set.breaker, p->m.mono),
			model_tick(&p->m), "the breaker closes");
}

static void do_step(struct play *p, const struct step *t)
{
	unsigned i;

	switch(t->deed) {
		case DEED_FAIL:
			for(i = 0; i < t->times && !p->differs; i++)
				do_fail(p, t);
			break;
		case DEED_SUCCEED:
			do_succeed(p, t);
			break;
		case DEED_BAN:
			if(t->kind < 8)
				do_ban(p, t);
			else
				do_hear(p, t);
			break;
		case DEED_UNBAN:
			do_unban(p, t);
			break;
		case DEED_ALLOW:
			do_allow(p, t);
			break;
		case DEED_PASS:
			pass_time(p, time_of(p, t));
			break;
		case DEED_OTHERS:
			do_others(p, t);
			break;
		case DEED_TICK:
			do_tick(p);
			break;
		default:
			break;
	}
	if(!p->differs)
		do_ask(p, t);
}

/* Everything that is kept. */
static void same_rows(struct play *p)
{
	unsigned i;

	p->doing = "what is kept";
	for(i = 0; i < p->m.rows && !p->differs; i++) {
		const struct model_row *w = &p->m.row[i];
		struct ab_key key = story_key(&w->name);
		struct ab_view v;

		if(w->voided)
			continue;
		same(p,
				ab_table_get(&p->stage->table, &key, &p->stage->set,
						&p->stage->now, &v),
				1, "%s", name_of(p, &w->name));
		if(!p->differs)
			same_view(p, w, &v);
	}
	same(p, ab_breaker_is_open(&p->stage->breaker), p->m.breaker.open, " ");
}

/*
 * A source that was unbanned and is banned again has forgotten the unban, and with it
 * that older bans of its pairs are void. RPC unbans them one by one, so only a proxy
 * that heard of the unban has some left; what it does then is left open.
 */
static bool left_open(struct play *p)
{
	unsigned i;

	for(i = 0; i < p->m.rows; i++) {
		struct model_name name = model_source(&p->m.row[i].name.at);

		if(p->m.row[i].voided && p->m.row[i].name.kind == AB_FOUND_PAIR
				&& model_is_banned(model_row(&p->m, &name)))
			return true;
	}
	return false;
}

int story_play(const struct story *s, struct stage *stage, char why[static 400])
{
	struct play *p = &play;
	unsigned i;

	p->s = s;
	p->stage = stage;
	p->why = why;
	p->differs = false;
	stage_begin(stage, s);
	model_begin(&p->m, &s->set, &s->policies, stage_guard(stage).hash_key);
	pass_time(p, 0);
	for(i = 0; i < s->steps; i++) {
		if(s->left_out[i])
			continue;
		p->doing = "step";
		do_step(p, &s->step[i]);
		if(left_open(p))
			break;
		if(!p->differs && (i % 8 == 0 || i + 1 == s->steps))
			same_rows(p);
		if(p->differs)
			return (int)i;
	}
	return -1;
}
