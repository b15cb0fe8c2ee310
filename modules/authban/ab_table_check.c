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

static bool tells(uint8_t meta)
{
	uint8_t state = meta & META_STATE;

	return state == AB_STATE_BANNED || state == AB_STATE_DRY_RUN
		   || (meta & META_PAIRS);
}

/* One pass over a line: the meta byte of the key's slot, 0 when there is nothing to
 * tell. The caller checks the sequence around it. */
static uint8_t scan_line(const struct ab_table_head *h, uint32_t bucket,
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

			if(tells(meta)
					&& ab_entry_matches(ab_entry_at(h, bucket, i), key)) {
				if(atomic_load_explicit(&l->until[i], acquire) > now)
					return meta;
				if((meta & META_STATE) != AB_STATE_NONE)
					return meta & META_PAIRS;
			}
		}
	}
	return 0;
}

static uint8_t read_line(const struct ab_table_head *h, uint32_t bucket,
		uint16_t tag, const struct ab_key *key, uint32_t now, bool *spilled)
{
	const struct ab_line *l = &h->lines[bucket];
	int i;

	*spilled = false;
	for(i = 0; i < READ_TRIES; i++) {
		uint32_t seq = atomic_load_explicit(&l->seq, acquire);
		uint8_t meta;

		if(seq & 1)
			continue;
		*spilled = atomic_load_explicit(&l->meta[0], acquire) & META_SPILLED;
		meta = scan_line(h, bucket, tag, key, now);
		if(atomic_load_explicit(&l->seq, relaxed) == seq)
			return meta;
	}
	return 0;
}

static uint8_t read_key(
		const struct ab_table_head *h, const struct ab_key *key, uint32_t now)
{
	struct ab_spot at = ab_spot_of(h, key);
	bool spilled, ignored;
	uint8_t meta = read_line(h, at.bucket[0], at.tag, key, now, &spilled);

	if(meta == 0 && spilled)
		meta = read_line(h, at.bucket[1], at.tag, key, now, &ignored);
	return meta;
}

/* An UNBANNED entry is no state to a reader. */
static enum ab_state state_of(uint8_t meta)
{
	uint8_t state = meta & META_STATE;

	return state == AB_STATE_BANNED || state == AB_STATE_DRY_RUN
				   ? (enum ab_state)state
				   : AB_STATE_NONE;
}

static uint8_t read_prefix(const struct ab_table_head *h, uint8_t kind,
		const struct ab_prefix *p, uint32_t now)
{
	struct ab_key key = {p->addr, 0, kind, p->len};

	return read_key(h, &key, now);
}

enum ab_state ab_table_state(
		const struct ab_table *t, const struct ab_key *key, uint32_t now_mono)
{
	return state_of(read_key(t->head, key, now_mono));
}

bool ab_table_networks(const struct ab_table *t, uint32_t now_mono)
{
	return atomic_load_explicit(&t->head->networks_until, relaxed) > now_mono;
}

bool ab_table_users(const struct ab_table *t, uint32_t now_mono)
{
	return atomic_load_explicit(&t->head->users_until, relaxed) > now_mono;
}

static void hit_by(
		struct ab_hit *hit, uint8_t meta, const struct ab_prefix *net)
{
	hit->state = state_of(meta);
	hit->automatic = (meta & META_AUTO) != 0;
	hit->shared = (meta & META_SHARED) != 0;
	hit->net = *net;
}

/* The lengths in use from `lo` up to, not including, `hi`, in one word of them. */
static uint64_t lengths(
		_Atomic uint64_t nets[2], unsigned word, unsigned lo, unsigned hi)
{
	uint64_t bits = atomic_load_explicit(&nets[word], relaxed);
	unsigned begin = 64 * word;

	if(hi <= begin || lo >= begin + 64)
		return 0;
	if(lo > begin)
		bits &= UINT64_MAX << (lo - begin);
	if(hi < begin + 64)
		bits &= ~(UINT64_MAX << (hi - begin));
	return bits;
}

void ab_table_check_wider(const struct ab_table *t, const struct ab_addr *a,
		const struct ab_prefix *source, uint32_t now_mono, struct ab_hit *hit)
{
	struct ab_table_head *h = t->head;
	unsigned lo = ab_addr_is_v4(a) ? AB_V4_BITS : 0, word;

	for(word = lo / 64; word < 2; word++) {
		uint64_t bits = lengths(h->nets, word, lo, source->len);

		for(; bits; bits &= bits - 1) {
			unsigned len = 64 * word + (unsigned)__builtin_ctzll(bits);
			struct ab_prefix net = ab_prefix_make(a, len);
			uint8_t meta = read_prefix(h, AB_KIND_SOURCE, &net, now_mono);
			enum ab_state state = state_of(meta);

			if(state == AB_STATE_NONE
					|| (state == AB_STATE_DRY_RUN && hit->state))
				continue;
			hit_by(hit, meta, &net);
			if(state == AB_STATE_BANNED)
				return;
		}
	}
}

struct ab_hit ab_table_check(const struct ab_table *t, const struct ab_addr *a,
		const struct ab_prefix *source, uint32_t now_mono)
{
	uint8_t meta = read_prefix(t->head, AB_KIND_SOURCE, source, now_mono);
	struct ab_hit hit = {.pairs = (meta & META_PAIRS) != 0};

	hit_by(&hit, meta, source);
	if(hit.state != AB_STATE_BANNED)
		ab_table_check_wider(t, a, source, now_mono, &hit);
	return hit;
}

static bool ever_allowed(
		const struct ab_table_head *h, const struct ab_prefix *p)
{
	uint32_t bit = ab_allowed_bit(&p->addr, p->len);

	return atomic_load_explicit(&h->allowed[bit / 64], relaxed) >> (bit % 64)
		   & 1;
}

static bool allows(const struct ab_table_head *h, const struct ab_addr *a,
		unsigned bits, uint32_t now, struct ab_prefix *net)
{
	struct ab_prefix p = ab_prefix_make(a, bits);

	if(!ever_allowed(h, &p))
		return false;
	if(state_of(read_prefix(h, AB_KIND_ALLOW, &p, now)) != AB_STATE_BANNED)
		return false;
	if(net)
		*net = p;
	return true;
}

bool ab_table_allowed(const struct ab_table *t, const struct ab_addr *a,
		uint32_t now_mono, struct ab_prefix *net)
{
	struct ab_table_head *h = t->head;
	unsigned shortest = ab_addr_is_v4(a) ? AB_V4_BITS : 0;
	int word;

	if(allows(h, a, 128, now_mono, net))
		return true;
	for(word = 1; word >= 0; word--) {
		uint64_t bits = lengths(h->allow_nets, (unsigned)word, shortest, 128);

		while(bits) {
			unsigned top = 63 - (unsigned)__builtin_clzll(bits);

			if(allows(h, a, 64 * (unsigned)word + top, now_mono, net))
				return true;
			bits &= ~(UINT64_C(1) << top);
		}
	}
	return false;
}
