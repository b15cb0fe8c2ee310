/*
 * authban: entries of imported lists
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_feeds.h"

#include "ab_lock.h"
#include "ab_siphash.h"

#include <string.h>

#define relaxed memory_order_relaxed

/* Half of the places are used when all entries are there: so each finds one. */
static uint32_t buckets_of(uint32_t entries)
{
	return entries / 4 + 2;
}

size_t ab_feeds_bytes(uint32_t entries)
{
	return sizeof(struct ab_feeds)
		   + buckets_of(entries) * sizeof(struct ab_feeds_bucket);
}

void ab_feeds_init(
		struct ab_feeds *f, uint32_t entries, const uint8_t key[static 16])
{
	memset(f, 0, ab_feeds_bytes(entries));
	f->max = entries;
	f->buckets = buckets_of(entries);
	memcpy(f->key, key, sizeof(f->key));
}

/* --- the word of an entry: end, width, list, generation --- */

/* The generation tells an entry from a later one in the same place. */
static uint64_t meta_of(
		uint32_t end, unsigned width, unsigned row, uint16_t generation)
{
	return (uint64_t)end << 32 | (uint64_t)width << 24 | (uint64_t)row << 16
		   | generation;
}

static unsigned width_of(uint64_t meta)
{
	return meta >> 24 & 0xff; /* never 0: networks are no wider than /16 */
}

static unsigned row_of(uint64_t meta)
{
	return meta >> 16 & 0xff;
}

/* Seconds left; 0: it has expired. */
static uint32_t left(uint64_t meta, uint32_t now)
{
	int32_t n = (int32_t)((uint32_t)(meta >> 32) - now);

	return n > 0 ? (uint32_t)n : 0;
}

/* The two buckets that a network may lie in, whatever list names it. */
static void places(
		const struct ab_feeds *f, const struct ab_prefix *p, uint32_t at[2])
{
	uint8_t data[sizeof(p->addr.b) + 1];
	uint64_t h;

	memcpy(data, p->addr.b, sizeof(p->addr.b));
	data[sizeof(p->addr.b)] = p->len;
	h = ab_siphash13(f->key, data, sizeof(data));
	at[0] = (uint32_t)((h & UINT32_MAX) * f->buckets >> 32);
	at[1] = (uint32_t)((h >> 32) * f->buckets >> 32);
	if(at[0] == at[1])
		at[1] = (at[0] + 1) % f->buckets;
}

static void words_of(const struct ab_addr *a, uint64_t w[2])
{
	w[0] = ab_load_le64(a->b);
	w[1] = ab_load_le64(a->b + 8);
}

/* --- readers --- */

/* The word of a live entry for this network in a bucket, else 0. */
static uint64_t look(const struct ab_feeds_bucket *b, const struct ab_prefix *p,
		const uint64_t w[2], uint32_t now)
{
	unsigned i;

	for(i = 0; i < AB_FEEDS_WAYS; i++) {
		uint64_t meta = atomic_load_explicit(&b->meta[i], memory_order_acquire);

		if(meta == 0 || width_of(meta) != p->len || !left(meta, now))
			continue;
		/* what is read of a later entry makes its word visible, too */
		if(atomic_load_explicit(&b->addr[i][0], memory_order_acquire) == w[0]
				&& atomic_load_explicit(&b->addr[i][1], memory_order_acquire)
						   == w[1]
				&& atomic_load_explicit(&b->meta[i], relaxed) == meta)
			return meta;
	}
	return 0;
}

static uint64_t look_up(
		const struct ab_feeds *f, const struct ab_prefix *p, uint32_t now)
{
	uint64_t w[2], meta;
	uint32_t at[2];

	places(f, p, at);
	words_of(&p->addr, w);
	meta = look(&f->bucket[at[0]], p, w, now);
	return meta ? meta : look(&f->bucket[at[1]], p, w, now);
}

