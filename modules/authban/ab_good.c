/*
 * authban: who has logged in from where
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_good.h"

#include "ab_siphash.h"

#include <string.h>

enum fact
{
	FACT_SOURCE,
	FACT_PAIR,
	FACT_FLOW,
	FACT_FAILED_FLOW
};

/* Of a source's hash: what others said of it. A bit that is kept and names no line, so
 * that both facts lie in one line. */
#define HEARD (UINT64_C(1) << 40)

/* Without a set nobody is known. */
static bool has(
		const struct ab_good *g, uint64_t hash, uint32_t now, uint32_t seconds)
{
	return g->facts && ab_recent_has(g->facts, hash, now, seconds);
}

/* The same of what the others said. */
static bool was_told(
		const struct ab_good *g, uint64_t hash, uint32_t now, uint32_t seconds)
{
	return g->told && ab_recent_has(g->told, hash, now, seconds);
}

/* Of a success that was seen here just now. */
static void tell(
		const struct ab_good *g, uint64_t hash, uint32_t now, uint32_t seconds)
{
	if(g->told && g->tell
			&& ab_recent_renew(g->told, hash, now, seconds,
					ab_tell_fresh(g->tell, now, seconds / 2)))
		ab_tell_put(g->tell, hash);
}

static uint64_t hash_of(const struct ab_good *g, enum fact fact,
		const struct ab_prefix *source, uint64_t user, uint64_t flow)
{
	uint64_t words[5];

	memcpy(words, source->addr.b, 16);
	words[2] = (uint64_t)source->len << 8 | fact;
	words[3] = user;
	words[4] = flow;
	return ab_siphash13(g->key, words, sizeof(words));
}

void ab_good_expect(const struct ab_good *g, const struct ab_party *p)
{
	uint64_t source, pair;

	if(!g->facts)
		return;
	source = hash_of(g, FACT_SOURCE, &p->source, 0, 0);
	pair = hash_of(g, FACT_PAIR, &p->source, p->user, 0);
	ab_recent_expect(g->facts, source);
	ab_recent_expect(g->facts, pair);
	if(g->told) {
		ab_recent_expect(g->told, source);
		ab_recent_expect(g->told, pair);
	}
}

void ab_good_expect_source(
		const struct ab_good *g, const struct ab_prefix *source)
{
	uint64_t hash;

	if(!g->facts)
		return;
	hash = hash_of(g, FACT_SOURCE, source, 0, 0);
	ab_recent_expect(g->facts, hash);
	if(g->told)
		ab_recent_expect(g->told, hash);
}

bool ab_good_success(const struct ab_good *g, const struct ab_party *p,
		uint32_t now, uint32_t seconds)
{
	uint64_t pair, source;
	bool known;

	if(!g->facts)
		return false;
	if(p->flow != 0)
		ab_recent_touch(g->facts,
				hash_of(g, FACT_FLOW, &p->source, p->user, p->flow), now,
				seconds);
	source = hash_of(g, FACT_SOURCE, &p->source, 0, 0);
	pair = hash_of(g, FACT_PAIR, &p->source, p->user, 0);
	ab_recent_touch(g->facts, source, now, seconds);
	known = ab_recent_touch(g->facts, pair, now, seconds)
			|| was_told(g, pair, now, seconds);
	tell(g, source, now, seconds);
	tell(g, pair, now, seconds);
	return known;
}

void ab_good_failure(const struct ab_good *g, const struct ab_party *p,
		uint32_t now, uint32_t seconds)
{
	if(g->facts && p->flow != 0)
		ab_recent_forget(g->facts,
				hash_of(g, FACT_FLOW, &p->source, p->user, p->flow), now,
				seconds);
}

bool ab_good_pair(const struct ab_good *g, const struct ab_prefix *source,
		uint64_t user, uint32_t now, uint32_t seconds)
{
	uint64_t pair;

	if(user == 0)
		return false;
	pair = hash_of(g, FACT_PAIR, source, user, 0);
	return has(g, pair, now, seconds) || was_told(g, pair, now, seconds);
}

bool ab_good_source_here(const struct ab_good *g,
		const struct ab_prefix *source, uint32_t now, uint32_t seconds)
{
	return has(g, hash_of(g, FACT_SOURCE, source, 0, 0), now, seconds);
}

bool ab_good_source(const struct ab_good *g, const struct ab_prefix *source,
		uint32_t now, uint32_t seconds)
{
	uint64_t hash = hash_of(g, FACT_SOURCE, source, 0, 0);

	return has(g, hash, now, seconds) || has(g, hash ^ HEARD, now, seconds)
		   || was_told(g, hash, now, seconds);
}

void ab_good_told(const struct ab_good *g, uint64_t fact, uint32_t age,
		uint32_t now, uint32_t seconds)
{
	if(g->told && age < seconds)
		ab_recent_put(g->told, fact, age, now, seconds);
}

void ab_good_heard(const struct ab_good *g, const struct ab_prefix *source,
		uint32_t now, uint32_t seconds)
{
	if(g->facts)
		ab_recent_touch(g->facts, hash_of(g, FACT_SOURCE, source, 0, 0) ^ HEARD,
				now, seconds);
}

bool ab_good_flow(const struct ab_good *g, const struct ab_party *p,
		uint32_t now, uint32_t seconds)
{
	return p->flow != 0
		   && has(g, hash_of(g, FACT_FLOW, &p->source, p->user, p->flow), now,
				   seconds);
}

void ab_good_failed(const struct ab_good *g, const struct ab_party *p,
		uint32_t now, uint32_t seconds)
{
	if(g->facts && p->flow != 0)
		ab_recent_touch(g->facts,
				hash_of(g, FACT_FAILED_FLOW, &p->source, 0, p->flow), now,
				seconds);
}

bool ab_good_failed_lately(const struct ab_good *g, const struct ab_party *p,
		uint32_t now, uint32_t seconds)
{
	return p->flow != 0
		   && has(g, hash_of(g, FACT_FAILED_FLOW, &p->source, 0, p->flow), now,
				   seconds);
}

static int forget(
		const struct ab_good *g, uint64_t hash, uint32_t now, uint32_t seconds)
{
	bool here = has(g, hash, now, seconds);
	bool told = was_told(g, hash, now, seconds);

	if(here)
		ab_recent_forget(g->facts, hash, now, seconds);
	if(told)
		ab_recent_forget(g->told, hash, now, seconds);
	return here || told;
}

int ab_good_forget(const struct ab_good *g, const struct ab_prefix *source,
		uint64_t user, uint32_t now, uint32_t seconds)
{
	uint64_t hash;

	if(user != 0)
		return forget(g, hash_of(g, FACT_PAIR, source, user, 0), now, seconds);
	hash = hash_of(g, FACT_SOURCE, source, 0, 0);
	return forget(g, hash, now, seconds)
		   + forget(g, hash ^ HEARD, now, seconds);
}
