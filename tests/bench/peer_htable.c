/*
 * authban: a peer that does what Kamailio's htable does
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Written from the behaviour of src/modules/htable: the hash is core_case_hash
 * of the text, chains are ordered by it, a slot has a lock, a cell is copied
 * for its reader. Kinder than htable: no allocation from shared memory, no
 * timer, no clock.
 */
#include "bench.h"

#include <string.h>

struct cell
{
	struct cell *next, *prev;
	uint32_t hash, size, until, count;
	unsigned len;
	char text[40];
};

struct slot
{
	struct peer_lock lock;
	uint32_t cells;
	struct cell *first;
};

struct htable
{
	uint32_t slots;
	_Atomic uint32_t used;
	struct slot *slot;
	struct cell *pool;
};

static size_t bytes_for(uint32_t sources, uint32_t slots)
{
	return sizeof(struct htable) + slots * sizeof(struct slot)
		   + sources * sizeof(struct cell);
}

static struct htable *make(void *mem, uint32_t slots)
{
	struct htable *h = mem;

	h->slots = slots;
	h->slot = (void *)(h + 1);
	h->pool = (void *)(h->slot + slots);
	return h;
}

static size_t bytes17(uint32_t sources)
{
	return bytes_for(sources, 1u << 17);
}

static size_t bytes14(uint32_t sources)
{
	return bytes_for(sources, 1u << 14);
}

static void *make17(void *mem, uint32_t sources)
{
	(void)sources;
	return make(mem, 1u << 17);
}

static void *make14(void *mem, uint32_t sources)
{
	(void)sources;
	return make(mem, 1u << 14);
}

static void attach(void *table)
{
	(void)table;
}

static bool same(const struct cell *c, const struct probe *p)
{
	return c->len == p->len && strncmp(c->text, p->text, p->len) == 0;
}

/* The cell, or NULL and the place where it belongs. */
static struct cell *find(const struct slot *s, uint32_t hash,
		const struct probe *p, struct cell **before)
{
	struct cell *c = s->first;

	*before = NULL;
	while(c && c->hash < hash) {
		*before = c;
		c = c->next;
	}
	while(c && c->hash == hash && !same(c, p)) {
		*before = c;
		c = c->next;
	}
	return c && c->hash == hash ? c : NULL;
}

static struct cell *insert(struct htable *h, struct slot *s, uint32_t hash,
		const struct probe *p, struct cell *before)
{
	struct cell *c = &h->pool[atomic_fetch_add(&h->used, 1)];

	c->hash = hash;
	c->len = p->len;
	memcpy(c->text, p->text, p->len);
	c->prev = before;
	c->next = before ? before->next : s->first;
	if(c->next)
		c->next->prev = c;
	if(before)
		before->next = c;
	else
		s->first = c;
	s->cells++;
	return c;
}

static bool check(void *table, const struct probe *p)
{
	struct htable *h = table;
	uint32_t hash = bench_case_hash(p->text, p->len);
	struct slot *s = &h->slot[hash & (h->slots - 1)];
	struct cell *c, *before, copy = {0};

	bench_lock(&s->lock);
	c = find(s, hash, p, &before);
	if(c)
		copy = *c;
	bench_unlock(&s->lock);
	return copy.until > BENCH_NOW;
}

static uint32_t touch(void *table, const struct probe *p, uint32_t until)
{
	struct htable *h = table;
	uint32_t hash = bench_case_hash(p->text, p->len);
	struct slot *s = &h->slot[hash & (h->slots - 1)];
	struct cell *c, *before, copy;

	bench_lock(&s->lock);
	c = find(s, hash, p, &before);
	if(!c)
		c = insert(h, s, hash, p, before);
	c->count++;
	if(until)
		c->until = until;
	copy = *c;
	bench_unlock(&s->lock);
	return copy.until;
}

static bool count(void *table, const struct probe *p)
{
	return touch(table, p, 0) > BENCH_NOW;
}

static void add(void *table, const struct probe *p, bool banned)
{
	touch(table, p, banned ? 2 * BENCH_NOW : 0);
}

const struct subject bench_htable17 = {
		"htable17", true, bytes17, make17, attach, add, check, count};
const struct subject bench_htable14 = {
		"htable14", true, bytes14, make14, attach, add, check, count};
