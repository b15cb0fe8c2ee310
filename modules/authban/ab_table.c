/*
 * authban: the fixed table of sources in shared memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_table_layout.h"

#include "ab_siphash.h"

#include <string.h>

#define relaxed memory_order_relaxed
#define release memory_order_release

static size_t align64(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

static uint32_t round_entries(uint32_t entries)
{
	if(entries < AB_TABLE_MIN)
		return AB_TABLE_MIN;
	if(entries > AB_TABLE_MAX)
		return AB_TABLE_MAX;
	return (entries + SLOTS - 1) / SLOTS * SLOTS;
}

size_t ab_table_bytes(uint32_t entries)
{
	size_t n = round_entries(entries), buckets = n / SLOTS;
	size_t words = ab_dirty_words((uint32_t)buckets);

	return 64 + align64(sizeof(struct ab_table_head))
		   + buckets * sizeof(struct ab_line) + n * sizeof(struct ab_entry)
		   + words * 8 + ab_dirty_words((uint32_t)words) * 8;
}

void ab_table_init(struct ab_table *t, void *mem, uint32_t entries,
		const uint8_t key[static 16], uint32_t owner)
{
	char *p = (char *)mem + (64 - (uintptr_t)mem % 64) % 64;
	uint32_t n = round_entries(entries);
	struct ab_table_head *h = (void *)p;

	memset(mem, 0, ab_table_bytes(entries));
	h->buckets = n / SLOTS;
	memcpy(h->key, key, sizeof(h->key));
	p += align64(sizeof(*h));
	h->lines = (void *)p;
	p += h->buckets * sizeof(struct ab_line);
	h->entry = (void *)p;
	p += n * sizeof(struct ab_entry);
	h->dirty = (void *)p;
	h->summary = h->dirty + ab_dirty_words(h->buckets);
	ab_names_init(&h->names);
	t->head = h;
	t->owner = owner;
	t->alive = ab_lock_process_alive;
}

struct ab_names *ab_table_names(const struct ab_table *t)
{
	return &t->head->names;
}

int64_t ab_table_clock_offset(const struct ab_table *t)
{
	return atomic_load_explicit(&t->head->clock_offset, relaxed);
}

void ab_table_set_clock_offset(const struct ab_table *t, int64_t offset_ms)
{
	atomic_store_explicit(&t->head->clock_offset, offset_ms, relaxed);
}

struct ab_spot ab_spot_of(
		const struct ab_table_head *h, const struct ab_key *key)
{
	uint64_t words[3];
	uint64_t hash;
	struct ab_spot p;

	memcpy(words, key->addr.b, 16);
	words[2] = key->user ^ ((uint64_t)key->kind << 8 | key->plen);
	hash = ab_siphash13(h->key, words, sizeof(words));
	/* D. Lemire, "Fast random integer generation in an interval", 2019: the upper
	 * bits of 32 decide. Bits 16 to 31 are in both, at the lower end of the second,
	 * where they count for little. */
	p.bucket[0] = (uint32_t)((hash & UINT32_MAX) * h->buckets >> 32);
	p.bucket[1] = (uint32_t)((hash >> 16 & UINT32_MAX) * h->buckets >> 32);
	p.tag = (uint16_t)(hash >> 48);
	if(p.tag == 0)
		p.tag = 1;
	return p;
}

/* --- writing under the lock --- */

static const struct ab_entry nobody;

static void clear_slot(struct ab_table_head *h, uint32_t bucket, unsigned i)
{
	struct ab_line *l = &h->lines[bucket];

	ab_line_set_tag(l, i, 0);
	atomic_store_explicit(&l->until[i], 0, release);
	atomic_store_explicit(
			&l->meta[i], ab_line_meta(l, i) & META_SPILLED, release);
	/* nobody's address stays in memory beyond its time */
	ab_entry_copy(ab_entry_at(h, bucket, i), &nobody);
}

/* What a process that died in the middle of a change left behind: a slot whose
 * tag and key do not belong together is freed. */
