/*
 * authban: what really happened, and what the proxies should make of it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "truth.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool wrong(struct truth *t, const char *format, ...)
{
	va_list args;

	if(t->wrong[0])
		return false;
	va_start(args, format);
	vsnprintf(t->wrong, sizeof(t->wrong), format, args);
	va_end(args);
	return false;
}

void truth_begin(struct truth *t, const struct ab_settings *set, unsigned cores)
{
	memset(t, 0, sizeof(*t));
	t->set = set;
	t->cores = cores;
	t->blur = TOLERANCE;
}

void truth_boot(struct truth *t, unsigned core)
{
	t->boot[core]++;
	memset(t->known[core], 0, sizeof(t->known[core]));
}

unsigned truth_source(const struct ab_key *key)
{
	return key->addr.b[13];
}

/* 0: the source itself. */
static unsigned party_of(const struct ab_key *key)
{
	return key->kind == AB_KIND_PAIR ? 1 + (unsigned)(key->user % USERS) : 0;
}

static bool same_entry(const struct ab_key *a, const struct ab_key *b)
{
	return a->kind == b->kind && a->user == b->user
		   && truth_source(a) == truth_source(b);
}

void truth_failure(struct truth *t, const struct true_failure *f)
{
	if(t->failures < FAILURES_MAX)
		t->failure[t->failures++] = *f;
	else
		wrong(t, "too many failures for the checker");
}

void truth_keep(struct truth *t, unsigned core)
{
	unsigned i;

	for(i = 0; i < t->failures; i++)
		if(t->failure[i].core == core && t->failure[i].boot == t->boot[core])
			t->failure[i].kept = true;
}

void truth_lose(struct truth *t)
{
	unsigned i;

	for(i = 0; i < t->failures; i++)
		t->failure[i].kept = false;
}

