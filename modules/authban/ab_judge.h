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
	bool ok;			 /* false: no lock or no room; the message passes */
	bool news;			 /* this call made (or lifted) the ban: log it, once */
	uint8_t state;		 /* enum ab_state afterwards */
	struct ab_view view; /* the entry afterwards; only when ok */
};

/*
 * Counts `weight` failures of a source whose sender has proved its address as
 * `proof` says, and bans it when that reaches a limit. `user` is a keyed hash
 * of the user that was tried, 0 when there is none.
 */
void ab_judge_failure(const struct ab_judge *j, const struct ab_key *key,
		uint64_t user, uint32_t weight, enum ab_proof proof,
		struct ab_judgement *out);

/* The same after the other proxies' shares of a known entry were read. */
void ab_judge_others(const struct ab_judge *j, const struct ab_key *key,
		const struct ab_others *others, struct ab_judgement *out);

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
