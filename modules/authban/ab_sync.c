/*
 * authban: what this proxy tells the others, and hears from them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_sync_trust.h"

#include "ab_window.h"

#include <string.h>

#define BAN_MAX_S (30u * 86400u) /* no heard-of ban is longer */
/* Behind one address another server may have taken over, or the same one come back, that
 * knows all but the last moments: what is so young is said once more. */
#define TAIL_S 60
#define TURN_S 5 /* after a window turned its predecessor is sent once more */

static struct ab_judge judge_of(const struct ab_sync *s)
{
	struct ab_judge j = {s->table, s->set, s->now, s->node, s->origin};

	return j;
}

void ab_sync_connected(struct ab_sync *s, const struct ab_now *now, bool lost)
{
	memset(s->ttl_known, 0, sizeof(s->ttl_known));
	s->resend = true;
	if(lost)
		ab_table_mark_all(s->table, s->set, now);
	else if(s->stats.batches > 0)
		ab_table_mark_recent(s->table, s->set, now, TAIL_S);
}

/* --- sending --- */

/* A source where somebody has logged in is judged by its pairs, so the others, who
 * may see only its failures, have to know. */
static bool is_shared_here(const struct ab_sync *s, const struct ab_key *key)
{
	struct ab_prefix source = {key->addr, key->plen};

	return key->kind == AB_KIND_SOURCE
		   && ab_good_source_here(&s->guard.good, &source, s->now.mono,
				   (uint32_t)s->set->good_time);
}

static void fill_share(struct ab_sync *s, const struct ab_view *v,
		struct ab_share_io *io, unsigned which, uint32_t start)
{
	uint32_t window = (uint32_t)s->set->window;
	/* an entry that is newer than the last forgetting does not know of it */
	struct ab_share share = {v->own[which], v->distinct[which],
			v->epoch > s->floor ? v->epoch : s->floor,
			is_shared_here(s, &v->key)};

	io->value_len[which] = ab_wire_share_write(&s->wire, window, start,
			io->field, io->field_len, &share, io->value[which]);
	io->ttl[which] = 2 * window + 60;
}

static void fill_shares(
		struct ab_sync *s, const struct ab_view *v, struct ab_share_io *io)
{
	uint32_t window = (uint32_t)s->set->window;
	uint32_t start[2] = {v->wstart, v->wstart - window};
	unsigned bucket = ab_wire_count_bucket(&v->key);
	unsigned i;

	memset(io->value_len, 0, sizeof(io->value_len));
	memset(io->ttl, 0, sizeof(io->ttl));
	for(i = 0; i < 2; i++)
		ab_wire_count_key(&s->wire, &v->key, window, start[i], io->key[i]);
	io->shard = ab_wire_shard(&s->wire, &v->key);
	io->place_len = ab_wire_place(&v->key, io->field);
	io->field_len =
			ab_wire_share_field(&s->wire, &v->key, v->incarnation, io->field);
	fill_share(s, v, io, 0, start[0]);
	if(v->own[1] != 0
			&& (s->resend || ab_now_cluster_s(&s->now) - v->wstart < TURN_S))
		fill_share(s, v, io, 1, start[1]);
	if(s->ttl_known[bucket] == v->wstart && !s->resend)
		io->ttl[0] = 0;
	s->ttl_known[bucket] = v->wstart;
}

size_t ab_sync_record(const struct ab_wire *w, struct ab_names *names,
		const struct ab_now *now, const struct ab_view *v,
		uint8_t out[static AB_WIRE_STATE_MAX])
{
	struct ab_wire_state rec = {.key = v->key,
			.state = v->state,
			.proof = v->proof,
			.repeats = v->repeats,
			.version = v->version,
			.begin = now->cluster_ms - (uint64_t)v->age * 1000,
			.end = now->cluster_ms + (uint64_t)v->ttl * 1000,
			.failures = ab_saturate16(v->failures, 0),
			.distinct = v->distinct[0] | v->distinct[1]};

	strncpy(rec.reason, ab_names_text(names, v->reason), AB_NAME_LEN);
	strncpy(rec.origin, ab_names_text(names, v->origin), AB_NAME_LEN);
	return ab_wire_state_write(w, &rec, out);
}