static void repair(struct ab_table_head *h, uint32_t bucket)
{
	struct ab_line *l = &h->lines[bucket];
	unsigned i;

	if(!(atomic_load_explicit(&l->seq, relaxed) & 1))
		return;
	for(i = 0; i < SLOTS; i++) {
		struct ab_key key;
		struct ab_spot p;

		if(ab_line_tag(l, i) == 0)
			continue;
		ab_entry_key(ab_entry_at(h, bucket, i), &key);
		p = ab_spot_of(h, &key);
		if(p.tag != ab_line_tag(l, i)
				|| (p.bucket[0] != bucket && p.bucket[1] != bucket))
			clear_slot(h, bucket, i);
	}
	ab_seq_end(l);
}

bool ab_bucket_lock(const struct ab_table *t, uint32_t bucket)
{
	struct ab_table_head *h = t->head;

	switch(ab_lock(&h->lines[bucket].lock, t->owner, t->alive)) {
		case AB_LOCK_OK:
			return true;
		case AB_LOCK_STOLEN:
			atomic_fetch_add_explicit(&h->locks_stolen, 1, relaxed);
			repair(h, bucket);
			return true;
		case AB_LOCK_TIMEOUT:
		default:
			atomic_fetch_add_explicit(&h->lock_timeouts, 1, relaxed);
			return false;
	}
}

void ab_bucket_unlock(const struct ab_table *t, uint32_t bucket)
{
	ab_unlock(&t->head->lines[bucket].lock);
}

void ab_slot_free(const struct ab_table *t, uint32_t bucket, unsigned slot)
{
	struct ab_line *l = &t->head->lines[bucket];

	ab_seq_begin(l);
	clear_slot(t->head, bucket, slot);
	ab_seq_end(l);
}

static void prolong(_Atomic uint32_t *until, uint32_t to)
{
	uint32_t old = atomic_load_explicit(until, relaxed);

	while(old < to
			&& !atomic_compare_exchange_weak_explicit(
					until, &old, to, relaxed, relaxed))
		;
}

/* What every check has to look for beside the source itself. */
static void note_ban(struct ab_table_head *h, const struct ab_slot *s)
{
	struct ab_key key;

	if(s->state != AB_STATE_BANNED && s->state != AB_STATE_DRY_RUN)
		return;
	ab_entry_key(s->e, &key);
	if(key.kind == AB_KIND_NETWORK)
		prolong(&h->networks_until, s->until);
	else if(key.kind == AB_KIND_USER)
		prolong(&h->users_until, s->until);
	else if(key.kind != AB_KIND_PAIR && key.plen < 128)
		atomic_fetch_or_explicit(&ab_nets(h, key.kind)[key.plen / 64],
				UINT64_C(1) << (key.plen % 64), relaxed);
	if(key.kind == AB_KIND_ALLOW) {
		uint32_t bit = ab_allowed_bit(&key.addr, key.plen);

		atomic_fetch_or_explicit(
				&h->allowed[bit / 64], UINT64_C(1) << (bit % 64), relaxed);
	}
}

/* All of a slot's meta but what belongs to the bucket. */
static uint8_t meta_of(const struct ab_slot *s)
{
	unsigned meta = s->state;

	if(s->e->flags & AB_UNSENT_ANY)
		meta |= META_UNSENT;
	if(ab_entry_kind(s->e) == AB_KIND_ALLOW)
		meta |= META_ALLOW;
	if(s->pairs)
		meta |= META_PAIRS;
	if((s->state == AB_STATE_BANNED || s->state == AB_STATE_DRY_RUN)
			&& s->e->proof != AB_PROOF_OPERATOR)
		meta |= META_AUTO;
	if((meta & META_AUTO)
			&& (s->e->reason == AB_REASON_USERS
					|| s->e->reason == AB_REASON_STRANGERS))
		meta |= META_SHARED;
	return (uint8_t)meta;
}

