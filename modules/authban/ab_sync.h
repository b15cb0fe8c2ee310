/*
 * authban: what this proxy tells the others, and hears from them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Takes what is unsent out of the table in batches, writes it to a store
 * (Redis, or a fake one in tests), reads what the other proxies counted of the
 * same sources, and lets the policy judge the sum. Runs in one process only and
 * knows nothing of SIP or of Redis's protocol.
 *
 * Invariants
 * - A record is the whole truth of one proxy about one source (a share, a
 *   state), never a difference. Any order, loss or repeat of records leads every
 *   proxy to the same bans.
 * - An entry stays marked until the store has answered, so a broken connection
 *   loses nothing and nothing waits in a queue of its own.
 */
#ifndef AB_SYNC_H
#define AB_SYNC_H

#include "ab_guard.h"
#include "ab_nodes.h"
#include "ab_wire.h"

#define AB_SYNC_BATCH 256

/* One entry's share: where to write it, and what to read. */
struct ab_share_io
{
	char key[2][AB_WIRE_KEY_MAX]; /* this window, the one before */
	unsigned shard;				  /* of both keys */
	uint8_t field[AB_WIRE_FIELD_MAX];
	size_t field_len;
	size_t place_len; /* of field: common to all shares of the source */
	uint8_t value[2][AB_WIRE_SHARE_MAX];
	size_t value_len[2]; /* 0: nothing to write for that window */
	unsigned ttl[2];	 /* seconds to keep the key; 0: it has one already */
};

/* One state: an entry of the log and a field of the map. */
struct ab_state_io
{
	char map_key[AB_WIRE_KEY_MAX];
	uint8_t field[AB_WIRE_PLACE_MAX];
	size_t field_len;
	uint8_t record[AB_WIRE_STATE_MAX];
	size_t record_len;
};

/* Told of each share found for item `i`, window 0 (this) or 1 (before). */
typedef void (*ab_share_found_f)(void *arg, size_t i, unsigned window,
		const uint8_t *field, size_t field_len, const uint8_t *value,
		size_t value_len);

struct ab_store_ops
{
	/*
	 * Writes states and shares, then reads all shares of the same sources,
	 * in one round trip. 0, or -1 when the outcome is not known: everything
	 * will be sent again.
	 */
	int (*exchange)(void *store, const struct ab_state_io *states,
			size_t n_states, const struct ab_share_io *shares, size_t n_shares,
			ab_share_found_f found, void *arg);
};

struct ab_sync_stats
{
	uint64_t batches, failed_batches;
	uint64_t shares_sent, states_sent, states_applied;
	uint64_t dropped[AB_WIRE_RESULTS]; /* records refused, by cause */
	uint64_t clipped;				   /* shares that claimed too much */
};

struct ab_sync
{
	const struct ab_table *table;
	const struct ab_settings *set; /* the caller keeps it up to date */
	const struct ab_store_ops *ops;
	void *store;
	struct ab_wire wire;
	uint16_t node, origin; /* as in struct ab_judge */
	struct ab_guard guard; /* all but .judge, which is made for each step */
	/* told of each ban or unban that this process made or took over */
	void (*news)(void *arg, const struct ab_judgement *what);
	void *news_arg;
	/* told when a proxy was forgotten by another's word; may be NULL */
	void (*forgot)(
			const struct ab_forgotten *f, const struct ab_dropped *dropped);
	/* told once a minute of a proxy that changes too much; may be NULL */
	void (*flooded)(const char *origin);
	struct ab_sync_stats stats;
	struct ab_nodes *nodes; /* NULL: everybody is believed */
	uint32_t
			peer_changes; /* of one proxy that are believed in a minute; 0: all */
	bool loading; /* the map is being read: no such limit, as it may be large */
	size_t batch_max; /* entries of one batch, 1 to AB_SYNC_BATCH; 0: all of them.
						 Less where the network is slow */
	/* private */
	bool restored; /* from a snapshot, and nothing was sent since */
	bool resend;   /* previous windows too, until all is sent */
	uint32_t ttl_known[AB_WIRE_COUNT_BUCKETS]; /* start of the window whose
												  key got its TTL from us */
	uint32_t floor;							   /* ab_nodes_floor() */
	struct ab_now now;
	struct ab_view batch[AB_SYNC_BATCH];
	struct ab_share_io shares[AB_SYNC_BATCH];
	struct ab_state_io states[AB_SYNC_BATCH];
	uint16_t share_of[AB_SYNC_BATCH]; /* index into batch */
	struct ab_others others[AB_SYNC_BATCH];
};

/* After each (re)connection: nothing is known of the keys' TTLs. When `lost`,
 * the store may have forgotten: everything that lives is sent again. */
void ab_sync_connected(struct ab_sync *s, const struct ab_now *now, bool lost);

/*
 * Sends one batch and judges what came back. Returns how many entries were
 * sent (batch_max: there may be more; 0: nothing to do), or -1 when the
 * store failed.
 */
int ab_sync_batch(struct ab_sync *s, const struct ab_now *now);

/*
 * More failures than this one share does not hold (docs/policy.md has the limits that
 * counts are judged by): a proxy that has seen so many has banned by itself, and more
 * would change nothing but the slow level.
 */
uint32_t ab_sync_share_max(const struct ab_sync *s);

/* Applies one record of the log or the map, whatever it is. False: its time is
 * over for two windows, or its proxy is forgotten, so the map need not keep it. */
bool ab_sync_apply(struct ab_sync *s, const struct ab_now *now,
		const uint8_t *bytes, size_t len);

/* Whether a record of the map is a state whose time is over for two windows. Changes
 * nothing; what cannot be read is not over. */
bool ab_sync_is_over(struct ab_sync *s, const struct ab_now *now,
		const uint8_t *bytes, size_t len);

/* Forgets a proxy, or hears that it is back; `f` as it was read or made. What it left
 * is dropped from the table. */
void ab_sync_forget(struct ab_sync *s, const struct ab_now *now,
		const struct ab_forgotten *f, struct ab_dropped *out);

/* One state of the table as a record of `w`. Returns its length. */
size_t ab_sync_record(const struct ab_wire *w, struct ab_names *names,
		const struct ab_now *now, const struct ab_view *v,
		uint8_t out[static AB_WIRE_STATE_MAX]);

/* Whether a state outlives a restart: a live ban, an unban in grace, an operator's
 * allow entry. */
bool ab_sync_is_kept(const struct ab_view *v);

/*
 * Applies one record of this proxy's own snapshot, which bears no MAC since the whole
 * snapshot has one. `now` is the moment by the clock of the snapshot. No ban lasts
 * longer than a new one may. It waits to be sent until the map turns out to have it.
 * False: it was refused or is over.
 */
bool ab_sync_restore(struct ab_sync *s, const struct ab_now *now,
		const uint8_t *bytes, size_t len);

/*
 * Moves cluster time to `offset_ms`. The first time it is set at once and the
 * counts move along; later steps are slewed by at most AB_SYNC_SLEW_MS a call.
 */
#define AB_SYNC_SLEW_MS 500
void ab_sync_clock(struct ab_sync *s, const struct ab_now *now,
		int64_t offset_ms, bool first);

#endif