static void read_name(
		const struct ab_feeds_row *row, char out[static AB_FEEDS_NAME + 1])
{
	unsigned i;

	for(i = 0; i < AB_FEEDS_NAME / 8; i++) {
		uint64_t word = atomic_load_explicit(&row->name[i], relaxed);

		memcpy(out + 8 * i, &word, sizeof(word));
	}
	out[AB_FEEDS_NAME] = '\0';
}

bool ab_feeds_find(const struct ab_feeds *f, const struct ab_prefix *source,
		uint32_t now, struct ab_feeds_hit *hit)
{
	unsigned len, least = ab_addr_is_v4(&source->addr) ? AB_V4_BITS : 0;
	struct ab_prefix p;
	uint64_t meta;

	if(!ab_feeds_any(f))
		return false;
	for(len = source->len; len > least; len--) {
		uint64_t widths =
				atomic_load_explicit(&f->widths[(len - 1) / 64], relaxed);

		if(!(widths >> ((len - 1) % 64) & 1))
			continue;
		p = ab_prefix_make(&source->addr, len);
		meta = look_up(f, &p, now);
		if(!meta)
			continue;
		if(hit) {
			hit->net = p;
			hit->ttl = left(meta, now);
			read_name(&f->row[row_of(meta) % AB_FEEDS_LISTS], hit->list);
		}
		return true;
	}
	return false;
}

void ab_feeds_lists(const struct ab_feeds *f, uint32_t now,
		struct ab_feeds_list out[static AB_FEEDS_LISTS])
{
	uint32_t b;
	unsigned i;

	memset(out, 0, AB_FEEDS_LISTS * sizeof(*out));
	if(!ab_feeds_any(f))
		return;
	for(b = 0; b < f->buckets; b++) {
		for(i = 0; i < AB_FEEDS_WAYS; i++) {
			uint64_t meta = atomic_load_explicit(
					&f->bucket[b].meta[i], memory_order_acquire);
			uint32_t ttl = meta ? left(meta, now) : 0;
			struct ab_feeds_list *list = &out[row_of(meta) % AB_FEEDS_LISTS];

			if(!ttl)
				continue;
			list->entries++;
			if(ttl > list->ttl)
				list->ttl = ttl;
		}
	}
	for(i = 0; i < AB_FEEDS_LISTS; i++)
		if(out[i].entries)
			read_name(&f->row[i], out[i].name);
}

bool ab_feeds_name_ok(const char *name, size_t len)
{
	size_t i;

	if(len < 1 || len > AB_FEEDS_NAME)
		return false;
	for(i = 0; i < len; i++) {
		char c = name[i];

		if(!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')
				&& (i == 0 || (c != '.' && c != '_' && c != '-')))
			return false;
	}
	return true;
}

bool ab_feeds_width_ok(const struct ab_prefix *p)
{
	return p->len >= (ab_addr_is_v4(&p->addr) ? AB_V4_BITS + AB_FEEDS_WIDEST_V4
											  : AB_FEEDS_WIDEST_V6);
}

/* --- writers: all below hold the lock --- */

static void count(struct ab_feeds *f, uint64_t meta, int by)
{
	unsigned bit = width_of(meta) - 1;
	_Atomic uint64_t *widths = &f->widths[bit / 64];
	struct ab_feeds_row *row = &f->row[row_of(meta)];
	uint64_t mask = UINT64_C(1) << (bit % 64);
	uint64_t have = atomic_load_explicit(widths, relaxed);

	f->of_width[bit + 1] += (uint32_t)by;
	atomic_store_explicit(
			widths, f->of_width[bit + 1] ? have | mask : have & ~mask, relaxed);
	atomic_store_explicit(&row->entries,
			atomic_load_explicit(&row->entries, relaxed) + (uint32_t)by,
			relaxed);
	atomic_store_explicit(&f->used,
			atomic_load_explicit(&f->used, relaxed) + (uint32_t)by, relaxed);
}