void ab_slot_store(const struct ab_table *t, uint32_t bucket, unsigned slot,
		const struct ab_slot *s)
{
	struct ab_table_head *h = t->head;
	struct ab_line *l = &h->lines[bucket];
	uint8_t old = ab_line_meta(l, slot);
	uint8_t meta;
	bool in_change = atomic_load_explicit(&l->seq, relaxed) & 1;

	if(!h->clustered)
		s->e->flags = 0;
	meta = (old & META_SPILLED) | meta_of(s);
	if((old ^ meta) & (META_STATE | META_AUTO | META_PAIRS)
			|| atomic_load_explicit(&l->until[slot], relaxed) != s->until) {
		note_ban(h, s);
		if(!in_change)
			ab_seq_begin(l);
		atomic_store_explicit(&l->until[slot], s->until, release);
		atomic_store_explicit(&l->meta[slot], meta, release);
		if(!in_change)
			ab_seq_end(l);
	} else if(meta != old) {
		atomic_store_explicit(&l->meta[slot], meta, release);
	}
	if(s->e->flags & (AB_UNSENT_COUNT | AB_UNSENT_STATE))
		ab_dirty_set(h, bucket);
}

static int find_slot(const struct ab_table_head *h, uint32_t bucket,
		uint16_t tag, const struct ab_key *key)
{
	const struct ab_line *l = &h->lines[bucket];
	unsigned i;

	for(i = 0; i < SLOTS; i++)
		if(ab_line_tag(l, i) == tag
				&& ab_entry_matches(ab_entry_at(h, bucket, i), key))
			return (int)i;
	return -1;
}

/* One update under way: what is wanted, and which slot it got. */
struct job
{
	const struct ab_table *t;
	const struct ab_key *key;
	const struct ab_settings *set;
	const struct ab_now *now;
	struct ab_spot at;
	uint32_t bucket;
	int slot;
};

/* Empties the slot of a job for its key, counting what gives way. The line's
 * sequence is odd from here until the caller ends it. */
static void occupy(struct job *j)
{
	struct ab_table_head *h = j->t->head;
	struct ab_line *l = &h->lines[j->bucket];
	struct ab_slot s = ab_slot_at(h, j->bucket, (unsigned)j->slot);
	uint32_t made = atomic_fetch_add_explicit(&h->made, 1, relaxed);

	ab_seq_begin(l);
	if(ab_line_tag(l, (unsigned)j->slot) != 0) {
		enum ab_worth worth = ab_entry_worth(&s, j->set, j->now);

		if(worth != AB_WORTH_NOTHING)
			atomic_fetch_add_explicit(&h->evictions, 1, relaxed);
		if(worth == AB_WORTH_BANNED)
			atomic_fetch_add_explicit(&h->evicted_bans, 1, relaxed);
		clear_slot(h, j->bucket, (unsigned)j->slot);
	}
	ab_entry_init(&s, j->key, j->now, (uint8_t)made);
	ab_line_set_tag(l, (unsigned)j->slot, j->at.tag);
	if(j->bucket != j->at.bucket[0]) {
		struct ab_line *first = &h->lines[j->at.bucket[0]];

		atomic_fetch_or_explicit(&first->meta[0], META_SPILLED, release);
	}
}

/* Finds or makes the slot with the given locks held. 1 found, 2 made, 0 not
 * there, -1 the second bucket is needed too, -3 there is no room. */
static int obtain(struct job *j, enum ab_find find, bool both)
{
	const struct ab_table_head *h = j->t->head;
	bool spilled = ab_line_meta(&h->lines[j->at.bucket[0]], 0) & META_SPILLED;

	j->bucket = j->at.bucket[0];
	j->slot = find_slot(h, j->bucket, j->at.tag, j->key);
	if(j->slot < 0 && spilled && !both)
		return -1;
	if(j->slot < 0 && both) {
		j->bucket = j->at.bucket[1];
		j->slot = find_slot(h, j->bucket, j->at.tag, j->key);
	}
	if(j->slot >= 0)
		return 1;
	if(find == AB_FIND)
		return 0;
	j->bucket = j->at.bucket[0];
	j->slot = ab_bucket_free_slot(h, j->bucket);
	if(j->slot < 0 && !both)
		return -1;
	if(j->slot < 0
			&& ab_table_room(j->t, &j->at, j->set, j->now, &j->bucket, &j->slot)
					   >= AB_WORTH_BANNED
			&& find != AB_FIND_OR_TAKE)
		return -3;
	occupy(j);
	return 2;
}

