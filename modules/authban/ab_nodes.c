/*
 * authban: the proxies of the cluster, and which of them is not believed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_nodes.h"

#include <string.h>

#define MINUTE_MS 60000

static bool take(struct ab_nodes *nodes, uint32_t owner)
{
	return ab_lock(&nodes->lock, owner, ab_lock_process_alive)
		   != AB_LOCK_TIMEOUT;
}

static bool same(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, 4) == 0;
}

/* --- who is there --- */

static struct ab_node *find(struct ab_nodes *nodes, const uint8_t id[static 4],
		const uint8_t boot[static 4])
{
	uint32_t i;

	for(i = 0; i < nodes->n; i++)
		if(same(nodes->row[i].id, id) && same(nodes->row[i].boot, boot))
			return &nodes->row[i];
	return NULL;
}

/* Of two starts of one proxy the first is over before the second begins. */
static bool are_twins(const struct ab_node *a, const struct ab_node *b)
{
	return same(a->id, b->id) && !same(a->boot, b->boot) && a->seen > b->start
		   && b->seen > a->start;
}

static bool has_twin(const struct ab_node *rows, uint32_t n, uint32_t at)
{
	uint32_t i;

	for(i = 0; i < n; i++)
		if(are_twins(&rows[i], &rows[at]))
			return true;
	return false;
}

void ab_nodes_replace(struct ab_nodes *nodes, uint32_t owner,
		const struct ab_node *rows, uint32_t n, uint32_t more)
{
	uint32_t refused[AB_NODES_MAX] = {0};
	uint32_t i;

	if(n > AB_NODES_MAX)
		n = AB_NODES_MAX;
	if(!take(nodes, owner))
		return;
	for(i = 0; i < n; i++) {
		const struct ab_node *old = find(nodes, rows[i].id, rows[i].boot);

		refused[i] = old ? old->refused : 0;
	}
	for(i = 0; i < n; i++) {
		nodes->row[i] = rows[i];
		nodes->row[i].refused = refused[i];
		nodes->row[i].twin = has_twin(rows, n, i);
	}
	nodes->n = n;
	nodes->more = more;
	ab_unlock(&nodes->lock);
}

void ab_nodes_refused(struct ab_nodes *nodes, uint32_t owner,
		const uint8_t id[static 4], const uint8_t boot[static 4])
{
	struct ab_node *row;

	if(!take(nodes, owner))
		return;
	row = find(nodes, id, boot);
	if(row && row->refused < INT32_MAX)
		row->refused++;
	ab_unlock(&nodes->lock);
}

bool ab_nodes_get(
		struct ab_nodes *nodes, uint32_t owner, uint32_t i, struct ab_node *out)
{
	bool found;

	if(!take(nodes, owner))
		return false;
	found = i < nodes->n;
	if(found)
		*out = nodes->row[i];
	ab_unlock(&nodes->lock);
	return found;
}

/* --- who is not believed --- */

static struct ab_forgotten *find_forgotten(
		struct ab_nodes *nodes, const uint8_t id[static 4])
{
	uint32_t i;

	for(i = 0; i < AB_FORGOTTEN_MAX; i++)
		if(nodes->forgotten[i].at && same(nodes->forgotten[i].id, id))
			return &nodes->forgotten[i];
	return NULL;
}

/* A free row, else the one that was forgotten first. */
static struct ab_forgotten *row_for(struct ab_nodes *nodes)
{
	struct ab_forgotten *oldest = &nodes->forgotten[0];
	uint32_t i;

	for(i = 0; i < AB_FORGOTTEN_MAX; i++)
		if(nodes->forgotten[i].at < oldest->at)
			oldest = &nodes->forgotten[i];
	if(oldest->at == 0)
		atomic_fetch_add(&nodes->n_forgotten, 1);
	return oldest;
}

