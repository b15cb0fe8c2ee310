/*
 * authban: count, decide and ban in one step
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_judge.h"

/* How long the end of an allow entry is remembered: longer than any proxy is cut
 * off and comes back with the old entry. */
#define DISALLOW_SECONDS (30u * 86400u)

/* What runs under the lock, and what it reports. */
struct task
{
	const struct ab_judge *j;
	struct ab_judgement *out;
	const struct ab_blow *blow;
	const struct ab_circumstances *at;
	const struct ab_others *others;
	const struct ab_change *change;
	struct ab_entry copy; /* of the entry afterwards */
	struct ab_slot after;
	bool told; /* these two are filled in */
};

struct ab_key ab_key_source(const struct ab_prefix *p)
{
	struct ab_key key = {p->addr, 0, AB_KIND_SOURCE, p->len};

	return key;
}

struct ab_key ab_key_allow(const struct ab_prefix *p)
{
	struct ab_key key = {p->addr, 0, AB_KIND_ALLOW, p->len};

	return key;
}

uint32_t ab_unban_seconds(const struct ab_settings *set)
{
	uint32_t windows = 2 * (uint32_t)set->window;

	return windows > (uint32_t)set->grace ? windows : (uint32_t)set->grace;
}

static bool is_ban(uint8_t state)
{
	return state == AB_STATE_BANNED || state == AB_STATE_DRY_RUN;
}

/* Keeps a copy; what is told of it is worked out when the lock is gone. */
static void report(struct task *t, struct ab_slot *s)
{
	t->out->ok = true;
	t->out->state = s->state;
	ab_entry_copy(&t->copy, s->e);
	t->after = *s;
	t->told = true;
}

/* The same of a failure: most of them change nothing that anybody asks for. */
static void report_news(struct task *t, struct ab_slot *s)
{
	t->out->ok = true;
	if(t->out->news || t->out->crossed || s->state != AB_STATE_NONE)
		report(t, s);
}

/* What every change made on this proxy says of itself. */
static struct ab_change own_change(
		const struct ab_judge *j, enum ab_state state, enum ab_proof proof)
{
	struct ab_change c = {.state = (uint8_t)state,
			.proof = (uint8_t)proof,
			.origin = j->origin,
			.node = j->node,
			.local = true};

	return c;
}

static enum ab_level level_of(const struct task *t, const struct ab_slot *s)
{
	struct ab_counts counts = {.kind = ab_entry_kind(s->e)};

	if(is_ban(s->state))
		return AB_LEVEL_RESTRICTED;
	counts.things = ab_entry_things(s->e);
	return ab_policy_level(t->j->set, &counts);
}

static bool is_crowd(const struct ab_slot *s)
{
	enum ab_kind kind = ab_entry_kind(s->e);

	return kind == AB_KIND_NETWORK || kind == AB_KIND_USER;
}

/* Asks the policy; a source that is banned already is not judged again. */
static void decide(struct task *t, struct ab_slot *s, enum ab_proof proof)
{
	const struct ab_circumstances *at = t->at;
	struct ab_counts counts;
	struct ab_decision d;
	struct ab_change c;

	if(at->suspended || s->state == AB_STATE_BANNED
			|| (s->state == AB_STATE_DRY_RUN
					&& t->j->set->mode == AB_MODE_DRY_RUN))
		return;
	ab_entry_counts(s, t->j->set, &t->j->now, &counts);
	counts.shared = at->shared;
	counts.good = at->good;
	/* in grace after an unban a source answers for itself alone */
	counts.net_level =
			s->state == AB_STATE_UNBANNED ? AB_LEVEL_NONE : at->net_level;
	counts.user_level = at->user_level;
	counts.listed = at->listed && s->state != AB_STATE_UNBANNED;
	d = ab_policy_decide(at->limits ? at->limits : t->j->set, &counts);
	if(d.verdict == AB_VERDICT_PASS)
		return;
	c = own_change(t->j,
			d.verdict == AB_VERDICT_BAN ? AB_STATE_BANNED : AB_STATE_DRY_RUN,
			proof);
	c.reason = (uint16_t)d.reason;
	c.seconds = d.seconds;
	c.repeats = (uint8_t)(counts.repeats + 1);
	t->out->news = ab_entry_change(s, t->j->set, &t->j->now, &c);
}