static bool lock_place(
		const struct ab_table *t, const struct ab_spot *p, bool both)
{
	uint32_t low = p->bucket[0], high = p->bucket[1];

	if(!both || low == high)
		return ab_bucket_lock(t, low);
	if(low > high) {
		low = p->bucket[1];
		high = p->bucket[0];
	}
	if(!ab_bucket_lock(t, low))
		return false;
	if(ab_bucket_lock(t, high))
		return true;
	ab_bucket_unlock(t, low);
	return false;
}

static void unlock_place(
		const struct ab_table *t, const struct ab_spot *p, bool both)
{
	ab_bucket_unlock(t, p->bucket[0]);
	if(both && p->bucket[0] != p->bucket[1])
		ab_bucket_unlock(t, p->bucket[1]);
}

/* The record is changed on a copy and written back behind the index line: when
 * the process dies in between, the version in the record is still the old one,
 * and the same news can be taken over again. */
static void run_slot(struct job *j, ab_slot_f fn, void *arg)
{
	const struct ab_table_head *h = j->t->head;
	struct ab_slot s = ab_slot_at(h, j->bucket, (unsigned)j->slot);
	struct ab_entry *record = s.e, copy;

	ab_entry_copy(&copy, record);
	s.e = &copy;
	fn(&s, arg);
	ab_slot_store(j->t, j->bucket, (unsigned)j->slot, &s);
	ab_entry_write_back(record, &copy);
}

/* One try with one or both locks; -2: try again with both. */
static int update_once(
		struct job *j, enum ab_find find, bool both, ab_slot_f fn, void *arg)
{
	int got;

	if(!lock_place(j->t, &j->at, both))
		return -1;
	got = obtain(j, find, both);
	if(got > 0)
		run_slot(j, fn, arg);
	if(got == 2)
		ab_seq_end(&j->t->head->lines[j->bucket]);
	if(got == -3)
		atomic_fetch_add_explicit(&j->t->head->refused, 1, relaxed);
	unlock_place(j->t, &j->at, both);
	return got == -1 ? -2 : got == -3 ? -1 : got > 0;
}

struct ab_spot ab_table_spot(const struct ab_table *t, const struct ab_key *key)
{
	struct ab_spot p = ab_spot_of(t->head, key);

	__builtin_prefetch(&t->head->lines[p.bucket[0]], 1);
	return p;
}

void ab_table_expect(const struct ab_table *t, const struct ab_spot *place)
{
	uint32_t bucket = place->bucket[0];
	unsigned i;

	for(i = 0; i < SLOTS; i++)
		if(ab_line_tag(&t->head->lines[bucket], i) == place->tag)
			__builtin_prefetch(ab_entry_at(t->head, bucket, i), 1);
}

int ab_table_update_at(const struct ab_table *t, const struct ab_key *key,
		const struct ab_spot *place, enum ab_find find,
		const struct ab_settings *set, const struct ab_now *now, ab_slot_f fn,
		void *arg)
{
	struct job j = {t, key, set, now, *place, 0, -1};
	int rc = update_once(&j, find, false, fn, arg);

	return rc == -2 ? update_once(&j, find, true, fn, arg) : rc;
}

int ab_table_update(const struct ab_table *t, const struct ab_key *key,
		enum ab_find find, const struct ab_settings *set,
		const struct ab_now *now, ab_slot_f fn, void *arg)
{
	struct ab_spot place = ab_spot_of(t->head, key);

	return ab_table_update_at(t, key, &place, find, set, now, fn, arg);
}

struct view_job
{
	const struct ab_settings *set;
	const struct ab_now *now;
	struct ab_view *out;
};

static void view_slot(struct ab_slot *s, void *arg)
{
	struct view_job *j = arg;

	ab_entry_view(s, j->set, j->now, j->out);
}

int ab_table_get(const struct ab_table *t, const struct ab_key *key,
		const struct ab_settings *set, const struct ab_now *now,
		struct ab_view *out)
{
	struct view_job j = {set, now, out};

	return ab_table_update(t, key, AB_FIND, set, now, view_slot, &j);
}