static void fill_state(
		struct ab_sync *s, const struct ab_view *v, struct ab_state_io *io)
{
	ab_wire_map_key(&s->wire, &v->key, io->map_key);
	io->field_len = ab_wire_place(&v->key, io->field);
	io->record_len = ab_sync_record(
			&s->wire, ab_table_names(s->table), &s->now, v, io->record);
}

/* --- reading back --- */

/* Counted before the unban, or the end of the ban, from which on we count. What was
 * counted in a window that began later is later, even if that proxy has not heard
 * of it, or not any more. */
static bool is_void(const struct ab_share *share, const struct ab_view *v,
		uint32_t window_start)
{
	return share->epoch < v->epoch && window_start <= v->epoch;
}

/* A share that another proxy (or an earlier start of this one) counted. */
static void found_share(void *arg, size_t i, unsigned which,
		const uint8_t *field, size_t field_len, const uint8_t *value,
		size_t value_len)
{
	struct ab_sync *s = arg;
	const struct ab_view *v = &s->batch[s->share_of[i]];
	uint32_t window = (uint32_t)s->set->window;
	uint32_t start = v->wstart - which * window;
	const struct ab_share_io *io = &s->shares[i];
	struct ab_others *sum = &s->others[i];
	struct ab_share share = {0};
	enum ab_wire_result r;

	if(field_len != io->place_len + 9
			|| memcmp(field, io->field, io->place_len) != 0)
		r = AB_WIRE_LENGTH;
	else
		r = ab_wire_share_read(&s->wire, window, start, field, field_len, value,
				value_len, &share);
	if(r == AB_WIRE_OK
			&& (ab_wire_share_is_own(&s->wire, field, field_len, v->incarnation)
					|| is_void(&share, v, start)))
		return;
	if(r == AB_WIRE_OK)
		r = ab_trust_share(s, field, field_len, &share);
	if(r != AB_WIRE_OK) {
		ab_trust_refuse_share(s, r, field, field_len);
		return;
	}
	sum->count[which] += share.count;
	sum->distinct[which] |= share.distinct;
	sum->shared |= share.shared;
}

static void tell(struct ab_sync *s, const struct ab_judgement *what)
{
	if(what->ok && (what->news || what->crossed) && s->news)
		s->news(s->news_arg, what);
}

static void judge_batch(struct ab_sync *s, size_t n_shares)
{
	struct ab_judgement out;
	size_t i;

	s->guard.judge = judge_of(s);
	for(i = 0; i < n_shares; i++) {
		ab_guard_others(
				&s->guard, &s->batch[s->share_of[i]].key, &s->others[i], &out);
		tell(s, &out);
	}
}

int ab_sync_batch(struct ab_sync *s, const struct ab_now *now)
{
	size_t n, i, n_shares = 0, n_states = 0;
	int rc;

	s->now = *now;
	s->floor = s->nodes ? ab_nodes_floor(s->nodes, s->table->owner) : 0;
	s->restored = false;
	n = ab_table_take_dirty(s->table, s->set, now, s->batch,
			s->batch_max ? s->batch_max : AB_SYNC_BATCH);
	if(n == 0) {
		s->resend = false;
		return 0;
	}
	for(i = 0; i < n; i++) {
		const struct ab_view *v = &s->batch[i];

		if(v->flags & AB_INFLIGHT_COUNT) {
			memset(&s->others[n_shares], 0, sizeof(s->others[0]));
			s->others[n_shares].wstart = v->wstart;
			s->others[n_shares].epoch = v->epoch;
			s->share_of[n_shares] = (uint16_t)i;
			fill_shares(s, v, &s->shares[n_shares++]);
		}
		if((v->flags & AB_INFLIGHT_STATE) && v->ttl > 0
				&& (v->state == AB_STATE_BANNED
						|| v->state == AB_STATE_UNBANNED))
			fill_state(s, v, &s->states[n_states++]);
	}
	rc = s->ops->exchange(
			s->store, s->states, n_states, s->shares, n_shares, found_share, s);
	for(i = 0; i < n; i++)
		ab_table_settle(s->table, &s->batch[i].key, s->set, now, rc == 0);
	s->stats.batches++;
	if(rc != 0) {
		memset(s->ttl_known, 0, sizeof(s->ttl_known));
		s->stats.failed_batches++;
		return -1;
	}
	s->stats.shares_sent += n_shares;
	s->stats.states_sent += n_states;
	judge_batch(s, n_shares);
	return (int)n;
}

/* --- hearing --- */

