/*
 * authban: what is kept of an offender, to be shown to others
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_evidence_layout.h"

#include "ab_distinct.h"
#include "ab_siphash.h"

#include <string.h>

#define relaxed memory_order_relaxed

static uint32_t sets_of(uint32_t offenders)
{
	uint32_t n = 1;

	while(n * AB_EVIDENCE_WAYS < offenders)
		n <<= 1;
	return n;
}

size_t ab_evidence_bytes(uint32_t offenders)
{
	size_t sets = sets_of(offenders);

	return sizeof(struct ab_evidence_head)
		   + sets * sizeof(struct ab_evidence_set)
		   + sets * AB_EVIDENCE_WAYS * sizeof(struct ab_evidence_record);
}

void ab_evidence_init(
		void *mem, uint32_t offenders, const uint8_t key[static 16])
{
	struct ab_evidence_head *h = mem;

	memset(mem, 0, ab_evidence_bytes(offenders));
	h->sets = sets_of(offenders);
	memcpy(h->key, key, sizeof(h->key));
}

struct ab_evidence_record *ab_evidence_record_at(
		const struct ab_evidence *e, uint32_t set, unsigned way)
{
	struct ab_evidence_record *all =
			(struct ab_evidence_record *)(void *)&e->head->set[e->head->sets];

	return &all[(size_t)set * AB_EVIDENCE_WAYS + way];
}

/* What the owner of a stolen lock was writing may be half of it. */
static void repair(const struct ab_evidence *e, uint32_t set)
{
	struct ab_evidence_set *s = &e->head->set[set];
	unsigned way = s->writing;

	if(way == 0 || way > AB_EVIDENCE_WAYS)
		return;
	s->writing = 0;
	ab_evidence_free(e, set, way - 1);
}

bool ab_evidence_lock(const struct ab_evidence *e, uint32_t set)
{
	enum ab_lock_result r =
			ab_lock(&e->head->set[set].lock, e->owner, ab_lock_process_alive);

	if(r == AB_LOCK_STOLEN)
		repair(e, set);
	return r != AB_LOCK_TIMEOUT;
}

void ab_evidence_unlock(const struct ab_evidence *e, uint32_t set)
{
	e->head->set[set].writing = 0;
	ab_unlock(&e->head->set[set].lock);
}

void ab_evidence_free(const struct ab_evidence *e, uint32_t set, unsigned way)
{
	e->head->set[set].tag[way] = 0;
	memset(ab_evidence_record_at(e, set, way), 0,
			sizeof(struct ab_evidence_record));
}

bool ab_evidence_is_over(const struct ab_evidence *e,
		const struct ab_evidence_record *r, uint32_t mono)
{
	/* `seen` may be ahead of a worker's coarse clock */
	return (int32_t)(mono - r->seen) >= (int32_t)e->ttl;
}

/* Where a source belongs. */
struct place
{
	uint32_t set, tag;
};

static struct place place_of(
		const struct ab_evidence *e, const struct ab_prefix *source)
{
	uint8_t data[sizeof(source->addr.b) + 1];
	struct place at;
	uint64_t h;

	memcpy(data, source->addr.b, sizeof(source->addr.b));
	data[sizeof(source->addr.b)] = source->len;
	h = ab_siphash13(e->head->key, data, sizeof(data));
	at.set = (uint32_t)h & (e->head->sets - 1);
	at.tag = (uint32_t)(h >> 32) ? (uint32_t)(h >> 32) : 1;
	return at;
}

/* The way of a source in its locked set; AB_EVIDENCE_WAYS: it is not there. */
static unsigned find(const struct ab_evidence *e, const struct place *at,
		const struct ab_prefix *source)
{
	const struct ab_evidence_set *s = &e->head->set[at->set];
	unsigned way;

	for(way = 0; way < AB_EVIDENCE_WAYS; way++) {
		const struct ab_evidence_record *r =
				ab_evidence_record_at(e, at->set, way);

		if(s->tag[way] == at->tag && r->source_len == source->len
				&& ab_addr_equal(&r->source, &source->addr))
			break;
	}
	return way;
}

