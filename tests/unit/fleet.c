/*
 * authban: a few proxies and a store in memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fleet.h"

#include <string.h>

static struct cell *find(struct cell *cells, size_t n, const char *key,
		const uint8_t *field, size_t len)
{
	size_t i;

	for(i = 0; i < n; i++)
		if(cells[i].field_len == len && memcmp(cells[i].field, field, len) == 0
				&& strcmp(cells[i].key, key) == 0)
			return &cells[i];
	return NULL;
}

static struct cell *put(struct cell *cells, size_t *n, const char *key,
		const uint8_t *field, size_t field_len, const uint8_t *value,
		size_t len)
{
	struct cell *c = find(cells, *n, key, field, field_len);
	size_t i;

	if(!c) {
		assert_true(*n < STORE_CELLS);
		c = &cells[(*n)++];
		memset(c, 0, sizeof(*c));
		strcpy(c->key, key);
		memcpy(c->field, field, field_len);
		c->field_len = field_len;
		for(i = 0; i + 1 < *n; i++) /* a hash expires as a whole */
			c->ttl |= cells[i].ttl && strcmp(cells[i].key, key) == 0;
	}
	assert_true(len <= sizeof(c->value));
	memcpy(c->value, value, len);
	c->len = len;
	return c;
}

struct cell *store_share(
		struct store *st, const char *key, const uint8_t *field, size_t len)
{
	return find(st->shares, st->n_shares, key, field, len);
}

static void expire(struct store *st, const char *key)
{
	size_t i;

	for(i = 0; i < st->n_shares; i++)
		if(strcmp(st->shares[i].key, key) == 0)
			st->shares[i].ttl = true;
}

static void write_share(struct store *st, const struct ab_share_io *io)
{
	unsigned w;

	for(w = 0; w < 2; w++) {
		struct cell *c;

		if(io->value_len[w] == 0)
			continue;
		c = put(st->shares, &st->n_shares, io->key[w], io->field, io->field_len,
				io->value[w], io->value_len[w]);
		if(io->ttl[w])
			expire(st, io->key[w]);
		expect(c->ttl, "%s would stay forever", io->key[w]);
	}
}

static void read_shares(struct store *st, const struct ab_share_io *io,
		size_t i, ab_share_found_f found, void *arg)
{
	unsigned w;
	size_t c;

	for(w = 0; w < 2; w++)
		for(c = 0; c < st->n_shares; c++) {
			const struct cell *at = &st->shares[c];

			if(strcmp(at->key, io->key[w]) == 0
					&& at->field_len >= io->place_len
					&& memcmp(at->field, io->field, io->place_len) == 0)
				found(arg, i, w, at->field, at->field_len, at->value, at->len);
		}
}

static int exchange(void *store, const struct ab_state_io *states,
		size_t n_states, const struct ab_share_io *shares, size_t n_shares,
		ab_share_found_f found, void *arg)
{
	struct store *st = store;
	size_t i;

	st->exchanges++;
	if(n_shares > st->most)
		st->most = n_shares;
	if(st->fault == FAULT_REQUEST)
		return -1;
	for(i = 0; i < n_states; i++) {
		struct record *r = &st->log[st->n_log++];

		assert_true(st->n_log < STORE_LOG);
		memcpy(r->bytes, states[i].record, states[i].record_len);
		r->len = states[i].record_len;
		put(st->map, &st->n_map, states[i].map_key, states[i].field,
				states[i].field_len, r->bytes, r->len);
	}
	for(i = 0; i < n_shares; i++)
		write_share(st, &shares[i]);
	if(st->between)
		st->between(st->between_arg);
	if(st->fault == FAULT_ANSWER)
		return -1;
	for(i = 0; i < n_shares; i++)
		read_shares(st, &shares[i], i, found, arg);
	return 0;
}

void store_wipe(struct store *st)
{
	st->n_shares = st->n_map = st->n_log = 0;
	st->life++;
}