static void mark_state(struct ab_slot *slot, void *arg)
{
	(void)arg;
	ab_entry_set_flags(slot->e, slot->e->flags | AB_UNSENT_STATE);
}

#define SLACK_MS 3000 /* that ends differ by on their way */

/* A ban that has won, and what is left of ours in it: a longer end, or an
 * operator's word (ab_entry_change.c). */
static bool outlasts(const struct ab_sync *s, const struct ab_view *v,
		const struct ab_wire_state *rec)
{
	return v->version == rec->version && rec->state == AB_STATE_BANNED
		   && v->state == AB_STATE_BANNED
		   && ((v->proof == AB_PROOF_OPERATOR
					   && rec->proof != AB_PROOF_OPERATOR)
				   || s->now.cluster_ms + (uint64_t)v->ttl * 1000
							  > rec->end + SLACK_MS);
}

/*
 * An older record that arrives after ours may have replaced ours in the map, and so
 * may a later one that ours outlasts. Whose word it is says it once more; nobody else
 * does, so this ends.
 */
static void say_again(struct ab_sync *s, const struct ab_wire_state *rec)
{
	struct ab_view v;

	if(ab_table_get(s->table, &rec->key, s->set, &s->now, &v) == 1
			&& (v.version > rec->version || outlasts(s, &v, rec))
			&& v.origin == s->origin
			&& (v.state == AB_STATE_BANNED || v.state == AB_STATE_UNBANNED))
		ab_table_update(s->table, &rec->key, AB_FIND, s->set, &s->now,
				mark_state, NULL);
}

static void unmark_state(struct ab_slot *slot, void *arg)
{
	if(slot->e->version == *(const uint64_t *)arg)
		ab_entry_set_flags(slot->e, slot->e->flags & ~AB_UNSENT_STATE);
}

/* The map has what the snapshot had, or more. Nothing of this start was sent yet, so no
 * state that is half sent is taken for one that is there. */
static void is_there(struct ab_sync *s, const struct ab_wire_state *rec)
{
	uint64_t version = rec->version;
	struct ab_view v;

	/* what only the snapshot knew has its part in the joint ban */
	if(ab_table_get(s->table, &rec->key, s->set, &s->now, &v) == 1
			&& outlasts(s, &v, rec))
		return;
	ab_table_update(s->table, &rec->key, AB_FIND, s->set, &s->now, unmark_state,
			&version);
}

/* A state that is over still says from when on failures count, as long as there
 * are shares from before it: for two windows. */
static bool is_over(const struct ab_sync *s, const struct ab_wire_state *rec)
{
	uint64_t windows = 2000 * (uint64_t)s->set->window;

	return s->now.cluster_ms >= windows
		   && rec->end <= s->now.cluster_ms - windows;
}

/* How long a state heard of still lasts here; only an allow entry has no end, and
 * only an operator's ban may be longer than those that the policy makes. */
static uint32_t seconds_left(const struct ab_sync *s,
		const struct ab_wire_state *rec, const struct ab_now *now)
{
	uint32_t max =
			rec->key.kind == AB_KIND_ALLOW ? AB_FOR_EVER
			: rec->state == AB_STATE_BANNED && rec->proof != AB_PROOF_OPERATOR
					? ab_trust_longest_ban(s)
					: BAN_MAX_S;
	uint64_t left;

	if(rec->end <= now->cluster_ms)
		return 0; /* over, but its shares are not */
	/* to the nearest: rounded up, each restart of a proxy would make bans longer */
	left = (rec->end - now->cluster_ms + 500) / 1000;
	return left < max ? (uint32_t)left : max;
}

static void apply(struct ab_sync *s, const struct ab_wire_state *rec)
{
	struct ab_names *names = ab_table_names(s->table);
	struct ab_judgement out;
	struct ab_change c;

	memset(&c, 0, sizeof(c));
	c.state = rec->state;
	c.proof = rec->proof;
	c.repeats = rec->repeats;
	c.version = rec->version;
	c.failures = rec->failures;
	c.distinct = rec->distinct;
	c.seconds = seconds_left(s, rec, &s->now);
	if(rec->begin < s->now.cluster_ms
			&& s->now.cluster_ms - rec->begin < UINT64_C(365) * AB_DAY_MS)
		c.ago = (uint32_t)((s->now.cluster_ms - rec->begin) / 1000);
	c.reason = ab_names_intern(
			names, s->table->owner, rec->reason, strlen(rec->reason));
	c.origin = ab_names_intern(
			names, s->table->owner, rec->origin, strlen(rec->origin));
	s->guard.judge = judge_of(s);
	ab_guard_apply(&s->guard, &rec->key, &c, &out);
	if(out.ok && out.news && s->nodes)
		ab_nodes_told(s->nodes, rec->origin, s->now.cluster_ms, true);
	s->stats.states_applied++;
	tell(s, &out);
}

