/*
 * authban: count, decide and ban in one step
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Joins table and policy. Each function works on one source under one hold of
 * its lock, so that the failure which reaches a limit is the one that bans, and
 * exactly one caller is told of it.
 */
#ifndef AB_JUDGE_H
#define AB_JUDGE_H

#include "ab_table.h"

struct ab_judge
{
	const struct ab_table *table;
	const struct ab_settings *set;
	struct ab_now now;
	uint16_t node; /* this proxy's number in versions, the same for its life */
	uint16_t origin; /* its name in ab_names */
};

/* The key of a source or a banned network. */
struct ab_key ab_key_source(const struct ab_prefix *p);

/* The key of an allow entry. */
struct ab_key ab_key_allow(const struct ab_prefix *p);

struct ab_judgement
{
	bool ok;	   /* false: no lock or no room; the message passes */
	bool news;	   /* this call made (or lifted) the ban: log it, once */
	bool crossed;  /* a network or user came under watch by this call */
	uint8_t state; /* enum ab_state afterwards */
	uint8_t level; /* enum ab_level of a network or user afterwards */
	/* the entry afterwards, when ok; of a failure or share only when there is news, it
	 * crossed, or the state is not AB_STATE_NONE: to make one costs as much as to count */
	struct ab_view view;
};

/* What an entry's counts do not say, and the policy asks for. */
struct ab_circumstances
{
	bool shared, good; /* as in struct ab_counts */
	enum ab_level net_level, user_level;
	bool listed;					  /* as in struct ab_counts */
	bool suspended;					  /* count, but ban nobody */
	const struct ab_settings *limits; /* of the policy; NULL: the judge's */
	uint32_t pairs_until; /* source: a pair of it is banned until then; or 0 */
	uint32_t void_before; /* pair: cluster second of its source's last unban */
};

/* One failed attempt as it concerns one entry. */
struct ab_blow
{
	const struct ab_spot *place; /* of the entry; NULL: not known yet */
	uint64_t thing; /* what is counted as distinct (ab_entry_count()) */
	uint32_t weight;
	uint32_t slow;		 /* what it adds to the slow level: the weight, or 0 */
	enum ab_proof proof; /* of the sender's address */
	unsigned policy;
	struct ab_circumstances at;
};

/* Counts a failure on one entry, and bans it when that reaches a limit. */
void ab_judge_failure(const struct ab_judge *j, const struct ab_key *key,
		const struct ab_blow *blow, struct ab_judgement *out);

/* Judges a known entry again after the other proxies' shares of it were read. */
void ab_judge_others(const struct ab_judge *j, const struct ab_key *key,
		const struct ab_others *others, const struct ab_circumstances *at,
		struct ab_judgement *out);

/* Remembers that a source has a banned pair until then, monotonic seconds. */
void ab_judge_note_pairs(
		const struct ab_judge *j, const struct ab_key *source, uint32_t until);

/* What a stranger meets at an entry. */
struct ab_gate
{
	bool pass; /* also when it is not banned, or nobody knows it */
	bool turn; /* it is banned, and this one took the turn */
	bool dry;  /* banned in dry run only */
};

struct ab_gate ab_judge_gate(
		const struct ab_judge *j, const struct ab_key *key);

/* He has logged in (ab_entry_refund()). */
void ab_judge_refund(const struct ab_judge *j, const struct ab_key *key);

/* A ban by an operator or the script; reason is a number of ab_names. */
void ab_judge_ban(const struct ab_judge *j, const struct ab_key *key,
		uint32_t seconds, uint16_t reason, struct ab_judgement *out);

/*
 * Lifts a ban and forgets the counts. out->ok false when nothing at all is
 * known of the source.
 */
void ab_judge_unban(const struct ab_judge *j, const struct ab_key *key,
		uint16_t reason, struct ab_judgement *out);

/*
 * Puts a network on the allow-list for good, and takes it off again (with
 * ab_judge_unban() on the same key). `generation` 0: an operator's word, told to
 * the other proxies; 1 and more, growing: this proxy's own configuration.
 */
void ab_judge_allow(const struct ab_judge *j, const struct ab_key *key,
		uint16_t reason, uint16_t generation, struct ab_judgement *out);

/* Applies a ban or unban that came from another proxy. */
void ab_judge_apply(const struct ab_judge *j, const struct ab_key *key,
		const struct ab_change *change, struct ab_judgement *out);

/* For how long an unban is remembered, seconds: two windows at the least, since
 * shares of the window before are still read. */
uint32_t ab_unban_seconds(const struct ab_settings *set);

#endif
