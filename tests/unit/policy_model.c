/*
 * authban: docs/policy.md once more, slow and plain: what is kept
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "policy_model.h"

#include "ab_distinct.h"
#include "ab_siphash.h"
#include "unit.h"

#include <string.h>

/* --- names --- */

bool model_same_prefix(const struct ab_prefix *a, const struct ab_prefix *b)
{
	return a->len == b->len && ab_addr_equal(&a->addr, &b->addr);
}

static bool same_name(const struct model_name *a, const struct model_name *b)
{
	return a->kind == b->kind && a->user == b->user
		   && model_same_prefix(&a->at, &b->at);
}

struct model_name model_source(const struct ab_prefix *source)
{
	struct model_name n = {AB_FOUND_SOURCE, *source, 0};

	return n;
}

struct model_name model_pair(const struct ab_prefix *source, uint64_t user)
{
	struct model_name n = {
			AB_FOUND_PAIR, *source, user ? user : AB_USER_NOBODY};

	return n;
}

struct model_name model_user(uint64_t user)
{
	struct model_name n = {.kind = AB_FOUND_USER, .user = user};

	return n;
}

bool model_network(const struct ab_prefix *source, struct model_name *out)
{
	unsigned bits = ab_addr_is_v4(&source->addr) ? AB_V4_BITS + 24 : 48;

	out->kind = AB_FOUND_NETWORK;
	out->at = ab_prefix_make(&source->addr, bits);
	out->user = 0;
	return source->len > bits;
}

struct model_row *model_row(struct model *m, const struct model_name *name)
{
	unsigned i;

	for(i = 0; i < m->rows; i++)
		if(same_name(&m->row[i].name, name))
			return &m->row[i];
	return NULL;
}

struct model_row *model_row_made(struct model *m, const struct model_name *name)
{
	struct model_row *w = model_row(m, name);

	if(w)
		return w;
	assert_true(m->rows < MODEL_ROWS);
	w = &m->row[m->rows++];
	memset(w, 0, sizeof(*w));
	w->name = *name;
	w->ended = m->mono;
	return w;
}

bool model_is_banned(const struct model_row *w)
{
	return w && (w->state == AB_STATE_BANNED || w->state == AB_STATE_DRY_RUN);
}

/* --- time --- */

void model_begin(struct model *m, const struct ab_settings *set,
		const struct ab_policies *policies, const uint8_t hash_key[static 16])
{
	m->set = *set;
	m->policies = policies;
	memcpy(m->hash_key, hash_key, sizeof(m->hash_key));
	m->rows = m->facts = m->n_allowed = 0;
	m->breaker.open = false;
	m->breaker.n = 0;
}

/* A ban's counts go with it; the slow level stays. */
static void end_of_state(struct model_row *w)
{
	if(model_is_banned(w)) {
		w->events = w->shares = 0;
		w->ended = w->until;
	}
	w->state = AB_STATE_NONE;
	w->by_hand = false;
	w->reason = AB_REASON_NONE;
}

void model_time(struct model *m, uint32_t mono, uint32_t cluster_s)
{
	unsigned i;

	m->mono = mono;
	m->cluster_s = cluster_s;
	for(i = 0; i < m->rows; i++)
		if(m->row[i].state != AB_STATE_NONE && m->row[i].until <= mono)
			end_of_state(&m->row[i]);
}

uint32_t model_window(const struct model *m)
{
	return m->cluster_s / (uint32_t)m->set.window;
}

/* --- counts --- */

/* The nearest integer of what is left of the window before. */
static uint32_t sliding(const struct model *m, uint32_t cur, uint32_t prev)
{
	uint32_t length = (uint32_t)m->set.window;
	uint32_t left = length - m->cluster_s % length;

	return cur + (2 * prev * left + length) / (2 * length);
}

static uint32_t level_of(const struct model *m, const struct model_row *w)
{
	uint64_t leaked = (uint64_t)(m->mono - w->level_at)
					  * (uint64_t)m->set.long_threshold
					  / (uint64_t)m->set.long_window;

	return leaked < w->level ? w->level - (uint32_t)leaked : 0;
}

struct model_counts model_counts(
		const struct model *m, const struct model_row *w)
{
	uint32_t at = model_is_banned(w) ? w->window : model_window(m);
	uint32_t cur = 0, prev = 0, map = 0, i;
	struct model_counts c;

	for(i = 0; i < w->events; i++) {
		const struct model_event *e = &w->event[i];

		/* what came in during a ban belongs to the ban's window */
		if(e->window >= at)
			cur += e->weight;
		else if(e->window + 1 == at)
			prev += e->weight;
		if(e->window + 1 >= at)
			map |= e->map;
	}
	for(i = 0; i < w->shares; i++) {
		const struct model_share *s = &w->share[i];

		if(s->window >= at)
			cur += s->count;
		else if(s->window + 1 == at)
			prev += s->count;
		if(s->window + 1 >= at)
			map |= s->map;
	}
	/* a live ban shows everything that it was made for */
	c.failures = model_is_banned(w) ? cur + prev : sliding(m, cur, prev);
	c.things = ab_distinct_count(map);
	c.level = level_of(m, w);
	c.repeats =
			model_is_banned(w) || m->mono - w->ended <= (uint32_t)m->set.memory
					? w->bans
					: 0;
	c.ttl = w->state != AB_STATE_NONE ? w->until - m->mono : 0;
	return c;
}

void model_add_level(
		const struct model *m, struct model_row *w, uint32_t weight)
{
	uint32_t level = level_of(m, w) + weight;

	w->level = level < 255 ? level : 255;
	w->level_at = m->mono;
}

