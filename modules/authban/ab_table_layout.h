/*
 * authban: how the shared block is laid out (private to ab_table*.c)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AB_TABLE_LAYOUT_H
#define AB_TABLE_LAYOUT_H

#include "ab_table.h"

#include <string.h>

#define SLOTS 8 /* of a bucket */

#define META_STATE 0x03u  /* enum ab_state */
#define META_UNSENT 0x04u /* the record has AB_UNSENT_* or AB_INFLIGHT_* */
#define META_ALLOW 0x08u  /* an allow entry, not a ban */
#define META_PAIRS 0x10u /* a source: pairs of it may be banned until `until` */
#define META_AUTO \
	0x20u /* banned by the policy, so known-good users are spared */
#define META_SHARED \
	0x40u /* banned as a shared source: somebody is known there,
							  here or on another proxy */
#define META_SPILLED 0x80u /* meta[0]: some keys of this bucket are elsewhere */

/* The index of one bucket: 64 bytes, one cache line. */
struct ab_line
{
	_Atomic uint64_t tags[2];	   /* 8 x 16 bits; 0: the slot is free */
	_Atomic uint32_t until[SLOTS]; /* end of state, monotonic seconds */
	_Atomic uint8_t meta[SLOTS];
	_Atomic uint32_t seq;  /* odd: identity or state is being changed */
	_Atomic uint32_t lock; /* owner's id */
};

_Static_assert(sizeof(struct ab_line) == 64, "a line is one cache line");

#define AB_ALLOWED_WORDS 64u /* good for some 1,000 allow entries */

struct ab_table_head
{
	uint32_t buckets;
	uint8_t key[16];
	bool clustered;
	_Atomic int64_t clock_offset; /* ms */
	_Atomic uint32_t made;	 /* entries ever made: numbers their incarnations */
	_Atomic uint32_t asleep; /* the sync process waits to be woken */
	_Atomic uint64_t evictions, evicted_bans, lock_timeouts, locks_stolen,
			refused;
	/* prefix lengths other than 128 that were ever banned, and ever allowed: bit
	 * n of the 128; each costs a check one more cache line */
	_Atomic uint64_t nets[2], allow_nets[2];
	/* a Bloom filter, one bit each, of what was ever allowed: a banned source costs no
	 * cache line to find out that it is not. Grows only. */
	_Atomic uint64_t allowed[AB_ALLOWED_WORDS];
	/* monotonic seconds until which any network, any user is restricted */
	_Atomic uint32_t networks_until, users_until;
	struct ab_line *lines;
	struct ab_entry *entry;	   /* SLOTS for each line, same order */
	_Atomic uint64_t *dirty;   /* one bit a bucket */
	_Atomic uint64_t *summary; /* one bit a word of dirty */
	struct ab_names names;
};

static inline uint32_t ab_dirty_words(uint32_t buckets)
{
	return (buckets + 63) / 64;
}

static inline struct ab_entry *ab_entry_at(
		const struct ab_table_head *h, uint32_t bucket, unsigned slot)
{
	return &h->entry[(size_t)bucket * SLOTS + slot];
}

static inline uint16_t ab_line_tag(const struct ab_line *l, unsigned slot)
{
	uint64_t w = atomic_load_explicit(&l->tags[slot / 4], memory_order_relaxed);

	return (uint16_t)(w >> (slot % 4 * 16));
}

static inline uint8_t ab_line_meta(const struct ab_line *l, unsigned slot)
{
	return atomic_load_explicit(&l->meta[slot], memory_order_relaxed);
}

static inline _Atomic uint64_t *ab_nets(struct ab_table_head *h, uint8_t kind)
{
	return kind == AB_KIND_ALLOW ? h->allow_nets : h->nets;
}

/* The bit of an allow entry in `allowed`. Not keyed: who finds an address that shares
 * it wins himself nothing, and costs us a cache line. */
static inline uint32_t ab_allowed_bit(const struct ab_addr *a, uint8_t plen)
{
	uint64_t words[2], x;

	memcpy(words, a->b, sizeof(words));
	x = (words[0] ^ plen) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 32) ^ words[1]) * UINT64_C(0x94d049bb133111eb);
	x ^= x >> 29;
	return (uint32_t)(x * UINT64_C(0x9e3779b97f4a7c15) >> 32)
		   % (AB_ALLOWED_WORDS * 64);
}

static inline void ab_seq_begin(struct ab_line *l)
{
	uint32_t seq = atomic_load_explicit(&l->seq, memory_order_relaxed);

	/* every store that follows is a release store, so none passes this one */
	atomic_store_explicit(&l->seq, seq | 1, memory_order_relaxed);
}

static inline void ab_seq_end(struct ab_line *l)
{
	uint32_t seq = atomic_load_explicit(&l->seq, memory_order_relaxed);

	atomic_store_explicit(&l->seq, (seq | 1) + 1, memory_order_release);
}

static inline void ab_line_set_tag(
		struct ab_line *l, unsigned slot, uint16_t tag)
{
	unsigned shift = slot % 4 * 16;
	uint64_t w = atomic_load_explicit(&l->tags[slot / 4], memory_order_relaxed);

	w &= ~(UINT64_C(0xffff) << shift);
	atomic_store_explicit(&l->tags[slot / 4], w | (uint64_t)tag << shift,
			memory_order_release);
}

/* A free slot of a bucket; -1: none. */
static inline int ab_bucket_free_slot(
		const struct ab_table_head *h, uint32_t bucket)
{
	unsigned i;

	for(i = 0; i < SLOTS; i++)
		if(ab_line_tag(&h->lines[bucket], i) == 0)
			return (int)i;
	return -1;
}

/* A slot as the entry operations want it. Under the lock. */
static inline struct ab_slot ab_slot_at(
		const struct ab_table_head *h, uint32_t bucket, unsigned slot)
{
	const struct ab_line *l = &h->lines[bucket];
	struct ab_slot s = {ab_entry_at(h, bucket, slot),
			atomic_load_explicit(&l->until[slot], memory_order_relaxed),
			ab_line_meta(l, slot) & META_STATE,
			(ab_line_meta(l, slot) & META_PAIRS) != 0};

	return s;
}

struct ab_spot ab_spot_of(
		const struct ab_table_head *h, const struct ab_key *key);

/* Locks one bucket, repairing it after a dead owner; false: timeout. */
bool ab_bucket_lock(const struct ab_table *t, uint32_t bucket);
void ab_bucket_unlock(const struct ab_table *t, uint32_t bucket);

/* Frees a slot. Under the lock. */
void ab_slot_free(const struct ab_table *t, uint32_t bucket, unsigned slot);

/* Writes back until, state and the unsent mark. Under the lock. */
void ab_slot_store(const struct ab_table *t, uint32_t bucket, unsigned slot,
		const struct ab_slot *s);

/*
 * A slot for a new key, with the locks of both its buckets held: a free one; else
 * one freed by moving its entry to that one's other bucket; else the one whose
 * entry is worth the least, the longest idle among equals. Returns what would be
 * lost with it (enum ab_worth), -1 when it is free.
 */
int ab_table_room(const struct ab_table *t, const struct ab_spot *at,
		const struct ab_settings *set, const struct ab_now *now,
		uint32_t *bucket, int *slot);

/* Says that a bucket has something to send. */
void ab_dirty_set(struct ab_table_head *h, uint32_t bucket);

#endif
