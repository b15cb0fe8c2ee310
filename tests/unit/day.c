/*
 * authban: a day in the life: what phones do, and what becomes of it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "day.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENTRIES 262144u /* the default of `size`, also for facts */
#define TICK (DAY_PHONES + GUESSERS)
#define SAMPLE 64 /* one event of so many is timed */

static uint64_t nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void day_open(struct day *d, uint64_t seed)
{
	memset(d, 0, sizeof(*d));
	box_open(&d->b, ENTRIES);
	ab_settings_preset(&d->b.set); /* the box has no slow level */
	d->facts = aligned_alloc(64, (ab_recent_bytes(ENTRIES) + 63) / 64 * 64);
	assert_non_null(d->facts);
	ab_recent_init(d->facts, ENTRIES);
	d->r = rng_of(seed);
	day_populate(d);
	day_attackers(d);
	day_at(500, TICK);
}

void day_close(struct day *d)
{
	free(d->facts);
	box_close(&d->b);
}

struct ab_guard day_guard(struct day *d)
{
	struct ab_guard g = {.judge = box_judge(&d->b),
			.good = {.facts = d->facts, .key = {4, 2}},
			.breaker = &d->breaker,
			.hash_key = {1, 6, 1, 8}};

	return g;
}

/* --- one request --- */

/* Without credentials, and when that is answered, with them. */
bool day_ask(struct day *d, const struct ab_addr *addr,
		const struct ab_party *who, enum ab_guard_verdict *why)
{
	struct ab_guard g = day_guard(d);
	uint64_t begin = d->events % SAMPLE == 0 ? nanoseconds() : 0;
	struct ab_guard_answer a = ab_guard_check(&g, addr, &who->source);

	d->events++;
	if(a.verdict != AB_GUARD_SOURCE) {
		d->events++;
		a = ab_guard_check(&g, addr, &who->source);
		if(a.verdict == AB_GUARD_LOOK)
			a = ab_guard_look(&g, who);
	}
	if(begin) {
		d->sampled += a.verdict == AB_GUARD_SOURCE ? 1 : 2;
		d->sampled_ns += nanoseconds() - begin;
	}
	*why = a.verdict;
	return a.verdict == AB_GUARD_PASS;
}

void day_failure(struct day *d, const struct ab_party *who, bool *ban)
{
	struct ab_failure f = {*who, 1, AB_PROOF_TOKEN, 0};
	struct ab_guard g = day_guard(d);
	struct ab_findings out;
	unsigned i;

	ab_guard_failure(&g, &f, &out);
	d->events++;
	d->failures++;
	*ban = out.banned;
	for(i = 0; i < AB_FOUND_COUNT; i++)
		if(out.entry[i].ok && out.entry[i].news)
			d->bans[i][out.entry[i].view.reason % AB_REASON_COUNT]++;
}

/* --- phones --- */

static bool within(const struct day *d, uint64_t begin, uint64_t length)
{
	return d->ms >= begin && d->ms < begin + length;
}

static bool has_old_password(const struct day *d, const struct phone *p)
{
	switch(p->kind) {
		case PHONE_CUSTOMER:
			return within(d, DAY_CHANGE, DAY_PROVISIONED - DAY_CHANGE);
		case PHONE_OLD_ALONE:
		case PHONE_OLD_NAT:
		case PHONE_OLD_BESIDE:
			/* a third of the owners find out */
			return d->ms < DAY_CORRECTED || p->user % 3 != 0;
		default:
			return p->mistypes > 0;
	}
}

static struct ab_party party(const struct phone *p)
{
	struct ab_party who = {p->source, p->user, p->flow};

	return who;
}

static bool banned(const struct day *d, const struct ab_key *key)
{
	return ab_table_state(&d->b.table, key, d->b.now.mono) != AB_STATE_NONE;
}

