/*
 * authban: what is kept of one source, and how it changes
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Pure operations on one entry; the table (ab_table.h) finds it, locks it and
 * writes its state back. All functions here are called with that lock held, or
 * on a copy.
 *
 * Invariants
 * - Counts are shares: `own` is what this proxy alone saw, an absolute number
 *   per window; `others` is the sum of the other proxies' shares as last read.
 *   A repeat, a loss or another order of records changes nothing.
 * - `epoch` is the cluster second of the unban (or of the ban, once it has
 *   ended) from which the counts begin. A share with an older epoch was counted
 *   before and is ignored, so old counts never ban again.
 * - Of two states (ban, unban) the later version decides; of two bans, see
 *   ab_entry_change.c.
 */
#ifndef AB_ENTRY_H
#define AB_ENTRY_H

#include "ab_policy.h"
#include "ab_source.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What names an entry. A user is a keyed hash, the same on every proxy. */
struct ab_key
{
	struct ab_addr addr; /* kind USER: the hash of the user, 8 bytes, then 0 */
	uint64_t user;		 /* kind PAIR: the hash of the user; else 0 */
	uint8_t kind;		 /* enum ab_kind */
	uint8_t plen;		 /* over 128 bits */
};

/* A user under attack; a user (not 0) at a source. */
struct ab_key ab_key_user(uint64_t user);
struct ab_key ab_key_pair(const struct ab_prefix *source, uint64_t user);

/* Whether a network is narrow enough to be banned, or allowed, at all
 * (AB_WIDEST_*): by an operator, a file or a record of another proxy. Networks that
 * are counted, and users, have one width. */
bool ab_key_width_ok(const struct ab_key *key);

/* The moment of an operation: two clocks, never mixed. */
struct ab_now
{
	uint32_t mono;		 /* monotonic seconds; ban ends inside one proxy */
	uint64_t cluster_ms; /* cluster time; windows, versions, the wire */
};

static inline uint32_t ab_now_cluster_s(const struct ab_now *now)
{
	return (uint32_t)(now->cluster_ms / 1000);
}

/* Kept in two bits of the index line. */
enum ab_state
{
	AB_STATE_NONE = 0,
	AB_STATE_BANNED,
	AB_STATE_DRY_RUN, /* would be banned; never leaves this proxy */
	AB_STATE_UNBANNED /* the trace of an unban, so that it wins over late bans */
};

/* How the sender had proved that it receives at its address. */
enum ab_proof
{
	AB_PROOF_NONE = 0,
	AB_PROOF_TOKEN,
	AB_PROOF_STREAM,
	AB_PROOF_NONCE,
	AB_PROOF_OPERATOR, /* nobody had to: an operator or the script said so, and
						  meant everybody there */
	AB_PROOF_SCRIPT,   /* the script vouches for the failures that it found */
	AB_PROOF_MAX
};

const char *ab_proof_name(enum ab_proof proof);

/* Flags of an entry: what the sync process has still to send. */
#define AB_UNSENT_COUNT 0x01u	/* own share changed */
#define AB_UNSENT_STATE 0x02u	/* ban or unban made here */
#define AB_INFLIGHT_COUNT 0x04u /* taken into the batch under way */
#define AB_INFLIGHT_STATE 0x08u
#define AB_UNSENT_ANY 0x0fu

/* One record, 64 bytes: a cache line of its own. */
struct ab_entry
{
	/* read without the lock, to compare the key */
	_Atomic uint64_t addr[2];
	_Atomic uint64_t
			extra; /* a pair's user, else two maps of distinct things */
	_Atomic uint16_t ident; /* kind << 8 | prefix length; 0: free */
	/* only under the lock */
	uint16_t flags : 4;	 /* AB_UNSENT_*, AB_INFLIGHT_* */
	uint16_t proof : 3;	 /* enum ab_proof of the last state */
	uint16_t reason : 9; /* of the last state (ab_names) */
	uint32_t wstart;	 /* start of the current window, cluster seconds */
	uint64_t version;	 /* of the last state: cluster ms << 16 | node */
	uint16_t own[2];	 /* failures seen here: this window, the one before */
	uint16_t others[2];	 /* by the other proxies, as last read */
	uint32_t seen;		 /* last failure or state, or stranger let through while
						   banned; monotonic seconds */
	uint32_t since;		 /* begin of the ban; after it: its end */
	uint32_t epoch;		 /* counts begin here, cluster seconds */
	uint32_t origin : 9; /* node that made the state (ab_names) */
	uint32_t repeats : 4;	  /* bans within memory, this one included */
	uint32_t policy : 3;	  /* of the last failure (ab_policies.h) */
	uint32_t slow : 8;		  /* leaky bucket over long_window, as of `seen` */
	uint32_t incarnation : 7; /* tells the shares of an evicted and remade entry
								 apart */
	uint32_t paired : 1; /* a source: some of its failures are those of pairs */
};

_Static_assert(sizeof(struct ab_entry) == 64, "an entry is one cache line");

static inline void ab_entry_set_flags(struct ab_entry *e, unsigned flags)
{
	e->flags = flags & AB_UNSENT_ANY;
}

/* An entry together with what the index line holds of it. */
struct ab_slot
{
	struct ab_entry *e;
	uint32_t until; /* end of the state, monotonic seconds; of a source that is
					   not banned: until when its pairs may be */
	uint8_t state;	/* enum ab_state */
	bool pairs;		/* a source: some of its pairs may be banned */
};

/* Versions below this are generations of a proxy's own configuration: they are
 * told to nobody and yield to every other word. */
#define AB_VERSION_TOLD UINT64_C(65536)

/* Seconds of a state without an end: no uptime reaches it. */
#define AB_FOR_EVER (UINT32_C(100) * 365 * 86400)