/* --- room --- */

enum worth
{
	WORTH_NOTHING = 0,
	WORTH_ONE,	/* one failure, or another node's word */
	WORTH_SOME, /* failures */
	WORTH_BANNED_ONCE,
	WORTH_BANNED
};

static enum worth worth_of(const struct ab_evidence *e,
		const struct ab_evidence_record *r, uint32_t mono)
{
	if(ab_evidence_is_over(e, r, mono))
		return WORTH_NOTHING;
	if(r->flags & AB_EVIDENCE_IMPORTED)
		return WORTH_ONE;
	if(r->ban_until != 0 && (int32_t)(r->ban_until - mono) > 0)
		return WORTH_BANNED;
	if(r->bans > 0)
		return WORTH_BANNED_ONCE;
	return r->failures > 1 ? WORTH_SOME : WORTH_ONE;
}

/* A place in a locked set, where what gives way may be worth so much at most;
 * AB_EVIDENCE_WAYS: none. */
static unsigned make_room(const struct ab_evidence *e, uint32_t set,
		enum worth most, uint32_t mono)
{
	const struct ab_evidence_set *s = &e->head->set[set];
	enum worth least = WORTH_BANNED, worth;
	unsigned best = AB_EVIDENCE_WAYS, way;
	uint32_t oldest = 0;

	for(way = 0; way < AB_EVIDENCE_WAYS; way++) {
		const struct ab_evidence_record *r = ab_evidence_record_at(e, set, way);

		if(s->tag[way] == 0)
			return way;
		worth = worth_of(e, r, mono);
		if(best < AB_EVIDENCE_WAYS
				&& (worth > least
						|| (worth == least && mono - r->seen <= oldest)))
			continue;
		least = worth;
		best = way;
		oldest = mono - r->seen;
	}
	if(least > most) {
		atomic_fetch_add_explicit(&e->head->refused, 1, relaxed);
		return AB_EVIDENCE_WAYS;
	}
	if(least != WORTH_NOTHING)
		atomic_fetch_add_explicit(&e->head->evicted, 1, relaxed);
	ab_evidence_free(e, set, best);
	return best;
}

/* --- a failure --- */

static void cut(char *out, size_t size, const struct ab_span *text)
{
	static const char hex[] = "0123456789abcdef";
	size_t used = 0, i;

	memset(out, 0, size);
	for(i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->s[i];
		bool plain = c >= ' ' && c < 0x7f && c != '"' && c != '\\';

		if(used + (plain ? 1 : 4) > size)
			break;
		if(plain) {
			out[used++] = (char)c;
			continue;
		}
		out[used++] = '\\';
		out[used++] = 'x';
		out[used++] = hex[c >> 4];
		out[used++] = hex[c & 15];
	}
}

static void take_sample(
		struct ab_evidence_record *r, const struct ab_evidence_event *ev)
{
	struct ab_evidence_sample *s;
	struct ab_span agent = ev->agent;
	size_t len = ev->message.len < AB_EVIDENCE_SCAN ? ev->message.len
													: AB_EVIDENCE_SCAN;

	if(r->samples < AB_EVIDENCE_SAMPLES)
		s = &r->sample[r->samples++];
	else if(ev->banned)
		s = &r->sample[AB_EVIDENCE_SAMPLES - 1];
	else
		return;
	s->time = ev->wall_ms & UINT64_C(0xffffffffffff);
	s->guess = (uint8_t)ev->guess;
	s->method = (uint8_t)ev->method;
	s->user = ev->user;
	if(ev->user && ev->user_key)
		s->user = ab_siphash13(ev->user_key, &ev->user, sizeof(ev->user));
	cut(s->name, sizeof(s->name), &ev->name);
	if(agent.len == 0 && len > 0
			&& !ab_header_find(ev->message.s, len, "user-agent", &agent))
		agent.len = 0;
	cut(s->agent, sizeof(s->agent), &agent);
}

