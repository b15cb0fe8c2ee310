/*
 * authban: a peer: chained hash table with a lock for each bucket
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a well-made htable would be: the same keyed hash and binary key as
 * authban's, one bucket a source.
 */
#include "bench.h"

#include "ab_siphash.h"

#include <string.h>
#include <time.h>

struct node
{
	struct node *next;
	struct ab_addr addr;
	uint8_t plen;
	uint32_t until, count;
	char rest[24]; /* as much is kept of a source as by authban */
};

struct bucket
{
	struct peer_lock lock;
	struct node *first;
};

struct chain
{
	uint32_t buckets;
	_Atomic uint32_t used;
	struct bucket *bucket;
	struct node *pool;
};

static size_t chain_bytes(uint32_t sources)
{
	return sizeof(struct chain) + bench_power(sources) * sizeof(struct bucket)
		   + sources * sizeof(struct node);
}

static void *chain_make(void *mem, uint32_t sources)
{
	struct chain *c = mem;

	c->buckets = bench_power(sources);
	c->bucket = (void *)(c + 1);
	c->pool = (void *)(c->bucket + c->buckets);
	return c;
}

static void chain_attach(void *table)
{
	(void)table;
}

static struct bucket *bucket_of(struct chain *c, const struct ab_prefix *s)
{
	static const uint8_t key[16] = {
			9, 12, 3, 44, 5, 16, 7, 28, 9, 1, 11, 2, 13, 4, 15, 60};
	uint64_t words[3] = {0, 0, s->len};

	memcpy(words, s->addr.b, 16);
	return &c->bucket[(uint32_t)ab_siphash13(key, words, sizeof(words))
					  & (c->buckets - 1)];
}

static struct node *find(const struct bucket *b, const struct ab_prefix *s)
{
	struct node *n;

	for(n = b->first; n; n = n->next)
		if(n->plen == s->len && ab_addr_equal(&n->addr, &s->addr))
			break;
	return n;
}

static struct node *insert(
		struct chain *c, struct bucket *b, const struct ab_prefix *s)
{
	struct node *n = &c->pool[atomic_fetch_add(&c->used, 1)];

	n->addr = s->addr;
	n->plen = s->len;
	n->next = b->first;
	b->first = n;
	return n;
}

static bool chain_check(void *table, const struct probe *p)
{
	struct ab_prefix s = ab_prefix_of_source(&p->addr, 32, 64);
	struct bucket *b = bucket_of(table, &s);
	const struct node *n;
	bool banned;

	bench_lock(&b->lock);
	n = find(b, &s);
	banned = n && n->until > BENCH_NOW;
	bench_unlock(&b->lock);
	return banned;
}

static uint32_t touch(void *table, const struct probe *p, uint32_t until)
{
	struct ab_prefix s = ab_prefix_of_source(&p->addr, 32, 64);
	struct bucket *b = bucket_of(table, &s);
	struct node *n;

	bench_lock(&b->lock);
	n = find(b, &s);
	if(!n)
		n = insert(table, b, &s);
	n->count++;
	if(until)
		n->until = until;
	until = n->until;
	bench_unlock(&b->lock);
	return until;
}

static bool chain_count(void *table, const struct probe *p)
{
	return touch(table, p, 0) > BENCH_NOW;
}

static void chain_add(void *table, const struct probe *p, bool banned)
{
	touch(table, p, banned ? 2 * BENCH_NOW : 0);
}

const struct subject bench_chain = {"chain", false, chain_bytes, chain_make,
		chain_attach, chain_add, chain_check, chain_count};