/* The later forgetting counts; of one, the earliest return and the last start. */
static void join(struct ab_forgotten *row, const struct ab_forgotten *f)
{
	if(f->at > row->at) {
		*row = *f;
		return;
	}
	if(f->at < row->at || f->back == 0)
		return;
	if(row->back == 0 || f->back < row->back)
		row->back = f->back;
	if(f->started > row->started) {
		row->started = f->started;
		memcpy(row->boot, f->boot, 4);
	}
	row->unsent |= f->unsent;
}

bool ab_nodes_forget(struct ab_nodes *nodes, uint32_t owner,
		const struct ab_forgotten *f, uint64_t now_ms)
{
	struct ab_forgotten *row;
	bool more;

	if(f->at + UINT64_C(1000) * AB_FORGET_MAX_S < now_ms || !take(nodes, owner))
		return false;
	row = find_forgotten(nodes, f->id);
	more = !row || f->at > row->at;
	if(row) {
		join(row, f);
	} else {
		row = row_for(nodes);
		*row = *f;
	}
	if(f->unsent)
		atomic_store(&nodes->unsent, 1);
	ab_unlock(&nodes->lock);
	return more;
}

bool ab_nodes_forgotten(struct ab_nodes *nodes, uint32_t owner,
		const uint8_t id[static 4], struct ab_forgotten *out)
{
	const struct ab_forgotten *row;

	if(atomic_load_explicit(&nodes->n_forgotten, memory_order_acquire) == 0
			|| !take(nodes, owner))
		return false;
	row = find_forgotten(nodes, id);
	if(row)
		*out = *row;
	ab_unlock(&nodes->lock);
	return row != NULL;
}

bool ab_nodes_take_unsent(
		struct ab_nodes *nodes, uint32_t owner, struct ab_forgotten *out)
{
	uint32_t i;

	if(atomic_load_explicit(&nodes->unsent, memory_order_acquire) == 0
			|| !take(nodes, owner))
		return false;
	for(i = 0; i < AB_FORGOTTEN_MAX && !nodes->forgotten[i].unsent; i++)
		continue;
	if(i < AB_FORGOTTEN_MAX) {
		nodes->forgotten[i].unsent = false;
		*out = nodes->forgotten[i];
	} else {
		atomic_store(&nodes->unsent, 0);
	}
	ab_unlock(&nodes->lock);
	return i < AB_FORGOTTEN_MAX;
}

bool ab_nodes_believes_state(struct ab_nodes *nodes, uint32_t owner,
		const char *origin, uint64_t version)
{
	uint64_t moment = version >> 16;
	struct ab_forgotten f;
	uint8_t id[4];

	if(atomic_load_explicit(&nodes->n_forgotten, memory_order_acquire) == 0)
		return true;
	ab_node_id(origin, id);
	return !ab_nodes_forgotten(nodes, owner, id, &f)
		   || (f.back != 0 && moment >= f.back);
}

bool ab_nodes_believes_share(struct ab_nodes *nodes, uint32_t owner,
		const uint8_t id[static 4], const uint8_t boot[static 4])
{
	struct ab_forgotten f;

	return !ab_nodes_forgotten(nodes, owner, id, &f)
		   || (f.back != 0 && same(f.boot, boot));
}

uint32_t ab_nodes_floor(struct ab_nodes *nodes, uint32_t owner)
{
	uint64_t last = 0;
	uint32_t i;

	if(atomic_load_explicit(&nodes->n_forgotten, memory_order_acquire) == 0
			|| !take(nodes, owner))
		return 0;
	for(i = 0; i < AB_FORGOTTEN_MAX; i++)
		if(nodes->forgotten[i].at > last)
			last = nodes->forgotten[i].at;
	ab_unlock(&nodes->lock);
	return (uint32_t)(last / 1000);
}

uint32_t ab_nodes_told(
		struct ab_nodes *nodes, const char *origin, uint64_t now_ms, bool count)
{
	uint32_t minute = (uint32_t)(now_ms / MINUTE_MS);
	struct ab_told *t;
	uint8_t id[4];

	ab_node_id(origin, id);
	t = &nodes->told[id[0] % AB_NODES_TOLD];
	if(t->minute != minute)
		*t = (struct ab_told){minute, 0};
	t->count += count;
	return t->count;
}