static enum drop_cause cause_of(
		struct day *d, const struct phone *p, enum ab_guard_verdict why)
{
	struct ab_key source = ab_key_source(&p->source);
	struct ab_key pair = ab_key_pair(&p->source, p->user);
	struct ab_guard g = day_guard(d);

	if(why == AB_GUARD_PAIR)
		return banned(d, &pair) ? DROP_PAIR : DROP_USER_PACE;
	if(!banned(d, &source))
		return DROP_NETWORK_PACE;
	return ab_good_source(&g.good, &p->source, d->b.now.mono,
				   (uint32_t)d->b.set.good_time)
				   ? DROP_SOURCE_PACE
				   : DROP_SOURCE;
}

/* How phones try again: half a minute, twice as long each time, five at most. */
static void again(struct day *d, struct phone *p, uint32_t n)
{
	uint64_t wait = 30u << (p->failed < 4 ? p->failed : 4);

	if(wait > 300)
		wait = 300;
	if(p->impatient)
		wait = 30;
	p->failed++;
	/* an owner who mistyped sits before it */
	if(p->kind == PHONE_MISTYPED)
		wait = 20 + rng_below(&d->r, 40);
	day_at(d->ms + wait * 1000 + rng_below(&d->r, 5000), n);
}

static bool beside_an_attacker(const struct phone *p)
{
	return p->kind == PHONE_NAT && p->addr.b[14] >= 20 && p->addr.b[14] <= 22;
}

/* With the right password. */
static void waited(struct day *d, const struct phone *p, uint64_t since)
{
	if(d->ms - since > d->longest_wait[p->kind])
		d->longest_wait[p->kind] = d->ms - since;
}

static void turned_away(
		struct day *d, struct phone *p, enum ab_guard_verdict why)
{
	enum drop_cause cause = cause_of(d, p, why);

	d->nat_dropped += beside_an_attacker(p);
	d->drops[p->kind][cause]++;
	d->drops_known[p->kind][cause] += p->known;
	p->else_dropped |= cause != DROP_PAIR;
	if(!p->dropped)
		p->dropped = d->ms;
	if(!p->waits_since)
		p->waits_since = d->ms;
}

static void succeed(struct day *d, struct phone *p, uint32_t n)
{
	struct ab_guard g = day_guard(d);
	struct ab_party who = party(p);
	uint64_t life = (uint64_t)p->expiry * 1000;

	ab_guard_success(&g, &who);
	d->events++;
	d->served++;
	if(p->until && d->ms > p->until) {
		d->lapsed++;
		/* it was registered still when it was turned away */
		if(p->dropped && p->dropped <= p->until)
			(p->else_dropped ? d->lost : d->lost_own)[p->kind]++;
	}
	if(p->corrected)
		waited(d, p, p->wants_since);
	if(p->waits_since)
		waited(d, p, p->waits_since);
	p->known = true;
	p->corrected = p->else_dropped = false;
	p->dropped = p->waits_since = 0;
	p->failed = 0;
	p->until = d->ms + life;
	day_at(d->ms + life / 10 * 5 + rng_below(&d->r, (uint32_t)(life / 10 * 4)),
			n);
}

/* The password is looked at. */
static void try_password(struct day *d, struct phone *p, uint32_t n, bool old)
{
	struct ab_party who = party(p);
	bool ignored;

	if(within(d, DAY_NO_DATABASE,
			   DAY_FAULT)) { /* -1, well formed: counts not */
		again(d, p, n);
		return;
	}
	if(!old && !within(d, DAY_EMPTY_TABLE, DAY_FAULT)
			&& !within(d, DAY_EMPTY_AGAIN, DAY_LONG_FAULT)) {
		succeed(d, p, n);
		return;
	}
	p->waits_since = 0;
	day_failure(d, &who, &ignored);
	if(p->mistypes > 0 && --p->mistypes == 0) {
		p->corrected = true;
		p->wants_since = d->ms;
	}
	again(d, p, n);
}