/* An incident begins: with the first failure, when another node has told of it, and
 * when it has gone on for longer than anything is kept. */
static void begin(const struct ab_evidence *e, struct ab_evidence_record *r,
		const struct ab_evidence_event *ev)
{
	struct
	{
		struct ab_addr source;
		uint64_t first;
	} of = {ev->source.addr, ev->wall_ms};
	uint64_t incident = r->flags & AB_EVIDENCE_IMPORTED ? r->incident : 0;

	memset(r, 0, sizeof(*r));
	r->source = ev->source.addr;
	r->source_len = ev->source.len;
	r->first = ev->wall_ms;
	r->incident =
			incident ? incident : ab_siphash13(e->head->key, &of, sizeof(of));
}

static void add(uint32_t *count, uint32_t weight)
{
	/* RPC shows them as numbers with a sign */
	*count = weight < INT32_MAX - *count ? *count + weight : INT32_MAX;
}

static void count(const struct ab_evidence *e, struct ab_evidence_record *r,
		const struct ab_evidence_event *ev)
{
	if(r->failures == 0 || (r->flags & AB_EVIDENCE_IMPORTED)
			|| ev->wall_ms - r->first >= (uint64_t)e->ttl * 1000)
		begin(e, r, ev);
	r->last = ev->wall_ms > r->first ? ev->wall_ms : r->first;
	r->seen = ev->mono;
	r->address = ev->address;
	r->port = ev->port;
	r->local = ev->local;
	r->local_port = ev->local_port;
	r->transport = (uint8_t)ev->transport;
	r->proof = (uint8_t)ev->proof;
	r->origin = ev->origin;
	r->flags = (uint8_t)(AB_EVIDENCE_CHANGED
						 | (ev->campaign ? AB_EVIDENCE_CAMPAIGN : 0));
	if(ev->user)
		r->users = ab_distinct_add(r->users, ev->user);
	if(r->samples < AB_EVIDENCE_SAMPLES || ev->banned)
		take_sample(r, ev);
	add(&r->failures, ev->weight);
	add(&r->guesses[ev->guess], ev->weight);
	add(&r->methods[ev->method], ev->weight);
}

static bool is_proven(enum ab_proof proof)
{
	return proof == AB_PROOF_TOKEN || proof == AB_PROOF_STREAM
		   || proof == AB_PROOF_NONCE;
}

bool ab_evidence_failure(
		const struct ab_evidence *e, const struct ab_evidence_event *ev)
{
	struct ab_evidence_set *s;
	struct place at;
	unsigned way;

	if(!e->head || !is_proven(ev->proof))
		return false;
	at = place_of(e, &ev->source);
	s = &e->head->set[at.set];
	if(!ab_evidence_lock(e, at.set))
		return false;
	way = find(e, &at, &ev->source);
	if(way < AB_EVIDENCE_WAYS
			&& ab_evidence_is_over(
					e, ab_evidence_record_at(e, at.set, way), ev->mono))
		ab_evidence_free(e, at.set, way);
	else if(way == AB_EVIDENCE_WAYS)
		way = make_room(e, at.set,
				ev->banned ? WORTH_BANNED : WORTH_BANNED_ONCE, ev->mono);
	if(way < AB_EVIDENCE_WAYS) {
		s->writing = (uint8_t)(way + 1);
		s->tag[way] = at.tag;
		count(e, ab_evidence_record_at(e, at.set, way), ev);
	}
	ab_evidence_unlock(e, at.set);
	return way < AB_EVIDENCE_WAYS;
}

/* --- what becomes of a source --- */

