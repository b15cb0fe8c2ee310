/*
 * authban: bans and unbans of an entry, made here or heard of
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Several words about one entry may be on their way at once, from proxies that had
 * not heard each other's, and come in any order. What is left in the end:
 * - The latest version decides between banned and not. An unban ends what was said
 *   before it; the bans after it, and after the end of the last one, are one line.
 * - Within a line an operator's ban rules: automatic ones, earlier or later,
 *   change neither its end nor its reason. Of two operators the later rules.
 * - Of automatic bans alone the latest tells the reason, and the last end counts.
 * The only thing that is not known afterwards is the end of an automatic ban that an
 * operator's ban has covered, when an unban between the two is heard last: then it
 * is ban_time_max at the most, until the next word.
 */
#include "ab_entry_private.h"

#include "ab_window.h"


#define REPEATS_MAX 15 /* four bits */
#define END_SLACK 2	   /* seconds that ends differ by on their way */

static uint64_t next_version(
		const struct ab_entry *e, const struct ab_now *now, uint16_t node)
{
	uint64_t ms = now->cluster_ms, known = e->version >> 16;

	return (ms > known ? ms : known + 1) << 16 | node;
}

/* What another proxy's ban was made for, so that every proxy can show it. */
static void take_evidence(struct ab_entry *e, const struct ab_change *c)
{
	uint32_t mine = (uint32_t)e->own[0] + e->own[1];
	uint32_t maps[2];

	if(c->failures <= mine + e->others[0] + e->others[1])
		return;
	e->others[1] = 0;
	e->others[0] = ab_saturate16(c->failures - mine, 0);
	ab_entry_distinct(e, maps);
	ab_entry_set_distinct(e, maps[0] | c->distinct, maps[1]);
}

static bool is_operators(uint8_t proof)
{
	return proof == AB_PROOF_OPERATOR;
}

/* Who says so, why, and until when. */
static void take_word(struct ab_slot *s, const struct ab_now *now,
		const struct ab_change *c, uint32_t until)
{
	struct ab_entry *e = s->e;

	s->until = until;
	e->proof = c->proof & 7u;
	e->reason = c->reason & (AB_NAME_NUMBERS - 1);
	e->origin = c->origin & (AB_NAME_NUMBERS - 1);
	e->repeats = (c->repeats < REPEATS_MAX ? c->repeats : REPEATS_MAX) & 15u;
	/* of an operator's ban it tells which unbans are later */
	if(is_operators(c->proof))
		e->since = now->mono - c->ago;
}

/* An unban from before what is known: it ends what it is later than. */
static void join_unban(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, uint32_t second)
{
	struct ab_entry *e = s->e;
	uint32_t began = ab_now_cluster_s(now) - (now->mono - e->since);
	uint32_t end = ab_entry_later(now->mono, (uint32_t)set->ban_time_max);

	if(second > e->epoch)
		e->epoch = second;
	/* an automatic ban is the later one, and the end is the operator's */
	if(is_operators((uint8_t)e->proof) && began + 1 < second
			&& second < ab_version_second(e->version) && s->until > end)
		s->until = end;
}

/* A word that is no later than what is known. Returns whether it changes anything. */
static bool join(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, const struct ab_change *c)
{
	uint32_t second = ab_version_second(c->version);
	uint32_t until = ab_entry_later(now->mono, c->seconds);
	struct ab_entry *e = s->e;
	bool operators = is_operators((uint8_t)e->proof);

	if(s->state != AB_STATE_BANNED || c->version < AB_VERSION_TOLD)
		return false;
	if(c->state == AB_STATE_UNBANNED) {
		join_unban(s, set, now, second);
		return false;
	}
	if(second <= e->epoch || operators || until <= now->mono
			|| (!is_operators(c->proof) && until <= s->until + END_SLACK))
		return false;
	if(is_operators(c->proof)) {
		take_word(s, now, c, until);
		return true;
	}
	s->until = until;
	return true;
}

/* A later ban, heard of while one is in force. */
static bool join_later(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, const struct ab_change *c)
{
	uint32_t until = ab_entry_later(now->mono, c->seconds);
	struct ab_entry *e = s->e;

	if(c->local || c->version < AB_VERSION_TOLD || s->state != AB_STATE_BANNED
			|| c->state != AB_STATE_BANNED || is_operators(c->proof))
		return false;
	e->version = c->version;
	if(!is_operators((uint8_t)e->proof)) {
		ab_entry_touch(e, set, now, 0);
		take_evidence(e, c);
		take_word(s, now, c, until > s->until + END_SLACK ? until : s->until);
	}
	return true;
}

bool ab_entry_change(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now, const struct ab_change *c)
{
	struct ab_entry *e = s->e;
	bool was_banned;

	ab_entry_refresh(s, set, now);
	was_banned = s->state == AB_STATE_BANNED || s->state == AB_STATE_DRY_RUN;
	if(c->version != 0 && c->version <= e->version)
		return join(s, set, now, c);
	if(join_later(s, set, now, c))
		return true;
	if(c->state != AB_STATE_DRY_RUN)
		e->version = c->version ? c->version : next_version(e, now, c->node);
	s->state = c->state;
	ab_entry_touch(e, set, now, 0);
	if(!was_banned)
		e->since = now->mono - c->ago;
	take_word(s, now, c, ab_entry_later(now->mono, c->seconds));
	if(c->state == AB_STATE_UNBANNED) {
		ab_entry_begin_epoch(e, ab_version_second(e->version));
		e->since = now->mono;
		e->repeats = 0;
		e->slow = 0;
		s->pairs = false;
	} else {
		take_evidence(e, c);
	}
	if(c->local && c->state != AB_STATE_DRY_RUN)
		ab_entry_set_flags(e, e->flags | AB_UNSENT_STATE);
	return true;
}

/* --- of a proxy that is forgotten --- */

void ab_entry_drop(struct ab_slot *s, const struct ab_settings *set,
		const struct ab_now *now)
{
	struct ab_entry *e = s->e;

	s->state = AB_STATE_NONE;
	s->until = s->pairs ? ab_entry_later(now->mono, (uint32_t)set->ban_time_max)
						: 0;
	e->version = 0; /* an older word of somebody else may come again */
	e->repeats = 0;
	e->proof = AB_PROOF_NONE;
	ab_entry_set_flags(e, e->flags & ~(AB_UNSENT_STATE | AB_INFLIGHT_STATE));
}

bool ab_entry_anew(struct ab_slot *s, uint32_t second)
{
	struct ab_entry *e = s->e;
	bool own = e->own[0] || e->own[1];
	uint32_t maps[2];
	bool any;

	if(s->state == AB_STATE_BANNED || e->epoch >= second)
		return false;
	ab_entry_distinct(e, maps);
	any = own || e->others[0] || e->others[1] || e->slow || maps[0] || maps[1];
	ab_entry_begin_epoch(e, second);
	e->slow = 0;
	if(s->state == AB_STATE_DRY_RUN) {
		s->state = AB_STATE_NONE;
		s->until = 0;
	}
	/* what the others read of us has still what we had heard */
	if(own)
		ab_entry_set_flags(e, e->flags | AB_UNSENT_COUNT);
	return any;
}
