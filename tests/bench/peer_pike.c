/*
 * authban: a peer that locks as Kamailio's pike does
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A tree whose first level is the address's first byte, with a lock for each
 * branch, and one lock for the timer list of the whole tree that every request
 * takes to move its leaf to the end. Kinder than pike: two levels instead of
 * one for each byte, leaves are found by hash instead of walking up to 256
 * siblings, and a source that is not there is not made by a check.
 */
#include "bench.h"

#include <string.h>

#define BRANCHES 256
#define LISTS 4096 /* of one branch */
#define ALL_LISTS (BRANCHES * LISTS)
#define LIMIT 1000000u /* hits from which a source is banned */

struct leaf
{
	struct leaf *next;			/* of its list */
	struct leaf *older, *newer; /* of the timer */
	struct ab_addr addr;
	uint32_t hits;
};

struct pike
{
	struct peer_lock timer;
	struct leaf *oldest, *newest;
	_Atomic uint32_t used;
	struct peer_lock branch[BRANCHES];
	struct leaf *list[ALL_LISTS];
	struct leaf pool[];
};

static size_t pike_bytes(uint32_t sources)
{
	return sizeof(struct pike) + sources * sizeof(struct leaf);
}

static void *pike_make(void *mem, uint32_t sources)
{
	(void)sources;
	return mem;
}

static void pike_attach(void *table)
{
	(void)table;
}

/* IPv6 sources of a benchmark share one branch, as those of one provider do;
 * a table holds one family, so all lists are theirs. */
static struct leaf **list_of(struct pike *t, const struct probe *p)
{
	uint64_t w[2];
	uint32_t hash;

	memcpy(w, p->addr.b, sizeof(w));
	hash = (uint32_t)((w[0] ^ w[1]) * UINT64_C(0x9e3779b97f4a7c15) >> 44);
	return &t->list[p->v4 ? p->addr.b[12] * LISTS + hash % LISTS
						  : hash % ALL_LISTS];
}

static void unlink_leaf(struct pike *t, struct leaf *l)
{
	if(l->older)
		l->older->newer = l->newer;
	else if(t->oldest == l)
		t->oldest = l->newer;
	if(l->newer)
		l->newer->older = l->older;
	else if(t->newest == l)
		t->newest = l->older;
}

static void move_to_end(struct pike *t, struct leaf *l)
{
	unlink_leaf(t, l);
	l->newer = NULL;
	l->older = t->newest;
	if(t->newest)
		t->newest->newer = l;
	else
		t->oldest = l;
	t->newest = l;
}

static struct leaf *make_leaf(
		struct pike *t, struct leaf **list, const struct ab_addr *a)
{
	struct leaf *l = &t->pool[atomic_fetch_add(&t->used, 1)];

	l->addr = *a;
	l->next = *list;
	*list = l;
	return l;
}

static bool mark(
		struct pike *t, const struct probe *p, bool make, uint32_t hits)
{
	struct peer_lock *branch = &t->branch[p->addr.b[p->v4 ? 12 : 0]];
	struct leaf **list = list_of(t, p), *l;
	bool over = false;

	bench_lock(branch);
	for(l = *list; l; l = l->next)
		if(ab_addr_equal(&l->addr, &p->addr))
			break;
	if(!l && make)
		l = make_leaf(t, list, &p->addr);
	if(l) {
		l->hits += hits;
		over = l->hits >= LIMIT;
	}
	bench_lock(&t->timer);
	if(l)
		move_to_end(t, l);
	bench_unlock(&t->timer);
	bench_unlock(branch);
	return over;
}

static bool pike_check(void *table, const struct probe *p)
{
	return mark(table, p, false, 0);
}

static bool pike_count(void *table, const struct probe *p)
{
	return mark(table, p, true, 0);
}

static void pike_add(void *table, const struct probe *p, bool banned)
{
	mark(table, p, true, banned ? LIMIT : 1);
}

const struct subject bench_pike = {"pike", false, pike_bytes, pike_make,
		pike_attach, pike_add, pike_check, pike_count};