/* After the death of an owner the words are right, and the numbers may not be. */
static void count_anew(struct ab_feeds *f)
{
	uint32_t b;
	unsigned i;

	atomic_store_explicit(&f->used, 0, relaxed);
	memset(f->of_width, 0, sizeof(f->of_width));
	for(i = 0; i < AB_FEEDS_LISTS; i++)
		atomic_store_explicit(&f->row[i].entries, 0, relaxed);
	for(b = 0; b < f->buckets; b++)
		for(i = 0; i < AB_FEEDS_WAYS; i++) {
			uint64_t meta =
					atomic_load_explicit(&f->bucket[b].meta[i], relaxed);

			if(meta)
				count(f, meta, 1);
		}
}

static bool take(struct ab_feeds *f, uint32_t owner)
{
	enum ab_lock_result r = ab_lock(&f->lock, owner, ab_lock_process_alive);

	if(r == AB_LOCK_STOLEN)
		count_anew(f);
	return r != AB_LOCK_TIMEOUT;
}

static void clear(struct ab_feeds *f, struct ab_feeds_bucket *b, unsigned i)
{
	uint64_t meta = atomic_load_explicit(&b->meta[i], relaxed);

	atomic_store_explicit(&b->meta[i], 0, relaxed);
	count(f, meta, -1);
}

/* Of a row that is free, the name that it had is no name. -1: none. */
static int find_row(const struct ab_feeds *f, const char *list, size_t len)
{
	char name[AB_FEEDS_NAME + 1];
	unsigned i;

	for(i = 0; i < AB_FEEDS_LISTS; i++) {
		if(!atomic_load_explicit(&f->row[i].entries, relaxed))
			continue;
		read_name(&f->row[i], name);
		if(strlen(name) == len && memcmp(name, list, len) == 0)
			return (int)i;
	}
	return -1;
}

static int make_row(struct ab_feeds *f, const char *list, size_t len)
{
	char name[AB_FEEDS_NAME] = {0};
	unsigned i, k;

	memcpy(name, list, len);
	for(i = 0; i < AB_FEEDS_LISTS; i++) {
		if(atomic_load_explicit(&f->row[i].entries, relaxed))
			continue;
		for(k = 0; k < AB_FEEDS_NAME / 8; k++) {
			uint64_t word;

			memcpy(&word, name + 8 * k, sizeof(word));
			atomic_store_explicit(&f->row[i].name[k], word, relaxed);
		}
		return (int)i;
	}
	return -1;
}

static void sweep(
		struct ab_feeds *f, uint32_t from, uint32_t until, uint32_t now)
{
	unsigned i;

	for(; from < until; from++)
		for(i = 0; i < AB_FEEDS_WAYS; i++) {
			struct ab_feeds_bucket *b = &f->bucket[from];
			uint64_t meta = atomic_load_explicit(&b->meta[i], relaxed);

			if(meta && !left(meta, now))
				clear(f, b, i);
		}
}

/* Where an entry of a list lies, or -1. *at is its bucket. */
static int find_way(struct ab_feeds *f, const struct ab_prefix *p, unsigned row,
		struct ab_feeds_bucket **at)
{
	uint32_t place[2];
	uint64_t w[2];
	unsigned n, i;

	places(f, p, place);
	words_of(&p->addr, w);
	for(n = 0; n < 2; n++) {
		*at = &f->bucket[place[n]];
		for(i = 0; i < AB_FEEDS_WAYS; i++) {
			uint64_t meta = atomic_load_explicit(&(*at)->meta[i], relaxed);

			if(meta && width_of(meta) == p->len && row_of(meta) == row
					&& atomic_load_explicit(&(*at)->addr[i][0], relaxed) == w[0]
					&& atomic_load_explicit(&(*at)->addr[i][1], relaxed)
							   == w[1])
				return (int)i;
		}
	}
	return -1;
}

/* A free place in the emptier of both buckets, or -1. */
static int free_way(struct ab_feeds *f, const struct ab_prefix *p,
		struct ab_feeds_bucket **at)
{
	unsigned n, i, most = 0;
	uint32_t place[2];
	int way = -1;

	places(f, p, place);
	for(n = 0; n < 2; n++) {
		struct ab_feeds_bucket *b = &f->bucket[place[n]];
		unsigned room = 0, last = 0;

		for(i = 0; i < AB_FEEDS_WAYS; i++)
			if(!atomic_load_explicit(&b->meta[i], relaxed)) {
				room++;
				last = i;
			}
		if(room > most) {
			most = room;
			way = (int)last;
			*at = b;
		}
	}
	return way;
}