/* Failures of an entry since a moment. */
static unsigned count_since(
		const struct truth *t, const struct ab_key *key, int64_t since)
{
	unsigned i, n = 0;

	for(i = 0; i < t->failures; i++) {
		const struct true_failure *f = &t->failure[i];

		n += f->at >= since && f->source == truth_source(key)
			 && (key->kind == AB_KIND_SOURCE || f->who == key->user);
	}
	return n;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Whether there was reason for a ban that a proxy has just made. */
static bool is_due(struct truth *t, unsigned core, int64_t now,
		const struct ab_view *v, int64_t known_since)
{
	int64_t windows = 2 * SECONDS * t->set->window;
	int64_t void_before = known_since - t->blur;
	unsigned need = (unsigned)t->set->threshold, n;
	int64_t since = later(void_before, now - windows - t->blur);

	switch(v->reason) {
		case AB_REASON_PAIR:
			if(v->repeats > 1)
				need = 1;
			break;
		case AB_REASON_THRESHOLD:
			break;
		case AB_REASON_SLOW:
		case AB_REASON_STRANGERS:
			/* an end of a ban leaves the slow level as it is */
			need = (unsigned)t->set->long_threshold;
			since = 0;
			break;
		default:
			return wrong(t, "proxy %u banned source %u for reason %u", core,
					truth_source(&v->key), v->reason);
	}
	n = count_since(t, &v->key, since);
	return n >= need
		   || wrong(t,
				   "proxy %u banned source %u kind %u for reason %u: %u true"
				   " failures, %u needed (it counted %u)",
				   core, truth_source(&v->key), v->key.kind, v->reason, n, need,
				   v->failures);
}

static struct true_state *find_state(
		struct truth *t, const struct ab_key *key, uint64_t version)
{
	unsigned i;

	for(i = 0; i < t->states; i++)
		if(t->state[i].version == version && same_entry(&t->state[i].key, key))
			return &t->state[i];
	return NULL;
}

static struct true_state *new_state(
		struct truth *t, unsigned core, int64_t now, const struct ab_view *v)
{
	struct true_state *s;

	if(t->states == STATES_MAX) {
		wrong(t, "too many states for the checker");
		return NULL;
	}
	s = &t->state[t->states++];
	*s = (struct true_state){.at = now,
			.end = now + v->ttl * SECONDS,
			.version = v->version,
			.key = v->key,
			.core = (uint8_t)core,
			.state = v->state,
			.proof = v->proof,
			.boot = t->boot[core]};
	return s;
}

bool truth_news(
		struct truth *t, unsigned core, int64_t now, const struct ab_view *v)
{
	struct true_state *s;
	unsigned source = truth_source(&v->key), party = party_of(&v->key);

	if((v->key.kind != AB_KIND_SOURCE && v->key.kind != AB_KIND_PAIR)
			|| v->version == 0)
		return true; /* networks and users: not asked for here */
	if(source >= SOURCES)
		return wrong(t, "news of a source that nobody has seen");
	s = find_state(t, &v->key, v->version);
	if(!s) {
		if(v->state == AB_STATE_BANNED && v->proof != AB_PROOF_OPERATOR
				&& !is_due(t, core, now, v, t->known[core][source][party].at))
			return false;
		s = new_state(t, core, now, v);
		if(!s)
			return false;
	}
	if(v->version > t->known[core][source][party].version) {
		t->known[core][source][party].version = v->version;
		t->known[core][source][party].at = s->at;
	}
	return true;
}

/* --- the end --- */

/* The latest state of an entry that a proxy made which lives; 0 when that is over. */
static uint64_t must_know(const struct truth *t, const struct ab_key *key,
		uint32_t void_before, int64_t now)
{
	uint64_t version = 0;
	bool live = false;
	unsigned i;

	for(i = 0; i < t->states; i++) {
		const struct true_state *s = &t->state[i];

		if(!same_entry(&s->key, key) || s->version <= version)
			continue;
		/* one of the dead may have been heard of, and be over */
		if(s->boot == t->boot[s->core] || s->end <= now + 2 * t->blur) {
			version = s->version;
			live = s->end > now + 2 * t->blur;
		}
	}
	return live && ab_version_second(version) > void_before ? version : 0;
}

static bool is_live(const struct known_entry *k, const struct truth *t,
		uint32_t void_before)
{
	return k->there && k->view.state != AB_STATE_NONE
		   && k->view.ttl * SECONDS > t->blur
		   && ab_version_second(k->view.version) > void_before;
}

#define ROUNDINGS 3

static bool same_end(struct truth *t, unsigned a, const struct ab_view *x,
		unsigned b, const struct ab_view *y)
{
	/* each restart, and each proxy that says it again, rounds it to seconds */
	uint32_t slack = (uint32_t)(t->blur / SECONDS) + ROUNDINGS;

	return (x->ttl <= y->ttl + slack && y->ttl <= x->ttl + slack)
		   || wrong(t, "source %u: it ends in %u s at proxy %u, in %u s at %u",
				   truth_source(&x->key), x->ttl, a, y->ttl, b);
}

static bool same_state(struct truth *t, unsigned a, const struct ab_view *x,
		unsigned b, const struct known_entry *k)
{
	if(k->there && k->view.version == x->version && k->view.state == x->state)
		return same_end(t, a, x, b, &k->view);
	return wrong(t,
			"source %u kind %u: proxy %u has state %u version %llx for %u s,"
			" proxy %u has state %u version %llx",
			truth_source(&x->key), x->key.kind, a, x->state,
			(unsigned long long)x->version, x->ttl, b,
			k->there ? k->view.state : 0,
			k->there ? (unsigned long long)k->view.version : 0ull);
}

bool truth_agrees(struct truth *t, const struct ab_key *key,
		uint32_t void_before, int64_t now, const struct known_entry *k)
{
	uint64_t must = must_know(t, key, void_before, now), have = 0;
	unsigned i, who = 0;

	for(i = 0; i < t->cores; i++)
		if(is_live(&k[i], t, void_before) && k[i].view.version > have) {
			have = k[i].view.version;
			who = i;
		}
	if(have < must)
		return wrong(t,
				"source %u kind %u: state %llx was made by a proxy that lives,"
				" and the last one known is %llx",
				truth_source(key), key->kind, (unsigned long long)must,
				(unsigned long long)have);
	for(i = 0; have && i < t->cores; i++)
		if(!same_state(t, who, &k[who].view, i, &k[i]))
			return false;
	return true;
}

uint32_t truth_unbanned(const struct truth *t, unsigned source)
{
	uint32_t last = 0;
	unsigned i;

	for(i = 0; i < t->states; i++) {
		const struct true_state *s = &t->state[i];

		if(s->key.kind == AB_KIND_SOURCE && truth_source(&s->key) == source
				&& s->state == AB_STATE_UNBANNED
				&& ab_version_second(s->version) > last)
			last = ab_version_second(s->version);
	}
	return last;
}

/* When a window began that a proxy speaks of. */
static int64_t moment_of(const struct truth *t, uint32_t cluster_second)
{
	return ((int64_t)cluster_second - t->begin_s) * SECONDS;
}

/* Whether its proxy does not say any more that it counted this: it has died, or has
 * heard of a later state, which begins anew. */
static bool is_void(const struct truth *t, const struct true_failure *f)
{
	if(f->boot != t->boot[f->core])
		return !f->kept;
	return t->known[f->core][f->source][0].version != 0
		   && t->known[f->core][f->source][0].at >= f->at;
}

/* The most and the least that a proxy may have counted in its two windows; *now_least
 * is that of the present one. */
static void bounds(struct truth *t, const struct ab_view *v, unsigned *most,
		unsigned *least, unsigned *now_least)
{
	const struct true_state *s = find_state(t, &v->key, v->version);
	int64_t window = t->set->window * SECONDS,
			present = moment_of(t, v->wstart);
	int64_t since = s ? s->at - t->blur : INT64_MIN;
	unsigned i;

	*most = *least = *now_least = 0;
	for(i = 0; i < t->failures; i++) {
		const struct true_failure *f = &t->failure[i];
		int64_t late = t->blur + (f->alone ? window : 0);

		if(f->source != truth_source(&v->key))
			continue;
		*most += f->at >= since && f->at >= present - window - late;
		if(f->epoch != v->epoch || f->alone || is_void(t, f))
			continue;
		*least += f->at >= present - window + t->blur;
		*now_least += f->at >= present + t->blur;
	}
}

bool truth_counts(struct truth *t, unsigned core, const struct ab_view *v)
{
	unsigned most, least, now_least, sum;

	sum = (unsigned)v->own[0] + v->own[1] + v->others[0] + v->others[1];
	if(v->state == AB_STATE_BANNED || v->state == AB_STATE_DRY_RUN)
		return true; /* they stand still, and others' word is added */
	bounds(t, v, &most, &least, &now_least);
	if(sum > most)
		return wrong(t, "source %u: proxy %u counts %u+%u and %u+%u of %u",
				truth_source(&v->key), core, v->own[0], v->own[1], v->others[0],
				v->others[1], most);
	/* who counted nothing himself does not ask */
	if(v->own[0] + v->own[1] == 0)
		return true;
	if(sum < least)
		return wrong(t,
				"source %u: proxy %u counts %u+%u and %u+%u, %u are sure",
				truth_source(&v->key), core, v->own[0], v->own[1], v->others[0],
				v->others[1], least);
	return now_least < (unsigned)t->set->threshold
		   || wrong(t, "source %u: not banned at proxy %u after %u failures",
				   truth_source(&v->key), core, now_least);
}