/* A ban or unban, made here or heard of. */
struct ab_change
{
	uint8_t state; /* AB_STATE_BANNED, _DRY_RUN or _UNBANNED */
	uint8_t proof;
	uint8_t repeats;
	uint16_t reason, origin;
	uint32_t seconds;  /* from now on */
	uint32_t ago;	   /* seconds since it began, 0 when it is made here */
	uint32_t failures; /* heard of: what it was made for; made here: 0 */
	uint32_t distinct; /* heard of: map of the users that failed */
	uint64_t version;  /* 0: made here, take the next one */
	uint16_t node;	   /* this proxy's number in versions */
	bool local;		   /* made here: tell the others */
};

/* A copy of everything that is known, for RPC, $authban and the wire. */
struct ab_view
{
	struct ab_key key;
	uint64_t version;
	uint32_t distinct[2]; /* maps: this window, the one before */
	uint32_t failures;	  /* sliding estimate over all proxies */
	uint32_t users; /* distinct users (of a source) or sources, estimate */
	uint32_t slow;	/* level of the leaky bucket */
	uint32_t ttl;	/* seconds left of the state, 0 when none */
	uint32_t age;	/* seconds since it began */
	uint32_t idle;	/* seconds since the last failure or change */
	uint32_t wstart, epoch;
	uint32_t unbanned; /* the epoch, when it is that of an unban; else 0 */
	uint16_t reason, origin;
	uint16_t own[2], others[2];
	uint8_t state, proof, repeats, flags, incarnation, policy;
	bool paired; /* a source: of its own failures some are counted by a pair too */
};

/* The other proxies' shares of one entry, summed up by the sync process. */
struct ab_others
{
	uint32_t wstart;	  /* the newer of the two windows that were read */
	uint32_t epoch;		  /* of the entry when they were asked for */
	uint32_t count[2];	  /* that window, the one before */
	uint32_t distinct[2]; /* maps, OR of all shares */
	bool shared; /* a source: somebody has logged in from it, at another proxy */
};

void ab_entry_init(struct ab_slot *s, const struct ab_key *key,
		const struct ab_now *now, uint8_t incarnation);

/* A copy to work on, and the way back: all but the key, which does not change.
 * Under the lock. */
void ab_entry_copy(struct ab_entry *to, const struct ab_entry *from);
void ab_entry_write_back(struct ab_entry *to, const struct ab_entry *from);

bool ab_entry_matches(const struct ab_entry *e, const struct ab_key *key);

static inline enum ab_kind ab_entry_kind(const struct ab_entry *e)
{
	return (enum ab_kind)(
			atomic_load_explicit(&e->ident, memory_order_relaxed) >> 8);
}

void ab_entry_key(const struct ab_entry *e, struct ab_key *key);

/* Ends a state whose time is over and moves the counts to the window of `now`.
 * Every other operation begins with it. */
void ab_entry_refresh(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now);

/* Counts `weight` failures of a thing: the user that a source tried, the source
 * that tried a user (a keyed hash; 0: not to be counted as one). `slow`: what it adds
 * to the slow level. */
void ab_entry_count(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, uint64_t thing, uint32_t weight,
		uint32_t slow);

/* Forgets counts, repeats and ban when they are older than cluster second `epoch`:
 * a pair's, since its source was unbanned. */
void ab_entry_void(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, uint32_t epoch);

/* Of a banned entry that spares those who are known-good: whether one stranger may
 * pass now, which then holds up the next for `pace` seconds. */
bool ab_entry_gate(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now);

/* That stranger has logged in: the next may come at once. */
void ab_entry_refund(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now);

/* The cluster second of a version: when its state began. */
uint32_t ab_version_second(uint64_t version);

/* Takes over what the others have counted. Within a window sums only grow. Returns
 * whether there was anything new. */
bool ab_entry_merge(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, const struct ab_others *others);

/* What the policy is asked with; what the attempt is, is not filled in. */
void ab_entry_counts(const struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, struct ab_counts *out);

/* Makes or applies a state. Returns whether it took effect: false when a later
 * version is known already. */
bool ab_entry_change(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, const struct ab_change *change);

/* About how many distinct things an entry has seen in its two windows. */
uint32_t ab_entry_things(const struct ab_entry *e);

/* Ends a state as if it had never been: of a proxy that is not believed. */
void ab_entry_drop(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now);

/* Lets the counts begin anew at this cluster second, unless they have later or the
 * entry is banned. Returns whether there were any. */
bool ab_entry_anew(struct ab_slot *s, uint32_t second);

/* The maps of distinct things: this window, the one before. A pair has one user and
 * no room for maps. */
void ab_entry_distinct(const struct ab_entry *e, uint32_t maps[2]);

/* Fills in a view; refreshes a copy, not the entry. */
void ab_entry_view(const struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, struct ab_view *out);

/*
 * How much would be lost with this entry: 0 nothing (expired) up to
 * AB_WORTH_BANNED. The table evicts the lowest, the oldest first among equals.
 */
enum ab_worth
{
	AB_WORTH_NOTHING = 0,
	AB_WORTH_ONE_FAILURE,
	AB_WORTH_ONE_UNSENT, /* nobody else has it yet */
	AB_WORTH_FAILURES,
	AB_WORTH_UNSENT,	 /* several failures that nobody else has yet */
	AB_WORTH_REMEMBERED, /* was banned, and a repeat would double */
	AB_WORTH_UNBANNED,
	AB_WORTH_BANNED,
	AB_WORTH_ALLOWED
};

enum ab_worth ab_entry_worth(const struct ab_slot *s,
		const struct ab_settings *set, const struct ab_now *now);

#endif