/* Reads a record and asks whether it may be true; false: it is counted as dropped. */
static bool read_state(struct ab_sync *s, const struct ab_wire *w,
		const uint8_t *bytes, size_t len, struct ab_wire_state *rec)
{
	enum ab_wire_result r = ab_wire_state_read(w, bytes, len, rec);

	if(r == AB_WIRE_OK && (rec->version >> 16) > s->now.cluster_ms + AB_DAY_MS)
		r = AB_WIRE_RANGE;
	if(r != AB_WIRE_OK)
		s->stats.dropped[r]++;
	return r == AB_WIRE_OK;
}

bool ab_sync_apply(struct ab_sync *s, const struct ab_now *now,
		const uint8_t *bytes, size_t len)
{
	struct ab_wire_state rec;

	enum ab_wire_result r;

	s->now = *now;
	if(ab_forget_is(bytes, len)) {
		ab_trust_apply_forget(s, bytes, len);
		return true;
	}
	if(!read_state(s, &s->wire, bytes, len, &rec))
		return true;
	if(is_over(s, &rec))
		return false;
	r = ab_trust_state(s, &rec);
	if(r != AB_WIRE_OK) {
		s->stats.dropped[r]++;
		return r != AB_WIRE_FORGOTTEN;
	}
	apply(s, &rec);
	if(s->restored)
		is_there(s, &rec);
	else
		say_again(s, &rec);
	return true;
}

bool ab_sync_is_over(struct ab_sync *s, const struct ab_now *now,
		const uint8_t *bytes, size_t len)
{
	struct ab_wire_state rec;

	s->now = *now;
	return !ab_forget_is(bytes, len)
		   && ab_wire_state_read(&s->wire, bytes, len, &rec) == AB_WIRE_OK
		   && is_over(s, &rec);
}

/* --- over a restart --- */

bool ab_sync_is_kept(const struct ab_view *v)
{
	if(v->ttl == 0 || v->version < AB_VERSION_TOLD)
		return false;
	/* what the configuration allows counts again after a restart, whoever took it
	 * off before */
	return v->state == AB_STATE_BANNED
		   || (v->state == AB_STATE_UNBANNED && v->key.kind != AB_KIND_ALLOW);
}

bool ab_sync_restore(struct ab_sync *s, const struct ab_now *now,
		const uint8_t *bytes, size_t len)
{
	static const struct ab_wire unsigned_wire;
	uint64_t max = now->cluster_ms + 1000 * (uint64_t)s->set->ban_time_max;
	struct ab_wire_state rec;

	s->now = *now;
	if(!read_state(s, &unsigned_wire, bytes, len, &rec)
			|| rec.end <= now->cluster_ms)
		return false;
	if(rec.state == AB_STATE_BANNED && rec.proof != AB_PROOF_OPERATOR
			&& rec.end > max)
		rec.end = max;
	apply(s, &rec);
	/* Redis may have lost it meanwhile: it is sent unless the map has it */
	if(ab_table_clustered(s->table)) {
		s->restored = true;
		ab_table_update(
				s->table, &rec.key, AB_FIND, s->set, &s->now, mark_state, NULL);
	}
	return true;
}

/* --- time --- */

void ab_sync_clock(struct ab_sync *s, const struct ab_now *now,
		int64_t offset_ms, bool first)
{
	int64_t old = ab_table_clock_offset(s->table);
	int64_t step = offset_ms - old;

	if(first) {
		struct ab_now then = *now;

		then.cluster_ms = (uint64_t)((int64_t)now->cluster_ms + step);
		ab_table_rebase(s->table, s->set, now, &then);
	} else if(step > AB_SYNC_SLEW_MS) {
		step = AB_SYNC_SLEW_MS;
	} else if(step < -AB_SYNC_SLEW_MS) {
		step = -AB_SYNC_SLEW_MS;
	}
	ab_table_set_clock_offset(s->table, old + step);
}
