/*
 * authban: is this address banned? Reading the table without a lock
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A sequence lock read with acquire loads only, no fences: each load of a line
 * or a key keeps the later ones behind it, so the second look at the sequence
 * is the last of all. Writers store with release for the same reason.
 */
#include "ab_table_layout.h"

/* A line that is being written is read again: some 50 ns. Behind these tries the
 * answer is: not banned. */
#define READ_TRIES 200
#define EVERY_TAG UINT64_C(0x0001000100010001)
#define TAG_TOPS UINT64_C(0x8000800080008000)

#define relaxed memory_order_relaxed
#define acquire memory_order_acquire

static bool blocks(uint8_t meta)
{
	uint8_t state = meta & META_STATE;

	return state == AB_STATE_BANNED || state == AB_STATE_DRY_RUN;
}

/* One pass over a line; the caller checks the sequence around it. */
static enum ab_state scan_line(const struct ab_table_head *h, uint32_t bucket,
		uint16_t tag, const struct ab_key *key, uint32_t now)
{
	const struct ab_line *l = &h->lines[bucket];
	unsigned half;

	for(half = 0; half < 2; half++) {
		uint64_t x = atomic_load_explicit(&l->tags[half], acquire)
					 ^ (tag * EVERY_TAG);
		/* marks each 16 bits that are zero, and sometimes one above */
		uint64_t hits = (x - EVERY_TAG) & ~x & TAG_TOPS;

		for(; hits; hits &= hits - 1) {
			unsigned i = half * 4 + (unsigned)__builtin_ctzll(hits) / 16;
			uint8_t meta = atomic_load_explicit(&l->meta[i], acquire);

			if(blocks(meta) && atomic_load_explicit(&l->until[i], acquire) > now
					&& ab_entry_matches(ab_entry_at(h, bucket, i), key))
				return meta & META_STATE;
		}
	}
	return AB_STATE_NONE;
}

static enum ab_state read_line(const struct ab_table_head *h, uint32_t bucket,
		uint16_t tag, const struct ab_key *key, uint32_t now, bool *spilled)
{
	const struct ab_line *l = &h->lines[bucket];
	int i;

	*spilled = false;
	for(i = 0; i < READ_TRIES; i++) {
		uint32_t seq = atomic_load_explicit(&l->seq, acquire);
		enum ab_state state;

		if(seq & 1)
			continue;
		*spilled = atomic_load_explicit(&l->meta[0], acquire) & META_SPILLED;
		state = scan_line(h, bucket, tag, key, now);
		if(atomic_load_explicit(&l->seq, relaxed) == seq)
			return state;
	}
	return AB_STATE_NONE;
}

static enum ab_state read_state(const struct ab_table_head *h, uint8_t kind,
		const struct ab_prefix *p, uint32_t now)
{
	struct ab_key key = {p->addr, 0, kind, p->len};
	struct ab_place at = ab_place_of(h, &key);
	bool spilled, ignored;
	enum ab_state state =
			read_line(h, at.bucket[0], at.tag, &key, now, &spilled);

	if(state == AB_STATE_NONE && spilled)
		state = read_line(h, at.bucket[1], at.tag, &key, now, &ignored);
	return state;
}

static bool in_use(_Atomic uint64_t nets[2], unsigned bits)
{
	return atomic_load_explicit(&nets[bits / 64], relaxed) >> (bits % 64) & 1;
}

struct ab_hit ab_table_check(const struct ab_table *t, const struct ab_addr *a,
		const struct ab_prefix *source, uint32_t now_mono)
{
	struct ab_table_head *h = t->head;
	struct ab_hit hit = {
			read_state(h, AB_KIND_SOURCE, source, now_mono), *source};
	unsigned bits = ab_addr_is_v4(a) ? AB_V4_BITS : 0;

	if(hit.state == AB_STATE_BANNED)
		return hit;
	if(!(atomic_load_explicit(&h->nets[0], relaxed)
			   | atomic_load_explicit(&h->nets[1], relaxed)))
		return hit;
	for(; bits < source->len; bits++) {
		struct ab_prefix net;
		enum ab_state state;

		if(!in_use(h->nets, bits))
			continue;
		net = ab_prefix_make(a, bits);
		state = read_state(h, AB_KIND_SOURCE, &net, now_mono);
		if(state == AB_STATE_NONE || (state == AB_STATE_DRY_RUN && hit.state))
			continue;
		hit.net = net;
		hit.state = state;
		if(state == AB_STATE_BANNED)
			return hit;
	}
	return hit;
}

bool ab_table_allowed(const struct ab_table *t, const struct ab_addr *a,
		uint32_t now_mono, struct ab_prefix *net)
{
	struct ab_table_head *h = t->head;
	unsigned shortest = ab_addr_is_v4(a) ? AB_V4_BITS : 0;
	unsigned bits;

	for(bits = 128; bits + 1 > shortest; bits--) {
		struct ab_prefix p = ab_prefix_make(a, bits);

		if((bits == 128 || in_use(h->allow_nets, bits))
				&& read_state(h, AB_KIND_ALLOW, &p, now_mono)
						   == AB_STATE_BANNED) {
			if(net)
				*net = p;
			return true;
		}
		if(bits == 0)
			break;
	}
	return false;
}