/* From 10.0.5.130 and so on to .230, at some time of the day. */
static void move(struct day *d, struct phone *p)
{
	p->started = true;
	p->known = false;
	p->addr.b[15] = (uint8_t)(p->addr.b[15] + 100);
	p->source = ab_prefix_of_source(&p->addr, 32, 64);
	p->corrected = true;
	p->wants_since = d->ms;
}

static void phone(struct day *d, uint32_t n)
{
	struct phone *p = &d->phone[n];
	struct ab_party who;
	enum ab_guard_verdict why;
	bool old;

	if(p->kind == PHONE_OFFICE
			&& within(d, DAY_OUTAGE, DAY_RETURN - DAY_OUTAGE)) {
		p->until = 0; /* the power is off; all come back within ten seconds */
		day_at(DAY_RETURN + rng_below(&d->r, 10000), n);
		return;
	}
	/* one third in the morning, one at noon, one in the evening */
	if(p->kind == PHONE_MISTYPED && !p->started
			&& d->ms > HOURS(7 + p->user % 3 * 5)) {
		p->started = true;
		p->mistypes = 1 + rng_below(&d->r, 3);
	}
	if(p->kind == PHONE_MOVED && !p->started
			&& d->ms > HOURS(2.1)
							   + (uint64_t)(p->addr.b[15] - 130) * HOURS(0.9))
		move(d, p);
	if((p->kind == PHONE_NEW || p->kind == PHONE_NEW_PORTS
			   || p->kind == PHONE_BESIDE)
			&& !p->started) {
		p->started = p->corrected = true;
		p->wants_since = d->ms;
	}
	if(p->moves)
		p->flow = p->flow % DAY_PHONES + rng_below(&d->r, 60000) * DAY_PHONES;
	old = has_old_password(d, p);
	if(!old && !p->corrected && p->wrong
			&& (p->kind == PHONE_CUSTOMER || p->kind >= PHONE_OLD_ALONE)) {
		p->corrected = true;
		p->wants_since =
				p->kind == PHONE_CUSTOMER ? DAY_PROVISIONED : DAY_CORRECTED;
	}
	p->wrong = old;
	who = party(p);
	if(!old)
		d->requests++;
	if(day_ask(d, &p->addr, &who, &why)) {
		d->nat_served += !old && beside_an_attacker(p);
		try_password(d, p, n, old);
		return;
	}
	if(!old)
		turned_away(d, p, why);
	again(d, p, n);
}

/* --- the proxy's own process, each second --- */

static void tick(struct day *d)
{
	uint32_t part = d->b.now.mono % 64;
	struct ab_table_stats st;

	ab_table_sweep(&d->b.table, part, 64, &d->b.set, &d->b.now);
	ab_recent_sweep(
			d->facts, part, 64, d->b.now.mono, (uint32_t)d->b.set.good_time);
	ab_breaker_tick(&d->breaker, (uint32_t)d->b.set.breaker, d->b.now.mono);
	if(ab_breaker_is_open(&d->breaker) && !d->opened_at) {
		d->openings++;
		d->opened_at = d->ms;
	} else if(!ab_breaker_is_open(&d->breaker) && d->opened_at) {
		d->suspended_ms += d->ms - d->opened_at;
		d->opened_at = 0;
	}
	if(d->b.now.mono % 600 == 0) {
		ab_table_get_stats(&d->b.table, &st);
		if(st.entries > d->most_entries)
			d->most_entries = st.entries;
	}
	day_at(d->ms + 1000, TICK);
}

void day_run(struct day *d)
{
	uint64_t begin = (uint64_t)BOX_CLUSTER_S * 1000;
	uint32_t who;

	while(day_next(&d->ms, &who)) {
		d->b.now.mono = BOX_MONO + (uint32_t)(d->ms / 1000);
		d->b.now.cluster_ms = begin + d->ms;
		if(who < DAY_PHONES)
			phone(d, who);
		else if(who < TICK)
			day_attack(d, (enum guesser)(who - DAY_PHONES));
		else
			tick(d);
	}
}
