/*
 * authban: walks over the table: lists, sweeping, and the outgoing queue
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_table_layout.h"

#include "ab_window.h"

#include <string.h>

#define relaxed memory_order_relaxed

size_t ab_table_walk(const struct ab_table *t, struct ab_cursor *at,
		const struct ab_settings *set, const struct ab_now *now,
		struct ab_view *out, size_t max)
{
	struct ab_table_head *h = t->head;
	size_t n = 0;
	unsigned i;

	for(; at->bucket < h->buckets && max - n >= SLOTS; at->bucket++) {
		const struct ab_line *l = &h->lines[at->bucket];

		if(!(atomic_load_explicit(&l->tags[0], relaxed)
				   | atomic_load_explicit(&l->tags[1], relaxed))
				|| !ab_bucket_lock(t, at->bucket))
			continue;
		for(i = 0; i < SLOTS; i++) {
			struct ab_slot s = ab_slot_at(h, at->bucket, i);

			if(ab_line_tag(l, i) != 0)
				ab_entry_view(&s, set, now, &out[n++]);
		}
		ab_bucket_unlock(t, at->bucket);
		if(n >= max / 2)
			return at->bucket++, n;
	}
	return n;
}

void ab_table_sweep(const struct ab_table *t, uint32_t part, uint32_t parts,
		const struct ab_settings *set, const struct ab_now *now)
{
	struct ab_table_head *h = t->head;
	uint32_t b = (uint32_t)((uint64_t)h->buckets * (part % parts) / parts);
	uint32_t end =
			(uint32_t)((uint64_t)h->buckets * (part % parts + 1) / parts);
	unsigned i;

	for(; b < end; b++) {
		const struct ab_line *l = &h->lines[b];

		if(!(atomic_load_explicit(&l->tags[0], relaxed)
				   | atomic_load_explicit(&l->tags[1], relaxed))
				|| !ab_bucket_lock(t, b))
			continue;
		for(i = 0; i < SLOTS; i++) {
			struct ab_slot s = ab_slot_at(h, b, i);

			if(ab_line_tag(l, i) != 0
					&& ab_entry_worth(&s, set, now) == AB_WORTH_NOTHING)
				ab_slot_free(t, b, i);
		}
		ab_bucket_unlock(t, b);
	}
}

void ab_table_rebase(const struct ab_table *t, const struct ab_settings *set,
		const struct ab_now *old, const struct ab_now *now)
{
	struct ab_table_head *h = t->head;
	uint32_t b;
	unsigned i;

	for(b = 0; b < h->buckets; b++) {
		if(!ab_bucket_lock(t, b))
			continue;
		for(i = 0; i < SLOTS; i++) {
			struct ab_slot s = ab_slot_at(h, b, i);

			if(ab_line_tag(&h->lines[b], i) == 0)
				continue;
			ab_entry_refresh(&s, set, old);
			s.e->wstart = ab_window_start(
					ab_now_cluster_s(now), (uint32_t)set->window);
			ab_slot_store(t, b, i, &s);
		}
		ab_bucket_unlock(t, b);
	}
}

static void remove_slot(struct ab_slot *s, void *arg)
{
	(void)arg;
	/* worth nothing from now on: the next sweep or the next key takes it */
	s->state = AB_STATE_NONE;
	s->until = 0;
	s->e->version = 0;
	s->e->epoch = 0;
	s->e->repeats = 0;
	s->e->slow = 0;
	s->e->flags = 0;
	s->pairs = false;
	memset(s->e->own, 0, sizeof(s->e->own));
	memset(s->e->others, 0, sizeof(s->e->others));
}

void ab_table_remove(const struct ab_table *t, const struct ab_key *key,
		const struct ab_settings *set, const struct ab_now *now)
{
	ab_table_update(t, key, AB_FIND, set, now, remove_slot, NULL);
}

/* --- the outgoing queue --- */

void ab_table_set_clustered(const struct ab_table *t, bool on)
{
	t->head->clustered = on;
}

bool ab_table_clustered(const struct ab_table *t)
{
	return t->head->clustered;
}