static void hear_news(void *arg, const struct ab_judgement *what)
{
	struct proxy *p = arg;

	assert_true(what->ok && what->news);
	p->news++;
}

static void start(struct fleet *f, unsigned i)
{
	static const struct ab_store_ops ops = {exchange};
	static const uint8_t key[16] = "cluster key";
	struct proxy *p = &f->p[i];
	size_t m;

	p->store = &f->store;
	p->life = f->store.life;
	p->b.node = p->s.node = (uint16_t)(i + 1);
	ab_table_set_clustered(&p->b.table, true);
	memset(&p->s, 0, sizeof(p->s));
	p->s.table = &p->b.table;
	p->s.set = &p->b.set;
	p->s.ops = &ops;
	p->s.store = &f->store;
	p->s.wire.mac = test_mac(key);
	strcpy(p->s.wire.prefix, "authban");
	p->s.wire.node[3] = (uint8_t)(i + 1);
	p->s.wire.boot[3] = f->boots++;
	p->s.node = p->b.node;
	p->b.origin = p->s.origin = ab_names_intern(
			ab_table_names(&p->b.table), p->b.table.owner, &"abc"[i], 1);
	p->s.news = hear_news;
	p->s.news_arg = p;
	p->heard = f->store.n_log;
	ab_sync_connected(&p->s, &p->b.now, true);
	for(m = 0; m < f->store.n_map; m++)
		ab_sync_apply(
				&p->s, &p->b.now, f->store.map[m].value, f->store.map[m].len);
}

void fleet_open(struct fleet *f, uint32_t entries)
{
	unsigned i;

	f->store.n_shares = f->store.n_map = f->store.n_log = 0;
	f->store.life = 0;
	f->store.fault = FAULT_NONE;
	f->store.between = NULL;
	f->store.exchanges = f->store.most = 0;
	f->boots = 0;
	for(i = 0; i < FLEET; i++) {
		box_open(&f->p[i].b, entries);
		f->p[i].news = 0;
		start(f, i);
	}
}

void fleet_close(struct fleet *f)
{
	unsigned i;

	for(i = 0; i < FLEET; i++)
		box_close(&f->p[i].b);
}

void fleet_pass(struct fleet *f, uint32_t seconds)
{
	unsigned i;

	for(i = 0; i < FLEET; i++)
		box_pass(&f->p[i].b, seconds);
}

void proxy_restart(struct fleet *f, unsigned i)
{
	struct box old = f->p[i].b;
	struct ab_table_stats st;

	ab_table_get_stats(&old.table, &st);
	box_open(&f->p[i].b, st.capacity);
	f->p[i].b.now = old.now;
	f->p[i].b.set = old.set;
	box_close(&old);
	start(f, i);
}

bool proxy_push(struct proxy *p)
{
	int n;

	if(p->store->fault != FAULT_REQUEST && p->life != p->store->life) {
		p->life = p->store->life;
		p->heard = 0;
		ab_sync_connected(&p->s, &p->b.now, true);
	}
	do
		n = ab_sync_batch(&p->s, &p->b.now);
	while(n > 0);
	return n == 0;
}

void proxy_hear(struct proxy *p)
{
	if(p->life != p->store->life)
		return; /* the next push finds that out */
	for(; p->heard < p->store->n_log; p->heard++)
		ab_sync_apply(&p->s, &p->b.now, p->store->log[p->heard].bytes,
				p->store->log[p->heard].len);
}

void fleet_settle(struct fleet *f)
{
	unsigned round, i;

	f->store.fault = FAULT_NONE;
	for(round = 0; round < 3; round++)
		for(i = 0; i < FLEET; i++) {
			ab_table_mark_all(&f->p[i].b.table, &f->p[i].b.set, &f->p[i].b.now);
			assert_true(proxy_push(&f->p[i]));
			proxy_hear(&f->p[i]);
		}
	for(i = 0; i < FLEET; i++)
		proxy_hear(&f->p[i]);
}