/* What was added is in; what does it mean? `before`: the level without it. */
static void conclude(struct task *t, struct ab_slot *s, enum ab_level before)
{
	bool open = true;

	if(is_crowd(s)) {
		t->out->level = (uint8_t)level_of(t, s);
		t->out->crossed =
				before == AB_LEVEL_NONE && t->out->level != AB_LEVEL_NONE;
		/* below that the policy does nothing to it */
		open = t->out->level == AB_LEVEL_RESTRICTED;
	}
	/* an operator's word is not the policy's, which spares the known-good */
	if(open)
		decide(t, s,
				s->e->proof == AB_PROOF_OPERATOR ? AB_PROOF_SCRIPT
												 : (enum ab_proof)s->e->proof);
	report_news(t, s);
}

/* A source remembers until when it has banned pairs. */
static void note_pairs(struct ab_slot *s, uint32_t until)
{
	if(until == 0)
		return;
	s->pairs = true;
	if(s->state == AB_STATE_NONE && s->until < until)
		s->until = until;
}

static void failure(struct ab_slot *s, void *arg)
{
	struct task *t = arg;
	enum ab_level before;

	if(t->at->void_before)
		ab_entry_void(s, t->j->set, &t->j->now, t->at->void_before);
	ab_entry_refresh(s, t->j->set, &t->j->now);
	before = is_crowd(s) ? level_of(t, s) : AB_LEVEL_NONE;
	if(s->e->own[0] == 0 && s->e->own[1] == 0)
		s->e->paired = 0;
	ab_entry_count(s, t->j->set, &t->j->now, t->blow->thing, t->blow->weight,
			t->blow->slow);
	if(t->at->shared && !t->at->good)
		s->e->paired = 1;
	s->e->policy = t->blow->policy & 7u;
	/* kept for a ban that the others' shares complete later */
	if(!is_ban(s->state))
		s->e->proof = t->blow->proof & 7u;
	note_pairs(s, t->at->pairs_until);
	conclude(t, s, before);
}

static void merge(struct ab_slot *s, void *arg)
{
	struct task *t = arg;
	enum ab_level before;

	if(t->at->void_before)
		ab_entry_void(s, t->j->set, &t->j->now, t->at->void_before);
	ab_entry_refresh(s, t->j->set, &t->j->now);
	before = is_crowd(s) ? level_of(t, s) : AB_LEVEL_NONE;
	if(ab_entry_merge(s, t->j->set, &t->j->now, t->others)) {
		conclude(t, s, before);
	} else { /* nothing new is no reason to judge again */
		t->out->level = (uint8_t)before;
		report_news(t, s);
	}
}

static void change(struct ab_slot *s, void *arg)
{
	struct task *t = arg;
	uint8_t before;

	ab_entry_refresh(s, t->j->set, &t->j->now);
	before = s->state;
	if(ab_entry_change(s, t->j->set, &t->j->now, t->change)) {
		if(t->change->seconds == 0) /* heard of when it was over already */
			ab_entry_refresh(s, t->j->set, &t->j->now);
		t->out->news = t->change->local || before != s->state;
	}
	report(t, s);
}

/* What a task reports, when it has run. */
static void look_back(struct task *t, int ran)
{
	const struct ab_judge *j = t->j;

	if(ran <= 0 || !t->told)
		return;
	t->after.e = &t->copy;
	ab_entry_view(&t->after, j->set, &j->now, &t->out->view);
}

static void run(const struct ab_key *key, enum ab_find find, ab_slot_f fn,
		struct task *t)
{
	const struct ab_judge *j = t->j;

	*t->out = (struct ab_judgement){0};
	look_back(t, ab_table_update(j->table, key, find, j->set, &j->now, fn, t));
}