void ab_dirty_set(struct ab_table_head *h, uint32_t bucket)
{
	uint32_t word = bucket / 64;
	uint64_t bit = UINT64_C(1) << (bucket % 64);

	/* test first: most marks are there already, and a load is cheap */
	if(!(atomic_load_explicit(&h->dirty[word], relaxed) & bit))
		atomic_fetch_or(&h->dirty[word], bit);
	bit = UINT64_C(1) << (word % 64);
	if(!(atomic_load_explicit(&h->summary[word / 64], relaxed) & bit))
		atomic_fetch_or(&h->summary[word / 64], bit);
}

/* Takes what is unsent of one bucket; false when out is full. */
static bool take_bucket(const struct ab_table *t, uint32_t bucket,
		const struct ab_settings *set, const struct ab_now *now,
		struct ab_view *out, size_t max, size_t *n)
{
	struct ab_table_head *h = t->head;
	bool room = true;
	unsigned i;

	if(!ab_bucket_lock(t, bucket)) {
		ab_dirty_set(h, bucket);
		return true;
	}
	for(i = 0; i < SLOTS && room; i++) {
		struct ab_slot s = ab_slot_at(h, bucket, i);
		/* one batch at a time: what is still in flight was never settled */
		unsigned flags = s.e->flags;
		unsigned unsent =
				(flags | flags >> 2) & (AB_UNSENT_COUNT | AB_UNSENT_STATE);

		if(ab_line_tag(&h->lines[bucket], i) == 0 || !unsent)
			continue;
		if(*n == max) {
			ab_dirty_set(h, bucket);
			room = false;
			break;
		}
		/* unsent -> in flight */
		ab_entry_set_flags(s.e, (s.e->flags & ~unsent) | unsent << 2);
		ab_entry_view(&s, set, now, &out[(*n)++]);
	}
	ab_bucket_unlock(t, bucket);
	return room;
}

size_t ab_table_take_dirty(const struct ab_table *t,
		const struct ab_settings *set, const struct ab_now *now,
		struct ab_view *out, size_t max)
{
	struct ab_table_head *h = t->head;
	uint32_t words = ab_dirty_words(h->buckets), w;
	size_t n = 0;

	for(w = 0; w < ab_dirty_words(words); w++) {
		uint64_t hot = atomic_exchange(&h->summary[w], 0);

		for(; hot; hot &= hot - 1) {
			uint32_t word = w * 64 + (uint32_t)__builtin_ctzll(hot);
			uint64_t bits = atomic_exchange(&h->dirty[word], 0);

			for(; bits; bits &= bits - 1) {
				uint32_t bucket = word * 64 + (uint32_t)__builtin_ctzll(bits);

				if(take_bucket(t, bucket, set, now, out, max, &n))
					continue;
				/* full: what was not looked at stays marked */
				atomic_fetch_or(&h->dirty[word], bits);
				atomic_fetch_or(&h->summary[w], hot);
				return n;
			}
		}
	}
	return n;
}

static void settle_slot(struct ab_slot *s, void *arg)
{
	unsigned flags = s->e->flags;
	unsigned inflight = flags & (AB_INFLIGHT_COUNT | AB_INFLIGHT_STATE);

	flags &= ~inflight;
	if(!*(const bool *)arg)
		flags |= inflight >> 2;
	ab_entry_set_flags(s->e, flags);
}

void ab_table_settle(const struct ab_table *t, const struct ab_key *key,
		const struct ab_settings *set, const struct ab_now *now, bool sent)
{
	struct ab_spot at = ab_spot_of(t->head, key);

	if(ab_table_update(t, key, AB_FIND, set, now, settle_slot, &sent) < 0) {
		ab_dirty_set(t->head, at.bucket[0]);
		ab_dirty_set(t->head, at.bucket[1]);
	}
}

/* Marks one slot; true when there is something of it to send. */
static bool mark_slot(const struct ab_table *t, uint32_t bucket, unsigned i,
		const struct ab_settings *set, const struct ab_now *now,
		uint32_t seconds)
{
	struct ab_slot s = ab_slot_at(t->head, bucket, i);
	struct ab_view v;

	ab_entry_view(&s, set, now, &v);
	if(v.idle > seconds)
		return false;
	if(v.own[0] || v.own[1])
		ab_entry_set_flags(s.e, s.e->flags | AB_UNSENT_COUNT);
	if((v.state == AB_STATE_BANNED || v.state == AB_STATE_UNBANNED)
			&& v.version >= AB_VERSION_TOLD)
		ab_entry_set_flags(s.e, s.e->flags | AB_UNSENT_STATE);
	ab_slot_store(t, bucket, i, &s);
	return s.e->flags & AB_UNSENT_ANY;
}

