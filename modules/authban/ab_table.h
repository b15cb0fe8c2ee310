/*
 * authban: the fixed table of sources in shared memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Idea: DPDK's rte_hash and folly's F14. One block of memory given by the
 * caller and never grown: a head, index lines of 64 bytes for 8 slots (tags,
 * ends of states, a sequence counter, a lock), records of 64 bytes apart, and
 * one dirty bit a bucket. SipHash-1-3 names two candidate buckets of a key; the
 * second is used only when the first is full ("spilled").
 *
 * Locking law
 * - Readers of bans (ab_table_check) take no lock and write nothing. They read
 *   a line's sequence, then the line, then the sequence again.
 * - Writers hold the lock of the key's bucket, or of both its buckets, the
 *   lower number first. Locks are never held across a call out of the core.
 * - Identity, state and end of a slot change only while the sequence is odd.
 *   Counts are read and written under the lock alone.
 * - A lock whose owner died is taken over and its line repaired.
 *
 * Invariants
 * - Memory is fixed at the start; there is no allocation here.
 * - A live ban gives way only to another ban, when all 16 candidates are bans.
 * - Every failure to lock or to find room lets the message pass and is counted.
 */
#ifndef AB_TABLE_H
#define AB_TABLE_H

#include "ab_entry.h"
#include "ab_names.h"

#define AB_TABLE_MIN 64
#define AB_TABLE_MAX (16u << 20)

struct ab_table_head; /* the shared block */

/* One process's handle on the shared block. */
struct ab_table
{
	struct ab_table_head *head;
	uint32_t owner; /* this process's id, for locks; not 0 */
	bool (*alive)(uint32_t owner);
};

/* Numbers since the start; read without a lock. */
struct ab_table_stats
{
	uint32_t capacity; /* slots */
	uint32_t
			entries; /* sources kept, without the allow-list; walks the index */
	uint64_t evictions;		/* entries that had to give way */
	uint64_t evicted_bans;	/* of these, live bans: the table is too small */
	uint64_t refused;		/* failures not counted: all places held bans */
	uint64_t lock_timeouts; /* operations given up, the message passed */
	uint64_t locks_stolen;	/* locks taken over from a dead process */
};

/* Bytes of the shared block for `entries` slots (rounded up to a multiple of 8,
 * AB_TABLE_MIN to AB_TABLE_MAX). 64 bytes are included to align it. */
size_t ab_table_bytes(uint32_t entries);

/*
 * Lays a table into mem (ab_table_bytes() long, content of no matter) before
 * any fork and opens it for the calling process. `key` are 16 random bytes.
 */
void ab_table_init(struct ab_table *t, void *mem, uint32_t entries,
		const uint8_t key[static 16], uint32_t owner);

/* The head's table of names. Any process. */
struct ab_names *ab_table_names(const struct ab_table *t);

/*
 * Cluster time = monotonic milliseconds + this offset. Until the first contact
 * with Redis it is what makes the wall clock.
 */
int64_t ab_table_clock_offset(const struct ab_table *t);
void ab_table_set_clock_offset(const struct ab_table *t, int64_t offset_ms);

struct ab_hit
{
	enum ab_state state;  /* NONE, BANNED or DRY_RUN */
	bool automatic;		  /* banned by the policy, not by an operator */
	bool shared;		  /* and because of some users among others */
	bool pairs;			  /* some pairs of the source may be banned */
	struct ab_prefix net; /* what is banned: the source (also when nothing is),
							 or a network that it lies in */
};

/*
 * Is this address banned, as the given source or within a banned network?
 * No lock, no store; one cache line when it is not. `now_mono` in seconds.
 */
struct ab_hit ab_table_check(const struct ab_table *t, const struct ab_addr *a,
		const struct ab_prefix *source, uint32_t now_mono);

/* The second half of it: puts a ban of a network around the source into *hit. */
void ab_table_check_wider(const struct ab_table *t, const struct ab_addr *a,
		const struct ab_prefix *source, uint32_t now_mono, struct ab_hit *hit);

/* The state of one entry of any kind, without a lock. */
enum ab_state ab_table_state(
		const struct ab_table *t, const struct ab_key *key, uint32_t now_mono);

/* Whether any network, any user may be restricted now; a load each. */
bool ab_table_networks(const struct ab_table *t, uint32_t now_mono);
bool ab_table_users(const struct ab_table *t, uint32_t now_mono);

/*
 * Whether an allow entry covers this address; the longest one is put into *net
 * (may be NULL). No lock. Costs some 5 ns for each prefix length in use, and a cache
 * line where the entry may exist; it is asked only for addresses that would be
 * blocked or counted.
 */
bool ab_table_allowed(const struct ab_table *t, const struct ab_addr *a,
		uint32_t now_mono, struct ab_prefix *net);

/* What is done to a slot under its lock: bounded memory work only. */
typedef void (*ab_slot_f)(struct ab_slot *s, void *arg);