void ab_judge_failure(const struct ab_judge *j, const struct ab_key *key,
		const struct ab_blow *blow, struct ab_judgement *out)
{
	struct task t = {.j = j, .out = out, .blow = blow, .at = &blow->at};

	if(!blow->place) {
		run(key, AB_FIND_OR_MAKE, failure, &t);
		return;
	}
	*out = (struct ab_judgement){0};
	look_back(&t, ab_table_update_at(j->table, key, blow->place,
						  AB_FIND_OR_MAKE, j->set, &j->now, failure, &t));
}

void ab_judge_others(const struct ab_judge *j, const struct ab_key *key,
		const struct ab_others *others, const struct ab_circumstances *at,
		struct ab_judgement *out)
{
	struct task t = {.j = j, .out = out, .others = others, .at = at};

	run(key, AB_FIND, merge, &t);
}

struct note
{
	const struct ab_judge *j;
	uint32_t until;
};

static void note(struct ab_slot *s, void *arg)
{
	const struct note *n = arg;

	ab_entry_refresh(s, n->j->set, &n->j->now);
	note_pairs(s, n->until);
}

void ab_judge_note_pairs(
		const struct ab_judge *j, const struct ab_key *source, uint32_t until)
{
	struct note n = {j, until};

	ab_table_update(
			j->table, source, AB_FIND_OR_MAKE, j->set, &j->now, note, &n);
}

struct gate_job
{
	const struct ab_judge *j;
	struct ab_gate gate;
};

static void gate(struct ab_slot *s, void *arg)
{
	struct gate_job *g = arg;

	g->gate.pass = ab_entry_gate(s, g->j->set, &g->j->now);
	g->gate.turn = g->gate.pass && is_ban(s->state);
	g->gate.dry = s->state == AB_STATE_DRY_RUN;
}

struct ab_gate ab_judge_gate(const struct ab_judge *j, const struct ab_key *key)
{
	struct gate_job g = {j, {true, false, false}};

	ab_table_update(j->table, key, AB_FIND, j->set, &j->now, gate, &g);
	return g.gate;
}

static void refund(struct ab_slot *s, void *arg)
{
	const struct ab_judge *j = arg;

	ab_entry_refund(s, j->set, &j->now);
}

void ab_judge_refund(const struct ab_judge *j, const struct ab_key *key)
{
	struct ab_judge copy = *j;

	ab_table_update(j->table, key, AB_FIND, j->set, &j->now, refund, &copy);
}

void ab_judge_ban(const struct ab_judge *j, const struct ab_key *key,
		uint32_t seconds, uint16_t reason, struct ab_judgement *out)
{
	struct ab_change c = own_change(j, AB_STATE_BANNED, AB_PROOF_OPERATOR);
	struct task t = {.j = j, .out = out, .change = &c};

	c.reason = reason;
	c.seconds = seconds;
	c.repeats = 1;
	run(key, AB_FIND_OR_TAKE, change, &t);
}

void ab_judge_allow(const struct ab_judge *j, const struct ab_key *key,
		uint16_t reason, uint16_t generation, struct ab_judgement *out)
{
	struct ab_change c = own_change(j, AB_STATE_BANNED, AB_PROOF_OPERATOR);
	struct task t = {.j = j, .out = out, .change = &c};

	c.reason = reason;
	c.seconds = AB_FOR_EVER;
	c.version = generation;
	c.local = generation == 0;
	run(key, AB_FIND_OR_TAKE, change, &t);
}

void ab_judge_unban(const struct ab_judge *j, const struct ab_key *key,
		uint16_t reason, struct ab_judgement *out)
{
	struct ab_change c = own_change(j, AB_STATE_UNBANNED, AB_PROOF_OPERATOR);
	struct task t = {.j = j, .out = out, .change = &c};

	c.reason = reason;
	c.seconds = key->kind == AB_KIND_ALLOW ? DISALLOW_SECONDS
										   : ab_unban_seconds(j->set);
	run(key, AB_FIND, change, &t);
}

void ab_judge_apply(const struct ab_judge *j, const struct ab_key *key,
		const struct ab_change *c, struct ab_judgement *out)
{
	struct task t = {.j = j, .out = out, .change = c};

	run(key, AB_FIND_OR_TAKE, change, &t);
}
