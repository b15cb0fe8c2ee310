/*
 * authban: which entries one attempt touches, and what one message meets
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Joins table, policy, known-good facts and breaker: docs/policy.md in C. Each
 * entry is counted and judged under its own lock, one after the other: network,
 * user, pair, source. No two locks are held at once.
 */
#ifndef AB_GUARD_H
#define AB_GUARD_H

#include "ab_breaker.h"
#include "ab_feeds.h"
#include "ab_good.h"
#include "ab_judge.h"
#include "ab_policies.h"

struct ab_guard
{
	struct ab_judge judge;
	const struct ab_policies *policies; /* NULL: none */
	struct ab_good good;
	struct ab_breaker *breaker;
	struct ab_feeds *feeds; /* imported lists; NULL: none */
	bool feeds_ban;			/* who stands on one is blocked */
	uint8_t hash_key[16]; /* of sources in distinct maps: one for the cluster */
};

/* Everything about one attempt that failed. */
struct ab_failure
{
	struct ab_party who; /* user 0: none */
	uint32_t weight;	 /* 1 and more */
	enum ab_proof proof;
	unsigned policy; /* 0: the settings */
};

enum ab_found
{
	AB_FOUND_NETWORK = 0,
	AB_FOUND_USER,
	AB_FOUND_PAIR,
	AB_FOUND_SOURCE,
	AB_FOUND_COUNT
};

/* What an attempt did. Entries that it did not touch have ok false. */
struct ab_findings
{
	struct ab_judgement entry[AB_FOUND_COUNT];
	bool good, shared;	  /* before this attempt */
	bool suspended;		  /* not judged: the breaker is open */
	bool breaker_changed; /* by this very attempt */
	bool banned; /* source or pair was banned by this very attempt (not dry) */
};

void ab_guard_failure(const struct ab_guard *g, const struct ab_failure *f,
		struct ab_findings *out);

/* Returns true when the breaker closed by this success. */
bool ab_guard_success(const struct ab_guard *g, const struct ab_party *who);

/* Whether somebody has logged in from a source within good_time. */
bool ab_guard_shared(const struct ab_guard *g, const struct ab_prefix *source);

/* Whether a source is blocked because it stands on an imported list, and nobody has
 * logged in from it. */
bool ab_guard_listed(const struct ab_guard *g, const struct ab_prefix *source,
		struct ab_feeds_hit *hit);

/* A stranger was let through, and the attempt was no failure: the next may come at
 * once. ab_guard_success() does it by itself. */
void ab_guard_refund(const struct ab_guard *g, const struct ab_party *who);

/* The sums that came back for one entry of any kind, judged again. */
void ab_guard_others(const struct ab_guard *g, const struct ab_key *key,
		const struct ab_others *others, struct ab_judgement *out);

enum ab_guard_verdict
{
	AB_GUARD_PASS = 0,
	AB_GUARD_LOOK,	 /* depends on the credentials: ask ab_guard_look() */
	AB_GUARD_SOURCE, /* the source, or its network, is banned or listed: -1 */
	AB_GUARD_PAIR	 /* this user from this source is: -2 */
};

struct ab_guard_answer
{
	enum ab_guard_verdict verdict;
	bool dry;  /* only in dry run: let it pass and count it */
	bool turn; /* passes in a stranger's turn: see ab_guard_refund() */
	struct ab_prefix net; /* what is banned; set by ab_guard_check() */
};

/*
 * The look at a message before anything of it is parsed. No lock, no store; one or two
 * cache lines when nothing is known. Does not ask the allow-list.
 */
struct ab_guard_answer ab_guard_check(const struct ab_guard *g,
		const struct ab_addr *addr, const struct ab_prefix *source);

/* The second look, with one user of the message's credentials; a message without
 * any passes. May take a lock; may let one stranger in `pace` seconds pass. */
struct ab_guard_answer ab_guard_look(
		const struct ab_guard *g, const struct ab_party *who);

/* The network that a source is counted in: false when it has none. */
bool ab_guard_network(const struct ab_prefix *source, struct ab_prefix *net);

/* The key of a network. */
struct ab_key ab_key_network(const struct ab_prefix *net);

/* A stranger who was let through to a banned source and failed waits so many times
 * `pace` for the next try by the same flow. */
#define AB_GUARD_TURNS 10u

#define AB_USER_NOBODY 1 /* stands for "no user" in pairs */

/* Applies a ban or unban that came from another proxy. */
void ab_guard_apply(const struct ab_guard *g, const struct ab_key *key,
		const struct ab_change *change, struct ab_judgement *out);

/* Lifts the ban of a source, or of a network and its restriction. Bans of the
 * source's pairs are void from then on. out->ok false: nothing is known of it. */
void ab_guard_unban(const struct ab_guard *g, const struct ab_key *key,
		uint16_t reason, struct ab_judgement *out);

#endif