/* The record of a source, its set locked; NULL: there is none, and no lock held. */
static struct ab_evidence_record *open_record(const struct ab_evidence *e,
		const struct ab_prefix *source, struct place *at)
{
	unsigned way;

	if(!e->head)
		return NULL;
	*at = place_of(e, source);
	if(!ab_evidence_lock(e, at->set))
		return NULL;
	way = find(e, at, source);
	if(way < AB_EVIDENCE_WAYS) {
		e->head->set[at->set].writing = (uint8_t)(way + 1);
		return ab_evidence_record_at(e, at->set, way);
	}
	ab_evidence_unlock(e, at->set);
	return NULL;
}

void ab_evidence_ban(const struct ab_evidence *e,
		const struct ab_prefix *source, uint32_t mono, uint32_t seconds,
		uint16_t reason)
{
	struct place at;
	struct ab_evidence_record *r = open_record(e, source, &at);

	if(!r)
		return;
	if(!(r->flags & AB_EVIDENCE_IMPORTED)) {
		r->bans += r->bans < UINT16_MAX;
		r->reason = reason;
		r->ban_seconds = seconds;
		r->flags |= AB_EVIDENCE_CHANGED;
		r->ban_until = mono + seconds ? mono + seconds : 1;
	}
	ab_evidence_unlock(e, at.set);
}

void ab_evidence_unban(
		const struct ab_evidence *e, const struct ab_prefix *source)
{
	struct place at;
	struct ab_evidence_record *r = open_record(e, source, &at);

	if(!r)
		return;
	r->bans = 0;
	r->reason = 0;
	r->ban_seconds = 0;
	r->ban_until = 0;
	r->flags |= AB_EVIDENCE_CHANGED;
	ab_evidence_unlock(e, at.set);
}

bool ab_evidence_get(const struct ab_evidence *e,
		const struct ab_prefix *source, uint32_t mono,
		struct ab_evidence_record *out)
{
	struct place at;
	struct ab_evidence_record *r = open_record(e, source, &at);
	bool live;

	if(!r)
		return false;
	live = !ab_evidence_is_over(e, r, mono);
	if(live)
		ab_evidence_copy(e, r, mono, out);
	ab_evidence_unlock(e, at.set);
	return live;
}

bool ab_evidence_erase(
		const struct ab_evidence *e, const struct ab_prefix *source)
{
	struct place at;

	if(!open_record(e, source, &at))
		return false;
	ab_evidence_free(e, at.set, e->head->set[at.set].writing - 1u);
	ab_evidence_unlock(e, at.set);
	return true;
}

bool ab_evidence_import(const struct ab_evidence *e,
		const struct ab_evidence_record *r, uint32_t mono, uint32_t age)
{
	struct ab_prefix source = {r->source, r->source_len};
	struct ab_evidence_record *mine;
	struct place at;
	unsigned way;
	bool taken = false;

	if(!e->head || age >= e->ttl)
		return false;
	at = place_of(e, &source);
	if(!ab_evidence_lock(e, at.set))
		return false;
	way = find(e, &at, &source);
	if(way == AB_EVIDENCE_WAYS)
		way = make_room(e, at.set, WORTH_ONE, mono);
	if(way < AB_EVIDENCE_WAYS) {
		mine = ab_evidence_record_at(e, at.set, way);
		taken = mine->failures == 0 || ab_evidence_is_over(e, mine, mono)
				|| ((mine->flags & AB_EVIDENCE_IMPORTED)
						&& mine->last <= r->last);
		e->head->set[at.set].writing = (uint8_t)(way + 1);
	}
	if(taken) {
		*mine = *r;
		memset(mine->sample, 0, sizeof(mine->sample));
		mine->samples = 0;
		mine->seen = mono - age;
		mine->flags = (uint8_t)(AB_EVIDENCE_IMPORTED
								| (r->flags & AB_EVIDENCE_CAMPAIGN));
		e->head->set[at.set].tag[way] = at.tag;
	}
	ab_evidence_unlock(e, at.set);
	return taken;
}