static enum ab_feeds_result put(struct ab_feeds *f, unsigned row,
		const struct ab_prefix *p, uint32_t end)
{
	struct ab_feeds_bucket *b;
	uint64_t w[2], meta;
	int way = free_way(f, p, &b);

	if(way < 0 || atomic_load_explicit(&f->used, relaxed) >= f->max)
		return AB_FEEDS_FULL;
	meta = meta_of(end, p->len, row, ++f->generation);
	words_of(&p->addr, w);
	/* release: who sees a word of the address has seen the 0 before it */
	atomic_store_explicit(&b->addr[way][0], w[0], memory_order_release);
	atomic_store_explicit(&b->addr[way][1], w[1], memory_order_release);
	atomic_store_explicit(&b->meta[way], meta, memory_order_release);
	count(f, meta, 1);
	return AB_FEEDS_ADDED;
}

static enum ab_feeds_result add(struct ab_feeds *f, const char *list,
		size_t len, const struct ab_prefix *p, uint32_t end)
{
	int row = find_row(f, list, len), way;
	struct ab_feeds_bucket *b;

	if(row < 0)
		row = make_row(f, list, len);
	if(row < 0)
		return AB_FEEDS_TOO_MANY;
	way = find_way(f, p, (unsigned)row, &b);
	if(way < 0)
		return put(f, (unsigned)row, p, end);
	atomic_store_explicit(&b->meta[way],
			meta_of(end, p->len, (unsigned)row, ++f->generation),
			memory_order_release);
	return AB_FEEDS_RENEWED;
}

enum ab_feeds_result ab_feeds_add(struct ab_feeds *f, const char *list,
		size_t len, const struct ab_prefix *p, uint32_t ttl, uint32_t now,
		uint32_t owner)
{
	enum ab_feeds_result r;

	if(!take(f, owner))
		return AB_FEEDS_BUSY;
	r = add(f, list, len, p, now + ttl);
	/* what has expired gives way, but a flood makes no sweep for each line */
	if((r == AB_FEEDS_FULL || r == AB_FEEDS_TOO_MANY) && f->swept != now) {
		f->swept = now;
		sweep(f, 0, f->buckets, now);
		r = add(f, list, len, p, now + ttl);
	}
	ab_unlock(&f->lock);
	return r;
}

static long drop_all(struct ab_feeds *f, unsigned row)
{
	long n = 0;
	uint32_t b;
	unsigned i;

	for(b = 0; b < f->buckets; b++)
		for(i = 0; i < AB_FEEDS_WAYS; i++) {
			uint64_t meta =
					atomic_load_explicit(&f->bucket[b].meta[i], relaxed);

			if(meta && row_of(meta) == row) {
				clear(f, &f->bucket[b], i);
				n++;
			}
		}
	return n;
}

long ab_feeds_drop(struct ab_feeds *f, const char *list, size_t len,
		const struct ab_prefix *p, uint32_t owner)
{
	struct ab_feeds_bucket *b;
	long n = -1;
	int row, way;

	if(!take(f, owner))
		return -2;
	row = find_row(f, list, len);
	if(row >= 0 && !p) {
		n = drop_all(f, (unsigned)row);
	} else if(row >= 0) {
		way = find_way(f, p, (unsigned)row, &b);
		if(way >= 0)
			clear(f, b, (unsigned)way);
		n = way >= 0;
	}
	ab_unlock(&f->lock);
	return n;
}

void ab_feeds_sweep(struct ab_feeds *f, uint32_t part, uint32_t parts,
		uint32_t now, uint32_t owner)
{
	uint64_t n = part % parts;

	if(!ab_feeds_any(f) || !take(f, owner))
		return;
	sweep(f, (uint32_t)(n * f->buckets / parts),
			(uint32_t)((n + 1) * f->buckets / parts), now);
	ab_unlock(&f->lock);
}