void model_count(const struct model *m, struct model_row *w, uint32_t weight,
		uint32_t slow, uint32_t map)
{
	struct model_event *e = &w->event[w->events++];

	assert_true(w->events <= MODEL_EVENTS);
	e->window = model_window(m);
	e->weight = weight;
	e->map = map;
	/* during a ban the steps in which it leaks do not begin anew */
	if(model_is_banned(w))
		w->level = w->level + slow < 255 ? w->level + slow : 255;
	else
		model_add_level(m, w, slow);
}

uint64_t model_source_hash(const struct model *m, const struct ab_prefix *s)
{
	uint8_t name[17];
	uint64_t h;

	memcpy(name, s->addr.b, 16);
	name[16] = s->len;
	h = ab_siphash13(m->hash_key, name, sizeof(name));
	return h ? h : 1;
}

/* --- facts --- */

static struct ab_party fact_name(const struct ab_party *who, int what)
{
	struct ab_party p = *who;

	if(what == MODEL_FACT_SOURCE || what == MODEL_FACT_FAILED)
		p.user = 0;
	if(what == MODEL_FACT_SOURCE || what == MODEL_FACT_PAIR)
		p.flow = 0;
	return p;
}

static struct model_fact *fact(
		struct model *m, const struct ab_party *who, int what)
{
	struct ab_party name = fact_name(who, what);
	unsigned i;

	for(i = 0; i < m->facts; i++) {
		struct model_fact *f = &m->fact[i];

		if((int)f->what == what
				&& model_same_prefix(&f->who.source, &name.source)
				&& f->who.user == name.user && f->who.flow == name.flow)
			return f;
	}
	return NULL;
}

/* How long a fact holds. */
static uint32_t holds(const struct model *m, int what)
{
	return what == MODEL_FACT_FAILED ? 10 * (uint32_t)m->set.pace
									 : (uint32_t)m->set.good_time;
}

bool model_knows(struct model *m, const struct ab_party *who, int what)
{
	const struct model_fact *f = fact(m, who, what);

	return f && m->mono - f->at < holds(m, what);
}

void model_learn(struct model *m, const struct ab_party *who, int what)
{
	struct model_fact *f = fact(m, who, what);

	if(!f) {
		assert_true(m->facts < MODEL_FACTS);
		f = &m->fact[m->facts++];
		f->what = what;
		f->who = fact_name(who, what);
	}
	f->at = m->mono;
}

bool model_good(struct model *m, const struct model_name *pair)
{
	struct ab_party who = {pair->at, pair->user, 0};

	return model_knows(m, &who, MODEL_FACT_PAIR);
}

/* A fact's time is renewed only when 1/64 of it has passed (ab_recent.c): whether one
 * that is nearly as old still holds is not told by the text. 0: no such fact. */
uint32_t model_doubt(const struct model *m)
{
	uint32_t i;

	for(i = 0; i < m->facts; i++) {
		uint32_t age = m->mono - m->fact[i].at;
		uint32_t t = holds(m, m->fact[i].what);

		if(age < t && age + t / 64 + 1 >= t)
			return t - age;
	}
	return 0;
}

void model_forget_flow(struct model *m, const struct ab_party *who)
{
	struct model_fact *f = fact(m, who, MODEL_FACT_FLOW);

	if(f)
		*f = m->fact[--m->facts];
}

/* --- breaker --- */

struct told
{
	uint32_t customers, failures,
			successes; /* the fewer of sources and users */
};

/* round(-64 ln(empty / 64)): 1/64 + 1/63 ... is that integral to within 0.5 but for
 * the last few, which a limit of at most 200 does not need apart */
static uint32_t linear_count(uint64_t map)
{
	double n = 0, x;
	int bits = __builtin_popcountll(map);

	if(bits == 64)
		bits = 63;
	/* the integral of 64 / x from what is empty up to 64 */
	for(x = 64 - bits; x < 64; x += 1. / 1024)
		n += 64. / 1024 / (x + .5 / 1024);
	return (uint32_t)(n + .5);
}

/* Everything of this bucket of 30 s and of the one before. */
static struct told told_lately(const struct model *m)
{
	uint64_t sources = 0, users = 0;
	struct told t = {0};
	unsigned i;

	for(i = 0; i < m->breaker.n; i++) {
		if(m->breaker.told[i].at / 30 + 1 < m->mono / 30)
			continue;
		if(m->breaker.told[i].source == 0) {
			t.successes++;
			continue;
		}
		t.failures++;
		sources |= UINT64_C(1) << (m->breaker.told[i].source & 63);
		users |= UINT64_C(1) << (m->breaker.told[i].user & 63);
	}
	t.customers = linear_count(
			__builtin_popcountll(sources) < __builtin_popcountll(users)
					? sources
					: users);
	return t;
}

/* Returns whether it opened or closed. */
static bool breaker_turns(struct model *m, bool failure)
{
	uint32_t limit = (uint32_t)m->set.breaker;
	struct told t = told_lately(m);
	bool before = m->breaker.open;

	if(!m->breaker.open)
		m->breaker.open = failure && limit > 0 && t.customers >= limit
						  && t.failures >= t.successes;
	else
		m->breaker.open = limit > 0 && 2 * t.customers >= limit
						  && t.successes <= 2 * t.failures;
	return m->breaker.open != before;
}

bool model_tell_breaker(struct model *m, uint64_t source, uint64_t user)
{
	assert_true(m->breaker.n < COUNT_OF(m->breaker.told));
	m->breaker.told[m->breaker.n].at = m->mono;
	m->breaker.told[m->breaker.n].user = user;
	m->breaker.told[m->breaker.n++].source = source;
	return breaker_turns(m, source != 0);
}

bool model_tick(struct model *m)
{
	return breaker_turns(m, false);
}
