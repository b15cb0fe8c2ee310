/*
 * authban: room for a new entry in two full buckets
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Idea: cuckoo hashing (R. Pagh, F. F. Rodler, 2001), one step of it: an entry
 * that lies in its first bucket may move to its second. Only in that direction,
 * so that a reader, who looks into the first and then into the second, never
 * misses one on its way.
 */
#include "ab_table_layout.h"

#define relaxed memory_order_relaxed
#define release memory_order_release

/* The least worth of both buckets. */
static int least_worth(const struct ab_table *t, const struct ab_spot *at,
		const struct ab_settings *set, const struct ab_now *now,
		uint32_t *bucket, int *slot)
{
	const struct ab_table_head *h = t->head;
	int best = AB_WORTH_ALLOWED + 1;
	uint32_t best_idle = 0;
	unsigned b, i;

	for(b = 0; b < 2; b++) {
		for(i = 0; i < SLOTS; i++) {
			struct ab_slot s = ab_slot_at(h, at->bucket[b], i);
			bool empty = ab_line_tag(&h->lines[at->bucket[b]], i) == 0;
			int worth = empty ? -1 : (int)ab_entry_worth(&s, set, now);
			/* among live bans the one that ends first goes */
			uint32_t idle = worth >= AB_WORTH_BANNED ? UINT32_MAX - s.until
													 : now->mono - s.e->seen;

			if(worth < best || (worth == best && !empty && idle > best_idle)) {
				best = worth;
				best_idle = idle;
				*bucket = at->bucket[b];
				*slot = (int)i;
			}
		}
	}
	return best;
}

/* A lock beside the two that are held: taken only when nobody has it, since it
 * may stand anywhere in the order of locks. */
static bool try_lock(const struct ab_table *t, uint32_t bucket)
{
	uint32_t nobody = 0;

	return atomic_compare_exchange_strong_explicit(&t->head->lines[bucket].lock,
			&nobody, t->owner, memory_order_acquire, relaxed);
}

/* Copies an entry into a free slot of its second bucket, then frees the first. */
static void move(const struct ab_table *t, uint32_t from, unsigned i,
		const struct ab_spot *of, unsigned to_slot)
{
	struct ab_table_head *h = t->head;
	struct ab_line *first = &h->lines[from], *second = &h->lines[of->bucket[1]];
	struct ab_slot s = ab_slot_at(h, from, i);
	struct ab_entry *target = ab_entry_at(h, of->bucket[1], to_slot);

	ab_seq_begin(second);
	ab_entry_copy(target, s.e);
	ab_line_set_tag(second, to_slot, of->tag);
	s.e = target;
	ab_slot_store(t, of->bucket[1], to_slot, &s);
	ab_seq_end(second);
	atomic_fetch_or_explicit(&first->meta[0], META_SPILLED, release);
	ab_slot_free(t, from, i);
}

/* Tries to move the entry of one slot. True: the slot is free now. */
static bool move_away(const struct ab_table *t, const struct ab_spot *held,
		uint32_t bucket, unsigned i)
{
	struct ab_table_head *h = t->head;
	struct ab_spot of;
	struct ab_key key;
	int free;

	ab_entry_key(ab_entry_at(h, bucket, i), &key);
	of = ab_spot_of(h, &key);
	if(of.bucket[0] != bucket || of.bucket[1] == held->bucket[0]
			|| of.bucket[1] == held->bucket[1]
			|| ab_bucket_free_slot(h, of.bucket[1]) < 0
			|| !try_lock(t, of.bucket[1]))
		return false;
	free = ab_bucket_free_slot(h, of.bucket[1]);
	if(free >= 0)
		move(t, bucket, i, &of, (unsigned)free);
	ab_bucket_unlock(t, of.bucket[1]);
	return free >= 0;
}

int ab_table_room(const struct ab_table *t, const struct ab_spot *at,
		const struct ab_settings *set, const struct ab_now *now,
		uint32_t *bucket, int *slot)
{
	int worth = least_worth(t, at, set, now, bucket, slot);
	unsigned b, i;

	if(worth <= AB_WORTH_NOTHING)
		return worth;
	for(b = 0; b < 2; b++) {
		for(i = 0; i < SLOTS; i++) {
			if(move_away(t, at, at->bucket[b], i)) {
				*bucket = at->bucket[b];
				*slot = (int)i;
				return -1;
			}
		}
	}
	return worth;
}