size_t ab_table_mark_all(const struct ab_table *t,
		const struct ab_settings *set, const struct ab_now *now)
{
	return ab_table_mark_recent(t, set, now, UINT32_MAX);
}

size_t ab_table_mark_recent(const struct ab_table *t,
		const struct ab_settings *set, const struct ab_now *now,
		uint32_t seconds)
{
	struct ab_table_head *h = t->head;
	size_t n = 0;
	uint32_t b;
	unsigned i;

	for(b = 0; b < h->buckets; b++) {
		if(!ab_bucket_lock(t, b))
			continue;
		for(i = 0; i < SLOTS; i++)
			if(ab_line_tag(&h->lines[b], i) != 0)
				n += mark_slot(t, b, i, set, now, seconds);
		ab_bucket_unlock(t, b);
	}
	return n;
}

bool ab_table_has_dirty(const struct ab_table *t)
{
	const struct ab_table_head *h = t->head;
	uint32_t words = ab_dirty_words(ab_dirty_words(h->buckets)), w;

	for(w = 0; w < words; w++)
		if(atomic_load(&h->summary[w]) != 0)
			return true;
	return false;
}

/* Slots whose meta, under a mask, has one of the wanted bits. */
static uint32_t count_meta(
		const struct ab_table_head *h, uint8_t mask, uint8_t want, uint32_t now)
{
	uint32_t n = 0, b;
	unsigned i;

	for(b = 0; b < h->buckets; b++) {
		const struct ab_line *l = &h->lines[b];

		for(i = 0; i < SLOTS; i++)
			n += (ab_line_meta(l, i) & mask) == want
				 && atomic_load_explicit(&l->until[i], relaxed) >= now;
	}
	return n;
}

uint32_t ab_table_pending(const struct ab_table *t)
{
	return count_meta(t->head, META_UNSENT, META_UNSENT, 0);
}

uint32_t ab_table_banned(const struct ab_table *t, uint32_t now_mono)
{
	return count_meta(
			t->head, META_STATE | META_ALLOW, AB_STATE_BANNED, now_mono + 1);
}

void ab_table_sync_sleeps(const struct ab_table *t)
{
	atomic_store(&t->head->asleep, 1);
}

bool ab_table_must_wake(const struct ab_table *t)
{
	return t->head->clustered && atomic_load(&t->head->asleep)
		   && atomic_exchange(&t->head->asleep, 0);
}

static uint32_t count_used(const struct ab_table_head *h)
{
	uint32_t n = 0, b;
	unsigned i;

	for(b = 0; b < h->buckets; b++)
		for(i = 0; i < SLOTS; i++)
			n += ab_line_tag(&h->lines[b], i) != 0
				 && !(ab_line_meta(&h->lines[b], i) & META_ALLOW);
	return n;
}

void ab_table_get_stats(const struct ab_table *t, struct ab_table_stats *out)
{
	struct ab_table_head *h = t->head;

	out->capacity = h->buckets * SLOTS;
	out->entries = count_used(h);
	out->refused = atomic_load_explicit(&h->refused, relaxed);
	out->evictions = atomic_load_explicit(&h->evictions, relaxed);
	out->evicted_bans = atomic_load_explicit(&h->evicted_bans, relaxed);
	out->lock_timeouts = atomic_load_explicit(&h->lock_timeouts, relaxed);
	out->locks_stolen = atomic_load_explicit(&h->locks_stolen, relaxed);
}

void ab_table_reset_stats(const struct ab_table *t)
{
	struct ab_table_head *h = t->head;

	atomic_store_explicit(&h->refused, 0, relaxed);
	atomic_store_explicit(&h->evictions, 0, relaxed);
	atomic_store_explicit(&h->evicted_bans, 0, relaxed);
	atomic_store_explicit(&h->lock_timeouts, 0, relaxed);
	atomic_store_explicit(&h->locks_stolen, 0, relaxed);
}