enum ab_find
{
	AB_FIND = 0,
	AB_FIND_OR_MAKE, /* for a failure: never in the place of a live ban */
	AB_FIND_OR_TAKE	 /* for a ban: if need be, of the ban that ends first */
};

/*
 * Finds (or makes) the entry of a key and runs fn on it under the lock.
 * Returns 1 when fn ran, 0 when there is no such entry, -1 when the lock or a
 * slot could not be had (counted; the caller goes on as if nothing were known).
 */
int ab_table_update(const struct ab_table *t, const struct ab_key *key,
		enum ab_find find, const struct ab_settings *set,
		const struct ab_now *now, ab_slot_f fn, void *arg);

/*
 * The same in two steps, for who wants several entries at once: most of an update is
 * waiting for memory, and so all wait together. The place of a key is the same as long
 * as the table is; ab_table_spot() begins to load the index, ab_table_expect(), a
 * little later, the record. Neither takes a lock or changes anything.
 */
struct ab_spot
{
	uint32_t bucket[2];
	uint16_t tag;
};

struct ab_spot ab_table_spot(
		const struct ab_table *t, const struct ab_key *key);
void ab_table_expect(const struct ab_table *t, const struct ab_spot *place);
int ab_table_update_at(const struct ab_table *t, const struct ab_key *key,
		const struct ab_spot *place, enum ab_find find,
		const struct ab_settings *set, const struct ab_now *now, ab_slot_f fn,
		void *arg);

/* A view of one entry: 1 found, 0 not there, -1 as above. */
int ab_table_get(const struct ab_table *t, const struct ab_key *key,
		const struct ab_settings *set, const struct ab_now *now,
		struct ab_view *out);

/* Forgets an entry, on this proxy only. */
void ab_table_remove(const struct ab_table *t, const struct ab_key *key,
		const struct ab_settings *set, const struct ab_now *now);

/* Where a walk stands; begin with zero. */
struct ab_cursor
{
	uint32_t bucket;
};

/*
 * Copies the next entries into out[0..max) (max >= 8), a few buckets a call,
 * each under its own lock. Returns how many; 0: the walk is over. Entries that
 * move meanwhile may be missed or seen twice.
 */
size_t ab_table_walk(const struct ab_table *t, struct ab_cursor *at,
		const struct ab_settings *set, const struct ab_now *now,
		struct ab_view *out, size_t max);

/* Frees what is worth nothing any more in 1/parts of the table; call `parts`
 * times with a growing `part`. */
void ab_table_sweep(const struct ab_table *t, uint32_t part, uint32_t parts,
		const struct ab_settings *set, const struct ab_now *now);

/*
 * Cluster time makes a step: counts of the window that `old` is in move to the
 * window of `now`, so that none is lost. Before the first contact only.
 */
void ab_table_rebase(const struct ab_table *t, const struct ab_settings *set,
		const struct ab_now *old, const struct ab_now *now);

/* --- the outgoing queue: dirty marks in the entries themselves --- */

/* Without a cluster nothing is marked. Set once, before the fork. */
void ab_table_set_clustered(const struct ab_table *t, bool on);
bool ab_table_clustered(const struct ab_table *t);

/*
 * Takes up to max entries with something unsent into the batch under way
 * (their flags go from unsent to in flight). Only the sync process.
 */
size_t ab_table_take_dirty(const struct ab_table *t,
		const struct ab_settings *set, const struct ab_now *now,
		struct ab_view *out, size_t max);

/* The fate of a batch: sent, or to be sent again. */
void ab_table_settle(const struct ab_table *t, const struct ab_key *key,
		const struct ab_settings *set, const struct ab_now *now, bool sent);

/* Marks every live state and every live share as unsent: Redis lost its
 * memory. Returns how many entries. */
size_t ab_table_mark_all(const struct ab_table *t,
		const struct ab_settings *set, const struct ab_now *now);

/* The same for what has changed within so many seconds. */
size_t ab_table_mark_recent(const struct ab_table *t,
		const struct ab_settings *set, const struct ab_now *now,
		uint32_t seconds);

bool ab_table_has_dirty(const struct ab_table *t);

/* How many entries wait to be sent; walks the index. */
uint32_t ab_table_pending(const struct ab_table *t);

/* How many live bans; walks the index. */
uint32_t ab_table_banned(const struct ab_table *t, uint32_t now_mono);

/*
 * Sleeping and waking of the sync process: it says that it will sleep, looks
 * for dirty entries once more, then sleeps. The first worker that marks an
 * entry afterwards gets true and has to wake it.
 */
void ab_table_sync_sleeps(const struct ab_table *t);
bool ab_table_must_wake(const struct ab_table *t);

void ab_table_get_stats(const struct ab_table *t, struct ab_table_stats *out);

/* Begins to count anew: evictions, evicted_bans, refused, lock_timeouts, locks_stolen. */
void ab_table_reset_stats(const struct ab_table *t);

#endif
